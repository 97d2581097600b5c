//! The scripts that bring a database to the schema of this version, in order.

use std::borrow::Cow;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlStr, SqliteConnection};

use super::error::store_error;

/// The description of each script, and its text. The number of a script is its place, from 1.
const SCRIPTS: [(&str, &str); 6] = [
    ("initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    ("refusals", include_str!("../../migrations/sqlite/0002_refusals.sql")),
    ("shared accounts", include_str!("../../migrations/sqlite/0003_shared_accounts.sql")),
    ("default account", include_str!("../../migrations/sqlite/0004_default_account.sql")),
    ("sealed callbacks", include_str!("../../migrations/sqlite/0005_sealed_callbacks.sql")),
    ("key ids", include_str!("../../migrations/sqlite/0006_key_ids.sql")),
];

/// Runs the scripts that a database has not seen. It refuses a database whose scripts differ from these.
pub(super) fn migrator() -> Migrator {
    let migration = |(version, (description, sql))| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations((1..).zip(SCRIPTS).map(migration).collect())
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
    let applied = sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(store)
        .await;
    let applied: Vec<(i64, Vec<u8>)> = applied.map_err(store_error)?;
    let migrations = migrator();
    for (version, checksum) in &applied {
        match migrations.iter().find(|migration| migration.version == *version) {
            None => return Err(of_another_version(&MigrateError::VersionMissing(*version))),
            Some(migration) if *migration.checksum != **checksum => {
                return Err(of_another_version(&MigrateError::VersionMismatch(*version)));
            }
            Some(_) => {}
        }
    }
    Ok(Schema {
        version: applied.last().map_or(0, |(version, _)| *version),
        pending: migrations.iter().count() - applied.len(),
    })
}

/// The error of a schema that is none of this version's.
pub(super) fn of_another_version(difference: &MigrateError) -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        format!("the database was written by another version of the gateway ({difference})."),
    )
    .fix("Start the version that wrote it or a newer one, or restore a backup that this version made.")
}

#[cfg(test)]
mod tests {
    use super::SCRIPTS;

    #[test]
    fn every_script_of_the_folder_runs_under_its_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<_> = (1..)
            .zip(SCRIPTS)
            .map(|(number, (description, _))| format!("{number:04}_{}.sql", description.replace(' ', "_")))
            .collect();
        assert_eq!(listed, files);
        for (file, (_, sql)) in files.iter().zip(SCRIPTS) {
            assert_eq!(std::fs::read_to_string(format!("{folder}/{file}")).unwrap(), sql, "{file}");
        }
    }
}
