// How `connect` gets the consent of a user in a browser: by a link to a gateway on this machine, to which the provider
// redirects, or by a link to a gateway with the same store.

import { spawn } from 'node:child_process';
import type { ConnectedAccount } from '../account';
import { Composio } from '../composio';
import type { Gateway } from '../gateway';
import type { ToolkitInputField } from '../input-field';
import { type Given, UsageError } from './command';
import { CONSENT } from './schemes';
import { ask, canAsk, fromStdin } from './secrets';
import type { Terminal } from './terminal';

/** The port of `serve`, too, so that one redirect URI at the provider does for both. */
export const CONSENT_PORT = 9900;

/** Longer than the lifetime of a link, so that the account reports the outcome. */
const PATIENCE = 15 * 60_000;

/** Connects an account by a link, and waits until that is done. */
export async function connectByConsent(
  gateway: Gateway,
  given: Given,
  terminal: Terminal,
  toolkit: string,
): Promise<ConnectedAccount> {
  if (given.text('public-url') === undefined) {
    (await gateway.listen({ port: given.whole('port') ?? CONSENT_PORT })).unref();
  }
  const authConfigId =
    given.text('auth-config') ??
    (await newestClient(gateway, toolkit)) ??
    (await makeClient(gateway, terminal, toolkit));
  const userId = given.text('user') ?? '';
  const { redirectUrl, waitForConnection } = await gateway.connectedAccounts.link(userId, authConfigId, {
    alias: given.text('alias'),
    allowMultiple: true,
  });
  terminal.note(`Open this page in a browser, within 10 minutes:\n${redirectUrl}`);
  if (!given.flag('no-browser') && process.stderr.isTTY) openBrowser(`${redirectUrl}`);
  return terminal.during('Waiting for the browser', waitForConnection(PATIENCE));
}

/** The newest auth config of the toolkit that has an OAuth client. */
async function newestClient(gateway: Gateway, toolkit: string): Promise<string | undefined> {
  const { items } = await new Composio({ gateway }).authConfigs.list({ toolkit });
  return items.find(({ authScheme, credentials }) => authScheme === CONSENT && 'client_id' in credentials)?.id;
}

/** Creates an auth config from the client at the provider. The command asks for the client. */
async function makeClient(gateway: Gateway, terminal: Terminal, toolkit: string): Promise<string> {
  const composio = new Composio({ gateway });
  const { authConfigDetails } = await composio.toolkits.get(toolkit);
  const details = authConfigDetails.find(({ mode }) => mode === CONSENT);
  const page = details?.clientPage ? ` Register one at ${details.clientPage}` : '';
  terminal.note(
    `Toolkit ${toolkit} needs an OAuth client of yours.${page}\nAt the provider, its redirect URI is ${details?.redirectUri}`,
  );
  // The client, and what it takes where it is the client of one installation.
  const fields = details?.fields.authConfigCreation.required ?? [];
  const credentials = canAsk() ? await askFor(fields) : clientOf(await fromStdin(), fields);
  const config = { type: 'use_custom_auth', authScheme: CONSENT, credentials } as const;
  return (await composio.authConfigs.create(toolkit, config)).id;
}

async function askFor(fields: readonly ToolkitInputField[]): Promise<Record<string, string>> {
  const credentials: Record<string, string> = {};
  for (const { name, displayName, isSecret = true } of fields) {
    credentials[name] = await ask(`${displayName}: `, { hidden: isSecret });
  }
  return credentials;
}

function clientOf(text: string, fields: readonly ToolkitInputField[]): Record<string, unknown> {
  const names = fields.map(({ name }) => name);
  try {
    const given = JSON.parse(text);
    // A public client has no secret.
    const isWhole = names.every((name) => name === 'client_secret' || given[name]);
    if (isWhole && Object.keys(given).every((name) => names.includes(name))) return given;
  } catch {
    // Told below.
  }
  const all = new Intl.ListFormat('en', { type: 'conjunction', style: 'long' }).format(names);
  throw new UsageError(`Standard input must be a JSON object with ${all}, or name --auth-config.`);
}

/** Opens a page in the user's browser. Without a browser, the printed URL of the page is enough. */
function openBrowser(url: string): void {
  const [command = '', ...args] = { darwin: ['open'], win32: ['rundll32', 'url.dll,FileProtocolHandler'] }[
    process.platform as string
  ] ?? ['xdg-open'];
  spawn(command, [...args, url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
