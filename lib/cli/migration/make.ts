// Makes what a plan has: auth configs, accounts with their links, and sessions. Each new id is recorded before the next
// part is made, so that a second run goes on where the first one ended.

import { ComposioError, problemsOf } from '../../errors';
import { LONGEST_NAME } from '../../validate';
import { printable } from '../terminal';
import type { Ids } from './ids';
import type { AccountMove, AuthConfigMove, Move, Target } from './plan';
import type { Project } from './project';
import { sessionConfig } from './sessions';

/** The links of a user. The first one leads through all of them. */
export interface UserLinks {
  userId: string;
  /** The page of the first account. After each account, the browser goes to the next one's page. */
  url: string;
  /** Until when the pages work, as an ISO 8601 date. */
  expiresAt: string;
  /** The accounts in the order of their pages, each with its own page. */
  accounts: { id: string; toolkit: string; alias?: string; url: string }[];
}

/** How links are made. */
export interface LinkWishes {
  /** The URL to which a user is sent at the end. */
  callbackUrl?: string;
  /** Their lifetime in milliseconds. */
  lifetime: number;
  /** Whether accounts of an earlier run that are not connected yet get new ones. */
  again: boolean;
}

/** The states of an account that waits for its user. */
const WAITING: readonly string[] = ['INITIALIZING', 'INITIATED', 'EXPIRED', 'FAILED'];

/** Whether an account that was here before this run waits for its user. */
export function isWaiting({ here }: AccountMove): boolean {
  return here !== undefined && WAITING.includes(here.status) && !here.isDisabled;
}

/** Makes an auth config. */
export async function makeAuthConfig(move: AuthConfigMove, { composio }: Target, ids: Ids): Promise<void> {
  const { id, name, toolkit, scheme, isEnabledForToolRouter } = move.there;
  await unlessRefused(move, async () => {
    const { credentials } = move;
    const made = await composio.authConfigs.create(toolkit, {
      type: 'use_custom_auth',
      authScheme: scheme,
      credentials,
      isEnabledForToolRouter,
      ...(name !== '' && { name: name.slice(0, LONGEST_NAME) }),
    });
    ids.add(id, made.id);
    return made.id;
  });
}

/**
 * Makes a user's accounts, and a link that leads through them: the page of an account sends the user to the page of the
 * next one. So the last page is made first.
 */
export async function makeAccounts(
  moves: readonly AccountMove[],
  target: Target,
  ids: Ids,
  { callbackUrl, lifetime, again }: LinkWishes,
): Promise<UserLinks | undefined> {
  const expiresAt = new Date(Date.now() + lifetime).toISOString();
  const accounts: UserLinks['accounts'] = [];
  for (const move of moves.toReversed()) {
    const onward = accounts[0]?.url ?? callbackUrl;
    const url =
      move.id === undefined ? await make(move, target, ids, onward) : await renew(move, target, again, onward);
    const { there, id } = move;
    if (url && id) accounts.unshift({ id, toolkit: there.toolkit, alias: there.alias, url });
  }
  const [first] = accounts;
  const userId = moves[0]?.there.userId ?? '';
  return first && { userId, url: first.url, expiresAt, accounts };
}

/** Makes an account, and returns its page. */
async function make(
  move: AccountMove,
  { composio }: Target,
  ids: Ids,
  callbackUrl: string | undefined,
): Promise<string | null> {
  const { there, config } = move;
  let page: string | null = null;
  await unlessRefused(move, async () => {
    const { required = [], optional = [] } = config?.details?.fields.connectedAccountInitiation ?? {};
    const shown = [...required, ...optional].filter(({ name, isSecret }) => !isSecret && there.values[name]);
    const val = Object.fromEntries(shown.map(({ name }) => [name, there.values[name]]));
    const { sharing: experimental, alias } = there;
    const options = { callbackUrl, alias, experimental, allowMultiple: true };
    const credential = { authScheme: config?.there.scheme ?? '', val };
    const made = await composio.connectedAccounts.initiate(there.userId, config?.id ?? '', {
      ...options,
      config: credential,
    });
    ids.add(there.id, made.id);
    page = made.redirectUrl;
    return made.id;
  });
  return page;
}

/** Returns the page of an account that was here before this run, if it needs one. */
async function renew(
  move: AccountMove,
  { composio }: Target,
  again: boolean,
  callbackUrl: string | undefined,
): Promise<string | null> {
  const { id } = move;
  if (!again || !isWaiting(move) || id === undefined) return null;
  const reconnecting = composio.connectedAccounts.reconnect(id, { callbackUrl });
  return reconnecting.then(
    ({ redirectUrl }) => redirectUrl,
    (error) => {
      move.left = refusal(error);
      return null;
    },
  );
}

/** Makes a session, unless the run is a dry one. `idOf` has the ids here of auth configs and accounts. */
export async function makeSession(
  move: Move<string>,
  project: Project,
  { composio }: Target,
  ids: Ids,
  wishes: { idOf: (there: string) => string | undefined; ignoresRestrictions: boolean; isDry: boolean },
): Promise<void> {
  const recorded = ids.get(move.there);
  if (recorded !== undefined && (await isSession(recorded, composio))) {
    move.id = recorded;
    return;
  }
  const shown = await project.session(move.there);
  if (shown === undefined) {
    move.left = `${project.host} has no such session`;
    return;
  }
  const found = sessionConfig(shown.config, wishes.idOf, wishes.ignoresRestrictions);
  if ('left' in found) move.left = found.left;
  else if (typeof shown.config.user_id !== 'string') move.left = 'it has no user id';
  else if (!wishes.isDry) {
    await unlessRefused(move, async () => {
      const { sessionId } = await composio.create(shown.userId, found.config);
      ids.add(move.there, sessionId);
      return sessionId;
    });
  }
}

async function isSession(id: string, composio: Target['composio']): Promise<boolean> {
  try {
    await composio.sessions.use(id);
    return true;
  } catch (error) {
    if (error instanceof ComposioError && error.status === 404) return false;
    throw error;
  }
}

/** Makes a part. If the gateway refuses it, the part is left out, and the others are made. */
async function unlessRefused(move: Move<unknown>, make: () => Promise<string>): Promise<void> {
  try {
    move.id = await make();
    move.isMade = true;
  } catch (error) {
    move.left = refusal(error);
  }
}

/** Why the gateway refuses a part. Any other error would be that of each part, and is thrown. */
function refusal(error: unknown): string {
  if (!(error instanceof ComposioError)) throw error;
  const { status = 0, slug, code } = error;
  const isOfPart = status >= 400 && status < 500 && slug !== 'GatewayNotListening';
  if (!isOfPart && code !== 'TS-SDK::VALIDATION_ERROR') throw error;
  const told = problemsOf(error).map(({ sentence }) => sentence);
  return printable(told.join(' ').replace(/\.$/, ''));
}
