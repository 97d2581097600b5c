/**
 * The log: its destination, its settings, and the lines about a failed request.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { until } from './support/expect';

const root = join(__dirname, '..');
const node = promisify(execFile);

/** A program with a gateway that makes one call and writes its record. */
const PROGRAM = `
  import { Composio, Gateway } from 'proxy-execute';
  const toolkits = [{ slug: 'down', name: 'Down', base_url: 'http://127.0.0.1:1', schemes: { NO_AUTH: {} } }];
  const gateway = await Gateway.open({ toolkits, allowPrivateHosts: ['127.0.0.1:1'] });
  const { url: baseURL } = await gateway.listen();
  const { key: apiKey } = await gateway.apiKeys.create();
  const session = await new Composio({ baseURL, apiKey, maxRetries: 0 }).create('ann');
  const call = { toolkit: 'down', endpoint: '/path?secret=1', method: 'POST', body: { secret: 1 } };
  await session.proxyExecute(call).catch((error) => console.log(error.requestId));
  await gateway.close();
`;

function run(level?: string) {
  const { PROXY_EXECUTE_LOG: _, ...env } = process.env;
  const options = { cwd: root, env: level === undefined ? env : { ...env, PROXY_EXECUTE_LOG: level }, timeout: 20_000 };
  return node(process.execPath, ['--input-type=module', '--eval', PROGRAM], options);
}

describe('the log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-log-'));
  after(() => rmSync(folder, { recursive: true }));

  it('has each call from the level info, with its request id', async () => {
    const { stdout, stderr } = await run('info');
    const [line] = stderr.split('\n').filter((line) => line.includes(stdout.trim()));
    assert.match(
      line ?? stderr,
      /^\S+Z +INFO request\{id="req_\w+" method=POST path="\/api\/v3.1\/tool_router\/session\/trs_/,
    );
    assert.match(line ?? stderr, /UpstreamUnreachable/);
    assert.doesNotMatch(stderr, /secret/);
  });

  it('is empty without a failure or a setting', async () => {
    assert.equal((await run('warn')).stderr, '');
    assert.equal((await run()).stderr, '');
  });

  it('lists the levels', async () => {
    assert.equal(
      (await run('loud')).stderr,
      'PROXY_EXECUTE_LOG: `loud` is not one of off, error, warn, info, debug and trace.\n',
    );
  });

  it('is written by `serve` at the level that it is given', async () => {
    const args = [join(root, 'bin/proxy-execute.js'), 'serve', '--port', '0', '--json'];
    const env = { ...process.env, PROXY_EXECUTE_ENCRYPTION_KEY: '11'.repeat(32) };
    const child = spawn(process.execPath, [...args, '--log-level', 'debug'], { cwd: folder, env });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
    const [said] = await once(child.stdout.setEncoding('utf8'), 'data');
    const answer = await fetch(`${JSON.parse(said).url}/api/v3.1/toolkits`);
    await until('it is logged', () => log.includes(answer.headers.get('x-request-id') ?? '?'));
    child.kill();
    await once(child, 'exit');

    const wrong = await node(process.execPath, [...args, '--log-level', 'loud'], { cwd: folder, env }).catch((e) => e);
    assert.equal(wrong.code, 2);
    assert.match(JSON.parse(wrong.stderr || wrong.stdout).error.message, /--log-level is one of off, error/);
  });
});
