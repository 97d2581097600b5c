//! The log of what goes on inside: lines on the standard error output.

use std::{env, io};

use napi::bindgen_prelude::{Error, Status};
use napi_derive::{module_init, napi};
use tracing_subscriber::filter::LevelFilter;

/// What is logged from the moment that the addon is loaded on; nothing when it is not there.
const LEVEL: &str = "PROXY_EXECUTE_LOG";

#[module_init]
fn start() {
    let Ok(level) = env::var(LEVEL) else { return };
    if let Err(error) = log_from(level) {
        eprintln!("{LEVEL}: {}", error.reason);
    }
}

/// Logs what is of this level or more serious, on the standard error output: `off`, `error`, `warn`,
/// `info`, `debug` or `trace`. The first level that is asked for stays.
#[napi]
pub fn log_from(level: String) -> napi::Result<()> {
    let level: LevelFilter = level.parse().map_err(|_| {
        let message = format!("`{level}` is not one of off, error, warn, info, debug and trace.");
        Error::new(Status::InvalidArg, message)
    })?;
    // A worker thread loads the addon anew, into the process that has a log already.
    _ = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_ansi(false).try_init();
    Ok(())
}
