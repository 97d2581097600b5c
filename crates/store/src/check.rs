//! The content of a store, as its check counts it.

use serde::Serialize;

use crate::KeyUse;

/// The content of a store that is intact.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct StoreCheck {
    /// The number of the last migration that was applied.
    pub schema_version: i64,
    /// How many migrations the next gateway that opens the store applies.
    pub pending_migrations: usize,
    /// The rows by the key that sealed them: the given keys first, in their order.
    pub encryption_keys: Vec<KeyUse>,
    /// How many connected accounts it has.
    pub accounts: i64,
    /// How many sessions it has.
    pub sessions: i64,
    /// How many API keys it has, revoked ones included.
    pub api_keys: i64,
    /// How many calls its record has.
    pub calls: i64,
}

impl StoreCheck {
    /// Fails if a table is missing.
    pub(crate) const TABLES: &'static str = "SELECT (SELECT 1 FROM sessions LIMIT 1), \
        (SELECT 1 FROM auth_configs LIMIT 1), (SELECT 1 FROM connected_accounts LIMIT 1), \
        (SELECT 1 FROM account_counts LIMIT 1), (SELECT 1 FROM links LIMIT 1), \
        (SELECT 1 FROM api_keys LIMIT 1), (SELECT 1 FROM calls LIMIT 1), \
        (SELECT 1 FROM audit_log LIMIT 1), (SELECT 1 FROM events LIMIT 1), \
        (SELECT 1 FROM event_cursors LIMIT 1), (SELECT 1 FROM webhook_subscriptions LIMIT 1), \
        (SELECT 1 FROM webhook_deliveries LIMIT 1)";

    /// Counts the accounts, the sessions, the API keys and the calls.
    pub(crate) const COUNTS: &'static str = "SELECT (SELECT count(*) FROM connected_accounts), \
        (SELECT count(*) FROM sessions), (SELECT count(*) FROM api_keys), (SELECT count(*) FROM calls)";
}
