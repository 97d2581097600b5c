// `migrate composio`: moves a project of the hosted backend into a store. Secrets are not shown there, so each user
// gets a link to connect again.

import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { Gateway } from '../../gateway';
import type { GatewayOptions } from '../../gateway-options';
import { type Command, type Given, UsageError } from '../command';
import { readFile } from '../file';
import { askForClient, readClients } from '../migration/clients';
import { Ids } from '../migration/ids';
import {
  isWaiting,
  type LinkWishes,
  makeAccounts,
  makeAuthConfig,
  makeSession,
  type UserLinks,
} from '../migration/make';
import {
  type AccountMove,
  type AuthConfigMove,
  grouped,
  leaveOutWithoutConfig,
  type Move,
  needsClient,
  planAccounts,
  planAuthConfigs,
  Target,
} from '../migration/plan';
import { Project } from '../migration/project';
import { type Migration, planLines, resultLines, resultOf } from '../migration/report';
import { canAsk } from '../secrets';
import { inStore, isDatabase, storeOf } from '../store';
import type { Terminal } from '../terminal';

/** The states of accounts that can be moved. The others were never connected, or are revoked. */
const MOVABLE = ['ACTIVE', 'EXPIRED', 'INACTIVE'];

/** A day, which is how long a gateway believes in a link. */
const LIFETIME = 86_400;

const MOST_SESSIONS = 10_000;
const MOST_BYTES_OF_SESSIONS = 1024 * 1024;

const composio: Command = {
  name: 'migrate composio',
  summary: 'Moves auth configs, accounts and sessions from Composio, with a link for each user',
  parameters: ['[toolkit]'],
  options: {
    'dry-run': { description: 'Print the plan, and make nothing' },
    'public-url': {
      value: '<url>',
      description: 'URL at which users reach the gateway with this store. Links begin with it',
    },
    user: { value: '<id>', many: true, description: 'A user whose accounts are moved. Default: all users' },
    status: {
      value: '<state>',
      many: true,
      description: 'The state of accounts that are moved: ACTIVE, EXPIRED or INACTIVE. Default: ACTIVE',
    },
    clients: {
      value: '<file>',
      description: 'A JSON file with your OAuth clients, by toolkit or auth config. Default: the command asks for them',
    },
    session: { value: '<id>', many: true, description: 'A session that is moved, by its id there' },
    sessions: { value: '<file>', description: 'A file with the ids of such sessions, one a line' },
    links: { value: '<file>', description: 'A new file for the links, one user a line. Default: print them' },
    'new-links': { description: 'Make new links for moved accounts that are not connected yet. Older links end' },
    'link-lifetime': { value: '<seconds>', whole: true, least: 1, description: 'Lifetime of a link. Default: 86400' },
    'callback-url': { value: '<url>', description: 'The URL to which a user is sent at the end' },
    ids: {
      value: '<file>',
      description: 'The file that records the id here of each id there. Default: a file beside the store',
    },
    'ignore-restrictions': { description: 'Move what is limited to some tools, without the limits' },
    timeout: { value: '<seconds>', whole: true, least: 1, description: 'Time for a request to Composio. Default: 120' },
  },
  examples: [
    'npx proxy-execute migrate composio --dry-run',
    'npx proxy-execute migrate composio --public-url https://gateway.example.com --clients clients.json --links links.jsonl',
    'npx proxy-execute migrate composio gmail --user ann --public-url https://gateway.example.com --new-links',
  ],
  async run(given, terminal) {
    const wishes = readWishes(given);
    const project = new Project(terminal, (given.whole('timeout') ?? 120) * 1_000);
    const ids = new Ids(given.text('ids') ?? `${fileOf(given)}.composio.jsonl`);
    const accounts = await project.accounts(wishes.choice);
    const configs = await project.authConfigs(wishes.choice, accounts);
    const used = new Set(accounts.map(({ authConfigId }) => authConfigId));
    const chosen = wishes.choice.userIds.length === 0 ? configs : configs.filter(({ id }) => used.has(id));
    const work = async (gateway: Gateway): Promise<number> => {
      const target = await Target.read(gateway);
      const authConfigs = await planAuthConfigs(chosen, target, ids, wishes);
      const lacking = authConfigs.filter(({ missing }) => missing.length > 0);
      const asks = !wishes.isDry && !terminal.json && canAsk();
      if (!asks) for (const move of lacking) move.left = needsClient(move);
      const moves = planAccounts(accounts, authConfigs, target, ids, wishes);
      const sessions = wishes.sessions.map((there): Move<string> => ({ there }));
      const migration = { authConfigs, accounts: moves, sessions };
      const isIdle = !moves.some((move) => getsLink(move, wishes));
      if (!wishes.isDry && !isIdle && given.text('public-url') === undefined) {
        throw new UsageError(
          '--public-url is missing: links lead users to the gateway that serves this store. To try it on this ' +
            'machine, start `serve`, and add --public-url http://127.0.0.1:9900.',
        );
      }
      if (asks) for (const move of lacking) await fillIn(move, lacking, terminal);
      leaveOutWithoutConfig(moves);
      if (!terminal.json) for (const line of planLines(terminal, project, migration, wishes.isDry)) terminal.note(line);
      const links = wishes.isDry ? [] : await make(migration, project, target, ids, wishes, terminal);
      if (wishes.isDry) await makeSessions(migration, project, target, ids, wishes);
      const result = resultOf(project, migration, wishes, links);
      terminal.result(result, () => resultLines(terminal, migration, wishes, links));
      return 0;
    };
    // A dry run leaves no new store behind.
    if (wishes.isDry && !isDatabase(storeOf(given)) && !existsSync(storeOf(given))) {
      const gateway = await Gateway.open({ toolkits: given.texts('toolkit'), ...wishes.gateway });
      return work(gateway).finally(() => gateway.close());
    }
    return inStore(given, terminal, work, wishes.gateway);
  },
};

