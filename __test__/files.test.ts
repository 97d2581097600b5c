/** Files and streams, up and down: no byte is lost over any interface, and every limit holds. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import {
  APIError,
  type BinaryBody,
  Composio,
  ComposioError,
  type Gateway,
  type GatewayOptions,
  type Session,
} from '../index.js';
import { BackendStub, sendJson } from './backend-stub';
import { connect, openGateway } from './support/acme';
import { CORPUS } from './support/corpus';
import { until } from './support/expect';
import { inProcess, overHttp, type Way, type WayIn } from './support/ways';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An API that keeps the bytes of its requests, and responds as a test sets it. */
async function startApi(): Promise<{ port: number; on: (path: string, answer: Answer) => void; server: Server }> {
  const answers = new Map<string, Answer>();
  const server = createServer(async (request, response) => {
    const answer = answers.get(new URL(request.url ?? '', 'http://api').pathname);
    if (answer) return answer(request, response);
    const bytes = Buffer.concat(await request.toArray().catch(() => []));
    const { 'content-type': type, 'content-length': length } = request.headers;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ type, length, size: bytes.byteLength, sha256: sha256(bytes) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, on: (path, answer) => answers.set(path, answer), server };
}

let api: Awaited<ReturnType<typeof startApi>>;
let folder: string;

before(async () => {
  api = await startApi();
  folder = mkdtempSync(join(tmpdir(), 'proxy-execute-test-files-'));
  for (const [index, { bytes, type }] of CORPUS.entries()) {
    api.on(`/base/down/${index}`, (_, response) => {
      response.writeHead(200, { 'content-type': type }).end(bytes);
    });
  }
});

after(() => {
  api.server.closeAllConnections();
  api.server.close();
  rmSync(folder, { recursive: true });
});

/** Runs work with a session of a gateway that has these options. */
async function withSession(
  options: GatewayOptions,
  work: (session: Session, gateway: Gateway, way: WayIn) => Promise<void>,
  way: Way = inProcess,
): Promise<void> {
  const gateway = await openGateway(api.port, options);
  try {
    await connect(gateway, 'ann');
    const wayIn = await way(gateway);
    await work(await wayIn.composio().create('ann'), gateway, wayIn);
    await wayIn.close();
  } finally {
    await gateway.close();
  }
}

async function failure(work: () => Promise<unknown>, slug: string): Promise<APIError> {
  const error = await work().then(
    () => assert.fail(`it should have failed with ${slug}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof APIError, String(error));
  assert.equal(error.slug, slug, error.message);
  return error;
}

const get = (session: Session, endpoint: string) => session.proxyExecute({ toolkit: 'acme', endpoint, method: 'GET' });

async function put(session: Session, binaryBody: BinaryBody) {
  const request = { toolkit: 'acme', endpoint: '/up', method: 'PUT', binaryBody } as const;
  type Seen = { type?: string; length?: string; size: number; sha256: string };
  return (await session.proxyExecute<Seen>(request)).data;
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

const WAYS: Record<string, Way> = {
  'in process': inProcess,
  'over HTTP': overHttp(),
  'over HTTP, by /api/v3': overHttp({ apiVersion: 'v3' }),
};

for (const [name, way] of Object.entries(WAYS)) {
  describe(name, () => {
    it(`${CORPUS.length} bodies are sent unchanged`, async () => {
      await withSession(
        {},
        async (session) => {
          for (const { name, bytes, type: contentType } of CORPUS) {
            const path = join(folder, 'body');
            writeFileSync(path, bytes);
            const forms: BinaryBody[] = [
              { data: bytes, contentType },
              { data: new Blob([new Uint8Array(bytes)]), contentType },
              { data: new Blob([new Uint8Array(bytes)]).stream(), contentType },
              { data: inPieces(bytes, 100_003), size: bytes.byteLength, contentType },
              { data: createReadStream(path), contentType },
              { path, contentType },
            ];
            if (bytes.byteLength > 0 && bytes.byteLength < 4_000_000) {
              forms.push({ base64: bytes.toString('base64'), contentType });
            }
            for (const form of forms) {
              const seen = await put(session, form);
              assert.equal(seen.sha256, sha256(bytes), `${name}, as ${Object.keys(form)}`);
              assert.equal(seen.type, contentType);
            }
          }
        },
        way,
      );
    });

    it(`${CORPUS.length} bodies are received unchanged`, async () => {
      await withSession(
        {},
        async (session) => {
          for (const [index, { name, bytes, data }] of CORPUS.entries()) {
            const endpoint = `/down/${index}`;
            const streamed = await session.proxyExecute(
              { toolkit: 'acme', endpoint, method: 'GET' },
              { responseType: 'stream' },
            );
            assert.equal(sha256(Buffer.from(await new Response(streamed.data).arrayBuffer())), sha256(bytes), name);

            const answer = await get(session, endpoint);
            assert.equal(answer.binaryData !== undefined, data === 'file', name);
            if (answer.binaryData) {
              const file = await session.download(answer.binaryData);
              assert.equal(file.contentType, CORPUS[index]?.type);
              assert.equal(file.size, bytes.byteLength);
              assert.equal(sha256(await file.bytes()), sha256(bytes), name);
            } else if (data === 'json') {
              assert.deepEqual(answer.data, JSON.parse(bytes.toString().replace('\ufeff', '')), name);
            } else if (data === null) {
              assert.equal(answer.data, null);
            } else {
              // A byte order mark is not a part of the text.
              assert.equal(
                `\ufeff${answer.data}`.slice(-bytes.toString(data as 'utf8').length),
                bytes.toString(data as 'utf8'),
                name,
              );
            }
          }
        },
        way,
      );
    });

    it('a file is written to a path once it is complete', async () => {
      await withSession(
        {},
        async (session) => {
          const index = CORPUS.findIndex(({ name }) => name === '6 MB');
          const { bytes } = CORPUS[index] as (typeof CORPUS)[number];
          const { binaryData } = await get(session, `/down/${index}`);
          assert.ok(binaryData);
          const path = join(folder, 'downloaded');
          const seen: number[] = [];
          const file = await session.download(binaryData);
          await file.toFile(path, { onProgress: ({ written, size }) => seen.push(written, size ?? 0) });
          assert.equal(sha256(readFileSync(path)), sha256(bytes));
          assert.deepEqual(seen.slice(-2), [bytes.byteLength, bytes.byteLength]);
          assert.throws(() => file.stream(), /has been read/);

          const controller = new AbortController();
          const again = await session.download(binaryData, { signal: controller.signal });
          const onProgress = () => controller.abort(new Error('enough'));
          await assert.rejects(again.toFile(join(folder, 'aborted'), { onProgress }), /enough/);
          assert.deepEqual(
            readdirSync(folder).filter((name) => name.startsWith('aborted')),
            [],
          );

          const third = await session.download(binaryData);
          const nowhere = join(folder, 'nowhere', 'file');
          await assert.rejects(third.toFile(nowhere), (error: Error) => {
            assert.ok(error instanceof ComposioError);
            assert.match(error.message, /^The file \S+nowhere\/file cannot be written: ENOENT/);
            assert.doesNotMatch(error.message, /\.part/);
            return true;
          });
          await third.toFile(path);
        },
        way,
      );
    });

    it('a stream is read on demand, and ends with its reader', async () => {
      await withSession(
        {},
        async (session) => {
          const gone = deferred();
          api.on('/base/events', (_, response) => {
            response.writeHead(200, { 'content-type': 'text/event-stream' });
            response.write('data: 1\n\n');
            response.on('close', () => gone.resolve(undefined));
          });
          const call = { toolkit: 'acme', endpoint: '/events', method: 'GET' } as const;
          const { status, headers, data } = await session.proxyExecute(call, { responseType: 'stream' });
          assert.equal(status, 200);
          assert.equal(headers['content-type'], 'text/event-stream');
          const reader = data.getReader();
          assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'data: 1\n\n');
          await reader.cancel();
          await gone.promise;

          const reason = new Error('enough');
          const controller = new AbortController();
          const options = { responseType: 'stream', signal: controller.signal } as const;
          const aborted = (await session.proxyExecute(call, options)).data.getReader();
          await aborted.read();
          const rest = aborted.read();
          controller.abort(reason);
          await assert.rejects(rest, reason);

          const abort = new AbortController();
          const whole = session.proxyExecute(call, { responseType: 'bytes', signal: abort.signal });
          setTimeout(() => abort.abort(reason), 100);
          await assert.rejects(whole, reason);
          const slow = session.proxyExecute(call, { responseType: 'bytes', timeout: 300 });
          await assert.rejects(slow, { name: 'APIConnectionTimeoutError' });

          const late = (await session.proxyExecute(call, { responseType: 'stream', timeout: 300 })).data.getReader();
          await late.read();
          await assert.rejects(late.read(), { name: 'APIConnectionTimeoutError' });
        },
        way,
      );
    });

    it('a broken transfer is an error and never a short body', async () => {
      await withSession(
        {},
        async (session) => {
          api.on('/base/short', (_, response) => {
            response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': '1000' });
            response.write('%PDF');
            setImmediate(() => response.destroy());
          });
          await failure(() => get(session, '/short'), 'UpstreamBroken');
          const call = { toolkit: 'acme', endpoint: '/short', method: 'GET' } as const;
          const { data } = await session.proxyExecute(call, { responseType: 'stream' });
          await assert.rejects(new Response(data).arrayBuffer());
          await assert.rejects(session.proxyExecute(call, { responseType: 'bytes' }));

          await failure(() => put(session, { data: inPieces(Buffer.alloc(10), 3), size: 11 }), 'UploadBroken');
          await failure(() => put(session, { data: inPieces(Buffer.alloc(10), 3), size: 9 }), 'UploadBroken');
          // An API that starts its response before the end of the body has not caused the failure.
          api.on('/base/early', (request, response) => {
            request.on('error', () => {}).resume();
            response.writeHead(200, { 'content-type': 'application/pdf' }).write('%PDF');
          });
          const early = { toolkit: 'acme', endpoint: '/early', method: 'PUT' } as const;
          const short = { data: inPieces(Buffer.alloc(10), 3), size: 11 };
          await failure(() => session.proxyExecute({ ...early, binaryBody: short }), 'UploadBroken');

          const reason = new Error('the disk is gone');
          const broken = async function* () {
            yield Buffer.alloc(10);
            throw reason;
          };
          await assert.rejects(put(session, broken()), reason);
          await failure(() => put(session, { path: join(folder, 'is-not-there') }), 'InvalidRequest');
        },
        way,
      );
    });

    it('a source is released if the API refuses it, and read to its end if the API accepts it', {
      timeout: 30_000,
    }, async () => {
      await withSession(
        {},
        async (session) => {
          let read = deferred();
          for (const status of [200, 413]) {
            api.on(`/base/answers-${status}`, async (request, response) => {
              response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
              const chunks = await request.toArray().catch(() => []);
              if (status === 200) read.resolve(Buffer.concat(chunks).byteLength);
            });
          }
          for (const options of [{}, { responseType: 'stream' }] as const) {
            const send = (status: number, binaryBody: BinaryBody) =>
              session.proxyExecute(
                { toolkit: 'acme', endpoint: `/answers-${status}`, method: 'POST', binaryBody },
                options,
              );
            const cancelled = deferred();
            const web = new ReadableStream<Uint8Array>({
              start: (controller) => controller.enqueue(Buffer.alloc(10)),
              pull: () => new Promise(() => {}),
              cancel: cancelled.resolve,
            });
            assert.equal((await send(413, web)).status, 413);
            await cancelled.promise;
            const node = new Readable({ read() {} });
            node.push(Buffer.alloc(10));
            const closed = once(node, 'close');
            assert.equal((await send(413, node)).status, 413);
            await closed;

            read = deferred();
            const answered = deferred();
            const rest = async function* () {
              yield Buffer.alloc(10);
              await answered.promise;
              yield Buffer.alloc(10);
            };
            assert.equal((await send(200, rest())).status, 200);
            answered.resolve(undefined);
            assert.equal(await read.promise, 20);
          }
        },
        way,
      );
    });

    it('a form has its fields and files', async () => {
      await withSession(
        {},
        async (session) => {
          const form = new FormData();
          form.append('title', 'a "b"\nc');
          form.append('file', new File(['hello'], 'hé"llo.txt', { type: 'text/plain' }));
          let received: FormData | undefined;
          api.on('/base/form', async (request, response) => {
            const body = Buffer.concat(await request.toArray());
            assert.equal(Number(request.headers['content-length']), body.byteLength);
            const headers = { 'content-type': request.headers['content-type'] ?? '' };
            received = await new Response(body, { headers }).formData();
            response.end();
          });
          await session.proxyExecute({ toolkit: 'acme', endpoint: '/form', method: 'POST', formData: form });
          assert.equal(received?.get('title'), 'a "b"\r\nc');
          const file = received?.get('file') as File;
          assert.deepEqual([file.name, file.type, await file.text()], ['hé"llo.txt', 'text/plain', 'hello']);
        },
        way,
      );
    });
  });
}

function deferred(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

describe('bytes of another realm', () => {
  it('are sent like those of this realm, in every form', async () => {
    const { bytes, buffer } = runInNewContext(
      'const bytes = Uint8Array.of(1, 2, 3); ({ bytes, buffer: bytes.buffer })',
    );
    assert.ok(!(bytes instanceof Uint8Array) && !(buffer instanceof ArrayBuffer));
    await withSession({}, async (session) => {
      const stream = async function* () {
        yield bytes;
      };
      for (const body of [bytes, buffer, stream(), { data: buffer }, Readable.from([bytes])]) {
        assert.equal((await put(session, body)).sha256, sha256(Uint8Array.of(1, 2, 3)));
      }
    });
  });
});

describe('a URL as a body', () => {
  it('is fetched by the gateway, which sends its bytes', async () => {
    await withSession({ allowPrivateBodies: [`127.0.0.1:${api.port}`] }, async (session) => {
      const source = `http://127.0.0.1:${api.port}/base/down/${CORPUS.findIndex(({ name }) => name === 'PDF')}`;
      const seen = await put(session, { url: source });
      assert.equal(seen.type, 'application/pdf');
      assert.equal(seen.sha256, sha256(CORPUS.find(({ name }) => name === 'PDF')?.bytes ?? Buffer.alloc(0)));
      api.on('/base/missing', (_, response) => response.writeHead(404).end());
      await failure(() => put(session, { url: `http://127.0.0.1:${api.port}/base/missing` }), 'SourceUnusable');
      await failure(() => put(session, { url: 'http://169.254.169.254/latest' }), 'AddressRefused');
      await failure(() => put(session, { url: 'https://10.0.0.1/' }), 'AddressRefused');
      await failure(() => put(session, { url: 'file:///etc/passwd' }), 'InvalidRequest');
    });
  });
});

