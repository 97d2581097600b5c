//! Sessions: who is asking, for which toolkits, with which accounts (contract §2.2, §4.4).

use std::sync::Arc;

use proxy_execute_protocol::{
    CreateSession, DeletedSession, Error, ErrorKind, Mcp, Result, Session, SessionConfig, ToolkitFilter,
    UpdateSession,
};
use serde_json::{Map, Value, json};

use crate::gateway::Parts;
use crate::request::require;
use crate::store::StoredSession;
use crate::{auth_config, id};

/// Opens a session.
pub(crate) async fn create(gateway: &Parts, request: CreateSession) -> Result<Session> {
    require(Some(&request.user_id), "user_id")?;
    let mut request = request;
    check(gateway, &request.user_id, &mut request.config, |_| true).await?;
    let session =
        StoredSession { id: id::random("trs"), config: request.config, user_id: request.user_id, version: 1 };
    gateway.store.insert_session(&session).await?;
    Ok(answer(&session))
}

/// Reads a session.
pub(crate) async fn get(gateway: &Parts, id: &str) -> Result<Session> {
    Ok(answer(&*load(gateway, id).await?))
}

/// Changes a session. The change counts from the next call on.
pub(crate) async fn update(gateway: &Parts, id: &str, request: UpdateSession) -> Result<Session> {
    let mut session = Arc::unwrap_or_clone(load(gateway, id).await?);
    let given: Vec<String> = request.0.keys().cloned().collect();
    session.config = request
        .apply(&session.config)
        .map_err(|error| Error::of_field(ErrorKind::InvalidSession, format!("Error in payload: {error}.")))?;
    // What was checked before may have changed since, and is not what this is about.
    let is_given = |part: &str| given.iter().any(|name| name == part);
    check(gateway, &session.user_id, &mut session.config, is_given).await?;
    if !gateway.store.update_session(&session).await? {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("Session {id} was changed by another call meanwhile."),
        )
        .fix("Read it again, then repeat the change."));
    }
    session.version += 1;
    Ok(answer(&session))
}

/// Deletes a session.
pub(crate) async fn delete(gateway: &Parts, id: &str) -> Result<DeletedSession> {
    if gateway.store.delete_session(id).await? {
        Ok(DeletedSession { session_id: id.to_owned(), deleted: true })
    } else {
        Err(not_found(id))
    }
}

/// The session of a call.
pub(crate) async fn load(gateway: &Parts, id: &str) -> Result<Arc<StoredSession>> {
    gateway.store.session(id).await?.ok_or_else(|| not_found(id))
}

/// Refuses a toolkit that the session does not allow, before anything is looked up.
pub(crate) fn check_allowed(session: &StoredSession, toolkit: &str) -> Result<()> {
    let Some(filter) = session.config.toolkits.as_ref().filter(|filter| !filter.allows(toolkit)) else {
        return Ok(());
    };
    let (id, rule) = (
        &session.id,
        match filter {
            ToolkitFilter::Enable(slugs) => format!("allows {}", slugs.join(", ")),
            ToolkitFilter::Disable(slugs) => format!("allows all but {}", slugs.join(", ")),
        },
    );
    Err(Error::new(
        ErrorKind::ToolkitNotAllowed,
        format!("[Session Restriction] Toolkit '{toolkit}' is not allowed: session {id} {rule}."),
    )
    .fix("Name the toolkit when the session is created, or add it with session.update()."))
}

fn not_found(id: &str) -> Error {
    Error::new(ErrorKind::SessionNotFound, format!("Session `{id}` was deleted, or never existed."))
        .fix("Make one with composio.create().")
}