export const migrate = [composio];

type Wishes = ReturnType<typeof readWishes>;

function readWishes(given: Given) {
  const statuses = given.texts('status').map((status) => status.toUpperCase());
  const unknown = statuses.find((status) => !MOVABLE.includes(status));
  if (unknown !== undefined) throw new UsageError(`--status is one of ${MOVABLE.join(', ')}.`);
  const links = given.text('links');
  if (links !== undefined && existsSync(links)) {
    throw new UsageError(`--links: ${links} exists, and its links may be needed. Name a new file.`);
  }
  const lifetime = (given.whole('link-lifetime') ?? LIFETIME) * 1_000;
  return {
    isDry: given.flag('dry-run'),
    choice: { userIds: given.texts('user'), toolkits: given.parameters },
    statuses: statuses.length === 0 ? ['ACTIVE'] : statuses,
    clients: readClients(given.text('clients')),
    sessions: [...new Set([...given.texts('session'), ...sessionsOf(given.text('sessions'))])],
    ignoresRestrictions: given.flag('ignore-restrictions'),
    links,
    linkWishes: { callbackUrl: given.text('callback-url'), lifetime, again: given.flag('new-links') } as LinkWishes,
    gateway: gatewayOptions(given, lifetime),
  };
}

function sessionsOf(path: string | undefined): string[] {
  if (path === undefined) return [];
  const bytes = readFile(path, '--sessions');
  const ids = bytes.length > MOST_BYTES_OF_SESSIONS ? [] : bytes.toString().split(/\s+/).filter(Boolean);
  if (bytes.length > MOST_BYTES_OF_SESSIONS || ids.length > MOST_SESSIONS) {
    throw new UsageError(`--sessions: ${path} has more than ${MOST_SESSIONS} ids, the limit.`);
  }
  return ids;
}

