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

  it('is JSON with `--log-format json`, a line for each event', async () => {
    const args = [join(root, 'bin/proxy-execute.js'), 'serve', '--port', '0', '--json', '--store', 'json.db'];
    // The options take precedence over the variables, which the addon reads when it is loaded.
    const variables = { PROXY_EXECUTE_LOG: 'error', PROXY_EXECUTE_LOG_FORMAT: 'text' };
    const env = { ...process.env, ...variables, PROXY_EXECUTE_ENCRYPTION_KEY: '11'.repeat(32) };
    const options = ['--host', '0.0.0.0', '--log-level', 'info', '--log-format', 'json'];
    const child = spawn(process.execPath, [...args, ...options], { cwd: folder, env });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
    const [said] = await once(child.stdout.setEncoding('utf8'), 'data');
    const url = `http://127.0.0.1:${JSON.parse(said).port}`;
    const create = [args[0] as string, 'keys', 'create', '--store', 'json.db'];
    const { stdout: apiKey } = await node(process.execPath, create, { cwd: folder, env });
    const call = {
      endpoint: 'https://elsewhere.example/?secret=1',
      method: 'POST',
      body: { secret: 1 },
      custom_connection_data: { authScheme: 'BEARER_TOKEN', toolkitSlug: 'github', val: { token: 'a-secret' } },
    };
    const answer = await fetch(`${url}/api/v3.1/tools/execute/proxy`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey.trim(), 'x-request-id': 'mine-1', 'content-type': 'application/json' },
      body: JSON.stringify(call),
    });
    assert.equal(answer.headers.get('x-request-id'), 'mine-1');
    await until('it is logged', () => log.includes('mine-1'));
    child.kill('SIGTERM');
    await once(child, 'close');
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const { timestamp, level, message } of lines) {
      assert.match(timestamp, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      assert.match(level, /^(ERROR|WARN|INFO)$/);
      assert.equal(typeof message, 'string');
    }
    const line = lines.find(({ message }) => message === 'call');
    assert.equal(line.outcome, 'OriginMismatch');
    assert.equal(line.toolkit, 'github');
    assert.equal(line.method, 'POST');
    const path = '/api/v3.1/tools/execute/proxy';
    assert.deepEqual(line.span, { id: 'mine-1', method: 'POST', path, name: 'request' });
    assert.ok(lines.some(({ level, message }) => level === 'WARN' && message.includes('without TLS')));
    assert.equal(lines.at(-1).message, 'Closing; calls in flight have 5 seconds.');
    assert.doesNotMatch(log, /secret/);

    const wrong = await node(process.execPath, [...args, '--log-format', 'xml'], { cwd: folder, env }).catch((e) => e);
    assert.equal(wrong.code, 2);
    assert.match(JSON.parse(wrong.stderr || wrong.stdout).error.message, /--log-format is one of text, json\./);
  });

  it('of a program is JSON with a variable', async () => {
    const env = { ...process.env, PROXY_EXECUTE_LOG: 'info', PROXY_EXECUTE_LOG_FORMAT: 'json' };
    const options = { cwd: root, env, timeout: 20_000 };
    const { stderr } = await node(process.execPath, ['--input-type=module', '--eval', PROGRAM], options);
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.ok(lines.some(({ outcome, span }) => outcome === 'UpstreamUnreachable' && /^req_/.test(span.id)));
    const wrong = { ...options, env: { ...env, PROXY_EXECUTE_LOG_FORMAT: 'xml' } };
    assert.equal(
      (await node(process.execPath, ['--input-type=module', '--eval', PROGRAM], wrong)).stderr,
      'PROXY_EXECUTE_LOG_FORMAT: `xml` is not one of text and json.\n',
    );
  });
});
