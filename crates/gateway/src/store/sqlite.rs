//! The store in SQLite: in memory, or in a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{Error, ErrorKind, Result, SessionConfig};
use sqlx::migrate::MigrateError;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row, Sqlite};

use super::cache::{AccountKey, Recent};
use super::{
    AccountChange, AccountFilter, AuthConfigFilter, CallRecord, LinkStart, PageAsked, RefreshEnd, Rows,
    SealedCredential, Store, StoredAccount, StoredAuthConfig, StoredKey, StoredLink, StoredSession,
};
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

/// What an account takes from its auth config.
const FROM_CONFIG: &str = "c.status = 'DISABLED' AS config_is_disabled, c.has_client AS config_has_client";

/// The accounts with their auth configs. To SQLite, CROSS is the order of the loops: accounts first.
const ACCOUNTS: &str = "connected_accounts a CROSS JOIN auth_configs c ON c.id = a.auth_config_id";

/// The account that a call would use comes first. `?1` is the time of day: as a part of the text it
/// would make every call a new statement to prepare.
const BEST_FIRST: &str = "a.status = 'ACTIVE' AND c.status = 'ENABLED' \
     AND (coalesce(a.expires_at > ?1, TRUE) OR a.renewable AND c.has_client) DESC, a.created_at DESC, a.seq DESC";

/// Puts a credential in the place of another, in an UPDATE: with it ends what was noted of a refresh
/// of the other, and whoever holds the lease has lost it.
fn push_credential(query: &mut QueryBuilder<Sqlite>, credential: &SealedCredential, is_refresh: bool) {
    let at = now();
    query.push("credential = ").push_bind(credential.sealed.clone());
    query.push(", key_id = ").push_bind(credential.key_id.clone());
    query.push(", expires_at = ").push_bind(credential.expires_at);
    query.push(", renewable = ").push_bind(credential.renewable);
    query.push(", credential_version = credential_version + 1, credential_at = ").push_bind(at);
    query.push(", refreshed_at = ").push_bind(is_refresh.then_some(at));
    query.push(", unanswered = 0, failures = 0, retry_at = NULL, problem = NULL");
    query.push(", lease_holder = NULL, lease_until = NULL");
}

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    pool: SqlitePool,
    /// The one connection that writes. SQLite has one writer at a time anyway, and this one knows
    /// when another process has written (`data_version`). In memory, the connection of everything.
    writer: SqlitePool,
    is_shared: bool,
    recent: Recent,
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
        let writer = pool.clone();
        let recent = Recent::new();
        let store = Self { pool, writer, is_shared: false, recent, calls_kept: CALLS_IN_MEMORY };
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
            .connect_with(options.clone())
            .await
            .map_err(|error| name_file(store_error(error)))?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let store = Self { pool, writer, is_shared: true, recent: Recent::new(), calls_kept: CALLS_IN_FILE };
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

impl SqliteStore {
    /// Forgets what is kept of the database if another process has written to it.
    async fn notice_writes(&self) -> Result<()> {
        if self.is_shared && self.recent.is_due() {
            let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(&self.writer).await;
            self.recent.is_at(version.map_err(store_error)?);
        }
        Ok(())
    }

