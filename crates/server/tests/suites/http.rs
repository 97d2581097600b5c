//! HTTP itself on the port: which requests get a response, over HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ::http as http_types;
use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{ErrorKind, read_json};
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connect::{Browser, assert_page, link};
use crate::port::{Port, assert_refused, key};
use crate::support::{HttpAnswer, Step, Upstream, answer, http, http_bytes, soon};

async fn port() -> Port {
    Port::open(&Upstream::pleasant().await).await
}

/// A response, with the names of its headers in lower case.
fn with_body(status: u16, headers: &http_types::HeaderMap, body: &[u8]) -> HttpAnswer {
    let text = |value: &http_types::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    HttpAnswer { status, headers, body: String::from_utf8_lossy(body).into_owned() }
}

/// One GET over HTTP/2; `None` when the server resets its stream.
async fn http2(address: SocketAddr, authority: &str, headers: &[(&str, &str)]) -> Option<HttpAnswer> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut uri = http_types::Uri::builder().path_and_query("/health");
    if !authority.is_empty() {
        uri = uri.scheme("http").authority(authority);
    }
    let mut request = http_types::Request::get(uri.build().unwrap()).body(()).unwrap();
    for (name, value) in headers {
        let name: http_types::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let (response, _) = client.send_request(request, true).unwrap();
    let response = soon(response).await.ok()?;
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    connection.abort();
    Some(with_body(head.status.as_u16(), &head.headers, &bytes))
}

