//! A proxied call, from the question who is asking to the upstream's answer.
//!
//! Who may ask at all is decided before: on the port by the API key, in process by holding the
//! gateway.

use std::sync::Arc;

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use proxy_execute_protocol::{Envelope, Error, ErrorKind, ProxyRequest, Result};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::account::{self, Credential};
use crate::credential::{AuthScheme, Fields, GivenCredential, refresh};
use crate::egress::{Injection, Outgoing};
use crate::endpoint::{self, Refusal};
use crate::gateway::Parts;
use crate::record::CallInProgress;
use crate::request::{self, require};
use crate::store::StoredAccount;
use crate::toolkit::Toolkit;
use crate::{answer, session};

/// Calls an endpoint as the session's user.
pub(crate) async fn in_session(
    gateway: &Arc<Parts>,
    session_id: &str,
    request: ProxyRequest,
) -> Result<Envelope> {
    let mut record = gateway.recorder.begin(request.method);
    let result = async {
        let slug = require(request.toolkit_slug.as_deref(), "toolkit_slug")?;
        only_in(request.connected_account_id.is_some(), "connected_account_id", "tools.proxyExecute")?;
        only_in(request.custom_connection_data.is_some(), "custom_connection_data", "tools.proxyExecute")?;

        let (session, config) = session::load(gateway, session_id).await?;
        record.in_session(&session.id, &session.user_id);
        session::check_allowed(&session, &config, slug)?;
        let toolkit = gateway.catalogue.get(slug)?;
        record.of_toolkit(slug);

        let account = account::for_session(gateway, &session, &config, toolkit).await?;
        let signer = match account {
            Some(account) => Signer::Account(Box::new(account)),
            None => Signer::Given(Credential { scheme: AuthScheme::NoAuth, fields: Fields::default() }),
        };
        call(gateway, toolkit, signer, &request, &mut record).await
    }
    .await;
    record.end(&result);
    result
}

/// Calls an endpoint with a named account, or with credentials given in the call.
pub(crate) async fn with_account(gateway: &Arc<Parts>, request: ProxyRequest) -> Result<Envelope> {
    let mut record = gateway.recorder.begin(request.method);
    let result = async {
        only_in(request.toolkit_slug.is_some(), "toolkit_slug", "session.proxyExecute")?;
        let (toolkit, signer) = match (&request.connected_account_id, &request.custom_connection_data) {
            (Some(id), None) => {
                let account = account::by_id(gateway, id).await?;
                (gateway.catalogue.get(&account.toolkit)?, Signer::Account(Box::new(account)))
            }
            (None, Some(data)) => {
                let given = GivenCredential::read(data, "custom_connection_data")?;
                let slug = require(given.toolkit_slug.as_deref(), "custom_connection_data.toolkitSlug")?;
                let credential = Credential { scheme: given.auth_scheme, fields: given.fields()? };
                (gateway.catalogue.get(slug)?, Signer::Given(credential))
            }
            (Some(_), Some(_)) => {
                return Err(Error::of_field(
                    ErrorKind::InvalidRequest,
                    "Name connected_account_id or custom_connection_data, not both.",
                ));
            }
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::MissingAuthContext,
                    "Neither connected_account_id nor custom_connection_data was given.",
                )
                .fix("Name the connected account to call as, or use session.proxyExecute()."));
            }
        };
        record.of_toolkit(&toolkit.slug);
        call(gateway, toolkit, signer, &request, &mut record).await
    }
    .await;
    record.end(&result);
    result
}

/// Whose credential signs a call.
enum Signer {
    Account(Box<StoredAccount>),
    Given(Credential),
}

