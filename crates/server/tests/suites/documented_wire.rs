//! Details of the hosted backend's wire that its SDKs depend on, in raw HTTP.

use serde_json::{Value, json};

use crate::port::{Port, VERSIONS, assert_refused};
use crate::resources::{ask, expect, read, text};
use crate::support::{Upstream, get, http, json_answer};

async fn port() -> Port {
    Port::open(&Upstream::always(json_answer(r#"{"a":1}"#)).await).await
}

#[tokio::test]
async fn a_call_in_a_session_has_a_result_type_and_any_other_has_none() {
    let port = port().await;
    for version in VERSIONS {
        let path = format!("{version}/tool_router/session/{}/proxy_execute", port.caller.session);
        let answer = port.ask("POST", &path, &get("header").to_string()).await;
        assert!(answer.body.starts_with(r#"{"result_type":"completed","status":200,"#), "{answer:?}");
        let request = json!({
            "endpoint": "/x", "method": "GET",
            "custom_connection_data": { "authScheme": "NO_AUTH", "toolkitSlug": "open", "val": {} },
        });
        let answer = port.ask("POST", &format!("{version}/tools/execute/proxy"), &request.to_string()).await;
        assert!(answer.body.starts_with(r#"{"status":200,"#), "{answer:?}");
    }
}

#[tokio::test]
async fn a_change_of_a_session_may_name_the_version_that_it_is_based_on() {
    let port = port().await;
    let created = expect(ask(&port, "POST", "/tool_router/session", json!({ "user_id": "ann" })).await, 201);
    assert_eq!(created["config_version"], 1);
    let path = format!("/tool_router/session/{}", text(&created["session_id"]));
    let change = async |expected: Value| {
        let request = json!({ "toolkits": ["header"], "expected_config_version": expected });
        ask(&port, "PATCH", &path, request).await
    };
    for (expected, version) in [(json!(1), 2), (json!(2), 3), (Value::Null, 4)] {
        assert_eq!(expect(change(expected).await, 200)["config_version"], version);
    }
    for stale in [1, 3, 5] {
        let says = format!("has config_version 4, not {stale} as expected");
        assert_refused(&change(json!(stale)).await, 409, "Conflict", &says);
    }
    for wrong in [json!("4"), json!(-1), json!(1.5)] {
        assert_refused(&change(wrong).await, 400, "InvalidRequest", "expected_config_version");
    }
    let unchanged = read(&port, &path).await;
    assert_eq!(unchanged["config_version"], 4);
    assert_eq!(unchanged["config"].get("expected_config_version"), None);
}

#[tokio::test]
async fn nulls_reset_the_parts_of_a_session() {
    let port = port().await;
    let account = &read(&port, "/connected_accounts?limit=1").await["items"][0];
    let (user, pin) = (text(&account["user_id"]), json!({ "header": [account["id"]] }));
    let request = json!({
        "user_id": user, "toolkits": ["header"], "connected_accounts": pin, "proxy_execute": { "enable": true },
        "multi_account": { "enable": true }, "workbench": { "enable": false }, "preload": { "tools": [] },
        "hooks": [], "instant": false, "tags": [], "tools": {}, "manage_connections": false,
    });
    let created = expect(ask(&port, "POST", "/tool_router/session", request.clone()).await, 201);
    assert_eq!(created["config"]["toolkits"], json!({ "enabled": ["header"] }));
    assert_eq!(created["config"]["proxy_execute"], json!({ "enable": true }));
    assert_eq!(created["config"]["instant"], json!(false));
    let path = format!("/tool_router/session/{}", text(&created["session_id"]));
    let mut nulls = request;
    nulls.as_object_mut().unwrap().remove("user_id");
    for value in nulls.as_object_mut().unwrap().values_mut() {
        *value = Value::Null;
    }
    let updated = expect(ask(&port, "PATCH", &path, nulls).await, 200);
    let fresh = expect(ask(&port, "POST", "/tool_router/session", json!({ "user_id": user })).await, 201);
    assert_eq!(updated["config"], fresh["config"]);

    // Every SDK reads these.
    for session in [&created, &updated, &fresh] {
        assert_eq!(session["mcp"]["type"], "http");
        assert!(session["mcp"]["url"].is_string());
        assert_eq!(session["config"]["preload"], json!({ "tools": [] }));
        assert_eq!(session["tool_router_tools"], json!([]));
        assert_eq!(session["config"]["user_id"], user);
    }
    // A list alone is short for the toolkits that are allowed.
    let updated = expect(ask(&port, "PATCH", &path, json!({ "toolkits": ["query"] })).await, 200);
    assert_eq!(updated["config"]["toolkits"], json!({ "enabled": ["query"] }));
    for (refused, status, slug) in [
        (json!({ "hooks": [{ "id": "h", "type": "before_execute" }] }), 400, "ToolRouterV2_BadRequest"),
        (json!({ "instant": { "toolkits": ["query"] } }), 501, "NotSupported"),
    ] {
        let part = refused.as_object().unwrap().keys().next().unwrap().clone();
        assert_refused(&ask(&port, "PATCH", &path, refused).await, status, slug, &part);
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_that_its_caller_gave_it() {
    let port = port().await;
    let ask = async |ids: &[&str]| {
        let mut headers = vec![("x-api-key", port.key.as_str())];
        headers.extend(ids.iter().map(|id| ("x-request-id", *id)));
        http(port.address, "GET", "/api/v3.1/tool_router/session/trs_none", &headers, "").await
    };
    let longest = "a".repeat(128);
    for id in ["0123456789abcdef0123456789abcdef", "req_Mine-1.2:3/4+5=@~6", &longest] {
        let answer = ask(&[id]).await;
        assert_eq!(answer.header("x-request-id"), Some(id));
        assert_eq!(answer.json()["error"]["request_id"], id);
    }
    let too_long = "a".repeat(129);
    for ids in
        [&[][..], &[""], &["a b"], &["a\tb"], &["a\"b"], &["<b>"], &["é"], &[&too_long], &["one", "two"]]
    {
        let answer = ask(ids).await;
        let own = answer.header("x-request-id").unwrap();
        assert!(own.starts_with("req_"), "{ids:?}: {own}");
        assert_eq!(answer.json()["error"]["request_id"], own);
    }
}

#[tokio::test]
async fn a_request_with_two_credentials_is_refused() {
    let port = port().await;
    let key = port.key.as_str();
    for others in [
        &[("x-api-key", key), ("x-user-api-key", "uak_1")][..],
        &[("x-api-key", key), ("x-org-api-key", "oak_1")],
        &[("x-user-api-key", "uak_1"), ("x-org-api-key", "oak_1")],
        &[("x-api-key", key), ("x-api-key", key)],
    ] {
        for (method, path) in [("GET", "/toolkits"), ("POST", "/tools/execute/proxy")] {
            let answer = http(port.address, method, &format!("/api/v3.1{path}"), others, "{}").await;
            assert_refused(&answer, 401, "HTTP_Unauthorized", "more than one credential");
        }
    }
    // Other headers beside the key are no second credential.
    let others =
        [("x-api-key", key), ("authorization", "Bearer other"), ("x-org-id", "o"), ("x-project-id", "p")];
    assert_eq!(http(port.address, "GET", "/api/v3.1/toolkits", &others, "").await.status, 200);
    let alone = http(port.address, "GET", "/api/v3.1/toolkits", &[("x-user-api-key", "uak_1")], "").await;
    assert_refused(&alone, 401, "InvalidApiKey", "No API key");
}
