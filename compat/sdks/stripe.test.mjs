/** `stripe` through `session.fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Stripe from 'stripe';
import { connected, DUMMY, refused } from './setting.mjs';
import { stripe } from './stand-ins/stripe.mjs';

describe('stripe', () => {
  const setting = connected(stripe);
  function client(fetch = setting.fetch, url = setting.url) {
    const { protocol, hostname: host, port } = new URL(url);
    const httpClient = Stripe.createFetchHttpClient(fetch);
    return new Stripe(DUMMY, { httpClient, host, port: port || 80, protocol: protocol.slice(0, -1) });
  }

  it('creates a customer', async () => {
    const person = { name: 'Dan Ünal', email: 'dan@example.com', metadata: { plan: 'a&b' } };
    const customer = await client().customers.create(person);
    assert.deepEqual(
      [customer.name, customer.email, customer.metadata],
      ['Dan Ünal', 'dan@example.com', { plan: 'a&b' }],
    );
    assert.equal(customer.lastResponse.statusCode, 200);
  });

  it('pages by itself', async () => {
    const ids = [];
    for await (const { id } of client().customers.list({ limit: 2 })) ids.push(id);
    assert.deepEqual(ids, ['cus_ann', 'cus_bea', 'cus_cem']);
    assert.equal(setting.standIn.check().length, 2);
  });

  it("throws the API's error", async () => {
    const payment = { amount: 1000, currency: 'eur', payment_method_types: ['card'] };
    await assert.rejects(client().paymentIntents.create(payment), {
      type: 'StripeCardError',
      statusCode: 402,
      requestId: 'req_1',
      message: 'Your card was declined.',
    });
  });

  refused(setting, {
    use: (fetch, url) => client(fetch, url).customers.list({ limit: 1 }),
    status: (error) => error.statusCode,
  });
});
