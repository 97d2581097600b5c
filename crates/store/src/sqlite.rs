//! The store in SQLite: in memory, or in a file.
//!
//! Each kind of row has a file with its statements in the folder `sql`, which PostgreSQL shares.

mod changes;
mod dialect;
mod error;
mod maintenance;
mod migrations;
mod opening;

// The statements of the folder `sql` are compiled once for each database, with its own `dialect`.
#[path = "sql/accounts.rs"]
mod accounts;
#[path = "sql/api_keys.rs"]
mod api_keys;
#[path = "sql/audit_log.rs"]
mod audit_log;
#[path = "sql/auth_configs.rs"]
mod auth_configs;
#[path = "sql/calls.rs"]
mod calls;
#[path = "sql/events.rs"]
mod events;
#[path = "sql/links.rs"]
mod links;
#[path = "sql/page.rs"]
mod page;
#[path = "sql/rows.rs"]
mod rows;
#[path = "sql/sealed.rs"]
mod sealed;
#[path = "sql/sessions.rs"]
mod sessions;
#[path = "sql/webhooks.rs"]
mod webhooks;

use async_trait::async_trait;
use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::sqlite::SqlitePool;

use self::changes::DataVersion;
pub(crate) use self::error::store_error;
use self::opening::check_key;
pub(crate) use self::opening::read_only;
use crate::{Clock, KeyCheck, PoolFigures, Store, StoreCheck, StoreFigures};

/// A SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    /// The only connection that writes; in memory, the only connection at all.
    ///
    /// SQLite has one writer at a time anyway, and this connection notices when another process has written.
    writer: SqlitePool,
    /// `None` in memory, where no other process can write.
    data_version: Option<DataVersion>,
    clock: Clock,
}

#[async_trait]
impl Store for SqliteStore {
    async fn ready(&self, key: KeyCheck<'_>) -> Result<()> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let schema = migrations::schema_of(&mut connection).await?;
        if schema.pending > 0 {
            let message = format!("the database lacks the last {} migrations.", schema.pending);
            return Err(Error::new(ErrorKind::StoreUnavailable, message)
                .fix("Restore it from a backup, or start the gateway again to migrate it."));
        }
        check_key(&mut connection, key).await?;
        // The statement fails if a table is missing.
        sqlx::query(StoreCheck::TABLES).execute(&mut *connection).await.map_err(store_error)?;
        Ok(())
    }

    fn figures(&self) -> StoreFigures {
        let pool = |name, pool: &SqlitePool| {
            let (open, most) = (pool.size(), pool.options().get_max_connections());
            // The pool may change between the two reads.
            PoolFigures { name, open, idle: (pool.num_idle() as u32).min(open), most }
        };
        let mut pools = vec![pool("read", &self.pool)];
        // In memory, one connection reads and writes.
        if self.data_version.is_some() {
            pools.push(pool("write", &self.writer));
        }
        StoreFigures { pools, ..StoreFigures::default() }
    }

    async fn close(&self) {
        self.pool.close().await;
        self.writer.close().await;
    }
}
