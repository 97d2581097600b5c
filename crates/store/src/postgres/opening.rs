//! Opens a store in a database. The database is checked before anything in it is changed.

use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::audit_log::{APPENDING, append};
use super::changes::Listening;
use super::dialect::wait_for_others;
use super::error::{not_in_time, read_only, store_error};
use super::migrations::{TABLES, migrator};
use super::options::CONNECTED_WITHIN;
use super::{PostgresOptions, PostgresStore, sealed};
use crate::migrations::{APPLIED, migration_to, of_another_version, pending};
use crate::{Clock, KeyCheck};

/// The oldest version of PostgreSQL that this is tested with.
const OLDEST_SERVER: i32 = 15;

/// A connection that was idle for longer is tried before it is used. The server may have ended it.
const TRIED_AFTER: Duration = Duration::from_millis(100);

/// How long a connection may take to respond when it is tried.
const TRIED_FOR: Duration = Duration::from_secs(1);

impl PostgresStore {
    /// Opens the store in this database.
    ///
    /// # Errors
    /// `StoreUnavailable`, `StoreCorrupt` or `WrongEncryptionKey`, naming the database. Without `migrate`, a
    /// schema that is behind is `StoreUnavailable`.
    pub async fn open(
        options: &PostgresOptions,
        key: KeyCheck<'_>,
        clock: Clock,
        migrate: bool,
    ) -> Result<Self> {
        let opened = async {
            if migrate {
                Self::bring_up_to_date_and_note(options).await?;
            }
            let mut connection = connect(&options.limited()).await?;
            if has_schema(&mut connection).await? {
                let missing = check_schema(&mut connection).await?.1;
                if missing > 0 {
                    return Err(behind(missing));
                }
            } else {
                return Err(empty());
            }
            let insert = sqlx::query(KeyCheck::INSERT).bind(key.sealed).bind(key.key_ids.first());
            insert.execute(&mut connection).await.map_err(store_error)?;
            // Another gateway may have opened the new store with another key.
            check_key(&mut connection, key).await?;
            let gateway =
                sqlx::query_scalar("SELECT gen_random_uuid()::TEXT").fetch_one(&mut connection).await;
            let gateway: String = gateway.map_err(store_error)?;
            connection.close().await.map_err(store_error)?;

            let connect = options.limited().options([("proxy_execute.gateway", &gateway)]);
            let listening = Listening::begin(connect.clone(), gateway, clock.clone()).await;
            let pool = pool(options, connect);
            Ok(Self {
                writer: pool.clone(),
                pool,
                // The server ends a statement before.
                patience: options.statement_timeout + TRIED_FOR,
                listening: listening.map_err(store_error)?,
                clock,
                runtime: Handle::current(),
                place: options.place(),
            })
        };
        opened.await.map_err(|error| name_place(options, error))
    }

    /// Brings a database to the schema of this version. Returns how many migrations were applied.
    ///
    /// Several processes may do so at once: one waits for the other.
    ///
    /// # Errors
    /// `StoreUnavailable` or `StoreCorrupt`, naming the database.
    pub async fn migrate(options: &PostgresOptions) -> Result<usize> {
        Self::bring_up_to_date_and_note(options).await.map_err(|error| name_place(options, error))
    }

    /// Notes in the audit record that the schema of a store was changed. A new store has nothing to note.
    async fn bring_up_to_date_and_note(options: &PostgresOptions) -> Result<usize> {
        let applied = Self::bring_up_to_date(options).await?;
        let newest = migrator().iter().count();
        if (1..newest).contains(&applied) {
            let noted = async {
                let mut connection = options.connect.connect().await?;
                let mut transaction = connection.begin().await?;
                wait_for_others(&mut transaction, APPENDING).await?;
                append(&mut transaction, migration_to(newest, Clock::default().now())).await?;
                transaction.commit().await?;
                connection.close().await
            };
            noted.await.map_err(store_error)?;
        }
        Ok(applied)
    }

    /// The same without the note, for a database that is to have the rows of another store.
    pub(crate) async fn bring_up_to_date(options: &PostgresOptions) -> Result<usize> {
        // A migration of many rows takes its time.
        let mut connection = connect(&options.connect).await?;
        let missing = async |connection: &mut PgConnection| match has_schema(connection).await? {
            true => check_schema(connection).await.map(|(_, missing)| missing),
            false => Ok(migrator().iter().count()),
        };
        let before = missing(&mut connection).await?;
        if before > 0 {
            migrator().run_direct(None, &mut connection, false).await.map_err(|error| match error {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
                other => of_another_version(&other),
            })?;
        }
        connection.close().await.map_err(store_error)?;
        Ok(before)
    }
}

