//! Webhooks: subscriptions on the wire, signed deliveries over real sockets, and receivers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use proxy_execute_gateway::{Clock, GatewayOptions, RotationProgress, rotate_key};
use proxy_execute_protocol::ErrorKind;
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::port::{Port, VERSIONS, assert_refused, key};
use crate::resources::{ask, expect, read, text};
use crate::support::{
    Request, Step, Upstream, answer, assert_error, credential, http, import, json_answer, options, resource,
    soon,
};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NEW_KEY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const PATH: &str = "webhook_subscriptions";
const CONNECTED: &str = "composio.connected_account.connected";

/// A gateway without a port, whose clock the test moves.
struct Sender {
    gateway: Embedded,
    clock: Clock,
}

impl Sender {
    async fn open(receiver: &Upstream) -> Self {
        Self::with(options(receiver)).await
    }

    async fn with(options: GatewayOptions) -> Self {
        let clock = Clock::default();
        let gateway = Embedded::open(GatewayOptions { clock: clock.clone(), ..options }).await.unwrap();
        Self { gateway, clock }
    }

    async fn resource(&self, method: &str, path: &[&str], body: Value) -> Value {
        soon(resource(&self.gateway, method, &[&[PATH], path].concat(), body)).await.unwrap()
    }

    /// Creates a subscription, and returns its id and its secret.
    async fn subscribe(&self, url: &str) -> (String, String) {
        let request = json!({ "webhook_url": url, "enabled_events": [CONNECTED] });
        let made = self.resource("POST", &[], request).await;
        (text(&made["id"]), text(&made["secret"]))
    }

    /// Makes an event.
    async fn connect(&self, user: &str) -> String {
        import(&self.gateway, user, "header", credential("header", "a-secret")).await.id
    }

    async fn deliveries(&self, id: &str) -> Vec<Value> {
        self.resource("GET", &[id, "deliveries"], Value::Null).await["items"].as_array().unwrap().clone()
    }

