/**
 * The program without Node.js, beside the command `proxy-execute`: they have the same commands, and read each other's
 * stores.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Composio } from '../index.js';
import { until } from './support/expect';
import { builtProgram } from './support/program';
import { Upstream } from './support/upstream';
import { makeCertificates } from './support/ways';

const KEY = '0123456789abcdef'.repeat(4);
const OTHER_KEY = 'fedcba9876543210'.repeat(4);
const COMMAND: readonly string[] = [process.execPath, join(__dirname, '..', 'bin', 'proxy-execute.js')];

const program = builtProgram();

/** CI builds it before, with the tests of Rust. */
const skip =
  program === undefined && !process.env.CI && 'There is no program: `cargo build -p proxy-execute-standalone`.';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The text without the name of the program, without `.env`, which only the command reads, and alike in each run. */
function alike(text: string): string {
  return text
    .replaceAll(' of the environment or of .env', '')
    .replaceAll(/(?:npx )?proxy-execute(?:-gateway)?(?= |`)/g, 'PROGRAM')
    .replaceAll(/\b(ak|key|ca|ac|trs|req)_\w+/g, '$1_…')
    .replaceAll(/\b[a-z]+_[a-z]+-[a-z]+\b/g, 'word_id')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/:\d{4,5}\b/g, ':PORT')
    .replaceAll(/"port":\d+/g, '"port":PORT')
    .replaceAll(/ +/g, ' ');
}

describe('the program without Node.js', { skip }, () => {
  let folder: string;
  let upstream: Upstream;
  const PROGRAM: readonly string[] = [program ?? ''];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-standalone-'));
    upstream = await Upstream.start();
    writeFileSync(
      join(folder, 'acme.toml'),
      `slug = "acme"
name = "Acme"
base_url = "${upstream.origin}"
[schemes.API_KEY]
headers = { x-api-key = "{{api_key}}" }
`,
    );
    writeFileSync(join(folder, 'empty.key'), '\n');
    writeFileSync(join(folder, 'short.key'), 'short\n');
    writeFileSync(join(folder, 'wrong.key'), OTHER_KEY);
    writeFileSync(join(folder, 'private.key'), `${KEY}\n`, { mode: 0o600 });
    writeFileSync(join(folder, 'both keys.txt'), `${OTHER_KEY}\n${KEY}\n`, { mode: 0o600 });
    writeFileSync(join(folder, 'no.db'), 'no database');
  });

  after(async () => {
    await upstream.close();
    rmSync(folder, { recursive: true });
  });

  function start([path = '', ...before]: readonly string[], args: readonly string[], env = {}) {
    return spawn(path, [...before, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, PROXY_EXECUTE_ENCRYPTION_KEY: KEY, ...env },
    });
  }

  async function run(program: readonly string[], args: readonly string[], input = '', env = {}): Promise<Ended> {
    const child = start(program, args, env);
    child.stdin.on('error', () => {}).end(input);
    const texts = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
    const [code] = await once(child, 'close');
    const [stdout = '', stderr = ''] = await Promise.all(texts);
    return { code, stdout, stderr };
  }

  /** Its result, which must be a success. */
  async function done(program: readonly string[], args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await run(program, args, input);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** Runs a command line through both, and compares their outputs and exit codes. */
  async function same(args: readonly string[], expected: number, env = {}): Promise<Ended> {
    const [ours, theirs] = [await run(PROGRAM, args, '', env), await run(COMMAND, args, '', env)];
    const plain = ({ code, stdout, stderr }: Ended) => ({ code, stdout: alike(stdout), stderr: alike(stderr) });
    assert.deepEqual(plain(ours), plain(theirs), args.join(' '));
    assert.equal(ours.code, expected, ours.stderr);
    return ours;
  }

  /** A gateway, from its first output until the end of `work`. */
  async function serving<T>(
    program: readonly string[],
    args: readonly string[],
    work: (url: string, child: ReturnType<typeof start>) => Promise<T>,
  ): Promise<T> {
    const child = start(program, ['serve', '--port', '0', '--json', '--toolkit', 'acme.toml', ...args]);
    const errors = child.stderr.toArray();
    const ended = once(child, 'close').then(async () => assert.fail(Buffer.concat(await errors).toString()));
    ended.catch(() => {});
    try {
      const [line] = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended]);
      return await work(JSON.parse(line).url, child);
    } finally {
      child.kill('SIGKILL');
    }
  }

  /** Connects an account, which only the command does, and returns a session on a port. */
  async function sessionAt(url: string, store: string, apiKey: string, user = 'ann') {
    await done(
      COMMAND,
      ['connect', 'acme', '--user', user, '--toolkit', 'acme.toml', '--store', store],
      'the-secret\n',
    );
    return new Composio({ apiKey, baseURL: url, maxRetries: 0 }).create(user, { toolkits: ['acme'] });
  }

  const open = () => ['--allow-private-host', `127.0.0.1:${upstream.port}`];

  describe('says the same as the command', () => {
    it('as help of each command', async () => {
      const { stdout: help } = await run(PROGRAM, ['--help']);
      const names = [...help.matchAll(/^ {2}([a-z][\w-]*(?: [a-z-]+)?)(?: [<[]\w+[>\]])? {2,}/gm)].map(
        ([, name]) => name,
      );
      assert.ok(names.length >= 13, help);
      for (const name of names) await same([...(name ?? '').split(' '), '--help'], 0);
      await same(['--version'], 0);
    });

    it('about its groups and a missing command', async () => {
      for (const group of ['keys', 'accounts', 'auth-configs', 'users', 'audit', 'store']) {
        assert.match(await done(PROGRAM, ['help', group]), new RegExp(`^  ${group} \\w`, 'm'));
        await same([group], 2);
      }
      await same(['keys', 'lst'], 2);
      await same(['--json'], 2);
      const nothing = await run(PROGRAM, []);
      assert.deepEqual([nothing.code, nothing.stdout], [2, '']);
      assert.equal(nothing.stderr, await done(PROGRAM, ['--help']));
      assert.match((await run(PROGRAM, ['serv'])).stderr, /did you mean `serve`\?/);
    });

    it('about arguments that cannot be used', async () => {
      const lines = [
        ['calls', '--format', 'xml'],
        ['calls', '--since', '2026-11-01T08:00'],
        ['--frob'],
        ['keys', 'list', '--frob'],
        ['keys', 'list', '-f'],
        ['keys', 'revoke'],
        ['accounts', 'list', '--limt', '5'],
        ['accounts', 'list', '--limit'],
        ['accounts', 'list', '--limit', 'many'],
        ['accounts', 'list', '--limit', '0'],
        ['accounts', 'list', '--limit', '99999999999999999999'],
        ['accounts', 'list', '--limit', '--store', 'x.db'],
        ['accounts', 'list', '--json=yes'],
        ['accounts', 'list', '--cursor', 'a', '--cursor', 'b'],
        ['serve', '--port', '99999'],
        ['serve', '--rate-limit', '0'],
        ['serve', '--max-connections-per-address', '4294967296'],
        ['serve', '--trusted-proxy', ''],
        ['serve', '--files-max-open', '1000001'],
        ['serve', '--link-lifetime', '0'],
        ['serve', '--upstream-timeout', '9007199254740991'],
        ['serve', '--log-level', 'verbose'],
        ['serve', '--files', 's3:///prefix'],
        ['serve', '--tls-cert', 'cert.pem'],
        ['serve', '--files-signing-key-file', 'none.key'],
        ['keys', 'create', '--encryption-key-file', 'none.key'],
        ['keys', 'create', '--encryption-key-file', '.'],
        ['keys', 'create', '--encryption-key-file', 'empty.key'],
        ['keys', 'create', '--permission', 'toolkits'],
        ['keys', 'create', '--expires-at', '2020-01-31T00:00:00Z'],
        ['accounts', 'enable', '..', '--json', '--store', 'no.db', '--frob'],
      ];
      for (const line of lines) await same(line, 2);
      await same(['keys', 'create'], 2, { PROXY_EXECUTE_ENCRYPTION_KEY: '' });
      await same(['keys', 'create'], 2, { PROXY_EXECUTE_ENCRYPTION_KEY: 'short' });
      const { code, stderr } = await run(PROGRAM, ['serve'], '', { PROXY_EXECUTE_LOG: 'verbose' });
      assert.deepEqual(
        [code, /^error: The variable PROXY_EXECUTE_LOG is one of off, .* trace\.\n$/.test(stderr)],
        [2, true],
      );
      assert.match(
        (await run(PROGRAM, ['keys', 'list', 'secret'])).stderr,
        /^error: There are too many arguments: `keys list` takes none\./,
      );
      assert.match(
        (await run(PROGRAM, ['keys', 'list', '--store', 'x.db'])).stderr,
        /^error: There is no store at x\.db: /,
      );
    });

    it('about options that the gateway refuses', async () => {
      for (const line of [
        ['serve', '--public-url', 'foo'],
        ['serve', '--callback-url', 'foo'],
        ['serve', '--allow-private-host', 'a/b'],
        ['serve', '--files-signing-key-file', 'short.key'],
        ['serve', '--toolkit', 'no.toml'],
        ['serve', '--port', '0', '--tls-cert', 'none.pem', '--tls-key', 'none.pem'],
        ['serve', '--port', '0', '--trusted-proxy', 'proxy.example.com'],
        ['keys', 'create', '--allow-address', 'foo'],
        ['keys', 'create', '--permission', 'frob=read', '--json'],
      ]) {
        await same(line, 2);
      }
      const { stderr } = await same(['serve', '--port', '0', '--metrics', 'nonsense'], 1);
      assert.match(
        stderr,
        /^error: --metrics: .*`nonsense`.* Name a free address with its port, such as 127\.0\.0\.1:9464\.\n$/,
      );
      await same(['keys', 'list', '--store', 'no.db'], 1);
      const store = ['--store', 'no/such/folder.db'];
      await same(['keys', 'create', ...store], 1);
      await same(['keys', 'create', ...store, '--json'], 1);
      // The command's library has other words for these, before the gateway sees them.
      for (const [option, value] of [
        ['permission', 'toolkits=all'],
        ['expires-at', 'soon'],
      ]) {
        const { code, stderr } = await run(PROGRAM, ['keys', 'create', `--${option}`, value ?? '']);
        assert.deepEqual([code, stderr.startsWith('error: ') && stderr.includes(`--${option}`)], [2, true], stderr);
      }
    });

    it('about a configuration file', async () => {
      const files: Readonly<Record<string, string>> = {
        'unknown.toml': 'prot = 9900\n',
        'one-run.toml': 'json = true\n',
        'flag.toml': 'no-mcp = "yes"\n',
        'value.toml': 'public-url = true\n',
        'two.toml': 'port = [1, 2]\n',
        'number.toml': 'port = 99999\n',
        'word.toml': 'port = "many"\n',
        'empty.toml': 'store = ""\n',
        'reference.toml': 'store = { variable = "PROXY_EXECUTE_NO_SUCH" }\n',
        'syntax.toml': 'port = 1\nsecret-text\n',
        'log.toml': 'log-level = "verbose"\n',
        'url.toml': 'public-url = "foo"\n',
      };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      for (const name of Object.keys(files)) {
        const { stderr } = await same(['serve', '--check', '--config', name], 2);
        assert.doesNotMatch(stderr, /secret-text/);
      }
      await same(['serve', '--config', 'none.toml'], 2);
      await same(['keys', 'list'], 2, { PROXY_EXECUTE_CONFIG: 'unknown.toml' });
    });

    it('about a port that is in use', async () => {
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const { port } = taken.address() as { port: number };
      await same(['serve', '--port', `${port}`], 1);
      taken.close();
    });
  });

  it('takes the options of a configuration file for every command', async () => {
    mkdirSync(join(folder, 'etc'), { recursive: true });
    writeFileSync(
      join(folder, 'etc', 'gateway.toml'),
      `store = "gateway.db"
encryption-key-file = "gateway.key"
toolkit = ["../acme.toml"]
allow-private-host = ["127.0.0.1:${upstream.port}"]
port = 0
public-url = { variable = "PUBLIC_URL" }
no-mcp = true
`,
    );
    writeFileSync(join(folder, 'etc', 'gateway.key'), OTHER_KEY);
    const config = ['--config', 'etc/gateway.toml'];
    const env = { PUBLIC_URL: 'https://gateway.example.com', PROXY_EXECUTE_ENCRYPTION_KEY: '' };
    const early = await same(['serve', '--check', ...config], 0, env);
    assert.match(early.stdout, /There is no store at etc\/gateway\.db yet/);
    assert.ok(!existsSync(join(folder, 'etc', 'gateway.db')));
    await same(['keys', 'create', ...config], 0, env);
    assert.ok(existsSync(join(folder, 'etc', 'gateway.db')));
    await same(['keys', 'list', '--json'], 0, { ...env, PROXY_EXECUTE_CONFIG: 'etc/gateway.toml' });
    for (const json of [[], ['--json']]) {
      const { stdout } = await same(['serve', '--check', ...config, ...json], 0, env);
      assert.match(stdout, json.length > 0 ? /"exists":true/ : /the key opens the store etc\/gateway\.db/);
    }
    // An option of the command line replaces that of the file.
    await same(['keys', 'list', '--encryption-key-file', 'wrong.key', ...config], 0, env);
    await same(['keys', 'list', '--encryption-key-file', 'short.key', ...config], 2, env);
    await same(['serve', '--check', '--toolkit', 'no.toml', ...config], 2, env);
    await same(['serve', '--check', ...config], 2, { ...env, PUBLIC_URL: '' });
    for (const program of [PROGRAM, COMMAND]) {
      const child = start(program, ['serve', ...config], env);
      const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
      child.kill('SIGKILL');
      assert.match(line, /COMPOSIO_BASE_URL=https:\/\/gateway\.example\.com/);
      assert.match(line, /keys create --config etc\/gateway\.toml\n/);
    }
    // A file in the current folder needs no option.
    writeFileSync(join(folder, 'proxy-execute.toml'), 'store = "here.db"\n');
    try {
      await same(['keys', 'create'], 0);
      assert.ok(existsSync(join(folder, 'here.db')));
    } finally {
      rmSync(join(folder, 'proxy-execute.toml'));
    }
  });

  it('reads and changes the same store', async () => {
    const at = ['--store', 'shared.db'];
    const toolkit = ['--toolkit', 'acme.toml'];
    for (const alias of ['one', 'two']) {
      const connect = ['connect', 'acme', '--user', 'ann', '--alias', alias, ...toolkit, ...at];
      await done(COMMAND, connect, 'the-secret\n');
    }
    const limited = ['--permission', 'proxy_execute=write', '--permission', 'sessions=read_write'];
    for (const program of [PROGRAM, COMMAND]) {
      await done(program, ['keys', 'create', '--name', 'all', ...at]);
      await done(program, ['keys', 'create', ...limited, '--expires-at', '2130-01-31T00:00:00Z', ...at]);
      await done(program, ['keys', 'create', '--allow-address', '10.0.0.0/8', '--json', ...at]);
    }
    for (const json of [[], ['--json']]) {
      await same(['keys', 'list', ...at, ...json], 0);
      await same(['accounts', 'list', ...at, ...json], 0);
      await same(
        ['accounts', 'list', 'acme', '--user', 'ann', '--status', 'ACTIVE', '--limit', '1', ...at, ...json],
        0,
      );
      await same(['accounts', 'list', '--user', 'carl', ...at, ...json], 0);
      await same(['accounts', 'list', '--cursor', 'foo', ...at, ...json], 2);
      await same(['store', 'check', ...at, ...json], 0);
      await same(['audit', 'list', '--since', '2020-01-31T00:00:00Z', '--limit', '2', ...at, ...json], 0);
      await same(['audit', 'list', '--until', '2020-01-31T00:00:00Z', '--cursor', '5', ...at, ...json], 0);
      await same(['audit', 'list', '--since', 'soon', ...at, ...json], 2);
      await same(['audit', 'verify', ...at, ...json], 0);
      await same(['users', 'export', 'carl', ...at, ...json], 0);
      await same(['users', 'delete', 'carl', ...at, ...json], 0);
      await same(['audit', 'verify', '--head', 'x', ...at, ...json], 2);
      await same(['audit', 'verify', '--head', 'a'.repeat(64), ...at, ...json], 1);
    }
    const { items } = JSON.parse(await done(COMMAND, ['accounts', 'list', '--json', ...at]));
    const [{ id }] = items;
    for (const verb of ['disable', 'enable', 'default', 'no-default']) {
      await same(['accounts', verb, id, ...at], 0);
      await same(['accounts', verb, id, '--json', ...at], 0);
      await same(['accounts', 'list', ...at], 0);
    }
    await same(['accounts', 'enable', 'ca_none', ...at], 1);
    await same(['accounts', 'enable', 'ca_none', '--json', ...at], 1);
    await same(['keys', 'revoke', 'key_none', ...at], 1);
    assert.equal(await done(PROGRAM, ['accounts', 'delete', id, ...at]), `${id} is deleted.\n`);
    const again = await run(COMMAND, ['accounts', 'delete', id, ...at]);
    assert.equal(again.code, 1);
    const keys: { id: string; revokedAt: string | null }[] = JSON.parse(
      await done(PROGRAM, ['keys', 'list', '--json', ...at]),
    );
    const [key] = keys;
    assert.equal(await done(PROGRAM, ['keys', 'revoke', key?.id ?? '', ...at]), `${key?.id} is revoked.\n`);
    assert.match(await done(COMMAND, ['keys', 'list', ...at]), new RegExp(`^${key?.id} .* revoked$`, 'm'));
    await same(['keys', 'list', '--encryption-key-file', 'wrong.key', ...at], 1);
    await same(['store', 'check', '--encryption-key-file', 'wrong.key', '--json', ...at], 1);
  });

  it('administers the same auth configs', async () => {
    const at = ['--store', 'configs.db'];
    writeFileSync(join(folder, 'client.secret'), 'the-secret\n', { mode: 0o600 });
    const ids: string[] = [];
    for (const program of [PROGRAM, COMMAND]) {
      const create = ['auth-configs', 'create', 'github', '--client-id', 'one', ...at];
      const { id, ...made } = JSON.parse(
        await done(program, [...create, '--json', '--client-secret-file', 'client.secret', '--name', 'one']),
      );
      assert.deepEqual(made, {
        toolkit: 'github',
        authScheme: 'OAUTH2',
        redirectUri: 'http://127.0.0.1:9900/connect/callback',
      });
      await done(program, [...create, '--client-secret-stdin', '--field', 'scopes=repo'], 'the-secret\n');
      ids.push(id);
      await same([...create, '--field', 'client_secret=x'], 2);
      await same([...create, '--client-secret-stdin'], 2);
      await same([...create, '--client-secret-file', 'none.secret'], 2);
      await same([...create, '--client-secret-file', 'client.secret', '--client-secret-command', 'true'], 2);
    }
    for (const json of [[], ['--json']]) {
      await same(['auth-configs', 'list', ...at, ...json], 0);
      await same(['auth-configs', 'list', 'github', '--search', 'one', '--limit', '1', ...at, ...json], 0);
      await same(['auth-configs', 'list', 'slack', ...at, ...json], 0);
      await same(['auth-configs', 'list', '--cursor', 'foo', ...at, ...json], 2);
      for (const id of ids) {
        for (const verb of ['disable', 'show', 'enable', 'show']) {
          await same(['auth-configs', verb, id, ...at, ...json], 0);
        }
        await same(['auth-configs', 'update', id, '--name', 'two', '--client-id', 'two', ...at, ...json], 0);
        await same(['auth-configs', 'update', id, ...at, ...json], 2);
      }
      for (const verb of ['show', 'disable', 'delete'])
        await same(['auth-configs', verb, 'ac_none', ...at, ...json], 1);
    }
    for (const [index, program] of [COMMAND, PROGRAM].entries()) {
      const id = ids[index] ?? '';
      assert.equal(await done(program, ['auth-configs', 'delete', id, ...at]), `${id} is deleted.\n`);
    }
  });

  it('takes the keys from one source', async () => {
    const at = ['--store', 'sources.db'];
    await done(PROGRAM, ['keys', 'create', ...at]);
    const none = { PROXY_EXECUTE_ENCRYPTION_KEY: '' };
    const command = 'PROXY_EXECUTE_ENCRYPTION_KEY_COMMAND';
    const list = ['keys', 'list', ...at];
    await same([...list, '--encryption-key-file', 'private.key'], 0, none);
    await same(list, 0, { ...none, PROXY_EXECUTE_ENCRYPTION_KEY_FILE: 'private.key' });
    await same(list, 0, { PROXY_EXECUTE_ENCRYPTION_KEY: `${OTHER_KEY} , ${KEY}` });
    // An option wins over a variable.
    await same([...list, '--encryption-key-file', 'private.key'], 0, { PROXY_EXECUTE_ENCRYPTION_KEY: OTHER_KEY });
    for (const [line, code, said] of [
      ['cat private.key', 0, /^$/],
      [`cat 'both keys.txt'`, 0, /^$/],
      [`sh -c "echo canary; echo shown >&2; cat 'both keys.txt'"`, 2, /^shown\nerror: The encryption key is not/],
      ['true', 2, new RegExp(`There is no encryption key. The command of ${command} printed nothing;`)],
      ['sh -c "echo canary; exit 3"', 1, /_COMMAND: sh ended with exit code 3\.\n$/],
      ['sh -c "echo canary; kill -9 $$"', 1, /_COMMAND: sh was killed by a signal\.\n$/],
      ['no-such-program --flag', 1, /_COMMAND: no-such-program cannot be started \(ENOENT\)\.\n$/],
      ['yes canary', 1, /_COMMAND: yes printed more than 64 KiB\.\n$/],
      [`cat 'private.key`, 2, /_COMMAND: a quotation mark in the command has no second one\.\n$/],
      [' ', 2, /_COMMAND names no command\.\n$/],
    ] as const) {
      const { stderr } = await same(list, code, { ...none, [command]: line });
      assert.match(stderr, said);
      assert.doesNotMatch(stderr, /canary/);
    }
    await same([...list, '--encryption-key-command', 'cat private.key'], 0, none);
    writeFileSync(join(folder, 'long.key'), `${KEY}\n`.repeat(1_100), { mode: 0o600 });
    const long = await same([...list, '--encryption-key-file', 'long.key'], 2);
    assert.match(long.stderr, /^error: --encryption-key-file: long\.key has more than 64 KiB\.\n$/);
    const twice = await same(
      [...list, '--encryption-key-command', 'cat private.key', '--encryption-key-file', 'private.key'],
      2,
    );
    assert.match(twice.stderr, /^error: --encryption-key-file and --encryption-key-command both name keys: keep one/);
    const variables = await same(list, 2, { PROXY_EXECUTE_ENCRYPTION_KEY_FILE: 'private.key' });
    assert.match(variables.stderr, /KEY_FILE and PROXY_EXECUTE_ENCRYPTION_KEY both name keys/);
    const open = await same([...list, '--encryption-key-file', 'wrong.key'], 1);
    assert.equal(process.platform === 'win32', !open.stderr.startsWith('warning: --encryption-key-file: every user'));

    const serve = ['serve', '--port', '99', ...at];
    for (const [args, env, code] of [
      [['--files-signing-key-command', 'false'], {}, 1],
      [['--files-signing-key-command', 'echo short'], {}, 2],
      [[], { PROXY_EXECUTE_FILES_SIGNING_KEY: 'short' }, 2],
      [[], { PROXY_EXECUTE_FILES_SIGNING_KEY_FILE: 'none.key' }, 2],
      [[], { PROXY_EXECUTE_FILES_SIGNING_KEY_FILE: 'private.key', PROXY_EXECUTE_FILES_SIGNING_KEY: KEY }, 2],
    ] as const) {
      const { stderr } = await same([...serve, ...args], code, env);
      assert.match(stderr, /files-signing-key|FILES_SIGNING_KEY/);
    }
  });

  it('encrypts a store with another key, for both to read', async () => {
    const keys = { PROXY_EXECUTE_ENCRYPTION_KEY: `${OTHER_KEY},${KEY}` };
    const [store, copy] = ['rotated.db', 'rotated-copy.db'];
    await done(PROGRAM, ['keys', 'create', '--store', store]);
    for (const user of ['ann', 'bob']) {
      const connect = ['connect', 'acme', '--user', user, '--toolkit', 'acme.toml', '--store', store];
      await done(COMMAND, connect, 'the-secret');
    }
    await done(PROGRAM, ['store', 'backup', copy, '--store', store]);
    await same(['store', 'check', '--store', store], 0, keys);
    await same(['store', 'check', '--store', store, '--json'], 0, keys);
    const rotate = (program: readonly string[], name: string, args: readonly string[], env = keys) =>
      run(program, ['store', 'rotate-key', '--store', name, ...args], '', env);
    const ours = await rotate(PROGRAM, store, []);
    const theirs = await rotate(COMMAND, copy, []);
    assert.deepEqual([ours.code, ours.stdout, ours.stderr], [theirs.code, theirs.stdout, theirs.stderr]);
    assert.match(
      ours.stdout,
      /^Encrypted with the key \w{16}: 1 auth configs, 2 accounts, 0 links, 0 webhook subscriptions\.\nThe key \w{16} is no longer needed: .*\nStart every gateway with the new key alone\.\n$/,
    );
    const other = { PROXY_EXECUTE_ENCRYPTION_KEY: OTHER_KEY };
    for (const name of [store, copy]) {
      await same(['accounts', 'list', '--store', name], 0, other);
      await same(['keys', 'list', '--store', name], 1);
      await same(['store', 'rotate-key', '--store', name], 0, other);
      const { stdout } = await same(['store', 'rotate-key', '--store', name, '--json'], 0, keys);
      const { keyId, resealed, encryptionKeys, unneededKeys, unopenable } = JSON.parse(stdout);
      assert.deepEqual(
        [resealed, unopenable],
        [{ authConfigs: 0, accounts: 0, links: 0, webhookSubscriptions: 0 }, []],
      );
      assert.deepEqual([encryptionKeys[0].keyId, encryptionKeys[0].accounts], [keyId, 2]);
      assert.deepEqual(unneededKeys, [encryptionKeys[1].keyId]);
    }
    // The other way round, back to the old key in two steps, of which the first lacks a key.
    const { stderr } = await same(['store', 'rotate-key', '--store', store], 1);
    assert.match(stderr, /rotated\.db: the store was written with another encryption key\./);
    assert.equal((await run(PROGRAM, ['store', 'rotate-key', '--store', 'none.db'])).code, 2);
    const back = { PROXY_EXECUTE_ENCRYPTION_KEY: `${KEY},${OTHER_KEY}` };
    assert.equal((await rotate(PROGRAM, store, ['--json'], back)).code, 0);
    await same(['keys', 'list', '--store', store], 0);
  });

  it('creates a key as the command does', async () => {
    for (const json of [[], ['--json']]) {
      const args = ['keys', 'create', '--name', 'worker', '--permission', 'toolkits=read', '--store', 'keys.db'];
      await same([...args, ...json], 0);
    }
    assert.match(await done(PROGRAM, ['encryption-key']), /^[0-9a-f]{64}\n$/);
    assert.match(JSON.parse(await done(PROGRAM, ['encryption-key', '--json'])).encryptionKey, /^[0-9a-f]{64}$/);
  });

  it('backs a store up, for both to read', async () => {
    await done(PROGRAM, ['keys', 'create', '--store', 'source.db']);
    for (const [program, file] of [
      [PROGRAM, 'by-program.db'],
      [COMMAND, 'by-command.db'],
    ] as const) {
      // The key is not needed.
      const { code, stderr } = await run(program, ['store', 'backup', file, '--store', 'source.db'], '', {
        PROXY_EXECUTE_ENCRYPTION_KEY: '',
      });
      assert.equal(code, 0, stderr);
      await same(['keys', 'list', '--store', file], 0);
      if (process.platform !== 'win32') assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600);
      await same(['store', 'backup', file, '--store', 'source.db'], 2);
    }
    await same(['store', 'backup', 'no/such/folder.db', '--store', 'source.db', '--json'], 2);
    await same(['store', 'backup', 'copy.db', '--store', 'no.db'], 1);
    assert.ok(!existsSync(join(folder, 'copy.db')));
  });

  it('serves what the clients of the gateway need', async () => {
    await serving(PROGRAM, ['--store', 'served.db', ...open()], async (url) => {
      assert.deepEqual(await (await fetch(`${url}/health`)).json(), { status: 'ok' });
      const apiKey = (await done(PROGRAM, ['keys', 'create', '--name', 'app', '--store', 'served.db'])).trim();
      const session = await sessionAt(url, 'served.db', apiKey);
      const call = { toolkit: 'acme', endpoint: '/me?a=1', method: 'POST', body: { note: 'é' } } as const;
      const { status, data } = await session.proxyExecute<{ headers: Record<string, string>; body: string }>(call);
      assert.equal(status, 200);
      assert.equal(data.headers['x-api-key'], 'the-secret');
      assert.equal(data.body, '{"note":"é"}');
      assert.equal((await session.fetch('acme')(`${upstream.origin}/file`)).status, 200);
      // The command reads what the program has recorded.
      await until('the calls are recorded', async () =>
        /acme +POST +127/.test(await done(COMMAND, ['calls', '--store', 'served.db'])),
      );
    });
  });

  it('announces its address like the command', async () => {
    for (const args of [
      [],
      ['--host', '0.0.0.0'],
      ['--host', '::1'],
      ['--public-url', 'https://gateway.example.com'],
      ['--metrics', '127.0.0.1:0'],
      ['--metrics', '[::1]:0', '--json'],
      ['--host', '0.0.0.0', '--log-format', 'json', '--log-level', 'error'],
    ]) {
      const outputs = [];
      for (const program of [PROGRAM, COMMAND]) {
        const child = start(program, ['serve', '--port', '0', '--store', 'announced.db', ...args]);
        const errors = child.stderr.toArray();
        const [text] = await once(child.stdout.setEncoding('utf8'), 'data');
        child.kill('SIGTERM');
        const [code] = await once(child, 'close');
        outputs.push(alike(`${text}${Buffer.concat(await errors)}${code}`));
      }
      assert.equal(outputs[0], outputs[1]);
      assert.match(outputs[0] ?? '', /Closing; calls in flight have 5 seconds\.("})?\n0$/);
    }
  });

  it('speaks TLS', async () => {
    const { certificate, key } = await makeCertificates();
    writeFileSync(join(folder, 'cert.pem'), certificate);
    writeFileSync(join(folder, 'key.pem'), key);
    const tls = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem'];
    await serving(PROGRAM, ['--store', 'tls.db', ...tls], async (url) => assert.match(url, /^https:\/\/127/));
    await same(['serve', '--port', '0', '--tls-cert', 'key.pem', '--tls-key', 'key.pem'], 2);
  });

  describe('is told to end', { skip: process.platform === 'win32' && 'Windows has no such signals.' }, () => {
    /** A call that the API has received, and its response. */
    async function callInFlight(url: string, store: string) {
      const apiKey = (await done(PROGRAM, ['keys', 'create', '--store', store])).trim();
      const session = await sessionAt(url, store, apiKey);
      let call: Promise<{ data: unknown }> | undefined;
      const answer = await new Promise<() => void>((received) => {
        upstream.on('/slow', (response) =>
          received(() => response.setHeader('content-type', 'text/plain').end('late')),
        );
        call = session.proxyExecute({ toolkit: 'acme', endpoint: '/slow', method: 'GET' });
        call.catch(() => {});
      });
      return { call, answer };
    }

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`by ${signal}, and completes a call in flight`, async () => {
        const store = `${signal}.db`;
        await serving(PROGRAM, ['--store', store, ...open()], async (url, child) => {
          const { call, answer } = await callInFlight(url, store);
          const ended = once(child, 'exit');
          child.kill(signal);
          await until('the port is closed', () =>
            fetch(`${url}/health`).then(
              () => false,
              () => true,
            ),
          );
          answer();
          assert.equal((await call)?.data, 'late');
          assert.deepEqual(await ended, [0, null]);
        });
      });
    }

    it('twice, and ends at once', async () => {
      await serving(PROGRAM, ['--store', 'twice.db', ...open()], async (url, child) => {
        await callInFlight(url, 'twice.db');
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await until('the port is closed', () =>
          fetch(`${url}/health`).then(
            () => false,
            () => true,
          ),
        );
        child.kill('SIGTERM');
        assert.deepEqual(await ended, [143, null]);
      });
    });

    it('by the reader of its output', async () => {
      const child = start(PROGRAM, ['keys', 'list', '--help']);
      child.stdout.destroy();
      const errors = child.stderr.toArray();
      const [code] = await once(child, 'close');
      assert.deepEqual([code, Buffer.concat(await errors).toString()], [0, '']);
    });
  });

  it('shows no secret', async () => {
    const { stderr } = await run(PROGRAM, ['keys', 'list', '--tokn=misplaced-secret']);
    assert.match(stderr, /^error: /);
    assert.ok(!stderr.includes('misplaced-secret'), stderr);
  });
});
