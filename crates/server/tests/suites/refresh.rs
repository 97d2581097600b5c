//! Refreshing tokens: when, how often, and the account's state after each response of the token endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use proxy_execute_gateway::{Clock, GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{AccountStatus, Backend, ErrorKind, Result, read_json};
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::port::key;
use crate::support::{
    Answer, Request, Step, Upstream, answer, assert_error, call, deadline, http, import, json_answer,
    resource, session, soon, with_headers,
};

const JSON: &str = "content-type: application/json";

/// A provider: `/token` takes the step for the number of earlier requests, and every other path returns the
/// credential that it got.
pub(crate) async fn provider(token: impl Fn(usize, &Request) -> Step + Send + Sync + 'static) -> Upstream {
    provider_with(token, |request| json_answer(json!(request.header("authorization")).to_string())).await
}

async fn provider_with(
    token: impl Fn(usize, &Request) -> Step + Send + Sync + 'static,
    api: impl Fn(&Request) -> Step + Send + Sync + 'static,
) -> Upstream {
    let asked = AtomicUsize::new(0);
    Upstream::with(move |request| match request.target.as_str() {
        "/token" => token(asked.fetch_add(1, Ordering::SeqCst), request),
        _ => api(request),
    })
    .await
}

/// The response to the token request of this number: tokens that contain the number.
pub(crate) fn granted(number: usize) -> Step {
    json_answer(
        json!({
            "access_token": format!("access-{}", number + 1), "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-{}", number + 1),
        })
        .to_string(),
    )
}

fn refused(code: &str) -> Step {
    Step::Send(answer(400, &[JSON], json!({ "error": code }).to_string()))
}

/// A user of the provider, with an account, in a gateway.
pub(crate) struct User {
    pub(crate) gateway: Embedded,
    clock: Clock,
    pub(crate) provider: Upstream,
    pub(crate) session: String,
    pub(crate) account: String,
    auth_config: String,
}

pub(crate) fn options(provider: &Upstream) -> GatewayOptions {
    let origin = provider.origin();
    GatewayOptions {
        toolkits: vec![ToolkitSource::Definition(json!({
            "slug": "oauth", "name": "OAuth", "base_url": format!("{origin}/v1"),
            "schemes": { "OAUTH2": {
                "headers": { "Authorization": "Bearer {{access_token}}" },
                "authorization_server": {
                    "token_url": format!("{origin}/token"), "revoke_url": format!("{origin}/revoke"),
                },
            } },
        }))],
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        allow_private_redirects: vec!["127.0.0.1".to_owned()],
        ..GatewayOptions::default()
    }
}

async fn auth_config(gateway: &Embedded, credentials: Value) -> String {
    auth_config_of(gateway, "oauth", credentials).await
}

async fn auth_config_of(gateway: &Embedded, toolkit: &str, credentials: Value) -> String {
    let request = json!({
        "toolkit": { "slug": toolkit },
        "auth_config": { "type": "use_custom_auth", "authScheme": "OAUTH2", "credentials": credentials },
    });
    let made = resource(gateway, "POST", &["auth_configs"], request).await.unwrap();
    made["auth_config"]["id"].as_str().unwrap().to_owned()
}

/// Tokens whose access token expires after this time.
pub(crate) fn tokens(expires_in: u64) -> Value {
    json!({ "access_token": "access-0", "refresh_token": "refresh-0", "expires_in": expires_in })
}

impl User {
    async fn new(provider: Upstream, val: Value) -> Self {
        Self::with(options(&provider), provider, val).await
    }

    pub(crate) async fn with(options: GatewayOptions, provider: Upstream, val: Value) -> Self {
        let clock = options.clock.clone();
        let gateway = Embedded::open(options).await.unwrap();
        let auth_config =
            auth_config(&gateway, json!({ "client_id": "our-client", "client_secret": "s" })).await;
        let request = json!({
            "user_id": "ann", "toolkit": "oauth", "auth_config_id": auth_config,
            "credential": { "authScheme": "OAUTH2", "val": val },
        });
        let request = read_json(request.to_string().as_bytes()).unwrap();
        let account = gateway.import_account(request).await.unwrap().id;
        let session = session(&gateway, "ann").await;
        Self { gateway, clock, provider, session, account, auth_config }
    }

    /// A user whose only access token has expired.
    pub(crate) async fn expired(provider: Upstream) -> Self {
        Self::expired_with(provider, |_| {}).await
    }

    /// A user whose only access token has expired, in a gateway with changed options.
    pub(crate) async fn expired_with(provider: Upstream, change: impl FnOnce(&mut GatewayOptions)) -> Self {
        let mut options = options(&provider);
        change(&mut options);
        let user = Self::with(options, provider, tokens(1)).await;
        user.clock.advance(Duration::from_millis(1_050));
        user
    }

    /// Imports an account of another user.
    async fn import_too(&self, user: &str, toolkit: &str, auth_config: &str) {
        let request = json!({
            "user_id": user, "toolkit": toolkit, "auth_config_id": auth_config,
            "credential": { "authScheme": "OAUTH2", "val": tokens(3600) },
        });
        self.gateway.import_account(read_json(request.to_string().as_bytes()).unwrap()).await.unwrap();
    }

    pub(crate) async fn call(&self) -> Result<Answer> {
        call(&self.gateway, &self.session, get()).await
    }

    async fn account(&self) -> Value {
        resource(&self.gateway, "GET", &["connected_accounts", &self.account], Value::Null).await.unwrap()
    }

    async fn refresh(&self) -> Result<Value> {
        resource(&self.gateway, "POST", &["connected_accounts", &self.account, "refresh"], Value::Null).await
    }

