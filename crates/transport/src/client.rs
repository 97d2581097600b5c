//! The HTTP client: it sends a request and reads the head of the response.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode, Version};
use http_body::Body as _;
use hyper::ext::ReasonPhrase;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use url::Url;

use crate::body::{Body, Failure, ResponseBody};
use crate::decode::Decoded;
use crate::framing::Framed;
use crate::head::{self, BadHead};
use crate::proxies::Proxies;
use crate::resolver::Resolver;
use crate::servers::{InFlight, Servers};
use crate::settings::Settings;
use crate::trust::client_config;
use crate::{AddressFilter, BoxError, TrustError};

/// Upper limit for the URL of a request: the limit of `http::Uri`.
const MAX_URL: usize = u16::MAX as usize - 1;

/// A request to send.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target.
    pub url: Url,
    /// The headers, except those that follow from the URL and the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// A response whose head has arrived.
pub type Response = http::Response<ResponseBody>;

/// The reason phrase of a response's status: the server's own, or the usual one. HTTP/2 has none (RFC 9113 §8.3.2).
pub fn reason_phrase(response: &Response) -> Cow<'static, str> {
    if response.version() > Version::HTTP_11 {
        return Cow::Borrowed("");
    }
    match response.extensions().get::<ReasonPhrase>() {
        Some(own) => Cow::Owned(String::from_utf8_lossy(own.as_bytes()).into_owned()),
        None => Cow::Borrowed(response.status().canonical_reason().unwrap_or_default()),
    }
}

/// Why a request has no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is valid in the URL standard and invalid in HTTP. The request was not sent.
    #[error(transparent)]
    Url(BadUrl),
    /// The body of the request could not be read to its end.
    #[error("the body of the request failed")]
    Body(#[source] BoxError),
    /// The client rejects the head of the response.
    #[error(transparent)]
    Head(BadHead),
    /// Any other failure.
    #[error(transparent)]
    Http(reqwest::Error),
}

/// Why a URL cannot be sent in a request.
#[derive(Debug, thiserror::Error)]
pub enum BadUrl {
    /// The URL is longer than 64 KiB.
    #[error("the URL of the request is too long to be sent")]
    TooLong,
    /// The host has a character that RFC 3986 does not allow.
    #[error("the URL of the request has a character in it that cannot be sent")]
    Character,
}

impl Error {
    fn new(error: reqwest::Error) -> Self {
        if error.is_builder() {
            let is_long = error.url().is_some_and(|url| url.as_str().len() > MAX_URL);
            return Self::Url(if is_long { BadUrl::TooLong } else { BadUrl::Character });
        }
        // The query may contain a credential.
        Self::Http(error.without_url())
    }

    /// Whether the connection failed, so that the request was not sent.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_connect())
    }

    /// Whether the request was not sent, because of its URL or a failed connection.
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

/// The options of a client.
#[derive(Debug)]
pub struct Options {
    /// Whether requests use the environment's proxies: `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, except
    /// for the hosts of `NO_PROXY`.
    pub environment_proxies: bool,
    /// Selects the addresses of a name that may be connected to. Default: all of them. The filter is not
    /// called for a URL with an address instead of a name.
    pub address_filter: Option<AddressFilter>,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// The interval of pings on an HTTP/2 connection with a request in flight.
    pub ping_interval: Option<Duration>,
    /// Upper limit for the growth of a decoded body, as a multiple of its coded size. The first MiB is free.
    /// Default: no limit.
    pub max_expansion: Option<u64>,
}

/// An HTTP client. All its requests in one runtime share connections, and may run concurrently.
#[derive(Debug)]
pub struct Client {
    settings: Arc<Settings>,
    max_expansion: Option<u64>,
    /// One pool for each runtime. The runtime drives the connections of its pool, and they end with it.
    pub(crate) pools: RwLock<Vec<Pool>>,
}

/// The connections of a runtime.
#[derive(Debug)]
pub(crate) struct Pool {
    runtime: runtime::Id,
    connections: Arc<Connections>,
    /// A task of the runtime holds the receiver, so this channel is closed when the runtime has ended.
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
    /// Creates a client that trusts the same certificates as Node.js. It connects at the first request.
    ///
    /// # Errors
    /// If `NODE_EXTRA_CA_CERTS` is set and unusable.
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

    /// Returns the connections of the current runtime.
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
    /// The response is decoded, and its `Content-Encoding` and `Content-Length` are removed. It stays coded
    /// if the request has its own `Accept-Encoding` or a coding is unknown. A response without a body, or
    /// with a part (206), also stays as it is.
    ///
    /// If a kept connection turns out to be closed before any byte of the request was written, the client
    /// replaces the connection.
    ///
    /// # Errors
    /// [`Error::is_connect`] tells whether the connection failed before the request was sent. The innermost
    /// source is the cause.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let Request { method, url, mut headers, body: Body { body, failure } } = request;
        let wants_bytes = headers.contains_key(ACCEPT_ENCODING);
        if !wants_bytes {
            // A range selects coded bytes, and a decoder cannot start in the middle of them.
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
        head::check(&response).map_err(Error::Head)?;
        let response = Framed::new(response, in_flight);
        // The headers of a response without a body describe another body: those of HEAD describe the body of
        // GET.
        let decode = !wants_bytes
            && !response.body().is_end_stream()
            && response.status() != StatusCode::PARTIAL_CONTENT;
        let (mut head, body) = response.into_parts();
        let decoded = if decode {
            Decoded::new(&mut head.headers, body, self.max_expansion)
        } else {
            Decoded::AsSent(body)
        };
        Ok(Response::from_parts(head, ResponseBody { decoded, failure, trailers: None }))
    }
}
