//! The options of a caller, and their validation.

use std::fmt;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

/// The header that carries the API key.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Upper limits for the number of default headers, and for the bytes of their names and values.
const MOST_HEADERS: usize = 100;
const MOST_HEADER_BYTES: usize = 64 * 1024;

/// Headers that describe how this client sends and reads. Another value would break the call.
const OWN_HEADERS: [HeaderName; 10] = [
    ACCEPT,
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// How to reach a backend.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteOptions {
    /// The project's API key, sent as `x-api-key` with every request.
    #[serde(deserialize_with = "secret")]
    pub api_key: SecretString,
    /// The URL of the backend, with `http` or `https`. A path is kept as a prefix of every route.
    pub base_url: String,
    /// The version of the wire to speak; `v3.1` when absent.
    #[serde(default)]
    pub api_version: Option<ApiVersion>,
    /// How often a call may be retried; 2 if absent, 0 for never.
    ///
    /// Every call is retried if no connection could be made, and on HTTP 429. It is retried on an HTTP 503
    /// that the backend itself sent or that has a `Retry-After`. A call that only reads is retried on any
    /// 503, and if the connection broke, too.
    #[serde(default)]
    pub max_retries: Option<u32>,
    /// Headers to send with every request, as names and values.
    ///
    /// They can replace `user-agent`, but neither `x-api-key` nor the headers that the client needs for
    /// itself.
    #[serde(default)]
    pub default_headers: Vec<(String, String)>,
}

impl fmt::Debug for RemoteOptions {
    /// Hides the key and the header values, because each may be a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteOptions")
            .field("api_version", &self.api_version)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// A version of the wire. Both have the same shape; `v3` is the previous one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum ApiVersion {
    /// The current version.
    #[default]
    #[serde(rename = "v3.1")]
    V3_1,
    /// The previous version.
    #[serde(rename = "v3")]
    V3,
}

impl ApiVersion {
    fn path(self) -> &'static str {
        match self {
            Self::V3_1 => "/api/v3.1",
            Self::V3 => "/api/v3",
        }
    }
}

impl RemoteOptions {
    /// Returns the URL that all routes are below, without a trailing slash.
    pub(crate) fn api_url(&self) -> Result<Url> {
        // A URL with a password must not reach a log, so the messages never quote the value.
        let mut url = Url::parse(&self.base_url).map_err(|error| {
            invalid(format!("baseURL is not an absolute URL, such as https://gateway.example.com: {error}."))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!(
                "baseURL must begin with http:// or https://, not {}:.",
                url.scheme()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("baseURL must not hold a user name or password."));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("baseURL must not hold a query (?) or a fragment (#)."));
        }
        let version = self.api_version.unwrap_or_default();
        url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), version.path()));
        Ok(url)
    }

    /// Returns the headers of every request.
    pub(crate) fn headers(&self) -> Result<HeaderMap> {
        let size: usize = self.default_headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if self.default_headers.len() > MOST_HEADERS || size > MOST_HEADER_BYTES {
            return Err(invalid("defaultHeaders holds more than 100 headers, or 64 KiB of them."));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.default_headers {
            let (name, value) = default_header(name, value)?;
            headers.append(name, value);
        }
        if !headers.contains_key(USER_AGENT) {
            headers.insert(
                USER_AGENT,
                HeaderValue::from_static(concat!("proxy-execute/", env!("CARGO_PKG_VERSION"))),
            );
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(API_KEY, api_key(&self.api_key)?);
        Ok(headers)
    }
}

fn default_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| invalid("defaultHeaders holds a name that is not a header's name."))?;
    if name == API_KEY {
        return Err(invalid("defaultHeaders must not hold x-api-key.").fix("Set apiKey instead."));
    }
    if OWN_HEADERS.contains(&name) {
        return Err(invalid(format!("defaultHeaders must not hold {name}: the client sets it itself.")));
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        invalid(format!(
            "The value of {name} in defaultHeaders holds a character that a header cannot carry."
        ))
    })?;
    // The value may be a credential for a proxy in front of the backend.
    value.set_sensitive(true);
    Ok((name, value))
}

