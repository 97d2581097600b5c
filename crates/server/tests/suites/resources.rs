//! The resources of the wire, in raw HTTP: connected accounts, auth configs, links and toolkits, with the
//! keys and limits of their callers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::ErrorKind;
use proxy_execute_server::{Embedded, Listen, openapi};
use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::port::{Port, VERSIONS, assert_refused, key};
use crate::support::{
    HttpAnswer, Upstream, assert_error, credential, get, http, import, json_answer, options, soon,
};

async fn port() -> Port {
    Port::open(&Upstream::always(json_answer(r#"{"a":1}"#)).await).await
}

/// Requests a resource of v3.1.
pub(crate) async fn ask(port: &Port, method: &str, path: &str, body: Value) -> HttpAnswer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    port.ask(method, &format!("/api/v3.1{path}"), &body).await
}

/// Requests a resource of v3.1, and asserts the status.
#[track_caller]
pub(crate) fn expect(answer: HttpAnswer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    answer.json()
}

pub(crate) async fn read(port: &Port, path: &str) -> Value {
    expect(ask(port, "GET", path, Value::Null).await, 200)
}

/// Creates an auth config for API keys, and returns its id.
pub(crate) async fn auth_config(port: &Port, toolkit: &str) -> String {
    let request = json!({
        "toolkit": { "slug": toolkit },
        "auth_config": { "type": "use_custom_auth", "authScheme": "API_KEY", "credentials": {} },
    });
    let created = expect(ask(port, "POST", "/auth_configs", request).await, 201);
    text(&created["auth_config"]["id"])
}

/// The request that connects an account with an API key.
pub(crate) fn account(config: &str, user: &str, secret: &str) -> Value {
    json!({
        "auth_config": { "id": config },
        "connection": { "user_id": user, "state": { "authScheme": "API_KEY", "val": { "api_key": secret } } },
    })
}

async fn connect(port: &Port, config: &str, user: &str) -> String {
    let created = ask(port, "POST", "/connected_accounts", account(config, user, "a-secret-key")).await;
    text(&expect(created, 201)["id"])
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect()
}

/// Calls `/x` as an account, outside of a session.
pub(crate) async fn call_as(port: &Port, account: &str) -> HttpAnswer {
    let request = json!({ "endpoint": "/x", "method": "GET", "connected_account_id": account });
    ask(port, "POST", "/tools/execute/proxy", request).await
}

#[tokio::test]
async fn resources_live_under_both_versions() {
    let port = port().await;
    for version in VERSIONS {
        let ask = async |method: &str, path: &str, body: Value| {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            port.ask(method, &format!("{version}{path}"), &body).await
        };
        let request = json!({
            "toolkit": { "slug": "header" },
            "auth_config": { "type": "use_custom_auth", "authScheme": "API_KEY", "name": "Mine", "credentials": {} },
        });
        let created = expect(ask("POST", "/auth_configs", request).await, 201);
        assert_eq!(created["toolkit"]["slug"], "header");
        assert_eq!(created["auth_config"]["auth_scheme"], "API_KEY");
        assert_eq!(created["auth_config"]["is_composio_managed"], false);
        let config = text(&created["auth_config"]["id"]);
        let one = format!("/auth_configs/{config}");
        let shown = expect(ask("GET", &one, Value::Null).await, 200);
        assert_eq!((&shown["name"], &shown["type"]), (&json!("Mine"), &json!("custom")));
        let changed = ask("PATCH", &one, json!({ "type": "custom", "name": "Yours" })).await;
        let changed = expect(changed, 200);
        assert_eq!((&changed["name"], &changed["success"]), (&json!("Yours"), &json!(true)));
        let disabled = expect(ask("PATCH", &format!("{one}/DISABLED"), Value::Null).await, 200);
        assert_eq!(disabled["status"], "DISABLED");
        expect(ask("PATCH", &format!("{one}/ENABLED"), Value::Null).await, 200);

        let created = expect(ask("POST", "/connected_accounts", account(&config, "bea", "k")).await, 201);
        assert_eq!((&created["status"], &created["redirect_url"]), (&json!("ACTIVE"), &Value::Null));
        let id = text(&created["id"]);
        let one = format!("/connected_accounts/{id}");
        let shown = expect(ask("GET", &one, Value::Null).await, 200);
        assert_eq!((&shown["user_id"], &shown["status_reason"]), (&json!("bea"), &Value::Null));
        let page = expect(ask("GET", "/connected_accounts?user_ids=bea", Value::Null).await, 200);
        assert_eq!(page["items"], json!([shown]));
        let renamed = expect(ask("PATCH", &one, json!({ "alias": "work" })).await, 200);
        assert_eq!(renamed, json!({ "id": id, "status": "ACTIVE", "success": true }));
        let success = json!({ "success": true });
        let status = format!("{one}/status");
        assert_eq!(expect(ask("PATCH", &status, json!({ "enabled": false })).await, 200), success);
        assert_eq!(expect(ask("PATCH", &status, json!({ "enabled": true })).await, 200), success);
        let fresh = expect(ask("POST", &format!("{one}/refresh"), Value::Null).await, 200);
        assert_eq!(fresh, json!({ "id": id, "status": "ACTIVE", "redirect_url": null }));
        let revoked = expect(ask("POST", &format!("{one}/revoke"), Value::Null).await, 200);
        assert_eq!(revoked["connected_account"], json!({ "id": id, "status": "REVOKED" }));
        let link = json!({ "auth_config_id": config, "user_id": "bea" });
        let link = expect(ask("POST", "/connected_accounts/link", link).await, 201);
        assert!(text(&link["connected_account_id"]).starts_with("ca_"));
        assert_eq!(expect(ask("DELETE", &one, Value::Null).await, 200), success);

        assert!(expect(ask("GET", "/toolkits", Value::Null).await, 200)["total_items"].as_u64() > Some(30));
        assert_eq!(expect(ask("GET", "/toolkits/gmail", Value::Null).await, 200)["slug"], "gmail");
        let session = &port.caller.session;
        let page = ask("GET", &format!("/tool_router/session/{session}/toolkits"), Value::Null).await;
        assert_eq!(expect(page, 200)["current_page"], 1);
        let link = json!({ "toolkit": "header" });
        let link = ask("POST", &format!("/tool_router/session/{session}/link"), link).await;
        assert!(text(&expect(link, 201)["link_token"]).starts_with("lt_"));

        let deleted = expect(ask("DELETE", &format!("/auth_configs/{config}"), Value::Null).await, 200);
        assert_eq!(deleted["success"], true);
    }
}

#[tokio::test]
async fn deleted_resources_are_not_found() {
    let port = port().await;
    for (method, path, slug) in [
        ("GET", "/connected_accounts/ca_none", "ConnectedAccountNotFound"),
        ("DELETE", "/connected_accounts/ca_none", "ConnectedAccountNotFound"),
        ("PATCH", "/connected_accounts/ca_none", "ConnectedAccountNotFound"),
        ("PATCH", "/connected_accounts/ca_none/status", "ConnectedAccountNotFound"),
        ("POST", "/connected_accounts/ca_none/refresh", "ConnectedAccountNotFound"),
        ("POST", "/connected_accounts/ca_none/revoke", "ConnectedAccountNotFound"),
        ("GET", "/auth_configs/ac_none", "AuthConfigNotFound"),
        ("DELETE", "/auth_configs/ac_none", "AuthConfigNotFound"),
        ("PATCH", "/auth_configs/ac_none", "AuthConfigNotFound"),
        ("PATCH", "/auth_configs/ac_none/ENABLED", "AuthConfigNotFound"),
        ("GET", "/toolkits/none", "ToolkitNotFound"),
        ("GET", "/tool_router/session/trs_none/toolkits", "ToolRouterV2_SessionNotFound"),
    ] {
        let body = match path.rsplit('/').next().unwrap() {
            "status" => json!({ "enabled": true }),
            "ac_none" => json!({ "type": "custom" }),
            _ => json!({}),
        };
        let answer = ask(&port, method, path, body).await;
        assert_refused(&answer, 404, slug, if slug.ends_with("ToolkitNotFound") { "none" } else { "_none" });
    }
    for (path, body, slug) in [
        ("/connected_accounts", account("ac_none", "ann", "k"), "AuthConfigNotFound"),
        (
            "/connected_accounts/link",
            json!({ "auth_config_id": "ac_none", "user_id": "a" }),
            "AuthConfigNotFound",
        ),
        ("/auth_configs", json!({ "toolkit": { "slug": "ac_none" } }), "ToolkitNotFound"),
        ("/tool_router/session/trs_ac_none/link", json!({ "toolkit": "x" }), "ToolRouterV2_SessionNotFound"),
    ] {
        assert_refused(&ask(&port, "POST", path, body).await, 404, slug, "ac_none");
    }
}

#[tokio::test]
async fn unknown_keys_are_refused_by_name() {
    let port = port().await;
    let config = auth_config(&port, "header").await;
    let id = connect(&port, &config, "ann").await;
    let session = &port.caller.session;
    let with = |mut body: Value, pointer: &str| {
        let place = if pointer.is_empty() { Some(&mut body) } else { body.pointer_mut(pointer) };
        place.unwrap()["surprise"] = json!(1);
        body
    };
    let new_config = json!({
        "toolkit": { "slug": "header" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "API_KEY" },
    });
    let changed = json!({ "connection": { "state": { "authScheme": "API_KEY", "val": {} } } });
    for (method, path, body) in [
        ("POST", "/auth_configs".to_owned(), with(new_config.clone(), "")),
        ("POST", "/auth_configs".to_owned(), with(new_config.clone(), "/toolkit")),
        ("POST", "/auth_configs".to_owned(), with(new_config, "/auth_config")),
        ("PATCH", format!("/auth_configs/{config}"), with(json!({ "type": "custom" }), "")),
        ("POST", "/connected_accounts".to_owned(), with(account(&config, "ann", "k"), "")),
        ("POST", "/connected_accounts".to_owned(), with(account(&config, "ann", "k"), "/connection")),
        ("POST", "/connected_accounts".to_owned(), with(account(&config, "ann", "k"), "/auth_config")),
        ("POST", "/connected_accounts".to_owned(), with(account(&config, "ann", "k"), "/connection/state")),
        ("PATCH", format!("/connected_accounts/{id}"), with(json!({}), "")),
        ("PATCH", format!("/connected_accounts/{id}"), with(changed, "/connection")),
        ("PATCH", format!("/connected_accounts/{id}/status"), with(json!({ "enabled": true }), "")),
        (
            "POST",
            "/connected_accounts/link".to_owned(),
            with(json!({ "auth_config_id": config, "user_id": "a" }), ""),
        ),
        ("POST", format!("/tool_router/session/{session}/link"), with(json!({ "toolkit": "header" }), "")),
        ("GET", "/connected_accounts?surprise=1".to_owned(), Value::Null),
        ("GET", "/auth_configs?surprise=1".to_owned(), Value::Null),
        ("GET", "/toolkits?surprise=1".to_owned(), Value::Null),
        ("GET", format!("/tool_router/session/{session}/toolkits?surprise=1"), Value::Null),
    ] {
        let answer = ask(&port, method, &path, body).await;
        assert_refused(&answer, 400, "InvalidRequest", "surprise`");
    }
    assert_eq!(read(&port, "/connected_accounts?user_ids=ann").await["total_items"], 2, "nothing was made");
}

#[tokio::test]
async fn invalid_values_are_refused_by_name() {
    let port = port().await;
    let config = auth_config(&port, "header").await;
    let session = &port.caller.session;
    for (path, says) in [
        ("/connected_accounts?limit=0", "1 to 1000"),
        ("/connected_accounts?limit=1001", "1 to 1000"),
        ("/connected_accounts?limit=many", "limit"),
        ("/connected_accounts?cursor=nonsense", "cursor"),
        ("/connected_accounts?statuses=ACTIVE,GONE", "`GONE`"),
        ("/connected_accounts?order_by=name", "`name`"),
        ("/connected_accounts?order_direction=up", "`up`"),
        ("/connected_accounts?account_type=MINE", "`MINE`"),
        ("/connected_accounts?user_ids=%ff", "UTF-8"),
        ("/auth_configs?limit=0", "1 to 1000"),
        ("/auth_configs?show_disabled=perhaps", "show_disabled"),
        ("/auth_configs?cursor=%20", "cursor"),
        ("/toolkits?limit=0", "1 to 1000"),
        (&format!("/tool_router/session/{session}/toolkits?limit=51"), "1 to 50"),
        (&format!("/tool_router/session/{session}/toolkits?is_connected=1"), "is_connected"),
    ] {
        assert_refused(&ask(&port, "GET", path, Value::Null).await, 400, "InvalidRequest", says);
    }
    let custom = |fields: Value| {
        let mut config = json!({ "type": "use_custom_auth", "authScheme": "API_KEY" });
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "toolkit": { "slug": "header" }, "auth_config": config })
    };
    let proxy = json!({ "proxy_config": { "proxy_url": "http://p", "proxy_auth_key": "k" } });
    let state = |state: Value| {
        let mut request = account(&config, "ann", "k");
        request["connection"]["state"] = state;
        request
    };
    let changes = format!("/auth_configs/{config}");
    for (method, path, body, slug, says) in [
        (
            "POST",
            "/auth_configs",
            custom(json!({ "authScheme": "BASIC" })),
            "InvalidRequest",
            "it has API_KEY",
        ),
        ("POST", "/auth_configs", custom(json!({ "authScheme": "MAGIC" })), "InvalidRequest", "MAGIC"),
        ("POST", "/auth_configs", custom(json!({ "credentials": [] })), "InvalidRequest", "credentials"),
        ("POST", "/auth_configs", custom(proxy), "InvalidRequest", "proxy_config"),
        (
            "POST",
            "/auth_configs",
            json!({ "toolkit": { "slug": "header" } }),
            "ToolRouterV2_NoManagedAuth",
            "`header`",
        ),
        (
            "POST",
            "/auth_configs",
            json!({ "toolkit": { "slug": "gmail" }, "auth_config": { "type": "use_composio_managed_auth" } }),
            "ToolRouterV2_NoManagedAuth",
            "`gmail`",
        ),
        ("PATCH", &changes, json!({ "type": "default" }), "InvalidRequest", "`custom`"),
        ("PATCH", &changes, json!({}), "InvalidRequest", "type"),
        ("PATCH", &format!("{changes}/PAUSED"), Value::Null, "InvalidRequest", "`PAUSED`"),
        (
            "POST",
            "/connected_accounts",
            state(json!({ "authScheme": "BASIC", "val": {} })),
            "InvalidRequest",
            "authScheme",
        ),
        ("POST", "/connected_accounts", state(json!("API_KEY")), "InvalidRequest", "connection.state"),
        ("POST", "/connected_accounts", account(&config, " ", "k"), "InvalidRequest", "user_id"),
        (
            "POST",
            "/connected_accounts/link",
            json!({ "auth_config_id": config, "user_id": "" }),
            "InvalidRequest",
            "user_id",
        ),
        (
            "POST",
            "/connected_accounts/link",
            json!({ "auth_config_id": config, "user_id": "a", "callback_url": "javascript:x" }),
            "InvalidRequest",
            "callback_url",
        ),
    ] {
        assert_refused(&ask(&port, method, path, body).await, 400, slug, says);
    }
}

