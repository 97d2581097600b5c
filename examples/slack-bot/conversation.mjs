/** A conversation with the bot, with stand-ins of Slack and GitHub on this machine. */

import { Gateway } from 'proxy-execute';
import { startBot } from './bot.mjs';
import { visit } from './browser.mjs';
import { signatureOf } from './events.mjs';
import { startGithub } from './github.mjs';
import { connect } from './install.mjs';
import { slugOf } from './replies.mjs';
import { BOT, startSlack, USERS } from './slack.mjs';

const GENERAL = 'C01GENERAL';
const { U01ANN: ANN, U01BEN: BEN } = USERS;
/** A user of another workspace, whose record this workspace cannot read. */
const GUEST = { id: 'U09GUEST', name: 'guest' };
const NAMES = { [BOT.user]: BOT.name, [ANN.id]: ANN.name, [BEN.id]: BEN.name, [GUEST.id]: GUEST.name };
/** The user of each user's browser at GitHub. */
const AT_GITHUB = { [ANN.id]: 'ann-arbor', [BEN.id]: 'ben-and-co' };

/**
 * Has the conversation, and tells it line by line.
 *
 * @param open Creates the bot's `Composio` from `{ gateway, baseURL, apiKey }`: the gateway in this process, and its
 * address and key for an SDK that calls it over HTTP.
 * @returns The calls that reached Slack, and the gateway's record of calls.
 */
