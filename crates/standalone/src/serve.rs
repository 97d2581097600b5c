//! `serve`: a gateway on a port, until a signal ends it.

use std::env;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use jiff::Timestamp;
use proxy_execute_protocol::{Error, read_options};
use proxy_execute_server::{Embedded, EncryptionKeys, PostgresOptions, check_store, log_from};
use serde_json::{Map, Value, json};

use crate::DONE;
use crate::arguments::Given;
use crate::failure::Failure;
use crate::key_source::keys_of;
use crate::signals::Signals;
use crate::store::{encryption_keys_of, open, same_store, store_of, without_password};
use crate::table::PROGRAM;
use crate::terminal::{Style, Terminal, shown};

const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const LOG_VARIABLE: &str = "PROXY_EXECUTE_LOG";
const LOG_FORMATS: [&str; 2] = ["text", "json"];
const LOG_FORMAT_VARIABLE: &str = "PROXY_EXECUTE_LOG_FORMAT";

/// In milliseconds.
const DAY: u64 = 24 * 3_600_000;

/// Serves a port until a signal, and returns the exit code.
pub(crate) async fn serve(given: &Given, terminal: &Terminal) -> Result<i32, Failure> {
    let unusable = |error| Failure::System(format!("No signal can be received: {error}."));
    let mut signals = Signals::expect().map_err(unusable)?;
    let notes = Notes { terminal, format: log(given)? };
    let (store, options) = (store_of(given), options(given, terminal).await?);
    let listen = listen(given)?;
    let keys = encryption_keys_of(given, terminal).await?;
    if given.flag("check") {
        return check(given, terminal, keys, &store, options, listen).await.map(|()| DONE);
    }
    let opened = tokio::select! {
        opened = open_and_listen(given, keys, &store, options, &listen, given.text("metrics")) => opened,
        signal = signals.next() => return Ok(signal.exit_code),
    };
    let (gateway, address, metrics) = opened?;
    let announced = announce(given, &notes, address, metrics, listen.contains_key("tls"));
    if announced.is_ok() {
        signals.next().await;
        notes.info(&match given.whole("drain-delay").unwrap_or(0) / 1000 {
            0 => "Closing; calls in flight have 5 seconds.".to_owned(),
            delay => format!("Draining for {delay} seconds; then the gateway closes."),
        });
    }
    tokio::select! {
        () = gateway.close() => announced.map(|()| DONE),
        // A second signal ends the program at once.
        signal = signals.next() => Ok(signal.exit_code),
    }
}

async fn open_and_listen(
    given: &Given,
    keys: EncryptionKeys,
    store: &str,
    options: Map<String, Value>,
    listen: &Map<String, Value>,
    metrics: Option<&str>,
) -> Result<(Embedded, SocketAddr, Option<SocketAddr>), Failure> {
    let gateway = open(given, keys, store, options).await?;
    let listening = async {
        let listen = read_options(&json!(listen).to_string())?;
        match metrics {
            None => Ok::<_, Error>((gateway.listen(listen).await?, None)),
            Some(metrics) => {
                let (address, metrics) = gateway.listen_with_metrics(listen, metrics).await?;
                Ok((address, Some(metrics)))
            }
        }
    };
    match listening.await {
        Ok((address, metrics)) => Ok((gateway, address, metrics)),
        Err(error) => {
            gateway.close().await;
            Err(error.into())
        }
    }
}

/// Checks the options with a gateway in memory, which listens on a free port for a moment, and the store without
/// changing it.
async fn check(
    given: &Given,
    terminal: &Terminal,
    keys: EncryptionKeys,
    store: &str,
    mut options: Map<String, Value>,
    mut listen: Map<String, Value>,
) -> Result<(), Failure> {
    // A file that does not exist yet is made by `serve`.
    let checked = match PostgresOptions::is_url(store) || Path::new(store).exists() {
        true => Some(check_store(store, &keys).await?),
        false => None,
    };
    // The folder for files would be created.
    if let Some(Value::Object(files)) = options.get_mut("files") {
        files.retain(|name, _| !["folder", "s3"].contains(&name.as_str()));
    }
    listen.insert("port".to_owned(), json!(0));
    let metrics = given.text("metrics").map(any_port);
    let (gateway, ..) =
        open_and_listen(given, keys, ":memory:", options, &listen, metrics.as_deref()).await?;
    gateway.close().await;
    let (exists, pending) = (checked.is_some(), checked.map_or(0, |checked| checked.pending_migrations));
    let store = without_password(store);
    let value = json!({ "store": store, "exists": exists, "pendingMigrations": pending });
    terminal.result(&value, || {
        vec![match exists {
            false => format!("The options are valid. There is no store at {store} yet: `serve` creates it."),
            true => format!("The options are valid, and the key opens the store {store}."),
        }]
    })?;
    if pending > 0 {
        terminal.warn(&format!("{pending} migrations of its schema are pending. Back it up before `serve`."));
    }
    Ok(())
}

