//! Several encryption keys: the first one encrypts, all of them decrypt, and a rotation replaces the older ones.

use std::path::{Path, PathBuf};

use proxy_execute_gateway::{GatewayOptions, KeyUse, RotatedKey, RotationProgress, rotate_key};
use proxy_execute_protocol::{ErrorKind, Result};
use proxy_execute_server::{Embedded, Listen, check_store};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::connect::{Browser, granting, link, oauth_config, refresh_of, status, with_toolkits};
use crate::port::Port;
use crate::support::{
    Step, Upstream, answer, assert_error, call, credential, get, http, import, json_answer, options, session,
    soon,
};

/// The keys of the tests, and their ids.
const OLD: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const OTHER: &str = "3333333333333333333333333333333333333333333333333333333333333333";

struct Place {
    _folder: TempDir,
    file: PathBuf,
    upstream: Upstream,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.db");
        let upstream =
            Upstream::with(|request| json_answer(json!(request.header("x-api-key")).to_string())).await;
        Self { _folder: folder, file, upstream }
    }

    fn options(&self, keys: &[&str]) -> GatewayOptions {
        GatewayOptions {
            store: Some(self.file.display().to_string()),
            encryption_key: Some(keys.join(",").into()),
            ..options(&self.upstream)
        }
    }

    async fn open(&self, keys: &[&str]) -> Result<Embedded> {
        soon(Embedded::open(self.options(keys))).await
    }

    async fn rotate(&self, keys: &[&str]) -> Result<RotatedKey> {
        soon(rotate_key(
            &self.file.display().to_string(),
            &keys.join(",").into(),
            &RotationProgress::default(),
        ))
        .await
    }

    /// The number of accounts of each key, the given ones first.
    async fn accounts(&self, keys: &[&str]) -> Vec<u64> {
        self.uses(keys).await.iter().map(|key| key.accounts).collect()
    }

    async fn uses(&self, keys: &[&str]) -> Vec<KeyUse> {
        let checked = check_store(&self.file.display().to_string(), &keys.join(",").into()).await;
        checked.unwrap().encryption_keys
    }

    async fn sql(&self, statement: &'static str) {
        sql(&self.file, statement).await;
    }
}

async fn sql(file: &Path, statement: &'static str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn called_as(gateway: &Embedded, user: &str) -> Result<Value> {
    let session = session(gateway, user).await;
    call(gateway, &session, get("header")).await.map(|answer| answer.data())
}

fn id_of(uses: &[KeyUse], index: usize) -> String {
    uses[index].key_id.clone().unwrap()
}

#[tokio::test]
async fn the_first_key_encrypts_and_a_missing_key_is_named() {
    let place = Place::new().await;
    let gateway = place.open(&[OLD]).await.unwrap();
    import(&gateway, "ann", "header", credential("header", "of-ann")).await;
    gateway.close().await;
    // A gateway that knows the new key as its second one goes on with the old one.
    let gateway = place.open(&[OLD, NEW]).await.unwrap();
    import(&gateway, "bob", "header", credential("header", "of-bob")).await;
    gateway.close().await;
    assert_eq!(place.accounts(&[OLD, NEW]).await, [2, 0]);
    place.open(&[OLD]).await.unwrap().close().await;

    let gateway = place.open(&[NEW, OLD]).await.unwrap();
    import(&gateway, "cyd", "header", credential("header", "of-cyd")).await;
    for (user, secret) in [("ann", "of-ann"), ("bob", "of-bob"), ("cyd", "of-cyd")] {
        assert_eq!(called_as(&gateway, user).await.unwrap(), secret);
    }
    gateway.close().await;
    assert_eq!(place.accounts(&[NEW, OLD]).await, [1, 2]);

    let uses = place.uses(&[NEW, OLD]).await;
    let before = std::fs::read(&place.file).unwrap();
    for (keys, missing) in [(vec![NEW], 1), (vec![OLD], 0), (vec![OTHER, NEW], 1)] {
        let error =
            assert_error(place.open(&keys).await, ErrorKind::WrongEncryptionKey, &id_of(&uses, missing));
        assert!(
            error.to_string().contains("gateway.db: the store needs another encryption key too"),
            "{error}"
        );
        let checked = check_store(&place.file.display().to_string(), &keys.join("\n").into()).await;
        assert_error(checked, ErrorKind::WrongEncryptionKey, &id_of(&uses, missing));
        assert_error(place.rotate(&keys).await, ErrorKind::WrongEncryptionKey, &id_of(&uses, missing));
    }
    assert_error(
        place.open(&[OTHER]).await,
        ErrorKind::WrongEncryptionKey,
        "written with another encryption key",
    );
    assert!(std::fs::read(&place.file).unwrap() == before);
}