    /// The bodies of the token requests so far.
    fn token_requests(&self) -> Vec<String> {
        let all = self.provider.requests();
        let asked = all.iter().filter(|request| request.target == "/token");
        asked.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
    }

    fn calls(&self) -> usize {
        self.provider.requests().iter().filter(|request| request.target.starts_with("/v1")).count()
    }
}

fn get() -> Value {
    json!({ "toolkit_slug": "oauth", "endpoint": "/x", "method": "GET" })
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_for_all_callers() {
    let user = User::expired(provider(|number, _| granted(number)).await).await;
    let calls = (0..200).map(|_| user.call());
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap().data(), "Bearer access-1");
    }
    let requests = user.token_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0],
        "grant_type=refresh_token&refresh_token=refresh-0&client_id=our-client&client_secret=s"
    );
}

#[tokio::test]
async fn a_token_that_expires_soon_is_used_during_its_refresh() {
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider(move |number, _| {
        let Step::Send(bytes) = granted(number) else { unreachable!() };
        Step::SendWhen(Arc::clone(&signal), bytes)
    })
    .await;
    // The margin is a fifth of the 10 s, and the last moment a twentieth.
    let user = User::new(provider, tokens(10)).await;
    assert_eq!(user.call().await.unwrap().data(), "Bearer access-0");
    assert_eq!(user.token_requests().len(), 0, "not yet due");
    user.clock.advance(Duration::from_millis(8_100));
    for _ in 0..3 {
        assert_eq!(user.call().await.unwrap().data(), "Bearer access-0");
    }
    user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
    answered.notify_one();
    let next = async { while user.call().await.unwrap().data() != "Bearer access-1" {} };
    soon(next).await;
    assert_eq!(user.token_requests().len(), 1);
}

#[tokio::test]
async fn the_next_refresh_uses_the_rotated_token() {
    let user = User::expired(provider(|number, _| granted(number)).await).await;
    for number in 1..=3 {
        assert_eq!(user.refresh().await.unwrap()["status"], "ACTIVE");
        assert_eq!(user.call().await.unwrap().data(), format!("Bearer access-{number}"));
    }
    let spent: Vec<_> = user.token_requests();
    for (number, request) in spent.iter().enumerate() {
        assert!(request.contains(&format!("refresh_token=refresh-{number}&")), "{request}");
    }
}

#[tokio::test]
async fn the_old_refresh_token_stays_without_a_new_one() {
    for answered in [
        json!({ "access_token": "access-new", "expires_in": 3600 }),
        json!({ "access_token": "access-new", "expires_in": 3600, "refresh_token": "" }),
        json!({ "access_token": "access-new", "expires_in": 3600, "refresh_token": null }),
        json!({ "access_token": "access-new", "expires_in": 3600, "refresh_token": "refresh-0" }),
    ] {
        let user = User::expired(provider(move |_, _| json_answer(answered.to_string())).await).await;
        assert_eq!(user.call().await.unwrap().data(), "Bearer access-new");
        user.refresh().await.unwrap();
        assert!(user.token_requests()[1].contains("refresh_token=refresh-0&"));
        assert_eq!(user.account().await["status"], "ACTIVE");
    }
}

