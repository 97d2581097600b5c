/**
 * The events of a gateway: what happened to connected accounts, followed by an iterator.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BadRequestError, type Gateway, type GatewayEvent, ValidationError } from '../index.js';
import { connect, openGateway } from './support/acme';
import { rejection } from './support/expect';
import { Upstream } from './support/upstream';

let upstream: Upstream;

before(async () => {
  upstream = await Upstream.start();
});

after(() => upstream.close());

/** The next events of an iterator, as many as are asked for. */
async function take(events: AsyncGenerator<GatewayEvent>, count: number): Promise<GatewayEvent[]> {
  const taken: GatewayEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const types = (events: GatewayEvent[]) => events.map(({ type }) => type.replace('connected_account.', ''));

describe('the events of a gateway', () => {
  it('are followed as they happen, and can be read again from a cursor', async () => {
    const gateway = await openGateway(upstream.port);
    await connect(gateway, 'before');
    const first = (await take(gateway.events({ after: '0' }), 1))[0];
    assert.equal(first?.connectedAccount.userId, 'before');

    const events = gateway.events({ after: first?.cursor });
    const next = events.next();
    const id = await connect(gateway, 'ann');
    const connected = (await next).value as GatewayEvent;
    assert.deepEqual([connected.type, connected.connectedAccount.id], ['connected_account.connected', id]);
    assert.match(connected.id, /^msg_[0-9a-f-]{36}$/);
    assert.ok(!JSON.stringify(connected).includes('secret'));
    await gateway.connectedAccounts.disable(id);
    await gateway.connectedAccounts.enable(id);
    await gateway.connectedAccounts.delete(id);
    const rest = await take(events, 3);
    assert.deepEqual(types(rest), ['disabled', 'enabled', 'deleted']);
    const again = await take(gateway.events({ after: connected.cursor }), 3);
    assert.deepEqual(again, rest);
    await gateway.close();
  });

  it('begin with the call if there is no cursor', async () => {
    const gateway = await openGateway(upstream.port);
    await connect(gateway, 'before');
    const next = gateway.events().next();
    const found = new Set<string>();
    // The place is taken concurrently with this import, so the first account may be missed.
    for (let count = 0; count < 3; count += 1) found.add(await connect(gateway, `user ${count}`));
    const event = (await next).value as GatewayEvent;
    assert.ok(found.has(event.connectedAccount.id));
    await gateway.close();
  });

  it('end with the gateway, also for an iterator that waits', async () => {
    const gateway = await openGateway(upstream.port);
    const waiting = gateway.events().next();
    await connect(gateway, 'ann');
    await waiting;
    const last = gateway.events({ after: '1' }).next();
    await gateway.close();
    assert.equal((await last).done, true);
    assert.equal((await gateway.events().next()).done, true);
  });

  it('end with a signal', async () => {
    const gateway = await openGateway(upstream.port);
    const controller = new AbortController();
    const next = gateway.events({ signal: controller.signal }).next();
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(next, reason);
    await gateway.close();
  });

  it('need a cursor of the store', async () => {
    const gateway = await openGateway(upstream.port);
    for (const cursor of ['7', '-1', 'x', '99999999999999999999', ' 1']) {
      await rejection(() => gateway.events({ after: cursor }).next(), BadRequestError, { fix: /cursor of an event/ });
    }
    assert.throws(() => gateway.events({ after: 1 } as never), ValidationError);
    assert.throws(() => gateway.events({ since: '1' } as never), ValidationError);
    await gateway.close();
  });

  it('reach the other gateways of a store, and a gateway that is opened later', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'events-'));
    const options = { store: join(folder, 'gateway.db'), encryptionKey: 'ab'.repeat(32) };
    const open = (): Promise<Gateway> => openGateway(upstream.port, options);
    const [one, other] = [await open(), await open()];
    const next = other.events({ after: '0' }).next();
    const id = await connect(one, 'ann');
    const event = (await next).value as GatewayEvent;
    assert.equal(event.connectedAccount.id, id);
    await Promise.all([one.close(), other.close()]);
    const later = await open();
    assert.deepEqual(await take(later.events({ after: '0' }), 1), [event]);
    await later.close();
    await rm(folder, { recursive: true });
  });
});
