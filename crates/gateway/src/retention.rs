//! Deletes sessions that have ended, and calls that are too old, while the gateway is open.

use std::sync::Arc;
use std::time::Duration;

use proxy_execute_protocol::Result;
use proxy_execute_store::{Clock, Store};

use crate::lifecycle::Lifecycle;
use crate::session::Sessions;

/// How often sessions and calls are deleted.
const EVERY: Duration = Duration::from_secs(60);

/// The data that a gateway deletes by itself.
#[derive(Debug)]
pub(crate) struct Retention {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) sessions: Sessions,
    /// How long a call is kept, in milliseconds; `None` if its age does not matter.
    pub(crate) calls_kept_for: Option<i64>,
}

impl Retention {
    /// Deletes until the gateway closes.
    pub(crate) async fn look_after(self, lifecycle: Lifecycle) {
        loop {
            if let Some(_under_way) = lifecycle.under_way() {
                let deleted = tokio::select! {
                    () = lifecycle.closing.cancelled() => return,
                    deleted = self.delete() => deleted,
                };
                if let Err(error) = deleted {
                    tracing::warn!(%error, "old sessions and calls could not be deleted");
                }
            }
            if !lifecycle.pause(EVERY).await {
                return;
            }
        }
    }

    async fn delete(&self) -> Result<()> {
        self.sessions.delete_ended().await?;
        if let Some(kept_for) = self.calls_kept_for {
            while self.store.delete_old_calls(self.clock.now() - kept_for).await? > 0 {}
        }
        Ok(())
    }
}
