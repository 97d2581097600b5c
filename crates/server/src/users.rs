//! `/users`: what the gateway has of a user (`docs/wire.md`). The hosted backend does not have this.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use proxy_execute_gateway::audit::Action;
use proxy_execute_protocol::{Area, DeletedUser, ListUserRecords, UserRecords};

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, read_query};

const AREA: Area = Area::Users;

/// Deletes a user: revokes the tokens at the providers, and deletes accounts, sessions, files, calls and events.
#[utoipa::path(delete, path = "/users/{user_id}", operation_id = "deleteUser", tag = "users",
    params(("user_id" = String, Path)),
    responses((status = 200, body = DeletedUser,
        description = "What was deleted."), Errors))]
pub(super) async fn delete(caller: Caller, Named(user_id): Named<String>) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let deleted = gateway.users.delete(&user_id).await?;
            Ok((deleted, Action::UserDeleted.of(user_id)))
        })
        .await
}

/// Lists what the gateway has of a user, without secrets: accounts, sessions, calls and events.
#[utoipa::path(get, path = "/users/{user_id}/records", operation_id = "listUserRecords", tag = "users",
    params(("user_id" = String, Path), ListUserRecords),
    responses((status = 200, body = UserRecords,
        description = "A page of the records."), Errors))]
pub(super) async fn records(
    caller: Caller,
    Named(user_id): Named<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    caller
        .reading(AREA, |gateway| async move {
            gateway.users.records(&user_id, read_query(&uri, &[], &["limit"], &[])?).await
        })
        .await
}
