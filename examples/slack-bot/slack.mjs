/**
 * A stand-in of Slack on this machine, as strict as Slack where the bot could be wrong: OAuth, the token and scopes of
 * each call, arguments, and signed events that are retried.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { signatureOf } from './events.mjs';
import { json, serve } from './server.mjs';

const TEAM = { id: 'T01ACME', name: 'Acme' };
const BOT = { user: 'U01HELPER', bot: 'B01HELPER', name: 'helper' };
const USERS = {
  U01ANN: { id: 'U01ANN', name: 'ann', real_name: 'Ann Arbor', locale: 'en-US' },
  U01BEN: { id: 'U01BEN', name: 'ben', real_name: 'Ben & Co', locale: 'de-DE' },
};
/** The size of a page of a thread. Slack may return fewer messages than the call asks for. */
const PAGE = 5;

/** Slack's methods: the verb that the bot uses, the scope, and the arguments. `?` marks an optional one. */
const METHODS = {
  'auth.test': { verb: 'POST', args: [] },
  'assistant.threads.setStatus': {
    verb: 'POST',
    scope: 'assistant:write',
    args: ['channel_id', 'thread_ts', 'status', 'loading_messages?'],
  },
  'conversations.open': { verb: 'POST', scope: 'im:write', args: ['users'] },
  'chat.postMessage': {
    verb: 'POST',
    scope: 'chat:write',
    args: ['channel', 'text', 'mrkdwn?', 'thread_ts?', 'unfurl_links?', 'unfurl_media?'],
  },
  'chat.update': {
    verb: 'POST',
    scope: 'chat:write',
    args: ['channel', 'ts', 'text', 'mrkdwn?', 'unfurl_links?', 'unfurl_media?'],
  },
  'reactions.add': { verb: 'POST', scope: 'reactions:write', args: ['channel', 'timestamp', 'name'] },
  'conversations.replies': {
    verb: 'GET',
    scope: 'channels:history',
    args: ['channel', 'ts', 'limit?', 'cursor?'],
  },
  'users.info': { verb: 'GET', scope: 'users:read', args: ['user', 'include_locale?'] },
};

