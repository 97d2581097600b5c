//! A cache around any store, for the rows that calls look up again and again.
//!
//! A write through the cache invalidates the rows it changed before it returns. If the caller is dropped, the
//! write still runs to its end and then invalidates the rows. A lookup in flight during an invalidation is
//! not cached, because its guard is void.
//!
//! Each lookup first asks the store what another process has changed. The cache drops these rows, or all.

mod rows;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use proxy_execute_protocol::{AccountStatus, CallFilter, DeliveryStatus, Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use self::rows::CachedRows;
use crate::{
    AccountChange, AccountFilter, Accounts, ApiKeys, AttemptEnd, AuditFilter, AuditLog, AuditRow,
    AuditedChange, AuthConfigChange, AuthConfigFilter, AuthConfigs, CallRecord, Calls, Clock, EventCursors,
    Events, Insertion, KeyCheck, LeasedDelivery, LinkEnd, LinkStart, Links, PageAsked, RefreshEnd, Replay,
    ResealedRow, Rows, SealedCount, SealedRow, SealedRows, SealedSecrets, SealedTable, Sessions, Store,
    StoreFigures, StoredAccount, StoredAuthConfig, StoredDelivery, StoredEvent, StoredKey, StoredLink,
    StoredSession, StoredSubscription, SubscriptionChange, Webhooks,
};

/// Tells what other processes have written to a store.
pub trait Changes {
    /// Hands over what other processes have changed since the last time, to be dropped from the caches.
    ///
    /// Every lookup waits for this method, so it must be cheap. PostgreSQL sends notifications, which are read
    /// every 50 ms. SQLite is queried every 100 ms.
    fn notice_changes(&self, apply: impl FnOnce(Changed) + Send) -> impl Future<Output = Result<()>> + Send;
}

/// The changes that other processes have made in a store.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    /// Nothing that is cached.
    Nothing,
    /// These rows.
    Rows(Vec<ChangedRow>),
    /// Possibly everything.
    Everything,
}

/// A row that another process has changed.
#[derive(Debug, PartialEq, Eq)]
pub enum ChangedRow {
    /// The session with this id.
    Session(String),
    /// The API key with this hash.
    ApiKey(Vec<u8>),
    /// An account.
    Account {
        /// `ca_…`
        id: String,
        /// Its user.
        user_id: String,
        /// Its toolkit.
        toolkit: String,
        /// Its auth config.
        auth_config_id: String,
    },
    /// Any account.
    AllAccounts,
}

/// The key under which a call's account is cached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum AccountKey {
    Id(String),
    /// User, toolkit and, if the session names one, auth config.
    Best(String, String, Option<String>),
    /// The account of calls that name none.
    Default,
}

/// A store with a cache of the sessions, API keys and accounts that calls look up.
#[derive(Debug)]
pub struct Cached<S> {
    store: Arc<S>,
    sessions: CachedRows<String, StoredSession>,
    /// The API keys, by hash.
    keys: CachedRows<Vec<u8>, StoredKey>,
    accounts: CachedRows<AccountKey, StoredAccount>,
    clock: Clock,
    /// Wakes the readers of events after a write that may have made one.
    written: Arc<Notify>,
    /// The runtime that writes run on. It is the runtime that the store was opened on.
    runtime: Handle,
}

impl<S: Changes + Send + Sync> Cached<S> {
    /// Wraps a store in a cache. Call this on the runtime that runs the writes.
    pub fn new(store: S, clock: Clock) -> Self {
        Self {
            store: Arc::new(store),
            sessions: CachedRows::new(),
            keys: CachedRows::new(),
            accounts: CachedRows::new(),
            clock,
            written: Arc::default(),
            runtime: Handle::current(),
        }
    }

    /// Invalidates what another process has changed.
    async fn notice_writes(&self) -> Result<()> {
        self.store.notice_changes(|changed| self.drop_changed(changed)).await
    }

