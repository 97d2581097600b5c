/** HubSpot's API: contacts. https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/guide */

import assert from 'node:assert/strict';

const token = 'pat-eu1-the-token-of-ann';
const date = '2026-11-27T12:00:00.000Z';
const contact = (id, properties) => ({ id, properties, createdAt: date, updatedAt: date, archived: false });
const contacts = ['ann', 'bea', 'cem'].map((name, i) => contact(`${i + 1}`, { email: `${name}@example.com` }));

export const hubspot = {
  slug: 'hubspot',
  origins: ['https://api.hubapi.com'],
  account: { authScheme: 'API_KEY', val: { api_key: token } },
  credential: { authorization: `Bearer ${token}` },
  refusal: { status: 'error', message: 'Authentication credentials not found.', category: 'INVALID_AUTHENTICATION' },
  routes: {
    'POST /crm/v3/objects/contacts'(request) {
      const { properties } = request.json();
      assert.equal(typeof properties.email, 'string');
      return { status: 201, body: contact('4', properties) };
    },
    'GET /crm/v3/objects/contacts'({ query }) {
      const start = Number(query.get('after') ?? 0);
      const end = start + Number(query.get('limit') ?? 10);
      return {
        results: contacts.slice(start, end),
        ...(end < contacts.length && { paging: { next: { after: `${end}` } } }),
      };
    },
    'GET /crm/v3/objects/contacts/:id': ({ params: { id } }) =>
      contacts.find((contact) => contact.id === id) ?? {
        status: 404,
        body: { status: 'error', message: 'resource not found', correlationId: 'c-1', category: 'OBJECT_NOT_FOUND' },
      },
  },
};
