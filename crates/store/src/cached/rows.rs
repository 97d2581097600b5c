//! Rows of one kind in memory.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use proxy_execute_protocol::Result;
use quick_cache::sync::Cache;

use crate::CacheFigures;

/// Upper limit for the cached rows of a kind. The least used rows are dropped first.
const KEPT: usize = 20_000;

/// Cached rows of one kind. A missing row was not looked up; it may still be in the store.
#[derive(Debug)]
pub(super) struct CachedRows<K, V> {
    rows: Arc<Cache<K, Arc<V>>>,
    /// Empty until the figures are read, so that lookups share no counter that no reader needs.
    lookups: OnceLock<Lookups>,
}

/// The lookups since the figures were read first.
#[derive(Debug, Default)]
struct Lookups {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K: Hash + Eq, V> CachedRows<K, V> {
    pub(super) fn new() -> Self {
        Self { rows: Arc::new(Cache::new(KEPT)), lookups: OnceLock::new() }
    }

    /// Drops all rows.
    pub(super) fn clear(&self) {
        self.rows.clear();
    }

    /// Returns figures about the rows, whose kind is `rows`. Lookups are counted from the first call on.
    pub(super) fn figures(&self, rows: &'static str) -> CacheFigures {
        let Lookups { hits, misses } = self.lookups.get_or_init(Lookups::default);
        let [hits, misses] = [hits, misses].map(|lookups| lookups.load(Ordering::Relaxed));
        CacheFigures { rows, hits, misses, size: self.rows.len() as u64 }
    }

    /// Drops the rows of these keys.
    pub(super) fn remove(&self, keys: impl IntoIterator<Item = K>) {
        keys.into_iter().for_each(|key| _ = self.rows.remove(&key));
    }

    /// Returns the cached row of a key, or else the row that `find` returns. A row stays cached as long as it
    /// `is_good`, which may depend on the time.
    pub(super) async fn get_or_find<Q>(
        &self,
        key: &Q,
        is_good: impl Fn(&V) -> bool,
        find: impl Future<Output = Result<Option<Arc<V>>>>,
    ) -> Result<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let count = |lookups: fn(&Lookups) -> &AtomicU64| {
            if let Some(counted) = self.lookups.get() {
                lookups(counted).fetch_add(1, Ordering::Relaxed);
            }
        };
        match self.rows.get_value_or_guard_async(key).await {
            Ok(row) if is_good(&row) => {
                count(|lookups| &lookups.hits);
                Ok(Some(row))
            }
            Ok(_) => {
                count(|lookups| &lookups.misses);
                self.rows.remove(key);
                find.await
            }
            Err(guard) => {
                count(|lookups| &lookups.misses);
                let found = find.await?;
                if let Some(row) = found.as_ref().filter(|row| is_good(row)) {
                    // The cache rejects the row if it was invalidated meanwhile.
                    _ = guard.insert(Arc::clone(row));
                }
                Ok(found)
            }
        }
    }

    /// Removes rows when the returned guard is dropped.
    pub(super) fn invalidate_after(&self, keys: impl Into<Vec<K>>) -> Invalidate<K, V> {
        Invalidate { rows: Arc::clone(&self.rows), keys: Some(keys.into()) }
    }

    /// Removes all rows when the returned guard is dropped.
    pub(super) fn invalidate_all_after(&self) -> Invalidate<K, V> {
        Invalidate { rows: Arc::clone(&self.rows), keys: None }
    }
}

/// Removes rows when it is dropped; all rows if there are no keys.
#[must_use = "the rows are removed when it is dropped"]
pub(super) struct Invalidate<K: Hash + Eq, V> {
    rows: Arc<Cache<K, Arc<V>>>,
    keys: Option<Vec<K>>,
}

impl<K: Hash + Eq, V> Drop for Invalidate<K, V> {
    fn drop(&mut self) {
        match &self.keys {
            Some(keys) => keys.iter().for_each(|key| _ = self.rows.remove(key)),
            None => self.rows.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(rows: &CachedRows<String, u32>, found: u32) -> u32 {
        *rows.get_or_find("a", |_| true, async { Ok(Some(Arc::new(found))) }).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_row_is_found_once_until_it_is_invalidated() {
        let rows = CachedRows::new();
        assert_eq!(rows.get_or_find("a", |_| true, async { Ok(None) }).await.unwrap(), None);
        assert_eq!((find(&rows, 1).await, find(&rows, 2).await), (1, 1));
        drop(rows.invalidate_after(["b".to_owned()]));
        assert_eq!(find(&rows, 2).await, 1);
        let write = rows.invalidate_after(["a".to_owned()]);
        assert_eq!(find(&rows, 2).await, 1);
        drop(write);
        assert_eq!((find(&rows, 2).await, find(&rows, 3).await), (2, 2));
        drop(rows.invalidate_all_after());
        assert_eq!(find(&rows, 3).await, 3);
    }

    #[tokio::test]
    async fn lookups_are_counted_once_the_figures_are_read() {
        let rows = CachedRows::new();
        let counted = || {
            let CacheFigures { hits, misses, size, .. } = rows.figures("rows");
            (hits, misses, size)
        };
        find(&rows, 1).await;
        assert_eq!(counted(), (0, 0, 1));
        find(&rows, 1).await;
        drop(rows.invalidate_after(["a".to_owned()]));
        assert_eq!(counted(), (1, 0, 0));
        find(&rows, 1).await;
        rows.get_or_find("a", |_| false, async { Ok(None) }).await.unwrap();
        assert_eq!(counted(), (1, 2, 0));
    }

    #[tokio::test]
    async fn a_row_is_kept_while_it_is_good() {
        let rows: CachedRows<String, u32> = CachedRows::new();
        let get = async |least, found| {
            *rows
                .get_or_find("a", |row| *row >= least, async { Ok(Some(Arc::new(found))) })
                .await
                .unwrap()
                .unwrap()
        };
        assert_eq!((get(1, 0).await, get(0, 1).await, get(1, 2).await), (0, 1, 1));
        assert_eq!((get(2, 1).await, get(0, 5).await), (1, 5));
    }

    #[tokio::test]
    async fn a_row_that_was_read_before_a_write_is_not_kept() {
        let invalidate_it: fn(&CachedRows<String, u32>) =
            |rows| drop(rows.invalidate_after(["a".to_owned()]));
        let invalidate_all: fn(&CachedRows<String, u32>) = |rows| drop(rows.invalidate_all_after());
        for invalidate in [invalidate_it, invalidate_all] {
            let rows = CachedRows::new();
            let find_old = async {
                invalidate(&rows);
                Ok(Some(Arc::new(1)))
            };
            assert_eq!(rows.get_or_find("a", |_| true, find_old).await.unwrap().as_deref(), Some(&1));
            assert_eq!(find(&rows, 2).await, 2);
        }
    }
}
