//! The store of a gateway: how it is opened with its key, migrated, checked, copied and backed up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use proxy_execute_store::{
    Cached, Clock, CopiedTable, KeyCheck, PostgresOptions, PostgresStore, SqliteStore, Store, StoreCheck,
};

use crate::vault::{EncryptionKeys, MAKE_A_KEY, SealedField, Vault};

/// The text that a store keeps encrypted. A gateway with another key cannot decrypt it.
const KEY_CHECK: &str = "proxy-execute";
const KEY_CHECK_PLACE: SealedField<'_> = SealedField { table: "meta", row: "key_check", field: "value" };

/// Where a store is.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    Memory,
    File(&'a Path),
    Postgres(Box<PostgresOptions>),
}

impl<'a> Place<'a> {
    /// Reads the option `store`.
    pub(crate) fn of(store: Option<&'a str>) -> Result<Self> {
        match store {
            None | Some(":memory:") => Ok(Self::Memory),
            Some("") => Err(Error::new(ErrorKind::InvalidOption, "store: is empty.")
                .about("store")
                .fix("Name a file, or leave `store` out to keep everything in memory.")),
            Some(url) if PostgresOptions::is_url(url) => {
                Ok(Self::Postgres(Box::new(PostgresOptions::from_url(url)?)))
            }
            Some(path) => Ok(Self::File(Path::new(path))),
        }
    }

    /// Sets the limits of a database's connections. No other store has any.
    pub(crate) fn limited(
        self,
        max_connections: Option<u32>,
        statement_timeout_ms: Option<u64>,
    ) -> Result<Self> {
        let zero = |name: &str| {
            Error::new(ErrorKind::InvalidOption, format!("{name}: must be at least 1.")).about(name)
        };
        match self {
            _ if max_connections == Some(0) => Err(zero("maxConnections")),
            _ if statement_timeout_ms == Some(0) => Err(zero("statementTimeout")),
            Self::Postgres(mut options) => {
                options.max_connections = max_connections.unwrap_or(options.max_connections);
                options.statement_timeout =
                    statement_timeout_ms.map_or(options.statement_timeout, Duration::from_millis);
                Ok(Self::Postgres(options))
            }
            place => Ok(place),
        }
    }

    /// The file of the store. Files of responses are stored beside it by default.
    pub(crate) fn file(&self) -> Option<&'a Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory | Self::Postgres(_) => None,
        }
    }
}

/// The keys of a vault, as a store checks them.
struct StoreKey<Opens> {
    key_ids: Vec<String>,
    sealed: Vec<u8>,
    opens: Opens,
}

fn store_key(vault: &Vault) -> StoreKey<impl Fn(&[u8]) -> bool + Sync> {
    StoreKey {
        key_ids: vault.key_ids(),
        sealed: vault.seal(KEY_CHECK_PLACE, KEY_CHECK),
        opens: |kept: &[u8]| vault.open(KEY_CHECK_PLACE, None, kept).is_ok(),
    }
}

impl<Opens: Fn(&[u8]) -> bool + Sync> StoreKey<Opens> {
    fn check(&self) -> KeyCheck<'_> {
        KeyCheck { key_ids: &self.key_ids, sealed: &self.sealed, opens: &self.opens }
    }
}

/// Opens the store. The key is read before the store, so that an invalid key touches nothing.
///
/// A file is migrated when it is opened. A database that several gateways share is migrated only if `migrate`
/// is set.
pub(crate) async fn open(
    place: &Place<'_>,
    keys: Option<&EncryptionKeys>,
    clock: &Clock,
    migrate: bool,
) -> Result<(Vault, Arc<dyn Store>)> {
    let vault = keys.map(Vault::with_keys).transpose()?;
    let vault = match (vault, place) {
        (Some(vault), _) => vault,
        (None, Place::Memory) => Vault::ephemeral(),
        (None, Place::File(path)) => return Err(without_key(&format!("in a file ({})", path.display()))),
        (None, Place::Postgres(options)) => {
            return Err(without_key(&format!("in a database ({})", options.place())));
        }
    };
    let store = open_with(place, store_key(&vault).check(), clock.clone(), migrate).await?;
    Ok((vault, store))
}

