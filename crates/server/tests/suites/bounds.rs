//! The gateway checks the limits of a request before any other work: `docs/limits.md`.

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{ErrorKind, Parameter, ParameterLocation, Result, read_json};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::port::Port;
use crate::support::{
    Caller, Upstream, assert_error, call, credential, gateway, get, read_session, session, session_with,
    soon, tools_call, update,
};

/// Asserts a short error without a control character of terminals.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, says: &str) {
    let error = assert_error(result, kind, says);
    let text = format!("{error} {:?}", error.body().errors);
    assert!(text.len() < 1_500, "{} bytes: {}…", text.len(), text.chars().take(300).collect::<String>());
    assert!(!error.to_string().contains(['\n', '\u{1b}', '\u{202e}']), "{error}");
}

fn headers(names: impl IntoIterator<Item = String>, value: &str) -> Vec<Parameter> {
    parameters(names, value, ParameterLocation::Header)
}

fn parameters(
    names: impl IntoIterator<Item = String>,
    value: &str,
    location: ParameterLocation,
) -> Vec<Parameter> {
    names.into_iter().map(|name| Parameter { name, value: value.to_owned(), location }).collect()
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("x-{index}"))
}

#[tokio::test]
async fn parameters_are_counted_before_any_other_work() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "secret").await;
    let kib = "v".repeat(1024);
    let many_names: String = names(200_000).collect::<Vec<_>>().join(",");
    let mut connection = headers(["connection".to_owned()], &many_names);
    connection.extend(headers(names(100_000), "1"));
    for (parameters, says) in [
        (headers(names(101), "1"), "100 headers"),
        (headers(names(25_000), "1"), "100 headers"),
        (headers(names(40_000), "1"), "100 headers"),
        (connection, "100 headers"),
        (headers(vec!["x-same".to_owned(); 101], "1"), "100 headers"),
        (headers(names(64), &kib), "64 KiB of headers"),
        (headers(["x".repeat(65_537)], ""), "64 KiB of headers"),
        (headers(["connection".to_owned()], &many_names), "64 KiB of headers"),
        (parameters(names(101), "1", ParameterLocation::Query), "100 query parameters"),
        (parameters(names(64), &kib, ParameterLocation::Query), "64 KiB of query parameters"),
    ] {
        let request = json!({ "endpoint": "/x", "method": "GET", "parameters": parameters });
        assert_refused(caller.send(request.clone()).await, ErrorKind::InvalidRequest, says);
        let outside = json!({ "custom_connection_data": brought("header"), "endpoint": "/x", "method": "GET", "parameters": parameters });
        assert_refused(tools_call(&caller.gateway, outside).await, ErrorKind::InvalidRequest, says);
    }
    assert_eq!(upstream.connections(), 0);

    let mut both = headers(names(100), "1");
    both.extend(parameters(names(100), "1", ParameterLocation::Query));
    let request = json!({ "endpoint": "/x", "method": "GET", "parameters": both });
    assert_eq!(caller.send(request).await.unwrap().status(), 200);
}

fn brought(toolkit: &str) -> Value {
    let mut data = credential(toolkit, "secret");
    data["toolkitSlug"] = json!(toolkit);
    data
}

#[tokio::test]
async fn a_port_refuses_the_same_and_keeps_serving() {
    let upstream = Upstream::pleasant().await;
    let port = Port::open(&upstream).await;
    let path = format!("/api/v3.1/tool_router/session/{}/proxy_execute", port.caller.session);
    for count in [101, 25_000, 40_000] {
        let mut request = get("header");
        request["parameters"] = json!(headers(names(count), "1"));
        let answer = port.ask("POST", &path, &request.to_string()).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("100 headers"), "{}", answer.body);
    }
    let mut request = get("header");
    request["toolkit_slug"] = json!("a".repeat(8 << 20));
    let answer = port.ask("POST", &path, &request.to_string()).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.len() < 1_500);
    assert_eq!(port.ask("POST", &path, &get("header").to_string()).await.status, 200);
}

