//! What travels up and down.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Body as _, Frame, SizeHint};

use crate::BoxError;
use crate::decode::Decoded;
use crate::framing::Framed;

/// The body of a request: in memory, or bytes as they come, which can be sent once.
pub type Body = Either<Full<Bytes>, Streamed>;

/// A body that is not in memory as one piece.
pub struct Streamed {
    body: UnsyncBoxBody<Bytes, BoxError>,
    pub(crate) failure: Failure,
}

/// Why a body ended before its end, once it has, for who sends it: over HTTP/2, hyper resets the
/// stream and keeps the reason to itself.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<BoxError>>>);

/// A body in memory; an empty one is none.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// A body of bytes as they come. An error in it ends the request, and is in the chain of its error.
pub fn streamed<E>(bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Body
where
    E: Into<BoxError> + 'static,
{
    Either::Right(Streamed::new(StreamBody::new(bytes.map_ok(Frame::data))))
}

impl Streamed {
    /// A body of hyper's. An error in it is treated as one of [`streamed`].
    pub fn new(body: impl hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static) -> Self {
        Self { body: body.map_err(Into::into).boxed_unsync(), failure: Failure::default() }
    }
}

impl hyper::body::Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map_err(|error| self.failure.note(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").finish_non_exhaustive()
    }
}

impl Failure {
    /// Keeps the reason, and returns something in its place.
    fn note(&self, error: BoxError) -> BoxError {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        "the body of the request failed".into()
    }

    pub(crate) fn take(&self) -> Option<BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of an answer, decoded: chunks as they come. It is read no faster than it is asked for.
///
/// An answer that breaks off because the request's body did ends with that body's error. One that
/// cannot be decoded ends with a [`DecodeError`](crate::DecodeError).
pub struct ResponseBody {
    pub(crate) decoded: Decoded<Framed>,
    /// Of the request's body, if that is sent as it comes.
    pub(crate) failure: Option<Failure>,
}

/// How much memory an announced length is trusted with.
const TRUSTED_LENGTH: u64 = 1 << 20;

impl ResponseBody {
    /// How many bytes are still to come, if that was announced and they come as they were sent.
    pub fn announced(&self) -> Option<u64> {
        self.decoded.size_hint().exact()
    }

    /// Lifts the client's limit on expansion, for a reader that limits the decoded bytes itself.
    #[must_use]
    pub fn without_expansion_limit(mut self) -> Self {
        self.decoded.lift_expansion_limit();
        self
    }

    /// An empty buffer for them, of the announced length, which is trusted with 1 MiB at most before the
    /// bytes are there.
    pub fn buffer(&self) -> Vec<u8> {
        let trusted = self.announced().unwrap_or_default().min(TRUSTED_LENGTH);
        Vec::with_capacity(usize::try_from(trusted).unwrap_or_default())
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.decoded).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    let cause = self.failure.as_ref().and_then(Failure::take);
                    return Poll::Ready(Some(Err(cause.unwrap_or(error))));
                }
                // Trailers are of no use to anyone here.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("announced", &self.announced()).finish_non_exhaustive()
    }
}
