//! Files, by the signed URLs in the responses of calls. Every client that has the URL can read the file.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use proxy_execute_protocol::{Error, ErrorKind};
use url::Url;

use super::reply::{Failure, RequestId};
use proxy_execute_gateway::Gateway;
use proxy_execute_gateway::files::{NoSuchRange, OpenFile, PartRequest};

/// How long a reader may read none of a file, because only a few files may be open at once.
///
/// The limit is longer than that for a request's pause, because the system takes its buffer for a slow reader
/// in large pieces.
const PAUSE: Duration = Duration::from_secs(120);

/// Sends the whole file, or the requested range.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    request_id: RequestId,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // Ranges are defined for GET only (RFC 9110 §14.2).
    let part = part_of(&headers).filter(|_| method == Method::GET);
    let found = gateway.run(async {
        let url = uri.path_and_query().and_then(|asked| Url::parse(&format!("http://gateway{asked}")).ok());
        let url =
            url.ok_or_else(|| Error::new(ErrorKind::InvalidRequest, "The path cannot be part of a URL."))?;
        gateway.files.read(&url, part).await
    });
    match found.await {
        Ok(Ok(file)) => Ok(served(&gateway, file)),
        Ok(Err(NoSuchRange(size))) => {
            let size = HeaderValue::try_from(format!("bytes */{size}")).expect("digits are ASCII");
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, size)]).into_response())
        }
        Err(error) => Err(Failure::new(error, request_id)),
    }
}

/// The part that a request asks for. If a header appears twice, both lines are ignored.
fn part_of(headers: &HeaderMap) -> Option<PartRequest<'_>> {
    let only = |name| {
        let mut lines = headers.get_all(name).iter();
        lines.next().filter(|_| lines.next().is_none()).map(|line| line.to_str().unwrap_or_default())
    };
    let if_range = headers.contains_key(header::IF_RANGE).then(|| only(header::IF_RANGE).unwrap_or_default());
    Some(PartRequest { range: only(header::RANGE)?, if_range })
}

/// Makes the response for a file. A browser must save the file: its content is foreign, and on this origin.
fn served(gateway: &Gateway, OpenFile { content_type, etag, size, part, body }: OpenFile) -> Response {
    let body = Body::from_stream(gateway.until_closed(body, PAUSE));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let text = |text: String| HeaderValue::try_from(text).ok();
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    let content_range = part.as_ref().map(|part| format!("bytes {}-{}/{size}", part.start, part.end - 1));
    for (name, value) in [
        (header::CONTENT_TYPE, text(content_type)),
        (header::CONTENT_LENGTH, Some(length.into())),
        (header::ETAG, text(etag)),
        (header::CONTENT_DISPOSITION, Some(HeaderValue::from_static("attachment"))),
        (header::X_CONTENT_TYPE_OPTIONS, Some(HeaderValue::from_static("nosniff"))),
        (header::ACCEPT_RANGES, Some(HeaderValue::from_static("bytes"))),
        (header::CACHE_CONTROL, Some(HeaderValue::from_static("private, no-store"))),
        (header::CONTENT_RANGE, content_range.and_then(text)),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::extract::Request;
    use futures::stream::repeat;
    use futures::{StreamExt, TryStreamExt};
    use proxy_execute_protocol::ByteStream;
    use tokio::time::{Instant, sleep};
    use tower::ServiceExt;

    use super::*;
    use proxy_execute_gateway::{FilesOptions, GatewayOptions};

    #[tokio::test]
    async fn a_stalled_reader_does_not_block_others() {
        let files = FilesOptions { max_open: Some(1), ..FilesOptions::default() };
        let gateway = Gateway::open(GatewayOptions { files, ..GatewayOptions::default() }).await.unwrap();
        let mebibyte = Bytes::from_static(&[b'x'; 1024 * 1024]);
        let body = ByteStream::new(repeat(mebibyte).take(8).map(Ok));
        let kept = gateway.files.keep(body, "text/plain", "http://gateway", None).await.unwrap();
        let read = async || {
            let request = Request::get(kept.url.as_str()).body(Body::empty()).unwrap();
            super::super::router(None).with_state(gateway.clone()).oneshot(request).await.unwrap()
        };
        tokio::time::pause();
        let mut stalled = read().await.into_body().into_data_stream();
        // A slow reader is not interrupted.
        for _ in 0..3 {
            sleep(PAUSE - Duration::from_secs(1)).await;
            stalled.try_next().await.unwrap().unwrap();
        }
        let stopped = Instant::now();
        assert_eq!(read().await.status(), StatusCode::INSUFFICIENT_STORAGE);
        while read().await.status() != StatusCode::OK {
            sleep(Duration::from_secs(1)).await;
            assert!(stopped.elapsed() < 2 * PAUSE, "it is still open");
        }
        assert!(stopped.elapsed() >= PAUSE - Duration::from_secs(1), "{:?}", stopped.elapsed());
        assert!(stalled.try_fold(0, async |size, chunk| Ok(size + chunk.len())).await.is_err());
    }
}
