// The project that is moved: its auth configs, accounts and sessions, read through the API of its backend. A backend
// that misbehaves ends the reading with one sentence.

import type { ConnectedAccount } from '../../account';
import type { AuthConfig } from '../../auth-configs';
import { Composio, DEFAULT_BASE_URL } from '../../composio';
import { ComposioError, ComposioNoAPIKeyError, problemsOf, ValidationError } from '../../errors';
import { quoted } from '../../quoted';
import type { Page } from '../../resource';
import type { Session } from '../../session';
import type { AccountSharing } from '../../sharing';
import { LONGEST_NAME, LONGEST_SLUG } from '../../validate';
import { UsageError } from '../command';
import { printable, type Terminal } from '../terminal';

/** The items of a page that is asked for. */
const PAGE = 100;
/** The limits of what is read, which are those of `docs/limits.md`. */
const MOST_ITEMS_OF_PAGE = 1_000;
const MOST_ITEMS = 100_000;
const MOST_PAGES = 2_000;
const LONGEST_CURSOR = 4_096;
const MOST_VALUES = 50;
const LONGEST_VALUE = 1_024;

/** Retries of a request. A wait that the backend asks for may last until the request's end. */
const RETRIES = 3;

/** An auth config of the project. */
export interface ProjectAuthConfig {
  id: string;
  name: string;
  toolkit: string;
  scheme: string;
  isDisabled: boolean;
  /** Whether it uses a client of the hosted backend. */
  isManaged: boolean;
  /** Whether sessions may connect accounts with it. */
  isEnabledForToolRouter: boolean;
  /** Whether it allows some tools only. */
  limitsTools: boolean;
  /** The parts of its credentials that the backend shows. */
  credentials: Readonly<Record<string, unknown>>;
}

/** An account of the project, without its credential. */
export interface ProjectAccount {
  id: string;
  userId: string;
  toolkit: string;
  authConfigId: string;
  status: string;
  alias?: string;
  sharing?: AccountSharing;
  /** The texts of its credential that the backend shows, such as a subdomain. */
  values: Readonly<Record<string, string>>;
}

/** Which accounts are moved. */
export interface Choice {
  userIds: readonly string[];
  toolkits: readonly string[];
}

/** The backend of a project, by COMPOSIO_API_KEY and COMPOSIO_BASE_URL. */
export class Project {
  /** The backend's host. */
  readonly host: string;
  readonly #composio: Composio;
  readonly #terminal: Terminal;
  /** The auth configs that accounts name, for those that the list does not have. */
  readonly #named = new Map<string, ProjectAuthConfig>();

  constructor(terminal: Terminal, timeout: number) {
    const baseURL = process.env.COMPOSIO_BASE_URL || DEFAULT_BASE_URL;
    try {
      this.#composio = new Composio({ baseURL, timeout, maxRetries: RETRIES });
    } catch (error) {
      if (error instanceof ComposioNoAPIKeyError) {
        throw new UsageError('There is no API key: set COMPOSIO_API_KEY to a key of the project that is moved.');
      }
      const { message } = error as Error;
      if (!message.includes('baseURL')) throw error;
      throw new UsageError(message.replace('baseURL', 'COMPOSIO_BASE_URL'));
    }
    this.host = URL.canParse(baseURL) ? new URL(baseURL).host : baseURL;
    this.#terminal = terminal;
  }

