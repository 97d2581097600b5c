/**
 * `migrate composio` in its own process: from a stand-in for the hosted backend into a store that a gateway serves, and
 * on to the calls of a user that has connected again.
 */

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Composio } from '../index.js';
import { sendJson, Upstream } from './support/upstream';
import { send, sendError, VENDOR_KEY, Vendor, vendorAccount, vendorConfig, vendorSession } from './support/vendor';

const PROGRAM = join(__dirname, '..', 'bin', 'proxy-execute.js');
const KEY = '0123456789abcdef'.repeat(4);
const SECRET = 'canary-of-the-client';

interface Part {
  there: string;
  id: string | null;
  isMade: boolean;
  left?: string;
}

interface Result {
  from: string;
  dryRun: boolean;
  authConfigs: (Part & { name: string; redirectUri?: string })[];
  accounts: (Part & { userId: string })[];
  sessions: Part[];
  links: { userId: string; url: string; expiresAt: string; accounts: { id: string; url: string; toolkit: string }[] }[];
}

describe('migrate composio', () => {
  let folder: string;
  let upstream: Upstream;
  let vendor: Vendor;
  let serving: ChildProcessWithoutNullStreams;
  let url: string;
  /** All output of the command. It must hold no secret. */
  let traces = '';

  const keys = vendorConfig('ac_keys', 'acme', 'API_KEY', { name: 'Acme, by key' });
  const managed = vendorConfig('ac_managed', 'acme_oauth', 'OAUTH2', {
    type: 'default',
    is_composio_managed: true,
    credentials: { scopes: 'orders.read,orders.write' },
  });
  const own = vendorConfig('ac_own', 'acme_oauth', 'OAUTH2', {
    name: 'Our client',
    credentials: { client_id: 'their-client', client_secret: 'REDACTED', scopes: ['orders.read'] },
  });
  const gone = vendorConfig('ac_gone', 'frobnicate', 'API_KEY');
  const off = vendorConfig('ac_off', 'acme', 'API_KEY', { status: 'DISABLED', name: 'Old' });
  const limited = vendorConfig('ac_limited', 'acme', 'API_KEY', {
    name: 'Reading only',
    tool_access_config: { tools_available_for_execution: ['ACME_GET_ORDERS'] },
  });
  const none = vendorConfig('ac_none', 'hackernews', 'NO_AUTH');
  const saml = vendorConfig('ac_saml', 'acme', 'SAML');
  const withRegion = { state: { authScheme: 'API_KEY', val: { status: 'ACTIVE', api_key: 'REDACTED', region: 'eu' } } };
  const acl = { allow_all_users: false, allowed_user_ids: ['ann'], not_allowed_user_ids: ['eve'] };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-migrate-'));
    [upstream, vendor] = await Promise.all([Upstream.start(), Vendor.start()]);
    writeFileSync(
      join(folder, 'acme.toml'),
      `slug = "acme"
name = "Acme"
base_url = "${upstream.origin}/{{region}}"
[fields.region]
description = "Where the data is"
[schemes.API_KEY]
headers = { x-api-key = "{{api_key}}" }
`,
    );
    writeFileSync(
      join(folder, 'oauth.toml'),
      `slug = "acme_oauth"
name = "Acme Mail"
base_url = "${upstream.origin}/mail"
[schemes.OAUTH2]
headers = { Authorization = "Bearer {{access_token}}" }
[schemes.OAUTH2.authorization_server]
authorize_url = "https://provider.example/authorize"
token_url = "${upstream.origin}/token"
`,
    );
    writeFileSync(
      join(folder, 'clients.json'),
      JSON.stringify({ acme_oauth: { client_id: 'the-client', client_secret: SECRET } }),
    );
    upstream.on('/token', (response, { body }) => {
      const form = new URLSearchParams(body);
      const isRight = form.get('code') === 'the-code' && form.get('client_secret') === SECRET;
      sendJson(response, isRight ? 200 : 400, isRight ? '{"access_token":"mail-token"}' : '{"error":"invalid_grant"}');
    });
    vendor.authConfigs = [keys, managed, own, gone, off, limited, none, saml];
    vendor.accounts = [
      vendorAccount('ca_work', 'ann', keys, { alias: 'work', ...withRegion }),
      vendorAccount('ca_mail', 'ann', managed),
      vendorAccount('ca_bob', 'bob', keys, withRegion),
      vendorAccount('ca_team', 'team', keys, {
        experimental: { account_type: 'SHARED', acl_config_for_shared: acl },
      }),
      vendorAccount('ca_own', 'dan', own),
      vendorAccount('ca_expired', 'cat', keys, { status: 'EXPIRED', status_reason: 'Max auth failures reached' }),
      vendorAccount('ca_gone', 'ann', gone),
      vendorAccount('ca_off', 'ann', off),
      vendorAccount('ca_comma', 'a,b', keys),
      vendorAccount('ca_disabled', 'ann', keys, { status: 'INACTIVE', is_disabled: true }),
      vendorAccount('ca_limited', 'ann', limited),
    ];
    vendor.sessions = {
      trs_ann: vendorSession('ann', {
        toolkits: { enabled: ['acme', 'acme_oauth'] },
        connected_accounts: { acme: ['ca_work'] },
        auth_configs: { acme_oauth: 'ac_managed' },
        manage_connections: { enabled: true, callback_url: 'https://app.example.com/back' },
      }),
      trs_shared: vendorSession('ann', {
        toolkits: { disabled: ['github'] },
        connected_accounts: { acme: ['ca_team'] },
      }),
      trs_limited: vendorSession('ann', { toolkits: { enabled: ['acme'] }, tools: { acme: { enabled: ['ACME_X'] } } }),
      trs_lost: vendorSession('ann', { connected_accounts: { acme: ['ca_off'] } }),
    };
    const args = ['serve', '--port', '0', '--json', '--allow-private-host', `127.0.0.1:${upstream.port}`];
    serving = start([...args, '--store', 'moved.db', ...TOOLKITS], {});
    const ended = once(serving, 'close').then(() => assert.fail('serve ended, and printed nothing'));
    const [line] = await Promise.race([once(serving.stdout.setEncoding('utf8'), 'data'), ended]);
    // From here on, its end is not a failure.
    ended.catch(() => {});
    url = JSON.parse(line).url;
  });

  afterEach(() => vendor.reset());

  after(async () => {
    if (serving.exitCode === null) {
      serving.kill('SIGTERM');
      await once(serving, 'close');
    }
    await Promise.all([upstream.close(), vendor.close()]);
    rmSync(folder, { recursive: true });
  });

  const TOOLKITS = ['--toolkit', 'acme.toml', '--toolkit', 'oauth.toml'];

  function start(args: string[], env: Record<string, string>): ChildProcessWithoutNullStreams {
    const { PATH = '' } = process.env;
    return spawn(process.execPath, [PROGRAM, ...args], {
      cwd: folder,
      env: { PATH, PROXY_EXECUTE_ENCRYPTION_KEY: KEY, ...env },
    });
  }

  async function run(args: string[], env: Record<string, string> = {}) {
    const child = start(args, { COMPOSIO_API_KEY: VENDOR_KEY, COMPOSIO_BASE_URL: vendor.url, ...env });
    child.stdin.end();
    const texts = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
    const [code] = await once(child, 'close');
    const [stdout = '', stderr = ''] = await Promise.all(texts);
    traces += stdout + stderr;
    return { code: code as number, stdout, stderr };
  }

  const migrate = (...args: string[]) => ['migrate', 'composio', ...args, ...TOOLKITS];
  const clients = ['--clients', 'clients.json'];

  async function moved(args: string[], env = {}): Promise<Result> {
    const { code, stdout, stderr } = await run([...args, '--json'], env);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  const part = <P extends Part>(parts: P[], there: string): P =>
    parts.find((candidate) => candidate.there === there) ?? assert.fail(`${there} is missing`);
  const leftOf = (parts: Part[]) => Object.fromEntries(parts.map(({ there, left }) => [there, left]));

  /** Asserts that the command fails with one line that says why. */
  async function fails(args: string[], code: number, why: RegExp, env = {}): Promise<void> {
    const ended = await run(args, env);
    assert.match(ended.stderr, why);
    const lines = ended.stderr.trim().split('\n').length;
    assert.deepEqual([ended.code, ended.stdout, lines], [code, '', 1], ended.stderr);
    assert.ok(ended.stderr.startsWith('error: '));
  }

  describe('with --dry-run', () => {
    it('says what would be made, what would not, and why, and makes nothing', async () => {
      const args = migrate('--dry-run', '--public-url', 'https://gw.example.com', '--store', 'none.db');
      const result = await moved([...args, '--session', 'trs_ann', '--session', 'trs_none']);
      assert.deepEqual([result.dryRun, result.from, result.links], [true, new URL(vendor.url).host, []]);
      const configs = leftOf(result.authConfigs);
      assert.equal(configs.ac_keys, undefined);
      const register = /register an OAuth client with the redirect URI https:\/\/gw\.example\.com\/connect\/callback/;
      assert.match(`${configs.ac_managed}`, /uses a client of the hosted backend; /);
      assert.match(`${configs.ac_managed}`, register);
      assert.match(`${configs.ac_own}`, /its client secret is not shown there; /);
      assert.match(`${configs.ac_gone}`, /no toolkit `frobnicate` here; .*--toolkit/);
      assert.match(`${configs.ac_off}`, /disabled there/);
      assert.match(`${configs.ac_limited}`, /allows some tools only.*--ignore-restrictions/);
      assert.match(`${configs.ac_none}`, /`hackernews` needs no account/);
      assert.match(`${configs.ac_saml}`, /authenticates by API_KEY here, not by SAML/);
      const accounts = leftOf(result.accounts);
      assert.deepEqual([accounts.ca_work, accounts.ca_bob, accounts.ca_team], [undefined, undefined, undefined]);
      assert.match(`${accounts.ca_mail}`, /its auth config ac_managed is left out/);
      assert.match(`${accounts.ca_expired}`, /it is EXPIRED there/);
      assert.match(`${accounts.ca_disabled}`, /it is INACTIVE there/);
      assert.match(`${accounts.ca_comma}`, /has a comma/);
      const sessions = leftOf(result.sessions);
      assert.match(`${sessions.trs_ann}`, /names auth config ac_managed, which is not moved/);
      assert.match(`${sessions.trs_none}`, /has no such session/);
      assert.ok([...result.authConfigs, ...result.accounts].every(({ id, isMade }) => id === null && !isMade));
      assert.deepEqual(
        [existsSync(join(folder, 'none.db')), existsSync(join(folder, 'none.db.composio.jsonl'))],
        [false, false],
      );
    });

    it('needs no key of the store, and says it in a table', async () => {
      const { code, stdout, stderr } = await run(migrate('--dry-run', ...clients, '--store', 'none.db'), {
        PROXY_EXECUTE_ENCRYPTION_KEY: '',
      });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^127\.0\.0\.1:\d+ has 8 auth configs and 11 accounts of 6 users\.$/m);
      assert.match(stderr, /^ac_keys +acme +API_KEY +Acme, by key +3 +would be made$/m);
      assert.match(stderr, /^ac_gone +frobnicate +API_KEY .* 0 +left out$/m);
      assert.match(stdout, /^Left out: 1 account \(ca_expired\): it is EXPIRED there\.$/m);
      assert.match(
        stdout,
        /^Would be made: 3 auth configs and 5 accounts\. Here before: 0 auth configs and 0 accounts\.$/m,
      );
    });

    it('moves some users, or one toolkit', async () => {
      const ofBob = await moved(migrate('--dry-run', '--user', 'bob', '--store', 'none.db'));
      assert.deepEqual(
        [ofBob.accounts.map(({ there }) => there), ofBob.authConfigs.map(({ there }) => there)],
        [['ca_bob'], ['ac_keys']],
      );
      const ofMail = await moved(migrate('acme_oauth', '--dry-run', ...clients, '--store', 'none.db'));
      assert.deepEqual(
        [ofMail.accounts.map(({ there }) => there), ofMail.authConfigs.map(({ there }) => there)],
        [
          ['ca_mail', 'ca_own'],
          ['ac_managed', 'ac_own'],
        ],
      );
      // A backend that ignores the filter, and repeats an item.
      const all = [...vendor.accounts, vendor.accounts[0]];
      vendor.on('/connected_accounts', (response) => send(response, 200, { items: all, next_cursor: '' }));
      const chosen = await moved(migrate('acme', '--dry-run', '--user', 'bob', '--user', 'team', '--store', 'none.db'));
      assert.deepEqual(
        chosen.accounts.map(({ there }) => there),
        ['ca_bob', 'ca_team'],
      );
    });
  });

  describe('into a store that a gateway serves', () => {
    let first: Result;
    const args = () => [
      ...migrate('--store', 'moved.db', '--public-url', url, ...clients),
      ...['--session', 'trs_ann', '--session', 'trs_shared', '--session', 'trs_limited', '--session', 'trs_lost'],
    ];
    const inStore = async (...args: string[]) => {
      const { stdout } = await run([...args, '--store', 'moved.db', '--json', ...TOOLKITS]);
      return JSON.parse(stdout);
    };

    before(async () => {
      first = await moved([...args(), '--links', 'links.jsonl', '--callback-url', 'http://127.0.0.1:1/done']);
    });

    it('makes auth configs, accounts and sessions', async () => {
      assert.deepEqual(
        first.authConfigs.filter(({ isMade }) => isMade).map(({ there }) => there),
        ['ac_keys', 'ac_managed', 'ac_own'],
      );
      assert.deepEqual(
        first.accounts.filter(({ isMade }) => isMade).map(({ there }) => there),
        ['ca_work', 'ca_mail', 'ca_bob', 'ca_team', 'ca_own'],
      );
      const { items } = await inStore('accounts', 'list');
      const here = (there: string) =>
        items.find(({ id }: { id: string }) => id === part(first.accounts, there).id) ?? assert.fail(there);
      const work = here('ca_work');
      assert.deepEqual(
        [work.userId, work.alias, work.status, work.authConfig.authScheme, work.state.val.region],
        ['ann', 'work', 'INITIALIZING', 'API_KEY', 'eu'],
      );
      assert.deepEqual(here('ca_team').experimental, {
        accountType: 'SHARED',
        aclConfigForShared: { allowAllUsers: false, allowedUserIds: ['ann'], notAllowedUserIds: ['eve'] },
      });
      assert.equal(part(first.authConfigs, 'ac_keys').id, work.authConfig.id);
      const sessions = leftOf(first.sessions);
      assert.match(`${sessions.trs_limited}`, /its `tools` restrict it.*--ignore-restrictions/);
      assert.match(`${sessions.trs_lost}`, /names account ca_off, which is not moved/);
      assert.deepEqual([sessions.trs_ann, sessions.trs_shared], [undefined, undefined]);
    });

    it('records the ids, and writes a link for each user', async () => {
      const recorded = readFileSync(join(folder, 'moved.db.composio.jsonl'), 'utf8').trim().split('\n');
      const made = [...first.authConfigs, ...first.accounts, ...first.sessions].filter(({ isMade }) => isMade);
      assert.deepEqual(
        new Set(recorded.map((line) => JSON.parse(line).there)),
        new Set(made.map(({ there }) => there)),
      );
      const links: Result['links'] = readFileSync(join(folder, 'links.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.deepEqual(links, first.links);
      if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'links.jsonl')).mode & 0o777, 0o600);
      assert.deepEqual(links.map(({ userId }) => userId).toSorted(), ['ann', 'bob', 'dan', 'team']);
      const ann = links.find(({ userId }) => userId === 'ann') ?? assert.fail();
      assert.deepEqual(
        ann.accounts.map(({ toolkit }: { toolkit: string }) => toolkit),
        ['acme', 'acme_oauth'],
      );
      assert.equal(ann.url, ann.accounts[0]?.url);
      const left = Date.parse(ann.expiresAt) - Date.now();
      assert.ok(left > 86_000_000 && left <= 86_400_000, `${left} ms`);
    });

    it('makes nothing in a second run, and keeps the links', async () => {
      const second = await moved(args().filter((arg) => !arg.startsWith('--public-url') && arg !== url));
      const all = (result: Result) => [...result.authConfigs, ...result.accounts, ...result.sessions];
      assert.deepEqual(
        all(second).filter(({ isMade }) => isMade),
        [],
      );
      assert.deepEqual(
        all(second).map(({ there, id }) => [there, id]),
        all(first).map(({ there, id }) => [there, id]),
      );
      assert.deepEqual(second.links, []);
      assert.equal((await inStore('accounts', 'list')).totalItems, 5);
      const told = await run(args());
      assert.match(told.stdout, /^An earlier run made 5 accounts that no user has connected yet\. --new-links makes/m);
      assert.match(
        told.stdout,
        /^Made: 0 auth configs and 0 accounts\. Here before: 3 auth configs, 5 accounts, and 2 sessions\.$/m,
      );
    });

    it('finds what is here without the record', async () => {
      const again = await moved([...args().slice(0, -8), '--ids', 'other.jsonl']);
      assert.deepEqual(
        again.accounts.map(({ there, id }) => [there, id]),
        first.accounts.map(({ there, id }) => [there, id]),
      );
      assert.deepEqual(
        [...again.authConfigs, ...again.accounts].filter(({ isMade }) => isMade),
        [],
      );
    });

    it('leads a user by one link through all accounts, and the session there calls with them', async () => {
      const ann = first.links.find(({ userId }) => userId === 'ann') ?? assert.fail();
      const browser = new Browser();
      const keyPage = await browser.open(ann.url);
      assert.match(keyPage, /<h1>Connect Acme<\/h1>/);
      assert.doesNotMatch(keyPage, /name="region"/);
      const second = await browser.submit(ann.url, { api_key: 'the-key-of-ann' });
      const mailUrl = new URL(`${second}`);
      mailUrl.search = '';
      assert.equal(mailUrl.href, ann.accounts[1]?.url);
      assert.match(await browser.open(`${second}`), /<h1>Connect Acme Mail<\/h1>/);
      const asked = new URL(`${await browser.submit(`${second}`, {})}`);
      assert.equal(asked.host, 'provider.example');
      assert.equal(asked.searchParams.get('scope'), 'orders.read orders.write');
      const callback = new URL(`${asked.searchParams.get('redirect_uri')}`);
      callback.search = `${new URLSearchParams({ code: 'the-code', state: `${asked.searchParams.get('state')}` })}`;
      const done = new URL(`${await browser.follow(callback.href)}`);
      assert.deepEqual(
        [done.origin + done.pathname, done.searchParams.get('status'), done.searchParams.get('connected_account_id')],
        ['http://127.0.0.1:1/done', 'success', part(first.accounts, 'ca_mail').id],
      );
      const apiKey = (await run(['keys', 'create', '--store', 'moved.db'])).stdout.trim();
      const composio = new Composio({ apiKey, baseURL: url });
      const session = await composio.use(`${part(first.sessions, 'trs_ann').id}`);
      assert.equal(session.userId, 'ann');
      assert.deepEqual(session.config.connected_accounts, { acme: [part(first.accounts, 'ca_work').id] });
      const { status } = await session.proxyExecute({ toolkit: 'acme', endpoint: '/orders', method: 'GET' });
      assert.deepEqual(
        [status, upstream.last.url, upstream.last.headers['x-api-key']],
        [200, '/eu/orders', 'the-key-of-ann'],
      );
      const mail = await session.proxyExecute({ toolkit: 'acme_oauth', endpoint: '/inbox', method: 'GET' });
      assert.deepEqual([mail.status, upstream.last.headers.authorization], [200, 'Bearer mail-token']);
    });

    it('makes new links with --new-links, for accounts that are not connected only', async () => {
      const again = await moved([...args(), '--new-links']);
      assert.deepEqual(again.links.map(({ userId }) => userId).toSorted(), ['bob', 'dan', 'team']);
      assert.deepEqual(
        again.accounts.filter(({ isMade }) => isMade),
        [],
      );
      const bob = (result: Result) => result.links.find(({ userId }) => userId === 'bob') ?? assert.fail();
      assert.equal(bob(again).accounts[0]?.id, part(first.accounts, 'ca_bob').id);
      assert.equal((await fetch(bob(first).url)).status, 404);
      assert.equal((await fetch(bob(again).url)).status, 200);
    });

    it('moves what was left out, when it can', async () => {
      const more = await moved([...args(), '--status', 'active', '--status', 'EXPIRED', '--ignore-restrictions']);
      assert.deepEqual(
        [...more.authConfigs, ...more.accounts, ...more.sessions]
          .filter(({ isMade }) => isMade)
          .map(({ there }) => there),
        ['ac_limited', 'ca_expired', 'ca_limited', 'trs_limited'],
      );
    });

    it('makes again what was deleted here', async () => {
      const id = `${part(first.accounts, 'ca_own').id}`;
      await run(['accounts', 'delete', id, '--store', 'moved.db']);
      const again = await moved(args());
      assert.deepEqual(
        again.accounts.filter(({ isMade }) => isMade).map(({ there }) => there),
        ['ca_own'],
      );
    });

    it('refuses a backend that is a gateway with this store', async () => {
      const key = (await run(['keys', 'create', '--store', 'moved.db'])).stdout.trim();
      await fails(args(), 2, /leads to a gateway with this store/, { COMPOSIO_API_KEY: key, COMPOSIO_BASE_URL: url });
    });
  });

  it('moves a gateway on a port into another store', async () => {
    const key = (await run(['keys', 'create', '--store', 'moved.db'])).stdout.trim();
    const env = { COMPOSIO_API_KEY: key, COMPOSIO_BASE_URL: url };
    const { authConfigs, accounts } = await moved(migrate('--dry-run', '--store', 'none.db'), env);
    assert.ok(authConfigs.some(({ name, left }) => name === 'Acme, by key' && left === undefined));
    assert.ok(accounts.some(({ userId, left }) => userId === 'ann' && left === undefined));
  });

  it('goes on after a run that was killed in the middle of a line', async () => {
    const store = ['--store', 'torn.db', '--public-url', 'https://gw.example.com'];
    const first = await moved(migrate('acme', ...store));
    appendFileSync(join(folder, 'torn.db.composio.jsonl'), '{"there":"ca_');
    const second = await moved(migrate('acme', ...store, '--status', 'ACTIVE', '--status', 'EXPIRED'));
    assert.deepEqual(
      second.accounts.filter(({ isMade }) => isMade).map(({ there }) => there),
      ['ca_expired'],
    );
    assert.ok(first.accounts.filter(({ isMade }) => isMade).length === 3);
    for (const line of readFileSync(join(folder, 'torn.db.composio.jsonl'), 'utf8').trim().split('\n'))
      JSON.parse(line);
  });

  it('asks for a client on a terminal, and does not show its secret', {
    skip: spawnSync('script', ['-V']).status !== 0 && 'there is no command `script` here, which makes a terminal',
  }, async () => {
    const args = migrate('acme_oauth', '--store', 'tty.db', '--public-url', 'https://gw.example.com');
    const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: folder,
      env: {
        ...process.env,
        PROXY_EXECUTE_ENCRYPTION_KEY: KEY,
        COMPOSIO_API_KEY: VENDOR_KEY,
        COMPOSIO_BASE_URL: vendor.url,
      },
      timeout: 30_000,
    });
    let shown = '';
    // The managed client first. The secret of the own client is left empty, so that it is left out.
    const inputs = [/client id: \S*$/, 'the-client\r', /client secret: $/, `${SECRET}\r`, /client secret: $/, '\r'];
    child.stdout.setEncoding('utf8').on('data', (text) => {
      shown += text;
      const [wanted, input] = inputs as [RegExp, string];
      if (wanted?.test(shown)) {
        inputs.splice(0, 2);
        child.stdin.write(input);
      }
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 0, shown);
    assert.match(shown, /Auth config ac_managed of acme_oauth needs an OAuth client of yours\./);
    assert.match(shown, /its redirect URI is https:\/\/gw\.example\.com\/connect\/callback/);
    assert.match(shown, /^Made: 1 auth config and 1 account\./m);
    assert.ok(!shown.includes(SECRET), shown);
  });

  describe('ends with one sentence', () => {
    const args = migrate('--dry-run', '--store', 'none.db');

    it('without a key, or with a wrong one', async () => {
      await fails(args, 2, /There is no API key: set COMPOSIO_API_KEY/, { COMPOSIO_API_KEY: '' });
      await fails(args, 1, /it refuses the key in COMPOSIO_API_KEY\. .*COMPOSIO_BASE_URL/, {
        COMPOSIO_API_KEY: 'ak_x',
      });
      vendor.on('/auth_configs', (response) => sendError(response, 403, 'Insufficient permissions', 'HTTP_Forbidden'));
      await fails(args, 1, /did not list the auth configs: .* may not read them\. .*may read auth configs/);
    });

    it('if the base URL is no backend', async () => {
      await fails(args, 1, /did not list the accounts: .*Run the command again\./, {
        COMPOSIO_BASE_URL: 'http://127.0.0.1:1',
      });
      await fails(args, 2, /COMPOSIO_BASE_URL is not an absolute URL/, { COMPOSIO_BASE_URL: 'foo' });
      vendor.on('/connected_accounts', (response) => response.end('<!doctype html>'));
      await fails(args, 1, /did not list the accounts: .* and HTML\. Check that COMPOSIO_BASE_URL/);
    });

    it('if the backend sends another form', async () => {
      for (const [items, why] of [
        ['many', /`items` is a string, and must be an array/],
        [[7], /`items\[0\]` is a number, and must be an object/],
        [[{ ...vendorAccount('ca_1', 'ann', keys), id: 7 }], /`items\[0\]\.id` is a number, and must be a string/],
        [[{ ...vendorAccount('ca_1', 'ann', keys), auth_config: null }], /`items\[0\]\.auth_config`/],
      ] as const) {
        vendor.on('/connected_accounts', (response) => send(response, 200, { items, next_cursor: null }));
        await fails(args, 1, why);
      }
    });

    it('if its pages form a loop, are too large, or do not end', async () => {
      const account = vendorAccount('ca_1', 'ann', keys);
      vendor.on('/connected_accounts', (response) => send(response, 200, { items: [account], next_cursor: 'again' }));
      await fails(args, 1, /the same cursor twice: the pages of its accounts form a loop\. Check/);
      vendor.on('/connected_accounts', (response) =>
        send(response, 200, { items: [account], next_cursor: 'x'.repeat(5_000) }),
      );
      await fails(args, 1, /a cursor of 5000 characters, and it may have 4096/);
      const many = Array.from({ length: 1_001 }, (_, index) => vendorAccount(`ca_${index}`, 'ann', keys));
      vendor.on('/connected_accounts', (response) => send(response, 200, { items: many, next_cursor: null }));
      await fails(args, 1, /a page of 1001 accounts, and a page may have 1000/);
      let page = 0;
      vendor.on('/connected_accounts', (response) =>
        send(response, 200, { items: [account], next_cursor: `cursor-${++page}` }),
      );
      await fails(args, 1, /has more than 100000 accounts, the limit\. Move one toolkit at a time/);
      assert.equal(page, 2_000);
    });

    it('if it limits the rate for longer than --timeout, and waits if not', async () => {
      let refused = 0;
      const limit = (seconds: string) => (response: import('node:http').ServerResponse) => {
        refused += 1;
        send(response, 429, { message: 'Rate limit exceeded.' }, { 'retry-after': seconds });
      };
      vendor.on('/connected_accounts', limit('60'));
      await fails([...args, '--timeout', '2'], 1, /it limits the rate .* in 60 seconds, or raise --timeout/);
      assert.equal(refused, 1);
      vendor.on('/connected_accounts', (response) => {
        vendor.reset();
        limit('1')(response);
      });
      assert.equal((await moved(args)).accounts.length, 11);
    });

    it('if it fails, or does not respond in time', async () => {
      vendor.on('/auth_configs', (response) => sendError(response, 500, 'Something broke', 'Internal'));
      await fails(args, 1, /did not list the auth configs: .*Something broke\. Run the command again\./);
      vendor.on('/auth_configs', () => {});
      await fails([...args, '--timeout', '1'], 1, /did not list the auth configs: .* did not respond within \d+ m?s\./);
    });

    it('if it redirects elsewhere, which gets no key', async () => {
      const before = upstream.received.length;
      vendor.on('/connected_accounts', (response) => {
        response.writeHead(307, { location: `http://localhost:${upstream.port}/steal` }).end();
      });
      await fails(args, 1, /redirect/);
      assert.equal(upstream.received.length, before);
    });

    it('with control characters of the backend escaped', async () => {
      vendor.on('/connected_accounts', (response) => sendError(response, 400, 'a\u001b[2Jb', 'Bad'));
      const { code, stderr } = await run(args);
      assert.deepEqual([code, stderr.includes('\u001b')], [1, false], stderr);
    });

    it('with a file or an option that cannot be used', async () => {
      writeFileSync(join(folder, 'list.json'), '[]');
      await fails([...args, '--clients', 'list.json'], 2, /--clients: list\.json must be a JSON object such as/);
      writeFileSync(join(folder, 'flat.json'), '{"gmail":"secret-of-gmail"}');
      await fails([...args, '--clients', 'flat.json'], 2, /--clients: `gmail` of flat\.json is not a client/);
      await fails([...args, '--clients', 'no.json'], 2, /--clients: no\.json cannot be read/);
      writeFileSync(join(folder, 'bad.jsonl'), '{"there":"a","here":"b"}\nhello\n');
      await fails([...args, '--ids', 'bad.jsonl'], 2, /--ids: line 2 of bad\.jsonl is not/);
      await fails([...args, '--links', 'list.json'], 2, /--links: list\.json exists/);
      await fails([...args, '--sessions', 'no.txt'], 2, /--sessions: no\.txt cannot be read/);
      await fails([...args, '--status', 'FAILED'], 2, /--status is one of ACTIVE, EXPIRED, INACTIVE/);
      await fails([...args, '--callback-url', 'javascript:alert(1)'], 2, /--callback-url is not an http or https URL/);
      await fails([...args, '--public-url', 'foo'], 2, /--public-url is not an http or https URL/);
      await fails([...args, '--user', 'a,b'], 2, /--user has a comma in it/);
      await fails(
        migrate('--store', 'no-url.db', ...clients),
        2,
        /--public-url is missing: .*http:\/\/127\.0\.0\.1:9900/,
      );
      await fails(['migrate'], 2, /`migrate` needs a second word: the known ones are composio/);
    });
  });

  it('takes sessions from a file', async () => {
    writeFileSync(join(folder, 'sessions.txt'), 'trs_limited\ntrs_none\n');
    const { sessions } = await moved(migrate('--dry-run', '--store', 'none.db', '--sessions', 'sessions.txt'));
    assert.deepEqual(
      sessions.map(({ there }) => there),
      ['trs_limited', 'trs_none'],
    );
  });

  it('leaves out parts that a backend describes wrongly, and moves the others', async () => {
    const odd = [
      { ...vendorAccount('ca_ok', 'ann', keys), alias: 7, state: { authScheme: 'API_KEY', val: 'text' } },
      { ...vendorAccount('ca_user', 'ann', keys), user_id: 7 },
      { ...vendorAccount('ca_long', 'ann', keys), user_id: 'x'.repeat(2_000) },
      { ...vendorAccount('ca_config', 'ann', keys), auth_config: { id: 'ac_unlisted', auth_scheme: 'API_KEY' } },
      { ...vendorAccount('ca_toolkit', 'ann', keys), toolkit: { slug: 'x'.repeat(200) } },
      {
        ...vendorAccount('ca_acl', 'ann', keys),
        experimental: {
          account_type: 'SHARED',
          acl_config_for_shared: { allowed_user_ids: Array.from({ length: 1_001 }, (_, index) => `user_${index}`) },
        },
      },
    ];
    vendor.on('/connected_accounts', (response) => send(response, 200, { items: odd, next_cursor: null }));
    const result = await moved(migrate('--store', 'odd.db', '--public-url', 'https://gw.example.com'));
    const accounts = leftOf(result.accounts);
    assert.equal(accounts.ca_ok, undefined);
    assert.match(`${accounts.ca_user}`, /has no user id/);
    assert.match(`${accounts.ca_long}`, /more than 1024 characters/);
    assert.match(`${accounts.ca_acl}`, /1001 entries/);
    assert.equal(part(result.accounts, 'ca_config').isMade, true);
  });

  it('has shown no secret', () => {
    assert.ok(traces.length > 1_000);
    for (const secret of [VENDOR_KEY, SECRET, KEY, 'secret-of-gmail']) assert.ok(!traces.includes(secret), secret);
    assert.ok(vendor.received.every(({ method }) => method === 'GET'));
  });
});

