/**
 * Programs that do what the documentation of the Composio SDK for TypeScript shows. The test changes their import, and
 * replaces the ids in them by those of its gateway.
 */

/** A program, and how it ends with this package. */
export interface Snippet {
  /** The purpose of the program. */
  title: string;
  code: string;
  /** The program does the same, with a difference. */
  differs?: string;
  /** The program compiles and fails with this error: its slug or its class. */
  refused?: string;
  /** The program does not compile, for this reason. */
  missing?: string;
}

const client = `import { Composio } from '@composio/core';
const composio = new Composio({ apiKey: process.env.COMPOSIO_API_KEY });`;

/** A program that imports further names. */
const importing = (names: string, code: string) => `${client.replace('Composio }', `Composio, ${names} }`)}\n${code}`;

/** A program with a client. */
const withClient = (code: string) => `${client}\n${code}`;

/** A program with a session of a toolkit. */
const withSession = (code: string, toolkit = 'github') =>
  withClient(`const session = await composio.create('ann', { toolkits: ['${toolkit}'] });\n${code}`);

/** A program with zod. */
const withZod = (names: string, code: string) => `import { z } from 'zod/v3';\n${importing(names, code)}`;

const expect = (condition: string) => `if (!(${condition})) throw new Error('unexpected');`;