#[tokio::test]
async fn an_account_shows_no_secret() {
    let port = port().await;
    let config = auth_config(&port, "header").await;
    let mut request = account(&config, "ann", "very-secret-1");
    request["connection"]["state"]["val"]["region"] = json!("eu");
    request["connection"]["state"]["val"]["notes"] = json!({ "pin": "very-secret-2" });
    let created = ask(&port, "POST", "/connected_accounts", request).await;
    let id = text(&created.json()["id"]);
    let mut answers = vec![created.body];
    for (method, path, body) in [
        ("GET", format!("/connected_accounts/{id}"), Value::Null),
        ("GET", "/connected_accounts".to_owned(), Value::Null),
        (
            "PATCH",
            format!("/connected_accounts/{id}"),
            json!({ "connection": { "state": { "authScheme": "API_KEY", "val": { "api_key": "very-secret-3" } } } }),
        ),
        ("GET", format!("/connected_accounts/{id}"), Value::Null),
        ("POST", format!("/connected_accounts/{id}/refresh"), Value::Null),
    ] {
        let answer = ask(&port, method, &path, body).await;
        assert_eq!(answer.status, 200);
        answers.push(answer.body);
    }
    assert!(answers.iter().all(|answer| !answer.contains("very-secret")), "{answers:?}");
    let shown = read(&port, &format!("/connected_accounts/{id}")).await;
    assert_eq!(
        shown["state"],
        json!({
            "authScheme": "API_KEY",
            "val": { "status": "ACTIVE", "api_key": "REDACTED", "notes": { "pin": "REDACTED" }, "region": "eu" },
        })
    );

    let request = json!({
        "toolkit": { "slug": "gmail" },
        "auth_config": {
            "type": "use_custom_auth",
            "authScheme": "OAUTH2",
            "credentials": { "client_id": "very-secret-4", "client_secret": "very-secret-5" },
        },
    });
    let created = ask(&port, "POST", "/auth_configs", request).await;
    let shown = ask(
        &port,
        "GET",
        &format!("/auth_configs/{}", text(&created.json()["auth_config"]["id"])),
        Value::Null,
    )
    .await;
    assert!(!created.body.contains("very-secret") && !shown.body.contains("very-secret"));
    assert_eq!(shown.json()["credentials"], json!({ "client_id": "REDACTED", "client_secret": "REDACTED" }));
}

