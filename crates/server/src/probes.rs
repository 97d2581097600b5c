//! `/health` and `/ready`, for load balancers and supervisors, which have no key.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use proxy_execute_gateway::Gateway;
use proxy_execute_protocol::ErrorEnvelope;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::method_not_allowed;
use super::reply::{Failure, RequestId};

#[derive(OpenApi)]
#[openapi(paths(health, ready))]
struct Probes;

/// The description of the probes.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    Probes::openapi()
}

/// The routes of the probes, which have no version in front.
pub(super) fn router() -> Router<Gateway> {
    Router::new()
        .route("/health", get(health).fallback(method_not_allowed))
        .route("/ready", get(ready).fallback(method_not_allowed))
}

/// The response to a probe that finds what it asks for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProbeResult {
    /// Always `ok`.
    status: &'static str,
}

/// Responds as long as the process works. A supervisor restarts a process that does not.
///
/// A restart does not mend a store, so this probe does not ask the store.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", tag = "probes", security(()),
    responses((status = 200, body = ProbeResult, description = "The gateway is alive.")))]
pub(super) async fn health() -> Response {
    fresh(Json(ProbeResult { status: "ok" }))
}

/// Tells whether calls can be made: the store responds, its migrations are current, and the key is right.
#[utoipa::path(get, path = "/ready", operation_id = "getReadiness", tag = "probes", security(()),
    responses(
        (status = 200, body = ProbeResult, description = "Calls can be made."),
        (status = 503, body = ErrorEnvelope, description = "The gateway is not ready, or is closing."),
    ))]
pub(super) async fn ready(State(gateway): State<Gateway>, request_id: RequestId) -> Response {
    fresh(match gateway.ready().await {
        Ok(()) => Ok(Json(ProbeResult { status: "ok" })),
        Err(error) => Err(Failure::new(error, request_id)),
    })
}

/// Keeps caches between the prober and the port from reusing the response.
fn fresh(response: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], response).into_response()
}
