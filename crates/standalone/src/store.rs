//! The gateway that a command works on, opened from its options.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::{env, fs};

use proxy_execute_protocol::read_options;
use proxy_execute_server::{Embedded, GatewayOptions};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::arguments::Given;
use crate::failure::Failure;
use crate::table::PROGRAM;

const KEY_VARIABLE: &str = "PROXY_EXECUTE_ENCRYPTION_KEY";

/// Upper limit for a file with a key, which has some 64 bytes.
const LONGEST_KEY_FILE: u64 = 64 * 1024;

/// The path of the store.
pub(crate) fn store_of(given: &Given) -> &str {
    given.text("store").unwrap_or("./proxy-execute.db")
}

/// Opens the store, and makes it if there is none.
pub(crate) async fn open(given: &Given, mut options: Map<String, Value>) -> Result<Embedded, Failure> {
    options.insert("store".to_owned(), json!(store_of(given)));
    options.insert("toolkits".to_owned(), json!(given.texts("toolkit")));
    let encryption_key = Some(encryption_key_of(given)?);
    let options: GatewayOptions = read_options(&Value::from(options).to_string())?;
    Ok(Embedded::open(GatewayOptions { encryption_key, ..options }).await?)
}

/// Opens the store, makes it if there is none, and closes it after the work.
pub(crate) async fn in_store(
    given: &Given,
    work: impl AsyncFnOnce(&Embedded) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let gateway = open(given, Map::new()).await?;
    let done = work(&gateway).await;
    gateway.close().await;
    done
}

/// The same with an existing store, so that a misspelt path does not become an empty store.
pub(crate) async fn in_existing_store(
    given: &Given,
    work: impl AsyncFnOnce(&Embedded) -> Result<(), Failure>,
) -> Result<(), Failure> {
    existing_store_of(given)?;
    in_store(given, work).await
}

/// The path of a store that exists.
pub(crate) fn existing_store_of(given: &Given) -> Result<&str, Failure> {
    let store = store_of(given);
    if Path::new(store).exists() {
        return Ok(store);
    }
    Err(Failure::Usage(format!(
        "There is no store at {store}: check --store. `serve` and `keys create` create one."
    )))
}

/// The key of the store.
pub(crate) fn encryption_key_of(given: &Given) -> Result<SecretString, Failure> {
    let file = given.text("encryption-key-file");
    let key = match file {
        Some(file) => Some(read_key(file, "--encryption-key-file")?),
        None => env::var(KEY_VARIABLE).ok(),
    };
    match key.filter(|key| !key.is_empty()) {
        Some(key) => Ok(key.into()),
        None => {
            let what = match file {
                Some(file) => format!("{file} is empty"),
                None => format!("Set {KEY_VARIABLE} or pass --encryption-key-file"),
            };
            Err(Failure::Usage(format!(
                "There is no encryption key. {what}; `{PROGRAM} encryption-key` prints a new one, for a new store."
            )))
        }
    }
}

/// The key in a file that an option names.
pub(crate) fn read_key(path: &str, option: &str) -> Result<String, Failure> {
    let unreadable =
        |error: io::Error| Failure::Usage(format!("{option}: {path} cannot be read ({}).", code_of(&error)));
    if fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Err(Failure::Usage(format!("{option}: {path} is a folder.")));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_KEY_FILE).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The name of an error of the system, as `errno.h` has it.
fn code_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "ENOENT".to_owned(),
        io::ErrorKind::PermissionDenied => "EACCES".to_owned(),
        io::ErrorKind::NotADirectory => "ENOTDIR".to_owned(),
        _ => error.to_string(),
    }
}
