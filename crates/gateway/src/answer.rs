//! The upstream's response, verbatim: status, headers and data.
//!
//! The content type determines the form of `data`, then the content does (`docs/answers.md`):
//! 1. no body: null;
//! 2. a body that is still compressed: a file;
//! 3. a JSON media type: the upstream's own bytes, which must be JSON if the call succeeded;
//! 4. a text media type, or a type with text content (XML, JavaScript, forms …): a string, if the body is
//!    valid text in its charset;
//! 5. no content type: JSON if the body is JSON, else a string if it is UTF-8 without NUL;
//! 6. all other bodies: a file.
//!
//! `Content-Disposition: attachment` says how to present a body; the type says how to read it (RFC 9110
//! §8.3). So an attachment becomes a file only if the body would otherwise be an error.
//!
//! This module reads JSON and text. A file is streamed, and so is any response that the caller requests as a
//! stream.

use std::borrow::Cow;
use std::future::ready;
use std::task::Poll;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use futures::stream::{once, poll_fn};
use futures::{Stream, StreamExt, TryStreamExt};
use http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use proxy_execute_protocol::{
    Advice, ByteStream, Envelope, EnvelopeHead, Error, ErrorKind, Headers, Method, Result, ResultType,
    StreamedHead, Trailers,
};
use proxy_execute_transport::{BoxError, DecodeError, ResponseBody};
use serde::de::IgnoredAny;

use crate::egress::UpstreamResponse;
use crate::header::{is_hop_by_hop, is_json, media_type, named_by_connection};
use crate::record::CallInProgress;

/// Media types below `application/` with text content.
const TEXT_BY_NATURE: &[&str] = &[
    "ecmascript",
    "graphql",
    "javascript",
    "jsonl",
    "sql",
    "toml",
    "x-javascript",
    "x-ndjson",
    "x-sh",
    "x-www-form-urlencoded",
    "x-yaml",
    "xml",
    "yaml",
];

/// Content codings that change the bytes of a body. If the headers still name one, the egress did not
/// decompress the body.
const COMPRESSIONS: &[&str] = &["br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd"];

/// A response, as far as this module reads it.
pub(crate) enum Received {
    /// The whole response.
    Whole(Envelope),
    /// The head of a response whose body is a file.
    File(ReceivedFile),
}

/// A file that is still being received.
pub(crate) struct ReceivedFile {
    pub(crate) head: EnvelopeHead,
    pub(crate) content_type: String,
    pub(crate) body: ByteStream,
}

/// Reads JSON and text to the end and wraps them in an envelope. With `data_as_text`, JSON becomes a string.
///
/// # Errors
/// `UpstreamBroken` and `UpstreamTooLarge`.
pub(crate) async fn receive(
    mut response: UpstreamResponse,
    method: Method,
    data_as_text: bool,
    result_type: Option<ResultType>,
    max_bytes: u64,
    record: &mut CallInProgress,
) -> Result<Received> {
    let head = EnvelopeHead { result_type, ..head(&response, method)? };
    let content_type = content_type(&response.headers);
    let kind = Kind::of(&response.headers);
    let is_attachment = is_attachment(&response.headers);
    let file = |body| Received::File(ReceivedFile { head: head.clone(), content_type, body });

    let without_data = || Ok(Received::Whole(Envelope::without_data(&head)));
    let succeeded = response.status.is_success();
    let host = response.host.clone();
    if matches!(kind, Kind::File) {
        return match response.body.try_next().await {
            // An empty file counts as no body, as with any other type.
            Ok(None) => without_data(),
            Ok(Some(first)) => Ok(file(ByteStream::new(once(ready(Ok(first))).chain(body_of(response))))),
            Err(error) => Err(cut_off(&host, error)),
        };
    }
    if !is_attachment {
        // `max_bytes` limits the decompressed body. An attachment may become a file, which `max_bytes` does
        // not limit.
        response.body = response.body.without_expansion_limit();
    }
    let body = match read(&mut response.body, max_bytes).await {
        Ok(Body::Whole(body)) => body,
        Ok(Body::TooLarge(begun)) if is_attachment => {
            return Ok(file(ByteStream::new(once(ready(Ok(begun.into()))).chain(body_of(response)))));
        }
        Ok(Body::TooLarge(_)) => return Err(too_large(&host, max_bytes)),
        Err(error) if !succeeded && is_undecodable(&error) => return without_data(),
        Err(error) => return Err(cut_off(&host, error)),
    };
    record.received(body.len() as u64);
    if body.is_empty() {
        return without_data();
    }
    let content = Content::of(kind, &body);
    let is_mislabelled = matches!(kind, Kind::Json(_)) && !matches!(content, Content::Json(_));
    // A user reads the body of a failed call, so a wrong content type must not hide the status.
    if is_mislabelled && succeeded && !data_as_text {
        if is_attachment {
            return Ok(file(ByteStream::whole(body.into())));
        }
        let status = head.status;
        let what = format!("labels its response (status {status}) as JSON, but it is not JSON");
        return Err(broken(&host, &what, " `responseType: 'text'` returns such a body as a string."));
    }
    Ok(match content {
        Content::Json(json) if !data_as_text => Received::Whole(Envelope::around_json(&head, &json)),
        Content::Json(text) | Content::Text(text) => Received::Whole(Envelope::around_text(&head, &text)),
        // Decoding in a wrong charset would lose bytes. A file keeps all of them.
        Content::Bytes => file(ByteStream::whole(body.into())),
    })
}

