//! The threads that serve a port. The port of callers has as many as the runtime that opens it has workers.
//!
//! Each thread has its own runtime, and a connection stays on its thread. The thread reads a call, forwards
//! it and responds to it over its own connections to upstreams, so no thread has to wake another. The port
//! assigns connections to the threads in turn. The work of a busy thread does not move to an idle one.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use futures::future::join_all;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use proxy_execute_protocol::{Advice, Error, ErrorKind};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clients::{Connections, Counted};
use super::head::{self, MAX_HEAD_BYTES};
use super::socket::{self, Connection};
use super::tls::Certificate;

/// How long a request may take to arrive.
///
/// The limit for the head starts when the connection is opened or the last response has ended. The limit for
/// the body starts after the head; it does not apply to a body that is streamed. Clients close idle
/// connections sooner, so no client sends a request into a connection that closes. On HTTP/2, this is the
/// time between two pings; the connection stays open as long as the client responds to them.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a handshake of TLS may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of a handshake of TLS (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;

/// The pause before the next connection is accepted, after the system had no room for one.
const PAUSE: Duration = Duration::from_secs(1);

/// The largest request head that hyper reads. It is more than a request may have.
///
/// The port itself thus refuses a head over the port's limit, with an envelope. hyper would send none.
const MAX_READ_HEAD: u32 = 4 * MAX_HEAD_BYTES as u32;

/// How many unsent bytes the kernel buffers for a connection.
///
/// Without a limit, the kernel copies megabytes of responses for each client that reads nothing.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// A connection, the client's address, and the connection's place in the count of its client.
type Accepted = (net::TcpStream, SocketAddr, Counted);

/// The time by which a request has to have arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArriveBy(pub(super) Instant);

/// Marks a request that arrived over TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encrypted;

/// The settings for serving connections.
#[derive(Debug, Clone)]
pub(super) struct Serving {
    pub(super) threads: usize,
    pub(super) request_timeout: Duration,
    pub(super) connections: Connections,
    /// Cancelled when clients should move to another gateway: each connection says so to its client.
    pub(super) draining: CancellationToken,
    /// The port speaks TLS if it has a certificate.
    pub(super) certificate: Option<Certificate>,
    /// Makes the response to a connection or a head that reaches no route, as the bytes to send.
    pub(super) refuse: fn(Error) -> Vec<u8>,
}

/// The channel that gives a thread its connections, and the signal that the thread has ended.
type Thread = (mpsc::UnboundedSender<Accepted>, oneshot::Receiver<()>);

/// Serves a port until `closing`, and then finishes the requests in flight.
///
/// The returned task ends with the last response. Aborting the task ends the threads at once.
///
/// # Errors
/// An I/O error if the system creates no thread.
pub(super) fn serve<Answer, Answered>(
    listener: TcpListener,
    closing: CancellationToken,
    serving: Serving,
    answer: Answer,
) -> io::Result<JoinHandle<()>>
where
    Answer: Fn(Request) -> Answered + Clone + Send + 'static,
    Answered: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let stopped = CancellationToken::new();
    let stop = stopped.clone().drop_guard();
    let threads: Vec<_> = (0..serving.threads)
        .map(|_| start(stopped.clone(), serving.clone(), answer.clone()))
        .collect::<io::Result<_>>()?;
    Ok(tokio::spawn(async move {
        let _stop = stop;
        closing.run_until_cancelled(deal(&listener, &threads, &serving)).await;
        drop(listener);
        let (connections, ended): (Vec<_>, Vec<_>) = threads.into_iter().unzip();
        // All threads learn of the end before this task waits for the first.
        drop(connections);
        join_all(ended).await;
    }))
}

/// Assigns connections to the threads in turn.
async fn deal(listener: &TcpListener, threads: &[Thread], serving: &Serving) {
    for (connections, _) in threads.iter().cycle() {
        let (stream, from, counted) = accept_counted(listener, serving).await;
        // A thread that has panicked receives no connections; its client sees the connection close.
        _ = stream.into_std().map(|stream| connections.send((stream, from, counted)));
    }
}

