//! The relay: requests of SDKs that know a base URL and a key only, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http as http_types;
use bytes::Bytes;
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::CallFilter;
use proxy_execute_server::Listen;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::port::{Port, assert_refused, key};
use crate::support::{
    HttpAnswer, Step, Upstream, answer, http, http_bytes, json_answer, options, session_with, soon,
};

fn path(port: &Port, rest: &str) -> String {
    format!("/relay/{}/header{rest}", port.caller.session)
}

async fn ask(port: &Port, method: &str, rest: &str, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
    let headers = [&[("x-api-key", port.key.as_str())], headers].concat();
    http(port.address, method, &path(port, rest), &headers, body).await
}

/// Asserts that a response is an error of the gateway, and is marked as such.
#[track_caller]
fn assert_gateway_error(answer: &HttpAnswer, status: u16, slug: &str, says: &str) {
    assert_refused(answer, status, slug, says);
    assert_eq!(answer.header("x-proxy-execute-error"), Some(slug));
}

#[tokio::test]
async fn a_request_and_its_response_go_through_as_they_are() {
    let response = answer(
        418,
        &[
            "content-type: text/x-own; charset=latin1",
            "set-cookie: a=1",
            "set-cookie: b=2",
            "x-request-id: of-the-api",
            "x-ratelimit-remaining: 4999",
            "connection: x-hop",
            "x-hop: 1",
            "x-proxy-execute-error: NotFound",
        ],
        "not\u{0}json",
    );
    let upstream = Upstream::always(Step::Send(response)).await;
    let port = Port::open(&upstream).await;
    let headers = [("Content-Type", "application/x-own"), ("X-Two", "a"), ("X-Two", "b"), ("Accept", "*/*")];
    let got = ask(&port, "PATCH", "/a%2Fb//c;d=1?q=%2f&q=&flag", &headers, "{ \"a\" :1.0 }").await;

    let sent = upstream.request();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("PATCH", "/v1/a%2Fb//c;d=1?q=%2f&q=&flag"));
    assert_eq!(sent.body, b"{ \"a\" :1.0 }");
    assert_eq!(sent.header("content-type"), Some("application/x-own"));
    assert_eq!((sent.all("x-two"), sent.header("accept")), (vec!["a", "b"], Some("*/*")));
    assert_eq!(
        (sent.header("content-length"), sent.header("host")),
        (Some("12"), Some(upstream.authority()))
    );
    assert_eq!(sent.all("x-api-key"), ["a-secret"], "the account's, and not the key of the gateway");
    assert!(!sent.contains(&port.key));

    assert_eq!((got.status, got.body.as_str()), (418, "not\u{0}json"));
    let cookies: Vec<_> = got.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(cookies.len(), 2);
    assert_eq!(got.header("content-type"), Some("text/x-own; charset=latin1"));
    assert_eq!(got.header("x-request-id"), Some("of-the-api"));
    assert!(got.header("x-proxy-execute-request-id").unwrap().starts_with("req_"));
    assert_eq!((got.header("x-proxy-execute-error"), got.header("x-hop")), (None, None));
    assert_eq!(got.header("content-length"), Some("8"));
}

#[tokio::test]
async fn every_method_is_relayed() {
    let upstream = Upstream::always(Step::SendAndClose(answer(200, &[], ""))).await;
    let port = Port::open(&upstream).await;
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PROPFIND", "REPORT", "QUERY"] {
        assert_eq!(ask(&port, method, "/x", &[], "").await.status, 200, "{method}");
        assert_eq!(upstream.requests().last().unwrap().method, method);
    }
    for method in ["TRACE", "get", "BREW"] {
        assert_gateway_error(&ask(&port, method, "/x", &[], "").await, 405, "MethodNotAllowed", method);
    }
    assert_gateway_error(&ask(&port, "GET", "/x", &[], "a body").await, 400, "InvalidRequest", "GET");
    let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\nConnection: close\r\n\r\n";
    assert_refused(&http_bytes(port.address, connect.as_bytes()).await, 501, "NotSupported", "CONNECT");
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "h2c, WebSocket")];
    let refused = ask(&port, "GET", "/x", &upgrade, "").await;
    assert_gateway_error(&refused, 501, "NotSupported", "WebSocket");
}

