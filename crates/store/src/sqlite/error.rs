//! Turns errors of SQLite into errors of the gateway.

use proxy_execute_protocol::{Error, ErrorKind};
use sqlx::error::ErrorKind as Violation;

use crate::rule::Rule;

/// Returns SQLite's primary result code, without its extension.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Whether another process holds a lock that it may release later.
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(5 | 6))
}

/// The rule that a statement would have broken.
pub(super) fn broken(error: &sqlx::Error) -> Option<Rule> {
    let error = error.as_database_error()?;
    // SQLite names the columns of an index instead of the index.
    match (error.kind(), error.message()) {
        (Violation::ForeignKeyViolation, _) => Some(Rule::Reference),
        (Violation::UniqueViolation, message) if message.ends_with(".alias") => Some(Rule::Alias),
        (Violation::UniqueViolation, message) if message.ends_with(".word_id") => Some(Rule::WordId),
        _ => None,
    }
}

/// Distinguishes a damaged file from an unavailable one, and keeps other errors for the log.
pub(crate) fn store_error(error: sqlx::Error) -> Error {
    if is_locked(&error) {
        return Error::new(ErrorKind::StoreUnavailable, "another process keeps the database locked.")
            .fix("Try again; if it stays, look for a process that holds a transaction open.");
    }
    if broken(&error) == Some(Rule::Alias) {
        let message = "alias: another account of the user and toolkit has it.";
        return Error::new(ErrorKind::Conflict, message).fix("Choose another alias.");
    }
    match (code(&error), &error) {
        // SQLITE_CORRUPT and SQLITE_NOTADB.
        (Some(11 | 26), _) => {
            Error::new(ErrorKind::StoreCorrupt, "the file is damaged, or not a SQLite database.")
                .fix("Restore it from a backup, or name another file.")
        }
        (Some(10), _) => {
            Error::new(ErrorKind::StoreUnavailable, "the database file cannot be read or written.")
                .fix("Check that it is a file, not a folder, and that its disk works.")
        }
        (Some(14), _) => Error::new(ErrorKind::StoreUnavailable, "the database file cannot be opened.")
            .fix("Check that its folder exists and that this process may write there."),
        (Some(8), _) => Error::new(ErrorKind::StoreUnavailable, "the database is read-only.")
            .fix("Check that this process may write to the file and its folder."),
        (Some(13), _) => Error::new(ErrorKind::StoreUnavailable, "the disk is full.").fix("Free some space."),
        (_, sqlx::Error::PoolClosed) => Error::new(ErrorKind::GatewayClosed, "The gateway is closed."),
        _ => {
            tracing::error!(%error, "the store failed");
            Error::new(ErrorKind::Internal, "The gateway's store failed. Its log has the cause.")
        }
    }
}
