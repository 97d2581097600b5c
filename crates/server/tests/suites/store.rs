//! The store in a file: the rows that survive, the files that are refused untouched, and the record of calls.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{CallFilter, CreateApiKey, ErrorKind, Result};
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::support::{
    Caller, Step, Upstream, answer, assert_error, call, credential, get, http, import, json_answer, options,
    read_session, resource, session, session_with, soon, tools_call, with_headers,
};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER_KEY: &str = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn in_file(upstream: &Upstream, file: &Path, key: Option<&str>) -> GatewayOptions {
    GatewayOptions {
        store: Some(file.display().to_string()),
        encryption_key: key.map(Into::into),
        ..options(upstream)
    }
}

async fn open(upstream: &Upstream, file: &Path) -> Embedded {
    soon(Embedded::open(in_file(upstream, file, Some(KEY)))).await.unwrap()
}

/// A folder that is deleted after the test, and the path of a file in it that does not exist yet.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    (folder, file)
}

async fn echo() -> Upstream {
    Upstream::with(|request| json_answer(json!(request.header("x-api-key")).to_string())).await
}

/// A store with an account and a session in it, closed.
async fn filled(upstream: &Upstream, file: &Path) -> (String, String) {
    let gateway = open(upstream, file).await;
    let account = import(&gateway, "ann", "header", credential("header", "stored-secret")).await.id;
    let request = json!({ "user_id": "ann", "toolkits": { "enable": ["header"] } });
    let session = session_with(&gateway, request).await.unwrap()["session_id"].as_str().unwrap().to_owned();
    call(&gateway, &session, get("header")).await.unwrap();
    soon(gateway.close()).await;
    (account, session)
}

/// Every file of a folder, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

/// Asserts that every file that was there is as it was. SQLite may put empty ones beside them.
#[track_caller]
fn assert_untouched(before: &[(PathBuf, Vec<u8>)], what: &str) {
    assert!(!before.is_empty());
    for (path, bytes) in before {
        assert!(std::fs::read(path).unwrap() == *bytes, "{what}: {} was changed", path.display());
    }
}

