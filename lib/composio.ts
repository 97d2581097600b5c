// The client: what sessions and calls are made with.

import { type AuthConfigs, authConfigsOf } from './auth-configs';
import { type BackendHandle, DEFAULT_TIMEOUT, originOf } from './backend';
import { type ConnectedAccounts, connectedAccountsOf } from './connected-accounts';
import { type Download, openDownload } from './download';
import { ComposioNoAPIKeyError, toError } from './errors';
import { type FetchOptions, fetchIn } from './fetch';
import type { FetchRequest } from './fetch-request';
import { Gateway, nativeBackendOf } from './gateway';
import { answerOf, completions, native } from './native';
import { isPlain, proxied } from './proxy-call';
import { type ProxyOptions, proxyOptions, type ResponseType } from './proxy-options';
import {
  type BinaryData,
  type ByteStream,
  readEnvelope,
  type ToolsProxyExecuteRequest,
  type ToolsProxyExecuteResponse,
  writeToolsRequest,
} from './proxy-request';
import { askOn } from './resource';
import { checkRetry, policyOf, RetryBudget, type RetryOptions } from './retry';
import { Session, sessionBackendOf } from './session';
import type { SessionConfig } from './session-config';
import { type Sessions, sessionsOn, type UseSession } from './sessions';
import { type Toolkits, toolkitsOf } from './toolkits';
import { Triggers } from './triggers';
import { type UnsupportedMembers, unsupportedMembers } from './unsupported';
import { below, type CallOptions, Check, kindOf } from './validate';

/** The hosted backend. */
export const DEFAULT_BASE_URL = 'https://backend.composio.dev';

/** How a backend is called over HTTP: the hosted one, or a gateway on a port. */
export interface RemoteOptions {
  /** The project's API key. Default: the environment variable `COMPOSIO_API_KEY`. */
  apiKey?: string | null;
  /**
   * The backend's URL. A path in it is kept.
   * Default: the environment variable `COMPOSIO_BASE_URL`, else `https://backend.composio.dev`.
   */
  baseURL?: string | null;
  /** Time for a whole call in milliseconds, retries and response body included. Default: 60 000. */
  timeout?: number;
  /**
   * How often a call is retried, if the API cannot have processed it: the call did not reach the backend, or the
   * backend refused it by a rate limit. Default: 2.
   */
  maxRetries?: number;
  /** Which responses of the API proxied calls retry. Default: none. */
  retry?: RetryOptions | false;
  /** Headers that every request to the backend has. They do not reach the third-party API. */
  defaultHeaders?: Record<string, string>;
  /** The version of the backend's interface. Default: `v3.1`. */
  apiVersion?: 'v3.1' | 'v3';
  /** An option of the Composio SDK. It has no effect: no telemetry is sent. */
  allowTracking?: boolean;
  /** An option of the Composio SDK. It has no effect: no newer version is looked for. */
  disableVersionCheck?: boolean;
  /** An option of the Composio SDK. It has no effect: no tools are made for the framework of an agent. */
  provider?: unknown;
  /** An option of the Composio SDK. It has no effect: toolkits have no tools. */
  toolkitVersions?: unknown;
}

/** How a gateway in this process is called. */
export interface EmbeddedOptions {
  /** The gateway. */
  gateway: Gateway;
  /** Time for a whole call in milliseconds. Default: 60 000. */
  timeout?: number;
  /** Which responses of the API proxied calls retry. Default: none. */
  retry?: RetryOptions | false;
}

/** The options of a {@link Composio} object. */
export type ComposioOptions = RemoteOptions | EmbeddedOptions;

const SDK_FLAGS = ['allowTracking', 'disableVersionCheck'] as const;
const SDK_KEYS = [...SDK_FLAGS, 'provider', 'toolkitVersions'];
const REMOTE_KEYS = [
  ...['apiKey', 'baseURL', 'timeout', 'maxRetries', 'defaultHeaders', 'apiVersion', 'gateway', 'retry'],
  ...SDK_KEYS,
];
const EMBEDDED_KEYS = ['gateway', 'timeout', 'retry'];

/**
 * The client. It makes sessions, in which calls are made as a user.
 *
 * One is enough for a process; it holds no resources that would have to be closed.
 *
 * @example The hosted backend, or a gateway on a port
 * ```ts
 * const composio = new Composio({ apiKey: process.env.COMPOSIO_API_KEY });
 * const session = await composio.create('user_123', { toolkits: ['github'] });
 * ```
 *
 * @example A gateway in this process
 * ```ts
 * const gateway = await Gateway.open();
 * const composio = new Composio({ gateway });
 * ```
 */
