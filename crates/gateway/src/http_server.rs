//! The gateway on a port, in the documented wire (contract §1–§3): one file per resource.
//!
//! Every route is there twice, under `/api/v3.1` and `/api/v3`, which share a shape. Every answer
//! has an `x-request-id`, and every error is an envelope that repeats it.

mod proxy;
mod reply;
mod session;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use proxy_execute_protocol::{Deadline, Error, ErrorKind, Result};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::Instrument;

use self::reply::{Failure, RequestId};
use crate::api_key::{self, Level};
use crate::gateway::Gateway;
use crate::id;

/// The largest request taken, in bytes.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// Where to listen. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// A name or address; `127.0.0.1` by default, which only this machine reaches.
    pub host: Option<String>,
    /// 0, the default, takes one that is free.
    pub port: Option<u16>,
}

/// Starts to listen; the task ends when the gateway closes.
pub(crate) async fn start(gateway: Gateway, listen: Listen) -> Result<(SocketAddr, JoinHandle<()>)> {
    let host = listen.host.as_deref().unwrap_or("127.0.0.1").trim_matches(['[', ']']).to_owned();
    let port = listen.port.unwrap_or(0);
    let unusable = |error: std::io::Error| {
        Error::new(
            ErrorKind::InvalidOption,
            format!("The gateway cannot listen on {host}, port {port}: {error}."),
        )
        .fix("Choose another `host` or `port`; port 0 takes one that is free.")
    };
    let listener = TcpListener::bind((host.as_str(), port)).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    // Answers are written in one piece, so waiting to fill a packet only delays them.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let server = tokio::spawn(async move {
        let closing = gateway.clone();
        let serve = axum::serve(listener, router(gateway))
            .with_graceful_shutdown(async move { closing.closing().await });
        if let Err(error) = serve.await {
            tracing::error!(%error, "the port failed");
        }
    });
    Ok((address, server))
}

fn router(gateway: Gateway) -> Router {
    let routes = Router::new()
        .route("/tool_router/session", post(session::create))
        .route("/tool_router/session/{id}", get(session::get).patch(session::update).delete(session::delete))
        .route("/tool_router/session/{id}/proxy_execute", post(proxy::in_session))
        .route("/tools/execute/proxy", post(proxy::with_account));
    Router::new()
        .nest("/api/v3.1", routes.clone())
        .nest("/api/v3", routes)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(middleware::from_fn(name_request))
        .with_state(gateway)
}

/// Gives every request a name that is in its log lines, its answer and its error.
async fn name_request(mut request: Request, next: Next) -> Response {
    let request_id = id::random("req");
    let header = HeaderValue::from_str(&request_id).expect("an id is ASCII");
    let span = tracing::info_span!("request", id = request_id, method = %request.method(), path = request.uri().path());
    request.extensions_mut().insert(RequestId(request_id));
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert("x-request-id", header);
    response
}

async fn not_found(request_id: RequestId, request: Request) -> impl IntoResponse {
    let message = format!("There is nothing at {}.", request.uri().path());
    let error =
        Error::new(ErrorKind::NotFound, message).fix("Paths begin with /api/v3.1 or /api/v3; check baseURL.");
    Failure::new(error, request_id)
}

async fn method_not_allowed(request_id: RequestId, request: Request) -> impl IntoResponse {
    let message = format!("{} does not take {}.", request.uri().path(), request.method());
    Failure::new(Error::new(ErrorKind::MethodNotAllowed, message), request_id)
}

/// Lets a request pass whose key covers the level in the area.
async fn authorize(
    State(gateway): &State<Gateway>,
    headers: &axum::http::HeaderMap,
    area: &str,
    level: Level,
) -> Result<()> {
    let key = headers.get("x-api-key").map(HeaderValue::as_bytes);
    api_key::authorize(gateway.parts(), key, area, level).await
}

/// A caller on the port keeps its own deadline, and ends a call by hanging up.
fn no_deadline() -> Deadline {
    Deadline::after(Duration::MAX)
}
