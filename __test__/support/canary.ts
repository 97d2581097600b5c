/**
 * Uses secrets in successes and failures of every kind, with a store in a file, and searches the places
 * that must not hold them. It prints the path to each finding, never the secret.
 *
 * The secrets are in the variable `CANARIES`. The parent searches the output for them.
 */

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Composio, ComposioError, Gateway, type NewApiKey, type ProxyExecuteRequest } from '../../index.js';
import { openGateway } from './acme';
import { sendJson, Upstream } from './upstream';

export interface Secrets {
  /** The secrets of accounts. */
  apiKey: string;
  token: string;
  password: string;
  /** The encryption key of the store. */
  encryptionKey: string;
}

const secrets: Secrets = JSON.parse(process.env.CANARIES ?? '');
const found: string[] = [];
/** The forms in which a secret may show. The gateway's own API key is added once it is created. */
const forms: [name: string, form: Buffer][] = [];

function lookFor(name: string, secret: string): void {
  const bytes = Buffer.from(secret);
  forms.push([name, bytes], [`${name} in UTF-16`, Buffer.from(secret, 'utf16le')]);
  forms.push([`${name} in base64`, Buffer.from(bytes.toString('base64').slice(0, -4))]);
  forms.push([`${name} in hexadecimal`, Buffer.from(bytes.toString('hex'))]);
}

function look(where: string, content: string | Buffer): void {
  const bytes = Buffer.from(content);
  for (const [name, form] of forms) if (bytes.includes(form)) found.push(`${name} in ${where}`);
}

/** Searches every visible form of a value. */
function lookInto(where: string, value: unknown): void {
  look(`inspect of ${where}`, inspect(value, { depth: null, showHidden: true, maxStringLength: null }));
  look(`JSON of ${where}`, JSON.stringify(value) ?? '');
  look(`text of ${where}`, `${value}`);
  if (value instanceof Error) {
    look(`message of ${where}`, value.message);
    look(`stack of ${where}`, value.stack ?? '');
    for (const key of Reflect.ownKeys(value)) {
      look(`${String(key)} of ${where}`, inspect(value[key as keyof Error], { depth: null, maxStringLength: null }));
    }
    if (value.cause !== undefined) lookInto(`cause of ${where}`, value.cause);
  }
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'proxy-execute-'));
  const store = join(folder, 'gateway.db');
  for (const [name, secret] of Object.entries(secrets)) lookFor(name, secret);
  const upstream = await Upstream.start();
  answer(upstream);
  const { encryptionKey } = secrets;
  const gateway = await openGateway(upstream.port, { store, encryptionKey, upstreamTimeout: 100 });
  const lookIntoStore = async (when: string) => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    for (const { name, parentPath } of files) look(`${name}, ${when}`, await readFile(join(parentPath, name)));
    return files.map(({ name }) => name);
  };

  const accounts = {
    key: { toolkit: 'acme', credential: { authScheme: 'API_KEY', val: { api_key: secrets.apiKey } } },
    query: { toolkit: 'acme_query', credential: { authScheme: 'API_KEY', val: { api_key: secrets.apiKey } } },
    bearer: { toolkit: 'acme', credential: { authScheme: 'BEARER_TOKEN', val: { token: secrets.token } } },
    basic: {
      toolkit: 'acme',
      credential: { authScheme: 'BASIC', val: { username: 'ann', password: secrets.password } },
    },
    expired: {
      toolkit: 'acme',
      credential: { authScheme: 'OAUTH2', val: { access_token: secrets.token, expires_in: 1 } },
    },
  };
  const ids: string[] = [];
  for (const [userId, account] of Object.entries(accounts)) {
    const imported = await gateway.connectedAccounts.import({ userId, ...account });
    lookInto('an imported account', imported);
    ids.push(imported.id);
  }
  lookInto('the list of accounts', await gateway.connectedAccounts.list());

  const made: NewApiKey = await gateway.apiKeys.create({ name: 'canary' });
  lookFor('key of the port', made.key);
  lookInto('the list of API keys', await gateway.apiKeys.list());
  const { url: baseURL } = await gateway.listen();
  const clients = {
    'in process': new Composio({ gateway }),
    'over HTTP': new Composio({ apiKey: made.key, baseURL, maxRetries: 0 }),
  };

  let succeeded = 0;
  let failed = 0;
  const attempt = async (what: string, call: () => unknown) => {
    try {
      lookInto(`the response of ${what}`, await call());
      succeeded++;
    } catch (error) {
      assert.ok(error instanceof ComposioError || error === 'enough', inspect(error));
      lookInto(`the error of ${what}`, error);
      failed++;
    }
  };

  for (const [way, composio] of Object.entries(clients)) {
    lookInto(`a client ${way}`, composio);
    for (const [userId, { toolkit }] of Object.entries(accounts)) {
      const session = await composio.create(userId);
      lookInto(`a session ${way}`, { session, config: session.config, id: session.sessionId });
      for (const endpoint of ENDPOINTS) {
        for (const method of ['GET', 'POST'] as const) {
          // With POST this redirect is not followed. The API's response is returned unchanged.
          if (endpoint === '/quoting-redirect' && method === 'POST') continue;
          const call: ProxyExecuteRequest = { toolkit, endpoint, method };
          await attempt(`${method} ${endpoint} ${way}`, () => session.proxyExecute(call, { timeout: 2_000 }));
        }
      }
      const hang = { toolkit, endpoint: '/hang', method: 'GET' } as const;
      await attempt(`a timeout ${way}`, () => session.proxyExecute(hang, { timeout: 50 }));
      const signal = AbortSignal.timeout(50);
      const aborted = new AbortController();
      signal.addEventListener('abort', () => aborted.abort('enough'));
      await attempt(`an abort ${way}`, () => session.proxyExecute(hang, { signal: aborted.signal }));
    }
    for (const connectedAccountId of ids) {
      const call = { connectedAccountId, endpoint: '/ok', method: 'GET' } as const;
      await attempt(`tools ${way}`, () => composio.tools.proxyExecute(call));
    }
    // Credentials in a call, some of them unusable.
    const given = [
      { authScheme: 'BEARER_TOKEN', toolkitSlug: 'acme', val: { token: secrets.token } },
      { authScheme: 'BEARER_TOKEN', toolkitSlug: 'acme', val: { token: `${secrets.token}\n` } },
      { authScheme: 'BEARER_TOKEN', toolkitSlug: 'acme', val: { wrong: secrets.token } },
      { authScheme: secrets.token, toolkitSlug: 'acme', val: { token: secrets.token } },
      { authScheme: 'BASIC', toolkitSlug: 'acme', val: { token: secrets.token, base_url: secrets.password } },
      { authScheme: 'BASIC', toolkitSlug: 'acme', val: { [secrets.token]: { nested: secrets.password } } },
    ];
    for (const customConnectionData of given) {
      const call = { customConnectionData, endpoint: '/ok', method: 'GET' } as const;
      await attempt(`given credentials ${way}`, () => composio.tools.proxyExecute(call));
    }
  }

  for (const [what, val] of Object.entries({
    'a field with a line break': { token: `${secrets.token}\r\nX: y` },
    'a field of another name': { tokn: secrets.token },
    'a text instead of fields': secrets.token,
  })) {
    const credential = { authScheme: 'BEARER_TOKEN', val: val as Record<string, unknown> };
    await attempt(`an import of ${what}`, () =>
      gateway.connectedAccounts.import({ userId: 'ann', toolkit: 'acme', credential }),
    );
  }
  await attempt('a list by a cursor', () => gateway.connectedAccounts.list({ cursor: 'x' }));
  await attempt('a wrong key', () => new Composio({ apiKey: `${made.key}x`, baseURL }).create('ann'));
  const elsewhere = new Composio({ apiKey: made.key, baseURL: `${upstream.origin}/quoting`, maxRetries: 0 });
  await attempt('a backend that quotes the key', () => elsewhere.create('ann'));
  const nowhere = new Composio({ apiKey: made.key, baseURL: 'http://127.0.0.1:1', maxRetries: 0 });
  await attempt('a backend that is not there', () => nowhere.create('ann'));
  await attempt('an API key with a line break', () => new Composio({ apiKey: `${made.key}\n`, baseURL }));
  const wrong = { store, encryptionKey: `00${encryptionKey.slice(2)}` };
  await attempt('a wrong encryption key', () => Gateway.open(wrong));
  await attempt('a broken encryption key', () => Gateway.open({ store, encryptionKey: encryptionKey.slice(1) }));
  lookInto('the gateway', gateway);

  const whileOpen = await lookIntoStore('while it is open');
  await gateway.close();
  lookInto('the closed gateway', gateway);
  await attempt('a call on a closed gateway', () => clients['in process'].create('ann'));
  await lookIntoStore('once it is closed');

  await upstream.close();
  await rm(folder, { recursive: true });
  // Printed as by a program that logs everything.
  console.log(gateway, clients);
  console.error(inspect({ gateway, clients }, { depth: null, showHidden: true }));
  console.log(`RESULT ${JSON.stringify({ found, succeeded, failed, whileOpen })}`);
}

