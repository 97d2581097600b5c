/** Anthropic's API: messages, as a whole and as events, and models. https://docs.anthropic.com/en/api */

import assert from 'node:assert/strict';
import { events } from './stand-in.mjs';

const key = 'sk-ant-the-key-of-ann';
const models = ['large', 'medium', 'small'].map((size) => ({
  type: 'model',
  id: `claude-${size}`,
  display_name: size,
}));
const words = ['Gateways', ' keep', ' keys', '.'];
const failed = (type, message) => ({ type: 'error', error: { type, message } });

export const anthropic = {
  slug: 'anthropic',
  origins: ['https://api.anthropic.com'],
  account: { authScheme: 'API_KEY', val: { api_key: key } },
  credential: { 'x-api-key': key },
  refusal: failed('authentication_error', 'invalid x-api-key'),
  routes: {
    'POST /v1/messages'(request) {
      const { model, max_tokens, messages, stream = false } = request.json();
      assert.match(request.headers['anthropic-version'], /^\d{4}-\d\d-\d\d$/);
      assert.equal(typeof max_tokens, 'number');
      if (messages.length === 0) {
        return { status: 400, body: failed('invalid_request_error', 'messages: at least one message is required') };
      }
      const message = { id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null };
      if (!stream) {
        const content = [{ type: 'text', text: words.join('') }];
        return { ...message, content, stop_reason: 'end_turn', usage: { input_tokens: 5, output_tokens: 4 } };
      }
      const event = (type, data) => ({ name: type, data: { type, ...data } });
      const usage = { input_tokens: 5, output_tokens: 1 };
      const list = [
        event('message_start', { message: { ...message, content: [], stop_reason: null, usage } }),
        event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
        event('ping'),
        ...words.map((text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
        event('content_block_stop', { index: 0 }),
        event('message_delta', {
          delta: { stop_reason: 'end_turn', stop_sequence: null },
          usage: { output_tokens: 4 },
        }),
        event('message_stop'),
      ];
      return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, body: events(list) };
    },
    'GET /v1/models'({ query }) {
      const start = models.findIndex(({ id }) => id === query.get('after_id')) + 1;
      const data = models.slice(start, start + Number(query.get('limit') ?? 20));
      const has_more = start + data.length < models.length;
      return { data, has_more, first_id: data[0].id, last_id: data.at(-1).id };
    },
  },
};
