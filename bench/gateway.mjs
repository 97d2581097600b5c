/** A gateway on a port, in a process of its own: `node gateway.mjs <origin of the upstream>`. */

import { Composio, Gateway } from '../index.mjs';
import { toolkit } from './contenders.mjs';

const origin = process.argv[2];
const gateway = await Gateway.open({ allowPrivateHosts: [new URL(origin).host], toolkits: [toolkit(origin)] });
const credential = { authScheme: 'BEARER_TOKEN', val: { token: 'token' } };
await gateway.connectedAccounts.import({ userId: 'user_bench', toolkit: 'stub', credential });
const { sessionId } = await new Composio({ gateway }).create('user_bench', { toolkits: ['stub'] });
const { url } = await gateway.listen();
const { key } = await gateway.apiKeys.create({ name: 'bench' });
console.log(JSON.stringify({ url, key, sessionId }));
process.stdin.resume().on('end', () => process.exit(0));
