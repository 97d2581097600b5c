//! A store without a gateway: it is checked, migrated, copied, backed up, and encrypted with another key.

use std::sync::Arc;

use napi_derive::napi;
use proxy_execute_server::{
    EncryptionKeys, RotationProgress, back_up_store as back_up, check_store as check, copy_store as copy,
    migrate_store as migrate, rotate_key,
};

use crate::call::{to_its_end, to_json};
use crate::completions::Completions;

/// Checks a store, and that these are its keys. Changes nothing.
#[napi(catch_unwind)]
pub fn check_store(store: String, encryption_key: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&check(&store, &encryption_key.into()).await?) })
}

/// Brings a store in a database to the schema of this version. The result is the number of migrations.
#[napi(catch_unwind)]
pub fn migrate_store(store: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&migrate(&store).await?) })
}

/// Copies a store from a file to a database. The result has the tables.
#[napi(catch_unwind)]
pub fn copy_store(from: String, to: String, encryption_key: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&copy(&from, &to, &encryption_key.into()).await?) })
}

/// Copies a store to a new file. The result is the size of the copy.
#[napi(catch_unwind)]
pub fn back_up_store(store: String, file: String, completions: &Completions) -> u32 {
    to_its_end(completions, async move { to_json(&back_up(&store, &file).await?) })
}

/// The rotation of a store's key. Each row is encrypted with the first key.
#[napi]
#[derive(Debug)]
pub struct KeyRotation {
    store: String,
    keys: EncryptionKeys,
    progress: Arc<RotationProgress>,
}

#[napi]
impl KeyRotation {
    /// Names the store and its keys.
    #[napi(constructor)]
    pub fn new(store: String, encryption_key: String) -> Self {
        Self { store, keys: encryption_key.into(), progress: Arc::default() }
    }

    /// The rows that were looked at.
    #[napi(getter, catch_unwind)]
    pub fn done(&self) -> f64 {
        self.progress.done() as f64
    }

    /// The rows that had another key at the beginning.
    #[napi(getter, catch_unwind)]
    pub fn total(&self) -> f64 {
        self.progress.total() as f64
    }

    /// Runs it to its end.
    #[napi(catch_unwind)]
    pub fn run(&self, completions: &Completions) -> u32 {
        let (store, keys, progress) = (self.store.clone(), self.keys.clone(), Arc::clone(&self.progress));
        to_its_end(completions, async move { to_json(&rotate_key(&store, &keys, &progress).await?) })
    }
}
