//! The caller of a request: the check of its key, and the responses to it.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use proxy_execute_protocol::{Area, Error, ErrorKind, Level, Result};
use serde::Serialize;

use super::reply::{Failure, RequestId, SHOULD_RETRY};
use proxy_execute_gateway::api_key::permit;
use proxy_execute_gateway::audit::{Actor, Change};
use proxy_execute_gateway::{CallOrigin, Gateway, TraceContext};

/// Marks a request of the gateway's owner, which needs no key. Only code in this process can set it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner;

/// A request's sender, before its key is checked.
pub(super) struct Caller {
    gateway: Gateway,
    pub(super) request_id: RequestId,
    is_owner: bool,
    key: Option<HeaderValue>,
    has_several_credentials: bool,
    from: Option<IpAddr>,
    /// The trace of the client. It is read only if calls are traced.
    trace: Option<TraceContext>,
}

/// The headers with a credential: of a project, of a user and of an organisation.
const CREDENTIALS: [&str; 3] = ["x-api-key", "x-user-api-key", "x-org-api-key"];

/// Takes the key from `Authorization`, if the request has no `x-api-key`.
///
/// Only routes for clients that cannot send another header accept a key there. SDKs send it as `Bearer`, as `token`,
/// or as the user name or the password of `Basic`.
pub(super) fn take_key(headers: &mut HeaderMap) {
    let given = |value: &HeaderValue| {
        let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
        let credential = credential.trim();
        if ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return HeaderValue::from_str(credential).ok();
        }
        let pair =
            BASE64.decode(credential.as_bytes()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let pair = String::from_utf8(pair).ok()?;
        let key = pair.split(':').find(|part| part.starts_with("ak_"))?;
        HeaderValue::from_str(key).ok()
    };
    if !headers.contains_key("x-api-key")
        && let Some(mut key) = headers.get(header::AUTHORIZATION).and_then(given)
    {
        key.set_sensitive(true);
        headers.insert("x-api-key", key);
        headers.remove(header::AUTHORIZATION);
    }
}

/// The trace of a request. Two `traceparent` headers are none (W3C Trace Context, §3.2).
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all("traceparent").iter();
    let parent = parents.next().filter(|_| parents.next().is_none())?;
    let states = headers.get_all("tracestate").iter().map(HeaderValue::as_bytes);
    TraceContext::read(parent.as_bytes(), states)
}

impl FromRequestParts<Gateway> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut RequestParts,
        gateway: &Gateway,
    ) -> Result<Self, Self::Rejection> {
        let request_id = RequestId::from_request_parts(parts, gateway).await?;
        Ok(Self {
            gateway: gateway.clone(),
            request_id,
            is_owner: parts.extensions.get::<Owner>().is_some(),
            key: parts.headers.get("x-api-key").cloned(),
            has_several_credentials: CREDENTIALS
                .iter()
                .flat_map(|name| parts.headers.get_all(*name))
                .nth(1)
                .is_some(),
            trace: gateway.traces().then(|| trace_of(&parts.headers)).flatten(),
            from: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip()),
        })
    }
}

impl Caller {
    /// The request, for the record of the call that it makes.
    pub(super) fn origin(&self) -> CallOrigin {
        CallOrigin { request_id: self.request_id.0.clone(), from_port: true, trace: self.trace.clone() }
    }

    /// Responds with the result of `work`, if the caller may read in the area.
    pub(super) async fn reading<T: Serialize, Work: Future<Output = Result<T>> + Send>(
        self,
        area: Area,
        work: impl FnOnce(Gateway) -> Work,
    ) -> Result<Response, Failure> {
        let result = self.run(area, Level::Read, work).await;
        self.json(result, StatusCode::OK)
    }

    /// Responds with the result of `work`, if the caller may write in the area.
    pub(super) async fn writing<T: Serialize, Work: Future<Output = Result<T>> + Send>(
        self,
        area: Area,
        status: StatusCode,
        work: impl FnOnce(Gateway) -> Work,
    ) -> Result<Response, Failure> {
        let result = self.run(area, Level::Write, work).await;
        self.json(result, status)
    }

