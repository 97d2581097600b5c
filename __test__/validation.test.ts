/**
 * Invalid arguments: each is refused by a sentence that names it, before anything is sent.
 */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Composio, ComposioNoAPIKeyError, Gateway, type Session, ValidationError } from '../index.js';
import { BackendStub } from './backend-stub';

/** Values that the types forbid, passed on purpose. */
// biome-ignore lint/suspicious/noExplicitAny: the types would reject the values
type Wrong = any;

let backend: BackendStub;
let composio: Composio;
let session: Session;
let gateway: Gateway;

before(async () => {
  backend = await BackendStub.start();
  composio = new Composio({ apiKey: 'ak_test', baseURL: backend.url });
  session = await composio.create('user_1');
  gateway = await Gateway.open();
});

after(async () => {
  await gateway.close();
  await backend.close();
});

beforeEach(() => {
  backend.asked.length = 0;
});

/** Asserts that the call is refused with exactly these sentences, and that nothing was sent. */
async function refused(call: () => unknown, ...errors: (string | RegExp)[]): Promise<ValidationError> {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => assert.fail('the call was not refused'),
      (error: unknown) => error,
    );
  assert.ok(error instanceof ValidationError, String(error));
  assert.equal(error.code, 'TS-SDK::VALIDATION_ERROR');
  assert.equal(error.errors.length, errors.length, error.errors.join('\n'));
  for (const [index, expected] of errors.entries()) {
    const told: string = error.errors[index] ?? '';
    if (typeof expected === 'string') assert.equal(told, expected);
    else assert.match(told, expected);
    assert.ok(error.message.includes(told), error.message);
  }
  assert.deepEqual(backend.asked, []);
  return error;
}

/** The body of a request that the backend received. */
function sent(index: number): Wrong {
  return backend.asked[index]?.body;
}

const GOOD = { toolkit: 'github', endpoint: '/user', method: 'POST' } as const;

/** Asserts that a request is refused if this part of it is replaced. */
function refusedWith(part: Wrong, ...errors: (string | RegExp)[]): Promise<ValidationError> {
  return refused(() => session.proxyExecute({ ...GOOD, ...part }), ...errors);
}

describe('toolkit and endpoint', () => {
  it('are needed', async () => {
    await refusedWith({ toolkit: undefined }, "`toolkit` is missing: name the toolkit to call, for example 'github'.");
    await refusedWith({ endpoint: undefined }, /^`endpoint` is missing: give a path such as \/user/);
    await refused(
      () => session.proxyExecute({} as Wrong),
      /^`toolkit` is missing/,
      /^`endpoint` is missing/,
      /^`method` is missing: use 'GET' or 'POST'/,
    );
  });

  it('must be non-empty strings', async () => {
    for (const name of ['toolkit', 'endpoint']) {
      await refusedWith({ [name]: '' }, new RegExp(`^\`${name}\` must be a non-empty string, but is empty`));
      await refusedWith({ [name]: 7 }, new RegExp(`^\`${name}\` must be a non-empty string, but is a number`));
      await refusedWith({ [name]: null }, new RegExp(`^\`${name}\` must be a non-empty string, but is null`));
      await refusedWith({ [name]: ['x'] }, new RegExp(`^\`${name}\` must be a non-empty string, but is an array`));
    }
  });
});

describe('a text with half of a surrogate pair', () => {
  it('is refused by its name, except in a body', async () => {
    const half = '😀'.slice(0, 1);
    const told = (path: string) =>
      `\`${path}\` has half of a surrogate pair in it: a character, such as an emoji, was cut in two.`;
    await refusedWith({ toolkit: half, endpoint: `/${half}` }, told('toolkit'), told('endpoint'));
    for (const where of ['query', 'header']) {
      const parameters = [{ name: 'x', value: `a${half}`, in: where }];
      await refusedWith({ parameters }, told('parameters[0].value'));
    }
    await refusedWith({ parameters: [{ name: half, value: 'a', in: 'query' }] }, told('parameters[0].name'));
    await refusedWith({ binaryBody: { base64: 'aGVsbG8=', contentType: half } }, told('binaryBody.contentType'));
    await refused(() => composio.create(half), told('userId'));
    await refused(() => composio.create('u', { toolkits: [half] }), told('toolkits[0]'));
    await refused(() => composio.create('u', { authConfigs: { [half]: 'ac_1' } }), told(`authConfigs.${half}`));
    await refused(() => composio.use(half), told('sessionId'));
    await refused(() => composio.connectedAccounts.list({ userIds: [half] }), told('userIds[0]'));
    const val = { token: half };
    await refused(
      () => gateway.connectedAccounts.import({ userId: half, toolkit: 'a', credential: { authScheme: 'X', val } }),
      told('userId'),
      told('credential.val.token'),
    );
    const customConnectionData = { authScheme: 'BEARER_TOKEN', toolkitSlug: 'github', val };
    await refused(
      () => composio.tools.proxyExecute({ endpoint: '/user', method: 'GET', customConnectionData }),
      told('customConnectionData.val.token'),
    );
    await refused(() => new Composio({ apiKey: 'k', defaultHeaders: { x: half } }), told('defaultHeaders.x'));

    await session.proxyExecute({ ...GOOD, body: { [half]: half, whole: '😀' }, endpoint: '/😀' });
    assert.deepEqual(sent(0).body, { [half]: half, whole: '😀' });
  });
});