/// Returns the head of a response, and its body as a stream.
///
/// # Errors
/// `UpstreamBroken`.
pub(crate) fn stream(response: UpstreamResponse, method: Method) -> Result<(StreamedHead, ByteStream)> {
    let trailers = Trailers::default();
    let head = StreamedHead {
        head: head(&response, method)?,
        status_text: response.status_text.to_string(),
        url: response.url.to_string(),
        redirected: response.redirected,
        length: response.body.announced().filter(|_| method != Method::Head),
        trailers: trailers.clone(),
    };
    let UpstreamResponse { host, mut body, .. } = response;
    let body = poll_fn(move |context| {
        let next = std::task::ready!(body.try_poll_next_unpin(context));
        if next.is_none()
            && let Some(found) = body.trailers()
        {
            trailers.set(returned(&found, method));
        }
        Poll::Ready(next.map(|next| next.map_err(|error| cut_off(&host, error))))
    });
    Ok((head, ByteStream::new(body)))
}

/// The members of the envelope that do not depend on the body.
fn head(response: &UpstreamResponse, method: Method) -> Result<EnvelopeHead> {
    Ok(EnvelopeHead {
        result_type: None,
        status: status(response)?,
        headers: returned(&response.headers, method),
    })
}

/// Returns the status if it is a valid HTTP status (RFC 9110 §15). Clients reject any other.
fn status(response: &UpstreamResponse) -> Result<u16> {
    match response.status.as_u16() {
        status @ 100..=599 => Ok(status),
        status => {
            let what = format!("responded with status {status}, which is outside HTTP's 100 to 599");
            Err(broken(&response.host, &what, ""))
        }
    }
}

/// The body of a response, decompressed. If the connection breaks off, the stream ends with an error.
fn body_of(response: UpstreamResponse) -> impl Stream<Item = Result<Bytes>> {
    let UpstreamResponse { host, body, .. } = response;
    body.map_err(move |error| cut_off(&host, error))
}

/// The kind of a body, according to the headers.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Json(&'static Encoding),
    Text(&'static Encoding),
    Unknown,
    File,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        if is_compressed(headers) {
            return Self::File;
        }
        let Some(content_type) = headers.get(CONTENT_TYPE).filter(|value| !value.is_empty()) else {
            return Self::Unknown;
        };
        let Some(mime) = media_type(content_type) else { return Self::File };
        let charset =
            mime.get_param(mime::CHARSET).and_then(|name| Encoding::for_label(name.as_str().as_bytes()));
        let encoding = charset.unwrap_or(UTF_8);
        let text_by_nature =
            mime.type_() == mime::APPLICATION && TEXT_BY_NATURE.contains(&mime.subtype().as_str());
        if is_json(content_type) {
            Self::Json(encoding)
        } else if mime.type_() == mime::TEXT || text_by_nature || mime.suffix() == Some(mime::XML) {
            Self::Text(encoding)
        } else {
            Self::File
        }
    }
}

