//! Changes of an account: requests that change, refresh, revoke or delete it, and the outcome of a link.

use std::sync::Arc;

use proxy_execute_protocol::{
    AccountStatus, AuthScheme, ChangedAccount, ConnectedAccount, DeletedAccount, Error, ErrorKind, LinkAgain,
    RefreshAccount, RefreshedAccount, Result, RevokedAccount, SecretJson, ShortAccount, UpdateAccount,
};
use proxy_execute_store::{AccountChange, StoredAccount, StoredAuthConfig};

use super::credential::{changed, check, sealed, val, with_fields_of};
use super::shown::get;
use super::{by_id, find, not_found};
use crate::credential::{Fields, GivenCredential, refresh, revocation};
use crate::gateway::Parts;
use crate::toolkit::Toolkit;
use crate::{bounds, link};

/// The fix for a change that moves an account and lacks a field of its credential.
const MOVED: &str = "The change moves the account to another host, which must not get the old credential: \
                     give all of the new one.";

/// Deletes an account and its credential. With `revoke`, the provider is first asked to revoke the tokens.
///
/// The account is deleted even if the provider does not revoke them.
pub async fn delete(gateway: &Parts, id: &str, revoke: bool) -> Result<DeletedAccount> {
    let revoked = match revoke {
        true => Some(revocation::revoke(gateway, &refresh::hold_off(gateway, id).await?).await),
        false => None,
    };
    if !gateway.store.delete_account(id).await? {
        return Err(not_found(id));
    }
    gateway.account_changes.tell(id);
    let (revoked_tokens, not_revoked) = revoked.map(|revoked| (revoked.tokens, revoked.failures)).unzip();
    Ok(DeletedAccount { success: true, revoked_tokens, not_revoked })
}

/// Enables or disables an account.
pub async fn set_enabled(gateway: &Parts, id: &str, enabled: bool) -> Result<ConnectedAccount> {
    let change = AccountChange { is_disabled: Some(!enabled), ..AccountChange::default() };
    if !gateway.store.update_account(id, &change).await? {
        return Err(not_found(id));
    }
    gateway.account_changes.tell(id);
    get(gateway, id).await
}

/// Changes an account's alias or credential.
pub async fn update(gateway: &Parts, id: &str, request: UpdateAccount) -> Result<ChangedAccount> {
    bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
    let account = find(gateway, id).await?;
    let mut change = AccountChange {
        alias: request.alias.map(|alias| Some(alias).filter(|alias| !alias.is_empty())),
        ..AccountChange::default()
    };
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
        let toolkit = gateway.catalogue.get(&account.toolkit)?;
        let config = gateway.auth_configs.find(&account.auth_config_id).await?;
        let old = val(gateway, &account)?;
        let new = with_fields_of(gateway, toolkit, &config, &given.val)?;
        let all = GivenCredential {
            val: changed(toolkit, given.auth_scheme, &old, &new)?,
            auth_scheme: given.auth_scheme,
            toolkit_slug: None,
        };
        if let Err(error) = check(gateway, toolkit, &all, Some(&config)) {
            let is_moved = toolkit.is_elsewhere(all.auth_scheme, &Fields::read(&old)?, &all.fields()?);
            return Err(if is_moved { error.fix(MOVED) } else { error });
        }
        // An access token that does not change keeps its expiry.
        let has_token = given.fields()?.get("access_token").is_some();
        let at = if has_token { gateway.clock.now() } else { account.credential_at };
        change.credential = Some(sealed(gateway, id, all.auth_scheme, &all.val, at)?);
        change.of_version = Some(account.credential_version);
        change.is_connection = account.status != AccountStatus::Active;
        change.status = Some((AccountStatus::Active, None));
    }
    if !gateway.store.update_account(id, &change).await? {
        return Err(changed_meanwhile(gateway, id).await);
    }
    gateway.account_changes.tell(id);
    let status = find(gateway, id).await?.status;
    Ok(ChangedAccount { id: id.to_owned(), status, success: true })
}

