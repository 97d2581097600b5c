//! The audit record: which changes it has, that its chain shows what was changed, over one gateway and several.

use futures::future::join_all;
use proxy_execute_faults::postgres::Database;
use proxy_execute_gateway::audit::Actor;
use proxy_execute_gateway::{GatewayOptions, RotationProgress, rotate_key};
use proxy_execute_protocol::{AuditEntry, AuditVerification, ErrorKind, ListAudit, VerifyAudit};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use crate::port::{Port, assert_refused, key};
use crate::resources::{ask, expect, text};
use crate::support::{Upstream, assert_error, credential, import, json_answer, options, resource, soon};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

async fn entries(gateway: &Embedded) -> Vec<AuditEntry> {
    let mut all = soon(gateway.audit.list(ListAudit { limit: Some(1_000), ..ListAudit::default() })).await;
    let items = &mut all.as_mut().unwrap().items;
    items.reverse();
    std::mem::take(items)
}

/// The changes as texts: actor, action, target.
async fn changes(gateway: &Embedded) -> Vec<[String; 3]> {
    let entries = entries(gateway).await;
    entries.into_iter().map(|entry| [entry.actor, entry.action, entry.target]).collect()
}

async fn verify(gateway: &Embedded, head: Option<&str>) -> AuditVerification {
    soon(gateway.audit.verify(VerifyAudit { head: head.map(str::to_owned) })).await.unwrap()
}

fn in_store(store: &str, upstream: &Upstream) -> GatewayOptions {
    GatewayOptions {
        store: Some(store.to_owned()),
        encryption_key: Some(KEY.into()),
        migrate: true,
        ..options(upstream)
    }
}

#[tokio::test]
async fn each_administrative_change_is_recorded_with_its_actor() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    let gateway = &port.caller.gateway;
    let before = changes(gateway).await;
    let keys = soon(gateway.list_api_keys()).await.unwrap();
    let key_id = keys[0].id.as_str();
    let imported =
        text(&expect(ask(&port, "GET", "/connected_accounts", json!({})).await, 200)["items"][0]["id"]);
    assert_eq!(before[0], ["owner", "connected_account.created", imported.as_str()].map(str::to_owned));
    assert_eq!(before[1], ["owner", "api_key.created", key_id].map(str::to_owned));
    assert_eq!(before.len(), 2);

    let config = json!({ "toolkit": { "slug": "header" },
        "auth_config": { "type": "use_custom_auth", "authScheme": "API_KEY" } });
    let made = expect(ask(&port, "POST", "/auth_configs", config).await, 201);
    let config = text(&made["auth_config"]["id"]);
    let request = json!({ "auth_config": { "id": config }, "connection": { "user_id": "bob",
        "state": { "authScheme": "API_KEY", "val": { "api_key": "k" } },
        "experimental": { "account_type": "SHARED" } } });
    let account = text(&expect(ask(&port, "POST", "/connected_accounts", request).await, 201)["id"]);
    let shared = json!({ "experimental": { "acl_config_for_shared": { "allow_all_users": true } } });
    let on_config = format!("/auth_configs/{config}");
    let on_account = format!("/connected_accounts/{account}");
    let on_imported = format!("/connected_accounts/{imported}");
    for (method, path, body) in [
        ("PATCH", on_config.clone(), json!({ "type": "custom", "credentials": {} })),
        ("PATCH", format!("{on_config}/DISABLED"), json!({})),
        ("PATCH", format!("{on_config}/ENABLED"), json!({})),
        ("PATCH", on_account.clone(), json!({ "alias": "work" })),
        ("PATCH", on_account.clone(), shared),
        ("PATCH", format!("{on_account}/status"), json!({ "enabled": false })),
        ("PATCH", format!("{on_account}/status"), json!({ "enabled": true })),
        ("PATCH", format!("{on_imported}/default"), json!({ "is_default": true })),
        ("PATCH", format!("{on_imported}/default"), json!({ "is_default": false })),
        ("POST", format!("{on_account}/revoke"), json!({})),
        ("DELETE", on_account.clone(), json!({})),
        ("DELETE", on_config.clone(), json!({})),
    ] {
        expect(ask(&port, method, &path, body).await, 200);
    }
    // A change that was refused, and reads, are no changes.
    assert_refused(&ask(&port, "DELETE", &on_account, json!({})).await, 404, "ConnectedAccountNotFound", "");
    let expected = [
        ("auth_config.created", &config),
        ("connected_account.created", &account),
        ("auth_config.updated", &config),
        ("auth_config.disabled", &config),
        ("auth_config.enabled", &config),
        ("connected_account.updated", &account),
        ("connected_account.shared", &account),
        ("connected_account.disabled", &account),
        ("connected_account.enabled", &account),
        ("connected_account.made_default", &imported),
        ("connected_account.no_longer_default", &imported),
        ("connected_account.revoked", &account),
        ("connected_account.deleted", &account),
        ("auth_config.deleted", &config),
    ];
    let made = changes(gateway).await;
    for (change, (action, target)) in made[2..].iter().zip(expected) {
        assert_eq!(*change, [key_id, action, target].map(str::to_owned));
    }
    assert_eq!(made.len(), 2 + expected.len());

    // The owner in the same process.
    soon(gateway.set_account_enabled(&imported, false)).await.unwrap();
    soon(gateway.set_account_enabled(&imported, true)).await.unwrap();
    resource(gateway, "PATCH", &["connected_accounts", &imported], json!({ "alias": "a" })).await.unwrap();
    soon(gateway.delete_account(&imported)).await.unwrap();
    soon(gateway.revoke_api_key(key_id)).await.unwrap();
    let last: Vec<_> = changes(gateway).await.split_off(made.len());
    let expected = [
        ("connected_account.disabled", imported.as_str()),
        ("connected_account.enabled", &imported),
        ("connected_account.updated", &imported),
        ("connected_account.deleted", &imported),
        ("api_key.revoked", key_id),
    ];
    assert_eq!(last, expected.map(|(action, target)| ["owner", action, target].map(str::to_owned)));
    assert!(verify(gateway, None).await.intact);
}

