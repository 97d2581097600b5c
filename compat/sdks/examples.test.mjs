/** The examples of `docs/sdks.md`: they have the SDKs' types, and print what their comments say. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { check, end } from './every-api.mjs';

const start = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const fromRoot = createRequire(join(root, 'package.json'));
const page = readFileSync(join(root, 'docs', 'sdks.md'), 'utf8');

/** The page's examples in a language, named by their headings. */
function examples(language) {
  const headings = [...page.matchAll(/^##+ (.*)$/gm)];
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(({ index, 1: code }, i) => {
    const heading = headings.findLast((heading) => heading.index < index)?.[1] ?? 'the first';
    return { name: `${language}-${i + 1}`, heading, code };
  });
}

/** The lines that an example prints, by its comments. */
const expected = (code, print, comment) =>
  [...code.matchAll(new RegExp(`${print}\\(.*\\);? *${comment} (.*)$`, 'gm'))].map(([, text]) => text);

/** A module around an example. The example is in a function, so that it may declare the names of the module. */
function module(example) {
  const imports = example.match(/^import .*\n/gm) ?? [];
  return `
    import { composio, session } from '../every-api.mjs';
    ${imports.join('')}
    export async function run() {
      ${example.replaceAll(/^import .*\n/gm, '')}
    }
    export { composio, session };
  `;
}

describe('docs/sdks.md', () => {
  const typescript = examples('ts');
  let folder;

  before(() => {
    // In this folder, for the SDKs.
    folder = mkdtempSync(join(here, '.examples-'));
    const installed = join(here, 'node_modules', 'proxy-execute');
    rmSync(installed, { force: true });
    symlinkSync(root, installed, 'dir');
    for (const { name, code } of typescript) writeFileSync(join(folder, `${name}.mts`), module(code));
    const options = { target: 'ES2022', module: 'Node16', strict: true, skipLibCheck: true, types: ['node'] };
    const compilerOptions = { ...options, lib: ['ES2023', 'ESNext.Disposable'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    // The files of the examples, which read them in the current folder.
    process.chdir(folder);
    writeFileSync('notes.pdf', '%PDF-1.4');
  });

  after(async () => {
    process.chdir(here);
    rmSync(folder, { recursive: true });
    await end();
  });

  it('has an example of each SDK', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(here, 'package.json')));
    const missing = Object.keys(devDependencies).filter((name) => !page.includes(`from '${name}'`));
    assert.deepEqual(missing, ['@octokit/plugin-retry', 'ws']);
  });

  it('has the types of the SDKs', async () => {
    const tsc = fromRoot.resolve('typescript/bin/tsc');
    await start(process.execPath, [tsc, '--project', folder]).catch(({ stdout }) => assert.fail(stdout));
  });

  for (const { name, heading, code } of typescript) {
    it(`${heading} (${name})`, async (t) => {
      const { run } = await import(join(folder, `${name}.mjs`));
      const said = ['log', 'warn', 'error'].map((level) => t.mock.method(console, level, () => {}).mock);
      await run();
      const [log, ...complaints] = said.map(({ calls }) => calls.map(({ arguments: parts }) => parts.join(' ')));
      assert.deepEqual(complaints, [[], []]);
      const lines = expected(code, 'console\\.log', '//');
      // A line of a loop is printed more than once.
      assert.deepEqual(code.includes('for await') ? log.slice(0, lines.length) : log, lines);
      check();
    });
  }

  for (const { name, heading, code } of examples('python')) {
    it(`${heading} (${name})`, async () => {
      const python = join(root, 'compat', 'python', 'newest', '.venv', 'bin', 'python');
      const { stdout, stderr } = await start(python, ['-c', code]);
      assert.equal(stderr, '');
      assert.deepEqual(stdout.trim().split('\n'), expected(code, 'print', '#'));
      check();
    });
  }

  for (const { name, heading, code } of examples('sh')) {
    it(`${heading} (${name})`, async () => {
      const { stdout, stderr } = await start('sh', ['-ec', code]);
      assert.equal(stderr, '');
      assert.equal(JSON.parse(stdout).number, 1);
      check();
    });
  }
});
