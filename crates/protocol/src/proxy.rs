//! The request of a proxied call, in its wire form (`docs/wire.md`).

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::read::TOO_MANY_PARAMETERS;
use crate::{ByteStream, Result, SecretJson, read_json};

/// The HTTP methods a proxied call may use: those of RFC 9110 for resources, PATCH (RFC 5789), QUERY, and those
/// of `WebDAV` (RFC 4918, RFC 3253, RFC 5323), which calendars and address books speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are HTTP's own")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
    Query,
    Propfind,
    Proppatch,
    Mkcol,
    Copy,
    Move,
    Lock,
    Unlock,
    Report,
    Search,
}

impl Method {
    /// The method's name in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Query => "QUERY",
            Self::Propfind => "PROPFIND",
            Self::Proppatch => "PROPPATCH",
            Self::Mkcol => "MKCOL",
            Self::Copy => "COPY",
            Self::Move => "MOVE",
            Self::Lock => "LOCK",
            Self::Unlock => "UNLOCK",
            Self::Report => "REPORT",
            Self::Search => "SEARCH",
        }
    }

    /// Whether the method only reads and has no body, so that the gateway may send it twice (RFC 9110 §9.2.1).
    ///
    /// Methods that read with a body, such as PROPFIND, are treated like writes.
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }

    /// Whether a call with this method may carry a body. DELETE may, because several providers want one.
    pub fn takes_body(self) -> bool {
        !self.is_safe()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ParameterType))]
#[serde(rename_all = "lowercase")]
pub enum ParameterLocation {
    /// A request header.
    Header,
    /// A name and value appended to the query.
    Query,
}

/// One header or query value of a proxied call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The header's or query key's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where the value goes. SDKs call this field `in`, which is accepted, too.
    #[serde(rename = "type", alias = "in")]
    pub location: ParameterLocation,
}

impl fmt::Debug for Parameter {
    /// The value is not shown, because callers put tokens in headers and keys in queries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter")
            .field("name", &self.name)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// Upper limit for the headers of a call, and for its query parameters.
pub const MOST_PARAMETERS: usize = 100;

/// Reads parameters, and stops at the first one over the limit: the rest costs nothing.
fn read_parameters<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<Parameter>, D::Error> {
    struct Parameters;

    impl<'de> Visitor<'de> for Parameters {
        type Value = Vec<Parameter>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sequence")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> std::result::Result<Self::Value, A::Error> {
            let mut parameters = Vec::new();
            while let Some(parameter) = entries.next_element()? {
                if parameters.len() == 2 * MOST_PARAMETERS {
                    return Err(A::Error::custom(TOO_MANY_PARAMETERS));
                }
                parameters.push(parameter);
            }
            Ok(parameters)
        }
    }

    deserializer.deserialize_seq(Parameters)
}

/// Upper limit for the bytes that [`Beginning`] keeps.
const MOST_KEPT: usize = 64 * 1024;

/// The beginning of a text, so that a text far above its limit costs no copy.
///
/// No text that is read like this has a limit above [`MOST_KEPT`]. A text that was cut is still too
/// long, and is refused later, as the whole text would be.
struct Beginning(String);

impl<'de> Deserialize<'de> for Beginning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Beginning;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Beginning, E> {
                Ok(Beginning(text[..text.ceil_char_boundary(MOST_KEPT + 1)].to_owned()))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Reads a text as its [`Beginning`].
fn beginning<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    Beginning::deserialize(deserializer).map(|Beginning(text)| text)
}

/// Reads a text that may be null as its [`Beginning`].
fn optional_beginning<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(|Beginning(text)| text))
}

/// The treatment of a redirect of the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Redirect {
    /// The gateway follows the redirect of a read. The redirect of a write is the response.
    #[default]
    Follow,
    /// The redirect is the response.
    Manual,
}

/// A body of bytes, from `url`, `base64` or `text`, or from the stream beside the request.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BinaryBody {
    /// The URL from which the gateway fetches the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_beginning")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub url: Option<String>,
    /// The bytes, at most 4 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, min_length = 1))]
    pub base64: Option<String>,
    /// The bytes as text, which is sent in UTF-8 under any media type. Only a gateway of this project takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub text: Option<String>,
    /// Their media type.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_beginning")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub content_type: Option<String>,
    /// The size of `stream` in bytes, if it is known beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub size: Option<u64>,
    /// The bytes, streamed. They travel beside the text of the request (`docs/wire.md`).
    #[serde(skip)]
    pub stream: Option<ByteStream>,
}

impl BinaryBody {
    /// Whether the call itself holds the bytes, so that they can be sent again.
    pub fn is_held(&self) -> bool {
        self.url.is_none() && self.stream.is_none()
    }
}

