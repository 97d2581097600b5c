//! `/toolkits` (`docs/wire.md`).

use axum::http::Uri;
use axum::response::Response;
use proxy_execute_protocol::{Area, ListToolkits, Page, ToolkitCategories, ToolkitDetails, ToolkitItem};

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, read_query};

const AREA: Area = Area::Toolkits;

/// Lists toolkits, by slug.
#[utoipa::path(get, path = "/toolkits", operation_id = "listToolkits", tag = "toolkits",
    params(ListToolkits),
    responses((status = 200, body = Page<ToolkitItem>,
        description = "A page of toolkits."), Errors))]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Failure> {
    caller
        .reading(AREA, |gateway| async move {
            gateway.toolkits.list(&read_query(&uri, &[], &["limit"], &["include_deprecated"])?)
        })
        .await
}

/// Lists the categories of toolkits.
#[utoipa::path(get, path = "/toolkits/categories", operation_id = "listToolkitCategories", tag = "toolkits",
    responses((status = 200, body = ToolkitCategories,
        description = "The categories, on one page."), Errors))]
pub(super) async fn categories(caller: Caller) -> Result<Response, Failure> {
    caller.reading(AREA, |gateway| async move { Ok(gateway.toolkits.categories()) }).await
}

/// Reads a toolkit.
#[utoipa::path(get, path = "/toolkits/{slug}", operation_id = "getToolkit", tag = "toolkits",
    params(("slug" = String, Path), ("version" = Option<String>, Query, description = "Accepted and without effect")),
    responses((status = 200, body = ToolkitDetails,
        description = "The toolkit."), Errors))]
pub(super) async fn get(caller: Caller, Named(slug): Named<String>) -> Result<Response, Failure> {
    caller.reading(AREA, |gateway| async move { gateway.toolkits.details(&slug) }).await
}
