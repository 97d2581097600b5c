// The constants of the Composio SDK. Every function takes the same texts.

/** The kinds of an auth config. */
export const AuthConfigTypes = Object.freeze({
  /** With your own client, or for a scheme that needs none. */
  CUSTOM: 'use_custom_auth',
  /** With a client of the hosted backend. A gateway has none. */
  COMPOSIO_MANAGED: 'use_composio_managed_auth',
} as const);

/** How accounts authenticate. */
export const AuthSchemeTypes = Object.freeze({
  OAUTH1: 'OAUTH1',
  OAUTH2: 'OAUTH2',
  API_KEY: 'API_KEY',
  BASIC: 'BASIC',
  BEARER_TOKEN: 'BEARER_TOKEN',
  BILLCOM_AUTH: 'BILLCOM_AUTH',
  GOOGLE_SERVICE_ACCOUNT: 'GOOGLE_SERVICE_ACCOUNT',
  NO_AUTH: 'NO_AUTH',
  BASIC_WITH_JWT: 'BASIC_WITH_JWT',
  CALCOM_AUTH: 'CALCOM_AUTH',
  SERVICE_ACCOUNT: 'SERVICE_ACCOUNT',
  SAML: 'SAML',
  DCR_OAUTH: 'DCR_OAUTH',
  CIMD_OAUTH: 'CIMD_OAUTH',
  S2S_OAUTH2: 'S2S_OAUTH2',
} as const);

/** The name of an auth scheme. */
export type AuthSchemeType = keyof typeof AuthSchemeTypes;

/** The states of an account. Calls are made with `ACTIVE` accounts only. */
export const ConnectedAccountStatuses = Object.freeze({
  INITIALIZING: 'INITIALIZING',
  INITIATED: 'INITIATED',
  ACTIVE: 'ACTIVE',
  FAILED: 'FAILED',
  EXPIRED: 'EXPIRED',
  INACTIVE: 'INACTIVE',
  REVOKED: 'REVOKED',
} as const);

/** Another name of {@link ConnectedAccountStatuses}. */
export const ConnectionStatuses = ConnectedAccountStatuses;

/** Whether an account belongs to one user, or several may use it. */
export const ConnectedAccountTypes = Object.freeze({ PRIVATE: 'PRIVATE', SHARED: 'SHARED' } as const);

/** The presets of a session. */
export const SessionPreset = Object.freeze({ DIRECT_TOOLS: 'direct_tools' } as const);

/** The states of a trigger of the hosted backend. */
export const TriggerStatuses = Object.freeze({ ENABLE: 'enable', DISABLE: 'disable' } as const);

/** The forms of a webhook's payload. */
export const WebhookVersions = Object.freeze({ V1: 'V1', V2: 'V2', V3: 'V3' } as const);

/** The form of a webhook's payload. */
export type WebhookVersion = keyof typeof WebhookVersions;

/** The events of a webhook. */
export const WebhookEventTypes = Object.freeze({
  CONNECTION_EXPIRED: 'composio.connected_account.expired',
  TRIGGER_MESSAGE: 'composio.trigger.message',
} as const);