/// Texts that are far too long, with letters of a toolkit's slug and with others.
fn overlong(times: usize) -> [String; 3] {
    ["headr", "\u{1b}[31m\u{202e}\n", "\u{1f600}"].map(|text| text.repeat(times))
}

#[tokio::test]
async fn the_error_about_an_unknown_toolkit_is_short() {
    let upstream = Upstream::pleasant().await;
    let gateway = gateway(&upstream).await;
    let id = session(&gateway, "ann").await;
    let narrow = session_with(&gateway, json!({ "user_id": "ann", "toolkits": { "enable": ["open"] } }));
    let narrow = narrow.await.unwrap()["session_id"].as_str().unwrap().to_owned();
    for slug in overlong(1 << 18) {
        let unknown = ErrorKind::ToolkitNotFound;
        let own = json!({ "authScheme": "API_KEY", "toolkitSlug": slug, "val": { "api_key": "k" } });
        let outside = json!({ "custom_connection_data": own, "endpoint": "/x", "method": "GET" });
        assert_refused(call(&gateway, &id, get(&slug)).await, unknown, "no toolkit");
        assert_refused(
            call(&gateway, &narrow, get(&slug)).await,
            ErrorKind::ToolkitNotAllowed,
            "not allowed",
        );
        assert_refused(tools_call(&gateway, outside).await, ErrorKind::InvalidRequest, "64 KiB");
    }
    // The request of a session has at most 1 MiB, escapes included.
    for slug in overlong(1 << 16) {
        let unknown = ErrorKind::ToolkitNotFound;
        for part in [
            json!({ "toolkits": { "enable": [slug] } }),
            json!({ "toolkits": { "disable": [slug] } }),
            json!({ "connected_accounts": { (slug.as_str()): ["ca_1"] } }),
            json!({ "auth_configs": { (slug.as_str()): "ac_1" } }),
        ] {
            let mut request = part.clone();
            request["user_id"] = json!("ann");
            let created = session_with(&gateway, request).await;
            assert!([unknown, ErrorKind::InvalidSession].contains(&created.as_ref().unwrap_err().kind()));
            let kind = created.as_ref().unwrap_err().kind();
            assert_refused(created, kind, "");
            assert_refused(update(&gateway, &id, part).await, kind, "");
        }
        let request = json!({ "user_id": "ann", "toolkit": slug, "credential": credential("header", "k") });
        let request = read_json(request.to_string().as_bytes()).unwrap();
        assert_refused(soon(gateway.import_account(request)).await, unknown, "no toolkit");
    }
}