    /// What an account that is about to be written to may be kept under; `None` when there is none.
    async fn account_keys(&self, id: &str) -> Result<Option<[AccountKey; 3]>> {
        let found =
            sqlx::query_as("SELECT user_id, toolkit, auth_config_id FROM connected_accounts WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.writer)
                .await
                .map_err(store_error)?;
        Ok(found.map(|(user, toolkit, config): (String, String, String)| {
            account_keys(id, &user, &toolkit, &config)
        }))
    }

    async fn add_auth_config(&self, config: &StoredAuthConfig, on_conflict: &str) -> Result<()> {
        let insert = format!(
            "INSERT INTO auth_configs (id, toolkit, name, type, auth_scheme, status, credentials, key_id, has_client, \
             settings, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {on_conflict}"
        );
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .bind(&config.id)
            .bind(&config.toolkit)
            .bind(&config.name)
            .bind(&config.kind)
            .bind(&config.auth_scheme)
            .bind(&config.status)
            .bind(&config.credentials)
            .bind(&config.key_id)
            .bind(config.has_client)
            .bind(&config.settings)
            .bind(config.created_at)
            .bind(config.updated_at)
            .execute(&self.writer)
            .await
            .map(drop)
            .map_err(store_error)
    }
}

/// The column whose index finds the accounts of a filter; `None` walks through all in their order,
/// which soon fills a page where many match.
///
/// SQLite knows nothing of how many rows have a value, so it is told: a user's accounts are few, and
/// any other index is of use only where it also has the order that is asked for.
fn index_of(filter: &AccountFilter) -> Option<&'static str> {
    let in_order = |values: &[String]| values.len() == 1 && !filter.by_change;
    if !filter.ids.is_empty() {
        Some("id")
    } else if !filter.user_ids.is_empty() {
        Some("user_id")
    } else if in_order(&filter.statuses) && filter.statuses != ["ACTIVE"] {
        Some("status")
    } else if in_order(&filter.auth_config_ids) {
        Some("auth_config_id")
    } else if in_order(&filter.toolkits) {
        Some("toolkit")
    } else {
        None
    }
}

/// Restricts a query to the accounts of a filter; `alias` is the table's name in it with a dot. A
/// plus keeps SQLite from using the index of any column but the one that is to find them.
fn restrict_accounts(query: &mut QueryBuilder<Sqlite>, alias: &str, filter: &AccountFilter) {
    let index = index_of(filter);
    for (column, values) in [
        ("id", &filter.ids),
        ("user_id", &filter.user_ids),
        ("toolkit", &filter.toolkits),
        ("status", &filter.statuses),
        ("auth_config_id", &filter.auth_config_ids),
    ] {
        if !values.is_empty() {
            let plus = if index == Some(column) { "" } else { "+" };
            query.push(format!(" AND {plus}{alias}{column} IN ("));
            let mut list = query.separated(", ");
            for value in values {
                list.push_bind(value.clone());
            }
            query.push(")");
        }
    }
}

/// What an account may be kept under: its id, and as the best of its user and toolkit, with any auth
/// config or its own. None of these ever changes.
fn account_keys(id: &str, user_id: &str, toolkit: &str, auth_config_id: &str) -> [AccountKey; 3] {
    let best = |config| AccountKey::Best(user_id.to_owned(), toolkit.to_owned(), config);
    [AccountKey::Id(id.to_owned()), best(None), best(Some(auth_config_id.to_owned()))]
}

/// Whether an account is kept: only one that is active, so that nothing which happens before it is,
/// or after, needs to be noticed.
fn is_active(account: &StoredAccount) -> bool {
    account.status == "ACTIVE" && !account.config_is_disabled
}

fn config_json(session: &StoredSession) -> String {
    serde_json::to_string(&session.config).expect("a configuration is made of JSON values")
}

fn session_config(id: &str, json: &str) -> Result<SessionConfig> {
    serde_json::from_str(json).map_err(|error| {
        tracing::error!(session = id, %error, "a stored session cannot be read");
        Error::new(ErrorKind::Internal, format!("Session {id} cannot be read from the store."))
    })
}

fn update_account(id: &str, change: &AccountChange) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE connected_accounts SET updated_at = ");
    query.push_bind(now());
    if let Some(alias) = &change.alias {
        query.push(", alias = ").push_bind(alias.clone());
    }
    if let Some(credential) = &change.credential {
        query.push(", ");
        push_credential(&mut query, credential, false);
    }
    if let Some((status, reason)) = &change.status {
        query.push(", own_status = ").push_bind(status.clone());
        query.push(", status_reason = ").push_bind(reason.clone());
    }
    if let Some(is_disabled) = change.is_disabled {
        query.push(", is_disabled = ").push_bind(is_disabled);
    }
    query.push(" WHERE id = ").push_bind(id.to_owned());
    if let Some(version) = change.of_version {
        query.push(" AND credential_version = ").push_bind(version);
        query.push(" AND coalesce(lease_until, 0) <= ").push_bind(now());
    }
    query
}

