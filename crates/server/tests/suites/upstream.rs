//! Upstreams that hang, break off, send false headers and flood; and data of every kind, byte for byte.

use std::time::{Duration, Instant};

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{Backend, CallFilter, ErrorKind, Result};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::{
    Answer, Caller, Step, Upstream, answer, assert_error, deadline, get, gzip, head, json_answer, options,
    soon, written,
};

const MEGABYTE: usize = 1024 * 1024;
const JSON: &str = "content-type: application/json";

/// A caller of an upstream that does this, then behaves.
async fn once(step: Step) -> (Upstream, Caller) {
    let upstream = Upstream::scripted([step, json_answer(r#""well""#)]).await;
    let caller = Caller::new(&upstream, "header", "a-secret").await;
    (upstream, caller)
}

async fn is_well(caller: &Caller) {
    assert_eq!(caller.get().await.unwrap().data(), "well", "the next call works");
}

/// The result of a POST, which is never retried, for this response. The next call must work.
async fn after(step: Step) -> Result<Answer> {
    let (upstream, caller) = once(step).await;
    let result = caller.call("POST", "/x").await;
    is_well(&caller).await;
    assert_eq!(upstream.requests().len(), 2, "a POST is sent once");
    result
}

/// The data of a response with these headers.
async fn data(headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
    after(Step::Send(answer(200, headers, body))).await.unwrap()
}

#[tokio::test]
async fn a_hanging_upstream_ends_in_time() {
    for hang in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"] {
        let upstream = Upstream::scripted([Step::SendAndHang(hang.into()), json_answer(r#""well""#)]).await;
        let options = GatewayOptions { upstream_timeout_ms: Some(400), ..options(&upstream) };
        let caller = Caller::with(options, "header", "a-secret").await;
        let started = Instant::now();
        // A GET is not retried either, because the time is up.
        assert_error(caller.get().await, ErrorKind::UpstreamTimeout, "400ms");
        assert!(started.elapsed() < Duration::from_secs(5));
        upstream.has_seen(|seen| seen.gone == 1).await;
        is_well(&caller).await;
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[tokio::test]
async fn an_upstream_that_drips_is_read_to_its_end() {
    let (_, caller) = once(Step::Drip(answer(200, &[JSON], r#"{"slow":true}"#))).await;
    assert_eq!(caller.get().await.unwrap().raw_data(), r#"{"slow":true}"#);
    is_well(&caller).await;
}

#[tokio::test]
async fn the_error_names_a_refused_connection() {
    // Bound but not listening: refuses for as long as it lives.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let upstream = Upstream::always(json_answer(r#""well""#)).await;
    let mut options = options(&upstream);
    options.allow_private_hosts.push("header=127.0.0.1".to_owned());
    let caller = Caller::with(options, "header", "a-secret").await;
    for method in ["GET", "POST"] {
        let request = json!({
            "endpoint": "/x", "method": method,
            "custom_connection_data": {
                "authScheme": "API_KEY", "toolkitSlug": "header",
                "val": { "api_key": "k", "base_url": format!("http://{address}") },
            },
        });
        let error = crate::support::tools_call(&caller.gateway, request).await;
        assert_error(error, ErrorKind::UpstreamUnreachable, &address.to_string());
    }
    is_well(&caller).await;
}

#[tokio::test]
async fn the_error_names_an_unknown_host() {
    let options = GatewayOptions {
        toolkits: crate::support::toolkits("https://no-such-host.invalid"),
        ..GatewayOptions::default()
    };
    let caller = Caller::with(options, "header", "a-secret").await;
    let error = assert_error(caller.get().await, ErrorKind::UpstreamUnreachable, "no-such-host.invalid");
    assert!(error.to_string().contains("Nothing was sent"));
}

#[tokio::test]
async fn a_write_is_never_sent_twice() {
    for step in [
        Step::SendAndReset(Vec::new()),
        Step::SendAndClose(Vec::new()),
        Step::SendAndClose(b"HTTP/1.1 20".to_vec()),
        Step::SendAndClose(b"not http at all\r\n\r\n".to_vec()),
        Step::SendAndReset(answer(200, &[JSON], "{}")[..30].to_vec()),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let (upstream, caller) = once(step.clone()).await;
            let result = caller.call(method, "/x").await;
            let error = assert_error(result, ErrorKind::UpstreamBroken, "127.0.0.1");
            assert!(error.to_string().contains("not known"), "{error}");
            assert_eq!(upstream.requests().len(), 1, "{method} {step:?}");
            is_well(&caller).await;
        }
    }
}

#[tokio::test]
async fn a_read_is_retried_once() {
    for broken in [Step::SendAndReset(Vec::new()), Step::SendAndClose(Vec::new())] {
        for method in ["GET", "HEAD"] {
            let fine = Step::Send(answer(204, &[], ""));
            let upstream = Upstream::scripted([broken.clone(), fine]).await;
            let caller = Caller::new(&upstream, "header", "a-secret").await;
            assert_eq!(caller.call(method, "/x").await.unwrap().status(), 204);
            assert_eq!(upstream.requests().len(), 2);
            assert_eq!(upstream.requests()[0].bytes, upstream.requests()[1].bytes);

            let upstream = Upstream::always(broken.clone()).await;
            let caller = Caller::new(&upstream, "header", "a-secret").await;
            assert_error(caller.call(method, "/x").await, ErrorKind::UpstreamBroken, "broke off");
            assert_eq!(upstream.requests().len(), 2, "{method}");
        }
    }
}

#[tokio::test]
async fn a_stale_connection_fails_no_call() {
    // The first response promises to keep the connection, but the server closes it.
    for method in ["GET", "POST"] {
        let upstream = Upstream::always(Step::SendAndClose(answer(200, &[JSON], "{}"))).await;
        let caller = Caller::new(&upstream, "header", "a-secret").await;
        for count in 1..=20 {
            assert_eq!(caller.call(method, "/x").await.unwrap().status(), 200);
            assert_eq!(upstream.requests().len(), count);
        }
    }
}

#[tokio::test]
async fn a_truncated_response_is_not_returned() {
    let chunked = head(200, &[JSON, "transfer-encoding: chunked"]);
    let with = |body: &[u8]| [chunked.as_slice(), body].concat();
    let packed = gzip(&b"[\"truncated\"]".repeat(1_000));
    let packed_head =
        |length: usize| head(200, &[JSON, "content-encoding: gzip", &format!("content-length: {length}")]);
    let too_long = [head(200, &[JSON, "content-length: 10"]).as_slice(), b"{}"].concat();
    for (what, step) in [
        ("shorter than announced", Step::SendAndClose(too_long.clone())),
        ("reset in the middle", Step::SendAndReset(too_long)),
        ("no last chunk", Step::SendAndClose(with(b"2\r\n{}\r\n"))),
        ("half a chunk", Step::SendAndClose(with(b"5\r\n{}"))),
        ("a chunk of no length", Step::SendAndClose(with(b"zz\r\n{}\r\n0\r\n\r\n"))),
        ("a chunk that goes on", Step::SendAndClose(with(b"2\r\n{}{}{}\r\n0\r\n\r\n"))),
        ("a huge chunk length", Step::SendAndClose(with(b"fffffffffffffffff\r\n{}"))),
        ("half a gzip", {
            let half = &packed[..packed.len() / 2];
            Step::Send([packed_head(half.len()).as_slice(), half].concat())
        }),
        ("gzip without its end", {
            let most = &packed[..packed.len() - 4];
            Step::Send([packed_head(most.len()).as_slice(), most].concat())
        }),
        ("no gzip", Step::Send([packed_head(2).as_slice(), b"{}"].concat())),
        ("two lengths", {
            let head = head(200, &[JSON, "content-length: 2", "content-length: 3"]);
            Step::SendAndClose([head.as_slice(), b"{}\n"].concat())
        }),
    ] {
        match after(step).await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::UpstreamBroken, "{what}: {error}"),
            Ok(answer) => panic!("{what}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn bytes_after_the_announced_length_are_not_read() {
    let bytes = [answer(200, &[JSON], "{}").as_slice(), b"{\"smuggled\":1}"].concat();
    let (_, caller) = once(Step::Send(bytes)).await;
    assert_eq!(caller.get().await.unwrap().raw_data(), "{}");
    is_well(&caller).await;
    // The extra bytes must not become the response to the next request.
    let second = [answer(200, &[JSON], "{}"), answer(200, &[JSON], r#""smuggled""#)].concat();
    let (_, caller) = once(Step::Send(second)).await;
    assert_eq!(caller.get().await.unwrap().raw_data(), "{}");
    is_well(&caller).await;
}

#[tokio::test]
async fn a_flood_is_stopped() {
    let flood = vec![b'x'; MEGABYTE];
    let announced = head(200, &["content-type: text/plain", &format!("content-length: {}", 100 * MEGABYTE)]);
    let until_close = head(200, &["content-type: text/plain"]);
    let chunked = head(200, &["content-type: text/plain", "transfer-encoding: chunked"]);
    let chunk = [format!("{MEGABYTE:x}\r\n").as_bytes(), &flood, b"\r\n"].concat();
    for step in [
        Step::Repeat(announced, flood.clone(), 100),
        Step::Repeat(until_close, flood, 100),
        Step::Repeat(chunked, chunk, 100),
    ] {
        let (upstream, caller) = once(step).await;
        assert_error(caller.get().await, ErrorKind::UpstreamTooLarge, "52428800 bytes");
        upstream.has_seen(|seen| seen.gone == 1).await;
        is_well(&caller).await;
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_gzip_bomb_is_stopped() {
    let bomb = gzip(&vec![b' '; 64 * MEGABYTE]);
    assert!(bomb.len() < MEGABYTE);
    let step = Step::Send(answer(200, &[JSON, "content-encoding: gzip"], bomb));
    assert_error(after(step).await, ErrorKind::UpstreamTooLarge, "52428800 bytes");
}

#[tokio::test]
async fn the_limit_is_exact() {
    for (size, fits) in [(999, true), (1_000, true), (1_001, false)] {
        for announced in [true, false] {
            let body = vec![b'x'; size];
            let step = if announced {
                Step::Send(answer(200, &["content-type: text/plain"], body))
            } else {
                Step::Repeat(head(200, &["content-type: text/plain"]), body, 1)
            };
            let upstream = Upstream::always(step).await;
            let options = GatewayOptions { max_response_bytes: Some(1_000), ..options(&upstream) };
            let result = Caller::with(options, "header", "a-secret").await.get().await;
            match result {
                Ok(answer) => assert!(fits && answer.data().as_str().unwrap().len() == size),
                Err(error) => assert!(!fits && error.kind() == ErrorKind::UpstreamTooLarge, "{error}"),
            }
        }
    }
}

#[tokio::test]
async fn forty_megabytes_arrive_complete() {
    let body = format!("[\"{}\"]", "x".repeat(40 * MEGABYTE));
    let answer = data(&[JSON], &body).await;
    assert!(answer.raw_data() == body);
}

#[tokio::test]
async fn responses_without_a_body_have_no_data() {
    for (method, step, status) in [
        ("POST", Step::Send(head(204, &[])), 204),
        ("POST", Step::Send(head(204, &[JSON])), 204),
        ("POST", Step::Send(head(204, &[JSON, "content-encoding: gzip"])), 204),
        ("GET", Step::Send(head(304, &["etag: \"a\"", "content-length: 1000"])), 304),
        ("GET", Step::Send(head(304, &[JSON, "content-encoding: gzip"])), 304),
        ("POST", Step::Send(answer(200, &[JSON], "")), 200),
        ("POST", Step::Send(answer(200, &["content-type: image/png"], "")), 200),
        ("POST", Step::Send(answer(200, &[JSON, "content-encoding: gzip"], "")), 200),
        ("POST", Step::Send(answer(200, &[JSON, "content-encoding: gzip"], gzip(b""))), 200),
        ("POST", Step::Send(answer(404, &[], "")), 404),
        ("HEAD", Step::Send(head(200, &[JSON, "content-length: 1000"])), 200),
        ("HEAD", Step::Send(head(200, &[JSON, "content-length: 1000", "content-encoding: gzip"])), 200),
        ("HEAD", Step::Send(head(200, &["content-type: image/png", "content-length: 99999999999"])), 200),
        ("HEAD", Step::Send(head(200, &[JSON, "transfer-encoding: chunked"])), 200),
    ] {
        let case = format!("{method} {step:?}");
        let (upstream, caller) = once(step).await;
        let answer = caller.call(method, "/x").await.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!((answer.status(), answer.raw_data()), (status, "null"), "{case}");
        is_well(&caller).await;
        assert_eq!(upstream.requests().len(), 2, "{case}");
    }
    for headers in
        [vec![JSON, "content-length: 1000"], vec!["content-encoding: gzip", "content-length: 1000"]]
    {
        let (_, caller) = once(Step::Send(head(200, &headers))).await;
        let answer = caller.call("HEAD", "/x").await.unwrap();
        assert_eq!(answer.header("content-length").as_deref(), Some("1000"));
    }
}

#[tokio::test]
async fn json_is_passed_through_byte_for_byte() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for body in [
        r#"{"id":12345678901234567890,"big":123456789012345678901234567890,"neg":-9223372036854775809}"#,
        r#"{"e":1e400,"f":1.0,"g":-0,"h":1E+2,"i":0.10000000000000000000000001}"#,
        r#"{"b":1,"a":2,"b":3}"#,
        " \t\r\n{ \"a\" : [ 1 , 2 ] }\n",
        r#""\ud800\u0000\/\u00e9""#,
        "\"\u{e9}\u{1f600}\u{2028}\"",
        "null",
        "0",
        "\"\"",
        &deep,
        &deep_objects,
    ] {
        for content_type in [JSON, "content-type: application/problem+json; charset=utf-8"] {
            let answer = data(&[content_type], body).await;
            assert!(answer.raw_data() == body, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn json_in_other_encodings_is_the_same_document() {
    let document = "{\"a\":\"\u{e9}\u{1f600}\"}";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| document.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    for (content_type, body) in [
        (JSON, [b"\xef\xbb\xbf".as_slice(), document.as_bytes()].concat()),
        (JSON, [b"\xff\xfe".as_slice(), &utf16(u16::to_le_bytes)].concat()),
        (JSON, [b"\xfe\xff".as_slice(), &utf16(u16::to_be_bytes)].concat()),
        ("content-type: application/json; charset=utf-16le", utf16(u16::to_le_bytes)),
        ("content-type: application/json; charset=\"UTF-16BE\"", utf16(u16::to_be_bytes)),
    ] {
        assert_eq!(data(&[content_type], body).await.raw_data(), document, "{content_type}");
    }
    let latin = data(&["content-type: application/json; charset=iso-8859-1"], b"\"caf\xe9\"").await;
    assert_eq!(latin.raw_data(), "\"caf\u{e9}\"");
}

#[tokio::test]
async fn text_is_a_string_that_loses_nothing() {
    for (content_type, body, text) in [
        ("text/plain", b"caf\xc3\xa9".as_slice(), "caf\u{e9}"),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "caf\u{e9}"),
        ("text/plain; charset=shift_jis", b"\x82\xa0", "\u{3042}"),
        ("text/plain; charset=nonsense", b"caf\xc3\xa9", "caf\u{e9}"),
        ("text/plain", b"a\0b", "a\0b"),
        ("text/plain", b"\xef\xbb\xbfa", "a"),
        ("text/html", b"<p>\"\\\n\x1b</p>", "<p>\"\\\n\u{1b}</p>"),
        ("TEXT/CSV; header=present", b"a,b\r\n", "a,b\r\n"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/x-ndjson", b"{}\n{}\n", "{}\n{}\n"),
        ("text/plain", b"{\"a\":1}", "{\"a\":1}"),
    ] {
        let answer = data(&[&format!("content-type: {content_type}")], body).await;
        assert_eq!(answer.data(), json!(text), "{content_type}");
        assert_eq!(answer.header("content-type").unwrap(), content_type);
    }
}

#[tokio::test]
async fn without_a_content_type_the_content_decides() {
    for (body, expected) in [
        (b"{\"a\":1}".as_slice(), json!({ "a": 1 })),
        (b"[]", json!([])),
        (b"12", json!(12)),
        (b"hello", json!("hello")),
        (b"{\"a\":", json!("{\"a\":")),
        (b"caf\xc3\xa9", json!("caf\u{e9}")),
    ] {
        assert_eq!(data(&[], body).await.data(), expected);
        assert_eq!(data(&["content-type: "], body).await.data(), expected);
    }
    for body in [b"a\0b".as_slice(), b"caf\xe9", b"\x89PNG\r\n"] {
        let file = data(&[], body).await.json()["binary_data"].clone();
        assert_eq!(file["content_type"], "application/octet-stream");
        assert_eq!(file["size"], body.len());
    }
}

#[tokio::test]
async fn a_body_that_is_not_text_is_a_file() {
    for (headers, content_type) in [
        (vec!["content-type: image/png"], "image/png"),
        (vec!["content-type: application/octet-stream"], "application/octet-stream"),
        (vec!["content-type: text/plain", "content-encoding: compress"], "text/plain"),
        (vec!["content-type: text/plain", "content-encoding: gzip, x-own"], "text/plain"),
        // As text the body would lose bytes, because it is not UTF-8.
        (vec!["content-type: text/plain"], "text/plain"),
    ] {
        let answer = data(&headers, b"\x89PNG\r\n\x1a\n").await;
        assert_eq!(answer.data(), Value::Null);
        assert_eq!(answer.json()["binary_data"]["content_type"], content_type, "{headers:?}");
        assert_eq!(answer.json()["binary_data"]["size"], 8);
    }
    // The coding `identity` changes nothing.
    let plain = data(&["content-type: text/plain", "content-encoding: identity"], "plain").await;
    assert_eq!(plain.data(), "plain");
}

#[tokio::test]
async fn an_interim_response_is_not_the_response() {
    let early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let step = Step::Send([early.as_slice(), &answer(200, &[JSON], "1")].concat());
    assert_eq!(after(step).await.unwrap().raw_data(), "1");
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let long = format!("x-long: {}", "x".repeat(2 * MEGABYTE));
    let (upstream, caller) = once(Step::Send(answer(200, &[JSON, &long], "{}"))).await;
    assert_error(caller.call("POST", "/x").await, ErrorKind::UpstreamTooLarge, "127.0.0.1");
    is_well(&caller).await;
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn dropping_a_call_cancels_it_at_the_upstream() {
    for sent in [Vec::new(), head(200, &[JSON, "content-length: 100"])] {
        let upstream = Upstream::with(move |request| match request.target.as_str() {
            "/v1/hang" => Step::SendAndHang(sent.clone()),
            _ => json_answer(r#""well""#),
        })
        .await;
        let caller = Caller::new(&upstream, "header", "a-secret").await;
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let (gateway, session) = (caller.gateway.clone(), caller.session.clone());
                let mut request = get("header");
                request["endpoint"] = json!("/hang");
                tokio::spawn(async move { call_forever(&gateway, &session, request).await })
            })
            .collect();
        upstream.has_seen(|seen| seen.requests.len() == 50).await;
        for call in &calls {
            call.abort();
        }
        upstream.has_seen(|seen| seen.gone == 50).await;
        is_well(&caller).await;
        let outcomes: Vec<_> = caller
            .gateway
            .calls(&CallFilter::newest(100))
            .await
            .unwrap()
            .into_iter()
            .map(|call| call.outcome)
            .collect();
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "cancelled").count(), 50);
        // No work is left for closing to wait for.
        let closing = Instant::now();
        soon(caller.gateway.close()).await;
        assert!(closing.elapsed() < Duration::from_secs(3));
    }
}

async fn call_forever(gateway: &Embedded, session: &str, request: Value) {
    drop(gateway.proxy_execute(session, written(request), deadline()).await);
}
