//! A gateway on a port, and in the process of its owner. Each resource of the wire has its own file.
//!
//! Every route exists under `/api/v3.1` and `/api/v3`, with the same shape. Every response has an
//! `x-request-id`, and every error is an envelope that repeats it. `/openapi.json` describes all routes, and
//! is generated from the code.
//!
//! [`Embedded`] requests resources through the same routes, as the owner, without a key.

mod api_keys;
mod audit;
mod auth_configs;
mod caller;
mod clients;
mod config_file;
mod connect;
mod connected_accounts;
mod elsewhere;
mod embedded;
mod files;
mod forwarded;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod head;
mod link;
mod log;
mod mcp;
mod metrics;
mod openapi;
mod probes;
mod proxy;
mod rate_limit;
mod relay;
mod reply;
mod root;
mod session;
mod socket;
mod threads;
mod tls;
mod toolkits;
mod users;
mod webhooks;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use proxy_execute_protocol::{Advice, Error, ErrorKind, Result, quoted};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tracing::Instrument;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use self::caller::Owner;
use self::clients::Connections;
pub use self::config_file::{ConfigValue, read_config};
pub use self::embedded::Embedded;
use self::forwarded::TrustedProxies;
pub use self::log::{begin_log, log_from};
use self::rate_limit::RateLimit;
use self::reply::{Failure, RELAY, Relayed, RequestId};
use self::threads::Serving;
use self::tls::Certificate;
pub use self::tls::TlsFiles;
use proxy_execute_gateway::Gateway;
use proxy_execute_gateway::id;
pub use proxy_execute_gateway::{
    EncryptionKeys, GatewayOptions, KeyUse, PostgresOptions, RotatedKey, RotationProgress, back_up_store,
    check_store, copy_store, migrate_store, rotate_key,
};

/// The resources, each with its description. Each is listed once, for all versions.
static RESOURCES: LazyLock<Vec<UtoipaMethodRouter<Gateway>>> = LazyLock::new(|| {
    vec![
        routes!(session::create),
        routes!(session::get, session::update, session::delete),
        routes!(session::toolkits),
        routes!(link::in_session),
        routes!(proxy::in_session),
        routes!(proxy::with_account),
        routes!(connected_accounts::list, connected_accounts::create),
        routes!(link::with_auth_config),
        routes!(connected_accounts::get, connected_accounts::update, connected_accounts::delete),
        routes!(connected_accounts::set_enabled),
        routes!(connected_accounts::set_default),
        routes!(link::to_account),
        routes!(connected_accounts::refresh),
        routes!(connected_accounts::revoke),
        routes!(auth_configs::list, auth_configs::create),
        routes!(auth_configs::get, auth_configs::update, auth_configs::delete),
        routes!(auth_configs::set_status),
        routes!(api_keys::list, api_keys::create),
        routes!(api_keys::revoke),
        routes!(audit::list),
        routes!(audit::verify),
        routes!(users::delete),
        routes!(users::records),
        routes!(webhooks::list, webhooks::create),
        routes!(webhooks::event_types),
        routes!(webhooks::get, webhooks::update, webhooks::delete),
        routes!(webhooks::rotate_secret),
        routes!(webhooks::deliveries),
        routes!(webhooks::replay),
        routes!(toolkits::list),
        routes!(toolkits::categories),
        routes!(toolkits::get),
    ]
});

/// The prefixes of the paths of resources.
const VERSIONS: [&str; 2] = ["/api/v3.1", "/api/v3"];

/// Where to listen. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// A name or an address. The default is `127.0.0.1`, which only this machine can reach.
    pub host: Option<String>,
    /// The port. 0, the default, takes a free port.
    pub port: Option<u16>,
    /// How many requests a key may make in a minute. Without a value, there is no limit.
    pub requests_per_minute: Option<u32>,
    /// How many connections an address may have open. Default: 4096.
    pub max_connections_per_address: Option<u32>,
    /// The addresses or networks of proxies whose `X-Forwarded-For` names the client. Default: none.
    pub trusted_proxies: Vec<String>,
    /// How long a request may take to arrive, in milliseconds. Default: 120 000.
    pub request_timeout_ms: Option<u64>,
    /// How long the port still accepts calls after the gateway was told to close, in milliseconds. Default: 0.
    pub drain_delay_ms: Option<u64>,
    /// The certificate with which the port speaks TLS. Without it, the port speaks no TLS.
    pub tls: Option<TlsFiles>,
}

