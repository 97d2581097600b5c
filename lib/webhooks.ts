// Webhook subscriptions of a gateway: where events are sent.

import type { Form } from './answer';
import type { BackendHandle } from './backend';
import { type Ask, askOn, checkFilter, type Page, type PageOptions, pageOf, toPage, type WirePage } from './resource';
import { type CallOptions, Check, id } from './validate';

/** A type of events that a webhook subscription may enable, such as `composio.connected_account.expired`. */
export type WebhookEventName =
  | `composio.connected_account.${
      | 'connected'
      | 'failed'
      | 'refreshed'
      | 'refresh_failed'
      | 'expired'
      | 'revoked'
      | 'expiring_soon'
      | 'disabled'
      | 'enabled'
      | 'deleted'}`
  | (string & {});

/** A webhook subscription to make. */
export interface CreateWebhookSubscription {
  /** Where the events are sent: an https URL. */
  webhookUrl: string;
  /** The types of the events, at least one. */
  enabledEvents: readonly WebhookEventName[];
}

/** Changes of a webhook subscription. Parts that are not named stay. */
export interface UpdateWebhookSubscription {
  /** Where the events are sent. Pending deliveries go there too. */
  webhookUrl?: string;
  /** The types of the events, at least one. */
  enabledEvents?: readonly WebhookEventName[];
}

/** A webhook subscription, without its secret. */
export interface WebhookSubscription {
  /** Its id, `whs_…`. */
  id: string;
  /** Where the events are sent. */
  webhookUrl: string;
  /** The form of the payload. */
  version: 'V3' | (string & {});
  /** The types of the events. */
  enabledEvents: WebhookEventName[];
  /** When it was created, as an ISO 8601 date. */
  createdAt: string;
  /** When it was changed, as an ISO 8601 date. */
  updatedAt: string;
}

/** A webhook subscription that was just created. */
export interface NewWebhookSubscription extends WebhookSubscription {
  /** The secret that signs the webhooks. It is shown once. */
  secret: string;
}

/** How far a delivery is: `pending` until the receiver has acknowledged it, `dead` after the last attempt. */
export type WebhookDeliveryStatus = 'pending' | 'delivered' | 'dead';

/** Which deliveries to list. `limit` is from 1 to 1 000, by default 20. */
export interface ListWebhookDeliveries extends PageOptions {
  /** Only deliveries with this status. Default: all. */
  status?: WebhookDeliveryStatus;
}

/** The delivery of an event to a subscription. */
export interface WebhookDelivery {
  /** The id of the event, which is the header `webhook-id`. */
  id: string;
  /** The cursor of the event, for {@link ReplayWebhooks.after}. */
  eventCursor: string;
  /** The type of the event. */
  eventType: WebhookEventName;
  /** How far it is. */
  status: WebhookDeliveryStatus;
  /** How many attempts have begun. */
  attempts: number;
  /** The status of the last response; null if the last attempt got none. */
  responseStatus: number | null;
  /** Why the last attempt failed; null if it did not. */
  problem: string | null;
  /** When the next attempt may begin, as an ISO 8601 date; null if there is none. */
  nextAttemptAt: string | null;
  /** When it was created, as an ISO 8601 date. */
  createdAt: string;
  /** When it was delivered or given up, as an ISO 8601 date; null before. */
  endedAt: string | null;
}

/** The deliveries to send again: those of all events behind a cursor, or those with these ids. */
export type ReplayWebhooks = {
  /** The cursor of an event. */
  after?: string;
  /** The ids of deliveries, at most 1 000. */
  deliveries?: readonly string[];
};

interface WireSubscription {
  id: string;
  webhook_url: string;
  version: string;
  enabled_events: string[];
  created_at: string;
  updated_at: string;
  secret?: string;
}

interface WireDelivery {
  id: string;
  event_cursor: string;
  event_type: string;
  status: WebhookDeliveryStatus;
  attempts: number;
  response_status: number | null;
  problem: string | null;
  next_attempt_at: string | null;
  created_at: string;
  ended_at: string | null;
}

