//! One attempt of a call: a request, the redirects that it may follow, and a complete response.
//!
//! All remotes of a process share one HTTP client, with its connections and TLS sessions.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use proxy_execute_protocol::{ByteStream, Deadline, Error, ErrorKind, Result as ProtocolResult};
use proxy_execute_transport::{
    Client, MAX_HEAD, Options, Request, Response, TooLate, streamed, until, whole,
};
use url::Url;

use crate::answer::{self, Answer};
use crate::message::{origin, reason, seconds};
use crate::retry::{Failure, Replay};

/// How long an idle connection is kept. Common load balancers drop theirs after a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The interval of pings on a connection with a call in flight (HTTP/2 only).
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Upper limit for the redirects that one attempt follows.
const MAX_REDIRECTS: usize = 3;

/// One HTTP request, which is sent at least once.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Whether the body of a success response is streamed to the caller.
    pub(crate) hands_on: bool,
    /// Upper limit for any other body, in bytes.
    pub(crate) max_answer: usize,
    /// Whether the call changes nothing, neither at the backend nor at the API behind it.
    pub(crate) only_reads: bool,
    pub(crate) deadline: Deadline,
    /// The time from the start of the call to the deadline, for messages.
    pub(crate) timeout: Duration,
}

/// The body of a call.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    /// A JSON text.
    Json(Bytes),
    /// Streamed bytes, which can be sent only once.
    Once {
        content_type: HeaderValue,
        bytes: ByteStream,
    },
    /// The streamed bytes were sent.
    Sent,
}

/// The event that an attempt waits for.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Connection,
    Answer,
    RestOfAnswer,
}

impl Call {
    /// Sends the request once, and follows redirects. The response may have any status except a redirect.
    pub(crate) async fn attempt(&mut self) -> Result<Answer, Failure> {
        // A timer is polled after the future that it limits, and the first poll could already send the
        // request.
        if self.deadline.remaining().is_zero() {
            return Err(self.too_late(Stage::Connection));
        }
        let client = shared_client().map_err(|error| Failure { replay: Replay::Never, error })?;
        let mut stage = Stage::Answer;
        let deadline = self.deadline.instant().into();
        match until(deadline, self.exchange(client, &mut stage)).await {
            Ok(exchanged) => exchanged,
            Err(TooLate { connecting: true }) => Err(self.too_late(Stage::Connection)),
            Err(TooLate { connecting: false }) => Err(self.too_late(stage)),
        }
    }

    async fn exchange(&mut self, client: &Client, stage: &mut Stage) -> Result<Answer, Failure> {
        let mut url = self.url.clone();
        let mut redirects = 0;
        loop {
            let response = self.send(client, &url).await?;
            if !is_redirect(response.status()) {
                *stage = Stage::RestOfAnswer;
                return self.read(url, response).await;
            }
            url = self.redirected(&url, &response, redirects)?;
            redirects += 1;
        }
    }

