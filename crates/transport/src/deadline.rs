//! Deadlines, and whether one that passed left the request unsent.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use tokio::time::{Instant, timeout_at};

tokio::task_local! {
    /// Whether what is polled here, at this moment, waits for a connection of its own.
    static CONNECTING: Cell<bool>;
}

/// A deadline that has passed.
#[derive(Debug)]
pub struct TooLate {
    /// Whether a connection was being made, so that nothing was sent.
    pub connecting: bool,
}

/// What comes of requests that are made one after the other, unless the deadline passes before.
///
/// # Errors
/// [`TooLate`], after which nothing of them is left running.
pub async fn until<F: Future>(deadline: Instant, requests: F) -> Result<F::Output, TooLate> {
    let mut requests = pin!(requests);
    let mut connecting = false;
    let noting = poll_fn(|context| {
        CONNECTING.sync_scope(Cell::new(false), || {
            let polled = requests.as_mut().poll(context);
            connecting = CONNECTING.with(Cell::get);
            polled
        })
    });
    let output = timeout_at(deadline, noting).await;
    output.map_err(|_| TooLate { connecting })
}

/// Notes, each time it is polled, that it is a connection which is waited for. One that is made
/// while the request already has another is polled elsewhere, and not noted.
pub(crate) async fn noting_connecting<F: Future>(connection: F) -> F::Output {
    let mut connection = pin!(connection);
    poll_fn(|context| {
        let polled = connection.as_mut().poll(context);
        // There is none to note it for outside of `until`.
        _ = CONNECTING.try_with(|connecting| connecting.set(polled.is_pending()));
        polled
    })
    .await
}
