// Accounts that several users share, and the ACL that says which users.

import type { Check } from './validate';

/** Whether only an account's own user may use it (`PRIVATE`), or also those that its ACL allows (`SHARED`). */
export type AccountType = 'PRIVATE' | 'SHARED';

/** The users that may use a `SHARED` account, beside its own user. */
export interface AccountAcl {
  /** Whether every user may. */
  allowAllUsers: boolean;
  /** The users that may: at most 1 000, with at most 256 characters each. */
  allowedUserIds: readonly string[];
  /** The users that may not, whatever the other two say; with the same limits. */
  notAllowedUserIds: readonly string[];
}

/** How a new account is shared. */
export interface NewAccountSharing {
  /** Default: `PRIVATE`. It cannot be changed later. */
  accountType?: AccountType;
  /** For a `SHARED` account. Default: only the account's own user may use it. */
  aclConfigForShared?: Partial<AccountAcl>;
}

/** How an account is shared. */
export interface AccountSharing {
  /** Whether other users may use the account. */
  accountType: AccountType;
  /** Absent for a `PRIVATE` account. */
  aclConfigForShared?: AccountAcl;
}

export interface WireAcl {
  allow_all_users?: boolean;
  allowed_user_ids?: readonly string[];
  not_allowed_user_ids?: readonly string[];
}

export interface WireSharing {
  account_type?: string;
  acl_config_for_shared?: WireAcl;
}

/** The members of the part `experimental` of an account. */
export const SHARING = {
  'account_type?': 'string',
  'acl_config_for_shared?': {
    'allow_all_users?': 'boolean',
    'allowed_user_ids?': ['string'],
    'not_allowed_user_ids?': ['string'],
  },
} as const;

/** Checks the part `experimental` of a new account. */
export function checkSharing(check: Check, sharing: unknown): void {
  if (sharing === undefined || !check.object(sharing, 'experimental', ['accountType', 'aclConfigForShared'])) return;
  const { accountType, aclConfigForShared: acl } = sharing;
  if (accountType !== undefined) check.oneOf(accountType, 'experimental.accountType', ['PRIVATE', 'SHARED']);
  if (acl !== undefined) checkAcl(check, acl, 'experimental.aclConfigForShared');
}

/** Checks the given parts of an ACL. */
export function checkAcl(check: Check, acl: unknown, path: string): acl is Partial<AccountAcl> {
  if (!check.object(acl, path, ['allowAllUsers', 'allowedUserIds', 'notAllowedUserIds'])) return false;
  const below = (key: string) => (path === '' ? key : `${path}.${key}`);
  check.optionalFlag(acl.allowAllUsers, below('allowAllUsers'));
  for (const list of ['allowedUserIds', 'notAllowedUserIds']) {
    if (acl[list] !== undefined) check.texts(acl[list], below(list));
  }
  return true;
}

/** How a new account is shared, as it travels. */
export function sharingBody(sharing: NewAccountSharing | undefined): WireSharing | undefined {
  return (
    sharing && {
      account_type: sharing.accountType,
      acl_config_for_shared: sharing.aclConfigForShared && aclBody(sharing.aclConfigForShared),
    }
  );
}

/** An ACL, as it travels. */
export function aclBody({ allowAllUsers, allowedUserIds, notAllowedUserIds }: Partial<AccountAcl>): WireAcl {
  return {
    allow_all_users: allowAllUsers,
    allowed_user_ids: allowedUserIds,
    not_allowed_user_ids: notAllowedUserIds,
  };
}

/** How an account is shared, as the backend shows it. */
export function toSharing({ account_type, acl_config_for_shared: acl }: WireSharing): AccountSharing {
  return {
    accountType: account_type === 'SHARED' ? 'SHARED' : 'PRIVATE',
    ...(acl && {
      aclConfigForShared: {
        allowAllUsers: acl.allow_all_users ?? false,
        allowedUserIds: acl.allowed_user_ids ?? [],
        notAllowedUserIds: acl.not_allowed_user_ids ?? [],
      },
    }),
  };
}
