// `connect`: stores the credential that a user has, or has the user agree at the provider.

import { Composio } from '../../composio';
import type { ToolkitInputField } from '../../input-field';
import type { Toolkit } from '../../toolkits';
import { ALLOW_PRIVATE, type Command, type Given, pair, privateHosts, UsageError } from '../command';
import { connectByConsent } from '../consent';
import { CONSENT, ENTERED } from '../schemes';
import { ask, canAsk, fromStdin } from '../secrets';
import { inStore } from '../store';

export const connect: Command = {
  name: 'connect',
  summary: 'Stores a credential that the user enters, from standard input, or by consent in a browser',
  parameters: ['<toolkit>'],
  options: {
    user: { value: '<id>', required: true, description: 'Your own id of the user' },
    scheme: {
      value: '<scheme>',
      description: 'How the toolkit authenticates. Default: by API key, token or password, else OAUTH2 in a browser',
    },
    field: { value: '<name>=<value>', many: true, description: 'A field that is not secret, such as a subdomain' },
    alias: { value: '<text>', description: "A name, for telling a user's accounts of one toolkit apart" },
    'auth-config': {
      value: '<id>',
      description:
        'The auth config whose OAuth client is used. Default: the newest; without one, the command asks for a client',
    },
    port: { value: '<number>', whole: true, description: 'The port to which the browser returns. Default: 9900' },
    'public-url': {
      value: '<url>',
      description: 'URL of a running gateway with this store, instead of a port',
    },
    'no-browser': { description: 'Print the URL of the page, and open no browser' },
    ...ALLOW_PRIVATE,
  },
  examples: [
    'npx proxy-execute connect github --user ann',
    'npx proxy-execute connect shopify --user ann --field subdomain=acme < shopify.key',
    'npx proxy-execute connect gmail --user ann --scheme oauth2',
    `echo '{"api_key":"…","email":"ann@acme.com","subdomain":"acme"}' | npx proxy-execute connect jira --user ann`,
  ],
  run: (given, terminal) =>
    inStore(
      given,
      terminal,
      async (gateway) => {
        const [slug = ''] = given.parameters;
        const scheme = given.text('auth-config') === undefined ? given.text('scheme') : CONSENT;
        const toolkit = await new Composio({ gateway }).toolkits.get(slug);
        const details = detailsOf(toolkit, scheme);
        if (details.mode === CONSENT) {
          const account = await connectByConsent(gateway, given, terminal, slug);
          terminal.result(account, () => `${account.id} is ${account.userId}'s account of ${slug}, by ${CONSENT}.`);
          return 0;
        }
        if (canAsk() && toolkit.meta.appUrl) terminal.note(`Documentation of ${toolkit.name}: ${toolkit.meta.appUrl}`);
        const { required, optional } = details.fields.connectedAccountInitiation;
        const account = await gateway.connectedAccounts.import({
          userId: given.text('user') ?? '',
          toolkit: slug,
          credential: { authScheme: details.mode, val: await valuesOf(given, required, optional) },
          alias: given.text('alias'),
        });
        terminal.result(account, () => `${account.id} is ${account.userId}'s account of ${slug}, by ${details.mode}.`);
        return 0;
      },
      { publicUrl: given.text('public-url'), ...privateHosts(given) },
    ),
};

type Details = Toolkit['authConfigDetails'][number];

function detailsOf({ slug, authConfigDetails }: Toolkit, scheme: string | undefined): Details {
  const wanted = scheme === undefined ? [...ENTERED, CONSENT] : [scheme.toUpperCase()];
  const modes = authConfigDetails.map(({ mode }) => mode);
  const mode = wanted.find((name) => modes.includes(name));
  if (modes.join() === 'NO_AUTH') {
    throw new UsageError(`Toolkit \`${slug}\` needs no account: use it with \`call\`.`);
  }
  const details = authConfigDetails.find((candidate) => candidate.mode === mode);
  if (details !== undefined) return details;
  throw new UsageError(`--scheme: toolkit \`${slug}\` authenticates by ${modes.join(', ')}; name one of them.`);
}

/** The fields of the credential: those in the arguments, and those that the command asks for. */
async function valuesOf(
  given: Given,
  required: readonly ToolkitInputField[],
  optional: readonly ToolkitInputField[],
): Promise<Record<string, unknown>> {
  const fields = [...required, ...optional];
  const values: Record<string, unknown> = {};
  for (const [name, value] of given.texts('field').map((text) => pair(text, '=', '--field'))) {
    const field = fields.find((candidate) => candidate.name === name);
    if (field?.isSecret) {
      throw new UsageError(`--field: ${name} is a secret. The command asks for it, or reads it from standard input.`);
    }
    if (field === undefined) throw new UsageError(`--field: there is no field ${name}; ${fieldsText(fields)}.`);
    values[name] = value;
  }
  const missing = required.filter(({ name }) => values[name] === undefined);
  if (missing.length === 0) return values;
  if (!canAsk()) return { ...values, ...fromText(await fromStdin(), fields, missing) };
  // A user name before its password.
  const inOrder = missing.toSorted((one, other) => Number(one.isSecret ?? true) - Number(other.isSecret ?? true));
  for (const { name, displayName, description, isSecret } of inOrder) {
    const about = description && ` (${description})`;
    values[name] = await ask(`${displayName}${about}: `, { hidden: isSecret !== false });
  }
  return values;
}

/** Standard input is the one secret that is missing, or an object of fields. */
function fromText(
  text: string,
  fields: readonly ToolkitInputField[],
  missing: readonly ToolkitInputField[],
): Record<string, unknown> {
  const given = objectOf(text);
  if (given !== undefined && Object.keys(given).every((key) => fields.some(({ name }) => name === key))) return given;
  const [only, ...others] = missing;
  if (only?.isSecret && others.length === 0 && text !== '') return { [only.name]: text };
  const names = missing.map(({ name, isSecret }) => (isSecret ? name : `${name} (or --field ${name}=…)`));
  throw new UsageError(
    `Standard input must be ${others.length === 0 ? 'the secret, or ' : ''}a JSON object with ${names.join(', ')}.`,
  );
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fieldsText(fields: readonly ToolkitInputField[]): string {
  const names = fields.filter(({ isSecret }) => !isSecret).map(({ name }) => name);
  return names.length === 0 ? 'all of its fields are secret' : `the known ones are ${names.join(', ')}`;
}
