use http::StatusCode;
use proxy_execute_protocol::{AuthScheme, SecretJson};

use super::*;
use crate::credential::Fields;
use crate::oauth::answered::Answered;
use crate::oauth::refusal::NotGranted;
use crate::oauth::token_answer::{Granted, read_answer};
use crate::toolkit::{Catalogue, Toolkit, ToolkitSource};

/// A toolkit whose authorization server has these keys besides its addresses.
fn toolkit(rules: Value) -> std::sync::Arc<Toolkit> {
    let mut server = json!({
        "authorize_url": "https://acme.test/authorize?tenant=1",
        "token_url": "https://acme.test/token",
        "revoke_url": "https://acme.test/revoke",
    });
    server.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    let definition = json!({
        "slug": "acme", "name": "Acme", "base_url": "https://api.acme.test",
        "schemes": { "OAUTH2": { "authorization_server": server } },
    });
    let catalogue = Catalogue::with(&[ToolkitSource::Definition(definition)]).unwrap();
    std::sync::Arc::clone(catalogue.get("acme").unwrap())
}

fn server(toolkit: &Toolkit) -> AuthorizationServer<'_> {
    toolkit.authorization_server(AuthScheme::OAuth2, &Fields::default()).unwrap().unwrap()
}

fn lifetime_of(granted: &Granted) -> Option<u64> {
    Fields::read(&granted.val).unwrap().expires_in()
}

