//! Refreshes accounts without calls. Many providers expire a refresh token that is not used for weeks or
//! months.

use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use super::{Reason, Tokens};
use crate::id;

/// Limits for the accounts that are refreshed concurrently, and for those that are loaded in one query.
const AT_ONCE: usize = 4;
const BATCH: u32 = 100;

/// The pause between two rounds, as a share of the allowed idle time.
///
/// The pause is at least one second and at most 10 minutes, before a random addition.
const SHARE: u32 = 20;
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(600);

impl Tokens {
    /// Refreshes accounts that have been idle for this long, until the gateway closes.
    pub(crate) async fn refresh_idle(self, idle: Duration) {
        let pause = (idle / SHARE).clamp(SOONEST, LATEST);
        loop {
            // The pause is up to twice as long, at random, so that gateways that start together do not stay in
            // step.
            let pause = pause + pause * u32::from(id::random_byte()) / 255;
            tokio::select! {
                () = self.lifecycle.closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            self.round(idle).await;
        }
    }

    /// Refreshes the accounts that are idle now.
    async fn round(&self, idle: Duration) {
        let before = self.clock.now().saturating_sub(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
        let mut after = None;
        // Closing the gateway waits for refreshes in flight. Once it closes, no other refresh starts.
        while let Some(_under_way) = self.lifecycle.under_way() {
            let accounts = match self.store.idle_accounts(before, after, BATCH).await {
                Ok(accounts) => accounts,
                Err(error) => return tracing::warn!(%error, "idle accounts could not be read"),
            };
            // An account that cannot be refreshed stays idle. So the next batch begins after the last account of
            // this batch.
            let Some(last) = accounts.last() else { return };
            after = Some((last.credential_at, last.seq));
            let accounts = accounts.into_iter().filter(|account| self.accounts.obstacle(account).is_none());
            let refreshed = stream::iter(accounts)
                .map(|account| async move {
                    !self.lifecycle.closing.is_cancelled()
                        && self.renewed(&account, Reason::Needed).await.is_ok()
                })
                .buffer_unordered(AT_ONCE)
                .filter(|renewed| std::future::ready(*renewed))
                .count()
                .await;
            if refreshed > 0 {
                tracing::info!(refreshed, "idle accounts were refreshed");
            }
        }
    }
}
