/**
 * The Slack bot, in one command.
 *
 *   node examples/slack-bot/start.mjs                          a conversation with stand-ins on this machine
 *   SLACK_CLIENT_ID=… node examples/slack-bot/start.mjs        with Slack, until it is stopped: see README.md
 */

import { once } from 'node:events';
import { Composio, Gateway } from 'proxy-execute';
import { startBot } from './bot.mjs';
import { converse } from './conversation.mjs';

const { env } = process;

function required(name) {
  if (!env[name]) throw new Error(`${name} is missing in the environment: see examples/slack-bot/README.md`);
  return env[name];
}

if (!env.SLACK_CLIENT_ID) {
  await converse(({ gateway }) => new Composio({ gateway }));
} else {
  const gateway = await Gateway.open({
    store: env.STORE ?? 'slack-bot.db',
    encryptionKey: required('PROXY_EXECUTE_ENCRYPTION_KEY'),
    publicUrl: required('GATEWAY_URL'),
  });
  await gateway.listen({ port: Number(env.GATEWAY_PORT ?? 9900) });
  const bot = await startBot({
    composio: new Composio({ gateway }),
    slack: {
      clientId: env.SLACK_CLIENT_ID,
      clientSecret: required('SLACK_CLIENT_SECRET'),
      signingSecret: required('SLACK_SIGNING_SECRET'),
    },
    github: env.GITHUB_CLIENT_ID && {
      clientId: env.GITHUB_CLIENT_ID,
      clientSecret: required('GITHUB_CLIENT_SECRET'),
    },
    port: Number(env.BOT_PORT ?? 3000),
    publicUrl: required('BOT_URL'),
    present: (link) => console.log(`Open this link as an administrator of the workspace: ${link}`),
  });
  console.log(`The bot runs in ${bot.team}. Slack sends its events to ${env.BOT_URL}/slack/events`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  bot.close();
  await gateway.close();
}
