//! Limits the requests of a key: GCRA in memory, with the headers and the flat 429 body of `docs/wire.md`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use serde::Serialize;
use utoipa::ToSchema;

use super::clients::client_of;
use super::reply::{Failure, RELAY, Relayed, RequestId};
use proxy_execute_gateway::Gateway;

/// The flat form of the rate limit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TooManyRequests {
    message: String,
}

/// The bucket that a request counts against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Bucket {
    /// A key of the store, as its SHA-256, so that the table holds no key.
    Key([u8; 32]),
    /// The client of a request without such a key. Otherwise each made-up key would create a bucket.
    Client(IpAddr),
    /// All clients that find the table full.
    Others,
}

/// The number of buckets from which on idle buckets are dropped.
const BUCKETS_BEFORE_CLEANING: usize = 10_000;

/// The number of buckets from which on further clients share one.
const MOST_BUCKETS: usize = 100_000;

/// The least time between two cleanings, because each cleaning visits all buckets.
const BETWEEN_CLEANINGS: Duration = Duration::from_secs(1);

/// The rate limit of a port.
pub(super) struct RateLimit {
    per_minute: NonZeroU32,
    clock: DefaultClock,
    buckets: RateLimiter<Bucket, DashMapStateStore<Bucket>, DefaultClock, StateInformationMiddleware>,
    cleaned: Mutex<Instant>,
}

impl RateLimit {
    /// # Errors
    /// `InvalidOption` if `requests` is 0.
    pub(super) fn per_minute(requests: u32) -> Result<Self> {
        let per_minute = NonZeroU32::new(requests).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOption, "requestsPerMinute: must be at least 1.")
                .about("requestsPerMinute")
        })?;
        let buckets = RateLimiter::dashmap(Quota::per_minute(per_minute)).with_middleware();
        Ok(Self { per_minute, clock: DefaultClock::default(), buckets, cleaned: Mutex::new(Instant::now()) })
    }

    /// Drops the idle buckets, if there are many and the last cleaning was not just now.
    fn clean(&self, now: Instant) {
        // If another request holds the lock, that request is cleaning.
        if self.buckets.len() > BUCKETS_BEFORE_CLEANING
            && let Ok(mut cleaned) = self.cleaned.try_lock()
            && now.saturating_duration_since(*cleaned) >= BETWEEN_CLEANINGS
        {
            self.buckets.retain_recent();
            *cleaned = now;
        }
    }

    /// The bucket of a client without a key.
    fn of_client(&self, address: Option<IpAddr>) -> Bucket {
        match address {
            Some(address) if self.buckets.len() < MOST_BUCKETS => Bucket::Client(client_of(address)),
            _ => Bucket::Others,
        }
    }
}

/// Counts a request against its key, or against its client if the store has no such key.
pub(super) async fn apply(
    State((limit, gateway)): State<(Arc<RateLimit>, Gateway)>,
    request_id: RequestId,
    request: Request,
    next: Next,
) -> Response {
    let is_relay = request.uri().path().starts_with(RELAY);
    limit.clean(Instant::now());
    let known = match request.headers().get("x-api-key") {
        Some(key) => gateway.api_keys.known_hash(key.as_bytes()).await,
        None => None,
    };
    let bucket = match known {
        Some(hash) => Bucket::Key(hash),
        None => {
            let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
            limit.of_client(from.map(|ConnectInfo(address)| address.ip()))
        }
    };
    let (remaining, mut response) = match limit.buckets.check_key(&bucket) {
        Ok(state) => (state.remaining_burst_capacity(), next.run(request).await),
        Err(until) => {
            // Rounded up, so that a client that waits as long as it is told is not refused again.
            let wait = until.wait_time_from(limit.clock.now()).as_secs() + 1;
            let message = format!("Rate limit exceeded. Limit: {} requests per 1 minutes", limit.per_minute);
            let response = if is_relay {
                let error =
                    Error::new(ErrorKind::RateLimited, message).with_retry_after(Duration::from_secs(wait));
                Failure::new(error, request_id).into_response()
            } else {
                let retry_after = (header::RETRY_AFTER, HeaderValue::from(wait));
                let body = Json(TooManyRequests { message });
                (StatusCode::TOO_MANY_REQUESTS, [retry_after], body).into_response()
            };
            (0, response)
        }
    };
    // The headers of a relayed response are those of the API, which may have a limit of its own.
    if response.extensions().get::<Relayed>().is_some() {
        return response;
    }
    let headers = response.headers_mut();
    headers.insert("x-ratelimit", HeaderValue::from(limit.per_minute.get()));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    headers.insert("x-ratelimit-window-size", HeaderValue::from_static("60s"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> IpAddr {
        IpAddr::from((number as u32).to_be_bytes())
    }

    #[test]
    fn idle_buckets_are_dropped_once_a_second() {
        // With this many requests a minute, a bucket is idle again within a moment.
        let limit = RateLimit::per_minute(u32::MAX).unwrap();
        let fill = |clients: usize| {
            for number in 0..clients {
                limit.buckets.check_key(&Bucket::Client(client(number))).unwrap();
            }
        };
        let opened = *limit.cleaned.lock().unwrap();
        let later = |millis| limit.clean(opened + Duration::from_millis(millis));
        fill(BUCKETS_BEFORE_CLEANING);
        later(1_000);
        assert_eq!(limit.buckets.len(), BUCKETS_BEFORE_CLEANING);
        fill(BUCKETS_BEFORE_CLEANING + 1);
        later(999);
        assert_eq!(limit.buckets.len(), BUCKETS_BEFORE_CLEANING + 1);
        later(1_000);
        assert!(limit.buckets.len() < BUCKETS_BEFORE_CLEANING);
        fill(BUCKETS_BEFORE_CLEANING + 1);
        later(1_999);
        assert_eq!(limit.buckets.len(), BUCKETS_BEFORE_CLEANING + 1);
        later(2_000);
        assert!(limit.buckets.len() < BUCKETS_BEFORE_CLEANING);
    }

    #[test]
    fn there_are_no_more_buckets_than_the_limit() {
        let limit = RateLimit::per_minute(1).unwrap();
        for number in 0..MOST_BUCKETS + 1_000 {
            let bucket = limit.of_client(Some(client(number)));
            assert_eq!(bucket == Bucket::Others, number >= MOST_BUCKETS);
            _ = limit.buckets.check_key(&bucket);
        }
        assert_eq!(limit.buckets.len(), MOST_BUCKETS + 1);
        let [one, same] = ["2001:db8::1", "2001:db8::2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(client_of(one), client_of(same));
    }
}
