// The OAuth clients of the operator. The hosted backend shows no secret, and its own clients cannot be moved, so the
// clients come from a file or from the terminal.

import { isRecord } from '../../answer';
import type { ToolkitAuthDetails } from '../../toolkits';
import { UsageError } from '../command';
import { readFile } from '../file';
import { ask } from '../secrets';
import type { Terminal } from '../terminal';
import type { ProjectAuthConfig } from './project';

/** Upper limit for the file of clients. */
const MOST_BYTES = 1024 * 1024;

/** A client by the names of its fields, such as `client_id`. */
type Client = Readonly<Record<string, string>>;

/** The clients by the id of an auth config of the project, or by toolkit. */
export type Clients = ReadonlyMap<string, Client>;

/** Reads the clients of a file. */
export function readClients(path: string | undefined): Clients {
  if (path === undefined) return new Map();
  const bytes = readFile(path, '--clients');
  const clients = bytes.length > MOST_BYTES ? undefined : objectOf(bytes.toString());
  const form = '{"gmail":{"client_id":"…","client_secret":"…"}}, by toolkit or by the id of an auth config there';
  if (clients === undefined) {
    throw new UsageError(`--clients: ${path} must be a JSON object such as ${form}, of at most 1 MiB.`);
  }
  for (const [name, client] of Object.entries(clients)) {
    const isClient = isRecord(client) && Object.values(client).every((value) => typeof value === 'string' && value);
    if (!isClient) throw new UsageError(`--clients: \`${name}\` of ${path} is not a client such as ${form}.`);
  }
  return new Map(Object.entries(clients as Record<string, Client>));
}

/** The client of an auth config, and the names of the fields that it lacks. */
export function clientOf(
  config: ProjectAuthConfig,
  details: ToolkitAuthDetails,
  clients: Clients,
): { client: Client; missing: string[] } {
  const { required, optional } = details.fields.authConfigCreation;
  const shown = config.isManaged ? {} : config.credentials;
  const given = clients.get(config.id) ?? clients.get(config.toolkit) ?? {};
  const client: Record<string, string> = {};
  for (const { name } of [...required, ...optional]) {
    // The redirect URI there leads to the hosted backend.
    const value = given[name] ?? (name.endsWith('redirect_uri') || name === 'scopes' ? undefined : shown[name]);
    if (typeof value === 'string' && value !== '') client[name] = value;
  }
  // A public client has no secret.
  const isPublic = given.client_id !== undefined && given.client_secret === undefined;
  const names = required.map(({ name }) => name).filter((name) => !(isPublic && name === 'client_secret'));
  return { client, missing: names.filter((name) => client[name] === undefined) };
}

/** Asks on the terminal for the missing fields of a client. An empty answer to the first one leaves the client out. */
export async function askForClient(
  terminal: Terminal,
  config: ProjectAuthConfig,
  details: ToolkitAuthDetails,
  missing: readonly string[],
): Promise<Client | undefined> {
  const page = details.clientPage === null ? '' : ` Register one at ${details.clientPage}.`;
  terminal.note(
    `Auth config ${config.id} of ${config.toolkit} needs an OAuth client of yours.${page}\n` +
      `At the provider, its redirect URI is ${details.redirectUri}\nLeave it empty to go on without.`,
  );
  const client: Record<string, string> = {};
  for (const field of details.fields.authConfigCreation.required.filter(({ name }) => missing.includes(name))) {
    const value = await ask(`${field.displayName}: `, { hidden: field.isSecret !== false });
    if (value !== '') client[field.name] = value;
    else if (field.name !== 'client_secret') return undefined;
  }
  return Object.keys(client).length === 0 ? undefined : client;
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
