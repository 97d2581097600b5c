//! The behaviour of every store. Each test runs over each store; a new store is one more line in [`stores`].

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::sync::Arc;
use std::time::Duration;

use proxy_execute_faults::postgres::Database;
use proxy_execute_protocol::{
    AccountStatus, AccountType, AuthConfigStatus, AuthConfigType, AuthScheme, CallFilter, DeliveryStatus,
    ErrorKind, GivenAcl, SessionConfig,
};
use proxy_execute_store::{
    AccountChange, AccountFilter, AttemptEnd, AuditFilter, AuditLog, AuditRow, AuditedChange,
    AuthConfigChange, AuthConfigFilter, Cached, CallRecord, Clock, DELIVERED_KEPT_FOR, EVENTS_KEPT_FOR,
    Insertion, KeyCheck, LEASE, LeasedDelivery, LinkEnd, LinkStart, LinkState, OWNER, PageAsked,
    PostgresOptions, PostgresStore, RefreshEnd, Replay, ResealedRow, SealedClient, SealedCount,
    SealedCredential, SealedRow, SealedSecrets, SealedTable, SqliteStore, Store, StoredAccount, StoredAcl,
    StoredAuthConfig, StoredKey, StoredLink, StoredSession, StoredSubscription, SubscriptionChange, UserIds,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const ANY_KEY: KeyCheck<'_> = KeyCheck { key_ids: &[], sealed: b"sealed", opens: &|_| true };
const MINUTE: i64 = 60 * 1_000;
const HOUR: i64 = 60 * MINUTE;

/// An empty store.
struct Opened {
    store: Arc<dyn Store>,
    clock: Clock,
    _folder: Option<TempDir>,
}

/// Opens every store, empty, with its name.
async fn stores() -> Vec<(&'static str, Opened)> {
    let clock = Clock::default();
    let memory = || SqliteStore::in_memory(ANY_KEY, clock.clone());
    let folder = || tempfile::tempdir().unwrap();
    let file = async |folder: &TempDir| {
        SqliteStore::in_file(&folder.path().join("gateway.db"), ANY_KEY, clock.clone()).await.unwrap()
    };
    let (plain, cached) = (folder(), folder());
    let mut all: Vec<(_, Arc<dyn Store>, _)> = vec![
        ("SQLite in memory", Arc::new(memory().await.unwrap()), None),
        ("SQLite in a file", Arc::new(file(&plain).await), Some(plain)),
        ("SQLite in memory, cached", Arc::new(Cached::new(memory().await.unwrap(), clock.clone())), None),
        ("SQLite in a file, cached", Arc::new(Cached::new(file(&cached).await, clock.clone())), Some(cached)),
    ];
    if let (Some(plain), Some(cached)) = (postgres(&clock).await, postgres(&clock).await) {
        all.push(("PostgreSQL", Arc::new(plain), None));
        all.push(("PostgreSQL, cached", Arc::new(Cached::new(cached, clock.clone())), None));
    }
    let open = |(name, store, _folder)| (name, Opened { store, clock: clock.clone(), _folder });
    all.into_iter().map(open).collect()
}

/// Opens a store in a new database, if there is a PostgreSQL.
async fn postgres(clock: &Clock) -> Option<PostgresStore> {
    let database = Database::create().await?;
    let options = PostgresOptions::from_url(&database.url).unwrap();
    Some(PostgresStore::open(&options, ANY_KEY, clock.clone(), true).await.unwrap())
}

/// Runs a test over each store.
async fn each(test: impl AsyncFn(&dyn Store, &Clock)) {
    for (name, Opened { store, clock, _folder }) in stores().await {
        println!("{name}");
        store.insert_auth_config(&auth_config("ac_1")).await.unwrap();
        test(&*store, &clock).await;
        store.close().await;
    }
}

fn auth_config(id: &str) -> StoredAuthConfig {
    StoredAuthConfig {
        id: id.to_owned(),
        toolkit: "acme".to_owned(),
        name: format!("Acme {id}"),
        kind: AuthConfigType::Custom,
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
    }
}

fn account(id: &str, user_id: &str, created_at: i64) -> StoredAccount {
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

fn unfinished(id: &str, user_id: &str, created_at: i64) -> StoredAccount {
    StoredAccount { status: AccountStatus::Initializing, ..account(id, user_id, created_at) }
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
        key_id: None,
        expires_at,
        finished_at: None,
    }
}

fn session(id: &str) -> StoredSession {
    StoredSession {
        id: id.to_owned(),
        user_id: "ann".to_owned(),
        config: SessionConfig::default(),
        version: 1,
        created_at: 0,
        used_at: 0,
    }
}

fn key(id: &str, hash: u8) -> StoredKey {
    StoredKey {
        id: id.to_owned(),
        name: None,
        hash: vec![hash],
        permissions: None,
        allowed_addresses: None,
        expires_at: None,
        created_at: hash.into(),
        last_used_at: None,
        revoked_at: None,
    }
}

fn with_status(status: AccountStatus) -> AccountChange {
    AccountChange { status: Some((status, None)), ..AccountChange::default() }
}

fn with_client() -> AuthConfigChange {
    let client = SealedClient { sealed: b"client".into(), key_id: "k".to_owned(), has_client: true };
    AuthConfigChange { credentials: Some(client), ..AuthConfigChange::default() }
}

fn failed(retry_at: i64) -> RefreshEnd {
    RefreshEnd::Failed { problem: "down".to_owned(), retry_at, may_be_done: false, refusals: 0 }
}

/// Returns the account in each of the lookups that calls use.
async fn found(store: &dyn Store, id: &str, user: &str) -> Vec<Arc<StoredAccount>> {
    [
        store.named_account_for_call(id).await.unwrap(),
        store.account_for_call(user, "acme", None).await.unwrap(),
        store.account_for_call(user, "acme", Some("ac_1")).await.unwrap(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test]
async fn a_session_changes_only_from_the_version_that_was_read() {
    each(async |store, _| {
        store.insert_session(&session("trs_1")).await.unwrap();
        let first = store.session("trs_1").await.unwrap().unwrap();
        let mut changed = (*first).clone();
        changed.config.tags = Some(json!(["a"]));
        assert!(store.update_session(&changed).await.unwrap());
        assert!(!store.update_session(&changed).await.unwrap(), "another change came first");
        let second = store.session("trs_1").await.unwrap().unwrap();
        assert_eq!((second.version, &second.config.tags), (2, &Some(json!(["a"]))));
        assert!(store.delete_session("trs_1").await.unwrap());
        assert!(store.session("trs_1").await.unwrap().is_none());
        assert!(!store.delete_session("trs_1").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    each(async |store, clock| {
        for (id, hash) in [("ak_1", 1), ("ak_2", 2)] {
            store.insert_key(&key(id, hash)).await.unwrap();
        }
        let found = store.key_by_hash(&[1]).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.last_used_at), ("ak_1", None));
        let before = clock.now();
        store.touch_key(&found).await.unwrap();
        assert!(store.key_by_hash(&[1]).await.unwrap().unwrap().last_used_at >= Some(before));
        assert!(store.revoke_key("ak_1").await.unwrap());
        assert!(!store.revoke_key("ak_1").await.unwrap());
        assert!(store.key_by_hash(&[1]).await.unwrap().is_none());
        let ids: Vec<_> = store.keys().await.unwrap().into_iter().map(|key| key.id).collect();
        assert_eq!(ids, ["ak_2", "ak_1"]);
    })
    .await;
}

#[tokio::test]
async fn calls_are_listed_newest_first() {
    each(async |store, _| {
        let calls = (0..600).map(|at| CallRecord { at, ..CallRecord::default() }).collect();
        store.insert_calls(calls, 10_000).await.unwrap();
        store.insert_calls(vec![CallRecord { at: 600, ..CallRecord::default() }], 10_000).await.unwrap();
        let calls = store.calls(&CallFilter::newest(3)).await.unwrap();
        assert_eq!(calls.iter().map(|call| call.at).collect::<Vec<_>>(), [600, 599, 598]);
        assert_eq!(store.calls(&CallFilter::newest(1_000)).await.unwrap().len(), 601);
        let next = CallFilter { before: Some(calls[2].id), ..CallFilter::newest(2) };
        let next = store.calls(&next).await.unwrap();
        assert_eq!(next.iter().map(|call| call.at).collect::<Vec<_>>(), [597, 596]);
    })
    .await;
}

#[tokio::test]
async fn calls_are_selected_by_each_condition_of_a_filter() {
    each(async |store, _| {
        let text = |text: &str| Some(text.to_owned());
        let call = |at, user: &str, toolkit: &str| CallRecord {
            at,
            user_id: text(user),
            session_id: text(&format!("trs_{user}")),
            toolkit: text(toolkit),
            account_id: text(&format!("ca_{user}")),
            request_id: text(&format!("req_{at}")),
            outcome: if at < 2 { "answered" } else { "cancelled" }.to_owned(),
            ..CallRecord::default()
        };
        let calls = vec![
            call(0, "ann", "slack"),
            call(1, "bob", "github"),
            call(2, "ann\0", "github"),
            call(3, "ann", "github"),
        ];
        store.insert_calls(calls, 10_000).await.unwrap();
        let all = || CallFilter::newest(10);
        for (filter, expected) in [
            (all(), &[3, 2, 1, 0][..]),
            (CallFilter { user_id: text("ann"), ..all() }, &[3, 0]),
            // A database may not hold this character.
            (CallFilter { user_id: text("ann\0"), ..all() }, &[2]),
            (CallFilter { session_id: text("trs_bob"), ..all() }, &[1]),
            (CallFilter { toolkit: text("github"), ..all() }, &[3, 2, 1]),
            (CallFilter { connected_account_id: text("ca_bob"), ..all() }, &[1]),
            (CallFilter { outcome: text("answered"), ..all() }, &[1, 0]),
            (CallFilter { request_id: text("req_1"), ..all() }, &[1]),
            (CallFilter { since: Some(2), ..all() }, &[3, 2]),
            (CallFilter { until: Some(2), ..all() }, &[1, 0]),
            (CallFilter { user_id: text("ann"), toolkit: text("github"), ..all() }, &[3]),
            (CallFilter { user_id: text("zoe"), ..all() }, &[]),
        ] {
            let found = store.calls(&filter).await.unwrap();
            assert_eq!(found.iter().map(|call| call.at).collect::<Vec<_>>(), expected, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn at_most_one_account_is_the_default_account() {
    each(async |store, _| {
        let default = async || store.default_account().await.unwrap().map(|account| account.id.clone());
        for id in ["ca_1", "ca_2"] {
            store.insert_account(&account(id, "ann", 1)).await.unwrap();
            assert_eq!(default().await.as_deref(), (id == "ca_2").then_some("ca_1"));
            assert!(store.set_default_account(id, true).await.unwrap());
            assert_eq!(default().await.as_deref(), Some(id));
        }
        assert!(!store.set_default_account("ca_3", true).await.unwrap());
        assert!(!store.set_default_account("ca_3", false).await.unwrap());
        assert!(store.set_default_account("ca_1", false).await.unwrap());
        assert_eq!(default().await.as_deref(), Some("ca_2"));
        let disabled = AccountChange { is_disabled: Some(true), ..AccountChange::default() };
        store.update_account("ca_2", &disabled).await.unwrap();
        assert!(store.default_account().await.unwrap().unwrap().is_disabled);
        assert!(store.delete_account("ca_2").await.unwrap());
        assert_eq!(default().await, None);
        assert!(store.set_default_account("ca_1", true).await.unwrap());
        assert!(store.delete_auth_config("ac_1").await.unwrap());
        assert_eq!(default().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_shared_account_is_found_by_its_id_only() {
    each(async |store, _| {
        let acl = StoredAcl { allowed_user_ids: UserIds(vec!["bob".to_owned()]), ..StoredAcl::default() };
        let shared = StoredAccount { account_type: AccountType::Shared, acl, ..account("ca_1", "ann", 2) };
        store.insert_account(&shared).await.unwrap();
        assert!(store.account_for_call("ann", "acme", None).await.unwrap().is_none());
        assert!(store.account_for_call("ann", "acme", Some("ac_1")).await.unwrap().is_none());
        assert!(store.accounts_for_calls("ann").await.unwrap().is_empty());
        store.insert_account(&account("ca_2", "ann", 1)).await.unwrap();
        assert_eq!(store.account_for_call("ann", "acme", None).await.unwrap().unwrap().id, "ca_2");
        assert_eq!(store.accounts_for_calls("ann").await.unwrap()[0].id, "ca_2");

        let named = async || store.named_account_for_call("ca_1").await.unwrap().unwrap().acl.clone();
        assert_eq!(named().await, shared.acl);
        let parts = GivenAcl { not_allowed_user_ids: Some(vec!["cem".to_owned()]), ..GivenAcl::default() };
        let change = AccountChange { acl: parts, ..AccountChange::default() };
        assert!(store.update_account("ca_1", &change).await.unwrap());
        let not_allowed_user_ids = UserIds(vec!["cem".to_owned()]);
        assert_eq!(named().await, StoredAcl { not_allowed_user_ids, ..shared.acl.clone() });

        for (account_type, ids) in [
            (Some(AccountType::Shared), vec!["ca_1"]),
            (Some(AccountType::Private), vec!["ca_2"]),
            (None, vec!["ca_1", "ca_2"]),
        ] {
            for user_ids in [Vec::new(), vec!["ann".to_owned()]] {
                let page = PageAsked { limit: 9, ..PageAsked::default() };
                let filter = AccountFilter { account_type, user_ids, page, ..AccountFilter::default() };
                let found = store.accounts(&filter).await.unwrap();
                let found_ids: Vec<_> = found.rows.iter().map(|account| account.id.as_str()).collect();
                assert_eq!((found.total, found_ids), (ids.len().try_into().unwrap(), ids.clone()));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_account_takes_effect_from_the_next_lookup() {
    each(async |store, _| {
        let new_key = AccountChange { credential: Some(sealed("new")), ..AccountChange::default() };
        store.insert_account(&account("ca_1", "ann", 1)).await.unwrap();
        let link = link("ca_1", i64::MAX);
        store.insert_link(&link).await.unwrap();
        for round in 0..3 {
            let seen = found(store, "ca_1", "ann").await;
            assert_eq!(seen.len(), 3);
            match round {
                0 => assert!(store.update_account("ca_1", &new_key).await.unwrap()),
                1 => assert_eq!(store.finish_link(&link, &new_key).await.unwrap(), LinkEnd::Finished),
                _ => {
                    let lease = Duration::from_secs(9);
                    assert_eq!(store.begin_refresh(&seen[0], "me", lease).await.unwrap(), Some(0));
                    let end = RefreshEnd::Renewed(sealed("newer"));
                    assert!(store.end_refresh(&seen[0], "me", &end).await.unwrap());
                }
            }
            let changed = found(store, "ca_1", "ann").await;
            assert_eq!(changed.len(), 3);
            assert!(changed.iter().all(|account| account.credential_version == round + 1), "round {round}");
        }
        assert_eq!(store.finish_link(&link, &new_key).await.unwrap(), LinkEnd::Used);

        let disabled =
            AuthConfigChange { status: Some(AuthConfigStatus::Disabled), ..AuthConfigChange::default() };
        assert!(store.update_auth_config("ac_1", &disabled).await.unwrap());
        assert!(found(store, "ca_1", "ann").await.iter().all(|account| account.config_is_disabled));

        assert!(store.delete_account("ca_1").await.unwrap());
        assert!(found(store, "ca_1", "ann").await.is_empty());
        assert!(!store.delete_account("ca_1").await.unwrap());
        assert!(!store.update_account("ca_1", &new_key).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_best_account_of_a_user_follows_from_the_others() {
    each(async |store, clock| {
        store.insert_account(&account("ca_1", "ann", 1)).await.unwrap();
        let best = async || store.account_for_call("ann", "acme", None).await.unwrap().unwrap().id.clone();
        assert_eq!(best().await, "ca_1");
        store.insert_account(&account("ca_2", "ann", 2)).await.unwrap();
        assert_eq!(best().await, "ca_2");
        store.update_account("ca_2", &with_status(AccountStatus::Expired)).await.unwrap();
        assert_eq!(best().await, "ca_1");
        store.update_account("ca_2", &with_status(AccountStatus::Active)).await.unwrap();
        assert_eq!(best().await, "ca_2");
        let mut ending = sealed("ends");
        ending.expires_at = Some(clock.now() + HOUR);
        let change = AccountChange { credential: Some(ending), ..AccountChange::default() };
        store.update_account("ca_2", &change).await.unwrap();
        assert_eq!(best().await, "ca_2");
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(best().await, "ca_1", "the access token of the other has expired");
        let by_toolkit = store.accounts_for_calls("ann").await.unwrap();
        assert_eq!(by_toolkit.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["ca_1"]);
        store.delete_account("ca_1").await.unwrap();
        assert_eq!(best().await, "ca_2", "an account of any state, if there is no better");
    })
    .await;
}

/// Each conflict needs another reaction: another word id, another alias, or none.
#[tokio::test]
async fn conflicts_of_a_new_row_are_told_apart() {
    each(async |store, _| {
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
        assert_eq!(error.kind(), ErrorKind::Internal, "the gateway chooses ids: {error}");
        for name in ["ca_1", "red", "work"] {
            let found = store.account_by_name("ann", "acme", name).await.unwrap();
            assert_eq!(found.is_some(), name != "ca_1", "{name}");
        }
        assert!(store.insert_link(&link("ca_1", 1)).await.unwrap());
        assert!(!store.insert_link(&link("ca_2", 1)).await.unwrap());
    })
    .await;
}

/// Two concurrent changes of an auth config both take effect, in either order.
#[tokio::test]
async fn a_change_of_an_auth_config_leaves_unnamed_fields() {
    each(async |store, _| {
        let with = |settings: &[(&'static str, &str)]| {
            settings.iter().map(|(name, json)| (*name, (*json).to_owned())).collect()
        };
        for change in [
            AuthConfigChange { status: Some(AuthConfigStatus::Disabled), ..AuthConfigChange::default() },
            with_client(),
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
        assert_eq!((config.name.as_str(), config.status), ("New", AuthConfigStatus::Disabled));
        assert_eq!((config.credentials.as_slice(), config.key_id.as_str()), (b"client".as_slice(), "k"));
        assert!(config.has_client);
        let settings: Value = serde_json::from_str(&config.settings).unwrap();
        assert_eq!(settings, json!({ "scopes": null, "proxy_config": { "b": "\"\0" }, "user_scopes": [1] }));
        assert!(!store.update_auth_config("ac_2", &AuthConfigChange::default()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn auth_configs_are_listed_with_the_number_of_their_accounts() {
    each(async |store, _| {
        store.insert_auth_config(&auth_config("ac_2")).await.unwrap();
        for id in ["ca_1", "ca_2"] {
            store.insert_account(&account(id, id, 1)).await.unwrap();
        }
        store.update_account("ca_2", &with_status(AccountStatus::Expired)).await.unwrap();
        let page = PageAsked { after: None, limit: 10 };
        let listed = store.auth_configs(&AuthConfigFilter { page, ..Default::default() }).await.unwrap();
        let counts: Vec<_> = listed.rows.iter().map(|config| (config.id.as_str(), config.accounts)).collect();
        assert_eq!((counts, listed.total), (vec![("ac_2", 0), ("ac_1", 2)], 2));
        store.delete_account("ca_1").await.unwrap();
        assert_eq!(store.auth_config("ac_1").await.unwrap().unwrap().accounts, 1);

        let default = || StoredAuthConfig { kind: AuthConfigType::Default, ..auth_config("ac_3") };
        assert_eq!(store.default_auth_config(default()).await.unwrap().id, "ac_3");
        let second = StoredAuthConfig { id: "ac_4".to_owned(), ..default() };
        assert_eq!(store.default_auth_config(second).await.unwrap().id, "ac_3");
        assert!(store.delete_auth_config("ac_1").await.unwrap());
        assert!(store.account("ca_2").await.unwrap().is_none(), "its accounts go with it");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_accounts_begins_where_the_last_ended() {
    each(async |store, _| {
        for (id, at) in [("ca_1", 1), ("ca_2", 2), ("ca_3", 2), ("ca_4", 3)] {
            store.insert_account(&account(id, id, at)).await.unwrap();
        }
        let ids = async |oldest_first, after, statuses: &[AccountStatus]| {
            let statuses = statuses.to_vec();
            let page = PageAsked { after, limit: 1 };
            let filter = AccountFilter { oldest_first, statuses, page, ..AccountFilter::default() };
            let listed = store.accounts(&filter).await.unwrap();
            let last = listed.rows.first().map(|row| (row.created_at, row.seq));
            (listed.rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), listed.total, last)
        };
        let (first, total, last) = ids(false, None, &[]).await;
        assert_eq!(
            (first, total),
            (vec!["ca_4".to_owned(), "ca_3".to_owned()], 4),
            "one more than the limit"
        );
        assert_eq!(ids(false, last, &[]).await.0, ["ca_3", "ca_2"]);
        assert_eq!(ids(true, None, &[AccountStatus::Active]).await.0, ["ca_1", "ca_2"]);
        store.update_account("ca_2", &with_status(AccountStatus::Expired)).await.unwrap();
        assert_eq!(ids(true, None, &[AccountStatus::Expired]).await.0, ["ca_2"]);
        assert_eq!(ids(true, None, &[AccountStatus::Failed]).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_has_one_holder_until_its_lease_ends() {
    each(async |store, clock| {
        store.insert_account(&account("ca_1", "ann", 1)).await.unwrap();
        let seen = store.account("ca_1").await.unwrap().unwrap();
        let lease = Duration::from_secs(20);
        let begin = async |seen: &StoredAccount, holder: &str| {
            store.begin_refresh(seen, holder, lease).await.unwrap()
        };
        assert_eq!(begin(&seen, "first").await, Some(0));
        assert_eq!(begin(&seen, "second").await, None, "the lease is held");
        clock.advance(lease);
        assert_eq!(begin(&seen, "second").await, Some(1), "the first may have spent the refresh token");
        assert!(!store.end_refresh(&seen, "first", &RefreshEnd::Renewed(sealed("late"))).await.unwrap());
        assert!(store.end_refresh(&seen, "second", &failed(clock.now() + MINUTE)).await.unwrap());
        let paused = store.account("ca_1").await.unwrap().unwrap();
        assert_eq!((paused.failures, paused.problem.as_deref()), (1, Some("down")));
        assert!(paused.paused_until(clock.now()).is_some());
        assert_eq!(begin(&seen, "third").await, None, "the account is not as it was seen");
        assert!(begin(&paused, "third").await.is_some());
        let refused = RefreshEnd::Refused("no".to_owned());
        assert!(store.end_refresh(&paused, "third", &refused).await.unwrap());
        let expired = store.account("ca_1").await.unwrap().unwrap();
        assert_eq!((expired.status, expired.status_reason.as_deref()), (AccountStatus::Expired, Some("no")));
    })
    .await;
}

#[tokio::test]
async fn a_link_belongs_to_one_browser_and_its_state_is_taken_once() {
    each(async |store, _| {
        store.insert_account(&unfinished("ca_1", "ann", 1)).await.unwrap();
        let link = link("ca_1", i64::MAX);
        assert!(store.insert_link(&link).await.unwrap());
        let start = |browser: u8, state: u8| LinkStart {
            browser_hash: vec![browser],
            state: Some(LinkState {
                hash: vec![state],
                verifier: b"v".into(),
                given: b"g".into(),
                callback_url: Some(b"c".into()),
                key_id: "newer".to_owned(),
            }),
        };
        assert!(store.start_link(&link, &start(1, 1)).await.unwrap());
        assert!(!store.start_link(&link, &start(2, 2)).await.unwrap(), "another browser's");
        assert!(store.start_link(&link, &start(1, 3)).await.unwrap());
        assert_eq!(store.account("ca_1").await.unwrap().unwrap().status, AccountStatus::Initiated);
        assert!(store.link_of_state(&[1]).await.unwrap().is_none(), "the state was replaced");
        let begun = store.link_of_state(&[3]).await.unwrap().unwrap();
        assert_eq!(begun.verifier.as_deref(), Some(b"v".as_slice()));
        let sealed = (begun.callback_url.as_deref(), begun.key_id.as_deref());
        assert_eq!(sealed, (Some(b"c".as_slice()), Some("newer")));
        // A start without a state leaves the callback URL and its key.
        let bound = LinkStart { browser_hash: vec![1], state: None };
        assert!(store.start_link(&link, &bound).await.unwrap());
        let bound = store.link(&link.token_hash).await.unwrap().unwrap();
        assert_eq!((bound.callback_url, bound.verifier), (Some(b"c".to_vec()), None));
        assert_eq!(bound.key_id.as_deref(), Some("newer"));
        assert!(store.start_link(&link, &start(1, 3)).await.unwrap());
        assert!(store.take_state(&[3]).await.unwrap());
        assert!(!store.take_state(&[3]).await.unwrap());
        store.end_links("ca_1").await.unwrap();
        assert!(!store.start_link(&link, &start(1, 4)).await.unwrap());
        assert!(store.link(&link.token_hash).await.unwrap().unwrap().finished_at.is_some());
    })
    .await;
}

/// The rows of a table that a key has sealed, and the number of rows of each key.
async fn sealed_by(store: &dyn Store, table: SealedTable, key_id: Option<&str>) -> Vec<SealedRow> {
    let rows = store.sealed_rows(table, key_id, i64::MIN, 100).await.unwrap();
    let counts = store.count_sealed().await.unwrap();
    let counted = counts.iter().find(|count| (count.table, count.key_id.as_deref()) == (table, key_id));
    assert_eq!(counted.map_or(0, |count| count.rows), rows.len() as u64, "{table:?} {key_id:?}");
    rows
}

/// The same row with other fields.
fn resealed(read: &SealedRow) -> ResealedRow {
    let again = |sealed: &Vec<u8>| [b"again ", sealed.as_slice()].concat();
    ResealedRow {
        read: read.clone(),
        fields: read.fields.iter().map(|field| field.as_ref().map(again)).collect(),
    }
}

fn of_key(text: &str, key_id: &str) -> SealedCredential {
    SealedCredential { key_id: key_id.to_owned(), renewable: true, ..sealed(text) }
}

#[tokio::test]
async fn sealed_rows_are_found_by_their_key_and_replaced_only_as_they_were_read() {
    each(async |store, _| {
        let config = StoredAuthConfig {
            credentials: b"client".into(),
            key_id: "old".to_owned(),
            ..auth_config("ac_2")
        };
        store.insert_auth_config(&config).await.unwrap();
        for (id, key_id) in [("ca_1", "old"), ("ca_2", "old"), ("ca_3", "new"), ("ca_4", "old")] {
            let account = StoredAccount { credential: of_key(id, key_id), ..account(id, "ann", 1) };
            store.insert_account(&account).await.unwrap();
        }
        let given = StoredLink {
            token_hash: vec![0xab, 0x01],
            callback_url: Some(b"url".into()),
            key_id: Some("old".to_owned()),
            ..link("ca_1", i64::MAX)
        };
        store.insert_link(&given).await.unwrap();

        let of_accounts = sealed_by(store, SealedTable::Accounts, Some("old")).await;
        let ids: Vec<&str> = of_accounts.iter().map(|row| &*row.id).collect();
        assert_eq!(ids, ["ca_1", "ca_2", "ca_4"]);
        assert_eq!(of_accounts[1].fields, [Some(b"ca_2".to_vec())]);
        let page = |after, limit| store.sealed_rows(SealedTable::Accounts, Some("old"), after, limit);
        assert_eq!(page(i64::MIN, 2).await.unwrap(), of_accounts[..2]);
        assert_eq!(page(of_accounts[1].position, 2).await.unwrap(), of_accounts[2..]);
        let of_links = sealed_by(store, SealedTable::Links, Some("old")).await;
        assert_eq!((&*of_links[0].id, of_links.len()), ("ab01", 1));
        assert_eq!(of_links[0].fields, [Some(b"url".to_vec()), None, None]);
        // A gateway has no key to note here.
        let key_check = sealed_by(store, SealedTable::KeyCheck, None).await;
        assert_eq!((&*key_check[0].id, &key_check[0].fields), ("key_check", &vec![Some(b"sealed".to_vec())]));

        // A row that changed since is left as it is.
        let newer = AccountChange { credential: Some(of_key("newer", "old")), ..AccountChange::default() };
        assert!(store.update_account("ca_2", &newer).await.unwrap());
        assert!(store.delete_account("ca_4").await.unwrap());
        let before = store.account("ca_1").await.unwrap().unwrap();
        let rows = of_accounts.iter().map(resealed).collect();
        assert_eq!(store.reseal_rows(SealedTable::Accounts, "new", rows).await.unwrap(), 1);
        let after = store.account("ca_1").await.unwrap().unwrap();
        assert_eq!((&*after.credential.sealed, &*after.credential.key_id), (b"again ca_1".as_slice(), "new"));
        assert_eq!(after.credential_version, before.credential_version);
        assert_eq!((after.updated_at, after.credential_at), (before.updated_at, before.credential_at));
        assert_eq!(
            sealed_by(store, SealedTable::Accounts, Some("old")).await[0].fields,
            [Some(b"newer".into())]
        );

        for (table, row) in [(SealedTable::Links, &of_links[0]), (SealedTable::KeyCheck, &key_check[0])] {
            for expected in [1, 0] {
                let replaced = store.reseal_rows(table, "new", vec![resealed(row)]).await.unwrap();
                assert_eq!(replaced, expected, "{table:?}");
            }
        }
        let of_config = sealed_by(store, SealedTable::AuthConfigs, Some("old")).await;
        store.reseal_rows(SealedTable::AuthConfigs, "new", vec![resealed(&of_config[0])]).await.unwrap();
        let config = store.auth_config("ac_2").await.unwrap().unwrap();
        assert_eq!((&*config.credentials, &*config.key_id), (b"again client".as_slice(), "new"));
        let left: Vec<SealedCount> = store.count_sealed().await.unwrap();
        let left: Vec<_> = left.iter().filter(|count| count.key_id.as_deref() == Some("old")).collect();
        assert!(matches!(left[..], [SealedCount { table: SealedTable::Accounts, rows: 1, .. }]), "{left:?}");
    })
    .await;
}

/// The fields of a row are replaced while its refresh is in flight: the holder keeps its lease, and its result.
#[tokio::test]
async fn a_refresh_outlives_the_replacement_of_its_sealed_credential() {
    each(async |store, _| {
        let first = StoredAccount { credential: of_key("first", "old"), ..account("ca_1", "ann", 1) };
        store.insert_account(&first).await.unwrap();
        let seen = store.account("ca_1").await.unwrap().unwrap();
        assert_eq!(store.begin_refresh(&seen, "holder", LEASE).await.unwrap(), Some(0));
        let read = sealed_by(store, SealedTable::Accounts, Some("old")).await;
        let rows = || read.iter().map(resealed).collect();
        assert_eq!(store.reseal_rows(SealedTable::Accounts, "new", rows()).await.unwrap(), 1);
        let again = store.account("ca_1").await.unwrap().unwrap();
        assert_eq!(store.begin_refresh(&again, "another", LEASE).await.unwrap(), None, "the lease is held");
        let end = RefreshEnd::Renewed(of_key("renewed", "old"));
        assert!(store.end_refresh(&seen, "holder", &end).await.unwrap());
        // A batch that read the row before the refresh ended undoes nothing.
        assert_eq!(store.reseal_rows(SealedTable::Accounts, "new", rows()).await.unwrap(), 0);
        let renewed = store.account("ca_1").await.unwrap().unwrap();
        assert_eq!((&*renewed.credential.sealed, renewed.credential_version), (b"renewed".as_slice(), 1));
    })
    .await;
}

/// Otherwise the end of a link would go unnoticed until links are read for another reason.
#[tokio::test]
async fn a_link_has_ended_or_is_the_next_to_end() {
    each(async |store, _| {
        store.insert_account(&unfinished("ca_1", "ann", 1)).await.unwrap();
        store.insert_link(&link("ca_1", 1_000)).await.unwrap();
        assert!(store.expire_links("late", 999, 998).await.unwrap().is_empty());
        assert_eq!(store.next_link_expiry(999).await.unwrap(), Some(1_000));
        assert_eq!(store.expire_links("late", 1_000, 999).await.unwrap(), ["ca_1"]);
        assert_eq!(store.next_link_expiry(1_000).await.unwrap(), None);
        // The caller that began this account was dropped before the link was created.
        let begun = StoredAccount { updated_at: 500, ..unfinished("ca_2", "bob", 1) };
        store.insert_account(&begun).await.unwrap();
        assert!(store.expire_links("late", 1_000, 501).await.unwrap().is_empty());
        assert_eq!(store.expire_links("late", 1_000, 500).await.unwrap(), ["ca_2"]);
    })
    .await;
}

/// A time too far ahead was written before the clock was set back.
#[tokio::test]
async fn a_row_from_a_wrong_clock_is_neither_kept_nor_skipped() {
    each(async |store, clock| {
        let at = clock.now();
        for (id, ends) in [("ca_1", at + 25 * HOUR), ("ca_2", at + 23 * HOUR)] {
            store.insert_account(&unfinished(id, id, at)).await.unwrap();
            store.insert_link(&link(id, ends)).await.unwrap();
        }
        assert_eq!(store.expire_links("late", at, HOUR).await.unwrap(), ["ca_1"]);
        let longer = store.expire_links("late", at, 26 * HOUR).await.unwrap();
        assert!(longer.is_empty(), "the option may be longer");

        store.update_auth_config("ac_1", &with_client()).await.unwrap();
        let insert = async |id: &str, credential_at: i64| {
            let mut idle = StoredAccount { credential_at, ..account(id, id, at) };
            idle.credential.renewable = true;
            store.insert_account(&idle).await.unwrap();
            store.account(id).await.unwrap().unwrap()
        };
        for (id, credential_at) in [("ca_3", at - 2 * HOUR), ("ca_4", at), ("ca_5", at + 5 * HOUR)] {
            insert(id, credential_at).await;
        }
        let listed = async || {
            let idle = store.idle_accounts(at - HOUR, None, 10).await.unwrap();
            idle.into_iter().map(|account| account.id).collect::<Vec<_>>()
        };
        assert_eq!(listed().await, ["ca_3", "ca_5"]);
        for (id, lease) in [("ca_6", 20), ("ca_7", 5 * 3_600)] {
            let seen = insert(id, at - 2 * HOUR).await;
            store.begin_refresh(&seen, "me", Duration::from_secs(lease)).await.unwrap().unwrap();
        }
        for (id, pause) in [("ca_8", 20_000), ("ca_9", 5 * HOUR)] {
            let seen = insert(id, at - 2 * HOUR).await;
            store.begin_refresh(&seen, "me", Duration::from_secs(20)).await.unwrap().unwrap();
            assert!(store.end_refresh(&seen, "me", &failed(clock.now() + pause)).await.unwrap());
        }
        assert_eq!(listed().await, ["ca_3", "ca_7", "ca_9", "ca_5"]);
    })
    .await;
}

#[tokio::test]
async fn a_migration_of_a_file_is_in_the_audit_record() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let open = async || SqliteStore::in_file(&path, ANY_KEY, Clock::default()).await.unwrap();
    let new = open().await;
    assert_eq!(new.audit_chain(0, 10).await.unwrap(), [], "a new store was not changed");
    new.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    for sql in ["DELETE FROM _sqlx_migrations WHERE description = 'audit log'", "DROP TABLE audit_log"] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    sqlx::Connection::close(connection).await.unwrap();
    for _ in 0..2 {
        let migrated = open().await;
        let chain = migrated.audit_chain(0, 10).await.unwrap();
        assert_eq!((chain.len(), chain[0].change.action.as_str()), (1, "store.migrated"));
        migrated.close().await;
    }
}

/// docs/versioning.md: an older version refuses the store of a newer one, and does not change it.
#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    drop(SqliteStore::in_file(&path, ANY_KEY, Clock::default()).await.unwrap());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a newer version', TRUE, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let error = SqliteStore::in_file(&path, ANY_KEY, Clock::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(error.body().message.contains("another version of the gateway"), "{error}");
    assert!(error.body().suggested_fix.as_ref().is_some_and(|fix| fix.contains("newer")), "{error}");
}

#[tokio::test]
async fn the_audit_record_is_a_chain() {
    each(async |store, _| {
        let change = |target: &str, at| AuditedChange {
            at,
            actor: OWNER.to_owned(),
            action: "api_key.created".to_owned(),
            target: target.to_owned(),
        };
        for (target, at) in [("key_1", 10), ("key_2", 30), ("key\u{0}3", 20)] {
            store.append_audit(change(target, at)).await.unwrap();
        }
        let chain = store.audit_chain(0, 10).await.unwrap();
        assert_eq!(chain.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
        let mut previous = AuditRow::NO_HASH.to_owned();
        for row in &chain {
            assert_eq!(row.hash, AuditRow::chained(&previous, row.seq, &row.change));
            previous.clone_from(&row.hash);
        }
        // PostgreSQL stores no U+0000, and the hash is that of the stored text.
        assert_eq!(chain[2].change.target, "key\u{fffd}3");
        assert_eq!(store.audit_chain(1, 1).await.unwrap(), chain[1..2]);
        let listed = async |filter| {
            let rows = store.audit_rows(filter).await.unwrap();
            rows.into_iter().map(|row| row.seq).collect::<Vec<_>>()
        };
        let all = AuditFilter { limit: 10, ..AuditFilter::default() };
        assert_eq!(listed(all).await, [3, 2, 1]);
        assert_eq!(listed(AuditFilter { limit: 2, ..all }).await, [3, 2]);
        assert_eq!(listed(AuditFilter { before: Some(3), ..all }).await, [2, 1]);
        assert_eq!(listed(AuditFilter { since: Some(20), ..all }).await, [3, 2]);
        assert_eq!(listed(AuditFilter { until: Some(20), ..all }).await, [1]);
    })
    .await;
}

/// The types of the events with a greater cursor, without their common prefix, each with its account.
async fn events_after(store: &dyn Store, after: i64) -> Vec<(String, String)> {
    store.number_events().await.unwrap();
    let events = store.events(after, 100).await.unwrap();
    assert!(events.iter().all(|event| event.id.len() == 40 && event.id.starts_with("msg_")));
    let short = |name: &str| name.strip_prefix("connected_account.").unwrap().to_owned();
    events.into_iter().map(|event| (short(&event.event_type), event.account_id)).collect()
}

fn named(events: &[&str], account_id: &str) -> Vec<(String, String)> {
    events.iter().map(|event| ((*event).to_owned(), account_id.to_owned())).collect()
}

#[tokio::test]
async fn every_change_of_an_account_is_an_event() {
    each(async |store, clock| {
        let set = async |status, reason: &str| {
            let status = Some((status, Some(reason.to_owned())));
            let change = AccountChange { status, ..AccountChange::default() };
            store.update_account("ca_1", &change).await.unwrap();
        };
        let end = async |end: RefreshEnd| {
            let seen = store.account("ca_1").await.unwrap().unwrap();
            assert!(store.begin_refresh(&seen, "holder", LEASE).await.unwrap().is_some());
            assert!(store.end_refresh(&seen, "holder", &end).await.unwrap());
        };
        store.insert_account(&unfinished("ca_1", "ann", clock.now())).await.unwrap();
        let change = AccountChange {
            credential: Some(sealed("first")),
            status: Some((AccountStatus::Active, None)),
            is_connection: true,
            ..AccountChange::default()
        };
        store.update_account("ca_1", &change).await.unwrap();
        end(RefreshEnd::Renewed(sealed("second"))).await;
        end(failed(clock.now())).await;
        // A refresh that has failed makes the next one wait.
        clock.advance(Duration::from_secs(60));
        end(RefreshEnd::Refused("refused".to_owned())).await;
        for is_disabled in [true, false] {
            let change = AccountChange { is_disabled: Some(is_disabled), ..AccountChange::default() };
            store.update_account("ca_1", &change).await.unwrap();
        }
        set(AccountStatus::Revoked, "revoked").await;
        set(AccountStatus::Failed, "denied").await;
        // Neither an alias nor a rewritten reason is an event.
        let alias = AccountChange { alias: Some(Some("work".to_owned())), ..AccountChange::default() };
        store.update_account("ca_1", &alias).await.unwrap();
        set(AccountStatus::Failed, "denied again").await;
        store.delete_account("ca_1").await.unwrap();
        let all = [
            "connected",
            "refreshed",
            "refresh_failed",
            "expired",
            "disabled",
            "enabled",
            "revoked",
            "failed",
            "deleted",
        ];
        assert_eq!(events_after(store, 0).await, named(&all, "ca_1"));
        let events = store.events(0, 100).await.unwrap();
        assert_eq!(
            (events[2].reason.as_deref(), events[3].reason.as_deref()),
            (Some("down"), Some("refused"))
        );
        assert_eq!((events[3].status, &*events[3].user_id), (AccountStatus::Expired, "ann"));
        assert_eq!(events.iter().map(|event| event.cursor).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());

        store.insert_account(&account("ca_2", "ann", 0)).await.unwrap();
        store.delete_auth_config("ac_1").await.unwrap();
        assert_eq!(events_after(store, 9).await, named(&["connected", "deleted"], "ca_2"));
        store.insert_auth_config(&auth_config("ac_1")).await.unwrap();
        store.insert_account(&unfinished("ca_3", "ann", clock.now())).await.unwrap();
        store.expire_links("too late", clock.now() + HOUR, MINUTE).await.unwrap();
        assert_eq!(events_after(store, 11).await, named(&["expired"], "ca_3"));
    })
    .await;
}

#[tokio::test]
async fn a_change_that_fails_leaves_no_event() {
    each(async |store, _| {
        let alias = AccountChange { alias: Some(Some("work".to_owned())), ..AccountChange::default() };
        store.insert_account(&account("ca_1", "ann", 0)).await.unwrap();
        store.insert_account(&account("ca_2", "ann", 0)).await.unwrap();
        store.update_account("ca_1", &alias).await.unwrap();
        let change = AccountChange { is_disabled: Some(true), ..alias };
        assert_eq!(store.update_account("ca_2", &change).await.unwrap_err().kind(), ErrorKind::Conflict);
        let cursors = store.number_events().await.unwrap();
        assert_eq!((cursors.last, cursors.forgotten), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn an_expiry_that_no_refresh_prevents_is_announced_once_for_a_token() {
    each(async |store, clock| {
        let begun = clock.now();
        for (id, lifetime, renewable) in
            [("ca_1", 30 * HOUR, false), ("ca_2", HOUR, true), ("ca_3", 240 * HOUR, false)]
        {
            let credential =
                SealedCredential { expires_at: Some(begun + lifetime), renewable, ..sealed("token") };
            let account = StoredAccount { credential, credential_at: begun, ..account(id, "ann", begun) };
            store.insert_account(&account).await.unwrap();
        }
        assert_eq!(store.announce_expiries().await.unwrap(), 0);
        // The first token has less than a fifth of its time left.
        clock.advance(Duration::from_secs(25 * 60 * 60));
        assert_eq!(store.announce_expiries().await.unwrap(), 1);
        assert_eq!(store.announce_expiries().await.unwrap(), 0);
        assert_eq!(events_after(store, 3).await, named(&["expiring_soon"], "ca_1"));
    })
    .await;
}

#[tokio::test]
async fn events_beyond_their_age_are_forgotten_and_the_cursors_tell() {
    each(async |store, clock| {
        assert!(store.insert_subscription(&subscription("whs_1", &["connected"]), 9).await.unwrap());
        store.insert_account(&account("ca_1", "ann", 0)).await.unwrap();
        store.insert_account(&account("ca_2", "ann", 0)).await.unwrap();
        assert_eq!(store.number_events().await.unwrap().last, 2);
        clock.advance(Duration::from_millis(EVENTS_KEPT_FOR.unsigned_abs() + 1_000));
        let cursors = store.number_events().await.unwrap();
        assert_eq!((cursors.last, cursors.forgotten), (2, 2));
        assert_eq!(counts(store, "whs_1").await, [0, 0, 0], "deliveries go with their events");
        assert_eq!(store.events(0, 10).await.unwrap(), []);
        // Nothing is numbered twice.
        assert_eq!(store.number_events().await.unwrap(), cursors);
    })
    .await;
}

#[tokio::test]
async fn sessions_end_by_their_creation_or_their_last_use() {
    each(async |store, clock| {
        let begun = clock.now();
        for (id, created_at) in [("trs_1", begun - HOUR), ("trs_2", begun), ("trs_3", begun)] {
            store.insert_session(&StoredSession { created_at, ..session(id) }).await.unwrap();
        }
        assert_eq!(store.session("trs_1").await.unwrap().unwrap().created_at, begun - HOUR);
        assert_eq!(store.delete_ended_sessions(None, None).await.unwrap(), 0);
        assert_eq!(store.delete_ended_sessions(Some(begun - MINUTE), Some(begun)).await.unwrap(), 1);
        clock.advance(Duration::from_secs(60));
        store.touch_session("trs_2").await.unwrap();
        let used_at = store.session("trs_2").await.unwrap().unwrap().used_at;
        assert!(used_at >= begun + MINUTE, "{used_at}");
        assert_eq!(store.delete_ended_sessions(None, Some(begun + MINUTE)).await.unwrap(), 1);
        let ids = async |user, after, limit| {
            let sessions = store.sessions_of_user(user, after, limit).await.unwrap();
            sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
        };
        assert_eq!(ids("ann", None, 10).await, ["trs_2"]);
        store.insert_session(&session("trs_4")).await.unwrap();
        assert_eq!(ids("ann", None, 1).await, ["trs_2"]);
        assert_eq!(ids("ann", Some("trs_2"), 1).await, ["trs_4"]);
        assert_eq!(store.delete_sessions_of_user("bob").await.unwrap(), 0);
        assert_eq!(store.delete_sessions_of_user("ann").await.unwrap(), 2);
        assert!(store.session("trs_2").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn calls_are_deleted_by_number_age_and_user() {
    each(async |store, _| {
        let call =
            |at, user: &str| CallRecord { at, user_id: Some(user.to_owned()), ..CallRecord::default() };
        let times = async || {
            let calls = store.calls(&CallFilter::newest(100)).await.unwrap();
            calls.into_iter().map(|call| call.at).collect::<Vec<_>>()
        };
        // The call of 5 took long.
        let calls = [1, 2, 3, 10, 5, 11].map(|at| call(at, if at < 10 { "ann" } else { "bob" }));
        store.insert_calls(calls.into(), 5).await.unwrap();
        assert_eq!(times().await, [11, 5, 10, 3, 2]);
        assert_eq!(store.delete_old_calls(3).await.unwrap(), 1);
        assert_eq!(store.delete_old_calls(3).await.unwrap(), 0);
        assert_eq!(store.delete_old_calls(10).await.unwrap(), 1);
        assert_eq!(times().await, [11, 5, 10]);
        assert_eq!(store.delete_calls_of_user("ann").await.unwrap(), 1);
        assert_eq!(store.delete_calls_of_user("zoe").await.unwrap(), 0);
        assert_eq!(store.delete_old_calls(100).await.unwrap(), 2);
        assert_eq!(store.delete_old_calls(100).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn events_of_a_user_are_listed_and_deleted() {
    each(async |store, _| {
        store.insert_account(&account("ca_1", "ann", 0)).await.unwrap();
        store.insert_account(&account("ca_2", "bob", 0)).await.unwrap();
        store.insert_account(&account("ca_3", "ann", 0)).await.unwrap();
        store.delete_account("ca_1").await.unwrap();
        store.number_events().await.unwrap();
        let of_ann = store.events_of_user("ann", 1, 1).await.unwrap();
        assert_eq!((of_ann.len(), &*of_ann[0].account_id), (1, "ca_3"));
        assert_eq!(store.delete_events_of_user("ann").await.unwrap(), 2);
        assert_eq!(
            events_after(store, 0).await,
            [named(&["connected"], "ca_2"), named(&["deleted"], "ca_1")].concat()
        );
        // The events that are left have the cursors that readers know.
        assert_eq!(store.number_events().await.unwrap().last, 4);
    })
    .await;
}

fn subscription(id: &str, types: &[&str]) -> StoredSubscription {
    let types: Vec<_> = types.iter().map(|name| format!("composio.connected_account.{name}")).collect();
    StoredSubscription {
        id: id.to_owned(),
        url: "https://example.com/hook".to_owned(),
        enabled_events: json!(types).to_string(),
        secrets: SealedSecrets {
            secret: id.into(),
            previous: None,
            previous_until: None,
            key_id: "old".to_owned(),
        },
        created_at: 1,
        updated_at: 1,
        seq: 0,
    }
}

/// The pending, delivered and dead deliveries of a subscription.
async fn counts(store: &dyn Store, id: &str) -> [i64; 3] {
    let mut counts = [0; 3];
    let statuses = [DeliveryStatus::Pending, DeliveryStatus::Delivered, DeliveryStatus::Dead];
    for (count, status) in counts.iter_mut().zip(statuses) {
        let page = PageAsked { after: None, limit: 1 };
        *count = store.deliveries(id, Some(status), &page).await.unwrap().total;
    }
    counts
}

async fn lease(store: &dyn Store, id: &str, most: u32) -> Vec<LeasedDelivery> {
    store.lease_deliveries(id, most, Duration::from_secs(30)).await.unwrap()
}

fn attempt_end(status: DeliveryStatus, due_at: i64) -> AttemptEnd {
    AttemptEnd { status, due_at, response_status: Some(500), problem: Some("nul: \0".to_owned()) }
}

#[tokio::test]
async fn a_subscription_is_kept_up_to_the_limit_and_its_secrets_are_replaced_once() {
    each(async |store, _| {
        for (id, expected) in [("whs_1", true), ("whs_2", true), ("whs_3", false)] {
            assert_eq!(store.insert_subscription(&subscription(id, &["failed"]), 2).await.unwrap(), expected);
        }
        let page = PageAsked { after: None, limit: 1 };
        let found = store.subscriptions(&page).await.unwrap();
        assert_eq!((found.total, found.rows.len(), &*found.rows[0].id), (2, 2, "whs_2"));
        let read = store.subscription("whs_1").await.unwrap().unwrap();
        let secrets = SealedSecrets {
            secret: b"new".into(),
            previous: Some(b"whs_1".into()),
            previous_until: Some(7),
            key_id: "old".to_owned(),
        };
        for expected in [true, false] {
            assert_eq!(store.replace_secrets(&read, &secrets).await.unwrap(), expected);
        }
        let sealed = sealed_by(store, SealedTable::WebhookSubscriptions, Some("old")).await;
        assert_eq!(sealed[0].fields, [Some(b"new".to_vec()), Some(b"whs_1".to_vec())]);
        let rows = vec![resealed(&sealed[0])];
        assert_eq!(store.reseal_rows(SealedTable::WebhookSubscriptions, "new", rows).await.unwrap(), 1);
        let change =
            SubscriptionChange { url: Some("https://x".to_owned()), ..SubscriptionChange::default() };
        assert!(store.update_subscription("whs_1", &change).await.unwrap());
        let after = store.subscription("whs_1").await.unwrap().unwrap();
        assert_eq!((&*after.url, after.enabled_events), ("https://x", read.enabled_events));
        assert_eq!((after.secrets.secret, after.secrets.key_id), (b"again new".to_vec(), "new".to_owned()));
        for expected in [true, false] {
            assert_eq!(store.delete_subscription("whs_1").await.unwrap(), expected);
        }
        assert!(!store.update_subscription("whs_1", &change).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_event_is_delivered_to_each_subscription_of_its_type_by_one_attempt_at_a_time() {
    each(async |store, clock| {
        store.insert_account(&account("ca_1", "ann", 1)).await.unwrap();
        store.number_events().await.unwrap();
        for (id, types) in [("whs_1", &["connected", "deleted"][..]), ("whs_2", &["expired"])] {
            assert!(store.insert_subscription(&subscription(id, types), 9).await.unwrap());
        }
        for id in ["ca_2", "ca_3", "ca_4"] {
            store.insert_account(&account(id, "ann", 1)).await.unwrap();
        }
        assert_eq!(
            counts(store, "whs_1").await,
            [0, 0, 0],
            "events have no delivery before they have a cursor"
        );
        store.number_events().await.unwrap();
        assert_eq!((counts(store, "whs_1").await, counts(store, "whs_2").await), ([3, 0, 0], [0, 0, 0]));
        assert_eq!(store.due_subscriptions().await.unwrap(), ["whs_1"]);

        let first = lease(store, "whs_1", 2).await;
        let second = lease(store, "whs_1", 2).await;
        let mut events: Vec<_> =
            first.iter().chain(&second).map(|leased| (leased.event, leased.attempt)).collect();
        events.sort_unstable();
        assert_eq!(events, [(2, 1), (3, 1), (4, 1)]);
        assert_eq!(store.due_subscriptions().await.unwrap(), [""; 0]);
        assert!(lease(store, "whs_1", 9).await.is_empty());

        // The first gateway was killed: after its leases, the next attempt is another gateway's.
        clock.advance(Duration::from_secs(31));
        let again = lease(store, "whs_1", 9).await;
        assert!(again.len() == 3 && again.iter().all(|leased| leased.attempt == 2), "{again:?}");
        let due_at = clock.now() + HOUR;
        assert!(!store.end_attempt(&first[0], &attempt_end(DeliveryStatus::Delivered, 0)).await.unwrap());
        let ends = [DeliveryStatus::Delivered, DeliveryStatus::Dead, DeliveryStatus::Pending];
        for (leased, status) in again.iter().zip(ends) {
            assert!(store.end_attempt(leased, &attempt_end(status, due_at)).await.unwrap());
            assert!(!store.end_attempt(leased, &attempt_end(status, due_at)).await.unwrap());
        }
        assert_eq!(counts(store, "whs_1").await, [1, 1, 1]);
        assert!(lease(store, "whs_1", 9).await.is_empty());
        clock.advance(Duration::from_secs(3_601));
        assert_eq!(lease(store, "whs_1", 9).await[0].attempt, 3);

        let page = PageAsked { after: None, limit: 9 };
        let listed = store.deliveries("whs_1", None, &page).await.unwrap();
        assert_eq!((listed.total, listed.rows.len()), (3, 3));
        let of = |leased: &LeasedDelivery| listed.rows.iter().find(|row| row.event == leased.event).unwrap();
        let dead = of(&again[1]);
        assert_eq!((dead.response_status, dead.problem.as_deref()), (Some(500), Some("nul: \u{fffd}")));
        assert!(dead.ended_at.is_some() && dead.event_id.starts_with("msg_"));
        assert_eq!(dead.event_type, "connected_account.connected");

        // A subscription takes its deliveries with it, and an attempt that is in flight ends without effect.
        assert!(store.delete_subscription("whs_1").await.unwrap());
        assert_eq!(counts(store, "whs_1").await, [0, 0, 0]);
        assert!(!store.end_attempt(&again[2], &attempt_end(DeliveryStatus::Dead, 0)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_replay_sends_again_what_has_ended_and_what_is_not_in_the_list_any_more() {
    each(async |store, clock| {
        assert!(store.insert_subscription(&subscription("whs_1", &["connected"]), 9).await.unwrap());
        for id in ["ca_1", "ca_2", "ca_3"] {
            store.insert_account(&account(id, "ann", 1)).await.unwrap();
        }
        store.delete_account("ca_3").await.unwrap();
        store.number_events().await.unwrap();
        for leased in lease(store, "whs_1", 2).await {
            let status = if leased.event == 1 { DeliveryStatus::Delivered } else { DeliveryStatus::Dead };
            assert!(store.end_attempt(&leased, &attempt_end(status, 0)).await.unwrap());
        }
        let events = store.events(0, 10).await.unwrap();
        let ids = |at: usize| Replay::Events(vec![events[at].id.clone(), "msg_unknown".to_owned()]);
        assert_eq!(store.replay("whs_2", ids(1)).await.unwrap(), 0, "another subscription has no delivery");
        for expected in [1, 0] {
            assert_eq!(store.replay("whs_1", ids(1)).await.unwrap(), expected);
        }
        assert_eq!(counts(store, "whs_1").await, [2, 1, 0]);
        assert_eq!(lease(store, "whs_1", 1).await[0].attempt, 1, "the attempts begin again");

        clock.advance(Duration::from_millis(DELIVERED_KEPT_FOR.unsigned_abs() + 1_000));
        assert_eq!(store.delete_delivered().await.unwrap(), 1);
        assert_eq!(store.replay("whs_1", Replay::After(1)).await.unwrap(), 0, "both are pending");
        assert_eq!(store.replay("whs_1", Replay::After(0)).await.unwrap(), 1);
        assert_eq!(counts(store, "whs_1").await, [3, 0, 0]);
    })
    .await;
}
