//! The callback with which a provider sends a browser back: its issuer, its transport, and the account's
//! fields in it. A code reaches only the authorization server that issued it.

use std::collections::BTreeMap;

use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::Backend;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::connect::{Browser, again, assert_page, link, refresh_of, status};
use crate::port::{Port, assert_refused};
use crate::resources::{ask, call_as, expect, read, text};
use crate::support::{HttpAnswer, Upstream, deadline, json_answer, options, soon};

/// An upstream that registers every client, and issues tokens for every code.
async fn provider() -> Upstream {
    Upstream::with(|request| match request.target.as_str() {
        "/register" => json_answer(r#"{"client_id":"registered"}"#),
        "/token" => json_answer(r#"{"access_token":"the-token","refresh_token":"r","expires_in":3600}"#),
        _ => json_answer("{}"),
    })
    .await
}

/// A toolkit whose authorization server is the upstream, with these keys over the usual ones.
fn toolkit(upstream: &Upstream, slug: &str, scheme: &str, server: Value) -> Value {
    let mut keys = json!({
        "authorize_url": "https://provider.example/authorize",
        "token_url": format!("{}/token", upstream.origin()),
    });
    keys.as_object_mut().unwrap().extend(server.as_object().unwrap().clone());
    json!({
        "slug": slug, "name": "Acme", "base_url": format!("{}/api", upstream.origin()),
        "fields": {
            "subdomain": { "description": "Your subdomain" },
            "host": { "description": "Your host" },
            "realm": { "description": "Your company" },
            "server": { "description": "Your region", "default": "unused.example",
                "values": ["unused.example", "127.0.0.1", "*.accounts.example"] },
        },
        "schemes": { scheme: {
            "headers": { "Authorization": "Bearer {{access_token}}" }, "authorization_server": keys,
        } },
    })
}

async fn port(upstream: &Upstream, toolkits: impl IntoIterator<Item = Value>) -> Port {
    Port::with(with_toolkits(upstream, toolkits)).await
}

fn with_toolkits(upstream: &Upstream, toolkits: impl IntoIterator<Item = Value>) -> GatewayOptions {
    let mut options = options(upstream);
    options.allow_private_hosts.push("localhost".to_owned());
    options.toolkits.extend(toolkits.into_iter().map(ToolkitSource::Definition));
    options
}

/// Creates an auth config with a client and these credentials.
async fn config(port: &Port, toolkit: &str, scheme: &str, more: Value) -> String {
    let mut credentials = json!({ "client_id": "c", "client_secret": "canary-client" });
    credentials.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = json!({ "type": "use_custom_auth", "authScheme": scheme, "credentials": credentials });
    let request = json!({ "toolkit": { "slug": toolkit }, "auth_config": config });
    text(&expect(ask(port, "POST", "/auth_configs", request).await, 201)["auth_config"]["id"])
}

/// A browser that was sent to the provider, the parameters of that request, and the account.
async fn sent_on(
    port: &Port,
    toolkit: &str,
    fields: &[(&str, &str)],
) -> (Browser, BTreeMap<String, String>, String) {
    let (token, account) = link(port, json!({ "toolkit": toolkit })).await;
    let mut browser = Browser::new(port);
    let url = refresh_of(&browser.submit(&token, fields).await);
    (browser, url.query_pairs().into_owned().collect(), account)
}

/// The codes that were sent to the upstream.
fn codes(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.requests();
    let forms = requests.iter().filter(|request| request.target == "/token");
    let code = |body: &[u8]| {
        form_urlencoded::parse(body).find(|(name, _)| name == "code").map(|(_, code)| code.into())
    };
    forms.filter_map(|request| code(&request.body)).collect()
}

/// Asserts that the account failed with this reason, and that the token endpoint got no request.
async fn assert_failed(port: &Port, account: &str, page: &HttpAnswer, on_page: (u16, &str), says: &str) {
    assert_page(page, on_page.0, on_page.1);
    let (status, reason) = status(port, account).await;
    let reason = reason.unwrap_or_default();
    assert!(status == "FAILED" && reason.contains(says), "it should say {says:?}: {status} {reason}");
    assert!(!reason.contains("canary") && !page.body.contains("canary"), "{reason}");
}

const ELSEWHERE: (u16, &str) = (400, "another site than the one you were sent to");

#[tokio::test]
async fn a_callback_of_another_issuer_is_refused() {
    let issuer = "https://provider.example/tenant";
    for (required, iss, refused) in [
        (false, Some(issuer), None),
        (true, Some(issuer), None),
        (false, None, None),
        (true, None, Some("names no issuer")),
        (false, Some("https://evil.example"), Some("the issuer `https://evil.example`")),
        (true, Some("https://evil.example"), Some("the issuer `https://evil.example`")),
        (false, Some(""), Some("the issuer ``")),
        // Compared as text.
        (false, Some("https://provider.example/tenant/"), Some("names the issuer")),
        (false, Some("https://PROVIDER.example/tenant"), Some("names the issuer")),
        (false, Some("https://provider.example:443/tenant"), Some("names the issuer")),
        (false, Some("https://provider.example/%74enant"), Some("names the issuer")),
        (false, Some("https://provider.example"), Some("names the issuer")),
        (false, Some(" https://provider.example/tenant"), Some("names the issuer")),
        (false, Some("https://provider.example/tenant?"), Some("names the issuer")),
        (false, Some("https://provider.example/tenant\u{200b}"), Some("names the issuer")),
        (false, Some("null"), Some("names the issuer")),
    ] {
        let upstream = provider().await;
        let keys = json!({ "issuer": issuer, "authorization_response_iss_parameter_supported": required });
        let port = port(&upstream, [toolkit(&upstream, "acme", "OAUTH2", keys)]).await;
        config(&port, "acme", "OAUTH2", json!({})).await;
        for answer in
            [[("code", "canary"), ("x", "")], [("error", "access_denied"), ("error_description", "canary")]]
        {
            let (mut browser, asked, account) = sent_on(&port, "acme", &[]).await;
            let waiting = tokio::spawn({
                let (gateway, account) = (port.caller.gateway.clone(), account.clone());
                async move { gateway.connected_account(&account, deadline()).await }
            });
            let mut query = answer.to_vec();
            query.push(("state", &asked["state"]));
            query.extend(iss.map(|iss| ("iss", iss)));
            let page = browser.come_back(&query).await;
            let is_code = answer[0].0 == "code";
            match refused {
                Some(says) => assert_failed(&port, &account, &page, ELSEWHERE, says).await,
                None if is_code => assert_page(&page, 200, "is connected"),
                None => assert_page(&page, 200, "You did not allow it"),
            }
            let waited: Value = serde_json::from_str(&soon(waiting).await.unwrap().unwrap()).unwrap();
            let expected = if refused.is_none() && is_code { "ACTIVE" } else { "FAILED" };
            assert_eq!(waited["status"], expected);
            // The state is used up.
            assert_page(&browser.come_back(&query).await, 400, "This step is over");
        }
        assert_eq!(codes(&upstream).len(), usize::from(refused.is_none()), "{iss:?}");
    }
}

#[tokio::test]
async fn an_issuer_may_have_fields_of_the_account_in_it() {
    let upstream = provider().await;
    let keys = json!({ "issuer": "https://{{subdomain}}.provider.example",
        "authorize_url": "https://{{subdomain}}.provider.example/authorize" });
    let port = port(&upstream, [toolkit(&upstream, "acme", "OAUTH2", keys)]).await;
    config(&port, "acme", "OAUTH2", json!({})).await;
    for (iss, page) in
        [("https://b.provider.example", ELSEWHERE), ("https://a.provider.example", (200, "is connected"))]
    {
        let (mut browser, asked, _) = sent_on(&port, "acme", &[("subdomain", "a")]).await;
        let query = [("code", "c"), ("state", asked["state"].as_str()), ("iss", iss)];
        assert_page(&browser.come_back(&query).await, page.0, page.1);
    }
}

/// The attack of RFC 9700 §4.4.1: a user begins at the attacker's server. It redirects the browser to an
/// honest server with the state of its own flow, to get the code that comes back.
#[tokio::test]
async fn a_server_that_was_chosen_for_an_account_does_not_get_codes_of_others() {
    let (honest, evil) = (provider().await, provider().await);
    let port_of_evil = evil.authority().rsplit(':').next().unwrap();
    let open = format!("http://{{{{host}}}}:{port_of_evil}");
    let of_localhost = format!("localhost:{port_of_evil}");
    for (scheme, keys, fields, own) in [
        // Registered for the account.
        (
            "DCR_OAUTH",
            json!({ "registration_url": format!("{}/register", evil.origin()) }),
            vec![],
            evil.authority(),
        ),
        (
            "DCR_OAUTH",
            json!({ "registration_url": format!("{open}/register"), "token_url": format!("{open}/token") }),
            vec![("host", "localhost")],
            &of_localhost,
        ),
        // The client belongs to the auth config, and the consent page to the account.
        (
            "OAUTH2",
            json!({ "authorize_url": "https://{{host}}/authorize" }),
            vec![("host", "evil.example")],
            evil.authority(),
        ),
        (
            "OAUTH2",
            json!({ "authorize_url": "https://{{subdomain}}.provider.example/authorize" }),
            vec![("subdomain", "evil")],
            evil.authority(),
        ),
        // All hosts belong to the provider, and one client is registered for them.
        (
            "OAUTH2",
            json!({ "authorize_url": "https://{{subdomain}}.acme.example/authorize",
            "token_url": "https://{{subdomain}}.acme.example/token" }),
            vec![("subdomain", "a")],
            "acme.example",
        ),
    ] {
        let (attacked, attacker) =
            (toolkit(&honest, "honest", "OAUTH2", json!({})), toolkit(&evil, "chosen", scheme, keys.clone()));
        let mut options = with_toolkits(&evil, [attacked, attacker]);
        options.allow_private_hosts.push("chosen=localhost".to_owned());
        let port = Port::with(options).await;
        config(&port, "honest", "OAUTH2", json!({})).await;
        if scheme == "OAUTH2" {
            config(&port, "chosen", scheme, json!({})).await;
        }
        let shared = format!("http://{}/connect/callback", port.address);
        let (_, asked, _) = sent_on(&port, "honest", &[]).await;
        assert_eq!(asked["redirect_uri"], shared);
        let (mut browser, asked, account) = sent_on(&port, "chosen", &fields).await;
        assert_eq!(asked["redirect_uri"], format!("{shared}/{own}"), "{keys}");
        let before = codes(&evil).len();
        // The honest server redirects to the address of its own client's registration only.
        for path in ["/connect/callback", "/connect/callback/honest.example"] {
            browser.callback = path.to_owned();
            let page = browser.come_back(&[("code", "canary"), ("state", &asked["state"])]).await;
            if path == "/connect/callback" {
                assert_failed(&port, &account, &page, ELSEWHERE, "at the address of another server").await;
            } else {
                assert_page(&page, 400, "This step is over");
            }
        }
        assert_eq!(codes(&evil).len(), before, "{keys}");
    }
    assert_eq!(codes(&honest).len(), 0);
}

#[tokio::test]
async fn a_server_that_always_names_its_issuer_may_share_the_address() {
    let upstream = provider().await;
    let keys = json!({
        "authorize_url": "https://{{subdomain}}.provider.example/authorize",
        "issuer": "https://{{subdomain}}.provider.example",
        "authorization_response_iss_parameter_supported": true,
    });
    let port = port(&upstream, [toolkit(&upstream, "acme", "OAUTH2", keys)]).await;
    config(&port, "acme", "OAUTH2", json!({})).await;
    let (mut browser, asked, account) = sent_on(&port, "acme", &[("subdomain", "a")]).await;
    assert_eq!(asked["redirect_uri"], format!("http://{}/connect/callback", port.address));
    let page = browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
    assert_failed(&port, &account, &page, ELSEWHERE, "names no issuer").await;
    assert!(codes(&upstream).is_empty());
}

#[tokio::test]
async fn an_operator_may_give_every_server_its_own_address() {
    let upstream = provider().await;
    let mut options = with_toolkits(&upstream, [toolkit(&upstream, "acme", "OAUTH2", json!({}))]);
    options.own_callback_paths = true;
    let port = Port::with(options).await;
    let shared = format!("http://{}/connect/callback", port.address);
    let own = format!("{shared}/{}", upstream.authority());
    let (_, details) = details(&port, "acme").await;
    assert_eq!(details["redirect_uri"], own);
    // A client that was registered before keeps the address that its auth config names.
    for (more, expected) in [
        (json!({}), own.clone()),
        (json!({ "oauth_redirect_uri": shared }), shared.clone()),
        (
            json!({ "oauth_redirect_uri": "https://front.example/done" }),
            "https://front.example/done".to_owned(),
        ),
    ] {
        config(&port, "acme", "OAUTH2", more).await;
        let (mut browser, asked, account) = sent_on(&port, "acme", &[]).await;
        assert_eq!(asked["redirect_uri"], expected);
        if expected.starts_with("https://front.example") {
            browser.callback = "/connect/callback".to_owned();
        }
        let page = browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
        assert_page(&page, 200, "is connected");
        assert_eq!(status(&port, &account).await.0, "ACTIVE");
        let sent = upstream.requests().pop().unwrap();
        assert!(
            form_urlencoded::parse(&sent.body)
                .any(|pair| pair == ("redirect_uri".into(), expected.as_str().into()))
        );
    }
}

/// The scheme of a toolkit as it is described.
async fn details(port: &Port, toolkit: &str) -> (Value, Value) {
    let toolkit = read(port, &format!("/toolkits/{toolkit}")).await;
    let details = toolkit["auth_config_details"].as_array().unwrap();
    let of = details.iter().find(|of| of["mode"] == "OAUTH2").cloned().unwrap_or_default();
    (toolkit.clone(), of)
}

#[tokio::test]
async fn a_shared_address_is_refused_for_a_server_that_an_account_chose() {
    let upstream = provider().await;
    let keys = json!({ "authorize_url": "https://{{subdomain}}.provider.example/authorize" });
    let port = port(&upstream, [toolkit(&upstream, "acme", "OAUTH2", keys)]).await;
    let shared = format!("http://{}/connect/callback", port.address);
    let own = format!("{shared}/{}", upstream.authority());
    assert_eq!(details(&port, "acme").await.1["redirect_uri"], own);
    let path = format!("/tool_router/session/{}/link", port.caller.session);
    for uri in [shared.clone(), format!("{shared}?x=1"), format!("{shared}/other.example")] {
        config(&port, "acme", "OAUTH2", json!({ "oauth_redirect_uri": uri })).await;
        let refused = ask(&port, "POST", &path, json!({ "toolkit": "acme" })).await;
        assert_refused(&refused, 400, "InvalidRequest", "`oauth_redirect_uri`");
        assert!(text(&refused.json()["error"]["suggested_fix"]).contains(&own), "{refused:?}");
    }
    // A redirect URI on another host must lead to the server's own path.
    config(&port, "acme", "OAUTH2", json!({ "oauth_redirect_uri": "https://front.example/done" })).await;
    for (arrives, page) in [("/connect/callback", ELSEWHERE), ("own", (200, "is connected"))] {
        let (mut browser, asked, _) = sent_on(&port, "acme", &[("subdomain", "a")]).await;
        browser.callback =
            if arrives == "own" { Url::parse(&own).unwrap().path().to_owned() } else { arrives.to_owned() };
        let shown = browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
        assert_page(&shown, page.0, page.1);
    }
}

#[tokio::test]
async fn a_client_is_registered_again_for_another_address() {
    let upstream = provider().await;
    let keys = json!({ "registration_url": format!("{}/register", upstream.origin()) });
    let port = port(&upstream, [toolkit(&upstream, "acme", "DCR_OAUTH", keys)]).await;
    // The client was registered with another address, or before the server had its own address.
    let val = json!({ "access_token": "t", "client_id": "older", "refresh_token": "r" });
    let credential = json!({ "authScheme": "DCR_OAUTH", "val": val });
    let account = crate::support::import(&port.caller.gateway, "bea", "acme", credential).await.id;
    for _ in 0..2 {
        let token = again(&port, &account).await;
        let mut browser = Browser::new(&port);
        let url = refresh_of(&browser.submit(&token, &[]).await);
        let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["client_id"], "registered");
        assert_page(
            &browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await,
            200,
            "is connected",
        );
    }
    let registrations = upstream.requests().iter().filter(|request| request.target == "/register").count();
    assert_eq!(registrations, 1);
}

#[tokio::test]
async fn a_posted_callback_is_redirected_so_that_the_cookie_is_sent() {
    let upstream = provider().await;
    let keys = json!({ "authorize_parameters": { "response_mode": "form_post" },
        "registration_url": format!("{}/register", upstream.origin()) });
    let port = port(&upstream, [toolkit(&upstream, "acme", "DCR_OAUTH", keys)]).await;
    let (mut browser, asked, account) = sent_on(&port, "acme", &[]).await;
    assert_eq!(asked["response_mode"], "form_post");
    let form = format!("code=a%2Fb+c%0Ad&state={}", asked["state"]);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
    let path = browser.callback.clone();
    let post = async |path: &str, form: &str| Browser::new(&port).send("POST", path, &headers, form).await;
    let page = post(&path, &form).await;
    assert_page(&page, 303, "One moment");
    assert!(page.header("set-cookie").is_none() && !page.body.contains(&asked["state"]), "{page:?}");
    let location = page.header("location").unwrap().to_owned();
    assert!(location.starts_with('?') && location.is_ascii(), "{location}");
    assert_eq!(status(&port, &account).await.0, "INITIATED");
    assert!(codes(&upstream).is_empty());

    assert_page(&browser.send("GET", &format!("{path}{location}"), &[], "").await, 200, "is connected");
    assert_eq!(codes(&upstream), ["a/b c\nd"]);

    // The fields of a form become one header, which has a limit.
    let page = post("/connect/callback", "a=%0d%0aset-cookie:%20x&\u{e4}=\u{1f600}&=%ff").await;
    assert_page(&page, 303, "One moment");
    assert!(page.header("set-cookie").is_none(), "{page:?}");
    let page = post("/connect/callback", &format!("code={}", "a".repeat(16 * 1024))).await;
    assert_page(&page, 413, "This does not work right now");
    // Encoded again, the form would be longer than it was.
    let page = post("/connect/callback", &"\u{e4}".repeat(4 * 1024)).await;
    assert_page(&page, 413, "This does not work right now");
    let long = format!("/connect/callback?code={}", "a".repeat(16 * 1024));
    assert_page(&browser.send("GET", &long, &[], "").await, 413, "This does not work right now");
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let upstream = provider().await;
    let keys = json!({ "issuer": "https://a.example", "callback_fields": { "realm": "realmId" } });
    let port = port(&upstream, [toolkit(&upstream, "acme", "OAUTH2", keys)]).await;
    config(&port, "acme", "OAUTH2", json!({})).await;
    for (query, says) in [
        ("code=a&code=b", "`code` twice"),
        ("code=a&iss=https%3A%2F%2Fa.example&iss=https%3A%2F%2Fa.example", "`iss` twice"),
        ("code=a&error=x&error=", "`error` twice"),
        ("code=a&realmId=1&realmId=2", "`realmId` twice"),
    ] {
        let (mut browser, asked, account) = sent_on(&port, "acme", &[]).await;
        let state = &asked["state"];
        let page = browser
            .send("GET", &format!("/connect/callback?state={state}&{query}&state={state}"), &[], "")
            .await;
        assert_page(&page, 400, "This step is over");
        assert_eq!(status(&port, &account).await.0, "INITIATED");
        let page = browser.send("GET", &format!("/connect/callback?state={state}&{query}"), &[], "").await;
        assert_failed(&port, &account, &page, (502, "was not connected"), says).await;
    }
    assert!(codes(&upstream).is_empty());
    // A parameter that the gateway does not read may be repeated.
    let (mut browser, asked, _) = sent_on(&port, "acme", &[]).await;
    let query = [("x", "1"), ("x", "2"), ("code", "c"), ("state", &asked["state"])];
    assert_page(&browser.come_back(&query).await, 200, "is connected");
}

#[tokio::test]
async fn an_account_stores_fields_of_its_callback() {
    let upstream = provider().await;
    let mut realms =
        toolkit(&upstream, "realms", "OAUTH2", json!({ "callback_fields": { "realm": "realmId" } }));
    realms["base_url"] = json!(format!("{}/v3/company/{{{{realm}}}}", upstream.origin()));
    let port_of = upstream.authority().rsplit(':').next().unwrap();
    let regions = toolkit(
        &upstream,
        "regions",
        "OAUTH2",
        json!({
            "token_url": format!("http://{{{{server}}}}:{port_of}/token"),
            "callback_fields": { "server": "accounts-server" },
        }),
    );
    let shops = toolkit(
        &upstream,
        "shops",
        "OAUTH2",
        json!({
            "authorize_url": "https://{{subdomain}}.myshop.example/authorize",
            "callback_fields": { "subdomain": { "parameter": "shop", "ending": ".myshop.example" } },
        }),
    );
    let port = port(&upstream, [realms, regions, shops]).await;
    for toolkit in ["realms", "regions", "shops"] {
        config(&port, toolkit, "OAUTH2", json!({})).await;
    }
    let failed = (502, "was not connected");
    let long = "1".repeat(1025);
    for (toolkit, fields, told, refused) in [
        ("realms", vec![], vec![("realmId", "9130347")], None),
        ("realms", vec![], vec![("realmId", "a.b")], None),
        ("realms", vec![], vec![], Some("`val.realm`")),
        ("realms", vec![], vec![("realmid", "9130347")], Some("`val.realm`")),
        ("realms", vec![], vec![("realmId", "\u{202e}1")], Some("`val.realm`")),
        ("realms", vec![], vec![("realmId", "")], Some("`realmId` of the callback")),
        ("realms", vec![], vec![("realmId", "1/../2")], Some("`val.realm`")),
        ("realms", vec![], vec![("realmId", "..")], Some("`val.realm`")),
        ("realms", vec![], vec![("realmId", "1\u{7}")], Some("`realmId` of the callback")),
        ("realms", vec![], vec![("realmId", &long)], Some("`realmId` of the callback")),
        ("regions", vec![], vec![("accounts-server", "127.0.0.1")], None),
        ("regions", vec![], vec![("accounts-server", "https://127.0.0.1")], None),
        ("regions", vec![], vec![("accounts-server", "https://127.0.0.1/")], None),
        ("regions", vec![], vec![("accounts-server", "localhost")], Some("`values`")),
        ("regions", vec![], vec![("accounts-server", "https://evil.example")], Some("`values`")),
        ("regions", vec![], vec![("accounts-server", "127.0.0.1.evil.example")], Some("`values`")),
        ("regions", vec![], vec![("accounts-server", "https://127.0.0.1/token?x=")], Some("`values`")),
        ("regions", vec![], vec![("accounts-server", "http://127.0.0.1")], Some("`values`")),
        ("regions", vec![], vec![("accounts-server", "https://x@127.0.0.1")], Some("`values`")),
        ("regions", vec![], vec![("accounts-server", "https://127.0.0.1:1")], Some("`values`")),
        ("shops", vec![("subdomain", "acme")], vec![("shop", "acme.myshop.example")], None),
        ("shops", vec![("subdomain", "Acme")], vec![("shop", "https://acme.myshop.example/")], None),
        ("shops", vec![("subdomain", "acme")], vec![], None),
        (
            "shops",
            vec![("subdomain", "acme")],
            vec![("shop", "evil.myshop.example")],
            Some("another `subdomain`"),
        ),
        (
            "shops",
            vec![("subdomain", "acme")],
            vec![("shop", "acme.evil.example")],
            Some("`shop` of the callback"),
        ),
        (
            "shops",
            vec![("subdomain", "acme")],
            vec![("shop", ".myshop.example")],
            Some("`shop` of the callback"),
        ),
        (
            "shops",
            vec![("subdomain", "acme")],
            vec![("shop", "acme.myshop.example.evil.example")],
            Some("`shop` of the callback"),
        ),
        ("shops", vec![("subdomain", "acme")], vec![("shop", "ACME.MYSHOP.EXAMPLE")], None),
    ] {
        let before = codes(&upstream).len();
        let (mut browser, asked, account) = sent_on(&port, toolkit, &fields).await;
        let query = [&told[..], &[("code", "c"), ("state", &asked["state"])]].concat();
        let page = browser.come_back(&query).await;
        if let Some(says) = refused {
            assert_failed(&port, &account, &page, failed, says).await;
            // Only a failure that the exchange itself detects has used up the code.
            assert!(says == "`val.realm`" || codes(&upstream).len() == before, "{told:?}");
            continue;
        }
        assert_page(&page, 200, "is connected");
        assert_eq!(codes(&upstream).len(), before + 1, "{told:?}");
        assert_eq!(call_as(&port, &account).await.status, 200);
        let called = upstream.requests().pop().unwrap().target;
        let expected =
            if toolkit == "realms" { format!("/v3/company/{}/x", told[0].1) } else { "/api/x".to_owned() };
        assert_eq!(called, expected);
    }
    // The page does not ask for fields of the callback. It asks for the fields of the authorize URL.
    for (toolkit, is_asked) in [("realms", false), ("regions", false), ("shops", true)] {
        let (_, details) = details(&port, toolkit).await;
        let asked = details["fields"]["connected_account_initiation"].to_string();
        assert_eq!(asked.contains(r#""name":"#), is_asked, "{toolkit}: {asked}");
    }
}

#[tokio::test]
async fn a_callback_does_not_change_a_field_of_the_auth_config() {
    let upstream = provider().await;
    let toolkit =
        toolkit(&upstream, "realms", "OAUTH2", json!({ "callback_fields": { "realm": "realmId" } }));
    let port = port(&upstream, [toolkit]).await;
    config(&port, "realms", "OAUTH2", json!({ "realm": "1" })).await;
    for (realm, page) in [("2", (502, "another `realm`")), ("1", (200, "is connected"))] {
        let (mut browser, asked, _) = sent_on(&port, "realms", &[]).await;
        let query = [("realmId", realm), ("code", "c"), ("state", &asked["state"])];
        assert_page(&browser.come_back(&query).await, page.0, page.1);
    }
    // A reconnect replaces the field from the last callback.
    let (mut browser, asked, account) = sent_on(&port, "realms", &[]).await;
    let query = [("code", "c"), ("state", asked["state"].as_str())];
    assert_page(&browser.come_back(&query).await, 200, "is connected");
    assert_eq!(status(&port, &account).await.0, "ACTIVE");
}
