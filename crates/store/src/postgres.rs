//! The store in a PostgreSQL database, which several gateways may share.
//!
//! Each kind of row has a file with its statements in the folder `sql`, which SQLite shares. They run at READ
//! COMMITTED. A statement that waits for another gateway's change of a row checks its conditions again on the
//! changed row. So of two gateways that take a lease, a state or a link, the second finds it taken.

mod changes;
mod dialect;
mod error;
mod maintenance;
mod migrations;
mod opening;
mod options;

#[path = "sql/accounts.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod accounts;
#[path = "sql/api_keys.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod api_keys;
#[path = "sql/audit_log.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod audit_log;
#[path = "sql/auth_configs.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod auth_configs;
#[path = "sql/calls.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod calls;
#[path = "sql/events.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod events;
#[path = "sql/links.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod links;
#[path = "sql/page.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod page;
#[path = "sql/rows.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod rows;
#[path = "sql/sealed.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod sealed;
#[path = "sql/sessions.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod sessions;
#[path = "sql/webhooks.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database")]
mod webhooks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::runtime::Handle;
use tokio::time::timeout;

use self::changes::Listening;
pub(crate) use self::error::store_error;
pub(crate) use self::opening::{check_key, name_place};
pub use self::options::PostgresOptions;
use crate::migrations::{APPLIED, pending};
use crate::{Clock, KeyCheck, PoolFigures, Store, StoreCheck, StoreFigures};

/// How long the connections of a store may take to close. The server notices the end of the others later.
const CLOSING: Duration = Duration::from_secs(5);

/// A PostgreSQL database.
pub struct PostgresStore {
    pool: PgPool,
    /// The same pool: all connections write.
    writer: PgPool,
    /// Upper limit for the time of a statement or transaction, with the wait for a connection.
    patience: Duration,
    listening: Arc<Listening>,
    clock: Clock,
    /// The runtime that the store was opened on. Its sockets live there: the runtimes of a port may end before
    /// the store.
    runtime: Handle,
    /// The host and the database, for messages.
    place: String,
}

#[async_trait]
impl Store for PostgresStore {
    async fn ready(&self, key: KeyCheck<'_>) -> Result<()> {
        let (mut applied, kept, used): (Vec<(i64, Vec<u8>)>, Option<Vec<u8>>, _) = self
            .run(async {
                let mut connection = self.pool.acquire().await?;
                let applied = sqlx::query_as(APPLIED).fetch_all(&mut *connection).await?;
                let kept = sqlx::query_scalar(KeyCheck::SELECT).fetch_optional(&mut *connection).await?;
                let used = sealed::used_keys(&mut connection).await?;
                sqlx::query(StoreCheck::TABLES).execute(&mut *connection).await?;
                Ok((applied, kept, used))
            })
            .await?;
        // While gateways are upgraded one by one, this one works on the schema of the next version.
        let migrator = migrations::migrator();
        applied.retain(|(version, _)| migrator.version_exists(*version));
        let missing = pending(&migrator, &applied)?;
        if missing > 0 {
            return Err(opening::behind(missing));
        }
        key.check(kept.as_deref(), &used)
    }

    fn figures(&self) -> StoreFigures {
        let (open, most) = (self.pool.size(), self.pool.options().get_max_connections());
        // The pool may change between the two reads.
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(open).min(open);
        StoreFigures { pools: vec![PoolFigures { name: "all", open, idle, most }], ..StoreFigures::default() }
    }

    async fn close(&self) {
        self.listening.end().await;
        _ = timeout(CLOSING, self.pool.close()).await;
    }
}

impl fmt::Debug for PostgresStore {
    /// The pool would show the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Opens a connection to a database without a limit for the time of a statement.
pub(crate) async fn connect(options: &PostgresOptions) -> Result<PgConnection> {
    opening::connect(&options.connect).await
}
