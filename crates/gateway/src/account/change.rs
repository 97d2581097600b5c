//! Changes of an account: its alias, credential and state, and the new credential of a finished link.
//!
//! The `tokens` module refreshes, revokes and deletes accounts.

use proxy_execute_protocol::{
    AccountStatus, AccountType, ChangedAccount, ConnectedAccount, DefaultAccount, Error, ErrorKind, Result,
    SecretJson, UpdateAccount,
};
use proxy_execute_store::{AccountChange, StoredAccount, StoredAuthConfig};

use super::credential::changed;
use super::{Accounts, not_found, sharing};
use crate::bounds;
use crate::credential::{Fields, GivenCredential};
use crate::toolkit::Toolkit;

/// The fix for a change that moves an account and lacks a field of its credential.
const MOVED: &str = "The change moves the account to another host, which must not get the old credential: \
                     give all of the new one.";

impl Accounts {
    /// Enables or disables an account.
    pub async fn set_enabled(&self, id: &str, enabled: bool) -> Result<ConnectedAccount> {
        let change = AccountChange { is_disabled: Some(!enabled), ..AccountChange::default() };
        if !self.store.update_account(id, &change).await? {
            return Err(not_found(id));
        }
        self.changes.tell(id);
        self.get(id).await
    }

    /// Makes an account the one that calls use that name none, or makes it no longer that.
    ///
    /// # Errors
    /// `AccountNotFound`, `AccountUnusable`; `InvalidRequest` for a SHARED account.
    pub async fn set_default(&self, id: &str, request: DefaultAccount) -> Result<()> {
        if request.is_default {
            let account = self.by_id(id).await?;
            if account.account_type == AccountType::Shared {
                let message = format!("Account {id} is SHARED, so it cannot be the default account.");
                return Err(Error::of_field(ErrorKind::InvalidRequest, "is_default", message)
                    .fix("Name a PRIVATE account: only a session that pins a SHARED account may use it."));
            }
        }
        if self.store.set_default_account(id, request.is_default).await? {
            Ok(())
        } else {
            Err(not_found(id))
        }
    }

    /// Changes an account's alias, its credential or its ACL.
    pub async fn update(&self, id: &str, request: UpdateAccount) -> Result<ChangedAccount> {
        bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
        let account = self.find(id).await?;
        let mut change = AccountChange {
            alias: request.alias.map(|alias| Some(alias).filter(|alias| !alias.is_empty())),
            ..AccountChange::default()
        };
        if let Some(acl) = request.experimental.and_then(|changed| changed.acl_config_for_shared) {
            change.acl = sharing::checked(acl, account.account_type, "experimental")?;
        }
        if let Some(connection) = request.connection {
            bounds::credential(&connection.state, "connection.state")?;
            let given = GivenCredential::read(&connection.state, "connection.state")?;
            if given.auth_scheme != account.auth_scheme {
                return Err(Error::of_field(
                    ErrorKind::InvalidRequest,
                    "connection.state.authScheme",
                    format!("connection.state.authScheme: the account has {}.", account.auth_scheme),
                ));
            }
            let toolkit = self.catalogue.get(&account.toolkit)?;
            let config = self.auth_configs.find(&account.auth_config_id).await?;
            let old = self.val(&account)?;
            let new = self.with_fields_of(toolkit, &config, &given.val)?;
            let all = GivenCredential {
                val: changed(toolkit, given.auth_scheme, &old, &new)?,
                auth_scheme: given.auth_scheme,
                toolkit_slug: None,
            };
            if let Err(error) = self.check_credential(toolkit, &all, Some(&config)) {
                let is_moved = toolkit.is_elsewhere(all.auth_scheme, &Fields::read(&old)?, &all.fields()?);
                return Err(if is_moved { error.fix(MOVED) } else { error });
            }
            // Without a new access token, the old one stays, and so does its expiry.
            let has_token = given.fields()?.get("access_token").is_some();
            let at = if has_token { self.clock.now() } else { account.credential_at };
            change.credential = Some(self.sealed(id, all.auth_scheme, &all.val, at)?);
            change.of_version = Some(account.credential_version);
            change.is_connection = account.status != AccountStatus::Active;
            change.status = Some((AccountStatus::Active, None));
        }
        if !self.store.update_account(id, &change).await? {
            return Err(self.changed_meanwhile(id).await);
        }
        self.changes.tell(id);
        let status = self.find(id).await?.status;
        Ok(ChangedAccount { id: id.to_owned(), status, success: true })
    }

    /// Changes an account's state.
    pub(crate) async fn set_status(
        &self,
        id: &str,
        status: AccountStatus,
        reason: Option<String>,
    ) -> Result<()> {
        let change = AccountChange { status: Some((status, reason)), ..AccountChange::default() };
        self.store.update_account(id, &change).await?;
        self.changes.tell(id);
        Ok(())
    }

    /// Returns the error of a change that the store did not make.
    ///
    /// Either the account does not exist, or its credential was replaced after it was read.
    pub(crate) async fn changed_meanwhile(&self, id: &str) -> Error {
        match self.find(id).await {
            Ok(_) => Error::new(
                ErrorKind::Conflict,
                format!(
                    "The credential of connected account {id} was refreshed or changed at the same moment."
                ),
            )
            .fix("Make the change again."),
            Err(error) => error,
        }
    }

    /// Returns the change that replaces an account's credential and makes the account ACTIVE.
    ///
    /// # Errors
    /// `InvalidRequest` if the credential could not be sent.
    pub(crate) fn activated(
        &self,
        toolkit: &Toolkit,
        config: &StoredAuthConfig,
        account: &StoredAccount,
        val: &SecretJson,
    ) -> Result<AccountChange> {
        let auth_scheme = config.auth_scheme;
        let given = GivenCredential { auth_scheme, toolkit_slug: None, val: val.clone() };
        self.check_credential(toolkit, &given, Some(config))?;
        Ok(AccountChange {
            credential: Some(self.sealed(&account.id, auth_scheme, val, self.clock.now())?),
            of_version: Some(account.credential_version),
            status: Some((AccountStatus::Active, None)),
            is_connection: true,
            ..AccountChange::default()
        })
    }
}