export const SNIPPETS: Readonly<Record<string, readonly Snippet[]>> = {
  Sessions: [
    {
      title: 'create a session',
      code: withClient(`const { sessionId } = await composio.create('ann');\n${expect('sessionId')}`),
    },
    {
      title: '`toolkits`: a list, `enable`, `disable`',
      code: withClient(`await composio.create('ann', { toolkits: ['github', 'slackbot'] });
        await composio.create('ann', { toolkits: { enable: ['github'] } });
        await composio.create('ann', { toolkits: { disable: ['slackbot'] } });`),
    },
    {
      title: '`authConfigs` and `connectedAccounts`',
      code: withClient(`const session = await composio.create('ann', {
          authConfigs: { acme: 'ac_acme' },
          connectedAccounts: { github: 'ca_github', slackbot: ['ca_slack'] },
        });
        console.log(session.config);`),
    },
    {
      title: '`manageConnections` with a callback URL',
      code: withClient(`await composio.create('ann', {
          manageConnections: { enable: true, callbackUrl: 'https://app.example.com/done', waitForConnections: true },
        });
        await composio.create('ann', { manageConnections: false });`),
    },
    {
      title: '`multiAccount`, `sandbox`, `workbench`, `preload`',
      code: withClient(`await composio.create('ann', {
          toolkits: ['github'],
          multiAccount: { enable: true, maxAccountsPerToolkit: 3 },
          sandbox: { enable: false },
        });
        await composio.create('ann', { workbench: { enable: false }, toolkits: ['github'], preload: { tools: [] } });`),
    },
    {
      title: '`sessionPreset`, with its constant',
      code: importing(
        'SessionPreset',
        "await composio.create('ann', { sessionPreset: SessionPreset.DIRECT_TOOLS, toolkits: ['github'] });",
      ),
    },
    {
      title: 'the time zone of `assistivePrompt`',
      code: withClient(
        "await composio.create('ann', { experimental: { assistivePrompt: { userTimezone: 'Europe/Berlin' } } });",
      ),
    },
    {
      title: '`mcp: true`, and the URL and headers of the MCP server',
      code: withClient(`const session = await composio.create('ann', { mcp: true });
        const { url, headers } = session.mcp;
        ${expect("url.startsWith('http') && headers")}`),
    },
    {
      title: 'use an existing session',
      code: withClient("const session = await composio.use('trs_existing');\nconsole.log(session.sessionId);"),
    },
    {
      title: '`sessions.create`, `sessions.use`, `sessions.delete`',
      code: withClient(`const { sessionId } = await composio.sessions.create('ann');
        await composio.sessions.use(sessionId);
        await composio.sessions.delete(sessionId);`),
    },
    { title: '`toolRouter`, the old name of `sessions`', code: withClient("await composio.toolRouter.create('ann');") },
    {
      title: 'update a session, on the version that was read',
      code: withSession(`await session.update({ toolkits: ['slackbot'], expectedConfigVersion: session.configVersion });
        ${expect('session.configVersion === 2')}
        await session.update({ toolkits: null });`),
      differs: '`update` returns the session, whose `config` is the new one.',
    },
    {
      title: 'a conflict of two updates',
      code: importing(
        'ComposioSessionConfigConflictError',
        `const session = await composio.create('ann');
        const other = await composio.use(session.sessionId);
        await other.update({ toolkits: ['github'] });
        try {
          await session.update({ toolkits: [], expectedConfigVersion: session.configVersion });
          throw new Error('unexpected');
        } catch (error) {
          if (!(error instanceof ComposioSessionConfigConflictError)) throw error;
        }`,
      ),
    },
    {
      title: 'delete a session',
      code: withSession(`const { deleted } = await session.delete();\n${expect('deleted')}`),
    },
    {
      title: 'the toolkits of a session, with their accounts',
      code: withSession(`const { items, cursor } = await session.toolkits({ toolkits: ['github'], isConnected: true, limit: 10 });
        ${expect('items[0]?.connection?.isActive && cursor === undefined')}`),
    },
    {
      title: '`ensureConnected`',
      code: withSession(`const { wasConnected, connectedAccount } = await session.ensureConnected('github');
        ${expect('wasConnected && connectedAccount?.id')}`),
    },
    {
      title: '`createSession` with headers',
      code: withClient(`const traced = composio.createSession({ headers: { 'x-correlation-id': 'job-17' } });
        await traced.create('ann');
        await traced.flush();`),
    },
    {
      title: 'the options `provider` and `allowTracking`',
      code: `import { Composio } from '@composio/core';
        const composio = new Composio({ provider: undefined, allowTracking: false, disableVersionCheck: true });
        await composio.create('ann');`,
    },
    {
      title: '`tags` and `tools`',
      code: withClient(
        "await composio.create('ann', { tags: ['readOnlyHint'], tools: { github: ['GITHUB_GET_ISSUE'] } });",
      ),
      refused: 'ToolRouterV2_BadRequest',
    },
    {
      title: 'earlier configurations of a session',
      code: withSession('await session.listConfigHistory({ limit: 10 });'),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: 'saved configurations',
      code: withClient('await composio.sessionConfigs.list();'),
      refused: 'UnsupportedFeatureError',
    },
  ],
  'Proxied calls': [
    {
      title: 'GET, with a header',
      code: withSession(`const { status, data, headers } = await session.proxyExecute({
          toolkit: 'github',
          endpoint: '/repos/octocat/hello-world/issues/1',
          method: 'GET',
          parameters: [{ name: 'Accept', value: 'application/vnd.github+json', in: 'header' }],
        });
        ${expect("status === 200 && data && headers?.['content-type']")}`),
    },
    {
      title: 'POST, with a body',
      code: withSession(`const { status } = await session.proxyExecute({
          toolkit: 'github',
          endpoint: '/repos/octocat/hello-world/issues',
          method: 'POST',
          body: { title: 'Found a bug', labels: ['bug'] },
        });
        ${expect('status === 200')}`),
    },
    {
      title: 'query values',
      code: withSession(`await session.proxyExecute({
          toolkit: 'github',
          endpoint: '/search/issues',
          method: 'GET',
          parameters: [
            { name: 'q', value: 'is:open', in: 'query' },
            { name: 'per_page', value: 5, in: 'query' },
          ],
        });`),
    },
    {
      title: 'PUT, PATCH and DELETE',
      code: withSession(`for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
          await session.proxyExecute({ toolkit: 'github', endpoint: '/x', method, body: { a: 1 } });
        }`),
    },
    {
      title: 'an absolute URL of the toolkit',
      code: withSession(
        "await session.proxyExecute({ toolkit: 'github', endpoint: 'http://upstream/user', method: 'GET' });",
      ),
    },
    {
      title: 'a response of 404, as a value',
      code: withSession(`const { status } = await session.proxyExecute({ toolkit: 'github', endpoint: '/missing', method: 'GET' });
        ${expect('status === 404')}`),
    },
    {
      title: 'a file of a response',
      code: withSession(`const { binaryData } = await session.proxyExecute({ toolkit: 'github', endpoint: '/zipball', method: 'GET' });
        ${expect("binaryData?.contentType === 'application/zip' && (await fetch(binaryData.url)).ok")}`),
    },
    {
      title: '`tools.proxyExecute` with an account',
      code: withClient(`const result = await composio.tools.proxyExecute({
          endpoint: '/user',
          method: 'GET',
          connectedAccountId: 'ca_github',
          parameters: [{ name: 'page', value: 1, in: 'query' }],
        });
        ${expect('result.status === 200')}`),
    },
    {
      title: '`tools.proxyExecute` with a credential',
      code: withClient(`await composio.tools.proxyExecute({
          endpoint: '/orders',
          method: 'GET',
          customConnectionData: { authScheme: 'API_KEY', toolkitSlug: 'acme', val: { api_key: 'key' } },
        });`),
    },
    {
      title: 'the eight calls of the Slack bot',
      code: withSession(
        `const call = (endpoint: string, body: object) =>
          session.proxyExecute({ toolkit: 'slackbot', endpoint: \`http://upstream/api/\${endpoint}\`, method: 'POST', body });
        await call('auth.test', {});
        await call('assistant.threads.setStatus', { channel_id: 'C1', thread_ts: undefined, status: 'is typing' });
        await call('conversations.open', { users: 'U1' });
        await call('chat.postMessage', { channel: 'C1', text: 'Hello' });
        await call('chat.update', { channel: 'C1', ts: '1', text: 'Hello' });
        await call('reactions.add', { channel: 'C1', timestamp: '1', name: 'eyes' });
        for (const endpoint of ['conversations.replies', 'users.info']) {
          const parameters = [{ name: 'limit', value: 200, in: 'query' as const }];
          await session.proxyExecute({ toolkit: 'slackbot', endpoint: \`http://upstream/api/\${endpoint}\`, method: 'GET', parameters });
        }`,
        'slackbot',
      ),
    },
    {
      title: 'abort a call',
      code: importing(
        'ComposioRequestCancelledError',
        `await composio.toolkits.get('github', { signal: AbortSignal.abort() }).catch((error) => {
          if (!(error instanceof ComposioRequestCancelledError)) throw error;
        });`,
      ),
      missing: "An abort rejects with the signal's own `reason`, so there is no `ComposioRequestCancelledError`.",
    },
  ],
  'Accounts and links': [
    {
      title: 'a link in a session',
      code: withSession(`const request = await session.authorize('github', { callbackUrl: 'https://app.example.com/done' });
        ${expect('request.redirectUrl && request.id')}`),
    },
    {
      title: 'a link with an alias',
      code: withSession("await session.authorize('github', { alias: 'work-account' });"),
    },
    {
      title: '`connectedAccounts.link`',
      code: withClient(`const { redirectUrl } = await composio.connectedAccounts.link('bea', 'ac_github', {
          callbackUrl: 'https://app.example.com/done',
        });
        ${expect('redirectUrl')}`),
    },
    {
      title: '`toolkits.authorize`',
      code: withClient(
        `const request = await composio.toolkits.authorize('cem', 'github', 'ac_github');\n${expect('request.redirectUrl')}`,
      ),
    },
    {
      title: 'import an API key, and wait for the account',
      code: importing(
        'AuthScheme, ConnectedAccountStatuses',
        `const request = await composio.connectedAccounts.initiate('dan', 'ac_acme', {
          config: AuthScheme.APIKey({ api_key: 'key-of-dan' }),
        });
        const account = await request.waitForConnection(5_000);
        ${expect('account.status === ConnectedAccountStatuses.ACTIVE')}`,
      ),
    },
    {
      title: 'every function of `AuthScheme`',
      code: importing(
        'AuthScheme, AuthSchemeTypes',
        `const made = [
          AuthScheme.OAuth2({ access_token: 't' }),
          AuthScheme.OAuth1({ oauth_token: 't', oauth_token_secret: 's' }),
          AuthScheme.APIKey({ api_key: 'k' }),
          AuthScheme.Basic({ username: 'u', password: 'p' }),
          AuthScheme.BearerToken({ token: 't' }),
          AuthScheme.GoogleServiceAccount({ credentials_json: '{}' }),
          AuthScheme.NoAuth(),
          AuthScheme.BasicWithJWT({ username: 'u', password: 'p' }),
          AuthScheme.CalcomAuth(),
          AuthScheme.BillcomAuth({ sessionId: 's', devKey: 'd' }),
        ];
        ${expect('made.every(({ authScheme }) => authScheme in AuthSchemeTypes)')}`,
      ),
    },
    {
      title: 'a wait that times out',
      code: importing(
        'ConnectionRequestTimeoutError',
        `const session = await composio.create('eve');
        const request = await session.authorize('github');
        await request.waitForConnection(20).then(
          () => { throw new Error('unexpected'); },
          (error) => { if (!(error instanceof ConnectionRequestTimeoutError)) throw error; },
        );`,
      ),
    },
    {
      title: 'list accounts',
      code: importing(
        'ConnectedAccountStatuses',
        `const { items, nextCursor } = await composio.connectedAccounts.list({
          userIds: ['ann'],
          toolkitSlugs: ['github'],
          statuses: [ConnectedAccountStatuses.ACTIVE],
          limit: 5,
        });
        ${expect('items.length === 1 && nextCursor === null')}`,
      ),
    },
    {
      title: 'read, disable, enable, and change the status of an account',
      code: withClient(`const account = await composio.connectedAccounts.get('ca_spare');
        await composio.connectedAccounts.disable(account.id);
        await composio.connectedAccounts.enable(account.id);
        await composio.connectedAccounts.updateStatus(account.id, { enabled: true });`),
    },
    { title: 'refresh an account', code: withClient("await composio.connectedAccounts.refresh('ca_spare');") },
    {
      title: 'revoke and delete an account',
      code: withClient(
        `await composio.connectedAccounts.revoke('ca_spare');\nawait composio.connectedAccounts.delete('ca_spare');`,
      ),
    },
    {
      title: 'a shared account, and its ACL',
      code: importing(
        'ConnectedAccountTypes',
        `await composio.connectedAccounts.link('setup', 'ac_slack', { experimental: { accountType: 'SHARED', aclConfigForShared: { allowAllUsers: true } } });
        const { items } = await composio.connectedAccounts.list({ accountType: 'SHARED' });
        ${expect('items[0]?.experimental?.accountType === ConnectedAccountTypes.SHARED')}
        await composio.connectedAccounts.updateAcl('ca_shared', { allowedUserIds: ['ann'] });
        await composio.experimental.updateAcl('ca_shared', { allowAllUsers: true });
        await composio.create('ann', { connectedAccounts: { slackbot: ['ca_shared'] } });`,
      ),
    },
    {
      title: 'an account that exists already',
      code: importing(
        'ComposioMultipleConnectedAccountsError',
        `await composio.connectedAccounts.link('ann', 'ac_imported').then(
          () => { throw new Error('unexpected'); },
          (error) => { if (!(error instanceof ComposioMultipleConnectedAccountsError)) throw error; },
        );
        await composio.connectedAccounts.link('ann', 'ac_imported', { allowMultiple: true });`,
      ),
    },
  ],
  'Auth configs and toolkits': [
    {
      title: 'an auth config with your own OAuth client',
      code: importing(
        'AuthConfigTypes, AuthSchemeTypes',
        `const { id } = await composio.authConfigs.create('notion', {
          type: AuthConfigTypes.CUSTOM,
          name: 'Notion, our client',
          authScheme: AuthSchemeTypes.OAUTH2,
          credentials: { client_id: 'id', client_secret: 'secret' },
        });
        ${expect("id.startsWith('ac_')")}`,
      ),
    },
    {
      title: 'an auth config with a client of Composio',
      code: withClient(
        "await composio.authConfigs.create('notion', { type: 'use_composio_managed_auth', name: 'Notion' });",
      ),
      refused: 'ToolRouterV2_NoManagedAuth',
    },
    {
      title: 'list, read, change, disable, enable and delete an auth config',
      code: withClient(`const { id } = await composio.authConfigs.create('acme', { type: 'use_custom_auth', authScheme: 'API_KEY', credentials: {} });
        const { items } = await composio.authConfigs.list({ toolkit: 'acme' });
        ${expect('items.some((config) => config.id === id)')}
        await composio.authConfigs.update(id, { type: 'custom', isEnabledForToolRouter: false });
        await composio.authConfigs.disable(id);
        await composio.authConfigs.enable(id);
        await composio.authConfigs.get(id);
        await composio.authConfigs.delete(id);`),
    },
    {
      title: 'list and read toolkits',
      code: withClient(`const items = await composio.toolkits.get({ limit: 10 });
        const github = await composio.toolkits.get('github');
        ${expect("items.length > 0 && github.authConfigDetails?.[0]?.mode === 'BEARER_TOKEN'")}`),
    },
    {
      title: 'the fields of an auth config and of an account',
      code: withClient(`const fields = await composio.toolkits.getAuthConfigCreationFields('notion', 'OAUTH2', { requiredOnly: true });
        const tokens = await composio.toolkits.getConnectedAccountInitiationFields('acme', 'API_KEY');
        ${expect("fields.length > 0 && tokens.some(({ name }) => name === 'api_key')")}`),
    },
    {
      title: 'the categories of toolkits',
      code: withClient(`const { items } = await composio.toolkits.listCategories();
        ${expect('items.some(({ id }) => id === "crm")')}`),
    },
  ],
  Errors: [
    {
      title: 'a toolkit that does not exist',
      code: importing(
        'ComposioToolkitNotFoundError',
        `await composio.toolkits.get('nope').then(
          () => { throw new Error('unexpected'); },
          (error) => { if (!(error instanceof ComposioToolkitNotFoundError)) throw error; },
        );`,
      ),
    },
    {
      title: 'an auth scheme that a toolkit does not have',
      code: importing(
        'ComposioAuthConfigNotFoundError',
        `await composio.toolkits.getAuthConfigCreationFields('acme', 'OAUTH2').then(
          () => { throw new Error('unexpected'); },
          (error) => { if (!(error instanceof ComposioAuthConfigNotFoundError)) throw error; },
        );`,
      ),
    },
    {
      title: 'an argument that cannot be used',
      code: importing(
        'ComposioError, ValidationError',
        `const session = await composio.create('ann');
        await session.proxyExecute({ toolkit: 'github', endpoint: '/', method: 'get' as 'GET' }).then(
          () => { throw new Error('unexpected'); },
          (error) => { if (!(error instanceof ValidationError && error instanceof ComposioError)) throw error; },
        );`,
      ),
    },
  ],
  'Custom tools': [
    {
      title: 'a tool of its own',
      code: withZod(
        'experimental_createTool',
        `const profiles: Record<string, { name: string; tier: string }> = { ann: { name: 'Ann', tier: 'free' } };
        const readProfile = experimental_createTool('READ_PROFILE', {
          name: 'Read the profile',
          description: 'Reads the profile of the user',
          inputParams: z.object({}),
          execute: async (_input, ctx) => {
            const profile = profiles[ctx.userId];
            if (!profile) throw new Error('no profile');
            return profile;
          },
        });
        const session = await composio.create('ann', { experimental: { customTools: [readProfile] } });
        const { data, error } = await session.execute('READ_PROFILE', {});
        ${expect("error === null && data.name === 'Ann'")}`,
      ),
    },
    {
      title: 'a tool that extends a toolkit, with `ctx.proxyExecute`',
      code: withZod(
        'experimental_createTool',
        `const comment = experimental_createTool('COMMENT', {
          name: 'Comment',
          description: 'Comments on an issue',
          extendsToolkit: 'github',
          inputParams: z.object({ issue: z.number().int(), text: z.string().default('Thanks!') }),
          execute: async ({ issue, text }, ctx) => {
            const { status } = await ctx.proxyExecute({
              toolkit: 'github',
              endpoint: \`/repos/octocat/hello-world/issues/\${issue}/comments\`,
              method: 'POST',
              body: { body: text.trim() },
            });
            return { status };
          },
        });
        const session = await composio.create('ann', { toolkits: ['github'], experimental: { customTools: [comment] } });
        const { data } = await session.execute('LOCAL_GITHUB_COMMENT', { issue: 1 });
        ${expect('data.status === 200')}
        const refused = await session.execute('COMMENT', { issue: 'one' });
        ${expect('refused.error')}`,
      ),
    },
    {
      title: 'a toolkit of tools, and their lists',
      code: withZod(
        'experimental_createTool, experimental_createToolkit',
        `const team = experimental_createToolkit('TEAM', {
          name: 'Team',
          description: 'Roles of the team',
          tools: [
            experimental_createTool('ASSIGN_ROLE', {
              name: 'Assign a role',
              description: 'Assigns a role to a member',
              inputParams: z.object({ member: z.string(), role: z.enum(['admin', 'viewer']) }),
              execute: async ({ member, role }) => ({ member, role, assigned: true }),
            }),
          ],
        });
        const session = await composio.create('ann', { experimental: { customToolkits: [team] } });
        const [tool] = session.customTools({ toolkit: 'TEAM' });
        ${expect("tool?.slug === 'LOCAL_TEAM_ASSIGN_ROLE' && session.customToolkits()[0]?.tools.length === 1")}
        await session.execute('ASSIGN_ROLE', { member: 'ann', role: 'admin' });`,
      ),
      differs: '`inputSchema` of a tool has the details of schemas that can write JSON schema, such as those of zod 4.',
    },
    {
      title: 'custom tools of an existing session',
      code: withZod(
        'experimental_createTool',
        `const ping = experimental_createTool('PING', {
          name: 'Ping',
          description: 'Says pong',
          inputParams: z.object({}),
          execute: async () => ({ pong: true }),
        });
        const session = await composio.use('trs_existing', { customTools: [ping] });
        await session.execute('PING');`,
      ),
    },
  ],
  Webhooks: [
    {
      title: '`triggers.verifyWebhook`',
      code: importing(
        'ComposioWebhookSignatureVerificationError, WebhookVersions',
        `import { createHmac } from 'node:crypto';
        const secret = 'a-secret';
        const timestamp = String(Math.floor(Date.now() / 1000));
        const payload = JSON.stringify({ id: 'msg_1', timestamp: 't', type: 'composio.trigger.message', metadata: {}, data: {} });
        const signature = \`v1,\${createHmac('sha256', secret).update(\`msg_1.\${timestamp}.\${payload}\`).digest('base64')}\`;
        const { version } = await composio.triggers.verifyWebhook({ id: 'msg_1', timestamp, payload, signature, secret });
        ${expect('version === WebhookVersions.V3')}
        await composio.triggers.verifyWebhook({ id: 'msg_1', timestamp, payload, signature, secret: 'other' }).then(
          () => { throw new Error('unexpected'); },
          (error) => { if (!(error instanceof ComposioWebhookSignatureVerificationError)) throw error; },
        );`,
      ),
    },
    {
      title: '`triggers.parse`, of a `Request`',
      code: withClient(`const body = JSON.stringify({ id: 'msg_1', timestamp: 't', type: 'composio.trigger.message', metadata: {}, data: {} });
        const { payload } = await composio.triggers.parse(new Request('http://app.example.com', { method: 'POST', body }));
        ${expect('payload.triggerSlug')}`),
    },
  ],
  'Hosted tools, search, triggers and sandboxes': [
    {
      title: '`session.tools`',
      code: withSession(
        'const tools = await session.tools({ beforeExecute: ({ params }) => params });\nconsole.log(tools.length);',
      ),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`session.search`',
      code: withSession("await session.search({ query: 'send an email' });"),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`session.execute` of a hosted tool',
      code: withSession(
        "const { data, error } = await session.execute('GITHUB_GET_ISSUE', { issue: 1 });\nconsole.log(data, error);",
      ),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: 'files of a session',
      code: withSession("await session.experimental.files.list({ path: '/' });"),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`tools.get`',
      code: withClient("await composio.tools.get('ann', { toolkits: ['github'] });"),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`tools.execute`',
      code: withClient("await composio.tools.execute('GITHUB_GET_ISSUE', { userId: 'ann', arguments: {} });"),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`triggers.create`',
      code: importing(
        'TriggerStatuses',
        `const { triggerId } = await composio.triggers.create('ann', 'GITHUB_STAR_ADDED_EVENT', { triggerConfig: {} });
        await composio.triggers.update(triggerId, { status: TriggerStatuses.DISABLE });`,
      ),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`triggers.subscribe`',
      code: withClient('await composio.triggers.subscribe((event) => console.log(event.id));'),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`triggers.setWebhookSubscription`',
      code: withClient(
        "await composio.triggers.setWebhookSubscription({ webhookUrl: 'https://app.example.com/hook' });",
      ),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`mcp.create`',
      code: withClient("await composio.mcp.create('servers', { toolkits: ['github'] });"),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`files.upload`',
      code: withClient(
        "await composio.files.upload({ file: 'notes.pdf', toolSlug: 'GMAIL_SEND_EMAIL', toolkitSlug: 'gmail' });",
      ),
      refused: 'UnsupportedFeatureError',
    },
    {
      title: '`logs.search`',
      code: withClient('await composio.logs.search({ limit: 10 });'),
      refused: 'UnsupportedFeatureError',
    },
  ],
};
