// Every error this package throws.
//
// A native call settles with a plain description of its failure. This file chooses the class and creates the
// error, so that its stack leads to the line that made the call.

import type { NativeAdvice, NativeFailure } from '../native';

/** The details of an error besides its message. */
export interface ErrorDetails {
  /** HTTP status of the backend's response. */
  status?: number;
  /** The error's code: a number, or on some routes of the hosted backend a name. */
  code?: number | string;
  /** A name of the error that does not change, for code that reacts to it. */
  slug?: string;
  /** Names the request in the backend's log. */
  requestId?: string;
  /** The advice. */
  suggestedFix?: string;
  /** The problems, one sentence per field. */
  errors?: string[];
  /** The field or option that is wrong, such as `parameters[0].value`. */
  field?: string;
  /** Headers of the backend's response. */
  headers?: Headers;
  /** After how many milliseconds to try again, where the backend said so. */
  retryAfter?: number;
  /** Its cause. */
  cause?: unknown;
}

/** The body of an error as it travels. */
export interface ErrorEnvelope {
  /** The error, under the names of the wire. */
  error: {
    message: string;
    status?: number;
    code?: number | string;
    slug?: string;
    request_id?: string;
    suggested_fix?: string;
    errors?: string[];
  };
}

/**
 * The class of every error that this package throws.
 *
 * @example
 * ```ts
 * try {
 *   await session.proxyExecute({ toolkit: 'github', endpoint: '/user', method: 'GET' });
 * } catch (error) {
 *   if (error instanceof ComposioError && error.slug === 'ToolRouterV2_NoActiveConnection') {
 *     // the user has to connect their account first
 *   }
 *   throw error;
 * }
 * ```
 */
export class ComposioError extends Error {
  /** HTTP status of the backend's response; absent without a response. */
  declare readonly status?: number;
  /** The error's code: a number, or on some routes of the hosted backend a name. */
  declare readonly code?: number | string;
  /** A name of the error that does not change, for code that reacts to it. */
  declare readonly slug?: string;
  /** Names the request in the backend's log. */
  declare readonly requestId?: string;
  /** The advice. The message ends with the same sentence. */
  declare readonly suggestedFix?: string;
  /** The problems, one sentence per field. */
  declare readonly errors?: readonly string[];
  /** The field or option that is wrong, such as `parameters[0].value`; the first one where there are several. */
  declare readonly field?: string;
  /** Headers of the backend's response, such as `error.headers?.get('x-request-id')`. */
  declare readonly headers?: Headers;
  /** After how many milliseconds to try again, where the backend said so. */
  declare readonly retryAfter?: number;

  constructor(message: string, details: ErrorDetails = {}) {
    const { cause, ...known } = details;
    super(details.suggestedFix ? `${message} ${details.suggestedFix}` : message, cause === undefined ? {} : { cause });
    Object.assign(this, known);
  }
}

/** No API key was given, and `COMPOSIO_API_KEY` is not set. */
export class ComposioNoAPIKeyError extends ComposioError {
  declare readonly code: 'TS-SDK::NO_API_KEY_PROVIDED';
  /** As the Composio SDK has it. No backend was asked, so there is no `status`. */
  readonly statusCode = 401;

  constructor() {
    super('There is no API key.', {
      code: 'TS-SDK::NO_API_KEY_PROVIDED',
      suggestedFix:
        'Pass `apiKey` to `new Composio()`, set COMPOSIO_API_KEY, or pass `gateway` to call an embedded gateway.',
    });
  }
}

/**
 * An argument cannot be used. It is thrown before anything is sent.
 *
 * `errors` lists everything that is wrong, one sentence per field.
 */
export class ValidationError extends ComposioError {
  declare readonly code: 'TS-SDK::VALIDATION_ERROR';
  declare readonly errors: readonly string[];

  constructor(what: string, errors: string[], options: { cause?: unknown; field?: string } = {}) {
    super(`Invalid ${what}: ${errors.join(' ')}`, { ...options, code: 'TS-SDK::VALIDATION_ERROR', errors });
  }
}

/**
 * The backend refused or failed a call. Its subclasses are by status.
 *
 * A response of the third-party API is never an error: `proxyExecute` returns it, whatever its status.
 */
