/** The methods of Slack's Web API that the bot uses, each as a proxied call of a session. */

/** Slack reports a failure in the body of a response with status 200. */
export class SlackError extends Error {
  constructor(method, code) {
    super(`Slack refused ${method}: ${code}`);
    this.name = 'SlackError';
    this.code = code;
  }
}

/** Calls Slack as the workspace bot, if the session pins the bot's account. */
export function webApi(session, slackURL) {
  async function call(method, request) {
    const { status, data } = await session.proxyExecute({
      toolkit: 'slackbot',
      endpoint: `${slackURL}/${method}`,
      ...request,
    });
    if (status !== 200 || data?.ok !== true) throw new SlackError(method, data?.error ?? `status ${status}`);
    return data;
  }
  const post = (method, body) => call(method, { method: 'POST', body });
  const get = (method, query) => {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    return call(method, { method: 'GET', parameters: given.map(([name, value]) => ({ name, value, in: 'query' })) });
  };
  const unfurl = { unfurl_links: false, unfurl_media: false };

  return {
    authTest: () => post('auth.test', {}),
    /** Shows a status below the thread. The bot works without one, so that a failure has no effect. */
    setStatus: (channel_id, thread_ts, status, loading_messages) =>
      post('assistant.threads.setStatus', { channel_id, thread_ts, status, loading_messages }).catch(() => undefined),
    /** Opens the direct messages with a user, and returns their channel. */
    openConversation: async (users) => (await post('conversations.open', { users })).channel.id,
    postMessage: (channel, text, thread_ts) =>
      post('chat.postMessage', { channel, text, mrkdwn: true, thread_ts, ...unfurl }),
    updateMessage: (channel, ts, text) => post('chat.update', { channel, ts, text, mrkdwn: true, ...unfurl }),
    addReaction: (channel, timestamp, name) => post('reactions.add', { channel, timestamp, name }),
    /** One page of a thread's messages. */
    replies: (channel, ts, cursor) => get('conversations.replies', { channel, ts, limit: 200, cursor }),
    userInfo: async (user) => (await get('users.info', { user, include_locale: 'true' })).user,
  };
}

/** Text that Slack shows as it is: from elsewhere, it could otherwise mention `@channel`. */
export const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
