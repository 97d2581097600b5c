//! How calls settle: all those of an environment through one threadsafe function.
//!
//! A promise of napi's own has a threadsafe function to itself, which costs the JavaScript thread
//! more than anything else about a small call. Here a call is a number; its outcome waits in a
//! list, and the JavaScript thread is woken once for all that is in it. `lib/native.ts` keeps the
//! promises.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Buffer, Either7, FnArgs, Function, Latin1String, Null, Utf16String, spawn};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use crate::download::ByteReader;
use crate::failure::NativeFailure;

/// What a call ends with: one string, in one of three makes, or a failure; or bytes to read, some of
/// them, or their end.
pub(crate) type Settled = Either7<Latin1String, Utf16String, String, NativeFailure, ByteReader, Buffer, Null>;

/// The arguments of the JavaScript function: the numbers of calls, and what each ended with.
type Batch = FnArgs<(Vec<u32>, Vec<Settled>)>;

/// Weak: while it waits for nothing, a process may end. `lib/native.ts` knows whether it does.
type Wake = ThreadsafeFunction<(), (), Batch, Status, false, true>;

/// The calls of an environment, which is that of the main thread or of a worker.
#[napi]
#[derive(Clone)]
pub struct Completions(Arc<Environment>);

struct Environment {
    last: AtomicU32,
    done: Arc<Mutex<Vec<(u32, Settled)>>>,
    wake: Wake,
    ended: CancellationToken,
}

#[napi]
impl Completions {
    /// `settle` is called with the numbers of calls that are done, and what each ended with.
    #[napi(constructor)]
    pub fn new(
        env: &Env,
        #[napi(
            ts_arg_type = "(calls: number[], settled: (string | NativeFailure | ByteReader | Buffer | null)[]) => void"
        )]
        settle: Function<'_, Batch, ()>,
    ) -> napi::Result<Self> {
        let done = Arc::new(Mutex::new(Vec::new()));
        let waiting = Arc::clone(&done);
        let wake = settle
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build_callback(move |_| Ok(FnArgs::from(take(&waiting).into_iter().unzip())))?;
        let ended = CancellationToken::new();
        env.add_env_cleanup_hook(ended.clone(), |ended| ended.cancel())?;
        Ok(Self(Arc::new(Environment { last: AtomicU32::default(), done, wake, ended })))
    }
}

impl Completions {
    /// Starts a call, and returns its number.
    pub(crate) fn run(&self, call: impl Future<Output = Settled> + Send + 'static) -> u32 {
        // Numbers come again after four thousand million calls; the first of those are done by then.
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let environment = Arc::clone(&self.0);
        spawn(async move {
            let settled = call.await;
            let is_first = {
                let mut done = environment.done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((number, settled));
                done.len() == 1
            };
            if is_first {
                // A status other than `Ok` means that the environment is gone, and all who wait.
                environment.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        });
        number
    }

    /// Cancelled when the environment ends, as that of a worker does when it is terminated: there
    /// is nobody left to hear an answer.
    pub(crate) fn environment_ended(&self) -> &CancellationToken {
        &self.0.ended
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").finish_non_exhaustive()
    }
}

fn take(done: &Mutex<Vec<(u32, Settled)>>) -> Vec<(u32, Settled)> {
    std::mem::take(&mut *done.lock().unwrap_or_else(PoisonError::into_inner))
}