export class APIError extends ComposioError {
  /** The response's body in its wire form; absent without a response. */
  declare readonly error?: ErrorEnvelope;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    const { status, code, slug, requestId: request_id, suggestedFix: suggested_fix, errors } = details;
    if (status !== undefined) {
      // Beside the fields above it would only be printed twice.
      const value = { error: { message, status, code, slug, request_id, suggested_fix, errors } };
      Object.defineProperty(this, 'error', { value, configurable: true, writable: true });
    }
  }
}

/** 400: a field of the request cannot be used, or the call is not allowed as it stands. */
export class BadRequestError extends APIError {
  declare readonly status: 400;
}

/** 401: there is no API key, or it is not valid. */
export class AuthenticationError extends APIError {
  declare readonly status: 401;
}

/** 403: the API key lacks a permission, or the session does not allow the toolkit. */
export class PermissionDeniedError extends APIError {
  declare readonly status: 403;
}

/** 404: there is no such session, account or toolkit. */
export class NotFoundError extends APIError {
  declare readonly status: 404;
}

/** 404: the backend has no such toolkit. */
export class ComposioToolkitNotFoundError extends NotFoundError {}

/** 404: the backend has no such connected account. */
export class ComposioConnectedAccountNotFoundError extends NotFoundError {}

/** 404: the backend has no such auth config, or the toolkit has no such auth scheme. */
export class ComposioAuthConfigNotFoundError extends NotFoundError {}

/** 403: a `SHARED` account that the user may not use. */
export class ComposioSharedAccessDeniedError extends PermissionDeniedError {}

/** 400: an ACL for an account that is not `SHARED`. */
export class ComposioAclOnlyForSharedError extends BadRequestError {}

/** 400: the provider of an account has no way to revoke it. A gateway revokes every account. */
export class ComposioConnectedAccountRevocationNotSupportedError extends BadRequestError {}

/** 409: another change came first. */
export class ConflictError extends APIError {
  declare readonly status: 409;
}

/** 409: the session's configuration has another version than the change is based on. */
export class ComposioSessionConfigConflictError extends ConflictError {}

/** 409: an account in its state cannot be revoked. A gateway revokes every account. */
export class ComposioConnectedAccountNotRevokableError extends ConflictError {}

/** 422: the connected account is disabled, expired or otherwise not usable. */
export class UnprocessableEntityError extends APIError {
  declare readonly status: 422;
}

/** 429: more calls than the key's rate allows. `retryAfter` says when to go on. */
export class RateLimitError extends APIError {
  declare readonly status: 429;
}

/** 500 and above: the backend failed, or could not get a response from the third-party API. */
export class InternalServerError extends APIError {
  declare readonly status: number;
}

/** There was no usable response: no connection, a broken one, or a gateway that is closed. */
export class APIConnectionError extends APIError {
  declare readonly status: undefined;
}

/** The call was not done within its `timeout`, and was cancelled. */
export class APIConnectionTimeoutError extends APIConnectionError {}

/** An account that was being connected failed, expired or was revoked. */
export class ConnectionRequestFailedError extends ComposioError {
  declare readonly code: 'TS-SDK::CONNECTION_REQUEST_FAILED';
  /** The account, its state, and why it is in it; null where the backend does not say. */
  declare readonly meta: Readonly<{ connectedAccountId: string; status: string; statusReason: string | null }>;

  constructor(message: string, details: ErrorDetails & Pick<ConnectionRequestFailedError, 'meta'>) {
    super(message, { ...details, code: 'TS-SDK::CONNECTION_REQUEST_FAILED' });
  }
}

/** An account was not connected within the time that was waited for it. It may still be. */
export class ConnectionRequestTimeoutError extends ComposioError {
  declare readonly code: 'TS-SDK::CONNECTION_REQUEST_TIMEOUT';

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, code: 'TS-SDK::CONNECTION_REQUEST_TIMEOUT' });
  }
}

/** The user has an active account with this auth config already, and no second one was allowed. */
export class ComposioMultipleConnectedAccountsError extends ComposioError {
  declare readonly code: 'TS-SDK::MULTIPLE_CONNECTED_ACCOUNTS';

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, code: 'TS-SDK::MULTIPLE_CONNECTED_ACCOUNTS' });
  }
}

