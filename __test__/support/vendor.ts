/**
 * A stand-in for the API of the hosted backend. It responds with the documented shapes, in pages of two items, and keeps
 * its requests. A test may replace the response of a path.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The key that the stand-in accepts. */
export const VENDOR_KEY = 'ak_canary-of-the-vendor';

type Json = Record<string, unknown>;
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const CREATED = { created_at: '2026-03-04T09:12:44.000Z', updated_at: '2026-10-21T17:03:09.000Z' };

/** An auth config, as the documentation shows one. */
export function vendorConfig(id: string, toolkit: string, auth_scheme: string, more: Json = {}): Json {
  return {
    id,
    uuid: `uuid-of-${id}`,
    name: `${toolkit} ${auth_scheme.toLowerCase()}`,
    type: 'custom',
    status: 'ENABLED',
    toolkit: { slug: toolkit, logo: `https://logos.composio.dev/api/${toolkit}` },
    auth_scheme,
    is_composio_managed: false,
    is_enabled_for_tool_router: true,
    no_of_connections: 1,
    credentials: {},
    expected_input_fields: [],
    restrict_to_following_tools: [],
    tool_access_config: { tools_available_for_execution: [], tools_for_connected_account_creation: [] },
    ...CREATED,
    ...more,
  };
}

/** An account of an auth config, as the documentation shows one: without its secrets. */
export function vendorAccount(id: string, user_id: string, config: Json, more: Json = {}): Json {
  const { auth_scheme, is_composio_managed, status } = config;
  return {
    id,
    user_id,
    alias: null,
    word_id: `${id}_red-castle`,
    status: 'ACTIVE',
    status_reason: null,
    is_disabled: false,
    toolkit: { slug: (config.toolkit as { slug: string }).slug },
    auth_config: { id: config.id, auth_scheme, is_composio_managed, is_disabled: status === 'DISABLED' },
    state: { authScheme: auth_scheme, val: { status: 'ACTIVE', access_token: 'REDACTED' } },
    data: {},
    test_request_endpoint: '',
    ...CREATED,
    ...more,
  };
}

/** The configuration of a session, under the names of responses. */
export function vendorSession(user_id: string, more: Json = {}): Json {
  return {
    user_id,
    toolkits: { enabled: [] },
    manage_connections: { enabled: true, enable_wait_for_connections: false },
    execute: { enable_multi_execute: true },
    search: { enable: true },
    preload: { tools: [] },
    instant: false,
    ...more,
  };
}

export class Vendor {
  authConfigs: Json[] = [];
  accounts: Json[] = [];
  sessions: Record<string, Json> = {};
  readonly received: IncomingMessage[] = [];
  readonly #answers = new Map<string, Answer>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.received.push(request);
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://vendor');
      const path = pathname.replace('/api/v3.1', '');
      const answer = this.#answers.get(path);
      if (answer !== undefined) return answer(response, request);
      if (request.headers['x-api-key'] !== VENDOR_KEY) {
        return sendError(response, 401, 'Invalid API key', 'HTTP_Unauthorized');
      }
      if (path === '/auth_configs') return sendPage(response, this.authConfigs, searchParams);
      if (path === '/connected_accounts') return sendPage(response, this.#shown(searchParams), searchParams);
      const [, session_id = ''] = /^\/tool_router\/session\/([^/]+)$/.exec(path) ?? [];
      const config = this.sessions[session_id];
      if (config === undefined) return sendError(response, 404, 'Session not found', 'ToolRouterV2_SessionNotFound');
      const mcp = { type: 'http', url: `${this.url}/tool_router/${session_id}/mcp` };
      send(response, 200, { session_id, mcp, tool_router_tools: [], config_version: 1, config });
    });
  }

  static async start(): Promise<Vendor> {
    const vendor = new Vendor();
    vendor.#server.listen(0, '127.0.0.1');
    await once(vendor.#server, 'listening');
    return vendor;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Replaces the response of a path until {@link reset}. */
  on(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  reset(): void {
    this.#answers.clear();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #shown(query: URLSearchParams): Json[] {
    const type = query.get('account_type') ?? 'PRIVATE';
    const users = query.get('user_ids')?.split(',');
    const toolkits = query.get('toolkit_slugs')?.split(',');
    return this.accounts.filter(({ user_id, toolkit, experimental }) => {
      const own = (experimental as { account_type?: string } | undefined)?.account_type ?? 'PRIVATE';
      const isOfUser = users === undefined || users.includes(String(user_id));
      const isOfToolkit = toolkits === undefined || toolkits.includes((toolkit as { slug: string }).slug);
      return (type === 'ALL' || type === own) && isOfUser && isOfToolkit;
    });
  }
}

/** The items of a page. A cursor is opaque, as the documentation has it: base64 of page and limit. */
function sendPage(response: ServerResponse, all: readonly Json[], query: URLSearchParams): void {
  const size = 2;
  const cursor = query.get('cursor');
  const page = cursor === null ? 1 : Number(JSON.parse(Buffer.from(cursor, 'base64').toString()).page);
  const next = page * size < all.length ? Buffer.from(JSON.stringify({ page: page + 1, limit: size })) : undefined;
  send(response, 200, {
    items: all.slice((page - 1) * size, page * size),
    next_cursor: next?.toString('base64') ?? null,
    total_pages: Math.ceil(all.length / size),
    current_page: page,
    total_items: all.length,
  });
}

/** Responds with the vendor's envelope of an error. */
export function sendError(response: ServerResponse, status: number, message: string, slug: string): void {
  send(response, status, { error: { message, code: status * 10, slug, status, request_id: 'req_1' } });
}

export function send(response: ServerResponse, status: number, body: unknown, headers: Json = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...(headers as Record<string, string>) });
  response.end(JSON.stringify(body));
}
