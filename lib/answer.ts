// Responses of a backend are checked against their documented form before any part is used.

import { APIConnectionError } from './errors';
import { below, kindOf } from './validate';

/**
 * The form that a value must have: a type, a list, or an object with at least these fields. A name that ends with `?` is
 * of a field that may be absent or null.
 */
export type Form = 'string' | 'number' | 'boolean' | readonly [Form] | { readonly [name: string]: Form };

/** Reads a response in JSON. A response in another form is an error that names the field. */
export function readAnswer<T>(text: string, form: Form): T {
  const answer = parseAnswer(text, "The backend's response is not JSON.");
  const wrong = findWrong(answer, form, '');
  if (wrong !== undefined) throw invalidAnswer(`The backend's response is not in the documented form: ${wrong}.`);
  return answer as T;
}

/** Reads JSON. */
export function parseAnswer(text: string, unlessJson: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidAnswer(unlessJson, cause);
  }
}

/** The error of an unusable response. */
export function invalidAnswer(message: string, cause?: unknown): APIConnectionError {
  return new APIConnectionError(message, {
    slug: 'InvalidAnswer',
    suggestedFix: 'Check that `baseURL` is that of a backend, and that no proxy on the way changes its responses.',
    cause,
  });
}

/** An object that is no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value has a form. */
export function fits<T>(value: unknown, form: Form): value is T {
  return findWrong(value, form, '') === undefined;
}

function findWrong(value: unknown, form: Form, path: string): string | undefined {
  const mustBe = (what: string) => `${path === '' ? 'it' : `\`${path}\``} is ${kindOf(value)}, and must be ${what}`;
  if (typeof form === 'string') return typeof value === form ? undefined : mustBe(`a ${form}`);
  if (Array.isArray(form)) {
    if (!Array.isArray(value)) return mustBe('an array');
    for (const [index, item] of value.entries()) {
      const wrong = findWrong(item, form[0], `${path}[${index}]`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (!isRecord(value)) return mustBe('an object');
  for (const [key, inner] of Object.entries(form)) {
    const name = key.replace(/\?$/, '');
    const field = value[name];
    if (name !== key && (field === undefined || field === null)) continue;
    const wrong = findWrong(field, inner, below(path, name));
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
