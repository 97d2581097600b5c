//! The time of day, as the store keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far a clock is set back by routine corrections, in milliseconds. A stored time that lies further ahead
/// than this and its longest distance was written by a clock that was wrong.
pub const STEP: i64 = 5_000;

/// The system's time of day, or a time that a test has moved ahead of it. Clones are one clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How far the clock is ahead of the system's, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let system = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        system.saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    /// Moves the clock ahead, for tests that would otherwise sleep.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(by, Ordering::Relaxed);
    }
}
