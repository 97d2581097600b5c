/**
 * Retries of the API's responses: which calls are made again, when, how often, and that nothing else is.
 */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  Composio,
  type Gateway,
  type ProxyExecuteRequest,
  type ProxyOptions,
  type Session,
  type ToolkitRateLimit,
  ValidationError,
} from '../index.js';
import { BackendStub, sendJson as stubJson } from './backend-stub';
import { acme, openGateway } from './support/acme';
import { Upstream } from './support/upstream';
import { inProcess, overHttp, type WayIn } from './support/ways';

const GET = { toolkit: 'acme', endpoint: '/busy', method: 'GET' } as const;
const POST = { ...GET, method: 'POST', body: { a: 1 } } as const;

/** Where the variants of Acme say when they take calls again. */
const RATE_LIMITS: Record<string, ToolkitRateLimit> = {
  acme_ms: { header: 'x-reset', unit: 'milliseconds', remaining: 'x-left' },
  acme_seconds: { header: 'x-reset', unit: 'seconds' },
  acme_epoch: { header: 'x-reset', unit: 'epoch_seconds' },
  acme_epoch_ms: { header: 'x-reset', unit: 'epoch_milliseconds' },
  acme_date: { header: 'x-reset', unit: 'date' },
};

let upstream: Upstream;
let gateway: Gateway;
/** The account of each toolkit. */
const accounts: Record<string, string> = {};

before(async () => {
  upstream = await Upstream.start();
  const variants = Object.entries(RATE_LIMITS).map(([slug, rate_limit]) => ({
    ...acme(upstream.port),
    slug,
    rate_limit,
  }));
  gateway = await openGateway(upstream.port, { toolkits: [acme(upstream.port), ...variants] });
  for (const toolkit of ['acme', ...Object.keys(RATE_LIMITS)]) {
    const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
    accounts[toolkit] = (await gateway.connectedAccounts.import({ userId: 'ann', toolkit, credential })).id;
  }
});

after(async () => {
  await gateway.close();
  await upstream.close();
});

beforeEach(() => {
  upstream.received.length = 0;
});

type Refusal = [status: number, headers?: Record<string, string>];

/** Lets the API refuse the first calls, and accept the others. */
function refuse(...refusals: Refusal[]): void {
  upstream.on('/base/busy', (response) => {
    const [status, headers] = refusals[upstream.received.length - 1] ?? [200];
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end('{}');
  });
}

