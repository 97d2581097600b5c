//! The bytes of a response or a file, on their way to JavaScript.

use std::sync::Arc;

use futures::TryStreamExt;
use napi::bindgen_prelude::{Buffer, Either, Null};
use napi_derive::napi;
use proxy_execute_protocol::ByteStream;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::call::settling;
use crate::completions::Completions;
use crate::settled::Settled;

/// A body that JavaScript reads, chunk by chunk.
#[napi]
#[derive(Debug)]
pub struct ByteReader {
    head: String,
    /// `None` after the end.
    body: Arc<Mutex<Option<ByteStream>>>,
    cancelled: CancellationToken,
    completions: Completions,
}

#[napi]
impl ByteReader {
    /// The data beside the bytes: `{ status, headers }` of a response, `{ content_type, size? }` of a file.
    #[napi(getter, catch_unwind)]
    pub fn head(&self) -> String {
        self.head.clone()
    }

    /// Reads the next bytes; null means the end. Only one read may be in flight.
    #[napi(catch_unwind)]
    pub fn read(&self, timeout_ms: f64) -> u32 {
        let (body, cancelled) = (Arc::clone(&self.body), self.cancelled.clone());
        let read = move |_| async move {
            let mut body = body.lock().await;
            let chunk = match &mut *body {
                Some(body) => body.try_next().await,
                None => Ok(None),
            };
            if !matches!(chunk, Ok(Some(_))) {
                *body = None;
            }
            Ok(chunk?.map(Vec::from))
        };
        let settled = |chunk: Option<Vec<u8>>| {
            Settled::value(chunk.map_or(Either::B(Null), |chunk| Either::A(Buffer::from(chunk))))
        };
        settling(&self.completions, timeout_ms, cancelled.cancelled_owned(), read, settled)
    }

    /// Drops the rest of the bytes and closes their source.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.cancelled.cancel();
        // A read in flight holds the body. The token ends that read, and the next read finds no body.
        let body = Arc::clone(&self.body);
        napi::bindgen_prelude::spawn(async move { *body.lock().await = None });
    }
}

impl ByteReader {
    pub(crate) fn new(head: String, body: ByteStream, completions: Completions) -> Self {
        let cancelled = CancellationToken::new();
        Self { head, body: Arc::new(Mutex::new(Some(body))), cancelled, completions }
    }
}
