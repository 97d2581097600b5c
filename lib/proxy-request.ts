// A proxied call: how its request is checked and written, and how its response is read.

import { invalidAnswer, isRecord, parseAnswer } from './answer';
import {
  type BinaryBody,
  checkBinaryBody,
  checkFormData,
  isBytes,
  type Source,
  type WireBinaryBody,
} from './binary-body';
import type { ToolkitSlug } from './built-in-toolkits';
import { type APIConnectionError, ValidationError } from './errors';
import { isOfClass } from './platform';
import { quoted } from './quoted';
import { below, Check, kindOf, LONGEST_SLUG } from './validate';

/** The HTTP methods a proxied call may use. Those after `HEAD` need a gateway: the hosted backend does not have them. */
export type ProxyMethod =
  | 'GET'
  | 'POST'
  | 'PUT'
  | 'PATCH'
  | 'DELETE'
  | 'HEAD'
  | 'OPTIONS'
  | 'QUERY'
  | 'PROPFIND'
  | 'PROPPATCH'
  | 'MKCOL'
  | 'COPY'
  | 'MOVE'
  | 'LOCK'
  | 'UNLOCK'
  | 'REPORT'
  | 'SEARCH';

/** A header or a query value of a proxied call. */
export interface ProxyParameter {
  /** The name of the header or of the query key. */
  name: string;
  /** Its value. A number is written as JavaScript writes it. */
  value: string | number;
  /** Where it goes. */
  in: 'header' | 'query';
}

/** A value of `query` or `headers`: a text, a number, or a list of them for a repeated name. */
export type ProxyValue = string | number | readonly (string | number)[] | undefined;

/** The request to the third-party API. */
export interface ProxyCall {
  /**
   * A path below the base URL of the user's account, or an absolute URL on one of the toolkit's
   * hosts. It may have a query.
   */
  endpoint: string;
  /** The HTTP method, in upper case. */
  method: ProxyMethod;
  /**
   * The body, sent as JSON: any value that `JSON.stringify` takes. GET and HEAD have none. A string is sent
   * unchanged: under a JSON type, the default, it must be valid JSON. Any other needs a header `Content-Type`.
   */
  body?: unknown;
  /**
   * A body of bytes, instead of `body`: a `Buffer`, a `Blob`, a stream, or the place of the bytes. A stream
   * is sent once, while it is read. A large one needs a gateway: use `{ url }` with other backends.
   */
  binaryBody?: BinaryBody;
  /** A form with fields and files, sent as `multipart/form-data`, instead of `body`. */
  formData?: FormData;
  /**
   * Headers and query values, in order: at most 100 of each, with 64 KiB of names and values. A repeated name is
   * sent repeatedly, except for a header that has one value, such as `Content-Type`.
   */
  parameters?: readonly (ProxyParameter | (Omit<ProxyParameter, 'in'> & { type: ProxyParameter['in'] }))[];
  /**
   * Query values by their names, after those of `parameters` and within the same limits. A list repeats the name, and
   * undefined is left out.
   */
  query?: Readonly<Record<string, ProxyValue>>;
  /** Headers by their names, in the same way. */
  headers?: Readonly<Record<string, ProxyValue>>;
}

/**
 * The request of {@link Session.proxyExecute}.
 *
 * @example
 * ```ts
 * const request: ProxyExecuteRequest = {
 *   toolkit: 'github',
 *   endpoint: '/repos/octocat/hello-world/issues',
 *   method: 'POST',
 *   body: { title: 'Found a bug' },
 *   parameters: [{ name: 'Accept', value: 'application/vnd.github+json', in: 'header' }],
 * };
 * ```
 */
export interface ProxyExecuteRequest extends ProxyCall {
  /** The toolkit to call, by its slug, such as `github`. */
  toolkit: ToolkitSlug;
}

/**
 * The request of {@link Tools.proxyExecute}: with a named account, or with credentials given in the call.
 */
