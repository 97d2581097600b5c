//! Heads of responses: the client accepts the same heads as `fetch` and curl, up to a size.

use h2::server::handshake;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::server::Server;
use super::*;
use crate::{BadHead, MAX_HEAD};

/// Returns the client's result for a response with these header lines.
async fn answer_to(lines: &[u8]) -> Result<Response, Error> {
    let end = b"content-length: 2\r\n\r\nok";
    let server = Server::start(None, [b"HTTP/1.1 200 OK\r\n", lines, end].concat()).await;
    plain_client().send(get(&format!("http://{}/", server.address))).await
}

/// Returns the client's result for a response over HTTP/2.
async fn answer_over_h2(headers: HeaderMap) -> Result<Response, Error> {
    let (server_tls, client_tls) = tls(&["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut connection = handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut response = http::Response::new(());
        *response.headers_mut() = headers;
        respond.send_response(response, true).unwrap();
        _ = connection.accept().await;
    });
    client(client_tls, None, None).send(get(&url)).await
}

/// Returns so many headers, each with a value of so many bytes.
fn headers(count: usize, value: usize) -> HeaderMap {
    let value = HeaderValue::try_from("v".repeat(value)).unwrap();
    (0..count).map(|index| (HeaderName::try_from(format!("x-{index:05}")).unwrap(), value.clone())).collect()
}

fn lines(headers: &HeaderMap) -> Vec<u8> {
    let lines =
        headers.iter().map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    lines.flatten().flatten().copied().collect()
}

/// The size of the header lines in HTTP/1.1.
fn size(headers: &HeaderMap) -> usize {
    lines(headers).len()
}

#[tokio::test]
async fn heads_are_limited_by_their_bytes_whatever_the_protocol() {
    let announced = "content-length: 2\r\n".len();
    let many_short = headers((MAX_HEAD - announced) / size(&headers(1, 0)), 0);
    let one_long = headers(1, MAX_HEAD - announced - size(&headers(1, 0)));
    for (headers, fits) in [
        (headers(101, 1), true),
        (headers(128, 20), true),
        (headers(150, 100), true),
        (headers(1000, 20), true),
        (headers(1, 17_000), true),
        (headers(4, 16_000), true),
        (many_short.clone(), true),
        (one_long, true),
        (headers(many_short.len() + 3, 0), false),
        (headers(1, MAX_HEAD), false),
        (headers(1, 2 * MAX_HEAD), false),
        (headers(1000, 70), false),
        (headers(20_000, 1), false),
    ] {
        let what = format!("{} headers, {} bytes", headers.len(), size(&headers));
        for (protocol, result) in [
            ("HTTP/1.1", answer_to(&lines(&headers)).await),
            ("HTTP/2", answer_over_h2(headers.clone()).await),
        ] {
            match result {
                Ok(response) => {
                    assert!(fits, "{protocol}: {what}");
                    let got = response.headers().keys().filter(|name| name.as_str().starts_with("x-"));
                    assert_eq!(got.count(), headers.len(), "{protocol}: {what}");
                }
                Err(error) => assert!(!fits, "{protocol}: {what}: {}", chain(&error)),
            }
        }
    }
}

#[tokio::test]
async fn a_head_over_the_limit_says_so() {
    let slightly = headers(1, MAX_HEAD);
    for result in [answer_to(&lines(&slightly)).await, answer_over_h2(slightly).await] {
        let error = result.unwrap_err();
        assert!(error.is_head_too_large() && !error.is_connect());
        assert_eq!(error.to_string(), "the headers of the response are larger than 64 KiB");
    }
    assert!(answer_to(&lines(&headers(1, 4 * MAX_HEAD))).await.unwrap_err().is_head_too_large());
    assert!(answer_to(&lines(&headers(20_000, 1))).await.unwrap_err().is_head_too_large());
}

