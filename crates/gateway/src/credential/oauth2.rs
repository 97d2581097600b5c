//! OAuth 2.0 as text: the URL that a person is sent to, the requests to a token endpoint, and what
//! its answers mean (RFC 6749, RFC 7636). Pure; `egress` carries it out.
//!
//! There is one way for all providers. Where one differs, its toolkit's file says so
//! ([`crate::toolkit::Rules`]).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use jiff::Timestamp;
use proxy_execute_protocol::{Error, ErrorKind, Result, SecretJson};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::{AuthScheme, Fields};
use crate::clock::now;
use crate::toolkit::{AuthorizationServer, ClientAuthentication, Rules, TokenRequestFormat, Toolkit};

/// The OAuth client of an auth config: its registration at the provider.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// None for a public client.
    pub(crate) secret: Option<SecretString>,
    pub(crate) metadata: ClientMetadata,
}

/// What an auth config says of a client beside who it is.
#[derive(Debug)]
pub(crate) struct ClientMetadata {
    /// What is asked for; the toolkit's own when empty.
    pub(crate) scopes: Vec<String>,
    pub(crate) user_scopes: Vec<String>,
    /// Registered at the provider in place of the gateway's own `/connect/callback`.
    pub(crate) redirect_uri: Option<String>,
}

impl ClientMetadata {
    /// Reads the `credentials` of an auth config; `settings` are those changed since.
    ///
    /// # Errors
    /// `Internal` when what is stored is not what was written there.
    pub(crate) fn read(credentials: &SecretJson, settings: &Value) -> Result<Self> {
        let fields = credential_fields(credentials)?;
        Ok(Self {
            scopes: scopes_named("scopes", &fields, settings),
            user_scopes: scopes_named("user_scopes", &fields, settings),
            redirect_uri: text_of(&fields, "oauth_redirect_uri").or_else(|| text_of(&fields, "redirect_uri")),
        })
    }
}

impl Client {
    /// Reads the `credentials` of an auth config; `settings` are those changed since.
    ///
    /// # Errors
    /// `InvalidRequest` that names what is missing.
    pub(crate) fn read(credentials: &SecretJson, settings: &Value) -> Result<Self> {
        let fields = credential_fields(credentials)?;
        let id = text_of(&fields, "client_id").ok_or_else(|| {
            Error::of_field(ErrorKind::InvalidRequest, "The auth config has no `client_id`.")
                .fix("Give it the id and secret of your client at the provider, in its `credentials`.")
        })?;
        Ok(Self {
            id,
            secret: text_of(&fields, "client_secret").map(SecretString::from),
            metadata: ClientMetadata::read(credentials, settings)?,
        })
    }

    /// The client of an account: its own, which `S2S_OAUTH2` and `DCR_OAUTH` have (contract §4.3), else
    /// that of its auth config, which is sent to no host but the one that the auth config says.
    ///
    /// # Errors
    /// `InvalidRequest` that names what is missing, or the field with another host.
    pub(crate) fn of_account(
        toolkit: &Toolkit,
        scheme: AuthScheme,
        own: &Fields,
        credentials: &SecretJson,
        settings: &Value,
    ) -> Result<Self> {
        let has_own = matches!(scheme, AuthScheme::S2sOauth2 | AuthScheme::DcrOauth);
        if let Some(id) = own.get("client_id").filter(|_| has_own) {
            return Ok(Self {
                id: id.expose_secret().to_owned(),
                secret: own.get("client_secret").cloned(),
                metadata: ClientMetadata::read(credentials, settings)?,
            });
        }
        let client = Self::read(credentials, settings)?;
        let fields = credential_fields(credentials)?;
        toolkit.check_client_host(scheme, own, |name| text_of(&fields, name))?;
        Ok(client)
    }
}

fn credential_fields(credentials: &SecretJson) -> Result<BTreeMap<String, Value>> {
    let unreadable = |_| Error::new(ErrorKind::Internal, "A stored auth config cannot be read.");
    serde_json::from_str(credentials.expose()).map_err(unreadable)
}

fn text_of(fields: &BTreeMap<String, Value>, name: &str) -> Option<String> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn scopes_named(name: &str, fields: &BTreeMap<String, Value>, settings: &Value) -> Vec<String> {
    let changed = Some(&settings[name]).filter(|value| !value.is_null());
    scopes_of(changed.or_else(|| fields.get(name)).unwrap_or(&Value::Null))
}

/// Scopes as a list, or as one text with spaces or commas.
fn scopes_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// What binds a code to the flow that asked for it (RFC 7636).
#[derive(Debug)]
pub(crate) struct Verifier(pub(crate) SecretString);

impl Verifier {
    /// 256 random bits.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random number generator");
        Self(BASE64URL_NOPAD.encode(&bytes).into())
    }

    /// The S256 challenge.
    fn challenge(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.0.expose_secret().as_bytes());
        BASE64URL_NOPAD.encode(digest.as_ref())
    }
}

