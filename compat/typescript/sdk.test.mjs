/** The vendor's TypeScript SDK, unchanged, against a gateway on a port. `SDK` names the package of one of its versions. */

import assert from 'node:assert/strict';
import { once as onceOf } from 'node:events';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import { startGateway, watchLog } from './gateway.mjs';

const isNewest = process.env.SDK !== undefined;
const { AuthConfigTypes, AuthScheme, Composio } = await import(process.env.SDK ?? '@composio/core');

let gateway;
let composio;
let log;

/** The SDK with its update check and telemetry off, and nothing else changed. */
function sdk(apiKey, baseURL = gateway.baseURL) {
  return new Composio({ apiKey, baseURL, allowTracking: false, disableVersionCheck: true });
}

before(async () => {
  gateway = await startGateway();
  composio = sdk(gateway.apiKey);
  log = watchLog();
});

after(() => gateway.stop());

afterEach(() => assert.deepEqual(log.splice(0), [], 'the SDK has nothing to complain about'));

describe('the quick starts of the documentation', () => {
  it('GitHub: an issue, with a header parameter', async () => {
    const session = await composio.create('ann', { toolkits: ['github'] });
    const { status, data, headers } = await session.proxyExecute({
      toolkit: 'github',
      endpoint: '/repos/composiohq/composio/issues/1',
      method: 'GET',
      parameters: [{ name: 'Accept', value: 'application/vnd.github.v3+json', in: 'header' }],
    });
    assert.equal(status, 200);
    assert.equal(data.path, '/repos/composiohq/composio/issues/1');
    assert.equal(data.accept, 'application/vnd.github.v3+json');
    assert.equal(data.authorization, 'Bearer token-of-ann');
    assert.equal(headers['x-upstream'], 'yes');
  });

  it('Slack bot: a pinned account, and absolute URLs on its host', async () => {
    const created = await composio.create('ann', {
      connectedAccounts: { slackbot: [gateway.slackAccount] },
      manageConnections: { enable: true, callbackUrl: 'https://bot.example/callback', waitForConnections: true },
    });
    const session = await composio.use(created.sessionId);
    const call = (endpoint, body) =>
      session.proxyExecute({ toolkit: 'slackbot', endpoint: gateway.upstreamURL + endpoint, method: 'POST', body });

    const typing = await call('/api/assistant.threads.setStatus', {
      channel_id: 'C1',
      thread_ts: undefined,
      status: 'is typing…',
    });
    assert.deepEqual([typing.status, typing.data.body], [200, { channel_id: 'C1', status: 'is typing…' }]);

    const opened = await call('/api/conversations.open', { users: 'U1' });
    assert.equal(opened.data.channel.id, 'D024BE91L');
    assert.equal(opened.data.authorization, 'Bearer token-of-ann');
  });
});

