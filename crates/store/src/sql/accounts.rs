//! The statements of connected accounts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{AccountStatus, AccountType, Result};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::dialect::{ACCOUNTS, Arguments, Db, SqlStore, begin_alone, unindexed};
use super::error::broken;
use super::page::push_page;
use crate::accounts::LONGEST_LEASE;
use crate::clock::STEP;
use crate::rule::Rule;
use crate::text::printable;
use crate::{
    AccountChange, AccountFilter, Accounts, Insertion, LONGEST_PAUSE, RefreshEnd, Rows, SealedCredential,
    StoredAccount,
};

/// The columns that an account takes from its auth config.
const FROM_CONFIG: &str = "c.status = 'DISABLED' AS config_is_disabled, c.has_client AS config_has_client";

/// Sorts the account that a call would use first.
///
/// `$1` is the time of day. As part of the text, the time would make each call a new statement to prepare.
const BEST_FIRST: &str = "a.status = 'ACTIVE' AND c.status = 'ENABLED' \
     AND (coalesce(a.expires_at > $1, TRUE) OR a.renewable AND c.has_client) DESC, \
     a.connected_at DESC NULLS LAST, a.created_at DESC, a.seq DESC";

#[async_trait]
impl Accounts for SqlStore {
    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion> {
        self.run(async {
            match insert(account).execute(&self.writer).await {
                Ok(_) => Ok(Insertion::Done),
                Err(error) => match broken(&error) {
                    Some(Rule::WordId) => Ok(Insertion::WordIdTaken),
                    Some(Rule::Reference) => Ok(Insertion::NoAuthConfig),
                    _ => Err(error),
                },
            }
        })
        .await
    }

