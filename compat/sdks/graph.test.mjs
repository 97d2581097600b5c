/** `@microsoft/microsoft-graph-client` through `session.fetch`, which is its only middleware. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, GraphError, PageIterator } from '@microsoft/microsoft-graph-client';
import { connected, fromItsAddress, refused } from './setting.mjs';
import { graph } from './stand-ins/graph.mjs';

describe('@microsoft/microsoft-graph-client', () => {
  const setting = connected(graph);
  // The SDK cannot page without https.
  function client(fetch = setting.fetch, url = setting.url) {
    const middleware = {
      async execute(context) {
        context.response = await fromItsAddress(graph, fetch, url)(context.request, context.options);
      },
    };
    return Client.initWithMiddleware({ middleware });
  }

  it('sends a mail', async () => {
    const toRecipients = [{ emailAddress: { address: 'bea@example.com' } }];
    const message = { subject: 'Größe', body: { contentType: 'Text', content: 'x' }, toRecipients };
    await client().api('/me/sendMail').post({ message });
    assert.deepEqual(setting.standIn.check(), ['POST /v1.0/me/sendMail']);
  });

  it('pages over mails', async () => {
    const subjects = [];
    const graphClient = client();
    const page = await graphClient.api('/me/messages').select('subject').top(2).get();
    await new PageIterator(graphClient, page, ({ subject }) => subjects.push(subject) > 0).iterate();
    assert.deepEqual(subjects, ['Plan', 'Notes', 'Budget']);
    assert.equal(setting.standIn.check().length, 2);
  });

  it('uploads a file', async () => {
    const item = await client()
      .api('/me/drive/root:/notes.bin:/content')
      .header('Content-Type', 'application/octet-stream')
      .put(Buffer.from([0, 0xff, 0x80]));
    assert.deepEqual([item.name, item.size], ['notes.bin', 3]);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().api('/me/messages/9').get(), (error) => {
      assert.ok(error instanceof GraphError);
      assert.deepEqual([error.statusCode, error.code], [404, 'ErrorItemNotFound']);
      return true;
    });
  });

  refused(setting, {
    use: (fetch, url) => client(fetch, url).api('/me/messages').top(1).get(),
    status: (error) => error.statusCode,
  });
});
