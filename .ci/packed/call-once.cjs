/** One call through the embedded gateway to a server on this machine. */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { createServer } = require('node:http');

exports.callOnce = async ({ Composio, Gateway }, how) => {
  const upstream = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ path: request.url, authorization: request.headers.authorization }));
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const host = `127.0.0.1:${upstream.address().port}`;

  const gateway = await Gateway.open({
    allowPrivateHosts: [host],
    toolkits: [
      {
        slug: 'local',
        name: 'Local',
        base_url: `http://${host}/api`,
        schemes: { BEARER_TOKEN: { headers: { Authorization: 'Bearer {{token}}' } } },
      },
    ],
  });
  await gateway.connectedAccounts.import({
    userId: 'user_1',
    toolkit: 'local',
    credential: { authScheme: 'BEARER_TOKEN', val: { token: 't0ken' } },
  });
  const session = await new Composio({ gateway }).create('user_1', { toolkits: ['local'] });
  const answer = await session.proxyExecute({ toolkit: 'local', endpoint: '/me', method: 'GET' });

  assert.equal(answer.status, 200);
  assert.deepEqual(answer.data, { path: '/api/me', authorization: 'Bearer t0ken' });
  await gateway.close();
  upstream.close();
  console.log(`${how}: one call, answered ${answer.status}`);
};
