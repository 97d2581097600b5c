/**
 * A small API for examples that must run without an account at a provider. It responds with the request, or
 * with 401 if there was no credential.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';

/** Starts it on a free port of this machine. */
export async function startUpstream() {
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('');
    const { authorization, ...headers } = request.headers;
    const arrived = {
      method: request.method,
      path: request.url,
      accept: headers.accept,
      credential: authorization === undefined ? 'none' : `${authorization.split(' ')[0]}, not shown here`,
      body: body === '' ? null : JSON.parse(body),
    };
    response.writeHead(authorization === undefined ? 401 : 200, {
      'content-type': 'application/json',
      'x-ratelimit-remaining': '4999',
    });
    response.end(JSON.stringify(arrived));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${server.address().port}`;
  return { host, url: `http://${host}`, close: () => server.close() };
}