/** Starts it. `connect(url)` sets the Request URL of the app, as its settings do. */
export async function startSlack() {
  const secret = () => randomBytes(16).toString('hex');
  const app = { clientId: '1234.5678', clientSecret: secret(), signingSecret: secret(), redirectUris: [] };
  const codes = new Map();
  const tokens = new Map();
  const channels = new Map([['C01GENERAL', []]]);
  const calls = [];
  const changes = new EventEmitter();
  let requestUrl;
  let count = 0;

  const ts = () => {
    count += 1;
    return `1798761600.${String(count).padStart(6, '0')}`;
  };
  const fail = (error, more) => ({ ok: false, error, ...more });
  const find = (channel, at) => channels.get(channel)?.find((message) => message.ts === at);
  const directOf = (user) => `D${user.slice(1)}`;

  /** Sends an event to the app. Slack retries it if the app has no response with 2xx within three seconds. */
  async function deliver(envelope, retry = 0) {
    const body = JSON.stringify(envelope);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = {
      'content-type': 'application/json',
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': signatureOf(app.signingSecret, timestamp, body),
      ...(retry > 0 && { 'x-slack-retry-num': String(retry), 'x-slack-retry-reason': 'http_timeout' }),
    };
    const response = await fetch(requestUrl, { method: 'POST', headers, body, signal: AbortSignal.timeout(3_000) });
    if (!response.ok) throw new Error(`The bot refused an event with status ${response.status}.`);
    return response;
  }

  function envelopeOf(message, channel) {
    const isDirect = channel.startsWith('D');
    const type = isDirect ? 'message' : 'app_mention';
    return {
      type: 'event_callback',
      token: 'deprecated',
      team_id: TEAM.id,
      api_app_id: 'A01HELPER',
      event_id: `Ev${randomUUID()}`,
      event_time: Math.floor(Number(message.ts)),
      event: { ...message, type, channel, event_ts: message.ts, ...(isDirect && { channel_type: 'im' }) },
    };
  }

  function add(channel, message) {
    channels.get(channel).push(message);
    changes.emit('change');
    return message;
  }

  const run = {
    'auth.test': () => ({
      url: 'https://acme.slack.com/',
      team: TEAM.name,
      user: BOT.name,
      team_id: TEAM.id,
      user_id: BOT.user,
      bot_id: BOT.bot,
    }),
    'assistant.threads.setStatus': ({ channel_id, thread_ts }) =>
      find(channel_id, thread_ts) ? {} : fail('invalid_thread_ts'),
    'conversations.open': ({ users }) => {
      if (!USERS[users]) return fail('user_not_found');
      const id = directOf(users);
      const isNew = !channels.has(id);
      if (isNew) channels.set(id, []);
      return { channel: { id }, ...(!isNew && { no_op: true, already_open: true }) };
    },
    'chat.postMessage': ({ channel, text, thread_ts }) => {
      if (!channels.has(channel)) return fail('channel_not_found');
      if (text === '') return fail('no_text');
      const message = { user: BOT.user, bot_id: BOT.bot, text, ts: ts(), ...(thread_ts && { thread_ts }) };
      add(channel, message);
      // Slack sends a bot its own direct messages, too.
      if (channel.startsWith('D')) deliver(envelopeOf(message, channel)).catch((error) => console.error(error));
      return { channel, ts: message.ts, message };
    },
    'chat.update': ({ channel, ts: at, text }) => {
      const message = find(channel, at);
      if (!message) return fail('message_not_found');
      if (message.bot_id !== BOT.bot) return fail('cant_update_message');
      message.text = text;
      changes.emit('change');
      return { channel, ts: at, text };
    },
    'reactions.add': ({ channel, timestamp, name }) => {
      const message = find(channel, timestamp);
      if (!message) return fail('message_not_found');
      message.reactions ??= [];
      if (message.reactions.includes(name)) return fail('already_reacted');
      message.reactions.push(name);
      return {};
    },
    'conversations.replies': ({ channel, ts: at, limit = '1000', cursor = '0' }) => {
      if (!find(channel, at)) return fail('thread_not_found');
      const thread = channels.get(channel).filter((message) => message.ts === at || message.thread_ts === at);
      const end = Number(cursor) + Math.min(Number(limit), PAGE);
      const has_more = end < thread.length;
      const next_cursor = has_more ? String(end) : '';
      return { messages: thread.slice(Number(cursor), end), has_more, response_metadata: { next_cursor } };
    },
    'users.info': ({ user, include_locale }) => {
      if (!USERS[user]) return fail('user_not_found');
      const { locale, ...known } = USERS[user];
      return { user: { ...known, team_id: TEAM.id, is_bot: false, ...(include_locale === 'true' && { locale }) } };
    },
  };

  /** Calls a method of the Web API. */
  function call(method, { method: verb, url, headers, body }) {
    const rule = METHODS[method];
    if (!rule || verb !== rule.verb) return fail('unknown_method');
    const scopes = tokens.get(/^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]);
    if (!headers.authorization) return fail('not_authed');
    if (!scopes) return fail('invalid_auth');
    if (rule.scope && !scopes.includes(rule.scope)) {
      return fail('missing_scope', { needed: rule.scope, provided: scopes.join(',') });
    }
    const isJson = headers['content-type']?.startsWith('application/json');
    const given =
      verb === 'GET'
        ? Object.fromEntries(url.searchParams)
        : isJson
          ? JSON.parse(body)
          : Object.fromEntries(new URLSearchParams(body.toString()));
    calls.push({ method, verb, args: given });
    const missing = rule.args.find((name) => !name.endsWith('?') && given[name] === undefined);
    const unknown = Object.keys(given).find((name) => !rule.args.includes(name) && !rule.args.includes(`${name}?`));
    // Slack ignores unknown arguments. Here, one is an error in the bot.
    if (missing ?? unknown) return fail('invalid_arguments', { response_metadata: { messages: [missing ?? unknown] } });
    return { ok: true, ...run[method](given) };
  }

  /** The page of consent, on which the administrator agrees at once. */
  function authorize({ url: { searchParams } }) {
    const redirectUri = searchParams.get('redirect_uri');
    if (searchParams.get('client_id') !== app.clientId) return { status: 400, body: 'invalid_client_id' };
    if (!app.redirectUris.includes(redirectUri)) return { status: 400, body: 'bad_redirect_uri' };
    const scopes = (searchParams.get('scope') ?? '').split(',').filter(Boolean);
    if (scopes.length === 0) return { status: 400, body: 'invalid_scope' };
    const code = secret();
    codes.set(code, { scopes, redirectUri });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', searchParams.get('state'));
    return { status: 302, headers: { location: back.href } };
  }

  /** `oauth.v2.access`: a token of the bot for a code, once. */
  function access({ body }) {
    const form = new URLSearchParams(body.toString());
    if (form.get('client_id') !== app.clientId) return fail('invalid_client_id');
    if (form.get('client_secret') !== app.clientSecret) return fail('bad_client_secret');
    const consent = codes.get(form.get('code'));
    codes.delete(form.get('code'));
    if (!consent) return fail('invalid_code');
    if (form.get('redirect_uri') !== consent.redirectUri) return fail('bad_redirect_uri');
    const token = `xoxb-${secret()}`;
    tokens.set(token, consent.scopes);
    return {
      ok: true,
      access_token: token,
      token_type: 'bot',
      scope: consent.scopes.join(','),
      bot_user_id: BOT.user,
      app_id: 'A01HELPER',
      team: TEAM,
      enterprise: null,
      authed_user: { id: 'U01ADMIN' },
    };
  }

  const server = await serve((request) => {
    const { pathname } = request.url;
    if (pathname === '/oauth/v2/authorize') return authorize(request);
    if (pathname === '/api/oauth.v2.access') return json(access(request));
    if (pathname.startsWith('/api/')) return json(call(pathname.slice('/api/'.length), request));
    return { status: 404 };
  });

  return {
    app,
    calls,
    host: server.host,
    apiURL: `${server.url}/api`,
    close: server.close,
    directOf,

    /** The definition of the toolkit, which replaces the built-in one. */
    toolkit: {
      slug: 'slackbot',
      name: 'Slackbot, on this machine',
      base_url: `${server.url}/api`,
      schemes: {
        OAUTH2: {
          headers: { Authorization: 'Bearer {{access_token}}' },
          authorization_server: {
            authorize_url: `${server.url}/oauth/v2/authorize`,
            token_url: `${server.url}/api/oauth.v2.access`,
            scope_separator: ',',
            user_scope_parameter: 'user_scope',
            pkce: false,
          },
        },
      },
    },

    /** Sets the Request URL. Slack sends a challenge first, which the bot returns. */
    async connect(url) {
      requestUrl = url;
      const challenge = secret();
      const response = await deliver({ type: 'url_verification', token: 'deprecated', challenge });
      if ((await response.json()).challenge !== challenge) throw new Error('The bot did not return the challenge.');
    },

    /** A user writes a message. `times` is how often Slack sends its event. */
    async write(user, channel, text, { thread, times = 1 } = {}) {
      if (!channels.has(channel)) channels.set(channel, []);
      const message = add(channel, { user, text, ts: ts(), ...(thread && { thread_ts: thread }) });
      const envelope = envelopeOf(message, channel);
      for (let retry = 0; retry < times; retry += 1) await deliver(envelope, retry);
      return message;
    },

    messages: (channel) => channels.get(channel) ?? [],

    /** Waits until the bot's messages are as expected, and returns what `look` returns. */
    async until(look) {
      const signal = AbortSignal.timeout(20_000);
      for (;;) {
        const found = look();
        if (found) return found;
        await once(changes, 'change', { signal });
      }
    },
  };
}

export { BOT, USERS };
