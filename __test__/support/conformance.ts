/**
 * The guarantees for callers over every interface: one suite, a function of the interface.
 */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  APIConnectionTimeoutError,
  BadRequestError,
  type Composio,
  ComposioConnectedAccountNotFoundError,
  ComposioToolkitNotFoundError,
  type Gateway,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  type ProxyMethod,
  type Session,
  UnprocessableEntityError,
} from '../../index.js';
import { connect, openGateway } from './acme';
import { rejection, timed } from './expect';
import { sendJson, Upstream } from './upstream';
import type { Way, WayIn } from './ways';

/** The schemes that need no exchange, and the request that Acme gets for each. */
const SCHEMES = [
  { toolkit: 'acme', authScheme: 'API_KEY', val: { api_key: 'k-1' }, sees: { 'x-api-key': 'k-1' } },
  { toolkit: 'acme', authScheme: 'API_KEY', val: { generic_api_key: 'k-2' }, sees: { 'x-api-key': 'k-2' } },
  { toolkit: 'acme', authScheme: 'BEARER_TOKEN', val: { token: 't-1' }, sees: { authorization: 'Bearer t-1' } },
  { toolkit: 'acme', authScheme: 'OAUTH2', val: { access_token: 't-2' }, sees: { authorization: 'Bearer t-2' } },
  {
    toolkit: 'acme',
    authScheme: 'BASIC',
    val: { username: 'ann', password: 'p:ä' },
    sees: { authorization: `Basic ${Buffer.from('ann:p:ä').toString('base64')}` },
  },
  { toolkit: 'acme_query', authScheme: 'API_KEY', val: { api_key: 'k/3 ä' }, url: '/base/me?q=1&key=k%2F3%20%C3%A4' },
  { toolkit: 'acme_open', authScheme: 'NO_AUTH', val: {}, url: '/open/me?q=1' },
] as const;

/** An array in an array in an array …. Recursion would exceed the stack. */
function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

function depth(value: unknown): number {
  let levels = 0;
  for (let inner = value; Array.isArray(inner); inner = inner[0]) levels++;
  return levels;
}

