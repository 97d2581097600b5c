// The arguments of a call of `session.fetch`, read by the rules of the Fetch standard.

import { PassThrough, Readable } from 'node:stream';
import { isArrayBuffer } from 'node:util/types';
import { bytesSource, type Chunks, chunksOf, type WireBinaryBody } from './binary-body';
import { encodeForm } from './form-data';
import { isOfClass } from './platform';
import { quoted } from './quoted';
import { kindOf } from './validate';

/** The head of a request, by which {@link Composio.fetch} finds the session of a call. */
export interface FetchRequest {
  /** The URL or path that was passed to `fetch`, without its fragment. */
  readonly url: string;
  /** The method, in upper case. */
  readonly method: string;
  /** The headers that were passed to `fetch`, credentials of an SDK included. */
  readonly headers: Headers;
}

/** A body that is not empty, as it travels: a text or bytes in the request, or bytes beside it. */
export type FetchBody = { text: string } | { wire: WireBinaryBody; chunks?: Chunks };

/** The arguments of a call, checked. */
export interface FetchCall {
  endpoint: string;
  method: string;
  /** By the name in lower case. */
  headers: Map<string, string>;
  /** The body. That of a Request is read only when the function is called. */
  body?: FetchBody | (() => Promise<FetchBody | undefined>);
  signal?: AbortSignal;
  redirect: RequestRedirect;
}

type RequestRedirect = 'follow' | 'manual' | 'error';

