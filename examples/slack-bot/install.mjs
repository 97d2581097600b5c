/** Installs the bot in a workspace: one consent by an administrator, for all users. */

import { webApi } from './web-api.mjs';

/** The user of the gateway that the workspace bot's account belongs to. */
const OWNER = 'setup:workspace-bot';

/** The scopes of the bot: https://docs.slack.dev/reference/scopes */
const SCOPES = [
  'app_mentions:read',
  'assistant:write',
  'channels:history',
  'chat:write',
  'im:history',
  'im:write',
  'reactions:write',
  'users:read',
];

/** How long the bot waits for a consent. A gateway's link works for as long by default. */
export const CONSENT_TIME = 10 * 60 * 1000;

/** The auth config with the operator's own OAuth client. It is created once, and found by its name after that. */
export async function authConfigOf(composio, toolkit, { clientId, clientSecret, scopes }) {
  const name = `Slack bot example: ${toolkit}`;
  const { items } = await composio.authConfigs.list({ toolkit, limit: 100 });
  const existing = items.find((config) => config.name === name);
  if (existing) return existing.id;
  const { id } = await composio.authConfigs.create(toolkit, {
    type: 'use_custom_auth',
    authScheme: 'OAUTH2',
    name,
    credentials: { client_id: clientId, client_secret: clientSecret, scopes: scopes.join(',') },
  });
  return id;
}

/**
 * Connects the workspace bot, unless it is connected already, and opens its account to all users.
 *
 * @param present Shows the link to an administrator.
 */
export async function install({ composio, client, callbackUrl, slackURL, present }) {
  const slackbot = await authConfigOf(composio, 'slackbot', { ...client, scopes: SCOPES });
  const { sessionId } = await composio.create(OWNER, {
    toolkits: ['slackbot'],
    authConfigs: { slackbot },
    manageConnections: true,
  });
  const session = await composio.use(sessionId);
  const accountId = (await installed(composio, slackbot)) ?? (await connect(session, callbackUrl, present));

  // A session uses a SHARED account only if it pins it. Its own user may do so before others may.
  await session.update({ connectedAccounts: { slackbot: [accountId] } });
  const { team, team_id: teamId, user_id: botUserId } = await webApi(session, slackURL).authTest();
  await composio.connectedAccounts.updateAcl(accountId, { allowAllUsers: true });
  return { accountId, team, teamId, botUserId };
}

/** The account of an earlier run. */
async function installed(composio, authConfigId) {
  const { items } = await composio.connectedAccounts.list({
    authConfigIds: [authConfigId],
    statuses: ['ACTIVE'],
    accountType: 'SHARED',
  });
  return items[0]?.id;
}

/** Has an administrator consent, and returns the id of the account. */
export async function connect(session, callbackUrl, present) {
  const request = await session.authorize('slackbot', { callbackUrl, experimental: { accountType: 'SHARED' } });
  await present(request.redirectUrl);
  const account = await request.waitForConnection(CONSENT_TIME);
  return account.id;
}
