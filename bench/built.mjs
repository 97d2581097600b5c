/** The benchmark's own programs, which `npm run bench` builds. */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of one of them. */
export function built(name) {
  const { CARGO_TARGET_DIR, CARGO_BUILD_TARGET } = process.env;
  const target = CARGO_TARGET_DIR ?? fileURLToPath(new URL('../target', import.meta.url));
  const binary = `${name}${process.platform === 'win32' ? '.exe' : ''}`;
  const path = [target, CARGO_BUILD_TARGET ?? host(), 'release', binary].join('/');
  if (!existsSync(path)) throw new Error(`There is no ${path}: use \`npm run bench\`, which builds it.`);
  return path;
}

/** The target that `.cargo/config.toml` names: this machine's own. */
function host() {
  return /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
}
