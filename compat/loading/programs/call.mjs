/** Makes a call through a gateway in this process, and returns its outcome. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { Composio, Gateway } from 'proxy-execute';

export async function call() {
  const upstream = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const base_url = `http://127.0.0.1:${upstream.address().port}`;
  const gateway = await Gateway.open({
    allowPrivateHosts: ['127.0.0.1'],
    toolkits: [{ slug: 'open', name: 'Open', base_url, schemes: { NO_AUTH: {} } }],
  });
  try {
    await gateway.listen();
    const session = await new Composio({ gateway }).create('ann');
    const { status, data } = await session.proxyExecute(
      { toolkit: 'open', endpoint: '/', method: 'POST', binaryBody: Buffer.from('bytes') },
      { signal: new AbortController().signal },
    );
    return `${status} ${JSON.stringify(data)}`;
  } finally {
    await gateway.close();
    upstream.close();
    upstream.closeAllConnections();
  }
}
