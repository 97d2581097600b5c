//! The scripts that bring a database to the schema of this version, in order.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

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
