/**
 * Makes the packages of a release, as folders in npm/: one for each platform whose addon is in this folder, and
 * `proxy-execute` itself, which has all platforms as optional dependencies.
 *
 *     npm run packages             the platforms whose addon is here
 *     npm run packages -- --all    the same, and fails unless the addon of every platform is here
 */

import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NapiCli, parseTriple } from '@napi-rs/cli';

const root = fileURLToPath(new URL('..', import.meta.url));
const npm = join(root, 'npm');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { binaryName, packageName, targets } = manifest.napi;
const platforms = targets.map((target) => parseTriple(target).platformArchABI);
const addonOf = (platform) => `${binaryName}.${platform}.node`;
const present = platforms.filter((platform) => existsSync(join(root, addonOf(platform))));

if (process.argv.includes('--all') && present.length < platforms.length) {
  const missing = platforms.filter((platform) => !present.includes(platform)).map(addonOf);
  console.error(`Missing in ${root}: ${missing.join(', ')}`);
  process.exit(1);
}

rmSync(npm, { recursive: true, force: true });
await new NapiCli().createNpmDirs({ cwd: root });
for (const platform of platforms) {
  if (present.includes(platform)) platformPackage(platform);
  else rmSync(join(npm, platform), { recursive: true });
}
rootPackage();

/** Completes the folder of a platform, which has a package.json. */
function platformPackage(platform) {
  const folder = join(npm, platform);
  cpSync(join(root, addonOf(platform)), join(folder, addonOf(platform)));
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const text = `The native part of [proxy-execute](https://www.npmjs.com/package/proxy-execute) for ${platform}. Install that package.`;
  writeFileSync(join(folder, 'README.md'), `# ${packageName}-${platform}\n\n${text}\n`);
}

/** The package without addons. Nothing runs when it is installed. */
function rootPackage() {
  const folder = join(npm, manifest.name);
  const { scripts, devDependencies, allowScripts, ...published } = manifest;
  published.files = published.files.filter((pattern) => pattern !== '*.node');
  published.optionalDependencies = Object.fromEntries(
    platforms.map((platform) => [`${packageName}-${platform}`, manifest.version]),
  );
  for (const name of [...published.files, 'README.md', 'LICENSE']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}
