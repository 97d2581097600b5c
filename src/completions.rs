//! How calls settle: all those of an environment through one threadsafe function.
//!
//! A promise of napi's own has a threadsafe function to itself, which costs the JavaScript thread
//! more than anything else about a small call. Here a call is a number; its outcome waits in a
//! list, and the JavaScript thread is woken once for all that is in it. `lib/native.ts` keeps the
//! promises.

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

/// Weak: while it waits for nothing, a process may end. `lib/native.ts` knows whether it does.
type Wake = ThreadsafeFunction<(), (), Batch, Status, false, true>;

/// The calls of an environment, which is that of the main thread or of a worker.
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

/// What JavaScript has not heard of. For each batch it is woken once, and it is for all but the last.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    is_last_announced: bool,
    /// There is nobody left to hear of anything.
    has_ended: bool,
}

#[napi]
impl Completions {
    /// `settle` is called with calls that are done, and what each ended with: see `src/settled.rs`.
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

    /// Drops the work of the call that was given this number to be cancelled by, and settles it as
    /// aborted.
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
        // Numbers come again after four thousand million calls; the first of those are done by then.
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let environment = Arc::clone(&self.0);
        spawn(async move {
            // The future of a call has several kilobytes. In a box, it is made where it runs, and the
            // JavaScript thread copies none of it.
            let settled = Box::pin(call()).await;
            environment.settle(number, settled).await;
        });
        number
    }

    /// Makes the call that is about to start one that can be cancelled by a number.
    pub(crate) fn cancellation(&self, number: u32) -> Cancellation {
        self.0.cancellations.begin(number)
    }

    /// Cancelled when the environment ends, as that of a worker does when it is terminated: there
    /// is nobody left to hear an answer.
    pub(crate) fn environment_ended(&self) -> &CancellationToken {
        &self.0.ended
    }
}

impl Environment {
    async fn settle(&self, call: u32, settled: Settled) {
        let is_to_wake = match self.done.push(call, settled) {
            Pushed::Filled => true,
            Pushed::First => {
                // What else is ready is done first, so that JavaScript is woken once for all of it.
                tokio::task::yield_now().await;
                self.done.announce()
            }
            Pushed::Next => false,
        };
        if is_to_wake {
            // A status other than `Ok` means that the environment is gone, and all who wait.
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

enum Pushed {
    /// Of a batch that JavaScript has to be told of, soon.
    First,
    Next,
    /// The batch, which counts as announced.
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

    /// Counts the last batch as announced, and says whether it was not before.
    fn announce(&self) -> bool {
        let mut waiting = self.lock();
        let is_new = !waiting.batches.is_empty() && !waiting.is_last_announced;
        waiting.is_last_announced = true;
        is_new
    }

    fn take(&self) -> Batch {
        self.lock().batches.pop_front().unwrap_or_default()
    }

    /// Lets go of what waits, and of all that comes: bytes to read hold on to the environment, and
    /// with it to what they wait in, and would keep their connection open for ever.
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
    use super::*;

    #[test]
    fn what_nobody_is_left_to_hear_of_is_not_kept() {
        let done = Done::default();
        done.push(1, Settled::End);
        done.end();
        done.push(2, Settled::End);
        assert!(done.lock().batches.is_empty());
    }
}