/** A browser with one cookie, which follows the `Refresh` of pages. */
class Browser {
  #cookie = '';
  #proof = '';

  /** Opens a page, and returns its HTML. */
  async open(url: string): Promise<string> {
    const response = await fetch(url, { headers: { cookie: this.#cookie } });
    this.#cookie = `${response.headers.get('set-cookie')}`.split(';', 1)[0] ?? '';
    const page = await response.text();
    this.#proof = /name="proof" value="(\w+)"/.exec(page)?.[1] ?? '';
    return page;
  }

  /** Submits the form of the open page, and returns the URL to which it leads. */
  async submit(url: string, fields: Record<string, string>): Promise<string | undefined> {
    const body = new URLSearchParams({ ...fields, proof: this.#proof });
    const response = await fetch(url, { method: 'POST', headers: { cookie: this.#cookie }, body });
    assert.equal(response.status, 200, await response.text());
    return response.headers.get('refresh')?.replace('0;url=', '');
  }

  /** Opens a URL, and returns the URL to which it leads. */
  async follow(url: string): Promise<string | undefined> {
    const response = await fetch(url, { headers: { cookie: this.#cookie } });
    assert.equal(response.status, 200, await response.text());
    return response.headers.get('refresh')?.replace('0;url=', '');
  }
}
