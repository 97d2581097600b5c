/**
 * Calls leave nothing behind: memory is the same after very many of them as after the first many.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from './support/child';

/** After how many seconds a run makes no more calls; a debug build is an order of magnitude slower. */
const LIMIT = 40;

/**
 * By how many MB memory may differ. Where nothing is left behind, it differs by up to 17 from one
 * look to the next, either way and however many calls are in between. A call that left its answer of
 * 1 KB, or an error with its stack, would leave 60 or more; one that left no more than a listener and
 * a promise, about as much.
 */
const BOUND = 32;

describe('memory', () => {
  /**
   * Makes `first` calls, by which pools, caches and the record of calls are full, and `more` after
   * them, and asserts that these have left next to nothing.
   */
  function isFlat(way: 'in-process' | 'http', kind: string, first: number, more: number): void {
    it(`is flat over ${more} calls that are ${kind}, ${way}`, async (t) => {
      const args = [way, kind, ...[first, more, LIMIT].map(String)];
      const { code, signal, stdout, stderr } = await run('memory.ts', {
        args,
        nodeOptions: ['--expose-gc'],
        limit: 300_000,
      });
      assert.equal(code, 0, `${signal} ${stderr}`);
      const { calls, atFirst, inTheEnd, elapsed } = JSON.parse(stdout);
      const growth = inTheEnd - atFirst;
      t.diagnostic(
        `${calls} calls in ${(elapsed / 1000).toFixed(1)} s: ${atFirst.toFixed(1)} MB at first, ` +
          `${inTheEnd.toFixed(1)} MB in the end, growth ${growth.toFixed(1)} MB of at most ${BOUND} MB`,
      );
      if (calls < more) t.diagnostic(`stopped after ${LIMIT} s, before all ${more} calls were made`);
      assert.ok(calls >= more / 20, `only ${calls} calls were made in ${LIMIT} s`);
      assert.ok(growth < BOUND, `memory grew by ${growth} MB, from ${atFirst} MB to ${inTheEnd} MB`);
    });
  }

  isFlat('in-process', 'answered', 20_000, 80_000);
  isFlat('http', 'answered', 20_000, 80_000);
  isFlat('in-process', 'refused', 10_000, 60_000);
  isFlat('in-process', 'aborted', 10_000, 60_000);
  isFlat('http', 'aborted', 10_000, 60_000);
});