/// The content of a body, after reading it.
enum Content<'a> {
    Json(Cow<'a, str>),
    Text(Cow<'a, str>),
    Bytes,
}

impl<'a> Content<'a> {
    fn of(kind: Kind, body: &'a [u8]) -> Self {
        let is_text = |text: &Cow<'_, str>| !text.contains('\0');
        let utf8 = || decode(body, UTF_8);
        match kind {
            // JSON is UTF-8 (RFC 8259 §8.1). A declared charset counts only if the body is not JSON in UTF-8.
            Kind::Json(charset) => {
                let declared = || decode(body, charset);
                let is_json = |text: &Cow<'_, str>| is_valid_json(text);
                match utf8().filter(is_json).or_else(|| declared().filter(is_json)) {
                    Some(json) => Self::Json(json),
                    None => Self::text(utf8().filter(is_text).or_else(|| declared().filter(is_text))),
                }
            }
            Kind::Text(charset) => Self::text(decode(body, charset).or_else(|| utf8().filter(is_text))),
            Kind::Unknown => match utf8().filter(is_text) {
                Some(text) if is_valid_json(&text) => Self::Json(text),
                text => Self::text(text),
            },
            Kind::File => Self::Bytes,
        }
    }

    fn text(text: Option<Cow<'a, str>>) -> Self {
        text.map_or(Self::Bytes, Self::Text)
    }
}

/// Whether the server asks clients to save the body instead of showing it (RFC 6266 §4.2).
fn is_attachment(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_DISPOSITION).is_some_and(|value| {
        value.as_bytes().get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"attachment"))
    })
}

/// The media type of a file, as the server names it.
fn content_type(headers: &HeaderMap) -> String {
    let named =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    named.unwrap_or("application/octet-stream").to_owned()
}

/// Whether a body is still compressed, because the caller's own `Accept-Encoding` asked for it.
fn is_compressed(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(',')).map(str::trim);
    codings.any(|coding| COMPRESSIONS.iter().any(|known| coding.eq_ignore_ascii_case(known)))
}

/// The body as text without its byte order mark, which overrides the declared encoding; `None` if the body is
/// not valid in the encoding.
fn decode<'a>(body: &'a [u8], declared: &'static Encoding) -> Option<Cow<'a, str>> {
    let (encoding, mark) = Encoding::for_bom(body).unwrap_or((declared, 0));
    encoding.decode_without_bom_handling_and_without_replacement(&body[mark..])
}

/// Whether a text is one JSON document.
///
/// The check builds no value and does not recurse. So it accepts any size, any depth and any number range.
fn is_valid_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A whole body, or the part that was read before the body exceeded the limit.
enum Body {
    Whole(Vec<u8>),
    TooLarge(Vec<u8>),
}

async fn read(rest: &mut ResponseBody, max_bytes: u64) -> Result<Body, BoxError> {
    if rest.announced().is_some_and(|announced| announced > max_bytes) {
        return Ok(Body::TooLarge(Vec::new()));
    }
    let mut body = rest.buffer();
    while let Some(chunk) = rest.try_next().await? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > max_bytes {
            return Ok(Body::TooLarge(body));
        }
    }
    Ok(Body::Whole(body))
}

fn too_large(host: &str, max_bytes: u64) -> Error {
    Error::new(
        ErrorKind::UpstreamTooLarge,
        format!("The response of {host} is larger than {max_bytes} bytes, the limit of this gateway."),
    )
    .fix("Ask for less at a time, read it with `responseType: 'stream'`, or let the operator raise `maxResponseBytes`.").advise(Advice::RaiseOption("maxResponseBytes"))
}

/// The headers that a caller gets: all except those of the connection.
fn returned(headers: &HeaderMap, method: Method) -> Headers {
    let named = named_by_connection(headers);
    let is_dropped = |name: &http::HeaderName| {
        // For HEAD, the length describes the body of a GET. It is information for the caller, not framing.
        is_hop_by_hop(name, &named) || (*name == CONTENT_LENGTH && method != Method::Head)
    };
    let names = headers.keys().filter(|name| !is_dropped(name));
    let lines = names.flat_map(|name| {
        headers.get_all(name).iter().map(|value| (name.as_str().to_owned(), text(value).into_owned()))
    });
    Headers(lines.collect())
}

/// A header value as text. A value that is not UTF-8 is decoded as Latin-1 (RFC 9110 §5.5).
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::mem::decode_latin1(value.as_bytes()),
    }
}

