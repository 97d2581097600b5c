// The pages and rate limits of a toolkit, as a backend says them, and else as they are built in.

import type { BackendHandle } from './backend';
import { BUILT_IN } from './built-in-toolkits';
import { PermissionDeniedError } from './errors';
import { askOn } from './resource';
import type { ToolkitFacts } from './toolkit';
import type { CallOptions } from './validate';

/** The most toolkits that are kept for a backend. */
const MOST_KEPT = 1000;

const FORM = { 'pagination?': { kind: 'string' }, 'rate_limit?': { header: 'string', unit: 'string' } } as const;

/** The facts that backends have said. */
const kept = new WeakMap<object, Map<string, ToolkitFacts>>();

interface WireFacts {
  pagination?: ToolkitFacts['pagination'] | null;
  rate_limit?: ToolkitFacts['rate_limit'] | null;
}

/** The facts of a toolkit. A backend is asked once for each. */
export async function toolkitFacts(backend: BackendHandle, slug: string, options: CallOptions): Promise<ToolkitFacts> {
  const facts = kept.get(backend.native) ?? new Map<string, ToolkitFacts>();
  kept.set(backend.native, facts);
  const known = facts.get(slug);
  if (known !== undefined) return known;
  const said = await ask(backend, slug, options);
  if (facts.size >= MOST_KEPT) facts.clear();
  facts.set(slug, said);
  return said;
}

async function ask(backend: BackendHandle, slug: string, options: CallOptions): Promise<ToolkitFacts> {
  const builtIn = Object.hasOwn(BUILT_IN, slug) ? BUILT_IN[slug] : undefined;
  const request = { method: 'GET', path: ['toolkits', slug], form: FORM } as const;
  let said: WireFacts = {};
  try {
    said = await askOn(backend)<WireFacts>(request, options);
  } catch (error) {
    // A key may be for proxied calls alone.
    if (!(error instanceof PermissionDeniedError)) throw error;
  }
  // The hosted backend does not have the fields. A gateway has null where its toolkit says nothing.
  const { pagination = builtIn?.pagination, rate_limit = builtIn?.rate_limit } = said;
  return { pagination: pagination ?? undefined, rate_limit: rate_limit ?? undefined };
}

/** The toolkit of an account. */
export async function toolkitOfAccount(
  backend: BackendHandle,
  accountId: string,
  options: CallOptions,
): Promise<string> {
  const request = {
    method: 'GET',
    path: ['connected_accounts', accountId],
    form: { toolkit: { slug: 'string' } },
  } as const;
  return (await askOn(backend)<{ toolkit: { slug: string } }>(request, options)).toolkit.slug;
}