    async fn send(&mut self, client: &Client, url: &Url) -> Result<Response, Failure> {
        let mut headers = self.headers.clone();
        let body = match &mut self.body {
            Body::Empty => whole(Bytes::new()),
            Body::Json(text) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                whole(text.clone())
            }
            body => {
                let Body::Once { content_type, bytes } = std::mem::replace(body, Body::Sent) else {
                    return Err(self.cannot_be_repeated(url));
                };
                headers.insert(CONTENT_TYPE, content_type);
                streamed(bytes)
            }
        };
        let request = Request { method: self.method.clone(), url: url.clone(), headers, body };
        client.send(request).await.map_err(|error| self.not_sent_or_broken(url, &error))
    }

    async fn read(&self, url: Url, response: Response) -> Result<Answer, Failure> {
        let (head, mut rest) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        if self.hands_on && status.is_success() {
            return Ok(Answer { url, status, headers, body: Vec::new(), rest: Some(rest) });
        }
        let mut body = rest.buffer();
        loop {
            match rest.try_next().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= self.max_answer => {
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                // The status of an error is worth more than the rest of its body.
                Ok(Some(_)) | Err(_) if !status.is_success() => break,
                Ok(Some(_)) => return Err(self.too_large(&url)),
                Err(error) => return Err(self.cut_off(&url, error.as_ref())),
            }
        }
        Ok(Answer { url, status, headers, body, rest: None })
    }

    /// Returns the target of a redirect, if the call may follow it.
    ///
    /// The target must have the same origin. The redirect must keep the method, which 301, 302 and 303 do
    /// only for GET.
    fn redirected(&self, from: &Url, response: &Response, redirects: usize) -> Result<Url, Failure> {
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| from.join(location).ok());
        let keeps_the_call = self.method == Method::GET
            || matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);

        let refusal = match target {
            None => "without a target".to_owned(),
            Some(target) if target.origin() != from.origin() => {
                format!("to {}. The API key was not sent there", origin(&target))
            }
            Some(_) if !keeps_the_call => {
                "that would turn the call into a GET of another path. It was not followed".to_owned()
            }
            Some(_) if redirects == MAX_REDIRECTS => format!("for the {}th time", redirects + 1),
            Some(mut target) => {
                // The call has its own credential. The URL's user name and password would only end up in a
                // log.
                let _ = target.set_username("").and(target.set_password(None));
                return Ok(target);
            }
        };
        let message = format!("{} responded with {}, a redirect {refusal}.", origin(from), status.as_u16());
        let error = Error::from_wire(status.as_u16(), answer::error_body(message)).fix("Check baseURL.");
        Err(Failure { replay: Replay::Never, error })
    }

    fn not_sent_or_broken(&self, url: &Url, error: &proxy_execute_transport::Error) -> Failure {
        if let Some(error) = of_the_body(error) {
            return Failure { replay: Replay::Never, error };
        }
        if let proxy_execute_transport::Error::Url(_) = error {
            return self.too_long();
        }
        let (origin, reason) = (origin(url), reason(error));
        if error.is_head_too_large() {
            let limit = MAX_HEAD / 1024;
            let message = format!("The response of {origin} has more than {limit} KiB of headers.");
            let error = Error::new(ErrorKind::UpstreamTooLarge, message + self.doubt()).fix("Check baseURL.");
            return Failure { replay: Replay::Never, error };
        }
        if !error.is_connect() {
            let message = format!("The connection to {origin} broke before the response ({reason}).");
            return self.broken(message);
        }
        let fix = if reason.contains("certificate") {
            "If a private authority signed its certificate, name that authority's PEM file in NODE_EXTRA_CA_CERTS."
        } else {
            "Is the gateway running, and is baseURL right?"
        };
        let message = format!("Could not connect to {origin} ({reason}).");
        Failure { replay: Replay::Harmless, error: Error::new(ErrorKind::Connection, message).fix(fix) }
    }

    /// The error of a redirect, or of another attempt, after the body was sent.
    fn cannot_be_repeated(&self, url: &Url) -> Failure {
        let message = format!(
            "{} asks for a retry, but the body of the call was a stream and cannot be sent twice.",
            origin(url)
        );
        Failure {
            replay: Replay::Never,
            error: Error::new(ErrorKind::Connection, message).fix("Check baseURL."),
        }
    }

    /// The error of a URL that is too long. The URL standard has no limit, but a request has one (64 KiB).
    fn too_long(&self) -> Failure {
        let message = "The call's URL is too long to be sent.";
        Failure { replay: Replay::Never, error: Error::new(ErrorKind::InvalidRequest, message) }
    }

    fn cut_off(&self, url: &Url, error: &(dyn StdError + 'static)) -> Failure {
        if let Some(error) = of_the_body(error) {
            return Failure { replay: Replay::Never, error };
        }
        self.broken(format!("The response of {} was cut off or damaged ({}).", origin(url), reason(error)))
    }

    fn too_large(&self, url: &Url) -> Failure {
        let (origin, most) = (origin(url), self.max_answer);
        let message = format!(
            "The response of {origin} is larger than {most} bytes, the limit of a JavaScript string."
        );
        let error = Error::new(ErrorKind::UpstreamTooLarge, message + self.doubt())
            .fix("Ask for less at a time, or read it with `responseType: 'stream'`.");
        Failure { replay: Replay::Never, error }
    }

    fn broken(&self, message: String) -> Failure {
        let error = Error::new(ErrorKind::Connection, message + self.doubt());
        Failure { replay: Replay::IfItOnlyReads, error }
    }

    fn too_late(&self, stage: Stage) -> Failure {
        let (origin, timeout) = (origin(&self.url), seconds(self.timeout));
        let message = match stage {
            Stage::Connection => format!("Could not connect to {origin} within {timeout}."),
            Stage::Answer => format!("{origin} did not respond within {timeout}.{}", self.doubt()),
            Stage::RestOfAnswer => {
                format!("{origin} did not finish its response within {timeout}.{}", self.doubt())
            }
        };
        Failure { replay: Replay::Never, error: Error::new(ErrorKind::DeadlineExceeded, message) }
    }

    /// A warning for the caller that the call may have taken effect.
    fn doubt(&self) -> &'static str {
        if self.only_reads { "" } else { " The call may have taken effect." }
    }
}

/// Returns the HTTP client of the process. The first call creates it.
///
/// A failure is not cached: the file of `NODE_EXTRA_CA_CERTS` may exist at the next call.
fn shared_client() -> ProtocolResult<&'static Client> {
    static SHARED: OnceLock<Client> = OnceLock::new();
    match SHARED.get() {
        Some(client) => Ok(client),
        None => {
            let client = new_client()?;
            Ok(SHARED.get_or_init(|| client))
        }
    }
}

fn new_client() -> ProtocolResult<Client> {
    let options = Options {
        environment_proxies: true,
        address_filter: None,
        idle_timeout: IDLE_TIMEOUT,
        ping_interval: Some(PING_INTERVAL),
        max_expansion: None,
    };
    Client::new(options).map_err(|error| Error::new(ErrorKind::InvalidOption, error.to_string()))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Returns the error of a request body that could not be read, if that is the cause.
fn of_the_body(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<Error>() {
            return Some(error.clone());
        }
        cause = inner.source();
    }
    None
}
