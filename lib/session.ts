// A session: a user, and the toolkits that may be called for them.

import type * as Native from '../native';
import type { ConnectedAccountStatus } from './account';
import type { BackendHandle } from './backend';
import { sending } from './binary-body';
import { connectedAccountsOf } from './connected-accounts';
import { type ConnectionRequest, LINK, linkedRequest, type WireLink } from './connection-request';
import { Download, readable } from './download';
import { answerOf } from './native';
import {
  type BinaryData,
  type ByteStream,
  type ProxyExecuteRequest,
  type ProxyExecuteResponse,
  readEnvelope,
  type ToolsProxyExecuteResponse,
  toResponse,
  type WrittenRequest,
  writeSessionRequest,
} from './proxy-request';
import { askOn, type ResourceRequest } from './resource';
import { type SessionUpdate, updateSessionBody } from './session-config';
import { type ListSessionToolkits, type SessionToolkitPage, sessionToolkits } from './toolkits';
import {
  type CallOptions,
  Check,
  callOptions,
  LONGEST_NAME,
  LONGEST_SLUG,
  proxyOptions,
  type ResponseType,
} from './validate';

/** A session, in the form of a response. */
interface SessionAnswer {
  session_id: string;
  mcp: { type?: string; url?: string };
  config: Record<string, unknown>;
}

/** How a session's user is to connect an account. */
export interface AuthorizeOptions {
  /** The absolute URL to which the user is sent at the end. */
  callbackUrl?: string;
  /** A name, for telling a user's accounts of one toolkit apart. */
  alias?: string;
}

/** How a session's user is to connect an account, if there is none. */
export interface EnsureConnectedOptions extends AuthorizeOptions {
  /** Time to wait for the user, in milliseconds. Default: 60 000. */
  timeout?: number;
}

/** The result of {@link Session.ensureConnected}. */
export interface EnsuredConnection {
  /** The toolkit's slug. */
  toolkit: string;
  /** Whether there was nothing to do. */
  wasConnected: boolean;
  /** The account that calls use; absent where the toolkit needs none. */
  connectedAccount?: { id: string; status: ConnectedAccountStatus };
}

/** Where the tools of a session are served to agents. An embedded gateway serves none. */
export interface Mcp {
  /** The transport. */
  type: 'http';
  /** The address; empty where none is served. */
  url: string;
  /** The headers to send to it. The API key is one of them: do not log them. */
  headers: Record<string, string>;
}

/** The path of sessions. */
export const SESSION_PATH: readonly string[] = ['tool_router', 'session'];

const SESSION = { session_id: 'string', mcp: { 'type?': 'string', 'url?': 'string' }, config: {} } as const;
const CONFIG = { config: {} } as const;
const DELETED = { session_id: 'string', deleted: 'boolean' } as const;

/** Creates the session from a backend's response to this request. */
export let sessionFrom: (backend: BackendHandle, request: ResourceRequest, options?: CallOptions) => Promise<Session>;

