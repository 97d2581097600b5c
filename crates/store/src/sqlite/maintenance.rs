//! Checks and copies the file of a store. A gateway may be using the file meanwhile.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use proxy_execute_protocol::{Error, ErrorKind, Result, quoted};
use sqlx::{Connection, SqliteConnection};

use super::error::store_error;
use super::opening::{beside, check_key, name_file, read_only};
use super::{SqliteStore, migrations, sealed};
use crate::{KeyCheck, KeyUse, StoreCheck};

impl SqliteStore {
    /// Checks a store from its first page to its last, and that the key is the right one. Changes nothing.
    ///
    /// # Errors
    /// `StoreCorrupt`, `StoreUnavailable` or `WrongEncryptionKey`, naming the file.
    pub async fn check(path: &Path, key: KeyCheck<'_>) -> Result<StoreCheck> {
        let checked = async {
            has_store(path).await?;
            let mut connection = read_only(path).await?;
            let result = check(&mut connection, key).await;
            connection.close().await.map_err(store_error)?;
            result
        };
        checked.await.map_err(|error| name_file(path, error))
    }

    /// Copies a store to a new file that only this user can read, and returns its size.
    ///
    /// The copy is of one moment, and complete before it has its name.
    ///
    /// # Errors
    /// `InvalidOption` if the new file exists or cannot be created; `StoreCorrupt` or `StoreUnavailable`,
    /// naming the file.
    pub async fn back_up(path: &Path, to: &Path) -> Result<u64> {
        has_store(path).await.map_err(|error| name_file(path, error))?;
        // An empty file reserves the name, and can be mistaken for no backup.
        create_private(to)?;
        let part = beside(to, "-part");
        let copied = copy(path, to, &part).await;
        if copied.is_err() {
            // The error says why; without the files, the next backup may have the same name.
            _ = std::fs::remove_file(&part);
            _ = std::fs::remove_file(to);
        }
        copied
    }
}

/// # Errors
/// `StoreCorrupt` if the file has no store.
async fn has_store(path: &Path) -> Result<()> {
    if SqliteStore::inspect(path, None).await? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::StoreCorrupt, "the file is empty: it has no store yet.")
        .fix("Name the file of a store, or restore it from a backup."))
}

async fn check(connection: &mut SqliteConnection, key: KeyCheck<'_>) -> Result<StoreCheck> {
    // All queries see one snapshot, because a gateway may be writing now.
    let mut moment = connection.begin().await.map_err(store_error)?;
    // SQLite reads every page, and reports the first problem.
    let integrity = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *moment).await;
    let integrity: String = integrity.map_err(store_error)?;
    if integrity != "ok" {
        let message = format!("the file is damaged: {}.", quoted(&integrity));
        return Err(Error::new(ErrorKind::StoreCorrupt, message).fix("Restore it from a backup."));
    }
    let schema = migrations::schema_of(&mut moment).await?;
    check_key(&mut moment, key).await?;
    let sealed = sealed::count(&mut moment).await.map_err(store_error)?;
    let counts = sqlx::query_as(StoreCheck::COUNTS).fetch_one(&mut *moment).await;
    let (accounts, sessions, api_keys, calls) = counts.map_err(store_error)?;
    Ok(StoreCheck {
        schema_version: schema.version,
        pending_migrations: schema.pending,
        encryption_keys: KeyUse::list(key.key_ids, &sealed),
        accounts,
        sessions,
        api_keys,
        calls,
    })
}

/// Copies a store into `part`, and renames the complete copy.
async fn copy(path: &Path, to: &Path, part: &Path) -> Result<u64> {
    // A killed backup may have left it. The name `to` is reserved, so no other backup is writing it.
    _ = std::fs::remove_file(part);
    create_private(part)?;
    let failed = |error: Error| {
        let message =
            format!("{} cannot be copied to {}: {}", path.display(), to.display(), error.body().message);
        Error::new(error.kind(), message)
    };
    vacuum_into(path, part).await.map_err(failed)?;
    let written = || {
        let copy = OpenOptions::new().write(true).open(part)?;
        copy.sync_all()?;
        std::fs::rename(part, to)?;
        copy.metadata().map(|copy| copy.len())
    };
    let bytes = written().map_err(|error| {
        failed(Error::new(ErrorKind::StoreUnavailable, format!("the copy cannot be written ({error}).")))
    })?;
    // A power failure could undo the new name. Some file systems cannot prevent that, and the copy is complete.
    if let Some(Ok(folder)) = to.parent().map(File::open) {
        _ = folder.sync_all();
    }
    Ok(bytes)
}

/// Copies the store of one moment, without the space of deleted rows.
async fn vacuum_into(path: &Path, to: &Path) -> Result<()> {
    // SQLite would read a relative path that begins with `file:` as a URL.
    let to = std::path::absolute(to).ok().and_then(|to| to.into_os_string().into_string().ok());
    let to = to.ok_or_else(|| Error::new(ErrorKind::StoreUnavailable, "its path is not UTF-8."))?;
    let mut connection = read_only(path).await?;
    let copied = sqlx::query("VACUUM INTO ?").bind(to).execute(&mut connection).await;
    connection.close().await.map_err(store_error)?;
    copied.map(drop).map_err(store_error)
}

/// Creates a file that only this user can read.
fn create_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        let unusable = |fact: String| {
            Error::new(ErrorKind::InvalidOption, format!("file: {} {fact}", path.display())).about("file")
        };
        match error.kind() {
            IoErrorKind::AlreadyExists => {
                unusable("exists already.".to_owned()).fix("Name a new file: a backup replaces no other.")
            }
            _ => unusable(format!("cannot be created ({error}).")),
        }
    })
}