#[tokio::test]
async fn after_a_rotation_the_new_key_is_enough() {
    let place = Place::new().await;
    let gateway = place.open(&[OLD]).await.unwrap();
    for index in 0..250 {
        import(&gateway, &format!("user-{index}"), "header", credential("header", &format!("of-{index}")))
            .await;
    }
    gateway.close().await;

    let rotated = place.rotate(&[NEW, OLD]).await.unwrap();
    assert_eq!((rotated.resealed.accounts, rotated.resealed.key_checks), (250, 1));
    assert_eq!((rotated.keys[1].rows(), rotated.unopenable.len()), (0, 0));
    assert_eq!(rotated.keys[0].accounts, 250);
    assert_error(place.open(&[OLD]).await, ErrorKind::WrongEncryptionKey, "another encryption key");
    let gateway = place.open(&[NEW]).await.unwrap();
    for index in [0, 99, 100, 249] {
        assert_eq!(called_as(&gateway, &format!("user-{index}")).await.unwrap(), format!("of-{index}"));
    }
    // Auth configs that imports make have credentials too.
    import(&gateway, "new", "header", credential("header", "of-new")).await;
    gateway.close().await;

    let again = place.rotate(&[NEW, OLD]).await.unwrap();
    assert_eq!((again.resealed.rows(), again.keys[1].rows()), (0, 0));
    assert_eq!(place.rotate(&[NEW]).await.unwrap().keys.len(), 1);
}

#[tokio::test]
async fn a_store_that_holds_nothing_is_rotated_too() {
    let place = Place::new().await;
    place.open(&[OLD]).await.unwrap().close().await;
    assert_error(place.open(&[NEW]).await, ErrorKind::WrongEncryptionKey, "another encryption key");
    place.open(&[NEW, OLD]).await.unwrap().close().await;
    assert_eq!(place.rotate(&[NEW, OLD]).await.unwrap().resealed.rows(), 1);
    place.open(&[NEW]).await.unwrap().close().await;
    assert_error(place.open(&[OLD]).await, ErrorKind::WrongEncryptionKey, "another encryption key");
}

#[tokio::test]
async fn a_store_of_an_earlier_version_notes_its_keys_with_the_rotation() {
    let place = Place::new().await;
    let gateway = place.open(&[OLD]).await.unwrap();
    import(&gateway, "ann", "header", credential("header", "of-ann")).await;
    gateway.close().await;
    // The state before the migration `key ids`.
    for statement in [
        "DELETE FROM _sqlx_migrations WHERE version = 6",
        "DROP INDEX auth_configs_of_key",
        "DROP INDEX connected_accounts_of_key",
        "DROP INDEX links_of_key",
        "ALTER TABLE links DROP COLUMN key_id",
        "ALTER TABLE meta DROP COLUMN key_id",
    ] {
        place.sql(statement).await;
    }
    assert_eq!(place.accounts(&[NEW, OLD]).await, [0, 1]);
    assert_error(place.open(&[NEW]).await, ErrorKind::WrongEncryptionKey, "another encryption key");
    let rotated = place.rotate(&[NEW, OLD]).await.unwrap();
    assert_eq!((rotated.resealed.accounts, rotated.resealed.key_checks), (1, 1));
    assert!(rotated.keys[1..].iter().all(|key| key.rows() == 0), "{rotated:?}");
    let gateway = place.open(&[NEW]).await.unwrap();
    assert_eq!(called_as(&gateway, "ann").await.unwrap(), "of-ann");
    gateway.close().await;
}

