/**
 * The declarations as a program sees them: what has to compile, and what must not.
 */

import { Readable } from 'node:stream';
import {
  type APIConnectionError,
  APIError,
  Composio,
  ComposioError,
  type ConnectedAccount,
  ConnectedAccountStatuses,
  Download,
  type EnsuredConnection,
  experimental_createTool,
  Gateway,
  type ProxyExecuteRequest,
  type ProxyExecuteResponse,
  RateLimitError,
  Session,
  type ToolkitDefinition,
  type ToolkitSlug,
  ValidationError,
} from 'proxy-execute';

/** Compiles if both types are the same. */
function same<A>(_: A) {
  return <B,>(_: B & (A extends B ? (B extends A ? unknown : never) : never)) => {};
}

export async function documentedQuickStart() {
  const composio = new Composio({ apiKey: process.env.COMPOSIO_API_KEY });
  const session = await composio.create('user_123', { toolkits: ['github'] });
  const response = await session.proxyExecute({
    toolkit: 'github',
    endpoint: '/repos/composiohq/composio/issues/1',
    method: 'GET',
    parameters: [{ name: 'Accept', value: 'application/vnd.github.v3+json', in: 'header' }],
  });
  same<number>(response.status)(response.status);
  same<Record<string, string>>(response.headers)(response.headers);
  // @ts-expect-error data is unknown until its type is given
  response.data.title;
  const link: string | undefined = response.binaryData?.url;
  return link;
}

export async function fetchOfSdks(session: Session, composio: Composio) {
  const github: typeof fetch = session.fetch('github', { keepAuthorization: true, timeout: 1000 });
  const slack = composio.fetch(async ({ headers }) => (headers.has('x') ? session : undefined), 'slack');
  const response = await slack(new URL('https://slack.com/api'), { method: 'POST', body: new URLSearchParams() });
  same<Response>(response)(await github(new Request('https://api.github.com')));
  // @ts-expect-error an option that does not exist
  session.fetch('github', { retry: 3 });
  return response.body;
}

export async function typesOfData(session: Session, composio: Composio) {
  const request: ProxyExecuteRequest = { toolkit: 'github', endpoint: '/user', method: 'HEAD' };
  const typed: ProxyExecuteResponse<{ login: string }> = await session.proxyExecute<{ login: string }>(request);
  const text: string | null = (await session.proxyExecute(request, { responseType: 'text' })).data;
  const tools = await composio.tools.proxyExecute<number[]>({
    connectedAccountId: 'ca_1',
    endpoint: '/',
    method: 'GET',
  });
  const numbers: number[] | undefined = tools.data;
  const file: string | undefined = tools.binary_data?.content_type;
  // @ts-expect-error text is not of the type that JSON would have
  await session.proxyExecute<{ login: string }>(request, { responseType: 'text' });
  return [typed.data.login, text, numbers, file];
}

/** A function of one's own around the method, whose options are not known before it is called. */
export function wrapped(session: Session, ...call: Parameters<Session['proxyExecute']>): Promise<ProxyExecuteResponse> {
  return session.proxyExecute(...call);
}

export async function requests(session: Session) {
  const good = { toolkit: 'github', endpoint: '/user', method: 'GET' } as const;
  await session.proxyExecute({ ...good, parameters: [{ name: 'page', value: 2, type: 'query' }] });
  await session.proxyExecute(good, { signal: AbortSignal.timeout(5), timeout: 10 });
  await session.proxyExecute({
    ...good,
    query: { page: 2, tags: ['a', 1], none: undefined },
    headers: { Accept: 'x' },
  });
  // @ts-expect-error no boolean
  await session.proxyExecute({ ...good, query: { all: true } });
  // Any toolkit may be named, and the built-in ones are suggested.
  const toolkits: ToolkitSlug[] = ['github', 'acme', String(good)];
  await session.proxyExecute({ ...good, toolkit: toolkits[0] ?? 'slack' });
  const bytes: Uint8Array = (await session.proxyExecute(good, { responseType: 'bytes' })).data;
  const cookies: string[] = (await session.proxyExecute(good)).headerValues['set-cookie'] ?? [];
  const again: ProxyExecuteResponse = await session.proxyExecute(good, { retry: { attempts: 2, statuses: [429] } });
  const attempts: number | undefined = again.attempts;
  // @ts-expect-error no such option of retries
  await session.proxyExecute(good, { retry: { times: 2 } });
  const names: string[] = [];
  for await (const page of session.paginate<{ name: string }>(good, { limit: 10, items: '/data', retry: false })) {
    names.push(...page.items.map(({ name }) => name), page.cursor ?? '', page.nextCursor ?? '');
    same<ProxyExecuteResponse>(page.response)(page.response);
  }
  // @ts-expect-error no such kind
  session.paginate(good, { pagination: { kind: 'token' } });
  // @ts-expect-error no toolkit
  await session.proxyExecute({ endpoint: '/user', method: 'GET' });
  // @ts-expect-error lower case
  await session.proxyExecute({ ...good, method: 'get' });
  // @ts-expect-error misspelt
  await session.proxyExecute({ ...good, paramters: [] });
  // @ts-expect-error no such place
  await session.proxyExecute({ ...good, parameters: [{ name: 'a', value: 'b', in: 'body' }] });
  // @ts-expect-error no place
  await session.proxyExecute({ ...good, parameters: [{ name: 'a', value: 'b' }] });
  // @ts-expect-error no boolean
  await session.proxyExecute({ ...good, parameters: [{ name: 'a', value: true, in: 'query' }] });
  // @ts-expect-error no such option
  await session.proxyExecute(good, { retries: 1 });
  return [bytes, cookies, attempts, names];
}