#[tokio::test]
async fn the_key_comes_as_sdks_send_it_and_stays_here() {
    let upstream = Upstream::pleasant().await;
    let port = Port::open(&upstream).await;
    let basic = |pair: String| format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
    let key = &port.key;
    for authorization in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        format!("token {key}"),
        basic(format!("{key}:")),
        basic(format!("AC123:{key}")),
    ] {
        let got =
            http(port.address, "GET", &path(&port, "/x"), &[("authorization", &authorization)], "").await;
        assert_eq!(got.status, 200, "{authorization}: {got:?}");
    }
    // A dummy beside the key is dropped, too.
    assert_eq!(ask(&port, "GET", "/x", &[("authorization", "Bearer dummy")], "").await.status, 200);
    for sent in upstream.requests() {
        assert_eq!((sent.all("authorization"), sent.all("x-api-key")), (vec![], vec!["a-secret"]));
        assert!(!sent.contains(key) && !sent.contains("dummy"));
    }
    for headers in [&[][..], &[("authorization", "Bearer ak_none")], &[("authorization", "Basic eDp5")]] {
        let refused = http(port.address, "GET", &path(&port, "/x"), headers, "").await;
        assert_gateway_error(&refused, 401, "InvalidApiKey", "key");
    }
}

#[tokio::test]
async fn errors_of_the_gateway_are_marked_and_those_of_the_api_are_not() {
    let upstream = Upstream::always(Step::Send(answer(403, &[], "{}"))).await;
    let port = Port::open(&upstream).await;
    let of_the_api = ask(&port, "GET", "/x", &[], "").await;
    assert_eq!((of_the_api.status, of_the_api.header("x-proxy-execute-error")), (403, None));

    let own = [("x-api-key", port.key.as_str())];
    let get = async |path: &str| http(port.address, "GET", path, &own, "").await;
    let id = &port.caller.session;
    let restricted = session_with(&port.caller.gateway, json!({ "user_id": "ann", "toolkits": ["open"] }));
    let restricted = restricted.await.unwrap()["session_id"].as_str().unwrap().to_owned();
    for (path, status, slug, says) in [
        (format!("/relay/{id}/bearer/x"), 400, "ToolRouterV2_NoActiveConnection", "bearer"),
        (format!("/relay/{id}/nowhere/x"), 404, "ToolkitNotFound", "nowhere"),
        (format!("/relay/{restricted}/header/x"), 403, "ToolRouterV2_ToolkitNotAllowed", "header"),
        ("/relay/trs_none/header/x".to_owned(), 404, "ToolRouterV2_SessionNotFound", "trs_none"),
        (format!("/relay/{id}"), 404, "NotFound", "/relay/{session_id}/{toolkit}"),
        (format!("/relay/{id}/header/https://evil.example/x"), 400, "OriginMismatch", "evil.example"),
    ] {
        assert_gateway_error(&get(&path).await, status, slug, says);
    }
    let limited =
        key(&port.caller.gateway, json!({ "permissions": { "sessions": "read_write" } })).await.unwrap();
    let refused = http(port.address, "GET", &path(&port, "/x"), &[("x-api-key", &limited)], "").await;
    assert_gateway_error(&refused, 403, "InsufficientPermissions", "proxy_execute: write");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn requests_count_against_the_limit_of_the_key() {
    let upstream = Upstream::always(Step::Send(answer(200, &["x-ratelimit-remaining: 7"], "{}"))).await;
    let listen = Listen { requests_per_minute: Some(1), ..Listen::default() };
    let port = Port::listening(options(&upstream), listen).await;
    let bearer = format!("Bearer {}", port.key);
    let headers = [("authorization", bearer.as_str())];
    let first = http(port.address, "GET", &path(&port, "/x"), &headers, "").await;
    assert_eq!((first.status, first.header("x-ratelimit-remaining")), (200, Some("7")), "that of the API");
    let second = http(port.address, "GET", &path(&port, "/x"), &headers, "").await;
    assert_gateway_error(&second, 429, "RateLimited", "Rate limit exceeded");
    assert!(second.header("retry-after").is_some());
}

#[tokio::test]
async fn a_path_obeys_the_endpoint_table() {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        base_url: String,
        endpoint: String,
        expect: String,
        resolved_url: Option<String>,
    }
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../../../cases/endpoint-cases.json")).unwrap();
    let upstream = Upstream::pleasant().await;
    let toolkit = |slug: &str, path: &str| {
        let base_url = format!("{}{path}", upstream.origin());
        ToolkitSource::Definition(
            json!({ "slug": slug, "name": slug, "base_url": base_url, "schemes": { "NO_AUTH": {} } }),
        )
    };
    let mut options = options(&upstream);
    options.toolkits.extend([toolkit("root", ""), toolkit("api", "/api")]);
    let port = Port::with(options).await;
    let mut seen = 0;
    for Row { id, base_url, endpoint, expect, resolved_url } in rows {
        // The rows name hosts of the internet. Here, their host is the upstream.
        let (scheme, rest) = base_url.split_once("://").unwrap();
        let (host, base_path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let slug = if base_path == "/api" { "api" } else { "root" };
        let begins_a_url = endpoint.to_ascii_lowercase().starts_with("http");
        let sent = endpoint.replace(&format!("{scheme}://{host}"), upstream.origin());
        let mut target = if sent.starts_with(['/', '?']) { sent } else { format!("/{sent}") };
        target.insert_str(0, &format!("/relay/{}/{slug}", port.caller.session));
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nConnection: close\r\n\r\n",
            port.key
        );
        let before = upstream.requests().len();
        let got = http_bytes(port.address, request.as_bytes()).await;
        let went = upstream.requests().split_off(before);
        let is_path = endpoint.starts_with(['/', '?']) && id != "concat-05";
        let is_plain_url =
            begins_a_url && endpoint.contains(&format!("{scheme}://{host}/")) && scheme != "ftp";
        if expect == "reject" && (is_path || begins_a_url) {
            assert!(went.is_empty() && (400..500).contains(&got.status), "{id}: {got:?}");
            seen += 1;
        } else if expect == "allow" && (is_path || is_plain_url) && !endpoint.contains(' ') {
            let resolved = resolved_url.unwrap();
            let expected = resolved.split_once(host).unwrap().1;
            assert_eq!(got.status, 200, "{id}: {got:?}");
            assert_eq!(went[0].target, if expected.is_empty() { "/" } else { expected }, "{id}");
            seen += 1;
        } else {
            // Whatever it means, it stays below the base URL, or goes nowhere.
            assert!(went.iter().all(|request| request.target.starts_with(base_path)), "{id}: {went:?}");
        }
    }
    assert!(seen > 80, "{seen} rows");
}

