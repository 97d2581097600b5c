/**
 * The setting of the documentation's examples: a user with an account, a session of that user, a backend in
 * the environment, and toolkits whose API is on this machine.
 */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Composio, Gateway, type Session, type ToolkitDefinition } from 'proxy-execute';

const USER = 'user_123';
const TOKEN = 'a-token-of-user-123';

const upstream = createServer((request, response) => {
  request.resume();
  const known = request.headers.authorization === `Bearer ${TOKEN}`;
  if (known && /zipball|pdf/.test(request.url ?? '') && request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'application/zip' });
    response.end(Buffer.from('504b0506000000000000000000000000000000000000', 'hex'));
    return;
  }
  response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
  const issue = { title: 'Found a bug', path: request.url };
  const issues = { nodes: [issue], pageInfo: { hasNextPage: false, endCursor: 'a' } };
  const lists: Record<string, unknown> = {
    '/user/repos?per_page=100': [{ name: 'hello-world' }],
    '/graphql': { data: { viewer: { issues } } },
  };
  response.end(JSON.stringify(lists[request.url ?? ''] ?? issue));
});
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
// Neither it nor its connections keep an example from ending.
upstream.unref();
upstream.on('connection', (socket) => socket.unref());
const host = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;

const github: ToolkitDefinition = {
  slug: 'github',
  name: 'GitHub, on this machine',
  base_url: `http://${host}`,
  schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
  pagination: { kind: 'link' },
};

// The examples open gateways as their readers would; here those reach this machine alone.
const open = Gateway.open;
Gateway.open = (options = {}) =>
  open.call(Gateway, {
    ...options,
    toolkits: [...(options.toolkits ?? []), github],
    allowPrivateHosts: [...(options.allowPrivateHosts ?? []), host],
  });

writeFileSync('notes.pdf', '%PDF-1.4');
process.env.GITHUB_TOKEN = TOKEN;
process.env.PROXY_EXECUTE_ENCRYPTION_KEY = '0123456789abcdef'.repeat(4);

export const gateway: Gateway = await Gateway.open();
await gateway.connectedAccounts.import({
  userId: USER,
  toolkit: 'github',
  credential: { authScheme: 'BEARER_TOKEN', val: { token: TOKEN } },
});
process.env.COMPOSIO_BASE_URL = (await gateway.listen()).unref().url;
process.env.COMPOSIO_API_KEY = (await gateway.apiKeys.create()).key;

export const session: Session = await new Composio({ gateway }).create(USER, { toolkits: ['github'] });