describe('limits', () => {
  const pdf = (index = CORPUS.findIndex(({ name }) => name === '6 MB')) => `/down/${index}`;

  it('apply to the body that is sent', async () => {
    await withSession({ maxUploadBytes: 1000 }, async (session) => {
      await put(session, Buffer.alloc(1000));
      await failure(() => put(session, Buffer.alloc(1001)), 'PayloadTooLarge');
      await failure(() => put(session, inPieces(Buffer.alloc(1001), 10)), 'PayloadTooLarge');
      const base64 = Buffer.alloc(4 * 1024 * 1024 + 1).toString('base64');
      await failure(() => put(session, { base64 }), 'PayloadTooLarge');
    });
  });

  it('apply to a file after decompression', async () => {
    api.on('/base/bomb', (_, response) => {
      response.writeHead(200, { 'content-type': 'image/png', 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.alloc(10_000_000)));
    });
    const files = { folder: join(folder, 'limited'), maxBytes: 1_000_000 };
    await withSession({ files }, async (session) => {
      await failure(() => get(session, '/bomb'), 'UpstreamTooLarge');
      await failure(() => get(session, pdf()), 'UpstreamTooLarge');
      assert.deepEqual(readdirSync(files.folder), []);
    });
  });

  it('apply to the time between two pieces', async () => {
    api.on('/base/stalls', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/pdf' }).write('%PDF');
    });
    await withSession({ chunkTimeout: 200 }, async (session) => {
      await failure(() => get(session, '/stalls'), 'UpstreamTimeout');
      const call = { toolkit: 'acme', endpoint: '/stalls', method: 'GET' } as const;
      const { data } = await session.proxyExecute(call, { responseType: 'stream' });
      await assert.rejects(new Response(data).arrayBuffer(), { slug: 'UpstreamTimeout' });
      const stalls = async function* () {
        yield Buffer.alloc(10);
        await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      };
      await failure(() => put(session, stalls()), 'UploadBroken');
    });
  });

  it('apply to the number of open files', async () => {
    await withSession({ files: { maxOpen: 1 } }, async (session) => {
      const { binaryData } = await get(session, pdf());
      assert.ok(binaryData);
      const open = (await session.download(binaryData)).stream();
      await failure(() => get(session, pdf()), 'TooManyFiles');
      await failure(() => session.download(binaryData), 'TooManyFiles');
      await open.cancel();
      // The file is closed a moment after its last reader.
      const again = async (): Promise<unknown> => get(session, pdf()).catch(again);
      await again();
    });
  });
});

