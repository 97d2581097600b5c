/**
 * `session.fetch` behaves like the `fetch` of the platform, over every interface to a backend.
 */

import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  BadRequestError,
  type ByteStream,
  Composio,
  ComposioError,
  type FetchRequest,
  Gateway,
  InternalServerError,
  type Session,
  ValidationError,
} from '../index.js';
import { type Answer, BackendStub, sendJson as sendStubJson } from './backend-stub';
import { connect, openGateway } from './support/acme';
import { rejection, until } from './support/expect';
import { sendJson, sendRaw, Upstream } from './support/upstream';
import { inProcess, overHttp, type WayIn } from './support/ways';

type Fetch = typeof globalThis.fetch;
type Init = RequestInit & { duplex?: 'half' };

/** The error of a call that must fail. */
function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    (value) => assert.fail(`the call was answered: ${value}`),
    (error) => error,
  );
}

/** The TypeError of a call that must be refused. */
async function typeError(call: Promise<unknown>, names?: RegExp): Promise<TypeError> {
  const error = await failure(call);
  assert.ok(error instanceof TypeError, `not a TypeError: ${error}`);
  if (names) assert.match(error.message, names);
  return error;
}

/** Chunks that are not in memory yet. */
async function* late(...chunks: string[]) {
  for (const chunk of chunks) {
    await sleep(1);
    yield Buffer.from(chunk);
  }
}

/** Headers that differ between clients, or that the gateway and the toolkit set. */
const OF_THE_CLIENT = [
  ...['accept', 'accept-encoding', 'accept-language', 'connection', 'host', 'sec-fetch-mode', 'user-agent'],
  ...['x-acme-version', 'x-api-key', 'transfer-encoding'],
];

