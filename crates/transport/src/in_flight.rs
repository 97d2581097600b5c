//! A connection that hangs or misbehaves is used by no later request.

use http::Request;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};

/// A request whose response has not ended.
///
/// Dropping it takes its HTTP/2 connection out of use for later requests: a request that was cancelled
/// may have waited for a connection that hangs, and a server that reset one stream may answer no other.
/// HTTP/1.1 closes the connection in both cases anyway.
#[derive(Debug)]
pub(crate) struct InFlight(Option<CaptureConnection>);

impl InFlight {
    pub(crate) fn new<B>(request: &mut Request<B>) -> Self {
        let may_speak_http2 = request.uri().scheme() == Some(&Scheme::HTTPS);
        Self(may_speak_http2.then(|| capture_connection(request)))
    }

    /// `None` as long as the request has no connection.
    pub(crate) fn speaks_http2(&self) -> Option<bool> {
        Some(self.0.as_ref()?.connection_metadata().as_ref()?.is_negotiated_h2())
    }

    /// The response has come to its end.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(captured) = &self.0
            && let Some(connection) = captured.connection_metadata().as_ref()
            && connection.is_negotiated_h2()
        {
            connection.poison();
        }
    }
}
