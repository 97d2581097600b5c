// The accounts of users in a gateway, with the credentials that calls are made with.

import type * as Native from '../native';
import { answerOf } from './native';
import { Check, id } from './validate';

/** The state of an account. Calls are made with `ACTIVE` ones only. */
export type ConnectedAccountStatus =
  | 'INITIALIZING'
  | 'INITIATED'
  | 'ACTIVE'
  | 'FAILED'
  | 'EXPIRED'
  | 'INACTIVE'
  | 'REVOKED'
  | (string & {});

/** A user's account of a toolkit. Its credential cannot be read. */
export interface ConnectedAccount {
  /** The account's id, `ca_…`. */
  id: string;
  /** The user, by your own id of them. */
  userId: string;
  /** The toolkit. */
  toolkit: { slug: string };
  /** Whether calls can be made with it. */
  status: ConnectedAccountStatus;
  /** Why the status is what it is, where there is something to say. */
  statusReason: string | null;
  /** Whether it is disabled, by {@link ConnectedAccounts.disable}. */
  isDisabled: boolean;
  /** Its name, for telling a user's accounts of one toolkit apart. */
  alias: string | null;
  /** How it authenticates, such as `BEARER_TOKEN`. */
  authScheme: string;
  /** When it was made, as an ISO 8601 date. */
  createdAt: string;
  /** When it was changed, as an ISO 8601 date. */
  updatedAt: string;
}

/** A credential that a user already has. */
export interface ImportConnectedAccount {
  /** Your own id of the user. */
  userId: string;
  /** The toolkit, such as `github`. */
  toolkit: string;
  /** The credential: its scheme, such as `BEARER_TOKEN`, and its fields, such as `{ token }`. */
  credential: { authScheme: string; val: Record<string, unknown> };
  /** A name, for telling a user's accounts of one toolkit apart. */
  alias?: string;
}

/** Which accounts to list. A list of values means any of them. */
export interface ListConnectedAccounts {
  /** Of these users. Default: of all. */
  userIds?: readonly string[];
  /** Of these toolkits. Default: of all. */
  toolkitSlugs?: readonly string[];
  /** In these states. Default: in all. */
  statuses?: readonly ConnectedAccountStatus[];
  /** How many at most, from 1 to 1 000. Default: 20. */
  limit?: number;
  /** Where to go on: the `nextCursor` of the page before. */
  cursor?: string;
}

/** A page of accounts. */
export interface ConnectedAccountPage {
  /** The accounts, the latest first. */
  items: ConnectedAccount[];
  /** Where to go on; null on the last page. */
  nextCursor: string | null;
}

/** The accounts of a gateway. */
export let connectedAccountsOf: (native: Native.Gateway) => ConnectedAccounts;

/** The accounts of users, by {@link Gateway.connectedAccounts}. */
export class ConnectedAccounts {
  readonly #native: Native.Gateway;

  static {
    connectedAccountsOf = (native) => new ConnectedAccounts(native);
  }

  private constructor(native: Native.Gateway) {
    this.#native = native;
  }

