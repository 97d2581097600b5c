// The commands' type, and the parser of their arguments.

import { parseArgs } from 'node:util';
import type { GatewayOptions } from '../gateway-options';
import { quoted } from '../quoted';
import { suggest } from '../validate';
import type { Terminal } from './terminal';

/** Something to be done, by its name on the command line. */
export interface Command {
  /** One word, or two as in `keys create`. */
  name: string;
  /** A sentence about its effect. */
  summary: string;
  /** Its parameters without a name, in order; a parameter in brackets is optional. */
  parameters: readonly string[];
  /** Its options, beside the {@link GLOBAL_OPTIONS}. */
  options: Options;
  /** Command lines, without the program's name. */
  examples: readonly string[];
  /** Does it, and returns the exit code. */
  run(given: Given, terminal: Terminal): Promise<number>;
}

/** An option by its name, which is written with two hyphens. */
export type Options = Readonly<Record<string, Option>>;

/** An option. */
export interface Option {
  /** A description for the user of the command. */
  description: string;
  /** The placeholder of its value; an option without one is a flag. */
  value?: string;
  /** Whether its value is a whole number. */
  whole?: boolean;
  /** The least that the number may be, if it is more than 0. */
  least?: number;
  /** Upper limit for the number. */
  most?: number;
  /** The factor to the unit of the gateway, such as 1 000 for a time in seconds. */
  unit?: number;
  /** The wire name of the option of the gateway that has this number, if the option is a plain number. */
  sets?: string;
  /** Whether it may be repeated. */
  many?: boolean;
  /** Whether it is required. */
  required?: boolean;
  /** Whether its value is a path, which in a configuration file is relative to that file. */
  path?: boolean;
  /** Whether it belongs to one run of a command, so that no configuration file has it. */
  oneRun?: boolean;
}

/** The options of every command. */
export const GLOBAL_OPTIONS: Options = {
  config: {
    value: '<file>',
    oneRun: true,
    description:
      'A TOML file with options that are not given here. Default: the variable PROXY_EXECUTE_CONFIG, or ' +
      './proxy-execute.toml if it exists',
  },
  store: {
    value: '<file>',
    path: true,
    description: 'The store, or the URL of a database. Default: PROXY_EXECUTE_STORE, or ./proxy-execute.db',
  },
  'encryption-key-file': {
    value: '<file>',
    path: true,
    description:
      'A file with the key of the store. Default: PROXY_EXECUTE_ENCRYPTION_KEY of the environment or of .env',
  },
  'encryption-key-command': { value: '<command>', description: 'A command that prints the key, instead of a file' },
  toolkit: {
    value: '<path>',
    many: true,
    path: true,
    description: 'A TOML file, or a folder of them, with toolkits of your own',
  },
  json: { oneRun: true, description: 'Print JSON' },
  help: { oneRun: true, description: 'Show this help' },
};

/** The options that open private hosts, for the commands that make calls. */
export const ALLOW_PRIVATE: Readonly<Record<string, Option>> = {
  'allow-private-host': {
    value: '<host>',
    many: true,
    description:
      'A host, such as 127.0.0.1:8080, that may have a private address and no TLS, for toolkits whose ' +
      'definitions name it; github=git.example.com is for all accounts of a toolkit',
  },
  'allow-private-redirect': {
    value: '<host>',
    many: true,
    description: 'Such a host to which APIs may redirect from another origin',
  },
  'allow-private-body': {
    value: '<host>',
    many: true,
    description: 'Such a host from which the URL of a body may be fetched',
  },
  'allow-private-webhook': {
    value: '<host>',
    many: true,
    description: 'Such a host to which webhooks may be sent',
  },
};

/** The private hosts that the command line opens, as options of a gateway. */
export function privateHosts(
  given: Given,
): Pick<GatewayOptions, 'allowPrivateHosts' | 'allowPrivateRedirects' | 'allowPrivateBodies' | 'allowPrivateWebhooks'> {
  return {
    allowPrivateHosts: given.texts('allow-private-host'),
    allowPrivateRedirects: given.texts('allow-private-redirect'),
    allowPrivateBodies: given.texts('allow-private-body'),
    allowPrivateWebhooks: given.texts('allow-private-webhook'),
  };
}

/** The command line cannot be understood. */
export class UsageError extends Error {}

/** The arguments of a command, and what a configuration file adds. */
export interface Given {
  /** The command's name. */
  command: string;
  /** Without a name, in order. */
  parameters: readonly string[];
  /** The value of an option. */
  text(name: string): string | undefined;
  /** The value of an option that is a whole number, in its unit. */
  whole(name: string): number | undefined;
  /** The values of an option that may be repeated. */
  texts(name: string): readonly string[];
  /** The values of an option whose values are paths in this command. */
  paths(name: string): readonly string[];
  /** Whether a flag is there. */
  flag(name: string): boolean;
  /** Whether the command line itself has an option. */
  isWritten(name: string): boolean;
}

