/** The HTTP server of the bot and of the stand-ins. */

import { once } from 'node:events';
import { createServer } from 'node:http';

/** Upper limit for the body of a request. Slack's events and requests are far smaller. */
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Listens on a port, by default a free one, of this machine.
 *
 * @param reply Gets `{ method, url, headers, body }` with the whole body as a `Buffer`, and returns `{ status, headers,
 * body }`, or nothing for an empty 200.
 */
export async function serve(reply, port = 0, host = '127.0.0.1') {
  const server = createServer(async (request, response) => {
    try {
      const parts = [];
      let size = 0;
      for await (const part of request) {
        size += part.length;
        if (size > MAX_BODY_BYTES) {
          response.writeHead(413, { connection: 'close' }).end();
          return;
        }
        parts.push(part);
      }
      const { method, headers } = request;
      const url = new URL(`http://${headers.host}${request.url}`);
      const {
        status = 200,
        headers: sent,
        body,
      } = (await reply({ method, url, headers, body: Buffer.concat(parts) })) ?? {};
      response.writeHead(status, sent).end(body);
    } catch (error) {
      console.error(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = `${host}:${server.address().port}`;
  return {
    host: address,
    url: `http://${address}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A response with JSON. */
export const json = (body, status = 200) => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify(body),
});
