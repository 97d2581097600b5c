//! `store`: the store is checked, migrated, copied, backed up and encrypted with another key.

use std::time::Duration;

use proxy_execute_server::{
    KeyUse, PostgresOptions, RotationProgress, back_up_store, check_store, copy_store, migrate_store,
    rotate_key as rotate,
};
use serde_json::{Value, json};

use crate::arguments::Given;
use crate::failure::Failure;
use crate::store::{encryption_keys_of, existing_store_of, store_of, without_password};
use crate::terminal::{Terminal, table};
use crate::{DONE, FAILED};

/// The time between two notes about the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Checks that the store is intact and that the key opens it.
pub(crate) async fn check(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let path = existing_store_of(given)?;
    let checked = check_store(&path, &encryption_keys_of(given, terminal).await?).await?;
    let store = without_password(&path);
    let value = json!({
        "store": store,
        "schemaVersion": checked.schema_version,
        "pendingMigrations": checked.pending_migrations,
        "encryptionKeys": uses(&checked.encryption_keys),
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
        let keys = checked.encryption_keys.iter().map(|key| {
            let id = key.key_id.clone().unwrap_or_else(|| "-".to_owned());
            [id, key.auth_configs.to_string(), key.accounts.to_string(), key.links.to_string()]
        });
        lines.push(String::new());
        lines.extend(table(["ENCRYPTION KEY", "AUTH CONFIGS", "ACCOUNTS", "LINKS"], keys.collect()));
        lines
    })?;
    if checked.pending_migrations > 0 && !terminal.json {
        terminal.note(if PostgresOptions::is_url(&path) {
            "Its schema is that of an older version. Back it up, and run `proxy-execute-gateway store migrate`."
        } else {
            "The next command that opens the store, such as `serve`, changes its schema. Back it up before."
        });
    }
    Ok(())
}

/// Encrypts everything with the first key, and returns the exit code.
pub(crate) async fn rotate_key(given: &Given, terminal: &Terminal) -> Result<i32, Failure> {
    let path = existing_store_of(given)?;
    let store = without_password(&path);
    let keys = encryption_keys_of(given, terminal).await?;
    let progress = RotationProgress::default();
    let rotation = rotate(&path, &keys, &progress);
    tokio::pin!(rotation);
    let rotated = loop {
        tokio::select! {
            rotated = &mut rotation => break rotated?,
            () = tokio::time::sleep(PROGRESS_INTERVAL) => {
                terminal.note(&format!("Encrypting: {} of {} rows.", progress.done(), progress.total()));
            }
        }
    };
    let key_id = &rotated.key_id;
    let is_first = |key: &KeyUse| key.key_id.as_ref() == Some(key_id);
    let others: Vec<&KeyUse> = rotated.keys.iter().filter(|key| !is_first(key)).collect();
    let is_complete = others.iter().all(|key| key.rows() == 0);
    let unneeded: Vec<&String> =
        others.iter().filter(|key| key.rows() == 0).filter_map(|key| key.key_id.as_ref()).collect();
    let KeyUse { auth_configs, accounts, links, webhook_subscriptions, .. } = &rotated.resealed;
    let value = json!({
        "store": store,
        "keyId": key_id,
        "resealed": {
            "authConfigs": auth_configs,
            "accounts": accounts,
            "links": links,
            "webhookSubscriptions": webhook_subscriptions,
        },
        "encryptionKeys": uses(&rotated.keys),
        "unneededKeys": unneeded,
        "unopenable": rotated.unopenable,
    });
    terminal.result(&value, || {
        let mut lines = vec![format!(
            "Encrypted with the key {key_id}: {auth_configs} auth configs, {accounts} accounts, {links} links, \
             {webhook_subscriptions} webhook subscriptions."
        )];
        for key in &others {
            let id = key.key_id.as_deref().unwrap_or("of an earlier version");
            lines.push(match key.rows() {
                0 => format!("The key {id} is no longer needed: nothing in the store has it."),
                rows => format!("The key {id} is still needed: {rows} rows have it."),
            });
        }
        if !rotated.unopenable.is_empty() {
            lines.push(format!(
                "No key opens these rows, so connect them again or delete them: {}.",
                rotated.unopenable.join(", ")
            ));
        } else if !is_complete {
            lines.push(
                "A gateway still encrypts with an older key. Start every gateway with the new key first, then run \
                 this again."
                    .to_owned(),
            );
        } else if others.is_empty() {
            lines.push("Everything in the store has this key.".to_owned());
        } else {
            lines.push("Start every gateway with the new key alone.".to_owned());
        }
        lines
    })?;
    Ok(if is_complete { DONE } else { FAILED })
}

/// The rows of each key, for a machine.
fn uses(keys: &[KeyUse]) -> Vec<Value> {
    let shown = |key: &KeyUse| {
        json!({
            "keyId": key.key_id,
            "authConfigs": key.auth_configs,
            "accounts": key.accounts,
            "links": key.links,
            "webhookSubscriptions": key.webhook_subscriptions,
            "keyChecks": key.key_checks,
        })
    };
    keys.iter().map(shown).collect()
}

/// Brings a database to the schema of this version.
pub(crate) async fn migrate(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let store = store_of(given);
    let migrations = migrate_store(&store).await?;
    let store = without_password(&store);
    let value = json!({ "store": store, "migrations": migrations });
    terminal.result(&value, || vec![format!("{store} has the schema of this version; {migrations} applied.")])
}

/// Copies a store from a file to a database.
pub(crate) async fn copy(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let (from, url) = (given.text("from").unwrap_or_default(), given.text("to").unwrap_or_default());
    if PostgresOptions::is_url(from) || !PostgresOptions::is_url(url) {
        let message = "--from is a file, and --to is written --to postgres://user@host:5432/database.";
        return Err(Failure::Usage(message.to_owned()));
    }
    let tables = copy_store(from, url, &encryption_keys_of(given, terminal).await?).await?;
    let to = without_password(url);
    terminal.result(&json!({ "from": from, "to": to, "tables": tables }), || {
        let rows = tables.iter().map(|copied| {
            [
                copied.table.to_owned(),
                copied.rows.to_string(),
                copied.added.to_string(),
                copied.digest.clone(),
            ]
        });
        let mut lines = table(["TABLE", "ROWS", "ADDED", "SHA-256"], rows.collect());
        lines.insert(0, format!("{to} has every row of {from}."));
        lines
    })
}

/// Copies the store to a new file.
pub(crate) async fn back_up(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let store = existing_store_of(given)?;
    let file = &given.parameters[0];
    let bytes = back_up_store(&store, file).await?;
    let value = json!({ "store": store, "file": file, "bytes": bytes });
    terminal.result(&value, || vec![format!("{store} is copied to {file}, {bytes} bytes.")])
}