export interface ToolsProxyExecuteRequest extends ProxyCall {
  /** The account to call as, `ca_…`. Default: the backend's default account, if it has one. */
  connectedAccountId?: string;
  /** Credentials to call with, instead of an account. They are not stored. */
  customConnectionData?: CustomConnectionData;
}

/** Credentials given in a call. */
export interface CustomConnectionData {
  /** How the toolkit authenticates, such as `BEARER_TOKEN`. */
  authScheme: string;
  /** The toolkit to call, such as `github`. */
  toolkitSlug: ToolkitSlug;
  /** The credential's fields, such as `{ token }`; which ones there are depends on the scheme. */
  val: Record<string, unknown>;
}

/** A file of the third-party API's response. */
export interface BinaryData {
  /** Where to download it. */
  url: string;
  /** Its media type. */
  contentType: string;
  /** Its size in bytes. */
  size: number;
  /** Until when the URL works, as an ISO 8601 date. */
  expiresAt?: string;
}

/** The third-party API's response, whatever its status. */
export interface ProxyExecuteResponse<T = unknown> {
  /** The third-party API's HTTP status. A call with 4xx or 5xx returns normally. */
  status: number;
  /** The body: parsed if it is JSON, a string if it is text, null if there is none. */
  data: T;
  /**
   * The headers, names in lower case; repeated ones are joined with a comma. `new Headers(response.headers)` works, and
   * keeps repeated ones apart: its `getSetCookie()` is the list of cookies.
   */
  headers: Record<string, string>;
  /**
   * The headers as a list of names and values, in which a repeated header, such as `set-cookie`, has an entry for each
   * value. It is computed from `headers` and not enumerable, so copies and JSON of the response do not have it.
   */
  readonly headersList: [name: string, value: string][];
  /**
   * The values of each header, as a list: `headerValues['set-cookie']`. Like `headersList`, it is computed and not
   * enumerable.
   */
  readonly headerValues: Record<string, string[] | undefined>;
  /** The file, if the response is one. */
  binaryData?: BinaryData;
  /** How often the call was made, with the retries of its option `retry`; absent without that option. */
  attempts?: number;
}

/** The response of {@link Tools.proxyExecute}, in its wire form. */
export interface ToolsProxyExecuteResponse<T = unknown> {
  /** The third-party API's HTTP status. A call with 4xx or 5xx returns normally. */
  status: number;
  /** The body: parsed if it is JSON, a string if it is text, null if there is none. */
  data?: T;
  /** The headers, names in lower case; repeated ones are joined with a comma. `new Headers(response.headers)` works. */
  headers?: Record<string, string>;
  /** The headers as a list, in which a repeated header has an entry for each value. It is not enumerable. */
  readonly headersList: [name: string, value: string][];
  /** The values of each header, as a list. It is not enumerable. */
  readonly headerValues: Record<string, string[] | undefined>;
  /** The file, if the response is one. */
  binary_data?: { url: string; content_type: string; size: number; expires_at?: string };
  /** How often the call was made, with the retries of its option `retry`; absent without that option. */
  attempts?: number;
}

/**
 * Bytes as they come. It is a `ReadableStream` of Node.js, for `for await` and `Readable.fromWeb`; where the types of
 * browsers are there, too, it is also one of theirs, for `new Response(stream)`.
 */
export type ByteStream = ReadableStream<Uint8Array> & import('node:stream/web').ReadableStream<Uint8Array>;

