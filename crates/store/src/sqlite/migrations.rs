//! The scripts that bring a database to the schema of this version, in order.

use proxy_execute_protocol::Result;
use sqlx::SqliteConnection;
use sqlx::migrate::Migrator;

use super::error::store_error;
use crate::migrations::{APPLIED, Scripts, pending};

/// The description of each script, and its text. The number of a script is its place, from 1.
const SCRIPTS: Scripts = Scripts(&[
    ("initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    ("refusals", include_str!("../../migrations/sqlite/0002_refusals.sql")),
    ("shared accounts", include_str!("../../migrations/sqlite/0003_shared_accounts.sql")),
    ("default account", include_str!("../../migrations/sqlite/0004_default_account.sql")),
    ("sealed callbacks", include_str!("../../migrations/sqlite/0005_sealed_callbacks.sql")),
    ("key ids", include_str!("../../migrations/sqlite/0006_key_ids.sql")),
    ("audit log", include_str!("../../migrations/sqlite/0007_audit_log.sql")),
    ("events", include_str!("../../migrations/sqlite/0008_events.sql")),
    ("request ids", include_str!("../../migrations/sqlite/0009_request_ids.sql")),
    ("retention", include_str!("../../migrations/sqlite/0010_retention.sql")),
    ("webhooks", include_str!("../../migrations/sqlite/0011_webhooks.sql")),
]);

/// Runs the scripts that a database has not seen. It refuses a database whose scripts differ from these.
pub(super) fn migrator() -> Migrator {
    SCRIPTS.migrator()
}

/// The scripts that a database has seen.
pub(super) struct Schema {
    /// The number of the last one; 0 if there is none.
    pub(super) version: i64,
    /// How many it has not seen.
    pub(super) pending: usize,
}

/// Reads which scripts a database has seen.
///
/// # Errors
/// `StoreUnavailable` if it has seen a script that this version does not have.
pub(super) async fn schema_of(store: &mut SqliteConnection) -> Result<Schema> {
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(APPLIED).fetch_all(store).await.map_err(store_error)?;
    Ok(Schema {
        version: applied.last().map_or(0, |(version, _)| *version),
        pending: pending(&migrator(), &applied)?,
    })
}

#[cfg(test)]
mod tests {
    use super::SCRIPTS;

    #[test]
    fn every_script_of_the_folder_runs_under_its_number() {
        SCRIPTS.check_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"));
    }
}
