/**
 * The gateway on a port, beside nginx forwarding to the same upstream with a header that it adds.
 *
 * The gateway is the command `serve` with its store in a file, as an operator runs it.
 * nginx checks no key, reads no session, checks no address, decrypts nothing and records no call. It shows the
 * cost of forwarding alone. wrk sends the same request to both.
 */

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CONNECTIONS = [1, 64, 512];
const ROUNDS = 5;
const SECONDS = 2;
const PORT = 18_931;

function has(program, flag) {
  try {
    execFileSync(program, [flag], { stdio: 'ignore' });
    return true;
  } catch (error) {
    // wrk exits with status 1 after it has printed its version.
    return error.code !== 'ENOENT';
  }
}

/** The comparison as a text, and its figures against their targets. */
export async function beside(upstream, folder, log) {
  const missing = [
    ['nginx', '-v'],
    ['wrk', '--version'],
  ].filter(([program, flag]) => !has(program, flag));
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(' and ');
    log(`left out: the gateway on a port. Install ${names}: apt-get install nginx-light wrk`);
    return {
      text: `The gateway on a port was not measured: there is no ${names} (\`apt-get install nginx-light wrk\`).`,
      targets: [],
    };
  }
  log('the gateway on a port, and nginx');
  const servers = [await startGateway(upstream, folder), await startNginx(upstream, folder)];
  const results = [];
  for (const connections of CONNECTIONS) {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const server of round % 2 ? [...servers].reverse() : servers) {
        const { rate, p50, p99 } = wrk(server, connections);
        results.push({ name: server.name, connections, rate, p50, p99, rss: memory(server.pid) });
      }
    }
  }
  for (const server of servers) server.stop();

  const of = (name, connections, key) => {
    const values = results.filter((result) => result.name === name && result.connections === connections);
    return values.map((result) => result[key]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  };
  const rows = CONNECTIONS.flatMap((connections) =>
    servers.map(({ name }) => {
      const [rate, p50, p99, rss] = ['rate', 'p50', 'p99', 'rss'].map((key) => of(name, connections, key));
      const cells = [name, connections, Math.round(rate).toLocaleString('en-US'), p50, p99, rss.toFixed(0)];
      return `| ${cells.join(' | ')} |`;
    }),
  );
  const [own, other] = servers.map(({ name }) => name);
  const ratio = (key) => of(own, 64, key) / of(other, 64, key);
  return {
    text: [
      '| | connections | calls/s | p50 µs | p99 µs | memory MiB |',
      '| --- | ---: | ---: | ---: | ---: | ---: |',
      ...rows,
    ].join('\n'),
    targets: [
      ['gateway on a port, 64 connections: throughput, beside nginx', '≥ 0.7', ratio('rate')],
      ['the same: p99', '≤ 2', ratio('p99')],
    ],
  };
}

async function startGateway(upstream, folder) {
  const file = (name) => fileURLToPath(new URL(name, import.meta.url));
  const [store, encryptionKey] = [join(folder, 'gateway.db'), randomBytes(32).toString('hex')];
  const filled = execFileSync(process.execPath, [file('gateway.mjs'), upstream, store, encryptionKey]);
  const { key, sessionId } = JSON.parse(filled);
  writeFileSync(
    join(folder, 'stub.toml'),
    `slug = "stub"
name = "Stub"
base_url = "${upstream}"
[schemes.BEARER_TOKEN]
headers = { Authorization = "Bearer {{token}}" }
`,
  );
  const options = { store, port: 0, toolkit: join(folder, 'stub.toml'), 'allow-private-host': new URL(upstream).host };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(process.execPath, [file('../bin/proxy-execute.js'), 'serve', '--json', ...args], {
    env: { ...process.env, PROXY_EXECUTE_ENCRYPTION_KEY: encryptionKey },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  const { url } = JSON.parse(line);
  const body = JSON.stringify({ toolkit_slug: 'stub', endpoint: '/data/1k', method: 'POST', body: { title: 'x' } });
  const request = writeRequest(join(folder, 'gateway.lua'), body, { 'x-api-key': key });
  const path = `/api/v3.1/tool_router/session/${sessionId}/proxy_execute`;
  return { name: 'proxy-execute', url: url + path, request, pid: child.pid, stop: () => child.kill() };
}

async function startNginx(upstream, folder) {
  const configuration = `
    daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; worker_processes auto;
    events { worker_connections 4096; }
    http {
      access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      keepalive_requests 1000000000;
      upstream api { server ${new URL(upstream).host}; keepalive 512; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${PORT};
        location / {
          proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_set_header Authorization "Bearer token";
        }
      }
    }`;
  writeFileSync(join(folder, 'nginx.conf'), configuration);
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${PORT}/data/1k`;
  for (let attempt = 0; ; attempt += 1) {
    if (
      await fetch(url, { method: 'POST' }).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    if (attempt === 50) throw new Error('nginx does not respond');
    await sleep(50);
  }
  const request = writeRequest(join(folder, 'nginx.lua'), JSON.stringify({ title: 'x' }), {});
  return { name: 'nginx', url, request, pid: child.pid, stop: () => child.kill('SIGQUIT') };
}

/** The request for wrk, which also prints its figures as JSON. */
function writeRequest(file, body, headers) {
  const all = { 'content-type': 'application/json', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`);
  writeFileSync(
    file,
    `wrk.method = "POST"
wrk.body = [[${body}]]
${lines.join('\n')}
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format('\\nRESULT {"calls":%d,"us":%d,"failed":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
`,
  );
  return file;
}

function wrk({ name, url, request }, connections) {
  const threads = String(Math.min(2, connections));
  const args = ['-t', threads, '-c', String(connections), '-d', `${SECONDS}s`, '-s', request, url];
  const [, json] = /RESULT (.*)/.exec(execFileSync('wrk', args, { encoding: 'utf8' }));
  const { calls, us, failed, p50, p99 } = JSON.parse(json);
  if (failed > 0) throw new Error(`${name}: ${failed} of ${calls} calls failed`);
  return { rate: calls / (us / 1e6), p50, p99 };
}

/** The memory of a process and its children, in MiB. */
function memory(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  const of = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return [pid, ...children.filter(Boolean)].reduce((sum, pid) => sum + of(pid), 0);
}
