//! The log of the native code: when it begins.

use std::env;

use napi::bindgen_prelude::{Error, Status};
use napi_derive::{module_init, napi};
use proxy_execute_server::begin_log;

/// The level of the log from the moment when the addon is loaded. Without it, nothing is logged.
const LEVEL: &str = "PROXY_EXECUTE_LOG";

/// The format of the log. Without it, the lines are text.
const FORMAT: &str = "PROXY_EXECUTE_LOG_FORMAT";

#[module_init]
fn start() {
    let Ok(level) = env::var(LEVEL) else { return };
    let format = env::var(FORMAT).unwrap_or_else(|_| "text".to_owned());
    if let Err(error) = begin_log(&level, &format) {
        let variable = if ["text", "json"].contains(&format.as_str()) { LEVEL } else { FORMAT };
        eprintln!("{variable}: {error}");
    }
}

/// Logs lines of this level or more serious to the standard error output, as `text` or as `json`.
///
/// The levels are `off`, `error`, `warn`, `info`, `debug` and `trace`. A log that has begun changes.
#[napi]
pub fn log_from(level: String, format: String) -> napi::Result<()> {
    proxy_execute_server::log_from(&level, &format)
        .map_err(|error| Error::new(Status::InvalidArg, error.to_string()))
}
