//! Requests over real sockets, to servers that hang and refuse, and through proxies.

pub(crate) mod codings;
mod connecting;
mod decoding;
mod framing;
mod handshakes;
mod heads;
mod proxies;
mod refusals;
mod runtimes;
mod server;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use http::{HeaderMap, Method};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::proxies::Proxies;
use crate::resolver::Resolver;
use crate::settings::Settings;
use crate::{AddressFilter, Body, Client, Error, Request, Response, whole};

/// Returns the TLS settings of a server and a client, with a certificate for `localhost` and `127.0.0.1`.
fn tls(protocols: &[&str]) -> (ServerConfig, ClientConfig) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    server.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (server, client)
}

fn client(tls: ClientConfig, filter: Option<AddressFilter>, proxies: Option<Proxies>) -> Client {
    Client::over(Settings {
        tls,
        resolver: Resolver { filter },
        proxies,
        idle_timeout: Duration::from_secs(50),
        ping_interval: None,
    })
}

/// A client that does not use TLS.
fn plain_client() -> Client {
    client(tls(&[]).1, None, None)
}

fn post(url: &str, body: Body) -> Request {
    Request { method: Method::POST, url: url.parse().unwrap(), headers: HeaderMap::new(), body }
}

fn get(url: &str) -> Request {
    Request { method: Method::GET, ..post(url, whole("")) }
}

async fn text(response: Response) -> String {
    let chunks: Vec<_> = response.into_body().try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

/// Returns the messages of an error and all its causes.
fn chain(error: &Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    causes.join(": ")
}