describe('sessions', () => {
  it('are created, used, updated and deleted', async () => {
    const session = await composio.create('ann', { toolkits: ['github'] });
    assert.match(session.sessionId, /^trs_/);
    assert.equal(session.configVersion, 1);
    assert.deepEqual(session.config.toolkits, { enabled: ['github'] });
    assert.equal(session.config.user_id, 'ann');
    assert.deepEqual(session.preload, { tools: [] });
    const { type, url, headers } = session.mcp;
    assert.deepEqual([type, url], ['http', `${gateway.baseURL}/mcp/${session.sessionId}`]);
    assert.equal(headers['x-api-key'], gateway.apiKey);

    const used = await composio.use(session.sessionId);
    assert.deepEqual(used.config, session.config);

    await used.update({ toolkits: ['slackbot'] });
    assert.equal(used.configVersion, 2);
    assert.deepEqual(used.config.toolkits, { enabled: ['slackbot'] });
    await assert.rejects(
      session.proxyExecute({ toolkit: 'github', endpoint: '/x', method: 'GET' }),
      (error) => error.status === 403 && error.error.error.message.startsWith('[Session Restriction]'),
    );

    assert.deepEqual(await session.delete(), { sessionId: session.sessionId, deleted: true });
    await assert.rejects(composio.use(session.sessionId), { status: 404 });
  });

  it('are changed only in the version that the change is based on', async (test) => {
    const session = await composio.create('ann', { toolkits: ['github'] });
    const other = await composio.use(session.sessionId);
    await other.update({ toolkits: [] });
    assert.deepEqual(other.config.toolkits, { enabled: [] });
    if (!isNewest) return test.skip('this version of the SDK knows neither null nor an expected version');
    await other.update({ toolkits: null });
    assert.deepEqual([other.configVersion, other.config.toolkits], [3, undefined]);
    await assert.rejects(session.update({ toolkits: ['github'], expectedConfigVersion: session.configVersion }), {
      name: 'ComposioSessionConfigConflictError',
    });
    await other.update({ toolkits: ['github'], expectedConfigVersion: 3 });
    assert.equal(other.configVersion, 4);
  });

  it('accept every option of the SDK', async () => {
    const { id: acmeConfig } = await composio.authConfigs.create('acme', {
      type: AuthConfigTypes.CUSTOM,
      authScheme: 'API_KEY',
      credentials: {},
    });
    const session = await composio.create('ann', {
      toolkits: { disable: ['open'] },
      authConfigs: { acme: acmeConfig },
      connectedAccounts: { github: gateway.githubAccount },
      manageConnections: false,
      multiAccount: { enable: true },
      workbench: { enable: false },
      experimental: { assistivePrompt: { userTimezone: 'Europe/Berlin' } },
    });
    assert.deepEqual(session.config.toolkits, { disabled: ['open'] });
    assert.deepEqual(session.config.connected_accounts, { github: [gateway.githubAccount] });
    assert.deepEqual(session.config.manage_connections, { enabled: false });
    assert.equal(session.config.multi_account.enable, true);
    assert.equal(session.workbench.enable, false);
  });

  it('are refused with a restriction that a gateway does not enforce', async () => {
    for (const restriction of [
      { tags: ['readOnlyHint'] },
      { tags: { disable: ['destructiveHint'] } },
      { tools: { github: { tags: ['readOnlyHint'] } } },
      { tools: { github: { enable: ['GITHUB_GET_AN_ISSUE'] } } },
    ]) {
      await assert.rejects(composio.create('ann', restriction), (error) => {
        assert.equal(error.status, 400);
        assert.match(error.error.error.message, /would restrict the session, and a gateway does not enforce it/);
        return true;
      });
    }
  });

  it('list toolkits with the account that a call would use', async () => {
    const session = await composio.create('ann', { toolkits: ['github', 'acme', 'open'] });
    const { items, cursor } = await session.toolkits();
    assert.equal(cursor, undefined);
    const [acme, github, open] = items;
    assert.deepEqual([acme.slug, github.slug, open.slug], ['acme', 'github', 'open']);
    assert.equal(acme.connection.isActive, false);
    assert.equal(github.connection.isActive, true);
    assert.deepEqual(github.connection.connectedAccount, { id: gateway.githubAccount, status: 'ACTIVE' });
    assert.equal(github.connection.authConfig.mode, 'BEARER_TOKEN');
    assert.equal(open.isNoAuth, true);

    const slugs = async (options) => (await session.toolkits(options)).items.map(({ slug }) => slug);
    assert.deepEqual(await slugs({ isConnected: true }), ['github']);
    assert.deepEqual(await slugs({ toolkits: ['slackbot', 'acme'] }), ['acme', 'slackbot']);
    assert.deepEqual(await slugs({ search: 'gitH' }), ['github']);
    const first = await session.toolkits({ limit: 2 });
    assert.equal(first.totalPages, 2);
    assert.deepEqual(await slugs({ limit: 2, cursor: first.cursor }), ['open']);
  });

  it('create links', async () => {
    const session = await composio.create('bea', { toolkits: ['github'] });
    const request = await session.authorize('github', { callbackUrl: 'https://app.example/done', alias: 'work' });
    assert.match(request.redirectUrl, /\/connect\/lt_/);
    const account = await composio.connectedAccounts.get(request.id);
    assert.deepEqual([account.status, account.alias], ['INITIALIZING', 'work']);
    await composio.connectedAccounts.delete(request.id);
  });
});