/** An API that streams: a test responds by hand. */
class StreamingApi {
  readonly #requests: [IncomingMessage, ServerResponse][] = [];
  readonly #server: Server;
  /** The number of requests so far. */
  count = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.count++;
      this.#requests.push([request, response]);
    });
  }

  static async start(): Promise<StreamingApi> {
    const api = new StreamingApi();
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The request of a path, which no other test has. */
  async next(path: string): Promise<[IncomingMessage, ServerResponse]> {
    const find = () => this.#requests.find(([{ url }]) => url === `/base${path}`);
    await until('the request has arrived', () => find() !== undefined);
    return find() ?? assert.fail();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

for (const [name, way] of [
  ['in process', inProcess],
  ['over HTTP', overHttp()],
] as const) {
  describe(`fetch ${name}`, () => {
    let upstream: Upstream;
    /** A server that no call may reach. */
    let foreign: Upstream;
    let gateway: Gateway;
    let wayIn: WayIn;
    let composio: Composio;
    let session: Session;
    let acme: Fetch;
    let base: string;

    before(async () => {
      [upstream, foreign] = [await Upstream.start(), await Upstream.start()];
      base = `${upstream.origin}/base`;
      gateway = await openGateway(upstream.port);
      await connect(gateway, 'ann');
      wayIn = await way(gateway);
      composio = wayIn.composio();
      session = await composio.create('ann');
      acme = session.fetch('acme');
    });

    after(async () => {
      await gateway.close();
      await Promise.all([upstream.close(), foreign.close()]);
      assert.equal(foreign.connections, 0);
    });

    it('sends what the fetch of the platform sends', async () => {
      const form = () => {
        const form = new FormData();
        form.append('name', 'Ann "é"\r\nx');
        form.append('file', new Blob(['a,b'], { type: 'text/csv' }), 'a.csv');
        return form;
      };
      const stream = () => Readable.toWeb(Readable.from(late('in ', 'chunks'))) as ReadableStream;
      const headers = { 'X-One': ' 1 ', accept: 'application/json', cookie: 'a=b' };
      const cases: Record<string, [path: string, init?: () => Init]> = {
        'a path': ['/me'],
        'a query': ['/search?q=a%20b&q=c+d&e='],
        'a space and a letter outside ASCII': ['/sea rch/ä?q=ö ü'],
        'a fragment': ['/me#part?x'],
        'headers of an object': ['/me', () => ({ headers })],
        'headers of a list': ['/me', () => ({ headers: [...Object.entries(headers), ['x-one', '2']] })],
        Headers: ['/me', () => ({ headers: new Headers(headers) })],
        'two cookies': [
          '/me',
          () => ({
            headers: [
              ['cookie', 'a=1'],
              ['Cookie', 'b=2'],
            ],
          }),
        ],
        'a method in lower case': ['/me', () => ({ method: 'delete' })],
        OPTIONS: ['/me', () => ({ method: 'options' })],
        'a POST without a body': ['/me', () => ({ method: 'POST' })],
        'an empty body': ['/me', () => ({ method: 'POST', body: '' })],
        text: ['/me', () => ({ method: 'POST', body: 'text, \u{1f600} and \ud800 alone' })],
        'text with a type': ['/me', () => ({ method: 'PUT', body: '<x/>', headers: { 'Content-Type': 'text/xml' } })],
        ...Object.fromEntries(
          ['{"a":1}', ' {"a": 12345678901234567890 }\n', '"text"', 'null', '1', 'not JSON', '{"a":'].map((body) => [
            `JSON, ${body}`,
            ['/me', () => ({ method: 'POST', body, headers: { 'content-type': 'application/json' } })],
          ]),
        ),
        'a long text': ['/me', () => ({ method: 'POST', body: 'é'.repeat(400_000) })],
        URLSearchParams: ['/me', () => ({ method: 'POST', body: new URLSearchParams({ a: '1 ä', b: '&' }) })],
        'a Buffer': [
          '/me',
          () => ({ method: 'POST', body: Buffer.from([0, 1, 255]), headers: { 'content-type': 'a/b' } }),
        ],
        'an ArrayBuffer': [
          '/me',
          () => ({ method: 'POST', body: new Uint8Array([1, 2, 3]).buffer, headers: { 'content-type': 'a/b' } }),
        ],
        'many bytes': [
          '/me',
          () => ({ method: 'POST', body: Buffer.alloc(900_000, 'x'), headers: { 'content-type': 'a/b' } }),
        ],
        'a Blob': ['/me', () => ({ method: 'POST', body: new Blob(['blob'], { type: 'text/css' }) })],
        'a form': ['/me', () => ({ method: 'POST', body: form() })],
        'a stream': [
          '/me',
          () => ({ method: 'POST', body: stream(), duplex: 'half', headers: { 'content-type': 'a/b' } }),
        ],
        'another object': ['/me', () => ({ method: 'POST', body: { toString: () => 'its text' } as never })],
      };
      const sent = async (fetch: Fetch, url: string, init?: () => Init) => {
        const response = await fetch(url, init?.() as RequestInit);
        assert.equal(response.status, 200, `${url}: ${await response.text()}`);
        const { method, url: received, headers, body } = upstream.last;
        const own = Object.entries(headers).filter(([name]) => !OF_THE_CLIENT.includes(name));
        // Boundaries are random. Encoders name a form's type in their own way, and only ours knows its size.
        const boundary = /boundary=(.*)/.exec(headers['content-type'] ?? '')?.[1] ?? '\0';
        const shown = own.map(([name, value]) => [name, `${value}`.replaceAll(boundary, 'B')]);
        const all = Object.fromEntries(shown.filter(([name]) => boundary === '\0' || name !== 'content-length'));
        return { method, url: received, headers: all, body: body.replaceAll(boundary, 'B').trimEnd() };
      };
      for (const [what, [path, init]] of Object.entries(cases)) {
        const expected = await sent(fetch, base + path, init);
        assert.deepEqual(await sent(acme, path, init), expected, what);
        assert.deepEqual(await sent(acme, base + path, init), expected, `${what}, of an absolute URL`);
        assert.equal(upstream.last.headers['x-api-key'], 'key of ann', what);
        // The gateway knows the length of a body in memory, as many APIs want.
        if (!(init?.().body instanceof ReadableStream)) {
          assert.equal(upstream.last.headers['transfer-encoding'], undefined, what);
        }
        const request = () => new Request(base + path, init?.() as RequestInit);
        assert.deepEqual(
          await sent((url) => acme(url), request() as never),
          await sent(fetch, request() as never),
          what,
        );
        assert.deepEqual(await sent(acme, request() as never), expected, `${what}, of a Request`);
      }
      await acme(new URL(`${base}/url?a#b`));
      assert.equal(upstream.last.url, '/base/url?a');
    });

    it('reads the arguments of a Request and of its second argument as fetch does', async () => {
      const request = new Request(`${base}/me`, { method: 'POST', body: 'old', headers: { 'x-old': '1' } });
      await acme(request.clone(), { headers: { 'x-new': '1' } });
      let { headers, body, method } = upstream.last;
      assert.deepEqual([method, headers['x-old'], headers['x-new'], body], ['POST', undefined, '1', 'old']);
      await acme(request, { method: 'PUT', body: 'new' });
      ({ headers, body, method } = upstream.last);
      assert.deepEqual([method, headers['x-old'], body, request.bodyUsed], ['PUT', '1', 'new', false]);
      await acme(request);
      assert.equal(request.bodyUsed, true);
      await typeError(acme(request), /used/);

      const controller = new AbortController();
      const aborted = new Request(`${base}/me`, { signal: controller.signal });
      controller.abort(new Error('mine'));
      assert.equal((await failure(acme(aborted))).message, 'mine');
      // A signal of null takes the one of the Request away.
      assert.equal((await acme(aborted, { signal: null })).status, 200);
    });

    it('returns what the fetch of the platform returns', async () => {
      upstream.on('/base/full', (response) => {
        response.writeHead(201, 'Made it', [
          ...['Set-Cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'Set-Cookie', 'b=2'],
          ...['Link', '<a>', 'Link', '<b>', 'X-Latin', 'caf\xe9', 'X-Utf-8', Buffer.from('→').toString('latin1')],
          ...['Content-Type', 'application/json'],
        ]);
        response.end('{"a":12345678901234567890}');
      });
      upstream.on('/base/untyped', (response) => response.writeHead(200).end('no type'));
      upstream.on('/base/empty', (response) => response.writeHead(200, { 'content-length': 0 }).end());
      upstream.on('/base/bytes', (response) => {
        response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([0, 255, 10, 13]));
      });
      for (const status of [204, 205, 304, 400, 401, 404, 418, 429, 500, 503, 599]) {
        upstream.on(`/base/${status}`, (response) => {
          response.writeHead(status, { 'x-error': 'yes' });
          response.end([204, 205, 304].includes(status) ? undefined : 'text');
        });
      }
      const paths = ['full', 'untyped', 'empty', 'bytes', 204, 205, 304, 400, 401, 404, 418, 429, 500, 503, 599];
      for (const path of paths) {
        for (const method of ['GET', 'HEAD', 'POST']) {
          const [ours, theirs] = [await acme(`/${path}`, { method }), await fetch(`${base}/${path}`, { method })];
          const facts = async (response: Response) => {
            assert.ok(response instanceof Response);
            const { status, statusText, ok, redirected, type, url } = response;
            const headers = [...response.headers].filter(
              ([name]) => !/^(connection|keep-alive|date|transfer-encoding|content-length)$/.test(name),
            );
            const clone = response.clone();
            assert.deepEqual([clone.url, clone.redirected], [url, redirected]);
            const hasBody = response.body !== null;
            const bytes = Buffer.from(await response.arrayBuffer()).toString('hex');
            assert.equal(Buffer.from(await clone.arrayBuffer()).toString('hex'), bytes);
            return {
              status,
              statusText,
              ok,
              redirected,
              url,
              headers,
              hasBody,
              bytes,
              type: type && 'basic',
              used: response.bodyUsed,
            };
          };
          assert.deepEqual(await facts(ours), await facts(theirs), `${method} ${path}`);
        }
      }
      const cookies = (await acme('/full')).headers.getSetCookie();
      assert.deepEqual(cookies, ['a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'b=2']);
      assert.deepEqual(await (await acme('/full')).json(), { a: 12345678901234567000 });
    });

    it('follows the redirects of reads, and returns those of writes', async () => {
      upstream.on('/base/there', (response) => response.writeHead(302, { location: '/base/here?x=1' }).end('moved'));
      upstream.on('/base/away', (response) => response.writeHead(302, { location: `${foreign.origin}/x` }).end());
      upstream.on('/base/nowhere', (response) => response.writeHead(302).end('no location'));

      const followed = await acme('/there');
      assert.deepEqual([followed.status, followed.redirected, followed.url], [200, true, `${base}/here?x=1`]);
      const written = await acme('/there', { method: 'POST', body: 'x' });
      assert.deepEqual([written.status, written.redirected, written.url], [302, false, `${base}/there`]);
      assert.equal(written.headers.get('location'), '/base/here?x=1');

      for (const method of ['GET', 'POST']) {
        const manual = await acme('/there', { method, redirect: 'manual' });
        assert.deepEqual([manual.status, manual.headers.get('location')], [302, '/base/here?x=1']);
        assert.deepEqual([manual.redirected, manual.url, await manual.text()], [false, `${base}/there`, 'moved']);
        await typeError(acme('/there', { method, redirect: 'error' }), /redirect/);
      }
      assert.equal((await acme('/nowhere', { redirect: 'error' })).status, 302);
      assert.equal((await acme('/me', { redirect: 'error' })).status, 200);

      // The gateway refuses to follow it to a host that is not public.
      const refused = await acme('/away');
      assert.deepEqual([refused.status, refused.headers.get('x-proxy-execute-error')], [400, 'AddressRefused']);
      assert.equal((await acme('/away', { redirect: 'manual' })).headers.get('location'), `${foreign.origin}/x`);
    });

    it("drops the credential of the caller in favour of the account's", async () => {
      const dummy = { authorization: 'Bearer dummy', 'X-Api-Key': 'dummy', 'x-other': '1' };
      for (const headers of [dummy, new Headers(dummy), Object.entries(dummy)] as const) {
        assert.equal((await acme('/me', { headers: headers as Record<string, string> })).status, 200);
        const { headers: sent } = upstream.last;
        assert.deepEqual([sent.authorization, sent['x-api-key'], sent['x-other']], [undefined, 'key of ann', '1']);
      }
      const { authorization, ...withoutIt } = dummy;
      await acme('/me', { headers: withoutIt });
      assert.equal(upstream.last.headers['x-api-key'], 'key of ann');

      const byQuery = {
        userId: 'ann',
        toolkit: 'acme_query',
        credential: { authScheme: 'API_KEY', val: { api_key: 'q' } },
      };
      await gateway.connectedAccounts.import(byQuery);
      const query = session.fetch('acme_query');
      const { url } = await query('/me?key=dummy&a=1&key=again', { headers: { authorization } });
      assert.deepEqual(
        [...new URL(upstream.last.url, base).searchParams],
        [
          ['a', '1'],
          ['key', 'q'],
        ],
      );
      assert.equal(upstream.last.headers.authorization, undefined);
      assert.ok(!url.includes('key=q'), url);

      const kept = session.fetch('acme', { keepAuthorization: true });
      for (const body of ['{"a":1}', 'not JSON', 'null']) {
        await kept('/me', { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body });
        const { headers: sent, body: received } = upstream.last;
        assert.deepEqual([sent.authorization, sent['x-api-key'], received], [authorization, undefined, body]);
      }
    });

    it('ignores headers that describe the connection', async () => {
      const ignored = {
        'Content-Length': '99',
        Host: 'evil.example',
        Connection: 'close, X-Secret',
        'Keep-Alive': 'x',
      };
      const more = {
        'Transfer-Encoding': 'chunked',
        TE: 'x',
        Upgrade: 'x',
        Expect: '100-continue',
        'Proxy-Connection': 'x',
      };
      const headers = { ...ignored, ...more, 'X-Secret': '1', 'Accept-Encoding': 'identity', 'x-kept': '1' };
      assert.equal((await acme('/me', { method: 'POST', body: 'four', headers })).status, 200);
      const { headers: sent, body } = upstream.last;
      assert.deepEqual([sent['content-length'], sent.host, body], ['4', `127.0.0.1:${upstream.port}`, 'four']);
      for (const name of ['x-secret', 'te', 'upgrade', 'expect', 'proxy-connection'])
        assert.equal(sent[name], undefined);
      assert.notEqual(sent['accept-encoding'], 'identity');
      assert.equal(sent['x-kept'], '1');
      // The length of a stream is known to the caller only.
      const stream = { method: 'POST', body: new Blob(['four']).stream(), duplex: 'half' } as Init;
      await acme('/me', { ...stream, headers: { 'content-length': '4' } } as RequestInit);
      assert.deepEqual([upstream.last.headers['content-length'], upstream.last.body], ['4', 'four']);
      for (const length of ['', 'four', '4.5', '-4']) {
        const body = new Blob(['four']).stream();
        await acme('/me', { ...stream, body, headers: { 'content-length': length } } as RequestInit);
        assert.deepEqual([upstream.last.headers['transfer-encoding'], upstream.last.body], ['chunked', 'four'], length);
      }
    });

    it('takes an endpoint of 64 KiB', async () => {
      const long = `/me?q=${'a'.repeat(60_000)}`;
      upstream.on('/base/long', (response, { url }) => sendJson(response, 200, String(url.length)));
      // Node.js limits the head of a request itself.
      assert.ok([200, 431].includes((await acme(long)).status));
      const { status, headers } = await acme(`/me?q=${'a'.repeat(70_000)}`);
      assert.deepEqual([status, headers.get('x-proxy-execute-error')], [400, 'InvalidRequest']);
    });

    it('refuses the arguments that fetch refuses, and sends nothing', async () => {
      const used = new Request(`${base}/me`, { method: 'POST', body: 'x' });
      await used.text();
      const locked = new Blob(['x']).stream();
      locked.getReader();
      const read = new Blob(['x']).stream();
      await read.getReader().read();
      const ended = Readable.from([Buffer.from('x')]);
      await ended.toArray();
      const before = upstream.received.length;
      const cases: Record<string, [input: unknown, init?: object]> = {
        'a used Request': [used],
        'a body on GET': ['/me', { body: 'x' }],
        'a body on HEAD': ['/me', { method: 'head', body: new URLSearchParams() }],
        'the body of a Request on GET': [new Request(`${base}/me`, { method: 'POST', body: 'x' }), { method: 'GET' }],
        'a locked stream': ['/me', { method: 'POST', body: locked, duplex: 'half' }],
        'a stream that was read': ['/me', { method: 'POST', body: read, duplex: 'half' }],
        'a stream of Node.js that was read': ['/me', { method: 'POST', body: ended, duplex: 'half' }],
        'a stream without duplex': ['/me', { method: 'POST', body: new Blob(['x']).stream() }],
        'an invalid method': ['/me', { method: 'GE T' }],
        CONNECT: ['/me', { method: 'connect' }],
        'an invalid header name': ['/me', { headers: { 'a b': '1' } }],
        'an empty header name': ['/me', { headers: [['', '1']] }],
        'a line break in a header': ['/me', { headers: { a: '1\r\nb: 2' } }],
        'a character that is no byte': ['/me', { headers: { a: '\u0100' } }],
        'a pair of three': ['/me', { headers: [['a', 'b', 'c']] }],
        'headers that are a text': ['/me', { headers: 'a: b' }],
        'an unknown redirect': ['/me', { redirect: 'sometimes' }],
        'a signal that is none': ['/me', { signal: {} }],
        'a symbol': [Symbol('url')],
        'a second argument that is no object': ['/me', 'GET' as never],
      };
      for (const [what, [input, init]] of Object.entries(cases)) {
        await assert.rejects(acme(input as string, init), TypeError, what);
        if (what !== 'a signal that is none') {
          const absolute = typeof input === 'string' ? base + input : input;
          await assert.rejects(fetch(absolute as string, init), TypeError, `${what}, of the platform`);
        }
      }
      assert.equal(upstream.received.length, before);
    });

    it("returns the gateway's errors as responses, so that no SDK retries them", async () => {
      const only = await composio.create('ann', { toolkits: ['github'] });
      const stranger = await composio.create('stranger');
      const { sessionId } = await composio.create('gone');
      const gone = await composio.use(sessionId);
      await gone.delete();
      const before = upstream.received.length;
      const cases: Record<string, [fetch: Fetch, input: string, status: number, slug: string]> = {
        'a foreign origin': [acme, `${foreign.origin}/x`, 400, 'OriginMismatch'],
        'a path that climbs': [acme, '/../../x', 400, 'OriginMismatch'],
        'two slashes': [acme, `//127.0.0.1:${foreign.port}/x`, 400, 'InvalidRequest'],
        'a user in the URL': [acme, base.replace('//', '//a:b@'), 400, 'InvalidRequest'],
        'an unknown toolkit': [session.fetch('nope'), '/me', 404, 'ToolkitNotFound'],
        'a toolkit that is not allowed': [only.fetch('acme'), '/me', 403, 'ToolRouterV2_ToolkitNotAllowed'],
        'no account': [stranger.fetch('acme'), '/me', 400, 'ToolRouterV2_NoActiveConnection'],
        'no session': [gone.fetch('acme'), '/me', 404, 'ToolRouterV2_SessionNotFound'],
        'an empty path': [acme, '', 400, 'InvalidRequest'],
      };
      for (const [what, [fetch, input, status, slug]] of Object.entries(cases)) {
        const response = await fetch(input);
        assert.ok(response instanceof Response);
        assert.deepEqual([response.status, response.headers.get('x-proxy-execute-error')], [status, slug], what);
        assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
        const { error } = await response.json();
        assert.deepEqual([error.slug, error.status, typeof error.message], [slug, status, 'string'], what);
        if (wayIn.remote) assert.equal(response.headers.get('x-request-id'), error.request_id);
      }
      const odd = await acme('/me', { method: 'FOO' });
      assert.equal(odd.headers.get('x-proxy-execute-error'), 'InvalidRequest');
      assert.equal(upstream.received.length, before);

      const throwing = stranger.fetch('acme', { throwGatewayErrors: true });
      await rejection(() => throwing('/me'), BadRequestError, { slug: 'ToolRouterV2_NoActiveConnection' });
      // The API cannot pass for the gateway.
      upstream.on('/base/posing', (response) => response.writeHead(400, { 'X-Proxy-Execute-Error': 'Mine' }).end('{}'));
      assert.equal((await acme('/posing')).headers.get('x-proxy-execute-error'), null);
    });

    it('rejects with a TypeError where there is no response', async () => {
      upstream.on('/base/reset', (response) => response.socket?.resetAndDestroy());
      upstream.on('/base/nonsense', (response) => sendRaw(response, 'nonsense\r\n\r\n'));
      upstream.on('/base/hang', () => {});
      for (const path of ['/reset', '/nonsense']) {
        const { cause, message } = await typeError(acme(path, { method: 'POST' }), /^fetch failed/);
        assert.ok(cause instanceof InternalServerError && message.includes(cause.message), path);
        await rejection(
          () => session.fetch('acme', { throwGatewayErrors: true })(path, { method: 'POST' }),
          InternalServerError,
        );
      }
      const hasty = session.fetch('acme', { timeout: 50 });
      assert.ok((await typeError(hasty('/hang'))).cause instanceof APIConnectionTimeoutError);
    });
  });

  describe(`streams of fetch ${name}`, () => {
    let api: StreamingApi;
    let gateway: Gateway;
    let session: Session;
    let acme: Fetch;

    before(async () => {
      api = await StreamingApi.start();
      gateway = await openGateway(api.port);
      await connect(gateway, 'ann');
      session = await (await way(gateway)).composio().create('ann');
      acme = session.fetch('acme');
    });

    after(async () => {
      api.close();
      await gateway.close();
    });

    it('bytes arrive as they are sent, both ways', async () => {
      const sent = new PassThrough();
      const call = acme('/both', {
        method: 'POST',
        body: Readable.toWeb(sent) as ReadableStream,
        duplex: 'half',
      } as Init);
      sent.write('first');
      const [request, response] = await api.next('/both');
      assert.equal(`${(await once(request, 'data'))[0]}`, 'first');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      sent.end('last');
      assert.equal(`${(await once(request, 'data'))[0]}`, 'last');
      response.write('data: 1\n\n');
      const { body, headers } = await call;
      assert.equal(headers.get('content-type'), 'text/event-stream');
      const reader = body?.getReader() ?? assert.fail();
      for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
        const { value } = await reader.read();
        assert.equal(Buffer.from(value ?? []).toString(), text);
        if (text.includes('1')) response.write('data: 2\n\n');
        else response.end();
      }
      assert.equal((await reader.read()).done, true);
    });

    it('a slow reader holds the API back', async () => {
      const call = acme('/slow');
      const [, response] = await api.next('/slow');
      const chunk = Buffer.alloc(1 << 20);
      let sent = 0;
      const total = 100;
      void (async () => {
        for (; sent < total; sent++) if (!response.write(chunk)) await once(response, 'drain');
        response.end();
      })();
      const { body } = await call;
      const before = async () => {
        let seen = -1;
        // Until the API makes no progress.
        while (seen !== sent) {
          seen = sent;
          await sleep(200);
        }
      };
      await before();
      assert.ok(sent < total, `${sent} MiB were taken from the API unread`);
      let length = 0;
      for await (const bytes of (body ?? assert.fail()) as ByteStream) length += bytes.byteLength;
      assert.equal(length, total << 20);
    });

    it('a body that breaks off breaks the stream', async () => {
      const call = acme('/broken');
      const [, response] = await api.next('/broken');
      response.writeHead(200, { 'content-length': 100 }).write('part');
      const answer = await call;
      setTimeout(() => response.destroy(), 10);
      const { cause } = await typeError(answer.text(), /^terminated/);
      assert.ok(cause instanceof ComposioError, `${cause}`);
    });

    it('cancelling a body disconnects from the API', async () => {
      const call = acme('/cancelled');
      const [request, response] = await api.next('/cancelled');
      response.writeHead(200).write('part');
      const closed = once(request.socket, 'close');
      await (await call).body?.cancel();
      await closed;
    });

    it('a source that fails, or returns no bytes, rejects with a TypeError', async () => {
      const reason = new Error('the disk is full');
      const failing = (chunks: unknown[]) =>
        new ReadableStream({
          pull(controller) {
            if (chunks.length > 0) controller.enqueue(chunks.shift());
            else controller.error(reason);
          },
        });
      const post = (body: ReadableStream) => ({ method: 'POST', body, duplex: 'half' }) as Init;
      assert.equal((await typeError(acme('/failing', post(failing([Buffer.from('x')]))))).cause, reason);
      await typeError(acme('/failing', post(failing(['text']))));
      // The bodies of a Request are streams, too.
      const request = new Request(`http://127.0.0.1:${api.port}/base/failing`, post(failing([])) as RequestInit);
      assert.equal((await typeError(acme(request))).cause, reason);
    });

    it('a large body of a Request is streamed', async () => {
      const bytes = Buffer.alloc(3 << 20, 'x');
      const request = new Request(`http://127.0.0.1:${api.port}/base/large`, {
        method: 'POST',
        body: new Blob([bytes]),
      });
      const call = acme(request);
      const [received, response] = await api.next('/large');
      assert.ok(Buffer.concat(await received.toArray()).equals(bytes));
      response.end('done');
      assert.equal(await (await call).text(), 'done');
    });

    it('streams of Node.js, old ones included, are bodies', async () => {
      const old = new (class extends require('node:stream').Stream {
        pipe(target: PassThrough) {
          target.end('old');
          return target;
        }
      })();
      for (const [body, text] of [
        [Readable.from([Buffer.from('no'), Buffer.from('de')]), 'node'],
        [old, 'old'],
      ]) {
        const call = acme(`/${text}`, { method: 'POST', body, duplex: 'half' } as never);
        const [received, response] = await api.next(`/${text}`);
        assert.equal(Buffer.concat(await received.toArray()).toString(), text);
        response.end();
        assert.equal((await call).status, 200);
      }
    });

    it('an abort rejects with the reason of the signal at every stage', async () => {
      const reason = { why: 'the user has left' };
      const { count } = api;
      await assert.rejects(acme('/before', { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      assert.equal(api.count, count);

      const waiting = new AbortController();
      const head = failure(acme('/head', { signal: waiting.signal }));
      const [asked] = await api.next('/head');
      const gone = once(asked.socket, 'close');
      waiting.abort(reason);
      assert.equal(await head, reason);
      await gone;
      // An error of this package is no error of the gateway here.
      const own = new ValidationError('argument', []);
      await assert.rejects(acme('/own', { signal: AbortSignal.abort(own) }), (error) => error === own);
      const later = new AbortController();
      const aborted = failure(acme('/own', { signal: later.signal }));
      await api.next('/own');
      later.abort(own);
      assert.equal(await aborted, own);

      const reading = new AbortController();
      const call = acme('/body', { signal: reading.signal });
      const [, response] = await api.next('/body');
      response.writeHead(200).write('part');
      const { body } = await call;
      const reader = body?.getReader() ?? assert.fail();
      await reader.read();
      const rest = failure(reader.read());
      reading.abort(reason);
      assert.equal(await rest, reason);
      assert.equal(getEventListeners(reading.signal, 'abort').length, 0);

      const sending = new AbortController();
      let cancelled: unknown;
      const endless = new ReadableStream({
        pull: (controller) => controller.enqueue(Buffer.alloc(1000)),
        cancel: (why) => {
          cancelled = why ?? true;
        },
      });
      const upload = failure(
        acme('/upload', { method: 'POST', body: endless, duplex: 'half', signal: sending.signal } as Init),
      );
      await api.next('/upload');
      sending.abort(reason);
      assert.equal(await upload, reason);
      await until('the source is released', () => cancelled !== undefined);

      const after = new AbortController();
      const done = acme('/after', { signal: after.signal });
      const [, last] = await api.next('/after');
      last.end('whole');
      const answer = await done;
      assert.equal(await answer.text(), 'whole');
      after.abort(reason);
      assert.equal(getEventListeners(after.signal, 'abort').length, 0);
    });

    it('the signal of a Request ends its call', async () => {
      const controller = new AbortController();
      const url = `http://127.0.0.1:${api.port}/base/request`;
      const call = failure(acme(new Request(url, { signal: controller.signal })));
      await api.next('/request');
      global.gc?.();
      controller.abort();
      assert.equal((await call).name, 'AbortError');
    });
  });
}

describe('a redirect to another host', () => {
  it('takes neither the credential nor headers of the caller along', async () => {
    const [api, other] = [await Upstream.start(), await Upstream.start()];
    const gateway = await openGateway(api.port, { allowPrivateRedirects: [`127.0.0.1:${other.port}`] });
    try {
      await connect(gateway, 'ann');
      const acme = (await new Composio({ gateway }).create('ann')).fetch('acme');
      api.on('/base/away', (response) => response.writeHead(302, { location: `${other.origin}/file` }).end());
      const { status, url, redirected } = await acme('/away', {
        headers: { authorization: 'Bearer x', cookie: 'a=b' },
      });
      assert.deepEqual([status, url, redirected], [200, `${other.origin}/file`, true]);
      const { authorization, cookie, 'x-api-key': key } = other.last.headers;
      assert.deepEqual([authorization, cookie, key], [undefined, undefined, undefined]);
      assert.equal(api.last.headers['x-api-key'], 'key of ann');
    } finally {
      await gateway.close();
      await Promise.all([api.close(), other.close()]);
    }
  });
});

describe('a token that the API refuses', () => {
  it('is refreshed, and a body in memory is sent again', async () => {
    const upstream = await Upstream.start();
    const { origin, port } = upstream;
    const authorization_server = { token_url: `${origin}/token` };
    const scheme = { headers: { Authorization: 'Bearer {{access_token}}' }, authorization_server };
    const toolkit = { slug: 'renewed', name: 'Renewed', base_url: `${origin}/api`, schemes: { OAUTH2: scheme } };
    const gateway = await Gateway.open({ toolkits: [toolkit], allowPrivateHosts: [`127.0.0.1:${port}`] });
    try {
      let tokens = 0;
      upstream.on('/token', (response) => {
        sendJson(
          response,
          200,
          JSON.stringify({ access_token: `a${++tokens}`, refresh_token: 'r', token_type: 'bearer' }),
        );
      });
      upstream.on('/api/once', (response, { headers, body }) => {
        const isNew = headers.authorization === `Bearer a${tokens}` && tokens > 0;
        sendJson(response, isNew ? 200 : 401, JSON.stringify({ body }));
      });
      const credentials = { client_id: 'acme', client_secret: 'acme-secret' };
      const config = { type: 'use_custom_auth', authScheme: 'OAUTH2', credentials } as const;
      const composio = new Composio({ gateway });
      const { id: authConfigId } = await composio.authConfigs.create('renewed', config);
      const bodies = {
        text: () => 'text ä',
        form: () => new URLSearchParams({ a: '1' }),
        bytes: () => Buffer.from('bytes'),
        request: () => 'of a Request',
      };
      for (const [userId, body] of Object.entries(bodies)) {
        const credential = { authScheme: 'OAUTH2', val: { access_token: 'old', refresh_token: 'r' } };
        await gateway.connectedAccounts.import({ userId, toolkit: 'renewed', authConfigId, credential });
        const renewed = (await composio.create(userId)).fetch('renewed');
        const init = { method: 'POST', body: body() };
        const isRequest = userId === 'request';
        const response = await (isRequest ? renewed(new Request(`${origin}/api/once`, init)) : renewed('/once', init));
        assert.deepEqual([response.status, await response.json()], [200, { body: `${body()}` }], userId);
      }
      assert.equal(tokens, 4);
    } finally {
      await gateway.close();
      await upstream.close();
    }
  });
});

describe('composio.fetch', () => {
  let upstream: Upstream;
  let gateway: Gateway;
  let composio: Composio;

  before(async () => {
    upstream = await Upstream.start();
    gateway = await openGateway(upstream.port);
    composio = new Composio({ gateway });
  });

  after(async () => {
    await gateway.close();
    await upstream.close();
  });

  it('finds the session of each call by its request', async () => {
    const sessions = new Map<string | null, Session>();
    for (const team of ['red', 'blue']) {
      await connect(gateway, team);
      sessions.set(`Bearer ${team}`, await composio.create(team));
    }
    const seen: FetchRequest[] = [];
    const acme = composio.fetch(async (request) => {
      seen.push(request);
      return sessions.get(request.headers.get('authorization'));
    }, 'acme');
    for (const team of ['red', 'blue', 'red']) {
      await acme('/me?x#y', { method: 'post', headers: { authorization: `Bearer ${team}` }, body: 'x' });
      assert.equal(upstream.last.headers['x-api-key'], `key of ${team}`);
    }
    const [first] = seen;
    assert.deepEqual([first?.url, first?.method, first?.headers instanceof Headers], ['/me?x', 'POST', true]);

    // No session is no reason to retry.
    const missing = await acme('/me', { headers: { authorization: 'Bearer green' } });
    assert.equal(missing.status, 400);
    assert.match((await missing.json()).error.message, /sessionOf.*undefined/);
    const reason = new Error('no such team');
    const failing = composio.fetch(() => Promise.reject(reason), 'acme');
    assert.equal(await failure(failing('/me')), reason);
    const unknown = composio.fetch(() => composio.use('trs_unknown'), 'acme');
    assert.equal((await unknown('/me')).status, 404);
  });

  it('refuses arguments that cannot be used', async () => {
    const session = await composio.create('ann');
    assert.throws(() => session.fetch(''), ValidationError);
    assert.throws(() => session.fetch('acme', { retry: true } as object), /retry/);
    assert.throws(() => session.fetch('acme', { timeout: -1 }), ValidationError);
    assert.throws(() => session.fetch('acme', { keepAuthorization: 'yes' as never }), ValidationError);
    assert.throws(() => session.fetch('acme', { throwGatewayErrors: 1 as never }), ValidationError);
    assert.throws(() => composio.fetch(session as never, 'acme'), /sessionOf.*function/);
  });
});

describe('fetch over the hosted backend', () => {
  let backend: BackendStub;
  let session: Session;
  let github: Fetch;

  before(async () => {
    backend = await BackendStub.start();
    session = await new Composio({ apiKey: 'ak_test', baseURL: backend.url, maxRetries: 0 }).create('ann');
    github = session.fetch('github');
  });

  beforeEach(() => {
    backend.asked.length = 0;
  });

  after(() => backend.close());

  const envelope =
    (fields: object): Answer =>
    (response) =>
      sendStubJson(response, 200, { status: 200, ...fields });

  const lastBody = () => backend.asked.at(-1)?.body;

  it('sends the documented call, without the credential of the caller', async () => {
    const headers = { authorization: 'Bearer dummy', 'x-a': '1', 'content-type': 'application/json' };
    await github('https://api.github.com/user?x=1', { method: 'post', headers, body: '{"a":1}' });
    const type = { name: 'content-type', value: 'application/json', type: 'header' };
    assert.deepEqual(lastBody(), {
      toolkit_slug: 'github',
      endpoint: 'https://api.github.com/user?x=1',
      method: 'POST',
      body: { a: 1 },
      parameters: [{ name: 'x-a', value: '1', type: 'header' }, type],
    });
    await session.fetch('github', { keepAuthorization: true })('/user', { headers: { authorization: 'Bearer mine' } });
    const { parameters } = lastBody() as { parameters: unknown };
    assert.deepEqual(parameters, [{ name: 'authorization', value: 'Bearer mine', type: 'header' }]);
    await github('/upload', { method: 'PUT', body: Buffer.from([0, 255]) });
    assert.deepEqual((lastBody() as { binary_body: unknown }).binary_body, { base64: 'AP8=' });
    const stream = new Blob(['in ', 'chunks'], { type: 'a/b' }).stream();
    await github('/upload', { method: 'PUT', body: stream, duplex: 'half' } as Init);
    assert.deepEqual((lastBody() as { binary_body: unknown }).binary_body, {
      base64: Buffer.from('in chunks').toString('base64'),
    });
  });

  it('makes a response of the envelope', async () => {
    const json = { 'content-type': 'application/json; charset=utf-8' };
    const cases: [fields: object, text: string][] = [
      [{ data: { a: [1, 'ä'] }, headers: json }, '{"a":[1,"ä"]}'],
      [{ data: 'text', headers: json }, '"text"'],
      [{ data: null, headers: json }, 'null'],
      [{ data: null, headers: { ...json, 'content-length': '0' } }, ''],
      [{ data: '{"a":1}', headers: { 'content-type': 'text/plain' } }, '{"a":1}'],
      [{ data: 'text', headers: {} }, 'text'],
      [{ data: null, headers: {} }, ''],
      [{ data: { problem: 1 }, headers: { 'content-type': 'application/problem+json' }, status: 422 }, '{"problem":1}'],
      [{ data: null, status: 204, headers: {} }, ''],
    ];
    for (const [fields, text] of cases) {
      backend.answer = envelope(fields);
      const response = await github('/user');
      const { status = 200 } = fields as { status?: number };
      assert.deepEqual([response.status, await response.text(), response.url], [status, text, '/user']);
    }
    // A number beyond what JavaScript holds keeps its digits.
    backend.answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"status":200,"headers":{"content-type":"application/json"},"data":{"id":12345678901234567890}}');
    };
    assert.equal(await (await github('/user')).text(), '{"id":12345678901234567890}');

    const headers = { ...json, 'content-encoding': 'gzip', 'content-length': '999', 'set-cookie': ['a=1', 'b=2'] };
    backend.answer = envelope({ data: {}, headers });
    const response = await github('/user');
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.equal(response.headers.get('content-encoding') ?? response.headers.get('content-length'), null);
  });

  it('opens a file by its URL', async () => {
    const files = await Upstream.start();
    try {
      files.on('/file', (response) =>
        response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(1000, 7)),
      );
      const file = { url: `${files.origin}/file`, content_type: 'image/png', size: 1000 };
      backend.answer = envelope({ data: null, headers: {}, binary_data: file });
      const response = await github('/file');
      assert.equal(response.headers.get('content-type'), 'image/png');
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.alloc(1000, 7)));
    } finally {
      await files.close();
    }
  });

  it('says what needs a gateway, as a response', async () => {
    for (const redirect of ['manual', 'error'] as const) {
      const response = await github('/user', { redirect });
      assert.deepEqual([response.status, response.headers.get('x-proxy-execute-error')], [400, 'NeedsGateway']);
      assert.match((await response.json()).error.message, /gateway/);
    }
    const large = await github('/upload', { method: 'POST', body: Buffer.alloc(5 << 20) });
    assert.deepEqual([large.status, large.headers.get('x-proxy-execute-error')], [400, 'NeedsGateway']);
    assert.equal(backend.asked.length, 0);
  });

  it('reports errors of the backend like those of a gateway', async () => {
    const error = { message: 'No account.', slug: 'ToolRouterV2_NoActiveConnection', code: 4302, status: 400 };
    backend.answer = (response) => sendStubJson(response, 400, { error });
    assert.equal((await github('/user')).headers.get('x-proxy-execute-error'), error.slug);
    backend.answer = (response) => sendStubJson(response, 429, { message: 'Slow down' }, { 'retry-after': '7' });
    const limited = await github('/user');
    assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '7']);
    backend.answer = (response) => response.socket?.destroy();
    const { cause } = await typeError(github('/user'));
    assert.ok(cause instanceof APIConnectionError);
  });
});
