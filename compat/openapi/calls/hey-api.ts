// Calls through the client that @hey-api/openapi-ts generates.

import { client } from './generated/client.gen.js';
import { createSession, getSession, listConnectedAccounts, proxyExecuteInSession } from './generated/sdk.gen.js';

const { baseURL: baseUrl, apiKey } = JSON.parse(process.env.GATEWAY ?? '');
client.setConfig({ baseUrl, headers: { 'x-api-key': apiKey } });

const session = await createSession({ body: { user_id: 'ann' } });
const id = session.data?.session_id ?? '';
const called = await proxyExecuteInSession({
  path: { id },
  body: { toolkit_slug: 'github', endpoint: '/user', method: 'GET' },
});
const { method, path, authorization } = (called.data?.data ?? {}) as Record<string, unknown>;
const accounts = await listConnectedAccounts({ query: { user_ids: ['ann'] } });
const refused = await getSession({ path: { id: 'trs_none' } });

console.log(
  JSON.stringify({
    refused: refused.error && 'error' in refused.error && [refused.error.error.status, refused.error.error.slug],
    called: [called.data?.status, method, path, authorization],
    connected: accounts.data?.items.map(({ toolkit }) => toolkit.slug).sort(),
  }),
);
