/** `@googleapis/drive`, and so gaxios, through `session.fetch`. */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { drive } from '@googleapis/drive';
import { connected, refused } from './setting.mjs';
import { drive as api, content } from './stand-ins/drive.mjs';

describe('@googleapis/drive', () => {
  const setting = connected(api);
  const client = (fetch = setting.fetch, rootUrl = setting.url) =>
    drive({ version: 'v3', rootUrl, fetchImplementation: fetch });

  it('pages over files', async () => {
    const names = [];
    let pageToken;
    do {
      const { data } = await client().files.list({ pageSize: 2, pageToken, q: "name contains 'ü'" });
      names.push(...data.files.map(({ name }) => name));
      pageToken = data.nextPageToken;
    } while (pageToken);
    assert.deepEqual(names, ['plan.md', 'notes.pdf', 'photo.jpg']);
  });

  it('uploads a file with its metadata, as a stream', async () => {
    const body = Readable.from([Buffer.from('one, '), Buffer.from('two')]);
    const media = { mimeType: 'text/plain', body };
    // Uploads have a host of their own in the SDK, which each call may set.
    const here = { rootUrl: setting.url };
    const { status, data } = await client().files.create({ requestBody: { name: 'list.txt' }, media }, here);
    assert.deepEqual([status, data.name, data.mimeType, data.size], [200, 'list.txt', 'text/plain', '8']);
  });

  for (const responseType of ['arraybuffer', 'stream']) {
    it(`downloads a file as ${responseType}`, async () => {
      const { data } = await client().files.get({ fileId: '2', alt: 'media' }, { responseType });
      assert.deepEqual(Buffer.from(await new Response(data).arrayBuffer()), content);
    });
  }

  it("throws the API's error", async () => {
    await assert.rejects(client().files.get({ fileId: '404' }), { status: 404, message: 'File not found: 404.' });
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).files.get({ fileId: '1' }) });
});
