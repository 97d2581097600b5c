// The diagnostics channels of calls, for tracers and for programs that count their calls.

import { tracingChannel } from 'node:diagnostics_channel';

/**
 * A call, as the subscribers of `tracingChannel('proxy-execute:call')` of `node:diagnostics_channel` receive it. All events
 * of a call have the same object. It has no query, header, body or credential.
 */
export interface CallTrace {
  /** The toolkit, if the call names one. */
  toolkit?: string;
  /** The account that the call is made with, if the call names one. */
  connectedAccountId?: string;
  /** The session, if the call is made in one. */
  sessionId?: string;
  /** The HTTP method. */
  method: string;
  /** The host of the endpoint, if the endpoint is a URL. A path is on a host that only the gateway knows. */
  host?: string;
  /** The status of the API's response, from `asyncStart` on. */
  status?: number;
  /** From the call to its response, in milliseconds, from `asyncStart` on; with a stream, to the head of the response. */
  duration?: number;
  /** Why the call failed, from `error` on. */
  error?: unknown;
}

const channel = tracingChannel<unknown, CallTrace>('proxy-execute:call');

/** Whether a subscriber watches calls. Older versions of Node.js 20 cannot say so for all channels at once. */
export function isWatched(): boolean {
  const { start, end, asyncStart, asyncEnd, error } = channel;
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  );
}

/** The parts of a request that the subscribers see. */
export interface TracedCall {
  toolkit?: string;
  accountId?: string;
  method: string;
  endpoint: string;
}

/** Makes a call, and tells subscribers when it begins and ends. */
export async function watched<T extends { status: number }>(
  { toolkit, accountId, method, endpoint }: TracedCall,
  sessionId: string | null,
  call: () => Promise<T>,
): Promise<T> {
  const trace: CallTrace = { method };
  if (toolkit !== undefined) trace.toolkit = toolkit;
  if (accountId !== undefined) trace.connectedAccountId = accountId;
  if (sessionId !== null) trace.sessionId = sessionId;
  if (URL.canParse(endpoint)) trace.host = new URL(endpoint).host;
  const begin = performance.now();
  let answer: T | undefined;
  // Node.js adds the result of this function to the trace, and the response is none of a tracer's business.
  await channel.tracePromise(async () => {
    try {
      answer = await call();
      trace.status = answer.status;
    } finally {
      trace.duration = performance.now() - begin;
    }
  }, trace);
  return answer as T;
}