    /// Responds with the result of an administrative change, if the caller may write in the area. The change is
    /// recorded.
    pub(super) async fn changing<T, Work>(
        self,
        area: Area,
        status: StatusCode,
        work: impl FnOnce(Gateway) -> Work + Send,
    ) -> Result<Response, Failure>
    where
        T: Serialize + Send + 'static,
        Work: Future<Output = Result<(T, Change)>> + Send + 'static,
    {
        self.changing_as(area, None, status, |gateway, _| work(gateway)).await
    }

    /// Responds as [`Caller::changing`] does, with the actor for `work`. The API key `own` may make the change
    /// without the permission.
    pub(super) async fn changing_as<T, Work>(
        self,
        area: Area,
        own: Option<&str>,
        status: StatusCode,
        work: impl FnOnce(Gateway, Actor) -> Work + Send,
    ) -> Result<Response, Failure>
    where
        T: Serialize + Send + 'static,
        Work: Future<Output = Result<(T, Change)>> + Send + 'static,
    {
        let result = self
            .gateway
            .run(async {
                let actor = self.identify(area, Level::Write).await?;
                if let Actor::ApiKey(key) = &actor
                    && own != Some(&key.id)
                {
                    permit(key, area, Level::Write)?;
                }
                let work = Box::pin(work(self.gateway.clone(), actor.clone()));
                self.gateway.recorded(actor, work).await
            })
            .await;
        self.json(result, status)
    }

    /// Responds with the result of a proxied call, if the caller may make proxied calls.
    pub(super) async fn calling<Work: Future<Output = Result<Response>> + Send>(
        self,
        work: impl FnOnce(Gateway) -> Work,
    ) -> Result<Response, Failure> {
        self.run(Area::ProxyExecute, Level::Write, work).await.or_else(|error| {
            let may_be_done = error.kind().may_be_done();
            let mut response = Failure::new(error, self.request_id).into_response();
            if may_be_done {
                response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Ok(response)
        })
    }

    /// Runs `work`, if the caller has the permission.
    pub(super) async fn run<T, Work: Future<Output = Result<T>> + Send>(
        &self,
        area: Area,
        level: Level,
        work: impl FnOnce(Gateway) -> Work,
    ) -> Result<T> {
        // The future is boxed, because each function that passes a future to another holds it twice.
        let work = Box::pin(work(self.gateway.clone()));
        self.gateway
            .run(async {
                self.authorize(area, level).await?;
                work.await
            })
            .await
    }

    /// Runs `work`, if the caller has a valid key. The permissions of the key do not matter.
    pub(super) async fn run_with_any_key<T, Work: Future<Output = Result<T>> + Send>(
        &self,
        work: impl FnOnce(Gateway) -> Work,
    ) -> Result<T> {
        let work = Box::pin(work(self.gateway.clone()));
        self.gateway
            .run(async {
                self.identify(Area::Sessions, Level::Read).await?;
                work.await
            })
            .await
    }

    async fn authorize(&self, area: Area, level: Level) -> Result<()> {
        match self.identify(area, level).await? {
            Actor::Owner => Ok(()),
            Actor::ApiKey(key) => permit(&key, area, level),
        }
    }

    /// Returns the caller, whatever its permissions are. The errors name those that the request needs.
    async fn identify(&self, area: Area, level: Level) -> Result<Actor> {
        if self.is_owner {
            return Ok(Actor::Owner);
        }
        if self.has_several_credentials {
            return Err(several_credentials());
        }
        let key = self.key.as_ref().map(HeaderValue::as_bytes);
        let key = self.gateway.api_keys.identify(key, self.from, area, level).await?;
        Ok(Actor::ApiKey(key))
    }

    fn json(self, result: Result<impl Serialize>, status: StatusCode) -> Result<Response, Failure> {
        match result {
            Ok(value) => Ok((status, Json(value)).into_response()),
            Err(error) => Err(Failure::new(error, self.request_id)),
        }
    }
}

fn several_credentials() -> Error {
    let message = "The request has more than one credential. It may have one: a project's key in `x-api-key`, a \
                   user's key in `x-user-api-key`, or an organisation's key in `x-org-api-key`.";
    Error::new(ErrorKind::SeveralCredentials, message).fix("Send the `x-api-key` alone.")
}
