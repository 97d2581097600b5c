// Retries of the API's responses: which ones, after how long, and how many of them.

import { reasonOf, whenAborted } from './native';
import { READS } from './proxy-request';
import type { ToolkitRateLimit } from './toolkit';
import { type Check, kindOf } from './validate';

/**
 * Which responses of the API are retried. The gateway's own retries are apart from these: they are of calls that cannot
 * have reached the API.
 *
 * @example
 * ```ts
 * const retry: RetryOptions = { attempts: 4, statuses: [429, 503], maxWait: 10_000 };
 * ```
 */
export interface RetryOptions {
  /** How often the call is made at most, the first time included: from 1 to 10. Default: 3. */
  attempts?: number;
  /**
   * The statuses to retry. Default: 429, 500, 502, 503 and 504. A write is retried after a 429, and after a 503 with
   * `Retry-After`, and after no other status.
   */
  statuses?: readonly number[];
  /** The longest wait before an attempt, in milliseconds. Where the API asks for more, its response is returned. Default: 30 000. */
  maxWait?: number;
}

/** The options with their defaults. */
export type RetryPolicy = Readonly<Required<RetryOptions>>;

/** How the calls of a client are retried. */
export interface Retries {
  /** The policy of calls that have none of their own. */
  policy?: RetryPolicy;
  budget: RetryBudget;
}

const DEFAULTS: RetryPolicy = { attempts: 3, statuses: [429, 500, 502, 503, 504], maxWait: 30_000 };
const KEYS = ['attempts', 'statuses', 'maxWait'];
const MOST_ATTEMPTS = 10;
const MOST_STATUSES = 100;
/** A day. Timers of Node.js end after 24 of them. */
const LONGEST_MAX_WAIT = 86_400_000;

/** The wait after the first response that says no time, in milliseconds. It doubles with each attempt. */
const FIRST_WAIT = 500;
const LONGEST_BACKOFF = 20_000;
/** The limit for what is added at random to a time that the API says, so that its callers do not all come at once. */
const LONGEST_JITTER = 1_000;

/** Checks the option `retry`. */
export function checkRetry(check: Check, retry: unknown): void {
  if (retry === undefined || retry === false) return;
  if (!check.object(retry, 'retry', KEYS)) return;
  const { attempts, statuses, maxWait } = retry;
  check.optionalWhole(attempts, 'retry.attempts', 1, MOST_ATTEMPTS);
  check.optionalWhole(maxWait, 'retry.maxWait', 0, LONGEST_MAX_WAIT);
  if (statuses === undefined || !check.list(statuses, 'retry.statuses')) return;
  if (!check.atMost(statuses.length, MOST_STATUSES, 'entries', 'retry.statuses')) return;
  for (const [index, status] of statuses.entries()) {
    if (Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599) continue;
    const is = typeof status === 'number' ? String(status) : kindOf(status);
    check.wrong(`retry.statuses[${index}]`, `must be a status from 400 to 599, but is ${is}.`);
  }
}

/** The policy that an option stands for; undefined for none. */
export function policyOf(retry: RetryOptions | false | undefined): RetryPolicy | undefined {
  if (!retry) return undefined;
  const { attempts = DEFAULTS.attempts, statuses = DEFAULTS.statuses, maxWait = DEFAULTS.maxWait } = retry;
  return { attempts, statuses, maxWait };
}

/**
 * The retries that a client may still make. An API that is down costs a client 100 retries at once, and later one for five
 * calls that need none. The numbers are those of the AWS SDKs.
 */
export class RetryBudget {
  static readonly #MOST = 500;
  static readonly #COST = 5;
  #tokens = RetryBudget.#MOST;

  /** Takes a retry out of the budget, if there is one left. */
  take(): boolean {
    if (this.#tokens < RetryBudget.#COST) return false;
    this.#tokens -= RetryBudget.#COST;
    return true;
  }

  /** Notes a call that needs no further retry. If it was retried, that retry is given back. */
  refill(attempts: number): void {
    this.#tokens = Math.min(RetryBudget.#MOST, this.#tokens + (attempts > 1 ? RetryBudget.#COST : 1));
  }
}

/** A response, as far as its retry depends on it. */
interface Answer {
  status: number;
  headers?: Record<string, string>;
}

/**
 * How long to wait before a call is made again, in milliseconds; undefined if it is not.
 *
 * @param attempt The number of the attempt that the response belongs to, from 1.
 * @param rateLimit Where the API says when it takes calls again. It is looked up only where nothing else says it.
 */
export async function waitAfter(
  { status, headers = {} }: Answer,
  method: string,
  attempt: number,
  { statuses, maxWait }: RetryPolicy,
  rateLimit: () => Promise<ToolkitRateLimit | undefined>,
): Promise<number | undefined> {
  const isRetried = (candidate: number) => statuses.includes(candidate);
  const said = secondsOrDate(headers['retry-after']);
  // With 403, some APIs mean a rate limit. Only the toolkit's facts tell it from a lack of rights.
  const limit =
    (status === 429 || status === 403) && isRetried(429) && said === undefined ? await rateLimit() : undefined;
  const left = limit?.remaining === undefined ? undefined : headers[limit.remaining];
  const isRefused = status === 429 || (status === 403 && left !== undefined && Number(left) === 0);
  if (!isRetried(status) && !(isRefused && isRetried(429))) return undefined;
  if (!READS.has(method) && !isRefused && !(status === 503 && said !== undefined)) return undefined;
  const isExhausted = left === undefined || Number(left) === 0;
  const reset =
    limit !== undefined && isRefused && isExhausted ? timeUntil(headers[limit.header], limit.unit) : undefined;
  const asked = said ?? reset;
  if (asked === undefined) {
    const longest = Math.min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_BACKOFF, maxWait);
    return longest / 2 + (Math.random() * longest) / 2;
  }
  if (asked > maxWait) return undefined;
  return asked + Math.random() * Math.min(LONGEST_JITTER, asked / 10, maxWait - asked);
}

/** The milliseconds of a `Retry-After` (RFC 9110 §10.2.3). */
function secondsOrDate(value: string | undefined): number | undefined {
  return timeUntil(value, 'seconds') ?? timeUntil(value, 'date');
}

function timeUntil(value: string | undefined, unit: ToolkitRateLimit['unit']): number | undefined {
  if (value === undefined) return undefined;
  if (unit === 'date') return fromNow(Date.parse(value));
  if (!/^\d{1,15}(\.\d{1,15})?$/.test(value)) return undefined;
  const number = Number(value);
  switch (unit) {
    case 'epoch_seconds':
      return fromNow(number * 1000);
    case 'epoch_milliseconds':
      return fromNow(number);
    case 'seconds':
      return number * 1000;
    case 'milliseconds':
      return number;
  }
}

function fromNow(time: number): number | undefined {
  return Number.isNaN(time) ? undefined : Math.max(0, time - Date.now());
}

/** Waits for a time. The signal ends the wait with its reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let forget = () => {};
    const timer = setTimeout(() => {
      forget();
      resolve();
    }, milliseconds);
    if (signal === undefined) return;
    forget = whenAborted(signal, () => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    });
  });
}
