//! How results become responses, and requests become values.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use proxy_execute_protocol::{Envelope, Error, ErrorKind, Result, read_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The name that this request got.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

/// The session that the path names.
#[derive(Debug)]
pub(super) struct SessionId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for SessionId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => {
                let Ok(request_id) = RequestId::from_request_parts(parts, state).await;
                let message = "The session id in the path is not UTF-8.";
                Err(Failure::new(Error::new(ErrorKind::InvalidRequest, message), request_id))
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
        (status, Json(self.0.into_envelope())).into_response()
    }
}

/// A value as JSON.
pub(super) fn json(
    result: Result<impl Serialize>,
    status: StatusCode,
    request_id: RequestId,
) -> Result<Response, Failure> {
    match result {
        Ok(value) => Ok((status, Json(value)).into_response()),
        Err(error) => Err(Failure::new(error, request_id)),
    }
}

/// The answer of a proxied call, which is JSON text already.
pub(super) fn envelope(result: Result<Envelope>, request_id: RequestId) -> Result<Response, Failure> {
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match result {
        Ok(envelope) => Ok(([json], envelope.into_text()).into_response()),
        Err(error) => Err(Failure::new(error, request_id)),
    }
}

/// Reads a request's body. Not before it is known who asks: until then nothing of it is in memory.
pub(super) async fn read<T: DeserializeOwned>(request: Request) -> Result<T> {
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(
            ErrorKind::PayloadTooLarge,
            "The request is larger than 32 MiB, the most that is taken.",
        ),
        _ => Error::new(ErrorKind::InvalidRequest, "The request broke off before its end."),
    })?;
    read_json(&body)
}
