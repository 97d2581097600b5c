//! How often a key may ask: GCRA in memory, with the contract's headers and its flat 429 body (§3.4).

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::{Extension, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use serde_json::json;

/// SHA-256 of the presented key, so that the table holds none.
type KeyHash = [u8; 32];

/// How many keys are remembered before the idle ones are forgotten.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// How far apart cleanings are at least: each looks at all keys, and keys that are made up count.
const BETWEEN_CLEANINGS: Duration = Duration::from_secs(1);

/// The limit of a port.
pub(super) struct RateLimit {
    per_minute: NonZeroU32,
    clock: DefaultClock,
    keys: RateLimiter<KeyHash, DashMapStateStore<KeyHash>, DefaultClock, StateInformationMiddleware>,
    cleaned: Mutex<Instant>,
}

impl RateLimit {
    /// # Errors
    /// `InvalidOption` for none at all.
    pub(super) fn per_minute(requests: u32) -> Result<Self> {
        let per_minute = NonZeroU32::new(requests)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOption, "requestsPerMinute: must be at least 1."))?;
        let keys = RateLimiter::dashmap(Quota::per_minute(per_minute)).with_middleware();
        Ok(Self { per_minute, clock: DefaultClock::default(), keys, cleaned: Mutex::new(Instant::now()) })
    }

    /// Forgets the idle keys, if there are many and it was not just done.
    fn clean(&self, now: Instant) {
        // Whoever holds the lock is cleaning.
        if self.keys.len() > KEYS_BEFORE_CLEANING
            && let Ok(mut cleaned) = self.cleaned.try_lock()
            && now.saturating_duration_since(*cleaned) >= BETWEEN_CLEANINGS
        {
            self.keys.retain_recent();
            *cleaned = now;
        }
    }
}

/// Counts a request against its key. A request without a key counts against all of those.
pub(super) async fn apply(
    Extension(limit): Extension<Arc<RateLimit>>,
    request: Request,
    next: Next,
) -> Response {
    let key = request.headers().get("x-api-key").map(HeaderValue::as_bytes).unwrap_or_default();
    let mut hash = KeyHash::default();
    hash.copy_from_slice(digest(&SHA256, key).as_ref());
    limit.clean(Instant::now());
    let (remaining, mut response) = match limit.keys.check_key(&hash) {
        Ok(state) => (state.remaining_burst_capacity(), next.run(request).await),
        Err(until) => {
            // Rounded up: a client that waits as long as it is told must not be refused again.
            let wait = until.wait_time_from(limit.clock.now()).as_secs() + 1;
            let message = format!("Rate limit exceeded. Limit: {} requests per 1 minutes", limit.per_minute);
            let retry_after = (header::RETRY_AFTER, HeaderValue::from(wait));
            let body = Json(json!({ "message": message }));
            (0, (StatusCode::TOO_MANY_REQUESTS, [retry_after], body).into_response())
        }
    };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit", HeaderValue::from(limit.per_minute.get()));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    headers.insert("x-ratelimit-window-size", HeaderValue::from_static("60s"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_keys_are_forgotten_once_a_second() {
        // So many that a key is idle again within a moment.
        let limit = RateLimit::per_minute(u32::MAX).unwrap();
        let fill = |keys: usize| {
            for key in 0..keys {
                let mut hash = KeyHash::default();
                hash[..8].copy_from_slice(&key.to_le_bytes());
                limit.keys.check_key(&hash).unwrap();
            }
        };
        let opened = *limit.cleaned.lock().unwrap();
        let later = |millis| limit.clean(opened + Duration::from_millis(millis));
        fill(KEYS_BEFORE_CLEANING);
        later(1_000);
        assert_eq!(limit.keys.len(), KEYS_BEFORE_CLEANING);
        fill(KEYS_BEFORE_CLEANING + 1);
        later(999);
        assert_eq!(limit.keys.len(), KEYS_BEFORE_CLEANING + 1);
        later(1_000);
        assert!(limit.keys.len() < KEYS_BEFORE_CLEANING);
        fill(KEYS_BEFORE_CLEANING + 1);
        later(1_999);
        assert_eq!(limit.keys.len(), KEYS_BEFORE_CLEANING + 1);
        later(2_000);
        assert!(limit.keys.len() < KEYS_BEFORE_CLEANING);
    }
}
