/**
 * A worker with calls in flight, in process and over HTTP. Some get a response, and most do not. It is
 * JavaScript, because a loader in each of a hundred workers would take longer than the test.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { Composio, Gateway } from '../../index.mjs';

const { toolkits, allowPrivateHosts, baseURL, apiKey, number, exit } = workerData;

const gateway = await Gateway.open({ toolkits, allowPrivateHosts });
const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
await gateway.connectedAccounts.import({ userId: 'ann', toolkit: 'acme', credential });
const composios = [new Composio({ gateway }), new Composio({ apiKey, baseURL })];
const sessions = await Promise.all(composios.map((composio) => composio.create('ann')));

const { url } = await gateway.listen();
const answers = [];
const { signal } = new AbortController();
for (let call = 0; call < 40; call++) {
  const session = sessions[call % 2];
  const path = ['/me', '/hold', '/half'][call % 3];
  const endpoint = `${path}?call=${number * 100 + call}`;
  const options = call % 5 === 0 ? { signal } : {};
  // Their outcome is not known, because the worker ends first.
  const answer = session.proxyExecute({ toolkit: 'acme', endpoint, method: 'POST', body: { call } }, options);
  answer.catch(() => {});
  if (path === '/me') answers.push(answer);
  composios[call % 2].create('ann').catch(() => {});
}
gateway.connectedAccounts.list().catch(() => {});

// In some workers the other calls have reached the third-party API, in some they have not.
if (number % 2 === 0) await Promise.all(answers);
if (exit) process.exit(7);
parentPort.postMessage(url);
