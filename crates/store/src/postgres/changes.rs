//! Learns which rows other gateways have changed, by `LISTEN` and `NOTIFY`.
//!
//! PostgreSQL sends the notifications of a committed transaction before its next response on a connection that
//! listens. So after one round trip, everything that was committed before it is known. A lookup is served from
//! a cache only if such a round trip began less than [`CONFIRMED_FOR`] ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proxy_execute_protocol::Result;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::context::TokioContext;

use super::PostgresStore;
use super::options::CONNECTED_WITHIN;
use crate::{Changed, ChangedRow, Changes, Clock};

const CHANNEL: &str = "proxy_execute";

/// How long a round trip counts. Changes of other gateways count after this time at the latest.
const CONFIRMED_FOR: Duration = Duration::from_millis(50);

/// A round trip that takes longer than this means that the connection is lost.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// The time between two attempts to connect, and between two looks at a connection without lookups.
const LOOKED_AFTER: Duration = Duration::from_millis(200);

/// Without lookups, notifications are read this often. Unread ones would fill the queue of the server.
const READ_EVERY: Duration = Duration::from_secs(2);

/// The clock of the gateway follows the database's if the two differ by more than this, in milliseconds.
const CLOCK_DIFFERENCE: i64 = 250;

/// Upper limit for the changes that are kept for the next lookup.
const CHANGES_KEPT: usize = 1_000;

/// A connection that listens, and what it has heard.
#[derive(Debug)]
pub(super) struct Listening {
    options: PgConnectOptions,
    /// The id of this gateway in the notifications of its own changes.
    gateway: String,
    clock: Clock,
    began: Instant,
    /// When the last round trip began whose changes the caches know, in milliseconds after `began`; 0 if there
    /// is none.
    confirmed_at: AtomicU64,
    heard: Mutex<Heard>,
    runtime: Handle,
}

#[derive(Debug)]
struct Heard {
    /// `None` while no connection listens.
    listener: Option<PgListener>,
    /// The changes that the caches do not know yet.
    changed: Changed,
    read_at: Instant,
    has_ended: bool,
}

impl Listening {
    /// Connects, and keeps a connection as long as the store exists. Call this on the runtime of the store.
    pub(super) async fn begin(
        options: PgConnectOptions,
        gateway: String,
        clock: Clock,
    ) -> sqlx::Result<Arc<Self>> {
        let listener = listen(&options, CONNECTED_WITHIN).await?;
        let heard = Heard {
            listener: Some(listener),
            changed: Changed::Everything,
            read_at: Instant::now(),
            has_ended: false,
        };
        let listening = Arc::new(Self {
            options,
            gateway,
            clock,
            began: Instant::now(),
            confirmed_at: AtomicU64::new(0),
            heard: Mutex::new(heard),
            runtime: Handle::current(),
        });
        // The clock follows before the first lease is taken.
        listening.read(&mut *listening.heard.lock().await).await;
        let weak = Arc::downgrade(&listening);
        tokio::spawn(async move {
            loop {
                sleep(LOOKED_AFTER).await;
                let Some(listening) = weak.upgrade() else { return };
                if listening.look_after().await.is_none() {
                    return;
                }
            }
        });
        Ok(listening)
    }

    /// Ends the connection.
    pub(super) async fn end(&self) {
        let mut heard = self.heard.lock().await;
        heard.has_ended = true;
        heard.listener = None;
    }

    /// Connects if no connection listens, and reads what a listening one has heard without lookups. Returns
    /// `None` after the end.
    async fn look_after(&self) -> Option<()> {
        let mut heard = self.heard.lock().await;
        if heard.has_ended {
            return None;
        }
        if heard.listener.is_some() {
            if heard.read_at.elapsed() > READ_EVERY {
                self.read(&mut heard).await;
            }
            return Some(());
        }
        // Lookups do not wait for a connection: they read the database.
        drop(heard);
        match timeout(LOST_AFTER, listen(&self.options, LOST_AFTER)).await {
            Ok(Ok(listener)) => {
                tracing::info!("the gateway listens to the database again");
                let mut heard = self.heard.lock().await;
                heard.changed = Changed::Everything;
                heard.listener = Some(listener).filter(|_| !heard.has_ended);
            }
            Ok(Err(error)) => tracing::debug!(%error, "the gateway does not listen to the database"),
            Err(_) => tracing::debug!("the gateway does not listen to the database in time"),
        }
        Some(())
    }

