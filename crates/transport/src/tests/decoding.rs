//! Which answers are decoded, and what is left of their headers.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};

use super::server::Server;
use super::*;

const HELLO: &[u8] = b"\x0b\x02\x80hello\x03";

/// A server whose every answer is this one.
async fn answering(head: &str, body: &[u8]) -> (Server, String) {
    let head = format!("HTTP/1.1 {head}\r\n\r\n");
    let server = Server::start(None, [head.as_bytes(), body].concat()).await;
    let url = format!("http://{}/", server.address);
    (server, url)
}

#[tokio::test]
async fn what_is_asked_for_is_decoded() {
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
async fn a_coding_is_known_by_each_of_its_names() {
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
async fn who_says_what_they_accept_gets_the_bytes_as_they_are() {
    let (server, url) = answering("200 OK\r\ncontent-encoding: br\r\ncontent-length: 9", HELLO).await;
    let mut request = get(&url);
    request.headers_mut().insert(ACCEPT_ENCODING, "br;q=0.5".parse().unwrap());
    let response = plain_client().send(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "br");
    assert_eq!(response.body().announced(), Some(9));
    let chunks: Vec<_> = response.into_body().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), HELLO);
    assert_eq!(server.requests()[0].matches("accept-encoding: ").count(), 1);
    assert!(server.requests()[0].contains("accept-encoding: br;q=0.5\r\n"));
}

#[tokio::test]
async fn a_coding_that_is_not_known_and_several_of_them_are_left_alone() {
    for coding in ["compress", "identity", "Identity", "br, gzip", "x-of-our-own"] {
        let head = format!("200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: 5");
        let (_server, url) = answering(&head, b"hello").await;
        let response = plain_client().send(get(&url)).await.unwrap();
        assert_eq!(response.headers()[CONTENT_ENCODING], coding);
        assert_eq!(text(response).await, "hello", "{coding}");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_has_nothing_to_decode() {
    for coding in ["gzip", "br", "zstd", "deflate"] {
        for (method, status) in [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")] {
            // What it tells of an answer with a body stays.
            let length = if status == "204 No Content" { "" } else { "\r\ncontent-length: 1000" };
            let head = format!("{status}\r\ncontent-encoding: {coding}{length}");
            let (_server, url) = answering(&head, b"").await;
            let request = Request::builder().method(method).uri(&url).body(whole("")).unwrap();
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
