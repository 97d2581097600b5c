//! The bodies of responses whose labels are wrong or misleading.

use futures::TryStreamExt;
use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{Backend, ErrorKind, ProxyCall, Result};
use serde_json::{Value, json};

use crate::port::Port;
use crate::support::{
    Answer, Caller, Step, Upstream, answer, assert_error, deadline, gzip, head, http, options, soon, written,
};

const JSON: &str = "content-type: application/json";
const ATTACHMENT: &str = "content-disposition: attachment; filename=a";

/// The expected form of a body.
#[derive(Debug, Clone, Copy)]
enum Is {
    Null,
    /// JSON, byte for byte.
    Json(&'static str),
    Text(&'static str),
    /// A file with the body's bytes.
    File,
    Broken,
}

use Is::{Broken, File, Null, Text};

struct Case {
    headers: &'static [&'static str],
    body: &'static [u8],
    /// The body of a successful call.
    success: Is,
    /// The body of a call with another status.
    failure: Is,
    /// With `responseType: 'text'`, whatever the status.
    as_text: Is,
}

const fn case(
    headers: &'static [&'static str],
    body: &'static [u8],
    success: Is,
    failure: Is,
    as_text: Is,
) -> Case {
    Case { headers, body, success, failure, as_text }
}

const TOO_MANY: &[u8] = b"Too Many Requests";
const CASES: &[Case] = &[
    // A body that is labelled as JSON and is not JSON.
    case(&[JSON], TOO_MANY, Broken, Text("Too Many Requests"), Text("Too Many Requests")),
    case(&[JSON], b"<html>busy</html>", Broken, Text("<html>busy</html>"), Text("<html>busy</html>")),
    case(&["content-type: application/problem+json"], b"no", Broken, Text("no"), Text("no")),
    case(&["content-type: text/json"], b"no", Broken, Text("no"), Text("no")),
    case(&[JSON], b"{", Broken, Text("{"), Text("{")),
    case(&[JSON], b"{\"a\":1}}", Broken, Text("{\"a\":1}}"), Text("{\"a\":1}}")),
    case(
        &[JSON],
        b"{\"a\":1}\n{\"a\":2}\n",
        Broken,
        Text("{\"a\":1}\n{\"a\":2}\n"),
        Text("{\"a\":1}\n{\"a\":2}\n"),
    ),
    case(&[JSON], b")]}',\n{}", Broken, Text(")]}',\n{}"), Text(")]}',\n{}")),
    case(&[JSON], b"{'a':1}", Broken, Text("{'a':1}"), Text("{'a':1}")),
    case(&[JSON], b"NaN", Broken, Text("NaN"), Text("NaN")),
    case(&[JSON], b"[1,]", Broken, Text("[1,]"), Text("[1,]")),
    case(&[JSON], b"\x01", Broken, Text("\u{1}"), Text("\u{1}")),
    case(&[JSON], b"{\"a\":\"\n\"}", Broken, Text("{\"a\":\"\n\"}"), Text("{\"a\":\"\n\"}")),
    case(&[JSON], b" \r\n", Broken, Text(" \r\n"), Text(" \r\n")),
    case(&[JSON], b"\xef\xbb\xbfbusy", Broken, Text("busy"), Text("busy")),
    // JSON stays JSON, whatever the status.
    case(&[JSON], b"{\"a\":1.0}", Is::Json("{\"a\":1.0}"), Is::Json("{\"a\":1.0}"), Text("{\"a\":1.0}")),
    case(&[JSON], b" [1]\n", Is::Json(" [1]\n"), Is::Json(" [1]\n"), Text(" [1]\n")),
    case(&[JSON], b"\"a\"", Is::Json("\"a\""), Is::Json("\"a\""), Text("\"a\"")),
    case(&[JSON], b"null", Is::Json("null"), Is::Json("null"), Text("null")),
    case(&[JSON], b"\xef\xbb\xbf{}", Is::Json("{}"), Is::Json("{}"), Text("{}")),
    case(&[], b"{}", Is::Json("{}"), Is::Json("{}"), Text("{}")),
    case(&[], TOO_MANY, Text("Too Many Requests"), Text("Too Many Requests"), Text("Too Many Requests")),
    // No body.
    case(&[JSON], b"", Null, Null, Null),
    case(&["content-type: text/plain"], b"", Null, Null, Null),
    case(&[ATTACHMENT], b"", Null, Null, Null),
    // A charset that differs from that of the body. No byte is lost.
    case(&[JSON], b"{\"a\":\"\xff\xfe\"}", Broken, File, File),
    case(&[JSON], b"\x1f\x8b\x08\x00", Broken, File, File),
    case(&[JSON], b"\xfcberlastet", Broken, File, File),
    case(
        &["content-type: application/json; charset=iso-8859-1"],
        b"\xfcberlastet",
        Broken,
        Text("\u{fc}berlastet"),
        Text("\u{fc}berlastet"),
    ),
    case(
        &["content-type: application/json; charset=iso-8859-1"],
        "\"\u{fc}\"".as_bytes(),
        Is::Json("\"\u{fc}\""),
        Is::Json("\"\u{fc}\""),
        Text("\"\u{fc}\""),
    ),
    case(
        &["content-type: application/json; charset=utf-16le"],
        b"Forbidden!",
        Broken,
        Text("Forbidden!"),
        Text("Forbidden!"),
    ),
    case(&["content-type: application/json; charset=utf-16le"], b"n\0o\0", Broken, Text("no"), Text("no")),
    case(
        &["content-type: application/json; charset=utf-16"],
        b"{\"a\":1}",
        Is::Json("{\"a\":1}"),
        Is::Json("{\"a\":1}"),
        Text("{\"a\":1}"),
    ),
    case(
        &["content-type: text/plain; charset=utf-16"],
        b"busy!",
        Text("busy!"),
        Text("busy!"),
        Text("busy!"),
    ),
    case(&["content-type: text/plain"], b"\xfcber", File, File, File),
    // The type of an attachment decides its form.
    case(&[JSON, ATTACHMENT], b"{\"a\":1}", Is::Json("{\"a\":1}"), Is::Json("{\"a\":1}"), Text("{\"a\":1}")),
    case(
        &["content-type: application/vnd.api+json", "content-disposition: ATTACHMENT"],
        b"[]",
        Is::Json("[]"),
        Is::Json("[]"),
        Text("[]"),
    ),
    case(&["content-type: text/csv", ATTACHMENT], b"a,b\n", Text("a,b\n"), Text("a,b\n"), Text("a,b\n")),
    case(&["content-type: application/xml", ATTACHMENT], b"<a/>", Text("<a/>"), Text("<a/>"), Text("<a/>")),
    case(&[ATTACHMENT], b"{}", Is::Json("{}"), Is::Json("{}"), Text("{}")),
    case(&[ATTACHMENT], b"a,b\n", Text("a,b\n"), Text("a,b\n"), Text("a,b\n")),
    case(&[ATTACHMENT], b"\x89PNG", File, File, File),
    case(&["content-type: application/pdf", ATTACHMENT], b"{}", File, File, File),
    case(&["content-type: application/pdf", "content-disposition: inline"], b"{}", File, File, File),
    case(&["content-type: text/plain", "content-disposition: inline"], b"a", Text("a"), Text("a"), Text("a")),
    case(&["content-type: text/csv", ATTACHMENT], b"\xfcber", File, File, File),
    // An attachment whose bytes do not match its type is still returned.
    case(&[JSON, ATTACHMENT], b"{}\n{}\n", File, Text("{}\n{}\n"), Text("{}\n{}\n")),
    case(&[JSON, ATTACHMENT], b"\x1f\x8b\x08\x00", File, File, File),
];

