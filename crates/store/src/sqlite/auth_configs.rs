//! Statements about auth configs.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{QueryBuilder, Sqlite};

use super::page::push_page;
use crate::clock::now;
use crate::{AuthConfigChange, AuthConfigFilter, StoredAuthConfig};

pub(super) fn insert<'a>(
    config: &'a StoredAuthConfig,
    on_conflict: &str,
) -> Query<'a, Sqlite, SqliteArguments> {
    let insert = format!(
        "INSERT INTO auth_configs (id, toolkit, name, type, auth_scheme, status, credentials, key_id, has_client, \
         settings, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {on_conflict}"
    );
    sqlx::query(sqlx::AssertSqlSafe(insert))
        .bind(&config.id)
        .bind(&config.toolkit)
        .bind(&config.name)
        .bind(&config.kind)
        .bind(&config.auth_scheme)
        .bind(&config.status)
        .bind(&config.credentials)
        .bind(&config.key_id)
        .bind(config.has_client)
        .bind(&config.settings)
        .bind(config.created_at)
        .bind(config.updated_at)
}

pub(super) fn update(id: &str, change: &AuthConfigChange) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE auth_configs SET updated_at = ");
    query.push_bind(now());
    if let Some(name) = &change.name {
        query.push(", name = ").push_bind(name.clone());
    }
    if let Some(status) = &change.status {
        query.push(", status = ").push_bind(status.clone());
    }
    if let Some(credentials) = &change.credentials {
        query.push(", credentials = ").push_bind(credentials.sealed.clone());
        query.push(", key_id = ").push_bind(credentials.key_id.clone());
        query.push(", has_client = ").push_bind(credentials.has_client);
    }
    if !change.settings.is_empty() {
        query.push(", settings = json_set(settings");
        for (name, value) in &change.settings {
            query.push(", ").push_bind(format!("$.{name}"));
            query.push(", json(").push_bind(value.clone()).push(")");
        }
        query.push(")");
    }
    query.push(" WHERE id = ").push_bind(id.to_owned());
    query
}

/// How many there are in all.
pub(super) fn count(filter: &AuthConfigFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM auth_configs WHERE TRUE");
    restrict(&mut query, filter);
    query
}

pub(super) fn page(filter: &AuthConfigFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM auth_configs WHERE TRUE");
    restrict(&mut query, filter);
    push_page(&mut query, "created_at", "seq", false, &filter.page);
    query
}

fn restrict(query: &mut QueryBuilder<Sqlite>, filter: &AuthConfigFilter) {
    if let Some(toolkit) = &filter.toolkit {
        query.push(" AND toolkit = ").push_bind(toolkit.clone());
    }
    if let Some(search) = &filter.search {
        query.push(" AND instr(lower(name), lower(").push_bind(search.clone()).push("))");
    }
    if !filter.with_disabled {
        query.push(" AND status = 'ENABLED'");
    }
    if filter.only_custom {
        query.push(" AND type = 'custom'");
    }
}
