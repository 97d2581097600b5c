/**
 * Accounts, auth configs, toolkits and sessions: one suite over every interface of a gateway. Over HTTPS
 * it runs beside the conformance suite.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  BadRequestError,
  Composio,
  ConnectionRequestFailedError,
  type Gateway,
  PermissionDeniedError,
  RateLimitError,
  ValidationError,
} from '../index.js';
import { BackendStub } from './backend-stub';
import { connect, openGateway } from './support/acme';
import { asDescribed } from './support/described';
import { rejection } from './support/expect';
import { resources } from './support/resources';
import { Upstream } from './support/upstream';
import { inProcess, overHttp } from './support/ways';

const CALL = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;

resources('resources, in process', inProcess);
resources('resources, over HTTP', overHttp());
resources('resources, over HTTP, each response as /openapi.json describes it', asDescribed);
resources('resources, over HTTP, by /api/v3', overHttp({ apiVersion: 'v3' }));

describe('a gateway', () => {
  let upstream: Upstream;
  let gateway: Gateway;

  before(async () => {
    upstream = await Upstream.start();
    gateway = await openGateway(upstream.port, { publicUrl: 'https://gateway.example' });
  });

  after(async () => {
    await gateway.close();
    await upstream.close();
  });

  it('keeps a record of its calls, the newest first', async () => {
    const id = await connect(gateway, 'ann');
    const session = await new Composio({ gateway }).create('ann');
    await session.proxyExecute({ ...CALL, endpoint: '/one?secret=1' });
    await session.proxyExecute({ ...CALL, endpoint: '/two' });
    const [two, one] = await gateway.calls.list({ limit: 2 });
    assert.deepEqual([two?.path, one?.path], ['/base/two', '/base/one']);
    assert.deepEqual(
      [one?.userId, one?.sessionId, one?.toolkit, one?.connectedAccountId, one?.host, one?.outcome, one?.status],
      ['ann', session.sessionId, 'acme', id, '127.0.0.1', 'answered', 200],
    );
    assert.equal((await gateway.calls.list({ limit: 1 })).length, 1);
    assert.deepEqual(
      (await gateway.calls.list({ before: two?.id, limit: 1 })).map(({ path }) => path),
      ['/base/one'],
    );
    const since = new Date(two?.at ?? '');
    assert.match(two?.requestId ?? '', /^req_\w+$/);
    const filters = [
      { requestId: two?.requestId ?? '' },
      { userId: 'ann' },
      { sessionId: session.sessionId },
      { toolkit: 'acme' },
      { connectedAccountId: id },
    ];
    for (const filter of [...filters, { outcome: 'answered' }, { since }, { since: since.toISOString() }]) {
      assert.equal((await gateway.calls.list({ ...filter, limit: 1 }))[0]?.id, two?.id, JSON.stringify(filter));
    }
    assert.deepEqual(await gateway.calls.list({ until: new Date(0) }), []);
    const error = await rejection(
      () => session.proxyExecute({ ...CALL, endpoint: 'https://elsewhere.example/' }),
      BadRequestError,
    );
    const [failed, ...others] = await gateway.calls.list({ requestId: error.requestId });
    assert.deepEqual([failed?.outcome, failed?.requestId, others], ['OriginMismatch', error.requestId, []]);
    for (const bad of [
      { limit: 0 },
      { before: -1 },
      { since: 'soon' },
      { until: 5 },
      { userId: '' },
      { user: 'ann' },
    ]) {
      await rejection(() => gateway.calls.list(bad as object), ValidationError);
    }
  });

  it('creates links to its public URL', async () => {
    const composio = new Composio({ gateway });
    const { id } = await composio.authConfigs.create('acme', { type: 'use_custom_auth', authScheme: 'API_KEY' });
    const { redirectUrl } = await gateway.connectedAccounts.link('bob', id);
    assert.match(`${redirectUrl}`, /^https:\/\/gateway\.example\/connect\/lt_/);
  });

  it('accepts keys by area, until they expire, from allowed addresses', async () => {
    const { url: baseURL } = await gateway.listen();
    const client = (apiKey: string) => new Composio({ apiKey, baseURL, maxRetries: 0 });
    const reader = await gateway.apiKeys.create({ permissions: { connected_accounts: 'read' } });
    await client(reader.key).connectedAccounts.list();
    await rejection(() => client(reader.key).connectedAccounts.delete('ca_1'), PermissionDeniedError, {
      names: /connected_accounts: write/,
    });
    const expiresAt = new Date(Date.now() + 60_000);
    const own = await gateway.apiKeys.create({ expiresAt, allowedAddresses: ['127.0.0.0/8'] });
    assert.deepEqual([own.expiresAt, own.allowedAddresses], [expiresAt.toISOString(), ['127.0.0.0/8']]);
    await client(own.key).toolkits.get('acme');
    const elsewhere = await gateway.apiKeys.create({ allowedAddresses: ['10.0.0.0/8'] });
    await rejection(() => client(elsewhere.key).toolkits.list(), PermissionDeniedError, { names: /this address/ });
    for (const wrong of ['tomorrow', '2030-01-31', new Date(Number.NaN), 5]) {
      await rejection(() => gateway.apiKeys.create({ expiresAt: wrong as never }), ValidationError);
    }
    await rejection(() => gateway.apiKeys.create({ allowedAddresses: ['here'] }), BadRequestError);
  });

  it('limits the requests of a key if an option says so', async () => {
    const { url: baseURL } = await gateway.listen({ requestsPerMinute: 2 });
    const { key: apiKey } = await gateway.apiKeys.create();
    const { toolkits } = new Composio({ apiKey, baseURL, maxRetries: 0 });
    await toolkits.get('acme');
    await toolkits.get('acme');
    const error = await rejection(() => toolkits.get('acme'), RateLimitError, { names: /2 requests/ });
    assert.ok((error.retryAfter ?? 0) > 0);
    await rejection(() => gateway.listen({ requestsPerMinute: 0 }), ValidationError);
  });
});

describe('a backend whose responses have only the members that the Composio SDK needs', () => {
  let backend: BackendStub;
  let composio: Composio;

  before(async () => {
    backend = await BackendStub.start();
    composio = new Composio({ apiKey: 'ak_test', baseURL: backend.url, maxRetries: 0 });
  });

  after(() => backend.close());

  it('has accounts whose missing members are empty', async () => {
    backend.bodies['/connected_accounts/ca_1'] = { id: 'ca_1', status: 'ACTIVE', auth_config: {} };
    const account = await composio.connectedAccounts.waitForConnection('ca_1');
    assert.deepEqual(account, {
      id: 'ca_1',
      userId: '',
      toolkit: { slug: '' },
      authConfig: { id: '', authScheme: '', isComposioManaged: false, isDisabled: false },
      status: 'ACTIVE',
      statusReason: null,
      isDisabled: false,
      isDefault: false,
      alias: null,
      wordId: null,
      state: undefined,
      createdAt: '',
      updatedAt: '',
    });
    assert.deepEqual(await composio.connectedAccounts.get('ca_1'), account);
  });

  it('has accounts that failed without a reason', async () => {
    backend.bodies['/connected_accounts/ca_2'] = { id: 'ca_2', status: 'FAILED', auth_config: {} };
    const wait = () => composio.connectedAccounts.waitForConnection('ca_2');
    const { meta } = await rejection(wait, ConnectionRequestFailedError, { names: /^Account ca_2 is FAILED\. / });
    assert.deepEqual(meta, { connectedAccountId: 'ca_2', status: 'FAILED', statusReason: null });
  });

  it('has toolkits of a session without an account', async () => {
    backend.bodies['/toolkits'] = { items: [{ slug: 'acme', name: 'Acme' }] };
    const { items } = await (await composio.create('ann')).toolkits();
    assert.deepEqual(items[0]?.connection, { isActive: false, authConfig: null });
  });
});