#[tokio::test]
async fn a_changed_credential_is_sent_with_the_next_call() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    let config = auth_config(&port, "header").await;
    let id = connect(&port, &config, "bea").await;
    let one = format!("/connected_accounts/{id}");
    let change = |val: Value| json!({ "connection": { "state": { "authScheme": "API_KEY", "val": val } } });
    expect(ask(&port, "PATCH", &one, change(json!({ "api_key": "new", "region": "eu" }))).await, 200);
    assert_eq!(call_as(&port, &id).await.status, 200);
    assert_eq!(upstream.requests()[0].header("x-api-key"), Some("new"));
    // An unnamed field stays; null removes one.
    expect(ask(&port, "PATCH", &one, change(json!({ "region": null }))).await, 200);
    let val = &read(&port, &one).await["state"]["val"];
    assert_eq!(*val, json!({ "status": "ACTIVE", "api_key": "REDACTED" }));
    let removed = ask(&port, "PATCH", &one, change(json!({ "api_key": null }))).await;
    assert_refused(&removed, 400, "InvalidRequest", "api_key");
    let other = json!({ "connection": { "state": { "authScheme": "BASIC", "val": {} } } });
    assert_refused(&ask(&port, "PATCH", &one, other).await, 400, "InvalidRequest", "API_KEY");
    assert_eq!(call_as(&port, &id).await.status, 200);
    assert_eq!(upstream.requests()[1].header("x-api-key"), Some("new"), "a refused change changes nothing");
}

#[tokio::test]
async fn an_alias_is_one_account_only() {
    let port = port().await;
    let config = auth_config(&port, "header").await;
    let other = auth_config(&port, "query").await;
    let named = |config: &str, user: &str, alias: &str| {
        let mut request = account(config, user, "k");
        request["connection"]["alias"] = json!(alias);
        request
    };
    let create = async |request: Value| ask(&port, "POST", "/connected_accounts", request).await;
    let first = text(&expect(create(named(&config, "bea", "work")).await, 201)["id"]);
    assert_refused(&create(named(&config, "bea", "work")).await, 409, "Conflict", "alias");
    expect(create(named(&config, "cem", "work")).await, 201);
    expect(create(named(&other, "bea", "work")).await, 201);
    // Any number of accounts may have no alias.
    let second = text(&expect(create(named(&config, "bea", "")).await, 201)["id"]);
    expect(create(named(&config, "bea", "")).await, 201);
    assert_eq!(read(&port, &format!("/connected_accounts/{second}")).await["alias"], Value::Null);

    let rename = async |id: &str, alias: &str| {
        ask(&port, "PATCH", &format!("/connected_accounts/{id}"), json!({ "alias": alias })).await
    };
    assert_refused(&rename(&second, "work").await, 409, "Conflict", "alias");
    let word_id = text(&read(&port, &format!("/connected_accounts/{first}")).await["word_id"]);
    assert!(word_id.starts_with("header_"), "{word_id}");
    expect(rename(&first, "work").await, 200);
    expect(rename(&first, "").await, 200);
    expect(rename(&second, "work").await, 200);
    // If an alias equals another account's word id, the alias wins.
    let third = text(&expect(create(named(&config, "bea", &word_id)).await, 201)["id"]);
    expect(rename(&third, "").await, 200);
    expect(rename(&second, &word_id).await, 200);
    expect(rename(&second, "work").await, 200);
    let link = json!({ "auth_config_id": config, "user_id": "bea", "alias": "work" });
    assert_refused(&ask(&port, "POST", "/connected_accounts/link", link).await, 409, "Conflict", "alias");
}

