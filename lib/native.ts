// The native binding: how it is loaded, and how a call on it is awaited.

import { setInterval } from 'node:timers';
import type * as Native from '../native';
import { toError } from './errors';

/** The classes of the native binding. If it cannot be loaded, using one of them throws the reason. */
export const native = load();

function load(): typeof Native {
  try {
    return require('../native.cjs');
  } catch (cause) {
    const place = `on ${process.platform}-${process.arch} with Node.js ${process.version}`;
    const error = new Error(`The native part of proxy-execute cannot be loaded ${place}: ${reason(cause)}`, { cause });
    // The error is thrown on use, so that the help of the command works without the addon.
    return new Proxy({} as typeof Native, {
      get() {
        throw error;
      },
    });
  }
}

/** Why the addon was not loaded, and what to do. */
function reason(error: unknown): string {
  if (!mayLoadAddons()) {
    return (
      'this process may not load addons. ' +
      'Add `--allow-addons` where Node.js is started with `--permission`, and leave `--no-addons` out.'
    );
  }
  const attempts = attemptsOf(error);
  const packages = prebuiltPackages();
  const intended = packages.find((name) => attempts.some((attempt) => attempt.includes(name)));
  const build = '`npm install` in a clone of the repository, which needs Rust (https://rustup.rs)';
  const use = 'then install the package from there: `npm install <folder of the clone>`';
  if (packages.length === 0) {
    return `${attempts[0]}. It is built by ${build}; ${use}. A bundler must leave the package external.`;
  }
  if (intended === undefined) {
    const platforms = packages.map((name) => name.slice(name.indexOf('-', name.indexOf('/')) + 1)).join(', ');
    return `${attempts[0]}. Prebuilt packages exist for ${platforms}. For another platform, build it: ${build}; ${use}.`;
  }
  if (!isInstalled(intended)) {
    return (
      `the package ${intended} is not installed. Install again with optional dependencies, so without ` +
      '`--omit=optional` or `--no-optional`. If node_modules or the lock file comes from another platform, remove ' +
      'both first. A bundler must leave the package external.'
    );
  }
  const failed = attempts.findLast((attempt) => attempt.includes(intended));
  return `${failed}. If the file is damaged, install ${intended} again. On an older system, build it: ${build}; ${use}.`;
}

/** The message of each attempt of the loader, in order. The last error has the earlier errors as causes. */
function attemptsOf(error: unknown): string[] {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  const attempts = error instanceof Error && error.cause ? attemptsOf(error.cause) : [];
  return [...attempts, line.replace(/\.$/, '')];
}

/** The packages with a prebuilt addon. A clone has none. */
function prebuiltPackages(): string[] {
  try {
    return Object.keys(require('../package.json').optionalDependencies ?? {});
  } catch {
    // In a bundle, package.json is not beside the code.
    return [];
  }
}

function isInstalled(name: string): boolean {
  try {
    return require.resolve(name) !== '';
  } catch {
    return false;
  }
}

/** Whether Node.js loads addons here at all. The loader's errors do not keep the code that says so. */
function mayLoadAddons(): boolean {
  try {
    process.dlopen({ exports: {} }, '');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ERR_DLOPEN_DISABLED';
  }
  return true;
}

/** The result of a native call: a text, bytes to read, some of them, or their end. */
export type Answer = string | Native.ByteReader | Buffer | null;

type Settled = Answer | Native.NativeFailure;

/** The callback of each call in flight, by the number of the call. */
const waiting = new Map<number, (settled: Settled) => void>();

let shared: { completions: Native.Completions; keepAlive: NodeJS.Timeout } | undefined;

/** The receiver of completed calls, for native objects. The first of them creates it. */
export function completions(): Native.Completions {
  shared ??= {
    completions: new native.Completions(settle),
    // The longest delay that a timer can have.
    keepAlive: setInterval(() => {}, 2 ** 31 - 1).unref(),
  };
  return shared.completions;
}

/** Receives calls in pairs: the number of each, and its result or the end of its text in `texts`. */
function settle(texts: string, ...calls: (number | Settled)[]): void {
  let begin = 0;
  for (let index = 0; index < calls.length; index += 2) {
    const call = calls[index] as number;
    let settled = calls[index + 1] as number | Settled;
    if (typeof settled === 'number') {
      const end = settled;
      settled = texts.slice(begin, end);
      begin = end;
    }
    const resolve = waiting.get(call);
    waiting.delete(call);
    resolve?.(settled);
  }
  if (waiting.size === 0) shared?.keepAlive.unref();
}

/** The end of the call that has this number. Until then, the process stays alive. */
function endOf(call: number): Promise<Settled> {
  if (waiting.size === 0) shared?.keepAlive.ref();
  return new Promise((resolve) => waiting.set(call, resolve));
}

/**
 * Awaits a native call and returns its result, whose type the caller knows: mostly a text.
 *
 * @param call Starts the call and returns its number.
 * @throws the signal's reason, that very object, once the signal is aborted: at once if it already
 * is, and otherwise after the native work has been dropped.
 */
export function answerOf<T extends Answer = string>(
  call: (cancel?: number) => number,
  signal?: AbortSignal,
): Promise<T> {
  return signal === undefined ? endOf(call()).then(unlessFailed<T>) : unlessAborted(call, signal);
}

async function unlessAborted<T extends Answer>(call: (cancel?: number) => number, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw reasonOf(signal);
  const number = nextCancellation();
  const abort = () => completions().cancel(number);
  const calls = callsOf(signal);
  calls.add(abort);
  try {
    const settled = await endOf(call(number));
    if (isFailure(settled) && settled.kind === 'aborted') throw reasonOf(signal);
    return unlessFailed<T>(settled);
  } finally {
    calls.delete(abort);
  }
}

/** The reason of an aborted signal. Some polyfills are older than `reason`, and have none. */
export function reasonOf({ reason }: AbortSignal): unknown {
  return reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
}

let lastCancellation = 0;

/** A number to cancel a call by. They come again after four thousand million calls. */
function nextCancellation(): number {
  lastCancellation = (lastCancellation + 1) >>> 0;
  return lastCancellation;
}

/**
 * The calls in flight with a signal. They share one listener, which is there as long as they are:
 * with one for each, Node.js would warn of a leak at the eleventh.
 */
class CallsInFlight {
  readonly #signal: AbortSignal;
  readonly #aborts = new Set<() => void>();
  readonly #abort = () => {
    for (const abort of this.#aborts) abort();
    // A signal aborts once.
    this.#release();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort);
  }

  add(abort: () => void): void {
    this.#aborts.add(abort);
  }

  delete(abort: () => void): void {
    this.#aborts.delete(abort);
    if (this.#aborts.size === 0) this.#release();
  }

  #release(): void {
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

function unlessFailed<T extends Answer>(settled: Settled): T {
  if (isFailure(settled)) throw toError(settled);
  return settled as T;
}

function isFailure(settled: Settled): settled is Native.NativeFailure {
  return typeof settled === 'object' && settled !== null && 'kind' in settled;
}

/**
 * Calls `abort` once the signal is aborted, at once if it already is. The returned function removes the
 * listener.
 */
export function whenAborted(signal: AbortSignal, abort: () => void): () => void {
  if (signal.aborted) {
    abort();
    return () => {};
  }
  const calls = callsOf(signal);
  calls.add(abort);
  return () => calls.delete(abort);
}
