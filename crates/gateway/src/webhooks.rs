//! Webhook subscriptions: where events are sent (`docs/events.md`).

mod delivery;
mod envelope;

use std::sync::Arc;

use proxy_execute_protocol::{
    CreateWebhookSubscription, DeliveryStatus, Error, ErrorKind, ListWebhookDeliveries,
    ListWebhookSubscriptions, NewWebhookSubscription, Page, ReplayWebhooks, ReplayedWebhooks, Result,
    RotatedWebhookSecret, UpdateWebhookSubscription, WebhookDelivery, WebhookEventType, WebhookEventTypes,
    WebhookSubscription, WebhookVersion, quoted,
};
use proxy_execute_store::{
    Clock, Replay, SealedSecrets, Store, StoredDelivery, StoredSubscription, SubscriptionChange,
};
use secrecy::SecretString;
use url::Url;

pub(crate) use self::delivery::Deliveries;
use crate::clock::rfc3339;
use crate::egress::{Behalf, Egress};
use crate::page::ListCursor;
use crate::vault::{SealedField, Vault};
use crate::{bounds, events, id};

/// Upper limit for the subscriptions of a store.
const MOST_SUBSCRIPTIONS: u32 = 50;

/// Upper limit for the URL of a receiver.
const LONGEST_URL: usize = 2048;

/// How long the previous secret signs too after a rotation, in milliseconds.
const PREVIOUS_SECRET_FOR: i64 = 24 * 60 * 60 * 1_000;

const DEFAULT_PAGE: u32 = 20;
const MAX_DELIVERIES: u32 = 1_000;

/// The prefix of the types of events on the wire.
const PREFIX: &str = "composio.";

/// The types of events on the wire, each with its description.
const EVENT_TYPES: [(&str, &str); 12] = [
    ("composio.connected_account.connected", "The account has a credential, by an import or a link."),
    ("composio.connected_account.failed", "The user or the provider refused the connection."),
    ("composio.connected_account.refreshed", "The credential was refreshed."),
    ("composio.connected_account.refresh_failed", "A refresh failed, and the gateway tries again later."),
    (
        "composio.connected_account.expired",
        "The provider refused a refresh permanently, or the link of a new account ended unused.",
    ),
    ("composio.connected_account.revoked", "The tokens were revoked."),
    ("composio.connected_account.expiring_soon", "The access token expires soon, and has no refresh token."),
    ("composio.connected_account.disabled", "The account was disabled."),
    ("composio.connected_account.enabled", "The account was enabled."),
    ("composio.connected_account.deleted", "The account was deleted."),
    ("composio.trigger.message", "Accepted for the vendor's SDKs. A gateway has no triggers."),
    ("composio.trigger.disabled", "Accepted for the vendor's SDKs. A gateway has no triggers."),
];

/// The webhook subscriptions of a gateway.
#[derive(Debug, Clone)]
pub struct Webhooks {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) egress: Arc<Egress>,
}

impl Webhooks {
    /// Creates a subscription. Only this result contains the secret.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field, `AddressRefused` for a URL that the gateway may not call.
    pub async fn create(&self, request: CreateWebhookSubscription) -> Result<NewWebhookSubscription> {
        check_version(request.version)?;
        let (id, secret, at) = (id::random("whs"), id::secret("whsec"), self.clock.now());
        let stored = StoredSubscription {
            url: self.checked_url(&request.webhook_url)?,
            enabled_events: checked_events(&request.enabled_events)?,
            secrets: SealedSecrets {
                secret: self.vault.seal(place(&id, "secret"), &secret),
                previous: None,
                previous_until: None,
                key_id: self.vault.key_id().to_owned(),
            },
            created_at: at,
            updated_at: at,
            seq: 0,
            id,
        };
        // The events so far are not for this subscription, so they get their cursors before it exists.
        self.store.number_events().await?;
        if !self.store.insert_subscription(&stored, MOST_SUBSCRIPTIONS).await? {
            let message = format!("There are {MOST_SUBSCRIPTIONS} webhook subscriptions, the limit.");
            return Err(Error::new(ErrorKind::Conflict, message)
                .fix("Delete a subscription, or enable the types of events of an existing one."));
        }
        Ok(NewWebhookSubscription { subscription: shown(stored), secret })
    }

