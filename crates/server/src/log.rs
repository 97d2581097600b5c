//! The log: lines on the standard error output, as text or as JSON.

use std::io;
use std::sync::{Mutex, PoisonError};

use proxy_execute_protocol::{Error, ErrorKind, Result, quoted};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Layered;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, reload};

/// Writes the lines.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// The parts of the log that can change.
struct Log {
    lines: reload::Handle<Lines, Registry>,
    shown: reload::Handle<Targets, Layered<reload::Layer<Lines, Registry>, Registry>>,
}

/// The log of this process, once it has begun.
static LOG: Mutex<Option<Log>> = Mutex::new(None);

/// Logs lines of this level or more serious to the standard error output. A log that has begun changes.
///
/// The levels are `off`, `error`, `warn`, `info`, `debug` and `trace`. The formats are `text` and `json`.
///
/// # Errors
/// `InvalidOption` for another level or format.
pub fn log_from(level: &str, format: &str) -> Result<()> {
    let (shown, lines) = (shown_from(level)?, lines_as(format)?);
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    match &*log {
        // An error means that the process has ended its log.
        Some(log) => _ = log.shown.reload(shown).and_then(|()| log.lines.reload(lines)),
        None => begin(&mut log, shown, lines),
    }
    Ok(())
}

/// Begins the log as [`log_from`] does, if it has not begun.
///
/// # Errors
/// `InvalidOption` for another level or format.
pub fn begin_log(level: &str, format: &str) -> Result<()> {
    let (shown, lines) = (shown_from(level)?, lines_as(format)?);
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    // A worker thread of Node.js loads the addon again, into a process that already has a log.
    if log.is_none() {
        begin(&mut log, shown, lines);
    }
    Ok(())
}

fn begin(log: &mut Option<Log>, shown: Targets, lines: Lines) {
    let (lines, lines_handle) = reload::Layer::new(lines);
    let (shown, shown_handle) = reload::Layer::new(shown);
    // The embedding program may have a log of its own, which stays.
    _ = tracing_subscriber::registry().with(lines).with(shown).try_init();
    *log = Some(Log { lines: lines_handle, shown: shown_handle });
}

fn shown_from(level: &str) -> Result<Targets> {
    let level: LevelFilter = level.parse().map_err(|_| {
        let message = format!("`{}` is not one of off, error, warn, info, debug and trace.", quoted(level));
        Error::new(ErrorKind::InvalidOption, message)
    })?;
    // From `info` on, rmcp logs the messages of its clients, and they are the user's data.
    Ok(Targets::new().with_default(level).with_target("rmcp", level.min(LevelFilter::WARN)))
}

fn lines_as(format: &str) -> Result<Lines> {
    // A standard error output that is closed must not end the process.
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).log_internal_errors(false);
    match format {
        "text" => Ok(lines.boxed()),
        "json" => Ok(lines.json().flatten_event(true).with_span_list(false).boxed()),
        _ => {
            let message = format!("`{}` is not one of text and json.", quoted(format));
            Err(Error::new(ErrorKind::InvalidOption, message))
        }
    }
}
