// `store`: the store is checked, migrated, copied, backed up and encrypted with another key.

import { clearInterval, setInterval } from 'node:timers';
import { backUpStore, checkStore, copyStore, KeyRotation, type KeyUse, migrateStore } from '../../store-file';
import { type Command, UsageError } from '../command';
import { encryptionKeysOf, existingStoreOf, isDatabase, shownStoreOf, storeOf, withoutPassword } from '../store';

/** The time between two notes about the progress, in milliseconds. */
const PROGRESS_INTERVAL = 2_000;

const check: Command = {
  name: 'store check',
  summary: 'Checks that the store is intact and that the key opens it. Changes nothing',
  parameters: [],
  options: {},
  examples: ['npx proxy-execute store check', 'npx proxy-execute store check --store /backup/gateway.db --json'],
  async run(given, terminal) {
    const path = existingStoreOf(given);
    const checked = await terminal.during('Checking the store', checkStore(path, encryptionKeysOf(given, terminal)));
    const store = shownStoreOf(given);
    const { schemaVersion, pendingMigrations, encryptionKeys, accounts, sessions, apiKeys, calls } = checked;
    terminal.result({ store, ...checked }, () => [
      `${store} is intact, and the key opens it.`,
      ...terminal.table(
        ['SCHEMA', 'PENDING', 'ACCOUNTS', 'SESSIONS', 'KEYS', 'CALLS'],
        [[schemaVersion, pendingMigrations, accounts, sessions, apiKeys, calls]],
      ),
      '',
      ...terminal.table(
        ['ENCRYPTION KEY', 'AUTH CONFIGS', 'ACCOUNTS', 'LINKS'],
        encryptionKeys.map((key) => [key.keyId, key.authConfigs, key.accounts, key.links]),
      ),
    ]);
    if (pendingMigrations > 0 && !terminal.json) {
      terminal.note(
        isDatabase(path)
          ? 'Its schema is that of an older version. Back it up, and run `npx proxy-execute store migrate`.'
          : 'The next command that opens the store, such as `serve`, changes its schema. Back it up before.',
      );
    }
    return 0;
  },
};

const backup: Command = {
  name: 'store backup',
  summary: 'Copies the store to a new file, while a gateway may be using it. Needs no key',
  parameters: ['<file>'],
  options: {},
  examples: ['npx proxy-execute store backup /backup/gateway.db'],
  async run(given, terminal) {
    const store = existingStoreOf(given);
    const [file = ''] = given.parameters;
    const bytes = await terminal.during('Copying the store', backUpStore(store, file));
    terminal.result({ store, file, bytes }, () => `${store} is copied to ${file}, ${bytes} bytes.`);
    return 0;
  },
};

const rotateKey: Command = {
  name: 'store rotate-key',
  summary: 'Encrypts everything in the store with the first key, while gateways may be using it',
  parameters: [],
  options: {},
  examples: [
    'PROXY_EXECUTE_ENCRYPTION_KEY=$NEW,$OLD npx proxy-execute store rotate-key',
    'npx proxy-execute store rotate-key --encryption-key-file keys.txt --json',
  ],
  async run(given, terminal) {
    const path = existingStoreOf(given);
    const store = shownStoreOf(given);
    const rotation = new KeyRotation(path, encryptionKeysOf(given, terminal));
    const noting = setInterval(() => {
      if (!process.stderr.isTTY) terminal.note(`Encrypting: ${rotation.done} of ${rotation.total} rows.`);
    }, PROGRESS_INTERVAL);
    const running = rotation.run().finally(() => clearInterval(noting));
    const rotated = await terminal.during(() => `Encrypting: ${rotation.done} of ${rotation.total} rows`, running);
    const { keyId, encryptionKeys, unopenable } = rotated;
    const { authConfigs, accounts, links, webhookSubscriptions } = rotated.resealed;
    const others = encryptionKeys.filter((key) => key.keyId !== keyId);
    const isComplete = others.every((key) => rowsOf(key) === 0);
    const unneededKeys = others.flatMap((key) => (rowsOf(key) === 0 && key.keyId !== null ? [key.keyId] : []));
    const resealed = { authConfigs, accounts, links, webhookSubscriptions };
    terminal.result({ store, keyId, resealed, encryptionKeys, unneededKeys, unopenable }, () => [
      `Encrypted with the key ${keyId}: ${authConfigs} auth configs, ${accounts} accounts, ${links} links, ` +
        `${webhookSubscriptions} webhook subscriptions.`,
      ...others.map((key) => {
        const id = key.keyId ?? 'of an earlier version';
        return rowsOf(key) === 0
          ? `The key ${id} is no longer needed: nothing in the store has it.`
          : `The key ${id} is still needed: ${rowsOf(key)} rows have it.`;
      }),
      adviceAfter(isComplete, others, unopenable),
    ]);
    return isComplete ? 0 : 1;
  },
};

function rowsOf({ authConfigs, accounts, links, webhookSubscriptions, keyChecks }: KeyUse): number {
  return authConfigs + accounts + links + webhookSubscriptions + keyChecks;
}

function adviceAfter(isComplete: boolean, others: readonly KeyUse[], unopenable: readonly string[]): string {
  if (unopenable.length > 0) {
    return `No key opens these rows, so connect them again or delete them: ${unopenable.join(', ')}.`;
  }
  if (!isComplete) {
    return 'A gateway still encrypts with an older key. Start every gateway with the new key first, then run this again.';
  }
  return others.length === 0 ? 'Everything in the store has this key.' : 'Start every gateway with the new key alone.';
}

const migrate: Command = {
  name: 'store migrate',
  summary: 'Brings a database to the schema of this version. A file is migrated when it is opened',
  parameters: [],
  options: {},
  examples: ['npx proxy-execute store migrate --store postgres://gateway@db.example.com/gateway'],
  async run(given, terminal) {
    const migrations = await terminal.during('Migrating the store', migrateStore(storeOf(given)));
    const store = shownStoreOf(given);
    terminal.result({ store, migrations }, () => `${store} has the schema of this version; ${migrations} applied.`);
    return 0;
  },
};

const copy: Command = {
  name: 'store copy',
  summary: 'Copies a store from a file to a database, and compares all rows. Close the gateways before',
  parameters: [],
  options: {
    from: { value: '<file>', required: true, description: 'The store in a file' },
    to: { value: '<url>', required: true, description: 'The database, which is empty or has this copy' },
  },
  examples: ['npx proxy-execute store copy --from gateway.db --to postgres://gateway@db.example.com/gateway'],
  async run(given, terminal) {
    const [from = '', url = ''] = [given.text('from'), given.text('to')];
    if (isDatabase(from) || !isDatabase(url)) {
      throw new UsageError('--from is a file, and --to is written --to postgres://user@host:5432/database.');
    }
    const copying = copyStore(from, url, encryptionKeysOf(given, terminal));
    const tables = await terminal.during('Copying the store', copying);
    const to = withoutPassword(url);
    terminal.result({ from, to, tables }, () => [
      `${to} has every row of ${from}.`,
      ...terminal.table(
        ['TABLE', 'ROWS', 'ADDED', 'SHA-256'],
        tables.map(({ table, rows, added, digest }) => [table, rows, added, digest]),
      ),
    ]);
    return 0;
  },
};

export const store = [check, backup, rotateKey, migrate, copy];
