// A small API on this machine, for calls without an account anywhere. Delete it when you have your own.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ToolkitDefinition } from 'proxy-execute';

/** The users of the API, by their tokens. */
const USERS = new Map([
  ['token-of-ann', { login: 'ann-arbor', name: 'Ann Arbor' }],
  ['token-of-ben', { login: 'ben-nevis', name: 'Ben Nevis' }],
]);

export interface DemoApi {
  /** Its address, such as `127.0.0.1:8080`. */
  host: string;
  /** Its definition for the gateway. Your own APIs have the same form. */
  toolkit: ToolkitDefinition;
  close(): void;
}

export async function startDemoApi(): Promise<DemoApi> {
  const server = createServer((request, response) => {
    const user = USERS.get(request.headers.authorization?.replace('Bearer ', '') ?? '');
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url !== '/user') answer(404, { message: 'There is no such endpoint' });
    else if (user) answer(200, user);
    else answer(401, { message: 'Bad token' });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const toolkit: ToolkitDefinition = {
    slug: 'demo',
    name: 'the demo API',
    base_url: `http://${host}`,
    check: '/user', // tells at once that a token is wrong
    schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
  };
  return { host, toolkit, close: () => server.close() };
}
