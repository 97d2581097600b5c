//! Sends every outgoing request, with reqwest and the rules of this project.
//!
//! This is the only crate that uses reqwest. It decides which certificates, addresses and proxies to use,
//! which response heads to accept, and how to decode responses. Callers decide the meaning of a request and
//! the text of an error. The client follows no redirect. It never resends a request that a server may have
//! acted on.

mod body;
mod client;
mod decode;
mod framing;
mod head;
mod progress;
mod proxies;
mod resolver;
mod retry_after;
mod servers;
mod settings;
#[cfg(test)]
mod tests;
mod trust;

use std::error::Error as StdError;

pub use crate::body::{Body, ResponseBody, streamed, whole};
pub use crate::client::{BadUrl, Client, Error, Options, Request, Response, reason_phrase};
pub use crate::decode::{DecodeError, decode};
pub use crate::head::{BadHead, MAX_HEAD};
pub use crate::progress::{TooLate, until};
pub use crate::resolver::AddressFilter;
pub use crate::retry_after::retry_after;
pub use crate::trust::TrustError;

/// The cause of a failure in a lower layer.
pub type BoxError = Box<dyn StdError + Send + Sync>;
