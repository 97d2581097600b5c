//! The account of a call, and the reasons why an account cannot be used.

use std::sync::Arc;

use proxy_execute_protocol::{AccountStatus, Advice, Error, ErrorKind, Result, quoted};
use proxy_execute_store::{StoredAccount, StoredSession};

use super::{Accounts, not_found, sharing};
use crate::clock::rfc3339;
use crate::toolkit::Toolkit;

impl Accounts {
    /// Returns the account of a call in a session: the pinned account, else the user's most recently
    /// connected active account.
    ///
    /// The result is `None` if there is no account and the toolkit needs none.
    ///
    /// # Errors
    /// `NoActiveConnection`; for a pin, which has no fallback, `AccountNotFound`, `AccountUnusable` or
    /// `SharedAccessDenied`.
    pub(crate) async fn for_session(
        &self,
        session: &StoredSession,
        toolkit: &Toolkit,
    ) -> Result<Option<Arc<StoredAccount>>> {
        let config = &session.config;
        let pin = config.connected_accounts.as_ref().and_then(|pins| pins.get(&toolkit.slug)?.first());
        if let Some(id) = pin {
            let account = self.pinned(id).await?;
            // The ACL may have changed since the session pinned the account.
            sharing::check_admitted(&account, &session.user_id)?;
            return Ok(Some(account));
        }
        let (user, slug) = (&session.user_id, &toolkit.slug);
        let auth_config = config.auth_configs.as_ref().and_then(|configs| configs.get(slug));
        let found = self.store.account_for_call(user, slug, auth_config.map(String::as_str)).await?;
        let why = match &found {
            Some(account) => match self.unusable(account) {
                None => return Ok(found),
                Some(why) => format!("their most recent one, {}, {why}", account.id),
            },
            None if toolkit.needs_no_account() => return Ok(None),
            None => "they have not connected one".to_owned(),
        };
        let error = Error::new(
            ErrorKind::NoActiveConnection,
            format!("User `{}` has no active connected account of toolkit `{slug}`: {why}.", quoted(user)),
        )
        .fix(format!(
            "Send the user to the page of session.authorize('{slug}'), or import their credential with \
             gateway.connectedAccounts.import({{ userId: '{}', toolkit: '{slug}', … }}); \
             and check that the session has the right user id.",
            quoted(user)
        ));
        let disabled = found.filter(|account| account.is_disabled);
        Err(match disabled {
            Some(account) => error.advise(Advice::EnableAccount(account.id.clone())),
            None => error,
        })
    }

    /// Returns the account that a call without a session names, if it can be used.
    ///
    /// # Errors
    /// `AccountNotFound`, `AccountUnusable`; `SharedAccessDenied` for a SHARED account.
    pub(crate) async fn named(&self, id: &str) -> Result<Arc<StoredAccount>> {
        let account = self.pinned(id).await?;
        sharing::check_not_shared(&account)?;
        Ok(account)
    }

    /// Returns the account of a call that names none, if it can be used.
    ///
    /// # Errors
    /// `MissingAuthContext` without a default account; `AccountUnusable`.
    pub(crate) async fn default(&self) -> Result<Arc<StoredAccount>> {
        let account = self.store.default_account().await?.ok_or_else(|| {
            let message = "Neither connected_account_id nor custom_connection_data was given, and there is no \
                           default account.";
            Error::new(ErrorKind::MissingAuthContext, message).fix(
                "Name the connected account to call as, or use session.proxyExecute(). \
                 connectedAccounts.setDefault() names a default account.",
            )
        })?;
        self.check_usable(&account)?;
        Ok(account)
    }

    /// Returns the account with this id, if it can be used.
    ///
    /// The account may come from the cache, and miss what another process wrote in the last 100 ms.
    ///
    /// # Errors
    /// `AccountNotFound`, `AccountUnusable`.
    async fn pinned(&self, id: &str) -> Result<Arc<StoredAccount>> {
        let account = self.store.named_account_for_call(id).await?.ok_or_else(|| not_found(id))?;
        self.check_usable(&account)?;
        Ok(account)
    }

    /// Returns an account by its id, if it can be used.
    ///
    /// The account is read from the store itself, not from the cache.
    ///
    /// # Errors
    /// `AccountNotFound`, `AccountUnusable`.
    pub(crate) async fn by_id(&self, id: &str) -> Result<StoredAccount> {
        let account = self.find(id).await?;
        self.check_usable(&account)?;
        Ok(account)
    }

    fn check_usable(&self, account: &StoredAccount) -> Result<()> {
        let id = &account.id;
        let Some(why) = self.unusable(account) else { return Ok(()) };
        let error = Error::new(
                ErrorKind::AccountUnusable,
                format!("Connected account {id} (toolkit `{}`) cannot be used: it {why}.", account.toolkit),
            )
            .fix(if account.is_disabled {
                format!("Enable it with gateway.connectedAccounts.enable('{id}').")
            } else if account.credential.renewable && !account.config_has_client {
                format!(
                    "Give auth config {} the client_id and client_secret of the client that the tokens were given to.",
                    account.auth_config_id
                )
            } else {
                "Import a fresh credential for the user, or connect the account again.".to_owned()
            });
        Err(if account.is_disabled { error.advise(Advice::EnableAccount(id.clone())) } else { error })
    }

    /// Returns why an account cannot be used, as the end of a sentence that begins with the account.
    fn unusable(&self, account: &StoredAccount) -> Option<String> {
        if account.is_disabled {
            return Some("is disabled".to_owned());
        }
        if account.config_is_disabled {
            return Some(format!("belongs to auth config {}, which is disabled", account.auth_config_id));
        }
        if account.status != AccountStatus::Active {
            let reason = account.status_reason.as_deref().map(|reason| format!(" ({reason})"));
            return Some(format!("is {}{}", account.status, reason.unwrap_or_default()));
        }
        let expired_at = account.credential.expires_at.filter(|at| *at <= self.clock.now())?;
        let obstacle = self.obstacle(account)?;
        Some(format!("has an access token that expired at {}, and {obstacle}", rfc3339(expired_at)))
    }

    /// Returns why an account cannot be refreshed, as the end of a sentence; `None` if it can.
    pub(crate) fn obstacle(&self, account: &StoredAccount) -> Option<String> {
        let StoredAccount { auth_config_id, toolkit, auth_scheme, .. } = account;
        let has_server = || {
            self.catalogue.get(toolkit).is_ok_and(|toolkit| toolkit.has_authorization_server(*auth_scheme))
        };
        if !account.credential.renewable {
            Some("has no means to renew it, such as a refresh token".to_owned())
        } else if !account.config_has_client {
            Some(format!("auth config {auth_config_id} has no OAuth client to refresh it with"))
        } else if !has_server() {
            Some(format!(
                "toolkit `{toolkit}` has no `authorization_server` for {auth_scheme} to refresh it at"
            ))
        } else {
            None
        }
    }
}
