/**
 * The cost of a call, beside other clients that do the same work.
 *
 *   npm run bench        in the folder above or in this one, after `npm ci` in both; less than ten minutes
 *
 * All contenders call the same server on this machine (stub/), which responds at once, so that only the callers
 * differ. Each caller has its own process. The callers take turns in short rounds, so that other load on the
 * machine hits all of them. A scenario with a target runs in several processes, because one process differs
 * from the next. Each figure is the median of its rounds. Only the ratios matter. The tables go to RESULTS.md,
 * those of targets to docs/performance.md.
 */

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { built } from './built.mjs';
import { growing } from './growth.mjs';
import { installed } from './installed.mjs';
import { beside } from './nginx.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
/** The number of processes of each contender in a scenario with a target. Each runs all rounds. */
const PROCESSES = 3;
/** The duration of one contender's round, and of its warm-up, in milliseconds. */
const TURN = 400;
const RUN_UP = 150;
const COLD_STARTS = 9;

const OWN = 'proxy-execute';
const REMOTE = [OWN, 'undici Pool', 'fetch', '@composio/core'];
const EMBEDDED = 'proxy-execute, embedded gateway';
const DIRECT = 'undici Pool, directly';
const SESSION_FETCH = 'session.fetch, embedded gateway';
const DIRECT_FETCH = 'fetch, directly';
/** The minimum that every client needs for a large response. */
const PARSE = 'JSON.parse alone';

const RATE = [
  ['rate', 'calls/s'],
  ['loop', 'event loop µs/call'],
  ['main', 'its CPU µs/call'],
  ['cpu', 'process CPU µs/call'],
];
const LATENCY = [...RATE, ['p50', 'p50 µs'], ['p99', 'p99 µs']];
const BLOCK = [
  ['rate', 'calls/s'],
  ['block', 'longest block ms'],
  ['cpu', 'process CPU µs/call'],
];

const SCENARIOS = [
  { title: 'One after the other, 1 KB', answer: '1k', inFlight: 1, columns: LATENCY, processes: PROCESSES },
  {
    title: '128 in flight, 1 KB',
    answer: '1k',
    inFlight: 128,
    columns: [...LATENCY, ['rss', 'memory MiB']],
    processes: PROCESSES,
  },
  {
    title: '128 in flight, 1 KB, TLS',
    answer: '1k',
    inFlight: 128,
    tls: true,
    columns: LATENCY,
    processes: PROCESSES,
  },
  { title: '128 in flight, one AbortSignal for all', answer: '1k', inFlight: 128, signal: 'shared', columns: RATE },
  { title: '128 in flight, an AbortSignal each', answer: '1k', inFlight: 128, signal: 'own', columns: RATE },
  { title: '128 in flight, HTTP 429', answer: '429', inFlight: 128, fails: true, columns: RATE },
  { title: '128 in flight, HTTP 500', answer: '500', inFlight: 128, fails: true, columns: RATE },
  { title: '16 in flight, responses of 100 KB', answer: '100k', inFlight: 16, columns: RATE },
  { title: '16 in flight, responses of 100 KB in Czech', answer: '100k-czech', inFlight: 16, columns: RATE },
  { title: '16 in flight, bodies of 100 KB', answer: '1k', body: 'large', inFlight: 16, columns: RATE },
  { title: 'One after the other, responses of 10 MB', answer: '10m', inFlight: 1, columns: BLOCK, beside: [PARSE] },
  {
    title: 'One after the other, responses of 10 MB in Czech',
    answer: '10m-czech',
    inFlight: 1,
    columns: BLOCK,
    beside: [PARSE],
  },
];
const IN_PROCESS = [
  { title: 'Embedded gateway, one after the other, 1 KB', answer: '1k', inFlight: 1, columns: LATENCY },
  {
    title: 'Embedded gateway, 128 in flight, 1 KB',
    answer: '1k',
    inFlight: 128,
    columns: LATENCY,
    processes: PROCESSES,
  },
];

const began = performance.now();
const load = loadavg()[0];
const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-bench-'));
const stub = await startStub();
writeFileSync(join(folder, 'ca.pem'), stub.certificate);
const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };

