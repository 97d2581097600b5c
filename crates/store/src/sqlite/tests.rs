//! What a write removes of the rows that are kept in memory, and what it leaves; what statements say.

use std::pin::pin;

use futures::FutureExt;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;
use crate::{SealedClient, SealedCredential};

const ANY_KEY: KeyCheck<'_> = KeyCheck { sealed: b"sealed", opens: &|_| true };

async fn store() -> SqliteStore {
    let store = SqliteStore::in_memory(ANY_KEY).await.unwrap();
    let config = StoredAuthConfig {
        id: "ac_1".to_owned(),
        toolkit: "acme".to_owned(),
        name: "Acme".to_owned(),
        kind: "default".to_owned(),
        auth_scheme: "API_KEY".to_owned(),
        status: "ENABLED".to_owned(),
        credentials: Vec::new(),
        key_id: String::new(),
        has_client: false,
        settings: "{}".to_owned(),
        created_at: 0,
        updated_at: 0,
        seq: 0,
    };
    store.insert_auth_config(&config).await.unwrap();
    store
}

fn account(id: &str, user_id: &str, created_at: i64) -> StoredAccount {
    StoredAccount {
        id: id.to_owned(),
        user_id: user_id.to_owned(),
        toolkit: "acme".to_owned(),
        auth_config_id: "ac_1".to_owned(),
        alias: None,
        word_id: id.to_owned(),
        auth_scheme: "API_KEY".to_owned(),
        status: "ACTIVE".to_owned(),
        status_reason: None,
        is_disabled: false,
        credential: sealed("old"),
        credential_version: 0,
        credential_at: 0,
        refreshed_at: None,
        failures: 0,
        retry_at: None,
        problem: None,
        refusals: 0,
        created_at,
        updated_at: created_at,
        seq: 0,
        config_is_disabled: false,
        config_has_client: false,
    }
}

fn sealed(text: &str) -> SealedCredential {
    SealedCredential { sealed: text.into(), key_id: String::new(), expires_at: None, renewable: false }
}

fn link(account_id: &str, expires_at: i64) -> StoredLink {
    StoredLink {
        token_hash: account_id.into(),
        account_id: account_id.to_owned(),
        callback_url: None,
        scopes: "[]".to_owned(),
        browser_hash: None,
        verifier: None,
        given: None,
        expires_at,
        finished_at: None,
    }
}

fn with_status(status: &str) -> AccountChange {
    AccountChange { status: Some((status.to_owned(), None)), ..AccountChange::default() }
}

/// An account under each of the keys that calls find it by.
async fn found(store: &SqliteStore, id: &str, user: &str) -> [Option<Arc<StoredAccount>>; 3] {
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
async fn a_write_forgets_the_account_that_it_is_to_and_no_other() {
    let store = store().await;
    for account in [account("ca_1", "ann", 1), account("ca_2", "bob", 1)] {
        store.insert_account(&account).await.unwrap();
    }
    let new_key = AccountChange { credential: Some(sealed("new")), ..AccountChange::default() };
    let link = link("ca_1", i64::MAX);
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
        let changed = found(&store, "ca_1", "ann").await;
        assert_eq!(are_kept(&anns, &changed), [false; 3], "round {round}");
        assert!(changed.iter().flatten().all(|account| account.credential_version == round + 1));
    }
    assert_eq!(are_kept(&bobs, &found(&store, "ca_2", "bob").await), [true; 3]);

    assert!(store.delete_account("ca_1").await.unwrap());
    assert!(found(&store, "ca_1", "ann").await.iter().all(Option::is_none));
    assert_eq!(are_kept(&bobs, &found(&store, "ca_2", "bob").await), [true; 3]);
    assert!(!store.delete_account("ca_1").await.unwrap());
    assert!(!store.update_account("ca_1", &new_key).await.unwrap());

    let disabled = AuthConfigChange { status: Some("DISABLED".to_owned()), ..AuthConfigChange::default() };
    assert!(store.update_auth_config("ac_1", &disabled).await.unwrap());
    assert!(found(&store, "ca_2", "bob").await.iter().flatten().all(|account| account.config_is_disabled));
}