describe('the URL of a file', () => {
  it('works for that file, on a port without a key, with ranges', async () => {
    await withSession(
      {},
      async (session) => {
        const index = CORPUS.findIndex(({ name }) => name === 'every byte');
        const bytes = CORPUS[index]?.bytes ?? Buffer.alloc(0);
        const { url } = (await get(session, `/down/${index}`)).binaryData ?? assert.fail();
        const whole = await fetch(url);
        assert.equal(whole.status, 200);
        assert.equal(whole.headers.get('content-type'), 'application/octet-stream');
        assert.equal(whole.headers.get('content-disposition'), 'attachment');
        assert.equal(whole.headers.get('x-content-type-options'), 'nosniff');
        assert.equal(whole.headers.get('content-length'), String(bytes.byteLength));
        assert.equal(sha256(Buffer.from(await whole.arrayBuffer())), sha256(bytes));
        for (const [range, start, end] of [
          ['bytes=0-0', 0, 1],
          ['bytes=100-199', 100, 200],
          ['bytes=65000-', 65_000, bytes.byteLength],
          ['bytes=-5', bytes.byteLength - 5, bytes.byteLength],
          [`bytes=-${bytes.byteLength + 1}`, 0, bytes.byteLength],
        ] as const) {
          const part = await fetch(url, { headers: { range } });
          assert.equal(part.status, 206, range);
          assert.equal(part.headers.get('content-range'), `bytes ${start}-${end - 1}/${bytes.byteLength}`);
          assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(start, end));
        }
        const beyond = await fetch(url, { headers: { range: 'bytes=99999-' } });
        assert.equal(beyond.status, 416);
        assert.equal(beyond.headers.get('content-range'), `bytes */${bytes.byteLength}`);
        const head = await fetch(url, { method: 'HEAD' });
        assert.equal(head.headers.get('content-length'), String(bytes.byteLength));

        const other = (await get(session, `/down/${index}`)).binaryData?.url ?? '';
        const signature = new URL(other).searchParams.get('signature') ?? '';
        const tricks = [
          url.replace(/signature=./, (start) => (start.endsWith('A') ? 'signature=B' : 'signature=A')),
          Object.assign(new URL(url), { search: `?type=text%2Fhtml&signature=${signature}` }).href,
          Object.assign(new URL(url), { pathname: new URL(other).pathname }).href,
          url.replace('octet-stream', 'xhtml'),
          url.split('?')[0] ?? '',
          url.replace('/files/', '/files/x/..%2f'),
        ];
        for (const trick of tricks) assert.ok([403, 404].includes((await fetch(trick)).status), trick);
      },
      overHttp(),
    );
  });

  it('expires, and the file with it', async () => {
    const files = { folder: join(folder, 'expiring'), expiresIn: 300 };
    await withSession({ files }, async (session) => {
      const index = CORPUS.findIndex(({ name }) => name === 'PDF');
      const { binaryData } = await get(session, `/down/${index}`);
      assert.ok(binaryData);
      assert.equal(readdirSync(files.folder).length, 1);
      while (readdirSync(files.folder).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const error = await failure(() => session.download(binaryData), 'FileUrlRefused');
      assert.match(error.message, /expired at/);
    });
  });

  it('that was signed with an old key still works', async () => {
    const [old, next] = ['1'.repeat(64), '2'.repeat(64)] as const;
    const shared = join(folder, 'rotated');
    const index = CORPUS.findIndex(({ name }) => name === 'PDF');
    let file = { url: '' };
    await withSession({ files: { folder: shared, signingKeys: [old] } }, async (session) => {
      file = (await get(session, `/down/${index}`)).binaryData ?? assert.fail();
    });
    await withSession({ files: { folder: shared, signingKeys: [next, old] } }, async (session) => {
      await (await session.download(file)).bytes();
    });
    await withSession({ files: { folder: shared, signingKeys: [next] } }, async (session) => {
      await failure(() => session.download(file), 'FileUrlRefused');
    });
  });
});

