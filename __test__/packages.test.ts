// The packages of a release, as `npm run packages` makes them, in a folder where they are installed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

const root = join(__dirname, '..');
const npm = join(root, 'npm');

describe('the packages of a release', () => {
  let folder: string;
  /** The platform's part of its package's name, such as `linux-x64-gnu`. */
  let platform: string;

  before(async () => {
    await promisify(execFile)(process.execPath, [join(root, 'scripts', 'packages.mjs')]);
    folder = await mkdtemp(join(tmpdir(), 'proxy-execute-'));
    await cp(join(npm, 'proxy-execute'), installed('proxy-execute'), { recursive: true });
    const platforms = (await readdir(npm)).filter((name) => name !== 'proxy-execute');
    platform = platforms.find((name) => name.startsWith(`${process.platform}-${process.arch}`)) ?? '';
    assert.notEqual(platform, '', `no package for this platform in ${platforms}`);
  });

  after(() => rm(folder, { recursive: true, force: true }));

  const installed = (name: string) => join(folder, 'node_modules', name);

  /** Opens a gateway in a process of its own. Returns what happened. */
  async function open(before = ''): Promise<string> {
    const program = `${before}
      Promise.resolve()
        .then(() => require('proxy-execute').Gateway.open())
        .then((gateway) => gateway.close())
        .then(() => 'it opens', ({ message }) => message)
        .then(console.log);`;
    return (await promisify(execFile)(process.execPath, ['-e', program], { cwd: folder })).stdout.trim();
  }

  it('say which package is missing, and why it may be', async () => {
    const message = await open();
    const name = `@proxy-execute/native-${platform}`;
    assert.ok(message.includes(`: the package ${name} is not installed. Install again with optional`), message);
    assert.match(message, /without `--omit=optional` or `--no-optional`.*lock file comes from another platform/);
  });

  it('list the platforms where there is no package for this one', async () => {
    const message = await open(`Object.defineProperty(process, 'platform', { value: 'freebsd' });`);
    assert.match(message, /on freebsd-.*: .*Prebuilt packages exist for linux-x64-gnu, .*, win32-arm64-msvc\. /);
    assert.match(message, /build it: `npm install` in a clone .*Rust/);
  });

  it('ask for every platform in the version of the package, and run nothing at installation', async () => {
    const manifest = JSON.parse(await readFile(join(installed('proxy-execute'), 'package.json'), 'utf8'));
    const { targets } = manifest.napi;
    assert.equal(Object.keys(manifest.optionalDependencies).length, targets.length);
    for (const version of Object.values(manifest.optionalDependencies)) assert.equal(version, manifest.version);
    assert.deepEqual([manifest.scripts, manifest.dependencies], [undefined, undefined]);
    const files = await readdir(installed('proxy-execute'));
    assert.deepEqual(
      files.filter((name) => name.endsWith('.node')),
      [],
    );
  });

  it('load the addon of this platform', async () => {
    await cp(join(npm, platform), installed(`@proxy-execute/native-${platform}`), { recursive: true });
    assert.equal(await open(), 'it opens');
  });

  it('say why an installed addon does not load', async () => {
    const place = installed(`@proxy-execute/native-${platform}`);
    await writeFile(join(place, `proxy-execute.${platform}.node`), 'damaged');
    const message = await open();
    assert.match(
      message,
      /cannot be loaded on .*native-.*\.node: .*If the file is damaged, install @proxy-execute\/native-/,
    );
  });
});
