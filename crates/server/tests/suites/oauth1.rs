//! OAuth 1.0 on the wire: an upstream that checks every signature (RFC 5849 §3.2).

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_server::Embedded;
use serde_json::json;
use url::form_urlencoded;

use crate::support::{Request, Step, Upstream, answer, call, get, import, options, session, with_headers};

const CONSUMER_SECRET: &str = "consumer secret/1";
const TOKEN_SECRET: &str = "token&secret";

fn toolkit(origin: &str) -> Vec<ToolkitSource> {
    let oauth1 = json!({
        "consumer_key": "{{consumer_key}}", "consumer_secret": "{{consumer_secret}}",
        "token": "{{oauth_token}}", "token_secret": "{{oauth_token_secret}}",
    });
    let schemes = json!({ "OAUTH1": { "oauth1": oauth1, "query": { "key": "{{consumer_key}}" } } });
    let definition = json!({ "slug": "signed", "name": "Signed", "base_url": origin, "schemes": schemes });
    vec![ToolkitSource::Definition(definition)]
}

/// The `oauth_…` parameters of a request, in order.
fn oauth_parameters(request: &Request) -> Vec<(String, String)> {
    let header = request.header("authorization").unwrap().strip_prefix("OAuth ").unwrap();
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let parameter = |text: &str| {
        let (name, value) = text.split_once('=').unwrap();
        (decoded(name), decoded(value.trim_matches('"')))
    };
    header.split(", ").map(parameter).collect()
}

/// Asserts that a request's signature is the one that its method, address, query and form give.
fn assert_signed(request: &Request, form: &[u8]) {
    let encoded = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(one).collect()
    };
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let oauth = oauth_parameters(request);
    let mut all: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .chain(form_urlencoded::parse(form))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .chain(
            oauth
                .iter()
                .filter(|(name, _)| name != "oauth_signature")
                .map(|(name, value)| (encoded(name), encoded(value))),
        )
        .collect();
    all.sort();
    let all: Vec<_> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("http://{}{path}", request.header("host").unwrap());
    let base = [request.method.as_str(), &url, &all.join("&")].map(encoded).join("&");
    let key = [CONSUMER_SECRET, TOKEN_SECRET].map(encoded).join("&");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let (_, signature) = oauth.iter().find(|(name, _)| name == "oauth_signature").unwrap();
    hmac::verify(&key, base.as_bytes(), &BASE64.decode(signature.as_bytes()).unwrap())
        .unwrap_or_else(|_| panic!("{base} is not what was signed in {request:?}"));
}

async fn caller(upstream: &Upstream) -> (Embedded, String) {
    let options = GatewayOptions { toolkits: toolkit(upstream.origin()), ..options(upstream) };
    let gateway = Embedded::open(options).await.unwrap();
    let val = json!({
        "consumer_key": "ck", "consumer_secret": CONSUMER_SECRET,
        "oauth_token": "t/1", "oauth_token_secret": TOKEN_SECRET,
    });
    import(&gateway, "ann", "signed", json!({ "authScheme": "OAUTH1", "val": val })).await;
    let session = session(&gateway, "ann").await;
    (gateway, session)
}

#[tokio::test]
async fn method_address_query_and_form_are_signed() {
    let upstream = Upstream::pleasant().await;
    let (gateway, session) = caller(&upstream).await;
    let form = "status=Hello%20W%C3%B6rld&b=2+3&b=%26";
    for (method, endpoint, content_type, body, signed_body) in [
        ("GET", "/x", None, None, ""),
        ("GET", "/a%20b/c?q=1&q=%C3%A4+x&empty=&=y#f", None, None, ""),
        ("DELETE", "/x?z=1", None, None, ""),
        ("POST", "/x", Some("application/x-www-form-urlencoded"), Some(json!(form)), form),
        ("PUT", "/x?a=1", Some("Application/X-WWW-Form-URLEncoded; charset=utf-8"), Some(json!(form)), form),
        ("POST", "/x", None, Some(json!({ "a": 1 })), ""),
        ("POST", "/x", Some("text/plain"), Some(json!("a=1")), ""),
    ] {
        let mut request = get("signed");
        request["method"] = json!(method);
        request["endpoint"] = json!(endpoint);
        if let Some(body) = body {
            request["body"] = body;
        }
        if let Some(content_type) = content_type {
            request = with_headers(request, &[("Content-Type", content_type)]);
        }
        call(&gateway, &session, request).await.unwrap();
        let seen = upstream.requests();
        let last = seen.last().unwrap();
        assert_eq!(last.method, method);
        assert_signed(last, signed_body.as_bytes());
        assert!(last.target.contains("key=ck"), "what the credential adds to the query is signed, too");
    }
    let seen = upstream.requests();
    let nonces: BTreeSet<_> = seen.iter().map(|request| oauth_parameters(request)[1].clone()).collect();
    assert_eq!(nonces.len(), seen.len(), "every request has a nonce of its own");
    for secret in ["consumer%20secret", CONSUMER_SECRET, TOKEN_SECRET, "token%26secret"] {
        assert!(!upstream.requests().iter().any(|request| request.contains(secret)), "{secret} stays here");
    }
}

#[tokio::test]
async fn a_redirect_is_signed_again_and_only_on_its_own_origin() {
    let abroad = Upstream::pleasant().await;
    let away = format!("location: {}/x", abroad.origin());
    let upstream = Upstream::with(move |request| match request.target.split('?').next().unwrap() {
        "/x" => Step::Send(answer(302, &["location: /y?moved=1"], "")),
        _ => Step::Send(answer(302, &[&away], "")),
    })
    .await;
    let (gateway, session) = caller(&upstream).await;
    call(&gateway, &session, get("signed")).await.unwrap();
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    for request in &seen {
        assert_signed(request, b"");
    }
    assert_ne!(seen[0].header("authorization"), seen[1].header("authorization"));
    assert_eq!(abroad.request().header("authorization"), None);
}

#[tokio::test]
async fn a_callers_own_authorization_is_not_replaced() {
    let upstream = Upstream::pleasant().await;
    let (gateway, session) = caller(&upstream).await;
    call(&gateway, &session, with_headers(get("signed"), &[("Authorization", "Custom mine")])).await.unwrap();
    assert_eq!(upstream.request().header("authorization"), Some("Custom mine"));
}