/// Refreshes an account's credential now, even if the account is EXPIRED. If the user has to consent again,
/// the response has a link.
///
/// An account that cannot be refreshed is only checked.
pub async fn refresh(gateway: &Arc<Parts>, id: &str, request: RefreshAccount) -> Result<RefreshedAccount> {
    let account = find(gateway, id).await?;
    // A refresh does not reconnect an account that was revoked on purpose.
    let is_over = matches!(account.status, AccountStatus::Failed | AccountStatus::Expired);
    if is_over && refresh::obstacle(gateway, &account).is_some() && gateway.public_url.get().is_ok() {
        let again = LinkAgain { callback_url: request.redirect_url, scopes: Vec::new() };
        let link = link::again(gateway, id, again).await?;
        let status = find(gateway, id).await?.status;
        return Ok(RefreshedAccount { id: account.id, status, redirect_url: Some(link.redirect_url) });
    }
    let account = if matches!(account.status, AccountStatus::Active | AccountStatus::Expired)
        && refresh::obstacle(gateway, &account).is_none()
    {
        refresh::renewed(gateway, &account, refresh::Reason::Asked).await?
    } else {
        by_id(gateway, id).await?
    };
    Ok(RefreshedAccount { id: account.id, status: account.status, redirect_url: None })
}

/// Asks the provider to revoke an account's tokens, and deletes the credential even if the provider refuses.
/// The account stays, as REVOKED.
pub async fn revoke(gateway: &Parts, id: &str) -> Result<RevokedAccount> {
    // The links end first: a user who is about to consent would reconnect the account.
    gateway.store.end_links(id).await?;
    let revoked = revocation::revoke(gateway, &refresh::hold_off(gateway, id).await?).await;
    let change = AccountChange {
        credential: Some(sealed(
            gateway,
            id,
            AuthScheme::NoAuth,
            &SecretJson::new("{}".to_owned()),
            gateway.clock.now(),
        )?),
        status: Some((AccountStatus::Revoked, Some("Revoked via user-initiated revoke endpoint".to_owned()))),
        ..AccountChange::default()
    };
    if !gateway.store.update_account(id, &change).await? {
        return Err(not_found(id));
    }
    gateway.account_changes.tell(id);
    let (id, status) = (id.to_owned(), AccountStatus::Revoked);
    Ok(RevokedAccount {
        changed: ChangedAccount { id: id.clone(), status, success: true },
        revoked_tokens: revoked.tokens,
        not_revoked: revoked.failures,
        connected_account: ShortAccount { id, status },
    })
}

/// Changes an account's state.
pub(crate) async fn set_status(
    gateway: &Parts,
    id: &str,
    status: AccountStatus,
    reason: Option<String>,
) -> Result<()> {
    let change = AccountChange { status: Some((status, reason)), ..AccountChange::default() };
    gateway.store.update_account(id, &change).await?;
    gateway.account_changes.tell(id);
    Ok(())
}

/// The error of a change that was based on an older version of the credential.
pub(crate) async fn changed_meanwhile(gateway: &Parts, id: &str) -> Error {
    match find(gateway, id).await {
        Ok(_) => Error::new(
            ErrorKind::Conflict,
            format!("The credential of connected account {id} was refreshed or changed at the same moment."),
        )
        .fix("Make the change again."),
        Err(error) => error,
    }
}

/// Returns the change that makes an account ACTIVE with this credential instead of its old one.
///
/// # Errors
/// `InvalidRequest` if the credential could not be sent.
pub(crate) fn activated(
    gateway: &Parts,
    toolkit: &Toolkit,
    config: &StoredAuthConfig,
    account: &StoredAccount,
    val: &SecretJson,
) -> Result<AccountChange> {
    let auth_scheme = config.auth_scheme;
    let given = GivenCredential { auth_scheme, toolkit_slug: None, val: val.clone() };
    check(gateway, toolkit, &given, Some(config))?;
    Ok(AccountChange {
        credential: Some(sealed(gateway, &account.id, auth_scheme, val, gateway.clock.now())?),
        of_version: Some(account.credential_version),
        status: Some((AccountStatus::Active, None)),
        is_connection: true,
        ..AccountChange::default()
    })
}