#[tokio::test]
async fn a_request_has_one_host() {
    let port = port().await;
    let long = "a".repeat(300);
    for (hosts, is_valid) in [
        (&["gateway.example"][..], true),
        (&["gateway.example:8080"], true),
        (&["my_gateway"], true),
        (&["127.0.0.1:1"], true),
        (&["[::1]:9900"], true),
        (&["[::1]"], true),
        (&["a%20b"], true),
        (&["gateway.example:"], true),
        (&[], false),
        (&[""], false),
        (&["gateway.example", "gateway.example"], false),
        (&["a", "b"], false),
        (&["a b"], false),
        (&["a,b"], true),
        (&["user@gateway.example"], false),
        (&["gateway.example/path"], false),
        (&["http://gateway.example"], false),
        (&["gateway.example:port"], false),
        (&["gateway.example:99999"], false),
        (&["gateway.example:80:80"], false),
        (&[":8080"], false),
        (&["[::1"], false),
        (&["[gateway]"], false),
        (&["[::1]x"], false),
        (&["a%2"], false),
        (&["a%zz"], false),
        (&["a?b"], false),
        (&["a#b"], false),
        (&["a\\b"], false),
        (&["h\u{e9}"], false),
        (&[&long], false),
    ] {
        let lines: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let request = format!("GET /health HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
        let answer = http_bytes(port.address, request.as_bytes()).await;
        if is_valid {
            assert_eq!(answer.status, 200, "{hosts:?}: {answer:?}");
        } else {
            assert_refused(&answer, 400, "InvalidRequest", "Host");
            assert_eq!(answer.header("connection"), Some("close"), "{hosts:?}");
        }
    }
    // HTTP/1.0 needs no `Host`, but a wrong one is refused (RFC 9112 §3.2).
    assert_eq!(http_bytes(port.address, b"GET /health HTTP/1.0\r\n\r\n").await.status, 200);
    let two = http_bytes(port.address, b"GET /health HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n").await;
    assert_refused(&two, 400, "InvalidRequest", "Host");
    let absolute = |host: &str| format!("GET http://x/health HTTP/1.1\r\n{host}connection: close\r\n\r\n");
    assert_eq!(http_bytes(port.address, absolute("host: x\r\n").as_bytes()).await.status, 200);
    let none = http_bytes(port.address, absolute("").as_bytes()).await;
    assert_refused(&none, 400, "InvalidRequest", "Host");
}

#[tokio::test]
async fn an_http2_request_has_one_host() {
    let port = port().await;
    let ok = async |authority, headers| {
        let answer = http2(port.address, authority, headers).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    ok("gateway.example:9900", &[][..]).await;
    ok("gateway.example", &[("host", "gateway.example")]).await;
    ok("Gateway.example", &[("host", "gateway.EXAMPLE")]).await;
    for (authority, headers) in [
        ("user@gateway.example", &[][..]),
        ("gateway.example", &[("host", "other.example")]),
        ("gateway.example", &[("host", "gateway.example"), ("host", "gateway.example")]),
        ("gateway.example", &[("host", "a b")]),
    ] {
        let answer = http2(port.address, authority, headers).await.unwrap();
        assert_refused(&answer, 400, "InvalidRequest", "Host");
    }
}

#[tokio::test]
async fn a_body_has_no_coding_but_chunked() {
    let port = port().await;
    for coding in [
        "gzip",
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked;a=b",
        "xchunked",
        "\"chunked\"",
        "gzip\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: gzip",
    ] {
        let request = format!(
            "POST /api/v3/tools/execute/proxy HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n",
            port.key
        );
        let answer = http_bytes(port.address, request.as_bytes()).await;
        assert_refused(&answer, 501, "NotSupported", "Transfer-Encoding");
        assert_eq!(answer.header("connection"), Some("close"), "{coding:?}");
    }
    for coding in ["chunked", "Chunked", " chunked "] {
        let request = format!(
            "POST /api/v3/tools/execute/proxy HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: {}\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n",
            port.key
        );
        let answer = http_bytes(port.address, request.as_bytes()).await;
        assert_refused(&answer, 400, "InvalidRequest", "endpoint");
    }
}

#[tokio::test]
async fn every_refusal_of_the_http_layer_is_an_envelope() {
    let port = port().await;
    let headers = |count: usize, value: &str| {
        (0..count).map(|number| format!("x-{number}: {value}\r\n")).collect::<String>()
    };
    let with = |lines: &str| format!("GET /health HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    for (request, status, slug) in [
        ("GARBAGE\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        ("GET\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        ("GET /\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        ("GET / HTTP/3.0\r\nhost: x\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        ("G@T / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        ("GET /a b HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        (with("no colon\r\n"), 400, "InvalidRequest"),
        (with("name : value\r\n"), 400, "InvalidRequest"),
        (with("a: b\r\n folded\r\n"), 400, "InvalidRequest"),
        (with("a: \u{1}\r\n"), 400, "InvalidRequest"),
        (with("content-length: -1\r\n"), 400, "InvalidRequest"),
        (with("content-length: +1\r\n"), 400, "InvalidRequest"),
        (with("content-length: 1x\r\n"), 400, "InvalidRequest"),
        (with("content-length: 1\r\ncontent-length: 2\r\n"), 400, "InvalidRequest"),
        (with("content-length: 99999999999999999999999\r\n"), 400, "InvalidRequest"),
        ("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), 400, "InvalidRequest"),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000)), 414, "UriTooLong"),
        (with(&headers(101, "v")), 431, "HeadTooLarge"),
        (with(&headers(1, &"v".repeat(70_000))), 431, "HeadTooLarge"),
        (with(&headers(90, &"v".repeat(1_000))), 431, "HeadTooLarge"),
        (with(&headers(2, &"v".repeat(1_000_000))), 431, "HeadTooLarge"),
    ] {
        let answer = http_bytes(port.address, request.as_bytes()).await;
        assert_refused(&answer, status, slug, "");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
        assert!(answer.header("date").is_some());
        assert!(answer.header("x-proxy-execute").is_some());
        let error = &answer.json()["error"];
        assert!(error["suggested_fix"].is_string(), "{answer:?}");
    }
    // The same after a request that gets a response.
    let pipelined = http_pieces(port.address, "GET /health HTTP/1.1\r\nhost: x\r\n\r\nGARBAGE\r\n\r\n").await;
    let (first, second) = pipelined.split_once("{\"status\":\"ok\"}").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{pipelined}");
    assert!(second.starts_with("HTTP/1.1 400 Bad Request\r\n") && second.contains("x-request-id: req_"));
    assert!(second.contains("\"slug\":\"InvalidRequest\""));
}

/// All bytes that the port sends in response to these bytes.
async fn http_pieces(address: SocketAddr, request: &str) -> String {
    soon(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    })
    .await
}

#[tokio::test]
async fn an_http2_head_has_a_limit() {
    let port = port().await;
    let value = "v".repeat(1_000);
    let names: Vec<_> = (0..90).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    assert_refused(&http2(port.address, "x", &many).await.unwrap(), 431, "HeadTooLarge", "64 KiB");
    assert_eq!(http2(port.address, "x", &many[..50]).await.unwrap().status, 200);
    let names: Vec<_> = (0..101).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_refused(&http2(port.address, "x", &many).await.unwrap(), 431, "HeadTooLarge", "100");
}

#[tokio::test]
async fn the_root_describes_the_gateway() {
    let port = port().await;
    let get = async |method: &str, accept: &[(&str, &str)]| http(port.address, method, "/", accept, "").await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = get("GET", &[("accept", browser)]).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for says in ["proxy-execute", "/openapi.json", "/health", "x-api-key", "<!doctype html>"] {
        assert!(page.body.contains(says), "{says}: {}", page.body);
    }
    assert_eq!(page.header("vary"), Some("accept"));
    for accept in
        [&[][..], &[("accept", "*/*")], &[("accept", "application/json")], &[("accept", "text/html;q=0")]]
    {
        let answer = get("GET", accept).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json")),
            "{accept:?}"
        );
        assert_eq!(answer.json()["openapi"], "/openapi.json");
        assert_eq!(answer.json()["name"], "proxy-execute");
    }
    let head = get("HEAD", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_refused(&get("POST", &[]).await, 405, "MethodNotAllowed", "POST");
}

#[tokio::test]
async fn missing_routes_of_the_vendor_name_the_replacement() {
    let port = port().await;
    for version in crate::port::VERSIONS {
        for (method, path, says) in [
            ("GET", "/tools", "proxy_execute"),
            ("GET", "/tools/GITHUB_GET_A_REPOSITORY", "proxy_execute"),
            ("GET", "/tools/enum", "proxy_execute"),
            ("POST", "/tools/execute/GITHUB_GET_A_REPOSITORY", "proxy_execute"),
            ("POST", "/tools/execute/GITHUB_GET_A_REPOSITORY/input", "proxy_execute"),
            ("POST", "/tools/scopes/required", "proxy_execute"),
            ("POST", "/tool_router/session/trs_1/execute", "proxy_execute"),
            ("POST", "/tool_router/session/trs_1/execute_meta", "proxy_execute"),
            ("POST", "/tool_router/session/trs_1/search", "proxy_execute"),
            ("GET", "/tool_router/session/trs_1/tools", "proxy_execute"),
            ("POST", "/tool_router/session/trs_1/attach", "tools"),
            ("GET", "/tool_router/session/trs_1/mcp", "MCP"),
            ("POST", "/tool_router/trs_1/mcp", "MCP"),
            ("GET", "/tool_router/session/trs_1/config_history", "configuration"),
            ("GET", "/tool_router/session/trs_1/mounts/files/items", "files"),
            ("GET", "/session_configs", "configuration"),
            ("GET", "/triggers_types", "triggers"),
            ("GET", "/trigger_instances/active", "triggers"),
            ("POST", "/trigger_instances/GITHUB_COMMIT_EVENT/upsert", "triggers"),
            ("GET", "/webhook_endpoints", "webhooks"),
            ("GET", "/mcp/servers", "MCP"),
            ("POST", "/mcp/servers/generate", "MCP"),
            ("POST", "/files/upload/request", "binary_body"),
            ("GET", "/files/list", "binary_body"),
            ("POST", "/custom/toolkits/sync", "toolkit"),
            ("POST", "/toolkits/multi", "/toolkits"),
            ("GET", "/toolkits/changelog", "/toolkits"),
            ("POST", "/connected_accounts/complete_auth", "link"),
            ("POST", "/logs/tool_execution", "calls"),
            ("POST", "/project/usage/summary", "calls"),
            ("GET", "/org/project/list", "key"),
            ("GET", "/auth/session/info", "key"),
            ("POST", "/api_key_revocation", "key"),
            ("GET", "/cli/get-session", "vendor"),
            ("GET", "/internal/sdk/realtime/credentials", "triggers"),
        ] {
            let answer = port.ask(method, &format!("{version}{path}"), "{}").await;
            assert_refused(&answer, 501, "NotSupported", says);
        }
    }
    let outside = port.ask("POST", "/tool_router/trs_1/mcp", "{}").await;
    assert_refused(&outside, 501, "NotSupported", "MCP");
    // No route of either.
    let path = "/api/v3.1/nonsense";
    let answer = port.ask("GET", path, "").await;
    assert_refused(&answer, 404, "NotFound", path);
    assert!(!answer.body.contains("Paths begin with"), "{answer:?}");
}

#[tokio::test]
async fn tools_of_the_caller_are_refused() {
    let port = port().await;
    let tool = json!({ "slug": "MINE", "name": "Mine", "description": "x", "input_schema": {} });
    for experimental in [
        json!({ "custom_tools": [tool] }),
        json!({ "custom_toolkits": [{ "slug": "MINE", "name": "x", "description": "x", "tools": [tool] }] }),
    ] {
        let name = experimental.as_object().unwrap().keys().next().unwrap().clone();
        let request = json!({ "user_id": "ann", "experimental": experimental });
        let answer = port.ask("POST", "/api/v3.1/tool_router/session", &request.to_string()).await;
        assert_refused(&answer, 501, "NotSupported", &format!("experimental.{name}"));
        let session = format!("/api/v3.1/tool_router/session/{}", port.caller.session);
        let change = json!({ "experimental": experimental });
        let answer = port.ask("PATCH", &session, &change.to_string()).await;
        assert_refused(&answer, 501, "NotSupported", &format!("experimental.{name}"));
    }
    for experimental in
        [Value::Null, json!({}), json!({ "custom_tools": [] }), json!({ "custom_toolkits": null })]
    {
        let request = json!({ "user_id": "ann", "experimental": experimental });
        let answer = port.ask("POST", "/api/v3.1/tool_router/session", &request.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

#[tokio::test]
async fn invalid_keys_share_a_limit() {
    let gateway = Embedded::open(GatewayOptions::default()).await.unwrap();
    let listen = Listen { requests_per_minute: Some(3), ..Listen::default() };
    let address = gateway.listen(listen).await.unwrap();
    let real = key(&gateway, json!({})).await.unwrap();
    let ask = async |headers: &[(&str, &str)]| {
        http(address, "GET", "/api/v3.1/toolkits/github", headers, "").await.status
    };
    assert_eq!(ask(&[("x-api-key", "made-up-1")]).await, 401);
    assert_eq!(ask(&[("x-api-key", "made-up-2")]).await, 401);
    assert_eq!(ask(&[]).await, 401);
    assert_eq!(ask(&[("x-api-key", "made-up-3")]).await, 429);
    assert_eq!(ask(&[]).await, 429);
    // A valid key has its own limit, which other callers cannot use up.
    for _ in 0..3 {
        assert_eq!(ask(&[("x-api-key", &real)]).await, 200);
    }
    assert_eq!(ask(&[("x-api-key", &real)]).await, 429);
    let revoked = key(&gateway, json!({ "name": "revoked" })).await.unwrap();
    let id = gateway.list_api_keys().await.unwrap().into_iter().find(|key| key.name.is_some()).unwrap().id;
    gateway.revoke_api_key(&id).await.unwrap();
    assert_eq!(ask(&[("x-api-key", &revoked)]).await, 429);
}

#[tokio::test]
async fn the_message_contains_the_advice() {
    let port = port().await;
    for (answer, status) in [
        (port.ask("GET", "/api/v3.1/tool_router/session/trs_x", "").await, 404),
        (port.ask_with("ak_wrong", "GET", "/api/v3.1/toolkits", "").await, 401),
        (port.ask("POST", "/api/v3.1/tool_router/session", "{}").await, 400),
    ] {
        let error = &answer.json()["error"];
        assert_eq!(answer.status, status);
        let (message, fix) = (error["message"].as_str().unwrap(), error["suggested_fix"].as_str().unwrap());
        assert!(message.ends_with(fix) && message.len() > fix.len(), "{error}");
        assert_eq!(message.matches(fix).count(), 1, "{error}");
    }
}

/// A port with this time limit for a request, and the details that callers need.
async fn impatient(timeout_ms: u64) -> Port {
    let upstream = Upstream::pleasant().await;
    let listen = Listen { request_timeout_ms: Some(timeout_ms), ..Listen::default() };
    Port::listening(crate::support::options(&upstream), listen).await
}

/// Sends the head, and then a piece of the body each 50 ms. Returns all bytes of the port, once it has closed
/// the connection.
async fn trickle(address: SocketAddr, head: &str, piece: &str) -> String {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let (head, piece) = (head.to_owned(), piece.to_owned());
    let trickling = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await.unwrap();
        while writer.write_all(piece.as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut bytes = Vec::new();
    // A connection that is reset has been closed, too.
    _ = soon(reader.read_to_end(&mut bytes)).await;
    trickling.abort();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_request_that_trickles_times_out() {
    let port = impatient(700).await;
    let (key, session) = (&port.key, &port.caller.session);
    let call = format!("/api/v3.1/tool_router/session/{session}/proxy_execute");
    let head =
        |path: &str, more: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{more}");
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let form = "content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, head, piece, is_answered) in [
        ("nothing", String::new(), "", false),
        ("a method", "PO".to_owned(), "S", false),
        ("a URI", "GET /".to_owned(), "a", false),
        ("headers", head("/", ""), "x: y\r\n", false),
        ("the name of a header", head("/", ""), "x", false),
        ("a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n".to_owned(), "", false),
        ("a body in chunks", head(&call, chunked), "1\r\n \r\n", true),
        ("the size of a chunk", head(&call, chunked), "0", true),
        ("an extension of a chunk", head(&call, &format!("{chunked}1;")), "a", true),
        ("a body with a length", head(&call, "content-length: 9999\r\n\r\n"), " ", true),
        ("a body of a resource", head("/api/v3/auth_configs", "content-length: 9999\r\n\r\n"), " ", true),
        ("before the first part of a form", head(&call, form), "1\r\n \r\n", true),
        (
            "the call in a form",
            head(
                &call,
                &format!(
                    "{form}3B\r\n--b\r\ncontent-disposition: form-data; name=\"request\"\r\n\r\n {{\"a\r\n"
                ),
            ),
            "1\r\n \r\n",
            true,
        ),
    ] {
        let began = Instant::now();
        let answer = trickle(port.address, &head, piece).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{what}: {:?}", began.elapsed());
        let is_refused = answer.starts_with("HTTP/1.1 400 ") && answer.contains("in time");
        assert_eq!(is_refused, is_answered, "{what}: {answer:?}");
        assert!(is_answered || answer.is_empty(), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn an_http2_request_that_trickles_times_out() {
    let port = impatient(700).await;
    let stream = TcpStream::connect(port.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://x/api/v3.1/tool_router/session/{}/proxy_execute", port.caller.session);
    let request = http_types::Request::post(uri).header("x-api-key", &port.key).body(()).unwrap();
    let (mut response, mut body) = client.send_request(request, false).unwrap();
    let head = soon(async {
        loop {
            tokio::select! {
                head = &mut response => break head.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    _ = body.send_data(" ".into(), false);
                }
            }
        }
    });
    assert_eq!(head.await.status(), 400);
    // Other streams of the connection go on.
    let health = http_types::Request::get("http://x/health").body(()).unwrap();
    let (response, _) = client.send_request(health, true).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_http2_head_that_trickles_times_out() {
    let port = impatient(700).await;
    let (mut reader, mut writer) = TcpStream::connect(port.address).await.unwrap().into_split();
    // The preface, SETTINGS, and a whole GET of `/`; then the start of another head, with a long name.
    writer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    writer.write_all(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01x").await.unwrap();
    writer.write_all(b"\0\0\x07\x01\0\0\0\0\x03\x82\x86\x84\0\x7f\xff\x07").await.unwrap();
    let trickling = tokio::spawn(async move {
        while writer.write_all(b"\0\0\x01\x09\0\0\0\0\x03a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let began = Instant::now();
    _ = soon(reader.read_to_end(&mut Vec::new())).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    trickling.abort();
}

#[tokio::test]
async fn a_form_is_refused_before_its_body_is_read() {
    let port = port().await;
    let request = json!({ "toolkit": "query" });
    let (token, _) = link(&port, request).await;
    let mut browser = Browser::new(&port);
    browser.open(&token).await;
    let cookie = browser.cookie.clone().unwrap();
    let other = "proxy-execute-connect=cb_other".to_owned();
    // The body never comes.
    let submit = async |token: &str, headers: &str| {
        let length = if headers.contains("content-length") { "" } else { "content-length: 1000\r\n" };
        let head = format!(
            "POST /connect/{token} HTTP/1.1\r\nhost: x\r\n{length}{headers}connection: close\r\n\r\n"
        );
        http_bytes(port.address, head.as_bytes()).await
    };
    assert_page(&submit(&token, "").await, 403, "This needs a cookie");
    assert_page(&submit("lt_unknown", &format!("cookie: {cookie}\r\n")).await, 404, "not valid");
    let foreign = format!("cookie: {cookie}\r\nsec-fetch-site: cross-site\r\n");
    assert_page(&submit(&token, &foreign).await, 403, "Please start again");
    let large = format!("cookie: {cookie}\r\ncontent-length: 70000\r\n");
    assert_eq!(submit(&token, &large).await.status, 413);
    // From here on, the link belongs to the browser.
    browser.submit(&token, &[("api_key", "k")]).await;
    assert_page(&submit(&token, &format!("cookie: {cookie}\r\n")).await, 410, "already used");
    assert_page(&submit(&token, &format!("cookie: {other}\r\n")).await, 410, "already used");
}

#[tokio::test]
async fn a_form_that_trickles_times_out() {
    let port = impatient(700).await;
    let (token, _) = link(&port, json!({ "toolkit": "query" })).await;
    let mut browser = Browser::new(&port);
    browser.open(&token).await;
    let cookie = browser.cookie.clone().unwrap();
    // A callback that is posted needs no cookie.
    for path in [token.as_str(), "callback", "callback/provider.example"] {
        for body in ["content-length: 9999\r\n\r\n", "transfer-encoding: chunked\r\n\r\n"] {
            let head = format!("POST /connect/{path} HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n{body}");
            let piece = if body.contains("chunked") { "1\r\na\r\n" } else { "a" };
            let began = Instant::now();
            let answer = trickle(port.address, &head, piece).await;
            assert!(began.elapsed() < Duration::from_secs(10), "{path}: {:?}", began.elapsed());
            assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_address_has_a_limit_of_connections() {
    let upstream = Upstream::pleasant().await;
    let listen = Listen { max_connections_per_address: Some(3), ..Listen::default() };
    let port = Port::listening(crate::support::options(&upstream), listen).await;
    let held = [(); 3].map(|()| TcpStream::connect(port.address));
    let held = futures::future::try_join_all(held).await.unwrap();
    let refused = async || {
        let answer = http_pieces(port.address, "").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{answer}");
        assert!(head.contains("x-request-id: req_") && body.contains("maxConnectionsPerAddress"), "{answer}");
    };
    refused().await;
    refused().await;
    drop(held);
    // The port sees them close a moment later.
    soon(async {
        loop {
            let mut stream = TcpStream::connect(port.address).await.unwrap();
            _ = stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
            let mut text = String::new();
            if stream.read_to_string(&mut text).await.is_ok() && text.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
    })
    .await;
    for (option, listen) in [
        ("maxConnectionsPerAddress", Listen { max_connections_per_address: Some(0), ..Listen::default() }),
        ("requestTimeout", Listen { request_timeout_ms: Some(0), ..Listen::default() }),
        ("trustedProxies", Listen { trusted_proxies: vec!["10.0.0.0/40".to_owned()], ..Listen::default() }),
        ("drainDelay", Listen { drain_delay_ms: Some(3_600_001), ..Listen::default() }),
    ] {
        crate::support::assert_error(
            port.caller.gateway.listen(listen).await,
            ErrorKind::InvalidOption,
            option,
        );
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_for_the_addresses_of_a_key() {
    let upstream = Upstream::pleasant().await;
    let status = async |trusted: &[&str], header: &str| {
        let trusted_proxies = trusted.iter().map(|&network| network.to_owned()).collect();
        let listen = Listen { trusted_proxies, ..Listen::default() };
        let port = Port::listening(crate::support::options(&upstream), listen).await;
        let request = read_json(json!({ "allowed_addresses": ["198.51.100.0/24"] }).to_string().as_bytes());
        let key = port.caller.gateway.create_api_key(request.unwrap()).await.unwrap().key;
        let request = format!(
            "GET /api/v3.1/toolkits?limit=1 HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{header}connection: close\r\n\r\n"
        );
        let answer = http_pieces(port.address, &request).await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let named = "x-forwarded-for: 203.0.113.9, 198.51.100.7\r\n";
    assert_eq!(status(&["127.0.0.0/8"], named).await, "200");
    assert_eq!(status(&["127.0.0.1", "198.51.100.7"], named).await, "403");
    assert_eq!(status(&["127.0.0.1"], "").await, "403");
    assert_eq!(status(&["10.0.0.0/8"], named).await, "403");
    assert_eq!(status(&[], named).await, "403");
}

#[tokio::test]
async fn a_body_that_looks_like_a_response_is_sent_unchanged() {
    let bare = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Fri, 27 Nov 2026 07:48:37 GMT\r\n\r\n";
    for body in [bare.to_owned(), format!("before{bare}"), format!("{bare}after"), bare.repeat(3)] {
        let file = answer(200, &["content-type: application/octet-stream"], &*body);
        let upstream = Upstream::always(Step::Send(file)).await;
        let port = Port::open(&upstream).await;
        let call = format!("/api/v3.1/tool_router/session/{}/proxy_execute", port.caller.session);
        let request = crate::support::get("header").to_string();
        for connection in ["close", "keep-alive"] {
            let text = format!(
                "POST {call} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nx-proxy-execute-response: stream\r\ncontent-length: {}\r\n\
                connection: {connection}\r\n\r\n{request}",
                port.key,
                request.len()
            );
            // If the connection were kept, the next bytes would not be HTTP.
            let then = if connection == "close" { "" } else { "GARBAGE\r\n\r\n" };
            let got = http_pieces(port.address, &format!("{text}{then}")).await;
            assert_eq!(got.matches(bare).count(), body.matches(bare).count(), "{got}");
            assert_eq!(got.matches("x-request-id").count(), if then.is_empty() { 1 } else { 2 }, "{got}");
        }
    }
}