const WHAT = 'proxy execute request';
/** The limits of a call, which are those of `docs/limits.md`. */
const MOST_PARAMETERS = 100;
const MOST_PARAMETER_CHARACTERS = 64 * 1024;
const LONGEST_ENDPOINT = 64 * 1024;
const METHODS: readonly string[] = [
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'QUERY'],
  ...['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'SEARCH'],
];
/** The methods that only read and have no body. All others are treated like writes. */
export const READS: ReadonlySet<unknown> = new Set(['GET', 'HEAD', 'OPTIONS']);
const CALL_KEYS = ['endpoint', 'method', 'body', 'binaryBody', 'formData', 'parameters', 'query', 'headers'];
const SESSION_KEYS = ['toolkit', ...CALL_KEYS];
const TOOLS_KEYS = [...CALL_KEYS, 'connectedAccountId', 'customConnectionData'];
/** Names that other libraries have for the parts of a request. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ...['header', 'httpHeaders'].map((key) => [key, 'did you mean `headers`?'] as const),
  ...['queryParams', 'params', 'searchParams'].map((key) => [key, 'did you mean `query`?'] as const),
  ...['url', 'path'].map((key) => [key, 'did you mean `endpoint`?'] as const),
  ...['data', 'json', 'payload'].map((key) => [key, 'did you mean `body`?'] as const),
]);
const MEANT_IN_SESSION: ReadonlyMap<string, string> = new Map([
  ...MEANT,
  ...['toolkitSlug', 'toolkit_slug'].map((key) => [key, 'did you mean `toolkit`?'] as const),
]);
const CUSTOM_KEYS = ['authScheme', 'toolkitSlug', 'val'];
const PARAMETER_KEYS = ['name', 'value', 'in', 'type'];

/** A request that is ready to be sent. */
export interface WrittenRequest {
  /** As it travels. */
  text: string;
  /** The bytes that are sent beside it. */
  source?: Source;
  method: string;
  /** The path or URL that is called. */
  endpoint: string;
  /** The toolkit that is called, or the account that the call is made with. */
  toolkit?: string;
  accountId?: string;
}

/** Checks the request of a call in a session, and writes it as it travels. */
export function writeSessionRequest(request: ProxyExecuteRequest): WrittenRequest {
  const check = new Check(WHAT);
  let call: CheckedCall | undefined;
  if (check.object(request, '', SESSION_KEYS, MEANT_IN_SESSION)) {
    check.text(request.toolkit, 'toolkit', "name the toolkit to call, for example 'github'", LONGEST_SLUG);
    call = checkCall(check, request);
  }
  check.done();
  const { method, endpoint, toolkit } = request;
  return { text: write(call?.wire, request), source: call?.source, method, endpoint, toolkit };
}

/** Checks the request of a call outside of a session, and writes it as it travels. */
export function writeToolsRequest(request: ToolsProxyExecuteRequest): WrittenRequest {
  const check = new Check(WHAT);
  let call: CheckedCall | undefined;
  if (check.object(request, '', TOOLS_KEYS, MEANT)) {
    check.optionalText(request.connectedAccountId, 'connectedAccountId');
    const custom: unknown = request.customConnectionData;
    if (custom !== undefined && check.object(custom, 'customConnectionData', CUSTOM_KEYS)) {
      check.text(custom.authScheme, 'customConnectionData.authScheme');
      check.text(custom.toolkitSlug, 'customConnectionData.toolkitSlug', '', LONGEST_SLUG);
      check.fields(custom.val, 'customConnectionData.val');
    }
    call = checkCall(check, request);
  }
  check.done();
  const { method, endpoint, connectedAccountId: accountId, customConnectionData } = request;
  const toolkit = customConnectionData?.toolkitSlug;
  return { text: write(call?.wire, request), source: call?.source, method, endpoint, toolkit, accountId };
}

/** A call in its wire form. Absent parts are undefined, so they are not written. */
interface WireCall {
  toolkit_slug: unknown;
  connected_account_id: unknown;
  custom_connection_data: unknown;
  endpoint: unknown;
  method: unknown;
  body: unknown;
  binary_body: WireBinaryBody | undefined;
  parameters: unknown[] | undefined;
}

interface CheckedCall {
  wire: WireCall;
  source?: Source;
}