#[tokio::test]
async fn a_user_s_best_account_follows_from_the_others() {
    let store = store().await;
    store.insert_account(&account("ca_1", "ann", 1)).await.unwrap();
    let best = async || store.account_for_call("ann", "acme", None).await.unwrap().unwrap().id.clone();
    assert_eq!(best().await, "ca_1");
    store.insert_account(&account("ca_2", "ann", 2)).await.unwrap();
    assert_eq!(best().await, "ca_2");
    store.update_account("ca_2", &with_status("EXPIRED")).await.unwrap();
    assert_eq!(best().await, "ca_1");
    store.update_account("ca_2", &with_status("ACTIVE")).await.unwrap();
    assert_eq!(best().await, "ca_2");
    store.delete_account("ca_2").await.unwrap();
    assert_eq!(best().await, "ca_1");
}

/// Nobody has to notice what happens to one that is not.
#[tokio::test]
async fn only_an_active_account_is_kept() {
    let store = store().await;
    let unfinished = StoredAccount { status: "INITIALIZING".to_owned(), ..account("ca_1", "ann", 1) };
    store.insert_account(&unfinished).await.unwrap();
    for status in ["INITIALIZING", "INITIATED", "EXPIRED"] {
        let statement = "UPDATE connected_accounts SET own_status = ?";
        sqlx::query(statement).bind(status).execute(&store.writer).await.unwrap();
        let found = found(&store, "ca_1", "ann").await;
        assert!(found.iter().flatten().all(|account| account.status == status), "{found:?}");
    }
}

