// The pages of a list: how the next one is asked for, and where its items are.

import { createHash } from 'node:crypto';
import { isRecord } from './answer';
import { PageError } from './errors';
import type { ProxyOptions } from './proxy-options';
import type { ProxyExecuteRequest, ProxyExecuteResponse } from './proxy-request';
import { quoted } from './quoted';
import { checkRetry } from './retry';
import type { ToolkitFacts, ToolkitPagination } from './toolkit';
import { CALL_OPTIONS, type CallOptions, Check, checkLimits } from './validate';

/** A page of a list. */
export interface ProxyPage<T = unknown> {
  /** Its items. */
  items: T[];
  /** The response that they are from. */
  response: ProxyExecuteResponse;
  /** The cursor that the page was asked with; null for the first page. It asks for this page again. */
  cursor: string | null;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** The options of {@link Session.paginate}. `signal`, `timeout` and `retry` are of each page's call. */
export interface PaginateOptions extends ProxyOptions {
  /** The most items of all pages together. The last page is cut there. How many a page has is up to the request. */
  limit?: number;
  /** The JSON pointer of a page's items, such as `/channels`, where the toolkit's recipe has none or another. */
  items?: string;
  /** How the API gives pages. Default: the recipe of the toolkit. */
  pagination?: ToolkitPagination;
  /** Where to begin: the `cursor` or `nextCursor` of an earlier page. */
  cursor?: string;
}

/** The limits of pages, which are those of `docs/limits.md`. */
const LONGEST_NAME = 256;
const LONGEST_CURSOR = 32 * 1024;
const MOST_ATTRIBUTES = 10;
/** The cursors among which a repeated one is noticed. */
const MOST_SEEN = 10_000;

const KINDS: readonly string[] = ['link', 'cursor', 'offset', 'page'] satisfies ToolkitPagination['kind'][];
const RECIPE_KEYS = [
  ...['kind', 'docs', 'items', 'may_omit_items', 'more', 'link', 'link_attributes', 'cursor', 'cursor_header'],
  ...['query', 'body', 'start', 'total', 'total_pages'],
];
const OPTION_KEYS = [...CALL_OPTIONS, 'retry', 'limit', 'items', 'pagination', 'cursor'];

/** The calls of pages, and the facts that they need. */
export interface PageSource {
  call(request: ProxyExecuteRequest, options: ProxyOptions): Promise<ProxyExecuteResponse>;
  facts(toolkit: string, options: CallOptions): Promise<ToolkitFacts>;
}

/** Checks the options of {@link Session.paginate}. */
export function checkPaginate(options: unknown): void {
  const check = new Check('pagination options');
  if (check.object(options, '', OPTION_KEYS)) {
    const { limit, items, pagination, cursor } = options;
    checkLimits(check, options);
    checkRetry(check, options.retry);
    check.optionalWhole(limit, 'limit', 1);
    if (items !== undefined) checkPointer(check, items, 'items');
    if (pagination !== undefined) checkRecipe(check, pagination, 'pagination');
    check.optionalText(cursor, 'cursor', LONGEST_CURSOR);
  }
  check.done();
}

/** Checks a recipe by the rules of `cases/pagination-cases.json`. */
function checkRecipe(check: Check, recipe: unknown, path: string): recipe is ToolkitPagination {
  if (!check.object(recipe, path, RECIPE_KEYS)) return false;
  const { kind, link, cursor, cursor_header, query, body, start, may_omit_items, link_attributes } = recipe;
  if (!check.oneOf(kind, `${path}.kind`, KINDS)) return false;
  const isCounted = kind === 'offset' || kind === 'page';
  const allowed = {
    link: kind === 'link',
    link_attributes: kind === 'link' && link === undefined,
    cursor: kind === 'cursor',
    cursor_header: kind === 'cursor' && cursor === undefined,
    query: kind !== 'link',
    body: kind !== 'link',
    start: isCounted,
    total: kind === 'offset',
    total_pages: kind === 'page',
  };
  for (const [key, isAllowed] of Object.entries(allowed)) {
    if (recipe[key] !== undefined && !isAllowed) {
      check.wrong(`${path}.${key}`, 'does not go with the kind and the other keys.');
    }
  }
  if (kind === 'cursor' && cursor === undefined && cursor_header === undefined) {
    check.wrong(`${path}.cursor`, 'is missing: give its JSON pointer, or `cursor_header`.');
  }
  if (kind !== 'link' && query === undefined && body === undefined) {
    check.wrong(`${path}.query`, 'is missing: give the query key, or `body`.');
  }
  for (const key of ['items', 'more', 'link', 'cursor', 'body', 'total', 'total_pages']) {
    if (recipe[key] !== undefined) checkPointer(check, recipe[key], `${path}.${key}`, key === 'items');
  }
  check.optionalText(query, `${path}.query`, LONGEST_NAME);
  check.optionalText(recipe.docs, `${path}.docs`);
  if (check.optionalText(cursor_header, `${path}.cursor_header`, LONGEST_NAME) && cursor_header !== undefined) {
    check.headerName(cursor_header, `${path}.cursor_header`);
    if (cursor_header !== cursor_header.toLowerCase()) check.wrong(`${path}.cursor_header`, 'must be in lower case.');
  }
  check.optionalWhole(start, `${path}.start`, 0, 2 ** 32 - 1);
  check.optionalFlag(may_omit_items, `${path}.may_omit_items`);
  if (link_attributes !== undefined && check.record(link_attributes, `${path}.link_attributes`)) {
    const attributes = Object.entries(link_attributes);
    check.atMost(attributes.length, MOST_ATTRIBUTES, 'entries', `${path}.link_attributes`);
    for (const [name, value] of attributes) check.text(value, `${path}.link_attributes.${quoted(name)}`);
  }
  return true;
}

/** A JSON pointer (RFC 6901 §3). */
function checkPointer(check: Check, pointer: unknown, path: string, mayBeEmpty = true): void {
  if (pointer === '' && mayBeEmpty) return;
  if (!check.text(pointer, path, 'give a JSON pointer such as /meta/next', LONGEST_NAME)) return;
  if (/^(\/([^~/]|~[01])*)+$/.test(pointer)) return;
  check.wrong(path, `is not a JSON pointer such as /meta/next: it begins with a slash, and has ~ as ~0.`);
}

/** Asks for the pages of a list, one after the other. */
export async function* pagesOf<T>(
  source: PageSource,
  request: ProxyExecuteRequest,
  options: PaginateOptions,
): AsyncGenerator<ProxyPage<T>, void, undefined> {
  const { limit = Number.POSITIVE_INFINITY, signal, timeout, retry } = options;
  const recipe = await recipeOf(source, request, options);
  checkPlace(request, recipe, options.cursor);
  const seen = new Set<string>();
  let cursor = options.cursor ?? null;
  let left = limit;
  let before: string | undefined;
  for (;;) {
    remember(seen, cursor, request.toolkit);
    const page = cursor === null ? request : requestOf(request, recipe, cursor);
    const response = await source.call(page, { signal, timeout, retry });
    const place = { request, recipe, response, cursor };
    const all = itemsOf<T>(place);
    const nextCursor = nextOf(place, all.length);
    if (recipe.kind === 'offset' || recipe.kind === 'page') before = unlessSame(place, all, before);
    const items = all.length > left ? all.slice(0, left) : all;
    left -= items.length;
    yield { items, response, cursor, nextCursor };
    if (nextCursor === null || left === 0) return;
    cursor = nextCursor;
  }
}

/** A page with its response. */
interface Place {
  request: ProxyExecuteRequest;
  recipe: ToolkitPagination;
  response: ProxyExecuteResponse;
  cursor: string | null;
}

async function recipeOf(
  source: PageSource,
  { toolkit }: ProxyExecuteRequest,
  { pagination, items, cursor, signal, timeout }: PaginateOptions,
): Promise<ToolkitPagination> {
  const recipe = pagination ?? (await source.facts(toolkit, { signal, timeout })).pagination;
  if (recipe === undefined) {
    throw new PageError(`The toolkit \`${quoted(toolkit)}\` has no recipe for pages.`, {
      slug: 'NoPagination',
      suggestedFix: 'Pass `pagination`: how the API gives pages.',
      cursor: cursor ?? null,
    });
  }
  if (pagination === undefined) {
    const check = new Check('recipe of the toolkit');
    checkRecipe(check, recipe, 'pagination');
    check.done();
  }
  return items === undefined ? recipe : { ...recipe, items };
}

/** Checks that the recipe has a place for the cursor in this request. */
function checkPlace(
  { method, body, binaryBody, formData }: ProxyExecuteRequest,
  recipe: ToolkitPagination,
  cursor: string | undefined,
): void {
  const check = new Check('request of pages');
  const goesIntoBody = method === 'POST' && recipe.body !== undefined;
  if (method !== 'GET' && !goesIntoBody) {
    const how = recipe.body === undefined ? 'GET' : 'GET or POST';
    check.wrong('method', `is ${quoted(String(method))}, but this recipe asks for pages with ${how}.`);
  } else if (method === 'GET' && recipe.kind !== 'link' && recipe.query === undefined) {
    check.wrong('method', 'is GET, but this recipe has the cursor in the body of a POST.');
  }
  const hasOtherBody = binaryBody !== undefined || formData !== undefined;
  if (goesIntoBody && (hasOtherBody || !(body === undefined || body === null || isRecord(body)))) {
    check.wrong('body', 'must be an object, so that it can have the cursor in it.');
  }
  const isCounted = recipe.kind === 'offset' || recipe.kind === 'page';
  if (cursor !== undefined && isCounted && !isCount(cursor)) {
    check.wrong('cursor', 'must be a whole number for this recipe: pass the cursor of one of its pages.');
  }
  check.done();
}

/** The request of a page that is not the first. */
function requestOf(request: ProxyExecuteRequest, recipe: ToolkitPagination, cursor: string): ProxyExecuteRequest {
  if (recipe.kind === 'link') {
    const { query: _, parameters = [], ...others } = request;
    // The URL has the query of the first page in it.
    const headers = parameters.filter((parameter) => !isQuery(parameter));
    return { ...others, endpoint: resolved(cursor, request.endpoint), parameters: headers };
  }
  const isNumber = recipe.kind !== 'cursor';
  if (request.method === 'POST' && recipe.body !== undefined) {
    const value = isNumber ? Number(cursor) : cursor;
    return { ...request, body: withValue(request.body, segments(recipe.body), value) };
  }
  const name = recipe.query as string;
  const { [name]: _, ...query } = request.query ?? {};
  return {
    ...request,
    endpoint: withoutQuery(request.endpoint, name),
    parameters: request.parameters?.filter((parameter) => !(isQuery(parameter) && parameter.name === name)),
    query: { ...query, [name]: cursor },
  };
}

type Parameter = NonNullable<ProxyExecuteRequest['parameters']>[number];

function isQuery(parameter: Parameter): boolean {
  return ('in' in parameter ? parameter.in : parameter.type) === 'query';
}

/**
 * The endpoint that a link leads to. The gateway checks an absolute one like any endpoint. A relative one is resolved
 * (RFC 3986 §5) against the endpoint of the request, below a base URL that only the gateway knows.
 */
function resolved(link: string, endpoint: string): string {
  // The gateway refuses one that begins with two slashes, which may lead to another host.
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(link)) return link;
  if (/^[a-z][a-z0-9+.-]*:/i.test(endpoint)) return new URL(link, endpoint).href;
  const path = endpoint.replace(/[?#].*$/s, '');
  const [, linked = '', query = ''] = /^([^?]*)(.*)$/s.exec(link) ?? [];
  // Such a link has the path of the base URL in it, too.
  return linked === '' || linked.endsWith(path) ? path + query : link;
}

/** The endpoint without a key of its query. */
function withoutQuery(endpoint: string, name: string): string {
  const [, path = '', query, rest = ''] = /^([^?#]*)(?:\?([^#]*))?(.*)$/s.exec(endpoint) ?? [];
  if (query === undefined) return endpoint;
  const pairs = query.split('&').filter((pair) => !new URLSearchParams(pair).has(name));
  return `${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}${rest}`;
}

function segments(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The value at a JSON pointer; undefined if there is none. */
function at(value: unknown, pointer: string): unknown {
  let found = value;
  for (const key of segments(pointer)) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** A copy with a value at a place, and with objects on the way where there are none. */
function withValue(target: unknown, [key, ...keys]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const inner = withValue(at(target, `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`), keys, value);
  if (Array.isArray(target)) return target.map((item, index) => (String(index) === key ? inner : item));
  return { ...(isRecord(target) ? target : {}), [key]: inner };
}

function itemsOf<T>(place: Place): T[] {
  const { recipe, response } = place;
  const { status, data } = response;
  if (status < 200 || status > 299) {
    const suggestedFix = "`error.response` has the API's response. To go on later, pass `error.cursor` as `cursor`.";
    throw failure(place, 'PageFailed', `The API responded to a page with ${status}.`, { suggestedFix });
  }
  if (data === null) return [];
  const { items: pointer } = recipe;
  const found = pointer === undefined ? onlyList(data) : at(data, pointer);
  if (Array.isArray(found)) return found;
  if (recipe.may_omit_items && (found === undefined || found === null) && isRecord(data)) return [];
  if (pointer !== undefined) throw lost(place, pointer, 'the items');
  throw failure(place, 'PagePointer', 'The response has no list of items, or several of them.', {
    suggestedFix: 'Pass `items`: the JSON pointer of the items.',
  });
}

/** The response if it is a list, or its only member that is one. */
function onlyList(data: unknown): unknown {
  if (!isRecord(data)) return data;
  const lists = Object.values(data).filter(Array.isArray);
  return lists.length === 1 ? lists[0] : undefined;
}

function nextOf(place: Place, count: number): string | null {
  const { recipe, response } = place;
  const { data } = response;
  const more = recipe.more === undefined ? undefined : at(data, recipe.more);
  if (more === false) return null;
  const next = nextByKind(place, count);
  if (next === undefined || next === null || next === '') {
    if (more === true && recipe.kind === 'cursor')
      throw lost(place, recipe.cursor ?? recipe.cursor_header, 'the cursor');
    if (more === true && recipe.kind === 'link') throw lost(place, recipe.link ?? 'Link', 'the next link');
    return null;
  }
  if (typeof next !== 'string' && typeof next !== 'number') {
    throw lost(place, recipe.link ?? recipe.cursor, 'a text or a number');
  }
  const text = String(next);
  if (text.length > LONGEST_CURSOR) {
    throw failure(
      place,
      'PageCursor',
      `The next cursor has ${text.length} characters, and may have ${LONGEST_CURSOR}.`,
    );
  }
  return text;
}

function nextByKind({ request, recipe, response, cursor }: Place, count: number): unknown {
  const { data, headers } = response;
  switch (recipe.kind) {
    case 'link':
      return recipe.link === undefined ? nextLink(headers.link, recipe.link_attributes) : at(data, recipe.link);
    case 'cursor':
      return recipe.cursor === undefined ? headers[recipe.cursor_header as string] : at(data, recipe.cursor);
    case 'offset': {
      const next = beginning(request, recipe, cursor, 0) + count;
      const total = recipe.total === undefined ? undefined : at(data, recipe.total);
      const first = recipe.start ?? 0;
      return count === 0 || (isCount(total) && next - first >= Number(total)) ? null : next;
    }
    case 'page': {
      const next = beginning(request, recipe, cursor, 1) + 1;
      const pages = recipe.total_pages === undefined ? undefined : at(data, recipe.total_pages);
      const first = recipe.start ?? 1;
      return count === 0 || (isCount(pages) && next - first >= Number(pages)) ? null : next;
    }
  }
}

/** Whether a value is a number, or a text of one. */
function isCount(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && /^\d{1,15}$/.test(value));
}

/** The offset or the number of this page: that of the cursor, else that of the request, else that of the first page. */
function beginning(
  request: ProxyExecuteRequest,
  { query, body, start }: ToolkitPagination,
  cursor: string | null,
  standard: number,
): number {
  const inBody = request.method === 'POST' && body !== undefined;
  const own = inBody ? at(request.body, body) : query === undefined ? undefined : queryOf(request, query);
  const given = cursor ?? own;
  return isCount(given) ? Number(given) : (start ?? standard);
}

/** The value of a query key in a request; undefined if there is none. */
function queryOf({ endpoint, parameters = [], query }: ProxyExecuteRequest, name: string): unknown {
  const [, ofEndpoint = ''] = /\?([^#]*)/.exec(endpoint) ?? [];
  const parameter = parameters.find((parameter) => isQuery(parameter) && parameter.name === name);
  const own = query !== undefined && Object.hasOwn(query, name) ? query[name] : undefined;
  return own ?? parameter?.value ?? new URLSearchParams(ofEndpoint).get(name) ?? undefined;
}

/** A link of the header `Link` (RFC 8288 §3): its target, and the rest with its attributes. */
const LINK = /<([^<>]*)>((?:\s*;\s*[\w!#$%&'*+.^`|~-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const ATTRIBUTE = /;\s*([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;

/** The target of the link to the next page; undefined if there is none. */
function nextLink(header: string | undefined, wanted: Readonly<Record<string, string>> = {}): string | undefined {
  for (const [, target, rest = ''] of (header ?? '').matchAll(LINK)) {
    const attributes = new Map<string, string>();
    for (const [, name = '', quotedValue, value = ''] of rest.matchAll(ATTRIBUTE)) {
      const key = name.toLowerCase();
      // The first one counts (RFC 8288 §3.3).
      if (!attributes.has(key)) attributes.set(key, quotedValue?.replaceAll(/\\(.)/g, '$1') ?? value);
    }
    const relations = attributes.get('rel')?.toLowerCase().split(/\s+/) ?? [];
    const hasAll = Object.entries(wanted).every(([name, value]) => attributes.get(name.toLowerCase()) === value);
    if (relations.includes('next') && hasAll) return target;
  }
  return undefined;
}

/** Remembers the cursor of a page that is about to be asked for. One that comes again would lead to the same pages. */
function remember(seen: Set<string>, cursor: string | null, toolkit: string): void {
  if (cursor === null) return;
  const mark = createHash('sha256').update(cursor).digest('base64');
  if (seen.has(mark)) {
    throw new PageError(`The API of \`${quoted(toolkit)}\` gave a cursor that it gave before: its pages form a loop.`, {
      slug: 'PageLoop',
      suggestedFix: 'Check the recipe: the cursor may be ignored, or be in another place.',
      cursor,
    });
  }
  seen.add(mark);
  if (seen.size > MOST_SEEN) for (const oldest of seen) return void seen.delete(oldest);
}

/** The mark of a page's items, unless they are those of the page before: the API does not take the number then. */
function unlessSame(place: Place, items: readonly unknown[], before: string | undefined): string | undefined {
  if (items.length === 0) return undefined;
  const mark = createHash('sha256').update(JSON.stringify(items)).digest('base64');
  if (mark === before) {
    throw failure(place, 'PageLoop', 'The API responded with the page before, again.', {
      suggestedFix: 'Check the recipe: the API may take the number of the page in another place.',
    });
  }
  return mark;
}

function lost(place: Place, pointer: string | undefined, what: string): PageError {
  const toolkit = quoted(place.request.toolkit);
  return failure(
    place,
    'PagePointer',
    `\`${pointer}\` of the recipe for pages of \`${toolkit}\` does not lead to ${what}.`,
    { pointer, suggestedFix: 'Look at `error.response`, and pass `items` or `pagination`.' },
  );
}

function failure(
  { response, cursor }: Place,
  slug: string,
  message: string,
  details: { pointer?: string; suggestedFix?: string } = {},
): PageError {
  return new PageError(message, { slug, cursor, response, ...details });
}
