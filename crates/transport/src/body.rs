//! What travels up and down.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use sync_wrapper::SyncStream;

use crate::BoxError;
use crate::decode::Decoded;
use crate::framing::Framed;

/// The body of a request: in memory, or bytes as they come, which can be sent once.
#[derive(Debug)]
pub struct Body {
    pub(crate) body: reqwest::Body,
    /// Of a body that is not in memory.
    pub(crate) failure: Option<Failure>,
}

/// Why the body of a request ended before its end, once it has. Over HTTP/2, hyper resets the stream and
/// drops the reason.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<BoxError>>>);

/// A body in memory; an empty one is none.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Body { body: bytes.into().into(), failure: None }
}

/// A body of bytes as they come. An error in it ends the request, and is in the chain of its error.
pub fn streamed<E>(bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Body
where
    E: Into<BoxError> + 'static,
{
    Body::wrap(StreamBody::new(SyncStream::new(bytes.map_ok(Frame::data))))
}

impl Body {
    /// A body of another crate. An error in it is treated as one of [`streamed`].
    pub fn wrap<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
    {
        let failure = Failure::default();
        let noted = failure.clone();
        let body = reqwest::Body::wrap(body.map_err(move |error| noted.note(error.into())));
        Self { body, failure: Some(failure) }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").finish_non_exhaustive()
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
