/** `airtable` through the relay: it takes no `fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Airtable from 'airtable';
import { refusedByRelay, relayed } from './setting.mjs';
import { airtable } from './stand-ins/airtable.mjs';

describe('airtable', () => {
  const setting = relayed(airtable);
  const table = (endpointUrl = setting.relay, apiKey = setting.key) =>
    new Airtable({ apiKey, endpointUrl }).base('app1')('Tasks & Größen');

  it('creates a record', async () => {
    const record = await table().create({ Name: 'Größe' });
    assert.deepEqual([record.id, record.get('Name')], ['rec4', 'Größe']);
  });

  it('pages over records', async () => {
    const records = await table().select({ pageSize: 2 }).all();
    assert.deepEqual(
      records.map((record) => record.get('Name')),
      ['Plan', 'Notes', 'Budget'],
    );
    assert.equal(setting.standIn.check().length, 2);
  });

  it("throws the API's error", async () => {
    await assert.rejects(table().find('rec9'), {
      error: 'NOT_FOUND',
      statusCode: 404,
      message: 'Record rec9 not found',
    });
  });

  refusedByRelay(setting, { use: (url, key) => table(url, key).find('rec1'), status: (error) => error.statusCode });
});
