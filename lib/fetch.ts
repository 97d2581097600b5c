// `fetch` over a session: what takes a WHATWG fetch, such as the SDK of an API, calls as the session's user.

import type * as Native from '../native';
import type { BackendHandle } from './backend';
import { type Source, sending } from './binary-body';
import { isWatched, watched } from './call-trace';
import { APIConnectionError, ComposioError } from './errors';
import { type FetchBody, type FetchCall, type FetchRequest, readCall } from './fetch-request';
import { envelopeResponse, errorResponse, fetchFailed, streamedResponse } from './fetch-response';
import { answerOf, reasonOf } from './native';
import { readEnvelope } from './proxy-request';
import { Check, LONGEST_SLUG } from './validate';

/** The options of {@link Session.fetch} and {@link Composio.fetch}. */
export interface FetchOptions {
  /**
   * Whether an `Authorization` of the caller replaces the account's credential. Default: false. The dummy credential
   * of an SDK is then dropped: its `Authorization`, and each header or query value that the account's credential sets.
   */
  keepAuthorization?: boolean;
  /**
   * Whether an error of the backend is thrown as an {@link APIError}. Default: false. An error with a status of 4xx is
   * then a `Response` with the header `x-proxy-execute-error`, and any other is the `cause` of a `TypeError`.
   */
  throwGatewayErrors?: boolean;
  /**
   * The wait for the response's head, and for each chunk of its body, in milliseconds. Default: the `timeout` of the
   * {@link Composio} object.
   */
  timeout?: number;
}

/** Where the calls of a session go. */
export interface SessionBackend {
  backend: BackendHandle;
  sessionId: string;
}

/** Makes a `fetch` that calls a toolkit in a session, or in the session that a function finds for each call. */
export function fetchIn(
  session: SessionBackend | ((request: FetchRequest) => Promise<SessionBackend>),
  toolkit: string,
  options: FetchOptions = {},
): typeof globalThis.fetch {
  const check = new Check('fetch options');
  check.text(toolkit, 'toolkit', "name the toolkit to call, for example 'github'", LONGEST_SLUG);
  if (check.object(options, '', ['keepAuthorization', 'throwGatewayErrors', 'timeout'])) {
    check.optionalFlag(options.keepAuthorization, 'keepAuthorization');
    check.optionalFlag(options.throwGatewayErrors, 'throwGatewayErrors');
    check.optionalTimeout(options.timeout, 'timeout');
  }
  check.done();
  const { keepAuthorization = false, throwGatewayErrors = false, timeout } = options;
  const fetch = async (input: unknown, init: unknown): Promise<Response> => {
    const call = readCall(input, init);
    const { signal } = call;
    if (signal?.aborted) throw reasonOf(signal);
    try {
      const { backend, sessionId } = typeof session === 'function' ? await session(headOf(call)) : session;
      const target = { backend, sessionId, toolkit, keepAuthorization, timeout: timeout ?? backend.timeout };
      backend.streams ??= await asksToStream(target, signal);
      const send = () => (backend.streams ? streamedCall(call, target) : envelopeCall(call, target));
      return await (isWatched() ? watched({ ...call, toolkit }, sessionId, send) : send());
    } catch (error) {
      if (signal?.aborted) throw reasonOf(signal);
      if (!(error instanceof ComposioError) || throwGatewayErrors) throw error;
      // Without a status, there was no connection, or the backend cannot do this.
      const { status = error instanceof APIConnectionError ? 0 : 400 } = error;
      if (status >= 400 && status < 500) return errorResponse(error, status, call.endpoint);
      throw fetchFailed(error.message, error);
    }
  };
  return fetch as typeof globalThis.fetch;
}

function headOf({ endpoint: url, method, headers }: FetchCall): FetchRequest {
  return { url, method, headers: new Headers([...headers]) };
}

/** Where a call goes, and how. */
interface FetchTarget extends SessionBackend {
  toolkit: string;
  keepAuthorization: boolean;
  timeout: number;
}

async function asksToStream({ backend, timeout }: FetchTarget, signal?: AbortSignal): Promise<boolean> {
  return (await answerOf((cancel) => backend.native.streams(timeout, cancel), signal)) === 'true';
}

/** Makes a call on a gateway, in process or on a port. Bytes are streamed in both directions. */
async function streamedCall(call: FetchCall, target: FetchTarget): Promise<Response> {
  const { backend, sessionId, toolkit, keepAuthorization, timeout } = target;
  const given = typeof call.body === 'function' ? await call.body().catch(bodyFailed) : call.body;
  // As `body` under a JSON type, a text would have to be JSON.
  const body = given !== undefined && 'text' in given ? { wire: { text: given.text } } : given;
  const text = JSON.stringify({
    toolkit_slug: toolkit,
    ...wireOf(call, body),
    keep_authorization: keepAuthorization,
    // `error` refuses a redirect that it sees.
    redirect: call.redirect === 'follow' ? 'follow' : 'manual',
  });
  const send = async (upload?: Native.Upload) => {
    const start = (cancel?: number) => backend.native.proxyStream(sessionId, text, upload, timeout, cancel);
    return streamedResponse(await answerOf<Native.ByteReader>(start, call.signal), call, timeout);
  };
  return sending(sourceOf(body), send);
}

/**
 * Makes a call on a backend that does not stream: the hosted one. Its envelope holds JSON as a value, which is written
 * again, and names a file by its URL, which is opened.
 */
async function envelopeCall(call: FetchCall, target: FetchTarget): Promise<Response> {
  const { backend, sessionId, toolkit, keepAuthorization, timeout } = target;
  if (call.redirect !== 'follow') {
    throw new ComposioError(`\`redirect: '${call.redirect}'\` cannot be used with this backend.`, {
      slug: 'NeedsGateway',
      suggestedFix: 'Use a gateway of this package, or leave `redirect` out.',
    });
  }
  // It would replace the credential of the account.
  if (!keepAuthorization) call.headers.delete('authorization');
  const body = typeof call.body === 'function' ? await call.body().catch(bodyFailed) : call.body;
  const text = JSON.stringify({ toolkit_slug: toolkit, ...wireOf(call, body) });
  const { signal } = call;
  const send = async (upload?: Native.Upload) => {
    const start = (cancel?: number) => backend.native.proxyExecute(sessionId, text, upload, true, timeout, cancel);
    const envelope = readEnvelope(await answerOf(start, signal));
    const url = envelope.binary_data?.url;
    const open = (cancel?: number) => backend.native.download(url as string, timeout, cancel);
    const file = url === undefined ? undefined : await answerOf<Native.ByteReader>(open, signal);
    return envelopeResponse(envelope, file, call, timeout);
  };
  return sending(sourceOf(body), send);
}

/** The members of a call that every backend knows. */
function wireOf({ endpoint, method, headers }: FetchCall, body: FetchBody | undefined): object {
  return {
    endpoint,
    method,
    body: body !== undefined && 'text' in body ? body.text : undefined,
    binary_body: body !== undefined && 'wire' in body ? body.wire : undefined,
    parameters: Array.from(headers, ([name, value]) => ({ name, value, type: 'header' })),
  };
}

/** The bytes that are sent beside a call. An error of their source is one of `fetch`. */
function sourceOf(body: FetchBody | undefined): Source | undefined {
  if (body === undefined || !('chunks' in body) || body.chunks === undefined) return undefined;
  const { next, cancel } = body.chunks;
  return { chunks: () => ({ next: () => next().catch(bodyFailed), cancel }), isOnce: true };
}

function bodyFailed(cause: unknown): never {
  throw fetchFailed('The body of the request could not be read.', cause);
}
