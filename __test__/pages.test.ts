/**
 * Pages of lists: every kind of recipe, over every interface, and what ends a list that does not fit its recipe.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  BadRequestError,
  Composio,
  type Gateway,
  PageError,
  type PaginateOptions,
  type ProxyExecuteRequest,
  type ProxyPage,
  type Session,
  type ToolkitPagination,
  ValidationError,
} from '../index.js';
import { BackendStub, sendJson as stubJson } from './backend-stub';
import { acme, connect, openGateway } from './support/acme';
import { rejection, until } from './support/expect';
import { type Received, sendJson, Upstream } from './support/upstream';
import { inProcess, overHttp, type WayIn } from './support/ways';

const GET = { toolkit: 'acme', endpoint: '/list', method: 'GET' } as const;
const OFFSET: ToolkitPagination = { kind: 'offset', items: '/items', query: 'offset' };
const CURSOR: ToolkitPagination = { kind: 'cursor', items: '/items', cursor: '/next', query: 'cursor' };

let upstream: Upstream;
let foreign: Upstream;
let gateway: Gateway;

before(async () => {
  upstream = await Upstream.start();
  foreign = await Upstream.start();
  gateway = await openGateway(upstream.port, {
    toolkits: [
      { ...acme(upstream.port), pagination: { kind: 'link' } },
      // The base URL has no path, and the toolkit no recipe.
      { ...acme(upstream.port), slug: 'plain', base_url: `http://127.0.0.1:${upstream.port}` },
    ],
    allowPrivateHosts: [`127.0.0.1:${upstream.port}`, `127.0.0.1:${foreign.port}`],
  });
  await connect(gateway, 'ann');
  const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
  await gateway.connectedAccounts.import({ userId: 'ann', toolkit: 'plain', credential });
});

after(async () => {
  await gateway.close();
  await upstream.close();
  await foreign.close();
});

beforeEach(() => {
  upstream.received.length = 0;
});

/** The numbers from 0, of which a page has two. */
const NUMBERS = [0, 1, 2, 3, 4];

/** Responds with a page, which begins at this number. `next` is where the following page begins. */
type Respond = (response: ServerResponse, page: { items: number[]; next: number | undefined; start: number }) => void;

/** Serves the list. `startOf` reads from a request where its page begins. */
function serve(startOf: (received: Received, query: URLSearchParams) => number, respond: Respond, path = '/base/list') {
  upstream.on(path, (response, received) => {
    const start = startOf(received, new URL(received.url, 'http://upstream').searchParams);
    const items = NUMBERS.slice(start, start + 2);
    const next = start + 2 < NUMBERS.length ? start + 2 : undefined;
    respond(response, { items, next, start });
  });
}

function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

async function pagesOf<T = number>(
  session: Session,
  request: ProxyExecuteRequest,
  options?: PaginateOptions,
): Promise<ProxyPage<T>[]> {
  const pages = [];
  for await (const page of session.paginate<T>(request, options)) pages.push(page);
  return pages;
}

