// Proxied calls that are more than a text and its response: those with bytes, streams and retries.

import type * as Native from '../native';
import type { BackendHandle } from './backend';
import { sending } from './binary-body';
import { isWatched, watched } from './call-trace';
import { openDownload, readable } from './download';
import { ComposioError } from './errors';
import { answerOf, reasonOf, whenAborted } from './native';
import type { ProxyOptions, ResponseType } from './proxy-options';
import { readEnvelope, type ToolsProxyExecuteResponse, type WrittenRequest } from './proxy-request';
import { policyOf, sleep, waitAfter } from './retry';
import type { ToolkitRateLimit } from './toolkit';
import { toolkitFacts, toolkitOfAccount } from './toolkit-facts';

/** The most bytes of a response in one piece, as in `docs/limits.md`. */
const MOST_BYTES = 50 * 1024 * 1024;

/** The abort and the deadline of a call. */
interface Limits {
  signal?: AbortSignal;
  timeout: number;
}

/** The session of a call; null if it has none. */
type SessionId = string | null;

type Options = ProxyOptions & { responseType?: ResponseType };

/** Whether a call is one text that is sent once, its response is another, and no subscriber watches it. */
export function isPlain(
  { retries }: BackendHandle,
  { source }: WrittenRequest,
  { responseType, retry = retries?.policy }: Options,
): boolean {
  return source === undefined && !retry && responseType !== 'stream' && responseType !== 'bytes' && !isWatched();
}

/** Makes a call. */
export function proxied(
  backend: BackendHandle,
  sessionId: SessionId,
  request: WrittenRequest,
  options: Options,
): Promise<ToolsProxyExecuteResponse> {
  const call = () => attempted(backend, sessionId, request, options);
  return isWatched() ? watched(request, sessionId, call) : call();
}

/** Makes a call, and makes it again where its options ask for retries. */
async function attempted(
  backend: BackendHandle,
  sessionId: SessionId,
  request: WrittenRequest,
  options: Options,
): Promise<ToolsProxyExecuteResponse> {
  const { signal, timeout = backend.timeout, responseType, retry } = options;
  const policy = retry === undefined ? backend.retries?.policy : policyOf(retry);
  const { budget } = backend.retries ?? {};
  if (policy === undefined || budget === undefined)
    return once(backend, sessionId, request, { signal, timeout }, responseType);
  const deadline = performance.now() + timeout;
  const left = () => deadline - performance.now();
  // The bytes of a stream are gone after the first attempt.
  const most = isOnce(request) ? 1 : policy.attempts;
  for (let attempts = 1; ; attempts++) {
    const answer = await once(backend, sessionId, request, { signal, timeout: Math.max(1, left()) }, responseType);
    const rateLimit = () => rateLimitOf(backend, request, { signal, timeout: Math.max(1, left()) });
    const wait = await waitAfter(answer, request.method, attempts, policy, rateLimit);
    if (wait === undefined) budget.refill(attempts);
    if (wait === undefined || attempts >= most || wait >= left() || !budget.take()) {
      return Object.assign(answer, { attempts });
    }
    // A stream that is not read keeps its connection.
    if (responseType === 'stream') await (answer.data as ReadableStream<Uint8Array>).cancel();
    await sleep(wait, signal);
  }
}

/** Where the API of a call says when it takes calls again. If this cannot be learnt, the call waits as if the API said nothing. */
async function rateLimitOf(
  backend: BackendHandle,
  { toolkit, accountId }: WrittenRequest,
  limits: Limits,
): Promise<ToolkitRateLimit | undefined> {
  try {
    const slug = toolkit ?? (accountId && (await toolkitOfAccount(backend, accountId, limits)));
    return slug ? (await toolkitFacts(backend, slug, limits)).rate_limit : undefined;
  } catch (error) {
    if (limits.signal?.aborted) throw error;
    return undefined;
  }
}

/** Whether the body of a call can be sent once. */
function isOnce({ source }: WrittenRequest): boolean {
  return source !== undefined && 'isOnce' in source;
}

