//! The time of day, as the store keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far routine corrections set a clock back, in milliseconds.
///
/// If a stored time is further ahead than this plus its own upper limit, a wrong clock wrote it.
pub const STEP: i64 = 5_000;

/// The system's time of day, or that of a database that several gateways share, or a later time in a test. All clones share one clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How far this clock is ahead of the system clock, in milliseconds.
    ahead: Arc<AtomicI64>,
    /// How far a shared database is ahead of the system clock, in milliseconds.
    adjustment: Arc<AtomicI64>,
    /// How far the system clock is off, in milliseconds, in a test.
    wrong_by: i64,
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.unadjusted().saturating_add(self.adjustment()).saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    /// The time of the system clock.
    pub(crate) fn unadjusted(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.wrong_by)
    }

    /// How far the clock follows a shared database, in milliseconds after the system clock.
    pub(crate) fn adjustment(&self) -> i64 {
        self.adjustment.load(Ordering::Relaxed)
    }

    /// Makes the clock follow that of a shared database, so that all its gateways have one time.
    pub(crate) fn adjust(&self, milliseconds: i64) {
        self.adjustment.store(milliseconds, Ordering::Relaxed);
    }

    /// A clock whose system is wrong by this many milliseconds, for tests.
    pub fn of_system(wrong_by: i64) -> Self {
        Self { wrong_by, ..Self::default() }
    }

    /// Moves the clock ahead, so that tests need not sleep.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(by, Ordering::Relaxed);
    }
}