/// Takes the rows of a page, and one more that shows whether there is a next one.
fn push_page(query: &mut QueryBuilder<Sqlite>, time: &str, seq: &str, oldest_first: bool, page: &PageAsked) {
    let (than, direction) = if oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some((at, after)) = &page.after {
        query.push(format!(" AND ({time}, {seq}) {than} (")).push_bind(*at).push(", ");
        query.push_bind(*after).push(")");
    }
    query.push(format!(" ORDER BY {time} {direction}, {seq} {direction} LIMIT "));
    query.push_bind(i64::from(page.limit) + 1);
}

/// The statement that inserts calls. SQLite takes 32 766 values in one, which is 2 730 calls.
///
/// The calls are given away, so that their texts are not copied.
fn insert_calls(calls: impl ExactSizeIterator<Item = CallRecord>) -> Query<'static, Sqlite, SqliteArguments> {
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
        (Some(19), _) => {
            Error::new(ErrorKind::Conflict, "The alias is taken: another account of the user has it.")
        }
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
        .bind(config_json(session))
        .bind(session.version)
        .bind(now())
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>> {
        self.notice_writes().await?;
        let find = async {
            let found = sqlx::query_as("SELECT user_id, config, version FROM sessions WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
            found
                .map(|(user_id, config, version): (String, String, i64)| {
                    let config = session_config(id, &config)?;
                    Ok(StoredSession { id: id.to_owned(), user_id, config, version })
                })
                .transpose()
        };
        self.recent.sessions.get_or_find(id, |_| true, find).await
    }

    async fn update_session(&self, session: &StoredSession) -> Result<bool> {
        let _forget = self.recent.sessions.forget_after([session.id.clone()]);
        let done = sqlx::query(
            "UPDATE sessions SET config = ?, version = version + 1, updated_at = ? WHERE id = ? AND version = ?",
        )
        .bind(config_json(session))
        .bind(now())
        .bind(&session.id)
        .bind(session.version)
        .execute(&self.writer)
        .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_session(&self, id: &str) -> Result<bool> {
        let _forget = self.recent.sessions.forget_after([id.to_owned()]);
        let done = sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id).execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()> {
        self.add_auth_config(config, "").await
    }

    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig> {
        let find = || async {
            sqlx::query_as(
                "SELECT * FROM auth_configs WHERE toolkit = ? AND auth_scheme = ? AND type = 'default'",
            )
            .bind(&config.toolkit)
            .bind(&config.auth_scheme)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
        };
        if let Some(found) = find().await? {
            return Ok(found);
        }
        self.add_auth_config(&config, "ON CONFLICT DO NOTHING").await?;
        Ok(find().await?.unwrap_or(config))
    }

    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>> {
        sqlx::query_as("SELECT * FROM auth_configs WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>> {
        let restrict = |query: &mut QueryBuilder<Sqlite>| {
            if let Some(toolkit) = &filter.toolkit {
                query.push(" AND toolkit = ").push_bind(toolkit.clone());
            }
            if let Some(search) = &filter.search {
                query.push(" AND instr(lower(name), lower(").push_bind(search.clone()).push("))");
            }
            if !filter.with_disabled {
                query.push(" AND status = 'ENABLED'");
            }
            if filter.only_custom {
                query.push(" AND type = 'custom'");
            }
        };
        let mut count = QueryBuilder::new("SELECT count(*) FROM auth_configs WHERE TRUE");
        restrict(&mut count);
        let total = count.build_query_scalar().fetch_one(&self.pool).await.map_err(store_error)?;

        let mut query = QueryBuilder::new("SELECT * FROM auth_configs WHERE TRUE");
        restrict(&mut query);
        push_page(&mut query, "created_at", "seq", false, &filter.page);
        let rows = query.build_query_as().fetch_all(&self.pool).await.map_err(store_error)?;
        Ok(Rows { rows, total })
    }

    async fn update_auth_config(&self, config: &StoredAuthConfig) -> Result<bool> {
        let _forget = self.recent.accounts.forget_all_after();
        let done = sqlx::query(
            "UPDATE auth_configs SET name = ?, status = ?, credentials = ?, key_id = ?, has_client = ?, settings = ?, \
             updated_at = ? WHERE id = ?",
        )
        .bind(&config.name)
        .bind(&config.status)
        .bind(&config.credentials)
        .bind(&config.key_id)
        .bind(config.has_client)
        .bind(&config.settings)
        .bind(now())
        .bind(&config.id)
        .execute(&self.writer)
        .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_auth_config(&self, id: &str) -> Result<bool> {
        let _forget = self.recent.accounts.forget_all_after();
        let done = sqlx::query("DELETE FROM auth_configs WHERE id = ?").bind(id).execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn count_accounts(&self, auth_config_id: &str) -> Result<i64> {
        sqlx::query_scalar("SELECT coalesce(sum(accounts), 0) FROM account_counts WHERE auth_config_id = ?")
            .bind(auth_config_id)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn insert_account(&self, account: &StoredAccount) -> Result<()> {
        let StoredAccount { id, user_id, toolkit, auth_config_id, .. } = account;
        let keys = account_keys(id, user_id, toolkit, auth_config_id);
        let _forget = self.recent.accounts.forget_after(keys);
        sqlx::query(
            "INSERT INTO connected_accounts (id, user_id, toolkit, auth_config_id, alias, word_id, auth_scheme, \
             own_status, status_reason, credential, key_id, expires_at, renewable, credential_at, created_at, updated_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&account.id)
        .bind(&account.user_id)
        .bind(&account.toolkit)
        .bind(&account.auth_config_id)
        .bind(&account.alias)
        .bind(&account.word_id)
        .bind(&account.auth_scheme)
        .bind(&account.status)
        .bind(&account.status_reason)
        .bind(&account.credential.sealed)
        .bind(&account.credential.key_id)
        .bind(account.credential.expires_at)
        .bind(account.credential.renewable)
        .bind(account.credential_at)
        .bind(account.created_at)
        .bind(account.updated_at)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn account(&self, id: &str) -> Result<Option<StoredAccount>> {
        let select = format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.id = ?");
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>> {
        // A user's accounts are few and found by index; all others are counted by triggers.
        let few = !filter.ids.is_empty() || !filter.user_ids.is_empty();
        let mut count = QueryBuilder::new(if few {
            "SELECT count(*) FROM connected_accounts WHERE TRUE"
        } else {
            "SELECT coalesce(sum(accounts), 0) FROM account_counts WHERE TRUE"
        });
        restrict_accounts(&mut count, "", filter);
        let total: i64 = count.build_query_scalar().fetch_one(&self.pool).await.map_err(store_error)?;
        if total == 0 {
            return Ok(Rows { rows: Vec::new(), total });
        }

        let mut query = QueryBuilder::new(format!("SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE TRUE"));
        restrict_accounts(&mut query, "a.", filter);
        let time = match (few, filter.by_change) {
            (false, false) => "a.created_at",
            (false, true) => "a.updated_at",
            // Few are sorted sooner than all are walked through.
            (true, false) => "+a.created_at",
            (true, true) => "+a.updated_at",
        };
        push_page(&mut query, time, "a.seq", filter.oldest_first, &filter.page);
        let rows = query.build_query_as().fetch_all(&self.pool).await.map_err(store_error)?;
        Ok(Rows { rows, total })
    }

    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        let find = async {
            let of_config = if auth_config_id.is_some() { "AND a.auth_config_id = ?4" } else { "" };
            let select = format!(
                "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?2 AND a.toolkit = ?3 {of_config} \
                 ORDER BY {BEST_FIRST} LIMIT 1"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(select)).bind(now()).bind(user_id).bind(toolkit);
            let query = if let Some(id) = auth_config_id { query.bind(id) } else { query };
            query.fetch_optional(&self.pool).await.map_err(store_error)
        };
        // No other can be better while it is: that needs a write, or the end of its access token.
        let is_good = |account: &StoredAccount| {
            is_active(account) && account.credential.expires_at.is_none_or(|at| at > now())
        };
        let config = auth_config_id.map(str::to_owned);
        let key = AccountKey::Best(user_id.to_owned(), toolkit.to_owned(), config);
        self.recent.accounts.get_or_find(&key, is_good, find).await
    }

    async fn named_account_for_call(&self, id: &str) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        let key = AccountKey::Id(id.to_owned());
        self.recent.accounts.get_or_find(&key, is_active, self.account(id)).await
    }

    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT * FROM (SELECT row_number() OVER (PARTITION BY a.toolkit ORDER BY {BEST_FIRST}) AS place, a.*, \
             {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?2) WHERE place = 1"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(now())
            .bind(user_id)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>> {
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.user_id = ?1 AND a.toolkit = ?2 \
             AND (a.alias = ?3 OR a.word_id = ?3) ORDER BY a.alias = ?3 DESC LIMIT 1"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(user_id)
            .bind(toolkit)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool> {
        let Some(keys) = self.account_keys(id).await? else { return Ok(false) };
        let _forget = self.recent.accounts.forget_after(keys);
        let done = update_account(id, change).build().execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn delete_account(&self, id: &str) -> Result<bool> {
        let Some(keys) = self.account_keys(id).await? else { return Ok(false) };
        let _forget = self.recent.accounts.forget_after(keys);
        let done =
            sqlx::query("DELETE FROM connected_accounts WHERE id = ?").bind(id).execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn begin_refresh(
        &self,
        seen: &StoredAccount,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<i64>> {
        let at = now();
        let until = at.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        sqlx::query_scalar(
            "UPDATE connected_accounts SET lease_holder = ?, lease_until = ?, unanswered = unanswered + 1 \
             WHERE id = ? AND credential_version = ? AND status = ? AND failures = ? \
             AND coalesce(lease_until, 0) <= ? RETURNING unanswered - 1",
        )
        .bind(holder)
        .bind(until)
        .bind(&seen.id)
        .bind(seen.credential_version)
        .bind(&seen.status)
        .bind(seen.failures)
        .bind(at)
        .fetch_optional(&self.writer)
        .await
        .map_err(store_error)
    }

    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool> {
        let StoredAccount { id, user_id, toolkit, auth_config_id, .. } = seen;
        let keys = account_keys(id, user_id, toolkit, auth_config_id);
        let _forget = self.recent.accounts.forget_after(keys);
        let mut query = QueryBuilder::new("UPDATE connected_accounts SET ");
        match end {
            RefreshEnd::Renewed(credential) => {
                push_credential(&mut query, credential, true);
                // An account that was given up comes back to life with it.
                query.push(", own_status = 'ACTIVE', status_reason = NULL, updated_at = ").push_bind(now());
            }
            RefreshEnd::Refused(reason) => {
                query.push("own_status = 'EXPIRED', status_reason = ").push_bind(reason);
                query.push(", failures = failures + 1, retry_at = NULL, problem = NULL");
                query.push(", lease_holder = NULL, lease_until = NULL, updated_at = ").push_bind(now());
            }
            RefreshEnd::Failed { problem, retry_at, may_be_done } => {
                query.push("failures = failures + 1, retry_at = ").push_bind(retry_at);
                query.push(", problem = ").push_bind(problem);
                query.push(if *may_be_done { "" } else { ", unanswered = unanswered - 1" });
                query.push(", lease_holder = NULL, lease_until = NULL");
            }
        }
        query.push(" WHERE id = ").push_bind(&seen.id);
        query.push(" AND credential_version = ").push_bind(seen.credential_version);
        query.push(" AND lease_holder = ").push_bind(holder);
        let done = query.build().execute(&self.writer).await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn idle_accounts(&self, before: i64, limit: u32) -> Result<Vec<StoredAccount>> {
        let select = format!(
            "SELECT a.*, {FROM_CONFIG} FROM {ACCOUNTS} WHERE a.renewable AND a.own_status = 'ACTIVE' \
             AND a.credential_at <= ?1 AND coalesce(a.retry_at, 0) <= ?2 AND coalesce(a.lease_until, 0) <= ?2 \
             AND NOT a.is_disabled AND c.status = 'ENABLED' AND c.has_client ORDER BY a.credential_at LIMIT ?3"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(select))
            .bind(before)
            .bind(now())
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn insert_link(&self, link: &StoredLink) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        sqlx::query("DELETE FROM links WHERE account_id = ? AND finished_at IS NULL")
            .bind(&link.account_id)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        sqlx::query(
            "INSERT INTO links (token_hash, account_id, callback_url, scopes, expires_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&link.token_hash)
        .bind(&link.account_id)
        .bind(&link.callback_url)
        .bind(&link.scopes)
        .bind(link.expires_at)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>> {
        sqlx::query_as("SELECT * FROM links WHERE token_hash = ?")
            .bind(token_hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>> {
        sqlx::query_as("SELECT * FROM links WHERE state_hash = ?")
            .bind(state_hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool> {
        let (state_hash, verifier) = start.state.clone().unzip();
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let done = sqlx::query(
            "UPDATE links SET browser_hash = ?1, state_hash = ?2, verifier = ?3 \
             WHERE token_hash = ?4 AND finished_at IS NULL AND coalesce(browser_hash, ?1) = ?1",
        )
        .bind(&start.browser_hash)
        .bind(state_hash)
        .bind(verifier)
        .bind(&link.token_hash)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE connected_accounts SET own_status = 'INITIATED', updated_at = ? \
             WHERE id = ? AND own_status = 'INITIALIZING'",
        )
        .bind(now())
        .bind(&link.account_id)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn take_state(&self, state_hash: &[u8]) -> Result<bool> {
        let done = sqlx::query("UPDATE links SET state_hash = NULL, verifier = NULL WHERE state_hash = ?")
            .bind(state_hash)
            .execute(&self.writer)
            .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<bool> {
        let keys = self.account_keys(&link.account_id).await?.map(Vec::from).unwrap_or_default();
        let _forget = self.recent.accounts.forget_after(keys);
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let done = sqlx::query(
            "UPDATE links SET finished_at = ?, state_hash = NULL, verifier = NULL \
             WHERE token_hash = ? AND finished_at IS NULL",
        )
        .bind(now())
        .bind(&link.token_hash)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        update_account(&link.account_id, change)
            .build()
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn next_link_expiry(&self) -> Result<Option<i64>> {
        sqlx::query_scalar("SELECT min(expires_at) FROM links WHERE expires_at > ? AND finished_at IS NULL")
            .bind(now())
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn expire_links(&self, reason: &str, forget: i64) -> Result<Vec<String>> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let expired = sqlx::query_scalar(
            "UPDATE connected_accounts SET own_status = 'EXPIRED', status_reason = ?1, updated_at = ?2 \
             WHERE own_status IN ('INITIALIZING', 'INITIATED') AND id IN \
             (SELECT account_id FROM links WHERE expires_at <= ?2 AND finished_at IS NULL) RETURNING id",
        )
        .bind(reason)
        .bind(now())
        .fetch_all(&mut *transaction)
        .await
        .map_err(store_error)?;
        sqlx::query("DELETE FROM links WHERE expires_at < ?")
            .bind(forget)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(expired)
    }

    async fn insert_key(&self, key: &StoredKey) -> Result<()> {
        sqlx::query(
            "INSERT INTO api_keys (id, name, hash, permissions, allowed_addresses, expires_at, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&key.id)
        .bind(&key.name)
        .bind(&key.hash)
        .bind(&key.permissions)
        .bind(&key.allowed_addresses)
        .bind(key.expires_at)
        .bind(key.created_at)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(store_error)
    }

    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>> {
        self.notice_writes().await?;
        let find = async {
            sqlx::query_as("SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL")
                .bind(hash)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)
        };
        self.recent.keys.get_or_find(hash, |_| true, find).await
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        sqlx::query_as("SELECT * FROM api_keys ORDER BY created_at DESC, id")
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)
    }

    async fn touch_key(&self, key: &StoredKey) -> Result<()> {
        let _forget = self.recent.keys.forget_after([key.hash.clone()]);
        sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE id = ?")
            .bind(now())
            .bind(&key.id)
            .execute(&self.writer)
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let _forget = self.recent.keys.forget_all_after();
        let done = sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(now())
            .bind(id)
            .execute(&self.writer)
            .await;
        Ok(done.map_err(store_error)?.rows_affected() == 1)
    }

    async fn insert_calls(&self, mut calls: Vec<CallRecord>) -> Result<()> {
        let mut transaction = self.writer.begin().await.map_err(store_error)?;
        // Few lengths, so that each is a statement that was prepared before.
        for length in [512, 64, 8, 1] {
            while calls.len() >= length {
                insert_calls(calls.drain(..length)).execute(&mut *transaction).await.map_err(store_error)?;
            }
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
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests;
