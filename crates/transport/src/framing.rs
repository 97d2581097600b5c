//! Detects the end of a response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};

use crate::BoxError;
use crate::servers::InFlight;

/// The server ended the stream, or the connection, before the end of the response.
#[derive(Debug, thiserror::Error)]
#[error("the server reset the stream before the end of the response")]
struct CutOff;

/// The body of a response, streamed. It ends only at the end that the server sent.
pub(crate) struct Framed {
    body: reqwest::Body,
    /// HTTP/2 ends each body with a flag, `END_STREAM`.
    has_end_flag: bool,
    in_flight: Option<InFlight>,
}

impl Framed {
    pub(crate) fn new(
        response: http::Response<reqwest::Body>,
        in_flight: Option<InFlight>,
    ) -> http::Response<Self> {
        let has_end_flag = response.version() == Version::HTTP_2;
        response.map(|body| {
            let mut framed = Self { body, has_end_flag, in_flight };
            if !has_end_flag || framed.is_end_stream() {
                framed.end();
            }
            framed
        })
    }

    /// Marks the end of the request in flight: the response has ended, or it shares its connection with no
    /// other request.
    fn end(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.end();
        }
    }
}

impl Body for Framed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let has_ended = self.body.is_end_stream();
        if has_ended {
            self.end();
        }
        Poll::Ready(match frame {
            // hyper treats NO_ERROR in a RST_STREAM or GOAWAY as the end of the response. NO_ERROR only asks
            // to end the upload, and then comes after END_STREAM (RFC 9113 §8.1).
            None if self.has_end_flag && !has_ended => Some(Err(CutOff.into())),
            frame => frame.map(|frame| frame.map_err(Into::into)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