/** All measurements: by scenario, then by contender. */
const measured = new Map();
await rounds(SCENARIOS, REMOTE);
await rounds(IN_PROCESS, [EMBEDDED, DIRECT, SESSION_FETCH, DIRECT_FETCH]);
const cold = await coldStarts();
const nginx = await beside(stub.url, folder, console.error);
const growth = growing(console.error);
stub.close();
rmSync(folder, { recursive: true });
report();

async function rounds(scenarios, usual) {
  const callers = new Map();
  const close = () => {
    for (const caller of callers.values()) caller.close();
    callers.clear();
  };
  for (const scenario of scenarios) {
    console.error(scenario.title);
    const { processes = 1, beside = [] } = scenario;
    const names = [...usual, ...beside];
    const results = new Map(names.map((name) => [name, []]));
    measured.set(scenario.title, results);
    const origin = scenario.tls ? stub.tlsUrl : stub.url;
    for (let round = 0; round < processes * ROUNDS; round += 1) {
      const isFirst = round % ROUNDS === 0;
      if (isFirst && processes > 1) close();
      for (const name of names) if (!callers.has(name)) callers.set(name, startContender(name));
      // The order changes with every round.
      for (let turn = 0; turn < names.length; turn += 1) {
        const name = names[(round + turn) % names.length];
        const runUp = isFirst ? RUN_UP * 4 : RUN_UP;
        results.get(name).push(await callers.get(name).measure({ origin, scenario, runUp, milliseconds: TURN }));
      }
    }
  }
  close();
}

function startContender(name) {
  const child = fork(fileURLToPath(new URL('contender.mjs', import.meta.url)), [name], { env });
  return {
    async measure(request) {
      child.send(request);
      const [result] = await once(child, 'message');
      if (result.error) throw new Error(`${name}, ${request.scenario.title}: ${result.error}`);
      return result;
    },
    close: () => child.disconnect(),
  };
}

