//! The store in SQLite: in memory, or in a file.
//!
//! Each kind of row has a file with its statements.

mod accounts;
mod api_keys;
mod auth_configs;
mod calls;
mod changes;
mod error;
mod links;
mod maintenance;
mod migrations;
mod opening;
mod page;
mod rows;
mod sealed;
mod sessions;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;

use self::changes::DataVersion;
pub use self::maintenance::StoreCheck;
use crate::{Clock, Store};

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
    calls_kept: i64,
    clock: Clock,
}

#[async_trait]
impl Store for SqliteStore {
    async fn close(&self) {
        self.pool.close().await;
        self.writer.close().await;
    }
}
