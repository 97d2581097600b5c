//! The parts that a credential adds to a request: headers, query values, and a signature.

use std::fmt;

use data_encoding::BASE64;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::Method;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Signs a request when it is sent, and again for every redirect that is followed.
pub(crate) trait Signer: fmt::Debug + Send + Sync {
    /// Adds the signature to the headers. They are otherwise complete, but for what the HTTP client adds, such
    /// as `Host`. A streamed body is `None`, because its bytes are not known yet.
    fn sign(&self, method: Method, url: &Url, headers: &mut HeaderMap, body: Option<&[u8]>);
}

/// A signature as a toolkit's file describes it.
pub(crate) struct SignatureDefinition<'a> {
    /// Its key in the file.
    pub(crate) key: &'static str,
    /// Its keys and texts. A text may have placeholders for account fields.
    pub(crate) texts: Vec<(&'static str, &'a str)>,
    /// Builds the signer from these texts, with the fields of an account in their places.
    pub(crate) signer: BuildSigner,
}

/// Builds a signer from the texts of its definition.
pub(crate) type BuildSigner = fn(Vec<SecretString>) -> Box<dyn Signer>;

/// The headers, query values and signer that a credential adds to a request.
#[derive(Default)]
pub(crate) struct Injection {
    /// Marked as sensitive, so that neither `Debug` nor a header compressor shows the values.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) query: Vec<(String, SecretString)>,
    /// Signs the request when it is sent.
    pub(crate) signer: Option<Box<dyn Signer>>,
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injection")
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("query", &self.query.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("signer", &self.signer)
            .finish()
    }
}

impl Injection {
    /// Adds a user name and a password (RFC 7617).
    pub(crate) fn basic(&mut self, username: &str, password: &str) {
        let pair = SecretString::from(format!("{username}:{password}"));
        let encoded = SecretString::from(format!("Basic {}", BASE64.encode(pair.expose_secret().as_bytes())));
        let mut value =
            HeaderValue::from_str(encoded.expose_secret()).expect("base64 is a valid header value");
        value.set_sensitive(true);
        self.headers.push((AUTHORIZATION, value));
    }

    /// Whether the credential adds nothing to a request.
    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.query.is_empty() && self.signer.is_none()
    }

    /// Whether a URL that the upstream chose contains a secret of the credential.
    pub(crate) fn is_quoted_in(&self, url: &Url) -> bool {
        let decoded = percent_decode_str(url.as_str()).decode_utf8_lossy();
        let quoted = |secret: &str| {
            // A shorter value is not a secret, and may appear by chance.
            secret.len() >= 8 && (decoded.contains(secret) || url.as_str().contains(secret))
        };
        self.query.iter().any(|(_, value)| quoted(value.expose_secret()))
            || self.headers.iter().any(|(_, value)| {
                let value = value.to_str().unwrap_or_default();
                quoted(value.split_once(' ').map_or(value, |(_, secret)| secret))
            })
    }
}