    /// Makes a round trip, and notes the changes that were committed before. After a failure, no connection
    /// listens.
    async fn read(&self, heard: &mut Heard) {
        // A dropped future would leave a connection that waits for a response, so the listener is taken out.
        let Some(mut listener) = heard.listener.take() else { return };
        let asked_at = self.clock.unadjusted();
        let time = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT");
        match timeout(LOST_AFTER, time.fetch_one(&mut listener)).await {
            Ok(Ok(time)) => {
                while let Some(notification) = listener.next_buffered() {
                    heard.changed.add(self.read_change(notification.payload()));
                }
                self.follow(time, asked_at, self.clock.unadjusted());
                heard.listener = Some(listener);
                heard.read_at = Instant::now();
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the gateway does not listen to the database any more, and caches nothing");
            }
            Err(_) => {
                tracing::warn!("the database is silent; the gateway caches nothing until it listens again");
            }
        }
    }

    /// Sets the clock to the time of the database. The leases of all gateways need one clock.
    fn follow(&self, time: i64, asked_at: i64, answered_at: i64) {
        let difference = time - asked_at.midpoint(answered_at);
        if difference.abs_diff(self.clock.adjustment()) > CLOCK_DIFFERENCE.unsigned_abs() {
            tracing::warn!(milliseconds = difference, "the gateway's clock is set to that of the database");
            self.clock.adjust(difference);
        }
    }

    /// Reads a notification: the gateway that made the change, the kind of row, and its keys.
    fn read_change(&self, message: &str) -> Changed {
        let parts: Vec<String> = serde_json::from_str(message).unwrap_or_default();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let row = match parts[..] {
            // A gateway removes from its own cache what it changes.
            [gateway, ..] if gateway == self.gateway => return Changed::Nothing,
            [_, "session", id] => ChangedRow::Session(id.to_owned()),
            [_, "key", hash] => match from_hex(hash) {
                Some(hash) => ChangedRow::ApiKey(hash),
                None => return Changed::Everything,
            },
            [_, "account", id, user_id, toolkit, auth_config_id] => ChangedRow::Account {
                id: id.to_owned(),
                user_id: user_id.to_owned(),
                toolkit: toolkit.to_owned(),
                auth_config_id: auth_config_id.to_owned(),
            },
            [_, "accounts"] => ChangedRow::AllAccounts,
            // A newer version may tell more.
            _ => return Changed::Everything,
        };
        Changed::Rows(vec![row])
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn is_confirmed(&self) -> bool {
        let confirmed_at = self.confirmed_at.load(Ordering::Acquire);
        confirmed_at > 0 && u128::from(self.now() - confirmed_at) < CONFIRMED_FOR.as_millis()
    }

    async fn notice(&self, apply: impl FnOnce(Changed) + Send) {
        if self.is_confirmed() {
            return;
        }
        let mut heard = self.heard.lock().await;
        if self.is_confirmed() {
            return;
        }
        let began = self.now();
        self.read(&mut heard).await;
        if heard.listener.is_none() {
            heard.changed = Changed::Everything;
        }
        apply(std::mem::replace(&mut heard.changed, Changed::Nothing));
        // Only now, so that no lookup beside this one is served a row that `apply` has yet to remove.
        if heard.listener.is_some() {
            self.confirmed_at.store(began, Ordering::Release);
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The connection spawns a task that closes it.
        let _runtime = self.runtime.enter();
        self.heard.get_mut().listener = None;
    }
}

impl Changes for PostgresStore {
    async fn notice_changes(&self, apply: impl FnOnce(Changed) + Send) -> Result<()> {
        TokioContext::new(self.listening.notice(apply), self.runtime.clone()).await;
        Ok(())
    }
}

impl Changed {
    /// Adds a later change.
    fn add(&mut self, later: Self) {
        *self = match (std::mem::replace(self, Self::Nothing), later) {
            (earlier, Self::Nothing) => earlier,
            (Self::Nothing, later) => later,
            (Self::Rows(mut rows), Self::Rows(more)) if rows.len() < CHANGES_KEPT => {
                rows.extend(more);
                Self::Rows(rows)
            }
            _ => Self::Everything,
        };
    }
}

/// Connects and listens. The pool has this connection alone, and ends with it.
async fn listen(options: &PgConnectOptions, patience: Duration) -> sqlx::Result<PgListener> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(patience)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_changes_become_one() {
        let row = || Changed::Rows(vec![ChangedRow::Session("trs_1".to_owned())]);
        let mut changed = Changed::Nothing;
        changed.add(row());
        changed.add(Changed::Nothing);
        changed.add(row());
        assert!(matches!(&changed, Changed::Rows(rows) if rows.len() == 2));
        (0..CHANGES_KEPT).for_each(|_| changed.add(row()));
        assert_eq!(changed, Changed::Everything);
        changed.add(row());
        assert_eq!(changed, Changed::Everything);
    }

    #[test]
    fn a_hash_is_read_from_its_digits() {
        assert_eq!(from_hex("00ff1a"), Some(vec![0, 255, 26]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