    /// Lists subscriptions, newest first.
    ///
    /// # Errors
    /// `InvalidRequest` for a limit or cursor that cannot be used.
    pub async fn list(&self, request: ListWebhookSubscriptions) -> Result<Page<WebhookSubscription>> {
        let cursor =
            ListCursor::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MOST_SUBSCRIPTIONS)?;
        let found = self.store.subscriptions(&cursor.asked()?).await?;
        Ok(cursor.page(found, |row| (row.created_at, row.seq.to_string()), shown))
    }

    /// Reads a subscription.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, id: &str) -> Result<WebhookSubscription> {
        self.find(id).await.map(shown)
    }

    /// Changes a subscription. Deliveries that are pending go to the new URL.
    ///
    /// # Errors
    /// `NotFound`, and those of [`Webhooks::create`].
    pub async fn update(&self, id: &str, request: UpdateWebhookSubscription) -> Result<WebhookSubscription> {
        check_version(request.version)?;
        let change = SubscriptionChange {
            url: request.webhook_url.map(|url| self.checked_url(&url)).transpose()?,
            enabled_events: request.enabled_events.map(|types| checked_events(&types)).transpose()?,
        };
        if !self.store.update_subscription(id, &change).await? {
            return Err(not_found(id));
        }
        self.get(id).await
    }

    /// Deletes a subscription with its deliveries.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self, id: &str) -> Result<()> {
        if self.store.delete_subscription(id).await? { Ok(()) } else { Err(not_found(id)) }
    }

    /// Replaces the secret of a subscription. The previous one signs too for a day.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` if the secret was replaced concurrently.
    pub async fn rotate_secret(&self, id: &str) -> Result<RotatedWebhookSecret> {
        let read = self.find(id).await?;
        let (secret, current) = (id::secret("whsec"), self.opened(&read, "secret", &read.secrets.secret)?);
        let sealed = SealedSecrets {
            secret: self.vault.seal(place(id, "secret"), &secret),
            previous: Some(self.vault.seal(place(id, "previous_secret"), exposed(&current))),
            previous_until: Some(self.clock.now() + PREVIOUS_SECRET_FOR),
            key_id: self.vault.key_id().to_owned(),
        };
        if !self.store.replace_secrets(&read, &sealed).await? {
            let message = format!("The secret of webhook subscription `{}` changed meanwhile.", quoted(id));
            return Err(Error::new(ErrorKind::Conflict, message).fix("Rotate it again."));
        }
        Ok(RotatedWebhookSecret { id: id.to_owned(), secret })
    }

    /// Lists the types of events that a subscription may enable.
    pub fn event_types(&self) -> WebhookEventTypes {
        let item = |(name, description): (&str, &str)| WebhookEventType {
            event_type: name.to_owned(),
            description: description.to_owned(),
            supported_versions: vec![WebhookVersion::V3],
        };
        WebhookEventTypes { items: EVENT_TYPES.map(item).into() }
    }

    /// Lists the deliveries of a subscription, newest first.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidRequest` for a parameter that cannot be used.
    pub async fn deliveries(
        &self,
        id: &str,
        request: ListWebhookDeliveries,
    ) -> Result<Page<WebhookDelivery>> {
        let cursor =
            ListCursor::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MAX_DELIVERIES)?;
        let status = request.status.map(|status| {
            DeliveryStatus::try_from(status.clone()).map_err(|_| {
                let message =
                    format!("status: `{}` is not one of pending, delivered, dead.", quoted(&status));
                Error::of_field(ErrorKind::InvalidRequest, "status", message)
            })
        });
        let status = status.transpose()?;
        self.find(id).await?;
        let found = self.store.deliveries(id, status, &cursor.asked()?).await?;
        Ok(cursor.page(found, |row| (row.created_at, row.seq.to_string()), shown_delivery))
    }

    /// Sends deliveries again that have ended.
    ///
    /// # Errors
    /// `NotFound`; `InvalidRequest` or `EventsForgotten` for a cursor that cannot be used.
    pub async fn replay(&self, id: &str, request: ReplayWebhooks) -> Result<ReplayedWebhooks> {
        let replay = match (request.after, request.deliveries) {
            (Some(after), None) => {
                let after = events::read_cursor(&after)?;
                events::check_cursor(after, self.store.number_events().await?)?;
                Replay::After(after)
            }
            (None, Some(ids)) => {
                bounds::listed(ids.len(), "deliveries")?;
                Replay::Events(ids)
            }
            _ => {
                let message = "The replay names neither or both of `after` and `deliveries`.";
                return Err(Error::new(ErrorKind::InvalidRequest, message).fix(
                    "Send the cursor of an event as `after`, or the ids of deliveries as `deliveries`.",
                ));
            }
        };
        self.find(id).await?;
        Ok(ReplayedWebhooks { replayed: self.store.replay(id, replay).await? })
    }

    async fn find(&self, id: &str) -> Result<StoredSubscription> {
        self.store.subscription(id).await?.ok_or_else(|| not_found(id))
    }

    fn opened(&self, read: &StoredSubscription, field: &'static str, sealed: &[u8]) -> Result<SecretString> {
        self.vault.open(place(&read.id, field), Some(&read.secrets.key_id), sealed).map_err(|error| {
            error.of(
                &format!("The secret of webhook subscription {}", read.id),
                "Delete the subscription, and create it again.",
            )
        })
    }

    /// Checks a receiver's URL as far as that needs no lookup.
    fn checked_url(&self, text: &str) -> Result<String> {
        let invalid = |fact: &str| {
            let message = format!("webhook_url: {fact}");
            Error::of_field(ErrorKind::InvalidRequest, "webhook_url", message)
                .fix("Send an https URL such as https://example.com/webhooks.")
        };
        if text.len() > LONGEST_URL {
            return Err(invalid(&format!("is longer than {LONGEST_URL} bytes, the limit.")));
        }
        let url = Url::parse(text).map_err(|error| invalid(&format!("is not a URL ({error}).")))?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err(invalid("is not an https URL."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("has a user name or password. The signature authenticates webhooks."));
        }
        self.egress.check(&url, &Behalf::Webhook)?;
        Ok(url.into())
    }
}

