// The native binding: how it is loaded, and how a call on it is awaited.

import type * as Native from '../native';
import { toError } from './errors';

/** The classes of the native binding. */
export const native = load();

function load(): typeof Native {
  try {
    return require('../native.cjs');
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    throw new Error(
      `The native part of proxy-execute cannot be loaded on ${platform} with Node.js ${process.version}. ` +
        'Run `npm run build` in the folder of the package to build it (this needs Rust, see https://rustup.rs), ' +
        'or look at the cause of this error.',
      { cause },
    );
  }
}

/** What a native call ends with. */
type Settled = string | Native.NativeFailure;

/** What each call waits with for its end, by the number of the call. */
const waiting = new Map<number, (settled: Settled) => void>();

let shared: { completions: Native.Completions; keepAlive: NodeJS.Timeout } | undefined;

/** What native objects tell the end of their calls to; made when the first of them is. */
export function completions(): Native.Completions {
  shared ??= {
    completions: new native.Completions(settle),
    // The longest delay that a timer can have.
    keepAlive: setInterval(() => {}, 2 ** 31 - 1).unref(),
  };
  return shared.completions;
}

function settle(calls: number[], settled: Settled[]): void {
  for (const [index, call] of calls.entries()) {
    waiting.get(call)?.(settled[index] as Settled);
    waiting.delete(call);
  }
  if (waiting.size === 0) shared?.keepAlive.unref();
}

/** The end of the call that has this number. Until then, the process stays alive. */
function endOf(call: number): Promise<Settled> {
  if (waiting.size === 0) shared?.keepAlive.ref();
  return new Promise((resolve) => waiting.set(call, resolve));
}

/**
 * Awaits a native call and returns the text it answers.
 *
 * @param call Starts the call and returns its number.
 * @throws the signal's reason, that very object, once the signal is aborted: at once if it already
 * is, and otherwise after the native work has been dropped.
 */
export async function answerOf(call: (cancel?: Native.Cancel) => number, signal?: AbortSignal): Promise<string> {
  if (signal === undefined) return textOf(await endOf(call()));
  if (signal.aborted) throw signal.reason;
  const cancel = new native.Cancel();
  const calls = callsOf(signal);
  calls.add(cancel);
  try {
    const settled = await endOf(call(cancel));
    if (typeof settled !== 'string' && settled.kind === 'aborted') throw signal.reason;
    return textOf(settled);
  } finally {
    calls.delete(cancel);
  }
}

/**
 * The calls in flight with a signal. They share one listener, which is there as long as they are:
 * with one for each, Node.js would warn of a leak at the eleventh.
 */
class CallsInFlight {
  readonly #signal: AbortSignal;
  readonly #cancels = new Set<Native.Cancel>();
  readonly #abort = () => {
    for (const cancel of this.#cancels) cancel.abort();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort);
  }

  add(cancel: Native.Cancel): void {
    this.#cancels.add(cancel);
  }

  delete(cancel: Native.Cancel): void {
    this.#cancels.delete(cancel);
    if (this.#cancels.size > 0) return;
    this.#signal.removeEventListener('abort', this.#abort);
    callsBySignal.delete(this.#signal);
  }
}

const callsBySignal = new WeakMap<AbortSignal, CallsInFlight>();

function callsOf(signal: AbortSignal): CallsInFlight {
  let calls = callsBySignal.get(signal);
  if (calls === undefined) {
    calls = new CallsInFlight(signal);
    callsBySignal.set(signal, calls);
  }
  return calls;
}

function textOf(settled: Settled): string {
  if (typeof settled === 'string') return settled;
  throw toError(settled);
}