#[tokio::test]
async fn every_filter_restricts_its_list() {
    let port = port().await;
    let (header, query) = (auth_config(&port, "header").await, auth_config(&port, "query").await);
    let a = connect(&port, &header, "bea").await;
    let b = connect(&port, &query, "bea").await;
    let c = connect(&port, &header, "cem").await;
    let status = json!({ "enabled": false });
    expect(ask(&port, "PATCH", &format!("/connected_accounts/{c}/status"), status).await, 200);
    let listed = async |query: &str| {
        let page = read(&port, &format!("/connected_accounts?{query}")).await;
        let found: BTreeSet<_> = ids(&page).into_iter().collect();
        assert_eq!(page["total_items"], found.len(), "{query}");
        found
    };
    let set = |ids: &[&String]| ids.iter().map(|id| (*id).clone()).collect::<BTreeSet<_>>();
    for (query, found) in [
        ("user_ids=bea".to_owned(), set(&[&a, &b])),
        ("user_ids=bea,cem".to_owned(), set(&[&a, &b, &c])),
        ("user_ids=bea&user_ids=cem".to_owned(), set(&[&a, &b, &c])),
        ("user_ids[]=bea&user_ids%5B%5D=cem".to_owned(), set(&[&a, &b, &c])),
        ("user_ids=unknown".to_owned(), set(&[])),
        ("toolkit_slugs=query".to_owned(), set(&[&b])),
        ("toolkit_slugs=query,none".to_owned(), set(&[&b])),
        ("statuses=INACTIVE".to_owned(), set(&[&c])),
        ("statuses=INACTIVE,ACTIVE&user_ids=bea,cem".to_owned(), set(&[&a, &b, &c])),
        (format!("auth_config_ids={header}"), set(&[&a, &c])),
        (format!("auth_config_ids={header}&statuses=ACTIVE"), set(&[&a])),
        (format!("auth_config_ids={header},{query}&toolkit_slugs=header"), set(&[&a, &c])),
        (format!("connected_account_ids={a},{c}"), set(&[&a, &c])),
        (format!("connected_account_ids={a},{c}&user_ids=cem"), set(&[&c])),
        ("account_type=ALL&user_ids=cem".to_owned(), set(&[&c])),
        ("account_type=SHARED".to_owned(), set(&[])),
        ("user_ids=".to_owned(), listed("").await),
    ] {
        assert_eq!(listed(&query).await, found, "{query}");
    }

    for (query, found) in [
        ("toolkit_slug=query", 1),
        ("search=QUERY%20api", 1),
        ("search=%25", 0),
        ("is_composio_managed=true", 0),
        ("is_composio_managed=false&toolkit_slug=query", 1),
    ] {
        let page = read(&port, &format!("/auth_configs?{query}")).await;
        assert_eq!((ids(&page).len(), &page["total_items"]), (found, &json!(found)), "{query}");
    }
    expect(ask(&port, "PATCH", &format!("/auth_configs/{query}/DISABLED"), Value::Null).await, 200);
    assert_eq!(read(&port, "/auth_configs?toolkit_slug=query").await["total_items"], 0);
    assert_eq!(read(&port, "/auth_configs?toolkit_slug=query&show_disabled=true").await["total_items"], 1);
}

/// A gateway with its store in a file, and a connection to that file.
async fn port_on_a_file(folder: &tempfile::TempDir) -> (Port, SqlitePool) {
    let file = folder.path().join("gateway.db");
    let upstream = Upstream::pleasant().await;
    let options = GatewayOptions {
        store: Some(file.to_str().unwrap().to_owned()),
        encryption_key: Some("00".repeat(32).into()),
        ..options(&upstream)
    };
    let port = Port::with(options).await;
    let pool = SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    (port, pool)
}

/// Walks through a list page by page: the ids in order.
async fn walk(port: &Port, path: &str, limit: usize) -> Vec<String> {
    let (mut found, mut cursor, mut number) = (Vec::new(), String::new(), 1);
    loop {
        let page = read(port, &format!("{path}&limit={limit}{cursor}")).await;
        assert_eq!(page["current_page"], number);
        let total = page["total_items"].as_u64().unwrap();
        assert_eq!(page["total_pages"], total.div_ceil(limit as u64));
        found.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert_eq!(found.len() as u64, total);
                return found;
            }
        }
        number += 1;
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_rows_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (port, pool) = port_on_a_file(&folder).await;
    let config = auth_config(&port, "header").await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(connect(&port, &config, "bea").await);
    }
    for (index, id) in made.iter().enumerate() {
        // Five of seven share a moment; the order by change is another than that by age.
        let (created, updated) = (if index < 5 { 1_000 } else { 2_000 }, 9_000 - index as i64 / 3);
        sqlx::query("UPDATE connected_accounts SET created_at = ?, updated_at = ? WHERE id = ?")
            .bind(created)
            .bind(updated)
            .bind(id)
            .execute(&pool)
            .await
            .unwrap();
    }
    let order = |key: fn(usize) -> i64| {
        let mut sorted: Vec<_> =
            made.iter().enumerate().map(|(index, id)| (key(index), index, id.clone())).collect();
        sorted.sort();
        sorted.into_iter().map(|(_, _, id)| id).collect::<Vec<_>>()
    };
    let by_age = order(|index| if index < 5 { 1_000 } else { 2_000 });
    let by_change = order(|index| 9_000 - index as i64 / 3);
    let reversed = |list: &[String]| list.iter().rev().cloned().collect::<Vec<_>>();
    for limit in [1, 2, 3, 7, 100] {
        for (query, expected) in [
            ("user_ids=bea&order_direction=asc", by_age.clone()),
            ("user_ids=bea", reversed(&by_age)),
            ("user_ids=bea&order_by=updated_at&order_direction=asc", by_change.clone()),
            ("user_ids=bea&order_by=updated_at&order_direction=desc", reversed(&by_change)),
            ("toolkit_slugs=header&statuses=ACTIVE&order_by=created_at", {
                // The caller's own account of the toolkit is newer than all others.
                let mine = ids(&read(&port, "/connected_accounts?user_ids=ann").await);
                [mine, reversed(&by_age)].concat()
            }),
        ] {
            let found = walk(&port, &format!("/connected_accounts?{query}"), limit).await;
            assert_eq!(found, expected, "{query}, {limit} a page");
        }
    }
    let configs = walk(&port, "/auth_configs?show_disabled=true", 1).await;
    assert_eq!(configs.len(), 2);
}

