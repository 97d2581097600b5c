//! Several gateways on one PostgreSQL database: what one does counts in all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use proxy_execute_faults::postgres::{Between, Database};
use proxy_execute_gateway::{Clock, GatewayOptions};
use proxy_execute_protocol::ErrorKind;
use proxy_execute_server::{Embedded, check_store, migrate_store};
use serde_json::json;

use crate::connect::{Browser, assert_page, link, oauth_config, status, with_toolkits};
use crate::port::{Port, assert_refused};
use crate::support::{Upstream, assert_error, call, get, json_answer, resource, session, soon};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A provider that grants a token for every request.
async fn provider() -> Upstream {
    let asked = AtomicUsize::new(0);
    Upstream::with(move |request| match request.target.as_str() {
        "/token" => {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            json_answer(
                json!({ "access_token": format!("access-{number}"), "refresh_token": "r", "expires_in": 3600 })
                    .to_string(),
            )
        }
        _ => json_answer(json!(request.header("authorization")).to_string()),
    })
    .await
}

pub(crate) fn on(url: &str, upstream: &Upstream, clock: &Clock) -> GatewayOptions {
    GatewayOptions {
        store: Some(url.to_owned()),
        encryption_key: Some(KEY.into()),
        migrate: true,
        public_url: Some("https://gateway.example".to_owned()),
        clock: clock.clone(),
        ..with_toolkits(upstream)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_of_four_gateways_make_one_token_request() {
    let Some(database) = Database::create().await else { return };
    let (upstream, clock) = (provider().await, Clock::default());
    let mut gateways = Vec::new();
    for _ in 0..4 {
        gateways.push(Embedded::open(on(&database.url, &upstream, &clock)).await.unwrap());
    }
    let config = json!({ "toolkit": { "slug": "oauth" }, "auth_config": { "type": "use_custom_auth",
        "authScheme": "OAUTH2", "credentials": { "client_id": "c", "client_secret": "s" } } });
    let made = resource(&gateways[0], "POST", &["auth_configs"], config).await.unwrap();
    let request = json!({
        "user_id": "ann", "toolkit": "oauth", "auth_config_id": made["auth_config"]["id"],
        "credential": { "authScheme": "OAUTH2", "val": {
            "access_token": "old", "refresh_token": "refresh", "expires_in": 1,
        } },
    });
    let request = proxy_execute_protocol::read_json(request.to_string().as_bytes()).unwrap();
    gateways[1].import_account(request).await.unwrap();
    let session = session(&gateways[2], "ann").await;
    clock.advance(Duration::from_secs(2));
    let calls = (0..400).map(|n| call(&gateways[n % 4], &session, get("oauth")));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap().data(), "Bearer access-0");
    }
    let asked = upstream.requests().iter().filter(|request| request.target == "/token").count();
    assert_eq!(asked, 1);
    for gateway in gateways {
        soon(gateway.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_begins_at_one_gateway_and_ends_at_another() {
    let Some(database) = Database::create().await else { return };
    let (upstream, clock) = (provider().await, Clock::default());
    let a = Port::with(on(&database.url, &upstream, &clock)).await;
    let b = Port::with(on(&database.url, &upstream, &clock)).await;
    oauth_config(&a).await;
    let (token, account) = link(&a, json!({ "toolkit": "oauth" })).await;
    let mut browser = Browser::new(&a);
    let asked = browser.go_to_provider(&token).await;
    browser.address = b.address;
    let back = [("code", "code"), ("state", asked["state"].as_str())];
    assert_page(&browser.come_back(&back).await, 200, "is connected");
    assert_eq!(status(&a, &account).await.0, "ACTIVE");
    browser.address = a.address;
    assert_page(&browser.come_back(&back).await, 400, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_gateway_revokes_is_refused_by_the_other() {
    let Some(database) = Database::create().await else { return };
    let (upstream, clock) = (provider().await, Clock::default());
    let a = Port::with(on(&database.url, &upstream, &clock)).await;
    let b = Port::with(on(&database.url, &upstream, &clock)).await;
    let path = "/api/v3.1/toolkits?limit=1";
    assert_eq!(b.ask_with(&a.key, "GET", path, "").await.status, 200);
    let ids = a.caller.gateway.list_api_keys().await.unwrap();
    // The newest key is that of `b`.
    let id = &ids.iter().min_by_key(|key| key.created_at.clone()).unwrap().id;
    a.caller.gateway.revoke_api_key(id).await.unwrap();
    let revoked = Instant::now();
    loop {
        let asked = revoked.elapsed();
        if b.ask_with(&a.key, "GET", path, "").await.status != 200 {
            break;
        }
        assert!(asked < Duration::from_millis(100), "{asked:?}");
    }
    assert_refused(&b.ask_with(&a.key, "GET", path, "").await, 401, "InvalidApiKey", "");
    assert_eq!(b.ask("GET", path, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_with_503_while_the_database_is_away() {
    let Some(database) = Database::create().await else { return };
    let (upstream, clock) = (provider().await, Clock::default());
    let proxy = Between::forward(&database).await;
    let options = on(&database.through(&proxy), &upstream, &clock);
    let port = Port::with(GatewayOptions { statement_timeout_ms: Some(2_000), ..options }).await;
    let path = format!("/api/v3.1/tool_router/session/{}/proxy_execute", port.caller.session);
    let request = get("header").to_string();
    assert_eq!(port.ask("POST", &path, &request).await.status, 200);
    proxy.cut();
    // The cached rows count for 50 ms.
    tokio::time::sleep(Duration::from_millis(60)).await;
    let refused = port.ask("POST", &path, &request).await;
    assert_refused(&refused, 503, "StoreNotResponding", "store");
    assert!(!refused.body.contains("127.0.0.1"), "{}", refused.body);
    proxy.resume();
    let began = Instant::now();
    while port.ask("POST", &path, &request).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    soon(port.caller.gateway.close()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_migrated_only_if_asked() {
    let Some(database) = Database::create().await else { return };
    let (upstream, clock) = (provider().await, Clock::default());
    let open = async |options: GatewayOptions| Embedded::open(options).await.map(|_| ());
    let asked = on(&database.url, &upstream, &clock);
    let error = assert_error(
        open(GatewayOptions { migrate: false, ..on(&database.url, &upstream, &clock) }).await,
        ErrorKind::StoreUnavailable,
        "store",
    );
    assert!(error.body().suggested_fix.as_ref().is_some_and(|fix| fix.contains("store migrate")), "{error}");
    assert!(migrate_store(&database.url).await.unwrap() > 0);
    assert_eq!(migrate_store(&database.url).await.unwrap(), 0);
    open(GatewayOptions { migrate: false, ..asked }).await.unwrap();
    assert_eq!(check_store(&database.url, &KEY.into()).await.unwrap().pending_migrations, 0);
    assert_error(
        open(GatewayOptions { encryption_key: None, ..on(&database.url, &upstream, &clock) }).await,
        ErrorKind::EncryptionKeyRequired,
        "postgres://",
    );
    let other = GatewayOptions {
        encryption_key: Some("11".repeat(32).into()),
        ..on(&database.url, &upstream, &clock)
    };
    assert_error(open(other).await, ErrorKind::WrongEncryptionKey, "another encryption key");
    let no_connections = GatewayOptions { max_connections: Some(0), ..on(&database.url, &upstream, &clock) };
    assert_error(open(no_connections).await, ErrorKind::InvalidOption, "maxConnections");
}
