//! Checks the head of a response, and limits its size.

use http::StatusCode;
use http::header::{HeaderMap, TRANSFER_ENCODING};

/// Upper limit for a response's header section. Each header counts like its line in HTTP/1.1, in HTTP/2 as
/// well.
pub const MAX_HEAD: usize = 64 * 1024;

/// The bytes of a header line besides its name and value: `: ` and the line end.
const LINE: usize = 4;

/// More headers than this exceed [`MAX_HEAD`], even if each has a name of one byte and an empty value.
pub(crate) const MAX_HEADERS: usize = MAX_HEAD / (LINE + 1);

/// [`MAX_HEAD`] in the units of HTTP/2, which adds 32 bytes for each header (RFC 9113 §6.5.2).
pub(crate) const MAX_HEADER_LIST: u32 = (MAX_HEAD + MAX_HEADERS * (32 - LINE)) as u32;

/// Why the client rejects the head of a response.
#[derive(Debug, thiserror::Error)]
pub enum BadHead {
    /// The headers exceed [`MAX_HEAD`].
    #[error("the headers of the response are larger than {} KiB", MAX_HEAD / 1024)]
    TooLarge,
    /// The status is 101. The client never asks for another protocol.
    #[error("the server switched to another protocol, which the request did not ask for")]
    SwitchedProtocols,
    /// The request accepts only the transfer coding `chunked`, and the client decodes no other.
    #[error("the response has a transfer coding other than chunked")]
    TransferCoding,
}

/// Checks the head of a response.
pub(crate) fn check(response: &http::Response<reqwest::Body>) -> Result<(), BadHead> {
    let headers = response.headers();
    if headers.iter().map(|(name, value)| name.as_str().len() + value.len() + LINE).sum::<usize>() > MAX_HEAD
    {
        return Err(BadHead::TooLarge);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(BadHead::SwitchedProtocols);
    }
    let is_chunked_at_most = transfer_codings(headers).all(|coding| coding == b"chunked")
        && transfer_codings(headers).count() <= 1;
    if is_chunked_at_most { Ok(()) } else { Err(BadHead::TransferCoding) }
}

/// Returns the transfer codings in lower case. Before RFC 7230, `identity` stood for no coding.
fn transfer_codings(headers: &HeaderMap) -> impl Iterator<Item = Vec<u8>> {
    headers
        .get_all(TRANSFER_ENCODING)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|coding| coding.trim_ascii().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != b"identity")
}
