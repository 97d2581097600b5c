/**
 * The latency of 50 ordinary callers beside attacks on the same gateway.
 *
 *   npm run attacks             in this folder, after `npm run build` in the folder above; about a minute
 *   npm run attacks -- 1 4      the first and the fourth attack alone
 *
 * The gateway serves a port of this machine, in its own process. The callers are in this process, with the
 * API that the gateway calls; the attackers are in a third one. Before each attack the callers are measured alone.
 * The ratio of the two p99 must stay below 5. Otherwise the exit status is 1.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CALLERS = 50;
/** A caller's pause between two calls, in milliseconds. */
const PAUSE = 50;
/** The duration of a measurement without and with an attack, in milliseconds. */
const ALONE = 2_000;
const BESIDE = 4_000;
const MOST = 5;
/** An attacker's average pause before it reopens a closed connection, in milliseconds. A much shorter pause would measure
 *  how many connections the attacker can open on the same cores. */
const REOPEN = 1_000;
const FILE = fileURLToPath(import.meta.url);

const proxied = (call, { sessionId }) => post(`/api/v3.1/tool_router/session/${sessionId}/proxy_execute`, call);
const header = (name, value) => ({ name, value, type: 'header' });
const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const call = (fields) => ({ toolkit_slug: 'stub', endpoint: '/x', method: 'GET', ...fields });

