// A session: a user, and the toolkits that may be called for them.

import type { ConnectedAccountStatus } from './account';
import { type BackendHandle, originOf } from './backend';
import type { ToolkitSlug } from './built-in-toolkits';
import { connectedAccountsOf } from './connected-accounts';
import { type ConnectionRequest, LINK, linkedRequest, type WireLink } from './connection-request';
import {
  type RegisteredCustomTool,
  type RegisteredCustomToolkit,
  registeredToolkits,
  registeredTools,
  runTool,
  type SessionContext,
  type ToolRegistry,
  type ToolResult,
  toolBySlug,
} from './custom-tools';
import { type Download, openDownload } from './download';
import { ComposioSessionConfigConflictError } from './errors';
import { type FetchOptions, fetchIn, type SessionBackend } from './fetch';
import { answerOf } from './native';
import { checkPaginate, type PaginateOptions, type ProxyPage, pagesOf } from './pages';
import { isPlain, proxied } from './proxy-call';
import { type ProxyOptions, proxyOptions, type ResponseType } from './proxy-options';
import {
  type BinaryData,
  type ByteStream,
  type ProxyExecuteRequest,
  type ProxyExecuteResponse,
  readEnvelope,
  toResponse,
  writeSessionRequest,
} from './proxy-request';
import { askOn, type ResourceRequest } from './resource';
import { type SessionUpdate, updateSessionBody } from './session-config';
import { checkSharing, type NewAccountSharing, sharingBody } from './sharing';
import { toolkitFacts } from './toolkit-facts';
import { type ListSessionToolkits, type SessionToolkitPage, sessionToolkits } from './toolkits';
import {
  type UnsupportedMembers,
  type UnsupportedOption,
  type UnsupportedResult,
  unsupported,
  unsupportedMembers,
} from './unsupported';
import { type CallOptions, Check, callOptions, LONGEST_NAME, LONGEST_SLUG } from './validate';

/** A session, in the form of a response. */
interface SessionAnswer {
  session_id: string;
  mcp: { type?: string; url?: string };
  config_version?: number;
  config: Record<string, unknown>;
}

/** The options of {@link Session.authorize}: how the session's user connects an account. */
export interface AuthorizeOptions {
  /** The absolute URL to which the user is redirected at the end. */
  callbackUrl?: string;
  /** A name, for telling a user's accounts of one toolkit apart. */
  alias?: string;
  /** Whether other users may use the account. Default: no. */
  experimental?: NewAccountSharing;
}

/** The options of {@link Session.ensureConnected}. */
export interface EnsureConnectedOptions extends Omit<AuthorizeOptions, 'experimental'> {
  /** Time to wait for the user, in milliseconds. Default: 60 000. */
  timeout?: number;
}

/** The result of {@link Session.ensureConnected}. */
export interface EnsuredConnection {
  /** The toolkit's slug. */
  toolkit: string;
  /** Whether the user already had an active account, or the toolkit needs none. */
  wasConnected: boolean;
  /** The account that calls use; absent if the toolkit needs none. */
  connectedAccount?: { id: string; status: ConnectedAccountStatus };
}

/** The MCP server that gives agents the tools of a session. */
export interface Mcp {
  /** The transport. */
  type: 'http';
  /** The server's URL; empty if there is no server, as for a gateway that does not listen. */
  url: string;
  /**
   * The headers to send to the server. They contain the API key: do not log them. They are empty if the URL has
   * another origin than the backend, or if the backend is a gateway in this process, which has no key.
   */
  headers: Record<string, string>;
}

/** The path of sessions. */
export const SESSION_PATH: readonly string[] = ['tool_router', 'session'];

const SESSION = {
  session_id: 'string',
  mcp: { 'type?': 'string', 'url?': 'string' },
  config: {},
  'config_version?': 'number',
} as const;
const CONFIG = { config: {}, 'config_version?': 'number' } as const;
const DELETED = { session_id: 'string', deleted: 'boolean' } as const;

/** Where the calls of a session go. */
export let sessionBackendOf: (session: Session) => SessionBackend;

/** Sends the request, and creates a session with these custom tools from the backend's response. */
export let sessionFrom: (
  backend: BackendHandle,
  tools: ToolRegistry,
  request: ResourceRequest,
  options?: CallOptions,
) => Promise<Session>;

