//! The statements of links.
//!
//! A transaction that changes a link and its account locks the account first. Several gateways thus wait for
//! one another, and never in a circle.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::{AssertSqlSafe, Transaction};

use super::accounts;
use super::dialect::{Db, FOR_UPDATE, SqlStore, begin, begin_alone};
use crate::links::LINK_REMEMBERED;
use crate::{AccountChange, LinkEnd, LinkStart, Links, StoredLink, latest_link_end};

#[async_trait]
impl Links for SqlStore {
    async fn insert_link(&self, link: &StoredLink) -> Result<bool> {
        self.run(async {
            let mut transaction = begin(&self.writer).await?;
            // With the lock, two links that are created at once cannot both stay.
            if !lock_account(&mut transaction, &link.account_id).await? {
                return Ok(false);
            }
            sqlx::query("DELETE FROM links WHERE account_id = $1 AND finished_at IS NULL")
                .bind(&link.account_id)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "INSERT INTO links (token_hash, account_id, callback_url, scopes, expires_at, key_id) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&link.token_hash)
            .bind(&link.account_id)
            .bind(&link.callback_url)
            .bind(&link.scopes)
            .bind(link.expires_at)
            .bind(&link.key_id)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await.map(|()| true)
        })
        .await
    }

    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>> {
        let select = sqlx::query_as("SELECT * FROM links WHERE token_hash = $1").bind(token_hash);
        self.run(select.fetch_optional(&self.pool)).await
    }

    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>> {
        let select = sqlx::query_as("SELECT * FROM links WHERE state_hash = $1").bind(state_hash);
        self.run(select.fetch_optional(&self.pool)).await
    }

    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool> {
        let state = start.state.as_ref();
        self.run(async {
            let mut transaction = begin(&self.writer).await?;
            lock_account(&mut transaction, &link.account_id).await?;
            let done = sqlx::query(
                "UPDATE links SET browser_hash = $1, state_hash = $2, verifier = $3, given = $4, \
                 callback_url = CASE WHEN $6 IS NULL THEN callback_url ELSE $7 END, key_id = coalesce($6, key_id) \
                 WHERE token_hash = $5 AND finished_at IS NULL AND coalesce(browser_hash, $1) = $1",
            )
            .bind(&start.browser_hash)
            .bind(state.map(|state| &state.hash))
            .bind(state.map(|state| &state.verifier))
            .bind(state.map(|state| &state.given))
            .bind(&link.token_hash)
            .bind(state.map(|state| &state.key_id))
            .bind(state.and_then(|state| state.callback_url.as_ref()))
            .execute(&mut *transaction)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(
                "UPDATE connected_accounts SET own_status = 'INITIATED', updated_at = $1 \
                 WHERE id = $2 AND own_status = 'INITIALIZING'",
            )
            .bind(self.clock.now())
            .bind(&link.account_id)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await.map(|()| true)
        })
        .await
    }

    async fn take_state(&self, state_hash: &[u8]) -> Result<bool> {
        // The second of two gateways waits for the first, and then finds no row with this state.
        let update = sqlx::query(
            "UPDATE links SET state_hash = NULL, verifier = NULL, given = NULL WHERE state_hash = $1",
        )
        .bind(state_hash);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<LinkEnd> {
        self.run(async {
            let mut transaction = begin(&self.writer).await?;
            lock_account(&mut transaction, &link.account_id).await?;
            let done = sqlx::query(
                "UPDATE links SET finished_at = $1, state_hash = NULL, verifier = NULL, given = NULL \
                 WHERE token_hash = $2 AND finished_at IS NULL",
            )
            .bind(self.clock.now())
            .bind(&link.token_hash)
            .execute(&mut *transaction)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(LinkEnd::Used);
            }
            let mut update = accounts::update(&link.account_id, change, self.clock.now());
            if update.build().execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(LinkEnd::AccountChanged);
            }
            transaction.commit().await.map(|()| LinkEnd::Finished)
        })
        .await
    }

    async fn end_links(&self, account_id: &str) -> Result<()> {
        let update = sqlx::query(
            "UPDATE links SET finished_at = $1, state_hash = NULL, verifier = NULL, given = NULL \
             WHERE account_id = $2 AND finished_at IS NULL",
        )
        .bind(self.clock.now())
        .bind(account_id);
        self.run(update.execute(&self.writer)).await.map(drop)
    }

    async fn next_link_expiry(&self, at: i64) -> Result<Option<i64>> {
        let select = sqlx::query_scalar(
            "SELECT min(expires_at) FROM links WHERE expires_at > $1 AND finished_at IS NULL",
        )
        .bind(at);
        self.run(select.fetch_one(&self.pool)).await
    }

    async fn expire_links(&self, reason: &str, at: i64, lifetime: i64) -> Result<Vec<String>> {
        self.run(async {
            // All gateways do this at the same time. The statement locks many accounts, in any order.
            let mut transaction = begin_alone(&self.writer, "expire links").await?;
            let expired = sqlx::query_scalar(
                "UPDATE connected_accounts SET own_status = 'EXPIRED', status_reason = $1, updated_at = $2 \
                 WHERE status IN ('INITIALIZING', 'INITIATED') AND (id IN \
                 (SELECT account_id FROM links WHERE (expires_at <= $2 OR expires_at > $4) AND finished_at IS NULL) \
                 OR (updated_at <= $3 OR updated_at > $4) AND NOT EXISTS (SELECT 1 FROM links \
                 WHERE account_id = connected_accounts.id AND finished_at IS NULL)) RETURNING id",
            )
            .bind(reason)
            .bind(at)
            .bind(at.saturating_sub(lifetime))
            .bind(latest_link_end(at, lifetime))
            .fetch_all(&mut *transaction)
            .await?;
            sqlx::query("DELETE FROM links WHERE expires_at < $1")
                .bind(at.saturating_sub(LINK_REMEMBERED))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await.map(|()| expired)
        })
        .await
    }
}

/// Locks an account until the transaction ends. Returns false if it does not exist.
async fn lock_account(transaction: &mut Transaction<'_, Db>, id: &str) -> sqlx::Result<bool> {
    let select = format!("SELECT 1 FROM connected_accounts WHERE id = $1{FOR_UPDATE}");
    let found = sqlx::query(AssertSqlSafe(select)).bind(id).fetch_optional(&mut **transaction).await?;
    Ok(found.is_some())
}
