//! The threads that native work runs on.

use std::env;
use std::thread::available_parallelism;

use napi::bindgen_prelude::create_custom_tokio_runtime;
use napi_derive::module_init;
use tokio::runtime::Builder;

/// How many threads there are, where the process knows better: the command `proxy-execute` does, in
/// which JavaScript only waits.
const THREADS: &str = "PROXY_EXECUTE_THREADS";

/// Makes the runtime, when the addon is loaded: one worker less than there are cores, because one
/// core is busy with JavaScript. A further worker would only make it wait.
#[module_init]
fn start() {
    let asked = env::var(THREADS).ok().and_then(|text| text.parse().ok()).filter(|threads| *threads > 0);
    let workers = asked.unwrap_or_else(|| {
        let cores = available_parallelism().map_or(1, |cores| cores.get());
        cores.saturating_sub(1).max(1)
    });
    let runtime =
        Builder::new_multi_thread().worker_threads(workers).thread_name("proxy-execute").enable_all().build();
    // Without one, napi makes its own, and says what is wrong when that fails, too.
    if let Ok(runtime) = runtime {
        create_custom_tokio_runtime(runtime);
    }
}
