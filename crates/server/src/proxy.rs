//! The two proxy endpoints (`docs/wire.md`). Two features exist only in a gateway of this project: a
//! body of bytes beside the request, and a streamed response.

use std::future::{self, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream::once;
use futures::{Stream, StreamExt, TryStreamExt};
use multer::{Field, Multipart};
use proxy_execute_protocol::{
    ByteStream, Envelope, Error, ErrorKind, ProxyRequest, Result, SessionProxyRequest, StreamedHead,
    ToolsProxyRequest, read_json,
};
use tokio::time::timeout;

use super::caller::Caller;
use super::openapi::{Errors, UpstreamErrors};
use super::reply::{
    Failure, MAX_REQUEST_BYTES, Named, PAUSE, arrive_by, gather, in_time, read_bytes, stalled, too_large,
};

/// Requests a streamed response (`stream`), or the response's text as `data` (`text`).
const RESPONSE_TYPE: &str = "x-proxy-execute-response";

/// Upper limit for the bytes of a form before the content of a part. They are the part's headers; for the
/// first part, the preamble of the form as well.
///
/// All of these bytes are in memory, and are searched each time more arrive.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// A line of JSON, the [`StreamedHead`], and then the bytes of the API's response.
const STREAM: HeaderValue = HeaderValue::from_static("application/vnd.proxy-execute.stream");

/// Calls an endpoint of a toolkit as the session's user.
#[utoipa::path(post, path = "/tool_router/session/{id}/proxy_execute", operation_id = "proxyExecuteInSession", tag = "proxy",
    params(("id" = String, Path)),
    request_body = SessionProxyRequest,
    responses((status = 200, body = Envelope,
        description = "The third-party API's response, whatever its status."), Errors, UpstreamErrors))]
pub(super) async fn in_session(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    answer(caller, Some(id), request).await
}

/// Calls an endpoint with a named account, or with credentials given in the call.
#[utoipa::path(post, path = "/tools/execute/proxy", operation_id = "proxyExecute", tag = "proxy",
    request_body = ToolsProxyRequest,
    responses((status = 200, body = Envelope,
        description = "The third-party API's response, whatever its status."), Errors, UpstreamErrors))]
pub(super) async fn with_account(caller: Caller, request: Request) -> Result<Response, Failure> {
    answer(caller, None, request).await
}

async fn answer(caller: Caller, session_id: Option<String>, request: Request) -> Result<Response, Failure> {
    let response_type = response_type(request.headers());
    let origin = caller.origin();
    caller
        .calling(|gateway| async move {
            let response_type = response_type?;
            let data_as_text = response_type == ResponseType::Text;
            let request = ProxyRequest { data_as_text, ..read_call(request).await? };
            Ok(if response_type == ResponseType::Stream {
                stream(gateway.proxy.stream(session_id.as_deref(), request, origin).await?)
            } else {
                let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let envelope = gateway.proxy.execute(session_id.as_deref(), request, origin).await?;
                ([json], envelope.into_text()).into_response()
            })
        })
        .await
}

#[derive(PartialEq, Eq)]
enum ResponseType {
    Json,
    Text,
    Stream,
}

fn response_type(headers: &HeaderMap) -> Result<ResponseType> {
    match headers.get(RESPONSE_TYPE).map(HeaderValue::as_bytes) {
        None => Ok(ResponseType::Json),
        Some(b"text") => Ok(ResponseType::Text),
        Some(b"stream") => Ok(ResponseType::Stream),
        Some(_) => {
            let message = format!("{RESPONSE_TYPE}: takes `text` or `stream`.");
            Err(Error::of_field(ErrorKind::InvalidRequest, RESPONSE_TYPE, message))
        }
    }
}

fn stream((head, body): (StreamedHead, ByteStream)) -> Response {
    let head = Bytes::from(Envelope::head(&head).into_text() + "\n");
    let body = once(async { Ok(head) }).chain(body);
    ([(header::CONTENT_TYPE, STREAM)], Body::from_stream(body)).into_response()
}

/// Reads a call, as JSON or as a form of two parts.
///
/// The parts are `request` with the same JSON, and `body` with bytes, which are streamed.
async fn read_call(request: Request) -> Result<ProxyRequest> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Ok(boundary) = multer::parse_boundary(content_type.unwrap_or_default()) else {
        return read_json(&read_bytes(request, MAX_REQUEST_BYTES, too_large).await?);
    };
    // Forms are rare. The box keeps the large future of a form out of the future of every other call.
    Box::pin(read_form(request, boundary)).await
}