export class Composio {
  /** Sessions, in which calls are made as a user. */
  readonly sessions: Sessions;
  /** The accounts of users, with the credentials that calls are made with. */
  readonly connectedAccounts: ConnectedAccounts;
  /** How accounts are connected. */
  readonly authConfigs: AuthConfigs;
  /** The toolkits that can be called. */
  readonly toolkits: Toolkits;
  /** Calls outside of a session. Members for tools of the hosted backend reject, and say what to use. */
  readonly tools: Tools &
    UnsupportedMembers<'get' | 'execute' | 'createCustomTool' | 'getRawComposioTools' | 'getRawComposioToolBySlug'>;
  /** The webhooks of the hosted backend. Members for its triggers reject, and say what to use. */
  readonly triggers = Object.assign(
    new Triggers(),
    unsupportedMembers('triggers', [
      'create',
      'delete',
      'disable',
      'enable',
      'getType',
      'listActive',
      'listEnum',
      'listTypes',
      'setWebhookSubscription',
      'subscribe',
      'unsubscribe',
      'update',
    ]),
  );
  /** Webhook subscriptions of the hosted backend: each member rejects, and says what to use. */
  readonly webhooks = unsupportedMembers('webhooks', ['create', 'delete', 'get', 'list', 'set', 'update']);
  /** MCP servers of the hosted backend: each member rejects, and says what to use. */
  readonly mcp = unsupportedMembers('mcp', ['create', 'delete', 'generate', 'get', 'list', 'update']);
  /** Files of the hosted backend: each member rejects, and says what to use. */
  readonly files = unsupportedMembers('files', ['download', 'upload']);
  /** Logs of the hosted backend: each member rejects, and says what to use. */
  readonly logs = unsupportedMembers('logs', ['get', 'search']);
  /** Saved configurations of the hosted backend: each member rejects, and says what to use. */
  readonly sessionConfigs = unsupportedMembers('sessionConfigs', ['get', 'list']);
  /** The same as `updateAcl` of {@link connectedAccounts}, under the name of the Composio SDK. */
  readonly experimental: Pick<ConnectedAccounts, 'updateAcl'>;
  readonly #options: ComposioOptions;

  /**
   * @param options Where the calls go.
   * @throws {ValidationError} If an option is unknown or cannot be used.
   * @throws {ComposioNoAPIKeyError} If there is no API key.
   * @throws {ComposioError} If the URL, or the file named by `NODE_EXTRA_CA_CERTS`, cannot be used.
   */
  constructor(options: ComposioOptions = {}) {
    const backend = Object(options).gateway !== undefined ? embedded(options) : remote(options);
    const ask = askOn(backend);
    this.sessions = sessionsOn(backend);
    this.connectedAccounts = connectedAccountsOf(backend);
    this.authConfigs = authConfigsOf(ask);
    this.toolkits = toolkitsOf(ask, this.authConfigs, this.connectedAccounts);
    this.tools = Object.assign(
      toolsOf(backend),
      unsupportedMembers('tools', [
        'get',
        'execute',
        'createCustomTool',
        'getRawComposioTools',
        'getRawComposioToolBySlug',
      ]),
    );
    this.experimental = { updateAcl: (...call) => this.connectedAccounts.updateAcl(...call) };
    this.#options = options;
  }

  /** The name that the Composio SDK had for {@link sessions}. */
  get toolRouter(): Sessions {
    return this.sessions;
  }