function checkCall(check: Check, request: Record<string, unknown>): CheckedCall {
  const { endpoint, method, body } = request;
  const purpose = 'give a path such as /user, or an absolute URL on one of the hosts of the toolkit';
  check.text(endpoint, 'endpoint', purpose, LONGEST_ENDPOINT);
  const mayBeMeant = typeof method === 'string' && method.length <= 'PROPPATCH'.length && !METHODS.includes(method);
  const upper = mayBeMeant ? method.toUpperCase() : undefined;
  if (upper !== undefined && METHODS.includes(upper)) {
    check.wrong('method', `must be in upper case: write '${upper}' instead of '${quoted(method as string)}'.`);
  } else {
    check.oneOf(method, 'method', METHODS);
  }
  checkBody(check, body, method);
  const parameters = allParameters(check, request);
  const bytes = checkBytes(check, request, parameters);
  // In one object from the start: each call would feel it if two were put together.
  const wire = {
    toolkit_slug: request.toolkit,
    connected_account_id: request.connectedAccountId,
    custom_connection_data: request.customConnectionData,
    endpoint,
    method,
    body: body ?? undefined,
    binary_body: bytes?.wire,
    parameters,
  };
  return { wire, source: bytes?.source };
}

function checkBytes(
  check: Check,
  { method, body, binaryBody, formData }: Record<string, unknown>,
  parameters: readonly unknown[] = [],
): ReturnType<typeof checkBinaryBody> {
  if (binaryBody === undefined && formData === undefined) return undefined;
  const bodies = Object.entries({ body: body ?? undefined, binaryBody, formData }).filter(
    ([, value]) => value !== undefined,
  );
  const name = binaryBody === undefined ? 'formData' : 'binaryBody';
  if (bodies.length > 1) {
    check.add(`A request has one body, but this one has ${bodies.map(([name]) => `\`${name}\``).join(' and ')}.`);
    return undefined;
  }
  if (READS.has(method)) check.wrong(name, `cannot be sent with ${method}: use POST or PUT.`);
  if (name === 'binaryBody') return checkBinaryBody(check, binaryBody);
  const typed = parameters.some((parameter) => /^content-type$/i.test(Object(parameter).name));
  if (typed) check.wrong('parameters', 'must not have Content-Type beside `formData`, which has its own.');
  return checkFormData(check, formData);
}

function checkBody(check: Check, body: unknown, method: unknown): void {
  if (body === undefined || body === null) return;
  if (READS.has(method)) {
    check.wrong(
      'body',
      `cannot be sent with ${method}: pass the values as \`parameters\` with \`in: 'query'\`, or use POST.`,
    );
  }
  if (typeof body === 'string') check.wellFormed(body, 'body');
  if (isPlain(body)) return;
  if (typeof body === 'function' || typeof body === 'symbol') {
    check.wrong('body', `is ${kindOf(body)}, which JSON cannot hold: pass a value that it can.`);
  } else if (isOfClass(body, 'URLSearchParams')) {
    check.wrong(
      'body',
      'is a URLSearchParams: pass `String(params)`, with a header `Content-Type` of ' +
        '`application/x-www-form-urlencoded` among the `parameters`.',
    );
  } else if (typeof body === 'object' && isBinary(body)) {
    check.wrong(
      'body',
      `is ${kindOf(body)}, which JSON cannot hold: pass bytes as \`binaryBody\`, a form as \`formData\`.`,
    );
  } else if (body instanceof Map || body instanceof Set || body instanceof Promise) {
    check.wrong(
      'body',
      `is ${kindOf(body)}, which JSON would write as an empty object: pass a plain object or an array.`,
    );
  } else if (isLost(body)) {
    check.wrong(
      'body',
      `is ${kindOf(body)}, which JSON writes as nothing or null: pass null, or leave it out, for no body.`,
    );
  }
}

