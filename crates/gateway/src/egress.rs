//! The one HTTP client that talks to the outside: address guard, redirects, replays.
//!
//! Every outside address passes here. A literal address is judged before the call, a name inside
//! the resolver that the connection uses, so that what was judged is what is connected to. The
//! environment's HTTP proxies are not used, because a proxy would resolve names in our place.
//!
//! Each request says on whose behalf it leaves ([`Behalf`]). Requests that may go to a private host
//! have a client of their own, so the others never use one of its connections.

mod address;
mod private_hosts;
mod quoted;
mod redirect;

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::StatusCode;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
    USER_AGENT,
};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::{ByteStream, Error, ErrorKind, Method, Result};
use proxy_execute_transport::{
    AddressFilter, BadUrl, Client, MAX_HEAD, Options, Request, ResponseBody, streamed, whole,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub(crate) use self::private_hosts::{Allowed, Behalf, PrivateHosts};
use self::private_hosts::{Refused, public_and_private, public_only};
use self::redirect::MAX_REDIRECTS;
pub(crate) use self::redirect::Step;
#[cfg(any(test, fuzzing))]
pub(crate) use self::redirect::next as next_step;
use crate::credential::oauth1::Signer;
use crate::request::{DEFAULT_USER_AGENT, append_query, media_type};

/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The request headers that go along to another origin. A list of what is safe, because a caller
/// may put a secret into a header of any other name.
const HARMLESS: &[HeaderName] = &[
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    RANGE,
    USER_AGENT,
];

/// A request that is ready to leave.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    /// Where to, without the credential.
    pub(crate) url: Url,
    /// The caller's and the toolkit's headers.
    pub(crate) headers: HeaderMap,
    pub(crate) credential: Injection,
    pub(crate) body: Body,
    pub(crate) behalf: Behalf,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Whole(Bytes),
    /// Bytes as they come: they can be sent once.
    Stream {
        /// How many there are, where that is known.
        size: Option<u64>,
        bytes: ByteStream,
    },
}

impl Body {
    /// The bytes of a body that is in memory.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Empty | Self::Stream { .. } => None,
        }
    }
}

/// What a credential adds to a request.
#[derive(Default)]
pub(crate) struct Injection {
    /// Marked sensitive, so that neither `Debug` nor a header compressor shows them.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) query: Vec<(String, SecretString)>,
    /// Signs what leaves, when it leaves.
    pub(crate) signer: Option<Signer>,
}

impl std::fmt::Debug for Injection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Injection")
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("query", &self.query.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("signer", &self.signer)
            .finish()
    }
}

/// An answer, up to its head.
#[derive(Debug)]
pub(crate) struct Response {
    /// Who gave it, after redirects.
    pub(crate) host: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Decoded, unless the caller set `Accept-Encoding` and wants the bytes as they come.
    pub(crate) body: ResponseBody,
    /// Whether the request that it answers, the last of its redirects, had the credential in it.
    pub(crate) with_credential: bool,
}

/// The way out.
#[derive(Debug)]
pub(crate) struct Egress {
    private_hosts: PrivateHosts,
    /// Connects to public addresses only.
    public: Client,
    /// Connects to private addresses too, for requests that may go there.
    private: Client,
}

impl Egress {
    /// # Errors
    /// When `NODE_EXTRA_CA_CERTS` is unusable.
    pub(crate) fn new(private_hosts: PrivateHosts, max_expansion: u64) -> Result<Self> {
        let client = |address_filter| {
            let options = Options {
                environment_proxies: false,
                address_filter: Some(address_filter),
                idle_timeout: IDLE_TIMEOUT,
                ping_interval: None,
                max_expansion: Some(max_expansion),
            };
            Client::new(options).map_err(|error| Error::new(ErrorKind::InvalidOption, error.to_string()))
        };
        let public = client(AddressFilter::new(|host, found| Ok(public_only(host, found)?)))?;
        let private = client(AddressFilter::new(|host, found| Ok(public_and_private(host, found)?)))?;
        Ok(Self { private_hosts, public, private })
    }

    /// The client that may send a request.
    fn client_for(&self, outgoing: &Outgoing) -> Result<&Client> {
        let is_allowed = self.private_hosts.check(&outgoing.url, &outgoing.behalf)?;
        Ok(if is_allowed { &self.private } else { &self.public })
    }

