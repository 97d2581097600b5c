//! A credential is sent to its upstream only. It reaches no log line of any level, error, debug output,
//! record of a call or file.

use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use data_encoding::BASE64;
use proxy_execute_gateway::{GatewayOptions, ToolkitSource};
use proxy_execute_protocol::{
    CallFilter, CreateApiKey, ImportAccount, ListAccounts, ProxyRequest, Result, read_json,
};
use proxy_execute_server::{Embedded, Listen};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry};

use crate::connect::{Browser, link};
use crate::dynamic_client;
use crate::resources::read;
use crate::support::{
    Answer, Step, Upstream, answer, credential, get, gzip, head, http, import, json_answer, options, session,
    soon, toolkits, tools_call, try_import, with_headers,
};

/// A part of every secret, so that the test finds any piece of one.
const CANARY: &str = "canary+/=\u{26}9f3a";
const KEY: &str = "ca4a7900112233445566778899aabbccddeeff00112233445566778899aabbcc";

/// The forms that a secret takes on its way.
fn forms() -> Vec<String> {
    let encoded = "canary%2B%2F%3D%269f3a";
    vec![
        CANARY.to_owned(),
        encoded.to_owned(),
        encoded.to_lowercase(),
        BASE64.encode(CANARY.as_bytes()),
        BASE64.encode(format!("ann:{CANARY}").as_bytes()),
        KEY.to_owned(),
        "canary".to_owned(),
    ]
}

/// Everything that was logged in this process, by every crate, at every level.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Some crates log with `tracing`, others with `log`.
impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut writer = Self;
        writeln!(writer, "{} {}: {}", record.level(), record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

fn listen_to_all_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let lines = || {
            let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Log);
            lines.with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        };
        // In both formats of the log.
        let formats: [Box<dyn Layer<Registry> + Send + Sync>; 2] = [lines().boxed(), lines().json().boxed()];
        let subscriber = tracing_subscriber::registry().with(Vec::from(formats));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log::set_logger(&Log).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// The texts that were shown so far.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, value: &dyn Debug) {
        write!(self.0, "{value:?}\n{value:#?}\n").unwrap();
    }

    /// An outcome that is an error, in every form that an error has.
    #[track_caller]
    fn error<T: Debug>(&mut self, result: Result<T>) {
        let error = result.expect_err("it should fail");
        write!(self.0, "{error}\n{error:?}\n{error:#?}\n").unwrap();
        self.0.push_str(&serde_json::to_string(&error.into_envelope()).unwrap());
        self.0.push('\n');
    }
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    for form in forms() {
        if let Some(at) = bytes.windows(form.len()).position(|window| window == form.as_bytes()) {
            let around = &bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())];
            panic!("{what} has {form:?}: …{}…", String::from_utf8_lossy(around));
        }
    }
}

/// The path says what the upstream does.
fn obey(home: &str, target: &str) -> Step {
    let json = "content-type: application/json";
    let path = target.split('?').next().unwrap();
    match path.rsplit('/').next().unwrap() {
        "reset" => Step::SendAndReset(Vec::new()),
        "close" => Step::SendAndClose(head(200, &[json, "content-length: 9"])),
        "hang" => Step::SendAndHang(Vec::new()),
        "garbage" => Step::SendAndClose(b"garbage\r\n\r\n".to_vec()),
        "broken" => Step::Send(answer(200, &[json], "{")),
        "gzip" => Step::Send(answer(200, &[json, "content-encoding: gzip"], &gzip(b"[1,2,3]")[..12])),
        "large" => Step::Send(answer(200, &["content-type: text/plain"], vec![b'x'; 20_000])),
        "file" => Step::Send(answer(200, &["content-type: image/png"], "x")),
        "teapot" => Step::Send(answer(418, &[json], "{}")),
        "near" => Step::Send(answer(302, &[&format!("location: {home}{target}&near=1")], "")),
        "loop" => Step::Send(answer(302, &["location: /v1/loop"], "")),
        "userinfo" => Step::Send(answer(302, &[&format!("location: http://u:{CANARY}@127.0.0.1/")], "")),
        "quoted" => {
            let location = format!("location: https://example.com/?k={}", "canary%2B%2F%3D%269f3a");
            Step::Send(answer(302, &[&location], ""))
        }
        "inside" => Step::Send(answer(302, &["location: http://10.0.0.1/"], "")),
        _ => json_answer("{}"),
    }
}