describe('method', () => {
  it('is refused in lower case, with the word to write', async () => {
    await refusedWith({ method: 'get' }, "`method` must be in upper case: write 'GET' instead of 'get'.");
    await refusedWith({ method: 'Delete' }, "`method` must be in upper case: write 'DELETE' instead of 'Delete'.");
  });

  it('is one of those that a gateway takes', async () => {
    const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'QUERY', 'PROPFIND', 'PROPPATCH', 'MKCOL'];
    const quoted = [...all, 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'SEARCH'].map((name) => `'${name}'`);
    const names = `use ${quoted.join(' or ')}.`;
    await refusedWith({ method: 'FETCH' }, `\`method\` cannot be 'FETCH': ${names}`);
    await refusedWith({ method: 1 }, `\`method\` cannot be a number: ${names}`);
  });
});

describe('unknown keys', () => {
  it('are refused by name, with the key that was probably meant', async () => {
    await refusedWith({ paramters: [] }, 'Unknown key `paramters`: did you mean `parameters`?');
    await refusedWith({ Toolkit: 'x' }, 'Unknown key `Toolkit`: did you mean `toolkit`?');
    await refusedWith(
      { frob: {} },
      'Unknown key `frob`: the known ones are `toolkit`, `endpoint`, `method`, `body`, `binaryBody`, `formData`, `parameters`, `query`, `headers`.',
    );
  });

  it("are refused with the name that replaces another library's", async () => {
    const meant = {
      header: 'did you mean `headers`?',
      params: 'did you mean `query`?',
      url: 'did you mean `endpoint`?',
      data: 'did you mean `body`?',
      toolkitSlug: 'did you mean `toolkit`?',
    };
    for (const [key, hint] of Object.entries(meant))
      await refusedWith({ [key]: 'x' }, `Unknown key \`${key}\`: ${hint}`);
    const { params } = meant;
    const call = { connectedAccountId: 'ca_1', endpoint: '/', method: 'GET', params: {} };
    await refused(() => composio.tools.proxyExecute(call as Wrong), `Unknown key \`params\`: ${params}`);
  });

  it('are refused at every level', async () => {
    await refusedWith(
      { parameters: [{ name: 'a', value: 'b', in: 'query', vlaue: 1 }] },
      'Unknown key `parameters[0].vlaue`: did you mean `value`?',
    );
    await refused(
      () => session.proxyExecute(GOOD, { tiemout: 1 } as Wrong),
      'Unknown key `tiemout`: did you mean `timeout`?',
    );
    await refused(
      () => composio.create('u', { toolkts: [] } as Wrong),
      'Unknown key `toolkts`: did you mean `toolkits`?',
    );
    await refused(
      () => composio.create('u', { manageConnections: { callback_url: 'x' } } as Wrong),
      'Unknown key `manageConnections.callback_url`: did you mean `callbackUrl`?',
    );
    await refused(() => new Composio({ apikey: 'x' } as Wrong), 'Unknown key `apikey`: did you mean `apiKey`?');
    await refused(() => Gateway.open({ stroe: 'x' } as Wrong), 'Unknown key `stroe`: did you mean `store`?');
    await refused(
      () =>
        gateway.connectedAccounts.import({
          userId: 'u',
          toolkit: 'github',
          credential: { authScheme: 'NO_AUTH', val: {}, auth_scheme: 1 },
        } as Wrong),
      'Unknown key `credential.auth_scheme`: did you mean `authScheme`?',
    );
  });
});

