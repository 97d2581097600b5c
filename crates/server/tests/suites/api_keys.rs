//! API keys over HTTP: keys that create and revoke keys, and the limits of what a key may give away.

use std::time::{Duration, Instant};

use proxy_execute_faults::postgres::Database;
use proxy_execute_gateway::Clock;
use proxy_execute_protocol::{ListAudit, Result};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::port::{Port, assert_refused, key};
use crate::resources::{ask, expect, ids, text};
use crate::several_gateways::on;
use crate::support::{HttpAnswer, Upstream, soon};

const PATH: &str = "/api/v3.1/api_keys";

async fn port() -> Port {
    Port::open(&Upstream::pleasant().await).await
}

async fn create(port: &Port, key: &str, request: Value) -> HttpAnswer {
    port.ask_with(key, "POST", PATH, &request.to_string()).await
}

/// The latest change of the audit record: actor, action, target.
async fn last_change(gateway: &Embedded) -> Result<[String; 3]> {
    let page = soon(gateway.audit.list(ListAudit { limit: Some(1), ..ListAudit::default() })).await?;
    let last = page.items.into_iter().next().unwrap();
    Ok([last.actor, last.action, last.target])
}

#[tokio::test]
async fn a_key_creates_lists_and_revokes_keys() {
    let port = port().await;
    let gateway = &port.caller.gateway;
    let own = soon(gateway.list_api_keys()).await.unwrap()[0].id.clone();
    let request = json!({
        "name": "worker", "permissions": { "toolkits": "read", "sessions": "none" },
        "allowed_addresses": ["127.0.0.0/8", "::1"], "expires_at": "2999-01-01T00:00:00.000Z",
    });
    let made = expect(create(&port, &port.key, request.clone()).await, 201);
    let (id, secret) = (text(&made["id"]), text(&made["key"]));
    for field in ["name", "permissions", "allowed_addresses", "expires_at"] {
        assert_eq!(made[field], request[field]);
    }
    assert_eq!(last_change(gateway).await.unwrap(), [own.as_str(), "api_key.created", &id]);
    assert_eq!(port.ask_with(&secret, "GET", "/api/v3.1/toolkits?limit=1", "").await.status, 200);
    let lacks = port.ask_with(&secret, "GET", PATH, "").await;
    assert_refused(&lacks, 403, "InsufficientPermissions", "`api_keys: read`");

    let listed = ask(&port, "GET", "/api_keys", Value::Null).await;
    assert!(!listed.body.contains(&secret) && !listed.body.contains("hash"), "{listed:?}");
    let listed = expect(listed, 200);
    let mut known = ids(&listed);
    known.sort();
    let mut expected = vec![id.clone(), own.clone()];
    expected.sort();
    assert_eq!(known, expected);

    // A full key creates full keys, and so does the owner.
    let full = expect(create(&port, &port.key, json!({})).await, 201);
    assert_eq!((&full["permissions"], &full["expires_at"]), (&Value::Null, &Value::Null));

    let on_key = format!("/api_keys/{id}");
    let revoked = expect(ask(&port, "DELETE", &on_key, Value::Null).await, 200);
    assert_eq!(revoked, json!({ "id": id, "revoked": true }));
    assert_eq!(last_change(gateway).await.unwrap(), [own.as_str(), "api_key.revoked", &id]);
    let gone = port.ask_with(&secret, "GET", "/api/v3.1/toolkits?limit=1", "").await;
    assert_refused(&gone, 401, "InvalidApiKey", "revoked");
    assert_refused(&ask(&port, "DELETE", &on_key, Value::Null).await, 404, "NotFound", &id);
    let listed = expect(ask(&port, "GET", "/api_keys", Value::Null).await, 200);
    let shown = listed["items"].as_array().unwrap().iter().find(|key| key["id"] == json!(id)).unwrap();
    assert!(shown["revoked_at"].is_string());

    for (request, says) in [
        (json!({ "permissions": { "proxy": "write" } }), "`proxy`"),
        (json!({ "permissions": { "sessions": "admin" } }), "admin"),
        (json!({ "permission": {} }), "Unknown key `permission`"),
        (json!({ "allowed_addresses": ["10.0.0.0/33"] }), "`10.0.0.0/33`"),
        (json!({ "expires_at": "tomorrow" }), "expires_at"),
    ] {
        assert_refused(&create(&port, &port.key, request).await, 400, "InvalidRequest", says);
    }
}