async fn is_as_expected(result: Result<Answer>, status: u16, is: Is, case: &str, size: usize) {
    if let Broken = is {
        let error = assert_error(result, ErrorKind::UpstreamBroken, &format!("(status {status}) as JSON"));
        assert!(error.to_string().contains("responseType: 'text'"), "{error}");
        return;
    }
    let answer = result.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(answer.status(), u64::from(status), "{case}");
    assert_eq!(answer.header("retry-after").as_deref(), Some("7"), "{case}");
    match is {
        Null => assert_eq!(answer.raw_data(), "null", "{case}"),
        Is::Json(json) => assert_eq!(answer.raw_data(), json, "{case}"),
        Text(text) => assert_eq!(answer.data(), text, "{case}"),
        File => {
            assert_eq!(answer.data(), Value::Null, "{case}");
            assert_eq!(answer.json()["binary_data"]["size"], size, "{case}");
        }
        Broken => unreachable!("it is an error"),
    }
}

async fn execute(caller: &Caller, data_as_text: bool) -> Result<Answer> {
    let request = json!({ "toolkit_slug": caller.toolkit, "endpoint": "/x", "method": "POST" });
    let call = ProxyCall::Written { text: request.to_string(), data_as_text };
    soon(caller.gateway.proxy_execute(&caller.session, call, deadline())).await.map(Answer::from)
}

