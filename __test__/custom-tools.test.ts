/**
 * Custom tools: functions of the caller's program that a session runs in this process.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  Composio,
  type CustomTool,
  experimental_createTool as createTool,
  experimental_createToolkit as createToolkit,
  Gateway,
  type Session,
  UnsupportedFeatureError,
  ValidationError,
} from '../index.js';
import { rejection } from './support/expect';
import { Upstream } from './support/upstream';

/** A schema in the manner of zod, for `{ repository: string }`. */
const repositorySchema = {
  parse(value: unknown): { repository: string } {
    const { repository } = Object(value);
    if (typeof repository !== 'string') throw new Error('repository: expected a string');
    return { repository: repository.toLowerCase() };
  },
};

const named = { name: 'A tool', description: 'Does something.' };

describe('custom tools', () => {
  let upstream: Upstream;
  let gateway: Gateway;
  let composio: Composio;
  let session: Session;

  const readRepository = createTool('READ', {
    ...named,
    extendsToolkit: 'github',
    inputParams: repositorySchema,
    execute: async ({ repository }, context) => {
      const call = { toolkit: 'github', endpoint: `/repos/${repository}`, method: 'GET' } as const;
      const { status, data } = await context.proxyExecute<{ headers: Record<string, string> }>(call);
      return { user: context.userId, status, authorization: data.headers.authorization };
    },
  });
  const count = createTool('COUNT', {
    ...named,
    inputParams: { type: 'object', properties: { text: { type: 'string' } } },
    execute: async ({ text }) => ({ length: text.length }),
  });
  const both = createTool('BOTH', {
    ...named,
    inputParams: { type: 'object' },
    execute: async (_input, context) => (await context.execute('LOCAL_COUNT', { text: 'four' })).data,
  });
  const waits = createTool('WAIT', {
    ...named,
    inputParams: { type: 'object' },
    execute: async (_input, { proxyExecute }) => proxyExecute({ toolkit: 'github', endpoint: '/hangs', method: 'GET' }),
  });
  const team = createToolkit('TEAM', {
    name: 'Team',
    description: 'The team.',
    tools: [createTool('count', { ...named, inputParams: { type: 'object' }, execute: async () => ({ members: 2 }) })],
  });

  before(async () => {
    upstream = await Upstream.start();
    gateway = await Gateway.open({
      allowPrivateHosts: ['127.0.0.1'],
      toolkits: [
        {
          slug: 'github',
          name: 'GitHub',
          base_url: upstream.origin,
          schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
        },
      ],
    });
    await gateway.connectedAccounts.import({
      userId: 'ann',
      toolkit: 'github',
      credential: { authScheme: 'BEARER_TOKEN', val: { token: 'token-of-ann' } },
    });
    composio = new Composio({ gateway });
    session = await composio.create('ann', {
      experimental: { customTools: [readRepository, count, both, waits], customToolkits: [team] },
    });
  });

  after(async () => {
    await gateway.close();
    await upstream.close();
  });

  it('are listed with the names that they have in the session', () => {
    const slugs = session.customTools().map(({ slug, toolkit }) => [slug, toolkit]);
    assert.deepEqual(slugs, [
      ['LOCAL_GITHUB_READ', 'github'],
      ['LOCAL_COUNT', undefined],
      ['LOCAL_BOTH', undefined],
      ['LOCAL_WAIT', undefined],
      ['LOCAL_TEAM_COUNT', 'TEAM'],
    ]);
    assert.deepEqual(
      session.customTools({ toolkit: 'GitHub' }).map(({ slug }) => slug),
      ['LOCAL_GITHUB_READ'],
    );
    const [toolkit] = session.customToolkits();
    assert.deepEqual([toolkit?.slug, toolkit?.tools.map(({ slug }) => slug)], ['TEAM', ['LOCAL_TEAM_COUNT']]);
    assert.deepEqual(session.customTools()[1]?.inputSchema, {
      type: 'object',
      properties: { text: { type: 'string' } },
    });
  });

  it("call an API as the session's user, with the input that the schema returned", async () => {
    const result = await session.execute('READ', { repository: 'Octocat/Hello' });
    const data = { user: 'ann', status: 200, authorization: 'Bearer token-of-ann' };
    assert.deepEqual(result, { data, error: null, logId: '', resultType: 'completed' });
    assert.equal(upstream.last.url, '/repos/octocat/hello');
  });

  it('run each other', async () => {
    assert.deepEqual((await session.execute('LOCAL_BOTH')).data, { length: 4 });
  });

  it('that fail are a result with the error', async () => {
    const refused = await session.execute('READ', { repository: 7 });
    const why = 'The input of the tool cannot be used: repository: expected a string';
    assert.deepEqual(refused, { data: {}, error: why, logId: '', resultType: 'failed' });
    const thrown = await session.execute('LOCAL_COUNT', {});
    assert.match(thrown.error ?? '', /undefined/);
  });

  it('take a schema with safeParse alone', async () => {
    const safe = createTool('SAFE', {
      ...named,
      inputParams: {
        safeParse: (value: unknown): { success: true; data: { n: number } } | { success: false; error: unknown } => {
          const { n = 1 } = Object(value);
          return typeof n === 'number' ? { success: true, data: { n } } : { success: false, error: new Error('no n') };
        },
      },
      execute: async ({ n }) => ({ twice: 2 * n }),
    });
    const own = await composio.create('ann', { experimental: { customTools: [safe] } });
    assert.deepEqual((await own.execute('SAFE')).data, { twice: 2 });
    assert.equal((await own.execute('SAFE', { n: 'x' })).error, 'The input of the tool cannot be used: no n');
  });

  it('are meant by their own slug only if it is that of one tool', async () => {
    await rejection(() => session.execute('COUNT'), ValidationError, { names: /`LOCAL_COUNT` or `LOCAL_TEAM_COUNT`/ });
    assert.deepEqual((await session.execute('local_team_count')).data, { members: 2 });
  });

  it("end with the signal's reason if the call is aborted", async () => {
    upstream.on('/hangs', () => {});
    const controller = new AbortController();
    const running = session.execute('WAIT', {}, undefined, { signal: controller.signal });
    const reason = new Error('The user left.');
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(running, reason);
    await assert.rejects(session.execute('BOTH', {}, undefined, { signal: controller.signal }), reason);
  });

  it('are given to an existing session again, because the backend does not store them', async () => {
    const again = await composio.use(session.sessionId);
    assert.deepEqual(again.customTools(), []);
    await rejection(() => again.execute('COUNT'), UnsupportedFeatureError, { slug: 'NotSupported' });
    const bound = await composio.use(session.sessionId, { customTools: [count] });
    assert.deepEqual((await bound.execute('COUNT', { text: 'ab' })).data, { length: 2 });
  });

  it('are refused if they cannot be used', () => {
    const good = { ...named, inputParams: { type: 'object' }, execute: async () => ({}) };
    const refused: [() => unknown, RegExp][] = [
      [() => createTool('', good), /`slug` must be a non-empty string/],
      [() => createTool('a b', good), /`slug` may have letters/],
      [() => createTool('local_x', good), /`slug` cannot begin with `LOCAL_`/],
      [() => createTool('X'.repeat(55), good), /`slug` is too long/],
      [() => createTool('X', { ...good, name: '' }), /`name`/],
      [() => createTool('X', { ...good, description: undefined as never }), /`description` is missing/],
      [() => createTool('X', { ...good, inputParams: undefined as never }), /`inputParams` must be an object/],
      [() => createTool('X', { ...good, execute: {} as never }), /`execute` must be a function/],
      [() => createTool('X', { ...good, extra: 1 } as never), /Unknown key `extra`/],
      [() => createToolkit('X', { ...named, tools: [] }), /`tools` has no tool/],
      [() => createToolkit('X', { ...named, tools: [readRepository] }), /`tools\[0\]` has `extendsToolkit`/],
      [() => createToolkit('X', { ...named, tools: [{} as CustomTool] }), /`tools\[0\]` was not made by/],
    ];
    for (const [call, names] of refused) {
      assert.throws(call, (error) => error instanceof ValidationError && names.test(error.message), `${names}`);
    }
  });

  it('of a session have different names', async () => {
    const twice = { experimental: { customTools: [count, count] } };
    await rejection(() => composio.create('ann', twice), ValidationError, { names: /has the slug `LOCAL_COUNT`/ });
    const foreign = { experimental: { customTools: [team as never] } };
    await rejection(() => composio.create('ann', foreign), ValidationError, { names: /experimental_createTool/ });
  });
});

