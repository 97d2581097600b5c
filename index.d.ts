// Written by `npm run types` from lib/.

/** The options of every call. */
export interface CallOptions {
	/**
	 * Aborts the call, at every stage. The promise is rejected with the signal's `reason`, and the
	 * request is cancelled.
	 */
	signal?: AbortSignal | undefined;
	/**
	 * Time for the whole call in milliseconds, retries and response body included.
	 * Default: the `timeout` of the {@link Composio} object.
	 */
	timeout?: number | undefined;
}
/** Whether only an account's own user may use it (`PRIVATE`), or also those that its ACL allows (`SHARED`). */
export type AccountType = "PRIVATE" | "SHARED";
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
	accountType?: AccountType | undefined;
	/** For a `SHARED` account. Default: only the account's own user may use it. */
	aclConfigForShared?: Partial<AccountAcl> | undefined;
}
/** How an account is shared. */
export interface AccountSharing {
	/** Whether other users may use the account. */
	accountType: AccountType;
	/** Absent for a `PRIVATE` account. */
	aclConfigForShared?: AccountAcl | undefined;
}
/** The state of an account. Calls are made with `ACTIVE` ones only. */
export type ConnectedAccountStatus = "INITIALIZING" | "INITIATED" | "ACTIVE" | "FAILED" | "EXPIRED" | "INACTIVE" | "REVOKED" | (string & {});
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
	toolkit: {
		slug: string;
	};
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
	experimental?: AccountSharing | undefined;
	/** The credential's fields. Secrets are `REDACTED`. */
	state?: Credential | undefined;
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
/** An API key's permissions, by area. It has no access to other areas. */
export type Permissions = Partial<Record<PermissionArea, "none" | "read" | "write" | "read_write">>;
/** The areas of a gateway's routes. Other areas belong to the hosted backend. */
export type PermissionArea = "auth_configs" | "connected_accounts" | "proxy_execute" | "sessions" | "toolkits" | "users" | "webhooks" | (string & {});
/** An API key to make. */
export interface CreateApiKey {
	/** Its purpose. */
	name?: string | undefined;
	/** Its permissions, such as `{ proxy_execute: 'write', sessions: 'read_write' }`. Default: all. */
	permissions?: Permissions | undefined;
	/** When it ends: a date, or one in ISO 8601 with its offset. Default: never. */
	expiresAt?: string | Date | undefined;
	/** The addresses and networks, such as `10.0.0.0/8`, that it may be used from. Default: any. */
	allowedAddresses?: readonly string[] | undefined;
}
/** An API key, without its secret. */
export interface ApiKey {
	/** Its id, for revoking it. */
	id: string;
	/** Its purpose. */
	name: string | null;
	/** Its permissions; null means all. */
	permissions: Permissions | null;
	/** Where it may be used from; null means anywhere. */
	allowedAddresses: string[] | null;
	/** When it ends, as an ISO 8601 date; null means never. */
	expiresAt: string | null;
	/** When it was created, as an ISO 8601 date. */
	createdAt: string;
	/** When it was last used, as an ISO 8601 date, exact to a minute; null before the first time. */
	lastUsedAt: string | null;
	/** When it was revoked, as an ISO 8601 date; null while it is valid. */
	revokedAt: string | null;
}
/** An API key that was just created. */
export interface NewApiKey extends ApiKey {
	/** The key itself. It is shown once and not stored. */
	key: string;
}
/** The keys for the port, by {@link Gateway.apiKeys}. */
export declare class ApiKeys {
	#private;
	private constructor();
	/**
	 * Creates a key. It is returned once, and the gateway stores a hash of it.
	 *
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {BadRequestError} If an area does not exist, or an address is invalid.
	 *
	 * @example
	 * ```ts
	 * const { key } = await gateway.apiKeys.create({ name: 'worker', permissions: { proxy_execute: 'write' } });
	 * ```
	 */
	create(request?: CreateApiKey): Promise<NewApiKey>;
	/**
	 * Lists the keys. Their secrets are not shown.
	 *
	 * @example
	 * ```ts
	 * for (const { id, name } of await gateway.apiKeys.list()) console.log(id, name);
	 * ```
	 */
	list(): Promise<ApiKey[]>;
	/**
	 * Revokes a key, at once and permanently.
	 *
	 * @throws {NotFoundError} If there is no such key.
	 *
	 * @example
	 * ```ts
	 * await gateway.apiKeys.revoke(id);
	 * ```
	 */
	revoke(keyId: string): Promise<void>;
}
/**
 * A third-party API, and how it is authenticated with.
 *
 * Texts may have `{{name}}` in them, which stands for a field of the account's credential.
 *
 * @example
 * ```ts
 * const acme: ToolkitDefinition = {
 *   slug: 'acme',
 *   name: 'Acme',
 *   base_url: 'https://{{subdomain}}.acme.com/api',
 *   fields: { subdomain: { description: 'The part before .acme.com', example: 'my-team' } },
 *   schemes: {
 *     BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } },
 *   },
 * };
 * ```
 */
export interface ToolkitDefinition {
	/** The name that calls use, in lower case. A built-in toolkit of the same slug is replaced. */
	slug: string;
	/** The display name. */
	name: string;
	/** Where the API and its authentication are documented. */
	docs?: string | undefined;
	/** The URL to which relative endpoints are appended. A path in it is kept. */
	base_url: string;
	/** Further hosts that an absolute endpoint may have, and that the credential is sent to. */
	hosts?: readonly string[] | undefined;
	/**
	 * An endpoint that only reads, such as `/user`, and responds with 401 or 403 to a credential that is not
	 * accepted. The gateway calls it when a user enters a credential on the connect page.
	 */
	check?: string | undefined;
	/**
	 * The scheme of a link for which there is no auth config: `API_KEY`, `BEARER_TOKEN`, `BASIC` or `DCR_OAUTH`. Default: a
	 * toolkit whose users sign in with OAuth needs an auth config; else the first of `DCR_OAUTH`, `API_KEY`,
	 * `BEARER_TOKEN` and `BASIC` that it has.
	 */
	default_scheme?: string | undefined;
	/** Headers that every call has, unless the call sets them itself. */
	headers?: Record<string, string> | undefined;
	/** The fields of a credential that are not the scheme's own, such as a subdomain. */
	fields?: Record<string, ToolkitField> | undefined;
	/** How each auth scheme puts the credential into a request, by names such as `BEARER_TOKEN`. */
	schemes: Record<string, ToolkitScheme>;
	/** How the API gives the pages of a list, for {@link Session.paginate}. */
	pagination?: ToolkitPagination | undefined;
	/** Where the API says when it takes calls again, for the `retry` of a call. */
	rate_limit?: ToolkitRateLimit | undefined;
}
/**
 * How an API gives the pages of a list. JSON pointers are those of RFC 6901, such as `/meta/next`.
 *
 * @example
 * ```ts
 * const pagination: ToolkitPagination = { kind: 'cursor', items: '/results', cursor: '/next', query: 'cursor' };
 * ```
 */
export interface ToolkitPagination {
	/**
	 * How the next page is asked for: by a URL in the response, by a text in the response, by the number of items before
	 * it, or by its number.
	 */
	kind: "link" | "cursor" | "offset" | "page";
	/** The provider's page that documents it. */
	docs?: string | undefined;
	/**
	 * The JSON pointer of a page's items. Without one, the items are the response if it is a list, else its only member
	 * that is one.
	 */
	items?: string | undefined;
	/** Whether a page without items may leave out their list. */
	may_omit_items?: boolean | undefined;
	/** The JSON pointer of a flag that is false on the last page. */
	more?: string | undefined;
	/** For `link`: the JSON pointer of the next page's URL. Without one, the URL is in the header `Link` (RFC 8288). */
	link?: string | undefined;
	/** For `link`: attributes that the link in the header must have. */
	link_attributes?: Record<string, string> | undefined;
	/** For `cursor`: the JSON pointer of the next page's cursor. */
	cursor?: string | undefined;
	/** For `cursor`: the header that has the next page's cursor, in lower case. */
	cursor_header?: string | undefined;
	/** The query key for the cursor, the offset or the page's number. */
	query?: string | undefined;
	/** Its JSON pointer in the body of a POST. */
	body?: string | undefined;
	/** For `offset` and `page`: that of the first page. Default: 0 for `offset`, and 1 for `page`. */
	start?: number | undefined;
	/** For `offset`: the JSON pointer of the number of all items. */
	total?: string | undefined;
	/** For `page`: the JSON pointer of the number of all pages. */
	total_pages?: string | undefined;
}
/** The header in which an API says when it takes calls again. */
export interface ToolkitRateLimit {
	/** The header's name, in lower case. */
	header: string;
	/** The meaning of its value: a time since 1970, a time from now, or a date. */
	unit: "epoch_seconds" | "epoch_milliseconds" | "seconds" | "milliseconds" | "date";
	/** The header with the number of calls that are left. A 403 with 0 in it means the same as a 429. */
	remaining?: string | undefined;
	/** The provider's page that documents it. */
	docs?: string | undefined;
}
/** A field of a credential. */
export interface ToolkitField {
	/** A description for the user who enters it. */
	description: string;
	/** An example of its value. */
	example?: string | undefined;
	/** Its default value. Without a default it is required. */
	default?: string | undefined;
	/** The values that it may have, where not any: texts, and `*.example.com` for one label in front of a domain. */
	values?: readonly string[] | undefined;
}
/** How an auth scheme puts the credential into a request. */
export interface ToolkitScheme {
	/** Headers to add, such as `{ Authorization: 'Bearer {{token}}' }`. */
	headers?: Record<string, string> | undefined;
	/** Query values to add. */
	query?: Record<string, string> | undefined;
	/** Basic authentication. */
	basic?: {
		username: string;
		password: string;
	} | undefined;
	/** A signature of OAuth 1.0 (RFC 5849). */
	oauth1?: {
		consumer_key: string;
		consumer_secret: string;
		token: string;
		token_secret: string;
	} | undefined;
	/** The base URL with this scheme, if it is another. */
	base_url?: string | undefined;
	/** The further hosts with this scheme, if they are others. */
	hosts?: readonly string[] | undefined;
	/** Where its tokens come from. Without it accounts can be imported, but neither connected nor refreshed. */
	authorization_server?: ToolkitAuthorizationServer | undefined;
}
/** An OAuth 2.0 authorization server (RFC 6749). All but `token_url` is for providers that differ. */
export interface ToolkitAuthorizationServer {
	/** The page where a user consents. */
	authorize_url?: string | undefined;
	/** Where a code, a refresh token or another grant is exchanged for tokens. */
	token_url: string;
	/** Where a refresh token is spent. Default: `token_url`. */
	refresh_url?: string | undefined;
	/** The endpoint that revokes a token (RFC 7009). */
	revoke_url?: string | undefined;
	/** Where a client is registered for each account (RFC 7591): needed by `DCR_OAUTH`, and for no other scheme. */
	registration_url?: string | undefined;
	/** Its issuer identifier. A callback that names another one in `iss` is refused (RFC 9207). */
	issuer?: string | undefined;
	/** Whether all its callbacks name it, as its metadata says under the same name. Then one without is refused. */
	authorization_response_iss_parameter_supported?: boolean | undefined;
	/** Fields of the account that a callback has in its query: the parameter, or the part of it before an ending. */
	callback_fields?: Record<string, string | {
		parameter: string;
		ending: string;
	}> | undefined;
	/** The provider's page where an OAuth client is registered, for the errors that ask for one. */
	client_page?: string | undefined;
	/** The scopes to request when the auth config names none. */
	scopes?: readonly string[] | undefined;
	/** The meaning of scopes, for the user of the connect page. */
	scope_words?: Record<string, string> | undefined;
	/** The separator of scopes. Default: a space. */
	scope_separator?: string | undefined;
	/** The parameter that has the scopes. Default: `scope`. */
	scope_parameter?: string | undefined;
	/** The parameter for an auth config's `user_scopes`, where a provider tells them from those of the app. */
	user_scope_parameter?: string | undefined;
	/** The parameter that has the client's id. Default: `client_id`. */
	client_id_parameter?: string | undefined;
	/** Whether a code is bound to its flow (RFC 7636, S256). Default: true. */
	pkce?: boolean | undefined;
	/** Whether the client's id and secret are parameters or HTTP basic authentication. Default: `body`. */
	client_authentication?: "body" | "basic" | undefined;
	/** How requests to the token endpoint are written. Default: `form`. */
	token_request?: "form" | "json" | undefined;
	/** Further parameters of the authorize URL. */
	authorize_parameters?: Record<string, string> | undefined;
	/** Further parameters of token requests. */
	token_parameters?: Record<string, string> | undefined;
	/** Where fields of the account are in the token response: a JSON pointer, or a part of the text there. */
	token_answer?: Record<string, string | {
		at: string;
		ending: string;
	}> | undefined;
	/** Lifetime of an access token in seconds, if the response has none. */
	default_lifetime?: number | undefined;
}
/**
 * Which responses of the API are retried. The gateway's own retries are apart from these: they are of calls that cannot
 * have reached the API.
 *
 * @example
 * ```ts
 * const retry: RetryOptions = { attempts: 4, statuses: [429, 503], maxWait: 10_000 };
 * ```
 */