/** Every kind of recipe: how the API gives pages, and the queries or bodies that it is asked with. */
const KINDS: {
  name: string;
  request?: Partial<ProxyExecuteRequest>;
  pagination?: ToolkitPagination;
  serve: () => void;
  asked: string[];
}[] = [
  {
    name: 'a link in a header, by the recipe of the toolkit',
    request: { query: { size: 2 }, headers: { 'x-own': 'yes' } },
    serve: () =>
      serve(
        (received, query) => {
          assert.equal(received.headers['x-own'], 'yes');
          return Number(query.get('at') ?? 0);
        },
        (response, { items, next }) => {
          const url = `http://127.0.0.1:${upstream.port}/base/list?size=2&at=${next}`;
          const others = '<http://other/>; rel="prev"; title="a, \\"b\\"; rel=next"';
          json(response, items, {
            link: next === undefined ? others : `${others}, <${url}>; foo=bar; rel="last NEXT"`,
          });
        },
      ),
    asked: ['?size=2', '?size=2&at=2', '?size=2&at=4'],
  },
  {
    name: 'a link in a header that has to have an attribute',
    pagination: { kind: 'link', link_attributes: { results: 'true' } },
    serve: () =>
      serve(
        (_, query) => Number(query.get('at') ?? 0),
        (response, { items, next, start }) => {
          const url = `http://127.0.0.1:${upstream.port}/base/list?at=${start + 2}`;
          json(response, items, { link: `<${url}>; rel="next"; results="${next !== undefined}"` });
        },
      ),
    asked: ['', '?at=2', '?at=4'],
  },
  {
    name: 'a link in the body, relative to the host',
    pagination: { kind: 'link', items: '/value', link: '/@odata.nextLink' },
    serve: () =>
      serve(
        (_, query) => Number(query.get('$skip') ?? 0),
        (response, { items, next }) =>
          json(response, { value: items, '@odata.nextLink': next && `/base/list?$skip=${next}` }),
      ),
    asked: ['', '?$skip=2', '?$skip=4'],
  },
  {
    name: 'a cursor in the body, for the query',
    request: { endpoint: '/list?cursor=0&a=b', parameters: [{ name: 'cursor', value: '0', in: 'query' }] },
    pagination: CURSOR,
    serve: () =>
      serve(
        (_, query) => Number(query.getAll('cursor').at(-1)),
        (response, { items, next }) => json(response, { items, next: next === undefined ? '' : String(next) }),
      ),
    asked: ['?cursor=0&a=b&cursor=0', '?a=b&cursor=2', '?a=b&cursor=4'],
  },
  {
    name: 'a cursor in a header',
    pagination: { kind: 'cursor', cursor_header: 'x-next', query: 'after' },
    serve: () =>
      serve(
        (_, query) => Number(query.get('after') ?? 0),
        (response, { items, next }) => json(response, items, next === undefined ? {} : { 'x-next': `${next}` }),
      ),
    asked: ['', '?after=2', '?after=4'],
  },
  {
    name: 'a cursor for the body, inside of it, with a flag',
    request: { method: 'POST', body: { query: 'q', variables: { a: 1 } } },
    pagination: {
      ...{ kind: 'cursor', items: '/data/list/nodes', cursor: '/data/list/pageInfo/end', body: '/variables/after' },
      more: '/data/list/pageInfo/more',
    },
    serve: () =>
      serve(
        ({ body }) => Number(JSON.parse(body).variables.after ?? 0),
        (response, { items, next, start }) => {
          // It has a cursor even at the end.
          const pageInfo = { end: String(start + 2), more: next !== undefined };
          json(response, { data: { list: { nodes: items, pageInfo } } });
        },
      ),
    asked: [
      '{"query":"q","variables":{"a":1}}',
      '{"query":"q","variables":{"a":1,"after":"2"}}',
      '{"query":"q","variables":{"a":1,"after":"4"}}',
    ],
  },
  {
    name: 'a cursor for the query of a GET, where a POST has it in the body',
    pagination: { kind: 'cursor', cursor: '/next', query: 'after', body: '/after' },
    serve: () =>
      serve(
        (_, query) => Number(query.get('after') ?? 0),
        (response, { items, next }) => json(response, { items, next: next ?? null, kind: 'list' }),
      ),
    asked: ['', '?after=2', '?after=4'],
  },
  {
    name: 'an offset, up to the total',
    pagination: { ...OFFSET, total: '/total' },
    serve: () =>
      serve(
        (_, query) => Number(query.get('offset') ?? 0),
        (response, { items }) => json(response, { items, total: 5 }),
      ),
    asked: ['', '?offset=2', '?offset=4'],
  },
  {
    name: 'an offset, up to a page without items',
    request: { query: { offset: 0 } },
    pagination: { ...OFFSET, may_omit_items: true },
    serve: () =>
      serve(
        (_, query) => Number(query.get('offset')),
        (response, { items }) => json(response, items.length === 0 ? {} : { items }),
      ),
    asked: ['?offset=0', '?offset=2', '?offset=4', '?offset=5'],
  },
  {
    name: 'the number of the page, up to the last one',
    pagination: { kind: 'page', query: 'page', start: 0, total_pages: '/pages' },
    serve: () =>
      serve(
        (_, query) => 2 * Number(query.get('page') ?? 0),
        (response, { items }) => json(response, { hits: items, pages: 3 }),
      ),
    asked: ['', '?page=1', '?page=2'],
  },
  {
    name: 'the number of the page in the body, up to a flag',
    request: { method: 'POST' },
    pagination: { kind: 'page', body: '/page', more: '/more' },
    serve: () =>
      serve(
        ({ body }) => 2 * ((body === '' ? 1 : JSON.parse(body).page) - 1),
        (response, { items, next }) => json(response, { items, more: next !== undefined }),
      ),
    asked: ['', '{"page":2}', '{"page":3}'],
  },
];

