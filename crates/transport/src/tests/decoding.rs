//! Which responses are decoded, and which of their headers stay.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, RANGE};

use super::codings::*;
use super::server::Server;
use super::*;

const HELLO: &[u8] = b"\x0b\x02\x80hello\x03";

/// Starts a server that sends this response to every request.
async fn answering(head: &str, body: &[u8]) -> (Server, String) {
    let head = format!("HTTP/1.1 {head}\r\n\r\n");
    let server = Server::start(None, [head.as_bytes(), body].concat()).await;
    let url = format!("http://{}/", server.address);
    (server, url)
}

/// Returns the body that a client reads from a response with these lines of `Content-Encoding`.
async fn decoded(lines: &[&str], body: &[u8]) -> Result<Vec<u8>, String> {
    let lines: String = lines.iter().map(|line| format!("content-encoding: {line}\r\n")).collect();
    let (_server, url) = answering(&format!("200 OK\r\n{lines}content-length: {}", body.len()), body).await;
    let response = plain_client().send(get(&url)).await.unwrap();
    let chunks: Result<Vec<_>, _> = response.into_body().try_collect().await;
    chunks.map(|chunks| chunks.concat()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn each_coding_is_decoded_to_its_end() {
    let mut wrong = Vec::new();
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    for (name, lines, body, expected) in [
        ("gzip", vec!["gzip"], gzip(b"one"), "one"),
        ("gzip, members", vec!["gzip"], [gzip(b"one"), gzip(b""), gzip(b"two")].concat(), "onetwo"),
        ("gzip, padded", vec!["gzip"], [gzip(b"one"), vec![0; 600]].concat(), "one"),
        ("x-gzip", vec!["X-GZip"], [gzip(b"one"), gzip(b"two")].concat(), "onetwo"),
        ("zlib", vec!["deflate"], zlib(b"one"), "one"),
        ("raw deflate", vec!["deflate"], deflate(b"one"), "one"),
        ("raw deflate, stored", vec!["deflate"], b"\x01\x03\0\xfc\xffone".to_vec(), "one"),
        ("br", vec!["br"], brotli(b"one"), "one"),
        ("br, streams", vec!["br"], [brotli(b"one"), brotli(b"two")].concat(), "onetwo"),
        ("zstd", vec!["zstd"], zstd(b"one"), "one"),
        ("zstd, frames", vec!["zstd"], [zstd(b"one"), zstd(b"two")].concat(), "onetwo"),
        (
            "zstd, skippable frames",
            vec!["zstd"],
            [skippable, &zstd(b"one")[..], skippable, &zstd(b"two")[..], skippable].concat(),
            "onetwo",
        ),
        ("zstd, 8 MiB window", vec!["zstd"], zstd_with_window(23, b"one"), "one"),
        ("two in a line", vec!["gzip, br"], brotli(&gzip(b"one")), "one"),
        ("two in lines", vec!["gzip", "br"], brotli(&gzip(b"one")), "one"),
        ("blanks and empty items", vec![" , gzip ,, BR\t,"], brotli(&gzip(b"one")), "one"),
        ("with identity", vec!["identity, gzip"], gzip(b"one"), "one"),
        (
            "five",
            vec!["gzip, deflate", "deflate,zstd", "br"],
            brotli(&zstd(&zlib(&deflate(&gzip(b"one"))))),
            "one",
        ),
        ("twice the same", vec!["gzip, gzip"], gzip(&gzip(b"one")), "one"),
    ] {
        let read = decoded(&lines, &body).await;
        if read.as_deref() != Ok(expected.as_bytes()) {
            wrong.push((name, read));
        }
    }
    assert_eq!(wrong, []);
}

#[tokio::test]
async fn bytes_that_a_coding_does_not_account_for_are_an_error() {
    let cut = |mut bytes: Vec<u8>| {
        bytes.pop();
        bytes
    };
    let mut wrong = Vec::new();
    for (name, lines, body) in [
        ("gzip, garbage", vec!["gzip"], [&gzip(b"one")[..], b"garbage"].concat()),
        ("gzip, zeros and a member", vec!["gzip"], [gzip(b"one"), vec![0; 9], gzip(b"two")].concat()),
        ("gzip, second cut", vec!["gzip"], cut([gzip(b"one"), gzip(b"two")].concat())),
        ("gzip, only zeros", vec!["gzip"], vec![0; 20]),
        ("zlib, garbage", vec!["deflate"], [&zlib(b"one")[..], b"x"].concat()),
        ("zlib, twice", vec!["deflate"], [zlib(b"one"), zlib(b"two")].concat()),
        ("raw deflate, garbage", vec!["deflate"], [&deflate(b"one")[..], b"x"].concat()),
        ("raw deflate, cut", vec!["deflate"], cut(deflate(b"one"))),
        ("br, garbage", vec!["br"], [&brotli(b"one")[..], b"garbage"].concat()),
        ("br, second cut", vec!["br"], cut([brotli(b"one"), brotli(b"two")].concat())),
        ("zstd, garbage", vec!["zstd"], [&zstd(b"one")[..], b"garbage"].concat()),
        ("zstd, zeros", vec!["zstd"], [zstd(b"one"), vec![0; 9]].concat()),
        ("zstd, second cut", vec!["zstd"], cut([zstd(b"one"), zstd(b"two")].concat())),
        ("zstd, window", vec!["zstd"], zstd_with_window(24, b"one")),
        ("zstd, window of 128 MiB", vec!["zstd"], zstd_with_window(27, b"one")),
        ("br, large window", vec!["br"], brotli_with_large_window(b"one")),
        ("text", vec!["gzip"], b"Too Many Requests".to_vec()),
        ("the outer cut", vec!["gzip, br"], cut(brotli(&gzip(b"one")))),
        ("the inner cut", vec!["gzip, br"], brotli(&cut(gzip(b"one")))),
        ("the wrong order", vec!["br, gzip"], brotli(&gzip(b"one"))),
        ("six", vec!["gzip, gzip, gzip, gzip, gzip, gzip"], gzip(b"one")),
    ] {
        if let Ok(read) = decoded(&lines, &body).await {
            wrong.push((name, read));
        }
    }
    assert_eq!(wrong, []);
}

#[tokio::test]
async fn an_empty_body_under_a_coding_is_empty() {
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
        let head = format!("200 OK\r\ncontent-encoding: {coding}\r\ntransfer-encoding: chunked");
        let (_server, url) = answering(&head, b"0\r\n\r\n").await;
        let response = plain_client().send(get(&url)).await.unwrap();
        let read: Result<Vec<_>, _> = response.into_body().try_collect().await;
        assert_eq!(read.map(|chunks| chunks.concat()).map_err(|e| e.to_string()), Ok(vec![]), "{coding}");
    }
}

#[tokio::test]
async fn a_part_of_a_coded_body_stays_coded() {
    let body = &gzip(b"one")[4..9];
    let head =
        "206 Partial Content\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\ncontent-range: bytes 4-8/23";
    let (server, url) = answering(head, body).await;
    let mut request = get(&url);
    request.headers.insert(RANGE, "bytes=4-8".parse().unwrap());
    let response = plain_client().send(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    let chunks: Vec<_> = response.into_body().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), body);
    assert!(server.requests()[0].contains("accept-encoding: identity\r\n"));
}

