//! PostgreSQL beyond the behaviour of every store: several gateways, faults, migrations, and copies.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use proxy_execute_faults::postgres::{Between, Database};
use proxy_execute_protocol::{
    AccountStatus, AccountType, AuthConfigStatus, AuthConfigType, AuthScheme, CallFilter, ErrorKind, Result,
    SessionConfig,
};
use proxy_execute_store::{
    AccountChange, AccountFilter, Accounts, ApiKeys, AuditLog, AuditRow, AuditedChange, AuthConfigs, Cached,
    CallRecord, Calls, Clock, Events, Insertion, KeyCheck, LinkEnd, LinkStart, LinkState, Links, PageAsked,
    PostgresOptions, PostgresStore, RefreshEnd, SealedCredential, SealedSecrets, Sessions, SqliteStore,
    Store, StoredAccount, StoredAcl, StoredAuthConfig, StoredKey, StoredLink, StoredSession,
    StoredSubscription, UserIds, Webhooks, copy_store,
};
use sqlx::{AssertSqlSafe, Executor};

const ANY_KEY: KeyCheck<'_> = KeyCheck { key_ids: &[], sealed: b"sealed", opens: &|_| true };
const OTHER_KEY: KeyCheck<'_> = KeyCheck { key_ids: &[], sealed: b"other", opens: &|kept| kept == b"other" };

type Gateway = Cached<PostgresStore>;

fn options(url: &str) -> PostgresOptions {
    let mut options = PostgresOptions::from_url(url).unwrap();
    options.max_connections = 4;
    options
}

async fn open(url: &str) -> Result<Gateway> {
    open_with(&options(url)).await
}

/// Opens a gateway whose statements end after two seconds.
async fn open_impatient(url: &str) -> Gateway {
    let mut options = options(url);
    options.statement_timeout = Duration::from_secs(2);
    open_with(&options).await.unwrap()
}

async fn open_with(options: &PostgresOptions) -> Result<Gateway> {
    let clock = Clock::default();
    Ok(Cached::new(PostgresStore::open(options, ANY_KEY, clock.clone(), true).await?, clock))
}

/// A database with an auth config and an account, and gateways on it.
async fn gateways<const N: usize>() -> Option<(Database, [Gateway; N])> {
    let database = Database::create().await?;
    let first = open(&database.url).await.unwrap();
    first.insert_auth_config(&auth_config()).await.unwrap();
    assert_eq!(first.insert_account(&account("ca_1")).await.unwrap(), Insertion::Done);
    let mut all = vec![first];
    while all.len() < N {
        all.push(open(&database.url).await.unwrap());
    }
    Some((database, all.try_into().unwrap()))
}

fn auth_config() -> StoredAuthConfig {
    StoredAuthConfig {
        id: "ac_1".to_owned(),
        toolkit: "acme".to_owned(),
        name: "Acme".to_owned(),
        kind: AuthConfigType::Custom,
        auth_scheme: AuthScheme::OAuth2,
        status: AuthConfigStatus::Enabled,
        credentials: b"client".to_vec(),
        key_id: String::new(),
        has_client: true,
        settings: "{}".to_owned(),
        created_at: 1,
        updated_at: 1,
        seq: 0,
        accounts: 0,
    }
}

fn account(id: &str) -> StoredAccount {
    StoredAccount {
        id: id.to_owned(),
        user_id: "ann".to_owned(),
        toolkit: "acme".to_owned(),
        auth_config_id: "ac_1".to_owned(),
        alias: None,
        word_id: id.to_owned(),
        auth_scheme: AuthScheme::OAuth2,
        status: AccountStatus::Active,
        status_reason: None,
        is_disabled: false,
        account_type: AccountType::Private,
        is_default: false,
        acl: StoredAcl::default(),
        credential: sealed("old"),
        credential_version: 0,
        credential_at: 1,
        refreshed_at: None,
        failures: 0,
        retry_at: None,
        problem: None,
        refusals: 0,
        created_at: 1,
        updated_at: 1,
        seq: 0,
        config_is_disabled: false,
        config_has_client: true,
    }
}

