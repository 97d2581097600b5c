/**
 * A backend on a free port that responds as a test sets it, and keeps its requests.
 */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** Responds to a proxied call. The stub itself handles sessions, unless it has a body for their path. */
export type Answer = (response: ServerResponse, asked: Asked) => void;

export class BackendStub {
  readonly asked: Asked[] = [];
  answer: Answer = (response) => sendJson(response, 200, { status: 200, data: null, headers: {} });
  /** The body of the response by the end of the path. */
  readonly bodies: Record<string, unknown> = {};
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const text = (await request.toArray()).join('');
      const body = text === '' ? undefined : JSON.parse(text);
      const asked = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
      this.asked.push(asked);
      if (/proxy/.test(asked.path)) return this.answer(response, asked);
      const path = asked.path.split('?')[0] ?? '';
      const end = Object.keys(this.bodies).find((end) => path.endsWith(end));
      if (end !== undefined) return sendJson(response, 200, this.bodies[end]);
      const id = asked.path.split('/session/')[1] ?? 'trs_stub';
      if (asked.method === 'DELETE') return sendJson(response, 200, { session_id: id, deleted: true });
      const config = { user_id: 'user_1', preload: { tools: [] }, ...body };
      // Only the members that are documented to be read.
      if (asked.method === 'PATCH') return sendJson(response, 200, { config_version: 2, config, warnings: null });
      const mcp = { type: 'http', url: 'http://mcp.test' };
      return sendJson(response, asked.method === 'POST' ? 201 : 200, {
        session_id: id,
        mcp,
        config_version: 1,
        config,
      });
    });
  }

  static async start(): Promise<BackendStub> {
    const stub = new BackendStub();
    stub.#server.listen(0, '127.0.0.1');
    await once(stub.#server, 'listening');
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
