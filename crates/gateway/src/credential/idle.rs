//! Refreshes accounts without calls. Many providers expire a refresh token that is not used for weeks or
//! months.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::refresh::{self, Reason};
use crate::gateway::Parts;
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

/// Refreshes accounts that have been idle for this long, until the gateway closes or is dropped.
pub(crate) async fn refresh_all(gateway: Weak<Parts>, closing: CancellationToken, idle: Duration) {
    let pause = (idle / SHARE).clamp(SOONEST, LATEST);
    loop {
        // The pause is up to twice as long, at random, so that gateways that start together do not stay in
        // step.
        let pause = pause + pause * u32::from(id::random_byte()) / 255;
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Some(gateway) = gateway.upgrade() else { return };
        round(&gateway, idle).await;
    }
}

/// Refreshes the accounts that are idle now.
async fn round(gateway: &Arc<Parts>, idle: Duration) {
    let before = gateway.clock.now().saturating_sub(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
    let mut after = None;
    // Closing the gateway waits for refreshes in flight. Once it closes, no other refresh starts.
    while let Some(_under_way) = gateway.lifecycle.under_way() {
        let accounts = match gateway.store.idle_accounts(before, after, BATCH).await {
            Ok(accounts) => accounts,
            Err(error) => return tracing::warn!(%error, "idle accounts could not be read"),
        };
        // An account that cannot be refreshed stays idle. So the next batch begins after the last account of
        // this batch.
        let Some(last) = accounts.last() else { return };
        after = Some((last.credential_at, last.seq));
        let accounts = accounts.into_iter().filter(|account| refresh::obstacle(gateway, account).is_none());
        let refreshed = stream::iter(accounts)
            .map(|account| async move {
                !gateway.lifecycle.closing.is_cancelled()
                    && refresh::renewed(gateway, &account, Reason::Needed).await.is_ok()
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