#[tokio::test]
async fn counts_are_right_at_once() {
    let port = port().await;
    let (header, query) = (auth_config(&port, "header").await, auth_config(&port, "query").await);
    let count = async |filter: &str| {
        let page = read(&port, &format!("/connected_accounts?limit=1000{filter}")).await;
        let (total, listed) = (page["total_items"].as_u64().unwrap(), ids(&page).len() as u64);
        assert_eq!(total, listed, "{filter}");
        total
    };
    let connections = async |config: &str| {
        read(&port, &format!("/auth_configs/{config}")).await["no_of_connections"].as_u64().unwrap()
    };
    // The caller has one account of its own.
    assert_eq!((count("").await, connections(&header).await), (1, 0));
    let mut made = Vec::new();
    for user in ["ann", "bea", "cem"] {
        made.push(connect(&port, &header, user).await);
        made.push(connect(&port, &query, user).await);
    }
    assert_eq!((count("").await, connections(&header).await), (7, 3));
    assert_eq!((count("&statuses=ACTIVE").await, count("&statuses=INACTIVE").await), (7, 0));

    let status = format!("/connected_accounts/{}/status", made[0]);
    for _ in 0..2 {
        expect(ask(&port, "PATCH", &status, json!({ "enabled": false })).await, 200);
        assert_eq!((count("&statuses=ACTIVE").await, count("&statuses=INACTIVE").await), (6, 1));
    }
    expect(ask(&port, "POST", &format!("/connected_accounts/{}/revoke", made[2]), Value::Null).await, 200);
    assert_eq!((count("&statuses=ACTIVE").await, count("&statuses=REVOKED").await), (5, 1));
    assert_eq!((connections(&header).await, count("&toolkit_slugs=header").await), (3, 4));

    let one = format!("/connected_accounts/{}", made[4]);
    expect(ask(&port, "DELETE", &one, Value::Null).await, 200);
    assert_refused(&ask(&port, "DELETE", &one, Value::Null).await, 404, "ConnectedAccountNotFound", &made[4]);
    assert_eq!((count("").await, connections(&header).await), (6, 2));
    assert_eq!(count(&format!("&auth_config_ids={header}")).await, 2);

    expect(ask(&port, "DELETE", &format!("/auth_configs/{header}"), Value::Null).await, 200);
    assert_eq!(
        (count("").await, count("&statuses=REVOKED").await, count("&statuses=INACTIVE").await),
        (4, 0, 0)
    );
    assert_eq!((connections(&query).await, count("&toolkit_slugs=query").await), (3, 3));
    assert_refused(&call_as(&port, &made[0]).await, 404, "ConnectedAccountNotFound", &made[0]);
}

#[tokio::test]
async fn accounts_may_be_pinned_by_name() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    let config = auth_config(&port, "header").await;
    let mut request = account(&config, "bea", "pinned");
    request["connection"]["alias"] = json!("work");
    let pinned = text(&expect(ask(&port, "POST", "/connected_accounts", request).await, 201)["id"]);
    let newer = text(
        &expect(ask(&port, "POST", "/connected_accounts", account(&config, "bea", "newer")).await, 201)["id"],
    );
    let word_id = text(&read(&port, &format!("/connected_accounts/{pinned}")).await["word_id"]);
    let create = async |user: &str, pin: Value| {
        let request = json!({ "user_id": user, "connected_accounts": { "header": pin } });
        ask(&port, "POST", "/tool_router/session", request).await
    };
    for pin in [json!(pinned), json!(["work"]), json!("work"), json!([word_id]), json!([pinned])] {
        let session = expect(create("bea", pin.clone()).await, 201);
        assert_eq!(session["config"]["connected_accounts"], json!({ "header": [pinned] }), "{pin}");
        let path = format!("/tool_router/session/{}/proxy_execute", text(&session["session_id"]));
        expect(ask(&port, "POST", &path, get("header")).await, 200);
        assert_eq!(upstream.requests().last().unwrap().header("x-api-key"), Some("pinned"));
    }
    for (user, pin, says) in [
        ("bea", json!("play"), "`play` does not exist"),
        ("cem", json!("work"), "`work` does not exist"),
        ("cem", json!(pinned), "another user"),
        ("bea", json!([]), "exactly one"),
        ("bea", json!(["work", newer]), "exactly one"),
    ] {
        assert_refused(&create(user, pin).await, 400, "ToolRouterV2_InvalidConnectedAccountIds", says);
    }
    let status = json!({ "enabled": false });
    expect(ask(&port, "PATCH", &format!("/connected_accounts/{pinned}/status"), status).await, 200);
    assert_refused(
        &create("bea", json!("work")).await,
        400,
        "ToolRouterV2_InvalidConnectedAccountIds",
        "disabled",
    );
}

#[tokio::test]
async fn a_disabled_auth_config_disables_its_accounts() {
    let port = port().await;
    let config = auth_config(&port, "query").await;
    let id = connect(&port, &config, "bea").await;
    let session = json!({ "user_id": "bea", "auth_configs": { "query": config } });
    let created = expect(ask(&port, "POST", "/tool_router/session", session.clone()).await, 201);
    let call = format!("/tool_router/session/{}/proxy_execute", text(&created["session_id"]));
    expect(ask(&port, "POST", &call, get("query")).await, 200);

    expect(ask(&port, "PATCH", &format!("/auth_configs/{config}/DISABLED"), Value::Null).await, 200);
    let shown = read(&port, &format!("/connected_accounts/{id}")).await;
    assert_eq!((&shown["auth_config"]["is_disabled"], &shown["is_disabled"]), (&json!(true), &json!(false)));
    let link = json!({ "auth_config_id": config, "user_id": "bea" });
    for (path, body, status, slug) in [
        (call.as_str(), get("query"), 400, "ToolRouterV2_NoActiveConnection"),
        ("/tool_router/session", session, 422, "ConnectedAccountNotUsable"),
        ("/connected_accounts", account(&config, "bea", "k"), 422, "ConnectedAccountNotUsable"),
        ("/connected_accounts/link", link, 422, "ConnectedAccountNotUsable"),
    ] {
        assert_refused(&ask(&port, "POST", path, body).await, status, slug, &config);
    }
    assert_refused(&call_as(&port, &id).await, 422, "ConnectedAccountNotUsable", &config);
    let refreshed = ask(&port, "POST", &format!("/connected_accounts/{id}/refresh"), Value::Null).await;
    assert_refused(&refreshed, 422, "ConnectedAccountNotUsable", &config);

    expect(ask(&port, "PATCH", &format!("/auth_configs/{config}/ENABLED"), Value::Null).await, 200);
    expect(ask(&port, "POST", &call, get("query")).await, 200);
}

