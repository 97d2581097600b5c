//! The parts of a proxied call that the caller sets: headers, query and body.
//!
//! `cases/header-cases.json` defines the rules for headers. In short:
//! - Names and values must be valid. `Host` and the framing headers are rejected, and hop-by-hop headers are
//!   dropped.
//! - All other headers are sent as given, with their repeats. A header that has one value must not repeat.
//! - A value outside ASCII is rejected, not re-encoded.

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE,
    ETAG, EXPECT, FROM, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, LOCATION, MAX_FORWARDS, ORIGIN, RANGE, REFERER, TRANSFER_ENCODING,
    USER_AGENT,
};
use proxy_execute_protocol::{
    Error, ErrorKind, Parameter, ParameterLocation, ProxyRequest, Result, json_in_string, missing, quoted,
};
use url::Url;

use crate::header::{header_value, is_hop_by_hop, is_json, named_by_connection};
use crate::query::append_query;
use crate::upload;

/// Headers that have one value (RFC 9110, RFC 6454, RFC 6266). Servers disagree on which of two values
/// counts.
const SINGLE_VALUED: [HeaderName; 18] = [
    AUTHORIZATION,
    CONTENT_DISPOSITION,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    FROM,
    IF_MODIFIED_SINCE,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    LAST_MODIFIED,
    LOCATION,
    MAX_FORWARDS,
    ORIGIN,
    RANGE,
    REFERER,
    USER_AGENT,
];

/// Builds the headers from the caller's parameters. `bounds::call` has already checked their number.
///
/// A header that the credential sets has one value, so the caller must not repeat it. Unless the request keeps
/// its own authorization, such a header and `Authorization` are left out.
///
/// # Errors
/// `InvalidRequest` that names the parameter.
pub(crate) fn headers(
    parameters: &[Parameter],
    credential: &[(HeaderName, HeaderValue)],
    keeps_authorization: bool,
) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (index, parameter) in parameters.iter().enumerate() {
        if parameter.location != ParameterLocation::Header {
            continue;
        }
        let name = HeaderName::from_bytes(parameter.name.as_bytes()).map_err(|_| {
            invalid(index, "name", "is not a header name; it takes letters, digits and !#$%&'*+-.^_`|~")
        })?;
        let value = header_value(&parameter.value).ok_or_else(|| {
            let message = format!(
                "of header `{}` has a line break, another control character or a character outside ASCII in it",
                quoted(name.as_str())
            );
            invalid(index, "value", &message)
        })?;
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
            let message = format!("`{name}` cannot be set: it follows from the endpoint and the body");
            return Err(invalid(index, "name", &message));
        }
        if name == EXPECT {
            // The gateway has the whole request, so it fulfils this expectation itself (RFC 9110 §10.1.1).
            if value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
                continue;
            }
            return Err(invalid(index, "value", "of header `expect` can be 100-continue only"));
        }
        let is_injected = credential.iter().any(|(own, _)| *own == name);
        if !keeps_authorization && (is_injected || name == AUTHORIZATION) {
            continue;
        }
        let is_single = SINGLE_VALUED.contains(&name) || is_injected;
        if is_single && headers.contains_key(&name) {
            let is_it = |earlier: &Parameter| {
                earlier.location == ParameterLocation::Header
                    && name.as_str().eq_ignore_ascii_case(&earlier.name)
            };
            let first = parameters.iter().position(is_it).unwrap_or_default();
            let message = format!("repeats parameters[{first}]: header `{name}` has one value");
            return Err(invalid(index, "name", &message).fix("Leave one of the two out."));
        }
        headers.try_append(name, value).map_err(|_| invalid(index, "name", "is one header too many"))?;
    }
    let named = named_by_connection(&headers);
    let mut kept = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !is_hop_by_hop(name, &named)) {
        kept.append(name, value.clone());
    }
    Ok(kept)
}

fn invalid(index: usize, field: &str, problem: &str) -> Error {
    Error::of_field(
        ErrorKind::InvalidRequest,
        format!("parameters[{index}].{field}"),
        format!("parameters[{index}].{field} {problem}."),
    )
}

/// Appends the caller's query parameters to the endpoint's own, in order and with their repeats.
pub(crate) fn append_query_parameters(url: &mut Url, parameters: &[Parameter]) {
    let query = parameters.iter().filter(|parameter| parameter.location == ParameterLocation::Query);
    append_query(url, query.map(|parameter| (parameter.name.as_str(), parameter.value.as_str())));
}

