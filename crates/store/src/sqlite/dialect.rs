//! The parts of the shared statements that differ between PostgreSQL and SQLite, for SQLite.

use proxy_execute_protocol::Result;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Sqlite, Transaction};

use super::SqliteStore;
use super::error::store_error;
use crate::SealedTable;

pub(super) type Db = Sqlite;
pub(super) type DbRow = SqliteRow;
pub(super) type Connection = SqliteConnection;
pub(super) type Arguments = SqliteArguments;
pub(super) type SqlStore = SqliteStore;

/// The accounts with their auth configs. CROSS makes SQLite loop over the accounts first.
pub(super) const ACCOUNTS: &str = "connected_accounts a CROSS JOIN auth_configs c ON c.id = a.auth_config_id";

/// A transaction that writes has the whole file locked.
pub(super) const FOR_UPDATE: &str = "";

/// Keeps rows of a joined table from being deleted until the transaction ends.
pub(super) const FOR_KEY_SHARE: &str = "";

/// Locks the selected rows, and leaves out rows that another transaction has locked.
pub(super) const SKIP_LOCKED: &str = "";

/// The function that returns the place of a text in another, from 1.
pub(super) const POSITION: &str = "instr";

/// The place of a row in the order of its table.
pub(super) const POSITION_OF_ROW: &str = "rowid";

/// The hash of a token in hexadecimal.
pub(super) const TOKEN_HASH_IN_HEX: &str = "lower(hex(token_hash))";

/// Keeps SQLite from using an index of the column.
pub(super) fn unindexed(column: &str) -> String {
    format!("+{column}")
}

/// Begins a transaction that writes.
pub(super) async fn begin(writer: &SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
    writer.begin_with("BEGIN IMMEDIATE").await
}

/// Begins a transaction that waits for others with this work. SQLite has one writer at a time anyway.
pub(super) async fn begin_alone(
    writer: &SqlitePool,
    _work: &'static str,
) -> sqlx::Result<Transaction<'static, Sqlite>> {
    begin(writer).await
}

/// Returns the tables whose rows note the key. In a schema before the migration `key ids`, these are not all.
pub(super) async fn tables_with_keys(connection: &mut SqliteConnection) -> sqlx::Result<Vec<SealedTable>> {
    let mut tables = Vec::new();
    for table in SealedTable::ALL {
        let has_keys = "SELECT count(*) FROM pragma_table_info($1) WHERE name = 'key_id'";
        if sqlx::query_scalar(has_keys).bind(table.name()).fetch_one(&mut *connection).await? {
            tables.push(table);
        }
    }
    Ok(tables)
}

impl SqliteStore {
    /// Waits for a statement, and returns its error in the words of the gateway.
    pub(super) async fn run<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        work.await.map_err(store_error)
    }
}
