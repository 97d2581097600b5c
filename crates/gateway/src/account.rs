//! Connected accounts: a user's credential for a toolkit.

mod change;
mod creation;
mod credential;
mod select;
mod sharing;
mod view;

use std::sync::Arc;
use std::time::Duration;

use proxy_execute_protocol::{ConnectedAccount, Error, ErrorKind, Result, quoted};
use proxy_execute_store::{Clock, Store, StoredAccount};
use tokio::sync::broadcast;

pub(crate) use self::creation::NewAccount;
pub(crate) use self::credential::{Credential, changed};
pub(crate) use self::sharing::{SharingOfNew, admits};

use crate::auth_config::AuthConfigs;
use crate::toolkit::Catalogue;
use crate::vault::Vault;

/// How often a waiting task reads an account again. Another process may change the account.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Tells the tasks that wait for an account that it has changed.
#[derive(Debug, Clone)]
pub(crate) struct AccountChanges(broadcast::Sender<String>);

impl Default for AccountChanges {
    fn default() -> Self {
        // A receiver that falls behind by more messages gets an error, and reads the account again.
        Self(broadcast::channel(256).0)
    }
}

impl AccountChanges {
    pub(crate) fn tell(&self, id: &str) {
        // Usually no task waits, and the message has no receiver.
        _ = self.0.send(id.to_owned());
    }
}

/// The connected accounts of a gateway.
#[derive(Debug, Clone)]
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Clock,
    vault: Arc<Vault>,
    catalogue: Arc<Catalogue>,
    auth_configs: AuthConfigs,
    /// Tasks that wait for an account learn here that it has changed.
    pub(crate) changes: AccountChanges,
}

impl Accounts {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        vault: Arc<Vault>,
        catalogue: Arc<Catalogue>,
        auth_configs: AuthConfigs,
    ) -> Self {
        Self { store, clock, vault, catalogue, auth_configs, changes: AccountChanges::default() }
    }

    /// Waits until an account is no longer being connected, and returns it in its new state.
    pub async fn connected(&self, id: &str) -> Result<ConnectedAccount> {
        let mut changes = self.changes.0.subscribe();
        loop {
            let account = self.find(id).await?;
            if !account.status.is_being_connected() {
                return Ok(self.shown(account));
            }
            let changed = async { while changes.recv().await.is_ok_and(|changed| changed != id) {} };
            _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
        }
    }

    /// Returns an account by its id, in any state.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub(crate) async fn find(&self, id: &str) -> Result<StoredAccount> {
        self.store.account(id).await?.ok_or_else(|| not_found(id))
    }
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::new(
        ErrorKind::AccountNotFound,
        format!("Connected account `{}` was deleted, or never existed.", quoted(id)),
    )
    .fix("List the accounts with gateway.connectedAccounts.list().")
}
