//! The statements of the record of calls.

use async_trait::async_trait;
use proxy_execute_protocol::{CallFilter, Result};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::dialect::{Arguments, Db, SqlStore};
use crate::text::printable;
use crate::{CallRecord, Calls};

/// How many calls a statement deletes.
const DELETED_AT_ONCE: i64 = 10_000;

#[async_trait]
impl Calls for SqlStore {
    async fn insert_calls(&self, mut calls: Vec<CallRecord>, kept: i64) -> Result<()> {
        self.run(async {
            let mut transaction = self.writer.begin().await?;
            // Use only a few lengths, so that each statement is prepared once. SQLite finds the name of a value by
            // a search through all values before it, so a statement with many more rows would cost more for each row.
            for length in [64, 8, 1] {
                while calls.len() >= length {
                    insert(calls.drain(..length)).execute(&mut *transaction).await?;
                }
            }
            sqlx::query("DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - $1")
                .bind(kept)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRecord>> {
        let texts = [
            ("user_id", &filter.user_id),
            ("session_id", &filter.session_id),
            ("toolkit", &filter.toolkit),
            ("account_id", &filter.connected_account_id),
            ("outcome", &filter.outcome),
            ("request_id", &filter.request_id),
        ];
        let numbers = [("at >= ", filter.since), ("at < ", filter.until), ("id < ", filter.before)];
        let mut select = QueryBuilder::<Db>::new("SELECT * FROM calls WHERE TRUE");
        for (column, text) in texts {
            if let Some(text) = text {
                select.push(" AND ").push(column).push(" = ").push_bind(printable(text.clone()));
            }
        }
        for (comparison, number) in numbers {
            if let Some(number) = number {
                select.push(" AND ").push(comparison).push_bind(number);
            }
        }
        select.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(filter.limit));
        self.run(select.build_query_as().fetch_all(&self.pool)).await
    }

    async fn delete_old_calls(&self, before: i64) -> Result<u64> {
        // The order of the ids is nearly that of the times, and an index on the times would cost every call.
        let delete = sqlx::query(
            "DELETE FROM calls WHERE id < (SELECT coalesce(min(CASE WHEN at >= $1 THEN id END), max(id) + 1) \
             FROM (SELECT id, at FROM calls ORDER BY id LIMIT $2) oldest)",
        )
        .bind(before)
        .bind(DELETED_AT_ONCE);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected())
    }

    async fn delete_calls_of_user(&self, user_id: &str) -> Result<u64> {
        let delete = sqlx::query(
            "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE user_id = $1 ORDER BY id LIMIT $2)",
        )
        .bind(printable(user_id.to_owned()))
        .bind(DELETED_AT_ONCE);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected())
    }
}

/// Returns the statement that inserts calls. SQLite takes 32 766 values in one statement, 2 520 calls, and
/// PostgreSQL takes more.
///
/// The statement takes ownership of the calls, so that their texts are not copied.
fn insert(calls: impl ExactSizeIterator<Item = CallRecord>) -> Query<'static, Db, Arguments> {
    const COLUMNS: usize = 13;
    let row = |row| {
        let values: Vec<_> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", values.join(", "))
    };
    let insert = format!(
        "INSERT INTO calls (at, user_id, session_id, toolkit, account_id, method, host, path, outcome, status, \
         bytes, duration_us, request_id) VALUES {}",
        (0..calls.len()).map(row).collect::<Vec<_>>().join(", ")
    );
    calls.fold(sqlx::query(AssertSqlSafe(insert)), |query, call| {
        query
            .bind(call.at)
            .bind(call.user_id.map(printable))
            .bind(call.session_id.map(printable))
            .bind(call.toolkit.map(printable))
            .bind(call.account_id.map(printable))
            .bind(printable(call.method))
            .bind(call.host.map(printable))
            .bind(call.path.map(printable))
            .bind(call.outcome)
            .bind(call.status)
            .bind(call.bytes)
            .bind(call.duration_us)
            .bind(call.request_id.map(printable))
    })
}
