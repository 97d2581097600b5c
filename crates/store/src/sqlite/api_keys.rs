//! API keys in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::Result;

use super::SqliteStore;
use super::error::store_error;
use crate::{ApiKeys, StoredKey};

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn insert_key(&self, key: &StoredKey) -> Result<()> {
        sqlx::query(
            "INSERT INTO api_keys (id, name, hash, permissions, allowed_addresses, expires_at, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&key.id)
        .bind(&key.name)
        .bind(&key.hash)
        .bind(&key.permissions)
        .bind(&key.allowed_addresses)
        .bind(key.expires_at)
        .bind(key.created_at)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>> {
        let found = sqlx::query_as("SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(found.map(Arc::new))
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        sqlx::query_as("SELECT * FROM api_keys ORDER BY created_at DESC, id")
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn touch_key(&self, key: &StoredKey) -> Result<()> {
        let update = sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE id = ?")
            .bind(self.clock.now())
            .bind(&key.id);
        update.execute(&self.writer).await.map(drop).map_err(store_error)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let update = sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(self.clock.now())
            .bind(id);
        let done = update.execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }
}
