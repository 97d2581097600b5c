/** The example of a Slack bot: its conversation, the form of its calls, and how it receives events. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Call, Composio, type ComposioOptions } from '../index.js';
import { portToComeBackTo } from './support/ports';

const folder = join(__dirname, '..', 'examples', 'slack-bot');
const load = (name: string) => import(pathToFileURL(join(folder, name)).href);

/** The text without the random ids of accounts. */
const steady = (text: string) => text.replaceAll(/\bca_\w+/g, 'ca_…');

const CONVERSATION = `\
An administrator installs helper in Acme. The browser ends at /connected?status=success&connected_account_id=ca_…
ann in #general: @helper who am I?
    helper: You are Ann Arbor, and your language is en-US.
ben in a direct message: who am I?
    helper: You are Ben & Co, and your language is de-DE.
guest in #general: @helper who am I?
    helper: Slack refused users.info: user_not_found.
ann in #general, in the thread: @helper sing a song
    helper: I know these: \`who am I\`, \`count this thread\`, \`my GitHub\`.
ann in #general, in the thread: @helper count this thread
    helper: This thread has 6 messages.
    (Slack sent this event three times. The bot replied once.)
ben in #general, in the thread: @helper count this thread
    helper: This thread has 8 messages.
ann in #general: @helper my GitHub
    helper: I sent you a link in a direct message. I continue here when your GitHub account is connected.
    helper to ann, in a direct message: Connect your GitHub account: <a link>
ann opens the link, and allows it at GitHub.
    helper: At GitHub you are ann-arbor, with 8 public repositories.
ben in #general: @helper my GitHub
    helper: I sent you a link in a direct message. I continue here when your GitHub account is connected.
    helper to ben, in a direct message: Connect your GitHub account: <a link>
ben opens the link, and allows it at GitHub.
    helper: At GitHub you are ben-and-co, with 3 public repositories.
ann in a direct message: my GitHub
    helper: At GitHub you are ann-arbor, with 8 public repositories.
The operator denies the bot to ben.
ben in #general, in the thread: @helper who am I?
    helper: You may not use this bot.
ben in #general: @helper who am I?
    helper: You may not use this bot.
ann in #general: @helper who am I?
    helper: You are Ann Arbor, and your language is en-US.
The bot restarts, without a new installation.
ann in #general, in the thread: @helper who am I?
    helper: You are Ann Arbor, and your language is en-US.
The operator installs a second bot, and pins both accounts in one session.
    The gateway refuses it: ToolRouterV2_MultipleSharedAccountsPerToolkit
An event with another secret is refused by the bot: 401
An event that is six minutes old is refused by the bot: 401
The gateway recorded which user acted through which account:
    setup:workspace-bot through the bot's shared account: auth.test (2)
    slack:T01ACME:U01ANN through the bot's shared account: reactions.add (7), assistant.threads.setStatus (7), chat.postMessage (9), users.info (3), chat.update (7), conversations.replies (2), conversations.open (1)
    slack:T01ACME:U01BEN through the bot's shared account: reactions.add (3), assistant.threads.setStatus (3), chat.postMessage (5), users.info (1), chat.update (3), conversations.replies (2), conversations.open (1)
    slack:T01ACME:U09GUEST through the bot's shared account: reactions.add (1), assistant.threads.setStatus (1), chat.postMessage (1), users.info (1)
    service:T01ACME through the bot's shared account: chat.update (1), chat.postMessage (2)
    slack:T01ACME:U01ANN through an account of their own: /user (2)
    slack:T01ACME:U01BEN through an account of their own: /user (1)
    slack:T01ACME:U01BEN through no account: SharedAccessDenied (1)
`;

it('starts with one command, and tells its conversation', async () => {
  const { SLACK_CLIENT_ID: _, ...env } = process.env;
  const start = join(folder, 'start.mjs');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [start], { env, timeout: 120_000 });
  assert.equal(stderr, '');
  assert.equal(steady(stdout), CONVERSATION);
});

it('names the variable of the environment that is missing', async () => {
  const env = { ...process.env, SLACK_CLIENT_ID: '1.2', PROXY_EXECUTE_ENCRYPTION_KEY: '' };
  const start = join(folder, 'start.mjs');
  await assert.rejects(promisify(execFile)(process.execPath, [start], { env }), {
    code: 1,
    stderr: /PROXY_EXECUTE_ENCRYPTION_KEY is missing in the environment/,
  });
});

