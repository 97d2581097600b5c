/**
 * A program, or its worker, that ends by itself without closing its gateway, and prints when it has no work
 * left. It makes a call. With a URL as the last argument, it starts a refresh without awaiting it, and
 * continues when that URL responds. It is JavaScript, because a worker of Node.js 20 does not get the loader
 * of these tests.
 */

import { isMainThread, Worker } from 'node:worker_threads';
import { Composio, Gateway } from '../../index.mjs';

async function main({ options, user, toolkit, endpoint }, url) {
  const composio = new Composio({ gateway: await Gateway.open(options) });
  const session = await composio.create(user);
  // Only the objects that make calls still refer to the gateway.
  global.gc?.();
  process.once('beforeExit', () => console.log('nothing left to do'));
  if (!url) {
    await session.proxyExecute({ toolkit, endpoint, method: 'GET' });
    return;
  }
  const [account] = (await composio.connectedAccounts.list({ userIds: [user] })).items;
  const controller = new AbortController();
  const refresh = composio.connectedAccounts.refresh(account.id, {}, { signal: controller.signal });
  await (await fetch(url)).text();
  controller.abort();
  await refresh.catch(() => {});
}

const args = process.argv.slice(2);
const [program, where, url] = args;
if (where === 'worker' && isMainThread) new Worker(new URL(import.meta.url), { argv: args });
else main(JSON.parse(program), url);