const SUBSCRIPTION: Form = {
  id: 'string',
  webhook_url: 'string',
  version: 'string',
  enabled_events: ['string'],
  created_at: 'string',
  updated_at: 'string',
};
const DELIVERY: Form = { id: 'string', event_type: 'string', status: 'string', attempts: 'number' };
const ROOT = 'webhook_subscriptions';

/** The subscriptions of a gateway. */
export let webhooksOf: (backend: BackendHandle) => Webhooks;

/** The webhook subscriptions of a gateway, by {@link Gateway.webhooks}. */
export class Webhooks {
  readonly #ask: Ask;

  static {
    webhooksOf = (backend) => new Webhooks(backend);
  }

  private constructor(backend: BackendHandle) {
    this.#ask = askOn(backend);
  }

  /**
   * Creates a subscription. Events from now on are sent to it. Its secret is returned once.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {BadRequestError} If a type does not exist, or the gateway may not call the URL (slug `AddressRefused`).
   *
   * @example
   * ```ts
   * const { id, secret } = await gateway.webhooks.create({
   *   webhookUrl: 'https://example.com/webhooks',
   *   enabledEvents: ['composio.connected_account.expired'],
   * });
   * ```
   */
  async create(request: CreateWebhookSubscription, options?: CallOptions): Promise<NewWebhookSubscription> {
    const check = new Check('webhook subscription');
    if (check.object(request, '', ['webhookUrl', 'enabledEvents'])) {
      check.text(request.webhookUrl, 'webhookUrl', "for example 'https://example.com/webhooks'");
      check.texts(request.enabledEvents, 'enabledEvents');
    }
    check.done();
    const body = bodyOf(request);
    const form = { id: 'string', webhook_url: 'string', enabled_events: ['string'], secret: 'string' } as const;
    const made = await this.#ask<WireSubscription & { secret: string }>(
      { method: 'POST', path: [ROOT], body, form },
      options,
    );
    return { ...toSubscription(made), secret: made.secret };
  }

  /**
   * Lists the subscriptions, the newest first. Their secrets are not shown.
   *
   * @param page `limit`, from 1 to 50, and `cursor`.
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   *
   * @example
   * ```ts
   * for (const { id, webhookUrl } of (await gateway.webhooks.list()).items) console.log(id, webhookUrl);
   * ```
   */
  async list(page: PageOptions = {}, options?: CallOptions): Promise<Page<WebhookSubscription>> {
    checkFilter('list of webhook subscriptions', page, {}, 50);
    const query = { limit: page.limit, cursor: page.cursor };
    const found = await this.#ask<WirePage<WireSubscription>>(
      { method: 'GET', path: [ROOT], query, form: pageOf(SUBSCRIPTION) },
      options,
    );
    return toPage(found, toSubscription);
  }

  /**
   * Changes a subscription.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {NotFoundError} If there is no such subscription.
   *
   * @example
   * ```ts
   * await gateway.webhooks.update(id, { enabledEvents: ['composio.connected_account.deleted'] });
   * ```
   */
  async update(
    subscriptionId: string,
    change: UpdateWebhookSubscription,
    options?: CallOptions,
  ): Promise<WebhookSubscription> {
    id(subscriptionId, 'subscriptionId');
    const check = new Check('change of a webhook subscription');
    if (check.object(change, '', ['webhookUrl', 'enabledEvents'])) {
      check.optionalText(change.webhookUrl, 'webhookUrl');
      if (change.enabledEvents !== undefined) check.texts(change.enabledEvents, 'enabledEvents');
    }
    check.done();
    const request = {
      method: 'PATCH',
      path: [ROOT, subscriptionId],
      body: bodyOf(change),
      form: SUBSCRIPTION,
    } as const;
    return toSubscription(await this.#ask<WireSubscription>(request, options));
  }

  /**
   * Deletes a subscription with its deliveries.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {NotFoundError} If there is no such subscription.
   *
   * @example
   * ```ts
   * await gateway.webhooks.delete(id);
   * ```
   */
  async delete(subscriptionId: string, options?: CallOptions): Promise<void> {
    id(subscriptionId, 'subscriptionId');
    await this.#ask({ method: 'DELETE', path: [ROOT, subscriptionId] }, options);
  }

  /**
   * Replaces the secret of a subscription. For 24 hours, webhooks are signed with the previous secret too.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {NotFoundError} If there is no such subscription.
   *
   * @example
   * ```ts
   * const { secret } = await gateway.webhooks.rotateSecret(id);
   * ```
   */
  async rotateSecret(subscriptionId: string, options?: CallOptions): Promise<{ id: string; secret: string }> {
    id(subscriptionId, 'subscriptionId');
    const form = { id: 'string', secret: 'string' } as const;
    return this.#ask({ method: 'POST', path: [ROOT, subscriptionId, 'rotate_secret'], form }, options);
  }

  /**
   * Lists the deliveries of a subscription, the newest first.
   *
   * @param options `signal` and `timeout` (milliseconds).
   * @throws {ValidationError} If an argument is unknown or cannot be used.
   * @throws {NotFoundError} If there is no such subscription.
   *
   * @example
   * ```ts
   * const { items } = await gateway.webhooks.deliveries(id, { status: 'dead' });
   * ```
   */
  async deliveries(
    subscriptionId: string,
    filter: ListWebhookDeliveries = {},
    options?: CallOptions,
  ): Promise<Page<WebhookDelivery>> {
    id(subscriptionId, 'subscriptionId');
    checkFilter('list of deliveries', filter, { texts: ['status'] });
    const { status, limit, cursor } = filter;
    const found = await this.#ask<WirePage<WireDelivery>>(
      {
        method: 'GET',
        path: [ROOT, subscriptionId, 'deliveries'],
        query: { status, limit, cursor },
        form: pageOf(DELIVERY),
      },
      options,
    );
    return toPage(found, toDelivery);
  }

  /**
   * Sends deliveries again that were acknowledged or given up. Pending ones stay as they are.
   *
   * @param replay `after`, the cursor of an event: the deliveries of all later events. Or `deliveries`, their ids.
   * @param options `signal` and `timeout` (milliseconds).
   * @returns How many are sent again.
   * @throws {ValidationError} If an argument is missing, unknown or cannot be used.
   * @throws {NotFoundError} If there is no such subscription.
   * @throws {APIError} With the slug `EventsForgotten` if the cursor is too old.
   *
   * @example
   * ```ts
   * const { items } = await gateway.webhooks.deliveries(id, { status: 'dead' });
   * await gateway.webhooks.replay(id, { deliveries: items.map((delivery) => delivery.id) });
   * ```
   */
  async replay(subscriptionId: string, replay: ReplayWebhooks, options?: CallOptions): Promise<number> {
    id(subscriptionId, 'subscriptionId');
    const check = new Check('replay');
    if (check.object(replay, '', ['after', 'deliveries'])) {
      check.optionalText(replay.after, 'after');
      if (replay.deliveries !== undefined) check.texts(replay.deliveries, 'deliveries');
      if ((replay.after === undefined) === (replay.deliveries === undefined)) {
        check.wrong('after', 'or `deliveries` is needed, and not both.');
      }
    }
    check.done();
    const { after, deliveries } = replay;
    const { replayed } = await this.#ask<{ replayed: number }>(
      {
        method: 'POST',
        path: [ROOT, subscriptionId, 'replay'],
        body: { after, deliveries },
        form: { replayed: 'number' },
      },
      options,
    );
    return replayed;
  }
}

function bodyOf({ webhookUrl: webhook_url, enabledEvents: enabled_events }: UpdateWebhookSubscription): object {
  return { webhook_url, enabled_events };
}

function toSubscription(subscription: WireSubscription): WebhookSubscription {
  return {
    id: subscription.id,
    webhookUrl: subscription.webhook_url,
    version: subscription.version,
    enabledEvents: subscription.enabled_events,
    createdAt: subscription.created_at,
    updatedAt: subscription.updated_at,
  };
}

function toDelivery(delivery: WireDelivery): WebhookDelivery {
  return {
    id: delivery.id,
    eventCursor: delivery.event_cursor,
    eventType: delivery.event_type,
    status: delivery.status,
    attempts: delivery.attempts,
    responseStatus: delivery.response_status,
    problem: delivery.problem,
    nextAttemptAt: delivery.next_attempt_at,
    createdAt: delivery.created_at,
    endedAt: delivery.ended_at,
  };
}