#[tokio::test]
async fn names_and_ids_have_a_limited_length() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "secret").await;
    let Caller { gateway, session: id, .. } = &caller;
    let too_long = "u".repeat(1_025);
    let invalid = ErrorKind::InvalidRequest;
    for user in overlong(1 << 14).iter().chain([&too_long]) {
        let created = session_with(gateway, json!({ "user_id": user })).await;
        assert_refused(created, invalid, "`user_id` is longer than 1024 bytes");
        let request =
            json!({ "user_id": user, "toolkit": "header", "credential": credential("header", "k") });
        let request = read_json(request.to_string().as_bytes()).unwrap();
        assert_refused(soon(gateway.import_account(request)).await, invalid, "`user_id` is longer than");
    }
    assert!(session_with(gateway, json!({ "user_id": "u".repeat(1_024) })).await.is_ok());

    for name in overlong(1 << 15) {
        let request = json!({
            "user_id": "ann", "toolkit": "header", "credential": credential("header", "k"), "alias": name,
        });
        let request = read_json(request.to_string().as_bytes()).unwrap();
        assert_refused(
            soon(gateway.import_account(request)).await,
            invalid,
            "`alias` is longer than 256 bytes",
        );
        assert_refused(call(gateway, &name, get("header")).await, ErrorKind::SessionNotFound, "Session");
        let outside = json!({ "connected_account_id": name, "endpoint": "/x", "method": "GET" });
        assert_refused(tools_call(gateway, outside).await, ErrorKind::AccountNotFound, "account");
        let cut: String = name.chars().take(1_000).collect();
        assert_refused(read_session(gateway, &cut).await, ErrorKind::SessionNotFound, "Session");
        let pinned = json!({ "connected_accounts": { "header": [cut] } });
        assert_refused(update(gateway, id, pinned).await, ErrorKind::InvalidPinnedAccount, "does not exist");
        let mut large = credential("header", "k");
        large["val"]["api_key"] = json!(name);
        let request = json!({ "user_id": "ann", "toolkit": "header", "credential": large });
        let request = read_json(request.to_string().as_bytes()).unwrap();
        assert_refused(
            soon(gateway.import_account(request)).await,
            invalid,
            "`credential` is longer than 64 KiB",
        );
        large["toolkitSlug"] = json!("header");
        let outside = json!({ "custom_connection_data": large, "endpoint": "/x", "method": "GET" });
        assert_refused(
            tools_call(gateway, outside).await,
            invalid,
            "`custom_connection_data` is longer than",
        );
        let url = json!({
            "endpoint": "/x", "method": "POST", "binary_body": { "url": format!("https://{name}.example/") },
        });
        assert_refused(caller.send(url).await, invalid, "`binary_body.url` is longer than 8 KiB");
        let typed = json!({
            "endpoint": "/x", "method": "POST", "binary_body": { "base64": "", "content_type": name },
        });
        assert_refused(caller.send(typed).await, invalid, "`binary_body.content_type` is longer than");
        let coded =
            json!({ "endpoint": "/x", "method": "POST", "binary_body": { "base64": "é".repeat(3 << 20) } });
        assert_refused(caller.send(coded).await, ErrorKind::PayloadTooLarge, "4 MiB");
        assert_refused(caller.call("GET", &name.repeat(3)).await, invalid, "64 KiB");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn the_parts_of_a_session_have_a_limited_size() {
    let gateway = Embedded::open(GatewayOptions::default()).await.unwrap();
    let id = session(&gateway, "ann").await;
    let map = |value: Value| (0..1_001).map(|index| (format!("t{index}"), value.clone())).collect::<Value>();
    for (part, says) in [
        (json!({ "toolkits": { "enable": vec!["github"; 1_001] } }), "`toolkits` names 1001"),
        (json!({ "toolkits": { "disable": vec!["github"; 1_001] } }), "`toolkits` names 1001"),
        (json!({ "auth_configs": map(json!("ac_1")) }), "`auth_configs` names 1001"),
        (json!({ "connected_accounts": map(json!(["ca_1"])) }), "`connected_accounts` names 1001"),
        (
            json!({ "connected_accounts": { "github": vec!["ca_1"; 1_001] }, "multi_account": { "enable": true } }),
            "`connected_accounts` names 1001",
        ),
        (json!({ "preload": { "tools": vec!["A_TOOL_OF_SOME_LENGTH"; 20_000] } }), "256 KiB"),
    ] {
        let mut request = part.clone();
        request["user_id"] = json!("ann");
        assert_refused(session_with(&gateway, request).await, ErrorKind::InvalidSession, says);
        assert_refused(update(&gateway, &id, part).await, ErrorKind::InvalidSession, says);
    }
    let whole = json!({ "user_id": "ann", "toolkits": { "enable": vec!["github"; 1_000] } });
    let narrow = session_with(&gateway, whole).await.unwrap()["session_id"].as_str().unwrap().to_owned();
    assert_refused(call(&gateway, &narrow, get("slack")).await, ErrorKind::ToolkitNotAllowed, "github");
}

#[tokio::test]
async fn lists_of_a_query_have_a_limited_length() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let ids = |count: usize| vec!["a"; count].join(",");
    for (path, status) in [
        (format!("/connected_accounts?user_ids={}", ids(1_000)), 200),
        (format!("/connected_accounts?user_ids={}", ids(1_001)), 400),
        (format!("/connected_accounts?connected_account_ids={}", ids(30_000)), 400),
        (format!("/connected_accounts?{}", "user_ids=a&".repeat(1_001)), 400),
        (format!("/tool_router/session/{}/toolkits?toolkits={}", port.caller.session, ids(1_001)), 400),
        (format!("/toolkits?search={}", "a".repeat(257)), 400),
        (format!("/auth_configs?search={}", "a".repeat(257)), 400),
        (format!("/auth_configs?search={}", "a".repeat(256)), 200),
    ] {
        let answer = port.ask("GET", &format!("/api/v3.1{path}"), "").await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(status == 200 || answer.body.len() < 1_500);
    }
}

