//! The account of calls outside of a session that name none.

use proxy_execute_protocol::CallFilter;
use serde_json::{Value, json};

use crate::port::{Port, assert_refused};
use crate::resources::{account, ask, auth_config, expect, read, text};
use crate::support::{HttpAnswer, Upstream, json_answer};

async fn connect(port: &Port, config: &str, secret: &str) -> String {
    let request = account(config, "ann", secret);
    text(&expect(ask(port, "POST", "/connected_accounts", request).await, 201)["id"])
}

async fn set(port: &Port, id: &str, is_default: bool) -> HttpAnswer {
    let path = format!("/connected_accounts/{id}/default");
    ask(port, "PATCH", &path, json!({ "is_default": is_default })).await
}

/// Calls without an account.
async fn call(port: &Port) -> HttpAnswer {
    ask(port, "POST", "/tools/execute/proxy", json!({ "endpoint": "/x", "method": "GET" })).await
}

#[tokio::test]
async fn a_call_that_names_no_account_uses_the_default_account() {
    let upstream = Upstream::always(json_answer(r#"{"a":1}"#)).await;
    let port = Port::open(&upstream).await;
    let config = auth_config(&port, "header").await;
    let [first, second] = [connect(&port, &config, "first").await, connect(&port, &config, "second").await];
    let uses = async |secret: &str| {
        expect(call(&port).await, 200);
        assert_eq!(upstream.requests().last().unwrap().header("x-api-key"), Some(secret));
    };
    let none = async || {
        let sent = upstream.requests().len();
        assert_refused(&call(&port).await, 400, "MissingAuthContext", "there is no default account");
        assert_eq!(upstream.requests().len(), sent);
    };
    let is_default =
        async |id: &str| read(&port, &format!("/connected_accounts/{id}")).await["is_default"] == true;

    none().await;
    assert_eq!(expect(set(&port, &first, true).await, 200), json!({ "success": true }));
    uses("first").await;
    let recorded = port.caller.gateway.calls(&CallFilter::newest(1)).await.unwrap();
    assert_eq!(recorded[0].connected_account_id.as_deref(), Some(first.as_str()));
    assert_eq!(recorded[0].user_id.as_deref(), Some("ann"));

    // There is one for the whole project: the next one replaces it.
    expect(set(&port, &second, true).await, 200);
    uses("second").await;
    assert!(is_default(&second).await && !is_default(&first).await);
    // An account that is not the default one leaves it as it is.
    expect(set(&port, &first, false).await, 200);
    uses("second").await;
    // A session never uses it, and a named account comes first.
    let named = json!({ "endpoint": "/x", "method": "GET", "connected_account_id": first });
    expect(ask(&port, "POST", "/tools/execute/proxy", named).await, 200);
    assert_eq!(upstream.requests().last().unwrap().header("x-api-key"), Some("first"));

    // A new credential applies at once.
    let state = json!({ "authScheme": "API_KEY", "val": { "api_key": "third" } });
    let change = json!({ "connection": { "state": state } });
    expect(ask(&port, "PATCH", &format!("/connected_accounts/{second}"), change).await, 200);
    uses("third").await;

    expect(set(&port, &second, false).await, 200);
    none().await;
}

#[tokio::test]
async fn a_default_account_that_cannot_be_used_is_refused() {
    let upstream = Upstream::always(json_answer(r#"{"a":1}"#)).await;
    let port = Port::open(&upstream).await;
    let config = auth_config(&port, "header").await;
    let id = connect(&port, &config, "k").await;
    let enable = async |enabled: bool| {
        let path = format!("/connected_accounts/{id}/status");
        expect(ask(&port, "PATCH", &path, json!({ "enabled": enabled })).await, 200);
    };
    enable(false).await;
    assert_refused(&set(&port, &id, true).await, 422, "ConnectedAccountNotUsable", "is disabled");
    enable(true).await;
    expect(set(&port, &id, true).await, 200);
    expect(call(&port).await, 200);
    enable(false).await;
    assert_refused(&call(&port).await, 422, "ConnectedAccountNotUsable", "is disabled");
    enable(true).await;
    expect(call(&port).await, 200);

    assert_refused(&set(&port, "ca_none", true).await, 404, "ConnectedAccountNotFound", "ca_none");
    assert_refused(&set(&port, "ca_none", false).await, 404, "ConnectedAccountNotFound", "ca_none");
    let mut request = account(&config, "ann", "k");
    request["connection"]["experimental"] = json!({ "account_type": "SHARED" });
    let shared = text(&expect(ask(&port, "POST", "/connected_accounts", request).await, 201)["id"]);
    assert_refused(&set(&port, &shared, true).await, 400, "InvalidRequest", "is SHARED");
    // None of these refusals changed the default account.
    expect(call(&port).await, 200);

    for deleted in [format!("/connected_accounts/{id}"), format!("/auth_configs/{config}")] {
        expect(ask(&port, "DELETE", &deleted, Value::Null).await, 200);
        assert_refused(&call(&port).await, 400, "MissingAuthContext", "there is no default account");
        let next = ask(&port, "POST", "/connected_accounts", account(&config, "ann", "k")).await;
        if next.status == 201 {
            expect(set(&port, &text(&next.json()["id"]), true).await, 200);
            expect(call(&port).await, 200);
        }
    }
}
