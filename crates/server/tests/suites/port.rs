//! The gateway on a port, in raw HTTP: keys, routes, refusals, disconnects and closing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{CallFilter, CreateApiKey, ErrorKind, Result, read_json};
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{
    Caller, HttpAnswer, Step, Upstream, answer, assert_error, call, get, http, http_bytes, json_answer,
    options, parse, read_session, soon, tools_call,
};

pub(crate) const VERSIONS: [&str; 2] = ["/api/v3.1", "/api/v3"];

/// A caller whose gateway listens.
pub(crate) struct Port {
    pub(crate) caller: Caller,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Port {
    pub(crate) async fn open(upstream: &Upstream) -> Self {
        Self::with(options(upstream)).await
    }

    pub(crate) async fn with(options: GatewayOptions) -> Self {
        Self::listening(options, Listen::default()).await
    }

    pub(crate) async fn listening(options: GatewayOptions, listen: Listen) -> Self {
        let caller = Caller::with(options, "header", "a-secret").await;
        let address = caller.gateway.listen(listen).await.unwrap();
        let key = key(&caller.gateway, json!({})).await.unwrap();
        Self { caller, address, key }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> HttpAnswer {
        self.ask_with(&self.key, method, path, body).await
    }

    pub(crate) async fn ask_with(&self, key: &str, method: &str, path: &str, body: &str) -> HttpAnswer {
        http(self.address, method, path, &[("x-api-key", key)], body).await
    }

    fn proxy_path(&self) -> String {
        format!("/api/v3.1/tool_router/session/{}/proxy_execute", self.caller.session)
    }
}

pub(crate) async fn key(gateway: &Embedded, request: Value) -> Result<String> {
    let request: CreateApiKey = read_json(request.to_string().as_bytes())?;
    soon(gateway.create_api_key(request)).await.map(|key| key.key)
}

/// Asserts that a response is an error in the documented form.
#[track_caller]
pub(crate) fn assert_refused(answer: &HttpAnswer, status: u16, slug: &str, says: &str) {
    let error = &answer.json()["error"];
    assert_eq!((answer.status, error["slug"].as_str()), (status, Some(slug)), "{answer:?}");
    assert_eq!(error["status"], status);
    assert!(error["code"].is_i64());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let request_id = answer.header("x-request-id").unwrap();
    assert!(request_id.starts_with("req_"));
    assert_eq!(error["request_id"], request_id);
    assert!(error["message"].as_str().unwrap().contains(says), "it should say {says:?}: {answer:?}");
}

#[tokio::test]
async fn every_route_responds_under_both_versions() {
    let upstream = Upstream::always(json_answer(r#"{"a":1}"#)).await;
    let port = Port::open(&upstream).await;
    for version in VERSIONS {
        let sessions = format!("{version}/tool_router/session");
        let created = port.ask("POST", &sessions, r#"{"user_id":"ann"}"#).await;
        assert_eq!(created.status, 201);
        assert!(created.header("x-request-id").unwrap().starts_with("req_"));
        let id = created.json()["session_id"].as_str().unwrap().to_owned();
        let one = format!("{sessions}/{id}");

        let read = port.ask("GET", &one, "").await;
        assert_eq!((read.status, read.body), (200, created.body));
        let updated = port.ask("PATCH", &one, r#"{"toolkits":{"enable":["header"]}}"#).await;
        assert_eq!((updated.status, &updated.json()["config_version"]), (200, &json!(2)));
        let proxied = port.ask("POST", &format!("{one}/proxy_execute"), &get("header").to_string()).await;
        assert_eq!((proxied.status, &proxied.json()["data"]), (200, &json!({ "a": 1 })));
        assert_eq!(proxied.header("content-type"), Some("application/json"));
        let request = json!({
            "endpoint": "/x", "method": "GET",
            "custom_connection_data": { "authScheme": "NO_AUTH", "toolkitSlug": "open", "val": {} },
        });
        let proxied = port.ask("POST", &format!("{version}/tools/execute/proxy"), &request.to_string()).await;
        assert_eq!((proxied.status, &proxied.json()["status"]), (200, &json!(200)));

        let deleted = port.ask("DELETE", &one, "").await;
        assert_eq!((deleted.status, deleted.json()), (200, json!({ "session_id": id, "deleted": true })));
        let missing = port.ask("DELETE", &one, "").await;
        assert_refused(&missing, 404, "ToolRouterV2_SessionNotFound", &id);
    }
    let ids: std::collections::HashSet<_> = [port.ask("GET", "/", "").await, port.ask("GET", "/", "").await]
        .map(|answer| answer.header("x-request-id").unwrap().to_owned())
        .into();
    assert_eq!(ids.len(), 2, "no two requests share a name");
}

/// Every route, with the permission that it needs.
const ROUTES: [(&str, &str, &str, &str); 32] = [
    ("GET", "/api_keys", "api_keys", "read"),
    ("POST", "/api_keys", "api_keys", "write"),
    ("DELETE", "/api_keys/key_x", "api_keys", "write"),
    ("POST", "/tool_router/session", "sessions", "write"),
    ("GET", "/tool_router/session/trs_x", "sessions", "read"),
    ("PATCH", "/tool_router/session/trs_x", "sessions", "write"),
    ("DELETE", "/tool_router/session/trs_x", "sessions", "write"),
    ("GET", "/tool_router/session/trs_x/toolkits", "sessions", "read"),
    ("POST", "/tool_router/session/trs_x/link", "sessions", "write"),
    ("POST", "/tool_router/session/trs_x/proxy_execute", "proxy_execute", "write"),
    ("POST", "/tools/execute/proxy", "proxy_execute", "write"),
    ("GET", "/connected_accounts", "connected_accounts", "read"),
    ("POST", "/connected_accounts", "connected_accounts", "write"),
    ("POST", "/connected_accounts/link", "connected_accounts", "write"),
    ("GET", "/connected_accounts/ca_x", "connected_accounts", "read"),
    ("PATCH", "/connected_accounts/ca_x", "connected_accounts", "write"),
    ("DELETE", "/connected_accounts/ca_x", "connected_accounts", "write"),
    ("PATCH", "/connected_accounts/ca_x/status", "connected_accounts", "write"),
    ("PATCH", "/connected_accounts/ca_x/default", "connected_accounts", "write"),
    ("POST", "/connected_accounts/ca_x/refresh", "connected_accounts", "write"),
    ("POST", "/connected_accounts/ca_x/revoke", "connected_accounts", "write"),
    ("GET", "/auth_configs", "auth_configs", "read"),
    ("POST", "/auth_configs", "auth_configs", "write"),
    ("GET", "/auth_configs/ac_x", "auth_configs", "read"),
    ("PATCH", "/auth_configs/ac_x", "auth_configs", "write"),
    ("DELETE", "/auth_configs/ac_x", "auth_configs", "write"),
    ("PATCH", "/auth_configs/ac_x/ENABLED", "auth_configs", "write"),
    ("DELETE", "/users/ann", "users", "write"),
    ("GET", "/users/ann/records", "users", "read"),
    ("GET", "/toolkits", "toolkits", "read"),
    ("GET", "/toolkits/categories", "toolkits", "read"),
    ("GET", "/toolkits/slug-x", "toolkits", "read"),
];

#[tokio::test]
async fn every_route_needs_a_key_with_its_permission() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let gateway = &port.caller.gateway;
    let revoked = key(gateway, json!({ "name": "revoked" })).await.unwrap();
    let listed = gateway.list_api_keys().await.unwrap();
    let id = &listed.iter().find(|key| key.name.as_deref() == Some("revoked")).unwrap().id;
    gateway.revoke_api_key(id).await.unwrap();
    assert_error(gateway.revoke_api_key(id).await, ErrorKind::NotFound, id);

    for version in VERSIONS {
        for (method, route, area, level) in ROUTES {
            let path = format!("{version}{route}");
            let needed = format!("`{area}: {level}`");
            let answer = http(port.address, method, &path, &[], "{}").await;
            assert_refused(&answer, 401, "InvalidApiKey", &needed);
            for wrong in ["ak_wrong", "", &revoked, &port.key[..20], &port.key.to_uppercase()] {
                let answer = port.ask_with(wrong, method, &path, "{}").await;
                assert_refused(&answer, 401, "InvalidApiKey", &needed);
                assert!(wrong.is_empty() || !answer.body.contains(wrong));
            }
            let other = if area == "sessions" { "proxy_execute" } else { "sessions" };
            let other_level = if level == "read" { "write" } else { "read" };
            for permissions in [
                json!({}),
                json!({ other: "read_write" }),
                json!({ area: "none" }),
                json!({ area: other_level }),
            ] {
                let weak = key(gateway, json!({ "permissions": permissions })).await.unwrap();
                let answer = port.ask_with(&weak, method, &path, "{}").await;
                assert_refused(&answer, 403, "InsufficientPermissions", &needed);
            }
            for enough in [level, "read_write"] {
                let right = key(gateway, json!({ "permissions": { area: enough } })).await.unwrap();
                // A key creates no key with more permissions than its own.
                let body = if route == "/api_keys" { r#"{"permissions":{}}"# } else { "{}" };
                let answer = port.ask_with(&right, method, &path, body).await;
                assert!(matches!(answer.status, 200 | 201 | 400 | 404), "{answer:?}");
            }
        }
    }
    for (request, says) in [
        (json!({ "permissions": { "proxy": "write" } }), "`proxy`"),
        (json!({ "permissions": { "sessions": "admin" } }), "admin"),
        (json!({ "permission": {} }), "Unknown key `permission`"),
    ] {
        assert_error(key(gateway, request).await, ErrorKind::InvalidRequest, says);
    }
    let used = gateway.list_api_keys().await.unwrap();
    assert!(used.iter().any(|key| key.last_used_at.is_some()));
}

#[tokio::test]
async fn errors_name_the_missing_resource() {
    let port = Port::open(&Upstream::pleasant().await).await;
    for path in [
        "/api",
        "/api/v3.1",
        "/api/v2/tool_router/session",
        "/api/v3.1/tool_router/session/",
        "/api/v3.1/tool_router/session/trs_1/",
        "/api/v3.1/tool_router/session/a/b/proxy_execute",
        "/api/v3.1/nonsense",
        "//api/v3.1/tool_router/session",
    ] {
        assert_refused(&port.ask("POST", path, "{}").await, 404, "NotFound", path);
    }
    for version in VERSIONS {
        for (method, route) in [
            ("GET", "/tool_router/session"),
            ("PUT", "/tool_router/session/trs_x"),
            ("POST", "/tool_router/session/trs_x"),
            ("GET", "/tool_router/session/trs_x/proxy_execute"),
            ("DELETE", "/tools/execute/proxy"),
            ("OPTIONS", "/tools/execute/proxy"),
        ] {
            let answer = port.ask(method, &format!("{version}{route}"), "").await;
            assert_refused(&answer, 405, "MethodNotAllowed", method);
        }
    }
    for (id, status, slug, says) in [
        ("%ff", 400, "InvalidRequest", "UTF-8"),
        ("a%2Fb", 404, "ToolRouterV2_SessionNotFound", "`a/b`"),
        ("%00", 404, "ToolRouterV2_SessionNotFound", "`\\u{0}`"),
        ("trs_%F0%9F%98%80", 404, "ToolRouterV2_SessionNotFound", "\u{1f600}"),
    ] {
        let answer = port.ask("GET", &format!("/api/v3.1/tool_router/session/{id}"), "").await;
        assert_refused(&answer, status, slug, says);
    }
}

#[tokio::test]
async fn errors_name_the_place_of_invalid_json() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let proxy = port.proxy_path();
    for (path, body, says) in [
        (proxy.as_str(), "", "line 1 column 0"),
        (&proxy, "{\n \"endpoint\": }", "line 2 column 14"),
        (&proxy, "{\"endpoint\":\"/\"", "not valid JSON"),
        (
            &proxy,
            "{\"endpoint\":\"/\",\"method\":\"GET\",\"methd\":1}",
            "Unknown key `methd`. Did you mean `method`?",
        ),
        (&proxy, "{\"endpoint\":\"/\",\"method\":\"GET\",\"parameters\":{}}", "`parameters`"),
        (&proxy, "{\"endpoint\":\"/\",\"method\":\"GET\"}x", "trailing characters"),
        (&proxy, "[]", "must be an object, but is an array"),
        ("/api/v3.1/tool_router/session", "{\"user\":\"ann\"}", "user_id"),
        ("/api/v3.1/tool_router/session", "{\"user_id\":\"ann\",\"toolkit\":{}}", "Unknown key `toolkit`"),
        ("/api/v3/tools/execute/proxy", "nonsense", "line 1 column 2"),
    ] {
        assert_refused(&port.ask("POST", path, body).await, 400, "InvalidRequest", says);
    }
    let deep =
        format!("{{\"user_id\":\"ann\",\"workbench\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let answer = port.ask("POST", "/api/v3.1/tool_router/session", &deep).await;
    assert_refused(&answer, 400, "InvalidRequest", "recursion limit");
}

#[tokio::test]
async fn a_request_over_32_mib_is_refused() {
    let upstream = Upstream::pleasant().await;
    let port = Port::open(&upstream).await;
    let request = |size: usize| {
        let start = r#"{"toolkit_slug":"header","endpoint":"/x","method":"POST","body":[""#;
        format!("{start}{}\"]}}", "x".repeat(size - start.len() - 3))
    };
    const LIMIT: usize = 32 * 1024 * 1024;
    let answer = port.ask("POST", &port.proxy_path(), &request(LIMIT + 1)).await;
    assert_refused(&answer, 413, "PayloadTooLarge", "32 MiB");
    assert_eq!(upstream.connections(), 0);
    assert_eq!(port.ask("POST", &port.proxy_path(), &request(LIMIT)).await.status, 200);
}

#[tokio::test]
async fn a_form_has_little_before_the_content_of_its_parts() {
    let upstream = Upstream::pleasant().await;
    let port = Port::open(&upstream).await;
    let send = async |preamble: usize, headers: usize| {
        let call = r#"{"toolkit_slug":"header","endpoint":"/x","method":"POST","binary_body":{"size":5}}"#;
        let form = format!(
            "{}\r\n--b\r\ncontent-disposition: form-data; name=\"request\"\r\n\r\n{call}\r\n\
            --b\r\nx: {}\r\ncontent-disposition: form-data; name=\"body\"\r\n\r\nbytes\r\n--b--\r\n",
            "x".repeat(preamble),
            "x".repeat(headers),
        );
        let content_type = ("content-type", "multipart/form-data; boundary=b");
        http(port.address, "POST", &port.proxy_path(), &[("x-api-key", &port.key), content_type], &form).await
    };
    const MEBIBYTE: usize = 1024 * 1024;
    assert_refused(&send(4 * MEBIBYTE, 0).await, 413, "PayloadTooLarge", "part `request`");
    assert_refused(&send(0, 4 * MEBIBYTE).await, 413, "PayloadTooLarge", "part `body`");
    assert_eq!(upstream.connections(), 0);
    assert_eq!(send(8 * 1024, 8 * 1024).await.status, 200);
    assert_eq!(upstream.requests()[0].body, b"bytes");
}

#[tokio::test]
async fn no_body_is_read_without_a_valid_key() {
    let port = Port::open(&Upstream::pleasant().await).await;
    for (path, key) in [(port.proxy_path(), "ak_wrong"), ("/api/v3/tools/execute/proxy".to_owned(), "")] {
        // The body never comes.
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\ncontent-length: 30000000\r\n\r\n"
        );
        assert_refused(
            &http_bytes(port.address, head.as_bytes()).await,
            401,
            "InvalidApiKey",
            "proxy_execute",
        );
    }
}

#[tokio::test]
async fn errors_of_calls_have_their_status() {
    let upstream = Upstream::always(Step::SendAndReset(Vec::new())).await;
    let port = Port::open(&upstream).await;
    let proxy = port.proxy_path();
    let with = |field: &str, value: Value| {
        let mut request = get("header");
        request[field] = value;
        request.to_string()
    };
    for (body, status, slug) in [
        (get("header").to_string(), 502, "UpstreamBroken"),
        (with("endpoint", json!("https://example.com/")), 400, "OriginMismatch"),
        (with("toolkit_slug", json!("query")), 400, "ToolRouterV2_NoActiveConnection"),
        (with("toolkit_slug", json!("none")), 404, "ToolkitNotFound"),
        (with("connected_account_id", json!("ca_1")), 400, "InvalidRequest"),
    ] {
        assert_refused(&port.ask("POST", &proxy, &body).await, status, slug, "");
    }
    let request = r#"{"endpoint":"/x","method":"GET"}"#;
    let answer = port.ask("POST", "/api/v3/tools/execute/proxy", request).await;
    assert_refused(&answer, 400, "MissingAuthContext", "");
}

#[tokio::test]
async fn a_response_is_the_same_text_as_in_process() {
    for (content_type, body) in [
        ("application/json", "{ \"z\":12345678901234567890, \"a\":1e400,\n\"a\":\"\\ud800\" }"),
        ("application/json", "\"\u{2028}\u{1f600}\""),
        ("text/plain", "a\u{0}b\"\\ \u{e9}"),
        ("text/plain", ""),
    ] {
        let content_type = format!("content-type: {content_type}");
        let upstream =
            Upstream::always(Step::Send(answer(203, &[&content_type, "x-a: 1", "X-A: 2"], body))).await;
        let port = Port::open(&upstream).await;
        let on_port = port.ask("POST", &port.proxy_path(), &get("header").to_string()).await;
        assert_eq!(on_port.body, port.caller.get().await.unwrap().text);
    }
}

#[tokio::test]
async fn disconnecting_cancels_the_call_at_the_upstream() {
    let upstream = Upstream::always(Step::SendAndHang(Vec::new())).await;
    let port = Port::open(&upstream).await;
    let body = get("header").to_string();
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
        port.proxy_path(),
        port.key,
        body.len()
    );
    let mut callers = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        callers.push(stream);
    }
    upstream.has_seen(|seen| seen.requests.len() == 20).await;
    drop(callers);
    upstream.has_seen(|seen| seen.gone == 20).await;
    let calls = port.caller.gateway.calls(&CallFilter::newest(100)).await.unwrap();
    assert_eq!(calls.iter().filter(|call| call.outcome == "cancelled").count(), 20);
}

#[tokio::test]
async fn closing_lets_calls_end_and_accepts_no_more() {
    let signal = Arc::new(Notify::new());
    let step = Step::SendWhen(Arc::clone(&signal), answer(200, &["content-type: application/json"], "7"));
    let upstream = Upstream::always(step).await;
    let port = Arc::new(Port::open(&upstream).await);
    let gateway = port.caller.gateway.clone();
    let on_port = tokio::spawn({
        let port = Arc::clone(&port);
        async move { port.ask("POST", &port.proxy_path(), &get("header").to_string()).await }
    });
    let in_process = tokio::spawn({
        let port = Arc::clone(&port);
        async move { port.caller.get().await }
    });
    // A connection without a request must not delay the closing for long.
    let idle = TcpStream::connect(port.address).await.unwrap();
    upstream.has_seen(|seen| seen.requests.len() == 2).await;

    let closing = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.close().await }
    });
    soon(async {
        while TcpStream::connect(port.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_error(port.caller.get().await, ErrorKind::GatewayClosed, "closed");
    assert!(!closing.is_finished(), "it waits for the calls");
    signal.notify_waiters();
    assert_eq!(soon(on_port).await.unwrap().json()["data"], 7);
    assert_eq!(soon(in_process).await.unwrap().unwrap().data(), 7);
    soon(closing).await.unwrap();
    drop(idle);

    soon(gateway.close()).await;
    let id = port.caller.session.as_str();
    let closed = ErrorKind::GatewayClosed;
    assert_error(call(&gateway, id, get("header")).await, closed, "Gateway.open()");
    assert_error(tools_call(&gateway, json!({ "endpoint": "/x", "method": "GET" })).await, closed, "");
    assert_error(read_session(&gateway, id).await, closed, "");
    assert_error(gateway.listen(Listen::default()).await, closed, "");
    assert_error(gateway.calls(&CallFilter::newest(1)).await, closed, "");
    assert_error(key(&gateway, json!({})).await, closed, "");
    assert_error(gateway.account("ca_1").await, closed, "");
    assert_eq!(upstream.requests().len(), 2);
}

/// A store in a file.
fn in_file(file: &Path, upstream: &Upstream) -> GatewayOptions {
    GatewayOptions {
        store: Some(file.to_str().unwrap().to_owned()),
        encryption_key: Some("11".repeat(32).into()),
        ..options(upstream)
    }
}

#[tokio::test]
async fn health_checks_need_no_key_and_have_no_limit() {
    let upstream = Upstream::pleasant().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let gateway = Embedded::open(in_file(&file, &upstream)).await.unwrap();
    let listen = Listen { requests_per_minute: Some(1), ..Listen::default() };
    let address = gateway.listen(listen).await.unwrap();
    for path in ["/health", "/ready"] {
        for _ in 0..3 {
            let healthy = http(address, "GET", path, &[], "").await;
            assert_eq!((healthy.status, healthy.json()), (200, json!({ "status": "ok" })), "{path}");
            assert_eq!(healthy.header("cache-control"), Some("no-store"));
            assert_eq!(healthy.header("x-ratelimit"), None);
        }
        let head = http(address, "HEAD", path, &[], "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_refused(&http(address, "POST", path, &[], "").await, 405, "MethodNotAllowed", "POST");
    }
}

/// Waits until `/ready` has this status, and returns the response.
async fn ready(address: SocketAddr, status: u16) -> HttpAnswer {
    soon(async {
        loop {
            let answer = http(address, "GET", "/ready", &[], "").await;
            if answer.status == status {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_gateway_without_a_usable_store_is_alive_and_not_ready() {
    let upstream = Upstream::pleasant().await;
    let migration = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'of a newer version', TRUE, x'00', 0)";
    for (damage, mending, says) in [
        ("ALTER TABLE calls RENAME TO lost", "ALTER TABLE lost RENAME TO calls", "store"),
        (migration, "DELETE FROM _sqlx_migrations WHERE version = 9999", "another version"),
        (
            "UPDATE meta SET value = CAST('x' || value AS BLOB) WHERE name = 'key_check'",
            "UPDATE meta SET value = substr(value, 2) WHERE name = 'key_check'",
            "another encryption key",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.db");
        let gateway = Embedded::open(in_file(&file, &upstream)).await.unwrap();
        let address = gateway.listen(Listen::default()).await.unwrap();
        ready(address, 200).await;
        let mut store = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        sqlx::query(damage).execute(&mut store).await.unwrap();
        let refused = ready(address, 503).await;
        assert_refused(&refused, 503, "NotReady", says);
        let text = refused.body;
        assert!(!text.contains("gateway.db") && !text.contains("1111"), "{text}");
        assert_eq!(http(address, "GET", "/health", &[], "").await.status, 200);
        sqlx::query(mending).execute(&mut store).await.unwrap();
        ready(address, 200).await;
        gateway.close().await;
    }
}

#[tokio::test]
async fn a_closing_gateway_is_alive_and_not_ready() {
    let upstream = Upstream::always(Step::SendAndHang(Vec::new())).await;
    let port = Arc::new(Port::open(&upstream).await);
    let in_flight = tokio::spawn({
        let port = Arc::clone(&port);
        async move { port.caller.get().await }
    });
    upstream.has_seen(|seen| seen.requests.len() == 1).await;
    let [ready, health] = [begun(port.address, "/ready").await, begun(port.address, "/health").await];
    let closing = tokio::spawn({
        let gateway = port.caller.gateway.clone();
        async move { gateway.close().await }
    });
    port.caller.gateway.closing().await;
    assert_refused(&completed(ready).await, 503, "GatewayClosed", "closed");
    assert_eq!(completed(health).await.status, 200);
    soon(closing).await.unwrap();
    soon(in_flight).await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_draining_gateway_is_not_ready_and_responds_to_calls() {
    let upstream = Upstream::always(json_answer(r#"{"a":1}"#)).await;
    let listen = Listen { drain_delay_ms: Some(10_000), ..Listen::default() };
    let port = Arc::new(Port::listening(options(&upstream), listen).await);
    assert_eq!(http(port.address, "GET", "/ready", &[], "").await.status, 200);
    let began = Instant::now();
    let draining = port.caller.gateway.draining_token();
    let closing = tokio::spawn({
        let gateway = port.caller.gateway.clone();
        async move { gateway.close().await }
    });
    draining.cancelled().await;
    let [ready, health] = [begun(port.address, "/ready").await, begun(port.address, "/health").await];
    assert_refused(&completed(ready).await, 503, "GatewayClosed", "draining");
    assert_eq!(completed(health).await.status, 200);
    let called = port.ask("POST", &port.proxy_path(), &get("header").to_string()).await;
    assert_eq!(called.status, 200);
    soon(closing).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}

/// A connection on which the port has read a part of a request.
async fn begun(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let part = format!("GET {path} HTTP/1.1\r\nhost: x\r\n");
    stream.write_all(part.as_bytes()).await.unwrap();
    // The port reads in order, on one thread, so a response on a later connection means that it has read the part.
    assert_eq!(http(address, "GET", "/health", &[], "").await.status, 200);
    stream
}

async fn completed(mut stream: TcpStream) -> HttpAnswer {
    stream.write_all(b"\r\n").await.unwrap();
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.unwrap();
    parse(&bytes)
}

#[tokio::test]
async fn closing_cuts_off_calls_that_do_not_end() {
    let upstream = Upstream::always(Step::SendAndHang(Vec::new())).await;
    let port = Arc::new(Port::open(&upstream).await);
    let on_port = tokio::spawn({
        let port = Arc::clone(&port);
        async move { port.ask("POST", &port.proxy_path(), &get("header").to_string()).await }
    });
    let in_process = tokio::spawn({
        let port = Arc::clone(&port);
        async move { port.caller.get().await }
    });
    upstream.has_seen(|seen| seen.requests.len() == 2).await;
    let started = Instant::now();
    // Two callers wait for one close.
    tokio::join!(soon(port.caller.gateway.close()), soon(port.caller.gateway.close()));
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    // The error differs from that of a call that was not started: after that, a client would retry a write.
    let on_port = soon(on_port).await.unwrap();
    assert_refused(&on_port, 500, "CallCutOff", "not known");
    assert_eq!(on_port.header("x-should-retry"), Some("false"));
    assert_error(soon(in_process).await.unwrap(), ErrorKind::CallCutOff, "not known");
    upstream.has_seen(|seen| seen.gone == 2).await;
}

#[tokio::test]
async fn the_caller_is_told_not_to_retry_a_call_that_may_have_taken_effect() {
    let upstream = Upstream::always(Step::SendAndReset(Vec::new())).await;
    let port = Port::open(&upstream).await;
    let post = json!({ "toolkit_slug": "header", "endpoint": "/x", "method": "POST", "body": {} });
    let broken = port.ask("POST", &port.proxy_path(), &post.to_string()).await;
    assert_refused(&broken, 502, "UpstreamBroken", "127.0.0.1");
    assert_eq!(broken.header("x-should-retry"), Some("false"));
    assert_eq!(upstream.requests().len(), 1);
    let nowhere =
        json!({ "toolkit_slug": "header", "endpoint": "https://elsewhere.example", "method": "GET" });
    let refused = port.ask("POST", &port.proxy_path(), &nowhere.to_string()).await;
    assert_eq!((refused.status, refused.header("x-should-retry")), (400, None));
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_named() {
    let port = Port::open(&Upstream::pleasant().await).await;
    let gateway = &port.caller.gateway;
    let listen =
        |host: &str, port: u16| Listen { host: Some(host.to_owned()), port: Some(port), ..Listen::default() };
    let taken = listen("127.0.0.1", port.address.port());
    let result = soon(gateway.listen(taken)).await;
    assert_error(result, ErrorKind::InvalidOption, &format!("port {}", port.address.port()));
    for host in ["192.0.2.1", "no-such-host.invalid", ""] {
        let result = soon(gateway.listen(listen(host, 0))).await;
        assert_error(result, ErrorKind::InvalidOption, "cannot listen");
    }
    // Another address of the same gateway is fine.
    let second = soon(gateway.listen(listen("[::1]", 0))).await;
    let second = second.unwrap_or(port.address);
    assert_eq!(http(second, "GET", "/", &[], "").await.status, 200);
    let unknown = read_json::<Listen>(br#"{"hots":"::"}"#).unwrap_err();
    assert!(unknown.to_string().contains("Unknown key `hots`"), "{unknown}");
}