async fn open_with(
    place: &Place<'_>,
    key: KeyCheck<'_>,
    clock: Clock,
    migrate: bool,
) -> Result<Arc<dyn Store>> {
    Ok(match place {
        Place::Memory => Arc::new(Cached::new(SqliteStore::in_memory(key, clock.clone()).await?, clock)),
        Place::File(path) => {
            Arc::new(Cached::new(SqliteStore::in_file(path, key, clock.clone()).await?, clock))
        }
        Place::Postgres(options) => {
            let store = PostgresStore::open(options, key, clock.clone(), migrate).await?;
            Arc::new(Cached::new(store, clock))
        }
    })
}

/// Checks that an open store can be used, with these keys.
///
/// # Errors
/// Those of [`Store::ready`].
pub(crate) async fn ready(store: &dyn Store, vault: &Vault) -> Result<()> {
    store.ready(store_key(vault).check()).await
}

fn without_key(place: &str) -> Error {
    let message = format!("A store {place} needs an encryptionKey: the credentials in it are encrypted.");
    Error::new(ErrorKind::EncryptionKeyRequired, message)
        .fix(format!("Create a key, and keep it apart from the store: {MAKE_A_KEY}"))
}

/// Checks a store in a file or a database, and that these are its keys. Changes nothing.
///
/// # Errors
/// `InvalidOption` for a text that is not a key, `WrongEncryptionKey`, `StoreCorrupt` or `StoreUnavailable`.
pub async fn check_store(store: &str, keys: &EncryptionKeys) -> Result<StoreCheck> {
    let vault = Vault::with_keys(keys)?;
    let key = store_key(&vault);
    match Place::of(Some(store))? {
        Place::Postgres(options) => PostgresStore::check(&options, key.check()).await,
        Place::Memory | Place::File(_) => SqliteStore::check(Path::new(store), key.check()).await,
    }
}

/// Brings the store in a database to the schema of this version. Returns how many migrations were applied.
///
/// A store in a file is migrated when it is opened.
///
/// # Errors
/// `InvalidOption` for a file, `StoreCorrupt` or `StoreUnavailable`.
pub async fn migrate_store(store: &str) -> Result<usize> {
    match Place::of(Some(store))? {
        Place::Postgres(options) => PostgresStore::migrate(&options).await,
        Place::Memory | Place::File(_) => Err(Error::new(
            ErrorKind::InvalidOption,
            "store: is a file, which is migrated when it is opened.",
        )
        .about("store")
        .fix("Name a database, as postgres://user@host:5432/database.")),
    }
}

/// Copies a store from a file to a database, and compares all rows. The gateways of both must be closed.
///
/// # Errors
/// `InvalidOption` if the names are not a file and a database; `Conflict` if the database has other rows;
/// `WrongEncryptionKey`, `StoreCorrupt` or `StoreUnavailable`. Nothing was changed then.
pub async fn copy_store(from: &str, to: &str, keys: &EncryptionKeys) -> Result<Vec<CopiedTable>> {
    let vault = Vault::with_keys(keys)?;
    let (Place::File(file), Place::Postgres(to)) = (Place::of(Some(from))?, Place::of(Some(to))?) else {
        return Err(Error::new(ErrorKind::InvalidOption, "store: is copied from a file to a database.")
            .about("store")
            .fix("Name a file, and a database as postgres://user@host:5432/database."));
    };
    proxy_execute_store::copy_store(file, &to, store_key(&vault).check()).await
}

/// Copies a store to a new file, and returns the size of the copy. A gateway may be using the store.
///
/// The key is not needed, because the copy has what the store has: sealed credentials.
///
/// # Errors
/// `InvalidOption` if the store is a database, or if the new file exists or cannot be created; `StoreCorrupt`
/// or `StoreUnavailable`.
pub async fn back_up_store(store: &str, file: &str) -> Result<u64> {
    if PostgresOptions::is_url(store) {
        return Err(Error::new(
            ErrorKind::InvalidOption,
            "store: is a database, which PostgreSQL's tools back up.",
        )
        .about("store")
        .fix("Run `pg_dump --format=custom --file=FILE URL`."));
    }
    SqliteStore::back_up(Path::new(store), Path::new(file)).await
}
