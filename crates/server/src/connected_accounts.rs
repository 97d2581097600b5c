//! `/connected_accounts` (`docs/wire.md`).

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use proxy_execute_gateway::audit::Action;
use proxy_execute_protocol::{
    Area, ChangedAccount, ConnectedAccount, CreateAccount, CreatedAccount, DefaultAccount, DeletedAccount,
    Enabled, ListAccounts, Page, RefreshAccount, RefreshedAccount, RevokedAccount, UpdateAccount,
};
use serde::Deserialize;

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, Success, read, read_query};

const AREA: Area = Area::ConnectedAccounts;

/// How an account is deleted. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HowToDelete {
    revoke_on_delete: bool,
}

/// Lists accounts.
#[utoipa::path(get, path = "/connected_accounts", operation_id = "listConnectedAccounts", tag = "connected accounts",
    params(ListAccounts),
    responses((status = 200, body = Page<ConnectedAccount>,
        description = "A page of connected accounts."), Errors))]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Failure> {
    let lists = ["user_ids", "toolkit_slugs", "statuses", "auth_config_ids", "connected_account_ids"];
    caller
        .reading(AREA, |gateway| async move {
            gateway.accounts.list(read_query(&uri, &lists, &["limit"], &[])?).await
        })
        .await
}

/// Connects an account with an auth config.
#[utoipa::path(post, path = "/connected_accounts", operation_id = "createConnectedAccount", tag = "connected accounts",
    request_body = CreateAccount,
    responses((status = 201, body = CreatedAccount,
        description = "The new account."), Errors))]
pub(super) async fn create(caller: Caller, request: Request) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::CREATED, |gateway| async move {
            let made = gateway.links.create_account(read(request).await?).await?;
            let change = Action::AccountCreated.of(&made.id);
            Ok((made, change))
        })
        .await
}

/// Reads an account.
#[utoipa::path(get, path = "/connected_accounts/{id}", operation_id = "getConnectedAccount", tag = "connected accounts",
    params(("id" = String, Path)),
    responses((status = 200, body = ConnectedAccount,
        description = "The account."), Errors))]
pub(super) async fn get(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller.reading(AREA, |gateway| async move { gateway.accounts.get(&id).await }).await
}

/// Changes an account's alias or credential.
#[utoipa::path(patch, path = "/connected_accounts/{id}", operation_id = "updateConnectedAccount", tag = "connected accounts",
    params(("id" = String, Path)),
    request_body = UpdateAccount,
    responses((status = 200, body = ChangedAccount,
        description = "The account was changed."), Errors))]
pub(super) async fn update(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let request: UpdateAccount = read(request).await?;
            let action =
                if request.experimental.is_some() { Action::AccountShared } else { Action::AccountUpdated };
            let changed = gateway.accounts.update(&id, request).await?;
            Ok((changed, action.of(id)))
        })
        .await
}

/// Deletes an account and its credential.
#[utoipa::path(delete, path = "/connected_accounts/{id}", operation_id = "deleteConnectedAccount", tag = "connected accounts",
    params(("id" = String, Path), ("revoke_on_delete" = Option<bool>, Query, description = "Revokes the tokens at the provider before")),
    responses((status = 200, body = DeletedAccount,
        description = "The account was deleted."), Errors))]
pub(super) async fn delete(caller: Caller, Named(id): Named<String>, uri: Uri) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let HowToDelete { revoke_on_delete } = read_query(&uri, &[], &[], &["revoke_on_delete"])?;
            let deleted = gateway.tokens.delete_account(&id, revoke_on_delete).await?;
            Ok((deleted, Action::AccountDeleted.of(id)))
        })
        .await
}

/// Enables or disables an account.
#[utoipa::path(patch, path = "/connected_accounts/{id}/status", operation_id = "setConnectedAccountStatus", tag = "connected accounts",
    params(("id" = String, Path)),
    request_body = Enabled,
    responses((status = 200, body = Success,
        description = "The account was enabled or disabled."), Errors))]
pub(super) async fn set_enabled(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let Enabled { enabled, .. } = read(request).await?;
            gateway.accounts.set_enabled(&id, enabled).await?;
            let action = if enabled { Action::AccountEnabled } else { Action::AccountDisabled };
            Ok((Success::DONE, action.of(id)))
        })
        .await
}

/// Names the account that calls use that name none, outside of a session. The hosted backend does not have this.
#[utoipa::path(patch, path = "/connected_accounts/{id}/default", operation_id = "setDefaultConnectedAccount", tag = "connected accounts",
    params(("id" = String, Path)),
    request_body = DefaultAccount,
    responses((status = 200, body = Success,
        description = "The account is the default account, or no longer is."), Errors))]
pub(super) async fn set_default(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let request: DefaultAccount = read(request).await?;
            let action = match request.is_default {
                true => Action::AccountMadeDefault,
                false => Action::AccountNoLongerDefault,
            };
            gateway.accounts.set_default(&id, request).await?;
            Ok((Success::DONE, action.of(id)))
        })
        .await
}

/// Refreshes an account's tokens now.
#[utoipa::path(post, path = "/connected_accounts/{id}/refresh", operation_id = "refreshConnectedAccount", tag = "connected accounts",
    params(("id" = String, Path), RefreshAccount),
    responses((status = 200, body = RefreshedAccount,
        description = "The account was refreshed, or the user has to connect it again."), Errors))]
pub(super) async fn refresh(caller: Caller, Named(id): Named<String>, uri: Uri) -> Result<Response, Failure> {
    caller
        .writing(AREA, StatusCode::OK, |gateway| async move {
            gateway.links.refresh(&id, read_query(&uri, &[], &[], &[])?).await
        })
        .await
}

/// Revokes an account's tokens at the provider, and deletes them here.
#[utoipa::path(post, path = "/connected_accounts/{id}/revoke", operation_id = "revokeConnectedAccount", tag = "connected accounts",
    params(("id" = String, Path)),
    responses((status = 200, body = RevokedAccount,
        description = "The account was revoked."), Errors))]
pub(super) async fn revoke(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let revoked = gateway.tokens.revoke(&id).await?;
            Ok((revoked, Action::AccountRevoked.of(id)))
        })
        .await
}