describe('an oversized value', () => {
  const many = (count: number, value: string, where: 'header' | 'query') =>
    Array.from({ length: count }, (_, index) => ({ name: `x-${index}`, value, in: where }));

  it('is refused by its size, and quoted in part', async () => {
    const half = 'x'.repeat(40_000);
    await refusedWith({ parameters: many(101, '1', 'header') }, '`parameters` has 101 headers, and may have 100.');
    await refusedWith({ parameters: many(101, '1', 'query') }, '`parameters` has 101 query values, and may have 100.');
    await refusedWith(
      { parameters: many(2, half, 'header') },
      '`parameters` has 80006 characters of headers, and may have 65536.',
    );
    await refusedWith({ parameters: many(2, half, 'query') }, /characters of query values, and may have 65536\.$/);
    await refusedWith(
      { parameters: many(300_000, '1', 'header') },
      '`parameters` has 300000 entries, and may have 200.',
    );
    await session.proxyExecute({ ...GOOD, parameters: [...many(100, '1', 'header'), ...many(100, '1', 'query')] });
    backend.asked.length = 0;

    // The values of `query` and `headers` count with those of `parameters`.
    const parameters = [...many(60, '1', 'header'), ...many(60, '1', 'query')];
    const named = (count: number) => Object.fromEntries(many(count, '1', 'query').map(({ name }) => [`${name}-b`, 1]));
    await refusedWith({ parameters, headers: named(41) }, '`headers` has 101 headers, and may have 100.');
    await refusedWith({ parameters, query: named(41) }, '`query` has 101 query values, and may have 100.');
    await refusedWith(
      { query: { a: half, b: half } },
      '`query` has 80002 characters of query values, and may have 65536.',
    );
    await refusedWith({ query: named(100_000) }, '`query` has 100000 entries, and may have 100.');
    await refusedWith({ query: { a: Array(100_000).fill(1) } }, '`query.a` has 100000 entries, and may have 100.');
    await session.proxyExecute({ ...GOOD, parameters, query: named(40), headers: named(40) });
    backend.asked.length = 0;

    await refusedWith({ toolkit: 'a'.repeat(8 << 20) }, '`toolkit` has 8388608 characters, and may have 100.');
    await refusedWith({ endpoint: `/${'a'.repeat(65_536)}` }, '`endpoint` has 65537 characters, and may have 65536.');
    await refused(() => composio.create('u'.repeat(1_025)), '`userId` has 1025 characters, and may have 1024.');
    await refused(
      () => composio.create('u', { toolkits: new Array(1_001).fill('github') }),
      '`toolkits` has 1001 entries, and may have 1000.',
    );
    const pins = Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`t${index}`, 'ca_1']));
    for (const part of ['connectedAccounts', 'authConfigs']) {
      await refused(() => composio.create('u', { [part]: pins }), `\`${part}\` has 1001 entries, and may have 1000.`);
    }
    await refused(() => composio.use('t'.repeat(65_537)), '`sessionId` has 65537 characters, and may have 65536.');
    const { links } = { links: composio.connectedAccounts };
    await refused(
      () => links.link('u', 'ac_1', { alias: 'a'.repeat(257) }),
      '`alias` has 257 characters, and may have 256.',
    );
  });

  it('is quoted in part, without control characters of terminals', async () => {
    const long = 'toolkit_'.repeat(700_000);
    const unknown = await refusedWith({ [long]: 1 }, /^Unknown key `(toolkit_){10}…`: the known ones are `toolkit`/);
    assert.ok(unknown.message.length < 1_000);
    await refusedWith({ '\u001b[31m\u202e\nkey': 1 }, /^Unknown key `\\u\{1b\}\[31m\\u\{202e\}\\nkey`: /);
    await refusedWith({ method: 'GET'.repeat(1 << 20) }, /^`method` cannot be '(GET){26}GE…': use 'GET'/);
    await refusedWith({ method: 'g\n' }, /^`method` cannot be 'g\\n': use 'GET'/);
    const options = { responseType: 'x'.repeat(1 << 20) } as Wrong;
    const told = await refused(() => session.proxyExecute(GOOD, options), /^`responseType` cannot be 'x{80}…': use/);
    assert.ok(told.message.length < 1_000);
    const named = await refused(
      () => composio.create('u', { tools: { [long]: 1 } } as Wrong),
      /has \d+ characters/,
      /must be/,
    );
    assert.ok(named.message.length < 1_000);
  });

  it('is reported in at most twenty sentences', async () => {
    const keys = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`toolkit${index}`, 1]));
    const error = await refusedWith(keys, ...new Array(21).fill(/./));
    assert.match(error.errors[0] ?? '', /did you mean `toolkit`\?$/);
    assert.equal(error.errors[20], 'There are 199980 more problems.');
  });
});

