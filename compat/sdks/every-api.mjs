/**
 * Stand-ins of all APIs, a gateway on a port with an account of each, and a session: for the examples of
 * `docs/sdks.md`, whose SDKs know the real addresses of the APIs only, and for other languages.
 */

import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { Composio, Gateway } from '../../index.mjs';
import { fromItsAddress, openGateway } from './setting.mjs';
import { airtable } from './stand-ins/airtable.mjs';
import { anthropic } from './stand-ins/anthropic.mjs';
import { discord } from './stand-ins/discord.mjs';
import { drive } from './stand-ins/drive.mjs';
import { github } from './stand-ins/github.mjs';
import { graph } from './stand-ins/graph.mjs';
import { hubspot } from './stand-ins/hubspot.mjs';
import { linear } from './stand-ins/linear.mjs';
import { notion } from './stand-ins/notion.mjs';
import { openai } from './stand-ins/openai.mjs';
import { sendgrid } from './stand-ins/sendgrid.mjs';
import { slack } from './stand-ins/slack.mjs';
import { StandIn } from './stand-ins/stand-in.mjs';
import { stripe } from './stand-ins/stripe.mjs';
import { supabase } from './stand-ins/supabase.mjs';
import { twilio } from './stand-ins/twilio.mjs';

// Node.js 20 has no WebSocket, which the SDK of Supabase looks for.
globalThis.WebSocket ??= WebSocket;

const apis = [
  airtable,
  anthropic,
  discord,
  drive,
  github,
  graph,
  hubspot,
  linear,
  notion,
  openai,
  sendgrid,
  slack,
  stripe,
  supabase,
  twilio,
];
// `unused` is the key in the page's examples. It must not arrive.
const standIns = await Promise.all(apis.map((api) => StandIn.start({ ...api, forbidden: ['unused'] })));
const gateway = await openGateway(apis, standIns);
for (const { slug, account } of apis) {
  await gateway.connectedAccounts.import({ userId: 'ann', toolkit: slug, credential: account });
}

process.env.COMPOSIO_BASE_URL = (await gateway.listen()).url;
process.env.COMPOSIO_API_KEY = (await gateway.apiKeys.create()).key;
// Over the port: the tests of single SDKs call in process.
export const composio = new Composio();
export const session = await composio.create('ann');
process.env.SESSION_ID = session.sessionId;

/** Leads a `fetch` of a session, or of all sessions, to the stand-ins. */
function lead(prototype, toolkitAt) {
  const { fetch } = prototype;
  prototype.fetch = function (...args) {
    const index = apis.findIndex(({ slug }) => slug === args[toolkitAt]);
    return fromItsAddress(apis[index], fetch.apply(this, args), standIns[index].origin);
  };
}
lead(Object.getPrototypeOf(session), 0);
lead(Composio.prototype, 1);

// The page's definitions of toolkits are those that are tested.
const open = Gateway.open;
Gateway.open = async (options) => {
  for (const { slug, base_url, schemes } of options.toolkits) {
    const api = apis.find((api) => api.slug === slug);
    assert.equal(base_url.replace('{{project}}', 'project'), `${api.origins[0]}${api.path ?? ''}`);
    assert.deepEqual(schemes, api.schemes);
  }
  return open.call(Gateway, options);
};

/** Fails if a request of an example was not as its API wants it. */
export function check() {
  for (const standIn of standIns) standIn.check();
}

export async function end() {
  await gateway.close();
  for (const standIn of standIns) await standIn.close();
}
