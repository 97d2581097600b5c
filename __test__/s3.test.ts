/** Files in a bucket of an S3 server in its own process. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { Composio } from '../index.js';
import { connect, openGateway } from './support/acme';
import { until } from './support/expect';
import { portToComeBackTo } from './support/ports';

/** More than one part of an upload. */
const LARGE = Buffer.from(Uint8Array.from({ length: 12_000_003 }, (_, index) => (index * 31 + (index >> 8)) % 256));

it('files are stored in a bucket until they expire', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-execute-s3-'));
  const port = await portToComeBackTo();
  const s3rver = join(__dirname, '..', 'node_modules', 's3rver', 'bin', 's3rver.js');
  const options = ['-d', folder, '-a', '127.0.0.1', '-p', String(port), '--silent', '--configure-bucket', 'files'];
  const server = spawn(process.execPath, [s3rver, ...options], { stdio: 'ignore' });
  const api = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/pdf' }).end(request.url === '/base/large' ? LARGE : '%PDF');
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  const endpoint = `http://127.0.0.1:${port}`;
  await until('the bucket is served', () =>
    fetch(endpoint).then(
      () => true,
      () => false,
    ),
  );

  const s3 = { bucket: 'files', prefix: 'of/gateway', endpoint, accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
  const gateway = await openGateway((api.address() as AddressInfo).port, { files: { s3, expiresIn: 5_000 } });
  const objects = () =>
    readdirSync(folder, { recursive: true }).filter((path) => /-file_.*_object$/.test(String(path)));
  try {
    await connect(gateway, 'ann');
    const { url } = await gateway.listen();
    const session = await new Composio({ gateway }).create('ann');
    for (const [path, bytes] of [
      ['/small', Buffer.from('%PDF')],
      ['/large', LARGE],
    ] as const) {
      const { binaryData } = await session.proxyExecute({ toolkit: 'acme', endpoint: path, method: 'GET' });
      assert.ok(binaryData);
      assert.ok(binaryData.url.startsWith(url));
      assert.deepEqual(Buffer.from(await (await session.download(binaryData)).bytes()), bytes);
      const part = await fetch(binaryData.url, { headers: { range: 'bytes=1-2' } });
      assert.equal(part.status, 206);
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(1, 3));
    }
    assert.equal(objects().length, 2);
    await until('they have expired', () => objects().length === 0);
  } finally {
    await gateway.close();
    server.kill();
    api.closeAllConnections();
    api.close();
    rmSync(folder, { recursive: true });
  }
});
