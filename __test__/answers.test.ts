/**
 * Responses of every size and script reach their own call among many others, and leak no memory.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Composio, InternalServerError, type Session } from '../index.js';
import { BackendStub, sendJson } from './backend-stub';

const CALL = { toolkit: 'github', method: 'GET' } as const;

/** Makes the response of a call from its number: one function for each form in which texts cross to JavaScript. */
const KINDS = {
  empty: () => '',
  'small, in ASCII': (call: number) => `call ${call} `.repeat(20),
  'small, with other letters': (call: number) => `žluťoučký kůň 🙂 ${call} `.repeat(5),
  'of some kilobytes': (call: number) => `call ${call} `.repeat(1_000),
  'of some kilobytes, with other letters': (call: number) => `žluťoučký kůň 🙂 ${call} `.repeat(400),
  'large, in ASCII': (call: number) => `call ${call} `.repeat(20_000),
  'large, with other letters': (call: number) => `žluťoučký kůň 🙂 ${call} `.repeat(6_000),
};

let backend: BackendStub;
let session: Session;

before(async () => {
  backend = await BackendStub.start();
  session = await new Composio({ apiKey: 'ak_test', baseURL: backend.url, maxRetries: 0 }).create('user_1');
});

after(() => backend.close());

describe('a response', () => {
  it('reaches its own call, among 700 of all kinds and 100 errors at once', async () => {
    const kinds = Object.values(KINDS);
    const all = Array.from({ length: 800 }, (_, call) => call);
    const dataOf = (call: number) => kinds[call % 8]?.(call);
    backend.answer = (response, asked) => {
      const call = Number((asked.body as { endpoint: string }).endpoint.slice(1));
      const data = dataOf(call);
      if (data !== undefined) sendJson(response, 200, { status: 200, data, headers: {} });
      else sendJson(response, 500, { error: { message: `žluťoučký kůň ${call}`, status: 500 } });
    };
    const calls = all.map((call) => session.proxyExecute({ ...CALL, endpoint: `/${call}` }));
    for (const [call, settled] of (await Promise.allSettled(calls)).entries()) {
      const data = dataOf(call);
      if (data !== undefined) {
        assert.equal(settled.status, 'fulfilled');
        assert.ok(settled.value.data === data, `call ${call} got the response of another, or a broken one`);
      } else {
        assert.equal(settled.status, 'rejected');
        assert.ok(settled.reason instanceof InternalServerError);
        assert.equal(settled.reason.message, `žluťoučký kůň ${call}`);
      }
    }
  });

  it('does not stay in memory, even without an explicit collection', async (t) => {
    const data = 'žluťoučký kůň 🙂 '.repeat(16_000);
    // The server's garbage is in its own heap; in this one it would cause more collections.
    const server = new Worker(SERVER, { eval: true, workerData: data });
    try {
      const [[port]] = await once(server, 'message');
      const large = await new Composio({ apiKey: 'ak_test', baseURL: `http://127.0.0.1:${port}` }).use('trs_large');
      const get = async (times: number) => {
        for (let call = 0; call < times; call += 10) {
          const ten = Array.from({ length: 10 }, () => large.proxyExecute({ ...CALL, endpoint: '/' }));
          for (const answer of await Promise.all(ten)) assert.equal((answer.data as string).length, data.length);
        }
      };
      await get(200);
      const atFirst = process.memoryUsage.rss() / 1e6;
      await get(1_000);
      const growth = process.memoryUsage.rss() / 1e6 - atFirst;
      const size = ((1_000 * data.length * 2) / 1e6).toFixed();
      t.diagnostic(`${size} MB of answers: ${atFirst.toFixed()} MB at first, ${growth.toFixed()} MB more in the end`);
      assert.ok(growth < 200, `memory grew by ${growth} MB`);
    } finally {
      await server.terminate();
    }
  });
});

/** Responds to every request with a text that is both a session and the response of a call. */
const SERVER = `
  const { parentPort, workerData: data } = require('node:worker_threads');
  const session = { session_id: 'trs_large', config: {}, mcp: {}, config_version: 1 };
  const answer = Buffer.from(JSON.stringify({ ...session, status: 200, data, headers: {} }));
  const server = require('node:http').createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage([server.address().port]));
`;
