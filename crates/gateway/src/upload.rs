//! The bytes that a call uploads: given in the call, fetched from a URL, or streamed.

use bytes::Bytes;
use data_encoding::BASE64;
use futures::TryStreamExt;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use proxy_execute_protocol::{Advice, BinaryBody, ByteStream, Error, ErrorKind, Result};
use url::Url;

use crate::egress::{Egress, UpstreamBody};
use crate::header::header_value;
use crate::limits::Limits;
use crate::stream::Bounds;

/// Upper limit for the decoded base64 form, the same as that of the hosted backend.
const MAX_BASE64_BYTES: usize = 4 * 1024 * 1024;

/// Returns the bytes that a call itself holds, and sets the content type if the caller's headers do not.
///
/// # Errors
/// `InvalidRequest` or `PayloadTooLarge`.
pub(crate) fn held(binary: &BinaryBody, headers: &mut HeaderMap) -> Result<Bytes> {
    let bytes = match (&binary.base64, &binary.text) {
        (Some(text), None) => decode(text)?,
        (None, Some(text)) => Bytes::copy_from_slice(text.as_bytes()),
        _ => return Err(not_one_source()),
    };
    describe(binary.content_type.as_deref(), None, headers)?;
    Ok(bytes)
}

/// Opens a binary body from outside the call, and sets the content type if the caller's headers do not.
///
/// # Errors
/// `InvalidRequest` or `PayloadTooLarge`. For the URL of a body: `AddressRefused` or `SourceUnusable`. The
/// gateway has sent nothing to the upstream at that time.
pub(crate) async fn open(
    egress: &Egress,
    limits: &Limits,
    binary: BinaryBody,
    headers: &mut HeaderMap,
) -> Result<UpstreamBody> {
    let BinaryBody { url, base64: None, text: None, content_type, size, stream } = binary else {
        return Err(not_one_source());
    };
    let (body, found) = match (url, stream) {
        (Some(url), None) => fetch(egress, limits, &url).await?,
        (None, Some(stream)) => (given_stream(limits, stream, size)?, None),
        _ => return Err(not_one_source()),
    };
    describe(content_type.as_deref(), found, headers)?;
    Ok(body)
}

fn not_one_source() -> Error {
    Error::of_field(
        ErrorKind::InvalidRequest,
        "binary_body",
        "binary_body: needs exactly one of `url`, `base64`, `text` and a stream.",
    )
}

/// Sets the content type if the caller's headers do not: the one of the binary body, or of its source.
fn describe(given: Option<&str>, found: Option<HeaderValue>, headers: &mut HeaderMap) -> Result<()> {
    let given = given.map(content_type_of).transpose()?;
    if !headers.contains_key(CONTENT_TYPE) {
        let standard = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, given.or(found).unwrap_or(standard));
    }
    Ok(())
}

fn content_type_of(text: &str) -> Result<HeaderValue> {
    header_value(text).filter(|value| !value.is_empty()).ok_or_else(|| {
        Error::of_field(
            ErrorKind::InvalidRequest,
            "binary_body.content_type",
            "binary_body.content_type: is not a media type.",
        )
    })
}

fn decode(text: &str) -> Result<Bytes> {
    if text.len() > BASE64.encode_len(MAX_BASE64_BYTES) {
        return Err(too_much_base64());
    }
    let bytes = BASE64.decode(text.as_bytes()).map_err(|error| {
        let message = format!("binary_body.base64: is not base64 ({}).", error.kind);
        Error::of_field(ErrorKind::InvalidRequest, "binary_body.base64", message)
    })?;
    if bytes.len() > MAX_BASE64_BYTES {
        return Err(too_much_base64());
    }
    Ok(bytes.into())
}

fn too_much_base64() -> Error {
    let message = "binary_body.base64 holds more than 4 MiB, the limit of this form.";
    Error::new(ErrorKind::PayloadTooLarge, message)
        .fix("Name the URL of the bytes with `url`, or send them as a stream.")
}

/// Requests a URL, and returns its bytes as a stream after the head of the response.
async fn fetch(egress: &Egress, limits: &Limits, url: &str) -> Result<(UpstreamBody, Option<HeaderValue>)> {
    let url = Url::parse(url)
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
        Error::of_field(
            ErrorKind::InvalidRequest,
            "binary_body.url",
            "binary_body.url: is not a URL of http or https.",
        )
    })?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let fetching = tokio::time::timeout(limits.upstream_timeout, egress.fetch(url));
    let response = fetching.await.unwrap_or_else(|_| {
        Err(unusable(&host, &format!("did not respond within {:?}", limits.upstream_timeout)))
    })?;
    let size = response.body.announced();
    if size.is_some_and(|size| size > limits.max_upload_bytes) {
        return Err(too_large(limits.max_upload_bytes));
    }
    let content_type = response.headers.get(CONTENT_TYPE).cloned();
    let cut_off = unusable(&host, "broke off before its last byte");
    let bounds = Bounds {
        pause: limits.chunk_timeout,
        stalled: unusable(&host, &format!("stalled: no data for {:?}", limits.chunk_timeout)),
        size: size.map(|size| (size, cut_off.clone())),
        most: Some((limits.max_upload_bytes, too_large(limits.max_upload_bytes))),
    };
    let bytes = response.body.map_err(move |_| cut_off.clone());
    Ok((UpstreamBody::Stream { size, bytes: bounds.hold(ByteStream::new(bytes)) }, content_type))
}

/// A stream that the caller supplies.
fn given_stream(limits: &Limits, stream: ByteStream, size: Option<u64>) -> Result<UpstreamBody> {
    let most = limits.max_upload_bytes;
    if size.is_some_and(|size| size > most) {
        return Err(too_large(most));
    }
    let bounds = Bounds {
        pause: limits.chunk_timeout,
        stalled: broken(format!("The request body stalled: no data for {:?}.", limits.chunk_timeout)),
        size: size.map(|size| {
            (size, broken(format!("The body does not have the {size} bytes that were announced.")))
        }),
        most: Some((most, too_large(most))),
    };
    // An empty chunk would end a chunked body.
    let bytes = stream.try_filter(|chunk| std::future::ready(!chunk.is_empty()));
    Ok(UpstreamBody::Stream { size, bytes: bounds.hold(ByteStream::new(bytes)) })
}

fn too_large(most: u64) -> Error {
    Error::new(
        ErrorKind::PayloadTooLarge,
        format!("The body is larger than {most} bytes, the limit of this gateway."),
    )
    .fix("Send less in one call, or let the operator raise `maxUploadBytes`.")
    .advise(Advice::RaiseOption("maxUploadBytes"))
}

fn broken(message: String) -> Error {
    Error::new(ErrorKind::UploadBroken, message)
        .fix("The request was cut off. Whether the API acts on the part that it got is not known.")
}

fn unusable(host: &str, what: &str) -> Error {
    Error::new(ErrorKind::SourceUnusable, format!("binary_body.url: {host} {what}."))
        .fix("Check that the URL can be read without signing in, and try again.")
}