function once(
  backend: BackendHandle,
  sessionId: SessionId,
  request: WrittenRequest,
  limits: Limits,
  responseType: ResponseType | undefined,
): Promise<ToolsProxyExecuteResponse> {
  if (responseType === 'stream') return streamed(backend, sessionId, request, limits);
  if (responseType === 'bytes') return inOnePiece(backend, sessionId, request, limits);
  return enveloped(backend, sessionId, request, limits, responseType === 'text');
}

function enveloped(
  { native }: BackendHandle,
  sessionId: SessionId,
  { text, source }: WrittenRequest,
  { signal, timeout }: Limits,
  asText: boolean,
): Promise<ToolsProxyExecuteResponse> {
  return sending(source, async (upload) => {
    const start = (cancel?: number) =>
      sessionId === null
        ? native.toolsProxyExecute(text, upload, asText, timeout, cancel)
        : native.proxyExecute(sessionId, text, upload, asText, timeout, cancel);
    return readEnvelope(await answerOf(start, signal));
  });
}

/** Makes a call whose response has not been read. */
async function opened<T>(
  { native }: BackendHandle,
  sessionId: SessionId,
  { text, source }: WrittenRequest,
  { signal, timeout }: Limits,
  read: (reader: Native.ByteReader) => T | Promise<T>,
): Promise<ToolsProxyExecuteResponse<T>> {
  return sending(source, async (upload) => {
    const start = (cancel?: number) => native.proxyStream(sessionId, text, upload, timeout, cancel);
    const reader = await answerOf<Native.ByteReader>(start, signal);
    try {
      return Object.assign(readEnvelope(reader.head), { data: await read(reader) });
    } catch (error) {
      reader.cancel();
      throw error;
    }
  });
}

/** Makes a call with a streamed response. */
function streamed(
  backend: BackendHandle,
  sessionId: SessionId,
  request: WrittenRequest,
  limits: Limits,
): Promise<ToolsProxyExecuteResponse<ReadableStream<Uint8Array>>> {
  const { signal, timeout } = limits;
  return opened(backend, sessionId, request, limits, (reader) => readable(reader, timeout, signal));
}

/**
 * Makes a call whose response is bytes in one piece. A backend that cannot stream has a URL for a file, and sends
 * everything else as text.
 */
async function inOnePiece(
  backend: BackendHandle,
  sessionId: SessionId,
  request: WrittenRequest,
  limits: Limits,
): Promise<ToolsProxyExecuteResponse<Uint8Array>> {
  const deadline = Date.now() + limits.timeout;
  const left = () => ({ ...limits, timeout: Math.max(1, deadline - Date.now()) });
  try {
    return await opened(backend, sessionId, request, limits, (reader) => bytesOf(reader, left));
  } catch (error) {
    // The backend has been asked for nothing yet.
    const isNoGateway = error instanceof ComposioError && error.slug === 'NeedsGateway';
    if (!isNoGateway || isOnce(request)) throw error;
  }
  const answer = await enveloped(backend, sessionId, request, left(), true);
  const { data, binary_data: file } = answer;
  if (!file) return Object.assign(answer, { data: Buffer.from(typeof data === 'string' ? data : '') });
  if (file.size > MOST_BYTES) throw tooLarge();
  return Object.assign(answer, { data: await (await openDownload(backend, file, left())).bytes() });
}

async function bytesOf(reader: Native.ByteReader, left: () => Limits): Promise<Uint8Array> {
  const { signal } = left();
  const forget = signal && whenAborted(signal, () => reader.cancel());
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for (;;) {
      const chunk = await answerOf<Buffer | null>(() => reader.read(left().timeout));
      if (signal?.aborted) throw reasonOf(signal);
      if (chunk === null) return Buffer.concat(chunks, size);
      size += chunk.byteLength;
      if (size > MOST_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    throw signal?.aborted ? reasonOf(signal) : error;
  } finally {
    forget?.();
  }
}

function tooLarge(): ComposioError {
  return new ComposioError("The response is larger than 50 MiB, the limit of `responseType: 'bytes'`.", {
    slug: 'UpstreamTooLarge',
    suggestedFix: "Read it with `responseType: 'stream'`.",
  });
}
