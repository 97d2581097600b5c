// A connected account, as the backend shows it.

import type { AccountSharing } from './sharing';

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

/**
 * A user's account of a toolkit. Its credential cannot be read.
 *
 * If a backend leaves fields out, texts are empty, `isDisabled` and `isDefault` are false, `experimental` and `state` are absent, and the
 * rest is null. A gateway leaves no field out.
 */
export interface ConnectedAccount {
  /** The account's id, `ca_…`. */
  id: string;
  /** The user, by your own id of them. */
  userId: string;
  /** The toolkit. */
  toolkit: { slug: string };
  /** How it was connected. */
  authConfig: AuthConfigReference;
  /** Whether calls can be made with it. */
  status: ConnectedAccountStatus;
  /** Why the status is what it is, where there is something to say. */
  statusReason: string | null;
  /** Whether it is disabled, by {@link ConnectedAccounts.disable}. */
  isDisabled: boolean;
  /** Whether `tools.proxyExecute` uses it for calls that name no account. */
  isDefault: boolean;
  /** Its name, for telling a user's accounts of one toolkit apart. */
  alias: string | null;
  /** A name that was made up for it, such as `gmail_red-castle`. */
  wordId: string | null;
  /** Whether other users may use it. */
  experimental?: AccountSharing;
  /** The credential's fields. Secrets are `REDACTED`. */
  state?: Credential;
  /** When it was created, as an ISO 8601 date. */
  createdAt: string;
  /** When it was changed, as an ISO 8601 date. */
  updatedAt: string;
}

/** An auth config, as accounts name it. */
export interface AuthConfigReference {
  /** Its id, `ac_…`. */
  id: string;
  /** How its accounts authenticate, such as `BEARER_TOKEN`. */
  authScheme: string;
  /** Whether it uses a client of the hosted backend. */
  isComposioManaged: boolean;
  /** Whether it is disabled, and with it its accounts. */
  isDisabled: boolean;
}

/** A credential: its scheme and its fields. */
export interface Credential {
  /** The scheme, such as `BEARER_TOKEN`. */
  authScheme: string;
  /** The fields that the scheme needs, such as `{ token }`. */
  val: Record<string, unknown>;
}