#[tokio::test]
async fn auth_configs_of_a_session_choose_the_account() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    let (first, second) = (auth_config(&port, "header").await, auth_config(&port, "header").await);
    for (config, secret) in [(&first, "of-first"), (&second, "of-second")] {
        expect(ask(&port, "POST", "/connected_accounts", account(config, "bea", secret)).await, 201);
    }
    let session = expect(ask(&port, "POST", "/tool_router/session", json!({ "user_id": "bea" })).await, 201);
    let path = format!("/tool_router/session/{}", text(&session["session_id"]));
    // A change takes effect from the next call.
    for (configs, sent) in [
        (json!(null), "of-second"),
        (json!({ "header": first }), "of-first"),
        (json!({ "header": second }), "of-second"),
        (json!({}), "of-second"),
    ] {
        expect(ask(&port, "PATCH", &path, json!({ "auth_configs": configs })).await, 200);
        expect(ask(&port, "POST", &format!("{path}/proxy_execute"), get("header")).await, 200);
        assert_eq!(upstream.requests().last().unwrap().header("x-api-key"), Some(sent), "{configs}");
    }
    let third = auth_config(&port, "header").await;
    expect(ask(&port, "PATCH", &path, json!({ "auth_configs": { "header": third } })).await, 200);
    let none = ask(&port, "POST", &format!("{path}/proxy_execute"), get("header")).await;
    assert_refused(&none, 400, "ToolRouterV2_NoActiveConnection", "bea");
    let wrong = json!({ "auth_configs": { "query": third } });
    assert_refused(&ask(&port, "PATCH", &path, wrong).await, 400, "ToolRouterV2_BadRequest", "`header`");
    // The link of the session uses that auth config.
    let link = expect(ask(&port, "POST", &format!("{path}/link"), json!({ "toolkit": "header" })).await, 201);
    let account = read(&port, &format!("/connected_accounts/{}", text(&link["connected_account_id"]))).await;
    assert_eq!(account["auth_config"]["id"], third);
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn a_link_creates_an_account() {
    let port = port().await;
    let session = format!("/tool_router/session/{}", port.caller.session);
    let request = json!({ "toolkit": "query", "callback_url": "https://app.example/done", "alias": "soon" });
    let before = unix_seconds();
    let link = expect(ask(&port, "POST", &format!("{session}/link"), request).await, 201);
    let after = unix_seconds();
    let (token, url) = (text(&link["link_token"]), text(&link["redirect_url"]));
    assert_eq!(url, format!("http://{}/connect/{token}", port.address));
    let expires: Timestamp = text(&link["expires_at"]).parse().unwrap();
    let expires = u64::try_from(expires.as_second()).unwrap();
    assert!((before + 600..=after + 600).contains(&expires), "ten minutes from now: {link}");

    let id = text(&link["connected_account_id"]);
    let account = read(&port, &format!("/connected_accounts/{id}")).await;
    assert_eq!(
        (&account["status"], &account["alias"], &account["user_id"], &account["toolkit"]["slug"]),
        (&json!("INITIALIZING"), &json!("soon"), &json!("ann"), &json!("query"))
    );
    assert_refused(&call_as(&port, &id).await, 422, "ConnectedAccountNotUsable", "INITIALIZING");
    let call = ask(&port, "POST", &format!("{session}/proxy_execute"), get("query")).await;
    assert_refused(&call, 400, "ToolRouterV2_NoActiveConnection", "INITIALIZING");
    // A credential from another request finishes the account, too.
    let state = json!({ "connection": { "state": { "authScheme": "API_KEY", "val": { "api_key": "k" } } } });
    let finished = expect(ask(&port, "PATCH", &format!("/connected_accounts/{id}"), state).await, 200);
    assert_eq!(finished["status"], "ACTIVE");
    expect(ask(&port, "POST", &format!("{session}/proxy_execute"), get("query")).await, 200);

    // Without a secret, connecting creates a link as well.
    let config = auth_config(&port, "header").await;
    for connection in [json!({ "user_id": "bea" }), json!({ "user_id": "bea", "data": { "region": "eu" } })] {
        let request = json!({ "auth_config": { "id": config }, "connection": connection });
        let begun = expect(ask(&port, "POST", "/connected_accounts", request).await, 201);
        assert_eq!(begun["status"], "INITIALIZING");
        assert!(text(&begun["redirect_url"]).contains("/connect/lt_"));
        assert_eq!(begun["connectionData"]["val"]["redirectUrl"], begun["redirect_url"]);
    }
}

#[tokio::test]
async fn links_without_a_reachable_page_are_refused() {
    let port = port().await;
    let own = ids(&read(&port, "/connected_accounts?user_ids=ann").await).remove(0);
    let config = json!({
        "user_id": "ann",
        "toolkits": { "disable": ["query"] },
        "connected_accounts": { "header": [own] },
    });
    let session = expect(ask(&port, "POST", "/tool_router/session", config).await, 201);
    let path = format!("/tool_router/session/{}/link", text(&session["session_id"]));
    for (toolkit, status, slug, says) in [
        ("query", 403, "ToolRouterV2_ToolkitNotAllowed", "[Session Restriction]"),
        ("header", 400, "ToolRouterV2_BadRequest", "pins an account"),
        ("open", 400, "ToolRouterV2_ToolkitsIsNoAuth", "`open`"),
        ("none", 404, "ToolkitNotFound", "none"),
        ("", 400, "InvalidRequest", "toolkit"),
    ] {
        assert_refused(&ask(&port, "POST", &path, json!({ "toolkit": toolkit })).await, status, slug, says);
    }
    let callback = json!({ "toolkit": "bearer", "callback_url": "/done" });
    assert_refused(&ask(&port, "POST", &path, callback).await, 400, "InvalidRequest", "callback_url");
    assert_eq!(read(&port, "/connected_accounts?user_ids=ann").await["total_items"], 1, "none was begun");
}

#[tokio::test]
async fn a_revoked_account_has_no_credential() {
    let port = port().await;
    let id = ids(&read(&port, "/connected_accounts?user_ids=ann").await).remove(0);
    let revoke = format!("/connected_accounts/{id}/revoke");
    for _ in 0..2 {
        let revoked = expect(ask(&port, "POST", &revoke, Value::Null).await, 200);
        assert_eq!(revoked["revoked_tokens"], json!([]));
        assert_eq!((&revoked["status"], &revoked["success"]), (&json!("REVOKED"), &json!(true)));
    }
    let shown = read(&port, &format!("/connected_accounts/{id}")).await;
    assert_eq!(shown["state"]["val"], json!({ "status": "REVOKED" }));
    assert_eq!(shown["status_reason"], "Revoked via user-initiated revoke endpoint");
    assert_refused(&call_as(&port, &id).await, 422, "ConnectedAccountNotUsable", "REVOKED");
    let refreshed = ask(&port, "POST", &format!("/connected_accounts/{id}/refresh"), Value::Null).await;
    assert_refused(&refreshed, 422, "ConnectedAccountNotUsable", "REVOKED");
    assert_eq!(read(&port, "/connected_accounts?statuses=REVOKED").await["total_items"], 1);
    // Disabling it changes neither.
    let status = format!("/connected_accounts/{id}/status");
    expect(ask(&port, "PATCH", &status, json!({ "enabled": false })).await, 200);
    assert_eq!(read(&port, &format!("/connected_accounts/{id}")).await["status"], "REVOKED");
}