/// Accepts the next connection of a client that is below its limit of connections.
async fn accept_counted(listener: &TcpListener, serving: &Serving) -> (TcpStream, SocketAddr, Counted) {
    loop {
        let (stream, from) = accept(listener).await;
        match serving.connections.add(from.ip()) {
            Some(counted) => return (stream, from, counted),
            None => {
                tracing::debug!("a connection was refused: its address has too many");
                // The kernel has room for this in a new connection, so the port does not wait for the client.
                _ = stream.try_write(&(serving.refuse)(too_many(serving.connections.most())));
            }
        }
    }
}

fn too_many(most: u32) -> Error {
    let message = format!("This address has {most} connections to the gateway open, which is the limit.");
    Error::new(ErrorKind::RateLimited, message)
        .fix("Close or reuse connections. An operator can raise `maxConnectionsPerAddress`.")
        .advise(Advice::RaiseOption("maxConnectionsPerAddress"))
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Only that connection is lost. The port still works.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn start<Answer, Answered>(stopped: CancellationToken, serving: Serving, answer: Answer) -> io::Result<Thread>
where
    Answer: Fn(Request) -> Answered + Clone + Send + 'static,
    Answered: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (connections, inbox) = mpsc::unbounded_channel();
    let (ended, end) = oneshot::channel();
    thread::Builder::new().name("proxy-execute/p".to_owned()).spawn(move || {
        runtime.block_on(stopped.run_until_cancelled(answer_all(inbox, serving, answer)));
        // The thread does not wait for lookups of names that are still running.
        Runtime::shutdown_background(runtime);
        _ = ended.send(());
    })?;
    Ok((connections, end))
}

/// Serves all connections of a thread, until no connection can come and no request is in flight.
async fn answer_all<Answer, Answered>(
    mut connections: mpsc::UnboundedReceiver<Accepted>,
    Serving { request_timeout, draining, certificate, refuse, .. }: Serving,
    answer: Answer,
) where
    Answer: Fn(Request) -> Answered + Clone + Send + 'static,
    Answered: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    let mut http1 = server.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(request_timeout);
    http1.max_buf_size(MAX_READ_HEAD as usize);
    let mut http2 = server.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(request_timeout).keep_alive_timeout(request_timeout);
    http2.max_header_list_size(MAX_READ_HEAD);
    let open = TaskTracker::new();
    let closing = CancellationToken::new();
    while let Some((stream, from, counted)) = connections.recv().await {
        // A response is written in one piece, so waiting to fill a packet only delays it.
        let Ok(stream) = stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream)) else {
            continue;
        };
        // A system without this limit serves the connection without it.
        #[cfg(target_os = "linux")]
        {
            _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        }
        let (server, open, answer) = (server.clone(), open.token(), answer.clone());
        let (certificate, draining, closing) = (certificate.clone(), draining.clone(), closing.clone());
        tokio::spawn(async move {
            let _counted = counted;
            let is_encrypted = certificate.is_some();
            let stream = match certificate {
                None => Connection::Plain(stream),
                Some(certificate) => {
                    let handshake = timeout(HANDSHAKE_TIMEOUT, shake_hands(stream, &certificate, refuse));
                    match closing.run_until_cancelled(handshake).await {
                        Some(Ok(Some(stream))) => stream,
                        _ => return,
                    }
                }
            };
            let (first, asked) = oneshot::channel::<Version>();
            let first = Cell::new(Some(first));
            let drains = draining.clone();
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let version = request.version();
                // The connection no longer waits if it is closing.
                _ = first.take().map(|first| first.send(version));
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(from));
                request.extensions_mut().insert(ArriveBy(Instant::now() + request_timeout));
                if is_encrypted {
                    request.extensions_mut().insert(Encrypted);
                }
                let (answered, drains) = (answer(request), drains.clone());
                async move {
                    let mut response = answered.await?;
                    if version < Version::HTTP_2 && drains.is_cancelled() {
                        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            let (socket, watched) = socket::watch(stream);
            let connection = server.serve_connection(TokioIo::new(socket), service).into_owned();
            let connection = async move {
                let _open = open;
                let mut connection = pin!(connection);
                // hyper's own limit is for HTTP/1 only, and starts after hyper has detected the version of HTTP.
                let version = tokio::select! {
                    biased;
                    ended = &mut connection => return ended,
                    version = asked => version.ok(),
                    () = closing.cancelled() => None,
                    () = tokio::time::sleep(request_timeout) => return Ok(()),
                };
                // HTTP/2 tells a client to leave, and still responds to requests that are on their way. HTTP/1 can
                // tell it only in a response.
                let leave = if version == Some(Version::HTTP_2) { draining } else { closing };
                tokio::select! {
                    biased;
                    ended = &mut connection => return ended,
                    () = leave.cancelled() => connection.as_mut().graceful_shutdown(),
                }
                connection.await
            };
            watched.run(connection, |unreadable| refuse(head::unreadable(&unreadable))).await;
        });
    }
    closing.cancel();
    open.close();
    open.wait().await;
}

