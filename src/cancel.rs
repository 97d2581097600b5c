//! The native side of `AbortSignal`s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The calls in flight that have a signal, by a number that `lib/` gives each of them.
///
/// An object of a class would have to be created and collected for each call, so a call has a number instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancellations(Arc<Mutex<HashMap<u32, CancellationToken>>>);

impl Cancellations {
    /// Registers a call that can be cancelled, until the returned value is dropped.
    pub(crate) fn begin(&self, number: u32) -> Cancellation {
        let token = CancellationToken::new();
        self.lock().insert(number, token.clone());
        Cancellation { number, token, all: self.clone() }
    }

    /// Cancels a call, if it is still in flight.
    pub(crate) fn cancel(&self, number: u32) {
        if let Some(token) = self.lock().get(&number) {
            token.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a call that can be cancelled.
#[derive(Debug)]
pub(crate) struct Cancellation {
    number: u32,
    token: CancellationToken,
    all: Cancellations,
}

impl Cancellation {
    pub(crate) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}
