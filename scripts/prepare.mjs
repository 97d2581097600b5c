/**
 * Builds the addon and lib/ in a clone. npm runs this script after `npm install` and `npm ci`.
 *
 * The build is not optimised. It shares its folder and the features of its dependencies with `cargo test`, so
 * that `npm test` compiles no dependency again. `npm run build` builds for release.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** The sources of the addon, beside the crates of the lock file. */
const SOURCES = ['src', 'crates', 'build.rs', 'Cargo.toml', 'Cargo.lock', '.cargo/config.toml'];

/** How to install a C compiler, by the platform. On Windows, Rust's own installer sees to it. */
const C_COMPILER = {
  linux: "`sudo apt-get install build-essential` (or your distribution's gcc and libc headers)",
  darwin: '`xcode-select --install`',
};

// `npm pack` and `npm publish` run this script too, after `prepack` has built for release.
if (!['pack', 'publish'].includes(process.env.npm_command)) prepare();

function prepare() {
  const fault = whatIsMissing();
  if (fault) {
    console.error(`\nproxy-execute cannot be built: ${fault} Then run \`npm install\` again.\n`);
    process.exitCode = 1;
    return;
  }
  const steps = isBuilt() ? ['build:lib'] : ['build:native:debug', 'build:lib'];
  if (steps.length > 1) {
    console.log(
      '\nBuilding the addon of proxy-execute, without optimisation. The first time, this compiles about 300 crates' +
        '\nand takes about five minutes on two cores. Later builds compile what has changed.\n',
    );
  }
  const began = Date.now();
  for (const step of steps) {
    // npm runs this script, so its own command is known.
    const { status } = spawnSync('npm', ['run', '--silent', step], {
      stdio: 'inherit',
      shell: process.platform === 'win32',
    });
    if (status !== 0) {
      console.error(`\nproxy-execute was not built: \`npm run ${step}\` failed, for the reason above.\n`);
      process.exitCode = 1;
      return;
    }
  }
  if (steps.length > 1) console.log(`\nBuilt in ${Math.round((Date.now() - began) / 1000)} s.\n`);
}

/** The first thing that a build lacks, and the command that installs it. */
function whatIsMissing() {
  const [, floor] = /^rust-version = "(.*)"/m.exec(readFileSync('Cargo.toml', 'utf8'));
  const cargo = spawnSync('cargo', ['--version'], { encoding: 'utf8' });
  const rustc = spawnSync('rustc', ['--version'], { encoding: 'utf8' });
  if (cargo.error || rustc.error || cargo.status !== 0 || rustc.status !== 0) {
    return process.platform === 'win32'
      ? 'Rust is missing. Install it with `winget install Rustlang.Rustup`.'
      : "Rust is missing. Install it with `curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh`.";
  }
  const [, version] = /^rustc (\d+\.\d+)/.exec(rustc.stdout) ?? [];
  if (version && isOlder(version, floor)) {
    return `it needs Rust ${floor}, and this is ${version}. Update it with \`rustup update stable\`.`;
  }
  const compiler = C_COMPILER[process.platform];
  if (compiler && !process.env.CC && !isOnPath('cc')) {
    return `a C compiler is missing. Install one with ${compiler}.`;
  }
  return undefined;
}

function isOlder(version, floor) {
  const [major, minor] = version.split('.').map(Number);
  const [floorMajor, floorMinor] = floor.split('.').map(Number);
  return major < floorMajor || (major === floorMajor && minor < floorMinor);
}

function isOnPath(program) {
  return process.env.PATH.split(delimiter).some((folder) => statSync(join(folder, program), { throwIfNoEntry: false }));
}

/** Whether there is an addon that is newer than its sources. It stays, also if it was built for release. */
function isBuilt() {
  const addons = readdirSync('.').filter((name) => name.endsWith('.node'));
  if (addons.length === 0 || !existsSync('native.cjs')) return false;
  const built = [...addons, 'native.cjs'];
  const age = Math.min(...built.map((name) => statSync(name).mtimeMs));
  return SOURCES.every((source) => newest(source) < age);
}

/** When the latest change of a file was, or of any file in a folder. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
