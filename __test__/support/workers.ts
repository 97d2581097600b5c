/**
 * Ends a hundred workers with calls in flight: in turn by `terminate()` at some moment, and by
 * `process.exit()` from inside. A crash ends this process with a signal.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Composio } from '../../index.js';
import { acme, connect, openGateway } from './acme';
import { until } from './expect';
import { LoadUpstream } from './load-upstream';

const ROUNDS = 25;
const AT_ONCE = 4;

async function main(): Promise<void> {
  const upstream = await LoadUpstream.start();
  const gateway = await openGateway(upstream.port);
  await connect(gateway, 'ann');
  const { url: baseURL } = await gateway.listen();
  const { key: apiKey } = await gateway.apiKeys.create();
  const workerData = {
    toolkits: [acme(upstream.port)],
    allowPrivateHosts: [`127.0.0.1:${upstream.port}`],
    baseURL,
    apiKey,
  };

  let terminated = 0;
  let exited = 0;
  /** The addresses of the workers' ports. */
  const urls: string[] = [];
  const one = async (number: number) => {
    const exit = number % 5 === 4;
    const worker = new Worker(join(__dirname, 'worker.mjs'), {
      workerData: { ...workerData, number, exit },
      execArgv: [],
    });
    const ended = once(worker, 'exit');
    if (exit) {
      const [code] = await ended;
      assert.equal(code, 7);
      exited++;
      return;
    }
    const [url] = await once(worker, 'message');
    urls.push(url);
    // From the first responses until no call is left.
    await sleep(number % 7);
    await worker.terminate();
    terminated++;
  };
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => one(round * AT_ONCE + index)));
  }

  // 26 calls of each worker do not end by themselves. Half of the workers waited until they were sent.
  await until('all calls of the workers are given up', async () => (await upstream.held()).waiting.length === 0);
  const { gone, answered } = await upstream.held();
  assert.equal(answered.length, 0);
  assert.ok(gone.length > 500, `only ${gone.length} calls got there`);

  // Their ports are closed, too.
  const isClosed = (url: string) =>
    fetch(url).then(
      () => false,
      () => true,
    );
  for (const url of urls) await until(`${url} is closed`, () => isClosed(url));

  // The parts that the workers shared with this thread still work.
  const composio = new Composio({ apiKey, baseURL });
  const session = await composio.create('ann');
  const { status } = await session.proxyExecute({ toolkit: 'acme', endpoint: '/me', method: 'GET' });
  assert.equal(status, 200);
  await gateway.close();
  upstream.close();
  console.log(JSON.stringify({ terminated, exited, gone: gone.length }));
}

main();
