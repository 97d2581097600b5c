/**
 * The gateway itself: its accounts, keys, port and store, and how it is opened and closed.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import {
  APIConnectionError,
  AuthenticationError,
  BadRequestError,
  Composio,
  ComposioConnectedAccountNotFoundError,
  ComposioError,
  ComposioToolkitNotFoundError,
  type ConnectedAccount,
  Gateway,
  type GatewayOptions,
  InternalServerError,
  type ListConnectedAccounts,
  NotFoundError,
} from '../index.js';
import { acme, connect, openGateway } from './support/acme';
import { rejection, timed, until } from './support/expect';
import { portToComeBackTo } from './support/ports';
import { sendJson, Upstream } from './support/upstream';

const CALL = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;
const KEY = 'ab'.repeat(32);

let upstream: Upstream;

before(async () => {
  upstream = await Upstream.start();
});

after(() => upstream.close());

beforeEach(() => {
  upstream.received.length = 0;
});

describe('connected accounts', () => {
  let gateway: Gateway;

  beforeEach(async () => {
    gateway = await openGateway(upstream.port);
  });

  afterEach(() => gateway.close());

  it('are imported, and show everything but their credential', async () => {
    const from = Date.now() - 1;
    const credential = { authScheme: 'BASIC', val: { username: 'ann', password: 'canary' } };
    const account = await gateway.connectedAccounts.import({
      userId: 'user 1/ä',
      toolkit: 'acme',
      credential,
      alias: 'work',
    });
    const { id, createdAt, updatedAt, wordId, authConfig, ...rest } = account;
    assert.match(id, /^ca_\w{16,}$/);
    assert.match(String(wordId), /^acme_[a-z]+-[a-z]+/);
    assert.match(authConfig.id, /^ac_\w{16,}$/);
    assert.deepEqual([authConfig.authScheme, authConfig.isDisabled], ['BASIC', false]);
    assert.deepEqual(rest, {
      userId: 'user 1/ä',
      toolkit: { slug: 'acme' },
      status: 'ACTIVE',
      statusReason: null,
      isDisabled: false,
      isDefault: false,
      alias: 'work',
      experimental: { accountType: 'PRIVATE' },
      state: { authScheme: 'BASIC', val: { status: 'ACTIVE', username: 'REDACTED', password: 'REDACTED' } },
    });
    const at = Date.parse(createdAt);
    assert.ok(at >= from && at <= Date.now() && createdAt === updatedAt && createdAt === new Date(at).toISOString());
    assert.deepEqual(await gateway.connectedAccounts.get(id), account);
    assert.ok(!JSON.stringify(account).includes('canary'));
  });

  it('are refused if no call could use them', async () => {
    const given = (toolkit: string, authScheme: string, val: Record<string, unknown>) => () =>
      gateway.connectedAccounts.import({ userId: 'ann', toolkit, credential: { authScheme, val } });
    const invalid = { status: 400, slug: 'InvalidRequest' };
    await rejection(given('acmee', 'BASIC', {}), ComposioToolkitNotFoundError, {
      slug: 'ToolkitNotFound',
      names: /`acmee`/,
    });
    await rejection(given('acme', 'NO_AUTH', {}), BadRequestError, {
      ...invalid,
      names: /`acme` has no auth scheme NO_AUTH; it has .*BASIC/,
    });
    await rejection(given('acme', 'basic', {}), BadRequestError, { ...invalid, names: /`credential`/, fix: /BASIC/ });
    await rejection(given('acme', 'BASIC', { password: 'p' }), BadRequestError, {
      ...invalid,
      names: /`val\.username` for toolkit `acme`.*missing/,
    });
    await rejection(given('acme', 'API_KEY', { api_key: 'canary\n' }), BadRequestError, {
      ...invalid,
      names: /`val\.api_key` for toolkit `acme`.*character/,
    });
    await rejection(given('acme', 'API_KEY', { api_key: '' }), BadRequestError, { ...invalid, names: /missing/ });
    await rejection(given('shopify', 'OAUTH2', { access_token: 't', subdomain: 'evil.test/' }), BadRequestError, {
      ...invalid,
      names: /toolkit `shopify`/,
    });
    assert.deepEqual((await gateway.connectedAccounts.list()).items, []);
  });

  it('are listed page by page, the latest first', async () => {
    const made: ConnectedAccount[] = [];
    for (let index = 0; index < 45; index++) {
      const toolkit = index % 3 === 0 ? 'acme_query' : 'acme';
      const credential = { authScheme: 'API_KEY', val: { api_key: `k${index}` } };
      made.unshift(await gateway.connectedAccounts.import({ userId: `user ${index % 2}`, toolkit, credential }));
    }
    const ids = (accounts: ConnectedAccount[]) => accounts.map(({ id }) => id);

    const first = await gateway.connectedAccounts.list();
    assert.equal(first.items.length, 20);
    assert.ok(first.nextCursor);

    for (const limit of [1, 7, 45, 1_000]) {
      const { items, lengths } = await allPages(gateway, { limit });
      assert.deepEqual(ids(items), ids(made));
      assert.ok(lengths.slice(0, -1).every((length) => length === limit));
    }

    const only = async (filter: ListConnectedAccounts, expected: (account: ConnectedAccount) => boolean) => {
      const { items } = await allPages(gateway, { limit: 10, ...filter });
      assert.deepEqual(ids(items).sort(), ids(made.filter(expected)).sort());
    };
    await only({ userIds: ['user 1'] }, ({ userId }) => userId === 'user 1');
    await only({ userIds: ['user 1', 'user 0'] }, () => true);
    await only({ toolkitSlugs: ['acme_query'] }, ({ toolkit }) => toolkit.slug === 'acme_query');
    await only(
      { userIds: ['user 0'], toolkitSlugs: ['acme'] },
      ({ userId, toolkit }) => userId === 'user 0' && toolkit.slug === 'acme',
    );
    await only({ statuses: ['ACTIVE'] }, () => true);
    await only({ statuses: ['EXPIRED', 'REVOKED'] }, () => false);
    await only({ userIds: ["' OR 1=1 --"] }, () => false);

    await rejection(() => gateway.connectedAccounts.list({ cursor: 'nonsense' }), BadRequestError, {
      status: 400,
      slug: 'InvalidRequest',
      names: /^cursor: /,
    });
  });

  it('are disabled and enabled again', async () => {
    const id = await connect(gateway, 'ann');
    const session = await new Composio({ gateway }).create('ann');
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await gateway.connectedAccounts.disable(id), { success: true });
      const disabled = await gateway.connectedAccounts.get(id);
      assert.deepEqual([disabled.isDisabled, disabled.status], [true, 'INACTIVE']);
      await rejection(() => session.proxyExecute(CALL), BadRequestError, { slug: 'ToolRouterV2_NoActiveConnection' });
      assert.deepEqual(await gateway.connectedAccounts.disable(id), { success: true });
      await gateway.connectedAccounts.enable(id);
      const enabled = await gateway.connectedAccounts.get(id);
      assert.deepEqual([enabled.isDisabled, enabled.status], [false, 'ACTIVE']);
      assert.ok(enabled.updatedAt >= disabled.updatedAt);
      assert.equal((await session.proxyExecute(CALL)).status, 200);
    }
  });

  it('are replaced by an older one when they are disabled', async () => {
    await connect(gateway, 'ann', 'older');
    const newer = await connect(gateway, 'ann', 'newer');
    const session = await new Composio({ gateway }).create('ann');
    await gateway.connectedAccounts.disable(newer);
    await session.proxyExecute(CALL);
    assert.equal(upstream.last.headers['x-api-key'], 'older');
  });

  it('are deleted once', async () => {
    const id = await connect(gateway, 'ann');
    const session = await new Composio({ gateway }).create('ann');
    assert.deepEqual(await gateway.connectedAccounts.delete(id), { success: true });
    const gone = { status: 404, code: 1803, slug: 'ConnectedAccountNotFound', names: new RegExp(id), fix: /list\(\)/ };
    await rejection(() => gateway.connectedAccounts.delete(id), ComposioConnectedAccountNotFoundError, gone);
    await rejection(() => gateway.connectedAccounts.get(id), ComposioConnectedAccountNotFoundError, gone);
    await rejection(() => gateway.connectedAccounts.enable(id), ComposioConnectedAccountNotFoundError, gone);
    await rejection(() => gateway.connectedAccounts.disable(id), ComposioConnectedAccountNotFoundError, gone);
    assert.deepEqual((await gateway.connectedAccounts.list()).items, []);
    await rejection(() => session.proxyExecute(CALL), BadRequestError, { slug: 'ToolRouterV2_NoActiveConnection' });
    assert.deepEqual(upstream.received, []);
  });
});

describe('API keys', () => {
  it('are created, listed without their secret, and revoked', async () => {
    await using gateway = await openGateway(upstream.port);
    assert.deepEqual(await gateway.apiKeys.list(), []);
    const permissions = { proxy_execute: 'write', sessions: 'read_write' } as const;
    const { key, ...made } = await gateway.apiKeys.create({ name: 'worker', permissions });
    const { key: other, ...plain } = await gateway.apiKeys.create();
    assert.match(key, /^ak_\w{32,}$/);
    assert.notEqual(key, other);
    assert.deepEqual(
      [made.name, made.permissions, made.lastUsedAt, made.revokedAt],
      ['worker', permissions, null, null],
    );
    assert.deepEqual([plain.name, plain.permissions], [null, null]);
    const byId = <T extends { id: string }>(keys: T[]) => [...keys].sort((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual(byId(await gateway.apiKeys.list()), byId([made, plain]));

    await connect(gateway, 'ann');
    const { url: baseURL } = await gateway.listen();
    const session = await new Composio({ apiKey: key, baseURL }).create('ann');
    assert.equal((await session.proxyExecute(CALL)).status, 200);
    const used = (await gateway.apiKeys.list()).find(({ id }) => id === made.id);
    assert.ok(Date.now() - Date.parse(used?.lastUsedAt ?? '') < 60_000);

    assert.equal(await gateway.apiKeys.revoke(made.id), undefined);
    await rejection(() => session.proxyExecute(CALL), AuthenticationError, { status: 401, slug: 'InvalidApiKey' });
    const revoked = (await gateway.apiKeys.list()).find(({ id }) => id === made.id);
    assert.ok(Date.now() - Date.parse(revoked?.revokedAt ?? '') < 60_000);
    await rejection(() => gateway.apiKeys.revoke(made.id), NotFoundError, { status: 404, names: new RegExp(made.id) });
    await rejection(() => gateway.apiKeys.revoke('key_none'), NotFoundError, { status: 404, names: /`key_none`/ });
    // The other gateway still works.
    await new Composio({ apiKey: other, baseURL }).use(session.sessionId);
  });
});

describe('a port', () => {
  it('has a URL, and is reachable from this machine only', async () => {
    await using gateway = await Gateway.open();
    const { url, host, port } = await gateway.listen();
    assert.equal(host, '127.0.0.1');
    assert.ok(port > 0);
    assert.equal(url, `http://127.0.0.1:${port}`);
    const named = await gateway.listen({ host: 'localhost' });
    assert.ok(['127.0.0.1', '::1'].includes(named.host), named.host);
  });

  it('that is in use is refused by its number', async () => {
    const port = await portToComeBackTo();
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    await using gateway = await Gateway.open();
    const error = await rejection(() => gateway.listen({ port }), ComposioError, {
      slug: 'InvalidOption',
      names: new RegExp(`127\\.0\\.0\\.1.*${port}.*in use`),
      fix: /port 0/,
    });
    assert.equal(error.status, undefined);
    server.close();
    await once(server, 'close');
    assert.equal((await gateway.listen({ port })).port, port);
    await rejection(() => gateway.listen({ port }), ComposioError, { slug: 'InvalidOption' });
  });

  it('at an address of another machine is refused', async () => {
    await using gateway = await Gateway.open();
    for (const host of ['192.0.2.1', 'no-such-host.invalid']) {
      await rejection(() => gateway.listen({ host }), ComposioError, {
        slug: 'InvalidOption',
        names: new RegExp(host.replaceAll('.', '\\.')),
        fix: /host/,
      });
    }
    assert.ok((await gateway.listen()).port);
  });

  it('serves several at once', async () => {
    await using gateway = await openGateway(upstream.port);
    await connect(gateway, 'ann');
    const { key: apiKey } = await gateway.apiKeys.create();
    const [one, two] = [await gateway.listen(), await gateway.listen()];
    const session = await new Composio({ apiKey, baseURL: one.url }).create('ann');
    const same = await new Composio({ apiKey, baseURL: two.url }).use(session.sessionId);
    assert.equal((await same.proxyExecute(CALL)).status, 200);
  });

  it('responds to an unknown path with an error that names it', async () => {
    await using gateway = await Gateway.open();
    const { url } = await gateway.listen();
    const { key } = await gateway.apiKeys.create();
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const session = '/api/v3.1/tool_router/session';
    const cases: [path: string, init: RequestInit, status: number, slug: string][] = [
      ['/nothing', {}, 404, 'NotFound'],
      ['/', { method: 'POST' }, 405, 'MethodNotAllowed'],
      ['/api/v3.1/tools', {}, 501, 'NotSupported'],
      ['/api/v4/tool_router/session', { method: 'POST' }, 404, 'NotFound'],
      [session, { method: 'PUT' }, 405, 'MethodNotAllowed'],
      [session, { method: 'POST', body: '{}', headers: {} }, 401, 'InvalidApiKey'],
      [session, { method: 'POST', body: '{' }, 400, 'InvalidRequest'],
      [session, { method: 'POST', body: '{}' }, 400, 'InvalidRequest'],
      [session, { method: 'POST', body: '{"user_id":"ann","unknown":1}' }, 400, 'InvalidRequest'],
    ];
    for (const [path, init, status, slug] of cases) {
      const response = await fetch(url + path, { headers, ...init });
      const { error } = (await response.json()) as { error: Record<string, unknown> };
      assert.deepEqual([response.status, error.status, error.slug], [status, status, slug], path);
      assert.ok(error.message && error.request_id === response.headers.get('x-request-id'));
    }
  });
});

describe('closing', () => {
  it('happens once for all callers', async () => {
    await using gateway = await Gateway.open();
    await gateway.listen();
    await Promise.all([gateway.close(), gateway.close(), gateway.close()]);
    await gateway.close();
    await gateway[Symbol.asyncDispose]();
    await rejection(() => gateway.connectedAccounts.list(), APIConnectionError, { slug: 'GatewayClosed' });
  });

  it('is triggered by await using', async () => {
    let outer: Gateway;
    let url: string;
    {
      await using gateway = await Gateway.open();
      outer = gateway;
      url = (await gateway.listen()).url;
      assert.equal((await fetch(url)).status, 200);
    }
    await rejection(() => outer.apiKeys.list(), APIConnectionError, { slug: 'GatewayClosed' });
    await assert.rejects(fetch(url));
  });

  it('waits for calls in flight', async () => {
    await using gateway = await openGateway(upstream.port);
    await connect(gateway, 'ann');
    const { url: baseURL } = await gateway.listen();
    const { key: apiKey } = await gateway.apiKeys.create();
    const sessions = await Promise.all(
      [new Composio({ gateway }), new Composio({ apiKey, baseURL, maxRetries: 0 })].map((composio) =>
        composio.create('ann'),
      ),
    );
    const release: (() => void)[] = [];
    upstream.on('/base/slow', (response) => release.push(() => sendJson(response, 200, '"late"')));
    const calls = sessions.map((session) => session.proxyExecute({ ...CALL, endpoint: '/slow' }));
    await until('both calls are in flight', () => release.length === 2);
    let closed = false;
    const closing = gateway.close().then(() => {
      closed = true;
    });
    await rejection(() => sessions[0]?.proxyExecute(CALL) ?? Promise.resolve(), APIConnectionError, {
      slug: 'GatewayClosed',
    });
    assert.ok(!closed);
    for (const answer of release) answer();
    for (const call of calls) assert.equal((await call).data, 'late');
    await closing;
  });

  it('cuts off calls that take longer than 5 seconds', async () => {
    await using gateway = await openGateway(upstream.port);
    await connect(gateway, 'ann');
    const session = await new Composio({ gateway }).create('ann');
    let hungUp = false;
    upstream.on('/base/never', (response) => response.on('close', () => (hungUp = true)));
    const sent = upstream.received.length;
    const call = rejection(() => session.proxyExecute({ ...CALL, endpoint: '/never' }), APIConnectionError, {
      slug: 'CallCutOff',
    });
    await until('the call is in flight', () => upstream.received.length > sent);
    await timed(8_000, () => gateway.close());
    await call;
    await until('the connection is given up', () => hungUp);
  });
});

describe('a store in a file', () => {
  let folder: string;
  let store: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'proxy-execute-'));
    store = join(folder, 'gateway.db');
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('keeps accounts, sessions and keys', async () => {
    await using first = await openGateway(upstream.port, { store, encryptionKey: KEY });
    const id = await connect(first, 'ann', 'kept');
    await first.connectedAccounts.disable(id);
    await first.connectedAccounts.enable(id);
    const account = await first.connectedAccounts.get(id);
    const { key: apiKey } = await first.apiKeys.create({ name: 'kept' });
    const { sessionId, config } = await new Composio({ gateway: first }).create('ann', { toolkits: ['acme'] });
    await first.close();

    // The same key in another notation.
    const encryptionKey = Buffer.from(KEY, 'hex').toString('base64');
    await using second = await openGateway(upstream.port, { store, encryptionKey });
    assert.deepEqual(await second.connectedAccounts.get(id), account);
    assert.equal((await second.apiKeys.list())[0]?.name, 'kept');
    const { url: baseURL } = await second.listen();
    const session = await new Composio({ apiKey, baseURL }).use(sessionId);
    assert.deepEqual(session.config, config);
    await session.proxyExecute(CALL);
    assert.equal(upstream.last.headers['x-api-key'], 'kept');
  });

  it('is shared by several open gateways', async () => {
    const options = { store, encryptionKey: KEY };
    await using one = await openGateway(upstream.port, options);
    await using two = await openGateway(upstream.port, options);
    const id = await connect(one, 'ann', 'shared');
    const { sessionId } = await new Composio({ gateway: one }).create('ann');
    const session = await new Composio({ gateway: two }).use(sessionId);
    await session.proxyExecute(CALL);
    assert.equal(upstream.last.headers['x-api-key'], 'shared');
    await one.connectedAccounts.disable(id);
    // The change takes effect at once here, and within 100 ms in the other gateway.
    const here = await new Composio({ gateway: one }).use(sessionId);
    const refused = { slug: 'ToolRouterV2_NoActiveConnection' };
    await rejection(() => here.proxyExecute(CALL), BadRequestError, refused);
    await until('the other gateway has noticed', () =>
      session.proxyExecute(CALL).then(
        () => false,
        () => true,
      ),
    );
    await rejection(() => session.proxyExecute(CALL), BadRequestError, refused);
    // Both gateways write at once, and no write is lost.
    await Promise.all(Array.from({ length: 40 }, (_, index) => connect(index % 2 ? one : two, `user ${index}`)));
    assert.equal((await two.connectedAccounts.list({ limit: 1_000 })).items.length, 41);
    await one.close();
    assert.equal((await two.connectedAccounts.get(id)).isDisabled, true);
  });

  it('in memory belongs to one gateway', async () => {
    await using one = await openGateway(upstream.port);
    await using two = await openGateway(upstream.port);
    const id = await connect(one, 'ann');
    await rejection(() => two.connectedAccounts.get(id), ComposioConnectedAccountNotFoundError);
    const { key: apiKey } = await one.apiKeys.create();
    const { url: baseURL } = await two.listen();
    await rejection(() => new Composio({ apiKey, baseURL }).create('ann'), AuthenticationError);
  });
});

describe('toolkits from files', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'proxy-execute-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  const toml = (port: number, slug = 'acme') => `
slug = "${slug}"
name = "Acme"
base_url = "http://127.0.0.1:${port}/base"

[schemes.API_KEY]
headers = { x-api-key = "{{api_key}}" }
`;

  async function write(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  }

  const open = (...toolkits: string[]) => Gateway.open({ toolkits, allowPrivateHosts: [`127.0.0.1:${upstream.port}`] });

  it('are read: one file, or a folder of files', async () => {
    const file = await write('acme.toml', toml(upstream.port));
    await mkdir(join(folder, 'more'));
    await write('more/other.toml', toml(upstream.port, 'other'));
    await write('more/readme.txt', 'no toolkit');
    await using gateway = await open(file, join(folder, 'more'));
    for (const toolkit of ['acme', 'other']) {
      const credential = { authScheme: 'API_KEY', val: { api_key: `key of ${toolkit}` } };
      await gateway.connectedAccounts.import({ userId: 'ann', toolkit, credential });
      const session = await new Composio({ gateway }).create('ann', { toolkits: [toolkit] });
      await session.proxyExecute({ ...CALL, toolkit });
      assert.equal(upstream.last.headers['x-api-key'], `key of ${toolkit}`);
    }
  });

  it('take precedence over the built-in ones', async () => {
    const file = await write('github.toml', toml(upstream.port, 'github'));
    await using gateway = await open(file);
    const credential = { authScheme: 'API_KEY', val: { api_key: 'of my own' } };
    await gateway.connectedAccounts.import({ userId: 'ann', toolkit: 'github', credential });
    await (await new Composio({ gateway }).create('ann')).proxyExecute({ ...CALL, toolkit: 'github' });
    assert.equal(upstream.last.headers['x-api-key'], 'of my own');
  });

  it('that are invalid are refused by file, field and reason', async () => {
    const good = toml(upstream.port);
    const cases: [name: string, text: string, names: RegExp][] = [
      ['syntax.toml', 'slug = ', /line 1/],
      ['unknown.toml', `colour = "red"\n${good}`, /colour/],
      ['type.toml', good.replace('"Acme"', '5'), /name|string/],
      ['missing.toml', good.replace(/base_url.*\n/, ''), /base_url/],
      ['url.toml', good.replace('http://', 'gopher://'), /base_url: must begin with https/],
      ['scheme.toml', good.replace('API_KEY', 'APIKEY'), /schemes\.APIKEY: is not an auth scheme/],
      [
        'header.toml',
        good.replace('x-api-key', '"x api key"'),
        /schemes\.API_KEY\.headers\.x api key: is not a header/,
      ],
      ['template.toml', good.replace('}}"', '"'), /schemes\.API_KEY\.headers\.x-api-key/],
    ];
    for (const [name, text, names] of cases) {
      const path = await write(name, text);
      const error = await rejection(() => open(path), ComposioError, { slug: 'InvalidToolkit', names });
      assert.ok(error.message.includes(path), error.message);
    }
    const path = join(folder, 'not-there.toml');
    const error = await rejection(() => open(path), ComposioError, { slug: 'InvalidToolkit' });
    assert.ok(error.message.includes(path), error.message);
    // The error about a folder lists each faulty file in it.
    await rejection(() => open(folder), ComposioError, { slug: 'InvalidToolkit', names: /\.toml/ });
    await (await open(await write('good.toml', good))).close();
  });
});

describe('private addresses', () => {
  it('are called only if an option allows them', async () => {
    for (const allowPrivateHosts of [undefined, [], ['127.0.0.2'], [`127.0.0.1:${upstream.port + 1}`], ['localhost']]) {
      await using gateway = await Gateway.open({ toolkits: [acme(upstream.port)], allowPrivateHosts });
      await connect(gateway, 'ann');
      const session = await new Composio({ gateway }).create('ann');
      const before = upstream.connections;
      await rejection(() => session.proxyExecute(CALL), BadRequestError, {
        status: 400,
        code: 10403,
        slug: 'AddressRefused',
        names: /127\.0\.0\.1.*Nothing was sent/,
        fix: /allowPrivateHosts/,
      });
      assert.equal(upstream.connections, before);
    }
    await using gateway = await Gateway.open({ toolkits: [acme(upstream.port)], allowPrivateHosts: ['127.0.0.1'] });
    await connect(gateway, 'ann');
    assert.equal((await (await new Composio({ gateway }).create('ann')).proxyExecute(CALL)).status, 200);
  });

  it('are allowed separately for accounts, bodies and redirects', async () => {
    const host = `127.0.0.1:${upstream.port}`;
    upstream.on('/base/away', (response) =>
      response.writeHead(302, { location: `http://localhost:${upstream.port}/` }).end(),
    );
    const val = { api_key: 'k', base_url: `http://${host}/base` };
    const open = async (options: GatewayOptions) => {
      const gateway = await Gateway.open({ toolkits: [acme(upstream.port)], ...options });
      await connect(gateway, 'ann');
      return gateway;
    };
    const calls = {
      'github=': (gateway: Gateway) =>
        new Composio({ gateway }).tools.proxyExecute({
          endpoint: '/me',
          method: 'GET',
          customConnectionData: { toolkitSlug: 'github', authScheme: 'BEARER_TOKEN', val: { ...val, token: 't' } },
        }),
      allowPrivateBodies: async (gateway: Gateway) =>
        (await new Composio({ gateway }).create('ann')).proxyExecute({
          ...CALL,
          method: 'POST',
          binaryBody: { url: `http://${host}/base/me` },
        }),
      allowPrivateRedirects: async (gateway: Gateway) =>
        (await new Composio({ gateway }).create('ann')).proxyExecute({ ...CALL, endpoint: '/away' }),
    };
    {
      await using gateway = await open({ allowPrivateHosts: [host, 'localhost'] });
      for (const [names, call] of Object.entries(calls)) {
        await rejection(() => call(gateway), BadRequestError, { slug: 'AddressRefused', fix: new RegExp(names) });
      }
    }
    await using gateway = await open({
      allowPrivateHosts: [host, `github=${host}`],
      allowPrivateBodies: [host],
      allowPrivateRedirects: ['localhost'],
    });
    for (const call of Object.values(calls)) assert.ok((await call(gateway)).status < 500);
  });
});

describe('limits of the gateway', () => {
  it('are exact to the byte', async () => {
    await using gateway = await openGateway(upstream.port, { maxResponseBytes: 1_000 });
    await connect(gateway, 'ann');
    const session = await new Composio({ gateway }).create('ann');
    const fits = JSON.stringify('x'.repeat(998));
    upstream.on('/base/fits', (response) => sendJson(response, 200, fits));
    upstream.on('/base/over', (response) => sendJson(response, 200, `${fits} `));
    assert.equal((await session.proxyExecute<string>({ ...CALL, endpoint: '/fits' })).data.length, 998);
    await rejection(() => session.proxyExecute({ ...CALL, endpoint: '/over' }), InternalServerError, {
      status: 502,
      slug: 'UpstreamTooLarge',
      names: /1000 bytes/,
      fix: /maxResponseBytes/,
    });
  });
});

/** All pages of a list, and the number of accounts on each. */
async function allPages(
  gateway: Gateway,
  filter: ListConnectedAccounts,
): Promise<{ items: ConnectedAccount[]; lengths: number[] }> {
  const items: ConnectedAccount[] = [];
  const lengths: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await gateway.connectedAccounts.list({ ...filter, cursor });
    items.push(...page.items);
    lengths.push(page.items.length);
    cursor = page.nextCursor ?? undefined;
    assert.ok(lengths.length < 100, 'the pages do not end');
  } while (cursor !== undefined);
  return { items, lengths };
}