async function coldStarts() {
  console.error('cold starts');
  const times = new Map(REMOTE.map((name) => [name, []]));
  for (let round = 0; round < COLD_STARTS; round += 1) {
    for (const name of REMOTE) {
      const script = fileURLToPath(new URL('cold.mjs', import.meta.url));
      const started = performance.now();
      const child = spawn(process.execPath, [script, name, stub.url], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(child, 'exit');
      await once(child.stdout, 'data');
      times.get(name).push(performance.now() - started);
      await exited;
    }
  }
  return times;
}

async function startStub() {
  const child = spawn(built('proxy-execute-bench-stub'), { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  return { ...JSON.parse(line), close: () => child.stdin.end() };
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function figure(title, name, key) {
  return median(
    measured
      .get(title)
      .get(name)
      .map((result) => result[key]),
  );
}

/** The ratio of our figure to another's, from two consecutive rounds. */
function ratio(title, key, other, own = OWN) {
  const [mine, theirs] = [own, other].map((name) => measured.get(title).get(name));
  return median(mine.map((result, round) => result[key] / theirs[round][key]));
}

function shown(value) {
  if (Number.isNaN(value)) return 'not told';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value < 10 ? 2 : 1);
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function scenarioTable({ title, columns }) {
  const rows = [...measured.get(title).keys()].map((name) => [
    name,
    ...columns.map(([key]) => shown(figure(title, name, key))),
  ]);
  return `### ${title}\n\n${table(['', ...columns.map(([, head]) => head)], rows)}`;
}

/** The project's targets, and the figures of this run. */
function targets() {
  const [alone, many, tls] = SCENARIOS.map(({ title }) => title);
  const [, embedded] = IN_PROCESS.map(({ title }) => title);
  const [large, czech] = SCENARIOS.slice(-2).map(({ title }) => title);
  const coldRatio = (other) => median(cold.get(OWN).map((time, round) => time / cold.get(other)[round]));
  const core = '@composio/core';
  const size = installed();
  const rows = [
    ['128 in flight: throughput, beside undici', '≥ 1.3', ratio(many, 'rate', 'undici Pool')],
    ['the same over TLS', '≥ 1.5', ratio(tls, 'rate', 'undici Pool')],
    [`the same, beside ${core}`, '≥ 12', ratio(many, 'rate', core)],
    ['128 in flight: event loop per call, beside undici', '≤ 0.35', ratio(many, 'loop', 'undici Pool')],
    [`the same, beside ${core}`, '≤ 0.03', ratio(many, 'loop', core)],
    ['128 in flight: process CPU per call, beside undici', '≤ 1.0', ratio(many, 'cpu', 'undici Pool')],
    ['one after the other: p50, beside undici', '≤ 1.1', ratio(alone, 'p50', 'undici Pool')],
    ['response of 10 MB: longest block, beside `JSON.parse` alone', '≤ 1.1', ratio(large, 'block', PARSE)],
    ['the same in Czech', '≤ 1.1', ratio(czech, 'block', PARSE)],
    ['cold start to the first response, beside fetch', '≤ 1.15', coldRatio('fetch')],
    [`the same, beside ${core}`, '≤ 0.4', coldRatio(core)],
    ['memory at 128 in flight, beside undici', '≤ 1.0', ratio(many, 'rss', 'undici Pool')],
    ['installed, MB', '≤ 12', size[OWN].bytes / 1e6],
    ['embedded gateway, 128 in flight: throughput, beside undici', '≥ 0.8', ratio(embedded, 'rate', DIRECT, EMBEDDED)],
    ['the same: event loop per call', '≤ 0.4', ratio(embedded, 'loop', DIRECT, EMBEDDED)],
    [
      '`session.fetch`, 128 in flight: throughput, beside fetch',
      '≥ 1.5',
      ratio(embedded, 'rate', DIRECT_FETCH, SESSION_FETCH),
    ],
    ['the same: event loop per call', '≤ 0.7', ratio(embedded, 'loop', DIRECT_FETCH, SESSION_FETCH)],
    ...nginx.targets,
    ...growth.targets,
  ];
  return table(
    ['figure', 'target', 'measured', ''],
    rows.map(([what, target, value]) => {
      const bound = Number(target.slice(2));
      const isMet = target.startsWith('≥') ? value >= bound : value <= bound;
      return [what, target, value === undefined ? 'not measured' : shown(value), isMet ? 'met' : 'missed'];
    }),
  );
}

function report() {
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  const machine = `${cpus().length} × ${cpus()[0].model}, Node.js ${process.version}, ${process.platform}`;
  const busy = `load average ${load.toFixed(1)} before, ${loadavg()[0].toFixed(1)} at the end`;
  const run = `\`npm run bench\`, ${minutes} minutes, ${ROUNDS} rounds (${PROCESSES * ROUNDS} where there is a target), on ${machine}; ${busy}.`;
  const sizes = table(
    ['', 'MB', 'files'],
    Object.entries(installed()).map(([name, { bytes, files }]) => [name, shown(bytes / 1e6), String(files)]),
  );
  const starts = table(
    ['', 'ms'],
    [...cold].map(([name, times]) => [name, shown(median(times))]),
  );
  const parts = [
    '# What a call costs',
    `Measured by ${run} What counts are the ratios: all are of one run, in turns.`,
    '## Over HTTP: a proxied call to a backend on a port',
    ...SCENARIOS.map(scenarioTable),
    '## In process: the embedded gateway, beside calling the API directly with its token',
    ...IN_PROCESS.map(scenarioTable),
    '## On a port: the gateway, beside nginx that adds a header',
    nginx.text,
    '## As the store of a gateway grows: one call after the other, beside 100 accounts and 100 sessions',
    growth.text,
    '## From the start of a process to its first response',
    starts,
    '## Installed',
    sizes,
  ];
  writeFileSync(new URL('RESULTS.md', import.meta.url), `${parts.join('\n\n')}\n`);

  const page = new URL('../docs/performance.md', import.meta.url);
  const between = /(<!-- targets -->\n)[\s\S]*(<!-- \/targets -->)/;
  writeFileSync(page, readFileSync(page, 'utf8').replace(between, `$1\n${targets()}\n\n${run}\n\n$2`));
  console.log(targets());
}
