/**
 * A worker with calls in flight: in process and over HTTP, of which some are answered and most are
 * not. JavaScript, because a loader in each of a hundred workers would take longer than the test.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { Composio, Gateway } from '../../index.mjs';

const { toolkits, allowPrivateHosts, baseURL, apiKey, exit } = workerData;

const gateway = await Gateway.open({ toolkits, allowPrivateHosts });
const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
await gateway.connectedAccounts.import({ userId: 'ann', toolkit: 'acme', credential });
const composios = [new Composio({ gateway }), new Composio({ apiKey, baseURL })];
const sessions = await Promise.all(composios.map((composio) => composio.create('ann')));

const { signal } = new AbortController();
for (let call = 0; call < 40; call++) {
  const session = sessions[call % 2];
  const endpoint = ['/me', '/hold', '/half'][call % 3];
  const options = call % 5 === 0 ? { signal } : {};
  // How they end is not known: the worker ends first.
  session.proxyExecute({ toolkit: 'acme', endpoint, method: 'POST', body: { call } }, options).catch(() => {});
  composios[call % 2].create('ann').catch(() => {});
}
gateway.connectedAccounts.list().catch(() => {});

if (exit) process.exit(7);
parentPort.postMessage('in flight');