/// Toolkits and auth configs must be known, and pins must be usable accounts of the same user, in the
/// parts that are given. Pins may be given by alias or word id; what is kept is the id.
async fn check(
    gateway: &Parts,
    user_id: &str,
    config: &mut SessionConfig,
    is_given: impl Fn(&str) -> bool,
) -> Result<()> {
    if let Some(ToolkitFilter::Enable(slugs) | ToolkitFilter::Disable(slugs)) = &config.toolkits {
        for slug in slugs {
            gateway.catalogue.get(slug)?;
        }
    }
    let several_allowed = config.multi_account.as_ref().is_some_and(|multi| multi["enable"] == true);
    for (toolkit, id) in config.auth_configs.iter().flatten().filter(|_| is_given("auth_configs")) {
        gateway.catalogue.get(toolkit)?;
        let found = auth_config::usable(gateway, id).await?;
        if found.toolkit != *toolkit {
            return Err(Error::of_field(
                ErrorKind::InvalidSession,
                format!("auth_configs.{toolkit}: auth config `{id}` is of toolkit `{}`.", found.toolkit),
            ));
        }
    }
    for (toolkit, pins) in config.connected_accounts.iter_mut().flatten() {
        gateway.catalogue.get(toolkit)?;
        let invalid = |message: String| Error::of_field(ErrorKind::InvalidPinnedAccount, message);
        if pins.len() != 1 && !several_allowed {
            return Err(invalid(format!(
                "connected_accounts.{toolkit}: names {} accounts; without multi_account it takes exactly one.",
                pins.len()
            )));
        }
        if !is_given("connected_accounts") {
            continue;
        }
        for pin in pins {
            let mut account = gateway.store.account(pin).await?;
            if account.is_none() {
                account = gateway.store.account_by_name(user_id, toolkit, pin).await?;
            }
            let problem = match account {
                None => "does not exist",
                Some(account) if account.user_id != user_id => "belongs to another user",
                Some(account) if account.toolkit != *toolkit => "is of another toolkit",
                Some(account) if account.is_disabled => "is disabled",
                Some(account) => {
                    *pin = account.id;
                    continue;
                }
            };
            return Err(invalid(format!("connected_accounts.{toolkit}: account `{pin}` {problem}.")));
        }
    }
    Ok(())
}

/// The answered form: some parts have other names than in a request (contract §2.2), and those that
/// SDKs read are there.
fn answer(session: &StoredSession) -> Session {
    let mut echo = Map::new();
    echo.insert("user_id".to_owned(), json!(session.user_id));
    echo.insert("manage_connections".to_owned(), json!({ "enabled": true }));
    echo.insert("execute".to_owned(), json!({ "enable_multi_execute": false }));
    echo.insert("search".to_owned(), json!({ "enable": false }));
    echo.insert("preload".to_owned(), json!({ "tools": [] }));
    // Calls with the vendor's own credentials, which a gateway has none of.
    echo.insert("instant".to_owned(), json!(false));
    let config = serde_json::to_value(&session.config).expect("a configuration is made of JSON values");
    if let Value::Object(config) = config {
        for (key, value) in config {
            echo.insert(key.clone(), echoed(&key, value));
        }
    }
    Session {
        session_id: session.id.clone(),
        mcp: Mcp { kind: "http".to_owned(), url: String::new() },
        tool_router_tools: Vec::new(),
        config_version: session.version.unsigned_abs(),
        config: Value::Object(echo),
        warnings: None,
    }
}

fn echoed(part: &str, value: Value) -> Value {
    // `true` and `false` are short for `{ enable }`.
    let value = if value.is_boolean() { json!({ "enable": value }) } else { value };
    match part {
        "toolkits" | "tags" => filter(value),
        "tools" => each_field(value, |toolkit, value| (toolkit, filter(value))),
        "manage_connections" => renamed(value, &[("enable", "enabled")]),
        "workbench" => renamed(value, &[("enable_proxy_execution", "proxy_execution_enabled")]),
        _ => value,
    }
}

/// What is let through, of toolkits, tools or tags. A list is short for `{ enable }`.
fn filter(value: Value) -> Value {
    let value = if value.is_array() { json!({ "enable": value }) } else { value };
    let value = each_field(value, |name, value| {
        let value = if name == "tags" { filter(value) } else { value };
        (name, value)
    });
    renamed(value, &[("enable", "enabled"), ("disable", "disabled")])
}

fn renamed(value: Value, names: &[(&str, &str)]) -> Value {
    each_field(value, |name, value| {
        let other =
            names.iter().find(|(asked, _)| *asked == name).map(|(_, answered)| (*answered).to_owned());
        (other.unwrap_or(name), value)
    })
}

fn each_field(value: Value, change: impl Fn(String, Value) -> (String, Value)) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| change(name, value)).collect(),
        value => value,
    }
}
