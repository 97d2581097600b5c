//! The limits of one call: bytes, and the time that an upstream may take.

use std::time::Duration;

use proxy_execute_protocol::{Advice, ByteStream, Error, ErrorKind};

use crate::stream::Bounds;

/// The limits of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Upper limit for an upstream response in memory, after decompression.
    pub(crate) max_response_bytes: u64,
    /// Upper limit for a body of bytes that the gateway sends.
    pub(crate) max_upload_bytes: u64,
    /// How long an upstream may take for its whole response.
    pub(crate) upstream_timeout: Duration,
    /// How long the next bytes of a streamed body may take.
    pub(crate) chunk_timeout: Duration,
}

impl Limits {
    /// Wraps the body of a response, so that it ends with an error when it stalls.
    pub(crate) fn paced(&self, body: ByteStream, host: &str) -> ByteStream {
        let pause = self.chunk_timeout;
        let stalled = Error::new(
            ErrorKind::UpstreamTimeout,
            format!("The response of {host} stalled: no data for {pause:?}."),
        )
        .fix("An operator can raise `chunkTimeout`.")
        .advise(Advice::RaiseOption("chunkTimeout"));
        Bounds { pause, stalled, size: None, most: None }.hold(body)
    }
}
