//! A connection that hangs is used by one request and by no other.

use http::Request;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};

/// A request whose response has not ended.
///
/// Dropping it takes its HTTP/2 connection out of use for later requests: a cancelled request may
/// have waited for a connection that hangs, and nothing else would notice. HTTP/1.1 closes the
/// connection of a cancelled request anyway.
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

    /// The request has failed, or its response has ended.
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
