//! Sessions, the accounts that calls use, and the requests that are sent.

use std::collections::HashSet;

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{ErrorKind, ListAccounts, ProxyRequest, Result, read_json};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::support::{
    Answer, Caller, Step, Upstream, answer, assert_error, call, call_text, credential, gateway, get, import,
    json_answer, options, read_session, resource, session, session_with, soon, tools_call, try_import,
    update, with_headers,
};

/// An upstream that returns the credential that it got.
async fn echo() -> Upstream {
    Upstream::with(|request| {
        let key = request.header("x-api-key").or(request.header("authorization"));
        json_answer(json!(key).to_string())
    })
    .await
}

async fn delete(gateway: &Embedded, id: &str) -> Result<String> {
    let deleted = resource(gateway, "DELETE", &["tool_router", "session", id], Value::Null).await?;
    Ok(deleted["session_id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_lives_from_create_to_delete() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let created = session_with(&gateway, json!({ "user_id": "ann", "toolkits": { "enable": ["header"] } }))
        .await
        .unwrap();
    let id = created["session_id"].as_str().unwrap();
    assert!(id.starts_with("trs_"), "{id}");
    assert_eq!(created["config_version"], 1);
    assert_eq!(created["config"]["user_id"], "ann");
    assert_eq!(created["config"]["toolkits"], json!({ "enabled": ["header"] }));

    assert_eq!(read_session(&gateway, id).await.unwrap(), created);
    let updated = update(&gateway, id, json!({ "toolkits": { "disable": ["query"] } })).await.unwrap();
    assert_eq!(updated["config"]["toolkits"], json!({ "disabled": ["query"] }));
    assert_eq!(updated["config_version"], 2);

    assert_eq!(delete(&gateway, id).await.unwrap(), id);
    assert_error(delete(&gateway, id).await, ErrorKind::SessionNotFound, id);
    assert_error(read_session(&gateway, id).await, ErrorKind::SessionNotFound, id);
    assert_error(update(&gateway, id, json!({})).await, ErrorKind::SessionNotFound, id);
    assert_error(call(&gateway, id, get("header")).await, ErrorKind::SessionNotFound, id);
    for unknown in ["trs_unknown", "", "trs_' OR 1=1 --", "../x"] {
        assert_error(call(&gateway, unknown, get("header")).await, ErrorKind::SessionNotFound, unknown);
    }
}

#[tokio::test]
async fn a_configuration_is_returned_under_the_names_of_responses() {
    let gateway = Embedded::open(GatewayOptions::default()).await.unwrap();
    let request = json!({
        "user_id": "ann",
        "tools": {},
        "tags": { "enable": [], "disable": [] },
        "manage_connections": { "enable": false, "enable_wait_for_connections": true },
        "multi_account": { "enable": true, "require_explicit_selection": true },
        "workbench": { "enable": false, "enable_proxy_execution": true },
        "search": { "enable": true },
    });
    let echoed = session_with(&gateway, request).await.unwrap()["config"].clone();
    assert_eq!(
        echoed,
        json!({
            "user_id": "ann",
            "tools": {},
            "tags": { "enabled": [], "disabled": [] },
            "manage_connections": { "enabled": false, "enable_wait_for_connections": true },
            "multi_account": { "enable": true, "require_explicit_selection": true },
            "workbench": { "enable": false, "proxy_execution_enabled": true },
            "search": { "enable": true },
            "execute": { "enable_multi_execute": false },
            "preload": { "tools": [] },
            "instant": false,
        })
    );
}

#[tokio::test]
async fn the_create_request_of_the_vendors_sdk_works() {
    let gateway = Embedded::open(GatewayOptions::default()).await.unwrap();
    let request = json!({
        "user_id": "user_123",
        "toolkits": { "enable": ["github"] },
        "manage_connections": { "enable": true },
    });
    let created = session_with(&gateway, request).await.unwrap();
    assert!(created["session_id"].as_str().unwrap().starts_with("trs_"));
    assert_eq!(created["mcp"]["type"], "http");
    assert_eq!(created["config"]["toolkits"], json!({ "enabled": ["github"] }));
    assert_eq!(created["config"]["manage_connections"], json!({ "enabled": true }));
    assert_eq!(created["tool_router_tools"], json!([]));
}

#[tokio::test]
async fn an_update_takes_effect_at_once() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "secret").await;
    let Caller { gateway, session, .. } = &caller;
    assert_eq!(caller.get().await.unwrap().status(), 200);
    update(gateway, session, json!({ "toolkits": { "enable": ["query"] } })).await.unwrap();
    assert_error(caller.get().await, ErrorKind::ToolkitNotAllowed, "'header'");
    // Null resets to the default, which allows all.
    let reset = update(gateway, session, json!({ "toolkits": null })).await.unwrap();
    assert_eq!(reset["config"].get("toolkits"), None);
    assert_eq!(caller.get().await.unwrap().status(), 200);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn an_update_changes_only_the_named_fields() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let account = import(&gateway, "ann", "header", credential("header", "a-secret")).await;
    let request = json!({ "user_id": "ann", "connected_accounts": { "header": [account.id] }, "search": { "enable": true } });
    let id = session_with(&gateway, request).await.unwrap()["session_id"].as_str().unwrap().to_owned();
    let updated = update(&gateway, &id, json!({ "toolkits": { "enable": ["header"] } })).await.unwrap();
    assert_eq!(updated["config"]["connected_accounts"], json!({ "header": [account.id] }));
    assert_eq!(updated["config"]["search"], json!({ "enable": true }));
    let updated = update(&gateway, &id, json!({ "search": null, "connected_accounts": null })).await.unwrap();
    assert_eq!(updated["config"]["search"], json!({ "enable": false }));
    assert_eq!(updated["config"].get("connected_accounts"), None);
    assert_eq!(updated["config"]["toolkits"], json!({ "enabled": ["header"] }));
}

