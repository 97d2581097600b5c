// The files that options name.

import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { UsageError } from './command';

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
