/** Expectations about errors, and waits, for several suites. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ComposioError } from '../../index.js';

// biome-ignore lint/suspicious/noExplicitAny: a constructor with any arguments
type ErrorClass<E> = abstract new (...args: any[]) => E;

interface Expected {
  status?: number;
  code?: number | string;
  slug?: string;
  /** Matches the message, which names the problem. */
  names?: RegExp;
  /** Matches the error's advice. */
  fix?: RegExp;
}

/**
 * The error of a call that must fail: exactly of this class, with its own name and these facts.
 */
export async function rejection<E extends ComposioError>(
  call: () => Promise<unknown>,
  Class: ErrorClass<E>,
  { names, fix, ...facts }: Expected = {},
): Promise<E> {
  const error = await call().then(
    (value) => assert.fail(`the call was answered: ${JSON.stringify(value)?.slice(0, 200)}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof Class && error.constructor === Class, `not a ${Class.name}: ${error}`);
  assert.equal(error.name, Class.name);
  assert.ok(error instanceof ComposioError && error instanceof Error);
  for (const [key, value] of Object.entries(facts)) {
    assert.equal(error[key as keyof ComposioError], value, `${key} of ${error}`);
  }
  if (names) assert.match(error.message, names);
  if (fix) {
    assert.match(error.suggestedFix ?? '', fix);
    assert.ok(error.message.endsWith(error.suggestedFix ?? ''), error.message);
  }
  return error;
}

/** Polls until a condition holds, at most for this time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limit = 30_000): Promise<void> {
  const end = Date.now() + limit;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not within ${limit} ms: ${what}`);
    await sleep(5);
  }
}

/** The time that work takes, in milliseconds. Fails if the work does not end within a limit. */
export async function timed(limit: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  const elapsed = performance.now() - start;
  assert.ok(elapsed < limit, `it took ${elapsed} ms, which is not below ${limit} ms`);
  return elapsed;
}
