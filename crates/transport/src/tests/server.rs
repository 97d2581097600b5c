//! An HTTP/1.1 server that sends the next text to each request, and keeps the requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(super) struct Server {
    /// `127.0.0.1:port`
    pub(super) address: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(tls: Option<ServerConfig>, answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&connections);
        let (seen, answer) = (Arc::clone(&requests), answer.into());
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                taken.fetch_add(1, Ordering::Relaxed);
                let (seen, answer) = (Arc::clone(&seen), answer.clone());
                match tls.clone() {
                    None => _ = tokio::spawn(serve(stream, seen, answer)),
                    Some(tls) => {
                        tokio::spawn(
                            async move { serve(tls.accept(stream).await.unwrap(), seen, answer).await },
                        );
                    }
                }
            }
        });
        Self { address, requests, connections }
    }

    /// The heads of the requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The number of connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: Arc<Mutex<Vec<String>>>,
    answer: Vec<u8>,
) {
    while let Some(head) = read_head(&mut stream).await {
        seen.lock().unwrap().push(head);
        stream.write_all(&answer).await.unwrap();
    }
}

/// Reads a request without a body, up to its empty line.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}
