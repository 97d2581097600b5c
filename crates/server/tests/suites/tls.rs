//! TLS of the port, with a real client: versions of HTTP, large responses, renewed certificates, refusals.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::http as http_types;
use proxy_execute_protocol::ErrorKind;
use proxy_execute_server::{Embedded, Listen, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::port::{Port, assert_refused};
use crate::support::{
    HttpAnswer, Upstream, assert_error, get, http, json_answer, options, parse, resource, soon,
};

/// Writes a certificate for `localhost`, and its key.
fn write(folder: &Path) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    fs::write(&files.cert, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    files
}

async fn port(upstream: &Upstream, files: &TlsFiles) -> Port {
    Port::listening(options(upstream), Listen { tls: Some(files.clone()), ..Listen::default() }).await
}

/// Opens a connection to a client that trusts this certificate only.
async fn connect(
    address: SocketAddr,
    cert: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

fn certificate(files: &TlsFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.cert).unwrap()
}

/// Sends a request over HTTP/1.1, and reads the response to the end of the connection.
async fn ask(port: &Port, files: &TlsFiles, request: &str) -> HttpAnswer {
    let mut stream = connect(port.address, &certificate(files), "http/1.1").await.unwrap();
    soon(async {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        parse(&bytes)
    })
    .await
}

#[tokio::test]
async fn the_port_speaks_both_versions_of_http_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path());
    let port = port(&Upstream::pleasant().await, &files).await;
    let id = &port.caller.session;
    let head = format!("Host: localhost:9\r\nx-api-key: {}\r\nConnection: close\r\n", port.key);
    let read =
        ask(&port, &files, &format!("GET /api/v3.1/tool_router/session/{id} HTTP/1.1\r\n{head}\r\n")).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json()["mcp"]["url"], format!("https://localhost:9/mcp/{id}"));

    let stream = connect(port.address, &certificate(&files), "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http_types::Request::get("https://localhost/health").body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 200);
    connection.abort();
    // A URL that no caller's origin is known for has the scheme of the port, too.
    let path = ["tool_router", "session", id, "link"];
    let link = resource(&port.caller.gateway, "POST", &path, json!({ "toolkit": "query" })).await.unwrap();
    let link = link["redirect_url"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("https://{}/connect/", port.address)), "{link}");
}

#[tokio::test]
async fn a_large_response_reaches_a_slow_reader_whole() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path());
    let text = "0123456789".repeat(300_000);
    let port = port(&Upstream::always(json_answer(json!(text).to_string())).await, &files).await;
    let body = get("header").to_string();
    let request = format!(
        "POST /api/v3.1/tool_router/session/{}/proxy_execute HTTP/1.1\r\nHost: localhost\r\nx-api-key: {}\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        port.caller.session,
        port.key,
        body.len()
    );
    let mut stream = connect(port.address, &certificate(&files), "http/1.1").await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 10_000];
    loop {
        match soon(stream.read(&mut chunk)).await.unwrap() {
            0 => break,
            read => bytes.extend_from_slice(&chunk[..read]),
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(parse(&bytes).json()["data"], json!(text));
}

#[tokio::test]
async fn a_renewed_certificate_is_used_for_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path());
    let port = port(&Upstream::pleasant().await, &files).await;
    let first = certificate(&files);
    let mut open = connect(port.address, &first, "http/1.1").await.unwrap();
    write(folder.path());
    let second = certificate(&files);
    // The port looks at the files once a second.
    soon(async {
        while connect(port.address, &second, "http/1.1").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(connect(port.address, &first, "http/1.1").await.is_err());
    soon(async {
        open.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut bytes = Vec::new();
        open.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(parse(&bytes).status, 200, "an open connection goes on");
    })
    .await;
}

#[tokio::test]
async fn a_request_without_tls_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path());
    let port = port(&Upstream::pleasant().await, &files).await;
    let answer = http(port.address, "GET", "/health", &[], "").await;
    assert_refused(&answer, 400, "InvalidRequest", "https");
    // A head that hyper cannot read has the envelope over TLS, too.
    let malformed = ask(&port, &files, "GET /health HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n").await;
    assert_refused(&malformed, 400, "InvalidRequest", "not valid HTTP");
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_opens_no_port() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path());
    let key = fs::read(&files.key).unwrap();
    write(folder.path());
    fs::write(&files.key, key).unwrap();
    let gateway = Embedded::open(options(&Upstream::pleasant().await)).await.unwrap();
    let listening = gateway.listen(Listen { tls: Some(files), ..Listen::default() }).await;
    let error = assert_error(listening, ErrorKind::InvalidOption, "is not the key of the certificate");
    assert_eq!(error.field(), Some("tls.key"));
}
