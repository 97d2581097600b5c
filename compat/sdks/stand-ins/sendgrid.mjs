/** SendGrid's API: mails and templates. https://www.twilio.com/docs/sendgrid/api-reference */

import assert from 'node:assert/strict';

const key = 'SG.the-key-of-ann';
const templates = ['Welcome', 'Invoice', 'Goodbye'].map((name, i) => ({
  id: `d-${i + 1}`,
  name,
  generation: 'dynamic',
}));

export const sendgrid = {
  slug: 'sendgrid',
  origins: ['https://api.sendgrid.com'],
  account: { authScheme: 'API_KEY', val: { api_key: key } },
  credential: { authorization: `Bearer ${key}` },
  refusal: { errors: [{ message: 'The provided authorization grant is invalid', field: null }] },
  routes: {
    'POST /v3/mail/send'(request) {
      const { from, personalizations, content } = request.json();
      if (from === undefined) {
        const message = 'The from object must be provided for every email send.';
        return { status: 400, body: { errors: [{ message, field: 'from.email', help: null }] } };
      }
      assert.deepEqual(personalizations[0].to, [{ email: 'bea@example.com' }]);
      assert.equal(content[0].type, 'text/plain');
      return { status: 202, headers: { 'x-message-id': 'm-1' } };
    },
    'GET /v3/templates'({ headers, query }) {
      const start = Number(query.get('page_token') ?? 0);
      const end = start + Number(query.get('page_size'));
      const next = `http://${headers.host}/v3/templates?page_size=${query.get('page_size')}&page_token=${end}`;
      return {
        result: templates.slice(start, end),
        _metadata: end < templates.length ? { next, count: 3 } : { count: 3 },
      };
    },
  },
};
