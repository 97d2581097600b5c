/** The bot of `examples/slack-bot` with the vendor's SDK, which differs in the import only. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Composio } from '@composio/core';
import { converse } from '../../examples/slack-bot/conversation.mjs';
import { Composio as Own } from '../../index.mjs';

/** The conversation, and the calls at Slack, without the random ids of accounts and links. */
async function conversation(open) {
  const lines = [];
  const { slackCalls } = await converse(open, (line) => lines.push(line));
  const text = JSON.stringify([lines, slackCalls]);
  return JSON.parse(text.replaceAll(/http:[^>"]*\/connect\/\w+/g, 'link').replaceAll(/\bca_\w+/g, 'ca_…'));
}

it('the Slack bot has the same conversation with the SDK as with this package', async () => {
  const sdk = await conversation(
    ({ apiKey, baseURL }) => new Composio({ apiKey, baseURL, allowTracking: false, disableVersionCheck: true }),
  );
  assert.ok(sdk[0].length > 40, `only ${sdk[0].length} lines`);
  assert.deepEqual(sdk, await conversation(({ gateway }) => new Own({ gateway })));
});
