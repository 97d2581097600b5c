/** Controls the authorization server of these tests: `oidc-provider.mjs`. */

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
  /** The lifetime of access tokens, in seconds. */
  lifetime?: number;
  /** The handling of token requests: not carried out, carried out without a response, or with a response. */
  hold?: 'before' | 'after' | null;
}

export class AuthorizationServer {
  /** The credentials of an auth config of the toolkit. */
  readonly client = { client_id: 'acme', client_secret: 'acme-secret' };

  private constructor(
    readonly origin: string,
    readonly process: ChildProcess,
  ) {}

  static async start(): Promise<AuthorizationServer> {
    // The provider prints long warnings about its development pages.
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

  /** Tokens as if a user had consented. */
  grant(user: string): Promise<Tokens> {
    return this.#control('grant', { user });
  }

  /** Changes the server's behaviour from now on. */
  async set(settings: Settings): Promise<void> {
    await this.#control('settings', settings);
  }

  /** The user revokes the consent. */
  async revoke(refreshToken: string): Promise<void> {
    await this.#control('revoke', { refresh_token: refreshToken });
  }

  /** The events so far. */
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
