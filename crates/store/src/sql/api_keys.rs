//! The statements of API keys.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::Result;

use super::dialect::SqlStore;
use crate::{ApiKeys, StoredKey};

#[async_trait]
impl ApiKeys for SqlStore {
    async fn insert_key(&self, key: &StoredKey) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO api_keys (id, name, hash, permissions, allowed_addresses, expires_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&key.id)
        .bind(&key.name)
        .bind(&key.hash)
        .bind(&key.permissions)
        .bind(&key.allowed_addresses)
        .bind(key.expires_at)
        .bind(key.created_at);
        self.run(insert.execute(&self.writer)).await.map(drop)
    }

    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>> {
        let select =
            sqlx::query_as("SELECT * FROM api_keys WHERE hash = $1 AND revoked_at IS NULL").bind(hash);
        Ok(self.run(select.fetch_optional(&self.pool)).await?.map(Arc::new))
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        let select = sqlx::query_as("SELECT * FROM api_keys ORDER BY created_at DESC, id");
        self.run(select.fetch_all(&self.pool)).await
    }

    async fn touch_key(&self, key: &StoredKey) -> Result<()> {
        let update = sqlx::query("UPDATE api_keys SET last_used_at = $1 WHERE id = $2")
            .bind(self.clock.now())
            .bind(&key.id);
        self.run(update.execute(&self.writer)).await.map(drop)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let update = sqlx::query("UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(self.clock.now())
            .bind(id);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }
}
