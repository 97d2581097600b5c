// The texts of `--help`.

import { type Command, GLOBAL_OPTIONS, type Options, usageOf } from './command';

/** The help of the program, with its commands. */
export function programHelp(commands: readonly Command[]): string {
  return `Calls third-party APIs as your users, and stores their credentials.

Usage: proxy-execute <command> [options]

Commands:
${columns(commands.map(({ name, parameters, summary }) => [usageOf(name, parameters), summary]))}

Options of every command:
${optionLines(GLOBAL_OPTIONS)}

Exit codes:
  0  Success. With \`call\`, the API responded with a status below 400.
  1  Failure.
  2  Invalid command line.

Examples:
  $ export PROXY_EXECUTE_ENCRYPTION_KEY=$(npx proxy-execute encryption-key)
  $ npx proxy-execute connect github --user ann
  $ npx proxy-execute call github GET /user --user ann
  $ npx proxy-execute serve

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
