//! The data that the gateway stores: sessions, auth configs, connected accounts, links, API keys, calls,
//! administrative changes, events and webhooks.
//!
//! Each kind of row has a file with its type and its trait. [`Store`] combines these traits, and
//! [`SqliteStore`] and [`PostgresStore`] implement it. [`Cached`] wraps any store and caches the rows that calls look up. A store
//! gets secrets only in sealed form. All times are milliseconds since the Unix epoch.

mod accounts;
mod api_keys;
mod audit_log;
mod auth_configs;
mod cached;
mod calls;
mod check;
pub mod clock;
mod copy;
mod events;
mod figures;
mod key_check;
mod links;
mod migrations;
mod page;
mod postgres;
mod rule;
mod sealed;
mod sessions;
mod sqlite;
mod text;
mod webhooks;

use std::fmt;

use async_trait::async_trait;
use proxy_execute_protocol::Result;

pub use self::accounts::{
    AccountChange, AccountFilter, Accounts, Insertion, LEASE, LONGEST_PAUSE, RefreshEnd, SealedCredential,
    StoredAccount, StoredAcl, UserIds,
};
pub use self::api_keys::{ApiKeys, StoredKey};
pub use self::audit_log::{AuditFilter, AuditLog, AuditRow, AuditedChange, OWNER};
pub use self::auth_configs::{
    AuthConfigChange, AuthConfigFilter, AuthConfigs, SealedClient, StoredAuthConfig,
};
pub use self::cached::{Cached, Changed, ChangedRow, Changes};
pub use self::calls::{CallRecord, Calls};
pub use self::check::StoreCheck;
pub use self::clock::Clock;
pub use self::copy::{CopiedTable, copy_store};
pub use self::events::{ANNOUNCED_BEFORE, EVENTS_KEPT, EVENTS_KEPT_FOR, EventCursors, Events, StoredEvent};
pub use self::figures::{CacheFigures, PoolFigures, StoreFigures};
pub use self::key_check::KeyCheck;
pub use self::links::{LinkEnd, LinkStart, LinkState, Links, StoredLink, latest_link_end};
pub use self::page::{PageAsked, Rows};
pub use self::postgres::{PostgresOptions, PostgresStore};
pub use self::sealed::{KeyUse, ResealedRow, SealedCount, SealedRow, SealedRows, SealedTable};
pub use self::sessions::{Sessions, StoredSession};
pub use self::sqlite::SqliteStore;
pub use self::webhooks::{
    AttemptEnd, DELIVERED_KEPT_FOR, LeasedDelivery, Replay, SealedSecrets, StoredDelivery,
    StoredSubscription, SubscriptionChange, Webhooks,
};

/// All data that a gateway stores.
#[async_trait]
pub trait Store:
    Sessions
    + AuthConfigs
    + Accounts
    + Links
    + ApiKeys
    + Calls
    + AuditLog
    + Events
    + Webhooks
    + SealedRows
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// Checks that the database responds, that its schema is the one of this version, and that it was written
    /// with this key. Load balancers ask often, so the check is cheap: it reads a few rows.
    ///
    /// # Errors
    /// `StoreUnavailable`, `StoreCorrupt` or `WrongEncryptionKey`; `Internal` if a table is missing.
    async fn ready(&self, key: KeyCheck<'_>) -> Result<()>;

    /// Returns figures about the store. Lookups in caches are counted from the first call on.
    fn figures(&self) -> StoreFigures;

    /// Waits for running statements and closes the database.
    async fn close(&self);
}