/// Reads from a connection until it has this text.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    soon(async {
        let mut got = Vec::new();
        while !String::from_utf8_lossy(&got).contains(text) {
            let mut chunk = [0; 1024];
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(got).unwrap()
    })
    .await
}

#[tokio::test]
async fn bodies_are_streamed_both_ways_and_a_client_that_leaves_cancels_the_call() {
    // An API that responds while the request is still being sent.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let gone = Arc::new(Notify::new());
    let noted = Arc::clone(&gone);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "first").await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        read_until(&mut stream, "second").await;
        stream.write_all(b"3\r\ntwo\r\n").await.unwrap();
        while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
        noted.notify_one();
    });
    let options = GatewayOptions {
        toolkits: crate::support::toolkits(&origin),
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        ..GatewayOptions::default()
    };
    let port = Port::with(options).await;
    let mut client = TcpStream::connect(port.address).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        path(&port, "/x"),
        port.key
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let begun = read_until(&mut client, "one").await;
    assert!(begun.starts_with("HTTP/1.1 200"), "{begun}");
    client.write_all(b"6\r\nsecond\r\n").await.unwrap();
    read_until(&mut client, "two").await;
    drop(client);
    soon(gone.notified()).await;
}

#[tokio::test]
async fn a_slow_reader_slows_the_api() {
    let many = Step::Repeat(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 20], 500);
    let upstream = Upstream::always(many).await;
    let port = Port::open(&upstream).await;
    let mut client = TcpStream::connect(port.address).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\n\r\n", path(&port, "/x"), port.key);
    client.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut client, "xxx").await;
    // The upstream is still sending. When the client leaves, it has not got rid of its 500 MiB.
    drop(client);
    upstream.has_seen(|seen| seen.gone == 1).await;
}

