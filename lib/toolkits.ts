// The toolkits that a backend knows, and those of a session.

import type { AuthConfigs } from './auth-configs';
import type { ConnectedAccounts } from './connected-accounts';
import type { ConnectionRequest } from './connection-request';
import { ComposioAuthConfigNotFoundError, ComposioToolkitNotFoundError } from './errors';
import { type ToolkitInputField, toField, type WireField } from './input-field';
import { quoted } from './quoted';
import { type Ask, checkFilter, type Page, type PageOptions, pageOf, toPage, type WirePage } from './resource';
import type { ToolkitPagination, ToolkitRateLimit } from './toolkit';
import { type CallOptions, Check, id, LONGEST_SLUG, LONGEST_USER_ID } from './validate';

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
  categories: { slug: string; name: string }[];
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
export interface Toolkit extends Omit<ToolkitItem, 'authSchemes' | 'noAuth'> {
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
  fields: { authConfigCreation: ToolkitFields; connectedAccountInitiation: ToolkitFields };
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
  requiredOnly?: boolean;
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
  search?: string;
  /** The `id` of a category. */
  category?: string;
  /** The owner: the hosted backend or the project. Default: `all`. */
  managedBy?: 'all' | 'composio' | 'project';
  /** The order. An embedded gateway has them by slug. */
  sortBy?: 'usage' | 'alphabetically';
}

/** Which toolkits of a session to list. `limit` is from 1 to 50, by default 20. */
export interface ListSessionToolkits extends PageOptions {
  /** These, instead of those that the session may call. */
  toolkits?: readonly string[];
  /** Those with an active account, or those without. Default: both. */
  isConnected?: boolean;
  /** A part of the slug or name. */
  search?: string;
}

/** A toolkit of a session, with the account that a call would use. */
export interface SessionToolkit {
  /** The name that calls use. */
  slug: string;
  /** The display name. */
  name: string;
  /** A picture; empty where a backend serves none. */
  logo?: string;
  /** Whether it is called without an account. */
  isNoAuth: boolean;
  /** The account; absent where none is needed. */
  connection?: {
    /** Whether calls can be made. */
    isActive: boolean;
    /** How the account was connected; null if the user has none. */
    authConfig: { id: string; mode: string; isComposioManaged: boolean } | null;
    /** The account; absent if the user has none. */
    connectedAccount?: { id: string; status: string };
  };
}

/** A page of a session's toolkits. */
export interface SessionToolkitPage extends Page<SessionToolkit> {
  /** The same as `nextCursor`; absent on the last page. */
  cursor?: string;
}

/** The toolkits that are reached by this. */
export let toolkitsOf: (ask: Ask, authConfigs: AuthConfigs, accounts: ConnectedAccounts) => Toolkits;

/** The toolkits that a backend knows, by {@link Composio.toolkits}. */
export class Toolkits {
  readonly #ask: Ask;
  readonly #authConfigs: AuthConfigs;
  readonly #accounts: ConnectedAccounts;

  static {
    toolkitsOf = (...parts) => new Toolkits(...parts);
  }

