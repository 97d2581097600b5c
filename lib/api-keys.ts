// The keys with which a gateway is called on a port.

import type * as Native from '../native';
import { answerOf } from './native';
import { Check, id, kindOf } from './validate';

/** An API key's permissions, by area. It has no access to other areas. */
export type Permissions = Partial<Record<PermissionArea, 'none' | 'read' | 'write' | 'read_write'>>;

/** The areas of a gateway's routes. Other areas belong to the hosted backend. */
export type PermissionArea =
  | 'auth_configs'
  | 'connected_accounts'
  | 'proxy_execute'
  | 'sessions'
  | 'toolkits'
  | 'users'
  | 'webhooks'
  | (string & {});

/** An API key to make. */
export interface CreateApiKey {
  /** Its purpose. */
  name?: string;
  /** Its permissions, such as `{ proxy_execute: 'write', sessions: 'read_write' }`. Default: all. */
  permissions?: Permissions;
  /** When it ends: a date, or one in ISO 8601 with its offset. Default: never. */
  expiresAt?: string | Date;
  /** The addresses and networks, such as `10.0.0.0/8`, that it may be used from. Default: any. */
  allowedAddresses?: readonly string[];
}

/** An API key, without its secret. */
export interface ApiKey {
  /** Its id, for revoking it. */
  id: string;
  /** Its purpose. */
  name: string | null;
  /** Its permissions; null means all. */
  permissions: Permissions | null;
  /** Where it may be used from; null means anywhere. */
  allowedAddresses: string[] | null;
  /** When it ends, as an ISO 8601 date; null means never. */
  expiresAt: string | null;
  /** When it was created, as an ISO 8601 date. */
  createdAt: string;
  /** When it was last used, as an ISO 8601 date, exact to a minute; null before the first time. */
  lastUsedAt: string | null;
  /** When it was revoked, as an ISO 8601 date; null while it is valid. */
  revokedAt: string | null;
}

/** An API key that was just created. */
export interface NewApiKey extends ApiKey {
  /** The key itself. It is shown once and not stored. */
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
   * Creates a key. It is returned once, and the gateway stores a hash of it.
   *
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {BadRequestError} If an area does not exist, or an address is invalid.
   *
   * @example
   * ```ts
   * const { key } = await gateway.apiKeys.create({ name: 'worker', permissions: { proxy_execute: 'write' } });
   * ```
   */
  async create(request: CreateApiKey = {}): Promise<NewApiKey> {
    const check = new Check('API key');
    if (check.object(request, '', ['name', 'permissions', 'expiresAt', 'allowedAddresses'])) {
      check.optionalText(request.name, 'name');
      if (request.permissions !== undefined && check.record(request.permissions, 'permissions')) {
        for (const [area, level] of Object.entries(request.permissions)) {
          check.oneOf(level, `permissions.${area}`, ['none', 'read', 'write', 'read_write']);
        }
      }
      checkExpiry(check, request.expiresAt);
      if (request.allowedAddresses !== undefined) check.texts(request.allowedAddresses, 'allowedAddresses');
    }
    check.done();
    const { name, permissions, expiresAt: expires_at, allowedAddresses: allowed_addresses } = request;
    const text = JSON.stringify({ name, permissions, expires_at, allowed_addresses });
    const answer = JSON.parse(await answerOf(() => this.#native.createApiKey(text)));
    return { ...toApiKey(answer), key: answer.key };
  }

  /**
   * Lists the keys. Their secrets are not shown.
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
   * Revokes a key, at once and permanently.
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

/** A date without an offset would be another moment on another machine. */
function checkExpiry(check: Check, expiresAt: unknown): void {
  if (expiresAt === undefined) return;
  const isDate = expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime());
  const isText = typeof expiresAt === 'string' && /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/i.test(expiresAt);
  if (isDate || (isText && !Number.isNaN(Date.parse(expiresAt)))) return;
  const is = typeof expiresAt === 'string' || expiresAt instanceof Date ? 'is neither' : `is ${kindOf(expiresAt)}`;
  check.wrong('expiresAt', `must be a valid Date or a text such as '2030-01-31T00:00:00Z', but ${is}.`);
}

interface WireApiKey {
  id: string;
  name: string | null;
  permissions: Permissions | null;
  allowed_addresses: string[] | null;
  expires_at: string | null;
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

function toApiKey(key: WireApiKey): ApiKey {
  return {
    id: key.id,
    name: key.name,
    permissions: key.permissions,
    allowedAddresses: key.allowed_addresses,
    expiresAt: key.expires_at,
    createdAt: key.created_at,
    lastUsedAt: key.last_used_at,
    revokedAt: key.revoked_at,
  };
}
