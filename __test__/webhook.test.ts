/**
 * Webhooks of Composio: their signature, and the three forms of their payload.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  Composio,
  ComposioWebhookPayloadError,
  ComposioWebhookSignatureVerificationError,
  ValidationError,
  type VerifyWebhook,
} from '../index.js';
import { rejection } from './support/expect';

const { triggers } = new Composio({ apiKey: 'ak_unused', baseURL: 'http://127.0.0.1:1' });
const secret = 'whsec_ünused';

const metadata = {
  log_id: 'log_1',
  trigger_slug: 'GMAIL_NEW_GMAIL_MESSAGE',
  trigger_id: 'ti_1',
  connected_account_id: 'ca_1',
  auth_config_id: 'ac_1',
  user_id: 'ann',
};
const V3 = {
  id: 'msg_1',
  timestamp: '2026-11-27T00:00:00Z',
  type: 'composio.trigger.message',
  metadata,
  data: { n: 1 },
};

/** A webhook that is signed now, or these seconds later. */
function signed(payload: string, later = 0): VerifyWebhook {
  const timestamp = String(Math.floor(Date.now() / 1000) + later);
  const signature = `v1,${createHmac('sha256', secret).update(`msg_1.${timestamp}.${payload}`).digest('base64')}`;
  return { id: 'msg_1', payload, secret, signature, timestamp };
}

const webhook = signed(JSON.stringify(V3));
const headers = {
  'webhook-id': webhook.id,
  'webhook-timestamp': webhook.timestamp,
  'Webhook-Signature': webhook.signature,
};

describe('a signature', () => {
  it('is verified over text and over bytes', async () => {
    for (const payload of [
      webhook.payload,
      Buffer.from(webhook.payload),
      new TextEncoder().encode(`${webhook.payload}`),
    ]) {
      const { version, payload: event, rawPayload } = await triggers.verifyWebhook({ ...webhook, payload });
      assert.deepEqual(
        [version, event.triggerSlug, event.toolkitSlug, event.userId],
        ['V3', metadata.trigger_slug, 'GMAIL', 'ann'],
      );
      assert.equal(event.metadata.connectedAccount.id, 'ca_1');
      assert.deepEqual([event.payload, rawPayload], [{ n: 1 }, V3]);
    }
  });

  it('may be any of several, of version v1', async () => {
    const [, value] = webhook.signature.split(',');
    await triggers.verifyWebhook({ ...webhook, signature: `v1,AAAA v2,x ${webhook.signature}` });
    for (const signature of [`v2,${value}`, `${value}`, 'v1,', `v1,${value}=`, `v1,${value?.toLowerCase()}`]) {
      await rejection(
        () => triggers.verifyWebhook({ ...webhook, signature }),
        ComposioWebhookSignatureVerificationError,
        {
          code: 'TS-SDK::WEBHOOK_SIGNATURE_VERIFICATION_FAILED',
          fix: /Check the secret/,
        },
      );
    }
  });

  it('covers the id, the timestamp and every byte, with the secret', async () => {
    const other = String(Number(webhook.timestamp) - 1);
    const payload = JSON.stringify(V3, null, 1);
    for (const change of [
      { id: 'msg_2' },
      { timestamp: other },
      { payload },
      { secret: 'other' },
      { secret: 'ünused' },
    ]) {
      const call = () => triggers.verifyWebhook({ ...webhook, ...change });
      await rejection(call, ComposioWebhookSignatureVerificationError, { names: /No signature of the webhook/ });
    }
  });

  it('is refused if its timestamp is too far from now', async () => {
    for (const [later, names] of [
      [-400, /s ago, and at most 300 s/],
      [400, /s in the future/],
    ] as const) {
      const old = signed('{}', later);
      await rejection(() => triggers.verifyWebhook(old), ComposioWebhookSignatureVerificationError, { names });
      // The payload is read, so the signature and the age were accepted.
      await rejection(() => triggers.verifyWebhook({ ...old, tolerance: 600 }), ComposioWebhookPayloadError);
      await rejection(() => triggers.verifyWebhook({ ...old, tolerance: 0 }), ComposioWebhookPayloadError);
    }
    await rejection(() => triggers.verifyWebhook({ ...webhook, timestamp: '1e9' }), ComposioWebhookPayloadError, {
      names: /not a number of seconds/,
    });
  });

  it('is not computed for an argument that cannot be used, or a payload of more than 10 MiB', async () => {
    const wrong: [object, RegExp][] = [
      [{ secret: '' }, /`secret` must be a non-empty string/],
      [{ id: undefined }, /`id` is missing: pass the header `webhook-id`/],
      [{ signature: 'x'.repeat(5000) }, /`signature`/],
      [{ payload: V3 }, /`payload` must be the request's body as it arrived/],
      [{ tolerance: -1 }, /`tolerance`/],
      [{ webhookId: 'msg_1' }, /Unknown key `webhookId`/],
    ];
    for (const [change, names] of wrong) {
      await rejection(() => triggers.verifyWebhook({ ...webhook, ...change }), ValidationError, { names });
    }
    for (const payload of [Buffer.alloc(10 * 1024 * 1024 + 1), 'ü'.repeat(6 * 1024 * 1024)]) {
      await rejection(() => triggers.verifyWebhook({ ...webhook, payload }), ComposioWebhookPayloadError, {
        code: 'TS-SDK::WEBHOOK_PAYLOAD_INVALID',
        names: /more than 10 MiB/,
      });
    }
  });
});

describe('a request with a webhook', () => {
  it('is one of fetch, or the body and headers of another server', async () => {
    const request = new Request('http://app.test', { method: 'POST', body: webhook.payload as string, headers });
    const parsed = [
      await triggers.parse(request, { verifySecret: secret }),
      await triggers.parse({ body: Buffer.from(webhook.payload), headers }, { verifySecret: secret }),
      await triggers.parse({ body: webhook.payload, headers: new Headers(headers) }, { verifySecret: secret }),
      await triggers.parse({ body: V3, headers: { ...headers, 'webhook-id': ['msg_1'] } }, { verifySecret: secret }),
      await triggers.parse({ body: webhook.payload, headers: {} }),
    ];
    for (const { rawPayload } of parsed) assert.deepEqual(rawPayload, V3);
  });

  it('is refused with another secret, without its headers, with an empty secret, and if its body is too long', async () => {
    const request = { body: webhook.payload, headers };
    await rejection(() => triggers.parse(request, { verifySecret: 'x' }), ComposioWebhookSignatureVerificationError);
    await rejection(() => triggers.parse({ ...request, headers: {} }, { verifySecret: secret }), ValidationError, {
      names: /header `webhook-id`.*header `webhook-signature`.*header `webhook-timestamp`/,
    });
    for (const verifySecret of ['', undefined]) {
      await rejection(() => triggers.parse(request, { verifySecret }), ValidationError, { names: /`verifySecret`/ });
    }
    let sent = 0;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(++sent && 1024 * 1024)),
    });
    await rejection(() => triggers.parse({ body: endless, headers }), ComposioWebhookPayloadError, { names: /10 MiB/ });
    assert.ok(sent < 15, `${sent} MiB were read`);
  });
});

