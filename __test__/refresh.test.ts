/**
 * Refreshing across processes, against a real authorization server. It rotates refresh tokens, and revokes the
 * whole grant if a token is spent twice. Some tests kill a process during a refresh.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Composio, Gateway, type GatewayOptions, type ToolkitDefinition } from '../index.js';
import { AuthorizationServer } from './support/authorization-server';
import { until } from './support/expect';
import type { Outcome, Program } from './support/refreshing';
import { sendJson, Upstream } from './support/upstream';

let folder: string;
let stores = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxy-execute-refresh-'));
});

after(() => rmSync(folder, { recursive: true }));

/** The options of gateways that share a new store. */
function inNewStore(toolkit: ToolkitDefinition, host: string): GatewayOptions {
  return {
    store: join(folder, `${++stores}.db`),
    encryptionKey: '11'.repeat(32),
    toolkits: [toolkit],
    allowPrivateHosts: [host],
  };
}

/** A toolkit whose token endpoint and API are the upstream, which responds as a test sets it. */
function slowToolkit({ origin }: Upstream): ToolkitDefinition {
  return {
    slug: 'slow',
    name: 'Slow',
    base_url: `${origin}/api`,
    schemes: {
      OAUTH2: {
        headers: { Authorization: 'Bearer {{access_token}}' },
        authorization_server: { token_url: `${origin}/token` },
      },
    },
  };
}

/** Imports tokens for users, and closes the store. */
async function importAll(options: GatewayOptions, toolkit: string, vals: Map<string, object>): Promise<void> {
  await using gateway = await Gateway.open(options);
  const credentials = { client_id: 'acme', client_secret: 'acme-secret' };
  const config = { type: 'use_custom_auth', authScheme: 'OAUTH2', credentials } as const;
  const { id: authConfigId } = await new Composio({ gateway }).authConfigs.create(toolkit, config);
  for (const [userId, val] of vals) {
    await gateway.connectedAccounts.import({
      userId,
      toolkit,
      authConfigId,
      credential: { authScheme: 'OAUTH2', val: { ...val } },
    });
  }
}

