//! Clients that the gateway registers itself, one for each account of scheme `DCR_OAUTH` (RFC 7591).
//!
//! This module decides when an account needs a client, builds the request, and reads the response. It does no
//! I/O: `connect` sends the request.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use proxy_execute_protocol::SecretJson;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::answered::Answered;
use super::client::ClientMetadata;
use super::refusal::{NotGranted, not_granted};
use super::requests::TokenRequest;
use super::server::{ClientAuthentication, Rules};

/// The name that the provider shows to users when it asks for consent.
const CLIENT_NAME: &str = "proxy-execute";

/// The fields of a registration that the account keeps.
const KEPT: [&str; 4] = ["client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at"];

/// Whether the secret of a client has expired, at `at` in seconds. `client_secret_expires_at` is the field of
/// its registration. The value 0 means "never" (RFC 7591 §3.2.1).
pub(crate) fn is_expired(client_secret_expires_at: Option<&SecretString>, at: i64) -> bool {
    client_secret_expires_at
        .and_then(|seconds| seconds.expose_secret().parse::<i64>().ok())
        .is_some_and(|seconds| seconds != 0 && seconds <= at)
}

/// Builds the request that registers a client (RFC 7591 §3.1).
pub(crate) fn registration_request(
    registration_url: &Url,
    rules: &Rules,
    metadata: &ClientMetadata,
    redirect_uri: &str,
) -> TokenRequest {
    let authentication = match rules.client_authentication {
        ClientAuthentication::Body => "client_secret_post",
        ClientAuthentication::Basic => "client_secret_basic",
    };
    let mut body = json!({
        "client_name": CLIENT_NAME,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": authentication,
    });
    let scopes = rules.scopes_for(metadata);
    if !scopes.is_empty() {
        // The registration separates scopes with spaces, even if the provider uses another separator
        // elsewhere (§2).
        body["scope"] = scopes.join(" ").into();
    }
    let json = HeaderValue::from_static("application/json");
    TokenRequest {
        url: registration_url.clone(),
        headers: HeaderMap::from_iter([(ACCEPT, json.clone()), (CONTENT_TYPE, json)]),
        body: body.to_string().into(),
    }
}

/// Reads the response, and returns the fields of an account's `val` that change with its client.
///
/// # Errors
/// Why the registration failed (RFC 7591 §3.2.2).
pub(crate) fn read_registration(rules: &Rules, answered: &Answered) -> Result<SecretJson, NotGranted> {
    let has_id = |answer: &Map<String, Value>| {
        answer.get("client_id").and_then(Value::as_str).is_some_and(|id| !id.is_empty())
    };
    let fields = answered.fields().filter(|answer| answered.status.is_success() && has_id(answer));
    let Some(mut answer) = fields else { return Err(not_granted(answered, &rules.token_errors, "a client")) };
    // A field that the response lacks becomes null, which removes the value of an older client.
    let mut registered: Map<_, _> =
        KEPT.into_iter().map(|name| (name.to_owned(), answer.remove(name).unwrap_or_default())).collect();
    // A refresh token is valid only for the client that it was issued to (RFC 6749 §6).
    registered.insert("refresh_token".to_owned(), Value::Null);
    Ok(SecretJson::new(Value::Object(registered).to_string()))
}

#[cfg(test)]
mod tests;
