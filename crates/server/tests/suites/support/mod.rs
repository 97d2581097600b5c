//! The helpers that the suites share: an upstream, a gateway that calls it, and requests as text.

mod client;
mod upstream;

use std::future::Future;
use std::time::Duration;

use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{
    Backend, ConnectedAccount, Deadline, Envelope, Error, ErrorKind, ProxyCall, Result, read_json,
};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

pub(crate) use self::client::{HttpAnswer, http, http_bytes, parse};
pub(crate) use self::upstream::{Request, Step, Upstream, answer, gzip, head, json_answer};

/// Waits for an event that must happen soon, with enough time for a slow machine.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it should have happened by now")
}

pub(crate) fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// Toolkits on one origin, one for each way of signing:
/// `bearer`, `header`, `query`, `basic` and `open`, which needs no credential.
pub(crate) fn toolkits(origin: &str) -> Vec<ToolkitSource> {
    let toolkit = |slug: &str, schemes: Value| {
        json!({
            "slug": slug, "name": slug, "base_url": format!("{origin}/v1"), "schemes": schemes,
            "headers": { "X-Toolkit": "default", "User-Agent": "toolkit-agent" },
        })
    };
    [
        toolkit(
            "bearer",
            json!({ "BEARER_TOKEN": { "headers": { "Authorization": "Bearer {{token}}" } },
                                  "OAUTH2": { "headers": { "Authorization": "Bearer {{access_token}}" } } }),
        ),
        toolkit("header", json!({ "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } } })),
        toolkit("query", json!({ "API_KEY": { "query": { "api_key": "{{api_key}}" } } })),
        toolkit(
            "basic",
            json!({ "BASIC": { "basic": { "username": "{{username}}", "password": "{{password}}" } } }),
        ),
        toolkit("open", json!({ "NO_AUTH": {} })),
    ]
    .map(ToolkitSource::Definition)
    .into()
}

/// The credential of each toolkit, which contains `secret`.
pub(crate) fn credential(toolkit: &str, secret: &str) -> Value {
    match toolkit {
        "bearer" => json!({ "authScheme": "BEARER_TOKEN", "val": { "token": secret } }),
        "header" | "query" => json!({ "authScheme": "API_KEY", "val": { "api_key": secret } }),
        "basic" => json!({ "authScheme": "BASIC", "val": { "username": "ann", "password": secret } }),
        "open" => json!({ "authScheme": "NO_AUTH", "val": {} }),
        other => panic!("no such toolkit here: {other}"),
    }
}

/// Options of a gateway in memory that may call this upstream.
pub(crate) fn options(upstream: &Upstream) -> GatewayOptions {
    GatewayOptions {
        toolkits: toolkits(upstream.origin()),
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        allow_private_redirects: vec!["127.0.0.1".to_owned()],
        allow_private_bodies: vec!["127.0.0.1".to_owned()],
        allow_private_webhooks: vec!["127.0.0.1".to_owned()],
        ..GatewayOptions::default()
    }
}

/// Opens a gateway in memory that may call this upstream.
pub(crate) async fn gateway(upstream: &Upstream) -> Embedded {
    Embedded::open(options(upstream)).await.unwrap()
}

/// Imports a credential.
pub(crate) async fn import(
    gateway: &Embedded,
    user: &str,
    toolkit: &str,
    credential: Value,
) -> ConnectedAccount {
    try_import(gateway, user, toolkit, credential).await.unwrap()
}

/// Imports a credential that the gateway may refuse.
pub(crate) async fn try_import(
    gateway: &Embedded,
    user: &str,
    toolkit: &str,
    credential: Value,
) -> Result<ConnectedAccount> {
    let request = json!({ "user_id": user, "toolkit": toolkit, "credential": credential });
    soon(gateway.import_account(read_json(request.to_string().as_bytes())?)).await
}

/// Opens a session, and returns its id.
pub(crate) async fn session(gateway: &Embedded, user: &str) -> String {
    session_with(gateway, json!({ "user_id": user })).await.unwrap()["session_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Opens a session with a request of the wire, and returns the response of the wire.
pub(crate) async fn session_with(gateway: &Embedded, request: Value) -> Result<Value> {
    resource(gateway, "POST", &["tool_router", "session"], request).await
}

/// Changes a session.
pub(crate) async fn update(gateway: &Embedded, id: &str, request: Value) -> Result<Value> {
    resource(gateway, "PATCH", &["tool_router", "session", id], request).await
}

/// Reads a session.
pub(crate) async fn read_session(gateway: &Embedded, id: &str) -> Result<Value> {
    resource(gateway, "GET", &["tool_router", "session", id], Value::Null).await
}

/// Requests a resource.
pub(crate) async fn resource(gateway: &Embedded, method: &str, path: &[&str], body: Value) -> Result<Value> {
    let request = json!({ "method": method, "path": path, "body": body });
    let request = read_json(request.to_string().as_bytes()).unwrap();
    let answer = soon(gateway.resource(request, deadline())).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

/// Makes a call in a session.
pub(crate) async fn call(gateway: &Embedded, session: &str, request: Value) -> Result<Answer> {
    call_text(gateway, session, &request.to_string()).await
}

/// Makes a call whose request must reach the gateway exactly as it is written.
pub(crate) async fn call_text(gateway: &Embedded, session: &str, request: &str) -> Result<Answer> {
    soon(gateway.proxy_execute(session, written(request), deadline())).await.map(Answer::from)
}

/// Makes a call without a session.
pub(crate) async fn tools_call(gateway: &Embedded, request: Value) -> Result<Answer> {
    soon(gateway.tools_proxy_execute(written(request), deadline())).await.map(Answer::from)
}

/// A call with this request.
pub(crate) fn written(request: impl ToString) -> ProxyCall {
    ProxyCall::Written { text: request.to_string(), data_as_text: false }
}

/// The request of a GET of `/x` on a toolkit.
pub(crate) fn get(toolkit: &str) -> Value {
    json!({ "toolkit_slug": toolkit, "endpoint": "/x", "method": "GET" })
}

/// Adds header parameters to a request.
pub(crate) fn with_headers(mut request: Value, headers: &[(&str, &str)]) -> Value {
    request["parameters"] = headers
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value, "type": "header" }))
        .collect();
    request
}

/// A gateway with an upstream, one account and one session, for suites that only make calls.
pub(crate) struct Caller {
    pub(crate) gateway: Embedded,
    pub(crate) session: String,
    pub(crate) toolkit: String,
}

impl Caller {
    /// Opens a gateway with a user of `toolkit` whose credential is `secret`.
    pub(crate) async fn new(upstream: &Upstream, toolkit: &str, secret: &str) -> Self {
        Self::with(options(upstream), toolkit, secret).await
    }

    pub(crate) async fn with(options: GatewayOptions, toolkit: &str, secret: &str) -> Self {
        let gateway = Embedded::open(options).await.unwrap();
        import(&gateway, "ann", toolkit, credential(toolkit, secret)).await;
        let session = session(&gateway, "ann").await;
        Self { gateway, session, toolkit: toolkit.to_owned() }
    }

    pub(crate) async fn call(&self, method: &str, endpoint: &str) -> Result<Answer> {
        self.send(json!({ "endpoint": endpoint, "method": method })).await
    }

    pub(crate) async fn get(&self) -> Result<Answer> {
        self.call("GET", "/x").await
    }

    /// Sends a request on this caller's toolkit.
    pub(crate) async fn send(&self, mut request: Value) -> Result<Answer> {
        request["toolkit_slug"] = json!(self.toolkit);
        call(&self.gateway, &self.session, request).await
    }
}

/// The result of a proxied call, as its text.
pub(crate) struct Answer {
    pub(crate) text: String,
}

impl From<Envelope> for Answer {
    fn from(envelope: Envelope) -> Self {
        Self { text: envelope.into_text() }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text.chars().take(2_000).collect::<String>())
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn status(&self) -> u64 {
        self.json()["status"].as_u64().unwrap()
    }

    pub(crate) fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// A header of the upstream's response, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.json()["headers"].get(name).map(|value| value.as_str().unwrap().to_owned())
    }

    /// The bytes of `data`, as they stand in the text.
    pub(crate) fn raw_data(&self) -> &str {
        let start = self.text.find(r#","data":"#).unwrap() + r#","data":"#.len();
        &self.text[start..self.text.len() - 1]
    }
}

/// Asserts the kind of an error, and that its message contains a text.
#[track_caller]
pub(crate) fn assert_error<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, says: &str) -> Error {
    let error = result.expect_err("it should have been refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "it should say {says:?}: {error}");
    error
}
