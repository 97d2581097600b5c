//! `/audit`: the record of administrative changes (`docs/wire.md`).

use axum::http::Uri;
use axum::response::Response;
use proxy_execute_protocol::{Area, AuditPage, AuditVerification, ListAudit, VerifyAudit};

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, read_query};

const AREA: Area = Area::Observability;

/// Lists administrative changes, newest first. The hosted backend does not have this.
#[utoipa::path(get, path = "/audit", operation_id = "listAudit", tag = "audit",
    params(ListAudit),
    responses((status = 200, body = AuditPage,
        description = "A page of the record."), Errors))]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Failure> {
    caller
        .reading(
            AREA,
            |gateway| async move { gateway.audit.list(read_query(&uri, &[], &["limit"], &[])?).await },
        )
        .await
}

/// Verifies the chain of administrative changes. The hosted backend does not have this.
#[utoipa::path(get, path = "/audit/verification", operation_id = "verifyAudit", tag = "audit",
    params(VerifyAudit),
    responses((status = 200, body = AuditVerification,
        description = "Whether the record is intact."), Errors))]
pub(super) async fn verify(caller: Caller, uri: Uri) -> Result<Response, Failure> {
    caller
        .reading(AREA, |gateway| async move { gateway.audit.verify(read_query(&uri, &[], &[], &[])?).await })
        .await
}