export async function sessions(composio: Composio) {
  const session = await composio.create('u', {
    toolkits: { disable: ['slack'] },
    connectedAccounts: { github: 'ca_1', slack: ['ca_2'] },
    manageConnections: false,
  });
  await session.update({ connectedAccounts: null, toolkits: ['github'] });
  const { deleted }: { sessionId: string; deleted: boolean } = await session.delete();
  // @ts-expect-error either of them
  await composio.create('u', { toolkits: { enabled: ['a'] } });
  // @ts-expect-error read only
  session.sessionId = 'trs_2';
  // @ts-expect-error made by a Composio object
  new Session();
  return deleted;
}

export function composioOptions(gateway: Gateway) {
  new Composio();
  new Composio({ gateway, timeout: 5 });
  // @ts-expect-error misspelt
  new Composio({ baseUrl: 'https://example.com' });
}

export async function gateways() {
  const acme: ToolkitDefinition = {
    slug: 'acme',
    name: 'Acme',
    base_url: 'https://acme.test',
    schemes: {
      API_KEY: { query: { key: '{{generic_api_key}}' } },
      OAUTH1: {
        oauth1: {
          consumer_key: '{{consumer_key}}',
          consumer_secret: '{{consumer_secret}}',
          token: '{{oauth_token}}',
          token_secret: '{{oauth_token_secret}}',
        },
      },
    },
  };
  await using gateway = await Gateway.open({ toolkits: ['./toolkits', acme], allowPrivateHosts: ['10.0.0.1'] });
  const account: ConnectedAccount = await gateway.connectedAccounts.import({
    userId: 'u',
    toolkit: 'acme',
    credential: { authScheme: 'API_KEY', val: { generic_api_key: 'k' } },
  });
  const { key }: { key: string } = await gateway.apiKeys.create({ permissions: { proxy_execute: 'write' } });
  const listener = await gateway.listen();
  // @ts-expect-error no such level
  await gateway.apiKeys.create({ permissions: { sessions: 'all' } });
  // @ts-expect-error opened by Gateway.open
  new Gateway();
  return [account.status === 'ACTIVE', key, listener.unref().url];
}

/** With the types of browsers beside those of Node.js, as here, streams do for both. */
export async function streams(session: Session, composio: Composio) {
  const get = { endpoint: '/', method: 'GET' } as const;
  const { data } = await session.proxyExecute({ toolkit: 'github', ...get }, { responseType: 'stream' });
  const tools = await composio.tools.proxyExecute({ connectedAccountId: 'ca_1', ...get }, { responseType: 'stream' });
  const file = await session.download({ url: 'https://gateway.example.com/files/1' });
  for (const stream of [data, tools.data, file.stream()]) {
    if (stream === undefined) continue;
    for await (const chunk of stream) same<Uint8Array>(chunk)(chunk);
    Readable.fromWeb(stream).pipe(process.stdout);
    await session.proxyExecute({ toolkit: 'github', endpoint: '/', method: 'POST', binaryBody: stream });
    const { body } = new Response(stream);
    if (body) await session.proxyExecute({ toolkit: 'x', endpoint: '/', method: 'POST', binaryBody: body });
  }
  // @ts-expect-error made by session.download()
  new Download();
}

/** Every optional property may be undefined, even with `exactOptionalPropertyTypes`, as here. */
export async function undefinedOptions(session: Session, signal: AbortSignal | undefined, error: ComposioError) {
  new Composio({ apiKey: process.env.COMPOSIO_API_KEY, baseURL: process.env.COMPOSIO_BASE_URL, timeout: undefined });
  await Gateway.open({ store: undefined, encryptionKey: process.env.KEY, files: { folder: undefined } });
  await session.proxyExecute({ toolkit: 'x', endpoint: '/', method: 'GET', parameters: undefined }, { signal });
  const slug: string | undefined = error.slug;
  const header: string | null | undefined = error.headers?.get('x-request-id');
  return [slug, header];
}

