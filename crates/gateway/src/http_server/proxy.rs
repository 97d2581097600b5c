//! The two proxy endpoints (contract §3).

use axum::extract::{Request, State};
use axum::response::Response;
use proxy_execute_protocol::{Backend, Result};

use super::reply::{Failure, RequestId, SessionId, envelope, read};
use super::{authorize, no_deadline};
use crate::api_key::Level;
use crate::gateway::Gateway;

/// `POST /tool_router/session/{id}/proxy_execute`
pub(super) async fn in_session(
    gateway: State<Gateway>,
    SessionId(id): SessionId,
    request_id: RequestId,
    request: Request,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, request.headers(), "proxy_execute", Level::Write).await?;
        gateway.proxy_execute(&id, read(request).await?, no_deadline()).await
    };
    envelope(result.await, request_id)
}

/// `POST /tools/execute/proxy`
pub(super) async fn with_account(
    gateway: State<Gateway>,
    request_id: RequestId,
    request: Request,
) -> Result<Response, Failure> {
    let result = async {
        authorize(&gateway, request.headers(), "proxy_execute", Level::Write).await?;
        gateway.tools_proxy_execute(read(request).await?, no_deadline()).await
    };
    envelope(result.await, request_id)
}
