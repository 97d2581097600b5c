//! Service accounts: requesting an access token with a JWT that a private key signs.
//!
//! Google takes the JWT as a grant (RFC 7523 §2.1). For a GitHub App, the JWT is the bearer token of the
//! request itself. Only the toolkit determines the token endpoint. The gateway ignores the `token_uri` in
//! Google's JSON: otherwise the author of the JSON could make it send a signed JWT to any host.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::credential::Fields;
use crate::oauth::requests::TokenRequest;
use crate::oauth::server::AuthorizationServer;

/// The lifetime of a Google assertion: the maximum that Google accepts.
const GOOGLE_LIFETIME_SECONDS: i64 = 3_600;

/// GitHub accepts ten minutes. One minute of it is left for clock skew.
const GITHUB_LIFETIME_SECONDS: i64 = 540;

/// GitHub recommends this margin for clock skew.
const GITHUB_ISSUED_EARLIER_SECONDS: i64 = 60;

/// The fields of Google's `credentials_json` that the gateway needs.
#[derive(Deserialize)]
struct GoogleKey {
    client_email: String,
    private_key: SecretString,
    #[serde(default)]
    private_key_id: Option<String>,
}

/// Builds the token request of a Google service account.
///
/// With the field `subject`, the token acts as that user of the organization (domain-wide delegation).
///
/// # Errors
/// `InvalidRequest` that names the field; never its value.
pub(crate) fn google_request(
    server: &AuthorizationServer<'_>,
    fields: &Fields,
    scopes: &[String],
    now_seconds: i64,
) -> Result<TokenRequest> {
    let json = required(fields, "credentials_json")?;
    let key: GoogleKey = serde_json::from_str(plain(json.expose_secret()).expose_secret()).map_err(|_| {
        unusable(
            "credentials_json",
            "it is not the JSON of a service account's key, with client_email and private_key. Give the content of \
             the key's file, as text, as an object or in base64",
        )
    })?;
    let mut claims = json!({
        "iss": key.client_email,
        "scope": scopes.join(" "),
        "aud": server.token_url.as_str(),
        "iat": now_seconds,
        "exp": now_seconds + GOOGLE_LIFETIME_SECONDS,
    });
    if let Some(subject) = fields.get("subject") {
        claims["sub"] = subject.expose_secret().into();
    }
    let assertion = signed("credentials_json", &key.private_key, key.private_key_id, &claims)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    form.append_pair("assertion", assertion.expose_secret());
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
    ]);
    Ok(TokenRequest { url: server.token_url.clone(), headers, body: form.finish().into() })
}

/// Builds the token request of a GitHub App's installation.
///
/// # Errors
/// `InvalidRequest` that names the field; never its value.
pub(crate) fn github_app_request(
    server: &AuthorizationServer<'_>,
    fields: &Fields,
    now_seconds: i64,
) -> Result<TokenRequest> {
    let claims = json!({
        "iss": required(fields, "application_id")?.expose_secret(),
        "iat": now_seconds - GITHUB_ISSUED_EARLIER_SECONDS,
        "exp": now_seconds + GITHUB_LIFETIME_SECONDS,
    });
    let jwt = signed("private_key", required(fields, "private_key")?, None, &claims)?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", jwt.expose_secret()))
        .expect("base64url is a valid header value");
    bearer.set_sensitive(true);
    let accept = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(ACCEPT, accept), (AUTHORIZATION, bearer)]);
    Ok(TokenRequest { url: server.token_url.clone(), headers, body: String::new().into() })
}

/// Signs a JWT with RS256, in the compact form (RFC 7515 §7.1, RFC 7518 §3.3).
fn signed(field: &str, pem: &SecretString, key_id: Option<String>, claims: &Value) -> Result<SecretString> {
    let unusable = || unusable(field, "its private key is not an RSA key in PEM form");
    let key = rsa_key(pem).ok_or_else(unusable)?;
    let mut header = json!({ "typ": "JWT", "alg": "RS256" });
    if let Some(key_id) = key_id {
        header["kid"] = key_id.into();
    }
    let encoded = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let signed = format!("{}.{}", encoded(&header), encoded(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| unusable())?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)).into())
}

/// Reads an RSA key in PEM form, in PKCS #1 or PKCS #8.
fn rsa_key(pem: &SecretString) -> Option<RsaKeyPair> {
    let pem = SecretString::from(with_line_ends(plain(pem.expose_secret()).expose_secret()));
    match PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes()).ok()? {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
        _ => None,
    }
}

/// Decodes a text that may be quoted, or in base64 as a whole, as in many environment variables.
fn plain(text: &str) -> SecretString {
    let text = text.trim();
    let text = serde_json::from_str(text).unwrap_or_else(|_| text.trim_matches(['"', '\'']).to_owned());
    let is_plain = |text: &str| text.trim_start().starts_with('{') || text.contains("-----BEGIN");
    if is_plain(&text) {
        return text.into();
    }
    let letters: String = unescaped(&text).chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
    let letters = letters.replace('-', "+").replace('_', "/");
    let decoded =
        BASE64_NOPAD.decode(letters.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.filter(|decoded| is_plain(decoded)).unwrap_or(text).into()
}

/// Restores line ends that were escaped as `\r\n` or similar, once or several times. The text has no other
/// backslashes.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('\\');
    let mut unescaped = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        unescaped.push('\n');
        unescaped.push_str(piece.strip_prefix(['n', 'r']).unwrap_or(piece));
    }
    unescaped
}

/// Restores the line ends of a PEM.
///
/// Environment variables escape them, and forms remove them or replace them with blanks. A PEM without its
/// first and last line is read as PKCS #8.
fn with_line_ends(pem: &str) -> String {
    let pem = unescaped(pem);
    if !pem.contains("-----BEGIN") {
        return format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", pem.trim());
    }
    let pem = pem.replace("KEY-----", "KEY-----\n").replace("-----END", "\n-----END");
    let lines: Vec<_> = pem.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

fn required<'a>(fields: &'a Fields, name: &str) -> Result<&'a SecretString> {
    fields.get(name).ok_or_else(|| unusable(name, "it is missing"))
}

fn unusable(field: &str, why: &str) -> Error {
    Error::of_field(
        ErrorKind::InvalidRequest,
        format!("val.{field}"),
        format!("The field `val.{field}` of the credential cannot be used: {why}."),
    )
}

#[cfg(test)]
mod tests;
