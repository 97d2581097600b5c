/** The program without Node.js, as Cargo has built it. */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Its path: below the folder of a named target, or not. */
export function builtProgram(): string | undefined {
  const target = process.env.CARGO_TARGET_DIR ?? join(__dirname, '..', '..', 'target');
  const name = `proxy-execute-gateway${process.platform === 'win32' ? '.exe' : ''}`;
  const folders = existsSync(target) ? ['', ...readdirSync(target)] : [];
  const programs = folders.map((folder) => join(target, folder, 'debug', name)).filter((path) => existsSync(path));
  return programs.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}
