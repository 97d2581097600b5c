//! A call from JavaScript: its limits, and the form of its result.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use proxy_execute_protocol::{Deadline, Error, ErrorKind, Result};
use serde::Serialize;

use crate::completions::Completions;
use crate::failure::NativeFailure;
use crate::settled::Settled;

/// Runs a call until it ends, its time is over or it is cancelled by its number. Returns the call's number.
pub(crate) fn within<Call, Answer>(
    completions: &Completions,
    timeout_ms: f64,
    cancel: Option<u32>,
    call: Call,
) -> u32
where
    Call: FnOnce(Deadline) -> Answer + Send + 'static,
    Answer: Future<Output = Result<String>> + Send,
{
    settling(completions, timeout_ms, cancelled(completions, cancel), call, text)
}

/// The same for a call whose result is not a text, or that is cancelled in another way.
pub(crate) fn settling<Call, Answer, T>(
    completions: &Completions,
    timeout_ms: f64,
    cancelled: impl Future<Output = ()> + Send + 'static,
    call: Call,
    settled: fn(T) -> Settled,
) -> u32
where
    Call: FnOnce(Deadline) -> Answer + Send + 'static,
    Answer: Future<Output = Result<T>> + Send,
    T: Send + 'static,
{
    let ended = completions.environment_ended().clone();
    let deadline = Deadline::after(Duration::try_from_secs_f64(timeout_ms / 1000.0).unwrap_or(Duration::MAX));
    completions.run(move || async move {
        let answer = tokio::time::timeout_at(deadline.instant().into(), no_panic(call(deadline)));
        let answer = tokio::select! {
            biased;
            () = ended.cancelled() => return Settled::failure(NativeFailure::aborted()),
            () = cancelled => return Settled::failure(NativeFailure::aborted()),
            answer = answer => answer.unwrap_or_else(|_| Err(out_of_time(timeout_ms))),
        };
        answer.map_or_else(Settled::failure, settled)
    })
}

/// Waits until the call that is about to start is cancelled by its number; waits forever without a number.
pub(crate) fn cancelled(
    completions: &Completions,
    cancel: Option<u32>,
) -> impl Future<Output = ()> + Send + 'static {
    let cancellation = cancel.map(|number| completions.cancellation(number));
    async move {
        match &cancellation {
            Some(cancellation) => cancellation.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

/// Runs work without a limit on its time, and without a way to cancel it.
pub(crate) fn to_its_end(
    completions: &Completions,
    work: impl Future<Output = Result<String>> + Send + 'static,
) -> u32 {
    completions.run(|| async move { no_panic(work).await.map_or_else(Settled::failure, text) })
}

/// Writes a result as JSON.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("The response cannot be written as JSON: {error}."))
    })
}

/// Turns a panic into an error. The panic hook has already printed the place, for the user's report.
pub(crate) async fn no_panic<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Internal, "This is a bug in proxy-execute: a call panicked.")
            .fix("Please report it with what has been printed to the standard error output."))
    })
}

fn out_of_time(timeout_ms: f64) -> Error {
    Error::new(ErrorKind::DeadlineExceeded, format!("The call did not finish within {timeout_ms} ms."))
        .fix("Raise `timeout`, or ask for less in one call.")
}

fn text(text: String) -> Settled {
    Settled::Text(text.into())
}