for (const [name, way] of [
  ['retries in process', inProcess],
  ['retries over HTTP', overHttp()],
] as const) {
  describe(name, () => {
    let wayIn: WayIn;
    let composio: Composio;
    let session: Session;

    before(async () => {
      wayIn = await way(gateway);
      composio = wayIn.composio();
      session = await composio.create('ann');
    });

    after(() => wayIn.close());

    /** The status, the attempts and the requests of a call. */
    async function outcome(request: ProxyExecuteRequest, options?: ProxyOptions) {
      upstream.received.length = 0;
      const { status, attempts } = await session.proxyExecute(request, options);
      return [status, attempts, upstream.received.length];
    }

    it('are off by default', async () => {
      refuse([503, { 'retry-after': '0' }]);
      assert.deepEqual(await outcome(GET), [503, undefined, 1]);
      assert.deepEqual(await outcome(GET, { retry: false }), [503, undefined, 1]);
      assert.deepEqual(await outcome(GET, { retry: { attempts: 1 } }), [503, 1, 1]);
    });

    it('are of reads for every status of the list, and of writes where the API has done nothing', async () => {
      const now = { 'retry-after': '0' };
      for (const status of [429, 500, 502, 503, 504]) {
        refuse([status, now], [status, now]);
        assert.deepEqual(await outcome(GET, { retry: {} }), [200, 3, 3], String(status));
      }
      for (const status of [400, 401, 403, 404, 408, 501]) {
        refuse([status, now]);
        const expected = [status, 1, status === 401 ? upstream.received.length : 1];
        const [was, attempts] = await outcome(GET, { retry: {} });
        assert.deepEqual([was, attempts], expected.slice(0, 2));
      }
      refuse([404, now]);
      assert.deepEqual(await outcome(GET, { retry: { statuses: [404] } }), [200, 2, 2]);
      refuse([429, now]);
      assert.deepEqual(await outcome(GET, { retry: { statuses: [404] } }), [429, 1, 1]);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
        const write = { ...GET, method };
        const rows: [Refusal, number][] = [
          [[429], 2],
          [[503, now], 2],
          [[503], 1],
          [[503, { 'retry-after': 'soon' }], 1],
          [[500, now], 1],
          [[502, now], 1],
          [[504, now], 1],
        ];
        for (const [refusal, attempts] of rows) {
          refuse(refusal);
          const [, made, sent] = await outcome(write, { retry: { maxWait: 10 } });
          assert.deepEqual([made, sent], [attempts, attempts], `${method} ${refusal}`);
        }
      }
    });

    it('stop after the attempts, and return the last response', async () => {
      refuse(...Array.from({ length: 9 }, (): Refusal => [503, { 'retry-after': '0' }]));
      assert.deepEqual(await outcome(GET, { retry: { attempts: 4 } }), [503, 4, 4]);
    });

    it('wait as long as the API says', async () => {
      const cases: [toolkit: string, refusal: Refusal, least: number][] = [
        ['acme', [503, { 'retry-after': '1' }], 1_000],
        ['acme', [503, { 'retry-after': '0.2' }], 200],
        ['acme', [429, { 'retry-after': new Date(Date.now() + 4_000).toUTCString() }], 1_000],
        ['acme_ms', [429, { 'x-reset': '300', 'x-left': '0' }], 300],
        // `Retry-After` comes first.
        ['acme_ms', [429, { 'x-reset': '30000', 'x-left': '0', 'retry-after': '0.2' }], 200],
        ['acme_ms', [403, { 'x-reset': '300', 'x-left': '0' }], 300],
        ['acme_seconds', [429, { 'x-reset': '0.3' }], 300],
      ];
      for (const [toolkit, refusal, least] of cases) {
        refuse(refusal);
        const start = performance.now();
        assert.deepEqual(await outcome({ ...GET, toolkit }, { retry: {} }), [200, 2, 2], String(refusal));
        const elapsed = performance.now() - start;
        assert.ok(elapsed >= least - 1, `${refusal}: ${elapsed} ms`);
      }
      for (const [toolkit, value] of [
        ['acme_epoch', (time: number) => String(Math.ceil(time / 1000))],
        ['acme_epoch_ms', String],
        ['acme_date', (time: number) => new Date(time).toISOString()],
      ] as const) {
        const reset = Date.now() + 500;
        refuse([429, { 'x-reset': value(reset) }]);
        assert.deepEqual(await outcome({ ...POST, toolkit }, { retry: {} }), [200, 2, 2]);
        assert.ok(Date.now() >= reset, toolkit);
      }
    });

    it('do not take a lack of rights for a rate limit', async () => {
      for (const headers of [{}, { 'x-left': '7', 'x-reset': '0' }, { 'x-reset': '0' }]) {
        refuse([403, headers]);
        assert.deepEqual(await outcome({ ...GET, toolkit: 'acme_ms' }, { retry: {} }), [403, 1, 1]);
      }
    });

    it('do not wait longer than `maxWait` or than the timeout', async () => {
      for (const options of [{ retry: { maxWait: 900 } }, { retry: {}, timeout: 900 }]) {
        refuse([429, { 'retry-after': '1' }]);
        const start = performance.now();
        assert.deepEqual(await outcome(GET, options), [429, 1, 1]);
        assert.ok(performance.now() - start < 900);
      }
      refuse([429, { 'x-reset': '86400000' }]);
      assert.deepEqual(await outcome({ ...GET, toolkit: 'acme_ms' }, { retry: {} }), [429, 1, 1]);
      // The timeout holds for the attempts together.
      upstream.on('/base/busy', (response) => {
        if (upstream.received.length === 1) response.writeHead(503, { 'retry-after': '0.1' }).end();
      });
      const start = performance.now();
      await assert.rejects(outcome(GET, { retry: {}, timeout: 800 }), { name: 'APIConnectionTimeoutError' });
      const elapsed = performance.now() - start;
      assert.ok(elapsed > 700 && elapsed < 1_500, `${elapsed} ms`);
    });

    it('end with their signal, during the wait', async () => {
      refuse([503, { 'retry-after': '20' }]);
      const controller = new AbortController();
      const reason = new Error('enough');
      const call = session.proxyExecute(GET, { retry: {}, signal: controller.signal });
      const timer = setInterval(() => upstream.received.length === 1 && controller.abort(reason), 100);
      const start = performance.now();
      await assert.rejects(call, reason).finally(() => clearInterval(timer));
      assert.ok(performance.now() - start < 10_000);
      assert.equal(upstream.received.length, 1);
    });

    it('send the same bytes again, but not those of a stream', async () => {
      const now = { 'retry-after': '0' };
      const form = new FormData();
      form.set('file', new Blob(['bytes']), 'a.txt');
      const upload = { ...GET, method: 'PUT' } as const;
      for (const body of [
        { binaryBody: Buffer.from('bytes') },
        { binaryBody: new Blob(['bytes']) },
        { binaryBody: { data: new Uint8Array([1, 2]) } },
        { formData: form },
        { body: { a: 1 } },
      ]) {
        refuse([429, now]);
        assert.deepEqual(await outcome({ ...upload, ...body }, { retry: {} }), [200, 2, 2]);
        const [first, second] = upstream.received;
        assert.ok(first && first.bytes.byteLength > 0 && second?.bytes.equals(first.bytes));
      }
      for (const binaryBody of [Readable.from([Buffer.from('a')]), new Blob(['a']).stream()]) {
        refuse([429, now]);
        assert.deepEqual(await outcome({ ...upload, binaryBody }, { retry: {} }), [429, 1, 1]);
      }
    });

    it('are of every form of response, and close a stream that is not read', async () => {
      let open = 0;
      for (const responseType of ['json', 'text', 'bytes', 'stream'] as const) {
        upstream.received.length = 0;
        upstream.on('/base/busy', (response) => {
          open++;
          response.on('close', () => open--);
          if (upstream.received.length > 1) return response.end('{"a":1}');
          response.writeHead(429, { 'retry-after': '0.05' });
          // A stream that has not ended.
          if (responseType === 'stream') return response.write('{');
          return response.end('{}');
        });
        const { status, attempts, data } = await session.proxyExecute(GET, { retry: {}, responseType });
        assert.deepEqual([status, attempts], [200, 2]);
        if (responseType === 'stream') assert.equal(await new Response(data as ReadableStream).text(), '{"a":1}');
      }
      assert.equal(open, 0);
    });

    it('are of calls without a session, by the toolkit of the account', async () => {
      refuse([429, { 'x-reset': '300', 'x-left': '0' }]);
      const { toolkit: _, ...call } = GET;
      const start = performance.now();
      const connectedAccountId = accounts.acme_ms as string;
      const answer = await composio.tools.proxyExecute({ ...call, connectedAccountId }, { retry: {} });
      assert.deepEqual([answer.status, answer.attempts], [200, 2]);
      assert.ok(performance.now() - start >= 299);
      upstream.received.length = 0;
      const val = { api_key: 'k' };
      const customConnectionData = { authScheme: 'API_KEY', toolkitSlug: 'acme_ms', val };
      const given = await composio.tools.proxyExecute({ ...call, customConnectionData }, { retry: {} });
      assert.deepEqual([given.status, given.attempts], [200, 2]);
    });
  });
}

