//! The authorization server of a toolkit's OAuth scheme, as the toolkit's file describes it (RFC 6749).
//!
//! Deviations of a provider are data here, so that [`super::requests`] has the same code for all providers.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client::ClientMetadata;
use super::refusal::TokenErrors;

/// The `authorization_server` table of a toolkit's file. Unknown keys are rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    #[serde(default)]
    pub(crate) authorize_url: Option<String>,
    pub(crate) token_url: String,
    #[serde(default)]
    pub(crate) refresh_url: Option<String>,
    #[serde(default)]
    pub(crate) revoke_url: Option<String>,
    /// The endpoint that registers a client for each account (RFC 7591). `DCR_OAUTH` requires it; other
    /// schemes must not have it.
    #[serde(default)]
    pub(crate) registration_url: Option<String>,
    /// The server's issuer identifier (RFC 8414 §2). A callback with a different `iss` is rejected (RFC
    /// 9207).
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// Whether every callback has an `iss`, as the server's metadata says (RFC 9207 §3). If so, a callback
    /// without `iss` is rejected.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
    /// Account fields in the query of the callback.
    #[serde(default)]
    pub(crate) callback_fields: BTreeMap<String, CallbackField>,
    /// The provider's page for registering a client, for the operator.
    #[serde(default)]
    pub(crate) client_page: Option<String>,
    /// The requested scopes if the auth config names none: enough to read the main resources, and to refresh.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// Descriptions of scopes, for the user who is asked to consent.
    #[serde(default)]
    pub(crate) scope_words: BTreeMap<String, String>,
    /// The separator between two scopes. Default: a space (RFC 6749 §3.3).
    #[serde(default = "space")]
    pub(crate) scope_separator: String,
    /// The parameter of the authorize URL that holds the scopes.
    #[serde(default = "scope")]
    pub(crate) scope_parameter: String,
    /// The parameter for the auth config's `user_scopes`, if a provider separates user scopes from app
    /// scopes, as Slack does.
    #[serde(default)]
    pub(crate) user_scope_parameter: Option<String>,
    /// The parameter name of the client id, if it is not `client_id`.
    #[serde(default = "client_id")]
    pub(crate) client_id_parameter: String,
    /// Whether the code is bound to a secret of this flow (RFC 7636, S256). Default: true; a server without
    /// PKCE ignores it (§5).
    #[serde(default = "yes")]
    pub(crate) pkce: bool,
    /// How the client authenticates.
    #[serde(default)]
    pub(crate) client_authentication: ClientAuthentication,
    /// The format of token requests.
    #[serde(default)]
    pub(crate) token_request: TokenRequestFormat,
    /// Additional parameters of the authorize URL.
    #[serde(default)]
    pub(crate) authorize_parameters: BTreeMap<String, String>,
    /// Additional parameters of token requests, with placeholders for account fields. A parameter with a
    /// standard name overrides the standard parameter.
    #[serde(default)]
    pub(crate) token_parameters: BTreeMap<String, String>,
    /// Places of fields in the token response, used if the response has no top-level field of that name.
    #[serde(default)]
    pub(crate) token_answer: BTreeMap<String, AnswerField>,
    /// Meanings of the provider's own error codes.
    #[serde(default)]
    pub(crate) token_errors: TokenErrors,
    /// The lifetime of an access token, in seconds, if the response does not state it.
    #[serde(default)]
    pub(crate) default_lifetime: Option<u64>,
}

/// The place of an account field in the response of a token endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a JSON pointer, or { at, ending }")]
pub(crate) enum AnswerField {
    /// A JSON pointer (RFC 6901).
    At(String),
    /// The text before an ending. The response contains a host or a URL, and the base URL needs a label of
    /// that host.
    Before { at: String, ending: String },
}