/// The longest drain delay, in milliseconds.
const LONGEST_DRAIN: u64 = 3_600_000;

/// The limit is high, because all callers behind a reverse proxy share its address.
const DEFAULT_CONNECTIONS_PER_ADDRESS: u32 = 4096;

/// Starts to listen; the task ends when the gateway closes.
async fn start(gateway: Gateway, listen: Listen) -> Result<(SocketAddr, JoinHandle<()>)> {
    let host = listen.host.as_deref().unwrap_or("127.0.0.1").trim_matches(['[', ']']).to_owned();
    let port = listen.port.unwrap_or(0);
    let unusable = |error: std::io::Error| {
        Error::new(
            ErrorKind::InvalidOption,
            format!("The gateway cannot listen on {host}, port {port}: {error}."),
        )
        .fix("Choose another `host` or `port`; port 0 takes a free port.")
        .advise(Advice::ListenElsewhere)
    };
    let proxies = Arc::new(TrustedProxies::read(&listen.trusted_proxies)?);
    let limit = listen.requests_per_minute.map(RateLimit::per_minute).transpose()?.map(Arc::new);
    let serving = serving(&gateway, &listen)?;
    let listener = TcpListener::bind((host.as_str(), port)).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    gateway.public_url.listens_at(address, listen.tls.is_some());
    gateway.drain_for(Duration::from_millis(listen.drain_delay_ms.unwrap_or(0)));
    let closing = gateway.closing_token();
    let routes = router(limit.map(|limit| (limit, gateway.clone()))).with_state(gateway);
    let server = threads::serve(listener, closing, serving, move |mut request| {
        proxies.find_client(&mut request);
        answer(routes.clone(), request)
    })
    .map_err(unusable)?;
    Ok((address, server))
}

fn serving(gateway: &Gateway, listen: &Listen) -> Result<Serving> {
    let request_timeout = listen.request_timeout_ms.map_or(threads::REQUEST_TIMEOUT, Duration::from_millis);
    let connections = listen.max_connections_per_address.unwrap_or(DEFAULT_CONNECTIONS_PER_ADDRESS);
    let at_least = |name, least| {
        Error::new(ErrorKind::InvalidOption, format!("{name}: must be at least {least}.")).about(name)
    };
    if connections == 0 {
        return Err(at_least("maxConnectionsPerAddress", 1));
    }
    if request_timeout.is_zero() {
        return Err(at_least("requestTimeout", 1));
    }
    if listen.drain_delay_ms.is_some_and(|delay| delay > LONGEST_DRAIN) {
        let message = format!("drainDelay: must be at most {LONGEST_DRAIN}.");
        return Err(Error::new(ErrorKind::InvalidOption, message).about("drainDelay"));
    }
    let certificate = listen.tls.clone().map(Certificate::read).transpose()?;
    let threads = Handle::current().metrics().num_workers();
    Ok(Serving {
        threads,
        request_timeout,
        connections: Connections::at_most(connections),
        draining: gateway.draining_token(),
        certificate,
        refuse,
    })
}

/// Makes the response to a connection too many or to a head that is not HTTP, which reach no route.
fn refuse(error: Error) -> Vec<u8> {
    let request_id = id::random("req");
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()).unwrap_or_default();
    let (status, body) = Failure::new(error, RequestId(request_id.clone())).into_text();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-request-id: {request_id}\r\n\
        x-proxy-execute: {version}\r\nconnection: close\r\ndate: {date}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The description of the wire (`OpenAPI` 3.1).
pub fn openapi() -> &'static utoipa::openapi::OpenApi {
    static WITH_VERSION: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
        let head = OpenApiRouter::with_openapi(openapi::head());
        let resources = RESOURCES.iter().cloned().fold(head, OpenApiRouter::routes);
        openapi::below(VERSIONS[0], &resources.into_openapi()).merge_from(probes::openapi())
    });
    &WITH_VERSION
}

fn router(limit: Option<(Arc<RateLimit>, Gateway)>) -> Router<Gateway> {
    let mut router = Router::new();
    for (_, paths, methods) in RESOURCES.iter() {
        for (path, version) in paths.paths.keys().flat_map(|path| VERSIONS.map(|version| (path, version))) {
            router = router.route(&format!("{version}{path}"), methods.clone());
        }
    }
    let router = router
        .merge(elsewhere::router())
        .route("/openapi.json", get(openapi_text))
        .route("/mcp/{session_id}", post(mcp::serve))
        .route("/relay/{*rest}", any(relay::relay))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found);
    let router = match limit {
        Some(limit) => router.layer(middleware::from_fn_with_state(limit, rate_limit::apply)),
        None => router,
    };
    // Browsers have no key, so the limit of keys does not apply to the pages. A file's URL belongs to a call
    // that was counted already. A prober must not be refused.
    probes::router()
        .merge(router)
        .merge(connect::router())
        .route("/files/{name}", get(files::get))
        .route("/", get(root::get).fallback(method_not_allowed))
}

