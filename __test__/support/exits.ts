/**
 * Programs that end by themselves, or keep running. The first argument names the program to run. Its output
 * shows when its work was done.
 */

import assert from 'node:assert/strict';
import { Composio, Gateway } from '../../index.js';
import { connect, openGateway } from './acme';
import { sendJson, Upstream } from './upstream';

async function withUpstream() {
  const upstream = await Upstream.start();
  const gateway = await openGateway(upstream.port);
  await connect(gateway, 'ann');
  return { upstream, gateway };
}

const CALL = { toolkit: 'acme', endpoint: '/me', method: 'GET' } as const;

const programs: Record<string, () => Promise<void>> = {
  /** An open gateway without a call of `close`. */
  async open() {
    await Gateway.open();
  },

  /** A client that has not been used. */
  async client() {
    new Composio({ apiKey: 'k', baseURL: 'http://127.0.0.1:1' });
  },

  /** Completed calls in process, with idle connections. */
  async calls() {
    const { upstream, gateway } = await withUpstream();
    const session = await new Composio({ gateway }).create('ann');
    for (let call = 0; call < 10; call++) assert.equal((await session.proxyExecute(CALL)).status, 200);
    await upstream.close();
  },

  /** Completed calls over HTTP; only the port is released. */
  async remoteCalls() {
    const { upstream, gateway } = await withUpstream();
    const { url: baseURL } = await gateway.listen();
    const { key: apiKey } = await gateway.apiKeys.create();
    const session = await new Composio({ apiKey, baseURL }).create('ann');
    for (let call = 0; call < 10; call++) assert.equal((await session.proxyExecute(CALL)).status, 200);
    await upstream.close();
    await gateway.close();
  },

  /** A call with a late response, and no other work. */
  async pending() {
    const { upstream, gateway } = await withUpstream();
    upstream.unref();
    upstream.on('/base/me', (response) => setTimeout(() => sendJson(response, 200, '{}'), 1_000).unref());
    const session = await new Composio({ gateway }).create('ann');
    session.proxyExecute(CALL).then(({ status }) => console.log(`answered ${status}`));
  },

  /** An open port. */
  async listening() {
    await (await Gateway.open()).listen();
  },

  /** A port that is closed after a while. */
  async closing() {
    const gateway = await Gateway.open();
    await gateway.listen();
    await gateway.listen();
    setTimeout(() => gateway.close(), 500);
  },

  /** A port with `unref()`. */
  async unref() {
    const gateway = await Gateway.open();
    assert.equal((await gateway.listen()).ref().unref().port > 0, true);
  },

  /** A port with `ref()` again, until the gateway is closed. */
  async ref() {
    const gateway = await Gateway.open();
    (await gateway.listen()).unref().ref();
    setTimeout(() => {
      console.log('still there');
      gateway.close();
    }, 500).unref();
  },

  /** An exit with calls in flight. */
  async exit() {
    const { upstream, gateway } = await withUpstream();
    upstream.on('/base/me', () => {});
    const session = await new Composio({ gateway }).create('ann');
    for (let call = 0; call < 50; call++) session.proxyExecute(CALL).catch(() => {});
    setTimeout(() => process.exit(9), 100);
  },
};

programs[process.argv[2] ?? '']?.().then(() => console.log('done'));
