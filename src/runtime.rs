//! The threads of the native code.

use std::env;
use std::thread::available_parallelism;

use napi::bindgen_prelude::create_custom_tokio_runtime;
use napi_derive::module_init;
use tokio::runtime::Builder;

/// The number of threads. The command `proxy-execute` sets it, because JavaScript only waits in that process.
const THREADS: &str = "PROXY_EXECUTE_THREADS";

/// Creates the runtime when the addon is loaded, with one worker less than there are cores.
///
/// JavaScript keeps one core busy. Another worker would only make JavaScript wait.
#[module_init]
fn start() {
    let asked = env::var(THREADS).ok().and_then(|text| text.parse().ok()).filter(|threads| *threads > 0);
    let workers = asked.unwrap_or_else(|| {
        let cores = available_parallelism().map_or(1, |cores| cores.get());
        cores.saturating_sub(1).max(1)
    });
    let runtime =
        Builder::new_multi_thread().worker_threads(workers).thread_name("proxy-execute").enable_all().build();
    // Without this runtime, napi creates its own, and reports the error if that fails, too.
    if let Ok(runtime) = runtime {
        create_custom_tokio_runtime(runtime);
    }
}
