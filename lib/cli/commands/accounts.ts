// `accounts`: the accounts of users.

import type { ConnectedAccount } from '../../account';
import type { Gateway } from '../../gateway';
import type { Command } from '../command';
import { inExistingStore } from '../store';

const list: Command = {
  name: 'accounts list',
  summary: 'Lists the accounts, the latest first',
  parameters: ['[toolkit]'],
  options: {
    user: { value: '<id>', many: true, description: 'The user. Default: all users' },
    status: { value: '<state>', many: true, description: 'The state, such as ACTIVE. Default: any' },
    limit: {
      value: '<number>',
      whole: true,
      least: 1,
      description: 'Upper limit for the number of accounts. Default: 100',
    },
    cursor: { value: '<text>', description: 'The nextCursor of the previous page' },
  },
  examples: ['npx proxy-execute accounts list', 'npx proxy-execute accounts list github --user ann --json'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const page = await gateway.connectedAccounts.list({
        userIds: given.texts('user'),
        toolkitSlugs: given.parameters,
        statuses: given.texts('status'),
        limit: given.whole('limit') ?? 100,
        cursor: given.text('cursor'),
        accountType: 'ALL',
      });
      const rows = page.items.map((account) => [
        account.id,
        account.userId,
        account.toolkit.slug,
        account.authConfig.authScheme,
        stateOf(account),
        account.experimental?.accountType ?? null,
        account.alias,
        account.createdAt,
      ]);
      const names = ['ID', 'USER', 'TOOLKIT', 'SCHEME', 'STATE', 'TYPE', 'ALIAS', 'MADE'];
      terminal.result(page, () => terminal.table(names, rows));
      if (page.nextCursor !== null && !terminal.json)
        terminal.note(`There are more accounts: --cursor ${page.nextCursor}`);
      return 0;
    }),
};

export const accounts = [
  list,
  change('delete', 'Deletes an account and its credential', 'is deleted', ({ connectedAccounts }, id) =>
    connectedAccounts.delete(id),
  ),
  change('enable', 'Enables an account again', 'is enabled', ({ connectedAccounts }, id) =>
    connectedAccounts.enable(id),
  ),
  change(
    'default',
    'Names the account of tools.proxyExecute calls that name none',
    'is the default account',
    ({ connectedAccounts }, id) => connectedAccounts.setDefault(id),
  ),
  change(
    'no-default',
    'Makes an account no longer the default account',
    'is not the default account',
    ({ connectedAccounts }, id) => connectedAccounts.clearDefault(id),
  ),
  change(
    'disable',
    'Disables an account. It is kept, and no call uses it',
    'is disabled',
    ({ connectedAccounts }, id) => connectedAccounts.disable(id),
  ),
];

function change(
  verb: string,
  summary: string,
  done: string,
  work: (gateway: Gateway, id: string) => Promise<{ success: boolean }>,
): Command {
  return {
    name: `accounts ${verb}`,
    summary,
    parameters: ['<id>'],
    options: {},
    examples: [`npx proxy-execute accounts ${verb} ca_4f9d…`],
    run: (given, terminal) =>
      inExistingStore(given, terminal, async (gateway) => {
        const [id = ''] = given.parameters;
        const { success } = await work(gateway, id);
        terminal.result({ id, success }, () => `${id} ${done}.`);
        return 0;
      }),
  };
}

function stateOf({ status, isDisabled, isDefault }: ConnectedAccount): string {
  return [status, isDisabled && 'disabled', isDefault && 'default'].filter(Boolean).join(', ');
}
