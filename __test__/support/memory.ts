/**
 * Makes very many calls, and prints the memory after the first of them and after all, in MB. Arguments: the
 * interface, the kind of calls, the number of first calls, the number of later calls, and the seconds after
 * which it stops.
 */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { BadRequestError, PermissionDeniedError, type Session } from '../../index.js';
import { connect, openGateway } from './acme';
import { LoadUpstream } from './load-upstream';
import { inProcess, overHttp } from './ways';

const IN_FLIGHT = 128;
const CALL = { toolkit: 'acme', endpoint: '/me', method: 'POST', body: { a: 1 } } as const;

const calls: Record<string, (session: Session, stranger: Session, number: number) => Promise<void>> = {
  async answered(session) {
    const { status, data } = await session.proxyExecute<{ id: number }>(CALL);
    assert.ok(status === 200 && data.id === 12345);
  },

  /** Calls that are refused before any lookup, and after one. */
  async refused(session, stranger, number) {
    const early = number % 2 === 0;
    await (early ? session.proxyExecute({ ...CALL, toolkit: 'github' }) : stranger.proxyExecute(CALL)).then(
      () => assert.fail('it was not refused'),
      (error: unknown) => assert.ok(error instanceof (early ? PermissionDeniedError : BadRequestError)),
    );
  },

  /** Calls that are aborted at once, and after half of the response. */
  async aborted(session, _, number) {
    const controller = new AbortController();
    const call = session.proxyExecute({ ...CALL, endpoint: `/half?call=${number}` }, { signal: controller.signal });
    if (number % 2 === 0) controller.abort('enough');
    else setTimeout(() => controller.abort('enough'), 5);
    await call.then(
      () => assert.fail('it was answered'),
      (reason: unknown) => assert.equal(reason, 'enough'),
    );
  },
};

async function main([way = '', kind = '', ...numbers]: string[]): Promise<void> {
  const [first = 0, more = 0, limit = 0] = numbers.map(Number);
  const upstream = await LoadUpstream.start();
  const gateway = await openGateway(upstream.port);
  await connect(gateway, 'ann');
  const composio = (await (way === 'http' ? overHttp() : inProcess)(gateway)).composio();
  const session = await composio.create('ann', { toolkits: ['acme'] });
  const stranger = await composio.create('stranger');
  const call = calls[kind];
  assert.ok(call);

  let made = 0;
  const make = async (end: number, until: number) => {
    const worker = async () => {
      while (made < end && performance.now() < until) await call(session, stranger, made++);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  };
  await make(first, Number.POSITIVE_INFINITY);
  const atFirst = await memory();
  const start = performance.now();
  await make(first + more, start + limit * 1_000);
  const elapsed = performance.now() - start;
  const inTheEnd = await memory();
  await gateway.close();
  upstream.close();
  console.log(JSON.stringify({ calls: made - first, atFirst, inTheEnd, elapsed }));
}

/**
 * The memory of the process after a full collection, without the space that V8 keeps free for new objects.
 * That space is as large as it once had to be, and grows in one step of 17 MB.
 */
async function memory(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    global.gc?.();
    // Native objects are released in the turns after a collection.
    await sleep(100);
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    least = Math.min(least, (rss - heapTotal + heapUsed) / 1e6);
  }
  return least;
}

main(process.argv.slice(2));
