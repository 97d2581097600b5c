//! Turns errors of PostgreSQL into errors of the gateway.

use std::io;
use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind};

use crate::rule::Rule;

/// The rule that a statement would have broken.
pub(super) fn broken(error: &sqlx::Error) -> Option<Rule> {
    match error.as_database_error()?.constraint()? {
        "connected_accounts_config" | "links_account" => Some(Rule::Reference),
        "connected_accounts_alias" => Some(Rule::Alias),
        "connected_accounts_word_id" => Some(Rule::WordId),
        _ => None,
    }
}

/// Distinguishes what an operator or a caller can do, and keeps other errors for the log.
///
/// The codes are those of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(crate) fn store_error(error: sqlx::Error) -> Error {
    let unavailable = |message: &str| Error::new(ErrorKind::StoreUnavailable, message);
    if broken(&error) == Some(Rule::Alias) {
        let message = "alias: another account of the user and toolkit has it.";
        return Error::new(ErrorKind::Conflict, message).fix("Choose another alias.");
    }
    if let Some(error) = error.as_database_error()
        && let Some(code) = error.code()
    {
        match &*code {
            "28P01" | "28000" => {
                return unavailable("the database refuses this user or its password.")
                    .fix("Check the user and the password of the URL, or PGPASSWORD, and the server's pg_hba.conf.");
            }
            "3D000" => {
                return unavailable("the database does not exist.").fix("Create it with `createdb`.");
            }
            "25006" => return read_only(),
            "42501" => {
                return unavailable("the user may not read or write the tables of the store.")
                    .fix("Grant it the rights, or connect as the owner of the tables.");
            }
            "42P01" | "42703" | "42883" | "3F000" => {
                tracing::error!(%error, "the schema of the store is not complete");
                return Error::new(
                    ErrorKind::StoreCorrupt,
                    "a table of the store is missing or was changed.",
                )
                .fix("Restore the database from a backup.");
            }
            "42P07" | "42710" | "42723" => {
                return unavailable(
                    "the database has other tables or functions with the names of the store.",
                )
                .fix("Use an empty database.");
            }
            "53100" => return unavailable("the disk of the database is full.").fix("Free some space."),
            "53200" => return unavailable("the database is out of memory.").fix("Try again."),
            "53300" => {
                return unavailable("the database accepts no more connections.")
                    .fix("Lower maxConnections of the gateways, or raise max_connections of the server.");
            }
            "57014" | "55P03" => {
                return unavailable("the database did not finish a statement in time.")
                    .fix("Try again; if it stays, look for long transactions in pg_stat_activity.");
            }
            "40001" | "40P01" => {
                return unavailable("the database ended a transaction in favour of another.")
                    .fix("Try again.");
            }
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => {
                return unavailable("the database is starting, or it ended the connection.")
                    .fix("Try again.");
            }
            "22021" | "22P05" => {
                return Error::new(ErrorKind::InvalidRequest, "a text has the character U+0000.")
                    .fix("Leave it out: PostgreSQL stores it in no text.");
            }
            "54000" => {
                return Error::new(
                    ErrorKind::InvalidRequest,
                    "an id, a name or an alias is too long to be indexed.",
                )
                .fix("Use a shorter one.");
            }
            "XX001" | "XX002" => {
                return Error::new(ErrorKind::StoreCorrupt, "the database is damaged.")
                    .fix("Restore it from a backup.");
            }
            _ => {}
        }
    }
    match error {
        sqlx::Error::Io(error) => out_of_reach(&error),
        sqlx::Error::Tls(error) => unavailable(&format!("TLS with the database fails: {error}."))
            .fix("Check `sslmode` and `sslrootcert` of the URL."),
        sqlx::Error::PoolTimedOut => unavailable("no connection to the database became free in time.")
            .fix("Check that the database responds; if it does, raise maxConnections."),
        sqlx::Error::PoolClosed => Error::new(ErrorKind::GatewayClosed, "The gateway is closed."),
        sqlx::Error::Protocol(message) => {
            tracing::error!(message, "the server does not follow PostgreSQL's protocol");
            unavailable("the server does not respond as PostgreSQL does.")
                .fix("Check the host and the port, and that no pooler is between that shares sessions.")
        }
        error => {
            tracing::error!(%error, "the store failed");
            Error::new(ErrorKind::Internal, "The gateway's store failed. Its log has the cause.")
        }
    }
}

/// The error of a server that cannot be reached.
fn out_of_reach(error: &io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, format!("the database is out of reach: {error}."))
        .fix("Check that the server runs, and the host and the port of the URL.")
}

/// The error of a database that cannot be written.
pub(super) fn read_only() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "the database is read-only, as a replica is.")
        .fix("Name the primary server.")
}

/// The error of a statement that did not end in time.
pub(super) fn not_in_time(patience: Duration) -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        format!("the database did not respond within {} s.", patience.as_secs_f32()),
    )
    .fix("Check the database and the network. Try again.")
}

/// The error of a store that a gateway has open. The gateway is not to be opened in another way.
pub(super) fn while_open(error: Error) -> Error {
    if error.kind() != ErrorKind::StoreUnavailable {
        return error;
    }
    let message = format!("The gateway's store does not respond: {}", error.body().message);
    Error::new(ErrorKind::StoreNotResponding, message)
        .fix("Try again. The operator finds the cause at the database.")
}