/**
 * A user's session, made by {@link Composio.create} or {@link Composio.use}.
 *
 * It holds no resources: there is nothing to close, and its id is all that has to be kept to use
 * it again, from any process.
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
  #answer: SessionAnswer;

  static {
    sessionFrom = async (backend, request, options) =>
      new Session(backend, await askOn(backend)({ ...request, form: SESSION }, options));
  }

  private constructor(backend: BackendHandle, answer: SessionAnswer) {
    this.sessionId = answer.session_id;
    this.#backend = backend;
    this.#answer = answer;
  }

  /** The user that calls are made for, by your own id of them. */
  get userId(): string {
    return String(this.#answer.config.user_id);
  }

  /** The session's configuration as the backend returned it, under the names of the wire. */
  get config(): Readonly<Record<string, unknown>> {
    return this.#answer.config;
  }

  /** Where the tools of the session are served to agents. */
  get mcp(): Mcp {
    return { type: 'http', url: this.#answer.mcp.url ?? '', headers: { ...this.#backend.headers } };
  }

  /**
   * Calls an endpoint of a toolkit as the session's user. The credential of the user's account is
   * added on the way; it is never seen here.
   *
   * Every response of the third-party API is returned, 4xx and 5xx included. An error means that the
   * call got no response from the API.
   *
   * A call is retried only if it cannot have reached the third-party API, or if it only reads (GET,
   * HEAD) and the connection broke.
   *
   * @param request What to call. `parameters` are headers and query values.
   * @param options `signal` aborts the call. `timeout` is in milliseconds, for the whole call
   * (default: that of the {@link Composio} object). `responseType: 'text'` leaves the response's JSON
   * unparsed in `data`, for numbers that JavaScript would round, and is no error where only the type says JSON.
   * `responseType: 'stream'` makes `data` a
   * `ReadableStream` of the response's bytes, whatever they are; `timeout` is then for the response's
   * beginning and for each piece of it.
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If the user has no active account of the toolkit (slug
   * `ToolRouterV2_NoActiveConnection`), or the endpoint leads to a foreign host (`OriginMismatch`).
   * @throws {PermissionDeniedError} If the session does not allow the toolkit.
   * @throws {NotFoundError} If the session is deleted, or there is no such toolkit.
   * @throws {UnprocessableEntityError} If the account is disabled or expired.
   * @throws {RateLimitError} If the backend has had too many calls.
   * @throws {InternalServerError} If the third-party API could not be reached or did not respond.
   * @throws {APIConnectionTimeoutError} If the call was not done within its timeout.
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
    options: CallOptions & { responseType: 'text' },
  ): Promise<ProxyExecuteResponse<string | null>>;
  async proxyExecute<T = unknown>(
    request: ProxyExecuteRequest,
    options?: CallOptions & { responseType?: 'json' },
  ): Promise<ProxyExecuteResponse<T>>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options: CallOptions & { responseType: 'stream' },
  ): Promise<ProxyExecuteResponse<ByteStream>>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options?: CallOptions & { responseType?: ResponseType },
  ): Promise<ProxyExecuteResponse>;
  async proxyExecute(
    request: ProxyExecuteRequest,
    options?: CallOptions & { responseType?: ResponseType },
  ): Promise<ProxyExecuteResponse> {
    const { native, timeout: standard } = this.#backend;
    const { text, source } = writeSessionRequest(request);
    const { signal, timeout = standard, responseType } = proxyOptions(options);
    if (responseType === 'stream') {
      return toResponse(await streamed(this.#backend, this.sessionId, { text, source }, { signal, timeout }));
    }
    const asText = responseType === 'text';
    const call = (upload?: Native.Upload) =>
      answerOf((cancel) => native.proxyExecute(this.sessionId, text, upload, asText, timeout, cancel), signal);
    // A promise less for a call without bytes, as most are.
    if (source === undefined) return toResponse(readEnvelope(await call()));
    return toResponse(await sending(source, async (upload) => readEnvelope(await call(upload))));
  }

  /**
   * Begins an account of a toolkit for the session's user, who finishes it on a page.
   *
   * It is made with the auth config that the session names for the toolkit. Without one, a gateway
   * takes the newest that is enabled and was made for the toolkit, and else, for toolkits with API
   * keys and the like, one of its own.
   *
   * @param toolkit The toolkit, such as `github`.
   * @param authorize `callbackUrl` is the URL to which the user is sent at the end, with `status=success` or
   * `status=failed` and `connected_account_id` in its query. `alias` names the account.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns The page, as `redirectUrl`, and `waitForConnection` to wait until the account is `ACTIVE`.
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {BadRequestError} If there is no auth config that could be used, the toolkit needs no
   * account, the session pins one, or the gateway does not allow the callback URL.
   * @throws {PermissionDeniedError} If the session does not allow the toolkit.
   * @throws {ConflictError} If the alias is taken, or the gateway does not listen, so that there is no
   * page (slug `GatewayNotListening`).
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
    toolkit: string,
    authorize: AuthorizeOptions = {},
    options?: CallOptions,
  ): Promise<ConnectionRequest> {
    checkAuthorization(toolkit, authorize, ['callbackUrl', 'alias']);
    const { callbackUrl: callback_url, alias } = authorize;
    const path = [...SESSION_PATH, this.sessionId, 'link'];
    const body = { toolkit, callback_url, alias };
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
   * @param options `signal` ends it at every stage. `timeout` is in milliseconds, for each request before the wait.
   * @returns Whether there was an account, and the one that calls use.
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used; nothing was sent.
   * @throws {ConnectionRequestFailedError} If the account that was begun has failed, expired or been revoked.
   * @throws {ConnectionRequestTimeoutError} If it is not active in time. It stays, and may still become so.
   * @throws What {@link Session.toolkits} and {@link Session.authorize} throw.
   *
   * @example
   * ```ts
   * const { wasConnected, connectedAccount } = await session.ensureConnected('github', { timeout: 300_000 });
   * ```
   */
  async ensureConnected(
    toolkit: string,
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
   * @param options `signal` ends it at every stage. `timeout` is in milliseconds, for the file's
   * beginning and for each piece of it.
   * @throws {ValidationError} If an argument cannot be used.
   * @throws {PermissionDeniedError} If the URL has expired, or was not signed by the gateway.
   * @throws {NotFoundError} If the file no longer exists.
   * @throws {APIConnectionError} If it could not be reached. When it is read, also if it breaks off.
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
   * Changes parts of the session's configuration. Unnamed parts stay; `null` resets a part.
   *
   * @param update The parts to change.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns This session, with the new `config`.
   * @throws {ValidationError} If an argument cannot be used; nothing was sent.
   * @throws {BadRequestError} If the backend refuses the configuration.
   * @throws {NotFoundError} If the session is deleted.
   * @throws {ConflictError} If another change came first.
   *
   * @example
   * ```ts
   * await session.update({ toolkits: ['github', 'slack'], connectedAccounts: null });
   * ```
   */
  async update(update: SessionUpdate, options?: CallOptions): Promise<this> {
    const body = updateSessionBody(update);
    const path = [...SESSION_PATH, this.sessionId];
    // The response needs to have the configuration only. The address of the tools stays.
    const { config } = await askOn(this.#backend)<Pick<SessionAnswer, 'config'>>(
      { method: 'PATCH', path, body, form: CONFIG },
      options,
    );
    this.#answer = { ...this.#answer, config };
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
   * @param filter Which ones. Default: all that the session may call.
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

/** Checks how an account is to be connected, of which these keys may be told. */
function checkAuthorization(toolkit: unknown, authorize: unknown, known: readonly string[]): void {
  const check = new Check('authorization');
  check.text(toolkit, 'toolkit', "name the toolkit, for example 'github'", LONGEST_SLUG);
  if (check.object(authorize, '', known)) {
    check.optionalText(authorize.callbackUrl, 'callbackUrl');
    check.optionalText(authorize.alias, 'alias', LONGEST_NAME);
    check.optionalTimeout(authorize.timeout, 'timeout');
  }
  check.done();
}

/** Makes a call with a streamed response, in a session or outside of one. */
export async function streamed(
  { native }: BackendHandle,
  sessionId: string | null,
  { text, source }: WrittenRequest,
  { signal, timeout }: { signal?: AbortSignal; timeout: number },
): Promise<ToolsProxyExecuteResponse<ReadableStream<Uint8Array>>> {
  return sending(source, async (upload) => {
    const start = (cancel?: number) => native.proxyStream(sessionId, text, upload, timeout, cancel);
    const reader = await answerOf<Native.ByteReader>(start, signal);
    try {
      return Object.assign(readEnvelope(reader.head), { data: readable(reader, timeout, signal) });
    } catch (error) {
      reader.cancel();
      throw error;
    }
  });
}

/** Opens a file by its URL. */
export async function openDownload(
  { native, timeout: standard }: BackendHandle,
  binaryData: unknown,
  options?: CallOptions,
): Promise<Download> {
  const check = new Check('file to download');
  const { url } = Object(binaryData);
  if (check.record(binaryData, '')) check.text(url, 'url', 'pass the `binaryData` of a response');
  check.done();
  const { signal, timeout = standard } = callOptions(options);
  const reader = await answerOf<Native.ByteReader>((cancel) => native.download(url, timeout, cancel), signal);
  return new Download(reader, { signal, timeout });
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
