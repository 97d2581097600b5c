//! The log of the native code: lines on the standard error output.

use std::{env, io};

use napi::bindgen_prelude::{Error, Status};
use napi_derive::{module_init, napi};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

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
    let level: LevelFilter = level.parse().map_err(|_| {
        let message = format!("`{level}` is not one of off, error, warn, info, debug and trace.");
        Error::new(Status::InvalidArg, message)
    })?;
    // From `info` on, rmcp logs the messages of its clients, and they are the user's data.
    let shown = Targets::new().with_default(level).with_target("rmcp", level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    // A worker thread loads the addon again, into a process that already has a log.
    _ = tracing_subscriber::registry().with(lines).with(shown).try_init();
    Ok(())
}
