// The checks that every argument passes before anything is sent.
//
// A check names the field and says what to do. Values are shown only where they are one of a few
// names; everything else may be a secret.

import { invalid, type Problem } from './errors';
import { quoted } from './quoted';

/** The most characters of a text that has no limit of its own. These limits are those of `docs/limits.md`. */
const LONGEST_TEXT = 64 * 1024;
/** The most characters of a toolkit's slug, of a user's id, and of a name. */
export const LONGEST_SLUG = 100;
export const LONGEST_USER_ID = 1024;
export const LONGEST_NAME = 256;
/** The most entries of a list or map. */
export const MOST_LISTED = 1000;
/** The most sentences of one error. */
const MOST_SENTENCES = 20;

/** Collects the problems of one call's arguments, and throws all of them at once. */
export class Check {
  readonly #what: string;
  readonly #problems: Problem[] = [];
  #more = 0;

  constructor(what: string) {
    this.#what = what;
  }

  /** Notes that a field is wrong: `fact` is the sentence that begins with the field. */
  wrong(field: string, fact: string): void {
    this.add(`\`${field}\` ${fact}`, field);
  }

  /** Notes that something is wrong, in a sentence, and in which field where it is one. */
  add(sentence: string, field?: string): void {
    if (this.#problems.length < MOST_SENTENCES) this.#problems.push({ sentence, field });
    else this.#more += 1;
  }

  /** Throws what has been noted. */
  done(): void {
    if (this.#more > 0) this.#problems.push({ sentence: `There are ${this.#more} more problems.` });
    if (this.#problems.length > 0) throw invalid(this.#what, this.#problems);
  }

  /** An object that has none but the known keys. `meant` has hints for keys whose likeness would not tell. */
  object(
    value: unknown,
    path: string,
    known: readonly string[],
    meant?: ReadonlyMap<string, string>,
  ): value is Record<string, unknown> {
    if (!this.record(value, path)) return false;
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      // A suggestion costs more than a look at the key, so none is sought for a sentence that is not kept.
      if (this.#problems.length === MOST_SENTENCES) this.#more += 1;
      else this.add(`Unknown key \`${below(path, key)}\`: ${meant?.get(key) ?? suggest(key, known)}`, below(path, key));
    }
    return true;
  }

  /** An object with any keys. */
  record(value: unknown, path: string): value is Record<string, unknown> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return true;
    const fact = `must be an object, but is ${kindOf(value)}.`;
    if (path === '') this.add(`The argument ${fact}`);
    else this.wrong(path, fact);
    return false;
  }

  /** A string that is not empty. */
  text(value: unknown, path: string, purpose = '', longest = LONGEST_TEXT): value is string {
    if (typeof value === 'string' && value !== '') {
      return this.atMost(value.length, longest, 'characters', path) && this.wellFormed(value, path);
    }
    const what = value === undefined ? 'is missing' : `must be a non-empty string, but is ${kindOf(value)}`;
    this.wrong(path, `${what}${purpose && `: ${purpose}`}.`);
    return false;
  }

  /** A size within its limit. */
  atMost(size: number, most: number, unit: string, path: string): boolean {
    if (size <= most) return true;
    this.wrong(path, `has ${size} ${unit}, and may have ${most}.`);
    return false;
  }

  /** A string without lone surrogates, which no other part of a request but `body` can carry. */
  wellFormed(value: string, path: string): boolean {
    if (value.isWellFormed()) return true;
    this.wrong(path, `has half of a surrogate pair in it: a character, such as an emoji, was cut in two.`);
    return false;
  }

  /** An object of fields, of which the texts are well-formed. */
  fields(value: unknown, path: string): void {
    if (!this.record(value, path)) return;
    for (const [key, field] of Object.entries(value)) {
      if (typeof field === 'string') this.wellFormed(field, below(path, key));
    }
  }

  /** A string that is not empty, or nothing. */
  optionalText(value: unknown, path: string, longest?: number): value is string | undefined {
    return value === undefined || this.text(value, path, '', longest);
  }

  /** A list of strings that are not empty. */
  texts(value: unknown, path: string): value is string[] {
    if (!this.list(value, path) || !this.atMost(value.length, MOST_LISTED, 'entries', path)) return false;
    return value.map((item, index) => this.text(item, `${path}[${index}]`)).every(Boolean);
  }

  /** A list. */
  list(value: unknown, path: string): value is unknown[] {
    if (Array.isArray(value)) return true;
    this.wrong(path, `must be an array, but is ${kindOf(value)}.`);
    return false;
  }

  /** An object whose keys are names of the caller's, such as slugs. */
  map(value: unknown, path: string): value is Record<string, unknown> {
    return this.record(value, path) && this.atMost(Object.keys(value).length, MOST_LISTED, 'entries', path);
  }

  /** True, false, or nothing. */
  optionalFlag(value: unknown, path: string): value is boolean | undefined {
    return value === undefined || this.flag(value, path);
  }

  /** True or false. */
  flag(value: unknown, path: string): value is boolean {
    if (typeof value === 'boolean') return true;
    this.wrong(path, `must be true or false, but is ${kindOf(value)}.`);
    return false;
  }

  /** A duration in milliseconds, or nothing. */
  optionalTimeout(value: unknown, path: string): value is number | undefined {
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value) && value > 0)) return true;
    const is = typeof value === 'number' ? String(value) : kindOf(value);
    this.wrong(path, `must be a number of milliseconds above 0, but is ${is}.`);
    return false;
  }

  /** An AbortSignal, or nothing. */
  optionalSignal(value: unknown, path: string): void {
    // By what it can do, because a signal of another realm is no instance of this one's class.
    const { aborted, addEventListener, removeEventListener } = Object(value);
    const listens = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
    if (value === undefined || (typeof aborted === 'boolean' && listens)) return;
    const pass = 'pass the `signal` of an AbortController';
    this.wrong(path, `must be an AbortSignal, but is ${kindOf(value)}: ${pass}.`);
  }

  /** A whole number of at least `least`, or nothing. */
  optionalWhole(value: unknown, path: string, least: number, most = Number.MAX_SAFE_INTEGER): void {
    if (value === undefined) return;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    const is = typeof value === 'number' ? String(value) : kindOf(value);
    this.wrong(path, `must be a whole number ${range}, but is ${is}.`);
  }

  /** One of a few names. */
  oneOf(value: unknown, path: string, names: readonly string[]): value is string {
    if (typeof value === 'string' && names.includes(value)) return true;
    const what =
      value === undefined
        ? 'is missing'
        : `cannot be ${typeof value === 'string' ? `'${quoted(value)}'` : kindOf(value)}`;
    this.wrong(path, `${what}: use ${names.map((name) => `'${name}'`).join(' or ')}.`);
    return false;
  }

  /** The name of a header: no character in it can end the name. */
  headerName(name: string, path: string): void {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return;
    this.wrong(path, `is not the name of a header: use letters, digits and hyphens only.`);
  }

  /** The value of a header: no character in it can end the header and begin another. */
  headerValue(value: string, path: string): void {
    // Tab is the one control character that a header may hold.
    if (!/[^\P{Cc}\t]/u.test(value)) return;
    this.wrong(path, `has a line break or another control character in it, which a header cannot hold.`);
  }
}

