//! The rows that calls look up again and again, in memory.
//!
//! A write through the store removes what it made out of date before it is answered, and one whose
//! caller goes away, when it has ended. A look-up that is under way meanwhile is not kept: who looks
//! up holds a guard, which a removal makes void.
//! Any other write to the database, by this process or another, is noticed within
//! [`CHECKED_EVERY`], and then everything is looked up anew.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proxy_execute_protocol::Result;
use quick_cache::sync::Cache;

use super::{StoredAccount, StoredKey, StoredSession};

/// How long a write that this store did not see may go unnoticed.
pub(super) const CHECKED_EVERY: Duration = Duration::from_millis(100);

/// How many rows of a kind are kept; those used least go first.
const KEPT: usize = 20_000;

/// Rows of one kind. What is not there was not looked up; that says nothing of whether it exists.
#[derive(Debug)]
pub(super) struct Rows<K, V>(Arc<Cache<K, Arc<V>>>);

/// What a call's account is looked up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum AccountKey {
    Id(String),
    /// User, toolkit and, if the session names one, auth config.
    Best(String, String, Option<String>),
}

/// All kinds of rows.
#[derive(Debug)]
pub(super) struct Recent {
    pub(super) sessions: Rows<String, StoredSession>,
    /// By hash.
    pub(super) keys: Rows<Vec<u8>, StoredKey>,
    pub(super) accounts: Rows<AccountKey, StoredAccount>,
    opened: Instant,
    /// When the database was last asked for writes, in milliseconds after `opened`.
    checked_at: AtomicU64,
    /// What it answered.
    version: AtomicI64,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            sessions: Rows::new(KEPT),
            keys: Rows::new(KEPT),
            accounts: Rows::new(KEPT),
            opened: Instant::now(),
            checked_at: AtomicU64::new(0),
            version: AtomicI64::new(0),
        }
    }

    /// Whether it is time to ask the database; true to one of those who ask this at the same time.
    pub(super) fn is_due(&self) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.checked_at.load(Ordering::Relaxed);
        u128::from(now.saturating_sub(last)) >= CHECKED_EVERY.as_millis()
            && self.checked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Forgets everything if the database is another version than it was.
    pub(super) fn is_at(&self, version: i64) {
        if self.version.swap(version, Ordering::Relaxed) != version {
            self.forget_all();
        }
    }

    pub(super) fn forget_all(&self) {
        self.sessions.0.clear();
        self.keys.0.clear();
        self.accounts.0.clear();
    }
}

impl<K: Hash + Eq, V> Rows<K, V> {
    fn new(kept: usize) -> Self {
        Self(Arc::new(Cache::new(kept)))
    }

    /// The row that is kept under a key, or else the one that is found. A row is kept for as long as
    /// `is_good`, which may depend on the time.
    pub(super) async fn get_or_find<Q>(
        &self,
        key: &Q,
        is_good: impl Fn(&V) -> bool,
        find: impl Future<Output = Result<Option<V>>>,
    ) -> Result<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.0.get_value_or_guard_async(key).await {
            Ok(row) if is_good(&row) => Ok(Some(row)),
            Ok(_) => {
                self.0.remove(key);
                Ok(find.await?.map(Arc::new))
            }
            Err(guard) => {
                let found = find.await?.map(Arc::new);
                if let Some(row) = found.as_ref().filter(|row| is_good(row)) {
                    // Refused if the row was removed meanwhile.
                    _ = guard.insert(Arc::clone(row));
                }
                Ok(found)
            }
        }
    }

    /// Removes rows, when what is returned is dropped.
    pub(super) fn forget_after(&self, keys: impl Into<Vec<K>>) -> Forget<K, V> {
        Forget { rows: Arc::clone(&self.0), keys: Some(keys.into()) }
    }

    /// Removes all rows, when what is returned is dropped.
    pub(super) fn forget_all_after(&self) -> Forget<K, V> {
        Forget { rows: Arc::clone(&self.0), keys: None }
    }
}

/// Removes rows when it is dropped; without keys, all.
#[must_use = "the rows are removed when it is dropped"]
pub(super) struct Forget<K: Hash + Eq, V> {
    rows: Arc<Cache<K, Arc<V>>>,
    keys: Option<Vec<K>>,
}

impl<K: Hash + Eq, V> Drop for Forget<K, V> {
    fn drop(&mut self) {
        match &self.keys {
            Some(keys) => keys.iter().for_each(|key| _ = self.rows.remove(key)),
            None => self.rows.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proxy_execute_protocol::SessionConfig;

    use super::*;

    async fn find(rows: &Rows<String, u32>, found: u32) -> u32 {
        *rows.get_or_find("a", |_| true, async { Ok(Some(found)) }).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_row_is_found_once_until_it_is_forgotten() {
        let rows = Rows::new(10);
        assert_eq!(rows.get_or_find("a", |_| true, async { Ok(None) }).await.unwrap(), None);
        assert_eq!((find(&rows, 1).await, find(&rows, 2).await), (1, 1));
        drop(rows.forget_after(["b".to_owned()]));
        assert_eq!(find(&rows, 2).await, 1);
        let write = rows.forget_after(["a".to_owned()]);
        assert_eq!(find(&rows, 2).await, 1);
        drop(write);
        assert_eq!((find(&rows, 2).await, find(&rows, 3).await), (2, 2));
        drop(rows.forget_all_after());
        assert_eq!(find(&rows, 3).await, 3);
    }

    #[tokio::test]
    async fn a_row_is_kept_while_it_is_good() {
        let rows: Rows<String, u32> = Rows::new(10);
        let get = async |least, found| {
            *rows.get_or_find("a", |row| *row >= least, async { Ok(Some(found)) }).await.unwrap().unwrap()
        };
        assert_eq!((get(1, 0).await, get(0, 1).await, get(1, 2).await), (0, 1, 1));
        assert_eq!((get(2, 1).await, get(0, 5).await), (1, 5));
    }

    #[tokio::test]
    async fn what_was_found_before_a_write_is_not_kept() {
        let forget_it: fn(&Rows<String, u32>) = |rows| drop(rows.forget_after(["a".to_owned()]));
        let forget_all: fn(&Rows<String, u32>) = |rows| drop(rows.forget_all_after());
        for forget in [forget_it, forget_all] {
            let rows = Rows::new(10);
            let find_old = async {
                forget(&rows);
                Ok(Some(1))
            };
            assert_eq!(rows.get_or_find("a", |_| true, find_old).await.unwrap().as_deref(), Some(&1));
            assert_eq!(find(&rows, 2).await, 2);
        }
    }

    #[test]
    fn another_version_of_the_database_is_looked_up_anew() {
        let recent = Recent::new();
        let session = StoredSession {
            id: "trs_1".to_owned(),
            user_id: "ann".to_owned(),
            config: SessionConfig::default(),
            version: 1,
        };
        recent.is_at(1);
        recent.sessions.0.insert(session.id.clone(), Arc::new(session));
        recent.is_at(1);
        assert!(recent.sessions.0.get("trs_1").is_some());
        recent.is_at(2);
        assert!(recent.sessions.0.get("trs_1").is_none());
    }
}
