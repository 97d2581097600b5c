//! The proxy settings of the environment. A test cannot change its own environment safely, so each
//! runs again in its own process.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use proxy_execute_client::{Remote, RemoteOptions};
use proxy_execute_protocol::{Backend, Deadline, ErrorKind, ResourceMethod, ResourceRequest};

async fn ask(base_url: &str) -> proxy_execute_protocol::Result<String> {
    let options = RemoteOptions {
        api_key: "ak_canary_key".into(),
        base_url: base_url.to_owned(),
        api_version: None,
        max_retries: Some(0),
        default_headers: Vec::new(),
    };
    let deadline = Deadline::after(Duration::from_secs(20));
    let request = ResourceRequest::new(ResourceMethod::Get, ["tool_router", "session", "trs_1"]);
    Remote::new(options)?.resource(request, deadline).await
}

/// Runs an ignored test of this file with an environment and says whether it passed.
fn passes(test: &str, environment: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", test])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A proxy that takes one request, returns its head, and responds with a session.
fn proxy() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let body = r#"{"session_id":"trs_1","mcp":{},"config":{}}"#;
        let length = body.len();
        write!(&stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .unwrap();
        head.join("\n")
    });
    (address, thread)
}

#[test]
fn http_proxy_is_used() {
    let (address, proxy) = proxy();
    passes("calls_a_backend_that_only_the_proxy_reaches", &[("HTTP_PROXY", &address)]);
    let head = proxy.join().unwrap();
    assert!(head.starts_with("GET http://backend.invalid/api/v3.1/tool_router/session/trs_1 "), "{head}");
}

#[tokio::test]
#[ignore = "http_proxy_is_used runs it"]
async fn calls_a_backend_that_only_the_proxy_reaches() {
    assert!(ask("http://backend.invalid").await.unwrap().contains("trs_1"));
}

#[test]
fn https_proxy_gets_a_tunnel_and_no_key() {
    let (address, proxy) = proxy();
    passes("requests_a_tunnel_that_the_proxy_refuses", &[("HTTPS_PROXY", &address)]);
    let head = proxy.join().unwrap();
    assert!(head.starts_with("CONNECT backend.invalid:443 "), "{head}");
    assert!(!head.contains("canary"), "{head}");
}

#[tokio::test]
#[ignore = "https_proxy_gets_a_tunnel_and_no_key runs it"]
async fn requests_a_tunnel_that_the_proxy_refuses() {
    let error = ask("https://backend.invalid").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
}

#[test]
fn no_proxy_goes_around_it() {
    // Nothing listens there: a request by way of the proxy would not come back as a look-up error.
    let environment = [("HTTP_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "backend.invalid")];
    passes("calls_a_backend_without_an_address", &environment);
}

#[tokio::test]
#[ignore = "no_proxy_goes_around_it runs it"]
async fn calls_a_backend_without_an_address() {
    let error = ask("http://backend.invalid").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!error.to_string().contains("refused"), "{error}");
}

#[test]
fn unusable_extra_certificates_are_named_by_the_first_call() {
    passes("calls_with_extra_certificates_that_are_missing", &[("NODE_EXTRA_CA_CERTS", "/nonexistent.pem")]);
}

#[tokio::test]
#[ignore = "unusable_extra_certificates_are_named_by_the_first_call runs it"]
async fn calls_with_extra_certificates_that_are_missing() {
    let error = ask("https://backend.invalid").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("/nonexistent.pem"), "{error}");
}
