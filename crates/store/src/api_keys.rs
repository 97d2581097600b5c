//! API keys of callers on a port.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::Result;

/// An API key, without the key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredKey {
    /// `ak_…`
    pub id: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// SHA-256 of the key.
    pub hash: Vec<u8>,
    /// Area to level, as JSON; all when `None`.
    pub permissions: Option<String>,
    /// Networks it may be used from, as JSON; all when `None`.
    pub allowed_addresses: Option<String>,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used.
    pub last_used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// The API keys of a store.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Adds a key.
    async fn insert_key(&self, key: &StoredKey) -> Result<()>;

    /// The key with this hash, unless it is revoked.
    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>>;

    /// All keys, newest first.
    async fn keys(&self) -> Result<Vec<StoredKey>>;

    /// Notes that a key was used now.
    async fn touch_key(&self, key: &StoredKey) -> Result<()>;

    /// Revokes a key. False when there is none that is not yet revoked.
    async fn revoke_key(&self, id: &str) -> Result<bool>;
}
