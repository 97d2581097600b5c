//! An upstream that does as it is told, one step per request, also what no server should do.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::soon;

/// What to do once a request has been read.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Send these bytes, and keep the connection for the next request.
    Send(Vec<u8>),
    /// Send these bytes and close the connection in good order.
    SendAndClose(Vec<u8>),
    /// Send these bytes and nothing more, until the client goes away.
    SendAndHang(Vec<u8>),
    /// Send these bytes and break the connection off (RST).
    SendAndReset(Vec<u8>),
    /// Send the first, then the second so many times, then close.
    Repeat(Vec<u8>, Vec<u8>, usize),
    /// Send these bytes once the signal is given.
    SendWhen(Arc<Notify>, Vec<u8>),
    /// Send the bytes one by one, each in a packet of its own.
    Drip(Vec<u8>),
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Every byte of it.
    pub(crate) bytes: Vec<u8>,
    pub(crate) method: String,
    /// The request target: path and query.
    pub(crate) target: String,
    /// Names as they were written.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// All values of a header, in order, whatever the case of its name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Whether these bytes are anywhere in it.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) requests: Vec<Request>,
    /// How many clients went away before they had their whole answer.
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
    /// Does the same for every request.
    pub(crate) async fn always(step: Step) -> Self {
        Self::with(move |_| step.clone()).await
    }

    /// Answers every request with an empty JSON object.
    pub(crate) async fn pleasant() -> Self {
        Self::always(json_answer("{}")).await
    }

    /// Takes one step per request, then answers 599.
    pub(crate) async fn scripted(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = Mutex::new(steps.into_iter().collect::<VecDeque<_>>());
        let over = || Step::Send(answer(599, &[], "the script is over"));
        Self::with(move |_| steps.lock().unwrap().pop_front().unwrap_or_else(over)).await
    }

    /// Does what the request asks for.
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

    /// Waits until it has seen what the condition asks for.
    pub(crate) async fn has_seen(&self, condition: impl FnMut(&Seen) -> bool) {
        drop(soon(self.seen.clone().wait_for(condition)).await.unwrap());
    }
}

async fn serve(mut stream: TcpStream, script: Script, note: Arc<watch::Sender<Seen>>) {
    stream.set_nodelay(true).unwrap();
    while let Some(request) = read_request(&mut stream).await {
        let step = script(&request);
        note.send_modify(|seen| seen.requests.push(request));
        // A client may go away at any moment, which is its right.
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

/// The head of an answer.
pub(crate) fn head(status: u16, headers: &[&str]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status} Reason\r\n{headers}\r\n").into_bytes()
}

/// The bytes of an answer, with its length announced.
pub(crate) fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("content-length: {}", body.len());
    [head(status, &[headers, &[&length]].concat()).as_slice(), body].concat()
}

/// A 200 with JSON.
pub(crate) fn json_answer(body: impl AsRef<[u8]>) -> Step {
    Step::Send(answer(200, &["content-type: application/json"], body))
}

/// The bytes, compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