/// The URL where a person agrees (RFC 6749 §4.1.1).
///
/// # Errors
/// `Unsupported` when the toolkit's file names none.
pub(crate) fn authorize_url(
    server: &AuthorizationServer<'_>,
    client: &Client,
    redirect_uri: &str,
    state: &str,
    verifier: &Verifier,
) -> Result<Url> {
    let rules = server.rules;
    let mut url = server.authorize_url.clone().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "The toolkit has no page where a person could agree.")
    })?;
    let scopes = rules.scopes_for(&client.metadata);
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code");
        query.append_pair(&rules.client_id_parameter, &client.id);
        query.append_pair("redirect_uri", redirect_uri);
        if !scopes.is_empty() {
            query.append_pair(&rules.scope_parameter, &scopes.join(&rules.scope_separator));
        }
        if let Some(parameter) =
            rules.user_scope_parameter.as_ref().filter(|_| !client.metadata.user_scopes.is_empty())
        {
            query.append_pair(parameter, &client.metadata.user_scopes.join(&rules.scope_separator));
        }
        query.append_pair("state", state);
        if rules.pkce {
            query.append_pair("code_challenge", &verifier.challenge());
            query.append_pair("code_challenge_method", "S256");
        }
        query.extend_pairs(&rules.authorize_parameters);
    }
    Ok(url)
}

/// What an access token is asked for with.
#[derive(Debug)]
pub(crate) enum Grant<'a> {
    /// RFC 6749 §4.1.3.
    AuthorizationCode { code: &'a SecretString, redirect_uri: &'a str, verifier: &'a Verifier },
    /// RFC 6749 §6.
    RefreshToken(&'a SecretString),
    /// RFC 6749 §4.4.
    ClientCredentials,
}

/// A request to a token endpoint, ready to leave.
pub(crate) struct TokenRequest {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: SecretString,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The request for a token.
pub(crate) fn token_request(
    server: &AuthorizationServer<'_>,
    client: &Client,
    grant: &Grant<'_>,
) -> TokenRequest {
    let rules = server.rules;
    let mut parameters: Vec<(&str, String)> = match grant {
        Grant::AuthorizationCode { code, redirect_uri, verifier } => {
            let mut parameters = vec![
                ("grant_type", "authorization_code".to_owned()),
                ("code", code.expose_secret().to_owned()),
                ("redirect_uri", (*redirect_uri).to_owned()),
            ];
            if rules.pkce {
                parameters.push(("code_verifier", verifier.0.expose_secret().to_owned()));
            }
            parameters
        }
        Grant::RefreshToken(token) => vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.expose_secret().to_owned()),
        ],
        Grant::ClientCredentials => {
            let scopes = rules.scopes_for(&client.metadata);
            let mut parameters = vec![("grant_type", "client_credentials".to_owned())];
            if !scopes.is_empty() {
                parameters.push((&rules.scope_parameter, scopes.join(&rules.scope_separator)));
            }
            parameters
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    authenticate(client, rules, &mut headers, &mut parameters);
    with_further(&mut parameters, server);
    let is_refresh = matches!(grant, Grant::RefreshToken(_));
    let url = if is_refresh { &server.refresh_url } else { &server.token_url };
    TokenRequest { url: url.clone(), body: written(rules, &parameters, &mut headers), headers }
}

/// The request for a token that takes nothing but the toolkit's own parameters: a name and a password at
/// a login, for `BASIC_WITH_JWT`.
pub(crate) fn login_request(server: &AuthorizationServer<'_>) -> TokenRequest {
    let mut parameters = Vec::new();
    with_further(&mut parameters, server);
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let body = written(server.rules, &parameters, &mut headers);
    TokenRequest { url: server.token_url.clone(), headers, body }
}

fn with_further<'a>(parameters: &mut Vec<(&'a str, String)>, server: &'a AuthorizationServer<'_>) {
    for (name, value) in &server.token_parameters {
        parameters.retain(|(standard, _)| standard != name);
        parameters.push((name, value.expose_secret().to_owned()));
    }
}

/// The request that takes a token back (RFC 7009 §2.1); `None` where the provider has no endpoint for it.
///
/// Without the optional `token_type_hint`: endpoints that are older than the RFC do not know it.
pub(crate) fn revocation_request(
    server: &AuthorizationServer<'_>,
    client: &Client,
    token: &SecretString,
) -> Option<TokenRequest> {
    let url = server.revoke_url.clone()?;
    let mut parameters = vec![("token", token.expose_secret().to_owned())];
    let mut headers = HeaderMap::new();
    authenticate(client, server.rules, &mut headers, &mut parameters);
    Some(TokenRequest { url, body: written(server.rules, &parameters, &mut headers), headers })
}

fn authenticate<'a>(
    client: &Client,
    rules: &'a Rules,
    headers: &mut HeaderMap,
    parameters: &mut Vec<(&'a str, String)>,
) {
    match (rules.client_authentication, &client.secret) {
        (ClientAuthentication::Basic, Some(secret)) => {
            // Both are form-encoded first (RFC 6749 §2.3.1).
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&client.id), encoded(secret.expose_secret()));
            let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair.as_bytes())))
                .expect("base64 is a valid header value");
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        (_, secret) => {
            parameters.push((&rules.client_id_parameter, client.id.clone()));
            if let Some(secret) = secret {
                parameters.push(("client_secret", secret.expose_secret().to_owned()));
            }
        }
    }
}

