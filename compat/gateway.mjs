/**
 * A gateway for the suites beside this file, in its own process, and the API that it calls. It uses the
 * package's public entry. One line of JSON on stdout has its address and its keys. It ends with its stdin.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { Composio, Gateway } from 'proxy-execute';

const JSON_TYPE = { 'content-type': 'application/json' };

/** The number of writes to each path that breaks off. */
const written = new Map();

/** Responds with the request, except at the paths with a behaviour of their own. */
const upstream = createServer(async (request, response) => {
  const body = (await request.toArray()).join('');
  const { pathname, searchParams } = new URL(request.url, 'http://upstream');
  const status = Number(/^\/status\/(\d{3})$/.exec(pathname)?.[1] ?? 200);
  if (pathname === '/text') {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('diff --git a/x b/x\n');
    return;
  }
  if (pathname.startsWith('/breaks/')) {
    // A write to this path is carried out, but gets no response.
    const writes = written.get(pathname) ?? 0;
    if (request.method === 'GET') {
      response.writeHead(200, JSON_TYPE).end(JSON.stringify({ writes }));
    } else {
      written.set(pathname, writes + 1);
      request.socket.destroy();
    }
    return;
  }
  if (pathname === '/nothing') {
    response.writeHead(204).end();
    return;
  }
  const arrived = {
    ok: status < 400,
    method: request.method,
    path: pathname,
    query: [...searchParams],
    accept: request.headers.accept ?? null,
    authorization: request.headers.authorization ?? null,
    apiKey: request.headers['x-acme-key'] ?? null,
    body: body === '' ? null : JSON.parse(body),
    // Slack's response to conversations.open.
    ...(pathname === '/api/conversations.open' && { channel: { id: 'D024BE91L' } }),
  };
  response.writeHead(status, { ...JSON_TYPE, 'x-upstream': 'yes' }).end(JSON.stringify(arrived));
});
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
const upstreamURL = `http://127.0.0.1:${upstream.address().port}`;

const bearer = { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } };
const gateway = await Gateway.open({
  allowPrivateHosts: ['127.0.0.1'],
  allowPrivateWebhooks: ['127.0.0.1'],
  toolkits: [
    { slug: 'github', name: 'GitHub', base_url: upstreamURL, schemes: bearer },
    { slug: 'slackbot', name: 'Slackbot', base_url: `${upstreamURL}/api`, schemes: bearer },
    {
      slug: 'acme',
      name: 'Acme',
      base_url: upstreamURL,
      schemes: { API_KEY: { headers: { 'X-Acme-Key': '{{api_key}}' } } },
    },
    { slug: 'open', name: 'Open', base_url: upstreamURL, schemes: { NO_AUTH: {} } },
    // No server listens on port 1.
    { slug: 'down', name: 'Down', base_url: 'http://127.0.0.1:1', schemes: { NO_AUTH: {} } },
  ],
});

const importToken = (userId, toolkit, experimental) =>
  gateway.connectedAccounts.import({
    userId,
    toolkit,
    credential: { authScheme: 'BEARER_TOKEN', val: { token: `token-of-${userId}` } },
    experimental,
  });
const { id: githubAccount } = await importToken('ann', 'github');
const { id: slackAccount } = await importToken('ann', 'slackbot');
const { id: sharedAccount } = await importToken('team', 'slackbot', { accountType: 'SHARED' });
const { authConfig } = await gateway.connectedAccounts.get(githubAccount);
const { sessionId } = await new Composio({ gateway }).create('ann');

const { key: apiKey } = await gateway.apiKeys.create({ name: 'full' });
const { key: limitedKey } = await gateway.apiKeys.create({
  name: 'sessions only',
  permissions: { sessions: 'read_write' },
});
const { url: baseURL } = await gateway.listen();
const { url: slowBaseURL } = await gateway.listen({ requestsPerMinute: 1 });

const said = {
  baseURL,
  slowBaseURL,
  apiKey,
  limitedKey,
  upstreamURL,
  githubAccount,
  slackAccount,
  sharedAccount,
  authConfig: authConfig.id,
  session: sessionId,
};
process.stdout.write(`${JSON.stringify(said)}\n`);

process.stdin.resume();
await once(process.stdin, 'end');
await gateway.close();
upstream.close();
upstream.closeAllConnections();
