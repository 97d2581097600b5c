//! How every outgoing request leaves: reqwest, with the rules of this project around it.
//!
//! This is the only crate that knows reqwest. It decides which certificates are trusted, which addresses
//! and proxies are used, which heads are accepted and how responses are decoded. Callers decide what a
//! request means and what an error says. No redirect is followed, and no request is sent twice that a
//! server may have acted on.

mod body;
mod client;
mod decode;
mod framing;
mod in_flight;
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
pub use crate::client::{BadUrl, Client, Error, Options, Request, Response};
pub use crate::decode::{DecodeError, decode};
pub use crate::framing::{BadHead, MAX_HEAD};
pub use crate::progress::{TooLate, until};
pub use crate::resolver::AddressFilter;
pub use crate::retry_after::retry_after;
pub use crate::trust::TrustError;

/// Why something underneath failed.
pub type BoxError = Box<dyn StdError + Send + Sync>;
