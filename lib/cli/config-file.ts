// The configuration file: options that every command reads, so that they are said once.

import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { answerOf, completions, native } from '../native';
import { quoted } from '../quoted';
import { suggest } from '../validate';
import { checkWhole, GLOBAL_OPTIONS, type Option, type Options, UsageError, type Values } from './command';

const VARIABLE = 'PROXY_EXECUTE_CONFIG';

/** The file in the current folder, which is used if it exists. */
const DEFAULT = './proxy-execute.toml';

/**
 * Reads the options of the configuration file.
 *
 * @param given The path on the command line. Otherwise the environment or the current folder may have a file.
 * @param ofServe The options of `serve`. A file may have these, and those of every command.
 */
export async function readConfigFile(given: string | undefined, ofServe: Options): Promise<Values> {
  const file = given ?? (process.env[VARIABLE] || (existsSync(DEFAULT) ? DEFAULT : undefined));
  if (file === undefined) return new Map();
  const text = await answerOf(() => native.readConfig(file, completions()));
  const options = Object.fromEntries(
    Object.entries({ ...GLOBAL_OPTIONS, ...ofServe }).filter(([, { oneRun }]) => !oneRun),
  );
  const values = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries<boolean | string[]>(JSON.parse(text))) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) {
      throw new UsageError(`${file}: There is no option ${quoted(name)}: ${suggest(name, Object.keys(options))}`);
    }
    const texts = read(`${file}: ${name}`, value, option);
    if (texts.length > 0) values.set(name, option.path ? texts.map((path) => besideFile(file, path)) : texts);
  }
  return values;
}

function read(shown: string, value: boolean | string[], option: Option): readonly string[] {
  if (option.value === undefined) {
    if (typeof value !== 'boolean') throw new UsageError(`${shown} is true or false.`);
    return value ? [''] : [];
  }
  if (typeof value === 'boolean') throw new UsageError(`${shown} needs a value: ${option.value}.`);
  if (!option.many && value.length !== 1) throw new UsageError(`${shown} has one value.`);
  if (option.whole) for (const text of value) checkWhole(shown, text, option);
  return value;
}

/** A path of the file, which is relative to it. A URL or a store in memory is none. */
function besideFile(file: string, path: string): string {
  return isAbsolute(path) || path.includes('://') || path === ':memory:' ? path : join(dirname(file), path);
}
