/**
 * What a call costs, beside fetch and an undici Pool doing the same work.
 *
 *   npm ci && npm run bench        in this folder; about two minutes
 *
 * All of them call the same server on this machine (stub/), which answers at once, so that what
 * differs is the caller. They take turns in short rounds, so that whatever else the machine does
 * hits all of them; each figure is the median of its rounds.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Composio, Gateway } from '../index.mjs';

const ROUNDS = 9;
const WARM_UP_ROUNDS = 1;
/** How long one contender is measured in one round, in milliseconds. */
const TURN = 600;
/** How long it runs before that: V8 throws compiled code away that others' turns left unused. */
const RUN_UP = 200;
const IN_FLIGHT = 128;

// Before undici is loaded, which would give this fetch its own connections instead of Node's.
await fetch('data:,');
const { Pool } = await import('undici');

const [load] = loadavg();
const stub = await startStub();
const { host, origin } = new URL(stub.url);
const pool = new Pool(origin, { connections: IN_FLIGHT });
const gateway = await Gateway.open({
  allowPrivateHosts: [host],
  toolkits: [
    {
      slug: 'stub',
      name: 'Stub',
      base_url: origin,
      schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
    },
  ],
});
await gateway.connectedAccounts.import({
  userId: 'user_bench',
  toolkit: 'stub',
  credential: { authScheme: 'BEARER_TOKEN', val: { token: 'token' } },
});
const remoteSession = await new Composio({ apiKey: 'key', baseURL: origin }).create('user_bench');
const embeddedSession = await new Composio({ gateway }).create('user_bench', { toolkits: ['stub'] });

/** What is sent: as much as a comment on an issue. */
const body = { title: 'Found a bug', body: "I'm having a problem with this. ".repeat(8), labels: ['bug'] };
const request = { toolkit: 'stub', endpoint: '/echo1k', method: 'POST', body };
const proxyPath = `/api/v3.1/tool_router/session/${remoteSession.sessionId}/proxy_execute`;
const wire = () => JSON.stringify({ toolkit_slug: 'stub', endpoint: '/echo1k', method: 'POST', body });
const remoteHeaders = { 'content-type': 'application/json', 'x-api-key': 'key' };
const upstreamHeaders = { 'content-type': 'application/json', authorization: 'Bearer token' };

async function withFetch(path, headers, text) {
  const response = await fetch(`${origin}${path}`, { method: 'POST', headers, body: text });
  return response.json();
}

async function withPool(path, headers, text) {
  const response = await pool.request({ path, method: 'POST', headers, body: text });
  return response.body.json();
}

const COMPARISONS = [
  {
    title: 'Over HTTP: a proxied call to a backend on a port',
    contenders: [
      ['proxy-execute', () => remoteSession.proxyExecute(request)],
      ['undici Pool', () => withPool(proxyPath, remoteHeaders, wire())],
      ['fetch', () => withFetch(proxyPath, remoteHeaders, wire())],
    ],
    id: (answer) => answer.data.id,
  },
  {
    title: 'In process: the embedded gateway to the API, beside calling the API directly with its token',
    contenders: [
      ['proxy-execute, embedded gateway', () => embeddedSession.proxyExecute(request)],
      ['undici Pool', () => withPool('/echo1k', upstreamHeaders, JSON.stringify(body))],
      ['fetch', () => withFetch('/echo1k', upstreamHeaders, JSON.stringify(body))],
    ],
    id: (answer) => answer.id ?? answer.data.id,
  },
];