/// Opens a connection to a primary server of a version that is supported.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let connected = timeout(CONNECTED_WITHIN, options.connect()).await;
    let connected = connected.map_err(|_| not_in_time(CONNECTED_WITHIN))?;
    let mut connection = connected.map_err(store_error)?;
    let server = sqlx::query_as(
        "SELECT current_setting('server_version_num')::INTEGER / 10000, current_setting('transaction_read_only') = 'on', \
         current_setting('server_encoding')",
    );
    let (version, is_read_only, encoding): (i32, bool, String) =
        server.fetch_one(&mut connection).await.map_err(store_error)?;
    let unusable = |fact: String| Error::new(ErrorKind::StoreUnavailable, fact);
    if version < OLDEST_SERVER {
        return Err(unusable(format!("the server is PostgreSQL {version}."))
            .fix(format!("Use PostgreSQL {OLDEST_SERVER} or later.")));
    }
    if encoding != "UTF8" {
        return Err(unusable(format!("the encoding of the database is {encoding}."))
            .fix("Create it with `createdb --encoding UTF8 --template template0`."));
    }
    if is_read_only {
        return Err(read_only());
    }
    Ok(connection)
}

/// Whether the migrations have ever run in a database.
pub(super) async fn has_schema(connection: &mut PgConnection) -> Result<bool> {
    let select = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    select.fetch_one(connection).await.map_err(store_error)
}

/// Checks that a database has the schema of this version or of an older one. Returns the number of the last
/// migration that was applied, and how many are missing.
pub(super) async fn check_schema(connection: &mut PgConnection) -> Result<(i64, usize)> {
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as(APPLIED).fetch_all(&mut *connection).await.map_err(store_error)?;
    let missing = pending(&migrator(), &applied)?;
    let newest = applied.last().map_or(0, |(version, _)| *version);
    if missing == 0 {
        let lost =
            sqlx::query_scalar("SELECT name FROM unnest($1) name WHERE to_regclass(name) IS NULL LIMIT 1")
                .bind(TABLES.map(str::to_owned).to_vec());
        let lost: Option<String> = lost.fetch_optional(connection).await.map_err(store_error)?;
        if let Some(table) = lost {
            return Err(Error::new(ErrorKind::StoreCorrupt, format!("the table `{table}` is missing."))
                .fix("Restore the database from a backup."));
        }
    }
    Ok((newest, missing))
}

/// Checks that the gateway has the keys of a store.
pub(crate) async fn check_key(connection: &mut PgConnection, key: KeyCheck<'_>) -> Result<()> {
    let kept = sqlx::query_scalar(KeyCheck::SELECT);
    let kept: Option<Vec<u8>> = kept.fetch_optional(&mut *connection).await.map_err(store_error)?;
    key.check(kept.as_deref(), &sealed::used_keys(connection).await.map_err(store_error)?)
}

fn pool(options: &PostgresOptions, connect: PgConnectOptions) -> PgPool {
    let respond = async |connection: &mut PgConnection| {
        timeout(TRIED_FOR, connection.ping()).await.map_err(|_| sqlx::Error::PoolTimedOut)?
    };
    PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.statement_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, idle| {
            Box::pin(async move {
                if idle.idle_for > TRIED_AFTER {
                    respond(connection).await?;
                }
                Ok(true)
            })
        })
        // A connection that a dropped statement left is usable, or closed. Without a limit, a connection that
        // was cut off would keep its place in the pool.
        .after_release(move |connection, _| Box::pin(async move { respond(connection).await.map(|()| true) }))
        .connect_lazy_with(connect)
}

/// Puts the host and the database in front of the message.
pub(crate) fn name_place(options: &PostgresOptions, error: Error) -> Error {
    error.restated(error.kind(), format!("{}: {}", options.place(), error.body().message))
}

/// The error of a database without a store.
pub(super) fn empty() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "the database has no store yet.")
        .fix("Create its tables with `proxy-execute store migrate`, or open it with `migrate`.")
}

/// The error of a schema of an older version.
pub(super) fn behind(missing: usize) -> Error {
    let message = format!("the schema is behind this version by {missing} migrations.");
    Error::new(ErrorKind::StoreUnavailable, message)
        .fix("Back the database up, and run `proxy-execute store migrate`.")
}
