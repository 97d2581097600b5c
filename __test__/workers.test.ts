/**
 * The end of a process: it does not crash if a worker is torn down with calls in flight, and ends by itself
 * once no work is left. Each test has its own process.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Ended, run } from './support/child';

describe('workers', () => {
  it('that are ended with calls in flight, 100 times, do not affect the process', async (t) => {
    const { code, signal, stdout, stderr, elapsed } = await run('workers.ts', { limit: 120_000 });
    assert.equal(signal, null, `${signal} ${stderr}`);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    const { gone, ...ended } = JSON.parse(stdout);
    assert.deepEqual(ended, { terminated: 80, exited: 20 });
    t.diagnostic(`100 workers in ${(elapsed / 1000).toFixed(1)} s, ${gone} calls of theirs given up`);
  });
});

describe('a process', () => {
  /** Asserts the end of a program, which must end by itself and in time. */
  async function ends(
    program: string,
    expected: { code?: number; stdout?: string; after?: number } = {},
  ): Promise<Ended> {
    const { code = 0, stdout = 'done\n', after = 0 } = expected;
    // A connection pool or a queue of records would keep the process alive for tens of seconds.
    const ended = await run('exits.ts', { args: [program], limit: 15_000 });
    assert.equal(ended.signal, null, `${ended.signal} after ${ended.elapsed} ms: ${ended.stdout}${ended.stderr}`);
    assert.equal(ended.code, code, ended.stderr);
    assert.equal(ended.stderr, '');
    assert.equal(ended.stdout, stdout);
    assert.ok(ended.elapsed > after, `after ${ended.elapsed} ms already`);
    return ended;
  }

  it('ends with an open gateway', async () => void (await ends('open')));
  it('ends with an unused client', async () => void (await ends('client')));
  it('ends after its calls', async () => void (await ends('calls')));
  it('ends after its calls over HTTP', async () => void (await ends('remoteCalls')));
  it('waits for a call', async () => void (await ends('pending', { stdout: 'done\nanswered 200\n', after: 1_000 })));
  it('ends by process.exit with calls in flight', async () => void (await ends('exit', { code: 9 })));

  it('is kept alive by a port', async () => {
    const { signal, stdout, stderr } = await run('exits.ts', { args: ['listening'], limit: 4_000 });
    assert.equal(stdout, 'done\n', stderr);
    assert.equal(signal, 'SIGKILL', 'it ended by itself');
  });

  it('is kept alive by a port until the gateway is closed', async () => void (await ends('closing', { after: 500 })));
  it('ends with a port after unref()', async () => void (await ends('unref')));
  it('is kept alive by a port after ref()', async () =>
    void (await ends('ref', { stdout: 'done\nstill there\n', after: 500 })));
});
