/** The authorization server of these tests, seen from outside: `oidc-provider.mjs`. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { ToolkitDefinition } from '../../index.js';

export interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  token_type: string;
  scope: string;
}

export interface Events {
  asked: Record<string, number>;
  granted: number;
  rotated: number;
  reused: number;
  errors: string[];
  revoked: string[];
  held: number;
  users: Record<string, { granted: number; reused: number }>;
  waiting: number;
  windows: number[];
}

export interface Settings {
  /** How long access tokens live, in seconds. */
  lifetime?: number;
  /** What becomes of token requests: not done, done but not answered, or answered. */
  hold?: 'before' | 'after' | null;
}

export class AuthorizationServer {
  /** What an auth config of the toolkit has in its credentials. */
  readonly client = { client_id: 'acme', client_secret: 'acme-secret' };

  private constructor(
    readonly origin: string,
    readonly process: ChildProcess,
  ) {}

  static async start(): Promise<AuthorizationServer> {
    // It warns of its development pages at length.
    const program = spawn(process.execPath, [join(__dirname, 'oidc-provider.mjs')], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const failed = once(program, 'exit').then(() => {
      throw new Error('oidc-provider did not start; run __test__/support/oidc-provider.mjs to see why.');
    });
    failed.catch(() => {});
    const [origin] = await Promise.race([once(createInterface(program.stdout), 'line'), failed]);
    return new AuthorizationServer(origin, program);
  }

  /** `host:port`, for `allowPrivateHosts`. */
  get host(): string {
    return new URL(this.origin).host;
  }

  /** A toolkit with the API of the same process. */
  get toolkit(): ToolkitDefinition {
    return {
      slug: 'oidc',
      name: 'Example OIDC',
      base_url: `${this.origin}/api`,
      schemes: {
        OAUTH2: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            authorize_url: `${this.origin}/auth`,
            token_url: `${this.origin}/token`,
            revoke_url: `${this.origin}/token/revocation`,
            scopes: ['openid', 'offline_access', 'profile', 'read'],
          },
        },
      },
    };
  }

  /** Tokens as if a person had agreed. */
  grant(user: string): Promise<Tokens> {
    return this.#control('grant', { user });
  }

  /** Changes how it behaves from now on. */
  async set(settings: Settings): Promise<void> {
    await this.#control('settings', settings);
  }

  /** The person takes back what they agreed to. */
  async revoke(refreshToken: string): Promise<void> {
    await this.#control('revoke', { refresh_token: refreshToken });
  }

  /** What happened so far. */
  events(): Promise<Events> {
    return this.#control('events');
  }

  async close(): Promise<void> {
    this.process.stdin?.end();
    if (this.process.exitCode === null) await once(this.process, 'exit');
  }

  async #control<T>(what: string, body: object = {}): Promise<T> {
    const response = await fetch(`${this.origin}/control/${what}`, { method: 'POST', body: JSON.stringify(body) });
    return (await response.json()) as T;
  }
}
