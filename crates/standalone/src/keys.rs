//! `keys`: the keys with which the gateway is called on its port.

use jiff::Timestamp;
use proxy_execute_protocol::{ApiKey, read_json};
use serde_json::{Map, Value, json};

use crate::arguments::{Given, pair};
use crate::failure::Failure;
use crate::store::{in_existing_store, in_store};
use crate::terminal::{Terminal, table};

/// Creates an API key, and prints it once.
pub(crate) async fn create(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let expires_at = given.text("expires-at");
    // The gateway reports a value that is not a time.
    if expires_at.is_some_and(has_passed) {
        return Err(Failure::Usage("--expires-at is in the past: the key could not be used.".to_owned()));
    }
    let mut permissions = Map::new();
    for text in given.texts("permission") {
        let (area, level) = pair(text, '=', "--permission")?;
        permissions.insert(area.to_owned(), json!(level));
    }
    let addresses = given.texts("allow-address");
    let request = json!({
        "name": given.text("name"),
        "permissions": (!permissions.is_empty()).then_some(permissions),
        "expires_at": expires_at,
        "allowed_addresses": (!addresses.is_empty()).then_some(addresses),
    });
    in_store(given, terminal, async |gateway| {
        let made = gateway.create_api_key(read_json(request.to_string().as_bytes())?).await?;
        let mut value = shown(&made.shown);
        value["key"] = json!(made.key);
        terminal.result(&value, || vec![made.key.clone()])?;
        if !terminal.json {
            let id = &made.shown.id;
            terminal.note(&format!("This is {id}. The key is not shown again; the store has only its hash."));
        }
        Ok(())
    })
    .await
}

/// Lists the API keys.
pub(crate) async fn list(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    in_existing_store(given, terminal, async |gateway| {
        let keys = gateway.list_api_keys().await?;
        let value = keys.iter().map(shown).collect();
        terminal.result(&value, || {
            let rows = keys.iter().map(|key| {
                [
                    key.id.clone(),
                    key.name.clone().unwrap_or_default(),
                    permissions(key),
                    key.last_used_at.clone().unwrap_or_default(),
                    state(key),
                ]
            });
            table(["ID", "NAME", "MAY DO", "LAST USED", "STATE"], rows.collect())
        })
    })
    .await
}

/// Revokes an API key.
pub(crate) async fn revoke(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    in_existing_store(given, terminal, async |gateway| {
        let id = &given.parameters[0];
        gateway.revoke_api_key(id).await?;
        terminal.result(&json!({ "id": id, "revoked": true }), || vec![format!("{id} is revoked.")])
    })
    .await
}

/// A key under the names of JavaScript, like the output of `npx proxy-execute`.
fn shown(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "permissions": key.permissions,
        "allowedAddresses": key.allowed_addresses,
        "expiresAt": key.expires_at,
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "revokedAt": key.revoked_at,
    })
}

fn permissions(key: &ApiKey) -> String {
    let Some(permissions) = &key.permissions else { return "everything".to_owned() };
    let texts: Vec<String> =
        permissions.iter().map(|(area, level)| format!("{area}={}", level.name())).collect();
    texts.join(" ")
}

fn state(key: &ApiKey) -> String {
    match (&key.revoked_at, &key.expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, None) => "valid".to_owned(),
        (None, Some(at)) if has_passed(at) => "expired".to_owned(),
        (None, Some(at)) => format!("until {at}"),
    }
}

fn has_passed(time: &str) -> bool {
    time.parse::<Timestamp>().is_ok_and(|time| time <= Timestamp::now())
}