#[tokio::test]
async fn toolkits_are_found() {
    let port = port().await;
    let slugs = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| text(&item["slug"])).collect()
    };
    let all = read(&port, "/toolkits").await;
    let names = slugs(&all);
    assert!(names.is_sorted() && names.len() > 30);
    assert_eq!((&all["total_items"], &all["next_cursor"]), (&json!(names.len()), &Value::Null));
    let (mut found, mut path) = (Vec::new(), "/toolkits?limit=7".to_owned());
    loop {
        let page = read(&port, &path).await;
        found.extend(slugs(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/toolkits?limit=7&cursor={cursor}");
    }
    assert_eq!(found, names);
    assert_eq!(slugs(&read(&port, "/toolkits?search=GoogleDocs").await), ["googledocs"]);
    // Another name, and a category.
    assert_eq!(slugs(&read(&port, "/toolkits?search=gcal").await), ["googlecalendar"]);
    let of_email = slugs(&read(&port, "/toolkits?category=email").await);
    assert!(of_email.len() > 3 && of_email.len() < names.len() / 4, "{of_email:?}");
    assert!(of_email.contains(&"gmail".to_owned()));
    let categories = read(&port, "/toolkits/categories").await;
    let support = json!({ "id": "customer-support", "name": "Customer support" });
    assert!(categories["items"].as_array().unwrap().contains(&support), "{categories}");
    for none in ["category=no-such-category", "managed_by=composio", "search=no-such-toolkit"] {
        assert_eq!(read(&port, &format!("/toolkits?{none}")).await["items"], json!([]));
    }
    assert_eq!(slugs(&read(&port, "/toolkits?managed_by=all&sort_by=usage").await), names);

    let header = read(&port, "/toolkits/header").await;
    assert_eq!(header["auth_schemes"], json!(["API_KEY"]));
    let fields = &header["auth_config_details"][0]["fields"]["connected_account_initiation"];
    assert_eq!((&fields["required"][0]["name"], &fields["optional"]), (&json!("api_key"), &json!([])));
    assert_eq!(fields["required"][0]["is_secret"], true);

    // The fields of an OAuth client, and the fields that the user enters.
    let outlook = read(&port, "/toolkits/outlook").await;
    let details = outlook["auth_config_details"].as_array().unwrap();
    let oauth = details.iter().find(|details| details["mode"] == "OAUTH2").unwrap();
    let scopes = ["offline_access", "User.Read", "Mail.Read", "Calendars.Read"];
    assert_eq!(oauth["required_scopes"], json!(scopes));
    let names = |fields: &Value| -> Vec<String> {
        fields.as_array().unwrap().iter().map(|field| text(&field["name"])).collect()
    };
    let client = &oauth["fields"]["auth_config_creation"];
    assert_eq!(names(&client["required"]), ["client_id", "client_secret"]);
    let secret: Vec<_> =
        client["required"].as_array().unwrap().iter().map(|field| &field["is_secret"]).collect();
    assert_eq!(secret, [&json!(false), &json!(true)]);
    assert_eq!(names(&client["optional"]), ["oauth_redirect_uri", "scopes"]);
    assert_eq!(client["optional"][1]["default"], scopes.join(" "));
    let account = &oauth["fields"]["connected_account_initiation"];
    assert_eq!(names(&account["required"]), Vec::<String>::new(), "the provider gives the access token");
    assert_eq!(names(&account["optional"]), ["tenant_id"]);
    let slack = read(&port, "/toolkits/slack").await;
    let details = slack["auth_config_details"].as_array().unwrap();
    let oauth = details.iter().find(|details| details["mode"] == "OAUTH2").unwrap();
    assert!(names(&oauth["fields"]["auth_config_creation"]["optional"]).contains(&"user_scopes".to_owned()));
}

#[tokio::test]
async fn a_session_lists_its_toolkits_with_their_accounts() {
    let port = port().await;
    let config = auth_config(&port, "query").await;
    let newest = connect(&port, &config, "ann").await;
    let own = ids(&read(&port, "/connected_accounts?toolkit_slugs=header").await).remove(0);
    let newer = connect(&port, &auth_config(&port, "header").await, "ann").await;
    let toolkits = json!({ "enable": ["header", "query", "basic", "open"] });
    let request = json!({ "user_id": "ann", "toolkits": toolkits, "connected_accounts": { "header": own } });
    let session = expect(ask(&port, "POST", "/tool_router/session", request).await, 201);
    let path = format!("/tool_router/session/{}", text(&session["session_id"]));
    let listed = async |query: &str| -> Vec<(String, Option<String>)> {
        let page = read(&port, &format!("{path}/toolkits?{query}")).await;
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| (text(&item["slug"]), item["connected_account"]["id"].as_str().map(str::to_owned)))
            .collect()
    };
    let item = |slug: &str, account: Option<&String>| (slug.to_owned(), account.cloned());
    let (basic, header) = (item("basic", None), item("header", Some(&own)));
    let (open, query) = (item("open", None), item("query", Some(&newest)));
    assert_eq!(listed("").await, [basic.clone(), header.clone(), open.clone(), query.clone()]);
    assert_eq!(listed("is_connected=true").await, [header.clone(), query.clone()]);
    assert_eq!(listed("is_connected=false").await, [basic, open]);
    assert_eq!(listed("search=QUE").await, [query]);
    assert_eq!(listed("toolkits=bearer,header").await, [item("bearer", None), header]);
    let elsewhere = read(&port, &format!("{path}/toolkits?toolkits=bearer")).await;
    assert_eq!(elsewhere["items"][0]["enabled"], false, "it is listed, and not allowed");

    // Without the pin, the newest account is used, then the next best.
    expect(ask(&port, "PATCH", &path, json!({ "connected_accounts": null })).await, 200);
    assert_eq!(listed("toolkits=header").await, [item("header", Some(&newer))]);
    let status = json!({ "enabled": false });
    expect(ask(&port, "PATCH", &format!("/connected_accounts/{newer}/status"), status).await, 200);
    assert_eq!(listed("toolkits=header").await, [item("header", Some(&own))]);

    // Only accounts of the session's auth config, and none of a disabled one.
    let other = auth_config(&port, "header").await;
    let named = json!({ "auth_configs": { "header": other } });
    expect(ask(&port, "PATCH", &path, named).await, 200);
    assert_eq!(listed("toolkits=header").await, [item("header", None)]);
    let theirs = connect(&port, &other, "ann").await;
    assert_eq!(listed("toolkits=header&is_connected=true").await, [item("header", Some(&theirs))]);
    expect(ask(&port, "PATCH", &format!("/auth_configs/{other}/DISABLED"), Value::Null).await, 200);
    assert_eq!(listed("toolkits=header&is_connected=true").await, []);
    let disabled = read(&port, &format!("{path}/toolkits?toolkits=header")).await;
    assert_eq!(disabled["items"][0]["connected_account"]["status"], "INACTIVE");
    let account = read(&port, &format!("/connected_accounts/{theirs}")).await;
    assert_eq!(account["status_reason"], "Auth config is disabled");
    // Unchanged parts are not checked again.
    expect(ask(&port, "PATCH", &path, json!({ "toolkits": { "enable": ["header"] } })).await, 200);
}

