//! Redirects are followed within the origin and refused beyond it, and the key stays in the origin.

use proxy_execute_protocol::{Error, ErrorKind};
use tokio::net::TcpListener;

use super::*;

fn redirect(status: u16, location: &str) -> Step {
    Step::Answer(answer(status, &[&format!("location: {location}")], ""))
}

fn assert_refused(error: &Error, status: u16, saying: &str) {
    assert_eq!((error.kind(), error.status()), (ErrorKind::OtherStatus, Some(status)));
    let message = error.to_string();
    assert!(message.contains(saying) && message.contains("baseURL"), "{message}");
    assert!(!message.contains("canary"), "{message}");
}

#[tokio::test]
async fn another_origin_is_named_and_sees_nothing() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::start([session(), envelope()]).await;
        let location = format!("{}/canary?canary=1", other.origin);
        let server = Server::start([redirect(status, &location), redirect(status, &location)]).await;
        let remote = remote(&server.origin);

        let said = format!("to {}. The API key was not sent there", other.origin);
        assert_refused(&read(&remote).await.unwrap_err(), status, &said);
        assert_refused(&write(&remote).await.unwrap_err(), status, &said);
        assert_eq!((other.connections(), server.requests().len()), (0, 2));
    }
}

#[tokio::test]
async fn another_scheme_on_the_same_host_is_another_origin() {
    let server = Server::start([redirect(308, "https://127.0.0.1/x")]).await;
    assert_refused(&read(&remote(&server.origin)).await.unwrap_err(), 308, "to https://127.0.0.1.");
}

#[tokio::test]
async fn a_get_is_followed_within_its_origin() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start([redirect(status, "/moved?x=1"), session()]).await;
        read(&remote(&server.origin)).await.unwrap();
        let requests = server.requests();
        assert!(requests[1].starts_with("GET /moved?x=1 HTTP/1.1"), "{}", requests[1]);
        assert!(requests[1].contains("x-api-key: ak_canary_key"));
    }
}

#[tokio::test]
async fn a_write_is_redirected_only_if_it_stays_the_same_call() {
    for status in [307, 308] {
        let server = Server::start([redirect(status, "/moved"), envelope()]).await;
        write(&remote(&server.origin)).await.unwrap();
        let requests = server.requests();
        assert!(requests[1].starts_with("POST /moved HTTP/1.1"));
        assert!(requests[1].contains("canary_body"), "the body goes with it");
    }
    for status in [301, 302, 303] {
        let server = Server::start([redirect(status, "/moved"), envelope()]).await;
        let error = write(&remote(&server.origin)).await.unwrap_err();
        assert_refused(&error, status, "into a GET");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let server = Server::start((0..9).map(|_| redirect(307, "/again"))).await;
    assert_refused(&write(&remote(&server.origin)).await.unwrap_err(), 307, "for the 4th time");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_redirect_without_a_usable_target_is_an_error() {
    for headers in [&[][..], &["location: http://["]] {
        let server = Server::start([Step::Answer(answer(302, headers, ""))]).await;
        assert_refused(&read(&remote(&server.origin)).await.unwrap_err(), 302, "without a target");
    }
}

#[tokio::test]
async fn a_location_adds_no_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("http://name:canary@{}/moved", listener.local_addr().unwrap());
    let server = Server::on(listener, [redirect(307, &location), session()]);
    read(&remote(&server.origin)).await.unwrap();
    let request = &server.requests()[1];
    assert!(!request.contains("authorization") && !request.contains("canary@"), "{request}");
}

#[tokio::test]
async fn the_other_3xx_are_errors_of_their_status() {
    for status in [300, 304, 305] {
        let server = Server::start([redirect(status, "/x"), session()]).await;
        let error = read(&remote(&server.origin)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::OtherStatus, Some(status)));
        assert_eq!(server.requests().len(), 1);
    }
}
