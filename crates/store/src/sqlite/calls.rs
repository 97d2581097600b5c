//! The statement that adds to the record of calls.

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use crate::CallRecord;

/// The statement that inserts calls. SQLite takes 32 766 values in one, which is 2 730 calls.
///
/// The calls are given away, so that their texts are not copied.
pub(super) fn insert(
    calls: impl ExactSizeIterator<Item = CallRecord>,
) -> Query<'static, Sqlite, SqliteArguments> {
    const COLUMNS: usize = 12;
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    let insert = format!(
        "INSERT INTO calls (at, user_id, session_id, toolkit, account_id, method, host, path, outcome, status, \
         bytes, duration_us) VALUES {}",
        vec![row; calls.len()].join(", ")
    );
    calls.fold(sqlx::query(sqlx::AssertSqlSafe(insert)), |query, call| {
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
