//! Keeps later requests off a connection that hangs or misbehaves.

use std::sync::Arc;

use crate::servers::Server;

/// A request whose response has not ended.
///
/// Dropping it takes its HTTP/2 connection out of use for later requests. A cancelled request may have waited
/// for a connection that hangs. A server that reset one stream may fail on the others. HTTP/1.1 closes the
/// connection in both cases anyway.
#[derive(Debug)]
pub(crate) struct InFlight {
    server: Arc<Server>,
    client: Arc<reqwest::Client>,
    /// Whether the request is in flight on a connection.
    has_begun: bool,
}

impl InFlight {
    pub(crate) fn new(server: Arc<Server>, client: Arc<reqwest::Client>) -> Self {
        Self { server, client, has_begun: false }
    }

    /// Notes that the request has a connection.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Notes that the response has ended, or that it shares its connection with no other request.
    pub(crate) fn end(&mut self) {
        self.has_begun = false;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.has_begun && self.server.speaks_http2() {
            self.server.replace_client(&self.client);
        }
    }
}