describe('session.proxyExecute', () => {
  let session;
  before(async () => {
    session = await composio.create('ann', { toolkits: ['github'] });
  });
  const call = (params) => session.proxyExecute({ toolkit: 'github', endpoint: '/x', method: 'GET', ...params });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    it(`${method} with a body`, async () => {
      const { status, data } = await call({ method, body: { title: 'Crash', labels: ['bug'], n: 1.5 } });
      assert.deepEqual([status, data.method], [200, method]);
      assert.deepEqual(data.body, { title: 'Crash', labels: ['bug'], n: 1.5 });
    });
  }

  it('query parameters, in order, after those of the endpoint', async () => {
    const { data } = await call({
      endpoint: '/search?q=a%20b',
      parameters: [
        { name: 'page', value: 2, in: 'query' },
        { name: 'tag', value: 'x', in: 'query' },
        { name: 'tag', value: 'ü', in: 'query' },
      ],
    });
    assert.deepEqual(data.query, [
      ['q', 'a b'],
      ['page', '2'],
      ['tag', 'x'],
      ['tag', 'ü'],
    ]);
  });

  it('an absolute URL', async () => {
    const { data } = await call({ endpoint: `${gateway.upstreamURL}/user` });
    assert.equal(data.path, '/user');
    await assert.rejects(
      call({ endpoint: 'https://elsewhere.example/user' }),
      ({ status, error }) => status === 400 && error.error.slug === 'OriginMismatch',
    );
  });

  for (const status of [400, 401, 403, 404, 422, 429, 500, 503]) {
    it(`${status} of the toolkit is a value`, async () => {
      const answer = await call({ endpoint: `/status/${status}` });
      assert.deepEqual([answer.status, answer.data.ok], [status, false]);
    });
  }

  it('text is a string, and nothing is null', async () => {
    const text = await call({ endpoint: '/text' });
    assert.equal(text.data, 'diff --git a/x b/x\n');
    const nothing = await call({ endpoint: '/nothing' });
    assert.deepEqual([nothing.status, nothing.data], [204, null]);
  });
});

describe('tools.proxyExecute', () => {
  it('calls as an account', async () => {
    const { status, data } = await composio.tools.proxyExecute({
      endpoint: '/user',
      method: 'GET',
      connectedAccountId: gateway.githubAccount,
      parameters: [{ name: 'page', value: 1, in: 'query' }],
    });
    assert.deepEqual([status, data.path, data.authorization], [200, '/user', 'Bearer token-of-ann']);
    assert.deepEqual(data.query, [['page', '1']]);
  });

  it('calls with credentials in the call', async () => {
    const { data } = await composio.tools.proxyExecute({
      endpoint: '/user',
      method: 'POST',
      body: { a: 1 },
      customConnectionData: { toolkitSlug: 'acme', authScheme: 'API_KEY', val: { api_key: 'key-1' } },
    });
    assert.deepEqual([data.apiKey, data.body], ['key-1', { a: 1 }]);
    // The newest SDK says so itself, whatever the backend.
    if (isNewest)
      assert.match(
        log.splice(0).join(),
        /^warn: \S+ - Composio: the `custom_connection_data` parameter .* is deprecated\.$/,
      );
  });

  it('needs an account or credentials', async () => {
    await assert.rejects(
      composio.tools.proxyExecute({ endpoint: '/user', method: 'GET' }),
      ({ status, error }) => status === 400 && error.error.slug === 'MissingAuthContext',
    );
  });
});

