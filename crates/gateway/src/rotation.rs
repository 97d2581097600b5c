//! The rotation of a store's encryption key, while gateways use the store.
//!
//! Every sealed field is opened and sealed again with the first key, in small batches. A row that changed
//! meanwhile is left as it is, and read again. So the rotation can end at any point, and begin again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use proxy_execute_protocol::Result;
use proxy_execute_store::{Clock, KeyUse, ResealedRow, SealedCount, SealedRow, SealedTable, Store};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::audit::{Action, Actor};
use crate::store::{self, Place};
use crate::vault::{EncryptionKeys, SealedField, Unopenable, Vault};

/// The rows that are read and replaced at once. The gateways wait for a batch to write.
const BATCH: u32 = 100;

/// How often all rows are read. Another time is needed only if a gateway still encrypts with an older key.
const MOST_PASSES: u32 = 5;

/// Upper limit for the rows that a result names.
const MOST_NAMED: usize = 100;

/// The outcome of a rotation.
#[derive(Debug, Serialize)]
pub struct RotatedKey {
    /// The key that has sealed every row now, if none is left.
    pub key_id: String,
    /// The rows that were sealed again.
    pub resealed: KeyUse,
    /// The rows of each key at the end: the given keys first, in their order.
    pub keys: Vec<KeyUse>,
    /// Rows that no key opens, by table and id: at most 100.
    pub unopenable: Vec<String>,
}

/// How far a rotation is.
#[derive(Debug, Default)]
pub struct RotationProgress {
    done: AtomicU64,
    total: AtomicU64,
}

impl RotationProgress {
    /// The rows that were looked at.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The rows that had another key at the beginning.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// Seals all rows of a store with the first key.
///
/// # Errors
/// Those of [`crate::Gateway::open`] about the store and its key.
pub async fn rotate_key(
    path: &str,
    keys: &EncryptionKeys,
    progress: &RotationProgress,
) -> Result<RotatedKey> {
    let (vault, store) = store::open(&Place::of(Some(path))?, Some(keys), &Clock::default(), false).await?;
    let mut rotated = Rotation::new(&vault, &*store, progress).run().await;
    if let Ok(done) = &rotated {
        let change = Action::KeyRotated.of(&done.key_id).by(&Actor::Owner, Clock::default().now());
        if let Err(error) = store.append_audit(change).await {
            rotated = Err(error);
        }
    }
    store.close().await;
    rotated
}

struct Rotation<'a> {
    vault: &'a Vault,
    store: &'a dyn Store,
    progress: &'a RotationProgress,
    resealed: KeyUse,
    unopenable: Vec<String>,
}

impl<'a> Rotation<'a> {
    fn new(vault: &'a Vault, store: &'a dyn Store, progress: &'a RotationProgress) -> Self {
        let resealed = KeyUse { key_id: Some(vault.key_id().to_owned()), ..KeyUse::default() };
        Self { vault, store, progress, resealed, unopenable: Vec::new() }
    }

    async fn run(mut self) -> Result<RotatedKey> {
        let mut counts = self.store.count_sealed().await?;
        self.progress.total.store(self.others(&counts).map(|count| count.rows).sum(), Ordering::Relaxed);
        for _ in 0..MOST_PASSES {
            let others: Vec<SealedCount> = self.others(&counts).cloned().collect();
            self.unopenable.clear();
            let mut is_changed = false;
            for SealedCount { table, key_id, .. } in others {
                is_changed |= self.reseal(table, key_id.as_deref()).await?;
            }
            counts = self.store.count_sealed().await?;
            if !is_changed {
                break;
            }
        }
        Ok(RotatedKey {
            key_id: self.vault.key_id().to_owned(),
            resealed: self.resealed,
            keys: KeyUse::list(&self.vault.key_ids(), &counts),
            unopenable: self.unopenable,
        })
    }

    /// The counts of other keys than the first.
    fn others<'c>(&self, counts: &'c [SealedCount]) -> impl Iterator<Item = &'c SealedCount> {
        let key_id = self.vault.key_id();
        counts.iter().filter(move |count| count.key_id.as_deref() != Some(key_id))
    }

    /// Seals the rows of a table again that another key has sealed. Returns false if no row could be opened.
    async fn reseal(&mut self, table: SealedTable, key_id: Option<&str>) -> Result<bool> {
        let (mut after, mut is_changed) = (i64::MIN, false);
        loop {
            let begun = Instant::now();
            let rows = self.store.sealed_rows(table, key_id, after, BATCH).await?;
            let Some(last) = rows.last() else { return Ok(is_changed) };
            after = last.position;
            self.progress.done.fetch_add(rows.len() as u64, Ordering::Relaxed);
            let mut resealed = Vec::with_capacity(rows.len());
            for read in rows {
                match self.sealed_again(table, &read) {
                    Ok(fields) => resealed.push(ResealedRow { read, fields }),
                    Err(error) => {
                        tracing::error!(table = table.name(), row = read.id, %error, "a row cannot be opened");
                        if self.unopenable.len() < MOST_NAMED {
                            self.unopenable.push(format!("{} {}", table.name(), read.id));
                        }
                    }
                }
            }
            if !resealed.is_empty() {
                is_changed = true;
                let replaced = self.store.reseal_rows(table, self.vault.key_id(), resealed).await?;
                self.resealed.add(table, replaced);
            }
            // Half of the time is the gateways': SQLite has one writer at a time.
            tokio::time::sleep(begun.elapsed()).await;
        }
    }

    fn sealed_again(&self, table: SealedTable, read: &SealedRow) -> Result<Vec<Option<Vec<u8>>>, Unopenable> {
        let place = |field| SealedField { table: table.name(), row: &read.id, field };
        let seal = |(field, sealed): (&&'static str, &Option<Vec<u8>>)| {
            let Some(sealed) = sealed else { return Ok(None) };
            let secret = self.vault.open(place(field), read.key_id.as_deref(), sealed)?;
            Ok(Some(self.vault.seal(place(field), secret.expose_secret())))
        };
        table.fields().iter().zip(&read.fields).map(seal).collect()
    }
}
