// The record that a gateway keeps of the calls made through it.

import type * as Native from '../native';
import { answerOf } from './native';
import { Check, kindOf, LONGEST_SLUG, LONGEST_USER_ID } from './validate';

/** The most calls of one list. */
const MOST_CALLS = 10_000;

/** A call, as it is remembered: never with a query value, a header or a body. */
export interface Call {
  /** Its number. A call that was recorded later has a greater one. */
  id: number;
  /** When it began, as an ISO 8601 date. */
  at: string;
  /** The id of the request that made it, which its error has, too; null if an older version recorded it. */
  requestId: string | null;
  /** The user; null if it was not known yet when the call ended. */
  userId: string | null;
  /** The session; null outside of one. */
  sessionId: string | null;
  /** The toolkit; null if it was not known yet. */
  toolkit: string | null;
  /** The account; null if there was none. */
  connectedAccountId: string | null;
  /** The HTTP method. */
  method: string;
  /** The host that was called, or was to be; null if the call ended before it was known. */
  host: string | null;
  /** The path that was called, or was to be, without its query; null if the call ended before it was known. */
  path: string | null;
  /** `answered`, `cancelled`, or the slug of the error. */
  outcome: string;
  /** The third-party API's HTTP status, even if its response was unusable; null without a response. */
  status: number | null;
  /** The size of the response's body, after decompression. */
  bytes: number;
  /** From the request to the end of the response, in milliseconds. */
  durationMs: number;
}

/** Selects calls of the record, by {@link Calls.list}. A call meets every condition that is set. */
export interface ListCallsOptions {
  /** The user. */
  userId?: string;
  /** The session. */
  sessionId?: string;
  /** The toolkit. */
  toolkit?: string;
  /** The account. */
  connectedAccountId?: string;
  /** `answered`, `cancelled`, or the slug of an error. */
  outcome?: string;
  /** The `requestId` of an error, or the `x-request-id` of a response. */
  requestId?: string;
  /** Calls that began then or later: a date, or its ISO 8601 text. */
  since?: Date | string;
  /** Calls that began before. */
  until?: Date | string;
  /** Calls with a smaller `id`, for the next page. */
  before?: number;
  /** How many at most, from 1 to 10 000. Default: 100. */
  limit?: number;
}

/** The names of the conditions, and their names on the bridge. */
const TEXTS = {
  userId: 'user_id',
  sessionId: 'session_id',
  toolkit: 'toolkit',
  connectedAccountId: 'connected_account_id',
  outcome: 'outcome',
  requestId: 'request_id',
} as const;
const TIMES = ['since', 'until'] as const;
const KNOWN = [...Object.keys(TEXTS), ...TIMES, 'before', 'limit'];

/** The record of a gateway. */
export let callsOf: (native: Native.Gateway) => Calls;

/** The calls that were made, by {@link Gateway.calls}. */
export class Calls {
  readonly #native: Native.Gateway;

  static {
    callsOf = (native) => new Calls(native);
  }

  private constructor(native: Native.Gateway) {
    this.#native = native;
  }

  /**
   * Lists calls, the newest first. The `id` of the last one is the `before` of the next page.
   *
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   *
   * @example
   * ```ts
   * const lastHour = new Date(Date.now() - 3_600_000);
   * for (const { at, path, status } of await gateway.calls.list({ userId: 'ann', since: lastHour })) {
   *   console.log(at, path, status);
   * }
   * ```
   */
  async list(options: ListCallsOptions = {}): Promise<Call[]> {
    const filter = JSON.stringify(toFilter(options));
    return JSON.parse(await answerOf(() => this.#native.calls(filter))).map(toCall);
  }
}

function toFilter(options: ListCallsOptions): Record<string, string | number | undefined> {
  const check = new Check('list of calls');
  const filter: Record<string, string | number | undefined> = {};
  if (check.object(options, '', KNOWN)) {
    for (const [name, wireName] of Object.entries(TEXTS)) {
      const text = options[name];
      if (check.optionalText(text, name, name === 'toolkit' ? LONGEST_SLUG : LONGEST_USER_ID)) filter[wireName] = text;
    }
    for (const name of TIMES) filter[name] = toMilliseconds(options[name], name, check);
    check.optionalWhole(options.before, 'before', 0);
    check.optionalWhole(options.limit, 'limit', 1, MOST_CALLS);
  }
  check.done();
  return { ...filter, before: options.before, limit: options.limit ?? 100 };
}

function toMilliseconds(time: unknown, path: string, check: Check): number | undefined {
  if (time === undefined) return undefined;
  const date = typeof time === 'string' ? new Date(time) : time;
  if (date instanceof Date && !Number.isNaN(date.getTime())) return date.getTime();
  const is = typeof time === 'string' || time instanceof Date ? 'no date that exists' : kindOf(time);
  check.wrong(path, `must be a Date or its ISO 8601 text, but is ${is}.`);
  return undefined;
}

interface WireCall
  extends Pick<Call, 'id' | 'at' | 'toolkit' | 'method' | 'host' | 'path' | 'outcome' | 'status' | 'bytes'> {
  request_id: string | null;
  user_id: string | null;
  session_id: string | null;
  connected_account_id: string | null;
  duration_ms: number;
}

function toCall(call: WireCall): Call {
  return {
    id: call.id,
    at: call.at,
    requestId: call.request_id,
    userId: call.user_id,
    sessionId: call.session_id,
    toolkit: call.toolkit,
    connectedAccountId: call.connected_account_id,
    method: call.method,
    host: call.host,
    path: call.path,
    outcome: call.outcome,
    status: call.status,
    bytes: call.bytes,
    durationMs: call.duration_ms,
  };
}