#[tokio::test]
async fn errors_name_the_invalid_parts_of_a_session() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let id = session(&gateway, "ann").await;
    for (field, value, kind, says) in [
        ("toolkit", json!(["header"]), ErrorKind::InvalidRequest, "Unknown key `toolkit`"),
        ("toolkits", json!("header"), ErrorKind::InvalidRequest, "`toolkits` must be an array of names"),
        (
            "toolkits",
            json!({ "enable": "header" }),
            ErrorKind::InvalidRequest,
            "`toolkits.enable` must be an array",
        ),
        ("toolkits", json!({ "allow": ["header"] }), ErrorKind::InvalidRequest, "allow"),
        ("toolkits", json!({ "enable": ["heder"] }), ErrorKind::ToolkitNotFound, "`heder`"),
        ("toolkits", json!({ "enable": ["Header"] }), ErrorKind::ToolkitNotFound, "`header`"),
        (
            "connected_accounts",
            json!({ "header": 1 }),
            ErrorKind::InvalidRequest,
            "`connected_accounts.header` must be an array",
        ),
        ("connected_accounts", json!({ "none": ["ca_1"] }), ErrorKind::ToolkitNotFound, "`none`"),
    ] {
        let mut request = json!({ "user_id": "ann" });
        request[field] = value.clone();
        assert_error(session_with(&gateway, request).await, kind, says);
        let kind = if kind == ErrorKind::InvalidRequest { ErrorKind::InvalidSession } else { kind };
        assert_error(update(&gateway, &id, json!({ field: value })).await, kind, says);
    }
    for (request, says) in [
        (json!({}), "user_id"),
        (json!({ "user_id": "" }), "`user_id`"),
        (json!({ "user_id": " \t" }), "`user_id`"),
        (json!({ "user_id": 5 }), "user_id"),
        (json!({ "user_id": null }), "user_id"),
        (json!([]), "must be an object"),
    ] {
        assert_error(session_with(&gateway, request).await, ErrorKind::InvalidRequest, says);
    }
    assert_error(
        update(&gateway, &id, json!({ "user_id": "bob" })).await,
        ErrorKind::InvalidSession,
        "user_id",
    );
    assert_eq!(read_session(&gateway, &id).await.unwrap()["config_version"], 1);
}

#[tokio::test]
async fn a_restriction_that_would_not_be_enforced_is_refused() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let id = session(&gateway, "ann").await;
    for (part, field) in [
        (json!({ "tags": ["readOnlyHint"] }), "tags"),
        (json!({ "tags": ["idempotentHint", "openWorldHint"] }), "tags"),
        (json!({ "tags": { "enable": ["readOnlyHint"] } }), "tags"),
        (json!({ "tags": { "enable": [], "disable": ["destructiveHint"] } }), "tags"),
        (json!({ "tags": { "require_approval": ["createHint"] } }), "tags"),
        (json!({ "tags": "readOnlyHint" }), "tags"),
        (json!({ "tools": { "header": { "tags": ["readOnlyHint"] } } }), "tools.header"),
        (json!({ "tools": { "header": { "tags": { "disable": ["destructiveHint"] } } } }), "tools.header"),
        (json!({ "tools": { "header": { "enable": ["HEADER_GET"] } } }), "tools.header"),
        (json!({ "tools": { "header": { "enable": [] } } }), "tools.header"),
        (json!({ "tools": { "header": { "disable": ["HEADER_DELETE"] } } }), "tools.header"),
        (json!({ "tools": { "header": { "require_approval": true } } }), "tools.header"),
        (json!({ "tools": { "open": { "tags": [] }, "header": ["HEADER_GET"] } }), "tools.header"),
        (
            json!({ "experimental": { "permissions": { "default": "ask_every_call" } } }),
            "experimental.permissions",
        ),
        (
            json!({ "experimental": { "permissions": { "default": "allow_all", "overrides": { "A": "deny" } } } }),
            "experimental.permissions",
        ),
        (
            json!({ "experimental": { "restrict_egress_to_composio": true } }),
            "experimental.restrict_egress_to_composio",
        ),
        (json!({ "experimental": { "session_config_id": "sc_1" } }), "experimental.session_config_id"),
    ] {
        let mut request = part.clone();
        request["user_id"] = json!("ann");
        let says = format!("`{field}`");
        let error = assert_error(session_with(&gateway, request).await, ErrorKind::InvalidSession, &says);
        assert!(error.body().suggested_fix.as_deref().unwrap().contains("toolkits"), "{error}");
        assert_error(update(&gateway, &id, part).await, ErrorKind::InvalidSession, &says);
    }
    for harmless in [
        json!({ "tags": null }),
        json!({ "tags": [] }),
        json!({ "tags": { "enable": [] } }),
        json!({ "tools": {} }),
        json!({ "tools": { "header": { "tags": [] } } }),
        json!({ "tools": { "header": { "disable": [] } } }),
        json!({ "experimental": { "assistive_prompt_config": { "user_timezone": "Europe/Berlin" } } }),
        json!({ "experimental": { "permissions": { "default": "allow_all" }, "restrict_egress_to_composio": false } }),
    ] {
        update(&gateway, &id, harmless).await.unwrap();
    }
}

