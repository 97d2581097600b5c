//! The two proxy endpoints (contract §3), and two things that only a gateway of this project has
//! (`docs/wire.md`): a body of bytes beside the request, and an answer that is handed on as it comes.

use std::future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream::once;
use futures::{Stream, StreamExt, TryStreamExt};
use multer::{Field, Multipart};
use proxy_execute_protocol::{ByteStream, Error, ErrorKind, ProxyRequest, Result, StreamedAnswer, read_json};

use super::asked::Asked;
use super::openapi::{Errors, UpstreamErrors, schema};
use super::reply::{Failure, Named, gather, read};
use crate::proxy;

/// Asks for the answer as it comes, with the value `stream`.
const RESPONSE_TYPE: &str = "x-proxy-execute-response";

/// A line of JSON, `{ status, headers }`, and then the bytes of the API's answer.
const STREAM: HeaderValue = HeaderValue::from_static("application/vnd.proxy-execute.stream");

/// Calls an endpoint of a toolkit as the session's user.
#[utoipa::path(post, path = "/tool_router/session/{id}/proxy_execute", tag = "proxy",
    params(("id" = String, Path)),
    request_body = schema::SessionProxyRequest,
    responses((status = 200, body = schema::Envelope), Errors, UpstreamErrors))]
pub(super) async fn in_session(
    asked: Asked,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    answer(asked, Some(id), request).await
}

/// Calls an endpoint with a named account, or with credentials given in the call.
#[utoipa::path(post, path = "/tools/execute/proxy", tag = "proxy",
    request_body = schema::ToolsProxyRequest,
    responses((status = 200, body = schema::Envelope), Errors, UpstreamErrors))]
pub(super) async fn with_account(asked: Asked, request: Request) -> Result<Response, Failure> {
    answer(asked, None, request).await
}

async fn answer(asked: Asked, session_id: Option<String>, request: Request) -> Result<Response, Failure> {
    let wants_stream = wants_stream(request.headers());
    asked
        .calling(|gateway| async move {
            let wants_stream = wants_stream?;
            let request = read_call(request).await?;
            Ok(if wants_stream {
                stream(proxy::stream(&gateway, session_id.as_deref(), request).await?)
            } else {
                let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let envelope = proxy::execute(&gateway, session_id.as_deref(), request).await?;
                ([json], envelope.into_text()).into_response()
            })
        })
        .await
}

fn wants_stream(headers: &HeaderMap) -> Result<bool> {
    match headers.get(RESPONSE_TYPE) {
        None => Ok(false),
        Some(value) if value == "stream" => Ok(true),
        Some(_) => {
            let message = format!("{RESPONSE_TYPE}: takes `stream` and nothing else.");
            Err(Error::of_field(ErrorKind::InvalidRequest, message))
        }
    }
}

fn stream(StreamedAnswer { head, body }: StreamedAnswer) -> Response {
    let head = Bytes::from(head.into_text() + "\n");
    let body = once(async { Ok(head) }).chain(body);
    ([(header::CONTENT_TYPE, STREAM)], Body::from_stream(body)).into_response()
}

/// A call as JSON, or as a form of two parts: `request` with that JSON, and `body` with bytes, which
/// are handed on as they come.
async fn read_call(request: Request) -> Result<ProxyRequest> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Ok(boundary) = multer::parse_boundary(content_type.unwrap_or_default()) else {
        return read(request).await;
    };
    // Rare, and large enough to be felt by calls that are none.
    Box::pin(read_form(request, boundary)).await
}

async fn read_form(request: Request, boundary: String) -> Result<ProxyRequest> {
    let mut parts = Multipart::new(ReadToTheEnd(Some(request.into_body().into_data_stream())), boundary);
    let json = part(&mut parts, "request").await?;
    let mut call: ProxyRequest = read_json(&gather(json.map_err(broken_off)).await?)?;
    let bytes = part(&mut parts, "body").await?;
    let body = call.binary_body.get_or_insert_default();
    if body.content_type.is_none() {
        body.content_type = bytes.content_type().map(ToString::to_string);
    }
    body.stream = Some(ByteStream::new(bytes.map_err(broken_off)));
    Ok(call)
}

/// A request's body, of which the rest is read although nobody wants it. A client that is still
/// sending would otherwise find its connection closed, and not the answer that says why.
struct ReadToTheEnd(Option<BodyDataStream>);

impl Stream for ReadToTheEnd {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let next = ready!(body.poll_next_unpin(context));
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for ReadToTheEnd {
    fn drop(&mut self) {
        if let Some(rest) = self.0.take() {
            let read = rest.take_while(|chunk| future::ready(chunk.is_ok())).for_each(|_| future::ready(()));
            // By then the client has the answer, and either hangs up or does not listen.
            tokio::spawn(tokio::time::timeout(Duration::from_secs(5), read));
        }
    }
}

async fn part<'a>(parts: &mut Multipart<'a>, name: &str) -> Result<Field<'a>> {
    let part = parts.next_field().await.map_err(broken_off)?;
    part.filter(|part| part.name() == Some(name)).ok_or_else(|| {
        let message = "A form has two parts: `request`, which is JSON, and then `body`.";
        Error::of_field(ErrorKind::InvalidRequest, message)
    })
}

fn broken_off(error: multer::Error) -> Error {
    Error::new(ErrorKind::UploadBroken, format!("The form of the request is broken or was cut off: {error}."))
}
