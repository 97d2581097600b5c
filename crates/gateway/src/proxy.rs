//! A proxied call, from the caller's request to the response of the API.
//!
//! The caller may already call here. On the port, `crates/server` has checked the API key and its
//! permissions. In process, the caller owns the gateway. So `authorize` checks only the call itself.
//!
//! The call's future is about 10 KB. It is boxed up front, so that callers move a pointer instead of
//! copying it.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use proxy_execute_protocol::{
    Advice, AuthScheme, ByteStream, Envelope, Error, ErrorKind, ProxyRequest, Result, ResultType, SecretJson,
    StreamedHead, quoted,
};
use proxy_execute_store::StoredAccount;
use tokio::time::timeout;
use url::Url;

use crate::account::{Accounts, Credential};
use crate::answer::Received;
use crate::credential::injection::Injection;
use crate::credential::{Fields, GivenCredential};
use crate::egress::{Egress, UpstreamBody, UpstreamRequest, UpstreamResponse};
use crate::endpoint::{self, Refusal};
use crate::files::Files;
use crate::header::DEFAULT_USER_AGENT;
use crate::lifecycle::Lifecycle;
use crate::limits::Limits;
use crate::public_url::PublicUrl;
use crate::query::remove_from_query;
use crate::record::{CallInProgress, CallOrigin, Recorder};
use crate::request::{self, require};
use crate::session::{self, Sessions};
use crate::tokens::{self, Tokens};
use crate::toolkit::{Catalogue, Toolkit};
use crate::{answer, bounds, upload};

/// Makes proxied calls.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub(crate) sessions: Sessions,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Tokens,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) files: Arc<Files>,
    pub(crate) recorder: Recorder,
    pub(crate) public_url: PublicUrl,
    pub(crate) limits: Limits,
    pub(crate) lifecycle: Lifecycle,
    /// The slugs of the toolkits whose APIs get the headers of the trace.
    pub(crate) propagates_trace: Arc<BTreeSet<String>>,
}

/// A call that is allowed and ready to be sent.
struct Authorized<'a> {
    toolkit: &'a Toolkit,
    /// The account of the credential; `None` if the call has its own credential, or needs none.
    account: Option<Arc<StoredAccount>>,
    outgoing: UpstreamRequest,
    /// The request that `outgoing` was built from, for a replay; `None` if the body is a stream, which is sent
    /// only once.
    request: Option<ProxyRequest>,
    /// Counts the chunks that were taken from a streamed body.
    chunks_sent: Arc<AtomicU64>,
}

impl Authorized<'_> {
    fn host(&self) -> String {
        self.outgoing.url.host_str().unwrap_or_default().to_owned()
    }
}

/// The source of a call's credential.
enum CredentialSource {
    Account(Arc<StoredAccount>),
    /// The call itself. The credential is empty if the toolkit needs none.
    Given(Credential),
}

