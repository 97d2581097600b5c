//! Decodes the content codings of a response (RFC 9110 §8.4) while it streams.
//!
//! [`Decoded`] wraps any body. It reads the body no faster than its own reader polls. One poll does a bounded
//! amount of work, because other calls share the thread.

mod coding;
mod decoder;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use http_body::{Body, Frame, SizeHint};

use self::decoder::{Decoder, Step};
use crate::BoxError;

/// Upper limit for the codings of a body, as in curl and in the `fetch` of Node.js.
const MAX_CODINGS: usize = 5;

/// Upper limit for the steps of one poll, after which other tasks run. A step reads at most 64 KiB and writes
/// 8 KiB.
const STEPS_PER_POLL: usize = 32;

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes do not match the coding that the response names.
    #[error("the {coding} coding of its body is damaged: {reason}")]
    Damaged {
        /// The coding.
        coding: &'static str,
        /// The message of the decoder.
        reason: String,
    },
    /// The body ends before its coding does.
    #[error("its body ends in the middle of the {0} coding")]
    Truncated(&'static str),
    /// Bytes follow the end of the coding, and are not another member or frame.
    #[error("bytes follow the end of the {0} coding of its body")]
    Trailing(&'static str),
    /// The decoder would need more memory than HTTP allows: 8 MiB for zstd (RFC 9659), 16 MiB for
    /// brotli (RFC 7932).
    #[error("the {0} coding of its body has a larger window than HTTP allows")]
    Window(&'static str),
    /// The body has more codings than are decoded.
    #[error("its body has {0} content codings, more than {MAX_CODINGS}")]
    TooManyCodings(usize),
    /// The decoded body is larger than this many times its coded size.
    #[error("its body grows to more than {0} times its size when it is decoded")]
    Expansion(u64),
}

/// A body whose codings are decoded, if all of them are known.
pub(crate) enum Decoded<B> {
    /// The bytes as the server sent them.
    AsSent(B),
    /// The bytes that the decoder returns.
    Coded(Box<Coded<B>>),
}

/// A body and its decoder.
pub(crate) struct Coded<B> {
    body: B,
    /// `None` after an error, or when the body has more codings than are decoded.
    decoder: Result<Decoder, Option<DecodeError>>,
    trailers: Option<HeaderMap>,
}

impl<B> Decoded<B> {
    /// Wraps a body. If its codings are known, the headers that describe the coded bytes are removed.
    ///
    /// If one coding is unknown, the whole body stays as it is.
    pub(crate) fn new(headers: &mut HeaderMap, body: B, max_expansion: Option<u64>) -> Self {
        let lines = headers.get_all(CONTENT_ENCODING).iter().map(|line| line.to_str().unwrap_or("?"));
        match coding::parse(lines) {
            Some(codings) if !codings.is_empty() => {
                headers.remove(CONTENT_ENCODING);
                headers.remove(CONTENT_LENGTH);
                let decoder = Decoder::new(&codings, max_expansion).map_err(Some);
                Self::Coded(Box::new(Coded { body, decoder, trailers: None }))
            }
            _ => Self::AsSent(body),
        }
    }

    /// Removes the limit on expansion, for a reader that counts the decoded bytes itself.
    pub(crate) fn lift_expansion_limit(&mut self) {
        if let Self::Coded(coded) = self
            && let Ok(decoder) = &mut coded.decoder
        {
            decoder.lift_expansion_limit();
        }
    }
}

impl<B> Coded<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        let decoder = match &mut self.decoder {
            Ok(decoder) => decoder,
            Err(error) => return Poll::Ready(error.take().map(|error| Err(error.into()))),
        };
        for _ in 0..STEPS_PER_POLL {
            let error: BoxError = match decoder.step() {
                Ok(Step::Working) => continue,
                Ok(Step::Chunk(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(Step::Ended) => return Poll::Ready(None),
                Ok(Step::NeedsInput) => match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                    None => {
                        decoder.end();
                        continue;
                    }
                    Some(Ok(frame)) => {
                        match frame.into_data() {
                            Ok(bytes) => decoder.feed(bytes),
                            Err(frame) => self.trailers = frame.into_trailers().ok(),
                        }
                        continue;
                    }
                    Some(Err(error)) => error.into(),
                },
                Err(error) => error.into(),
            };
            self.decoder = Err(None);
            return Poll::Ready(Some(Err(error)));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<B> Body for Decoded<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::AsSent(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Coded(coded) => Poll::Ready(match ready!(coded.poll_chunk(context)) {
                Some(chunk) => Some(chunk.map(Frame::data)),
                None => coded.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::AsSent(body) => body.is_end_stream(),
            Self::Coded(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::AsSent(body) => body.size_hint(),
            Self::Coded(_) => SizeHint::default(),
        }
    }
}

/// Decodes a body in memory, up to `most` bytes, for tests. `codings` is a value of `Content-Encoding`.
///
/// # Errors
/// If the bytes do not match these codings.
#[doc(hidden)]
pub fn decode<'a>(
    codings: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    most: usize,
) -> Result<Vec<u8>, DecodeError> {
    let mut chunks = chunks.into_iter();
    let mut decoded = Vec::new();
    let Some(codings) = coding::parse([codings].into_iter()).filter(|codings| !codings.is_empty()) else {
        chunks.for_each(|chunk| decoded.extend_from_slice(chunk));
        decoded.truncate(most);
        return Ok(decoded);
    };
    let mut decoder = Decoder::new(&codings, None)?;
    while decoded.len() < most {
        match decoder.step()? {
            Step::Working => {}
            Step::NeedsInput => match chunks.next() {
                Some(chunk) => decoder.feed(Bytes::copy_from_slice(chunk)),
                None => decoder.end(),
            },
            Step::Chunk(bytes) => decoded.extend_from_slice(&bytes),
            Step::Ended => break,
        }
    }
    decoded.truncate(most);
    Ok(decoded)
}
