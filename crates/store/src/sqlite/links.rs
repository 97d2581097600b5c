//! Links in SQLite.

use async_trait::async_trait;
use proxy_execute_protocol::Result;

use super::error::{Rule, broken, store_error};
use super::{SqliteStore, accounts};
use crate::links::LINK_REMEMBERED;
use crate::{AccountChange, LinkEnd, LinkStart, Links, StoredLink, latest_link_end};

#[async_trait]
impl Links for SqliteStore {
    async fn insert_link(&self, link: &StoredLink) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        sqlx::query("DELETE FROM links WHERE account_id = ? AND finished_at IS NULL")
            .bind(&link.account_id)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        let inserted = sqlx::query(
            "INSERT INTO links (token_hash, account_id, callback_url, scopes, expires_at, key_id) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&link.token_hash)
        .bind(&link.account_id)
        .bind(&link.callback_url)
        .bind(&link.scopes)
        .bind(link.expires_at)
        .bind(&link.key_id)
        .execute(&mut *transaction)
        .await;
        match inserted {
            Ok(_) => transaction.commit().await.map(|()| true).map_err(store_error),
            Err(error) if broken(&error) == Some(Rule::Reference) => Ok(false),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>> {
        sqlx::query_as("SELECT * FROM links WHERE token_hash = ?")
            .bind(token_hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>> {
        sqlx::query_as("SELECT * FROM links WHERE state_hash = ?")
            .bind(state_hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool> {
        let state = start.state.as_ref();
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let done = sqlx::query(
            "UPDATE links SET browser_hash = ?1, state_hash = ?2, verifier = ?3, given = ?4, \
             callback_url = CASE WHEN ?6 IS NULL THEN callback_url ELSE ?7 END, key_id = coalesce(?6, key_id) \
             WHERE token_hash = ?5 AND finished_at IS NULL AND coalesce(browser_hash, ?1) = ?1",
        )
        .bind(&start.browser_hash)
        .bind(state.map(|state| &state.hash))
        .bind(state.map(|state| &state.verifier))
        .bind(state.map(|state| &state.given))
        .bind(&link.token_hash)
        .bind(state.map(|state| &state.key_id))
        .bind(state.and_then(|state| state.callback_url.as_ref()))
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE connected_accounts SET own_status = 'INITIATED', updated_at = ? \
             WHERE id = ? AND own_status = 'INITIALIZING'",
        )
        .bind(self.clock.now())
        .bind(&link.account_id)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn take_state(&self, state_hash: &[u8]) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE links SET state_hash = NULL, verifier = NULL, given = NULL WHERE state_hash = ?",
        )
        .bind(state_hash)
        .execute(&self.writer)
        .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<LinkEnd> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let done = sqlx::query(
            "UPDATE links SET finished_at = ?, state_hash = NULL, verifier = NULL, given = NULL \
                 WHERE token_hash = ? AND finished_at IS NULL",
        )
        .bind(self.clock.now())
        .bind(&link.token_hash)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(LinkEnd::Used);
        }
        let changed = accounts::update(&link.account_id, change, self.clock.now())
            .build()
            .execute(&mut *transaction)
            .await;
        if changed.map_err(store_error)?.rows_affected() == 0 {
            return Ok(LinkEnd::AccountChanged);
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(LinkEnd::Finished)
    }

    async fn end_links(&self, account_id: &str) -> Result<()> {
        sqlx::query(
            "UPDATE links SET finished_at = ?, state_hash = NULL, verifier = NULL, given = NULL \
             WHERE account_id = ? AND finished_at IS NULL",
        )
        .bind(self.clock.now())
        .bind(account_id)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn next_link_expiry(&self, at: i64) -> Result<Option<i64>> {
        sqlx::query_scalar("SELECT min(expires_at) FROM links WHERE expires_at > ? AND finished_at IS NULL")
            .bind(at)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn expire_links(&self, reason: &str, at: i64, lifetime: i64) -> Result<Vec<String>> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let expired = sqlx::query_scalar(
            "UPDATE connected_accounts SET own_status = 'EXPIRED', status_reason = ?1, updated_at = ?2 \
             WHERE status IN ('INITIALIZING', 'INITIATED') AND (id IN \
             (SELECT account_id FROM links WHERE (expires_at <= ?2 OR expires_at > ?4) AND finished_at IS NULL) \
             OR (updated_at <= ?3 OR updated_at > ?4) AND NOT EXISTS (SELECT 1 FROM links \
             WHERE account_id = connected_accounts.id AND finished_at IS NULL)) RETURNING id",
        )
        .bind(reason)
        .bind(at)
        .bind(at.saturating_sub(lifetime))
        .bind(latest_link_end(at, lifetime))
        .fetch_all(&mut *transaction)
        .await
        .map_err(store_error)?;
        sqlx::query("DELETE FROM links WHERE expires_at < ?")
            .bind(at.saturating_sub(LINK_REMEMBERED))
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(expired)
    }
}
