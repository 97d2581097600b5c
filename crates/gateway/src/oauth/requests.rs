//! OAuth 2.0 as text: the URL for the user's consent, and the requests to a token endpoint (RFC 6749, RFC
//! 7636).
//!
//! This module does no I/O: `egress` sends the requests, and `token_answer` reads the responses.
//!
//! All providers share this code. The toolkit's file declares the deviations of a provider
//! ([`super::server::Rules`]).

use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::client::OAuthClient;
use super::server::{AuthorizationServer, ClientAuthentication, Rules, TokenRequestFormat};

/// The secret that binds a code to the flow that requested it (RFC 7636).
#[derive(Debug)]
pub(crate) struct CodeVerifier(pub(crate) SecretString);

impl CodeVerifier {
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
    client: &OAuthClient,
    redirect_uri: &str,
    state: &str,
    verifier: &CodeVerifier,
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
    AuthorizationCode { code: &'a SecretString, redirect_uri: &'a str, verifier: &'a CodeVerifier },
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
    client: &OAuthClient,
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
    client: &OAuthClient,
    token: &SecretString,
) -> Option<TokenRequest> {
    let url = server.revoke_url.clone()?;
    let mut parameters = vec![("token", token.expose_secret().to_owned())];
    let mut headers = HeaderMap::new();
    authenticate(client, server.rules, &mut headers, &mut parameters);
    Some(TokenRequest { url, body: written(server.rules, &parameters, &mut headers), headers })
}

fn authenticate<'a>(
    client: &OAuthClient,
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
