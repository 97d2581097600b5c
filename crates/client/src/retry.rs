//! Which calls are retried, and when.
//!
//! A call that may have taken effect is never sent twice. So a retry depends on the proof that the first
//! attempt gives, and ignores the chance that the second succeeds: see [`Replay`].

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use proxy_execute_protocol::Error;

/// Whether a call may be retried after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// The backend did not act on the call, so any call may be retried.
    Harmless,
    /// The backend may have acted on the call, so it may be retried only if it only reads.
    IfItOnlyReads,
    /// The outcome is final: another attempt would end the same way, or has no time left.
    Never,
}

impl Replay {
    /// Interprets a response with a status of 3xx to 5xx.
    pub(crate) fn after(status: StatusCode, headers: &HeaderMap, has_envelope: bool) -> Self {
        // `false` means that a retry is pointless, which only the backend knows. `true` does not prove that a
        // retry is safe.
        if headers.get("x-should-retry").is_some_and(|value| value == "false") {
            return Self::Never;
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::Harmless,
            // The backend sends 503 before it acts. A load balancer sends 503 for any reason, even after the
            // backend took the call and went down.
            StatusCode::SERVICE_UNAVAILABLE if has_envelope || headers.contains_key(RETRY_AFTER) => {
                Self::Harmless
            }
            StatusCode::SERVICE_UNAVAILABLE => Self::IfItOnlyReads,
            _ => Self::Never,
        }
    }

    /// Whether a call may be retried.
    pub(crate) fn allows(self, only_reads: bool) -> bool {
        match self {
            Self::Harmless => true,
            Self::IfItOnlyReads => only_reads,
            Self::Never => false,
        }
    }
}

/// A failed attempt: it has no response for the caller.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) replay: Replay,
    pub(crate) error: Error,
}

/// How often a call is retried, and how long it waits before each retry.
#[derive(Debug, Clone)]
pub(crate) struct RetryPolicy {
    pub(crate) max_retries: u32,
    /// Upper limit for the wait before the first retry. The limit doubles with each retry.
    pub(crate) base: Duration,
    /// Upper limit for every wait.
    pub(crate) cap: Duration,
}

impl RetryPolicy {
    pub(crate) fn new(max_retries: Option<u32>) -> Self {
        Self {
            max_retries: max_retries.unwrap_or(2),
            base: Duration::from_millis(500),
            cap: Duration::from_secs(8),
        }
    }

    /// Returns the waits before each retry of one call.
    ///
    /// Each wait is uniformly random between zero and its limit. Otherwise all clients that a restart of the
    /// backend disconnects would retry at the same time.
    pub(crate) fn waits(&self, mut random: fastrand::Rng) -> impl Iterator<Item = Duration> + Send + use<> {
        let Self { max_retries, base, cap } = *self;
        (0..max_retries).map(move |retry| {
            let limit = base.saturating_mul(2_u32.saturating_pow(retry)).min(cap);
            limit.mul_f64(random.f64())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_calls_that_the_backend_did_not_act_on_are_safe_to_retry() {
        let bare = headers(&[]);
        let after = |status: u16| Replay::after(StatusCode::from_u16(status).unwrap(), &bare, true);
        for status in [400, 401, 403, 404, 408, 409, 422, 425, 500, 501, 502, 504, 302] {
            assert_eq!(after(status), Replay::Never, "{status}");
        }
        assert_eq!(after(429), Replay::Harmless);
        assert_eq!(after(503), Replay::Harmless);

        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(Replay::after(unavailable, &bare, false), Replay::IfItOnlyReads);
        let hinted = headers(&[("retry-after", "1")]);
        assert_eq!(Replay::after(unavailable, &hinted, false), Replay::Harmless);

        let pointless = headers(&[("x-should-retry", "false"), ("retry-after", "1")]);
        for status in [StatusCode::TOO_MANY_REQUESTS, unavailable] {
            assert_eq!(Replay::after(status, &pointless, true), Replay::Never);
        }
        let wished = headers(&[("x-should-retry", "true")]);
        assert_eq!(Replay::after(StatusCode::BAD_GATEWAY, &wished, true), Replay::Never);
        assert_eq!(Replay::after(unavailable, &wished, false), Replay::IfItOnlyReads);

        assert!(Replay::Harmless.allows(false) && Replay::IfItOnlyReads.allows(true));
        assert!(!Replay::IfItOnlyReads.allows(false) && !Replay::Never.allows(true));
    }

    #[test]
    fn waits_stay_below_a_limit_that_doubles_up_to_the_cap() {
        let policy = RetryPolicy::new(Some(8));
        let limits = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0];
        let mut longest = [0.0_f64; 8];
        for seed in 0..500 {
            let waits: Vec<_> = policy.waits(fastrand::Rng::with_seed(seed)).collect();
            assert_eq!(waits.len(), 8);
            for ((wait, limit), longest) in waits.iter().zip(limits).zip(&mut longest) {
                assert!(wait.as_secs_f64() <= limit);
                *longest = longest.max(wait.as_secs_f64());
            }
        }
        for (longest, limit) in longest.iter().zip(limits) {
            assert!(*longest > limit * 0.9, "no wait comes near {limit}: {longest}");
        }
    }

    #[test]
    fn the_default_is_two_retries_and_many_do_not_overflow() {
        assert_eq!(RetryPolicy::new(None).waits(fastrand::Rng::new()).count(), 2);
        assert_eq!(RetryPolicy::new(Some(0)).waits(fastrand::Rng::new()).count(), 0);
        assert_eq!(RetryPolicy::new(Some(10_000)).waits(fastrand::Rng::new()).count(), 10_000);
    }
}
