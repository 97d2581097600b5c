//! Connected accounts in SQLite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{AccountStatus, AccountType, Result};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::SqliteStore;
use super::error::{Rule, broken, store_error};
use super::page::push_page;
use crate::accounts::LONGEST_LEASE;
use crate::clock::STEP;
use crate::{
    AccountChange, AccountFilter, Accounts, Insertion, LONGEST_PAUSE, RefreshEnd, Rows, SealedCredential,
    StoredAccount,
};

/// The columns that an account takes from its auth config.
const FROM_CONFIG: &str = "c.status = 'DISABLED' AS config_is_disabled, c.has_client AS config_has_client";

/// The accounts with their auth configs. CROSS makes SQLite loop over the accounts first.
const ACCOUNTS: &str = "connected_accounts a CROSS JOIN auth_configs c ON c.id = a.auth_config_id";

/// Sorts the account that a call would use first.
///
/// `?1` is the time of day. As part of the text, the time would make each call a new statement to prepare.
const BEST_FIRST: &str = "a.status = 'ACTIVE' AND c.status = 'ENABLED' \
     AND (coalesce(a.expires_at > ?1, TRUE) OR a.renewable AND c.has_client) DESC, \
     a.connected_at DESC, a.created_at DESC, a.seq DESC";

#[async_trait]
impl Accounts for SqliteStore {
    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion> {
        match insert(account).execute(&self.writer).await {
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
        sqlx::query_as(AssertSqlSafe(select)).bind(id).fetch_optional(&self.pool).await.map_err(store_error)
    }

    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>> {
        let mut count = count(filter);
        let total: i64 = count.build_query_scalar().fetch_one(&self.pool).await.map_err(store_error)?;
        if total == 0 {
            return Ok(Rows { rows: Vec::new(), total });
        }
        let mut page = page(filter);
        let rows = page.build_query_as().fetch_all(&self.pool).await.map_err(store_error)?;
        Ok(Rows { rows, total })
    }

    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>> {
        let of_config = if auth_config_id.is_some() { "AND a.auth_config_id = ?4" } else { "" };
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?2 AND a.toolkit = ?3 \
             AND a.account_type = 'PRIVATE' {of_config} ORDER BY {BEST_FIRST} LIMIT 1"
        );
        let query = sqlx::query_as(AssertSqlSafe(select)).bind(self.clock.now()).bind(user_id).bind(toolkit);
        let query = if let Some(id) = auth_config_id { query.bind(id) } else { query };
        Ok(query.fetch_optional(&self.pool).await.map_err(store_error)?.map(Arc::new))
    }

    async fn default_account(&self) -> Result<Option<Arc<StoredAccount>>> {
        let select = format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.is_default");
        let found = sqlx::query_as(AssertSqlSafe(select)).fetch_optional(&self.pool).await;
        Ok(found.map_err(store_error)?.map(Arc::new))
    }

