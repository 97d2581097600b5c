//! The time that a gateway is open: which calls and tasks are in flight, and how they end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::unfold;
use proxy_execute_protocol::{ByteStream, Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::id;
use crate::record::CallInProgress;

/// How long calls in flight may take to finish after the gateway is told to close.
pub(crate) const CLOSING_GRACE: Duration = Duration::from_secs(5);

/// The calls and tasks of a gateway, from its opening to its end. All clones are of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle {
    /// Counts the calls and tasks in flight.
    running: TaskTracker,
    /// The runtime that the gateway was opened on.
    runtime: Handle,
    /// Cancelled when the gateway is told to close: it is not ready from then on, and still accepts calls for the
    /// drain delay.
    pub(crate) draining: CancellationToken,
    /// The longest drain delay of the ports, in milliseconds.
    drain_delay: Arc<AtomicU64>,
    /// Cancelled after the drain delay: the gateway accepts no new calls and no new connections.
    pub(crate) closing: CancellationToken,
    /// Cancelled when the calls and tasks that are still in flight must end.
    pub(crate) ended: CancellationToken,
}

impl Lifecycle {
    /// Begins on the current runtime.
    pub(crate) fn begin() -> Self {
        let closing = CancellationToken::new();
        Self {
            running: TaskTracker::new(),
            runtime: Handle::current(),
            draining: closing.child_token(),
            drain_delay: Arc::default(),
            closing,
            ended: CancellationToken::new(),
        }
    }

    /// Runs a call, unless the gateway is closed. The end waits for the call, and cancels it after the grace
    /// period.
    ///
    /// # Errors
    /// Those of the call, `GatewayClosed` and `CallCutOff`.
    pub(crate) async fn run<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let _under_way = self.under_way().ok_or_else(closed)?;
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(cut_off()),
            result = call => result,
        }
    }

    /// Returns a token that the end waits for until it is dropped; `None` once the gateway is closing.
    pub(crate) fn under_way(&self) -> Option<TaskTrackerToken> {
        // The token is taken before the check. In the other order, the end could come in between, without
        // waiting for this call.
        let token = self.running.token();
        (!self.closing.is_cancelled()).then_some(token)
    }

    /// Spawns a task that continues when its caller is dropped. The end waits for the task.
    ///
    /// The task runs on the runtime that the gateway was opened on: the threads of a port end with their
    /// connections.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.running.spawn_on(work, &self.runtime)
    }

    /// Wraps a body for a reader that may take longer than the gateway is open.
    ///
    /// A task reads the body, one chunk ahead. The stream ends with an error when the gateway is closed, or
    /// when the reader takes no chunk for `patience`. The call is recorded when the body ends, or when the
    /// reader is dropped.
    pub(crate) fn until_closed(
        &self,
        mut body: ByteStream,
        mut record: Option<CallInProgress>,
        patience: Duration,
    ) -> ByteStream {
        let (chunks, inbox) = mpsc::channel(1);
        // The outcome has its own channel, so that it arrives even if the chunk channel is full.
        let (outcome, end) = oneshot::channel();
        let ended = self.ended.clone();
        self.running.spawn(async move {
            let mut received = 0;
            let result = loop {
                let next = tokio::select! {
                    biased;
                    () = ended.cancelled() => Some(Err(cut_off())),
                    () = chunks.closed() => return,
                    next = body.next() => next,
                };
                let chunk = match next {
                    None => break Ok(()),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(chunk)) => chunk,
                };
                received += chunk.len() as u64;
                if let Some(record) = &mut record {
                    record.received(received);
                }
                tokio::select! {
                    biased;
                    () = ended.cancelled() => break Err(cut_off()),
                    sent = timeout(patience, chunks.send(chunk)) => match sent {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return,
                        Err(_) => break Err(not_read(patience)),
                    },
                }
            };
            if let Some(record) = record {
                record.end(&result);
            }
            // The reader may have been dropped.
            _ = outcome.send(result);
        });
        ByteStream::new(unfold(Some((inbox, end)), |state| async move {
            let (mut inbox, end) = state?;
            if let Some(chunk) = inbox.recv().await {
                return Some((Ok(chunk), Some((inbox, end))));
            }
            let result = end.await.unwrap_or_else(|_| Err(cut_off()));
            result.err().map(|error| (Err(error), None))
        }))
    }

    /// Waits for a time up to twice as long, so that gateways that start together do not stay in step. Returns false
    /// once the gateway closes.
    pub(crate) async fn pause(&self, least: Duration) -> bool {
        let pause = least + least * u32::from(id::random_byte()) / 255;
        tokio::select! {
            () = self.closing.cancelled() => false,
            () = sleep(pause) => true,
        }
    }

    /// Lets load balancers find out for this time that the gateway is about to close, before it refuses calls.
    pub(crate) fn drain_for(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.drain_delay.fetch_max(delay, Ordering::Relaxed);
    }

    /// Drains, accepts no new calls then, and waits for those in flight. After the grace period, it cancels them.
    ///
    /// A gateway that drains loses no call, so the grace period is at least as long as the drain delay.
    pub(crate) async fn end(&self) {
        self.draining.cancel();
        let delay = Duration::from_millis(self.drain_delay.load(Ordering::Relaxed));
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.closing.cancel();
        self.running.close();
        if timeout(CLOSING_GRACE.max(delay), self.running.wait()).await.is_err() {
            self.ended.cancel();
            self.running.wait().await;
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::GatewayClosed, "The gateway is closed.").fix("Open a new one with Gateway.open().")
}

/// The reason why a gateway that drains is not ready.
pub(crate) fn draining() -> Error {
    let message = "The gateway is draining: it responds to calls for a short time, and then closes.";
    Error::new(ErrorKind::GatewayClosed, message).fix("Send new calls to another gateway.")
}

/// The error of a call that the end of the gateway has cancelled. After the error of a closed gateway, a
/// client may send a write again; this error has another kind.
fn cut_off() -> Error {
    Error::new(
        ErrorKind::CallCutOff,
        "The gateway was closed before the call came to its end. Whether it was carried out is not known.",
    )
    .fix("Check at the API before sending a write again.")
}

fn not_read(patience: Duration) -> Error {
    let message = format!(
        "The reader stalled: no part of the response was read for {} s. The rest is not sent.",
        patience.as_secs()
    );
    Error::new(ErrorKind::InvalidRequest, message).fix("Call again, and read the response as it arrives.")
}
