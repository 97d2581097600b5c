//! Links, from their creation to a connected account: the rules of the flow and of its pages, with a browser
//! made of raw HTTP. `__test__/connect.test.ts` tests them in a real browser.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{Backend, Deadline, ErrorKind, ResourceRequest, read_json};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use url::{Url, form_urlencoded};

use crate::port::{Port, assert_refused};
use crate::resources::{ask, expect, read, text};
use crate::support::{
    Caller, HttpAnswer, Step, Upstream, answer, assert_error, deadline, get, http, import, json_answer,
    options, soon,
};

/// A toolkit whose provider's page is elsewhere, and whose token endpoint is the upstream.
fn oauth_toolkit(upstream: &Upstream) -> ToolkitSource {
    ToolkitSource::Definition(json!({
        "slug": "oauth", "name": "Acme <&\"'>", "base_url": format!("{}/api", upstream.origin()),
        "schemes": { "OAUTH2": {
            "headers": { "Authorization": "Bearer {{access_token}}" },
            "authorization_server": {
                "authorize_url": "https://provider.example/authorize",
                "token_url": format!("{}/token", upstream.origin()),
                "scopes": ["read", "<write>"],
                "scope_words": { "read": "See what you <have>" },
            },
        } },
    }))
}

/// A toolkit with a check for keys.
fn checked_toolkit(upstream: &Upstream) -> ToolkitSource {
    ToolkitSource::Definition(json!({
        "slug": "checked", "name": "Checked", "base_url": format!("{}/{{{{region}}}}", upstream.origin()),
        "check": "/me",
        "fields": { "region": { "description": "Where the account is", "example": "eu" } },
        "schemes": { "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } } },
    }))
}

pub(crate) fn with_toolkits(upstream: &Upstream) -> GatewayOptions {
    let mut options = options(upstream);
    options.toolkits.extend([oauth_toolkit(upstream), checked_toolkit(upstream)]);
    options
}

async fn port(upstream: &Upstream) -> Port {
    Port::with(with_toolkits(upstream)).await
}

/// An upstream that issues tokens for every code.
pub(crate) async fn granting() -> Upstream {
    Upstream::with(|request| match request.target.as_str() {
        "/token" => json_answer(r#"{"access_token":"the-token","refresh_token":"r","expires_in":3600}"#),
        _ => json_answer("{}"),
    })
    .await
}

pub(crate) async fn oauth_config(port: &Port) -> String {
    let config = json!({ "type": "use_custom_auth", "authScheme": "OAUTH2",
        "credentials": { "client_id": "the-client", "client_secret": "the-client-secret" } });
    let request = json!({ "toolkit": { "slug": "oauth" }, "auth_config": config });
    let made = expect(ask(port, "POST", "/auth_configs", request).await, 201);
    text(&made["auth_config"]["id"])
}

/// A link of the port's session: its token and the account.
pub(crate) async fn link(port: &Port, request: Value) -> (String, String) {
    let path = format!("/tool_router/session/{}/link", port.caller.session);
    let link = expect(ask(port, "POST", &path, request).await, 201);
    (text(&link["link_token"]), text(&link["connected_account_id"]))
}

/// A link to an existing account.
pub(crate) async fn again(port: &Port, account: &str) -> String {
    let path = format!("/connected_accounts/{account}/link");
    text(&expect(ask(port, "POST", &path, json!({})).await, 201)["link_token"])
}

pub(crate) async fn status(port: &Port, account: &str) -> (String, Option<String>) {
    let account = read(port, &format!("/connected_accounts/{account}")).await;
    (text(&account["status"]), account["status_reason"].as_str().map(str::to_owned))
}

/// A browser: it keeps the cookie, and sends the fields of forms.
pub(crate) struct Browser {
    pub(crate) address: SocketAddr,
    pub(crate) cookie: Option<String>,
    /// The path of the redirect URI that it was sent on with.
    pub(crate) callback: String,
}

impl Browser {
    pub(crate) fn new(port: &Port) -> Self {
        Self { address: port.address, cookie: None, callback: "/connect/callback".to_owned() }
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> HttpAnswer {
        let cookie = self.cookie.clone();
        let mut headers = headers.to_vec();
        headers.extend(cookie.as_deref().map(|cookie| ("cookie", cookie)));
        let answer = http(self.address, method, path, &headers, body).await;
        if let Some(cookie) = answer.header("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let onward =
            answer.header("refresh").and_then(|refresh| Url::parse(refresh.strip_prefix("0;url=")?).ok());
        let redirect_uri = onward.and_then(|url| {
            let uri = url.query_pairs().find(|(name, _)| name == "redirect_uri")?.1;
            Url::parse(&uri).ok()
        });
        if let Some(uri) = redirect_uri {
            uri.path().clone_into(&mut self.callback);
        }
        answer
    }

    pub(crate) async fn open(&mut self, token: &str) -> HttpAnswer {
        self.send("GET", &format!("/connect/{token}"), &[], "").await
    }

    /// Opens the page and sends its form with these fields.
    pub(crate) async fn submit(&mut self, token: &str, fields: &[(&str, &str)]) -> HttpAnswer {
        let page = self.open(token).await;
        assert_eq!(page.status, 200, "{page:?}");
        let proof = proof(&page.body);
        self.post(token, &[&[("proof", proof.as_str())], fields].concat(), &[]).await
    }

    pub(crate) async fn post(
        &mut self,
        token: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> HttpAnswer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
        self.send("POST", &format!("/connect/{token}"), &headers, &body).await
    }

    /// Continues to the provider, and returns the query of its URL.
    pub(crate) async fn go_to_provider(&mut self, token: &str) -> BTreeMap<String, String> {
        let page = self.submit(token, &[]).await;
        let url = refresh_of(&page);
        assert!(url.as_str().starts_with("https://provider.example/authorize?"), "{page:?}");
        url.query_pairs().into_owned().collect()
    }

    pub(crate) async fn come_back(&mut self, query: &[(&str, &str)]) -> HttpAnswer {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let path = format!("{}?{query}", self.callback);
        self.send("GET", &path, &[], "").await
    }
}

pub(crate) fn proof(page: &str) -> String {
    let at = page.find(r#"name="proof" value=""#).unwrap_or_else(|| panic!("no proof in {page}"));
    page[at..].split('"').nth(3).unwrap().to_owned()
}

#[track_caller]
pub(crate) fn refresh_of(page: &HttpAnswer) -> Url {
    let refresh = page.header("refresh").unwrap_or_else(|| panic!("it does not lead on: {page:?}"));
    refresh.strip_prefix("0;url=").unwrap().parse().unwrap()
}

#[track_caller]
pub(crate) fn assert_page(page: &HttpAnswer, status: u16, says: &str) {
    assert_eq!(page.status, status, "{page:?}");
    assert!(page.body.contains(says), "it should say {says:?}: {}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(page.header(name), Some(value), "{page:?}");
    }
    assert!(!page.body.contains("<script") && !page.body.contains("src="), "{}", page.body);
}

#[tokio::test]
async fn a_key_is_entered_on_the_page() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let request = json!({ "toolkit": "query", "callback_url": "https://app.example/done?tab=1" });
    let (token, account) = link(&port, request).await;
    let mut browser = Browser::new(&port);

    let page = browser.open(&token).await;
    assert_page(&page, 200, "Connect query");
    assert!(page.body.contains(r#"<label for="api_key">API key</label>"#), "{}", page.body);
    assert!(page.body.contains(r#"name="api_key" type="password" value="""#), "{}", page.body);
    assert!(page.body.contains("return to app.example"), "{}", page.body);
    let page = browser.submit(&token, &[("api_key", "  ")]).await;
    assert_page(&page, 422, "Please fill this in.");
    assert!(page.body.contains(r#"aria-describedby="api_key-problem""#), "{}", page.body);
    let page = browser.submit(&token, &[("api_key", "key\u{7}")]).await;
    assert_page(&page, 200, "query is connected");
    assert_eq!(
        refresh_of(&page).as_str(),
        format!("https://app.example/done?tab=1&status=success&connected_account_id={account}")
    );

    assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None));
    let call = format!("/tool_router/session/{}/proxy_execute", port.caller.session);
    expect(ask(&port, "POST", &call, get("query")).await, 200);
    assert!(upstream.request().target.contains("api_key=key%07"), "{}", upstream.request().target);

    for page in [browser.open(&token).await, Browser::new(&port).open(&token).await] {
        assert_page(&page, 410, "was already used");
    }
}

#[tokio::test]
async fn the_page_says_where_to_find_a_key() {
    let upstream = granting().await;
    let mut options = with_toolkits(&upstream);
    let setup = json!({ "page": "https://acme.example/keys?a=1&b=2", "steps": ["Open <Settings>.", "Create a key."] });
    options.toolkits.push(ToolkitSource::Definition(json!({
        "slug": "explained", "name": "Explained", "base_url": "https://api.acme.example",
        "schemes": { "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" }, "setup": setup } },
    })));
    let port = Port::with(options).await;
    let shown = read(&port, "/toolkits/explained").await;
    assert_eq!(shown["auth_config_details"][0]["setup"], setup);
    let (token, _) = link(&port, json!({ "toolkit": "explained" })).await;
    let page = Browser::new(&port).open(&token).await;
    assert_page(&page, 200, "Where to find it");
    for part in [
        "<li>Open &#60;Settings&#62;.</li>",
        "<li>Create a key.</li>",
        r#"href="https://acme.example/keys?a=1&#38;b=2" target="_blank" rel="noopener noreferrer""#,
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    // Other toolkits have no such part, and the steps of an OAuth client are for the operator.
    let (token, _) = link(&port, json!({ "toolkit": "query" })).await;
    assert!(!Browser::new(&port).open(&token).await.body.contains("Where to find it"));
}

#[tokio::test]
async fn a_password_is_optional() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let toolkit = read(&port, "/toolkits/basic").await;
    let fields = &toolkit["auth_config_details"][0]["fields"]["connected_account_initiation"];
    let names = |fields: &Value| -> Vec<String> {
        fields.as_array().unwrap().iter().map(|field| text(&field["name"])).collect()
    };
    assert_eq!(
        (names(&fields["required"]), names(&fields["optional"])),
        (vec!["username".to_owned()], vec!["password".to_owned()])
    );

    let (token, account) = link(&port, json!({ "toolkit": "basic" })).await;
    let mut browser = Browser::new(&port);
    assert_page(&browser.submit(&token, &[("password", "p")]).await, 422, "One field needs");
    assert_page(&browser.submit(&token, &[("username", "key"), ("password", "")]).await, 200, "is connected");
    let call = format!("/tool_router/session/{}/proxy_execute", port.caller.session);
    expect(ask(&port, "POST", &call, get("basic")).await, 200);
    assert_eq!(upstream.request().header("authorization"), Some("Basic a2V5Og=="));

    // A reconnect may change the user name, although there is no password.
    let again = ask(&port, "POST", &format!("/connected_accounts/{account}/link"), json!({})).await;
    let page = browser.open(&text(&expect(again, 201)["link_token"])).await;
    assert!(page.body.contains(r#"name="username" type="text" value="key""#), "{}", page.body);
}

/// A toolkit whose accounts have fields that the gateway exchanges for an access token.
fn exchanging_toolkit(upstream: &Upstream) -> ToolkitSource {
    let scheme = |server: Value| json!({ "headers": { "Authorization": "Bearer {{access_token}}" }, "authorization_server": server });
    let token_url = format!("{}/token", upstream.origin());
    ToolkitSource::Definition(json!({
        "slug": "exchanging", "name": "Exchanging", "base_url": format!("{}/api", upstream.origin()),
        "check": "/me",
        "schemes": {
            "SERVICE_ACCOUNT": scheme(json!({ "token_url": token_url })),
            "BASIC_WITH_JWT": scheme(json!({
                "token_url": token_url,
                "token_parameters": { "username": "{{username}}", "password": "{{password}}" },
            })),
        },
    }))
}

#[tokio::test]
async fn fields_to_exchange_for_a_token_are_entered_on_the_page() {
    let upstream = granting().await;
    let mut options = options(&upstream);
    options.toolkits.push(exchanging_toolkit(&upstream));
    let port = Port::with(options).await;
    let link = async |scheme: &str| {
        let config = json!({ "type": "use_custom_auth", "authScheme": scheme });
        let request = json!({ "toolkit": { "slug": "exchanging" }, "auth_config": config });
        let made = expect(ask(&port, "POST", "/auth_configs", request).await, 201);
        let request = json!({ "auth_config_id": made["auth_config"]["id"], "user_id": "ann" });
        let link = expect(ask(&port, "POST", "/connected_accounts/link", request).await, 201);
        (text(&link["link_token"]), text(&link["connected_account_id"]))
    };
    let mut browser = Browser::new(&port);

    let (token, account) = link("SERVICE_ACCOUNT").await;
    let fields = [("application_id", "1"), ("installation_id", "2"), ("private_key", "no-key")];
    let page = browser.submit(&token, &fields).await;
    assert_page(&page, 422, "This cannot be used. Check that it is complete");
    assert!(page.body.contains(r#"aria-describedby="private_key-problem""#), "{}", page.body);
    assert!(!page.body.contains("no-key"), "{}", page.body);
    assert_eq!(status(&port, &account).await.0, "INITIALIZING");

    let (_, unfinished) = link("BASIC_WITH_JWT").await;
    expect(ask(&port, "POST", &format!("/connected_accounts/{unfinished}/revoke"), json!({})).await, 200);
    let (token, account) = link("BASIC_WITH_JWT").await;
    let page = browser.submit(&token, &[("username", "ann"), ("password", "p")]).await;
    assert_page(&page, 200, "Exchanging is connected");
    assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None));
    assert_eq!(upstream.requests().len(), 0, "a password is not tried as a token");
    let request = json!({ "connected_account_id": account, "endpoint": "/x", "method": "GET" });
    expect(ask(&port, "POST", "/tools/execute/proxy", request).await, 200);
    assert_eq!(upstream.requests()[0].body, b"password=p&username=ann");
    assert_eq!(upstream.requests()[1].header("authorization"), Some("Bearer the-token"));
}

#[tokio::test]
async fn a_user_consents_at_the_provider() {
    let upstream = granting().await;
    let port = port(&upstream).await;
    oauth_config(&port).await;
    let request =
        json!({ "toolkit": "oauth", "callback_url": "http://localhost:3000/done", "alias": "work" });
    let (token, account) = link(&port, request).await;
    let mut browser = Browser::new(&port);

    let page = browser.open(&token).await;
    assert_page(&page, 200, "Connect Acme &#60;&#38;&#34;&#39;&#62;");
    for escaped in ["See what you &#60;have&#62; <code>read</code>", "<code>&#60;write&#62;</code>"] {
        assert!(page.body.contains(escaped), "{}", page.body);
    }
    assert_eq!(status(&port, &account).await.0, "INITIALIZING", "a GET changes nothing");

    let asked = browser.go_to_provider(&token).await;
    let redirect_uri = format!("http://{}/connect/callback", port.address);
    assert_eq!(
        (&*asked["response_type"], &*asked["client_id"], &*asked["redirect_uri"], &*asked["scope"]),
        ("code", "the-client", &*redirect_uri, "read <write>")
    );
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(status(&port, &account).await.0, "INITIATED");

    let page = browser.come_back(&[("code", "the-code"), ("state", &asked["state"])]).await;
    assert_page(&page, 200, "is connected");
    let back = format!("http://localhost:3000/done?status=success&connected_account_id={account}");
    assert_eq!(refresh_of(&page).as_str(), back);
    assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None));

    let sent: BTreeMap<_, _> = form_urlencoded::parse(&upstream.request().body).into_owned().collect();
    assert_eq!(
        (&*sent["grant_type"], &*sent["code"], &*sent["redirect_uri"], &*sent["client_secret"]),
        ("authorization_code", "the-code", &*redirect_uri, "the-client-secret")
    );
    let challenge = digest(&SHA256, sent["code_verifier"].as_bytes());
    assert_eq!(BASE64URL_NOPAD.encode(challenge.as_ref()), asked["code_challenge"]);

    let call = format!("/tool_router/session/{}/proxy_execute", port.caller.session);
    expect(ask(&port, "POST", &call, get("oauth")).await, 200);
    assert_eq!(upstream.requests()[1].header("authorization"), Some("Bearer the-token"));
    let shown = read(&port, &format!("/connected_accounts/{account}")).await;
    assert_eq!(
        (&shown["alias"], &shown["state"]["val"]["refresh_token"]),
        (&json!("work"), &json!("REDACTED"))
    );
}

#[tokio::test]
async fn a_state_works_once_and_only_in_its_browser() {
    let upstream = granting().await;
    let port = port(&upstream).await;
    oauth_config(&port).await;
    let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
    let mut browser = Browser::new(&port);
    let replaced = browser.go_to_provider(&token).await;
    let asked = browser.go_to_provider(&token).await;
    let state = asked["state"].as_str();

    // Another browser, with its own cookie and without one, like that of a user whom an attacker sent here.
    let mut other = Browser::new(&port);
    assert_page(
        &other.come_back(&[("code", "c"), ("state", state)]).await,
        403,
        "started in another browser",
    );
    let (another_token, _) = link(&port, json!({ "toolkit": "query" })).await;
    other.open(&another_token).await;
    assert_page(
        &other.come_back(&[("code", "c"), ("state", state)]).await,
        403,
        "started in another browser",
    );
    assert_page(&other.open(&token).await, 403, "started in another browser");

    // States other than the current one.
    let tampered = format!("{state}x");
    for query in [
        vec![("code", "c"), ("state", tampered.as_str())],
        vec![("code", "c"), ("state", replaced["state"].as_str())],
        vec![("code", "c"), ("state", "")],
        vec![("code", "c")],
        vec![("error", "access_denied"), ("state", tampered.as_str())],
        vec![],
    ] {
        assert_page(&browser.come_back(&query).await, 400, "This step is over");
    }
    assert_eq!(status(&port, &account).await.0, "INITIATED");
    assert!(upstream.requests().is_empty(), "no code was exchanged");

    // None of these requests has used up the state.
    let query = [("code", "c"), ("state", state)];
    let (mut one, mut two) =
        (Browser { cookie: browser.cookie.clone(), callback: browser.callback.clone(), ..browser }, browser);
    let (first, second) = tokio::join!(one.come_back(&query), two.come_back(&query));
    let (done, over) = if first.status == 200 { (first, second) } else { (second, first) };
    assert_page(&done, 200, "You can close this page");
    assert!(done.header("refresh").is_none());
    assert!([400, 410].contains(&over.status), "{over:?}");
    assert_eq!(upstream.requests().len(), 1, "the code was exchanged once");
    assert_page(&one.come_back(&query).await, 400, "This step is over");
}

#[tokio::test]
async fn a_get_of_the_page_changes_nothing() {
    let upstream = granting().await;
    let port = port(&upstream).await;
    oauth_config(&port).await;
    let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
    let mut browser = Browser::new(&port);
    assert_eq!(browser.send("HEAD", &format!("/connect/{token}"), &[], "").await.status, 200);
    browser.open(&token).await;
    assert_eq!(status(&port, &account).await.0, "INITIALIZING");

    let asked = browser.go_to_provider(&token).await;
    let path = format!("/connect/callback?code=c&state={}", asked["state"]);
    assert_eq!(browser.send("HEAD", &path, &[], "").await.status, 405);
    assert_eq!(browser.send("GET", &path, &[("sec-purpose", "prefetch;prerender")], "").await.status, 405);
    assert!(upstream.requests().is_empty());
    assert_page(&browser.send("GET", &path, &[], "").await, 200, "is connected");
}

#[tokio::test]
async fn a_form_is_accepted_from_its_own_page_only() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let (token, account) = link(&port, json!({ "toolkit": "query" })).await;
    let mut browser = Browser::new(&port);
    let proof = proof(&browser.open(&token).await.body);
    let key = ("api_key", "k");

    assert_page(&browser.post(&token, &[key], &[]).await, 403, "Please start again");
    let wrong = format!("{}0", &proof[1..]);
    assert_page(&browser.post(&token, &[key, ("proof", &wrong)], &[]).await, 403, "Please start again");
    for site in ["cross-site", "same-site", "none"] {
        let headers = [("sec-fetch-site", site)];
        let page = browser.post(&token, &[key, ("proof", &proof)], &headers).await;
        assert_page(&page, 403, "Please start again");
    }
    // The proof of one browser is not valid in another.
    let page = Browser::new(&port).post(&token, &[key, ("proof", &proof)], &[]).await;
    assert_page(&page, 403, "This needs a cookie");
    let mut other = Browser::new(&port);
    other.open(&token).await;
    assert_page(&other.post(&token, &[key, ("proof", &proof)], &[]).await, 403, "Please start again");
    let large = "k".repeat(70_000);
    let page = browser.post(&token, &[("api_key", &large), ("proof", &proof)], &[]).await;
    assert_eq!(page.status, 413);
    assert_eq!(status(&port, &account).await.0, "INITIALIZING");

    let headers = [("sec-fetch-site", "same-origin")];
    assert_page(&browser.post(&token, &[key, ("proof", &proof)], &headers).await, 200, "is connected");
}

#[tokio::test]
async fn the_cookie_is_sent_to_these_pages_only_and_hidden_from_scripts() {
    let upstream = Upstream::pleasant().await;
    for (public_url, name, attributes) in [
        (None, "proxy-execute-connect", "Path=/connect; HttpOnly; SameSite=Lax"),
        (
            Some("http://gateway.example/below/"),
            "proxy-execute-connect",
            "Path=/below/connect; HttpOnly; SameSite=Lax",
        ),
        (
            Some("https://gateway.example/below"),
            "__Host-proxy-execute-connect",
            "Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
    ] {
        let public_url = public_url.map(str::to_owned);
        let port = Port::with(GatewayOptions { public_url, ..options(&upstream) }).await;
        let (token, _) = link(&port, json!({ "toolkit": "query" })).await;
        let mut browser = Browser::new(&port);
        let page = browser.open(&token).await;
        let cookie = page.header("set-cookie").unwrap();
        let (pair, told) = cookie.split_once("; ").unwrap();
        let (told_name, value) = pair.split_once('=').unwrap();
        assert_eq!((told_name, told), (name, attributes));
        assert!(value.len() > 50, "256 random bits: {value}");
        // The cookie is the same for all links of a browser.
        assert!(browser.open(&token).await.header("set-cookie").unwrap().starts_with(pair));
        assert_page(&browser.submit(&token, &[("api_key", "k")]).await, 200, "is connected");
    }
}

#[tokio::test]
async fn a_user_may_refuse() {
    let upstream = granting().await;
    let port = port(&upstream).await;
    oauth_config(&port).await;
    let request = json!({ "toolkit": "oauth", "callback_url": "https://app.example/done" });
    let (token, account) = link(&port, request).await;
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&token).await;
    let waiting = tokio::spawn({
        let (gateway, account) = (port.caller.gateway.clone(), account.clone());
        async move { gateway.connected_account(&account, deadline()).await }
    });
    let query = [
        ("error", "access_denied"),
        ("error_description", "The \u{7}user <said> no"),
        ("state", &asked["state"]),
    ];
    let page = browser.come_back(&query).await;
    assert_page(&page, 200, "You did not allow it");
    let back = format!("https://app.example/done?status=failed&#38;connected_account_id={account}");
    assert!(page.body.contains(&back), "{}", page.body);
    assert!(page.header("refresh").is_none(), "the words are to be read");
    let reason = "The user did not allow access: access_denied (The user <said> no)";
    assert_eq!(status(&port, &account).await, ("FAILED".to_owned(), Some(reason.to_owned())));
    let waited: Value = serde_json::from_str(&soon(waiting).await.unwrap().unwrap()).unwrap();
    assert_eq!((&waited["status"], &waited["status_reason"]), (&json!("FAILED"), &json!(reason)));
    assert_page(&browser.open(&token).await, 410, "was already used");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn the_page_explains_a_failed_exchange() {
    let refused = r#"{"error":"invalid_grant","error_description":"<b>expired"}"#;
    for (step, told, stored) in [
        (
            Step::Send(answer(400, &[], refused)),
            "invalid_grant (&#60;b&#62;expired)",
            "invalid_grant (<b>expired)",
        ),
        (Step::Send(answer(500, &[], "<html>")), "status 500", "status 500, try again later"),
        (Step::Send(answer(200, &[], "<html>")), "status 200", "status 200, but no JSON object"),
        (Step::SendAndClose(Vec::new()), "127.0.0.1", "127.0.0.1"),
    ] {
        let upstream = Upstream::always(step).await;
        let port = port(&upstream).await;
        oauth_config(&port).await;
        let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
        let mut browser = Browser::new(&port);
        let asked = browser.go_to_provider(&token).await;
        let page = browser.come_back(&[("code", "the-code"), ("state", &asked["state"])]).await;
        assert_page(&page, 502, told);
        let (status, reason) = status(&port, &account).await;
        let reason = reason.unwrap();
        assert_eq!(status, "FAILED");
        assert!(reason.starts_with("OAuth callback failed during token exchange: "), "{reason}");
        assert!(reason.contains(stored) && !reason.contains("the-code"), "{reason}");
        assert_eq!(upstream.requests().len(), 1, "a code is not sent twice");
    }
}

#[tokio::test]
async fn a_browser_that_disconnects_does_not_cancel_the_exchange() {
    let go_on = Arc::new(Notify::new());
    let granted = answer(200, &[], r#"{"access_token":"t"}"#);
    let upstream = Upstream::always(Step::SendWhen(Arc::clone(&go_on), granted)).await;
    let port = port(&upstream).await;
    oauth_config(&port).await;
    let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&token).await;
    let mut connection = TcpStream::connect(port.address).await.unwrap();
    let request = format!(
        "GET /connect/callback?code=c&state={} HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n",
        asked["state"],
        browser.cookie.unwrap()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    upstream.has_seen(|seen| seen.requests.len() == 1).await;
    connection.set_zero_linger().unwrap();
    drop(connection);
    go_on.notify_one();
    let account = soon(port.caller.gateway.connected_account(&account, deadline())).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&account).unwrap()["status"], "ACTIVE");
}

#[tokio::test]
async fn a_key_is_tested_if_the_toolkit_has_a_check() {
    let upstream = Upstream::with(|request| match (request.target.as_str(), request.header("x-api-key")) {
        ("/eu/me", Some("right" | "broken")) if request.contains("broken") => {
            Step::Send(answer(500, &[], ""))
        }
        ("/eu/me", Some("right")) => json_answer("{}"),
        _ => Step::Send(answer(401, &[], "")),
    })
    .await;
    let port = port(&upstream).await;
    let (token, account) = link(&port, json!({ "toolkit": "checked" })).await;
    let mut browser = Browser::new(&port);
    let page = browser.open(&token).await;
    assert!(
        page.body.contains("Where the account is") && page.body.contains(r#"id="region""#),
        "{}",
        page.body
    );

    let page = browser.submit(&token, &[("api_key", "right"), ("region", "eu/../x")]).await;
    assert_page(&page, 422, r#"id="region-problem""#);
    assert!(upstream.requests().is_empty());
    let page = browser.submit(&token, &[("api_key", "wr\"ong"), ("region", "eu")]).await;
    assert_page(&page, 422, "Checked did not accept this");
    assert!(page.body.contains(r#"id="region" name="region" type="text" value="eu""#), "{}", page.body);
    assert!(
        !page.body.contains("wr&#34;ong") && !page.body.contains("wr\"ong"),
        "a secret is not shown again"
    );
    assert_eq!(status(&port, &account).await.0, "INITIATED");
    assert_page(
        &browser.submit(&token, &[("api_key", "right"), ("region", "eu")]).await,
        200,
        "is connected",
    );
    assert_eq!(status(&port, &account).await.0, "ACTIVE");

    // An API that is down says nothing about the key.
    let (token, account) = link(&port, json!({ "toolkit": "checked" })).await;
    assert_page(
        &browser.submit(&token, &[("api_key", "broken"), ("region", "eu")]).await,
        200,
        "is connected",
    );
    assert_eq!(status(&port, &account).await.0, "ACTIVE");
}

#[tokio::test]
async fn the_page_does_not_ask_for_known_fields() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let config = json!({ "toolkit": { "slug": "checked" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "API_KEY" } });
    let config = expect(ask(&port, "POST", "/auth_configs", config).await, 201);
    let request = json!({ "auth_config_id": config["auth_config"]["id"], "user_id": "bea",
        "connection_data": { "region": "eu" } });
    let link = expect(ask(&port, "POST", "/connected_accounts/link", request).await, 201);
    let (token, account) = (text(&link["link_token"]), text(&link["connected_account_id"]));
    let mut browser = Browser::new(&port);
    assert!(!browser.open(&token).await.body.contains(r#"name="region""#));
    assert_page(&browser.submit(&token, &[("api_key", "k")]).await, 200, "is connected");
    assert_eq!(upstream.request().target, "/eu/me");

    // A reconnect may change all fields. The page shows those that are not secret.
    let token = again(&port, &account).await;
    let page = browser.open(&token).await;
    assert!(page.body.contains(r#"name="region" type="text" value="eu""#), "{}", page.body);
    assert!(page.body.contains(r#"name="api_key" type="password" value="""#), "{}", page.body);
    assert_page(&browser.submit(&token, &[("api_key", "new"), ("region", "us")]).await, 200, "is connected");
    assert_eq!(upstream.requests()[1].target, "/us/me");
}

#[tokio::test]
async fn a_link_ends_with_its_time() {
    let upstream = granting().await;
    let mut options = with_toolkits(&upstream);
    options.link_lifetime_ms = Some(1_000);
    let port = Port::with(options).await;
    oauth_config(&port).await;
    let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&token).await;
    let ended = soon(port.caller.gateway.connected_account(&account, deadline())).await.unwrap();
    let ended: Value = serde_json::from_str(&ended).unwrap();
    assert_eq!(
        (&ended["status"], &ended["status_reason"]),
        (&json!("EXPIRED"), &json!("Connection initiation did not complete within 1 second"))
    );
    assert_page(&browser.open(&token).await, 410, "This link has expired");
    let page = browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
    assert_page(&page, 410, "This link has expired");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_account_can_be_reconnected() {
    let upstream = Upstream::with(|request| match request.target.as_str() {
        "/token" if request.contains("code=bad") => {
            Step::Send(answer(400, &[], r#"{"error":"invalid_grant"}"#))
        }
        "/token" => json_answer(r#"{"access_token":"fresh"}"#),
        _ => json_answer("{}"),
    })
    .await;
    let port = port(&upstream).await;
    oauth_config(&port).await;
    let (token, account) = link(&port, json!({ "toolkit": "oauth", "alias": "work" })).await;
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&token).await;
    browser.come_back(&[("error", "access_denied"), ("state", &asked["state"])]).await;
    assert_eq!(status(&port, &account).await.0, "FAILED");

    // A refresh without a refresh token returns the page to consent again, and its callback URL.
    let refresh = format!("/connected_accounts/{account}/refresh?redirect_url=https://app.example/again");
    let refreshed = expect(ask(&port, "POST", &refresh, json!({})).await, 200);
    assert_eq!((&refreshed["id"], &refreshed["status"]), (&json!(account), &json!("INITIALIZING")));
    let token = text(&refreshed["redirect_url"]).rsplit('/').next().unwrap().to_owned();
    assert_page(&browser.open(&token).await, 200, "return to app.example");
    let elsewhere = format!("/connected_accounts/{account}/refresh?redirect_url=javascript:1");
    let asked = browser.go_to_provider(&token).await;
    browser.come_back(&[("error", "server_error"), ("state", &asked["state"])]).await;
    assert_eq!(status(&port, &account).await.0, "FAILED");
    assert_refused(&ask(&port, "POST", &elsewhere, json!({})).await, 400, "InvalidRequest", "callback_url");

    let again = format!("/connected_accounts/{account}/link");
    let connect = async |browser: &mut Browser, request: Value, code: &str| {
        let link = expect(ask(&port, "POST", &again, request).await, 201);
        assert_eq!(link["connected_account_id"], account.as_str());
        let before = status(&port, &account).await.0;
        let asked = browser.go_to_provider(&text(&link["link_token"])).await;
        let page = browser.come_back(&[("code", code), ("state", &asked["state"])]).await;
        (before, asked["scope"].clone(), page.status)
    };
    let first = connect(&mut browser, json!({}), "good").await;
    assert_eq!(first, ("INITIALIZING".to_owned(), "read <write>".to_owned(), 200));
    assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None));

    // An ACTIVE account stays ACTIVE, even if the user does not finish the reconnect.
    let more = json!({ "scopes": ["admin", "read"] });
    let wider = connect(&mut browser, more.clone(), "bad").await;
    assert_eq!(wider, ("ACTIVE".to_owned(), "read <write> admin".to_owned(), 502));
    assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None));
    assert_eq!(connect(&mut browser, more, "good").await.2, 200);
    let shown = read(&port, &format!("/connected_accounts/{account}")).await;
    assert_eq!((&shown["status"], &shown["alias"]), (&json!("ACTIVE"), &json!("work")));

    assert_refused(
        &ask(&port, "POST", "/connected_accounts/ca_none/link", json!({})).await,
        404,
        "ConnectedAccountNotFound",
        "ca_none",
    );
    // A newer link replaces an older one.
    let older = expect(ask(&port, "POST", &again, json!({})).await, 201);
    expect(ask(&port, "POST", &again, json!({})).await, 201);
    assert_page(&browser.open(&text(&older["link_token"])).await, 404, "This link is not valid");
}

#[tokio::test]
async fn a_new_grant_inherits_no_fields_of_the_old_one() {
    let upstream = Upstream::always(json_answer(r#"{"access_token":"fresh"}"#)).await;
    let port = port(&upstream).await;
    let config = oauth_config(&port).await;
    let val = json!({ "access_token": "old", "refresh_token": "kept", "expires_in": 5 });
    let connection = json!({ "user_id": "bea", "state": { "authScheme": "OAUTH2", "val": val } });
    let request = json!({ "auth_config": { "id": config }, "connection": connection });
    let account = text(&expect(ask(&port, "POST", "/connected_accounts", request).await, 201)["id"]);
    let mut browser = Browser::new(&port);
    let asked = browser.go_to_provider(&again(&port, &account).await).await;
    browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
    let val = read(&port, &format!("/connected_accounts/{account}")).await["state"]["val"].clone();
    assert_eq!((&val["expires_in"], &val["refresh_token"]), (&Value::Null, &json!("REDACTED")));
}

#[tokio::test]
async fn unknown_links_all_look_alike() {
    let port = port(&Upstream::pleasant().await).await;
    for path in ["/connect/lt_unknown", "/connect/", "/connect", "/connect/a/b", "/connect/%00"] {
        let page = Browser::new(&port).send("GET", path, &[], "").await;
        assert_page(&page, 404, "This link is not valid");
    }
}

#[tokio::test]
async fn users_are_redirected_to_allowed_urls_only() {
    let upstream = Upstream::pleasant().await;
    let options =
        GatewayOptions { callback_urls: vec!["https://app.example".to_owned()], ..options(&upstream) };
    let port = Port::with(options).await;
    let path = format!("/tool_router/session/{}/link", port.caller.session);
    let config = json!({ "toolkit": { "slug": "header" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "API_KEY" } });
    let config = expect(ask(&port, "POST", "/auth_configs", config).await, 201)["auth_config"]["id"].clone();
    for callback in ["https://evil.example/", "http://localhost/", "javascript:alert(1)", "/done"] {
        for (path, request) in [
            (path.as_str(), json!({ "toolkit": "query", "callback_url": callback })),
            (
                "/connected_accounts/link",
                json!({ "auth_config_id": config, "user_id": "bea", "callback_url": callback }),
            ),
            (
                "/connected_accounts",
                json!({ "auth_config": { "id": config }, "connection": { "user_id": "bea", "callback_url": callback } }),
            ),
        ] {
            assert_refused(&ask(&port, "POST", path, request).await, 400, "InvalidRequest", "callback_url");
        }
    }
    assert_eq!(read(&port, "/connected_accounts?user_ids=bea").await["total_items"], 0, "none was begun");
    link(&port, json!({ "toolkit": "query", "callback_url": "https://app.example/done" })).await;
}

#[tokio::test]
async fn a_link_without_a_reachable_page_is_refused() {
    let upstream = granting().await;
    let caller = Caller::with(with_toolkits(&upstream), "header", "a-secret").await;
    let request = |path: &[&str], body: Value| -> ResourceRequest {
        read_json(json!({ "method": "POST", "path": path, "body": body }).to_string().as_bytes()).unwrap()
    };
    let path = ["tool_router", "session", caller.session.as_str(), "link"];
    let answer = caller.gateway.resource(request(&path, json!({ "toolkit": "query" })), deadline()).await;
    assert_error(answer, ErrorKind::NotListening, "does not listen");

    let port = port(&upstream).await;
    let path = format!("/tool_router/session/{}/link", port.caller.session);
    let oauth = json!({ "toolkit": "oauth" });
    assert_refused(
        &ask(&port, "POST", &path, oauth.clone()).await,
        400,
        "ToolRouterV2_NoManagedAuth",
        "your own client",
    );
    // The newest auth config is used, and it has no client.
    let config = json!({ "toolkit": { "slug": "oauth" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "OAUTH2" } });
    expect(ask(&port, "POST", "/auth_configs", config).await, 201);
    assert_refused(&ask(&port, "POST", &path, oauth.clone()).await, 400, "InvalidRequest", "client_id");
    oauth_config(&port).await;
    expect(ask(&port, "POST", &path, oauth).await, 201);
    // A toolkit without an authorize URL.
    let config = json!({ "toolkit": { "slug": "bearer" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "OAUTH2", "credentials": { "client_id": "c" } } });
    expect(ask(&port, "POST", "/auth_configs", config).await, 201);
    let bearer = json!({ "toolkit": "bearer" });
    assert_refused(&ask(&port, "POST", &path, bearer).await, 501, "NotSupported", "bearer");
}

#[tokio::test]
async fn options_of_links_are_checked() {
    for (options, says) in [
        (
            GatewayOptions { public_url: Some("gateway.example".to_owned()), ..GatewayOptions::default() },
            "publicUrl",
        ),
        (
            GatewayOptions { public_url: Some("https://x/?a".to_owned()), ..GatewayOptions::default() },
            "publicUrl",
        ),
        (GatewayOptions { link_lifetime_ms: Some(999), ..GatewayOptions::default() }, "linkLifetime"),
        (
            GatewayOptions { callback_urls: vec!["app".to_owned()], ..GatewayOptions::default() },
            "callbackUrls",
        ),
    ] {
        let opened = proxy_execute_server::Embedded::open(options).await;
        assert_error(opened.map(drop), ErrorKind::InvalidOption, says);
    }
}

#[tokio::test]
async fn a_waiting_caller_is_notified_at_once() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    let mut browser = Browser::new(&port);
    // Ten waits in a row that poll once a second would take longer.
    let began = Instant::now();
    for _ in 0..10 {
        let (token, account) = link(&port, json!({ "toolkit": "query" })).await;
        let gateway = port.caller.gateway.clone();
        let waiting = tokio::spawn(async move { gateway.connected_account(&account, deadline()).await });
        browser.submit(&token, &[("api_key", "k")]).await;
        let account: Value = serde_json::from_str(&soon(waiting).await.unwrap().unwrap()).unwrap();
        assert_eq!(account["status"], "ACTIVE");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // An account that is deleted during the wait.
    let (_, account) = link(&port, json!({ "toolkit": "query" })).await;
    let gateway = port.caller.gateway.clone();
    let id = account.clone();
    let waiting =
        tokio::spawn(async move { gateway.connected_account(&id, Deadline::after(Duration::MAX)).await });
    port.caller.gateway.delete_account(&account).await.unwrap();
    assert_error(soon(waiting).await.unwrap(), ErrorKind::AccountNotFound, &account);
}

/// A toolkit whose base URL has a label that comes with the tokens.
async fn port_with_label(answered: Value) -> (Port, Upstream) {
    let upstream = Upstream::with(move |request| match request.target.as_str() {
        "/token" => json_answer(answered.to_string()),
        _ => json_answer("{}"),
    })
    .await;
    let mut options = options(&upstream);
    options.toolkits.push(ToolkitSource::Definition(json!({
        "slug": "oauth", "name": "Acme", "base_url": format!("{}/{{{{label}}}}", upstream.origin()),
        "fields": { "label": { "description": "Where the account is" } },
        "schemes": { "OAUTH2": {
            "headers": { "Authorization": "Bearer {{access_token}}" },
            "authorization_server": {
                "authorize_url": "https://provider.example/authorize",
                "token_url": format!("{}/token", upstream.origin()),
                "token_answer": { "label": { "at": "/instance_url", "ending": ".acme.test" } },
            },
        } },
    })));
    (Port::with(options).await, upstream)
}

#[tokio::test]
async fn unusable_tokens_fail_the_account_and_notify_at_once() {
    for (instance, says) in [
        (json!("https://eu.evil.test"), "val.label"),
        (json!(null), "val.label"),
        (json!(["https://eu.acme.test"]), "val.label"),
        (json!("https://a/b@c:d.acme.test"), "val.label"),
        (json!("a?b.acme.test"), "val.label"),
        (json!("https://.acme.test"), "val.label"),
    ] {
        let answered = json!({ "access_token": "canary-token", "instance_url": instance });
        let (port, _upstream) = port_with_label(answered).await;
        oauth_config(&port).await;
        let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
        let mut browser = Browser::new(&port);
        let asked = browser.go_to_provider(&token).await;
        let answered = [("code", "c"), ("state", &*asked["state"])];
        let started = Instant::now();
        let (waited, page) = tokio::join!(
            soon(port.caller.gateway.connected_account(&account, deadline())),
            browser.come_back(&answered),
        );
        assert!(started.elapsed() < Duration::from_secs(10), "{instance}");
        let waited: Value = serde_json::from_str(&waited.unwrap()).unwrap();
        assert_eq!(waited["status"], "FAILED", "{instance}");
        assert_page(&page, 502, "cannot be used");
        let (status, reason) = status(&port, &account).await;
        let reason = reason.unwrap();
        assert_eq!(status, "FAILED", "{instance}");
        assert!(reason.starts_with("OAuth callback failed during token exchange: "), "{reason}");
        assert!(reason.contains(says) && !reason.contains("canary"), "{reason}");
        assert_page(&browser.open(&token).await, 410, "was already used");
    }
}

#[tokio::test]
async fn a_callback_url_gets_the_outcome_once() {
    let upstream = Upstream::pleasant().await;
    let port = port(&upstream).await;
    for (callback, query, fragment) in [
        ("https://app.example/done", "", None),
        ("https://app.example/done?status=old", "", None),
        ("https://app.example/done?status=old&status=older&connected_account_id=ca_x", "", None),
        ("https://app.example/done?a=%20+b%2f&status&c&&d=%C3%A4=", "a=%20+b%2f&c&&d=%C3%A4=&", None),
        (
            "https://app.example/done?x=1&st%61tus=2&Status=3&status[]=4#/route?status=5",
            "x=1&Status=3&status[]=4&",
            Some("/route?status=5"),
        ),
        ("https://app.example/done?", "", None),
        ("https://app.example/done#top", "", Some("top")),
    ] {
        let (token, account) = link(&port, json!({ "toolkit": "query", "callback_url": callback })).await;
        let page = Browser::new(&port).submit(&token, &[("api_key", "k")]).await;
        let back = refresh_of(&page);
        let expected = format!("{query}status=success&connected_account_id={account}");
        assert_eq!((back.query(), back.fragment()), (Some(expected.as_str()), fragment), "{callback}");
    }
}

#[tokio::test]
async fn the_page_reports_unusable_tokens_at_once() {
    for (token, says) in [("bad\\ntoken", "`val.access_token`"), ("\\u0000", "`val.access_token`")] {
        let answer = format!(r#"{{"access_token":"{token}","refresh_token":"canary"}}"#);
        let upstream = Upstream::always(json_answer(&answer)).await;
        let port = port(&upstream).await;
        oauth_config(&port).await;
        let request = json!({ "toolkit": "oauth", "callback_url": "https://app.example/done" });
        let (token, account) = link(&port, request).await;
        let mut browser = Browser::new(&port);
        let asked = browser.go_to_provider(&token).await;
        let waiting = tokio::spawn({
            let (gateway, account) = (port.caller.gateway.clone(), account.clone());
            async move { gateway.connected_account(&account, deadline()).await }
        });
        let page = browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
        assert_page(&page, 502, "was not connected");
        assert!(page.body.contains(&format!("status=failed&#38;connected_account_id={account}")), "{page:?}");
        let waited: Value = serde_json::from_str(&soon(waiting).await.unwrap().unwrap()).unwrap();
        let reason = text(&waited["status_reason"]);
        assert_eq!(waited["status"], "FAILED");
        assert!(reason.contains(says) && !reason.contains("canary"), "{reason}");
        assert_page(&browser.open(&again(&port, &account).await).await, 200, "Connect Acme");
    }
}

#[tokio::test]
async fn a_label_is_extracted_from_a_host_or_a_url() {
    for instance in [
        "eu.acme.test",
        "https://eu.acme.test",
        "https://eu.acme.test/",
        "https://eu.acme.test:8443/services/oauth2?x=1#y",
        "https://EU.ACME.TEST",
        "https://eu.acme.test.",
        "http://user:pass@eu.acme.test",
    ] {
        let (port, upstream) =
            port_with_label(json!({ "access_token": "t", "instance_url": instance })).await;
        oauth_config(&port).await;
        let (token, account) = link(&port, json!({ "toolkit": "oauth" })).await;
        let mut browser = Browser::new(&port);
        let asked = browser.go_to_provider(&token).await;
        browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await;
        assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None), "{instance}");
        let call = format!("/tool_router/session/{}/proxy_execute", port.caller.session);
        expect(ask(&port, "POST", &call, get("oauth")).await, 200);
        assert_eq!(upstream.requests().last().unwrap().target, "/eu/x", "{instance}");
    }
}

#[tokio::test]
async fn the_error_about_a_missing_oauth_client_names_the_redirect_uri() {
    let port = port(&Upstream::pleasant().await).await;
    let redirect_uri = format!("http://{}/connect/callback", port.address);
    let path = format!("/tool_router/session/{}/link", port.caller.session);
    let says = |answer: &HttpAnswer, parts: &[&str]| {
        let fix = text(&answer.json()["error"]["suggested_fix"]);
        for part in parts {
            assert!(fix.contains(part), "it should say {part:?}: {fix}");
        }
    };
    for (toolkit, own_path, fields) in [
        ("gmail", "", "{ client_id, client_secret }"),
        ("slack", "", "{ client_id, client_secret }"),
        ("twitter", "", "{ client_id, client_secret }"),
        ("zoom", "", "{ client_id, client_secret }"),
        ("github", "", "{ client_id, client_secret }"),
        ("outlook", "", "{ client_id, client_secret }"),
        ("shopify", "/myshopify.com", "{ client_id, client_secret }"),
        ("snowflake", "/snowflakecomputing.com", "{ client_id, client_secret }"),
    ] {
        let uri = format!("redirect URI {redirect_uri}{own_path}. ");
        let create = format!(
            "authConfigs.create('{toolkit}', {{ type: 'use_custom_auth', authScheme: 'OAUTH2', credentials: {fields} }})"
        );
        let refused = ask(&port, "POST", &path, json!({ "toolkit": toolkit })).await;
        assert_refused(&refused, 400, "ToolRouterV2_NoManagedAuth", "your own client");
        says(&refused, &[&uri, &create, " at https://"]);
        // A request for an auth config of the backend, and one without a client.
        let managed = ask(&port, "POST", "/auth_configs", json!({ "toolkit": { "slug": toolkit } })).await;
        assert_refused(&managed, 400, "ToolRouterV2_NoManagedAuth", toolkit);
        says(&managed, &[&uri, &create]);
        let config = json!({ "type": "use_custom_auth", "authScheme": "OAUTH2" });
        let request = json!({ "toolkit": { "slug": toolkit }, "auth_config": config });
        let made = expect(ask(&port, "POST", "/auth_configs", request).await, 201);
        let config = text(&made["auth_config"]["id"]);
        for (path, request) in [
            ("/connected_accounts/link", json!({ "auth_config_id": config, "user_id": "bea" })),
            (
                "/connected_accounts",
                json!({ "auth_config": { "id": config }, "connection": { "user_id": "bea" } }),
            ),
            (path.as_str(), json!({ "toolkit": toolkit })),
        ] {
            let refused = ask(&port, "POST", path, request).await;
            assert_refused(
                &refused,
                400,
                "InvalidRequest",
                &format!("Auth config {config} has no `client_id`"),
            );
            says(&refused, &[&uri, &format!("authConfigs.update('{config}'")]);
        }
    }

    // The auth config that imports share has no page for a token. An auth config for tokens has one.
    let token = json!({ "authScheme": "BEARER_TOKEN", "val": { "token": "t" } });
    let config = import(&port.caller.gateway, "bea", "slack", token).await.auth_config.id;
    for (path, request) in [
        ("/connected_accounts/link", json!({ "auth_config_id": config, "user_id": "bea" })),
        (
            "/connected_accounts",
            json!({ "auth_config": { "id": config }, "connection": { "user_id": "bea" } }),
        ),
    ] {
        let refused = ask(&port, "POST", path, request).await;
        assert_refused(&refused, 400, "ToolRouterV2_NoManagedAuth", "your own client");
    }
    let config = json!({ "type": "use_custom_auth", "authScheme": "BEARER_TOKEN" });
    let request = json!({ "toolkit": { "slug": "slack" }, "auth_config": config });
    expect(ask(&port, "POST", "/auth_configs", request).await, 201);
    let (token, _) = link(&port, json!({ "toolkit": "slack" })).await;
    assert_page(&Browser::new(&port).open(&token).await, 200, r#"name="token" type="password""#);
}

#[tokio::test]
async fn a_toolkit_with_api_keys_asks_for_a_key() {
    let port = port(&Upstream::pleasant().await).await;
    for (toolkit, field) in
        [("exa", "api_key"), ("linear", "api_key"), ("jira", "email"), ("google_maps", "api_key")]
    {
        let (token, _) = link(&port, json!({ "toolkit": toolkit })).await;
        let page = Browser::new(&port).open(&token).await;
        assert_page(&page, 200, &format!(r#"name="{field}""#));
    }
}

#[tokio::test]
async fn a_form_begins_with_its_required_fields() {
    let upstream = Upstream::pleasant().await;
    let scheme = |scheme: Value| json!({ "BASIC": scheme });
    for (name, schemes, expected) in [
        (
            "names",
            scheme(json!({ "basic": { "username": "{{username}}", "password": "{{password}}" } })),
            vec!["username*", "password"],
        ),
        (
            "only_a_key",
            scheme(json!({ "basic": { "username": "{{username}}", "password": "" } })),
            vec!["username*"],
        ),
        (
            "only_a_password",
            scheme(json!({ "basic": { "username": "api", "password": "{{password}}" } })),
            vec!["password*"],
        ),
        (
            "in_headers",
            scheme(json!({ "headers": { "X-A": "{{password}}", "X-B": "{{username}}" } })),
            vec!["username*", "password"],
        ),
        (
            "login",
            json!({ "BASIC_WITH_JWT": { "headers": { "Authorization": "Bearer {{access_token}}" },
            "authorization_server": { "token_url": format!("{}/token", upstream.origin()),
                "token_parameters": { "a": "{{password}}", "b": "{{username}}" } } } }),
            vec!["username*", "password"],
        ),
        (
            "key",
            json!({ "API_KEY": { "basic": { "username": "{{email}}", "password": "{{api_key}}" } } }),
            vec!["email*", "api_key"],
        ),
        (
            "twice",
            scheme(json!({ "base_url": format!("{}/{{{{a}}}}/{{{{b}}}}", upstream.origin()),
            "basic": { "username": "{{username}}", "password": "{{password}}" } })),
            vec!["username*", "b", "password", "a"],
        ),
    ] {
        let mut options = options(&upstream);
        options.toolkits.push(ToolkitSource::Definition(json!({
            "slug": name, "name": name, "base_url": upstream.origin(), "schemes": schemes,
            "fields": { "a": { "description": "A", "default": "x" }, "b": { "description": "B" } },
        })));
        let port = Port::with(options).await;
        let auth_scheme = schemes.as_object().unwrap().keys().next().unwrap();
        let config = json!({ "type": "use_custom_auth", "authScheme": auth_scheme });
        let request = json!({ "toolkit": { "slug": name }, "auth_config": config });
        expect(ask(&port, "POST", "/auth_configs", request).await, 201);
        let (token, _) = link(&port, json!({ "toolkit": name })).await;
        let page = Browser::new(&port).open(&token).await;
        let shown: Vec<_> = page
            .body
            .split("<input id=\"")
            .skip(1)
            .map(|input| {
                let input = input.split('>').next().unwrap();
                let focus = if input.contains(" autofocus") { "*" } else { "" };
                format!("{}{focus}", input.split('"').next().unwrap())
            })
            .collect();
        assert_eq!(shown, expected, "{name}");
    }
}
