// The payloads of Composio's webhooks: three forms, read into one.

import { fits } from './answer';
import type { WebhookVersion } from './constants';
import { ComposioWebhookPayloadError } from './errors';

/** An event, in the same form for every version of the payload. Texts that a version does not have are empty. */
export interface IncomingTriggerPayload {
  /** The trigger's id; the event's id for an event without a trigger. */
  id: string;
  /** The trigger's UUID, where the payload has one. */
  uuid: string;
  /** The kind of trigger, such as `GMAIL_NEW_GMAIL_MESSAGE`; the event's type for an event without a trigger. */
  triggerSlug: string;
  /** The toolkit, in upper case; `COMPOSIO` for an event without a trigger. */
  toolkitSlug: string;
  /** The user of the account. */
  userId: string;
  /** The event's data. */
  payload?: Record<string, unknown>;
  /** The event's data as it came; the whole event for an event without a trigger. */
  originalPayload?: Record<string, unknown>;
  /** The trigger and its account. */
  metadata: {
    id: string;
    uuid: string;
    toolkitSlug: string;
    triggerSlug: string;
    triggerConfig: Record<string, unknown>;
    connectedAccount: {
      id: string;
      uuid: string;
      authConfigId: string;
      authConfigUUID: string;
      userId: string;
      status: 'ACTIVE' | 'INACTIVE';
    };
  };
}

/** The payload of a webhook. */
export interface WebhookEvent {
  /** The form of the payload. */
  version: WebhookVersion;
  /** The event, in the same form for every version. */
  payload: IncomingTriggerPayload;
  /** The JSON of the payload. */
  rawPayload: Record<string, unknown>;
}

const V3 = { id: 'string', timestamp: 'string', type: 'string', metadata: {}, data: {} } as const;

/** The metadata of an event of a trigger, in the third form. */
const V3_TRIGGER = {
  log_id: 'string',
  trigger_slug: 'string',
  trigger_id: 'string',
  connected_account_id: 'string',
  auth_config_id: 'string',
  user_id: 'string',
} as const;

const V2_DATA = {
  connection_id: 'string',
  connection_nano_id: 'string',
  trigger_nano_id: 'string',
  trigger_id: 'string',
  user_id: 'string',
} as const;
const V2 = { type: 'string', timestamp: 'string', log_id: 'string', data: V2_DATA } as const;

const V1 = {
  trigger_name: 'string',
  connection_id: 'string',
  trigger_id: 'string',
  payload: {},
  log_id: 'string',
} as const;

/** Reads the text of a payload. */
export function webhookEvent(text: string): WebhookEvent {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new ComposioWebhookPayloadError('The payload of the webhook is not JSON.', { cause });
  }
  if (fits<WireV3>(raw, V3) && raw.type.startsWith('composio.')) return event('V3', raw, eventOfV3(raw));
  if (fits<WireV2>(raw, V2)) return event('V2', raw, eventOfV2(raw));
  if (fits<WireV1>(raw, V1)) return event('V1', raw, eventOfV1(raw));
  throw new ComposioWebhookPayloadError('The payload of the webhook is in none of the forms V1, V2 and V3.');
}

interface WireV3 {
  id: string;
  type: string;
  metadata: Record<string, unknown>;
  data: Record<string, unknown>;
}

interface WireV2 {
  type: string;
  data: Record<keyof typeof V2_DATA, string> & Record<string, unknown>;
}

interface WireV1 {
  trigger_name: string;
  connection_id: string;
  trigger_id: string;
  payload: Record<string, unknown>;
}

/** The parts of an event that the three forms have in common. */
interface Parts {
  id: string;
  uuid?: string;
  trigger: string;
  toolkit?: string;
  user?: string;
  account?: string;
  accountUuid?: string;
  authConfig?: string;
  data: Record<string, unknown>;
  original?: Record<string, unknown>;
}

function eventOfV3(raw: WireV3): Parts {
  const { id, type, metadata, data } = raw;
  if (!fits<Record<keyof typeof V3_TRIGGER, string>>(metadata, V3_TRIGGER)) {
    return { id, trigger: type, toolkit: 'COMPOSIO', data, original: { ...raw } };
  }
  return {
    id: metadata.trigger_id,
    trigger: metadata.trigger_slug,
    user: metadata.user_id,
    account: metadata.connected_account_id,
    authConfig: metadata.auth_config_id,
    data,
  };
}

function eventOfV2({ type, data }: WireV2): Parts {
  const { connection_id, connection_nano_id, trigger_nano_id, trigger_id, user_id, ...rest } = data;
  return {
    id: trigger_nano_id,
    uuid: trigger_id,
    trigger: type.toUpperCase(),
    user: user_id,
    account: connection_nano_id,
    accountUuid: connection_id,
    data: rest,
  };
}

function eventOfV1({ trigger_name: trigger, trigger_id: id, connection_id: account, payload: data }: WireV1): Parts {
  return { id, trigger, account, data };
}

function event(version: WebhookVersion, raw: object, parts: Parts): WebhookEvent {
  const { id, uuid = id, trigger: triggerSlug, user: userId = '', data, original = data } = parts;
  const { account = '', accountUuid = account, authConfig = '' } = parts;
  const { toolkit: toolkitSlug = triggerSlug.split('_')[0]?.toUpperCase() || 'UNKNOWN' } = parts;
  const trigger = { id, uuid, triggerSlug, toolkitSlug };
  const connectedAccount = {
    id: account,
    uuid: accountUuid,
    authConfigId: authConfig,
    authConfigUUID: authConfig,
    userId,
    status: 'ACTIVE' as const,
  };
  return {
    version,
    payload: {
      ...trigger,
      userId,
      payload: data,
      originalPayload: original,
      metadata: { ...trigger, triggerConfig: {}, connectedAccount },
    },
    rawPayload: { ...raw },
  };
}
