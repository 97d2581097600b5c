//! The delivery of webhooks: at least once, with retries, by any gateway of the store.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use proxy_execute_protocol::{DeliveryStatus, Method, Redirect, Result};
use proxy_execute_store::{AttemptEnd, LeasedDelivery, StoredSubscription};
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::{Webhooks, envelope};
use crate::credential::injection::Injection;
use crate::egress::{Behalf, UpstreamBody, UpstreamRequest};
use crate::id;
use crate::lifecycle::Lifecycle;
use crate::metrics::Meter;

/// The time of an attempt, from the lookup of the address to the head of the response.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long a gateway has a delivery for itself. It is longer than an attempt and its statements.
const LEASE: Duration = Duration::from_secs(60);

/// Upper limits for the attempts in flight: of a gateway, and of a subscription. A receiver that hangs leaves room
/// for the others.
const MOST_IN_FLIGHT: usize = 16;
const MOST_OF_SUBSCRIPTION: usize = 4;

/// The pauses between the attempts, in seconds: about a day in all.
const PAUSES: [i64; 10] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800];

/// The shortest time between two looks at the store. Many writes in a short time cause one look.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often delivered rows are deleted.
const TIDIED_EVERY: Duration = Duration::from_secs(60);

/// The worker that delivers webhooks.
#[derive(Debug)]
pub(crate) struct Deliveries {
    pub(crate) webhooks: Webhooks,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) meter: Meter,
}

/// The outcome of an attempt that was not acknowledged.
struct Failed {
    response_status: Option<i64>,
    problem: String,
}

impl Deliveries {
    /// Delivers webhooks until the gateway closes.
    pub(crate) async fn run(self) {
        let worker = std::sync::Arc::new(self);
        let mut attempts: JoinSet<String> = JoinSet::new();
        let mut in_flight: HashMap<String, usize> = HashMap::new();
        let mut last_served = String::new();
        let mut tidied_at = Instant::now();
        loop {
            // The wait begins before the look, so that no event is missed in between.
            let may_have_events = worker.webhooks.store.may_have_events();
            if let Some(_under_way) = worker.lifecycle.under_way() {
                let look = worker.begin_due(&mut attempts, &mut in_flight, &mut last_served);
                if let Err(error) = look.await {
                    tracing::warn!(%error, "webhooks could not be looked for");
                }
                if tidied_at.elapsed() > TIDIED_EVERY {
                    tidied_at = Instant::now();
                    if let Err(error) = worker.webhooks.store.delete_delivered().await {
                        tracing::warn!(%error, "delivered webhooks could not be deleted");
                    }
                }
            }
            sleep(LOOK_EVERY).await;
            tokio::select! {
                () = worker.lifecycle.closing.cancelled() => break,
                Some(ended) = attempts.join_next() => {
                    release(&mut in_flight, ended);
                    while let Some(ended) = attempts.try_join_next() {
                        release(&mut in_flight, ended);
                    }
                }
                () = may_have_events => {}
            }
        }
        // Each attempt has a token that `close` waits for.
        attempts.detach_all();
    }

    /// Begins attempts, as many as there is room for. The subscriptions take turns.
    async fn begin_due(
        self: &std::sync::Arc<Self>,
        attempts: &mut JoinSet<String>,
        in_flight: &mut HashMap<String, usize>,
        last_served: &mut String,
    ) -> Result<()> {
        let store = &self.webhooks.store;
        let mut due = store.due_subscriptions().await?;
        // Events get their deliveries with their cursors. Without subscriptions, this is a single read.
        store.number_events().await?;
        if due.is_empty() {
            due = store.due_subscriptions().await?;
        }
        let next = due.partition_point(|id| id <= last_served);
        due.rotate_left(next);
        for id in due {
            let of_subscription = in_flight.get(&id).copied().unwrap_or_default();
            let room =
                (MOST_IN_FLIGHT - attempts.len()).min(MOST_OF_SUBSCRIPTION.saturating_sub(of_subscription));
            if room == 0 {
                continue;
            }
            let leased = store.lease_deliveries(&id, u32::try_from(room).unwrap_or(1), LEASE).await?;
            for leased in leased {
                // A closing gateway leaves the lease, which ends by time.
                let Some(under_way) = self.lifecycle.under_way() else { return Ok(()) };
                *in_flight.entry(id.clone()).or_default() += 1;
                let (worker, id) = (std::sync::Arc::clone(self), id.clone());
                attempts.spawn(async move {
                    worker.attempt(&id, &leased).await;
                    drop(under_way);
                    id
                });
            }
            id.clone_into(last_served);
        }
        Ok(())
    }

