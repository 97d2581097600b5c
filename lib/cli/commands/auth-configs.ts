// `auth-configs`: how users connect accounts of a toolkit, such as with which OAuth client.

import type { AuthConfig, AuthConfigs } from '../../auth-configs';
import { Composio } from '../../composio';
import { type Command, type Given, type Options, pair, UsageError } from '../command';
import { CONSENT_PORT } from '../consent';
import { keysOf } from '../key-source';
import { CONSENT } from '../schemes';
import { fromStdin } from '../secrets';
import { inExistingStore, inStore } from '../store';
import type { Terminal } from '../terminal';

/** The options for the credentials. A secret is never an argument. */
const CREDENTIALS: Options = {
  name: { value: '<text>', description: 'Its name' },
  'client-id': { value: '<id>', description: 'The id of the OAuth client' },
  'client-secret-file': {
    value: '<file>',
    path: true,
    oneRun: true,
    description: 'A file with the secret of the OAuth client. Default: the variable PROXY_EXECUTE_CLIENT_SECRET',
  },
  'client-secret-command': {
    value: '<command>',
    oneRun: true,
    description: 'A command that prints the secret, instead of a file',
  },
  'client-secret-stdin': { oneRun: true, description: 'Read the secret from standard input' },
  field: {
    value: '<name>=<value>',
    many: true,
    description: 'Another credential that is not secret, such as scopes or a subdomain',
  },
};

const list: Command = {
  name: 'auth-configs list',
  summary: 'Lists the auth configs, the latest first',
  parameters: ['[toolkit]'],
  options: {
    search: { value: '<text>', description: 'A part of the name' },
    limit: {
      value: '<number>',
      whole: true,
      least: 1,
      description: 'Upper limit for the number of auth configs. Default: 100',
    },
    cursor: { value: '<text>', description: 'The nextCursor of the previous page' },
  },
  examples: ['npx proxy-execute auth-configs list', 'npx proxy-execute auth-configs list github --json'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const page = await new Composio({ gateway }).authConfigs.list({
        toolkit: given.parameters[0],
        search: given.text('search'),
        showDisabled: true,
        limit: given.whole('limit') ?? 100,
        cursor: given.text('cursor'),
      });
      const rows = page.items.map((config) => [
        config.id,
        config.toolkit.slug,
        config.authScheme,
        config.status,
        config.noOfConnections,
        config.name,
        config.createdAt,
      ]);
      const names = ['ID', 'TOOLKIT', 'SCHEME', 'STATE', 'ACCOUNTS', 'NAME', 'MADE'];
      const value = { ...page, items: page.items.map(shown) };
      terminal.result(value, () => terminal.table(names, rows));
      if (page.nextCursor !== null && !terminal.json)
        terminal.note(`There are more auth configs: --cursor ${page.nextCursor}`);
      return 0;
    }),
};

const show: Command = {
  name: 'auth-configs show',
  summary: 'Shows an auth config, without its secrets',
  parameters: ['<id>'],
  options: {},
  examples: ['npx proxy-execute auth-configs show ac_7b21…'],
  run: (given, terminal) =>
    inExistingStore(given, terminal, async (gateway) => {
      const [id = ''] = given.parameters;
      const config = await new Composio({ gateway }).authConfigs.get(id);
      const rows = [
        ['id', config.id],
        ['name', config.name],
        ['toolkit', config.toolkit.slug],
        ['scheme', config.authScheme],
        ['state', config.status],
        ['accounts', config.noOfConnections],
        ['credentials', Object.keys(config.credentials).sort().join(' ') || null],
        ['made', config.createdAt],
        ['changed', config.lastUpdatedAt],
      ];
      terminal.result(shown(config), () => terminal.table(['FIELD', 'VALUE'], rows));
      return 0;
    }),
};