    async fn set_default_account(&self, id: &str, is_default: bool) -> Result<bool> {
        // One statement, so that there are never two default accounts. Without the account, no row changes.
        let update = sqlx::query(
            "UPDATE connected_accounts SET is_default = (id = ?1 AND ?2) \
             WHERE (id = ?1 OR is_default AND ?2) AND EXISTS (SELECT 1 FROM connected_accounts WHERE id = ?1)",
        );
        let done = update.bind(id).bind(is_default).execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() > 0)
    }

    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT * FROM (SELECT row_number() OVER (PARTITION BY a.toolkit ORDER BY {BEST_FIRST}) AS place, a.*, \
             {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?2 AND a.account_type = 'PRIVATE') WHERE place = 1"
        );
        sqlx::query_as(AssertSqlSafe(select))
            .bind(self.clock.now())
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
        sqlx::query_as(AssertSqlSafe(select))
            .bind(user_id)
            .bind(toolkit)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool> {
        let done = update(id, change, self.clock.now()).build().execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_account(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM connected_accounts WHERE id = ?").bind(id);
        let done = delete.execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn begin_refresh(
        &self,
        seen: &StoredAccount,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<i64>> {
        let at = self.clock.now();
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
        .bind(seen.status.to_string())
        .bind(seen.failures)
        .bind(at + 1)
        .bind(at + LONGEST_LEASE)
        .fetch_optional(&self.writer)
        .await
        .map_err(store_error)
    }

    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool> {
        let mut update = end_refresh(seen, holder, end, self.clock.now());
        let done = update.build().execute(&self.writer).await;
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
        sqlx::query_as(AssertSqlSafe(select))
            .bind(before)
            .bind(self.clock.now())
            .bind(limit)
            .bind(credential_at)
            .bind(seq)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }
}

fn insert(account: &StoredAccount) -> Query<'_, Sqlite, SqliteArguments> {
    sqlx::query(
        "INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, alias, word_id, auth_scheme, \
         own_status, status_reason, credential, key_id, expires_at, renewable, credential_at, created_at, updated_at, \
         connected_at, account_type, allow_all_users, allowed_user_ids, not_allowed_user_ids) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&account.id)
    .bind(&account.user_id)
    .bind(&account.toolkit)
    .bind(&account.auth_config_id)
    .bind(&account.alias)
    .bind(&account.word_id)
    .bind(account.auth_scheme.to_string())
    .bind(account.status.to_string())
    .bind(&account.status_reason)
    .bind(&account.credential.sealed)
    .bind(&account.credential.key_id)
    .bind(account.credential.expires_at)
    .bind(account.credential.renewable)
    .bind(account.credential_at)
    .bind(account.created_at)
    .bind(account.updated_at)
    .bind((account.status == AccountStatus::Active).then_some(account.created_at))
    .bind(account.account_type.to_string())
    .bind(account.acl.allow_all_users)
    .bind(json_of(&account.acl.allowed_user_ids.0))
    .bind(json_of(&account.acl.not_allowed_user_ids.0))
}

pub(super) fn update(id: &str, change: &AccountChange, at: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE connected_accounts SET updated_at = ");
    query.push_bind(at);
    if let Some(alias) = &change.alias {
        query.push(", alias = ").push_bind(alias.clone());
    }
    if let Some(credential) = &change.credential {
        query.push(", ");
        push_credential(&mut query, credential, at, false);
    }
    if let Some((status, reason)) = &change.status {
        query.push(", own_status = ").push_bind(status.to_string());
        query.push(", status_reason = ").push_bind(reason.clone());
    }
    if change.is_connection {
        query.push(", connected_at = ").push_bind(at);
    }
    if let Some(is_disabled) = change.is_disabled {
        query.push(", is_disabled = ").push_bind(is_disabled);
    }
    if let Some(allow_all_users) = change.acl.allow_all_users {
        query.push(", allow_all_users = ").push_bind(allow_all_users);
    }
    if let Some(ids) = &change.acl.allowed_user_ids {
        query.push(", allowed_user_ids = ").push_bind(json_of(ids));
    }
    if let Some(ids) = &change.acl.not_allowed_user_ids {
        query.push(", not_allowed_user_ids = ").push_bind(json_of(ids));
    }
    query.push(" WHERE id = ").push_bind(id.to_owned());
    if let Some(version) = change.of_version {
        query.push(" AND credential_version = ").push_bind(version);
        query.push(" AND coalesce(lease_until, 0) NOT BETWEEN ").push_bind(at + 1);
        query.push(" AND ").push_bind(at + LONGEST_LEASE);
    }
    query
}

fn json_of(user_ids: &[String]) -> String {
    serde_json::to_string(user_ids).expect("a list of texts can be written as JSON")
}

/// Writes the outcome of a refresh, if `holder` still has the lease.
fn end_refresh(seen: &StoredAccount, holder: &str, end: &RefreshEnd, at: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE connected_accounts SET ");
    match end {
        RefreshEnd::Renewed(credential) => {
            push_credential(&mut query, credential, at, true);
            // An account that had expired becomes active again.
            query.push(", own_status = 'ACTIVE', status_reason = NULL, updated_at = ").push_bind(at);
        }
        RefreshEnd::Refused(reason) => {
            query.push("own_status = 'EXPIRED', status_reason = ").push_bind(reason);
            query.push(", failures = failures + 1, retry_at = NULL, problem = NULL, refusals = 0");
            query.push(", lease_holder = NULL, lease_until = NULL, updated_at = ").push_bind(at);
        }
        RefreshEnd::Failed { problem, retry_at, may_be_done, refusals } => {
            query.push("failures = failures + 1, retry_at = ").push_bind(retry_at);
            query.push(", refusals = ").push_bind(refusals);
            query.push(", problem = ").push_bind(problem);
            query.push(if *may_be_done { "" } else { ", unanswered = unanswered - 1" });
            query.push(", lease_holder = NULL, lease_until = NULL");
        }
    }
    query.push(" WHERE id = ").push_bind(&seen.id);
    query.push(" AND credential_version = ").push_bind(seen.credential_version);
    query.push(" AND lease_holder = ").push_bind(holder);
    query
}

/// Adds the replacement of the credential to an UPDATE. It resets the notes about refreshes of the old
/// credential, and ends the lease.
fn push_credential(
    query: &mut QueryBuilder<Sqlite>,
    credential: &SealedCredential,
    at: i64,
    is_refresh: bool,
) {
    query.push("credential = ").push_bind(credential.sealed.clone());
    query.push(", key_id = ").push_bind(credential.key_id.clone());
    query.push(", expires_at = ").push_bind(credential.expires_at);
    query.push(", renewable = ").push_bind(credential.renewable);
    query.push(", credential_version = credential_version + 1, credential_at = ").push_bind(at);
    query.push(", refreshed_at = ").push_bind(is_refresh.then_some(at));
    query.push(", unanswered = 0, failures = 0, retry_at = NULL, problem = NULL, refusals = 0");
    query.push(", lease_holder = NULL, lease_until = NULL");
}

/// Counts the accounts of all pages.
fn count(filter: &AccountFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(if are_few(filter) {
        "SELECT count(*) FROM connected_accounts WHERE TRUE"
    } else {
        "SELECT coalesce(sum(accounts), 0) FROM account_counts WHERE TRUE"
    });
    restrict(&mut query, "", filter);
    query
}

fn page(filter: &AccountFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE TRUE"));
    restrict(&mut query, "a.", filter);
    let time = match (are_few(filter), filter.by_change) {
        (false, false) => "a.created_at",
        // The SHARED accounts are few among all, and their index does not have this order.
        (false, true) if filter.account_type == Some(AccountType::Shared) => "+a.updated_at",
        (false, true) => "a.updated_at",
        // Sorting a few accounts is faster than walking all accounts in order.
        (true, false) => "+a.created_at",
        (true, true) => "+a.updated_at",
    };
    push_page(&mut query, time, "a.seq", filter.oldest_first, &filter.page);
    query
}

/// Whether the filter selects few accounts, which an index finds. Triggers count all other selections.
fn are_few(filter: &AccountFilter) -> bool {
    !filter.ids.is_empty() || !filter.user_ids.is_empty()
}

/// Restricts a query to the accounts of a filter. `alias` is the name of the table in the query, with a dot.
///
/// A plus keeps SQLite from using the index of a column. Only the column of `index_of` goes without a plus.
fn restrict(query: &mut QueryBuilder<Sqlite>, alias: &str, filter: &AccountFilter) {
    let index = index_of(filter);
    let statuses = filter.statuses.iter().map(ToString::to_string).collect();
    for (column, values) in [
        ("id", &filter.ids),
        ("user_id", &filter.user_ids),
        ("toolkit", &filter.toolkits),
        ("status", &statuses),
        ("auth_config_id", &filter.auth_config_ids),
    ] {
        if !values.is_empty() {
            let plus = if index == Some(column) { "" } else { "+" };
            query.push(format!(" AND {plus}{alias}{column} IN ("));
            let mut list = query.separated(", ");
            for value in values {
                list.push_bind(value.clone());
            }
            query.push(")");
        }
    }
    // The type is part of the text, because SQLite uses the index of SHARED accounts for no bound value.
    if let Some(account_type) = filter.account_type {
        query.push(format!(" AND {alias}account_type = '{account_type}'"));
    }
}

/// Returns the column whose index finds the accounts of a filter. `None` walks all accounts in order, which
/// fills a page soon if many accounts match.
///
/// SQLite has no statistics here, so the statement chooses the index. A user's accounts are few. Any other
/// index helps only if it also has the order of the list.
fn index_of(filter: &AccountFilter) -> Option<&'static str> {
    let in_order = |values: usize| values == 1 && !filter.by_change;
    if !filter.ids.is_empty() {
        Some("id")
    } else if !filter.user_ids.is_empty() {
        Some("user_id")
    } else if filter.account_type == Some(AccountType::Shared) {
        // The index of SHARED accounts has no column that a filter names.
        None
    } else if in_order(filter.statuses.len()) && filter.statuses != [AccountStatus::Active] {
        Some("status")
    } else if in_order(filter.auth_config_ids.len()) {
        Some("auth_config_id")
    } else if in_order(filter.toolkits.len()) {
        Some("toolkit")
    } else {
        None
    }
}
