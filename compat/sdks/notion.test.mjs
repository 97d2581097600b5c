/** `@notionhq/client` through `session.fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { APIErrorCode, Client, collectPaginatedAPI, LogLevel } from '@notionhq/client';
import { connected, DUMMY, refused } from './setting.mjs';
import { notion } from './stand-ins/notion.mjs';

describe('@notionhq/client', () => {
  const setting = connected(notion);
  const client = (fetch = setting.fetch, baseUrl = setting.url) =>
    new Client({ auth: DUMMY, baseUrl, fetch, logLevel: LogLevel.ERROR });

  it('creates a page', async () => {
    const title = [{ text: { content: 'Größe & more' } }];
    const page = await client().pages.create({ parent: { page_id: 'root' }, properties: { title: { title } } });
    assert.equal(page.id, 'page-4');
    assert.deepEqual(page.properties.title.title, title);
  });

  it('pages over cursors', async () => {
    const { dataSources } = client();
    const pages = await collectPaginatedAPI(dataSources.query, { data_source_id: 'd1', page_size: 2 });
    assert.deepEqual(
      pages.map(({ id }) => id),
      ['page-1', 'page-2', 'page-3'],
    );
    assert.equal(setting.standIn.check().length, 2);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().pages.retrieve({ page_id: 'page-9' }), {
      code: APIErrorCode.ObjectNotFound,
      status: 404,
    });
  });

  it('uploads a file', async () => {
    const data = new Blob([new Uint8Array(70_000)], { type: 'application/pdf' });
    const file = { filename: 'notes.pdf', data };
    const sent = await client().fileUploads.send({ file_upload_id: 'u1', file });
    assert.deepEqual([sent.status, sent.content_length], ['uploaded', 70_000]);
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).pages.retrieve({ page_id: 'page-1' }) });
});