describe('parameters', () => {
  const parameter = (part: Wrong, ...errors: (string | RegExp)[]) =>
    refusedWith(
      {
        parameters: [
          { name: 'x', value: 'y', in: 'query' },
          { name: 'X-A', value: 'y', in: 'header', ...part },
        ],
      },
      ...errors,
    );

  it('are a list', async () => {
    await refusedWith({ parameters: { a: 1 } }, '`parameters` must be an array, but is an object.');
  });

  it('are objects', async () => {
    await refusedWith({ parameters: ['a=b'] }, '`parameters[0]` must be an object, but is a string.');
  });

  it('have a name', async () => {
    await parameter({ name: undefined }, '`parameters[1].name` is missing.');
  });

  it('are headers or query values', async () => {
    await parameter({ in: undefined }, "`parameters[1].in` is missing: use 'header' or 'query'.");
    await parameter({ in: 'body' }, "`parameters[1].in` cannot be 'body': use 'header' or 'query'.");
    await parameter({ type: 'query' }, /^`parameters\[1\]\.type` is another name of `in` and contradicts it/);
  });

  it('have a value that is a string or a finite number', async () => {
    const must = '`parameters[1].value` must be a string or a finite number, but is';
    await parameter({ value: undefined }, `${must} undefined.`);
    await parameter({ value: null }, `${must} null.`);
    await parameter({ value: true }, `${must} a boolean.`);
    await parameter({ value: Number.NaN }, `${must} NaN.`);
    await parameter({ value: Number.POSITIVE_INFINITY }, `${must} Infinity.`);
    await parameter({ value: { a: 1 } }, `${must} an object.`);
    await parameter({ value: 1n }, `${must} a BigInt.`);
  });

  it('cannot end their header and begin another', async () => {
    const control =
      '`parameters[1].value` has a line break or another control character in it, which a header cannot hold.';
    for (const value of ['a\r\nX-B: c', 'a\nb', 'a\rb', 'a\0b', '\u007f']) await parameter({ value }, control);
    const name = '`parameters[1].name` is not the name of a header: use letters, digits and hyphens only.';
    for (const wrong of ['X-A\r\nX-B', 'X A', 'X:A', 'Ž', ' ']) await parameter({ name: wrong }, name);
  });

  it('do not show their value, which may be a secret', async () => {
    const error = await parameter({ value: 'canary\n' }, /control character/);
    assert.ok(!error.message.includes('canary'));
  });
});

describe('body', () => {
  it('has a value, or is left out', async () => {
    const told = (what: string) =>
      `\`body\` is ${what}, which JSON writes as nothing or null: pass null, or leave it out, for no body.`;
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      await refusedWith({ body: number }, told(Number.isNaN(number) ? 'NaN' : 'a number'));
    }
    await refusedWith({ body: new Number(Number.NaN) }, told('a Number'));
    await refusedWith({ body: new Date(Number.NaN) }, told('a Date'));
    await refusedWith({ body: { toJSON: () => undefined } }, told('an object'));
    await refusedWith({ body: { toJSON: () => null } }, told('an object'));
    await refusedWith({ body: '😀'.slice(0, 1) }, /^`body` has half of a surrogate pair in it/);
    await session.proxyExecute({ ...GOOD, body: { toJSON: () => ({ a: 1 }) } });
    await session.proxyExecute({ ...GOOD, body: 0 });
    assert.deepEqual([sent(0).body, sent(1).body], [{ a: 1 }, 0]);
  });

  it('is sent unchanged if it is a string of JSON', async () => {
    const typed = (value: string) => ({ parameters: [{ name: 'content-type', value, in: 'header' as const }] });
    await session.proxyExecute({ ...GOOD, body: '{"a": 1}' });
    await session.proxyExecute({ ...GOOD, body: '{"a": 1}', ...typed('text/plain') });
    assert.deepEqual([sent(0).body, sent(1).body], [{ a: 1 }, '{"a": 1}']);
    backend.asked.length = 0;
    for (const body of ['', 'a=1', '{"a":']) {
      await assert.rejects(session.proxyExecute({ ...GOOD, body }), { slug: 'InvalidRequest', status: 400 });
      await assert.rejects(session.proxyExecute({ ...GOOD, body, ...typed('a/b+json') }), { slug: 'InvalidRequest' });
    }
    assert.deepEqual(backend.asked, []);
  });

  it('is not sent with GET or HEAD', async () => {
    for (const method of ['GET', 'HEAD']) {
      await refusedWith(
        { method, body: {} },
        new RegExp(`^\`body\` cannot be sent with ${method}: pass the values as`),
      );
    }
  });

  it('must be a value that JSON can hold', async () => {
    await refusedWith({ body: 1n }, '`body` is a BigInt, which JSON cannot hold: send it as a string.');
    await refusedWith(
      { body: { list: [{ id: 1n }] } },
      '`body.list[0].id` is a BigInt, which JSON cannot hold: send it as a string.',
    );
    await refusedWith({ body: () => {} }, '`body` is a function, which JSON cannot hold: pass a value that it can.');
    await refusedWith({ body: Symbol('x') }, '`body` is a symbol, which JSON cannot hold: pass a value that it can.');
  });

  it('has no cycle', async () => {
    const parent: { child: { parent?: unknown } } = { child: {} };
    parent.child.parent = parent;
    await refusedWith(
      { body: parent },
      '`body.child.parent` is an object that contains itself, which JSON cannot hold.',
    );
  });

  it('may hold the same object twice', async () => {
    const same = { a: 1 };
    await session.proxyExecute({ ...GOOD, body: [same, same] });
    assert.deepEqual(sent(0).body, [same, same]);
  });

  it('keeps the error of a toJSON as the cause', async () => {
    const cause = new Error('mine');
    const toJSON = () => {
      throw cause;
    };
    const error = await refusedWith({ body: { toJSON } }, 'The request cannot be written as JSON: mine.');
    assert.equal(error.cause, cause);
  });

  it('is not binary data, a form or a stream', async () => {
    const { readable } = new TransformStream();
    const forms = [
      Buffer.from('x'),
      new Float32Array(1),
      new ArrayBuffer(1),
      new Blob(['x']),
      new FormData(),
      readable,
      Readable.from(['x']),
    ];
    for (const body of forms)
      await refusedWith(
        { body },
        /^`body` is an? \w+, which JSON cannot hold: pass bytes as `binaryBody`, a form as `formData`/,
      );
  });

  it('may be a form as text', async () => {
    const params = new URLSearchParams({ a: 'b c' });
    await refusedWith(
      { body: params },
      /^`body` is a URLSearchParams: pass `String\(params\)`, with .*x-www-form-urlenc/,
    );
  });

  it('is not an object that JSON would write as empty', async () => {
    for (const body of [new Map([['a', 1]]), new Set([1]), Promise.resolve({})]) {
      await refusedWith({ body }, /^`body` is a \w+, which JSON would write as an empty object/);
    }
  });
});

