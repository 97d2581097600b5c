//! How far a request is while it is polled, and deadlines that say whether it was sent.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use tokio::time::{Instant, timeout_at};

tokio::task_local! {
    /// The progress of the request that is polled at this moment.
    static PROGRESS: Cell<Progress>;
}

/// How far a request came in one poll.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Whether it waits for a connection.
    pub(crate) connecting: bool,
    /// Whether the connection that was made for it in this poll speaks HTTP/2.
    pub(crate) speaks_http2: Option<bool>,
}

/// A deadline that has passed.
#[derive(Debug)]
pub struct TooLate {
    /// Whether a connection was being made, so that nothing was sent.
    pub connecting: bool,
}

/// Makes requests, one after the other, up to a deadline.
///
/// # Errors
/// [`TooLate`], when the deadline passes first. The requests are dropped.
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

/// Polls, and tells how far the request came. An outer `watched` learns it too.
pub(crate) fn watched<T>(poll: impl FnOnce() -> T) -> (T, Progress) {
    let (polled, progress) = PROGRESS.sync_scope(Cell::default(), || (poll(), PROGRESS.with(Cell::get)));
    note(|outer| *outer = progress);
    (polled, progress)
}

/// Notes, each time it is polled, that the request waits for this connection. A connection that is
/// made while the request already has another is polled elsewhere, and not noted.
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

/// Changes the progress of the request that is polled. Outside of [`watched`] there is none.
fn note(change: impl FnOnce(&mut Progress)) {
    _ = PROGRESS.try_with(|current| {
        let mut progress = current.get();
        change(&mut progress);
        current.set(progress);
    });
}