export async function converse(open, tell = console.log) {
  const [slack, github] = await Promise.all([startSlack(), startGithub()]);
  const gateway = await Gateway.open({
    toolkits: [slack.toolkit, github.toolkit],
    allowPrivateHosts: [slack.host, github.host],
  });
  const { url: baseURL } = await gateway.listen({ port: 0 });
  const { key: apiKey } = await gateway.apiKeys.create({ name: 'slack bot' });
  for (const { app } of [slack, github]) app.redirectUris.push(`${baseURL}/connect/callback`);
  const composio = open({ gateway, baseURL, apiKey });

  let bot;
  let ended;
  const present = async (link) => {
    ended = await visit(link);
  };
  async function start() {
    ended = undefined;
    bot = await startBot({
      composio,
      slack: slack.app,
      github: github.app,
      present,
      slackURL: slack.apiURL,
      githubURL: github.url,
    });
    await slack.connect(`${bot.url}/slack/events`);
  }
  await start();
  tell(`An administrator installs ${BOT.name} in ${bot.team}. The browser ends at ${ended.pathname}${ended.search}`);

  /** The bot's last message in a thread, when it is more than a sign of work. */
  const lastReply = (channel, thread, after) =>
    slack
      .messages(channel)
      .findLast(
        ({ user, ts, thread_ts, text }) =>
          user === BOT.user && ts > after && thread_ts === thread && text !== 'Working on it…',
      );

  /** A user writes, and the bot replies. */
  async function ask(user, channel, text, { thread, times } = {}) {
    const place = channel === GENERAL ? '#general' : 'a direct message';
    tell(
      `${NAMES[user.id]} in ${place}${thread ? ', in the thread' : ''}: ${text.replace(`<@${BOT.user}>`, '@helper')}`,
    );
    const { ts } = await slack.write(user.id, channel, text, { thread, times });
    const reply = await slack.until(() => lastReply(channel, thread ?? ts, ts));
    tell(`    ${BOT.name}: ${shown(reply.text)}`);
    return { thread: thread ?? ts, after: reply.ts };
  }

  const mention = `<@${BOT.user}>`;
  const { thread } = await ask(ANN, GENERAL, `${mention} who am I?`);
  await ask(BEN, slack.directOf(BEN.id), 'who am I?');
  await ask(GUEST, GENERAL, `${mention} who am I?`);
  await ask(ANN, GENERAL, `${mention} sing a song`, { thread });
  await ask(ANN, GENERAL, `${mention} count this thread`, { thread, times: 3 });
  tell('    (Slack sent this event three times. The bot replied once.)');
  await ask(BEN, GENERAL, `${mention} count this thread`, { thread });

  for (const user of [ANN, BEN]) {
    const asked = await ask(user, GENERAL, `${mention} my GitHub`);
    const direct = slack.directOf(user.id);
    const isLink = ({ text }) => text.startsWith('Connect your GitHub account');
    const { text } = await slack.until(() => slack.messages(direct).findLast(isLink));
    const link = /<(.+)>/.exec(text)[1];
    tell(`    ${BOT.name} to ${NAMES[user.id]}, in a direct message: ${text.replace(link, 'a link')}`);
    await visit(link, { [github.host]: `user=${AT_GITHUB[user.id]}` });
    tell(`${NAMES[user.id]} opens the link, and allows it at GitHub.`);
    const reply = await slack.until(() => lastReply(GENERAL, asked.thread, asked.after));
    tell(`    ${BOT.name}: ${reply.text}`);
  }
  await ask(ANN, slack.directOf(ANN.id), 'my GitHub');

  tell('The operator denies the bot to ben.');
  await composio.connectedAccounts.updateAcl(bot.accountId, { notAllowedUserIds: [`slack:${bot.teamId}:${BEN.id}`] });
  await ask(BEN, GENERAL, `${mention} who am I?`, { thread });
  await ask(BEN, GENERAL, `${mention} who am I?`);
  await ask(ANN, GENERAL, `${mention} who am I?`);

  bot.close();
  await start();
  tell(`The bot restarts, ${ended ? 'with' : 'without'} a new installation.`);
  await ask(ANN, GENERAL, `${mention} who am I?`, { thread });

  tell('The operator installs a second bot, and pins both accounts in one session.');
  const setup = await composio.create('setup:second-bot', { toolkits: ['slackbot'], multiAccount: { enable: true } });
  const second = await connect(setup, bot.callbackUrl, present);
  const refusal = await setup.update({ connectedAccounts: { slackbot: [bot.accountId, second] } }).then(
    () => 'nothing',
    (error) => error,
  );
  tell(`    The gateway refuses it: ${slugOf(refusal)}`);

  for (const [what, timestamp, secret] of [
    ['with another secret', Date.now() / 1000, 'another secret'],
    ['that is six minutes old', Date.now() / 1000 - 360, slack.app.signingSecret],
  ]) {
    const body = JSON.stringify({ type: 'event_callback', event_id: 'Ev0', team_id: bot.teamId, event: {} });
    const at = String(Math.floor(timestamp));
    const headers = { 'x-slack-request-timestamp': at, 'x-slack-signature': signatureOf(secret, at, body) };
    const { status } = await fetch(`${bot.url}/slack/events`, { method: 'POST', headers, body });
    tell(`An event ${what} is refused by the bot: ${status}`);
  }

  await bot.idle();
  const calls = (await gateway.calls.list({ limit: 1_000 })).reverse();
  tell('The gateway recorded which user acted through which account:');
  for (const [pair, counts] of counted(calls, bot.accountId)) tell(`    ${pair}: ${counts}`);

  bot.close();
  await gateway.close();
  slack.close();
  github.close();
  return { bot, calls, slackCalls: slack.calls };
}

/** A text as Slack shows it. */
const shown = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The calls of each user through each account, such as `auth.test (1), users.info (3)`. */
function counted(calls, sharedAccount) {
  const pairs = new Map();
  for (const { userId, connectedAccountId, path, outcome } of calls) {
    const account = connectedAccountId === sharedAccount ? "the bot's shared account" : 'an account of their own';
    const pair = connectedAccountId === null ? `${userId} through no account` : `${userId} through ${account}`;
    const name = path === null ? outcome : path.replace('/api/', '');
    const counts = pairs.get(pair) ?? new Map();
    pairs.set(pair, counts.set(name, (counts.get(name) ?? 0) + 1));
  }
  return [...pairs].map(([pair, counts]) => [
    pair,
    [...counts].map(([name, count]) => `${name} (${count})`).join(', '),
  ]);
}