/** Each attack: the number of connections, and the bytes that each sends. `piece` is sent again and again. */
const ATTACKS = [
  {
    title: '1: names in Connection, and as many headers, 3.7 MB',
    connections: 2,
    send: (known) => {
      const names = many(60_000, (index) => `x-${index}`);
      const parameters = [header('Connection', names.join(',')), ...names.map((name) => header(name, 'v'))];
      return { once: proxied(call({ parameters }), known), again: 100 };
    },
  },
  {
    title: '1: a made-up toolkit of 8 MB',
    connections: 2,
    send: (known) => ({ once: proxied(call({ toolkit_slug: 'x'.repeat(8e6) }), known), again: 250 }),
  },
  {
    title: '2: 25 000 names of headers',
    connections: 2,
    send: (known) => {
      const parameters = many(25_000, (index) => header(`x-${index}`, 'v'));
      return { once: proxied(call({ parameters }), known), again: 100 };
    },
  },
  {
    title: '3: forms that trickle, without a cookie',
    connections: 500,
    send: () => ({ once: form('lt_unknown', ''), piece: '1\r\na\r\n' }),
  },
  {
    title: '3: forms that trickle, with the cookie of a link',
    connections: 500,
    send: ({ token, cookie }) => ({ once: form(token, `cookie: ${cookie}\r\n`), piece: '1\r\na\r\n' }),
  },
  { title: '3: heads that trickle', connections: 500, send: () => ({ once: 'GET /', piece: 'a' }) },
  { title: '3: connections on which nothing is sent', connections: 2_000, send: () => ({ once: '' }) },
  {
    title: '3: responses that are not read',
    connections: 500,
    send: () => ({ once: 'GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(50), unread: true }),
  },
];

function post(path, body) {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nx-api-key: KEY\r\ncontent-type: application/json`;
  return `${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

function form(token, headers) {
  return `POST /connect/${token} HTTP/1.1\r\nhost: x\r\n${headers}transfer-encoding: chunked\r\n\r\n`;
}

if (process.argv[2] === 'gateway') await serve(process.argv[3]);
else if (process.argv[2] === 'attacker') process.on('message', attack);
else process.exitCode = await measureAll(process.argv.slice(2).map(Number));

/** Runs the gateway until its parent process has ended. */
async function serve(origin) {
  const { Composio, Gateway } = await import('../index.mjs');
  const own = (slug) => ({
    slug,
    name: slug,
    base_url: origin,
    schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
  });
  const gateway = await Gateway.open({
    toolkits: [own('stub'), own('linked')],
    allowPrivateHosts: [new URL(origin).host],
  });
  const { url, port } = await gateway.listen();
  const credential = { authScheme: 'BEARER_TOKEN', val: { token: 'token' } };
  await gateway.connectedAccounts.import({ userId: 'user_bench', toolkit: 'stub', credential });
  const session = await new Composio({ gateway }).create('user_bench');
  const { key } = await gateway.apiKeys.create({ name: 'bench' });
  const { redirectUrl } = await session.authorize('linked');
  const token = new URL(redirectUrl).pathname.split('/').pop();
  const page = await fetch(redirectUrl);
  const [cookie] = page.headers.get('set-cookie').split(';');
  process.send({ url, port, key, sessionId: session.sessionId, token, cookie });
  process.on('disconnect', () => process.exit());
}

/** Attacks until the parent process has ended. */
function attack({ index, known }) {
  process.on('disconnect', () => process.exit());
  const { connections, send } = ATTACKS[index];
  const { once: first, piece, again, unread } = send(known);
  const bytes = Buffer.from(first.replace('KEY', known.key));
  const begin = () => {
    const socket = connect(known.port, '127.0.0.1');
    let timer;
    socket.on('connect', () => {
      socket.write(bytes);
      if (piece) timer = setInterval(() => socket.write(piece), 500);
    });
    // The response is ignored; the attack goes on.
    if (unread) socket.pause();
    else socket.on('data', () => again || socket.destroy());
    if (again) timer = setInterval(() => socket.write(bytes), again);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      setTimeout(begin, 2 * REOPEN * Math.random());
    });
  };
  for (let started = 0; started < connections; started += 1) begin();
}

/** Measures the attacks of these places in the list, from 1; without any, all of them. */
async function measureAll(places) {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end('{"a":1}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const gateway = fork(FILE, ['gateway', `http://127.0.0.1:${server.address().port}`]);
  const [known] = await once(gateway, 'message');
  await measure(known, ALONE);
  const rows = [];
  for (const [index, { title }] of ATTACKS.entries()) {
    if (places.length > 0 && !places.includes(index + 1)) continue;
    console.error(title);
    const alone = await measure(known, ALONE);
    const attacker = fork(FILE, ['attacker']);
    attacker.send({ index, known });
    // Time for the first connections.
    await sleep(500);
    const beside = await measure(known, BESIDE);
    attacker.disconnect();
    await once(attacker, 'exit');
    rows.push({ title, alone, beside, ratio: beside.p99 / alone.p99 });
    await sleep(500);
  }
  gateway.disconnect();
  server.close();
  server.closeAllConnections();
  report(rows);
  return rows.every(({ ratio, beside }) => ratio < MOST && beside.failed === 0) ? 0 : 1;
}

/** The calls of all callers in this time. */
async function measure({ port, key, sessionId }, milliseconds) {
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  const text = JSON.stringify(call({}));
  const options = {
    agent,
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: `/api/v3.1/tool_router/session/${sessionId}/proxy_execute`,
    headers: { 'x-api-key': key, 'content-length': Buffer.byteLength(text) },
  };
  const ask = () =>
    new Promise((resolve) => {
      const asked = request(options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode === 200));
        response.on('error', () => resolve(false));
      });
      asked.on('error', () => resolve(false));
      asked.end(text);
    });
  const until = performance.now() + milliseconds;
  const times = [];
  let failed = 0;
  const caller = async (index) => {
    await sleep((index * PAUSE) / CALLERS);
    while (performance.now() < until) {
      const began = performance.now();
      if (!(await ask())) failed += 1;
      times.push(performance.now() - began);
      await sleep(PAUSE);
    }
  };
  await Promise.all(many(CALLERS, caller));
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(times.length * part)];
  return { calls: times.length, failed, p50: at(0.5), p99: at(0.99) };
}

function report(rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const heads = ['attack', 'calls', 'failed', 'p99 alone, ms', 'p99 beside it, ms', 'ratio', `below ${MOST}`];
  console.log(line(heads));
  console.log(line(heads.map((_, index) => (index === 0 ? '---' : '---:'))));
  for (const { title, alone, beside, ratio } of rows) {
    const figures = [alone.p99, beside.p99, ratio].map((figure) => figure.toFixed(1));
    console.log(line([title, beside.calls, beside.failed, ...figures, ratio < MOST ? 'yes' : 'no']));
  }
}
