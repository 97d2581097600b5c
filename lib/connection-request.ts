// An account that is being connected, and the wait for it.

import type { ConnectedAccount, ConnectedAccountStatus } from './account';
import { type Form, readAnswer } from './answer';
import type { BackendHandle } from './backend';
import { APIConnectionTimeoutError, ConnectionRequestFailedError, ConnectionRequestTimeoutError } from './errors';
import { answerOf } from './native';
import { type CallOptions, callOptions } from './validate';

/** An account that was begun. */
export interface ConnectionRequest {
  /** The account's id, `ca_…`. */
  id: string;
  /** The account's state when it was begun. */
  status: ConnectedAccountStatus;
  /** The page on which the user completes the account; null if the account is complete. */
  redirectUrl: string | null;
  /** The token by which the page knows the account; not with {@link ConnectedAccounts.initiate}. */
  linkToken?: string;
  /** Until when the page works, as an ISO 8601 date; not with {@link ConnectedAccounts.initiate}. */
  expiresAt?: string;
  /** The same as {@link ConnectedAccounts.waitForConnection} with this account. */
  waitForConnection(timeout?: number, options?: Pick<CallOptions, 'signal'>): Promise<ConnectedAccount>;
}

/** A link, as it travels. */
export interface WireLink {
  connected_account_id: string;
  link_token?: string;
  redirect_url?: string | null;
  expires_at?: string;
}

/** The members that a link must have. */
export const LINK = {
  connected_account_id: 'string',
  'link_token?': 'string',
  'redirect_url?': 'string',
  'expires_at?': 'string',
} as const;

/** The accounts of a backend, as far as a request waits for one of them. */
interface Accounts {
  waitForConnection(id: string, ...wait: Parameters<ConnectionRequest['waitForConnection']>): Promise<ConnectedAccount>;
}

/** The account that is being connected, with the wait for it. */
export function connectionRequest(
  accounts: Accounts,
  begun: Omit<ConnectionRequest, 'waitForConnection'>,
): ConnectionRequest {
  return { ...begun, waitForConnection: (timeout, options) => accounts.waitForConnection(begun.id, timeout, options) };
}

/** The account that was begun with a link. */
export function linkedRequest(accounts: Accounts, link: WireLink): ConnectionRequest {
  return connectionRequest(accounts, {
    id: link.connected_account_id,
    status: 'INITIATED',
    redirectUrl: link.redirect_url ?? null,
    linkToken: link.link_token,
    expiresAt: link.expires_at,
  });
}

/** Waits until an account is no longer being connected: its wire form, if it is `ACTIVE` then. */
export async function connected<T extends { status: string; status_reason?: string | null }>(
  { native }: BackendHandle,
  accountId: string,
  form: Form,
  timeout: number,
  options?: CallOptions,
): Promise<T> {
  const { signal } = callOptions(options);
  const answer = await answerOf((cancel) => native.connectedAccount(accountId, timeout, cancel), signal).catch(
    (error) => {
      if (!(error instanceof APIConnectionTimeoutError)) throw error;
      throw new ConnectionRequestTimeoutError(`Account ${accountId} was not connected within ${timeout} ms.`, {
        suggestedFix: 'Wait longer, or ask the user to open the link again.',
        cause: error,
      });
    },
  );
  const account = readAnswer<T>(answer, form);
  if (account.status === 'ACTIVE') return account;
  const { status, status_reason } = account;
  const statusReason = status_reason || null;
  const why = statusReason === null ? '' : `: ${statusReason}`;
  throw new ConnectionRequestFailedError(`Account ${accountId} is ${status}${why}.`, {
    suggestedFix: 'Send the user a new link: composio.connectedAccounts.reconnect().',
    meta: { connectedAccountId: accountId, status, statusReason },
  });
}