#[tokio::test]
async fn a_label_changes_neither_the_body_nor_the_status() {
    for Case { headers, body, success, failure, as_text } in CASES {
        let statuses =
            [(200, success), (201, success), (302, failure), (400, failure), (429, failure), (503, failure)];
        let upstream = {
            let steps = statuses.iter().flat_map(|(status, _)| {
                let headers = [headers, ["retry-after: 7"].as_slice()].concat();
                let step = Step::Send(answer(*status, &headers, body));
                [step.clone(), step]
            });
            Upstream::scripted(steps.collect::<Vec<_>>()).await
        };
        let caller = Caller::new(&upstream, "header", "a-secret").await;
        for (status, is) in statuses {
            let case = format!("{status} {headers:?} {:?}", String::from_utf8_lossy(body));
            is_as_expected(execute(&caller, false).await, status, *is, &case, body.len()).await;
            is_as_expected(
                execute(&caller, true).await,
                status,
                *as_text,
                &format!("text {case}"),
                body.len(),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn an_attachment_beyond_the_limit_is_a_file() {
    let body = format!("[{}1]", "1,".repeat(4_000));
    let limit = |bytes: usize| Some(bytes as u64);
    let chunked = |headers: &[&str]| {
        let head = head(200, &[headers, &["transfer-encoding: chunked"]].concat());
        let (first, rest) = body.split_at(4_096);
        let chunk = |bytes: &str| format!("{:x}\r\n{bytes}\r\n", bytes.len());
        [head, format!("{}{}0\r\n\r\n", chunk(first), chunk(rest)).into_bytes()].concat()
    };
    for content_type in [JSON, "content-type: text/csv", "x-no-type: 1"] {
        let attachment = [content_type, ATTACHMENT];
        for sent in [answer(200, &attachment, &body), chunked(&attachment)] {
            let upstream = Upstream::always(Step::Send(sent)).await;
            for (max_response_bytes, is_file) in [
                (limit(body.len()), false),
                (limit(body.len() - 1), true),
                (limit(5_000), true),
                (limit(1), true),
            ] {
                let options = GatewayOptions { max_response_bytes, ..options(&upstream) };
                let caller = Caller::with(options, "header", "a-secret").await;
                let answer = execute(&caller, false).await.unwrap();
                let file = &answer.json()["binary_data"];
                assert_eq!(!file.is_null(), is_file, "{content_type} {max_response_bytes:?}");
                if is_file {
                    let url = file["url"].as_str().unwrap();
                    let download = soon(caller.gateway.download(url, deadline())).await.unwrap();
                    let bytes: Vec<_> = soon(download.body.try_collect()).await.unwrap();
                    assert!(bytes.concat() == body.as_bytes(), "{content_type} {max_response_bytes:?}");
                }
            }
        }
        // Without the header, the limit is one.
        for sent in [answer(200, &[content_type], &body), chunked(&[content_type])] {
            let upstream = Upstream::always(Step::Send(sent)).await;
            let options = GatewayOptions { max_response_bytes: limit(5_000), ..options(&upstream) };
            let caller = Caller::with(options, "header", "a-secret").await;
            assert_error(execute(&caller, false).await, ErrorKind::UpstreamTooLarge, "5000 bytes");
        }
    }
}

#[tokio::test]
async fn a_status_outside_http_is_an_error_that_names_it() {
    for status in [600, 999] {
        let upstream = Upstream::always(Step::Send(answer(status, &[JSON], "{}"))).await;
        let caller = Caller::new(&upstream, "header", "a-secret").await;
        assert_error(execute(&caller, false).await, ErrorKind::UpstreamBroken, &format!("status {status}"));
        let request = json!({ "toolkit_slug": caller.toolkit, "endpoint": "/x", "method": "POST" });
        let stream =
            soon(caller.gateway.proxy_stream(Some(&caller.session), written(request), deadline())).await;
        assert_error(stream, ErrorKind::UpstreamBroken, &format!("status {status}"));
    }
}

#[tokio::test]
async fn a_header_requests_text_from_a_port() {
    let upstream = Upstream::with(|request| {
        Step::Send(answer(200, &[JSON], if request.target == "/v1/json" { " {\"a\":1.0}" } else { "busy" }))
    })
    .await;
    let port = Port::open(&upstream).await;
    let call = async |endpoint: &str, response_type: Option<&str>| {
        let request = json!({ "toolkit_slug": "header", "endpoint": endpoint, "method": "POST" });
        let path = format!("/api/v3.1/tool_router/session/{}/proxy_execute", port.caller.session);
        let headers = response_type.map(|value| ("x-proxy-execute-response", value));
        let headers: Vec<_> = [("x-api-key", port.key.as_str())].into_iter().chain(headers).collect();
        http(port.address, "POST", &path, &headers, &request.to_string()).await
    };
    let text = call("/json", Some("text")).await;
    assert_eq!((text.status, &text.json()["data"]), (200, &json!(" {\"a\":1.0}")));
    let text = call("/busy", Some("text")).await;
    assert_eq!((text.status, &text.json()["data"]), (200, &json!("busy")));
    let json = call("/json", None).await;
    assert_eq!((json.status, &json.json()["data"]), (200, &json!({ "a": 1.0 })));
    assert_eq!(call("/busy", None).await.status, 502);
    for unknown in ["json", "", "TEXT", "text, stream"] {
        let refused = call("/json", Some(unknown)).await;
        assert_eq!(refused.status, 400, "{unknown}");
        assert!(refused.body.contains("takes `text` or `stream`"), "{}", refused.body);
    }
}

#[tokio::test]
async fn repeated_headers_can_be_told_apart() {
    let lines =
        ["set-cookie: a=1; Expires=Wed, 21 Oct", "link: <a>", "Set-Cookie: b=2", "link: <b>", "vary: x"];
    for sent in [
        answer(200, &lines, "a"),
        answer(429, &[lines.as_slice(), &[JSON]].concat(), "{}"),
        head(204, &lines),
    ] {
        let caller = Caller::new(&Upstream::always(Step::Send(sent)).await, "header", "a-secret").await;
        let answer = execute(&caller, false).await.unwrap().json();
        assert_eq!(answer["headers"]["set-cookie"], "a=1; Expires=Wed, 21 Oct, b=2");
        assert_eq!(answer["headers"]["link"], "<a>, <b>");
        let cookies = ["a=1; Expires=Wed, 21 Oct", "b=2"];
        assert_eq!(answer["repeated_headers"], json!({ "set-cookie": cookies, "link": ["<a>", "<b>"] }));
    }
    let caller = Caller::new(&Upstream::pleasant().await, "header", "a-secret").await;
    assert_eq!(execute(&caller, false).await.unwrap().json().get("repeated_headers"), None);
}

#[tokio::test]
async fn ranges_of_a_file_are_served() {
    let pdf = Step::Send(answer(200, &["content-type: application/pdf"], "0123456789"));
    let port = Port::open(&Upstream::always(pdf).await).await;
    let url = execute(&port.caller, false).await.unwrap().json()["binary_data"]["url"].clone();
    let url = url.as_str().unwrap();
    let path = &url[url.find("/files/").unwrap()..];
    let ask = async |method: &str, headers: &[(&str, &str)]| {
        let answer = http(port.address, method, path, headers, "").await;
        let range = answer.header("content-range").map(ToOwned::to_owned);
        let length = answer.header("content-length").map(ToOwned::to_owned).unwrap();
        (answer.status, range, length, answer.body)
    };
    let whole = http(port.address, "GET", path, &[], "").await;
    let etag = whole.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.len() > 2, "{etag}");
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));

    let all = (200, None, "10".to_owned(), "0123456789".to_owned());
    let part = |range: &str, body: &str| {
        (206, Some(format!("bytes {range}/10")), body.len().to_string(), body.to_owned())
    };
    for (headers, expected) in [
        (vec![("range", "bytes=2-4")], part("2-4", "234")),
        (vec![("range", "bytes=-3")], part("7-9", "789")),
        (vec![("range", "bytes=-11")], part("0-9", "0123456789")),
        (vec![("range", "bytes=-10")], part("0-9", "0123456789")),
        (vec![("range", "bytes=0-99999999999999999999999")], part("0-9", "0123456789")),
        (vec![("range", "bytes=0-1,20-30")], part("0-1", "01")),
        (vec![("range", "bytes=0-1,3-4")], all.clone()),
        (vec![("range", "bytes=4-2")], all.clone()),
        (vec![("range", "bytes=0-1"), ("range", "bytes=2-3")], all.clone()),
        (vec![("range", "bytes=0-1"), ("if-range", etag.as_str())], part("0-1", "01")),
        (vec![("range", "bytes=0-1"), ("if-range", &format!("W/{etag}"))], all.clone()),
        (vec![("range", "bytes=0-1"), ("if-range", "\"another\"")], all.clone()),
        (vec![("range", "bytes=0-1"), ("if-range", "Wed, 21 Oct 2026 07:28:00 GMT")], all.clone()),
        (vec![("range", "bytes=0-1"), ("if-range", &etag), ("if-range", &etag)], all.clone()),
        (vec![("range", "bytes=20-"), ("if-range", "\"another\"")], all.clone()),
        (vec![("if-range", &etag)], all.clone()),
    ] {
        assert_eq!(ask("GET", &headers).await, expected, "{headers:?}");
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=10-11, -0"] {
        let none = (416, Some("bytes */10".to_owned()), "0".to_owned(), String::new());
        assert_eq!(ask("GET", &[("range", range)]).await, none, "{range}");
    }
    // A range is ignored in HEAD.
    for range in ["bytes=2-4", "bytes=20-"] {
        let head = (200, None, "10".to_owned(), String::new());
        assert_eq!(ask("HEAD", &[("range", range)]).await, head, "{range}");
    }
}

#[tokio::test]
async fn a_broken_coding_costs_an_error_its_body_and_not_its_status() {
    let packed = gzip(&b"{\"a\":1}".repeat(100));
    for content_type in [JSON, "content-type: text/plain", "x-no-type: 1"] {
        for (coding, body) in [
            ("content-encoding: gzip", b"Too Many Requests".as_slice()),
            ("content-encoding: gzip", &packed[..packed.len() - 4]),
            ("content-encoding: br", b"Too Many Requests"),
            ("content-encoding: zstd", b"Too Many Requests"),
        ] {
            let case = format!("{content_type} {coding} {}", body.len());
            let headers = [content_type, coding, "retry-after: 7"];
            let steps = [429, 200].map(|status| Step::Send(answer(status, &headers, body)));
            let caller = Caller::new(&Upstream::scripted(steps).await, "header", "a-secret").await;
            is_as_expected(execute(&caller, false).await, 429, Null, &case, 0).await;
            assert_error(execute(&caller, false).await, ErrorKind::UpstreamBroken, "cannot be decompressed");
        }
    }
    // A body that was cut off is an error.
    let half =
        [head(429, &[JSON, "content-encoding: gzip", "content-length: 900"]).as_slice(), &packed].concat();
    let caller = Caller::new(&Upstream::always(Step::SendAndClose(half)).await, "header", "a-secret").await;
    assert_error(execute(&caller, false).await, ErrorKind::UpstreamBroken, "broke off");
}