/// Begins TLS; `None` if the client does not speak it.
///
/// A client without TLS gets a response without TLS, which says so.
async fn shake_hands(
    stream: TcpStream,
    certificate: &Certificate,
    refuse: fn(Error) -> Vec<u8>,
) -> Option<Connection> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 1 && first != [HANDSHAKE] {
        let error =
            Error::new(ErrorKind::InvalidRequest, "This port speaks TLS, and the request came without it.");
        // The kernel has room for this in a new connection, so the port does not wait for the client.
        _ = stream.try_write(&refuse(error.fix("Use a URL that begins with `https`.")));
        // The client's bytes are read, because the system would otherwise reset the connection.
        _ = stream.try_read(&mut [0; 4096]);
        return None;
    }
    match certificate.accept(stream).await {
        Ok(stream) => Some(Connection::Tls(Box::new(stream))),
        Err(error) => {
            tracing::debug!(%error, "a handshake failed");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Bytes;
    use futures::stream;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::runtime::Handle;
    use tokio::sync::Notify;

    use super::*;

    const ASKED: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// The bytes that begin an HTTP/2 connection: the preface, and a SETTINGS frame without settings.
    const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    /// The signals of `/wait`: the request has arrived, and the port may respond.
    #[derive(Default)]
    struct Waiting {
        asked: Notify,
        answer: Notify,
    }

    /// A port that responds with the name of the thread; at `/wait`, only once the test allows it.
    async fn port(waiting: &Arc<Waiting>) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let closing = CancellationToken::new();
        let waiting = Arc::clone(waiting);
        let answer = move |request: Request| {
            let waiting = Arc::clone(&waiting);
            async move {
                if request.uri().path() == "/wait" {
                    waiting.asked.notify_one();
                    waiting.answer.notified().await;
                }
                let thread = format!("{:?}", thread::current().id());
                Ok(Response::builder().header("x-thread", thread).body(Body::empty()).unwrap())
            }
        };
        let serving = Serving { draining: closing.child_token(), ..serving(REQUEST_TIMEOUT) };
        (address, closing.clone(), serve(listener, closing, serving, answer).unwrap())
    }

    fn serving(request_timeout: Duration) -> Serving {
        let refuse = |error: Error| error.to_string().into_bytes();
        let threads = Handle::current().metrics().num_workers();
        Serving {
            threads,
            request_timeout,
            connections: Connections::at_most(100),
            draining: CancellationToken::new(),
            certificate: None,
            refuse,
        }
    }

    /// A connection that is served with this limit, and the sender that keeps its thread running.
    async fn connect(request_timeout: Duration) -> (TcpStream, mpsc::UnboundedSender<Accepted>) {
        connect_to(request_timeout, |_| async { Ok(Response::new(Body::empty())) }).await
    }

    /// A connection that `answer` serves.
    async fn connect_to<Answer, Answered>(
        request_timeout: Duration,
        answer: Answer,
    ) -> (TcpStream, mpsc::UnboundedSender<Accepted>)
    where
        Answer: Fn(Request) -> Answered + Clone + Send + 'static,
        Answered: Future<Output = Result<Response, Infallible>> + Send + 'static,
    {
        let (connections, inbox) = mpsc::unbounded_channel();
        let serving = serving(request_timeout);
        tokio::spawn(answer_all(inbox, serving.clone(), answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, from) = listener.accept().await.unwrap();
        let counted = serving.connections.add(from.ip()).unwrap();
        connections.send((stream.into_std().unwrap(), from, counted)).unwrap();
        (client, connections)
    }

    /// Sends a request on a connection, and returns the thread that responds.
    async fn ask(connection: &mut BufReader<TcpStream>) -> String {
        connection.write_all(ASKED).await.unwrap();
        let mut thread = None;
        let mut line = String::new();
        while connection.read_line(&mut line).await.unwrap() > 2 {
            thread = thread.or_else(|| line.strip_prefix("x-thread: ").map(str::to_owned));
            line.clear();
        }
        thread.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn connections_are_assigned_in_turn_and_stay_on_their_thread() {
        let (address, closing, server) = port(&Arc::default()).await;
        let mut served = HashMap::<_, usize>::new();
        for _ in 0..6 {
            let mut connection = BufReader::new(TcpStream::connect(address).await.unwrap());
            let first = ask(&mut connection).await;
            assert_eq!(ask(&mut connection).await, first);
            *served.entry(first).or_default() += 1;
        }
        assert_eq!(served.into_values().collect::<Vec<_>>(), [2, 2, 2]);
        closing.cancel();
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn closing_waits_for_received_requests_only() {
        let waiting = Arc::<Waiting>::default();
        let (address, closing, server) = port(&waiting).await;
        let mut asking = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut idle = BufReader::new(TcpStream::connect(address).await.unwrap());
        assert_ne!(ask(&mut asking).await, ask(&mut idle).await);
        asking.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // The port does not wait for a request that it has not read yet.
        waiting.asked.notified().await;
        closing.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(30), idle.read_u8()).await;
        assert!(ended.expect("it is closed").is_err());
        assert!(!server.is_finished());
        waiting.answer.notify_one();
        let mut answered = String::new();
        asking.read_line(&mut answered).await.unwrap();
        assert_eq!(answered, "HTTP/1.1 200 OK\r\n");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_draining_port_tells_clients_to_leave_and_serves_them() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (closing, draining) = (CancellationToken::new(), CancellationToken::new());
        let serving = Serving { draining: draining.clone(), ..serving(REQUEST_TIMEOUT) };
        let answer = |_| async { Ok(Response::new(Body::empty())) };
        let server = serve(listener, closing.clone(), serving, answer).unwrap();
        // The HEADERS frame of a stream, which ends the stream: GET, http, `/`, authority `x`.
        let asked = |stream| [b"\0\0\x06\x01\x05\0\0\0", &[stream][..], b"\x82\x86\x84\x41\x01x"].concat();
        let mut http2 = TcpStream::connect(address).await.unwrap();
        http2.write_all(&[HTTP2, &asked(1)].concat()).await.unwrap();
        while frame(&mut http2).await.unwrap() != HEADERS {}
        let mut http1 = TcpStream::connect(address).await.unwrap();
        http1.write_all(ASKED).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(http1.read_u8().await.unwrap());
        }
        assert!(!String::from_utf8(head).unwrap().contains("connection: close"));

        draining.cancel();
        while frame(&mut http2).await.unwrap() != GOAWAY {}
        // A request may have been on its way, on both connections.
        http2.write_all(&asked(3)).await.unwrap();
        while frame(&mut http2).await.unwrap() != HEADERS {}
        http1.write_all(ASKED).await.unwrap();
        let mut answered = String::new();
        http1.read_to_string(&mut answered).await.unwrap();
        assert!(answered.starts_with("HTTP/1.1 200") && answered.contains("connection: close"), "{answered}");
        // New connections are still accepted.
        let mut late = TcpStream::connect(address).await.unwrap();
        late.write_all(ASKED).await.unwrap();
        answered.clear();
        late.read_to_string(&mut answered).await.unwrap();
        assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
        closing.cancel();
        drop(http2);
        server.await.unwrap();
    }

    const HEADERS: u8 = 1;
    const GOAWAY: u8 = 7;

    /// Reads a frame of HTTP/2, and returns its type.
    async fn frame(stream: &mut TcpStream) -> io::Result<u8> {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [_, high, low, kind, ..] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        stream.read_exact(&mut payload).await?;
        Ok(kind)
    }

    #[tokio::test]
    async fn threads_end_with_their_task() {
        let (address, _, server) = port(&Arc::default()).await;
        let mut connection = BufReader::new(TcpStream::connect(address).await.unwrap());
        ask(&mut connection).await;
        server.abort();
        // The connection ends before the time limit of a head, and the client does not close it.
        let ended = tokio::time::timeout(Duration::from_secs(30), connection.read_u8()).await.unwrap();
        assert!(ended.is_err());
    }

    #[tokio::test]
    async fn a_missing_head_times_out() {
        for begun in [&b""[..], &ASKED[..20], ASKED, &HTTP2[..8], HTTP2] {
            let (mut client, _open) = connect(Duration::from_millis(100)).await;
            client.write_all(begun).await.unwrap();
            let mut answered = Vec::new();
            let read = client.read_to_end(&mut answered);
            tokio::time::timeout(Duration::from_secs(30), read).await.expect("it is closed").unwrap();
            assert_eq!(answered.starts_with(b"HTTP/1.1 200"), begun == ASKED, "{answered:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn little_is_sent_to_a_client_that_reads_nothing() {
        let sent = Arc::<AtomicUsize>::default();
        let answer = {
            let sent = Arc::clone(&sent);
            move |_| {
                let sent = Arc::clone(&sent);
                let piece = move || {
                    sent.fetch_add(16 * 1024, Ordering::Relaxed);
                    Ok::<_, Infallible>(Bytes::from_static(&[0; 16 * 1024]))
                };
                let body = Body::from_stream(stream::repeat_with(piece));
                async { Ok(Response::new(body)) }
            }
        };
        let (mut client, _open) = connect_to(REQUEST_TIMEOUT, answer).await;
        client.write_all(ASKED).await.unwrap();
        let stalled = async {
            let mut before = 0;
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let now = sent.load(Ordering::Relaxed);
                if now > 0 && now == before {
                    return now;
                }
                before = now;
            }
        };
        let sent = tokio::time::timeout(Duration::from_secs(30), stalled).await.expect("it stalls");
        assert!(sent < 1024 * 1024, "{sent}");
    }

    #[tokio::test]
    async fn an_http2_connection_stays_open_while_its_client_responds_to_pings() {
        let (mut client, _open) = connect(Duration::from_millis(500)).await;
        // The HEADERS frame of stream 1, which ends the stream: GET, http, `/`, authority `x`.
        let asked = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01x";
        client.write_all(&[HTTP2, asked].concat()).await.unwrap();
        let all = async {
            let mut pings = 0;
            let mut frame = [0; 9];
            while client.read_exact(&mut frame).await.is_ok() {
                let [_, high, low, kind, flags, ..] = frame;
                let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
                client.read_exact(&mut payload).await.unwrap();
                if (kind, flags) == (6, 0) {
                    pings += 1;
                    if pings < 3 {
                        let answer = [b"\0\0\x08\x06\x01\0\0\0\0", payload.as_slice()].concat();
                        client.write_all(&answer).await.unwrap();
                    }
                }
            }
            pings
        };
        assert_eq!(tokio::time::timeout(Duration::from_secs(30), all).await.expect("it is closed"), 3);
    }
}
