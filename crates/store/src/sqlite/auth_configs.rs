//! Auth configs in SQLite.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::SqliteStore;
use super::error::store_error;
use super::page::push_page;
use crate::{AuthConfigChange, AuthConfigFilter, AuthConfigs, Rows, StoredAuthConfig};

/// The columns of an auth config, and the number of its accounts, which triggers maintain.
const SELECT: &str = "SELECT c.*, (SELECT coalesce(sum(accounts), 0) FROM account_counts \
     WHERE auth_config_id = c.id) AS accounts FROM auth_configs c";

#[async_trait]
impl AuthConfigs for SqliteStore {
    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()> {
        insert(config, "").execute(&self.writer).await.map(drop).map_err(store_error)
    }

    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig> {
        let find = || async {
            let select = format!("{SELECT} WHERE c.toolkit = ? AND c.auth_scheme = ? AND c.type = 'default'");
            sqlx::query_as(AssertSqlSafe(select))
                .bind(&config.toolkit)
                .bind(config.auth_scheme.to_string())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)
        };
        if let Some(found) = find().await? {
            return Ok(found);
        }
        let insert = self::insert(&config, "ON CONFLICT DO NOTHING");
        insert.execute(&self.writer).await.map_err(store_error)?;
        Ok(find().await?.unwrap_or(config))
    }

    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>> {
        sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE c.id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>> {
        let mut count = count(filter);
        let total = count.build_query_scalar().fetch_one(&self.pool).await.map_err(store_error)?;
        let mut page = page(filter);
        let rows = page.build_query_as().fetch_all(&self.pool).await.map_err(store_error)?;
        Ok(Rows { rows, total })
    }

    async fn update_auth_config(&self, id: &str, change: &AuthConfigChange) -> Result<bool> {
        let mut update = update(id, change, self.clock.now());
        let done = update.build().execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_auth_config(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM auth_configs WHERE id = ?").bind(id);
        let done = delete.execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }
}

fn insert<'a>(config: &'a StoredAuthConfig, on_conflict: &str) -> Query<'a, Sqlite, SqliteArguments> {
    let insert = format!(
        "INSERT INTO auth_configs (id, toolkit, name, type, auth_scheme, status, credentials, key_id, has_client, \
         settings, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {on_conflict}"
    );
    sqlx::query(AssertSqlSafe(insert))
        .bind(&config.id)
        .bind(&config.toolkit)
        .bind(&config.name)
        .bind(config.kind.to_string())
        .bind(config.auth_scheme.to_string())
        .bind(config.status.to_string())
        .bind(&config.credentials)
        .bind(&config.key_id)
        .bind(config.has_client)
        .bind(&config.settings)
        .bind(config.created_at)
        .bind(config.updated_at)
}

fn update(id: &str, change: &AuthConfigChange, at: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE auth_configs SET updated_at = ");
    query.push_bind(at);
    if let Some(name) = &change.name {
        query.push(", name = ").push_bind(name.clone());
    }
    if let Some(status) = &change.status {
        query.push(", status = ").push_bind(status.to_string());
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

/// Counts the auth configs of all pages.
fn count(filter: &AuthConfigFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM auth_configs WHERE TRUE");
    restrict(&mut query, filter);
    query
}

fn page(filter: &AuthConfigFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("{SELECT} WHERE TRUE"));
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
