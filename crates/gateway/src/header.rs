//! Facts about HTTP headers that requests and responses share.

use std::collections::HashSet;

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};

/// Sent if neither the caller nor the toolkit sets one. Several APIs reject calls without a `User-Agent`.
pub(crate) const DEFAULT_USER_AGENT: &str = concat!("proxy-execute/", env!("CARGO_PKG_VERSION"));

/// Headers that describe one connection, not the request (RFC 9110 §7.6.1). All `proxy-…` headers do too.
const HOP_BY_HOP: &[&str] =
    &["connection", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Whether a header is hop-by-hop, by itself or because `Connection` names it.
pub(crate) fn is_hop_by_hop(name: &HeaderName, named_by_connection: &HashSet<String>) -> bool {
    let name = name.as_str();
    HOP_BY_HOP.contains(&name) || name.starts_with("proxy-") || named_by_connection.contains(name)
}

/// The header names that `Connection` lists, in lower case.
pub(crate) fn named_by_connection(headers: &HeaderMap) -> HashSet<String> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// A header value that is sent as written: visible ASCII, blanks and tabs.
///
/// Other text would have to be re-encoded, and servers disagree on the encoding (RFC 9110 §5.5).
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok().filter(|_| text.is_ascii())
}

/// Whether the content type is JSON.
pub(crate) fn is_json(content_type: &HeaderValue) -> bool {
    proxy_execute_protocol::is_json(&String::from_utf8_lossy(content_type.as_bytes()))
}

/// The media type that a `Content-Type` names.
pub(crate) fn media_type(content_type: &HeaderValue) -> Option<mime::Mime> {
    proxy_execute_protocol::media_type(&String::from_utf8_lossy(content_type.as_bytes()))
}
