//! `auth-configs`: how users connect accounts of a toolkit, such as with which OAuth client.

use std::io::{self, Read};

use proxy_execute_protocol::{ResourceMethod, ResourceRequest};
use proxy_execute_server::Embedded;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use crate::accounts::{ask, id_of};
use crate::arguments::{Given, pair};
use crate::failure::Failure;
use crate::key_source::{ReadKeys, keys_of};
use crate::store::{in_existing_store, in_store_with};
use crate::terminal::{Terminal, table};

const COLUMNS: [&str; 7] = ["ID", "TOOLKIT", "SCHEME", "STATE", "ACCOUNTS", "NAME", "MADE"];

/// The scheme with a consent in a browser, and the address of `serve` without options.
const CONSENT: &str = "OAUTH2";
const DEFAULT_URL: &str = "http://127.0.0.1:9900";

/// Lists the auth configs, the latest first.
pub(crate) async fn list(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let mut query = vec![
        ("show_disabled".to_owned(), "true".to_owned()),
        ("limit".to_owned(), given.whole("limit").unwrap_or(100).to_string()),
    ];
    let texts = [
        ("toolkit_slug", given.parameters.first().map(String::as_str)),
        ("search", given.text("search")),
        ("cursor", given.text("cursor")),
    ];
    query.extend(texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    in_existing_store(given, terminal, async |gateway| {
        let request = ResourceRequest::new(ResourceMethod::Get, ["auth_configs"]);
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
            terminal.note(&format!("There are more auth configs: --cursor {cursor}"));
        }
        Ok(())
    })
    .await
}

/// Shows an auth config, without its secrets.
pub(crate) async fn show(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let id = id_of(given)?;
    in_existing_store(given, terminal, async |gateway| {
        let config = ask(gateway, ResourceRequest::new(ResourceMethod::Get, ["auth_configs", id])).await?;
        let mut names: Vec<&str> =
            config["credentials"].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        names.sort_unstable();
        let rows = [
            ("id", text(&config["id"])),
            ("name", text(&config["name"])),
            ("toolkit", text(&config["toolkit"]["slug"])),
            ("scheme", text(&config["auth_scheme"])),
            ("state", text(&config["status"])),
            ("accounts", config["no_of_connections"].to_string()),
            ("credentials", names.join(" ")),
            ("made", text(&config["created_at"])),
            ("changed", text(&config["last_updated_at"])),
        ];
        terminal.result(&shown(&config), || {
            table(["FIELD", "VALUE"], rows.map(|(name, value)| [name.to_owned(), value]).into())
        })
    })
    .await
}

/// Creates an auth config, and prints the redirect URI to register at the provider.
pub(crate) async fn create(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let credentials = credentials_of(given, terminal).await?;
    let toolkit = id_of(given)?;
    let scheme = given.text("scheme").unwrap_or(CONSENT).to_uppercase();
    let public_url = given.text("public-url").unwrap_or(DEFAULT_URL);
    let options = Map::from_iter([("public_url".to_owned(), json!(public_url))]);
    in_store_with(given, terminal, options, async |gateway| {
        let mut config =
            json!({ "type": "use_custom_auth", "authScheme": scheme, "credentials": credentials });
        if let Some(name) = given.text("name") {
            config["name"] = json!(name);
        }
        let body = json!({ "toolkit": { "slug": toolkit }, "auth_config": config });
        let made = change_at(gateway, ResourceMethod::Post, &["auth_configs"], Some(&body)).await?;
        let details = ask(gateway, ResourceRequest::new(ResourceMethod::Get, ["toolkits", toolkit])).await?;
        let schemes = details["auth_config_details"].as_array().map(Vec::as_slice).unwrap_or_default();
        let redirect_uri = schemes.iter().find(|details| details["mode"] == scheme.as_str());
        let redirect_uri = redirect_uri.and_then(|details| details["redirect_uri"].as_str());
        let id = &made["auth_config"]["id"];
        let value = json!({
            "id": id, "toolkit": made["toolkit"]["slug"], "authScheme": scheme, "redirectUri": redirect_uri,
        });
        terminal.result(&value, || vec![text(id)])?;
        if let (Some(uri), false) = (redirect_uri, terminal.json) {
            terminal.note(&format!("At the provider, the redirect URI of the client is {uri}"));
        }
        Ok(())
    })
    .await
}