/// Returns the JSON body of a call, and sets `Content-Type` if the caller did not.
///
/// A string is sent as its characters. Under a JSON type, the string itself must be JSON. Under any other
/// type, the body must be a string. Bytes that the call itself holds are taken as they are.
/// [`upload::open`] handles other bodies of bytes.
///
/// # Errors
/// `InvalidRequest` for a body on GET or HEAD, for two bodies, or for a body that does not fit the
/// `Content-Type`.
pub(crate) fn body(request: &ProxyRequest, headers: &mut HeaderMap) -> Result<Option<Bytes>> {
    let name = match (&request.body, &request.binary_body) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let message = "binary_body: a request has one body; leave `body` or `binary_body` out.";
            return Err(Error::of_field(ErrorKind::InvalidRequest, "binary_body", message));
        }
        (Some(_), None) => "body",
        (None, Some(_)) => "binary_body",
    };
    if !request.method.takes_body() {
        let message = format!("{name}: a {} request has no body.", request.method);
        return Err(Error::of_field(ErrorKind::InvalidRequest, name, message).fix(format!(
            "Leave `{name}` out, put values into `parameters` with `in: 'query'`, or use POST, PUT or PATCH."
        )));
    }
    let Some(body) = &request.body else {
        let held = request.binary_body.as_ref().filter(|body| body.is_held());
        return held.map(|body| upload::held(body, headers)).transpose();
    };
    let content_type = headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    if is_json(content_type) {
        let text = json_in_string(body)?;
        return Ok(Some(text.map_or_else(|| Bytes::copy_from_slice(body.get().as_bytes()), Bytes::from)));
    }
    let is_string = body.get().starts_with('"');
    serde_json::from_str::<String>(body.get()).map(|text| Some(text.into())).map_err(|_| {
        let content_type = quoted(content_type.to_str().unwrap_or_default()).to_string();
        let problem = if is_string {
            "it has half of a surrogate pair in it: a character, such as an emoji, was cut in two"
        } else {
            "it must be a string, which is sent unchanged"
        };
        let message = format!("`body` cannot be sent with Content-Type `{content_type}`: {problem}.");
        Error::of_field(ErrorKind::InvalidRequest, "body", message)
    })
}

/// Rejects a missing or blank field.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn require<'a>(value: Option<&'a str>, field: &str) -> Result<&'a str> {
    value
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| missing(ErrorKind::InvalidRequest, field, value.is_some()))
}

#[cfg(test)]
mod tests {
    use proxy_execute_protocol::Method;

    use super::*;

    fn header(name: &str, value: &str) -> Parameter {
        Parameter { name: name.into(), value: value.into(), location: ParameterLocation::Header }
    }

    fn query(name: &str, value: &str) -> Parameter {
        Parameter { name: name.into(), value: value.into(), location: ParameterLocation::Query }
    }

    fn appended(endpoint: &str, parameters: &[Parameter]) -> String {
        let mut url = Url::parse(endpoint).unwrap();
        append_query_parameters(&mut url, parameters);
        url.into()
    }

    #[test]
    fn query_parameters_come_after_the_endpoints_own() {
        assert_eq!(
            appended("https://x/a?b=%2F+c&b=2", &[query("b", "a b&c=/ü"), query("b", "")]),
            "https://x/a?b=%2F+c&b=2&b=a%20b%26c%3D%2F%C3%BC&b="
        );
        assert_eq!(appended("https://x/a", &[query("q", "1")]), "https://x/a?q=1");
        assert_eq!(appended("https://x/a?", &[query("q", "1")]), "https://x/a?q=1");
        assert_eq!(appended("https://x/a?flag", &[]), "https://x/a?flag");
    }

    #[test]
    fn invalid_and_forbidden_headers_are_refused_by_name() {
        for (name, value) in [
            ("a\r\nb", "1"),
            ("a b", "1"),
            ("a:b", "1"),
            ("", "1"),
            ("ä", "1"),
            ("a", "1\r\nb: 2"),
            ("a", "1\0"),
            ("a", "ä"),
            ("Host", "evil.example"),
            ("content-length", "5"),
            ("Transfer-Encoding", "chunked"),
        ] {
            let error = headers(&[query("ok", "1"), header(name, value)], &[], true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name:?}: {value:?}");
            assert!(error.to_string().starts_with("parameters[1]."), "{error}");
        }
    }

    #[test]
    fn hop_by_hop_headers_and_those_that_connection_names_are_dropped() {
        let kept = headers(
            &[
                header("Connection", "X-Secret, close"),
                header("x-secret", "1"),
                header("Keep-Alive", "timeout=5"),
                header("Proxy-Authorization", "Basic eA=="),
                header("Proxy-Of-Our-Own", "1"),
                header("TE", "trailers"),
                header("Upgrade", "h2c"),
                header("X-Forwarded-For", "1.2.3.4"),
                header("Cookie", "a=1"),
                header("X-Twice", "1"),
                header("X-Twice", "2"),
            ],
            &[],
            true,
        )
        .unwrap();
        let mut names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cookie", "x-forwarded-for", "x-twice"]);
        assert_eq!(kept.get_all("x-twice").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    fn request(method: Method, body: &str) -> ProxyRequest {
        serde_json::from_value(serde_json::json!({
            "endpoint": "/x", "method": method, "body": serde_json::from_str::<serde_json::Value>(body).unwrap(),
        }))
        .unwrap()
    }

    #[test]
    fn a_body_is_json_unless_the_caller_says_otherwise() {
        let mut none = HeaderMap::new();
        assert_eq!(body(&request(Method::Post, r#"{"a":1}"#), &mut none).unwrap().unwrap(), r#"{"a":1}"#);
        assert_eq!(none[CONTENT_TYPE], "application/json");

        let mut form = HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )]);
        assert_eq!(body(&request(Method::Post, r#""a=1&b=2""#), &mut form).unwrap().unwrap(), "a=1&b=2");
        assert!(body(&request(Method::Post, r#"{"a":1}"#), &mut form).is_err());
        assert_eq!(body(&request(Method::Post, "null"), &mut form).unwrap(), None);
    }

    #[test]
    fn get_and_head_have_no_body() {
        for method in [Method::Get, Method::Head] {
            let error = body(&request(method, "{}"), &mut HeaderMap::new()).unwrap_err();
            assert!(error.to_string().contains("body"), "{error}");
        }
        assert!(body(&request(Method::Delete, "{}"), &mut HeaderMap::new()).unwrap().is_some());
    }
}