for (const [name, way] of [
  ['pages in process', inProcess],
  ['pages over HTTP', overHttp()],
] as const) {
  describe(name, () => {
    let wayIn: WayIn;
    let session: Session;

    before(async () => {
      wayIn = await way(gateway);
      session = await wayIn.composio().create('ann');
    });

    after(() => wayIn.close());

    for (const kind of KINDS) {
      it(`are asked for by ${kind.name}`, async () => {
        kind.serve();
        const request = { ...GET, ...kind.request };
        const options = kind.pagination === undefined ? {} : { pagination: kind.pagination };
        const pages = await pagesOf(session, request, options);
        const asked = upstream.received.map(({ method, url, body }) => (method === 'POST' ? body : url.slice(10)));
        assert.deepEqual(asked, kind.asked);
        assert.deepEqual(
          pages.flatMap(({ items }) => items),
          NUMBERS,
        );
        assert.equal(pages[0]?.cursor, null);
        assert.equal(pages.at(-1)?.nextCursor, null);
        for (const [index, page] of pages.entries()) {
          assert.equal(page.response.status, 200);
          if (index > 0) assert.equal(page.cursor, pages[index - 1]?.nextCursor);
        }

        // Each page can be asked for again.
        const second = pages[1];
        assert.ok(second?.cursor);
        const [again, ...others] = await pagesOf(session, request, { ...options, cursor: second.cursor });
        assert.deepEqual([again?.items, again?.cursor, again?.nextCursor], [[2, 3], second.cursor, second.nextCursor]);
        assert.equal(others.length, pages.length - 2);
      });
    }

    it('have at most as many items as the limit, and the rest is not asked for', async () => {
      KINDS.find(({ pagination }) => pagination === CURSOR)?.serve();
      const request = { ...GET, query: { cursor: 0 } };
      for (const [limit, expected] of [
        [3, [[0, 1], [2]]],
        [4, [[0, 1], [2, 3]]], // biome-ignore format: one row a limit
        [1, [[0]]],
      ] as const) {
        upstream.received.length = 0;
        const pages = await pagesOf(session, request, { pagination: CURSOR, limit });
        assert.deepEqual(
          pages.map(({ items }) => items),
          expected,
        );
        assert.equal(upstream.received.length, expected.length);
      }
    });

    it('do not lead to a foreign host', async () => {
      for (const link of [`http://127.0.0.1:${foreign.port}/base/list`, '//127.0.0.1/list', 'file:///etc/passwd']) {
        upstream.received.length = 0;
        serve(
          () => 0,
          (response, { items }) => json(response, items, { link: `<${link}>; rel=next` }),
        );
        const pages: unknown[] = [];
        const error = await rejection(async () => {
          for await (const { items } of session.paginate(GET)) pages.push(items);
        }, BadRequestError);
        assert.ok(['OriginMismatch', 'InvalidRequest'].includes(error.slug ?? ''), error.slug);
        if (link.startsWith('http')) assert.equal(error.slug, 'OriginMismatch');
        assert.deepEqual(pages, [[0, 1]]);
        assert.deepEqual([upstream.received.length, foreign.received.length], [1, 0]);
      }
    });

    it('end with an error if a cursor repeats', async () => {
      const following: Record<string, string> = { null: 'a', a: 'b', b: 'c', c: 'a' };
      serve(
        () => 0,
        (response) => {
          const asked = new URL(upstream.last.url, 'http://u').searchParams.get('cursor');
          json(response, { items: [1], next: following[String(asked)] });
        },
      );
      const pages: unknown[] = [];
      const error = await rejection(
        async () => {
          for await (const { cursor } of session.paginate(GET, { pagination: CURSOR })) pages.push(cursor);
        },
        PageError,
        { slug: 'PageLoop', names: /`acme`.*loop/ },
      );
      assert.deepEqual(pages, [null, 'a', 'b', 'c']);
      assert.equal(error.cursor, 'a');

      // An API that does not know the key responds with the first page each time.
      serve(
        () => 0,
        (response, { items }) => json(response, { items }),
      );
      await rejection(() => pagesOf(session, GET, { pagination: OFFSET }), PageError, { slug: 'PageLoop' });
    });

    it('end with an error that has the response and the cursor if the API fails', async () => {
      serve(
        (_, query) => Number(query.get('cursor') ?? 0),
        (response, { items, start }) => {
          if (start > 0) sendJson(response, 502, '{"why":"secret"}');
          else json(response, { items, next: '2' });
        },
      );
      const error = await rejection(() => pagesOf(session, GET, { pagination: CURSOR }), PageError, {
        slug: 'PageFailed',
        names: /502/,
        fix: /error\.cursor/,
      });
      assert.deepEqual([error.cursor, error.response?.status, error.response?.data], ['2', 502, { why: 'secret' }]);
      assert.doesNotMatch(JSON.stringify(error), /secret/);
    });

    it('end with an error that names the pointer and the toolkit if the recipe does not fit', async () => {
      upstream.on('/base/list', (response) => json(response, { list: [1], more: true, next: { a: 1 }, both: [] }));
      const fails = (pagination: ToolkitPagination, facts: { names: RegExp; slug?: string }) =>
        rejection(() => pagesOf(session, GET, { pagination }), PageError, { slug: 'PagePointer', ...facts });
      const base = { kind: 'cursor', items: '/list', query: 'c' } as const;
      const items = await fails(
        { ...base, items: '/data/0', cursor: '/x' },
        { names: /`\/data\/0`.*`acme`.*the items/ },
      );
      assert.equal(items.pointer, '/data/0');
      await fails({ ...base, cursor: '/x', more: '/more' }, { names: /`\/x`.*`acme`.*the cursor/ });
      await fails({ ...base, cursor: '/next' }, { names: /`\/next`.*a text or a number/ });
      await fails({ kind: 'link', items: '/list', more: '/more' }, { names: /`Link`.*the next link/ });
      await fails({ kind: 'link', items: '/more' }, { names: /`\/more`.*the items/ });
      await fails({ kind: 'link' }, { names: /no list of items, or several/ });

      const next = 'x'.repeat(32 * 1024 + 1);
      upstream.on('/base/list', (response) => json(response, { list: [1], next }));
      await fails({ ...base, cursor: '/next' }, { slug: 'PageCursor', names: /32769 characters, and may have 32768/ });
    });

    it('need a recipe, of the toolkit or of the call', async () => {
      const plain = { ...GET, toolkit: 'plain' };
      await rejection(() => pagesOf(session, plain), PageError, { slug: 'NoPagination', names: /`plain`/ });
      const { pagination, rateLimit } = await wayIn.composio().toolkits.get('plain');
      assert.deepEqual([pagination, rateLimit], [null, null]);
      const github = await wayIn.composio().toolkits.get('github');
      assert.equal(github.pagination?.kind, 'link');
      assert.equal(github.rateLimit?.unit, 'epoch_seconds');
      assert.deepEqual((await wayIn.composio().toolkits.get('acme')).pagination, { kind: 'link' });
      serve((_, query) => Number(query.get('at') ?? 0), (response, { items, next }) =>
        json(response, items, next === undefined ? {} : { link: `<?at=${next}>; rel=next` }), '/list'); // biome-ignore format: one call
      const pages = await pagesOf(session, plain, { pagination: { kind: 'link' } });
      assert.equal(pages.length, 3);
    });

    it('end when the loop ends, and with their signal', async () => {
      KINDS[0]?.serve();
      const request = { ...GET, headers: { 'x-own': 'yes' } };
      for await (const { cursor } of session.paginate(request)) if (cursor !== null) break;
      assert.equal(upstream.received.length, 2);
      const controller = new AbortController();
      const reason = new Error('enough');
      const { signal } = controller;
      await assert.rejects(async () => {
        for await (const _ of session.paginate(request, { signal })) controller.abort(reason);
      }, reason);
      assert.equal(upstream.received.length, 3);
    });

    it('are retried like any call', async () => {
      let refused = 0;
      upstream.on('/base/list', (response) => {
        if (refused++ === 0) response.writeHead(429, { 'retry-after': '0' }).end();
        else json(response, [1]);
      });
      const [page] = await pagesOf(session, GET, { retry: {} });
      assert.deepEqual([page?.items, page?.response.attempts], [[1], 2]);
    });
  });
}