#[tokio::test]
async fn the_client_decodes_the_codings_that_it_requests() {
    let (server, url) = answering("200 OK\r\ncontent-encoding: br\r\ncontent-length: 9", HELLO).await;
    let response = plain_client().send(get(&url)).await.unwrap();
    assert!(!response.headers().contains_key(CONTENT_ENCODING));
    assert!(!response.headers().contains_key(CONTENT_LENGTH));
    assert_eq!(response.body().announced(), None);
    assert_eq!(text(response).await, "hello");
    for coding in ["gzip", "br", "zstd", "deflate"] {
        assert!(server.requests()[0].contains(coding), "{coding}");
    }
}

#[tokio::test]
async fn a_coding_is_recognised_by_each_of_its_names() {
    const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    for (coding, body) in [("GZIP", GZIP), ("x-gzip", GZIP), ("X-GZip", GZIP), ("Br", HELLO)] {
        let head = format!("200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}", body.len());
        let (_server, url) = answering(&head, body).await;
        let response = plain_client().send(get(&url)).await.unwrap();
        assert!(!response.headers().contains_key(CONTENT_ENCODING), "{coding}");
        assert_eq!(text(response).await, "hello", "{coding}");
    }
}

#[tokio::test]
async fn a_caller_that_sets_accept_encoding_gets_the_bytes_unchanged() {
    let (server, url) = answering("200 OK\r\ncontent-encoding: br\r\ncontent-length: 9", HELLO).await;
    let mut request = get(&url);
    request.headers.insert(ACCEPT_ENCODING, "br;q=0.5".parse().unwrap());
    let response = plain_client().send(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "br");
    assert_eq!(response.body().announced(), Some(9));
    let chunks: Vec<_> = response.into_body().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), HELLO);
    assert_eq!(server.requests()[0].matches("accept-encoding: ").count(), 1);
    assert!(server.requests()[0].contains("accept-encoding: br;q=0.5\r\n"));
}

#[tokio::test]
async fn an_unknown_coding_leaves_the_whole_body_coded() {
    for coding in [
        "compress",
        "x-compress",
        "identity",
        "Identity",
        "x-of-our-own",
        "gzip, x-of-our-own",
        "x-own, br",
        "utf-8",
    ] {
        let head = format!("200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: 5");
        let (_server, url) = answering(&head, b"hello").await;
        let response = plain_client().send(get(&url)).await.unwrap();
        assert_eq!(response.headers()[CONTENT_ENCODING], coding);
        assert_eq!(text(response).await, "hello", "{coding}");
    }
}

#[tokio::test]
async fn a_response_without_a_body_is_not_decoded() {
    for coding in ["gzip", "br", "zstd", "deflate"] {
        for (method, status) in [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")] {
            // The headers that describe a response with a body stay.
            let length = if status == "204 No Content" { "" } else { "\r\ncontent-length: 1000" };
            let head = format!("{status}\r\ncontent-encoding: {coding}{length}");
            let (_server, url) = answering(&head, b"").await;
            let request = Request { method: method.parse().unwrap(), ..get(&url) };
            let response = plain_client().send(request).await.unwrap();
            assert_eq!(response.headers()[CONTENT_ENCODING], coding, "{method} {status}");
            assert_eq!(
                response.headers().contains_key(CONTENT_LENGTH),
                !length.is_empty(),
                "{method} {status}"
            );
            assert_eq!(text(response).await, "", "{method} {status} {coding}");
        }
    }
}

#[tokio::test]
async fn a_damaged_body_is_an_error() {
    for damaged in [&HELLO[..6], b"\x0b\x02hello world"] {
        let head = format!("200 OK\r\ncontent-encoding: br\r\ncontent-length: {}", damaged.len());
        let (_server, url) = answering(&head, damaged).await;
        let response = plain_client().send(get(&url)).await.unwrap();
        let read: Result<Vec<_>, _> = response.into_body().try_collect().await;
        assert!(read.is_err());
    }
}
