// The signature of a webhook of Composio: Standard Webhooks, with the text of the secret as the key.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { ComposioWebhookPayloadError, ComposioWebhookSignatureVerificationError } from './errors';
import { Check, kindOf } from './validate';
import { type WebhookEvent, webhookEvent } from './webhook-payload';

/** The most bytes of a payload, and the most characters of a header and of the secret. */
const LARGEST_PAYLOAD = 10 * 1024 * 1024;
const LONGEST_HEADER = 4096;

/** The age in seconds up to which a webhook is accepted. */
const TOLERANCE = 300;

/** A webhook and its headers. */
export interface VerifyWebhook {
  /** The header `webhook-id`. */
  id: string;
  /** The body of the request as it arrived: its text or its bytes, not the parsed JSON. At most 10 MiB. */
  payload: string | Uint8Array;
  /** The secret of the webhook subscription. */
  secret: string;
  /** The header `webhook-signature`. */
  signature: string;
  /** The header `webhook-timestamp`: seconds since 1970. */
  timestamp: string;
  /** The most seconds between the timestamp and now, in either direction. 0 is any number. Default: 300. */
  tolerance?: number;
}

/** A request that carries a webhook: a `Request` of `fetch`, or the body and headers of any other server. */
export type WebhookRequest = Request | { body: unknown; headers: unknown };

/** How a request that carries a webhook is read. */
export interface ParseWebhook {
  /** The secret of the webhook subscription. Without this key, the signature is not verified. */
  verifySecret?: string;
  /** The most seconds between the timestamp and now, in either direction. 0 is any number. Default: 300. */
  tolerance?: number;
}

/** Verifies the signature of a webhook, and reads its payload. */
export function verified(webhook: VerifyWebhook): WebhookEvent {
  const check = new Check('webhook');
  if (check.object(webhook, '', ['id', 'payload', 'secret', 'signature', 'timestamp', 'tolerance'])) {
    for (const name of ['id', 'signature', 'timestamp'] as const) {
      check.text(webhook[name], name, `pass the header \`webhook-${name}\``, LONGEST_HEADER);
    }
    check.text(webhook.secret, 'secret', 'pass the secret of the webhook subscription', LONGEST_HEADER);
    check.optionalWhole(webhook.tolerance, 'tolerance', 0);
    if (!isBody(webhook.payload)) {
      check.wrong('payload', `must be the request's body as it arrived, but is ${kindOf(webhook.payload)}.`);
    }
  }
  check.done();
  const { id, payload, secret, signature, timestamp, tolerance = TOLERANCE } = webhook;
  const body = bytesOf(payload);
  checkAge(timestamp, tolerance);
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64');
  // Every signature is compared, so that the time says nothing about the position of the right one.
  const matches = signature.split(' ').map((part) => matchesOf(part, expected));
  if (!matches.includes(true)) {
    throw new ComposioWebhookSignatureVerificationError('No signature of the webhook is one with this secret.', {
      suggestedFix:
        'Check the secret, and pass the body as it arrived: JSON that was parsed and written again differs.',
    });
  }
  return webhookEvent(body.toString());
}

/** Reads a request that carries a webhook, and verifies its signature if there is a secret. */
export async function parsed(request: WebhookRequest, options: ParseWebhook = {}): Promise<WebhookEvent> {
  const check = new Check('webhook');
  const isKnown = check.object(options, '', ['verifySecret', 'tolerance']);
  // A secret that is not set must not switch the verification off.
  if (isKnown && 'verifySecret' in options) {
    check.text(options.verifySecret, 'verifySecret', 'set the secret, or leave the key out to skip the verification');
  }
  check.record(request, 'request');
  check.done();
  const payload = await bodyOf(request);
  const { verifySecret: secret, tolerance } = options;
  if (secret === undefined) return webhookEvent(bytesOf(payload).toString());
  const header = (name: string) => headerOf(request.headers, `webhook-${name}`);
  const [id, signature, timestamp] = ['id', 'signature', 'timestamp'].map(header) as [string, string, string];
  return verified({ id, payload, secret, signature, timestamp, tolerance });
}

function checkAge(timestamp: string, tolerance: number): void {
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new ComposioWebhookPayloadError('The timestamp of the webhook is not a number of seconds.');
  }
  const age = Math.round(Date.now() / 1000 - Number(timestamp));
  if (tolerance === 0 || Math.abs(age) <= tolerance) return;
  throw new ComposioWebhookSignatureVerificationError(
    `The webhook was sent ${Math.abs(age)} s ${age < 0 ? 'in the future' : 'ago'}, and at most ${tolerance} s are accepted.`,
    { suggestedFix: "Check this machine's clock. An old webhook may be a replay." },
  );
}

function matchesOf(part: string, expected: string): boolean {
  const [version, value = ''] = part.split(',');
  const given = Buffer.from(value);
  const wanted = Buffer.from(expected);
  return version === 'v1' && given.length === wanted.length && timingSafeEqual(given, wanted);
}

function isBody(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array;
}

function bytesOf(body: string | Uint8Array): Buffer {
  // A character of a text is at least one byte.
  if (body.length > LARGEST_PAYLOAD) throw tooLarge();
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
  if (bytes.length > LARGEST_PAYLOAD) throw tooLarge();
  return bytes;
}

function tooLarge(): ComposioWebhookPayloadError {
  return new ComposioWebhookPayloadError('The payload of the webhook has more than 10 MiB.');
}

/** The body of a request. A body that a framework has parsed is written as JSON again, so its signature may differ. */
async function bodyOf(request: WebhookRequest): Promise<string | Uint8Array> {
  const { body } = request;
  if (isBody(body)) return body;
  if (!(body instanceof ReadableStream)) return JSON.stringify(body) ?? '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    size += chunk.length;
    if (size > LARGEST_PAYLOAD) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A header by its name in lower case: of `Headers`, or of an object with names in any case. */
function headerOf(headers: unknown, name: string): unknown {
  const { get } = Object(headers);
  if (typeof get === 'function') return get.call(headers, name) ?? undefined;
  const [, value] = Object.entries(Object(headers)).find(([key]) => key.toLowerCase() === name) ?? [];
  return Array.isArray(value) ? value[0] : value;
}
