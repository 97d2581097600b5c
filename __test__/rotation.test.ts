/** The rotation of a store's encryption key, killed again and again while a gateway serves and refreshes. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Composio, Gateway, type ToolkitDefinition } from '../index.js';

const OLD = '1'.repeat(64);
const NEW = '2'.repeat(64);
const COMMAND = join(__dirname, '..', 'bin', 'proxy-execute.js');

/** Accounts whose tokens are valid for an hour, and accounts that need a refresh for each call. */
const LASTING = 2_500;
const REFRESHING = 40;
const KILLS = 10;

/** An API with a token endpoint. A refresh token works once: a second use of one is `reused`. */
class Provider {
  readonly used = new Set<string>();
  reused = 0;
  refreshes = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      response.setHeader('content-type', 'application/json');
      if (request.url !== '/token') {
        response.end(JSON.stringify({ authorization: request.headers.authorization }));
        return;
      }
      const token = new URLSearchParams(body).get('refresh_token') ?? '';
      if (this.used.has(token)) this.reused += 1;
      this.used.add(token);
      this.refreshes += 1;
      const [, user = '', count = ''] = /^refresh-(\d+)-(\d+)$/.exec(token) ?? [];
      const next = `${user}-${Number(count) + 1}`;
      response.end(JSON.stringify({ access_token: `access-${next}`, refresh_token: `refresh-${next}`, expires_in: 1 }));
    });
  }

  async start(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get toolkit(): ToolkitDefinition {
    return {
      slug: 'acme',
      name: 'Acme',
      base_url: `http://${this.host}/api`,
      schemes: {
        API_KEY: { headers: { Authorization: 'Key {{api_key}}' } },
        OAUTH2: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            authorize_url: `http://${this.host}/authorize`,
            token_url: `http://${this.host}/token`,
          },
        },
      },
    };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The credential that the API sees in the call of a user. */
function calls(gateway: Gateway): (user: string) => Promise<string> {
  const composio = new Composio({ gateway });
  return async (user) => {
    const session = await composio.create(user);
    const call = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;
    return (await session.proxyExecute<{ authorization: string }>(call)).data.authorization;
  };
}

describe('a rotation of the encryption key', () => {
  const provider = new Provider();
  let folder: string;
  let store: string;

  before(async () => {
    await provider.start();
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-rotation-'));
    store = join(folder, 'gateway.db');
    writeFileSync(join(folder, 'keys.txt'), `${NEW}\n${OLD}\n`, { mode: 0o600 });
  });

  after(async () => {
    await provider.close();
    rmSync(folder, { recursive: true });
  });

  const open = (encryptionKey: string | string[]) =>
    Gateway.open({
      store,
      encryptionKey,
      toolkits: [provider.toolkit],
      allowPrivateHosts: [provider.host],
    });

  function start(command: string): ChildProcess {
    const keys = ['--store', store, '--encryption-key-file', join(folder, 'keys.txt')];
    return spawn(process.execPath, [COMMAND, 'store', command, '--json', ...keys], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** The result of a command that runs to its end. */
  async function done(command: string) {
    const child = start(command);
    const output = [child.stdout, child.stderr].map(async (stream) => (await stream?.toArray())?.join(''));
    const [code] = await once(child, 'exit');
    const [stdout = '', stderr = ''] = await Promise.all(output);
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout);
  }

  /** Imports the accounts with the old key. */
  async function fill(): Promise<void> {
    await using gateway = await open(OLD);
    const { authConfigs } = new Composio({ gateway });
    const config = await authConfigs.create('acme', {
      type: 'use_custom_auth',
      authScheme: 'OAUTH2',
      credentials: { client_id: 'the-client', client_secret: 'the-secret' },
    });
    for (let start = 0; start < LASTING; start += 50) {
      const users = Array.from({ length: 50 }, (_, index) => start + index);
      await Promise.all(
        users.map((user) =>
          gateway.connectedAccounts.import({
            userId: `lasting-${user}`,
            toolkit: 'acme',
            credential: { authScheme: 'API_KEY', val: { api_key: `key-${user}` } },
          }),
        ),
      );
    }
    for (let user = 0; user < REFRESHING; user++) {
      await gateway.connectedAccounts.import({
        userId: `refreshing-${user}`,
        toolkit: 'acme',
        authConfigId: config.id,
        credential: {
          authScheme: 'OAUTH2',
          val: { access_token: `access-${user}-0`, refresh_token: `refresh-${user}-0`, expires_in: 1 },
        },
      });
    }
  }

  it('can be killed at any point beside a gateway that refreshes, and loses nothing', async () => {
    await fill();
    const gateway = await open([NEW, OLD]);
    const authorization = calls(gateway);
    let isOver = false;
    const failures: string[] = [];
    const calling = (async () => {
      for (let turn = 0; !isOver; turn++) {
        const user = turn % REFRESHING;
        const seen = await authorization(`refreshing-${user}`).catch((error) => failures.push(String(error)));
        if (typeof seen === 'string' && !seen.startsWith(`Bearer access-${user}-`)) failures.push(seen);
      }
    })();

    // The time that the command needs before its work.
    const begun = performance.now();
    await done('check');
    const startup = performance.now() - begun;
    const left: number[] = [];
    for (let attempt = 0; attempt < KILLS; attempt++) {
      const child = start('rotate-key');
      const ended = once(child, 'exit');
      await Promise.race([sleep(startup * (0.6 + 0.6 * Math.random())), ended]);
      child.kill('SIGKILL');
      await ended;
      left.push((await done('check')).encryptionKeys[1].accounts);
    }
    const { unneededKeys, unopenable, encryptionKeys } = await done('rotate-key');
    isOver = true;
    await calling;
    assert.ok(
      left.some((accounts) => accounts > 0 && accounts < LASTING),
      `no rotation was killed halfway: ${left}`,
    );
    assert.deepEqual([unneededKeys.length, unopenable], [1, []]);
    assert.equal(encryptionKeys[0].accounts, LASTING + REFRESHING);
    assert.deepEqual(failures, []);
    await gateway.close();

    await using renewed = await open(NEW);
    const seenBy = calls(renewed);
    for (let start = 0; start < LASTING; start += 50) {
      const users = Array.from({ length: 50 }, (_, index) => start + index);
      assert.deepEqual(
        await Promise.all(users.map((user) => seenBy(`lasting-${user}`))),
        users.map((user) => `Key key-${user}`),
      );
    }
    for (let user = 0; user < REFRESHING; user++) {
      assert.match(await seenBy(`refreshing-${user}`), new RegExp(`^Bearer access-${user}-\\d+$`));
    }
    assert.ok(provider.refreshes > REFRESHING, `${provider.refreshes} refreshes`);
    assert.equal(provider.reused, 0, 'a refresh token was spent twice');
  });
});
