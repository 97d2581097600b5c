//! The gateway: its services, and how it is opened, used and closed.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proxy_execute_protocol::{
    ApiKey, ByteStream, CallFilter, ConnectedAccount, CreateApiKey, Error, ErrorKind, EventPage,
    ImportAccount, ListAccounts, NewApiKey, Page, RecordedCall, Result, quoted,
};
use proxy_execute_store::{Clock, Store};
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::FilesOptions;
use crate::account::Accounts;
use crate::api_key::ApiKeys;
use crate::audit::{Action, Actor, Audit, Change};
use crate::auth_config::AuthConfigs;
use crate::callback_url::CallbackUrls;
use crate::connect::Connect;
use crate::egress::{Allowed, Egress, PrivateHosts};
use crate::events::Events;
use crate::files::{self, Files};
use crate::lifecycle::{self, CLOSING_GRACE, Lifecycle};
use crate::limits::Limits;
use crate::link::Links;
use crate::metrics::Meter;
use crate::proxy::Proxy;
use crate::public_url::PublicUrl;
use crate::readiness::Readiness;
use crate::record::{CALLS_IN_FILE, CALLS_IN_MEMORY, Recorder};
use crate::redirect_uri::RedirectUris;
use crate::retention::Retention;
use crate::session::{SessionEnds, Sessions};
use crate::store::{self, Place};
use crate::tokens::Tokens;
use crate::toolkit::{Catalogue, ToolkitSource};
use crate::toolkits::Toolkits;
use crate::trace::Tracer;
use crate::users::Users;
use crate::vault::{EncryptionKeys, Vault};
use crate::webhooks::{Deliveries, Webhooks};

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

/// The options to open a gateway with. Unknown keys are refused.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayOptions {
    /// A SQLite file, created if it does not exist, or the URL of a PostgreSQL database; in memory when absent.
    pub store: Option<String>,
    /// Upper limit for the connections to a database. Default: 10.
    pub max_connections: Option<u32>,
    /// Upper limit for the time of a statement of a database, in milliseconds. Default: 10 000.
    pub statement_timeout_ms: Option<u64>,
    /// Whether a database is brought to the schema of this version. Default: false.
    pub migrate: bool,
    /// Keys of 32 bytes in hexadecimal or base64. The first key encrypts, all of them decrypt. A file needs a
    /// key; a store in memory gets a random one.
    pub encryption_key: Option<EncryptionKeys>,
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
    /// Private hosts that webhooks may be sent to.
    pub allow_private_webhooks: Vec<String>,
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
    /// How long a session is valid after its creation, in milliseconds. Default: until it is deleted.
    pub session_lifetime_ms: Option<u64>,
    /// How long a session is valid after its last use, in milliseconds. Default: until it is deleted.
    pub session_idle_timeout_ms: Option<u64>,
    /// How many calls the record keeps. Default: 1 000 000, and 10 000 in memory.
    pub calls_kept: Option<u32>,
    /// How long the record keeps a call, in milliseconds. Default: without a limit.
    pub calls_kept_for_ms: Option<u64>,
    /// Whether the port serves sessions to MCP clients. Default: true.
    pub mcp: Option<bool>,
    /// The URL of a collector that takes traces over OTLP/HTTP. Default: that of `OTEL_EXPORTER_OTLP_ENDPOINT`; without
    /// either, calls are not traced.
    pub otlp_endpoint: Option<String>,
    /// The slugs of toolkits whose APIs get the `traceparent` of a traced call. Default: none.
    pub propagate_trace: BTreeSet<String>,
    /// The time of day. Tests change it.
    #[serde(skip)]
    pub clock: Clock,
}

/// The gateway in this process. It is cheap to clone; all clones are one gateway.
///
/// The services do not check whether the gateway is open: a caller of one wraps the call in [`Gateway::run`].
#[derive(Clone)]
pub struct Gateway(Arc<Services>);

