// The record of a migration: a file that has, for each id of the project that is moved, the id in the store. A second
// run finds there what it need not make, and programs find there the new ids.

import { closeSync, existsSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { isRecord } from '../../answer';
import { quoted } from '../../quoted';
import { UsageError } from '../command';
import { readFile } from '../file';

/** Upper limit for the file, which has about 70 bytes for an id. */
const MOST_BYTES = 64 * 1024 * 1024;

export class Ids {
  readonly #path: string;
  readonly #ids = new Map<string, string>();
  /** The length of the complete lines. A killed run may have left a part of a line behind them. */
  #length = 0;

  /** Reads the file, if it exists. */
  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    if (statSync(path).size > MOST_BYTES) throw new UsageError(`--ids: ${path} is larger than the limit of 64 MiB.`);
    const bytes = readFile(path, '--ids');
    this.#length = bytes.lastIndexOf('\n') + 1;
    const lines = bytes.toString('utf8', 0, this.#length).split('\n').slice(0, -1);
    for (const [index, line] of lines.entries()) {
      const pair = pairOf(line);
      if (pair === undefined) {
        throw new UsageError(
          `--ids: line ${index + 1} of ${path} is not {"there":"…","here":"…"}: ${quoted(line)}. Name another file.`,
        );
      }
      this.#ids.set(pair.there, pair.here);
    }
  }

  /** The id in the store; undefined if the id there is not moved. */
  get(there: string): string | undefined {
    return this.#ids.get(there);
  }

  /** Records an id, at once and in the file. */
  add(there: string, here: string): void {
    if (this.#ids.get(there) === here) return;
    const line = Buffer.from(`${JSON.stringify({ there, here })}\n`);
    const file = openSync(this.#path, existsSync(this.#path) ? 'r+' : 'wx', 0o600);
    try {
      ftruncateSync(file, this.#length);
      writeSync(file, line, 0, line.length, this.#length);
    } finally {
      closeSync(file);
    }
    this.#length += line.length;
    this.#ids.set(there, here);
  }
}

function pairOf(line: string): { there: string; here: string } | undefined {
  try {
    const pair: unknown = JSON.parse(line);
    if (!isRecord(pair)) return undefined;
    const { there, here } = pair;
    return typeof there === 'string' && typeof here === 'string' ? { there, here } : undefined;
  } catch {
    return undefined;
  }
}
