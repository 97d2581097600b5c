/**
 * The command `proxy-execute` in its own process, against an API on this machine.
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:https';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Composio } from '../index.js';
import { until } from './support/expect';
import { sendJson, Upstream } from './support/upstream';
import { makeCertificates } from './support/ways';

const PROGRAM = join(__dirname, '..', 'bin', 'proxy-execute.js');
const KEY = '0123456789abcdef'.repeat(4);
const SECRET = 'canary-of-the-command';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

describe('the command', () => {
  let folder: string;
  let upstream: Upstream;
  /** All output and arguments. They must hold no secret. */
  let traces = '';

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-cli-'));
    upstream = await Upstream.start();
    writeFileSync(
      join(folder, 'acme.toml'),
      `slug = "acme"
name = "Acme"
base_url = "${upstream.origin}/{{region}}"
[fields.region]
description = "Where the data is"
[schemes.API_KEY]
headers = { x-api-key = "{{api_key}}" }
[schemes.BASIC]
basic = { username = "{{username}}", password = "{{password}}" }
`,
    );
  });

  after(async () => {
    await upstream.close();
    rmSync(folder, { recursive: true });
  });

  /** The environment of the program: without settings for colours, and without a terminal. */
  function start(args: string[], env: Record<string, string>) {
    traces += `${args.join(' ')}\n`;
    return spawn(process.execPath, [PROGRAM, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, PROXY_EXECUTE_ENCRYPTION_KEY: KEY, ...env },
    });
  }

  /** The first output of a program that keeps running. If the program ends instead, the wait ends, too. */
  async function firstOf(child: ReturnType<typeof start>): Promise<string> {
    const ended = once(child, 'close').then(() => assert.fail('it ended, and printed nothing'));
    const [text] = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended]);
    // From here on, its end is not a failure.
    ended.catch(() => {});
    return text;
  }

  async function run(args: string[], input: string | Buffer = '', env = {}): Promise<Ended> {
    const child = start(args, env);
    child.stdin.on('error', () => {}).end(input);
    const texts = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
    const [code] = await once(child, 'close');
    const [stdout = '', stderr = ''] = await Promise.all(texts);
    traces += stdout + stderr;
    return { code, stdout, stderr };
  }

  /** The same, with the exit code 0. */
  async function done(args: string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await run(args, input);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  const json = async (args: string[], input = '') => JSON.parse(await done([...args, '--json'], input));
  const acme = (...args: string[]) => [...args, '--toolkit', 'acme.toml'];
  const call = (...args: string[]) =>
    acme('call', 'acme', ...args, '--allow-private-host', `127.0.0.1:${upstream.port}`);

  /** Asserts that a command line is refused with one line that says why. */
  async function refused(args: string[], why: RegExp, input: string | Buffer = ''): Promise<void> {
    const { code, stdout, stderr } = await run(args, input);
    assert.match(stderr, why);
    assert.deepEqual([code, stdout, stderr.trim().split('\n').length], [2, '', 1], stderr);
    assert.ok(stderr.startsWith('error: '));
  }

  describe('prints help', () => {
    const commands = [
      'init',
      'serve',
      'keys create',
      'keys list',
      'keys revoke',
      'connect',
      'accounts list',
      'accounts delete',
    ];
    commands.push(
      'accounts enable',
      'accounts disable',
      'accounts default',
      'accounts no-default',
      'auth-configs list',
      'auth-configs show',
      'auth-configs create',
      'auth-configs update',
      'auth-configs enable',
      'auth-configs disable',
      'auth-configs delete',
      'call',
      'toolkits list',
      'toolkits show',
      'calls',
      'users export',
      'users delete',
      'audit list',
      'audit verify',
    );
    commands.push('migrate composio', 'store check', 'store backup', 'store migrate', 'store copy', 'encryption-key');

    it('with all commands, the exit codes and examples', async () => {
      const help = await done(['--help']);
      for (const command of commands) assert.match(help, new RegExp(`^  ${command}\\b`, 'm'));
      for (const part of ['Exit codes:', 'Examples:', '--store <file>', '--json']) assert.ok(help.includes(part), part);
      assert.equal(await done(['help']), help);
      assert.match(await done(['keys', '--help']), /^ {2}keys revoke <id> /m);
      const { code, stderr } = await run([]);
      assert.deepEqual([code, stderr], [2, help]);
    });

    for (const command of commands) {
      it(`with \`${command}\`: its usage, its options and examples that it understands`, async () => {
        const help = await done([...command.split(' '), '--help']);
        assert.match(help, new RegExp(`^Usage: proxy-execute ${command}\\b`, 'm'));
        assert.match(help, new RegExp(`^  \\$ .*npx proxy-execute ${command}\\b`, 'm'));
        const described = new Set(Array.from(help.matchAll(/^ {2}(--[\w-]+)/gm), ([, option]) => option));
        const used = help.slice(help.indexOf('Examples:')).matchAll(/(--[\w-]+)/g);
        for (const [option] of used) assert.ok(described.has(option), option);
      });
    }

    it('with the version', async () => {
      const { version } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8'));
      assert.equal(await done(['--version']), `${version}\n`);
    });

    it('with the command that was probably meant', async () => {
      await refused(['conect', 'acme'], /did you mean `connect`\?/);
      await refused(['frobnicate'], /the known ones are `serve`, .*--help/);
      await refused(['keys'], /the known ones are create, list, revoke/);
      await refused(['keys', 'lst'], /did you mean `list`\?/);
      await refused(['calls', '--limt', '5'], /no option --limt: did you mean `--limit`\?/);
      await refused(['call', 'acme', 'GET', '/', '--usr', 'ann'], /did you mean `--user`\?/);
    });
  });

  describe('refuses', () => {
    it('missing and extra arguments, by name', async () => {
      await refused(['call', 'acme', 'GET'], /<endpoint> is missing/);
      await refused(['call', 'acme', 'GET', '/'], /--user is missing/);
      await refused(['calls', '--limit'], /--limit needs a value/);
      await refused(['calls', '--limit', 'many'], /--limit must be a whole number/);
      await refused(['calls', '--limit', '--store', 'x.db'], /--limit needs a value/);
      await refused(['calls', '--json=yes'], /--json takes no value/);
      await refused(['calls', '--format', 'xml'], /--format must be table, json, ndjson/);
      for (const time of ['yesterday', '7w', '2026-11-01T08:00', '2026-13-01']) {
        await refused(['calls', '--since', time], /--since must be an age such as 30m/);
      }
      await refused(['call', 'acme', 'GET', '/', '--user', 'a', '--user', 'b'], /--user appears twice/);
      await refused(['accounts', 'delete', 'ca_1', 'ca_2'], /too many arguments/);
    });

    it('a missing store, an invalid key, and no key', async () => {
      await refused(
        ['accounts', 'list', '--store', 'nowhere.db'],
        /There is no store at nowhere\.db: .*`keys create` create one/,
      );
      const { code, stderr } = await run(['keys', 'create'], '', { PROXY_EXECUTE_ENCRYPTION_KEY: '' });
      assert.equal(code, 2);
      assert.match(stderr, /Set PROXY_EXECUTE_ENCRYPTION_KEY .*`npx proxy-execute encryption-key` prints a new one/);
      await refused(['keys', 'create', '--encryption-key-file', 'no.key'], /no\.key cannot be read \(ENOENT\)/);
      const wrong = await run(['keys', 'create'], '', { PROXY_EXECUTE_ENCRYPTION_KEY: 'short' });
      assert.equal(wrong.code, 2);
      assert.match(
        wrong.stderr,
        /^error: The encryption key is not .*32 .*Create one with: npx proxy-execute encryption-key\n$/,
      );
    });

    it('arguments that the library refuses, in the words of the command', async () => {
      await refused(['serve', '--rate-limit', '0'], /: --rate-limit must be a whole number from 1 /);
      await refused(['serve', '--public-url', 'foo'], /: --public-url: `foo` is not an http or https URL/);
      await refused(['serve', '--callback-url', 'foo'], /: --callback-url: `foo` is not/);
      await refused(['serve', '--allow-private-host', 'a/b'], /: --allow-private-host: `a\/b` is not a host/);
      await refused(['serve', '--link-lifetime', '0'], /: --link-lifetime must be .* at least 1/);
      await refused(['serve', '--files-max-open', '1000001'], /: --files-max-open must be .* from 1 to 1000000/);
      writeFileSync(join(folder, 'short.key'), 'short\n', { mode: 0o600 });
      const short = /: --files-signing-key-file: .*32/;
      await refused(['serve', '--files-signing-key-file', 'short.key'], short);
      const verbose = await run(['serve'], '', { PROXY_EXECUTE_LOG: 'verbose' });
      assert.match(verbose.stderr, /^error: The variable PROXY_EXECUTE_LOG is one of off, .* trace\.\n$/m);
      await refused(['serve', '--log-level', 'verbose'], /: --log-level is one of off/);
      await refused(['serve', '--files', 's3:///prefix'], /: --files is a folder, or written --files s3:/);
      await refused(['serve', '--toolkit', 'no.toml'], /The toolkit in no\.toml cannot be used/);
      await refused(['keys', 'create', '--allow-address', 'foo'], /: --allow-address: `foo` is neither/);
      await refused(['accounts', 'list', '--status', 'FOO'], /: --status: `FOO` is not one of/);
      await refused(['accounts', 'list', '--limit', '0'], /: --limit must be a whole number of at least 1/);
      await refused(call('GET', '/', '--user', 'ann', '--timeout', '0'), /: --timeout must be .* at least 1/);
      for (const method of ['GET', 'head']) {
        await refused(
          call(method, '/', '--user', 'ann', '--data', '{}'),
          /--data cannot be sent with (GET|HEAD): .*--query/,
        );
      }
      await refused(['connect', 'hackernews', '--user', 'ann'], /`hackernews` needs no account/);
      await refused(['connect', 'hackernews', '--user', 'ann', '--scheme', 'no_auth'], /needs no account/);
      // The name of a file may look like a field.
      writeFileSync(join(folder, 'host.db'), 'no database');
      assert.match((await run(['keys', 'list', '--store', 'host.db'])).stderr, /^error: host\.db: /);
    });

    it('an address in use as a failure, because the command line is valid', async () => {
      const { code, stderr } = await run(['serve', '--port', `${upstream.port}`]);
      assert.deepEqual([code, /Choose another --host or --port/.test(stderr)], [1, true], stderr);
    });

    it('options without a command', async () => {
      await refused(['--frob'], /There is no option --frob: the known ones are `--config`/);
      const { code, stderr } = await run(['--json']);
      assert.deepEqual(
        [code, JSON.parse(stderr)],
        [2, { error: { message: 'There is no command. See proxy-execute --help.' } }],
      );
    });
  });

  it('encryption-key prints a key that opens a store, from a file too', async () => {
    const key = await done(['encryption-key']);
    assert.match(key, /^[0-9a-f]{64}\n$/);
    writeFileSync(join(folder, 'store.key'), key);
    await done(['keys', 'create', '--store', 'other.db', '--encryption-key-file', 'store.key']);
    const { code, stderr } = await run(['keys', 'list', '--store', 'other.db']);
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*another (encryption )?key/);
  });

  it('the key of .env in the current folder opens a store, after that of the environment', async () => {
    const key = 'fedcba9876543210'.repeat(4);
    const list = async (env: string) =>
      (await run(['keys', 'list', '--store', 'dotenv.db'], '', { PROXY_EXECUTE_ENCRYPTION_KEY: env })).code;
    const variables = [`PROXY_EXECUTE_ENCRYPTION_KEY="${key}"`, 'PROXY_EXECUTE_LOG=nope'];
    writeFileSync(join(folder, '.env'), variables.join('\n'));
    try {
      await run(['keys', 'create', '--store', 'dotenv.db'], '', { PROXY_EXECUTE_ENCRYPTION_KEY: '' });
      assert.deepEqual([await list(''), await list(key), await list(KEY)], [0, 0, 1]);
    } finally {
      rmSync(join(folder, '.env'));
    }
    assert.equal(await list(''), 2);
  });

  it('serve prints a command with a key source that a shell reads as it is', async () => {
    const command = `printf %s '${KEY}'`;
    const source = ['--store', 'source.db', '--encryption-key-command', command];
    const child = start(['serve', '--port', '0', ...source], { PROXY_EXECUTE_ENCRYPTION_KEY: '' });
    const text = await firstOf(child);
    child.kill('SIGTERM');
    await once(child, 'close');
    const quoted = `'printf %s '\\''${KEY}'\\'''`;
    assert.ok(text.includes(`keys create --store source.db --encryption-key-command ${quoted}\n`), text);
  });

  it('users exports and deletes what the gateway has of a user', async () => {
    const at = ['--store', 'users.db'];
    for (const user of ['ann', 'bob']) await done(['connect', 'stripe', '--user', user, ...at], 'the-secret\n');
    const lines = (await done(['users', 'export', 'ann', ...at]))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ kind }) => kind),
      ['connected_account', 'event'],
    );
    assert.equal(lines[0].record.user_id, 'ann');
    assert.ok(!JSON.stringify(lines).includes('the-secret'));
    assert.match(
      await done(['users', 'delete', 'ann', ...at]),
      /^Sessions deleted: 0\.\nAccounts deleted: 1, with 0 tokens revoked at the provider\.\n/,
    );
    const { userId, connectedAccounts } = await json(['users', 'delete', 'ann', ...at]);
    assert.deepEqual([userId, connectedAccounts], ['ann', 0]);
    assert.equal((await json(['accounts', 'list', ...at])).items.length, 1);
    await refused(['users', 'delete', 'x'.repeat(10_000), ...at], /user/);
  });

  it('audit lists administrative changes, and verifies that none was changed', async () => {
    const at = ['--store', 'audited.db'];
    for (const name of ['one', 'two', 'three']) await done(['keys', 'create', '--name', name, ...at]);
    const [key] = await json(['keys', 'list', ...at]);
    await done(['keys', 'revoke', key.id, ...at]);
    assert.match(
      await done(['audit', 'list', ...at]),
      new RegExp(`^NUMBER +AT +ACTOR +ACTION +TARGET\n4 +\\S+Z +owner +api_key\\.revoked +${key.id}\n3 `),
    );
    const page = await json(['audit', 'list', '--limit', '3', ...at]);
    assert.deepEqual([page.items.length, page.nextCursor], [3, '2']);
    const { items } = await json(['audit', 'list', '--cursor', page.nextCursor, ...at]);
    assert.deepEqual([items.length, items[0].action], [1, 'api_key.created']);
    assert.deepEqual((await json(['audit', 'list', '--since', '2130-01-31T00:00:00Z', ...at])).items, []);
    await refused(['audit', 'list', '--since', 'yesterday', ...at], /--since: is not a time such as/);
    await refused(['audit', 'list', '--limit', '1001', ...at], /--limit must be/);

    const { head, ...rest } = await json(['audit', 'verify', ...at]);
    assert.deepEqual(rest, { intact: true, entries: 4, broken: null, hasHead: null });
    assert.equal(head, page.items[0].hash);
    assert.equal(await done(['audit', 'verify', ...at]), `Intact entries: 4.\nHead: ${head}\n`);
    await done(['audit', 'verify', '--head', head, ...at]);
    const cut = await run(['audit', 'verify', '--head', '0'.repeat(64), ...at]);
    assert.deepEqual([cut.code, cut.stderr], [1, '']);
    assert.match(cut.stdout, /^The record does not have this head: .* Number of its entries: 4\.\n$/);
    await refused(['audit', 'verify', '--head', 'x', ...at], /--head: is not a hash/);
  });

  describe('store', () => {
    const at = ['--store', 'kept.db'];

    it('check says what an intact store has, and changes nothing', async () => {
      await done(['keys', 'create', ...at]);
      const before = readFileSync(join(folder, 'kept.db'));
      const { schemaVersion, ...counts } = await json(['store', 'check', ...at]);
      assert.ok(schemaVersion > 0);
      const { encryptionKeys, ...counted } = counts;
      const [{ keyId, ...rows }] = encryptionKeys;
      assert.match(keyId, /^[0-9a-f]{16}$/);
      assert.deepEqual(
        [encryptionKeys.length, rows],
        [1, { authConfigs: 0, accounts: 0, links: 0, webhookSubscriptions: 0, keyChecks: 1 }],
      );
      const expected = { store: 'kept.db', pendingMigrations: 0, accounts: 0, sessions: 0, apiKeys: 1, calls: 0 };
      assert.deepEqual(counted, expected);
      assert.match(
        await done(['store', 'check', ...at]),
        new RegExp(
          '^kept\\.db is intact, and the key opens it\\.\nSCHEMA +PENDING .*\n\\d+ +0 +0 +0 +1 +0\n\n' +
            `ENCRYPTION KEY +AUTH CONFIGS +ACCOUNTS +LINKS\n${keyId} +0 +0 +0\n$`,
        ),
      );
      assert.deepEqual(readFileSync(join(folder, 'kept.db')), before);
    });

    it('check says in one sentence what is wrong', async () => {
      const wrong = { PROXY_EXECUTE_ENCRYPTION_KEY: 'f'.repeat(64) };
      for (const [file, env, why] of [
        ['kept.db', wrong, /^error: kept\.db: the store was written with another encryption key\. .*\n$/],
        ['damaged.db', {}, /^error: damaged\.db: the file is damaged.*\n$/],
        ['acme.toml', {}, /^error: acme\.toml: .* not a SQLite database\. .*\n$/],
      ] as const) {
        const bytes = readFileSync(join(folder, 'kept.db'));
        writeFileSync(join(folder, 'damaged.db'), bytes.fill(0xaa, 4_096));
        const { code, stdout, stderr } = await run(['store', 'check', '--store', file], '', env);
        assert.deepEqual([code, stdout], [1, ''], stderr);
        assert.match(stderr, why);
      }
      await refused(['store', 'check', '--store', 'nowhere.db'], /There is no store at nowhere\.db/);
      await refused(['store'], /the known ones are check, backup/);
    });

    it('backup copies it without its key, while a gateway has it open', async () => {
      const child = start(['serve', '--port', '0', ...at], {});
      const ended = once(child, 'close');
      await firstOf(child);
      const { code, stdout, stderr } = await run(['store', 'backup', 'copy.db', ...at], '', {
        PROXY_EXECUTE_ENCRYPTION_KEY: '',
      });
      child.kill('SIGTERM');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^kept\.db is copied to copy\.db, \d+ bytes\.\n$/);
      if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'copy.db')).mode & 0o777, 0o600);
      assert.equal((await json(['keys', 'list', '--store', 'copy.db'])).length, 1);
      await refused(['store', 'backup', 'copy.db', ...at], /: <file>: copy\.db exists already\. Name a new file/);
      await refused(['store', 'backup', 'no/such.db', ...at], /: <file>: no\/such\.db cannot be created/);
      await refused(['store', 'backup', ...at], /<file> is missing/);
      const url = 'postgres://ann:canary@127.0.0.1:1/none';
      for (const [args, says] of [
        [['store', 'backup', 'copy.db', '--store', url], /pg_dump/],
        [['store', 'check', '--store', url], /^[^@]*postgres:\/\/127\.0\.0\.1:1\/none: the database is out of reach/],
        [['store', 'migrate', '--store', 'gateway.db'], /--store: is a file, which is migrated when it is opened/],
        [['store', 'copy', '--from', url, '--to', url], /--from is a file/],
      ] as const) {
        const { code, stderr } = await run([...args]);
        assert.notEqual(code, 0);
        assert.match(stderr, says);
        assert.doesNotMatch(stderr, /canary/);
      }
      await ended;
    });
  });

  describe('connect', () => {
    it('reads a single secret from standard input', async () => {
      const text = await done(acme('connect', 'acme', '--user', 'ann', '--field', 'region=eu'), `${SECRET}\n`);
      assert.match(text, /^ca_\w+ is ann's account of acme, by API_KEY\.\n$/);
    });

    it('reads several fields as JSON', async () => {
      const fields = JSON.stringify({ username: 'bob', password: SECRET, region: 'us' });
      const account = await json(acme('connect', 'acme', '--user', 'bob', '--scheme', 'basic', '--alias', 'b'), fields);
      assert.deepEqual([account.userId, account.authConfig.authScheme, account.alias], ['bob', 'BASIC', 'b']);
    });

    it('refuses a secret as an argument, and does not print it', async () => {
      const misplaced = 'misplaced-secret';
      for (const args of [[misplaced], ['--field', `api_key=${misplaced}`], ['--token', misplaced]]) {
        const child = spawnSync(process.execPath, [PROGRAM, ...acme('connect', 'acme', '--user', 'ann', ...args)], {
          cwd: folder,
          env: { PROXY_EXECUTE_ENCRYPTION_KEY: KEY },
          input: '',
          encoding: 'utf8',
        });
        assert.equal(child.status, 2);
        assert.ok(!`${child.stdout}${child.stderr}`.includes(misplaced), child.stderr);
      }
    });

    it('names the missing fields', async () => {
      const args = acme('connect', 'acme', '--user', 'ann');
      await refused(args, /JSON object with api_key, region \(or --field region=…\)/, SECRET);
      await refused([...args, '--field', 'reigon=eu'], /no field reigon; the known ones are region/);
      await refused([...args, '--scheme', 'OAUTH2'], /authenticates by .*API_KEY/);
      await refused([...args, '--field', 'region=eu'], /must be the secret/);
      const unknown = await run(['connect', 'nope', '--user', 'ann'], SECRET);
      assert.equal(unknown.code, 1);
      assert.match(unknown.stderr, /nope/);
    });

    it('prompts on a terminal, and does not show the secret', {
      skip: spawnSync('script', ['-V']).status !== 0 && 'there is no command `script` here, which makes a terminal',
    }, async () => {
      const args = acme('connect', 'acme', '--user', 'tty', '--field', 'region=eu');
      const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        cwd: folder,
        env: { ...process.env, PROXY_EXECUTE_ENCRYPTION_KEY: KEY },
        timeout: 20_000,
      });
      let shown = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        shown += text;
        if (shown.endsWith('api key: ')) child.stdin.write(`${SECRET}\r`);
      });
      const [code] = await once(child, 'close');
      assert.equal(code, 0, shown);
      // The note about opening the store appears only after a while, and is then erased.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the output for a terminal has these characters
      const told = shown.replace(/(?:\r\S Opening the store)+\r\x1B\[2K/u, '');
      assert.match(told, /^api key: \r\nca_\w+ is tty's account of acme/);
      assert.ok(!shown.includes(SECRET), shown);
    });
  });

  describe('connect, in a browser', () => {
    const OAUTH = ['connect', 'acme_oauth', '--user', 'ann', '--toolkit', 'oauth.toml', '--port', '0'];
    const CLIENT = JSON.stringify({ client_id: 'the-client', client_secret: SECRET });

    before(() => {
      upstream.on('/token', (response, { body }) => {
        const form = new URLSearchParams(body);
        const isRight = form.get('code') === 'the-code' && form.get('client_secret') === SECRET;
        sendJson(response, isRight ? 200 : 400, isRight ? '{"access_token":"t"}' : '{"error":"invalid_grant"}');
      });
      writeFileSync(
        join(folder, 'oauth.toml'),
        `slug = "acme_oauth"
name = "Acme"
base_url = "${upstream.origin}"
[schemes.OAUTH2]
headers = { Authorization = "Bearer {{access_token}}" }
[schemes.OAUTH2.authorization_server]
authorize_url = "https://provider.example/authorize"
token_url = "${upstream.origin}/token"
`,
      );
    });

    /** Starts the command, and goes through the browser's steps from the page that it prints. */
    async function connect(args: string[], input: string, code: string): Promise<Ended> {
      const child = start([...OAUTH, ...args, '--allow-private-host', `127.0.0.1:${upstream.port}`], {});
      child.stdin.end(input);
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text) => {
        stdout += text;
      });
      const page = new Promise<string>((resolve) => {
        child.stderr.setEncoding('utf8').on('data', (text) => {
          stderr += text;
          const [url] = /^http\S+$/m.exec(stderr) ?? [];
          if (url !== undefined && stderr.includes(`${url}\n`)) resolve(url);
        });
      });
      const ended = once(child, 'close');
      const url = await Promise.race([page, ended.then(() => Promise.reject(new Error(stderr)))]);
      const opened = await fetch(url);
      const cookie = `${opened.headers.get('set-cookie')}`.split(';', 1)[0] ?? '';
      const proof = /name="proof" value="(\w+)"/.exec(await opened.text())?.[1] ?? '';
      const body = new URLSearchParams({ proof });
      const onward = await fetch(url, { method: 'POST', headers: { cookie }, body });
      const asked = new URL(`${onward.headers.get('refresh')}`.replace('0;url=', '')).searchParams;
      const callback = new URL(`${asked.get('redirect_uri')}`);
      callback.search = `${new URLSearchParams({ code, state: `${asked.get('state')}` })}`;
      await fetch(callback, { headers: { cookie } });
      const [exit] = await ended;
      traces += stdout + stderr;
      return { code: exit, stdout, stderr };
    }

    it('names the gateway that uses its port', async () => {
      const { code, stderr } = await run([...OAUTH.slice(0, -1), `${upstream.port}`, '--store', 'taken.db']);
      const advice = new RegExp(
        `add --public-url http://127\\.0\\.0\\.1:${upstream.port}; else choose another --port\\.\\n$`,
      );
      assert.deepEqual([code, advice.test(stderr)], [1, true], stderr);
    });

    it('asks for a client once, and waits for the browser', async () => {
      const first = await connect([], CLIENT, 'the-code');
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stdout, /^ca_\w+ is ann's account of acme_oauth, by OAUTH2\.\n$/);
      assert.match(first.stderr, /its redirect URI is http:\/\/127\.0\.0\.1:\d+\/connect\/callback$/m);
      const second = await connect(['--alias', 'two'], '', 'the-code');
      assert.equal(second.code, 0, second.stderr);
      assert.doesNotMatch(second.stderr, /redirect URI/);
    });

    it("fails with the provider's reason", async () => {
      const { code, stdout, stderr } = await connect([], '', 'a-wrong-code');
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^error: Account ca_\w+ is FAILED: .*invalid_grant/m);
    });

    it('names the missing client', async () => {
      await refused([...OAUTH, '--store', 'empty.db', '--auth-config', ''], /--auth-config needs a value/);
      const { code, stderr } = await run([...OAUTH, '--store', 'empty.db'], 'not JSON');
      assert.deepEqual([code, /^error: .*client_id and client_secret/m.test(stderr)], [2, true], stderr);
      // The client of one installation names its host.
      const canvas = ['connect', 'canvas', '--scheme', 'oauth2', '--user', 'ann', '--port', '0', '--store', 'empty.db'];
      const lacking = await run(canvas, CLIENT);
      assert.match(lacking.stderr, /^error: .*client_id, client_secret, and domain/m);
    });
  });

  describe('call', () => {
    it("prints the body and, apart from it, the head, and exits by the API's status", async () => {
      const { code, stdout, stderr } = await run(call('get', '/me?a=1', '--user', 'ann', '--query', 'b=x y'));
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).url, '/eu/me?a=1&b=x%20y');
      assert.match(stderr, /^200\n(.*\n)*content-type: application\/json\n/);
      assert.equal(upstream.last.headers['x-api-key'], SECRET);
      upstream.on('/eu/gone', (response) => sendJson(response, 404, '{"why":"gone"}'));
      const gone = await run(call('GET', '/gone', '--user', 'ann'));
      assert.deepEqual([gone.code, gone.stdout], [1, '{"why":"gone"}']);
    });

    it('sends a body from a text, a file and standard input, to the last digit', async () => {
      const body = '{"id": 12345678901234567890}';
      writeFileSync(join(folder, 'body.json'), body);
      for (const data of [body, '@body.json', '-']) {
        const header = 'X-Note: a: b';
        const answer = await run(call('POST', '/new', '--user', 'ann', '--data', data, '--header', header), body);
        assert.equal(answer.code, 0, answer.stderr);
        assert.deepEqual([upstream.last.body, upstream.last.headers['x-note']], [body, 'a: b']);
      }
      await run(call('POST', '/new', '--user', 'ann', '--data', 'a=1', '--header', 'content-type:text/plain'));
      assert.equal(upstream.last.body, 'a=1');
      await refused(call('POST', '/new', '--user', 'ann', '--data', 'a=1'), /--data is not JSON/);
      await refused(call('POST', '/new', '--user', 'ann', '--data', '@no.json'), /--data: no\.json cannot be read/);
      await refused(call('FETCH', '/', '--user', 'ann'), /<method> cannot be 'FETCH'/);
      await refused(call('GET', '/', '--user', 'ann', '--header', 'x'), /--header is written --header name:value/);
    });

    it('sends bytes that are not UTF-8 text unchanged, from a file and standard input', async () => {
      const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0x50, 0x4b, 0, 0xff, 0xe9, 0x0a]);
      writeFileSync(join(folder, 'body.bin'), bytes);
      const types = [
        'application/zip',
        'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
        'application/vnd.oasis.opendocument.text',
        'text/plain; charset=iso-8859-1',
      ];
      for (const type of types) {
        for (const data of ['@body.bin', '-']) {
          await run(call('PUT', '/new', '--user', 'ann', '--data', data, '--header', `Content-Type:${type}`), bytes);
          const { headers } = upstream.last;
          assert.deepEqual([headers['content-type'], upstream.last.bytes], [type, bytes], data);
          // Bytes from standard input are streamed, so their number is not known beforehand.
          assert.equal(headers['content-length'] === undefined, data === '-' && !type.startsWith('text/'), type);
        }
      }
      const text = '\ufeffé\r\n';
      for (const type of ['text/csv', 'image/svg+xml', 'application/xml', 'application/x-www-form-urlencoded']) {
        await run(call('PUT', '/new', '--user', 'ann', '--data', '-', '--header', `Content-Type:${type}`), text);
        assert.equal(upstream.last.body, text, type);
      }
      await refused(call('PUT', '/new', '--user', 'ann', '--data', '@body.bin'), /--data is not JSON/);
      await refused(
        call('PUT', '/new', '--user', 'ann', '--data', '-'),
        /--data is not JSON/,
        Buffer.from('"\xe9"', 'latin1'),
      );
      const zip = ['--header', 'Content-Type:application/zip'];
      await refused(
        call('PUT', '/new', '--user', 'ann', '--data', '@no.zip', ...zip),
        /--data: no\.zip cannot be read/,
      );
      await refused(call('PUT', '/new', '--user', 'ann', '--data', '@.', ...zip), /--data: \. is a folder/);
    });

    it('sends a file of bytes, and writes a response to a file', async () => {
      const bytes = Buffer.from([0x25, 0x50, 0x44, 0x46, 0, 0xff]);
      upstream.on('/eu/report', (response) => {
        response.writeHead(200, { 'content-type': 'application/pdf' }).end(bytes);
      });
      const [source, output] = [join(folder, 'sent.bin'), join(folder, 'report.pdf')];
      writeFileSync(source, bytes);
      const type = ['--header', 'Content-Type:application/octet-stream'];
      const { stderr } = await run(
        call('PUT', '/report', '--user', 'ann', '--data', `@${source}`, ...type, '--output', output),
      );
      assert.equal(upstream.last.headers['content-length'], '6');
      assert.deepEqual(readFileSync(output), bytes);
      assert.match(stderr, /The body is in .*report\.pdf/);
    });

    it('writes any body to --output, and prints the rest', async () => {
      const body = '{"id": 12345678901234567890}';
      upstream.on('/eu/exact', (response) => sendJson(response, 200, body));
      upstream.on('/eu/broken', (response) =>
        response.writeHead(500, { 'content-type': 'text/plain' }).end('broken\n'),
      );
      upstream.on('/eu/none', (response) => response.writeHead(204).end());
      const output = join(folder, 'answer');
      const read = () => readFileSync(output, 'utf8');
      const args = ['--user', 'ann', '--output', output];
      const exact = await run(call('GET', '/exact', ...args));
      assert.deepEqual([exact.code, exact.stdout, read()], [0, '', body]);
      assert.match(exact.stderr, /^200\n(.*\n)*The body is in .*answer\.\n$/);
      const broken = await run(call('GET', '/broken', ...args));
      assert.deepEqual([broken.code, broken.stdout, read()], [1, '', 'broken\n']);
      const machine = JSON.parse((await run(call('GET', '/exact', ...args, '--json'))).stdout);
      assert.deepEqual([machine.status, machine.output, 'data' in machine, read()], [200, output, false, body]);
      assert.equal(machine.headers['content-type'], 'application/json');
      assert.equal((await run(call('GET', '/none', ...args))).code, 0);
      assert.equal(read(), '');
    });

    it('prints each value of a repeated header on its own line', async () => {
      upstream.on('/eu/cookies', (response) =>
        response
          .writeHead(204, ['Set-Cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'Set-Cookie', 'b=2'])
          .end(),
      );
      const { code, stderr } = await run(call('GET', '/cookies', '--user', 'ann'));
      assert.equal(code, 0);
      assert.match(stderr, /^set-cookie: a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT\nset-cookie: b=2$/m);
      assert.doesNotMatch(stderr, /\ufffd/);
    });

    it('calls nothing if --output cannot be written', async () => {
      const calls = upstream.received.length;
      const args = call('POST', '/new', '--user', 'ann');
      await refused([...args, '--output', 'nowhere/x'], /--output: the folder nowhere cannot be written to \(ENOENT\)/);
      await refused([...args, '--output', 'acme.toml/x'], /--output: the folder acme\.toml .*ENOTDIR/);
      await refused([...args, '--output', '.'], /--output: \. exists, but is not a file/);
      assert.equal(upstream.received.length, calls);
      // An error after the call shows the API's status, so that the user does not repeat a write.
      mkdirSync(join(folder, 'gone'));
      upstream.on('/eu/removes', (response) => {
        rmSync(join(folder, 'gone'), { recursive: true });
        sendJson(response, 201, '{}');
      });
      const late = await run(call('POST', '/removes', '--user', 'ann', '--output', 'gone/x'));
      assert.equal(late.code, 1);
      assert.match(
        late.stderr,
        /^error: The API responded with 201, but its body could not be written to gone\/x: ENOENT/,
      );
    });

    it('prints the whole response as JSON, with every digit', async () => {
      upstream.on('/eu/big', (response) => sendJson(response, 200, '{"id":12345678901234567890}'));
      const { code, stdout, stderr } = await run(call('GET', '/big', '--user', 'ann', '--json'));
      assert.deepEqual([code, stderr], [0, '']);
      const { status, headers } = JSON.parse(stdout);
      assert.deepEqual([status, headers['content-type']], [200, 'application/json']);
      assert.ok(stdout.includes('"data":{"id":12345678901234567890}'));
    });

    it('tells a user without an account how to connect one', async () => {
      const { code, stdout, stderr } = await run(call('GET', '/me', '--user', 'eve'));
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^error: .*Connect one with: npx proxy-execute connect acme --user eve\n$/);
      const machine = await run(call('GET', '/me', '--user', 'eve', '--json'));
      const { error } = JSON.parse(machine.stderr);
      assert.deepEqual([error.slug, error.status], ['ToolRouterV2_NoActiveConnection', 400]);
      assert.match(error.suggestedFix, /^Connect one with: npx /);
    });

    it('words advice as commands and options', async () => {
      const unnamed = await run(acme('call', 'acme', 'GET', '/me', '--user', 'ann'));
      assert.deepEqual(
        [unnamed.code, /allow it with --allow-private-host [\w.]+\.\n$/.test(unnamed.stderr)],
        [1, true],
      );
      assert.doesNotMatch(unnamed.stderr, /allowPrivateHosts/);
      const unknown = await run(['call', 'zzz', 'GET', '/', '--user', 'ann']);
      assert.deepEqual(
        [unknown.code, /proxy-execute toolkits list\. .* --toolkit\.\n$/.test(unknown.stderr)],
        [1, true],
      );
      assert.match((await run(['call', 'gitub', 'GET', '/', '--user', 'ann'])).stderr, /Did you mean `github`\?\n$/);
      upstream.on('/eu/slow', () => {});
      const slow = await run(call('GET', '/slow', '--user', 'ann', '--timeout', '1'));
      assert.deepEqual([slow.code, /Raise --timeout(?:,| if) [^`]*\n$/.test(slow.stderr)], [1, true], slow.stderr);
      const account = await run(['accounts', 'enable', 'ca_none']);
      assert.deepEqual([account.code, /npx proxy-execute accounts list\n$/.test(account.stderr)], [1, true]);
      assert.match((await run(['keys', 'revoke', 'key_none'])).stderr, /npx proxy-execute keys list\n$/);
    });
  });

  it('accounts are listed, disabled, enabled and deleted', async () => {
    const page = await json(['accounts', 'list', 'acme', '--user', 'ann']);
    const [{ id }] = page.items;
    assert.equal(page.totalItems, 1);
    assert.match(
      await done(['accounts', 'list']),
      new RegExp(`^ID +USER.*\\n(.*\\n)*${id} +ann +acme +API_KEY +ACTIVE `),
    );
    assert.equal(await done(['accounts', 'disable', id]), `${id} is disabled.\n`);
    assert.match(await done(['accounts', 'list']), /ACTIVE, disabled/);
    const refusal = await run(call('GET', '/me', '--user', 'ann', '--account', id));
    assert.equal(refusal.code, 1);
    const advice = new RegExp(`is disabled\\. .*npx proxy-execute accounts enable ${id}\\n$`);
    assert.match(refusal.stderr, advice);
    // The only account of ann is not used, so the error names it.
    assert.match((await run(call('GET', '/me', '--user', 'ann'))).stderr, advice);
    await done(['accounts', 'enable', id]);
    assert.equal(await done(['accounts', 'default', id]), `${id} is the default account.\n`);
    assert.match(await done(['accounts', 'list']), /ACTIVE, default +PRIVATE /);
    assert.equal(await done(['accounts', 'no-default', id]), `${id} is not the default account.\n`);
    assert.doesNotMatch(await done(['accounts', 'list']), /ACTIVE, default/);
    assert.equal((await run(call('GET', '/me', '--user', 'ann', '--account', id))).code, 0);
    assert.deepEqual(await json(['accounts', 'delete', id]), { id, success: true });
    const again = await run(['accounts', 'delete', id]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^error: /);
  });

  it('auth configs are created, listed, shown, changed and deleted, without their secret in an argument', async () => {
    const at = ['--store', 'configs.db'];
    writeFileSync(join(folder, 'client.secret'), `${SECRET}\n`, { mode: 0o600 });
    const create = ['auth-configs', 'create', 'github', '--client-id', 'Iv1.4f9d', ...at];
    const made = await run([...create, '--client-secret-file', 'client.secret', '--field', 'scopes=repo']);
    assert.match(made.stderr, /redirect URI of the client is http:\/\/127\.0\.0\.1:9900\/connect\/callback\n$/);
    const id = made.stdout.trim();
    assert.match(id, /^ac_\w+$/);
    const { redirectUri, ...other } = await json([
      ...create,
      '--public-url',
      'https://gateway.example',
      '--name',
      'two',
    ]);
    assert.deepEqual([redirectUri, other.authScheme], ['https://gateway.example/connect/callback', 'OAUTH2']);
    const { redirectUri: none } = await json(['auth-configs', 'create', 'github', '--scheme', 'bearer_token', ...at]);
    assert.equal(none, null);

    const shown = await json(['auth-configs', 'show', id, ...at]);
    const REDACTED = 'REDACTED';
    assert.deepEqual(shown.credentials, { client_id: REDACTED, client_secret: REDACTED, scopes: REDACTED });
    assert.match(await done(['auth-configs', 'show', id, ...at]), /^credentials +client_id client_secret scopes$/m);
    const second = await json(['auth-configs', 'show', other.id, ...at]);
    assert.deepEqual(second.credentials, { client_id: REDACTED });
    // The secret of a change is in standard input or in a variable.
    const update = ['auth-configs', 'update', other.id, ...at];
    assert.equal(await done([...update, '--client-secret-stdin'], `${SECRET}\n`), `${other.id} is changed.\n`);
    const after = await json(['auth-configs', 'show', other.id, ...at]);
    assert.deepEqual([after.name, after.credentials], ['two', { client_id: REDACTED, client_secret: REDACTED }]);
    const byVariable = await run([...update, '--name', 'three'], '', { PROXY_EXECUTE_CLIENT_SECRET: SECRET });
    assert.equal(byVariable.code, 0, byVariable.stderr);
    assert.equal((await json(['auth-configs', 'show', other.id, ...at])).name, 'three');

    assert.equal(await done(['auth-configs', 'disable', id, ...at]), `${id} is disabled.\n`);
    const listed = await json(['auth-configs', 'list', 'github', ...at]);
    const states = new Map(listed.items.map((config: { id: string; status: string }) => [config.id, config.status]));
    assert.deepEqual([states.size, states.get(id), states.get(other.id)], [3, 'DISABLED', 'ENABLED']);
    assert.match(await done(['auth-configs', 'list', ...at]), new RegExp(`^${id}  github +OAUTH2 +DISABLED +0 `, 'm'));
    assert.equal((await json(['auth-configs', 'list', 'github', '--search', 'three', ...at])).totalItems, 1);
    assert.equal((await json(['auth-configs', 'list', 'slack', ...at])).totalItems, 0);
    assert.equal(await done(['auth-configs', 'enable', id, ...at]), `${id} is enabled.\n`);
    assert.deepEqual(await json(['auth-configs', 'delete', id, ...at]), { id, success: true });
    const gone = await run(['auth-configs', 'show', id, ...at]);
    assert.deepEqual([gone.code, /npx proxy-execute auth-configs list\n$/.test(gone.stderr)], [1, true], gone.stderr);

    await refused([...create, '--field', 'client_secret=x'], /client_secret is a secret\. Pass --client-secret-file/);
    await refused([...create, '--client-secret-stdin'], /no client secret\. Standard input is empty\./);
    await refused([...create, '--client-secret', 'x'], /no option --client-secret: /);
    await refused([...create, '--scheme', 'OAUTH9'], /--scheme/);
    await refused(update, /nothing to change/);
    await refused(['auth-configs', 'list', '--store', 'none.db'], /no store at none\.db/);
  });

  it('toolkits are listed and shown, without a store', async () => {
    const found = await json(['toolkits', 'list', 'acm', '--toolkit', 'acme.toml']);
    assert.deepEqual(
      found.map(({ slug }: { slug: string }) => slug),
      ['acme'],
    );
    assert.match(await done(['toolkits', 'list', 'git']), /^SLUG +NAME +CATEGORIES +SCHEMES\n(.*\n)*github +GitHub/);
    assert.match(await done(['toolkits', 'list', 'gcal', '--category', 'calendar']), /\ngooglecalendar .*\n$/);
    assert.match(await done(['toolkits', 'show', 'brevo']), /^API_KEY:\n {2}1\. Open https:/m);
    const shown = await done(['toolkits', 'show', 'acme', '--toolkit', 'acme.toml']);
    assert.match(
      shown,
      /^API_KEY:\n {2}api_key {2}\(secret, prompted for\)\n {2}region {2}\(--field region=…\) {2}Where/m,
    );
    assert.equal((await run(['toolkits', 'show', 'nope'])).code, 1);
    const none = await run(['toolkits', 'list', 'nope']);
    assert.deepEqual([none.code, none.stdout], [0, 'SLUG  NAME  CATEGORIES  SCHEMES\n']);
    assert.equal(none.stderr, 'No toolkit has `nope` in its name. Add your own with --toolkit.\n');
  });

  it('calls are listed, the newest first', async () => {
    const calls = await json(['calls', '--limit', '2']);
    assert.equal(calls.length, 2);
    assert.ok(calls[0].at >= calls[1].at);
    assert.match(await done(['calls']), /^AT +USER.*\n(.*\n)*.* ann +acme +GET +127\.0\.0\.1\/eu\/gone +404 /);
  });

  it('calls are selected, and exported with a line each', async () => {
    const lines = async (...args: string[]) =>
      (await done(['calls', '--format', 'ndjson', ...args]))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    const all = await lines();
    assert.ok(all.length > 2);
    assert.deepEqual(
      all.map(({ id }) => id),
      all.map(({ id }) => id).sort((a, b) => b - a),
    );
    assert.deepEqual(await lines('--limit', '2'), all.slice(0, 2));
    assert.deepEqual(
      await lines('--user', 'ann', '--toolkit', 'acme', '--since', '1h', '--account', all[0].connectedAccountId),
      all.filter(({ connectedAccountId }) => connectedAccountId === all[0].connectedAccountId),
    );
    for (const none of [
      ['--user', 'zoe'],
      ['--toolkit', 'github'],
      ['--outcome', 'UpstreamTooLarge', '--user', 'ben'],
      ['--session', 'trs_none'],
      ['--until', '2020-01-01'],
      ['--since', '0s'],
    ]) {
      assert.deepEqual(await lines(...none), [], none.join(' '));
    }
    assert.deepEqual(JSON.parse(await done(['calls', '--format', 'json', '--limit', '1'])), all.slice(0, 1));
  });

  it('prints help without its native part, and names the missing part', async () => {
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: '/nonexistent.node' };
    for (const args of [['--help'], ['call', '--help'], ['--version'], ['encryption-key']]) {
      const { code, stdout, stderr } = await run(args, '', env);
      assert.deepEqual([code, stdout === '', stderr], [0, false, ''], args.join(' '));
    }
    const why = new RegExp(
      `cannot be loaded on ${process.platform}-${process.arch} .*/nonexistent\\.node.* in a clone`,
    );
    for (const command of [['toolkits', 'list'], ['serve'], ['keys', 'list']]) {
      const { code, stdout, stderr } = await run(command, '', env);
      assert.deepEqual([code, stdout, stderr.split('\n').length], [1, '', 2], stderr);
      assert.match(stderr, /^error: /);
      assert.match(stderr, why);
      const machine = await run([...command, '--json'], '', env);
      assert.deepEqual([machine.code, machine.stdout], [1, '']);
      assert.match(JSON.parse(machine.stderr).error.message, why);
    }
  });

  it('has a native thread for each core', {
    skip: process.platform !== 'linux' && 'threads are counted in /proc',
  }, () => {
    // Threads for blocking work are created later, and have the same name.
    const count = `
      const { readdirSync, readFileSync } = require('node:fs');
      const names = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8'));
      console.log(names.filter((name) => name.trim() === 'proxy-execute').length);`;
    const threads = (load: string, env?: object) => {
      const { stdout } = spawnSync(process.execPath, ['-e', load + count], {
        env: { ...process.env, ...env },
        encoding: 'utf8',
      });
      return Number(stdout.trim().split('\n').at(-1));
    };
    const asPackage = `require(${JSON.stringify(join(__dirname, '..', 'index.js'))});`;
    const asCommand = `process.argv.push('', '--version'); require(${JSON.stringify(PROGRAM)});`;
    const cores = availableParallelism();
    assert.equal(threads(asPackage), Math.max(cores - 1, 1));
    assert.equal(threads(asPackage, { PROXY_EXECUTE_THREADS: '7' }), 7);
    assert.equal(threads(asPackage, { PROXY_EXECUTE_THREADS: 'many' }), Math.max(cores - 1, 1));
    assert.equal(threads(asCommand), cores);
  });

  it('serve runs until a signal, with keys that are created and revoked meanwhile', async () => {
    const child = start(acme('serve', '--port', '0', '--rate-limit', '600', '--files', 'kept', '--json'), {});
    try {
      const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
      const { url, store } = JSON.parse(line);
      assert.equal(store, './proxy-execute.db');
      assert.ok(existsSync(join(folder, 'kept')));
      const made = await run(['keys', 'create', '--name', 'app', '--permission', 'toolkits=read']);
      const key = made.stdout.trim();
      assert.match(key, /^ak_/);
      assert.match(made.stderr, /not shown again/);
      const { toolkits } = new Composio({ apiKey: key, baseURL: url, maxRetries: 0 });
      assert.equal((await toolkits.get('acme')).name, 'Acme');
      assert.match(await done(['keys', 'list']), /^key_\w+ +app +toolkits=read .* valid$/m);
      const keys: { id: string; name: string }[] = await json(['keys', 'list']);
      const id = keys.find(({ name }) => name === 'app')?.id ?? '';
      assert.equal(await done(['keys', 'revoke', id]), `${id} is revoked.\n`);
      // A write of another process takes effect within 100 ms.
      await until('the key is refused', () =>
        toolkits.get('acme').then(
          () => false,
          ({ status }) => status === 401,
        ),
      );
      await refused(['keys', 'create', '--permission', 'toolkits=all'], /--permission toolkits cannot be 'all'/);
      await refused(['keys', 'create', '--expires-at', 'soon'], /--expires-at must be/);
      await refused(['keys', 'create', '--expires-at', '2020-01-31T00:00:00Z'], /--expires-at is in the past/);
    } finally {
      child.kill('SIGTERM');
    }
    const [code, signal] = await once(child, 'exit');
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    await refused(['serve', '--port', '99999'], /--port must be a whole number from 0 to 65535/);
  });

  it('serve enforces its limits, and `calls` shows the outcomes', async () => {
    const seconds = ['--upstream-timeout', '1', '--chunk-timeout', '9', '--link-lifetime', '60'];
    const files = ['--files-expire-after', '60', '--files-max-bytes', '6', '--files-max-open', '2'];
    writeFileSync(join(folder, 'urls.key'), `${KEY}\n`);
    const child = start(
      [
        ...acme('serve', '--port', '0', '--json', '--allow-private-host', `127.0.0.1:${upstream.port}`),
        ...['--max-response-bytes', '5', '--max-upload-bytes', '5', ...seconds, ...files],
        ...['--files-signing-key-file', 'urls.key'],
      ],
      {},
    );
    try {
      const line = await firstOf(child);
      await done(acme('connect', 'acme', '--user', 'limits', '--field', 'region=eu'), SECRET);
      const apiKey = (await done(['keys', 'create'])).trim();
      const session = await new Composio({ apiKey, baseURL: JSON.parse(line).url }).create('limits');
      upstream.on('/eu/limit/text', (response) => response.setHeader('content-type', 'text/plain').end('123456'));
      upstream.on('/eu/limit/file', (response) =>
        response.setHeader('content-type', 'application/pdf').end(session.sessionId.slice(0, 7)),
      );
      upstream.on('/eu/limit/small', (response) => response.setHeader('content-type', 'application/pdf').end('123456'));
      upstream.on('/eu/limit/slow', () => {});
      const get = (what: string) =>
        session.proxyExecute({ toolkit: 'acme', endpoint: `/limit/${what}`, method: 'GET' }, { timeout: 20_000 });
      await assert.rejects(get('text'), { slug: 'UpstreamTooLarge' });
      await assert.rejects(get('file'), { slug: 'UpstreamTooLarge' });
      await assert.rejects(get('slow'), { slug: 'UpstreamTimeout' });
      const upload = { toolkit: 'acme', endpoint: '/limit/up', method: 'POST', binaryBody: Buffer.alloc(6) } as const;
      await assert.rejects(session.proxyExecute(upload), { slug: 'PayloadTooLarge' });
      const { binaryData } = await get('small');
      const left = Date.parse(binaryData?.expiresAt ?? '') - Date.now();
      assert.ok(left > 0 && left <= 60_000, `${left} ms`);
    } finally {
      child.kill('SIGTERM');
    }
    await once(child, 'close');
    // The API responded with 200.
    const listed = await done(['calls', '--limit', '5']);
    assert.match(listed, /^AT .* OUTCOME +BYTES +TIME\n(.*\n)*.*\/limit\/text +UpstreamTooLarge +\d+ /);
  });

  it('serve prints its address, and the command that creates a key', async () => {
    writeFileSync(join(folder, 'hints.key'), KEY);
    const store = ['--store', 'hints.db', '--encryption-key-file', 'hints.key'];
    const child = start(['serve', '--port', '0', ...store, '--public-url', 'https://gateway.example.com'], {});
    const text = await firstOf(child);
    child.kill('SIGTERM');
    assert.match(text, /keys create --store hints\.db --encryption-key-file hints\.key$/m);
    assert.match(text, /COMPOSIO_BASE_URL=https:\/\/gateway\.example\.com COMPOSIO_API_KEY=/);
    await once(child, 'close');
  });

  it('serve ends with the npx that started it', async () => {
    mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
    symlinkSync(PROGRAM, join(folder, 'node_modules', '.bin', 'proxy-execute'));
    const child = spawn('npx', ['--no-install', 'proxy-execute', 'serve', '--port', '0', '--json'], {
      cwd: folder,
      env: { ...process.env, PROXY_EXECUTE_ENCRYPTION_KEY: KEY },
    });
    const { url } = JSON.parse(await firstOf(child));
    assert.equal((await fetch(`${url}/health`)).status, 200);
    child.kill('SIGTERM');
    await until('the port is closed', () =>
      fetch(`${url}/health`).then(
        () => false,
        () => true,
      ),
    );
  });

  it('serve warns if other machines cannot open its links', async () => {
    const warned = async (...args: string[]) => {
      const child = start(['serve', '--port', '0', ...args], {});
      const stderr = child.stderr.toArray();
      await once(child.stdout, 'data');
      child.kill('SIGTERM');
      return /^warning: Links .* http:\/\/\S+:\d+, .* --public-url\.$/m.test(Buffer.concat(await stderr).toString());
    };
    assert.equal(await warned('--host', '0.0.0.0'), true);
    assert.equal(await warned('--host', '0.0.0.0', '--public-url', 'https://gateway.example.com'), false);
    assert.equal(await warned(), false);
  });

  it('serve speaks TLS with a certificate, and warns without one', async () => {
    const { authority, certificate, key } = await makeCertificates();
    const [cert, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(cert, certificate);
    writeFileSync(keyFile, key);
    const withTls = ['--tls-cert', cert, '--tls-key', keyFile];
    const child = start(['serve', '--port', '0', '--json', ...withTls], {});
    const { url } = JSON.parse(await firstOf(child));
    assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const [response] = await once(get(`${url}/health`, { ca: authority, agent: false }), 'response');
    assert.equal(response.statusCode, 200);
    response.resume();
    child.kill('SIGTERM');

    const warned = async (...args: string[]) => {
      const child = start(['serve', '--port', '0', ...args], {});
      const stderr = child.stderr.toArray();
      await once(child.stdout, 'data');
      child.kill('SIGTERM');
      return /^warning: .* without TLS, .* --tls-cert /m.test(Buffer.concat(await stderr).toString());
    };
    assert.equal(await warned('--host', '0.0.0.0'), true);
    assert.equal(await warned('--host', '0.0.0.0', ...withTls), false);
    assert.equal(await warned('--host', '0.0.0.0', '--public-url', 'https://gateway.example.com'), false);
    assert.equal(await warned(), false);

    for (const [args, says] of [
      [['--tls-cert', cert], /--tls-cert and --tls-key need each other/],
      [['--tls-cert', cert, '--tls-key', join(folder, 'none.pem')], /--tls-key: .*none\.pem cannot be read/],
      [['--tls-cert', keyFile, '--tls-key', keyFile], /--tls-cert: .*key\.pem has no certificate/],
    ] as const) {
      const { code, stderr } = await run(['serve', '--port', '0', ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
  });

  it('has shown no secret in its arguments or output', () => {
    assert.ok(traces.length > 1_000 && !traces.includes(`${SECRET}\n`), 'a secret was shown');
    // The API echoes the request, so its response may show the secret.
    assert.deepEqual(
      traces.split('\n').filter((line) => line.includes(SECRET) && !line.startsWith('{"method"')),
      [],
    );
  });
});
