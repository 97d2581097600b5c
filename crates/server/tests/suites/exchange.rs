//! Accounts that give a key, a client or a password, which the gateway exchanges for access tokens: at
//! a provider that checks every signature.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use futures::future::join_all;
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{AccountStatus, ErrorKind};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::support::{
    Request, Step, Upstream, answer, assert_error, call, import, json_answer, resource, session, try_import,
};

const JSON: &str = "content-type: application/json";

/// A private key in the form that providers issue, and the public key that verifies its signatures.
static KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let public = RsaKeyPair::from_pkcs8(der.as_ref()).unwrap().public_key().as_ref().to_vec();
    let pem = BASE64.encode(der.as_ref());
    (format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"), public)
});

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of a JWT, if its signature and its times are valid.
fn claims(jwt: &str) -> Option<Value> {
    let (signed, signature) = jwt.rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &KEY.1).verify(signed.as_bytes(), &signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()?;
    let lives = claims["iat"].as_u64()? <= seconds() && seconds() < claims["exp"].as_u64()?;
    lives.then_some(claims)
}

/// Whether a token request has a valid proof.
fn is_proven(request: &Request) -> bool {
    let form: BTreeMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
    match request.target.as_str() {
        "/google/token" => {
            let url = format!("http://{}/google/token", request.header("host").unwrap());
            form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
                && claims(&form["assertion"]).is_some_and(|claims| {
                    (&claims["iss"], &claims["aud"], &claims["scope"])
                        == (&json!("robot"), &json!(url), &json!("read"))
                })
        }
        "/app/45/tokens" => {
            let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            bearer.and_then(claims).is_some_and(|claims| claims["iss"] == "123")
        }
        "/machine/token" => {
            form["grant_type"] == "client_credentials"
                && request.header("authorization").unwrap() == format!("Basic {}", BASE64.encode(b"id:right"))
        }
        "/login" => serde_json::from_slice(&request.body)
            .is_ok_and(|given: Value| given == json!({ "username": "ann", "password": "right" })),
        other => panic!("{other}"),
    }
}

