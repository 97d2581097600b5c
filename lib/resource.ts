// Resources of a backend: sessions, accounts, auth configs, toolkits. Each request and response is JSON.

import { type Form, readAnswer } from './answer';
import type { BackendHandle } from './backend';
import { type APIError, ofRoute, ValidationError } from './errors';
import { answerOf } from './native';
import { type CallOptions, Check, callOptions } from './validate';

/** A request for a resource. */
export interface ResourceRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The segments of the path below the version. */
  path: readonly string[];
  /** Query values; undefined values are left out. */
  query?: Record<string, string | number | boolean | readonly string[] | undefined>;
  body?: object;
  /** The members that the response must have. */
  form?: Form;
  /** The classes of errors by status, where they are more special than those of the status. */
  errors?: Readonly<Record<number, typeof APIError>>;
}

/** Asks a backend for a resource. */
export type Ask = <T>(request: ResourceRequest, options?: CallOptions) => Promise<T>;

/** Makes the function that requests resources of a backend. */
export function askOn({ native, timeout: standard }: BackendHandle): Ask {
  return async ({ form = {}, errors = {}, ...request }, options) => {
    const { signal, timeout = standard } = callOptions(options);
    // As a segment of a path they would lead elsewhere.
    if (request.path.some((name) => name === '.' || name === '..')) {
      throw new ValidationError('argument', ['An id cannot consist of dots.']);
    }
    const text = JSON.stringify({ ...request, query: pairsOf(request.query) });
    const answer = await answerOf((cancel) => native.resource(text, timeout, cancel), signal).catch((error) => {
      throw ofRoute(error, errors);
    });
    return readAnswer(answer, form);
  };
}

/** A list is written as one value, with commas, as the hosted backend has it. */
function pairsOf(query: ResourceRequest['query'] = {}): [name: string, value: string][] {
  return Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
}

/** Where to begin in a list, and how much of it to read. */
export interface PageOptions {
  /** Upper limit for the number of items. */
  limit?: number;
  /** The `nextCursor` of the previous page. */
  cursor?: string;
}

/** A page of a list. */
export interface Page<T> {
  /** The items of the page. */
  items: T[];
  /** The `cursor` of the next page; null on the last page. */
  nextCursor: string | null;
  /** How many pages of this size there are. */
  totalPages: number;
  /** The number of this page, from 1. */
  currentPage: number;
  /** How many items there are on all pages. */
  totalItems: number;
}

/** A page, as it travels. */
export interface WirePage<T> {
  items: T[];
  next_cursor?: string | null;
  total_pages: number;
  current_page: number;
  total_items: number;
}

/** The form of a page. */
export function pageOf(item: Form): Form {
  const counts = { 'total_pages?': 'number', 'current_page?': 'number', 'total_items?': 'number' } as const;
  return { items: [item], 'next_cursor?': 'string', ...counts };
}

/** The page under the names of JavaScript. */
export function toPage<From, To>(page: WirePage<From>, toItem: (item: From) => To): Page<To> {
  return {
    items: page.items.map(toItem),
    nextCursor: page.next_cursor ?? null,
    totalPages: page.total_pages,
    currentPage: page.current_page,
    totalItems: page.total_items,
  };
}

/** Checks the fields of a request in which all are optional: texts, flags and the place in a list. */
export function checkFilter(
  what: string,
  filter: unknown,
  known: { texts?: readonly string[]; lists?: readonly string[]; flags?: readonly string[] },
  most = 1_000,
): void {
  const { texts = [], lists = [], flags = [] } = known;
  const check = new Check(what);
  if (check.object(filter, '', [...texts, ...lists, ...flags, 'limit', 'cursor'])) {
    for (const key of texts) check.optionalText(filter[key], key);
    for (const key of lists) if (filter[key] !== undefined) checkList(check, filter[key], key);
    for (const key of flags) check.optionalFlag(filter[key], key);
    check.optionalWhole(filter.limit, 'limit', 1, most);
    check.optionalText(filter.cursor, 'cursor');
  }
  check.done();
}

function checkList(check: Check, list: unknown, path: string): void {
  if (!check.texts(list, path)) return;
  for (const [index, text] of list.entries()) {
    if (text.includes(',')) check.wrong(`${path}[${index}]`, 'has a comma in it, which separates values in a query.');
  }
}