const PATHS: [&str; 15] = [
    "/fine",
    "/teapot",
    "/near",
    "/reset",
    "/close",
    "/hang",
    "/garbage",
    "/broken",
    "/gzip",
    "/large",
    "/file",
    "/loop",
    "/userinfo",
    "/quoted",
    "/inside",
];

async fn text_of(gateway: &Embedded, session: &str, request: &Value) -> Result<Answer> {
    crate::support::call(gateway, session, request.clone()).await
}

#[tokio::test]
async fn a_credential_is_shown_nowhere() {
    listen_to_all_logs();
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::with(|request| {
        obey(&format!("http://{}", request.header("host").unwrap()), &request.target)
    })
    .await;
    let options = GatewayOptions {
        store: Some(folder.path().join("gateway.db").display().to_string()),
        encryption_key: Some(KEY.into()),
        max_response_bytes: Some(10_000),
        upstream_timeout_ms: Some(200),
        ..options(&upstream)
    };
    let mut shown = Shown::default();
    shown.debug(&options);
    let gateway = Embedded::open(options).await.unwrap();
    shown.debug(&gateway);
    // From now on, the metrics count.
    gateway.start_metrics();

    // Every scheme, in a session, with a named account and with a credential in the call; every outcome.
    for toolkit in ["bearer", "header", "query", "basic"] {
        let credential = credential(toolkit, CANARY);
        let request = json!({ "user_id": "ann", "toolkit": toolkit, "credential": credential });
        shown.debug(&read_json::<ImportAccount>(request.to_string().as_bytes()).unwrap());
        let account = import(&gateway, "ann", toolkit, credential.clone()).await;
        shown.debug(&account);
        let session = session(&gateway, "ann").await;
        for path in PATHS {
            for method in ["GET", "POST"] {
                let endpoint = format!("{path}?own={}", "canary%2B%2F%3D%269f3a");
                let mut request = with_headers(get(toolkit), &[("X-Secret", CANARY), ("Cookie", CANARY)]);
                request["endpoint"] = json!(endpoint);
                request["method"] = json!(method);
                request["parameters"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "name": "token", "value": CANARY, "type": "query" }));
                if method == "POST" {
                    request["body"] = json!({ "secret": CANARY });
                }
                shown.debug(&read_json::<ProxyRequest>(request.to_string().as_bytes()).unwrap());
                note(&mut shown, text_of(&gateway, &session, &request).await);
            }
            for mut request in [
                json!({ "connected_account_id": account.id }),
                json!({ "custom_connection_data": {
                    "authScheme": credential["authScheme"], "toolkitSlug": toolkit, "val": credential["val"],
                } }),
            ] {
                request["endpoint"] = json!(path);
                request["method"] = json!("GET");
                shown.debug(&read_json::<ProxyRequest>(request.to_string().as_bytes()).unwrap());
                note(&mut shown, tools_call(&gateway, request).await);
            }
        }
        let mut own = with_headers(get(toolkit), &[("Authorization", &format!("Bearer {CANARY}"))]);
        note(&mut shown, text_of(&gateway, &session, &own).await);
        for endpoint in [
            format!("https://{CANARY}.example/"),
            format!("//{CANARY}"),
            format!("http://u:{CANARY}@127.0.0.1/"),
            format!("/\\{CANARY}"),
        ] {
            own["endpoint"] = json!(endpoint);
            // A host or a path should not hold a secret, but an error must still not quote it.
            drop(text_of(&gateway, &session, &own).await);
        }
    }

    refused_imports(&gateway, &mut shown).await;
    exchanged_and_signed(&gateway, &mut shown).await;
    registered_clients(&mut shown).await;
    unreachable_upstream(&mut shown).await;
    on_the_port(&gateway, &mut shown).await;

    shown.debug(&gateway.calls(&CallFilter::newest(100_000)).await.unwrap());
    shown.debug(&gateway.list_api_keys().await.unwrap());
    let metrics = gateway.metrics().await.unwrap();
    assert!(metrics.contains(r#"outcome="answered"} "#), "{metrics}");
    shown.debug(&metrics);
    assert_clean("what was shown", shown.0.as_bytes());
    assert_files_clean(folder.path());
    soon(gateway.close()).await;
    assert_files_clean(folder.path());

    let seen = upstream.requests();
    assert!(seen.iter().any(|request| request.contains(CANARY)), "the upstream got it");
    assert!(seen.iter().any(|request| request.contains(&BASE64.encode(format!("ann:{CANARY}").as_bytes()))));
    assert!(seen.iter().any(|request| request.target.contains("api_key=canary%2B%2F%3D%269f3a")));
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8_lossy(&logged);
    for crate_that_logs in ["proxy_execute_gateway", "hyper_util"] {
        assert!(text.contains(crate_that_logs), "{crate_that_logs} is listened to");
    }
    assert!(text.contains("TRACE") && text.contains("outcome=\"answered\""));
    assert!(text.contains(r#""outcome":"answered""#));
    assert_clean("the log", &logged);
}

/// Checks errors only: a value returns the caller's own data.
fn note(shown: &mut Shown, result: Result<Answer>) {
    if result.is_err() {
        shown.error(result);
    }
}

fn assert_files_clean(folder: &Path) {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The files of responses return the caller's own data.
        if path.is_dir() {
            continue;
        }
        assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
        files += 1;
    }
    assert!(files > 0);
}

async fn refused_imports(gateway: &Embedded, shown: &mut Shown) {
    for (toolkit, credential) in [
        ("header", json!(CANARY)),
        ("header", json!([CANARY])),
        ("header", json!({ "authScheme": CANARY, "val": {} })),
        ("header", json!({ "authScheme": "API_KEY", "val": CANARY })),
        ("header", json!({ "authScheme": "API_KEY", "val": { "key": CANARY } })),
        ("header", json!({ "authScheme": "API_KEY", "val": { "api_key": format!("{CANARY}\r\n") } })),
        ("header", json!({ "authScheme": "API_KEY", "val": { "api_key": format!("{CANARY}\u{e9}") } })),
        ("header", json!({ "authScheme": "API_KEY", "val": { "api_key": [CANARY] } })),
        ("header", json!({ "authScheme": "API_KEY", "val": { "api_key": "k", "base_url": CANARY } })),
        (
            "header",
            json!({ "authScheme": "API_KEY", "val": { "api_key": "k", "base_url": format!("https://u:{CANARY}@x") } }),
        ),
        ("header", json!({ "authScheme": "API_KEY", "val": {}, "token": CANARY })),
        ("basic", json!({ "authScheme": "BASIC", "val": { "password": CANARY } })),
        ("basic", json!({ "authScheme": "API_KEY", "val": { "api_key": CANARY } })),
    ] {
        shown.error(try_import(gateway, "ann", toolkit, credential.clone()).await);
        let mut brought = credential;
        if brought.is_object() {
            brought["toolkitSlug"] = json!(toolkit);
        }
        let request = json!({ "endpoint": "/x", "method": "GET", "custom_connection_data": brought });
        shown.error(tools_call(gateway, request).await);
    }
}

/// Keys, clients and passwords that are exchanged for tokens or sign requests. The provider refuses them,
/// fails, or issues a token, which is a secret, too.
async fn exchanged_and_signed(gateway: &Embedded, shown: &mut Shown) {
    let json = "content-type: application/json";
    for step in [
        json_answer(json!({ "access_token": CANARY, "expires_in": 60 }).to_string()),
        Step::Send(answer(400, &[json], json!({ "error": "invalid_grant" }).to_string())),
        Step::Send(answer(500, &[json], "{}")),
        Step::Send(answer(200, &[json], json!({ "token": CANARY }).to_string())),
        Step::SendAndReset(Vec::new()),
    ] {
        let provider = Upstream::with(move |request| match request.target.as_str() {
            "/token" => step.clone(),
            _ => Step::SendAndReset(Vec::new()),
        })
        .await;
        let key = PRIVATE_KEY.as_str();
        let google = json!({ "client_email": "robot", "private_key": key, "private_key_id": CANARY });
        for (scheme, val) in [
            ("GOOGLE_SERVICE_ACCOUNT", json!({ "credentials_json": google.to_string(), "subject": CANARY })),
            ("SERVICE_ACCOUNT", json!({ "application_id": "1", "installation_id": "2", "private_key": key })),
            ("S2S_OAUTH2", json!({ "client_id": "id", "client_secret": CANARY })),
            ("BASIC_WITH_JWT", json!({ "username": "ann", "password": CANARY })),
            (
                "OAUTH1",
                json!({
                    "consumer_key": "k", "consumer_secret": CANARY, "oauth_token": "t", "oauth_token_secret": CANARY,
                }),
            ),
        ] {
            let options = GatewayOptions { toolkits: machine(provider.origin()), ..options(&provider) };
            let gateway = Embedded::open(options).await.unwrap();
            let credential = json!({ "authScheme": scheme, "val": val });
            shown.debug(&import(&gateway, "ann", "machine", credential).await);
            let session = session(&gateway, "ann").await;
            note(shown, text_of(&gateway, &session, &get("machine")).await);
            shown.debug(&gateway.list_accounts(ListAccounts::default()).await.unwrap());
        }
    }
    for val in [
        json!({ "credentials_json": CANARY }),
        json!({ "credentials_json": json!({ "client_email": "e", "private_key": CANARY }).to_string() }),
    ] {
        let credential = json!({ "authScheme": "GOOGLE_SERVICE_ACCOUNT", "val": val });
        shown.error(try_import(gateway, "ann", "gmail", credential).await);
    }
    assert!(!shown.0.contains(&PRIVATE_KEY[30..60]), "a private key is shown nowhere");
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = &PRIVATE_KEY.as_bytes()[30..60];
    assert!(!logged.windows(key.len()).any(|window| window == key), "nor logged");
}

/// Clients that a provider registers for an account, and refusals that contain a secret.
async fn registered_clients(shown: &mut Shown) {
    for status in [201, 400, 500] {
        let provider = Upstream::with(move |request| match request.target.as_str() {
            "/register" => {
                let client =
                    json!({ "client_id": "c", "client_secret": CANARY, "error": "invalid_client_metadata" });
                Step::Send(answer(status, &["content-type: application/json"], client.to_string()))
            }
            _ => Step::SendAndReset(Vec::new()),
        })
        .await;
        let port = dynamic_client::port(&provider).await;
        let (token, account) = link(&port, json!({ "toolkit": "registering" })).await;
        let mut browser = Browser::new(&port);
        let page = browser.submit(&token, &[]).await;
        assert_eq!(page.status, if status == 201 { 200 } else { 502 }, "{page:?}");
        shown.debug(&page);
        if status == 201 {
            let asked = browser.go_to_provider(&token).await;
            shown.debug(&browser.come_back(&[("code", "c"), ("state", &asked["state"])]).await);
            assert!(provider.requests().iter().any(|request| request.contains("client_secret=canary")));
        }
        shown.debug(&read(&port, &format!("/connected_accounts/{account}")).await);
    }
}

/// A toolkit with the schemes that do not send the credential itself.
fn machine(origin: &str) -> Vec<ToolkitSource> {
    let exchanged = json!({
        "headers": { "Authorization": "Bearer {{access_token}}" },
        "authorization_server": { "token_url": format!("{origin}/token") },
    });
    let mut login = exchanged.clone();
    login["authorization_server"]["token_parameters"] =
        json!({ "username": "{{username}}", "password": "{{password}}" });
    let oauth1 = json!({
        "consumer_key": "{{consumer_key}}", "consumer_secret": "{{consumer_secret}}",
        "token": "{{oauth_token}}", "token_secret": "{{oauth_token_secret}}",
    });
    let schemes = json!({
        "GOOGLE_SERVICE_ACCOUNT": exchanged, "SERVICE_ACCOUNT": exchanged, "S2S_OAUTH2": exchanged,
        "BASIC_WITH_JWT": login, "OAUTH1": { "oauth1": oauth1 },
    });
    let machine = json!({
        "slug": "machine", "name": "Machine", "base_url": format!("{origin}/v1"), "schemes": schemes,
    });
    vec![ToolkitSource::Definition(machine)]
}

/// An RSA key in PEM form.
static PRIVATE_KEY: LazyLock<String> = LazyLock::new(|| {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let pem = BASE64.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n")
});

/// Neither the error of a refused connection nor that of an unknown host quotes the URL.
async fn unreachable_upstream(shown: &mut Shown) {
    let refusing = tokio::net::TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    for origin in
        [format!("http://{}", refusing.local_addr().unwrap()), "https://no-such-host.invalid".to_owned()]
    {
        let options = GatewayOptions {
            toolkits: toolkits(&origin),
            allow_private_hosts: vec!["127.0.0.1".to_owned()],
            ..GatewayOptions::default()
        };
        let gateway = Embedded::open(options).await.unwrap();
        for toolkit in ["bearer", "header", "query", "basic"] {
            import(&gateway, "ann", toolkit, credential(toolkit, CANARY)).await;
            let session = session(&gateway, "ann").await;
            shown.error(text_of(&gateway, &session, &get(toolkit)).await);
        }
    }
}

async fn on_the_port(gateway: &Embedded, shown: &mut Shown) {
    let address = gateway.listen(Listen::default()).await.unwrap();
    let key = gateway.create_api_key(CreateApiKey::default()).await.unwrap().key;
    let session = session(gateway, "ann").await;
    let path = format!("/api/v3.1/tool_router/session/{session}/proxy_execute");
    for toolkit in ["bearer", "header", "query", "basic"] {
        for target in PATHS {
            let mut request = with_headers(get(toolkit), &[("X-Secret", CANARY)]);
            request["endpoint"] = json!(target);
            let answer = http(address, "POST", &path, &[("x-api-key", &key)], &request.to_string()).await;
            shown.0.push_str(&answer.body);
        }
    }
    for (key, body) in [
        (CANARY, "{}".to_owned()),
        (&key, format!("{{\"endpoint\": {CANARY}")),
        (&key, format!("{{\"endpoint\":\"/\",\"method\":\"GET\",\"body\":\"{CANARY}\"}}")),
        (&key, format!("{{\"endpoint\":\"/\",\"method\":\"GET\",\"custom_connection_data\":\"{CANARY}\"}}")),
        (&key, format!("{{\"endpoint\":\"/\",\"x\":\"{CANARY}\"}}")),
    ] {
        let query = format!("{path}?token=canary%2B%2F%3D%269f3a");
        let answer =
            http(address, "POST", &query, &[("x-api-key", key), ("authorization", CANARY)], &body).await;
        assert!(answer.status >= 400, "{answer:?}");
        shown.0.push_str(&answer.body);
    }
    assert!(!shown.0.contains(&key), "a key is shown once");
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!logged.windows(key.len()).any(|window| window == key.as_bytes()));
}
