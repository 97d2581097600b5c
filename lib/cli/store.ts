// The gateway that a command works on, opened from its options.

import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { Gateway } from '../gateway';
import type { GatewayOptions } from '../gateway-options';
import { type Given, UsageError } from './command';
import type { Terminal } from './terminal';

const KEY_VARIABLE = 'PROXY_EXECUTE_ENCRYPTION_KEY';

/** The path of the store. */
export function storeOf(given: Given): string {
  return given.text('store') ?? './proxy-execute.db';
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
    encryptionKey: encryptionKeyOf(given),
    toolkits: given.texts('toolkit'),
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

/** The path of a store that exists. */
export function existingStoreOf(given: Given): string {
  const store = storeOf(given);
  if (existsSync(store)) return store;
  throw new UsageError(
    `There is no store at ${store}: check --store. \`serve\`, \`connect\` and \`keys create\` create one.`,
  );
}

/** The key of the store. */
export function encryptionKeyOf(given: Given): string {
  const file = given.text('encryption-key-file');
  const key =
    file === undefined
      ? process.env[KEY_VARIABLE] || keyInDotenv()
      : readFile(file, '--encryption-key-file').toString().trim();
  if (key) return key;
  const where = file === undefined ? `Set ${KEY_VARIABLE} or pass --encryption-key-file` : `${file} is empty`;
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

/** The content of a file that an option names. */
export function readFile(path: string, option: string): Buffer {
  checkFile(path, option);
  return readFileSync(path);
}

/** Refuses a file that cannot be read. */
export function checkFile(path: string, option: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${option}: ${path} cannot be read (${code}).`);
  }
  if (statSync(path).isDirectory()) throw new UsageError(`${option}: ${path} is a folder.`);
}
