//! The headers that reach the upstream and the caller: `cases/header-cases.json`, on the wire.

use proxy_execute_protocol::ErrorKind;
use proxy_execute_server::Listen;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{
    Caller, Request, Step, Upstream, answer, assert_error, get, gzip, head, http, json_answer, with_headers,
};

#[derive(Deserialize)]
struct Case {
    id: String,
}

#[tokio::test]
async fn every_row_of_the_table_has_a_check_that_holds() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../../cases/header-cases.json")).unwrap();
    for case in cases {
        match case.id.as_str() {
            "hdr-01" => refused_names(&["a\r\nb", "a\nb", "a\r\nx-injected: 1\r\nb", "a\0b"]).await,
            "hdr-03" => {
                refused_names(&["a b", " a", "a ", "a:b", ":authority", "a(b", "a\"b", "a\u{fc}", ""]).await;
            }
            "hdr-05" => {
                refused_values(&["caf\u{e9}", "\u{ff}", "\u{1f600}", "a\r\nb", "a\0", "\u{7f}"]).await
            }
            "hdr-06" => refused_names(&["Host", "host", "HOST"]).await,
            "hdr-08" => refused_names(&["Transfer-Encoding", "Content-Length", "content-length"]).await,
            "hdr-10" => connection_and_what_it_names_are_stripped().await,
            "hdr-11" => the_callers_authorization_wins().await,
            "hdr-13" => the_callers_key_header_wins().await,
            "hdr-15" => no_trace_of_the_gateway_is_added().await,
            "hdr-16" => cookies_are_the_callers_alone().await,
            "hdr-18" => the_callers_accept_encoding_is_obeyed().await,
            "hdr-20" => a_get_has_no_body().await,
            "hdr-31" => an_expectation_stays_at_the_gateway().await,
            "hdr-32" => single_valued_headers_are_not_repeated().await,
            "hdr-33" => the_credentials_header_is_not_repeated().await,
            "hdr-21" => a_query_parameter_is_appended().await,
            "hdr-23" => hop_by_hop_headers_are_not_returned().await,
            "hdr-25" => set_cookie_is_for_the_caller_alone().await,
            "hdr-26" => repeated_lines_are_joined().await,
            "hdr-28" => an_echoed_credential_is_not_altered().await,
            "hdr-30" => the_gateways_failure_is_not_the_upstreams().await,
            other => panic!("there is no check for row {other}"),
        }
    }
}

/// The request that the upstream got for a GET with these headers.
async fn seen_with(toolkit: &str, headers: &[(&str, &str)]) -> Request {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, toolkit, "injected-secret").await;
    caller.send(with_headers(get(toolkit), headers)).await.unwrap();
    upstream.request()
}

async fn refused_names(names: &[&str]) {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for name in names {
        let request = with_headers(get("bearer"), &[("X-Good", "1"), (name, "1")]);
        assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "parameters[1].name");
    }
    assert_eq!(upstream.connections(), 0);
}

async fn refused_values(values: &[&str]) {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for value in values {
        let request = with_headers(get("bearer"), &[("X-Note", value)]);
        let error =
            assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "parameters[0].value");
        assert!(error.to_string().contains("x-note"), "{error}");
    }
    assert_eq!(upstream.connections(), 0);
}

async fn connection_and_what_it_names_are_stripped() {
    let seen = seen_with(
        "bearer",
        &[("Connection", "X-Secret, close"), ("x-secret", "1"), ("Keep-Alive", "timeout=5"), ("X-Kept", "1")],
    )
    .await;
    for name in ["connection", "x-secret", "keep-alive"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-kept"), Some("1"));
    assert_eq!(seen.header("authorization"), Some("Bearer injected-secret"));
}

async fn the_callers_authorization_wins() {
    for name in ["Authorization", "authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"] {
        for toolkit in ["bearer", "basic", "header", "query"] {
            let seen = seen_with(toolkit, &[(name, "Custom mine")]).await;
            assert_eq!(seen.all("authorization"), ["Custom mine"], "{toolkit}");
            assert!(!seen.contains("injected-secret"), "{toolkit}: {seen:?}");
            assert_eq!(seen.header("x-api-key"), None);
            assert_eq!(seen.target, "/v1/x");
        }
    }
}

async fn the_callers_key_header_wins() {
    for name in ["X-Api-Key", "x-api-key", "X-API-KEY"] {
        let seen = seen_with("header", &[(name, "mine")]).await;
        assert_eq!(seen.all("x-api-key"), ["mine"]);
    }
    // The caller cannot drop the credential by calling its header hop-by-hop.
    let seen = seen_with("header", &[("Connection", "X-Api-Key")]).await;
    assert_eq!(seen.all("x-api-key"), ["injected-secret"]);
}

async fn no_trace_of_the_gateway_is_added() {
    let seen = seen_with("bearer", &[]).await;
    let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "authorization", "host", "user-agent", "x-toolkit"]);
    let own = [("X-Forwarded-For", "1.2.3.4"), ("X-Real-IP", "1.2.3.4"), ("Via", "1.1 mine")];
    let seen = seen_with("bearer", &own).await;
    for (name, value) in own {
        assert_eq!(seen.all(name), [value]);
    }
}

