/** `@slack/web-api` through `session.fetch`, and through one `fetch` for many workspaces. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LogLevel, WebClient } from '@slack/web-api';
import { connected, DUMMY, refused } from './setting.mjs';
import { slack, tokens } from './stand-ins/slack.mjs';

describe('@slack/web-api', () => {
  const setting = connected(slack);
  // The SDK retries each status but 200, for half an hour by default.
  const client = (fetch = setting.fetch, url = setting.url, token = DUMMY) =>
    new WebClient(token, { slackApiUrl: `${url}/api/`, fetch, retryConfig: { retries: 0 }, logLevel: LogLevel.ERROR });

  it('posts a message', async () => {
    const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: 'A *deploy* & more' } }];
    const posted = await client().chat.postMessage({ channel: 'C1', text: 'A deploy: ümlauts & more', blocks });
    assert.equal(posted.message.text, 'A deploy: ümlauts & more');
  });

  it('pages over cursors', async () => {
    const names = [];
    for await (const page of client().paginate('conversations.list', { limit: 2 })) {
      names.push(...page.channels.map(({ name }) => name));
    }
    assert.deepEqual(names, ['general', 'random', 'support']);
    assert.equal(setting.standIn.check().length, 2);
  });

  it('uploads a file', async () => {
    const file = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x00, 0xff]);
    const upload = { channel_id: 'C1', file, filename: 'notes.png', title: 'Notes' };
    const { files } = await client().filesUploadV2(upload);
    assert.deepEqual(files[0].files[0].channels, ['C1']);
    assert.equal(setting.standIn.check().length, 3);
  });

  it("throws the API's error", async () => {
    await assert.rejects(client().chat.postMessage({ channel: 'C404', text: 'x' }), {
      code: 'slack_webapi_platform_error',
      data: { ok: false, error: 'channel_not_found', response_metadata: {} },
    });
  });

  it('calls for each workspace through one fetch', async () => {
    const { gateway, composio, session } = setting;
    const credential = { authScheme: 'BEARER_TOKEN', val: { token: tokens[1] } };
    await gateway.connectedAccounts.import({ userId: 'cem', toolkit: 'slack', credential });
    const sessions = { T1: session, T2: await composio.create('cem', { toolkits: ['slack'] }) };
    // The SDK's key names the workspace, as that of `authorize` of Bolt may.
    const sessionOf = ({ headers }) => sessions[headers.get('authorization').replace(`Bearer ${DUMMY}-`, '')];
    const fetch = composio.fetch(sessionOf, 'slack');
    const teams = ['T1', 'T2', 'T1'].map((team) => client(fetch, setting.url, `${DUMMY}-${team}`).auth.test());
    assert.deepEqual(
      (await Promise.all(teams)).map(({ team_id }) => team_id),
      ['T1', 'T2', 'T1'],
    );
  });

  refused(setting, {
    use: (fetch, url) => client(fetch, url).auth.test(),
    status: (error) => error.statusCode,
  });
});