    /// Waits until the only delivery of a subscription fulfils a condition, and returns it.
    async fn delivery(&self, id: &str, condition: impl Fn(&Value) -> bool) -> Value {
        soon(async {
            loop {
                let all = self.deliveries(id).await;
                if let [delivery] = &all[..]
                    && condition(delivery)
                {
                    return delivery.clone();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    /// Waits until the first attempt has failed, and returns why.
    async fn problem(&self, id: &str) -> String {
        text(&self.delivery(id, |delivery| delivery["problem"].is_string()).await["problem"])
    }
}

fn hook(receiver: &Upstream) -> String {
    format!("{}/hook?a=1", receiver.origin())
}

/// Asserts that these secrets sign a webhook, each once.
#[track_caller]
fn assert_signed(webhook: &Request, secrets: &[&str]) {
    let header = |name: &str| webhook.header(name).unwrap();
    let signed = [header("webhook-id"), ".", header("webhook-timestamp"), "."].concat();
    let signed = [signed.as_bytes(), &webhook.body].concat();
    let expected: Vec<_> = secrets
        .iter()
        .map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            format!("v1,{}", BASE64.encode(hmac::sign(&key, &signed).as_ref()))
        })
        .collect();
    assert_eq!(header("webhook-signature"), expected.join(" "));
}

#[tokio::test]
async fn a_subscription_is_created_changed_and_deleted_and_shows_its_secret_twice() {
    let receiver = Upstream::pleasant().await;
    let port = Port::open(&receiver).await;
    let request = json!({ "webhook_url": hook(&receiver), "enabled_events": [CONNECTED, "composio.trigger.message",
        CONNECTED], "version": "V3" });
    let made = expect(ask(&port, "POST", "/webhook_subscriptions", request).await, 201);
    let (id, secret) = (text(&made["id"]), text(&made["secret"]));
    assert!(id.starts_with("whs_") && secret.starts_with("whsec_"), "{made}");
    assert_eq!(made["enabled_events"], json!([CONNECTED, "composio.trigger.message"]));
    let path = format!("/webhook_subscriptions/{id}");
    let shown = read(&port, &path).await;
    assert_eq!((&shown["webhook_url"], &shown["version"]), (&json!(hook(&receiver)), &json!("V3")));
    assert_eq!(shown.get("secret"), None);
    for version in VERSIONS {
        let page = port.ask("GET", &format!("{version}/webhook_subscriptions?limit=1"), "").await.json();
        assert_eq!(
            (&page["items"], &page["total_items"], &page["next_cursor"]),
            (&json!([shown]), &json!(1), &Value::Null)
        );
    }
    let change = json!({ "enabled_events": ["composio.connected_account.expired"] });
    let changed = expect(ask(&port, "PATCH", &path, change).await, 200);
    assert_eq!(changed["enabled_events"], json!(["composio.connected_account.expired"]));
    assert_eq!((&changed["webhook_url"], changed.get("secret")), (&shown["webhook_url"], None));
    let rotated = expect(ask(&port, "POST", &format!("{path}/rotate_secret"), Value::Null).await, 200);
    assert!(rotated["id"] == id.as_str() && rotated["secret"] != secret.as_str(), "{rotated}");
    let types = read(&port, "/webhook_subscriptions/event_types").await;
    assert_eq!(types["items"].as_array().unwrap().len(), 12);
    assert_eq!(types["items"][0]["event_type"], CONNECTED);
    assert_eq!(types["items"][0]["supported_versions"], json!(["V3"]));
    assert_eq!(expect(ask(&port, "DELETE", &path, Value::Null).await, 200), json!({ "success": true }));
    let missing = format!("{path}/deliveries");
    for (method, path) in [("GET", &path), ("DELETE", &path), ("PATCH", &path), ("GET", &missing)] {
        let body = if method == "PATCH" { json!({}) } else { Value::Null };
        assert_refused(&ask(&port, method, path, body).await, 404, "NotFound", "never existed");
    }

    // The changes are in the audit record.
    let audit = read(&port, "/audit?limit=3").await;
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|entry| text(&entry["action"])).collect();
    let expected =
        ["deleted", "secret_rotated", "updated"].map(|name| format!("webhook_subscription.{name}"));
    assert_eq!((actions, &audit["items"][0]["target"]), (expected.into(), &json!(id)));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_used_is_refused() {
    let receiver = Upstream::pleasant().await;
    let port = Port::open(&receiver).await;
    let good = |key: &str, value: Value| {
        let mut request = json!({ "webhook_url": hook(&receiver), "enabled_events": [CONNECTED] });
        request[key] = value;
        request
    };
    for (request, slug, says) in [
        (good("version", json!("V1")), "InvalidRequest", "sends V3 only, and not V1"),
        (good("version", json!("V2")), "InvalidRequest", "sends V3 only"),
        (good("enabled_events", json!([])), "InvalidRequest", "names no type"),
        (good("enabled_events", json!(["composio.x"])), "InvalidRequest", "no type `composio.x`"),
        (good("webhook_url", json!("x")), "InvalidRequest", "is not a URL"),
        (good("webhook_url", json!("ftp://example.com")), "InvalidRequest", "is not an https URL"),
        (
            good("webhook_url", json!("https://u:canary@example.com")),
            "InvalidRequest",
            "user name or password",
        ),
        (good("webhook_url", json!(format!("https://x/{}", "a".repeat(2048)))), "InvalidRequest", "2048"),
        (good("webhook_url", json!("http://example.com")), "AddressRefused", "plain http"),
        (good("webhook_url", json!("https://10.0.0.7/")), "AddressRefused", "to send it webhooks"),
        (good("more", json!(1)), "InvalidRequest", "more"),
    ] {
        let refused = ask(&port, "POST", "/webhook_subscriptions", request).await;
        assert!(!refused.body.contains("canary"), "{refused:?}");
        assert_refused(&refused, 400, slug, says);
    }
    let reader = key(&port.caller.gateway, json!({ "permissions": { "webhooks": "read" } })).await.unwrap();
    let path = "/api/v3.1/webhook_subscriptions";
    let as_reader = [("x-api-key", reader.as_str())];
    assert_eq!(http(port.address, "GET", path, &as_reader, "").await.status, 200);
    let body = good("version", json!("V3")).to_string();
    let refused = http(port.address, "POST", path, &as_reader, &body).await;
    assert_refused(&refused, 403, "InsufficientPermissions", "`webhooks: write`");
    for _ in 0..50 {
        expect(ask(&port, "POST", "/webhook_subscriptions", good("version", json!("V3"))).await, 201);
    }
    let one_more = ask(&port, "POST", "/webhook_subscriptions", good("version", json!("V3"))).await;
    assert_refused(&one_more, 409, "Conflict", "50 webhook subscriptions");
}

#[tokio::test]
async fn an_event_is_sent_once_and_signed_with_both_secrets_after_a_rotation() {
    let receiver = Upstream::pleasant().await;
    let sender = Sender::open(&receiver).await;
    sender.connect("before").await;
    let (id, first) = sender.subscribe(&hook(&receiver)).await;
    let account = sender.connect("ann").await;
    receiver.has_seen(|seen| seen.requests.len() == 1).await;
    let webhook = receiver.request();
    assert_eq!((webhook.method.as_str(), webhook.target.as_str()), ("POST", "/hook?a=1"));
    assert_signed(&webhook, &[&first]);
    assert_eq!(webhook.header("x-composio-webhook-version"), Some("V3"));
    assert_eq!(webhook.header("x-composio-delivery-attempt"), Some("1"));
    assert_eq!(webhook.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_slice(&webhook.body).unwrap();
    assert_eq!(webhook.header("webhook-id"), body["id"].as_str());
    assert_eq!((&body["type"], &body["data"]["id"]), (&json!(CONNECTED), &json!(account)));
    assert_eq!(
        (&body["data"]["user_id"], &body["data"]["toolkit"]["slug"]),
        (&json!("ann"), &json!("header"))
    );
    assert!(body["metadata"]["project_id"].is_string() && !webhook.contains("a-secret"), "{body}");
    let delivered = sender.delivery(&id, |delivery| delivery["status"] == "delivered").await;
    assert_eq!((&delivered["id"], &delivered["response_status"]), (&body["id"], &json!(200)));

    let second = text(&sender.resource("POST", &[&id, "rotate_secret"], json!({})).await["secret"]);
    sender.connect("bob").await;
    receiver.has_seen(|seen| seen.requests.len() == 2).await;
    assert_signed(&receiver.requests()[1], &[&second, &first]);
    sender.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    sender.connect("cy").await;
    receiver.has_seen(|seen| seen.requests.len() == 3).await;
    assert_signed(&receiver.requests()[2], &[&second]);
    sender.gateway.close().await;
}

#[tokio::test]
async fn a_receiver_that_fails_for_a_day_gets_a_dead_letter_which_is_sent_again() {
    let status = Arc::new(AtomicU16::new(500));
    let script = Arc::clone(&status);
    let receiver = Upstream::with(move |_| Step::Send(answer(script.load(Ordering::SeqCst), &[], ""))).await;
    let sender = Sender::open(&receiver).await;
    sender.gateway.start_metrics();
    let (id, secret) = sender.subscribe(&hook(&receiver)).await;
    sender.connect("ann").await;
    let pauses = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800];
    for (attempt, pause) in (1..).zip(pauses) {
        let failed = sender.delivery(&id, |delivery| {
            delivery["attempts"] == attempt && delivery["response_status"] == 500 && {
                // While an attempt runs, the row still has the outcome of the attempt before.
                let requests = receiver.requests();
                requests.len() == attempt && delivery["next_attempt_at"].is_string()
            }
        });
        let failed = failed.await;
        assert!(failed["status"] == "pending" && text(&failed["problem"]).contains("500"), "{failed}");
        sender.clock.advance(Duration::from_secs(pause * 6 / 5 + 1));
        receiver.has_seen(|seen| seen.requests.len() > attempt).await;
    }
    let dead = sender.delivery(&id, |delivery| delivery["status"] == "dead").await;
    assert_eq!((&dead["attempts"], &dead["next_attempt_at"]), (&json!(11), &Value::Null));
    let webhooks = receiver.requests();
    for (attempt, webhook) in (1..).zip(&webhooks) {
        assert_eq!(webhook.header("webhook-id"), dead["id"].as_str());
        assert_eq!(webhook.header("x-composio-delivery-attempt"), Some(&*format!("{attempt}")));
        assert_eq!(webhook.body, webhooks[0].body);
        assert_signed(webhook, &[&secret]);
    }
    let times: std::collections::HashSet<_> =
        webhooks.iter().map(|it| it.header("webhook-timestamp")).collect();
    assert_eq!(times.len(), 11, "each attempt has its own time");

    status.store(204, Ordering::SeqCst);
    let replay = json!({ "deliveries": [dead["id"]] });
    assert_eq!(sender.resource("POST", &[&id, "replay"], replay).await, json!({ "replayed": 1 }));
    sender.delivery(&id, |delivery| delivery["status"] == "delivered").await;
    let before = text(&dead["event_cursor"]).parse::<i64>().unwrap() - 1;
    let replay = json!({ "after": before.to_string() });
    assert_eq!(sender.resource("POST", &[&id, "replay"], replay).await, json!({ "replayed": 1 }));
    receiver.has_seen(|seen| seen.requests.len() == 13).await;
    sender.delivery(&id, |delivery| delivery["status"] == "delivered").await;
    let metrics = sender.gateway.metrics().await.unwrap();
    for line in ["failed\"} 10", "dead\"} 1", "delivered\"} 2"] {
        assert!(
            metrics.contains(&format!("proxy_execute_webhook_attempts_total{{outcome=\"{line}")),
            "{metrics}"
        );
    }
    assert!(!metrics.contains("/hook"), "no URL is a label");

    let path = [PATH, &id, "replay"];
    for (request, says) in [
        (json!({}), "neither or both"),
        (json!({ "after": "1", "deliveries": [] }), "neither or both"),
        (json!({ "after": "99" }), "no cursor"),
        (json!({ "after": "x" }), "no cursor"),
    ] {
        assert_error(
            resource(&sender.gateway, "POST", &path, request).await,
            ErrorKind::InvalidRequest,
            says,
        );
    }
    sender.gateway.close().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_stop_the_others() {
    let hanging = Upstream::always(Step::SendAndHang(Vec::new())).await;
    let good = Upstream::pleasant().await;
    let sender = Sender::open(&good).await;
    let (of_hanging, _) = sender.subscribe(&hook(&hanging)).await;
    sender.subscribe(&hook(&good)).await;
    for user in 0..12 {
        sender.connect(&format!("user {user}")).await;
    }
    good.has_seen(|seen| seen.requests.len() == 12).await;
    assert_eq!(hanging.requests().len(), 4, "a subscription has at most 4 attempts in flight");
    hanging.has_seen(|seen| seen.gone >= 4).await;
    let all = sender.deliveries(&of_hanging).await;
    let late = |delivery: &&Value| delivery["problem"].as_str().is_some_and(|it| it.contains("within 10 s"));
    assert!(all.iter().any(|delivery| late(&delivery)), "{all:?}");
    sender.gateway.close().await;
}

#[tokio::test]
async fn a_redirect_and_a_broken_connection_are_failed_attempts() {
    let secret = Upstream::pleasant().await;
    let location = format!("location: {}/inside", secret.origin());
    let receiver = Upstream::scripted([
        Step::Send(answer(307, &[&location], "")),
        Step::SendAndReset(b"HTTP/1.1 2".to_vec()),
        Step::SendAndClose(Vec::new()),
        json_answer("{}"),
    ])
    .await;
    let sender = Sender::open(&receiver).await;
    let (id, _) = sender.subscribe(&hook(&receiver)).await;
    sender.connect("ann").await;
    for (attempt, says) in
        [(1, "307 Temporary Redirect. Redirects are not followed"), (2, "broke off"), (3, "broke off")]
    {
        let failed = sender.delivery(&id, |it| {
            it["attempts"] == attempt
                && receiver.requests().len() == attempt
                && it["problem"].as_str().is_some_and(|problem| problem.contains(says))
        });
        let failed = failed.await;
        assert!(!failed.to_string().contains("/hook"), "{failed}");
        sender.clock.advance(Duration::from_secs(200));
        receiver.has_seen(|seen| seen.requests.len() > attempt).await;
    }
    let delivered = sender.delivery(&id, |delivery| delivery["status"] == "delivered").await;
    assert_eq!((&delivered["attempts"], &delivered["problem"]), (&json!(4), &Value::Null));
    assert!(secret.requests().is_empty(), "the redirect was not followed");
    sender.gateway.close().await;
}

#[tokio::test]
async fn a_name_with_a_private_address_gets_nothing() {
    let receiver = Upstream::pleasant().await;
    let sender = Sender::open(&receiver).await;
    let port = receiver.authority().rsplit(':').next().unwrap();
    let (id, _) = sender.subscribe(&format!("https://localhost:{port}/hook")).await;
    sender.connect("ann").await;
    let problem = sender.problem(&id).await;
    assert!(problem.contains("does not call localhost to send it webhooks"), "{problem}");
    assert_eq!(receiver.connections(), 0);
    sender.gateway.close().await;
}

#[tokio::test]
async fn a_subscription_that_is_deleted_gets_nothing_more() {
    let receiver = Upstream::always(Step::Send(answer(503, &[], ""))).await;
    let sender = Sender::open(&receiver).await;
    let (id, _) = sender.subscribe(&hook(&receiver)).await;
    sender.connect("ann").await;
    sender.problem(&id).await;
    sender.resource("DELETE", &[&id], Value::Null).await;
    sender.clock.advance(Duration::from_secs(60));
    sender.connect("bob").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.requests().len(), 1);
    sender.gateway.close().await;
}

#[tokio::test]
async fn a_gateway_that_closes_while_it_delivers_loses_nothing_and_a_new_key_opens_the_secret() {
    let receiver = Upstream::scripted([Step::SendAndHang(Vec::new()), json_answer("{}")]).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("gateway.db").display().to_string();
    let in_store = |key: &str| GatewayOptions {
        store: Some(store.clone()),
        encryption_key: Some(key.into()),
        ..options(&receiver)
    };
    let sender = Sender::with(in_store(KEY)).await;
    let (id, secret) = sender.subscribe(&hook(&receiver)).await;
    let rotated = text(&sender.resource("POST", &[&id, "rotate_secret"], json!({})).await["secret"]);
    sender.connect("ann").await;
    receiver.has_seen(|seen| seen.requests.len() == 1).await;
    soon(sender.gateway.close()).await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{path:?}");
        }
    }
    let keys = format!("{NEW_KEY},{KEY}");
    let done = rotate_key(&store, &keys.as_str().into(), &RotationProgress::default()).await.unwrap();
    assert_eq!((done.resealed.webhook_subscriptions, done.unopenable.len()), (1, 0));
    let again = Sender::with(in_store(NEW_KEY)).await;
    receiver.has_seen(|seen| seen.requests.len() == 2).await;
    let webhooks = receiver.requests();
    assert_eq!(webhooks[0].body, webhooks[1].body);
    assert_signed(&webhooks[1], &[&rotated, &secret]);
    again.delivery(&id, |delivery| delivery["status"] == "delivered").await;
    again.gateway.close().await;
}
