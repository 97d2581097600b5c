//! What the gateway remembers: sessions, connected accounts, API keys and the record of calls.
//!
//! The store knows nothing of what it keeps: secrets reach it sealed, configurations as JSON. All
//! times are milliseconds since the Unix epoch.

mod sqlite;

use std::fmt;

use async_trait::async_trait;
use proxy_execute_protocol::Result;

pub(crate) use self::sqlite::SqliteStore;

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct StoredSession {
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// The `SessionConfig` of the wire, as JSON.
    pub(crate) config: String,
    /// Raised by one with every change.
    pub(crate) version: i64,
}

/// A connected account with its credential sealed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct StoredAccount {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) toolkit: String,
    pub(crate) alias: Option<String>,
    pub(crate) auth_scheme: String,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) is_disabled: bool,
    pub(crate) credential: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) expires_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// Which accounts to list, newest first. An empty list does not restrict.
#[derive(Debug, Default)]
pub(crate) struct AccountFilter {
    pub(crate) user_ids: Vec<String>,
    pub(crate) toolkits: Vec<String>,
    pub(crate) statuses: Vec<String>,
    /// Only accounts older than this one: the place where the last page ended.
    pub(crate) before: Option<(i64, String)>,
    pub(crate) limit: u32,
}

/// An API key, without the key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct StoredKey {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// SHA-256 of the key.
    pub(crate) hash: Vec<u8>,
    /// Area to level, as JSON; all when `None`.
    pub(crate) permissions: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) revoked_at: Option<i64>,
}

/// What is remembered of a call: never a query, a header or a body.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct CallRecord {
    pub(crate) at: i64,
    pub(crate) user_id: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) toolkit: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) method: String,
    pub(crate) host: Option<String>,
    pub(crate) path: Option<String>,
    /// `answered`, `cancelled`, or the slug of the error.
    pub(crate) outcome: String,
    /// The upstream's.
    pub(crate) status: Option<i64>,
    /// Of the answer's body.
    pub(crate) bytes: i64,
    pub(crate) duration_us: i64,
}

/// A place to remember things in.
#[async_trait]
pub(crate) trait Store: fmt::Debug + Send + Sync + 'static {
    async fn insert_session(&self, session: &StoredSession) -> Result<()>;
    async fn session(&self, id: &str) -> Result<Option<StoredSession>>;
    /// Replaces the configuration if the version is still `session.version`, and raises that.
    /// False when another change came first.
    async fn update_session(&self, session: &StoredSession) -> Result<bool>;
    /// False when there was none.
    async fn delete_session(&self, id: &str) -> Result<bool>;

    async fn insert_account(&self, account: &StoredAccount) -> Result<()>;
    async fn account(&self, id: &str) -> Result<Option<StoredAccount>>;
    async fn accounts(&self, filter: &AccountFilter) -> Result<Vec<StoredAccount>>;
    /// The user's most recently connected account of the toolkit that is active, enabled and not
    /// expired; else the most recent one of any state, so that it can be said what is wrong with it.
    async fn account_for_call(&self, user_id: &str, toolkit: &str) -> Result<Option<StoredAccount>>;
    /// False when there is none.
    async fn set_account_disabled(&self, id: &str, disabled: bool) -> Result<bool>;
    /// False when there was none.
    async fn delete_account(&self, id: &str) -> Result<bool>;

    async fn insert_key(&self, key: &StoredKey) -> Result<()>;
    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<StoredKey>>;
    async fn keys(&self) -> Result<Vec<StoredKey>>;
    async fn touch_key(&self, id: &str) -> Result<()>;
    /// False when there is none that is not yet revoked.
    async fn revoke_key(&self, id: &str) -> Result<bool>;

    /// Remembers calls, and forgets the oldest beyond the limit that the store was opened with.
    async fn insert_calls(&self, calls: &[CallRecord]) -> Result<()>;
    /// The newest calls first.
    async fn calls(&self, limit: u32) -> Result<Vec<CallRecord>>;

    /// Waits for what is under way and lets go of the database.
    async fn close(&self);
}
