//! The seam between callers and backends: one trait, called in process or over HTTP.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::{ByteStream, Envelope, ProxyCall, ResourceRequest, Result};

/// The moment by which a call must have ended, body included.
///
/// A backend uses it to decide whether a wait still makes sense. The caller enforces the deadline by
/// dropping the call's future, which cancels the work behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        let now = Instant::now();
        // A timeout that overflows the clock becomes one year.
        Self(now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365)))
    }

    /// The moment itself, for timers.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// How long is left; zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// A response whose body is streamed.
#[derive(Debug)]
pub struct StreamedAnswer {
    /// A [`StreamedHead`](crate::StreamedHead) as text.
    pub head: Envelope,
    /// The body's bytes, decompressed.
    pub body: ByteStream,
}

/// An open file that a response named.
#[derive(Debug)]
pub struct Download {
    /// Its media type.
    pub content_type: String,
    /// How many bytes it has; `body` ends with an error if there are not as many.
    pub size: Option<u64>,
    /// Its bytes.
    pub body: ByteStream,
}

/// The calls that a backend serves on behalf of a user.
///
/// Dropping a returned future cancels the call, with all of its work.
#[async_trait]
pub trait Backend: std::fmt::Debug + Send + Sync + 'static {
    /// Calls an endpoint of a toolkit as the session's user.
    async fn proxy_execute(&self, session_id: &str, call: ProxyCall, deadline: Deadline) -> Result<Envelope>;

    /// Calls an endpoint with a named account or with credentials given in the call.
    async fn tools_proxy_execute(&self, call: ProxyCall, deadline: Deadline) -> Result<Envelope>;

    /// The same two calls with a streamed response: in the session with this id, or outside of one.
    /// The deadline applies to the response's head. The reader decides how long the body may take.
    async fn proxy_stream(
        &self,
        session_id: Option<&str>,
        call: ProxyCall,
        deadline: Deadline,
    ) -> Result<StreamedAnswer>;

    /// Whether the backend streams responses. Otherwise [`Backend::proxy_stream`] fails.
    async fn streams(&self, deadline: Deadline) -> Result<bool>;

    /// Opens a file by the URL that a response gave for it (`BinaryData::url`). The deadline applies
    /// to its first byte.
    async fn download(&self, url: &str, deadline: Deadline) -> Result<Download>;

    /// Requests a resource: sessions, connected accounts, auth configs, toolkits, links. The response is the
    /// JSON text of the wire.
    async fn resource(&self, request: ResourceRequest, deadline: Deadline) -> Result<String>;

    /// Waits until the user has connected an account, or can no longer connect it. The response is the
    /// account, in the JSON text of the wire.
    async fn connected_account(&self, id: &str, deadline: Deadline) -> Result<String>;
}
