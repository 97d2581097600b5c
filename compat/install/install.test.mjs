/**
 * The packages of a release, published to a registry on this machine, and installed by each package manager in an empty
 * folder. No compiler of Rust is on the PATH there.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const tool = (path) => join(here, 'node_modules', path);
const windows = process.platform === 'win32';

const hasRust = (folder) => ['cargo', 'rustc'].some((name) => existsSync(join(folder, windows ? `${name}.exe` : name)));
const PATH = process.env.PATH.split(delimiter)
  .filter((folder) => !hasRust(folder))
  .join(delimiter);

/** All that the package managers write, and the folders that they install into. */
let folder;
let registry;
let url;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-execute-install-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  await writeFile(
    join(folder, 'registry.yaml'),
    `storage: ${JSON.stringify(join(folder, 'storage'))}
uplinks: {}
packages:
  '**': { access: $all, publish: $all }
max_body_size: 500mb
web: { enable: false }
log: { type: stdout, format: pretty, level: warn }
`,
  );
  const options = ['--config', join(folder, 'registry.yaml'), '--listen', url];
  registry = spawn(process.execPath, [tool('verdaccio/bin/verdaccio'), ...options], { stdio: 'ignore' });
  await answers(url);
  await run(process.execPath, [join(root, 'scripts', 'packages.mjs')], folder);
  const made = await readdir(join(root, 'npm'));
  for (const platform of made.filter((name) => name.startsWith('linux'))) {
    // The symbols of a debug build take a minute to compress. A release has none, and its container may have no strip.
    const addon = join(root, 'npm', platform, `proxy-execute.${platform}.node`);
    await run('strip', ['--strip-all', addon], folder).catch(() => {});
  }
  const absent = await otherPlatforms(made);
  for (const place of [...absent, ...made.map((name) => join(root, 'npm', name))]) {
    await npm(['publish', place, `--//127.0.0.1:${port}/:_authToken=any`], folder);
  }
});

after(async () => {
  registry?.kill();
  if (registry?.exitCode === null) await once(registry, 'exit');
  await rm(folder, { recursive: true, force: true });
});

describe('the package, without Rust, is installed and called by', () => {
  it('npm', async () => {
    const place = await emptyFolder('npm');
    await npm(['install', 'proxy-execute'], place);
    await calls(place, process.execPath);
    const addons = (await readdir(join(place, 'node_modules', '@proxy-execute'))).length;
    assert.equal(addons, 1, 'an installation has the addon of its own platform only');
  });

  it('pnpm', async () => {
    const place = await emptyFolder('pnpm');
    const config = [`--config.store-dir=${join(folder, 'pnpm-store')}`, '--config.minimum-release-age=0'];
    await run(process.execPath, [tool('pnpm/bin/pnpm.cjs'), 'add', ...config, 'proxy-execute'], place);
    await calls(place, process.execPath);
  });

  it('Yarn, without node_modules', async () => {
    const place = await emptyFolder('yarn');
    await writeFile(
      join(place, '.yarnrc.yml'),
      `nodeLinker: pnp
pnpEnableEsmLoader: true
npmRegistryServer: ${JSON.stringify(url.slice(0, -1))}
unsafeHttpWhitelist: ['127.0.0.1']
npmMinimalAgeGate: 0
globalFolder: ${JSON.stringify(join(folder, 'yarn-global'))}
enableTelemetry: false
`,
    );
    await writeFile(join(place, 'yarn.lock'), '');
    const yarn = tool('@yarnpkg/cli-dist/bin/yarn.js');
    await run(process.execPath, [yarn, 'add', 'proxy-execute'], place);
    assert.ok(!existsSync(join(place, 'node_modules')));
    await calls(place, process.execPath, [yarn, 'node']);
  });

  it('Bun, and runs in Bun', async () => {
    const place = await emptyFolder('bun');
    await writeFile(
      join(place, 'bunfig.toml'),
      `[install]\nregistry = "${url}"\ncache = "${join(folder, 'bun-cache')}"\n`,
    );
    const bun = await bunProgram();
    await run(bun, ['add', 'proxy-execute'], place);
    await calls(place, process.execPath);
    await calls(place, bun);
  });
});

it('an installation without optional dependencies names the missing package', async () => {
  const place = await emptyFolder('omitted');
  await npm(['install', '--omit=optional', 'proxy-execute'], place);
  await assert.rejects(run(process.execPath, ['call.cjs'], place), (error) => {
    assert.match(error.stderr, /the package @proxy-execute\/native-[\w-]+ is not installed\. .*`--omit=optional`/);
    return true;
  });
});

/** Empty packages of the platforms that have no addon here. Yarn reads the description of all platforms. */
async function otherPlatforms(made) {
  const manifest = JSON.parse(await readFile(join(root, 'npm', 'proxy-execute', 'package.json'), 'utf8'));
  const places = [];
  for (const [name, version] of Object.entries(manifest.optionalDependencies)) {
    const platform = name.replace(/^.*\/native-/, '');
    if (made.includes(platform)) continue;
    const [os, cpu, abi] = platform.split('-');
    const libc = os === 'linux' ? [abi === 'gnu' ? 'glibc' : abi] : undefined;
    const place = join(folder, 'platforms', platform);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'package.json'), JSON.stringify({ name, version, os: [os], cpu: [cpu], libc }));
    places.push(place);
  }
  return places;
}

/** A folder with the programs of .ci/packed, and nothing installed. */
async function emptyFolder(name) {
  const place = join(folder, name);
  await mkdir(place);
  await cp(join(root, '.ci', 'packed'), place, { recursive: true });
  await writeFile(join(place, 'package.json'), JSON.stringify({ name, private: true }));
  await writeFile(join(place, '.npmrc'), `registry=${url}\n`);
  return place;
}

async function calls(place, program, args = []) {
  assert.equal(await run(program, [...args, 'call.mjs'], place), 'ESM: one call, answered 200\n');
  assert.equal(await run(program, [...args, 'call.cjs'], place), 'CommonJS: one call, answered 200\n');
}

function npm(args, cwd) {
  // npm is started through its script: on Windows, `npm` is not a program.
  const script = process.env.npm_execpath ?? 'npm';
  const options = ['--no-audit', '--no-fund', '--loglevel=error', `--cache=${join(folder, 'npm-cache')}`];
  return script === 'npm'
    ? run('npm', [...args, ...options], cwd)
    : run(process.execPath, [script, ...args, ...options], cwd);
}

async function run(program, args, cwd) {
  const env = { ...process.env, PATH, npm_config_registry: url, NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)(program, args, { cwd, env, timeout: 120_000, maxBuffer: 2 ** 24 });
  return stdout;
}

/** The program in the package of this platform. The package `bun` copies it at installation. */
async function bunProgram() {
  const [name] = await readdir(tool('@oven'));
  return tool(join('@oven', name, 'bin', windows ? 'bun.exe' : 'bun'));
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until the registry answers, which takes a few seconds. */
async function answers(address) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await fetch(`${address}-/ping`);
      return;
    } catch (error) {
      assert.ok(Date.now() < deadline, `no answer from the registry: ${error.cause}`);
      assert.equal(registry.exitCode, null, 'the registry ended');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
