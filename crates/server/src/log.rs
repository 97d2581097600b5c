//! The log: lines on the standard error output.

use std::io;

use proxy_execute_protocol::{Error, ErrorKind, Result, quoted};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Logs lines of this level or more serious to the standard error output.
///
/// The levels are `off`, `error`, `warn`, `info`, `debug` and `trace`. The first level that was set stays.
///
/// # Errors
/// `InvalidOption` for another level.
pub fn log_from(level: &str) -> Result<()> {
    let level: LevelFilter = level.parse().map_err(|_| {
        let message = format!("`{}` is not one of off, error, warn, info, debug and trace.", quoted(level));
        Error::new(ErrorKind::InvalidOption, message)
    })?;
    // From `info` on, rmcp logs the messages of its clients, and they are the user's data.
    let shown = Targets::new().with_default(level).with_target("rmcp", level.min(LevelFilter::WARN));
    // A standard error output that is closed must not end the process.
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).log_internal_errors(false);
    // A worker thread of Node.js loads the addon again, into a process that already has a log.
    _ = tracing_subscriber::registry().with(lines).with(shown).try_init();
    Ok(())
}