describe('auth configs and connected accounts', () => {
  it('auth configs are created, listed, read, changed and deleted', async () => {
    const created = await composio.authConfigs.create('acme', {
      type: AuthConfigTypes.CUSTOM,
      name: 'Acme for tests',
      authScheme: 'API_KEY',
      credentials: {},
    });
    assert.match(created.id, /^ac_/);
    assert.deepEqual([created.authScheme, created.toolkit, created.isComposioManaged], ['API_KEY', 'acme', false]);

    const { items } = await composio.authConfigs.list({ toolkit: 'acme', search: 'for tests' });
    assert.deepEqual(
      items.map(({ id }) => id),
      [created.id],
    );
    const read = await composio.authConfigs.get(created.id);
    assert.deepEqual([read.name, read.status, read.noOfConnections], ['Acme for tests', 'ENABLED', 0]);

    await composio.authConfigs.update(created.id, { type: 'custom', isEnabledForToolRouter: false });
    assert.equal((await composio.authConfigs.get(created.id)).isEnabledForToolRouter, false);
    await composio.authConfigs.disable(created.id);
    assert.equal((await composio.authConfigs.get(created.id)).status, 'DISABLED');
    await composio.authConfigs.enable(created.id);
    assert.equal((await composio.authConfigs.get(created.id)).status, 'ENABLED');
    await composio.authConfigs.delete(created.id);
    await assert.rejects(composio.authConfigs.get(created.id), { status: 404 });
  });

  it('an API key is imported, used, disabled, enabled and deleted', async () => {
    const { id: config } = await composio.authConfigs.create('acme', {
      type: AuthConfigTypes.CUSTOM,
      authScheme: 'API_KEY',
      credentials: {},
    });
    const request = await composio.connectedAccounts.initiate('cem', config, {
      config: AuthScheme.APIKey({ api_key: 'key-of-cem' }),
    });
    const account = await request.waitForConnection(1_000);
    assert.deepEqual([account.id, account.status, account.statusReason], [request.id, 'ACTIVE', null]);
    assert.equal(account.state.val.api_key, 'REDACTED');
    assert.match(account.wordId, /^acme_/);

    const session = await composio.create('cem', { toolkits: ['acme'] });
    const call = () => session.proxyExecute({ toolkit: 'acme', endpoint: '/x', method: 'GET' });
    assert.equal((await call()).data.apiKey, 'key-of-cem');
    await assert.rejects(composio.connectedAccounts.initiate('cem', config), {
      name: 'ComposioMultipleConnectedAccountsError',
    });

    assert.deepEqual(await composio.connectedAccounts.disable(request.id), { success: true });
    const disabled = await composio.connectedAccounts.get(request.id);
    assert.deepEqual([disabled.status, disabled.isDisabled], ['INACTIVE', true]);
    await assert.rejects(call(), ({ error }) => error.error.slug === 'ToolRouterV2_NoActiveConnection');
    assert.deepEqual(await composio.connectedAccounts.enable(request.id), { success: true });
    assert.equal((await call()).status, 200);

    assert.equal((await composio.connectedAccounts.refresh(request.id)).status, 'ACTIVE');
    assert.deepEqual(await composio.connectedAccounts.delete(request.id), { success: true });
    await assert.rejects(composio.connectedAccounts.get(request.id), { status: 404 });
  });

  it('accounts are listed by filter', async () => {
    const ids = async (query) => (await composio.connectedAccounts.list(query)).items.map(({ id }) => id);
    assert.deepEqual(await ids({ userIds: ['ann'], orderBy: 'created_at' }), [
      gateway.slackAccount,
      gateway.githubAccount,
    ]);
    assert.deepEqual(await ids({ toolkitSlugs: ['github'], statuses: ['ACTIVE'] }), [gateway.githubAccount]);
    assert.deepEqual(await ids({ userIds: ['ann'], accountType: 'SHARED' }), []);
    const { authConfig } = await composio.connectedAccounts.get(gateway.githubAccount);
    assert.deepEqual(await ids({ authConfigIds: [authConfig.id] }), [gateway.githubAccount]);
    const first = await composio.connectedAccounts.list({ userIds: ['ann'], limit: 1 });
    assert.deepEqual(await ids({ userIds: ['ann'], limit: 1, cursor: first.nextCursor }), [gateway.githubAccount]);
  });

  it('an account is shared with the users that its ACL allows', async () => {
    const { sharedAccount: id } = gateway;
    const { connectedAccounts } = composio;
    const aclOf = async () => (await connectedAccounts.get(id)).experimental;
    const acl = { allowAllUsers: false, allowedUserIds: [], notAllowedUserIds: [] };
    assert.deepEqual(await aclOf(), { accountType: 'SHARED', aclConfigForShared: acl });
    const pinned = { connectedAccounts: { slackbot: [id] } };
    const call = async (session) => {
      const { data } = await session.proxyExecute({
        toolkit: 'slackbot',
        endpoint: '/auth.test',
        method: 'POST',
        body: {},
      });
      assert.equal(data.authorization, 'Bearer token-of-team');
    };
    const refused = (attempt, status, slug) =>
      assert.rejects(attempt, (error) => {
        assert.deepEqual([error.status, error.error.error.slug], [status, slug]);
        return true;
      });

    // The account's own user pins it before the ACL is opened.
    const setup = await composio.create('team', { toolkits: ['slackbot'] });
    await setup.update(pinned);
    await call(setup);
    await refused(composio.create('ann', pinned), 400, 'ToolRouterV2_InvalidConnectedAccountIds');
    await connectedAccounts.updateAcl(id, { allowAllUsers: true });
    const session = await composio.create('ann', pinned);
    await call(session);
    const [slackbot] = (await session.toolkits({ toolkits: ['slackbot'] })).items;
    assert.deepEqual([slackbot.connection.isActive, slackbot.connection.connectedAccount.id], [true, id]);

    await connectedAccounts.updateAcl(id, { notAllowedUserIds: ['ann'] });
    await refused(call(session), 403, 'SharedAccessDenied');
    const direct = { endpoint: '/auth.test', method: 'GET', connectedAccountId: id };
    await refused(composio.tools.proxyExecute(direct), 403, 'SharedAccessDenied');
    const shared = await connectedAccounts.list({ userIds: ['team'], accountType: 'SHARED' });
    assert.deepEqual(
      shared.items.map((account) => [account.id, account.experimental]),
      [
        [
          id,
          { accountType: 'SHARED', aclConfigForShared: { ...acl, allowAllUsers: true, notAllowedUserIds: ['ann'] } },
        ],
      ],
    );
    assert.deepEqual((await connectedAccounts.list({ userIds: ['team'] })).items, []);
    await connectedAccounts.updateAcl(id, { allowAllUsers: false, notAllowedUserIds: [] });
    assert.deepEqual(await aclOf(), { accountType: 'SHARED', aclConfigForShared: acl });
  });

  it('links create a shared account', async () => {
    const { connectedAccounts } = composio;
    const { id: config } = await composio.authConfigs.create('acme', {
      type: AuthConfigTypes.CUSTOM,
      authScheme: 'API_KEY',
      credentials: {},
    });
    const aclConfigForShared = { allowedUserIds: ['ann'] };
    const experimental = { accountType: 'SHARED', aclConfigForShared };
    const session = await composio.create('sharer', { authConfigs: { acme: config } });
    for (const { id } of [
      await session.authorize('acme', { callbackUrl: 'https://app.example/done', experimental }),
      await connectedAccounts.link('sharer', config, { experimental }),
    ]) {
      const acl = { allowAllUsers: false, allowedUserIds: ['ann'], notAllowedUserIds: [] };
      const shown = (await connectedAccounts.get(id)).experimental;
      assert.deepEqual(shown, { accountType: 'SHARED', aclConfigForShared: acl });
    }
    const ofPrivate = { name: 'ComposioAclOnlyForSharedError' };
    await assert.rejects(session.authorize('acme', { experimental: { aclConfigForShared } }), ofPrivate);
    await assert.rejects(connectedAccounts.link('sharer', config, { experimental: { aclConfigForShared } }), ofPrivate);
    await assert.rejects(connectedAccounts.updateAcl(gateway.githubAccount, { allowAllUsers: true }), ofPrivate);
  });

  it('links create an account', async () => {
    const { id: config } = await composio.authConfigs.create('acme', {
      type: AuthConfigTypes.CUSTOM,
      authScheme: 'API_KEY',
      credentials: {},
    });
    const request = await composio.connectedAccounts.link('dee', config, { callbackUrl: 'https://app.example/done' });
    assert.match(request.redirectUrl, /\/connect\/lt_/);
    assert.equal((await composio.connectedAccounts.get(request.id)).status, 'INITIALIZING');
    await assert.rejects(request.waitForConnection(10), { name: 'ConnectionRequestTimeoutError' });
  });

  it('toolkits are listed and read', async () => {
    const toolkits = await composio.toolkits.get({ limit: 1_000 });
    assert.ok(toolkits.some(({ slug }) => slug === 'acme') && toolkits.some(({ slug }) => slug === 'gmail'));
    const github = await composio.toolkits.get('github');
    assert.deepEqual([github.name, github.authConfigDetails[0].mode], ['GitHub', 'BEARER_TOKEN']);
    const fields = await composio.toolkits.getConnectedAccountInitiationFields('acme', 'API_KEY');
    assert.deepEqual(
      fields.map(({ name, required, type }) => [name, required, type]),
      [['api_key', true, 'string']],
    );
    await assert.rejects(composio.toolkits.get('nonsense'), { name: 'ComposioToolkitNotFoundError' });
  });
});