/// An address with a free port instead of one that a gateway may be using now.
fn any_port(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => format!("{host}:0"),
        _ => address.to_owned(),
    }
}

/// Begins the log, and returns its format.
fn log(given: &Given) -> Result<&'static str, Failure> {
    let level = one_of(given, "log-level", LOG_VARIABLE, &LOG_LEVELS)?.unwrap_or("warn");
    let format = one_of(given, "log-format", LOG_FORMAT_VARIABLE, &LOG_FORMATS)?.unwrap_or("text");
    log_from(level, format)?;
    Ok(format)
}

/// The value of an option, or else of a variable, which is one of these.
fn one_of(
    given: &Given,
    option: &str,
    variable: &str,
    values: &[&'static str],
) -> Result<Option<&'static str>, Failure> {
    let (value, what) = match (given.text(option), env::var(variable)) {
        (Some(value), _) => (value.to_owned(), format!("--{option}")),
        (None, Ok(value)) => (value, format!("The variable {variable}")),
        (None, Err(_)) => return Ok(None),
    };
    let known = values.iter().find(|known| **known == value);
    known
        .map(|known| Some(*known))
        .ok_or_else(|| Failure::Usage(format!("{what} is one of {}.", values.join(", "))))
}

/// The notes of `serve` on the standard error output, in the format of the log.
struct Notes<'a> {
    terminal: &'a Terminal,
    format: &'static str,
}

impl Notes<'_> {
    fn info(&self, line: &str) {
        if self.format == "json" { self.json("INFO", line) } else { self.terminal.note(line) }
    }

    fn warn(&self, line: &str) {
        if self.format == "json" { self.json("WARN", line) } else { self.terminal.warn(line) }
    }

    fn json(&self, level: &str, message: &str) {
        let line = json!({ "timestamp": Timestamp::now().to_string(), "level": level, "message": message });
        self.terminal.note(&line.to_string());
    }
}

/// The options of the gateway, by their wire names.
async fn options(given: &Given, terminal: &Terminal) -> Result<Map<String, Value>, Failure> {
    let mut options = Map::new();
    let mut set = |name: &str, value: Value| _ = options.insert(name.to_owned(), value);
    // 0 means never, which is the gateway's own default.
    match given.whole("refresh-idle-after").unwrap_or(DAY) {
        0 => {}
        idle => set("refresh_idle_after_ms", json!(idle)),
    }
    set("public_url", json!(given.text("public-url")));
    set("callback_urls", json!(given.texts("callback-url")));
    set("own_callback_paths", json!(given.flag("own-callback-paths")));
    set("migrate", json!(given.flag("migrate")));
    set("mcp", json!(!given.flag("no-mcp")));
    set("otlp_endpoint", json!(given.text("otlp-endpoint")));
    set("propagate_trace", json!(given.texts("propagate-trace")));
    set("allow_private_hosts", json!(given.texts("allow-private-host")));
    set("allow_private_redirects", json!(given.texts("allow-private-redirect")));
    set("allow_private_bodies", json!(given.texts("allow-private-body")));
    set("allow_private_webhooks", json!(given.texts("allow-private-webhook")));
    set("files", files(given, terminal).await?);
    for (name, number) in given.numbers() {
        set(name, json!(number));
    }
    Ok(options)
}

async fn files(given: &Given, terminal: &Terminal) -> Result<Value, Failure> {
    let place = given.text("files");
    // The environment has the bucket's region, keys and endpoint.
    let s3 = place.and_then(|place| place.strip_prefix("s3://")).and_then(|place| {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
        (!bucket.is_empty()).then(|| json!({ "bucket": bucket, "prefix": prefix }))
    });
    let folder = place.filter(|place| !place.starts_with("s3:"));
    if place.is_some() && folder.is_none() && s3.is_none() {
        let message = "--files is a folder, or written --files s3://bucket/prefix.";
        return Err(Failure::Usage(message.to_owned()));
    }
    Ok(json!({
        "folder": folder,
        "s3": s3,
        "expires_in_ms": given.whole("files-expire-after"),
        "max_bytes": given.whole("files-max-bytes"),
        "max_open": given.whole("files-max-open"),
        "signing_keys": keys_of(given, terminal, "files-signing-key").await?.map(|keys| keys.texts).unwrap_or_default(),
    }))
}

