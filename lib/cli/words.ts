// The library's errors in the words of the command: options in the place of fields, commands in the place of calls.

import { ComposioError, ValidationError } from '../errors';
import { type Given, UsageError } from './command';
import { CONSENT_PORT } from './consent';

/** What a field is on the command line. */
const FIELDS: Readonly<Record<string, string>> = {
  accountId: '<id>',
  alias: '--alias',
  allowPrivateHosts: '--allow-private-host',
  allowPrivateRedirects: '--allow-private-redirect',
  allowPrivateBodies: '--allow-private-body',
  allowed_addresses: '--allow-address',
  allowedAddresses: '--allow-address',
  callbackUrls: '--callback-url',
  chunkTimeout: '--chunk-timeout',
  connected_accounts: '--account',
  cursor: '--cursor',
  encryptionKey: 'The encryption key',
  endpoint: '<endpoint>',
  expiresAt: '--expires-at',
  files: '--files',
  'files.expiresIn': '--files-expire-after',
  'files.maxBytes': '--files-max-bytes',
  'files.maxOpen': '--files-max-open',
  'files.signingKeys': '--files-signing-key-file',
  host: '--host',
  keyId: '<id>',
  limit: '--limit',
  linkLifetime: '--link-lifetime',
  maxConnectionsPerAddress: '--max-connections-per-address',
  maxResponseBytes: '--max-response-bytes',
  maxExpansion: '--max-expansion',
  maxUploadBytes: '--max-upload-bytes',
  method: '<method>',
  // Of a query value nothing is refused.
  ownCallbackPaths: '--own-callback-paths',
  parameters: 'A --header',
  permissions: '--permission',
  port: '--port',
  publicUrl: '--public-url',
  refreshIdleAfter: '--refresh-idle-after',
  requestTimeout: '--request-timeout',
  requestsPerMinute: '--rate-limit',
  statuses: '--status',
  upstreamTimeout: '--upstream-timeout',
};

/** The option that lets a call reach a private host. */
function privateHost(advice = ''): string {
  const option = Object.keys(FIELDS).find((field) => advice.includes(`\`${field}\``)) ?? 'allowPrivateHosts';
  const entry = /`([^`]+=[^`]+)`/.exec(advice)?.[1];
  return entry === undefined ? `${FIELDS[option]}` : `${FIELDS[option]} ${entry}`;
}

const LIST_ACCOUNTS = 'They are listed by: npx proxy-execute accounts list';

/** What to do about an error, by its slug, where the library's advice is for a program. */
const FIXES: Readonly<Record<string, (error: ComposioError, given: Given) => string | undefined>> = {
  AddressRefused: ({ suggestedFix }) => `If it is a host of your own, name it with ${privateHost(suggestedFix)}.`,
  AuthConfigNotFound: () => 'Without --auth-config the newest of the toolkit is used, or one is made.',
  ConnectedAccountNotFound: () => LIST_ACCOUNTS,
  ConnectedAccountNotUsable: enableOrConnect,
  DeadlineExceeded: () => 'Raise --timeout, or ask for less in one call.',
  InvalidOption: ({ message, suggestedFix }, given) => {
    if (message.startsWith('encryptionKey')) return 'One is made by: npx proxy-execute encryption-key';
    if (!isListening(message)) return suggestedFix;
    if (given.command !== 'connect') return 'Choose another --host or --port; port 0 takes one that is free.';
    const url = `http://127.0.0.1:${given.whole('port') ?? CONSENT_PORT}`;
    return `If a gateway serves this store there, add --public-url ${url}; else choose another --port.`;
  },
  NotFound: () => 'They are listed by: npx proxy-execute keys list',
  ToolkitNotFound: ({ suggestedFix }) =>
    suggestedFix?.startsWith('Did you mean')
      ? suggestedFix
      : 'They are listed by: npx proxy-execute toolkits list; one of your own is added with --toolkit.',
  ToolRouterV2_InvalidConnectedAccountIds: (error) => enable(error) ?? LIST_ACCOUNTS,
  ToolRouterV2_NoActiveConnection: enableOrConnect,
  UpstreamTimeout: () => 'Whether the request was carried out is not known. Raise --timeout, if it takes so long.',
  UpstreamTooLarge: () => 'Ask for less at a time.',
};

/** An error for whoever wrote the command line. */
export function inWords(error: unknown, given: Given): unknown {
  if (!(error instanceof ComposioError)) return error;
  const { status, code, slug = '', requestId } = error;
  const fix = FIXES[slug];
  const suggestedFix = fix === undefined ? error.suggestedFix : fix(error, given);
  const sentences = error instanceof ValidationError ? error.errors : [withoutFix(error)];
  // What is wrong with a store begins with the name of its file, which is no field although it may look like one.
  const told = /^Store|^WrongEncryptionKey$/.test(slug)
    ? sentences.map((text) => text.replace(/^files\.folder:/, '--files:'))
    : sentences.map(sentence);
  return new ComposioError(told.join(' '), { status, code, slug: slug || undefined, requestId, suggestedFix });
}

/** Whether the command line cannot be used, whoever noticed it. */
export function isMistake(error: unknown): boolean {
  if (error instanceof UsageError || error instanceof ValidationError) return true;
  if (!(error instanceof ComposioError)) return false;
  const isOption = error.slug === 'InvalidOption' && !isListening(error.message);
  return isOption || error.slug === 'InvalidRequest' || error.slug === 'InvalidToolkit';
}

/** An address that is in use is an option that can be used another time. */
function isListening(message: string): boolean {
  return message.startsWith('The gateway cannot listen');
}

function withoutFix({ message, suggestedFix = '' }: ComposioError): string {
  return message.replace(suggestedFix, '').trim();
}

/** A sentence begins with a field, in backticks or before a colon; names of several words may be anywhere in it. */
function sentence(text: string): string {
  return text
    .replace(/^(?:`(\w+)([^`]*)`|(\w+)([\w.[\]-]*)(?=:))/, (all, quoted, path, plain = quoted, below = path) => {
      // A field that is inside of another, at which index it ever is, may be an option of its own.
      const inside = `${plain}${below.replace(/\[\d+\]$/, '')}`;
      const option = [inside, plain]
        .map((name) => (Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined))
        .find(Boolean);
      if (option === undefined) return all;
      return plain === 'permissions' ? `${option} ${below.slice(1)}`.trim() : option;
    })
    .replace(/^The encryption key: /, 'The encryption key ')
    .replace(/^The credential's `val\.(\w+)`/, 'The field `$1`')
    .replaceAll(/\b[a-z]+[A-Z]\w+\b/g, (name) => (Object.hasOwn(FIELDS, name) ? `${FIELDS[name]}` : name));
}

/** How the account that the message names is enabled, if that is what it lacks. */
function enable({ message }: ComposioError): string | undefined {
  const [, id] = /\b(ca_\w+)\b.* is disabled/.exec(message) ?? [];
  return id && `It is enabled by: npx proxy-execute accounts enable ${id}`;
}

function enableOrConnect(error: ComposioError, given: Given): string {
  const [toolkit = ''] = given.parameters;
  return enable(error) ?? `Connect one with: npx proxy-execute connect ${toolkit} --user ${given.text('user')}`;
}
