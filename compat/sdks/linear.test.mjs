/** `@linear/sdk` through `session.fetch`: its client takes no `fetch`, but its base class takes a function. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinearSdk, parseLinearError } from '@linear/sdk';
import { connected, refused } from './setting.mjs';
import { linear } from './stand-ins/linear.mjs';

describe('@linear/sdk', () => {
  const setting = connected(linear);
  const client = (fetch = setting.fetch, url = setting.url) =>
    new LinearSdk(async (query, variables) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors, error } = await response.json();
      if (response.ok && errors === undefined) return data;
      throw parseLinearError({ response: { status: response.status, errors: errors ?? [error] } });
    });

  it('reads the user', async () => {
    assert.equal((await client().viewer).name, 'Ann');
  });

  it('creates an issue', async () => {
    const { success, issueId } = await client().createIssue({ teamId: 'team-1', title: 'Größe' });
    assert.deepEqual([success, issueId], [true, 'issue-4']);
  });

  it('pages over issues', async () => {
    let issues = await client().issues({ first: 2 });
    while (issues.pageInfo.hasNextPage) issues = await issues.fetchNext();
    assert.deepEqual(
      issues.nodes.map(({ title }) => title),
      ['Crash', 'Typo', 'Leak'],
    );
    assert.equal(setting.standIn.check().length, 2);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().issue('issue-9'), { message: /Could not find issue/, type: 'InvalidInput' });
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).viewer });
});