describe('a payload', () => {
  const parse = (body: unknown) => triggers.parse({ body, headers: {} });

  it('of the first form has the trigger and its account', async () => {
    const raw = {
      trigger_name: 'slack_new_message',
      connection_id: 'c1',
      trigger_id: 't1',
      payload: { a: 1 },
      log_id: 'l',
    };
    const { version, payload } = await parse(raw);
    assert.deepEqual(
      [version, payload.id, payload.triggerSlug, payload.toolkitSlug],
      ['V1', 't1', 'slack_new_message', 'SLACK'],
    );
    assert.deepEqual([payload.payload, payload.userId, payload.metadata.connectedAccount.uuid], [{ a: 1 }, '', 'c1']);
  });

  it('of the second form has its ids apart from the data', async () => {
    const ids = {
      connection_id: 'c-uuid',
      connection_nano_id: 'ca_1',
      trigger_nano_id: 'ti_1',
      trigger_id: 't-uuid',
      user_id: 'ann',
    };
    const { version, payload } = await parse({
      type: 'github_star_added',
      timestamp: 't',
      log_id: 'l',
      data: { ...ids, stars: 3 },
    });
    assert.deepEqual(
      [version, payload.id, payload.uuid, payload.triggerSlug],
      ['V2', 'ti_1', 't-uuid', 'GITHUB_STAR_ADDED'],
    );
    assert.deepEqual([payload.payload, payload.userId], [{ stars: 3 }, 'ann']);
  });

  it('of the third form may be no event of a trigger', async () => {
    const expired = { ...V3, type: 'composio.connected_account.expired', metadata: { project_id: 'p' } };
    const { payload } = await parse(expired);
    assert.deepEqual([payload.triggerSlug, payload.toolkitSlug, payload.userId], [expired.type, 'COMPOSIO', '']);
    assert.deepEqual(payload.originalPayload, expired);
  });

  it('of no form, or without JSON, is refused', async () => {
    for (const body of ['{', '[]', 'null', {}, { ...V3, type: 'github.push' }, { ...V3, data: [] }]) {
      await rejection(() => parse(body), ComposioWebhookPayloadError);
    }
  });
});
