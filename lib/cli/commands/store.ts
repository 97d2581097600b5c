// `store`: the file of a store, checked and backed up while a gateway may be using it.

import { backUpStore, checkStore } from '../../store-file';
import type { Command } from '../command';
import { encryptionKeyOf, existingStoreOf } from '../store';

const check: Command = {
  name: 'store check',
  summary: 'Checks that the store is intact and that the key opens it. Changes nothing',
  parameters: [],
  options: {},
  examples: ['npx proxy-execute store check', 'npx proxy-execute store check --store /backup/gateway.db --json'],
  async run(given, terminal) {
    const store = existingStoreOf(given);
    const checked = await terminal.during('Checking the store', checkStore(store, encryptionKeyOf(given)));
    const { schemaVersion, pendingMigrations, accounts, sessions, apiKeys, calls } = checked;
    terminal.result({ store, ...checked }, () => [
      `${store} is intact, and the key opens it.`,
      ...terminal.table(
        ['SCHEMA', 'PENDING', 'ACCOUNTS', 'SESSIONS', 'KEYS', 'CALLS'],
        [[schemaVersion, pendingMigrations, accounts, sessions, apiKeys, calls]],
      ),
    ]);
    if (pendingMigrations > 0 && !terminal.json) {
      terminal.note('The next command that opens the store, such as `serve`, changes its schema. Back it up before.');
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

export const store = [check, backup];
