//! `/relay/{session_id}/{toolkit}/…`: the API of a toolkit, for SDKs that know a base URL and a key only
//! (`docs/wire.md`).
//!
//! A request is a proxied call of its session. Its method, headers, query and body go to the API as they are,
//! and so does the response to the client.

use std::task::Poll;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use data_encoding::BASE64;
use futures::stream::poll_fn;
use futures::{StreamExt, TryStreamExt};
use http_body_util::StreamBody;
use hyper::body::{Body as _, Frame};
use proxy_execute_protocol::{
    BinaryBody, ByteStream, Error, ErrorKind, Headers, Method, Parameter, ParameterLocation, ProxyRequest,
    Result, StreamedHead, quoted,
};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;

use super::caller::Caller;
use super::proxy::ReadToTheEnd;
use super::reply::{Failure, RELAY, Relayed, read_bytes, too_large};

/// The header of an error that comes from the gateway, not from the API. Its value is the slug.
pub(super) const ERROR: HeaderName = HeaderName::from_static("x-proxy-execute-error");

/// The header with the gateway's id of a request, beside the `x-request-id` of the API.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-proxy-execute-request-id");

/// Upper limit for a body that is read before it is sent, so that it can be sent again after a refresh.
const MAX_HELD_BYTES: u64 = 64 * 1024;

/// Relays a request to the API of a toolkit, with the credential of the session's user.
pub(super) async fn relay(caller: Caller, request: Request) -> Result<Response, Failure> {
    let origin = caller.origin();
    caller
        .calling(|gateway| async move {
            let (session_id, call) = read(request).await?;
            let (head, body) = gateway.proxy.stream(Some(&session_id), call, origin).await?;
            respond(head, body)
        })
        .await
}

/// Reads the session and the call of a request.
async fn read(request: Request) -> Result<(String, ProxyRequest)> {
    let Target { session_id, toolkit, endpoint } = Target::of(request.uri())?;
    let method = method(request.method().as_str())?;
    refuse_web_socket(request.headers())?;
    let parameters = parameters(request.headers())?;
    let binary_body = body(request).await?;
    let call = ProxyRequest {
        toolkit_slug: Some(toolkit),
        connected_account_id: None,
        custom_connection_data: None,
        endpoint,
        method,
        body: None,
        binary_body,
        parameters,
        redirect: None,
        // The `Authorization` of an SDK is the key of the gateway, or a dummy.
        keep_authorization: Some(false),
        data_as_text: false,
    };
    Ok((session_id, call))
}

/// The parts of the path.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    session_id: String,
    toolkit: String,
    endpoint: String,
}

impl Target {
    /// Reads the path as it was sent: nothing in it is decoded or normalized.
    ///
    /// The text after the toolkit is the endpoint. It is an absolute URL if it begins with `http:` or `https:`, and
    /// else a path below the base URL.
    fn of(uri: &Uri) -> Result<Self> {
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let mut parts = path.strip_prefix(RELAY).unwrap_or_default().splitn(2, '/');
        let session_id = parts.next().unwrap_or_default();
        let rest = parts.next().unwrap_or_default();
        let (toolkit, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if session_id.is_empty() || toolkit.is_empty() {
            let message = "The path of a relay is /relay/{session_id}/{toolkit}/{path}.";
            return Err(Error::new(ErrorKind::NotFound, message).fix(
                "Give an SDK the base URL /relay/{session_id}/{toolkit}, and what follows in the API's own.",
            ));
        }
        let is_absolute = |text: &&str| {
            let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
            ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        };
        let path = path.strip_prefix('/').filter(is_absolute).unwrap_or(path);
        // A fragment alone is the base URL itself.
        let endpoint =
            if path.is_empty() && query.is_empty() { "#".to_owned() } else { format!("{path}{query}") };
        Ok(Self { session_id: session_id.to_owned(), toolkit: toolkit.to_owned(), endpoint })
    }
}

fn method(name: &str) -> Result<Method> {
    let known: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
    Method::deserialize(known).map_err(|_| {
        let message = format!("The method {} cannot be relayed.", quoted(name));
        Error::new(ErrorKind::MethodNotAllowed, message)
            .fix("A call may use the methods of HTTP and WebDAV, in upper case, except CONNECT and TRACE.")
    })
}

fn refuse_web_socket(headers: &HeaderMap) -> Result<()> {
    let mut protocols = headers.get_all(header::UPGRADE).iter();
    let is_web_socket = |value: &HeaderValue| {
        value.as_bytes().split(|byte| *byte == b',').any(|protocol| {
            protocol.trim_ascii().get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
        })
    };
    if !protocols.any(is_web_socket) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "A relay carries requests and responses of HTTP, and no WebSocket.",
    )
    .fix("Connect to the API itself, with a short-lived credential that a call of the API returns."))
}