#[tokio::test]
async fn a_row_that_no_key_opens_is_named_and_keeps_its_key() {
    let place = Place::new().await;
    let gateway = place.open(&[OLD]).await.unwrap();
    let damaged = import(&gateway, "ann", "header", credential("header", "of-ann")).await.id;
    import(&gateway, "bob", "header", credential("header", "of-bob")).await;
    gateway.close().await;
    place.sql("UPDATE connected_accounts SET credential = x'00' WHERE user_id = 'ann'").await;
    let rotated = place.rotate(&[NEW, OLD]).await.unwrap();
    assert_eq!(rotated.unopenable, [format!("connected_accounts {damaged}")]);
    assert_eq!((rotated.resealed.accounts, rotated.keys[1].accounts), (1, 1));
    assert_error(place.open(&[NEW]).await, ErrorKind::WrongEncryptionKey, &id_of(&rotated.keys, 1));

    let gateway = place.open(&[NEW, OLD]).await.unwrap();
    assert_eq!(called_as(&gateway, "bob").await.unwrap(), "of-bob");
    let error = assert_error(called_as(&gateway, "ann").await, ErrorKind::Internal, "cannot be opened.");
    assert!(error.to_string().contains("Import the credential again."), "{error}");
    gateway.delete_account(&damaged).await.unwrap();
    gateway.close().await;
    assert!(place.rotate(&[NEW, OLD]).await.unwrap().unopenable.is_empty());
    place.open(&[NEW]).await.unwrap().close().await;
}

/// The gateway was not restarted with the new key, so the documented order was not kept.
#[tokio::test]
async fn a_gateway_without_the_new_key_says_which_key_it_lacks() {
    let place = Place::new().await;
    let behind = place.open(&[OLD]).await.unwrap();
    import(&behind, "ann", "header", credential("header", "of-ann")).await;
    let rotated = place.rotate(&[NEW, OLD]).await.unwrap();
    let id = id_of(&rotated.keys, 0);
    let refused = async {
        loop {
            // The row of before may be cached for 100 ms.
            if let Err(error) = called_as(&behind, "ann").await {
                break error;
            }
        }
    };
    let error = soon(refused).await;
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(
        error.to_string().contains(&format!("the encryption key with the id `{id}` is missing")),
        "{error}"
    );
    assert!(error.to_string().contains("Restart the gateway with that key too."), "{error}");

    // The gateway goes on to write with the old key, and the store says so.
    import(&behind, "bob", "query", credential("query", "of-bob")).await;
    behind.close().await;
    assert_error(place.open(&[NEW]).await, ErrorKind::WrongEncryptionKey, &id_of(&rotated.keys, 1));
    assert_eq!(place.rotate(&[NEW, OLD]).await.unwrap().resealed.accounts, 1);
    let gateway = place.open(&[NEW]).await.unwrap();
    assert_eq!(called_as(&gateway, "ann").await.unwrap(), "of-ann");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_beside_gateways_that_write_loses_nothing() {
    let place = Place::new().await;
    let gateway = place.open(&[NEW, OLD]).await.unwrap();
    let seeded = place.open(&[OLD, NEW]).await.unwrap();
    for index in 0..300 {
        import(&seeded, &format!("user-{index}"), "header", credential("header", &format!("of-{index}")))
            .await;
    }
    seeded.close().await;
    assert_eq!(place.accounts(&[NEW, OLD]).await, [0, 300]);
    // The gateway replaces credentials and adds accounts all the time.
    let writing = tokio::spawn({
        let gateway = gateway.clone();
        async move {
            for index in 0..100 {
                let account = credential("header", &format!("newer-{index}"));
                import(&gateway, &format!("user-{index}"), "header", account).await;
                assert!(called_as(&gateway, &format!("user-{}", 299 - index)).await.is_ok());
            }
        }
    });
    let rotated = place.rotate(&[NEW, OLD]).await.unwrap();
    assert_eq!((rotated.resealed.accounts, rotated.keys[1].rows()), (300, 0));
    soon(writing).await.unwrap();
    gateway.close().await;
    let gateway = place.open(&[NEW]).await.unwrap();
    for index in 0..300 {
        let newer = if index < 100 { "newer" } else { "of" };
        assert_eq!(called_as(&gateway, &format!("user-{index}")).await.unwrap(), format!("{newer}-{index}"));
    }
    gateway.close().await;
}

/// A store in a file, and toolkits with an authorization server.
fn options_of_links(file: &str, keys: &[&str], upstream: &Upstream) -> GatewayOptions {
    GatewayOptions {
        store: Some(file.to_owned()),
        encryption_key: Some(keys.join(" ").into()),
        ..with_toolkits(upstream)
    }
}

#[tokio::test]
async fn a_link_survives_a_rotation_while_its_user_is_at_the_provider() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db").display().to_string();
    let upstream = granting().await;
    let in_file = |keys: &[&str]| options_of_links(&file, keys, &upstream);
    let port = Port::with(in_file(&[OLD, NEW])).await;
    oauth_config(&port).await;
    let request = json!({ "toolkit": "oauth", "callback_url": "http://localhost:3000/done" });
    let (token, account) = link(&port, request).await;
    let mut browser = Browser::new(&port);
    let query = browser.go_to_provider(&token).await;
    let keys = format!("{NEW},{OLD}");
    let rotated = rotate_key(&file, &keys.into(), &RotationProgress::default()).await.unwrap();
    assert_eq!((rotated.resealed.auth_configs, rotated.resealed.links), (2, 1));
    let page = browser.come_back(&[("code", "the-code"), ("state", &query["state"])]).await;
    let back = refresh_of(&page);
    assert!(back.as_str().starts_with("http://localhost:3000/done?status=success"), "{back}");
    assert_eq!(status(&port, &account).await.0, "ACTIVE");
    port.caller.gateway.close().await;

    // This gateway encrypted with the old key, so the rotation is run again.
    let left = rotate_key(&file, &format!("{NEW},{OLD}").into(), &RotationProgress::default()).await.unwrap();
    assert_eq!((left.resealed.accounts, left.keys[1].rows()), (1, 0));
    soon(Embedded::open(in_file(&[NEW]))).await.unwrap().close().await;
}