async fn sql(file: &Path, statement: &'static str) -> u64 {
    let url = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    done.rows_affected()
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_does_not_show_the_page_of_the_next_link() {
    let upstream = echo().await;
    let (folder, file) = place();
    let public = GatewayOptions {
        public_url: Some("https://gateway.example".to_owned()),
        ..in_file(&upstream, &file, Some(KEY))
    };
    let gateway = soon(Embedded::open(public)).await.unwrap();
    let session = session(&gateway, "ann").await;
    let request = json!({ "toolkit": "query", "callback_url": "https://gateway.example/connect/lt_next" });
    resource(&gateway, "POST", &["tool_router", "session", &session, "link"], request).await.unwrap();
    soon(gateway.close()).await;
    for (path, bytes) in contents(folder.path()) {
        assert!(!String::from_utf8_lossy(&bytes).contains("lt_next"), "{}", path.display());
    }
}

#[tokio::test]
async fn a_new_file_is_readable_by_its_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let upstream = echo().await;
    let (folder, file) = place();
    let gateway = open(&upstream, &file).await;
    import(&gateway, "ann", "header", credential("header", "stored-secret")).await;
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    for entry in files.iter().filter(|entry| entry.file_type().unwrap().is_file()) {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
    }
    assert!(files.len() >= 3, "{files:?}");
    gateway.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_stored_response_is_readable_by_its_user_only_in_any_folder() {
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }
    fn modes(folder: &Path) -> Vec<u32> {
        std::fs::read_dir(folder).unwrap().map(|entry| mode(&entry.unwrap().path())).collect()
    }

    let (parent, _) = place();
    let folder = parent.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let image = |size: usize| answer(200, &["content-type: image/png"], vec![0x89; size]);
    let cut_off = image(8 << 20)[..6 << 20].to_vec();
    let upstream = Upstream::scripted([
        Step::SendAndHang(cut_off),
        Step::Send(image(8)),
        Step::Send(image(6 << 20)),
        Step::Send(image(8)),
    ])
    .await;
    let mut options = options(&upstream);
    options.files.folder = Some(folder.display().to_string());
    let caller = Caller::with(options, "open", "").await;

    // While it is being written, too.
    let is_empty = || std::fs::read_dir(&folder).unwrap().next().is_none();
    let until = async |empty| {
        while is_empty() != empty {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let while_written = async {
        soon(until(false)).await;
        assert_eq!(modes(&folder), [0o600]);
    };
    tokio::select! {
        answer = caller.get() => panic!("{answer:?}"),
        () = while_written => {}
    }
    soon(until(true)).await;
    for size in [8, 6 << 20] {
        assert_eq!(caller.get().await.unwrap().json()["binary_data"]["size"], size);
    }
    assert_eq!(modes(&folder), [0o600, 0o600]);
    assert_eq!(mode(&folder), 0o755, "the folder is the operator's");

    std::fs::remove_dir_all(&folder).unwrap();
    caller.get().await.unwrap();
    assert_eq!((mode(&folder), modes(&folder)), (0o700, vec![0o600]));
}

#[tokio::test]
async fn accounts_sessions_keys_and_calls_survive() {
    let upstream = echo().await;
    let (_folder, file) = place();
    let (account, session) = filled(&upstream, &file).await;
    let gateway = open(&upstream, &file).await;
    assert_eq!(call(&gateway, &session, get("header")).await.unwrap().data(), "stored-secret");
    assert_eq!(gateway.account(&account).await.unwrap().user_id, "ann");
    let read = read_session(&gateway, &session).await.unwrap();
    assert_eq!(read["config"]["toolkits"], json!({ "enabled": ["header"] }));
    assert_error(call(&gateway, &session, get("query")).await, ErrorKind::ToolkitNotAllowed, "");
    assert_eq!(gateway.calls(&CallFilter::newest(10)).await.unwrap().len(), 3);
    let key = gateway.create_api_key(Default::default()).await.unwrap();
    soon(gateway.close()).await;

    let gateway = open(&upstream, &file).await;
    assert_eq!(gateway.list_api_keys().await.unwrap()[0].id, key.shown.id);
    gateway.delete_account(&account).await.unwrap();
    soon(gateway.close()).await;
    let gateway = open(&upstream, &file).await;
    assert_error(gateway.account(&account).await, ErrorKind::AccountNotFound, &account);
}

#[tokio::test]
async fn a_gateway_that_was_never_closed_loses_nothing() {
    let upstream = echo().await;
    let (_folder, file) = place();
    let gateway = open(&upstream, &file).await;
    let account = import(&gateway, "ann", "header", credential("header", "stored-secret")).await.id;
    drop(gateway);
    let gateway = open(&upstream, &file).await;
    assert_eq!(gateway.account(&account).await.unwrap().id, account);
}

#[tokio::test]
async fn a_store_in_a_file_needs_a_key_and_the_error_names_the_command() {
    let upstream = Upstream::pleasant().await;
    let (folder, file) = place();
    let result = Embedded::open(in_file(&upstream, &file, None)).await;
    let error = assert_error(result, ErrorKind::EncryptionKeyRequired, "npx proxy-execute encryption-key");
    assert!(error.to_string().contains("gateway.db"), "{error}");
    for key in ["", "short", &KEY[1..], &format!("{KEY}00")] {
        let result = Embedded::open(in_file(&upstream, &file, Some(key))).await;
        let error = assert_error(result, ErrorKind::InvalidOption, "encryptionKey");
        assert!(key.is_empty() || !error.to_string().contains(key), "{error}");
    }
    assert!(contents(folder.path()).is_empty(), "nothing was made");
    let result = Embedded::open(GatewayOptions { store: Some(String::new()), ..options(&upstream) }).await;
    assert_error(result, ErrorKind::InvalidOption, "store");
}

#[tokio::test]
async fn a_wrong_key_changes_nothing() {
    let upstream = echo().await;
    let (folder, file) = place();
    let (_, session) = filled(&upstream, &file).await;
    let before = contents(folder.path());
    for _ in 0..2 {
        let result = Embedded::open(in_file(&upstream, &file, Some(OTHER_KEY))).await;
        assert_error(result, ErrorKind::WrongEncryptionKey, "gateway.db");
        assert_untouched(&before, "a wrong key");
    }
    // The same while another gateway has the file open, with writes that are only in its log.
    let gateway = open(&upstream, &file).await;
    import(&gateway, "ann", "header", credential("header", "newer-secret")).await;
    let main = std::fs::read(&file).unwrap();
    let result = Embedded::open(in_file(&upstream, &file, Some(OTHER_KEY))).await;
    assert_error(result, ErrorKind::WrongEncryptionKey, "another encryption key");
    assert!(std::fs::read(&file).unwrap() == main);
    assert_eq!(call(&gateway, &session, get("header")).await.unwrap().data(), "newer-secret");
}

#[tokio::test]
async fn a_damaged_or_foreign_database_is_refused_untouched() {
    let upstream = echo().await;
    let (folder, file) = place();
    filled(&upstream, &file).await;
    let whole = std::fs::read(&file).unwrap();
    let damaged = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xa5);
        bytes
    };
    for (what, bytes) in [
        ("a short text", b"hello".to_vec()),
        ("a text", b"This is no database. ".repeat(1_000)),
        ("half of it", whole[..whole.len() / 2].to_vec()),
        ("one page of it", whole[..4_096].to_vec()),
        ("its first bytes", whole[..90].to_vec()),
        ("all but its last page", whole[..whole.len() - 4_096].to_vec()),
        ("a damaged header", damaged(0, 40)),
        ("a damaged schema", damaged(100, 4_096)),
    ] {
        for old in contents(folder.path()) {
            std::fs::remove_file(old.0).unwrap();
        }
        std::fs::write(&file, &bytes).unwrap();
        let before = contents(folder.path());
        match soon(Embedded::open(in_file(&upstream, &file, Some(KEY)))).await {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{what}: {error}");
                assert!(error.to_string().contains("gateway.db"), "{what}: {error}");
            }
            Ok(_) => panic!("{what} was opened"),
        }
        assert_untouched(&before, what);
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_untouched() {
    let upstream = Upstream::pleasant().await;
    let (folder, file) = place();
    std::fs::write(&file, "").unwrap();
    sql(&file, "CREATE TABLE notes (text)").await;
    sql(&file, "INSERT INTO notes VALUES ('mine')").await;
    let before = contents(folder.path());
    let result = Embedded::open(in_file(&upstream, &file, Some(KEY))).await;
    assert_error(result, ErrorKind::StoreCorrupt, "another program");
    assert_untouched(&before, "another program's");
}

#[tokio::test]
async fn the_error_names_an_unusable_path() {
    let upstream = Upstream::pleasant().await;
    let (folder, file) = place();
    std::fs::write(folder.path().join("plain"), "").unwrap();
    let mut places = vec![folder.path().join("no/such/folder/x.db"), folder.path().join("plain/x.db")];
    places.push(folder.path().to_owned());
    if cfg!(target_os = "linux") {
        // Even root may not write there.
        places.push("/proc/x.db".into());
    }
    for place in places {
        let result = Embedded::open(in_file(&upstream, &place, Some(KEY))).await;
        assert_error(result, ErrorKind::StoreUnavailable, &place.display().to_string());
    }
    drop(file);
}

#[tokio::test]
async fn a_credential_cannot_be_moved_to_another_row() {
    let upstream = echo().await;
    let (_folder, file) = place();
    let gateway = open(&upstream, &file).await;
    let victim = import(&gateway, "ann", "header", credential("header", "secret-of-ann")).await.id;
    let thief = import(&gateway, "bob", "header", credential("header", "secret-of-bob")).await.id;
    let bobs = session(&gateway, "bob").await;
    assert_eq!(call(&gateway, &bobs, get("header")).await.unwrap().data(), "secret-of-bob");

    let moved = "UPDATE connected_accounts SET credential = \
                 (SELECT credential FROM connected_accounts WHERE user_id = 'ann') WHERE user_id = 'bob'";
    assert_eq!(sql(&file, moved).await, 1);
    // Until the change is noticed, the cached credential is used, never the moved one.
    tokio::time::timeout(NOTICED_WITHIN, async {
        while let Ok(answer) = call(&gateway, &bobs, get("header")).await {
            assert_eq!(answer.data(), "secret-of-bob");
        }
    })
    .await
    .expect("the moved credential");
    let seen = upstream.requests().len();
    assert_error(call(&gateway, &bobs, get("header")).await, ErrorKind::Internal, &thief);
    let named = json!({ "endpoint": "/x", "method": "GET", "connected_account_id": thief });
    assert_error(tools_call(&gateway, named).await, ErrorKind::Internal, "Import the credential again");
    assert_eq!(upstream.requests().len(), seen);
    // In its own row, the credential still opens.
    let named = json!({ "endpoint": "/x", "method": "GET", "connected_account_id": victim });
    assert_eq!(tools_call(&gateway, named).await.unwrap().data(), "secret-of-ann");

    for damage in [
        "UPDATE connected_accounts SET credential = x''",
        "UPDATE connected_accounts SET credential = x'00'",
        "UPDATE connected_accounts SET credential = zeroblob(100)",
    ] {
        sql(&file, damage).await;
        assert_error(call(&gateway, &bobs, get("header")).await, ErrorKind::Internal, &thief);
    }
}

#[tokio::test]
async fn two_gateways_share_one_file() {
    let upstream = echo().await;
    let (_folder, file) = place();
    // Both make the file at the same moment.
    let (one, other) = tokio::join!(
        Embedded::open(in_file(&upstream, &file, Some(KEY))),
        Embedded::open(in_file(&upstream, &file, Some(KEY)))
    );
    let gateways = [one.unwrap(), other.unwrap()];
    let mut tasks = Vec::new();
    for index in 0..60 {
        let (here, there) = (gateways[index % 2].clone(), gateways[(index + 1) % 2].clone());
        tasks.push(tokio::spawn(async move {
            let (user, secret) = (format!("user-{index}"), format!("secret-{index}"));
            let account = import(&here, &user, "header", credential("header", &secret)).await;
            // The other gateway sees the change at once.
            let session = session(&there, &user).await;
            assert_eq!(call(&there, &session, get("header")).await.unwrap().data(), secret.as_str());
            assert_eq!(call(&here, &session, get("header")).await.unwrap().data(), secret.as_str());
            account.id
        }));
    }
    let mut ids = HashSet::new();
    for task in tasks {
        ids.insert(soon(task).await.unwrap());
    }
    assert_eq!(ids.len(), 60);
    for gateway in &gateways {
        gateway.calls(&CallFilter::newest(1)).await.unwrap();
    }
    for gateway in &gateways {
        assert_eq!(gateway.calls(&CallFilter::newest(1_000)).await.unwrap().len(), 120);
        soon(gateway.close()).await;
    }
}

/// The greatest age of cached rows, as docs/operators.md says, and some time for a busy machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_write_of_another_gateway_is_noticed() {
    let upstream = echo().await;
    let (_folder, file) = place();
    let (here, there) = (open(&upstream, &file).await, open(&upstream, &file).await);
    let account = import(&here, "ann", "header", credential("header", "a-secret")).await.id;
    let id = session(&here, "ann").await;
    let address = here.listen(Listen::default()).await.unwrap();
    let new = here.create_api_key(CreateApiKey::default()).await.unwrap();
    let key = [("x-api-key", new.key.as_str())];
    let path = format!("/api/v3.1/tool_router/session/{id}");
    assert_eq!(http(address, "GET", &path, &key, "").await.status, 200);
    assert_eq!(call(&here, &id, get("header")).await.unwrap().status(), 200);

    let named = json!({ "endpoint": "/x", "method": "GET", "connected_account_id": account });
    assert_eq!(tools_call(&here, named.clone()).await.unwrap().status(), 200);
    there.set_account_enabled(&account, false).await.unwrap();
    tokio::time::timeout(NOTICED_WITHIN, async { while call(&here, &id, get("header")).await.is_ok() {} })
        .await
        .expect("the disabled account");
    tokio::time::timeout(NOTICED_WITHIN, async { while tools_call(&here, named.clone()).await.is_ok() {} })
        .await
        .expect("the disabled account, by its id");
    there.set_account_enabled(&account, true).await.unwrap();
    assert_eq!(call(&here, &id, get("header")).await.unwrap().status(), 200);

    crate::support::update(&there, &id, json!({ "toolkits": { "disable": ["header"] } })).await.unwrap();
    tokio::time::timeout(NOTICED_WITHIN, async { while call(&here, &id, get("header")).await.is_ok() {} })
        .await
        .expect("the changed session");

    there.revoke_api_key(&new.shown.id).await.unwrap();
    tokio::time::timeout(NOTICED_WITHIN, async {
        while http(address, "GET", &path, &key, "").await.status != 401 {}
    })
    .await
    .expect("the revoked key");
    for gateway in [here, there] {
        soon(gateway.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_effect_from_the_next_call() {
    let upstream = echo().await;
    let (_folder, file) = place();
    for gateway in [crate::support::gateway(&upstream).await, open(&upstream, &file).await] {
        import(&gateway, "ann", "header", credential("header", "a-secret")).await;
        let id = session(&gateway, "ann").await;
        // Other callers look the same session up all the time.
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (gateway, id) = (gateway.clone(), id.clone());
                tokio::spawn(async move {
                    while read_session(&gateway, &id).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for round in 0..30 {
            let (list, allowed) = if round % 2 == 0 { ("disable", false) } else { ("enable", true) };
            let change = json!({ "toolkits": { list: ["header"] } });
            crate::support::update(&gateway, &id, change).await.unwrap();
            assert_eq!(call(&gateway, &id, get("header")).await.is_ok(), allowed, "round {round}");
        }
        let used = async || call(&gateway, &id, get("header")).await.map(|answer| answer.data());
        crate::support::update(&gateway, &id, json!({ "toolkits": null })).await.unwrap();
        assert_eq!(used().await.unwrap(), "a-secret");
        let newer = import(&gateway, "ann", "header", credential("header", "newer")).await.id;
        assert_eq!(used().await.unwrap(), "newer");
        for (enabled, secret) in [(false, "a-secret"), (true, "newer")] {
            gateway.set_account_enabled(&newer, enabled).await.unwrap();
            assert_eq!(used().await.unwrap(), secret);
        }
        gateway.delete_account(&newer).await.unwrap();
        assert_eq!(used().await.unwrap(), "a-secret");
        resource(&gateway, "DELETE", &["tool_router", "session", &id], Value::Null).await.unwrap();
        assert_error(used().await, ErrorKind::SessionNotFound, &id);
        for other in others {
            soon(other).await.unwrap();
        }
        soon(gateway.close()).await;
    }
}

/// The same for an account that a call, or a pin of its session, names.
#[tokio::test]
async fn a_change_to_a_named_account_takes_effect_from_the_next_call() {
    let upstream = echo().await;
    let (_folder, file) = place();
    for gateway in [crate::support::gateway(&upstream).await, open(&upstream, &file).await] {
        let id = import(&gateway, "ann", "header", credential("header", "a-secret")).await.id;
        import(&gateway, "ann", "header", credential("header", "newer")).await;
        let pin = json!({ "user_id": "ann", "connected_accounts": { "header": [id] } });
        let pinned = session_with(&gateway, pin).await.unwrap()["session_id"].as_str().unwrap().to_owned();
        let by_name =
            || tools_call(&gateway, json!({ "endpoint": "/x", "method": "GET", "connected_account_id": id }));
        let by_pin = || call(&gateway, &pinned, get("header"));
        for _ in 0..2 {
            assert_eq!(by_name().await.unwrap().data(), "a-secret");
            assert_eq!(by_pin().await.unwrap().data(), "a-secret");
            gateway.set_account_enabled(&id, false).await.unwrap();
            assert_error(by_name().await, ErrorKind::AccountUnusable, "is disabled");
            assert_error(by_pin().await, ErrorKind::AccountUnusable, "is disabled");
            gateway.set_account_enabled(&id, true).await.unwrap();
        }
        assert_eq!(by_name().await.unwrap().data(), "a-secret");
        gateway.delete_account(&id).await.unwrap();
        assert_error(by_name().await, ErrorKind::AccountNotFound, &id);
        assert_error(by_pin().await, ErrorKind::AccountNotFound, &id);
        soon(gateway.close()).await;
    }
}

#[tokio::test]
async fn several_gateways_may_create_one_file_at_once() {
    let upstream = Upstream::pleasant().await;
    for _ in 0..5 {
        let (_folder, file) = place();
        let opening = (0..6).map(|_| Embedded::open(in_file(&upstream, &file, Some(KEY))));
        for gateway in soon(futures::future::join_all(opening)).await {
            soon(gateway.unwrap().close()).await;
        }
    }
}

#[tokio::test]
async fn opening_waits_for_the_writer_of_a_new_file() {
    let upstream = Upstream::pleasant().await;
    let (_folder, file) = place();
    let mut other =
        SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    let mut writing = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("CREATE TABLE made (by TEXT)").execute(&mut *writing).await.unwrap();

    let mut opening = Box::pin(Embedded::open(in_file(&upstream, &file, Some(KEY))));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut opening).await;
    assert!(early.is_err(), "it neither fails nor goes on: {early:?}");
    writing.rollback().await.unwrap();
    soon(soon(opening).await.unwrap().close()).await;
}

#[tokio::test]
async fn the_error_names_a_locked_store_and_later_calls_work() {
    let upstream = echo().await;
    let (_folder, file) = place();
    let gateway = open(&upstream, &file).await;
    let address = gateway.listen(Listen::default()).await.unwrap();
    let key = gateway.create_api_key(Default::default()).await.unwrap().key;
    let create = async || {
        http(address, "POST", "/api/v3/tool_router/session", &[("x-api-key", &key)], r#"{"user_id":"ann"}"#)
            .await
    };
    assert_eq!(create().await.status, 201);

    let url = format!("sqlite://{}", file.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let refused = create().await;
    let error = &refused.json()["error"];
    assert_eq!((refused.status, &error["status"], &error["code"]), (500, &json!(500), &json!(10_500)));
    assert!(error["message"].as_str().unwrap().contains("locked"), "{error}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(create().await.status, 201);
}

#[tokio::test]
async fn two_concurrent_changes_to_a_session_both_take_effect() {
    let upstream = echo().await;
    let (_folder, file) = place();
    let gateway = open(&upstream, &file).await;
    let id = session(&gateway, "ann").await;
    let changes = (0..20).map(|index| {
        let (gateway, id) = (gateway.clone(), id.clone());
        async move { crate::support::update(&gateway, &id, json!({ "preload": { "tools": [index] } })).await }
    });
    let results: Vec<Result<Value>> = futures::future::join_all(changes).await;
    let applied = results.iter().filter(|result| result.is_ok()).count();
    assert!(applied >= 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    let read = read_session(&gateway, &id).await.unwrap();
    assert_eq!(read["config_version"], 1 + applied as u64);
}

#[tokio::test]
async fn calls_are_recorded_without_their_content() {
    let upstream = Upstream::with(|request| match request.target.split('?').next().unwrap() {
        "/v1/hang" => Step::SendAndHang(Vec::new()),
        "/v1/reset" => Step::SendAndReset(Vec::new()),
        "/v1/moved" => Step::Send(answer(302, &["location: /v1/elsewhere?canary-location"], "")),
        _ => Step::Send(answer(
            404,
            &["content-type: application/json", "x-a: canary-answer"],
            "\"canary-data\"",
        )),
    })
    .await;
    let (folder, file) = place();
    let caller = Caller::with(in_file(&upstream, &file, Some(KEY)), "header", "canary-secret").await;
    let Caller { gateway, session, .. } = &caller;
    let mut request = with_headers(
        json!({ "endpoint": "/a%20b?q=canary-query#canary-fragment", "method": "POST", "body": ["canary-body"] }),
        &[("X-Note", "canary-header")],
    );
    request["parameters"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "canary-name", "value": "canary-value", "type": "query" }));
    caller.send(request).await.unwrap();
    caller.call("GET", "/moved").await.unwrap();
    caller.call("POST", "/reset").await.unwrap_err();
    caller.call("GET", "https://canary-host.example/canary-path").await.unwrap_err();
    let hanging = {
        let (gateway, session) = (gateway.clone(), session.clone());
        let mut request = get("header");
        request["endpoint"] = json!("/hang");
        tokio::spawn(async move { drop(call(&gateway, &session, request).await) })
    };
    upstream.has_seen(|seen| seen.requests.iter().any(|request| request.target == "/v1/hang")).await;
    hanging.abort();
    upstream.has_seen(|seen| seen.gone == 1).await;
    let error = call(gateway, "trs_none", get("header")).await.unwrap_err();

    let calls = serde_json::to_value(gateway.calls(&CallFilter::newest(10)).await.unwrap()).unwrap();
    let seen: Vec<_> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| [&call["method"], &call["path"], &call["outcome"], &call["status"]].map(Value::to_string))
        .collect();
    assert_eq!(
        seen,
        [
            ["\"GET\"", "null", "\"ToolRouterV2_SessionNotFound\"", "null"],
            ["\"GET\"", "\"/v1/hang\"", "\"cancelled\"", "null"],
            ["\"GET\"", "null", "\"OriginMismatch\"", "null"],
            ["\"POST\"", "\"/v1/reset\"", "\"UpstreamBroken\"", "null"],
            ["\"GET\"", "\"/v1/moved\"", "\"answered\"", "404"],
            ["\"POST\"", "\"/v1/a%20b\"", "\"answered\"", "404"],
        ]
    );
    assert_eq!(calls[0]["request_id"].as_str(), error.body().request_id.as_deref());
    let ids: HashSet<_> = (0..6).map(|index| calls[index]["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 6);
    let first = &calls[5];
    assert_eq!(first["user_id"], "ann");
    assert_eq!(first["session_id"], session.as_str());
    assert_eq!(first["toolkit"], "header");
    assert!(first["connected_account_id"].as_str().unwrap().starts_with("ca_"));
    assert_eq!(first["host"], "127.0.0.1");
    assert_eq!(first["bytes"], "\"canary-data\"".len());
    assert!(first["duration_ms"].as_f64().unwrap() > 0.0);
    assert!(!calls.to_string().contains("canary"), "{calls}");
    assert_eq!(gateway.calls(&CallFilter::newest(2)).await.unwrap().len(), 2);

    let found = |files: Vec<(PathBuf, Vec<u8>)>| {
        files.iter().any(|(_, bytes)| bytes.windows(6).any(|window| window == b"canary"))
    };
    assert!(!found(contents(folder.path())), "while it is open");
    soon(gateway.close()).await;
    assert!(!found(contents(folder.path())), "once it is closed");
}

#[tokio::test]
async fn the_oldest_records_of_calls_are_deleted() {
    let gateway = Embedded::open(GatewayOptions::default()).await.unwrap();
    for index in 0..10_050 {
        let request = json!({ "toolkit_slug": format!("t{index}"), "endpoint": "/", "method": "GET" });
        call(&gateway, "trs_none", request).await.unwrap_err();
    }
    assert_eq!(gateway.calls(&CallFilter::newest(20_000)).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn an_emptied_store_is_not_opened_as_a_new_one() {
    let upstream = echo().await;
    for (what, is_refused) in [
        ("truncated", true),
        ("truncated, and its log is left", true),
        ("truncated, and only the log says so", true),
        ("an empty database of SQLite", true),
        ("truncated, and its log is empty", true),
        ("truncated without a trace", false),
        ("removed", false),
    ] {
        let (folder, file) = place();
        let beside = |ending: &str| folder.path().join(format!("gateway.db{ending}"));
        open(&upstream, &file).await.close().await;
        // A store that was made before there was a marker gets one.
        std::fs::remove_file(beside("-made")).unwrap();
        open(&upstream, &file).await.close().await;
        assert!(beside("-made").exists(), "{what}");
        std::fs::write(&file, "").unwrap();
        match what {
            "truncated, and its log is left" => std::fs::write(beside("-wal"), "log").unwrap(),
            "truncated, and its log is empty" => std::fs::write(beside("-wal"), "").unwrap(),
            "truncated, and only the log says so" => {
                std::fs::write(beside("-wal"), "log").unwrap();
                std::fs::remove_file(beside("-made")).unwrap();
            }
            "truncated without a trace" => std::fs::remove_file(beside("-made")).unwrap(),
            "an empty database of SQLite" => {
                let url = format!("sqlite:{}", file.display());
                let mut empty = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query("PRAGMA user_version = 7").execute(&mut empty).await.unwrap();
                empty.close().await.unwrap();
                assert!(file.metadata().unwrap().len() > 0);
            }
            "removed" => std::fs::remove_file(&file).unwrap(),
            _ => {}
        }
        let before = contents(folder.path());
        let opened = soon(Embedded::open(in_file(&upstream, &file, Some(KEY)))).await;
        if is_refused {
            let error = opened.map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{what}: {error}");
            assert!(error.to_string().contains("gateway.db-made"), "{error}");
            assert_untouched(&before, what);
            // The refusal leaves the marker, so that a restart is refused as well.
            let again = soon(Embedded::open(in_file(&upstream, &file, Some(KEY)))).await;
            assert_error(again.map(drop), ErrorKind::StoreCorrupt, "gateway.db-made");
        } else {
            opened.unwrap().close().await;
        }
        assert!(is_refused || beside("-made").exists(), "{what}");
    }
}