const ENDPOINTS = [
  '/ok',
  '/refused',
  '/failing',
  '/text',
  '/file',
  '/broken',
  '/reset',
  '/cut',
  '/hang',
  '/redirect',
  '/to-another-host',
  '/quoting-redirect',
  'https://elsewhere.example/ok',
  '/../ok',
];

/** An API that does not quote its requests, because that would be its own leak. */
function answer(upstream: Upstream): void {
  upstream.on('/base/ok', (response) => sendJson(response, 200, '{"ok":true}'));
  upstream.on('/base/refused', (response) => sendJson(response, 401, '{"message":"bad credentials"}'));
  upstream.on('/base/failing', (response) => sendJson(response, 500, '{}'));
  upstream.on('/base/text', (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('text'));
  upstream.on('/base/file', (response) => response.writeHead(200, { 'content-type': 'image/png' }).end('\0'));
  upstream.on('/base/broken', (response) => sendJson(response, 200, '{'));
  upstream.on('/base/reset', (response) => response.socket?.resetAndDestroy());
  upstream.on('/base/cut', (response) => response.socket?.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}'));
  upstream.on('/base/hang', () => {});
  upstream.on('/base/redirect', (response) => response.writeHead(302, { location: '/base/ok' }).end());
  upstream.on('/base/to-another-host', (response) =>
    response.writeHead(307, { location: 'http://localhost:1/' }).end(),
  );
  // Redirects to another host with the caller's key in the URL, as some APIs do.
  upstream.on('/base/quoting-redirect', (response, { url, headers }) => {
    const key = headers['x-api-key'] ?? headers.authorization ?? url;
    response.writeHead(302, { location: `https://elsewhere.example/?key=${encodeURIComponent(String(key))}` }).end();
  });
  upstream.on('/quoting/api/v3.1/tool_router/session', (response, { headers }) =>
    sendJson(response, 401, JSON.stringify({ error: { message: `The key ${headers['x-api-key']} is not valid.` } })),
  );
}

main();
