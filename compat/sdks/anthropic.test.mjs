/** `@anthropic-ai/sdk` through `session.fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Anthropic, { BadRequestError } from '@anthropic-ai/sdk';
import { connected, DUMMY, refused } from './setting.mjs';
import { anthropic } from './stand-ins/anthropic.mjs';

describe('@anthropic-ai/sdk', () => {
  const setting = connected(anthropic);
  const client = (fetch = setting.fetch, baseURL = setting.url) => new Anthropic({ apiKey: DUMMY, baseURL, fetch });
  const question = {
    model: 'claude-large',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'What do gateways keep?' }],
  };

  it('creates a message', async () => {
    const message = await client().messages.create(question);
    assert.deepEqual(message.content, [{ type: 'text', text: 'Gateways keep keys.' }]);
  });

  it('streams a message', async () => {
    const words = [];
    const stream = client()
      .messages.stream(question)
      .on('text', (text) => words.push(text));
    const { stop_reason, usage } = await stream.finalMessage();
    assert.deepEqual(words, ['Gateways', ' keep', ' keys', '.']);
    assert.deepEqual([stop_reason, usage.output_tokens], ['end_turn', 4]);
  });

  it('pages over models', async () => {
    const ids = [];
    for await (const { id } of client().models.list({ limit: 2 })) ids.push(id);
    assert.deepEqual(ids, ['claude-large', 'claude-medium', 'claude-small']);
    assert.equal(setting.standIn.check().length, 2);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().messages.create({ ...question, messages: [] }), (error) => {
      assert.ok(error instanceof BadRequestError);
      assert.equal(error.error.error.message, 'messages: at least one message is required');
      return true;
    });
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).messages.create(question) });
});