/// The services of a gateway. Each has what it uses, and none has all of them.
#[derive(Debug)]
pub struct Services {
    /// The keys of the port's callers.
    pub api_keys: ApiKeys,
    /// The record of administrative changes.
    pub audit: Audit,
    /// The toolkits, as callers see them.
    pub toolkits: Toolkits,
    /// How accounts are connected.
    pub auth_configs: AuthConfigs,
    /// The connected accounts.
    pub accounts: Accounts,
    /// The sessions of users.
    pub sessions: Sessions,
    /// The tokens of accounts.
    pub tokens: Tokens,
    /// The links that users connect accounts with.
    pub links: Links,
    /// The flows behind links.
    pub connect: Connect,
    /// Proxied calls.
    pub proxy: Proxy,
    /// The record of calls.
    pub recorder: Recorder,
    /// The changes of connected accounts, as events.
    pub events: Events,
    /// The data of each user.
    pub users: Users,
    /// Where events are sent.
    pub webhooks: Webhooks,
    /// The files of responses.
    pub files: Arc<Files>,
    /// The URL where users reach the gateway.
    pub public_url: PublicUrl,
    /// Whether the port serves sessions to MCP clients.
    pub serves_mcp: bool,
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    meter: Meter,
    tracer: Tracer,
    readiness: Readiness,
    lifecycle: Lifecycle,
    servers: Mutex<Vec<JoinHandle<()>>>,
    closed: OnceCell<()>,
    /// Ends the background tasks when the last clone of a gateway is dropped without being closed.
    _closing: DropGuard,
}

impl Deref for Gateway {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl fmt::Debug for GatewayOptions {
    /// The URL of a store may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayOptions").finish_non_exhaustive()
    }
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
        let time = |value: Option<u64>, name: &str| match at_least_one(value, u64::MAX, name)? {
            u64::MAX => Ok(None),
            time => Ok(Some(i64::try_from(time).unwrap_or(i64::MAX / 2).min(i64::MAX / 2))),
        };
        let session_ends = SessionEnds {
            lifetime: time(options.session_lifetime_ms, "sessionLifetime")?,
            idle: time(options.session_idle_timeout_ms, "sessionIdleTimeout")?,
        };
        let calls_kept_for = time(options.calls_kept_for_ms, "callsKeptFor")?;
        let callback_urls = Arc::new(CallbackUrls::new(&options.callback_urls)?);
        let public_url = options.public_url.as_deref().map(PublicUrl::read).transpose()?.unwrap_or_default();
        let refresh_idle_after = at_least_one(options.refresh_idle_after_ms, 0, "refreshIdleAfter")?;
        let chunk_timeout = at_least_one(options.chunk_timeout_ms, DEFAULT_CHUNK_TIMEOUT_MS, "chunkTimeout")?;
        let max_upload_bytes =
            at_least_one(options.max_upload_bytes, DEFAULT_MAX_UPLOAD_BYTES, "maxUploadBytes")?;
        let limits = Limits {
            max_response_bytes,
            max_upload_bytes,
            upstream_timeout: Duration::from_millis(upstream_timeout),
            chunk_timeout: Duration::from_millis(chunk_timeout),
        };
        let catalogue = Arc::new(Catalogue::with(&options.toolkits)?);
        if let Some(slug) = options.propagate_trace.iter().find(|slug| catalogue.get(slug).is_err()) {
            let message = format!("propagateTrace: there is no toolkit {}.", quoted(slug));
            return Err(Error::new(ErrorKind::InvalidOption, message).about("propagateTrace"));
        }
        let allowed = Allowed {
            hosts: &options.allow_private_hosts,
            redirects: &options.allow_private_redirects,
            bodies: &options.allow_private_bodies,
            webhooks: &options.allow_private_webhooks,
        };
        let private_hosts = PrivateHosts::parse(allowed, |slug| catalogue.get(slug).is_ok())?;
        let egress = Arc::new(Egress::new(private_hosts, max_expansion)?);
        let clock = options.clock;
        let place = Place::of(options.store.as_deref())?
            .limited(options.max_connections, options.statement_timeout_ms)?;
        let calls_kept = options.calls_kept.unwrap_or(match place {
            Place::Memory => CALLS_IN_MEMORY,
            Place::File(_) | Place::Postgres(_) => CALLS_IN_FILE,
        });
        let (vault, store) =
            store::open(&place, options.encryption_key.as_ref(), &clock, options.migrate).await?;
        let files = Arc::new(Files::open(options.files, place.file(), &vault, clock.clone()).await?);
        let vault = Arc::new(vault);
        let lifecycle = Lifecycle::begin();

