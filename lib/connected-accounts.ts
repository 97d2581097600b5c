// The accounts of users, with the credentials that calls are made with.

import type * as Native from '../native';
import type { ConnectedAccount, ConnectedAccountStatus, Credential } from './account';
import type { BackendHandle } from './backend';
import {
  type ConnectionRequest,
  connected,
  connectionRequest,
  LINK,
  linkedRequest,
  type WireLink,
} from './connection-request';
import {
  ComposioConnectedAccountNotRevokableError,
  ComposioConnectedAccountRevocationNotSupportedError,
  ComposioMultipleConnectedAccountsError,
} from './errors';
import { answerOf } from './native';
import { quoted } from './quoted';
import { type Ask, askOn, checkFilter, type Page, type PageOptions, pageOf, toPage, type WirePage } from './resource';
import {
  type AccountAcl,
  aclBody,
  checkAcl,
  checkSharing,
  type NewAccountSharing,
  SHARING,
  sharingBody,
  toSharing,
  type WireSharing,
} from './sharing';
import { type CallOptions, Check, id, LONGEST_NAME, LONGEST_SLUG, LONGEST_USER_ID } from './validate';

/** A credential that a user already has. */
export interface ImportConnectedAccount {
  /** Your own id of the user. */
  userId: string;
  /** The toolkit, such as `github`. */
  toolkit: string;
  /** The credential: its scheme, such as `BEARER_TOKEN`, and its fields, such as `{ token }`. */
  credential: Credential;
  /** A name, for telling a user's accounts of one toolkit apart. */
  alias?: string;
  /**
   * The auth config with the OAuth client that the tokens were given to, so that they can be
   * refreshed. Default: one without a client, which imports of the toolkit and scheme have in common.
   */
  authConfigId?: string;
  /** Whether other users may use the account. Default: no. */
  experimental?: NewAccountSharing;
}

/** Which accounts to list. A list of values means any of them. `limit` is from 1 to 1 000, by default 20. */
export interface ListConnectedAccounts extends PageOptions {
  /** The users. Default: all users. */
  userIds?: readonly string[];
  /** The toolkits. Default: all toolkits. */
  toolkitSlugs?: readonly string[];
  /** The states. Default: all states. */
  statuses?: readonly ConnectedAccountStatus[];
  /** The auth configs. Default: all auth configs. */
  authConfigIds?: readonly string[];
  /** The ids of the accounts. Default: all accounts. */
  connectedAccountIds?: readonly string[];
  /** By when they were made or changed. Default: `created_at`. */
  orderBy?: 'created_at' | 'updated_at';
  /** `desc` has the latest first, and is the default. */
  orderDirection?: 'asc' | 'desc';
  /** Accounts of one user, or ones that several share. Default: `PRIVATE`. */
  accountType?: 'PRIVATE' | 'SHARED' | 'ALL';
}

/** A page of accounts. */
export type ConnectedAccountPage = Page<ConnectedAccount>;

/** Changes of an account. Unnamed parts stay. */
export interface UpdateConnectedAccount {
  /** Its name; an empty one removes it. */
  alias?: string;
  /** New fields of its credential, of the same scheme. Fields that are not named stay; null removes one. */
  credential?: Credential;
  /** Whether calls may be made with it. */
  enabled?: boolean;
}

/** How a user connects an account. */
export interface LinkOptions {
  /** The absolute URL to which the user is sent at the end. */
  callbackUrl?: string;
  /** A name, for telling a user's accounts of one toolkit apart. */
  alias?: string;
  /** Whether the user may have an active account with this auth config already. Default: false. */
  allowMultiple?: boolean;
  /** Whether other users may use the account. Default: no. */
  experimental?: NewAccountSharing;
}

/** How an account is to be connected. */
export interface InitiateOptions extends LinkOptions {
  /** The credential, where the user has it already. The account is `ACTIVE` at once if it is complete. */
  config?: Credential;
}

