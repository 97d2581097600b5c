use http::StatusCode;
use proxy_execute_protocol::AuthScheme;
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::credential::Fields;
use crate::toolkit::{Catalogue, ToolkitSource};

fn requested(rules: Value, metadata: Value) -> TokenRequest {
    let mut server = json!({
        "authorize_url": "https://acme.test/authorize", "token_url": "https://acme.test/token",
        "registration_url": "https://acme.test/register",
    });
    server.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    let definition = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://api.acme.test",
        "schemes": { "DCR_OAUTH": { "authorization_server": server } },
    });
    let catalogue = Catalogue::with(&[ToolkitSource::Definition(definition)]).unwrap();
    let toolkit = catalogue.get("acme").unwrap();
    let server = toolkit.authorization_server(AuthScheme::DcrOauth, &Fields::default()).unwrap().unwrap();
    let metadata = ClientMetadata::read(&SecretJson::new(metadata.to_string()), &json!({})).unwrap();
    registration_request(
        server.registration_url.as_ref().unwrap(),
        server.rules,
        &metadata,
        "https://gw.test/connect/callback",
    )
}

fn read(status: u16, body: &[u8]) -> Result<SecretJson, NotGranted> {
    let answered = Answered {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: None,
        content_type: None,
        body: body.into(),
        sent: SecretString::default(),
    };
    let rules = json!({ "token_url": "https://acme.test/token" });
    read_registration(&serde_json::from_value(rules).unwrap(), &answered)
}

fn body(request: &TokenRequest) -> Value {
    serde_json::from_str(request.body.expose_secret()).unwrap()
}

#[test]
fn a_client_is_registered_for_what_it_will_do() {
    let request = requested(json!({ "scopes": ["read", "write"], "scope_separator": "," }), json!({}));
    assert_eq!(request.url.as_str(), "https://acme.test/register");
    assert_eq!(request.headers[CONTENT_TYPE], "application/json");
    assert_eq!(
        body(&request),
        json!({
            "client_name": "proxy-execute",
            "redirect_uris": ["https://gw.test/connect/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": "read write",
        })
    );

    let request = requested(json!({ "client_authentication": "basic" }), json!({ "scopes": "own" }));
    assert_eq!(body(&request)["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(body(&request)["scope"], "own");
    assert_eq!(body(&requested(json!({}), json!({}))).get("scope"), None);
}

#[test]
fn a_response_replaces_the_old_client() {
    let answer = br#"{"client_id":"c","client_secret":"s","client_secret_expires_at":0,"client_name":"x"}"#;
    let registered = read(201, answer).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(registered.expose()).unwrap(),
        json!({
            "client_id": "c", "client_secret": "s", "client_secret_expires_at": 0,
            "client_id_issued_at": null, "refresh_token": null,
        })
    );
}

#[test]
fn a_refusal_is_distinguished_from_a_failure() {
    let refused = br#"{"error":"invalid_redirect_uri","error_description":"no"}"#;
    let Err(NotGranted::Refused { code, description, .. }) = read(400, refused) else {
        panic!("it was refused");
    };
    assert_eq!((code.as_str(), description.as_deref()), ("invalid_redirect_uri", Some("no")));
    for (status, body) in [
        (503, r#"{"error":"invalid_client_metadata"}"#),
        (429, "{}"),
        (201, "<html>"),
        (201, r#"["client_id"]"#),
        (201, r#"{"client_id":""}"#),
        (400, r#"{"client_id":"c"}"#),
    ] {
        let answer = read(status, body.as_bytes());
        let Err(NotGranted::Unavailable { why, .. }) = answer else { panic!("{status} {body}") };
        assert!(why.contains(&status.to_string()), "{why}");
    }
}

#[test]
fn a_secret_ends_with_its_time() {
    for (expires_at, expected) in [
        (json!(0), false),
        (json!(null), false),
        (json!(1_000), true),
        (json!("1000"), true),
        (json!(1_001), false),
        (json!("soon"), false),
    ] {
        let val = json!({ "client_secret_expires_at": expires_at });
        let fields: Fields = serde_json::from_value(val.clone()).unwrap();
        assert_eq!(is_expired(fields.get("client_secret_expires_at"), 1_000), expected, "{val}");
    }
}
