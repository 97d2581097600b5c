//! Clients that the gateway registers itself, one for each account of scheme `DCR_OAUTH` (RFC 7591):
//! when one is needed, the request, and what its answer means. Pure; `connect` carries it out.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use proxy_execute_protocol::SecretJson;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use url::Url;

use super::Fields;
use super::oauth2::{ClientMetadata, TokenRequest};
use super::refusal::not_granted;
use super::token_answer::{Answered, NotGranted};
use crate::toolkit::{ClientAuthentication, Rules};

/// What people read at the provider when they are asked whether they agree.
const CLIENT_NAME: &str = "proxy-execute";

/// The fields of its registration that an account keeps.
const KEPT: [&str; 4] = ["client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at"];

/// Whether the secret of an account's client is of no use any more, at `at` in seconds. 0 is never
/// (RFC 7591 §3.2.1).
pub(crate) fn is_expired(fields: &Fields, at: i64) -> bool {
    let expires_at = fields.get("client_secret_expires_at");
    expires_at
        .and_then(|seconds| seconds.expose_secret().parse::<i64>().ok())
        .is_some_and(|seconds| seconds != 0 && seconds <= at)
}

/// The request that registers a client (RFC 7591 §3.1).
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
        // With spaces here, whatever the provider has between scopes elsewhere (§2).
        body["scope"] = scopes.join(" ").into();
    }
    let json = HeaderValue::from_static("application/json");
    TokenRequest {
        url: registration_url.clone(),
        headers: HeaderMap::from_iter([(ACCEPT, json.clone()), (CONTENT_TYPE, json)]),
        body: body.to_string().into(),
    }
}

/// Reads the answer: the fields of an account's `val` that change with its client.
///
/// # Errors
/// Why there is no client (RFC 7591 §3.2.2).
pub(crate) fn read_registration(rules: &Rules, answered: &Answered) -> Result<SecretJson, NotGranted> {
    let has_id = |answer: &Map<String, Value>| {
        answer.get("client_id").and_then(Value::as_str).is_some_and(|id| !id.is_empty())
    };
    let fields = answered.fields().filter(|answer| answered.status.is_success() && has_id(answer));
    let Some(mut answer) = fields else { return Err(not_granted(answered, &rules.token_errors, "a client")) };
    // What is not in the answer is null, and takes away what an older client has left.
    let mut registered: Map<_, _> =
        KEPT.into_iter().map(|name| (name.to_owned(), answer.remove(name).unwrap_or_default())).collect();
    // A refresh token can be spent by the client alone that it was given to (RFC 6749 §6).
    registered.insert("refresh_token".to_owned(), Value::Null);
    Ok(SecretJson::new(Value::Object(registered).to_string()))
}

#[cfg(test)]
mod tests;
