/** Slack's Web API: messages, channels and files. https://docs.slack.dev/apis/web-api */

import assert from 'node:assert/strict';

/** The bot's tokens of two workspaces, T1 and T2. */
export const tokens = ['xoxb-the-token-of-ann', 'xoxb-the-token-of-bea'];
const channels = ['general', 'random', 'support'].map((name, i) => ({ id: `C${i + 1}`, name }));

/** The arguments of a method: a form, or JSON. */
const read = (request) => (request.headers['content-type'].includes('json') ? request.json() : request.form());

const routes = {
  'POST /api/auth.test': ({ account }) => ({ ok: true, team_id: `T${account + 1}`, user_id: 'U1' }),
  'POST /api/chat.postMessage'(request) {
    const { channel, text, blocks } = read(request);
    if (typeof blocks === 'string') assert.equal(typeof JSON.parse(blocks)[0].type, 'string');
    if (channel === 'C404') return { ok: false, error: 'channel_not_found' };
    return { ok: true, channel, ts: '1503435956.000247', message: { type: 'message', text } };
  },
  'POST /api/conversations.list'(request) {
    const { cursor = '0', limit = '100' } = read(request);
    const end = Number(cursor) + Number(limit);
    const next = end < channels.length ? `${end}` : '';
    return {
      ok: true,
      channels: channels.slice(Number(cursor), end),
      response_metadata: { next_cursor: next },
    };
  },
  'POST /api/files.getUploadURLExternal'(request) {
    const { filename, length } = read(request);
    assert.match(length, /^\d+$/);
    return { ok: true, upload_url: `http://${request.headers.host}/upload/v1/${length}-${filename}`, file_id: 'F1' };
  },
  async 'POST /upload/v1/:target'(request) {
    const [file, ...rest] = [...(await request.multipart()).values()];
    assert.deepEqual(rest, []);
    const bytes = await file.arrayBuffer();
    assert.equal(request.params.target.split('-')[0], `${bytes.byteLength}`);
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: `OK - ${bytes.byteLength}` };
  },
  'POST /api/files.completeUploadExternal'(request) {
    const { files, channel_id } = read(request);
    assert.deepEqual(JSON.parse(files), [{ id: 'F1', title: 'Notes' }]);
    return { ok: true, files: [{ id: 'F1', title: 'Notes', channels: [channel_id] }] };
  },
};

export const slack = {
  slug: 'slack',
  origins: ['https://slack.com', 'https://files.slack.com'],
  path: '/api',
  account: { authScheme: 'BEARER_TOKEN', val: { token: tokens[0] } },
  credential: tokens.map((token) => ({ authorization: `Bearer ${token}` })),
  refusal: { ok: false, error: 'invalid_auth' },
  routes,
};
