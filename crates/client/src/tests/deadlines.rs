//! The deadline and cancellation, at every stage of a call.

use std::time::Instant;

use proxy_execute_protocol::ErrorKind;
use tokio::net::TcpListener;

use super::*;

/// Makes a call with a deadline of 200 ms, and returns the error's message.
async fn too_late(base_url: &str) -> String {
    let deadline = Deadline::after(Duration::from_millis(200));
    let begin = Instant::now();
    let error =
        remote(base_url).proxy_execute("trs_1", proxied(Method::Post).into(), deadline).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_millis(190) && elapsed < Duration::from_secs(10), "{elapsed:?}");
    error.to_string()
}

#[tokio::test]
async fn while_connecting() {
    // The listener accepts the connection and never begins with TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    let message = too_late(&origin).await;
    assert!(message.starts_with(&format!("Could not connect to {origin} within ")), "{message}");
    assert!(message.ends_with(" ms."), "nothing was sent, so nothing can have taken effect: {message}");
}

#[tokio::test]
async fn while_waiting_for_the_response() {
    let mut server = Server::start([Step::SendAndHang(Vec::new())]).await;
    let origin = server.origin.clone();
    let message = too_late(&origin).await;
    assert!(message.starts_with(&format!("{origin} did not respond within ")), "{message}");
    assert!(message.ends_with(" ms. The call may have taken effect."), "{message}");
    server.has_seen(|seen| seen.gone == 1).await;
}

#[tokio::test]
async fn while_waiting_on_a_kept_connection() {
    let server = Server::start([envelope(), Step::SendAndHang(Vec::new())]).await;
    write(&remote(&server.origin)).await.unwrap();
    assert!(too_late(&server.origin).await.contains("did not respond within"));
}

#[tokio::test]
async fn while_reading_the_response() {
    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"status\":".to_vec();
    let mut server = Server::start([Step::SendAndHang(part)]).await;
    let origin = server.origin.clone();
    assert!(too_late(&origin).await.contains("did not finish its response within "));
    server.has_seen(|seen| seen.gone == 1).await;
}

#[tokio::test]
async fn in_a_later_attempt() {
    let busy = Step::Answer(answer(429, &[], "{}"));
    let server = Server::start([busy, Step::SendAndHang(Vec::new())]).await;
    assert!(too_late(&server.origin).await.contains("did not respond"));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn before_the_call_began() {
    let server = Server::start([envelope(), envelope()]).await;
    let remote = remote(&server.origin);
    // This call leaves an idle connection on which the next request could be sent at once.
    write(&remote).await.unwrap();
    let passed = Deadline::after(Duration::ZERO);
    let error = remote.proxy_execute("trs_1", proxied(Method::Post).into(), passed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn dropping_the_call_closes_its_connection() {
    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec();
    for sent in [Vec::new(), part] {
        let mut server = Server::start([Step::SendAndHang(sent)]).await;
        let remote = remote(&server.origin);
        let call = tokio::spawn(async move { write(&remote).await });
        server.has_seen(|seen| seen.requests.len() == 1).await;
        assert!(!call.is_finished());
        call.abort();
        server.has_seen(|seen| seen.gone == 1).await;
    }
}