describe('a crash in the middle of a file', () => {
  it('leaves no file that is served or counted, and its remains are swept', async () => {
    const crashed = join(folder, 'crashed');
    api.on('/base/endless', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/pdf' });
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1_000_000)));
      };
      response.on('drain', more);
      more();
    });
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', join(__dirname, 'support', 'crashing.ts'), String(api.port), crashed],
      { env, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const leftovers = () => {
      try {
        return readdirSync(crashed);
      } catch {
        return [];
      }
    };
    while (leftovers().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.ok(leftovers().length > 0, 'it was in the middle of a file');
    assert.ok(
      leftovers().every((name) => name.includes('#')),
      'no file has its own name yet',
    );
    await withSession({ files: { folder: crashed, expiresIn: 100 } }, async () => {
      while (leftovers().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    });
  });
});

describe('an abort during the wait for the next bytes of a file', () => {
  it('ends every way to read it, with the reason of the signal and not with the timeout', async () => {
    api.on('/stalled', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': '1000' }).write('%PDF');
    });
    const stub = await BackendStub.start();
    const aborted = join(folder, 'aborted-while-waiting');
    try {
      const session = await new Composio({ apiKey: 'key', baseURL: stub.url, timeout: 5_000 }).create('user_1');
      const url = `http://127.0.0.1:${api.port}/stalled`;
      const reason = new Error('enough');
      // With a signal for the writing only, and with the signal of the file.
      for (const own of [true, false]) {
        const controller = new AbortController();
        const { signal } = controller;
        const onProgress = () => setImmediate(() => controller.abort(reason));
        const file = await session.download({ url }, own ? {} : { signal });
        await assert.rejects(file.toFile(aborted, own ? { onProgress, signal } : { onProgress }), reason);
        if (own) assert.deepEqual(getEventListeners(signal, 'abort'), []);
      }
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.startsWith('aborted-while-waiting')),
        [],
      );

      for (const read of ['bytes', 'stream'] as const) {
        const controller = new AbortController();
        const file = await session.download({ url }, { signal: controller.signal });
        const whole = read === 'bytes' ? file.bytes() : file.stream().pipeTo(new WritableStream());
        setImmediate(() => controller.abort(reason));
        await assert.rejects(whole, reason);
      }
    } finally {
      await stub.close();
    }
  });
});