describe('errors have the class of their status', () => {
  const session = (composio, config) => composio.create('ann', config);
  const call = (session, params) => session.proxyExecute({ endpoint: '/x', method: 'GET', ...params });
  const once = { maxRetries: 0 };

  for (const [status, name, slug, attempt] of [
    [
      400,
      'BadRequestError',
      'InvalidRequest',
      () => session(composio, { toolkits: ['github'] }).then(() => composio.create('')),
    ],
    [
      400,
      'BadRequestError',
      'ToolRouterV2_InvalidConnectedAccountIds',
      () => session(composio, { connectedAccounts: { github: 'ca_none' } }),
    ],
    [401, 'AuthenticationError', 'InvalidApiKey', () => session(sdk('ak_wrong'))],
    [
      403,
      'PermissionDeniedError',
      'InsufficientPermissions',
      async () => call(await session(sdk(gateway.limitedKey)), { toolkit: 'github' }),
    ],
    [
      403,
      'PermissionDeniedError',
      'ToolRouterV2_ToolkitNotAllowed',
      async () => call(await session(composio, { toolkits: ['github'] }), { toolkit: 'acme' }),
    ],
    [404, 'NotFoundError', 'ToolRouterV2_SessionNotFound', () => composio.use('trs_none')],
    [404, 'NotFoundError', 'ConnectedAccountNotFound', () => composio.connectedAccounts.get('ca_none')],
    [404, 'NotFoundError', 'ToolkitNotFound', () => session(composio, { toolkits: ['nonsense'] })],
    [422, 'UnprocessableEntityError', 'ConnectedAccountNotUsable', disabledAccount],
    [
      502,
      'InternalServerError',
      'UpstreamUnreachable',
      () =>
        composio.tools.proxyExecute({
          endpoint: '/x',
          method: 'GET',
          customConnectionData: { toolkitSlug: 'down', authScheme: 'NO_AUTH', val: {} },
        }),
    ],
    [
      502,
      'InternalServerError',
      'UpstreamUnreachable',
      async () => (await session(composio)).proxyExecute({ toolkit: 'down', endpoint: '/x', method: 'GET' }, once),
    ],
  ]) {
    it(`${status} ${slug}`, async () => {
      await assert.rejects(attempt, (error) => {
        assert.deepEqual([error.constructor.name, error.status], [name, status], error);
        const { message, code, status: repeated, slug: told, request_id } = error.error.error;
        assert.deepEqual([told, repeated, typeof code], [slug, status, 'number']);
        assert.equal(request_id, error.headers.get('x-request-id'));
        assert.ok(message.length > 0 && error.message.startsWith(`${status} {`));
        return true;
      });
    });
  }

  it('a write that may have been carried out is not retried', async () => {
    const opened = await session(composio);
    const call = (method) => opened.proxyExecute({ toolkit: 'open', endpoint: '/breaks/typescript', method });
    await assert.rejects(call('POST'), { status: 502 });
    assert.deepEqual((await call('GET')).data, { writes: 1 });
  });

  async function disabledAccount() {
    await composio.connectedAccounts.disable(gateway.githubAccount);
    try {
      await composio.tools.proxyExecute({
        endpoint: '/x',
        method: 'GET',
        connectedAccountId: gateway.githubAccount,
      });
    } finally {
      await composio.connectedAccounts.enable(gateway.githubAccount);
    }
  }

  it('429 in its flat form, with the headers of the limit', async () => {
    const slow = sdk(gateway.apiKey, gateway.slowBaseURL);
    await slow.connectedAccounts.get(gateway.githubAccount);
    await assert.rejects(slow.connectedAccounts.get(gateway.githubAccount, once), (error) => {
      assert.deepEqual([error.constructor.name, error.status], ['RateLimitError', 429]);
      assert.equal(error.message, '429 Rate limit exceeded. Limit: 1 requests per 1 minutes');
      assert.equal(error.headers.get('x-ratelimit'), '1');
      assert.equal(error.headers.get('x-ratelimit-remaining'), '0');
      assert.ok(Number(error.headers.get('retry-after')) >= 1);
      return true;
    });
  });

  it('no connection', async () => {
    const nowhere = sdk(gateway.apiKey, 'http://127.0.0.1:1');
    await assert.rejects(nowhere.connectedAccounts.get('ca_x', once), (error) => {
      assert.equal(error.constructor.name, 'APIConnectionError');
      return true;
    });
  });
});

