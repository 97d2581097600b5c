//! Sealed fields in SQLite.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite};

use super::SqliteStore;
use super::error::store_error;
use crate::{ResealedRow, SealedCount, SealedRow, SealedRows, SealedTable};

#[async_trait]
impl SealedRows for SqliteStore {
    async fn count_sealed(&self) -> Result<Vec<SealedCount>> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        count(&mut connection).await
    }

    async fn sealed_rows(
        &self,
        table: SealedTable,
        key_id: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>> {
        let (id, only) = (id_of(table), only(table));
        let (name, fields) = (table.name(), table.fields().join(", "));
        let select = format!(
            "SELECT rowid AS position, {id} AS row_id, key_id, {fields} FROM {name} \
             WHERE key_id IS ? AND rowid > ? {only} ORDER BY rowid LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(key_id)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| read(row, table).map_err(store_error)).collect()
    }

    async fn reseal_rows(&self, table: SealedTable, key_id: &str, rows: Vec<ResealedRow>) -> Result<u64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let mut replaced = 0;
        for row in &rows {
            let done = update(table, key_id, row).build().execute(&mut *transaction).await;
            replaced += done.map_err(store_error)?.rows_affected();
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(replaced)
    }
}

/// Counts the rows by table and key. A table of an older schema that notes no key is left out.
pub(super) async fn count(connection: &mut SqliteConnection) -> Result<Vec<SealedCount>> {
    let mut counts = Vec::new();
    for table in tables_with_keys(connection).await? {
        let (name, only) = (table.name(), only(table));
        let select = format!("SELECT key_id, count(*) FROM {name} WHERE TRUE {only} GROUP BY key_id");
        let found = sqlx::query_as(AssertSqlSafe(select)).fetch_all(&mut *connection).await;
        let found: Vec<(Option<String>, i64)> = found.map_err(store_error)?;
        counts.extend(found.into_iter().map(|(key_id, rows)| SealedCount {
            table,
            key_id,
            rows: rows.unsigned_abs(),
        }));
    }
    Ok(counts)
}

/// Returns the ids of the keys that have sealed a row. An index finds each key, however many rows there are.
pub(super) async fn used_keys(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    let mut used = Vec::new();
    for table in tables_with_keys(connection).await? {
        let mut last = String::new();
        loop {
            let next = format!("SELECT min(key_id) FROM {} WHERE key_id > ?", table.name());
            let next = sqlx::query_scalar(AssertSqlSafe(next)).bind(&last).fetch_one(&mut *connection).await;
            let next: Option<String> = next.map_err(store_error)?;
            let Some(next) = next else { break };
            if !used.contains(&next) {
                used.push(next.clone());
            }
            last = next;
        }
    }
    Ok(used)
}

/// Returns the tables whose rows note the key. In a schema before the migration `key ids`, these are not all.
async fn tables_with_keys(connection: &mut SqliteConnection) -> Result<Vec<SealedTable>> {
    let mut tables = Vec::new();
    for table in SealedTable::ALL {
        let has_keys = "SELECT count(*) FROM pragma_table_info(?) WHERE name = 'key_id'";
        let has_keys = sqlx::query_scalar(has_keys).bind(table.name()).fetch_one(&mut *connection).await;
        if has_keys.map_err(store_error)? {
            tables.push(table);
        }
    }
    Ok(tables)
}

fn read(row: &SqliteRow, table: SealedTable) -> sqlx::Result<SealedRow> {
    Ok(SealedRow {
        position: row.try_get("position")?,
        id: row.try_get("row_id")?,
        key_id: row.try_get("key_id")?,
        fields: table.fields().iter().map(|field| row.try_get(*field)).collect::<sqlx::Result<_>>()?,
    })
}

/// Replaces the fields of a row, if they are the ones that were read. No two ciphertexts are alike, so an equal
/// field was not written since.
fn update(table: SealedTable, key_id: &str, row: &ResealedRow) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("UPDATE {} SET key_id = ", table.name()));
    query.push_bind(key_id.to_owned());
    for (field, sealed) in table.fields().iter().zip(&row.fields) {
        query.push(format!(", {field} = ")).push_bind(sealed.clone());
    }
    query.push(format!(" WHERE {} = ", id_of(table))).push_bind(row.read.id.clone());
    query.push(" AND rowid = ").push_bind(row.read.position);
    query.push(" AND key_id IS ").push_bind(row.read.key_id.clone());
    for (field, sealed) in table.fields().iter().zip(&row.read.fields) {
        query.push(format!(" AND {field} IS ")).push_bind(sealed.clone());
    }
    query
}

/// The id of a row, as its fields are bound to it.
const fn id_of(table: SealedTable) -> &'static str {
    match table {
        SealedTable::AuthConfigs | SealedTable::Accounts => "id",
        SealedTable::Links => "lower(hex(token_hash))",
        SealedTable::KeyCheck => "name",
    }
}

/// Restricts a query to the rows with sealed fields.
const fn only(table: SealedTable) -> &'static str {
    match table {
        SealedTable::KeyCheck => "AND name = 'key_check'",
        _ => "",
    }
}
