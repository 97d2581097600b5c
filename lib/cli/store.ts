// The gateway that a command works on, opened from its options.

import { existsSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { Gateway } from '../gateway';
import type { GatewayOptions } from '../gateway-options';
import { type Given, UsageError } from './command';
import { readFile } from './file';
import { keysOf } from './key-source';
import type { Terminal } from './terminal';

const KEY_VARIABLE = 'PROXY_EXECUTE_ENCRYPTION_KEY';

const STORE_VARIABLE = 'PROXY_EXECUTE_STORE';

/** The store: the path of a file, or the URL of a database, which may hold a password. */
export function storeOf(given: Given): string {
  return given.text('store') ?? (process.env[STORE_VARIABLE] || './proxy-execute.db');
}

/** The store as it is shown: without a password. */
export function shownStoreOf(given: Given): string {
  return withoutPassword(storeOf(given));
}

/** A store as it is shown. */
export function withoutPassword(store: string): string {
  if (!isDatabase(store) || !URL.canParse(store)) return isDatabase(store) ? 'the database' : store;
  const url = new URL(store);
  url.password = '';
  url.searchParams.delete('password');
  return url.href;
}

/** Whether a store is the URL of a database. */
export function isDatabase(store: string): boolean {
  return /^postgres(ql)?:\/\//.test(store);
}

/** The options with which another command works on the same store. */
export function sameStore(given: Given): string {
  const written = ['config', 'store', 'encryption-key-file', 'encryption-key-command'].filter(given.isWritten);
  // Without a store, the option says where the default is.
  const options = written.includes('config') || written.includes('store') ? written : ['store', ...written];
  const textOf = (name: string) => (name === 'store' ? shownStoreOf(given) : given.text(name)) ?? '';
  return options.map((name) => ` --${name} ${asWord(textOf(name))}`).join('');
}

/** A value as a word for a shell. */
function asWord(value: string): string {
  return /^[\p{Alphabetic}\p{N}_\-./:@%+=,~\\]*$/u.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/** Opens the store, makes it if there is none, and closes it after the work. */
export async function inStore<T>(
  given: Given,
  terminal: Terminal,
  work: (gateway: Gateway) => Promise<T>,
  options: GatewayOptions = {},
): Promise<T> {
  const opening = Gateway.open({
    store: storeOf(given),
    encryptionKey: encryptionKeysOf(given, terminal),
    toolkits: given.paths('toolkit'),
    ...options,
  });
  const gateway = await terminal.during('Opening the store', opening);
  try {
    return await work(gateway);
  } finally {
    await gateway.close();
  }
}

/** The same with an existing store, so that a misspelt path does not become an empty store. */
export async function inExistingStore<T>(
  given: Given,
  terminal: Terminal,
  work: (gateway: Gateway) => Promise<T>,
  options: GatewayOptions = {},
): Promise<T> {
  existingStoreOf(given);
  return inStore(given, terminal, work, options);
}

/** The store, which exists if it is a file. */
export function existingStoreOf(given: Given): string {
  const store = storeOf(given);
  if (isDatabase(store) || existsSync(store)) return store;
  throw new UsageError(
    `There is no store at ${store}: check --store. \`serve\`, \`connect\` and \`keys create\` create one.`,
  );
}

/** The keys of the store. The first one encrypts. */
export function encryptionKeysOf(given: Given, terminal: Terminal): string {
  const read = keysOf(given, terminal, 'encryption-key');
  const key = read === undefined ? keyInDotenv() : read.texts.join('\n');
  if (key) return key;
  const where = read?.source ?? `Set ${KEY_VARIABLE} or pass --encryption-key-file`;
  throw new UsageError(
    `There is no encryption key. ${where}; \`npx proxy-execute encryption-key\` prints a new one, for a new store.`,
  );
}

/** The key in `.env` of the current folder, where `init` puts it. No other variable of the file is used. */
function keyInDotenv(): string | undefined {
  if (!existsSync('.env')) return undefined;
  // Before Node.js 20.12 there is no parser, and the file is not used.
  return parseEnv?.(readFile('.env', KEY_VARIABLE).toString())[KEY_VARIABLE];
}
