//! The socket of a connection on the port. The socket corrects two things that hyper does by itself.
//!
//! * hyper responds to a head that it cannot read with a bare status. The socket holds that response back,
//!   and the port sends an envelope instead.
//! * hyper waits without a limit for a client that reads nothing. The socket closes such a connection.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

/// How long a client may read nothing while there is something to send.
pub(super) const UNREAD: Duration = Duration::from_secs(120);

/// How long a closed connection waits until the client closes it, too.
///
/// Otherwise the system would reset a connection with unread bytes of the client, and the client might lose
/// the response.
const LINGER: Duration = Duration::from_secs(2);

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// Upper limit for the length of a head that hyper writes by itself.
const BARE_HEAD: usize = 160;

/// The bytes of a connection, with TLS or without it.
pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The side of a socket that hyper reads and writes.
pub(super) struct Socket(Arc<Mutex<Inner>>);

/// The side of a socket that the port keeps.
pub(super) struct Watched(Arc<Mutex<Inner>>);

struct Inner {
    stream: Connection,
    /// A bare response, or the bytes of a body that look like one. The next event on the connection tells
    /// which.
    held: Vec<u8>,
    /// The time since which the client reads nothing.
    unread_since: Option<Instant>,
}

/// A head that hyper could not read.
pub(super) struct Unreadable {
    pub(super) status: u16,
    pub(super) error: hyper::Error,
}

/// Makes the two sides of a socket.
pub(super) fn watch(stream: Connection) -> (Socket, Watched) {
    let inner = Arc::new(Mutex::new(Inner { stream, held: Vec::new(), unread_since: None }));
    (Socket(Arc::clone(&inner)), Watched(inner))
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// Runs a connection to its end. `refuse` makes the response to a head that hyper cannot read.
    pub(super) async fn run<Connection, Error>(
        self,
        connection: Connection,
        refuse: impl FnOnce(Unreadable) -> Vec<u8>,
    ) where
        Connection: Future<Output = Result<(), Error>>,
        Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let ended = self.ended(connection).await;
        let Some(Inner { mut stream, held, .. }) =
            Arc::into_inner(self.0).map(|inner| inner.into_inner().unwrap_or_else(PoisonError::into_inner))
        else {
            return;
        };
        let unreadable = ended.map(|ended| {
            let error =
                ended.err()?.into().downcast::<hyper::Error>().ok().filter(|error| error.is_parse())?;
            Some(Unreadable { status: bare_status(&held)?, error: *error })
        });
        let last = match unreadable {
            // The client reads nothing, so the connection is closed without more bytes.
            None => return,
            Some(Some(unreadable)) => refuse(unreadable),
            Some(None) => held,
        };
        // The client may be gone, and then the result does not matter.
        _ = timeout(LINGER, close(&mut stream, &last)).await;
    }

    /// Waits for the end of the connection; returns `None` if the client has read nothing for too long.
    async fn ended<Connection: Future>(&self, connection: Connection) -> Option<Connection::Output> {
        let mut connection = pin!(connection);
        let mut patience = pin!(sleep_until(Instant::now() + UNREAD));
        poll_fn(|context| {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(ended));
            }
            let mut inner = lock(&self.0);
            // The connection goes on, so the bytes held back are no bare response. If they cannot be sent,
            // the next write reports the failure.
            _ = inner.poll_release(context);
            let Some(since) = inner.unread_since else { return Poll::Pending };
            if patience.deadline() != since + UNREAD {
                patience.as_mut().reset(since + UNREAD);
            }
            patience.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

/// Sends the last bytes, closes, and reads until the client has closed, too.
async fn close(stream: &mut Connection, last: &[u8]) -> io::Result<()> {
    stream.write_all(last).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// The status of a response that hyper writes by itself, if these bytes are exactly such a response.
fn bare_status(bytes: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(bytes).ok()?.strip_prefix("HTTP/1.1 ")?.strip_suffix("\r\n\r\n")?;
    let is_bare = !head.contains("\r\n\r\n") && head.contains("\r\ncontent-length: 0");
    head.get(..3).filter(|_| is_bare)?.parse().ok().filter(|status| (400..500).contains(status))
}

/// The position where a bare response begins in these bytes, if they end with one.
fn bare_response(bytes: &[u8]) -> Option<usize> {
    if !bytes.ends_with(END) {
        return None;
    }
    let earliest = bytes.len().saturating_sub(BARE_HEAD);
    let begins = bytes[earliest..].windows(9).rposition(|start| start == b"HTTP/1.1 ")? + earliest;
    bare_status(&bytes[begins..]).map(|_| begins)
}

impl Inner {
    fn poll_send(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(sent)
    }

    /// Notes whether the client reads.
    fn note<T>(&mut self, sent: Poll<T>) -> Poll<T> {
        if sent.is_pending() {
            self.unread_since.get_or_insert_with(Instant::now);
        } else {
            self.unread_since = None;
        }
        sent
    }

    /// Sends the bytes that were held back.
    fn poll_release(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let sent = self.poll_send(context, &[IoSlice::new(&held)]);
            self.held = held;
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => drop(self.held.drain(..sent)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.poll_release(context))?;
        let Some((index, last)) = pieces.iter().enumerate().rfind(|(_, piece)| !piece.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        let Some(begins) = bare_response(last) else { return self.poll_send(context, pieces) };
        let before: Vec<_> =
            pieces[..index].iter().map(|piece| &**piece).chain([&last[..begins]]).map(IoSlice::new).collect();
        if before.iter().all(|piece| piece.is_empty()) {
            self.held.extend_from_slice(last);
            return Poll::Ready(Ok(last.len()));
        }
        // The bytes before the bare response are sent now; hyper then writes the rest.
        self.poll_send(context, &before)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_write(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Sends the records that TLS has written; TCP has nothing to flush.
    ///
    /// Bytes held back wait until the connection goes on or ends.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        let Connection::Tls(stream) = &mut inner.stream else { return Poll::Ready(Ok(())) };
        let flushed = Pin::new(stream).poll_flush(context);
        inner.note(flushed)
    }

    /// Does nothing, because the port closes the socket when the connection has ended.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A client, and the two sides of the socket that it has connected to.
    async fn connected() -> (TcpStream, Socket, Watched) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, watched) = watch(Connection::Plain(listener.accept().await.unwrap().0));
        (client, socket, watched)
    }

    /// Sends bytes without an end.
    async fn send(mut socket: Socket) -> io::Result<()> {
        loop {
            socket.write_all(&[0; 64 * 1024]).await?;
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_disconnected() {
        let (client, socket, watched) = connected().await;
        tokio::time::pause();
        let began = Instant::now();
        watched.run(send(socket), |_| Vec::new()).await;
        assert!((UNREAD..2 * UNREAD).contains(&began.elapsed()), "{:?}", began.elapsed());
        drop(client);
    }

    #[test]
    fn a_bare_response_is_recognised_by_its_head() {
        let bare =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
            date: Fri, 27 Nov 2026 07:48:37 GMT\r\n\r\n";
        assert_eq!(bare_response(bare), Some(0));
        assert_eq!(bare_response(&[b"before", &bare[..]].concat()), Some(6));
        assert_eq!(bare_response(&[&bare[..], b"\n"].concat()), None);
        assert_eq!(bare_response(&bare[1..]), None);
        assert_eq!(bare_response(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(bare_response(b"\r\n\r\n"), None);
        assert_eq!(bare_response(b""), None);
    }
}
