//! Opens a store in memory or in a file. A file is checked before anything in it is changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::audit_log::append;
use super::changes::DataVersion;
use super::error::{is_locked, store_error};
use super::{SqliteStore, migrations, sealed};
use crate::migrations::{APPLIED, migration_to, of_another_version};
use crate::{Clock, KeyCheck};

/// Marks a database file as one of the gateway (SQLite's `application_id`): "pxex".
const APPLICATION_ID: i64 = 0x7078_6578;

/// How long a write waits for the write of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);

/// The pause before the next attempt to set up a new file that is locked.
const LOCKED_FOR: Duration = Duration::from_millis(20);

impl SqliteStore {
    /// Opens a store that lives as long as the gateway.
    pub async fn in_memory(key: KeyCheck<'_>, clock: Clock) -> Result<Self> {
        let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
        // Every connection to `:memory:` has its own database, so the pool keeps exactly one connection
        // forever.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(store_error)?;
        let writer = pool.clone();
        let store = Self { pool, writer, data_version: None, clock };
        store.prepare(key).await?;
        Ok(store)
    }

    /// Opens the store in this file. A missing file is created.
    ///
    /// # Errors
    /// `StoreUnavailable`, `StoreCorrupt` or `WrongEncryptionKey`, naming the file. The file is changed only
    /// if it is a store of the gateway and the key is right.
    pub async fn in_file(path: &Path, key: KeyCheck<'_>, clock: Clock) -> Result<Self> {
        let name_file = |error| name_file(path, error);
        let marker = beside(path, "-made");
        if path.exists() {
            Self::inspect(path, Some(key)).await.map_err(name_file)?;
        } else {
            // The operator has deleted the store, to begin with a new one.
            _ = std::fs::remove_file(&marker);
            make_private(path);
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An imported account must survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let pool = connect(&options).await.map_err(|error| name_file(store_error(error)))?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let data_version = Some(DataVersion::new());
        let store = Self { pool, writer, data_version, clock };
        store.prepare(key).await.map_err(name_file)?;
        make_private(&marker);
        Ok(store)
    }

    /// Checks an existing file without changing it: whether it is a store of the gateway, is not damaged at its
    /// beginning, and has the right key.
    ///
    /// Returns whether the file has a store. Without one, it may become a new store.
    pub(super) async fn inspect(path: &Path, key: Option<KeyCheck<'_>>) -> Result<bool> {
        let marker = beside(path, "-made");
        // Check the marker and the log before the file. Another process may be creating the store now: it
        // creates the file first, then the log and then the marker.
        let (was_made, has_log) = (marker.exists(), has_log(path));
        let has_bytes = path.metadata().map_or(true, |file| file.len() > 0);
        // SQLite deletes a log beside a file of 0 bytes, so such a file is not opened here.
        let has_tables = has_bytes && Self::inspect_file(path, key).await?;
        if !has_tables && (was_made || (has_log && !has_bytes)) {
            return Err(emptied(&marker));
        }
        Ok(has_tables)
    }

    async fn inspect_file(path: &Path, key: Option<KeyCheck<'_>>) -> Result<bool> {
        let mut connection = read_only(path).await?;
        let result = Self::inspect_with(&mut connection, key).await;
        // A dropped connection would release the file some time later, so the connection is closed here.
        connection.close().await.map_err(store_error)?;
        result
    }

    async fn inspect_with(connection: &mut SqliteConnection, key: Option<KeyCheck<'_>>) -> Result<bool> {
        // All queries see one snapshot, because another process may be creating the store now.
        let mut moment = connection.begin().await.map_err(store_error)?;
        let number = |number: Result<i64, sqlx::Error>| number.map_err(store_error);
        let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_master").fetch_one(&mut *moment).await;
        if number(tables)? == 0 {
            return Ok(false);
        }
        let id = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *moment).await;
        if number(id)? != APPLICATION_ID {
            return Err(Error::new(ErrorKind::StoreCorrupt, "this is the database of another program.")
                .fix("Name a file of the gateway's own, or one that does not exist yet."));
        }
        let Some(key) = key else { return Ok(true) };
        check_key(&mut moment, key).await.map(|()| true)
    }

    /// Migrates the schema, and notes the key in a new store.
    ///
    /// This is one transaction, because several processes may create the same store at once: each sees all of
    /// it or nothing.
    async fn prepare(&self, key: KeyCheck<'_>) -> Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let before = migrations_of(&mut transaction).await.map_err(store_error)?;
        // With the public `run`, the compiler rejects this future as one that cannot change threads.
        let migrated = migrations::migrator().run_direct(None, &mut *transaction, false).await;
        migrated.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
            other => of_another_version(&other),
        })?;
        let newest = migrations::migrator().iter().count();
        if (1..newest).contains(&before) {
            let change = migration_to(newest, self.clock.now());
            append(&mut transaction, change).await.map_err(store_error)?;
        }
        let id: i64 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        // A write each time the store is opened would make other processes wait.
        if id != APPLICATION_ID {
            sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
        }
        sqlx::query(KeyCheck::INSERT)
            .bind(key.sealed)
            .bind(key.key_ids.first())
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        // Another process may have created the store with another key.
        check_key(&mut transaction, key).await?;
        transaction.commit().await.map_err(store_error)
    }
}

/// Counts the migrations that a database has seen. A new one has no table of them.
async fn migrations_of(store: &mut SqliteConnection) -> sqlx::Result<usize> {
    let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let is_new = sqlx::query_scalar::<_, i64>(table).fetch_one(&mut *store).await? == 0;
    let applied: Vec<(i64, Vec<u8>)> =
        if is_new { Vec::new() } else { sqlx::query_as(APPLIED).fetch_all(store).await? };
    Ok(applied.len())
}

/// Checks that the gateway has the keys of a store.
pub(super) async fn check_key(store: &mut SqliteConnection, key: KeyCheck<'_>) -> Result<()> {
    let kept = sqlx::query_scalar(KeyCheck::SELECT);
    let kept: Option<Vec<u8>> = kept.fetch_optional(&mut *store).await.map_err(store_error)?;
    key.check(kept.as_deref(), &sealed::used_keys(store).await.map_err(store_error)?)
}

/// Connects to a file. Retries while another process has a new file locked.
///
/// Switching a new file to a write-ahead log needs exclusive access, and SQLite does not wait for that
/// (<https://sqlite.org/wal.html>).
async fn connect(options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let give_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        let pool = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false);
        match pool.connect_with(options.clone()).await {
            Err(error) if is_locked(&error) && Instant::now() < give_up => {
                tokio::time::sleep(LOCKED_FOR).await
            }
            result => return result,
        }
    }
}

/// Opens an existing file for reading.
pub(crate) async fn read_only(path: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    options.connect().await.map_err(store_error)
}

/// Puts the path of the file in front of the message.
pub(super) fn name_file(path: &Path, error: Error) -> Error {
    error.restated(error.kind(), format!("{}: {}", path.display(), error.body().message))
}

/// Returns the path of the file beside the store with this ending.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether the file has a write-ahead log with content. An empty store has none.
fn has_log(path: &Path) -> bool {
    beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0)
}

/// The error of a store that was emptied.
fn emptied(marker: &Path) -> Error {
    Error::new(ErrorKind::StoreCorrupt, "the file is empty, but a store was in it before.").fix(format!(
        "Restore it from a backup. To begin with an empty store, delete the file, {} and the `-wal` beside it.",
        marker.display()
    ))
}

/// Creates a file that only this user can read. SQLite gives the files beside it the same permissions.
///
/// Errors are ignored: opening the file reports them.
fn make_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    _ = options.open(path);
}
