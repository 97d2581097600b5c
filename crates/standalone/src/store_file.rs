//! `store`: the file of a store, checked and backed up while a gateway may be using it.

use proxy_execute_server::{back_up_store, check_store};
use serde_json::json;

use crate::arguments::Given;
use crate::failure::Failure;
use crate::store::{encryption_key_of, existing_store_of};
use crate::terminal::{Terminal, table};

/// Checks that the store is intact and that the key opens it.
pub(crate) async fn check(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let store = existing_store_of(given)?;
    let checked = check_store(store, &encryption_key_of(given)?).await?;
    let value = json!({
        "store": store,
        "schemaVersion": checked.schema_version,
        "pendingMigrations": checked.pending_migrations,
        "accounts": checked.accounts,
        "sessions": checked.sessions,
        "apiKeys": checked.api_keys,
        "calls": checked.calls,
    });
    terminal.result(&value, || {
        let row = [
            checked.schema_version.to_string(),
            checked.pending_migrations.to_string(),
            checked.accounts.to_string(),
            checked.sessions.to_string(),
            checked.api_keys.to_string(),
            checked.calls.to_string(),
        ];
        let names = ["SCHEMA", "PENDING", "ACCOUNTS", "SESSIONS", "KEYS", "CALLS"];
        let mut lines = table(names, vec![row]);
        lines.insert(0, format!("{store} is intact, and the key opens it."));
        lines
    })?;
    if checked.pending_migrations > 0 && !terminal.json {
        terminal.note(
            "The next command that opens the store, such as `serve`, changes its schema. Back it up before.",
        );
    }
    Ok(())
}

/// Copies the store to a new file.
pub(crate) async fn back_up(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let store = existing_store_of(given)?;
    let file = &given.parameters[0];
    let bytes = back_up_store(store, file).await?;
    let value = json!({ "store": store, "file": file, "bytes": bytes });
    terminal.result(&value, || vec![format!("{store} is copied to {file}, {bytes} bytes.")])
}