/// The headers for the API: all but those of the connection and the key of the gateway.
fn parameters(headers: &HeaderMap) -> Result<Vec<Parameter>> {
    let is_dropped = |name: &HeaderName| {
        [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name)
            || name == "x-api-key"
    };
    let kept = headers.iter().filter(|(name, _)| !is_dropped(name));
    kept.map(|(name, value)| {
        let value = value.to_str().map_err(|_| {
            let message = format!("The header `{name}` has a character outside ASCII in it.");
            Error::of_field(ErrorKind::InvalidRequest, name.as_str(), message)
        })?;
        Ok(Parameter {
            name: name.as_str().to_owned(),
            value: value.to_owned(),
            location: ParameterLocation::Header,
        })
    })
    .collect()
}

/// The body for the API. A small one is read here, so that the call can be repeated after a refresh.
async fn body(request: Request) -> Result<Option<BinaryBody>> {
    if request.body().is_end_stream() {
        return Ok(None);
    }
    let size = request.body().size_hint().exact();
    if size.is_none_or(|size| size > MAX_HELD_BYTES) {
        let cut_off = |error| {
            Error::new(ErrorKind::UploadBroken, format!("The body of the request was cut off: {error}."))
        };
        let bytes = ReadToTheEnd::of(request.into_body()).map_err(cut_off);
        return Ok(Some(BinaryBody { size, stream: Some(ByteStream::new(bytes)), ..BinaryBody::default() }));
    }
    let bytes = read_bytes(request, MAX_HELD_BYTES as usize, too_large).await?;
    Ok(Some(match String::from_utf8(bytes) {
        Ok(text) => BinaryBody { text: Some(text), ..BinaryBody::default() },
        Err(error) => BinaryBody { base64: Some(BASE64.encode(error.as_bytes())), ..BinaryBody::default() },
    }))
}

/// The response of the API, with its trailers.
fn respond(head: StreamedHead, body: ByteStream) -> Result<Response> {
    let StreamedHead { head, length, trailers, .. } = head;
    let mut trailers = Some(trailers);
    let frames = body.map_ok(Frame::data).chain(poll_fn(move |_| {
        let ended = trailers.take().and_then(|trailers| trailers.get().map(header_map));
        Poll::Ready(ended.map(|trailers| Ok(Frame::trailers(trailers))))
    }));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| {
        Error::new(ErrorKind::UpstreamBroken, format!("The API responded with status {}.", head.status))
    })?;
    *response.headers_mut() = header_map(&head.headers);
    // An API must not be able to pass its response off as an error of the gateway.
    response.headers_mut().remove(ERROR);
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.extensions_mut().insert(Relayed);
    Ok(response)
}

fn header_map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in &headers.0 {
        // Both come from a header of the API, so both are valid.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
        {
            map.append(name, value);
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> String {
        Target::of(&format!("/relay/trs_1/github{path}").parse().unwrap()).unwrap().endpoint
    }

    #[test]
    fn the_endpoint_is_the_rest_of_the_path_as_it_was_sent() {
        for (path, expected) in [
            ("", "#"),
            ("?a=1", "?a=1"),
            ("/", "/"),
            ("/user?a=%2F&a=", "/user?a=%2F&a="),
            ("/a%2fb/../c//d;x", "/a%2fb/../c//d;x"),
            ("//evil.example/x", "//evil.example/x"),
            ("/https://api.github.com/user", "https://api.github.com/user"),
            ("/HTTPS:/evil.example", "HTTPS:/evil.example"),
            ("/models:list", "/models:list"),
            ("/a/https://x", "/a/https://x"),
            ("/x?u=https://y", "/x?u=https://y"),
        ] {
            assert_eq!(endpoint(path), expected, "{path}");
        }
        for path in ["/relay/", "/relay/trs_1", "/relay/trs_1/", "/relay//github/x", "/relay/trs_1//x"] {
            assert_eq!(Target::of(&path.parse().unwrap()).unwrap_err().kind(), ErrorKind::NotFound, "{path}");
        }
    }

    #[test]
    fn every_row_of_the_table_reaches_the_endpoint_rule_unchanged() {
        #[derive(Deserialize)]
        struct Row {
            endpoint: String,
        }
        let rows: Vec<Row> =
            serde_json::from_str(include_str!("../../../cases/endpoint-cases.json")).unwrap();
        let mut seen = 0;
        for Row { endpoint: row } in rows {
            let begins_a_url = row.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http:"))
                || row.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
            let slash = if begins_a_url { "/" } else { "" };
            // No request line holds the others. The first slash of a relay ends the toolkit.
            let Ok(uri) = format!("/relay/trs_1/github{slash}{row}").parse::<Uri>() else { continue };
            if !(begins_a_url || row.starts_with(['/', '?'])) || row.starts_with("/https:") {
                continue;
            }
            let sent = row.split('#').next().unwrap_or_default();
            assert_eq!(Target::of(&uri).unwrap().endpoint, sent);
            seen += 1;
        }
        assert!(seen > 80, "{seen} rows");
    }
}
