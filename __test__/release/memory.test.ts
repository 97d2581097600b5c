/**
 * Calls leak no memory: very many calls need as much memory as the first many.
 *
 * Without optimisation, these calls take six minutes, or are too few to show a leak.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from '../support/child';

/** The seconds after which a run starts no more calls. A debug build is an order of magnitude slower. */
const LIMIT = 40;

/**
 * The allowed difference of memory in MB. Without a leak, two measurements differ by up to 17, up or down, for
 * any number of calls between them. If each call leaked its response of 1 KB, or an error with its stack, the
 * difference would be 60 or more. A leaked listener and promise per call make about as much.
 */
const BOUND = 32;

describe('memory', () => {
  /**
   * Makes `first` calls, which fill pools, caches and the record of calls, and then `more` calls. Asserts that
   * the latter left next to nothing in memory.
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
