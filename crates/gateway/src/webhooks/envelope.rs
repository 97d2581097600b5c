//! A webhook as it is sent: the vendor's envelope V3, and its signatures.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use proxy_execute_store::StoredEvent;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::PREFIX;
use crate::clock::rfc3339;
use crate::header::DEFAULT_USER_AGENT;

/// Writes the body of an event's webhook. It is the same for every attempt.
///
/// A gateway has no projects, so the ids of the project and the organisation are fixed texts.
pub(super) fn body(event: &StoredEvent) -> String {
    json!({
        "id": event.id,
        "timestamp": rfc3339(event.at),
        "type": format!("{PREFIX}{}", event.event_type),
        "metadata": { "project_id": "proxy-execute", "org_id": "proxy-execute" },
        "data": {
            "id": event.account_id,
            "user_id": event.user_id,
            "status": event.status,
            "status_reason": event.reason,
            "toolkit": { "slug": event.toolkit },
            "auth_config": {
                "id": event.auth_config_id,
                "auth_scheme": event.auth_scheme,
                "is_composio_managed": false,
            },
            "auth_scheme": event.auth_scheme,
            "alias": event.alias,
            "word_id": event.word_id,
            "account_type": event.account_type,
            "is_disabled": event.is_disabled,
            "expires_at": event.expires_at.map(rfc3339),
            "state": { "authScheme": event.auth_scheme, "val": { "status": event.status } },
            "data": {},
            "created_at": rfc3339(event.created_at),
            "updated_at": rfc3339(event.updated_at),
        },
    })
    .to_string()
}

/// Makes the headers of an attempt: one signature for each secret.
pub(super) fn headers(
    id: &str,
    body: &str,
    secrets: &[SecretString],
    attempt: i64,
    now: Duration,
) -> HeaderMap {
    let timestamp = now.as_secs();
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures: Vec<_> = secrets.iter().map(|secret| signature(secret, signed.as_bytes())).collect();
    let value = |text: String| HeaderValue::try_from(text).expect("it is ASCII");
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(DEFAULT_USER_AGENT)),
        (HeaderName::from_static("webhook-id"), value(id.to_owned())),
        (HeaderName::from_static("webhook-timestamp"), value(timestamp.to_string())),
        (HeaderName::from_static("webhook-signature"), value(signatures.join(" "))),
        (HeaderName::from_static("x-composio-webhook-version"), HeaderValue::from_static("V3")),
        (HeaderName::from_static("x-composio-delivery-attempt"), value(attempt.to_string())),
    ])
}

/// Signs with the bytes of the secret's text, as the vendor does.
fn signature(secret: &SecretString, signed: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    format!("v1,{}", BASE64.encode(hmac::sign(&key, signed).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value was computed with `openssl dgst -sha256 -hmac`.
    #[test]
    fn a_signature_is_over_the_id_the_time_and_the_body() {
        let secrets = ["whsec_a", "whsec_b"].map(SecretString::from);
        let headers = headers("msg_1", "{}", &secrets, 3, Duration::from_millis(1_700_000_000_900));
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(
            (header("webhook-timestamp").as_str(), header("webhook-id").as_str()),
            ("1700000000", "msg_1")
        );
        assert_eq!(header("x-composio-delivery-attempt"), "3");
        assert_eq!(
            header("webhook-signature"),
            "v1,vQ+UK6bMJDqJ7Uk+tPpcXxRBTSeUU1ZDb4OoBchnE3c= v1,oZ/4QUTJU1aki9S/PB901/gEyf+U+2b3ER5qvQIBZk8="
        );
    }
}
