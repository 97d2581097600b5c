//! The servers that may speak HTTP/2, with their connections. The requests of a burst share one connection.
//!
//! One request at a time makes a handshake, and the others wait for it. Otherwise each request of a burst
//! would open its own connection, and all but one would be dropped once the first speaks HTTP/2.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use url::{Position, Url};

use crate::progress::{noting_connecting, watched};
use crate::settings::Settings;

/// How long a request waits for the handshake of another request. A longer handshake may hang, while a new
/// connection may work.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Upper limit for the cached servers. An evicted server loses its idle connections.
const MAX_SERVERS: usize = 1000;

/// The servers of a runtime, by host and port.
#[derive(Debug)]
pub(crate) struct Servers {
    settings: Arc<Settings>,
    cache: Cache<String, Arc<Server>>,
}

/// A server that is reached over TLS.
#[derive(Debug)]
pub(crate) struct Server {
    settings: Arc<Settings>,
    /// The client that holds the server's connections. reqwest cannot close one connection, so a new client
    /// replaces this one when a connection may hang.
    client: Mutex<Arc<reqwest::Client>>,
    /// The newest connection speaks HTTP/1.1, so each request needs a connection of its own.
    only_http1: AtomicBool,
    /// Whether the handshake that other requests wait for has ended. Dropping its request closes the channel.
    ended: Mutex<watch::Receiver<bool>>,
}

/// The turn of a request to make a connection, or to find an existing one.
#[derive(Debug)]
struct Turn(watch::Sender<bool>);

enum Begun {
    Turn(Turn),
    Waits(watch::Receiver<bool>),
}

impl Servers {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, cache: Cache::new(MAX_SERVERS) }
    }

    /// Returns the server that a URL names.
    pub(crate) fn of(&self, url: &Url) -> Arc<Server> {
        let new = || Ok::<_, Infallible>(Arc::new(Server::new(Arc::clone(&self.settings))));
        let Ok(server) = self.cache.get_or_insert_with(&url[Position::BeforeHost..Position::AfterPort], new);
        server
    }
}

impl Server {
    fn new(settings: Arc<Settings>) -> Self {
        Self {
            client: Mutex::new(Arc::new(settings.client())),
            settings,
            only_http1: AtomicBool::new(false),
            ended: Mutex::new(watch::channel(false).1),
        }
    }

    pub(crate) async fn send(
        self: &Arc<Self>,
        request: reqwest::Request,
    ) -> Result<(reqwest::Response, InFlight), reqwest::Error> {
        let mut turn = self.turn().await;
        let client = Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner));
        let mut response = pin!(client.execute(request));
        let mut in_flight = InFlight::new(Arc::clone(self), client);
        let result = poll_fn(|context| {
            let (polled, progress) = watched(|| response.as_mut().poll(context));
            if let Some(speaks_http2) = progress.speaks_http2 {
                self.only_http1.store(!speaks_http2, Ordering::Relaxed);
            }
            if !progress.connecting {
                in_flight.begin();
                if let Some(turn) = turn.take() {
                    turn.end();
                }
            }
            polled
        })
        .await;
        match result {
            Ok(response) => Ok((response, in_flight)),
            Err(error) => {
                if error.is_connect() {
                    in_flight.end();
                }
                Err(error)
            }
        }
    }

    pub(crate) fn speaks_http2(&self) -> bool {
        !self.only_http1.load(Ordering::Relaxed)
    }

    /// Replaces a client, so that later requests do not use its connections.
    pub(crate) fn replace_client(&self, client: &Arc<reqwest::Client>) {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, client) {
            *current = Arc::new(self.settings.client());
        }
    }

    /// Waits for the turn of a request. `None` means that the request needs no turn and can be sent.
    async fn turn(&self) -> Option<Turn> {
        let deadline = Instant::now() + MAX_WAIT;
        noting_connecting(async {
            loop {
                let mut other = match self.begin()? {
                    Begun::Turn(turn) => return Some(turn),
                    Begun::Waits(other) => other,
                };
                let waited = timeout_at(deadline, other.wait_for(|ended| *ended)).await;
                match waited.map(|ended| ended.map(drop)) {
                    Ok(Ok(())) => return None,
                    // The other request was cancelled, and its connection was dropped.
                    Ok(Err(_)) => {}
                    Err(_) => return self.replace_turn(&other),
                }
            }
        })
        .await
    }

    /// Takes the turn, or returns the turn to wait for. `None` means that the server needs no turns.
    fn begin(&self) -> Option<Begun> {
        if !self.speaks_http2() {
            return None;
        }
        let mut current = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let is_under_way = !*current.borrow() && current.has_changed().is_ok();
        if is_under_way {
            return Some(Begun::Waits(current.clone()));
        }
        Some(Begun::Turn(Turn::new(&mut current)))
    }

    /// Stops waiting: later requests wait for this request instead of the other.
    fn replace_turn(&self, other: &watch::Receiver<bool>) -> Option<Turn> {
        let mut current = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        current.same_channel(other).then(|| Turn::new(&mut current))
    }
}

impl Turn {
    fn new(current: &mut watch::Receiver<bool>) -> Self {
        let (ended, receiver) = watch::channel(false);
        *current = receiver;
        Self(ended)
    }

    /// Ends the turn, because the request has a connection or has failed.
    fn end(self) {
        self.0.send_replace(true);
    }
}

/// A request whose response has not ended.
///
/// Dropping it takes its HTTP/2 connection out of use for later requests. A cancelled request may have waited
/// for a connection that hangs. A server that reset one stream may fail on the others. HTTP/1.1 closes the
/// connection in both cases anyway.
#[derive(Debug)]
pub(crate) struct InFlight {
    server: Arc<Server>,
    client: Arc<reqwest::Client>,
    /// Whether the request is in flight on a connection.
    has_begun: bool,
}

impl InFlight {
    pub(crate) fn new(server: Arc<Server>, client: Arc<reqwest::Client>) -> Self {
        Self { server, client, has_begun: false }
    }

    /// Notes that the request has a connection.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Notes that the response has ended, or that it shares its connection with no other request.
    pub(crate) fn end(&mut self) {
        self.has_begun = false;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.has_begun && self.server.speaks_http2() {
            self.server.replace_client(&self.client);
        }
    }
}