/// The place of a sealed secret.
fn place<'a>(id: &'a str, field: &'static str) -> SealedField<'a> {
    SealedField { table: "webhook_subscriptions", row: id, field }
}

fn exposed(secret: &SecretString) -> &str {
    secrecy::ExposeSecret::expose_secret(secret)
}

fn check_version(version: Option<WebhookVersion>) -> Result<()> {
    match version {
        None | Some(WebhookVersion::V3) => Ok(()),
        Some(version) => {
            let message = format!("version: a gateway sends V3 only, and not {version:?}.");
            Err(Error::of_field(ErrorKind::InvalidRequest, "version", message)
                .fix("Send V3, or leave `version` out."))
        }
    }
}

/// Checks types of events, and returns them as the store keeps them.
fn checked_events(types: &[String]) -> Result<String> {
    let invalid = |message| Error::of_field(ErrorKind::InvalidRequest, "enabled_events", message);
    if types.is_empty() {
        return Err(invalid("enabled_events: names no type of events.".to_owned())
            .fix("GET …/webhook_subscriptions/event_types lists the types."));
    }
    let is_unknown = |name: &&String| !EVENT_TYPES.iter().any(|(known, _)| known == name);
    if let Some(unknown) = types.iter().find(is_unknown) {
        return Err(invalid(format!("enabled_events: there is no type `{}`.", quoted(unknown)))
            .fix("GET …/webhook_subscriptions/event_types lists the types."));
    }
    let mut types = types.to_vec();
    let mut seen = std::collections::HashSet::new();
    types.retain(|name| seen.insert(name.clone()));
    Ok(serde_json::json!(types).to_string())
}

fn not_found(id: &str) -> Error {
    let message = format!("Webhook subscription `{}` was deleted already, or never existed.", quoted(id));
    Error::new(ErrorKind::NotFound, message)
}

fn shown(stored: StoredSubscription) -> WebhookSubscription {
    WebhookSubscription {
        id: stored.id,
        webhook_url: stored.url,
        version: WebhookVersion::V3,
        enabled_events: serde_json::from_str(&stored.enabled_events).unwrap_or_default(),
        created_at: rfc3339(stored.created_at),
        updated_at: rfc3339(stored.updated_at),
    }
}

fn shown_delivery(stored: StoredDelivery) -> WebhookDelivery {
    let is_pending = stored.status == DeliveryStatus::Pending;
    WebhookDelivery {
        id: stored.event_id,
        event_cursor: stored.event.to_string(),
        event_type: format!("{PREFIX}{}", stored.event_type),
        status: stored.status,
        attempts: stored.attempts,
        response_status: stored.response_status,
        problem: stored.problem,
        next_attempt_at: is_pending.then(|| rfc3339(stored.due_at)),
        created_at: rfc3339(stored.created_at),
        ended_at: stored.ended_at.map(rfc3339),
    }
}