impl Proxy {
    /// Calls an endpoint, in the session with this id or without a session, and reads the response.
    ///
    /// The envelope holds JSON and text. A file is stored, and the envelope holds its URL.
    pub fn execute<'a>(
        &'a self,
        session_id: Option<&'a str>,
        request: ProxyRequest,
        origin: CallOrigin,
    ) -> BoxFuture<'a, Result<Envelope>> {
        Box::pin(async move {
            let mut record = self.recorder.begin(request.method, origin);
            let result = self.read(session_id, request, &mut record).await;
            record.end(&result);
            result
        })
    }

    /// Makes the call of [`Proxy::execute`], which records it.
    async fn read(
        &self,
        session_id: Option<&str>,
        request: ProxyRequest,
        record: &mut CallInProgress,
    ) -> Result<Envelope> {
        let (method, data_as_text) = (request.method, request.data_as_text);
        let result_type = session_id.map(|_| ResultType::Completed);
        let call = self.authorize(session_id, request, record).await?;
        let (host, chunks_sent) = (call.host(), Arc::clone(&call.chunks_sent));
        let answer = {
            let exchange = pin!(async {
                let response = self.send(call, record).await?;
                let max_bytes = self.limits.max_response_bytes;
                answer::receive(response, method, data_as_text, result_type, max_bytes, record).await
            });
            self.in_time(&host, &chunks_sent, exchange).await
        };
        record.heard_upstream();
        let file = match answer? {
            Received::Whole(envelope) => return Ok(envelope),
            Received::File(file) => file,
        };
        // The time limit for the response would cut off large files. So a file has only a limit for each wait
        // for its next bytes.
        let body = self.limits.paced(file.body, &host);
        let kept =
            self.files.keep(body, &file.content_type, self.public_url.for_files(), record.user_id()).await?;
        record.received(kept.size);
        Ok(Envelope::around_file(&file.head, &kept))
    }

    /// Makes the same call as [`Proxy::execute`], and streams the response to the caller.
    pub fn stream<'a>(
        &'a self,
        session_id: Option<&'a str>,
        request: ProxyRequest,
        origin: CallOrigin,
    ) -> BoxFuture<'a, Result<(StreamedHead, ByteStream)>> {
        Box::pin(async move {
            let mut record = self.recorder.begin(request.method, origin);
            match self.begin_stream(session_id, request, &mut record).await {
                Ok((head, body)) => {
                    Ok((head, self.lifecycle.until_closed(body, Some(record), Duration::MAX)))
                }
                Err(error) => {
                    let result = Err(error);
                    record.end(&result);
                    result
                }
            }
        })
    }

    /// Makes the call of [`Proxy::stream`], up to the head of the response.
    async fn begin_stream(
        &self,
        session_id: Option<&str>,
        request: ProxyRequest,
        record: &mut CallInProgress,
    ) -> Result<(StreamedHead, ByteStream)> {
        let method = request.method;
        let call = self.authorize(session_id, request, record).await?;
        let (host, chunks_sent) = (call.host(), Arc::clone(&call.chunks_sent));
        let response = self.in_time(&host, &chunks_sent, pin!(self.send(call, record))).await;
        record.heard_upstream();
        let response = response?;
        let (head, body) = answer::stream(response, method)?;
        Ok((head, self.limits.paced(body, &host)))
    }

    /// Checks that the call is allowed, and builds its request.
    ///
    /// An expiring credential is refreshed first. If the call gives its body as a URL, the body is requested.
    async fn authorize<'a>(
        &'a self,
        session_id: Option<&str>,
        mut request: ProxyRequest,
        record: &mut CallInProgress,
    ) -> Result<Authorized<'a>> {
        bounds::call(&request)?;
        let (toolkit, source) = match session_id {
            Some(id) => self.in_session(id, &request, record).await?,
            None => self.with_account(&request, record).await?,
        };
        let (mut outgoing, account) = match source {
            CredentialSource::Given(credential) => (prepare(toolkit, &credential, &request)?, None),
            CredentialSource::Account(account) => {
                record.as_account(&account.id, &account.user_id);
                let id = account.id.clone();
                let before = Arc::clone(&account);
                record.credential_begins();
                let account = timeout(self.limits.upstream_timeout, self.tokens.ready(account))
                    .await
                    .unwrap_or_else(|_| Err(tokens::not_in_time(&id, self.limits.upstream_timeout)))?;
                record.credential_ends(!Arc::ptr_eq(&before, &account));
                (prepare(toolkit, &self.accounts.unseal(&account)?, &request)?, Some(account))
            }
        };
        record.at_url(&outgoing.url);
        let chunks_sent = Arc::new(AtomicU64::new(0));
        let Some(binary) = request.binary_body.take_if(|body| !body.is_held()) else {
            return Ok(Authorized { toolkit, account, outgoing, request: Some(request), chunks_sent });
        };
        outgoing.body = upload::open(&self.egress, &self.limits, binary, &mut outgoing.headers).await?;
        if let UpstreamBody::Stream { size, bytes } = outgoing.body {
            let count = Arc::clone(&chunks_sent);
            let bytes = ByteStream::new(bytes.inspect(move |_| _ = count.fetch_add(1, Ordering::Relaxed)));
            outgoing.body = UpstreamBody::Stream { size, bytes };
        }
        Ok(Authorized { toolkit, account, outgoing, request: None, chunks_sent })
    }

    /// Sends a call and waits for the head of its response.
    ///
    /// A 401 means that the API did nothing (RFC 9110 §15.5.2), so the account is refreshed if possible, and
    /// the call is replayed once. With a binary body, the account is refreshed for the next call, and the 401
    /// is returned. A 401 says nothing about the account if the last request did not carry the account's
    /// credential, as after a redirect to another origin.
    async fn send(&self, call: Authorized<'_>, record: &mut CallInProgress) -> Result<UpstreamResponse> {
        record.asks_upstream();
        let propagates = self.propagates_trace.contains(&call.toolkit.slug);
        let mut response = self.request(call.outgoing, propagates, record).await?;
        if response.status == StatusCode::UNAUTHORIZED
            && response.with_credential
            && let Some(rejected) = call.account
            && let Some(renewed) = self.renewed(&rejected, record).await
            && let Some(request) = call.request
        {
            let outgoing = prepare(call.toolkit, &self.accounts.unseal(&renewed)?, &request)?;
            response = self.request(outgoing, propagates, record).await?;
        }
        record.answered(response.status.as_u16());
        Ok(response)
    }

    /// Makes one request of a call.
    async fn request(
        &self,
        mut outgoing: UpstreamRequest,
        propagates: bool,
        record: &mut CallInProgress,
    ) -> Result<UpstreamResponse> {
        record.request_begins(outgoing.method, &mut outgoing.headers, propagates);
        let result = self.egress.send(outgoing).await;
        record.request_ends(&result);
        result
    }

    /// Refreshes the account of a credential that the API has refused, if possible.
    async fn renewed(
        &self,
        rejected: &Arc<StoredAccount>,
        record: &mut CallInProgress,
    ) -> Option<StoredAccount> {
        record.credential_begins();
        let renewed = self.tokens.instead_of(rejected).await;
        record.credential_ends(true);
        renewed
    }

    /// Finds the credential of a call in a session: the user's account, or the call's own credential.
    /// The session must allow the toolkit.
    async fn in_session<'a>(
        &'a self,
        session_id: &str,
        request: &ProxyRequest,
        record: &mut CallInProgress,
    ) -> Result<(&'a Toolkit, CredentialSource)> {
        let slug = require(request.toolkit_slug.as_deref(), "toolkit_slug")?;
        only_in(request.connected_account_id.is_some(), "connected_account_id", "tools.proxyExecute")?;

        let session = self.sessions.load(session_id).await?;
        record.in_session(&session.id, &session.user_id);
        session::check_allowed(&session, slug)?;
        let toolkit = self.catalogue.get(slug)?;
        record.of_toolkit(slug);

        if let Some(data) = &request.custom_connection_data {
            let (own_slug, credential) = own_credential(data)?;
            if own_slug != slug {
                let message = format!(
                    "`custom_connection_data.toolkitSlug` is `{}`, but `toolkit_slug` is `{}`. Nothing was sent.",
                    quoted(&own_slug),
                    quoted(slug)
                );
                return Err(Error::of_field(
                    ErrorKind::InvalidRequest,
                    "custom_connection_data.toolkitSlug",
                    message,
                )
                .fix(
                    "Give a credential of the called toolkit, or leave it out to call as the session's user.",
                ));
            }
            return Ok((toolkit, CredentialSource::Given(credential)));
        }
        let account = self.accounts.for_session(&session, toolkit).await?;
        let source = match account {
            Some(account) => CredentialSource::Account(account),
            None => {
                CredentialSource::Given(Credential { scheme: AuthScheme::NoAuth, fields: Fields::default() })
            }
        };
        Ok((toolkit, source))
    }

    /// Finds the credential of a call without a session: the named account, or the call's own credential.
    async fn with_account<'a>(
        &'a self,
        request: &ProxyRequest,
        record: &mut CallInProgress,
    ) -> Result<(&'a Toolkit, CredentialSource)> {
        only_in(request.toolkit_slug.is_some(), "toolkit_slug", "session.proxyExecute")?;
        let (toolkit, source) = match (&request.connected_account_id, &request.custom_connection_data) {
            (Some(id), None) => {
                let account = self.accounts.named(id).await?;
                (self.catalogue.get(&account.toolkit)?, CredentialSource::Account(account))
            }
            (None, Some(data)) => {
                let (slug, credential) = own_credential(data)?;
                (self.catalogue.get(&slug)?, CredentialSource::Given(credential))
            }
            (Some(_), Some(_)) => {
                let message = "Name connected_account_id or custom_connection_data, not both.";
                return Err(Error::of_field(ErrorKind::InvalidRequest, "connected_account_id", message));
            }
            (None, None) => {
                let account = self.accounts.default().await?;
                (self.catalogue.get(&account.toolkit)?, CredentialSource::Account(account))
            }
        };
        record.of_toolkit(&toolkit.slug);
        Ok((toolkit, source))
    }

    /// Limits the time of the upstream.
    ///
    /// The limit starts again while a streamed request body makes progress, because a large body may take
    /// longer.
    async fn in_time<T>(
        &self,
        host: &str,
        chunks_sent: &AtomicU64,
        mut exchange: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Result<T> {
        loop {
            let before = chunks_sent.load(Ordering::Relaxed);
            match timeout(self.limits.upstream_timeout, exchange.as_mut()).await {
                Ok(result) => return result,
                Err(_) if chunks_sent.load(Ordering::Relaxed) > before => {}
                Err(_) => return Err(timed_out(host, self.limits.upstream_timeout)),
            }
        }
    }
}