/** The files of a session of the hosted backend. Each member rejects, and says what to use. */
export type SessionFiles = UnsupportedMembers<'list' | 'upload' | 'download' | 'delete'>;

const FILES: SessionFiles = unsupportedMembers('session.files', ['list', 'upload', 'download', 'delete']);

/**
 * A user's session, made by {@link Composio.create} or {@link Composio.use}.
 *
 * A session holds no resources, so there is nothing to close. To use the session again, from any process, keep its
 * id and pass it to {@link Composio.use}.
 *
 * @example
 * ```ts
 * const session = await composio.create('user_123', { toolkits: ['github'] });
 * const { status, data } = await session.proxyExecute({ toolkit: 'github', endpoint: '/user', method: 'GET' });
 * ```
 */
export class Session {
  /** The session's id, `trs_…`. */
  readonly sessionId: string;
  readonly #backend: BackendHandle;
  readonly #tools: ToolRegistry;
  #answer: SessionAnswer;

  static {
    sessionFrom = async (backend, tools, request, options) =>
      new Session(backend, tools, await askOn(backend)({ ...request, form: SESSION }, options));
    sessionBackendOf = (session) => ({ backend: session.#backend, sessionId: session.sessionId });
  }

  private constructor(backend: BackendHandle, tools: ToolRegistry, answer: SessionAnswer) {
    this.sessionId = answer.session_id;
    this.#backend = backend;
    this.#tools = tools;
    this.#answer = answer;
  }

  /** Your own id of the user that calls are made for. */
  get userId(): string {
    return String(this.#answer.config.user_id);
  }

  /** The session's configuration as the backend returned it, under the names of the wire. */
  get config(): Readonly<Record<string, unknown>> {
    return this.#answer.config;
  }

  /** The version of the configuration: 1 at first, and one more with each update. */
  get configVersion(): number | undefined {
    return this.#answer.config_version;
  }

  /** The MCP server that gives agents the tools of the session. */
  get mcp(): Mcp {
    const url = this.#answer.mcp.url ?? '';
    const { headers, origin } = this.#backend;
    return { type: 'http', url, headers: originOf(url) === origin ? { ...headers } : {} };
  }

  /** The tools of the hosted backend that are offered without a search. A gateway has none. */
  get preload(): unknown {
    return this.#answer.config.preload;
  }

  /** The sandbox of the hosted backend, under the names of the wire. */
  get sandbox(): unknown {
    return this.#answer.config.workbench;
  }

  /** Files of the hosted backend, which are not in this package: each member rejects, and says what to use. */
  get files(): SessionFiles {
    return FILES;
  }

  /** Where the Composio SDK has {@link files}. */
  get experimental(): { readonly files: SessionFiles } {
    return { files: FILES };
  }

  /**
   * Lists the custom tools that the session was given, by {@link Composio.create} or {@link Composio.use}.
   *
   * @param filter `toolkit` is the toolkit that the tools extend or belong to. Default: all.
   *
   * @example
   * ```ts
   * for (const { slug, description } of session.customTools()) console.log(slug, description);
   * ```
   */
  customTools(filter: { toolkit?: string } = {}): RegisteredCustomTool[] {
    return registeredTools(this.#tools, filter.toolkit);
  }

  /** Lists the toolkits of custom tools that the session was given. */
  customToolkits(): RegisteredCustomToolkit[] {
    return registeredToolkits(this.#tools);
  }

  /**
   * Runs a custom tool of the session in this process. Nothing is sent but the calls that the tool makes.
   *
   * @param slug The tool's name in the session, such as `LOCAL_GREP`, or the slug that it was created with.
   * @param input The input of the tool, which its schema checks.
   * @param _account An option of the Composio SDK. It has no effect.
   * @param options `signal` and `timeout` (milliseconds). The signal is that of the tool's context.
   * @returns The tool's `data`. If the tool throws, or its schema refuses the input, `error` says why.
   * @throws {UnsupportedFeatureError} If the session has no such custom tool: tools of the hosted backend are not in
   * this package.
   * @throws {ValidationError} If an argument cannot be used, or the slug is that of several tools.
   * @throws The signal's reason, if the signal is aborted.
   *
   * @example
   * ```ts
   * const { data, error } = await session.execute('COUNT_STARS', { repository: 'octocat/hello-world' });
   * ```
   */
  async execute(
    slug: string,
    input: Record<string, unknown> = {},
    _account?: { account?: string },
    options?: CallOptions,
  ): Promise<ToolResult> {
    const check = new Check('custom tool');
    check.text(slug, 'slug');
    check.record(input, 'input');
    check.done();
    const { signal, timeout } = callOptions(options);
    const tool = toolBySlug(this.#tools, slug);
    if (tool === undefined) throw unsupported('session.execute');
    return runTool(tool, input, this.#contextOf({ signal, timeout }));
  }

  #contextOf(limits: CallOptions): SessionContext {
    return {
      userId: this.userId,
      signal: limits.signal,
      proxyExecute: (request, options) => this.proxyExecute(request, { ...limits, ...options }),
      execute: (slug, input) => this.execute(slug, input, undefined, limits),
    };
  }

  /**
   * Tools of the hosted backend, which are not in this package.
   *
   * @throws {UnsupportedFeatureError} Always. The message says what to use.
   */
  async tools(..._options: UnsupportedOption[]): Promise<UnsupportedResult> {
    throw unsupported('session.tools');
  }

  /**
   * The search of the hosted backend, which is not in this package.
   *
   * @throws {UnsupportedFeatureError} Always. The message says what to use.
   */
  async search(..._options: UnsupportedOption[]): Promise<UnsupportedResult> {
    throw unsupported('session.search');
  }

  /**
   * Earlier configurations of the session, which are not in this package.
   *
   * @throws {UnsupportedFeatureError} Always. The message says what to use.
   */
  async listConfigHistory(..._options: UnsupportedOption[]): Promise<UnsupportedResult> {
    throw unsupported('session.listConfigHistory');
  }

  /**
   * Calls an endpoint of a toolkit as the session's user. The backend adds the credential of the user's account.
   * Your program never sees the credential.
   *
   * Every response of the third-party API is returned, 4xx and 5xx included. An error means that the
   * call got no response from the API.
   *
   * A call is retried only if it cannot have reached the third-party API, or if it only reads (GET,
   * HEAD) and the connection broke or the backend was unavailable (503).
   *
   * @param request What to call. `parameters` are headers and query values.
   * @param options `signal` aborts the call. `timeout` is in milliseconds, for the whole call
   * (default: that of the {@link Composio} object). `retry` says which responses of the API are retried (default:
   * that of the {@link Composio} object, else none). `responseType: 'text'` leaves the response's JSON
   * unparsed in `data`, for numbers that JavaScript would round, and for bodies that only claim to be JSON.
   * `responseType: 'stream'` makes `data` a `ReadableStream` of the response's bytes, of any content type.
   * `timeout` then limits the wait for the response's head, and the wait for each chunk of its body.
   * `responseType: 'bytes'` makes `data` those bytes in one piece, at most 50 MiB.
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If the user has no active account of the toolkit (slug
   * `ToolRouterV2_NoActiveConnection`), or the endpoint leads to a foreign host (`OriginMismatch`).
   * @throws {PermissionDeniedError} If the session does not allow the toolkit.
   * @throws {NotFoundError} If the session is deleted, or there is no such toolkit.
   * @throws {UnprocessableEntityError} If the account that the session pins is disabled or expired, or if the
   * provider has refused to refresh the account's access token.
   * @throws {RateLimitError} If the backend has had too many calls.
   * @throws {InternalServerError} If the third-party API could not be reached or did not respond, or if the access
   * token could not be refreshed now.
   * @throws {APIConnectionTimeoutError} If the call did not end within its timeout.
   * @throws {APIConnectionError} If the backend could not be reached.
   * @throws The signal's reason, if the signal is aborted.
   *
   * @example
   * ```ts
   * const { status, data } = await session.proxyExecute<{ title: string }>(
   *   {
   *     toolkit: 'github',
   *     endpoint: '/repos/octocat/hello-world/issues/1',
   *     method: 'GET',
   *     parameters: [{ name: 'Accept', value: 'application/vnd.github+json', in: 'header' }],
   *   },
   *   { timeout: 10_000 },
   * );
   * if (status === 200) console.log(data.title);
   * ```
   */
  async proxyExecute(
    request: ProxyExecuteRequest,
    options: ProxyOptions & { responseType: 'text' },
  ): Promise<ProxyExecuteResponse<string | null>>;
  async proxyExecute<T = unknown>(
    request: ProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: 'json' },
  ): Promise<ProxyExecuteResponse<T>>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options: ProxyOptions & { responseType: 'stream' },
  ): Promise<ProxyExecuteResponse<ByteStream>>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options: ProxyOptions & { responseType: 'bytes' },
  ): Promise<ProxyExecuteResponse<Uint8Array>>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: ResponseType },
  ): Promise<ProxyExecuteResponse>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options?: ProxyOptions & { responseType?: ResponseType },
  ): Promise<ProxyExecuteResponse> {
    const { native, timeout: standard } = this.#backend;
    const written = writeSessionRequest(request);
    const checked = proxyOptions(options);
    const { signal, timeout = standard, responseType } = checked;
    if (!isPlain(this.#backend, written, checked))
      return toResponse(await proxied(this.#backend, this.sessionId, written, checked));
    // Most calls are plain. Here, such a call creates one promise less.
    const asText = responseType === 'text';
    const start = (cancel?: number) =>
      native.proxyExecute(this.sessionId, written.text, undefined, asText, timeout, cancel);
    return toResponse(readEnvelope(await answerOf(start, signal)));
  }

  /**
   * Returns a function with the signature of `fetch` that calls a toolkit as the session's user, for the SDK of an
   * API: pass it where the SDK takes a `fetch`, and any text as the SDK's key.
   *
   * A path is appended to the base URL of the user's account. An absolute URL must lead to one of the toolkit's hosts.
   * The result is a `Response`, whose body is streamed. An error of the backend that a retry cannot mend, such as a
   * missing account, is a `Response` with its status of 4xx and the header `x-proxy-execute-error`.
   *
   * @param toolkit The toolkit, such as `github`.
   * @param options `keepAuthorization`, `throwGatewayErrors`, and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument cannot be used.
   *
   * @example
   * ```ts
   * const github = session.fetch('github');
   * const response = await github('/user', { headers: { accept: 'application/vnd.github+json' } });
   * if (response.ok) console.log(await response.json());
   * ```
   */
  fetch(toolkit: ToolkitSlug, options?: FetchOptions): typeof globalThis.fetch {
    return fetchIn(sessionBackendOf(this), toolkit, options);
  }

  /**
   * Calls an endpoint for the pages of a list, one after the other. The next page is asked for when the loop is ready
   * for it. Each page is a call like {@link Session.proxyExecute}, so every address that the API gives passes the same
   * rules.
   *
   * @param request The call for the first page: a GET, or a POST where the recipe has the cursor in the body.
   * @param options `limit` is the most items of all pages together. `items` is the JSON pointer of a page's items.
   * `pagination` says how the API gives pages (default: the recipe of the toolkit). `cursor` begins at an earlier
   * page's cursor. `signal`, `timeout` and `retry` are of each page's call.
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {PageError} If a page has a status other than 2xx, its items are not where the recipe says, its cursor
   * repeats, or there is no recipe. The error has the page's `cursor` and `response`.
   * @throws {BadRequestError} If the next page has an address on a foreign host (slug `OriginMismatch`).
   * @throws What {@link Session.proxyExecute} throws.
   *
   * @example
   * ```ts
   * const request = { toolkit: 'github', endpoint: '/user/repos', method: 'GET', query: { per_page: 100 } } as const;
   * for await (const { items } of session.paginate<{ name: string }>(request, { limit: 1_000 })) {
   *   for (const { name } of items) console.log(name);
   * }
   * ```
   */
  paginate<T = unknown>(
    request: ProxyExecuteRequest,
    options: PaginateOptions = {},
  ): AsyncGenerator<ProxyPage<T>, void, undefined> {
    writeSessionRequest(request);
    checkPaginate(options);
    const source = {
      call: (page: ProxyExecuteRequest, call: ProxyOptions) => this.proxyExecute(page, call),
      facts: (toolkit: string, call: CallOptions) => toolkitFacts(this.#backend, toolkit, call),
    };
    return pagesOf(source, request, options);
  }

  /**
   * Creates an account of a toolkit for the session's user, and a link to the page where the user connects it.
   *
   * The account has the auth config that the session names for the toolkit. If the session names none, a gateway
   * takes the newest enabled auth config that was created for the toolkit. If there is none either, the gateway has
   * a default auth config for toolkits with an API key, a token or a password, but not for OAuth.
   *
   * @param toolkit The toolkit, such as `github`.
   * @param authorize `callbackUrl` is the URL to which the user is redirected at the end, with `status=success` or
   * `status=failed` and `connected_account_id` in its query. `alias` names the account. `experimental` shares it with
   * other users: a session has to pin a `SHARED` account, also one of the account's own user.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns The page's URL, as `redirectUrl`, and `waitForConnection` to wait until the account is `ACTIVE`.
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {BadRequestError} If no auth config can be used, the toolkit needs no account, the session pins an
   * account, or the gateway does not allow the callback URL.
   * @throws {PermissionDeniedError} If the session does not allow the toolkit.
   * @throws {ConflictError} If the alias is taken, or if the gateway neither listens nor has a `publicUrl`, so
   * that there is no page (slug `GatewayNotListening`).
   *
   * @example
   * ```ts
   * const { redirectUrl, waitForConnection } = await session.authorize('github', {
   *   callbackUrl: 'https://app.example.com/connected',
   * });
   * // send the user to redirectUrl
   * const account = await waitForConnection(300_000);
   * ```
   */
  async authorize(
    toolkit: ToolkitSlug,
    authorize: AuthorizeOptions = {},
    options?: CallOptions,
  ): Promise<ConnectionRequest> {
    checkAuthorization(toolkit, authorize, ['callbackUrl', 'alias', 'experimental']);
    const { callbackUrl: callback_url, alias } = authorize;
    const path = [...SESSION_PATH, this.sessionId, 'link'];
    const body = { toolkit, callback_url, alias, experimental: sharingBody(authorize.experimental) };
    const link = await askOn(this.#backend)<WireLink>({ method: 'POST', path, body, form: LINK }, options);
    return linkedRequest(connectedAccountsOf(this.#backend), link);
  }

  /**
   * Ensures that calls of a toolkit have an account. If the toolkit needs one and the session's user has none that is
   * `ACTIVE`, the method creates one like {@link Session.authorize}, and waits for it.
   *
   * The method does not return the link. For a user in front of your program, call {@link Session.authorize}, send the
   * user to its `redirectUrl`, and then `waitForConnection`.
   *
   * @param toolkit The toolkit, such as `github`.
   * @param connect `callbackUrl` and `alias` are those of {@link Session.authorize}. `timeout` is the time to wait for
   * the user, in milliseconds (default: 60 000).
   * @param options `signal` aborts the method at every stage. `timeout` is in milliseconds, for each request before
   * the wait.
   * @returns Whether the user already had an account, and the account that calls use.
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used; nothing was sent.
   * @throws {ConnectionRequestFailedError} If the new account has failed, expired or been revoked.
   * @throws {ConnectionRequestTimeoutError} If the new account is not `ACTIVE` in time. The account stays, and may
   * still become `ACTIVE`.
   * @throws What {@link Session.toolkits} and {@link Session.authorize} throw.
   *
   * @example
   * ```ts
   * const { wasConnected, connectedAccount } = await session.ensureConnected('github', { timeout: 300_000 });
   * ```
   */
  async ensureConnected(
    toolkit: ToolkitSlug,
    connect: EnsureConnectedOptions = {},
    options?: CallOptions,
  ): Promise<EnsuredConnection> {
    checkAuthorization(toolkit, connect, ['callbackUrl', 'alias', 'timeout']);
    const { timeout, ...authorize } = connect;
    const { items } = await this.toolkits({ toolkits: [toolkit] }, options);
    const found = items.find((item) => item.slug.toLowerCase() === toolkit.toLowerCase());
    const slug = found?.slug ?? toolkit;
    if (found?.isNoAuth) return { toolkit: slug, wasConnected: true };
    const { isActive, connectedAccount } = found?.connection ?? {};
    if (isActive) return { toolkit: slug, wasConnected: true, connectedAccount };
    const { waitForConnection } = await this.authorize(toolkit, authorize, options);
    const { id, status } = await waitForConnection(timeout, { signal: options?.signal });
    return { toolkit: slug, wasConnected: false, connectedAccount: { id, status } };
  }

  /**
   * Opens a file of a third-party API's response.
   *
   * @param binaryData The `binaryData` of a response. Only its `url` is used.
   * @param options `signal` aborts the download at every stage. `timeout` is in milliseconds. It limits the wait for
   * the start of the file, and the wait for each chunk.
   * @throws {ValidationError} If an argument cannot be used.
   * @throws {PermissionDeniedError} If the URL has expired, or was not signed by the gateway.
   * @throws {NotFoundError} If the file no longer exists.
   * @throws {APIConnectionError} If the file's server could not be reached. Reading the file also throws it if the
   * connection breaks.
   *
   * @example
   * ```ts
   * const { binaryData } = await session.proxyExecute({ toolkit: 'github', endpoint: '/report.pdf', method: 'GET' });
   * if (binaryData) {
   *   const file = await session.download(binaryData);
   *   await file.toFile('report.pdf', { onProgress: ({ written, size }) => console.log(written, size) });
   * }
   * ```
   */
  async download(binaryData: Pick<BinaryData, 'url'>, options?: CallOptions): Promise<Download> {
    return openDownload(this.#backend, binaryData, options);
  }

  /**
   * Changes parts of the session's configuration. Parts that are not given stay as they are; `null` resets a part.
   *
   * @param update The parts to change.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns This session, with the new `config`.
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If the backend refuses the configuration.
   * @throws {NotFoundError} If the session is deleted.
   * @throws {ComposioSessionConfigConflictError} If another call changed the session at the same time, or if the
   * session has another version than `expectedConfigVersion`.
   *
   * @example
   * ```ts
   * await session.update({ toolkits: ['github', 'slack'], connectedAccounts: null });
   * ```
   */
  async update(update: SessionUpdate, options?: CallOptions): Promise<this> {
    const body = updateSessionBody(update);
    const path = [...SESSION_PATH, this.sessionId];
    // Only the configuration is read from the response. `mcp` stays as it is.
    const { config, config_version } = await askOn(this.#backend)<Pick<SessionAnswer, 'config' | 'config_version'>>(
      { method: 'PATCH', path, body, form: CONFIG, errors: { 409: ComposioSessionConfigConflictError } },
      options,
    );
    this.#answer = { ...this.#answer, config, config_version };
    return this;
  }

  /**
   * Deletes the session. The user's accounts stay.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {NotFoundError} If the session is deleted already.
   *
   * @example
   * ```ts
   * await session.delete();
   * ```
   */
  async delete(options?: CallOptions): Promise<{ sessionId: string; deleted: boolean }> {
    return deleteSession(this.#backend, this.sessionId, options);
  }

  /**
   * Lists the session's toolkits, each with the account that a call would use, a page at a time.
   *
   * @param filter Which toolkits to list. Default: all that the session may call.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {NotFoundError} If the session is deleted.
   *
   * @example
   * ```ts
   * const { items } = await session.toolkits({ isConnected: true });
   * for (const { slug, connection } of items) console.log(slug, connection?.connectedAccount?.id);
   * ```
   */
  async toolkits(filter: ListSessionToolkits = {}, options?: CallOptions): Promise<SessionToolkitPage> {
    return sessionToolkits(askOn(this.#backend), this.sessionId, filter, options);
  }
}

/** Checks the arguments of `authorize` and `ensureConnected`. `known` are the keys that the options may have. */
function checkAuthorization(toolkit: unknown, authorize: unknown, known: readonly string[]): void {
  const check = new Check('authorization');
  check.text(toolkit, 'toolkit', "name the toolkit, for example 'github'", LONGEST_SLUG);
  if (check.object(authorize, '', known)) {
    check.optionalText(authorize.callbackUrl, 'callbackUrl');
    check.optionalText(authorize.alias, 'alias', LONGEST_NAME);
    check.optionalTimeout(authorize.timeout, 'timeout');
    checkSharing(check, authorize.experimental);
  }
  check.done();
}

/** Deletes a session by its id. */
export async function deleteSession(
  backend: BackendHandle,
  id: string,
  options?: CallOptions,
): Promise<{ sessionId: string; deleted: boolean }> {
  const { session_id: sessionId, deleted } = await askOn(backend)<{ session_id: string; deleted: boolean }>(
    { method: 'DELETE', path: [...SESSION_PATH, id], form: DELETED },
    options,
  );
  return { sessionId, deleted };
}
