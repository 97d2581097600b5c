/**
 * The main job, in one process: the gateway gets a user's credential once. From then on, the program calls as
 * that user without it.
 *
 *   npm start                           against a small API on this machine
 *   GITHUB_TOKEN=… npm start            against GitHub
 */

import { Composio, Gateway } from 'proxy-execute';
import { startUpstream } from './upstream.mjs';

const token = process.env.GITHUB_TOKEN;
const upstream = token ? undefined : await startUpstream();

// Without a token, the example replaces `github` by the same toolkit on this machine.
const gateway = await Gateway.open(
  upstream && {
    toolkits: [
      {
        slug: 'github',
        name: 'GitHub, on this machine',
        base_url: upstream.url,
        schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
      },
    ],
    allowPrivateHosts: [upstream.host],
  },
);

// Once per user: store their credential. No program can read it back.
await gateway.connectedAccounts.import({
  userId: 'user_123',
  toolkit: 'github',
  credential: { authScheme: 'BEARER_TOKEN', val: { token: token ?? 'a-token-of-user-123' } },
});

// From then on: calls as the user.
const composio = new Composio({ gateway });
const session = await composio.create('user_123', { toolkits: ['github'] });
const { status, headers, data } = await session.proxyExecute({
  toolkit: 'github',
  endpoint: '/repos/composiohq/composio/issues/1',
  method: 'GET',
  parameters: [{ name: 'Accept', value: 'application/vnd.github.v3+json', in: 'header' }],
});

console.log('status: ', status);
console.log('headers:', {
  'content-type': headers['content-type'],
  'x-ratelimit-remaining': headers['x-ratelimit-remaining'],
});
console.log('data:   ', data);

console.log(
  upstream
    ? 'This was an API on this machine. With GITHUB_TOKEN, the example calls GitHub. Next: docs/first-steps.md'
    : 'Next: docs/first-steps.md',
);

await gateway.close();
upstream?.close();
