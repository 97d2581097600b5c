/**
 * The package under bundlers, frameworks, and test environments that replace globals. Each builds or runs a
 * program that makes a call, with the settings of docs/bundlers.md.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Beside node_modules, so that the programs find their tools. */
const folder = join(here, 'built');

before(async () => {
  await rm(folder, { recursive: true, force: true });
  await cp(join(here, 'programs'), folder, { recursive: true });
  // Installed, not linked: bundlers treat a linked package as the program's own code.
  const installed = join(folder, 'node_modules', 'proxy-execute');
  const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  for (const name of ['package.json', ...files.filter((file) => !/[*/]/.test(file)), ...(await addons())]) {
    await cp(join(root, name), join(installed, name), { recursive: true });
  }
});

after(() => rm(folder, { recursive: true, force: true }));

async function addons() {
  return (await readdir(root)).filter((name) => name.endsWith('.node'));
}

/** Runs a JavaScript program in the folder, and returns what it prints. A failure shows all of it. */
async function run(...args) {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1' };
  delete env.NODE_ENV;
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      cwd: folder,
      env,
      timeout: 120_000,
    });
    return stdout + stderr;
  } catch (error) {
    assert.fail(`${args.join(' ')}:\n${error.stdout}\n${error.stderr}`);
  }
}

const installed = (path) => join(here, 'node_modules', path);

async function esbuilt(entry, format, outfile) {
  const options = { bundle: true, platform: 'node', external: ['proxy-execute'], absWorkingDir: folder };
  await (await import('esbuild')).build({ ...options, entryPoints: [entry], format, outfile });
}

describe('a bundle', () => {
  it('of esbuild, as ESM', async () => {
    await esbuilt('main.mjs', 'esm', 'esbuild.mjs');
    assert.equal(await run('esbuild.mjs'), '200 {"ok":true}\n');
  });

  it('of esbuild, as CommonJS', async () => {
    await esbuilt('main-cjs.mjs', 'cjs', 'esbuild.cjs');
    assert.equal(await run('esbuild.cjs'), '200 {"ok":true}\n');
  });

  it('of webpack', async () => {
    const { default: webpack } = await import('webpack');
    const stats = await promisify(webpack)({
      context: folder,
      mode: 'production',
      target: 'node',
      entry: './main-cjs.mjs',
      externals: { 'proxy-execute': 'commonjs proxy-execute' },
      output: { path: folder, filename: 'webpack.cjs' },
    });
    assert.ok(!stats.hasErrors(), stats.toString());
    assert.equal(await run('webpack.cjs'), '200 {"ok":true}\n');
  });

  it('of rollup', async () => {
    const { rollup } = await import('rollup');
    const { nodeResolve } = await import('@rollup/plugin-node-resolve');
    const plugins = [nodeResolve({ preferBuiltins: true })];
    const bundle = await rollup({ input: join(folder, 'main.mjs'), external: ['proxy-execute'], plugins });
    await bundle.write({ file: join(folder, 'rollup.mjs'), format: 'esm' });
    assert.equal(await run('rollup.mjs'), '200 {"ok":true}\n');
  });

  it('of Next.js', async () => {
    await run(installed('next/dist/bin/next'), 'build');
    const page = await readFile(join(folder, '.next', 'server', 'app', 'index.html'), 'utf8');
    assert.match(page, /<p>200 \{ok:true\}<\/p>/);
  });
});

describe('a test environment with the globals of a browser', () => {
  for (const environment of ['jsdom', 'happy-dom']) {
    it(`vitest with ${environment}`, async () => {
      await run(installed('vitest/vitest.mjs'), 'run', '--root', '.', '--environment', environment, 'call.test.mjs');
    });
  }

  it('Jest with jsdom', async () => {
    await esbuilt('call.mjs', 'cjs', 'bundled-for-jest.cjs');
    const config = JSON.stringify({ testEnvironment: 'jsdom', testMatch: ['**/call.jest.cjs'], transform: {} });
    await run(installed('jest/bin/jest.js'), '--config', config, '--rootDir', '.');
  });
});
