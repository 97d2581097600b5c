//! Events: what happened to connected accounts, in an order that readers can follow.
//!
//! Triggers of the database write an event in the transaction of the change. On PostgreSQL, a transaction may
//! commit after a later one, so a reader that follows the order of the insertions would miss its events. Events
//! therefore get their cursors after they were committed: one transaction at a time numbers those that it sees.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use proxy_execute_protocol::{AccountStatus, AccountType, AuthScheme, Result};
use tokio::time::sleep;

/// How long an event is kept, in milliseconds.
pub const EVENTS_KEPT_FOR: i64 = 7 * 24 * 60 * 60 * 1_000;

/// How many events are kept.
pub const EVENTS_KEPT: i64 = 100_000;

/// How long before its expiry an access token is announced that nothing refreshes, in milliseconds.
///
/// It is at most one fifth of the token's lifetime.
pub const ANNOUNCED_BEFORE: i64 = 24 * 60 * 60 * 1_000;

/// How often readers look for events of other gateways.
const LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);

/// An event, with the account as the change left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The place of the event in the list. It increases by one from event to event.
    pub cursor: i64,
    /// `msg_` and a UUID.
    pub id: String,
    /// The type on the wire, without `composio.`.
    pub event_type: String,
    /// When the change was made, by the clock of the database.
    pub at: i64,
    /// The account.
    pub account_id: String,
    /// The caller's own id of the user.
    pub user_id: String,
    /// The toolkit's slug.
    pub toolkit: String,
    /// The auth config of the account.
    pub auth_config_id: String,
    /// How the account signs requests.
    pub auth_scheme: AuthScheme,
    /// The name that the caller gave the account.
    pub alias: Option<String>,
    /// The name that the gateway generated for the account.
    pub word_id: String,
    /// The status after the change.
    pub status: AccountStatus,
    /// The reason for the status, or why a refresh failed.
    pub reason: Option<String>,
    /// Whether the account may not be used for now.
    pub is_disabled: bool,
    /// Whether other users than its own may use it.
    pub account_type: AccountType,
    /// When the access token expires; `None` if the expiry is unknown.
    pub expires_at: Option<i64>,
    /// When the account was created.
    pub created_at: i64,
    /// When the account was last changed.
    pub updated_at: i64,
}

/// The cursors of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCursors {
    /// That of the latest event; 0 before the first.
    pub last: i64,
    /// That of the latest event that was deleted for its age or by the limit; 0 if there is none.
    pub forgotten: i64,
}

/// The events of a store.
#[async_trait]
pub trait Events: Send + Sync {
    /// Gives committed events their cursors, and deletes events beyond the limits. Returns the cursors.
    async fn number_events(&self) -> Result<EventCursors>;

    /// Reads the events with the next cursors, oldest first.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>>;

    /// Reads the events of a user with greater cursors, oldest first.
    async fn events_of_user(&self, user_id: &str, after: i64, limit: u32) -> Result<Vec<StoredEvent>>;

    /// Deletes the events of a user, but for those of deleted accounts. Returns how many.
    ///
    /// Readers learn from the others that the accounts are gone. The cursors of the deleted events are skipped.
    async fn delete_events_of_user(&self, user_id: &str) -> Result<u64>;

    /// Writes an event for each access token that expires soon and that nothing refreshes, once. Returns how
    /// many there were.
    async fn announce_expiries(&self) -> Result<u64>;

    /// Waits until there may be new events. A write of this gateway counts from this call on, even before the
    /// result is awaited.
    fn may_have_events(&self) -> BoxFuture<'_, ()> {
        sleep(LOOKED_FOR_EVERY).boxed()
    }
}