/// The steps that both kinds of call share.
async fn call(
    gateway: &Arc<Parts>,
    toolkit: &Toolkit,
    signer: Signer,
    request: &ProxyRequest,
    record: &mut CallInProgress<'_>,
) -> Result<Envelope> {
    let deadline = Instant::now() + gateway.upstream_timeout;
    let account = match signer {
        Signer::Given(credential) => {
            let outgoing = prepare(toolkit, &credential, request)?;
            return exchange(gateway, toolkit, outgoing, None, request, record, deadline).await;
        }
        Signer::Account(account) => account,
    };
    record.as_account(&account.id, &account.user_id);
    let id = account.id.clone();
    let account = timeout_at(deadline, refresh::ready(gateway, *account))
        .await
        .unwrap_or_else(|_| Err(refresh::not_in_time(&id, gateway.upstream_timeout)))?;
    let outgoing = prepare(toolkit, &account::unseal(gateway, &account)?, request)?;
    exchange(gateway, toolkit, outgoing, Some(&account), request, record, deadline).await
}

/// Sends a call and takes its answer. One that rejects the account's credential is replayed once
/// with the next one, if there is a next one: nothing was done yet (RFC 9110 §15.5.2).
async fn exchange(
    gateway: &Arc<Parts>,
    toolkit: &Toolkit,
    outgoing: Outgoing,
    account: Option<&StoredAccount>,
    request: &ProxyRequest,
    record: &mut CallInProgress<'_>,
    deadline: Instant,
) -> Result<Envelope> {
    record.at_url(&outgoing.url);
    let (url, method) = (outgoing.url.clone(), request.method);
    let signer = account.filter(|_| !outgoing.credential.is_empty());

    let exchange = async {
        let mut response = gateway.egress.send(outgoing).await?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(rejected) = signer
            && let Some(renewed) = refresh::instead_of(gateway, rejected).await
        {
            let outgoing = prepare(toolkit, &account::unseal(gateway, &renewed)?, request)?;
            response = gateway.egress.send(outgoing).await?;
        }
        record.answered(response.status().as_u16());
        answer::receive(response, method, gateway.max_response_bytes, record).await
    };
    timeout_at(deadline, exchange).await.unwrap_or_else(|_| Err(timed_out(&url, gateway.upstream_timeout)))
}

/// The request as it will leave: target, headers, query, body, credential.
pub(crate) fn prepare(
    toolkit: &Toolkit,
    credential: &Credential,
    request: &ProxyRequest,
) -> Result<Outgoing> {
    require(Some(&request.endpoint), "endpoint")?;
    let target = toolkit.target(credential.scheme, &credential.fields)?;
    let mut url = endpoint::resolve(&target.base_url, target.hosts, &request.endpoint)
        .map_err(|refusal| refused(toolkit, refusal))?;
    request::append_query_parameters(&mut url, &request.parameters);

    let mut headers = request::headers(&request.parameters)?;
    let injection = toolkit.injection(credential.scheme, &credential.fields)?;
    let credential = unless_overridden(injection, &headers, &url);
    let body = request::body(request, &mut headers)?;
    for (name, value) in &toolkit.headers {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(request::DEFAULT_USER_AGENT));
    Ok(Outgoing { method: request.method, url, headers, credential, body })
}

/// A caller's `Authorization` replaces the credential, and so does any header or query key that the
/// credential would set (contract §3.3).
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
        Refusal::Malformed(_) => Error::of_field(ErrorKind::InvalidRequest, message),
        Refusal::Escapes { .. } | Refusal::OtherOrigin { .. } => {
            Error::new(ErrorKind::OriginMismatch, message)
                .fix("Use a path below the base URL, or an absolute URL on a host of this toolkit.")
        }
    }
}

fn timed_out(url: &Url, timeout: std::time::Duration) -> Error {
    let host = url.host_str().unwrap_or_default();
    Error::new(ErrorKind::UpstreamTimeout, format!("{host} did not finish its answer within {timeout:?}."))
        .fix("Whether the request was carried out is not known. An operator can raise `upstreamTimeout`.")
}

fn only_in(given: bool, field: &str, call: &str) -> Result<()> {
    if given {
        Err(Error::of_field(ErrorKind::InvalidRequest, format!("`{field}` is for {call} only.")))
    } else {
        Ok(())
    }
}
