/** `@octokit/rest` through `session.fetch`. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { retry } from '@octokit/plugin-retry';
import { Octokit } from '@octokit/rest';
import { connected, DUMMY, refused } from './setting.mjs';
import { github } from './stand-ins/github.mjs';

describe('@octokit/rest', () => {
  const setting = connected(github);
  const Retrying = Octokit.plugin(retry);
  // Failed requests are logged otherwise.
  const log = { debug() {}, info() {}, warn: console.warn, error() {} };
  const client = (fetch = setting.fetch, baseUrl = setting.url) =>
    new Retrying({ auth: DUMMY, baseUrl, request: { fetch }, log });
  const repository = { owner: 'ann', repo: 'notes' };

  it('creates an issue', async () => {
    const { status, data } = await client().rest.issues.create({ ...repository, title: 'Crash', labels: ['bug'] });
    assert.deepEqual([status, data.number, data.title, data.labels], [201, 6, 'Crash', [{ name: 'bug' }]]);
  });

  it('pages over Link headers', async () => {
    const octokit = client();
    const issues = await octokit.paginate(octokit.rest.issues.listForRepo, { ...repository, per_page: 2 });
    assert.deepEqual(
      issues.map(({ number }) => number),
      [1, 2, 3, 4, 5],
    );
    assert.equal(setting.standIn.check().length, 3);
  });

  it("throws the API's 404", async () => {
    await assert.rejects(client().rest.issues.get({ ...repository, issue_number: 404 }), {
      name: 'HttpError',
      status: 404,
      message: 'Not Found - https://docs.github.com/rest',
    });
  });

  it('uploads an asset of a release', async () => {
    const data = Buffer.from('504b0506000000000000000000000000000000000000', 'hex');
    const headers = { 'content-type': 'application/zip', 'content-length': data.length };
    const asset = { ...repository, release_id: 1, name: 'a b.zip', data, headers, baseUrl: setting.url };
    const { data: uploaded } = await client().rest.repos.uploadReleaseAsset(asset);
    assert.deepEqual([uploaded.name, uploaded.size], ['a b.zip', 22]);
  });

  refused(setting, { use: (fetch, url) => client(fetch, url).rest.issues.get({ ...repository, issue_number: 1 }) });
});