it('with a Slack app in the environment, leads an administrator to Slack', async () => {
  const state = mkdtempSync(join(tmpdir(), 'proxy-execute-slack-bot-'));
  const port = await portToComeBackTo();
  const child = spawn(process.execPath, [join(folder, 'start.mjs')], {
    env: {
      ...process.env,
      STORE: join(state, 'slack-bot.db'),
      PROXY_EXECUTE_ENCRYPTION_KEY: '7'.repeat(64),
      GATEWAY_URL: `http://127.0.0.1:${port}`,
      GATEWAY_PORT: String(port),
      BOT_URL: 'https://bot.example.com',
      BOT_PORT: '0',
      SLACK_CLIENT_ID: '1.2',
      SLACK_CLIENT_SECRET: 'of the client',
      SLACK_SIGNING_SECRET: 'of events',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    const [line] = await once(createInterface(child.stdout), 'line');
    const link = /^Open this link as an administrator of the workspace: (\S+)$/.exec(line)?.[1] ?? assert.fail(line);
    const page = await fetch(link);
    const [cookie = ''] = page.headers.getSetCookie();
    const proof = /name="proof" value="([^"]*)"/.exec(await page.text())?.[1] ?? assert.fail('there is no form');
    const headers = { cookie: cookie.split(';')[0] ?? '' };
    const submitted = await fetch(link, { method: 'POST', headers, body: new URLSearchParams({ proof }) });
    const next = new URL(submitted.headers.get('refresh')?.replace('0;url=', '') ?? '');
    assert.equal(`${next.origin}${next.pathname}`, 'https://slack.com/oauth/v2/authorize');
    assert.equal(next.searchParams.get('client_id'), '1.2');
    assert.equal(next.searchParams.get('redirect_uri'), `http://127.0.0.1:${port}/connect/callback`);
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const [, listed = ''] = /and the bot scopes (.*?)\. Under/s.exec(readme) ?? [];
    assert.deepEqual(next.searchParams.get('scope')?.split(','), listed.match(/[\w:]+:\w+/g));
  } finally {
    child.kill();
    await exited;
    rmSync(state, { recursive: true });
  }
});

describe('a call of the bot', () => {
  let slackCalls: { method: string; verb: string; args: Record<string, unknown> }[];
  let calls: Call[];
  let accountId: string;

  before(async () => {
    const { converse } = await load('conversation.mjs');
    const open = ({ gateway }: ComposioOptions & { gateway: never }) => new Composio({ gateway });
    const conversation = await converse(open, () => {});
    ({ slackCalls, calls } = conversation);
    ({ accountId } = conversation.bot);
  });

  const MESSAGE = { mrkdwn: true, unfurl_links: false, unfurl_media: false };
  const THREAD = { channel: 'C01GENERAL', thread_ts: '1798761600.000001' };

  for (const [method, verb, args] of [
    ['auth.test', 'POST', {}],
    [
      'assistant.threads.setStatus',
      'POST',
      {
        channel_id: THREAD.channel,
        thread_ts: THREAD.thread_ts,
        status: 'is working on it…',
        loading_messages: ['Reading your message…', 'Calling the APIs…'],
      },
    ],
    ['conversations.open', 'POST', { users: 'U01ANN' }],
    ['chat.postMessage', 'POST', { ...THREAD, text: 'Working on it…', ...MESSAGE }],
    [
      'chat.update',
      'POST',
      {
        channel: THREAD.channel,
        ts: '1798761600.000002',
        text: 'You are Ann Arbor, and your language is en-US.',
        ...MESSAGE,
      },
    ],
    ['reactions.add', 'POST', { channel: THREAD.channel, timestamp: THREAD.thread_ts, name: 'eyes' }],
    ['conversations.replies', 'GET', { channel: THREAD.channel, ts: THREAD.thread_ts, limit: '200' }],
    ['users.info', 'GET', { user: 'U01ANN', include_locale: 'true' }],
  ] as const) {
    it(`${method} has the documented form`, () => {
      const first = slackCalls.find((call) => call.method === method);
      assert.deepEqual(first, { method, verb, args });
    });
  }

  it('for the next page of a thread has its cursor', () => {
    const pages = slackCalls.filter(({ method }) => method === 'conversations.replies');
    assert.deepEqual(
      pages.map(({ args }) => args.cursor),
      [undefined, '5', undefined, '5'],
    );
  });

  it('is recorded with the user that it is for, and the account', () => {
    const through = (userId: string) =>
      new Set(calls.filter((call) => call.userId === userId).map((call) => call.connectedAccountId));
    const ann = through('slack:T01ACME:U01ANN');
    const ben = through('slack:T01ACME:U01BEN');
    const both = [...ann].filter((account) => ben.has(account));
    assert.deepEqual(both, [accountId], 'the shared account is all that they have in common');
    assert.equal(ann.size, 2);
    assert.deepEqual(through('service:T01ACME'), new Set([accountId]));
  });

  it('reaches no API for a user that the ACL denies', () => {
    const denied = calls.filter(({ outcome }) => outcome === 'SharedAccessDenied');
    assert.deepEqual(
      denied.map(({ userId, status }) => [userId, status]),
      [['slack:T01ACME:U01BEN', null]],
    );
    const last = calls.findLast(({ userId, outcome }) => userId === 'slack:T01ACME:U01BEN' && outcome === 'answered');
    assert.ok(last && calls.indexOf(last) < calls.indexOf(denied[0] as Call));
  });
});

