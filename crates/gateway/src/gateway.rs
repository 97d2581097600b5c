//! The gateway: its parts, and how it is opened, used and closed.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::unfold;
use proxy_execute_protocol::{
    Advice, ApiKey, ByteStream, Call, ConnectedAccount, CreateApiKey, Error, ErrorKind, ImportAccount,
    ListAccounts, NewApiKey, Page, Result,
};
use proxy_execute_store::{Cached, Clock, KeyCheck, SqliteStore, Store};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use url::Url;

use crate::account::AccountChanges;
use crate::callback_url::CallbackUrls;
use crate::credential::idle;
use crate::credential::refresh::Refreshes;
use crate::egress::{Allowed, Egress, PrivateHosts};
use crate::files::{self, Files};
use crate::record::{CallInProgress, Recorder};
use crate::stream::Bounds;
use crate::toolkit::{Catalogue, ToolkitSource};
use crate::vault::{MAKE_A_KEY, Vault};
use crate::{FilesOptions, account, api_key, link, record, vault};

/// How long calls in flight may take to finish after the gateway is told to close.
const CLOSING_GRACE: Duration = Duration::from_secs(5);

/// Upper limit for an upstream response held in memory, after decompression.
const DEFAULT_MAX_RESPONSE_BYTES: u64 = 50 * 1024 * 1024;

/// Upper limit for the size of a decoded file or stream, as a multiple of its compressed size. Apache has the
/// same limit for a request.
const DEFAULT_MAX_EXPANSION: u64 = 200;

/// How long an upstream may take for its whole response. It is less than the client's 60 s, so the caller
/// learns that the upstream was too slow.
const DEFAULT_UPSTREAM_TIMEOUT_MS: u64 = 55_000;

/// How long a link is valid: by default as long as a link of the hosted backend. With less than the minimum,
/// a user could not fill in the page.
const DEFAULT_LINK_LIFETIME_MS: u64 = 10 * 60 * 1_000;
const LEAST_LINK_LIFETIME_MS: u64 = 1_000;

/// How long the next bytes of a streamed body may take.
const DEFAULT_CHUNK_TIMEOUT_MS: u64 = 30_000;

/// Upper limit for a body of bytes that the gateway sends.
const DEFAULT_MAX_UPLOAD_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// The text that a store keeps encrypted. A gateway with another key cannot decrypt it.
const KEY_CHECK: &str = "proxy-execute";
const KEY_CHECK_PLACE: vault::Place<'_> = vault::Place { table: "meta", row: "key_check", field: "value" };

/// The options to open a gateway with. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayOptions {
    /// A SQLite file, created if it does not exist; in memory when absent.
    pub store: Option<String>,
    /// 32 bytes in hexadecimal or base64. A file needs a key; a store in memory gets a random one.
    pub encryption_key: Option<SecretString>,
    /// Toolkits in addition to the compiled-in ones, over which they take precedence.
    pub toolkits: Vec<ToolkitSource>,
    /// Hosts that may have private addresses and speak plain http.
    ///
    /// `host` or `host:port` is for the toolkits whose definitions name the host, `toolkit=host` for all
    /// accounts of a toolkit.
    pub allow_private_hosts: Vec<String>,
    /// Private hosts that an API may redirect to from another origin.
    pub allow_private_redirects: Vec<String>,
    /// Private hosts that the URL of a body may be fetched from.
    pub allow_private_bodies: Vec<String>,
    /// Upper limit for an upstream response, after decompression, in bytes. Default: 50 MiB.
    pub max_response_bytes: Option<u64>,
    /// Upper limit for the size of a decoded file or stream, as a multiple of its compressed size. The first
    /// MiB is exempt. Default: 200.
    pub max_expansion: Option<u64>,
    /// How long an upstream may take for its whole response, in milliseconds. Default: 55 000.
    pub upstream_timeout_ms: Option<u64>,
    /// An account that was not refreshed for this time, in milliseconds, is refreshed even if no call uses
    /// it. Default: never.
    pub refresh_idle_after_ms: Option<u64>,
    /// How long the next bytes of a streamed body (an upload, a file, a stream) may take, in milliseconds.
    /// Default: 30 000.
    pub chunk_timeout_ms: Option<u64>,
    /// Upper limit for a body of bytes sent to an upstream, in bytes. Default: 5 GiB.
    pub max_upload_bytes: Option<u64>,
    /// Where the gateway keeps the files of upstream responses.
    pub files: FilesOptions,
    /// The URL where users reach the gateway, for links and files. Default: the address where it listens.
    pub public_url: Option<String>,
    /// Origins or URL prefixes that users may be redirected to after a link. Default: any https URL, and http
    /// on this machine.
    pub callback_urls: Vec<String>,
    /// Whether every authorization server has a redirect URI of its own. Default: false.
    ///
    /// By default, only the servers that are chosen for an account have one, because clients are registered
    /// with the shared URI.
    pub own_callback_paths: bool,
    /// How long a link is valid, in milliseconds. Default: 600 000, as on the hosted backend.
    pub link_lifetime_ms: Option<u64>,
    /// The time of day. Tests change it.
    #[serde(skip)]
    pub clock: Clock,
}

