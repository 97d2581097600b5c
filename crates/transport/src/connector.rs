//! Making a connection: name look-up, TCP, the proxy if there is one, TLS, all within a time.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use rustls::ClientConfig;
use tower::{Service, ServiceExt};

use crate::BoxError;
use crate::connection::Connection;
use crate::deadline::noting_connecting;
use crate::proxies::Proxies;
use crate::resolver::Resolver;

/// How long making a connection may take, name look-up, proxy and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After how long without traffic, and how often from then on, the other side is asked whether it is
/// still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// After how many such questions without an answer a connection is given up.
const KEEP_ALIVE_RETRIES: u32 = 3;

/// After how long what was sent and is not acknowledged ends the connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes connections. Cheap to clone, as the pool does with every request.
#[derive(Debug, Clone)]
pub(crate) struct Connector(Arc<Ways>);

#[derive(Debug)]
struct Ways {
    tcp: HttpConnector<Resolver>,
    tls: Arc<ClientConfig>,
    /// To a proxy HTTP/1.1 is spoken, whatever the server behind it speaks.
    tls_to_proxy: Arc<ClientConfig>,
    proxies: Option<Proxies>,
}

/// No connection came about in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
struct ConnectTimeout;

impl Connector {
    pub(crate) fn new(tls: ClientConfig, resolver: Resolver, proxies: Option<Proxies>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        tcp.set_keepalive_retries(Some(KEEP_ALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(USER_TIMEOUT));
        let mut tls_to_proxy = tls.clone();
        tls_to_proxy.alpn_protocols.clear();
        Self(Arc::new(Ways { tcp, tls: Arc::new(tls), tls_to_proxy: Arc::new(tls_to_proxy), proxies }))
    }

    /// The proxy that requests to a URL go through.
    pub(crate) fn proxy_to(&self, url: &Uri) -> Option<Intercept> {
        self.0.proxies.as_ref()?.intercept(url)
    }

    async fn connect(self, to: Uri) -> Result<Connection, BoxError> {
        let https = |tls: &Arc<ClientConfig>| HttpsConnector::from((self.0.tcp.clone(), Arc::clone(tls)));
        let Some(proxy) = self.proxy_to(&to) else {
            let stream = https(&self.0.tls).oneshot(to).await?;
            return Ok(Connection { stream: MaybeHttpsStream::Http(stream), forwarded: false });
        };
        let to_proxy = https(&self.0.tls_to_proxy);
        if to.scheme() != Some(&Scheme::HTTPS) {
            let stream = to_proxy.oneshot(proxy.uri().clone()).await?;
            return Ok(Connection { stream: MaybeHttpsStream::Http(stream), forwarded: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(credential) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credential.clone());
        }
        let stream = HttpsConnector::from((tunnel, Arc::clone(&self.0.tls))).oneshot(to).await?;
        Ok(Connection { stream, forwarded: false })
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Connection, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, self.clone().connect(to));
        Box::pin(noting_connecting(async { connection.await.map_err(|_| ConnectTimeout)? }))
    }
}