        let redirect_uris = RedirectUris::new(public_url.clone(), options.own_callback_paths);
        let meter = Meter::new(Arc::clone(&store));
        let tracer = Tracer::start(options.otlp_endpoint.as_deref(), meter.spans_lost())?;
        let recorder =
            Recorder::start(Arc::clone(&store), clock.clone(), meter.clone(), tracer.clone(), calls_kept);
        let auth_configs = AuthConfigs::new(
            Arc::clone(&store),
            clock.clone(),
            Arc::clone(&vault),
            Arc::clone(&catalogue),
            redirect_uris.clone(),
        );
        let accounts = Accounts::new(
            Arc::clone(&store),
            clock.clone(),
            Arc::clone(&vault),
            Arc::clone(&catalogue),
            auth_configs.clone(),
        );
        let sessions = Sessions::new(
            Arc::clone(&store),
            clock.clone(),
            session_ends,
            Arc::clone(&catalogue),
            auth_configs.clone(),
        );
        let tokens = Tokens::new(
            Arc::clone(&store),
            clock.clone(),
            Arc::clone(&catalogue),
            Arc::clone(&egress),
            auth_configs.clone(),
            accounts.clone(),
            lifecycle.clone(),
            meter.clone(),
        );
        let links = Links {
            store: Arc::clone(&store),
            clock: clock.clone(),
            vault: Arc::clone(&vault),
            catalogue: Arc::clone(&catalogue),
            callback_urls,
            public_url: public_url.clone(),
            redirect_uris: redirect_uris.clone(),
            auth_configs: auth_configs.clone(),
            accounts: accounts.clone(),
            sessions: sessions.clone(),
            tokens: tokens.clone(),
            lifetime: link_lifetime,
        };
        let connect = Connect {
            store: Arc::clone(&store),
            clock: clock.clone(),
            vault: Arc::clone(&vault),
            catalogue: Arc::clone(&catalogue),
            egress: Arc::clone(&egress),
            redirect_uris: redirect_uris.clone(),
            auth_configs: auth_configs.clone(),
            accounts: accounts.clone(),
            link_lifetime,
        };
        let proxy = Proxy {
            sessions: sessions.clone(),
            accounts: accounts.clone(),
            tokens: tokens.clone(),
            catalogue: Arc::clone(&catalogue),
            egress: Arc::clone(&egress),
            files: Arc::clone(&files),
            recorder: recorder.clone(),
            public_url: public_url.clone(),
            limits,
            lifecycle: lifecycle.clone(),
            propagates_trace: Arc::new(options.propagate_trace),
        };

        let events = Events { store: Arc::clone(&store), lifecycle: lifecycle.clone() };

        let users = Users {
            store: Arc::clone(&store),
            sessions: sessions.clone(),
            accounts: accounts.clone(),
            tokens: tokens.clone(),
            files: Arc::clone(&files),
            recorder: recorder.clone(),
        };
        let retention = Retention {
            store: Arc::clone(&store),
            clock: clock.clone(),
            sessions: sessions.clone(),
            calls_kept_for,
        };

        let webhooks =
            Webhooks { store: Arc::clone(&store), clock: clock.clone(), vault: Arc::clone(&vault), egress };
        let deliveries =
            Deliveries { webhooks: webhooks.clone(), lifecycle: lifecycle.clone(), meter: meter.clone() };

