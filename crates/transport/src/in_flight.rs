//! A connection that hangs or misbehaves is used by no later request.

use std::sync::Arc;

use crate::servers::Server;

/// A request whose response has not ended.
///
/// Dropping it takes its HTTP/2 connection out of use for later requests: a request that was cancelled
/// may have waited for a connection that hangs, and a server that reset one stream may answer no other.
/// HTTP/1.1 closes the connection in both cases anyway.
#[derive(Debug)]
pub(crate) struct InFlight {
    server: Arc<Server>,
    client: Arc<reqwest::Client>,
    /// Whether it is on its way.
    has_begun: bool,
}

impl InFlight {
    pub(crate) fn new(server: Arc<Server>, client: Arc<reqwest::Client>) -> Self {
        Self { server, client, has_begun: false }
    }

    /// The request has a connection.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// The response has come to its end, or its connection is shared with no other request.
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
