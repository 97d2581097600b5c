/**
 * The webhooks of a gateway: subscriptions, deliveries that this package verifies, and replays.
 */

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import {
  BadRequestError,
  Composio,
  ComposioWebhookSignatureVerificationError,
  type Gateway,
  NotFoundError,
  ValidationError,
} from '../index.js';
import { connect, openGateway } from './support/acme';
import { Upstream } from './support/upstream';

const CONNECTED = 'composio.connected_account.connected';

let upstream: Upstream;
let server: Server;
let status = 204;
let arrived: { headers: IncomingMessage['headers']; body: Buffer }[] = [];
let wake = () => {};

before(async () => {
  upstream = await Upstream.start();
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    response.writeHead(status).end();
    arrived.push({ headers: request.headers, body });
    wake();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  server.close();
  await upstream.close();
});

/** The webhooks so far, once there are as many as are asked for. */
async function webhooks(count: number): Promise<typeof arrived> {
  while (arrived.length < count) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  return arrived;
}

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;

async function withGateway(test: (gateway: Gateway) => Promise<void>): Promise<void> {
  [status, arrived] = [204, []];
  const gateway = await openGateway(upstream.port, { allowPrivateWebhooks: ['127.0.0.1'] });
  try {
    await test(gateway);
  } finally {
    await gateway.close();
  }
}

/** Waits until the first delivery of a subscription has a status. */
async function delivery(gateway: Gateway, id: string, wanted: string) {
  for (;;) {
    const [first] = (await gateway.webhooks.deliveries(id)).items;
    if (first?.status === wanted) return first;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the webhooks of a gateway', () => {
  it('arrive signed, so that this package verifies them, with both secrets after a rotation', async () => {
    await withGateway(async (gateway) => {
      const { id, secret } = await gateway.webhooks.create({ webhookUrl: url(), enabledEvents: [CONNECTED] });
      const account = await connect(gateway, 'ann');
      const [first] = await webhooks(1);
      assert.ok(first);
      const { triggers } = new Composio({ gateway });
      const read = (webhook: object, verifySecret: string) => triggers.parse(webhook as never, { verifySecret });
      const { version, payload, rawPayload } = await read(first, secret);
      assert.deepEqual([version, payload.triggerSlug, payload.id], ['V3', CONNECTED, first.headers['webhook-id']]);
      assert.equal((rawPayload.data as { id: string }).id, account);
      await assert.rejects(read(first, 'whsec_other'), ComposioWebhookSignatureVerificationError);

      const rotated = await gateway.webhooks.rotateSecret(id);
      await connect(gateway, 'bob');
      const second = (await webhooks(2))[1];
      assert.ok(second);
      for (const known of [secret, rotated.secret]) assert.equal((await read(second, known)).version, 'V3');
    });
  });

  it('are listed with their outcome, and are sent again on demand', async () => {
    await withGateway(async (gateway) => {
      status = 500;
      const { id } = await gateway.webhooks.create({ webhookUrl: url(), enabledEvents: [CONNECTED] });
      await connect(gateway, 'ann');
      await webhooks(1);
      const events = gateway.events({ after: '0' });
      const { value: event } = await events.next();
      const failed = await delivery(gateway, id, 'pending');
      assert.deepEqual([failed.id, failed.eventCursor, failed.eventType], [event?.id, event?.cursor, CONNECTED]);
      status = 204;
      const done = await delivery(gateway, id, 'delivered');
      assert.deepEqual([done.attempts, done.responseStatus, done.problem, done.nextAttemptAt], [2, 204, null, null]);
      assert.equal(await gateway.webhooks.replay(id, { deliveries: [done.id] }), 1);
      await webhooks(3);
      await delivery(gateway, id, 'delivered');
      assert.equal(await gateway.webhooks.replay(id, { after: '0' }), 1);
      await webhooks(4);
      assert.equal(new Set(arrived.map(({ headers }) => headers['webhook-id'])).size, 1);
      assert.equal((await gateway.webhooks.deliveries(id, { status: 'dead' })).totalItems, 0);
    });
  });

  it('belong to subscriptions, which are created, changed and deleted', async () => {
    await withGateway(async (gateway) => {
      const { secret, ...made } = await gateway.webhooks.create({ webhookUrl: url(), enabledEvents: [CONNECTED] });
      assert.match(secret, /^whsec_/);
      assert.deepEqual((await gateway.webhooks.list({ limit: 1 })).items, [made]);
      const enabledEvents = ['composio.connected_account.deleted'];
      const changed = await gateway.webhooks.update(made.id, { enabledEvents });
      assert.deepEqual({ ...changed, updatedAt: made.updatedAt }, { ...made, enabledEvents });
      await gateway.webhooks.delete(made.id);
      await assert.rejects(gateway.webhooks.delete(made.id), NotFoundError);
      await assert.rejects(gateway.webhooks.update(made.id, {}), NotFoundError);
      await assert.rejects(
        gateway.webhooks.create({ webhookUrl: 'http://10.0.0.7/', enabledEvents: [CONNECTED] }),
        BadRequestError,
      );
      for (const wrong of [{}, { webhookUrl: url() }, { webhookUrl: 1, enabledEvents: [] }, { more: 1 }]) {
        await assert.rejects(gateway.webhooks.create(wrong as never), ValidationError);
      }
      for (const wrong of [{}, { after: '1', deliveries: [] }, { after: 1 }, { deliveries: 'x' }]) {
        await assert.rejects(gateway.webhooks.replay('whs_1', wrong as never), ValidationError);
      }
    });
  });
});
