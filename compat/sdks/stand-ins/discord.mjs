/** Discord's API: messages and commands of a bot. https://discord.com/developers/docs/reference */

import assert from 'node:assert/strict';

const token = 'the-token-of-anns-bot';
const messages = ['30', '20', '10'].map((id) => ({ id, channel_id: '1', content: `message ${id}` }));

/** Discord takes a bot's requests only with its own form of `User-Agent`. */
const named = (handle) => (request) => {
  assert.match(request.headers['user-agent'] ?? '', /^DiscordBot /);
  return handle(request);
};

const routes = {
  async 'POST /api/v10/channels/:channel/messages'(request) {
    const { channel } = request.params;
    if (channel === '404') return { status: 404, body: { message: 'Unknown Channel', code: 10003 } };
    if (request.headers['content-type'].startsWith('application/json')) {
      return { id: '40', channel_id: channel, content: request.json().content, attachments: [] };
    }
    const form = await request.multipart();
    const { content } = JSON.parse(form.get('payload_json'));
    const { name, size } = form.get('files[0]');
    return { id: '40', channel_id: channel, content, attachments: [{ id: '1', filename: name, size }] };
  },
  'GET /api/v10/channels/:channel/messages'({ query }) {
    const before = Number(query.get('before') ?? Number.POSITIVE_INFINITY);
    return messages.filter(({ id }) => Number(id) < before).slice(0, Number(query.get('limit') ?? 50));
  },
  'PUT /api/v10/applications/:application/commands'(request) {
    return request
      .json()
      .map((command, i) => ({ id: `${i + 1}`, application_id: request.params.application, ...command }));
  },
};

export const discord = {
  slug: 'discordbot',
  origins: ['https://discord.com'],
  path: '/api/v10',
  schemes: { API_KEY: { headers: { Authorization: 'Bot {{api_key}}' } } },
  account: { authScheme: 'API_KEY', val: { api_key: token } },
  credential: { authorization: `Bot ${token}` },
  refusal: { message: '401: Unauthorized', code: 0 },
  routes: Object.fromEntries(Object.entries(routes).map(([route, handle]) => [route, named(handle)])),
};
