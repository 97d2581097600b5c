//! The MCP server of a session, message by message.

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::CallFilter;
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};

use crate::port::{Port, assert_refused, key};
use crate::support::{HttpAnswer, Step, Upstream, http, json_answer, options, read_session, session};

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends a message to the session's server.
async fn send(port: &Port, key: &str, message: &Value) -> HttpAnswer {
    let path = format!("/mcp/{}", port.caller.session);
    http(port.address, "POST", &path, &[("x-api-key", key), ACCEPT, JSON], &message.to_string()).await
}

fn initialize() -> Value {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

fn call(tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params })
}

/// Calls a tool, and returns its text, and whether it failed.
async fn tool(port: &Port, key: &str, name: &str, arguments: Value) -> (String, bool) {
    let answer = send(port, key, &call(name, &arguments)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let result = &answer.json()["result"];
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    (text.to_owned(), result["isError"] == true)
}

async fn succeeded(port: &Port, name: &str, arguments: Value) -> Value {
    let (text, failed) = tool(port, &port.key, name, arguments).await;
    assert!(!failed, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn failed(port: &Port, key: &str, name: &str, arguments: Value) -> String {
    let (text, failed) = tool(port, key, name, arguments).await;
    assert!(failed, "{text}");
    text
}

#[tokio::test]
async fn a_client_is_greeted_and_finds_four_tools() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let greeted = send(&port, &port.key, &initialize()).await;
    assert_eq!((greeted.status, greeted.header("content-type")), (200, Some("application/json")));
    let result = &greeted.json()["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(result["serverInfo"]["name"], "proxy-execute");
    assert_eq!(greeted.header("mcp-session-id"), None);
    let told =
        send(&port, &port.key, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    assert_eq!((told.status, told.body.as_str()), (202, ""));

    let listed = send(&port, &port.key, &json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" })).await;
    let tools = listed.json()["result"]["tools"].clone();
    let names: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["list_toolkits", "describe_toolkit", "proxy_execute", "connect"]);
    assert_eq!(tools[2]["inputSchema"]["required"], json!(["toolkit", "method", "endpoint"]));
}

#[tokio::test]
async fn a_call_is_that_of_the_route() {
    let upstream = Upstream::always(json_answer(r#"{"n":12345678901234567890123}"#)).await;
    let port = Port::open(&upstream).await;
    let path = format!("/mcp/{}", port.caller.session);
    // The number has more digits than a JSON number of a program.
    let message = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"proxy_execute","arguments":{
        "toolkit":"header","method":"POST","endpoint":"/things?a=1","query":{"b":[2,"3"],"c":true,"d":null},
        "headers":{"X-Own":"yes"},"body":{"n":98765432109876543210987}}}}"#;
    let answer = http(port.address, "POST", &path, &[("x-api-key", &port.key), ACCEPT, JSON], message).await;
    let result = answer.json();
    assert_eq!((answer.status, &result["id"]), (200, &json!("x")));
    let text = result["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(r#""status":200"#) && text.contains(r#"{"n":12345678901234567890123}"#), "{text}");

    let sent = upstream.request();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/things?a=1&b=2&b=3&c=true"));
    assert_eq!((sent.header("x-api-key"), sent.header("x-own")), (Some("a-secret"), Some("yes")));
    assert_eq!(sent.body, br#"{"n":98765432109876543210987}"#);
    assert!(!sent.contains(&port.key), "the key of the port stays here");
    port.caller.gateway.close().await;
}

#[tokio::test]
async fn a_call_is_recorded_in_its_session() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let arguments = json!({ "toolkit": "header", "method": "GET", "endpoint": "/x" });
    assert_eq!(succeeded(&port, "proxy_execute", arguments).await["status"], 200);
    let recorded = loop {
        let calls = port.caller.gateway.calls(&CallFilter::newest(10)).await.unwrap();
        if let [call] = &calls[..] {
            break serde_json::to_value(call).unwrap();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(recorded["session_id"], port.caller.session);
    assert_eq!((&recorded["toolkit"], &recorded["path"]), (&json!("header"), &json!("/v1/x")));
}

#[tokio::test]
async fn toolkits_are_listed_described_and_connected() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let page = succeeded(&port, "list_toolkits", json!({ "connected": true })).await;
    assert_eq!((&page["total"], &page["toolkits"][0]["toolkit"]), (&json!(1), &json!("header")));
    assert_eq!(page["toolkits"][0]["account"]["status"], "ACTIVE");
    let first = succeeded(&port, "list_toolkits", json!({ "limit": 1 })).await;
    let next = succeeded(&port, "list_toolkits", json!({ "limit": 1, "cursor": first["next_cursor"] })).await;
    assert_ne!(first["toolkits"], next["toolkits"]);

    let github = succeeded(&port, "describe_toolkit", json!({ "toolkit": "github" })).await;
    assert_eq!(github["base_url"], "https://api.github.com");
    assert!(github["documentation"].as_str().unwrap().starts_with("https://docs.github.com"), "{github}");
    assert_eq!((&github["account"], &github["allowed_in_session"]), (&Value::Null, &json!(true)));

    let connecting = succeeded(&port, "connect", json!({ "toolkit": "query", "alias": "work" })).await;
    let link = connecting["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("http://{}/connect/lt_", port.address)), "{link}");
    let described = succeeded(&port, "describe_toolkit", json!({ "toolkit": "query" })).await;
    assert_eq!(described["needs_account"], true);
}

#[tokio::test]
async fn errors_of_the_gateway_are_tool_errors() {
    let upstream = Upstream::pleasant().await;
    let port = Port::open(&upstream).await;
    let get =
        |toolkit: &str, endpoint: &str| json!({ "toolkit": toolkit, "method": "GET", "endpoint": endpoint });
    for (tool, arguments, says) in [
        ("proxy_execute", get("bearer", "/x"), "The tool `connect` makes the link for the user."),
        ("proxy_execute", get("nowhere", "/x"), "nowhere"),
        ("proxy_execute", get("header", "https://elsewhere.example/"), "elsewhere.example"),
        ("proxy_execute", get("header", "/../x"), "leads above"),
        ("proxy_execute", json!({ "toolkit": "header", "method": "GET" }), "endpoint"),
        (
            "proxy_execute",
            json!({ "toolkit": "header", "method": "GET", "endpoint": "/", "more": 1 }),
            "more",
        ),
        (
            "proxy_execute",
            json!({ "toolkit": "header", "method": "GET", "endpoint": "/", "query": { "a": {} } }),
            "query.a",
        ),
        ("describe_toolkit", json!({ "toolkit": "nowhere" }), "nowhere"),
        ("list_toolkits", json!({ "limit": 51 }), "limit"),
        ("connect", json!({ "toolkit": "open" }), "open"),
    ] {
        let text = failed(&port, &port.key, tool, arguments).await;
        assert!(text.contains(says), "it should say {says:?}: {text}");
    }
    assert!(upstream.requests().is_empty());
    let answer = send(&port, &port.key, &call("proxy_execute", &get("bearer", "/x"))).await;
    let error = &answer.json()["result"]["structuredContent"]["error"];
    assert_eq!(error["slug"], "ToolRouterV2_NoActiveConnection");
    assert_eq!(error["request_id"].as_str(), answer.header("x-request-id"));
    let unknown = send(&port, &port.key, &call("nothing", &json!({}))).await;
    assert_eq!(unknown.json()["error"]["code"], -32602);
}

#[tokio::test]
async fn each_tool_needs_the_permission_of_its_route() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let gateway = &port.caller.gateway;
    let arguments = |tool| match tool {
        "proxy_execute" => json!({ "toolkit": "header", "method": "GET", "endpoint": "/x" }),
        "list_toolkits" => json!({}),
        _ => json!({ "toolkit": "query" }),
    };
    for (permissions, allowed) in [
        (json!({ "proxy_execute": "write" }), &["proxy_execute"][..]),
        (json!({ "sessions": "read" }), &["list_toolkits", "describe_toolkit"]),
        (json!({ "sessions": "write" }), &["connect"]),
        (json!({ "sessions": "read_write" }), &["list_toolkits", "describe_toolkit", "connect"]),
        (json!({ "toolkits": "read" }), &[]),
    ] {
        let key = key(gateway, json!({ "permissions": permissions })).await.unwrap();
        assert_eq!(send(&port, &key, &initialize()).await.status, 200);
        for name in ["list_toolkits", "describe_toolkit", "proxy_execute", "connect"] {
            let (text, failed) = tool(&port, &key, name, arguments(name)).await;
            assert_eq!(!failed, allowed.contains(&name), "{permissions} {name}: {text}");
            assert!(!failed || text.contains("lacks the permission"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_message_needs_a_key_a_session_and_the_form_of_mcp() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let path = format!("/mcp/{}", port.caller.session);
    let hello = initialize().to_string();
    let bearer = format!("bearer {}", port.key);
    let ask =
        async |headers: &[(&str, &str)], body: &str| http(port.address, "POST", &path, headers, body).await;
    assert_eq!(ask(&[("authorization", &bearer), ACCEPT, JSON], &hello).await.status, 200);
    let invalid =
        [("x-api-key", "ak_no"), ("authorization", "Bearer ak_no"), ("authorization", "Basic eDp5")];
    for header in invalid.into_iter().chain([("x-other", "")]) {
        assert_refused(&ask(&[header, ACCEPT, JSON], &hello).await, 401, "InvalidApiKey", "key");
    }
    // A key in `x-api-key` is the only one that counts.
    let both = [("x-api-key", "ak_no"), ("authorization", &bearer), ACCEPT, JSON];
    assert_refused(&ask(&both, &hello).await, 401, "InvalidApiKey", "key");
    // Other routes accept no bearer.
    let elsewhere = format!("/api/v3.1/tool_router/session/{}", port.caller.session);
    let refused = http(port.address, "GET", &elsewhere, &[("authorization", &bearer)], "").await;
    assert_refused(&refused, 401, "InvalidApiKey", "key");

    let own = ("x-api-key", port.key.as_str());
    assert_refused(&ask(&[own, JSON], &hello).await, 400, "InvalidRequest", "Accept");
    assert_refused(&ask(&[own, ACCEPT], &hello).await, 400, "InvalidRequest", "Content-Type");
    assert_refused(&ask(&[own, ACCEPT, JSON], "{").await, 400, "InvalidRequest", "MCP");
    let large = "x".repeat(1024 * 1024 + 1);
    assert_refused(&ask(&[own, ACCEPT, JSON], &large).await, 413, "PayloadTooLarge", "1 MiB");
    for method in ["GET", "DELETE", "PUT"] {
        let answer = http(port.address, method, &path, &[own, ACCEPT], "").await;
        assert_refused(&answer, 405, "MethodNotAllowed", method);
    }
    let missing = http(port.address, "POST", "/mcp/trs_none", &[own, ACCEPT, JSON], &hello).await;
    assert_refused(&missing, 404, "ToolRouterV2_SessionNotFound", "trs_none");
}

#[tokio::test]
async fn the_url_of_the_server_is_where_the_caller_reaches_the_gateway() {
    let upstream = Upstream::pleasant().await;
    let url = |session: &Value| session["mcp"]["url"].as_str().unwrap().to_owned();
    let port = Port::open(&upstream).await;
    let path = format!("/api/v3.1/tool_router/session/{}", port.caller.session);
    let id = &port.caller.session;
    let read = port.ask("GET", &path, "").await.json();
    assert_eq!(read["mcp"], json!({ "type": "http", "url": format!("http://{}/mcp/{id}", port.address) }));
    assert_eq!(url(&read_session(&port.caller.gateway, id).await.unwrap()), url(&read), "in process, too");
    let created = port.ask("POST", "/api/v3.1/tool_router/session", r#"{"user_id":"ann"}"#).await.json();
    assert!(url(&created).ends_with(created["session_id"].as_str().unwrap()));

    let by_name = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:9\r\nx-api-key: {}\r\nConnection: close\r\n\r\n",
        port.key
    );
    let answer = crate::support::http_bytes(port.address, by_name.as_bytes()).await;
    assert_eq!(url(&answer.json()), format!("http://localhost:9/mcp/{id}"));

    let public =
        GatewayOptions { public_url: Some("https://gateway.example/base/".to_owned()), ..options(&upstream) };
    let port = Port::with(public).await;
    let read = port.ask("GET", &format!("/api/v3.1/tool_router/session/{}", port.caller.session), "").await;
    assert_eq!(url(&read.json()), format!("https://gateway.example/base/mcp/{}", port.caller.session));

    let alone = Embedded::open(options(&upstream)).await.unwrap();
    let id = session(&alone, "ann").await;
    assert_eq!(url(&read_session(&alone, &id).await.unwrap()), "");
    alone.listen(Listen::default()).await.unwrap();
    assert_ne!(url(&read_session(&alone, &id).await.unwrap()), "");
}

#[tokio::test]
async fn a_gateway_may_serve_no_mcp() {
    let upstream = Upstream::pleasant().await;
    let port = Port::with(GatewayOptions { mcp: Some(false), ..options(&upstream) }).await;
    let read = port.ask("GET", &format!("/api/v3.1/tool_router/session/{}", port.caller.session), "").await;
    assert_eq!(read.json()["mcp"]["url"], "");
    assert_refused(&send(&port, &port.key, &initialize()).await, 404, "NotFound", "--no-mcp");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_call() {
    let upstream = Upstream::always(Step::SendAndHang(Vec::new())).await;
    let port = Port::open(&upstream).await;
    let arguments = json!({ "toolkit": "header", "method": "GET", "endpoint": "/x" });
    tokio::select! {
        _ = tool(&port, &port.key, "proxy_execute", arguments) => panic!("the upstream does not respond"),
        () = upstream.has_seen(|seen| seen.requests.len() == 1) => {}
    }
    upstream.has_seen(|seen| seen.gone == 1).await;
}

#[tokio::test]
async fn messages_count_against_the_limit_of_the_key() {
    let upstream = Upstream::pleasant().await;
    let listen = Listen { requests_per_minute: Some(1), ..Listen::default() };
    let port = Port::listening(options(&upstream), listen).await;
    let path = format!("/mcp/{}", port.caller.session);
    let bearer = format!("Bearer {}", port.key);
    let headers = [("authorization", bearer.as_str()), ACCEPT, JSON];
    let statuses = [
        http(port.address, "POST", &path, &headers, &initialize().to_string()).await.status,
        port.ask("GET", &format!("/api/v3.1/tool_router/session/{}", port.caller.session), "").await.status,
    ];
    assert_eq!(statuses, [200, 429]);
}
