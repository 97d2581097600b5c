//! Rows of one kind in memory.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use proxy_execute_protocol::Result;
use quick_cache::sync::Cache;

/// Upper limit for the cached rows of a kind. The least used rows are dropped first.
const KEPT: usize = 20_000;

/// Cached rows of one kind. A missing row was not looked up; it may still be in the store.
#[derive(Debug)]
pub(super) struct CachedRows<K, V>(Arc<Cache<K, Arc<V>>>);

impl<K: Hash + Eq, V> CachedRows<K, V> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(KEPT)))
    }

    /// Drops all rows.
    pub(super) fn clear(&self) {
        self.0.clear();
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
        match self.0.get_value_or_guard_async(key).await {
            Ok(row) if is_good(&row) => Ok(Some(row)),
            Ok(_) => {
                self.0.remove(key);
                find.await
            }
            Err(guard) => {
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
        Invalidate { rows: Arc::clone(&self.0), keys: Some(keys.into()) }
    }

    /// Removes all rows when the returned guard is dropped.
    pub(super) fn invalidate_all_after(&self) -> Invalidate<K, V> {
        Invalidate { rows: Arc::clone(&self.0), keys: None }
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
