//! The bodies of requests and responses.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use sync_wrapper::SyncStream;

use crate::BoxError;
use crate::decode::Decoded;
use crate::framing::Framed;

/// The body of a request. It is in memory, or it is a stream that can be sent only once.
#[derive(Debug)]
pub struct Body {
    pub(crate) body: reqwest::Body,
    /// The failure of a streamed body.
    pub(crate) failure: Option<Failure>,
}

/// Why the body of a request failed, once it has. Over HTTP/2, hyper resets the stream and drops the reason.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<BoxError>>>);

/// Creates a body in memory. Empty bytes mean no body.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Body { body: bytes.into().into(), failure: None }
}

/// Creates a streamed body. An error in the stream ends the request, and is in the error chain of the
/// request.
pub fn streamed<E>(bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Body
where
    E: Into<BoxError> + 'static,
{
    Body::wrap(StreamBody::new(SyncStream::new(bytes.map_ok(Frame::data))))
}

impl Body {
    /// Wraps a body of another crate. An error in it is treated like one of [`streamed`].
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
    /// Keeps the error, and returns a substitute.
    fn note(&self, error: BoxError) -> BoxError {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        "the body of the request failed".into()
    }

    pub(crate) fn take(&self) -> Option<BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The decoded body of a response, as a stream. It is read no faster than its reader polls it.
///
/// If the response breaks off because the request body failed, the stream ends with the error of the request
/// body. If the response cannot be decoded, it ends with a [`DecodeError`](crate::DecodeError).
pub struct ResponseBody {
    pub(crate) decoded: Decoded<Framed>,
    /// The failure of the request body, if that is streamed.
    pub(crate) failure: Option<Failure>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Upper limit for the memory that an announced length allocates.
const TRUSTED_LENGTH: u64 = 1 << 20;

impl ResponseBody {
    /// Returns how many bytes are still to come, if that was announced and the bytes are not coded.
    pub fn announced(&self) -> Option<u64> {
        self.decoded.size_hint().exact()
    }

    /// Returns the trailers, once the body has ended.
    pub fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// Lifts the client's limit on expansion, for a reader that limits the decoded bytes itself.
    #[must_use]
    pub fn without_expansion_limit(mut self) -> Self {
        self.decoded.lift_expansion_limit();
        self
    }

    /// Creates an empty buffer for the body, with the announced length as its capacity.
    ///
    /// The announcement is trusted with 1 MiB at most before the bytes arrive.
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
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => return Poll::Ready(Some(Ok(bytes))),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("announced", &self.announced()).finish_non_exhaustive()
    }
}
