//! The parts of the shared statements that differ between PostgreSQL and SQLite, for PostgreSQL.

use proxy_execute_protocol::Result;
use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow};
use sqlx::{Postgres, Transaction};
use tokio::time::timeout;
use tokio_util::context::TokioContext;

use super::PostgresStore;
use super::error::{not_in_time, store_error, while_open};
use crate::SealedTable;

pub(super) type Db = Postgres;
pub(super) type DbRow = PgRow;
pub(super) type Connection = PgConnection;
pub(super) type Arguments = PgArguments;
pub(super) type SqlStore = PostgresStore;

/// The accounts with their auth configs.
pub(super) const ACCOUNTS: &str = "connected_accounts a JOIN auth_configs c ON c.id = a.auth_config_id";

/// Locks the selected rows until the transaction ends.
pub(super) const FOR_UPDATE: &str = " FOR UPDATE";

/// Keeps rows of the joined table `s` from being deleted until the transaction ends.
pub(super) const FOR_KEY_SHARE: &str = " FOR KEY SHARE OF s";

/// Locks the selected rows, and leaves out rows that another transaction has locked.
pub(super) const SKIP_LOCKED: &str = " FOR UPDATE SKIP LOCKED";

/// The function that returns the place of a text in another, from 1.
pub(super) const POSITION: &str = "strpos";

/// The place of a row in the order of its table.
pub(super) const POSITION_OF_ROW: &str = "seq";

/// The hash of a token in hexadecimal.
pub(super) const TOKEN_HASH_IN_HEX: &str = "encode(token_hash, 'hex')";

/// PostgreSQL has statistics, and chooses the index itself.
pub(super) fn unindexed(column: &str) -> String {
    column.to_owned()
}

/// Begins a transaction that writes.
pub(super) async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin().await
}

/// Begins a transaction that waits for others with this work, in all gateways.
pub(super) async fn begin_alone(
    pool: &PgPool,
    work: &'static str,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut transaction = pool.begin().await?;
    wait_for_others(&mut transaction, work).await?;
    Ok(transaction)
}

/// Waits until no other transaction has this work, and keeps others waiting until this one ends.
pub(super) async fn wait_for_others(transaction: &mut PgConnection, work: &'static str) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('proxy-execute'), hashtext($1))")
        .bind(work)
        .execute(transaction)
        .await
        .map(drop)
}

/// Returns the tables whose rows note the key. In an older schema, these are not all.
pub(super) async fn tables_with_keys(connection: &mut PgConnection) -> sqlx::Result<Vec<SealedTable>> {
    let mut tables = Vec::new();
    for table in SealedTable::ALL {
        let exists = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table.name());
        if exists.fetch_one(&mut *connection).await? {
            tables.push(table);
        }
    }
    Ok(tables)
}

impl PostgresStore {
    /// Waits for a statement or a transaction for a limited time, and returns its error in the words of the
    /// gateway.
    ///
    /// The server has the same limit for a statement. This limit is for a connection that is cut off.
    pub(super) async fn run<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let limited = async {
            match timeout(self.patience, work).await {
                Ok(done) => done.map_err(store_error),
                Err(_) => Err(not_in_time(self.patience)),
            }
        };
        TokioContext::new(limited, self.runtime.clone()).await.map_err(while_open)
    }
}
