//! Parses requests into values, and turns errors into responses.

use std::pin::pin;
use std::time::Duration;

use axum::Json;
use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::{Stream, TryStreamExt};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::{Advice, Error, ErrorKind, Result, read_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{timeout, timeout_at};
use utoipa::ToSchema;

use super::threads::ArriveBy;

/// The size limit of a proxied call, in bytes.
pub(super) const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// The size limit of any other request, in bytes.
pub(super) const MAX_RESOURCE_BYTES: usize = 1024 * 1024;

/// How long a request may pause between two chunks.
pub(super) const PAUSE: Duration = Duration::from_secs(30);

/// Tells the vendor's SDKs not to retry. Without it, they retry after any 5xx.
pub(super) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The beginning of the paths of the relay.
pub(super) const RELAY: &str = "/relay/";

/// Marks a response of an API, which keeps the API's own headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relayed;

/// The id of this request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

/// The parameters in the path.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => {
                let Ok(request_id) = RequestId::from_request_parts(parts, state).await;
                let error = Error::new(ErrorKind::InvalidRequest, "An id in the path is not UTF-8.");
                Err(Failure::new(error, request_id))
            }
        }
    }
}

/// An error that becomes a response.
#[derive(Debug)]
pub(super) struct Failure(Error);

impl Failure {
    pub(super) fn new(error: Error, request_id: RequestId) -> Self {
        match error.status() {
            None | Some(500) => tracing::error!(request = request_id.0, %error, "a request failed"),
            Some(_) => tracing::debug!(%error, "refused"),
        }
        let error = match error.status() {
            Some(_) => error,
            // A failing store has no status of its own. For the caller, it is a failure of the gateway.
            None => Error::new(ErrorKind::Internal, error.to_string()),
        };
        Self(error.with_request_id(request_id.0))
    }

    /// The status and the body, for a response that no route makes.
    pub(super) fn into_text(self) -> (StatusCode, String) {
        let body = |error: Error| serde_json::to_string(&error.into_envelope());
        (self.status(), body(self.0).expect("an envelope is JSON"))
    }

    fn status(&self) -> StatusCode {
        let status = self.0.status().and_then(|status| StatusCode::from_u16(status).ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        let is_unsupported = self.0.kind() == ErrorKind::Unsupported;
        // Whole seconds (RFC 9110 §10.2.3), rounded up so that the caller does not retry too early.
        let seconds = self.0.retry_after().map(|after| after.as_millis().div_ceil(1_000) as u64);
        let mut response = (status, Json(self.0.clone().into_envelope())).into_response();
        // A caller in this process gets the error itself, with the parts that the wire does not carry.
        response.extensions_mut().insert(self.0);
        if let Some(seconds) = seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The status is 501, and the vendor's SDKs retry any 5xx.
        if is_unsupported {
            response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        response
    }
}

/// The response without other members.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Success {
    /// Always true.
    success: bool,
}

impl Success {
    pub(super) const DONE: Self = Self { success: true };
}

/// Reads the body of a request for a resource.
///
/// The caller must be authorized before. Until then, no byte of the body is in memory.
pub(super) async fn read<T: DeserializeOwned>(request: Request) -> Result<T> {
    read_json(&read_bytes(request, MAX_RESOURCE_BYTES, resource_too_large).await?)
}

/// Reads a request's body of at most this many bytes.
pub(super) async fn read_bytes(request: Request, most: usize, too_large: fn() -> Error) -> Result<Vec<u8>> {
    let arrive_by = arrive_by(&request);
    let body = request.into_body();
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let broken_off = |_| Error::new(ErrorKind::InvalidRequest, "The request ended before its last byte.");
    in_time(arrive_by, gather(body.into_data_stream().map_err(broken_off), most, too_large)).await
}

/// The time by which a request has to arrive; `None` for a request that this process made.
pub(super) fn arrive_by(request: &Request) -> Option<ArriveBy> {
    request.extensions().get::<ArriveBy>().copied()
}

/// Limits reading to the time by which the request has to arrive.
pub(super) async fn in_time<T>(
    arrive_by: Option<ArriveBy>,
    arriving: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(ArriveBy(time)) = arrive_by else { return arriving.await };
    timeout_at(time.into(), arriving).await.unwrap_or_else(|_| Err(too_slow()))
}

fn too_slow() -> Error {
    Error::new(ErrorKind::InvalidRequest, "The request did not arrive in time. Nothing was done.")
        .fix("Send all of a request at once. An operator can raise `requestTimeout`.")
        .advise(Advice::RaiseOption("requestTimeout"))
}

/// Collects the chunks of a request, up to a size, and with a limit on each pause.
pub(super) async fn gather(
    chunks: impl Stream<Item = Result<Bytes>>,
    most: usize,
    too_large: fn() -> Error,
) -> Result<Vec<u8>> {
    let mut chunks = pin!(chunks);
    let mut text = Vec::new();
    loop {
        let next = timeout(PAUSE, chunks.try_next()).await.map_err(|_| stalled())?;
        let Some(chunk) = next? else { return Ok(text) };
        if text.len() + chunk.len() > most {
            return Err(too_large());
        }
        text.extend_from_slice(&chunk);
    }
}

pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::PayloadTooLarge, "The request is larger than the limit of 32 MiB.")
        .fix("Send the body as bytes beside the request, which has a limit of its own.")
}

