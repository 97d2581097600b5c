//! The client: connections that are kept, requests that a server refused unprocessed, decoding.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue, PROXY_AUTHORIZATION, RANGE};
use http::uri::Scheme;
use http::{Request, StatusCode};
use http_body_util::Either;
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use crate::body::{Body, Failure, ResponseBody};
use crate::connector::Connector;
use crate::decode::Decoded;
use crate::framing::{self, BadHead, Framed, MAX_BUFFER, MAX_HEADER_LIST, MAX_HEADERS};
use crate::handshakes::Handshakes;
use crate::in_flight::InFlight;
use crate::proxies::Proxies;
use crate::resolver::Resolver;
use crate::trust::client_config;
use crate::{AddressFilter, BoxError, TrustError};

/// How often a request is sent once more that an HTTP/2 server refused unprocessed.
const MAX_REFUSALS: usize = 2;

/// An answer, up to its head.
pub type Response = http::Response<ResponseBody>;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its body could not be read to its end.
    #[error("the body of the request failed")]
    Body(#[source] BoxError),
    /// The head of the response is refused.
    #[error(transparent)]
    Head(BadHead),
    /// Anything else.
    #[error(transparent)]
    Http(legacy::Error),
}

impl Error {
    /// Whether no connection could be made, so that nothing was sent.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_connect())
    }

    /// Whether the head of the response is over [`MAX_HEAD`](crate::MAX_HEAD).
    pub fn is_head_too_large(&self) -> bool {
        match self {
            Self::Head(BadHead::TooLarge) => true,
            Self::Http(error) => std::error::Error::source(error)
                .and_then(|cause| cause.downcast_ref::<hyper::Error>())
                .is_some_and(hyper::Error::is_parse_too_large),
            Self::Head(_) | Self::Body(_) => false,
        }
    }
}

/// How a client is used.
#[derive(Debug)]
pub struct Options {
    /// Whether the environment's proxies are used: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, but for
    /// the hosts of `NO_PROXY`.
    pub environment_proxies: bool,
    /// Chooses among the addresses of a name. Default: all of them. An address in the place of a
    /// name is not asked about.
    pub address_filter: Option<AddressFilter>,
    /// How long a connection is kept that is not used.
    pub idle_timeout: Duration,
    /// How often an HTTP/2 connection with a request on it is asked whether it still works.
    pub ping_interval: Option<Duration>,
    /// How many times its size a decoded body may have, beyond its first MiB. Default: no limit.
    pub max_expansion: Option<u64>,
}

/// A client. It shares its connections among all requests that are made in one runtime; they may be
/// made at once.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    builder: legacy::Builder,
    max_expansion: Option<u64>,
    /// One for each runtime, which drives its connections and without which they end.
    pub(crate) pools: RwLock<Vec<Pool>>,
}

/// The connections of a runtime.
#[derive(Debug)]
pub(crate) struct Pool {
    runtime: runtime::Id,
    connections: Arc<Connections>,
    /// Its other end is in a task of the runtime, so that it is closed when the runtime has ended.
    end: oneshot::Sender<Infallible>,
}

#[derive(Debug)]
struct Connections {
    client: legacy::Client<Connector, Body>,
    handshakes: Handshakes,
}

impl Connections {
    async fn request(
        &self,
        mut request: Request<Body>,
    ) -> Result<(http::Response<Incoming>, InFlight), legacy::Error> {
        let in_flight = InFlight::new(&mut request);
        let mut turn = self.handshakes.turn(request.uri()).await;
        let mut response = pin!(self.client.request(request));
        let result = poll_fn(|context| {
            let polled = response.as_mut().poll(context);
            if turn.is_some()
                && let Some(speaks_http2) = in_flight.speaks_http2()
                && let Some(turn) = turn.take()
            {
                turn.connected(speaks_http2);
            }
            polled
        })
        .await;
        if let Some(turn) = turn {
            turn.end();
        }
        result.map(|response| (response, in_flight))
    }
}

impl Client {
    /// A client that trusts what Node.js trusts. Nothing is connected before the first request.
    ///
    /// # Errors
    /// When `NODE_EXTRA_CA_CERTS` is set and unusable.
    pub fn new(options: Options) -> Result<Self, TrustError> {
        let Options { environment_proxies, address_filter, idle_timeout, ping_interval, max_expansion } =
            options;
        let proxies = environment_proxies.then(Proxies::from_env);
        let connector = Connector::new(client_config()?, Resolver { filter: address_filter }, proxies);
        Ok(Self { max_expansion, ..Self::over(connector, idle_timeout, ping_interval) })
    }