async fn cookies_are_the_callers_alone() {
    let upstream = Upstream::scripted([
        Step::Send(answer(200, &["set-cookie: jar=1; Path=/"], "")),
        Step::Send(answer(302, &["set-cookie: jar=2; Path=/", "location: /v1/y"], "")),
        json_answer("{}"),
        json_answer("{}"),
    ])
    .await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for _ in 0..2 {
        caller.get().await.unwrap();
    }
    caller.send(with_headers(get("bearer"), &[("Cookie", "a=1; b=2")])).await.unwrap();
    let seen: Vec<_> =
        upstream.requests().iter().map(|request| request.header("cookie").map(str::to_owned)).collect();
    assert_eq!(seen, [None, None, None, Some("a=1; b=2".to_owned())]);
}

async fn the_callers_accept_encoding_is_obeyed() {
    let packed = Step::Send(answer(
        200,
        &["content-type: application/json", "content-encoding: gzip"],
        gzip(br#"{"hello":"packed"}"#),
    ));
    let upstream = Upstream::scripted([packed, json_answer(r#"{"hello":"plain"}"#)]).await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    // Compressed bytes are not JSON. A caller that requests them gets a file, not text.
    let request = with_headers(get("bearer"), &[("Accept-Encoding", "gzip")]);
    let file = caller.send(request).await.unwrap().json()["binary_data"].clone();
    assert_eq!(file["size"], gzip(br#"{"hello":"packed"}"#).len());
    let request = with_headers(get("bearer"), &[("accept-encoding", "identity")]);
    assert_eq!(caller.send(request).await.unwrap().data(), json!({ "hello": "plain" }));
    let seen: Vec<_> = upstream
        .requests()
        .iter()
        .map(|request| {
            request.all("accept-encoding").iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(seen, [["gzip"], ["identity"]]);
}

async fn an_expectation_stays_at_the_gateway() {
    for value in ["100-continue", "100-Continue"] {
        let seen = seen_with("bearer", &[("Expect", value), ("X-Kept", "1")]).await;
        assert_eq!((seen.header("expect"), seen.header("x-kept")), (None, Some("1")));
    }
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for value in ["200-ok", "100-continue, 200-ok", ""] {
        let request = with_headers(get("bearer"), &[("X-Good", "1"), ("expect", value)]);
        assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "parameters[1].value");
    }
    assert_eq!(upstream.connections(), 0);
}

async fn single_valued_headers_are_not_repeated() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for (first, second) in [
        ("Authorization", "authorization"),
        ("Content-Type", "CONTENT-TYPE"),
        ("User-Agent", "user-agent"),
        ("Referer", "referer"),
        ("From", "from"),
        ("Date", "date"),
        ("Range", "range"),
        ("If-Range", "if-range"),
        ("If-Modified-Since", "if-modified-since"),
        ("If-Unmodified-Since", "if-unmodified-since"),
        ("Max-Forwards", "max-forwards"),
        ("Origin", "origin"),
        ("Content-Range", "content-range"),
        ("Content-Location", "content-location"),
        ("Content-Disposition", "content-disposition"),
        ("Last-Modified", "last-modified"),
        ("ETag", "etag"),
        ("Location", "location"),
    ] {
        let request = with_headers(get("bearer"), &[(first, "1"), ("X-Between", "1"), (second, "1")]);
        let error = assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "parameters[2].name");
        assert!(error.to_string().contains("parameters[0]"), "{error}");
        assert!(error.body().suggested_fix.is_some(), "{error}");
    }
    assert_eq!(upstream.connections(), 0);
    for name in
        ["Accept", "Cache-Control", "If-Match", "Via", "X-Forwarded-For", "Content-Encoding", "Prefer"]
    {
        let seen = seen_with("bearer", &[(name, "a"), (name, "b")]).await;
        assert_eq!(seen.all(name), ["a", "b"], "{name}");
    }
}

async fn the_credentials_header_is_not_repeated() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "header", "secret").await;
    let request = with_headers(get("header"), &[("X-Api-Key", "a"), ("x-api-key", "b")]);
    assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "parameters[1].name");
    assert_eq!(upstream.connections(), 0);
    let seen = seen_with("bearer", &[("X-Api-Key", "a"), ("x-api-key", "b")]).await;
    assert_eq!(seen.all("x-api-key"), ["a", "b"]);
}

async fn a_get_has_no_body() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for method in ["GET", "HEAD"] {
        let request = json!({ "endpoint": "/x", "method": method, "body": { "a": 1 } });
        assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "body");
    }
    assert_eq!(upstream.connections(), 0);
}

