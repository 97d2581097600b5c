/** The contenders: each makes the same call of a backend, and reads the response. */

import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

/** The request's body, of the size of a comment on an issue. */
const COMMENT = { title: 'Found a bug', body: "I'm having a problem with this. ".repeat(8), labels: ['bug'] };
const LARGE = { title: 'Found a bug', body: "I'm having a problem with this. ".repeat(3200), labels: ['bug'] };
const BODIES = { comment: COMMENT, large: LARGE };

const wire = (body) => JSON.stringify({ toolkit_slug: 'stub', endpoint: '/data', method: 'POST', body });
const pathOf = (answer) => `/api/v3.1/tool_router/session/trs_${answer}/proxy_execute`;
const JSON_TYPE = { 'content-type': 'application/json' };
const KEY = { ...JSON_TYPE, 'x-api-key': 'ak_bench' };

/** The call in a client's sessions. The stub's response depends on the session. */
function callIn(composio) {
  const sessions = new Map();
  const use = async (answer) => {
    sessions.set(answer, await composio.use(`trs_${answer}`));
    return sessions.get(answer);
  };
  return async (answer, body, signal) => {
    const options = signal ? { signal } : undefined;
    const request = { toolkit: 'stub', endpoint: '/data', method: 'POST', body };
    // A program keeps its session, so only the first call waits for it.
    const session = sessions.get(answer) ?? (await use(answer));
    const { data } = await session.proxyExecute(request, options);
    return data;
  };
}

async function pool(origin) {
  const { Pool } = await import('undici');
  const connections = new Pool(origin, { connections: 128 });
  return async (path, headers, text, signal) => {
    const response = await connections.request({ path, method: 'POST', headers, body: text, signal });
    const answer = await response.body.json();
    if (response.statusCode >= 400) throw new Error(answer.error.message);
    return answer;
  };
}

function fetcher(origin) {
  return async (path, headers, text, signal) => {
    const response = await fetch(origin + path, { method: 'POST', headers, body: text, signal });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    return answer;
  };
}

