//! The upstream's answer, verbatim: status, headers and data.
//!
//! What `data` is follows from the content type, then from the content (`docs/answers.md`):
//! 1. no body: null;
//! 2. what is sent as an attachment, and what is still compressed: a file;
//! 3. a JSON media type: the upstream's own bytes, which must be JSON;
//! 4. a text media type, or one that is text by nature (XML, JavaScript, forms …): a string, if it
//!    is text in its charset;
//! 5. no content type: JSON if it is, else a string if it is UTF-8 without NUL;
//! 6. anything else: a file.
//!
//! JSON and text are read here; a file is handed on as it comes, and so is any answer that the
//! caller wants as a stream.

use std::borrow::Cow;
use std::future::ready;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use futures::stream::once;
use futures::{Stream, StreamExt, TryStreamExt};
use http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, SET_COOKIE,
};
use proxy_execute_protocol::{
    ByteStream, Envelope, Error, ErrorKind, Headers, Method, Result, StreamedAnswer,
};
use proxy_execute_transport::{BoxError, DecodeError, ResponseBody};
use serde::de::IgnoredAny;

use crate::egress::Response;
use crate::record::CallInProgress;
use crate::request::{is_hop_by_hop, is_json, media_type, named_by_connection};

/// Media types below `application/` that are text.
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

/// Codings that make other bytes of a body. Where one is still named, the egress did not undo it.
const COMPRESSIONS: &[&str] = &["br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd"];

/// An answer, as far as it is read here.
pub(crate) enum Answer {
    /// All of it.
    Whole(Envelope),
    /// Its head; the body is a file.
    File(File),
}

/// A file that is on its way.
pub(crate) struct File {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) content_type: String,
    pub(crate) body: ByteStream,
}

/// Reads JSON and text to their end and wraps them.
///
/// # Errors
/// `UpstreamBroken` and `UpstreamTooLarge`.
pub(crate) async fn receive(
    mut response: Response,
    method: Method,
    max_bytes: u64,
    record: &mut CallInProgress,
) -> Result<Answer> {
    let status = response.status.as_u16();
    let headers = returned(&response.headers, method);
    let content_type = content_type(&response.headers);
    let kind = Kind::of(&response.headers);
    let file = |body| Answer::File(File { status, headers: headers.clone(), content_type, body });

    if matches!(kind, Kind::File) {
        // An empty file is no body, as with any other type.
        let first = response.body.try_next().await.map_err(|error| cut_off(&response.host, error))?;
        return Ok(match first {
            None => Answer::Whole(Envelope::without_data(status, &headers)),
            Some(first) => file(ByteStream::new(once(ready(Ok(first))).chain(body_of(response)))),
        });
    }
    let host = response.host;
    let body = read(response.body, max_bytes, &host).await?;
    record.received(body.len() as u64);
    if body.is_empty() {
        return Ok(Answer::Whole(Envelope::without_data(status, &headers)));
    }
    let text = match kind {
        Kind::Json(encoding) | Kind::Text(encoding) => decode(&body, encoding),
        Kind::Unknown | Kind::File => decode(&body, UTF_8).filter(|text| !text.contains('\0')),
    };
    let is_json = !matches!(kind, Kind::Text(_)) && text.as_deref().is_some_and(is_valid_json);
    match (kind, text) {
        (_, Some(json)) if is_json => Ok(Answer::Whole(Envelope::around_json(status, &headers, &json))),
        (Kind::Json(_), _) => {
            Err(broken(&host, &format!("says that its answer (status {status}) is JSON, but it is not")))
        }
        (_, Some(text)) => Ok(Answer::Whole(Envelope::around_text(status, &headers, &text))),
        // As text in a wrong charset, bytes would be lost; in a file none is.
        (_, None) => Ok(file(ByteStream::whole(body.into()))),
    }
}

/// The head of an answer, and its body as it comes.
pub(crate) fn stream(response: Response, method: Method) -> StreamedAnswer {
    let head = Envelope::head(response.status.as_u16(), &returned(&response.headers, method));
    StreamedAnswer { head, body: ByteStream::new(body_of(response)) }
}

/// The body of an answer, decompressed; cut off in the middle, it ends with an error.
fn body_of(response: Response) -> impl Stream<Item = Result<Bytes>> {
    let Response { host, body, .. } = response;
    body.map_err(move |error| cut_off(&host, error))
}