/** The options of every call. */
export interface CallOptions {
  /**
   * Aborts the call, at every stage. The promise is rejected with the signal's `reason`, and the
   * request is cancelled.
   */
  signal?: AbortSignal;
  /**
   * Time for the whole call in milliseconds, retries and response body included.
   * Default: the `timeout` of the {@link Composio} object.
   */
  timeout?: number;
}

/** The names of the options of every call. */
export const CALL_OPTIONS = ['signal', 'timeout'];

/** Checks the options of a call. */
export function callOptions(options: unknown): CallOptions {
  if (options === undefined) return {};
  const check = new Check('call options');
  if (check.object(options, '', CALL_OPTIONS)) checkLimits(check, options);
  check.done();
  return options as CallOptions;
}

/** Checks the signal and the timeout of a call. */
export function checkLimits(check: Check, { signal, timeout }: Record<string, unknown>): void {
  check.optionalTimeout(timeout, 'timeout');
  check.optionalSignal(signal, 'signal');
}

/** Checks an id. */
export function id(value: unknown, path: string): asserts value is string {
  const check = new Check('argument');
  check.text(value, path);
  check.done();
}

/** The kind of a value, without the value. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return String(value);
  if (value === '') return 'empty';
  if (typeof value === 'bigint') return 'a BigInt';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? 'object';
  if (name === 'Object') return 'an object';
  return `${/^[AEIO]/i.test(name) ? 'an' : 'a'} ${quoted(String(name))}`;
}

/** The name of something inside of something, as it is quoted. */
export function below(path: string, key: string): string {
  return path === '' ? quoted(key) : `${path}.${quoted(key)}`;
}

/** The name that was probably meant, or all that there are. */
export function suggest(key: string, known: readonly string[]): string {
  const longest = Math.max(...known.map((name) => name.length));
  // Underscores do not count; no other key that is so much longer is like one of them.
  const plain = key.length <= 2 * longest + 2 ? key.toLowerCase().replaceAll('_', '') : key;
  const candidates = plain.length <= longest + 2 ? known : [];
  const [nearest] = candidates
    .map((name) => ({ name, distance: editDistance(plain, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  if (nearest && nearest.distance <= Math.ceil(nearest.name.length / 3)) return `did you mean \`${nearest.name}\`?`;
  return `the known ones are ${known.map((name) => `\`${name}\``).join(', ')}.`;
}

/** How many characters have to be inserted, removed or replaced to make one string the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, char] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] as number) + (char === to[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