/// Reads a call's own credential, and the toolkit that the credential is for.
fn own_credential(data: &SecretJson) -> Result<(String, Credential)> {
    let given = GivenCredential::read(data, "custom_connection_data")?;
    let slug = require(given.toolkit_slug.as_deref(), "custom_connection_data.toolkitSlug")?;
    Ok((slug.to_owned(), Credential { scheme: given.auth_scheme, fields: given.fields()? }))
}

/// Builds the request to send: target, headers, query, body, credential.
pub(crate) fn prepare(
    toolkit: &Toolkit,
    credential: &Credential,
    request: &ProxyRequest,
) -> Result<UpstreamRequest> {
    let target = toolkit.target(credential.scheme, &credential.fields)?;
    let mut url = endpoint::resolve(&target.base_url, target.hosts, &request.endpoint)
        .map_err(|refusal| refused(toolkit, refusal))?;
    request::append_query_parameters(&mut url, &request.parameters);

    let injection = toolkit.injection(credential.scheme, &credential.fields)?;
    let keeps_authorization = request.keep_authorization.unwrap_or(true);
    let mut headers = request::headers(&request.parameters, &injection.headers, keeps_authorization)?;
    if !keeps_authorization {
        remove_from_query(&mut url, |name| injection.query.iter().any(|(own, _)| own == name));
    }
    let injection = unless_overridden(injection, &headers, &url);
    let body = request::body(request, &mut headers)?.map_or(UpstreamBody::Empty, UpstreamBody::Whole);
    for (name, value) in &toolkit.headers {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(DEFAULT_USER_AGENT));
    let behalf = toolkit.behalf(credential.scheme, &url);
    let redirect = request.redirect.unwrap_or_default();
    Ok(UpstreamRequest {
        method: request.method,
        url,
        headers,
        credential: injection,
        body,
        behalf,
        redirect,
    })
}

