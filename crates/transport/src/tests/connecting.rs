//! How the client connects: the address, the time limit, and the state at the deadline.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::server::{Server, read_head};
use super::*;
use crate::until;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn port(server: &Server) -> &str {
    server.address.rsplit(':').next().unwrap()
}

#[tokio::test]
async fn the_client_connects_to_the_address_that_the_filter_returns() {
    let server = Server::start(None, OK).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let filter = AddressFilter::new(move |name, found| {
        noted.lock().unwrap().push(name.to_owned());
        // The first address does not listen.
        Ok(found.iter().flat_map(|_| ["127.0.0.2:0", "127.0.0.1:0"]).map(|it| it.parse().unwrap()).collect())
    });
    let client = client(tls(&[]).1, Some(filter), None);
    let url = format!("http://localhost:{}/", port(&server));
    assert_eq!(text(client.send(get(&url)).await.unwrap()).await, "ok");
    assert_eq!(*asked.lock().unwrap(), ["localhost"]);

    // The caller checks an address instead of a name itself.
    client.send(get(&format!("http://{}/", server.address))).await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[derive(Debug, thiserror::Error)]
#[error("not that one")]
struct Refused;

#[tokio::test]
async fn the_client_does_not_connect_to_a_refused_address() {
    let server = Server::start(None, OK).await;
    let filter = AddressFilter::new(|_, _: Vec<SocketAddr>| Err(Refused.into()));
    let client = client(tls(&[]).1, Some(filter), None);
    let error = client.send(get(&format!("http://localhost:{}/", port(&server)))).await.unwrap_err();
    assert!(error.is_connect());
    assert!(chain(&error).ends_with("not that one"), "{}", chain(&error));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_error_of_a_refused_connection_says_that_nothing_was_sent() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error =
        plain_client().send(get(&format!("http://{}/", socket.local_addr().unwrap()))).await.unwrap_err();
    assert!(error.is_connect());
    assert!(chain(&error).contains("Connection refused"), "{}", chain(&error));
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_ten_seconds_with_tls() {
    // The listener accepts the connection and never begins with TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begin = Instant::now();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let error = plain_client().send(get(&url)).await.unwrap_err();
    assert!(error.is_connect());
    assert!(chain(&error).ends_with("no connection within 10 s"), "{}", chain(&error));
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn the_error_of_a_deadline_says_whether_the_client_was_connecting() {
    let soon = || Instant::now() + Duration::from_millis(100);
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = plain_client();
    let url = format!("https://{}/", hanging.local_addr().unwrap());
    assert!(until(soon(), client.send(get(&url))).await.unwrap_err().connecting);

    let url = format!("http://{}/", hanging.local_addr().unwrap());
    assert!(!until(soon(), client.send(get(&url))).await.unwrap_err().connecting);
}

#[tokio::test]
async fn a_request_on_a_free_connection_does_not_wait_for_its_own_handshake() {
    let (server_tls, client_tls) = tls(&["http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let client = client(client_tls, None, None);
    let first = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(server_tls)).accept(stream).await.unwrap();
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        // The second request makes a connection, whose TLS handshake hangs. Then the first connection becomes
        // free.
        let stalled = listener.accept().await.unwrap();
        stream.write_all(b"ok").await.unwrap();
        let head = read_head(&mut stream).await.unwrap();
        (stream, stalled, head)
    });
    let answer = client.send(get(&url)).await.unwrap();
    let second =
        until(Instant::now() + Duration::from_millis(500), client.send(get(&format!("{url}second"))));
    let (text, second) = tokio::join!(text(answer), second);
    assert_eq!(text, "ok");
    let (_, _, head) = first.await.unwrap();
    assert!(head.starts_with("GET /second "), "{head}");
    assert!(!second.unwrap_err().connecting, "it was sent");
}

#[tokio::test]
async fn an_error_does_not_show_the_url() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let origin = format!("http://{}", socket.local_addr().unwrap());
    for query in ["canary".to_owned(), "canary".repeat(20_000)] {
        let error = plain_client().send(get(&format!("{origin}/?key={query}"))).await.unwrap_err();
        let shown = format!("{error:?} {}", chain(&error));
        assert!(error.is_unsent() && !shown.contains("canary"), "{shown}");
    }
}
