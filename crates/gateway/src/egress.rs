//! The one HTTP client for outside addresses: address checks, redirects, replays.
//!
//! Every request to an outside address passes here. A literal address is checked before the call. A name is
//! checked inside the resolver of the connection, so that the client connects to the checked address. The
//! client ignores the environment's HTTP proxies, because a proxy would resolve names instead of the gateway.
//!
//! Each request says on whose behalf the gateway sends it ([`Behalf`]). Requests to allowed private hosts
//! have a client of their own. Other requests thus never reuse a connection to a private host.

mod address;
mod private_hosts;
mod quoted;
mod redirect;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName,
    HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, USER_AGENT,
};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::{ByteStream, Error, ErrorKind, Method, Redirect, Result};
use proxy_execute_transport::{
    AddressFilter, BadUrl, Client, MAX_HEAD, Options, Request, ResponseBody, reason_phrase, streamed, whole,
};
use secrecy::ExposeSecret;
use url::Url;

pub(crate) use self::private_hosts::{Allowed, Behalf, PrivateHosts};
use self::private_hosts::{Refused, public_and_private, public_only};
use self::redirect::MAX_REDIRECTS;
pub(crate) use self::redirect::RedirectStep;
#[cfg(any(test, fuzzing))]
pub(crate) use self::redirect::next as next_step;
use crate::credential::injection::Injection;
use crate::header::DEFAULT_USER_AGENT;
use crate::query::append_query;

