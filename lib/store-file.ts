// A store without a gateway: it is checked, migrated, copied, backed up, and encrypted with another key.

import type * as Native from '../native';
import { answerOf, completions, native } from './native';

/** The content of a store that is intact. */
export interface StoreCheck {
  /** The number of the last migration that was applied. */
  schemaVersion: number;
  /** How many migrations the next gateway that opens the store applies. */
  pendingMigrations: number;
  /** The rows of each key: the given keys first, in their order. */
  encryptionKeys: KeyUse[];
  accounts: number;
  sessions: number;
  /** The API keys, revoked ones included. */
  apiKeys: number;
  /** The calls of the record. */
  calls: number;
}

/** The rows that a key has encrypted. */
export interface KeyUse {
  /** The key's id; null if an earlier version did not note it. */
  keyId: string | null;
  authConfigs: number;
  accounts: number;
  links: number;
  webhookSubscriptions: number;
  /** 1 if the store is marked as one of this key. */
  keyChecks: number;
}

/** The outcome of a {@link KeyRotation}. */
export interface RotatedKey {
  keyId: string;
  /** The rows that were encrypted again. */
  resealed: KeyUse;
  /** The rows of each key at the end: the given keys first, in their order. */
  encryptionKeys: KeyUse[];
  /** Rows that no key opens, by table and id: at most 100. */
  unopenable: string[];
}

/** Checks a store, and that these are its keys. Changes nothing. */
export async function checkStore(store: string, encryptionKey: string): Promise<StoreCheck> {
  const text = await answerOf(() => native.checkStore(store, encryptionKey, completions()));
  const { schema_version, pending_migrations, encryption_keys, accounts, sessions, api_keys, calls } = JSON.parse(text);
  return {
    schemaVersion: schema_version,
    pendingMigrations: pending_migrations,
    encryptionKeys: encryption_keys.map(readUse),
    accounts,
    sessions,
    apiKeys: api_keys,
    calls,
  };
}

/** Brings a store in a database to the schema of this version. Returns how many migrations were applied. */
export async function migrateStore(store: string): Promise<number> {
  return JSON.parse(await answerOf(() => native.migrateStore(store, completions())));
}

/** A table that was copied. */
export interface CopiedTable {
  table: string;
  rows: number;
  /** The rows that this copy has added. */
  added: number;
  /** SHA-256 of all rows, which is the same for both stores. */
  digest: string;
}

/** Copies a store from a file to a database, and compares all rows. The gateways of both must be closed. */
export async function copyStore(from: string, to: string, encryptionKey: string): Promise<CopiedTable[]> {
  return JSON.parse(await answerOf(() => native.copyStore(from, to, encryptionKey, completions())));
}

/** Copies a store to a new file, and returns the size of the copy in bytes. A gateway may be using the store. */
export async function backUpStore(store: string, file: string): Promise<number> {
  return JSON.parse(await answerOf(() => native.backUpStore(store, file, completions())));
}

/** Encrypts everything in a store with the first key. Gateways may be using the store. */
export class KeyRotation {
  readonly #rotation: Native.KeyRotation;

  constructor(store: string, encryptionKeys: string) {
    this.#rotation = new native.KeyRotation(store, encryptionKeys);
  }

  /** The rows that were looked at. */
  get done(): number {
    return this.#rotation.done;
  }

  /** The rows that had another key at the beginning. */
  get total(): number {
    return this.#rotation.total;
  }

  async run(): Promise<RotatedKey> {
    const { key_id, resealed, keys, unopenable } = JSON.parse(await answerOf(() => this.#rotation.run(completions())));
    return { keyId: key_id, resealed: readUse(resealed), encryptionKeys: keys.map(readUse), unopenable };
  }
}

function readUse({
  key_id,
  auth_configs,
  accounts,
  links,
  webhook_subscriptions,
  key_checks,
}: Record<string, unknown>): KeyUse {
  return {
    keyId: key_id as string | null,
    authConfigs: auth_configs as number,
    accounts: accounts as number,
    links: links as number,
    webhookSubscriptions: webhook_subscriptions as number,
    keyChecks: key_checks as number,
  };
}
