//! `users`: what the gateway has of a user.

use proxy_execute_protocol::{ResourceMethod, ResourceRequest};
use serde_json::{Value, json};

use crate::accounts::{ask, id_of};
use crate::arguments::Given;
use crate::failure::Failure;
use crate::store::in_existing_store;
use crate::terminal::Terminal;

/// How many records are read at once.
const PAGE: &str = "1000";

/// Prints the records of a user as lines of JSON.
pub(crate) async fn export(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let user = id_of(given)?;
    in_existing_store(given, terminal, async |gateway| {
        let mut query = vec![("limit".to_owned(), PAGE.to_owned())];
        loop {
            let request = ResourceRequest::new(ResourceMethod::Get, ["users", user, "records"]);
            let page = ask(gateway, ResourceRequest { query: query.clone(), ..request }).await?;
            let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !items.is_empty() {
                terminal.print(&items.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"))?;
            }
            let Some(cursor) = page["next_cursor"].as_str() else { return Ok(()) };
            query.truncate(1);
            query.push(("cursor".to_owned(), cursor.to_owned()));
        }
    })
    .await
}

/// Deletes a user, and prints what was deleted.
pub(crate) async fn delete(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let user = id_of(given)?;
    in_existing_store(given, terminal, async |gateway| {
        let request = ResourceRequest::new(ResourceMethod::Delete, ["users", user]);
        let done = ask(gateway, request).await?;
        let value = json!({
            "userId": done["user_id"],
            "sessions": done["sessions"],
            "connectedAccounts": done["connected_accounts"],
            "revokedTokens": done["revoked_tokens"],
            "notRevoked": done["not_revoked"],
            "sharedAccounts": done["shared_accounts"],
            "files": done["files"],
            "calls": done["calls"],
            "events": done["events"],
        });
        terminal.result(&value, || {
            let failures = done["not_revoked"].as_array().map(Vec::as_slice).unwrap_or_default();
            let failures = failures.iter().filter_map(Value::as_str);
            let mut lines = vec![
                format!("Sessions deleted: {}.", done["sessions"]),
                format!(
                    "Accounts deleted: {}, with {} tokens revoked at the provider.",
                    done["connected_accounts"], done["revoked_tokens"]
                ),
            ];
            lines.extend(failures.map(|why| format!("May still be valid: {why}.")));
            lines
                .push(format!("SHARED accounts that no longer allow the user: {}.", done["shared_accounts"]));
            lines.push(format!(
                "Files deleted: {}. Records of calls: {}. Events: {}.",
                done["files"], done["calls"], done["events"]
            ));
            lines
        })
    })
    .await
}