/** How a user reconnects an account. */
export interface ReconnectOptions {
  /** The absolute URL to which the user is sent at the end. */
  callbackUrl?: string;
  /** Scopes to request beside those of the auth config. OAuth only. */
  scopes?: readonly string[];
}

/** The accounts that are reached on this connection. */
export let connectedAccountsOf: (backend: BackendHandle) => ConnectedAccounts;

/** The accounts of users, by {@link Composio.connectedAccounts}. */
export class ConnectedAccounts {
  readonly #backend: BackendHandle;
  readonly #ask: Ask;

  static {
    connectedAccountsOf = (backend) => new ConnectedAccounts(backend);
  }

  protected constructor(backend: BackendHandle) {
    this.#backend = backend;
    this.#ask = askOn(backend);
  }

  /**
   * Lists accounts, the latest first, a page at a time.
   *
   * @param filter Which ones. Default: all.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {BadRequestError} If there is no such state, or the cursor is of another list.
   *
   * @example
   * ```ts
   * const { items, nextCursor } = await composio.connectedAccounts.list({ userIds: ['user_123'], statuses: ['ACTIVE'] });
   * ```
   */
  async list(filter: ListConnectedAccounts = {}, options?: CallOptions): Promise<ConnectedAccountPage> {
    checkFilter('filter of accounts', filter, {
      texts: ['orderBy', 'orderDirection', 'accountType'],
      lists: ['userIds', 'toolkitSlugs', 'statuses', 'authConfigIds', 'connectedAccountIds'],
    });
    const query = {
      user_ids: filter.userIds,
      toolkit_slugs: filter.toolkitSlugs,
      statuses: filter.statuses,
      auth_config_ids: filter.authConfigIds,
      connected_account_ids: filter.connectedAccountIds,
      order_by: filter.orderBy,
      order_direction: filter.orderDirection,
      account_type: filter.accountType,
      limit: filter.limit,
      cursor: filter.cursor,
    };
    const request = { method: 'GET', path: ['connected_accounts'], query, form: pageOf(ACCOUNT) } as const;
    return toPage(await this.#ask<WirePage<WireAccount>>(request, options), toAccount);
  }

  /**
   * Reads an account.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * const { status } = await composio.connectedAccounts.get('ca_4f9d…');
   * ```
   */
  async get(accountId: string, options?: CallOptions): Promise<ConnectedAccount> {
    id(accountId, 'accountId');
    return toAccount(
      await this.#ask({ method: 'GET', path: ['connected_accounts', accountId], form: ACCOUNT }, options),
    );
  }

  /**
   * Deletes an account and its credential.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.delete('ca_4f9d…');
   * ```
   */
  async delete(accountId: string, options?: CallOptions): Promise<{ success: boolean }> {
    id(accountId, 'accountId');
    return this.#ask({ method: 'DELETE', path: ['connected_accounts', accountId] }, options);
  }

  /**
   * Enables an account again.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.enable('ca_4f9d…');
   * ```
   */
  async enable(accountId: string, options?: CallOptions): Promise<{ success: boolean }> {
    return this.updateStatus(accountId, { enabled: true }, options);
  }

  /**
   * Disables an account: it is kept, and no call is made with it until it is enabled.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.disable('ca_4f9d…');
   * ```
   */
  async disable(accountId: string, options?: CallOptions): Promise<{ success: boolean }> {
    return this.updateStatus(accountId, { enabled: false }, options);
  }

  /**
   * Enables or disables an account.
   *
   * @param status.reason For readers of the request. A gateway does not store it.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.updateStatus('ca_4f9d…', { enabled: false });
   * ```
   */
  async updateStatus(
    accountId: string,
    status: { enabled: boolean; reason?: string | undefined },
    options?: CallOptions,
  ): Promise<{ success: boolean }> {
    const check = new Check('status of an account');
    check.text(accountId, 'accountId');
    if (check.object(status, '', ['enabled', 'reason'])) {
      check.flag(status.enabled, 'enabled');
      if (status.reason !== undefined) check.text(status.reason, 'reason');
    }
    check.done();
    const path = ['connected_accounts', accountId, 'status'];
    return this.#ask({ method: 'PATCH', path, body: { enabled: status.enabled, reason: status.reason } }, options);
  }

  /**
   * Names the default account: calls of {@link Tools.proxyExecute} use it that name neither an account nor credentials.
   * A backend has at most one, and it replaces the earlier one. The hosted backend does not have this method.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {UnprocessableEntityError} If the account is disabled or otherwise not usable.
   * @throws {BadRequestError} If the account is `SHARED`.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.setDefault('ca_4f9d…');
   * ```
   */
  async setDefault(accountId: string, options?: CallOptions): Promise<{ success: boolean }> {
    return this.#nameDefault(accountId, true, options);
  }

  /**
   * Makes an account no longer the default account. Any other account stays as it is.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.clearDefault('ca_4f9d…');
   * ```
   */
  async clearDefault(accountId: string, options?: CallOptions): Promise<{ success: boolean }> {
    return this.#nameDefault(accountId, false, options);
  }

  async #nameDefault(accountId: string, is_default: boolean, options?: CallOptions): Promise<{ success: boolean }> {
    id(accountId, 'accountId');
    return this.#ask(
      { method: 'PATCH', path: ['connected_accounts', accountId, 'default'], body: { is_default } },
      options,
    );
  }

  /**
   * Changes an account: its name, fields of its credential, whether it is enabled.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {BadRequestError} If the credential is of another scheme, or lacks a field.
   * @throws {ConflictError} If another account of the user and toolkit has the name.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.update('ca_4f9d…', { alias: 'work' });
   * ```
   */
  async update(
    accountId: string,
    change: UpdateConnectedAccount,
    options?: CallOptions,
  ): Promise<{ success: boolean }> {
    const check = new Check('change of an account');
    check.text(accountId, 'accountId');
    if (check.object(change, '', ['alias', 'credential', 'enabled'])) {
      // Unlike elsewhere it may be empty.
      if (change.alias !== '') check.optionalText(change.alias, 'alias', LONGEST_NAME);
      if (change.credential !== undefined) checkCredential(check, change.credential, 'credential');
      check.optionalFlag(change.enabled, 'enabled');
    }
    check.done();
    const { alias, credential, enabled } = change;
    if (enabled !== undefined) {
      const { success } = await this.updateStatus(accountId, { enabled }, options);
      if (alias === undefined && credential === undefined) return { success };
    }
    const path = ['connected_accounts', accountId];
    const body = { alias, connection: credential && { state: credential } };
    const { success } = await this.#ask<{ success: boolean }>({ method: 'PATCH', path, body }, options);
    return { success };
  }

  /**
   * Changes which users may use a `SHARED` account beside its own user. It applies from the next call on, to sessions
   * that pin the account as well.
   *
   * A user of `notAllowedUserIds` may never use the account. Any other user may, if `allowAllUsers` is true or
   * `allowedUserIds` has them.
   *
   * @param acl The parts to change. Parts that are not given stay; an empty list clears one.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If no part is given, or an argument is unknown or cannot be used.
   * @throws {BadRequestError} If the account is `PRIVATE`.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.updateAcl('ca_4f9d…', { allowedUserIds: ['user_123', 'user_456'] });
   * ```
   */
  async updateAcl(
    accountId: string,
    acl: Partial<AccountAcl>,
    options?: CallOptions,
  ): Promise<{ id: string; status: ConnectedAccountStatus; success: boolean }> {
    const check = new Check('ACL of an account');
    check.text(accountId, 'accountId');
    if (checkAcl(check, acl, '') && Object.values(acl).every((part) => part === undefined)) {
      check.add('The argument changes nothing: give `allowAllUsers`, `allowedUserIds` or `notAllowedUserIds`.');
    }
    check.done();
    const path = ['connected_accounts', accountId];
    const body = { experimental: { acl_config_for_shared: aclBody(acl) } };
    const form = { id: 'string', status: 'string', success: 'boolean' } as const;
    return this.#ask({ method: 'PATCH', path, body, form }, options);
  }

  /**
   * Renews the credential of an account, if its scheme supports it.
   *
   * @param refresh `redirectUrl` is the URL to which a user is sent who had to consent again.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns The state of the account, and a link if the user has to consent again.
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {UnprocessableEntityError} If the account is disabled or revoked.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * const { status, redirectUrl } = await composio.connectedAccounts.refresh('ca_4f9d…');
   * ```
   */
  async refresh(
    accountId: string,
    refresh: { redirectUrl?: string; validateCredentials?: boolean } = {},
    options?: CallOptions,
  ): Promise<{ id: string; status: ConnectedAccountStatus; redirectUrl: string | null }> {
    const check = new Check('refresh of an account');
    check.text(accountId, 'accountId');
    if (check.object(refresh, '', ['redirectUrl', 'validateCredentials'])) {
      check.optionalText(refresh.redirectUrl, 'redirectUrl');
      check.optionalFlag(refresh.validateCredentials, 'validateCredentials');
    }
    check.done();
    const answer = await this.#ask<{ id: string; status: string; redirect_url?: string | null }>(
      {
        method: 'POST',
        path: ['connected_accounts', accountId, 'refresh'],
        query: { redirect_url: refresh.redirectUrl },
        body: { validate_credentials: refresh.validateCredentials },
        form: { id: 'string', status: 'string', 'redirect_url?': 'string' },
      },
      options,
    );
    return { id: answer.id, status: answer.status, redirectUrl: answer.redirect_url ?? null };
  }

  /**
   * Asks the provider to revoke an account's tokens, and deletes the credential in every case. The account
   * stays, as `REVOKED`.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @returns `revokedTokens` are the tokens that the provider revoked, such as `refresh_token`.
   * `notRevoked` are the tokens that may still work, each with the reason.
   * @throws {ValidationError} If the id is empty or no string.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * await composio.connectedAccounts.revoke('ca_4f9d…');
   * ```
   */
  async revoke(
    accountId: string,
    options?: CallOptions,
  ): Promise<{
    id: string;
    status: ConnectedAccountStatus;
    success: boolean;
    revokedTokens: string[];
    notRevoked: string[];
  }> {
    id(accountId, 'accountId');
    const path = ['connected_accounts', accountId, 'revoke'];
    const answer = await this.#ask<{
      connected_account: { id: string; status: string };
      revoked_tokens?: string[];
      not_revoked?: string[];
    }>({ method: 'POST', path, form: REVOKED, errors: REVOCATION_ERRORS }, options);
    const { id: revoked, status } = answer.connected_account;
    const { revoked_tokens: revokedTokens = [], not_revoked: notRevoked = [] } = answer;
    return { id: revoked, status, success: true, revokedTokens, notRevoked };
  }

  /**
   * Creates an account, and a page where the user completes it.
   *
   * @param userId Your own id of the user.
   * @param authConfigId How to connect, `ac_…`.
   * @param link The URL to which the user is sent at the end, and the name of the account.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns The page, as `redirectUrl`, and `waitForConnection` to wait until the account is `ACTIVE`.
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {ComposioMultipleConnectedAccountsError} If the user has an active account with this
   * auth config, and `allowMultiple` is not true.
   * @throws {NotFoundError} If there is no such auth config.
   *
   * @example
   * ```ts
   * const { redirectUrl, waitForConnection } = await composio.connectedAccounts.link('user_123', 'ac_7b21…');
   * // send the user to redirectUrl
   * const account = await waitForConnection();
   * ```
   */
  async link(
    userId: string,
    authConfigId: string,
    link: LinkOptions = {},
    options?: CallOptions,
  ): Promise<ConnectionRequest> {
    const check = new Check('link');
    checkConnection(check, userId, authConfigId);
    if (check.object(link, '', LINK_KEYS)) checkLink(check, link);
    check.done();
    await this.#refuseSecond(userId, authConfigId, link, options);
    const { callbackUrl: callback_url, alias } = link;
    const experimental = sharingBody(link.experimental);
    const body = { auth_config_id: authConfigId, user_id: userId, callback_url, alias, experimental };
    const path = ['connected_accounts', 'link'];
    return linkedRequest(this, await this.#ask<WireLink>({ method: 'POST', path, body, form: LINK }, options));
  }

  /**
   * Reconnects an account: returns a link where the user signs in again, because the account no longer
   * works, or to request more scopes. The account keeps its id and name. An `ACTIVE` account keeps its
   * credential until the new one arrives. The hosted backend does not have this.
   *
   * @param reconnect The URL to which the user is sent at the end, and further scopes.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns The page, as `redirectUrl`, and `waitForConnection`, which has to wait for an account
   * that is not `ACTIVE` only.
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {NotFoundError} If there is no such account.
   * @throws {ConflictError} If the gateway does not listen, so that there is no page (slug `GatewayNotListening`).
   *
   * @example
   * ```ts
   * const { redirectUrl } = await composio.connectedAccounts.reconnect('ca_4f9d…', { scopes: ['repo'] });
   * ```
   */
  async reconnect(
    accountId: string,
    reconnect: ReconnectOptions = {},
    options?: CallOptions,
  ): Promise<ConnectionRequest> {
    const check = new Check('account to reconnect');
    check.text(accountId, 'accountId');
    if (check.object(reconnect, '', ['callbackUrl', 'scopes'])) {
      check.optionalText(reconnect.callbackUrl, 'callbackUrl');
      if (reconnect.scopes !== undefined) check.texts(reconnect.scopes, 'scopes');
    }
    check.done();
    const { callbackUrl: callback_url, scopes } = reconnect;
    const path = ['connected_accounts', accountId, 'link'];
    const body = { callback_url, scopes };
    return linkedRequest(this, await this.#ask<WireLink>({ method: 'POST', path, body, form: LINK }, options));
  }

  /**
   * Connects an account: at once with a complete credential in `config`, else by a page, as {@link link} does.
   *
   * @param userId Your own id of the user.
   * @param authConfigId How to connect, `ac_…`.
   * @param initiate The credential, if the user has it already, and what the account is called.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {ComposioMultipleConnectedAccountsError} If the user has an active account with this
   * auth config, and `allowMultiple` is not true.
   * @throws {BadRequestError} If the credential is of another scheme than the auth config.
   * @throws {NotFoundError} If there is no such auth config.
   *
   * @example
   * ```ts
   * const { id, status } = await composio.connectedAccounts.initiate('user_123', 'ac_7b21…', {
   *   config: { authScheme: 'API_KEY', val: { api_key: key } },
   * });
   * ```
   */
  async initiate(
    userId: string,
    authConfigId: string,
    initiate: InitiateOptions = {},
    options?: CallOptions,
  ): Promise<ConnectionRequest> {
    const check = new Check('account');
    checkConnection(check, userId, authConfigId);
    if (check.object(initiate, '', [...LINK_KEYS, 'config'])) {
      checkLink(check, initiate);
      if (initiate.config !== undefined) checkCredential(check, initiate.config, 'config');
    }
    check.done();
    await this.#refuseSecond(userId, authConfigId, initiate, options);
    const { callbackUrl: callback_url, alias, config: state } = initiate;
    const experimental = sharingBody(initiate.experimental);
    const connection = { user_id: userId, callback_url, alias, state, experimental };
    const body = { auth_config: { id: authConfigId }, connection };
    const request = { method: 'POST', path: ['connected_accounts'], body, form: CREATED } as const;
    const answer = await this.#ask<WireCreated>(request, options);
    return connectionRequest(this, {
      id: answer.id,
      status: answer.connectionData?.val?.status ?? answer.status ?? 'INITIATED',
      redirectUrl: answer.connectionData?.val?.redirectUrl ?? answer.redirect_url ?? null,
    });
  }

  /**
   * Waits until an account is `ACTIVE`. A gateway in this process resolves at once; over HTTP, the client polls
   * once a second.
   *
   * @param timeout How long to wait at most, in milliseconds. Default: 60 000.
   * @param options `signal` ends the wait.
   * @throws {ValidationError} If an argument cannot be used.
   * @throws {ConnectionRequestFailedError} If it has failed, expired or been revoked.
   * @throws {ConnectionRequestTimeoutError} If it is not active in time.
   * @throws {NotFoundError} If there is no such account.
   *
   * @example
   * ```ts
   * const account = await composio.connectedAccounts.waitForConnection('ca_4f9d…', 120_000);
   * ```
   */
  async waitForConnection(
    accountId: string,
    timeout = 60_000,
    options?: Pick<CallOptions, 'signal'>,
  ): Promise<ConnectedAccount> {
    const check = new Check('wait for an account');
    check.text(accountId, 'accountId');
    check.optionalTimeout(timeout, 'timeout');
    check.done();
    return toAccount(await connected<WireAccount>(this.#backend, accountId, ACCOUNT, timeout, options));
  }

  async #refuseSecond(
    userId: string,
    authConfigId: string,
    { allowMultiple = false }: LinkOptions,
    options?: CallOptions,
  ): Promise<void> {
    if (allowMultiple) return;
    const active = { userIds: [userId], authConfigIds: [authConfigId], statuses: ['ACTIVE'], limit: 1 };
    const [account] = (await this.list(active, options)).items;
    if (account === undefined) return;
    throw new ComposioMultipleConnectedAccountsError(
      `User '${quoted(userId)}' has account ${account.id} with auth config ${authConfigId} already.`,
      { suggestedFix: 'Pass `allowMultiple: true` to connect another account.' },
    );
  }
}

/** The accounts of a gateway. */
export let gatewayAccountsOf: (native: Native.Gateway, backend: BackendHandle) => GatewayConnectedAccounts;

/** The accounts of users in a gateway of this process, by {@link Gateway.connectedAccounts}. */
export class GatewayConnectedAccounts extends ConnectedAccounts {
  readonly #native: Native.Gateway;

  static {
    gatewayAccountsOf = (native, backend) => new GatewayConnectedAccounts(native, backend);
  }

  private constructor(native: Native.Gateway, backend: BackendHandle) {
    super(backend);
    this.#native = native;
  }

  /**
   * Stores a credential that a user already has, encrypted. Calls of the user use it from now on.
   *
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {BadRequestError} If the credential lacks a field of its scheme, or the toolkit or the auth config does not
   * take the scheme.
   * @throws {NotFoundError} If there is no such toolkit or auth config.
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
    if (check.object(account, '', ['userId', 'toolkit', 'credential', 'alias', 'authConfigId', 'experimental'])) {
      checkSharing(check, account.experimental);
      check.text(account.userId, 'userId', 'give your own id of the user', LONGEST_USER_ID);
      check.text(account.toolkit, 'toolkit', "name the toolkit, for example 'github'", LONGEST_SLUG);
      checkCredential(check, account.credential, 'credential');
      check.optionalText(account.alias, 'alias', LONGEST_NAME);
      check.optionalText(account.authConfigId, 'authConfigId');
    }
    check.done();
    const { userId, toolkit, credential, alias, authConfigId: auth_config_id } = account;
    const experimental = sharingBody(account.experimental);
    const request = JSON.stringify({ user_id: userId, toolkit, credential, alias, auth_config_id, experimental });
    return toAccount(JSON.parse(await answerOf(() => this.#native.importConnectedAccount(request))));
  }
}

const LINK_KEYS = ['callbackUrl', 'alias', 'allowMultiple', 'experimental'];

function checkConnection(check: Check, userId: unknown, authConfigId: unknown): void {
  if (check.text(userId, 'userId', 'give your own id of the user', LONGEST_USER_ID) && userId.includes(',')) {
    check.wrong('userId', 'has a comma in it, which separates values in a query.');
  }
  check.text(authConfigId, 'authConfigId', 'composio.authConfigs.create() creates an auth config');
}

function checkLink(check: Check, { callbackUrl, alias, allowMultiple, experimental }: Record<string, unknown>): void {
  check.optionalText(callbackUrl, 'callbackUrl');
  check.optionalText(alias, 'alias', LONGEST_NAME);
  check.optionalFlag(allowMultiple, 'allowMultiple');
  checkSharing(check, experimental);
}

function checkCredential(check: Check, credential: unknown, path: string): void {
  if (!check.object(credential, path, ['authScheme', 'val'])) return;
  check.text(credential.authScheme, `${path}.authScheme`, "for example 'BEARER_TOKEN'");
  check.fields(credential.val, `${path}.val`);
}

/** The optional members are absent from backends that send only those that the Composio SDK needs. */
interface WireAccount {
  id: string;
  user_id?: string;
  toolkit?: { slug: string };
  auth_config: { id?: string; auth_scheme?: string; is_composio_managed?: boolean; is_disabled?: boolean };
  status: string;
  status_reason?: string | null;
  is_disabled?: boolean;
  is_default?: boolean;
  alias?: string | null;
  word_id?: string | null;
  experimental?: WireSharing;
  state?: Credential;
  created_at?: string;
  updated_at?: string;
}

interface WireCreated {
  id: string;
  connectionData?: { val?: { status?: string; redirectUrl?: string } };
  status?: string;
  redirect_url?: string | null;
}

/** The members that an account must have. */
const ACCOUNT = {
  id: 'string',
  status: 'string',
  auth_config: { 'id?': 'string', 'auth_scheme?': 'string' },
  'toolkit?': { slug: 'string' },
  'status_reason?': 'string',
  'experimental?': SHARING,
} as const;

const CREATED = {
  id: 'string',
  'connectionData?': { 'val?': { 'status?': 'string', 'redirectUrl?': 'string' } },
  'status?': 'string',
  'redirect_url?': 'string',
} as const;

const REVOCATION_ERRORS = {
  400: ComposioConnectedAccountRevocationNotSupportedError,
  409: ComposioConnectedAccountNotRevokableError,
};

const REVOKED = {
  connected_account: { id: 'string', status: 'string' },
  'revoked_tokens?': ['string'],
  'not_revoked?': ['string'],
} as const;

function toAccount(account: WireAccount): ConnectedAccount {
  const { id = '', auth_scheme = '', is_composio_managed = false, is_disabled = false } = account.auth_config;
  return {
    id: account.id,
    userId: account.user_id ?? '',
    toolkit: { slug: account.toolkit?.slug ?? '' },
    authConfig: { id, authScheme: auth_scheme, isComposioManaged: is_composio_managed, isDisabled: is_disabled },
    status: account.status,
    statusReason: account.status_reason ?? null,
    isDisabled: account.is_disabled ?? false,
    isDefault: account.is_default ?? false,
    alias: account.alias ?? null,
    wordId: account.word_id ?? null,
    ...(account.experimental && { experimental: toSharing(account.experimental) }),
    state: account.state,
    createdAt: account.created_at ?? '',
    updatedAt: account.updated_at ?? '',
  };
}
