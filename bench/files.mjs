// The cost of a large file: 1 GB of random bytes up and down, through a gateway in the same process and over
// HTTP to one. Their SHA-256 shows whether all of them arrived.
// Each case has its own process. The API and the gateway on a port share another. Each case prints the time,
// the peak of resident memory, and the longest block of the event loop. It fails if one of the last two is
// over its limit.
//
//   node bench/files.mjs [megabytes]

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const MEGABYTES = Number(process.argv[2] ?? 1024);
const MEGABYTE = 1024 * 1024;
const SIZE = MEGABYTES * MEGABYTE;
/** The size of one chunk of a Node.js stream. */
const CHUNK = 64 * 1024;
const MOST_RESIDENT = 150;
const LONGEST_BLOCK = 20;

const CASES = {
  'up, from a stream': async (session) => {
    const binaryBody = { data: Readable.from(chunks()), size: SIZE };
    const { data } = await session.proxyExecute({ toolkit: 'api', endpoint: '/', method: 'PUT', binaryBody });
    return async () => data.sha256;
  },
  'down, as a file to a path': async (session, folder) => {
    const { binaryData } = await session.proxyExecute({ toolkit: 'api', endpoint: '/', method: 'GET' });
    const path = join(folder, 'down');
    await (await session.download(binaryData)).toFile(path);
    return () => sha256Of(createReadStream(path));
  },
  'down, as a stream': async (session) => {
    const call = { toolkit: 'api', endpoint: '/', method: 'GET' };
    const sha256 = await sha256Of((await session.proxyExecute(call, { responseType: 'stream' })).data);
    return async () => sha256;
  },
};

const role = process.env.BENCH_ROLE;
if (role === 'api') await serve();
else if (role === 'case') await runCase();
else await main();

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-bench-'));
  const api = fork(fileURLToPath(import.meta.url), [MEGABYTES], {
    env: { ...process.env, BENCH_ROLE: 'api', BENCH_FOLDER: folder },
  });
  const [places] = await once(api, 'message');
  const expected = await sha256Of(chunks());
  console.log(`| ${MEGABYTES} MB | way | seconds | MB/s | most resident | longest block |`);
  console.log('| --- | --- | ---: | ---: | ---: | ---: |');
  for (const way of ['in process', 'over HTTP']) {
    for (const name of Object.keys(CASES)) {
      const env = {
        ...process.env,
        ...places,
        BENCH_ROLE: 'case',
        BENCH_WAY: way,
        BENCH_CASE: name,
        BENCH_FOLDER: folder,
      };
      const child = fork(fileURLToPath(import.meta.url), [MEGABYTES], { env });
      const [{ seconds, resident, block, sha256 }] = await once(child, 'message');
      assert.equal(sha256, expected, `${name}, ${way}`);
      const cells = [name, way, seconds.toFixed(1), (MEGABYTES / seconds).toFixed(0)];
      console.log(`| ${[...cells, `${resident.toFixed(0)} MB`, `${block.toFixed(1)} ms`].join(' | ')} |`);
      if (resident > MOST_RESIDENT || block > LONGEST_BLOCK) {
        console.error(`Over the limit of ${MOST_RESIDENT} MB and ${LONGEST_BLOCK} ms: ${name}, ${way}.`);
        process.exitCode = 1;
      }
    }
  }
  api.kill();
  rmSync(folder, { recursive: true });
}

/** The API, which returns the hash of an upload or sends as many bytes; and a gateway on a port. */
async function serve() {
  const server = createServer(async (request, response) => {
    if (request.method === 'PUT') {
      const sha256 = await sha256Of(request);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ sha256 }));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': SIZE });
    for (const chunk of chunks()) {
      if (response.destroyed) break;
      if (!response.write(chunk)) await once(response, 'drain');
    }
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const BENCH_PORT = String(server.address().port);
  const gateway = await openGateway(BENCH_PORT);
  const { url: BENCH_URL } = await gateway.listen();
  const { key: BENCH_KEY } = await gateway.apiKeys.create();
  process.send({ BENCH_PORT, BENCH_URL, BENCH_KEY });
}

async function openGateway(port) {
  const { Gateway } = await import('../index.mjs');
  return Gateway.open({
    toolkits: [{ slug: 'api', name: 'API', base_url: `http://127.0.0.1:${port}`, schemes: { NO_AUTH: {} } }],
    allowPrivateHosts: [`127.0.0.1:${port}`],
    files: { folder: process.env.BENCH_FOLDER },
  });
}

async function runCase() {
  const { BENCH_WAY, BENCH_CASE, BENCH_PORT, BENCH_URL, BENCH_KEY, BENCH_FOLDER } = process.env;
  const { Composio } = await import('../index.mjs');
  const gateway = BENCH_WAY === 'in process' ? await openGateway(BENCH_PORT) : undefined;
  const backend = gateway ? { gateway } : { apiKey: BENCH_KEY, baseURL: BENCH_URL };
  const session = await new Composio({ ...backend, timeout: 600_000 }).create('user');
  let resident = 0;
  const look = setInterval(() => {
    resident = Math.max(resident, process.memoryUsage.rss());
  }, 10);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const began = performance.now();
  const sha256 = await CASES[BENCH_CASE](session, BENCH_FOLDER);
  delay.disable();
  clearInterval(look);
  const seconds = (performance.now() - began) / 1000;
  process.send({ seconds, resident: resident / MEGABYTE, block: delay.max / 1e6, sha256: await sha256() });
  await gateway?.close();
  process.disconnect();
}

/** Pseudorandom bytes that do not repeat and are the same in every process. */
function* chunks() {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const nothing = Buffer.alloc(CHUNK);
  for (let made = 0; made < SIZE; made += CHUNK) yield cipher.update(nothing);
}

async function sha256Of(bytes) {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest('hex');
}