/** The values of options by their names. A flag has one empty value. */
export type Values = ReadonlyMap<string, readonly string[]>;

/** A command line that was read, before a configuration file adds options. */
export interface CommandLine {
  parameters: readonly string[];
  values: Values;
}

type Form = Pick<Command, 'name' | 'parameters' | 'options'>;

/**
 * Reads the arguments of a command. A message names options, but shows no value: it may be a secret
 * that was put into the wrong place.
 */
export function parse(command: Form, args: readonly string[]): CommandLine {
  const options = { ...GLOBAL_OPTIONS, ...command.options };
  const { tokens } = parseArgs({
    args: [...args],
    allowPositionals: true,
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value }]) => [name, { type: value ? 'string' : 'boolean' }] as const),
    ),
  });
  const parameters: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') parameters.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) {
      throw new UsageError(`There is no option ${quoted(token.rawName)}: ${suggestOption(token.name, options)}`);
    }
    values.set(token.name, [...(values.get(token.name) ?? []), readValue(token, option)]);
    if (!option.many && values.get(token.name)?.length !== 1) throw new UsageError(`--${token.name} appears twice.`);
  }
  checkParameters(command, parameters);
  return { parameters, values };
}

/** The arguments of a command. Options that the command line does not have come from the configuration file. */
export function complete(command: Form, line: CommandLine, config: Values): Given {
  const options = { ...GLOBAL_OPTIONS, ...command.options };
  const ofCommand = [...config].filter(([name]) => Object.hasOwn(options, name) && !options[name]?.oneRun);
  const values: Values = new Map([...ofCommand, ...line.values]);
  for (const [name, { required }] of Object.entries(options)) {
    if (required && !values.has(name)) throw new UsageError(`--${name} is missing.`);
  }
  return {
    command: command.name,
    parameters: line.parameters,
    text: (name) => values.get(name)?.[0],
    whole: (name) => (values.has(name) ? Number(values.get(name)?.[0]) * (options[name]?.unit ?? 1) : undefined),
    texts: (name) => values.get(name) ?? [],
    paths: (name) => (options[name]?.path ? (values.get(name) ?? []) : []),
    flag: (name) => values.has(name),
    isWritten: (name) => line.values.has(name),
  };
}

function suggestOption(name: string, options: Options): string {
  return suggest(
    `--${name}`,
    Object.keys(options).map((known) => `--${known}`),
  );
}

function readValue(token: { rawName: string; value?: string; inlineValue?: boolean }, option: Option): string {
  const { rawName, value, inlineValue } = token;
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value.`);
    return '';
  }
  if (value === undefined || value === '') throw new UsageError(`${rawName} needs a value: ${option.value}.`);
  // Probably the next option, after a value that was forgotten.
  if (!inlineValue && value.length > 1 && value.startsWith('-')) {
    throw new UsageError(`${rawName} needs a value. Write ${rawName}=… if the value begins with a hyphen.`);
  }
  if (option.whole) checkWhole(rawName, value, option);
  return value;
}

/** Checks a whole number. */
export function checkWhole(rawName: string, value: string, { least = 0, most, unit = 1 }: Option): void {
  const atLeast = least > 0 ? ` of at least ${least}` : '';
  const range = most === undefined ? atLeast : ` from ${least} to ${most}`;
  if (!/^\d+$/.test(value) || Number(value) < least || Number(value) > (most ?? Number.POSITIVE_INFINITY)) {
    throw new UsageError(`${rawName} must be a whole number${range}.`);
  }
  if (Number(value) * unit > Number.MAX_SAFE_INTEGER) throw new UsageError(`${rawName} is too large.`);
}

function checkParameters({ name, parameters }: Pick<Command, 'name' | 'parameters'>, given: readonly string[]): void {
  const missing = parameters.filter((parameter) => !parameter.startsWith('['))[given.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing: proxy-execute ${usageOf(name, parameters)}.`);
  if (given.length <= parameters.length) return;
  const takes = parameters.length === 0 ? 'none' : parameters.join(' ');
  throw new UsageError(
    `There are too many arguments: \`${name}\` takes ${takes}. A secret is never an argument; the command asks for it.`,
  );
}

/** A command with its parameters. */
export function usageOf(name: string, parameters: readonly string[]): string {
  return [name, ...parameters].join(' ');
}

/** Splits `name=value` at its first separator. */
export function pair(text: string, separator: string, option: string): [name: string, value: string] {
  const at = text.indexOf(separator);
  const name = text.slice(0, Math.max(at, 0)).trim();
  if (name === '') throw new UsageError(`${option} is written ${option} name${separator}value.`);
  return [name, text.slice(at + 1).trimStart()];
}