  /**
   * Stores a credential that a user already has, encrypted. Calls of the user use it from now on.
   *
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {BadRequestError} If the credential lacks a field of its scheme, or the toolkit does not take the scheme.
   * @throws {NotFoundError} If there is no such toolkit.
   *
   * @example
   * ```ts
   * const account = await gateway.connectedAccounts.import({
   *   userId: 'user_123',
   *   toolkit: 'github',
   *   credential: { authScheme: 'BEARER_TOKEN', val: { token } },
   * });
   * ```
   */
  async import(account: ImportConnectedAccount): Promise<ConnectedAccount> {
    const check = new Check('account');
    if (check.object(account, '', ['userId', 'toolkit', 'credential', 'alias'])) {
      check.text(account.userId, 'userId', 'give your own id of the user');
      check.text(account.toolkit, 'toolkit', "name the toolkit, for example 'github'");
      if (check.object(account.credential, 'credential', ['authScheme', 'val'])) {
        check.text(account.credential.authScheme, 'credential.authScheme', "for example 'BEARER_TOKEN'");
        check.record(account.credential.val, 'credential.val');
      }
      check.optionalText(account.alias, 'alias');
    }
    check.done();
    const { userId, toolkit, credential, alias } = account;
    const request = JSON.stringify({ user_id: userId, toolkit, credential, alias });
    return toAccount(JSON.parse(await answerOf(() => this.#native.importConnectedAccount(request))));
  }

  /**
   * Lists accounts, the latest first, a page at a time.
   *
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   *
   * @example
   * ```ts
   * const { items, nextCursor } = await gateway.connectedAccounts.list({ userIds: ['user_123'] });
   * ```
   */
  async list(filter: ListConnectedAccounts = {}): Promise<ConnectedAccountPage> {
    const check = new Check('filter of accounts');
    if (check.object(filter, '', ['userIds', 'toolkitSlugs', 'statuses', 'limit', 'cursor'])) {
      for (const key of ['userIds', 'toolkitSlugs', 'statuses'] as const) {
        if (filter[key] !== undefined) check.texts(filter[key], key);
      }
      check.optionalWhole(filter.limit, 'limit', 1, 1_000);
      check.optionalText(filter.cursor, 'cursor');
    }
    check.done();
    const { userIds: user_ids, toolkitSlugs: toolkit_slugs, statuses, limit, cursor } = filter;
    const request = JSON.stringify({ user_ids, toolkit_slugs, statuses, limit, cursor });
    const page = JSON.parse(await answerOf(() => this.#native.listConnectedAccounts(request)));
    return { items: page.items.map(toAccount), nextCursor: page.next_cursor };
  }

  /**
   * Reads an account.
   *
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * const { status } = await gateway.connectedAccounts.get('ca_4f9d…');
   * ```
   */
  async get(accountId: string): Promise<ConnectedAccount> {
    id(accountId, 'accountId');
    return toAccount(JSON.parse(await answerOf(() => this.#native.getConnectedAccount(accountId))));
  }

  /**
   * Deletes an account and its credential.
   *
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await gateway.connectedAccounts.delete('ca_4f9d…');
   * ```
   */
  async delete(accountId: string): Promise<void> {
    id(accountId, 'accountId');
    await answerOf(() => this.#native.deleteConnectedAccount(accountId));
  }

  /**
   * Enables an account again.
   *
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await gateway.connectedAccounts.enable('ca_4f9d…');
   * ```
   */
  async enable(accountId: string): Promise<ConnectedAccount> {
    id(accountId, 'accountId');
    return toAccount(JSON.parse(await answerOf(() => this.#native.setConnectedAccountEnabled(accountId, true))));
  }

  /**
   * Disables an account: it is kept, and no call is made with it until it is enabled.
   *
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await gateway.connectedAccounts.disable('ca_4f9d…');
   * ```
   */
  async disable(accountId: string): Promise<ConnectedAccount> {
    id(accountId, 'accountId');
    return toAccount(JSON.parse(await answerOf(() => this.#native.setConnectedAccountEnabled(accountId, false))));
  }
}

interface WireAccount {
  id: string;
  user_id: string;
  toolkit: { slug: string };
  status: string;
  status_reason: string | null;
  is_disabled: boolean;
  alias: string | null;
  auth_scheme: string;
  created_at: string;
  updated_at: string;
}

function toAccount(account: WireAccount): ConnectedAccount {
  return {
    id: account.id,
    userId: account.user_id,
    toolkit: { slug: account.toolkit.slug },
    status: account.status,
    statusReason: account.status_reason,
    isDisabled: account.is_disabled,
    alias: account.alias,
    authScheme: account.auth_scheme,
    createdAt: account.created_at,
    updatedAt: account.updated_at,
  };
}