/** Whether JSON cannot hold a value, such as NaN, so that no body would be sent. */
function isLost(body: unknown): boolean {
  if (typeof body === 'number') return !Number.isFinite(body);
  const hasOwnForm = body instanceof Number || typeof (body as { toJSON?: unknown }).toJSON === 'function';
  if (!hasOwnForm) return false;
  try {
    return (JSON.stringify(body) ?? 'null') === 'null';
  } catch {
    // Told when the request is written.
    return false;
  }
}

/** Recognises almost every body at once: an object or an array of no other class. */
function isPlain(body: unknown): boolean {
  const prototype = Object.getPrototypeOf(body);
  const isOfNoClass = prototype === Object.prototype || prototype === Array.prototype;
  return isOfNoClass && (body as { toJSON?: unknown }).toJSON === undefined;
}

function isBinary(body: object): boolean {
  return (
    isBytes(body) ||
    body instanceof SharedArrayBuffer ||
    isOfClass(body, 'FormData') ||
    typeof (body as { pipe?: unknown }).pipe === 'function'
  );
}

/** The parameters of a call, then the values of its `query`, then its `headers`. */
function allParameters(check: Check, { parameters, query, headers }: Record<string, unknown>): unknown[] | undefined {
  let all = checkParameters(check, parameters);
  if (query !== undefined) all = [...(all ?? []), ...valuesOf(check, query, 'query')];
  if (headers !== undefined) all = [...(all ?? []), ...valuesOf(check, headers, 'headers')];
  if (all === undefined) return undefined;
  checkSizes(check, all, 'header', 'headers', headers === undefined ? 'parameters' : 'headers');
  checkSizes(check, all, 'query', 'query values', query === undefined ? 'parameters' : 'query');
  return all;
}

/** The values of `query` or `headers`, as parameters. */
function valuesOf(check: Check, values: unknown, path: 'query' | 'headers'): unknown[] {
  if (!check.record(values, path)) return [];
  // Its own keys would be none of its entries, so that they would be lost.
  if (typeof values[Symbol.iterator as never] === 'function') {
    check.wrong(path, `must be a plain object, but is ${kindOf(values)}: pass \`Object.fromEntries(${path})\`.`);
    return [];
  }
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  if (!check.atMost(entries.length, MOST_PARAMETERS, 'entries', path)) return [];
  const type = path === 'query' ? 'query' : 'header';
  return entries.flatMap(([name, value]) => {
    const place = below(path, name);
    if (!Array.isArray(value)) return [checkParameter(check, { name, value, type }, { name: place, value: place })];
    if (!check.atMost(value.length, MOST_PARAMETERS, 'entries', place)) return [];
    return value.map((item, index) =>
      checkParameter(check, { name, value: item, type }, { name: place, value: `${place}[${index}]` }),
    );
  });
}

function checkParameters(check: Check, parameters: unknown): unknown[] | undefined {
  if (parameters === undefined || !check.list(parameters, 'parameters')) return undefined;
  if (!check.atMost(parameters.length, 2 * MOST_PARAMETERS, 'entries', 'parameters')) return undefined;
  return parameters.map((parameter, index) => {
    const path = `parameters[${index}]`;
    if (!check.object(parameter, path, PARAMETER_KEYS)) return parameter;
    const { name, value, in: location = parameter.type, type = location } = parameter;
    const places = { name: `${path}.name`, value: `${path}.value` };
    const sent = checkParameter(check, { name, value, type: location }, places);
    if (check.oneOf(location, `${path}.in`, ['header', 'query']) && type !== location) {
      check.wrong(`${path}.type`, 'is another name of `in` and contradicts it: leave one of them out.');
    }
    return sent;
  });
}

