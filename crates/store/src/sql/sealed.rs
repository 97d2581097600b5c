//! The statements of sealed fields.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

use super::dialect::{
    Connection, Db, DbRow, POSITION_OF_ROW, SqlStore, TOKEN_HASH_IN_HEX, begin, tables_with_keys,
};
use crate::{ResealedRow, SealedCount, SealedRow, SealedRows, SealedTable};

#[async_trait]
impl SealedRows for SqlStore {
    async fn count_sealed(&self) -> Result<Vec<SealedCount>> {
        self.run(async {
            let mut connection = self.pool.acquire().await?;
            count(&mut connection).await
        })
        .await
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
        let mut query = QueryBuilder::<Db>::new(format!(
            "SELECT {POSITION_OF_ROW} AS position, {id} AS row_id, key_id, {fields} FROM {name} WHERE key_id "
        ));
        // An index finds the rows of a key by this comparison alone.
        match key_id {
            Some(key_id) => query.push("= ").push_bind(key_id.to_owned()),
            None => query.push("IS NULL"),
        };
        query.push(format!(" AND {POSITION_OF_ROW} > ")).push_bind(after);
        query.push(format!(" {only} ORDER BY {POSITION_OF_ROW} LIMIT ")).push_bind(i64::from(limit));
        self.run(async {
            let rows = query.build().fetch_all(&self.pool).await?;
            rows.iter().map(|row| read(row, table)).collect()
        })
        .await
    }

    async fn reseal_rows(&self, table: SealedTable, key_id: &str, rows: Vec<ResealedRow>) -> Result<u64> {
        self.run(async {
            let mut transaction = begin(&self.writer).await?;
            let mut replaced = 0;
            for row in &rows {
                let done = update(table, key_id, row).build().execute(&mut *transaction).await?;
                replaced += done.rows_affected();
            }
            transaction.commit().await.map(|()| replaced)
        })
        .await
    }
}

/// Counts the rows by table and key. A table of an older schema that notes no key is left out.
pub(super) async fn count(connection: &mut Connection) -> sqlx::Result<Vec<SealedCount>> {
    let mut counts = Vec::new();
    for table in tables_with_keys(connection).await? {
        let (name, only) = (table.name(), only(table));
        let select = format!("SELECT key_id, count(*) FROM {name} WHERE TRUE {only} GROUP BY key_id");
        let found: Vec<(Option<String>, i64)> =
            sqlx::query_as(AssertSqlSafe(select)).fetch_all(&mut *connection).await?;
        counts.extend(found.into_iter().map(|(key_id, rows)| SealedCount {
            table,
            key_id,
            rows: rows.unsigned_abs(),
        }));
    }
    Ok(counts)
}

/// Returns the ids of the keys that have sealed a row. An index finds each key, however many rows there are.
pub(super) async fn used_keys(connection: &mut Connection) -> sqlx::Result<Vec<String>> {
    let mut used = Vec::new();
    for table in tables_with_keys(connection).await? {
        let mut last = String::new();
        loop {
            let next = format!("SELECT min(key_id) FROM {} WHERE key_id > $1", table.name());
            let next =
                sqlx::query_scalar(AssertSqlSafe(next)).bind(&last).fetch_one(&mut *connection).await?;
            let Some(next): Option<String> = next else { break };
            if !used.contains(&next) {
                used.push(next.clone());
            }
            last = next;
        }
    }
    Ok(used)
}

fn read(row: &DbRow, table: SealedTable) -> sqlx::Result<SealedRow> {
    Ok(SealedRow {
        position: row.try_get("position")?,
        id: row.try_get("row_id")?,
        key_id: row.try_get("key_id")?,
        fields: table.fields().iter().map(|field| row.try_get(*field)).collect::<sqlx::Result<_>>()?,
    })
}

/// Replaces the fields of a row, if they are the ones that were read. No two ciphertexts are alike, so an equal
/// field was not written since.
fn update(table: SealedTable, key_id: &str, row: &ResealedRow) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new(format!("UPDATE {} SET key_id = ", table.name()));
    query.push_bind(key_id.to_owned());
    for (field, sealed) in table.fields().iter().zip(&row.fields) {
        query.push(format!(", {field} = ")).push_bind(sealed.clone());
    }
    query.push(format!(" WHERE {} = ", id_of(table))).push_bind(row.read.id.clone());
    query.push(format!(" AND {POSITION_OF_ROW} = ")).push_bind(row.read.position);
    query.push(" AND key_id IS NOT DISTINCT FROM ").push_bind(row.read.key_id.clone());
    for (field, sealed) in table.fields().iter().zip(&row.read.fields) {
        query.push(format!(" AND {field} IS NOT DISTINCT FROM ")).push_bind(sealed.clone());
    }
    query
}

/// The id of a row, as its fields are bound to it.
const fn id_of(table: SealedTable) -> &'static str {
    match table {
        SealedTable::AuthConfigs | SealedTable::Accounts | SealedTable::WebhookSubscriptions => "id",
        SealedTable::Links => TOKEN_HASH_IN_HEX,
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
