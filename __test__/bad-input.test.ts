/**
 * Failures beyond the arguments: each ends in one typed error that names its subject and the fix, and the
 * next call works.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  APIConnectionError,
  AuthenticationError,
  BadRequestError,
  Composio,
  ComposioConnectedAccountNotFoundError,
  ComposioError,
  ComposioToolkitNotFoundError,
  Gateway,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  type Session,
  type ToolkitDefinition,
  UnprocessableEntityError,
} from '../index.js';
import { acme, connect, openGateway } from './support/acme';
import { rejection, timed, until } from './support/expect';
import { NOBODY } from './support/ports';
import { sendJson, sendRaw, Upstream } from './support/upstream';
import { inProcess, overHttp, type WayIn } from './support/ways';

const CALL = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;
const KEY = 'ab'.repeat(32);

let upstream: Upstream;

before(async () => {
  upstream = await Upstream.start();
});

after(() => upstream.close());

beforeEach(() => {
  upstream.received.length = 0;
});

/** Asserts that the next call works. */
async function works(session: Session): Promise<void> {
  const { status } = await session.proxyExecute(CALL);
  assert.equal(status, 200);
}

for (const [name, way] of [
  ['in process', inProcess],
  ['over HTTP', overHttp()],
] as const) {
  describe(name, () => {
    let gateway: Gateway;
    let wayIn: WayIn;
    let composio: Composio;
    let session: Session;

    before(async () => {
      gateway = await openGateway(upstream.port, { upstreamTimeout: 1_000, maxResponseBytes: 20_000_000 });
      await connect(gateway, 'ann');
      wayIn = await way(gateway);
      composio = wayIn.composio();
      session = await composio.create('ann', { toolkits: ['acme'] });
    });

    after(() => gateway.close());

    afterEach(() => works(session));

    it('a toolkit outside of the session', async () => {
      for (const toolkit of ['github', 'ACME', 'acme ', '../acme', 'no-such-toolkit']) {
        await rejection(() => session.proxyExecute({ ...CALL, toolkit }), PermissionDeniedError, {
          status: 403,
          slug: 'ToolRouterV2_ToolkitNotAllowed',
          names: new RegExp(`'${toolkit}'`),
          fix: /session\.update\(\)/,
        });
      }
      assert.deepEqual(upstream.received, []);
    });

    it('an unknown toolkit', async () => {
      const all = await composio.create('ann');
      await rejection(() => all.proxyExecute({ ...CALL, toolkit: 'acmee' }), ComposioToolkitNotFoundError, {
        status: 404,
        slug: 'ToolkitNotFound',
        names: /`acmee`/,
      });
      assert.deepEqual(upstream.received, []);
    });

    it('a user without an account', async () => {
      const stranger = await composio.create('stranger');
      await rejection(() => stranger.proxyExecute(CALL), BadRequestError, {
        status: 400,
        code: 4302,
        slug: 'ToolRouterV2_NoActiveConnection',
        names: /`stranger`.*`acme`.*not connected/,
        fix: /gateway\.connectedAccounts\.import\(\{ userId: 'stranger', toolkit: 'acme'/,
      });
      assert.deepEqual(upstream.received, []);
    });

    it('a disabled account', async () => {
      const id = await connect(gateway, 'bob');
      const bob = await composio.create('bob');
      await gateway.connectedAccounts.disable(id);
      await rejection(() => bob.proxyExecute(CALL), BadRequestError, {
        slug: 'ToolRouterV2_NoActiveConnection',
        names: new RegExp(`\`bob\`.*\`acme\`.*${id}, is disabled`),
      });
      const { toolkit: _, ...call } = CALL;
      await rejection(
        () => composio.tools.proxyExecute({ connectedAccountId: id, ...call }),
        UnprocessableEntityError,
        { status: 422, code: 1810, slug: 'ConnectedAccountNotUsable', names: new RegExp(id), fix: /enable\('ca_/ },
      );
      await rejection(() => composio.create('bob', { connectedAccounts: { acme: id } }), BadRequestError, {
        slug: 'ToolRouterV2_InvalidConnectedAccountIds',
        names: /connected_accounts\.acme.*is disabled/,
      });
      assert.deepEqual(upstream.received, []);
      await gateway.connectedAccounts.enable(id);
      await works(bob);
    });

    it('an account whose token expires', async () => {
      const credential = { authScheme: 'OAUTH2', val: { access_token: 'short-lived', expires_in: 1 } };
      const { id } = await gateway.connectedAccounts.import({ userId: 'carl', toolkit: 'acme', credential });
      const carl = await composio.create('carl');
      await works(carl);
      await until('the token has expired', async () => {
        await sleep(20);
        return carl.proxyExecute(CALL).then(
          () => false,
          (error: unknown) => error instanceof BadRequestError,
        );
      });
      upstream.received.length = 0;
      await rejection(() => carl.proxyExecute(CALL), BadRequestError, {
        slug: 'ToolRouterV2_NoActiveConnection',
        names: new RegExp(`\`carl\`.*\`acme\`.*${id}.*expired at 20\\d\\d-`),
        fix: /connectedAccounts\.import/,
      });
      const { toolkit: _, ...call } = CALL;
      await rejection(
        () => composio.tools.proxyExecute({ connectedAccountId: id, ...call }),
        UnprocessableEntityError,
        { slug: 'ConnectedAccountNotUsable', names: new RegExp(`${id}.*\`acme\`.*expired`), fix: /fresh credential/ },
      );
      assert.deepEqual(upstream.received, []);
      await connect(gateway, 'carl');
      await works(carl);
    });

    it('an account of another user, of another toolkit, and a deleted one', async () => {
      const [foreign, own] = [await connect(gateway, 'dora'), await connect(gateway, 'emil')];
      const pin = (toolkit: string, id: string) => composio.create('emil', { connectedAccounts: { [toolkit]: id } });
      const invalid = { status: 400, code: 4309, slug: 'ToolRouterV2_InvalidConnectedAccountIds' };
      await rejection(() => pin('acme', foreign), BadRequestError, {
        ...invalid,
        names: new RegExp(`connected_accounts\\.acme.*${foreign}.*another user`),
      });
      await rejection(() => pin('github', own), BadRequestError, {
        ...invalid,
        names: new RegExp(`connected_accounts\\.github.*${own}.*another toolkit`),
      });
      await rejection(() => pin('acme', 'ca_none'), BadRequestError, { ...invalid, names: /`ca_none` does not exist/ });

      const pinned = await pin('acme', own);
      await rejection(() => pinned.update({ connectedAccounts: { acme: foreign } }), BadRequestError, invalid);
      await works(pinned);
      assert.equal(upstream.last.headers['x-api-key'], 'key of emil');
      await connect(gateway, 'emil', 'another');
      await gateway.connectedAccounts.delete(own);
      const sent = upstream.received.length;
      // The pinned account is deleted. The other account is not used instead.
      await rejection(() => pinned.proxyExecute(CALL), ComposioConnectedAccountNotFoundError, {
        status: 404,
        code: 1803,
        slug: 'ConnectedAccountNotFound',
        names: new RegExp(own),
      });
      assert.equal(upstream.received.length, sent);
    });

    it('an unknown or deleted session', async () => {
      const gone = { status: 404, code: 4303, slug: 'ToolRouterV2_SessionNotFound', fix: /composio\.create\(\)/ };
      for (const id of ['trs_none', 'x', 'a/b', 'ä ?', '%00']) {
        await rejection(() => composio.use(id), NotFoundError, { ...gone, names: new RegExp(id.replace('?', '\\?')) });
      }
      const deleted = await composio.create('ann');
      await deleted.delete();
      await rejection(() => deleted.proxyExecute(CALL), NotFoundError, {
        ...gone,
        names: new RegExp(deleted.sessionId),
      });
      assert.deepEqual(upstream.received, []);
    });

    describe('an API that', () => {
      /** Asserts the end of a call with this response. Returns how often the call was sent. */
      async function fails(
        method: 'GET' | 'POST',
        answer: (response: ServerResponse) => void,
        expected: { status: number; slug: string; names: RegExp; fix?: RegExp },
      ): Promise<number> {
        upstream.on('/base/bad', answer);
        upstream.received.length = 0;
        await timed(20_000, () =>
          rejection(() => session.proxyExecute({ toolkit: 'acme', endpoint: '/bad', method }), InternalServerError, {
            fix: /./,
            ...expected,
          }),
        );
        const sent = upstream.received.length;
        await works(session);
        return sent;
      }

      it('hangs before or within its response', async () => {
        const timeout = {
          status: 504,
          slug: 'UpstreamTimeout',
          names: /127\.0\.0\.1.*within 1s/,
          fix: /upstreamTimeout/,
        };
        await fails('GET', () => {}, timeout);
        await fails(
          'POST',
          (response) => response.writeHead(200, { 'content-type': 'text/plain' }).write('a'),
          timeout,
        );
      });

      it('resets the connection', async () => {
        const broken = { status: 502, slug: 'UpstreamBroken', names: /127\.0\.0\.1/ };
        const reset = (response: ServerResponse) => response.socket?.resetAndDestroy();
        // A read is retried. A write is not, because it may have been carried out.
        assert.equal(await fails('GET', reset, broken), 2);
        assert.equal(await fails('POST', reset, { ...broken, fix: /Check before sending a write again/ }), 1);
        const inTheMiddle = (response: ServerResponse) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': 10 });
          response.write('[1,', () => response.socket?.resetAndDestroy());
        };
        assert.equal(await fails('GET', inTheMiddle, broken), 1);
        assert.equal(await fails('POST', inTheMiddle, broken), 1);
      });

      it('announces more than it sends', async () => {
        const broken = { status: 502, slug: 'UpstreamBroken', names: /broke off/ };
        const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
        await fails('GET', (response) => sendRaw(response, `${head}Content-Length: 100\r\n\r\n{"a":1}`), broken);
        await fails(
          'POST',
          (response) => sendRaw(response, `${head}Transfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n`),
          broken,
        );
        await fails(
          'GET',
          (response) => sendRaw(response, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{"a":1}\r\n`),
          broken,
        );
      });

      it('sends more than it announces', async () => {
        const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
        // Cut at its declared end, this is not JSON.
        await fails('GET', (response) => response.socket?.write(`${head}Content-Length: 5\r\n\r\n{"a":1}`), {
          status: 502,
          slug: 'UpstreamBroken',
          names: /127\.0\.0\.1.*\(status 200\) as JSON, but it is not JSON/,
        });
        // Cut there, this is JSON. The remaining bytes must not become the response to another call.
        const other = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"stolen"';
        upstream.on('/base/more', (response) => response.socket?.write(`${head}Content-Length: 2\r\n\r\n{}${other}`));
        for (let round = 0; round < 5; round++) {
          const { data } = await session.proxyExecute({ ...CALL, endpoint: '/more' });
          assert.deepEqual(data, {});
          const { data: next } = await session.proxyExecute<{ url: string }>(CALL);
          assert.equal(next.url, '/base/me');
        }
      });

      it('does not speak HTTP', async () => {
        for (const text of ['SSH-2.0-OpenSSH_9.6\r\n', 'HTTP/1.1 999999 ?\r\n\r\n', '\0\0\0\0', '']) {
          await fails('POST', (response) => sendRaw(response, text), {
            status: 502,
            slug: 'UpstreamBroken',
            names: /127\.0\.0\.1/,
          });
        }
      });

      const NO_JSON = ['{"a":', '<html>502</html>', '{"a":1}}', "{'a':1}", 'NaN', '\ufeff', '[1,]'];

      it('labels text as JSON', async () => {
        for (const text of NO_JSON) {
          await fails('GET', (response) => sendJson(response, 200, text), {
            status: 502,
            slug: 'UpstreamBroken',
            names: /127\.0\.0\.1.*\(status 200\) as JSON, but it is not JSON/,
          });
        }
      });

      it('labels its error as JSON, but sends text', async () => {
        for (const text of NO_JSON) {
          upstream.on('/base/bad', (response) => sendJson(response, 500, text));
          const { status, data } = await session.proxyExecute({ toolkit: 'acme', endpoint: '/bad', method: 'GET' });
          assert.deepEqual([status, data], [500, text.replace('\ufeff', '')]);
        }
      });

      it('sends invalid compressed data', async () => {
        const head = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
        await fails('GET', (response) => response.writeHead(200, head).end('{"a":1}'), {
          status: 502,
          slug: 'UpstreamBroken',
          names: /127\.0\.0\.1/,
        });
      });

      it('sends 100 MB', async () => {
        const large = {
          status: 502,
          slug: 'UpstreamTooLarge',
          names: /^The response of 127\.0\.0\.1 is larger than 20000000 bytes/,
          fix: /`maxResponseBytes`/,
        };
        const megabyte = Buffer.alloc(1_000_000, ' ');
        let written = 0;
        let hungUp = 0;
        const stream = (response: ServerResponse) => {
          written = 0;
          response.on('close', () => hungUp++);
          const more = (error?: Error | null) => {
            if (error || response.destroyed || written === 100) return response.end();
            written++;
            return response.write(megabyte, more);
          };
          more();
        };
        const json = { 'content-type': 'application/json' };
        await fails(
          'GET',
          (response) => stream(response.writeHead(200, { ...json, 'content-length': 100_000_000 })),
          large,
        );
        await fails('POST', (response) => stream(response.writeHead(200, json)), large);
        await until('the connections are given up', () => hungUp === 2);
        assert.ok(written < 100, `all ${written} MB were taken`);
        // Small on the wire, and as large once it is decompressed.
        const bomb = gzipSync(Buffer.alloc(100_000_000, ' '));
        await fails(
          'GET',
          (response) => response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(bomb),
          large,
        );
      });
    });

    it('an unreachable API', async () => {
      await using other = await openGateway(NOBODY);
      await connect(other, 'ann');
      const other_session = await (await way(other)).composio().create('ann');
      await rejection(() => other_session.proxyExecute({ ...CALL, method: 'POST' }), InternalServerError, {
        status: 502,
        slug: 'UpstreamUnreachable',
        names: /127\.0\.0\.1/,
      });
    });
  });
}

describe('API keys', () => {
  let gateway: Gateway;
  let baseURL: string;
  let full: Composio;
  let session: Session;

  before(async () => {
    gateway = await openGateway(upstream.port);
    await connect(gateway, 'ann');
    baseURL = (await gateway.listen()).url;
    full = new Composio({ apiKey: (await gateway.apiKeys.create()).key, baseURL });
    session = await full.create('ann');
  });

  after(() => gateway.close());

  afterEach(() => works(session));

  /** The same session, requested with another key. */
  async function sessionBy(apiKey: string): Promise<{ composio: Composio; session: Session }> {
    const composio = new Composio({ apiKey, baseURL });
    return { composio, session: await composio.use(session.sessionId) };
  }

  it('that are wrong', async () => {
    const { key } = await gateway.apiKeys.create();
    for (const apiKey of ['wrong', `${key}x`, key.toUpperCase(), key.slice(0, -1)]) {
      const composio = new Composio({ apiKey, baseURL });
      const calls = [
        () => composio.create('ann'),
        () => composio.use(session.sessionId),
        () => composio.tools.proxyExecute({ connectedAccountId: 'ca_1', endpoint: '/me', method: 'GET' }),
      ];
      for (const call of calls) {
        const error = await rejection(call, AuthenticationError, {
          status: 401,
          code: 10410,
          slug: 'InvalidApiKey',
          names: /Invalid API key/,
          fix: /gateway\.apiKeys\.create\(\)/,
        });
        if (apiKey !== 'wrong') assert.ok(!JSON.stringify(error).includes(apiKey) && !error.message.includes(apiKey));
      }
    }
    assert.deepEqual(upstream.received, []);
  });

  it('that are revoked', async () => {
    const { key, id } = await gateway.apiKeys.create({ name: 'leaked' });
    const revoked = await sessionBy(key);
    await works(revoked.session);
    await gateway.apiKeys.revoke(id);
    upstream.received.length = 0;
    await rejection(() => revoked.session.proxyExecute(CALL), AuthenticationError, {
      status: 401,
      slug: 'InvalidApiKey',
      fix: /revoked/,
    });
    assert.deepEqual(upstream.received, []);
  });

  it('that lack a permission', async () => {
    const missing = (needed: string, id: string) => ({
      status: 403,
      code: 10411,
      slug: 'InsufficientPermissions',
      names: new RegExp(`${id}.*\`${needed}\``),
      fix: /create a new key/,
    });
    const account = (await gateway.connectedAccounts.list()).items[0]?.id ?? '';
    for (const granted of [{}, { proxy_execute: 'none' }, { proxy_execute: 'read' }] as const) {
      const { key, id } = await gateway.apiKeys.create({ permissions: { sessions: 'read_write', ...granted } });
      const { composio, session } = await sessionBy(key);
      upstream.received.length = 0;
      const denied = missing('proxy_execute: write', id);
      await rejection(() => session.proxyExecute(CALL), PermissionDeniedError, denied);
      const call = { connectedAccountId: account, endpoint: '/me', method: 'GET' } as const;
      await rejection(() => composio.tools.proxyExecute(call), PermissionDeniedError, denied);
      assert.deepEqual(upstream.received, []);
    }

    const { key, id } = await gateway.apiKeys.create({ permissions: { sessions: 'read', proxy_execute: 'write' } });
    const { composio, session } = await sessionBy(key);
    await works(session);
    const denied = missing('sessions: write', id);
    await rejection(() => composio.create('ann'), PermissionDeniedError, denied);
    await rejection(() => session.update({ toolkits: ['acme'] }), PermissionDeniedError, denied);
    await rejection(() => session.delete(), PermissionDeniedError, denied);
  });

  it('of an unknown area', () =>
    rejection(() => gateway.apiKeys.create({ permissions: { sesions: 'read' } }), BadRequestError, {
      slug: 'InvalidRequest',
      names: /`sesions`.*sessions/,
    }).then(() => undefined));
});

describe('a closed gateway', () => {
  it('refuses everything, and another one works', async () => {
    await using gateway = await openGateway(upstream.port);
    const id = await connect(gateway, 'ann');
    const { url } = await gateway.listen();
    const { key, id: keyId } = await gateway.apiKeys.create();
    const composio = new Composio({ gateway });
    const session = await composio.create('ann');
    const remote = await new Composio({ apiKey: key, baseURL: url, maxRetries: 0 }).use(session.sessionId);
    await works(remote);
    await gateway.close();
    upstream.received.length = 0;

    const { toolkit, ...call } = CALL;
    const credential = { authScheme: 'API_KEY', val: { api_key: 'k' } };
    const calls: Record<string, () => Promise<unknown>> = {
      create: () => composio.create('ann'),
      use: () => composio.use(session.sessionId),
      proxyExecute: () => session.proxyExecute(CALL),
      'tools.proxyExecute': () => composio.tools.proxyExecute({ connectedAccountId: id, ...call }),
      update: () => session.update({ toolkits: ['acme'] }),
      delete: () => session.delete(),
      listen: () => gateway.listen(),
      'connectedAccounts.import': () => gateway.connectedAccounts.import({ userId: 'ann', toolkit, credential }),
      'connectedAccounts.list': () => gateway.connectedAccounts.list(),
      'connectedAccounts.get': () => gateway.connectedAccounts.get(id),
      'connectedAccounts.delete': () => gateway.connectedAccounts.delete(id),
      'connectedAccounts.enable': () => gateway.connectedAccounts.enable(id),
      'connectedAccounts.disable': () => gateway.connectedAccounts.disable(id),
      'apiKeys.create': () => gateway.apiKeys.create(),
      'apiKeys.list': () => gateway.apiKeys.list(),
      'apiKeys.revoke': () => gateway.apiKeys.revoke(keyId),
      'a client made now': () => new Composio({ gateway }).create('ann'),
    };
    for (const [what, call] of Object.entries(calls)) {
      const error = await rejection(call, APIConnectionError, {
        slug: 'GatewayClosed',
        names: /The gateway is closed/,
        fix: /Gateway\.open\(\)/,
      });
      assert.equal(error.status, undefined, what);
    }
    await rejection(() => remote.proxyExecute(CALL), APIConnectionError, {
      names: new RegExp(url.replaceAll('.', '\\.')),
      fix: /Is the gateway running/,
    });
    assert.deepEqual(upstream.received, []);

    await using other = await openGateway(upstream.port);
    await connect(other, 'ann');
    await works(await new Composio({ gateway: other }).create('ann'));
  });
});

describe('a store', () => {
  let folder: string;
  let store: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'proxy-execute-'));
    store = join(folder, 'gateway.db');
  });

  afterEach(() => rm(folder, { recursive: true }));

  /** Creates a store with an account, and closes it. */
  async function make(): Promise<Buffer> {
    await using gateway = await openGateway(upstream.port, { store, encryptionKey: KEY });
    await connect(gateway, 'ann');
    await gateway.close();
    return readFile(store);
  }

  /** Asserts the error of an open that must leave the folder unchanged. */
  async function refused(
    options: { store: string; encryptionKey?: string },
    expected: { slug: string; names: RegExp; fix: RegExp },
  ): Promise<ComposioError> {
    // Reading a database creates files beside it that are empty or temporary.
    const files = async () => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const names = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('-shm')).map(({ name }) => name);
      const hashes = names.map(async (name) => {
        const content = await readFile(join(folder, name));
        return [name, content.length, createHash('sha256').update(content).digest('hex')] as const;
      });
      return (await Promise.all(hashes)).filter(([name, length]) => !(name.endsWith('-wal') && length === 0));
    };
    const before = await files();
    const error = await rejection(() => openGateway(upstream.port, options), ComposioError, expected);
    assert.equal(error.status, undefined);
    assert.deepEqual(await files(), before);
    return error;
  }

  async function opens(): Promise<void> {
    await using gateway = await openGateway(upstream.port, { store, encryptionKey: KEY });
    await works(await new Composio({ gateway }).create('ann'));
  }

  it('in a file without an encryption key', async () => {
    await refused(
      { store },
      { slug: 'EncryptionKeyRequired', names: /gateway\.db/, fix: /npx proxy-execute encryption-key$/ },
    );
    assert.ok(!existsSync(store));
    await make();
    await refused(
      { store },
      { slug: 'EncryptionKeyRequired', names: /gateway\.db/, fix: /npx proxy-execute encryption-key$/ },
    );
    await opens();
  });

  it('with an invalid encryption key', async () => {
    for (const encryptionKey of ['canary-short', 'zz'.repeat(32), KEY.slice(2), Buffer.alloc(31).toString('base64')]) {
      const error = await refused(
        { store, encryptionKey },
        { slug: 'InvalidOption', names: /encryptionKey.*32 bytes/, fix: /npx proxy-execute encryption-key$/ },
      );
      assert.ok(!error.message.includes(encryptionKey));
    }
    assert.ok(!existsSync(store));
  });

  it('that was written with another encryption key', async () => {
    await make();
    for (const encryptionKey of ['cd'.repeat(32), Buffer.alloc(32, 1).toString('base64')]) {
      await refused(
        { store, encryptionKey },
        { slug: 'WrongEncryptionKey', names: /gateway\.db.*another encryption key/, fix: /Open it with that key/ },
      );
    }
    await opens();
  });

  it('that is not a database, or is damaged', async () => {
    const whole = await make();
    const damaged = { slug: 'StoreCorrupt', names: /gateway\.db.*(damaged|another program)/, fix: /./ };
    const otherProgram = Buffer.from(whole);
    // SQLite's application_id.
    otherProgram.writeUInt32BE(0x12345678, 68);
    const contents = {
      'not a database': Buffer.from('this is no database, but long enough to have been one\n'.repeat(100)),
      'noise behind the head': Buffer.concat([whole.subarray(0, 100), Buffer.alloc(whole.length - 100, 0xa5)]),
      'noise before the end': Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0xa5)]),
      'cut off': whole.subarray(0, 4096),
      'of another program': otherProgram,
    };
    for (const [what, content] of Object.entries(contents)) {
      await writeFile(store, content);
      const error = await refused({ store, encryptionKey: KEY }, damaged).catch((cause) => {
        throw new Error(what, { cause });
      });
      assert.ok(error);
    }
    await writeFile(store, whole);
    await opens();
  });

  it('that cannot be opened', async () => {
    const unavailable = { slug: 'StoreUnavailable', fix: /folder/ };
    const missing = join(folder, 'missing', 'gateway.db');
    await refused({ store: missing, encryptionKey: KEY }, { ...unavailable, names: /missing.gateway\.db/ });
    await mkdir(join(folder, 'a-folder'));
    await refused({ store: join(folder, 'a-folder'), encryptionKey: KEY }, { ...unavailable, names: /a-folder/ });
    await make();
    await opens();
  });
});

