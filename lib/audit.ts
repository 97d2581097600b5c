// The record of administrative changes.

import type { Form } from './answer';
import type { BackendHandle } from './backend';
import { type Ask, askOn } from './resource';
import { type CallOptions, Check } from './validate';

/** An administrative change. */
export interface AuditEntry {
  /** Its place in the record: 1 for the first change, without a gap. */
  number: number;
  /** When it was made, as an ISO 8601 date. */
  at: string;
  /** The id of the API key, or `owner` for the program that opened the gateway and for the command. */
  actor: string;
  /** The kind of thing, a dot, and what happened to it, such as `api_key.created`. */
  action: string;
  /** The id of the thing. */
  target: string;
  /** SHA-256 over the hash of the entry before and this entry, in hexadecimal. */
  hash: string;
}

/** Which changes to list. */
export interface ListAudit {
  /** Only changes from this time on: a date, or one in ISO 8601 with its offset. */
  since?: string | Date;
  /** Only changes before this time. */
  until?: string | Date;
  /** Upper limit for the number of entries, up to 1 000. Default: 100. */
  limit?: number;
  /** The `nextCursor` of the previous page. */
  cursor?: string;
}

/** A page of the record, newest first. */
export interface AuditPage {
  /** The entries of the page. */
  items: AuditEntry[];
  /** The `cursor` of the next page; null on the last page. */
  nextCursor: string | null;
}

/** The outcome of a verification. */
export interface AuditVerification {
  /** Whether every entry is as it was written, and the record has the given head. */
  intact: boolean;
  /** How many entries are intact, from the first on. */
  entries: number;
  /** The hash of the last intact entry; null if there is none. */
  head: string | null;
  /** The first entry that is not as it was written; null if there is none. */
  broken: { number: number; reason: string } | null;
  /** Whether the record has the given head; null if none was given. */
  hasHead: boolean | null;
}

const ENTRY: Form = {
  number: 'number',
  at: 'string',
  actor: 'string',
  action: 'string',
  target: 'string',
  hash: 'string',
};

/** The record of a gateway. */
export let auditOf: (backend: BackendHandle) => Audit;

/** The administrative changes of a gateway, by {@link Gateway.audit}. */
export class Audit {
  readonly #ask: Ask;

  static {
    auditOf = (backend) => new Audit(backend);
  }

  private constructor(backend: BackendHandle) {
    this.#ask = askOn(backend);
  }

  /**
   * Lists administrative changes, the newest first.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   *
   * @example
   * ```ts
   * const { items } = await gateway.audit.list({ since: '2030-01-01T00:00:00Z' });
   * for (const { at, actor, action, target } of items) console.log(at, actor, action, target);
   * ```
   */
  async list(filter: ListAudit = {}, options?: CallOptions): Promise<AuditPage> {
    const check = new Check('list of changes');
    if (check.object(filter, '', ['since', 'until', 'limit', 'cursor'])) {
      checkTime(check, filter.since, 'since');
      checkTime(check, filter.until, 'until');
      check.optionalWhole(filter.limit, 'limit', 1, 1_000);
      check.optionalText(filter.cursor, 'cursor');
    }
    check.done();
    const { since, until, limit, cursor } = filter;
    const query = { since: textOf(since), until: textOf(until), limit, cursor };
    const form = { items: [ENTRY], 'next_cursor?': 'string' } as const;
    const page = await this.#ask<{ items: AuditEntry[]; next_cursor?: string | null }>(
      { method: 'GET', path: ['audit'], query, form },
      options,
    );
    return { items: page.items, nextCursor: page.next_cursor ?? null };
  }

  /**
   * Verifies that every entry is as it was written.
   *
   * @param expected `head` is the `head` of an earlier verification that you noted elsewhere. Only with it can the
   * verification show that the end of the record was cut off, or that all of it was written again.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   *
   * @example
   * ```ts
   * const { intact, head } = await gateway.audit.verify();
   * ```
   */
  async verify(expected: { head?: string } = {}, options?: CallOptions): Promise<AuditVerification> {
    const check = new Check('verification');
    if (check.object(expected, '', ['head'])) check.optionalText(expected.head, 'head');
    check.done();
    const request = {
      method: 'GET',
      path: ['audit', 'verification'],
      query: { head: expected.head },
      form: { intact: 'boolean', entries: 'number' },
    } as const;
    const { has_head, ...verified } = await this.#ask<
      Omit<AuditVerification, 'hasHead'> & { has_head: boolean | null }
    >(request, options);
    return { ...verified, hasHead: has_head };
  }
}

function checkTime(check: Check, time: unknown, path: string): void {
  if (time instanceof Date) {
    if (Number.isNaN(time.getTime())) check.wrong(path, 'is not a date.');
  } else check.optionalText(time, path);
}

function textOf(time: string | Date | undefined): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}
