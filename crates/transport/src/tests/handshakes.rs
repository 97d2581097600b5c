//! Counts the connections of a burst of requests, and the effect of a failed handshake on other requests.

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::future::join_all;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::until;

/// The server's behaviour on its first connections. It serves all other connections.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    Serve,
    /// The TLS handshake never begins.
    Hang,
    Close,
}

struct Server {
    url: String,
    client: Arc<Client>,
    connections: Arc<AtomicUsize>,
    running: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A server of one protocol that counts its connections.
async fn server(protocol: &str, first: First, how_many: usize) -> Server {
    serving(&[protocol], first, how_many).await
}

async fn serving(protocols: &[&str], first: First, how_many: usize) -> Server {
    let (server_tls, client_tls) = tls(protocols);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let (counter, hanging) = (Arc::clone(&connections), Mutex::new(Vec::new()));
    let running = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match first {
                First::Hang if counter.load(Ordering::Relaxed) < how_many => {
                    hanging.lock().unwrap().push(stream)
                }
                First::Close if counter.load(Ordering::Relaxed) < how_many => drop(stream),
                _ => drop(tokio::spawn(serve(acceptor.clone(), stream))),
            }
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    Server { url, client: Arc::new(client(client_tls, None, None)), connections, running }
}

/// Delays each response, so that the requests of a burst are in flight together. `/never` gets no response.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request: http::Request<Incoming>| async move {
        if request.uri().path() == "/never" {
            pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, std::convert::Infallible>(http::Response::new("ok".to_owned()))
    });
    _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

impl Server {
    /// Sends so many requests at once, and returns how many got a response.
    async fn burst(&self, count: usize) -> usize {
        let requests = (0..count).map(|_| self.client.send(get(&self.url)));
        let mut answered = 0;
        for response in join_all(requests).await.into_iter().flatten() {
            assert_eq!(text(response).await, "ok");
            answered += 1;
        }
        answered
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_cold_burst_over_http2_shares_one_connection() {
    let server = server("h2", First::Serve, 0).await;
    for _ in 0..3 {
        assert_eq!(server.burst(40).await, 40);
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_burst_of_several_threads_shares_one_connection() {
    let server = server("h2", First::Serve, 0).await;
    let requests = (0..40).map(|_| {
        let (client, url) = (Arc::clone(&server.client), server.url.clone());
        tokio::spawn(async move { text(client.send(get(&url)).await.unwrap()).await })
    });
    for answer in join_all(requests).await {
        assert_eq!(answer.unwrap(), "ok");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_burst_over_http1_has_a_connection_for_each_request() {
    // Without ALPN, the server speaks HTTP/1.1.
    for protocols in [&["http/1.1"][..], &[]] {
        let server = serving(protocols, First::Serve, 0).await;
        let started = Instant::now();
        assert_eq!(server.burst(20).await, 20);
        assert!((20..=21).contains(&server.connections()), "{}", server.connections());
        // The limit is twice the time of a response: requests that wait for the first handshake do not wait
        // for its response.
        assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_burst_does_not_wait_for_the_handshake_of_another_server() {
    let (server, hanging) = (server("h2", First::Serve, 0).await, server("h2", First::Hang, 1).await);
    let held_up = tokio::spawn({
        let (client, url) = (Arc::clone(&server.client), hanging.url.clone());
        async move { client.send(get(&url)).await }
    });
    while hanging.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let answered = tokio::time::timeout(Duration::from_millis(900), server.burst(20)).await;
    assert_eq!((answered, server.connections()), (Ok(20), 1));
    held_up.abort();
}

#[tokio::test]
async fn a_handshake_that_fails_fails_one_request() {
    for protocol in ["h2", "http/1.1"] {
        let server = server(protocol, First::Close, 1).await;
        assert_eq!(server.burst(20).await, 19, "{protocol}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_the_others_for_a_second() {
    for protocol in ["h2", "http/1.1"] {
        let server = server(protocol, First::Hang, 1).await;
        // The request whose own handshake hangs uses a connection of another request.
        let answered = tokio::time::timeout(Duration::from_secs(4), server.burst(20)).await;
        assert_eq!(answered, Ok(20), "{protocol}");
    }
}

#[tokio::test]
async fn a_request_that_waits_for_a_handshake_has_sent_nothing() {
    let server = server("h2", First::Hang, 1).await;
    let soon = || tokio::time::Instant::now() + Duration::from_millis(200);
    let requests = (0..3).map(|_| until(soon(), server.client.send(get(&server.url))));
    for late in join_all(requests).await {
        assert!(late.unwrap_err().connecting);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_request_that_is_cancelled_in_its_handshake_leaves_its_turn_to_another() {
    let server = server("h2", First::Hang, 1).await;
    let first = tokio::spawn({
        let (client, url) = (Arc::clone(&server.client), server.url.clone());
        async move { client.send(get(&url)).await }
    });
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        first.abort();
    };
    let (answered, ()) = tokio::join!(server.burst(20), cancel);
    assert_eq!((answered, server.connections()), (20, 2));
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_burst_after_the_connection_was_lost_shares_the_next() {
    let (server_tls, client_tls) = tls(&["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let client = client(client_tls, None, None);
    for _ in 0..3 {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            let served = tokio::spawn(serve(acceptor.clone(), stream));
            let another = tokio::time::timeout(Duration::from_millis(400), listener.accept()).await;
            _ = stopped.await;
            served.abort();
            another.is_ok()
        };
        let ask = async {
            let answers = join_all((0..20).map(|_| client.send(get(&url)))).await;
            for answer in answers {
                assert_eq!(text(answer.unwrap()).await, "ok");
            }
            _ = stop.send(());
        };
        let (another, ()) = tokio::join!(accept, ask);
        assert!(!another, "one connection");
        // The pause lets the end of the connection arrive.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_connection_that_hangs_is_not_reused() {
    let (server_tls, client_tls) = tls(&["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let hanging = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        serve(acceptor.clone(), stream).await;
        drop(hanging);
    });
    let client = client(client_tls, None, None);
    let soon = tokio::time::Instant::now() + Duration::from_millis(300);
    assert!(!until(soon, client.send(get(&url))).await.unwrap_err().connecting);
    assert_eq!(text(client.send(get(&url)).await.unwrap()).await, "ok");
    server.abort();
}

#[tokio::test]
async fn a_connection_that_may_hang_is_replaced_once_and_keeps_its_requests() {
    let server = server("h2", First::Serve, 0).await;
    let hanging = || {
        let (client, url) = (Arc::clone(&server.client), format!("{}never", server.url));
        tokio::spawn(async move { client.send(get(&url)).await.map(drop) })
    };
    let (first, second) = (hanging(), hanging());
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        first.abort();
        first.await.unwrap_err();
    };
    let (answered, ()) = tokio::join!(server.burst(5), cancel);
    assert_eq!((answered, server.connections()), (5, 1), "the others keep their connection");
    assert_eq!((server.burst(5).await, server.connections()), (5, 2));

    second.abort();
    second.await.unwrap_err();
    assert_eq!((server.burst(5).await, server.connections()), (5, 2), "the new connection is not to blame");
}
