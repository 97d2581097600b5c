//! OAuth 2.0 as text: the URL for the user's consent, requests to an authorization server, and its responses.
//!
//! These modules do no I/O, and know no account and no toolkit.

pub(crate) mod answered;
pub(crate) mod client;
pub(crate) mod refusal;
pub(crate) mod registration;
pub(crate) mod requests;
pub(crate) mod server;
pub(crate) mod token_answer;
