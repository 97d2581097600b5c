// The command `proxy-execute`: which command is meant, and how it ends.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ComposioError } from '../errors';
import { quoted } from '../quoted';
import { suggest } from '../validate';
import { type Command, complete, type Given, GLOBAL_OPTIONS, parse, UsageError } from './command';
import { accounts } from './commands/accounts';
import { audit } from './commands/audit';
import { authConfigs } from './commands/auth-configs';
import { call } from './commands/call';
import { calls } from './commands/calls';
import { connect } from './commands/connect';
import { encryptionKey } from './commands/encryption-key';
import { init } from './commands/init';
import { keys } from './commands/keys';
import { migrate } from './commands/migrate';
import { serve } from './commands/serve';
import { store } from './commands/store';
import { toolkits } from './commands/toolkits';
import { users } from './commands/users';
import { readConfigFile } from './config-file';
import { commandHelp, programHelp } from './help';
import { Terminal } from './terminal';
import { inWords, isMistake } from './words';

const COMMANDS: readonly Command[] = [
  serve,
  ...keys,
  connect,
  ...accounts,
  ...authConfigs,
  ...users,
  call,
  ...toolkits,
  calls,
  ...audit,
  ...migrate,
  ...store,
  encryptionKey,
  init,
];

/** Runs a command line, and returns the exit code: 0 done, 1 failed, 2 not understood. */
export async function main(args: readonly string[]): Promise<number> {
  // The reader of the output may close it early, as `head` does.
  process.stdout.on('error', () => process.exit(0));
  const terminal = new Terminal(args.includes('--json'));
  let given: Given | undefined;
  try {
    const { words, rest } = split(args);
    if (words.length === 0 && rest.includes('--version')) {
      process.stdout.write(`${version()}\n`);
      return 0;
    }
    if (words[0] === 'help' || rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(helpOn(words[0] === 'help' ? words.slice(1) : words));
      return 0;
    }
    if (words.length === 0) {
      // Throws if an option is invalid.
      parse({ name: '', parameters: [], options: {} }, rest);
      if (terminal.json) throw new UsageError('There is no command. See proxy-execute --help.');
      process.stderr.write(programHelp(COMMANDS));
      return 2;
    }
    const command = find(words);
    const parameters = words.slice(command.name.split(' ').length);
    const line = parse(command, [...parameters, ...rest]);
    given = complete(command, line, await readConfigFile(line.values.get('config')?.[0], serve.options));
    return await command.run(given, terminal);
  } catch (error) {
    tell(terminal, given === undefined ? error : inWords(error, given));
    return isMistake(error) ? 2 : 1;
  }
}

/** The leading words, of which the first ones are the command, and the rest. Global options may be among them. */
function split(args: readonly string[]): { words: string[]; rest: string[] } {
  const words: string[] = [];
  const among: string[] = [];
  let index = 0;
  for (; index < args.length; index++) {
    const arg = args[index] as string;
    const [name = '', inline] = arg.slice(2).split('=');
    if (!arg.startsWith('-')) words.push(arg);
    else if (words.length > 0 && !Object.hasOwn(GLOBAL_OPTIONS, name)) break;
    else {
      among.push(arg);
      if (GLOBAL_OPTIONS[name]?.value && inline === undefined) among.push(...args.slice(++index, index + 1));
    }
  }
  return { words, rest: [...among, ...args.slice(index)] };
}

/** Help on the program, on commands that share their first word, or on one. */
function helpOn(words: readonly string[]): string {
  if (words.length === 0) return programHelp(COMMANDS);
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `));
  return words.length === 1 && group.length > 0 ? programHelp(group) : commandHelp(find(words));
}

function find(words: readonly string[]): Command {
  const [first = '', second] = words;
  const command = COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
  if (command !== undefined) return command;
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) =>
    name.slice(first.length + 1),
  );
  if (group.length > 0) {
    const hint = second === undefined ? `the known ones are ${group.join(', ')}.` : suggest(second, group);
    throw new UsageError(`\`${first}\` needs a second word: ${hint}`);
  }
  const names = [...new Set(COMMANDS.map(({ name }) => name.split(' ')[0] as string))];
  throw new UsageError(`There is no command \`${quoted(first)}\`: ${suggest(first, names)} See proxy-execute --help.`);
}

/** A user gets the message of an error, which says what to do. A machine gets all of its fields. */
function tell(terminal: Terminal, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (!terminal.json) {
    terminal.note(`${terminal.styled('red', 'error:', process.stderr)} ${message}`);
    return;
  }
  const known = error instanceof ComposioError ? error : undefined;
  const { status, code, slug, requestId, suggestedFix } = known ?? ({} as Partial<ComposioError>);
  terminal.note(JSON.stringify({ error: { message, status, code, slug, requestId, suggestedFix } }));
}

function version(): string {
  return JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')).version;
}
