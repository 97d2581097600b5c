/**
 * Four gateways with one PostgreSQL database, behind nginx: the promises of `docs/postgresql.md` and of draining in
 * `docs/operators.md`, on real processes that are killed, cut off and drained under load.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Composio, Gateway } from '../index.js';
import { AuthorizationServer } from './support/authorization-server';
import { until } from './support/expect';
import { type Answered, ask, Between, GatewayProcess, missingForFleet, Nginx, Postgres } from './support/fleet';
import { portToComeBackTo } from './support/ports';
import { builtProgram } from './support/program';
import { sendJson, Upstream } from './support/upstream';

const GATEWAYS = 4;
const CALLERS = 400;
const KILLS = 60;

/** In seconds. A load balancer on a loaded machine has this time to read `/ready`. */
const DRAIN_DELAY = 10;

/** The options of gateways whose database always responds in the end, and of those that wait little for it. */
const PATIENT = ['--statement-timeout=60'];
const IMPATIENT = ['--statement-timeout=3'];

/** The slowest response of a gateway that cannot reach its database, on a loaded machine, in milliseconds. */
const PATIENCE = 60_000;

const encryptionKey = '11'.repeat(32);

describe('four gateways behind nginx, with one database', { timeout: 580_000 }, () => {
  /** The reason why the tests do not run. */
  let missing: string | undefined;
  let folder: string;
  let postgres: Postgres;
  let between: Between;
  let provider: AuthorizationServer;
  let api: Upstream;
  let nginx: Nginx;
  const gateways: GatewayProcess[] = [];
  let key: string;
  let authConfigId: string;
  /** A session of each user. */
  const sessions = new Map<string, string>();

  const send = (path: string, body: object) => ask(`${nginx.origin}/api/v3.1${path}`, 'POST', key, body);

  /** Calls the API as `worker`, through nginx. */
  const call = (endpoint: string) =>
    send(`/tool_router/session/${sessions.get('worker')}/proxy_execute`, {
      toolkit_slug: 'stub',
      endpoint,
      method: 'GET',
    });

  /** Does something again and again, as several callers, until the returned function is called. */
  function load(callers: number, action: () => Promise<void>): () => Promise<void> {
    let ended = false;
    const caller = async () => {
      while (!ended) await action();
    };
    const running = Promise.all(Array.from({ length: callers }, caller));
    running.catch(() => {});
    return async () => {
      ended = true;
      await running;
    };
  }

  before(async () => {
    missing = missingForFleet();
    const program = builtProgram();
    missing ??= program === undefined ? 'There is no program: `cargo build -p proxy-execute-standalone`.' : undefined;
    const started = missing ?? (await Postgres.start());
    if (typeof started === 'string') {
      missing = started;
      assert.ok(!process.env.CI, missing);
      return;
    }
    postgres = started;
    folder = mkdtempSync(join(tmpdir(), 'proxy-execute-fleet-'));
    provider = await AuthorizationServer.start();
    api = await Upstream.start();
    api.on('/slow', (response) => setTimeout(() => sendJson(response, 200, '{}'), 300));

    const stub = {
      slug: 'stub',
      name: 'Stub',
      base_url: api.origin,
      schemes: { API_KEY: { headers: { 'x-api-key': '{{api_key}}' } } },
    };
    const allowPrivateHosts = [provider.host, new URL(api.origin).host];
    {
      const toolkits = [provider.toolkit, stub];
      const options = { store: postgres.url, migrate: true, encryptionKey, toolkits, allowPrivateHosts };
      await using gateway = await Gateway.open(options);
      const composio = new Composio({ gateway });
      const oidc = await composio.authConfigs.create('oidc', {
        type: 'use_custom_auth',
        authScheme: 'OAUTH2',
        credentials: provider.client,
      });
      await provider.set({ lifetime: 1 });
      await gateway.connectedAccounts.import({
        userId: 'expired',
        toolkit: 'oidc',
        authConfigId: oidc.id,
        credential: { authScheme: 'OAUTH2', val: { ...(await provider.grant('expired')) } },
      });
      await provider.set({ lifetime: 3_600 });
      await gateway.connectedAccounts.import({
        userId: 'worker',
        toolkit: 'stub',
        credential: { authScheme: 'API_KEY', val: { api_key: 'a-secret' } },
      });
      for (const user of ['expired', 'worker']) sessions.set(user, (await composio.create(user)).sessionId);
      const config = { type: 'use_custom_auth', authScheme: 'API_KEY', credentials: {} } as const;
      authConfigId = (await composio.authConfigs.create('stub', config)).id;
      ({ key } = await gateway.apiKeys.create({ name: 'fleet' }));
    }

    for (const toolkit of [provider.toolkit, stub]) {
      writeFileSync(join(folder, `${toolkit.slug}.toml`), toToml(toolkit));
    }
    between = await Between.start(postgres.url);
    const command = [
      program ?? '',
      'serve',
      '--json',
      `--store=${between.url}`,
      `--toolkit=${folder}`,
      `--files=${join(folder, 'files')}`,
      `--drain-delay=${DRAIN_DELAY}`,
      '--max-connections=8',
      ...allowPrivateHosts.map((host) => `--allow-private-host=${host}`),
    ];
    for (let index = 0; index < GATEWAYS; index++) {
      const env = { PROXY_EXECUTE_ENCRYPTION_KEY: encryptionKey, PROXY_EXECUTE_THREADS: '1' };
      const gateway = new GatewayProcess(await portToComeBackTo(), command, env);
      gateways.push(gateway);
      await gateway.start(...PATIENT);
    }
    nginx = await Nginx.start(join(folder, 'nginx'), gateways);
  });

  after(async () => {
    await Promise.all(gateways.map((gateway) => gateway.end('SIGKILL')));
    await nginx?.close();
    await between?.close();
    await postgres?.close();
    await provider?.close();
    await api?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  it(`make one token request for ${CALLERS} callers of an expired account`, async (t) => {
    if (missing) return t.skip(missing);
    // The access token has a lifetime of a second.
    await sleep(1_050);
    const body = { toolkit_slug: 'oidc', endpoint: '/me', method: 'GET' };
    const path = `/tool_router/session/${sessions.get('expired')}/proxy_execute`;
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: CALLERS }, () => send(path, body)));
    const elapsed = performance.now() - began;
    const failed = answers.find(({ status, text }) => status !== 200 || JSON.parse(text).status !== 200);
    assert.equal(failed, undefined, failed?.text);
    const served = count(answers.map(({ gateway }) => gateway));
    assert.equal(served.size, GATEWAYS);
    const { asked, users } = await provider.events();
    assert.equal(asked.refresh_token, 1);
    assert.deepEqual(users.expired, { granted: 1, reused: 0 });
    t.diagnostic(`${CALLERS} calls, 1 token request, ${elapsed.toFixed(0)} ms; by gateway: ${[...served.values()]}`);
  });

  it(`lose nothing acknowledged in ${KILLS} kills`, async (t) => {
    if (missing) return t.skip(missing);
    const written = { accounts: [] as string[], sessions: [] as string[] };
    const calls = new Map<string, { gateway: string; at: number }>();
    const killed: { gateway: string; at: number }[] = [];
    const refused = { count: 0 };
    let number = 0;
    const write = async () => {
      const user = `user-${++number}`;
      const state = { authScheme: 'API_KEY', val: { api_key: `secret-${number}` } };
      const connection = { user_id: user, state };
      const account = await send('/connected_accounts', { auth_config: { id: authConfigId }, connection });
      if (account.status === 201) written.accounts.push(JSON.parse(account.text).id);
      const session = await send('/tool_router/session', { user_id: user });
      if (session.status === 201) written.sessions.push(JSON.parse(session.text).session_id);
      const path = `/marked/${number}`;
      const called = await call(path);
      if (called.status === 200) calls.set(path, { gateway: called.gateway, at: performance.now() });
      const statuses = [account.status, session.status, called.status];
      const refusals = statuses.filter((status) => status >= 300 || status === 0).length;
      refused.count += refusals;
      // nginx has 502 for a gateway that is dead, and a gateway that starts has nothing else to refuse.
      assert.ok(
        statuses.every((status) => [200, 201, 502].includes(status)),
        `${statuses}: ${account.text} ${session.text} ${called.text}`,
      );
      // A gateway that starts needs the processor more.
      if (refusals > 0) await sleep(100);
    };
    const end = load(6, write);
    // Two gateways serve while the two others are killed and started.
    const killing = [0, 1].map(async (pair) => {
      for (let kill = 0; kill < KILLS / 2; kill++) {
        const gateway = gateways[pair + 2 * (kill % 2)] as GatewayProcess;
        // The moments of a kill differ from each other.
        await sleep(100 + ((kill * 37 + pair * 61) % 200));
        await gateway.end('SIGKILL');
        killed.push({ gateway: `127.0.0.1:${gateway.port}`, at: performance.now() });
        await gateway.start(...PATIENT);
      }
    });
    await Promise.all(killing);
    await end();

    assert.equal(killed.length, KILLS);
    assert.ok(written.accounts.length > KILLS / 2 && written.sessions.length > KILLS / 2, JSON.stringify(refused));
    const accounts = new Set(postgres.rows('SELECT id FROM connected_accounts'));
    const kept = new Set(postgres.rows('SELECT id FROM sessions'));
    assert.deepEqual(
      written.accounts.filter((id) => !accounts.has(id)),
      [],
    );
    assert.deepEqual(
      written.sessions.filter((id) => !kept.has(id)),
      [],
    );
    // They are also readable, with their credentials, at a gateway that did not write them.
    for (const id of [written.accounts[0], written.accounts.at(-1)]) {
      const { status, text } = await ask(`${gateways[0]?.origin}/api/v3.1/connected_accounts/${id}`, 'GET', key);
      assert.equal(status, 200, text);
      assert.equal(JSON.parse(text).status, 'ACTIVE');
    }

    // The record may lack the calls just before a kill of their gateway. A gateway that runs writes the others.
    const missingCalls = () => {
      const recorded = new Set(postgres.rows("SELECT path FROM calls WHERE path LIKE '/marked/%'"));
      return [...calls].filter(([path]) => !recorded.has(path));
    };
    const explained = ({ gateway, at }: { gateway: string; at: number }) =>
      killed.some((kill) => kill.gateway === gateway && kill.at > at);
    const unexplained = () => missingCalls().filter(([, call]) => !explained(call));
    await until('the calls after the last kill are recorded', () => unexplained().length === 0, PATIENCE);
    const lost = missingCalls().map(([, call]) => {
      const kills = killed.filter((kill) => kill.gateway === call.gateway && kill.at > call.at);
      return Math.min(...kills.map((kill) => kill.at)) - call.at;
    });
    t.diagnostic(
      `${KILLS} kills; kept: all of ${written.accounts.length} accounts and ${written.sessions.length} sessions; ` +
        `of ${calls.size} calls, the record lacks ${lost.length}, answered at most ` +
        `${Math.max(0, ...lost).toFixed(0)} ms before their gateway was dead; ${refused.count} requests got a 502`,
    );
  });

  it('respond within their deadline while the database restarts, stalls or is cut off', async (t) => {
    if (missing) return t.skip(missing);
    for (const gateway of gateways) {
      await gateway.end('SIGKILL');
      await gateway.start(...IMPATIENT);
    }
    const pids = gateways.map(({ pid }) => pid);
    const faults: [name: string, begin: () => unknown, end: () => unknown][] = [
      ['restarts', () => postgres.restart(), () => {}],
      ['stalls', () => between.stall(), () => between.resume()],
      ['is cut off', () => between.cut(), () => between.resume()],
    ];
    for (const [name, begin, finish] of faults) {
      const statuses: number[] = [];
      let longest = 0;
      const end = load(16, async () => {
        const began = performance.now();
        const { status, text } = await call('/under-load');
        longest = Math.max(longest, performance.now() - began);
        statuses.push(status);
        if (status === 503) assert.equal(JSON.parse(text).error.slug, 'StoreNotResponding', text);
        else assert.equal(status, 200, text);
      });
      await until('calls are answered', () => statuses.includes(200), PATIENCE);
      await begin();
      await sleep(5_000);
      await finish();
      const restored = performance.now();
      // Each gateway by itself, without a restart.
      const path = `/api/v3.1/tool_router/session/${sessions.get('worker')}/proxy_execute`;
      const body = { toolkit_slug: 'stub', endpoint: '/again', method: 'GET' };
      for (const { origin } of gateways) {
        await until(
          'it serves again',
          async () => (await ask(origin + path, 'POST', key, body)).status === 200,
          PATIENCE,
        );
      }
      const recovered = performance.now() - restored;
      await end();
      assert.ok(longest < PATIENCE, `${longest} ms`);
      const by = [...count(statuses)].map(([status, times]) => `${times} × ${status}`).join(', ');
      t.diagnostic(
        `the database ${name}: ${by}; the slowest took ${longest.toFixed(0)} ms; all gateways serve again after ` +
          `${recovered.toFixed(0)} ms`,
      );
    }
    assert.deepEqual(
      gateways.map(({ pid }) => pid),
      pids,
    );
  });

  it('lose no call when they are drained one by one', async (t) => {
    if (missing) return t.skip(missing);
    const answers: Answered[] = [];
    const end = load(12, async () => {
      answers.push(await call(answers.length % 3 === 0 ? '/slow' : '/fast'));
    });
    // A load balancer that reads /ready, as that of a cluster does.
    let isOver = false;
    let inUse = GATEWAYS;
    const balancing = (async () => {
      let used = gateways.map(() => true);
      while (!isOver) {
        const ready = await Promise.all(
          gateways.map(async ({ origin }) => (await ask(`${origin}/ready`, 'GET', '')).status === 200),
        );
        if (ready.some((isReady, index) => isReady !== used[index])) {
          await nginx.use(gateways.filter((_, index) => ready[index]));
          used = ready;
          inUse = used.filter(Boolean).length;
        }
        await sleep(100);
      }
    })();
    const durations: number[] = [];
    for (const gateway of gateways.slice(0, 2)) {
      const began = performance.now();
      const before = answers.length;
      assert.equal(await gateway.end('SIGTERM'), 0);
      durations.push(performance.now() - began);
      assert.ok(answers.length > before, 'the others serve');
      await gateway.start(...PATIENT);
      await until('it is in use again', () => inUse === GATEWAYS, PATIENCE);
    }
    isOver = true;
    await balancing;
    await end();
    const failed = answers.filter(({ status }) => status !== 200);
    assert.deepEqual(failed, []);
    t.diagnostic(
      `2 of ${GATEWAYS} gateways drained under load in ${durations.map((ms) => `${(ms / 1_000).toFixed(1)} s`)}: ` +
        `all of ${answers.length} calls are a 200`,
    );
  });
});

function count<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** A definition as TOML: inline tables below its top level. */
function toToml(definition: object): string {
  const write = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    return `{ ${Object.entries(value)
      .map(([name, inner]) => `${JSON.stringify(name)} = ${write(inner)}`)
      .join(', ')} }`;
  };
  return Object.entries(definition)
    .map(([name, value]) => `${name} = ${write(value)}\n`)
    .join('');
}