#[tokio::test]
async fn a_change_whose_caller_is_dropped_is_recorded() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    let gateway = port.caller.gateway.clone();
    let (begun, wait) = tokio::sync::oneshot::channel::<()>();
    let change = gateway.recorded(Actor::Owner, async move {
        // The caller is dropped by now.
        _ = wait.await;
        Ok(((), proxy_execute_gateway::audit::Action::AccountDeleted.of("ca_gone")))
    });
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), change).await;
    waiting.unwrap_err();
    begun.send(()).unwrap();
    soon(async {
        while !changes(&gateway).await.iter().any(|[.., target]| target == "ca_gone") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_record_is_read_over_http_page_by_page_and_by_time() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let port = Port::open(&upstream).await;
    for _ in 0..3 {
        key(&port.caller.gateway, json!({})).await.unwrap();
    }
    let all = expect(ask(&port, "GET", "/audit", json!({})).await, 200);
    let numbers = |page: &Value| {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["number"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(&all), [5, 4, 3, 2, 1]);
    assert_eq!(all["next_cursor"], Value::Null);
    let (mut read, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = expect(ask(&port, "GET", &format!("/audit?limit=2{cursor}"), json!({})).await, 200);
        read.extend(numbers(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(read, [5, 4, 3, 2, 1]);
    let future = ask(&port, "GET", "/audit?since=2999-01-01T00:00:00Z", json!({})).await;
    assert_eq!(numbers(&expect(future, 200)), [0; 0]);
    let past = ask(&port, "GET", "/audit?until=2020-01-01T00:00:00Z", json!({})).await;
    assert_eq!(numbers(&expect(past, 200)), [0; 0]);
    for (query, field) in [
        ("since=yesterday", "since"),
        ("until=1", "until"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("frob=1", "frob"),
    ] {
        let refused = ask(&port, "GET", &format!("/audit?{query}"), json!({})).await;
        assert_refused(&refused, 400, "InvalidRequest", field);
    }
    let head = ask(&port, "GET", "/audit/verification?head=zz", json!({})).await;
    assert_refused(&head, 400, "InvalidRequest", "head");
    let verified = expect(ask(&port, "GET", "/audit/verification", json!({})).await, 200);
    assert_eq!(verified["head"], all["items"][0]["hash"]);
    let expected =
        json!({ "intact": true, "entries": 5, "head": verified["head"], "broken": null, "has_head": null });
    assert_eq!(verified, expected);

    let other =
        key(&port.caller.gateway, json!({ "permissions": { "connected_accounts": "read_write" } })).await;
    let refused = port.ask_with(&other.unwrap(), "GET", "/api/v3.1/audit", "").await;
    assert_refused(&refused, 403, "InsufficientPermissions", "observability: read");
}

/// A store, and a way to change its rows past the gateway.
async fn tampered(
    gateway: &Embedded,
    sql: &str,
    file: Option<&std::path::Path>,
    database: Option<&Database>,
) -> AuditVerification {
    if let Some(file) = file {
        let mut store = SqliteConnection::connect(&file.display().to_string()).await.unwrap();
        store.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        store.close().await.unwrap();
    }
    if let Some(database) = database {
        let mut store = database.connect().await;
        store.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        store.close().await.unwrap();
    }
    verify(gateway, None).await
}

async fn shows_what_was_changed(
    gateway: &Embedded,
    file: Option<&std::path::Path>,
    database: Option<&Database>,
) {
    for _ in 0..5 {
        key(gateway, json!({})).await.unwrap();
    }
    let whole = verify(gateway, None).await;
    assert!(whole.intact, "{whole:?}");
    assert_eq!(whole.entries, 5);
    let head = whole.head.unwrap();
    let again = verify(gateway, Some(&head.to_uppercase())).await;
    assert_eq!((again.intact, again.has_head), (true, Some(true)));
    // A longer record still has the head.
    key(gateway, json!({})).await.unwrap();
    assert_eq!(verify(gateway, Some(&head)).await.has_head, Some(true));

    let tamper = async |sql: &str| tampered(gateway, sql, file, database).await;
    for (change, back) in [
        (
            "SET target = 'key_other' WHERE seq = 3",
            "SET target = (SELECT target FROM kept WHERE seq = 3) WHERE seq = 3",
        ),
        ("SET at = at + 1 WHERE seq = 3", "SET at = at - 1 WHERE seq = 3"),
        ("SET actor = 'key_other' WHERE seq = 3", "SET actor = 'owner' WHERE seq = 3"),
    ] {
        tamper("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM audit_log").await;
        let broken = tamper(&format!("UPDATE audit_log {change}")).await;
        assert_eq!((broken.intact, broken.entries), (false, 2));
        assert_eq!(broken.broken.unwrap().number, 3);
        assert!(tamper(&format!("UPDATE audit_log {back}")).await.intact);
    }
    let broken = tamper("DELETE FROM audit_log WHERE seq = 2").await;
    assert_eq!((broken.entries, broken.broken.unwrap().number), (1, 3));
    assert!(tamper("INSERT INTO audit_log SELECT * FROM kept WHERE seq = 2").await.intact);
    // Without the noted head, nothing shows that the end is gone.
    let cut = tamper("DELETE FROM audit_log WHERE seq >= 5").await;
    assert_eq!((cut.intact, cut.entries), (true, 4));
    let cut = verify(gateway, Some(&head)).await;
    assert_eq!((cut.intact, cut.has_head), (false, Some(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_in_a_file_shows_what_was_changed() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let gateway = Embedded::open(in_store(&file.display().to_string(), &upstream)).await.unwrap();
    shows_what_was_changed(&gateway, Some(&file), None).await;
    soon(gateway.close()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_in_a_database_shows_what_was_changed() {
    let Some(database) = Database::create().await else { return };
    let upstream = Upstream::always(json_answer("{}")).await;
    let gateway = Embedded::open(in_store(&database.url, &upstream)).await.unwrap();
    shows_what_was_changed(&gateway, None, Some(&database)).await;
    soon(gateway.close()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_change_at_once_write_one_chain() {
    let Some(database) = Database::create().await else { return };
    let upstream = Upstream::always(json_answer("{}")).await;
    let mut gateways = Vec::new();
    for _ in 0..3 {
        gateways.push(Embedded::open(in_store(&database.url, &upstream)).await.unwrap());
    }
    let made = (0..60).map(|n| key(&gateways[n % 3], json!({})));
    for key in join_all(made).await {
        key.unwrap();
    }
    let verified = verify(&gateways[0], None).await;
    assert_eq!((verified.intact, verified.entries), (true, 60));
    for gateway in gateways {
        soon(gateway.close()).await;
    }
}

#[tokio::test]
async fn a_rotation_is_recorded_and_a_change_stands_without_its_record() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let store = file.display().to_string();
    let gateway = Embedded::open(in_store(&store, &upstream)).await.unwrap();
    soon(gateway.close()).await;
    let new = "2222222222222222222222222222222222222222222222222222222222222222";
    let keys = format!("{new},{KEY}");
    let rotated =
        soon(rotate_key(&store, &keys.as_str().into(), &RotationProgress::default())).await.unwrap();
    let options = GatewayOptions { encryption_key: Some(new.into()), ..in_store(&store, &upstream) };
    let gateway = Embedded::open(options).await.unwrap();
    assert_eq!(changes(&gateway).await, [["owner", "store.key_rotated", &rotated.key_id].map(str::to_owned)]);

    let mut connection = SqliteConnection::connect(&store).await.unwrap();
    connection.execute("DROP TABLE audit_log").await.unwrap();
    connection.close().await.unwrap();
    let account = import(&gateway, "ann", "header", credential("header", "k")).await;
    assert_eq!(soon(gateway.account(&account.id)).await.unwrap().id, account.id);
    // Load balancers learn of it.
    assert_error(soon(gateway.ready()).await, ErrorKind::NotReady, "");
    soon(gateway.close()).await;
}
