/** The ES module entry. The classes are those of the CommonJS entry. */

export {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  ApiKeys,
  AuthenticationError,
  BadRequestError,
  Composio,
  ComposioError,
  ComposioNoAPIKeyError,
  ConflictError,
  ConnectedAccounts,
  Gateway,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  Session,
  Tools,
  UnprocessableEntityError,
  ValidationError,
} from './index.js';
