/**
 * The errors of calls: their class, their fields, and a stack that leads to the call.
 */

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { after, before, describe, it } from 'node:test';
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AuthenticationError,
  BadRequestError,
  Composio,
  ComposioError,
  ConflictError,
  Gateway,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  type Session,
  UnprocessableEntityError,
} from '../index.js';
import { BackendStub, sendJson } from './backend-stub';
import { NOBODY } from './support/ports';

const CALL = { toolkit: 'github', endpoint: '/user', method: 'GET' } as const;

let backend: BackendStub;
let session: Session;

before(async () => {
  backend = await BackendStub.start();
  session = await new Composio({ apiKey: 'ak_test', baseURL: backend.url, maxRetries: 0 }).create('user_1');
});

after(() => backend.close());

/** The error of a call, which must be of this class. */
async function thrown<E extends Error>(
  call: () => Promise<unknown>,
  // biome-ignore lint/suspicious/noExplicitAny: a constructor with any arguments
  ErrorClass: abstract new (...args: any[]) => E,
): Promise<E> {
  const error = await call().then(
    () => assert.fail('the call was answered'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ErrorClass, `${error}`);
  return error;
}

/** The error of a call for this response of the backend. */
function answered<E extends Error>(
  answer: (response: ServerResponse) => void,
  // biome-ignore lint/suspicious/noExplicitAny: a constructor with any arguments
  ErrorClass: abstract new (...args: any[]) => E,
): Promise<E> {
  backend.answer = answer;
  return thrown(() => session.proxyExecute(CALL), ErrorClass);
}

describe('a response of the backend that is an error', () => {
  const CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    402: APIError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: APIError,
    409: ConflictError,
    413: APIError,
    418: APIError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    501: InternalServerError,
    502: InternalServerError,
    503: InternalServerError,
    504: InternalServerError,
    599: InternalServerError,
  };

  for (const [status, ErrorClass] of Object.entries(CLASSES)) {
    it(`${status} is a ${ErrorClass.name}`, async () => {
      const body = { error: { message: 'It happened.', code: 4711, slug: 'Happened', status: Number(status) } };
      const error = await answered((response) => sendJson(response, Number(status), body), APIError);
      assert.equal(error.constructor, ErrorClass);
      assert.equal(error.name, ErrorClass.name);
      assert.ok(error instanceof APIError && error instanceof ComposioError && error instanceof Error);
      assert.equal(error.status, Number(status));
      assert.equal(error.code, 4711);
      assert.equal(error.slug, 'Happened');
      assert.equal(error.message, 'It happened.');
    });
  }

  it('has all members of the envelope', async () => {
    const body = {
      error: {
        message: 'The payload is wrong.',
        code: 10400,
        slug: 'InvalidRequest',
        status: 400,
        request_id: 'req_1',
        suggested_fix: 'Please check it.',
        errors: ['a is missing', 'b is unknown'],
      },
    };
    const error = await answered((response) => sendJson(response, 400, body, { 'X-Trace': 't1' }), BadRequestError);
    assert.equal(error.message, 'The payload is wrong. Please check it.');
    assert.equal(error.requestId, 'req_1');
    assert.equal(error.suggestedFix, 'Please check it.');
    assert.deepEqual(error.errors, ['a is missing', 'b is unknown']);
    assert.equal(error.headers?.get('X-Trace'), 't1');
    assert.equal(error.retryAfter, undefined);
    assert.deepEqual(error.error, body);
  });

  it('has its headers, and adds none to the response of a web framework', async () => {
    const error = await answered((response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic', 'x-name': Buffer.from('Zoë 🙂').toString('latin1') });
      // Two parts make the response `transfer-encoding: chunked`.
      response.write('{"error":');
      response.end('{"message":"No."}}');
    }, AuthenticationError);
    const { headers } = error;
    assert.ok(headers instanceof Headers);
    assert.equal(headers.get('transfer-encoding'), 'chunked');
    assert.equal(headers.get('www-authenticate'), 'Basic');
    assert.equal(Buffer.from(headers.get('x-name') ?? '', 'latin1').toString(), 'Zoë 🙂');
    // Express copies the own fields. Koa copies all enumerable ones, with methods of the prototype.
    assert.deepEqual({ ...headers }, {});
    const met: string[] = [];
    for (const name in headers) met.push(name);
    assert.deepEqual(met, []);
    assert.ok([...headers].length >= 3);
  });

  it('may have a name as its code', async () => {
    const body = { error: { code: 'OriginMismatch', message: 'Endpoint host does not match.' } };
    const error = await answered((response) => sendJson(response, 400, body), BadRequestError);
    assert.equal(error.code, 'OriginMismatch');
    assert.equal(error.message, 'Endpoint host does not match.');
  });

  it('may be flat, and say when to retry', async () => {
    const body = { message: 'Rate limit exceeded. Limit: 10 requests per 1 minutes' };
    const error = await answered((response) => sendJson(response, 429, body, { 'Retry-After': '7' }), RateLimitError);
    assert.match(error.message, /^Rate limit exceeded\. Limit: 10/);
    assert.equal(error.retryAfter, 7_000);
  });

  it('may be empty or not JSON', async () => {
    const html = (response: ServerResponse) =>
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html><h1>Bad Gateway</h1></html>');
    assert.equal((await answered(html, InternalServerError)).status, 502);
    assert.equal((await answered((response) => response.writeHead(500).end(), InternalServerError)).status, 500);
  });
});