/// The gateway in this process. It is cheap to clone; all clones are one gateway.
#[derive(Clone)]
pub struct Gateway(Arc<Parts>);

/// The parts that the steps of a call need.
#[expect(missing_debug_implementations, reason = "`Gateway` shows what there is to show")]
pub struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) vault: Vault,
    pub(crate) catalogue: Catalogue,
    pub(crate) egress: Egress,
    pub(crate) recorder: Recorder,
    pub(crate) max_response_bytes: u64,
    pub(crate) upstream_timeout: Duration,
    pub(crate) callback_urls: CallbackUrls,
    pub(crate) own_callback_paths: bool,
    pub(crate) link_lifetime: Duration,
    /// Tasks that wait for an account learn here that it has changed.
    pub(crate) account_changes: AccountChanges,
    /// The refreshes in flight.
    pub(crate) refreshes: Refreshes,
    pub(crate) chunk_timeout: Duration,
    pub(crate) max_upload_bytes: u64,
    /// The files of responses.
    pub files: Files,
    /// Counts the calls and tasks in flight.
    running: TaskTracker,
    /// The runtime that the gateway was opened on.
    runtime: Handle,
    /// Cancelled when the gateway is told to close: it accepts no new calls and no new connections.
    pub(crate) closing: CancellationToken,
    /// Cancelled when the calls and tasks that are still in flight must end.
    pub(crate) ended: CancellationToken,
    servers: Mutex<Vec<JoinHandle<()>>>,
    public_url: OnceLock<String>,
    closed: OnceCell<()>,
}

impl Gateway {
    /// Opens a gateway.
    ///
    /// # Errors
    /// `InvalidOption`, `InvalidToolkit`, `EncryptionKeyRequired`, `WrongEncryptionKey`, `StoreCorrupt` or
    /// `StoreUnavailable`. After an error, nothing in the store was overwritten.
    pub async fn open(options: GatewayOptions) -> Result<Self> {
        let at_least_one = |value: Option<u64>, default: u64, name: &str| match value {
            Some(0) => {
                Err(Error::new(ErrorKind::InvalidOption, format!("{name}: must be at least 1.")).about(name))
            }
            value => Ok(value.unwrap_or(default)),
        };
        let max_response_bytes =
            at_least_one(options.max_response_bytes, DEFAULT_MAX_RESPONSE_BYTES, "maxResponseBytes")?;
        let max_expansion = at_least_one(options.max_expansion, DEFAULT_MAX_EXPANSION, "maxExpansion")?;
        let upstream_timeout =
            at_least_one(options.upstream_timeout_ms, DEFAULT_UPSTREAM_TIMEOUT_MS, "upstreamTimeout")?;
        let link_lifetime = options.link_lifetime_ms.unwrap_or(DEFAULT_LINK_LIFETIME_MS);
        if link_lifetime < LEAST_LINK_LIFETIME_MS {
            let message = format!("linkLifetime: must be at least {LEAST_LINK_LIFETIME_MS} ms.");
            return Err(Error::new(ErrorKind::InvalidOption, message).about("linkLifetime"));
        }
        let link_lifetime = Duration::from_millis(link_lifetime);
        let callback_urls = CallbackUrls::new(&options.callback_urls)?;
        let public_url = options.public_url.as_deref().map(public_url).transpose()?;
        let refresh_idle_after = at_least_one(options.refresh_idle_after_ms, 0, "refreshIdleAfter")?;
        let chunk_timeout = at_least_one(options.chunk_timeout_ms, DEFAULT_CHUNK_TIMEOUT_MS, "chunkTimeout")?;
        let max_upload_bytes =
            at_least_one(options.max_upload_bytes, DEFAULT_MAX_UPLOAD_BYTES, "maxUploadBytes")?;
        let catalogue = Catalogue::with(&options.toolkits)?;
        let allowed = Allowed {
            hosts: &options.allow_private_hosts,
            redirects: &options.allow_private_redirects,
            bodies: &options.allow_private_bodies,
        };
        let private_hosts = PrivateHosts::parse(allowed, |slug| catalogue.get(slug).is_ok())?;
        let egress = Egress::new(private_hosts, max_expansion)?;
        let (vault, store) =
            open_store(options.store.as_deref(), options.encryption_key.as_ref(), &options.clock).await?;
        let account_changes = AccountChanges::default();
        let closing = CancellationToken::new();
        link::expire_on_time(
            &store,
            options.clock.clone(),
            account_changes.clone(),
            link_lifetime,
            closing.clone(),
        );
        let path = options.store.as_deref().filter(|path| *path != ":memory:");
        let files = Files::open(options.files, path.map(Path::new), &vault, options.clock.clone()).await?;
        let parts = Arc::new(Parts {
            recorder: Recorder::start(Arc::clone(&store), options.clock.clone()),
            store,
            clock: options.clock,
            vault,
            catalogue,
            egress,
            max_response_bytes,
            upstream_timeout: Duration::from_millis(upstream_timeout),
            refreshes: Refreshes::default(),
            chunk_timeout: Duration::from_millis(chunk_timeout),
            max_upload_bytes,
            files,
            running: TaskTracker::new(),
            runtime: Handle::current(),
            callback_urls,
            own_callback_paths: options.own_callback_paths,
            link_lifetime,
            account_changes,
            closing,
            ended: CancellationToken::new(),
            servers: Mutex::default(),
            public_url: public_url.map(OnceLock::from).unwrap_or_default(),
            closed: OnceCell::new(),
        });
        if refresh_idle_after > 0 {
            let idle = Duration::from_millis(refresh_idle_after);
            tokio::spawn(idle::refresh_all(Arc::downgrade(&parts), parts.closing.clone(), idle));
        }
        tokio::spawn(files::sweep(Arc::downgrade(&parts), parts.closing.clone()));
        Ok(Self(parts))
    }

