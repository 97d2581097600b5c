//! The time of day, as the store keeps it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How far a clock is set back by routine corrections, in milliseconds. A stored time that lies further ahead
/// than this and its longest distance was written by a clock that was wrong.
pub const STEP: i64 = 5_000;
