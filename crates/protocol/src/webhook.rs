//! Webhook subscriptions, as requests and responses name them.

#![expect(missing_docs, reason = "fields without a comment are named as the wire names them")]

use serde::{Deserialize, Serialize};

use crate::wire_name::wire_name;

/// The form of the payload. A gateway sends V3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WebhookVersion {
    V1,
    V2,
    V3,
}

/// The request that creates a webhook subscription. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookSubscription {
    /// Where the events are sent: an https URL of at most 2 048 characters.
    pub webhook_url: String,
    /// The types of the events, at least one.
    pub enabled_events: Vec<String>,
    /// `V3`, which is the default.
    pub version: Option<WebhookVersion>,
}

/// The request that changes a webhook subscription. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UpdateWebhookSubscription {
    pub webhook_url: Option<String>,
    pub enabled_events: Option<Vec<String>>,
    pub version: Option<WebhookVersion>,
}

/// Which webhook subscriptions to list.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListWebhookSubscriptions {
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 50))]
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// A webhook subscription, without its secret.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookSubscription {
    /// `whs_…`
    pub id: String,
    pub webhook_url: String,
    pub version: WebhookVersion,
    pub enabled_events: Vec<String>,
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: String,
}

/// A new webhook subscription. This type is not `Debug`, because it holds the secret.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_debug_implementations, reason = "it holds the secret")]
pub struct NewWebhookSubscription {
    #[serde(flatten)]
    pub subscription: WebhookSubscription,
    /// The secret that signs the webhooks. Only this response and that of a rotation have it.
    pub secret: String,
}

/// The new secret of a webhook subscription. This type is not `Debug`, because it holds the secret.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_debug_implementations, reason = "it holds the secret")]
pub struct RotatedWebhookSecret {
    pub id: String,
    /// The new secret. The previous one signs too for 24 hours.
    pub secret: String,
}

/// The types of events.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookEventTypes {
    pub items: Vec<WebhookEventType>,
}

/// A type of events.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookEventType {
    /// Such as `composio.connected_account.expired`.
    pub event_type: String,
    pub description: String,
    /// The versions of the payload: V3 alone.
    pub supported_versions: Vec<WebhookVersion>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// It is sent, or sent again.
    Pending,
    /// The receiver has acknowledged it.
    Delivered,
    /// All attempts failed.
    Dead,
}

wire_name!(DeliveryStatus);

/// Which deliveries to list.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListWebhookDeliveries {
    /// Only deliveries with this status.
    #[cfg_attr(feature = "openapi", param(value_type = Option<DeliveryStatus>))]
    pub status: Option<String>,
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// The delivery of an event to a subscription.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// The id of the event, which is the header `webhook-id`.
    pub id: String,
    /// The place of the event, from which a replay can begin.
    pub event_cursor: String,
    pub event_type: String,
    pub status: DeliveryStatus,
    /// How many attempts have begun.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub attempts: i64,
    /// The status of the last response; null if the last attempt got none.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub response_status: Option<i64>,
    /// Why the last attempt failed; null if it did not.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub problem: Option<String>,
    /// When the next attempt may begin; null if there is none.
    #[cfg_attr(feature = "openapi", schema(format = DateTime, required = true))]
    pub next_attempt_at: Option<String>,
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// When it was delivered or given up; null before.
    #[cfg_attr(feature = "openapi", schema(format = DateTime, required = true))]
    pub ended_at: Option<String>,
}

/// The deliveries to send again: those of all events behind a cursor, or deliveries. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReplayWebhooks {
    /// The `event_cursor` of a delivery: all later events of the enabled types are sent again.
    pub after: Option<String>,
    /// The ids of deliveries, at most 1 000.
    pub deliveries: Option<Vec<String>>,
}

/// The response to a replay.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayedWebhooks {
    /// How many deliveries are sent again. Those that were pending already do not count.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub replayed: u64,
}
