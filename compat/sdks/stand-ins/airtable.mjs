/** Airtable's Web API: records of a table. https://airtable.com/developers/web/api */

import assert from 'node:assert/strict';

const token = 'pat_the-token-of-ann';
const records = ['Plan', 'Notes', 'Budget'].map((Name, i) => ({
  id: `rec${i + 1}`,
  createdTime: '2026-11-27T12:00:00.000Z',
  fields: { Name },
}));

export const airtable = {
  slug: 'airtable',
  origins: ['https://api.airtable.com'],
  account: { authScheme: 'API_KEY', val: { api_key: token } },
  credential: { authorization: `Bearer ${token}` },
  refusal: { error: { type: 'AUTHENTICATION_REQUIRED', message: 'Authentication required' } },
  routes: {
    'GET /v0/:base/:table'({ query }) {
      const start = Number(query.get('offset') ?? 0);
      const end = start + Number(query.get('pageSize') ?? 100);
      return { records: records.slice(start, end), ...(end < records.length && { offset: `${end}` }) };
    },
    // The SDK appends a slash.
    'POST /v0/:base/:table/'(request) {
      const { fields } = request.json();
      assert.deepEqual(Object.keys(fields), ['Name']);
      return { id: 'rec4', createdTime: '2026-11-27T12:00:00.000Z', fields };
    },
    'GET /v0/:base/:table/:id': ({ params: { id } }) =>
      records.find((record) => record.id === id) ?? {
        status: 404,
        body: { error: { type: 'NOT_FOUND', message: `Record ${id} not found` } },
      },
  },
};
