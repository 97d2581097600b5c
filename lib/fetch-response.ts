// The `Response` of a call by `fetch`.

import type * as Native from '../native';
import { invalidAnswer, isRecord, parseAnswer } from './answer';
import { readable } from './download';
import { APIConnectionError, type ComposioError } from './errors';
import type { FetchCall } from './fetch-request';
import type { ToolsProxyExecuteResponse } from './proxy-request';

/** The header of a `Response` that tells an error of the backend. Its value is the slug. */
const ERROR_HEADER = 'x-proxy-execute-error';

/** The statuses whose responses have no body. `new Response` refuses one. */
const WITHOUT_BODY: readonly number[] = [204, 205, 304];

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** A reason phrase (RFC 9112 §4). */
const REASON_PHRASE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The head of a response. An older gateway sends `status` and headers only. */
interface ResponseHead {
  status?: number;
  status_text?: string;
  headers?: Record<string, string>;
  repeated_headers?: Record<string, string[]>;
  url?: string;
  redirected?: boolean;
}

/** The body of a response, and how it is closed unread. */
interface ResponseBody {
  open(): ReadableStream<Uint8Array> | Uint8Array;
  close(): void;
}

/** Makes the response of a streamed call. `timeout` limits the wait for each chunk. */
export function streamedResponse(reader: Native.ByteReader, call: FetchCall, timeout: number): Response {
  try {
    const head = parseAnswer(reader.head, "The head of the backend's response is not JSON.");
    if (!isRecord(head)) throw invalidAnswer("The head of the backend's response is not an object.");
    return responseOf(head, headersOf(head), call, streamedBody(reader, call, timeout));
  } catch (error) {
    reader.cancel();
    throw error;
  }
}

/** Makes the response of a call whose backend does not stream. `file` is the body, if the response is a file. */
export function envelopeResponse(
  { status, headers: given, data, binary_data }: ToolsProxyExecuteResponse,
  file: Native.ByteReader | undefined,
  call: FetchCall,
  timeout: number,
): Response {
  const headers = new Headers(given ?? {});
  if (binary_data && !headers.has('content-type')) headers.set('content-type', binary_data.content_type);
  const text = textOf(data, headers);
  // They describe the bytes that the backend received.
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding', ERROR_HEADER]) headers.delete(name);
  const body = file ? streamedBody(file, call, timeout) : { open: () => Buffer.from(text), close: () => {} };
  return responseOf({ status }, headers, call, body);
}

/** A JSON media type (RFC 6839 §3.1). */
const JSON_TYPE = /^\s*[\w.-]+\/(?:[^;,]*\+)?json\s*(?:$|[;,])/i;

/** The text of a response. JSON that is a string, or null, has been read from its text. */
function textOf(data: unknown, headers: Headers): string {
  const isJson = JSON_TYPE.test(headers.get('content-type') ?? '');
  if (!isJson) return String(data ?? '');
  if (data === null || data === undefined) return headers.get('content-length') === '0' ? '' : 'null';
  try {
    JSON.parse(data as string);
    return data as string;
  } catch {
    return JSON.stringify(data);
  }
}

function streamedBody(reader: Native.ByteReader, { signal }: FetchCall, timeout: number): ResponseBody {
  return { open: () => readable(reader, timeout, signal, brokenOff), close: () => reader.cancel() };
}

/** Makes a response of its parts. */
function responseOf(
  { status = 0, status_text: reason = '', url, redirected = false }: ResponseHead,
  headers: Headers | Record<string, string> | [string, string][],
  { method, redirect, endpoint }: FetchCall,
  body: ResponseBody,
): Response {
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) {
    throw invalidAnswer(`The API responded with the status ${status}, which a Response cannot have.`);
  }
  const hasBody = method !== 'HEAD' && !WITHOUT_BODY.includes(status);
  if (!hasBody) body.close();
  const init = { status, statusText: REASON_PHRASE.test(reason) ? reason : '', headers };
  const response = new Response(hasBody ? body.open() : null, init);
  if (redirect === 'error' && REDIRECTS.includes(status) && response.headers.has('location')) {
    body.close();
    const message = "The API responded with a redirect, and `redirect` is 'error'.";
    throw new APIConnectionError(message, { slug: 'RedirectRefused' });
  }
  return named(response, url ?? endpoint, redirected);
}

/** Headers for `new Response`, without the one by which an API could pass for the backend. */
function headersOf({ headers, repeated_headers }: ResponseHead): Record<string, string> | [string, string][] {
  if (!headers) return {};
  delete headers[ERROR_HEADER];
  const values = Object.values(headers);
  if (!repeated_headers && !values.some((value) => UNUSUAL.test(value))) return headers;
  return Object.entries(headers).flatMap(([name, joined]) =>
    (repeated_headers?.[name] ?? [joined]).map((value): [string, string] => [name, inBytes(value)]),
  );
}

const UNUSUAL = /[^\0-\xff]/;

/** A value whose characters are bytes, as those of `Headers` are (RFC 9110 §5.5). */
function inBytes(value: string): string {
  return UNUSUAL.test(value) ? Buffer.from(value).toString('latin1') : value;
}

/**
 * Makes the response of an error that a retry cannot mend. As an exception, an SDK would take it for a broken
 * connection, and retry.
 */
export function errorResponse(error: ComposioError, status: number, url: string): Response {
  const { message, code, slug, requestId: request_id, suggestedFix: suggested_fix, errors, retryAfter } = error;
  const headers = new Headers({ 'content-type': 'application/json', [ERROR_HEADER]: slug ?? `${code}` });
  if (request_id !== undefined) headers.set('x-request-id', request_id);
  if (retryAfter !== undefined) headers.set('retry-after', String(Math.ceil(retryAfter / 1000)));
  const envelope = { error: { message, code, slug, status, request_id, suggested_fix, errors } };
  return named(new Response(JSON.stringify(envelope), { status, headers }), url, false);
}

/** The error with which `fetch` rejects. */
export function fetchFailed(reason: string, cause: unknown): TypeError {
  return new TypeError(`fetch failed: ${reason}`, { cause });
}

function brokenOff(cause: unknown): TypeError {
  return new TypeError(`terminated: ${cause instanceof Error ? cause.message : cause}`, { cause });
}

/** Gives a response the members that `new Response` leaves empty, and gives them to its clones, too. */
function named(response: Response, url: string, redirected: boolean): Response {
  return Object.defineProperties(response, {
    url: { value: url, configurable: true },
    redirected: { value: redirected, configurable: true },
    clone: { value: cloneNamed, configurable: true, writable: true },
  });
}

function cloneNamed(this: Response): Response {
  return named(Response.prototype.clone.call(this), this.url, this.redirected);
}