/** Calls for one turn with so many in flight, and tells what each call cost. */
async function turn(call, inFlight, milliseconds) {
  const latencies = [];
  const ends = performance.now() + milliseconds;
  const cpu = process.cpuUsage();
  const utilization = performance.eventLoopUtilization();
  const began = performance.now();
  let calls = 0;
  const worker = async () => {
    for (let now = performance.now(); now < ends; ) {
      await call();
      const then = now;
      now = performance.now();
      if (inFlight === 1) latencies.push(now - then);
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const elapsed = performance.now() - began;
  const { active } = performance.eventLoopUtilization(utilization);
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  return {
    rate: calls / (elapsed / 1000),
    loop: (active * 1000) / calls,
    cpu: (user + system) / calls,
    p50: latencies[Math.floor(latencies.length * 0.5)] * 1000,
    p99: latencies[Math.floor(latencies.length * 0.99)] * 1000,
  };
}

function median(numbers) {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

async function startStub() {
  const { CARGO_TARGET_DIR, CARGO_BUILD_TARGET = '' } = process.env;
  const target = CARGO_TARGET_DIR ?? fileURLToPath(new URL('../target', import.meta.url));
  const binary = `proxy-execute-bench-stub${process.platform === 'win32' ? '.exe' : ''}`;
  const path = [target, CARGO_BUILD_TARGET, 'release', binary].filter(Boolean).join('/');
  if (!existsSync(path)) throw new Error(`There is no ${path}: use \`npm run bench\`, which builds it.`);
  const child = spawn(path, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [url] = await once(createInterface(child.stdout), 'line');
  return { url, close: () => child.stdin.end() };
}

/** All measurements, by comparison, contender and mode. */
const measured = new Map();
const modes = [
  ['one after the other', 1],
  [`${IN_FLIGHT} in flight`, IN_FLIGHT],
];
for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
  console.error(round < 0 ? 'warming up' : `round ${round + 1} of ${ROUNDS}`);
  for (const [mode, inFlight] of modes) {
    const turns = COMPARISONS.flatMap(({ title, contenders, id }) =>
      contenders.map(([name, call]) => ({ key: `${title}|${mode}|${name}`, call, id })),
    );
    // Whoever comes first in one round comes later in the next.
    const first = Math.max(round, 0) % turns.length;
    for (const { key, call, id } of [...turns.slice(first), ...turns.slice(0, first)]) {
      if (id(await call()) !== 1296269) throw new Error(`${key} does not read the answer`);
      await turn(call, inFlight, RUN_UP);
      const result = await turn(call, inFlight, TURN);
      if (round >= 0) measured.set(key, [...(measured.get(key) ?? []), result]);
    }
  }
}

function show(title, contenders, mode, sequential) {
  const columns = ['calls/s', 'event loop µs/call', 'process CPU µs/call'];
  const figures = ['rate', 'loop', 'cpu'];
  if (sequential) {
    columns.push('p50 µs', 'p99 µs');
    figures.push('p50', 'p99');
  }
  console.log(`\n### ${title}, ${mode}\n`);
  console.log(`| | ${columns.join(' | ')} |`);
  console.log(`| --- | ${columns.map(() => '---:').join(' | ')} |`);
  let own;
  for (const [name] of contenders) {
    const results = measured.get(`${title}|${mode}|${name}`);
    const medians = figures.map((figure) => median(results.map((result) => result[figure])));
    own ??= medians;
    const cells = medians.map((value, index) => {
      const shown = value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1);
      return own === medians ? shown : `${shown} (${(value / own[index]).toFixed(2)}×)`;
    });
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

console.log(`Node.js ${process.version}, ${cpus().length} cores, ${cpus()[0].model}, ${process.platform}`);
if (load > 0.5) console.log(`The machine was not idle: its load was ${load.toFixed(1)} at the start.`);
console.log(`Medians of ${ROUNDS} rounds of ${TURN} ms each. In brackets: how many times the figure of proxy-execute.`);
for (const { title, contenders } of COMPARISONS) {
  for (const [mode, inFlight] of modes) show(title, contenders, mode, inFlight === 1);
}
console.log(`
How to read it: *event loop* is the time in which Node.js can do nothing else, so it bounds what a
server can do beside its calls; the rest of *process CPU* is done on other threads. In both, less is
better. Latency one after the other depends on how fast a sleeping core wakes up; on a small machine
the server competes for the same cores. Differences below a tenth are noise. The embedded gateway
does more than the other two: session, account, endpoint rule, decryption, the record of the call.`);

await gateway.close();
await pool.close();
stub.close();
