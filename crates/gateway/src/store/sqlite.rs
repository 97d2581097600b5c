//! The store in SQLite: in memory, or in a file.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row};

use super::{AccountFilter, CallRecord, Store, StoredAccount, StoredKey, StoredSession};
use crate::clock::now;
use crate::vault::{Place, Vault};

/// Marks a database file as ours (SQLite's `application_id`): "pxex".
const APPLICATION_ID: i64 = 0x7078_6578;

/// How long a write waits for another process to finish its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many calls are remembered; the oldest go first.
const CALLS_IN_MEMORY: i64 = 10_000;
const CALLS_IN_FILE: i64 = 1_000_000;

/// The text that shows whether the key is the one that the store was written with.
const KEY_CHECK: &str = "proxy-execute";
const KEY_CHECK_PLACE: Place<'_> = Place { table: "meta", row: "key_check", field: "value" };

const ACCOUNT_COLUMNS: &str = "id, user_id, toolkit, alias, auth_scheme, status, status_reason, is_disabled, \
     credential, key_id, expires_at, created_at, updated_at";

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    pool: SqlitePool,
    calls_kept: i64,
}

impl SqliteStore {
    /// A store that lives as long as the gateway does.
    pub(crate) async fn in_memory(vault: &Vault) -> Result<Self> {
        let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
        // Every connection to `:memory:` is a database of its own, so there is exactly one, forever.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(store_error)?;
        let store = Self { pool, calls_kept: CALLS_IN_MEMORY };
        store.prepare(vault).await?;
        Ok(store)
    }

    /// The store in this file, which is made if it is not there.
    ///
    /// # Errors
    /// `StoreUnavailable`, `StoreCorrupt` or `WrongEncryptionKey`, naming the file. The file is
    /// changed only when it is ours and the key is right.
    pub(crate) async fn in_file(path: &Path, vault: &Vault) -> Result<Self> {
        let name_file = |error: Error| {
            let message = format!("{}: {}", path.display(), error.body().message);
            let named = Error::new(error.kind(), message);
            match &error.body().suggested_fix {
                Some(fix) => named.fix(fix.clone()),
                None => named,
            }
        };
        if path.exists() {
            Self::inspect(path, vault).await.map_err(name_file)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An account that was imported must be there after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|error| name_file(store_error(error)))?;
        let store = Self { pool, calls_kept: CALLS_IN_FILE };
        store.prepare(vault).await.map_err(name_file)?;
        Ok(store)
    }

    /// Looks at an existing file without changing it: is it ours, is it whole, is the key right?
    async fn inspect(path: &Path, vault: &Vault) -> Result<()> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(store_error)?;
        let result = Self::inspect_with(&mut connection, vault).await;
        // Dropped, it would let go of the file some time later.
        connection.close().await.map_err(store_error)?;
        result
    }

    async fn inspect_with(connection: &mut SqliteConnection, vault: &Vault) -> Result<()> {
        // All questions are about one moment: another process may be making the store right now.
        let mut moment = connection.begin().await.map_err(store_error)?;
        let one = |row: sqlx::sqlite::SqliteRow| row.get::<i64, _>(0);
        let tables = sqlx::query("SELECT count(*) FROM sqlite_master").fetch_one(&mut *moment).await;
        if tables.map(one).map_err(store_error)? == 0 {
            return Ok(());
        }
        let id = sqlx::query("PRAGMA application_id").fetch_one(&mut *moment).await;
        if id.map(one).map_err(store_error)? != APPLICATION_ID {
            return Err(Error::new(ErrorKind::StoreCorrupt, "this is the database of another program.")
                .fix("Name a file of the gateway's own, or one that does not exist yet."));
        }
        let check = sqlx::query("SELECT value FROM meta WHERE name = 'key_check'")
            .fetch_optional(&mut *moment)
            .await
            .map_err(store_error)?;
        match check {
            Some(row) => check_key(vault, row.get(0)),
            None => Ok(()),
        }
    }

    /// Brings the schema up to date, and notes the key in a new store. In one transaction, because
    /// several processes may make the same store at the same moment: each sees all of it or nothing.
    async fn prepare(&self, vault: &Vault) -> Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        // The public `run` makes this future one that cannot change threads, says the compiler.
        let migrated = sqlx::migrate!("migrations/sqlite").run_direct(None, &mut *transaction, false).await;
        migrated.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
            other => Error::new(
                ErrorKind::StoreUnavailable,
                format!("the database was written by another version of the gateway ({other})."),
            ),
        })?;
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('key_check', ?) ON CONFLICT DO NOTHING")
            .bind(vault.seal(KEY_CHECK_PLACE, KEY_CHECK))
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        // Whoever came first may have had another key.
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'key_check'")
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        check_key(vault, row.get(0))?;
        transaction.commit().await.map_err(store_error)
    }
}