#[tokio::test]
async fn a_key_creates_no_key_with_more_access_than_its_own() {
    let port = port().await;
    let gateway = &port.caller.gateway;
    let own = json!({
        "permissions": { "api_keys": "write", "sessions": "read_write", "toolkits": "read", "tools": "none" },
        "allowed_addresses": ["127.0.0.0/8", "192.0.2.1", "2001:db8::/32"],
        "expires_at": "2999-01-01T00:00:00Z",
    });
    let creator = key(gateway, own.clone()).await.unwrap();
    let with = |field: &str, value: Value| {
        let mut request = own.clone();
        match value {
            Value::Null => request.as_object_mut().unwrap().remove(field),
            value => request.as_object_mut().unwrap().insert(field.to_owned(), value),
        };
        request
    };
    let before = soon(gateway.list_api_keys()).await.unwrap().len();
    let with_all = "with all permissions";
    for (request, says) in [
        (json!({}), with_all),
        (with("permissions", Value::Null), with_all),
        (
            json!({ "permissions": null, "allowed_addresses": [], "expires_at": "2000-01-01T00:00:00Z" }),
            with_all,
        ),
        (with("permissions", json!({ "api_keys": "read" })), "`api_keys: read`"),
        (with("permissions", json!({ "api_keys": "read_write" })), "`api_keys: read_write`"),
        (with("permissions", json!({ "toolkits": "write" })), "`toolkits: write`"),
        (with("permissions", json!({ "toolkits": "read_write" })), "`toolkits: read_write`"),
        (with("permissions", json!({ "tools": "read" })), "`tools: read`"),
        (with("permissions", json!({ "proxy_execute": "write" })), "`proxy_execute: write`"),
        (
            with("permissions", json!({ "sessions": "read", "proxy_execute": "read", "webhooks": "read" })),
            "`proxy_execute: read`",
        ),
        (with("allowed_addresses", Value::Null), "for any network"),
        (with("allowed_addresses", json!(["127.0.0.1", "10.0.0.1"])), "for 10.0.0.1,"),
        (with("allowed_addresses", json!(["127.0.0.0/7"])), "for 127.0.0.0/7,"),
        (with("allowed_addresses", json!(["192.0.2.1/31"])), "for 192.0.2.1/31,"),
        (with("allowed_addresses", json!(["0.0.0.0/0"])), "for 0.0.0.0/0,"),
        (with("allowed_addresses", json!(["::/0"])), "for ::/0,"),
        (with("allowed_addresses", json!(["::ffff:10.0.0.1"])), "for ::ffff:10.0.0.1,"),
        (with("allowed_addresses", json!(["2001:db8::/31"])), "for 2001:db8::/31,"),
        (with("expires_at", Value::Null), "at 2999-01-01T00:00:00.000Z"),
        (with("expires_at", json!("2999-01-01T00:00:00.001Z")), "later than itself"),
        (with("expires_at", json!("2999-01-01T00:00:00-00:01")), "later than itself"),
    ] {
        let refused = create(&port, &creator, request).await;
        assert_refused(&refused, 403, "InsufficientPermissions", says);
        assert!(refused.json()["error"]["suggested_fix"].is_string(), "{refused:?}");
    }
    assert_eq!(soon(gateway.list_api_keys()).await.unwrap().len(), before);
    let change = last_change(gateway).await.unwrap();
    assert_eq!([change[0].as_str(), change[1].as_str()], ["owner", "api_key.created"]);

    for request in [
        own.clone(),
        with("permissions", json!({})),
        with("permissions", json!({ "sessions": "read", "toolkits": "read", "webhooks": "none" })),
        with("allowed_addresses", json!([])),
        with("allowed_addresses", json!(["127.1.2.3/16", "192.0.2.1/32", "2001:db8:1::/48"])),
        with("expires_at", json!("2999-01-01T01:00:00+01:00")),
        with("expires_at", json!("2998-01-01T00:00:00Z")),
    ] {
        expect(create(&port, &creator, request).await, 201);
    }

    // A key of a key has the same limits.
    let child = text(&expect(create(&port, &creator, own.clone()).await, 201)["key"]);
    assert_refused(&create(&port, &child, json!({})).await, 403, "InsufficientPermissions", with_all);
    expect(create(&port, &child, own).await, 201);

    // Each limit holds by itself.
    for (limits, asked, says) in [
        (json!({ "permissions": { "api_keys": "write" } }), json!({}), with_all),
        (json!({ "allowed_addresses": ["127.0.0.1"] }), json!({}), "for any network"),
        (json!({ "expires_at": "2999-01-01T00:00:00Z" }), json!({}), "later than itself"),
    ] {
        let creator = key(gateway, limits.clone()).await.unwrap();
        assert_refused(&create(&port, &creator, asked).await, 403, "InsufficientPermissions", says);
        expect(create(&port, &creator, limits).await, 201);
    }
}

