/** The size of an installation on the disk. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Bytes and files of this package as it is published, and of the others with their dependencies. */
export function installed() {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: join(HERE, '..'),
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: process.platform === 'win32',
  });
  const [{ unpackedSize, entryCount }] = JSON.parse(packed);
  return {
    'proxy-execute': { bytes: unpackedSize, files: entryCount },
    undici: withDependencies('undici'),
    '@composio/core': withDependencies('@composio/core'),
  };
}

function withDependencies(name) {
  const total = { bytes: 0, files: 0 };
  const seen = new Set();
  const visit = (name, from) => {
    const place = [join(from, 'node_modules', name), join(HERE, 'node_modules', name)].find(existsSync);
    if (place === undefined || seen.has(place)) return;
    seen.add(place);
    for (const entry of readdirSync(place, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      if (!entry.isFile() || path.slice(place.length).includes('node_modules')) continue;
      total.bytes += statSync(path).size;
      total.files += 1;
    }
    const { dependencies = {} } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) visit(dependency, place);
  };
  visit(name, HERE);
  return total;
}
