// The public surface of proxy-execute.

import { native } from './native';

export type { AuthConfigReference, ConnectedAccount, ConnectedAccountStatus, Credential } from './account';
export {
  type ApiKey,
  ApiKeys,
  type CreateApiKey,
  type NewApiKey,
  type PermissionArea,
  type Permissions,
} from './api-keys';
export { Audit, type AuditEntry, type AuditPage, type AuditVerification, type ListAudit } from './audit';
export {
  type AuthConfig,
  AuthConfigs,
  type CreateAuthConfig,
  type CreatedAuthConfig,
  type ListAuthConfigs,
  type UpdateAuthConfig,
} from './auth-configs';
export { AuthScheme } from './auth-scheme';
export type { BinaryBody, Bytes } from './binary-body';
export type { ToolkitSlug } from './built-in-toolkits';
export type { CallTrace } from './call-trace';
export { type Call, Calls, type ListCallsOptions } from './calls';
export {
  Composio,
  type ComposioOptions,
  type EmbeddedOptions,
  type RemoteOptions,
  Tools,
} from './composio';
export {
  type ConnectedAccountPage,
  ConnectedAccounts,
  GatewayConnectedAccounts,
  type ImportConnectedAccount,
  type InitiateOptions,
  type LinkOptions,
  type ListConnectedAccounts,
  type ReconnectOptions,
  type UpdateConnectedAccount,
} from './connected-accounts';
export type { ConnectionRequest } from './connection-request';
export {
  AuthConfigTypes,
  type AuthSchemeType,
  AuthSchemeTypes,
  ConnectedAccountStatuses,
  ConnectedAccountTypes,
  ConnectionStatuses,
  SessionPreset,
  TriggerStatuses,
  WebhookEventTypes,
  type WebhookVersion,
  WebhookVersions,
} from './constants';
export {
  type CreateTool,
  type CustomTool,
  type CustomToolkit,
  type CustomTools,
  experimental_createTool,
  experimental_createToolkit,
  type RegisteredCustomTool,
  type RegisteredCustomToolkit,
  type SessionContext,
  type ToolJsonSchema,
  type ToolResult,
  type ToolSchema,
} from './custom-tools';
export { Download, type ToFileOptions } from './download';
export {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AuthenticationError,
  BadRequestError,
  ComposioAclOnlyForSharedError,
  ComposioAuthConfigNotFoundError,
  ComposioConnectedAccountNotFoundError,
  ComposioConnectedAccountNotRevokableError,
  ComposioConnectedAccountRevocationNotSupportedError,
  ComposioError,
  ComposioMultipleConnectedAccountsError,
  ComposioNoAPIKeyError,
  ComposioSessionConfigConflictError,
  ComposioSharedAccessDeniedError,
  ComposioToolkitNotFoundError,
  ComposioWebhookPayloadError,
  ComposioWebhookSignatureVerificationError,
  ConflictError,
  ConnectionRequestFailedError,
  ConnectionRequestTimeoutError,
  type ErrorDetails,
  type ErrorEnvelope,
  InternalServerError,
  NotFoundError,
  PageError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
  UnsupportedFeatureError,
  ValidationError,
} from './errors';
export type {
  ConnectedEvent,
  DeletedEvent,
  EventAccount,
  EventBase,
  EventsOptions,
  ExpiredEvent,
  ExpiringSoonEvent,
  FailedEvent,
  GatewayEvent,
  RefreshedEvent,
  RefreshFailedEvent,
  RevokedEvent,
  SwitchedEvent,
} from './events';
export type { FetchOptions } from './fetch';
export type { FetchRequest } from './fetch-request';
export {
  Gateway,
  type Listener,
  type ListenOptions,
} from './gateway';
export type { FilesOptions, GatewayOptions } from './gateway-options';
export type { ToolkitInputField } from './input-field';
export type { PaginateOptions, ProxyPage } from './pages';
export type { ProxyOptions, ResponseType } from './proxy-options';
export type {
  BinaryData,
  ByteStream,
  CustomConnectionData,
  ProxyCall,
  ProxyExecuteRequest,
  ProxyExecuteResponse,
  ProxyMethod,
  ProxyParameter,
  ProxyValue,
  ToolsProxyExecuteRequest,
  ToolsProxyExecuteResponse,
} from './proxy-request';
export type { Page, PageOptions } from './resource';
export type { RetryOptions } from './retry';
export {
  type AuthorizeOptions,
  type EnsureConnectedOptions,
  type EnsuredConnection,
  type Mcp,
  Session,
  type SessionFiles,
} from './session';
export type { Choice, SessionConfig, SessionExperiments, SessionUpdate, TagFilter, Workbench } from './session-config';
export { Sessions, type UseSession } from './sessions';
export type { AccountAcl, AccountSharing, AccountType, NewAccountSharing } from './sharing';
export type {
  ToolkitAuthorizationServer,
  ToolkitDefinition,
  ToolkitField,
  ToolkitPagination,
  ToolkitRateLimit,
  ToolkitScheme,
} from './toolkit';
export {
  type FieldFilter,
  type ListSessionToolkits,
  type ListToolkits,
  type SessionToolkit,
  type SessionToolkitPage,
  type Toolkit,
  type ToolkitAuthDetails,
  type ToolkitCategories,
  type ToolkitCategory,
  type ToolkitFields,
  type ToolkitItem,
  type ToolkitMeta,
  type ToolkitSetup,
  Toolkits,
} from './toolkits';
export { Triggers } from './triggers';
export type { Unsupported, UnsupportedMembers, UnsupportedOption, UnsupportedResult } from './unsupported';
export { type DeletedUser, type UserRecord, Users } from './users';
export type { CallOptions } from './validate';
export type { ParseWebhook, VerifyWebhook, WebhookRequest } from './webhook';
export type { IncomingTriggerPayload, WebhookEvent } from './webhook-payload';
export {
  type CreateWebhookSubscription,
  type ListWebhookDeliveries,
  type NewWebhookSubscription,
  type ReplayWebhooks,
  type UpdateWebhookSubscription,
  type WebhookDelivery,
  type WebhookDeliveryStatus,
  type WebhookEventName,
  type WebhookSubscription,
  Webhooks,
} from './webhooks';

// If the native part cannot be loaded, the program fails now instead of at its first call.
void native.Gateway;
