//! Which calls are retried, and which are not. The servers count the requests.

use std::time::Instant;

use proxy_execute_protocol::ErrorKind;

use super::*;

fn status(status: u16, headers: &[&str], body: &str) -> Step {
    Step::Answer(answer(status, headers, body))
}

#[tokio::test]
async fn a_429_and_a_503_of_the_backend_itself_are_retried_even_for_writes() {
    let refusals: [fn() -> Step; 4] = [
        || status(429, &[], r#"{"message":"Rate limit exceeded."}"#),
        || status(429, &["content-type: text/html"], "<html>slow down</html>"),
        || status(503, &[], UNAVAILABLE),
        || status(503, &["retry-after: 0"], "<html>busy</html>"),
    ];
    for refusal in refusals {
        let server = Server::start([refusal(), refusal(), envelope()]).await;
        assert_eq!(write(&remote(&server.origin)).await.unwrap().into_text(), ENVELOPE);
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[0], requests[2], "each attempt is the same request");
    }
}

#[tokio::test]
async fn a_bare_503_is_retried_only_for_reads() {
    let bare = || status(503, &["content-type: text/html"], "<html><title>503</title></html>");

    let server = Server::start([bare(), session()]).await;
    read(&remote(&server.origin)).await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let server = Server::start([bare(), envelope()]).await;
    assert_eq!(write(&remote(&server.origin)).await.unwrap_err().status(), Some(503));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_other_status_is_retried_even_for_reads() {
    for code in [400, 401, 404, 408, 409, 425, 500, 501, 502, 504, 599] {
        let body = r#"{"error":{"message":"no","status":0}}"#;
        let hints = ["retry-after: 0", "x-should-retry: true"];
        let server = Server::start([status(code, &hints, body), session()]).await;
        assert_eq!(read(&remote(&server.origin)).await.unwrap_err().status(), Some(code));
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_backend_can_forbid_a_retry() {
    for code in [429, 503] {
        let server = Server::start([status(code, &["x-should-retry: false"], UNAVAILABLE), session()]).await;
        assert_eq!(read(&remote(&server.origin)).await.unwrap_err().status(), Some(code));
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn the_number_of_retries_has_a_limit_which_may_be_zero() {
    for (max_retries, attempts) in [(None, 3), (Some(0), 1), (Some(4), 5)] {
        let server = Server::start((0..9).map(|_| status(429, &[], "{}"))).await;
        let mut remote = Remote::new(RemoteOptions { max_retries, ..options(&server.origin) }).unwrap();
        remote.retry.base = Duration::from_millis(1);
        assert_eq!(write(&remote).await.unwrap_err().kind(), ErrorKind::RateLimited);
        assert_eq!(server.requests().len(), attempts);
    }
}

/// The ways in which a connection breaks after it has carried a request.
fn broken() -> [Step; 4] {
    let promised = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"status\":200".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"sta\r\n".to_vec();
    [Step::Reset, Step::SendAndClose(Vec::new()), Step::SendAndClose(promised), Step::SendAndClose(chunked)]
}

#[tokio::test]
async fn a_write_on_a_connection_that_broke_is_not_retried() {
    for breaking in broken() {
        let server = Server::start([breaking, envelope()]).await;
        let error = write(&remote(&server.origin)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains("may have taken effect"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_write_on_a_reused_connection_that_broke_is_not_retried() {
    for breaking in broken() {
        let server = Server::start([envelope(), breaking, envelope()]).await;
        let remote = remote(&server.origin);
        write(&remote).await.unwrap();
        assert_eq!(write(&remote).await.unwrap_err().kind(), ErrorKind::Connection);
        assert_eq!((server.requests().len(), server.connections()), (2, 1));
    }
}

#[tokio::test]
async fn a_read_on_a_connection_that_broke_is_retried() {
    for breaking in broken() {
        let server = Server::start([breaking, session()]).await;
        read(&remote(&server.origin)).await.unwrap();
        assert_eq!(server.requests().len(), 2);
    }
    for method in [Method::Get, Method::Head] {
        for breaking in broken() {
            let server = Server::start([breaking, envelope()]).await;
            remote(&server.origin).proxy_execute("trs_1", proxied(method).into(), soon()).await.unwrap();
            assert_eq!(server.requests().len(), 2);
        }
    }
    for method in [Method::Put, Method::Patch, Method::Delete] {
        let server = Server::start([Step::Reset, envelope()]).await;
        remote(&server.origin).proxy_execute("trs_1", proxied(method).into(), soon()).await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_session_is_not_created_changed_or_deleted_twice() {
    let server = Server::start([Step::Reset, Step::Reset, Step::Reset]).await;
    let remote = remote(&server.origin);
    for (method, body) in [
        (ResourceMethod::Post, Some(r#"{"user_id":"u"}"#)),
        (ResourceMethod::Patch, Some("{}")),
        (ResourceMethod::Delete, None),
    ] {
        remote.resource(of_session(method, body), soon()).await.unwrap_err();
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_failed_connection_attempt_is_retried_even_for_writes() {
    let (socket, origin) = refusing();
    let mut remote = remote(&origin);
    remote.retry.max_retries = 100_000;
    remote.retry.cap = Duration::from_millis(2);
    let call = tokio::spawn(async move { write(&remote).await });
    // This pause allows a few refusals; the test holds for any number of them.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!call.is_finished());
    let server = Server::on(socket.listen(16).unwrap(), [envelope()]);
    call.await.unwrap().unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_client_waits_as_long_as_the_backend_asks() {
    for header in ["retry-after-ms: 150", "retry-after: 0.15"] {
        let server = Server::start([status(429, &[header], "{}"), envelope()]).await;
        let begin = Instant::now();
        write(&remote(&server.origin)).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(150), "{:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_left_to_the_caller() {
    for header in ["retry-after: 60", "retry-after-ms: 60000"] {
        let server = Server::start([status(429, &[header], "{}"), envelope()]).await;
        let begin = Instant::now();
        let error = write(&remote(&server.origin)).await.unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(10));
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_clients_own_wait_does_not_pass_the_deadline() {
    let server = Server::start((0..9).map(|_| status(429, &[], "{}"))).await;
    let mut remote = remote(&server.origin);
    remote.retry.max_retries = 1000;
    // Any wait from this long a range passes the deadline.
    remote.retry.base = Duration::from_secs(1_000_000_000);
    remote.retry.cap = remote.retry.base;
    let begin = Instant::now();
    let error = write(&remote).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(server.requests().len(), 1);
}