describe('the definition of a toolkit', () => {
  const good = acme(1);
  // biome-ignore lint/suspicious/noExplicitAny: definitions that the types forbid, on purpose
  const cases: [what: string, change: any, names: RegExp][] = [
    ['has an unknown key', { baseURL: 'https://a.test' }, /unknown field `baseURL`.*`base_url`/],
    ['has an unknown key in a scheme', { schemes: { API_KEY: { header: {} } } }, /unknown field `header`.*`headers`/],
    ['has no slug', { slug: undefined }, /missing field `slug`/],
    ['has no base URL', { base_url: undefined }, /missing field `base_url`/],
    ['has a slug in upper case', { slug: 'Acme' }, /slug: `Acme`/],
    ['has no name', { name: ' ' }, /name: is empty/],
    ['has an invalid name', { name: 5 }, /expected a string/],
    ['has no schemes', { schemes: {} }, /schemes: at least one/],
    ['has an unknown scheme', { schemes: { APIKEY: {} } }, /schemes\.APIKEY: is not an auth scheme/],
    ['has an invalid base URL', { base_url: 'api.acme.test' }, /base_url: is not a valid URL/],
    ['has a base URL of another kind', { base_url: 'ftp://acme.test' }, /base_url: must begin with https/],
    [
      'has a password in its base URL',
      { base_url: 'https://a:canary-b@acme.test' },
      /base_url: must not have a user name/,
    ],
    ['has a query in its base URL', { base_url: 'https://acme.test/?a=b' }, /base_url: must not have a query/],
    [
      'uses a field that it does not have',
      { base_url: 'https://{{team}}.acme.test' },
      /base_url.*\{\{team\}\}.*fields\.team/,
    ],
    ['has a broken template', { schemes: { API_KEY: { headers: { a: '{{b' } } } }, /schemes\.API_KEY\.headers\.a/],
    ['has an invalid header', { headers: { 'a b': 'c' } }, /headers\.a b: is not a header name/],
    ['has a line break in a header', { headers: { a: 'b\nc' } }, /headers\.a: has a character/],
    ['has an invalid host', { hosts: ['https://a.test/'] }, /hosts: `https:\/\/a\.test\/`/],
  ];
  for (const [what, change, names] of cases) {
    it(what, async () => {
      const toolkits = [{ ...good, slug: 'good' }, { ...good, ...change } as ToolkitDefinition];
      const error = await rejection(() => Gateway.open({ toolkits }), ComposioError, { slug: 'InvalidToolkit', names });
      assert.match(error.message, /toolkits\[1\]/);
      assert.ok(!error.message.includes('canary'));
      await (await Gateway.open({ toolkits: [good] })).close();
    });
  }
});