/** Checks a header or a query value, whose name and value are in these places of the request. */
function checkParameter(
  check: Check,
  { name, value, type }: { name: unknown; value: unknown; type: unknown },
  places: { name: string; value: string },
): unknown {
  const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value;
  const isHeader = type === 'header';
  if (check.text(name, places.name) && isHeader) check.headerName(name, places.name);
  if (typeof text !== 'string') {
    const is = typeof value === 'number' ? String(value) : kindOf(value);
    check.wrong(places.value, `must be a string or a finite number, but is ${is}.`);
  } else if (check.wellFormed(text, places.value) && isHeader) {
    check.headerValue(text, places.value);
  }
  return { name, value: text, type };
}

const lengthOf = (value: unknown): number => (typeof value === 'string' ? value.length : 0);

/** Checks how many headers or query values there are, and how long they are together. */
function checkSizes(check: Check, all: readonly unknown[], type: string, what: string, field: string): void {
  const those = all.map(Object).filter((parameter) => parameter.type === type);
  const length = those.reduce((sum, { name, value }) => sum + lengthOf(name) + lengthOf(value), 0);
  check.atMost(those.length, MOST_PARAMETERS, what, field);
  check.atMost(length, MOST_PARAMETER_CHARACTERS, `characters of ${what}`, field);
}

function write(wire: WireCall | undefined, request: object): string {
  try {
    return JSON.stringify(wire ?? null);
  } catch (cause) {
    throw new ValidationError(WHAT, [whyNotJson(request, cause)], { cause });
  }
}

function whyNotJson(request: object, cause: unknown): string {
  try {
    const why = findUnserialisable(request, '', new Set());
    if (why !== undefined) return why;
  } catch {
    // Too deep, or a getter that throws: the cause says it.
  }
  return `The request cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}.`;
}

function findUnserialisable(value: unknown, path: string, parents: Set<object>): string | undefined {
  if (typeof value === 'bigint') return `\`${path}\` is a BigInt, which JSON cannot hold: send it as a string.`;
  if (typeof value !== 'object' || value === null) return undefined;
  if (parents.has(value)) return `\`${path}\` is an object that contains itself, which JSON cannot hold.`;
  parents.add(value);
  for (const [key, child] of Object.entries(value)) {
    if (typeof child !== 'object' && typeof child !== 'bigint') continue;
    const childPath = Array.isArray(value) ? `${path}[${key}]` : below(path, key);
    const why = findUnserialisable(child, childPath, parents);
    if (why !== undefined) return why;
  }
  parents.delete(value);
  return undefined;
}

/** Reads the text of a response, to which it adds the views of its headers. A response in another form is an error. */
export function readEnvelope(text: string): ToolsProxyExecuteResponse {
  const envelope = parseAnswer(text, `${NOT_AN_ENVELOPE}: it is not JSON.`);
  if (!isRecord(envelope)) throw invalidResponse(`it is ${kindOf(envelope)}`);
  const { status, headers, repeated_headers, binary_data } = envelope;
  if (!Number.isInteger(status) || (status as number) < 100 || (status as number) > 599) {
    const is = typeof status === 'number' ? String(status) : kindOf(status);
    throw invalidResponse(`\`status\` is ${is}, and must be a whole number from 100 to 599`);
  }
  if (headers !== undefined && headers !== null) readHeaders(headers, repeated_headers);
  if (binary_data !== undefined && binary_data !== null) checkBinaryData(binary_data);
  return Object.defineProperties(envelope as unknown as ToolsProxyExecuteResponse, HEADER_VIEWS);
}

/** Values that only a list shows: those joined with a line break, and characters that are not bytes. */
const UNUSUAL = /[\n\u0100-\uffff]/;

/** The values of repeated headers, by the headers in which they are joined. Few responses have any. */
const repeatedOf = new WeakMap<object, ReadonlyMap<string, string[]>>();

