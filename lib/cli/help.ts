// The texts of `--help`.

import { type Command, GLOBAL_OPTIONS, type Options, usageOf } from './command';

/** The parts of a program's help, beside its commands. */
export interface Overview {
  /** A sentence about its purpose. */
  summary: string;
  /** The meaning of the exit code 0. */
  success: string;
  /** Command lines, in the order of a first use. */
  examples: readonly string[];
}

const PROXY_EXECUTE: Overview = {
  summary: 'Calls third-party APIs as your users, and stores their credentials.',
  success: 'Success. With `call`, the API responded with a status below 400.',
  examples: [
    'export PROXY_EXECUTE_ENCRYPTION_KEY=$(npx proxy-execute encryption-key)',
    'npx proxy-execute connect github --user ann',
    'npx proxy-execute call github GET /user --user ann',
    'npx proxy-execute serve',
  ],
};

/** The help of a program, with its commands. */
export function programHelp(commands: readonly Command[], overview = PROXY_EXECUTE): string {
  return `${overview.summary}

Usage: proxy-execute <command> [options]

Commands:
${columns(commands.map(({ name, parameters, summary }) => [usageOf(name, parameters), summary]))}

Options of every command:
${optionLines(GLOBAL_OPTIONS)}

Exit codes:
  0  ${overview.success}
  1  Failure.
  2  Invalid command line.

Examples:
${overview.examples.map((example) => `  $ ${example}`).join('\n')}

proxy-execute <command> --help shows the options of a command, --version that of the program.
`;
}

/** The help of a command: its effect, arguments and examples. */
export function commandHelp({ name, parameters, options, summary, examples }: Command): string {
  const required = Object.entries(options).filter(([, option]) => option.required);
  const usage = [usageOf(name, parameters), ...required.map(([option, { value }]) => `--${option} ${value}`)].join(' ');
  const own = Object.keys(options).length === 0 ? '' : `Options:\n${optionLines(options)}\n\n`;
  return `${summary}.

Usage: proxy-execute ${usage} [options]

${own}Options of every command:
${optionLines(GLOBAL_OPTIONS)}

Examples:
${examples.map((example) => `  $ ${example}`).join('\n')}
`;
}

function optionLines(options: Options): string {
  return columns(
    Object.entries(options).map(([name, { value, many, description }]) => [
      `--${name}${value ? ` ${value}` : ''}`,
      many ? `${description} (may be repeated)` : description,
    ]),
  );
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
