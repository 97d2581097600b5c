//! `/auth_configs` (`docs/wire.md`).

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use proxy_execute_protocol::{
    Area, AuthConfig, AuthConfigStatus, ChangedAuthConfig, CreateAuthConfig, CreatedAuthConfig, Done, Error,
    ErrorKind, ListAuthConfigs, Page, UpdateAuthConfig, quoted,
};

use proxy_execute_gateway::audit::Action;

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, read, read_query};

const AREA: Area = Area::AuthConfigs;

/// Lists auth configs, newest first.
#[utoipa::path(get, path = "/auth_configs", operation_id = "listAuthConfigs", tag = "auth configs",
    params(ListAuthConfigs),
    responses((status = 200, body = Page<AuthConfig>,
        description = "A page of auth configs."), Errors))]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Failure> {
    let flags = ["is_composio_managed", "show_disabled"];
    caller
        .reading(AREA, |gateway| async move {
            gateway.auth_configs.list(read_query(&uri, &[], &["limit"], &flags)?).await
        })
        .await
}

/// Creates an auth config.
#[utoipa::path(post, path = "/auth_configs", operation_id = "createAuthConfig", tag = "auth configs",
    request_body = CreateAuthConfig,
    responses((status = 201, body = CreatedAuthConfig,
        description = "The new auth config."), Errors))]
pub(super) async fn create(caller: Caller, request: Request) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::CREATED, |gateway| async move {
            let made: CreatedAuthConfig = gateway.auth_configs.create(read(request).await?).await?;
            let change = Action::AuthConfigCreated.of(&made.auth_config.id);
            Ok((made, change))
        })
        .await
}

/// Reads an auth config.
#[utoipa::path(get, path = "/auth_configs/{id}", operation_id = "getAuthConfig", tag = "auth configs",
    params(("id" = String, Path)),
    responses((status = 200, body = AuthConfig,
        description = "The auth config."), Errors))]
pub(super) async fn get(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller.reading(AREA, |gateway| async move { gateway.auth_configs.get(&id).await }).await
}

/// Changes an auth config.
#[utoipa::path(patch, path = "/auth_configs/{id}", operation_id = "updateAuthConfig", tag = "auth configs",
    params(("id" = String, Path)),
    request_body = UpdateAuthConfig,
    responses((status = 200, body = ChangedAuthConfig,
        description = "The auth config was changed."), Errors))]
pub(super) async fn update(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let changed = gateway.auth_configs.update(&id, read(request).await?).await?;
            Ok((changed, Action::AuthConfigUpdated.of(id)))
        })
        .await
}

/// Deletes an auth config with its accounts.
#[utoipa::path(delete, path = "/auth_configs/{id}", operation_id = "deleteAuthConfig", tag = "auth configs",
    params(("id" = String, Path), ("revoke_on_delete" = Option<bool>, Query, description = "Accepted and without effect")),
    responses((status = 200, body = Done,
        description = "The auth config and its accounts were deleted."), Errors))]
pub(super) async fn delete(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let done = gateway.auth_configs.delete(&id).await?;
            Ok((done, Action::AuthConfigDeleted.of(id)))
        })
        .await
}

/// Enables or disables an auth config and all of its accounts.
#[utoipa::path(patch, path = "/auth_configs/{id}/{status}", operation_id = "setAuthConfigStatus", tag = "auth configs",
    params(("id" = String, Path), ("status" = AuthConfigStatus, Path)),
    responses((status = 200, body = ChangedAuthConfig,
        description = "The auth config was enabled or disabled."), Errors))]
pub(super) async fn set_status(
    caller: Caller,
    Named((id, status)): Named<(String, String)>,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let status = AuthConfigStatus::try_from(status.clone()).map_err(|_| {
                Error::new(
                    ErrorKind::InvalidRequest,
                    format!("status: `{}` is neither ENABLED nor DISABLED.", quoted(&status)),
                )
            })?;
            let action = match status {
                AuthConfigStatus::Enabled => Action::AuthConfigEnabled,
                AuthConfigStatus::Disabled => Action::AuthConfigDisabled,
            };
            let changed = gateway.auth_configs.set_status(&id, status).await?;
            Ok((changed, action.of(id)))
        })
        .await
}
