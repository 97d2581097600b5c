/** `openai` through `session.fetch`. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import OpenAI, { NotFoundError, toFile } from 'openai';
import { connected, DUMMY, refused } from './setting.mjs';
import { gate, openai } from './stand-ins/openai.mjs';

describe('openai', () => {
  const setting = connected(openai);
  const client = (fetch = setting.fetch, url = setting.url) =>
    new OpenAI({ apiKey: DUMMY, baseURL: `${url}/v1`, fetch });
  const question = { model: 'gpt-5', messages: [{ role: 'user', content: 'What do gateways keep?' }] };

  it('completes a chat', async () => {
    const completion = await client().chat.completions.create(question);
    assert.equal(completion.choices[0].message.content, 'Gateways keep keys.');
  });

  it('completes a chat as a stream of events', async () => {
    const words = [];
    for await (const chunk of await client().chat.completions.create({ ...question, stream: true })) {
      words.push(chunk.choices[0].delta.content ?? '');
    }
    assert.deepEqual(words, ['', 'Gateways', ' keep', ' keys', '.', '']);
  });

  it('reads an event before the API has sent the next', async () => {
    let open;
    gate.opened = new Promise((resolve) => {
      open = resolve;
    });
    const stream = await client().chat.completions.create({ ...question, stream: true });
    const words = [];
    for await (const chunk of stream) {
      words.push(chunk.choices[0].delta.content);
      open();
    }
    gate.opened = undefined;
    assert.equal(words.length, 6);
  });

  it('ends a stream that is left', async () => {
    gate.opened = new Promise(() => {});
    const abandoned = once(setting.standIn.events, 'abandoned');
    const stream = await client().chat.completions.create({ ...question, stream: true });
    for await (const _ of stream) break;
    assert.deepEqual(await abandoned, ['POST /v1/chat/completions']);
    gate.opened = undefined;
  });

  it('pages over files', async () => {
    const names = [];
    for await (const { filename } of client().files.list({ limit: 2 })) names.push(filename);
    assert.deepEqual(names, ['a.jsonl', 'b.jsonl', 'c.jsonl']);
    assert.equal(setting.standIn.check().length, 2);
  });

  it('uploads a file', async () => {
    const file = await toFile(Buffer.from('{"custom_id":"ü"}\n'), 'batch.jsonl');
    const uploaded = await client().files.create({ file, purpose: 'batch' });
    assert.deepEqual([uploaded.filename, uploaded.bytes], ['batch.jsonl', 19]);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().models.retrieve('gpt-0'), (error) => {
      assert.ok(error instanceof NotFoundError);
      assert.equal(error.message, "404 The model 'gpt-0' does not exist");
      return true;
    });
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).chat.completions.create(question) });
});