    /// Imports a credential that was obtained elsewhere. The account is ACTIVE at once.
    ///
    /// # Errors
    /// `ToolkitNotFound`, or `InvalidRequest` that names the field.
    pub async fn import_account(&self, request: ImportAccount) -> Result<ConnectedAccount> {
        self.run(account::import(&self.0, request)).await
    }

    /// Lists connected accounts, newest first.
    ///
    /// # Errors
    /// `InvalidRequest` for a limit or cursor that cannot be used.
    pub async fn list_accounts(&self, request: ListAccounts) -> Result<Page<ConnectedAccount>> {
        self.run(account::list(&self.0, request)).await
    }

    /// Reads a connected account.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn account(&self, id: &str) -> Result<ConnectedAccount> {
        self.run(account::get(&self.0, id)).await
    }

    /// Deletes a connected account and its credential.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn delete_account(&self, id: &str) -> Result<()> {
        self.run(account::delete(&self.0, id, false)).await.map(drop)
    }

    /// Enables or disables a connected account.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn set_account_enabled(&self, id: &str, enabled: bool) -> Result<ConnectedAccount> {
        self.run(account::set_enabled(&self.0, id, enabled)).await
    }

    /// Creates an API key for callers of the port. Only this result contains the key.
    ///
    /// # Errors
    /// `InvalidRequest` for an unknown permission area.
    pub async fn create_api_key(&self, request: CreateApiKey) -> Result<NewApiKey> {
        self.run(api_key::create(&self.0, request)).await
    }

    /// Lists the API keys. The keys themselves are not shown.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_api_keys(&self) -> Result<Vec<ApiKey>> {
        self.run(api_key::list(&self.0)).await
    }

    /// Revokes an API key immediately.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn revoke_api_key(&self, id: &str) -> Result<()> {
        self.run(api_key::revoke(&self.0, id)).await
    }

    /// Returns the records of the newest calls, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn calls(&self, limit: u32) -> Result<Vec<Call>> {
        self.run(record::list(&self.0, limit)).await
    }

    /// Makes `close` wait until a server of this gateway has ended.
    pub fn close_after(&self, server: JoinHandle<()>) {
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner).push(server);
    }

    /// Closes the gateway. A second close waits for the first.
    ///
    /// The gateway accepts no new calls, and calls in flight have 5 s to finish. Then it writes the record of
    /// calls and closes the store.
    pub async fn close(&self) {
        let parts = &self.0;
        parts
            .closed
            .get_or_init(|| async {
                parts.closing.cancel();
                parts.running.close();
                if timeout(CLOSING_GRACE, parts.running.wait()).await.is_err() {
                    parts.ended.cancel();
                    parts.running.wait().await;
                }
                let servers =
                    std::mem::take(&mut *parts.servers.lock().unwrap_or_else(PoisonError::into_inner));
                for server in servers {
                    let abort = server.abort_handle();
                    if timeout(CLOSING_GRACE, server).await.is_err() {
                        abort.abort();
                    }
                }
                parts.files.close().await;
                parts.recorder.flush().await;
                parts.store.close().await;
            })
            .await;
    }

    /// Resolves when the gateway is told to close.
    pub async fn closing(&self) {
        self.0.closing.cancelled().await;
    }

    /// Returns a token that is cancelled when the gateway is told to close. Cancelling the token closes
    /// nothing.
    pub fn closing_token(&self) -> CancellationToken {
        self.0.closing.child_token()
    }

    /// The parts that the functions of this crate work on.
    pub fn parts(&self) -> &Arc<Parts> {
        &self.0
    }

    /// Runs a call, unless the gateway is closed. `close` waits for the call, and cancels it after the grace
    /// period.
    ///
    /// # Errors
    /// Those of the call, `GatewayClosed` and `CallCutOff`.
    pub async fn run<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let _under_way = self.0.under_way().ok_or_else(closed)?;
        tokio::select! {
            biased;
            () = self.0.ended.cancelled() => Err(cut_off()),
            result = call => result,
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::GatewayClosed, "The gateway is closed.").fix("Open a new one with Gateway.open().")
}