describe('an event of Slack', () => {
  const SECRET = '8f742231b10e8888abcd99yyyzzz85a5';
  const NOW = 1_531_420_618_000;
  let isFromSlack: (secret: string, headers: Record<string, string>, body: string, now: number) => boolean;
  let signatureOf: (secret: string, timestamp: string, body: string) => string;
  let receiver: (
    secret: string,
    onEvent: (event: { event_id: string }) => void,
  ) => (request: unknown) => { status: number; body?: string };

  before(async () => {
    ({ isFromSlack, signatureOf, receiver } = await load('events.mjs'));
  });

  const signed = (body: string, timestamp = String(NOW / 1000), secret = SECRET) => ({
    'x-slack-request-timestamp': timestamp,
    'x-slack-signature': signatureOf(secret, timestamp, body),
  });

  it('has the signature of the documentation', () => {
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar' +
      '&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com' +
      '%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
    const documented = 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503';
    assert.equal(signatureOf(SECRET, '1531420618', body), documented);
  });

  it('is accepted for five minutes, with its own signature', () => {
    const at = (seconds: number) => String(NOW / 1000 + seconds);
    const { 'x-slack-signature': signature } = signed('{}');
    for (const [name, headers, expected] of [
      ['now', signed('{}'), true],
      ['five minutes ago', signed('{}', at(-300)), true],
      ['five minutes ahead', signed('{}', at(300)), true],
      ['more than five minutes ago', signed('{}', at(-301)), false],
      ['more than five minutes ahead', signed('{}', at(301)), false],
      ['of another body', signed('{ }'), false],
      ['of another secret', signed('{}', at(0), 'other'), false],
      ['of another time', { ...signed('{}'), 'x-slack-request-timestamp': at(1) }, false],
      ['with a time that is not a number', signed('{}', 'now'), false],
      ['without a time', { 'x-slack-signature': signatureOf(SECRET, '', '{}') }, false],
      ['without a signature', { 'x-slack-request-timestamp': at(0) }, false],
      ['with a part of the signature', { ...signed('{}'), 'x-slack-signature': signature.slice(0, -1) }, false],
    ] as const) {
      assert.equal(isFromSlack(SECRET, headers, '{}', NOW), expected, name);
    }
  });

  it('is passed on once', () => {
    const events: string[] = [];
    const receive = receiver(SECRET, ({ event_id }) => events.push(event_id));
    const send = (event: object, secret = SECRET) => {
      const body = JSON.stringify(event);
      return receive({ headers: signed(body, String(Math.floor(Date.now() / 1000)), secret), body });
    };
    const first = { type: 'event_callback', event_id: 'Ev1' };
    assert.equal(send(first, 'other').status, 401);
    for (const event of [first, first, { ...first, event_id: 'Ev2' }, { type: 'app_rate_limited' }, first]) {
      assert.equal(send(event).status, 200);
    }
    assert.deepEqual(events, ['Ev1', 'Ev2']);
    const { body } = send({ type: 'url_verification', challenge: '3eZbrw1aB' });
    assert.deepEqual(JSON.parse(body ?? ''), { challenge: '3eZbrw1aB' });
  });
});
