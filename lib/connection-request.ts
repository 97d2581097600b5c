// An account that is being connected, and the wait for it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectedAccount, ConnectedAccountStatus, ConnectedAccounts } from './connected-accounts';
import { ConnectionRequestFailedError, ConnectionRequestTimeoutError } from './errors';
import type { CallOptions } from './validate';

/** How often an account is asked for, in milliseconds. */
const INTERVAL = 1_000;

/** The states that no account leaves on its own. */
const ENDED: readonly string[] = ['FAILED', 'EXPIRED', 'REVOKED'];

/** An account that was begun. */
export interface ConnectionRequest {
  /** The account's id, `ca_…`. */
  id: string;
  /** The account's state when it was begun. */
  status: ConnectedAccountStatus;
  /** The page on which a person finishes the account; null if there is nothing left to do. */
  redirectUrl: string | null;
  /** What the page knows the account by; with {@link ConnectedAccounts.link} only. */
  linkToken?: string;
  /** Until when the page works, as an ISO 8601 date; with {@link ConnectedAccounts.link} only. */
  expiresAt?: string;
  /** The same as {@link ConnectedAccounts.waitForConnection} with this account. */
  waitForConnection(timeout?: number, options?: CallOptions): Promise<ConnectedAccount>;
}

/** What was begun, with the wait for it. */
export function connectionRequest(
  accounts: ConnectedAccounts,
  begun: Omit<ConnectionRequest, 'waitForConnection'>,
): ConnectionRequest {
  return { ...begun, waitForConnection: (timeout, options) => accounts.waitForConnection(begun.id, timeout, options) };
}

/** Asks for an account until it is active. */
export async function waitForAccount(
  accounts: ConnectedAccounts,
  accountId: string,
  timeout: number,
  options?: CallOptions,
): Promise<ConnectedAccount> {
  const end = Date.now() + timeout;
  for (;;) {
    const account = await accounts.get(accountId, options);
    if (account.status === 'ACTIVE') return account;
    if (ENDED.includes(account.status)) {
      const why = account.statusReason === null ? '' : `: ${account.statusReason}`;
      throw new ConnectionRequestFailedError(`Account ${accountId} is ${account.status}${why}.`, {
        suggestedFix: 'Connect a new one with composio.connectedAccounts.link().',
      });
    }
    if (Date.now() + INTERVAL > end) {
      throw new ConnectionRequestTimeoutError(`Account ${accountId} was not connected within ${timeout} ms.`, {
        suggestedFix: 'Wait longer, or have the user open the link again.',
      });
    }
    await sleep(INTERVAL, undefined, { signal: options?.signal }).catch(() => {
      throw options?.signal?.reason;
    });
  }
}