/// Leaves out the parts of a credential that the caller has set (`docs/wire.md`).
///
/// A caller's `Authorization` replaces the whole credential. Another header or a query key replaces only the
/// part with the same name.
fn unless_overridden(mut injection: Injection, headers: &HeaderMap, url: &Url) -> Injection {
    if headers.contains_key(AUTHORIZATION) {
        return Injection::default();
    }
    injection.headers.retain(|(name, _)| !headers.contains_key(name));
    injection.query.retain(|(name, _)| !url.query_pairs().any(|(key, _)| key == name.as_str()));
    injection
}

fn refused(toolkit: &Toolkit, refusal: Refusal) -> Error {
    let message =
        format!("`endpoint` cannot be called on toolkit `{}`: {refusal}. Nothing was sent.", toolkit.slug);
    match refusal {
        Refusal::Malformed(_) => Error::of_field(ErrorKind::InvalidRequest, "endpoint", message),
        Refusal::Escapes { .. } | Refusal::OtherOrigin { .. } => {
            Error::new(ErrorKind::OriginMismatch, message)
                .fix("Use a path below the base URL, or an absolute URL on a host of this toolkit.")
        }
    }
}

fn timed_out(host: &str, timeout: Duration) -> Error {
    Error::new(ErrorKind::UpstreamTimeout, format!("{host} did not finish its response within {timeout:?}."))
        .fix("Whether the request was carried out is not known. An operator can raise `upstreamTimeout`.")
        .advise(Advice::RaiseOption("upstreamTimeout"))
}

fn only_in(given: bool, field: &str, call: &str) -> Result<()> {
    if given {
        Err(Error::of_field(ErrorKind::InvalidRequest, field, format!("`{field}` is for {call} only.")))
    } else {
        Ok(())
    }
}
