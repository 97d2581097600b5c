/** Receives Slack's events: https://docs.slack.dev/apis/events-api */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { json } from './server.mjs';

const FIVE_MINUTES = 5 * 60;
/** How many ids of events are kept, to recognize retries. Slack retries an event for an hour at most. */
const KEPT_IDS = 10_000;

/** The signature of a request from Slack. */
export const signatureOf = (secret, timestamp, body) =>
  `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest('hex')}`;

/** Whether Slack sent this body, less than five minutes ago. */
export function isFromSlack(secret, headers, body, now = Date.now()) {
  const timestamp = headers['x-slack-request-timestamp'] ?? '';
  const signature = Buffer.from(headers['x-slack-signature'] ?? '');
  const expected = Buffer.from(signatureOf(secret, timestamp, body));
  const isRecent = /^\d+$/.test(timestamp) && Math.abs(now / 1000 - Number(timestamp)) <= FIVE_MINUTES;
  return signature.length === expected.length && timingSafeEqual(signature, expected) && isRecent;
}

/**
 * The reply to Slack's requests. `onEvent` gets each event once. Slack gets its response at once, because it sends an
 * event again after three seconds without one.
 */
export function receiver(signingSecret, onEvent) {
  const seen = new Set();
  return ({ headers, body }) => {
    if (!isFromSlack(signingSecret, headers, body)) return { status: 401 };
    const envelope = JSON.parse(body);
    if (envelope.type === 'url_verification') return json({ challenge: envelope.challenge });
    if (envelope.type !== 'event_callback' || seen.has(envelope.event_id)) return { status: 200 };
    seen.add(envelope.event_id);
    if (seen.size > KEPT_IDS) seen.delete(seen.values().next().value);
    onEvent(envelope);
    return { status: 200 };
  };
}
