// `keys`: the keys with which the gateway is called on its port.

import type { ApiKey, Permissions } from '../../api-keys';
import { type Command, type Given, pair, UsageError } from '../command';
import { inExistingStore, inStore } from '../store';

const create: Command = {
  name: 'keys create',
  summary: 'Creates an API key, and prints it once',
  parameters: [],
  options: {
    name: { value: '<text>', description: 'Its purpose' },
    permission: {
      value: '<area>=<level>',
      many: true,
      description: 'Its access to an area: none, read, write or read_write. Default: everything',
    },
    'expires-at': { value: '<time>', description: 'When it ends, such as 2030-01-31T00:00:00Z. Default: never' },
    'allow-address': {
      value: '<network>',
      many: true,
      description: 'A network that may use it, such as 10.0.0.0/8. Default: any',
    },
  },
  examples: [
    'npx proxy-execute keys create --name my-app',
    'npx proxy-execute keys create --permission proxy_execute=write --permission sessions=read_write',
  ],
  async run(given, terminal) {
    const expiresAt = given.text('expires-at');
    // The gateway reports a value that is not a time.
    if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.now()) {
      throw new UsageError('--expires-at is in the past: the key could not be used.');
    }
    return inStore(given, terminal, async (gateway) => {
      const addresses = given.texts('allow-address');
      const made = await gateway.apiKeys.create({
        name: given.text('name'),
        permissions: permissionsOf(given),
        expiresAt,
        allowedAddresses: addresses.length > 0 ? addresses : undefined,
      });
      terminal.result(made, () => made.key);
      if (!terminal.json) terminal.note(`This is ${made.id}. The key is not shown again; the store has only its hash.`);
      return 0;
    });
  },
};

const list: Command = {
  name: 'keys list',
  summary: 'Lists the API keys. Their secrets are not shown',
  parameters: [],
  options: {},
  examples: ['npx proxy-execute keys list'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const keys = await gateway.apiKeys.list();
      const rows = keys.map((key) => [key.id, key.name, permissionsText(key), key.lastUsedAt, stateOf(key)]);
      terminal.result(keys, () => terminal.table(['ID', 'NAME', 'MAY DO', 'LAST USED', 'STATE'], rows));
      return 0;
    }),
};

const revoke: Command = {
  name: 'keys revoke',
  summary: 'Revokes an API key permanently',
  parameters: ['<id>'],
  options: {},
  examples: ['npx proxy-execute keys revoke key_4f9d…'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const [id = ''] = given.parameters;
      await gateway.apiKeys.revoke(id);
      terminal.result({ id, revoked: true }, () => `${id} is revoked.`);
      return 0;
    }),
};

export const keys = [create, list, revoke];

function permissionsOf(given: Given): Permissions | undefined {
  const permissions = given.texts('permission').map((text) => pair(text, '=', '--permission'));
  return permissions.length > 0 ? (Object.fromEntries(permissions) as Permissions) : undefined;
}

function permissionsText({ permissions }: ApiKey): string {
  if (permissions === null) return 'everything';
  return Object.entries(permissions)
    .map(([area, level]) => `${area}=${level}`)
    .join(' ');
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt === null) return 'valid';
  return Date.parse(expiresAt) <= Date.now() ? 'expired' : `until ${expiresAt}`;
}
