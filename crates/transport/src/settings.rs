//! How a client of reqwest is built, and how it makes connections.

use std::time::Duration;

use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::Connection;
use reqwest::{Proxy, redirect, retry};
use rustls::ClientConfig;
use tokio::time::timeout;
use tower::util::MapFutureLayer;

use crate::BoxError;
use crate::framing::{MAX_HEADER_LIST, MAX_HEADERS};
use crate::progress::{note_connection, noting_connecting};
use crate::proxies::Proxies;
use crate::resolver::Resolver;

/// How long making a connection may take, name look-up, proxy and TLS included. reqwest's own limit
/// would give each address of a name a share of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What all clients of a [`Client`](crate::Client) have in common.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) tls: ClientConfig,
    pub(crate) resolver: Resolver,
    pub(crate) proxies: Option<Proxies>,
    pub(crate) idle_timeout: Duration,
    pub(crate) ping_interval: Option<Duration>,
}

/// No connection came about in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
struct ConnectTimeout;

impl Settings {
    /// A client with connections of its own. What a server refused unprocessed (RFC 9113 §8.7) it sends
    /// again, twice at most.
    pub(crate) fn client(&self) -> reqwest::Client {
        build(self.builder())
    }

    /// A client that only speaks HTTP/1.1, which has no way to refuse a request unprocessed. So it needs
    /// no copy of a request.
    pub(crate) fn plain_client(&self) -> reqwest::Client {
        build(self.builder().retry(retry::never().max_retries_per_request(0)))
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(self.resolver.clone())
            .connector_layer(MapFutureLayer::new(connect))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(self.idle_timeout)
            .http1_max_headers(MAX_HEADERS)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http2_max_header_list_size(MAX_HEADER_LIST)
            .http2_keep_alive_interval(self.ping_interval);
        match self.proxies.clone() {
            Some(proxies) => builder.proxy(Proxy::custom(move |url| proxies.proxy_to(url).cloned())),
            None => builder,
        }
    }
}

fn build(builder: reqwest::ClientBuilder) -> reqwest::Client {
    builder.build().expect("reqwest uses this version of rustls")
}

/// Makes a connection in time, and notes how far it is.
async fn connect<C: Connection>(connecting: BoxFuture<'static, Result<C, BoxError>>) -> Result<C, BoxError> {
    let connection =
        noting_connecting(timeout(CONNECT_TIMEOUT, connecting)).await.map_err(|_| ConnectTimeout)??;
    note_connection(connection.connected().is_negotiated_h2());
    Ok(connection)
}