pub(super) fn resource_too_large() -> Error {
    let message = "The request is larger than 1 MiB, the limit for requests other than proxied calls.";
    Error::new(ErrorKind::PayloadTooLarge, message).fix("Send less, such as shorter lists.")
}

pub(super) fn stalled() -> Error {
    let message = format!("The request stalled: no data for {} s. Nothing was done.", PAUSE.as_secs());
    Error::new(ErrorKind::InvalidRequest, message).fix("Send all of a request at once.")
}

/// Reads a request's query. `lists`, `numbers` and `flags` name the parameters of these types.
///
/// A list may be repeated parameters, with or without `[]`, or one parameter with commas.
pub(super) fn read_query<T: DeserializeOwned>(
    uri: &Uri,
    lists: &[&str],
    numbers: &[&str],
    flags: &[&str],
) -> Result<T> {
    let mut fields = Map::new();
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8()
                .map(|text| text.into_owned())
                .map_err(|_| Error::new(ErrorKind::InvalidRequest, "The percent-encoded query is not UTF-8."))
        };
        let (name, value) = (decode(name)?, decode(value)?);
        let name = name.strip_suffix("[]").unwrap_or(&name).to_owned();
        let value = if lists.contains(&name.as_str()) {
            let mut list = fields.shift_remove(&name).unwrap_or_else(|| Value::Array(Vec::new()));
            if let Value::Array(list) = &mut list {
                list.extend(value.split(',').filter(|item| !item.is_empty()).map(Value::from));
            }
            list
        } else if numbers.contains(&name.as_str()) {
            value.parse::<u64>().map_or(Value::from(value), Value::from)
        } else if flags.contains(&name.as_str()) {
            value.parse::<bool>().map_or(Value::from(value), Value::from)
        } else {
            Value::from(value)
        };
        fields.insert(name, value);
    }
    read_json(Value::Object(fields).to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::StreamExt;
    use futures::stream::{iter, pending};

    use super::*;

    fn request(chunks: impl Stream<Item = &'static [u8]> + Send + 'static) -> Request {
        Request::new(Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_stalls_times_out() {
        let slow = iter([&b"{\"a\""[..], b": 1"]).then(async |chunk| {
            tokio::time::sleep(PAUSE - Duration::from_secs(1)).await;
            chunk
        });
        let Err(error) = read::<Value>(request(slow.chain(pending()))).await else { panic!("it is read") };
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("for 30 s"), "{error}");
    }

    #[tokio::test]
    async fn a_request_may_arrive_in_pieces_up_to_its_limit() {
        let pieces = iter([&b"{\"a\""[..], b": ", b"1}"]);
        assert_eq!(read::<Value>(request(pieces)).await.unwrap()["a"], 1);
        static MEBIBYTE: [u8; 1024 * 1024] = [b' '; 1024 * 1024];
        for (mebibytes, kind) in [(1, ErrorKind::InvalidRequest), (2, ErrorKind::PayloadTooLarge)] {
            let error = read::<Value>(request(iter(vec![&MEBIBYTE[..]; mebibytes]))).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
