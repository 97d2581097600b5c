/**
 * A program, or a worker of it, that ends by itself without closing its gateway, and says when it
 * has nothing left to do. It makes a call; or, with a URL as the last argument, begins a refresh, of
 * which it does not await the end, and goes on when that URL is answered. JavaScript, because a worker
 * of Node.js 20 is not given the loader of these tests.
 */

import { isMainThread, Worker } from 'node:worker_threads';
import { Composio, Gateway } from '../../index.mjs';

async function main({ options, user, toolkit, endpoint }, url) {
  const composio = new Composio({ gateway: await Gateway.open(options) });
  const session = await composio.create(user);
  // Nothing refers to the gateway now but what calls are made on.
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