/** The call of an API by a function with the signature of `fetch`. */
function fetchData(fetch, origin) {
  const headers = { ...JSON_TYPE, authorization: 'Bearer token' };
  return async (answer, body, signal) => {
    const response = await fetch(`${origin}/data/${answer}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal,
    });
    return response.json();
  };
}

/** A session of a gateway in this process, with the stub as its API. */
async function embedded(origin) {
  const { Composio, Gateway } = await import('../index.mjs');
  const gateway = await Gateway.open({ allowPrivateHosts: [new URL(origin).host], toolkits: [toolkit(origin)] });
  const credential = { authScheme: 'BEARER_TOKEN', val: { token: 'token' } };
  await gateway.connectedAccounts.import({ userId: 'user_bench', toolkit: 'stub', credential });
  return new Composio({ gateway }).create('user_bench', { toolkits: ['stub'] });
}

/** By name: a function of the stub's origin. It returns a function that calls and returns the response's data. */
export const CONTENDERS = {
  'proxy-execute': async (origin) => {
    const { Composio } = await import('../index.mjs');
    return callIn(new Composio({ apiKey: 'ak_bench', baseURL: origin, maxRetries: 0 }));
  },
  'undici Pool': async (origin) => {
    const request = await pool(origin);
    return async (answer, body, signal) => (await request(pathOf(answer), KEY, wire(body), signal)).data;
  },
  fetch: async (origin) => {
    const request = fetcher(origin);
    return async (answer, body, signal) => (await request(pathOf(answer), KEY, wire(body), signal)).data;
  },
  '@composio/core': async (origin) => {
    const { Composio } = await import('@composio/core');
    const options = { apiKey: 'ak_bench', baseURL: origin, allowTracking: false, disableVersionCheck: true };
    const composio = new Composio(options);
    // With retries, a benchmark of errors would measure pauses.
    composio.client.maxRetries = 0;
    return callIn(composio);
  },
  'proxy-execute, embedded gateway': async (origin) => {
    const session = await embedded(origin);
    return async (answer, body) => {
      const request = { toolkit: 'stub', endpoint: `/data/${answer}`, method: 'POST', body };
      return (await session.proxyExecute(request)).data;
    };
  },
  'session.fetch, embedded gateway': async (origin) => fetchData((await embedded(origin)).fetch('stub'), ''),
  'fetch, directly': async (origin) => fetchData(fetch, origin),
  /** The least cost of a response: its text is in memory, in the cheapest kind of string, and is read. */
  'JSON.parse alone': async (origin) => {
    const texts = new Map();
    const fetched = async (answer) => {
      const response = await fetch(origin + pathOf(answer), { method: 'POST', headers: KEY, body: wire(COMMENT) });
      const text = await response.text();
      const encoding = Buffer.byteLength(text) === text.length ? 'latin1' : 'utf16le';
      texts.set(answer, { bytes: Buffer.from(text, encoding), encoding });
      return texts.get(answer);
    };
    return async (answer) => {
      const { bytes, encoding } = texts.get(answer) ?? (await fetched(answer));
      const text = bytes.toString(encoding);
      // The time that the timer needs to see the end of the creation of the text.
      await setTimeout(3);
      return JSON.parse(text).data;
    };
  },
  'undici Pool, directly': async (origin) => {
    const request = await pool(origin);
    const headers = { ...JSON_TYPE, authorization: 'Bearer token' };
    return (answer, body) => request(`/data/${answer}`, headers, JSON.stringify(body));
  },
};

/** The stub as the API of a gateway. */
export function toolkit(origin) {
  const schemes = { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } };
  return { slug: 'stub', name: 'Stub', base_url: origin, schemes };
}

/** Makes calls for some time, and returns the cost of a call. */
export async function measure(call, { answer, body = 'comment', inFlight, signal, fails }, milliseconds) {
  const latencies = [];
  const shared = signal === 'shared' ? new AbortController().signal : undefined;
  // Some contenders add a listener for each call, and Node.js would warn of so many.
  if (shared) setMaxListeners(0, shared);
  const sent = BODIES[body];
  let calls = 0;
  let longestBlock = 0;
  let looked = performance.now();
  const look = () => {
    const now = performance.now();
    longestBlock = Math.max(longestBlock, now - looked);
    looked = now;
  };
  const watch = answer.startsWith('10m') ? setInterval(look, 1) : undefined;
  const ends = performance.now() + milliseconds;
  const cpu = process.cpuUsage();
  const main = mainThread();
  const utilization = performance.eventLoopUtilization();
  const began = performance.now();
  const caller = async () => {
    for (let now = performance.now(); now < ends; ) {
      const own = signal === 'own' ? new AbortController().signal : shared;
      if (fails) await call(answer, sent, own).then(unexpected, () => {});
      else await call(answer, sent, own);
      const then = now;
      now = performance.now();
      latencies.push(now - then);
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  // The last block ended just before the timer could record it.
  if (watch) look();
  const elapsed = performance.now() - began;
  const { active } = performance.eventLoopUtilization(utilization);
  const { user, system } = process.cpuUsage(cpu);
  const mainCpu = mainThread() - main;
  clearInterval(watch);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)] * 1000;
  return {
    rate: calls / (elapsed / 1000),
    loop: (active * 1000) / calls,
    main: mainCpu / calls,
    cpu: (user + system) / calls,
    p50: at(0.5),
    p99: at(0.99),
    block: longestBlock,
    rss: process.memoryUsage.rss() / 2 ** 20,
  };
}

/**
 * The CPU time of the thread that runs JavaScript, in µs. The event loop's own time includes waits for a core,
 * which a second thread causes on a machine with two cores.
 */
function mainThread() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  } catch {
    // Only Linux has this file.
    return Number.NaN;
  }
}

function unexpected() {
  throw new Error('a call that should have failed was answered');
}