describe('the recipes of built-in toolkits', () => {
  it('are used with the hosted backend, which has none', async () => {
    const stub = await BackendStub.start();
    try {
      stub.bodies['/toolkits/github'] = { slug: 'github', name: 'GitHub', meta: {} };
      stub.answer = (response, { body }) => {
        const { endpoint } = body as { endpoint: string };
        const next = endpoint === '/user/repos' ? '<https://api.github.com/user/repos?page=2>; rel="next"' : '';
        stubJson(response, 200, { status: 200, data: [endpoint], headers: { link: next } });
      };
      const session = await new Composio({ apiKey: 'key', baseURL: stub.url }).create('user_1');
      const call = { toolkit: 'github', endpoint: '/user/repos', method: 'GET' } as const;
      for (let time = 0; time < 2; time++) {
        const pages = await pagesOf<string>(session, call);
        assert.deepEqual(
          pages.flatMap(({ items }) => items),
          ['/user/repos', 'https://api.github.com/user/repos?page=2'],
        );
      }
      const lookUps = stub.asked.filter(({ path }) => path.includes('/toolkits/github'));
      assert.equal(lookUps.length, 1);
    } finally {
      await stub.close();
    }
  });
});

describe('invalid options of pages', () => {
  let session: Session;

  before(async () => {
    session = await new Composio({ gateway }).create('ann');
  });

  it('are refused before anything is sent', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: the types would reject the values
    const refused = async (options: any, field: string, request: Partial<ProxyExecuteRequest> = {}) => {
      const error = await pagesOf(session, { ...GET, ...request }, options).then(
        () => assert.fail(`${JSON.stringify(options)} was not refused`),
        (error) => error,
      );
      assert.ok(error instanceof ValidationError, String(error));
      assert.equal(error.field, field, error.message);
    };
    await refused({ limit: 0 }, 'limit');
    await refused({ items: 'data' }, 'items');
    await refused({ cursor: '' }, 'cursor');
    await refused({ cursor: 'x'.repeat(32 * 1024 + 1) }, 'cursor');
    await refused({ cursor: 'x', pagination: OFFSET }, 'cursor');
    await refused({ pages: 1 }, 'pages');
    await refused({ retry: 1 }, 'retry');
    await refused({ timeout: 0 }, 'timeout');
    await refused({ pagination: CURSOR }, 'method', { method: 'POST' });
    await refused({ pagination: CURSOR }, 'method', { method: 'HEAD' });
    const inBody = { kind: 'cursor', cursor: '/next', body: '/after' };
    await refused({ pagination: inBody }, 'method');
    for (const body of ['{}', [], 1]) await refused({ pagination: inBody }, 'body', { method: 'POST', body });
    await refused({ pagination: inBody }, 'body', { method: 'POST', formData: new FormData() });
    await refused({}, 'endpoint', { endpoint: '' });
    assert.deepEqual(upstream.received, []);
  });

  it('are the recipes that their cases say', async () => {
    const cases = JSON.parse(readFileSync(join(__dirname, '..', 'cases', 'pagination-cases.json'), 'utf8'));
    assert.ok(cases.length >= 30);
    for (const { recipe, wrong } of cases) {
      let field: string | undefined | null = null;
      try {
        session.paginate(GET, { pagination: recipe });
      } catch (error) {
        assert.ok(error instanceof ValidationError, String(error));
        ({ field } = error);
      }
      assert.equal(field, wrong === null ? null : `pagination.${wrong}`, JSON.stringify(recipe));
    }
    await until('nothing is asked before the loop', () => upstream.received.length === 0);
  });
});
