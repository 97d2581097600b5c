//! Detects writes to the database by other processes.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proxy_execute_protocol::Result;

use super::SqliteStore;
use super::error::store_error;
use crate::{Changed, Changes};

/// Upper limit for the time in which a write of another process goes unnoticed.
const CHECKED_EVERY: Duration = Duration::from_millis(100);

/// SQLite's `data_version`, which changes when another connection has written.
#[derive(Debug)]
pub(super) struct DataVersion {
    opened: Instant,
    /// When the version was last read, in milliseconds after `opened`.
    checked_at: AtomicU64,
    /// The version that was last read.
    version: AtomicI64,
}

impl DataVersion {
    pub(super) fn new() -> Self {
        Self { opened: Instant::now(), checked_at: AtomicU64::new(0), version: AtomicI64::new(0) }
    }

    /// Whether the version is due to be read. Only one of several concurrent lookups gets true.
    fn is_due(&self) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.checked_at.load(Ordering::Relaxed);
        u128::from(now.saturating_sub(last)) >= CHECKED_EVERY.as_millis()
            && self.checked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether the version differs from the last.
    fn is_new(&self, version: i64) -> bool {
        self.version.swap(version, Ordering::Relaxed) != version
    }
}

impl Changes for SqliteStore {
    async fn notice_changes(&self, apply: impl FnOnce(Changed) + Send) -> Result<()> {
        let Some(data_version) = self.data_version.as_ref().filter(|version| version.is_due()) else {
            return Ok(());
        };
        // The writer is writing or waiting for another process. A lookup waits for neither, and reads the
        // store again.
        let Some(mut writer) = self.writer.try_acquire() else {
            apply(Changed::Everything);
            return Ok(());
        };
        let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *writer).await;
        if data_version.is_new(version.map_err(store_error)?) {
            apply(Changed::Everything);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_the_database_is_noticed_once() {
        let seen = DataVersion::new();
        assert_eq!([1, 1, 2, 2].map(|version| seen.is_new(version)), [true, false, true, false]);
    }
}
