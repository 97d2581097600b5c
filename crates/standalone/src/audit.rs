//! `audit`: the record of administrative changes.

use proxy_execute_protocol::{ResourceMethod, ResourceRequest};
use serde_json::{Value, json};

use crate::accounts::ask;
use crate::arguments::Given;
use crate::failure::Failure;
use crate::store::in_existing_store;
use crate::terminal::{Terminal, table};
use crate::{DONE, FAILED};

const COLUMNS: [&str; 5] = ["NUMBER", "AT", "ACTOR", "ACTION", "TARGET"];

/// Lists administrative changes, the latest first.
pub(crate) async fn list(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let texts = ["since", "until", "cursor"];
    let mut query: Vec<_> =
        texts.iter().filter_map(|name| Some(((*name).to_owned(), given.text(name)?.to_owned()))).collect();
    query.extend(given.whole("limit").map(|limit| ("limit".to_owned(), limit.to_string())));
    in_existing_store(given, terminal, async |gateway| {
        let request = ResourceRequest::new(ResourceMethod::Get, ["audit"]);
        let page = ask(gateway, ResourceRequest { query, ..request }).await?;
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let value = json!({ "items": page["items"], "nextCursor": page["next_cursor"] });
        terminal.result(&value, || table(COLUMNS, items.iter().map(row).collect()))?;
        if let (Some(cursor), false) = (page["next_cursor"].as_str(), terminal.json) {
            terminal.note(&format!("There are more changes: --cursor {cursor}"));
        }
        Ok(())
    })
    .await
}

fn row(entry: &Value) -> [String; COLUMNS.len()] {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    [entry["number"].to_string(), text("at"), text("actor"), text("action"), text("target")]
}

/// Verifies the chain, and returns the exit code.
pub(crate) async fn verify(given: &Given, terminal: &Terminal) -> Result<i32, Failure> {
    let query = given.text("head").map(|head| ("head".to_owned(), head.to_owned())).into_iter().collect();
    let mut code = DONE;
    in_existing_store(given, terminal, async |gateway| {
        let request = ResourceRequest::new(ResourceMethod::Get, ["audit", "verification"]);
        let verified = ask(gateway, ResourceRequest { query, ..request }).await?;
        let value = json!({
            "intact": verified["intact"],
            "entries": verified["entries"],
            "head": verified["head"],
            "broken": verified["broken"],
            "hasHead": verified["has_head"],
        });
        code = if verified["intact"] == true { DONE } else { FAILED };
        let (entries, broken) = (&verified["entries"], &verified["broken"]);
        terminal.result(&value, || {
            if !broken.is_null() {
                let (number, reason) = (&broken["number"], broken["reason"].as_str().unwrap_or_default());
                return vec![format!(
                    "Entry {number} is broken: {reason}. The {entries} entries from the first on are intact."
                )];
            }
            if verified["has_head"] == false {
                return vec![format!(
                    "The record does not have this head: entries were removed, or written again. Number of its entries: {entries}."
                )];
            }
            let head = verified["head"].as_str().map(|head| format!("Head: {head}"));
            std::iter::once(format!("Intact entries: {entries}.")).chain(head).collect()
        })
    })
    .await?;
    Ok(code)
}
