//! The native ends of `AbortSignal`s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The calls under way that have a signal, by a number that `lib/` gives each.
///
/// A number, because an object of a class would have to be made for each call, and collected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancellations(Arc<Mutex<HashMap<u32, CancellationToken>>>);

impl Cancellations {
    /// Begins a call that can be cancelled, until what is returned is dropped.
    pub(crate) fn begin(&self, number: u32) -> Cancellation {
        let token = CancellationToken::new();
        self.lock().insert(number, token.clone());
        Cancellation { number, token, all: self.clone() }
    }

    /// Cancels a call, if it is still under way.
    pub(crate) fn cancel(&self, number: u32) {
        if let Some(token) = self.lock().get(&number) {
            token.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That a call can be cancelled.
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