    /// Makes an attempt and notes its end.
    async fn attempt(&self, id: &str, leased: &LeasedDelivery) {
        let attempt = async {
            let sent = timeout(ATTEMPT, self.send(id, leased));
            sent.await.unwrap_or_else(|_| {
                Ok(Some(Err(Failed {
                    response_status: None,
                    problem: format!("The receiver did not respond within {} s.", ATTEMPT.as_secs()),
                })))
            })
        };
        let outcome = tokio::select! {
            biased;
            () = self.lifecycle.ended.cancelled() => {
                // Another gateway, or the next one, goes on at once.
                return self.note(id, leased, self.pending(0, "The gateway was closed.".to_owned()), "cut_off").await;
            }
            outcome = attempt => outcome,
        };
        let now = self.webhooks.clock.now();
        match outcome {
            // The subscription or the event was deleted, and its deliveries with it.
            Ok(None) => {}
            Ok(Some(Ok(status))) => {
                let end = AttemptEnd {
                    status: DeliveryStatus::Delivered,
                    due_at: now,
                    response_status: Some(status),
                    problem: None,
                };
                self.note(id, leased, end, "delivered").await;
            }
            Ok(Some(Err(Failed { response_status, problem }))) => {
                let (outcome, end) = match pause(leased.attempt) {
                    Some(pause) => ("failed", self.pending(pause, problem)),
                    None => (
                        "dead",
                        AttemptEnd {
                            status: DeliveryStatus::Dead,
                            due_at: now,
                            response_status: None,
                            problem: Some(problem),
                        },
                    ),
                };
                self.note(id, leased, AttemptEnd { response_status, ..end }, outcome).await;
            }
            // The store failed, or the secret cannot be opened.
            Err(error) => {
                tracing::warn!(subscription = id, %error, "a webhook could not be sent");
                let end = self.pending(
                    pause(leased.attempt).unwrap_or(PAUSES[9] * 1_000),
                    error.body().message.clone(),
                );
                self.note(id, leased, end, "failed").await;
            }
        }
    }

    fn pending(&self, pause: i64, problem: String) -> AttemptEnd {
        AttemptEnd {
            status: DeliveryStatus::Pending,
            due_at: self.webhooks.clock.now() + pause,
            response_status: None,
            problem: Some(problem),
        }
    }

    async fn note(&self, id: &str, leased: &LeasedDelivery, end: AttemptEnd, outcome: &'static str) {
        self.meter.webhook_attempted(outcome);
        if outcome == "dead" {
            tracing::warn!(subscription = id, attempts = leased.attempt, "a webhook was given up");
        }
        if let Err(error) = self.webhooks.store.end_attempt(leased, &end).await {
            tracing::warn!(subscription = id, %error, "the outcome of a webhook could not be stored; it is sent again");
        }
    }

    /// Sends a webhook once. Returns `None` if there is nothing to send any more.
    async fn send(&self, id: &str, leased: &LeasedDelivery) -> Result<Option<Result<i64, Failed>>> {
        let Webhooks { store, clock, egress, .. } = &self.webhooks;
        let Some(subscription) = store.subscription(id).await? else { return Ok(None) };
        let events = store.events(leased.event - 1, 1).await?;
        let Some(event) = events.first().filter(|event| event.cursor == leased.event) else {
            return Ok(None);
        };
        let secrets = self.secrets(&subscription)?;
        let body = envelope::body(event);
        let now = Duration::from_millis(clock.now().unsigned_abs());
        let failed = |problem: String| Ok(Some(Err(Failed { response_status: None, problem })));
        let Ok(url) = Url::parse(&subscription.url) else {
            return failed("The stored URL cannot be read.".to_owned());
        };
        let mut request = UpstreamRequest {
            method: Method::Post,
            url,
            headers: envelope::headers(&event.id, &body, &secrets, leased.attempt, now),
            credential: Injection::default(),
            body: UpstreamBody::Whole(Bytes::from(body)),
            behalf: Behalf::Webhook,
            redirect: Redirect::Manual,
        };
        let status = match egress.send_once(&mut request).await {
            Ok(response) => response.status,
            Err(error) => return failed(error.body().message.clone()),
        };
        if status.is_success() {
            return Ok(Some(Ok(status.as_u16().into())));
        }
        let problem = if status.is_redirection() {
            format!("The receiver responded with {status}. Redirects are not followed.")
        } else {
            format!("The receiver responded with {status}.")
        };
        Ok(Some(Err(Failed { response_status: Some(status.as_u16().into()), problem })))
    }

    /// The secrets that sign now.
    fn secrets(&self, subscription: &StoredSubscription) -> Result<Vec<SecretString>> {
        let read = &subscription.secrets;
        let mut secrets = vec![self.webhooks.opened(subscription, "secret", &read.secret)?];
        if let (Some(previous), Some(until)) = (&read.previous, read.previous_until)
            && until > self.webhooks.clock.now()
        {
            secrets.push(self.webhooks.opened(subscription, "previous_secret", previous)?);
        }
        Ok(secrets)
    }
}

/// The pause after an attempt, in milliseconds: within a fifth of the schedule, so that deliveries that failed
/// together do not come again together. `None` after the last attempt.
fn pause(attempt: i64) -> Option<i64> {
    let seconds = PAUSES.get(usize::try_from(attempt - 1).ok()?)?;
    Some(seconds * 800 + seconds * 400 * i64::from(id::random_byte()) / 255)
}

fn release(in_flight: &mut HashMap<String, usize>, ended: Result<String, tokio::task::JoinError>) {
    match ended {
        Ok(id) => {
            if let Some(count) = in_flight.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    in_flight.remove(&id);
                }
            }
        }
        Err(error) => tracing::error!(%error, "an attempt to send a webhook failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_to_about_a_day() {
        let all: Vec<i64> = (1..).map_while(pause).collect();
        assert_eq!(all.len(), PAUSES.len());
        for (pause, seconds) in all.iter().zip(PAUSES) {
            assert!((seconds * 800..=seconds * 1_200).contains(pause), "{pause}");
        }
        assert_eq!(PAUSES.iter().sum::<i64>() / 3_600, 23);
    }
}
