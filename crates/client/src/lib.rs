//! A backend that is called over HTTP: the hosted service, or a gateway on a port.
//!
//! [`Remote`] turns a [`Backend`](proxy_execute_protocol::Backend) call into an HTTP request of the
//! documented wire, and the response or failure back into the protocol's types. It guarantees four things:
//!
//! * **Each call takes effect at most once.** A call is retried only if the backend cannot have acted on it,
//!   or if acting on it twice changes nothing. See [`RemoteOptions::max_retries`].
//! * **The API key reaches one origin,** the one of [`RemoteOptions::base_url`]. A redirect to another origin
//!   is an error. Errors, log lines and `Debug` output never hold the key.
//! * **The deadline covers the whole call:** connecting, waiting, retries and the last byte of the response.
//!   Dropping the call's future cancels all of it.
//! * **Every failure is an error that says what happened,** from any source: the backend in its envelope, a
//!   load balancer in HTML, or a broken connection.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use proxy_execute_client::{Remote, RemoteOptions};
//! use proxy_execute_protocol::{Backend, Deadline, ResourceMethod, ResourceRequest};
//!
//! # async fn example() -> proxy_execute_protocol::Result<()> {
//! let remote = Remote::new(RemoteOptions {
//!     api_key: "ak_…".into(),
//!     base_url: "http://127.0.0.1:8080".to_owned(),
//!     api_version: None,
//!     max_retries: None,
//!     default_headers: Vec::new(),
//! })?;
//! let request = ResourceRequest::new(ResourceMethod::Get, ["tool_router", "session", "trs_1"]);
//! let session = remote.resource(request, Deadline::after(Duration::from_secs(60))).await?;
//! println!("{session}");
//! # Ok(())
//! # }
//! ```

mod answer;
mod attempt;
mod message;
mod options;
mod remote;
mod retry;
#[cfg(test)]
mod tests;
mod upload;

pub use options::{ApiVersion, RemoteOptions};
pub use remote::Remote;