const create: Command = {
  name: 'auth-configs create',
  summary: 'Creates an auth config, and prints the redirect URI to register at the provider',
  parameters: ['<toolkit>'],
  options: {
    scheme: { value: '<scheme>', description: `How its accounts authenticate. Default: ${CONSENT}` },
    ...CREDENTIALS,
    'public-url': {
      value: '<url>',
      description: `URL of the gateway for browsers, for the redirect URI. Default: http://127.0.0.1:${CONSENT_PORT}`,
    },
  },
  examples: [
    'npx proxy-execute auth-configs create github --client-id Iv1.4f9d --client-secret-file github.secret',
    'npx proxy-execute auth-configs create acme --scheme API_KEY',
  ],
  async run(given, terminal) {
    const credentials = await credentialsOf(given, terminal);
    const publicUrl = given.text('public-url') ?? `http://127.0.0.1:${CONSENT_PORT}`;
    return inStore(
      given,
      terminal,
      async (gateway) => {
        const composio = new Composio({ gateway });
        const [toolkit = ''] = given.parameters;
        const authScheme = (given.text('scheme') ?? CONSENT).toUpperCase();
        const made = await composio.authConfigs.create(toolkit, {
          type: 'use_custom_auth',
          authScheme,
          name: given.text('name'),
          credentials,
        });
        const { authConfigDetails } = await composio.toolkits.get(toolkit);
        const redirectUri = authConfigDetails.find(({ mode }) => mode === authScheme)?.redirectUri ?? null;
        terminal.result({ id: made.id, toolkit: made.toolkit, authScheme, redirectUri }, () => made.id);
        if (redirectUri !== null && !terminal.json) {
          terminal.note(`At the provider, the redirect URI of the client is ${redirectUri}`);
        }
        return 0;
      },
      { publicUrl },
    );
  },
};

const update: Command = {
  name: 'auth-configs update',
  summary: 'Changes the name or credentials of an auth config. What is not named stays',
  parameters: ['<id>'],
  options: CREDENTIALS,
  examples: ['npx proxy-execute auth-configs update ac_7b21… --client-secret-file github.secret'],
  async run(given, terminal) {
    const credentials = await credentialsOf(given, terminal);
    const name = given.text('name');
    if (name === undefined && Object.keys(credentials).length === 0) {
      throw new UsageError('There is nothing to change: pass --name, --client-id, --field or a client secret.');
    }
    return changed(given, terminal, 'is changed', (configs, id) =>
      configs.update(id, { type: 'custom', name, credentials }),
    );
  },
};

export const authConfigs = [
  list,
  show,
  create,
  update,
  change('enable', 'Enables an auth config and its accounts again', 'is enabled', (configs, id) => configs.enable(id)),
  change('disable', 'Disables an auth config. No call uses its accounts', 'is disabled', (configs, id) =>
    configs.disable(id),
  ),
  change('delete', 'Deletes an auth config with its accounts', 'is deleted', (configs, id) => configs.delete(id)),
];

type Work = (configs: AuthConfigs, id: string) => Promise<void>;

function change(verb: string, summary: string, done: string, work: Work): Command {
  return {
    name: `auth-configs ${verb}`,
    summary,
    parameters: ['<id>'],
    options: {},
    examples: [`npx proxy-execute auth-configs ${verb} ac_7b21…`],
    run: (given, terminal) => changed(given, terminal, done, work),
  };
}

function changed(given: Given, terminal: Terminal, done: string, work: Work): Promise<number> {
  return inExistingStore(given, terminal, async (gateway) => {
    const [id = ''] = given.parameters;
    await work(new Composio({ gateway }).authConfigs, id);
    terminal.result({ id, success: true }, () => `${id} ${done}.`);
    return 0;
  });
}

/** The credentials in the options. The secret comes from one source. */
async function credentialsOf(given: Given, terminal: Terminal): Promise<Record<string, string>> {
  const credentials: Record<string, string> = {};
  for (const [name, value] of given.texts('field').map((text) => pair(text, '=', '--field'))) {
    if (name === 'client_secret') {
      throw new UsageError('--field: client_secret is a secret. Pass --client-secret-file or --client-secret-stdin.');
    }
    credentials[name] = value;
  }
  const clientId = given.text('client-id');
  if (clientId !== undefined) credentials.client_id = clientId;
  const read = given.flag('client-secret-stdin')
    ? { texts: [await fromStdin()], source: 'Standard input is empty' }
    : keysOf(given, terminal, 'client-secret');
  if (read === undefined) return credentials;
  const [secret = ''] = read.texts;
  if (secret === '') throw new UsageError(`There is no client secret. ${read.source}.`);
  return { ...credentials, client_secret: secret };
}

/** The members of an auth config that the command shows. */
function shown({ id, name, toolkit, authScheme, status, noOfConnections, ...config }: AuthConfig): object {
  const { credentials, isEnabledForToolRouter, createdAt, lastUpdatedAt } = config;
  return {
    id,
    name,
    toolkit: toolkit.slug,
    authScheme,
    status,
    noOfConnections,
    credentials,
    isEnabledForToolRouter,
    createdAt,
    lastUpdatedAt,
  };
}
