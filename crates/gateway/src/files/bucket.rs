//! A bucket of a service that speaks S3, and its HTTP client.
//!
//! The operator chooses the service's address, so the address checks of API calls do not apply.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use http::header::{ACCEPT_ENCODING, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use proxy_execute_transport::{Body, Client, Options, Request, ResponseBody, whole};
use secrecy::ExposeSecret;
use tokio::time::timeout;
use url::Url;

use super::{S3Options, invalid};

/// How long the service may be silent, before its response and between two chunks of it.
const SILENCE: Duration = Duration::from_secs(30);

/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Opens a bucket. It sends no request yet.
///
/// # Errors
/// `InvalidOption` that names the option, or `NODE_EXTRA_CA_CERTS`.
pub(super) fn open(options: S3Options) -> Result<Arc<dyn ObjectStore>> {
    let client = Client::new(Options {
        environment_proxies: true,
        address_filter: None,
        idle_timeout: IDLE_TIMEOUT,
        ping_interval: None,
        max_expansion: None,
    });
    let client = client.map_err(|error| Error::new(ErrorKind::InvalidOption, error.to_string()))?;
    let retry =
        RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(30), ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(options.bucket)
        .with_http_connector(Service(Arc::new(client)))
        .with_retry(retry);
    if let Some(region) = options.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = options.endpoint {
        // An operator that names a server without TLS, such as one on the same machine, does so on purpose.
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    if let (Some(id), Some(key)) = (options.access_key_id, options.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(key.expose_secret());
    }
    let bucket = builder.build().map_err(|error| invalid("files.s3", &error.to_string()))?;
    Ok(match options.prefix {
        Some(prefix) => Arc::new(object_store::prefix::PrefixStore::new(bucket, prefix)),
        None => Arc::new(bucket),
    })
}

/// The HTTP client, as an implementation of the object store's traits.
#[derive(Debug, Clone)]
struct Service(Arc<Client>);

impl HttpConnector for Service {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string())
            .map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
        let mut headers = head.headers;
        // Without a content encoding, objects are read exactly as they were written.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = Request { method: head.method, url, headers, body: outgoing(body) };
        let response = match timeout(SILENCE, self.0.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                return Err(HttpError::new(HttpErrorKind::Connect, error));
            }
            Ok(Err(error)) => return Err(HttpError::new(HttpErrorKind::Interrupted, error)),
            Err(silence) => return Err(HttpError::new(HttpErrorKind::Timeout, silence)),
        };
        Ok(response.map(incoming))
    }
}

fn outgoing(body: HttpRequestBody) -> Body {
    match body.as_bytes() {
        Some(bytes) => whole(bytes.clone()),
        None => Body::wrap(body),
    }
}

fn incoming(body: ResponseBody) -> HttpResponseBody {
    let frames = stream::unfold(Some(body), |body| async {
        let mut body = body?;
        match timeout(SILENCE, body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => Some((Ok(Frame::data(bytes)), Some(body))),
            Ok(Some(Err(error))) => {
                Some((Err(HttpError::new_boxed(HttpErrorKind::Interrupted, error)), None))
            }
            Err(silence) => Some((Err(HttpError::new(HttpErrorKind::Timeout, silence)), None)),
        }
    });
    HttpResponseBody::new(StreamBody::new(frames))
}