  /** Reads the accounts in all states. */
  async accounts({ userIds, toolkits }: Choice): Promise<ProjectAccount[]> {
    const filter = { userIds: some(userIds), toolkitSlugs: some(toolkits), accountType: 'ALL', limit: PAGE } as const;
    const accounts = await this.#all<ConnectedAccount, ProjectAccount>(
      'accounts',
      (cursor) => this.#composio.connectedAccounts.list({ ...filter, cursor }),
      (account) => {
        this.#note(account);
        return toAccount(account);
      },
    );
    // A backend may ignore the filter.
    const isChosen = (list: readonly string[], value: string) => list.length === 0 || list.includes(value);
    return accounts.filter(({ userId, toolkit }) => isChosen(userIds, userId) && isChosen(toolkits, toolkit));
  }

  /** Reads the auth configs, with those that only accounts name. */
  async authConfigs(
    { toolkits: [toolkit] }: Choice,
    accounts: readonly ProjectAccount[],
  ): Promise<ProjectAuthConfig[]> {
    const listed = await this.#all<AuthConfig, ProjectAuthConfig>(
      'auth configs',
      (cursor) => this.#composio.authConfigs.list({ toolkit, showDisabled: true, limit: PAGE, cursor }),
      toAuthConfig,
    );
    const configs = new Map(listed.map((config) => [config.id, config]));
    for (const { authConfigId } of accounts) {
      const named = this.#named.get(authConfigId);
      if (named !== undefined && !configs.has(authConfigId)) configs.set(authConfigId, named);
    }
    return [...configs.values()].filter((config) => toolkit === undefined || config.toolkit === toolkit);
  }

  /** Reads a session; undefined if there is none. */
  async session(id: string): Promise<Session | undefined> {
    try {
      return await this.#terminal.during(`Reading session ${printable(id)}`, this.#composio.sessions.use(id));
    } catch (error) {
      if (error instanceof ComposioError && error.status === 404) return undefined;
      throw this.#failure(error, `session ${quoted(id)}`);
    }
  }

  #note({ authConfig, toolkit }: ConnectedAccount): void {
    const id = textOf(authConfig.id);
    if (id === undefined || this.#named.has(id)) return;
    this.#named.set(id, {
      id,
      name: '',
      toolkit: textOf(toolkit.slug, LONGEST_SLUG) ?? '',
      scheme: textOf(authConfig.authScheme) ?? '',
      isDisabled: authConfig.isDisabled === true,
      isManaged: authConfig.isComposioManaged === true,
      isEnabledForToolRouter: true,
      limitsTools: false,
      credentials: {},
    });
  }

  /** Reads all pages of a list. */
  async #all<Item extends { id: string }, Kept>(
    what: string,
    read: (cursor: string | undefined) => Promise<Page<Item>>,
    keep: (item: Item) => Kept,
  ): Promise<Kept[]> {
    const kept = new Map<string, Kept>();
    const seen = new Set<string>();
    const progress = () => `Reading the ${what} of ${this.host}: ${kept.size}`;
    let cursor: string | undefined;
    for (let pages = 1; ; pages++) {
      const reading = read(cursor).catch((error) => {
        throw this.#failure(error, `the ${what}`);
      });
      const { items, nextCursor } = await this.#terminal.during(progress, reading);
      if (items.length > MOST_ITEMS_OF_PAGE) {
        throw this.#misbehaves(`a page of ${items.length} ${what}, and a page may have ${MOST_ITEMS_OF_PAGE}`);
      }
      for (const item of items) kept.set(item.id, keep(item));
      if (nextCursor === null || nextCursor === '') return [...kept.values()];
      if (nextCursor.length > LONGEST_CURSOR) {
        throw this.#misbehaves(`a cursor of ${nextCursor.length} characters, and it may have ${LONGEST_CURSOR}`);
      }
      if (seen.has(nextCursor)) throw this.#misbehaves(`the same cursor twice: the pages of its ${what} form a loop`);
      if (kept.size > MOST_ITEMS || pages === MOST_PAGES) {
        const suggestedFix = 'Move one toolkit at a time, or some users with --user.';
        throw new ComposioError(`${this.host} has more than ${MOST_ITEMS} ${what}, the limit.`, { suggestedFix });
      }
      seen.add(nextCursor);
      cursor = nextCursor;
    }
  }

  #misbehaves(fact: string): ComposioError {
    const suggestedFix = 'Check that COMPOSIO_BASE_URL is the backend of the project.';
    return new ComposioError(`${this.host} responded with ${fact}.`, { suggestedFix });
  }

  /** The failure of a request, in the words of the command. */
  #failure(error: unknown, what: string): unknown {
    if (!(error instanceof ComposioError) || error instanceof ValidationError) return error;
    const { status, retryAfter, requestId } = error;
    const told = (fact: string, suggestedFix: string) =>
      new ComposioError(printable(`${this.host} did not list ${what}: ${fact}.`), { status, requestId, suggestedFix });
    switch (status) {
      case 401:
        return told(
          'it refuses the key in COMPOSIO_API_KEY',
          'Use a valid key of the project, and check that COMPOSIO_BASE_URL is its backend.',
        );
      case 403:
        return told(
          'the key in COMPOSIO_API_KEY may not read them',
          'Use a key that may read auth configs, connected accounts and sessions.',
        );
      case 429: {
        const wait = retryAfter === undefined ? 'in a minute' : `in ${Math.ceil(retryAfter / 1_000)} seconds`;
        return told('it limits the rate of requests', `Run the command again ${wait}, or raise --timeout.`);
      }
      default: {
        const sentence = problemsOf(error)[0]?.sentence ?? error.message;
        const isForm = error.slug === 'InvalidAnswer';
        return told(
          sentence.replace(/\.$/, ''),
          isForm ? 'Check that COMPOSIO_BASE_URL is the backend of the project.' : 'Run the command again.',
        );
      }
    }
  }
}

function some(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

function toAccount(account: ConnectedAccount): ProjectAccount {
  const values = Object.entries(Object(account.state?.val)).flatMap(([name, value]): [string, string][] => {
    const text = textOf(value, LONGEST_VALUE);
    return text === undefined || isRedacted(text) ? [] : [[name, text]];
  });
  return {
    id: account.id,
    userId: textOf(account.userId, Number.POSITIVE_INFINITY) ?? '',
    toolkit: textOf(account.toolkit.slug, LONGEST_SLUG) ?? '',
    authConfigId: textOf(account.authConfig.id) ?? '',
    status: account.isDisabled === true ? 'INACTIVE' : account.status,
    alias: textOf(account.alias),
    sharing: account.experimental,
    values: Object.fromEntries(values.slice(0, MOST_VALUES)),
  };
}

function toAuthConfig(config: AuthConfig): ProjectAuthConfig {
  const shown = Object.entries(config.credentials).filter(([, value]) => !isRedacted(value));
  return {
    id: config.id,
    name: textOf(config.name) ?? '',
    toolkit: textOf(config.toolkit.slug, LONGEST_SLUG) ?? '',
    scheme: textOf(config.authScheme) ?? '',
    isDisabled: config.status === 'DISABLED',
    isManaged: config.isComposioManaged === true,
    isEnabledForToolRouter: config.isEnabledForToolRouter,
    limitsTools: namesSomething(config.toolAccessConfig) || namesSomething(config.restrictToFollowingTools),
    credentials: Object.fromEntries(shown.slice(0, MOST_VALUES)),
  };
}

/** A text that is not empty and within its limit. A backend may send another type. */
function textOf(value: unknown, longest = LONGEST_NAME): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= longest ? value : undefined;
}

/** Whether a value stands for a secret that the backend does not show. */
function isRedacted(value: unknown): boolean {
  return typeof value === 'string' && /redacted|^\*+$/i.test(value);
}

/** Whether a value has more than nulls, `false` and empty lists in it. */
export function namesSomething(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === 'object' ? Object.values(value).some(namesSomething) : true;
}
