//! What travels up and down.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use tower_http::decompression::DecompressionBody;

use crate::BoxError;

/// The body of a request: in memory, or bytes as they come, which can be sent once.
pub type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BoxError>>;

/// A body in memory; an empty one is none.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// A body of bytes as they come. An error in it ends the request, and is in the chain of its error.
pub fn streamed<E>(bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Body
where
    E: Into<BoxError> + 'static,
{
    Either::Right(StreamBody::new(bytes.map_ok(Frame::data).map_err(Into::into)).boxed_unsync())
}

/// The body of an answer, decoded: chunks as they come. It is read no faster than it is asked for.
pub struct ResponseBody(pub(crate) DecompressionBody<Incoming>);

impl ResponseBody {
    /// How many bytes are still to come, if that was announced and they come as they were sent.
    pub fn announced(&self) -> Option<u64> {
        self.0.size_hint().exact()
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(context)).transpose()? {
                None => return Poll::Ready(None),
                // Trailers are of no use to anyone here.
                Some(frame) => {
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