    /// Sends a request and follows redirects, up to the head of the answer.
    ///
    /// # Errors
    /// `AddressRefused`, `UpstreamUnreachable` (nothing was sent), `UpstreamBroken`,
    /// `RedirectRefused`.
    pub(crate) async fn send(&self, mut outgoing: Outgoing) -> Result<Response> {
        let mut with_credential = true;
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.attempt(&mut outgoing, with_credential).await?;

            let locations = response.headers.get_all(LOCATION).iter().map(HeaderValue::as_bytes);
            match redirect::next(outgoing.method, &outgoing.url, response.status, locations) {
                Step::Return => {
                    quoted::leave_out(&outgoing.credential.query, &mut response.headers);
                    return Ok(response);
                }
                Step::Refuse(why) => return Err(redirect_refused(&outgoing.url, why)),
                Step::Follow { url, same_origin } => {
                    if !same_origin {
                        if outgoing.credential.is_quoted_in(&url) {
                            return Err(redirect_refused(
                                &outgoing.url,
                                "it would carry the credential to another host",
                            ));
                        }
                        with_credential = false;
                        outgoing.headers = harmless(&outgoing.headers);
                        outgoing.behalf = outgoing.behalf.redirected();
                    }
                    outgoing.url = url;
                }
            }
        }
        Err(redirect_refused(&outgoing.url, "it is one of too many in a row"))
    }

    /// Sends a request once, whatever becomes of it, and follows no redirect.
    ///
    /// # Errors
    /// `AddressRefused` and `UpstreamUnreachable` (nothing was sent), `UpstreamBroken`.
    pub(crate) async fn send_once(&self, outgoing: &mut Outgoing) -> Result<Response> {
        let client = self.client_for(outgoing)?;
        match client.send(outgoing.compose(true)).await {
            Ok(response) => Ok(outgoing.answered(response, true)),
            Err(error) => Err(unreachable_or_broken(&error, outgoing)),
        }
    }

    /// Reads what a URL of a caller's choice answers with, as it is sent, once it has begun to.
    ///
    /// # Errors
    /// `AddressRefused` and `SourceUnusable`.
    pub(crate) async fn fetch(&self, mut url: Url) -> Result<Response> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let unusable = |what: String| {
            Error::new(ErrorKind::SourceUnusable, format!("binary_body.url: {what}"))
                .fix("Check that the URL can be read without signing in, and try again.")
        };
        // As they are stored, so that their length is known.
        let headers = HeaderMap::from_iter([
            (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            (USER_AGENT, HeaderValue::from_static(DEFAULT_USER_AGENT)),
        ]);
        let mut credential = Injection::default();
        if !url.username().is_empty() || url.password().is_some() {
            let decoded = |part| percent_decode_str(part).decode_utf8_lossy();
            credential.basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default()));
            // Whoever has a user name has a host, and so can lose it.
            _ = url.set_username("").and(url.set_password(None));
        }
        let body = Body::Empty;
        let outgoing =
            Outgoing { method: Method::Get, url, headers, credential, body, behalf: Behalf::BodyUrl };
        let response = self.send(outgoing).await.map_err(|error| match error.kind() {
            ErrorKind::AddressRefused => error,
            _ => unusable(error.body().message.clone()),
        })?;
        let encoded = response.headers.get(CONTENT_ENCODING).filter(|value| *value != "identity");
        if let Some(coding) = encoded {
            return Err(unusable(format!(
                "{host} sends its bytes compressed ({coding:?}), though asked not to."
            )));
        }
        match response.status {
            StatusCode::OK => Ok(response),
            status => Err(unusable(format!("{host} answered {status}."))),
        }
    }

    /// One request, repeated once if it is a read whose connection was dropped: a write may have
    /// been done, a read has changed nothing (RFC 9110 §9.2.1).
    async fn attempt(&self, outgoing: &mut Outgoing, with_credential: bool) -> Result<Response> {
        let client = self.client_for(outgoing)?;
        let mut result = client.send(outgoing.compose(with_credential)).await;
        if let Err(error) = &result
            && outgoing.method.is_safe()
            && !error.is_unsent()
        {
            tracing::debug!(host = outgoing.url.host_str(), "the connection was dropped, reading again");
            result = client.send(outgoing.compose(with_credential)).await;
        }
        match result {
            Ok(response) => Ok(outgoing.answered(response, with_credential)),
            Err(error) => Err(unreachable_or_broken(&error, outgoing)),
        }
    }
}

impl Outgoing {
    fn answered(&self, response: proxy_execute_transport::Response, with_credential: bool) -> Response {
        let (head, body) = response.into_parts();
        Response {
            host: self.url.host_str().unwrap_or_default().to_owned(),
            status: head.status,
            headers: head.headers,
            body,
            with_credential: with_credential && !self.credential.is_empty(),
        }
    }