#[tokio::test]
async fn lines_that_old_servers_write_are_read() {
    for (line, value) in [
        ("x-test: a\r\n b\r\n", "a b"),
        ("x-test: a\r\n\tb\r\n", "a\tb"),
        ("x-test:\r\n a\r\n", "a"),
        ("x-test: a\r\n   b\r\n \t c\r\n", "a   b \t c"),
        ("x-test : a\r\n", "a"),
        ("x-test \t: a\r\n", "a"),
        ("x-test:a\r\n", "a"),
        ("x-test: a  \t \r\n", "a"),
        ("x-test: a\n", "a"),
        ("X-TEST: a\r\n", "a"),
        ("x-test:\r\n", ""),
    ] {
        let response =
            answer_to(line.as_bytes()).await.unwrap_or_else(|error| panic!("{line:?}: {}", chain(&error)));
        let got = response.headers()["x-test"].to_str().unwrap();
        assert_eq!(
            got.split_whitespace().collect::<Vec<_>>(),
            value.split_whitespace().collect::<Vec<_>>(),
            "{line:?}"
        );
        assert_eq!(text(response).await, "ok", "{line:?}");
    }
}

/// The client itself reads these headers, to find the end of the body and its coding.
#[tokio::test]
async fn old_lines_are_read_where_they_frame_a_body() {
    let chunked = b"2\r\nok\r\n0\r\n\r\n".to_vec();
    let coded = codings::gzip(b"ok");
    let length = format!("content-length: {}\r\n", coded.len());
    for (lines, body) in [
        ("content-length : 2\r\n".to_owned(), b"ok more".to_vec()),
        ("content-length:\r\n 2\r\n".to_owned(), b"ok more".to_vec()),
        ("content-length: 2\r\n \r\n".to_owned(), b"ok more".to_vec()),
        ("transfer-encoding : chunked\r\n".to_owned(), chunked.clone()),
        ("transfer-encoding:\r\n chunked\r\n".to_owned(), chunked.clone()),
        ("transfer-encoding: identity,\r\n\tchunked\r\n".to_owned(), chunked),
        (length.clone() + "content-encoding : gzip\r\n", coded.clone()),
        (length.clone() + "content-encoding:\r\n gzip\r\n", coded.clone()),
        (length + "content-encoding: identity,\r\n gzip\r\n", coded),
    ] {
        let sent = [b"HTTP/1.1 200 OK\r\n", lines.as_bytes(), b"\r\n", &body].concat();
        let server = Server::start(None, sent).await;
        let response = plain_client().send(get(&format!("http://{}/", server.address))).await;
        let response = response.unwrap_or_else(|error| panic!("{lines:?}: {}", chain(&error)));
        assert_eq!(text(response).await, "ok", "{lines:?}");
    }
}

#[tokio::test]
async fn lines_that_could_mean_two_things_are_refused() {
    for line in
        ["x test: a\r\n", "x-test\r\n", ": a\r\n", "x-test: a\0b\r\n", " x-test: a\r\n", "x-test: a\rb\r\n"]
    {
        assert!(answer_to(line.as_bytes()).await.is_err(), "{line:?}");
    }
}

#[tokio::test]
async fn an_unrequested_protocol_is_refused() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    let server = Server::start(None, head).await;
    let error = plain_client().send(get(&format!("http://{}/", server.address))).await.unwrap_err();
    assert!(matches!(error, Error::Head(BadHead::SwitchedProtocols)), "{error:?}");
}

#[tokio::test]
async fn an_unrequested_transfer_coding_is_refused() {
    let sent = |coding: &str| format!("HTTP/1.1 200 OK\r\n{coding}\r\n2\r\nok\r\n0\r\n\r\n");
    for (coding, accepted) in [
        ("transfer-encoding: chunked\r\n", true),
        ("transfer-encoding: Chunked\r\n", true),
        ("transfer-encoding: identity, chunked\r\n", true),
        ("transfer-encoding: gzip, chunked\r\n", false),
        ("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", false),
        ("transfer-encoding: chunked, chunked\r\n", false),
        ("transfer-encoding: chunked, gzip\r\n", false),
        ("transfer-encoding: gzip\r\n", false),
        ("transfer-encoding: xchunked\r\n", false),
    ] {
        let server = Server::start(None, sent(coding)).await;
        match plain_client().send(get(&format!("http://{}/", server.address))).await {
            Ok(response) => {
                assert!(accepted, "{coding}");
                assert_eq!(text(response).await, "ok", "{coding}");
            }
            Err(error) => {
                assert!(
                    !accepted && matches!(error, Error::Head(BadHead::TransferCoding)),
                    "{coding} {error:?}"
                );
            }
        }
    }
}
