import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Composio, ComposioError, type Gateway } from 'proxy-execute';
import { type DemoApi, startDemoApi } from '../src/demo-api.ts';
import { linkConfig, openGateway, storeToken } from '../src/gateway.ts';

describe('the gateway', () => {
  let demo: DemoApi;
  let gateway: Gateway;
  let composio: Composio;

  before(async () => {
    demo = await startDemoApi();
    // Without `store`, it is in memory.
    gateway = await openGateway(demo);
    composio = new Composio({ gateway });
  });

  after(async () => {
    await gateway.close();
    demo.close();
  });

  const call = async (userId: string) => {
    const session = await composio.create(userId, { toolkits: ['demo'] });
    return session.proxyExecute({ toolkit: 'demo', endpoint: '/user', method: 'GET' });
  };

  it('calls as the user', async () => {
    await storeToken(gateway, 'ann', 'demo', 'token-of-ann');
    const { status, data } = await call('ann');
    assert.equal(status, 200);
    assert.deepEqual(data, { login: 'ann-arbor', name: 'Ann Arbor' });
  });

  it('uses the latest token of a user', async () => {
    await storeToken(gateway, 'eve', 'demo', 'a-wrong-token');
    // A response of the API is never an error, whatever its status.
    assert.equal((await call('eve')).status, 401);
    await storeToken(gateway, 'eve', 'demo', 'token-of-ben');
    assert.equal((await call('eve')).status, 200);
  });

  it('refuses a user without an account', async () => {
    await assert.rejects(call('nora'), (error) => error instanceof ComposioError && error.status === 400);
  });

  it('has a page on which a user connects an account', async () => {
    const authConfigs = { demo: await linkConfig(composio, 'demo') };
    const session = await composio.create('ben', { toolkits: ['demo'], authConfigs });
    const { redirectUrl } = await session.authorize('demo');
    const page = await fetch(`${redirectUrl}`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /the demo API/);
  });
});