describe('an unread stream', () => {
  it('is released when it is collected, although its signal stays alive', async () => {
    const { signal } = new AbortController();
    let opened = 0;
    let open = 0;
    api.on('/base/unread', (_, response) => {
      opened++;
      open++;
      response.on('close', () => open--);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    });
    await withSession({ chunkTimeout: 600_000 }, async (session) => {
      const call = { toolkit: 'acme', endpoint: '/unread', method: 'GET' } as const;
      const options = { responseType: 'stream', signal } as const;
      for (let count = 0; count < 20; count++) await session.proxyExecute(call, options);
      const held = (await session.proxyExecute(call, options)).data.getReader();
      await held.read();
      // Some may have been collected already.
      assert.equal(opened, 21);
      setFlagsFromString('--expose-gc');
      const gc: () => void = runInNewContext('gc');
      await until('the others are gone', () => {
        gc();
        return open === 1;
      });
      await held.cancel();
      await until('the signal has forgotten all', () => getEventListeners(signal, 'abort').length === 0);
    });
  });
});

describe('the hosted backend', () => {
  it('gets bytes in base64 up to its limit, and refuses unsupported features', async () => {
    const stub = await BackendStub.start();
    try {
      const session = await new Composio({ apiKey: 'key', baseURL: stub.url }).create('user_1');
      const call = { toolkit: 'acme', endpoint: '/up', method: 'POST' } as const;
      await session.proxyExecute({ ...call, binaryBody: new Blob(['hello'], { type: 'text/plain' }) });
      const sent = stub.asked.at(-1)?.body as { binary_body?: unknown };
      assert.deepEqual(sent.binary_body, { base64: 'aGVsbG8=', content_type: 'text/plain' });
      await assert.rejects(session.proxyExecute({ ...call, binaryBody: Buffer.alloc(4 * 1024 * 1024 + 1) }), {
        slug: 'NeedsGateway',
        message: /4 MiB.*`binaryBody: \{ url \}`/,
      });
      await assert.rejects(session.proxyExecute(call, { responseType: 'stream' }), { slug: 'NeedsGateway' });
    } finally {
      await stub.close();
    }
  });

  it('has the bytes of a file behind its URL, and those of a text as it sends it', async () => {
    const stub = await BackendStub.start();
    api.on('/signed', (_, response) => response.end(Buffer.from([0, 0xff])));
    try {
      const composio = new Composio({ apiKey: 'key', baseURL: stub.url });
      const session = await composio.create('user_1');
      const call = { toolkit: 'acme', endpoint: '/down', method: 'GET' } as const;
      const get = async () => {
        const { status, data } = await session.proxyExecute(call, { responseType: 'bytes' });
        return [status, Buffer.from(data).toString('latin1')];
      };
      let answer: object = {};
      stub.answer = (response) => sendJson(response, 200, { headers: {}, ...answer });
      const binary_data = { url: `http://127.0.0.1:${api.port}/signed`, content_type: 'image/png', size: 2 };
      answer = { status: 200, data: null, binary_data };
      assert.deepEqual(await get(), [200, '\0\xff']);
      answer = { status: 404, data: { a: 1 } };
      assert.deepEqual(await get(), [404, '{"a":1}']);
      answer = { status: 200, data: 'text' };
      assert.deepEqual(await get(), [200, 'text']);
      answer = { status: 204, data: null };
      assert.deepEqual(await get(), [204, '']);
      answer = { status: 200, data: null, binary_data: { ...binary_data, size: 50 * 1024 * 1024 + 1 } };
      await assert.rejects(get, { slug: 'UpstreamTooLarge', message: /50 MiB/ });
      // A body that can be sent once is kept for a backend that can be asked for bytes.
      const upload = { ...call, method: 'POST', binaryBody: Readable.from([Buffer.alloc(1)]) } as const;
      await assert.rejects(session.proxyExecute(upload, { responseType: 'bytes' }), { slug: 'NeedsGateway' });
      const asked = stub.asked.filter(({ path }) => path.includes('proxy')).length;
      assert.equal(asked, 5);
      const tools = {
        connectedAccountId: 'ca_1',
        endpoint: '/',
        method: 'POST',
        binaryBody: Buffer.from('up'),
      } as const;
      answer = { status: 200, data: 'text' };
      const { data } = await composio.tools.proxyExecute(tools, { responseType: 'bytes' });
      assert.equal(Buffer.from(data ?? []).toString(), 'text');
    } finally {
      await stub.close();
    }
  });
});