        tokio::spawn(events.clone().look_after());
        tokio::spawn(retention.look_after(lifecycle.clone()));
        tokio::spawn(deliveries.run());
        tokio::spawn(links.clone().expire_on_time(lifecycle.closing.clone()));
        tokio::spawn(files::sweep(Arc::clone(&files), lifecycle.closing.clone()));
        if refresh_idle_after > 0 {
            tokio::spawn(tokens.clone().refresh_idle(Duration::from_millis(refresh_idle_after)));
        }
        Ok(Self(Arc::new(Services {
            api_keys: ApiKeys::new(Arc::clone(&store), clock.clone()),
            audit: Audit { store: Arc::clone(&store), clock },
            toolkits: Toolkits { catalogue, redirect_uris },
            auth_configs,
            accounts,
            sessions,
            tokens,
            links,
            connect,
            proxy,
            recorder,
            events,
            users,
            webhooks,
            files,
            public_url,
            serves_mcp: options.mcp.unwrap_or(true),
            store,
            vault,
            meter,
            tracer,
            readiness: Readiness::default(),
            _closing: lifecycle.closing.clone().drop_guard(),
            lifecycle,
            servers: Mutex::default(),
            closed: OnceCell::new(),
        })))
    }

    /// Imports a credential that was obtained elsewhere. The account is ACTIVE at once.
    ///
    /// # Errors
    /// `ToolkitNotFound`, or `InvalidRequest` that names the field.
    pub async fn import_account(&self, request: ImportAccount) -> Result<ConnectedAccount> {
        let gateway = self.clone();
        self.recorded(Actor::Owner, async move {
            let account = gateway.accounts.import(request).await?;
            let change = Action::AccountCreated.of(&account.id);
            Ok((account, change))
        })
        .await
    }

    /// Lists connected accounts, newest first.
    ///
    /// # Errors
    /// `InvalidRequest` for a limit or cursor that cannot be used.
    pub async fn list_accounts(&self, request: ListAccounts) -> Result<Page<ConnectedAccount>> {
        self.run(self.accounts.list(request)).await
    }

    /// Reads a connected account.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn account(&self, id: &str) -> Result<ConnectedAccount> {
        self.run(self.accounts.get(id)).await
    }

    /// Deletes a connected account and its credential.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn delete_account(&self, id: &str) -> Result<()> {
        let (gateway, id) = (self.clone(), id.to_owned());
        self.recorded(Actor::Owner, async move {
            gateway.tokens.delete_account(&id, false).await?;
            Ok(((), Action::AccountDeleted.of(id)))
        })
        .await
    }

    /// Enables or disables a connected account.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn set_account_enabled(&self, id: &str, enabled: bool) -> Result<ConnectedAccount> {
        let (gateway, id) = (self.clone(), id.to_owned());
        self.recorded(Actor::Owner, async move {
            let account = gateway.accounts.set_enabled(&id, enabled).await?;
            let action = if enabled { Action::AccountEnabled } else { Action::AccountDisabled };
            Ok((account, action.of(id)))
        })
        .await
    }

    /// Creates an API key for callers of the port. Only this result contains the key.
    ///
    /// # Errors
    /// `InvalidRequest` for an unknown permission area.
    pub async fn create_api_key(&self, request: CreateApiKey) -> Result<NewApiKey> {
        let gateway = self.clone();
        self.recorded(Actor::Owner, async move {
            let key = gateway.api_keys.create(request, &Actor::Owner).await?;
            let change = Action::ApiKeyCreated.of(&key.shown.id);
            Ok((key, change))
        })
        .await
    }

    /// Lists the API keys. The keys themselves are not shown.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_api_keys(&self) -> Result<Vec<ApiKey>> {
        self.run(self.api_keys.list()).await
    }

    /// Revokes an API key immediately.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn revoke_api_key(&self, id: &str) -> Result<()> {
        let (gateway, id) = (self.clone(), id.to_owned());
        self.recorded(Actor::Owner, async move {
            gateway.api_keys.revoke(&id).await?;
            Ok(((), Action::ApiKeyRevoked.of(id)))
        })
        .await
    }

    /// Returns the records of the calls of a filter, the newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<RecordedCall>> {
        self.run(self.recorder.list(filter)).await
    }

    /// Returns the events behind a cursor, as soon as there is one. Without a cursor, returns at once, with the
    /// cursor of the latest event.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor that cannot be used; `EventsForgotten` for one that is too old.
    pub async fn events(&self, after: Option<&str>) -> Result<EventPage> {
        self.run(self.events.next(after)).await
    }

    /// Makes `close` wait until a server of this gateway has ended.
    pub fn close_after(&self, server: JoinHandle<()>) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).push(server);
    }

    /// Closes the gateway. A second close waits for the first.
    ///
    /// The gateway accepts no new calls, and calls in flight have 5 s to finish. Then it writes the record of
    /// calls and closes the store.
    pub async fn close(&self) {
        self.0
            .closed
            .get_or_init(|| async {
                self.lifecycle.end().await;
                let servers =
                    std::mem::take(&mut *self.servers.lock().unwrap_or_else(PoisonError::into_inner));
                for server in servers {
                    let abort = server.abort_handle();
                    if timeout(CLOSING_GRACE, server).await.is_err() {
                        abort.abort();
                    }
                }
                self.files.close().await;
                self.recorder.flush().await;
                self.tracer.flush().await;
                self.store.close().await;
            })
            .await;
    }

    /// Resolves when the gateway is told to close.
    pub async fn closing(&self) {
        self.lifecycle.closing.cancelled().await;
    }

    /// Returns a token that is cancelled when the gateway is told to close. Cancelling the token closes
    /// nothing.
    pub fn closing_token(&self) -> CancellationToken {
        self.lifecycle.closing.child_token()
    }

    /// Returns a token that is cancelled when the gateway begins to drain, or closes without draining.
    #[must_use]
    pub fn draining_token(&self) -> CancellationToken {
        self.lifecycle.draining.child_token()
    }

    /// Makes [`Gateway::close`] drain for at least this time: the gateway is not ready, and still accepts calls.
    pub fn drain_for(&self, delay: Duration) {
        self.lifecycle.drain_for(delay);
    }

    /// Runs a call, unless the gateway is closed. `close` waits for the call, and cancels it after the grace
    /// period.
    ///
    /// # Errors
    /// Those of the call, `GatewayClosed` and `CallCutOff`.
    pub async fn run<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.lifecycle.run(call).await
    }

    /// Runs an administrative change to its end, even if the caller is dropped, and records it.
    ///
    /// # Errors
    /// Those of the change, `GatewayClosed` and `CallCutOff`.
    pub async fn recorded<T: Send + 'static>(
        &self,
        actor: Actor,
        work: impl Future<Output = Result<(T, Change)>> + Send + 'static,
    ) -> Result<T> {
        let gateway = self.clone();
        let work = async move {
            let (done, change) = gateway.run(work).await?;
            gateway.audit.record(&actor, change).await;
            Ok(done)
        };
        match self.spawn(work.in_current_span()).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(Error::new(ErrorKind::GatewayClosed, "The gateway is closed.")),
            },
        }
    }

    /// Spawns a task that continues when its caller is dropped. `close` waits for the task.
    ///
    /// The task runs on the runtime that the gateway was opened on: the threads of a port end with their
    /// connections.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.lifecycle.spawn(work)
    }

    /// Wraps the body of a file for a reader that may take longer than the gateway is open.
    ///
    /// The stream ends with an error when the gateway is closed, or when the reader takes no chunk for
    /// `patience`.
    pub fn until_closed(&self, body: ByteStream, patience: Duration) -> ByteStream {
        self.lifecycle.until_closed(body, None, patience)
    }

    /// Returns the metrics, in the text format of Prometheus. The gateway counts from the first call on.
    ///
    /// # Errors
    /// `GatewayClosed`.
    pub async fn metrics(&self) -> Result<String> {
        self.run(async {
            let is_ready = self.ready().await.is_ok();
            Ok(self.meter.text(is_ready))
        })
        .await
    }

    /// Whether calls are traced.
    pub fn traces(&self) -> bool {
        self.tracer.is_on()
    }

    /// Counts from now on what the metrics show.
    pub fn start_metrics(&self) {
        self.meter.start();
    }

    /// Notes how late the event loop of the embedding process runs its callbacks, as quantiles in seconds.
    pub fn event_loop_delays(&self, delays: &[(&'static str, f64)]) {
        self.meter.event_loop_delays(delays);
    }

    /// Checks that calls can be made: the gateway is open, the store responds, its schema is the one of this
    /// version, and the key is right. The result is up to a second old.
    ///
    /// # Errors
    /// `NotReady` with the reason, or `GatewayClosed`.
    pub async fn ready(&self) -> Result<()> {
        if self.lifecycle.draining.is_cancelled() && !self.lifecycle.closing.is_cancelled() {
            return Err(lifecycle::draining());
        }
        self.run(self.readiness.check(store::ready(&*self.store, &self.vault))).await
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("store", &self.store).finish_non_exhaustive()
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

    #[tokio::test]
    async fn the_last_clone_ends_the_background_tasks_when_it_is_dropped() {
        let gateway = Gateway::open(GatewayOptions::default()).await.unwrap();
        let (closing, store) = (gateway.closing_token(), Arc::downgrade(&gateway.store));
        drop(gateway.clone());
        assert!(!closing.is_cancelled());
        drop(gateway);
        assert!(closing.is_cancelled());
        // The tasks have the store until they end.
        let ended = async {
            while store.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), ended).await.expect("the tasks end");
    }
}