describe('a body of bytes', () => {
  const bytes = Buffer.from('x');

  it('is the only body of a request', async () => {
    const form = new FormData();
    const one = 'A request has one body, but this one has';
    await refusedWith({ body: {}, binaryBody: bytes }, `${one} \`body\` and \`binaryBody\`.`);
    await refusedWith({ binaryBody: bytes, formData: form }, `${one} \`binaryBody\` and \`formData\`.`);
    for (const method of ['GET', 'HEAD']) {
      await refusedWith(
        { method, binaryBody: bytes },
        `\`binaryBody\` cannot be sent with ${method}: use POST or PUT.`,
      );
      await refusedWith({ method, formData: form }, `\`formData\` cannot be sent with ${method}: use POST or PUT.`);
    }
  });

  it('has one valid source', async () => {
    await refusedWith({ binaryBody: 'text' }, /^`binaryBody` must be bytes, but is a string: pass `\{ path \}`/);
    for (const binaryBody of [{}, { url: 'https://x', path: 'y' }, { contentType: 'a/b' }]) {
      await refusedWith({ binaryBody }, /^`binaryBody` needs exactly one of `data`, `path`, `url` and `base64`/);
    }
    await refusedWith({ binaryBody: { data: 'text' } }, /^`binaryBody.data` must be bytes or a stream of them, but/);
    await refusedWith({ binaryBody: { path: '' } }, /^`binaryBody.path` must be a non-empty string/);
    await refusedWith({ binaryBody: { data: bytes, file: 'x' } }, /^Unknown key `binaryBody.file`/);
    await refusedWith({ binaryBody: { path: 'x', size: 1 } }, '`binaryBody.size` is for `data` only.');
    await refusedWith({ binaryBody: { data: bytes, size: 2 } }, /^`binaryBody.size` is 2, but the data has 1 bytes/);
    await refusedWith(
      { binaryBody: { path: 'x', contentType: 'a\r\nb' } },
      /^`binaryBody.contentType` has a line break/,
    );
    const { readable } = new TransformStream();
    readable.getReader();
    await refusedWith({ binaryBody: readable }, /^`binaryBody` is a stream that is in use already/);
    await refusedWith({ formData: { a: 1 } }, '`formData` must be a FormData, but is an object.');
    const parameters = [{ name: 'content-type', value: 'multipart/form-data', in: 'header' }];
    await refusedWith({ formData: new FormData(), parameters }, /^`parameters` must not have Content-Type/);
  });
});

describe('call options', () => {
  it('have a timeout above 0', async () => {
    const must = '`timeout` must be a number of milliseconds above 0, but is';
    for (const timeout of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await refused(() => session.proxyExecute(GOOD, { timeout }), `${must} ${timeout}.`);
    }
    await refused(() => session.proxyExecute(GOOD, { timeout: '5' } as Wrong), `${must} a string.`);
    await refused(() => new Composio({ apiKey: 'k', timeout: 0 }), `${must} 0.`);
  });

  it('have a valid signal', async () => {
    const must = '`signal` must be an AbortSignal, but is';
    await refused(() => session.proxyExecute(GOOD, { signal: {} } as Wrong), new RegExp(`^${must} an object`));
    await refused(
      () => session.proxyExecute(GOOD, { signal: new AbortController() } as Wrong),
      `${must} an AbortController: pass the \`signal\` of an AbortController.`,
    );
  });

  it('have a known response type', async () => {
    await refused(
      () => session.proxyExecute(GOOD, { responseType: 'blob' } as Wrong),
      "`responseType` cannot be 'blob': use 'json' or 'text' or 'stream' or 'bytes'.",
    );
  });

  it('are an object', async () => {
    await refused(() => session.proxyExecute(GOOD, 5 as Wrong), 'The argument must be an object, but is a number.');
  });
});

