//! Which rows a write invalidates, which it leaves, and when.

use std::path::Path;
use std::pin::pin;

use futures::FutureExt;
use proxy_execute_protocol::{AccountType, AuthConfigStatus, AuthConfigType, AuthScheme, SessionConfig};
use sqlx::{Connection, SqliteConnection};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;
use crate::{KeyCheck, SealedCredential, SqliteStore, StoredAcl};

const ANY_KEY: KeyCheck<'_> = KeyCheck { key_ids: &[], sealed: b"sealed", opens: &|_| true };

async fn in_memory() -> Cached<SqliteStore> {
    let clock = Clock::default();
    let store = Cached::new(SqliteStore::in_memory(ANY_KEY, clock.clone()).await.unwrap(), clock);
    let config = StoredAuthConfig {
        id: "ac_1".to_owned(),
        toolkit: "acme".to_owned(),
        name: "Acme".to_owned(),
        kind: AuthConfigType::Default,
        auth_scheme: AuthScheme::ApiKey,
        status: AuthConfigStatus::Enabled,
        credentials: Vec::new(),
        key_id: String::new(),
        has_client: false,
        settings: "{}".to_owned(),
        created_at: 0,
        updated_at: 0,
        seq: 0,
        accounts: 0,
    };
    store.insert_auth_config(&config).await.unwrap();
    store
}

async fn in_file(file: &Path) -> Cached<SqliteStore> {
    let clock = Clock::default();
    Cached::new(SqliteStore::in_file(file, ANY_KEY, clock.clone()).await.unwrap(), clock)
}

fn account(id: &str, user_id: &str) -> StoredAccount {
    StoredAccount {
        id: id.to_owned(),
        user_id: user_id.to_owned(),
        toolkit: "acme".to_owned(),
        auth_config_id: "ac_1".to_owned(),
        alias: None,
        word_id: id.to_owned(),
        auth_scheme: AuthScheme::ApiKey,
        status: AccountStatus::Active,
        status_reason: None,
        is_disabled: false,
        account_type: AccountType::Private,
        is_default: false,
        acl: StoredAcl::default(),
        credential: sealed("old"),
        credential_version: 0,
        credential_at: 0,
        refreshed_at: None,
        failures: 0,
        retry_at: None,
        problem: None,
        refusals: 0,
        created_at: 1,
        updated_at: 1,
        seq: 0,
        config_is_disabled: false,
        config_has_client: false,
    }
}

fn sealed(text: &str) -> SealedCredential {
    SealedCredential { sealed: text.into(), key_id: String::new(), expires_at: None, renewable: false }
}

fn session() -> StoredSession {
    let config = SessionConfig::default();
    StoredSession {
        id: "trs_1".to_owned(),
        user_id: "ann".to_owned(),
        config,
        version: 1,
        created_at: 0,
        used_at: 0,
    }
}

/// Looks up an account under each of its keys.
async fn found(store: &Cached<SqliteStore>, id: &str, user: &str) -> [Option<Arc<StoredAccount>>; 3] {
    [
        store.named_account_for_call(id).await.unwrap(),
        store.account_for_call(user, "acme", None).await.unwrap(),
        store.account_for_call(user, "acme", Some("ac_1")).await.unwrap(),
    ]
}

fn are_kept(before: &[Option<Arc<StoredAccount>>], after: &[Option<Arc<StoredAccount>>]) -> Vec<bool> {
    let pairs = before.iter().zip(after);
    pairs.map(|(before, after)| Arc::ptr_eq(before.as_ref().unwrap(), after.as_ref().unwrap())).collect()
}

