/** A project of Supabase: a table and a bucket. https://supabase.com/docs/reference/javascript */

import assert from 'node:assert/strict';

const key = 'sb_secret_the-key-of-anns-project';
const rows = ['Plan', 'Notes', 'Budget'].map((title, i) => ({ id: i + 1, title }));

export const supabase = {
  slug: 'supabase_project',
  origins: ['https://project.supabase.co'],
  schemes: { API_KEY: { headers: { apikey: '{{api_key}}', Authorization: 'Bearer {{api_key}}' } } },
  account: { authScheme: 'API_KEY', val: { api_key: key } },
  credential: { apikey: key, authorization: `Bearer ${key}` },
  refusal: { message: 'Invalid API key' },
  routes: {
    'GET /rest/v1/todos'({ query }) {
      assert.equal(query.get('select'), 'id,title');
      const start = Number(query.get('offset') ?? 0);
      const page = rows.slice(start, start + Number(query.get('limit') ?? 1000));
      return { status: 200, headers: { 'content-range': `${start}-${start + page.length - 1}/*` }, body: page };
    },
    'POST /rest/v1/todos'(request) {
      assert.match(request.headers.prefer, /return=representation/);
      const { title } = request.json();
      return { status: 201, body: [{ id: 4, title }] };
    },
    'GET /rest/v1/missing': () => ({
      status: 404,
      body: { code: 'PGRST205', message: "Could not find the table 'public.missing'", details: null, hint: null },
    }),
    async 'POST /storage/v1/object/files/notes.bin'(request) {
      const type = request.headers['content-type'];
      const sent = type.startsWith('multipart/') ? [...(await request.multipart()).values()].find((v) => v.size) : null;
      return { Id: 'o-1', Key: 'files/notes.bin', size: sent?.size ?? request.body.length };
    },
  },
};
