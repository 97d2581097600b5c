/** The programs of `__test__/support/parity.ts` are programs for the vendor's SDK: its own types accept them. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const resolve = createRequire(join(root, 'package.json')).resolve;

it('compile with the newest SDK', async () => {
  const tsx = join(root, 'node_modules', 'tsx', 'dist', 'esm', 'api', 'index.mjs');
  const { tsImport } = await import(pathToFileURL(tsx).href);
  const { SNIPPETS } = await tsImport('../../__test__/support/parity.ts', import.meta.url);
  // In this folder, where the SDK and zod are found.
  const folder = mkdtempSync(join(here, '.parity-'));
  try {
    const programs = Object.values(SNIPPETS).flat();
    assert.ok(programs.length > 60);
    for (const [index, { code }] of programs.entries()) {
      const program = code.replace("'@composio/core'", "'composio-core-newest'");
      writeFileSync(join(folder, `${index}.mts`), program);
    }
    const types = { types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] };
    const compilerOptions = {
      target: 'ES2022',
      module: 'Node16',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      ...types,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    const tsc = resolve('typescript/bin/tsc');
    const compiled = promisify(execFile)(process.execPath, [tsc, '--project', folder], { cwd: folder });
    await compiled.catch(({ stdout }) => assert.fail(stdout));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
