//! One handshake at a time with a server that may speak HTTP/2: all requests share its connection.
//!
//! Without this, each request of a burst would open a connection of its own, and all but one of them
//! would be dropped once the first has negotiated HTTP/2.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::deadline::noting_connecting;

/// How long a request waits for the handshake of another. A handshake that takes longer may hang,
/// and a connection of its own may not.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// How many servers are remembered. A server that is forgotten costs the next burst one wait.
const MAX_SERVERS: usize = 1000;

/// The handshakes with all servers.
#[derive(Debug)]
pub(crate) struct Handshakes(Cache<Authority, Arc<Server>>);

#[derive(Debug)]
struct Server {
    /// It does not speak HTTP/2, so each request needs a connection of its own.
    only_http1: AtomicBool,
    /// Whether the handshake that others wait for has ended. Its request, if dropped, closes the channel.
    ended: Mutex<watch::Receiver<bool>>,
}

/// The turn of a request to make a connection, or to find that there is one.
#[derive(Debug)]
pub(crate) struct Turn {
    server: Arc<Server>,
    ended: watch::Sender<bool>,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self(Cache::new(MAX_SERVERS))
    }
}

impl Handshakes {
    /// Waits until it is a request's turn. `None`: it needs none, and can be sent.
    pub(crate) async fn turn(&self, to: &Uri) -> Option<Turn> {
        if to.scheme() != Some(&Scheme::HTTPS) {
            return None;
        }
        let server = self.server(to.authority()?);
        let deadline = Instant::now() + MAX_WAIT;
        noting_connecting(async {
            loop {
                let mut other = match server.begin()? {
                    Begun::Turn(turn) => return Some(turn),
                    Begun::Waits(other) => other,
                };
                let waited = timeout_at(deadline, other.wait_for(|ended| *ended)).await;
                match waited.map(|ended| ended.map(drop)) {
                    Ok(Ok(())) => return None,
                    // The other request was cancelled, and its connection with it.
                    Ok(Err(_)) => {}
                    Err(_) => return server.replace(&other),
                }
            }
        })
        .await
    }

    fn server(&self, authority: &Authority) -> Arc<Server> {
        self.0.get(authority).unwrap_or_else(|| {
            let server = Arc::new(Server {
                only_http1: AtomicBool::new(false),
                ended: Mutex::new(watch::channel(false).1),
            });
            self.0.insert(authority.clone(), Arc::clone(&server));
            server
        })
    }
}

enum Begun {
    Turn(Turn),
    Waits(watch::Receiver<bool>),
}

impl Server {
    /// `None` where no turns are taken.
    fn begin(self: &Arc<Self>) -> Option<Begun> {
        if self.only_http1.load(Ordering::Relaxed) {
            return None;
        }
        let mut current = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let is_under_way = !*current.borrow() && current.has_changed().is_ok();
        if is_under_way {
            return Some(Begun::Waits(current.clone()));
        }
        Some(Begun::Turn(self.turn(&mut current)))
    }

    /// Gives up waiting: later requests wait for this one, and no longer for the other.
    fn replace(self: &Arc<Self>, other: &watch::Receiver<bool>) -> Option<Turn> {
        let mut current = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        current.same_channel(other).then(|| self.turn(&mut current))
    }

    fn turn(self: &Arc<Self>, current: &mut watch::Receiver<bool>) -> Turn {
        let (ended, receiver) = watch::channel(false);
        *current = receiver;
        Turn { server: Arc::clone(self), ended }
    }
}

impl Turn {
    /// The request has a connection.
    pub(crate) fn connected(self, speaks_http2: bool) {
        self.server.only_http1.store(!speaks_http2, Ordering::Relaxed);
        self.end();
    }

    /// There is nothing more to wait for.
    pub(crate) fn end(self) {
        self.ended.send_replace(true);
    }
}
