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

/**
 * Awaits a native call and returns the text it answers.
 *
 * @throws the signal's reason, that very object, once the signal is aborted: at once if it already
 * is, and otherwise after the native work has been dropped.
 */
export async function answerOf(
  call: (cancel?: Native.Cancel) => Promise<string | Native.NativeFailure>,
  signal?: AbortSignal,
): Promise<string> {
  if (signal === undefined) return textOf(await call());
  if (signal.aborted) throw signal.reason;
  const cancel = new native.Cancel();
  const calls = callsOf(signal);
  calls.add(cancel);
  try {
    const settled = await call(cancel);
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

function textOf(settled: string | Native.NativeFailure): string {
  if (typeof settled === 'string') return settled;
  throw toError(settled);
}
