//! Builds the reqwest clients, and their connections.

use std::time::Duration;

use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::Connection;
use reqwest::{Proxy, redirect, retry};
use rustls::ClientConfig;
use tokio::time::timeout;
use tower::util::MapFutureLayer;

use crate::BoxError;
use crate::head::{MAX_HEADER_LIST, MAX_HEADERS};
use crate::progress::{note_connection, noting_connecting};
use crate::proxies::Proxies;
use crate::resolver::Resolver;

/// Upper limit for making a connection, including name resolution, proxy and TLS.
///
/// reqwest's own limit would give each address of a name only a share of the time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings that all reqwest clients of a [`Client`](crate::Client) share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) tls: ClientConfig,
    pub(crate) resolver: Resolver,
    pub(crate) proxies: Option<Proxies>,
    pub(crate) idle_timeout: Duration,
    pub(crate) ping_interval: Option<Duration>,
}

/// The connection was not made in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
struct ConnectTimeout;

impl Settings {
    /// Builds a client with its own connections. It retries a request that the server refused unprocessed
    /// (RFC 9113 §8.7), twice at most.
    pub(crate) fn client(&self) -> reqwest::Client {
        build(self.builder())
    }

    /// Builds a client that only speaks HTTP/1.1. HTTP/1.1 cannot refuse a request unprocessed, so this
    /// client keeps no copy of a request.
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

/// Makes a connection within the limit, and notes its progress.
async fn connect<C: Connection>(connecting: BoxFuture<'static, Result<C, BoxError>>) -> Result<C, BoxError> {
    let connection =
        noting_connecting(timeout(CONNECT_TIMEOUT, connecting)).await.map_err(|_| ConnectTimeout)??;
    note_connection(connection.connected().is_negotiated_h2());
    Ok(connection)
}
