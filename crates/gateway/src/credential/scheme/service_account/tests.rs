use proxy_execute_protocol::AuthScheme;
use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, BASE64URL_NOPAD};

use super::*;
use crate::toolkit::{Catalogue, Toolkit, ToolkitSource};

/// A private key in the form that providers issue, and the public key that verifies its signatures.
static KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let public = RsaKeyPair::from_pkcs8(der.as_ref()).unwrap().public_key().as_ref().to_vec();
    let pem: Vec<_> = BASE64.encode(der.as_ref()).into_bytes();
    let pem: Vec<_> = pem.chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = pem.join("\n");
    (format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"), public)
});

fn toolkit() -> std::sync::Arc<Toolkit> {
    let server = |token_url: &str| json!({ "authorization_server": { "token_url": token_url } });
    let definition = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://api.acme.test",
        "fields": { "installation_id": { "description": "The id of the installation" } },
        "schemes": {
            "GOOGLE_SERVICE_ACCOUNT": server("https://acme.test/token"),
            "SERVICE_ACCOUNT": server("https://acme.test/installations/{{installation_id}}/tokens"),
        },
    });
    let catalogue = Catalogue::with(&[ToolkitSource::Definition(definition)]).unwrap();
    std::sync::Arc::clone(catalogue.get("acme").unwrap())
}

fn fields(value: Value) -> Fields {
    serde_json::from_value(value).unwrap()
}

fn google(fields: &Fields) -> Result<TokenRequest> {
    let toolkit = toolkit();
    let server = toolkit.authorization_server(AuthScheme::GoogleServiceAccount, fields)?.unwrap();
    let scopes = ["https://scopes.test/a".to_owned(), "b".to_owned()];
    google_request(&server, fields, &scopes, 1_700_000_000)
}

fn github(fields: &Fields) -> Result<TokenRequest> {
    let toolkit = toolkit();
    let server = toolkit.authorization_server(AuthScheme::ServiceAccount, fields)?.unwrap();
    github_app_request(&server, fields, 1_700_000_000)
}

/// Verifies the signature of a JWT, and returns its header and claims.
fn read(jwt: &str) -> (Value, Value) {
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &KEY.1);
    key.verify(signed.as_bytes(), &signature).unwrap();
    let part =
        |text: &str| serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    (part(header), part(claims))
}

#[test]
fn google_gets_a_signed_assertion() {
    let json = json!({
        "type": "service_account", "client_email": "robot@acme.test", "private_key": KEY.0, "private_key_id": "k1",
        "token_uri": "https://evil.test/token",
    });
    let request = google(&fields(json!({ "credentials_json": json.to_string() }))).unwrap();
    assert_eq!(request.url.as_str(), "https://acme.test/token", "not where the JSON says");
    let form: std::collections::BTreeMap<_, _> =
        form_urlencoded::parse(request.body.expose_secret().as_bytes()).into_owned().collect();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (header, claims) = read(&form["assertion"]);
    assert_eq!(header, json!({ "typ": "JWT", "alg": "RS256", "kid": "k1" }));
    assert_eq!(
        claims,
        json!({
            "iss": "robot@acme.test", "scope": "https://scopes.test/a b", "aud": "https://acme.test/token",
            "iat": 1_700_000_000, "exp": 1_700_003_600,
        })
    );
    let delegated = json!({ "credentials_json": json.to_string(), "subject": "ann@acme.test" });
    let request = google(&fields(delegated)).unwrap();
    let form: std::collections::BTreeMap<_, _> =
        form_urlencoded::parse(request.body.expose_secret().as_bytes()).into_owned().collect();
    assert_eq!(read(&form["assertion"]).1["sub"], "ann@acme.test");
}

