//! Requests to a token endpoint: one request through `egress`, and its outcome.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use proxy_execute_protocol::{ErrorKind, Method, Redirect};
use proxy_execute_transport::retry_after;
use secrecy::ExposeSecret;

use crate::credential::injection::Injection;
use crate::egress::{Behalf, Egress, UpstreamBody, UpstreamRequest};
use crate::header::DEFAULT_USER_AGENT;
use crate::oauth::answered::Answered;
use crate::oauth::refusal::NotGranted;
use crate::oauth::requests::TokenRequest;
use crate::oauth::server::Rules;
use crate::oauth::token_answer::{Granted, read_answer};

/// The time limit of a request. It is longer than providers need, and shorter than callers wait.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Upper limit for a response. Some tokens have a few KiB; a response above this limit is an error.
const MAX_BYTES: usize = 1024 * 1024;

/// Requests tokens.
pub(crate) async fn ask(
    egress: &Egress,
    behalf: Behalf,
    rules: &Rules,
    request: TokenRequest,
) -> Result<Granted, NotGranted> {
    read_answer(rules, &exchange(egress, behalf, request).await?)
}

/// Sends a request exactly once, and reads the response. A redirect is not followed, because a code or
/// refresh token is meant for one address.
pub(crate) async fn exchange(
    egress: &Egress,
    behalf: Behalf,
    request: TokenRequest,
) -> Result<Answered, NotGranted> {
    let host = request.url.host_str().unwrap_or_default().to_owned();
    let mut headers = request.headers;
    headers.insert(USER_AGENT, HeaderValue::from_static(DEFAULT_USER_AGENT));
    let mut outgoing = UpstreamRequest {
        method: Method::Post,
        url: request.url,
        headers,
        credential: Injection::default(),
        body: UpstreamBody::Whole(Bytes::copy_from_slice(request.body.expose_secret().as_bytes())),
        behalf,
        redirect: Redirect::Manual,
    };
    let broken = |what: &str| NotGranted::unavailable(format!("{host} {what}"), true);
    let exchange = async {
        let mut response = egress.send_once(&mut outgoing).await.map_err(|error| {
            let is_unsent =
                matches!(error.kind(), ErrorKind::UpstreamUnreachable | ErrorKind::AddressRefused);
            NotGranted::unavailable(error.to_string(), !is_unsent)
        })?;
        let (status, retry_after) = (response.status, retry_after(&response.headers, SystemTime::now()));
        let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) =
            response.body.try_next().await.map_err(|_| broken("broke off in its response"))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(broken("responded with more than 1 MiB"));
            }
        }
        Ok(Answered { status, retry_after, content_type, body, sent: request.body })
    };
    let timed_out = |_| broken(&format!("did not respond within {} s", TIMEOUT.as_secs()));
    tokio::time::timeout(TIMEOUT, exchange).await.map_err(timed_out)?
}
