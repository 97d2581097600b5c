/** `twilio` through `session.fetch`, as its HTTP client. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import twilio from 'twilio';
import { connected, DUMMY, fromItsAddress, refused } from './setting.mjs';
import { twilio as api } from './stand-ins/twilio.mjs';

const account = 'AC00000000000000000000000000000001';

describe('twilio', () => {
  const setting = connected(api);
  // The SDK has no option for its address.
  function client(fetch = setting.fetch, url = setting.url) {
    const httpClient = {
      async request({ method, uri, params, data, headers }) {
        const target = new URL(uri);
        for (const [name, value] of Object.entries(params ?? {})) target.searchParams.append(name, value);
        const body = data && new URLSearchParams(data);
        const response = await fromItsAddress(api, fetch, url)(target, { method, headers, body });
        return { statusCode: response.status, body: await response.text() };
      },
    };
    return twilio(account, DUMMY, { httpClient });
  }

  it('sends a message', async () => {
    const text = { to: '+4915112345678', from: '+4930123456', body: 'Größe & more' };
    const message = await client().messages.create(text);
    assert.deepEqual([message.sid, message.body, message.status], ['SM4', 'Größe & more', 'queued']);
  });

  it('pages over messages', async () => {
    const messages = await client().messages.list({ pageSize: 2 });
    assert.deepEqual(
      messages.map(({ sid }) => sid),
      ['SM1', 'SM2', 'SM3'],
    );
    assert.equal(setting.standIn.check().length, 2);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().messages('SM9').fetch(), { status: 404, code: 20404 });
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).messages.list({ limit: 1 }) });
});
