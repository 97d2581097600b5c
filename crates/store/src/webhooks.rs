//! Webhook subscriptions, and the deliveries of events to them.
//!
//! The transaction that numbers an event inserts its deliveries. A gateway takes a lease of a delivery for each
//! attempt. If the gateway is killed, the lease ends by time, and another attempt begins.

use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{DeliveryStatus, Result};

use crate::{PageAsked, Rows};

/// How long a delivered event stays in the list, in milliseconds. A dead delivery stays as long as its event.
pub const DELIVERED_KEPT_FOR: i64 = 24 * 60 * 60 * 1_000;

/// A webhook subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubscription {
    /// `whs_…`
    pub id: String,
    /// Where the events are sent.
    pub url: String,
    /// The types of the events on the wire, as a JSON list.
    pub enabled_events: String,
    /// The secrets that sign.
    pub secrets: SealedSecrets,
    /// When the subscription was created.
    pub created_at: i64,
    /// When the subscription was last changed.
    pub updated_at: i64,
    /// The order of the subscriptions of one millisecond. The store assigns it.
    pub seq: i64,
}

/// The secrets of a subscription, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The secret.
    pub secret: Vec<u8>,
    /// The secret before the last rotation.
    pub previous: Option<Vec<u8>>,
    /// Until when the previous secret signs too.
    pub previous_until: Option<i64>,
    /// The key that sealed both.
    pub key_id: String,
}

/// A change of a subscription. Parts without a value stay.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChange {
    /// Where the events are sent.
    pub url: Option<String>,
    /// The types of the events, as a JSON list.
    pub enabled_events: Option<String>,
}

/// The delivery of an event to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// The id of the event.
    pub event_id: String,
    /// The cursor of the event.
    pub event: i64,
    /// The type of the event, without `composio.`.
    pub event_type: String,
    /// How far it is.
    pub status: DeliveryStatus,
    /// How many attempts have begun.
    pub attempts: i64,
    /// When the next attempt may begin.
    pub due_at: i64,
    /// The status of the response to the last attempt that ended.
    pub response_status: Option<i64>,
    /// Why the last attempt failed.
    pub problem: Option<String>,
    /// When the delivery was created.
    pub created_at: i64,
    /// When the delivery ended.
    pub ended_at: Option<i64>,
    /// The order of the deliveries of one millisecond.
    pub seq: i64,
}

/// A delivery whose next attempt a gateway makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedDelivery {
    /// The row.
    pub seq: i64,
    /// The cursor of the event.
    pub event: i64,
    /// The number of the attempt, from 1.
    pub attempt: i64,
    /// When the lease ends. An attempt that ends later changes nothing.
    pub leased_until: i64,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// How far the delivery is now.
    pub status: DeliveryStatus,
    /// When the next attempt may begin.
    pub due_at: i64,
    /// The status of the response.
    pub response_status: Option<i64>,
    /// Why the attempt failed.
    pub problem: Option<String>,
}

/// The deliveries that are sent again.
#[derive(Debug, Clone)]
pub enum Replay {
    /// Those of all events behind a cursor, also of events whose delivery is not in the list any more.
    After(i64),
    /// Those of the events with these ids.
    Events(Vec<String>),
}

/// The webhooks of a store.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Adds a subscription. Returns false if there are `most` already.
    async fn insert_subscription(&self, subscription: &StoredSubscription, most: u32) -> Result<bool>;

    /// Finds a subscription.
    async fn subscription(&self, id: &str) -> Result<Option<StoredSubscription>>;

    /// Reads a page of the subscriptions, newest first.
    async fn subscriptions(&self, page: &PageAsked) -> Result<Rows<StoredSubscription>>;

    /// Changes a subscription. Returns false if there is none with this id.
    async fn update_subscription(&self, id: &str, change: &SubscriptionChange) -> Result<bool>;

    /// Replaces the secrets of a subscription. Returns false if they are no longer those that were read.
    async fn replace_secrets(&self, read: &StoredSubscription, secrets: &SealedSecrets) -> Result<bool>;

    /// Deletes a subscription with its deliveries. Returns false if there is none with this id.
    async fn delete_subscription(&self, id: &str) -> Result<bool>;

    /// Lists the subscriptions with a delivery whose next attempt may begin, sorted by id.
    async fn due_subscriptions(&self) -> Result<Vec<String>>;

    /// Takes leases of deliveries whose next attempt may begin, the oldest first.
    async fn lease_deliveries(
        &self,
        subscription_id: &str,
        most: u32,
        lease: Duration,
    ) -> Result<Vec<LeasedDelivery>>;

    /// Notes the end of an attempt. Returns false if its lease has passed to another attempt, or the delivery was
    /// deleted.
    async fn end_attempt(&self, leased: &LeasedDelivery, end: &AttemptEnd) -> Result<bool>;

    /// Reads a page of the deliveries of a subscription, newest first.
    async fn deliveries(
        &self,
        subscription_id: &str,
        status: Option<DeliveryStatus>,
        page: &PageAsked,
    ) -> Result<Rows<StoredDelivery>>;

    /// Makes deliveries pending again that have ended. Returns how many there were.
    async fn replay(&self, subscription_id: &str, replay: Replay) -> Result<u64>;

    /// Deletes the deliveries that were acknowledged long ago. Returns how many there were.
    async fn delete_delivered(&self) -> Result<u64>;
}
