//! The gateway that a command works on, opened from its options.

use std::env;
use std::path::Path;

use proxy_execute_protocol::read_options;
use proxy_execute_server::{Embedded, EncryptionKeys, GatewayOptions, PostgresOptions};
use serde_json::{Map, Value, json};
use url::Url;

use crate::arguments::Given;
use crate::failure::Failure;
use crate::key_source::{ReadKeys, keys_of};
use crate::table::PROGRAM;
use crate::terminal::Terminal;

const KEY_VARIABLE: &str = "PROXY_EXECUTE_ENCRYPTION_KEY";
const STORE_VARIABLE: &str = "PROXY_EXECUTE_STORE";

/// The store: the path of a file, or the URL of a database, which may hold a password.
pub(crate) fn store_of(given: &Given) -> String {
    let named = given.text("store").map(str::to_owned);
    let named = named.or_else(|| env::var(STORE_VARIABLE).ok().filter(|store| !store.is_empty()));
    named.unwrap_or_else(|| "./proxy-execute.db".to_owned())
}

/// A store as it is shown: without a password.
pub(crate) fn without_password(store: &str) -> String {
    if !PostgresOptions::is_url(store) {
        return store.to_owned();
    }
    let Ok(mut url) = Url::parse(store) else { return "the database".to_owned() };
    _ = url.set_password(None);
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "password").collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url.into()
}

/// The options with which another command works on the same store.
pub(crate) fn same_store(given: &Given) -> String {
    let mut names = vec!["config", "store", "encryption-key-file", "encryption-key-command"];
    names.retain(|name| given.is_written(name));
    if !names.contains(&"config") && !names.contains(&"store") {
        // The option says where the default is.
        names.insert(0, "store");
    }
    let value = |name: &str| match name {
        "store" => without_password(&store_of(given)),
        name => given.text(name).unwrap_or_default().to_owned(),
    };
    names.iter().map(|name| format!(" --{name} {}", as_word(&value(name)))).collect()
}

/// A value as a word for a shell.
fn as_word(value: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "_-./:@%+=,~\\".contains(char);
    if value.chars().all(is_plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

/// Opens a store, and makes it if there is none.
pub(crate) async fn open(
    given: &Given,
    keys: EncryptionKeys,
    store: &str,
    mut options: Map<String, Value>,
) -> Result<Embedded, Failure> {
    options.insert("store".to_owned(), json!(store));
    options.insert("toolkits".to_owned(), json!(given.paths("toolkit")));
    let options: GatewayOptions = read_options(&Value::from(options).to_string())?;
    Ok(Embedded::open(GatewayOptions { encryption_key: Some(keys), ..options }).await?)
}

/// Opens the store, makes it if there is none, and closes it after the work.
pub(crate) async fn in_store(
    given: &Given,
    terminal: &Terminal,
    work: impl AsyncFnOnce(&Embedded) -> Result<(), Failure>,
) -> Result<(), Failure> {
    in_store_with(given, terminal, Map::new(), work).await
}

/// The same, with further options of the gateway.
pub(crate) async fn in_store_with(
    given: &Given,
    terminal: &Terminal,
    options: Map<String, Value>,
    work: impl AsyncFnOnce(&Embedded) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let gateway = open(given, encryption_keys_of(given, terminal).await?, &store_of(given), options).await?;
    let done = work(&gateway).await;
    gateway.close().await;
    done
}

/// The same with an existing store, so that a misspelt path does not become an empty store.
pub(crate) async fn in_existing_store(
    given: &Given,
    terminal: &Terminal,
    work: impl AsyncFnOnce(&Embedded) -> Result<(), Failure>,
) -> Result<(), Failure> {
    existing_store_of(given)?;
    in_store(given, terminal, work).await
}

/// The store, which exists if it is a file.
pub(crate) fn existing_store_of(given: &Given) -> Result<String, Failure> {
    let store = store_of(given);
    if PostgresOptions::is_url(&store) || Path::new(&store).exists() {
        return Ok(store);
    }
    Err(Failure::Usage(format!(
        "There is no store at {store}: check --store. `serve` and `keys create` create one."
    )))
}

/// The keys of the store. The first one encrypts.
pub(crate) async fn encryption_keys_of(
    given: &Given,
    terminal: &Terminal,
) -> Result<EncryptionKeys, Failure> {
    let read = keys_of(given, terminal, "encryption-key").await?;
    let what = match read {
        Some(ReadKeys { texts, .. }) if texts.iter().any(|text| !text.is_empty()) => {
            return Ok(texts.join("\n").into());
        }
        Some(ReadKeys { source, .. }) => source,
        None => format!("Set {KEY_VARIABLE} or pass --encryption-key-file"),
    };
    Err(Failure::Usage(format!(
        "There is no encryption key. {what}; `{PROGRAM} encryption-key` prints a new one, for a new store."
    )))
}