    fn drop_changed(&self, changed: Changed) {
        let rows = match changed {
            Changed::Nothing => return,
            Changed::Rows(rows) => rows,
            Changed::Everything => {
                self.sessions.clear();
                self.keys.clear();
                return self.accounts.clear();
            }
        };
        for row in rows {
            match row {
                ChangedRow::Session(id) => self.sessions.remove([id]),
                ChangedRow::ApiKey(hash) => self.keys.remove([hash]),
                ChangedRow::Account { id, user_id, toolkit, auth_config_id } => {
                    self.accounts.remove(account_keys(&id, &user_id, &toolkit, &auth_config_id));
                }
                ChangedRow::AllAccounts => self.accounts.clear(),
            }
        }
    }

    /// Runs a write to its end, even if the caller is dropped, and then drops `invalidate`.
    ///
    /// Otherwise the rows would stay cached: a database may run a statement after its caller was dropped.
    async fn write<T: Send + 'static>(
        &self,
        invalidate: impl Send + 'static,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let written = Arc::clone(&self.written);
        let task = self.runtime.spawn(async move {
            let done = write.await;
            drop(invalidate);
            written.notify_waiters();
            done
        });
        task.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down.
            Err(_) => Err(Error::new(ErrorKind::GatewayClosed, "The gateway is closed.")),
        })
    }
}

impl<S: Accounts> Cached<S> {
    /// Returns the keys of an account that is about to change; none if the account does not exist.
    async fn keys_of_account(&self, id: &str) -> Result<Vec<AccountKey>> {
        Ok(self.store.account(id).await?.map(|account| keys_of(&account).into()).unwrap_or_default())
    }
}

/// Returns the keys that an account may be cached under. None of them ever changes.
///
/// They are the account's id, and the best account of its user and toolkit: with any auth config, or with its
/// own. Any account may become the default account while it changes, so that key is among them.
fn account_keys(id: &str, user_id: &str, toolkit: &str, auth_config_id: &str) -> [AccountKey; 4] {
    let best = |config| AccountKey::Best(user_id.to_owned(), toolkit.to_owned(), config);
    [AccountKey::Id(id.to_owned()), best(None), best(Some(auth_config_id.to_owned())), AccountKey::Default]
}

/// Returns the keys that this account may be cached under.
fn keys_of(account: &StoredAccount) -> [AccountKey; 4] {
    account_keys(&account.id, &account.user_id, &account.toolkit, &account.auth_config_id)
}

/// Whether an account is cached. Only active accounts are, so changes of other accounts need no invalidation.
fn is_active(account: &StoredAccount) -> bool {
    account.status == AccountStatus::Active && !account.config_is_disabled
}

#[async_trait]
impl<S: Store + Changes> Sessions for Cached<S> {
    async fn insert_session(&self, session: &StoredSession) -> Result<()> {
        self.store.insert_session(session).await
    }

    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>> {
        self.notice_writes().await?;
        self.sessions.get_or_find(id, |_| true, self.store.session(id)).await
    }

    async fn update_session(&self, session: &StoredSession) -> Result<bool> {
        let invalidate = self.sessions.invalidate_after([session.id.clone()]);
        let (store, session) = (Arc::clone(&self.store), session.clone());
        self.write(invalidate, async move { store.update_session(&session).await }).await
    }

    async fn touch_session(&self, id: &str) -> Result<()> {
        let invalidate = self.sessions.invalidate_after([id.to_owned()]);
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        self.write(invalidate, async move { store.touch_session(&id).await }).await
    }

    async fn delete_ended_sessions(&self, created: Option<i64>, used: Option<i64>) -> Result<u64> {
        // Callers compare the times of a cached session themselves.
        self.store.delete_ended_sessions(created, used).await
    }