fn check_key(vault: &Vault, sealed: &[u8]) -> Result<()> {
    vault.open(KEY_CHECK_PLACE, sealed).map(drop).map_err(|_| {
        Error::new(ErrorKind::WrongEncryptionKey, "the store was written with another encryption key.")
            .fix("Open it with that key. Nothing was changed.")
    })
}

/// Tells a damaged file from one that cannot be reached, and keeps the rest for the log.
fn store_error(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    // SQLITE_CORRUPT and SQLITE_NOTADB, with their extended codes.
    let primary = code.as_deref().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    match (primary, &error) {
        (Some(11 | 26), _) => {
            Error::new(ErrorKind::StoreCorrupt, "the file is damaged, or not a SQLite database.")
                .fix("Restore it from a backup, or name another file.")
        }
        (Some(10), _) => {
            Error::new(ErrorKind::StoreUnavailable, "the database file cannot be read or written.")
                .fix("Check that it is a file, not a folder, and that its disk works.")
        }
        (Some(14), _) => Error::new(ErrorKind::StoreUnavailable, "the database file cannot be opened.")
            .fix("Check that its folder exists and that this process may write there."),
        (Some(5 | 6), _) => {
            Error::new(ErrorKind::StoreUnavailable, "another process keeps the database locked.")
                .fix("Try again; if it stays, look for a process that holds a transaction open.")
        }
        (Some(8), _) => Error::new(ErrorKind::StoreUnavailable, "the database is read-only.")
            .fix("Check that this process may write to the file and its folder."),
        (Some(13), _) => Error::new(ErrorKind::StoreUnavailable, "the disk is full.").fix("Free some space."),
        (_, sqlx::Error::PoolClosed) => Error::new(ErrorKind::GatewayClosed, "The gateway is closed."),
        _ => {
            tracing::error!(%error, "the store failed");
            Error::new(ErrorKind::Internal, "The gateway's store failed. Its log has the cause.")
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert_session(&self, session: &StoredSession) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (id, user_id, config, version, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        )
        .bind(&session.id)
        .bind(&session.user_id)
        .bind(&session.config)
        .bind(session.version)
        .bind(now())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn session(&self, id: &str) -> Result<Option<StoredSession>> {
        let row = sqlx::query("SELECT user_id, config, version FROM sessions WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(row.map(|row| StoredSession {
            id: id.to_owned(),
            user_id: row.get(0),
            config: row.get(1),
            version: row.get(2),
        }))
    }

    async fn update_session(&self, session: &StoredSession) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE sessions SET config = ?, version = version + 1, updated_at = ? WHERE id = ? AND version = ?",
        )
        .bind(&session.config)
        .bind(now())
        .bind(&session.id)
        .bind(session.version)
        .execute(&self.pool)
        .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_session(&self, id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id).execute(&self.pool).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_account(&self, account: &StoredAccount) -> Result<()> {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO connected_accounts ({ACCOUNT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )))
        .bind(&account.id)
        .bind(&account.user_id)
        .bind(&account.toolkit)
        .bind(&account.alias)
        .bind(&account.auth_scheme)
        .bind(&account.status)
        .bind(&account.status_reason)
        .bind(account.is_disabled)
        .bind(&account.credential)
        .bind(&account.key_id)
        .bind(account.expires_at)
        .bind(account.created_at)
        .bind(account.updated_at)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn account(&self, id: &str) -> Result<Option<StoredAccount>> {
        let select = format!("SELECT {ACCOUNT_COLUMNS} FROM connected_accounts WHERE id = ?");
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn accounts(&self, filter: &AccountFilter) -> Result<Vec<StoredAccount>> {
        let mut query =
            QueryBuilder::new(format!("SELECT {ACCOUNT_COLUMNS} FROM connected_accounts WHERE TRUE"));
        for (column, values) in
            [("user_id", &filter.user_ids), ("toolkit", &filter.toolkits), ("status", &filter.statuses)]
        {
            if !values.is_empty() {
                query.push(format!(" AND {column} IN "));
                query.push_tuples(values, |mut tuple, value| _ = tuple.push_bind(value));
            }
        }
        if let Some((created_at, id)) = &filter.before {
            query.push(" AND (created_at, id) < (").push_bind(created_at).push(", ").push_bind(id).push(")");
        }
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(filter.limit);
        query.build_query_as().fetch_all(&self.pool).await.map_err(store_error)
    }

    async fn account_for_call(&self, user_id: &str, toolkit: &str) -> Result<Option<StoredAccount>> {
        let select = format!(
            "SELECT {ACCOUNT_COLUMNS} FROM connected_accounts WHERE user_id = ? AND toolkit = ? \
             ORDER BY status = 'ACTIVE' AND NOT is_disabled AND coalesce(expires_at > ?, TRUE) DESC, \
             created_at DESC, rowid DESC LIMIT 1"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(user_id)
            .bind(toolkit)
            .bind(now())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn set_account_disabled(&self, id: &str, disabled: bool) -> Result<bool> {
        let done = sqlx::query("UPDATE connected_accounts SET is_disabled = ?, updated_at = ? WHERE id = ?")
            .bind(disabled)
            .bind(now())
            .bind(id)
            .execute(&self.pool)
            .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_account(&self, id: &str) -> Result<bool> {
        let done =
            sqlx::query("DELETE FROM connected_accounts WHERE id = ?").bind(id).execute(&self.pool).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_key(&self, key: &StoredKey) -> Result<()> {
        sqlx::query("INSERT INTO api_keys (id, name, hash, permissions, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(&key.id)
            .bind(&key.name)
            .bind(&key.hash)
            .bind(&key.permissions)
            .bind(key.created_at)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<StoredKey>> {
        sqlx::query_as("SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        sqlx::query_as("SELECT * FROM api_keys ORDER BY created_at DESC, id")
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn touch_key(&self, id: &str) -> Result<()> {
        sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE id = ?")
            .bind(now())
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let done = sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(now())
            .bind(id)
            .execute(&self.pool)
            .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_calls(&self, calls: &[CallRecord]) -> Result<()> {
        // SQLite takes 32 766 values in one statement.
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        for calls in calls.chunks(2_000) {
            let mut query = QueryBuilder::new(
                "INSERT INTO calls (at, user_id, session_id, toolkit, account_id, method, host, path, outcome, \
                 status, bytes, duration_us) ",
            );
            query.push_values(calls, |mut row, call| {
                row.push_bind(call.at)
                    .push_bind(&call.user_id)
                    .push_bind(&call.session_id)
                    .push_bind(&call.toolkit)
                    .push_bind(&call.account_id)
                    .push_bind(&call.method)
                    .push_bind(&call.host)
                    .push_bind(&call.path)
                    .push_bind(&call.outcome)
                    .push_bind(call.status)
                    .push_bind(call.bytes)
                    .push_bind(call.duration_us);
            });
            query.build().persistent(false).execute(&mut *transaction).await.map_err(store_error)?;
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

    async fn close(&self) {
        self.pool.close().await;
    }
}
