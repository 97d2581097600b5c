// The library's errors in the words of the command: options instead of fields, commands instead of calls.

import { adviceOf, ComposioError, type Problem, problemsOf, ValidationError } from '../errors';
import { NUMBER_FLAGS } from '../gateway-options';
import { type Given, UsageError } from './command';
import { CONSENT_PORT } from './consent';

/** The name of each field on the command line. */
export const FIELDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(NUMBER_FLAGS.map(({ name, flag }) => [name, `--${flag}`])),
  accountId: '<id>',
  alias: '--alias',
  'auth_config.authScheme': '--scheme',
  'auth_config.name': '--name',
  allowPrivateHosts: '--allow-private-host',
  allowPrivateRedirects: '--allow-private-redirect',
  allowPrivateBodies: '--allow-private-body',
  allowPrivateWebhooks: '--allow-private-webhook',
  allowed_addresses: '--allow-address',
  allowedAddresses: '--allow-address',
  callbackUrls: '--callback-url',
  connected_accounts: '--account',
  cursor: '--cursor',
  drainDelay: '--drain-delay',
  encryptionKey: 'The encryption key',
  endpoint: '<endpoint>',
  expires_at: '--expires-at',
  expiresAt: '--expires-at',
  file: '<file>',
  files: '--files',
  'files.expiresIn': '--files-expire-after',
  'files.maxBytes': '--files-max-bytes',
  'files.maxOpen': '--files-max-open',
  'files.signingKeys': '--files-signing-key-file',
  head: '--head',
  host: '--host',
  keyId: '<id>',
  limit: '--limit',
  maxConnectionsPerAddress: '--max-connections-per-address',
  method: '<method>',
  metrics: '--metrics',
  otlpEndpoint: '--otlp-endpoint',
  ownCallbackPaths: '--own-callback-paths',
  // A query value is never refused, so the error is about a header.
  parameters: 'A --header',
  permissions: '--permission',
  port: '--port',
  propagateTrace: '--propagate-trace',
  publicUrl: '--public-url',
  refreshIdleAfter: '--refresh-idle-after',
  requestTimeout: '--request-timeout',
  requestsPerMinute: '--rate-limit',
  since: '--since',
  statuses: '--status',
  store: '--store',
  'tls.cert': '--tls-cert',
  'tls.key': '--tls-key',
  trustedProxies: '--trusted-proxy',
  until: '--until',
  userIds: '--user',
};

const LIST_ACCOUNTS = 'List the accounts with: npx proxy-execute accounts list';

/** The advice about an error, by its slug, if the library's advice is for a program. */
const FIXES: Readonly<Record<string, (error: ComposioError, given: Given) => string | undefined>> = {
  AuthConfigNotFound: (_, { command }) =>
    command === 'connect'
      ? 'Without --auth-config, the command uses the newest of the toolkit, or creates one.'
      : 'List the auth configs with: npx proxy-execute auth-configs list',
  ConnectedAccountNotFound: () => LIST_ACCOUNTS,
  ConnectedAccountNotUsable: connect,
  DeadlineExceeded: () => 'Raise --timeout, or ask for less in one call.',
  NotFound: () => 'List the keys with: npx proxy-execute keys list',
  ToolkitNotFound: () => 'List the toolkits with: npx proxy-execute toolkits list. Add your own with --toolkit.',
  ToolRouterV2_InvalidConnectedAccountIds: () => LIST_ACCOUNTS,
  ToolRouterV2_NoActiveConnection: connect,
  UpstreamTimeout: () => 'Whether the request was carried out is not known. Raise --timeout if the API needs longer.',
  UpstreamTooLarge: () => 'Ask for less at a time.',
};

/** The advice about an error that has it as data; undefined if the slug decides. */
function advised(error: ComposioError, given: Given): string | undefined {
  const { action, subject = '', entry } = adviceOf(error) ?? {};
  switch (action) {
    case 'allow-private-host':
      return `If the host is yours, allow it with ${FIELDS[subject]} ${entry}.`;
    case 'enable-account':
      return `Enable it with: npx proxy-execute accounts enable ${subject}`;
    case 'listen-elsewhere': {
      if (error.field === 'metrics') return error.suggestedFix;
      if (given.command !== 'connect') return 'Choose another --host or --port; port 0 takes a free port.';
      const url = `http://127.0.0.1:${given.whole('port') ?? CONSENT_PORT}`;
      return `If a gateway serves this store there, add --public-url ${url}; else choose another --port.`;
    }
    case 'raise-option':
      return FIXES[error.slug ?? ''] === undefined ? `Raise ${FIELDS[subject]}, or send less at a time.` : undefined;
    case 'use-name':
      return error.suggestedFix;
    default:
      return undefined;
  }
}

/** An error in the words of the command line. */
export function inWords(error: unknown, given: Given): unknown {
  if (!(error instanceof ComposioError)) return error;
  const { status, code, slug, requestId } = error;
  const fix = FIXES[slug ?? ''];
  const suggestedFix = advised(error, given) ?? (fix === undefined ? error.suggestedFix : fix(error, given));
  const told = problemsOf(error).map(inOptions);
  return new ComposioError(told.join(' '), { status, code, slug, requestId, suggestedFix });
}

/** Whether the command line cannot be used, in the eyes of the command or of the library. */
export function isMistake(error: unknown): boolean {
  if (error instanceof UsageError || error instanceof ValidationError) return true;
  if (!(error instanceof ComposioError)) return false;
  // An address that is in use is an option that can be used another time.
  const isOption = error.slug === 'InvalidOption' && adviceOf(error)?.action !== 'listen-elsewhere';
  return isOption || error.slug === 'InvalidRequest' || error.slug === 'InvalidToolkit';
}

/** A sentence with the option instead of the field. */
function inOptions({ sentence, field }: Problem): string {
  const option = field === undefined ? undefined : optionOf(field);
  if (field === undefined || option === undefined) return sentence;
  // Words such as `The encryption key` go on without the colon.
  const before = /^\W/.test(option) ? field : `${field}:`;
  const named = [`\`${field}\``, before, field].find((name) => sentence.includes(name));
  return named === undefined ? sentence : sentence.replace(named, option);
}

/** The option of a field, or of the field that it is in. */
function optionOf(field: string): string | undefined {
  const [outer = '', inner = ''] = field.match(/^\w+|\W.*$/g) ?? [];
  if (outer === 'val') return `\`${inner.slice(1)}\``;
  if (outer === 'permissions') return `${FIELDS.permissions} ${inner.slice(1)}`.trim();
  // The index of an entry is nothing that the command line has.
  const inside = `${outer}${inner.replace(/\[\d+\]$/, '')}`;
  return [inside, outer].map((name) => (Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined)).find(Boolean);
}

function connect({ suggestedFix }: ComposioError, given: Given): string | undefined {
  if (given.command !== 'call') return suggestedFix;
  const [toolkit = ''] = given.parameters;
  return `Connect one with: npx proxy-execute connect ${toolkit} --user ${given.text('user')}`;
}