fn api_key(key: &SecretString) -> Result<HeaderValue> {
    let key = key.expose_secret();
    if key.is_empty() {
        return Err(invalid("apiKey is empty."));
    }
    let mut value =
        HeaderValue::from_str(key).ok().filter(|_| key.is_ascii() && key.trim() == key).ok_or_else(|| {
            invalid("apiKey holds a space at an end or a character that a header cannot carry.")
        })?;
    value.set_sensitive(true);
    Ok(value)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(base_url: &str) -> RemoteOptions {
        RemoteOptions {
            api_key: "ak_canary_0123".into(),
            base_url: base_url.to_owned(),
            api_version: None,
            max_retries: None,
            default_headers: Vec::new(),
        }
    }

    fn refused(result: Result<impl fmt::Debug>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        error.to_string()
    }

    #[test]
    fn a_path_is_kept_and_a_trailing_slash_does_not_matter() {
        for (base_url, api) in [
            ("http://h", "http://h/api/v3.1"),
            ("http://h:8080/", "http://h:8080/api/v3.1"),
            ("https://h/a/b", "https://h/a/b/api/v3.1"),
            ("https://h/a%20b//", "https://h/a%20b/api/v3.1"),
        ] {
            assert_eq!(options(base_url).api_url().unwrap().as_str(), api);
        }
        let old = RemoteOptions { api_version: Some(ApiVersion::V3), ..options("http://h") };
        assert_eq!(old.api_url().unwrap().as_str(), "http://h/api/v3");
    }

    #[test]
    fn a_base_url_that_cannot_be_used_is_refused_without_being_quoted() {
        for base_url in [
            "",
            "canary.example",
            "/canary",
            "ftp://canary.example",
            "http://user:canary@h",
            "http://canary@h",
            "http://h/?canary=1",
            "http://h/#canary",
            "https://",
        ] {
            let message = refused(options(base_url).api_url());
            assert!(message.contains("baseURL") && !message.contains("canary"), "{base_url}: {message}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_being_quoted() {
        for key in ["", " ", "canary\n", " canary", "canary\0", "canary…"] {
            let message = refused(RemoteOptions { api_key: key.into(), ..options("http://h") }.headers());
            assert!(message.contains("apiKey") && !message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn default_headers_are_counted_before_they_are_read() {
        let of = |count: usize, value: &str| RemoteOptions {
            default_headers: (0..count).map(|index| (format!("x-{index}"), value.to_owned())).collect(),
            ..options("https://x")
        };
        assert!(of(100, "1").headers().is_ok());
        for (count, value) in [(101, "1"), (40_000, "1"), (64, "v".repeat(1024).as_str())] {
            let error = of(count, value).headers().unwrap_err();
            assert!(error.to_string().contains("more than 100 headers, or 64 KiB"), "{error}");
        }
    }

    #[test]
    fn default_headers_replace_only_the_user_agent() {
        let with = |name: &str, value: &str| RemoteOptions {
            default_headers: vec![(name.to_owned(), value.to_owned())],
            ..options("http://h")
        };
        let headers = with("User-Agent", "mine/1").headers().unwrap();
        assert_eq!(headers[USER_AGENT], "mine/1");
        let headers = options("http://h").headers().unwrap();
        assert!(headers[USER_AGENT].to_str().unwrap().starts_with("proxy-execute/"));

        for (name, value) in [
            ("X-API-Key", "canary"),
            ("accept-encoding", "canary"),
            ("Host", "canary"),
            ("no name", "canary"),
            ("x-tenant", "canary\r\nx-injected: 1"),
        ] {
            let message = refused(with(name, value).headers());
            assert!(message.contains("defaultHeaders") && !message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn options_read_as_json_and_do_not_show_secrets() {
        let json = r#"{"api_key":"ak_canary","base_url":"http://h","api_version":"v3",
                       "default_headers":[["x-tenant","canary"]]}"#;
        let options: RemoteOptions = serde_json::from_str(json).unwrap();
        assert_eq!(options.api_version, Some(ApiVersion::V3));
        assert!(!format!("{options:?} {:?}", options.headers().unwrap()).contains("canary"));

        let unknown = r#"{"api_key":"k","base_url":"http://h","apikey":1}"#;
        assert!(serde_json::from_str::<RemoteOptions>(unknown).is_err());
    }
}
