// The plan of a migration: the parts that are made, and the reasons for the others. A plan changes nothing.

import type { ConnectedAccount } from '../../account';
import type { AuthConfig } from '../../auth-configs';
import { Composio } from '../../composio';
import { NotFoundError } from '../../errors';
import type { Gateway } from '../../gateway';
import { quoted } from '../../quoted';
import type { Page } from '../../resource';
import type { Toolkit, ToolkitAuthDetails } from '../../toolkits';
import { LONGEST_USER_ID } from '../../validate';
import { UsageError } from '../command';
import { CONSENT } from '../schemes';
import { type Clients, clientOf } from './clients';
import type { Ids } from './ids';
import type { ProjectAccount, ProjectAuthConfig } from './project';

/** A part of the project, and its counterpart here. */
export interface Move<Part> {
  there: Part;
  /** Its id here, once it is here. */
  id?: string;
  /** Whether this run made it. */
  isMade?: boolean;
  /** Why it is left out. */
  left?: string;
}

/** An auth config that is moved. */
export interface AuthConfigMove extends Move<ProjectAuthConfig> {
  /** How its toolkit connects accounts here; absent if it does not. */
  details?: ToolkitAuthDetails;
  /** The credentials of the new auth config. */
  credentials: Record<string, unknown>;
  /** The fields of its OAuth client that the operator has to give. */
  missing: readonly string[];
}

/** An account that is moved. */
export interface AccountMove extends Move<ProjectAccount> {
  /** Its auth config; absent if the project does not have it. */
  config?: AuthConfigMove;
  /** The account here, if there was one before this run. */
  here?: ConnectedAccount;
}

/** The store that the project is moved to. */
export class Target {
  readonly composio: Composio;
  readonly authConfigs: ReadonlyMap<string, AuthConfig>;
  readonly accounts: ReadonlyMap<string, ConnectedAccount>;
  readonly #toolkits = new Map<string, Toolkit | undefined>();

  private constructor(composio: Composio, authConfigs: readonly AuthConfig[], accounts: readonly ConnectedAccount[]) {
    this.composio = composio;
    this.authConfigs = new Map(authConfigs.map((config) => [config.id, config]));
    this.accounts = new Map(accounts.map((account) => [account.id, account]));
  }

  static async read(gateway: Gateway): Promise<Target> {
    const composio = new Composio({ gateway });
    const { authConfigs, connectedAccounts } = composio;
    const configs = await all((cursor) => authConfigs.list({ showDisabled: true, limit: 1_000, cursor }));
    const accounts = await all((cursor) => connectedAccounts.list({ accountType: 'ALL', limit: 1_000, cursor }));
    return new Target(composio, configs, accounts);
  }

  /** A toolkit; undefined if there is none. */
  async toolkit(slug: string): Promise<Toolkit | undefined> {
    if (slug === '') return undefined;
    if (!this.#toolkits.has(slug)) {
      const reading = this.composio.toolkits.get(slug).catch((error) => {
        if (error instanceof NotFoundError) return undefined;
        throw error;
      });
      this.#toolkits.set(slug, await reading);
    }
    return this.#toolkits.get(slug);
  }
}

async function all<Item>(read: (cursor: string | undefined) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}

/** The operator's choices. */
export interface Wishes {
  /** The states of the accounts that are moved. */
  statuses: readonly string[];
  clients: Clients;
  /** Whether auth configs are moved without their choice of tools. */
  ignoresRestrictions: boolean;
}

/** Plans the auth configs. */
export async function planAuthConfigs(
  configs: readonly ProjectAuthConfig[],
  target: Target,
  ids: Ids,
  wishes: Wishes,
): Promise<AuthConfigMove[]> {
  if (configs.some(({ id }) => target.authConfigs.has(id))) {
    throw new UsageError('COMPOSIO_BASE_URL leads to a gateway with this store: name the backend of the project.');
  }
  const taken = new Set(configs.flatMap(({ id }) => ids.get(id) ?? []));
  // A killed run may have made an auth config without recording it.
  const free = grouped(
    [...target.authConfigs.values()].filter(({ id, name }) => name !== '' && !taken.has(id)),
    ({ name, toolkit, authScheme }) => JSON.stringify([name, toolkit.slug, authScheme]),
  );
  const moves: AuthConfigMove[] = [];
  for (const there of configs) {
    const move: AuthConfigMove = { there, credentials: {}, missing: [] };
    moves.push(move);
    const recorded = ids.get(there.id);
    if (recorded !== undefined && target.authConfigs.has(recorded)) move.id = recorded;
    else move.id = free.get(JSON.stringify([there.name, there.toolkit, there.scheme]))?.shift()?.id;
    if (there.isDisabled) move.left = 'it is disabled there';
    else if (move.id === undefined) await planNew(move, target, wishes);
  }
  return moves;
}

