//! The backend: each method sends one request of the documented wire.

use std::fmt;
use std::mem::take;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy_execute_protocol::{
    AccountStatus, Backend, Deadline, Download, Envelope, Error, ErrorKind, LONGEST_TEXT, ProxyCall,
    ResourceMethod, ResourceRequest, Result, StreamedAnswer, quoted,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use crate::answer::Answer;
use crate::attempt::{Body, Call};
use crate::options::RemoteOptions;
use crate::retry::RetryPolicy;
use crate::upload;

/// The response header that identifies a gateway of this project.
const GATEWAY: &str = "x-proxy-execute";

/// The pause between two checks of an account that is being connected.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The request header that selects another form of the response: `text` or `stream`.
const RESPONSE_TYPE: &str = "x-proxy-execute-response";

/// The characters that a path segment holds unencoded (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A backend that is called over HTTP. See the crate's documentation.
///
/// All remotes of a process share their connections, so a remote per key or per call is cheap.
pub struct Remote {
    api: Url,
    headers: HeaderMap,
    /// Kept to redact the key in the backend's errors.
    api_key: SecretString,
    pub(crate) retry: RetryPolicy,
    /// Upper limit for a response that is held in memory, in bytes.
    pub(crate) max_answer: usize,
    /// Whether the backend is a gateway of this project; unset until a response has told.
    is_gateway: OnceLock<bool>,
}

impl Remote {
    /// Creates a backend at `options.base_url`. The first request is sent at the first call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] with a message that names the option.
    pub fn new(options: RemoteOptions) -> Result<Self> {
        Ok(Self {
            api: options.api_url()?,
            headers: options.headers()?,
            retry: RetryPolicy::new(options.max_retries),
            max_answer: LONGEST_TEXT,
            api_key: options.api_key,
            is_gateway: OnceLock::new(),
        })
    }

    /// Sends the request `{method} {base}/api/{version}{path}`. Retries it as often as is harmless and
    /// allowed.
    async fn call(&self, request: Outgoing, deadline: Deadline) -> Result<Answer> {
        let mut url = self.api.clone();
        url.set_path(&format!("{}{}", self.api.path(), request.path));
        url.set_query(request.query.as_deref());
        let mut headers = self.headers.clone();
        let response_type = match request.response_type {
            ResponseType::Documented => None,
            ResponseType::Text => Some("text"),
            ResponseType::Stream => Some("stream"),
        };
        if let Some(response_type) = response_type {
            headers.insert(RESPONSE_TYPE, HeaderValue::from_static(response_type));
        }
        let call = Call {
            method: request.method,
            url,
            headers,
            body: request.body,
            hands_on: request.response_type == ResponseType::Stream,
            max_answer: self.max_answer,
            only_reads: request.only_reads,
            deadline,
            timeout: deadline.remaining(),
        };
        self.make(call).await
    }

    async fn make(&self, mut call: Call) -> Result<Answer> {
        let deadline = call.deadline;
        let can_be_repeated = !matches!(call.body, Body::Once { .. });
        let mut waits = self.retry.waits(fastrand::Rng::new());
        let mut attempt = 1;
        loop {
            let attempted = call.attempt().await;
            let (method, path) = (&call.method, call.url.path());
            let failure = match attempted {
                Ok(answer) => {
                    self.learn_from(&call, &answer);
                    let status = answer.status.as_u16();
                    tracing::debug!(%method, path, attempt, status, "the backend responded");
                    if answer.status.is_success() {
                        return Ok(answer);
                    }
                    answer.into_failure(&self.api_key)
                }
                Err(failure) => {
                    tracing::debug!(%method, path, attempt, kind = ?failure.error.kind(), "no response");
                    failure
                }
            };
            if !can_be_repeated || !failure.replay.allows(call.only_reads) {
                return Err(failure.error);
            }
            let Some(wait) = waits.next() else { return Err(failure.error) };
            let wait = wait.max(failure.error.retry_after().unwrap_or_default());
            // The caller gets the error now. At the deadline, the error would only say that time ran out.
            if wait >= deadline.remaining() {
                return Err(failure.error);
            }
            tracing::debug!(%method, path, attempt, ?wait, "the call will be sent again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

impl Remote {
    /// Notes the kind of the backend. An error without the header may come from a proxy in front of the
    /// backend.
    fn learn_from(&self, call: &Call, answer: &Answer) {
        let names_itself = answer.headers.contains_key(GATEWAY);
        let tells = names_itself || answer.status.is_success();
        if tells && self.is_gateway.get().is_none() && call.url.origin() == self.api.origin() {
            self.is_gateway.get_or_init(|| names_itself);
        }
    }

    /// Builds the request of a proxied call. It is a POST, and has the effects of the method inside it.
    async fn proxied(
        &self,
        session_id: Option<&str>,
        call: ProxyCall,
        deadline: Deadline,
    ) -> Result<Outgoing> {
        let path = match session_id {
            Some(id) => format!("/tool_router/session{}/proxy_execute", segment(id)?),
            None => "/tools/execute/proxy".to_owned(),
        };
        let response_type = if call.data_as_text() { ResponseType::Text } else { ResponseType::Documented };
        let (body, only_reads) = self.written(call, deadline).await?;
        Ok(Outgoing { method: Method::POST, path, query: None, body, response_type, only_reads })
    }

    /// Writes the request for the kind of backend that it goes to, and tells whether it only reads.
    async fn written(&self, mut call: ProxyCall, deadline: Deadline) -> Result<(Body, bool)> {
        if let ProxyCall::Written { text, .. } = &mut call
            && let Some(method) = method_if_sendable(text)
        {
            return Ok((Body::Json(take(text).into()), method.is_safe()));
        }
        let mut request = call.read()?;
        request.unwrap_json_body()?;
        let only_reads = request.method.is_safe();
        let bytes = request.binary_body.as_mut().and_then(|body| body.stream.take());
        let body = match bytes {
            None => Body::Json(json(&request)?),
            Some(bytes) if self.is_gateway(deadline).await? => upload::form(&json(&request)?, bytes),
            Some(bytes) => {
                upload::into_base64(&mut request, bytes).await?;
                Body::Json(json(&request)?)
            }
        };
        Ok((body, only_reads))
    }

    /// Sends a proxied call, and holds its response in memory.
    async fn execute(
        &self,
        session_id: Option<&str>,
        call: ProxyCall,
        deadline: Deadline,
    ) -> Result<Envelope> {
        let data_as_text = call.data_as_text();
        let request = self.proxied(session_id, call, deadline).await?;
        let envelope = self.call(request, deadline).await?.into_envelope(&self.api_key)?;
        if !data_as_text {
            return Ok(envelope);
        }
        // A gateway has already converted the data, and this changes nothing. The hosted backend does not
        // know the header.
        envelope.with_data_as_text().map_err(|error| {
            let message =
                format!("The backend's response is not the documented {{ status, data, headers }}: {error}.");
            Error::new(ErrorKind::InvalidAnswer, message)
        })
    }

    /// Whether the backend is a gateway of this project. Any response tells; if there was no response yet,
    /// this sends a small request.
    async fn is_gateway(&self, deadline: Deadline) -> Result<bool> {
        if let Some(known) = self.is_gateway.get() {
            return Ok(*known);
        }
        let (path, query) = ("/toolkits".to_owned(), Some("limit=1".to_owned()));
        let request = Outgoing {
            method: Method::GET,
            path,
            query,
            body: Body::Empty,
            response_type: ResponseType::Documented,
            only_reads: true,
        };
        let answer = self.call(request, deadline).await;
        // An error response tells, too. Without any response, the kind of the backend stays unknown.
        match self.is_gateway.get() {
            Some(known) => Ok(*known),
            None => answer.map(|_| false),
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
    async fn proxy_execute(&self, session_id: &str, call: ProxyCall, deadline: Deadline) -> Result<Envelope> {
        self.execute(Some(session_id), call, deadline).await
    }

    async fn tools_proxy_execute(&self, call: ProxyCall, deadline: Deadline) -> Result<Envelope> {
        self.execute(None, call, deadline).await
    }

    async fn streams(&self, deadline: Deadline) -> Result<bool> {
        self.is_gateway(deadline).await
    }

    async fn proxy_stream(
        &self,
        session_id: Option<&str>,
        call: ProxyCall,
        deadline: Deadline,
    ) -> Result<StreamedAnswer> {
        if !self.is_gateway(deadline).await? {
            return Err(Error::new(
                ErrorKind::NeedsGateway,
                "responseType: the backend cannot stream a response; a gateway of this package can.",
            )
            .fix("Leave `responseType: 'stream'` out: a file comes back as `binaryData`."));
        }
        let request = self.proxied(session_id, call, deadline).await?;
        let request = Outgoing { response_type: ResponseType::Stream, ..request };
        self.call(request, deadline).await?.into_stream(&self.api_key).await
    }

    /// The request has no API key or other header, because the URL may lead to another host.
    async fn download(&self, url: &str, deadline: Deadline) -> Result<Download> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| {
            Error::of_field(ErrorKind::InvalidRequest, "url", "`url` is not a URL of http or https.")
                .fix("A gateway without a port gives URLs for its own process: open them with a session of that gateway.")
        })?;
        let call = Call {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            hands_on: true,
            max_answer: self.max_answer,
            only_reads: true,
            deadline,
            timeout: deadline.remaining(),
        };
        self.make(call).await?.into_download()
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
        let body = request.body.map(|body| Body::Json(body.get().to_owned().into())).unwrap_or(Body::Empty);
        // DELETE is repeatable in HTTP, but a retry would get a 404 for a deletion that worked.
        let only_reads = method == Method::GET;
        let request =
            Outgoing { method, path, query, body, response_type: ResponseType::Documented, only_reads };
        Ok(self.call(request, deadline).await?.into_envelope(&self.api_key)?.into_text())
    }

    async fn connected_account(&self, id: &str, deadline: Deadline) -> Result<String> {
        #[derive(Deserialize)]
        struct Account {
            status: String,
        }
        loop {
            let request = ResourceRequest::new(ResourceMethod::Get, ["connected_accounts", id]);
            let answer = self.resource(request, deadline).await?;
            let account: Account = serde_json::from_str(&answer).map_err(|error| {
                let message = format!("The backend's response is not an account with a status: {error}.");
                Error::new(ErrorKind::InvalidAnswer, message)
            })?;
            if !AccountStatus::try_from(account.status).is_ok_and(AccountStatus::is_being_connected) {
                return Ok(answer);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// The method of a written request that any backend takes as it is. `None` for a body that is a string,
/// which a backend may encode a second time, and for a text that is no request.
fn method_if_sendable(text: &str) -> Option<proxy_execute_protocol::Method> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        method: proxy_execute_protocol::Method,
        #[serde(borrow)]
        body: Option<&'a RawValue>,
    }
    let Fields { method, body } = serde_json::from_str(text).ok()?;
    let is_string = body.is_some_and(|body| body.get().starts_with('"'));
    (!is_string).then_some(method)
}

/// A call without the backend's URL and headers.
struct Outgoing {
    method: Method,
    /// The path below `/api/{version}`.
    path: String,
    query: Option<String>,
    body: Body,
    response_type: ResponseType,
    only_reads: bool,
}

/// The requested form of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseType {
    Documented,
    /// `data` is text; JSON is not parsed.
    Text,
    /// A line of JSON, then the bytes of the API's response.
    Stream,
}

/// Returns `/name` as one segment, whatever characters the name has.
fn segment(name: &str) -> Result<String> {
    // A URL cannot express these names as a segment.
    if matches!(name, "" | "." | "..") {
        return Err(Error::new(ErrorKind::InvalidRequest, format!("\"{}\" is not an id.", quoted(name))));
    }
    Ok(format!("/{}", utf8_percent_encode(name, SEGMENT)))
}

fn json(request: &impl Serialize) -> Result<Bytes> {
    // Only credentials that the call brings can be malformed, and the cause would quote them.
    let malformed = |_| Error::new(ErrorKind::InvalidRequest, "custom_connection_data is not JSON.");
    Ok(serde_json::to_vec(request).map_err(malformed)?.into())
}
