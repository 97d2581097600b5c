//! A secret stays with its host: a caller that changes or connects an account, or a user with a link, cannot
//! send a credential, or an operator's client, to another host.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy_execute_gateway::ToolkitSource;
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::form_urlencoded;

use crate::connect::{Browser, again, assert_page, link, refresh_of, status};
use crate::port::{Port, assert_refused};
use crate::resources::{ask, call_as, expect, read, text};
use crate::support::{Step, Upstream, answer, json_answer, options, soon};

/// A toolkit with a subdomain in the addresses of its API and its provider; the token endpoint is the
/// upstream.
fn tenants(upstream: &Upstream) -> ToolkitSource {
    ToolkitSource::Definition(json!({
        "slug": "tenants", "name": "Tenants", "base_url": "https://{{subdomain}}.acme.example",
        "fields": { "subdomain": { "description": "Your subdomain" } },
        "schemes": {
            "OAUTH2": {
                "headers": { "Authorization": "Bearer {{access_token}}" },
                "authorization_server": {
                    "authorize_url": "https://{{subdomain}}.provider.example/authorize",
                    "token_url": format!("{}/token", upstream.origin()),
                },
            },
            "BASIC": { "basic": { "username": "{{username}}", "password": "{{password}}" } },
        },
    }))
}

/// The API is at this upstream.
fn fixed(upstream: &Upstream) -> ToolkitSource {
    ToolkitSource::Definition(json!({
        "slug": "fixed", "name": "Fixed", "base_url": upstream.origin(), "check": "/me",
        "schemes": {
            "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } },
            "OAUTH2": {
                "headers": { "Authorization": "Bearer {{access_token}}" },
                "authorization_server": {
                    "authorize_url": "https://provider.example/authorize",
                    "token_url": format!("{}/token", upstream.origin()),
                },
            },
        },
    }))
}

async fn port(upstream: &Upstream) -> Port {
    let mut options = options(upstream);
    options.toolkits.extend([tenants(upstream), fixed(upstream)]);
    Port::with(options).await
}

/// Creates an auth config with a client and these credentials, and returns its id.
async fn config(port: &Port, toolkit: &str, scheme: &str, more: Value) -> String {
    let mut credentials = json!({ "client_id": "the-client", "client_secret": "canary-client" });
    credentials.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = json!({
        "toolkit": { "slug": toolkit },
        "auth_config": { "type": "use_custom_auth", "authScheme": scheme, "credentials": credentials },
    });
    text(&expect(ask(port, "POST", "/auth_configs", request).await, 201)["auth_config"]["id"])
}

fn state(scheme: &str, val: Value) -> Value {
    json!({ "state": { "authScheme": scheme, "val": val } })
}

/// Creates an ACTIVE account, and returns its id.
async fn account(port: &Port, config: &str, scheme: &str, val: Value) -> String {
    let mut connection = state(scheme, val);
    connection["user_id"] = json!("bea");
    let request = json!({ "auth_config": { "id": config }, "connection": connection });
    let created = expect(ask(port, "POST", "/connected_accounts", request).await, 201);
    assert_eq!(created["status"], "ACTIVE");
    text(&created["id"])
}

async fn val(port: &Port, account: &str) -> Value {
    read(port, &format!("/connected_accounts/{account}")).await["state"]["val"].clone()
}

#[tokio::test]
async fn an_account_that_is_moved_leaves_its_secrets_behind() {
    let (upstream, other) = (Upstream::pleasant().await, Upstream::pleasant().await);
    let mut options = options(&upstream);
    options.toolkits.push(fixed(&upstream));
    options.allow_private_hosts.push("fixed=127.0.0.1".to_owned());
    let port = Port::with(options).await;
    let config = config(&port, "fixed", "API_KEY", json!({})).await;
    let account = account(&port, &config, "API_KEY", json!({ "api_key": "canary", "region": "eu" })).await;
    let path = format!("/connected_accounts/{account}");
    let change = |val: Value| json!({ "connection": state("API_KEY", val) });

    let moved = json!({ "base_url": other.origin() });
    let refused = ask(&port, "PATCH", &path, change(moved)).await;
    assert_refused(&refused, 400, "InvalidRequest", "`val.api_key`");
    assert!(refused.body.contains("moves the account to another host"), "{refused:?}");
    assert_eq!(call_as(&port, &account).await.status, 200);
    assert!(other.requests().is_empty());
    assert_eq!(upstream.request().header("x-api-key"), Some("canary"));

    let moved = json!({ "base_url": other.origin(), "api_key": "another" });
    expect(ask(&port, "PATCH", &path, change(moved)).await, 200);
    assert_eq!(call_as(&port, &account).await.status, 200);
    assert_eq!(other.request().header("x-api-key"), Some("another"));
    assert_eq!(val(&port, &account).await["region"], Value::Null, "nor anything else");

    // A change within the origin, or of a field outside the addresses, needs no secret again.
    let stays = json!({ "base_url": format!("{}/v2", other.origin()), "region": "us" });
    expect(ask(&port, "PATCH", &path, change(stays)).await, 200);
    assert_eq!(call_as(&port, &account).await.status, 200);
    let last = other.requests().pop().unwrap();
    assert_eq!((last.target.as_str(), last.header("x-api-key")), ("/v2/x", Some("another")));
    // And back.
    let back = ask(&port, "PATCH", &path, change(json!({ "base_url": null }))).await;
    assert_refused(&back, 400, "InvalidRequest", "`val.api_key`");
}