#[tokio::test]
async fn a_toolkit_outside_the_session_is_refused_before_any_lookup() {
    let upstream = Upstream::pleasant().await;
    let gateway = gateway(&upstream).await;
    for filter in [json!({ "enable": ["query"] }), json!({ "disable": ["header", "open"] })] {
        let request = json!({ "user_id": "unconnected", "toolkits": filter });
        let created = session_with(&gateway, request).await.unwrap();
        let id = created["session_id"].as_str().unwrap();
        // The user has no account of the toolkit, but the error names the session's rule.
        assert_error(call(&gateway, id, get("header")).await, ErrorKind::ToolkitNotAllowed, id);
        assert_error(call(&gateway, id, get("query")).await, ErrorKind::NoActiveConnection, "unconnected");
    }
    let request = json!({ "user_id": "unconnected", "toolkits": { "enable": [] } });
    let created = session_with(&gateway, request).await.unwrap();
    let id = created["session_id"].as_str().unwrap();
    assert_error(
        call(&gateway, id, get("no-such-toolkit")).await,
        ErrorKind::ToolkitNotAllowed,
        "not allowed",
    );
    let anything = session(&gateway, "unconnected").await;
    assert_error(call(&gateway, &anything, get("no-such")).await, ErrorKind::ToolkitNotFound, "`no-such`");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn the_error_about_a_missing_account_says_how_to_connect_one() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let id = session(&gateway, "ann").await;
    let error =
        assert_error(call(&gateway, &id, get("header")).await, ErrorKind::NoActiveConnection, "`header`");
    let fix = error.body().suggested_fix.as_deref().unwrap();
    assert!(fix.contains("connectedAccounts.import({ userId: 'ann', toolkit: 'header'"), "{fix}");
    // A toolkit that needs no credential needs no account.
    assert_eq!(call(&gateway, &id, get("open")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_most_recent_account_that_works_is_used() {
    let upstream = echo().await;
    let gateway = gateway(&upstream).await;
    let id = session(&gateway, "ann").await;
    let first = import(&gateway, "ann", "header", credential("header", "first-key")).await;
    let second = import(&gateway, "ann", "header", credential("header", "second-key")).await;
    let third = import(&gateway, "ann", "header", credential("header", "third-key")).await;
    let used = async || call(&gateway, &id, get("header")).await.map(|answer| answer.data());

    assert_eq!(used().await.unwrap(), "third-key");
    gateway.set_account_enabled(&third.id, false).await.unwrap();
    assert_eq!(used().await.unwrap(), "second-key");
    gateway.delete_account(&second.id).await.unwrap();
    assert_eq!(used().await.unwrap(), "first-key");
    gateway.set_account_enabled(&first.id, false).await.unwrap();
    assert_error(used().await, ErrorKind::NoActiveConnection, "is disabled");
    gateway.set_account_enabled(&third.id, true).await.unwrap();
    assert_eq!(used().await.unwrap(), "third-key");
}

#[tokio::test]
async fn an_expired_access_token_is_not_sent() {
    let upstream = echo().await;
    let options = options(&upstream);
    let clock = options.clock.clone();
    let gateway = Embedded::open(options).await.unwrap();
    let id = session(&gateway, "ann").await;
    let token = |token: &str, seconds: u64| json!({ "authScheme": "OAUTH2", "val": { "access_token": token, "expires_in": seconds } });
    let short = import(&gateway, "ann", "bearer", token("short", 1)).await;
    let pinned = json!({ "user_id": "ann", "connected_accounts": { "bearer": [short.id] } });
    let pinned = session_with(&gateway, pinned).await.unwrap()["session_id"].as_str().unwrap().to_owned();
    clock.advance(std::time::Duration::from_millis(1_100));
    assert_error(call(&gateway, &id, get("bearer")).await, ErrorKind::NoActiveConnection, "expired at");
    assert_error(call(&gateway, &pinned, get("bearer")).await, ErrorKind::AccountUnusable, "expired at");
    assert_eq!(upstream.connections(), 0);

    let older = import(&gateway, "ann", "bearer", token("long", 3_600)).await;
    assert_eq!(call(&gateway, &id, get("bearer")).await.unwrap().data(), "Bearer long");
    // The expired account does not hide a working one, and is never used again.
    import(&gateway, "ann", "bearer", token("brief", 1)).await;
    clock.advance(std::time::Duration::from_millis(1_100));
    assert_eq!(call(&gateway, &id, get("bearer")).await.unwrap().data(), "Bearer long", "{}", older.id);
}

#[tokio::test]
async fn pins_are_checked_when_they_are_set() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let own = import(&gateway, "ann", "header", credential("header", "a-secret")).await.id;
    let disabled = import(&gateway, "ann", "header", credential("header", "a-secret")).await.id;
    gateway.set_account_enabled(&disabled, false).await.unwrap();
    let foreign = import(&gateway, "bob", "header", credential("header", "a-secret")).await.id;
    let other_toolkit = import(&gateway, "ann", "query", credential("query", "a-secret")).await.id;
    let existing = session(&gateway, "ann").await;
    for (pins, says) in [
        (json!(["ca_none"]), "`ca_none` does not exist"),
        (json!([disabled]), "is disabled"),
        (json!([foreign]), "belongs to another user"),
        (json!(foreign), "belongs to another user"),
        (json!([other_toolkit]), "is of another toolkit"),
        (json!([own, own]), "names 2 accounts"),
        (json!([]), "names 0 accounts"),
    ] {
        let request = json!({ "user_id": "ann", "connected_accounts": { "header": pins } });
        let result = session_with(&gateway, request).await;
        assert_error(result, ErrorKind::InvalidPinnedAccount, says);
        let result = update(&gateway, &existing, json!({ "connected_accounts": { "header": pins } })).await;
        assert_error(result, ErrorKind::InvalidPinnedAccount, says);
    }
    for pins in [json!([own]), json!(own)] {
        let request = json!({ "user_id": "ann", "connected_accounts": { "header": pins } });
        let created = session_with(&gateway, request).await.unwrap();
        assert_eq!(created["config"]["connected_accounts"]["header"], json!([own]));
    }
}

#[tokio::test]
async fn a_pin_has_no_fallback() {
    let upstream = echo().await;
    let gateway = gateway(&upstream).await;
    let pinned = import(&gateway, "ann", "header", credential("header", "pinned-key")).await.id;
    import(&gateway, "ann", "header", credential("header", "newer-key")).await;
    let request = json!({ "user_id": "ann", "connected_accounts": { "header": [pinned] } });
    let id = session_with(&gateway, request).await.unwrap()["session_id"].as_str().unwrap().to_owned();
    let used = async || call(&gateway, &id, get("header")).await.map(|answer| answer.data());

    assert_eq!(used().await.unwrap(), "pinned-key");
    gateway.set_account_enabled(&pinned, false).await.unwrap();
    assert_error(used().await, ErrorKind::AccountUnusable, &pinned);
    gateway.set_account_enabled(&pinned, true).await.unwrap();
    assert_eq!(used().await.unwrap(), "pinned-key");
    gateway.delete_account(&pinned).await.unwrap();
    assert_error(used().await, ErrorKind::AccountNotFound, &pinned);
    update(&gateway, &id, json!({ "connected_accounts": null })).await.unwrap();
    assert_eq!(used().await.unwrap(), "newer-key");
}

#[tokio::test]
async fn users_do_not_call_as_each_other() {
    let upstream = echo().await;
    let gateway = gateway(&upstream).await;
    let users: Vec<String> = (0..8).map(|index| format!("user-{index}")).collect();
    for user in &users {
        import(&gateway, user, "header", credential("header", &format!("key-of-{user}"))).await;
    }
    let mut calls = Vec::new();
    for user in &users {
        let id = session(&gateway, user).await;
        for _ in 0..20 {
            let (gateway, id, expected) = (gateway.clone(), id.clone(), format!("key-of-{user}"));
            calls.push(tokio::spawn(async move {
                assert_eq!(call(&gateway, &id, get("header")).await.unwrap().data(), expected);
            }));
        }
    }
    for call in calls {
        soon(call).await.unwrap();
    }
    // Ids are opaque: neither case nor blanks nor wildcards make two users one.
    for stranger in ["User-0", "user-0 ", "user-%", "user-_", "*"] {
        let id = session(&gateway, stranger).await;
        assert_error(call(&gateway, &id, get("header")).await, ErrorKind::NoActiveConnection, stranger);
    }
    let listed = list(&gateway, json!({ "user_ids": ["user-3", "user-%"] })).await;
    assert_eq!(listed.iter().map(|item| &item["user_id"]).collect::<Vec<_>>(), ["user-3"]);
}

#[tokio::test]
async fn a_call_outside_a_session_names_an_account_or_has_credentials() {
    let upstream = echo().await;
    let gateway = gateway(&upstream).await;
    let account = import(&gateway, "ann", "header", credential("header", "stored-key")).await.id;
    let disabled = import(&gateway, "ann", "header", credential("header", "stored-key")).await.id;
    gateway.set_account_enabled(&disabled, false).await.unwrap();
    let brought = |toolkit: &str, mut credential: Value| {
        credential["toolkitSlug"] = json!(toolkit);
        json!({ "endpoint": "/x", "method": "GET", "custom_connection_data": credential })
    };
    let named = |id: &str| json!({ "endpoint": "/x", "method": "GET", "connected_account_id": id });

    assert_eq!(tools_call(&gateway, named(&account)).await.unwrap().data(), "stored-key");
    for (toolkit, seen) in [
        ("header", json!("brought-key")),
        ("bearer", json!("Bearer brought-key")),
        ("basic", json!("Basic YW5uOmJyb3VnaHQta2V5")),
        ("query", json!(null)),
        ("open", json!(null)),
    ] {
        let answer =
            tools_call(&gateway, brought(toolkit, credential(toolkit, "brought-key"))).await.unwrap();
        assert_eq!(answer.data(), seen, "{toolkit}");
    }
    assert!(upstream.requests().iter().any(|request| request.target == "/v1/x?api_key=brought-key"));
    let requests = upstream.requests().len();

    assert_error(tools_call(&gateway, named("ca_none")).await, ErrorKind::AccountNotFound, "ca_none");
    assert_error(tools_call(&gateway, named(&disabled)).await, ErrorKind::AccountUnusable, "is disabled");
    let neither = json!({ "endpoint": "/x", "method": "GET" });
    assert_error(tools_call(&gateway, neither).await, ErrorKind::MissingAuthContext, "Neither");
    let mut both = brought("header", credential("header", "k"));
    both["connected_account_id"] = json!(account);
    assert_error(tools_call(&gateway, both).await, ErrorKind::InvalidRequest, "not both");
    let mut in_session = named(&account);
    in_session["toolkit_slug"] = json!("header");
    assert_error(tools_call(&gateway, in_session).await, ErrorKind::InvalidRequest, "`toolkit_slug`");
    for (request, kind, says) in [
        (brought("none", credential("header", "k")), ErrorKind::ToolkitNotFound, "`none`"),
        (
            brought("", credential("header", "k")),
            ErrorKind::InvalidRequest,
            "custom_connection_data.toolkitSlug",
        ),
        (brought("header", credential("basic", "k")), ErrorKind::InvalidRequest, "BASIC"),
        (
            brought("header", json!({ "authScheme": "API_KEY", "val": {} })),
            ErrorKind::InvalidRequest,
            "val.api_key",
        ),
        (brought("header", json!({ "val": {} })), ErrorKind::InvalidRequest, "authScheme"),
        (brought("header", json!({ "authScheme": "API_KEY" })), ErrorKind::InvalidRequest, "val"),
    ] {
        assert_error(tools_call(&gateway, request).await, kind, says);
    }
    // In a session, the session decides as which account.
    let id = session(&gateway, "bob").await;
    let mut request = get("header");
    request["connected_account_id"] = json!(account);
    assert_error(call(&gateway, &id, request).await, ErrorKind::InvalidRequest, "connected_account_id");
    assert_eq!(upstream.requests().len(), requests);
}

#[tokio::test]
async fn a_call_in_a_session_may_have_a_credential_of_its_toolkit() {
    let upstream = echo().await;
    let gateway = gateway(&upstream).await;
    import(&gateway, "ann", "header", credential("header", "stored-key")).await;
    let config = json!({ "user_id": "ann", "toolkits": { "enable": ["header", "bearer"] } });
    let id = session_with(&gateway, config).await.unwrap()["session_id"].as_str().unwrap().to_owned();
    let bringing = |called: &str, own_slug: &str, mut credential: Value| {
        credential["toolkitSlug"] = json!(own_slug);
        let mut request = get(called);
        request["custom_connection_data"] = credential;
        request
    };
    // Instead of the user's account, and without an account.
    for (toolkit, seen) in [("header", "brought-key"), ("bearer", "Bearer brought-key")] {
        let request = bringing(toolkit, toolkit, credential(toolkit, "brought-key"));
        assert_eq!(call(&gateway, &id, request).await.unwrap().data(), seen);
    }
    assert_eq!(call(&gateway, &id, get("header")).await.unwrap().data(), "stored-key");
    let requests = upstream.requests().len();

    let other = bringing("header", "bearer", credential("bearer", "k"));
    let error = assert_error(call(&gateway, &id, other).await, ErrorKind::InvalidRequest, "`bearer`");
    assert!(error.to_string().contains("`header`"), "{error}");
    let nameless = bringing("header", "", credential("header", "k"));
    assert_error(call(&gateway, &id, nameless).await, ErrorKind::InvalidRequest, "toolkitSlug");
    let incomplete = bringing("header", "header", json!({ "authScheme": "API_KEY", "val": {} }));
    assert_error(call(&gateway, &id, incomplete).await, ErrorKind::InvalidRequest, "val.api_key");
    // A toolkit outside the session is refused with any credential.
    let outside = bringing("query", "query", credential("query", "k"));
    assert_error(call(&gateway, &id, outside).await, ErrorKind::ToolkitNotAllowed, "'query'");
    assert_eq!(upstream.requests().len(), requests);
}

#[tokio::test]
async fn a_user_name_needs_no_password() {
    let upstream = echo().await;
    let gateway = gateway(&upstream).await;
    for val in [json!({}), json!({ "password": null }), json!({ "password": "" })] {
        let mut credential = json!({ "authScheme": "BASIC", "val": val });
        credential["val"]["username"] = json!("key");
        import(&gateway, "ann", "basic", credential.clone()).await;
        let id = session(&gateway, "ann").await;
        // base64("key:")
        assert_eq!(call(&gateway, &id, get("basic")).await.unwrap().data(), "Basic a2V5Og==");

        credential["toolkitSlug"] = json!("basic");
        let request = json!({ "endpoint": "/x", "method": "GET", "custom_connection_data": credential });
        assert_eq!(tools_call(&gateway, request).await.unwrap().data(), "Basic a2V5Og==");
    }
}

#[tokio::test]
async fn a_base_url_in_the_call_does_not_lead_to_a_private_address() {
    let upstream = Upstream::pleasant().await;
    let allowed = vec!["git.internal".to_owned()];
    let options = GatewayOptions { allow_private_hosts: allowed, ..options(&upstream) };
    let gateway = Embedded::open(options).await.unwrap();
    for base_url in [upstream.origin(), "https://10.0.0.1", "http://169.254.169.254", "https://[::1]"] {
        let request = json!({
            "endpoint": "/x", "method": "GET",
            "custom_connection_data": {
                "authScheme": "API_KEY", "toolkitSlug": "header",
                "val": { "api_key": "k", "base_url": base_url },
            },
        });
        assert_error(tools_call(&gateway, request).await, ErrorKind::AddressRefused, "Nothing was sent");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn an_unusable_import_is_refused() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let key = |val: Value| json!({ "authScheme": "API_KEY", "val": val });
    for (user, toolkit, credential, kind, says) in [
        ("", "header", key(json!({ "api_key": "k" })), ErrorKind::InvalidRequest, "`user_id`"),
        ("ann", "", key(json!({ "api_key": "k" })), ErrorKind::InvalidRequest, "`toolkit`"),
        ("ann", "heade", key(json!({ "api_key": "k" })), ErrorKind::ToolkitNotFound, "`header`"),
        ("ann", "header", key(json!({})), ErrorKind::InvalidRequest, "val.api_key"),
        ("ann", "header", key(json!({ "api_key": "" })), ErrorKind::InvalidRequest, "val.api_key"),
        ("ann", "header", key(json!({ "api_key": null })), ErrorKind::InvalidRequest, "val.api_key"),
        ("ann", "header", key(json!({ "api_key": ["k"] })), ErrorKind::InvalidRequest, "val.api_key"),
        ("ann", "header", key(json!({ "api_key": "k\r\nx: 1" })), ErrorKind::InvalidRequest, "api_key"),
        ("ann", "header", key(json!({ "api_key": "k\u{e9}" })), ErrorKind::InvalidRequest, "api_key"),
        ("ann", "header", key(json!("k")), ErrorKind::InvalidRequest, "credential"),
        (
            "ann",
            "header",
            key(json!({ "api_key": "k", "base_url": "ftp://x" })),
            ErrorKind::InvalidRequest,
            "base_url",
        ),
        (
            "ann",
            "header",
            key(json!({ "api_key": "k", "base_url": "https://a\"b.example" })),
            ErrorKind::InvalidRequest,
            "base_url",
        ),
        (
            "ann",
            "header",
            key(json!({ "api_key": "k", "base_url": "https://u:p@x" })),
            ErrorKind::InvalidRequest,
            "base_url",
        ),
        (
            "ann",
            "header",
            json!({ "authScheme": "BASIC", "val": { "username": "u", "password": "p" } }),
            ErrorKind::InvalidRequest,
            "API_KEY",
        ),
        (
            "ann",
            "header",
            json!({ "authScheme": "api_key", "val": {} }),
            ErrorKind::InvalidRequest,
            "credential",
        ),
        (
            "ann",
            "header",
            json!({ "auth_scheme": "API_KEY", "val": {} }),
            ErrorKind::InvalidRequest,
            "auth_scheme",
        ),
        ("ann", "header", json!({ "authScheme": "API_KEY" }), ErrorKind::InvalidRequest, "val"),
        ("ann", "header", json!("k"), ErrorKind::InvalidRequest, "credential"),
        (
            "ann",
            "basic",
            json!({ "authScheme": "BASIC", "val": { "password": "p" } }),
            ErrorKind::InvalidRequest,
            "val.username",
        ),
        (
            "ann",
            "bearer",
            json!({ "authScheme": "OAUTH2", "val": { "token": "t" } }),
            ErrorKind::InvalidRequest,
            "val.access_token",
        ),
    ] {
        assert_error(try_import(&gateway, user, toolkit, credential).await, kind, says);
    }
    assert_eq!(list(&gateway, json!({})).await, [] as [Value; 0]);
    let unknown = br#"{"user_id":"a","toolkit":"header","credential":{},"name":"x"}"#;
    let error = read_json::<proxy_execute_protocol::ImportAccount>(unknown).unwrap_err();
    assert!(error.to_string().contains("Unknown key `name`"), "{error}");
}

async fn list(gateway: &Embedded, request: Value) -> Vec<Value> {
    page(gateway, request).await.unwrap()["items"].as_array().unwrap().clone()
}

async fn page(gateway: &Embedded, request: Value) -> Result<Value> {
    let request: ListAccounts = read_json(request.to_string().as_bytes())?;
    soon(gateway.list_accounts(request)).await.map(|page| serde_json::to_value(page).unwrap())
}

#[tokio::test]
async fn paging_neither_skips_nor_repeats_an_account() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    // All at once, so that many share a millisecond.
    let imports = (0..57).map(|index| {
        let (gateway, user) = (gateway.clone(), if index % 3 == 0 { "bob" } else { "ann" });
        async move { import(&gateway, user, "header", credential("header", "a-secret")).await.id }
    });
    let imported: HashSet<_> = futures::future::join_all(imports).await.into_iter().collect();
    let all = list(&gateway, json!({ "limit": 1_000 })).await;
    let created: HashSet<_> = all.iter().map(|item| item["created_at"].as_str().unwrap()).collect();
    assert!(created.len() < 57, "some must share a millisecond for this to mean something");
    assert!(all.is_sorted_by(|a, b| a["created_at"].as_str() >= b["created_at"].as_str()), "newest first");

    for limit in [1, 2, 7, 19, 56, 57, 58] {
        let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, Value::Null);
        loop {
            let mut request = json!({ "limit": limit });
            if !cursor.is_null() {
                request["cursor"] = cursor;
            }
            let page = page(&gateway, request).await.unwrap();
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            pages += 1;
            assert!(pages <= 57, "pages without an end");
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
            assert_eq!(items.len(), limit);
        }
        assert_eq!(pages, 57_usize.div_ceil(limit));
        assert_eq!(seen.len(), 57, "limit {limit}");
        assert_eq!(seen.into_iter().collect::<HashSet<_>>(), imported, "limit {limit}");
    }

    assert_eq!(list(&gateway, json!({})).await.len(), 20);
    assert_eq!(list(&gateway, json!({ "user_ids": ["bob"], "limit": 50 })).await.len(), 19);
    assert_eq!(list(&gateway, json!({ "user_ids": ["bob", "ann"], "limit": 100 })).await.len(), 57);
    assert_eq!(list(&gateway, json!({ "toolkit_slugs": ["query", "basic"] })).await.len(), 0);
    assert_eq!(list(&gateway, json!({ "statuses": ["EXPIRED"] })).await.len(), 0);
    assert_eq!(list(&gateway, json!({ "statuses": ["ACTIVE", "EXPIRED"], "limit": 99 })).await.len(), 57);
    for (request, says) in [
        (json!({ "limit": 0 }), "limit"),
        (json!({ "limit": 1_001 }), "limit"),
        (json!({ "limit": -1 }), "limit"),
        (json!({ "limit": 1.5 }), "limit"),
        (json!({ "cursor": "nonsense" }), "cursor"),
        (json!({ "cursor": "x.ca_1" }), "cursor"),
        (json!({ "cursor": "" }), "cursor"),
        (json!({ "user_id": "ann" }), "Unknown key `user_id`"),
    ] {
        assert_error(page(&gateway, request).await, ErrorKind::InvalidRequest, says);
    }
}

#[tokio::test]
async fn an_account_is_shown_without_its_credential() {
    let gateway = gateway(&Upstream::pleasant().await).await;
    let request = json!({
        "user_id": "ann", "toolkit": "header", "alias": "work", "credential": credential("header", "canary-secret"),
    });
    let account = gateway.import_account(read_json(request.to_string().as_bytes()).unwrap()).await.unwrap();
    let shown = serde_json::to_value(&account).unwrap();
    assert!(account.id.starts_with("ca_"));
    for (field, value) in [
        ("user_id", json!("ann")),
        ("toolkit", json!({ "slug": "header" })),
        ("status", json!("ACTIVE")),
        ("status_reason", json!(null)),
        ("is_disabled", json!(false)),
        ("alias", json!("work")),
        ("auth_scheme", json!("API_KEY")),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert!(!shown.to_string().contains("canary"), "{shown}");
    assert_eq!(list(&gateway, json!({})).await, std::slice::from_ref(&shown));
    assert_eq!(serde_json::to_value(gateway.account(&account.id).await.unwrap()).unwrap(), shown);

    let disabled = gateway.set_account_enabled(&account.id, false).await.unwrap();
    assert!(disabled.is_disabled && disabled.updated_at >= account.updated_at);
    assert!(gateway.account(&account.id).await.unwrap().is_disabled);
    assert!(!gateway.set_account_enabled(&account.id, true).await.unwrap().is_disabled);
    gateway.delete_account(&account.id).await.unwrap();
    let id = account.id.as_str();
    assert_error(gateway.account(id).await, ErrorKind::AccountNotFound, id);
    assert_error(gateway.delete_account(id).await, ErrorKind::AccountNotFound, id);
    assert_error(gateway.set_account_enabled(id, true).await, ErrorKind::AccountNotFound, id);
    assert_eq!(list(&gateway, json!({})).await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_invalid_request_is_refused_by_field() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    let Caller { gateway, session, .. } = &caller;
    for (request, says) in [
        (r#"{"endpoint":"/x","method":"GET"}"#, "`toolkit_slug`"),
        (r#"{"toolkit_slug":"","endpoint":"/x","method":"GET"}"#, "`toolkit_slug`"),
        (r#"{"toolkit_slug":"header","method":"GET"}"#, "endpoint"),
        (r#"{"toolkit_slug":"header","endpoint":"","method":"GET"}"#, "`endpoint`"),
        (r#"{"toolkit_slug":"header","endpoint":5,"method":"GET"}"#, "`endpoint`"),
        (r#"{"toolkit_slug":"header","endpoint":"/x"}"#, "method"),
        (r#"{"toolkit_slug":"header","endpoint":"/x","method":"get"}"#, "`method`"),
        (r#"{"toolkit_slug":"header","endpoint":"/x","method":"TRACE"}"#, "`method`"),
        (r#"{"toolkit_slug":"header","endpoint":"/x","method":"GET","params":[]}"#, "Unknown key `params`"),
        (
            r#"{"toolkit_slug":"header","endpoint":"/x","method":"GET","parameters":[{"name":"a","value":true,"type":"query"}]}"#,
            "`parameters[0].value`",
        ),
        (
            r#"{"toolkit_slug":"header","endpoint":"/x","method":"GET","parameters":[{"name":"a","value":"1","type":"path"}]}"#,
            "`parameters[0].type`",
        ),
        (
            r#"{"toolkit_slug":"header","endpoint":"/x","method":"GET","parameters":[{"name":"a","value":"1"}]}"#,
            "`parameters[0].type` is missing",
        ),
        (r#"{"toolkit_slug":"header","endpoint":"/x","method":"POST","body":{"a":NaN}}"#, "line 1 column"),
        (r#"{"toolkit_slug":"header","endpoint":"/x","method":"GET","body":{}}"#, "body"),
        (r#"{"toolkit_slug":"header","endpoint":"/x","method":"HEAD","body":1}"#, "body"),
    ] {
        let result = call_text(gateway, session, request).await;
        let error = assert_error(result, ErrorKind::InvalidRequest, says);
        assert!(!error.body().errors.is_empty(), "{request}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn bodies_are_sent_unchanged() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    for (method, body, sent) in [
        (
            "POST",
            r#"{"z": 1, "a":12345678901234567890,"a":1e400}"#,
            r#"{"z": 1, "a":12345678901234567890,"a":1e400}"#,
        ),
        ("PUT", "[1.0,-0]", "[1.0,-0]"),
        ("PATCH", r#"["\u00e9"]"#, r#"["\u00e9"]"#),
        ("DELETE", "{}", "{}"),
        ("POST", "false", "false"),
        ("POST", "null", ""),
        ("GET", "null", ""),
    ] {
        let request =
            format!(r#"{{"toolkit_slug":"header","endpoint":"/x","method":"{method}","body":{body}}}"#);
        call_text(&caller.gateway, &caller.session, &request).await.unwrap();
        let seen = upstream.requests().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.body.as_slice()), (method, sent.as_bytes()), "{body}");
    }
    // A POST without a body says so; a GET says nothing.
    caller.call("POST", "/x").await.unwrap();
    assert_eq!(upstream.requests().pop().unwrap().header("content-length"), Some("0"));
    caller.get().await.unwrap();
    assert_eq!(upstream.requests().pop().unwrap().header("content-length"), None);
}

#[tokio::test]
async fn the_endpoint_is_sent_unchanged() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    let visible: String = ('!'..='~').filter(|c| !matches!(c, '#' | '?' | '\\' | '/' | '%')).collect();
    for (endpoint, target) in [
        ("/repos/o/r/contents/a%2Fb%20c", "/v1/repos/o/r/contents/a%2Fb%20c"),
        ("repos", "/v1/repos"),
        ("/", "/v1/"),
        ("?q=1", "/v1?q=1"),
        ("/x?b=2&a=1&b=2&&=&c", "/v1/x?b=2&a=1&b=2&&=&c"),
        ("/x?q=%2f%2F+%20~*!()&e=%", "/v1/x?q=%2f%2F+%20~*!()&e=%"),
        ("/x?u=https://a.example/b?c=d", "/v1/x?u=https://a.example/b?c=d"),
        ("/x/a:b@c;d=1,2", "/v1/x/a:b@c;d=1,2"),
        ("/x//y/", "/v1/x//y/"),
        ("/a/../b", "/v1/b"),
        ("/x#part", "/v1/x"),
        ("/x?q=\u{e9}", "/v1/x?q=%C3%A9"),
        // Bytes that a URL cannot hold.
        ("/a b\"<>`{}^'|", "/v1/a%20b%22%3C%3E%60%7B%7D^'|"),
        ("/x?a b\"<>`{}^'|", "/v1/x?a%20b%22%3C%3E`{}^%27|"),
    ] {
        caller.call("GET", endpoint).await.unwrap();
        assert_eq!(upstream.requests().pop().unwrap().target, target, "{endpoint}");
    }
    // Every valid text can be sent.
    for place in ["/", "/x?"] {
        caller.call("GET", &format!("{place}{visible}")).await.unwrap();
    }
    let absolute = format!("{}/elsewhere?a=1", upstream.origin());
    caller.call("GET", &absolute).await.unwrap();
    assert_eq!(upstream.requests().pop().unwrap().target, "/elsewhere?a=1");
}

#[tokio::test]
async fn a_url_that_is_too_long_is_not_truncated() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    // The second text is within its limit, but its encoded form is too long for a URL.
    for value in ["a".repeat(70_000), "\u{e9}".repeat(30_000)] {
        let long = json!({ "name": "q", "value": value, "in": "query" });
        let result = caller.send(json!({ "endpoint": "/x", "method": "GET", "parameters": [long] })).await;
        assert_error(result, ErrorKind::InvalidRequest, "too long");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_user_name_in_the_url_of_a_body_is_for_its_host() {
    let source = Upstream::with(|_| Step::Send(answer(200, &[], "the bytes"))).await;
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    let url = format!("http://ann:p%40ss@{}/source", source.authority());
    let request = json!({ "endpoint": "/x", "method": "POST", "binary_body": { "url": url } });
    caller.send(request).await.unwrap();
    let asked = source.requests().pop().unwrap();
    assert_eq!(
        (asked.target.as_str(), asked.header("authorization")),
        ("/source", Some("Basic YW5uOnBAc3M="))
    );
    let sent = upstream.requests().pop().unwrap();
    assert_eq!(sent.body, b"the bytes");
    assert_ne!(sent.header("authorization"), asked.header("authorization"));
}

#[tokio::test]
async fn query_parameters_keep_their_order_and_repeats() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "query", "a-secret").await;
    let parameters: Vec<_> =
        [("b", "2"), ("a", "1"), ("b", "2"), ("sp ace", "a+b&c=d/\u{e9}"), ("empty", "")]
            .map(|(name, value)| json!({ "name": name, "value": value, "in": "query" }))
            .into();
    caller
        .send(json!({ "endpoint": "/x?own=%2f", "method": "GET", "parameters": parameters }))
        .await
        .unwrap();
    assert_eq!(
        upstream.request().target,
        "/v1/x?own=%2f&b=2&a=1&b=2&sp%20ace=a%2Bb%26c%3Dd%2F%C3%A9&empty=&api_key=a-secret"
    );
}

#[tokio::test]
async fn the_credential_does_not_go_to_another_host() {
    let upstream = Upstream::pleasant().await;
    let other = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    for endpoint in [
        other.origin().to_owned(),
        "https://example.com/x".to_owned(),
        format!("https://{}/x", upstream.authority()),
        "http://127.0.0.1/x".to_owned(),
        "/../x".to_owned(),
        "/%2e%2e/x".to_owned(),
    ] {
        let result = caller.call("GET", &endpoint).await;
        assert_error(result, ErrorKind::OriginMismatch, "Nothing was sent");
    }
    for endpoint in
        ["//example.com/x", "http://u@127.0.0.1/", "\\x", " /x", "/x\n", "mailto:a@b", "/a/..%2f..%2fb"]
    {
        let result = caller.call("GET", endpoint).await;
        assert_error(result, ErrorKind::InvalidRequest, "endpoint");
    }
    assert_eq!(upstream.connections() + other.connections(), 0);
}

#[tokio::test]
async fn every_method_is_sent_unchanged() {
    let upstream = Upstream::with(|request| {
        // A response to HEAD has no body.
        let body = if request.method == "HEAD" { "" } else { "{}" };
        Step::Send(answer(200, &["content-type: application/json"], body))
    })
    .await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] {
        let answer: Answer = caller.call(method, "/x").await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(upstream.requests().pop().unwrap().method, method);
    }
}

#[tokio::test]
async fn debug_output_of_a_request_shows_no_value() {
    let request = with_headers(get("header"), &[("Authorization", "canary-header")]);
    let mut request: ProxyRequest = read_json(request.to_string().as_bytes()).unwrap();
    request.endpoint = "/x?key=canary-query".to_owned();
    let shown = format!("{request:?}");
    assert!(shown.contains("Authorization") && !shown.contains("canary"), "{shown}");
}
