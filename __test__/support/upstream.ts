/**
 * The third-party API of these tests: it answers as a test tells it to, and keeps what it was sent.
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
  /** The body, as it came. */
  bytes: Buffer;
  /** The body, as a text. */
  body: string;
}

/** Answers a request. */
export type Answer = (response: ServerResponse, received: Received) => void;

export class Upstream {
  readonly received: Received[] = [];
  /** How many connections have been made to it. */
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

  /** How a path, without its query, is answered from now on. Any other echoes the request. */
  on(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** The latest request. */
  get last(): Received {
    const last = this.received.at(-1);
    if (last === undefined) throw new Error('Nothing was sent.');
    return last;
  }

  /** Lets the process end although this is open. */
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

/** Answers with what was asked. */
export function echo(response: ServerResponse, { method, url, headers, body }: Received): void {
  sendJson(response, 200, JSON.stringify({ method, url, headers, body }));
}

/** Answers with this JSON text. */
export function sendJson(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}

/** Answers with these bytes in place of an HTTP response, and hangs up. */
export function sendRaw(response: ServerResponse, text: string): void {
  response.socket?.end(text);
}