#[tokio::test]
async fn a_link_of_one_key_goes_on_under_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db").display().to_string();
    let upstream = granting().await;
    let in_file = |keys: &[&str]| options_of_links(&file, keys, &upstream);
    let older = Port::with(in_file(&[OLD, NEW])).await;
    let newer = Port::with(in_file(&[NEW, OLD])).await;
    oauth_config(&older).await;
    let request = json!({ "toolkit": "oauth", "callback_url": "http://localhost:3000/done" });
    let (token, account) = link(&older, request).await;
    let mut browser = Browser::new(&newer);
    let query = browser.go_to_provider(&token).await;
    let page = browser.come_back(&[("code", "the-code"), ("state", &query["state"])]).await;
    assert!(refresh_of(&page).as_str().starts_with("http://localhost:3000/done?status=success"), "{page:?}");
    assert_eq!(status(&newer, &account).await.0, "ACTIVE");
    older.caller.gateway.close().await;
    newer.caller.gateway.close().await;
}

#[tokio::test]
async fn the_url_of_a_file_is_valid_as_long_as_its_key_is_given() {
    let place = Place::new().await;
    let image = answer(200, &["content-type: image/png"], "an image");
    let upstream = Upstream::with(move |_| Step::Send(image.clone())).await;
    let open = async |keys: &[&str]| {
        let options = GatewayOptions { encryption_key: Some(keys.join(",").into()), ..options(&upstream) };
        let store = Some(place.file.display().to_string());
        let gateway = soon(Embedded::open(GatewayOptions { store, ..options })).await.unwrap();
        let address = gateway.listen(Listen::default()).await.unwrap();
        (gateway, address)
    };
    let (gateway, _) = open(&[OLD]).await;
    import(&gateway, "ann", "header", credential("header", "of-ann")).await;
    let session = session(&gateway, "ann").await;
    let image = call(&gateway, &session, get("header")).await.unwrap().json();
    let url: url::Url = image["binary_data"]["url"].as_str().unwrap().parse().unwrap();
    gateway.close().await;
    rotate_key(
        &place.file.display().to_string(),
        &format!("{NEW},{OLD}").into(),
        &RotationProgress::default(),
    )
    .await
    .unwrap();
    for (keys, status) in [(vec![NEW, OLD], 200), (vec![NEW], 403)] {
        let (gateway, address) = open(&keys).await;
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        assert_eq!(http(address, "GET", &path, &[], "").await.status, status);
        gateway.close().await;
    }
}