describe('webhooks', () => {
  it('are set, listed and deleted by the SDK, and verified by it', async (test) => {
    if (!isNewest) return test.skip('this version of the SDK has no webhook subscriptions');
    const receiver = createServer(async (request, response) => {
      const payload = (await request.toArray()).join('');
      response.writeHead(204).end();
      receiver.emit('webhook', { headers: request.headers, payload });
    });
    await onceOf(receiver.listen(0, '127.0.0.1'), 'listening');
    const webhookUrl = `http://127.0.0.1:${receiver.address().port}/hook`;
    const { subscriptions } = composio.webhooks;
    const { items: types } = await subscriptions.listEventTypes();
    assert.ok(types.some(({ eventType }) => eventType === 'composio.connected_account.disabled'));
    const made = await subscriptions.set({ webhookUrl });
    assert.deepEqual([made.version, made.enabledEvents], ['V3', ['composio.trigger.message']]);
    const enabledEvents = ['composio.trigger.message', 'composio.connected_account.disabled'];
    const changed = await subscriptions.set({ webhookUrl, enabledEvents });
    assert.deepEqual([changed.id, changed.enabledEvents, changed.secret], [made.id, enabledEvents, undefined]);
    assert.equal((await subscriptions.list()).totalItems, 1);

    const arrived = onceOf(receiver, 'webhook');
    await composio.connectedAccounts.disable(gateway.githubAccount);
    const [{ headers, payload }] = await arrived;
    await composio.connectedAccounts.enable(gateway.githubAccount);
    const webhook = {
      id: headers['webhook-id'],
      timestamp: headers['webhook-timestamp'],
      signature: headers['webhook-signature'],
      payload,
    };
    const { version, payload: event } = await composio.triggers.verifyWebhook({ ...webhook, secret: made.secret });
    assert.deepEqual([version, event.triggerSlug], ['V3', 'composio.connected_account.disabled']);
    const { secret } = await subscriptions.rotateSecret(made.id);
    assert.notEqual(secret, made.secret);
    assert.deepEqual(await subscriptions.delete(made.id), { success: true });
    receiver.close();
  });
});