describe('a call with several problems', () => {
  it('is refused with all of them at once', async () => {
    await refused(
      () =>
        session.proxyExecute({ toolkit: '', endpoint: '/x', method: 'get', parameters: [{ value: true }] } as Wrong),
      /^`toolkit` must be/,
      /^`method` must be in upper case/,
      /^`parameters\[0\]\.name` is missing/,
      /^`parameters\[0\]\.value` must be/,
      /^`parameters\[0\]\.in` is missing/,
    );
  });

  it('is refused without any argument', async () => {
    await refused(() => (session.proxyExecute as Wrong)(), 'The argument must be an object, but is undefined.');
    await refused(() => (composio.create as Wrong)(), /^`userId` is missing/);
    await refused(() => (composio.use as Wrong)(), '`sessionId` is missing.');
    await refused(() => (gateway.connectedAccounts.get as Wrong)(), '`accountId` is missing.');
  });
});

describe('sessions', () => {
  it('have a configuration in the documented form', async () => {
    await refused(() => composio.create(''), /^`userId` must be a non-empty string, but is empty/);
    await refused(() => composio.create('u', { toolkits: 'github' } as Wrong), /^`toolkits` must be an array of names/);
    await refused(
      () => composio.create('u', { toolkits: [''] }),
      '`toolkits[0]` must be a non-empty string, but is empty.',
    );
    await refused(
      () => composio.create('u', { toolkits: { enable: [], disable: [] } } as Wrong),
      '`toolkits` must have either `enable` or `disable`.',
    );
    await refused(
      () => composio.create('u', { connectedAccounts: { github: 5 } } as Wrong),
      '`connectedAccounts.github` must be an array, but is a number.',
    );
    await refused(
      () => composio.create('u', { multiAccount: { maxAccountsPerToolkit: 1 } }),
      '`multiAccount.maxAccountsPerToolkit` must be a whole number from 2 to 10, but is 1.',
    );
  });

  it('are updated with at least one key', async () => {
    await refused(() => session.update({}), /^The update is empty/);
  });

  it('travel under the names of the wire', async () => {
    await composio.create('user_1', {
      toolkits: ['github'],
      connectedAccounts: { github: 'ca_1', slack: ['ca_2'] },
      authConfigs: { github: 'ac_1' },
      manageConnections: { callbackUrl: 'https://a.test', waitForConnections: true },
      tools: { github: { tags: ['readOnlyHint'] }, slack: ['SLACK_SEND'] },
      tags: { disable: ['destructiveHint'] },
      multiAccount: { enable: true },
      sandbox: { enable: true, enableProxyExecution: false, autoOffloadThreshold: 9, sandboxSize: 'large' },
    });
    assert.deepEqual(backend.asked[0]?.body, {
      user_id: 'user_1',
      toolkits: { enable: ['github'] },
      connected_accounts: { github: ['ca_1'], slack: ['ca_2'] },
      auth_configs: { github: 'ac_1' },
      manage_connections: { enable: true, callback_url: 'https://a.test', enable_wait_for_connections: true },
      tools: { github: { tags: { enable: ['readOnlyHint'] } }, slack: { enable: ['SLACK_SEND'] } },
      tags: { disable: ['destructiveHint'] },
      multi_account: { enable: true, require_explicit_selection: true },
      workbench: { enable: true, enable_proxy_execution: false, auto_offload_threshold: 9, sandbox_size: 'large' },
    });

    await composio.create('user_1');
    assert.deepEqual(backend.asked[1]?.body, { user_id: 'user_1', manage_connections: { enable: true } });

    await session.update({ toolkits: { disable: ['slack'] }, connectedAccounts: null, manageConnections: false });
    assert.deepEqual(backend.asked[2]?.body, {
      toolkits: { disable: ['slack'] },
      connected_accounts: null,
      manage_connections: { enable: false },
    });
    assert.deepEqual(session.config.manage_connections, { enable: false }, 'the response to the update');
    assert.equal(session.mcp.url, 'http://mcp.test', 'which the response to an update omits');
  });
});

