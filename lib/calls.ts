// The record that a gateway keeps of the calls made through it.

import type * as Native from '../native';
import { answerOf } from './native';
import { Check } from './validate';

/** A call, as it is remembered: never with a query value, a header or a body. */
export interface Call {
  /** When it began, as an ISO 8601 date. */
  at: string;
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
   * Lists the latest calls, the newest first.
   *
   * @param options `limit` is how many at most, from 1 to 10 000. Default: 100.
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   *
   * @example
   * ```ts
   * for (const { at, userId, path, status } of await gateway.calls.list({ limit: 20 })) {
   *   console.log(at, userId, path, status);
   * }
   * ```
   */
  async list(options: { limit?: number } = {}): Promise<Call[]> {
    const check = new Check('list of calls');
    if (check.object(options, '', ['limit'])) check.optionalWhole(options.limit, 'limit', 1, 10_000);
    check.done();
    return JSON.parse(await answerOf(() => this.#native.calls(options.limit ?? 100))).map(toCall);
  }
}

interface WireCall extends Pick<Call, 'at' | 'toolkit' | 'method' | 'host' | 'path' | 'outcome' | 'status' | 'bytes'> {
  user_id: string | null;
  session_id: string | null;
  connected_account_id: string | null;
  duration_ms: number;
}

function toCall(call: WireCall): Call {
  return {
    at: call.at,
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