/// The time that an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The request headers that follow a redirect to another origin.
///
/// The list names the safe headers, because a caller may put a secret into a header with any other name.
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

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct UpstreamRequest {
    pub(crate) method: Method,
    /// The target, without the credential's query values.
    pub(crate) url: Url,
    /// The headers of the caller and the toolkit.
    pub(crate) headers: HeaderMap,
    pub(crate) credential: Injection,
    pub(crate) body: UpstreamBody,
    pub(crate) behalf: Behalf,
    pub(crate) redirect: Redirect,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum UpstreamBody {
    Empty,
    Whole(Bytes),
    /// Bytes that are streamed. They can be sent only once.
    Stream {
        /// The number of bytes, if it is known.
        size: Option<u64>,
        bytes: ByteStream,
    },
}

impl UpstreamBody {
    /// The `Content-Length` to state, unless the client states it.
    fn length(&self, method: Method) -> Option<u64> {
        match self {
            // Some servers respond with 411 to a write without a `Content-Length`, even if it has no body
            // (RFC 9110 §8.6).
            Self::Empty if !method.is_safe() && method != Method::Delete => Some(0),
            Self::Whole(bytes) if bytes.is_empty() => Some(0),
            Self::Empty | Self::Whole(_) => None,
            Self::Stream { size, .. } => *size,
        }
    }

    /// The bytes of the body, unless they are streamed.
    fn known(&self) -> Option<&[u8]> {
        match self {
            Self::Empty => Some(&[]),
            Self::Whole(bytes) => Some(bytes),
            Self::Stream { .. } => None,
        }
    }
}

/// A response, up to its head.
#[derive(Debug)]
pub(crate) struct UpstreamResponse {
    /// The host that sent the response, after redirects.
    pub(crate) host: String,
    pub(crate) status: StatusCode,
    /// The reason phrase of the status; empty over HTTP/2.
    pub(crate) status_text: Cow<'static, str>,
    /// The URL that responded, after redirects, without the credential's query values.
    pub(crate) url: Url,
    /// Whether the gateway followed a redirect.
    pub(crate) redirected: bool,
    pub(crate) headers: HeaderMap,
    /// Decompressed, unless the caller set `Accept-Encoding`; the caller then gets the bytes as they were
    /// sent.
    pub(crate) body: ResponseBody,
    /// Whether the request of this response carried the credential. After redirects, this is the last
    /// request.
    pub(crate) with_credential: bool,
}

/// The clients for outside addresses, and the private hosts that they may reach.
#[derive(Debug)]
pub(crate) struct Egress {
    private_hosts: PrivateHosts,
    /// Connects to public addresses only.
    public: Client,
    /// Connects to public and private addresses, for requests to allowed private hosts.
    private: Client,
}

impl Egress {
    /// # Errors
    /// `InvalidOption` if `NODE_EXTRA_CA_CERTS` is unusable.
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

    /// Selects the client for a request.
    fn client_for(&self, outgoing: &UpstreamRequest) -> Result<&Client> {
        let is_allowed = self.private_hosts.check(&outgoing.url, &outgoing.behalf)?;
        Ok(if is_allowed { &self.private } else { &self.public })
    }

    /// Checks what of a URL needs no lookup: its scheme, and a literal address.
    ///
    /// # Errors
    /// `AddressRefused`.
    pub(crate) fn check(&self, url: &Url, behalf: &Behalf) -> Result<()> {
        self.private_hosts.check(url, behalf).map(drop)
    }

    /// Sends a request, follows redirects, and waits for the head of the response.
    ///
    /// # Errors
    /// `AddressRefused`, `UpstreamUnreachable` (nothing was sent), `UpstreamBroken`,
    /// `RedirectRefused`.
    pub(crate) async fn send(&self, mut outgoing: UpstreamRequest) -> Result<UpstreamResponse> {
        let mut with_credential = true;
        for redirects in 0..=MAX_REDIRECTS {
            let mut response = self.attempt(&mut outgoing, with_credential).await?;

            let locations = response.headers.get_all(LOCATION).iter().map(HeaderValue::as_bytes);
            let step = match outgoing.redirect {
                Redirect::Manual => RedirectStep::Return,
                Redirect::Follow => {
                    redirect::next(outgoing.method, &outgoing.url, response.status, locations)
                }
            };
            match step {
                RedirectStep::Return => {
                    quoted::leave_out(&outgoing.credential.query, &mut response.headers);
                    response.redirected = redirects > 0;
                    return Ok(response);
                }
                RedirectStep::Refuse(why) => return Err(redirect_refused(&outgoing.url, why)),
                RedirectStep::Follow { url, same_origin } => {
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
        Err(redirect_refused(&outgoing.url, "it is one of too many redirects in a row"))
    }

    /// Sends a request exactly once: without a retry and without following redirects.
    ///
    /// # Errors
    /// `AddressRefused` and `UpstreamUnreachable` (nothing was sent), `UpstreamBroken`.
    pub(crate) async fn send_once(&self, outgoing: &mut UpstreamRequest) -> Result<UpstreamResponse> {
        let client = self.client_for(outgoing)?;
        match client.send(outgoing.compose(true)).await {
            Ok(response) => Ok(outgoing.answered(response, true)),
            Err(error) => Err(unreachable_or_broken(&error, outgoing)),
        }
    }

    /// Sends a request to a URL that a caller chose, and returns the response after its head. The body is
    /// streamed.
    ///
    /// # Errors
    /// `AddressRefused` and `SourceUnusable`.
    pub(crate) async fn fetch(&self, mut url: Url) -> Result<UpstreamResponse> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let unusable = |what: String| {
            Error::new(ErrorKind::SourceUnusable, format!("binary_body.url: {what}"))
                .fix("Check that the URL can be read without signing in, and try again.")
        };
        // The uncompressed form has a known length.
        let headers = HeaderMap::from_iter([
            (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            (USER_AGENT, HeaderValue::from_static(DEFAULT_USER_AGENT)),
        ]);
        let mut credential = Injection::default();
        if !url.username().is_empty() || url.password().is_some() {
            let decoded = |part| percent_decode_str(part).decode_utf8_lossy();
            credential.basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default()));
            // A URL with a user name has a host, so removing the user name cannot fail.
            _ = url.set_username("").and(url.set_password(None));
        }
        let body = UpstreamBody::Empty;
        let outgoing = UpstreamRequest {
            method: Method::Get,
            url,
            headers,
            credential,
            body,
            behalf: Behalf::BodyUrl,
            redirect: Redirect::Follow,
        };
        let response = self.send(outgoing).await.map_err(|error| match error.kind() {
            ErrorKind::AddressRefused => error,
            _ => unusable(error.body().message.clone()),
        })?;
        let encoded = response.headers.get(CONTENT_ENCODING).filter(|value| *value != "identity");
        if let Some(coding) = encoded {
            return Err(unusable(format!(
                "{host} sends its bytes compressed ({coding:?}), although the request asks for uncompressed bytes."
            )));
        }
        match response.status {
            StatusCode::OK => Ok(response),
            status => Err(unusable(format!("{host} responded with {status}."))),
        }
    }

    /// Sends a request. A read is retried once if its connection was dropped.
    ///
    /// A write may have been carried out, but a read has changed nothing (RFC 9110 §9.2.1).
    async fn attempt(
        &self,
        outgoing: &mut UpstreamRequest,
        with_credential: bool,
    ) -> Result<UpstreamResponse> {
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

impl UpstreamRequest {
    fn answered(
        &self,
        response: proxy_execute_transport::Response,
        with_credential: bool,
    ) -> UpstreamResponse {
        let status_text = reason_phrase(&response);
        let (head, body) = response.into_parts();
        UpstreamResponse {
            host: self.url.host_str().unwrap_or_default().to_owned(),
            status: head.status,
            status_text,
            url: quoted::left_out(&self.credential.query, &self.url),
            redirected: false,
            headers: head.headers,
            body,
            with_credential: with_credential && !self.credential.is_empty(),
        }
    }

    /// Builds the request to send. The first call takes a streamed body; a second call would find it empty.
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
        }
        if let Some(length) = self.body.length(self.method) {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if let Some(signer) = self.credential.signer.as_ref().filter(|_| with_credential) {
            signer.sign(self.method, &url, &mut headers, self.body.known());
        }
        let body = match &mut self.body {
            UpstreamBody::Empty => whole(Bytes::new()),
            UpstreamBody::Whole(bytes) => whole(bytes.clone()),
            // The gateway retries only reads, which have no body. So a stream is never taken twice.
            UpstreamBody::Stream { bytes, .. } => {
                streamed(std::mem::replace(bytes, ByteStream::whole(Bytes::new())))
            }
        };
        Request { method: http_method(self.method), url, headers, body }
    }
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
        other => http::Method::from_bytes(other.as_str().as_bytes()).expect("the names are HTTP's own"),
    }
}

fn redirect_refused(from: &Url, why: &str) -> Error {
    let host = from.host_str().unwrap_or_default();
    Error::new(
        ErrorKind::RedirectRefused,
        format!("{host} responded with a redirect that is not followed: {why}."),
    )
    .fix("Call the final address directly, if it belongs to the toolkit.")
}

/// The error for a URL that is valid in the URL standard, but cannot be sent in an HTTP request.
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

fn unreachable_or_broken(error: &proxy_execute_transport::Error, outgoing: &UpstreamRequest) -> Error {
    if let proxy_execute_transport::Error::Url(why) = error {
        return unsendable(&outgoing.url, why);
    }
    let mut cause: &(dyn std::error::Error + 'static) = error;
    let innermost = loop {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return refused.to_error(&outgoing.behalf);
        }
        // If the request body failed while it was sent, its own error says why.
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
    Error::new(ErrorKind::UpstreamBroken, format!("{origin} broke off before its response ({innermost})."))
        .fix("Whether the request was carried out is not known. Check before sending a write again.")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::credential::injection::Signer;

    type Signed = (Method, String, Vec<String>, Option<Vec<u8>>);

    /// Records each request that it signs.
    #[derive(Debug, Clone, Default)]
    struct RecordingSigner(Arc<Mutex<Vec<Signed>>>);

    impl Signer for RecordingSigner {
        fn sign(&self, method: Method, url: &Url, headers: &mut HeaderMap, body: Option<&[u8]>) {
            let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
            names.sort();
            self.0.lock().unwrap().push((method, url.to_string(), names, body.map(<[u8]>::to_vec)));
            headers.insert("x-signature", HeaderValue::from_static("signed"));
        }
    }

    #[test]
    fn a_signer_sees_the_request_as_it_is_sent() {
        let signer = RecordingSigner::default();
        let request = |body: UpstreamBody, with_credential: bool| {
            let mut outgoing = UpstreamRequest {
                method: Method::Post,
                url: Url::parse("https://api.example.com/x?a=1").unwrap(),
                headers: HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]),
                credential: Injection {
                    headers: vec![(HeaderName::from_static("x-key"), HeaderValue::from_static("k"))],
                    query: vec![("key".to_owned(), "q".into())],
                    signer: Some(Box::new(signer.clone())),
                },
                body,
                behalf: Behalf::Redirect,
                redirect: Redirect::Follow,
            };
            outgoing.compose(with_credential).headers.contains_key("x-signature")
        };
        let stream = ByteStream::whole(Bytes::from_static(b"abc"));
        assert!(request(UpstreamBody::Empty, true));
        assert!(request(UpstreamBody::Whole(Bytes::from_static(b"{}")), true));
        assert!(request(UpstreamBody::Stream { size: Some(3), bytes: stream }, true));
        assert!(!request(UpstreamBody::Empty, false), "abroad, a request has no signature");

        let url = "https://api.example.com/x?a=1&key=q";
        let signed = |names: &[&str], body: Option<&[u8]>| {
            let names = names.iter().map(ToString::to_string).collect();
            (Method::Post, url.to_owned(), names, body.map(<[u8]>::to_vec))
        };
        assert_eq!(
            *signer.0.lock().unwrap(),
            [
                signed(&["accept", "content-length", "x-key"], Some(b"")),
                signed(&["accept", "x-key"], Some(b"{}")),
                signed(&["accept", "content-length", "x-key"], None),
            ]
        );
    }
}
