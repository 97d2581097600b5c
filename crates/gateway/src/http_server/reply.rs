//! How requests become values, and errors become responses.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request};
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::{Error, ErrorKind, Result, read_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::MAX_REQUEST_BYTES;

/// The name that this request got.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

/// What the path names.
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

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Failure(Error);

impl Failure {
    pub(super) fn new(error: Error, request_id: RequestId) -> Self {
        tracing::debug!(%error, "refused");
        let error = match error.status() {
            Some(_) => error,
            // A store that fails while it is used has no status of its own; to a caller it is ours.
            None => Error::new(ErrorKind::Internal, error.to_string()),
        };
        Self(error.with_request_id(request_id.0))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.0.status().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Whole seconds (RFC 9110 §10.2.3), and none too early.
        let seconds = self.0.retry_after().map(|after| after.as_millis().div_ceil(1_000) as u64);
        let mut response = (status, Json(self.0.into_envelope())).into_response();
        if let Some(seconds) = seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The answer where there is nothing else to say.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Success {
    /// Always true.
    success: bool,
}

impl Success {
    pub(super) const DONE: Self = Self { success: true };
}

/// Reads a request's body. Not before it is known who asks: until then nothing of it is in memory.
pub(super) async fn read<T: DeserializeOwned>(request: Request) -> Result<T> {
    let mut request = request;
    DefaultBodyLimit::max(MAX_REQUEST_BYTES).apply(&mut request);
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Error::new(ErrorKind::InvalidRequest, "The request broke off before its end."),
    })?;
    read_json(&body)
}

/// The JSON of a request is over the limit.
pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::PayloadTooLarge, "The request is larger than 32 MiB, the most that is taken.")
        .fix("Send the body as bytes beside the request, which has a limit of its own.")
}

/// Reads a request's query. A list may be given as repeats, with or without `[]`, or with commas;
/// which names are lists, numbers and flags follows from `lists`, `numbers` and `flags`.
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
            percent_decode_str(&text.replace('+', " ")).decode_utf8().map(|text| text.into_owned()).map_err(
                |_| Error::new(ErrorKind::InvalidRequest, "The query is not UTF-8 behind its percent signs."),
            )
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
