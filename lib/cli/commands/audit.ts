// `audit`: the record of administrative changes.

import type { Command } from '../command';
import { inExistingStore } from '../store';

const list: Command = {
  name: 'audit list',
  summary: 'Lists administrative changes, the latest first',
  parameters: [],
  options: {
    since: { value: '<time>', description: 'Only changes from this time on, such as 2030-01-31T00:00:00Z' },
    until: { value: '<time>', description: 'Only changes before this time' },
    limit: {
      value: '<number>',
      whole: true,
      least: 1,
      description: 'Upper limit for the number of changes, up to 1000. Default: 100',
    },
    cursor: { value: '<text>', description: 'The nextCursor of the previous page' },
  },
  examples: ['npx proxy-execute audit list', 'npx proxy-execute audit list --since 2030-01-31T00:00:00Z --json'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const page = await gateway.audit.list({
        since: given.text('since'),
        until: given.text('until'),
        limit: given.whole('limit'),
        cursor: given.text('cursor'),
      });
      const rows = page.items.map(({ number, at, actor, action, target }) => [number, at, actor, action, target]);
      terminal.result(page, () => terminal.table(['NUMBER', 'AT', 'ACTOR', 'ACTION', 'TARGET'], rows));
      if (page.nextCursor !== null && !terminal.json) {
        terminal.note(`There are more changes: --cursor ${page.nextCursor}`);
      }
      return 0;
    }),
};

const verify: Command = {
  name: 'audit verify',
  summary: 'Verifies that no entry of the audit record was changed or removed',
  parameters: [],
  options: {
    head: {
      value: '<hash>',
      description: 'The head of an earlier verification, which shows whether the end was cut off since',
    },
  },
  examples: ['npx proxy-execute audit verify', 'npx proxy-execute audit verify --head 4f9d…'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const verifying = gateway.audit.verify({ head: given.text('head') });
      const verified = await terminal.during('Verifying the audit record', verifying);
      const { intact, entries, head, broken, hasHead } = verified;
      terminal.result(verified, () => {
        if (broken !== null) {
          return `Entry ${broken.number} is broken: ${broken.reason}. The ${entries} entries from the first on are intact.`;
        }
        if (hasHead === false) {
          return `The record does not have this head: entries were removed, or written again. Number of its entries: ${entries}.`;
        }
        return [`Intact entries: ${entries}.`, ...(head === null ? [] : [`Head: ${head}`])];
      });
      return intact ? 0 : 1;
    }),
};

export const audit = [list, verify];
