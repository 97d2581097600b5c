//! `/tool_router/session` (`docs/wire.md`).

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use proxy_execute_protocol::{
    Area, CreateSession, DeletedSession, ListSessionToolkits, Page, Session, SessionToolkit, UpdateSession,
};

use super::caller::Caller;
use super::mcp::{self, Origin};
use super::openapi::Errors;
use super::reply::{Failure, Named, read, read_query};

/// Opens a session.
#[utoipa::path(post, path = "/tool_router/session", operation_id = "createSession", tag = "sessions",
    request_body = CreateSession,
    responses((status = 201, body = Session,
        description = "The new session."), Errors))]
pub(super) async fn create(caller: Caller, origin: Origin, request: Request) -> Result<Response, Failure> {
    caller
        .writing(Area::Sessions, StatusCode::CREATED, |gateway| async move {
            let session = gateway.sessions.create(read(request).await?).await?;
            Ok(mcp::with_url(session, &gateway, &origin))
        })
        .await
}

/// Reads a session.
#[utoipa::path(get, path = "/tool_router/session/{id}", operation_id = "getSession", tag = "sessions",
    params(("id" = String, Path)),
    responses((status = 200, body = Session,
        description = "The session."), Errors))]
pub(super) async fn get(
    caller: Caller,
    origin: Origin,
    Named(id): Named<String>,
) -> Result<Response, Failure> {
    caller
        .reading(Area::Sessions, |gateway| async move {
            let session = gateway.sessions.get(&id).await?;
            Ok(mcp::with_url(session, &gateway, &origin))
        })
        .await
}

/// Changes the given keys of a session.
#[utoipa::path(patch, path = "/tool_router/session/{id}", operation_id = "updateSession", tag = "sessions",
    params(("id" = String, Path)),
    request_body = UpdateSession,
    responses((status = 200, body = Session,
        description = "The changed session."), Errors))]
pub(super) async fn update(
    caller: Caller,
    origin: Origin,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .writing(Area::Sessions, StatusCode::OK, |gateway| async move {
            let session = gateway.sessions.update(&id, read(request).await?).await?;
            Ok(mcp::with_url(session, &gateway, &origin))
        })
        .await
}

/// Deletes a session.
#[utoipa::path(delete, path = "/tool_router/session/{id}", operation_id = "deleteSession", tag = "sessions",
    params(("id" = String, Path)),
    responses((status = 200, body = DeletedSession,
        description = "The session was deleted."), Errors))]
pub(super) async fn delete(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller
        .writing(Area::Sessions, StatusCode::OK, |gateway| async move { gateway.sessions.delete(&id).await })
        .await
}

/// Lists a session's toolkits, each with the account that a call would use.
#[utoipa::path(get, path = "/tool_router/session/{id}/toolkits", operation_id = "listSessionToolkits", tag = "sessions",
    params(("id" = String, Path), ListSessionToolkits),
    responses((status = 200, body = Page<SessionToolkit>,
        description = "A page of the toolkits that the session allows."), Errors))]
pub(super) async fn toolkits(
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    caller
        .reading(Area::Sessions, |gateway| async move {
            let request = read_query(&uri, &["toolkits"], &["limit"], &["is_connected"])?;
            gateway.sessions.toolkits(&id, request).await
        })
        .await
}
