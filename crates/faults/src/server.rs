//! The server that plays a fault.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::{FAULTY, Fault, GOOD, Layer, Step, http2};

/// A server that plays a fault on its first connection. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    pub(crate) origin: String,
    /// Whether the server has closed the first connection, and waits for the client to close it too.
    is_closing: watch::Receiver<bool>,
    running: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Server {
    /// Listens on its own port. With TLS, the certificate is in `identity`.
    pub(crate) async fn start(fault: &Fault, identity: Option<&Path>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if fault.layer == Layer::Plain { "http" } else { "https" };
        let origin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let acceptor = identity.map(|folder| acceptor(folder, fault.layer));
        let fault = fault.clone();
        let (closing, is_closing) = watch::channel(false);
        let running = tokio::spawn(async move {
            let mut closing = Some(closing);
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(connection(stream, acceptor.clone(), fault.clone(), closing.take()));
            }
        });
        Self { origin, is_closing, running }
    }

    /// Waits until the client has closed a connection that the server closed. A call in between may be sent
    /// on that connection, and fails rightly.
    pub(crate) async fn closed(&self) {
        // The sender is dropped when the connection has ended.
        _ = self.is_closing.clone().wait_for(|is_closing| !is_closing).await;
    }
}

fn acceptor(folder: &Path, layer: Layer) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let protocol: &[u8] = if layer == Layer::Http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Serves a connection. A client may disconnect at any moment, which ends only its connection.
///
/// The first connection has the sender of `is_closing`, and plays the fault.
async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    fault: Fault,
    closing: Option<watch::Sender<bool>>,
) {
    let is_first = closing.is_some();
    let steps = if is_first { fault.steps } else { vec![Step::Serve] };
    let close = || closing.as_ref().map(|closing| closing.send_replace(true));
    match tls {
        None => _ = play(stream, steps, false, close).await,
        Some(_) if is_first && fault.layer == Layer::NoTls => _ = play(stream, steps, false, close).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                _ = play(stream, steps, fault.layer == Layer::Http2, close).await;
            }
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
    fn tcp_mut(&mut self) -> &mut TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn tcp_mut(&mut self) -> &mut TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn tcp_mut(&mut self) -> &mut TcpStream {
        self.get_mut().0
    }
}

/// Plays the steps, and calls `close` before it closes the connection. Returns `None` once the client has
/// disconnected.
async fn play(
    mut stream: impl Stream,
    steps: Vec<Step>,
    is_http2: bool,
    close: impl Fn() -> Option<bool>,
) -> Option<()> {
    let mut is_open = !is_http2;
    for step in steps {
        if !is_open && matches!(step, Step::Request | Step::Serve) {
            http2::open(&mut stream).await?;
            is_open = true;
        }
        match step {
            Step::Request if is_http2 => drop(http2::next_request(&mut stream).await?),
            Step::Request => read_request(&mut stream).await?,
            Step::Send(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                stream.flush().await.ok()?;
            }
            Step::Flood(bytes) => loop {
                stream.write_all(&bytes).await.ok()?;
                // Without this pause, a flood would take the processor from all other faults.
                tokio::time::sleep(Duration::from_millis(1)).await;
            },
            Step::Drip(bytes) => loop {
                stream.write_all(&bytes).await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
            Step::Stall => while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {},
            Step::HalfClose => {
                close();
                stream.shutdown().await.ok()?;
                while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
            }
            Step::Cut => {
                close();
                stream.tcp_mut().shutdown().await.ok()?;
                while stream.tcp_mut().read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
                return None;
            }
            Step::Reset => {
                stream.tcp().set_zero_linger().unwrap();
                return None;
            }
            Step::Serve if is_http2 => http2::serve(&mut stream).await?,
            Step::Serve => loop {
                read_request(&mut stream).await?;
                stream.write_all(&good()).await.ok()?;
                stream.flush().await.ok()?;
            },
        }
    }
    close();
    // Read the rest of the client's bytes before the close, so that the kernel sends no RST.
    stream.shutdown().await.ok()?;
    while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
    None
}

/// Reads a request with its body. A body has a `Content-Length`.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(())
}

/// Returns an HTTP/1.1 response whose head has these lines.
pub(crate) fn response(lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{lines}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

/// Returns a response without a fault, instead of one with a fault.
pub(crate) fn whole() -> Vec<u8> {
    response(&format!("content-length: {}\r\n", FAULTY.len()), FAULTY)
}

fn good() -> Vec<u8> {
    response(&format!("content-length: {}\r\n", GOOD.len()), GOOD)
}
