/**
 * Ports by number. The system can assign a port that was just closed to another process, such as a gateway of
 * another test. It never assigns these ports.
 */

import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port without a listener: it belongs to TCPMUX (RFC 1078), which no system serves any more. */
export const NOBODY = 1;

/** Below the ports that systems assign by themselves, and open to processes of all users. */
const [FIRST, LAST] = [10_000, 15_999];

/** A port that stays free until a process requests it by its number. */
export async function portToComeBackTo(): Promise<number> {
  // Test files run at once in separate processes, so they begin at different ports.
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