  private constructor(ask: Ask, authConfigs: AuthConfigs, accounts: ConnectedAccounts) {
    this.#ask = ask;
    this.#authConfigs = authConfigs;
    this.#accounts = accounts;
  }

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
  async list(filter: ListToolkits = {}, options?: CallOptions): Promise<Page<ToolkitItem>> {
    checkFilter('filter of toolkits', filter, { texts: ['search', 'category', 'managedBy', 'sortBy'] });
    const query = {
      search: filter.search,
      category: filter.category,
      managed_by: filter.managedBy,
      sort_by: filter.sortBy,
      limit: filter.limit,
      cursor: filter.cursor,
    };
    const request = { method: 'GET', path: ['toolkits'], query, form: pageOf(ITEM) } as const;
    return toPage(await this.#ask<WirePage<WireItem>>(request, options), toItem);
  }

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
  async get(slug: string, options?: CallOptions): Promise<Toolkit>;
  async get(filter?: ListToolkits, options?: CallOptions): Promise<ToolkitItem[]>;
  async get(asked?: string | ListToolkits, options?: CallOptions): Promise<Toolkit | ToolkitItem[]> {
    if (typeof asked !== 'string') return (await this.list(asked, options)).items;
    id(asked, 'slug');
    const errors = { 404: ComposioToolkitNotFoundError };
    return toToolkit(await this.#ask({ method: 'GET', path: ['toolkits', asked], form: TOOLKIT, errors }, options));
  }

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
  async getAuthConfigCreationFields(
    slug: string,
    authScheme?: string | null,
    filter?: FieldFilter,
    options?: CallOptions,
  ): Promise<ToolkitInputField[]> {
    return this.#fields('authConfigCreation', slug, authScheme, filter, options);
  }

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
  async getConnectedAccountInitiationFields(
    slug: string,
    authScheme?: string | null,
    filter?: FieldFilter,
    options?: CallOptions,
  ): Promise<ToolkitInputField[]> {
    return this.#fields('connectedAccountInitiation', slug, authScheme, filter, options);
  }

  async #fields(
    kind: keyof ToolkitAuthDetails['fields'],
    slug: string,
    authScheme: string | null | undefined,
    filter: FieldFilter = {},
    options?: CallOptions,
  ): Promise<ToolkitInputField[]> {
    const check = new Check('fields of a toolkit');
    check.text(slug, 'slug', '', LONGEST_SLUG);
    check.optionalText(authScheme ?? undefined, 'authScheme', LONGEST_SLUG);
    if (check.object(filter, '', ['requiredOnly'])) check.optionalFlag(filter.requiredOnly, 'requiredOnly');
    check.done();
    const { authConfigDetails } = await this.get(slug, options);
    const found = authScheme ? authConfigDetails.find(({ mode }) => mode === authScheme) : authConfigDetails[0];
    if (found === undefined) {
      throw new ComposioAuthConfigNotFoundError(
        `Toolkit \`${quoted(slug)}\` has no auth scheme${authScheme ? ` \`${quoted(authScheme)}\`` : ''}.`,
        {
          slug: 'AuthConfigNotFound',
          status: 404,
          suggestedFix: `The schemes are ${authConfigDetails.map(({ mode }) => `\`${mode}\``).join(', ') || 'none'}.`,
        },
      );
    }
    const { required, optional } = found.fields[kind];
    return filter.requiredOnly ? required : [...required, ...optional];
  }

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
  async listCategories(options?: CallOptions): Promise<ToolkitCategories> {
    const answer = await this.#ask<{ items: ToolkitCategory[]; next_cursor?: string | null; total_pages?: number }>(
      { method: 'GET', path: ['toolkits', 'categories'], form: CATEGORIES },
      options,
    );
    const items = answer.items.map(({ id, name }) => ({ id, name }));
    return { items, nextCursor: answer.next_cursor ?? null, totalPages: answer.total_pages ?? 1 };
  }

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
  async authorize(
    userId: string,
    slug: string,
    authConfigId?: string,
    options?: CallOptions,
  ): Promise<ConnectionRequest> {
    const check = new Check('link');
    check.text(userId, 'userId', '', LONGEST_USER_ID);
    check.text(slug, 'slug', '', LONGEST_SLUG);
    check.optionalText(authConfigId, 'authConfigId');
    check.done();
    const authConfig = authConfigId ?? (await this.#authConfigFor(slug, options));
    return this.#accounts.link(userId, authConfig, { allowMultiple: true }, options);
  }

  async #authConfigFor(toolkit: string, options?: CallOptions): Promise<string> {
    const { items } = await this.#authConfigs.list({ toolkit }, options);
    const enabled = items.find(({ status }) => status === 'ENABLED');
    return (enabled ?? (await this.#authConfigs.create(toolkit, undefined, options))).id;
  }
}

/** Lists the toolkits of a session. */
export async function sessionToolkits(
  ask: Ask,
  sessionId: string,
  filter: ListSessionToolkits,
  options?: CallOptions,
): Promise<SessionToolkitPage> {
  const known = { texts: ['search'], lists: ['toolkits'], flags: ['isConnected'] };
  checkFilter('filter of toolkits', filter, known, 50);
  const { toolkits, isConnected: is_connected, search, limit, cursor } = filter;
  const query = { toolkits, is_connected, search, limit, cursor };
  const path = ['tool_router', 'session', sessionId, 'toolkits'];
  const answer = await ask<WirePage<WireSessionToolkit>>(
    { method: 'GET', path, query, form: SESSION_TOOLKITS },
    options,
  );
  const page = toPage(answer, toSessionToolkit);
  return page.nextCursor === null ? page : { ...page, cursor: page.nextCursor };
}

interface WireItem {
  slug: string;
  name: string;
  meta: WireMeta;
  auth_schemes?: string[];
  composio_managed_auth_schemes?: string[];
  no_auth?: boolean;
  is_local_toolkit?: boolean;
}

interface WireMeta {
  description: string;
  logo: string;
  categories?: { id?: string; slug?: string; name: string }[];
  tools_count: number;
  triggers_count: number;
  app_url?: string | null;
  created_at: string;
  updated_at: string;
}

interface WireToolkit extends WireItem {
  base_url?: string | null;
  pagination?: ToolkitPagination | null;
  rate_limit?: ToolkitRateLimit | null;
  auth_config_details?: {
    name: string;
    mode: string;
    redirect_uri?: string | null;
    client_page?: string | null;
    setup?: ToolkitSetup | null;
    fields: { auth_config_creation: WireFields; connected_account_initiation: WireFields };
  }[];
}

interface WireFields {
  required: WireField[];
  optional: WireField[];
}

interface WireSessionToolkit {
  slug: string;
  name: string;
  meta?: { logo?: string };
  is_no_auth?: boolean;
  connected_account?: null | {
    id: string;
    status: string;
    auth_config: { id: string; auth_scheme: string; is_composio_managed: boolean };
  };
}

/** The members that a toolkit in a list must have. */
const ITEM = { slug: 'string', name: 'string', meta: { 'categories?': [{}] } } as const;

const FIELDS = { required: [{}], optional: [{}] } as const;

const TOOLKIT = {
  ...ITEM,
  'auth_config_details?': [{ fields: { auth_config_creation: FIELDS, connected_account_initiation: FIELDS } }],
} as const;

const CATEGORIES = { items: [{ id: 'string', name: 'string' }], 'next_cursor?': 'string' } as const;

const SESSION_TOOLKITS = pageOf({
  slug: 'string',
  name: 'string',
  'meta?': {},
  'connected_account?': { id: 'string', status: 'string', auth_config: {} },
});

function toItem(toolkit: WireItem): ToolkitItem {
  return { ...common(toolkit), authSchemes: toolkit.auth_schemes ?? [], noAuth: toolkit.no_auth ?? false };
}

function toToolkit(toolkit: WireToolkit): Toolkit {
  return {
    ...common(toolkit),
    baseUrl: toolkit.base_url ?? null,
    pagination: toolkit.pagination ?? null,
    rateLimit: toolkit.rate_limit ?? null,
    authConfigDetails: (toolkit.auth_config_details ?? []).map(
      ({ name, mode, redirect_uri, client_page, setup, fields }) => ({
        name,
        mode,
        redirectUri: redirect_uri ?? null,
        clientPage: client_page ?? null,
        setup: setup ?? null,
        fields: {
          authConfigCreation: toFields(fields.auth_config_creation),
          connectedAccountInitiation: toFields(fields.connected_account_initiation),
        },
      }),
    ),
  };
}

function common({ slug, name, meta, composio_managed_auth_schemes, is_local_toolkit }: WireItem) {
  return {
    slug,
    name,
    meta: {
      description: meta.description,
      logo: meta.logo,
      categories: (meta.categories ?? []).map(({ id, slug = id ?? '', name }) => ({ slug, name })),
      toolsCount: meta.tools_count,
      triggersCount: meta.triggers_count,
      appUrl: meta.app_url ?? null,
      createdAt: meta.created_at,
      updatedAt: meta.updated_at,
    },
    composioManagedAuthSchemes: composio_managed_auth_schemes ?? [],
    isLocalToolkit: is_local_toolkit ?? false,
  };
}

function toFields({ required, optional }: WireFields): ToolkitFields {
  return { required: required.map(toField), optional: optional.map(toField) };
}

function toSessionToolkit({ slug, name, meta, is_no_auth, connected_account: account }: WireSessionToolkit) {
  const toolkit: SessionToolkit = { slug, name, logo: meta?.logo, isNoAuth: is_no_auth ?? false };
  if (toolkit.isNoAuth) return toolkit;
  if (!account) return { ...toolkit, connection: { isActive: false, authConfig: null } };
  const { id, auth_scheme: mode, is_composio_managed: isComposioManaged } = account.auth_config;
  return {
    ...toolkit,
    connection: {
      isActive: account.status === 'ACTIVE',
      authConfig: { id, mode, isComposioManaged },
      connectedAccount: { id: account.id, status: account.status },
    },
  };
}
