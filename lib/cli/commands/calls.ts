// `calls`: the record of the calls that were made.

import type { Call, ListCallsOptions } from '../../calls';
import type { Gateway } from '../../gateway';
import { type Command, type Given, UsageError } from '../command';
import { inExistingStore } from '../store';
import type { Terminal } from '../terminal';
import { toTime } from '../time';

const FORMATS = ['table', 'json', 'ndjson'];
/** How many calls are read at once. */
const PAGE = 1_000;

export const calls: Command = {
  name: 'calls',
  summary: 'Lists the record of calls, newest first',
  parameters: [],
  options: {
    user: { value: '<id>', oneRun: true, description: 'The user. Default: all users' },
    // It replaces the global option of this name: the record needs no definitions of toolkits.
    toolkit: { value: '<slug>', oneRun: true, description: 'The toolkit. Default: all toolkits' },
    account: { value: '<id>', oneRun: true, description: 'The account. Default: all accounts' },
    session: { value: '<id>', oneRun: true, description: 'The session. Default: all sessions' },
    outcome: {
      value: '<outcome>',
      oneRun: true,
      description: 'answered, cancelled, or the slug of an error. Default: any',
    },
    'request-id': {
      value: '<id>',
      oneRun: true,
      description: 'The request: the x-request-id of a response, or the requestId of an error. Default: any',
    },
    since: {
      value: '<time>',
      oneRun: true,
      description: 'The earliest call: an age such as 30m, 24h or 7d, or a time such as 2026-11-01T08:00:00Z',
    },
    until: { value: '<time>', oneRun: true, description: 'The end of that time. Default: now' },
    limit: {
      value: '<number>',
      whole: true,
      least: 1,
      description: 'Upper limit for the number of calls. Default: 50; with ndjson, all calls',
    },
    format: {
      value: '<format>',
      oneRun: true,
      description: 'table, json, or ndjson, which has a line of JSON for each call. Default: table',
    },
  },
  examples: [
    'npx proxy-execute calls',
    'npx proxy-execute calls --user ann --toolkit github --since 24h',
    'npx proxy-execute calls --request-id req_… --json',
    'npx proxy-execute calls --since 2026-11-01 --format ndjson > calls.ndjson',
  ],
  run: async (given, terminal) => {
    const filter = filterOf(given);
    const format = given.text('format') ?? (terminal.json ? 'json' : 'table');
    if (!FORMATS.includes(format)) throw new UsageError(`--format must be ${FORMATS.join(', ')}.`);
    return inExistingStore(given, terminal, async (gateway) => {
      const limit = given.whole('limit') ?? (format === 'ndjson' ? Number.POSITIVE_INFINITY : 50);
      if (format === 'ndjson') {
        for await (const page of pages(gateway, filter, limit)) {
          await terminal.lines(page.map((call) => JSON.stringify(call)));
        }
        return 0;
      }
      const all: Call[] = [];
      for await (const page of pages(gateway, filter, limit)) all.push(...page);
      if (format === 'json') await terminal.lines([JSON.stringify(all)]);
      else await terminal.lines(tableOf(all, terminal));
      return 0;
    });
  },
};

function filterOf(given: Given): ListCallsOptions {
  return {
    userId: given.text('user'),
    toolkit: given.text('toolkit'),
    connectedAccountId: given.text('account'),
    sessionId: given.text('session'),
    outcome: given.text('outcome'),
    requestId: given.text('request-id'),
    since: toTime(given, 'since'),
    until: toTime(given, 'until'),
  };
}

async function* pages(gateway: Gateway, filter: ListCallsOptions, limit: number): AsyncGenerator<Call[]> {
  let before: number | undefined;
  for (let left = limit; left > 0; left -= PAGE) {
    const page = await gateway.calls.list({ ...filter, before, limit: Math.min(PAGE, left) });
    yield page;
    before = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

function tableOf(calls: readonly Call[], terminal: Terminal): string[] {
  const rows = calls.map((call) => [
    call.at,
    call.userId,
    call.toolkit,
    call.method,
    call.host && `${call.host}${call.path}`,
    // The API's status alone would hide that its response was unusable.
    call.outcome === 'answered' ? call.status : call.outcome,
    call.bytes,
    `${Math.round(call.durationMs)} ms`,
  ]);
  return terminal.table(['AT', 'USER', 'TOOLKIT', 'METHOD', 'WHERE', 'OUTCOME', 'BYTES', 'TIME'], rows);
}
