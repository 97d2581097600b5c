//! The backend itself: each method is one request of the documented wire.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy_execute_protocol::{
    Backend, CreateSession, Deadline, DeletedSession, Envelope, Error, ErrorKind, ProxyRequest,
    ResourceMethod, ResourceRequest, Result, Session, UpdateSession,
};
use reqwest::Method;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::answer::Answer;
use crate::options::RemoteOptions;
use crate::retry::RetryPolicy;
use crate::transport::Call;

/// How long until an account that is being connected is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What a path segment may hold as it is (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A backend that is asked over HTTP. See the crate's documentation.
///
/// All remotes of a process share their connections, so one may be made per key or per call.
pub struct Remote {
    api: Url,
    headers: HeaderMap,
    /// Kept so that it can be taken out of what the backend says.
    api_key: SecretString,
    pub(crate) retry: RetryPolicy,
}

impl Remote {
    /// A backend at `options.base_url`. Nothing is sent before the first call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] with a message that names the option.
    pub fn new(options: RemoteOptions) -> Result<Self> {
        Ok(Self {
            api: options.api_url()?,
            headers: options.headers()?,
            retry: RetryPolicy::new(options.max_retries),
            api_key: options.api_key,
        })
    }

    /// Makes the request `{method} {base}/api/{version}{path}` until it is answered, as often as
    /// is harmless and allowed.
    async fn call(&self, request: Outgoing, deadline: Deadline) -> Result<Answer> {
        let mut url = self.api.clone();
        url.set_path(&format!("{}{}", self.api.path(), request.path));
        url.set_query(request.query.as_deref());
        let call = Call {
            method: request.method,
            url,
            headers: self.headers.clone(),
            body: request.body,
            only_reads: request.only_reads,
            deadline,
            timeout: deadline.remaining(),
        };
        let mut waits = self.retry.waits(fastrand::Rng::new());
        let mut attempt = 1;
        loop {
            let (method, path) = (&call.method, call.url.path());
            let failure = match call.attempt().await {
                Ok(answer) => {
                    let status = answer.status.as_u16();
                    tracing::debug!(%method, path, attempt, status, "the backend answered");
                    if answer.status.is_success() {
                        return Ok(answer);
                    }
                    answer.into_failure(&self.api_key)
                }
                Err(failure) => {
                    tracing::debug!(%method, path, attempt, kind = ?failure.error.kind(), "no answer");
                    failure
                }
            };
            if !failure.replay.allows(call.only_reads) {
                return Err(failure.error);
            }
            let Some(wait) = waits.next() else { return Err(failure.error) };
            let wait = wait.max(failure.error.retry_after().unwrap_or_default());
            // The caller learns now what it would otherwise learn at the deadline, and less of it.
            if wait >= deadline.remaining() {
                return Err(failure.error);
            }
            tracing::debug!(%method, path, attempt, ?wait, "the call will be sent again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("api", &self.api.as_str()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Remote {
    async fn create_session(&self, request: CreateSession, deadline: Deadline) -> Result<Session> {
        let path = "/tool_router/session".to_owned();
        let body = Some(json(&request)?);
        let request = Outgoing { method: Method::POST, path, query: None, body, only_reads: false };
        self.call(request, deadline).await?.json(&self.api_key)
    }

    async fn session(&self, id: &str, deadline: Deadline) -> Result<Session> {
        let path = session_path(id)?;
        let request = Outgoing { method: Method::GET, path, query: None, body: None, only_reads: true };
        self.call(request, deadline).await?.json(&self.api_key)
    }

    async fn update_session(&self, id: &str, request: UpdateSession, deadline: Deadline) -> Result<Session> {
        let path = session_path(id)?;
        let body = Some(json(&request)?);
        let request = Outgoing { method: Method::PATCH, path, query: None, body, only_reads: false };
        self.call(request, deadline).await?.json(&self.api_key)
    }

    async fn delete_session(&self, id: &str, deadline: Deadline) -> Result<DeletedSession> {
        let path = session_path(id)?;
        // A second DELETE would answer 404 for a deletion that worked.
        let request = Outgoing { method: Method::DELETE, path, query: None, body: None, only_reads: false };
        self.call(request, deadline).await?.json(&self.api_key)
    }

    async fn proxy_execute(
        &self,
        session_id: &str,
        request: ProxyRequest,
        deadline: Deadline,
    ) -> Result<Envelope> {
        let path = session_path(session_id)? + "/proxy_execute";
        self.call(proxied(path, &request)?, deadline).await?.into_envelope(&self.api_key)
    }

    async fn tools_proxy_execute(&self, request: ProxyRequest, deadline: Deadline) -> Result<Envelope> {
        let path = "/tools/execute/proxy".to_owned();
        self.call(proxied(path, &request)?, deadline).await?.into_envelope(&self.api_key)
    }

    async fn resource(&self, request: ResourceRequest, deadline: Deadline) -> Result<String> {
        let method =
            Method::from_bytes(request.method.as_str().as_bytes()).expect("the names are HTTP's own");
        let path = request.path.iter().map(|name| segment(name)).collect::<Result<String>>()?;
        let pair = |(name, value): &(String, String)| {
            format!("{}={}", utf8_percent_encode(name, SEGMENT), utf8_percent_encode(value, SEGMENT))
        };
        let query = request.query.iter().map(pair).collect::<Vec<_>>().join("&");
        let query = Some(query).filter(|query| !query.is_empty());
        let body = request.body.map(|body| Bytes::from(body.get().to_owned()));
        let only_reads = method == Method::GET;
        let request = Outgoing { method, path, query, body, only_reads };
        Ok(self.call(request, deadline).await?.into_envelope(&self.api_key)?.into_text())
    }

    async fn connected_account(&self, id: &str, deadline: Deadline) -> Result<String> {
        #[derive(Deserialize)]
        struct Account {
            status: String,
        }
        loop {
            let request = ResourceRequest {
                method: ResourceMethod::Get,
                path: vec!["connected_accounts".to_owned(), id.to_owned()],
                query: Vec::new(),
                body: None,
            };
            let answer = self.resource(request, deadline).await?;
            let account: Account = serde_json::from_str(&answer).map_err(|error| {
                let message = format!("The backend's answer is not an account with a status: {error}.");
                Error::new(ErrorKind::InvalidAnswer, message)
            })?;
            if !matches!(account.status.as_str(), "INITIALIZING" | "INITIATED") {
                return Ok(answer);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// A call before it knows its backend.
struct Outgoing {
    method: Method,
    /// Below `/api/{version}`.
    path: String,
    query: Option<String>,
    body: Option<Bytes>,
    only_reads: bool,
}

/// A proxied call travels as POST and does what the method inside it does.
fn proxied(path: String, request: &ProxyRequest) -> Result<Outgoing> {
    let body = Some(json(request)?);
    Ok(Outgoing { method: Method::POST, path, query: None, body, only_reads: request.method.is_safe() })
}

/// The path of a session, its id as one segment whatever is in it.
fn session_path(id: &str) -> Result<String> {
    Ok(format!("/tool_router/session{}", segment(id)?))
}

/// `/name`, as one segment whatever is in it.
fn segment(name: &str) -> Result<String> {
    // URLs have no way to write these as a name.
    if matches!(name, "" | "." | "..") {
        return Err(Error::new(ErrorKind::InvalidRequest, format!("\"{name}\" is not an id.")));
    }
    Ok(format!("/{}", utf8_percent_encode(name, SEGMENT)))
}

fn json(request: &impl Serialize) -> Result<Bytes> {
    // Only credentials given in the call can be malformed, and the cause would quote them.
    let malformed = |_| Error::new(ErrorKind::InvalidRequest, "custom_connection_data is not JSON.");
    Ok(serde_json::to_vec(request).map_err(malformed)?.into())
}
