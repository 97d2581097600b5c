//! Tracks how far a request is in each poll, and sets deadlines that tell whether it was sent.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use tokio::time::{Instant, timeout_at};

tokio::task_local! {
    /// The progress of the request that this task is polling.
    static PROGRESS: Cell<Progress>;
}

/// How far a request came in one poll.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Whether the request waits for a connection.
    pub(crate) connecting: bool,
    /// Whether the connection that this poll made for the request speaks HTTP/2.
    pub(crate) speaks_http2: Option<bool>,
}

/// A deadline that has passed.
#[derive(Debug)]
pub struct TooLate {
    /// Whether the request was still connecting, so that it was not sent.
    pub connecting: bool,
}

/// Runs requests, one after the other, up to a deadline.
///
/// # Errors
/// [`TooLate`], if the deadline passes first. The requests are dropped.
pub async fn until<F: Future>(deadline: Instant, requests: F) -> Result<F::Output, TooLate> {
    let mut requests = pin!(requests);
    let mut connecting = false;
    let requests = poll_fn(|context| {
        let (polled, progress) = watched(|| requests.as_mut().poll(context));
        connecting = progress.connecting;
        polled
    });
    let output = timeout_at(deadline, requests).await;
    output.map_err(|_| TooLate { connecting })
}

/// Polls a request, and returns its progress. The progress is also noted in an outer `watched`.
pub(crate) fn watched<T>(poll: impl FnOnce() -> T) -> (T, Progress) {
    let (polled, progress) = PROGRESS.sync_scope(Cell::default(), || (poll(), PROGRESS.with(Cell::get)));
    note(|outer| *outer = progress);
    (polled, progress)
}

/// Notes in each poll that the request waits for this connection.
///
/// If the request already has another connection, this one is polled elsewhere, and is not noted.
pub(crate) async fn noting_connecting<F: Future>(connection: F) -> F::Output {
    let mut connection = pin!(connection);
    poll_fn(|context| {
        let polled = connection.as_mut().poll(context);
        note(|progress| progress.connecting = polled.is_pending());
        polled
    })
    .await
}

/// Notes that the request has a new connection.
pub(crate) fn note_connection(speaks_http2: bool) {
    note(|progress| progress.speaks_http2 = Some(speaks_http2));
}

/// Changes the progress of the request that is polled. Outside of [`watched`], this does nothing.
fn note(change: impl FnOnce(&mut Progress)) {
    _ = PROGRESS.try_with(|current| {
        let mut progress = current.get();
        change(&mut progress);
        current.set(progress);
    });
}
