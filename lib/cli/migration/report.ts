// The plan and the outcome of a migration, for the user and for machines.

import { printable, type Terminal } from '../terminal';
import { isWaiting, type UserLinks } from './make';
import { type AccountMove, type AuthConfigMove, grouped, type Move } from './plan';
import type { Project } from './project';

/** The parts of the project, each with its counterpart here. */
export interface Migration {
  authConfigs: AuthConfigMove[];
  accounts: AccountMove[];
  sessions: Move<string>[];
}

/** The ids that a line names. */
const MOST_NAMED = 3;

/** How the command runs. */
interface Mode {
  /** Whether nothing is made. */
  isDry: boolean;
  /** The file of the links; absent if they are printed. */
  links?: string | undefined;
}

/** The plan, as lines for the user. */
export function planLines(
  terminal: Terminal,
  project: Project,
  { authConfigs, accounts }: Migration,
  isDry: boolean,
): string[] {
  const users = new Set(accounts.map(({ there }) => there.userId)).size;
  const own = grouped(
    accounts.filter(({ left }) => left === undefined),
    ({ config }) => config,
  );
  const rows = authConfigs.map((move) => {
    const { id, toolkit, scheme, name } = move.there;
    return [id, toolkit, scheme, name || null, own.get(move)?.length ?? 0, stateOf(move, isDry)];
  });
  const names = ['AUTH CONFIG', 'TOOLKIT', 'SCHEME', 'NAME', 'ACCOUNTS', 'HERE'];
  const head = `${project.host} has ${count(authConfigs.length, 'auth config')} and ${count(accounts.length, 'account')} of ${count(users, 'user')}.`;
  return [printable(head), ...(rows.length === 0 ? [] : terminal.table(names, rows))];
}

function stateOf({ id, isMade, left }: Move<unknown>, isDry: boolean): string {
  if (id !== undefined) return isMade ? `made, as ${id}` : id;
  if (left !== undefined) return 'left out';
  return isDry ? 'would be made' : 'is made';
}

/** The reasons for what is left out, each with its parts. */
function leftLines(what: string, moves: readonly Move<string | { id: string }>[]): string[] {
  const reasons = grouped(
    moves.filter(({ left }) => left !== undefined),
    ({ left }) => left,
  );
  return [...reasons].map(([reason, group]) => {
    const ids = group.slice(0, MOST_NAMED).map(({ there }) => (typeof there === 'string' ? there : there.id));
    const more = group.length > MOST_NAMED ? ', …' : '';
    return printable(`Left out: ${count(group.length, what)} (${ids.join(', ')}${more}): ${reason}.`);
  });
}

/** The outcome, as lines for the user. */
export function resultLines(
  terminal: Terminal,
  { authConfigs, accounts, sessions }: Migration,
  { isDry, links: file }: Mode,
  links: readonly UserLinks[],
): string[] {
  const parts: [string, readonly Move<string | { id: string }>[]][] = [
    ['auth config', authConfigs],
    ['account', accounts],
    ['session', sessions],
  ];
  const counts = (isCounted: (move: Move<unknown>) => boolean) =>
    parts
      .map(([what, moves]) => [moves.filter(isCounted).length, what] as const)
      .filter(([number], index) => number > 0 || index < 2)
      .map(([number, what]) => count(number, what));
  const list = new Intl.ListFormat('en', { type: 'conjunction', style: 'long' });
  const made = list.format(counts(({ id, left, isMade }) => (isDry ? id === undefined && !left : isMade === true)));
  const before = list.format(counts(({ id, isMade }) => id !== undefined && !isMade));
  const waiting = accounts.filter((move) => isWaiting(move));
  const linked = new Set(links.flatMap((link) => link.accounts.map(({ id }) => id)));
  const unlinked = waiting.filter(({ id }) => id !== undefined && !linked.has(id)).length;
  const lines = [
    ...(links.length > 0 && file === undefined
      ? terminal.table(
          ['USER', 'ACCOUNTS', 'LINK'],
          links.map(({ userId, accounts: own, url }) => [userId, own.map(({ toolkit }) => toolkit).join(' '), url]),
        )
      : []),
    ...parts.flatMap(([what, moves]) => leftLines(what, moves)),
    `${isDry ? 'Would be made' : 'Made'}: ${made}. Here before: ${before}.`,
  ];
  if (links.length > 0) {
    const place = file === undefined ? '' : ` The links are in ${file}.`;
    lines.push(`${count(links.length, 'user')} can connect again by a link, until ${links[0]?.expiresAt}.${place}`);
  }
  if (unlinked > 0 && !isDry) {
    lines.push(
      `An earlier run made ${count(unlinked, 'account')} that no user has connected yet. --new-links makes new links.`,
    );
  }
  return lines;
}

/** The outcome, for machines. */
export function resultOf(
  { host }: Project,
  { authConfigs, accounts, sessions }: Migration,
  { isDry }: Mode,
  links: readonly UserLinks[],
): object {
  const shown = ({ id, isMade, left }: Move<unknown>) => ({ id: id ?? null, isMade: isMade === true, left });
  return {
    from: host,
    dryRun: isDry,
    authConfigs: authConfigs.map((move) => {
      const { id: there, toolkit, scheme, name } = move.there;
      return { there, ...shown(move), toolkit, scheme, name, redirectUri: move.details?.redirectUri ?? undefined };
    }),
    accounts: accounts.map((move) => {
      const { id: there, userId, toolkit, alias, status } = move.there;
      return { there, ...shown(move), userId, toolkit, alias, status };
    }),
    sessions: sessions.map((move) => ({ there: move.there, ...shown(move) })),
    links,
  };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