/// Whether a body arrived, but cannot be decompressed with the codings that the response names.
fn is_undecodable(error: &BoxError) -> bool {
    let error = error.downcast_ref::<DecodeError>();
    error.is_some_and(|error| !matches!(error, DecodeError::Expansion(_)))
}

fn cut_off(host: &str, error: BoxError) -> Error {
    match error.downcast_ref::<DecodeError>() {
        Some(DecodeError::Expansion(times)) => {
            let message = format!(
                "The response of {host} grows to more than {times} times its size when it is decompressed, beyond the \
                 first MiB. This gateway takes no more."
            );
            Error::new(ErrorKind::UpstreamTooLarge, message).fix(
                "Set `Accept-Encoding: identity` to get it uncompressed, or let the operator raise `maxExpansion`.",
            ).advise(Advice::RaiseOption("maxExpansion"))
        }
        Some(undecodable) => {
            broken(host, &format!("sent a response that cannot be decompressed: {undecodable}"), "")
        }
        // If the request body failed first, its error is the cause, and the upstream is not to blame.
        None => error
            .downcast::<Error>()
            .map_or_else(|_| broken(host, "broke off in the middle of its response", ""), |of_body| *of_body),
    }
}

fn broken(host: &str, what: &str, advice: &str) -> Error {
    let fix = "Whether the request was carried out is not known. Check before sending a write again.";
    Error::new(ErrorKind::UpstreamBroken, format!("{host} {what}.")).fix(format!("{fix}{advice}"))
}

#[cfg(test)]
mod tests {
    use encoding_rs::WINDOWS_1252;

    use super::*;

    fn kind(content_type: &'static str) -> &'static str {
        let value = HeaderValue::from_bytes(content_type.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
        match Kind::of(&headers) {
            Kind::Json(_) => "json",
            Kind::Text(_) => "text",
            Kind::Unknown => "unknown",
            Kind::File => "file",
        }
    }

    #[test]
    fn the_kind_follows_from_the_content_type() {
        for (content_type, expected) in [
            ("application/json; charset=utf-8", "json"),
            ("application/problem+json", "json"),
            ("application/json; charset", "json"),
            ("application/json; profile=http://x", "json"),
            ("application/json, application/json", "json"),
            ("application/vnd.api+json;ext=\"http://x", "json"),
            ("text/csv ; header=present; x=\u{e9}", "text"),
            ("application/pdf; name=a b.pdf", "file"),
            ("text/html", "text"),
            ("image/svg+xml", "text"),
            ("application/xml", "text"),
            ("application/x-ndjson", "text"),
            ("application/vnd.github.v3.diff; charset=utf-8", "file"),
            ("application/pdf", "file"),
            ("image/png", "file"),
            ("application/octet-stream", "file"),
            ("nonsense", "file"),
            ("", "unknown"),
        ] {
            assert_eq!(kind(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn json_of_any_depth_and_range_is_valid() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        for text in [deep.as_str(), "1e400", r#""\ud800""#, " {} ", "12345678901234567890"] {
            assert!(is_valid_json(text));
        }
        for text in ["", "{", "{}x", "NaN", "'a'", "{\"a\":1,}", "\"\u{1}\""] {
            assert!(!is_valid_json(text), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(decode(b"\xef\xbb\xbf{}", UTF_8).unwrap(), "{}");
        assert_eq!(decode(b"\xff\xfe{\0}\0", UTF_8).unwrap(), "{}");
        assert_eq!(decode(b"caf\xe9", UTF_8), None);
        assert_eq!(decode(b"caf\xe9", WINDOWS_1252).unwrap(), "caf\u{e9}");
    }

    #[test]
    fn framing_is_dropped_and_repeats_stay() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("link", "<a>"),
            ("link", "<b>"),
            ("set-cookie", "a=1; Expires=Wed, 21 Oct"),
            ("set-cookie", "b=2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        let shown = returned(&headers, Method::Get);
        assert_eq!(
            shown.0,
            [
                ("link", "<a>"),
                ("link", "<b>"),
                ("set-cookie", "a=1; Expires=Wed, 21 Oct"),
                ("set-cookie", "b=2"),
                ("x-latin", "caf\u{e9}"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(returned(&headers, Method::Head).get("content-length"), Some("5"));
    }
}
