//! A table of faults of a server on the wire, and calls that meet them, for tests.
//!
//! The server plays a fault on its first connection, and serves every other connection well. So a test makes
//! the call that meets the fault, and then the next call.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod http2;
mod play;
pub mod postgres;
mod server;
mod table;

use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};

pub use crate::play::{Client, TIMEOUT, over_tcp, over_tls, trusting};
use crate::server::Server;
use crate::table::table;

/// A fault that a server plays.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The name of the fault in the output of a test.
    pub(crate) name: String,
    /// The protocol that the client speaks.
    pub(crate) layer: Layer,
    /// The server's behaviour on the first connection.
    pub(crate) steps: Vec<Step>,
    /// The allowed results of the call. There are several if the result depends on timing, or on a choice
    /// that the RFCs leave to the client.
    pub(crate) outcomes: &'static [Outcome],
}

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// HTTP/1.1 over TCP.
    Plain,
    /// The bytes of the steps are sent instead of a TLS handshake.
    NoTls,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    Http2,
}

/// The result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A response.
    Answer,
    /// The response is cut off or damaged.
    Broken,
    /// The response exceeds a limit.
    TooLarge,
    /// The deadline passed.
    Late,
    /// The connection failed.
    NoConnection,
}

/// An action of a server on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Reads a request to its end.
    Request,
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes again and again until the client disconnects.
    Flood(Vec<u8>),
    /// Sends bytes again and again, slowly, until the client disconnects.
    Drip(Vec<u8>),
    /// Sends nothing more until the client disconnects.
    Stall,
    /// Closes the server's direction; with TLS, in good order.
    HalfClose,
    /// Closes the connection under TLS, without a closing message of TLS.
    Cut,
    /// Breaks the connection off (RST).
    Reset,
    /// Serves further requests on the connection well.
    Serve,
}

/// The body of the response with a fault. It has the form of both an API and a backend.
pub(crate) const FAULTY: &str = r#"{"status":200,"headers":{},"data":{"from":"fault"}}"#;

/// The body of every response without a fault.
pub(crate) const GOOD: &str = r#"{"status":200,"headers":{},"data":{"from":"next"}}"#;

/// Writes a self-signed certificate for `127.0.0.1`, `cert.pem`, and its key, `key.pem`.
fn write_identity(folder: &Path) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
}
