//! The bytes of a body, on their way from JavaScript.

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

/// How many chunks wait to be sent. More would only be more memory.
const WAITING: usize = 2;

/// What is read at once from a file.
const READ: usize = 256 * 1024;

/// A body that is sent once: chunks that JavaScript pushes, or a file that is read here.
#[napi]
#[derive(Debug)]
pub struct Upload {
    /// Until the end.
    chunks: Mutex<Option<mpsc::Sender<Bytes>>>,
    /// Whether the chunks were all; without it, they were cut off.
    complete: Arc<AtomicBool>,
    /// Until a call takes it.
    source: Mutex<Option<Source>>,
    completions: Completions,
}

/// Where the bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    Chunks(ByteStream),
    File(PathBuf),
}

#[napi]
impl Upload {
    /// A body of which the chunks are pushed.
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

    /// The bytes of a file, which are read as they are sent.
    #[napi(factory)]
    pub fn file(path: String, completions: &Completions) -> Upload {
        let source = Mutex::new(Some(Source::File(path.into())));
        Self { chunks: Mutex::default(), complete: Arc::default(), source, completions: completions.clone() }
    }

    /// Hands on a copy of a chunk. It settles when there is room for the next one: with an empty
    /// text, or as aborted when nobody wants any more.
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

    /// That was all, or, if it is not complete, all that will come.
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
    /// Puts the bytes into a request, and their number where it is known here.
    ///
    /// # Errors
    /// `InvalidRequest` for a file that cannot be read.
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
                // A file that grows while it is sent is sent as it was.
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
