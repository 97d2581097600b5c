// Sessions of the project: the configuration that a backend shows, as the configuration of a new session here.

import { isRecord } from '../../answer';
import { quoted } from '../../quoted';
import type { Choice as Names, SessionConfig } from '../../session-config';
import { namesSomething } from './project';

/** The parts that restrict a session by its tools, which a gateway does not enforce. */
const RESTRICTIONS = ['tools', 'tags', 'hooks'];

/** The configuration of a session here, or why the session is left out. */
export function sessionConfig(
  shown: Readonly<Record<string, unknown>>,
  idOf: IdOf,
  ignoresRestrictions: boolean,
): { config: SessionConfig } | { left: string } {
  const restriction = RESTRICTIONS.find((part) => namesSomething(shown[part]));
  if (restriction !== undefined && !ignoresRestrictions) {
    return { left: `its \`${restriction}\` restrict it, which a gateway does not enforce; see --ignore-restrictions` };
  }
  try {
    return {
      config: {
        toolkits: names(shown.toolkits),
        connectedAccounts: moved(shown.connected_accounts, 'account', (pins) =>
          [pins].flat().map((pin) => idHere(idOf, pin, 'account')),
        ),
        authConfigs: moved(shown.auth_configs, 'auth config', (id) => idHere(idOf, id, 'auth config')),
        manageConnections: connections(shown.manage_connections),
        multiAccount: multiAccount(shown.multi_account),
      },
    };
  } catch (error) {
    if (error instanceof NotMoved) return { left: error.message };
    throw error;
  }
}

/** The id here of a part of the project; undefined if it is not moved. */
type IdOf = (there: string) => string | undefined;

class NotMoved extends Error {}

function idHere(idOf: IdOf, there: unknown, what: string): string {
  const here = typeof there === 'string' ? idOf(there) : undefined;
  if (here === undefined) throw new NotMoved(`it names ${what} ${quoted(String(there))}, which is not moved`);
  return here;
}

function moved<Value>(
  given: unknown,
  what: string,
  value: (given: unknown) => Value,
): Record<string, Value> | undefined {
  if (!isRecord(given)) return undefined;
  const entries = Object.entries(given).filter(([, ids]) => namesSomething(ids));
  if (entries.length > 1_000) throw new NotMoved(`it names more than 1000 toolkits with an ${what}`);
  return entries.length === 0 ? undefined : Object.fromEntries(entries.map(([toolkit, ids]) => [toolkit, value(ids)]));
}

/** A response has other names than a request. */
function names(given: unknown): Names | undefined {
  if (!isRecord(given)) return undefined;
  const enable = list(given.enabled ?? given.enable);
  const disable = list(given.disabled ?? given.disable);
  if (disable === undefined) return enable && { enable };
  return enable === undefined || enable.length === 0 ? { disable } : { enable };
}

function list(value: unknown): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw new NotMoved('its toolkits are not a list of names');
}

function connections(given: unknown): SessionConfig['manageConnections'] {
  if (!isRecord(given)) return undefined;
  const { callback_url: callbackUrl } = given;
  return {
    enable: flag(given.enabled ?? given.enable),
    ...(typeof callbackUrl === 'string' && callbackUrl !== '' && { callbackUrl }),
    waitForConnections: flag(given.enable_wait_for_connections ?? given.wait_for_connections_enabled),
  };
}

function multiAccount(given: unknown): SessionConfig['multiAccount'] {
  if (!isRecord(given)) return undefined;
  const { max_accounts_per_toolkit: most } = given;
  return {
    enable: flag(given.enabled ?? given.enable),
    ...(typeof most === 'number' && { maxAccountsPerToolkit: most }),
    requireExplicitSelection: flag(given.require_explicit_selection) ?? false,
  };
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