#[tokio::test]
async fn a_meaningless_lifetime_is_ignored() {
    for expires_in in [json!(null), json!(0), json!(-5), json!("soon")] {
        let text = expires_in.to_string();
        let provider = provider(move |_, _| {
            json_answer(json!({ "access_token": "new", "expires_in": expires_in }).to_string())
        });
        let user = User::expired(provider.await).await;
        for _ in 0..3 {
            assert_eq!(user.call().await.unwrap().data(), "Bearer new", "{text}");
        }
        assert_eq!(user.token_requests().len(), 1, "{text}");
        assert_eq!(user.account().await["state"]["val"].get("expires_in"), None, "{text}");
    }
    // A number in quotes is a number, too.
    let provider = provider(|_, _| json_answer(r#"{"access_token":"new","expires_in":"3600"}"#));
    let user = User::expired(provider.await).await;
    assert_eq!(user.call().await.unwrap().data(), "Bearer new");
    assert_eq!(user.account().await["state"]["val"]["expires_in"], 3600);
}

#[tokio::test]
async fn a_refusal_expires_the_account_with_a_reason() {
    let user = User::expired(provider(|_, _| refused("invalid_grant")).await).await;
    let error = assert_error(user.call().await, ErrorKind::AccountUnusable, "invalid_grant");
    assert!(error.to_string().contains("authorize again"), "{error}");
    let account = user.account().await;
    assert_eq!(account["status"], "EXPIRED");
    let reason = account["status_reason"].as_str().unwrap();
    assert!(reason.starts_with("Permanent auth error during token refresh"), "{reason}");
    assert!(!reason.contains("cut off"), "{reason}");
    for _ in 0..3 {
        assert_error(user.call().await, ErrorKind::NoActiveConnection, "EXPIRED");
    }
    assert_eq!(user.token_requests().len(), 1, "the provider gets no second request");
    assert_eq!(user.calls(), 0);
}

#[tokio::test]
async fn the_error_names_a_refused_client_and_its_account_can_recover() {
    let provider = provider(|number, _| match number {
        0 => Step::Send(answer(401, &[JSON], r#"{"error":"invalid_client"}"#)),
        number => granted(number),
    });
    let user = User::expired(provider.await).await;
    assert_error(user.call().await, ErrorKind::AccountUnusable, &user.auth_config);
    assert_eq!(user.account().await["status"], "EXPIRED");
    assert_eq!(user.refresh().await.unwrap()["status"], "ACTIVE");
    let account = user.account().await;
    assert_eq!((&account["status"], &account["status_reason"]), (&json!("ACTIVE"), &Value::Null));
    assert_eq!(user.call().await.unwrap().data(), "Bearer access-2");
}

#[tokio::test]
async fn a_failing_provider_is_retried_later_and_the_account_stays() {
    let flood = || Step::Repeat(head(200), vec![b'x'; 1024 * 1024], 100);
    fn head(status: u16) -> Vec<u8> {
        crate::support::head(status, &[JSON, "content-length: 104857600"])
    }
    let broken: Vec<(&str, Step)> = vec![
        ("500", Step::Send(answer(500, &[JSON], r#"{"error":"oops"}"#))),
        ("502 in HTML", Step::Send(answer(502, &["content-type: text/html"], "<h1>Bad gateway</h1>"))),
        ("429", Step::Send(answer(429, &[JSON], r#"{"error":"invalid_grant"}"#))),
        ("200 in HTML", Step::Send(answer(200, &["content-type: text/html"], "<h1>Log in</h1>"))),
        ("200 without tokens", json_answer("{}")),
        ("a redirect", Step::Send(answer(302, &["location: https://elsewhere.example/"], ""))),
        ("temporarily_unavailable", refused("temporarily_unavailable")),
        ("100 MB", flood()),
        ("a connection that breaks", Step::SendAndReset(Vec::new())),
        ("half a response", Step::SendAndClose(answer(200, &[JSON], r#"{"access_token":"a"}"#)[..60].into())),
    ];
    for (what, step) in broken {
        let user = User::expired(
            provider(move |number, _| if number == 0 { step.clone() } else { granted(number) }).await,
        )
        .await;
        let error = assert_error(user.call().await, ErrorKind::TokenRefreshFailed, &user.account);
        let wait = error.retry_after().unwrap();
        assert!((25..=36).contains(&wait.as_secs()), "{what}: {wait:?}");
        let account = user.account().await;
        assert_eq!(
            (&account["status"], &account["status_reason"]),
            (&json!("ACTIVE"), &Value::Null),
            "{what}"
        );
        assert_error(user.call().await, ErrorKind::TokenRefreshFailed, "The next refresh is at");
        assert_eq!(user.token_requests().len(), 1, "{what}: the provider gets no second request so soon");
        // A caller that requests a refresh does not wait for the pause.
        assert_eq!(user.refresh().await.unwrap()["status"], "ACTIVE", "{what}");
        assert_eq!(user.call().await.unwrap().data(), "Bearer access-2", "{what}");
    }
}

#[tokio::test]
async fn refreshes_are_counted_by_their_outcome() {
    for (outcome, step) in [
        ("renewed", granted(0)),
        ("failed", Step::Send(answer(500, &[JSON], "{}"))),
        ("refused", refused("invalid_grant")),
    ] {
        let user = User::expired(provider(move |_, _| step.clone()).await).await;
        user.gateway.metrics().await.unwrap();
        _ = user.call().await;
        let text = user.gateway.metrics().await.unwrap();
        let lines: Vec<_> =
            text.lines().filter(|line| line.starts_with("proxy_execute_refreshes_total{")).collect();
        let expected = format!(r#"proxy_execute_refreshes_total{{toolkit="oauth",outcome="{outcome}"}} 1"#);
        assert_eq!(lines, [expected]);
    }
}

#[tokio::test]
async fn a_refused_refresh_tells_the_caller_when_to_retry() {
    let user = User::expired(provider(|_, _| Step::Send(answer(500, &[JSON], "{}"))).await).await;
    let path = ["connected_accounts", &user.account, "refresh"];
    let request = json!({ "method": "POST", "path": path }).to_string();
    let answer = user.gateway.resource(read_json(request.as_bytes()).unwrap(), deadline()).await;
    let error = assert_error(answer, ErrorKind::TokenRefreshFailed, &user.account);
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(20)), "{error:?}");
}

#[tokio::test]
async fn a_provider_sets_the_pause_up_to_an_hour() {
    for (status, asked, least, most) in
        [(429, "1800", 1_790, 1_800), (503, "86400", 3_590, 3_600), (429, "1", 25, 36), (400, "soon", 25, 36)]
    {
        let later = answer(status, &[JSON, &format!("retry-after: {asked}")], r#"{"error":"slow_down"}"#);
        let user = User::expired(provider(move |_, _| Step::Send(later.clone())).await).await;
        let error = assert_error(user.call().await, ErrorKind::TokenRefreshFailed, &user.account);
        let wait = error.retry_after().unwrap().as_secs();
        assert!((least..=most).contains(&wait), "{status}, {asked}: {wait}");
    }
}

#[tokio::test]
async fn a_valid_token_is_used_while_the_provider_fails() {
    let provider = provider(|_, _| Step::Send(answer(503, &[], ""))).await;
    let user = User::new(provider, tokens(10)).await;
    user.clock.advance(Duration::from_millis(8_100));
    for _ in 0..5 {
        assert_eq!(user.call().await.unwrap().data(), "Bearer access-0");
    }
    user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
    for _ in 0..5 {
        assert_eq!(user.call().await.unwrap().data(), "Bearer access-0");
    }
    assert_eq!(user.token_requests().len(), 1);
    assert_eq!(user.account().await["status"], "ACTIVE");
}

#[tokio::test]
async fn a_provider_that_hangs_delays_a_call_up_to_its_own_limit() {
    let provider = provider(|_, _| Step::SendAndHang(Vec::new())).await;
    let options = GatewayOptions { upstream_timeout_ms: Some(1_500), ..options(&provider) };
    let user = User::with(options, provider, tokens(1)).await;
    user.clock.advance(Duration::from_millis(1_050));
    let started = Instant::now();
    assert_error(user.call().await, ErrorKind::TokenRefreshFailed, "1.5s");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(user.calls(), 0);
    assert_eq!(user.account().await["status"], "ACTIVE");
    // The token request itself ends after 20 s; closing does not wait for so long.
    user.gateway.close().await;
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_dropped_caller_does_not_cancel_a_refresh() {
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider(move |number, _| {
        let Step::Send(bytes) = granted(number) else { unreachable!() };
        Step::SendWhen(Arc::clone(&signal), bytes)
    });
    let user = User::expired(provider.await).await;
    {
        let call = user.call();
        tokio::pin!(call);
        let asked =
            user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token"));
        tokio::select! { _ = &mut call => panic!("it should wait"), () = asked => {} }
    }
    answered.notify_one();
    assert_eq!(user.call().await.unwrap().data(), "Bearer access-1");
    assert_eq!(user.token_requests().len(), 1);
}

#[tokio::test]
async fn closing_waits_for_a_refresh_in_flight() {
    closing_waits_for_a_refresh(false).await;
}

#[tokio::test]
async fn closing_waits_for_a_refresh_of_a_disconnected_caller() {
    closing_waits_for_a_refresh(true).await;
}

async fn closing_waits_for_a_refresh(on_port: bool) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("gateway.db").to_str().unwrap().to_owned();
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider(move |number, _| {
        let Step::Send(bytes) = granted(number) else { unreachable!() };
        if number == 0 { Step::SendWhen(Arc::clone(&signal), bytes) } else { Step::Send(bytes) }
    })
    .await;
    let in_file = |provider: &Upstream| GatewayOptions {
        store: Some(store.clone()),
        encryption_key: Some("11".repeat(32).into()),
        ..options(provider)
    };
    let user = User::with(in_file(&provider), provider.clone(), tokens(1)).await;
    user.clock.advance(Duration::from_millis(1_050));
    let address = user.gateway.listen(Listen::default()).await.unwrap();
    let key = key(&user.gateway, json!({})).await.unwrap();
    let call = tokio::spawn({
        let (gateway, session) = (user.gateway.clone(), user.session.clone());
        async move {
            if on_port {
                let path = format!("/api/v3.1/tool_router/session/{session}/proxy_execute");
                http(address, "POST", &path, &[("x-api-key", &key)], &get().to_string()).await;
            } else {
                _ = call(&gateway, &session, get()).await;
            }
        }
    });
    user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
    call.abort();
    let closing = tokio::spawn({
        let gateway = user.gateway.clone();
        async move { gateway.close().await }
    });
    user.gateway.closing().await;
    // Time for the refresh to end with the threads of the port, which must not happen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!closing.is_finished());
    answered.notify_one();
    soon(closing).await.unwrap();

    let gateway = Embedded::open(in_file(&provider)).await.unwrap();
    let session = session(&gateway, "ann").await;
    assert_eq!(call_data(&gateway, &session).await, "Bearer access-1");
    assert_eq!(user.token_requests().len(), 1);
}

async fn call_data(gateway: &Embedded, session: &str) -> Value {
    call(gateway, session, get()).await.unwrap().data()
}

/// The store knows a refresh that was cut off. It is retried once.
#[tokio::test]
async fn a_refresh_without_a_response_is_retried_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("gateway.db").to_str().unwrap().to_owned();
    let provider = provider(|number, _| match number {
        0 => Step::SendAndHang(Vec::new()),
        _ => refused("invalid_grant"),
    })
    .await;
    let in_file = GatewayOptions {
        store: Some(store.clone()),
        encryption_key: Some("11".repeat(32).into()),
        upstream_timeout_ms: Some(500),
        ..options(&provider)
    };
    let user = User::with(in_file, provider, tokens(1)).await;
    user.clock.advance(Duration::from_millis(1_050));
    assert_error(user.call().await, ErrorKind::TokenRefreshFailed, "not refreshed within");
    // Closing cuts the refresh off. 30 s later, its lease has expired.
    user.gateway.close().await;
    let database = SqlitePool::connect(&format!("sqlite:{store}")).await.unwrap();
    let noted: (i64, Option<String>) =
        sqlx::query_as("SELECT unanswered, lease_holder FROM connected_accounts")
            .fetch_one(&database)
            .await
            .unwrap();
    assert_eq!(noted.0, 1);
    assert!(noted.1.is_some());
    sqlx::query("UPDATE connected_accounts SET lease_until = 1").execute(&database).await.unwrap();
    database.close().await;

    let in_file = GatewayOptions {
        store: Some(store),
        clock: user.clock.clone(),
        encryption_key: Some("11".repeat(32).into()),
        ..options(&user.provider)
    };
    let gateway = Embedded::open(in_file).await.unwrap();
    let session = session(&gateway, "ann").await;
    let error = assert_error(call(&gateway, &session, get()).await, ErrorKind::AccountUnusable, "cut off");
    assert!(error.to_string().contains("authorize again"), "{error}");
    assert_error(call(&gateway, &session, get()).await, ErrorKind::NoActiveConnection, "EXPIRED");
    assert_eq!(user.token_requests().len(), 2);
}

/// An API that accepts tokens from this number on, and responds to others with this status.
async fn strict(status: u16, from: usize) -> Upstream {
    provider_with(
        |number, _| granted(number),
        move |request| {
            let credential = request.header("authorization").unwrap_or_default();
            let number: Option<usize> =
                credential.strip_prefix("Bearer access-").and_then(|text| text.parse().ok());
            if number.is_some_and(|number| number >= from) {
                json_answer(json!(credential).to_string())
            } else {
                Step::Send(answer(status, &[JSON], json!({ "got": credential }).to_string()))
            }
        },
    )
    .await
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_and_the_call_retried_once() {
    // Each form of a body that the call itself holds.
    for (name, body) in [
        ("body", json!({ "b": [1, 2] })),
        ("binary_body", json!({ "text": r#"{"b":[1,2]}"# })),
        ("binary_body", json!({ "base64": "eyJiIjpbMSwyXX0=" })),
    ] {
        let user = User::new(strict(401, 1).await, tokens(3600)).await;
        let request = json!({
            "toolkit_slug": "oauth", "endpoint": "/x?a=1", "method": "POST", name: body,
            "parameters": [{ "name": "X-Own", "value": "1", "type": "header" }],
        });
        let replayed = call(&user.gateway, &user.session, request).await.unwrap();
        assert_eq!((replayed.status(), replayed.data()), (200, json!("Bearer access-1")), "{body}");
        assert_eq!((user.token_requests().len(), user.calls()), (1, 2), "{body}");
        let requests = user.provider.requests();
        let sent: Vec<_> = requests.into_iter().filter(|it| it.target == "/v1/x?a=1").collect();
        assert_eq!(sent[0].body, br#"{"b":[1,2]}"#, "{body}");
        assert_eq!(sent[0].body, sent[1].body, "{body}");
        assert_eq!(sent[1].header("x-own"), Some("1"), "{body}");
    }
}

#[tokio::test]
async fn a_second_rejection_is_returned() {
    let user = User::new(strict(401, 99).await, tokens(3600)).await;
    let answer = user.call().await.unwrap();
    assert_eq!((answer.status(), answer.data()["got"].clone()), (401, json!("Bearer access-1")));
    assert_eq!((user.token_requests().len(), user.calls()), (1, 2));
    // Another new token would not help, so the gateway requests none for a while.
    assert_eq!(user.call().await.unwrap().status(), 401);
    assert_eq!((user.token_requests().len(), user.calls()), (1, 3));
    assert_eq!(user.account().await["status"], "ACTIVE");
}

#[tokio::test]
async fn other_statuses_and_other_credentials_are_not_retried() {
    for status in [400, 403, 407, 419, 500] {
        let user = User::new(strict(status, 1).await, tokens(3600)).await;
        assert_eq!(user.call().await.unwrap().status(), u64::from(status));
        assert_eq!((user.token_requests().len(), user.calls()), (0, 1), "{status}");
    }
    let user = User::new(strict(401, 1).await, tokens(3600)).await;
    let own = with_headers(get(), &[("Authorization", "Bearer my-own")]);
    assert_eq!(call(&user.gateway, &user.session, own).await.unwrap().status(), 401);
    assert_eq!(
        (user.token_requests().len(), user.calls()),
        (0, 1),
        "the caller's own credential was rejected"
    );

    let without = User::new(strict(401, 1).await, json!({ "access_token": "access-0" })).await;
    assert_eq!(without.call().await.unwrap().status(), 401);
    assert_eq!(without.token_requests().len(), 0, "there is no refresh token");
}

#[tokio::test]
async fn a_401_of_another_origin_refreshes_nothing() {
    let rejecting = Upstream::always(Step::Send(answer(401, &[JSON], "{}"))).await;
    for (target, refreshes) in [(format!("{}/there", rejecting.origin()), 0), ("/v1/there".to_owned(), 1)] {
        let provider = provider_with(
            |number, _| granted(number),
            move |request| match request.target.as_str() {
                "/v1/there" => Step::Send(answer(401, &[JSON], "{}")),
                _ => Step::Send(answer(302, &[&format!("location: {target}")], "")),
            },
        );
        let user = User::new(provider.await, tokens(3600)).await;
        assert_eq!(user.call().await.unwrap().status(), 401);
        assert_eq!(user.token_requests().len(), refreshes);
    }
    assert_eq!(rejecting.requests().len(), 1, "the call was sent once");
    assert_eq!(rejecting.request().header("authorization"), None);
}

#[tokio::test]
async fn a_rejection_without_a_refresh_is_returned() {
    let provider =
        provider_with(|_, _| refused("invalid_grant"), |_| Step::Send(answer(401, &[JSON], r#""no""#)));
    let user = User::new(provider.await, tokens(3600)).await;
    let answer = user.call().await.unwrap();
    assert_eq!((answer.status(), answer.data()), (401, json!("no")));
    assert_eq!(user.account().await["status"], "EXPIRED");
}

#[tokio::test]
async fn many_rejections_at_once_cause_one_refresh() {
    let user = User::new(strict(401, 1).await, tokens(3600)).await;
    for answer in join_all((0..100).map(|_| user.call())).await {
        assert_eq!(answer.unwrap().data(), "Bearer access-1");
    }
    assert_eq!(user.token_requests().len(), 1);
}

#[tokio::test]
async fn without_a_client_nothing_is_refreshed_and_the_error_says_what_to_do() {
    let provider = provider(|number, _| granted(number)).await;
    let options = options(&provider);
    let clock = options.clock.clone();
    let gateway = Embedded::open(options).await.unwrap();
    let account = import(&gateway, "ann", "oauth", json!({ "authScheme": "OAUTH2", "val": tokens(1) })).await;
    let session = session(&gateway, "ann").await;
    assert_eq!(call_data(&gateway, &session).await, "Bearer access-0");
    clock.advance(Duration::from_millis(1_050));
    let error = call(&gateway, &session, get()).await;
    assert_error(error, ErrorKind::NoActiveConnection, "has no OAuth client");
    let as_account = json!({ "connected_account_id": account.id, "endpoint": "/x", "method": "GET" });
    let error = crate::support::tools_call(&gateway, as_account).await;
    let error = assert_error(error, ErrorKind::AccountUnusable, "client_secret");
    assert!(error.to_string().contains(&account.auth_config.id), "{error}");

    let client = json!({ "type": "default", "credentials": { "client_id": "c", "client_secret": "s" } });
    resource(&gateway, "PATCH", &["auth_configs", &account.auth_config.id], client).await.unwrap();
    assert_eq!(call_data(&gateway, &session).await, "Bearer access-1");
}

#[tokio::test]
async fn an_import_takes_an_auth_config_of_its_toolkit_and_scheme_only() {
    let user = User::new(provider(|number, _| granted(number)).await, tokens(3600)).await;
    let import = async |auth_config_id: &str, toolkit: &str, credential: Value| {
        let request = json!({
            "user_id": "bob", "toolkit": toolkit, "credential": credential, "auth_config_id": auth_config_id,
        });
        user.gateway.import_account(read_json(request.to_string().as_bytes()).unwrap()).await
    };
    let oauth = json!({ "authScheme": "OAUTH2", "val": tokens(1) });
    assert_error(import("ac_none", "oauth", oauth.clone()).await, ErrorKind::AuthConfigNotFound, "ac_none");
    let key = json!({ "authScheme": "BEARER_TOKEN", "val": { "token": "t" } });
    let error = import(&user.auth_config, "github", key).await;
    assert_error(error, ErrorKind::InvalidRequest, "auth_config_id");
    let account = import(&user.auth_config, "oauth", oauth).await.unwrap();
    assert_eq!(account.auth_config.id, user.auth_config);
}

#[tokio::test]
async fn idle_accounts_are_refreshed_on_their_own() {
    let provider = provider(|number, _| granted(number)).await;
    let options = GatewayOptions { refresh_idle_after_ms: Some(1), ..options(&provider) };
    let user = User::with(options, provider, tokens(3600)).await;
    user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
    let refreshed = async { while user.call().await.unwrap().data() == "Bearer access-0" {} };
    soon(refreshed).await;
    user.gateway.close().await;
}

/// Options of a gateway whose store is a file in this folder.
fn in_file(folder: &TempDir, provider: &Upstream) -> GatewayOptions {
    GatewayOptions {
        store: Some(folder.path().join("gateway.db").display().to_string()),
        encryption_key: Some("11".repeat(32).into()),
        ..options(provider)
    }
}

#[tokio::test]
async fn closing_starts_no_further_refresh_of_idle_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider(move |number, _| {
        let Step::Send(bytes) = granted(number) else { unreachable!() };
        Step::SendWhen(Arc::clone(&signal), bytes)
    });
    let provider = provider.await;
    let user = User::with(in_file(&folder, &provider), provider.clone(), tokens(3600)).await;
    for number in 1..10 {
        user.import_too(&format!("user-{number}"), "oauth", &user.auth_config).await;
    }
    user.gateway.close().await;

    let options = GatewayOptions { refresh_idle_after_ms: Some(1), ..in_file(&folder, &provider) };
    let gateway = Embedded::open(options).await.unwrap();
    // As many as are refreshed at once.
    provider.has_seen(|seen| seen.requests.len() == 4).await;
    let closing = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.close().await }
    });
    gateway.closing().await;
    let all_answered = async {
        while !closing.is_finished() {
            answered.notify_waiters();
            tokio::task::yield_now().await;
        }
    };
    soon(all_answered).await;
    assert_eq!(user.token_requests().len(), 4);
}

#[tokio::test]
async fn accounts_that_cannot_be_refreshed_do_not_block_others() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider(|number, _| granted(number)).await;
    // A credential with a refresh token, and no authorization server.
    let stuck = json!({
        "slug": "stuck", "name": "Stuck", "base_url": "https://api.example",
        "schemes": { "OAUTH2": { "headers": { "Authorization": "Bearer {{access_token}}" } } },
    });
    let with_both = || {
        let mut options = in_file(&folder, &provider);
        options.toolkits.push(ToolkitSource::Definition(stuck.clone()));
        options
    };
    let user = User::with(with_both(), provider.clone(), tokens(3600)).await;
    user.gateway.delete_account(&user.account).await.unwrap();
    let client = json!({ "client_id": "our-client", "client_secret": "s" });
    let config = auth_config_of(&user.gateway, "stuck", client).await;
    // As many as one lookup returns.
    for number in 0..100 {
        user.import_too(&format!("user-{number}"), "stuck", &config).await;
    }
    user.import_too("ann", "oauth", &user.auth_config).await;
    user.gateway.close().await;

    let options = GatewayOptions { refresh_idle_after_ms: Some(1), ..with_both() };
    let gateway = Embedded::open(options).await.unwrap();
    provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
    gateway.close().await;
}

#[tokio::test]
async fn a_change_based_on_the_old_credential_does_not_restore_a_spent_token() {
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider(move |number, _| {
        let Step::Send(bytes) = granted(number) else { unreachable!() };
        Step::SendWhen(Arc::clone(&signal), bytes)
    });
    let user = User::expired(provider.await).await;
    let change =
        json!({ "connection": { "state": { "authScheme": "OAUTH2", "val": { "subdomain": "x" } } } });
    let path = ["connected_accounts", user.account.as_str()];
    let (call, ()) = tokio::join!(user.call(), async {
        user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
        let error = resource(&user.gateway, "PATCH", &path, change.clone()).await;
        assert_error(error, ErrorKind::Conflict, "refreshed");
        answered.notify_one();
    });
    assert_eq!(call.unwrap().data(), "Bearer access-1");
    resource(&user.gateway, "PATCH", &path, change).await.unwrap();
    answered.notify_one();
    user.refresh().await.unwrap();
    assert!(user.token_requests()[1].contains("refresh_token=refresh-1&"));
}

/// A provider that responds to a revocation with this status.
pub(crate) async fn taking_back(status: u16) -> Upstream {
    provider_with(
        |number, _| granted(number),
        move |request| match request.target.as_str() {
            "/revoke" => Step::Send(answer(status, &[], "")),
            _ => json_answer("{}"),
        },
    )
    .await
}

pub(crate) fn taken_back(provider: &Upstream) -> Vec<String> {
    let all = provider.requests();
    let asked = all.iter().filter(|request| request.target == "/revoke");
    asked.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

#[tokio::test]
async fn a_revoked_accounts_tokens_are_revoked_at_the_provider() {
    let user = User::new(taking_back(200).await, tokens(3600)).await;
    let path = ["connected_accounts", user.account.as_str(), "revoke"];
    let revoked = resource(&user.gateway, "POST", &path, Value::Null).await.unwrap();
    assert_eq!(revoked["revoked_tokens"], json!(["refresh_token", "access_token"]));
    assert_eq!((&revoked["not_revoked"], &revoked["status"]), (&json!([]), &json!("REVOKED")));
    assert_eq!(
        taken_back(&user.provider),
        [
            "token=refresh-0&client_id=our-client&client_secret=s",
            "token=access-0&client_id=our-client&client_secret=s"
        ]
    );
    let val = user.account().await["state"]["val"].clone();
    assert_eq!(val, json!({ "status": "REVOKED" }));
    assert_error(user.call().await, ErrorKind::NoActiveConnection, "REVOKED");
}

async fn revoke_and_delete(gateway: &Embedded, id: &str) -> Value {
    let path = ["connected_accounts", id];
    let request = json!({ "method": "DELETE", "path": path, "query": [["revoke_on_delete", "true"]] });
    let request = read_json(request.to_string().as_bytes()).unwrap();
    serde_json::from_str(&soon(gateway.resource(request, deadline())).await.unwrap()).unwrap()
}

#[tokio::test]
async fn an_unusable_account_can_be_revoked_and_deleted() {
    for without_toolkit in [true, false] {
        for delete in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let provider = taking_back(200).await;
            let mut options = in_file(&folder, &provider);
            let user = User::with(in_file(&folder, &provider), provider, tokens(3600)).await;
            user.gateway.close().await;
            if without_toolkit {
                options.toolkits.clear();
            } else {
                let file = format!("sqlite:{}", options.store.as_ref().unwrap());
                let database = SqlitePool::connect(&file).await.unwrap();
                sqlx::query("UPDATE connected_accounts SET credential = x'00'")
                    .execute(&database)
                    .await
                    .unwrap();
                database.close().await;
            }
            let gateway = Embedded::open(options).await.unwrap();
            let path = ["connected_accounts", user.account.as_str(), "revoke"];
            let answer = if delete {
                revoke_and_delete(&gateway, &user.account).await
            } else {
                resource(&gateway, "POST", &path, Value::Null).await.unwrap()
            };
            assert_eq!((&answer["success"], &answer["revoked_tokens"]), (&json!(true), &json!([])));
            let failures = answer["not_revoked"].as_array().unwrap();
            let says = if without_toolkit { "oauth" } else { "cannot be opened" };
            assert!(failures.len() == 1 && failures[0].as_str().unwrap().contains(says), "{failures:?}");
            let left = gateway.account(&user.account).await;
            match delete {
                true => _ = assert_error(left, ErrorKind::AccountNotFound, &user.account),
                false => assert_eq!(left.unwrap().status, AccountStatus::Revoked),
            }
            gateway.close().await;
        }
    }
}

#[tokio::test]
async fn a_concurrently_deleted_account_is_not_revoked() {
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider_with(
        |number, _| granted(number),
        move |_| Step::SendWhen(Arc::clone(&signal), answer(200, &[], "")),
    );
    let user = User::new(provider.await, json!({ "access_token": "access-0" })).await;
    let path = ["connected_accounts", user.account.as_str(), "revoke"];
    let (revoked, ()) = tokio::join!(resource(&user.gateway, "POST", &path, Value::Null), async {
        user.provider.has_seen(|seen| !seen.requests.is_empty()).await;
        user.gateway.delete_account(&user.account).await.unwrap();
        answered.notify_one();
    });
    assert_error(revoked, ErrorKind::AccountNotFound, &user.account);
}

#[tokio::test]
async fn tokens_are_deleted_here_even_if_the_provider_does_not_revoke_them() {
    for delete in [false, true] {
        let user = User::new(taking_back(503).await, tokens(3600)).await;
        let path = ["connected_accounts", user.account.as_str(), "revoke"];
        let answer = if delete {
            revoke_and_delete(&user.gateway, &user.account).await
        } else {
            resource(&user.gateway, "POST", &path, Value::Null).await.unwrap()
        };
        assert_eq!((&answer["success"], &answer["revoked_tokens"]), (&json!(true), &json!([])));
        let failures = answer["not_revoked"].as_array().unwrap();
        assert_eq!(failures.len(), 2);
        assert!(failures[0].as_str().unwrap().starts_with("refresh_token: "), "{failures:?}");
        assert!(failures[0].as_str().unwrap().contains("503"), "{failures:?}");
        let left = user.gateway.account(&user.account).await;
        match delete {
            true => _ = assert_error(left, ErrorKind::AccountNotFound, &user.account),
            false => assert_eq!(left.unwrap().status, AccountStatus::Revoked),
        }
    }
    let user = User::new(taking_back(200).await, tokens(3600)).await;
    let deleted =
        resource(&user.gateway, "DELETE", &["connected_accounts", &user.account], Value::Null).await;
    assert_eq!(deleted.unwrap(), json!({ "success": true }));
    assert!(taken_back(&user.provider).is_empty(), "no other token was revoked");
}

#[tokio::test]
async fn the_tokens_of_a_concurrent_refresh_are_revoked_too() {
    let answered = Arc::new(Notify::new());
    let signal = Arc::clone(&answered);
    let provider = provider(move |number, _| {
        let Step::Send(bytes) = granted(number) else { unreachable!() };
        Step::SendWhen(Arc::clone(&signal), bytes)
    });
    let user = User::expired(provider.await).await;
    let path = ["connected_accounts", user.account.as_str(), "revoke"];
    let (call, revoked) = tokio::join!(user.call(), async {
        user.provider.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/token")).await;
        let revoked = resource(&user.gateway, "POST", &path, Value::Null);
        let (revoked, ()) = tokio::join!(revoked, async { answered.notify_one() });
        revoked
    });
    drop(call);
    assert_eq!(revoked.unwrap()["status"], "REVOKED");
    assert!(taken_back(&user.provider)[0].starts_with("token=refresh-1&"));
}

/// A time in the store that lies hours ahead was written before the clock was set back.
#[tokio::test]
async fn a_clock_that_was_set_back_delays_no_refresh() {
    for (what, change, expires_in) in [
        ("a lease", "lease_holder = 'gone', lease_until = AHEAD", 1),
        ("a lease without a holder", "lease_until = AHEAD", 1),
        ("a pause", "retry_at = AHEAD, failures = 3, problem = 'it failed'", 1),
        ("a renewal", "refreshed_at = AHEAD, credential_at = AHEAD, expires_at = AHEAD + 3600000", 3600),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let provider = strict(401, 1).await;
        let user = User::with(in_file(&folder, &provider), provider.clone(), tokens(expires_in)).await;
        user.gateway.close().await;
        user.clock.advance(Duration::from_millis(1_050));
        let file = format!("sqlite:{}", folder.path().join("gateway.db").display());
        let database = SqlitePool::connect(&file).await.unwrap();
        let change = change.replace("AHEAD", "(CAST(unixepoch('subsec') * 1000 AS INTEGER) + 18000000)");
        let update = format!("UPDATE connected_accounts SET {change}");
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(&database).await.unwrap();
        database.close().await;

        let options = GatewayOptions { clock: user.clock.clone(), ..in_file(&folder, &provider) };
        let gateway = Embedded::open(options).await.unwrap();
        let session = session(&gateway, "ann").await;
        let started = Instant::now();
        let answer = call(&gateway, &session, get()).await;
        assert_eq!(answer.expect(what).data(), "Bearer access-1", "{what}");
        assert!(started.elapsed() < Duration::from_secs(10), "{what}: {:?}", started.elapsed());
        assert_eq!(user.token_requests().len(), 1, "{what}");
        gateway.close().await;
    }
}

#[tokio::test]
async fn a_lease_of_another_process_is_respected_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider(|number, _| granted(number)).await;
    let options = || GatewayOptions { upstream_timeout_ms: Some(1_500), ..in_file(&folder, &provider) };
    let user = User::with(options(), provider.clone(), tokens(1)).await;
    user.gateway.close().await;
    user.clock.advance(Duration::from_millis(1_050));
    let file = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let database = SqlitePool::connect(&file).await.unwrap();
    // A clock that is set back by a second ends no lease. This lease is 1 050 ms ahead of SQLite's clock.
    let update = "UPDATE connected_accounts SET lease_holder = 'other', \
                  lease_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) + 32050";
    sqlx::query(update).execute(&database).await.unwrap();
    database.close().await;
    let gateway = Embedded::open(GatewayOptions { clock: user.clock.clone(), ..options() }).await.unwrap();
    let session = session(&gateway, "ann").await;
    assert_error(call(&gateway, &session, get()).await, ErrorKind::TokenRefreshFailed, "1.5s");
    assert_eq!(user.token_requests().len(), 0);
    gateway.close().await;
}

#[tokio::test]
async fn the_response_to_a_revocation_is_read_as_the_table_says() {
    for (status, body, revoked) in [
        (200, "", true),
        (200, "{}", true),
        (200, "OK", true),
        (200, r#"{"ok":true,"revoked":true}"#, true),
        (200, r#"{"ok":false,"error":"not_authed"}"#, false),
        (200, r#"{"error":"server_error"}"#, false),
        // The token is already invalid, as intended.
        (200, r#"{"ok":false,"error":"token_revoked"}"#, true),
        (400, r#"{"error":"invalid_token","error_description":"Token expired or revoked"}"#, true),
        (401, r#"{"error":"invalid_client"}"#, false),
        (400, r#"{"error":"unsupported_token_type"}"#, false),
    ] {
        let provider = provider_with(
            |number, _| granted(number),
            move |request| match request.target.as_str() {
                "/revoke" => Step::Send(answer(status, &[JSON], body)),
                _ => json_answer("{}"),
            },
        );
        let user = User::new(provider.await, tokens(3600)).await;
        let path = ["connected_accounts", user.account.as_str(), "revoke"];
        let answer = resource(&user.gateway, "POST", &path, Value::Null).await.unwrap();
        assert_eq!(answer["revoked_tokens"].as_array().unwrap().len(), if revoked { 2 } else { 0 }, "{body}");
        assert_eq!(answer["not_revoked"].as_array().unwrap().len(), if revoked { 0 } else { 2 }, "{body}");
    }
}
