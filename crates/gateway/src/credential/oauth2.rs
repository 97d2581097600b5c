//! OAuth 2.0 as text: the URL for the user's consent, and the requests to a token endpoint (RFC 6749, RFC
//! 7636).
//!
//! This module does no I/O: `egress` sends the requests, and `token_answer` reads the responses.
//!
//! All providers share this code. The toolkit's file declares the deviations of a provider
//! ([`crate::toolkit::Rules`]).

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::Fields;
use crate::toolkit::{AuthorizationServer, ClientAuthentication, Rules, TokenRequestFormat, Toolkit};

/// The OAuth client of an auth config: its registration at the provider.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// `None` for a public client.
    pub(crate) secret: Option<SecretString>,
    pub(crate) metadata: ClientMetadata,
}

/// The settings of a client in an auth config, besides its id and secret.
#[derive(Debug)]
pub(crate) struct ClientMetadata {
    /// The requested scopes; if empty, those of the toolkit.
    pub(crate) scopes: Vec<String>,
    pub(crate) user_scopes: Vec<String>,
    /// The redirect URI registered at the provider instead of the gateway's own `/connect/callback`.
    pub(crate) redirect_uri: Option<String>,
}

impl ClientMetadata {
    /// Reads the `credentials` of an auth config. `settings` are later changes, and override them.
    ///
    /// # Errors
    /// `Internal` if the stored credentials cannot be parsed.
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
    /// Reads the `credentials` of an auth config. `settings` are later changes, and override them.
    ///
    /// # Errors
    /// `InvalidRequest` that names the missing field.
    pub(crate) fn read(credentials: &SecretJson, settings: &Value) -> Result<Self> {
        let fields = credential_fields(credentials)?;
        let id = text_of(&fields, "client_id").ok_or_else(|| {
            Error::of_field(ErrorKind::InvalidRequest, "client_id", "The auth config has no `client_id`.")
                .fix("Give it the id and secret of your client at the provider, in its `credentials`.")
        })?;
        Ok(Self {
            id,
            secret: text_of(&fields, "client_secret").map(SecretString::from),
            metadata: ClientMetadata::read(credentials, settings)?,
        })
    }

    /// Returns the client of an account: its own (`S2S_OAUTH2` and `DCR_OAUTH`), or else that of its auth
    /// config.
    ///
    /// The client of an auth config is sent only to the host that the auth config names.
    ///
    /// # Errors
    /// `InvalidRequest` that names the missing field, or the field with another host.
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

/// Reads scopes from a list, or from a text that separates them with spaces or commas.
fn scopes_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The secret that binds a code to the flow that requested it (RFC 7636).
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

/// The URL where the user consents (RFC 6749 §4.1.1).
///
/// # Errors
/// `Unsupported` if the toolkit's file names no such URL.
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

/// The grant that is exchanged for an access token.
#[derive(Debug)]
pub(crate) enum Grant<'a> {
    /// RFC 6749 §4.1.3.
    AuthorizationCode { code: &'a SecretString, redirect_uri: &'a str, verifier: &'a Verifier },
    /// RFC 6749 §6.
    RefreshToken(&'a SecretString),
    /// RFC 6749 §4.4.
    ClientCredentials,
}

/// A request to a token endpoint, ready to be sent.
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

/// Builds the request for a token.
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

/// Builds a token request with only the toolkit's own parameters: the name and password of a login, for
/// `BASIC_WITH_JWT`.
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

/// Builds the request that revokes a token (RFC 7009 §2.1); `None` if the provider has no endpoint for it.
///
/// The request omits the optional `token_type_hint`, because endpoints older than the RFC do not know it.
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
            // RFC 6749 §2.3.1 requires id and secret to be form-encoded first.
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

/// Serializes the body of a request, and sets its content type.
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

#[cfg(test)]
mod tests;
