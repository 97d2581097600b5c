/** The bot: it listens for Slack's events, is installed in a workspace, and replies. */

import { receiver } from './events.mjs';
import { authConfigOf, install } from './install.mjs';
import { repliesOf } from './replies.mjs';
import { serve } from './server.mjs';

/** The page at the end of a link. The bot reads nothing from its address, which users could change. */
const CONNECTED = {
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: '<!doctype html><title>Connected</title><p>You can close this page, and return to Slack.',
};

/**
 * Installs the bot in a workspace, and runs it.
 *
 * @param options.composio A `Composio` of this package, or of the vendor's SDK.
 * @param options.slack The operator's Slack app: `{ clientId, clientSecret, signingSecret }`.
 * @param options.github Optionally the operator's OAuth app at GitHub: `{ clientId, clientSecret }`.
 * @param options.publicUrl The URL at which Slack and users reach this server. Default: its address on this machine.
 * @param options.present Shows the link of the installation to an administrator.
 */
export async function startBot({
  composio,
  slack,
  github,
  port,
  publicUrl,
  present,
  slackURL = 'https://slack.com/api',
  githubURL = 'https://api.github.com',
}) {
  const running = new Set();
  /** Runs work that no caller waits for. */
  const run = (work) => {
    const promise = work().catch((error) => console.error(error));
    running.add(promise);
    promise.finally(() => running.delete(promise));
  };

  /** Before the installation, events have no effect. */
  let reply = async () => {};
  const events = receiver(slack.signingSecret, (envelope) => run(() => reply(envelope)));
  const server = await serve((request) => {
    const route = `${request.method} ${request.url.pathname}`;
    if (route === 'POST /slack/events') return events(request);
    return route === 'GET /connected' ? CONNECTED : { status: 404 };
  }, port);
  const callbackUrl = `${publicUrl ?? server.url}/connected`;

  const workspace = await install({ composio, client: slack, callbackUrl, slackURL, present });
  if (github) await authConfigOf(composio, 'github', { ...github, scopes: ['read:user'] });
  reply = await repliesOf({ composio, workspace, hasGithub: Boolean(github), callbackUrl, slackURL, githubURL, run });

  return {
    ...workspace,
    url: server.url,
    callbackUrl,
    /** Resolves when the events so far have their replies. */
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
    close: server.close,
  };
}
