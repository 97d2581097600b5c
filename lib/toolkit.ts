// The definition of a toolkit, as a value. The same keys are used in a toolkit's TOML file.

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
  docs?: string;
  /** The URL to which relative endpoints are appended. A path in it is kept. */
  base_url: string;
  /** Further hosts that an absolute endpoint may have, and that the credential is sent to. */
  hosts?: readonly string[];
  /**
   * An endpoint that only reads, such as `/user`, and responds with 401 or 403 to a credential that is not
   * accepted. The gateway calls it when a user enters a credential on the connect page.
   */
  check?: string;
  /**
   * The scheme of a link for which there is no auth config: `API_KEY`, `BEARER_TOKEN`, `BASIC` or `DCR_OAUTH`. Default: a
   * toolkit whose users sign in with OAuth needs an auth config; else the first of `DCR_OAUTH`, `API_KEY`,
   * `BEARER_TOKEN` and `BASIC` that it has.
   */
  default_scheme?: string;
  /** Headers that every call has, unless the call sets them itself. */
  headers?: Record<string, string>;
  /** The fields of a credential that are not the scheme's own, such as a subdomain. */
  fields?: Record<string, ToolkitField>;
  /** How each auth scheme puts the credential into a request, by names such as `BEARER_TOKEN`. */
  schemes: Record<string, ToolkitScheme>;
  /** How the API gives the pages of a list, for {@link Session.paginate}. */
  pagination?: ToolkitPagination;
  /** Where the API says when it takes calls again, for the `retry` of a call. */
  rate_limit?: ToolkitRateLimit;
}

/** The pages and rate limits of a toolkit's API. */
export type ToolkitFacts = Pick<ToolkitDefinition, 'pagination' | 'rate_limit'>;

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
  kind: 'link' | 'cursor' | 'offset' | 'page';
  /** The provider's page that documents it. */
  docs?: string;
  /**
   * The JSON pointer of a page's items. Without one, the items are the response if it is a list, else its only member
   * that is one.
   */
  items?: string;
  /** Whether a page without items may leave out their list. */
  may_omit_items?: boolean;
  /** The JSON pointer of a flag that is false on the last page. */
  more?: string;
  /** For `link`: the JSON pointer of the next page's URL. Without one, the URL is in the header `Link` (RFC 8288). */
  link?: string;
  /** For `link`: attributes that the link in the header must have. */
  link_attributes?: Record<string, string>;
  /** For `cursor`: the JSON pointer of the next page's cursor. */
  cursor?: string;
  /** For `cursor`: the header that has the next page's cursor, in lower case. */
  cursor_header?: string;
  /** The query key for the cursor, the offset or the page's number. */
  query?: string;
  /** Its JSON pointer in the body of a POST. */
  body?: string;
  /** For `offset` and `page`: that of the first page. Default: 0 for `offset`, and 1 for `page`. */
  start?: number;
  /** For `offset`: the JSON pointer of the number of all items. */
  total?: string;
  /** For `page`: the JSON pointer of the number of all pages. */
  total_pages?: string;
}

/** The header in which an API says when it takes calls again. */
export interface ToolkitRateLimit {
  /** The header's name, in lower case. */
  header: string;
  /** The meaning of its value: a time since 1970, a time from now, or a date. */
  unit: 'epoch_seconds' | 'epoch_milliseconds' | 'seconds' | 'milliseconds' | 'date';
  /** The header with the number of calls that are left. A 403 with 0 in it means the same as a 429. */
  remaining?: string;
  /** The provider's page that documents it. */
  docs?: string;
}

/** A field of a credential. */
export interface ToolkitField {
  /** A description for the user who enters it. */
  description: string;
  /** An example of its value. */
  example?: string;
  /** Its default value. Without a default it is required. */
  default?: string;
  /** The values that it may have, where not any: texts, and `*.example.com` for one label in front of a domain. */
  values?: readonly string[];
}

/** How an auth scheme puts the credential into a request. */
export interface ToolkitScheme {
  /** Headers to add, such as `{ Authorization: 'Bearer {{token}}' }`. */
  headers?: Record<string, string>;
  /** Query values to add. */
  query?: Record<string, string>;
  /** Basic authentication. */
  basic?: { username: string; password: string };
  /** A signature of OAuth 1.0 (RFC 5849). */
  oauth1?: { consumer_key: string; consumer_secret: string; token: string; token_secret: string };
  /** The base URL with this scheme, if it is another. */
  base_url?: string;
  /** The further hosts with this scheme, if they are others. */
  hosts?: readonly string[];
  /** Where its tokens come from. Without it accounts can be imported, but neither connected nor refreshed. */
  authorization_server?: ToolkitAuthorizationServer;
}

/** An OAuth 2.0 authorization server (RFC 6749). All but `token_url` is for providers that differ. */
export interface ToolkitAuthorizationServer {
  /** The page where a user consents. */
  authorize_url?: string;
  /** Where a code, a refresh token or another grant is exchanged for tokens. */
  token_url: string;
  /** Where a refresh token is spent. Default: `token_url`. */
  refresh_url?: string;
  /** The endpoint that revokes a token (RFC 7009). */
  revoke_url?: string;
  /** Where a client is registered for each account (RFC 7591): needed by `DCR_OAUTH`, and for no other scheme. */
  registration_url?: string;
  /** Its issuer identifier. A callback that names another one in `iss` is refused (RFC 9207). */
  issuer?: string;
  /** Whether all its callbacks name it, as its metadata says under the same name. Then one without is refused. */
  authorization_response_iss_parameter_supported?: boolean;
  /** Fields of the account that a callback has in its query: the parameter, or the part of it before an ending. */
  callback_fields?: Record<string, string | { parameter: string; ending: string }>;
  /** The provider's page where an OAuth client is registered, for the errors that ask for one. */
  client_page?: string;
  /** The scopes to request when the auth config names none. */
  scopes?: readonly string[];
  /** The meaning of scopes, for the user of the connect page. */
  scope_words?: Record<string, string>;
  /** The separator of scopes. Default: a space. */
  scope_separator?: string;
  /** The parameter that has the scopes. Default: `scope`. */
  scope_parameter?: string;
  /** The parameter for an auth config's `user_scopes`, where a provider tells them from those of the app. */
  user_scope_parameter?: string;
  /** The parameter that has the client's id. Default: `client_id`. */
  client_id_parameter?: string;
  /** Whether a code is bound to its flow (RFC 7636, S256). Default: true. */
  pkce?: boolean;
  /** Whether the client's id and secret are parameters or HTTP basic authentication. Default: `body`. */
  client_authentication?: 'body' | 'basic';
  /** How requests to the token endpoint are written. Default: `form`. */
  token_request?: 'form' | 'json';
  /** Further parameters of the authorize URL. */
  authorize_parameters?: Record<string, string>;
  /** Further parameters of token requests. */
  token_parameters?: Record<string, string>;
  /** Where fields of the account are in the token response: a JSON pointer, or a part of the text there. */
  token_answer?: Record<string, string | { at: string; ending: string }>;
  /** Lifetime of an access token in seconds, if the response has none. */
  default_lifetime?: number;
}
