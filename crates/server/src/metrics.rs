//! The port for Prometheus, which is apart from that of callers: it needs no key.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use proxy_execute_gateway::Gateway;
use proxy_execute_protocol::{Advice, Error, ErrorKind, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::clients::Connections;
use super::reply::{Failure, RequestId};
use super::threads::{self, Serving};
use super::{answer, method_not_allowed, not_found, probes, refuse};

/// How many connections an address may have open. A scraper needs one.
const CONNECTIONS: u32 = 16;

/// Binds an address such as `127.0.0.1:9464`.
///
/// # Errors
/// `InvalidOption` if the address cannot be used.
pub(super) async fn bind(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| unusable(address, &error))
}

fn unusable(address: &str, error: &std::io::Error) -> Error {
    let message = format!("metrics: the gateway cannot listen on `{address}`: {error}.");
    Error::new(ErrorKind::InvalidOption, message)
        .about("metrics")
        .fix("Name a free address with its port, such as 127.0.0.1:9464.")
        .advise(Advice::ListenElsewhere)
}

/// Serves the metrics and the probes until the gateway closes. The gateway counts from now on.
///
/// # Errors
/// `InvalidOption` if the listener cannot be used.
pub(super) fn serve(gateway: Gateway, listener: TcpListener) -> Result<(SocketAddr, JoinHandle<()>)> {
    let failed = |error: std::io::Error| unusable("metrics", &error);
    let address = listener.local_addr().map_err(failed)?;
    gateway.start_metrics();
    let closing = gateway.closing_token();
    let serving = Serving {
        threads: 1,
        request_timeout: threads::REQUEST_TIMEOUT,
        connections: Connections::at_most(CONNECTIONS),
        draining: gateway.draining_token(),
        certificate: None,
        refuse,
    };
    let routes: Router = probes::router()
        .route("/metrics", get(metrics).fallback(method_not_allowed))
        .fallback(not_found)
        .with_state(gateway);
    let server = threads::serve(listener, closing, serving, move |request| answer(routes.clone(), request));
    Ok((address, server.map_err(failed)?))
}

async fn metrics(State(gateway): State<Gateway>, request_id: RequestId) -> Response {
    match gateway.metrics().await {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => Failure::new(error, request_id).into_response(),
    }
}
