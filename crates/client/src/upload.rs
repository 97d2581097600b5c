//! Sends the bytes that a call uploads. A gateway gets them as a stream. The hosted backend gets them inside
//! the request, up to its limit.

use std::future::ready;

use bytes::Bytes;
use data_encoding::BASE64;
use futures::stream::once;
use futures::{StreamExt, TryStreamExt};
use http::header::HeaderValue;
use proxy_execute_protocol::{ByteStream, Error, ErrorKind, ProxyRequest, Result};

use crate::attempt::Body;

/// Upper limit for bytes inside a request to the hosted backend.
const MAX_BASE64_BYTES: usize = 4 * 1024 * 1024;

/// Builds a form of two parts, `request` and `body` (`docs/wire.md`).
pub(crate) fn form(request: &[u8], bytes: ByteStream) -> Body {
    // The boundary is so long that a body does not contain it by chance.
    let boundary = format!("proxy-execute-{:032x}", fastrand::u128(..));
    let before = [
        format!("--{boundary}\r\ncontent-disposition: form-data; name=\"request\"\r\ncontent-type: application/json\r\n\r\n").as_bytes(),
        request,
        format!("\r\n--{boundary}\r\ncontent-disposition: form-data; name=\"body\"; filename=\"body\"\r\n\r\n").as_bytes(),
    ]
    .concat();
    let after = format!("\r\n--{boundary}--\r\n");
    let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"));
    let part = |bytes: Bytes| once(ready(Ok(bytes)));
    Body::Once {
        content_type: content_type.expect("a boundary is ASCII"),
        bytes: ByteStream::new(part(before.into()).chain(bytes).chain(part(after.into()))),
    }
}

/// Reads the bytes into the request.
///
/// # Errors
/// `NeedsGateway` if the bytes exceed the limit. The request was not sent.
pub(crate) async fn into_base64(request: &mut ProxyRequest, mut bytes: ByteStream) -> Result<()> {
    let mut all = Vec::new();
    while let Some(chunk) = bytes.try_next().await? {
        all.extend_from_slice(&chunk);
        if all.len() > MAX_BASE64_BYTES {
            return Err(Error::new(
                ErrorKind::NeedsGateway,
                "binaryBody: the backend accepts at most 4 MiB of bytes in a call; a gateway of this package accepts more.",
            )
            .fix("Put the bytes where the backend can fetch them, and pass `binaryBody: { url }`."));
        }
    }
    if let Some(body) = &mut request.binary_body {
        body.size = None;
        body.base64 = Some(BASE64.encode(&all));
    }
    Ok(())
}