describe('an error of the third-party API', () => {
  it('is returned as a response', async () => {
    backend.answer = (response) =>
      sendJson(response, 200, { status: 500, data: { message: 'no' }, headers: { a: 'b' } });
    assert.deepEqual(await session.proxyExecute(CALL), { status: 500, data: { message: 'no' }, headers: { a: 'b' } });
  });
});

describe('a call without a usable response', () => {
  it('is an error if no server listens', async () => {
    const composio = new Composio({ apiKey: 'k', baseURL: `http://127.0.0.1:${NOBODY}`, maxRetries: 0 });
    const error = await thrown(() => composio.create('u'), APIConnectionError);
    assert.equal(error.name, 'APIConnectionError');
    assert.equal(error.status, undefined);
    assert.ok(!('error' in error && error.error));
  });

  it('is an error if the response breaks off', async () => {
    await answered((response) => response.destroy(), APIConnectionError);
    const half = (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"status":200,');
      response.destroy();
    };
    await answered(half, APIConnectionError);
  });

  it('is an error if the response is not in the documented form', async () => {
    for (const text of ['', '{"status":200,"da', '<html>', '[]', 'null', '{"data":1}', '{"status":"200"}']) {
      const error = await answered(
        (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(text),
        APIConnectionError,
      );
      assert.deepEqual([error.slug, error.message.length > 20], ['InvalidAnswer', true], error.message);
    }
    const text = (response: ServerResponse) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    backend.answer = text;
    await thrown(() => session.proxyExecute(CALL, { responseType: 'text' }), APIConnectionError);
  });

  it('is an error if no API could send the response', async () => {
    const file = { url: 'http://files.test/f', content_type: 'image/png', size: 8, expires_at: '2030-01-01T00:00:00Z' };
    const calls = [
      () => session.proxyExecute(CALL),
      () => session.proxyExecute(CALL, { responseType: 'text' }),
      () => new Composio({ apiKey: 'k', baseURL: backend.url }).tools.proxyExecute({ endpoint: '/', method: 'GET' }),
    ];
    for (const [envelope, names] of [
      [{}, /`status` is undefined/],
      [{ status: null }, /`status` is null/],
      [{ status: '200' }, /`status` is a string/],
      [{ status: [200] }, /`status` is an array/],
      ...[0, 99, 600, 999, 1000, -200, 200.5, 2e5].map(
        (status) => [{ status }, RegExp(`\`status\` is ${status},`)] as const,
      ),
      [{ status: 200, headers: 'a: b' }, /`headers` is a string/],
      [{ status: 200, headers: [] }, /`headers` is an array/],
      [{ status: 200, headers: [['a', 'b']] }, /`headers` is an array/],
      [{ status: 200, headers: 7 }, /`headers` is a number/],
      [{ status: 200, headers: { a: 1 } }, /`headers\.a` is a number/],
      [{ status: 200, headers: { a: null } }, /`headers\.a` is null/],
      [{ status: 200, headers: { a: { b: 'c' } } }, /`headers\.a` is an object/],
      [{ status: 200, headers: { a: [] } }, /`headers\.a` is an array/],
      [{ status: 200, headers: { a: ['b', 1] } }, /`headers\.a` is an array/],
      [{ status: 200, headers: {}, repeated_headers: { a: 'b' } }, /`repeated_headers`/],
      [{ status: 200, headers: {}, repeated_headers: [] }, /`repeated_headers`/],
      [{ status: 200, binary_data: 'file' }, /`binary_data` is a string/],
      [{ status: 200, binary_data: [] }, /`binary_data` is an array/],
      [{ status: 200, binary_data: {} }, /`binary_data\.url` is undefined/],
      [{ status: 200, binary_data: { ...file, url: 7 } }, /`binary_data\.url` is a number/],
      [{ status: 200, binary_data: { ...file, content_type: null } }, /`binary_data\.content_type` is null/],
      [{ status: 200, binary_data: { ...file, expires_at: 7 } }, /`binary_data\.expires_at` is a number/],
      [{ status: 200, binary_data: { ...file, size: '8' } }, /`binary_data\.size`/],
      [{ status: 200, binary_data: { ...file, size: -1 } }, /`binary_data\.size`/],
      [{ status: 200, binary_data: { ...file, size: 1.5 } }, /`binary_data\.size`/],
    ] as const) {
      backend.answer = (response) => sendJson(response, 200, envelope);
      for (const call of calls) {
        const error = await thrown(call, APIConnectionError);
        assert.equal(error.slug, 'InvalidAnswer');
        assert.match(error.message, names);
      }
    }
    // A member that is missing or null counts as none.
    for (const envelope of [{ status: 100 }, { status: 599, headers: null, data: null, binary_data: null }]) {
      backend.answer = (response) => sendJson(response, 200, envelope);
      const { data, headers, headersList, binaryData } = await session.proxyExecute(CALL);
      assert.deepEqual([data, headers, headersList, binaryData], [null, {}, [], undefined]);
    }
    backend.answer = (response) => sendJson(response, 200, { status: 200, binary_data: { ...file, expires_at: null } });
    assert.equal((await session.proxyExecute(CALL)).binaryData?.expiresAt, undefined);
  });

  it('is an error if no session, account or page has that form', async () => {
    const stub = await BackendStub.start();
    try {
      const composio = new Composio({ apiKey: 'k', baseURL: stub.url, maxRetries: 0 });
      const stubbed = await composio.create('ann');
      const account = { id: 'ca_1', status: 'ACTIVE', auth_config: {} };
      const link = { connected_account_id: 'ca_1', redirect_url: 'http://page.test' };
      for (const [path, body, call, names] of [
        ['/session', { session_id: 'trs_1', config: null, mcp: {} }, () => composio.create('ann'), /`config` is null/],
        ['/session/trs_stub', { config: [] }, () => stubbed.update({ toolkits: ['a'] }), /`config` is an array/],
        ['/connected_accounts', {}, () => composio.connectedAccounts.list(), /`items` is undefined/],
        ['/connected_accounts', { items: [null] }, () => composio.connectedAccounts.list(), /`items\[0\]` is null/],
        [
          '/connected_accounts',
          { items: [account, { ...account, id: 7 }] },
          () => composio.connectedAccounts.list(),
          /`items\[1\]\.id` is a number/,
        ],
        [
          '/connected_accounts',
          { items: [account], next_cursor: { a: 1 } },
          () => composio.connectedAccounts.list(),
          /`next_cursor` is an object/,
        ],
        [
          '/ca_1',
          { id: 'ca_1', status: 'ACTIVE' },
          () => composio.connectedAccounts.get('ca_1'),
          /`auth_config` is und/,
        ],
        [
          '/ca_1',
          { id: 'ca_1', status: 'ACTIVE' },
          () => composio.connectedAccounts.waitForConnection('ca_1'),
          /`auth_config` is undefined/,
        ],
        ['/ca_1/refresh', {}, () => composio.connectedAccounts.refresh('ca_1'), /`id` is undefined/],
        ['/ca_1/revoke', {}, () => composio.connectedAccounts.revoke('ca_1'), /`connected_account` is undefined/],
        ['/ca_1/link', {}, () => composio.connectedAccounts.reconnect('ca_1'), /`connected_account_id` is undefined/],
        ['/link', { ...link, redirect_url: 7 }, () => stubbed.authorize('github'), /`redirect_url` is a number/],
        ['/auth_configs', { items: {} }, () => composio.authConfigs.list(), /`items` is an object/],
        ['/ac_1', { id: 'ac_1', status: 'ENABLED' }, () => composio.authConfigs.get('ac_1'), /`toolkit` is undefined/],
        ['/toolkits', { items: [{ slug: 'a' }] }, () => composio.toolkits.list(), /`items\[0\]\.name` is undefined/],
        ['/toolkits/a', { slug: 'a', name: 'A' }, () => composio.toolkits.get('a'), /`meta` is undefined/],
        [
          '/toolkits/a',
          { slug: 'a', name: 'A', meta: {}, auth_config_details: [{ fields: {} }] },
          () => composio.toolkits.get('a'),
          /`auth_config_details\[0\]\.fields\.auth_config_creation` is undefined/,
        ],
        [
          '/trs_stub/toolkits',
          { items: [{ slug: 'a', name: 'A', connected_account: 7 }] },
          () => stubbed.toolkits(),
          /7|number/,
        ],
      ] as const) {
        stub.bodies[path] = body;
        const error = await thrown(call, APIConnectionError);
        assert.equal(error.slug, 'InvalidAnswer', path);
        assert.match(error.message, names);
        delete stub.bodies[path];
      }
    } finally {
      stub.close();
    }
  });

  it('that needs no more of a session than what is used', async () => {
    const stub = await BackendStub.start();
    try {
      const composio = new Composio({ apiKey: 'k', baseURL: stub.url, maxRetries: 0 });
      const unused = { config_version: null, tool_router_tools: null, warnings: null };
      stub.bodies['/session'] = { session_id: 'trs_1', mcp: { type: null, url: null }, config: {}, ...unused };
      const created = await composio.create('ann');
      assert.deepEqual([created.sessionId, created.mcp.url], ['trs_1', '']);
      stub.bodies['/trs_1'] = { config: { user_id: 'ann' }, mcp: null, ...unused };
      assert.equal((await created.update({ toolkits: ['a'] })).userId, 'ann');
      const error = await thrown(() => composio.use('trs_1'), APIConnectionError);
      assert.match(error.message, /`session_id` is undefined/);
    } finally {
      stub.close();
    }
  });

  it('is an error if the timeout passes', async () => {
    backend.answer = () => {};
    const error = await thrown(() => session.proxyExecute(CALL, { timeout: 50 }), APIConnectionTimeoutError);
    assert.equal(error.name, 'APIConnectionTimeoutError');
    assert.ok(error instanceof APIConnectionError && error instanceof APIError);
    assert.match(error.message, /50 ms/);
    const impatient = new Composio({ apiKey: 'k', baseURL: backend.url, timeout: 50 });
    await thrown(() => impatient.tools.proxyExecute({ endpoint: '/', method: 'GET' }), APIConnectionTimeoutError);
  });

  it('is an error if the gateway is closed', async () => {
    await using gateway = await Gateway.open();
    const inside = await new Composio({ gateway }).create('user_1');
    await gateway.close();
    await gateway.close();
    const error = await thrown(() => inside.proxyExecute(CALL), APIConnectionError);
    assert.equal(error.slug, 'GatewayClosed');
    assert.equal(error.status, undefined);
    await thrown(() => gateway.connectedAccounts.list(), APIConnectionError);
    await thrown(() => gateway.listen(), APIConnectionError);
  });
});

describe('an abort', () => {
  it('rejects with the same object as the reason', async () => {
    backend.answer = () => {};
    const reason = { mine: true };
    const before = backend.asked.length;
    const already = await session.proxyExecute(CALL, { signal: AbortSignal.abort(reason) }).catch((error) => error);
    assert.equal(already, reason);
    assert.equal(backend.asked.length, before);

    const controller = new AbortController();
    backend.answer = () => controller.abort(reason);
    const inFlight = await session.proxyExecute(CALL, { signal: controller.signal }).catch((error) => error);
    assert.equal(inFlight, reason);

    const late = await session.proxyExecute(CALL, { signal: AbortSignal.timeout(1) }).catch((error) => error);
    assert.equal(late.name, 'TimeoutError');
  });
});

describe('a signal', () => {
  it('serves many calls without a warning, and keeps no listener', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const { signal } = new AbortController();
    backend.answer = (response) => sendJson(response, 200, { status: 200 });
    await Promise.all(Array.from({ length: 20 }, () => session.proxyExecute(CALL, { signal })));
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
    await session.proxyExecute(CALL, { signal });
    // Warnings are emitted in a later turn.
    await new Promise(setImmediate);
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });

  it('aborts every call that has it', async () => {
    const controller = new AbortController();
    let waiting = 0;
    backend.answer = () => {
      waiting += 1;
      if (waiting === 20) controller.abort('enough');
    };
    const calls = Array.from({ length: 20 }, () => session.proxyExecute(CALL, { signal: controller.signal }));
    const settled = await Promise.allSettled(calls);
    for (const call of settled) assert.deepEqual(call, { status: 'rejected', reason: 'enough' });
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
  });
});