fn client() -> OAuthClient {
    let credentials =
        SecretJson::new(r#"{"client_id":"i d","client_secret":"s:c","scopes":"read write"}"#.to_owned());
    OAuthClient::read(&credentials, &json!({})).unwrap()
}

fn answer(rules: Value, status: u16, body: &str) -> Result<Granted, NotGranted> {
    let toolkit = toolkit(rules);
    read_answer(server(&toolkit).rules, &answered(status, body))
}

fn answered(status: u16, body: &str) -> Answered {
    Answered {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: None,
        content_type: None,
        body: body.into(),
        sent: SecretString::default(),
    }
}

#[test]
fn a_user_is_redirected_with_state_and_challenge() {
    let toolkit = toolkit(json!({ "authorize_parameters": { "access_type": "offline" } }));
    // RFC 7636, appendix B.
    let verifier = CodeVerifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
    let url =
        authorize_url(&server(&toolkit), &client(), "https://gw.test/connect/callback", "st", &verifier);
    assert_eq!(
        url.unwrap().as_str(),
        "https://acme.test/authorize?tenant=1&response_type=code&client_id=i+d\
         &redirect_uri=https%3A%2F%2Fgw.test%2Fconnect%2Fcallback&scope=read+write&state=st\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&access_type=offline"
    );
}

#[test]
fn user_scopes_are_requested_beside_those_of_the_app() {
    let toolkit = toolkit(json!({
        "scopes": ["bot:read"], "scope_separator": ",", "user_scope_parameter": "user_scope", "pkce": false,
    }));
    for (scopes, user_scopes, expected) in [
        ("", "", "&scope=bot%3Aread&state=s"),
        ("a b", "", "&scope=a%2Cb&state=s"),
        ("a", "u,v", "&scope=a&user_scope=u%2Cv&state=s"),
        ("", "u", "&user_scope=u&state=s"),
    ] {
        let credentials = json!({ "client_id": "c", "scopes": scopes, "user_scopes": user_scopes });
        let client = OAuthClient::read(&SecretJson::new(credentials.to_string()), &json!({})).unwrap();
        let url = authorize_url(&server(&toolkit), &client, "https://gw.test", "s", &CodeVerifier::random());
        let url = url.unwrap();
        assert!(url.as_str().ends_with(&format!("https%3A%2F%2Fgw.test{expected}")), "{url}");
    }
}

#[test]
fn a_token_is_revoked_as_the_provider_expects() {
    let token = "t".into();
    let body = |rules: Value| {
        let toolkit = toolkit(rules);
        let request = revocation_request(&server(&toolkit), &client(), &token).unwrap();
        assert_eq!(request.url.as_str(), "https://acme.test/revoke");
        request.body.expose_secret().to_owned()
    };
    assert_eq!(body(json!({})), "token=t&client_id=i+d&client_secret=s%3Ac");
    assert_eq!(
        body(json!({ "client_authentication": "basic", "token_request": "json" })),
        r#"{"token":"t"}"#
    );
}

#[test]
fn a_token_is_requested_as_the_provider_expects() {
    let refresh = "r&1".into();
    let grant = Grant::RefreshToken(&refresh);
    let standard = toolkit(json!({}));
    let request = token_request(&server(&standard), &client(), &grant);
    assert_eq!(
        request.body.expose_secret(),
        "grant_type=refresh_token&refresh_token=r%261&client_id=i+d&client_secret=s%3Ac"
    );
    let other = toolkit(json!({
        "refresh_url": "https://acme.test/refresh", "client_authentication": "basic", "token_request": "json",
        "token_parameters": { "audience": "x" },
    }));
    let request = token_request(&server(&other), &client(), &grant);
    assert_eq!(request.url.as_str(), "https://acme.test/refresh");
    assert_eq!(
        request.body.expose_secret(),
        r#"{"grant_type":"refresh_token","refresh_token":"r&1","audience":"x"}"#
    );
    assert_eq!(request.headers[AUTHORIZATION], format!("Basic {}", BASE64.encode(b"i+d:s%3Ac")));
    assert!(!format!("{request:?} {grant:?} {:?}", client()).contains("s:c"));
}

#[test]
fn responses_are_read_under_the_names_of_a_credential() {
    let granted =
        answer(json!({}), 200, r#"{"access_token":"a","refresh_token":"r","expires_in":"60","x":{}}"#);
    let granted = granted.unwrap();
    assert_eq!(granted.val.expose(), r#"{"access_token":"a","refresh_token":"r","expires_in":60,"x":{}}"#);
    assert_eq!((lifetime_of(&granted), granted.has_refresh_token), (Some(60), true));

    let nested = json!({ "token_answer": { "access_token": "/authed/token" }, "default_lifetime": 7 });
    let granted = answer(nested, 200, r#"{"ok":true,"authed":{"token":"t"}}"#).unwrap();
    assert_eq!(
        granted.val.expose(),
        r#"{"ok":true,"authed":{"token":"t"},"access_token":"t","expires_in":7}"#
    );

    let nested = json!({ "token_answer": {
        "access_token": "/authed/token", "site": { "at": "/host", "ending": ".acme.test" },
    } });
    let body = r#"{"access_token":"bot","authed":{"token":"person"},"host":"eu.acme.test"}"#;
    let granted = answer(nested.clone(), 200, body).unwrap();
    assert!(granted.val.expose().contains(r#""access_token":"bot""#), "what is at the top counts");
    assert!(granted.val.expose().contains(r#""site":"eu""#));
    let granted = answer(nested, 200, r#"{"access_token":"a","host":"acme.test.evil.test"}"#).unwrap();
    assert!(!granted.val.expose().contains("site"), "only a part before that ending is taken");

    for lifetime in ["0", "-5", "\"soon\"", "null", "\"\"", "{}"] {
        let granted =
            answer(json!({}), 200, &format!(r#"{{"access_token":"a","expires_in":{lifetime}}}"#)).unwrap();
        assert_eq!((lifetime_of(&granted), granted.has_refresh_token), (None, false), "{lifetime}");
        assert_eq!(granted.val.expose(), r#"{"access_token":"a","expires_in":null}"#);
    }
}

#[test]
fn a_time_may_stand_for_a_lifetime() {
    let github = json!({ "token_answer": { "access_token": "/token" } });
    let body = |at: i64| format!(r#"{{"token":"t","expires_at":"{}"}}"#, crate::clock::rfc3339(at));
    let in_an_hour = crate::clock::now() + 3_600_000;
    let lifetime = lifetime_of(&answer(github.clone(), 201, &body(in_an_hour)).unwrap()).unwrap();
    assert!((3_590..=3_600).contains(&lifetime), "{lifetime}");
    assert_eq!(lifetime_of(&answer(github, 201, &body(0)).unwrap()), None);
}

#[test]
fn the_accounts_client_takes_precedence_over_that_of_its_auth_config() {
    let credentials = r#"{"client_id":"theirs","client_secret":"s","scopes":"a"}"#;
    let credentials = SecretJson::new(credentials.to_owned());
    let toolkit = toolkit(json!({}));
    let read = |scheme: AuthScheme, own: Value| {
        let own: Fields = serde_json::from_value(own).unwrap();
        toolkit.client_of(scheme, &own, &credentials, &json!({})).unwrap()
    };
    let secret =
        |client: &OAuthClient| client.secret.as_ref().map(|secret| secret.expose_secret().to_owned());
    let client = read(AuthScheme::DcrOauth, json!({}));
    assert_eq!((client.id.as_str(), secret(&client)), ("theirs", Some("s".to_owned())));
    let client = read(AuthScheme::DcrOauth, json!({ "client_id": "own" }));
    assert_eq!(
        (client.id.as_str(), secret(&client)),
        ("own", None),
        "one's id does not get another's secret"
    );
    assert_eq!(client.metadata.scopes, ["a"]);
    let client = read(AuthScheme::OAuth2, json!({ "client_id": "own" }));
    assert_eq!(client.id, "theirs", "an extra field of a token response is not a client");
}

#[test]
fn a_machine_requests_its_own_token() {
    let toolkit = toolkit(json!({ "client_authentication": "basic" }));
    let request = token_request(&server(&toolkit), &client(), &Grant::ClientCredentials);
    assert_eq!(request.body.expose_secret(), "grant_type=client_credentials&scope=read+write");
    assert_eq!(request.headers[AUTHORIZATION], format!("Basic {}", BASE64.encode(b"i+d:s%3Ac")));
}

#[test]
fn a_login_is_a_name_and_a_password() {
    let toolkit = toolkit(json!({
        "token_request": "json", "token_answer": { "access_token": "/jwt" },
        "token_parameters": { "username": "{{username}}", "password": "{{password}}" },
    }));
    let server = |fields: Value| {
        let fields: Fields = serde_json::from_value(fields).unwrap();
        toolkit.authorization_server(AuthScheme::OAuth2, &fields)
    };
    let given = server(json!({ "username": "ann", "password": "p&w", "access_token": "old" }));
    let server_of_ann = given.unwrap().unwrap();
    let request = login_request(&server_of_ann);
    assert_eq!(request.body.expose_secret(), r#"{"password":"p&w","username":"ann"}"#);
    let granted = read_answer(server_of_ann.rules, &answered(200, r#"{"jwt":"j"}"#)).unwrap();
    assert!(granted.val.expose().contains(r#""access_token":"j""#));
    assert!(!format!("{server_of_ann:?} {request:?}").contains("p&w"));
    let error = server(json!({ "username": "ann" })).unwrap_err();
    assert!(error.to_string().contains("val.password"));
}

#[test]
fn a_parameter_may_replace_a_standard_one() {
    let toolkit = toolkit(json!({
        "client_authentication": "basic",
        "token_parameters": { "grant_type": "account_credentials", "account_id": "{{account_id}}" },
    }));
    let fields: Fields = serde_json::from_value(json!({ "account_id": 7 })).unwrap();
    let server = toolkit.authorization_server(AuthScheme::OAuth2, &fields).unwrap().unwrap();
    let request = token_request(&server, &client(), &Grant::ClientCredentials);
    assert_eq!(request.body.expose_secret(), "scope=read+write&account_id=7&grant_type=account_credentials");
}

#[test]
fn a_refusal_is_distinguished_from_a_failure() {
    for (status, body) in [
        (400, r#"{"error":"invalid_grant","error_description":"gone"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (200, r#"{"ok":false,"error":"invalid_refresh_token"}"#),
        (200, r#"{"error":"bad_refresh_token"}"#),
        (400, r#"{"error":{"code":"invalid_grant"}}"#),
    ] {
        assert!(
            matches!(answer(json!({}), status, body), Err(NotGranted::Refused { .. })),
            "{status} {body}"
        );
    }
    for (status, body) in [
        (500, r#"{"error":"invalid_grant"}"#),
        (503, ""),
        (429, r#"{"error":"invalid_grant"}"#),
        (400, r#"{"error":"temporarily_unavailable"}"#),
        (200, "<html>"),
        (200, "{}"),
        (403, "<html>"),
        (200, r#"{"access_token":""}"#),
        (302, ""),
    ] {
        assert!(
            matches!(answer(json!({}), status, body), Err(NotGranted::Unavailable { .. })),
            "{status} {body}"
        );
    }
}