async fn a_query_parameter_is_appended() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    let request = json!({
        "endpoint": "/x?tag=a&tag=b", "method": "GET",
        "parameters": [{ "name": "tag", "value": "c", "type": "query" }],
    });
    caller.send(request).await.unwrap();
    assert_eq!(upstream.request().target, "/v1/x?tag=a&tag=b&tag=c");
}

async fn hop_by_hop_headers_are_not_returned() {
    let mut bytes = head(
        200,
        &[
            "Connection: X-Hop, keep-alive",
            "X-Hop: 1",
            "Keep-Alive: timeout=5",
            "TE: trailers",
            "Trailer: X-Sum",
            "Transfer-Encoding: chunked",
            "Upgrade: h2c",
            "Proxy-Authenticate: Basic",
            "Proxy-Connection: keep-alive",
            "Proxy-Authentication-Info: a=1",
            "Proxy-Of-Our-Own: 1",
            "Content-Type: application/json",
            "X-Kept: 1",
        ],
    );
    bytes.extend_from_slice(b"2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n");
    let upstream = Upstream::always(Step::Send(bytes)).await;
    let answer = Caller::new(&upstream, "bearer", "secret").await.get().await.unwrap();
    assert_eq!(answer.json()["headers"], json!({ "content-type": "application/json", "x-kept": "1" }));
}

async fn set_cookie_is_for_the_caller_alone() {
    let upstream = Upstream::always(Step::Send(answer(
        200,
        &["set-cookie: a=1; Expires=Wed, 21 Oct 2030 07:28:00 GMT", "set-cookie: b=2"],
        "",
    )))
    .await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    let address = caller.gateway.listen(Listen::default()).await.unwrap();
    let key = caller.gateway.create_api_key(Default::default()).await.unwrap().key;
    for _ in 0..2 {
        let answer = http(
            address,
            "POST",
            &format!("/api/v3.1/tool_router/session/{}/proxy_execute", caller.session),
            &[("x-api-key", &key)],
            &get("bearer").to_string(),
        )
        .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("set-cookie"), None);
        let cookies = ["a=1; Expires=Wed, 21 Oct 2030 07:28:00 GMT", "b=2"];
        assert_eq!(answer.json()["headers"]["set-cookie"], cookies.join(", "));
        assert_eq!(answer.json()["repeated_headers"]["set-cookie"], json!(cookies));
    }
    assert!(upstream.requests().iter().all(|request| request.header("cookie").is_none()));
}

async fn repeated_lines_are_joined() {
    let upstream = Upstream::always(Step::Send(answer(
        200,
        &["Link: <a>; rel=next", "link: <b>; rel=last", "Vary: a, b", "X-Empty: ", "X-Latin: caf\u{e9}"],
        "",
    )))
    .await;
    let answer = Caller::new(&upstream, "bearer", "secret").await.get().await.unwrap();
    assert_eq!(answer.header("link").unwrap(), "<a>; rel=next, <b>; rel=last");
    assert_eq!(answer.header("vary").unwrap(), "a, b");
    assert_eq!(answer.header("x-empty").unwrap(), "");
    assert_eq!(answer.header("x-latin").unwrap(), "caf\u{e9}");
}

async fn an_echoed_credential_is_not_altered() {
    let upstream = Upstream::with(|request| {
        let seen = request.header("authorization").unwrap();
        Step::Send(answer(
            200,
            &["content-type: application/json", &format!("x-echo: {seen}")],
            json!({ "echo": seen }).to_string(),
        ))
    })
    .await;
    let answer = Caller::new(&upstream, "bearer", "echoed-secret").await.get().await.unwrap();
    assert_eq!(answer.header("x-echo").unwrap(), "Bearer echoed-secret");
    assert_eq!(answer.data(), json!({ "echo": "Bearer echoed-secret" }));
}