/** A gateway in another process. */
class Other {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(program: Program) {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const file = join(__dirname, 'support', 'refreshing.ts');
    this.#child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(program)], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines: Interface = createInterface(this.#child.stdout as NodeJS.ReadableStream);
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async ready(): Promise<this> {
    assert.equal((await this.#lines.next()).value, 'ready');
    return this;
  }

  go(): void {
    this.#child.stdin?.write('go\n');
  }

  async outcomes(): Promise<Outcome[]> {
    return JSON.parse((await this.#lines.next()).value);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

describe('several processes with one store', () => {
  let server: AuthorizationServer;

  before(async () => {
    server = await AuthorizationServer.start();
  });

  after(() => server.close());

  /** Users whose access tokens have expired; the next ones are valid for an hour. */
  async function deadTokens(options: GatewayOptions, users: string[]): Promise<void> {
    await server.set({ lifetime: 1 });
    const vals = new Map<string, object>();
    for (const user of users) vals.set(user, await server.grant(user));
    await importAll(options, 'oidc', vals);
    await sleep(1_050);
    await server.set({ lifetime: 3_600 });
  }

  it('spend a refresh token once, with 100 calls in each of three', async () => {
    const options = inNewStore(server.toolkit, server.host);
    await deadTokens(options, ['three']);
    const program = { options, user: 'three', toolkit: 'oidc', endpoint: '/me', calls: 100 };
    const others = await Promise.all([1, 2, 3].map(() => new Other(program).ready()));
    for (const other of others) other.go();
    for (const other of others) {
      for (const outcome of await other.outcomes()) {
        assert.deepEqual(outcome, {
          status: 200,
          data: { user: 'three', scope: 'openid offline_access profile read', path: '/api/me' },
        });
      }
    }
    const { asked, users } = await server.events();
    assert.deepEqual(users.three, { granted: 1, reused: 0 });
    assert.equal(asked.refresh_token, 1);
  });

  it('lose no account when one is killed, except in one window, with a reason', { timeout: 300_000 }, async (t) => {
    const steps = ['any', 'asked', 'rotated', 'answered', 'used'] as const;
    const all = new Map(steps.map((step) => [step, Array.from({ length: 10 }, (_, index) => `${step}-${index}`)]));
    const options = inNewStore(server.toolkit, server.host);
    await deadTokens(options, [...all.values()].flat());

    for (const [step, users] of all) {
      const endpoint = step === 'used' ? '/hold' : '/me';
      const start = (user: string) => new Other({ options, user, toolkit: 'oidc', endpoint, calls: 1 }).ready();
      const others = await Promise.all(users.map(start));
      if (step === 'asked') await server.set({ hold: 'before' });
      if (step === 'rotated') await server.set({ hold: 'after' });
      const before = await server.events();
      if (step === 'any' || step === 'answered') {
        // One after the other, each a little later than the one before.
        for (const [index, other] of others.entries()) {
          const { granted } = await server.events();
          other.go();
          if (step === 'answered') await until('granted', async () => (await server.events()).granted > granted);
          await sleep(step === 'any' ? index * 4 : index);
          await other.kill();
        }
      } else {
        for (const other of others) other.go();
        const arrived = async () => {
          const { held, waiting } = await server.events();
          return held + waiting === 10;
        };
        await until(`10 are at ${step}`, arrived, 60_000);
        await Promise.all(others.map((other) => other.kill()));
        await until('no request is held', async () => (await server.events()).held === 0);
        await server.set({ hold: null });
      }
      const { granted } = await server.events();
      if (step === 'asked') assert.equal(granted, before.granted, 'what was not done is not done later');
    }

    // The next process. It waits until the leases of the killed process have expired.
    const killed = (await server.events()).users;
    await using gateway = await Gateway.open(options);
    const composio = new Composio({ gateway });
    let lost = 0;
    const callAgain = async (step: string, user: string) => {
      const session = await composio.create(user);
      const call = () => session.proxyExecute({ toolkit: 'oidc', endpoint: '/me', method: 'GET' });
      const outcome = await call().then(
        ({ status }) => status,
        (error: Error) => error,
      );
      const [account] = (await composio.connectedAccounts.list({ userIds: [user] })).items;
      const { granted: grantedBefore = 0 } = killed[user] ?? {};
      if (outcome === 200) {
        assert.equal(account?.status, 'ACTIVE');
        assert.notEqual(step, 'rotated', 'the provider had rotated the token, but its response was lost');
        return;
      }
      lost++;
      assert.ok(step !== 'asked' && step !== 'used', `${user}: ${outcome}`);
      assert.equal(grantedBefore, 1, `${user}: nothing was rotated, so nothing can be lost`);
      assert.equal(account?.status, 'EXPIRED', `${user}: ${outcome}`);
      assert.match(account?.statusReason ?? '', /An earlier refresh was cut off.*authorize again/);
      // The refresh is tried once, and not in a loop.
      await assert.rejects(call, /EXPIRED/);
      assert.equal((await server.events()).users[user]?.reused, 1);
    };
    await Promise.all([...all].flatMap(([step, users]) => users.map((user) => callAgain(step, user))));
    await gateway.close();
    const { reused, users } = await server.events();
    assert.equal(reused, lost, 'reuse detection saw the accounts that were lost, each once, and no other');
    for (const user of all.get('used') ?? []) assert.deepEqual(users[user], { granted: 1, reused: 0 });
    t.diagnostic(`${lost} of 50 were killed in the window, 10 of them on purpose`);
  });

  it('have a window of milliseconds', async (t) => {
    const options = inNewStore(server.toolkit, server.host);
    const { windows } = await server.events();
    await importAll(options, 'oidc', new Map([['window', await server.grant('window')]]));
    await using gateway = await Gateway.open(options);
    const composio = new Composio({ gateway });
    const session = await composio.create('window');
    const [account] = (await composio.connectedAccounts.list({ userIds: ['window'] })).items;
    for (let refresh = 0; refresh < 50; refresh++) {
      await composio.connectedAccounts.refresh(account?.id ?? '');
      await session.proxyExecute({ toolkit: 'oidc', endpoint: '/me', method: 'GET' });
    }
    await gateway.close();
    const measured = (await server.events()).windows.slice(windows.length).sort((a, b) => a - b);
    assert.equal(measured.length, 50);
    const [median = 0, worst = 0] = [measured[25], measured[49]];
    t.diagnostic(`rotation to first use: median ${median.toFixed(1)} ms, worst of 50 ${worst.toFixed(1)} ms`);
    assert.ok(median < 1_000);
  });

  it('revoke tokens at the provider', async () => {
    const options = inNewStore(server.toolkit, server.host);
    const tokens = await server.grant('done');
    await importAll(options, 'oidc', new Map([['done', tokens]]));
    await using gateway = await Gateway.open(options);
    const { connectedAccounts } = new Composio({ gateway });
    const [account] = (await connectedAccounts.list({ userIds: ['done'] })).items;
    const { status, revokedTokens, notRevoked } = await connectedAccounts.revoke(account?.id ?? '');
    assert.deepEqual(
      { status, revokedTokens, notRevoked },
      { status: 'REVOKED', revokedTokens: ['refresh_token', 'access_token'], notRevoked: [] },
    );
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    assert.equal((await fetch(`${server.origin}/api/me`, { headers })).status, 401);
  });

  it('detect a grant that the user revoked', async () => {
    const options = inNewStore(server.toolkit, server.host);
    const tokens = await server.grant('gone');
    await importAll(options, 'oidc', new Map([['gone', { ...tokens, access_token: 'unknown' }]]));
    await server.revoke(tokens.refresh_token);
    await using gateway = await Gateway.open(options);
    const composio = new Composio({ gateway });
    const session = await composio.create('gone');
    const answer = await session.proxyExecute({ toolkit: 'oidc', endpoint: '/me', method: 'GET' });
    assert.deepEqual([answer.status, answer.data], [401, { error: 'invalid_token' }]);
    const [account] = (await composio.connectedAccounts.list({ userIds: ['gone'] })).items;
    assert.equal(account?.status, 'EXPIRED');
    assert.match(account?.statusReason ?? '', /invalid_grant/);
  });
});

describe('a process that resumes after its lease has expired', () => {
  it('changes nothing', { timeout: 120_000 }, async () => {
    const upstream = await Upstream.start();
    let held: ServerResponse | undefined;
    let asked = 0;
    const answer = (response: ServerResponse, number: number) => {
      const tokens = { access_token: `access-${number}`, refresh_token: `refresh-${number}`, expires_in: 3_600 };
      sendJson(response, 200, JSON.stringify(tokens));
    };
    upstream.on('/token', (response) => {
      if (++asked === 1) held = response;
      else answer(response, asked);
    });
    const options = inNewStore(slowToolkit(upstream), `127.0.0.1:${upstream.port}`);
    const val = { access_token: 'access-0', refresh_token: 'refresh-0', expires_in: 1 };
    await importAll(options, 'slow', new Map([['ann', val]]));
    await sleep(1_050);

    const late = await new Other({ options, user: 'ann', toolkit: 'slow', endpoint: '/me', calls: 1 }).ready();
    late.go();
    await until('it has asked', () => held !== undefined);
    late.signal('SIGSTOP');

    await using gateway = await Gateway.open(options);
    const composio = new Composio({ gateway });
    const session = await composio.create('ann');
    const token = async () => {
      const { data } = await session.proxyExecute<{ headers: Record<string, string> }>({
        toolkit: 'slow',
        endpoint: '/me',
        method: 'GET',
      });
      return data.headers.authorization;
    };
    assert.equal(await token(), 'Bearer access-2', 'once the lease has run out, another takes it');
    answer(held as ServerResponse, 1);
    late.signal('SIGCONT');
    const [outcome] = await late.outcomes();
    assert.match(JSON.stringify(outcome), /Bearer access-2/);
    assert.equal(await token(), 'Bearer access-2');
    const [account] = (await composio.connectedAccounts.list({ userIds: ['ann'] })).items;
    await composio.connectedAccounts.refresh(account?.id ?? '');
    assert.equal(await token(), 'Bearer access-3');
    assert.match(
      upstream.received.filter(({ url }) => url === '/token').at(-1)?.body ?? '',
      /refresh_token=refresh-2&/,
    );
    await late.kill();
    await upstream.close();
  });
});

describe('a gateway that is open when no work is left', () => {
  for (const where of ['process', 'worker']) {
    it(`is closed before its ${where} ends`, { timeout: 60_000 }, async (t) => {
      const upstream = await Upstream.start();
      t.after(() => upstream.close());
      let token: ServerResponse | undefined;
      let begun: ServerResponse | undefined;
      const whenBoth = () => token && begun?.end();
      upstream.on('/token', (response) => {
        token = response;
        whenBoth();
      });
      upstream.on('/begun', (response) => {
        begun = response;
        whenBoth();
      });
      const options = inNewStore(slowToolkit(upstream), `127.0.0.1:${upstream.port}`);
      const val = { access_token: 'access-1', refresh_token: 'refresh-1' };
      await importAll(options, 'slow', new Map(Object.entries({ ann: val, bob: val })));

      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      for (const user of ['ann', 'bob']) {
        const program = JSON.stringify({ options, user, toolkit: 'slow', endpoint: '/me' });
        const args = [program, where, user === 'bob' ? `${upstream.origin}/begun` : ''];
        const child = spawn(process.execPath, ['--expose-gc', join(__dirname, 'support', 'ending.mjs'), ...args], {
          env,
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        t.after(() => child.kill('SIGKILL'));
        const ended = once(child, 'close');
        const [said] = await once(child.stdout.setEncoding('utf8'), 'data');
        assert.equal(said, 'nothing left to do\n');
        if (user === 'bob') {
          // By then it would have ended if nothing kept it alive.
          await sleep(300);
          const tokens = { access_token: 'access-2', refresh_token: 'refresh-2' };
          sendJson(token as ServerResponse, 200, JSON.stringify(tokens));
        }
        assert.deepEqual(await ended, [0, null]);
      }

      await using gateway = await Gateway.open(options);
      // The call was made less than 100 ms before the end.
      assert.deepEqual(
        (await gateway.calls.list()).map(({ userId }) => userId),
        ['ann'],
      );
      const session = await new Composio({ gateway }).create('bob');
      const call = { toolkit: 'slow', endpoint: '/me', method: 'GET' } as const;
      const { data } = await session.proxyExecute<{ headers: Record<string, string> }>(call);
      assert.equal(data.headers.authorization, 'Bearer access-2', 'the store has the tokens of the provider');
    });
  }
});
