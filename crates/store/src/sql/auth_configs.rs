//! The statements of auth configs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use serde_json::value::RawValue;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::dialect::{Arguments, Db, FOR_UPDATE, POSITION, SqlStore, begin};
use super::page::push_page;
use crate::{AuthConfigChange, AuthConfigFilter, AuthConfigs, Rows, StoredAuthConfig};

/// The columns of an auth config, and the number of its accounts, which triggers maintain.
const SELECT: &str = "SELECT c.*, (SELECT CAST(coalesce(sum(accounts), 0) AS BIGINT) FROM account_counts \
     WHERE auth_config_id = c.id) AS accounts FROM auth_configs c";

#[async_trait]
impl AuthConfigs for SqlStore {
    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()> {
        self.run(insert(config, "").execute(&self.writer)).await.map(drop)
    }

    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig> {
        let find = || async {
            let select =
                format!("{SELECT} WHERE c.toolkit = $1 AND c.auth_scheme = $2 AND c.type = 'default'");
            let select = sqlx::query_as(AssertSqlSafe(select))
                .bind(&config.toolkit)
                .bind(config.auth_scheme.to_string());
            self.run(select.fetch_optional(&self.pool)).await
        };
        if let Some(found) = find().await? {
            return Ok(found);
        }
        let insert = self::insert(&config, "ON CONFLICT DO NOTHING");
        self.run(insert.execute(&self.writer)).await?;
        Ok(find().await?.unwrap_or(config))
    }

    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>> {
        let select = sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE c.id = $1"))).bind(id);
        self.run(select.fetch_optional(&self.pool)).await
    }

    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>> {
        let mut count = count(filter);
        let total = self.run(count.build_query_scalar().fetch_one(&self.pool)).await?;
        let mut page = page(filter);
        let rows = self.run(page.build_query_as().fetch_all(&self.pool)).await?;
        Ok(Rows { rows, total })
    }

    async fn update_auth_config(&self, id: &str, change: &AuthConfigChange) -> Result<bool> {
        self.run(async {
            let mut transaction = begin(&self.writer).await?;
            let select = format!("SELECT settings FROM auth_configs WHERE id = $1{FOR_UPDATE}");
            let settings =
                sqlx::query_scalar(AssertSqlSafe(select)).bind(id).fetch_optional(&mut *transaction).await?;
            let Some(settings) = settings else { return Ok(false) };
            let settings = merged(settings, &change.settings)?;
            update(id, change, settings, self.clock.now()).build().execute(&mut *transaction).await?;
            transaction.commit().await.map(|()| true)
        })
        .await
    }

    async fn delete_auth_config(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM auth_configs WHERE id = $1").bind(id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected() == 1)
    }
}

fn insert<'a>(config: &'a StoredAuthConfig, on_conflict: &str) -> Query<'a, Db, Arguments> {
    let insert = format!(
        "INSERT INTO auth_configs (id, toolkit, name, type, auth_scheme, status, credentials, key_id, has_client, \
         settings, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) {on_conflict}"
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

fn update(id: &str, change: &AuthConfigChange, settings: String, at: i64) -> QueryBuilder<Db> {
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
    query.push(", settings = ").push_bind(settings);
    query.push(" WHERE id = ").push_bind(id.to_owned());
    query
}

/// Returns the settings with these JSON values in them. PostgreSQL's functions would refuse U+0000.
fn merged(settings: String, values: &[(&'static str, String)]) -> sqlx::Result<String> {
    let unreadable = |error: serde_json::Error| sqlx::Error::Decode(error.into());
    let mut merged: BTreeMap<&str, &RawValue> = serde_json::from_str(&settings).map_err(unreadable)?;
    for (name, value) in values {
        merged.insert(name, serde_json::from_str(value).map_err(unreadable)?);
    }
    serde_json::to_string(&merged).map_err(unreadable)
}

/// Counts the auth configs of all pages.
fn count(filter: &AuthConfigFilter) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM auth_configs WHERE TRUE");
    restrict(&mut query, filter);
    query
}

fn page(filter: &AuthConfigFilter) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new(format!("{SELECT} WHERE TRUE"));
    restrict(&mut query, filter);
    push_page(&mut query, "created_at", "seq", false, &filter.page);
    query
}

fn restrict(query: &mut QueryBuilder<Db>, filter: &AuthConfigFilter) {
    if let Some(toolkit) = &filter.toolkit {
        query.push(" AND toolkit = ").push_bind(toolkit.clone());
    }
    if let Some(search) = &filter.search {
        query.push(format!(" AND {POSITION}(lower(name), lower(")).push_bind(search.clone()).push(")) > 0");
    }
    if !filter.with_disabled {
        query.push(" AND status = 'ENABLED'");
    }
    if filter.only_custom {
        query.push(" AND type = 'custom'");
    }
}