async fn the_gateways_failure_is_not_the_upstreams() {
    for status in [400, 401, 403, 404, 429, 500, 502, 503, 504] {
        let body =
            json!({ "error": { "message": "mine", "slug": "UpstreamBroken", "status": 502 } }).to_string();
        let upstream =
            Upstream::always(Step::Send(answer(status, &["content-type: application/json"], body))).await;
        let caller = Caller::new(&upstream, "bearer", "secret").await;
        // An error of the upstream is a value, whatever its headers say.
        let answer = caller.get().await.unwrap();
        assert_eq!(answer.status(), u64::from(status));
        assert_eq!(answer.data()["error"]["message"], "mine");
    }
    // An error of the gateway is an error.
    let upstream = Upstream::always(Step::SendAndReset(Vec::new())).await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    assert_error(caller.get().await, ErrorKind::UpstreamBroken, "127.0.0.1");
}

#[tokio::test]
async fn default_headers_yield_to_the_caller() {
    let seen = seen_with("bearer", &[]).await;
    assert_eq!(seen.all("x-toolkit"), ["default"]);
    assert_eq!(seen.all("user-agent"), ["toolkit-agent"]);
    for (name, agent) in [("X-Toolkit", "User-Agent"), ("x-toolkit", "user-agent")] {
        let seen = seen_with("bearer", &[(name, "mine"), (agent, "my-agent")]).await;
        assert_eq!(seen.all("x-toolkit"), ["mine"]);
        assert_eq!(seen.all("user-agent"), ["my-agent"]);
    }
}

#[tokio::test]
async fn repeated_headers_are_sent_in_order() {
    let seen =
        seen_with("bearer", &[("X-Twice", "b"), ("Other", "1"), ("x-twice", "a"), ("X-Empty", "")]).await;
    assert_eq!(seen.all("x-twice"), ["b", "a"]);
    assert_eq!(seen.all("x-empty"), [""]);
}

