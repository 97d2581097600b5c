//! How every outgoing request leaves: which certificates are trusted, how connections are made and
//! kept, how answers are decoded.
//!
//! What a request means, what is sent again and what an error says is for those who call it. Two
//! things are the same for all: no redirect is followed, and nothing is sent twice that a server may
//! have acted on.

mod body;
mod client;
mod connection;
mod connector;
mod deadline;
mod decode;
mod framing;
mod handshakes;
mod in_flight;
mod proxies;
mod resolver;
mod retry_after;
#[cfg(test)]
mod tests;
mod trust;

use std::error::Error as StdError;

pub use crate::body::{Body, ResponseBody, Streamed, streamed, whole};
pub use crate::client::{Client, Error, Options, Response};
pub use crate::deadline::{TooLate, until};
pub use crate::decode::{DecodeError, decode};
pub use crate::framing::{BadHead, MAX_HEAD};
pub use crate::resolver::AddressFilter;
pub use crate::retry_after::retry_after;
pub use crate::trust::TrustError;

/// Why something underneath failed.
pub type BoxError = Box<dyn StdError + Send + Sync>;