#[tokio::test]
async fn a_key_revokes_itself_without_a_permission_and_no_other_key() {
    let port = port().await;
    let gateway = &port.caller.gateway;
    let weak = key(gateway, json!({ "name": "weak", "permissions": { "toolkits": "read" } })).await.unwrap();
    let keys = soon(gateway.list_api_keys()).await.unwrap();
    let named = |name: Option<&str>| keys.iter().find(|key| key.name.as_deref() == name).unwrap().id.clone();
    let (own, other) = (named(Some("weak")), named(None));
    let refused = port.ask_with(&weak, "DELETE", &format!("{PATH}/{other}"), "").await;
    assert_refused(&refused, 403, "InsufficientPermissions", "`api_keys: write`");
    // The key itself is not its id.
    let refused = port.ask_with(&weak, "DELETE", &format!("{PATH}/{weak}"), "").await;
    assert_refused(&refused, 403, "InsufficientPermissions", "`api_keys: write`");
    let revoked = port.ask_with(&weak, "DELETE", &format!("{PATH}/{own}"), "").await;
    assert_eq!(expect(revoked, 200)["id"], json!(own));
    assert_eq!(last_change(gateway).await.unwrap(), [own.as_str(), "api_key.revoked", &own]);
    let gone = port.ask_with(&weak, "DELETE", &format!("{PATH}/{own}"), "").await;
    assert_refused(&gone, 401, "InvalidApiKey", "revoked");

    // Without a valid key, the id of a key is worth nothing.
    let expired = json!({ "name": "old", "permissions": {}, "expires_at": "2020-01-01T00:00:00Z" });
    let expired = key(gateway, expired).await.unwrap();
    let keys = soon(gateway.list_api_keys()).await.unwrap();
    let own = &keys.iter().find(|key| key.name.as_deref() == Some("old")).unwrap().id;
    let refused = port.ask_with(&expired, "DELETE", &format!("{PATH}/{own}"), "").await;
    assert_refused(&refused, 401, "InvalidApiKey", "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_gateway_knows_a_new_and_a_revoked_key_at_once() {
    let Some(database) = Database::create().await else { return };
    let upstream = Upstream::pleasant().await;
    let clock = Clock::default();
    let a = Port::with(on(&database.url, &upstream, &clock)).await;
    let b = Port::with(on(&database.url, &upstream, &clock)).await;
    let path = "/api/v3.1/toolkits?limit=1";
    let made = expect(create(&a, &a.key, json!({ "permissions": { "toolkits": "read" } })).await, 201);
    let secret = text(&made["key"]);
    assert_eq!(b.ask_with(&secret, "GET", path, "").await.status, 200);
    expect(ask(&a, "DELETE", &format!("/api_keys/{}", text(&made["id"])), Value::Null).await, 200);
    let revoked = Instant::now();
    loop {
        let asked = revoked.elapsed();
        if b.ask_with(&secret, "GET", path, "").await.status != 200 {
            break;
        }
        // A row that another gateway changed is used for 50 ms at most.
        assert!(asked < Duration::from_millis(100), "{asked:?}");
    }
    assert_refused(&b.ask_with(&secret, "GET", path, "").await, 401, "InvalidApiKey", "");
}
