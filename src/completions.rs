//! Settles calls. All calls of an environment settle through one threadsafe function.
//!
//! Each promise of napi has its own threadsafe function. For a small call, that function costs the JavaScript
//! thread more than everything else. Here a call is a number, and its result waits in a list. The JavaScript
//! thread is woken once for all results in the list. `lib/native.ts` keeps the promises.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{Function, spawn};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use crate::cancel::{Cancellation, Cancellations};
use crate::settled::{Batch, Settled};

/// The function is weak, so it does not keep the process alive. `lib/native.ts` does, while calls are in
/// flight.
type Wake = ThreadsafeFunction<(), (), Batch, Status, false, true>;

/// The calls of an environment, which belongs to the main thread or to a worker.
#[napi]
#[derive(Clone)]
pub struct Completions(Arc<Environment>);

struct Environment {
    last: AtomicU32,
    cancellations: Cancellations,
    done: Done,
    wake: Wake,
    ended: CancellationToken,
}

/// The results that JavaScript has not received. Each batch wakes JavaScript once; all but the last have.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    is_last_announced: bool,
    /// Whether the environment has ended, so that JavaScript cannot receive results any more.
    has_ended: bool,
}

#[napi]
impl Completions {
    /// `settle` receives the calls that are done, each with its result: see `src/settled.rs`.
    #[napi(constructor)]
    pub fn new(
        env: &Env,
        #[napi(
            ts_arg_type = "(texts: string, ...calls: (number | string | NativeFailure | ByteReader | Buffer | null)[]) => void"
        )]
        settle: Function<'_, Batch, ()>,
    ) -> napi::Result<Self> {
        let done = Done::default();
        let announced = done.clone();
        let wake = settle
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build_callback(move |_| Ok(announced.take()))?;
        let ended = CancellationToken::new();
        env.add_env_cleanup_hook((ended.clone(), done.clone()), |(ended, done)| {
            ended.cancel();
            done.end();
        })?;
        let cancellations = Cancellations::default();
        Ok(Self(Arc::new(Environment { last: AtomicU32::default(), cancellations, done, wake, ended })))
    }

    /// Cancels the call that was started with this number. Drops its work, and settles it as aborted.
    #[napi(catch_unwind)]
    pub fn cancel(&self, number: u32) {
        self.0.cancellations.cancel(number);
    }
}

impl Completions {
    /// Starts a call, and returns its number.
    pub(crate) fn run<Call, End>(&self, call: Call) -> u32
    where
        Call: FnOnce() -> End + Send + 'static,
        End: Future<Output = Settled> + Send,
    {
        // Numbers repeat after four thousand million calls. By then, the first of those calls are done.
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let environment = Arc::clone(&self.0);
        spawn(async move {
            // The future of a call has several kilobytes. It is boxed where it runs, so that the JavaScript
            // thread copies none of it.
            let settled = Box::pin(call()).await;
            environment.settle(number, settled).await;
        });
        number
    }

    /// Registers the call that is about to start, so that this number can cancel it.
    pub(crate) fn cancellation(&self, number: u32) -> Cancellation {
        self.0.cancellations.begin(number)
    }

    /// The token that is cancelled when the environment ends, as when a worker is terminated. Results can
    /// then no longer reach JavaScript.
    pub(crate) fn environment_ended(&self) -> &CancellationToken {
        &self.0.ended
    }
}

impl Environment {
    async fn settle(&self, call: u32, settled: Settled) {
        let is_to_wake = match self.done.push(call, settled) {
            Pushed::Filled => true,
            Pushed::First => {
                // Other tasks that are ready run first, so that JavaScript is woken once for all their
                // results.
                tokio::task::yield_now().await;
                self.done.announce()
            }
            Pushed::Next => false,
        };
        if is_to_wake {
            // A status other than `Ok` means that the environment is gone, and with it all promises.
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

enum Pushed {
    /// The first result of a batch. JavaScript must be woken soon.
    First,
    Next,
    /// The batch is full, and counts as announced.
    Filled,
}

impl Done {
    fn push(&self, call: u32, settled: Settled) -> Pushed {
        let mut waiting = self.lock();
        if waiting.has_ended {
            return Pushed::Next;
        }
        let is_first = waiting.batches.is_empty() || waiting.is_last_announced;
        let mut batch =
            if is_first { Batch::default() } else { waiting.batches.pop_back().unwrap_or_default() };
        batch.push(call, settled);
        let is_full = batch.is_full();
        waiting.batches.push_back(batch);
        waiting.is_last_announced = is_full;
        match (is_full, is_first) {
            (true, _) => Pushed::Filled,
            (false, true) => Pushed::First,
            (false, false) => Pushed::Next,
        }
    }

    /// Marks the last batch as announced, and returns whether it was not announced before.
    fn announce(&self) -> bool {
        let mut waiting = self.lock();
        let is_new = !waiting.batches.is_empty() && !waiting.is_last_announced;
        waiting.is_last_announced = true;
        is_new
    }

    fn take(&self) -> Batch {
        self.lock().batches.pop_front().unwrap_or_default()
    }

    /// Drops the results that wait, and all that come later.
    ///
    /// A waiting `ByteReader` holds the environment, and thereby the list that it waits in. This cycle would
    /// keep its connection open forever.
    fn end(&self) {
        let mut waiting = self.lock();
        waiting.has_ended = true;
        waiting.batches.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use napi::bindgen_prelude::Null;

    use super::*;

    #[test]
    fn completions_after_the_end_are_dropped() {
        let done = Done::default();
        done.push(1, Settled::value(Null));
        done.end();
        done.push(2, Settled::value(Null));
        assert!(done.lock().batches.is_empty());
    }
}