  /**
   * Returns a client with the same options, and with further headers for every request to the backend.
   *
   * @param options `headers`, which are added to `defaultHeaders`. A gateway in this process has no use for them.
   * @throws {ValidationError} If a header cannot be used.
   *
   * @example
   * ```ts
   * const traced = composio.createSession({ headers: { 'x-correlation-id': 'job-17' } });
   * ```
   */
  createSession({ headers = {} }: { headers?: Record<string, string> } = {}): Composio {
    if ('gateway' in this.#options) return new Composio(this.#options);
    return new Composio({ ...this.#options, defaultHeaders: { ...this.#options.defaultHeaders, ...headers } });
  }

  /** A function of the Composio SDK. It does nothing: there is no telemetry to send. */
  async flush(): Promise<void> {}

  /**
   * Opens a session for a user. It stays until it is deleted, so one for each request fills the store: keep its
   * `sessionId`, and go on with {@link Composio.use}.
   *
   * @param userId Your own id of the user.
   * @param config What the session may do. Default: all toolkits, with the user's own accounts.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If the backend refuses the configuration.
   * @throws {AuthenticationError} If the API key is not valid.
   * @throws {PermissionDeniedError} If the API key may not open sessions.
   * @throws {APIConnectionError} If the backend could not be reached.
   * @throws The signal's reason, if the signal is aborted.
   *
   * @example
   * ```ts
   * const session = await composio.create('user_123', {
   *   toolkits: ['github', 'slack'],
   *   connectedAccounts: { slack: 'ca_team' },
   * });
   * ```
   */
  async create(userId: string, config?: SessionConfig, options?: CallOptions): Promise<Session> {
    return this.sessions.create(userId, config, options);
  }

  /**
   * Returns an existing session.
   *
   * @param sessionId The session's id, `trs_…`.
   * @param use `customTools` and `customToolkits`, which the backend does not store, and `signal` and `timeout`
   * (milliseconds).
   * @param options `signal` and `timeout` (milliseconds), as a third argument.
   * @throws {ValidationError} If the id is empty or no string, or an option cannot be used.
   * @throws {NotFoundError} If there is no such session, or no longer.
   *
   * @example
   * ```ts
   * const session = await composio.use('trs_4f9d…');
   * ```
   */
  async use(sessionId: string, use?: UseSession, options?: CallOptions): Promise<Session> {
    return this.sessions.use(sessionId, use, options);
  }

  /**
   * Returns a function like that of {@link Session.fetch} that finds the session of each call. It is for an SDK that
   * takes one `fetch` for all of its users.
   *
   * @param sessionOf Returns the session of a call. It receives the call's URL, method and headers. If it throws, so
   * does the call.
   * @param toolkit The toolkit, such as `slack`.
   * @param options `keepAuthorization`, `throwGatewayErrors`, and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument cannot be used.
   *
   * @example
   * ```ts
   * const sessions = new Map<string, Session>();
   * const slack = composio.fetch(({ headers }) => sessions.get(headers.get('authorization') ?? ''), 'slack');
   * ```
   */
  fetch(
    sessionOf: (request: FetchRequest) => Session | undefined | Promise<Session | undefined>,
    toolkit: string,
    options?: FetchOptions,
  ): typeof globalThis.fetch {
    const check = new Check('fetch options');
    if (typeof sessionOf !== 'function') check.wrong('sessionOf', `must be a function, but is ${kindOf(sessionOf)}.`);
    check.done();
    const find = async (request: FetchRequest) => {
      const session = await sessionOf(request);
      const found = new Check('session of a call');
      if (!(session instanceof Session))
        found.wrong('sessionOf', `must return a Session, but returned ${kindOf(session)}.`);
      found.done();
      return sessionBackendOf(session as Session);
    };
    return fetchIn(find, toolkit, options);
  }
}

/** The calls that are made on a connection. */
let toolsOf: (backend: BackendHandle) => Tools;

/** Calls outside of a session, by {@link Composio.tools}. */
export class Tools {
  readonly #backend: BackendHandle;

  static {
    toolsOf = (backend) => new Tools(backend);
  }

  private constructor(backend: BackendHandle) {
    this.#backend = backend;
  }

  /**
   * Calls an endpoint with a named account, or with credentials given in the call. Without either, the call uses the
   * default account that {@link ConnectedAccounts.setDefault} has named.
   *
   * Every response of the third-party API is returned, 4xx and 5xx included.
   *
   * @param request What to call, and as whom: `connectedAccountId` or `customConnectionData`.
   * @param options `signal` aborts the call. `timeout` is in milliseconds, for the whole call.
   * `responseType: 'text'` leaves the response's JSON unparsed in `data`, and is no error where only the type says JSON.
   * @returns The response in its wire form (`binary_data`, not `binaryData`).
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If neither an account nor credentials are named and there is no default account (slug
   * `MissingAuthContext`), or the endpoint leads to a foreign host (`OriginMismatch`).
   * @throws {NotFoundError} If there is no such account or toolkit.
   * @throws {APIError} And what else {@link Session.proxyExecute} throws.
   *
   * @example
   * ```ts
   * const { status, data } = await composio.tools.proxyExecute({
   *   connectedAccountId: 'ca_4f9d…',
   *   endpoint: '/user',
   *   method: 'GET',
   * });
   * ```
   */
  async proxyExecute(
    request: ToolsProxyExecuteRequest,
    options: ProxyOptions & { responseType: 'text' },
  ): Promise<ToolsProxyExecuteResponse<string | null>>;
  async proxyExecute<T = unknown>(
    request: ToolsProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: 'json' },
  ): Promise<ToolsProxyExecuteResponse<T>>;
  async proxyExecute(
    request: ToolsProxyExecuteRequest,
    options: ProxyOptions & { responseType: 'stream' },
  ): Promise<ToolsProxyExecuteResponse<ByteStream>>;
  async proxyExecute(
    request: ToolsProxyExecuteRequest,
    options: ProxyOptions & { responseType: 'bytes' },
  ): Promise<ToolsProxyExecuteResponse<Uint8Array>>;
  async proxyExecute(
    request: ToolsProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: ResponseType },
  ): Promise<ToolsProxyExecuteResponse>;
  async proxyExecute(
    request: ToolsProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: ResponseType },
  ): Promise<ToolsProxyExecuteResponse> {
    const { native, timeout: standard } = this.#backend;
    const written = writeToolsRequest(request);
    const checked = proxyOptions(options);
    const { signal, timeout = standard, responseType } = checked;
    if (!isPlain(this.#backend, written, checked)) return proxied(this.#backend, null, written, checked);
    // A promise less for a plain call, as most are.
    const asText = responseType === 'text';
    const start = (cancel?: number) => native.toolsProxyExecute(written.text, undefined, asText, timeout, cancel);
    return readEnvelope(await answerOf(start, signal));
  }

  /**
   * Opens a file of a third-party API's response. See {@link Session.download}.
   *
   * @param binaryData The `binary_data` of a response. Only its `url` is used.
   * @param options `signal` and `timeout` (milliseconds).
   *
   * @example
   * ```ts
   * const call = { connectedAccountId: 'ca_4f9d…', endpoint: '/report.pdf', method: 'GET' } as const;
   * const { binary_data } = await composio.tools.proxyExecute(call);
   * if (binary_data) await (await composio.tools.download(binary_data)).toFile('report.pdf');
   * ```
   */
  async download(binaryData: Pick<BinaryData, 'url'>, options?: CallOptions): Promise<Download> {
    return openDownload(this.#backend, binaryData, options);
  }
}

function embedded(options: unknown): BackendHandle {
  const check = new Check('options of Composio');
  let gateway: unknown;
  let timeout: unknown;
  let retry: unknown;
  if (check.object(options, '', EMBEDDED_KEYS)) {
    ({ gateway, timeout, retry } = options);
    if (!(gateway instanceof Gateway)) {
      check.wrong(
        'gateway',
        `must be an open Gateway, but is ${kindOf(gateway)}: pass what \`await Gateway.open()\` returns.`,
      );
    }
    check.optionalTimeout(timeout, 'timeout');
    checkRetry(check, retry);
  }
  check.done();
  return {
    native: nativeBackendOf(gateway as Gateway),
    timeout: (timeout as number | undefined) ?? DEFAULT_TIMEOUT,
    headers: {},
    retries: { policy: policyOf(retry as RetryOptions | false | undefined), budget: new RetryBudget() },
    gateway: gateway as Gateway,
    streams: true,
  };
}

function remote(options: RemoteOptions): BackendHandle {
  const check = new Check('options of Composio');
  if (check.object(options, '', REMOTE_KEYS)) {
    const { apiKey, baseURL, timeout, maxRetries, retry, defaultHeaders, apiVersion } = options;
    check.optionalText(apiKey ?? undefined, 'apiKey');
    check.optionalText(baseURL ?? undefined, 'baseURL');
    for (const key of SDK_FLAGS) check.optionalFlag(options[key], key);
    check.optionalTimeout(timeout, 'timeout');
    check.optionalWhole(maxRetries, 'maxRetries', 0);
    checkRetry(check, retry);
    if (defaultHeaders !== undefined && check.record(defaultHeaders, 'defaultHeaders')) {
      for (const [name, value] of Object.entries(defaultHeaders)) {
        const path = below('defaultHeaders', name);
        check.headerName(name, path);
        if (typeof value !== 'string') check.wrong(path, `must be a string, but is ${kindOf(value)}.`);
        else if (check.wellFormed(value, path)) check.headerValue(value, path);
      }
    }
    if (apiVersion !== undefined) check.oneOf(apiVersion, 'apiVersion', ['v3.1', 'v3']);
  }
  check.done();
  // A variable that is set to nothing is not set.
  const { COMPOSIO_API_KEY, COMPOSIO_BASE_URL } = process.env;
  const apiKey = options.apiKey ?? (COMPOSIO_API_KEY || undefined);
  if (apiKey === undefined) throw new ComposioNoAPIKeyError();
  const baseURL = options.baseURL ?? (COMPOSIO_BASE_URL || DEFAULT_BASE_URL);
  const backend = native.Backend.remote(
    JSON.stringify({
      api_key: apiKey,
      base_url: baseURL,
      api_version: options.apiVersion,
      max_retries: options.maxRetries,
      default_headers: Object.entries(options.defaultHeaders ?? {}),
    }),
    completions(),
  );
  if (!(backend instanceof native.Backend)) throw toError(backend);
  return {
    native: backend,
    timeout: options.timeout ?? DEFAULT_TIMEOUT,
    headers: { 'x-api-key': apiKey },
    origin: originOf(baseURL),
    retries: { policy: policyOf(options.retry), budget: new RetryBudget() },
  };
}