/** The page of an account sends the user to the next page, so the gateway's own URL is a callback URL. */
function gatewayOptions(given: Given, linkLifetime: number): GatewayOptions {
  const publicUrl = webUrl(given, 'public-url');
  const callbackUrl = webUrl(given, 'callback-url');
  if (publicUrl === undefined) return { linkLifetime };
  const callbackUrls = callbackUrl === undefined ? [publicUrl] : [publicUrl, new URL(callbackUrl).origin];
  return { publicUrl, linkLifetime, callbackUrls };
}

function webUrl(given: Given, option: string): string | undefined {
  const url = given.text(option);
  if (url === undefined || (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) return url;
  throw new UsageError(`--${option} is not an http or https URL.`);
}

/** Asks for the client of an auth config, and gives it to the others that need the same one. */
async function fillIn(move: AuthConfigMove, all: readonly AuthConfigMove[], terminal: Terminal): Promise<void> {
  if (move.details === undefined || move.missing.length === 0) return;
  const client = await askForClient(terminal, move.there, move.details, move.missing);
  // The managed auth configs of a toolkit have one client there.
  const isSame = (other: AuthConfigMove) =>
    other === move || (move.there.isManaged && other.there.isManaged && other.there.toolkit === move.there.toolkit);
  for (const other of all.filter(isSame)) {
    if (client === undefined) other.left = needsClient(other);
    else other.credentials = { ...other.credentials, ...client };
    other.missing = [];
  }
}

/** Makes what is planned, user by user, and returns the links. */
async function make(
  migration: Migration,
  project: Project,
  target: Target,
  ids: Ids,
  wishes: Wishes,
  terminal: Terminal,
): Promise<UserLinks[]> {
  for (const move of migration.authConfigs) {
    if (move.id !== undefined) ids.add(move.there.id, move.id);
    else if (move.left === undefined) await makeAuthConfig(move, target, ids);
  }
  leaveOutWithoutConfig(migration.accounts);
  const links: UserLinks[] = [];
  const users = grouped(
    migration.accounts.filter(({ left }) => left === undefined),
    ({ there }) => there.userId,
  );
  if (wishes.links !== undefined) writeFileSync(wishes.links, '', { flag: 'wx', mode: 0o600 });
  let count = 0;
  const making = (async () => {
    for (const moves of users.values()) {
      for (const { there, id } of moves) if (id !== undefined) ids.add(there.id, id);
      const link = await makeAccounts(moves, target, ids, wishes.linkWishes);
      count += 1;
      if (link === undefined) continue;
      links.push(link);
      if (wishes.links !== undefined) appendFileSync(wishes.links, `${JSON.stringify(link)}\n`);
    }
  })();
  await terminal.during(() => `Making the accounts of users: ${count} of ${users.size}`, making);
  await makeSessions(migration, project, target, ids, wishes);
  return links;
}

async function makeSessions(
  { authConfigs, accounts, sessions }: Migration,
  project: Project,
  target: Target,
  ids: Ids,
  { ignoresRestrictions, isDry }: Wishes,
): Promise<void> {
  const here = new Map<string, string | undefined>();
  for (const { there, id, left } of [...authConfigs, ...accounts]) {
    // In a dry run, a part that is not left out has no id yet.
    here.set(there.id, id ?? (left === undefined && isDry ? there.id : undefined));
  }
  const idOf = (there: string) => here.get(there) ?? ids.get(there);
  for (const move of sessions) await makeSession(move, project, target, ids, { idOf, ignoresRestrictions, isDry });
}

function getsLink(move: AccountMove, { linkWishes }: Wishes): boolean {
  if (move.left !== undefined) return false;
  return move.id === undefined || (linkWishes.again && isWaiting(move));
}

/** The file of the store, or a file in the current folder for a database. */
function fileOf(given: Given): string {
  const store = storeOf(given);
  return isDatabase(store) ? './proxy-execute' : store;
}