/// The error of a call that `close` has cancelled. After the error of a closed gateway, a client may send a
/// write again; this error has another kind.
fn cut_off() -> Error {
    Error::new(
        ErrorKind::CallCutOff,
        "The gateway was closed before the call came to its end. Whether it was carried out is not known.",
    )
    .fix("Look at the API whether it was, before sending a write again.")
}

fn not_read(patience: Duration) -> Error {
    let message = format!(
        "Nothing of the answer was read for {} s, so the rest of it is not sent.",
        patience.as_secs()
    );
    Error::new(ErrorKind::InvalidRequest, message).fix("Ask once more, and read the answer as it comes.")
}

impl Parts {
    /// Returns a token that `close` waits for until it is dropped; `None` once the gateway is closing.
    pub(crate) fn under_way(&self) -> Option<TaskTrackerToken> {
        // The token is taken before the check. In the other order, `close` could end in between, without
        // waiting for this call.
        let token = self.running.token();
        (!self.closing.is_cancelled()).then_some(token)
    }

    /// The lifetime of links, in milliseconds, as in the store.
    pub(crate) fn link_lifetime_ms(&self) -> i64 {
        i64::try_from(self.link_lifetime.as_millis()).unwrap_or(i64::MAX)
    }

    /// Spawns a task that continues when its caller is dropped. `close` waits for the task.
    ///
    /// The task runs on the runtime that the gateway was opened on: the threads of a port end with their
    /// connections.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.running.spawn_on(work, &self.runtime)
    }

    /// Wraps the body of a response, so that it ends with an error when it stalls.
    pub(crate) fn paced(&self, body: ByteStream, host: &str) -> ByteStream {
        let pause = self.chunk_timeout;
        let stalled = Error::new(
            ErrorKind::UpstreamTimeout,
            format!("{host} has sent nothing more of its answer for {pause:?}."),
        )
        .fix("An operator can raise `chunkTimeout`.")
        .advise(Advice::RaiseOption("chunkTimeout"));
        Bounds { pause, stalled, size: None, most: None }.hold(body)
    }

    /// Wraps a body for a reader that may take longer than the gateway is open.
    ///
    /// A task reads the body, one chunk ahead. The stream ends with an error when the gateway is closed, or
    /// when the reader takes no chunk for `patience`. The call is recorded when the body ends, or when the
    /// reader is dropped.
    pub fn until_closed(
        &self,
        mut body: ByteStream,
        mut record: Option<CallInProgress>,
        patience: Duration,
    ) -> ByteStream {
        let (chunks, inbox) = mpsc::channel(1);
        // The outcome has its own channel, so that it arrives even if the chunk channel is full.
        let (outcome, end) = oneshot::channel();
        let ended = self.ended.clone();
        self.running.spawn(async move {
            let mut received = 0;
            let result = loop {
                let next = tokio::select! {
                    biased;
                    () = ended.cancelled() => Some(Err(cut_off())),
                    () = chunks.closed() => return,
                    next = body.next() => next,
                };
                let chunk = match next {
                    None => break Ok(()),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(chunk)) => chunk,
                };
                received += chunk.len() as u64;
                if let Some(record) = &mut record {
                    record.received(received);
                }
                tokio::select! {
                    biased;
                    () = ended.cancelled() => break Err(cut_off()),
                    sent = timeout(patience, chunks.send(chunk)) => match sent {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return,
                        Err(_) => break Err(not_read(patience)),
                    },
                }
            };
            if let Some(record) = record {
                record.end(&result);
            }
            // The reader may have been dropped.
            _ = outcome.send(result);
        });
        ByteStream::new(unfold(Some((inbox, end)), |state| async move {
            let (mut inbox, end) = state?;
            if let Some(chunk) = inbox.recv().await {
                return Some((Ok(chunk), Some((inbox, end))));
            }
            let result = end.await.unwrap_or_else(|_| Err(cut_off()));
            result.err().map(|error| (Err(error), None))
        }))
    }

    /// Checks that the store responds.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn check_store(&self) -> Result<()> {
        self.store.session("trs_health").await.map(drop)
    }

    /// Returns the URL where users reach the gateway, without a slash at the end.
    ///
    /// # Errors
    /// `NotListening` if users cannot reach it.
    pub fn public_url(&self) -> Result<&str> {
        self.public_url.get().map(String::as_str).ok_or_else(|| {
            Error::new(
                ErrorKind::NotListening,
                "The gateway has no page that a person could open: it does not listen on a port.",
            )
            .fix("Call gateway.listen() first; or set `publicUrl`, if another gateway with this store listens there.")
        })
    }

    /// The start of file URLs. Without a port, the URLs are valid in this process only.
    pub(crate) fn files_url(&self) -> &str {
        self.public_url.get().map_or("proxy-execute:", String::as_str)
    }

    /// Notes the address where the gateway listens, unless the operator has set `publicUrl`.
    pub fn listens_at(&self, address: SocketAddr) {
        // The first port wins, so that existing links stay valid.
        _ = self.public_url.set(format!("http://{address}"));
    }
}

