//! The record of calls in SQLite.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

use super::SqliteStore;
use super::error::store_error;
use crate::{CallRecord, Calls};

#[async_trait]
impl Calls for SqliteStore {
    async fn insert_calls(&self, mut calls: Vec<CallRecord>) -> Result<()> {
        let mut transaction = self.writer.begin().await.map_err(store_error)?;
        // Use only a few lengths, so that each statement is prepared once.
        for length in [512, 64, 8, 1] {
            while calls.len() >= length {
                insert(calls.drain(..length)).execute(&mut *transaction).await.map_err(store_error)?;
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
}

/// Returns the statement that inserts calls. SQLite takes 32 766 values in one statement: 2 730 calls.
///
/// The statement takes ownership of the calls, so that their texts are not copied.
fn insert(calls: impl ExactSizeIterator<Item = CallRecord>) -> Query<'static, Sqlite, SqliteArguments> {
    const COLUMNS: usize = 12;
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    let insert = format!(
        "INSERT INTO calls (at, user_id, session_id, toolkit, account_id, method, host, path, outcome, status, \
         bytes, duration_us) VALUES {}",
        vec![row; calls.len()].join(", ")
    );
    calls.fold(sqlx::query(AssertSqlSafe(insert)), |query, call| {
        query
            .bind(call.at)
            .bind(call.user_id)
            .bind(call.session_id)
            .bind(call.toolkit)
            .bind(call.account_id)
            .bind(call.method)
            .bind(call.host)
            .bind(call.path)
            .bind(call.outcome)
            .bind(call.status)
            .bind(call.bytes)
            .bind(call.duration_us)
    })
}