/// All readers share one text, so a slow reader holds no copy of it.
async fn openapi_text() -> impl IntoResponse {
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| serde_json::to_vec(openapi()).expect("a description is JSON").into());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone())
}

/// Gives every request an id for its log lines, its response and its error. Adds the gateway's version.
///
/// The version tells a client which features the gateway has. This function wraps all routes. A layer on each
/// route would be created again for every request.
async fn answer(routes: Router, mut request: Request) -> Result<Response, Infallible> {
    let request_id = given_id(request.headers()).unwrap_or_else(|| id::random("req"));
    let header = HeaderValue::from_str(&request_id).expect("an id is ASCII");
    // A user who knows the path of a page can use the page, so the log does not show it.
    let path = request.uri().path();
    let path = if path.starts_with("/connect/") { "/connect/…" } else { path };
    let span = tracing::info_span!(
        "request",
        id = request_id,
        method = %quoted(request.method().as_str()),
        path = quoted(path).to_string()
    );
    // The owner's requests come from this process, and have no head to check.
    let is_owner = request.extensions().get::<Owner>().is_some();
    let refused = head::check(&request).err().filter(|_| !is_owner);
    let is_relay = request.uri().path().starts_with(RELAY);
    if is_relay || request.uri().path().starts_with("/mcp/") {
        caller::take_key(request.headers_mut());
    }
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let mut response = match refused {
        None => routes.oneshot(request).instrument(span).await?,
        Some(error) => {
            let mut response = span.in_scope(|| Failure::new(error, RequestId(request_id)).into_response());
            // The bytes that follow on the connection may not be a request, so the connection is closed.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    };
    let is_relayed = response.extensions().get::<Relayed>().is_some();
    let slug = response.extensions().get::<Error>().and_then(|error| error.body().slug.clone());
    if is_relay && let Some(slug) = slug.and_then(|slug| HeaderValue::from_str(&slug).ok()) {
        response.headers_mut().insert(relay::ERROR, slug);
    }
    // A relayed response keeps the id that the API gave it.
    let name = if is_relayed { relay::REQUEST_ID } else { HeaderName::from_static("x-request-id") };
    response.headers_mut().insert(name, header);
    response.headers_mut().insert("x-proxy-execute", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    Ok(response)
}

/// Upper limit for the id that a caller gives its request.
const LONGEST_REQUEST_ID: usize = 128;

/// Returns the id that the caller gave its request. An id with other characters could forge a part of a log line.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let mut ids = headers.get_all("x-request-id").iter();
    let id = ids.next().filter(|_| ids.next().is_none())?.to_str().ok()?;
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
    (!id.is_empty() && id.len() <= LONGEST_REQUEST_ID && id.bytes().all(is_safe)).then(|| id.to_owned())
}

async fn not_found(request_id: RequestId, request: Request) -> impl IntoResponse {
    if request.method() == Method::CONNECT {
        let error =
            Error::new(ErrorKind::Unsupported, "The gateway opens no tunnels, so it refuses CONNECT.");
        let fix = "Use the gateway as a base URL, such as /relay/{session_id}/{toolkit}, and not as a proxy.";
        return Failure::new(error.fix(fix), request_id);
    }
    let message = format!("There is no route {}.", quoted(request.uri().path()));
    let is_below = VERSIONS
        .iter()
        .any(|version| request.uri().path().strip_prefix(version).is_some_and(|rest| rest.starts_with('/')));
    let error = Error::new(ErrorKind::NotFound, message).fix(if is_below {
        "GET /openapi.json describes every route."
    } else {
        "Paths begin with /api/v3.1 or /api/v3; check baseURL."
    });
    Failure::new(error, request_id)
}

async fn method_not_allowed(request_id: RequestId, request: Request) -> impl IntoResponse {
    let message = format!(
        "{} does not have the method {}.",
        quoted(request.uri().path()),
        quoted(request.method().as_str())
    );
    Failure::new(Error::new(ErrorKind::MethodNotAllowed, message), request_id)
}
