//! The checks of a request's head, before a route sees it.

use std::net::Ipv6Addr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, Version, header};
use proxy_execute_protocol::{Error, ErrorKind, Result};

use super::socket::Unreadable;

/// Upper limit for a head, in bytes: its URI, and the names and values of its headers.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Upper limit for the number of headers of a request.
pub(super) const MAX_HEADERS: usize = 100;

/// Upper limit for the name of a host, in bytes (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 255;

/// Refuses a head that must not reach a route.
///
/// # Errors
/// `HeadTooLarge` for a head over the limits, `InvalidRequest` for a `Host` that is not exactly one and
/// valid (RFC 9112 §3.2, RFC 9113 §8.3.1), `Unsupported` for a transfer coding other than `chunked`.
pub(super) fn check(request: &Request) -> Result<()> {
    let headers = request.headers();
    let uri_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let header_bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    if headers.len() > MAX_HEADERS || uri_bytes + header_bytes > MAX_HEAD_BYTES {
        return Err(head_too_large());
    }
    check_host(request.version(), request.uri(), headers)?;
    check_coding(headers)
}

fn check_host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(wrong_host("The request has more than one `Host` header."));
    }
    if host.is_some_and(|host| !is_host(host.as_bytes())) {
        return Err(wrong_host("The `Host` header is not a host with an optional port."));
    }
    if version != Version::HTTP_2 {
        return match host {
            None if version == Version::HTTP_11 => Err(wrong_host("The request has no `Host` header.")),
            _ => Ok(()),
        };
    }
    match (uri.authority(), host) {
        (None, None) => Err(wrong_host("The request has neither `:authority` nor a `Host` header.")),
        (Some(authority), _) if !is_host(authority.as_str().as_bytes()) => Err(wrong_host(
            "`:authority`, which replaces `Host` in HTTP/2, is not a host with an optional port.",
        )),
        (Some(authority), Some(host))
            if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(wrong_host("`:authority` and the `Host` header name different hosts."))
        }
        _ => Ok(()),
    }
}

fn wrong_host(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
        .fix("Send one `Host` header with the host and port of the request's URL.")
}

/// Whether the text is `uri-host [ ":" port ]` (RFC 9110 §7.2) with a host that is not empty.
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (is_valid, rest) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest),
        None => {
            let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_name(name.as_bytes()), rest)
        }
    };
    let is_port = |port: &str| {
        port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
    };
    is_valid && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// Whether the text is a `reg-name` that is not empty (RFC 3986 §3.2.2), such as an IPv4 address.
fn is_name(mut name: &[u8]) -> bool {
    if name.is_empty() || name.len() > MAX_HOST_BYTES {
        return false;
    }
    while let [first, rest @ ..] = name {
        name = match (first, rest) {
            (b'%', [high, low, rest @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            (first, rest) if first.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(first) => rest,
            _ => return false,
        };
    }
    true
}

fn check_coding(headers: &HeaderMap) -> Result<()> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_none_or(is_chunked) && codings.next().is_none() {
        return Ok(());
    }
    Err(unknown_coding())
}

/// The error for a head that hyper cannot read.
pub(super) fn unreadable(Unreadable { status, error }: &Unreadable) -> Error {
    match status {
        414 => Error::new(ErrorKind::UriTooLong, "The URI of the request is longer than 65 534 bytes.")
            .fix("Send long values in the body."),
        431 => head_too_large(),
        // hyper distinguishes this error from others only by its text.
        _ if error.to_string() == "invalid transfer-encoding parsed" => unknown_coding(),
        _ => Error::new(ErrorKind::InvalidRequest, format!("The request is not valid HTTP: {error}."))
            .fix("Send HTTP/1.1 or HTTP/2. A port speaks TLS only if it was opened with a certificate."),
    }
}

fn unknown_coding() -> Error {
    Error::new(ErrorKind::Unsupported, "The request has a `Transfer-Encoding` other than `chunked`.")
        .fix("Send the body with a Content-Length, or with `Transfer-Encoding: chunked` alone.")
}

fn head_too_large() -> Error {
    let message = "The head of the request is larger than 64 KiB, or has more than 100 headers.";
    Error::new(ErrorKind::HeadTooLarge, message)
        .fix("Send fewer or shorter headers, and cookies of this host only.")
}