/// The body of a request, and its type.
fn written(rules: &Rules, parameters: &[(&str, String)], headers: &mut HeaderMap) -> SecretString {
    let (content_type, body) = match rules.token_request {
        TokenRequestFormat::Form => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
            ("application/x-www-form-urlencoded", form)
        }
        TokenRequestFormat::Json => {
            let object: Map<_, _> =
                parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            ("application/json", Value::Object(object).to_string())
        }
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    body.into()
}

/// Tokens that were given.
#[derive(Debug)]
pub(crate) struct Granted {
    /// The answer's fields under the names of the contract (§4.3), all of them. `expires_in` is null where
    /// it is not known, so that an older one does not stay.
    pub(crate) val: SecretJson,
    /// Whether there is a new refresh token. Without one the old one stays (RFC 6749 §6).
    pub(crate) has_refresh_token: bool,
}

/// Why no tokens were given.
#[derive(Debug)]
pub(crate) enum NotGranted {
    /// The provider has refused, and will again: `invalid_grant` and the like (RFC 6749 §5.2).
    Refused { code: String, description: Option<String> },
    /// It may work later: the provider failed, was busy, or answered with something else.
    Unavailable {
        why: String,
        /// Whether the request may have been done all the same, and a refresh token spent by it.
        may_be_done: bool,
        /// The wait that the provider asks for.
        retry_after: Option<Duration>,
    },
}

impl NotGranted {
    pub(crate) fn unavailable(why: impl Into<String>, may_be_done: bool) -> Self {
        Self::Unavailable { why: why.into(), may_be_done, retry_after: None }
    }
}

/// Error codes that say "later", where all others say "no" (RFC 6749 §4.1.2.1, RFC 8628 §3.5, and
/// what providers write in their place).
const LATER: &[&str] = &[
    "temporarily_unavailable",
    "server_error",
    "internal_error",
    "internal_failure",
    "service_unavailable",
    "slow_down",
    "rate_limited",
    "ratelimited",
    "rate_limit_exceeded",
    "timeout",
    "request_timeout",
];

/// Reads the answer of a token endpoint.
pub(crate) fn read_answer(rules: &Rules, status: StatusCode, body: &[u8]) -> Result<Granted, NotGranted> {
    let unavailable =
        |what: &str| NotGranted::unavailable(format!("status {}, {what}", status.as_u16()), true);
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        return Err(unavailable("try again later"));
    }
    let Some(Value::Object(mut answer)) = answer else {
        return Err(unavailable("but no JSON object"));
    };
    let whole = Value::Object(answer.clone());
    for (field, place) in &rules.token_answer {
        if let Some(value) = place.read(&whole).filter(|_| !answer.contains_key(field)) {
            answer.insert(field.clone(), value);
        }
    }
    let has_token =
        |name: &str| answer.get(name).and_then(Value::as_str).is_some_and(|token| !token.is_empty());
    let (has_access_token, has_refresh_token) = (has_token("access_token"), has_token("refresh_token"));
    if !status.is_success() || !has_access_token {
        return Err(refusal(&answer).unwrap_or_else(|| unavailable("without an access token")));
    }
    let expires_in = lifetime(answer.get("expires_in"))
        .or_else(|| until(answer.get("expires_at")))
        .or(rules.default_lifetime);
    match expires_in {
        Some(seconds) => _ = answer.insert("expires_in".to_owned(), seconds.into()),
        // What is null takes an older value away when the two are merged.
        None => _ = answer.insert("expires_in".to_owned(), Value::Null),
    }
    if !has_refresh_token {
        answer.remove("refresh_token");
    }
    Ok(Granted { val: SecretJson::new(Value::Object(answer).to_string()), has_refresh_token })
}

/// What an error answer says, if it says that there is no use in asking again.
pub(super) fn refusal(answer: &Map<String, Value>) -> Option<NotGranted> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(shortened);
    let code = match answer.get("error") {
        // Some wrap it once more: { error: { code, message } }.
        Some(Value::Object(error)) => {
            ["code", "type", "status"].iter().find_map(|name| error.get(*name)?.as_str()).map(shortened)
        }
        _ => text("error").or_else(|| text("error_code")).or_else(|| text("code")),
    }?;
    let lower = code.to_ascii_lowercase();
    let description = text("error_description").or_else(|| text("message"));
    if LATER.contains(&lower.as_str()) {
        return Some(NotGranted::unavailable(format!("error `{code}`"), false));
    }
    Some(NotGranted::Refused { code, description })
}

/// A provider's own words, as they may be shown: short, and without control characters.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Seconds, as a number or as text; what is not positive says nothing.
fn lifetime(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds as u64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|seconds| *seconds > 0)
}

/// Seconds until a time as RFC 3339 writes it, which GitHub tells in place of a lifetime.
fn until(value: Option<&Value>) -> Option<u64> {
    let at: Timestamp = value?.as_str()?.parse().ok()?;
    u64::try_from(at.as_second() - now() / 1_000).ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests;
