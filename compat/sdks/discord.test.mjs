/** `@discordjs/rest` through `session.fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DiscordAPIError, REST } from '@discordjs/rest';
import { connected, DUMMY, refused } from './setting.mjs';
import { discord } from './stand-ins/discord.mjs';

describe('@discordjs/rest', () => {
  const setting = connected(discord);
  const client = (fetch = setting.fetch, url = setting.url) =>
    new REST({ version: '10', api: `${url}/api`, makeRequest: fetch }).setToken(DUMMY);

  it('posts a message', async () => {
    const message = await client().post('/channels/1/messages', { body: { content: 'Größe' } });
    assert.deepEqual([message.id, message.content], ['40', 'Größe']);
  });

  it('uploads a file with a message', async () => {
    const files = [{ name: 'notes.bin', data: Buffer.from([0, 0xff, 0x80]) }];
    const message = await client().post('/channels/1/messages', { body: { content: 'Notes' }, files });
    assert.deepEqual([message.content, message.attachments[0].size], ['Notes', 3]);
  });

  it('pages over messages', async () => {
    const rest = client();
    const ids = [];
    for (let page; page?.length !== 0; ids.push(...page.map(({ id }) => id))) {
      const query = new URLSearchParams({ limit: '2', ...(ids.length > 0 && { before: ids.at(-1) }) });
      page = await rest.get('/channels/1/messages', { query });
    }
    assert.deepEqual(ids, ['30', '20', '10']);
  });

  it('registers commands', async () => {
    const commands = [{ name: 'notes', description: 'Shows your notes' }];
    const [command] = await client().put('/applications/7/commands', { body: commands });
    assert.deepEqual([command.application_id, command.name], ['7', 'notes']);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().post('/channels/404/messages', { body: { content: 'x' } }), (error) => {
      assert.ok(error instanceof DiscordAPIError);
      assert.deepEqual([error.status, error.code, error.message], [404, 10003, 'Unknown Channel']);
      return true;
    });
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).get('/channels/1/messages') });
});
