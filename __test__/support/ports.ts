/**
 * Ports by number. One that the system gave out and that was closed again can be given to anyone a
 * moment later, to a gateway of another test as well: neither of these is ever given out.
 */

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Nobody listens here: it is TCPMUX's (RFC 1078), which no system serves any more. */
export const NOBODY = 1;

/** Below those that any system gives out by itself, and free for a process that is not root's. */
const [FIRST, LAST] = [10_000, 15_999];

/** A port that is free, and stays so until someone asks for it by its number. */
export async function portToComeBackTo(): Promise<number> {
  // Test files run at once, each in a process: they begin at different ports.
  for (let port = FIRST + (process.pid % (LAST - FIRST)); port <= LAST; port++) {
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`No port from ${FIRST} to ${LAST} is free.`);
}
