// The public surface of proxy-execute.

export { type ApiKey, ApiKeys, type CreateApiKey, type NewApiKey, type Permissions } from './api-keys';
export {
  Composio,
  type ComposioOptions,
  type EmbeddedOptions,
  type RemoteOptions,
  Tools,
} from './composio';
export {
  type ConnectedAccount,
  type ConnectedAccountPage,
  type ConnectedAccountStatus,
  ConnectedAccounts,
  type ImportConnectedAccount,
  type ListConnectedAccounts,
} from './connected-accounts';
export {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AuthenticationError,
  BadRequestError,
  ComposioError,
  ComposioNoAPIKeyError,
  ConflictError,
  type ErrorDetails,
  type ErrorEnvelope,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
  ValidationError,
} from './errors';
export {
  Gateway,
  type GatewayOptions,
  type Listener,
  type ListenOptions,
} from './gateway';
export type {
  BinaryData,
  CustomConnectionData,
  ProxyCall,
  ProxyExecuteRequest,
  ProxyExecuteResponse,
  ProxyMethod,
  ProxyParameter,
  ToolsProxyExecuteRequest,
  ToolsProxyExecuteResponse,
} from './proxy-request';
export { type Mcp, Session } from './session';
export type { Choice, SessionConfig, SessionUpdate, TagFilter, Workbench } from './session-config';
export type { ToolkitDefinition, ToolkitField, ToolkitScheme } from './toolkit';
export type { CallOptions } from './validate';
