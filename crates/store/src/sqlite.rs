//! The store in SQLite: in memory, or in a file.
//!
//! A statement that is long, or made of parts, is built in the file of what it is about; this one
//! carries them out, and forgets what they make out of date in memory ([`super::cache`]).

mod accounts;
mod auth_configs;
mod calls;
mod error;
mod opening;
mod page;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{Error, ErrorKind, Result, SessionConfig};
use sqlx::sqlite::SqlitePool;
use tokio::runtime::Handle;

use self::accounts::{ACCOUNTS, BEST_FIRST, FROM_CONFIG};
use self::error::{Rule, broken, store_error};
pub use self::opening::KeyCheck;
use super::cache::{AccountKey, Recent};
use super::{
    AccountChange, AccountFilter, AuthConfigChange, AuthConfigFilter, CallRecord, Insertion, LINK_REMEMBERED,
    LONGEST_LEASE, LONGEST_PAUSE, LinkEnd, LinkStart, RefreshEnd, Rows, Store, StoredAccount,
    StoredAuthConfig, StoredKey, StoredLink, StoredSession, latest_link_end,
};
use crate::clock::{STEP, now};

/// A SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    /// The one connection that writes. SQLite has one writer at a time anyway, and this one knows
    /// when another process has written (`data_version`). In memory, the connection of everything.
    writer: SqlitePool,
    is_shared: bool,
    recent: Recent,
    calls_kept: i64,
    /// The runtime that the store was opened on.
    runtime: Handle,
}

/// A write whose caller may go away before it has ended.
struct Unfinished<'a, F: Send + 'static> {
    store: &'a SqliteStore,
    forget: Option<F>,
}

impl<F: Send + 'static> Drop for Unfinished<'_, F> {
    fn drop(&mut self) {
        let Some(forget) = self.forget.take() else { return };
        let writer = self.store.writer.clone();
        self.store.runtime.spawn(async move {
            // The one connection is to be had again when it has done what it was asked for.
            while matches!(writer.acquire().await, Err(sqlx::Error::PoolTimedOut)) {}
            drop(forget);
        });
    }
}

impl SqliteStore {
    /// Forgets what is kept of the database if another process has written to it.
    async fn notice_writes(&self) -> Result<()> {
        if !self.is_shared || !self.recent.is_due() {
            return Ok(());
        }
        match self.writer.try_acquire() {
            Some(mut writer) => {
                let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *writer).await;
                self.recent.is_at(version.map_err(store_error)?);
            }
            // It writes, or waits until another process has written. Calls wait for neither: what they
            // look up is read.
            None => self.recent.forget_all(),
        }
        Ok(())
    }

    /// Carries out a write, and drops `forget` when it has ended. That may be after its caller has
    /// gone away: SQLite carries out a statement that nobody waits for any more.
    async fn write<T>(&self, forget: impl Send + 'static, write: impl Future<Output = T>) -> T {
        let mut unfinished = Unfinished { store: self, forget: Some(forget) };
        let done = write.await;
        drop(unfinished.forget.take());
        done
    }

    /// What an account that is about to be written to may be kept under; `None` when there is none.
    async fn account_keys(&self, id: &str) -> Result<Option<[AccountKey; 3]>> {
        let found =
            sqlx::query_as("SELECT user_id, toolkit, auth_config_id FROM connected_accounts WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.writer)
                .await
                .map_err(store_error)?;
        Ok(found.map(|(user, toolkit, config): (String, String, String)| {
            account_keys(id, &user, &toolkit, &config)
        }))
    }
}

/// What an account may be kept under: its id, and as the best of its user and toolkit, with any auth
/// config or its own. None of these ever changes.
fn account_keys(id: &str, user_id: &str, toolkit: &str, auth_config_id: &str) -> [AccountKey; 3] {
    let best = |config| AccountKey::Best(user_id.to_owned(), toolkit.to_owned(), config);
    [AccountKey::Id(id.to_owned()), best(None), best(Some(auth_config_id.to_owned()))]
}

/// Whether an account is kept: only one that is active, so that nothing which happens before it is,
/// or after, needs to be noticed.
fn is_active(account: &StoredAccount) -> bool {
    account.status == "ACTIVE" && !account.config_is_disabled
}

