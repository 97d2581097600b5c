// `init`: a new TypeScript project, from the files in `template/`.

import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { quoted } from '../../quoted';
import { type Command, UsageError } from '../command';
import { printable } from '../terminal';

const PACKAGE = realpathSync(join(__dirname, '..', '..', '..'));
const TEMPLATE = join(PACKAGE, 'template');

interface Manifest {
  name: string;
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

export const init: Command = {
  name: 'init',
  summary: 'Writes a small TypeScript project: a gateway, a session, a call, a link, and tests',
  parameters: ['[folder]'],
  options: {
    name: { value: '<name>', description: "The project's name in its package.json. Default: the folder's name" },
  },
  examples: ['npx proxy-execute init my-app', 'npx proxy-execute init . --name my-app'],
  async run(given, terminal) {
    const [folder = '.'] = given.parameters;
    const manifest: Manifest = JSON.parse(readFileSync(join(TEMPLATE, 'package.json'), 'utf8'));
    manifest.name = given.text('name') ?? basename(resolve(folder));
    checkName(manifest, given.text('name') === undefined);
    const version = ownVersion();
    manifest.dependencies['proxy-execute'] = version;

    const files = new Map(readTemplate());
    files.set('package.json', `${JSON.stringify(manifest, undefined, 2)}\n`);
    files.set('.env', environment(files.get('.env.example') ?? ''));
    write(folder, files);

    const names = [...files.keys()].toSorted();
    terminal.result({ folder: resolve(folder), name: manifest.name, files: names, proxyExecute: version }, () => [
      `The project ${terminal.styled('bold', manifest.name)} has ${names.length} files: ${names.join(', ')}.`,
      '`.env` has the encryption key of its store. Keep the key: without it the credentials in the store are lost.',
      ...(version.startsWith('file:')
        ? [`It depends on ${version.slice('file:'.length)}, because this package was not installed from a registry.`]
        : []),
      '',
      'Next:',
      ...(resolve(folder) === process.cwd() ? [] : [`  cd ${argument(folder)}`]),
      '  npm install',
      '  npm start    # makes a call, and prints a link that connects an account',
      '  npm test',
    ]);
    return 0;
  },
};

/** A name that npm accepts. */
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const LONGEST_NAME = 214;

function checkName({ name, dependencies, devDependencies }: Manifest, isOfFolder: boolean): void {
  const taken = ['node_modules', 'favicon.ico', ...Object.keys({ ...dependencies, ...devDependencies })];
  if (name.length <= LONGEST_NAME && NAME.test(name) && !taken.includes(name)) return;
  const rule = taken.includes(name)
    ? 'it has another meaning for npm'
    : `a name has up to ${LONGEST_NAME} lower-case letters, digits, hyphens, dots and underscores, and begins with no dot or underscore`;
  throw new UsageError(
    isOfFolder
      ? `The folder's name \`${quoted(name)}\` cannot be the name of a package: ${rule}. Choose one with --name <name>.`
      : `--name: \`${quoted(name)}\` cannot be the name of a package: ${rule}.`,
  );
}

/** The files of the template by their paths in a project. A leading `_` stands for a dot: npm would obey a `.gitignore`. */
function readTemplate(): [path: string, content: string][] {
  return readdirSync(TEMPLATE, { recursive: true })
    .map(String)
    .filter((path) => statSync(join(TEMPLATE, path)).isFile())
    .map((path) => [path.replace(/^_/, '.'), readFileSync(join(TEMPLATE, path), 'utf8')]);
}

/** `.env`, which is `.env.example` with a new key. */
function environment(example: string): string {
  const [note = '', ...variables] = example.split('\n\n');
  if (!note.startsWith('#')) throw new Error('.env.example begins with no comment');
  return variables.join('\n\n').replace(/^PROXY_EXECUTE_ENCRYPTION_KEY=$/m, `$&${randomBytes(32).toString('hex')}`);
}

/**
 * The version of this package for a package.json. A package that was not installed from a registry, such as a clone or a
 * packed file, may be in none, and is named by its path.
 */
function ownVersion(): string {
  const modules = dirname(PACKAGE);
  if (basename(modules) !== 'node_modules') return `file:${slashes(PACKAGE)}`;
  const resolved = npmLock(modules)?.packages?.[`node_modules/${basename(PACKAGE)}`]?.resolved;
  if (resolved?.startsWith('file:'))
    return `file:${slashes(resolve(dirname(modules), resolved.slice('file:'.length)))}`;
  return `^${JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')).version}`;
}

/** npm's record of the packages in a folder. Other package managers have no such file. */
function npmLock(modules: string): { packages?: Record<string, { resolved?: string }> } | undefined {
  const file = join(modules, '.package-lock.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function slashes(path: string): string {
  return path.replaceAll('\\', '/');
}

/** Writes new files. If a file exists, or the folder cannot be written to, it writes none. */
function write(folder: string, files: ReadonlyMap<string, string>): void {
  const existing = [...files.keys()].filter((path) => exists(join(folder, path))).toSorted();
  if (existing.length > 0) {
    const list = new Intl.ListFormat('en').format(existing);
    throw new UsageError(
      `${shown(folder)} already has ${list}. \`init\` overwrites no file: choose another folder, or move them.`,
    );
  }
  const folders = [folder, ...new Set([...files.keys()].map((path) => join(folder, dirname(path))))];
  try {
    for (const path of folders) makeFolder(path);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${shown(folder)} cannot be written to (${code}): choose another folder.`);
  }
  for (const [path, content] of files) {
    writeFileSync(join(folder, path), content, { flag: 'wx', mode: path === '.env' ? 0o600 : 0o666 });
  }
}

/** Whether there is such a file, even if it is a link that leads nowhere. */
function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Makes a folder in existing or new folders. The recursive `mkdir` of Node.js never returns in `/proc`. */
function makeFolder(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  if (!existsSync(dirname(path))) makeFolder(dirname(path));
  mkdirSync(path);
}

function shown(folder: string): string {
  return `The folder ${quoted(folder)}`;
}

/** A path as an argument of a shell. */
function argument(path: string): string {
  return /^[\w./\\:@~+-]+$/.test(path) ? path : JSON.stringify(printable(path));
}
