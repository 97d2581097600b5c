//! Streams of bytes that are read on demand: the body of a request, a response or a file.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use sync_wrapper::SyncWrapper;

use crate::Result;

/// A body, chunk by chunk. It can be read once, and ends after its first error.
///
/// The stream reads nothing ahead of its reader, so a slow reader slows the writer down.
pub struct ByteStream(SyncWrapper<BoxStream<'static, Result<Bytes>>>);

impl ByteStream {
    /// The bytes of a stream.
    pub fn new(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self(SyncWrapper::new(Box::pin(stream)))
    }

    /// Bytes that are in memory.
    pub fn whole(bytes: Bytes) -> Self {
        Self::new(futures::stream::once(std::future::ready(Ok(bytes))))
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().as_mut().poll_next(context)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").finish_non_exhaustive()
    }
}
