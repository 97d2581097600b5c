// Where keys come from: a file, a variable of the environment, or the output of a command.

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { type Given, UsageError } from './command';
import { checkFile } from './file';
import type { Terminal } from './terminal';

/** Upper limit for the text of keys, in bytes. A key has some 64. */
const LONGEST_TEXT = 64 * 1024;

/** The time in which a command must have ended, in milliseconds. */
const COMMAND_TIMEOUT = 30_000;

/** Keys as they were read. A text may have several. */
export interface ReadKeys {
  texts: readonly string[];
  /** Where they come from, for a message about a text without a key. */
  source: string;
}

/**
 * Reads the keys of an option such as `encryption-key` from one source: the option `-file` or `-command`, else one of
 * the variables of the same names. Undefined without a source.
 */
export function keysOf(given: Given, terminal: Terminal, option: string): ReadKeys | undefined {
  const variable = `PROXY_EXECUTE_${option.toUpperCase().replaceAll('-', '_')}`;
  const set = (name: string) => (process.env[name] ? [process.env[name]] : []);
  // An option of the command line replaces both of a configuration file.
  const isWritten = given.isWritten(`${option}-file`) || given.isWritten(`${option}-command`);
  const named = (name: string) => (isWritten && !given.isWritten(name) ? [] : given.texts(name));
  const options = [
    { name: `--${option}-file`, values: named(`${option}-file`), read: files },
    { name: `--${option}-command`, values: named(`${option}-command`), read: command },
  ];
  const variables = [
    { name: `${variable}_FILE`, values: set(`${variable}_FILE`), read: files },
    { name: `${variable}_COMMAND`, values: set(`${variable}_COMMAND`), read: command },
    { name: variable, values: set(variable), read: (texts: readonly string[], source: string) => ({ texts, source }) },
  ];
  const sources = options.some(({ values }) => values.length > 0) ? options : variables;
  const [first, second] = sources.filter(({ values }) => values.length > 0);
  if (first === undefined) return undefined;
  if (second !== undefined) throw new UsageError(`${first.name} and ${second.name} both name keys: keep one of them.`);
  return first.read(first.values, first.name, terminal);
}

function files(paths: readonly string[], name: string, terminal: Terminal): ReadKeys {
  const texts = paths.map((path) => {
    checkFile(path, name);
    const file = statSync(path);
    if (file.size > LONGEST_TEXT) throw new UsageError(`${name}: ${path} has more than 64 KiB.`);
    if (process.platform !== 'win32' && file.isFile() && (file.mode & 0o004) !== 0) {
      terminal.warn(`${name}: every user of this machine can read ${path}. Run: chmod 600 ${path}`);
    }
    return readFileSync(path).toString().trim();
  });
  return { texts, source: `${paths.join(', ')} is empty` };
}

/** Reads the output of a command. Its standard error output is that of this process. */
function command([line = '']: readonly string[], name: string): ReadKeys {
  const [program, ...args] = wordsOf(line, name);
  if (program === undefined) throw new UsageError(`${name} names no command.`);
  const { error, status, stdout } = spawnSync(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: COMMAND_TIMEOUT,
    maxBuffer: LONGEST_TEXT,
    killSignal: 'SIGKILL',
    windowsHide: true,
  });
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const fact = { ETIMEDOUT: 'did not end within 30 s', ENOBUFS: 'printed more than 64 KiB' }[code ?? ''];
  if (error !== undefined) throw new Error(`${name}: ${program} ${fact ?? `cannot be started (${code})`}.`);
  if (status === null) throw new Error(`${name}: ${program} was killed by a signal.`);
  if (status !== 0) throw new Error(`${name}: ${program} ended with exit code ${status}.`);
  return { texts: [stdout.toString().trim()], source: `The command of ${name} printed nothing` };
}

/**
 * Splits a command at white space. Single or double quotation marks keep a word together. No other character is
 * special.
 */
function wordsOf(line: string, name: string): string[] {
  const words = line.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+|\S/g) ?? [];
  if (words.some((word) => word === "'" || word === '"')) {
    throw new UsageError(`${name}: a quotation mark in the command has no second one.`);
  }
  return words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}
