//! Links, in a session and with an auth config (`docs/wire.md`).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use proxy_execute_protocol::{Area, Link, LinkAccount, LinkAgain, LinkInSession};

use proxy_execute_gateway::audit::Action;

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, read};

/// Creates an account for the session's user, and a link to connect it.
#[utoipa::path(post, path = "/tool_router/session/{id}/link", operation_id = "createSessionLink", tag = "sessions",
    params(("id" = String, Path)),
    request_body = LinkInSession,
    responses((status = 201, body = Link,
        description = "The link to send to the user."), Errors))]
pub(super) async fn in_session(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(Area::Sessions, StatusCode::CREATED, |gateway| async move {
            let link = gateway.links.in_session(&id, read(request).await?).await?;
            let change = Action::AccountCreated.of(&link.connected_account_id);
            Ok((link, change))
        })
        .await
}

/// Creates an account with an auth config, and a link to connect it.
#[utoipa::path(post, path = "/connected_accounts/link", operation_id = "createLink", tag = "connected accounts",
    request_body = LinkAccount,
    responses((status = 201, body = Link,
        description = "The link to send to the user."), Errors))]
pub(super) async fn with_auth_config(caller: Caller, request: Request) -> Result<Response, Failure> {
    caller
        .changing(Area::ConnectedAccounts, StatusCode::CREATED, |gateway| async move {
            let link = gateway.links.with_auth_config(read(request).await?).await?;
            let change = Action::AccountCreated.of(&link.connected_account_id);
            Ok((link, change))
        })
        .await
}

/// Creates a link that reconnects an account: it no longer works, or needs more scopes. The account keeps its
/// id. The hosted backend does not have this.
#[utoipa::path(post, path = "/connected_accounts/{id}/link", operation_id = "createReconnectLink", tag = "connected accounts",
    params(("id" = String, Path)),
    request_body = LinkAgain,
    responses((status = 201, body = Link,
        description = "The link to send to the user."), Errors))]
pub(super) async fn to_account(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .writing(Area::ConnectedAccounts, StatusCode::CREATED, |gateway| async move {
            gateway.links.again(&id, read(request).await?).await
        })
        .await
}