#[tokio::test]
async fn a_resource_is_no_larger_than_a_mebibyte() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let of =
        |bytes: usize| json!({ "user_id": "ann", "preload": { "tools": ["x".repeat(bytes)] } }).to_string();
    for (bytes, status) in [(1 << 10, 201), (1 << 20, 413), (2 << 20, 413)] {
        let answer = port.ask("POST", "/api/v3.1/tool_router/session", &of(bytes)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

#[tokio::test]
async fn an_auth_config_that_would_restrict_its_accounts_is_refused() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let create = |part: &Value| {
        let mut config = json!({ "type": "use_custom_auth", "authScheme": "API_KEY" });
        config.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        json!({ "toolkit": { "slug": "header" }, "auth_config": config }).to_string()
    };
    let made = port.ask("POST", "/api/v3.1/auth_configs", &create(&json!({}))).await.json();
    let path = format!("/api/v3.1/auth_configs/{}", made["auth_config"]["id"].as_str().unwrap());
    for (part, status, says) in [
        (json!({ "restrict_to_following_tools": ["HEADER_GET"] }), 400, "`restrict_to_following_tools`"),
        (
            json!({ "tool_access_config": { "tools_available_for_execution": ["HEADER_GET"] } }),
            400,
            "`tool_access_config`",
        ),
        (json!({ "proxy_config": { "proxy_url": "http://proxy.example" } }), 400, "proxy_config"),
        (json!({ "name": "n".repeat(257) }), 400, "longer than 256 bytes"),
        (json!({ "credentials": { "token": "t".repeat(1 << 16) } }), 400, "longer than 64 KiB"),
        (json!({ "restrict_to_following_tools": [], "tool_access_config": {} }), 200, ""),
    ] {
        let created = port.ask("POST", "/api/v3.1/auth_configs", &create(&part)).await;
        assert_eq!(created.status, if status == 200 { 201 } else { status }, "{}", created.body);
        let mut change = part;
        change["type"] = json!("custom");
        let changed = port.ask("PATCH", &path, &change.to_string()).await;
        assert_eq!(changed.status, status, "{}", changed.body);
        assert!(created.body.contains(says) && changed.body.contains(says), "{says}: {}", changed.body);
    }
}

#[tokio::test]
async fn a_secret_in_a_query_has_a_limited_length() {
    let upstream = Upstream::pleasant().await;
    let gateway = gateway(&upstream).await;
    for (length, is_sent) in [(4_096, true), (4_097, false)] {
        let mut data = credential("query", &"k".repeat(length));
        data["toolkitSlug"] = json!("query");
        let call = json!({ "custom_connection_data": data, "endpoint": "/x", "method": "GET" });
        let result = tools_call(&gateway, call).await;
        if is_sent {
            assert_eq!(result.unwrap().status(), 200);
        } else {
            assert_refused(result, ErrorKind::InvalidRequest, "`val.api_key`");
        }
    }
    assert_eq!(upstream.requests().len(), 1);
}