async fn read_form(request: Request, boundary: String) -> Result<ProxyRequest> {
    let arrive_by = arrive_by(&request);
    let came = Arc::<AtomicU64>::default();
    let body = ReadToTheEnd { rest: Some(request.into_body().into_data_stream()), came: Arc::clone(&came) };
    let mut parts = Multipart::new(body, boundary);
    // The bytes of the body may take longer, because the upload has its own limits.
    let (mut call, bytes) = in_time(arrive_by, async {
        let json = part(&mut parts, &came, "request").await?;
        let call: ProxyRequest =
            read_json(&gather(json.map_err(broken_off), MAX_REQUEST_BYTES, too_large).await?)?;
        Ok((call, part(&mut parts, &came, "body").await?))
    })
    .await?;
    let body = call.binary_body.get_or_insert_default();
    if body.content_type.is_none() {
        body.content_type = bytes.content_type().map(ToString::to_string);
    }
    body.stream = Some(ByteStream::new(bytes.map_err(broken_off)));
    Ok(call)
}

impl ReadToTheEnd {
    /// The body of a request, for a reader that may stop before its end.
    pub(super) fn of(body: Body) -> Self {
        Self { rest: Some(body.into_data_stream()), came: Arc::default() }
    }
}

/// A request's body. The rest of it is read even if the gateway does not use it.
///
/// Otherwise a client that is still sending would find its connection closed, and would not see the response
/// that says why.
pub(super) struct ReadToTheEnd {
    rest: Option<BodyDataStream>,
    /// The number of bytes that were read.
    came: Arc<AtomicU64>,
}

impl Stream for ReadToTheEnd {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.rest else { return Poll::Ready(None) };
        let next = ready!(body.poll_next_unpin(context));
        match &next {
            Some(Ok(chunk)) => _ = self.came.fetch_add(chunk.len() as u64, Ordering::Relaxed),
            _ => self.rest = None,
        }
        Poll::Ready(next)
    }
}

impl Drop for ReadToTheEnd {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take() {
            let read = rest.take_while(|chunk| future::ready(chunk.is_ok())).for_each(|_| future::ready(()));
            // By then the client has the response. It either hangs up or does not read.
            tokio::spawn(timeout(Duration::from_secs(5), read));
        }
    }
}

/// Reads the next part, which must have this name.
///
/// The bytes before its content are limited in size, and so is each pause between them.
async fn part<'a>(parts: &mut Multipart<'a>, came: &AtomicU64, name: &str) -> Result<Field<'a>> {
    let before = came.load(Ordering::Relaxed);
    let mut seen = before;
    let part = loop {
        // This step ends with the part, or when more bytes have arrived without completing the part.
        let step = poll_fn(|context| match parts.poll_next_field(context) {
            Poll::Pending if came.load(Ordering::Relaxed) > seen => Poll::Ready(None),
            part => part.map(Some),
        });
        if let Some(part) = timeout(PAUSE, step).await.map_err(|_| stalled())? {
            break part.map_err(broken_off)?;
        }
        seen = came.load(Ordering::Relaxed);
        if seen - before > MAX_HEAD_BYTES {
            let message = format!("The form has more than 64 KiB before the content of its part `{name}`.");
            return Err(Error::new(ErrorKind::PayloadTooLarge, message)
                .fix("Begin the form with its first part, and give a part no headers but those it needs."));
        }
    };
    part.filter(|part| part.name() == Some(name)).ok_or_else(|| {
        let message = "A form has two parts: `request`, which is JSON, and then `body`.";
        Error::of_field(ErrorKind::InvalidRequest, "request", message)
    })
}

fn broken_off(error: multer::Error) -> Error {
    Error::new(ErrorKind::UploadBroken, format!("The form of the request is broken or was cut off: {error}."))
}

#[cfg(test)]
mod tests {
    use futures::stream::{iter, pending};

    use super::*;

    const REQUEST: &str = "--b\r\ncontent-disposition: form-data; name=\"request\"\r\n\r\n\
        {\"endpoint\":\"/\",\"method\":\"POST\"}\r\n--b\r\n";
    const BODY: &str = "content-disposition: form-data; name=\"body\"\r\n\r\n";

    /// Reads a form that arrives in these chunks, each a second before the pause would end, and then stalls.
    async fn read_stalling(chunks: &[&'static str]) -> Result<ProxyRequest> {
        let chunks = iter(chunks.to_vec()).then(async |chunk| {
            tokio::time::sleep(PAUSE - Duration::from_secs(1)).await;
            Ok::<_, std::convert::Infallible>(chunk)
        });
        let request = Request::new(Body::from_stream(chunks.chain(pending())));
        timeout(10 * PAUSE, read_form(request, "b".to_owned())).await.expect("it is not waited for")
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_stalls_before_its_body_times_out() {
        let (first, last) = REQUEST.split_at(20);
        for chunks in [&[][..], &["preamble"], &[first], &["preamble", "\r\n", first, last]] {
            let error = read_stalling(chunks).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.to_string().contains("for 30 s"), "{error}");
        }
        // The body has its own limit for pauses.
        let call = read_stalling(&["preamble", "\r\n", first, last, BODY]).await.unwrap();
        let mut body = call.binary_body.and_then(|body| body.stream).unwrap();
        assert!(timeout(2 * PAUSE, body.next()).await.is_err());
    }
}
