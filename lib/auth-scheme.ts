// Credentials under the names of the Composio SDK.

import type { Credential } from './account';

/**
 * Makes the `config` of {@link ConnectedAccounts.initiate}, and credentials to import, as the Composio SDK does.
 *
 * @example
 * ```ts
 * const { id } = await composio.authConfigs.create('github', { type: 'use_custom_auth', authScheme: 'BEARER_TOKEN' });
 * const config = AuthScheme.BearerToken({ token: process.env.GITHUB_TOKEN });
 * await composio.connectedAccounts.initiate('user_123', id, { config });
 * ```
 */
export const AuthScheme = {
  /** Tokens. Without an `access_token` the user is to agree first. */
  OAuth2: (fields: Credential['val']): Credential => credential('OAUTH2', fields, Boolean(fields.access_token)),
  /** Tokens. Without `oauth_token` and `oauth_token_secret` the user is to agree first. */
  OAuth1: (fields: Credential['val']): Credential =>
    credential('OAUTH1', fields, Boolean(fields.oauth_token && fields.oauth_token_secret)),
  /** A key, mostly as `api_key` or `generic_api_key`. */
  APIKey: (fields: Credential['val']): Credential => credential('API_KEY', fields),
  /** A `username` and a `password`. */
  Basic: (fields: Credential['val']): Credential => credential('BASIC', fields),
  /** A `token`. */
  BearerToken: (fields: Credential['val']): Credential => credential('BEARER_TOKEN', fields),
  /** A `username` and a `password` that are exchanged for a token. */
  BasicWithJWT: (fields: Credential['val']): Credential => credential('BASIC_WITH_JWT', fields),
  /** The key file of a service account, as `credentials_json`. */
  GoogleServiceAccount: (fields: Credential['val']): Credential => credential('GOOGLE_SERVICE_ACCOUNT', fields),
  /** A `sessionId` and a `devKey`. */
  BillcomAuth: (fields: Credential['val']): Credential => credential('BILLCOM_AUTH', fields),
  /** The fields that Cal.com takes. */
  CalcomAuth: (fields: Credential['val'] = {}): Credential => credential('CALCOM_AUTH', fields),
  /** Nothing, or the fields that the base URL takes. */
  NoAuth: (fields: Credential['val'] = {}): Credential => credential('NO_AUTH', fields),
};

function credential(authScheme: string, fields: Credential['val'], isComplete = true): Credential {
  return { authScheme, val: { status: isComplete ? 'ACTIVE' : 'INITIALIZING', ...fields } };
}