impl fmt::Debug for BinaryBody {
    /// Neither is shown: a URL may hold a key, and the bytes are the user's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BinaryBody")
            .field("content_type", &self.content_type)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A call to an endpoint of a toolkit.
///
/// One shape serves both proxy endpoints. They differ in the account that the call uses. In a session
/// `toolkit_slug` is required, and selects the account unless `custom_connection_data` is present.
/// Outside of one, exactly one of `connected_account_id` and `custom_connection_data` is present.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProxyRequest {
    /// The toolkit to call, in a session.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_beginning")]
    pub toolkit_slug: Option<String>,
    /// The account to call as, outside of a session.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_beginning")]
    pub connected_account_id: Option<String>,
    /// Credentials given in the call: `{ authScheme, toolkitSlug, val }`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "SecretJson::serialize_exposed"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub custom_connection_data: Option<SecretJson>,
    /// A path below the account's base URL, or an absolute URL on one of the toolkit's hosts.
    #[serde(deserialize_with = "beginning")]
    pub endpoint: String,
    /// The HTTP method.
    pub method: Method,
    /// The JSON body, as the caller's own text. `null` is no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub body: Option<Box<RawValue>>,
    /// A body of bytes, instead of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub binary_body: Option<BinaryBody>,
    /// Headers and query values, in order; repeats are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read_parameters")]
    pub parameters: Vec<Parameter>,
    /// The treatment of a redirect. Default: `follow`. Only a gateway of this project takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub redirect: Option<Redirect>,
    /// Whether an `Authorization` among `parameters` replaces the account's credential. Default: true. With
    /// false, the account's credential replaces it, and every header and query value of the same name. Only a
    /// gateway of this project takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub keep_authorization: Option<bool>,
    /// Whether `data` is to be the response's text, JSON unparsed. It travels beside the text of the
    /// request (`docs/wire.md`).
    #[serde(skip)]
    pub data_as_text: bool,
}

impl fmt::Debug for ProxyRequest {
    /// Neither the endpoint's query nor the body is shown: both are the user's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyRequest")
            .field("toolkit_slug", &self.toolkit_slug)
            .field("connected_account_id", &self.connected_account_id)
            .field("method", &self.method)
            .field("endpoint", &self.endpoint.split(['?', '#']).next().unwrap_or_default())
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// A proxied call on its way to a backend.
pub enum ProxyCall {
    /// The JSON text of a [`ProxyRequest`]. A remote backend can pass it on unread.
    Written {
        /// The text.
        text: String,
        /// [`ProxyRequest::data_as_text`].
        data_as_text: bool,
    },
    /// A request that was read, such as one with a stream in it.
    Read(Box<ProxyRequest>),
}

impl ProxyCall {
    /// [`ProxyRequest::data_as_text`].
    pub fn data_as_text(&self) -> bool {
        match self {
            Self::Written { data_as_text, .. } => *data_as_text,
            Self::Read(request) => request.data_as_text,
        }
    }

    /// The request.
    ///
    /// # Errors
    /// `InvalidRequest`, as [`read_json`].
    pub fn read(self) -> Result<ProxyRequest> {
        match self {
            Self::Written { text, data_as_text } => {
                Ok(ProxyRequest { data_as_text, ..read_json(text.as_bytes())? })
            }
            Self::Read(request) => Ok(*request),
        }
    }
}

impl From<ProxyRequest> for ProxyCall {
    fn from(request: ProxyRequest) -> Self {
        Self::Read(Box::new(request))
    }
}

impl fmt::Debug for ProxyCall {
    /// The text is the user's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { .. } => f.debug_struct("Written").finish_non_exhaustive(),
            Self::Read(request) => request.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_far_above_its_limit_is_not_copied() {
        for character in ["a", "\u{1f600}", "\n"] {
            let long = character.repeat(1 << 17);
            let request = serde_json::json!({
                "toolkit_slug": long, "connected_account_id": long, "endpoint": long, "method": "GET",
                "binary_body": { "url": long, "content_type": long },
            });
            let request: ProxyRequest = read_json(request.to_string().as_bytes()).unwrap();
            let BinaryBody { url, content_type, .. } = request.binary_body.unwrap();
            let optional = [request.toolkit_slug, request.connected_account_id, url, content_type];
            for text in optional.into_iter().flatten().chain([request.endpoint]) {
                assert!(text.len() > MOST_KEPT && text.capacity() <= MOST_KEPT + 4, "{}", text.capacity());
                assert!(long.starts_with(&text));
            }
        }
    }

    #[test]
    fn a_text_within_its_limit_is_read_whole() {
        let long = "\u{1f600}".repeat(MOST_KEPT / 4);
        let request = serde_json::json!({ "toolkit_slug": null, "endpoint": long, "method": "GET" });
        let request: ProxyRequest = read_json(request.to_string().as_bytes()).unwrap();
        assert_eq!((request.toolkit_slug, request.endpoint), (None, long));
    }
}