/** Checks headers and joins lists among them. Headers that `new Headers` could not read become a list. */
function readHeaders(headers: unknown, repeated: unknown): void {
  if (!isRecord(headers)) throw invalidResponse(`\`headers\` is ${kindOf(headers)}, and must be an object`);
  const lists = new Map<string, string[]>();
  let isUnusual = false;
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (typeof value === 'string' && !UNUSUAL.test(value)) continue;
    isUnusual = true;
    const values = typeof value === 'string' ? value.split('\n') : value;
    if (!isListOfStrings(values)) {
      throw invalidResponse(`\`${below('headers', quoted(name))}\` is ${kindOf(value)}, and must be a string`);
    }
    headers[name] = values.join(', ');
    if (values.length > 1) lists.set(name, values);
  }
  if (repeated !== undefined && repeated !== null) {
    if (!isRecord(repeated) || !Object.values(repeated).every(isListOfStrings)) {
      throw invalidResponse('`repeated_headers` must be an object of lists of strings');
    }
    for (const [name, values] of Object.entries(repeated)) lists.set(name, values as string[]);
  }
  if (lists.size > 0) repeatedOf.set(headers, lists);
  if (lists.size > 0 || isUnusual) Object.defineProperty(headers, Symbol.iterator, HEADERS_ITERATOR);
}

function headersList(headers: Record<string, string> | null | undefined): [name: string, value: string][] {
  if (!headers) return [];
  const lists = repeatedOf.get(headers);
  return Object.entries(headers).flatMap(([name, joined]) =>
    (lists?.get(name) ?? [joined]).map((value): [string, string] => [name, value]),
  );
}

/** On each response. They are one function for all, as responses with their own would have no shape in common. */
const HEADER_VIEWS: PropertyDescriptorMap & ThisType<{ headers?: Record<string, string> }> = {
  headersList: {
    configurable: true,
    get() {
      return headersList(this.headers);
    },
  },
  headerValues: {
    configurable: true,
    get() {
      const values = new Map<string, string[]>();
      for (const [name, value] of headersList(this.headers)) {
        const before = values.get(name);
        if (before === undefined) values.set(name, [value]);
        else before.push(value);
      }
      return Object.fromEntries(values);
    },
  },
};

/** The iterator that `new Headers` uses if there is one: pairs whose characters are bytes (RFC 9110 §5.5). */
const HEADERS_ITERATOR: PropertyDescriptor & ThisType<Record<string, string>> = {
  configurable: true,
  value: function* () {
    for (const [name, value] of headersList(this)) {
      yield [name, UNUSUAL.test(value) ? Buffer.from(value).toString('latin1') : value];
    }
  },
};

function checkBinaryData(file: unknown): void {
  if (!isRecord(file)) throw invalidResponse(`\`binary_data\` is ${kindOf(file)}, and must be an object`);
  const { url, content_type, size, expires_at } = file;
  for (const [name, value] of Object.entries({ url, content_type, expires_at: expires_at ?? '' })) {
    if (typeof value !== 'string') {
      throw invalidResponse(`\`binary_data.${name}\` is ${kindOf(value)}, and must be a string`);
    }
  }
  if (!Number.isSafeInteger(size) || (size as number) < 0) {
    throw invalidResponse('`binary_data.size` must be a number of bytes');
  }
}

function isListOfStrings(values: unknown): values is string[] {
  return Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === 'string');
}

const NOT_AN_ENVELOPE = "The backend's response is not the documented { status, data, headers }";

function invalidResponse(why: string): APIConnectionError {
  return invalidAnswer(`${NOT_AN_ENVELOPE}: ${why}.`);
}

/** The response under the names of JavaScript. */
export function toResponse({
  status,
  data,
  headers,
  binary_data,
  attempts,
}: ToolsProxyExecuteResponse): ProxyExecuteResponse {
  const response = { status, data: data ?? null, headers: headers ?? {} } as ProxyExecuteResponse;
  if (binary_data) {
    const { url, content_type: contentType, size, expires_at: expiresAt } = binary_data;
    response.binaryData = { url, contentType, size, expiresAt: expiresAt ?? undefined };
  }
  if (attempts !== undefined) response.attempts = attempts;
  return Object.defineProperties(response, HEADER_VIEWS);
}
