//! The messages of failures, and the secrets that they never show.

use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use futures::stream::once;
use proxy_execute_protocol::{BinaryBody, ByteStream, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;

async fn failing(step: Step) -> Error {
    let server = Server::start([step]).await;
    let mut remote = remote(&server.origin);
    remote.retry.max_retries = 0;
    write(&remote).await.unwrap_err()
}

#[tokio::test]
async fn no_server_listens() {
    let (_socket, origin) = refusing();
    let error = write(&remote(&origin)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, None));
    assert_eq!(
        error.to_string(),
        format!(
            "Could not connect to {origin} (connection refused). \
             Is the gateway running, and is baseURL right?"
        )
    );
}

#[tokio::test]
async fn the_host_has_no_address() {
    let mut remote = remote("http://backend.invalid");
    remote.retry.max_retries = 0;
    let error = write(&remote).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().starts_with("Could not connect to http://backend.invalid ("), "{error}");
}

#[tokio::test]
async fn the_connection_breaks() {
    let error = failing(Step::Reset).await;
    assert!(error.to_string().contains("broke before the response (connection reset by peer)"), "{error}");
    let error = failing(Step::SendAndClose(Vec::new())).await;
    assert!(error.to_string().contains("broke before the response (connection closed"), "{error}");
}

#[tokio::test]
async fn the_response_is_cut_off() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"status\":200}"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"sta\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n{\"a\"",
        // Bytes after the end of the coding.
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 11\r\n\r\n\x0b\x02\x80hello\x03<p",
    ] {
        let error = failing(Step::SendAndClose(bytes.to_vec())).await;
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains("was cut off or damaged ("), "{error}");
    }
}

#[tokio::test]
async fn an_error_that_is_cut_off_keeps_its_status() {
    let cut =
        b"HTTP/1.1 403 Forbidden\r\ncontent-length: 1000\r\nx-request-id: req_7\r\n\r\n{\"error\":{\"mes";
    let error = failing(Step::SendAndClose(cut.to_vec())).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::PermissionDenied, Some(403)));
    assert_eq!(error.body().request_id.as_deref(), Some("req_7"));
}

#[tokio::test]
async fn the_error_of_a_broken_body_wins_even_after_the_response_has_begun() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_vec();
    for before in [Vec::new(), begun] {
        for hands_on in [false, true] {
            let gateway = answer(200, &["x-proxy-execute: 1"], SESSION);
            let mut server = Server::start([Step::Answer(gateway), Step::SendAndHang(before.clone())]).await;
            let remote = remote(&server.origin);
            read(&remote).await.unwrap();
            let (breaks, broken) = oneshot::channel();
            let body = once(async move { broken.await.unwrap() });
            let stream = Some(ByteStream::new(body));
            let mut request = proxied(Method::Post);
            request.binary_body = Some(BinaryBody { stream, ..BinaryBody::default() });
            let call = async {
                if hands_on {
                    let answer = remote.proxy_stream(None, request.into(), soon()).await?;
                    answer.body.try_for_each(|_| ready(Ok(()))).await
                } else {
                    remote.tools_proxy_execute(request.into(), soon()).await.map(drop)
                }
            };
            let breaking = async {
                server.has_seen(|seen| seen.requests.len() == 2).await;
                breaks.send(Err(Error::new(ErrorKind::UploadBroken, "The disk is gone."))).unwrap();
            };
            let (result, ()) = tokio::join!(call, breaking);
            assert_eq!(result.unwrap_err().kind(), ErrorKind::UploadBroken, "{before:?} {hands_on}");
        }
    }
}