describe('`query` and `headers`', () => {
  it('are written as parameters, after the given ones', async () => {
    await session.proxyExecute({
      ...GOOD,
      parameters: [{ name: 'first', value: 1, in: 'query' }],
      query: { page: 2, tag: ['a', 'b c'], gone: undefined, none: [], empty: '' },
      headers: { Accept: 'text/plain', 'x-ids': [7, 8] },
    });
    assert.deepEqual(sent(0).parameters, [
      { name: 'first', value: '1', type: 'query' },
      { name: 'page', value: '2', type: 'query' },
      { name: 'tag', value: 'a', type: 'query' },
      { name: 'tag', value: 'b c', type: 'query' },
      { name: 'empty', value: '', type: 'query' },
      { name: 'Accept', value: 'text/plain', type: 'header' },
      { name: 'x-ids', value: '7', type: 'header' },
      { name: 'x-ids', value: '8', type: 'header' },
    ]);
    backend.asked.length = 0;
    const call = { connectedAccountId: 'ca_1', endpoint: '/', method: 'GET', query: { a: 1 } } as const;
    await composio.tools.proxyExecute(call);
    assert.deepEqual(sent(0).parameters, [{ name: 'a', value: '1', type: 'query' }]);
  });

  it('are refused with values that cannot be sent, each by its place', async () => {
    for (const key of ['query', 'headers']) {
      await refusedWith({ [key]: [] }, `\`${key}\` must be an object, but is an array.`);
      await refusedWith({ [key]: null }, `\`${key}\` must be an object, but is null.`);
      await refusedWith({ [key]: { a: true } }, `\`${key}.a\` must be a string or a finite number, but is a boolean.`);
      await refusedWith({ [key]: { a: null } }, `\`${key}.a\` must be a string or a finite number, but is null.`);
      await refusedWith(
        { [key]: { a: ['x', Number.NaN] } },
        `\`${key}.a[1]\` must be a string or a finite number, but is NaN.`,
      );
      await refusedWith(
        { [key]: { a: [['x']] } },
        /^`\w+\.a\[0\]` must be a string or a finite number, but is an array\.$/,
      );
      await refusedWith({ [key]: { a: '\ud800' } }, /^`\w+\.a` has half of a surrogate pair/);
      await refusedWith({ [key]: { '': 'x' } }, /^`\w+\.` must be a non-empty string, but is empty\.$/);
    }
    await refusedWith({ headers: { 'a b': 'x' } }, /^`headers\.a b` is not the name of a header/);
    await refusedWith({ headers: { a: 'x\r\nb: y' } }, /^`headers\.a` has a line break/);
    const pairs = 'must be a plain object, but is a';
    await refusedWith(
      { headers: new Headers({ a: 'b' }) },
      `\`headers\` ${pairs} Headers: pass \`Object.fromEntries(headers)\`.`,
    );
    await refusedWith(
      { query: new URLSearchParams('a=b') },
      `\`query\` ${pairs} URLSearchParams: pass \`Object.fromEntries(query)\`.`,
    );
    await refusedWith({ query: new Map([['a', 'b']]) }, `\`query\` ${pairs} Map: pass \`Object.fromEntries(query)\`.`);
    const form = { formData: new FormData(), headers: { 'content-type': 'multipart/form-data' } };
    await refusedWith(form, /^`parameters` must not have Content-Type/);
  });
});

describe('a valid request', () => {
  it('travels under the names of the wire', async () => {
    await session.proxyExecute({
      ...GOOD,
      body: { at: new Date(0), gone: undefined, nested: [Number.NaN] },
      parameters: [
        { name: 'X-Count', value: 5, in: 'header' },
        { name: 'q', value: 'a\nb', type: 'query' },
      ],
    });
    assert.deepEqual(backend.asked[0]?.body, {
      toolkit_slug: 'github',
      endpoint: '/user',
      method: 'POST',
      body: { at: '1970-01-01T00:00:00.000Z', nested: [null] },
      parameters: [
        { name: 'X-Count', value: '5', type: 'header' },
        { name: 'q', value: 'a\nb', type: 'query' },
      ],
    });
    assert.equal(backend.asked[0]?.path, '/api/v3.1/tool_router/session/trs_stub/proxy_execute');
    assert.equal(backend.asked[0]?.headers['x-api-key'], 'ak_test');
  });

  it('may be a HEAD, and may be outside of a session', async () => {
    await composio.tools.proxyExecute({ connectedAccountId: 'ca_1', endpoint: '/user', method: 'HEAD' });
    assert.deepEqual(backend.asked[0]?.body, { connected_account_id: 'ca_1', endpoint: '/user', method: 'HEAD' });
    assert.equal(backend.asked[0]?.path, '/api/v3.1/tools/execute/proxy');

    const customConnectionData = { authScheme: 'BEARER_TOKEN', toolkitSlug: 'github', val: { token: 't' } };
    await composio.tools.proxyExecute({ customConnectionData, endpoint: '/user', method: 'GET' });
    assert.deepEqual(sent(1).custom_connection_data, customConnectionData);
    await refused(
      () => {
        backend.asked.length = 0;
        return composio.tools.proxyExecute({
          customConnectionData: { authScheme: 1 },
          endpoint: '/',
          method: 'GET',
        } as Wrong);
      },
      /^`customConnectionData.authScheme` must be/,
      /^`customConnectionData.toolkitSlug` is missing/,
      /^`customConnectionData.val` must be an object/,
    );
  });
});

