//! The bytes of a request body, on their way from JavaScript.

#![expect(clippy::use_self, reason = "#[napi] repeats the signatures where there is no Self")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::unfold;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use proxy_execute_protocol::{ByteStream, Error, ErrorKind, ProxyRequest, Result, quoted};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;

use crate::completions::Completions;
use crate::failure::NativeFailure;
use crate::settled::Settled;
use crate::text::Text;

/// How many chunks may wait to be sent. A larger number would only use more memory.
const WAITING: usize = 2;

/// How many bytes of a file are read at once.
const READ: usize = 256 * 1024;

/// A body that is sent once: chunks that JavaScript pushes, or a file that is read here.
#[napi]
#[derive(Debug)]
pub struct Upload {
    /// `None` after the end.
    chunks: Mutex<Option<mpsc::Sender<Bytes>>>,
    /// Whether the chunks are complete. Otherwise the body was cut off.
    complete: Arc<AtomicBool>,
    /// `None` after a call has taken it.
    source: Mutex<Option<Source>>,
    completions: Completions,
}

/// The source of the bytes.
#[derive(Debug)]
pub(crate) enum Source {
    Chunks(ByteStream),
    File(PathBuf),
}

#[napi]
impl Upload {
    /// Creates a body whose chunks JavaScript pushes.
    #[napi(constructor)]
    pub fn new(completions: &Completions) -> Self {
        let (chunks, inbox) = mpsc::channel(WAITING);
        let complete = Arc::new(AtomicBool::new(false));
        let state = (inbox, Arc::clone(&complete));
        let bytes = ByteStream::new(unfold(Some(state), |state| async move {
            let (mut inbox, complete) = state?;
            match inbox.recv().await {
                Some(chunk) => Some((Ok(chunk), Some((inbox, complete)))),
                None if complete.load(Ordering::Acquire) => None,
                None => Some((Err(cut_off()), None)),
            }
        }));
        let source = Mutex::new(Some(Source::Chunks(bytes)));
        Self { chunks: Mutex::new(Some(chunks)), complete, source, completions: completions.clone() }
    }

    /// Creates a body from a file, which is read while it is sent.
    #[napi(factory)]
    pub fn file(path: String, completions: &Completions) -> Upload {
        let source = Mutex::new(Some(Source::File(path.into())));
        Self { chunks: Mutex::default(), complete: Arc::default(), source, completions: completions.clone() }
    }

    /// Passes a copy of a chunk to the call, and settles when there is room for the next chunk.
    ///
    /// It settles with an empty text, or as aborted if the call reads no more chunks.
    #[napi(catch_unwind)]
    pub fn push(&self, chunk: Uint8Array) -> u32 {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let chunk = Bytes::copy_from_slice(&chunk);
        let ended = self.completions.environment_ended().clone();
        self.completions.run(|| async move {
            let taken = async {
                match chunks {
                    Some(chunks) => chunks.send(chunk).await.is_ok(),
                    None => false,
                }
            };
            let taken = tokio::select! {
                () = ended.cancelled() => false,
                taken = taken => taken,
            };
            if taken {
                Settled::Text(Text::from(String::new()))
            } else {
                Settled::failure(NativeFailure::aborted())
            }
        })
    }

    /// Ends the body. If it is not `complete`, the body is cut off.
    #[napi(catch_unwind)]
    pub fn end(&self, complete: bool) {
        self.complete.store(complete, Ordering::Release);
        *self.chunks.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn take(&self) -> Option<Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Source {
    /// Puts the bytes into a request, and their number if it is known here.
    ///
    /// # Errors
    /// `InvalidRequest` if the file cannot be read.
    pub(crate) async fn put_into(self, request: &mut ProxyRequest) -> Result<()> {
        let body = request.binary_body.get_or_insert_default();
        match self {
            Self::Chunks(bytes) => body.stream = Some(bytes),
            Self::File(path) => {
                let shown = quoted(&path.to_string_lossy()).to_string();
                let unreadable = |error: std::io::Error| {
                    let message = format!("binaryBody.path: {shown} cannot be read: {error}.");
                    Error::of_field(ErrorKind::InvalidRequest, "binaryBody.path", message)
                };
                let file = tokio::fs::File::open(&path).await.map_err(unreadable)?;
                let size = file.metadata().await.map_err(unreadable)?.len();
                // If the file grows while it is sent, only the bytes up to its size at the start are sent.
                let bytes = ReaderStream::with_capacity(file.take(size), READ);
                let message = format!("binaryBody.path: {shown} could not be read to its end.");
                let bytes = bytes.map_err(move |_| Error::new(ErrorKind::UploadBroken, message.as_str()));
                body.size = Some(size);
                body.stream = Some(ByteStream::new(bytes));
            }
        }
        Ok(())
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::UploadBroken, "The body's source failed before its end.")
}