/// Changes the name or credentials of an auth config.
pub(crate) async fn update(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let credentials = credentials_of(given, terminal).await?;
    let name = given.text("name");
    if name.is_none() && credentials.is_empty() {
        let message = "There is nothing to change: pass --name, --client-id, --field or a client secret.";
        return Err(Failure::Usage(message.to_owned()));
    }
    let mut body = json!({ "type": "custom", "credentials": credentials });
    if let Some(name) = name {
        body["name"] = json!(name);
    }
    changed(given, terminal, ResourceMethod::Patch, None, Some(body), "is changed").await
}

/// Enables, disables or deletes an auth config.
pub(crate) async fn change(verb: &str, given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let (method, status, done) = match verb {
        "enable" => (ResourceMethod::Patch, Some("ENABLED"), "is enabled"),
        "disable" => (ResourceMethod::Patch, Some("DISABLED"), "is disabled"),
        "delete" => (ResourceMethod::Delete, None, "is deleted"),
        verb => unreachable!("the table has no command auth-configs {verb}"),
    };
    changed(given, terminal, method, status, None, done).await
}

async fn changed(
    given: &Given,
    terminal: &Terminal,
    method: ResourceMethod,
    status: Option<&str>,
    body: Option<Value>,
    done: &str,
) -> Result<(), Failure> {
    let id = id_of(given)?;
    let path: Vec<&str> = ["auth_configs", id].into_iter().chain(status).collect();
    in_existing_store(given, terminal, async |gateway| {
        change_at(gateway, method, &path, body.as_ref()).await?;
        terminal.result(&json!({ "id": id, "success": true }), || vec![format!("{id} {done}.")])
    })
    .await
}

async fn change_at(
    gateway: &Embedded,
    method: ResourceMethod,
    path: &[&str],
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let request = ResourceRequest::new(method, path.iter().copied());
    let body = body.map(|body| to_raw_value(body).expect("a body is JSON"));
    ask(gateway, ResourceRequest { body, ..request }).await
}

/// The credentials in the options. The secret comes from one source.
async fn credentials_of(given: &Given, terminal: &Terminal) -> Result<Map<String, Value>, Failure> {
    let mut credentials = Map::new();
    for text in given.texts("field") {
        let (name, value) = pair(text, '=', "--field")?;
        if name == "client_secret" {
            let message =
                "--field: client_secret is a secret. Pass --client-secret-file or --client-secret-stdin.";
            return Err(Failure::Usage(message.to_owned()));
        }
        credentials.insert(name.to_owned(), json!(value));
    }
    if let Some(id) = given.text("client-id") {
        credentials.insert("client_id".to_owned(), json!(id));
    }
    let read = match given.flag("client-secret-stdin") {
        true => Some(from_stdin()?),
        false => keys_of(given, terminal, "client-secret").await?,
    };
    if let Some(ReadKeys { texts, source }) = read {
        let secret = texts.into_iter().next().filter(|secret| !secret.is_empty());
        let secret = secret.ok_or_else(|| Failure::Usage(format!("There is no client secret. {source}.")))?;
        credentials.insert("client_secret".to_owned(), json!(secret));
    }
    Ok(credentials)
}

/// Everything on standard input, without the line break at its end.
fn from_stdin() -> Result<ReadKeys, Failure> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::System(format!("Standard input cannot be read: {error}.")))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(ReadKeys { texts: vec![text.to_owned()], source: "Standard input is empty".to_owned() })
}

/// An auth config under the names of JavaScript, like the output of `npx proxy-execute`.
fn shown(config: &Value) -> Value {
    json!({
        "id": config["id"],
        "name": config["name"],
        "toolkit": config["toolkit"]["slug"],
        "authScheme": config["auth_scheme"],
        "status": config["status"],
        "noOfConnections": config["no_of_connections"],
        "credentials": config["credentials"],
        "isEnabledForToolRouter": config["is_enabled_for_tool_router"],
        "createdAt": config["created_at"],
        "lastUpdatedAt": config["last_updated_at"],
    })
}

fn row(config: &Value) -> [String; COLUMNS.len()] {
    [
        text(&config["id"]),
        text(&config["toolkit"]["slug"]),
        text(&config["auth_scheme"]),
        text(&config["status"]),
        config["no_of_connections"].to_string(),
        text(&config["name"]),
        text(&config["created_at"]),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
