//! The server that the benchmark calls. It responds at once, on one thread, so that the figures are those of
//! the caller.
//!
//! It is two servers in one: a backend of the documented wire, which responds to proxied calls without an
//! upstream, and an upstream for gateways. The session's id or the path selects the response: see
//! [`answers`]. It listens twice, once with TLS, where it offers HTTP/2. It prints its URLs and its
//! certificate as JSON once it listens. It ends with its standard input, so that it never outlives the
//! benchmark.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Status and text by name; `data` is the text alone, as an upstream sends it.
struct Answers {
    envelopes: HashMap<&'static str, (StatusCode, Bytes)>,
    data: HashMap<&'static str, (StatusCode, Bytes)>,
}

fn main() -> std::io::Result<()> {
    std::thread::spawn(|| {
        // After an end or an error of the input, the benchmark has ended.
        _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let (plain, tls) = (listen().await?, listen().await?);
    let certificate =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a name is all it takes");
    let said = json!({
        "url": format!("http://{}", plain.local_addr()?),
        "tlsUrl": format!("https://{}", tls.local_addr()?),
        "certificate": certificate.cert.pem(),
    });
    println!("{said}");

    let key = PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate.cert.der().clone()], key.into())
            })
            .expect("the provider supports TLS and the key is that of the certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let routes = routes();
    tokio::try_join!(accept(plain, routes.clone(), None), accept(tls, routes, Some(acceptor)))?;
    Ok(())
}

async fn listen() -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await
}

async fn accept(listener: TcpListener, routes: Router, tls: Option<TlsAcceptor>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (service, tls) = (TowerToHyperService::new(routes.clone()), tls.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // The caller reports a connection that breaks.
            match tls {
                None => _ = server.serve_connection(TokioIo::new(stream), service).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        _ = server.serve_connection(TokioIo::new(stream), service).await;
                    }
                }
            }
        });
    }
}

fn routes() -> Router {
    let session = |id: &str| {
        let config = json!({ "user_id": "user_bench" });
        let mcp = json!({ "type": "http", "url": "http://127.0.0.1/mcp" });
        json!({ "session_id": id, "mcp": mcp, "tool_router_tools": [], "config": config, "config_version": 1 })
    };
    let new = session("trs_1k").to_string();
    Router::new()
        .route(
            "/api/v3.1/tool_router/session",
            post(move |_: Bytes| async { (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], new) }),
        )
        .route(
            "/api/v3.1/tool_router/session/{id}",
            get(move |Path(id): Path<String>| async move {
                ([(CONTENT_TYPE, "application/json")], session(&id).to_string())
            }),
        )
        // Both read the whole request before they respond, as a real server would.
        .route(
            "/api/v3.1/tool_router/session/{id}/proxy_execute",
            post(async |Path(id): Path<String>, State(answers): State<Arc<Answers>>, _: Bytes| {
                answer(answers.envelopes.get(id.trim_start_matches("trs_")))
            }),
        )
        .route(
            "/data/{name}",
            any(async |Path(name): Path<String>, State(answers): State<Arc<Answers>>, _: Bytes| {
                answer(answers.data.get(name.as_str()))
            }),
        )
        .with_state(Arc::new(answers()))
        .layer(axum::extract::DefaultBodyLimit::disable())
}

fn answer(found: Option<&(StatusCode, Bytes)>) -> Response {
    match found {
        Some((status, text)) => (*status, [(CONTENT_TYPE, "application/json")], text.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `1k`, `100k` and `10m` in ASCII, and the same in Czech; the errors `429` and `500`.
fn answers() -> Answers {
    let (mut envelopes, mut data) = (HashMap::new(), HashMap::new());
    let headers = json!({ "content-type": "application/json", "x-ratelimit-remaining": "4999" });
    let ascii = "I'm having a problem with this. It happens on every second start, and only if the cache was \
                 filled before. The log ends with the line that opens the index.";
    let czech = "Mám s tím potíže. Děje se to při každém druhém spuštění, a jen když už byla mezipaměť plná. \
                 Výpis končí řádkem, který otevírá rejstřík. 🙂";
    for (name, issues, text) in [
        ("1k", 1, ascii),
        ("100k", 92, ascii),
        ("10m", 9_400, ascii),
        ("1k-czech", 1, czech),
        ("100k-czech", 92, czech),
        ("10m-czech", 9_400, czech),
    ] {
        let value = match issues {
            1 => issue(1_296_269, text),
            _ => (0..issues).map(|number| issue(number, text)).collect(),
        };
        let envelope = json!({ "status": 200, "headers": headers, "data": value });
        envelopes.insert(name, (StatusCode::OK, Bytes::from(envelope.to_string())));
        data.insert(name, (StatusCode::OK, Bytes::from(value.to_string())));
    }
    for (name, status, slug) in [
        ("429", StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded"),
        ("500", StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
    ] {
        let error = json!({ "error": { "message": "It failed.", "slug": slug, "status": status.as_u16(),
                                       "code": 1, "request_id": "req_bench" } });
        envelopes.insert(name, (status, Bytes::from(error.to_string())));
    }
    Answers { envelopes, data }
}

/// About 1 KB of JSON, in the form of an issue tracker's response.
fn issue(id: u32, text: &str) -> Value {
    json!({
        "id": id,
        "node_id": "MDU6SXNzdWUx",
        "url": "https://api.example.com/repos/octocat/hello-world/issues/1347",
        "html_url": "https://example.com/octocat/hello-world/issues/1347",
        "number": 1347,
        "state": "open",
        "title": "Found a bug",
        "body": text,
        "user": {
            "login": "octocat",
            "id": 1,
            "url": "https://api.example.com/users/octocat",
            "type": "User",
            "site_admin": false
        },
        "labels": [
            { "id": 208_045_946, "name": "bug", "color": "f29513", "default": true },
            { "id": 208_045_947, "name": "help wanted", "color": "008672", "default": false }
        ],
        "assignees": [{ "login": "hubot", "id": 2, "type": "User", "site_admin": false }],
        "locked": true,
        "comments": 3,
        "closed_at": null,
        "created_at": "2026-04-22T13:33:48Z",
        "updated_at": "2026-04-22T13:33:48Z",
        "reactions": { "+1": 3, "-1": 0, "laugh": 0, "heart": 1, "eyes": 1 },
        "author_association": "COLLABORATOR"
    })
}
