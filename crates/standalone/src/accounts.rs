//! `accounts`: the accounts of users.

use std::time::Duration;

use proxy_execute_protocol::{Backend, Deadline, ErrorKind, ResourceMethod, ResourceRequest, read_json_as};
use proxy_execute_server::Embedded;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::arguments::Given;
use crate::failure::Failure;
use crate::store::in_existing_store;
use crate::terminal::{Terminal, table};

const COLUMNS: [&str; 8] = ["ID", "USER", "TOOLKIT", "SCHEME", "STATE", "TYPE", "ALIAS", "MADE"];

/// Lists the accounts, the latest first.
pub(crate) async fn list(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let listed = |name: &str, texts: &[String]| {
        if texts.iter().any(|text| text.contains(',')) {
            let message = format!("{name} has a comma in it, which separates values in a query.");
            return Err(Failure::Usage(message));
        }
        Ok(texts.join(","))
    };
    let mut query = vec![
        ("user_ids".to_owned(), listed("--user", given.texts("user"))?),
        ("toolkit_slugs".to_owned(), listed("[toolkit]", &given.parameters)?),
        ("statuses".to_owned(), listed("--status", given.texts("status"))?),
        ("account_type".to_owned(), "ALL".to_owned()),
        ("limit".to_owned(), given.whole("limit").unwrap_or(100).to_string()),
    ];
    query.extend(given.text("cursor").map(|cursor| ("cursor".to_owned(), cursor.to_owned())));
    in_existing_store(given, terminal, async |gateway| {
        let request = ResourceRequest::new(ResourceMethod::Get, ["connected_accounts"]);
        let page = ask(gateway, ResourceRequest { query, ..request }).await?;
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let value = json!({
            "items": items.iter().map(shown).collect::<Vec<_>>(),
            "nextCursor": page["next_cursor"],
            "totalPages": page["total_pages"],
            "currentPage": page["current_page"],
            "totalItems": page["total_items"],
        });
        terminal.result(&value, || table(COLUMNS, items.iter().map(row).collect()))?;
        if let (Some(cursor), false) = (page["next_cursor"].as_str(), terminal.json) {
            terminal.note(&format!("There are more accounts: --cursor {cursor}"));
        }
        Ok(())
    })
    .await
}

/// The first parameter, as a segment of a path.
pub(crate) fn id_of(given: &Given) -> Result<&str, Failure> {
    match given.parameters[0].as_str() {
        // They would lead elsewhere.
        "." | ".." => Err(Failure::Usage("An id cannot consist of dots.".to_owned())),
        id => Ok(id),
    }
}

/// Deletes, disables or enables an account, or makes it the default account.
pub(crate) async fn change(verb: &str, given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let id = id_of(given)?;
    let (method, inner, body, done) = match verb {
        "delete" => (ResourceMethod::Delete, None, None, "is deleted"),
        "enable" => (ResourceMethod::Patch, Some("status"), Some(json!({ "enabled": true })), "is enabled"),
        "disable" => {
            (ResourceMethod::Patch, Some("status"), Some(json!({ "enabled": false })), "is disabled")
        }
        "default" => {
            let body = json!({ "is_default": true });
            (ResourceMethod::Patch, Some("default"), Some(body), "is the default account")
        }
        "no-default" => {
            let body = json!({ "is_default": false });
            (ResourceMethod::Patch, Some("default"), Some(body), "is not the default account")
        }
        verb => unreachable!("the table has no command accounts {verb}"),
    };
    in_existing_store(given, terminal, async |gateway| {
        let request = ResourceRequest::new(method, ["connected_accounts", id].into_iter().chain(inner));
        let body = body.map(|body| to_raw_value(&body).expect("a body is JSON"));
        let answer = ask(gateway, ResourceRequest { body, ..request }).await?;
        let value = json!({ "id": id, "success": answer["success"] });
        terminal.result(&value, || vec![format!("{id} {done}.")])
    })
    .await
}

/// Requests a resource, as the owner of the gateway.
pub(crate) async fn ask(gateway: &Embedded, request: ResourceRequest) -> Result<Value, Failure> {
    // The gateway has its own limits for each step, and a user can interrupt the command.
    let text = gateway.resource(request, Deadline::after(Duration::MAX)).await?;
    Ok(read_json_as(ErrorKind::InvalidAnswer, text.as_bytes())?)
}

/// An account under the names of JavaScript, like the output of `npx proxy-execute`.
fn shown(account: &Value) -> Value {
    let sharing = &account["experimental"];
    let mut experimental = json!({ "accountType": sharing["account_type"] });
    if let Some(acl) = sharing.get("acl_config_for_shared").filter(|acl| !acl.is_null()) {
        experimental["aclConfigForShared"] = json!({
            "allowAllUsers": acl["allow_all_users"],
            "allowedUserIds": acl["allowed_user_ids"],
            "notAllowedUserIds": acl["not_allowed_user_ids"],
        });
    }
    json!({
        "id": account["id"],
        "userId": account["user_id"],
        "toolkit": { "slug": account["toolkit"]["slug"] },
        "authConfig": {
            "id": account["auth_config"]["id"],
            "authScheme": account["auth_config"]["auth_scheme"],
            "isComposioManaged": account["auth_config"]["is_composio_managed"],
            "isDisabled": account["auth_config"]["is_disabled"],
        },
        "status": account["status"],
        "statusReason": account["status_reason"],
        "isDisabled": account["is_disabled"],
        "isDefault": account["is_default"],
        "alias": account["alias"],
        "wordId": account["word_id"],
        "experimental": experimental,
        "state": account["state"],
        "createdAt": account["created_at"],
        "updatedAt": account["updated_at"],
    })
}

fn row(account: &Value) -> [String; COLUMNS.len()] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is = |name: &str| account[name] == true;
    let states = [
        Some(text(&account["status"])),
        is("is_disabled").then(|| "disabled".to_owned()),
        is("is_default").then(|| "default".to_owned()),
    ];
    [
        text(&account["id"]),
        text(&account["user_id"]),
        text(&account["toolkit"]["slug"]),
        text(&account["auth_config"]["auth_scheme"]),
        states.into_iter().flatten().collect::<Vec<_>>().join(", "),
        text(&account["experimental"]["account_type"]),
        text(&account["alias"]),
        text(&account["created_at"]),
    ]
}