    /// The request as it leaves. A body that comes in a stream goes with the first one.
    fn compose(&mut self, with_credential: bool) -> Request {
        let mut url = self.url.clone();
        let mut headers = self.headers.clone();
        if with_credential {
            for (name, value) in &self.credential.headers {
                headers.insert(name, value.clone());
            }
            let absent: Vec<_> = self
                .credential
                .query
                .iter()
                .filter(|(name, _)| !url.query_pairs().any(|(key, _)| key == name.as_str()))
                .collect();
            append_query(
                &mut url,
                absent.into_iter().map(|(name, value)| (name.as_str(), value.expose_secret())),
            );
            if let Some(signer) = &self.credential.signer {
                let is_form = headers.get(CONTENT_TYPE).is_some_and(is_form);
                let form = self.body.whole().filter(|_| is_form);
                headers.insert(AUTHORIZATION, signer.authorization(self.method.as_str(), &url, form));
            }
        }
        let length = match &self.body {
            // Some servers answer 411 to a write that does not say that it has no body (RFC 9110 §8.6).
            Body::Empty if !self.method.is_safe() && self.method != Method::Delete => Some(0),
            Body::Whole(bytes) if bytes.is_empty() => Some(0),
            Body::Empty | Body::Whole(_) => None,
            Body::Stream { size, .. } => *size,
        };
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        let body = match &mut self.body {
            Body::Empty => whole(Bytes::new()),
            Body::Whole(bytes) => whole(bytes.clone()),
            // Only reads are sent again, and those have no body; so nobody asks for it twice.
            Body::Stream { bytes, .. } => streamed(std::mem::replace(bytes, ByteStream::whole(Bytes::new()))),
        };
        Request { method: http_method(self.method), url, headers, body }
    }
}

impl Injection {
    /// Adds a user name and a password (RFC 7617).
    pub(crate) fn basic(&mut self, username: &str, password: &str) {
        let pair = SecretString::from(format!("{username}:{password}"));
        let encoded = SecretString::from(format!("Basic {}", BASE64.encode(pair.expose_secret().as_bytes())));
        let mut value =
            HeaderValue::from_str(encoded.expose_secret()).expect("base64 is a valid header value");
        value.set_sensitive(true);
        self.headers.push((AUTHORIZATION, value));
    }

    /// Whether nothing of a credential is sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.query.is_empty() && self.signer.is_none()
    }

    /// Whether a URL that the upstream made up has a secret of ours in it.
    fn is_quoted_in(&self, url: &Url) -> bool {
        let decoded = percent_encoding::percent_decode_str(url.as_str()).decode_utf8_lossy();
        let quoted = |secret: &str| {
            // Too short to be a secret, and likely to appear by chance.
            secret.len() >= 8 && (decoded.contains(secret) || url.as_str().contains(secret))
        };
        self.query.iter().any(|(_, value)| quoted(value.expose_secret()))
            || self.headers.iter().any(|(_, value)| {
                let value = value.to_str().unwrap_or_default();
                quoted(value.split_once(' ').map_or(value, |(_, secret)| secret))
            })
    }
}

/// Whether a body is one that a signature covers.
fn is_form(content_type: &HeaderValue) -> bool {
    media_type(content_type).is_some_and(|mime| mime.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED)
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| HARMLESS.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn http_method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Head => http::Method::HEAD,
    }
}

fn redirect_refused(from: &Url, why: &str) -> Error {
    let host = from.host_str().unwrap_or_default();
    Error::new(
        ErrorKind::RedirectRefused,
        format!("{host} answered with a redirect that is not followed: {why}."),
    )
    .fix("Call the final address directly, if it belongs to the toolkit.")
}

/// A URL that the URL standard allows and an HTTP request cannot hold.
fn unsendable(url: &Url, why: &BadUrl) -> Error {
    let host = url.host_str().unwrap_or_default();
    let (why, fix) = match why {
        BadUrl::TooLong => ("is too long to be sent", "Send what is in its query in the body."),
        BadUrl::Character => ("has a character in it that cannot be sent", "Check the name of the host."),
    };
    let message =
        format!("The URL of the call to {} {why}. Nothing was sent.", proxy_execute_protocol::quoted(host));
    Error::new(ErrorKind::InvalidRequest, message).fix(fix)
}

fn unreachable_or_broken(error: &proxy_execute_transport::Error, outgoing: &Outgoing) -> Error {
    if let proxy_execute_transport::Error::Url(why) = error {
        return unsendable(&outgoing.url, why);
    }
    let mut cause: &(dyn std::error::Error + 'static) = error;
    let innermost = loop {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return refused.to_error(&outgoing.behalf);
        }
        // A body that failed on its way up says why itself.
        if let Some(error) = cause.downcast_ref::<Error>() {
            return error.clone();
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => break cause,
        }
    };
    let origin = outgoing.url.origin().ascii_serialization();
    if error.is_connect() {
        return Error::new(
            ErrorKind::UpstreamUnreachable,
            format!("The gateway could not connect to {origin} ({innermost}). Nothing was sent."),
        )
        .fix("Check the account's base URL and whether the gateway's network reaches it; then try again.");
    }
    if error.is_head_too_large() {
        let limit = MAX_HEAD / 1024;
        return Error::new(
            ErrorKind::UpstreamTooLarge,
            format!("The response of {origin} has more than {limit} KiB of headers."),
        )
        .fix("The request may have been carried out. Ask the API for fewer or shorter headers.");
    }
    Error::new(ErrorKind::UpstreamBroken, format!("{origin} broke off before it answered ({innermost})."))
        .fix("Whether the request was carried out is not known. Check before sending a write again.")
}