/** Text up to this length travels in the request, and bytes too. More would block the event loop noticeably. */
const SMALL = 256 * 1024;

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** Headers of one connection, and those that follow from the endpoint, the body and the gateway's decompression. */
const NOT_SENT = [
  ...['host', 'content-length', 'transfer-encoding', 'accept-encoding', 'expect'],
  ...['connection', 'http2-settings', 'keep-alive', 'te', 'trailer', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
];

/**
 * Reads the arguments of `fetch`.
 *
 * @throws {TypeError} If `fetch` would throw one. Nothing was sent, and no body was touched.
 */
export function readCall(input: unknown, init: unknown): FetchCall {
  if (init !== undefined && init !== null && typeof init !== 'object') {
    throw new TypeError(`The second argument of fetch must be an object, but is ${kindOf(init)}.`);
  }
  const options: RequestInit = init ?? {};
  const request = isOfClass(input, 'Request') ? input : undefined;
  const method = methodOf(options.method ?? request?.method ?? 'GET');
  const headers = headersOf(options.headers ?? request?.headers);
  const signal = signalOf(options.signal === undefined ? request?.signal : options.signal);
  // The signal of a Request follows the caller's only as long as the Request exists.
  if (request !== undefined && signal !== undefined) requests.set(signal, request);
  const redirect = redirectOf(options.redirect ?? request?.redirect ?? 'follow');
  const own = options.body ?? undefined;
  const inherited = own === undefined ? (request?.body ?? undefined) : undefined;
  if ((own !== undefined || inherited !== undefined) && (method === 'GET' || method === 'HEAD')) {
    throw new TypeError(`A request with the method ${method} cannot have a body.`);
  }
  if (inherited !== undefined && (request?.bodyUsed || isInUse(inherited))) {
    throw new TypeError('The body of this Request has been used already.');
  }
  const length = headers.get('content-length') ?? '';
  const size = /^\d+$/.test(length) ? Number(length) : undefined;
  const body =
    own === undefined ? inherited && (() => inheritedBody(inherited, size)) : bodyOf(own, options, headers, size);
  for (const name of headers.get('connection')?.split(',') ?? []) headers.delete(name.trim().toLowerCase());
  for (const name of NOT_SENT) headers.delete(name);
  return { endpoint: endpointOf(request === undefined ? input : request.url), method, headers, body, signal, redirect };
}

const requests = new WeakMap<AbortSignal, object>();

function endpointOf(input: unknown): string {
  const url = `${input}`.toWellFormed();
  const fragment = url.indexOf('#');
  return fragment < 0 ? url : url.slice(0, fragment);
}

/** A method. `fetch` upper-cases only some, but no API knows `patch`. */
function methodOf(given: unknown): string {
  const method = `${given}`.toUpperCase();
  if (!TOKEN.test(method)) throw new TypeError(`'${quoted(method)}' is not an HTTP method.`);
  if (method === 'CONNECT' || method === 'TRACE' || method === 'TRACK') {
    throw new TypeError(`The method ${method} cannot be used with fetch.`);
  }
  return method;
}

function redirectOf(redirect: unknown): RequestRedirect {
  if (redirect === 'follow' || redirect === 'manual' || redirect === 'error') return redirect;
  throw new TypeError("`redirect` must be 'follow', 'manual' or 'error'.");
}

function signalOf(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined;
  // By what it can do, because a signal of another realm is no instance of this one's class.
  const { aborted, addEventListener, removeEventListener } = Object(signal);
  const listens = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  if (typeof aborted === 'boolean' && listens) return signal as AbortSignal;
  throw new TypeError(`\`signal\` must be an AbortSignal, but is ${kindOf(signal)}.`);
}

/** Headers from a `Headers` of any library, a list of pairs, or an object. */
function headersOf(given: unknown): Map<string, string> {
  const headers = new Map<string, string>();
  if (given === undefined || given === null) return headers;
  if (typeof given !== 'object') throw new TypeError(`\`headers\` must be an object, but is ${kindOf(given)}.`);
  for (const pair of Symbol.iterator in given ? (given as Iterable<unknown>) : Object.entries(given)) {
    const entry = Array.isArray(pair) ? pair : typeof pair === 'object' ? Array.from(pair as Iterable<unknown>) : [];
    if (entry.length !== 2) throw new TypeError('Each header in a list must be a pair of a name and a value.');
    const name = `${entry[0]}`.toLowerCase();
    if (!TOKEN.test(name)) throw new TypeError(`'${quoted(name)}' is not the name of a header.`);
    const value = trimmed(`${entry[1]}`);
    if (/[\0\r\n]|[^\0-\xff]/.test(value)) {
      throw new TypeError(`The value of the header '${quoted(name)}' has a character that a header cannot hold.`);
    }
    const earlier = headers.get(name);
    const separator = name === 'cookie' ? '; ' : ', ';
    headers.set(name, earlier === undefined ? value : earlier + separator + value);
  }
  return headers;
}

/** A value without the white space of HTTP at its ends. No regular expression does this in linear time. */
function trimmed(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && isSpace(value.charCodeAt(start))) start++;
  while (end > start && isSpace(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function isInUse(body: unknown): boolean {
  if (isOfClass(body, 'ReadableStream')) return body.locked || Readable.isDisturbed(body as never);
  return body instanceof Readable && Readable.isDisturbed(body);
}

/** Reads a body of `RequestInit`. Sets `content-type` where the caller has not. */
function bodyOf(
  body: unknown,
  { duplex }: RequestInit,
  headers: Map<string, string>,
  size: number | undefined,
): FetchBody | undefined {
  if (typeof body === 'string') return textBody(body, 'text/plain;charset=UTF-8', headers);
  if (isOfClass(body, 'URLSearchParams')) {
    return textBody(`${body}`, 'application/x-www-form-urlencoded;charset=UTF-8', headers);
  }
  if (ArrayBuffer.isView(body)) return wholeBody(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  if (isArrayBuffer(body)) return wholeBody(Buffer.from(body));
  if (isOfClass(body, 'Blob')) {
    typed(headers, body.type);
    return bytesBody(body);
  }
  if (isOfClass(body, 'FormData') && Symbol.iterator in body) {
    const form = encodeForm(body);
    typed(headers, form.contentType);
    return { wire: { size: form.size }, chunks: chunksOf(form.chunks()) };
  }
  if (isOfClass(body, 'ReadableStream')) {
    if (duplex !== 'half') throw new TypeError("A body that is a stream needs `duplex: 'half'`.");
    if (isInUse(body)) throw new TypeError('The stream of the body is locked, or has been read already.');
    return streamBody(chunksOf(body), size);
  }
  const { pipe } = Object(body);
  if (typeof Object(body)[Symbol.asyncIterator] === 'function') {
    if (isInUse(body)) throw new TypeError('The stream of the body has been read already.');
    return streamBody(chunksOf(body as AsyncIterable<unknown>), size);
  }
  // A stream of an older kind, such as that of the package `form-data`.
  if (typeof pipe === 'function') return streamBody(chunksOf(pipe.call(body, new PassThrough())), size);
  return textBody(`${body}`, 'text/plain;charset=UTF-8', headers);
}

function typed(headers: Map<string, string>, type: string): void {
  if (type !== '' && !headers.has('content-type')) headers.set('content-type', type);
}

function textBody(text: string, type: string, headers: Map<string, string>): FetchBody | undefined {
  typed(headers, type);
  if (text === '') return undefined;
  return text.length <= SMALL ? { text: text.toWellFormed() } : wholeBody(Buffer.from(text));
}

/** Bytes that are in memory. Where they are few, they travel in the request, which can then be sent again. */
function wholeBody(bytes: Buffer): FetchBody | undefined {
  if (bytes.length === 0) return undefined;
  return bytes.length <= SMALL ? { wire: { base64: bytes.toString('base64') } } : bytesBody(bytes);
}

function bytesBody(bytes: Blob | Buffer): FetchBody {
  const { wire, chunks } = bytesSource(bytes);
  return { wire, chunks: chunks() };
}

function streamBody(chunks: Chunks, size: number | undefined): FetchBody {
  return { wire: { size }, chunks };
}

/**
 * Reads the body of a Request, which shows a body in memory as a stream, too. It is in memory if it ends before the
 * event loop turns.
 */
async function inheritedBody(body: unknown, size: number | undefined): Promise<FetchBody | undefined> {
  const chunks = chunksOf(body as ReadableStream<Uint8Array>);
  const turned = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  const read: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const pending = chunks.next();
    const next = await Promise.race([pending, turned]);
    if (next?.done) return wholeBody(Buffer.concat(read));
    if (next?.value instanceof Uint8Array) {
      read.push(next.value);
      length += next.value.byteLength;
      // A text or bytes are one chunk.
      if (length <= SMALL || read.length === 1) continue;
      return streamBody(followed(read, undefined, chunks), size);
    }
    return streamBody(followed(read, pending, chunks), size);
  }
}

/** Chunks that were read ahead, then the others. */
function followed(
  read: readonly Uint8Array[],
  pending: Promise<IteratorResult<unknown>> | undefined,
  { next, cancel }: Chunks,
): Chunks {
  const ahead: Promise<IteratorResult<unknown>>[] = read.map(async (value) => ({ value, done: false }));
  if (pending !== undefined) {
    ahead.push(pending);
    // A failure is told where the chunk is used.
    pending.catch(() => {});
  }
  return { next: () => ahead.shift() ?? next(), cancel };
}