/** Plans an auth config that is not here yet. */
async function planNew(move: AuthConfigMove, target: Target, { clients, ignoresRestrictions }: Wishes): Promise<void> {
  const { there } = move;
  const toolkit = await target.toolkit(there.toolkit);
  if (toolkit === undefined) {
    move.left = `there is no toolkit \`${quoted(there.toolkit)}\` here; add its definition with --toolkit`;
    return;
  }
  const modes = toolkit.authConfigDetails.map(({ mode }) => mode);
  const details = toolkit.authConfigDetails.find(({ mode }) => mode === there.scheme);
  if (there.scheme === 'NO_AUTH' || modes.join() === 'NO_AUTH') {
    move.left = `toolkit \`${there.toolkit}\` needs no account`;
  } else if (details === undefined) {
    move.left = `toolkit \`${there.toolkit}\` authenticates by ${modes.join(', ')} here, not by ${quoted(there.scheme)}`;
  } else if (there.limitsTools && !ignoresRestrictions) {
    move.left = 'it allows some tools only, which a gateway does not enforce; --ignore-restrictions moves it without';
  } else {
    move.details = details;
    const { client, missing } = clientOf(there, details, clients);
    const { scopes, user_scopes } = there.credentials;
    move.credentials = { scopes, user_scopes, ...client };
    // With any other scheme, each account may bring its own.
    if (there.scheme === CONSENT) move.missing = missing;
  }
}

/** The reason for leaving out an auth config without its OAuth client. */
export function needsClient({ there, details }: AuthConfigMove): string {
  const page = details?.clientPage ? ` at ${details.clientPage}` : '';
  const uri = details?.redirectUri ?? '{public URL}/connect/callback';
  const why = there.isManaged ? 'it uses a client of the hosted backend' : 'its client secret is not shown there';
  return `${why}; register an OAuth client${page} with the redirect URI ${uri}, and give it with --clients`;
}

/** Plans the accounts. */
export function planAccounts(
  accounts: readonly ProjectAccount[],
  configs: readonly AuthConfigMove[],
  target: Target,
  ids: Ids,
  { statuses }: Pick<Wishes, 'statuses'>,
): AccountMove[] {
  if (accounts.some(({ id }) => target.accounts.has(id))) {
    throw new UsageError('COMPOSIO_BASE_URL leads to a gateway with this store: name the backend of the project.');
  }
  const configOf = new Map(configs.map((config) => [config.there.id, config]));
  const taken = new Set(accounts.flatMap(({ id }) => ids.get(id) ?? []));
  const free = grouped(
    [...target.accounts.values()].filter(({ id }) => !taken.has(id)),
    ({ userId, toolkit, authConfig, alias, experimental }) =>
      keyOf(userId, toolkit.slug, authConfig.id, alias, experimental?.accountType ?? 'PRIVATE'),
  );
  return accounts.map((there) => {
    const config = configOf.get(there.authConfigId);
    const move: AccountMove = { there, config };
    move.here = target.accounts.get(ids.get(there.id) ?? '');
    if (move.here === undefined) {
      move.left = obstacle(move, statuses);
      if (move.left === undefined) move.here = free.get(keyOfProject(there, config?.id ?? ''))?.shift();
    }
    move.id = move.here?.id;
    return move;
  });
}

/**
 * The key that the same account has here and there. An alias is unique for a user and toolkit. Without an alias,
 * accounts of a user that are not connected yet differ by nothing but their auth config and their type.
 */
function keyOf(userId: string, toolkit: string, authConfigId: string, alias: string | null, type: string): string {
  return JSON.stringify([userId, toolkit, alias === null ? [authConfigId, type] : alias]);
}

function keyOfProject({ userId, toolkit, alias, sharing }: ProjectAccount, authConfigId: string): string {
  return keyOf(userId, toolkit, authConfigId, alias ?? null, sharing?.accountType ?? 'PRIVATE');
}

/** Why an account cannot be moved. */
function obstacle({ there, config }: AccountMove, statuses: readonly string[]): string | undefined {
  const { status, userId } = there;
  if (!statuses.includes(status)) return `it is ${quoted(status)} there`;
  if (userId === '') return 'it has no user id';
  if (userId.length > LONGEST_USER_ID) return `its user id has more than ${LONGEST_USER_ID} characters`;
  if (userId.includes(',')) return 'its user id has a comma in it';
  if (config === undefined) return 'it has no auth config';
  if (config.left !== undefined) return leftWith(config);
  return undefined;
}

/** Leaves out the accounts of auth configs that are left out since they were planned. */
export function leaveOutWithoutConfig(accounts: readonly AccountMove[]): void {
  for (const move of accounts) {
    if (move.id !== undefined || move.left !== undefined || move.config?.left === undefined) continue;
    move.left = leftWith(move.config);
  }
}

function leftWith({ there }: AuthConfigMove): string {
  return `its auth config ${quoted(there.id)} is left out`;
}

/** The parts by what they have in common. */
export function grouped<Part, Key>(parts: readonly Part[], keyOf: (part: Part) => Key): Map<Key, Part[]> {
  const groups = new Map<Key, Part[]>();
  for (const part of parts) {
    const group = groups.get(keyOf(part));
    if (group === undefined) groups.set(keyOf(part), [part]);
    else group.push(part);
  }
  return groups;
}