    async fn account(&self, id: &str) -> Result<Option<StoredAccount>> {
        let select = format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.id = $1");
        let select = sqlx::query_as(AssertSqlSafe(select)).bind(id);
        self.run(select.fetch_optional(&self.pool)).await
    }

    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>> {
        let mut count = count(filter);
        let total: i64 = self.run(count.build_query_scalar().fetch_one(&self.pool)).await?;
        if total == 0 {
            return Ok(Rows { rows: Vec::new(), total });
        }
        let mut page = page(filter);
        let rows = self.run(page.build_query_as().fetch_all(&self.pool)).await?;
        Ok(Rows { rows, total })
    }

    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>> {
        let of_config = if auth_config_id.is_some() { "AND a.auth_config_id = $4" } else { "" };
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = $2 AND a.toolkit = $3 \
             AND a.account_type = 'PRIVATE' {of_config} ORDER BY {BEST_FIRST} LIMIT 1"
        );
        let query = sqlx::query_as(AssertSqlSafe(select)).bind(self.clock.now()).bind(user_id).bind(toolkit);
        let query = if let Some(id) = auth_config_id { query.bind(id) } else { query };
        Ok(self.run(query.fetch_optional(&self.pool)).await?.map(Arc::new))
    }

    async fn default_account(&self) -> Result<Option<Arc<StoredAccount>>> {
        let select = format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.is_default");
        let select = sqlx::query_as(AssertSqlSafe(select));
        Ok(self.run(select.fetch_optional(&self.pool)).await?.map(Arc::new))
    }

    async fn set_default_account(&self, id: &str, is_default: bool) -> Result<bool> {
        self.run(async {
            // Two gateways that name different accounts would otherwise not see each other's row.
            let mut transaction = begin_alone(&self.writer, "default account").await?;
            // Without the account, no row changes.
            let update = sqlx::query(
                "UPDATE connected_accounts SET is_default = (id = $1 AND $2) \
                 WHERE (id = $1 OR is_default AND $2) AND EXISTS (SELECT 1 FROM connected_accounts WHERE id = $1)",
            );
            let done = update.bind(id).bind(is_default).execute(&mut *transaction).await?;
            transaction.commit().await.map(|()| done.rows_affected() > 0)
        })
        .await
    }

    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT * FROM (SELECT row_number() OVER (PARTITION BY a.toolkit ORDER BY {BEST_FIRST}) AS place, a.*, \
             {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = $2 AND a.account_type = 'PRIVATE') ranked WHERE place = 1"
        );
        let select = sqlx::query_as(AssertSqlSafe(select)).bind(self.clock.now()).bind(user_id);
        self.run(select.fetch_all(&self.pool)).await
    }

    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>> {
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = $1 AND a.toolkit = $2 \
             AND (a.alias = $3 OR a.word_id = $3) ORDER BY coalesce(a.alias = $3, FALSE) DESC LIMIT 1"
        );
        let select = sqlx::query_as(AssertSqlSafe(select)).bind(user_id).bind(toolkit).bind(name);
        self.run(select.fetch_optional(&self.pool)).await
    }

    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool> {
        let mut update = update(id, change, self.clock.now());
        Ok(self.run(update.build().execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn delete_account(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM connected_accounts WHERE id = $1").bind(id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn begin_refresh(
        &self,
        seen: &StoredAccount,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<i64>> {
        let at = self.clock.now();
        let until = at.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        // The second of two gateways waits for the first, and then compares with the lease of the first.
        let update = sqlx::query_scalar(
            "UPDATE connected_accounts SET lease_holder = $1, lease_until = $2, unanswered = unanswered + 1 \
             WHERE id = $3 AND credential_version = $4 AND status = $5 AND failures = $6 \
             AND coalesce(lease_until, 0) NOT BETWEEN $7 AND $8 RETURNING unanswered - 1",
        )
        .bind(holder)
        .bind(until)
        .bind(&seen.id)
        .bind(seen.credential_version)
        .bind(seen.status.to_string())
        .bind(i64::from(seen.failures))
        .bind(at + 1)
        .bind(at + LONGEST_LEASE);
        self.run(update.fetch_optional(&self.writer)).await
    }

    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool> {
        let mut update = end_refresh(seen, holder, end, self.clock.now());
        Ok(self.run(update.build().execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn idle_accounts(
        &self,
        before: i64,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.renewable AND a.own_status = 'ACTIVE' \
             AND (a.credential_at <= $1 OR a.credential_at > $2 + {STEP}) \
             AND coalesce(a.retry_at, 0) NOT BETWEEN $2 + 1 AND $2 + {LONGEST_PAUSE} + {STEP} \
             AND coalesce(a.lease_until, 0) NOT BETWEEN $2 + 1 AND $2 + {LONGEST_LEASE} \
             AND NOT a.is_disabled AND c.status = 'ENABLED' AND c.has_client \
             AND (a.credential_at, a.seq) > ($4, $5) ORDER BY a.credential_at, a.seq LIMIT $3"
        );
        let (credential_at, seq) = after.unwrap_or((i64::MIN, i64::MIN));
        let select = sqlx::query_as(AssertSqlSafe(select))
            .bind(before)
            .bind(self.clock.now())
            .bind(i64::from(limit))
            .bind(credential_at)
            .bind(seq);
        self.run(select.fetch_all(&self.pool)).await
    }
}

fn insert(account: &StoredAccount) -> Query<'_, Db, Arguments> {
    sqlx::query(
        "INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, alias, word_id, auth_scheme, \
         own_status, status_reason, credential, key_id, expires_at, renewable, credential_at, created_at, updated_at, \
         connected_at, account_type, allow_all_users, allowed_user_ids, not_allowed_user_ids) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
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

pub(super) fn update(id: &str, change: &AccountChange, at: i64) -> QueryBuilder<Db> {
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
        query.push(", status_reason = ").push_bind(reason.clone().map(printable));
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
fn end_refresh(seen: &StoredAccount, holder: &str, end: &RefreshEnd, at: i64) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new("UPDATE connected_accounts SET ");
    match end {
        RefreshEnd::Renewed(credential) => {
            push_credential(&mut query, credential, at, true);
            // An account that had expired becomes active again.
            query.push(", own_status = 'ACTIVE', status_reason = NULL, updated_at = ").push_bind(at);
        }
        RefreshEnd::Refused(reason) => {
            query.push("own_status = 'EXPIRED', status_reason = ").push_bind(printable(reason.clone()));
            query.push(", failures = failures + 1, retry_at = NULL, problem = NULL, refusals = 0");
            query.push(", lease_holder = NULL, lease_until = NULL, updated_at = ").push_bind(at);
        }
        RefreshEnd::Failed { problem, retry_at, may_be_done, refusals } => {
            query.push("failures = failures + 1, retry_at = ").push_bind(retry_at);
            query.push(", refusals = ").push_bind(i64::from(*refusals));
            query.push(", problem = ").push_bind(printable(problem.clone()));
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
fn push_credential(query: &mut QueryBuilder<Db>, credential: &SealedCredential, at: i64, is_refresh: bool) {
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
fn count(filter: &AccountFilter) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new(if are_few(filter) {
        "SELECT count(*) FROM connected_accounts WHERE TRUE"
    } else {
        "SELECT CAST(coalesce(sum(accounts), 0) AS BIGINT) FROM account_counts WHERE TRUE"
    });
    restrict(&mut query, "", filter);
    query
}

fn page(filter: &AccountFilter) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new(format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE TRUE"));
    restrict(&mut query, "a.", filter);
    let time = if filter.by_change { "a.updated_at" } else { "a.created_at" };
    // Sorting a few accounts is faster than walking all accounts in order. The SHARED accounts are few among
    // all, and their index has the order of creation only.
    let sorts = are_few(filter) || (filter.by_change && filter.account_type == Some(AccountType::Shared));
    let time = if sorts { &unindexed(time) } else { time };
    push_page(&mut query, time, "a.seq", filter.oldest_first, &filter.page);
    query
}

/// Whether the filter selects few accounts, which an index finds. Triggers count all other selections.
fn are_few(filter: &AccountFilter) -> bool {
    !filter.ids.is_empty() || !filter.user_ids.is_empty()
}

/// Restricts a query to the accounts of a filter. `alias` is the name of the table in the query, with a dot.
///
/// Only the column of `index_of` may be found by its index.
fn restrict(query: &mut QueryBuilder<Db>, alias: &str, filter: &AccountFilter) {
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
            let name = format!("{alias}{column}");
            let column = if index == Some(column) { name } else { unindexed(&name) };
            query.push(format!(" AND {column} IN ("));
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
