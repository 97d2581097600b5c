//! The gateway as a backend in the process that opened it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy_execute_gateway::{CallOrigin, Gateway, GatewayOptions, id};
use proxy_execute_protocol::{
    Backend, Deadline, Download, Envelope, Error, ErrorKind, ProxyCall, ResourceRequest, Result,
    StreamedAnswer,
};

use crate::caller::Owner;
use crate::{Listen, answer, metrics, router, start};

/// The characters to encode: all but the unreserved ones of RFC 3986, which the routes contain as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A gateway in this process. Its owner needs no API key. It is cheap to clone; all clones are one gateway.
///
/// Resources go through the routes of the port, so that both have one description.
#[derive(Debug, Clone)]
pub struct Embedded {
    gateway: Gateway,
    /// The routes, without the limit on requests.
    routes: Router,
}

impl Embedded {
    /// Opens a gateway.
    ///
    /// # Errors
    /// Those of [`Gateway::open`].
    pub async fn open(options: GatewayOptions) -> Result<Self> {
        Gateway::open(options).await.map(Self::from)
    }

    /// Serves the gateway on a port until it is closed.
    ///
    /// # Errors
    /// `InvalidOption` if the address cannot be used.
    pub async fn listen(&self, listen: Listen) -> Result<SocketAddr> {
        let (address, server) = self.gateway.run(start(self.gateway.clone(), listen)).await?;
        self.gateway.close_after(server);
        Ok(address)
    }

    /// Serves the gateway on a port, as [`Embedded::listen`] does, and its metrics on an address such as
    /// `127.0.0.1:9464`. Returns both addresses.
    ///
    /// # Errors
    /// `InvalidOption` if an address cannot be used. Then no port is open.
    pub async fn listen_with_metrics(
        &self,
        listen: Listen,
        metrics: &str,
    ) -> Result<(SocketAddr, SocketAddr)> {
        let listener = self.gateway.run(metrics::bind(metrics)).await?;
        let address = self.listen(listen).await?;
        let (metrics, server) = metrics::serve(self.gateway.clone(), listener)?;
        self.gateway.close_after(server);
        Ok((address, metrics))
    }

    /// Makes a proxied call of the owner. The record of the call and its error have the same id.
    async fn calling<T, Call: Future<Output = Result<T>> + Send>(
        &self,
        call: impl FnOnce(CallOrigin) -> Call,
    ) -> Result<T> {
        let request_id = id::random("req");
        let result = self
            .run(call(CallOrigin { request_id: request_id.clone(), from_port: false, trace: None }))
            .await;
        result.map_err(|error| error.with_request_id(request_id))
    }

    /// Responds to a request of the owner.
    pub(crate) async fn respond(&self, mut request: Request) -> Response {
        request.extensions_mut().insert(Owner);
        let Ok(response) = answer(self.routes.clone(), request).await;
        response
    }
}

impl From<Gateway> for Embedded {
    fn from(gateway: Gateway) -> Self {
        Self { routes: router(None).with_state(gateway.clone()), gateway }
    }
}

/// The administration of the gateway: keys, the record of calls, closing.
impl Deref for Embedded {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

/// The caller enforces the deadline. The gateway has its own limits for each step.
#[async_trait]
impl Backend for Embedded {
    async fn proxy_execute(&self, session_id: &str, call: ProxyCall, _: Deadline) -> Result<Envelope> {
        let call = call.read()?;
        self.calling(|origin| self.proxy.execute(Some(session_id), call, origin)).await
    }

    async fn tools_proxy_execute(&self, call: ProxyCall, _: Deadline) -> Result<Envelope> {
        let call = call.read()?;
        self.calling(|origin| self.proxy.execute(None, call, origin)).await
    }

    async fn streams(&self, _: Deadline) -> Result<bool> {
        Ok(true)
    }

    async fn proxy_stream(
        &self,
        session_id: Option<&str>,
        call: ProxyCall,
        _: Deadline,
    ) -> Result<StreamedAnswer> {
        let call = call.read()?;
        let (head, body) = self.calling(|origin| self.proxy.stream(session_id, call, origin)).await?;
        Ok(StreamedAnswer { head: Envelope::head(&head), body })
    }

    async fn download(&self, url: &str, _: Deadline) -> Result<Download> {
        self.run(async {
            let Download { content_type, size, body } = self.files.download(url).await?;
            Ok(Download { content_type, size, body: self.until_closed(body, Duration::MAX) })
        })
        .await
    }

    async fn resource(&self, request: ResourceRequest, _: Deadline) -> Result<String> {
        let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let path: String = request.path.iter().map(|name| format!("/{}", encode(name))).collect();
        let query: Vec<_> =
            request.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let body = request.body.map(|body| Body::from(String::from(Box::<str>::from(body))));
        let request = Request::builder()
            .method(request.method.as_str())
            .uri(format!("/api/v3.1{path}?{}", query.join("&")))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.unwrap_or_default())
            .map_err(|error| {
                Error::new(ErrorKind::InvalidRequest, format!("The path cannot be used: {error}."))
            })?;
        read(self.respond(request).await).await
    }

    async fn connected_account(&self, id: &str, _: Deadline) -> Result<String> {
        let account = self.run(self.accounts.connected(id)).await?;
        Ok(serde_json::to_string(&account).expect("an account can be written as JSON"))
    }
}

/// The text of a response, or the error that the response was made from.
async fn read(mut response: Response) -> Result<String> {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        return Err(error);
    }
    let status = response.status();
    let unreadable = |_| Error::new(ErrorKind::Internal, "The gateway's own response could not be read.");
    let body = to_bytes(response.into_body(), usize::MAX).await.map_err(unreadable)?;
    if !status.is_success() {
        let message = format!("The gateway responded with {status} and no reason.");
        return Err(Error::new(ErrorKind::Internal, message));
    }
    String::from_utf8(body.into())
        .map_err(|_| Error::new(ErrorKind::Internal, "The gateway's own response is not text."))
}
