// Proxied calls that send bytes, or whose response is more than an envelope: streams, and bytes in one piece.

import type * as Native from '../native';
import type { BackendHandle } from './backend';
import { sending } from './binary-body';
import { openDownload, readable } from './download';
import { ComposioError } from './errors';
import { answerOf, reasonOf, whenAborted } from './native';
import type { ProxyOptions, ResponseType } from './proxy-options';
import { readEnvelope, type ToolsProxyExecuteResponse, type WrittenRequest } from './proxy-request';

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

/** Whether a call is one text, and its response is another. */
export function isPlain({ source }: WrittenRequest, { responseType }: Options): boolean {
  return source === undefined && responseType !== 'stream' && responseType !== 'bytes';
}

/** Makes a call. */
export function proxied(
  backend: BackendHandle,
  sessionId: SessionId,
  request: WrittenRequest,
  { signal, timeout = backend.timeout, responseType }: Options,
): Promise<ToolsProxyExecuteResponse> {
  const limits = { signal, timeout };
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
  const isOnce = request.source !== undefined && 'isOnce' in request.source;
  try {
    return await opened(backend, sessionId, request, limits, (reader) => bytesOf(reader, left));
  } catch (error) {
    // The backend has been asked for nothing yet.
    const isNoGateway = error instanceof ComposioError && error.slug === 'NeedsGateway';
    if (!isNoGateway || isOnce) throw error;
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
