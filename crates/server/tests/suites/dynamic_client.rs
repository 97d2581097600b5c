//! Accounts of scheme `DCR_OAUTH`: the gateway registers a client for each at the provider, before it sends
//! the user there. `__test__/connect.test.ts` tests this with a real authorization server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use proxy_execute_gateway::ToolkitSource;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::connect::{Browser, again, assert_page, link, proof, status};
use crate::port::Port;
use crate::resources::{ask, expect};
use crate::support::{Request, Step, Upstream, answer, get, json_answer, options};

/// A provider that issues each client its own secret, which expires at that time, and tokens to registered
/// clients.
async fn provider(secret_expires_at: u64) -> Upstream {
    let registered = AtomicUsize::new(0);
    Upstream::with(move |request| match request.target.as_str() {
        "/register" => {
            let number = registered.fetch_add(1, Ordering::SeqCst) + 1;
            let client = json!({
                "client_id": format!("client-{number}"), "client_secret": format!("canary-{number}"),
                "client_id_issued_at": 1, "client_secret_expires_at": secret_expires_at,
                "client_name": "proxy-execute",
            });
            Step::Send(answer(201, &["content-type: application/json"], client.to_string()))
        }
        "/token" | "/revoke" => {
            let form = form(request);
            let number = form["client_id"].trim_start_matches("client-");
            if form["client_secret"] != format!("canary-{number}") {
                return Step::Send(answer(401, &[], r#"{"error":"invalid_client"}"#));
            }
            json_answer(r#"{"access_token":"the-token","refresh_token":"r","expires_in":3600}"#)
        }
        _ => json_answer("{}"),
    })
    .await
}

fn form(request: &Request) -> BTreeMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

pub(crate) async fn port(provider: &Upstream) -> Port {
    let origin = provider.origin();
    let mut options = options(provider);
    options.toolkits.push(ToolkitSource::Definition(json!({
        "slug": "registering", "name": "Acme", "base_url": format!("{origin}/api"),
        "schemes": {
            "DCR_OAUTH": {
                "headers": { "Authorization": "Bearer {{access_token}}" },
                "authorization_server": {
                    "authorize_url": "https://provider.example/authorize",
                    "token_url": format!("{origin}/token"),
                    "revoke_url": format!("{origin}/revoke"),
                    "registration_url": format!("{origin}/register"),
                    "scopes": ["read"],
                },
            },
            "API_KEY": { "headers": { "X-Api-Key": "{{api_key}}" } },
        },
    })));
    Port::with(options).await
}

fn requests(provider: &Upstream, target: &str) -> Vec<Request> {
    provider.requests().into_iter().filter(|request| request.target == target).collect()
}

#[tokio::test]
async fn a_client_is_registered_once_for_each_account() {
    let provider = provider(0).await;
    let port = port(&provider).await;
    // There is no auth config yet.
    let (token, account) = link(&port, json!({ "toolkit": "registering" })).await;
    let mut browser = Browser::new(&port);

    let page = browser.open(&token).await;
    assert_page(&page, 200, "<code>read</code>");
    assert_eq!(provider.requests().len(), 0, "a GET changes nothing");

    let asked = browser.go_to_provider(&token).await;
    let redirect_uri = format!("http://{}/connect/callback/{}", port.address, provider.authority());
    let registration: Value = serde_json::from_slice(&requests(&provider, "/register")[0].body).unwrap();
    assert_eq!(registration["redirect_uris"], json!([redirect_uri]));
    assert_eq!(
        (&*asked["client_id"], &*asked["redirect_uri"], &*asked["scope"]),
        ("client-1", &*redirect_uri, "read")
    );
    // The client is stored before the user is sent on, so a second start uses the same client.
    assert_eq!(browser.go_to_provider(&token).await["client_id"], "client-1");
    let asked = browser.go_to_provider(&token).await;

    let page = browser.come_back(&[("code", "the-code"), ("state", &asked["state"])]).await;
    assert_page(&page, 200, "is connected");
    assert_eq!(status(&port, &account).await, ("ACTIVE".to_owned(), None));
    let call = format!("/tool_router/session/{}/proxy_execute", port.caller.session);
    expect(ask(&port, "POST", &call, get("registering")).await, 200);
    assert_eq!(requests(&provider, "/api/x")[0].header("authorization"), Some("Bearer the-token"));

    // The account's own client refreshes and reconnects the account, and revokes its tokens.
    expect(ask(&port, "POST", &format!("/connected_accounts/{account}/refresh"), json!({})).await, 200);
    assert_eq!(browser.go_to_provider(&again(&port, &account).await).await["client_id"], "client-1");
    let revoked = ask(&port, "POST", &format!("/connected_accounts/{account}/revoke"), json!({})).await;
    assert_eq!(expect(revoked, 200)["revoked_tokens"], json!(["refresh_token", "access_token"]));
    let grants: Vec<_> =
        requests(&provider, "/token").iter().map(|request| form(request)["grant_type"].clone()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    assert_eq!(requests(&provider, "/register").len(), 1);

    let (token, _) = link(&port, json!({ "toolkit": "registering" })).await;
    assert_eq!(browser.go_to_provider(&token).await["client_id"], "client-2");
}

#[tokio::test]
async fn a_client_whose_secret_has_expired_is_registered_again() {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (expires_at, expected) in [(seconds - 1, "client-2"), (seconds + 3_600, "client-1")] {
        let provider = provider(expires_at).await;
        let port = port(&provider).await;
        let (token, account) = link(&port, json!({ "toolkit": "registering" })).await;
        let mut browser = Browser::new(&port);
        assert_eq!(browser.go_to_provider(&token).await["client_id"], "client-1");
        let asked = browser.go_to_provider(&token).await;
        assert_eq!(asked["client_id"], expected);
        let page = browser.come_back(&[("code", "the-code"), ("state", &asked["state"])]).await;
        assert_page(&page, 200, "is connected");
        assert_eq!(form(&requests(&provider, "/token")[0])["client_id"], expected);
        assert_eq!(status(&port, &account).await.0, "ACTIVE");
    }
}

#[tokio::test]
async fn the_page_explains_a_refused_registration() {
    let refused = r#"{"error":"invalid_redirect_uri","error_description":"<b>no","client_secret":"canary"}"#;
    for (step, told, stored) in [
        (
            Step::Send(answer(400, &[], refused)),
            "invalid_redirect_uri (&#60;b&#62;no)",
            "invalid_redirect_uri (<b>no)",
        ),
        (Step::Send(answer(503, &[], "canary")), "status 503", "status 503, try again later"),
        (Step::Send(answer(201, &[], r#"{"client_secret":"canary"}"#)), "status 201", "without a client"),
        (Step::SendAndClose(Vec::new()), "127.0.0.1", "127.0.0.1"),
    ] {
        let provider = Upstream::always(step).await;
        let port = port(&provider).await;
        let (token, account) = link(&port, json!({ "toolkit": "registering" })).await;
        let mut browser = Browser::new(&port);
        let page = browser.submit(&token, &[]).await;
        assert_page(&page, 502, told);
        let (status, reason) = status(&port, &account).await;
        let reason = reason.unwrap();
        assert_eq!(status, "FAILED");
        assert!(reason.starts_with("The provider did not register a client for the account: "), "{reason}");
        assert!(reason.contains(stored), "{reason}");
        assert!(!page.body.contains("canary") && !reason.contains("canary"), "{reason}");
        assert_page(&browser.open(&token).await, 410, "was already used");
        assert_eq!(provider.requests().len(), 1);
    }
}

#[tokio::test]
async fn one_browser_registers_and_no_other() {
    let provider = provider(0).await;
    let port = port(&provider).await;
    let (token, _) = link(&port, json!({ "toolkit": "registering" })).await;
    let (mut first, mut second) = (Browser::new(&port), Browser::new(&port));
    let proofs = [proof(&first.open(&token).await.body), proof(&second.open(&token).await.body)];
    let fields = proofs.each_ref().map(|proof| [("proof", proof.as_str())]);
    let (one, other) =
        tokio::join!(first.post(&token, &fields[0], &[]), second.post(&token, &fields[1], &[]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403], "{one:?} {other:?}");
    assert_eq!(requests(&provider, "/register").len(), 1);
}
