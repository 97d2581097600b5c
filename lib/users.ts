// The data of a user: exported, and deleted.

import type { Form } from './answer';
import type { BackendHandle } from './backend';
import { type Ask, askOn } from './resource';
import { type CallOptions, Check, LONGEST_USER_ID } from './validate';

/** The data of a user that was deleted. */
export interface DeletedUser {
  /** The user. */
  userId: string;
  /** How many sessions. */
  sessions: number;
  /** How many connected accounts, with their links. */
  connectedAccounts: number;
  /** How many tokens the providers revoked. */
  revokedTokens: number;
  /** Tokens that may still be valid at the provider, each with its account and the reason. */
  notRevoked: string[];
  /** How many SHARED accounts of other users no longer allow the user. */
  sharedAccounts: number;
  /** How many files of responses. */
  files: number;
  /** How many records of calls. */
  calls: number;
  /** How many events. Those of deleted accounts stay until they are too old. */
  events: number;
}

/** A record of a user. */
export interface UserRecord {
  /** Its kind. */
  kind: 'connected_account' | 'session' | 'call' | 'event';
  /** Its members, with the names of the wire. No secret is among them. */
  record: Record<string, unknown>;
}

const DELETED: Form = {
  user_id: 'string',
  sessions: 'number',
  connected_accounts: 'number',
  revoked_tokens: 'number',
  not_revoked: ['string'],
  shared_accounts: 'number',
  files: 'number',
  calls: 'number',
  events: 'number',
};

/** How many records are read at once. */
const PAGE = 1_000;

/** The users of a gateway. */
export let usersOf: (backend: BackendHandle) => Users;

/** The data of users, by {@link Gateway.users}. A user is an id that callers name. */
export class Users {
  readonly #ask: Ask;

  static {
    usersOf = (backend) => new Users(backend);
  }

  private constructor(backend: BackendHandle) {
    this.#ask = askOn(backend);
  }

  /**
   * Deletes what the gateway has of a user: sessions, connected accounts, files of responses, records of calls and
   * events. Providers are asked to revoke the tokens. A deletion that failed can be made again.
   *
   * Calls that are in flight end as usual. To keep a user from coming back, stop naming the id.
   *
   * @param options `signal` and `timeout` (milliseconds). A deletion goes on without its caller.
   * @throws {ValidationError} If the user id is empty or too long.
   *
   * @example
   * ```ts
   * const { connectedAccounts, notRevoked } = await gateway.users.delete('user_123');
   * console.log(connectedAccounts, notRevoked);
   * ```
   */
  async delete(userId: string, options?: CallOptions): Promise<DeletedUser> {
    checkUser(userId);
    const deleted = await this.#ask<{
      user_id: string;
      sessions: number;
      connected_accounts: number;
      revoked_tokens: number;
      not_revoked: string[];
      shared_accounts: number;
      files: number;
      calls: number;
      events: number;
    }>({ method: 'DELETE', path: ['users', userId], form: DELETED }, options);
    return {
      userId: deleted.user_id,
      sessions: deleted.sessions,
      connectedAccounts: deleted.connected_accounts,
      revokedTokens: deleted.revoked_tokens,
      notRevoked: deleted.not_revoked,
      sharedAccounts: deleted.shared_accounts,
      files: deleted.files,
      calls: deleted.calls,
      events: deleted.events,
    };
  }

  /**
   * Returns what the gateway has of a user, record by record: accounts, sessions, calls and events. It reads 1 000
   * records at a time, as the loop asks for them.
   *
   * @param options `signal`, and `timeout` (milliseconds) for each part that is read.
   * @throws {ValidationError} If the user id is empty or too long, from the first `next()` on.
   *
   * @example
   * ```ts
   * for await (const { kind, record } of gateway.users.export('user_123')) console.log(kind, record);
   * ```
   */
  async *export(userId: string, options?: CallOptions): AsyncGenerator<UserRecord, void, undefined> {
    checkUser(userId);
    let cursor: string | undefined;
    do {
      const page: { items: UserRecord[]; next_cursor?: string | null } = await this.#ask(
        {
          method: 'GET',
          path: ['users', userId, 'records'],
          query: { limit: PAGE, cursor },
          form: { items: [{ kind: 'string', record: {} }], 'next_cursor?': 'string' },
        },
        options,
      );
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }
}

function checkUser(userId: unknown): void {
  const check = new Check('user');
  check.text(userId, 'userId', 'give your own id of the user', LONGEST_USER_ID);
  check.done();
}
