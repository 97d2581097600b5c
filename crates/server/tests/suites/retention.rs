//! The data that a gateway deletes by itself: sessions that end, and old calls.

use std::time::Duration;

use proxy_execute_gateway::{Clock, GatewayOptions};
use proxy_execute_protocol::{CallFilter, ErrorKind};
use proxy_execute_server::Embedded;
use sqlx::SqlitePool;

use crate::support::{Caller, Upstream, assert_error, json_answer, options, read_session, session, soon};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const MINUTE: u64 = 60_000;

async fn upstream() -> Upstream {
    Upstream::always(json_answer("{}")).await
}

fn in_file(folder: &tempfile::TempDir, upstream: &Upstream) -> GatewayOptions {
    let file = folder.path().join("gateway.db").to_str().unwrap().to_owned();
    GatewayOptions { store: Some(file), encryption_key: Some(KEY.into()), ..options(upstream) }
}

async fn database(options: &GatewayOptions) -> SqlitePool {
    SqlitePool::connect(&format!("sqlite:{}", options.store.as_ref().unwrap())).await.unwrap()
}

fn minutes(clock: &Clock, minutes: u64) {
    clock.advance(Duration::from_millis(minutes * MINUTE));
}

#[tokio::test]
async fn a_session_ends_after_its_lifetime_however_much_it_is_used() {
    let upstream = upstream().await;
    let options = GatewayOptions { session_lifetime_ms: Some(10 * MINUTE), ..options(&upstream) };
    let clock = options.clock.clone();
    let caller = Caller::with(options, "bearer", "secret").await;
    for _ in 0..9 {
        caller.get().await.unwrap();
        minutes(&clock, 1);
    }
    caller.get().await.unwrap();
    minutes(&clock, 2);
    assert_error(caller.get().await, ErrorKind::SessionNotFound, "has ended");
    let read = read_session(&caller.gateway, &caller.session).await;
    assert_error(read, ErrorKind::SessionNotFound, "has ended");
}

#[tokio::test]
async fn a_session_ends_when_it_was_not_used_for_long() {
    let upstream = upstream().await;
    let options = GatewayOptions { session_idle_timeout_ms: Some(10 * MINUTE), ..options(&upstream) };
    let clock = options.clock.clone();
    let caller = Caller::with(options, "bearer", "secret").await;
    let unused = session(&caller.gateway, "ann").await;
    for _ in 0..3 {
        minutes(&clock, 8);
        caller.get().await.unwrap();
    }
    assert_error(read_session(&caller.gateway, &unused).await, ErrorKind::SessionNotFound, "has ended");
    minutes(&clock, 10);
    // The end comes up to a tenth later, because not every use is noted.
    caller.get().await.unwrap();
    minutes(&clock, 12);
    assert_error(caller.get().await, ErrorKind::SessionNotFound, "has ended");
}

#[tokio::test]
async fn ended_sessions_are_deleted_and_others_stay() {
    for by_use in [false, true] {
        let (folder, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
        let options = in_file(&folder, &upstream);
        let clock = options.clock.clone();
        let caller = Caller::with(options, "bearer", "secret").await;
        minutes(&clock, 20);
        session(&caller.gateway, "bob").await;
        caller.gateway.close().await;

        let options = GatewayOptions {
            session_lifetime_ms: (!by_use).then_some(20 * MINUTE),
            session_idle_timeout_ms: by_use.then_some(20 * MINUTE),
            ..in_file(&folder, &upstream)
        };
        minutes(&options.clock, 30);
        let gateway = Embedded::open(options).await.unwrap();
        let users = "SELECT user_id FROM sessions";
        let database = database(&in_file(&folder, &upstream)).await;
        soon(async {
            loop {
                let users: Vec<String> = sqlx::query_scalar(users).fetch_all(&database).await.unwrap();
                if users == ["bob"] {
                    break;
                }
                assert_eq!(users.len(), 2);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        gateway.close().await;
    }
}

#[tokio::test]
async fn calls_are_kept_up_to_a_number_and_an_age() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    let options = GatewayOptions { calls_kept: Some(3), ..in_file(&folder, &upstream) };
    let caller = Caller::with(options, "bearer", "secret").await;
    for _ in 0..5 {
        caller.get().await.unwrap();
    }
    assert_eq!(caller.gateway.calls(&CallFilter::newest(10)).await.unwrap().len(), 3);
    caller.gateway.close().await;

    let options = GatewayOptions { calls_kept_for_ms: Some(MINUTE), ..in_file(&folder, &upstream) };
    let clock = options.clock.clone();
    minutes(&clock, 2);
    let gateway = Embedded::open(options).await.unwrap();
    soon(async {
        while !gateway.calls(&CallFilter::newest(10)).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_can_keep_no_record_of_calls() {
    let upstream = upstream().await;
    let caller =
        Caller::with(GatewayOptions { calls_kept: Some(0), ..options(&upstream) }, "bearer", "secret").await;
    caller.get().await.unwrap();
    assert!(caller.gateway.calls(&CallFilter::newest(10)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_time_of_zero_is_refused() {
    let upstream = upstream().await;
    let zero = Some(0);
    for (options, name) in [
        (GatewayOptions { session_lifetime_ms: zero, ..options(&upstream) }, "sessionLifetime"),
        (GatewayOptions { session_idle_timeout_ms: zero, ..options(&upstream) }, "sessionIdleTimeout"),
        (GatewayOptions { calls_kept_for_ms: zero, ..options(&upstream) }, "callsKeptFor"),
    ] {
        assert_error(Embedded::open(options).await, ErrorKind::InvalidOption, name);
    }
}
