//! Statements about connected accounts.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{QueryBuilder, Sqlite};

use super::page::push_page;
use crate::clock::now;
use crate::{AccountChange, AccountFilter, LONGEST_LEASE, RefreshEnd, SealedCredential, StoredAccount};

/// What an account takes from its auth config.
pub(super) const FROM_CONFIG: &str =
    "c.status = 'DISABLED' AS config_is_disabled, c.has_client AS config_has_client";

/// The accounts with their auth configs. To SQLite, CROSS is the order of the loops: accounts first.
pub(super) const ACCOUNTS: &str = "connected_accounts a CROSS JOIN auth_configs c ON c.id = a.auth_config_id";

/// The account that a call would use comes first. `?1` is the time of day: as a part of the text it
/// would make every call a new statement to prepare.
pub(super) const BEST_FIRST: &str = "a.status = 'ACTIVE' AND c.status = 'ENABLED' \
     AND (coalesce(a.expires_at > ?1, TRUE) OR a.renewable AND c.has_client) DESC, \
     a.connected_at DESC, a.created_at DESC, a.seq DESC";

pub(super) fn insert(account: &StoredAccount) -> Query<'_, Sqlite, SqliteArguments> {
    sqlx::query(
        "INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, alias, word_id, auth_scheme, \
         own_status, status_reason, credential, key_id, expires_at, renewable, credential_at, created_at, updated_at, \
         connected_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&account.id)
    .bind(&account.user_id)
    .bind(&account.toolkit)
    .bind(&account.auth_config_id)
    .bind(&account.alias)
    .bind(&account.word_id)
    .bind(&account.auth_scheme)
    .bind(&account.status)
    .bind(&account.status_reason)
    .bind(&account.credential.sealed)
    .bind(&account.credential.key_id)
    .bind(account.credential.expires_at)
    .bind(account.credential.renewable)
    .bind(account.credential_at)
    .bind(account.created_at)
    .bind(account.updated_at)
    .bind((account.status == "ACTIVE").then_some(account.created_at))
}

pub(super) fn update(id: &str, change: &AccountChange) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE connected_accounts SET updated_at = ");
    query.push_bind(now());
    if let Some(alias) = &change.alias {
        query.push(", alias = ").push_bind(alias.clone());
    }
    if let Some(credential) = &change.credential {
        query.push(", ");
        push_credential(&mut query, credential, false);
    }
    if let Some((status, reason)) = &change.status {
        query.push(", own_status = ").push_bind(status.clone());
        query.push(", status_reason = ").push_bind(reason.clone());
    }
    if change.is_connection {
        query.push(", connected_at = ").push_bind(now());
    }
    if let Some(is_disabled) = change.is_disabled {
        query.push(", is_disabled = ").push_bind(is_disabled);
    }
    query.push(" WHERE id = ").push_bind(id.to_owned());
    if let Some(version) = change.of_version {
        query.push(" AND credential_version = ").push_bind(version);
        let at = now();
        query.push(" AND coalesce(lease_until, 0) NOT BETWEEN ").push_bind(at + 1);
        query.push(" AND ").push_bind(at + LONGEST_LEASE);
    }
    query
}

/// Writes what came of a refresh, if `holder` has the lease still.
pub(super) fn end_refresh(seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE connected_accounts SET ");
    match end {
        RefreshEnd::Renewed(credential) => {
            push_credential(&mut query, credential, true);
            // An account that was given up comes back to life with it.
            query.push(", own_status = 'ACTIVE', status_reason = NULL, updated_at = ").push_bind(now());
        }
        RefreshEnd::Refused(reason) => {
            query.push("own_status = 'EXPIRED', status_reason = ").push_bind(reason);
            query.push(", failures = failures + 1, retry_at = NULL, problem = NULL, refusals = 0");
            query.push(", lease_holder = NULL, lease_until = NULL, updated_at = ").push_bind(now());
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

/// Puts a credential in the place of another, in an UPDATE: with it ends what was noted of a refresh
/// of the other, and whoever holds the lease has lost it.
fn push_credential(query: &mut QueryBuilder<Sqlite>, credential: &SealedCredential, is_refresh: bool) {
    let at = now();
    query.push("credential = ").push_bind(credential.sealed.clone());
    query.push(", key_id = ").push_bind(credential.key_id.clone());
    query.push(", expires_at = ").push_bind(credential.expires_at);
    query.push(", renewable = ").push_bind(credential.renewable);
    query.push(", credential_version = credential_version + 1, credential_at = ").push_bind(at);
    query.push(", refreshed_at = ").push_bind(is_refresh.then_some(at));
    query.push(", unanswered = 0, failures = 0, retry_at = NULL, problem = NULL, refusals = 0");
    query.push(", lease_holder = NULL, lease_until = NULL");
}

/// How many there are in all.
pub(super) fn count(filter: &AccountFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(if are_few(filter) {
        "SELECT count(*) FROM connected_accounts WHERE TRUE"
    } else {
        "SELECT coalesce(sum(accounts), 0) FROM account_counts WHERE TRUE"
    });
    restrict(&mut query, "", filter);
    query
}

pub(super) fn page(filter: &AccountFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE TRUE"));
    restrict(&mut query, "a.", filter);
    let time = match (are_few(filter), filter.by_change) {
        (false, false) => "a.created_at",
        (false, true) => "a.updated_at",
        // Few are sorted sooner than all are walked through.
        (true, false) => "+a.created_at",
        (true, true) => "+a.updated_at",
    };
    push_page(&mut query, time, "a.seq", filter.oldest_first, &filter.page);
    query
}

/// A user's accounts are few and found by index; all others are counted by triggers.
fn are_few(filter: &AccountFilter) -> bool {
    !filter.ids.is_empty() || !filter.user_ids.is_empty()
}

/// Restricts a query to the accounts of a filter; `alias` is the table's name in it with a dot. A
/// plus keeps SQLite from using the index of any column but the one that is to find them.
fn restrict(query: &mut QueryBuilder<Sqlite>, alias: &str, filter: &AccountFilter) {
    let index = index_of(filter);
    for (column, values) in [
        ("id", &filter.ids),
        ("user_id", &filter.user_ids),
        ("toolkit", &filter.toolkits),
        ("status", &filter.statuses),
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
}

/// The column whose index finds the accounts of a filter; `None` walks through all in their order,
/// which soon fills a page where many match.
///
/// SQLite knows nothing of how many rows have a value, so it is told: a user's accounts are few, and
/// any other index is of use only where it also has the order that is asked for.
fn index_of(filter: &AccountFilter) -> Option<&'static str> {
    let in_order = |values: &[String]| values.len() == 1 && !filter.by_change;
    if !filter.ids.is_empty() {
        Some("id")
    } else if !filter.user_ids.is_empty() {
        Some("user_id")
    } else if in_order(&filter.statuses) && filter.statuses != ["ACTIVE"] {
        Some("status")
    } else if in_order(&filter.auth_config_ids) {
        Some("auth_config_id")
    } else if in_order(&filter.toolkits) {
        Some("toolkit")
    } else {
        None
    }
}
