//! The client: a request on its way out, and the head of its response on its way in.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use http_body::Body as _;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use url::Url;

use crate::body::{Body, Failure, ResponseBody};
use crate::decode::Decoded;
use crate::framing::{self, BadHead, Framed};
use crate::in_flight::InFlight;
use crate::proxies::Proxies;
use crate::resolver::Resolver;
use crate::servers::Servers;
use crate::settings::Settings;
use crate::trust::client_config;
use crate::{AddressFilter, BoxError, TrustError};

/// The longest URL that a request can hold: as much as a `http::Uri`.
const MAX_URL: usize = u16::MAX as usize - 1;

/// A request that is ready to leave.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but those that follow from the URL and the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// A response, up to its head.
pub type Response = http::Response<ResponseBody>;

/// Why a request has no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL standard allows the URL, and HTTP does not. Nothing was sent.
    #[error(transparent)]
    Url(BadUrl),
    /// The body of the request could not be read to its end.
    #[error("the body of the request failed")]
    Body(#[source] BoxError),
    /// The head of the response is refused.
    #[error(transparent)]
    Head(BadHead),
    /// Anything else.
    #[error(transparent)]
    Http(reqwest::Error),
}

/// Why no request can hold a URL.
#[derive(Debug, thiserror::Error)]
pub enum BadUrl {
    /// It is longer than 64 KiB.
    #[error("the URL of the request is too long to be sent")]
    TooLong,
    /// Its host has a character that RFC 3986 does not allow.
    #[error("the URL of the request has a character in it that cannot be sent")]
    Character,
}

impl Error {
    fn new(error: reqwest::Error) -> Self {
        if error.is_builder() {
            let is_long = error.url().is_some_and(|url| url.as_str().len() > MAX_URL);
            return Self::Url(if is_long { BadUrl::TooLong } else { BadUrl::Character });
        }
        // The query may have a credential in it.
        Self::Http(error.without_url())
    }

    /// Whether no connection could be made, so that nothing was sent.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_connect())
    }

    /// Whether nothing was sent: the URL or a connection was missing.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Url(_)) || self.is_connect()
    }

    /// Whether the head of the response is over [`MAX_HEAD`](crate::MAX_HEAD).
    pub fn is_head_too_large(&self) -> bool {
        match self {
            Self::Head(BadHead::TooLarge) => true,
            Self::Http(error) => hyper_error(error).is_some_and(hyper::Error::is_parse_too_large),
            Self::Head(_) | Self::Body(_) | Self::Url(_) => false,
        }
    }
}

fn hyper_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e hyper::Error> {
    error.downcast_ref().or_else(|| hyper_error(error.source()?))
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
    settings: Arc<Settings>,
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
    /// For URLs with `http`.
    plain: reqwest::Client,
    /// For URLs with `https`.
    servers: Servers,
}

impl Connections {
    fn new(settings: &Arc<Settings>) -> Self {
        Self { plain: settings.plain_client(), servers: Servers::new(Arc::clone(settings)) }
    }

    async fn send(
        &self,
        request: reqwest::Request,
    ) -> Result<(reqwest::Response, Option<InFlight>), reqwest::Error> {
        if request.url().scheme() == "http" {
            return Ok((self.plain.execute(request).await?, None));
        }
        let (response, in_flight) = self.servers.of(request.url()).send(request).await?;
        Ok((response, Some(in_flight)))
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
        let settings = Settings {
            tls: client_config()?,
            resolver: Resolver { filter: address_filter },
            proxies: if environment_proxies { Proxies::from_env() } else { None },
            idle_timeout,
            ping_interval,
        };
        Ok(Self { max_expansion, ..Self::over(settings) })
    }

    pub(crate) fn over(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), max_expansion: None, pools: RwLock::default() }
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
            let connections = Arc::new(Connections::new(&self.settings));
            let (end, dropped) = oneshot::channel();
            tokio::spawn(dropped);
            pools.push(Pool { runtime: here, connections: Arc::clone(&connections), end });
            connections
        })
    }

    /// Sends a request, and returns the head of the response. Dropping the future or the response's body
    /// cancels the request.
    ///
    /// The response is decoded, and its `Content-Encoding` and `Content-Length` are gone with the
    /// coding, unless the request has an `Accept-Encoding` of its own, the response has no body or is a
    /// part (206), or one of its codings is not known. A kept
    /// connection that turns out to be closed before anything of the request was written is replaced.
    ///
    /// # Errors
    /// [`Error::is_connect`] tells whether nothing was sent. What caused it is the innermost source.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let Request { method, url, mut headers, body: Body { body, failure } } = request;
        let wants_bytes = headers.contains_key(ACCEPT_ENCODING);
        if !wants_bytes {
            // A range is one of the coded bytes, which cannot be decoded from their middle.
            let accepted = if headers.contains_key(RANGE) { "identity" } else { "gzip,deflate,br,zstd" };
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        }
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body);
        let because =
            |error| failure.as_ref().and_then(Failure::take).map_or_else(|| Error::new(error), Error::Body);
        let (response, in_flight) = self.pooled().send(request).await.map_err(because)?;
        let response = http::Response::<reqwest::Body>::from(response);
        framing::check(&response).map_err(Error::Head)?;
        let response = Framed::new(response, in_flight);
        // The headers of a response without a body tell of another's, such as HEAD of GET's.
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
