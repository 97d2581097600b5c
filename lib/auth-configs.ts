// How accounts of a toolkit are connected: by which scheme, and with whose client.

import type { AuthConfigReference } from './account';
import { type ToolkitInputField, toField, type WireField } from './input-field';
import { type Ask, checkFilter, type Page, type PageOptions, pageOf, toPage, type WirePage } from './resource';
import { type CallOptions, Check, id, LONGEST_NAME, LONGEST_SLUG } from './validate';

/** How accounts of a toolkit are connected. Its credentials cannot be read. */
export interface AuthConfig {
  /** Its id, `ac_…`. */
  id: string;
  /** Its name. */
  name: string;
  /** The toolkit. */
  toolkit: { slug: string; logo: string };
  /** How its accounts authenticate, such as `BEARER_TOKEN`. */
  authScheme: string | null;
  /** Whether its accounts may be used. */
  status: 'ENABLED' | 'DISABLED' | (string & {});
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
export interface CreatedAuthConfig extends Pick<AuthConfigReference, 'id' | 'authScheme' | 'isComposioManaged'> {
  /** The toolkit. */
  toolkit: string;
}

/** An auth config to make. */
export type CreateAuthConfig =
  | {
      /** With your own client, or for a scheme that needs none. */
      type: 'use_custom_auth';
      /** How its accounts authenticate, such as `API_KEY`. */
      authScheme: string;
      /** Its own credentials, such as those of an OAuth client. */
      credentials?: Record<string, unknown>;
      /** Its name. */
      name?: string;
      /** Whether sessions may connect accounts with it. Default: true. */
      isEnabledForToolRouter?: boolean;
    }
  | {
      /** With a client of the hosted backend. An embedded gateway has none. */
      type: 'use_composio_managed_auth';
      /** Scopes to ask for. */
      credentials?: Record<string, unknown>;
      /** Its name. */
      name?: string;
      /** Whether sessions may connect accounts with it. Default: true. */
      isEnabledForToolRouter?: boolean;
    };

/** Changes of an auth config. Parts that are not named stay. */
export interface UpdateAuthConfig {
  /** `custom` for an auth config that {@link AuthConfigs.create} created with your own client, else `default`. */
  type: 'custom' | 'default';
  /** Its own credentials. Fields that are not named stay, and null removes one. For a `custom` auth config only. */
  credentials?: Record<string, unknown>;
  /** Scopes to request, separated by commas. For a `default` auth config only. */
  scopes?: string;
  /** Its name. */
  name?: string;
  /** Whether sessions may connect accounts with it. */
  isEnabledForToolRouter?: boolean;
}

/** Which auth configs to list. `limit` is from 1 to 1 000, by default 20. */
export interface ListAuthConfigs extends PageOptions {
  /** The toolkit. Default: all toolkits. */
  toolkit?: string;
  /** Those that use a client of the hosted backend, or those that do not. Default: both. */
  isComposioManaged?: boolean;
  /** A part of the name. */
  search?: string;
  /** Whether to list disabled ones too. Default: false. */
  showDisabled?: boolean;
}

/** The auth configs that are reached by this. */
export let authConfigsOf: (ask: Ask) => AuthConfigs;

/** How accounts are connected, by {@link Composio.authConfigs}. */
export class AuthConfigs {
  readonly #ask: Ask;

  static {
    authConfigsOf = (ask) => new AuthConfigs(ask);
  }

