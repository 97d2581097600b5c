//! The time of day, as the store keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far routine corrections set a clock back, in milliseconds.
///
/// If a stored time is further ahead than this plus its own upper limit, a wrong clock wrote it.
pub const STEP: i64 = 5_000;

/// The system's time of day, or a later time in a test. All clones share one clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How far this clock is ahead of the system clock, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let system = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        system.saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    /// Moves the clock ahead, so that tests need not sleep.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(by, Ordering::Relaxed);
    }
}