describe('an option that cannot be used', () => {
  it('is a ComposioError with a slug', async () => {
    const opened = await thrown(() => Gateway.open({ store: '/nonexistent/gateway.db' }), ComposioError);
    assert.equal(opened.constructor, ComposioError);
    assert.equal(opened.name, 'ComposioError');
    assert.equal(opened.slug, 'EncryptionKeyRequired');
    assert.throws(() => new Composio({ apiKey: 'k', baseURL: 'nowhere' }), {
      name: 'ComposioError',
      slug: 'InvalidOption',
    });
  });
});

describe('every error', () => {
  it('has a stack that leads to the call', async () => {
    async function theCallThatFails() {
      await session.proxyExecute(CALL);
    }
    backend.answer = (response) => sendJson(response, 500, {});
    const error = await thrown(theCallThatFails, InternalServerError);
    assert.match(error.stack ?? '', /^InternalServerError: .*/);
    assert.match(error.stack ?? '', /at async theCallThatFails .*errors\.test\.ts/);
  });

  it('has its name on the prototype, and only fields with a value', async () => {
    backend.answer = (response) => sendJson(response, 404, { error: { message: 'Gone.', slug: 'Gone' } });
    const error = await thrown(() => session.proxyExecute(CALL), NotFoundError);
    const { headers, ...fields } = error;
    assert.ok(headers);
    assert.deepEqual(fields, { status: 404, slug: 'Gone' });
    assert.ok(!Object.hasOwn(error, 'name'));
  });
});
