//! An upstream that takes a given step for each request. A step may break the rules of HTTP.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::soon;

/// The upstream's step after it has read a request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Send these bytes, and keep the connection for the next request.
    Send(Vec<u8>),
    /// Send these bytes and close the connection cleanly.
    SendAndClose(Vec<u8>),
    /// Send these bytes and nothing more, until the client closes the connection.
    SendAndHang(Vec<u8>),
    /// Send these bytes and reset the connection (RST).
    SendAndReset(Vec<u8>),
    /// Send the first bytes, then the second bytes this many times, then close.
    Repeat(Vec<u8>, Vec<u8>, usize),
    /// Send these bytes once the test gives the signal.
    SendWhen(Arc<Notify>, Vec<u8>),
    /// Send the bytes one by one, each in its own packet.
    Drip(Vec<u8>),
}

/// A request, as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Every byte of the request.
    pub(crate) bytes: Vec<u8>,
    pub(crate) method: String,
    /// The request target: path and query.
    pub(crate) target: String,
    /// Names are as they were written.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// All values of a header, in order. The case of its name does not matter.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Whether these bytes are anywhere in the request.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// The events so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) requests: Vec<Request>,
    /// How many clients closed the connection before they had their whole response.
    pub(crate) gone: usize,
}

type Script = Arc<dyn Fn(&Request) -> Step + Send + Sync>;

/// The upstream. It stops listening when its runtime ends.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    origin: String,
    seen: watch::Receiver<Seen>,
}

impl Upstream {
    /// Takes the same step for every request.
    pub(crate) async fn always(step: Step) -> Self {
        Self::with(move |_| step.clone()).await
    }

    /// Responds to every request with an empty JSON object.
    pub(crate) async fn pleasant() -> Self {
        Self::always(json_answer("{}")).await
    }

    /// Takes one step for each request, then responds with 599.
    pub(crate) async fn scripted(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = Mutex::new(steps.into_iter().collect::<VecDeque<_>>());
        let over = || Step::Send(answer(599, &[], "the script is over"));
        Self::with(move |_| steps.lock().unwrap().pop_front().unwrap_or_else(over)).await
    }

    /// Takes the step that `script` chooses for a request.
    pub(crate) async fn with(script: impl Fn(&Request) -> Step + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (note, seen) = watch::channel(Seen::default());
        let (note, script): (_, Script) = (Arc::new(note), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                note.send_modify(|seen| seen.connections += 1);
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&note)));
            }
        });
        Self { origin, seen }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn authority(&self) -> &str {
        self.origin.strip_prefix("http://").unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.borrow().requests.clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.borrow().connections
    }

    /// Waits until the upstream has seen events that fulfil the condition.
    pub(crate) async fn has_seen(&self, condition: impl FnMut(&Seen) -> bool) {
        drop(soon(self.seen.clone().wait_for(condition)).await.unwrap());
    }
}

async fn serve(mut stream: TcpStream, script: Script, note: Arc<watch::Sender<Seen>>) {
    stream.set_nodelay(true).unwrap();
    while let Some(request) = read_request(&mut stream).await {
        let step = script(&request);
        note.send_modify(|seen| seen.requests.push(request));
        // A client may close the connection at any moment, so a failure to send does not fail the test.
        let sent = match step {
            Step::Send(bytes) => match stream.write_all(&bytes).await {
                Ok(()) => continue,
                error => error,
            },
            Step::SendAndClose(bytes) => stream.write_all(&bytes).await,
            Step::SendAndHang(bytes) => {
                let sent = stream.write_all(&bytes).await;
                while stream.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {}
                note.send_modify(|seen| seen.gone += 1);
                sent
            }
            Step::SendAndReset(bytes) => {
                let sent = stream.write_all(&bytes).await;
                stream.set_zero_linger().unwrap();
                sent
            }
            Step::Repeat(first, then, times) => {
                let mut sent = stream.write_all(&first).await;
                for _ in 0..times {
                    if sent.is_err() {
                        note.send_modify(|seen| seen.gone += 1);
                        break;
                    }
                    sent = stream.write_all(&then).await;
                }
                sent
            }
            Step::SendWhen(signal, bytes) => {
                signal.notified().await;
                match stream.write_all(&bytes).await {
                    Ok(()) => continue,
                    error => error,
                }
            }
            Step::Drip(bytes) => {
                let mut sent = Ok(());
                for byte in bytes {
                    sent = stream.write_all(&[byte]).await;
                    tokio::task::yield_now().await;
                }
                match sent {
                    Ok(()) => continue,
                    error => error,
                }
            }
        };
        drop(sent);
        return;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = parse(&bytes) {
            return Some(request);
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Request> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
    Some(Request { bytes: bytes.to_vec(), method, target, headers, body })
}

/// The head of a response.
pub(crate) fn head(status: u16, headers: &[&str]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status} Reason\r\n{headers}\r\n").into_bytes()
}

/// The bytes of a response with a `Content-Length`.
pub(crate) fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("content-length: {}", body.len());
    [head(status, &[headers, &[&length]].concat()).as_slice(), body].concat()
}

/// A response of 200 with JSON.
pub(crate) fn json_answer(body: impl AsRef<[u8]>) -> Step {
    Step::Send(answer(200, &["content-type: application/json"], body))
}

/// Compresses the bytes.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
