//! The file of a store, checked and backed up while a gateway uses it.

use std::path::{Path, PathBuf};

use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{CreateApiKey, ErrorKind};
use proxy_execute_server::{Embedded, back_up_store, check_store};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::support::{
    Upstream, assert_error, call, credential, get, import, json_answer, options, session, soon,
};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER_KEY: &str = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A folder that is deleted after the test, and a store in it that a gateway has open.
struct Opened {
    folder: TempDir,
    gateway: Embedded,
    upstream: Upstream,
}

impl Opened {
    /// Opens a store with one account, one session and one key.
    async fn filled() -> Self {
        let upstream =
            Upstream::with(|request| json_answer(json!(request.header("x-api-key")).to_string())).await;
        let folder = tempfile::tempdir().unwrap();
        let gateway = open(&upstream, &folder.path().join("gateway.db")).await;
        import(&gateway, "ann", "header", credential("header", "stored-secret")).await;
        session(&gateway, "ann").await;
        gateway.create_api_key(CreateApiKey::default()).await.unwrap();
        Self { folder, gateway, upstream }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn open(upstream: &Upstream, file: &Path) -> Embedded {
    let store = Some(file.display().to_string());
    let options = GatewayOptions { store, encryption_key: Some(KEY.into()), ..options(upstream) };
    soon(Embedded::open(options)).await.unwrap()
}

async fn check(file: &Path, key: &str) -> proxy_execute_protocol::Result<String> {
    let checked = soon(check_store(&file.display().to_string(), &key.into())).await?;
    Ok(serde_json::to_string(&checked).unwrap())
}

async fn back_up(file: &Path, to: &Path) -> proxy_execute_protocol::Result<u64> {
    soon(back_up_store(&file.display().to_string(), &to.display().to_string())).await
}

async fn sql(file: &Path, statement: &'static str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Overwrites the page of a table that opening a store does not read.
async fn damage(file: &Path) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let root = sqlx::query_scalar("SELECT rootpage FROM sqlite_master WHERE name = 'sessions'");
    let page: i64 = root.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    bytes[start..start + 4096].fill(0xaa);
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_check_says_what_the_store_has() {
    let opened = Opened::filled().await;
    let file = opened.path("gateway.db");
    let expected = r#""accounts":1,"sessions":1,"api_keys":1,"calls":0}"#;
    for is_open in [true, false] {
        if !is_open {
            opened.gateway.close().await;
        }
        let checked = check(&file, KEY).await.unwrap();
        assert!(checked.ends_with(expected), "{checked}");
        assert!(checked.contains(r#""pending_migrations":0"#), "{checked}");
        assert_error(check(&file, OTHER_KEY).await, ErrorKind::WrongEncryptionKey, "gateway.db: ");
    }
    assert_error(check(&file, "short").await, ErrorKind::InvalidOption, "encryptionKey");
}

#[tokio::test]
async fn a_check_knows_the_version_of_the_schema() {
    let opened = Opened::filled().await;
    let file = opened.path("gateway.db");
    opened.gateway.close().await;
    let checked = check(&file, KEY).await.unwrap();
    let newest: i64 =
        serde_json::from_str::<serde_json::Value>(&checked).unwrap()["schema_version"].as_i64().unwrap();

    sql(&file, "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    assert_error(check(&file, KEY).await, ErrorKind::StoreUnavailable, "another version of the gateway");
    sql(&file, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    let older = check(&file, KEY).await.unwrap();
    let start = format!(r#"{{"schema_version":{},"pending_migrations":1,"#, newest - 1);
    assert!(older.starts_with(&start), "{older}");
    sql(&file, "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    assert_error(check(&file, KEY).await, ErrorKind::StoreUnavailable, "another version of the gateway");
}

#[tokio::test]
async fn a_check_refuses_a_file_that_is_no_intact_store() {
    let opened = Opened::filled().await;
    let file = opened.path("gateway.db");
    opened.gateway.close().await;
    damage(&file).await;
    let damaged = std::fs::read(&file).unwrap();
    assert_error(check(&file, KEY).await, ErrorKind::StoreCorrupt, "gateway.db: the file is damaged: ");
    assert!(std::fs::read(&file).unwrap() == damaged, "the check changed the file");

    let other = opened.path("other.db");
    std::fs::write(&other, "").unwrap();
    assert_error(check(&other, KEY).await, ErrorKind::StoreCorrupt, "no store yet");
    sql(&other, "CREATE TABLE notes (text)").await;
    assert_error(check(&other, KEY).await, ErrorKind::StoreCorrupt, "another program");
    std::fs::write(&other, "no database, and longer than a head".repeat(9)).unwrap();
    assert_error(check(&other, KEY).await, ErrorKind::StoreCorrupt, "not a SQLite database");
    std::fs::write(&file, "").unwrap();
    assert_error(check(&file, KEY).await, ErrorKind::StoreCorrupt, "gateway.db-made");
}

#[tokio::test]
async fn a_backup_is_a_store_of_one_moment_while_the_gateway_writes() {
    let opened = Opened::filled().await;
    let (file, copy) = (opened.path("gateway.db"), opened.path("copy.db"));
    // A killed backup left a part.
    std::fs::write(opened.path("copy.db-part"), "partial").unwrap();
    let gateway = opened.gateway.clone();
    let writing = tokio::spawn(async move {
        loop {
            import(&gateway, "bob", "header", credential("header", "another-secret")).await;
        }
    });
    let size = back_up(&file, &copy).await.unwrap();
    writing.abort();
    assert_eq!(size, copy.metadata().unwrap().len());
    assert!(!opened.names().iter().any(|name| name.starts_with("copy.db-")), "{:?}", opened.names());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    opened.gateway.close().await;

    check(&copy, KEY).await.unwrap();
    let restored = open(&opened.upstream, &copy).await;
    let session = session(&restored, "ann").await;
    let answer = call(&restored, &session, get("header")).await.unwrap();
    assert!(format!("{answer:?}").contains("stored-secret"), "{answer:?}");
    restored.close().await;
}

#[tokio::test]
async fn a_backup_replaces_no_file_and_leaves_none_after_a_failure() {
    let opened = Opened::filled().await;
    let (file, copy) = (opened.path("gateway.db"), opened.path("copy.db"));
    std::fs::write(&copy, "mine").unwrap();
    let error = assert_error(back_up(&file, &copy).await, ErrorKind::InvalidOption, "copy.db exists already");
    assert_eq!(error.field(), Some("file"));
    assert_eq!(std::fs::read(&copy).unwrap(), b"mine");
    // The store itself is a file that exists.
    assert_error(back_up(&file, &file).await, ErrorKind::InvalidOption, "exists already");
    let nowhere = opened.path("no/such/folder.db");
    assert_error(back_up(&file, &nowhere).await, ErrorKind::InvalidOption, "cannot be created");

    opened.gateway.close().await;
    damage(&file).await;
    let damaged = opened.path("damaged.db");
    assert_error(back_up(&file, &damaged).await, ErrorKind::StoreCorrupt, "cannot be copied to");
    assert!(!opened.names().iter().any(|name| name.starts_with("damaged.db")), "{:?}", opened.names());
}