#[tokio::test]
async fn a_session_uses_the_account_that_was_connected_last() {
    let port = port().await;
    let config = auth_config(&port, "header").await;
    let request = json!({ "auth_config_id": config, "user_id": "ann" });
    let link = expect(ask(&port, "POST", "/connected_accounts/link", request).await, 201);
    let linked = text(&link["connected_account_id"]);
    let imported = connect(&port, &config, "ann").await;
    let used = async || {
        let path = format!("/tool_router/session/{}/toolkits?toolkits=header", port.caller.session);
        text(&read(&port, &path).await["items"][0]["connected_account"]["id"])
    };
    assert_eq!(used().await, imported);
    // The test waits for the clock, which counts in milliseconds.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let state = json!({ "authScheme": "API_KEY", "val": { "api_key": "later-key" } });
    let path = format!("/connected_accounts/{linked}");
    expect(ask(&port, "PATCH", &path, json!({ "connection": { "state": state } })).await, 200);
    assert_eq!(used().await, linked);
}

#[tokio::test]
async fn keys_expire_and_work_from_allowed_addresses_only() {
    let port = port().await;
    let gateway = &port.caller.gateway;
    let ask_with = async |key: &str| port.ask_with(key, "GET", "/api/v3.1/toolkits?limit=1", "").await;
    for (request, status, slug, says) in [
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), 401, "InvalidApiKey", "expired"),
        (json!({ "allowed_addresses": ["10.0.0.0/8", "::1"] }), 403, "AddressNotAllowed", "this address"),
        (json!({ "allowed_addresses": [] }), 403, "AddressNotAllowed", "this address"),
    ] {
        let key = key(gateway, request).await.unwrap();
        assert_refused(&ask_with(&key).await, status, slug, says);
    }
    for request in [
        json!({ "expires_at": "2999-01-01T00:00:00+02:00" }),
        json!({ "allowed_addresses": ["127.0.0.0/8"] }),
        json!({ "allowed_addresses": ["10.0.0.0/8", "127.0.0.1"] }),
    ] {
        let key = key(gateway, request).await.unwrap();
        assert_eq!(ask_with(&key).await.status, 200);
    }
    for (request, says) in [
        (json!({ "expires_at": "tomorrow" }), "expires_at"),
        (json!({ "allowed_addresses": ["localhost"] }), "`localhost`"),
        (json!({ "allowed_addresses": ["10.0.0.0/33"] }), "`10.0.0.0/33`"),
    ] {
        assert_error(key(gateway, request).await, ErrorKind::InvalidRequest, says);
    }
    let shown = gateway.list_api_keys().await.unwrap();
    assert!(
        shown.iter().any(|key| key.expires_at.as_deref() == Some("2020-01-01T00:00:00.000Z")),
        "{shown:?}"
    );
    assert!(shown.iter().any(|key| key.allowed_addresses.as_deref() == Some(&["127.0.0.0/8".to_owned()])));
}

#[tokio::test]
async fn the_rate_limit_counts_each_key_separately() {
    let port = port().await;
    let gateway = &port.caller.gateway;
    let listen = Listen { requests_per_minute: Some(3), ..Listen::default() };
    let address = soon(gateway.listen(listen)).await.unwrap();
    let path = "/api/v3.1/toolkits/gmail";
    let ask_with =
        async |address: SocketAddr, key: &str| http(address, "GET", path, &[("x-api-key", key)], "").await;
    for remaining in ["2", "1", "0"] {
        let answer = ask_with(address, &port.key).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, Some(remaining)));
        assert_eq!(answer.header("x-ratelimit"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-window-size"), Some("60s"));
    }
    let refused = ask_with(address, &port.key).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json(), json!({ "message": "Rate limit exceeded. Limit: 3 requests per 1 minutes" }));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert!(refused.header("x-request-id").unwrap().starts_with("req_"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=21).contains(&wait), "a third of a minute: {wait}");

    let other = key(gateway, json!({})).await.unwrap();
    assert_eq!(ask_with(address, &other).await.status, 200);
    // Callers without a key share a limit, and the error says that the key is missing.
    for status in [401, 401, 401, 429] {
        assert_eq!(http(address, "GET", path, &[], "").await.status, status);
    }
    let unlimited = ask_with(port.address, &port.key).await;
    assert_eq!((unlimited.status, unlimited.header("x-ratelimit")), (200, None));
    let none = Listen { requests_per_minute: Some(0), ..Listen::default() };
    assert_error(soon(gateway.listen(none)).await, ErrorKind::InvalidOption, "requestsPerMinute");
}

#[tokio::test]
async fn the_wire_describes_itself() {
    let port = port().await;
    let served = http(port.address, "GET", "/openapi.json", &[], "").await;
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    let description: Value = serde_json::to_value(openapi()).unwrap();
    assert_eq!(served.json(), description);
    for (path, item) in description["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "x").replace("{slug}", "x").replace("{status}", "x");
        for method in item.as_object().unwrap().keys() {
            let answer = http(port.address, &method.to_uppercase(), &path, &[], "").await;
            // Load balancers have no key.
            let status = if ["/health", "/ready"].contains(&path.as_str()) { 200 } else { 401 };
            assert_eq!(answer.status, status, "{method} {path} exists, and needs a key");
        }
    }
}

/// Generators of clients refuse a document that breaks one of these rules, or generate wrong clients.
#[test]
fn the_description_defines_its_references_and_names_each_operation_once() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        if let Value::Object(map) = value {
            found.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| references(value, found));
        } else if let Value::Array(values) = value {
            values.iter().for_each(|value| references(value, found));
        }
    }
    let description: Value = serde_json::to_value(openapi()).unwrap();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(description.pointer(pointer).is_some(), "{reference} is not defined");
    }
    let mut names = std::collections::HashSet::new();
    let items = description["paths"].as_object().unwrap().values();
    for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} appears twice");
    }
    assert!(names.len() >= 25, "{}", names.len());
}

#[test]
fn the_description_matches_its_snapshot() {
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(openapi()).unwrap());
}

#[tokio::test]
async fn links_begin_with_the_public_url() {
    let upstream = Upstream::pleasant().await;
    let options =
        GatewayOptions { public_url: Some("https://connect.example/".to_owned()), ..options(&upstream) };
    let port = Port::with(options).await;
    let path = format!("/tool_router/session/{}/link", port.caller.session);
    let link = expect(ask(&port, "POST", &path, json!({ "toolkit": "query" })).await, 201);
    assert!(text(&link["redirect_url"]).starts_with("https://connect.example/connect/lt_"), "{link}");
}

#[tokio::test]
async fn accounts_created_at_once_have_different_names() {
    let port = port().await;
    let gateway: &Embedded = &port.caller.gateway;
    let accounts = futures::future::join_all(
        (0..100).map(|_| import(gateway, "crowd", "header", credential("header", "k"))),
    );
    let accounts = tokio::time::timeout(Duration::from_secs(30), accounts).await.unwrap();
    let names: BTreeSet<_> = accounts.into_iter().map(|account| account.word_id).collect();
    assert_eq!(names.len(), 100);
    let configs = read(&port, "/auth_configs?toolkit_slug=header").await;
    assert_eq!(
        (&configs["total_items"], &configs["items"][0]["no_of_connections"]),
        (&json!(1), &json!(101))
    );
}
