//! The store of a gateway: how it is opened with its key, checked and backed up.

use std::path::Path;
use std::sync::Arc;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use proxy_execute_store::{Cached, Clock, KeyCheck, SqliteStore, Store, StoreCheck};

use crate::vault::{EncryptionKeys, MAKE_A_KEY, SealedField, Vault};

/// The text that a store keeps encrypted. A gateway with another key cannot decrypt it.
const KEY_CHECK: &str = "proxy-execute";
const KEY_CHECK_PLACE: SealedField<'_> = SealedField { table: "meta", row: "key_check", field: "value" };

/// Opens the store. The key is read before the store, so that an invalid key touches nothing.
pub(crate) async fn open(
    path: Option<&str>,
    keys: Option<&EncryptionKeys>,
    clock: &Clock,
) -> Result<(Vault, Arc<dyn Store>)> {
    let vault = keys.map(Vault::with_keys).transpose()?;
    let (vault, file) = match path {
        None | Some(":memory:") => (vault.unwrap_or_else(Vault::ephemeral), None),
        Some("") => {
            return Err(Error::new(ErrorKind::InvalidOption, "store: is empty.")
                .about("store")
                .fix("Name a file, or leave `store` out to keep everything in memory."));
        }
        Some(path) => {
            let vault = vault.ok_or_else(|| {
                Error::new(
                    ErrorKind::EncryptionKeyRequired,
                    format!("A store in a file ({path}) needs an encryptionKey: the credentials in it are encrypted."),
                )
                .fix(format!("Create a key, and keep it apart from the file: {MAKE_A_KEY}"))
            })?;
            (vault, Some(Path::new(path)))
        }
    };
    let (key_ids, sealed) = (vault.key_ids(), vault.seal(KEY_CHECK_PLACE, KEY_CHECK));
    let opens = |kept: &[u8]| vault.open(KEY_CHECK_PLACE, None, kept).is_ok();
    let key = KeyCheck { key_ids: &key_ids, sealed: &sealed, opens: &opens };
    let store = match file {
        Some(file) => SqliteStore::in_file(file, key, clock.clone()).await?,
        None => SqliteStore::in_memory(key, clock.clone()).await?,
    };
    Ok((vault, Arc::new(Cached::new(store, clock.clone()))))
}

/// Checks that an open store can be used, with these keys.
///
/// # Errors
/// Those of [`Store::ready`].
pub(crate) async fn ready(store: &dyn Store, vault: &Vault) -> Result<()> {
    let opens = |kept: &[u8]| vault.open(KEY_CHECK_PLACE, None, kept).is_ok();
    store.ready(KeyCheck { key_ids: &vault.key_ids(), sealed: &[], opens: &opens }).await
}

/// Checks a store in a file, and that these are its keys. Changes nothing.
///
/// # Errors
/// `InvalidOption` for a text that is not a key, `WrongEncryptionKey`, `StoreCorrupt` or `StoreUnavailable`.
pub async fn check_store(path: &str, keys: &EncryptionKeys) -> Result<StoreCheck> {
    let vault = Vault::with_keys(keys)?;
    let opens = |kept: &[u8]| vault.open(KEY_CHECK_PLACE, None, kept).is_ok();
    let key = KeyCheck { key_ids: &vault.key_ids(), sealed: &[], opens: &opens };
    SqliteStore::check(Path::new(path), key).await
}

/// Copies a store to a new file, and returns the size of the copy. A gateway may be using the store.
///
/// The key is not needed, because the copy has what the store has: sealed credentials.
///
/// # Errors
/// `InvalidOption` if the new file exists or cannot be created, `StoreCorrupt` or `StoreUnavailable`.
pub async fn back_up_store(path: &str, file: &str) -> Result<u64> {
    SqliteStore::back_up(Path::new(path), Path::new(file)).await
}