describe('members for tools of the hosted backend', () => {
  it('reject, and say what to use', async () => {
    const gateway = await Gateway.open();
    const composio = new Composio({ gateway });
    const session = await composio.create('ann');
    const calls: [string, () => Promise<unknown>, RegExp][] = [
      ['session.tools', () => session.tools(), /session\.proxyExecute/],
      ['session.search', () => session.search({ query: 'x' }), /session\.proxyExecute/],
      ['session.execute', () => session.execute('GITHUB_GET_ISSUE', {}), /session\.proxyExecute/],
      ['session.listConfigHistory', () => session.listConfigHistory(), /session\.config/],
      ['session.files.upload', () => session.experimental.files.upload('notes.txt'), /binaryBody/],
      ['tools.get', () => composio.tools.get('ann', { toolkits: ['github'] }), /session\.proxyExecute/],
      ['tools.createCustomTool', () => composio.tools.createCustomTool({}), /experimental_createTool/],
      ['triggers.subscribe', () => composio.triggers.subscribe(() => {}), /webhook at the API itself/],
      ['webhooks.set', () => composio.webhooks.set({}), /webhook at the API itself/],
      ['mcp.create', () => composio.mcp.create('x', {}), /session\.mcp\.url/],
      ['files.upload', () => composio.files.upload({}), /binaryBody/],
      ['logs.search', () => composio.logs.search({}), /gateway\.calls\.list/],
      ['sessionConfigs.list', () => composio.sessionConfigs.list(), /composio\.create/],
    ];
    for (const [feature, call, fix] of calls) {
      const facts = { slug: 'NotSupported', names: new RegExp(`^\`${feature}\` is not in this package\\.`), fix };
      const error = await rejection(call, UnsupportedFeatureError, facts);
      assert.equal(error.feature, feature);
    }
    await gateway.close();
  });
});
