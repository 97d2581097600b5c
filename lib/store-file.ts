// The file of a store, without a gateway: it is checked and backed up.

import { answerOf, completions, native } from './native';

/** The content of a store that is intact. */
export interface StoreCheck {
  /** The number of the last migration that was applied. */
  schemaVersion: number;
  /** How many migrations the next gateway that opens the store applies. */
  pendingMigrations: number;
  accounts: number;
  sessions: number;
  /** The API keys, revoked ones included. */
  apiKeys: number;
  /** The calls of the record. */
  calls: number;
}

/** Checks a store, and that this is its key. Changes nothing. */
export async function checkStore(store: string, encryptionKey: string): Promise<StoreCheck> {
  const text = await answerOf(() => native.checkStore(store, encryptionKey, completions()));
  const { schema_version, pending_migrations, accounts, sessions, api_keys, calls } = JSON.parse(text);
  return {
    schemaVersion: schema_version,
    pendingMigrations: pending_migrations,
    accounts,
    sessions,
    apiKeys: api_keys,
    calls,
  };
}

/** Copies a store to a new file, and returns the size of the copy in bytes. A gateway may be using the store. */
export async function backUpStore(store: string, file: string): Promise<number> {
  return JSON.parse(await answerOf(() => native.backUpStore(store, file, completions())));
}
