//! A server that runs one given step per request, including steps that break HTTP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The server's reaction to a request.
pub(super) enum Step {
    /// Send a response, and keep the connection for the next request.
    Answer(Vec<u8>),
    /// Send these bytes and close the connection in good order.
    SendAndClose(Vec<u8>),
    /// Send these bytes and nothing more, until the client disconnects.
    SendAndHang(Vec<u8>),
    /// Break the connection off (RST).
    Reset,
}

/// The events so far.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    /// The head and body of each request, unchanged.
    pub(super) requests: Vec<String>,
    /// The number of clients that disconnected while the server was hanging.
    pub(super) gone: usize,
}

pub(super) struct Server {
    pub(super) origin: String,
    seen: watch::Receiver<Seen>,
}

impl Server {
    pub(super) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    pub(super) fn on(listener: TcpListener, script: impl IntoIterator<Item = Step>) -> Self {
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (note, seen) = watch::channel(Seen::default());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let note = Arc::new(note);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                note.send_modify(|seen| seen.connections += 1);
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&note)));
            }
        });
        Self { origin, seen }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.borrow().requests.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.borrow().connections
    }

    /// Waits until the events of the server meet the condition.
    pub(super) async fn has_seen(&mut self, condition: impl FnMut(&Seen) -> bool) {
        let waiting = self.seen.wait_for(condition);
        tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.unwrap().unwrap();
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<VecDeque<Step>>>, note: Arc<watch::Sender<Seen>>) {
    while let Some(request) = read_request(&mut stream).await {
        note.send_modify(|seen| seen.requests.push(request));
        let step = script.lock().unwrap().pop_front();
        match step {
            Some(Step::Answer(bytes)) => stream.write_all(&bytes).await.unwrap(),
            Some(Step::SendAndClose(bytes)) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Some(Step::SendAndHang(bytes)) => {
                stream.write_all(&bytes).await.unwrap();
                while stream.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {}
                note.send_modify(|seen| seen.gone += 1);
                return;
            }
            Some(Step::Reset) => return stream.set_zero_linger().unwrap(),
            None => stream.write_all(&answer(599, &[], "the script is over")).await.unwrap(),
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
}

/// Returns the bytes of a response.
pub(super) fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} Reason\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}