/// Where to listen.
fn listen(given: &Given) -> Result<Map<String, Value>, Failure> {
    let listen = json!({
        "host": given.text("host"),
        "port": given.whole("port").unwrap_or(9900),
        "requests_per_minute": given.whole("rate-limit"),
        "max_connections_per_address": given.whole("max-connections-per-address"),
        "trusted_proxies": given.texts("trusted-proxy"),
        "request_timeout_ms": given.whole("request-timeout"),
        "drain_delay_ms": given.whole("drain-delay"),
    });
    let Value::Object(mut listen) = listen else { unreachable!("it is written as an object") };
    match (given.text("tls-cert"), given.text("tls-key")) {
        (None, None) => {}
        (Some(cert), Some(key)) => _ = listen.insert("tls".to_owned(), json!({ "cert": cert, "key": key })),
        _ => return Err(Failure::Usage("--tls-cert and --tls-key need each other.".to_owned())),
    }
    Ok(listen)
}

/// Prints where the gateway listens, and warns of an address that others cannot use.
fn announce(
    given: &Given,
    notes: &Notes<'_>,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    has_tls: bool,
) -> Result<(), Failure> {
    let url = format!("{}://{address}", if has_tls { "https" } else { "http" });
    let (host, port) = (address.ip(), address.port());
    let public_url = given.text("public-url");
    let reached_by = public_url.unwrap_or(&url);
    if public_url.is_none() && host.is_unspecified() {
        notes.warn(&format!(
            "Links and the URLs of files begin with {url}, which other machines cannot open: add --public-url."
        ));
    }
    if !is_this_machine(host) && reached_by.starts_with("http:") {
        notes.warn(&format!(
            "{host} is reached by other machines without TLS, so keys and answers can be read on the way, and newer \
             SDKs refuse to send a key: add --tls-cert and --tls-key, or name the https URL of your reverse proxy \
             with --public-url."
        ));
    }
    let store = without_password(&store_of(given));
    let mut value = json!({ "url": url, "host": host, "port": port, "store": store });
    let metrics_url = metrics.map(|address| format!("http://{address}/metrics"));
    if let Some(metrics_url) = &metrics_url {
        value["metrics"] = json!(metrics_url);
    }
    notes.terminal.result(&value, || {
        let mut lines = vec![
            format!("Listening on {}, with the store {store}.", shown(Style::Bold, &url)),
            format!("Create an API key with: {PROGRAM} keys create{}", same_store(given)),
            format!("Programs connect with:  COMPOSIO_BASE_URL={reached_by} COMPOSIO_API_KEY=<the key>"),
        ];
        lines.extend(metrics_url.map(|url| format!("Prometheus reads:       {url}")));
        lines
    })
}

/// Whether only this machine can reach an address.
fn is_this_machine(host: IpAddr) -> bool {
    host.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{CommandLine, read};
    use crate::table::commands;

    /// The options that change neither the gateway nor its port.
    const NOT_OF_THE_GATEWAY: [&str; 4] = ["log-level", "log-format", "metrics", "check"];

    async fn options_of(args: &[String]) -> Value {
        let CommandLine::Command(given) = read(args).unwrap() else { panic!("{args:?}") };
        json!([options(&given, &Terminal::new(false)).await.unwrap(), listen(&given).unwrap()])
    }

    #[tokio::test]
    async fn every_option_of_the_table_changes_what_is_served() {
        let key = tempfile::NamedTempFile::new().unwrap();
        let path = key.path().display().to_string();
        let serve = commands().iter().find(|command| command.name == "serve").unwrap();
        let plain = options_of(&["serve".to_owned()]).await;
        let mut checked = 0;
        for option in
            serve.options.iter().filter(|option| !NOT_OF_THE_GATEWAY.contains(&option.name.as_str()))
        {
            let name = &option.name;
            let value = match &option.value {
                None => String::new(),
                Some(_) if option.whole => format!("={}", option.least + 7),
                Some(_) => format!("={path}"),
            };
            let mut args = vec!["serve".to_owned(), format!("--{name}{value}")];
            match name.as_str() {
                "files-signing-key-command" => {
                    args[1] = format!("--{name}=\"{}\" --version", env!("CARGO"));
                }
                "tls-cert" => args.push("--tls-key=other".to_owned()),
                "tls-key" => args.push("--tls-cert=other".to_owned()),
                _ => {}
            }
            assert_ne!(options_of(&args).await, plain, "--{name}");
            checked += 1;
        }
        assert!(checked > 20, "{checked}");
    }
}