#[tokio::test]
async fn the_content_type_is_json_or_the_callers() {
    for (content_type, body, sent_type, sent_body) in [
        (None, json!({ "a": 1 }), "application/json", r#"{"a":1}"#),
        (
            None,
            json!(r#"{"b":1, "a":12345678901234567890}"#),
            "application/json",
            r#"{"b":1, "a":12345678901234567890}"#,
        ),
        (Some("application/json"), json!(" [1,\n2] "), "application/json", " [1,\n2] "),
        (Some("application/merge-patch+json"), json!("{}"), "application/merge-patch+json", "{}"),
        (Some("text/json"), json!("123"), "text/json", "123"),
        (None, json!("null"), "application/json", "null"),
        (None, json!("\"a\""), "application/json", "\"a\""),
        (Some("text/plain"), json!(""), "text/plain", ""),
        (Some("text/plain"), json!("{}"), "text/plain", "{}"),
        (Some("application/x-ndjson"), json!("{}\n{}"), "application/x-ndjson", "{}\n{}"),
        (Some("application/vnd.api+json"), json!({ "a": 1 }), "application/vnd.api+json", r#"{"a":1}"#),
        (Some("application/json; charset"), json!({ "a": 1 }), "application/json; charset", r#"{"a":1}"#),
        (
            Some("application/x-www-form-urlencoded"),
            json!("a=1&b=%20"),
            "application/x-www-form-urlencoded",
            "a=1&b=%20",
        ),
        (Some("text/xml; charset=utf-8"), json!("<a>\u{e9}</a>"), "text/xml; charset=utf-8", "<a>\u{e9}</a>"),
    ] {
        let upstream = Upstream::pleasant().await;
        let caller = Caller::new(&upstream, "bearer", "secret").await;
        let mut request = json!({ "endpoint": "/x", "method": "POST", "body": body });
        if let Some(content_type) = content_type {
            request = with_headers(request, &[("content-TYPE", content_type)]);
        }
        caller.send(request).await.unwrap();
        let seen = upstream.request();
        assert_eq!(seen.all("content-type"), [sent_type]);
        assert_eq!(seen.body, sent_body.as_bytes());
        assert_eq!(seen.all("content-length"), [sent_body.len().to_string()]);
        assert_eq!(seen.header("transfer-encoding"), None);
    }
}

#[tokio::test]
async fn a_string_that_is_not_json_is_not_sent_as_json() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for content_type in [None, Some("application/json"), Some("application/problem+json"), Some("text/json")]
    {
        for text in ["", " ", "text", "{\"a\":1", "{} {}", "{'a':1}", "NaN", "\u{feff}{}", "a=1&b=2", "<a/>"]
        {
            let mut request = json!({ "endpoint": "/x", "method": "POST", "body": text });
            if let Some(content_type) = content_type {
                request = with_headers(request, &[("Content-Type", content_type)]);
            }
            let error = assert_error(caller.send(request).await, ErrorKind::InvalidRequest, "`body`");
            assert!(error.body().suggested_fix.as_deref().unwrap().contains("Content-Type"), "{error}");
            assert!(text.trim().is_empty() || !error.to_string().contains("<a/>"), "{error}");
        }
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn half_of_a_surrogate_pair_is_not_sent() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "bearer", "secret").await;
    for parameters in ["[]", r#"[{ "name": "Content-Type", "value": "text/plain", "type": "header" }]"#] {
        let request = format!(
            r#"{{"toolkit_slug":"bearer","endpoint":"/x","method":"POST","body":"\ud83d","parameters":{parameters}}}"#
        );
        let sent = crate::support::call_text(&caller.gateway, &caller.session, &request).await;
        assert_error(sent, ErrorKind::InvalidRequest, "surrogate");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn compressed_responses_are_decoded_unless_the_caller_requested_them() {
    const HELLO: &[u8] = br#"{"hello":"packed"}"#;
    const BROTLI: &[u8] =
        b"\x8b\x08\x80\x7b\x22\x68\x65\x6c\x6c\x6f\x22\x3a\x22\x70\x61\x63\x6b\x65\x64\x22\x7d\x03";
    const DEFLATE: &[u8] =
        b"\x78\x9c\xab\x56\xca\x48\xcd\xc9\xc9\x57\xb2\x52\x2a\x48\x4c\xce\x4e\x4d\x51\xaa\x05\x00\x3a\xfa\x06\x37";
    // One stored block.
    let zstd = [b"\x28\xb5\x2f\xfd\x20\x12\x91\0\0".as_slice(), HELLO].concat();
    for (encoding, body) in
        [("gzip", gzip(HELLO)), ("br", BROTLI.to_vec()), ("zstd", zstd), ("deflate", DEFLATE.to_vec())]
    {
        let coding = format!("content-encoding: {encoding}");
        let upstream =
            Upstream::always(Step::Send(answer(200, &["content-type: application/json", &coding], body)))
                .await;
        let answer = Caller::new(&upstream, "bearer", "secret").await.get().await.unwrap();
        assert_eq!(answer.raw_data().as_bytes(), HELLO, "{encoding}");
        assert_eq!(answer.header("content-encoding"), None, "{encoding}");
        assert_eq!(answer.header("content-length"), None, "{encoding}");
        let asked = upstream.request();
        assert!(asked.header("accept-encoding").unwrap().contains(encoding), "{asked:?}");
    }
}

#[tokio::test]
async fn every_kind_of_credential_is_put_where_its_toolkit_says() {
    for (toolkit, header, value, target) in [
        ("bearer", "authorization", Some("Bearer a-secret+/="), "/v1/x"),
        ("header", "x-api-key", Some("a-secret+/="), "/v1/x"),
        ("query", "authorization", None, "/v1/x?api_key=a-secret%2B%2F%3D"),
        ("basic", "authorization", Some("Basic YW5uOmEtc2VjcmV0Ky89"), "/v1/x"),
    ] {
        let upstream = Upstream::pleasant().await;
        Caller::new(&upstream, toolkit, "a-secret+/=").await.get().await.unwrap();
        let seen = upstream.request();
        assert_eq!((seen.header(header), seen.target.as_str()), (value, target), "{toolkit}");
        assert_eq!(seen.header("host"), Some(upstream.authority()));
    }
}

#[tokio::test]
async fn the_callers_query_key_replaces_the_credentials() {
    let upstream = Upstream::pleasant().await;
    let caller = Caller::new(&upstream, "query", "injected-secret").await;
    caller.call("GET", "/x?api_key=mine").await.unwrap();
    let parameter: Value = json!([{ "name": "api_key", "value": "mine", "type": "query" }]);
    caller.send(json!({ "endpoint": "/x", "method": "GET", "parameters": parameter })).await.unwrap();
    for request in upstream.requests() {
        assert_eq!(request.target, "/v1/x?api_key=mine");
    }
}