#[tokio::test]
async fn a_response_is_not_read_beyond_the_longest_string() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let length = ENVELOPE.len();
    let chunked = format!("{chunked}{length:x}\r\n{ENVELOPE}\r\n0\r\n\r\n").into_bytes();
    for bytes in [chunked, answer(200, &[], ENVELOPE)] {
        let server = Server::start([bytes.clone(), bytes].map(Step::Answer)).await;
        let mut remote = remote(&server.origin);
        remote.max_answer = length;
        assert_eq!(write(&remote).await.unwrap().into_text(), ENVELOPE);
        remote.max_answer = length - 1;
        let error = write(&remote).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UpstreamTooLarge);
        assert!(error.to_string().contains(&format!("larger than {} bytes", length - 1)), "{error}");
        assert_eq!(server.requests().len(), 2, "the request is not retried");
    }

    // An error response over the limit still reports its status.
    let server = Server::start([Step::Answer(answer(403, &[], "{"))]).await;
    let mut remote = remote(&server.origin);
    remote.max_answer = 0;
    assert_eq!(write(&remote).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn the_server_does_not_speak_http() {
    let error = failing(Step::SendAndClose(b"220 mail.example ESMTP\r\n".to_vec())).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    let error = failing(Step::SendAndClose(b"\x15\x03\x01\x00\x02\x02\x16".to_vec())).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn tls_to_a_server_without_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    let mut remote = remote(&origin);
    remote.retry.max_retries = 0;
    let error = write(&remote).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn a_web_page_instead_of_a_gateway() {
    let page = "<!doctype html><title>Welcome</title>";
    let error = failing(Step::Answer(answer(200, &["content-type: text/html"], page))).await;
    assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
    let message = error.to_string();
    assert!(
        message.contains("/tool_router/session/trs_1/proxy_execute responded with 200 and HTML"),
        "{message}"
    );
    assert!(message.contains("check baseURL"), "{message}");
    assert_eq!(error.headers().get("content-type"), Some("text/html"));
}

#[tokio::test]
async fn an_empty_success_is_an_error() {
    let error = failing(Step::Answer(answer(204, &[], ""))).await;
    assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
}

/// One of each kind of failure.
fn failures() -> Vec<Step> {
    let echo = |status| {
        let echo = "x-echo: ak_canary_key";
        Step::Answer(answer(status, &[echo], r#"{"error":{"message":"ak_canary_key is not valid"}}"#))
    };
    let text = |status| Step::Answer(answer(status, &["x-echo: ak_canary_key"], "<p>ak_canary_key"));
    vec![
        Step::Reset,
        Step::SendAndClose(Vec::new()),
        Step::SendAndClose(b"ak_canary_key".to_vec()),
        Step::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()),
        Step::SendAndHang(Vec::new()),
        Step::Answer(answer(302, &["location: http://127.0.0.1:9/canary?canary=1"], "")),
        echo(401),
        echo(429),
        text(200),
        text(404),
        text(502),
    ]
}

#[tokio::test]
async fn errors_debug_output_and_the_log_show_no_sent_data() {
    let log = Log::default();
    let writer = log.clone();
    // The subscriber is global, because a callsite that another test reaches first would stay silent. The
    // calls of the other tests are logged, too, and must not show a secret either.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();

    for step in failures() {
        let server = Server::start([step]).await;
        let mut remote = remote(&server.origin);
        remote.retry.max_retries = 1;
        let deadline = Deadline::after(Duration::from_millis(300));
        let error = remote.proxy_execute("trs_1", proxied(Method::Post).into(), deadline).await.unwrap_err();
        let mut headers = error.headers().clone();
        headers.0.retain(|(name, _)| name != "location");
        let shown = format!("{error} {error:?} {headers:?} {remote:?} {:?}", options(&server.origin));
        assert!(!shown.contains("canary"), "{shown}");
    }
    let log = log.text();
    let ours: Vec<_> = log.lines().filter(|line| line.contains("proxy_execute_client")).collect();
    assert!(ours.iter().any(|line| line.contains("attempt=2") && line.contains("method=POST")), "{ours:#?}");
    assert!(!log.contains("canary"), "{log}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_download_is_a_whole_file_or_an_error() {
    for (status, body) in [(206, "par"), (202, ""), (203, "part")] {
        let server = Server::start([Step::Answer(answer(status, &[], body))]).await;
        let url = format!("{}/files/f", server.origin);
        let error = remote(&server.origin).download(&url, soon()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
        assert!(error.to_string().contains(&format!("/files/f responded with {status}")), "{error}");
    }
    let server = Server::start([Step::Answer(answer(200, &[], "whole"))]).await;
    let file = remote(&server.origin).download(&format!("{}/f", server.origin), soon()).await.unwrap();
    assert_eq!(file.body.try_collect::<Vec<_>>().await.unwrap().concat(), b"whole");
}