  private constructor(ask: Ask) {
    this.#ask = ask;
  }

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
  async create(
    toolkit: string,
    config: CreateAuthConfig = { type: 'use_composio_managed_auth' },
    options?: CallOptions,
  ): Promise<CreatedAuthConfig> {
    const check = new Check('auth config');
    check.text(toolkit, 'toolkit', "name the toolkit, for example 'github'", LONGEST_SLUG);
    const { type, authScheme: scheme } = Object(config);
    const isCustom = type === 'use_custom_auth';
    const keys = ['type', 'credentials', 'name', 'isEnabledForToolRouter'];
    if (check.object(config, '', isCustom ? [...keys, 'authScheme'] : keys)) {
      check.oneOf(type, 'type', ['use_custom_auth', 'use_composio_managed_auth']);
      if (isCustom) check.text(scheme, 'authScheme', "for example 'BEARER_TOKEN'");
      checkCommon(check, config);
    }
    check.done();
    const { isEnabledForToolRouter: is_enabled_for_tool_router, ...same } = config;
    const body = { toolkit: { slug: toolkit }, auth_config: { ...same, is_enabled_for_tool_router } };
    const { auth_config, toolkit: of } = await this.#ask<WireCreated>(
      { method: 'POST', path: ['auth_configs'], body, form: CREATED },
      options,
    );
    const { id, auth_scheme: authScheme, is_composio_managed: isComposioManaged } = auth_config;
    return { id, authScheme, isComposioManaged, toolkit: of.slug };
  }

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
  async list(filter: ListAuthConfigs = {}, options?: CallOptions): Promise<Page<AuthConfig>> {
    checkFilter('filter of auth configs', filter, {
      texts: ['toolkit', 'search'],
      flags: ['isComposioManaged', 'showDisabled'],
    });
    const query = {
      toolkit_slug: filter.toolkit,
      is_composio_managed: filter.isComposioManaged,
      search: filter.search,
      show_disabled: filter.showDisabled,
      limit: filter.limit,
      cursor: filter.cursor,
    };
    const request = { method: 'GET', path: ['auth_configs'], query, form: pageOf(AUTH_CONFIG) } as const;
    return toPage(await this.#ask<WirePage<WireAuthConfig>>(request, options), toAuthConfig);
  }

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
  async get(authConfigId: string, options?: CallOptions): Promise<AuthConfig> {
    id(authConfigId, 'authConfigId');
    const request = { method: 'GET', path: ['auth_configs', authConfigId], form: AUTH_CONFIG } as const;
    return toAuthConfig(await this.#ask(request, options));
  }

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
  async update(authConfigId: string, change: UpdateAuthConfig, options?: CallOptions): Promise<void> {
    const check = new Check('change of an auth config');
    check.text(authConfigId, 'authConfigId');
    if (check.object(change, '', ['type', 'credentials', 'scopes', 'name', 'isEnabledForToolRouter'])) {
      check.oneOf(change.type, 'type', ['custom', 'default']);
      check.optionalText(change.scopes, 'scopes');
      checkCommon(check, change);
    }
    check.done();
    const { isEnabledForToolRouter: is_enabled_for_tool_router, ...same } = change;
    const body = { ...same, is_enabled_for_tool_router };
    await this.#ask({ method: 'PATCH', path: ['auth_configs', authConfigId], body }, options);
  }

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
  async delete(authConfigId: string, options?: CallOptions): Promise<void> {
    id(authConfigId, 'authConfigId');
    await this.#ask({ method: 'DELETE', path: ['auth_configs', authConfigId] }, options);
  }

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
  async enable(authConfigId: string, options?: CallOptions): Promise<void> {
    await this.updateStatus('ENABLED', authConfigId, options);
  }

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
  async disable(authConfigId: string, options?: CallOptions): Promise<void> {
    await this.updateStatus('DISABLED', authConfigId, options);
  }

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
  async updateStatus(status: 'ENABLED' | 'DISABLED', authConfigId: string, options?: CallOptions): Promise<void> {
    const check = new Check('status of an auth config');
    check.oneOf(status, 'status', ['ENABLED', 'DISABLED']);
    check.text(authConfigId, 'authConfigId');
    check.done();
    await this.#ask({ method: 'PATCH', path: ['auth_configs', authConfigId, status] }, options);
  }
}

function checkCommon(check: Check, { credentials, name, isEnabledForToolRouter }: Record<string, unknown>): void {
  if (credentials !== undefined) check.fields(credentials, 'credentials');
  check.optionalText(name, 'name', LONGEST_NAME);
  check.optionalFlag(isEnabledForToolRouter, 'isEnabledForToolRouter');
}

interface WireCreated {
  toolkit: { slug: string };
  auth_config: { id: string; auth_scheme: string; is_composio_managed: boolean };
}

interface WireAuthConfig {
  id: string;
  name: string;
  toolkit: { slug: string; logo: string };
  auth_scheme?: string;
  status: string;
  is_composio_managed?: boolean;
  is_enabled_for_tool_router?: boolean;
  no_of_connections: number;
  credentials?: Record<string, unknown>;
  expected_input_fields?: WireField[];
  tool_access_config?: Record<string, unknown>;
  restrict_to_following_tools?: string[];
  created_at?: string;
  last_updated_at?: string;
}

const CREATED = { toolkit: { slug: 'string' }, auth_config: { id: 'string' } } as const;

const AUTH_CONFIG = {
  id: 'string',
  status: 'string',
  toolkit: { slug: 'string' },
  'credentials?': {},
  'expected_input_fields?': [{}],
  'tool_access_config?': {},
  'restrict_to_following_tools?': ['string'],
} as const;

function toAuthConfig(config: WireAuthConfig): AuthConfig {
  return {
    id: config.id,
    name: config.name,
    toolkit: { slug: config.toolkit.slug, logo: config.toolkit.logo },
    authScheme: config.auth_scheme ?? null,
    status: config.status,
    isComposioManaged: config.is_composio_managed ?? false,
    isEnabledForToolRouter: config.is_enabled_for_tool_router ?? false,
    noOfConnections: config.no_of_connections,
    credentials: config.credentials ?? {},
    expectedInputFields: (config.expected_input_fields ?? []).map(toField),
    toolAccessConfig: config.tool_access_config ?? {},
    restrictToFollowingTools: config.restrict_to_following_tools ?? [],
    createdAt: config.created_at ?? null,
    lastUpdatedAt: config.last_updated_at ?? null,
  };
}
