//! The two proxy endpoints (contract §3).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use proxy_execute_protocol::{Backend, Result};

use super::reply::{Failure, RequestId, envelope, read};
use super::{authorize, no_deadline};
use crate::api_key::Level;
use crate::gateway::Gateway;

/// `POST /tool_router/session/{id}/proxy_execute`
pub(super) async fn in_session(
    gateway: State<Gateway>,
    Path(id): Path<String>,
    request_id: RequestId,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, &headers, "proxy_execute", Level::Write).await?;
        gateway.proxy_execute(&id, read(body)?, no_deadline()).await
    };
    envelope(result.await, request_id)
}

/// `POST /tools/execute/proxy`
pub(super) async fn with_account(
    gateway: State<Gateway>,
    request_id: RequestId,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, &headers, "proxy_execute", Level::Write).await?;
        gateway.tools_proxy_execute(read(body)?, no_deadline()).await
    };
    envelope(result.await, request_id)
}