    async fn sessions_of_user(
        &self,
        user_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredSession>> {
        self.store.sessions_of_user(user_id, after, limit).await
    }

    async fn delete_sessions_of_user(&self, user_id: &str) -> Result<u64> {
        let (store, user_id) = (Arc::clone(&self.store), user_id.to_owned());
        let invalidate = self.sessions.invalidate_all_after();
        self.write(invalidate, async move { store.delete_sessions_of_user(&user_id).await }).await
    }

    async fn delete_session(&self, id: &str) -> Result<bool> {
        let invalidate = self.sessions.invalidate_after([id.to_owned()]);
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        self.write(invalidate, async move { store.delete_session(&id).await }).await
    }
}

#[async_trait]
impl<S: Store + Changes> AuthConfigs for Cached<S> {
    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()> {
        self.store.insert_auth_config(config).await
    }

    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig> {
        self.store.default_auth_config(config).await
    }

    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>> {
        self.store.auth_config(id).await
    }

    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>> {
        self.store.auth_configs(filter).await
    }

    async fn update_auth_config(&self, id: &str, change: &AuthConfigChange) -> Result<bool> {
        let (store, id, change) = (Arc::clone(&self.store), id.to_owned(), change.clone());
        let invalidate = self.accounts.invalidate_all_after();
        self.write(invalidate, async move { store.update_auth_config(&id, &change).await }).await
    }

    async fn delete_auth_config(&self, id: &str) -> Result<bool> {
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        let invalidate = self.accounts.invalidate_all_after();
        self.write(invalidate, async move { store.delete_auth_config(&id).await }).await
    }
}

#[async_trait]
impl<S: Store + Changes> Accounts for Cached<S> {
    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion> {
        let invalidate = self.accounts.invalidate_after(keys_of(account));
        let (store, account) = (Arc::clone(&self.store), account.clone());
        self.write(invalidate, async move { store.insert_account(&account).await }).await
    }

    async fn account(&self, id: &str) -> Result<Option<StoredAccount>> {
        self.store.account(id).await
    }

    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>> {
        self.store.accounts(filter).await
    }

    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        // Another account becomes the best only through a write, or when this access token expires.
        let is_good = |account: &StoredAccount| {
            is_active(account) && account.credential.expires_at.is_none_or(|at| at > self.clock.now())
        };
        let config = auth_config_id.map(str::to_owned);
        let key = AccountKey::Best(user_id.to_owned(), toolkit.to_owned(), config);
        let find = self.store.account_for_call(user_id, toolkit, auth_config_id);
        self.accounts.get_or_find(&key, is_good, find).await
    }

