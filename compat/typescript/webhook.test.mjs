/** Webhooks, as this package and the vendor's SDK verify and read them: the same events, and the same refusals. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { it } from 'node:test';
import { Composio as Own } from '../../index.mjs';
import { watchLog } from './gateway.mjs';

const { Composio } = await import(process.env.SDK ?? '@composio/core');
watchLog();
const options = { apiKey: 'ak_unused', baseURL: 'http://127.0.0.1:1', allowTracking: false, disableVersionCheck: true };
const theirs = new Composio(options).triggers;
const ours = new Own(options).triggers;

const secret = 'whsec_c2VjcmV0';
const now = Math.floor(Date.now() / 1000);

function signed(event, { timestamp = String(now), key = secret } = {}) {
  const payload = JSON.stringify(event);
  const signature = `v1,${createHmac('sha256', key).update(`msg_1.${timestamp}.${payload}`).digest('base64')}`;
  return { id: 'msg_1', timestamp, payload, signature, secret };
}

const ids = {
  connection_id: 'c',
  connection_nano_id: 'ca_1',
  trigger_nano_id: 'ti_1',
  trigger_id: 't',
  user_id: 'ann',
};
const metadata = {
  log_id: 'log_1',
  trigger_slug: 'GMAIL_NEW_GMAIL_MESSAGE',
  trigger_id: 'ti_1',
  connected_account_id: 'ca_1',
  auth_config_id: 'ac_1',
  user_id: 'ann',
};
const message = { id: 'msg_1', timestamp: '2026-11-27', type: 'composio.trigger.message', metadata, data: { n: 'ü' } };
const EVENTS = [
  { trigger_name: 'slack_new_message', connection_id: 'c', trigger_id: 't', payload: { a: 1 }, log_id: 'l' },
  { type: 'github_star_added', timestamp: '2026-11-27', log_id: 'l', data: { ...ids, stars: 3 } },
  message,
  { ...message, metadata: { ...metadata, user_id: null } },
  { ...message, type: 'composio.connected_account.expired', metadata: { project_id: 'p' } },
];

for (const [index, event] of EVENTS.entries()) {
  it(`event ${index + 1} is read alike`, async () => {
    assert.deepEqual(await ours.verifyWebhook(signed(event)), await theirs.verifyWebhook(signed(event)));
  });
}

const webhook = signed(message);
const [, value] = webhook.signature.split(',');
const REFUSED = {
  'another secret': signed(message, { key: 'other' }),
  'the secret as base64': signed(message, { key: Buffer.from('c2VjcmV0', 'base64') }),
  'an old timestamp': signed(message, { timestamp: String(now - 400) }),
  'a timestamp in the future': signed(message, { timestamp: String(now + 400) }),
  'another id': { ...webhook, id: 'msg_2' },
  'another body': { ...webhook, payload: `${webhook.payload} ` },
  'another version': { ...webhook, signature: `v2,${value}` },
  'no form': signed({ hello: 'world' }),
  'no JSON': { ...webhook, ...signedText('hello') },
};

function signedText(payload) {
  const signature = `v1,${createHmac('sha256', secret).update(`msg_1.${now}.${payload}`).digest('base64')}`;
  return { payload, signature };
}

for (const [what, refused] of Object.entries(REFUSED)) {
  it(`${what} is refused alike`, async () => {
    const nameOf = (verified) =>
      verified.then(
        () => assert.fail('it was accepted'),
        ({ name }) => name,
      );
    assert.equal(await nameOf(ours.verifyWebhook(refused)), await nameOf(theirs.verifyWebhook(refused)));
  });
}

it('several signatures are accepted alike', async () => {
  const several = { ...webhook, signature: `v1,AAAA ${webhook.signature}` };
  assert.deepEqual(await ours.verifyWebhook(several), await theirs.verifyWebhook(several));
});