describe('the options of Composio', () => {
  it('need an API key', () => {
    const { COMPOSIO_API_KEY } = process.env;
    process.env.COMPOSIO_API_KEY = '';
    try {
      assert.throws(() => new Composio(), ComposioNoAPIKeyError);
      const known = { code: 'TS-SDK::NO_API_KEY_PROVIDED', statusCode: 401 };
      assert.throws(() => new Composio(), known);
      assert.throws(() => new Composio(), /Pass `apiKey` to `new Composio\(\)`, set COMPOSIO_API_KEY/);
    } finally {
      if (COMPOSIO_API_KEY === undefined) delete process.env.COMPOSIO_API_KEY;
      else process.env.COMPOSIO_API_KEY = COMPOSIO_API_KEY;
    }
  });

  it('are read from the environment', async () => {
    process.env.COMPOSIO_API_KEY = 'ak_environment';
    process.env.COMPOSIO_BASE_URL = backend.url;
    try {
      await new Composio().use('trs_1');
      assert.equal(backend.asked[0]?.headers['x-api-key'], 'ak_environment');
    } finally {
      delete process.env.COMPOSIO_API_KEY;
      delete process.env.COMPOSIO_BASE_URL;
    }
  });

  it('may be those of the Composio SDK', async () => {
    const options = { allowTracking: false, disableVersionCheck: true };
    await new Composio({ apiKey: 'ak_test', baseURL: backend.url, ...options }).use('trs_1');
    process.env.COMPOSIO_BASE_URL = backend.url;
    try {
      await new Composio({ apiKey: 'ak_test', baseURL: null }).use('trs_1');
    } finally {
      delete process.env.COMPOSIO_BASE_URL;
    }
    assert.equal(backend.asked.length, 2);
    backend.asked.length = 0;
    await refused(
      () => new Composio({ apiKey: 'k', allowTracking: 'no' } as unknown as Wrong),
      '`allowTracking` must be true or false, but is a string.',
    );
  });

  it('are checked', async () => {
    await refused(
      () =>
        new Composio({
          apiKey: '',
          baseURL: 1,
          maxRetries: 0.5,
          apiVersion: 'v2',
          defaultHeaders: { 'a b': 'c', d: 1 },
        } as Wrong),
      '`apiKey` must be a non-empty string, but is empty.',
      '`baseURL` must be a non-empty string, but is a number.',
      '`maxRetries` must be a whole number of at least 0, but is 0.5.',
      '`defaultHeaders.a b` is not the name of a header: use letters, digits and hyphens only.',
      '`defaultHeaders.d` must be a string, but is a number.',
      "`apiVersion` cannot be 'v2': use 'v3.1' or 'v3'.",
    );
    await refused(() => new Composio({ gateway: {} } as Wrong), /^`gateway` must be an open Gateway, but is an object/);
    await refused(
      () => new Composio({ gateway, apiKey: 'k' } as Wrong),
      'Unknown key `apiKey`: the known ones are `gateway`, `timeout`, `retry`.',
    );
  });

  it('reach every request', async () => {
    const other = new Composio({
      apiKey: 'k',
      baseURL: backend.url,
      apiVersion: 'v3',
      defaultHeaders: { 'X-Team': 'a' },
    });
    await other.use('trs_1');
    assert.equal(backend.asked[0]?.path, '/api/v3/tool_router/session/trs_1');
    assert.equal(backend.asked[0]?.headers['x-team'], 'a');
  });
});

describe('the gateway', () => {
  it('has options that are checked', async () => {
    await refused(
      () =>
        Gateway.open({
          store: '',
          toolkits: [1],
          allowPrivateHosts: 'x',
          allowPrivateRedirects: [1],
          allowPrivateBodies: {},
          allowPrivateWebhooks: [2],
          maxResponseBytes: 0,
          maxExpansion: 0,
          upstreamTimeout: 1.5,
          refreshIdleAfter: 0,
        } as Wrong),
      /^`store` must be a non-empty string/,
      '`toolkits[0]` must be a path or a definition of a toolkit, but is a number.',
      '`allowPrivateHosts` must be an array, but is a string.',
      /`allowPrivateRedirects\[0\]` must be/,
      '`allowPrivateBodies` must be an array, but is an object.',
      /`allowPrivateWebhooks\[0\]` must be/,
      '`maxResponseBytes` must be a whole number of at least 1, but is 0.',
      '`maxExpansion` must be a whole number of at least 1, but is 0.',
      '`upstreamTimeout` must be a whole number of at least 1, but is 1.5.',
      '`refreshIdleAfter` must be a whole number of at least 1, but is 0.',
    );
    await refused(
      () => gateway.listen({ port: 65_536 }),
      '`port` must be a whole number from 0 to 65535, but is 65536.',
    );
  });

  it('has accounts and keys that are checked', async () => {
    await refused(
      () => gateway.connectedAccounts.import({ credential: {} } as Wrong),
      /^`userId` is missing/,
      /^`toolkit` is missing/,
      /^`credential.authScheme` is missing/,
      /^`credential.val` must be an object/,
    );
    await refused(() => gateway.connectedAccounts.list({ limit: 0 }), /^`limit` must be a whole number from 1 to 1000/);
    await refused(
      () => gateway.apiKeys.create({ permissions: { sessions: 'all' } } as Wrong),
      "`permissions.sessions` cannot be 'all': use 'none' or 'read' or 'write' or 'read_write'.",
    );
  });
});
