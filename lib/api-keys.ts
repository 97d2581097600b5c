// The keys with which a gateway is called on a port.

import type * as Native from '../native';
import { answerOf } from './native';
import { Check, id } from './validate';

/** What an API key may do, by area. An area that is not named is closed to it. */
export type Permissions = Partial<Record<PermissionArea, 'none' | 'read' | 'write' | 'read_write'>>;

/** What the routes of a gateway are divided into. The areas beside these two belong to the hosted backend. */
export type PermissionArea = 'proxy_execute' | 'sessions' | (string & {});

/** An API key to make. */
export interface CreateApiKey {
  /** What it is for. */
  name?: string;
  /** What it may do, such as `{ proxy_execute: 'write', sessions: 'read_write' }`. Default: everything. */
  permissions?: Permissions;
}

/** An API key, without what makes it a key. */
export interface ApiKey {
  /** Its id, for revoking it. */
  id: string;
  /** What it is for. */
  name: string | null;
  /** What it may do; null means everything. */
  permissions: Permissions | null;
  /** When it was made, as an ISO 8601 date. */
  createdAt: string;
  /** When it was last used, as an ISO 8601 date, exact to a minute; null before the first time. */
  lastUsedAt: string | null;
  /** When it was revoked, as an ISO 8601 date; null while it is valid. */
  revokedAt: string | null;
}

/** An API key that was just made. */
export interface NewApiKey extends ApiKey {
  /** The key itself. It is shown this once and not kept. */
  key: string;
}

/** The keys of a gateway. */
export let apiKeysOf: (native: Native.Gateway) => ApiKeys;

/** The keys for the port, by {@link Gateway.apiKeys}. */
export class ApiKeys {
  readonly #native: Native.Gateway;

  static {
    apiKeysOf = (native) => new ApiKeys(native);
  }

  private constructor(native: Native.Gateway) {
    this.#native = native;
  }

  /**
   * Makes a key. It is returned this once; the gateway keeps a hash of it.
   *
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {BadRequestError} If there is no such area.
   *
   * @example
   * ```ts
   * const { key } = await gateway.apiKeys.create({ name: 'worker', permissions: { proxy_execute: 'write' } });
   * ```
   */
  async create(request: CreateApiKey = {}): Promise<NewApiKey> {
    const check = new Check('API key');
    if (check.object(request, '', ['name', 'permissions'])) {
      check.optionalText(request.name, 'name');
      if (request.permissions !== undefined && check.record(request.permissions, 'permissions')) {
        for (const [area, level] of Object.entries(request.permissions)) {
          check.oneOf(level, `permissions.${area}`, ['none', 'read', 'write', 'read_write']);
        }
      }
    }
    check.done();
    const { name, permissions } = request;
    const answer = JSON.parse(await answerOf(() => this.#native.createApiKey(JSON.stringify({ name, permissions }))));
    return { ...toApiKey(answer), key: answer.key };
  }

  /**
   * Lists the keys, without what makes them keys.
   *
   * @example
   * ```ts
   * for (const { id, name } of await gateway.apiKeys.list()) console.log(id, name);
   * ```
   */
  async list(): Promise<ApiKey[]> {
    return JSON.parse(await answerOf(() => this.#native.listApiKeys())).map(toApiKey);
  }

  /**
   * Makes a key invalid, at once and for good.
   *
   * @throws {NotFoundError} If there is no such key.
   *
   * @example
   * ```ts
   * await gateway.apiKeys.revoke(id);
   * ```
   */
  async revoke(keyId: string): Promise<void> {
    id(keyId, 'keyId');
    await answerOf(() => this.#native.revokeApiKey(keyId));
  }
}

interface WireApiKey {
  id: string;
  name: string | null;
  permissions: Permissions | null;
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

function toApiKey(key: WireApiKey): ApiKey {
  return {
    id: key.id,
    name: key.name,
    permissions: key.permissions,
    createdAt: key.created_at,
    lastUsedAt: key.last_used_at,
    revokedAt: key.revoked_at,
  };
}
