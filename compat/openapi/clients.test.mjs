/** `/openapi.json` in other tools: a linter accepts it, and generated clients compile and make calls. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startGateway } from '../typescript/gateway.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

let gateway;
let folder;

before(async () => {
  gateway = await startGateway();
  folder = await mkdtemp(join(tmpdir(), 'proxy-execute-openapi-'));
  const served = await fetch(`${gateway.baseURL}/openapi.json`);
  await writeFile(join(folder, 'openapi.json'), await served.text());
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await cp(join(here, 'calls'), folder, { recursive: true });
  await symlink(join(here, 'node_modules'), join(folder, 'node_modules'));
});

after(async () => {
  await gateway?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** Runs a tool of this package in the folder with the document. A failure shows what the tool printed. */
async function run(tool, ...args) {
  const command = tool === 'node' ? process.execPath : join(here, 'node_modules', '.bin', tool);
  const env = { ...process.env, GATEWAY: JSON.stringify(gateway), REDOCLY_TELEMETRY: 'off', NO_COLOR: '1' };
  try {
    return (await promisify(execFile)(command, args, { cwd: folder, env })).stdout;
  } catch (error) {
    assert.fail(`${tool} ${args.join(' ')}:\n${error.stdout}\n${error.stderr}`);
  }
}

async function compilesAndCalls(file) {
  await run(
    'tsc',
    '--outDir',
    'built',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    file,
  );
  return JSON.parse(await run('node', `built/${file.replace('.ts', '.js')}`));
}

describe('/openapi.json', () => {
  it('is valid', async () => {
    await run('redocly', 'lint', 'openapi.json');
  });

  it('names each operation once, for the methods of clients', async () => {
    const { paths } = await (await fetch(`${gateway.baseURL}/openapi.json`)).json();
    const ids = Object.values(paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId));
    assert.ok(ids.length > 20);
    assert.deepEqual(
      ids.filter((id) => !/^[a-z]+[A-Z]\w+$/.test(id)),
      [],
    );
    assert.equal(new Set(ids).size, ids.length);
  });

  it('generates a client with openapi-typescript that compiles and makes calls', async () => {
    await run('openapi-typescript', 'openapi.json', '--output', 'described.ts');
    assert.deepEqual(await compilesAndCalls('openapi-fetch.ts'), {
      refused: [404, 'ToolRouterV2_SessionNotFound'],
      called: [200, 'GET', '/user', 'Bearer token-of-ann'],
      connected: ['github', 'slackbot'],
    });
  });

  it('generates a client with @hey-api/openapi-ts that compiles and makes calls', async () => {
    await run('openapi-ts', '--input', 'openapi.json', '--output', 'generated', '--client', '@hey-api/client-fetch');
    assert.deepEqual(await compilesAndCalls('hey-api.ts'), {
      refused: [404, 'ToolRouterV2_SessionNotFound'],
      called: [200, 'GET', '/user', 'Bearer token-of-ann'],
      connected: ['github', 'slackbot'],
    });
  });
});
