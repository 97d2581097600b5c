//! The log of the native code: when it begins.

use std::env;

use napi::bindgen_prelude::{Error, Status};
use napi_derive::{module_init, napi};

/// The level of the log from the moment when the addon is loaded. Without it, nothing is logged.
const LEVEL: &str = "PROXY_EXECUTE_LOG";

#[module_init]
fn start() {
    let Ok(level) = env::var(LEVEL) else { return };
    if let Err(error) = log_from(level) {
        eprintln!("{LEVEL}: {}", error.reason);
    }
}

/// Logs lines of this level or more serious to the standard error output.
///
/// The levels are `off`, `error`, `warn`, `info`, `debug` and `trace`. The first level that was set stays.
#[napi]
pub fn log_from(level: String) -> napi::Result<()> {
    proxy_execute_server::log_from(&level).map_err(|error| Error::new(Status::InvalidArg, error.to_string()))
}