/// What a body is, as far as the headers tell.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Json(&'static Encoding),
    Text(&'static Encoding),
    Unknown,
    File,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        let attachment = headers.get(CONTENT_DISPOSITION).is_some_and(|value| {
            value.as_bytes().get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"attachment"))
        });
        if attachment || is_compressed(headers) {
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

/// The media type of a file, as its server names it.
fn content_type(headers: &HeaderMap) -> String {
    let named =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    named.unwrap_or("application/octet-stream").to_owned()
}

/// Whether a body is still compressed, which a caller's own `Accept-Encoding` asked for.
fn is_compressed(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(',')).map(str::trim);
    codings.any(|coding| COMPRESSIONS.iter().any(|known| coding.eq_ignore_ascii_case(known)))
}

/// The body as text without its byte order mark, which outranks the declared encoding; `None` when
/// it is not valid in it.
fn decode<'a>(body: &'a [u8], declared: &'static Encoding) -> Option<Cow<'a, str>> {
    let (encoding, mark) = Encoding::for_bom(body).unwrap_or((declared, 0));
    encoding.decode_without_bom_handling_and_without_replacement(&body[mark..])
}

/// Whether a text is one JSON document. Nothing is built, and nothing recurses, so size, depth and
/// the range of numbers do not matter.
fn is_valid_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

async fn read(rest: ResponseBody, max_bytes: u64, host: &str) -> Result<Vec<u8>> {
    let mut rest = rest.without_expansion_limit();
    let too_large = || {
        Error::new(
            ErrorKind::UpstreamTooLarge,
            format!("The answer of {host} is larger than {max_bytes} bytes, the most this gateway takes."),
        )
        .fix("Ask for less at a time, read it with `responseType: 'stream'`, or let the operator raise `maxResponseBytes`.")
    };
    if rest.announced().is_some_and(|announced| announced > max_bytes) {
        return Err(too_large());
    }
    let mut body = rest.buffer();
    while let Some(chunk) = rest.try_next().await.map_err(|error| cut_off(host, error))? {
        if (body.len() + chunk.len()) as u64 > max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The headers that a caller gets: all but those of the connection. Repeats are joined with a
/// comma, `Set-Cookie`, whose values have commas in them, with a line break.
fn returned(headers: &HeaderMap, method: Method) -> Headers {
    let named = named_by_connection(headers);
    let is_dropped = |name: &http::HeaderName| {
        // The length of what a GET would have brought is information, not framing.
        is_hop_by_hop(name, &named) || (*name == CONTENT_LENGTH && method != Method::Head)
    };
    let names = headers.keys().filter(|name| !is_dropped(name));
    let joined = names.map(|name| {
        let separator = if *name == SET_COOKIE { "\n" } else { ", " };
        let mut values = headers.get_all(name).iter().map(text);
        let mut joined = values.next().unwrap_or_default().into_owned();
        values.for_each(|value| joined.extend([separator, &value]));
        (name.as_str().to_owned(), joined)
    });
    Headers(joined.collect())
}

/// A header value as text; bytes outside UTF-8 are taken as Latin-1 (RFC 9110 §5.5).
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::mem::decode_latin1(value.as_bytes()),
    }
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
            )
        }
        Some(undecodable) => {
            broken(host, &format!("sent a response that cannot be decompressed: {undecodable}"))
        }
        // If the request's body broke off first, that is why, and the upstream is not to blame.
        None => error
            .downcast::<Error>()
            .map_or_else(|_| broken(host, "broke off in the middle of its answer"), |of_body| *of_body),
    }
}

fn broken(host: &str, what: &str) -> Error {
    Error::new(ErrorKind::UpstreamBroken, format!("{host} {what}."))
        .fix("Whether the request was carried out is not known. Check before sending a write again.")
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
    fn an_attachment_is_a_file_whatever_its_type() {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("text/csv")),
            (CONTENT_DISPOSITION, HeaderValue::from_static("Attachment; filename=a.csv")),
        ]);
        assert!(matches!(Kind::of(&headers), Kind::File));
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
    fn framing_is_dropped_and_repeats_are_joined() {
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
            [("link", "<a>, <b>"), ("set-cookie", "a=1; Expires=Wed, 21 Oct\nb=2"), ("x-latin", "caf\u{e9}")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(returned(&headers, Method::Head).get("content-length"), Some("5"));
    }
}