/** A webhook was not signed with the secret, or too long ago. */
export class ComposioWebhookSignatureVerificationError extends ComposioError {
  declare readonly code: 'TS-SDK::WEBHOOK_SIGNATURE_VERIFICATION_FAILED';

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, code: 'TS-SDK::WEBHOOK_SIGNATURE_VERIFICATION_FAILED' });
  }
}

/** The payload of a webhook has none of the documented forms, or is too large. */
export class ComposioWebhookPayloadError extends ComposioError {
  declare readonly code: 'TS-SDK::WEBHOOK_PAYLOAD_INVALID';

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, code: 'TS-SDK::WEBHOOK_PAYLOAD_INVALID' });
  }
}

/**
 * A member of the Composio SDK that this package has in its types only, such as `session.search`. The message says
 * what to use instead.
 */
export class UnsupportedFeatureError extends ComposioError {
  declare readonly slug: 'NotSupported';
  /** The member, such as `session.search`. */
  declare readonly feature: string;

  constructor(feature: string, suggestedFix: string) {
    super(`\`${feature}\` is not in this package.`, { slug: 'NotSupported', suggestedFix });
    Object.assign(this, { feature });
  }
}

/**
 * The next page of a list cannot be asked for. The pages before it are complete.
 *
 * Its `slug` is `PageFailed` for a status other than 2xx, `PagePointer` for a recipe that does not fit the response,
 * `PageLoop` for a cursor that repeats, `PageCursor` for one that cannot be sent, and `NoPagination` for a toolkit
 * without a recipe.
 */
export class PageError extends ComposioError {
  /** The cursor that the page was asked with; null for the first page. To go on, pass it to `paginate` again. */
  declare readonly cursor: string | null;
  /** The JSON pointer that found nothing usable. */
  declare readonly pointer?: string;
  /** The response; absent without one. */
  declare readonly response?: { status: number; data: unknown; headers: Record<string, string> };

  constructor(message: string, details: ErrorDetails & Pick<PageError, 'cursor' | 'pointer' | 'response'>) {
    const { response, ...others } = details;
    super(message, others);
    // Its data may be secret, and would be printed with the error.
    if (response !== undefined) Object.defineProperty(this, 'response', { value: response, configurable: true });
  }
}

// On the prototypes, so that it is no field of each error, and spelled out, so that no minifier changes it.
const CLASSES = {
  ComposioError,
  ComposioNoAPIKeyError,
  ValidationError,
  APIError,
  BadRequestError,
  AuthenticationError,
  PermissionDeniedError,
  NotFoundError,
  ConflictError,
  UnprocessableEntityError,
  RateLimitError,
  InternalServerError,
  APIConnectionError,
  APIConnectionTimeoutError,
  ConnectionRequestFailedError,
  ConnectionRequestTimeoutError,
  ComposioMultipleConnectedAccountsError,
  ComposioToolkitNotFoundError,
  ComposioConnectedAccountNotFoundError,
  ComposioAuthConfigNotFoundError,
  ComposioSharedAccessDeniedError,
  ComposioAclOnlyForSharedError,
  ComposioConnectedAccountRevocationNotSupportedError,
  ComposioSessionConfigConflictError,
  ComposioConnectedAccountNotRevokableError,
  ComposioWebhookSignatureVerificationError,
  ComposioWebhookPayloadError,
  UnsupportedFeatureError,
  PageError,
};
for (const [name, { prototype }] of Object.entries(CLASSES)) {
  Object.defineProperty(prototype, 'name', { value: name, configurable: true, writable: true });
}

const CLASS_BY_STATUS: Readonly<Record<number, typeof APIError>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  422: UnprocessableEntityError,
  429: RateLimitError,
};

/** The classes for one resource, by the last word of the slug: the hosted backend may put its resource before it. */
const CLASS_BY_SLUG: ReadonlyMap<string, typeof APIError> = new Map<string, typeof APIError>([
  ['ToolkitNotFound', ComposioToolkitNotFoundError],
  ['ConnectedAccountNotFound', ComposioConnectedAccountNotFoundError],
  ['AuthConfigNotFound', ComposioAuthConfigNotFoundError],
  ['SharedAccessDenied', ComposioSharedAccessDeniedError],
]);

