// `users`: what the gateway has of a user.

import type { Command } from '../command';
import { inExistingStore } from '../store';

const exported: Command = {
  name: 'users export',
  summary: 'Prints what the gateway has of a user, without secrets, as lines of JSON',
  parameters: ['<user>'],
  options: {},
  examples: ['npx proxy-execute users export ann > ann.ndjson'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const [user = ''] = given.parameters;
      for await (const record of gateway.users.export(user)) await terminal.lines([JSON.stringify(record)]);
      return 0;
    }),
};

const deleted: Command = {
  name: 'users delete',
  summary: 'Deletes what the gateway has of a user, and asks providers to revoke the tokens',
  parameters: ['<user>'],
  options: {},
  examples: ['npx proxy-execute users delete ann'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const [user = ''] = given.parameters;
      const done = await terminal.during('Deleting the user', gateway.users.delete(user));
      terminal.result(done, () => [
        `Sessions deleted: ${done.sessions}.`,
        `Accounts deleted: ${done.connectedAccounts}, with ${done.revokedTokens} tokens revoked at the provider.`,
        ...done.notRevoked.map((why) => `May still be valid: ${why}.`),
        `SHARED accounts that no longer allow the user: ${done.sharedAccounts}.`,
        `Files deleted: ${done.files}. Records of calls: ${done.calls}. Events: ${done.events}.`,
      ]);
      return 0;
    }),
};

export const users = [exported, deleted];
