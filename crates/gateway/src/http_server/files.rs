//! Files, by the signed URLs that answers have named them with. Whoever has the URL has the file.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use proxy_execute_protocol::{Error, ErrorKind};
use url::Url;

use super::reply::{Failure, RequestId};
use crate::files::{NoSuchRange, OpenFile};
use crate::gateway::Gateway;

/// All of a file, or the range that is asked for.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    request_id: RequestId,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let found = gateway.run(async {
        let url = uri.path_and_query().and_then(|asked| Url::parse(&format!("http://gateway{asked}")).ok());
        let url =
            url.ok_or_else(|| Error::new(ErrorKind::InvalidRequest, "The path is not one of a URL."))?;
        gateway.parts().files.read(&url, range).await
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

/// A browser must save it, whatever it is: it is somebody else's, and on this origin.
fn served(gateway: &Gateway, OpenFile { content_type, size, part, body }: OpenFile) -> Response {
    let body = Body::from_stream(gateway.parts().until_closed(body, None));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let text = |text: String| HeaderValue::try_from(text).ok();
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    let content_range = part.as_ref().map(|part| format!("bytes {}-{}/{size}", part.start, part.end - 1));
    for (name, value) in [
        (header::CONTENT_TYPE, text(content_type)),
        (header::CONTENT_LENGTH, Some(length.into())),
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
