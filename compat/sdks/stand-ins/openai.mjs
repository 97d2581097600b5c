/** OpenAI's API: chat completions, as a whole and as events, and files. https://platform.openai.com/docs/api-reference */

import assert from 'node:assert/strict';
import { events } from './stand-in.mjs';

const key = 'sk-the-key-of-ann';
const files = ['a', 'b', 'c'].map((name) => ({ id: `file-${name}`, object: 'file', filename: `${name}.jsonl` }));
/** A stream of events waits for `opened` after its first word, if that is set. */
export const gate = { opened: undefined };
const words = ['Gateways', ' keep', ' keys', '.'];

export const openai = {
  slug: 'openai',
  origins: ['https://api.openai.com'],
  account: { authScheme: 'API_KEY', val: { api_key: key } },
  credential: { authorization: `Bearer ${key}` },
  refusal: {
    error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', code: 'invalid_api_key' },
  },
  routes: {
    'POST /v1/chat/completions'(request) {
      const { model, messages, stream = false } = request.json();
      assert.equal(typeof messages[0].content, 'string');
      const id = 'chatcmpl-1';
      if (!stream) {
        const message = { role: 'assistant', content: words.join('') };
        const choices = [{ index: 0, message, finish_reason: 'stop' }];
        return { id, object: 'chat.completion', model, choices, usage: { total_tokens: 9 } };
      }
      const chunk = (delta, finish_reason = null) => ({
        data: { id, object: 'chat.completion.chunk', model, choices: [{ index: 0, delta, finish_reason }] },
      });
      const chunks = words.map((content) => chunk({ content }));
      const list = [chunk({ role: 'assistant' }), ...chunks, chunk({}, 'stop'), { data: '[DONE]' }];
      return {
        status: 200,
        headers: { 'content-type': 'text/event-stream; charset=utf-8' },
        body: events(list, gate.opened),
      };
    },
    'GET /v1/files'({ query }) {
      const start = files.findIndex(({ id }) => id === query.get('after')) + 1;
      const end = start + Number(query.get('limit') ?? 10_000);
      return { object: 'list', data: files.slice(start, end), has_more: end < files.length };
    },
    async 'POST /v1/files'(request) {
      const form = await request.multipart();
      assert.equal(form.get('purpose'), 'batch');
      const { name, size } = form.get('file');
      return { id: 'file-d', object: 'file', filename: name, bytes: size };
    },
    'GET /v1/models/:model': ({ params: { model } }) => ({
      status: 404,
      body: {
        error: {
          message: `The model '${model}' does not exist`,
          type: 'invalid_request_error',
          code: 'model_not_found',
        },
      },
    }),
  },
};
