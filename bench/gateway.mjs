/**
 * Fills the store of a gateway, which is served afterwards: `node gateway.mjs <origin of the upstream> <store> <key>`.
 * Prints the details for a caller.
 */

import { Composio, Gateway } from '../index.mjs';
import { toolkit } from './contenders.mjs';

const [origin, store, encryptionKey] = process.argv.slice(2);
const gateway = await Gateway.open({ store, encryptionKey, toolkits: [toolkit(origin)] });
const credential = { authScheme: 'BEARER_TOKEN', val: { token: 'token' } };
await gateway.connectedAccounts.import({ userId: 'user_bench', toolkit: 'stub', credential });
const { sessionId } = await new Composio({ gateway }).create('user_bench', { toolkits: ['stub'] });
const { key } = await gateway.apiKeys.create({ name: 'bench' });
await gateway.close();
console.log(JSON.stringify({ key, sessionId }));
