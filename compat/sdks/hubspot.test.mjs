/** `@hubspot/api-client` through the relay: it takes no `fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client } from '@hubspot/api-client';
import { refusedByRelay, relayed } from './setting.mjs';
import { hubspot } from './stand-ins/hubspot.mjs';

describe('@hubspot/api-client', () => {
  const setting = relayed(hubspot);
  const contacts = (basePath = setting.relay, accessToken = setting.key) =>
    new Client({ accessToken, basePath }).crm.contacts.basicApi;

  it('creates a contact', async () => {
    const contact = await contacts().create({ properties: { email: 'dan@example.com' }, associations: [] });
    assert.deepEqual([contact.id, contact.properties.email], ['4', 'dan@example.com']);
  });

  it('pages over contacts', async () => {
    const emails = [];
    let after;
    do {
      const { results, paging } = await contacts().getPage(2, after);
      emails.push(...results.map(({ properties }) => properties.email));
      after = paging?.next?.after;
    } while (after);
    assert.deepEqual(emails, ['ann@example.com', 'bea@example.com', 'cem@example.com']);
  });

  it("throws the API's error", async () => {
    await assert.rejects(contacts().getById('9'), (error) => {
      assert.deepEqual([error.code, error.body.category], [404, 'OBJECT_NOT_FOUND']);
      return true;
    });
  });

  refusedByRelay(setting, { use: (url, key) => contacts(url, key).getById('1'), status: (error) => error.code });
});