/** The words of every backend about an ACL for a `PRIVATE` account. They have no slug of their own. */
const ACL_ONLY_FOR_SHARED = 'acl_config_for_shared is only valid on SHARED';

/** The class of an error with a status. A class for one resource is a subclass of the class of the status. */
function classOf(status: number, slug: string, message: string): typeof APIError {
  const general = CLASS_BY_STATUS[status] ?? (status >= 500 ? InternalServerError : APIError);
  const special = message.includes(ACL_ONLY_FOR_SHARED)
    ? ComposioAclOnlyForSharedError
    : CLASS_BY_SLUG.get(slug.slice(slug.lastIndexOf('_') + 1));
  return special !== undefined && special.prototype instanceof general ? special : general;
}

/** The error as one of a subclass, by its status, where the class depends on the route. */
export function ofRoute(error: unknown, classes: Readonly<Record<number, typeof APIError>>): unknown {
  if (!(error instanceof APIError) || error.status === undefined) return error;
  const special = classes[error.status];
  if (special?.prototype instanceof error.constructor) Object.setPrototypeOf(error, special.prototype);
  return error;
}

/** A sentence about a problem, and its field. */
export interface Problem {
  sentence: string;
  field?: string;
}

const problemsOfErrors = new WeakMap<ValidationError, readonly Problem[]>();
const adviceOfErrors = new WeakMap<ComposioError, NativeAdvice>();

/** The error to throw for arguments that cannot be used. */
export function invalid(what: string, problems: readonly Problem[]): ValidationError {
  const error = new ValidationError(
    what,
    problems.map(({ sentence }) => sentence),
    { field: problems.find(({ field }) => field !== undefined)?.field },
  );
  problemsOfErrors.set(error, problems);
  return error;
}

/** The problems, by field. */
export function problemsOf(error: ComposioError): readonly Problem[] {
  const { message, suggestedFix = '', field } = error;
  if (error instanceof ValidationError) {
    return problemsOfErrors.get(error) ?? error.errors.map((sentence) => ({ sentence }));
  }
  // The constructor has put the advice at the end.
  const sentence = message.endsWith(suggestedFix) ? message.slice(0, message.length - suggestedFix.length) : message;
  return [{ sentence: sentence.trim(), field }];
}

/** The advice about an error, as data; undefined if all surfaces have the same words for it. */
export function adviceOf(error: ComposioError): NativeAdvice | undefined {
  return adviceOfErrors.get(error);
}

/** The error to throw for a call that failed. An abort is not one: it throws the signal's reason. */
export function toError({ advice, ...failure }: NativeFailure): ComposioError {
  const error = withoutAdvice(failure);
  if (advice !== undefined) adviceOfErrors.set(error, advice);
  return error;
}

function withoutAdvice({ kind, message, headers, ...fields }: Omit<NativeFailure, 'advice'>): ComposioError {
  const details: ErrorDetails =
    headers === undefined || typeof Headers === 'undefined' ? fields : { ...fields, headers: headersOf(headers) };
  const { status = 0, ...withoutStatus } = details;
  switch (kind) {
    case 'timeout':
      return new APIConnectionTimeoutError(message, details);
    case 'connection':
      return new APIConnectionError(message, withoutStatus);
    case 'option':
      return new ComposioError(message, details);
    default: {
      const ErrorClass = classOf(status, details.slug ?? '', message);
      return new ErrorClass(message, details);
    }
  }
}

/**
 * The headers of a response. Web frameworks copy the `headers` of an error into their own response (`{...headers}` in
 * Express, `for … in` in Koa), where the backend's `transfer-encoding` or `www-authenticate` would break it. So there is
 * nothing to copy: `Headers` has no own fields, and its methods are not enumerable.
 */
function headersOf(plain: Readonly<Record<string, string>>): Headers {
  const headers = new Headers();
  // In bytes, as `fetch` has them: a value need not be ASCII, and `Headers` takes nothing wider than a byte.
  for (const [name, value] of Object.entries(plain)) headers.set(name, Buffer.from(value).toString('latin1'));
  for (const name of Object.keys(Headers.prototype)) {
    Object.defineProperty(headers, name, { value: Reflect.get(headers, name) });
  }
  return headers;
}