describe('the retries of a client', () => {
  it('are an option of it, which a call overrides', async () => {
    const session = await new Composio({ gateway, retry: { attempts: 2 } }).create('ann');
    refuse([503, { 'retry-after': '0' }], [503, { 'retry-after': '0' }]);
    const { status, attempts } = await session.proxyExecute(GET);
    assert.deepEqual([status, attempts], [503, 2]);
    upstream.received.length = 0;
    const off = await session.proxyExecute(GET, { retry: false });
    assert.deepEqual([off.status, off.attempts, upstream.received.length], [503, undefined, 1]);
    upstream.received.length = 0;
    assert.equal((await session.proxyExecute(GET, { retry: {} })).status, 200);
  });

  it('are within a budget, which calls that need no retry fill again', async () => {
    const session = await new Composio({ gateway, retry: { attempts: 4 } }).create('ann');
    let isDown = true;
    upstream.on('/base/busy', (response) => {
      response.writeHead(isDown ? 503 : 200, { 'retry-after': '0' }).end();
    });
    const calls = Array.from({ length: 60 }, () => session.proxyExecute(GET));
    const answers = await Promise.all(calls);
    const retries = answers.reduce((sum, { attempts = 0 }) => sum + attempts - 1, 0);
    // 500 tokens, and 5 for each.
    assert.equal(retries, 100);
    assert.equal(upstream.received.length, 160);
    assert.equal((await session.proxyExecute(GET)).attempts, 1);
    isDown = false;
    for (let call = 0; call < 10; call++) await session.proxyExecute(GET);
    isDown = true;
    assert.equal((await session.proxyExecute(GET)).attempts, 3);
    // Another client has its own.
    const other = await new Composio({ gateway, retry: { attempts: 4 } }).create('ann');
    assert.equal((await other.proxyExecute(GET)).attempts, 4);
  });

  it('are made with the hosted backend, too', async () => {
    const stub = await BackendStub.start();
    try {
      stub.bodies['/toolkits/github'] = { slug: 'github', name: 'GitHub', meta: {} };
      let calls = 0;
      const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000)) };
      stub.answer = (response) => stubJson(response, 200, { status: calls++ === 0 ? 403 : 200, data: 1, headers });
      const session = await new Composio({ apiKey: 'key', baseURL: stub.url, retry: {} }).create('user_1');
      const { status, attempts } = await session.proxyExecute({ ...POST, toolkit: 'github' });
      assert.deepEqual([status, attempts], [200, 2]);
    } finally {
      await stub.close();
    }
  });

  it('are refused with values that cannot be used', async () => {
    const session = await new Composio({ gateway }).create('ann');
    const rows: [unknown, string][] = [
      [true, '`retry` must be an object, but is a boolean.'],
      [{ attempts: 0 }, '`retry.attempts` must be a whole number from 1 to 10, but is 0.'],
      [{ attempts: 11 }, '`retry.attempts` must be a whole number from 1 to 10, but is 11.'],
      [{ maxWait: -1 }, '`retry.maxWait` must be a whole number from 0 to 86400000, but is -1.'],
      [{ statuses: 429 }, '`retry.statuses` must be an array, but is a number.'],
      [{ statuses: [200] }, '`retry.statuses[0]` must be a status from 400 to 599, but is 200.'],
      [{ statuses: ['429'] }, '`retry.statuses[0]` must be a status from 400 to 599, but is a string.'],
      [{ statuses: Array(101).fill(429) }, '`retry.statuses` has 101 entries, and may have 100.'],
      [{ retries: 1 }, /^Unknown key `retry\.retries`/.source],
    ];
    for (const [retry, sentence] of rows) {
      const matches = (error: unknown) =>
        error instanceof ValidationError &&
        error.errors.length === 1 &&
        (error.errors[0] === sentence || new RegExp(sentence).test(error.errors[0] ?? ''));
      await assert.rejects(session.proxyExecute(GET, { retry } as ProxyOptions), matches);
      assert.throws(() => new Composio({ gateway, retry } as ConstructorParameters<typeof Composio>[0]), matches);
      assert.throws(() => new Composio({ apiKey: 'k', retry } as ConstructorParameters<typeof Composio>[0]), matches);
    }
  });
});
