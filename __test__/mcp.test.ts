// The MCP server of a session, as the library names it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Composio, Gateway } from '../index.js';
import { BackendStub } from './backend-stub';

describe('session.mcp', () => {
  it('is the server of the gateway, with the key', async () => {
    await using gateway = await Gateway.open();
    const { key } = await gateway.apiKeys.create();
    const { url } = await gateway.listen();
    const session = await new Composio({ apiKey: key, baseURL: url }).create('ann');
    const { type, url: server, headers } = session.mcp;
    assert.deepEqual([type, server], ['http', `${url}/mcp/${session.sessionId}`]);
    assert.deepEqual(headers, { 'x-api-key': key });

    const message = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const response = await fetch(server, {
      method: 'POST',
      headers: { ...headers, accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify(message),
    });
    const { result } = (await response.json()) as { result: { tools: unknown[] } };
    assert.equal(result.tools.length, 4);
  });

  it('has no URL before the gateway listens, and no key in process', async () => {
    await using gateway = await Gateway.open();
    const composio = new Composio({ gateway });
    const { sessionId, mcp } = await composio.create('ann');
    assert.deepEqual(mcp, { type: 'http', url: '', headers: {} });
    const { url } = await gateway.listen();
    assert.deepEqual((await composio.use(sessionId)).mcp, {
      type: 'http',
      url: `${url}/mcp/${sessionId}`,
      headers: {},
    });
  });

  it('has no URL if the gateway serves no MCP', async () => {
    await using gateway = await Gateway.open({ mcp: false });
    await gateway.listen();
    assert.equal((await new Composio({ gateway }).create('ann')).mcp.url, '');
    // @ts-expect-error: the option is a boolean.
    await assert.rejects(Gateway.open({ mcp: 'no' }), /mcp/);
  });

  it('gives the key to no other origin', async (test) => {
    const stub = await BackendStub.start();
    test.after(() => stub.close());
    const session = await new Composio({ apiKey: 'ak_secret', baseURL: stub.url }).create('ann');
    assert.deepEqual(session.mcp, { type: 'http', url: 'http://mcp.test', headers: {} });
  });
});