#[tokio::test]
async fn a_write_invalidates_its_account_and_no_other() {
    let store = in_memory().await;
    for account in [account("ca_1", "ann"), account("ca_2", "bob")] {
        store.insert_account(&account).await.unwrap();
    }
    let new_key = AccountChange { credential: Some(sealed("new")), ..AccountChange::default() };
    let link = StoredLink {
        token_hash: vec![1],
        account_id: "ca_1".to_owned(),
        callback_url: None,
        scopes: "[]".to_owned(),
        browser_hash: None,
        verifier: None,
        given: None,
        key_id: None,
        expires_at: i64::MAX,
        finished_at: None,
    };
    store.insert_link(&link).await.unwrap();
    let bobs = found(&store, "ca_2", "bob").await;
    for round in 0..3 {
        let anns = found(&store, "ca_1", "ann").await;
        assert_eq!(are_kept(&anns, &found(&store, "ca_1", "ann").await), [true; 3]);
        match round {
            0 => assert!(store.update_account("ca_1", &new_key).await.unwrap()),
            1 => assert_eq!(store.finish_link(&link, &new_key).await.unwrap(), LinkEnd::Finished),
            _ => {
                let seen = anns[0].as_ref().unwrap();
                store.begin_refresh(seen, "me", Duration::from_secs(9)).await.unwrap().unwrap();
                let end = RefreshEnd::Renewed(sealed("newer"));
                assert!(store.end_refresh(seen, "me", &end).await.unwrap());
            }
        }
        assert_eq!(are_kept(&anns, &found(&store, "ca_1", "ann").await), [false; 3], "round {round}");
    }
    assert_eq!(are_kept(&bobs, &found(&store, "ca_2", "bob").await), [true; 3]);
    assert!(store.delete_account("ca_1").await.unwrap());
    assert!(found(&store, "ca_1", "ann").await.iter().all(Option::is_none));
    assert_eq!(are_kept(&bobs, &found(&store, "ca_2", "bob").await), [true; 3]);
}

/// Otherwise changes of other accounts would need an invalidation.
#[tokio::test]
async fn only_an_active_account_is_cached() {
    let store = in_memory().await;
    let unfinished = StoredAccount { status: AccountStatus::Initializing, ..account("ca_1", "ann") };
    store.insert_account(&unfinished).await.unwrap();
    for status in [AccountStatus::Initializing, AccountStatus::Initiated, AccountStatus::Expired] {
        let change = AccountChange { status: Some((status, None)), ..AccountChange::default() };
        // This write bypasses the cache.
        store.store.update_account("ca_1", &change).await.unwrap();
        let found = found(&store, "ca_1", "ann").await;
        assert!(found.iter().flatten().all(|account| account.status == status), "{found:?}");
    }
}

#[tokio::test]
async fn a_write_of_another_process_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let (here, there) = (in_file(&file).await, in_file(&file).await);
    here.insert_session(&session()).await.unwrap();
    assert!(there.session("trs_1").await.unwrap().is_some());
    assert!(here.delete_session("trs_1").await.unwrap());
    let noticed = async {
        while there.session("trs_1").await.unwrap().is_some() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), noticed).await.expect("the session was deleted");
}

#[tokio::test]
async fn a_write_whose_caller_is_dropped_invalidates_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let store = in_file(&file).await;
    store.insert_session(&session()).await.unwrap();
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    {
        let mut delete = pin!(store.delete_session("trs_1"));
        assert!(delete.as_mut().now_or_never().is_none(), "it waits for the lock");
    }
    assert!(store.session("trs_1").await.unwrap().is_some(), "it is not deleted yet");
    lock.rollback().await.unwrap();
    let deleted = async {
        while store.session("trs_1").await.unwrap().is_some() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), deleted).await.expect("the session should have been invalidated");
}

#[tokio::test]
async fn a_waiting_writer_blocks_no_lookup_and_hides_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let store = in_file(&file).await;
    let key = StoredKey {
        id: "ak_1".to_owned(),
        name: None,
        hash: vec![1],
        permissions: None,
        allowed_addresses: None,
        expires_at: None,
        created_at: 1,
        last_used_at: None,
        revoked_at: None,
    };
    store.insert_key(&key).await.unwrap();
    assert!(store.key_by_hash(&[1]).await.unwrap().is_some());

    let mut other = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE api_keys SET revoked_at = 1").execute(&mut other).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut delete = pin!(store.delete_session("trs_1"));
    assert!(delete.as_mut().now_or_never().is_none(), "it waits for the lock");
    let noticed = async {
        while store.key_by_hash(&[1]).await.unwrap().is_some() {
            yield_now().await;
        }
    };
    // The writer waits for the lock much longer than this timeout.
    timeout(Duration::from_secs(5), noticed).await.expect("a lookup waits for no writer");
    lock.rollback().await.unwrap();
    assert!(!delete.await.unwrap());
}