/// Each leads to something else: another word id, another alias, or that there is nothing to do.
#[tokio::test]
async fn what_stands_in_the_way_of_a_new_row_is_told_apart() {
    let store = store().await;
    let named = |id: &str, word_id: &str, alias: &str| StoredAccount {
        word_id: word_id.to_owned(),
        alias: Some(alias.to_owned()),
        ..account(id, "ann", 1)
    };
    let insert = async |account: StoredAccount| store.insert_account(&account).await;
    assert_eq!(insert(named("ca_1", "red", "work")).await.unwrap(), Insertion::Done);
    assert_eq!(insert(named("ca_2", "red", "home")).await.unwrap(), Insertion::WordIdTaken);
    let error = insert(named("ca_2", "blue", "work")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let orphan = StoredAccount { auth_config_id: "ac_2".to_owned(), ..named("ca_2", "blue", "home") };
    assert_eq!(insert(orphan).await.unwrap(), Insertion::NoAuthConfig);
    let error = insert(named("ca_1", "blue", "home")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "an id is nobody's choice: {error}");
    assert!(store.insert_link(&link("ca_1", 1)).await.unwrap());
    assert!(!store.insert_link(&link("ca_2", 1)).await.unwrap());
}

/// Two changes of an auth config at once are both made, whichever came first.
#[tokio::test]
async fn a_change_of_an_auth_config_leaves_what_it_does_not_name() {
    let store = store().await;
    let client = SealedClient { sealed: b"new".into(), key_id: "k".to_owned(), has_client: true };
    let with = |settings: &[(&'static str, &str)]| {
        settings.iter().map(|(name, json)| (*name, (*json).to_owned())).collect()
    };
    for change in [
        AuthConfigChange { status: Some("DISABLED".to_owned()), ..AuthConfigChange::default() },
        AuthConfigChange { credentials: Some(client), ..AuthConfigChange::default() },
        AuthConfigChange { settings: with(&[("scopes", r#"["a"]"#)]), ..AuthConfigChange::default() },
        AuthConfigChange {
            settings: with(&[("scopes", "null"), ("proxy_config", r#"{"b":"\"\u0000"}"#)]),
            ..AuthConfigChange::default()
        },
        AuthConfigChange { settings: with(&[("user_scopes", "[1]")]), ..AuthConfigChange::default() },
        AuthConfigChange { name: Some("New".to_owned()), ..AuthConfigChange::default() },
    ] {
        assert!(store.update_auth_config("ac_1", &change).await.unwrap());
    }
    let config = store.auth_config("ac_1").await.unwrap().unwrap();
    assert_eq!((config.name.as_str(), config.status.as_str()), ("New", "DISABLED"));
    assert_eq!((config.credentials.as_slice(), config.key_id.as_str()), (b"new".as_slice(), "k"));
    assert!(config.has_client);
    let settings: Value = serde_json::from_str(&config.settings).unwrap();
    assert_eq!(settings, json!({ "scopes": null, "proxy_config": { "b": "\"\0" }, "user_scopes": [1] }));
    assert!(!store.update_auth_config("ac_2", &AuthConfigChange::default()).await.unwrap());
}

/// Else it would be noticed only when links are looked at for another reason.
#[tokio::test]
async fn a_link_has_ended_or_is_the_next_to_end() {
    let store = store().await;
    let unfinished = StoredAccount { status: "INITIALIZING".to_owned(), ..account("ca_1", "ann", 1) };
    store.insert_account(&unfinished).await.unwrap();
    store.insert_link(&link("ca_1", 1_000)).await.unwrap();
    assert!(store.expire_links("late", 999, 998).await.unwrap().is_empty());
    assert_eq!(store.next_link_expiry(999).await.unwrap(), Some(1_000));
    assert_eq!(store.expire_links("late", 1_000, 999).await.unwrap(), ["ca_1"]);
    assert_eq!(store.next_link_expiry(1_000).await.unwrap(), None);
    // Who began it went away before there was a link.
    let begun = StoredAccount { id: "ca_2".to_owned(), updated_at: 500, ..account("ca_2", "bob", 1) };
    store.insert_account(&StoredAccount { status: "INITIALIZING".to_owned(), ..begun }).await.unwrap();
    assert!(store.expire_links("late", 1_000, 501).await.unwrap().is_empty());
    assert_eq!(store.expire_links("late", 1_000, 500).await.unwrap(), ["ca_2"]);
}

/// A time that lies too far ahead was written before the clock was set back.
#[tokio::test]
async fn what_a_wrong_clock_wrote_neither_lives_on_nor_is_left_out() {
    let store = store().await;
    let at = now();
    let hour = 60 * 60 * 1_000;
    for (id, ends) in [("ca_1", at + 25 * hour), ("ca_2", at + 23 * hour)] {
        let unfinished = StoredAccount { status: "INITIALIZING".to_owned(), ..account(id, id, at) };
        store.insert_account(&unfinished).await.unwrap();
        let link = StoredLink { token_hash: id.as_bytes().to_vec(), ..link(id, ends) };
        store.insert_link(&link).await.unwrap();
    }
    assert_eq!(store.expire_links("late", at, hour).await.unwrap(), ["ca_1"]);
    assert!(store.expire_links("late", at, 26 * hour).await.unwrap().is_empty(), "the option may be longer");

    for (id, credential_at) in [("ca_3", at - 2 * hour), ("ca_4", at), ("ca_5", at + 5 * hour)] {
        let mut idle = StoredAccount { credential_at, ..account(id, id, at) };
        idle.credential.renewable = true;
        store.insert_account(&idle).await.unwrap();
    }
    sqlx::query("UPDATE auth_configs SET has_client = TRUE").execute(&store.writer).await.unwrap();
    let idle = store.idle_accounts(at - hour, None, 10).await.unwrap();
    let ids: Vec<_> = idle.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids, ["ca_3", "ca_5"]);
    let held = "UPDATE connected_accounts SET retry_at = ?1, lease_until = ?1 WHERE id = 'ca_3'";
    for (until, is_listed) in [(at + 20_000, false), (at + 5 * hour, true)] {
        sqlx::query(held).bind(until).execute(&store.writer).await.unwrap();
        let idle = store.idle_accounts(at - hour, None, 10).await.unwrap();
        assert_eq!(idle.iter().any(|account| account.id == "ca_3"), is_listed, "{until}");
    }
}

/// SQLite carries out a statement that nobody waits for any more.
#[tokio::test]
async fn a_write_whose_caller_goes_away_forgets_what_it_changes_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let opened = SqliteStore::in_file(&file, ANY_KEY).await.unwrap();
    // No other process is asked for: that would wait for the writer.
    let store = SqliteStore { is_shared: false, ..opened };
    let config = SessionConfig::default();
    let session = StoredSession { id: "trs_1".to_owned(), user_id: "ann".to_owned(), config, version: 1 };
    store.insert_session(&session).await.unwrap();
    while store.writer.num_idle() == 0 {
        yield_now().await;
    }

    let mut other = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    {
        let mut delete = pin!(store.delete_session("trs_1"));
        assert!(delete.as_mut().now_or_never().is_none(), "it waits for the lock");
        assert_eq!(store.writer.num_idle(), 0, "it was asked for");
    }
    assert!(store.session("trs_1").await.unwrap().is_some(), "it is not deleted yet");
    lock.rollback().await.unwrap();
    let deleted = async {
        while store.session("trs_1").await.unwrap().is_some() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), deleted).await.expect("it should have been forgotten");
}

#[tokio::test]
async fn a_writer_that_waits_holds_no_look_up_up_and_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let store = SqliteStore::in_file(&file, ANY_KEY).await.unwrap();
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
    // The lock is waited for much longer.
    timeout(Duration::from_secs(5), noticed).await.expect("a look-up waits for nobody who writes");
    lock.rollback().await.unwrap();
    assert!(!delete.await.unwrap());
}
