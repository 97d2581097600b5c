// The commands of the program without Node.js, as the table that crates/standalone is built from.
//
// `npm run types` writes the table. So both programs have the same options, bounds and help.

import { type Command, GLOBAL_OPTIONS, type Options } from './command';
import { accounts } from './commands/accounts';
import { audit } from './commands/audit';
import { authConfigs } from './commands/auth-configs';
import { calls } from './commands/calls';
import { encryptionKey } from './commands/encryption-key';
import { keys } from './commands/keys';
import { serve } from './commands/serve';
import { store } from './commands/store';
import { users } from './commands/users';
import { commandHelp, type Overview, programHelp } from './help';
import { FIELDS } from './words';

const COMMANDS: readonly Command[] = [
  serve,
  ...keys,
  ...accounts,
  ...authConfigs,
  ...users,
  calls,
  ...audit,
  ...store,
  encryptionKey,
];

const OVERVIEW: Overview = {
  summary: 'Serves the gateway, which calls third-party APIs as your users, and manages its store.',
  success: 'Success.',
  examples: [
    'export PROXY_EXECUTE_ENCRYPTION_KEY=$(proxy-execute encryption-key)',
    'proxy-execute serve',
    'proxy-execute keys create',
  ],
};

/** The commands, their options and helps, and the names of fields on the command line. */
export function standaloneTable(): object {
  const groups = new Set(COMMANDS.filter(({ name }) => name.includes(' ')).map(({ name }) => name.split(' ', 1)[0]));
  const inGroup = (group: string) => COMMANDS.filter(({ name }) => name.startsWith(`${group} `));
  return {
    help: named(programHelp(COMMANDS, OVERVIEW)),
    groups: Object.fromEntries([...groups].map((group = '') => [group, named(programHelp(inGroup(group), OVERVIEW))])),
    globals: forms(GLOBAL_OPTIONS),
    commands: COMMANDS.map((command) => ({
      name: command.name,
      parameters: command.parameters,
      options: forms(command.options),
      help: named(commandHelp(command)),
    })),
    fields: FIELDS,
  };
}

/** The options without their descriptions, which the helps have. */
function forms(options: Options): object[] {
  return Object.entries(options).map(([name, { description: _, ...form }]) => ({ name, ...form }));
}

/** A text with the name of that program, which reads no `.env`. */
function named(text: string): string {
  return text
    .replaceAll(/(?:npx )?proxy-execute(?= )/g, 'proxy-execute-gateway')
    .replaceAll(' of the environment or of .env', '');
}