#[test]
fn a_google_key_is_accepted_in_every_copied_form() {
    let key = json!({ "client_email": "robot@acme.test", "private_key": KEY.0, "private_key_id": "k1" });
    let escaped = json!({ "client_email": "robot@acme.test", "private_key": KEY.0.replace('\n', "\\r\\n") });
    let encoded = BASE64.encode(KEY.0.as_bytes());
    for given in [
        key.clone(),
        json!(key.to_string()),
        json!(serde_json::to_string_pretty(&key).unwrap()),
        json!(BASE64.encode(key.to_string().as_bytes())),
        json!(json!(key.to_string()).to_string()),
        escaped.clone(),
        json!(escaped.to_string()),
        json!({ "client_email": "robot@acme.test", "private_key": encoded }),
    ] {
        // The value as it is imported, and as it is read back.
        let val = json!({ "credentials_json": given }).to_string();
        let read_back = Fields::read(&proxy_execute_protocol::SecretJson::new(val)).unwrap();
        let request = google(&read_back).unwrap();
        let form: std::collections::BTreeMap<_, _> =
            form_urlencoded::parse(request.body.expose_secret().as_bytes()).into_owned().collect();
        assert_eq!(read(&form["assertion"]).1["iss"], "robot@acme.test");
    }
    for (given, says) in [
        (json!(null), "it is missing"),
        (json!(""), "it is missing"),
        (json!({}), "it is not the JSON"),
        (json!([]), "it is not the JSON"),
        (json!(7), "it is not the JSON"),
        (json!({ "client_email": "canary-1" }), "it is not the JSON"),
        (json!({ "client_email": "e", "private_key": "canary-1" }), "its private key"),
    ] {
        let error = google(&fields(json!({ "credentials_json": given }))).unwrap_err();
        assert!(error.to_string().contains(says), "{given}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn github_gets_a_signed_bearer_token() {
    let with = |line_end: &str| KEY.0.replace('\n', line_end);
    let body = KEY.0.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n");
    let as_url = BASE64.encode(KEY.0.as_bytes()).replace('+', "-").replace('/', "_").replace('=', "");
    for pem in [
        with("\n"),
        with("\r\n"),
        with("\\n"),
        with("\\r\\n"),
        with("\\\\n"),
        with("\\\\r\\\\n"),
        with("\\\n"),
        with("\r"),
        with(""),
        with(" "),
        format!("\"{}\"", with("\\n")),
        format!("'{}'", with("\\n")),
        format!("\n  {}  \n", KEY.0),
        BASE64.encode(KEY.0.as_bytes()),
        BASE64.encode(with("\r\n").as_bytes()),
        BASE64.encode(with("\\n").as_bytes()),
        BASE64
            .encode(KEY.0.as_bytes())
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect::<Vec<_>>()
            .join("\n"),
        as_url,
        body.clone(),
        body.replace('\n', ""),
    ] {
        let app = json!({ "application_id": 123, "installation_id": 45, "private_key": pem });
        let request = github(&fields(app)).unwrap();
        assert_eq!(request.url.as_str(), "https://acme.test/installations/45/tokens");
        assert_eq!(request.body.expose_secret(), "");
        let bearer = &request.headers[AUTHORIZATION];
        assert!(bearer.is_sensitive());
        let (header, claims) = read(bearer.to_str().unwrap().strip_prefix("Bearer ").unwrap());
        assert_eq!(header, json!({ "typ": "JWT", "alg": "RS256" }));
        assert_eq!(claims, json!({ "iss": "123", "iat": 1_699_999_940, "exp": 1_700_000_540 }));
    }
}

#[test]
fn errors_about_unusable_keys_do_not_quote_them() {
    let pem = "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----";
    let google_key = |key: Value| fields(json!({ "credentials_json": key.to_string() }));
    let errors = [
        (google(&fields(json!({}))), "val.credentials_json"),
        (google(&fields(json!({ "credentials_json": "canary-1" }))), "val.credentials_json"),
        (google(&google_key(json!({ "private_key": "canary-1" }))), "val.credentials_json"),
        (google(&google_key(json!({ "client_email": "e", "private_key": pem }))), "val.credentials_json"),
        (github(&fields(json!({ "installation_id": 1, "private_key": pem }))), "val.application_id"),
        (github(&fields(json!({ "installation_id": 1, "application_id": 1 }))), "val.private_key"),
        (
            github(&fields(json!({ "installation_id": 1, "application_id": 1, "private_key": pem }))),
            "val.private_key",
        ),
        (
            github(&fields(json!({ "installation_id": "canary-1/..", "application_id": 1 }))),
            "val.installation_id",
        ),
    ];
    for (result, field) in errors {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(field), "{error} should name {field}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
