// Calls through openapi-fetch, with the types of openapi-typescript.

import createClient from 'openapi-fetch';
import type { components, paths } from './described.js';

const { baseURL: baseUrl, apiKey } = JSON.parse(process.env.GATEWAY ?? '');
const client = createClient<paths>({ baseUrl, headers: { 'x-api-key': apiKey } });

const session = await client.POST('/api/v3.1/tool_router/session', { body: { user_id: 'ann' } });
const id = session.data?.session_id ?? '';
const called = await client.POST('/api/v3.1/tool_router/session/{id}/proxy_execute', {
  params: { path: { id } },
  body: { toolkit_slug: 'github', endpoint: '/user', method: 'GET' },
});
const { status, data }: components['schemas']['Envelope'] = called.data ?? { status: 0, headers: {}, data: null };
const { method, path, authorization } = data as Record<string, unknown>;
const accounts = await client.GET('/api/v3.1/connected_accounts', { params: { query: { user_ids: ['ann'] } } });
const refused = await client.GET('/api/v3.1/tool_router/session/{id}', { params: { path: { id: 'trs_none' } } });

console.log(
  JSON.stringify({
    refused: refused.error && 'error' in refused.error && [refused.error.error.status, refused.error.error.slug],
    called: [status, method, path, authorization],
    connected: accounts.data?.items.map(({ toolkit }) => toolkit.slug).sort(),
  }),
);
