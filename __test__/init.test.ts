/**
 * `init` in its own process, and the project that it writes: its program, its tests and its types.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chromiumPath, NO_CHROMIUM, startChromium } from './support/chromium';

const root = join(__dirname, '..');
const PROGRAM = join(root, 'bin', 'proxy-execute.js');
const FILES = [
  '.env',
  '.env.example',
  '.gitignore',
  'README.md',
  'package.json',
  'src/demo-api.ts',
  'src/gateway.ts',
  'src/main.ts',
  'test/gateway.test.ts',
  'tsconfig.json',
];

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The environment has no token and no key of the developer. */
function start(command: string, args: string[], cwd: string, env: Record<string, string> = {}, uid?: number) {
  // A program of its own group is ended with all that it has started.
  const detached = true;
  return spawn(command, args, { cwd, uid, detached, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } });
}

async function ended(child: ReturnType<typeof start>): Promise<Ended> {
  child.stdin.end();
  const texts = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
  const [code] = await once(child, 'close');
  const [stdout = '', stderr = ''] = await Promise.all(texts);
  return { code, stdout, stderr };
}

describe('init', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-init-'));
    chmodSync(folder, 0o755);
  });
  after(() => rmSync(folder, { recursive: true }));

  const init = (args: string[], cwd = folder, uid?: number) =>
    ended(start(process.execPath, [PROGRAM, 'init', ...args], cwd, {}, uid));
  const manifest = (project: string) => JSON.parse(readFileSync(join(folder, project, 'package.json'), 'utf8'));

  async function refused(args: string[], why: RegExp, uid?: number): Promise<void> {
    const { code, stdout, stderr } = await init(args, folder, uid);
    assert.match(stderr, why);
    assert.deepEqual([code, stdout, stderr.trim().split('\n').length], [2, '', 1], stderr);
  }

  it('writes the project, and says what to do next', async () => {
    const { code, stdout, stderr } = await init(['written']);
    assert.deepEqual([code, stderr], [0, '']);
    const written = readdirSync(join(folder, 'written'), { recursive: true }).map(String);
    assert.deepEqual(written.filter((path) => !['src', 'test'].includes(path)).toSorted(), FILES);
    assert.equal(manifest('written').name, 'written');
    for (const line of ['  cd written', '  npm install', '  npm start ', '  npm test']) {
      assert.ok(stdout.includes(`\n${line}`), stdout);
    }
    for (const file of FILES) assert.ok(stdout.includes(file), file);
    // A key is on no terminal, and only its owner reads it.
    const [, key = ''] =
      /^PROXY_EXECUTE_ENCRYPTION_KEY=(.*)$/m.exec(readFileSync(join(folder, 'written', '.env'), 'utf8')) ?? [];
    assert.match(key, /^[0-9a-f]{64}$/);
    assert.ok(!stdout.includes(key));
    assert.equal(statSync(join(folder, 'written', '.env')).mode & 0o777, 0o600);
    assert.match(readFileSync(join(folder, 'written', '.env.example'), 'utf8'), /^PROXY_EXECUTE_ENCRYPTION_KEY=$/m);
    const ignored = readFileSync(join(folder, 'written', '.gitignore'), 'utf8').split('\n');
    for (const path of ['.env', 'proxy-execute.db*', 'node_modules/']) assert.ok(ignored.includes(path), path);
  });

  it('writes into an empty folder that it is started in, each time with a new key', async () => {
    const here = join(folder, 'here');
    mkdirSync(here);
    const { stdout } = await init(['.', '--json'], here);
    const { folder: into, name, files } = JSON.parse(stdout);
    assert.deepEqual([into, name, files], [here, 'here', FILES]);
    mkdirSync(join(folder, 'default'));
    assert.ok(!(await init([], join(folder, 'default'))).stdout.includes('  cd '));
    const keyOf = (project: string) => readFileSync(join(folder, project, '.env'), 'utf8');
    assert.notEqual(keyOf('here'), keyOf('default'));
  });

  it('makes the folders above, and names the project as it is told', async () => {
    const { code } = await init(['a/My App', '--name', '@acme/my-app']);
    assert.equal(code, 0);
    assert.equal(manifest('a/My App').name, '@acme/my-app');
  });

  describe('refuses', () => {
    it('to overwrite a file, and names all that exist', async () => {
      mkdirSync(join(folder, 'used', 'src'), { recursive: true });
      writeFileSync(join(folder, 'used', 'src', 'main.ts'), 'mine');
      symlinkSync('nowhere', join(folder, 'used', '.env'));
      await refused(['used'], /used already has \.env and src\/main\.ts\. .*choose another folder/);
      assert.deepEqual(readdirSync(join(folder, 'used')).toSorted(), ['.env', 'src']);
      assert.equal(readFileSync(join(folder, 'used', 'src', 'main.ts'), 'utf8'), 'mine');
    });

    it('a folder that is a file, or has a file where it needs a folder', async () => {
      writeFileSync(join(folder, 'file'), '');
      await refused(['file'], /folder file cannot be written to \(EEXIST\): choose another folder/);
      await refused(['file/app'], /folder file\/app cannot be written to \(ENOTDIR\)/);
      mkdirSync(join(folder, 'blocked'));
      writeFileSync(join(folder, 'blocked', 'src'), '');
      await refused(['blocked'], /folder blocked cannot be written to \(EEXIST\)/);
      assert.deepEqual(readdirSync(join(folder, 'blocked')), ['src']);
    });

    it('a folder that it may not write to', { skip: process.platform === 'win32' }, async () => {
      mkdirSync(join(folder, 'closed'));
      chmodSync(join(folder, 'closed'), 0o555);
      // Root may write everywhere, and becomes another user.
      const uid = process.getuid?.() === 0 ? 65_534 : undefined;
      await refused(['closed'], /folder closed cannot be written to \(EACCES\)/, uid);
      await refused(['closed/app'], /folder closed\/app cannot be written to \(EACCES\)/, uid);
      assert.deepEqual(readdirSync(join(folder, 'closed')), []);
    });

    it('a name that no package can have', async () => {
      await refused(['My App'], /folder's name `My App` cannot be .* lower-case .* Choose one with --name <name>/);
      assert.ok(!existsSync(join(folder, 'My App')));
      await refused(['/'], /folder's name `` cannot/);
      for (const name of ['Upper', '.dot', '_under', 'a/b', '@acme', 'a b', 'a\nb', 'x'.repeat(215)]) {
        await refused(['named', '--name', name], /error: --name: `.*` cannot be the name of a package: a name has/);
      }
      // npm refuses a package that depends on its own name.
      for (const name of ['proxy-execute', 'tsx', 'node_modules']) {
        await refused(['named', '--name', name], /cannot be .*: it has another meaning for npm/);
      }
      await refused(['named', '--name', ''], /--name needs a value/);
      assert.ok(!existsSync(join(folder, 'named')));
    });

    it('a second folder, and options that it does not have', async () => {
      await refused(['one', 'two'], /too many arguments: `init` takes \[folder\]/);
      await refused(['one', '--nmae', 'x'], /did you mean `--name`/);
    });
  });

  describe('depends on', () => {
    /** The command in a folder `node_modules` that a package manager has made. */
    async function installed(name: string, resolved: string | undefined): Promise<string> {
      const modules = join(folder, name, 'node_modules');
      const own = join(modules, 'proxy-execute');
      for (const part of ['bin', 'dist', 'template', 'package.json']) {
        cpSync(join(root, part), join(own, part), { recursive: true });
      }
      symlinkSync(join(root, 'native.cjs'), join(own, 'native.cjs'));
      const lock = { packages: { 'node_modules/proxy-execute': { version: '0.1.0', resolved } } };
      if (resolved !== undefined) writeFileSync(join(modules, '.package-lock.json'), JSON.stringify(lock));
      const program = join(own, 'bin', 'proxy-execute.js');
      const { code, stdout, stderr } = await ended(
        start(process.execPath, [program, 'init', `${name}-app`, '--json'], folder),
      );
      assert.equal(code, 0, stderr);
      const { proxyExecute } = JSON.parse(stdout);
      assert.equal(manifest(`${name}-app`).dependencies['proxy-execute'], proxyExecute);
      return proxyExecute;
    }

    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

    it('its own version, if it is from a registry', async () => {
      const url = `https://registry.example.com/proxy-execute/-/proxy-execute-${version}.tgz`;
      assert.equal(await installed('npm', url), `^${version}`);
      assert.equal(await installed('pnpm', undefined), `^${version}`);
    });

    it('the packed file that it was installed from', async () => {
      assert.equal(await installed('packed', 'file:../x.tgz'), `file:${join(folder, 'x.tgz')}`);
    });

    it('the clone that it runs in, and says so', async () => {
      const { stdout } = await init(['cloned']);
      assert.equal(manifest('cloned').dependencies['proxy-execute'], `file:${root}`);
      assert.ok(stdout.includes(`It depends on ${root}, because this package was not installed from a registry.`));
    });
  });

  it('is packed with its template', () => {
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    assert.ok(files.includes('template'));
    // npm would leave these out, or obey them.
    const dotted = readdirSync(join(root, 'template'), { recursive: true }).map(String);
    assert.deepEqual(
      dotted.filter((path) => /(^|\/)\./.test(path)),
      [],
    );
  });

  describe('writes a project', () => {
    let project: string;

    before(async () => {
      project = join(folder, 'project');
      assert.equal((await init(['project'])).code, 0);
      // As `npm install` would, but without a network.
      const modules = join(project, 'node_modules');
      mkdirSync(join(modules, '.bin'), { recursive: true });
      symlinkSync(root, join(modules, 'proxy-execute'), 'dir');
      for (const name of Object.keys(manifest('project').devDependencies)) {
        mkdirSync(join(modules, name, '..'), { recursive: true });
        symlinkSync(join(root, 'node_modules', name), join(modules, name), 'dir');
      }
      for (const name of ['tsc', 'tsx']) {
        symlinkSync(join(root, 'node_modules', '.bin', name), join(modules, '.bin', name));
      }
    });

    const npm = (script: string, env = {}) => start('npm', ['run', '--silent', script], project, env);

    it('with sound types', async () => {
      const { code, stdout } = await ended(npm('types'));
      assert.equal(code, 0, stdout);
    });

    it('with tests that pass', async () => {
      const { code, stdout } = await ended(npm('test'));
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^# pass [4-9]$/m);
    });

    it('that makes its first call, and connects an account in a browser', {
      skip: chromiumPath === undefined && !process.env.CI && NO_CHROMIUM,
    }, async () => {
      const program = npm('start');
      program.stdin.end();
      const closed = once(program, 'close');
      let printed = '';
      let url: string | undefined;
      for await (const text of program.stdout.setEncoding('utf8')) {
        printed += text;
        if (url !== undefined) continue;
        [, url] = /\n(http:\S+\/connect\/\S+)\n.* enter token-of-ben\.\n/.exec(printed) ?? [];
        if (url !== undefined) await connect(url);
      }
      assert.deepEqual(await closed, [0, null]);
      assert.match(printed, /^200 from demo: .*'ann-arbor'.*\n200 from demo: .*'ben-nevis'/s);

      // The store has the account. The next start asks for none.
      const again = await ended(npm('start'));
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.stdout, /^200 .*'ann-arbor'.*\n\nben has connected .*\n200 .*'ben-nevis'/);
    });

    async function connect(url: string): Promise<void> {
      const browser = await startChromium();
      try {
        const page = await browser.newPage();
        await page.goto(url);
        await page.getByRole('textbox').fill('a-wrong-token');
        await page.getByRole('button', { name: 'Connect' }).click();
        await page.getByText('did not accept this').waitFor();
        await page.getByRole('textbox').fill('token-of-ben');
        await page.getByRole('button', { name: 'Connect' }).click();
        await page.getByText('You can close this page.').waitFor();
      } finally {
        await browser.close();
      }
    }

    it('that calls GitHub with a token, and says in a sentence that it is not reached', async () => {
      const tokens: (string | undefined)[] = [];
      const github = createServer((request, response) => {
        tokens.push(request.headers.authorization);
        response.writeHead(401, { 'content-type': 'application/json' }).end('{"message":"Bad credentials"}');
      });
      await once(github.listen(0, '127.0.0.1'), 'listening');
      const env = { GITHUB_TOKEN: 'a-token', NODE_OPTIONS: `--import ${githubAt(github.address() as AddressInfo)}` };
      const program = npm('start', env);
      const [line] = await once(createInterface(program.stdout), 'line');
      process.kill(-(program.pid ?? 0), 'SIGTERM');
      await once(program, 'close');
      assert.equal(line, "401 from github: { message: 'Bad credentials' }");
      assert.deepEqual(tokens, ['Bearer a-token']);
      github.close().closeAllConnections();

      const { code, stdout, stderr } = await ended(npm('start', env));
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^The gateway could not connect to http:\/\/127\.\S+ .* Nothing was sent\. .*\n$/);
    });

    /** A module in the project that puts GitHub on this machine. */
    function githubAt({ port }: AddressInfo): string {
      const file = join(project, 'github-here.mjs');
      const toolkit = {
        slug: 'github',
        name: 'GitHub',
        base_url: `http://127.0.0.1:${port}`,
        schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
      };
      const code = `
        import { Gateway } from 'proxy-execute';
        const { open } = Gateway;
        Gateway.open = ({ toolkits, allowPrivateHosts, ...options }) => open.call(Gateway, {
          ...options,
          toolkits: [...toolkits, ${JSON.stringify(toolkit)}],
          allowPrivateHosts: [...allowPrivateHosts, '127.0.0.1:${port}'],
        });`;
      writeFileSync(file, code);
      return pathToFileURL(file).href;
    }

    it('that says in a sentence that its key is missing', async () => {
      const env = join(project, '.env');
      const text = readFileSync(env, 'utf8');
      rmSync(env);
      const { code, stderr } = await ended(npm('start'));
      writeFileSync(env, text);
      assert.equal(code, 1);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
      assert.match(stderr, /proxy-execute\.db.* needs an encryptionKey/);
    });
  });
});