/// A provider. The API returns the credential that it got, and refuses the tokens before the one with this
/// number.
async fn provider(oldest: usize) -> Upstream {
    let given = AtomicUsize::new(0);
    Upstream::with(move |request| {
        if request.target.starts_with("/v1") {
            let authorization = request.header("authorization").unwrap();
            let number: usize = authorization.rsplit('-').next().unwrap().parse().unwrap();
            return if number < oldest {
                Step::Send(answer(401, &[JSON], "{}"))
            } else {
                json_answer(json!(authorization).to_string())
            };
        }
        if !is_proven(request) {
            return Step::Send(answer(401, &[JSON], r#"{"error":"invalid_grant"}"#));
        }
        let token = format!("token-{}", given.fetch_add(1, Ordering::SeqCst) + 1);
        json_answer(match request.target.as_str() {
            "/app/45/tokens" => {
                let in_an_hour = jiff::Timestamp::from_second(seconds() as i64 + 3_600).unwrap();
                json!({ "token": token, "expires_at": in_an_hour.to_string() }).to_string()
            }
            "/login" => json!({ "jwt": token }).to_string(),
            _ => json!({ "access_token": token, "expires_in": 3_600 }).to_string(),
        })
    })
    .await
}

fn options(provider: &Upstream) -> GatewayOptions {
    let origin = provider.origin();
    let scheme = |server: Value| json!({ "headers": { "Authorization": "Bearer {{access_token}}" }, "authorization_server": server });
    let definition = json!({
        "slug": "machine", "name": "Machine", "base_url": format!("{origin}/v1"),
        "fields": { "installation_id": { "description": "The id of the installation" } },
        "schemes": {
            "GOOGLE_SERVICE_ACCOUNT": scheme(json!({
                "token_url": format!("{origin}/google/token"), "scopes": ["read"],
            })),
            "SERVICE_ACCOUNT": scheme(json!({
                "token_url": format!("{origin}/app/{{{{installation_id}}}}/tokens"),
                "token_answer": { "access_token": "/token" },
            })),
            "S2S_OAUTH2": scheme(json!({
                "token_url": format!("{origin}/machine/token"), "client_authentication": "basic",
            })),
            "BASIC_WITH_JWT": scheme(json!({
                "token_url": format!("{origin}/login"), "token_request": "json",
                "token_parameters": { "username": "{{username}}", "password": "{{password}}" },
                "token_answer": { "access_token": "/jwt" },
            })),
        },
    });
    GatewayOptions {
        toolkits: vec![ToolkitSource::Definition(definition)],
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        ..GatewayOptions::default()
    }
}

const SCHEMES: [&str; 4] = ["GOOGLE_SERVICE_ACCOUNT", "SERVICE_ACCOUNT", "S2S_OAUTH2", "BASIC_WITH_JWT"];

/// The fields of an account of each scheme.
fn credential(scheme: &str) -> Value {
    let google = json!({
        "client_email": "robot", "private_key": KEY.0, "token_uri": "https://evil.example/token",
    });
    let val = match scheme {
        "GOOGLE_SERVICE_ACCOUNT" => json!({ "credentials_json": google.to_string() }),
        "SERVICE_ACCOUNT" => {
            json!({ "application_id": "123", "installation_id": "45", "private_key": KEY.0 })
        }
        "S2S_OAUTH2" => json!({ "client_id": "id", "client_secret": "right" }),
        _ => json!({ "username": "ann", "password": "right" }),
    };
    json!({ "authScheme": scheme, "val": val })
}

fn get() -> Value {
    json!({ "toolkit_slug": "machine", "endpoint": "/x", "method": "GET" })
}

fn token_requests(provider: &Upstream) -> usize {
    provider.requests().iter().filter(|request| !request.target.starts_with("/v1")).count()
}

#[tokio::test]
async fn the_first_call_gets_a_token_and_the_others_share_it() {
    for scheme in SCHEMES {
        let provider = provider(1).await;
        let gateway = Embedded::open(options(&provider)).await.unwrap();
        let account = import(&gateway, "ann", "machine", credential(scheme)).await;
        assert_eq!((account.status, token_requests(&provider)), (AccountStatus::Active, 0), "{scheme}");
        let session = session(&gateway, "ann").await;
        let calls = (0..50).map(|_| call(&gateway, &session, get()));
        for answer in join_all(calls).await {
            assert_eq!(answer.unwrap().data(), "Bearer token-1", "{scheme}");
        }
        call(&gateway, &session, get()).await.unwrap();
        assert_eq!(token_requests(&provider), 1, "{scheme}");
    }
}

#[tokio::test]
async fn a_rejected_token_is_requested_again() {
    for scheme in SCHEMES {
        let provider = provider(2).await;
        let gateway = Embedded::open(options(&provider)).await.unwrap();
        import(&gateway, "ann", "machine", credential(scheme)).await;
        let session = session(&gateway, "ann").await;
        // The API rejects a fresh token, so another token would not help.
        assert_eq!(call(&gateway, &session, get()).await.unwrap().status(), 401, "{scheme}");
        assert_eq!(token_requests(&provider), 1, "{scheme}");
        let accounts = resource(&gateway, "GET", &["connected_accounts"], Value::Null).await.unwrap();
        let id = accounts["items"][0]["id"].as_str().unwrap();
        let path = ["connected_accounts", id, "refresh"];
        assert_eq!(resource(&gateway, "POST", &path, Value::Null).await.unwrap()["status"], "ACTIVE");
        assert_eq!(call(&gateway, &session, get()).await.unwrap().data(), "Bearer token-2", "{scheme}");
    }
}

#[tokio::test]
async fn a_refused_credential_ends_the_account_until_it_is_corrected() {
    let provider = provider(1).await;
    let gateway = Embedded::open(options(&provider)).await.unwrap();
    let wrong = json!({ "authScheme": "BASIC_WITH_JWT", "val": { "username": "ann", "password": "wrong" } });
    let account = import(&gateway, "ann", "machine", wrong).await;
    let session = session(&gateway, "ann").await;
    assert_error(call(&gateway, &session, get()).await, ErrorKind::AccountUnusable, "EXPIRED");
    let path = ["connected_accounts", &account.id];
    let shown = resource(&gateway, "GET", &path, Value::Null).await.unwrap();
    assert_eq!(shown["status"], "EXPIRED");
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(reason.contains("does not accept the account's credential (`invalid_grant`)"), "{reason}");
    assert!(!reason.contains("refresh token") && !reason.contains("wrong"), "{reason}");

    let state = json!({ "authScheme": "BASIC_WITH_JWT", "val": { "password": "right" } });
    resource(&gateway, "PATCH", &path, json!({ "connection": { "state": state } })).await.unwrap();
    assert_eq!(call(&gateway, &session, get()).await.unwrap().data(), "Bearer token-1");

    // A new password is exchanged for a new token, even if the old one has not expired.
    resource(&gateway, "PATCH", &path, json!({ "connection": { "state": state } })).await.unwrap();
    assert_eq!(call(&gateway, &session, get()).await.unwrap().data(), "Bearer token-2");
}

#[tokio::test]
async fn a_credential_that_cannot_be_exchanged_is_refused_at_the_import() {
    let provider = provider(1).await;
    let gateway = Embedded::open(options(&provider)).await.unwrap();
    let google = json!({ "client_email": "robot", "private_key": "no key" }).to_string();
    for (scheme, val, says) in [
        ("GOOGLE_SERVICE_ACCOUNT", json!({}), "val.credentials_json"),
        ("GOOGLE_SERVICE_ACCOUNT", json!({ "credentials_json": "{" }), "val.credentials_json"),
        ("GOOGLE_SERVICE_ACCOUNT", json!({ "credentials_json": google }), "val.credentials_json"),
        ("SERVICE_ACCOUNT", json!({ "application_id": 1, "private_key": KEY.0 }), "val.installation_id"),
        (
            "SERVICE_ACCOUNT",
            json!({ "application_id": 1, "installation_id": "../x", "private_key": KEY.0 }),
            "val.installation_id",
        ),
        ("SERVICE_ACCOUNT", json!({ "application_id": 1, "installation_id": 4 }), "val.private_key"),
        ("S2S_OAUTH2", json!({}), "client_id"),
        ("BASIC_WITH_JWT", json!({ "username": "ann" }), "val.password"),
    ] {
        let credential = json!({ "authScheme": scheme, "val": val });
        assert_error(
            try_import(&gateway, "ann", "machine", credential).await,
            ErrorKind::InvalidRequest,
            says,
        );
    }
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn the_client_may_belong_to_the_auth_config() {
    let provider = provider(1).await;
    let gateway = Embedded::open(options(&provider)).await.unwrap();
    let request = json!({
        "toolkit": { "slug": "machine" },
        "auth_config": {
            "type": "use_custom_auth", "authScheme": "S2S_OAUTH2",
            "credentials": { "client_id": "id", "client_secret": "right" },
        },
    });
    let made = resource(&gateway, "POST", &["auth_configs"], request).await.unwrap();
    let request = json!({
        "auth_config": { "id": made["auth_config"]["id"] }, "connection": { "user_id": "ann" },
    });
    let account = resource(&gateway, "POST", &["connected_accounts"], request).await.unwrap();
    assert_eq!(account["status"], "ACTIVE");
    let session = session(&gateway, "ann").await;
    assert_eq!(call(&gateway, &session, get()).await.unwrap().data(), "Bearer token-1");
}
