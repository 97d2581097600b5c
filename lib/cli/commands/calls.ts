// `calls`: the record of the calls that were made.

import type { Command } from '../command';
import { inExistingStore } from '../store';

export const calls: Command = {
  name: 'calls',
  summary: 'Lists the record of calls, newest first',
  parameters: [],
  options: {
    limit: {
      value: '<number>',
      whole: true,
      least: 1,
      description: 'Upper limit for the number of calls. Default: 50',
    },
  },
  examples: ['npx proxy-execute calls', 'npx proxy-execute calls --limit 1000 --json'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const calls = await gateway.calls.list({ limit: given.whole('limit') ?? 50 });
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
      const names = ['AT', 'USER', 'TOOLKIT', 'METHOD', 'WHERE', 'OUTCOME', 'BYTES', 'TIME'];
      terminal.result(calls, () => terminal.table(names, rows));
      return 0;
    }),
};
