/** The MCP SDK for TypeScript, unchanged, against the MCP server of a session. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Composio } from '../../index.mjs';
import { startGateway } from '../typescript/gateway.mjs';

let gateway;
let session;

before(async () => {
  gateway = await startGateway();
  session = await new Composio({ apiKey: gateway.apiKey, baseURL: gateway.baseURL }).create('ann');
});

after(() => gateway.stop());

/** A client of the session, which is connected. */
async function connect(headers = session.mcp.headers) {
  const client = new Client({ name: 'compat', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(session.mcp.url), { requestInit: { headers } }));
  return client;
}

const textOf = ({ content: [{ text }] }) => text;

describe('the MCP SDK for TypeScript', () => {
  it('finds the server and its tools', async () => {
    const client = await connect();
    assert.equal(client.getServerVersion().name, 'proxy-execute');
    assert.match(client.getInstructions(), /list_toolkits/);
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['list_toolkits', 'describe_toolkit', 'proxy_execute', 'connect'],
    );
    await client.close();
  });

  it('calls an API as the user', async () => {
    const client = await connect();
    const called = await client.callTool({
      name: 'proxy_execute',
      arguments: { toolkit: 'github', method: 'POST', endpoint: '/issues', query: { page: 2 }, body: { title: 'Bug' } },
    });
    assert.equal(called.isError, false);
    const { status, data } = JSON.parse(textOf(called));
    assert.deepEqual([status, data.authorization, data.body], [200, 'Bearer token-of-ann', { title: 'Bug' }]);
    assert.deepEqual(data.query, [['page', '2']]);
    const failed = await client.callTool({
      name: 'proxy_execute',
      arguments: { toolkit: 'github', method: 'GET', endpoint: '/status/404' },
    });
    assert.deepEqual([failed.isError, JSON.parse(textOf(failed)).status], [false, 404]);
    await client.close();
  });

  it('lists, describes and connects toolkits', async () => {
    const client = await connect({ authorization: `Bearer ${gateway.apiKey}` });
    const listed = JSON.parse(textOf(await client.callTool({ name: 'list_toolkits', arguments: { connected: true } })));
    assert.deepEqual(
      listed.toolkits.map(({ toolkit }) => toolkit),
      ['github', 'slackbot'],
    );
    const described = await client.callTool({ name: 'describe_toolkit', arguments: { toolkit: 'github' } });
    assert.equal(JSON.parse(textOf(described)).base_url, gateway.upstreamURL);
    const { link } = JSON.parse(textOf(await client.callTool({ name: 'connect', arguments: { toolkit: 'acme' } })));
    assert.match(link, /\/connect\/lt_/);
    await client.close();
  });

  it('shows the errors of the gateway', async () => {
    const client = await connect();
    const { isError, content } = await client.callTool({
      name: 'proxy_execute',
      arguments: { toolkit: 'acme', method: 'GET', endpoint: '/x' },
    });
    assert.equal(isError, true);
    assert.match(content[0].text, /no active connected account of toolkit `acme`.*The tool `connect`/s);
    await client.close();
    await assert.rejects(connect({ 'x-api-key': 'ak_none' }), /Invalid API key/);
  });
});
