/**
 * How the bot replies. It talks in Slack as the workspace bot, with one account for all users. Everywhere else, it acts
 * as the user that wrote to it, with that user's own account.
 */

import { CONSENT_TIME } from './install.mjs';
import { escaped, SlackError, webApi } from './web-api.mjs';

/** How many sessions are kept for the next message of their thread. */
const KEPT_SESSIONS = 1_000;

/** The errors for a user that the ACL of the bot's account denies: in a new session, and in an earlier one. */
const DENIED = ['ToolRouterV2_InvalidConnectedAccountIds', 'SharedAccessDenied'];

/** Returns the function that replies to an event of Slack. */
export async function repliesOf({ composio, workspace, hasGithub, callbackUrl, slackURL, githubURL, run }) {
  const { accountId, teamId, botUserId } = workspace;
  const connectedAccounts = { slackbot: [accountId] };

  // The bot's own session, for users whose session fails.
  const service = await composio.create(`service:${teamId}`, {
    toolkits: ['slackbot'],
    connectedAccounts,
    manageConnections: false,
    workbench: { enable: false },
  });

  /** The ids of the sessions of threads, the oldest first. */
  const sessions = new Map();

  /** The session of a user in a thread. Calls in it are calls of this user. */
  async function sessionOf(user, thread) {
    const key = `${user} ${thread}`;
    const earlier = sessions.get(key);
    if (earlier) return composio.use(earlier);
    const session = await composio.create(`slack:${teamId}:${user}`, {
      connectedAccounts,
      manageConnections: { enable: true, callbackUrl, waitForConnections: true },
    });
    sessions.set(key, session.sessionId);
    if (sessions.size > KEPT_SESSIONS) sessions.delete(sessions.keys().next().value);
    return session;
  }

  /** The reply to a text. An agent would go here. It gets the text, and the session as its only way to APIs. */
  async function replyTo(text, context) {
    const command = text
      .replaceAll(/<@\w+>/g, '')
      .trim()
      .toLowerCase();
    if (/^who am i\b/.test(command)) return profile(context);
    if (/^count\b/.test(command)) return count(context);
    if (/^my github\b/.test(command)) return myGithub(context);
    return 'I know these: `who am I`, `count this thread`, `my GitHub`.';
  }

  /** Slack's own record of the user. */
  async function profile({ api, user }) {
    const { real_name, locale } = await api.userInfo(user);
    return `You are ${escaped(real_name)}, and your language is ${locale}.`;
  }

  /** The size of the thread, which Slack sends in pages. */
  async function count({ api, channel, thread }) {
    let messages = 0;
    let cursor;
    do {
      const page = await api.replies(channel, thread, cursor);
      messages += page.messages.length;
      cursor = page.response_metadata?.next_cursor || undefined;
    } while (cursor);
    return `This thread has ${messages} messages.`;
  }

  /** The user's own account at GitHub. Without one, the user gets a link, and the reply follows the consent. */
  async function myGithub({ session, api, user, channel, thread }) {
    if (!hasGithub) return 'This bot has no OAuth app at GitHub. Its README says how it gets one.';
    const { items } = await session.toolkits({ toolkits: ['github'] });
    if (items[0]?.connection?.isActive) return login(session);

    // In a channel, another user could open the link, and connect their account to this user's sessions.
    const request = await session.authorize('github', { callbackUrl });
    const direct = await api.openConversation(user);
    await api.postMessage(direct, `Connect your GitHub account: <${request.redirectUrl}>`);
    run(async () => {
      try {
        await request.waitForConnection(CONSENT_TIME);
      } catch {
        await api.postMessage(direct, 'Your GitHub account is not connected. Ask me again for a new link.');
        return;
      }
      await api.postMessage(channel, await login(session), thread);
    });
    return 'I sent you a link in a direct message. I continue here when your GitHub account is connected.';
  }

  async function login(session) {
    const { status, data } = await session.proxyExecute({
      toolkit: 'github',
      endpoint: `${githubURL}/user`,
      method: 'GET',
    });
    if (status !== 200) return `GitHub refused with status ${status}.`;
    return `At GitHub you are ${escaped(data.login)}, with ${data.public_repos} public repositories.`;
  }

  /** Replies to a mention in a channel, or to a direct message. */
  return async ({ team_id, event }) => {
    const isForBot = event.type === 'app_mention' || (event.type === 'message' && event.channel_type === 'im');
    if (team_id !== teamId || !isForBot || !event.user) return;
    // The bot's own messages are events too, and so are edits.
    if (event.user === botUserId || event.bot_id || event.subtype) return;

    const { user, channel, ts } = event;
    const thread = event.thread_ts ?? ts;
    let reply;
    try {
      const session = await sessionOf(user, thread);
      const api = webApi(session, slackURL);
      await api.addReaction(channel, ts, 'eyes');
      await api.setStatus(channel, thread, 'is working on it…', ['Reading your message…', 'Calling the APIs…']);
      reply = (await api.postMessage(channel, 'Working on it…', thread)).ts;
      const text = await replyTo(event.text, { session, api, user, channel, thread });
      await api.updateMessage(channel, reply, text);
    } catch (error) {
      const api = webApi(service, slackURL);
      const text = reasonOf(error);
      await (reply ? api.updateMessage(channel, reply, text) : api.postMessage(channel, text, thread));
    }
  };
}

/** The text for a user whose message failed. */
function reasonOf(error) {
  if (DENIED.includes(slugOf(error))) return 'You may not use this bot.';
  if (error instanceof SlackError) return `${error.message}.`;
  console.error(error);
  return 'That did not work. The log of the bot says why.';
}

/** The slug of a gateway's error, as this package and the vendor's SDK have it. */
export const slugOf = (error) => error?.slug ?? error?.error?.error?.slug;
