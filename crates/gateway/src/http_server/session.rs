//! `/tool_router/session` (contract §2.2).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use proxy_execute_protocol::{Backend, Result};

use super::reply::{Failure, RequestId, SessionId, json, read};
use super::{authorize, no_deadline};
use crate::api_key::Level;
use crate::gateway::Gateway;

/// `POST /tool_router/session`
pub(super) async fn create(
    gateway: State<Gateway>,
    request_id: RequestId,
    request: Request,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, request.headers(), "sessions", Level::Write).await?;
        gateway.create_session(read(request).await?, no_deadline()).await
    };
    json(result.await, StatusCode::CREATED, request_id)
}

/// `GET /tool_router/session/{id}`
pub(super) async fn get(
    gateway: State<Gateway>,
    SessionId(id): SessionId,
    request_id: RequestId,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, &headers, "sessions", Level::Read).await?;
        gateway.session(&id, no_deadline()).await
    };
    json(result.await, StatusCode::OK, request_id)
}

/// `PATCH /tool_router/session/{id}`
pub(super) async fn update(
    gateway: State<Gateway>,
    SessionId(id): SessionId,
    request_id: RequestId,
    request: Request,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, request.headers(), "sessions", Level::Write).await?;
        gateway.update_session(&id, read(request).await?, no_deadline()).await
    };
    json(result.await, StatusCode::OK, request_id)
}

/// `DELETE /tool_router/session/{id}`
pub(super) async fn delete(
    gateway: State<Gateway>,
    SessionId(id): SessionId,
    request_id: RequestId,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, &headers, "sessions", Level::Write).await?;
        gateway.delete_session(&id, no_deadline()).await
    };
    json(result.await, StatusCode::OK, request_id)
}