export function errors(error: unknown) {
  if (error instanceof ValidationError) return error.errors.length;
  if (error instanceof RateLimitError) {
    const status: 429 = error.status;
    return status + (error.retryAfter ?? 0);
  }
  if (error instanceof APIError) return error.error?.error.request_id;
  if (error instanceof ComposioError) {
    // @ts-expect-error read only
    error.slug = 'x';
  }
  const connection = error as APIConnectionError;
  const none: undefined = connection.status;
  return none;
}

export async function resources(composio: Composio, gateway: Gateway) {
  const { items, nextCursor, totalItems } = await composio.connectedAccounts.list(
    { userIds: ['u'], statuses: ['ACTIVE'], orderBy: 'updated_at', orderDirection: 'asc', limit: 5 },
    { signal: AbortSignal.timeout(5), timeout: 10 },
  );
  same<ConnectedAccount[]>(items)(items);
  const next: [string | null, number] = [nextCursor, totalItems];
  const scheme: string | undefined = items[0]?.authConfig.authScheme;
  const { id } = await composio.authConfigs.create('github', { type: 'use_custom_auth', authScheme: 'BEARER_TOKEN' });
  const request = await composio.connectedAccounts.link('u', id, { callbackUrl: 'https://app.example', alias: 'work' });
  const account: ConnectedAccount = await request.waitForConnection(60_000);
  const link: string | null = request.redirectUrl;
  const fields = (await composio.toolkits.get('github')).authConfigDetails[0]?.fields.connectedAccountInitiation;
  const slugs: string[] = (await composio.toolkits.get()).map(({ slug }) => slug);
  const session = await composio.sessions.create('u');
  const ensured = await session.ensureConnected('github', { alias: 'work', timeout: 5 }, { timeout: 10 });
  same<EnsuredConnection>(ensured)(ensured);
  const active: boolean | undefined = (await session.toolkits({ isConnected: true })).items[0]?.connection?.isActive;
  await gateway.apiKeys.create({ expiresAt: new Date(), allowedAddresses: ['10.0.0.0/8'] });
  const { url } = await gateway.listen({ requestsPerMinute: 60 });
  const [call] = await gateway.calls.list({ limit: 1 });
  const status: number | null | undefined = call?.status;
  // @ts-expect-error no such order
  await composio.connectedAccounts.list({ orderBy: 'name' });
  // @ts-expect-error misspelt
  await composio.connectedAccounts.list({ userIDs: ['u'] });
  // @ts-expect-error no scheme
  await composio.authConfigs.create('github', { type: 'use_custom_auth' });
  // @ts-expect-error only a gateway of this process imports
  composio.connectedAccounts.import;
  return [next, scheme, account, link, fields, slugs, active, url, status];
}

/** The names of the Composio SDK: custom tools, constants, webhooks, and members that are not in this package. */
export async function namesOfComposio(composio: Composio) {
  const schema = { parse: (value: unknown): { text: string } => ({ text: String(value) }) };
  const described = { name: 'Count', description: 'Counts.' };
  const count = experimental_createTool('COUNT', {
    ...described,
    inputParams: schema,
    execute: async ({ text }, { userId, proxyExecute }) => {
      same<string>(text)(userId);
      const { data } = await proxyExecute<{ n: number }>({ toolkit: 'x', endpoint: '/', method: 'GET' });
      return { n: data.n };
    },
  });
  const session = await composio.create('u', { experimental: { customTools: [count] }, mcp: true });
  await composio.use(session.sessionId, { customTools: [count] }, { timeout: 5 });
  const { data, error } = await session.execute('COUNT', { text: 'a' });
  same<string | null>(error)(error);
  const active: 'ACTIVE' = ConnectedAccountStatuses.ACTIVE;
  const { version, payload } = await composio.triggers.verifyWebhook({
    id: 'msg_1',
    payload: Buffer.from('{}'),
    secret: 's',
    signature: 'v1,x',
    timestamp: '0',
  });
  await composio.triggers.subscribe((event) => event.id);
  const tools = await session.tools({ beforeExecute: ({ params }: { params: object }) => params });
  // @ts-expect-error no such tool was made here
  await composio.create('u', { experimental: { customTools: [{ slug: 'X' }] } });
  // @ts-expect-error frozen
  ConnectedAccountStatuses.ACTIVE = 'ACTIVE';
  // @ts-expect-error no secret
  await composio.triggers.verifyWebhook({ id: 'msg_1', payload: '{}', signature: 'v1,x', timestamp: '0' });
  // @ts-expect-error no such member
  composio.triggers.frobnicate;
  return [data.n, active, version, payload.triggerSlug, tools.length];
}