export interface RetryOptions {
	/** How often the call is made at most, the first time included: from 1 to 10. Default: 3. */
	attempts?: number | undefined;
	/**
	 * The statuses to retry. Default: 429, 500, 502, 503 and 504. A write is retried after a 429, and after a 503 with
	 * `Retry-After`, and after no other status.
	 */
	statuses?: readonly number[] | undefined;
	/** The longest wait before an attempt, in milliseconds. Where the API asks for more, its response is returned. Default: 30 000. */
	maxWait?: number | undefined;
}
/** An administrative change. */
export interface AuditEntry {
	/** Its place in the record: 1 for the first change, without a gap. */
	number: number;
	/** When it was made, as an ISO 8601 date. */
	at: string;
	/** The id of the API key, or `owner` for the program that opened the gateway and for the command. */
	actor: string;
	/** The kind of thing, a dot, and what happened to it, such as `api_key.created`. */
	action: string;
	/** The id of the thing. */
	target: string;
	/** SHA-256 over the hash of the entry before and this entry, in hexadecimal. */
	hash: string;
}
/** Which changes to list. */
export interface ListAudit {
	/** Only changes from this time on: a date, or one in ISO 8601 with its offset. */
	since?: string | Date | undefined;
	/** Only changes before this time. */
	until?: string | Date | undefined;
	/** Upper limit for the number of entries, up to 1 000. Default: 100. */
	limit?: number | undefined;
	/** The `nextCursor` of the previous page. */
	cursor?: string | undefined;
}
/** A page of the record, newest first. */
export interface AuditPage {
	/** The entries of the page. */
	items: AuditEntry[];
	/** The `cursor` of the next page; null on the last page. */
	nextCursor: string | null;
}
/** The outcome of a verification. */
export interface AuditVerification {
	/** Whether every entry is as it was written, and the record has the given head. */
	intact: boolean;
	/** How many entries are intact, from the first on. */
	entries: number;
	/** The hash of the last intact entry; null if there is none. */
	head: string | null;
	/** The first entry that is not as it was written; null if there is none. */
	broken: {
		number: number;
		reason: string;
	} | null;
	/** Whether the record has the given head; null if none was given. */
	hasHead: boolean | null;
}
/** The administrative changes of a gateway, by {@link Gateway.audit}. */
export declare class Audit {
	#private;
	private constructor();
	/**
	 * Lists administrative changes, the newest first.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 *
	 * @example
	 * ```ts
	 * const { items } = await gateway.audit.list({ since: '2030-01-01T00:00:00Z' });
	 * for (const { at, actor, action, target } of items) console.log(at, actor, action, target);
	 * ```
	 */
	list(filter?: ListAudit, options?: CallOptions): Promise<AuditPage>;
	/**
	 * Verifies that every entry is as it was written.
	 *
	 * @param expected `head` is the `head` of an earlier verification that you noted elsewhere. Only with it can the
	 * verification show that the end of the record was cut off, or that all of it was written again.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 *
	 * @example
	 * ```ts
	 * const { intact, head } = await gateway.audit.verify();
	 * ```
	 */
	verify(expected?: {
		head?: string | undefined;
	}, options?: CallOptions): Promise<AuditVerification>;
}
/** A field to fill in. */
export interface ToolkitInputField {
	/** Its name in a credential's `val`. */
	name: string;
	/** The display name. */
	displayName: string;
	/** Its description. */
	description: string;
	/** The kind of its value, such as `string`. */
	type: string;
	/** Whether it is required. */
	required: boolean;
	/** Its default value. */
	default?: string | null | undefined;
	/** Whether it is a secret; absent if the backend does not say. */
	isSecret?: boolean | undefined;
}
/** The details of an error besides its message. */
export interface ErrorDetails {
	/** HTTP status of the backend's response. */
	status?: number | undefined;
	/** The error's code: a number, or on some routes of the hosted backend a name. */
	code?: number | string | undefined;
	/** A name of the error that does not change, for code that reacts to it. */
	slug?: string | undefined;
	/** Names the request in the backend's log. */
	requestId?: string | undefined;
	/** The advice. */
	suggestedFix?: string | undefined;
	/** The problems, one sentence per field. */
	errors?: string[] | undefined;
	/** The field or option that is wrong, such as `parameters[0].value`. */
	field?: string | undefined;
	/** Headers of the backend's response. */
	headers?: Headers | undefined;
	/** After how many milliseconds to try again, where the backend said so. */
	retryAfter?: number | undefined;
	/** Its cause. */
	cause?: unknown | undefined;
}
/** The body of an error as it travels. */
export interface ErrorEnvelope {
	/** The error, under the names of the wire. */
	error: {
		message: string;
		status?: number | undefined;
		code?: number | string | undefined;
		slug?: string | undefined;
		request_id?: string | undefined;
		suggested_fix?: string | undefined;
		errors?: string[] | undefined;
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
export declare class ComposioError extends Error {
	/** HTTP status of the backend's response; absent without a response. */
	readonly status?: number | undefined;
	/** The error's code: a number, or on some routes of the hosted backend a name. */
	readonly code?: number | string | undefined;
	/** A name of the error that does not change, for code that reacts to it. */
	readonly slug?: string | undefined;
	/** Names the request in the backend's log. */
	readonly requestId?: string | undefined;
	/** The advice. The message ends with the same sentence. */
	readonly suggestedFix?: string | undefined;
	/** The problems, one sentence per field. */
	readonly errors?: readonly string[] | undefined;
	/** The field or option that is wrong, such as `parameters[0].value`; the first one where there are several. */
	readonly field?: string | undefined;
	/** Headers of the backend's response, such as `error.headers?.get('x-request-id')`. */
	readonly headers?: Headers | undefined;
	/** After how many milliseconds to try again, where the backend said so. */
	readonly retryAfter?: number | undefined;
	constructor(message: string, details?: ErrorDetails);
}
/** No API key was given, and `COMPOSIO_API_KEY` is not set. */
export declare class ComposioNoAPIKeyError extends ComposioError {
	readonly code: "TS-SDK::NO_API_KEY_PROVIDED";
	/** As the Composio SDK has it. No backend was asked, so there is no `status`. */
	readonly statusCode = 401;
	constructor();
}
/**
 * An argument cannot be used. It is thrown before anything is sent.
 *
 * `errors` lists everything that is wrong, one sentence per field.
 */
export declare class ValidationError extends ComposioError {
	readonly code: "TS-SDK::VALIDATION_ERROR";
	readonly errors: readonly string[];
	constructor(what: string, errors: string[], options?: {
		cause?: unknown | undefined;
		field?: string | undefined;
	});
}
/**
 * The backend refused or failed a call. Its subclasses are by status.
 *
 * A response of the third-party API is never an error: `proxyExecute` returns it, whatever its status.
 */
export declare class APIError extends ComposioError {
	/** The response's body in its wire form; absent without a response. */
	readonly error?: ErrorEnvelope | undefined;
	constructor(message: string, details?: ErrorDetails);
}
/** 400: a field of the request cannot be used, or the call is not allowed as it stands. */
export declare class BadRequestError extends APIError {
	readonly status: 400;
}
/** 401: there is no API key, or it is not valid. */
export declare class AuthenticationError extends APIError {
	readonly status: 401;
}
/** 403: the API key lacks a permission, or the session does not allow the toolkit. */
export declare class PermissionDeniedError extends APIError {
	readonly status: 403;
}
/** 404: there is no such session, account or toolkit. */
export declare class NotFoundError extends APIError {
	readonly status: 404;
}
/** 404: the backend has no such toolkit. */
export declare class ComposioToolkitNotFoundError extends NotFoundError {
}
/** 404: the backend has no such connected account. */
export declare class ComposioConnectedAccountNotFoundError extends NotFoundError {
}
/** 404: the backend has no such auth config, or the toolkit has no such auth scheme. */
export declare class ComposioAuthConfigNotFoundError extends NotFoundError {
}
/** 403: a `SHARED` account that the user may not use. */
export declare class ComposioSharedAccessDeniedError extends PermissionDeniedError {
}
/** 400: an ACL for an account that is not `SHARED`. */
export declare class ComposioAclOnlyForSharedError extends BadRequestError {
}
/** 400: the provider of an account has no way to revoke it. A gateway revokes every account. */
export declare class ComposioConnectedAccountRevocationNotSupportedError extends BadRequestError {
}
/** 409: another change came first. */
export declare class ConflictError extends APIError {
	readonly status: 409;
}
/** 409: the session's configuration has another version than the change is based on. */
export declare class ComposioSessionConfigConflictError extends ConflictError {
}
/** 409: an account in its state cannot be revoked. A gateway revokes every account. */
export declare class ComposioConnectedAccountNotRevokableError extends ConflictError {
}
/** 422: the connected account is disabled, expired or otherwise not usable. */
export declare class UnprocessableEntityError extends APIError {
	readonly status: 422;
}
/** 429: more calls than the key's rate allows. `retryAfter` says when to go on. */
export declare class RateLimitError extends APIError {
	readonly status: 429;
}
/** 500 and above: the backend failed, or could not get a response from the third-party API. */
export declare class InternalServerError extends APIError {
	readonly status: number;
}
/** There was no usable response: no connection, a broken one, or a gateway that is closed. */
export declare class APIConnectionError extends APIError {
	readonly status: undefined;
}
/** The call was not done within its `timeout`, and was cancelled. */
export declare class APIConnectionTimeoutError extends APIConnectionError {
}
/** An account that was being connected failed, expired or was revoked. */
export declare class ConnectionRequestFailedError extends ComposioError {
	readonly code: "TS-SDK::CONNECTION_REQUEST_FAILED";
	/** The account, its state, and why it is in it; null where the backend does not say. */
	readonly meta: Readonly<{
		connectedAccountId: string;
		status: string;
		statusReason: string | null;
	}>;
	constructor(message: string, details: ErrorDetails & Pick<ConnectionRequestFailedError, "meta">);
}
/** An account was not connected within the time that was waited for it. It may still be. */
export declare class ConnectionRequestTimeoutError extends ComposioError {
	readonly code: "TS-SDK::CONNECTION_REQUEST_TIMEOUT";
	constructor(message: string, details?: ErrorDetails);
}
/** The user has an active account with this auth config already, and no second one was allowed. */
export declare class ComposioMultipleConnectedAccountsError extends ComposioError {
	readonly code: "TS-SDK::MULTIPLE_CONNECTED_ACCOUNTS";
	constructor(message: string, details?: ErrorDetails);
}
/** A webhook was not signed with the secret, or too long ago. */
export declare class ComposioWebhookSignatureVerificationError extends ComposioError {
	readonly code: "TS-SDK::WEBHOOK_SIGNATURE_VERIFICATION_FAILED";
	constructor(message: string, details?: ErrorDetails);
}
/** The payload of a webhook has none of the documented forms, or is too large. */
export declare class ComposioWebhookPayloadError extends ComposioError {
	readonly code: "TS-SDK::WEBHOOK_PAYLOAD_INVALID";
	constructor(message: string, details?: ErrorDetails);
}
/**
 * A member of the Composio SDK that this package has in its types only, such as `session.search`. The message says
 * what to use instead.
 */
export declare class UnsupportedFeatureError extends ComposioError {
	readonly slug: "NotSupported";
	/** The member, such as `session.search`. */
	readonly feature: string;
	constructor(feature: string, suggestedFix: string);
}
/**
 * The next page of a list cannot be asked for. The pages before it are complete.
 *
 * Its `slug` is `PageFailed` for a status other than 2xx, `PagePointer` for a recipe that does not fit the response,
 * `PageLoop` for a cursor that repeats, `PageCursor` for one that cannot be sent, and `NoPagination` for a toolkit
 * without a recipe.
 */
export declare class PageError extends ComposioError {
	/** The cursor that the page was asked with; null for the first page. To go on, pass it to `paginate` again. */
	readonly cursor: string | null;
	/** The JSON pointer that found nothing usable. */
	readonly pointer?: string | undefined;
	/** The response; absent without one. */
	readonly response?: {
		status: number;
		data: unknown;
		headers: Record<string, string>;
	} | undefined;
	constructor(message: string, details: ErrorDetails & Pick<PageError, "cursor" | "pointer" | "response">);
}
/** Where to begin in a list, and how much of it to read. */
export interface PageOptions {
	/** Upper limit for the number of items. */
	limit?: number | undefined;
	/** The `nextCursor` of the previous page. */
	cursor?: string | undefined;
}
/** A page of a list. */
export interface Page<T> {
	/** The items of the page. */
	items: T[];
	/** The `cursor` of the next page; null on the last page. */
	nextCursor: string | null;
	/** How many pages of this size there are. */
	totalPages: number;
	/** The number of this page, from 1. */
	currentPage: number;
	/** How many items there are on all pages. */
	totalItems: number;
}
/** How accounts of a toolkit are connected. Its credentials cannot be read. */
export interface AuthConfig {
	/** Its id, `ac_…`. */
	id: string;
	/** Its name. */
	name: string;
	/** The toolkit. */
	toolkit: {
		slug: string;
		logo: string;
	};
	/** How its accounts authenticate, such as `BEARER_TOKEN`. */
	authScheme: string | null;
	/** Whether its accounts may be used. */
	status: "ENABLED" | "DISABLED" | (string & {});
	/** Whether it uses a client of the hosted backend. */
	isComposioManaged: boolean;
	/** Whether sessions may connect accounts with it. */
	isEnabledForToolRouter: boolean;
	/** How many accounts it has. */
	noOfConnections: number;
	/** Its own credentials by name, such as those of an OAuth client. Every value is `REDACTED`. */
	credentials: Record<string, unknown>;
	/** The fields that connect an account with it. */
	expectedInputFields: ToolkitInputField[];
	/** The tools that its accounts may be used by, on a backend that has tools. A gateway has none. */
	toolAccessConfig: Record<string, unknown>;
	/** The only tools that its accounts may be used by, by an older name. */
	restrictToFollowingTools: string[];
	/** When it was created, as an ISO 8601 date. */
	createdAt: string | null;
	/** When it was changed, as an ISO 8601 date. */
	lastUpdatedAt: string | null;
}
/** An auth config that was just made. */
export interface CreatedAuthConfig extends Pick<AuthConfigReference, "id" | "authScheme" | "isComposioManaged"> {
	/** The toolkit. */
	toolkit: string;
}
/** An auth config to make. */
export type CreateAuthConfig = {
	/** With your own client, or for a scheme that needs none. */
	type: "use_custom_auth";
	/** How its accounts authenticate, such as `API_KEY`. */
	authScheme: string;
	/** Its own credentials, such as those of an OAuth client. */
	credentials?: Record<string, unknown> | undefined;
	/** Its name. */
	name?: string | undefined;
	/** Whether sessions may connect accounts with it. Default: true. */
	isEnabledForToolRouter?: boolean | undefined;
} | {
	/** With a client of the hosted backend. An embedded gateway has none. */
	type: "use_composio_managed_auth";
	/** Scopes to ask for. */
	credentials?: Record<string, unknown> | undefined;
	/** Its name. */
	name?: string | undefined;
	/** Whether sessions may connect accounts with it. Default: true. */
	isEnabledForToolRouter?: boolean | undefined;
};
/** Changes of an auth config. Parts that are not named stay. */
export interface UpdateAuthConfig {
	/** `custom` for an auth config that {@link AuthConfigs.create} created with your own client, else `default`. */
	type: "custom" | "default";
	/** Its own credentials. Fields that are not named stay, and null removes one. For a `custom` auth config only. */
	credentials?: Record<string, unknown> | undefined;
	/** Scopes to request, separated by commas. For a `default` auth config only. */
	scopes?: string | undefined;
	/** Its name. */
	name?: string | undefined;
	/** Whether sessions may connect accounts with it. */
	isEnabledForToolRouter?: boolean | undefined;
}
/** Which auth configs to list. `limit` is from 1 to 1 000, by default 20. */
export interface ListAuthConfigs extends PageOptions {
	/** The toolkit. Default: all toolkits. */
	toolkit?: string | undefined;
	/** Those that use a client of the hosted backend, or those that do not. Default: both. */
	isComposioManaged?: boolean | undefined;
	/** A part of the name. */
	search?: string | undefined;
	/** Whether to list disabled ones too. Default: false. */
	showDisabled?: boolean | undefined;
}
/** How accounts are connected, by {@link Composio.authConfigs}. */
export declare class AuthConfigs {
	#private;
	private constructor();
	/**
	 * Makes an auth config.
	 *
	 * @param toolkit The toolkit, such as `github`.
	 * @param config How accounts are connected. Default: with a client of the hosted backend.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {BadRequestError} If the toolkit does not take the scheme, or there is no managed client
	 * (slug `ToolRouterV2_NoManagedAuth`).
	 * @throws {NotFoundError} If there is no such toolkit.
	 *
	 * @example
	 * ```ts
	 * const { id } = await composio.authConfigs.create('github', { type: 'use_custom_auth', authScheme: 'BEARER_TOKEN' });
	 * ```
	 */
	create(toolkit: string, config?: CreateAuthConfig, options?: CallOptions): Promise<CreatedAuthConfig>;
	/**
	 * Lists auth configs, the latest first, a page at a time.
	 *
	 * @param filter Which ones. Default: all that are enabled.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 *
	 * @example
	 * ```ts
	 * const { items } = await composio.authConfigs.list({ toolkit: 'github' });
	 * ```
	 */
	list(filter?: ListAuthConfigs, options?: CallOptions): Promise<Page<AuthConfig>>;
	/**
	 * Reads an auth config.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * const { authScheme, expectedInputFields } = await composio.authConfigs.get('ac_7b21…');
	 * ```
	 */
	get(authConfigId: string, options?: CallOptions): Promise<AuthConfig>;
	/**
	 * Changes an auth config.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {BadRequestError} If it is of the other type.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * await composio.authConfigs.update('ac_7b21…', { type: 'custom', name: 'GitHub, by token' });
	 * ```
	 */
	update(authConfigId: string, change: UpdateAuthConfig, options?: CallOptions): Promise<void>;
	/**
	 * Deletes an auth config, and its accounts with it.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * await composio.authConfigs.delete('ac_7b21…');
	 * ```
	 */
	delete(authConfigId: string, options?: CallOptions): Promise<void>;
	/**
	 * Enables an auth config again.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * await composio.authConfigs.enable('ac_7b21…');
	 * ```
	 */
	enable(authConfigId: string, options?: CallOptions): Promise<void>;
	/**
	 * Disables an auth config: no call is made with its accounts until it is enabled.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * await composio.authConfigs.disable('ac_7b21…');
	 * ```
	 */
	disable(authConfigId: string, options?: CallOptions): Promise<void>;
	/**
	 * Enables or disables an auth config.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * await composio.authConfigs.updateStatus('DISABLED', 'ac_7b21…');
	 * ```
	 */
	updateStatus(status: "ENABLED" | "DISABLED", authConfigId: string, options?: CallOptions): Promise<void>;
}
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
export declare const AuthScheme: {
	/** Tokens. Without an `access_token` the user is to agree first. */
	OAuth2: (fields: Credential["val"]) => Credential;
	/** Tokens. Without `oauth_token` and `oauth_token_secret` the user is to agree first. */
	OAuth1: (fields: Credential["val"]) => Credential;
	/** A key, mostly as `api_key` or `generic_api_key`. */
	APIKey: (fields: Credential["val"]) => Credential;
	/** A `username` and a `password`. */
	Basic: (fields: Credential["val"]) => Credential;
	/** A `token`. */
	BearerToken: (fields: Credential["val"]) => Credential;
	/** A `username` and a `password` that are exchanged for a token. */
	BasicWithJWT: (fields: Credential["val"]) => Credential;
	/** The key file of a service account, as `credentials_json`. */
	GoogleServiceAccount: (fields: Credential["val"]) => Credential;
	/** A `sessionId` and a `devKey`. */
	BillcomAuth: (fields: Credential["val"]) => Credential;
	/** The fields that Cal.com takes. */
	CalcomAuth: (fields?: Credential["val"]) => Credential;
	/** Nothing, or the fields that the base URL takes. */
	NoAuth: (fields?: Credential["val"]) => Credential;
};
/** Bytes in this process, or a stream of them. A stream is read as it is sent, and can be sent once. */
export type Bytes = Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
/** A body of bytes: the bytes, or where they are. */
export type BinaryBody = Bytes | {
	/** The bytes: a `Buffer`, a `Uint8Array`, a `Blob`, or a stream of the web or of Node.js. */
	data: Bytes;
	/** Their media type. Default: that of a `Blob`, else `application/octet-stream`. */
	contentType?: string | undefined;
	/** How many bytes a stream has, if it is known: several APIs want to know it beforehand. */
	size?: number | undefined;
} | {
	/** A file of this machine. It is read as it is sent. */
	path: string;
	/** Its media type. Default: `application/octet-stream`. */
	contentType?: string | undefined;
} | {
	/** Where the gateway fetches the bytes, without signing in. */
	url: string;
	/** Their media type. Default: that of the response. */
	contentType?: string | undefined;
} | {
	/** The bytes in base64, at most 4 MiB of them. */
	base64: string;
	/** Their media type. Default: `application/octet-stream`. */
	contentType?: string | undefined;
};
/** The slug of a toolkit: a built-in one, or any other. */
export type ToolkitSlug = "_2chat" | "abyssale" | "acculynx" | "active_campaign" | "affinity" | "agencyzoom" | "agentql" | "agenty" | "ahrefs" | "airtable" | "aivoov" | "alchemy" | "algodocs" | "algolia" | "altoviz" | "alttext_ai" | "amara" | "amazon" | "ambee" | "amplitude" | "anchor_browser" | "anthropic" | "anthropic_administrator" | "apaleo" | "apify" | "apollo" | "asana" | "ashby" | "atlassian" | "attio" | "auth0" | "autobound" | "autom" | "bamboohr" | "bannerbear" | "basecamp" | "baselinker" | "basin" | "battlenet" | "beamer" | "beeminder" | "bidsketch" | "bigmailer" | "bigml" | "bigpicture_io" | "bill" | "bitbucket" | "bitquery" | "blackbaud" | "boloforms" | "booqable" | "bouncer" | "box" | "brevo" | "brex" | "browserbase_tool" | "btcpay_server" | "bugsnag" | "builtwith" | "cal" | "calendly" | "campaign_cleaner" | "canva" | "canvas" | "capsule_crm" | "cardly" | "castingwords" | "centralstationcrm" | "circleci" | "clickmeeting" | "clicksend" | "clickup" | "clockify" | "cloudconvert" | "cloudflare" | "cloudflare_browser_rendering" | "cloudlayer" | "coda" | "codacy" | "codemagic" | "coinbase" | "coinmarketcal" | "confluence" | "contentful" | "contentful_graphql" | "coupa" | "craftmypdf" | "crowdin" | "customerio" | "daffy" | "dart" | "databricks" | "datadog" | "datagma" | "datascope" | "deel" | "deepgram" | "deepseek" | "demio" | "detrack" | "dialmycalls" | "dialpad" | "diffbot" | "digital_ocean" | "discord" | "discordbot" | "docparser" | "docraptor" | "docugenerate" | "documenso" | "docuseal" | "docusign" | "doppler_marketing_automation" | "doppler_secretops" | "dropbox" | "dropbox_sign" | "dropcontact" | "dynamics365" | "elevenlabs" | "emelia" | "enigma" | "esignatures_io" | "espocrm" | "eventbrite" | "eversign" | "exa" | "excel" | "facebook" | "feathery" | "figma" | "files_com" | "fillout_forms" | "findymail" | "finerworks" | "fireberry" | "firecrawl" | "fireflies" | "fluxguard" | "folk" | "formbricks" | "formsite" | "fraudlabs_pro" | "freshbooks" | "freshdesk" | "freshservice" | "fullenrich" | "gamma" | "gatherup" | "gemini" | "geoapify" | "gigasheet" | "gist" | "gitea" | "github" | "gitlab" | "givebutter" | "gladia" | "gleap" | "gmail" | "gong" | "google_admin" | "google_analytics" | "google_classroom" | "google_maps" | "google_search_console" | "googleads" | "googlebigquery" | "googlecalendar" | "googledocs" | "googledrive" | "googlemeet" | "googlephotos" | "googlesheets" | "googleslides" | "googlesuper" | "googletasks" | "gorgias" | "gosquared" | "grist" | "gumroad" | "hackernews" | "happy_scribe" | "harvest" | "hashnode" | "helpdesk" | "here" | "heygen" | "heyreach" | "highergov" | "highlevel" | "honeyhive" | "hookdeck" | "hubspot" | "hunter" | "icypeas" | "imagekit_io" | "influxdb_cloud" | "instagram" | "instantly" | "intercom" | "ip2location" | "ip2location_io" | "ip2whois" | "ipdata_co" | "iqair_airvisual" | "jigsawstack" | "jira" | "jotform" | "jumpcloud" | "junglescout" | "kadoa" | "keap" | "keen_io" | "kickbox" | "kit" | "klaviyo" | "kommo" | "laposta" | "leadfeeder" | "lemlist" | "lessonspace" | "lever" | "linear" | "linkedin" | "linkhut" | "linkup" | "listennotes" | "lmnt" | "lodgify" | "logo_dev" | "loops_so" | "mailchimp" | "mailcoach" | "mails_so" | "mailsoftly" | "mapbox" | "mem" | "mem0" | "memberstack" | "membervault" | "metaads" | "metabase" | "microsoft_clarity" | "microsoft_teams" | "microsoft_tenant" | "minerstat" | "miro" | "mixpanel" | "monday" | "moosend" | "msg91" | "mural" | "mx_toolbox" | "needle" | "neon" | "netsuite" | "neutrino" | "nocrm_io" | "notion" | "one_drive" | "openai" | "outlook" | "pagerduty" | "pandadoc" | "pdf4me" | "peopledatalabs" | "perplexityai" | "pipedrive" | "posthog" | "process_street" | "productboard" | "pushbullet" | "quickbooks" | "ramp" | "recallai" | "recruitee" | "reddit" | "retellai" | "ring_central" | "rocket_reach" | "rocketlane" | "salesforce" | "salesforce_service_cloud" | "seismic" | "semanticscholar" | "semrush" | "sendgrid" | "sentry" | "serpapi" | "servicenow" | "share_point" | "shopify" | "shortcut" | "simplesat" | "slack" | "slackbot" | "smugmug" | "snowflake" | "splitwise" | "spotify" | "square" | "stack_exchange" | "strava" | "stripe" | "supabase" | "survey_monkey" | "tavily" | "textrazor" | "ticktick" | "tiktok" | "timely" | "tisane" | "todoist" | "trello" | "twilio" | "twitch" | "twitter" | "typefully" | "wakatime" | "weathermap" | "webex" | "webflow" | "whatsapp" | "workday" | "wrike" | "xero" | "yandex" | "ynab" | "yousearch" | "youtube" | "zendesk" | "zenrows" | "zenserp" | "zeplin" | "zoho" | "zoho_bigin" | "zoho_books" | "zoho_desk" | "zoho_inventory" | "zoho_invoice" | "zoho_mail" | "zoom" | (string & Record<never, never>);
/**
 * A call, as the subscribers of `tracingChannel('proxy-execute:call')` of `node:diagnostics_channel` receive it. All events
 * of a call have the same object. It has no query, header, body or credential.
 */
export interface CallTrace {
	/** The toolkit, if the call names one. */
	toolkit?: string | undefined;
	/** The account that the call is made with, if the call names one. */
	connectedAccountId?: string | undefined;
	/** The session, if the call is made in one. */
	sessionId?: string | undefined;
	/** The HTTP method. */
	method: string;
	/** The host of the endpoint, if the endpoint is a URL. A path is on a host that only the gateway knows. */
	host?: string | undefined;
	/** The status of the API's response, from `asyncStart` on. */
	status?: number | undefined;
	/** From the call to its response, in milliseconds, from `asyncStart` on; with a stream, to the head of the response. */
	duration?: number | undefined;
	/** Why the call failed, from `error` on. */
	error?: unknown | undefined;
}
/** A call, as it is remembered: never with a query value, a header or a body. */
export interface Call {
	/** Its number. A call that was recorded later has a greater one. */
	id: number;
	/** When it began, as an ISO 8601 date. */
	at: string;
	/** The id of the request that made it, which its error has, too; null if an older version recorded it. */
	requestId: string | null;
	/** The user; null if it was not known yet when the call ended. */
	userId: string | null;
	/** The session; null outside of one. */
	sessionId: string | null;
	/** The toolkit; null if it was not known yet. */
	toolkit: string | null;
	/** The account; null if there was none. */
	connectedAccountId: string | null;
	/** The HTTP method. */
	method: string;
	/** The host that was called, or was to be; null if the call ended before it was known. */
	host: string | null;
	/** The path that was called, or was to be, without its query; null if the call ended before it was known. */
	path: string | null;
	/** `answered`, `cancelled`, or the slug of the error. */
	outcome: string;
	/** The third-party API's HTTP status, even if its response was unusable; null without a response. */
	status: number | null;
	/** The size of the response's body, after decompression. */
	bytes: number;
	/** From the request to the end of the response, in milliseconds. */
	durationMs: number;
}
/** Selects calls of the record, by {@link Calls.list}. A call meets every condition that is set. */
export interface ListCallsOptions {
	/** The user. */
	userId?: string | undefined;
	/** The session. */
	sessionId?: string | undefined;
	/** The toolkit. */
	toolkit?: string | undefined;
	/** The account. */
	connectedAccountId?: string | undefined;
	/** `answered`, `cancelled`, or the slug of an error. */
	outcome?: string | undefined;
	/** The `requestId` of an error, or the `x-request-id` of a response. */
	requestId?: string | undefined;
	/** Calls that began then or later: a date, or its ISO 8601 text. */
	since?: Date | string | undefined;
	/** Calls that began before. */
	until?: Date | string | undefined;
	/** Calls with a smaller `id`, for the next page. */
	before?: number | undefined;
	/** How many at most, from 1 to 10 000. Default: 100. */
	limit?: number | undefined;
}
/** The calls that were made, by {@link Gateway.calls}. */
export declare class Calls {
	#private;
	private constructor();
	/**
	 * Lists calls, the newest first. The `id` of the last one is the `before` of the next page.
	 *
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 *
	 * @example
	 * ```ts
	 * const lastHour = new Date(Date.now() - 3_600_000);
	 * for (const { at, path, status } of await gateway.calls.list({ userId: 'ann', since: lastHour })) {
	 *   console.log(at, path, status);
	 * }
	 * ```
	 */
	list(options?: ListCallsOptions): Promise<Call[]>;
}
/** An account that was begun. */
export interface ConnectionRequest {
	/** The account's id, `ca_…`. */
	id: string;
	/** The account's state when it was begun. */
	status: ConnectedAccountStatus;
	/** The page on which the user completes the account; null if the account is complete. */
	redirectUrl: string | null;
	/** The token by which the page knows the account; not with {@link ConnectedAccounts.initiate}. */
	linkToken?: string | undefined;
	/** Until when the page works, as an ISO 8601 date; not with {@link ConnectedAccounts.initiate}. */
	expiresAt?: string | undefined;
	/** The same as {@link ConnectedAccounts.waitForConnection} with this account. */
	waitForConnection(timeout?: number, options?: Pick<CallOptions, "signal">): Promise<ConnectedAccount>;
}
/** A credential that a user already has. */
export interface ImportConnectedAccount {
	/** Your own id of the user. */
	userId: string;
	/** The toolkit, such as `github`. */
	toolkit: string;
	/** The credential: its scheme, such as `BEARER_TOKEN`, and its fields, such as `{ token }`. */
	credential: Credential;
	/** A name, for telling a user's accounts of one toolkit apart. */
	alias?: string | undefined;
	/**
	 * The auth config with the OAuth client that the tokens were given to, so that they can be
	 * refreshed. Default: one without a client, which imports of the toolkit and scheme have in common.
	 */
	authConfigId?: string | undefined;
	/** Whether other users may use the account. Default: no. */
	experimental?: NewAccountSharing | undefined;
}
/** Which accounts to list. A list of values means any of them. `limit` is from 1 to 1 000, by default 20. */
export interface ListConnectedAccounts extends PageOptions {
	/** The users. Default: all users. */
	userIds?: readonly string[] | undefined;
	/** The toolkits. Default: all toolkits. */
	toolkitSlugs?: readonly string[] | undefined;
	/** The states. Default: all states. */
	statuses?: readonly ConnectedAccountStatus[] | undefined;
	/** The auth configs. Default: all auth configs. */
	authConfigIds?: readonly string[] | undefined;
	/** The ids of the accounts. Default: all accounts. */
	connectedAccountIds?: readonly string[] | undefined;
	/** By when they were made or changed. Default: `created_at`. */
	orderBy?: "created_at" | "updated_at" | undefined;
	/** `desc` has the latest first, and is the default. */
	orderDirection?: "asc" | "desc" | undefined;
	/** Accounts of one user, or ones that several share. Default: `PRIVATE`. */
	accountType?: "PRIVATE" | "SHARED" | "ALL" | undefined;
}
/** A page of accounts. */
export type ConnectedAccountPage = Page<ConnectedAccount>;
/** Changes of an account. Unnamed parts stay. */
export interface UpdateConnectedAccount {
	/** Its name; an empty one removes it. */
	alias?: string | undefined;
	/** New fields of its credential, of the same scheme. Fields that are not named stay; null removes one. */
	credential?: Credential | undefined;
	/** Whether calls may be made with it. */
	enabled?: boolean | undefined;
}
/** How a user connects an account. */
export interface LinkOptions {
	/** The absolute URL to which the user is sent at the end. */
	callbackUrl?: string | undefined;
	/** A name, for telling a user's accounts of one toolkit apart. */
	alias?: string | undefined;
	/** Whether the user may have an active account with this auth config already. Default: false. */
	allowMultiple?: boolean | undefined;
	/** Whether other users may use the account. Default: no. */
	experimental?: NewAccountSharing | undefined;
}
/** How an account is to be connected. */
export interface InitiateOptions extends LinkOptions {
	/** The credential, where the user has it already. The account is `ACTIVE` at once if it is complete. */
	config?: Credential | undefined;
}
/** How a user reconnects an account. */
export interface ReconnectOptions {
	/** The absolute URL to which the user is sent at the end. */
	callbackUrl?: string | undefined;
	/** Scopes to request beside those of the auth config. OAuth only. */
	scopes?: readonly string[] | undefined;
}
/** The accounts of users, by {@link Composio.connectedAccounts}. */
export declare class ConnectedAccounts {
	#private;
	protected constructor();
	/**
	 * Lists accounts, the latest first, a page at a time.
	 *
	 * @param filter Which ones. Default: all.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {BadRequestError} If there is no such state, or the cursor is of another list.
	 *
	 * @example
	 * ```ts
	 * const { items, nextCursor } = await composio.connectedAccounts.list({ userIds: ['user_123'], statuses: ['ACTIVE'] });
	 * ```
	 */
	list(filter?: ListConnectedAccounts, options?: CallOptions): Promise<ConnectedAccountPage>;
	/**
	 * Reads an account.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * const { status } = await composio.connectedAccounts.get('ca_4f9d…');
	 * ```
	 */
	get(accountId: string, options?: CallOptions): Promise<ConnectedAccount>;
	/**
	 * Deletes an account and its credential.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.delete('ca_4f9d…');
	 * ```
	 */
	delete(accountId: string, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Enables an account again.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.enable('ca_4f9d…');
	 * ```
	 */
	enable(accountId: string, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Disables an account: it is kept, and no call is made with it until it is enabled.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.disable('ca_4f9d…');
	 * ```
	 */
	disable(accountId: string, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Enables or disables an account.
	 *
	 * @param status.reason For readers of the request. A gateway does not store it.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.updateStatus('ca_4f9d…', { enabled: false });
	 * ```
	 */
	updateStatus(accountId: string, status: {
		enabled: boolean;
		reason?: string | undefined | undefined;
	}, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Names the default account: calls of {@link Tools.proxyExecute} use it that name neither an account nor credentials.
	 * A backend has at most one, and it replaces the earlier one. The hosted backend does not have this method.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {UnprocessableEntityError} If the account is disabled or otherwise not usable.
	 * @throws {BadRequestError} If the account is `SHARED`.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.setDefault('ca_4f9d…');
	 * ```
	 */
	setDefault(accountId: string, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Makes an account no longer the default account. Any other account stays as it is.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.clearDefault('ca_4f9d…');
	 * ```
	 */
	clearDefault(accountId: string, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Changes an account: its name, fields of its credential, whether it is enabled.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {BadRequestError} If the credential is of another scheme, or lacks a field.
	 * @throws {ConflictError} If another account of the user and toolkit has the name.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.update('ca_4f9d…', { alias: 'work' });
	 * ```
	 */
	update(accountId: string, change: UpdateConnectedAccount, options?: CallOptions): Promise<{
		success: boolean;
	}>;
	/**
	 * Changes which users may use a `SHARED` account beside its own user. It applies from the next call on, to sessions
	 * that pin the account as well.
	 *
	 * A user of `notAllowedUserIds` may never use the account. Any other user may, if `allowAllUsers` is true or
	 * `allowedUserIds` has them.
	 *
	 * @param acl The parts to change. Parts that are not given stay; an empty list clears one.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If no part is given, or an argument is unknown or cannot be used.
	 * @throws {BadRequestError} If the account is `PRIVATE`.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.updateAcl('ca_4f9d…', { allowedUserIds: ['user_123', 'user_456'] });
	 * ```
	 */
	updateAcl(accountId: string, acl: Partial<AccountAcl>, options?: CallOptions): Promise<{
		id: string;
		status: ConnectedAccountStatus;
		success: boolean;
	}>;
	/**
	 * Renews the credential of an account, if its scheme supports it.
	 *
	 * @param refresh `redirectUrl` is the URL to which a user is sent who had to consent again.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns The state of the account, and a link if the user has to consent again.
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {UnprocessableEntityError} If the account is disabled or revoked.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * const { status, redirectUrl } = await composio.connectedAccounts.refresh('ca_4f9d…');
	 * ```
	 */
	refresh(accountId: string, refresh?: {
		redirectUrl?: string | undefined;
		validateCredentials?: boolean | undefined;
	}, options?: CallOptions): Promise<{
		id: string;
		status: ConnectedAccountStatus;
		redirectUrl: string | null;
	}>;
	/**
	 * Asks the provider to revoke an account's tokens, and deletes the credential in every case. The account
	 * stays, as `REVOKED`.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns `revokedTokens` are the tokens that the provider revoked, such as `refresh_token`.
	 * `notRevoked` are the tokens that may still work, each with the reason.
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * await composio.connectedAccounts.revoke('ca_4f9d…');
	 * ```
	 */
	revoke(accountId: string, options?: CallOptions): Promise<{
		id: string;
		status: ConnectedAccountStatus;
		success: boolean;
		revokedTokens: string[];
		notRevoked: string[];
	}>;
	/**
	 * Creates an account, and a page where the user completes it.
	 *
	 * @param userId Your own id of the user.
	 * @param authConfigId How to connect, `ac_…`.
	 * @param link The URL to which the user is sent at the end, and the name of the account.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns The page, as `redirectUrl`, and `waitForConnection` to wait until the account is `ACTIVE`.
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {ComposioMultipleConnectedAccountsError} If the user has an active account with this
	 * auth config, and `allowMultiple` is not true.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * const { redirectUrl, waitForConnection } = await composio.connectedAccounts.link('user_123', 'ac_7b21…');
	 * // send the user to redirectUrl
	 * const account = await waitForConnection();
	 * ```
	 */
	link(userId: string, authConfigId: string, link?: LinkOptions, options?: CallOptions): Promise<ConnectionRequest>;
	/**
	 * Reconnects an account: returns a link where the user signs in again, because the account no longer
	 * works, or to request more scopes. The account keeps its id and name. An `ACTIVE` account keeps its
	 * credential until the new one arrives. The hosted backend does not have this.
	 *
	 * @param reconnect The URL to which the user is sent at the end, and further scopes.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns The page, as `redirectUrl`, and `waitForConnection`, which has to wait for an account
	 * that is not `ACTIVE` only.
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {NotFoundError} If there is no such account.
	 * @throws {ConflictError} If the gateway does not listen, so that there is no page (slug `GatewayNotListening`).
	 *
	 * @example
	 * ```ts
	 * const { redirectUrl } = await composio.connectedAccounts.reconnect('ca_4f9d…', { scopes: ['repo'] });
	 * ```
	 */
	reconnect(accountId: string, reconnect?: ReconnectOptions, options?: CallOptions): Promise<ConnectionRequest>;
	/**
	 * Connects an account: at once with a complete credential in `config`, else by a page, as {@link link} does.
	 *
	 * @param userId Your own id of the user.
	 * @param authConfigId How to connect, `ac_…`.
	 * @param initiate The credential, if the user has it already, and what the account is called.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {ComposioMultipleConnectedAccountsError} If the user has an active account with this
	 * auth config, and `allowMultiple` is not true.
	 * @throws {BadRequestError} If the credential is of another scheme than the auth config.
	 * @throws {NotFoundError} If there is no such auth config.
	 *
	 * @example
	 * ```ts
	 * const { id, status } = await composio.connectedAccounts.initiate('user_123', 'ac_7b21…', {
	 *   config: { authScheme: 'API_KEY', val: { api_key: key } },
	 * });
	 * ```
	 */
	initiate(userId: string, authConfigId: string, initiate?: InitiateOptions, options?: CallOptions): Promise<ConnectionRequest>;
	/**
	 * Waits until an account is `ACTIVE`. A gateway in this process resolves at once; over HTTP, the client polls
	 * once a second.
	 *
	 * @param timeout How long to wait at most, in milliseconds. Default: 60 000.
	 * @param options `signal` ends the wait.
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {ConnectionRequestFailedError} If it has failed, expired or been revoked.
	 * @throws {ConnectionRequestTimeoutError} If it is not active in time.
	 * @throws {NotFoundError} If there is no such account.
	 *
	 * @example
	 * ```ts
	 * const account = await composio.connectedAccounts.waitForConnection('ca_4f9d…', 120_000);
	 * ```
	 */
	waitForConnection(accountId: string, timeout?: number, options?: Pick<CallOptions, "signal">): Promise<ConnectedAccount>;
}
/** The accounts of users in a gateway of this process, by {@link Gateway.connectedAccounts}. */
export declare class GatewayConnectedAccounts extends ConnectedAccounts {
	#private;
	private constructor();
	/**
	 * Stores a credential that a user already has, encrypted. Calls of the user use it from now on.
	 *
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {BadRequestError} If the credential lacks a field of its scheme, or the toolkit or the auth config does not
	 * take the scheme.
	 * @throws {NotFoundError} If there is no such toolkit or auth config.
	 *
	 * @example
	 * ```ts
	 * const account = await gateway.connectedAccounts.import({
	 *   userId: 'user_123',
	 *   toolkit: 'github',
	 *   credential: { authScheme: 'BEARER_TOKEN', val: { token } },
	 * });
	 * ```
	 */
	import(account: ImportConnectedAccount): Promise<ConnectedAccount>;
}
/** The HTTP methods a proxied call may use. Those after `HEAD` need a gateway: the hosted backend does not have them. */
export type ProxyMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" | "QUERY" | "PROPFIND" | "PROPPATCH" | "MKCOL" | "COPY" | "MOVE" | "LOCK" | "UNLOCK" | "REPORT" | "SEARCH";
/** A header or a query value of a proxied call. */
export interface ProxyParameter {
	/** The name of the header or of the query key. */
	name: string;
	/** Its value. A number is written as JavaScript writes it. */
	value: string | number;
	/** Where it goes. */
	in: "header" | "query";
}
/** A value of `query` or `headers`: a text, a number, or a list of them for a repeated name. */
export type ProxyValue = string | number | readonly (string | number)[] | undefined;
/** The request to the third-party API. */
export interface ProxyCall {
	/**
	 * A path below the base URL of the user's account, or an absolute URL on one of the toolkit's
	 * hosts. It may have a query.
	 */
	endpoint: string;
	/** The HTTP method, in upper case. */
	method: ProxyMethod;
	/**
	 * The body, sent as JSON: any value that `JSON.stringify` takes. GET and HEAD have none. A string is sent
	 * unchanged: under a JSON type, the default, it must be valid JSON. Any other needs a header `Content-Type`.
	 */
	body?: unknown | undefined;
	/**
	 * A body of bytes, instead of `body`: a `Buffer`, a `Blob`, a stream, or the place of the bytes. A stream
	 * is sent once, while it is read. A large one needs a gateway: use `{ url }` with other backends.
	 */
	binaryBody?: BinaryBody | undefined;
	/** A form with fields and files, sent as `multipart/form-data`, instead of `body`. */
	formData?: FormData | undefined;
	/**
	 * Headers and query values, in order: at most 100 of each, with 64 KiB of names and values. A repeated name is
	 * sent repeatedly, except for a header that has one value, such as `Content-Type`.
	 */
	parameters?: readonly (ProxyParameter | (Omit<ProxyParameter, "in"> & {
		type: ProxyParameter["in"];
	}))[] | undefined;
	/**
	 * Query values by their names, after those of `parameters` and within the same limits. A list repeats the name, and
	 * undefined is left out.
	 */
	query?: Readonly<Record<string, ProxyValue>> | undefined;
	/** Headers by their names, in the same way. */
	headers?: Readonly<Record<string, ProxyValue>> | undefined;
}
/**
 * The request of {@link Session.proxyExecute}.
 *
 * @example
 * ```ts
 * const request: ProxyExecuteRequest = {
 *   toolkit: 'github',
 *   endpoint: '/repos/octocat/hello-world/issues',
 *   method: 'POST',
 *   body: { title: 'Found a bug' },
 *   parameters: [{ name: 'Accept', value: 'application/vnd.github+json', in: 'header' }],
 * };
 * ```
 */
export interface ProxyExecuteRequest extends ProxyCall {
	/** The toolkit to call, by its slug, such as `github`. */
	toolkit: ToolkitSlug;
}
/**
 * The request of {@link Tools.proxyExecute}: with a named account, or with credentials given in the call.
 */
export interface ToolsProxyExecuteRequest extends ProxyCall {
	/** The account to call as, `ca_…`. Default: the backend's default account, if it has one. */
	connectedAccountId?: string | undefined;
	/** Credentials to call with, instead of an account. They are not stored. */
	customConnectionData?: CustomConnectionData | undefined;
}
/** Credentials given in a call. */
export interface CustomConnectionData {
	/** How the toolkit authenticates, such as `BEARER_TOKEN`. */
	authScheme: string;
	/** The toolkit to call, such as `github`. */
	toolkitSlug: ToolkitSlug;
	/** The credential's fields, such as `{ token }`; which ones there are depends on the scheme. */
	val: Record<string, unknown>;
}
/** A file of the third-party API's response. */
export interface BinaryData {
	/** Where to download it. */
	url: string;
	/** Its media type. */
	contentType: string;
	/** Its size in bytes. */
	size: number;
	/** Until when the URL works, as an ISO 8601 date. */
	expiresAt?: string | undefined;
}
/** The third-party API's response, whatever its status. */
export interface ProxyExecuteResponse<T = unknown> {
	/** The third-party API's HTTP status. A call with 4xx or 5xx returns normally. */
	status: number;
	/** The body: parsed if it is JSON, a string if it is text, null if there is none. */
	data: T;
	/**
	 * The headers, names in lower case; repeated ones are joined with a comma. `new Headers(response.headers)` works, and
	 * keeps repeated ones apart: its `getSetCookie()` is the list of cookies.
	 */
	headers: Record<string, string>;
	/**
	 * The headers as a list of names and values, in which a repeated header, such as `set-cookie`, has an entry for each
	 * value. It is computed from `headers` and not enumerable, so copies and JSON of the response do not have it.
	 */
	readonly headersList: [
		name: string,
		value: string
	][];
	/**
	 * The values of each header, as a list: `headerValues['set-cookie']`. Like `headersList`, it is computed and not
	 * enumerable.
	 */
	readonly headerValues: Record<string, string[] | undefined>;
	/** The file, if the response is one. */
	binaryData?: BinaryData | undefined;
	/** How often the call was made, with the retries of its option `retry`; absent without that option. */
	attempts?: number | undefined;
}
/** The response of {@link Tools.proxyExecute}, in its wire form. */
export interface ToolsProxyExecuteResponse<T = unknown> {
	/** The third-party API's HTTP status. A call with 4xx or 5xx returns normally. */
	status: number;
	/** The body: parsed if it is JSON, a string if it is text, null if there is none. */
	data?: T | undefined;
	/** The headers, names in lower case; repeated ones are joined with a comma. `new Headers(response.headers)` works. */
	headers?: Record<string, string> | undefined;
	/** The headers as a list, in which a repeated header has an entry for each value. It is not enumerable. */
	readonly headersList: [
		name: string,
		value: string
	][];
	/** The values of each header, as a list. It is not enumerable. */
	readonly headerValues: Record<string, string[] | undefined>;
	/** The file, if the response is one. */
	binary_data?: {
		url: string;
		content_type: string;
		size: number;
		expires_at?: string | undefined;
	} | undefined;
	/** How often the call was made, with the retries of its option `retry`; absent without that option. */
	attempts?: number | undefined;
}
/**
 * Bytes as they come. It is a `ReadableStream` of Node.js, for `for await` and `Readable.fromWeb`; where the types of
 * browsers are there, too, it is also one of theirs, for `new Response(stream)`.
 */
export type ByteStream = ReadableStream<Uint8Array> & import("node:stream/web").ReadableStream<Uint8Array>;
/**
 * A file of a third-party API's response, opened by {@link Session.download}. It can be read once.
 *
 * @example
 * ```ts
 * const { binaryData } = await session.proxyExecute({ toolkit: 'github', endpoint: '/report.pdf', method: 'GET' });
 * if (binaryData) await (await session.download(binaryData)).toFile('report.pdf');
 * ```
 */
export declare class Download {
	#private;
	/** Its media type. */
	readonly contentType: string;
	/** Its size in bytes, where it is known. */
	readonly size?: number | undefined;
	private constructor();
	/** The file's bytes as they come. They come as fast as they are read. */
	stream(): ByteStream;
	/** All of the file's bytes, in memory. */
	bytes(): Promise<Uint8Array>;
	/**
	 * Writes the file to a path. A complete file replaces the one that was there.
	 *
	 * @param path The path to write to.
	 * @param options `onProgress` receives the number of bytes written, and the size of the file if it
	 * is known. `signal` cancels at once and removes the partial file.
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {ComposioError} If nothing can be written there, or the file has been read already.
	 * @throws {APIConnectionError} If the file breaks off, or its next bytes do not come in time.
	 * @throws The signal's reason, if the signal is aborted.
	 */
	toFile(path: string, options?: ToFileOptions): Promise<void>;
}
/** How {@link Download.toFile} writes. */
export interface ToFileOptions {
	/** Is told after each piece how many bytes have been written, and how many there are in all. */
	onProgress?: ((progress: {
		written: number;
		size?: number | undefined;
	}) => void) | undefined;
	/** Ends it, also while it waits for bytes. The promise is rejected with the signal's `reason`. */
	signal?: AbortSignal | undefined;
}
/** The head of a request, by which {@link Composio.fetch} finds the session of a call. */
export interface FetchRequest {
	/** The URL or path that was passed to `fetch`, without its fragment. */
	readonly url: string;
	/** The method, in upper case. */
	readonly method: string;
	/** The headers that were passed to `fetch`, credentials of an SDK included. */
	readonly headers: Headers;
}
/** The options of {@link Session.fetch} and {@link Composio.fetch}. */
export interface FetchOptions {
	/**
	 * Whether an `Authorization` of the caller replaces the account's credential. Default: false. The dummy credential
	 * of an SDK is then dropped: its `Authorization`, and each header or query value that the account's credential sets.
	 */
	keepAuthorization?: boolean | undefined;
	/**
	 * Whether an error of the backend is thrown as an {@link APIError}. Default: false. An error with a status of 4xx is
	 * then a `Response` with the header `x-proxy-execute-error`, and any other is the `cause` of a `TypeError`.
	 */
	throwGatewayErrors?: boolean | undefined;
	/**
	 * The wait for the response's head, and for each chunk of its body, in milliseconds. Default: the `timeout` of the
	 * {@link Composio} object.
	 */
	timeout?: number | undefined;
}
/** The account of an event, as the change left it. It has no part of the credential. */
export interface EventAccount {
	/** The account's id, `ca_…`. */
	id: string;
	/** The user, by your own id of them. */
	userId: string;
	/** The toolkit. */
	toolkit: {
		slug: string;
	};
	/** The auth config. */
	authConfig: {
		id: string;
		authScheme: string;
	};
	/** Its name; null if it has none. */
	alias: string | null;
	/** The name that the gateway generated for it. */
	wordId: string;
	/** Its status after the change. */
	status: ConnectedAccountStatus;
	/** Whether it is disabled. */
	isDisabled: boolean;
	/** Whether other users may use it. */
	accountType: "PRIVATE" | "SHARED";
	/** When the access token expires, as an ISO 8601 date; null if that is unknown. */
	expiresAt: string | null;
	/** When it was created, as an ISO 8601 date. */
	createdAt: string;
	/** When it was changed, as an ISO 8601 date. */
	updatedAt: string;
}
/** The parts that all events have. */
export interface EventBase {
	/** The place of the event, for {@link EventsOptions.after}. */
	cursor: string;
	/** The id of the event. An event that is read again has the same id. */
	id: string;
	/** When it happened, as an ISO 8601 date. */
	at: string;
	/** The account, as the change left it. */
	connectedAccount: EventAccount;
}
/** An account has a new credential, by an import or a link. */
export interface ConnectedEvent extends EventBase {
	/** The type. */
	type: "connected_account.connected";
}
/** A connection failed: the account is FAILED. */
export interface FailedEvent extends EventBase {
	/** The type. */
	type: "connected_account.failed";
	/** Why. */
	reason: string | null;
}
/** A credential was refreshed. */
export interface RefreshedEvent extends EventBase {
	/** The type. */
	type: "connected_account.refreshed";
}
/** A refresh failed, and the gateway tries again later. */
export interface RefreshFailedEvent extends EventBase {
	/** The type. */
	type: "connected_account.refresh_failed";
	/** Why. */
	reason: string | null;
}
/** An account is EXPIRED: the provider refused a refresh permanently, or no user finished its link in time. */
export interface ExpiredEvent extends EventBase {
	/** The type. */
	type: "connected_account.expired";
	/** Why. */
	reason: string | null;
}
/** The tokens of an account were revoked. */
export interface RevokedEvent extends EventBase {
	/** The type. */
	type: "connected_account.revoked";
	/** Why. */
	reason: string | null;
}
/** An access token expires within a day, or within a fifth of its lifetime, and nothing refreshes it. */
export interface ExpiringSoonEvent extends EventBase {
	/** The type. */
	type: "connected_account.expiring_soon";
}
/** An account was disabled or enabled. */
export interface SwitchedEvent extends EventBase {
	/** The type. */
	type: "connected_account.disabled" | "connected_account.enabled";
}
/** An account was deleted. `connectedAccount` is the account as it was. */
export interface DeletedEvent extends EventBase {
	/** The type. */
	type: "connected_account.deleted";
}
/** An event of a gateway. `type` tells the kinds apart. Later versions may add types. */
export type GatewayEvent = ConnectedEvent | FailedEvent | RefreshedEvent | RefreshFailedEvent | ExpiredEvent | RevokedEvent | ExpiringSoonEvent | SwitchedEvent | DeletedEvent;
/** The options of {@link Gateway.events}. */
export interface EventsOptions {
	/** The cursor of the last event that was handled. Default: only new events are returned. */
	after?: string | undefined;
	/** Ends the iteration with the signal's reason. */
	signal?: AbortSignal | undefined;
}
/** Options of {@link Gateway.open}. */
export interface GatewayOptions {
	/**
	 * The file for accounts, sessions and API keys, which is created if it does not exist; or the URL of a PostgreSQL
	 * database, such as `postgres://user@host:5432/database`, which several gateways may share.
	 * Default: in memory, until the gateway is closed.
	 */
	store?: string | undefined;
	/** Upper limit for the connections to a database. Default: 10. */
	maxConnections?: number | undefined;
	/** Time for a statement of a database, and for the wait for a connection, in milliseconds. Default: 10 000. */
	statementTimeout?: number | undefined;
	/**
	 * Whether a database is brought to the schema of this version. A file always is. Default: false, and a database
	 * with an older schema is refused: `proxy-execute store migrate` changes it.
	 */
	migrate?: boolean | undefined;
	/**
	 * The key that encrypts credentials: 32 random bytes, in hexadecimal or base64. A store in a file
	 * or a database needs one: `npx proxy-execute encryption-key` creates one. Keep it apart from the file: without the key the
	 * credentials are lost. A list, or a text with commas or white space, has several keys: the first one encrypts,
	 * and all decrypt. Default for a store in memory: a random key.
	 */
	encryptionKey?: string | readonly string[] | undefined;
	/**
	 * Toolkits beside the built-in ones: definitions, or paths of TOML files or of folders with such
	 * files. A toolkit replaces a built-in one with the same slug.
	 */
	toolkits?: readonly (string | ToolkitDefinition)[] | undefined;
	/**
	 * Hosts that may have a private address and may be called without TLS. `127.0.0.1:8080` and
	 * `intranet.example.com` are for the toolkits whose definitions name the host. `github=git.example.com`
	 * is for all accounts of a toolkit, such as those with a `base_url` of their own. Default: none.
	 */
	allowPrivateHosts?: readonly string[] | undefined;
	/** Such hosts to which a third-party API may redirect from another origin. Default: none. */
	allowPrivateRedirects?: readonly string[] | undefined;
	/** Such hosts from which the `url` of a `binaryBody` may be fetched. Default: none. */
	allowPrivateBodies?: readonly string[] | undefined;
	/** Such hosts to which webhooks may be sent. Default: none. */
	allowPrivateWebhooks?: readonly string[] | undefined;
	/** Upper limit for a response held in memory, after decompression, in bytes. Default: 50 MiB. */
	maxResponseBytes?: number | undefined;
	/**
	 * How many times its compressed size a file or a stream from a third-party API may have, beyond its first
	 * MiB. Default: 200.
	 */
	maxExpansion?: number | undefined;
	/**
	 * Time for the whole response of a third-party API, in milliseconds. The `timeout` of a call limits
	 * it further. Default: 55 000.
	 */
	upstreamTimeout?: number | undefined;
	/**
	 * Time without a refresh after which an idle account is refreshed, in milliseconds. Many providers
	 * expire refresh tokens that are unused for weeks. Default: never. `proxy-execute serve` uses a day.
	 */
	refreshIdleAfter?: number | undefined;
	/**
	 * Time for the next bytes of a streamed body (an upload, a file, a stream), in milliseconds.
	 * Default: 30 000.
	 */
	chunkTimeout?: number | undefined;
	/** Upper limit for a body of bytes sent to a third-party API, in bytes. Default: 5 GiB. */
	maxUploadBytes?: number | undefined;
	/** How files of responses are stored. */
	files?: FilesOptions | undefined;
	/**
	 * The URL at which users reach this gateway, such as `https://gateway.example.com`. Links and URLs of
	 * files begin with it. Default: the address that it listens on.
	 */
	publicUrl?: string | undefined;
	/**
	 * URLs to which users may be sent after a link: origins such as `https://app.example.com`, or URL
	 * prefixes. Default: any https URL, and http on this machine.
	 */
	callbackUrls?: readonly string[] | undefined;
	/**
	 * Whether every authorization server has a redirect URI of its own, `{publicUrl}/connect/callback/{its host}`. By
	 * default, only a server that an account chooses has one. Register your clients with it. Default: false.
	 */
	ownCallbackPaths?: boolean | undefined;
	/** How long a link works, in milliseconds, at least 1 000. Default: 600 000, which is 10 minutes. */
	linkLifetime?: number | undefined;
	/** How long a session works after its creation, in milliseconds. Default: until it is deleted. */
	sessionLifetime?: number | undefined;
	/**
	 * How long a session works after its last use, in milliseconds. The end may come a tenth of this time later, because
	 * not every use is noted. Default: until it is deleted.
	 */
	sessionIdleTimeout?: number | undefined;
	/** How many calls the record keeps. 0 keeps none. Default: 1 000 000, and 10 000 for a store in memory. */
	callsKept?: number | undefined;
	/** How long the record keeps a call, in milliseconds. Default: without a limit. */
	callsKeptFor?: number | undefined;
	/** Whether a port serves each session to MCP clients, at `session.mcp.url`. Default: true. */
	mcp?: boolean | undefined;
	/**
	 * The URL of a collector that takes traces over OTLP/HTTP, such as `http://localhost:4318`. Default: that of the
	 * variable `OTEL_EXPORTER_OTLP_ENDPOINT`. Without either, calls are not traced.
	 */
	otlpEndpoint?: string | undefined;
	/** The slugs of toolkits whose APIs get the header `traceparent` of a traced call. Default: none. */
	propagateTrace?: readonly string[] | undefined;
}
/** How files of responses are stored. */
export interface FilesOptions {
	/**
	 * The folder for the files. It is created if it does not exist. Default: beside the store
	 * (`gateway.db.files`), or a temporary folder for a store in memory or in a database.
	 */
	folder?: string | undefined;
	/**
	 * A bucket of a service that speaks S3, instead of a folder. Missing settings come from the
	 * environment, as with the tools of AWS (`AWS_ACCESS_KEY_ID` …), or from the machine's role.
	 */
	s3?: {
		/** The bucket's name. */
		bucket: string;
		/** Prefix of the names of objects. */
		prefix?: string | undefined;
		/** Its region. Default: `us-east-1`. */
		region?: string | undefined;
		/** The service's URL, if it is not AWS. */
		endpoint?: string | undefined;
		/** The id of an access key. */
		accessKeyId?: string | undefined;
		/** The access key. */
		secretAccessKey?: string | undefined;
	} | undefined;
	/** Lifetime of a file, from the beginning of the response, in milliseconds. Default: an hour. */
	expiresIn?: number | undefined;
	/** Upper limit for a file, after decompression, in bytes. Default: 5 GiB. */
	maxBytes?: number | undefined;
	/** How many files may be written and read at once. Default: 100. */
	maxOpen?: number | undefined;
	/**
	 * The keys that sign URLs of files, 32 bytes each in hexadecimal or base64. The first key signs, and
	 * all keys verify. Default: keys derived from the encryption keys.
	 */
	signingKeys?: readonly string[] | undefined;
}
/** The data of a user that was deleted. */
export interface DeletedUser {
	/** The user. */
	userId: string;
	/** How many sessions. */
	sessions: number;
	/** How many connected accounts, with their links. */
	connectedAccounts: number;
	/** How many tokens the providers revoked. */
	revokedTokens: number;
	/** Tokens that may still be valid at the provider, each with its account and the reason. */
	notRevoked: string[];
	/** How many SHARED accounts of other users no longer allow the user. */
	sharedAccounts: number;
	/** How many files of responses. */
	files: number;
	/** How many records of calls. */
	calls: number;
	/** How many events. Those of deleted accounts stay until they are too old. */
	events: number;
}
/** A record of a user. */
export interface UserRecord {
	/** Its kind. */
	kind: "connected_account" | "session" | "call" | "event";
	/** Its members, with the names of the wire. No secret is among them. */
	record: Record<string, unknown>;
}
/** The data of users, by {@link Gateway.users}. A user is an id that callers name. */
export declare class Users {
	#private;
	private constructor();
	/**
	 * Deletes what the gateway has of a user: sessions, connected accounts, files of responses, records of calls and
	 * events. Providers are asked to revoke the tokens. A deletion that failed can be made again.
	 *
	 * Calls that are in flight end as usual. To keep a user from coming back, stop naming the id.
	 *
	 * @param options `signal` and `timeout` (milliseconds). A deletion goes on without its caller.
	 * @throws {ValidationError} If the user id is empty or too long.
	 *
	 * @example
	 * ```ts
	 * const { connectedAccounts, notRevoked } = await gateway.users.delete('user_123');
	 * console.log(connectedAccounts, notRevoked);
	 * ```
	 */
	delete(userId: string, options?: CallOptions): Promise<DeletedUser>;
	/**
	 * Returns what the gateway has of a user, record by record: accounts, sessions, calls and events. It reads 1 000
	 * records at a time, as the loop asks for them.
	 *
	 * @param options `signal`, and `timeout` (milliseconds) for each part that is read.
	 * @throws {ValidationError} If the user id is empty or too long, from the first `next()` on.
	 *
	 * @example
	 * ```ts
	 * for await (const { kind, record } of gateway.users.export('user_123')) console.log(kind, record);
	 * ```
	 */
	export(userId: string, options?: CallOptions): AsyncGenerator<UserRecord, void, undefined>;
}
/** A type of events that a webhook subscription may enable, such as `composio.connected_account.expired`. */
export type WebhookEventName = `composio.connected_account.${"connected" | "failed" | "refreshed" | "refresh_failed" | "expired" | "revoked" | "expiring_soon" | "disabled" | "enabled" | "deleted"}` | (string & {});
/** A webhook subscription to make. */
export interface CreateWebhookSubscription {
	/** Where the events are sent: an https URL. */
	webhookUrl: string;
	/** The types of the events, at least one. */
	enabledEvents: readonly WebhookEventName[];
}
/** Changes of a webhook subscription. Parts that are not named stay. */
export interface UpdateWebhookSubscription {
	/** Where the events are sent. Pending deliveries go there too. */
	webhookUrl?: string | undefined;
	/** The types of the events, at least one. */
	enabledEvents?: readonly WebhookEventName[] | undefined;
}
/** A webhook subscription, without its secret. */
export interface WebhookSubscription {
	/** Its id, `whs_…`. */
	id: string;
	/** Where the events are sent. */
	webhookUrl: string;
	/** The form of the payload. */
	version: "V3" | (string & {});
	/** The types of the events. */
	enabledEvents: WebhookEventName[];
	/** When it was created, as an ISO 8601 date. */
	createdAt: string;
	/** When it was changed, as an ISO 8601 date. */
	updatedAt: string;
}
/** A webhook subscription that was just created. */
export interface NewWebhookSubscription extends WebhookSubscription {
	/** The secret that signs the webhooks. It is shown once. */
	secret: string;
}
/** How far a delivery is: `pending` until the receiver has acknowledged it, `dead` after the last attempt. */
export type WebhookDeliveryStatus = "pending" | "delivered" | "dead";
/** Which deliveries to list. `limit` is from 1 to 1 000, by default 20. */
export interface ListWebhookDeliveries extends PageOptions {
	/** Only deliveries with this status. Default: all. */
	status?: WebhookDeliveryStatus | undefined;
}
/** The delivery of an event to a subscription. */
export interface WebhookDelivery {
	/** The id of the event, which is the header `webhook-id`. */
	id: string;
	/** The cursor of the event, for {@link ReplayWebhooks.after}. */
	eventCursor: string;
	/** The type of the event. */
	eventType: WebhookEventName;
	/** How far it is. */
	status: WebhookDeliveryStatus;
	/** How many attempts have begun. */
	attempts: number;
	/** The status of the last response; null if the last attempt got none. */
	responseStatus: number | null;
	/** Why the last attempt failed; null if it did not. */
	problem: string | null;
	/** When the next attempt may begin, as an ISO 8601 date; null if there is none. */
	nextAttemptAt: string | null;
	/** When it was created, as an ISO 8601 date. */
	createdAt: string;
	/** When it was delivered or given up, as an ISO 8601 date; null before. */
	endedAt: string | null;
}
/** The deliveries to send again: those of all events behind a cursor, or those with these ids. */
export type ReplayWebhooks = {
	/** The cursor of an event. */
	after?: string | undefined;
	/** The ids of deliveries, at most 1 000. */
	deliveries?: readonly string[] | undefined;
};
/** The webhook subscriptions of a gateway, by {@link Gateway.webhooks}. */
export declare class Webhooks {
	#private;
	private constructor();
	/**
	 * Creates a subscription. Events from now on are sent to it. Its secret is returned once.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {BadRequestError} If a type does not exist, or the gateway may not call the URL (slug `AddressRefused`).
	 *
	 * @example
	 * ```ts
	 * const { id, secret } = await gateway.webhooks.create({
	 *   webhookUrl: 'https://example.com/webhooks',
	 *   enabledEvents: ['composio.connected_account.expired'],
	 * });
	 * ```
	 */
	create(request: CreateWebhookSubscription, options?: CallOptions): Promise<NewWebhookSubscription>;
	/**
	 * Lists the subscriptions, the newest first. Their secrets are not shown.
	 *
	 * @param page `limit`, from 1 to 50, and `cursor`.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 *
	 * @example
	 * ```ts
	 * for (const { id, webhookUrl } of (await gateway.webhooks.list()).items) console.log(id, webhookUrl);
	 * ```
	 */
	list(page?: PageOptions, options?: CallOptions): Promise<Page<WebhookSubscription>>;
	/**
	 * Changes a subscription.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {NotFoundError} If there is no such subscription.
	 *
	 * @example
	 * ```ts
	 * await gateway.webhooks.update(id, { enabledEvents: ['composio.connected_account.deleted'] });
	 * ```
	 */
	update(subscriptionId: string, change: UpdateWebhookSubscription, options?: CallOptions): Promise<WebhookSubscription>;
	/**
	 * Deletes a subscription with its deliveries.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {NotFoundError} If there is no such subscription.
	 *
	 * @example
	 * ```ts
	 * await gateway.webhooks.delete(id);
	 * ```
	 */
	delete(subscriptionId: string, options?: CallOptions): Promise<void>;
	/**
	 * Replaces the secret of a subscription. For 24 hours, webhooks are signed with the previous secret too.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {NotFoundError} If there is no such subscription.
	 *
	 * @example
	 * ```ts
	 * const { secret } = await gateway.webhooks.rotateSecret(id);
	 * ```
	 */
	rotateSecret(subscriptionId: string, options?: CallOptions): Promise<{
		id: string;
		secret: string;
	}>;
	/**
	 * Lists the deliveries of a subscription, the newest first.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {NotFoundError} If there is no such subscription.
	 *
	 * @example
	 * ```ts
	 * const { items } = await gateway.webhooks.deliveries(id, { status: 'dead' });
	 * ```
	 */
	deliveries(subscriptionId: string, filter?: ListWebhookDeliveries, options?: CallOptions): Promise<Page<WebhookDelivery>>;
	/**
	 * Sends deliveries again that were acknowledged or given up. Pending ones stay as they are.
	 *
	 * @param replay `after`, the cursor of an event: the deliveries of all later events. Or `deliveries`, their ids.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns How many are sent again.
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {NotFoundError} If there is no such subscription.
	 * @throws {APIError} With the slug `EventsForgotten` if the cursor is too old.
	 *
	 * @example
	 * ```ts
	 * const { items } = await gateway.webhooks.deliveries(id, { status: 'dead' });
	 * await gateway.webhooks.replay(id, { deliveries: items.map((delivery) => delivery.id) });
	 * ```
	 */
	replay(subscriptionId: string, replay: ReplayWebhooks, options?: CallOptions): Promise<number>;
}
/** The options of {@link Gateway.listen}: where a gateway listens, and the limits of the port. */
export interface ListenOptions {
	/** The address. Default: `127.0.0.1`, which only this machine can reach. */
	host?: string | undefined;
	/** The port. Default: 0, which takes any free port. */
	port?: number | undefined;
	/**
	 * How many requests an API key may make in a minute. Further requests get a 429. Each process counts separately,
	 * even if several gateways share a store. Default: no limit.
	 */
	requestsPerMinute?: number | undefined;
	/**
	 * How many connections an address may have open. IPv6 addresses are counted per /64 network. A further
	 * connection gets a 429 and is closed. Default: 4 096.
	 */
	maxConnectionsPerAddress?: number | undefined;
	/**
	 * The addresses or networks, such as `10.0.0.0/8`, of proxies whose `X-Forwarded-For` names the client. The
	 * addresses that a key allows, and limits of clients without a key, then count for that client. At most 100.
	 * Default: none, and the header does not count.
	 */
	trustedProxies?: readonly string[] | undefined;
	/**
	 * How long the head of a request may take to arrive, in milliseconds, and then its body. A streamed upload has no
	 * such limit for its body. An idle connection is closed after the same time. Default: 120 000.
	 */
	requestTimeout?: number | undefined;
	/**
	 * How long the port still accepts calls after {@link Gateway.close} was called, in milliseconds. Meanwhile
	 * `/ready` is a 503, so that load balancers send new calls elsewhere. Calls in flight then have as long again, and at
	 * least 5 seconds. At most an hour. Default: 0.
	 */
	drainDelay?: number | undefined;
	/**
	 * The paths of PEM files: a certificate with its chain, and its private key. The port then speaks TLS. Files that
	 * change are read again. Default: no TLS.
	 */
	tls?: {
		cert: string;
		key: string;
	} | undefined;
	/**
	 * An address with its port, such as `127.0.0.1:9464`, on which Prometheus reads {@link Gateway.metrics} under
	 * `/metrics`. It needs no key and speaks no TLS, so choose an address that only Prometheus reaches. Port 0 takes any
	 * free port. Default: none.
	 */
	metrics?: string | undefined;
}
/** A port that a gateway serves. It keeps the process alive until the gateway is closed. */
export interface Listener {
	/** The URL for the `baseURL` of {@link Composio}. */
	readonly url: string;
	/** The address. */
	readonly host: string;
	/** The port. */
	readonly port: number;
	/** The URL of the metrics; undefined if {@link ListenOptions.metrics} names no address. */
	readonly metricsUrl: string | undefined;
	/** Lets the process end while the port is open. */
	unref(): Listener;
	/** Keeps the process alive again. */
	ref(): Listener;
}
/**
 * The gateway in this process: it keeps users' credentials and calls APIs with them.
 *
 * An open gateway does not keep the process alive; a listening gateway does. A gateway that is still open when
 * a process or a worker ends by itself is closed first, see {@link Gateway.close}.
 *
 * @example
 * ```ts
 * const gateway = await Gateway.open();
 * await gateway.connectedAccounts.import({
 *   userId: 'user_123',
 *   toolkit: 'github',
 *   credential: { authScheme: 'BEARER_TOKEN', val: { token: process.env.GITHUB_TOKEN } },
 * });
 * const session = await new Composio({ gateway }).create('user_123', { toolkits: ['github'] });
 * ```
 */
export declare class Gateway {
	#private;
	/** The accounts of users, with their credentials. */
	readonly connectedAccounts: GatewayConnectedAccounts;
	/** The API keys of the port's callers. */
	readonly apiKeys: ApiKeys;
	/** The record of calls. */
	readonly calls: Calls;
	/** The record of administrative changes. */
	readonly audit: Audit;
	/** The data of users, to be exported or deleted. */
	readonly users: Users;
	/** Where events are sent. */
	readonly webhooks: Webhooks;
	private constructor();
	/**
	 * Opens a gateway. Call {@link Gateway.close} when you no longer need it. A process that ends by itself closes
	 * its gateways. `process.exit()` does not close them.
	 *
	 * @param options Default: a gateway in memory, with the built-in toolkits.
	 * @throws {ValidationError} If an option is unknown or cannot be used.
	 * @throws {ComposioError} With a `slug`: `EncryptionKeyRequired` if a store in a file has no key,
	 * `WrongEncryptionKey` if the store was written with another key, `StoreCorrupt` if the file is damaged or no
	 * database, `StoreUnavailable` if it cannot be opened, `InvalidToolkit` if a toolkit's definition
	 * cannot be used.
	 *
	 * @example
	 * ```ts
	 * const gateway = await Gateway.open({
	 *   store: 'gateway.db',
	 *   encryptionKey: process.env.PROXY_EXECUTE_ENCRYPTION_KEY,
	 *   toolkits: ['./toolkits'],
	 * });
	 * ```
	 */
	static open(options?: GatewayOptions): Promise<Gateway>;
	/**
	 * Serves a port, under `/api/v3` and `/api/v3.1`. Callers need a key, see {@link Gateway.apiKeys}.
	 *
	 * @param options Default: any free port, which only this machine can reach.
	 * @throws {ValidationError} If an option is unknown or cannot be used.
	 * @throws {ComposioError} If the address is in use, or does not belong to this machine, or if a file of `tls`
	 * cannot be used (slug `InvalidOption`).
	 * @throws {APIConnectionError} If the gateway is closed.
	 *
	 * @example
	 * ```ts
	 * const { url } = await gateway.listen({ host: '0.0.0.0', port: 9900 });
	 * const { key } = await gateway.apiKeys.create({ name: 'worker' });
	 * const composio = new Composio({ apiKey: key, baseURL: url });
	 * ```
	 */
	listen(options?: ListenOptions): Promise<Listener>;
	/**
	 * Returns the metrics of the gateway, in the text format of Prometheus, for a program that serves them itself. The
	 * gateway counts from the first call on: before, nothing reads what it would count.
	 *
	 * @throws {APIConnectionError} If the gateway is closed.
	 *
	 * @example
	 * ```ts
	 * const text = await gateway.metrics();
	 * new Response(text, { headers: { 'content-type': 'text/plain; version=0.0.4' } });
	 * ```
	 */
	metrics(): Promise<string>;
	/**
	 * Follows what happens to connected accounts: they are connected, refreshed, expire and so on. Every gateway of a store
	 * returns the events of all. They are in order, and none is skipped. The gateway keeps them for 7 days, and at most
	 * 100 000 of them.
	 *
	 * The iteration ends when the gateway is closed. An iteration that waits keeps the process alive. It reads the next
	 * events when the loop asks for more.
	 *
	 * @param options Default: the events from this call on. With `after`, the events behind a cursor come first.
	 * @throws {ValidationError} If an option is unknown or cannot be used.
	 * @throws {APIError} With the slug `EventsForgotten` if the cursor is too old, from the first `next()` on.
	 * @throws the signal's reason, once the signal is aborted.
	 *
	 * @example
	 * ```ts
	 * const signal = AbortSignal.timeout(1000);
	 * try {
	 *   for await (const event of gateway.events({ signal })) {
	 *     if (event.type === 'connected_account.expired') {
	 *       console.log(event.connectedAccount.userId, event.reason);
	 *     }
	 *   }
	 * } catch (error) {
	 *   if (!signal.aborted) throw error;
	 * }
	 * ```
	 */
	events(options?: EventsOptions): AsyncGenerator<GatewayEvent, void, undefined>;
	/**
	 * Refuses new calls, gives calls in flight 5 seconds, stops listening and closes the store. With
	 * {@link ListenOptions.drainDelay}, it accepts calls for that time first.
	 * Later calls fail with an {@link APIConnectionError}. A second close waits for the first.
	 *
	 * A process or a worker that ends by itself closes open gateways when Node.js emits `beforeExit`.
	 * `process.exit()`, an uncaught error or a signal end the process without closing gateways. The record of the
	 * last calls is then lost, and an account that is being refreshed may have to be connected again. A stream that
	 * was neither read to its end nor cancelled is a call in flight.
	 *
	 * @example
	 * ```ts
	 * await gateway.close();
	 * ```
	 */
	close(): Promise<void>;
	/** The same as {@link Gateway.close}, for `await using`. */
	[Symbol.asyncDispose](): Promise<void>;
}
/** The form of `data`. */
export type ResponseType = "json" | "text" | "stream" | "bytes";
/** The options of a proxied call, beside the form of its `data`. */
export interface ProxyOptions extends CallOptions {
	/**
	 * Which responses of the API are retried; `false` for none. Default: the `retry` of the {@link Composio} object, else
	 * none. `timeout` is for all attempts and the waits between them.
	 */
	retry?: RetryOptions | false | undefined;
}
/** A schema that checks a value, such as one of zod. One of its functions is enough. */
export type ToolSchema<Input> = {
	/** Returns the value with defaults, or throws. */
	parse(value: unknown): Input;
} | {
	/** Returns the value with defaults, or the error. */
	safeParse(value: unknown): {
		success: true;
		data: Input;
	} | {
		success: false;
		error: unknown;
	};
};
/** A JSON schema of an object. It describes the input, and is not enforced. */
export type ToolJsonSchema = {
	readonly [key: string]: unknown;
} & {
	readonly parse?: never | undefined;
	readonly safeParse?: never | undefined;
};
/** The session and its user, for a custom tool while it runs. */
export interface SessionContext {
	/** The user of the session. */
	readonly userId: string;
	/** The signal of the call that runs the tool. */
	readonly signal?: AbortSignal | undefined;
	/** Calls an API as the session's user: {@link Session.proxyExecute}. The signal of the tool aborts it. */
	proxyExecute<T = unknown>(request: ProxyExecuteRequest, options?: ProxyOptions & {
		responseType?: "json" | undefined;
	}): Promise<ProxyExecuteResponse<T>>;
	/** Runs another custom tool of the session. */
	execute(slug: string, input?: Record<string, unknown>): Promise<ToolResult>;
}
/** A custom tool to create. */
export interface CreateTool<Schema, Input> {
	/** The display name. */
	name: string;
	/** Its description, for a model that chooses among tools. */
	description: string;
	/** The input: a schema of zod or of a library like it, or a JSON schema. */
	inputParams: Schema;
	/** The result, as documentation. */
	outputParams?: ToolSchema<unknown> | ToolJsonSchema | undefined;
	/** The toolkit that the tool calls, such as `gmail`. It becomes a part of the slug. */
	extendsToolkit?: string | undefined;
	/** An option of the Composio SDK. It has no effect. */
	preload?: boolean | undefined;
	/** Runs the tool. Its result is an object. An error that it throws is the `error` of the {@link ToolResult}. */
	execute: (input: Input, context: SessionContext) => object | Promise<object>;
}
/** A custom tool, made by {@link experimental_createTool}. */
export interface CustomTool {
	/** Its name, without the prefix that it has in a session. */
	readonly slug: string;
	/** The display name. */
	readonly name: string;
	/** The description, for a model. */
	readonly description: string;
	/** The toolkit that the tool calls. */
	readonly extendsToolkit?: string | undefined;
	/** An option of the Composio SDK. It has no effect. */
	readonly preload?: boolean | undefined;
	/** The JSON schema of the input. */
	readonly inputSchema: Record<string, unknown>;
	/** The JSON schema of the result. */
	readonly outputSchema?: Record<string, unknown> | undefined;
	/** The schema that the tool was created with. */
	readonly inputParams: unknown;
	/** The function that the tool was created with. */
	readonly execute: (input: any, context: SessionContext) => object | Promise<object>;
}
/** Custom tools under one name, made by {@link experimental_createToolkit}. */
export interface CustomToolkit {
	/** The name that is a part of its tools' names in a session. */
	readonly slug: string;
	/** The display name. */
	readonly name: string;
	/** The description, for a model. */
	readonly description: string;
	/** An option of the Composio SDK. It has no effect. */
	readonly preload?: boolean | undefined;
	/** The tools of the toolkit. */
	readonly tools: readonly CustomTool[];
}
/** A custom tool of a session. */
export interface RegisteredCustomTool {
	/** Its name in the session, such as `LOCAL_GREP`. */
	slug: string;
	/** The display name. */
	name: string;
	/** The description, for a model. */
	description: string;
	/** The toolkit that it extends or belongs to. */
	toolkit?: string | undefined;
	/** The JSON schema of the input. */
	inputSchema: Record<string, unknown>;
	/** The JSON schema of the result. */
	outputSchema?: Record<string, unknown> | undefined;
}
/** Custom tools of a session under one name. */
export interface RegisteredCustomToolkit {
	/** The slug that it was created with. */
	slug: string;
	/** The display name. */
	name: string;
	/** The description, for a model. */
	description: string;
	/** The tools of the toolkit. */
	tools: RegisteredCustomTool[];
}
/** The result of a custom tool. */
export interface ToolResult {
	/** The tool's result; empty if it failed. */
	data: Record<string, any>;
	/** Why the tool failed; null if it did not. */
	error: string | null;
	/** Empty, because nothing is logged. */
	logId: string;
	/** Whether the tool failed. */
	resultType: "completed" | "failed";
}
/** The custom tools that a session is given. */
export interface CustomTools {
	/** Tools outside of a toolkit. */
	customTools?: readonly CustomTool[] | undefined;
	/** Toolkits, with their tools. */
	customToolkits?: readonly CustomToolkit[] | undefined;
}
/**
 * Creates a custom tool: a function of your program with a described input, which a session runs in this process.
 *
 * @param slug Its name: letters, digits, `_` and `-`. In a session it has the prefix `LOCAL_`, with `extendsToolkit` or
 * the toolkit behind it.
 * @param tool Its description, its input, and `execute`.
 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
 *
 * @example
 * ```ts
 * const stars = experimental_createTool('COUNT_STARS', {
 *   name: 'Count stars',
 *   description: "Counts the stars of the user's repository",
 *   extendsToolkit: 'github',
 *   inputParams: { type: 'object', properties: { repository: { type: 'string' } } },
 *   execute: async ({ repository }, context) => {
 *     const endpoint = `/repos/${repository}`;
 *     const { data } = await context.proxyExecute<{ stargazers_count: number }>({
 *       toolkit: 'github',
 *       endpoint,
 *       method: 'GET',
 *     });
 *     return { stars: data.stargazers_count };
 *   },
 * });
 * ```
 */
export declare function experimental_createTool<Input>(slug: string, tool: CreateTool<ToolSchema<Input>, Input>): CustomTool;
export declare function experimental_createTool(slug: string, tool: CreateTool<ToolJsonSchema, any>): CustomTool;
/**
 * Creates a toolkit of custom tools. In a session, the slug of each begins with `LOCAL_` and the slug of the toolkit.
 *
 * @param slug Its name: letters, digits, `_` and `-`.
 * @param toolkit Its description, and the tools, none of which has `extendsToolkit`.
 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
 *
 * @example
 * ```ts
 * const greet = experimental_createTool('GREET', {
 *   name: 'Greet',
 *   description: 'Greets a member of the team',
 *   inputParams: { type: 'object', properties: { name: { type: 'string' } } },
 *   execute: async ({ name }) => ({ greeting: `Hello ${name}` }),
 * });
 * const team = experimental_createToolkit('TEAM', { name: 'Team', description: 'Tools of the team', tools: [greet] });
 * ```
 */
export declare function experimental_createToolkit(slug: string, toolkit: {
	name: string;
	description: string;
	preload?: boolean | undefined;
	tools: readonly CustomTool[];
}): CustomToolkit;
/** A page of a list. */
export interface ProxyPage<T = unknown> {
	/** Its items. */
	items: T[];
	/** The response that they are from. */
	response: ProxyExecuteResponse;
	/** The cursor that the page was asked with; null for the first page. It asks for this page again. */
	cursor: string | null;
	/** The cursor of the next page; null on the last page. */
	nextCursor: string | null;
}
/** The options of {@link Session.paginate}. `signal`, `timeout` and `retry` are of each page's call. */
export interface PaginateOptions extends ProxyOptions {
	/** The most items of all pages together. The last page is cut there. How many a page has is up to the request. */
	limit?: number | undefined;
	/** The JSON pointer of a page's items, such as `/channels`, where the toolkit's recipe has none or another. */
	items?: string | undefined;
	/** How the API gives pages. Default: the recipe of the toolkit. */
	pagination?: ToolkitPagination | undefined;
	/** Where to begin: the `cursor` or `nextCursor` of an earlier page. */
	cursor?: string | undefined;
}
/** A choice among names: the listed ones, only these, or all but these. */
export type Choice = readonly string[] | {
	enable: readonly string[];
} | {
	disable: readonly string[];
};
/**
 * The configuration of a session.
 *
 * Calls depend on `toolkits` and `connectedAccounts`, and on `authConfigs` where a backend has
 * them. The rest steers the tools of the hosted backend. A gateway keeps it and echoes it, but refuses what would
 * restrict the session: `tags`, and `tools` of a toolkit.
 *
 * @example
 * ```ts
 * const config: SessionConfig = {
 *   toolkits: ['github', 'slack'],
 *   connectedAccounts: { slack: 'ca_team' },
 * };
 * ```
 */
export interface SessionConfig {
	/** The toolkits that the session may call. Default: all. */
	toolkits?: Choice | undefined;
	/** The account to use for a toolkit, instead of the user's latest one. There is no fallback to another. */
	connectedAccounts?: Record<string, string | readonly string[]> | undefined;
	/** The auth config to use for a toolkit. */
	authConfigs?: Record<string, string> | undefined;
	/**
	 * Whether the session offers tools with which the user connects accounts. Default: true.
	 * `callbackUrl` is where the user comes out; `waitForConnections` has the tools wait for them.
	 */
	manageConnections?: boolean | {
		enable?: boolean | undefined;
		callbackUrl?: string | undefined;
		waitForConnections?: boolean | undefined;
	} | undefined;
	/** The tools of a toolkit to offer. A gateway has no tools, and refuses a choice among them. */
	tools?: Record<string, Choice | {
		tags: readonly string[] | TagFilter;
	}> | undefined;
	/** The tools to offer, by what they are marked as, such as `readOnlyHint`. A gateway refuses them. */
	tags?: readonly string[] | TagFilter | undefined;
	/**
	 * Whether a toolkit may have several accounts in the session, and how many.
	 * `requireExplicitSelection`: whether every call has to name one. Default: true.
	 */
	multiAccount?: {
		enable?: boolean | undefined;
		maxAccountsPerToolkit?: number | undefined;
		requireExplicitSelection?: boolean | undefined;
	} | undefined;
	/** The sandbox of the hosted backend. */
	workbench?: Workbench | undefined;
	/** Another name of `workbench`. */
	sandbox?: Workbench | undefined;
	/** The tools of the hosted backend to offer without a search. */
	preload?: {
		tools: readonly string[] | "all";
	} | undefined;
	/** `direct_tools` offers every tool as it is, without those that search, connect and run several. */
	sessionPreset?: "direct_tools" | undefined;
	/** An option of the Composio SDK. It has no effect: every session has `mcp`. */
	mcp?: boolean | undefined;
	/** Custom tools, which run in this process, and the time zone for prompts of the hosted backend. */
	experimental?: SessionExperiments | undefined;
}
/** The experimental part of a new session's configuration. */
export interface SessionExperiments extends CustomTools {
	/** For prompts of the hosted backend. */
	assistivePrompt?: {
		userTimezone?: string | undefined;
	} | undefined;
}
/** A choice among tools by what they are marked as. */
export interface TagFilter {
	/** Only tools with one of these. */
	enable?: readonly string[] | undefined;
	/** No tools with any of these. */
	disable?: readonly string[] | undefined;
}
/** The sandbox of the hosted backend. */
export interface Workbench {
	/** Whether there is one. */
	enable?: boolean | undefined;
	/** Whether code in it may make proxied calls. */
	enableProxyExecution?: boolean | undefined;
	/** The number of characters from which a response is put into a file in it. */
	autoOffloadThreshold?: number | undefined;
	/** Its size. */
	sandboxSize?: "standard" | "medium" | "large" | "xlarge" | undefined;
}
/**
 * The parts of a session's configuration to change. `null` resets a part to its default.
 */
export type SessionUpdate = {
	[Key in Exclude<keyof SessionConfig, "sessionPreset" | "mcp" | "experimental">]?: SessionConfig[Key] | null;
} & {
	/** The version that the changes are based on. They are refused if the session has another. Default: any. */
	expectedConfigVersion?: number | undefined;
};
/** A toolkit in a list. */
export interface ToolkitItem {
	/** The name that calls use. */
	slug: string;
	/** The display name. */
	name: string;
	/** Its description. */
	meta: ToolkitMeta;
	/** How its accounts may authenticate, such as `BEARER_TOKEN`. */
	authSchemes: string[];
	/** The schemes for which the hosted backend has a client. */
	composioManagedAuthSchemes: string[];
	/** Whether it is called without an account. */
	noAuth: boolean;
	/** Whether it runs in the caller's process only. */
	isLocalToolkit: boolean;
}
/** The description of a toolkit. */
export interface ToolkitMeta {
	/** A text about it. */
	description: string;
	/** A picture; empty where a backend serves none. */
	logo: string;
	/** Its categories. */
	categories: {
		slug: string;
		name: string;
	}[];
	/** How many tools the backend has for it. */
	toolsCount: number;
	/** How many triggers the backend has for it. */
	triggersCount: number;
	/** Where the API is documented. */
	appUrl: string | null;
	/** When it was created, as an ISO 8601 date. */
	createdAt: string;
	/** When it was changed, as an ISO 8601 date. */
	updatedAt: string;
}
/** A toolkit in full. */
export interface Toolkit extends Omit<ToolkitItem, "authSchemes" | "noAuth"> {
	/** The URL to which relative endpoints are appended, with `{{name}}` for the parts that each account has. */
	baseUrl: string | null;
	/** The ways to connect an account. */
	authConfigDetails: ToolkitAuthDetails[];
	/** How the API gives the pages of a list, where the backend says it. */
	pagination: ToolkitPagination | null;
	/** Where the API says when it takes calls again, where the backend says it. */
	rateLimit: ToolkitRateLimit | null;
}
/** A way to connect an account of a toolkit. */
export interface ToolkitAuthDetails {
	/** Its name. */
	name: string;
	/** The scheme, such as `BEARER_TOKEN`. */
	mode: string;
	/** The redirect URI that an OAuth client is registered with, where a gateway knows it. */
	redirectUri: string | null;
	/** The provider's page where an OAuth client is registered. */
	clientPage: string | null;
	/** How to get the credential or the client at the provider, where a gateway knows it. */
	setup: ToolkitSetup | null;
	/** The fields to fill in: once for an auth config, and for every account. */
	fields: {
		authConfigCreation: ToolkitFields;
		connectedAccountInitiation: ToolkitFields;
	};
}
/** How an operator registers a client at the provider, or how a user gets a credential there. */
export interface ToolkitSetup {
	/** The provider's page. */
	page: string | null;
	/** The steps there, each a sentence. */
	steps: string[];
}
/** Fields by whether they have to be filled in. */
export interface ToolkitFields {
	/** Fields that have to be filled in. */
	required: ToolkitInputField[];
	/** Fields that may be left out. */
	optional: ToolkitInputField[];
}
/** Which fields of a toolkit to read. */
export interface FieldFilter {
	/** Whether to leave optional fields out. Default: false. */
	requiredOnly?: boolean | undefined;
}
/** A category of toolkits. */
export interface ToolkitCategory {
	/** The name for filters. */
	id: string;
	/** The display name. */
	name: string;
}
/** The categories of toolkits. */
export interface ToolkitCategories {
	/** The categories. */
	items: ToolkitCategory[];
	/** The cursor of the next page; null on the last page. */
	nextCursor: string | null;
	/** The number of pages. */
	totalPages: number;
}
/** Which toolkits to list. `limit` is from 1 to 1 000, which is the default. */
export interface ListToolkits extends PageOptions {
	/** A part of the slug or name, or of another name in a gateway. */
	search?: string | undefined;
	/** The `id` of a category. */
	category?: string | undefined;
	/** The owner: the hosted backend or the project. Default: `all`. */
	managedBy?: "all" | "composio" | "project" | undefined;
	/** The order. An embedded gateway has them by slug. */
	sortBy?: "usage" | "alphabetically" | undefined;
}
/** Which toolkits of a session to list. `limit` is from 1 to 50, by default 20. */
export interface ListSessionToolkits extends PageOptions {
	/** These, instead of those that the session may call. */
	toolkits?: readonly string[] | undefined;
	/** Those with an active account, or those without. Default: both. */
	isConnected?: boolean | undefined;
	/** A part of the slug or name. */
	search?: string | undefined;
}
/** A toolkit of a session, with the account that a call would use. */
export interface SessionToolkit {
	/** The name that calls use. */
	slug: string;
	/** The display name. */
	name: string;
	/** A picture; empty where a backend serves none. */
	logo?: string | undefined;
	/** Whether it is called without an account. */
	isNoAuth: boolean;
	/** The account; absent where none is needed. */
	connection?: {
		/** Whether calls can be made. */
		isActive: boolean;
		/** How the account was connected; null if the user has none. */
		authConfig: {
			id: string;
			mode: string;
			isComposioManaged: boolean;
		} | null;
		/** The account; absent if the user has none. */
		connectedAccount?: {
			id: string;
			status: string;
		} | undefined;
	} | undefined;
}
/** A page of a session's toolkits. */
export interface SessionToolkitPage extends Page<SessionToolkit> {
	/** The same as `nextCursor`; absent on the last page. */
	cursor?: string | undefined;
}
/** The toolkits that a backend knows, by {@link Composio.toolkits}. */
export declare class Toolkits {
	#private;
	private constructor();
	/**
	 * Lists toolkits, a page at a time.
	 *
	 * @param filter Which ones. Default: all.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 *
	 * @example
	 * ```ts
	 * const { items } = await composio.toolkits.list({ search: 'git' });
	 * ```
	 */
	list(filter?: ListToolkits, options?: CallOptions): Promise<Page<ToolkitItem>>;
	/**
	 * Reads a toolkit, with the ways to connect an account.
	 *
	 * @param slug The toolkit, such as `github`. Without one, or with a filter in its place, the items
	 * of {@link list} are returned.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the slug is empty.
	 * @throws {NotFoundError} If there is no such toolkit.
	 *
	 * @example
	 * ```ts
	 * const { authConfigDetails } = await composio.toolkits.get('github');
	 * ```
	 */
	get(slug: string, options?: CallOptions): Promise<Toolkit>;
	get(filter?: ListToolkits, options?: CallOptions): Promise<ToolkitItem[]>;
	/**
	 * Reads the fields that an auth config of a toolkit is created with.
	 *
	 * @param slug The toolkit, such as `github`.
	 * @param authScheme The scheme, such as `OAUTH2`. Default: the first scheme of the toolkit.
	 * @param filter `requiredOnly` leaves optional fields out.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {ComposioToolkitNotFoundError} If there is no such toolkit.
	 * @throws {ComposioAuthConfigNotFoundError} If the toolkit does not have the scheme.
	 *
	 * @example
	 * ```ts
	 * const fields = await composio.toolkits.getAuthConfigCreationFields('github', 'OAUTH2', { requiredOnly: true });
	 * ```
	 */
	getAuthConfigCreationFields(slug: string, authScheme?: string | null, filter?: FieldFilter, options?: CallOptions): Promise<ToolkitInputField[]>;
	/**
	 * Reads the fields that connect an account of a toolkit.
	 *
	 * @param slug The toolkit, such as `github`.
	 * @param authScheme The scheme, such as `API_KEY`. Default: the first scheme of the toolkit.
	 * @param filter `requiredOnly` leaves optional fields out.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {ComposioToolkitNotFoundError} If there is no such toolkit.
	 * @throws {ComposioAuthConfigNotFoundError} If the toolkit does not have the scheme.
	 *
	 * @example
	 * ```ts
	 * const fields = await composio.toolkits.getConnectedAccountInitiationFields('github', 'BEARER_TOKEN');
	 * ```
	 */
	getConnectedAccountInitiationFields(slug: string, authScheme?: string | null, filter?: FieldFilter, options?: CallOptions): Promise<ToolkitInputField[]>;
	/**
	 * Lists the categories of toolkits, for the `category` of {@link Toolkits.list}.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 *
	 * @example
	 * ```ts
	 * const { items } = await composio.toolkits.listCategories();
	 * ```
	 */
	listCategories(options?: CallOptions): Promise<ToolkitCategories>;
	/**
	 * Makes a link by which a user connects an account, with the newest auth config of the toolkit that is enabled. Where there
	 * is none, one is made that uses a client of the hosted backend.
	 *
	 * @param userId Your own id of the user.
	 * @param slug The toolkit, such as `github`.
	 * @param authConfigId The auth config to use instead.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns As by {@link ConnectedAccounts.link}.
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {BadRequestError} If there is no auth config, and the backend has no client (`ToolRouterV2_NoManagedAuth`).
	 * @throws {NotFoundError} If there is no such toolkit or auth config.
	 *
	 * @example
	 * ```ts
	 * const { redirectUrl } = await composio.toolkits.authorize('user_123', 'gmail', 'ac_7b21…');
	 * ```
	 */
	authorize(userId: string, slug: string, authConfigId?: string, options?: CallOptions): Promise<ConnectionRequest>;
}
/** The result that a program expects of a member that is not in this package. */
export type UnsupportedResult = any;
/**
 * A member of the Composio SDK that is not in this package. It rejects with an {@link UnsupportedFeatureError}, whose
 * message says what to use instead.
 */
export type Unsupported = (...options: UnsupportedOption[]) => Promise<UnsupportedResult>;
/** An argument of a member that is not in this package: any value, so that a function in it needs no types. */
export type UnsupportedOption = ((...values: UnsupportedResult[]) => UnsupportedResult) | {
	readonly [name: string]: UnsupportedOption;
} | object | string | number | boolean | null | undefined;
/** Members of the Composio SDK that are not in this package. */
export type UnsupportedMembers<Names extends string> = {
	readonly [Name in Names]: Unsupported;
};
/** The options of {@link Session.authorize}: how the session's user connects an account. */
export interface AuthorizeOptions {
	/** The absolute URL to which the user is redirected at the end. */
	callbackUrl?: string | undefined;
	/** A name, for telling a user's accounts of one toolkit apart. */
	alias?: string | undefined;
	/** Whether other users may use the account. Default: no. */
	experimental?: NewAccountSharing | undefined;
}
/** The options of {@link Session.ensureConnected}. */
export interface EnsureConnectedOptions extends Omit<AuthorizeOptions, "experimental"> {
	/** Time to wait for the user, in milliseconds. Default: 60 000. */
	timeout?: number | undefined;
}
/** The result of {@link Session.ensureConnected}. */
export interface EnsuredConnection {
	/** The toolkit's slug. */
	toolkit: string;
	/** Whether the user already had an active account, or the toolkit needs none. */
	wasConnected: boolean;
	/** The account that calls use; absent if the toolkit needs none. */
	connectedAccount?: {
		id: string;
		status: ConnectedAccountStatus;
	} | undefined;
}
/** The MCP server that gives agents the tools of a session. */
export interface Mcp {
	/** The transport. */
	type: "http";
	/** The server's URL; empty if there is no server, as for a gateway that does not listen. */
	url: string;
	/**
	 * The headers to send to the server. They contain the API key: do not log them. They are empty if the URL has
	 * another origin than the backend, or if the backend is a gateway in this process, which has no key.
	 */
	headers: Record<string, string>;
}
/** The files of a session of the hosted backend. Each member rejects, and says what to use. */
export type SessionFiles = UnsupportedMembers<"list" | "upload" | "download" | "delete">;
/**
 * A user's session, made by {@link Composio.create} or {@link Composio.use}.
 *
 * A session holds no resources, so there is nothing to close. To use the session again, from any process, keep its
 * id and pass it to {@link Composio.use}.
 *
 * @example
 * ```ts
 * const session = await composio.create('user_123', { toolkits: ['github'] });
 * const { status, data } = await session.proxyExecute({ toolkit: 'github', endpoint: '/user', method: 'GET' });
 * ```
 */
export declare class Session {
	#private;
	/** The session's id, `trs_…`. */
	readonly sessionId: string;
	private constructor();
	/** Your own id of the user that calls are made for. */
	get userId(): string;
	/** The session's configuration as the backend returned it, under the names of the wire. */
	get config(): Readonly<Record<string, unknown>>;
	/** The version of the configuration: 1 at first, and one more with each update. */
	get configVersion(): number | undefined;
	/** The MCP server that gives agents the tools of the session. */
	get mcp(): Mcp;
	/** The tools of the hosted backend that are offered without a search. A gateway has none. */
	get preload(): unknown;
	/** The sandbox of the hosted backend, under the names of the wire. */
	get sandbox(): unknown;
	/** Files of the hosted backend, which are not in this package: each member rejects, and says what to use. */
	get files(): SessionFiles;
	/** Where the Composio SDK has {@link files}. */
	get experimental(): {
		readonly files: SessionFiles;
	};
	/**
	 * Lists the custom tools that the session was given, by {@link Composio.create} or {@link Composio.use}.
	 *
	 * @param filter `toolkit` is the toolkit that the tools extend or belong to. Default: all.
	 *
	 * @example
	 * ```ts
	 * for (const { slug, description } of session.customTools()) console.log(slug, description);
	 * ```
	 */
	customTools(filter?: {
		toolkit?: string | undefined;
	}): RegisteredCustomTool[];
	/** Lists the toolkits of custom tools that the session was given. */
	customToolkits(): RegisteredCustomToolkit[];
	/**
	 * Runs a custom tool of the session in this process. Nothing is sent but the calls that the tool makes.
	 *
	 * @param slug The tool's name in the session, such as `LOCAL_GREP`, or the slug that it was created with.
	 * @param input The input of the tool, which its schema checks.
	 * @param _account An option of the Composio SDK. It has no effect.
	 * @param options `signal` and `timeout` (milliseconds). The signal is that of the tool's context.
	 * @returns The tool's `data`. If the tool throws, or its schema refuses the input, `error` says why.
	 * @throws {UnsupportedFeatureError} If the session has no such custom tool: tools of the hosted backend are not in
	 * this package.
	 * @throws {ValidationError} If an argument cannot be used, or the slug is that of several tools.
	 * @throws The signal's reason, if the signal is aborted.
	 *
	 * @example
	 * ```ts
	 * const { data, error } = await session.execute('COUNT_STARS', { repository: 'octocat/hello-world' });
	 * ```
	 */
	execute(slug: string, input?: Record<string, unknown>, _account?: {
		account?: string | undefined;
	}, options?: CallOptions): Promise<ToolResult>;
	/**
	 * Tools of the hosted backend, which are not in this package.
	 *
	 * @throws {UnsupportedFeatureError} Always. The message says what to use.
	 */
	tools(..._options: UnsupportedOption[]): Promise<UnsupportedResult>;
	/**
	 * The search of the hosted backend, which is not in this package.
	 *
	 * @throws {UnsupportedFeatureError} Always. The message says what to use.
	 */
	search(..._options: UnsupportedOption[]): Promise<UnsupportedResult>;
	/**
	 * Earlier configurations of the session, which are not in this package.
	 *
	 * @throws {UnsupportedFeatureError} Always. The message says what to use.
	 */
	listConfigHistory(..._options: UnsupportedOption[]): Promise<UnsupportedResult>;
	/**
	 * Calls an endpoint of a toolkit as the session's user. The backend adds the credential of the user's account.
	 * Your program never sees the credential.
	 *
	 * Every response of the third-party API is returned, 4xx and 5xx included. An error means that the
	 * call got no response from the API.
	 *
	 * A call is retried only if it cannot have reached the third-party API, or if it only reads (GET,
	 * HEAD) and the connection broke or the backend was unavailable (503).
	 *
	 * @param request What to call. `parameters` are headers and query values.
	 * @param options `signal` aborts the call. `timeout` is in milliseconds, for the whole call
	 * (default: that of the {@link Composio} object). `retry` says which responses of the API are retried (default:
	 * that of the {@link Composio} object, else none). `responseType: 'text'` leaves the response's JSON
	 * unparsed in `data`, for numbers that JavaScript would round, and for bodies that only claim to be JSON.
	 * `responseType: 'stream'` makes `data` a `ReadableStream` of the response's bytes, of any content type.
	 * `timeout` then limits the wait for the response's head, and the wait for each chunk of its body.
	 * `responseType: 'bytes'` makes `data` those bytes in one piece, at most 50 MiB.
	 * @throws {ValidationError} If an argument cannot be used; nothing was sent.
	 * @throws {BadRequestError} If the user has no active account of the toolkit (slug
	 * `ToolRouterV2_NoActiveConnection`), or the endpoint leads to a foreign host (`OriginMismatch`).
	 * @throws {PermissionDeniedError} If the session does not allow the toolkit.
	 * @throws {NotFoundError} If the session is deleted, or there is no such toolkit.
	 * @throws {UnprocessableEntityError} If the account that the session pins is disabled or expired, or if the
	 * provider has refused to refresh the account's access token.
	 * @throws {RateLimitError} If the backend has had too many calls.
	 * @throws {InternalServerError} If the third-party API could not be reached or did not respond, or if the access
	 * token could not be refreshed now.
	 * @throws {APIConnectionTimeoutError} If the call did not end within its timeout.
	 * @throws {APIConnectionError} If the backend could not be reached.
	 * @throws The signal's reason, if the signal is aborted.
	 *
	 * @example
	 * ```ts
	 * const { status, data } = await session.proxyExecute<{ title: string }>(
	 *   {
	 *     toolkit: 'github',
	 *     endpoint: '/repos/octocat/hello-world/issues/1',
	 *     method: 'GET',
	 *     parameters: [{ name: 'Accept', value: 'application/vnd.github+json', in: 'header' }],
	 *   },
	 *   { timeout: 10_000 },
	 * );
	 * if (status === 200) console.log(data.title);
	 * ```
	 */
	proxyExecute(request: ProxyExecuteRequest, options: ProxyOptions & {
		responseType: "text";
	}): Promise<ProxyExecuteResponse<string | null>>;
	proxyExecute<T = unknown>(request: ProxyExecuteRequest, options?: ProxyOptions & {
		responseType?: "json" | undefined;
	}): Promise<ProxyExecuteResponse<T>>;
	proxyExecute(request: ProxyExecuteRequest, options: ProxyOptions & {
		responseType: "stream";
	}): Promise<ProxyExecuteResponse<ByteStream>>;
	proxyExecute(request: ProxyExecuteRequest, options: ProxyOptions & {
		responseType: "bytes";
	}): Promise<ProxyExecuteResponse<Uint8Array>>;
	proxyExecute(request: ProxyExecuteRequest, options?: ProxyOptions & {
		responseType?: ResponseType | undefined;
	}): Promise<ProxyExecuteResponse>;
	/**
	 * Returns a function with the signature of `fetch` that calls a toolkit as the session's user, for the SDK of an
	 * API: pass it where the SDK takes a `fetch`, and any text as the SDK's key.
	 *
	 * A path is appended to the base URL of the user's account. An absolute URL must lead to one of the toolkit's hosts.
	 * The result is a `Response`, whose body is streamed. An error of the backend that a retry cannot mend, such as a
	 * missing account, is a `Response` with its status of 4xx and the header `x-proxy-execute-error`.
	 *
	 * @param toolkit The toolkit, such as `github`.
	 * @param options `keepAuthorization`, `throwGatewayErrors`, and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used.
	 *
	 * @example
	 * ```ts
	 * const github = session.fetch('github');
	 * const response = await github('/user', { headers: { accept: 'application/vnd.github+json' } });
	 * if (response.ok) console.log(await response.json());
	 * ```
	 */
	fetch(toolkit: ToolkitSlug, options?: FetchOptions): typeof globalThis.fetch;
	/**
	 * Calls an endpoint for the pages of a list, one after the other. The next page is asked for when the loop is ready
	 * for it. Each page is a call like {@link Session.proxyExecute}, so every address that the API gives passes the same
	 * rules.
	 *
	 * @param request The call for the first page: a GET, or a POST where the recipe has the cursor in the body.
	 * @param options `limit` is the most items of all pages together. `items` is the JSON pointer of a page's items.
	 * `pagination` says how the API gives pages (default: the recipe of the toolkit). `cursor` begins at an earlier
	 * page's cursor. `signal`, `timeout` and `retry` are of each page's call.
	 * @throws {ValidationError} If an argument cannot be used; nothing was sent.
	 * @throws {PageError} If a page has a status other than 2xx, its items are not where the recipe says, its cursor
	 * repeats, or there is no recipe. The error has the page's `cursor` and `response`.
	 * @throws {BadRequestError} If the next page has an address on a foreign host (slug `OriginMismatch`).
	 * @throws What {@link Session.proxyExecute} throws.
	 *
	 * @example
	 * ```ts
	 * const request = { toolkit: 'github', endpoint: '/user/repos', method: 'GET', query: { per_page: 100 } } as const;
	 * for await (const { items } of session.paginate<{ name: string }>(request, { limit: 1_000 })) {
	 *   for (const { name } of items) console.log(name);
	 * }
	 * ```
	 */
	paginate<T = unknown>(request: ProxyExecuteRequest, options?: PaginateOptions): AsyncGenerator<ProxyPage<T>, void, undefined>;
	/**
	 * Creates an account of a toolkit for the session's user, and a link to the page where the user connects it.
	 *
	 * The account has the auth config that the session names for the toolkit. If the session names none, a gateway
	 * takes the newest enabled auth config that was created for the toolkit. If there is none either, the gateway has
	 * a default auth config for toolkits with an API key, a token or a password, but not for OAuth.
	 *
	 * @param toolkit The toolkit, such as `github`.
	 * @param authorize `callbackUrl` is the URL to which the user is redirected at the end, with `status=success` or
	 * `status=failed` and `connected_account_id` in its query. `alias` names the account. `experimental` shares it with
	 * other users: a session has to pin a `SHARED` account, also one of the account's own user.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns The page's URL, as `redirectUrl`, and `waitForConnection` to wait until the account is `ACTIVE`.
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
	 * @throws {BadRequestError} If no auth config can be used, the toolkit needs no account, the session pins an
	 * account, or the gateway does not allow the callback URL.
	 * @throws {PermissionDeniedError} If the session does not allow the toolkit.
	 * @throws {ConflictError} If the alias is taken, or if the gateway neither listens nor has a `publicUrl`, so
	 * that there is no page (slug `GatewayNotListening`).
	 *
	 * @example
	 * ```ts
	 * const { redirectUrl, waitForConnection } = await session.authorize('github', {
	 *   callbackUrl: 'https://app.example.com/connected',
	 * });
	 * // send the user to redirectUrl
	 * const account = await waitForConnection(300_000);
	 * ```
	 */
	authorize(toolkit: ToolkitSlug, authorize?: AuthorizeOptions, options?: CallOptions): Promise<ConnectionRequest>;
	/**
	 * Ensures that calls of a toolkit have an account. If the toolkit needs one and the session's user has none that is
	 * `ACTIVE`, the method creates one like {@link Session.authorize}, and waits for it.
	 *
	 * The method does not return the link. For a user in front of your program, call {@link Session.authorize}, send the
	 * user to its `redirectUrl`, and then `waitForConnection`.
	 *
	 * @param toolkit The toolkit, such as `github`.
	 * @param connect `callbackUrl` and `alias` are those of {@link Session.authorize}. `timeout` is the time to wait for
	 * the user, in milliseconds (default: 60 000).
	 * @param options `signal` aborts the method at every stage. `timeout` is in milliseconds, for each request before
	 * the wait.
	 * @returns Whether the user already had an account, and the account that calls use.
	 * @throws {ValidationError} If an argument is missing, unknown or cannot be used; nothing was sent.
	 * @throws {ConnectionRequestFailedError} If the new account has failed, expired or been revoked.
	 * @throws {ConnectionRequestTimeoutError} If the new account is not `ACTIVE` in time. The account stays, and may
	 * still become `ACTIVE`.
	 * @throws What {@link Session.toolkits} and {@link Session.authorize} throw.
	 *
	 * @example
	 * ```ts
	 * const { wasConnected, connectedAccount } = await session.ensureConnected('github', { timeout: 300_000 });
	 * ```
	 */
	ensureConnected(toolkit: ToolkitSlug, connect?: EnsureConnectedOptions, options?: CallOptions): Promise<EnsuredConnection>;
	/**
	 * Opens a file of a third-party API's response.
	 *
	 * @param binaryData The `binaryData` of a response. Only its `url` is used.
	 * @param options `signal` aborts the download at every stage. `timeout` is in milliseconds. It limits the wait for
	 * the start of the file, and the wait for each chunk.
	 * @throws {ValidationError} If an argument cannot be used.
	 * @throws {PermissionDeniedError} If the URL has expired, or was not signed by the gateway.
	 * @throws {NotFoundError} If the file no longer exists.
	 * @throws {APIConnectionError} If the file's server could not be reached. Reading the file also throws it if the
	 * connection breaks.
	 *
	 * @example
	 * ```ts
	 * const { binaryData } = await session.proxyExecute({ toolkit: 'github', endpoint: '/report.pdf', method: 'GET' });
	 * if (binaryData) {
	 *   const file = await session.download(binaryData);
	 *   await file.toFile('report.pdf', { onProgress: ({ written, size }) => console.log(written, size) });
	 * }
	 * ```
	 */
	download(binaryData: Pick<BinaryData, "url">, options?: CallOptions): Promise<Download>;
	/**
	 * Changes parts of the session's configuration. Parts that are not given stay as they are; `null` resets a part.
	 *
	 * @param update The parts to change.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @returns This session, with the new `config`.
	 * @throws {ValidationError} If an argument cannot be used; nothing was sent.
	 * @throws {BadRequestError} If the backend refuses the configuration.
	 * @throws {NotFoundError} If the session is deleted.
	 * @throws {ComposioSessionConfigConflictError} If another call changed the session at the same time, or if the
	 * session has another version than `expectedConfigVersion`.
	 *
	 * @example
	 * ```ts
	 * await session.update({ toolkits: ['github', 'slack'], connectedAccounts: null });
	 * ```
	 */
	update(update: SessionUpdate, options?: CallOptions): Promise<this>;
	/**
	 * Deletes the session. The user's accounts stay.
	 *
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {NotFoundError} If the session is deleted already.
	 *
	 * @example
	 * ```ts
	 * await session.delete();
	 * ```
	 */
	delete(options?: CallOptions): Promise<{
		sessionId: string;
		deleted: boolean;
	}>;
	/**
	 * Lists the session's toolkits, each with the account that a call would use, a page at a time.
	 *
	 * @param filter Which toolkits to list. Default: all that the session may call.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument is unknown or cannot be used.
	 * @throws {NotFoundError} If the session is deleted.
	 *
	 * @example
	 * ```ts
	 * const { items } = await session.toolkits({ isConnected: true });
	 * for (const { slug, connection } of items) console.log(slug, connection?.connectedAccount?.id);
	 * ```
	 */
	toolkits(filter?: ListSessionToolkits, options?: CallOptions): Promise<SessionToolkitPage>;
}
/** How an existing session is used: with which custom tools, and the options of the call. */
export interface UseSession extends CustomTools, CallOptions {
	/** An option of the Composio SDK. It has no effect: every session has `mcp`. */
	mcp?: boolean | undefined;
}
/** The sessions of users, by {@link Composio.sessions}. */
export declare class Sessions {
	#private;
	private constructor();
	/**
	 * Opens a session for a user. {@link Composio.create} is the same.
	 *
	 * @param userId Your own id of the user.
	 * @param config What the session may do. Default: all toolkits, with the user's own accounts.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used; nothing was sent.
	 * @throws {BadRequestError} If the backend refuses the configuration.
	 *
	 * @example
	 * ```ts
	 * const session = await composio.sessions.create('user_123', { toolkits: ['github'] });
	 * ```
	 */
	create(userId: string, config?: SessionConfig, options?: CallOptions): Promise<Session>;
	/**
	 * Returns an existing session. {@link Composio.use} is the same.
	 *
	 * @param sessionId The session's id, `trs_…`.
	 * @param use `customTools` and `customToolkits`, which the backend does not store, and `signal` and `timeout`
	 * (milliseconds).
	 * @param options `signal` and `timeout` (milliseconds), as a third argument.
	 * @throws {ValidationError} If the id is empty or no string, or an option cannot be used.
	 * @throws {NotFoundError} If there is no such session, or no longer.
	 *
	 * @example
	 * ```ts
	 * const session = await composio.sessions.use('trs_4f9d…');
	 * ```
	 */
	use(sessionId: string, use?: UseSession, options?: CallOptions): Promise<Session>;
	/**
	 * Deletes a session without reading it first. The user's accounts stay.
	 *
	 * @param sessionId The session's id, `trs_…`.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If the id is empty or no string.
	 * @throws {NotFoundError} If there is no such session, or no longer.
	 *
	 * @example
	 * ```ts
	 * await composio.sessions.delete('trs_4f9d…');
	 * ```
	 */
	delete(sessionId: string, options?: CallOptions): Promise<{
		sessionId: string;
		deleted: boolean;
	}>;
}
/** The kinds of an auth config. */
export declare const AuthConfigTypes: Readonly<{
	/** With your own client, or for a scheme that needs none. */
	readonly CUSTOM: "use_custom_auth";
	/** With a client of the hosted backend. A gateway has none. */
	readonly COMPOSIO_MANAGED: "use_composio_managed_auth";
}>;
/** How accounts authenticate. */
export declare const AuthSchemeTypes: Readonly<{
	readonly OAUTH1: "OAUTH1";
	readonly OAUTH2: "OAUTH2";
	readonly API_KEY: "API_KEY";
	readonly BASIC: "BASIC";
	readonly BEARER_TOKEN: "BEARER_TOKEN";
	readonly BILLCOM_AUTH: "BILLCOM_AUTH";
	readonly GOOGLE_SERVICE_ACCOUNT: "GOOGLE_SERVICE_ACCOUNT";
	readonly NO_AUTH: "NO_AUTH";
	readonly BASIC_WITH_JWT: "BASIC_WITH_JWT";
	readonly CALCOM_AUTH: "CALCOM_AUTH";
	readonly SERVICE_ACCOUNT: "SERVICE_ACCOUNT";
	readonly SAML: "SAML";
	readonly DCR_OAUTH: "DCR_OAUTH";
	readonly CIMD_OAUTH: "CIMD_OAUTH";
	readonly S2S_OAUTH2: "S2S_OAUTH2";
}>;
/** The name of an auth scheme. */
export type AuthSchemeType = keyof typeof AuthSchemeTypes;
/** The states of an account. Calls are made with `ACTIVE` accounts only. */
export declare const ConnectedAccountStatuses: Readonly<{
	readonly INITIALIZING: "INITIALIZING";
	readonly INITIATED: "INITIATED";
	readonly ACTIVE: "ACTIVE";
	readonly FAILED: "FAILED";
	readonly EXPIRED: "EXPIRED";
	readonly INACTIVE: "INACTIVE";
	readonly REVOKED: "REVOKED";
}>;
/** Another name of {@link ConnectedAccountStatuses}. */
export declare const ConnectionStatuses: Readonly<{
	readonly INITIALIZING: "INITIALIZING";
	readonly INITIATED: "INITIATED";
	readonly ACTIVE: "ACTIVE";
	readonly FAILED: "FAILED";
	readonly EXPIRED: "EXPIRED";
	readonly INACTIVE: "INACTIVE";
	readonly REVOKED: "REVOKED";
}>;
/** Whether an account belongs to one user, or several may use it. */
export declare const ConnectedAccountTypes: Readonly<{
	readonly PRIVATE: "PRIVATE";
	readonly SHARED: "SHARED";
}>;
/** The presets of a session. */
export declare const SessionPreset: Readonly<{
	readonly DIRECT_TOOLS: "direct_tools";
}>;
/** The states of a trigger of the hosted backend. */
export declare const TriggerStatuses: Readonly<{
	readonly ENABLE: "enable";
	readonly DISABLE: "disable";
}>;
/** The forms of a webhook's payload. */
export declare const WebhookVersions: Readonly<{
	readonly V1: "V1";
	readonly V2: "V2";
	readonly V3: "V3";
}>;
/** The form of a webhook's payload. */
export type WebhookVersion = keyof typeof WebhookVersions;
/** The events of a webhook. */
export declare const WebhookEventTypes: Readonly<{
	readonly CONNECTION_EXPIRED: "composio.connected_account.expired";
	readonly TRIGGER_MESSAGE: "composio.trigger.message";
}>;
/** An event, in the same form for every version of the payload. Texts that a version does not have are empty. */
export interface IncomingTriggerPayload {
	/** The trigger's id; the event's id for an event without a trigger. */
	id: string;
	/** The trigger's UUID, where the payload has one. */
	uuid: string;
	/** The kind of trigger, such as `GMAIL_NEW_GMAIL_MESSAGE`; the event's type for an event without a trigger. */
	triggerSlug: string;
	/** The toolkit, in upper case; `COMPOSIO` for an event without a trigger. */
	toolkitSlug: string;
	/** The user of the account. */
	userId: string;
	/** The event's data. */
	payload?: Record<string, unknown> | undefined;
	/** The event's data as it came; the whole event for an event without a trigger. */
	originalPayload?: Record<string, unknown> | undefined;
	/** The trigger and its account. */
	metadata: {
		id: string;
		uuid: string;
		toolkitSlug: string;
		triggerSlug: string;
		triggerConfig: Record<string, unknown>;
		connectedAccount: {
			id: string;
			uuid: string;
			authConfigId: string;
			authConfigUUID: string;
			userId: string;
			status: "ACTIVE" | "INACTIVE";
		};
	};
}
/** The payload of a webhook. */
export interface WebhookEvent {
	/** The form of the payload. */
	version: WebhookVersion;
	/** The event, in the same form for every version. */
	payload: IncomingTriggerPayload;
	/** The JSON of the payload. */
	rawPayload: Record<string, unknown>;
}
/** A webhook and its headers. */
export interface VerifyWebhook {
	/** The header `webhook-id`. */
	id: string;
	/** The body of the request as it arrived: its text or its bytes, not the parsed JSON. At most 10 MiB. */
	payload: string | Uint8Array;
	/** The secret of the webhook subscription. */
	secret: string;
	/** The header `webhook-signature`. */
	signature: string;
	/** The header `webhook-timestamp`: seconds since 1970. */
	timestamp: string;
	/** The most seconds between the timestamp and now, in either direction. 0 is any number. Default: 300. */
	tolerance?: number | undefined;
}
/** A request that carries a webhook: a `Request` of `fetch`, or the body and headers of any other server. */
export type WebhookRequest = Request | {
	body: unknown;
	headers: unknown;
};
/** How a request that carries a webhook is read. */
export interface ParseWebhook {
	/** The secret of the webhook subscription. Without this key, the signature is not verified. */
	verifySecret?: string | undefined;
	/** The most seconds between the timestamp and now, in either direction. 0 is any number. Default: 300. */
	tolerance?: number | undefined;
}
/** The webhooks of the hosted backend, by {@link Composio.triggers}. A gateway sends events of accounts in the same form. */
export declare class Triggers {
	/**
	 * Verifies that Composio sent a webhook, and reads its payload.
	 *
	 * @param webhook The body as it arrived, the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, and
	 * the secret.
	 * @throws {ValidationError} If an argument is missing or cannot be used.
	 * @throws {ComposioWebhookSignatureVerificationError} If no signature is one with this secret, or if the timestamp is
	 * too far from now.
	 * @throws {ComposioWebhookPayloadError} If the payload is too large, or has no known form.
	 *
	 * @example
	 * ```ts
	 * const { payload } = await composio.triggers.verifyWebhook({
	 *   id: request.headers.get('webhook-id') ?? '',
	 *   timestamp: request.headers.get('webhook-timestamp') ?? '',
	 *   signature: request.headers.get('webhook-signature') ?? '',
	 *   payload: await request.text(),
	 *   secret,
	 * });
	 * ```
	 */
	verifyWebhook(webhook: VerifyWebhook): Promise<WebhookEvent>;
	/**
	 * Reads a request that carries a webhook. With `verifySecret` it verifies the signature, as
	 * {@link verifyWebhook} does.
	 *
	 * @param request A `Request` of `fetch`, or `{ body, headers }`, where `body` is the text or the bytes that arrived.
	 * @param options `verifySecret` and `tolerance` (seconds).
	 * @throws {ValidationError} If the secret is empty, a header is missing, or an argument cannot be used.
	 * @throws {ComposioWebhookSignatureVerificationError} If no signature is one with the secret, or if the timestamp is
	 * too far from now.
	 * @throws {ComposioWebhookPayloadError} If the payload is too large, or has no known form.
	 *
	 * @example
	 * ```ts
	 * const { payload } = await composio.triggers.parse(request, { verifySecret: secret });
	 * ```
	 */
	parse(request: WebhookRequest, options?: ParseWebhook): Promise<WebhookEvent>;
}
/** How a backend is called over HTTP: the hosted one, or a gateway on a port. */
export interface RemoteOptions {
	/** The project's API key. Default: the environment variable `COMPOSIO_API_KEY`. */
	apiKey?: string | null | undefined;
	/**
	 * The backend's URL. A path in it is kept.
	 * Default: the environment variable `COMPOSIO_BASE_URL`, else `https://backend.composio.dev`.
	 */
	baseURL?: string | null | undefined;
	/** Time for a whole call in milliseconds, retries and response body included. Default: 60 000. */
	timeout?: number | undefined;
	/**
	 * How often a call is retried, if the API cannot have processed it: the call did not reach the backend, or the
	 * backend refused it by a rate limit. Default: 2.
	 */
	maxRetries?: number | undefined;
	/** Which responses of the API proxied calls retry. Default: none. */
	retry?: RetryOptions | false | undefined;
	/** Headers that every request to the backend has. They do not reach the third-party API. */
	defaultHeaders?: Record<string, string> | undefined;
	/** The version of the backend's interface. Default: `v3.1`. */
	apiVersion?: "v3.1" | "v3" | undefined;
	/** An option of the Composio SDK. It has no effect: no telemetry is sent. */
	allowTracking?: boolean | undefined;
	/** An option of the Composio SDK. It has no effect: no newer version is looked for. */
	disableVersionCheck?: boolean | undefined;
	/** An option of the Composio SDK. It has no effect: no tools are made for the framework of an agent. */
	provider?: unknown | undefined;
	/** An option of the Composio SDK. It has no effect: toolkits have no tools. */
	toolkitVersions?: unknown | undefined;
}
/** How a gateway in this process is called. */
export interface EmbeddedOptions {
	/** The gateway. */
	gateway: Gateway;
	/** Time for a whole call in milliseconds. Default: 60 000. */
	timeout?: number | undefined;
	/** Which responses of the API proxied calls retry. Default: none. */
	retry?: RetryOptions | false | undefined;
}
/** The options of a {@link Composio} object. */
export type ComposioOptions = RemoteOptions | EmbeddedOptions;
/**
 * The client. It makes sessions, in which calls are made as a user.
 *
 * One is enough for a process; it holds no resources that would have to be closed.
 *
 * @example The hosted backend, or a gateway on a port
 * ```ts
 * const composio = new Composio({ apiKey: process.env.COMPOSIO_API_KEY });
 * const session = await composio.create('user_123', { toolkits: ['github'] });
 * ```
 *
 * @example A gateway in this process
 * ```ts
 * const gateway = await Gateway.open();
 * const composio = new Composio({ gateway });
 * ```
 */
export declare class Composio {
	#private;
	/** Sessions, in which calls are made as a user. */
	readonly sessions: Sessions;
	/** The accounts of users, with the credentials that calls are made with. */
	readonly connectedAccounts: ConnectedAccounts;
	/** How accounts are connected. */
	readonly authConfigs: AuthConfigs;
	/** The toolkits that can be called. */
	readonly toolkits: Toolkits;
	/** Calls outside of a session. Members for tools of the hosted backend reject, and say what to use. */
	readonly tools: Tools & UnsupportedMembers<"get" | "execute" | "createCustomTool" | "getRawComposioTools" | "getRawComposioToolBySlug">;
	/** The webhooks of the hosted backend. Members for its triggers reject, and say what to use. */
	readonly triggers: Triggers & UnsupportedMembers<"delete" | "enable" | "disable" | "create" | "getType" | "listActive" | "listEnum" | "listTypes" | "setWebhookSubscription" | "subscribe" | "unsubscribe" | "update">;
	/** Webhook subscriptions of the hosted backend: each member rejects, and says what to use. */
	readonly webhooks: UnsupportedMembers<"delete" | "get" | "set" | "list" | "create" | "update">;
	/** MCP servers of the hosted backend: each member rejects, and says what to use. */
	readonly mcp: UnsupportedMembers<"delete" | "get" | "list" | "create" | "update" | "generate">;
	/** Files of the hosted backend: each member rejects, and says what to use. */
	readonly files: UnsupportedMembers<"upload" | "download">;
	/** Logs of the hosted backend: each member rejects, and says what to use. */
	readonly logs: UnsupportedMembers<"get" | "search">;
	/** Saved configurations of the hosted backend: each member rejects, and says what to use. */
	readonly sessionConfigs: UnsupportedMembers<"get" | "list">;
	/** The same as `updateAcl` of {@link connectedAccounts}, under the name of the Composio SDK. */
	readonly experimental: Pick<ConnectedAccounts, "updateAcl">;
	/**
	 * @param options Where the calls go.
	 * @throws {ValidationError} If an option is unknown or cannot be used.
	 * @throws {ComposioNoAPIKeyError} If there is no API key.
	 * @throws {ComposioError} If the URL, or the file named by `NODE_EXTRA_CA_CERTS`, cannot be used.
	 */
	constructor(options?: ComposioOptions);
	/** The name that the Composio SDK had for {@link sessions}. */
	get toolRouter(): Sessions;
	/**
	 * Returns a client with the same options, and with further headers for every request to the backend.
	 *
	 * @param options `headers`, which are added to `defaultHeaders`. A gateway in this process has no use for them.
	 * @throws {ValidationError} If a header cannot be used.
	 *
	 * @example
	 * ```ts
	 * const traced = composio.createSession({ headers: { 'x-correlation-id': 'job-17' } });
	 * ```
	 */
	createSession({ headers }?: {
		headers?: Record<string, string> | undefined;
	}): Composio;
	/** A function of the Composio SDK. It does nothing: there is no telemetry to send. */
	flush(): Promise<void>;
	/**
	 * Opens a session for a user. It stays until it is deleted, so one for each request fills the store: keep its
	 * `sessionId`, and go on with {@link Composio.use}.
	 *
	 * @param userId Your own id of the user.
	 * @param config What the session may do. Default: all toolkits, with the user's own accounts.
	 * @param options `signal` and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used; nothing was sent.
	 * @throws {BadRequestError} If the backend refuses the configuration.
	 * @throws {AuthenticationError} If the API key is not valid.
	 * @throws {PermissionDeniedError} If the API key may not open sessions.
	 * @throws {APIConnectionError} If the backend could not be reached.
	 * @throws The signal's reason, if the signal is aborted.
	 *
	 * @example
	 * ```ts
	 * const session = await composio.create('user_123', {
	 *   toolkits: ['github', 'slack'],
	 *   connectedAccounts: { slack: 'ca_team' },
	 * });
	 * ```
	 */
	create(userId: string, config?: SessionConfig, options?: CallOptions): Promise<Session>;
	/**
	 * Returns an existing session.
	 *
	 * @param sessionId The session's id, `trs_…`.
	 * @param use `customTools` and `customToolkits`, which the backend does not store, and `signal` and `timeout`
	 * (milliseconds).
	 * @param options `signal` and `timeout` (milliseconds), as a third argument.
	 * @throws {ValidationError} If the id is empty or no string, or an option cannot be used.
	 * @throws {NotFoundError} If there is no such session, or no longer.
	 *
	 * @example
	 * ```ts
	 * const session = await composio.use('trs_4f9d…');
	 * ```
	 */
	use(sessionId: string, use?: UseSession, options?: CallOptions): Promise<Session>;
	/**
	 * Returns a function like that of {@link Session.fetch} that finds the session of each call. It is for an SDK that
	 * takes one `fetch` for all of its users.
	 *
	 * @param sessionOf Returns the session of a call. It receives the call's URL, method and headers. If it throws, so
	 * does the call.
	 * @param toolkit The toolkit, such as `slack`.
	 * @param options `keepAuthorization`, `throwGatewayErrors`, and `timeout` (milliseconds).
	 * @throws {ValidationError} If an argument cannot be used.
	 *
	 * @example
	 * ```ts
	 * const sessions = new Map<string, Session>();
	 * const slack = composio.fetch(({ headers }) => sessions.get(headers.get('authorization') ?? ''), 'slack');
	 * ```
	 */
	fetch(sessionOf: (request: FetchRequest) => Session | undefined | Promise<Session | undefined>, toolkit: string, options?: FetchOptions): typeof globalThis.fetch;
}
/** Calls outside of a session, by {@link Composio.tools}. */
export declare class Tools {
	#private;
	private constructor();
	/**
	 * Calls an endpoint with a named account, or with credentials given in the call. Without either, the call uses the
	 * default account that {@link ConnectedAccounts.setDefault} has named.
	 *
	 * Every response of the third-party API is returned, 4xx and 5xx included.
	 *
	 * @param request What to call, and as whom: `connectedAccountId` or `customConnectionData`.
	 * @param options `signal` aborts the call. `timeout` is in milliseconds, for the whole call.
	 * `responseType: 'text'` leaves the response's JSON unparsed in `data`, and is no error where only the type says JSON.
	 * @returns The response in its wire form (`binary_data`, not `binaryData`).
	 * @throws {ValidationError} If an argument cannot be used; nothing was sent.
	 * @throws {BadRequestError} If neither an account nor credentials are named and there is no default account (slug
	 * `MissingAuthContext`), or the endpoint leads to a foreign host (`OriginMismatch`).
	 * @throws {NotFoundError} If there is no such account or toolkit.
	 * @throws {APIError} And what else {@link Session.proxyExecute} throws.
	 *
	 * @example
	 * ```ts
	 * const { status, data } = await composio.tools.proxyExecute({
	 *   connectedAccountId: 'ca_4f9d…',
	 *   endpoint: '/user',
	 *   method: 'GET',
	 * });
	 * ```
	 */
	proxyExecute(request: ToolsProxyExecuteRequest, options: ProxyOptions & {
		responseType: "text";
	}): Promise<ToolsProxyExecuteResponse<string | null>>;
	proxyExecute<T = unknown>(request: ToolsProxyExecuteRequest, options?: ProxyOptions & {
		responseType?: "json" | undefined;
	}): Promise<ToolsProxyExecuteResponse<T>>;
	proxyExecute(request: ToolsProxyExecuteRequest, options: ProxyOptions & {
		responseType: "stream";
	}): Promise<ToolsProxyExecuteResponse<ByteStream>>;
	proxyExecute(request: ToolsProxyExecuteRequest, options: ProxyOptions & {
		responseType: "bytes";
	}): Promise<ToolsProxyExecuteResponse<Uint8Array>>;
	proxyExecute(request: ToolsProxyExecuteRequest, options?: ProxyOptions & {
		responseType?: ResponseType | undefined;
	}): Promise<ToolsProxyExecuteResponse>;
	/**
	 * Opens a file of a third-party API's response. See {@link Session.download}.
	 *
	 * @param binaryData The `binary_data` of a response. Only its `url` is used.
	 * @param options `signal` and `timeout` (milliseconds).
	 *
	 * @example
	 * ```ts
	 * const call = { connectedAccountId: 'ca_4f9d…', endpoint: '/report.pdf', method: 'GET' } as const;
	 * const { binary_data } = await composio.tools.proxyExecute(call);
	 * if (binary_data) await (await composio.tools.download(binary_data)).toFile('report.pdf');
	 * ```
	 */
	download(binaryData: Pick<BinaryData, "url">, options?: CallOptions): Promise<Download>;
}

export {};
