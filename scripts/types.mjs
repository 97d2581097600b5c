/**
 * Writes index.d.ts, the declarations of the whole public surface in one file.
 *
 * With --check it writes nothing, and fails if the file is not what it would write.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generateDtsBundle } from 'dts-bundle-generator';

const root = new URL('..', import.meta.url);
const target = new URL('index.d.ts', root);

const [bundle] = generateDtsBundle(
  [
    {
      filePath: fileURLToPath(new URL('lib/index.ts', root)),
      output: { noBanner: true, exportReferencedTypes: false },
    },
  ],
  { preferredConfigPath: fileURLToPath(new URL('tsconfig.json', root)) },
);
const declarations = `// Written by \`npm run types\` from lib/.\n\n${bundle}`;

if (!process.argv.includes('--check')) {
  writeFileSync(target, declarations);
} else if (readFileSync(target, 'utf8') !== declarations) {
  console.error('index.d.ts is stale: run `npm run types` and commit it.');
  process.exitCode = 1;
}