    pub(crate) fn over(
        connector: Connector,
        idle_timeout: Duration,
        ping_interval: Option<Duration>,
    ) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle_timeout)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(MAX_BUFFER)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http2_max_header_list_size(MAX_HEADER_LIST)
            .http2_keep_alive_interval(ping_interval);
        Self { connector, builder, max_expansion: None, pools: RwLock::default() }
    }

    /// The connections of this runtime.
    fn pooled(&self) -> Arc<Connections> {
        let here = Handle::current().id();
        let of = |pools: &[Pool]| {
            pools.iter().find(|pool| pool.runtime == here).map(|pool| Arc::clone(&pool.connections))
        };
        if let Some(connections) = of(&self.pools.read().unwrap_or_else(PoisonError::into_inner)) {
            return connections;
        }
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        of(&pools).unwrap_or_else(|| {
            pools.retain(|pool| !pool.end.is_closed());
            let client = self.builder.build(self.connector.clone());
            let connections = Arc::new(Connections { client, handshakes: Handshakes::default() });
            let (end, dropped) = oneshot::channel();
            tokio::spawn(dropped);
            pools.push(Pool { runtime: here, connections: Arc::clone(&connections), end });
            connections
        })
    }

    /// Sends a request to the absolute URL in it, and returns the head of the answer. Dropping the
    /// future or the answer's body cancels the request.
    ///
    /// The answer is decoded, and its `Content-Encoding` and `Content-Length` are gone with the
    /// coding, unless the request has an `Accept-Encoding` of its own, the answer has no body or is a
    /// part (206), or one of its codings is not known. A kept
    /// connection that turns out to be closed before anything of the request was written is replaced.
    ///
    /// # Errors
    /// [`Error::is_connect`] tells whether nothing was sent. What caused it is the innermost source.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response, Error> {
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        // What goes through a tunnel is not the proxy's to read.
        if request.uri().scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.connector.proxy_to(request.uri())
            && let Some(credential) = proxy.basic_auth()
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credential.clone());
        }
        let mut refusals = 0;
        loop {
            let copy = if refusals < MAX_REFUSALS { copy(&request) } else { None };
            match (self.exchange(request).await, copy) {
                (Err(Error::Http(error)), Some(copy)) if was_refused(&error) => request = copy,
                (result, _) => return result,
            }
            refusals += 1;
        }
    }

    async fn exchange(&self, mut request: Request<Body>) -> Result<Response, Error> {
        let wants_bytes = request.headers().contains_key(ACCEPT_ENCODING);
        if !wants_bytes {
            // A range is one of the coded bytes, which cannot be decoded from their middle.
            let ranged = request.headers().contains_key(RANGE);
            let accepted = if ranged { "identity" } else { "gzip,deflate,br,zstd" };
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        }
        let failure = match request.body() {
            Either::Left(_) => None,
            Either::Right(streamed) => Some(streamed.failure.clone()),
        };
        let because =
            |error| failure.as_ref().and_then(Failure::take).map_or(Error::Http(error), Error::Body);
        let (response, in_flight) = self.pooled().request(request).await.map_err(because)?;
        framing::check(&response).map_err(Error::Head)?;
        let response = Framed::new(response, in_flight);
        // The headers of an answer without a body tell of another's, such as HEAD of GET's.
        let decode = !wants_bytes
            && !response.body().is_end_stream()
            && response.status() != StatusCode::PARTIAL_CONTENT;
        let (mut head, body) = response.into_parts();
        let decoded = if decode {
            Decoded::new(&mut head.headers, body, self.max_expansion)
        } else {
            Decoded::AsSent(body)
        };
        Ok(Response::from_parts(head, ResponseBody { decoded, failure }))
    }
}

/// The request once more, in case that it is refused. Only HTTP/2 has a way to refuse one
/// unprocessed, and is spoken over TLS alone.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let Either::Left(body) = request.body() else { return None };
    if request.uri().scheme() != Some(&Scheme::HTTPS) {
        return None;
    }
    let mut copy = Request::new(Either::Left(body.clone()));
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    Some(copy)
}

/// Whether the server said that it did nothing with the request: `REFUSED_STREAM`, or that it takes
/// no more on this connection (RFC 9113 §8.7).
fn was_refused(error: &legacy::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            return error.is_remote()
                && (error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
                    || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR));
        }
        cause = inner.source();
    }
    false
}