fn sealed(text: &str) -> SealedCredential {
    SealedCredential { sealed: text.into(), key_id: String::new(), expires_at: None, renewable: true }
}

fn api_key() -> StoredKey {
    StoredKey {
        id: "ak_1".to_owned(),
        name: None,
        hash: vec![7; 32],
        permissions: None,
        allowed_addresses: None,
        expires_at: None,
        created_at: 1,
        last_used_at: None,
        revoked_at: None,
    }
}

fn session(user_id: &str) -> StoredSession {
    let config = SessionConfig::default();
    StoredSession {
        id: "trs_1".to_owned(),
        user_id: user_id.to_owned(),
        config,
        version: 1,
        created_at: 0,
        used_at: 0,
    }
}

fn link(token: u8) -> StoredLink {
    StoredLink {
        token_hash: vec![token],
        account_id: "ca_1".to_owned(),
        callback_url: Some(b"sealed".to_vec()),
        scopes: "[]".to_owned(),
        browser_hash: None,
        verifier: None,
        given: None,
        key_id: None,
        expires_at: i64::MAX,
        finished_at: None,
    }
}

fn with_status(status: AccountStatus) -> AccountChange {
    AccountChange { status: Some((status, None)), ..AccountChange::default() }
}

/// Tries until the work succeeds. A try that begins after the limit must succeed, however long it takes.
async fn until(limit: Duration, mut work: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    loop {
        let tried = began.elapsed();
        if work().await {
            return;
        }
        assert!(tried < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gateways_takes_the_lease_the_state_and_the_link() {
    let Some((_database, gateways)) = gateways::<4>().await else { return };
    let [first, ..] = &gateways;
    let lease = Duration::from_secs(30);
    for round in 0..20 {
        let seen = first.account("ca_1").await.unwrap().unwrap();
        assert_eq!(seen.failures, round);
        let holders: Vec<_> = (0..8).map(|n| format!("holder {n}")).collect();
        let taken = holders.iter().enumerate().map(|(n, holder)| {
            let (gateway, seen) = (&gateways[n % 4], &seen);
            async move { gateway.begin_refresh(seen, holder, lease).await.unwrap().map(|_| holder) }
        });
        let winners: Vec<_> = join_all(taken).await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let end =
            RefreshEnd::Failed { problem: "down\0".to_owned(), retry_at: 1, may_be_done: false, refusals: 0 };
        for (n, holder) in holders.iter().enumerate() {
            let is_kept = gateways[n % 4].end_refresh(&seen, holder, &end).await.unwrap();
            assert_eq!(is_kept, holder == winners[0]);
        }
        assert!(first.begin_refresh(&seen, "late", lease).await.unwrap().is_none(), "it has failed since");
    }
    links_are_taken_once(&gateways).await;
}

async fn links_are_taken_once(gateways: &[Gateway; 4]) {
    for round in 0..10 {
        // One of several links that are created at once stays.
        let created = gateways.iter().zip(0..).map(|(gateway, n): (_, u8)| async move {
            gateway.insert_link(&link(round * 10 + n)).await.unwrap()
        });
        assert_eq!(join_all(created).await, [true; 4]);
        let mut left = Vec::new();
        for n in 0..4 {
            left.extend(gateways[0].link(&[round * 10 + n]).await.unwrap());
        }
        assert_eq!(left.len(), 1, "round {round}");
        let link = &left[0];
        let started = gateways.iter().zip(0..).map(|(gateway, browser): (_, u8)| async move {
            let state = LinkState {
                hash: vec![round, 1],
                verifier: b"v".to_vec(),
                given: b"g".to_vec(),
                callback_url: None,
                key_id: String::new(),
            };
            let start = LinkStart { browser_hash: vec![browser], state: Some(state) };
            gateway.start_link(link, &start).await.unwrap()
        });
        assert_eq!(join_all(started).await.into_iter().filter(|is_started| *is_started).count(), 1);
        let taken = gateways.iter().map(async |gateway| gateway.take_state(&[round, 1]).await.unwrap());
        assert_eq!(join_all(taken).await.into_iter().filter(|is_taken| *is_taken).count(), 1);
        let change = with_status(AccountStatus::Active);
        let finished = gateways.iter().map(async |gateway| gateway.finish_link(link, &change).await.unwrap());
        let finished = join_all(finished).await;
        assert_eq!(finished.iter().filter(|end| **end == LinkEnd::Finished).count(), 1, "{finished:?}");
        assert_eq!(finished.iter().filter(|end| **end == LinkEnd::Used).count(), 3, "{finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_account_and_the_counts_are_exact_with_many_writers() {
    let Some((database, gateways)) = gateways::<4>().await else { return };
    let ids: Vec<_> = (2..10).map(|n| format!("ca_{n}")).collect();
    for id in &ids {
        gateways[0].insert_account(&account(id)).await.unwrap();
    }
    for _ in 0..5 {
        // Statuses that change to and fro lock the same counts in both orders.
        let work = ids.iter().enumerate().map(|(n, id)| {
            let gateway = &gateways[n % 4];
            async move {
                gateway.set_default_account(id, true).await.unwrap();
                let status = if n % 2 == 0 { AccountStatus::Expired } else { AccountStatus::Active };
                gateway.update_account(id, &with_status(status)).await.unwrap();
                gateway.expire_links("late", i64::MAX / 2, 1).await.unwrap();
                gateway.update_account(id, &with_status(AccountStatus::Active)).await.unwrap();
            }
        });
        join_all(work).await;
    }
    let mut connection = database.connect().await;
    let defaults: i64 = sqlx::query_scalar("SELECT count(*) FROM connected_accounts WHERE is_default")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(defaults, 1);
    let listed = async |statuses: Vec<AccountStatus>| {
        let page = PageAsked { after: None, limit: 1 };
        let filter = AccountFilter { statuses, page, ..AccountFilter::default() };
        gateways[1].accounts(&filter).await.unwrap().total
    };
    assert_eq!((listed(vec![]).await, listed(vec![AccountStatus::Active]).await), (9, 9));
    assert_eq!(listed(vec![AccountStatus::Expired]).await, 0);
    gateways[2].delete_auth_config("ac_1").await.unwrap();
    assert_eq!(listed(vec![]).await, 0);
}

/// Issue and docs: a change of one gateway counts in all others within 100 ms.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_in_the_other_gateway_within_100_ms() {
    let Some((_database, [a, b])) = gateways::<2>().await else { return };
    a.insert_key(&api_key()).await.unwrap();
    a.insert_session(&session("ann")).await.unwrap();
    let limit = Duration::from_millis(100);
    let key = async || b.key_by_hash(&[7; 32]).await.unwrap();
    assert!(Arc::ptr_eq(&key().await.unwrap(), &key().await.unwrap()), "the key is cached");
    a.revoke_key("ak_1").await.unwrap();
    until(limit, async || key().await.is_none()).await;

    let cached = b.session("trs_1").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&cached, &b.session("trs_1").await.unwrap().unwrap()));
    a.delete_session("trs_1").await.unwrap();
    until(limit, async || b.session("trs_1").await.unwrap().is_none()).await;

    let best = async || b.account_for_call("ann", "acme", None).await.unwrap().unwrap();
    assert_eq!(best().await.credential.sealed, b"old");
    let change = AccountChange { credential: Some(sealed("new")), ..AccountChange::default() };
    a.update_account("ca_1", &change).await.unwrap();
    until(limit, async || best().await.credential.sealed == b"new").await;
    // An account that was not there is the best now.
    a.insert_account(&StoredAccount { created_at: 9, ..account("ca_2") }).await.unwrap();
    a.update_account("ca_1", &with_status(AccountStatus::Expired)).await.unwrap();
    until(limit, async || best().await.id == "ca_2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_drops_only_what_others_have_changed() {
    let Some((_database, [a, b])) = gateways::<2>().await else { return };
    a.insert_account(&StoredAccount { user_id: "bob".to_owned(), ..account("ca_2") }).await.unwrap();
    let bobs = async |gateway: &Gateway| gateway.named_account_for_call("ca_2").await.unwrap().unwrap();
    let (of_a, of_b) = (bobs(&a).await, bobs(&b).await);
    let anns = b.named_account_for_call("ca_1").await.unwrap().unwrap();
    let change = AccountChange { credential: Some(sealed("new")), ..AccountChange::default() };
    a.update_account("ca_1", &change).await.unwrap();
    // A lease is not cached.
    let seen = a.account("ca_2").await.unwrap().unwrap();
    a.begin_refresh(&seen, "me", Duration::from_secs(30)).await.unwrap().unwrap();
    until(Duration::from_millis(100), async || {
        !Arc::ptr_eq(&anns, &b.named_account_for_call("ca_1").await.unwrap().unwrap())
    })
    .await;
    assert!(Arc::ptr_eq(&of_b, &bobs(&b).await), "the other account is still cached");
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(Arc::ptr_eq(&of_a, &bobs(&a).await), "a gateway's own write drops one row of its cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_listen_serves_nothing_from_its_cache() {
    let Some((database, [a, b])) = gateways::<2>().await else { return };
    let key = || b.key_by_hash(&[7; 32]);
    a.insert_key(&api_key()).await.unwrap();
    assert!(key().await.unwrap().is_some());
    let mut connection = database.connect().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid()";
    connection.execute(end).await.unwrap();
    // Without the trigger, the change is made while no gateway listens.
    connection.execute("UPDATE api_keys SET revoked_at = 1, last_used_at = 1").await.unwrap();
    until(Duration::from_millis(100), async || matches!(key().await, Ok(None))).await;
    // It listens again.
    connection.execute("UPDATE api_keys SET revoked_at = NULL, last_used_at = 2").await.unwrap();
    until(Duration::from_secs(5), async || {
        let (Ok(Some(one)), Ok(Some(other))) = (key().await, key().await) else { return false };
        Arc::ptr_eq(&one, &other)
    })
    .await;
    a.revoke_key("ak_1").await.unwrap();
    until(Duration::from_millis(100), async || matches!(key().await, Ok(None))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_fails_calls_in_time_and_comes_back() {
    let Some((database, [direct])) = gateways::<1>().await else { return };
    let proxy = Between::forward(&database).await;
    let gateway = open_impatient(&database.through(&proxy)).await;
    direct.insert_key(&api_key()).await.unwrap();
    assert!(gateway.key_by_hash(&[7; 32]).await.unwrap().is_some());
    for fault in [Between::stall, Between::cut] {
        fault(&proxy);
        // Cached rows count for 50 ms.
        tokio::time::sleep(Duration::from_millis(60)).await;
        let began = Instant::now();
        let (key, account) = tokio::join!(gateway.key_by_hash(&[7; 32]), gateway.account("ca_1"));
        for error in [key.err(), account.err()] {
            let error = error.expect("no row of the cache is served");
            assert_eq!(error.kind(), ErrorKind::StoreNotResponding, "{error}");
            assert_eq!(error.status(), Some(503));
        }
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        // A call that waits when the database comes back succeeds.
        let resumed = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            proxy.resume();
        };
        let (_, found) = tokio::join!(resumed, async {
            until(Duration::from_secs(10), async || gateway.account("ca_1").await.is_ok()).await;
            gateway.account("ca_1").await
        });
        assert!(found.unwrap().is_some());
    }
    // No connection is lost to the pool.
    let many = join_all((0..20).map(|_| gateway.account("ca_1"))).await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
    direct.revoke_key("ak_1").await.unwrap();
    until(Duration::from_secs(5), async || gateway.key_by_hash(&[7; 32]).await.unwrap().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_for_a_lock_ends_in_time() {
    let Some((database, [_])) = gateways::<1>().await else { return };
    let gateway = open_impatient(&database.url).await;
    let mut connection = database.connect().await;
    connection.execute("BEGIN; SELECT * FROM connected_accounts FOR UPDATE").await.unwrap();
    let began = Instant::now();
    let error = gateway.update_account("ca_1", &AccountChange::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreNotResponding, "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    connection.execute("ROLLBACK").await.unwrap();
    assert!(gateway.update_account("ca_1", &AccountChange::default()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_opened_is_told_by_meaning() {
    let Some(database) = Database::create().await else { return };
    let error = async |url: &str, key: KeyCheck<'_>, migrate: bool| {
        let opened = PostgresStore::open(&options(url), key, Clock::default(), migrate).await;
        let error = opened.map(drop).unwrap_err();
        let text = format!("{error:?} {error}");
        assert!(!text.contains("canary"), "{text}");
        assert!(error.body().message.starts_with("postgres://"), "{error}");
        (error.kind(), text)
    };
    let unavailable = async |url: &str, about: &str| {
        let (kind, text) = error(url, ANY_KEY, false).await;
        assert_eq!(kind, ErrorKind::StoreUnavailable, "{text}");
        assert!(text.contains(about), "{about}: {text}");
    };
    let url = database.url.clone();
    unavailable(&url, "store migrate").await;
    let mut connection = database.connect().await;
    connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'").await.ok();
    unavailable(&url.replace("tests@", "locked:canary-wrong@"), "its password").await;
    let (server, name) = url.rsplit_once('/').unwrap();
    unavailable(&format!("{server}/canaries"), "").await;
    unavailable("postgres://ann:canary@127.0.0.1:1/none", "out of reach").await;
    unavailable("postgres://ann:canary@no-such-host.invalid/none", "out of reach").await;
    unavailable(&format!("{url}?sslmode=require"), "TLS").await;

    let migrated = PostgresStore::open(&options(&url), ANY_KEY, Clock::default(), true).await.unwrap();
    assert!(!format!("{migrated:?}").contains("tests@"), "{migrated:?}");
    assert_eq!(migrated.ready(ANY_KEY).await.map_err(|error| error.kind()), Ok(()));
    assert_eq!(error(&url, OTHER_KEY, false).await.0, ErrorKind::WrongEncryptionKey);
    connection
        .execute(AssertSqlSafe(format!("ALTER DATABASE {name} SET default_transaction_read_only = on")))
        .await
        .unwrap();
    unavailable(&url, "read-only").await;
    connection.execute(AssertSqlSafe(format!("ALTER DATABASE {name} RESET ALL"))).await.unwrap();
    // A newer schema, and one that drifted.
    connection.execute("UPDATE _sqlx_migrations SET checksum = '\\x00'").await.unwrap();
    unavailable(&url, "another version").await;
    assert_eq!(PostgresStore::migrate(&options(&url)).await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    connection
        .execute("INSERT INTO _sqlx_migrations VALUES (9999, 'newer', now(), TRUE, '\\x00', 0)")
        .await
        .unwrap();
    unavailable(&url, "another version").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_while_it_is_open_is_told_by_meaning() {
    let Some((database, [gateway])) = gateways::<1>().await else { return };
    let mut connection = database.connect().await;
    // A full disk is rare, and its error is always this one.
    for (code, about) in [("53100", "disk"), ("25006", "read-only"), ("40P01", "Try again")] {
        let trigger = format!(
            "CREATE OR REPLACE FUNCTION fail() RETURNS TRIGGER LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'fault' USING ERRCODE = '{code}'; END $$; \
             CREATE OR REPLACE TRIGGER fail BEFORE UPDATE ON connected_accounts EXECUTE FUNCTION fail()"
        );
        connection.execute(AssertSqlSafe(trigger)).await.unwrap();
        let error = gateway.update_account("ca_1", &AccountChange::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreNotResponding, "{code}: {error}");
        assert!(format!("{error:?}").contains(about), "{code}: {error:?}");
    }
    let nul = session("ann\0");
    assert_eq!(gateway.insert_session(&nul).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    let call =
        CallRecord { method: "GET".to_owned(), path: Some("/a\0".to_owned()), ..CallRecord::default() };
    gateway.insert_calls(vec![call], 10).await.unwrap();
    assert_eq!(gateway.calls(&CallFilter::newest(1)).await.unwrap()[0].path.as_deref(), Some("/a\u{fffd}"));
    connection.execute("DROP TABLE links").await.unwrap();
    assert_eq!(gateway.link(&[1]).await.unwrap_err().kind(), ErrorKind::StoreCorrupt);
    let reopened = open(&database.url).await.map(drop).unwrap_err();
    assert_eq!(reopened.kind(), ErrorKind::StoreCorrupt);
    assert!(reopened.body().message.contains("`links`"), "{reopened}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_migrations_at_once_are_one() {
    let Some(database) = Database::create().await else { return };
    let options = options(&database.url);
    let migrated = join_all((0..4).map(|_| PostgresStore::migrate(&options))).await;
    assert!(migrated.iter().all(Result::is_ok), "{migrated:?}");
    assert_eq!(PostgresStore::migrate(&options).await.unwrap(), 0);
    let checked = PostgresStore::check(&options, ANY_KEY).await.unwrap();
    assert_eq!((checked.pending_migrations, checked.accounts), (0, 0));
    // The tables of another program.
    database.connect().await.execute("DELETE FROM _sqlx_migrations").await.unwrap();
    let error = open(&database.url).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    assert!(error.body().message.contains("other tables"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_of_a_store_is_in_the_audit_record() {
    let Some(database) = Database::create().await else { return };
    let options = options(&database.url);
    let new = PostgresStore::open(&options, ANY_KEY, Clock::default(), true).await.unwrap();
    assert_eq!(new.audit_chain(0, 10).await.unwrap(), [], "a new store was not changed");
    new.close().await;
    let mut connection = database.connect().await;
    connection.execute("DELETE FROM _sqlx_migrations WHERE description = 'audit log'").await.unwrap();
    connection.execute("DROP TABLE audit_log").await.unwrap();
    assert_eq!(PostgresStore::migrate(&options).await.unwrap(), 1);
    let migrated = open(&database.url).await.unwrap();
    let chain = migrated.audit_chain(0, 10).await.unwrap();
    assert_eq!((chain.len(), chain[0].change.action.as_str()), (1, "store.migrated"));
}

/// docs/postgresql.md: the gateways of a store have the time of the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_holds_between_gateways_whose_clocks_differ() {
    let Some((database, [a])) = gateways::<1>().await else { return };
    let seen = a.account("ca_1").await.unwrap().unwrap();
    a.begin_refresh(&seen, "a", Duration::from_secs(30)).await.unwrap().unwrap();
    for minutes in [-2, 2] {
        let clock = Clock::of_system(minutes * 60_000);
        let store =
            PostgresStore::open(&options(&database.url), ANY_KEY, clock.clone(), false).await.unwrap();
        let b = Cached::new(store, clock.clone());
        assert!(clock.now().abs_diff(Clock::default().now()) < 1_000, "the clock follows the database");
        assert!(b.begin_refresh(&seen, "b", Duration::from_secs(30)).await.unwrap().is_none(), "{minutes}");
        b.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_every_row_and_can_be_made_again() {
    let Some(database) = Database::create().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let source = SqliteStore::in_file(&file, ANY_KEY, Clock::default()).await.unwrap();
    source.insert_auth_config(&auth_config()).await.unwrap();
    for n in 0..1_200 {
        let acl = StoredAcl { allowed_user_ids: UserIds(vec!["zoë".to_owned()]), ..StoredAcl::default() };
        let account_type = if n % 7 == 0 { AccountType::Shared } else { AccountType::Private };
        let status = if n % 3 == 0 { AccountStatus::Expired } else { AccountStatus::Active };
        let account = StoredAccount { acl, account_type, status, ..account(&format!("ca_{n}")) };
        source.insert_account(&account).await.unwrap();
    }
    source.insert_key(&api_key()).await.unwrap();
    source.insert_session(&session("Ünïcode 🙂")).await.unwrap();
    source.insert_link(&StoredLink { account_id: "ca_1".to_owned(), ..link(1) }).await.unwrap();
    let call = || CallRecord {
        method: "GET".to_owned(),
        status: Some(200),
        request_id: Some("req_1".to_owned()),
        ..CallRecord::default()
    };
    source.insert_calls((0..700).map(|_| call()).collect(), 1_000).await.unwrap();
    assert!(source.insert_subscription(&subscription("whs_1"), 1).await.unwrap());
    source.number_events().await.unwrap();
    let change = || AuditedChange {
        at: 1,
        actor: "owner".to_owned(),
        action: "api_key.created".to_owned(),
        target: "key_1".to_owned(),
    };
    for _ in 0..2 {
        source.append_audit(change()).await.unwrap();
    }
    source.close().await;

    let options = options(&database.url);
    let first = copy_store(&file, &options, ANY_KEY).await.unwrap();
    let rows: Vec<_> = first.iter().map(|table| (table.table, table.rows, table.added)).collect();
    let expected = [
        ("sessions", 1, 1),
        ("auth_configs", 1, 1),
        ("connected_accounts", 1_200, 1_200),
        ("links", 1, 1),
        ("api_keys", 1, 1),
        ("calls", 700, 700),
        ("audit_log", 2, 2),
        // Those of the active accounts: the copied accounts make no events.
        ("events", 800, 800),
        ("event_cursors", 1, 1),
        ("webhook_subscriptions", 1, 1),
        ("webhook_deliveries", 800, 800),
    ];
    assert_eq!(rows, expected);
    let second = copy_store(&file, &options, ANY_KEY).await.unwrap();
    assert!(second.iter().all(|table| table.added == 0), "{second:?}");
    let digests = |tables: &[proxy_execute_store::CopiedTable]| -> Vec<_> {
        tables.iter().map(|table| table.digest.clone()).collect()
    };
    assert_eq!(digests(&first), digests(&second));
    let error = copy_store(&file, &options, OTHER_KEY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongEncryptionKey);

    let target = open(&database.url).await.unwrap();
    let page = PageAsked { after: None, limit: 1 };
    let filter = AccountFilter { account_type: Some(AccountType::Shared), page, ..AccountFilter::default() };
    assert_eq!(target.accounts(&filter).await.unwrap().total, 172);
    assert_eq!(target.session("trs_1").await.unwrap().unwrap().user_id, "Ünïcode 🙂");
    assert_eq!(target.insert_account(&account("ca_new")).await.unwrap(), Insertion::Done);
    target.insert_calls(vec![call()], 1_000).await.unwrap();
    assert!(target.insert_subscription(&subscription("whs_2"), 9).await.unwrap());
    // The chain goes on where that of the file ended.
    target.append_audit(change()).await.unwrap();
    let chain = target.audit_chain(1, 10).await.unwrap();
    assert_eq!(chain[1].hash, AuditRow::chained(&chain[0].hash, 3, &change()));
    let error = copy_store(&file, &options, ANY_KEY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(target.account("ca_new").await.unwrap().is_some(), "nothing was changed");

    // Each table of the database is copied, or is filled by the database.
    let mut connection = database.connect().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let filled = ["_sqlx_migrations", "account_counts", "meta"];
    let mut copied: Vec<_> = first.iter().map(|table| table.table).chain(filled).collect();
    copied.sort_unstable();
    assert_eq!(tables, copied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_caller_leaves_its_connection_usable() {
    let Some((_database, [gateway])) = gateways::<1>().await else { return };
    for _ in 0..50 {
        let call = gateway.accounts_for_calls("ann");
        _ = tokio::time::timeout(Duration::from_micros(300), call).await;
    }
    let many = join_all((0..20).map(|_| gateway.account("ca_1"))).await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
}

/// The order of insertions is that of the transactions' statements. A reader that followed it would miss the
/// events of a transaction that commits after a later one.
#[tokio::test]
async fn events_of_a_transaction_that_commits_late_are_not_skipped() {
    let Some((database, [one, other])) = gateways::<2>().await else { return };
    assert_eq!(one.number_events().await.unwrap().last, 1);
    let mut late = database.connect().await;
    late.execute("BEGIN").await.unwrap();
    late.execute("UPDATE connected_accounts SET failures = 1 WHERE id = 'ca_1'").await.unwrap();
    assert_eq!(other.insert_account(&account("ca_2")).await.unwrap(), Insertion::Done);
    // The reader gets what is committed, and does not wait for the open transaction.
    assert_eq!(one.number_events().await.unwrap().last, 2);
    let accounts = async |after| {
        let events = one.events(after, 10).await.unwrap();
        events.into_iter().map(|event| (event.cursor, event.account_id)).collect::<Vec<_>>()
    };
    assert_eq!(accounts(1).await, [(2, "ca_2".to_owned())]);
    late.execute("COMMIT").await.unwrap();
    assert_eq!(other.number_events().await.unwrap().last, 3);
    assert_eq!(accounts(2).await, [(3, "ca_1".to_owned())]);
}

#[tokio::test]
async fn gateways_that_number_events_at_once_number_each_event_once() {
    let Some((_database, [one, other])) = gateways::<2>().await else { return };
    for number in 2..=20 {
        assert_eq!(one.insert_account(&account(&format!("ca_{number}"))).await.unwrap(), Insertion::Done);
    }
    let numbering = (0..8).map(|at| if at % 2 == 0 { one.number_events() } else { other.number_events() });
    for cursors in join_all(numbering).await {
        assert_eq!(cursors.unwrap().last, 20);
    }
    let cursors: Vec<_> = one.events(0, 100).await.unwrap().iter().map(|event| event.cursor).collect();
    assert_eq!(cursors, (1..=20).collect::<Vec<_>>());
}

fn subscription(id: &str) -> StoredSubscription {
    StoredSubscription {
        id: id.to_owned(),
        url: "https://example.com/hook".to_owned(),
        enabled_events: r#"["composio.connected_account.connected"]"#.to_owned(),
        secrets: SealedSecrets {
            secret: b"secret".into(),
            previous: None,
            previous_until: None,
            key_id: String::new(),
        },
        created_at: 1,
        updated_at: 1,
        seq: 0,
    }
}

#[tokio::test]
async fn gateways_that_deliver_at_once_take_each_delivery_once() {
    let Some((_database, [one, other])) = gateways::<2>().await else { return };
    one.number_events().await.unwrap();
    assert!(one.insert_subscription(&subscription("whs_1"), 9).await.unwrap());
    for number in 2..=41 {
        assert_eq!(one.insert_account(&account(&format!("ca_{number}"))).await.unwrap(), Insertion::Done);
    }
    let cursors = one.number_events().await.unwrap();
    let lease = |at: usize| {
        let gateway = if at.is_multiple_of(2) { &one } else { &other };
        gateway.lease_deliveries("whs_1", 4, Duration::from_secs(30))
    };
    // A round may leave out rows that a lease of another gateway has locked.
    let mut events = Vec::new();
    while events.len() < 40 {
        for leased in join_all((0..4).map(lease)).await {
            events.extend(leased.unwrap().into_iter().map(|leased| leased.event));
        }
    }
    events.sort_unstable();
    assert_eq!(events, (cursors.last - 39..=cursors.last).collect::<Vec<_>>());
}

/// A subscription is deleted while the events are numbered: neither waits for ever, and neither fails.
#[tokio::test]
async fn a_subscription_may_be_deleted_while_events_are_numbered() {
    let Some((_database, [one, other])) = gateways::<2>().await else { return };
    for round in 0..20 {
        let id = format!("whs_{round}");
        assert!(one.insert_subscription(&subscription(&id), 99).await.unwrap());
        assert_eq!(one.insert_account(&account(&format!("ca_new{round}"))).await.unwrap(), Insertion::Done);
        let (numbered, deleted) = tokio::join!(one.number_events(), other.delete_subscription(&id));
        assert!(numbered.is_ok() && deleted.unwrap(), "{numbered:?}");
        assert!(one.lease_deliveries(&id, 9, Duration::from_secs(30)).await.unwrap().is_empty());
    }
}
