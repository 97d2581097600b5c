/** Stripe's API: customers and payments. https://docs.stripe.com/api */

import assert from 'node:assert/strict';

const key = 'sk_test_the-key-of-ann';
const customers = ['ann', 'bea', 'cem'].map((name) => ({ id: `cus_${name}`, object: 'customer', name }));

export const stripe = {
  slug: 'stripe',
  origins: ['https://api.stripe.com'],
  account: { authScheme: 'API_KEY', val: { api_key: key } },
  credential: { authorization: `Bearer ${key}` },
  refusal: { error: { type: 'invalid_request_error', message: 'Invalid API Key provided' } },
  routes: {
    'POST /v1/customers'(request) {
      const { name, email, 'metadata[plan]': plan } = request.form();
      assert.match(request.headers['stripe-version'], /^\d{4}-\d\d-\d\d/);
      return { id: 'cus_dan', object: 'customer', name, email, metadata: { plan } };
    },
    'GET /v1/customers'({ query }) {
      const start = customers.findIndex(({ id }) => id === query.get('starting_after')) + 1;
      const end = start + Number(query.get('limit') ?? 10);
      return {
        object: 'list',
        url: '/v1/customers',
        has_more: end < customers.length,
        data: customers.slice(start, end),
      };
    },
    'POST /v1/payment_intents'(request) {
      const { amount, currency, 'payment_method_types[0]': method } = request.form();
      assert.deepEqual([amount, currency, method], ['1000', 'eur', 'card']);
      const error = { type: 'card_error', code: 'card_declined', message: 'Your card was declined.' };
      return { status: 402, headers: { 'request-id': 'req_1' }, body: { error } };
    },
  },
};
