//! The authorization server of a toolkit's OAuth scheme, as the toolkit's file describes it (RFC 6749).
//!
//! Deviations of a provider are data here, so that `credential::oauth2` has the same code for all providers.

use proxy_execute_protocol::AuthScheme;
use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::Template;
use crate::credential::oauth2::ClientMetadata;
use crate::credential::refusal::TokenErrors;

/// The `authorization_server` table of a toolkit's file. Unknown keys are rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    #[serde(default)]
    authorize_url: Option<String>,
    token_url: String,
    #[serde(default)]
    refresh_url: Option<String>,
    #[serde(default)]
    revoke_url: Option<String>,
    /// The endpoint that registers a client for each account (RFC 7591). `DCR_OAUTH` requires it; other
    /// schemes must not have it.
    #[serde(default)]
    registration_url: Option<String>,
    /// The server's issuer identifier (RFC 8414 §2). A callback with a different `iss` is rejected (RFC
    /// 9207).
    #[serde(default)]
    issuer: Option<String>,
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
    token_parameters: BTreeMap<String, String>,
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

    fn pointer(&self) -> &str {
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

/// The callback parameters that the protocol defines.
const OF_PROTOCOL: [&str; 6] = ["state", "code", "error", "error_description", "error_uri", "iss"];

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

/// An authorization server whose addresses may have placeholders for account fields.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) authorize_url: Option<Template>,
    pub(super) token_url: Template,
    pub(super) refresh_url: Option<Template>,
    pub(super) revoke_url: Option<Template>,
    pub(super) registration_url: Option<Template>,
    pub(super) issuer: Option<Template>,
    pub(super) token_parameters: Vec<(String, Template)>,
    pub(super) rules: Rules,
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

impl Unresolved {
    /// Whether the response of the token endpoint supplies an account field.
    pub(super) fn answers(&self, field: &str) -> bool {
        field == "access_token" || self.rules.token_answer.contains_key(field)
    }

    /// Whether an account field stays unknown until the callback.
    pub(super) fn is_told_by_callback(&self, field: &str) -> bool {
        let is_asked_first =
            self.authorize_url.iter().flat_map(Template::field_names).any(|name| name == field);
        self.rules.callback_fields.contains_key(field) && !is_asked_first
    }

    /// The account fields that the addresses and parameters have placeholders for.
    pub(super) fn field_names(&self) -> impl Iterator<Item = String> {
        let parameters = self.token_parameters.iter().map(|(_, template)| template);
        self.addresses().chain(parameters).flat_map(Template::field_names)
    }

    /// The endpoints that receive client secrets and tokens.
    pub(super) fn takes_secrets(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.token_url).chain([&self.refresh_url, &self.revoke_url].into_iter().flatten())
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Template> {
        let further = [&self.authorize_url, &self.refresh_url, &self.revoke_url, &self.registration_url];
        std::iter::once(&self.token_url).chain(further.into_iter().flatten())
    }

    /// Reads and checks a definition. `field_exists` says whether the toolkit has a field.
    ///
    /// # Errors
    /// The key and the reason.
    pub(super) fn from_definition(
        rules: &Rules,
        scheme: AuthScheme,
        field_exists: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        match (scheme, &rules.registration_url, &rules.authorize_url) {
            (AuthScheme::DcrOauth, None, _) => {
                return Err(
                    "registration_url: is missing; DCR_OAUTH registers a client for each account there"
                        .to_owned(),
                );
            }
            (AuthScheme::DcrOauth, _, None) => {
                return Err("authorize_url: is missing; with DCR_OAUTH a person agrees there".to_owned());
            }
            (AuthScheme::DcrOauth, ..) | (_, None, _) => {}
            (_, Some(_), _) => return Err(format!("registration_url: is for DCR_OAUTH, not for {scheme}")),
        }
        let url = |key: &str, text: &String| {
            let template = Template::parse(text).map_err(|why| format!("{key}: {why}"))?;
            if let Some(name) = template.field_names().into_iter().find(|name| !field_exists(name)) {
                return Err(format!("{key}: uses {{{{{name}}}}}, which has no [fields.{name}]"));
            }
            let example = template.render_host_parts(|_| Some("example".into()), |_| false);
            let example = example.map_err(|problem| format!("{key}: {}", problem.why))?;
            let example = endpoint(&example).map_err(|why| format!("{key}: {why}"))?;
            Ok((template, example))
        };
        let required = |key: &str, text: &String| url(key, text).map(|(template, _)| template);
        let optional =
            |key: &str, text: &Option<String>| text.as_ref().map(|text| required(key, text)).transpose();
        let issuer = match &rules.issuer {
            Some(text) => {
                let (template, example) = url("issuer", text)?;
                if example.query().is_some() {
                    return Err("issuer: must not have a query".to_owned());
                }
                Some(template)
            }
            None if rules.authorization_response_iss_parameter_supported => {
                return Err("issuer: is missing; `authorization_response_iss_parameter_supported` needs it"
                    .to_owned());
            }
            None => None,
        };
        if rules.authorize_url.is_none() && (issuer.is_some() || !rules.callback_fields.is_empty()) {
            return Err("authorize_url: is missing; without it there is no callback".to_owned());
        }
        if let Some(page) = &rules.client_page {
            web_page(page).map_err(|why| format!("client_page: {why}"))?;
        }
        for (field, place) in &rules.callback_fields {
            if !field_exists(field) || field == "base_url" {
                return Err(format!("callback_fields.{field}: there is no [fields.{field}]"));
            }
            let parameter = place.parameter();
            if parameter.is_empty() || OF_PROTOCOL.contains(&parameter) {
                return Err(format!("callback_fields.{field}: `{parameter}` is a parameter of the protocol"));
            }
            if issuer.iter().flat_map(Template::field_names).any(|name| name == *field) {
                return Err(format!(
                    "issuer: uses {{{{{field}}}}}, which a callback tells; it has to be known before"
                ));
            }
        }
        for (field, place) in &rules.token_answer {
            let pointer = place.pointer();
            if !pointer.starts_with('/') {
                return Err(format!(
                    "token_answer.{field}: `{pointer}` is not a JSON pointer such as /data/token"
                ));
            }
        }
        if rules.token_errors.all().any(|word| !word.contains(|c: char| c.is_alphanumeric())) {
            return Err(
                "token_errors: a word is empty; give an error code or a part of a description".to_owned()
            );
        }
        let token_parameters = rules.token_parameters.iter().map(|(name, text)| {
            let template = Template::parse(text).map_err(|why| format!("token_parameters.{name}: {why}"))?;
            Ok((name.clone(), template))
        });
        Ok(Self {
            token_parameters: token_parameters.collect::<Result<_, String>>()?,
            authorize_url: optional("authorize_url", &rules.authorize_url)?,
            issuer,
            token_url: required("token_url", &rules.token_url)?,
            refresh_url: optional("refresh_url", &rules.refresh_url)?,
            revoke_url: optional("revoke_url", &rules.revoke_url)?,
            registration_url: optional("registration_url", &rules.registration_url)?,
            rules: rules.clone(),
        })
    }
}

/// The URL of an endpoint. It may have a query (RFC 6749 §3.1), but no fragment.
pub(super) fn endpoint(text: &str) -> Result<Url, String> {
    let url = web_page(text)?;
    if url.fragment().is_some() {
        return Err("must not have a fragment in it".to_owned());
    }
    Ok(url)
}

fn web_page(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a valid URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password in it".to_owned());
    }
    Ok(url)
}
