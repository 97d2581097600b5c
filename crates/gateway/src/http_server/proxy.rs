//! The two proxy endpoints (contract §3).

use axum::extract::Request;
use axum::response::Response;

use super::asked::Asked;
use super::openapi::{Errors, UpstreamErrors, schema};
use super::reply::{Failure, Named, read};
use crate::proxy;

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
    asked.calling(|gateway| async move { proxy::in_session(&gateway, &id, read(request).await?).await }).await
}

/// Calls an endpoint with a named account, or with credentials given in the call.
#[utoipa::path(post, path = "/tools/execute/proxy", tag = "proxy",
    request_body = schema::ToolsProxyRequest,
    responses((status = 200, body = schema::Envelope), Errors, UpstreamErrors))]
pub(super) async fn with_account(asked: Asked, request: Request) -> Result<Response, Failure> {
    asked.calling(|gateway| async move { proxy::with_account(&gateway, read(request).await?).await }).await
}