fn config_json(session: &StoredSession) -> String {
    serde_json::to_string(&session.config).expect("a configuration is made of JSON values")
}

fn session_config(id: &str, json: &str) -> Result<SessionConfig> {
    serde_json::from_str(json).map_err(|error| {
        tracing::error!(session = id, %error, "a stored session cannot be read");
        Error::new(ErrorKind::Internal, format!("Session {id} cannot be read from the store."))
    })
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert_session(&self, session: &StoredSession) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (id, user_id, config, version, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        )
        .bind(&session.id)
        .bind(&session.user_id)
        .bind(config_json(session))
        .bind(session.version)
        .bind(now())
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>> {
        self.notice_writes().await?;
        let find = async {
            let found = sqlx::query_as("SELECT user_id, config, version FROM sessions WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
            found
                .map(|(user_id, config, version): (String, String, i64)| {
                    let config = session_config(id, &config)?;
                    Ok(StoredSession { id: id.to_owned(), user_id, config, version })
                })
                .transpose()
        };
        self.recent.sessions.get_or_find(id, |_| true, find).await
    }

    async fn update_session(&self, session: &StoredSession) -> Result<bool> {
        let update = sqlx::query(
            "UPDATE sessions SET config = ?, version = version + 1, updated_at = ? WHERE id = ? AND version = ?",
        )
        .bind(config_json(session))
        .bind(now())
        .bind(&session.id)
        .bind(session.version);
        let forget = self.recent.sessions.forget_after([session.id.clone()]);
        let done = self.write(forget, update.execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_session(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id);
        let forget = self.recent.sessions.forget_after([id.to_owned()]);
        let done = self.write(forget, delete.execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()> {
        auth_configs::insert(config, "").execute(&self.writer).await.map(drop).map_err(store_error)
    }

    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig> {
        let find = || async {
            sqlx::query_as(
                "SELECT * FROM auth_configs WHERE toolkit = ? AND auth_scheme = ? AND type = 'default'",
            )
            .bind(&config.toolkit)
            .bind(&config.auth_scheme)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
        };
        if let Some(found) = find().await? {
            return Ok(found);
        }
        let insert = auth_configs::insert(&config, "ON CONFLICT DO NOTHING");
        insert.execute(&self.writer).await.map_err(store_error)?;
        Ok(find().await?.unwrap_or(config))
    }

    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>> {
        sqlx::query_as("SELECT * FROM auth_configs WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>> {
        let mut count = auth_configs::count(filter);
        let total = count.build_query_scalar().fetch_one(&self.pool).await.map_err(store_error)?;
        let mut page = auth_configs::page(filter);
        let rows = page.build_query_as().fetch_all(&self.pool).await.map_err(store_error)?;
        Ok(Rows { rows, total })
    }

    async fn update_auth_config(&self, id: &str, change: &AuthConfigChange) -> Result<bool> {
        let forget = self.recent.accounts.forget_all_after();
        let mut update = auth_configs::update(id, change);
        let done = self.write(forget, update.build().execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_auth_config(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM auth_configs WHERE id = ?").bind(id);
        let forget = self.recent.accounts.forget_all_after();
        let done = self.write(forget, delete.execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn count_accounts(&self, auth_config_id: &str) -> Result<i64> {
        sqlx::query_scalar("SELECT coalesce(sum(accounts), 0) FROM account_counts WHERE auth_config_id = ?")
            .bind(auth_config_id)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion> {
        let StoredAccount { id, user_id, toolkit, auth_config_id, .. } = account;
        let keys = account_keys(id, user_id, toolkit, auth_config_id);
        let forget = self.recent.accounts.forget_after(keys);
        let done = self.write(forget, accounts::insert(account).execute(&self.writer)).await;
        match done {
            Ok(_) => Ok(Insertion::Done),
            Err(error) => match broken(&error) {
                Some(Rule::WordId) => Ok(Insertion::WordIdTaken),
                Some(Rule::Reference) => Ok(Insertion::NoAuthConfig),
                _ => Err(store_error(error)),
            },
        }
    }

    async fn account(&self, id: &str) -> Result<Option<StoredAccount>> {
        let select = format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.id = ?");
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>> {
        let mut count = accounts::count(filter);
        let total: i64 = count.build_query_scalar().fetch_one(&self.pool).await.map_err(store_error)?;
        if total == 0 {
            return Ok(Rows { rows: Vec::new(), total });
        }
        let mut page = accounts::page(filter);
        let rows = page.build_query_as().fetch_all(&self.pool).await.map_err(store_error)?;
        Ok(Rows { rows, total })
    }

    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        let find = async {
            let of_config = if auth_config_id.is_some() { "AND a.auth_config_id = ?4" } else { "" };
            let select = format!(
                "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?2 AND a.toolkit = ?3 {of_config} \
                 ORDER BY {BEST_FIRST} LIMIT 1"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(select)).bind(now()).bind(user_id).bind(toolkit);
            let query = if let Some(id) = auth_config_id { query.bind(id) } else { query };
            query.fetch_optional(&self.pool).await.map_err(store_error)
        };
        // No other can be better while it is: that needs a write, or the end of its access token.
        let is_good = |account: &StoredAccount| {
            is_active(account) && account.credential.expires_at.is_none_or(|at| at > now())
        };
        let config = auth_config_id.map(str::to_owned);
        let key = AccountKey::Best(user_id.to_owned(), toolkit.to_owned(), config);
        self.recent.accounts.get_or_find(&key, is_good, find).await
    }

    async fn named_account_for_call(&self, id: &str) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        let key = AccountKey::Id(id.to_owned());
        self.recent.accounts.get_or_find(&key, is_active, self.account(id)).await
    }

    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT * FROM (SELECT row_number() OVER (PARTITION BY a.toolkit ORDER BY {BEST_FIRST}) AS place, a.*, \
             {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?2) WHERE place = 1"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(now())
            .bind(user_id)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>> {
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?1 AND a.toolkit = ?2 \
             AND (a.alias = ?3 OR a.word_id = ?3) ORDER BY a.alias = ?3 DESC LIMIT 1"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(user_id)
            .bind(toolkit)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool> {
        let Some(keys) = self.account_keys(id).await? else { return Ok(false) };
        let forget = self.recent.accounts.forget_after(keys);
        let done = self.write(forget, accounts::update(id, change).build().execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_account(&self, id: &str) -> Result<bool> {
        let Some(keys) = self.account_keys(id).await? else { return Ok(false) };
        let delete = sqlx::query("DELETE FROM connected_accounts WHERE id = ?").bind(id);
        let forget = self.recent.accounts.forget_after(keys);
        let done = self.write(forget, delete.execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn begin_refresh(
        &self,
        seen: &StoredAccount,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<i64>> {
        let at = now();
        let until = at.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        sqlx::query_scalar(
            "UPDATE connected_accounts SET lease_holder = ?, lease_until = ?, unanswered = unanswered + 1 \
             WHERE id = ? AND credential_version = ? AND status = ? AND failures = ? \
             AND coalesce(lease_until, 0) NOT BETWEEN ? AND ? RETURNING unanswered - 1",
        )
        .bind(holder)
        .bind(until)
        .bind(&seen.id)
        .bind(seen.credential_version)
        .bind(&seen.status)
        .bind(seen.failures)
        .bind(at + 1)
        .bind(at + LONGEST_LEASE)
        .fetch_optional(&self.writer)
        .await
        .map_err(store_error)
    }

    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool> {
        let StoredAccount { id, user_id, toolkit, auth_config_id, .. } = seen;
        let keys = account_keys(id, user_id, toolkit, auth_config_id);
        let forget = self.recent.accounts.forget_after(keys);
        let mut update = accounts::end_refresh(seen, holder, end);
        let done = self.write(forget, update.build().execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn idle_accounts(
        &self,
        before: i64,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.renewable AND a.own_status = 'ACTIVE' \
             AND (a.credential_at <= ?1 OR a.credential_at > ?2 + {STEP}) \
             AND coalesce(a.retry_at, 0) NOT BETWEEN ?2 + 1 AND ?2 + {LONGEST_PAUSE} + {STEP} \
             AND coalesce(a.lease_until, 0) NOT BETWEEN ?2 + 1 AND ?2 + {LONGEST_LEASE} \
             AND NOT a.is_disabled AND c.status = 'ENABLED' AND c.has_client \
             AND (a.credential_at, a.seq) > (?4, ?5) ORDER BY a.credential_at, a.seq LIMIT ?3"
        );
        let (credential_at, seq) = after.unwrap_or((i64::MIN, i64::MIN));
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(before)
            .bind(now())
            .bind(limit)
            .bind(credential_at)
            .bind(seq)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn insert_link(&self, link: &StoredLink) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        sqlx::query("DELETE FROM links WHERE account_id = ? AND finished_at IS NULL")
            .bind(&link.account_id)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        let inserted = sqlx::query(
            "INSERT INTO links (token_hash, account_id, callback_url, scopes, expires_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&link.token_hash)
        .bind(&link.account_id)
        .bind(&link.callback_url)
        .bind(&link.scopes)
        .bind(link.expires_at)
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
            "UPDATE links SET browser_hash = ?1, state_hash = ?2, verifier = ?3, given = ?4 \
             WHERE token_hash = ?5 AND finished_at IS NULL AND coalesce(browser_hash, ?1) = ?1",
        )
        .bind(&start.browser_hash)
        .bind(state.map(|state| &state.hash))
        .bind(state.map(|state| &state.verifier))
        .bind(state.map(|state| &state.given))
        .bind(&link.token_hash)
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
        .bind(now())
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
        let keys = self.account_keys(&link.account_id).await?.map(Vec::from).unwrap_or_default();
        let forget = self.recent.accounts.forget_after(keys);
        let finish = async {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
            let done = sqlx::query(
                "UPDATE links SET finished_at = ?, state_hash = NULL, verifier = NULL, given = NULL \
                 WHERE token_hash = ? AND finished_at IS NULL",
            )
            .bind(now())
            .bind(&link.token_hash)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
            if done.rows_affected() == 0 {
                return Ok(LinkEnd::Used);
            }
            let changed = accounts::update(&link.account_id, change).build().execute(&mut *transaction).await;
            if changed.map_err(store_error)?.rows_affected() == 0 {
                return Ok(LinkEnd::AccountChanged);
            }
            transaction.commit().await.map_err(store_error)?;
            Ok(LinkEnd::Finished)
        };
        self.write(forget, finish).await
    }

    async fn end_links(&self, account_id: &str) -> Result<()> {
        sqlx::query(
            "UPDATE links SET finished_at = ?, state_hash = NULL, verifier = NULL, given = NULL \
             WHERE account_id = ? AND finished_at IS NULL",
        )
        .bind(now())
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
        self.notice_writes().await?;
        let find = async {
            sqlx::query_as("SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL")
                .bind(hash)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)
        };
        self.recent.keys.get_or_find(hash, |_| true, find).await
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        sqlx::query_as("SELECT * FROM api_keys ORDER BY created_at DESC, id")
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn touch_key(&self, key: &StoredKey) -> Result<()> {
        let update =
            sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE id = ?").bind(now()).bind(&key.id);
        let forget = self.recent.keys.forget_after([key.hash.clone()]);
        self.write(forget, update.execute(&self.writer)).await.map(drop).map_err(store_error)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let update = sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(now())
            .bind(id);
        let forget = self.recent.keys.forget_all_after();
        let done = self.write(forget, update.execute(&self.writer)).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_calls(&self, mut calls: Vec<CallRecord>) -> Result<()> {
        let mut transaction = self.writer.begin().await.map_err(store_error)?;
        // Few lengths, so that each is a statement that was prepared before.
        for length in [512, 64, 8, 1] {
            while calls.len() >= length {
                calls::insert(calls.drain(..length)).execute(&mut *transaction).await.map_err(store_error)?;
            }
        }
        sqlx::query("DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - ?")
            .bind(self.calls_kept)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn calls(&self, limit: u32) -> Result<Vec<CallRecord>> {
        sqlx::query_as("SELECT * FROM calls ORDER BY id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn close(&self) {
        self.pool.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests;
