/**
 * The gateway of `test_relay.py`, in its own process. One line of JSON on stdout has its key and the base URLs of its
 * relay, by session. It ends with its stdin, and fails if a request was not as its API wants it.
 */

import { once } from 'node:events';
import { check, composio, end, session } from './every-api.mjs';

const relayOf = ({ sessionId }) => `${process.env.COMPOSIO_BASE_URL}/relay/${sessionId}`;
const said = {
  key: process.env.COMPOSIO_API_KEY,
  relay: relayOf(session),
  without_account: relayOf(await composio.create('bea')),
  restricted: relayOf(await composio.create('ann', { toolkits: ['notion'] })),
};
process.stdout.write(`${JSON.stringify(said)}\n`);

process.stdin.resume();
await once(process.stdin, 'end');
check();
await end();
