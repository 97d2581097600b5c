/** `@sendgrid/client` through the relay: it takes no `fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client } from '@sendgrid/client';
import { refusedByRelay, relayed } from './setting.mjs';
import { sendgrid } from './stand-ins/sendgrid.mjs';

describe('@sendgrid/client', () => {
  const setting = relayed(sendgrid);
  function client(baseUrl = setting.relay, key = setting.key) {
    const client = new Client();
    // `setApiKey` warns of a key that does not begin with "SG.".
    client.setDefaultHeader('Authorization', `Bearer ${key}`);
    client.setDefaultRequest('baseUrl', baseUrl);
    return client;
  }
  const mail = {
    personalizations: [{ to: [{ email: 'bea@example.com' }] }],
    from: { email: 'ann@example.com' },
    subject: 'Größe',
    content: [{ type: 'text/plain', value: 'x' }],
  };

  it('sends a mail', async () => {
    const [response] = await client().request({ method: 'POST', url: '/v3/mail/send', body: mail });
    assert.deepEqual([response.statusCode, response.headers['x-message-id']], [202, 'm-1']);
  });

  it('pages over templates', async () => {
    const names = [];
    let token;
    do {
      const qs = { page_size: 2, generations: 'dynamic', ...(token && { page_token: token }) };
      const [, { result, _metadata }] = await client().request({ method: 'GET', url: '/v3/templates', qs });
      names.push(...result.map(({ name }) => name));
      token = _metadata.next && new URL(_metadata.next).searchParams.get('page_token');
    } while (token);
    assert.deepEqual(names, ['Welcome', 'Invoice', 'Goodbye']);
  });

  it("throws the API's error", async () => {
    const { from: _, ...unsent } = mail;
    await assert.rejects(client().request({ method: 'POST', url: '/v3/mail/send', body: unsent }), (error) => {
      assert.deepEqual([error.code, error.response.body.errors[0].field], [400, 'from.email']);
      return true;
    });
  });

  refusedByRelay(setting, {
    use: (url, key) => client(url, key).request({ method: 'GET', url: '/v3/templates' }),
    status: (error) => error.code,
  });
});