/// Reads `publicUrl`: a URL that paths can be appended to.
fn public_url(text: &str) -> Result<String> {
    let is_base = |url: &Url| {
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(is_base).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOption, format!("publicUrl: `{text}` is not an http or https URL."))
            .about("publicUrl")
            .fix("Write it as `https://gateway.example.com`.")
    })?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Opens the store. The key is read before the store, so that an invalid key touches nothing.
async fn open_store(
    path: Option<&str>,
    key: Option<&SecretString>,
    clock: &Clock,
) -> Result<(Vault, Arc<dyn Store>)> {
    let vault = key.map(Vault::with_key).transpose()?;
    let (vault, file) = match path {
        None | Some(":memory:") => (vault.unwrap_or_else(Vault::ephemeral), None),
        Some("") => {
            return Err(Error::new(ErrorKind::InvalidOption, "store: is empty.")
                .about("store")
                .fix("Name a file, or leave `store` out to keep everything in memory."));
        }
        Some(path) => {
            let vault = vault.ok_or_else(|| {
                Error::new(
                    ErrorKind::EncryptionKeyRequired,
                    format!("A store in a file ({path}) needs an encryptionKey: the credentials in it are encrypted."),
                )
                .fix(format!("Make a key, and keep it apart from the file: {MAKE_A_KEY}"))
            })?;
            (vault, Some(Path::new(path)))
        }
    };
    let sealed = vault.seal(KEY_CHECK_PLACE, KEY_CHECK);
    let key = KeyCheck { sealed: &sealed, opens: &|kept| vault.open(KEY_CHECK_PLACE, kept).is_ok() };
    let store = match file {
        Some(file) => SqliteStore::in_file(file, key, clock.clone()).await?,
        None => SqliteStore::in_memory(key, clock.clone()).await?,
    };
    Ok((vault, Arc::new(Cached::new(store, clock.clone()))))
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("store", &self.0.store)
            .field("vault", &self.0.vault)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addon needs this bound, but only the addon's build would report that it is missing.
    #[test]
    fn a_gateway_may_be_opened_on_any_thread() {
        fn may_change_threads(_: impl Future + Send) {}
        may_change_threads(Gateway::open(GatewayOptions::default()));
    }
}
