// The events of a gateway: what happened to connected accounts.

import type * as Native from '../native';
import type { ConnectedAccountStatus } from './account';
import { ComposioError } from './errors';
import { answerOf } from './native';
import { Check } from './validate';

/** The account of an event, as the change left it. It has no part of the credential. */
export interface EventAccount {
  /** The account's id, `ca_…`. */
  id: string;
  /** The user, by your own id of them. */
  userId: string;
  /** The toolkit. */
  toolkit: { slug: string };
  /** The auth config. */
  authConfig: { id: string; authScheme: string };
  /** Its name; null if it has none. */
  alias: string | null;
  /** The name that the gateway generated for it. */
  wordId: string;
  /** Its status after the change. */
  status: ConnectedAccountStatus;
  /** Whether it is disabled. */
  isDisabled: boolean;
  /** Whether other users may use it. */
  accountType: 'PRIVATE' | 'SHARED';
  /** When the access token expires, as an ISO 8601 date; null if that is unknown. */
  expiresAt: string | null;
  /** When it was created, as an ISO 8601 date. */
  createdAt: string;
  /** When it was changed, as an ISO 8601 date. */
  updatedAt: string;
}

/** The parts that all events have. */
export interface EventBase {
  /** The place of the event, for {@link EventsOptions.after}. */
  cursor: string;
  /** The id of the event. An event that is read again has the same id. */
  id: string;
  /** When it happened, as an ISO 8601 date. */
  at: string;
  /** The account, as the change left it. */
  connectedAccount: EventAccount;
}

/** An account has a new credential, by an import or a link. */
export interface ConnectedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.connected';
}

/** A connection failed: the account is FAILED. */
export interface FailedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.failed';
  /** Why. */
  reason: string | null;
}

/** A credential was refreshed. */
export interface RefreshedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.refreshed';
}

/** A refresh failed, and the gateway tries again later. */
export interface RefreshFailedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.refresh_failed';
  /** Why. */
  reason: string | null;
}

/** An account is EXPIRED: the provider refused a refresh permanently, or no user finished its link in time. */
export interface ExpiredEvent extends EventBase {
  /** The type. */
  type: 'connected_account.expired';
  /** Why. */
  reason: string | null;
}

/** The tokens of an account were revoked. */
export interface RevokedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.revoked';
  /** Why. */
  reason: string | null;
}

/** An access token expires within a day, or within a fifth of its lifetime, and nothing refreshes it. */
export interface ExpiringSoonEvent extends EventBase {
  /** The type. */
  type: 'connected_account.expiring_soon';
}

/** An account was disabled or enabled. */
export interface SwitchedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.disabled' | 'connected_account.enabled';
}

/** An account was deleted. `connectedAccount` is the account as it was. */
export interface DeletedEvent extends EventBase {
  /** The type. */
  type: 'connected_account.deleted';
}

/** An event of a gateway. `type` tells the kinds apart. Later versions may add types. */
export type GatewayEvent =
  | ConnectedEvent
  | FailedEvent
  | RefreshedEvent
  | RefreshFailedEvent
  | ExpiredEvent
  | RevokedEvent
  | ExpiringSoonEvent
  | SwitchedEvent
  | DeletedEvent;

/** The options of {@link Gateway.events}. */
export interface EventsOptions {
  /** The cursor of the last event that was handled. Default: only new events are returned. */
  after?: string;
  /** Ends the iteration with the signal's reason. */
  signal?: AbortSignal;
}

interface WireEvent {
  cursor: string;
  id: string;
  type: GatewayEvent['type'];
  at: string;
  reason: string | null;
  connected_account: {
    id: string;
    user_id: string;
    toolkit: string;
    auth_config_id: string;
    auth_scheme: string;
    alias: string | null;
    word_id: string;
    status: ConnectedAccountStatus;
    is_disabled: boolean;
    account_type: 'PRIVATE' | 'SHARED';
    expires_at: string | null;
    created_at: string;
    updated_at: string;
  };
}

interface WirePage {
  items: WireEvent[];
  cursor: string;
  is_last: boolean;
}

/** Follows the events of a gateway. */
export function eventsOf(
  native: Native.Gateway,
  options: EventsOptions,
): AsyncGenerator<GatewayEvent, void, undefined> {
  const check = new Check('events options');
  if (check.object(options, '', ['after', 'signal'])) {
    check.optionalText(options.after, 'after');
    check.optionalSignal(options.signal, 'signal');
  }
  check.done();
  const next = (after?: string) =>
    answerOf((cancel) => native.events(after, cancel), options.signal).then((text): WirePage => JSON.parse(text));
  // The place is taken now, so that events between this call and the first `next()` are not missed.
  const begin =
    options.after === undefined ? next() : Promise.resolve({ items: [], cursor: options.after, is_last: false });
  // The first `next()` of the iteration throws this error.
  begin.catch(() => {});
  return follow(begin, next);
}

async function* follow(
  begin: Promise<WirePage>,
  next: (after: string) => Promise<WirePage>,
): AsyncGenerator<GatewayEvent, void, undefined> {
  let page = await begin.catch(lastIfClosed);
  while (!page.is_last) {
    page = await next(page.cursor).catch(lastIfClosed);
    for (const event of page.items) yield toEvent(event);
  }
}

/** The page that ends the iteration of a closed gateway. */
function lastIfClosed(error: unknown): WirePage {
  if (error instanceof ComposioError && error.slug === 'GatewayClosed') return { items: [], cursor: '', is_last: true };
  throw error;
}

const WITH_REASON = new Set<string>(
  ['failed', 'refresh_failed', 'expired', 'revoked'].map((name) => `connected_account.${name}`),
);

function toEvent(event: WireEvent): GatewayEvent {
  const account = event.connected_account;
  const { type } = event;
  return {
    cursor: event.cursor,
    id: event.id,
    type,
    at: event.at,
    ...(WITH_REASON.has(type) ? { reason: event.reason } : {}),
    connectedAccount: {
      id: account.id,
      userId: account.user_id,
      toolkit: { slug: account.toolkit },
      authConfig: { id: account.auth_config_id, authScheme: account.auth_scheme },
      alias: account.alias,
      wordId: account.word_id,
      status: account.status,
      isDisabled: account.is_disabled,
      accountType: account.account_type,
      expiresAt: account.expires_at,
      createdAt: account.created_at,
      updatedAt: account.updated_at,
    },
  } as GatewayEvent;
}