impl AnswerField {
    /// The value in a response, if the response has one.
    pub(crate) fn read(&self, answer: &Value) -> Option<Value> {
        match self {
            Self::At(at) => answer.pointer(at).cloned(),
            Self::Before { at, ending } => {
                let text = answer.pointer(at)?.as_str()?;
                let url = Url::parse(text).ok().filter(|_| text.contains("://"));
                let host = url.as_ref().map_or(Some(text), Url::host_str)?;
                let label = before(host.strip_suffix('.').unwrap_or(host), ending)?;
                (!label.is_empty()).then(|| label.into())
            }
        }
    }

    pub(crate) fn pointer(&self) -> &str {
        match self {
            Self::At(at) | Self::Before { at, .. } => at,
        }
    }
}

/// The place of an account field in the query of a callback.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a parameter's name, or { parameter, ending }")]
pub(crate) enum CallbackField {
    /// The whole value of a parameter.
    Parameter(String),
    /// The text before an ending. The parameter is a host, and URLs need a label of that host.
    Before { parameter: String, ending: String },
}

impl CallbackField {
    pub(crate) fn parameter(&self) -> &str {
        match self {
            Self::Parameter(parameter) | Self::Before { parameter, .. } => parameter,
        }
    }

    /// Reads the field from the parameter's value. If the field is part of a host and the value is a URL, the
    /// URL's host is read.
    pub(crate) fn read<'a>(&self, value: &'a str, is_host: bool) -> Option<&'a str> {
        let host = |value: &'a str| {
            let rest = value.strip_prefix("https://")?;
            Some(rest.strip_suffix('/').unwrap_or(rest))
        };
        match self {
            Self::Parameter(_) if is_host => Some(host(value).unwrap_or(value)),
            Self::Parameter(_) => Some(value),
            Self::Before { ending, .. } => before(host(value).unwrap_or(value), ending),
        }
    }
}

/// The part of a host before its ending. Hosts are case-insensitive.
fn before<'a>(host: &'a str, ending: &str) -> Option<&'a str> {
    let (label, end) = host.split_at_checked(host.len().checked_sub(ending.len())?)?;
    end.eq_ignore_ascii_case(ending).then_some(label)
}

impl Rules {
    /// The scopes that a client requests: its own, or else the toolkit's.
    pub(crate) fn scopes_for<'a>(&'a self, client: &'a ClientMetadata) -> &'a [String] {
        // A client that requests only user scopes does not get the toolkit's app scopes in addition.
        let names_scopes = !client.scopes.is_empty() || !client.user_scopes.is_empty();
        if names_scopes { &client.scopes } else { &self.scopes }
    }
}

/// How a client authenticates at the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuthentication {
    /// Id and secret in the body.
    #[default]
    Body,
    /// Id and secret as HTTP basic authentication.
    Basic,
}

/// The format of a token request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenRequestFormat {
    /// Form encoding, as the specification requires.
    #[default]
    Form,
    /// A JSON body.
    Json,
}

fn space() -> String {
    " ".to_owned()
}

fn scope() -> String {
    "scope".to_owned()
}

fn client_id() -> String {
    "client_id".to_owned()
}

fn yes() -> bool {
    true
}

/// The authorization server of one account.
#[derive(Debug)]
pub(crate) struct AuthorizationServer<'a> {
    /// The page where a user consents; `None` for schemes without user consent.
    pub(crate) authorize_url: Option<Url>,
    pub(crate) token_url: Url,
    /// For most providers, this is the token endpoint.
    pub(crate) refresh_url: Url,
    /// The revocation endpoint (RFC 7009).
    pub(crate) revoke_url: Option<Url>,
    /// The client registration endpoint (RFC 7591).
    pub(crate) registration_url: Option<Url>,
    /// The issuer exactly as written, since it is compared as text.
    pub(crate) issuer: Option<String>,
    /// Additional parameters of token requests.
    pub(crate) token_parameters: Vec<(&'a str, SecretString)>,
    pub(crate) rules: &'a Rules,
}
