/**
 * The third-party API of these tests. It responds as a test sets it, and keeps its requests.
 */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
  /** The headers in their order, repeats included. */
  headerList: [name: string, value: string][];
  /** The bytes of the body. */
  bytes: Buffer;
  /** The body, as a text. */
  body: string;
}

/** Responds to a request. */
export type Answer = (response: ServerResponse, received: Received) => void;

export class Upstream {
  readonly received: Received[] = [];
  /** The number of connections so far. */
  connections = 0;
  readonly #answers = new Map<string, Answer>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks = await request.toArray().catch(() => []);
      const { method = '', url = '', headers, rawHeaders } = request;
      const headerList = rawHeaders.flatMap((name, index): [string, string][] =>
        index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? '']] : [],
      );
      const bytes = Buffer.concat(chunks);
      const received = { method, url, headers, headerList, bytes, body: bytes.toString() };
      this.received.push(received);
      const { pathname } = new URL(url, 'http://upstream');
      (this.#answers.get(pathname) ?? echo)(response, received);
    });
    this.#server.on('connection', () => this.connections++);
  }

  static async start(): Promise<Upstream> {
    const upstream = new Upstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Sets the response of a path, without its query, from now on. Any other path echoes the request. */
  on(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** The latest request. */
  get last(): Received {
    const last = this.received.at(-1);
    if (last === undefined) throw new Error('Nothing was sent.');
    return last;
  }

  /** Lets the process end while this server is open. */
  unref(): void {
    this.#server.unref();
    this.#server.on('connection', (socket) => socket.unref());
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Responds with the request. */
export function echo(response: ServerResponse, { method, url, headers, body }: Received): void {
  sendJson(response, 200, JSON.stringify({ method, url, headers, body }));
}

/** Responds with this JSON text. */
export function sendJson(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}

/** Sends these bytes instead of an HTTP response, and disconnects. */
export function sendRaw(response: ServerResponse, text: string): void {
  response.socket?.end(text);
}
