/** `@supabase/supabase-js` through `session.fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import { connected, DUMMY, refused } from './setting.mjs';
import { supabase } from './stand-ins/supabase.mjs';

describe('@supabase/supabase-js', () => {
  const setting = connected(supabase);
  // Node.js 20 has no WebSocket, which the SDK looks for.
  const options = { realtime: { transport: WebSocket }, auth: { persistSession: false, autoRefreshToken: false } };
  const client = (fetch = setting.fetch, url = setting.url) =>
    createClient(url, DUMMY, { global: { fetch }, ...options });

  it('inserts a row', async () => {
    const { data, error, status } = await client().from('todos').insert({ title: 'Größe' }).select();
    assert.deepEqual([error, status, data], [null, 201, [{ id: 4, title: 'Größe' }]]);
  });

  it('pages over rows', async () => {
    const titles = [];
    for (let start = 0; start < 4; start += 2) {
      const { data } = await client()
        .from('todos')
        .select('id,title')
        .range(start, start + 1);
      titles.push(...data.map(({ title }) => title));
    }
    assert.deepEqual(titles, ['Plan', 'Notes', 'Budget']);
  });

  it('uploads a file', async () => {
    const { data, error } = await client()
      .storage.from('files')
      .upload('notes.bin', Buffer.from([0, 0xff, 0x80]));
    assert.equal(error, null);
    assert.equal(data.fullPath, 'files/notes.bin');
  });

  it("returns the API's error", async () => {
    const { data, error, status } = await client().from('missing').select('id');
    assert.deepEqual([data, status, error.code], [null, 404, 'PGRST205']);
  });

  refused(setting, {
    async use(fetch, url) {
      const { data, error, status } = await client(fetch, url).from('todos').select('id,title');
      if (error !== null) throw { ...error, status };
      return data;
    },
  });
});