/// A request over HTTP/2, and its response with its trailers.
async fn http2(
    address: SocketAddr,
    path: &str,
    key: &str,
    body: Option<Bytes>,
) -> (http_types::StatusCode, Vec<u8>, Option<http_types::HeaderMap>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http_types::Request::post(format!("http://gateway{path}")).header("x-api-key", key);
    let (response, mut sender) = client.send_request(request.body(()).unwrap(), body.is_none()).unwrap();
    if let Some(body) = body {
        sender.send_data(body, true).unwrap();
    }
    let (head, mut body) = soon(response).await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = soon(body.data()).await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let trailers = soon(body.trailers()).await.unwrap();
    connection.abort();
    (head.status, bytes, trailers)
}

#[tokio::test]
async fn trailers_go_through_over_http2() {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-checksum\r\n\r\n\
        3\r\nabc\r\n0\r\nX-Checksum: 1\r\nX-Checksum: 2\r\n\r\n";
    let upstream = Upstream::always(Step::Send(response.as_bytes().to_vec())).await;
    let port = Port::open(&upstream).await;
    let (status, body, trailers) = http2(port.address, &path(&port, "/x"), &port.key, None).await;
    assert_eq!((status.as_u16(), body.as_slice()), (200, &b"abc"[..]));
    let trailers = trailers.unwrap();
    assert_eq!(trailers.get_all("x-checksum").iter().collect::<Vec<_>>(), ["1", "2"]);
    let plain = Port::open(&Upstream::pleasant().await).await;
    let body = Some(Bytes::from_static(b"{}"));
    let (status, body, trailers) = http2(plain.address, &path(&plain, "/x"), &plain.key, body).await;
    assert_eq!((status.as_u16(), body.as_slice(), trailers), (200, &b"{}"[..], None));
}

#[tokio::test]
async fn bodies_of_every_size_arrive_whole() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    let bytes = |length: usize| (0..length).map(|index| (index * 7) as u8).collect::<Vec<u8>>();
    for (length, is_text) in [(1, true), (64 * 1024, false), (64 * 1024 + 1, false), (1 << 20, true)] {
        let body = if is_text { vec![b'a'; length] } else { bytes(length) };
        let mut request = format!(
            "PUT {} HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\n\r\n",
            path(&port, "/x"),
            port.key
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let got = read_until(&mut stream, "{}").await;
        assert!(got.contains("HTTP/1.1 200"), "{got}");
        let sent = upstream.requests().pop().unwrap();
        assert!(sent.body == body, "{length}");
        assert_eq!(sent.header("content-length"), Some(length.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_call_is_recorded_and_an_api_that_breaks_off_ends_the_connection() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let upstream = Upstream::scripted([json_answer("{}"), Step::SendAndClose(half)]).await;
    let port = Port::open(&upstream).await;
    assert_eq!(ask(&port, "GET", "/x?secret=1", &[], "").await.status, 200);
    let broken = ask(&port, "GET", "/x", &[], "").await;
    assert_eq!((broken.status, broken.body.as_str()), (200, "half"), "less than the announced 10 bytes");
    let calls = soon(async {
        loop {
            let calls = port.caller.gateway.calls(&CallFilter::newest(10)).await.unwrap();
            if calls.len() == 2 {
                break calls;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let calls = serde_json::to_value(calls).unwrap();
    assert_eq!((&calls[1]["session_id"], &calls[1]["path"]), (&json!(port.caller.session), &json!("/v1/x")));
    assert!(!calls.to_string().contains("secret"));
}
