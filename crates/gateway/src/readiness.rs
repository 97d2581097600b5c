//! Whether the gateway is ready for calls, for load balancers, which ask often.

use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a result is reused. Any number of probes costs the store one check in this time.
const REUSED_FOR: Duration = Duration::from_secs(1);

/// How long the store may take for a check. Probes usually wait for 1 to 5 seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last check, and when it ended.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<()>)>>);

impl Readiness {
    /// Returns the result of the last check if it is recent, or else that of a new one. Concurrent callers share
    /// a check.
    ///
    /// # Errors
    /// `NotReady`, with the reason.
    pub(crate) async fn check(&self, check: impl Future<Output = Result<()>>) -> Result<()> {
        let mut last = self.0.lock().await;
        if let Some((ended, result)) = &*last
            && ended.elapsed() < REUSED_FOR
        {
            return result.clone();
        }
        let result = timeout(PATIENCE, check).await.unwrap_or_else(|_| Err(too_slow())).map_err(not_ready);
        let was_ready = last.as_ref().is_none_or(|(_, result)| result.is_ok());
        match &result {
            Err(error) if was_ready => tracing::error!(%error, "the gateway is not ready"),
            Ok(()) if !was_ready => tracing::warn!("the gateway is ready again"),
            _ => {}
        }
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

fn too_slow() -> Error {
    let message = format!("the store did not respond within {} s.", PATIENCE.as_secs());
    Error::new(ErrorKind::StoreUnavailable, message)
}

fn not_ready(reason: Error) -> Error {
    reason.restated(ErrorKind::NotReady, format!("The gateway is not ready: {}", reason.body().message))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn probes_share_a_check_for_a_second() {
        let (readiness, checks) = (Readiness::default(), AtomicU32::new(0));
        let check = async || {
            readiness
                .check(async {
                    checks.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    Ok(())
                })
                .await
        };
        let (one, other) = tokio::join!(check(), check());
        assert!(one.is_ok() && other.is_ok());
        tokio::time::advance(REUSED_FOR - Duration::from_millis(1)).await;
        check().await.unwrap();
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        check().await.unwrap();
        assert_eq!(checks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_not_ready() {
        let readiness = Readiness::default();
        let started = Instant::now();
        let error = readiness.check(pending()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::NotReady, Some(503)));
        assert!(error.to_string().contains("not respond within 2 s"), "{error}");
        // The next probe does not wait again.
        readiness.check(pending()).await.unwrap_err();
        assert_eq!(started.elapsed(), PATIENCE);
        tokio::time::advance(REUSED_FOR).await;
        readiness.check(async { Ok(()) }).await.unwrap();
    }
}
