//! The API keys that callers use on a port.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::Result;

/// An API key. The store keeps only the hash of the key.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// `ak_…`
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// SHA-256 of the key.
    pub hash: Vec<u8>,
    /// The level of each area, as JSON; `None` allows everything.
    pub permissions: Option<String>,
    /// The networks that the key may be used from, as JSON; `None` allows all networks.
    pub allowed_addresses: Option<String>,
    /// When the key expires.
    pub expires_at: Option<i64>,
    /// When the key was created.
    pub created_at: i64,
    /// When the key was last used.
    pub last_used_at: Option<i64>,
    /// When the key was revoked.
    pub revoked_at: Option<i64>,
}

/// The API keys of a store.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Adds a key.
    async fn insert_key(&self, key: &StoredKey) -> Result<()>;

    /// Finds the key with this hash, unless the key is revoked.
    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>>;

    /// Lists all keys, newest first.
    async fn keys(&self) -> Result<Vec<StoredKey>>;

    /// Notes that a key was used now.
    async fn touch_key(&self, key: &StoredKey) -> Result<()>;

    /// Revokes a key. Returns false if no key has this id, or the key is already revoked.
    async fn revoke_key(&self, id: &str) -> Result<bool>;
}
