//! HTTP requests to the gateway's port, byte by byte.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// A response of the port.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl HttpAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends one request on a new connection.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    http_bytes(address, request.as_bytes()).await
}

/// Sends these bytes, and reads a response that ends with the connection.
pub(crate) async fn http_bytes(address: SocketAddr, request: &[u8]) -> HttpAnswer {
    soon(async {
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let mut bytes = Vec::new();
        // A server that refuses early closes while the request is still being written.
        let (_, read) = tokio::join!(writer.write_all(request), reader.read_to_end(&mut bytes));
        drop(read);
        parse(&bytes)
    })
    .await
}

pub(crate) fn parse(bytes: &[u8]) -> HttpAnswer {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    HttpAnswer { status, headers, body: body.to_owned() }
}
