//! Calls over real sockets, to servers that respond, stall, send nonsense and hang up.

mod deadlines;
mod failures;
mod redirects;
mod requests;
mod retries;
mod server;

use std::time::Duration;

use proxy_execute_protocol::{
    Backend, Deadline, Envelope, Method, ProxyRequest, ResourceMethod, ResourceRequest, Result,
};
use tokio::net::TcpSocket;

use self::server::{Server, Step, answer};
use crate::{Remote, RemoteOptions};

const SESSION: &str = r#"{"session_id":"trs_1","mcp":{},"config":{}}"#;
const ENVELOPE: &str = r#"{"status":200,"headers":{},"data":{"id":12345678901234567890}}"#;
const UNAVAILABLE: &str = r#"{"error":{"message":"The gateway is closing.","slug":"GatewayClosed"}}"#;

fn options(base_url: &str) -> RemoteOptions {
    RemoteOptions {
        api_key: "ak_canary_key".into(),
        base_url: base_url.to_owned(),
        api_version: None,
        max_retries: None,
        default_headers: vec![("x-tenant".to_owned(), "canary_header".to_owned())],
    }
}

/// A remote that hardly waits between attempts.
fn remote(base_url: &str) -> Remote {
    let mut remote = Remote::new(options(base_url)).unwrap();
    remote.retry.base = Duration::from_millis(1);
    remote
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn proxied(method: Method) -> ProxyRequest {
    let json = format!(
        r#"{{"toolkit_slug":"github","endpoint":"/user?q=canary_query","method":"{method}",
            "body":{{"note":"canary_body"}},
            "parameters":[{{"name":"x","value":"canary_parameter","type":"header"}}]}}"#
    );
    serde_json::from_str(&json).unwrap()
}

/// A call that only reads, both at the backend and at the API behind it.
async fn read(remote: &Remote) -> Result<String> {
    remote.resource(of_session(ResourceMethod::Get, None), soon()).await
}

/// A request about a session, which is `trs_1` or a new one.
fn of_session(method: ResourceMethod, body: Option<&str>) -> ResourceRequest {
    let id = (method != ResourceMethod::Post).then_some("trs_1");
    let body = body.map(|body| serde_json::from_str(body).unwrap());
    ResourceRequest { body, ..ResourceRequest::new(method, ["tool_router", "session"].into_iter().chain(id)) }
}

/// A call that may write.
async fn write(remote: &Remote) -> Result<Envelope> {
    remote.proxy_execute("trs_1", proxied(Method::Post).into(), soon()).await
}

fn session() -> Step {
    Step::Answer(answer(200, &["content-type: application/json"], SESSION))
}

fn envelope() -> Step {
    Step::Answer(answer(200, &["content-type: application/json"], ENVELOPE))
}

/// An address that refuses connections for as long as the socket lives.
fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let origin = format!("http://{}", socket.local_addr().unwrap());
    (socket, origin)
}
