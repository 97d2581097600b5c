//! The scripts that bring a database to the schema of this version, in order.

use sqlx::migrate::Migrator;

use crate::migrations::Scripts;

const SCRIPTS: Scripts = Scripts(&[
    ("initial", include_str!("../../migrations/postgres/0001_initial.sql")),
    ("audit log", include_str!("../../migrations/postgres/0002_audit_log.sql")),
    ("events", include_str!("../../migrations/postgres/0003_events.sql")),
    ("request ids", include_str!("../../migrations/postgres/0004_request_ids.sql")),
    ("retention", include_str!("../../migrations/postgres/0005_retention.sql")),
    ("webhooks", include_str!("../../migrations/postgres/0006_webhooks.sql")),
]);

/// The tables that the scripts create.
pub(super) const TABLES: [&str; 13] = [
    "meta",
    "sessions",
    "auth_configs",
    "connected_accounts",
    "account_counts",
    "links",
    "api_keys",
    "calls",
    "audit_log",
    "events",
    "event_cursors",
    "webhook_subscriptions",
    "webhook_deliveries",
];

/// Runs the scripts that a database has not seen. It refuses a database whose scripts differ from these.
pub(super) fn migrator() -> Migrator {
    SCRIPTS.migrator()
}

#[cfg(test)]
mod tests {
    use super::SCRIPTS;

    #[test]
    fn every_script_of_the_folder_runs_under_its_number() {
        SCRIPTS.check_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres"));
    }
}
