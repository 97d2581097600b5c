//! The scripts that bring a database to the schema of this version.

use std::borrow::Cow;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::SqlStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::{AuditedChange, OWNER};

/// The description of each script, and its text. The number of a script is its place, from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scripts(pub(crate) &'static [(&'static str, &'static str)]);

impl Scripts {
    /// Runs the scripts that a database has not seen. It refuses a database whose scripts differ from these.
    pub(crate) fn migrator(self) -> Migrator {
        let migration = |(version, &(description, sql)): (i64, &(&'static str, &'static str))| {
            let sql = SqlStr::from_static(sql);
            Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql, false)
        };
        Migrator::with_migrations((1..).zip(self.0).map(migration).collect())
    }

    /// Fails unless the scripts are the files of a folder, under their numbers.
    #[cfg(test)]
    pub(crate) fn check_folder(self, folder: &str) {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<_> = (1..)
            .zip(self.0)
            .map(|(number, (description, _))| format!("{number:04}_{}.sql", description.replace(' ', "_")))
            .collect();
        assert_eq!(listed, files);
        for (file, (_, sql)) in files.iter().zip(self.0) {
            assert_eq!(&std::fs::read_to_string(format!("{folder}/{file}")).unwrap(), sql, "{file}");
        }
    }
}

/// Selects the scripts that a database has seen: their numbers and checksums.
pub(crate) const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

/// Returns how many scripts a database has not seen.
///
/// # Errors
/// `StoreUnavailable` if it has seen others.
pub(crate) fn pending(migrator: &Migrator, applied: &[(i64, Vec<u8>)]) -> Result<usize> {
    for (version, checksum) in applied {
        match migrator.iter().find(|migration| migration.version == *version) {
            None => return Err(of_another_version(&MigrateError::VersionMissing(*version))),
            Some(migration) if *migration.checksum != **checksum => {
                return Err(of_another_version(&MigrateError::VersionMismatch(*version)));
            }
            Some(_) => {}
        }
    }
    Ok(migrator.iter().count() - applied.len())
}

/// The change of a store that was brought to the schema of this version, for the audit record.
pub(crate) fn migration_to(version: usize, at: i64) -> AuditedChange {
    AuditedChange {
        at,
        actor: OWNER.to_owned(),
        action: "store.migrated".to_owned(),
        target: format!("schema {version}"),
    }
}

/// The error of a schema that is none of this version's.
pub(crate) fn of_another_version(difference: &MigrateError) -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        format!("the database was written by another version of the gateway ({difference})."),
    )
    .fix("Start the version that wrote it or a newer one, or restore a backup that this version made.")
}
