//! `/api_keys` (`docs/wire.md`).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use proxy_execute_gateway::audit::Action;
use proxy_execute_protocol::{ApiKeyList, Area, CreateApiKey, NewApiKey, RevokedApiKey};

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, read};

const AREA: Area = Area::ApiKeys;

/// Lists API keys, newest first. Their secrets are not shown. The hosted backend does not have this.
#[utoipa::path(get, path = "/api_keys", operation_id = "listApiKeys", tag = "API keys",
    responses((status = 200, body = ApiKeyList,
        description = "The API keys."), Errors))]
pub(super) async fn list(caller: Caller) -> Result<Response, Failure> {
    caller
        .reading(AREA, |gateway| async move { Ok(ApiKeyList { items: gateway.api_keys.list().await? }) })
        .await
}

/// Creates an API key, with at most the access of the calling key. The hosted backend does not have this.
#[utoipa::path(post, path = "/api_keys", operation_id = "createApiKey", tag = "API keys",
    request_body = CreateApiKey,
    responses((status = 201, body = NewApiKey,
        description = "The new API key, which is shown this once."), Errors))]
pub(super) async fn create(caller: Caller, request: Request) -> Result<Response, Failure> {
    caller
        .changing_as(AREA, None, StatusCode::CREATED, |gateway, creator| async move {
            let request: CreateApiKey = read(request).await?;
            let made = gateway.api_keys.create(request, &creator).await?;
            let change = Action::ApiKeyCreated.of(&made.shown.id);
            Ok((made, change))
        })
        .await
}

/// Revokes an API key. A key may revoke itself without a permission. The hosted backend does not have this.
#[utoipa::path(delete, path = "/api_keys/{id}", operation_id = "revokeApiKey", tag = "API keys",
    params(("id" = String, Path)),
    responses((status = 200, body = RevokedApiKey,
        description = "The API key was revoked."), Errors))]
pub(super) async fn revoke(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    let own = id.clone();
    caller
        .changing_as(AREA, Some(&own), StatusCode::OK, |gateway, _| async move {
            gateway.api_keys.revoke(&id).await?;
            let change = Action::ApiKeyRevoked.of(&id);
            Ok((RevokedApiKey { id, revoked: true }, change))
        })
        .await
}