/** Describes the suite over this interface. */
export function conformance(name: string, way: Way): void {
  describe(name, () => {
    let upstream: Upstream;
    /** A server that must never be called. */
    let foreign: Upstream;
    let gateway: Gateway;
    let wayIn: WayIn;
    let composio: Composio;
    let session: Session;

    before(async () => {
      upstream = await Upstream.start();
      foreign = await Upstream.start();
      gateway = await openGateway(upstream.port, {
        allowPrivateHosts: [`127.0.0.1:${upstream.port}`, `127.0.0.1:${foreign.port}`],
      });
      await connect(gateway, 'ann');
      wayIn = await way(gateway);
      composio = wayIn.composio();
      session = await composio.create('ann', { toolkits: ['acme'] });
    });

    after(async () => {
      await wayIn.close();
      await gateway.close();
      await upstream.close();
      await foreign.close();
    });

    beforeEach(() => {
      upstream.received.length = 0;
    });

    /** The body of a call's response. */
    async function get<T = unknown>(endpoint: string): Promise<T> {
      return (await session.proxyExecute<T>({ toolkit: 'acme', endpoint, method: 'GET' })).data;
    }

    describe('sessions', () => {
      it('are created without toolkits, and may call all', async () => {
        const all = await composio.create('ann');
        assert.match(all.sessionId, /^trs_/);
        assert.equal(all.userId, 'ann');
        assert.equal(all.config.toolkits, undefined);
        const { status } = await all.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET' });
        assert.equal(status, 200);
      });

      it('are created with allowed or with excluded toolkits', async () => {
        const call = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;
        for (const toolkits of [['acme', 'github'], { enable: ['acme'] }, { disable: ['github'] }]) {
          const allowed = await composio.create('ann', { toolkits });
          assert.equal((await allowed.proxyExecute(call)).status, 200);
        }
        upstream.received.length = 0;
        for (const toolkits of [['github'], { enable: ['github'] }, { disable: ['acme'] }]) {
          const refused = await composio.create('ann', { toolkits });
          await rejection(() => refused.proxyExecute(call), PermissionDeniedError, {
            status: 403,
            code: 4301,
            slug: 'ToolRouterV2_ToolkitNotAllowed',
            names: new RegExp(`'acme'.*${refused.sessionId}`),
            fix: /session\.update\(\)/,
          });
        }
        assert.deepEqual(upstream.received, []);
        const echoed = (await composio.create('ann', { toolkits: { disable: ['github'] } })).config;
        assert.deepEqual(echoed.toolkits, { disabled: ['github'] });
      });

      it('are found by their id', async () => {
        const again = await composio.use(session.sessionId);
        assert.equal(again.sessionId, session.sessionId);
        assert.deepEqual(again.config, session.config);
        const { status } = await again.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET' });
        assert.equal(status, 200);
      });

      it('change the named keys and keep the rest', async () => {
        const own = await composio.create('ann', { toolkits: ['github'], multiAccount: { enable: true } });
        assert.equal(await own.update({ toolkits: ['acme'] }), own);
        assert.deepEqual(own.config.toolkits, { enabled: ['acme'] });
        assert.deepEqual(own.config.multi_account, { enable: true, require_explicit_selection: true });
        assert.deepEqual((await composio.use(own.sessionId)).config, own.config);
        const { status } = await own.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET' });
        assert.equal(status, 200);
        await own.update({ toolkits: null });
        assert.equal(own.config.toolkits, undefined);
      });

      it('are refused with a restriction that is not enforced', async () => {
        const own = await composio.create('ann');
        for (const [part, names] of [
          [{ tags: ['readOnlyHint'] }, /`tags`/],
          [{ tags: { disable: ['destructiveHint'] } }, /`tags`/],
          [{ tools: { github: { tags: ['readOnlyHint'] } } }, /`tools\.github`/],
          [{ tools: { github: ['GITHUB_GET_AN_ISSUE'] } }, /`tools\.github`/],
          [{ tools: { github: { disable: ['GITHUB_DELETE_A_REPOSITORY'] } } }, /`tools\.github`/],
        ] as const) {
          const refused = { status: 400, slug: 'ToolRouterV2_BadRequest', names, fix: /toolkits/ };
          await rejection(() => composio.create('ann', part), BadRequestError, refused);
          await rejection(() => own.update(part), BadRequestError, refused);
        }
      });

      it('are deleted once', async () => {
        const own = await composio.create('ann');
        assert.deepEqual(await own.delete(), { sessionId: own.sessionId, deleted: true });
        const gone = {
          status: 404,
          code: 4303,
          slug: 'ToolRouterV2_SessionNotFound',
          names: new RegExp(own.sessionId),
          fix: /composio\.create\(\)/,
        };
        await rejection(() => own.delete(), NotFoundError, gone);
        await rejection(() => own.update({ toolkits: ['acme'] }), NotFoundError, gone);
        await rejection(() => composio.use(own.sessionId), NotFoundError, gone);
        await rejection(
          () => own.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET' }),
          NotFoundError,
          gone,
        );
        assert.deepEqual(upstream.received, []);
      });
    });

    describe('requests', () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] satisfies ProxyMethod[]) {
        it(`are sent with ${method}`, async () => {
          const { status, data, headers } = await session.proxyExecute({ toolkit: 'acme', endpoint: '/me', method });
          assert.equal(status, 200);
          assert.equal(upstream.received.length, 1);
          assert.equal(upstream.last.method, method);
          assert.equal(upstream.last.url, '/base/me');
          assert.equal(upstream.last.body, '');
          assert.equal(upstream.last.headers['content-type'], undefined);
          if (method === 'HEAD') assert.equal(data, null);
          else assert.equal((data as { method: string }).method, method);
          assert.equal(headers['content-type'], 'application/json');
        });
      }

      const bodies: Record<string, unknown> = {
        'an object': { title: 'Found a bug', labels: [], at: 1.5 },
        'an array': [1, 'two', null],
        'a number': -0.25,
        'a boolean': false,
        'nested objects': { a: { b: { c: [{ d: [[]] }] } } },
        'text of any script': { greeting: 'Žluťoučký kůň 你好 👩‍👩‍👧‍👦', ключ: '\u2028\u0000\u001f' },
        'half of a surrogate pair': { alone: '\ud83d', turned: '\udc00\ud800' },
        '100 KB': { text: 'á'.repeat(50_000) },
      };
      for (const [what, body] of Object.entries(bodies)) {
        it(`have a body that is ${what}`, async () => {
          for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
            const { data } = await session.proxyExecute<{ body: string }>({
              toolkit: 'acme',
              endpoint: '/things',
              method,
              body,
            });
            // Every byte counts: the order of keys, escapes and numbers are the caller's.
            assert.equal(upstream.last.body, JSON.stringify(body));
            assert.equal(upstream.last.headers['content-type'], 'application/json');
            assert.deepEqual(JSON.parse(data.body), body);
          }
        });
      }

      it('have a body that is a string of JSON, which is sent unchanged', async () => {
        for (const [body, type] of [
          ['{"b":1, "a":12345678901234567890}', undefined],
          [' [1,\n2]\n', 'application/json'],
          ['{}', 'application/vnd.api+json'],
          ['"a"', undefined],
          ['null', undefined],
          ['123', 'text/json; charset=utf-8'],
        ] as const) {
          const parameters = type === undefined ? [] : [{ name: 'Content-Type', value: type, in: 'header' as const }];
          await session.proxyExecute({ toolkit: 'acme', endpoint: '/things', method: 'POST', body, parameters });
          assert.equal(upstream.last.body, body);
          assert.equal(upstream.last.headers['content-type'], type ?? 'application/json');
        }
      });

      it('are refused with a string that is not JSON, unless its type says so', async () => {
        const call = { toolkit: 'acme', endpoint: '/things', method: 'POST' } as const;
        const before = upstream.received.length;
        for (const body of ['just text', '', ' ', '{"title":', 'a=1']) {
          for (const type of ['application/json', 'application/problem+json']) {
            const parameters = [{ name: 'content-type', value: type, in: 'header' as const }];
            await rejection(() => session.proxyExecute({ ...call, body, parameters }), BadRequestError, {
              status: 400,
              slug: 'InvalidRequest',
              names: /`body` is a string/,
              fix: /Content-Type/,
            });
          }
          await rejection(() => session.proxyExecute({ ...call, body }), BadRequestError, { slug: 'InvalidRequest' });
        }
        assert.equal(upstream.received.length, before);
        for (const body of ['just text', '']) {
          const parameters = [{ name: 'Content-Type', value: 'text/plain', in: 'header' as const }];
          await session.proxyExecute({ ...call, body, parameters });
          assert.equal(upstream.last.body, body);
          assert.equal(upstream.last.headers['content-length'], String(body.length));
        }
      });

      it('have no body if it is null', async () => {
        await session.proxyExecute({ toolkit: 'acme', endpoint: '/things', method: 'POST', body: null });
        assert.equal(upstream.last.body, '');
        assert.equal(upstream.last.headers['content-type'], undefined);
      });

      it('have a form as their body if they say so', async () => {
        await session.proxyExecute({
          toolkit: 'acme',
          endpoint: '/things',
          method: 'POST',
          body: 'a=1&b=%20',
          parameters: [{ name: 'Content-Type', value: 'application/x-www-form-urlencoded', in: 'header' }],
        });
        assert.equal(upstream.last.body, 'a=1&b=%20');
        assert.equal(upstream.last.headers['content-type'], 'application/x-www-form-urlencoded');
      });

      it('have query values in order, after those of the endpoint', async () => {
        await session.proxyExecute({
          toolkit: 'acme',
          endpoint: '/search?z=%2F+1&z=2',
          method: 'GET',
          parameters: [
            { name: 'a', value: 'x y&z', in: 'query' },
            { name: 'z', value: 3, in: 'query' },
            { name: 'a', value: -1.5e-7, in: 'query' },
            { name: 'ä', value: '', type: 'query' },
          ],
        });
        assert.equal(upstream.last.url, '/base/search?z=%2F+1&z=2&a=x%20y%26z&z=3&a=-1.5e-7&%C3%A4=');
      });

      it('have the values of `query` and `headers`', async () => {
        const query = { page: 2, tag: ['a', 'b/c'], gone: undefined };
        const call = { toolkit: 'acme', endpoint: '/search?q=1', method: 'GET' } as const;
        await session.proxyExecute({ ...call, query, headers: { 'X-Tag': ['one', 'two'], Accept: 'text/x' } });
        assert.equal(upstream.last.url, '/base/search?q=1&page=2&tag=a&tag=b%2Fc');
        assert.equal(upstream.last.headers['x-tag'], 'one, two');
        assert.equal(upstream.last.headers.accept, 'text/x');
      });

      it('have headers in order, with repeats', async () => {
        await session.proxyExecute({
          toolkit: 'acme',
          endpoint: '/me',
          method: 'GET',
          parameters: [
            { name: 'X-Tag', value: 'b', in: 'header' },
            { name: 'X-Count', value: 12, in: 'header' },
            { name: 'x-tag', value: 'a', in: 'header' },
            { name: 'Accept', value: 'application/vnd.acme+json', in: 'header' },
            { name: 'X-Acme-Version', value: '8', in: 'header' },
          ],
        });
        const { headerList } = upstream.last;
        const values = (name: string) => headerList.filter(([key]) => key === name).map(([, value]) => value);
        assert.deepEqual(values('x-tag'), ['b', 'a']);
        assert.deepEqual(values('x-count'), ['12']);
        assert.deepEqual(values('accept'), ['application/vnd.acme+json']);
        assert.deepEqual(values('x-acme-version'), ['8']);
      });

      it('have the headers of the toolkit, and a user agent', async () => {
        await get('/me');
        assert.equal(upstream.last.headers['x-acme-version'], '7');
        assert.match(upstream.last.headers['user-agent'] ?? '', /^proxy-execute\/\d/);
      });

      it('go to an absolute URL of the same host, unchanged', async () => {
        await get(`${upstream.origin}/elsewhere?a=1`);
        assert.equal(upstream.last.url, '/elsewhere?a=1');
      });

      it('do not go to a foreign host', async () => {
        const before = upstream.connections;
        const endpoints = [
          `${foreign.origin}/me`,
          `http://localhost:${upstream.port}/me`,
          `https://127.0.0.1:${upstream.port}/me`,
          'https://example.com/me',
          '/../me',
        ];
        for (const endpoint of endpoints) {
          await rejection(() => get(endpoint), BadRequestError, {
            status: 400,
            code: 10401,
            slug: 'OriginMismatch',
            names: /`endpoint` .* toolkit `acme`.*Nothing was sent\./,
            fix: /path below the base URL/,
          });
        }
        assert.deepEqual(upstream.received, []);
        assert.equal(upstream.connections, before);
        assert.equal(foreign.connections, 0);
      });

      it('do not set headers that follow from the endpoint and the body', async () => {
        for (const name of ['Host', 'Content-Length', 'Transfer-Encoding']) {
          const parameters = [{ name, value: '5', in: 'header' as const }];
          const error = await rejection(
            () => session.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET', parameters }),
            BadRequestError,
            { status: 400, code: 10400, slug: 'InvalidRequest', names: /parameters\[0\]\.name/ },
          );
          assert.equal(error.errors?.length, 1);
          assert.match(error.errors?.[0] ?? '', new RegExp(name, 'i'));
        }
        assert.deepEqual(upstream.received, []);
      });
    });

    describe('credentials', () => {
      for (const { toolkit, authScheme, val, ...expected } of SCHEMES) {
        it(`are added: ${authScheme} of ${toolkit}, ${Object.keys(val)}`, async () => {
          const userId = `user of ${toolkit} by ${authScheme} ${Object.keys(val)}`;
          const account = await gateway.connectedAccounts.import({ userId, toolkit, credential: { authScheme, val } });
          const own = await composio.create(userId, { toolkits: [toolkit] });
          const call = { endpoint: '/me?q=1', method: 'GET' } as const;
          const check = () => {
            assert.equal(upstream.last.url, 'url' in expected ? expected.url : '/base/me?q=1');
            const { 'x-api-key': key, authorization } = upstream.last.headers;
            const seen = { ...(key && { 'x-api-key': key }), ...(authorization && { authorization }) };
            assert.deepEqual(seen, 'sees' in expected ? expected.sees : {});
          };
          await own.proxyExecute({ toolkit, ...call });
          check();
          await composio.tools.proxyExecute({ connectedAccountId: account.id, ...call });
          check();
          await composio.tools.proxyExecute({
            customConnectionData: { authScheme, toolkitSlug: toolkit, val },
            ...call,
          });
          check();
          assert.equal(upstream.received.length, 3);
        });
      }

      it("give way to the caller's own Authorization", async () => {
        const parameters = [{ name: 'authorization', value: 'Bearer mine', in: 'header' as const }];
        await session.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET', parameters });
        assert.equal(upstream.last.headers.authorization, 'Bearer mine');
        assert.equal(upstream.last.headers['x-api-key'], undefined);
      });

      it('belong to the latest account, or to the account that the session names', async () => {
        const first = await connect(gateway, 'eve', 'first');
        await connect(gateway, 'eve', 'second');
        const call = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;

        const latest = await composio.create('eve');
        await latest.proxyExecute(call);
        assert.equal(upstream.last.headers['x-api-key'], 'second');

        for (const acme of [first, [first]]) {
          const pinned = await composio.create('eve', { connectedAccounts: { acme } });
          await pinned.proxyExecute(call);
          assert.equal(upstream.last.headers['x-api-key'], 'first');
        }

        await latest.update({ connectedAccounts: { acme: first } });
        await latest.proxyExecute(call);
        assert.equal(upstream.last.headers['x-api-key'], 'first');

        // A named account has no fallback.
        await gateway.connectedAccounts.disable(first);
        const sent = upstream.received.length;
        await rejection(() => latest.proxyExecute(call), UnprocessableEntityError, {
          status: 422,
          code: 1810,
          slug: 'ConnectedAccountNotUsable',
          names: new RegExp(`${first} \\(toolkit \`acme\`\\).*disabled`),
          fix: /connectedAccounts\.enable/,
        });
        assert.equal(upstream.received.length, sent);
      });

      it('are needed outside of a session', async () => {
        await rejection(() => composio.tools.proxyExecute({ endpoint: '/me', method: 'GET' }), BadRequestError, {
          status: 400,
          code: 10402,
          slug: 'MissingAuthContext',
          fix: /session\.proxyExecute\(\)/,
        });
        await rejection(
          () => composio.tools.proxyExecute({ connectedAccountId: 'ca_none', endpoint: '/me', method: 'GET' }),
          ComposioConnectedAccountNotFoundError,
          { status: 404, code: 1803, slug: 'ConnectedAccountNotFound', names: /`ca_none`/, fix: /list\(\)/ },
        );
      });
    });

    describe('responses', () => {
      it('of any status are values', async () => {
        for (const expected of [201, 400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504, 599]) {
          upstream.received.length = 0;
          upstream.on('/base/status', (response) => sendJson(response, expected, `{"message":"${expected}"}`));
          const call = { endpoint: '/status', toolkit: 'acme', method: 'POST' } as const;
          const { status, data } = await session.proxyExecute(call);
          assert.deepEqual({ status, data }, { status: expected, data: { message: `${expected}` } });
          assert.equal(upstream.received.length, 1, `${expected} was asked for again`);
        }
      });

      it('that are text are strings', async () => {
        const text = 'Žluťoučký kůň\n"quoted" \ud83d\ude00';
        upstream.on('/base/text', (response) => {
          response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
        });
        const call = { endpoint: '/text', toolkit: 'acme', method: 'GET' } as const;
        const { status, data } = await session.proxyExecute(call);
        assert.deepEqual({ status, data }, { status: 404, data: text });
        assert.equal((await session.proxyExecute(call, { responseType: 'text' })).data, text);

        upstream.on('/base/latin', (response) => {
          response
            .writeHead(200, { 'content-type': 'text/html; charset=iso-8859-1' })
            .end(Buffer.from('caf\xe9', 'latin1'));
        });
        assert.equal(await get('/latin'), 'café');
      });

      it('without a body are null', async () => {
        upstream.on('/base/none', (response) => response.writeHead(204).end());
        upstream.on('/base/empty', (response) => sendJson(response, 200, ''));
        for (const [endpoint, expected] of [
          ['/none', 204],
          ['/empty', 200],
        ] as const) {
          const call = { endpoint, toolkit: 'acme', method: 'DELETE' } as const;
          const { status, data } = await session.proxyExecute(call);
          assert.deepEqual({ status, data }, { status: expected, data: null });
          assert.equal((await session.proxyExecute(call, { responseType: 'text' })).data, null);
        }
      });

      it('are JSON of any kind', async () => {
        for (const text of ['null', 'true', '0', '-1.5e3', '""', '"text"', '[]', '{"__proto__":1,"b":{},"a":1}']) {
          upstream.on('/base/json', (response) => sendJson(response, 200, text));
          assert.deepEqual(await get('/json'), JSON.parse(text));
        }
      });

      it('keep every digit of their numbers as text', async () => {
        const text = '{"z":12345678901234567890, "a":9007199254740993,"e":1e400,"d":1.0,"lone":"\\ud800"}';
        upstream.on('/base/digits', (response) => sendJson(response, 200, text));
        const call = { endpoint: '/digits', toolkit: 'acme', method: 'GET' } as const;
        const { status, data } = await session.proxyExecute(call, { responseType: 'text' });
        assert.equal(status, 200);
        assert.equal(data, text);
        const parsed = await session.proxyExecute<Record<string, unknown>>(call);
        assert.deepEqual(Object.keys(parsed.data), ['z', 'a', 'e', 'd', 'lone']);
        assert.deepEqual(parsed.data, JSON.parse(text));
      });

      it('may be 10 000 levels deep', async () => {
        upstream.on('/base/deep', (response) => sendJson(response, 200, nested(10_000)));
        assert.equal(depth(await get('/deep')), 10_000);
        const call = { endpoint: '/deep', toolkit: 'acme', method: 'GET' } as const;
        assert.equal((await session.proxyExecute(call, { responseType: 'text' })).data, nested(10_000));
      });

      it('may have 10 MB', async () => {
        const item = { id: 1234567, title: 'Žluťoučký kůň', labels: ['a', 'b'], open: true };
        const text = JSON.stringify(Array.from({ length: 150_000 }, () => item));
        assert.ok(Buffer.byteLength(text) > 10_000_000);
        upstream.on('/base/large', (response) => sendJson(response, 200, text));
        const items = await get<unknown[]>('/large');
        assert.equal(items.length, 150_000);
        assert.deepEqual(items.at(-1), item);
        const call = { endpoint: '/large', toolkit: 'acme', method: 'GET' } as const;
        assert.ok((await session.proxyExecute(call, { responseType: 'text' })).data === text);
      });

      it('have their headers, without those of the connection', async () => {
        upstream.on('/base/headers', (response) => {
          response.writeHead(200, [
            ...['Content-Type', 'application/json', 'Link', '<a>; rel="next"', 'link', '<b>'],
            ...['X-RateLimit-Remaining', '59', 'ETag', 'W/"1"', 'Keep-Alive', 'timeout=9'],
            ...['Set-Cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'Set-Cookie', 'b=2'],
          ]);
          response.end('{}');
        });
        const call = { toolkit: 'acme', endpoint: '/headers', method: 'GET' } as const;
        const response = await session.proxyExecute(call);
        const { headers, headersList, headerValues } = response;
        const { date, ...others } = headers;
        assert.ok(Date.parse(date ?? ''));
        assert.deepEqual(others, {
          'content-type': 'application/json',
          link: '<a>; rel="next", <b>',
          'x-ratelimit-remaining': '59',
          etag: 'W/"1"',
          'set-cookie': 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT, b=2',
        });
        const cookies = ['a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'b=2'];
        const named = (wanted: string) => headersList.filter(([name]) => name === wanted).map(([, value]) => value);
        assert.deepEqual(named('set-cookie'), cookies);
        assert.deepEqual(named('link'), ['<a>; rel="next"', '<b>']);
        assert.deepEqual(named('etag'), ['W/"1"']);
        const { etag, link, 'set-cookie': setCookie, missing } = headerValues;
        assert.deepEqual([etag, link, setCookie, missing], [['W/"1"'], named('link'), cookies, undefined]);
        assert.deepEqual(Object.keys(response), ['status', 'data', 'headers']);
        const read = new Headers(headers);
        assert.deepEqual(read.getSetCookie(), cookies);
        assert.deepEqual([read.get('link'), read.get('etag')], ['<a>; rel="next", <b>', 'W/"1"']);
        const streamed = await session.proxyExecute(call, { responseType: 'stream' });
        await streamed.data.cancel();
        assert.deepEqual(new Headers(streamed.headers).getSetCookie(), cookies);
        assert.deepEqual(streamed.headersList.length, headersList.length);
        assert.deepEqual(streamed.headerValues['set-cookie'], cookies);
      });

      it('have headers that a Headers accepts, with letters of every script', async () => {
        upstream.on('/base/letters', (response) => {
          const value = Buffer.from('attachment; filename="žluť.json"').toString('latin1');
          response.writeHead(200, ['Content-Type', 'application/json', 'Content-Disposition', value]).end('{}');
        });
        const { data, headers } = await session.proxyExecute({ toolkit: 'acme', endpoint: '/letters', method: 'GET' });
        assert.deepEqual(data, {});
        assert.equal(headers['content-disposition'], 'attachment; filename="žluť.json"');
        const read = new Headers(headers).get('content-disposition') ?? '';
        assert.equal(Buffer.from(read, 'latin1').toString(), headers['content-disposition']);
      });

      it('that are wrongly labelled as JSON are text, unless the call succeeded', async () => {
        const call = { toolkit: 'acme', endpoint: '/busy', method: 'POST' } as const;
        for (const status of [200, 429, 503]) {
          upstream.on('/base/busy', (response) => {
            const head = { 'content-type': 'application/json', 'retry-after': '7' };
            response.writeHead(status, head).end('Too Many Requests');
          });
          const text = await session.proxyExecute(call, { responseType: 'text' });
          assert.deepEqual([text.status, text.data, text.headers['retry-after']], [status, 'Too Many Requests', '7']);
          if (status === 200) {
            await rejection(() => session.proxyExecute(call), InternalServerError, { slug: 'UpstreamBroken' });
          } else {
            const answer = await session.proxyExecute(call);
            assert.deepEqual(
              [answer.status, answer.data, answer.headers['retry-after']],
              [status, 'Too Many Requests', '7'],
            );
          }
        }
      });

      it('that are files are returned as a URL, and are opened with it', async () => {
        const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]);
        upstream.on('/base/file', (response) => {
          response.writeHead(200, { 'content-type': 'image/png' }).end(png);
        });
        const { data, binaryData } = await session.proxyExecute({ toolkit: 'acme', endpoint: '/file', method: 'GET' });
        assert.equal(data, null);
        assert.ok(binaryData);
        assert.deepEqual(Object.keys(binaryData), ['url', 'contentType', 'size', 'expiresAt']);
        assert.equal(binaryData.contentType, 'image/png');
        assert.equal(binaryData.size, 6);
        assert.deepEqual(Buffer.from(await (await session.download(binaryData)).bytes()), png);
      });

      it('are bytes in one piece on request, of any type and status', async () => {
        const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]);
        const json = '{"big": 12345678901234567890 }';
        for (const [status, type, body] of [
          [200, 'image/png', png],
          [404, 'application/json', Buffer.from(json)],
          [200, 'application/json', Buffer.from('not JSON')],
          [200, 'text/plain; charset=latin1', Buffer.from('\xe4', 'latin1')],
          [204, 'text/plain', Buffer.alloc(0)],
        ] as const) {
          upstream.on('/base/bytes', (response) => {
            response.writeHead(status, { 'content-type': type, 'x-a': 'b' }).end(body);
          });
          const call = { toolkit: 'acme', endpoint: '/bytes', method: 'POST', body: { a: 1 } } as const;
          const answer = await session.proxyExecute(call, { responseType: 'bytes' });
          assert.ok(answer.data instanceof Uint8Array);
          assert.deepEqual([answer.status, Buffer.from(answer.data), answer.headers['x-a']], [status, body, 'b']);
          assert.equal(answer.binaryData, undefined);
          assert.equal(upstream.last.body, '{"a":1}');
        }
      });

      it('of tools.proxyExecute have the form of the wire', async () => {
        upstream.on('/base/json', (response) => sendJson(response, 203, '{"a":1}'));
        const connectedAccountId = await connect(gateway, 'tools');
        const answer = await composio.tools.proxyExecute<{ a: number }>({
          connectedAccountId,
          endpoint: '/json',
          method: 'GET',
        });
        assert.deepEqual(Object.keys(answer).sort(), ['data', 'headers', 'status']);
        assert.equal(answer.status, 203);
        assert.deepEqual(answer.data, { a: 1 });
        assert.equal(answer.headers?.['content-type'], 'application/json');
      });
    });

    describe('a timeout', () => {
      it('ends a call whose response is missing or incomplete', async () => {
        upstream.on('/base/hang', () => {});
        upstream.on('/base/half', (response) => {
          response.writeHead(200, { 'content-type': 'application/json' }).write('{"a":');
        });
        for (const endpoint of ['/hang', '/half']) {
          const call = { toolkit: 'acme', endpoint, method: 'GET' } as const;
          const elapsed = await timed(20_000, async () => {
            const error = await rejection(
              () => session.proxyExecute(call, { timeout: 300 }),
              APIConnectionTimeoutError,
              { names: /300 ms/ },
            );
            assert.equal(error.status, undefined);
          });
          assert.ok(elapsed > 290, `after ${elapsed} ms`);
        }
        assert.equal((await get<{ method: string }>('/me')).method, 'GET');
      });

      it('defaults to the timeout of the client', async () => {
        const hasty = await wayIn.composio({ timeout: 300 }).use(session.sessionId);
        const call = { toolkit: 'acme', endpoint: '/hang', method: 'GET' } as const;
        await timed(20_000, () => rejection(() => hasty.proxyExecute(call), APIConnectionTimeoutError));
      });
    });

    describe('errors', () => {
      it('have all known details', async () => {
        const error = await rejection(
          () => session.proxyExecute({ toolkit: 'github', endpoint: '/user', method: 'GET' }),
          PermissionDeniedError,
          { status: 403, code: 4301, slug: 'ToolRouterV2_ToolkitNotAllowed' },
        );
        assert.equal(
          error.suggestedFix,
          'Name the toolkit when the session is created, or add it with session.update().',
        );
        assert.match(error.stack ?? '', /conformance\.ts/);
        assert.equal(error.error?.error.slug, error.slug);
        if (wayIn.remote) {
          assert.match(error.requestId ?? '', /^req_\w+$/);
          assert.equal(error.headers?.get('x-request-id'), error.requestId);
          const other = await rejection(() => composio.use('trs_none'), NotFoundError);
          assert.notEqual(other.requestId, error.requestId);
        } else {
          assert.match(error.requestId ?? '', /^req_\w+$/);
          assert.equal(error.headers, undefined);
        }
      });

      it('of a session name the field', async () => {
        await rejection(() => composio.create('ann', { toolkits: ['acme', 'acmee'] }), ComposioToolkitNotFoundError, {
          status: 404,
          code: 10412,
          slug: 'ToolkitNotFound',
          names: /`acmee`/,
        });
        const others = await connect(gateway, 'other');
        await rejection(() => composio.create('ann', { connectedAccounts: { acme: others } }), BadRequestError, {
          status: 400,
          code: 4309,
          slug: 'ToolRouterV2_InvalidConnectedAccountIds',
          names: new RegExp(`connected_accounts\\.acme: account \`${others}\` belongs to another user`),
        });
      });
    });
  });
}