    async fn named_account_for_call(&self, id: &str) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        let key = AccountKey::Id(id.to_owned());
        self.accounts.get_or_find(&key, is_active, self.store.named_account_for_call(id)).await
    }

    async fn default_account(&self) -> Result<Option<Arc<StoredAccount>>> {
        self.notice_writes().await?;
        self.accounts.get_or_find(&AccountKey::Default, is_active, self.store.default_account()).await
    }

    async fn set_default_account(&self, id: &str, is_default: bool) -> Result<bool> {
        let invalidate = self.accounts.invalidate_after([AccountKey::Default]);
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        self.write(invalidate, async move { store.set_default_account(&id, is_default).await }).await
    }

    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>> {
        self.store.accounts_for_calls(user_id).await
    }

    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>> {
        self.store.account_by_name(user_id, toolkit, name).await
    }

    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool> {
        let invalidate = self.accounts.invalidate_after(self.keys_of_account(id).await?);
        let (store, id, change) = (Arc::clone(&self.store), id.to_owned(), change.clone());
        self.write(invalidate, async move { store.update_account(&id, &change).await }).await
    }

    async fn delete_account(&self, id: &str) -> Result<bool> {
        let invalidate = self.accounts.invalidate_after(self.keys_of_account(id).await?);
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        self.write(invalidate, async move { store.delete_account(&id).await }).await
    }

    async fn begin_refresh(
        &self,
        seen: &StoredAccount,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<i64>> {
        self.store.begin_refresh(seen, holder, lease).await
    }

    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool> {
        let invalidate = self.accounts.invalidate_after(keys_of(seen));
        let (store, seen, holder, end) =
            (Arc::clone(&self.store), seen.clone(), holder.to_owned(), end.clone());
        self.write(invalidate, async move { store.end_refresh(&seen, &holder, &end).await }).await
    }

    async fn idle_accounts(
        &self,
        before: i64,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>> {
        self.store.idle_accounts(before, after, limit).await
    }
}

#[async_trait]
impl<S: Store + Changes> Links for Cached<S> {
    async fn insert_link(&self, link: &StoredLink) -> Result<bool> {
        self.store.insert_link(link).await
    }

    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>> {
        self.store.link(token_hash).await
    }

    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>> {
        self.store.link_of_state(state_hash).await
    }

    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool> {
        self.store.start_link(link, start).await
    }

    async fn take_state(&self, state_hash: &[u8]) -> Result<bool> {
        self.store.take_state(state_hash).await
    }

    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<LinkEnd> {
        let invalidate = self.accounts.invalidate_after(self.keys_of_account(&link.account_id).await?);
        let (store, link, change) = (Arc::clone(&self.store), link.clone(), change.clone());
        self.write(invalidate, async move { store.finish_link(&link, &change).await }).await
    }

    async fn end_links(&self, account_id: &str) -> Result<()> {
        self.store.end_links(account_id).await
    }

    async fn next_link_expiry(&self, at: i64) -> Result<Option<i64>> {
        self.store.next_link_expiry(at).await
    }

    async fn expire_links(&self, reason: &str, at: i64, lifetime: i64) -> Result<Vec<String>> {
        let expired = self.store.expire_links(reason, at, lifetime).await;
        self.written.notify_waiters();
        expired
    }
}

#[async_trait]
impl<S: Store + Changes> ApiKeys for Cached<S> {
    async fn insert_key(&self, key: &StoredKey) -> Result<()> {
        self.store.insert_key(key).await
    }

    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>> {
        self.notice_writes().await?;
        self.keys.get_or_find(hash, |_| true, self.store.key_by_hash(hash)).await
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        self.store.keys().await
    }

    async fn touch_key(&self, key: &StoredKey) -> Result<()> {
        let invalidate = self.keys.invalidate_after([key.hash.clone()]);
        let (store, key) = (Arc::clone(&self.store), key.clone());
        self.write(invalidate, async move { store.touch_key(&key).await }).await
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let invalidate = self.keys.invalidate_all_after();
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        self.write(invalidate, async move { store.revoke_key(&id).await }).await
    }
}

#[async_trait]
impl<S: Store + Changes> Calls for Cached<S> {
    async fn insert_calls(&self, calls: Vec<CallRecord>, kept: i64) -> Result<()> {
        self.store.insert_calls(calls, kept).await
    }

    async fn delete_old_calls(&self, before: i64) -> Result<u64> {
        self.store.delete_old_calls(before).await
    }

    async fn delete_calls_of_user(&self, user_id: &str) -> Result<u64> {
        self.store.delete_calls_of_user(user_id).await
    }

    async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRecord>> {
        self.store.calls(filter).await
    }
}

#[async_trait]
impl<S: Store + Changes> AuditLog for Cached<S> {
    async fn append_audit(&self, change: AuditedChange) -> Result<()> {
        self.store.append_audit(change).await
    }

    async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>> {
        self.store.audit_rows(filter).await
    }

    async fn audit_chain(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        self.store.audit_chain(after, limit).await
    }
}

#[async_trait]
impl<S: Store + Changes> Events for Cached<S> {
    async fn number_events(&self) -> Result<EventCursors> {
        self.store.number_events().await
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>> {
        self.store.events(after, limit).await
    }

    async fn events_of_user(&self, user_id: &str, after: i64, limit: u32) -> Result<Vec<StoredEvent>> {
        self.store.events_of_user(user_id, after, limit).await
    }

    async fn delete_events_of_user(&self, user_id: &str) -> Result<u64> {
        self.store.delete_events_of_user(user_id).await
    }

    async fn announce_expiries(&self) -> Result<u64> {
        let announced = self.store.announce_expiries().await;
        self.written.notify_waiters();
        announced
    }

    fn may_have_events(&self) -> BoxFuture<'_, ()> {
        let written = self.written.notified();
        async move {
            tokio::select! {
                () = written => {}
                () = self.store.may_have_events() => {}
            }
        }
        .boxed()
    }
}

#[async_trait]
impl<S: Store + Changes> Webhooks for Cached<S> {
    async fn insert_subscription(&self, subscription: &StoredSubscription, most: u32) -> Result<bool> {
        self.store.insert_subscription(subscription, most).await
    }

    async fn subscription(&self, id: &str) -> Result<Option<StoredSubscription>> {
        self.store.subscription(id).await
    }

    async fn subscriptions(&self, page: &PageAsked) -> Result<Rows<StoredSubscription>> {
        self.store.subscriptions(page).await
    }

    async fn update_subscription(&self, id: &str, change: &SubscriptionChange) -> Result<bool> {
        self.store.update_subscription(id, change).await
    }

    async fn replace_secrets(&self, read: &StoredSubscription, secrets: &SealedSecrets) -> Result<bool> {
        self.store.replace_secrets(read, secrets).await
    }

    async fn delete_subscription(&self, id: &str) -> Result<bool> {
        self.store.delete_subscription(id).await
    }

    async fn due_subscriptions(&self) -> Result<Vec<String>> {
        self.store.due_subscriptions().await
    }

    async fn lease_deliveries(
        &self,
        subscription_id: &str,
        most: u32,
        lease: Duration,
    ) -> Result<Vec<LeasedDelivery>> {
        self.store.lease_deliveries(subscription_id, most, lease).await
    }

    async fn end_attempt(&self, leased: &LeasedDelivery, end: &AttemptEnd) -> Result<bool> {
        self.store.end_attempt(leased, end).await
    }

    async fn deliveries(
        &self,
        subscription_id: &str,
        status: Option<DeliveryStatus>,
        page: &PageAsked,
    ) -> Result<Rows<StoredDelivery>> {
        self.store.deliveries(subscription_id, status, page).await
    }

    async fn replay(&self, subscription_id: &str, replay: Replay) -> Result<u64> {
        let replayed = self.store.replay(subscription_id, replay).await;
        self.written.notify_waiters();
        replayed
    }

    async fn delete_delivered(&self) -> Result<u64> {
        self.store.delete_delivered().await
    }
}

#[async_trait]
impl<S: Store + Changes> SealedRows for Cached<S> {
    async fn count_sealed(&self) -> Result<Vec<SealedCount>> {
        self.store.count_sealed().await
    }

    async fn sealed_rows(
        &self,
        table: SealedTable,
        key_id: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>> {
        self.store.sealed_rows(table, key_id, after, limit).await
    }

    async fn reseal_rows(&self, table: SealedTable, key_id: &str, rows: Vec<ResealedRow>) -> Result<u64> {
        // The key that sealed the cached rows still opens them.
        self.store.reseal_rows(table, key_id, rows).await
    }
}

#[async_trait]
impl<S: Store + Changes> Store for Cached<S> {
    async fn ready(&self, key: KeyCheck<'_>) -> Result<()> {
        self.store.ready(key).await
    }

    fn figures(&self) -> StoreFigures {
        let caches = vec![
            self.sessions.figures("sessions"),
            self.keys.figures("api_keys"),
            self.accounts.figures("accounts"),
        ];
        StoreFigures { caches, ..self.store.figures() }
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests;