#[tokio::test]
async fn a_form_does_not_carry_over_an_optional_secret() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let config = config(&port, "tenants", "BASIC", json!({})).await;
    let given = json!({ "subdomain": "a", "username": "ann", "password": "canary" });
    let account = account(&port, &config, "BASIC", given).await;
    let mut browser = Browser::new(&port);
    for (subdomain, password) in [("a", json!("REDACTED")), ("b", Value::Null)] {
        let token = again(&port, &account).await;
        let page = browser.submit(&token, &[("subdomain", subdomain), ("username", "eve")]).await;
        assert_page(&page, 200, "is connected");
        assert_eq!(val(&port, &account).await["password"], password, "{subdomain}");
    }
}

#[tokio::test]
async fn a_reconnect_without_consent_changes_nothing() {
    let upstream = Upstream::always(json_answer(r#"{"access_token":"of-b"}"#)).await;
    let port = port(&upstream).await;
    let config = config(&port, "tenants", "OAUTH2", json!({})).await;
    let given = json!({ "subdomain": "a", "access_token": "of-a", "refresh_token": "of-a" });
    let account = account(&port, &config, "OAUTH2", given).await;
    let before = val(&port, &account).await;
    let mut browser = Browser::new(&port);
    let page = browser.submit(&again(&port, &account).await, &[("subdomain", "b")]).await;
    let provider = refresh_of(&page);
    assert_eq!(provider.host_str(), Some("b.provider.example"));
    assert_eq!(val(&port, &account).await, before);
    assert_eq!(status(&port, &account).await.0, "ACTIVE");

    let query: BTreeMap<_, _> = provider.query_pairs().into_owned().collect();
    let page = browser.come_back(&[("code", "c"), ("state", &query["state"])]).await;
    assert_page(&page, 200, "is connected");
    let after = val(&port, &account).await;
    assert_eq!((&after["subdomain"], &after["refresh_token"]), (&json!("b"), &Value::Null));
}

#[tokio::test]
async fn an_operators_client_is_sent_to_the_host_of_its_auth_config_only() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let lacking = config(&port, "canvas", "OAUTH2", json!({})).await;
    let link_of = |config: &str, data: Value| json!({ "auth_config_id": config, "user_id": "bea", "connection_data": data });
    for data in [json!({}), json!({ "domain": "evil.example" })] {
        let refused = ask(&port, "POST", "/connected_accounts/link", link_of(&lacking, data)).await;
        assert_refused(&refused, 400, "InvalidRequest", "no `domain`");
        assert!(refused.body.contains("in its `credentials`"), "{refused:?}");
    }
    let tokens = |domain: &str| json!({ "domain": domain, "access_token": "t", "refresh_token": "r" });
    let create = |config: &str, val: Value| {
        let mut connection = state("OAUTH2", val);
        connection["user_id"] = json!("bea");
        json!({ "auth_config": { "id": config }, "connection": connection })
    };
    let refused = ask(&port, "POST", "/connected_accounts", create(&lacking, tokens("evil.example"))).await;
    assert_refused(&refused, 400, "InvalidRequest", "no `domain`");

    let school = config(&port, "canvas", "OAUTH2", json!({ "domain": "school.example" })).await;
    for (path, request) in [
        ("/connected_accounts", create(&school, tokens("evil.example"))),
        ("/connected_accounts/link", link_of(&school, json!({ "domain": "evil.example" }))),
    ] {
        assert_refused(&ask(&port, "POST", path, request).await, 400, "InvalidRequest", "`val.domain`");
    }
    let request = json!({ "toolkit": "canvas" });
    let (token, account) = link(&port, request).await;
    let mut browser = Browser::new(&port);
    assert!(!browser.open(&token).await.body.contains(r#"name="domain""#), "the page does not ask for it");
    let page = browser.submit(&token, &[("domain", "evil.example")]).await;
    assert_eq!(refresh_of(&page).host_str(), Some("school.example"));
    assert_eq!(val(&port, &account).await["domain"], "school.example");

    // The field may be left out, and cannot be changed for one account.
    let made = create(&school, json!({ "access_token": "t", "refresh_token": "r" }));
    let made = text(&expect(ask(&port, "POST", "/connected_accounts", made).await, 201)["id"]);
    assert_eq!(val(&port, &made).await["domain"], "school.example");
    let change = json!({ "connection": state("OAUTH2", tokens("evil.example")) });
    let refused = ask(&port, "PATCH", &format!("/connected_accounts/{made}"), change).await;
    assert_refused(&refused, 400, "InvalidRequest", "`val.domain`");

    let toolkit = read(&port, "/toolkits/canvas").await;
    let details = toolkit["auth_config_details"].as_array().unwrap();
    let oauth = details.iter().find(|details| details["mode"] == "OAUTH2").unwrap();
    let names = |step: &str| oauth["fields"][step]["required"].to_string();
    assert!(names("auth_config_creation").contains(r#""domain""#), "{oauth}");
    assert!(!names("connected_account_initiation").contains(r#""domain""#), "{oauth}");
}

#[tokio::test]
async fn a_client_is_not_sent_to_another_host() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let school = config(&port, "canvas", "OAUTH2", json!({ "domain": "school.example" })).await;
    for (given, left) in [
        (json!({ "scopes": "a" }), vec!["client_id", "client_secret", "domain", "scopes"]),
        (json!({ "scopes": null, "domain": "school.example" }), vec!["client_id", "client_secret", "domain"]),
        (json!({ "domain": "evil.example", "scopes": null }), vec!["domain"]),
    ] {
        let change = json!({ "type": "custom", "credentials": given });
        let changed = expect(ask(&port, "PATCH", &format!("/auth_configs/{school}"), change).await, 200);
        let names: Vec<_> = changed["credentials"].as_object().unwrap().keys().collect();
        assert_eq!(names, left, "{given}");
    }
}

#[tokio::test]
async fn a_page_names_the_host_if_each_account_has_its_own() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    for scheme in ["API_KEY", "OAUTH2"] {
        let config = config(&port, "fixed", scheme, json!({})).await;
        for (data, says) in [
            (json!({}), None),
            (json!({ "base_url": "https://evil.example/x" }), Some("<strong>evil.example</strong>")),
        ] {
            let request = json!({ "auth_config_id": config, "user_id": "bea", "connection_data": data });
            let link = expect(ask(&port, "POST", "/connected_accounts/link", request).await, 201);
            let page = Browser::new(&port).open(&text(&link["link_token"])).await;
            assert_page(&page, 200, says.unwrap_or("Connect Fixed"));
            assert_eq!(page.body.contains("<strong>"), says.is_some(), "{scheme}: {}", page.body);
        }
    }
}

#[tokio::test]
async fn a_concurrent_consent_does_not_undo_a_revocation() {
    let go_on = Arc::new(Notify::new());
    let granted = answer(200, &[], r#"{"access_token":"t"}"#);
    let upstream = Upstream::always(Step::SendWhen(Arc::clone(&go_on), granted)).await;
    let port = port(&upstream).await;
    let config = config(&port, "fixed", "OAUTH2", json!({})).await;
    let given = json!({ "access_token": "old", "refresh_token": "old" });
    let account = account(&port, &config, "OAUTH2", given).await;
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&again(&port, &account).await).await;
    let coming_back =
        tokio::spawn(async move { browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await });
    upstream.has_seen(|seen| seen.requests.len() == 1).await;
    let revoked = ask(&port, "POST", &format!("/connected_accounts/{account}/revoke"), json!({})).await;
    assert_eq!(expect(revoked, 200)["status"], "REVOKED");
    go_on.notify_one();
    assert_page(&soon(coming_back).await.unwrap(), 410, "was already used");
    assert_eq!(status(&port, &account).await.0, "REVOKED");
    assert_eq!(val(&port, &account).await.get("refresh_token"), None);
}

#[tokio::test]
async fn a_concurrent_consent_does_not_overwrite_a_rotated_token() {
    let go_on = Arc::new(Notify::new());
    let rotated = answer(200, &[], r#"{"access_token":"a2","refresh_token":"r2"}"#);
    let upstream = Upstream::with({
        let go_on = Arc::clone(&go_on);
        move |request| match request.contains("refresh_token=r1") {
            true => Step::SendWhen(Arc::clone(&go_on), rotated.clone()),
            // Without a new refresh token, the old one stays.
            false => json_answer(r#"{"access_token":"a3"}"#),
        }
    })
    .await;
    let port = Arc::new(port(&upstream).await);
    let config = config(&port, "fixed", "OAUTH2", json!({})).await;
    let given = json!({ "access_token": "a1", "refresh_token": "r1" });
    let account = account(&port, &config, "OAUTH2", given).await;
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&again(&port, &account).await).await;
    let path = format!("/connected_accounts/{account}/refresh");
    let refreshing = tokio::spawn({
        let (port, path) = (Arc::clone(&port), path.clone());
        async move { ask(&port, "POST", &path, json!({})).await }
    });
    upstream.has_seen(|seen| seen.requests.len() == 1).await;
    let coming_back =
        tokio::spawn(async move { browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await });
    upstream.has_seen(|seen| seen.requests.len() == 2).await;
    go_on.notify_one();
    expect(soon(refreshing).await.unwrap(), 200);
    assert_page(&soon(coming_back).await.unwrap(), 200, "is connected");

    expect(ask(&port, "POST", &path, json!({})).await, 200);
    let body = upstream.requests().pop().unwrap().body;
    let form: Vec<_> = form_urlencoded::parse(&body).into_owned().collect();
    assert!(form.contains(&("refresh_token".to_owned(), "r2".to_owned())), "{form:?}");
}
