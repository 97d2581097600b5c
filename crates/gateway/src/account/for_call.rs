//! The account of a call, and the reasons why an account cannot be used.

use std::sync::Arc;

use proxy_execute_protocol::{AccountStatus, Advice, Error, ErrorKind, Result, quoted};
use proxy_execute_store::{StoredAccount, StoredSession};

use super::{find, not_found};
use crate::clock::rfc3339;
use crate::credential::refresh;
use crate::gateway::Parts;
use crate::toolkit::Toolkit;

/// Returns the account of a call in a session: the pinned one, else the user's most recently connected active
/// one.
///
/// It is `None` if there is no account and the toolkit needs none.
///
/// # Errors
/// `NoActiveConnection`; for a pin, which has no fallback, `AccountNotFound` or `AccountUnusable`.
pub(crate) async fn for_session(
    gateway: &Parts,
    session: &StoredSession,
    toolkit: &Toolkit,
) -> Result<Option<Arc<StoredAccount>>> {
    let config = &session.config;
    let pin = config.connected_accounts.as_ref().and_then(|pins| pins.get(&toolkit.slug)?.first());
    if let Some(id) = pin {
        return named(gateway, id).await.map(Some);
    }
    let (user, slug) = (&session.user_id, &toolkit.slug);
    let auth_config = config.auth_configs.as_ref().and_then(|configs| configs.get(slug));
    let found = gateway.store.account_for_call(user, slug, auth_config.map(String::as_str)).await?;
    let why = match &found {
        Some(account) => match unusable(gateway, account) {
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

/// Returns the account that a call names, if it can be used.
///
/// # Errors
/// `AccountNotFound`, `AccountUnusable`.
pub(crate) async fn named(gateway: &Parts, id: &str) -> Result<Arc<StoredAccount>> {
    let account = gateway.store.named_account_for_call(id).await?.ok_or_else(|| not_found(id))?;
    check_usable(gateway, &account)?;
    Ok(account)
}

/// Returns an account by its id, in its current state, if it can be used.
///
/// # Errors
/// `AccountNotFound`, `AccountUnusable`.
pub(crate) async fn by_id(gateway: &Parts, id: &str) -> Result<StoredAccount> {
    let account = find(gateway, id).await?;
    check_usable(gateway, &account)?;
    Ok(account)
}

fn check_usable(gateway: &Parts, account: &StoredAccount) -> Result<()> {
    let id = &account.id;
    let Some(why) = unusable(gateway, account) else { return Ok(()) };
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
fn unusable(gateway: &Parts, account: &StoredAccount) -> Option<String> {
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
    let expired_at = account.credential.expires_at.filter(|at| *at <= gateway.clock.now())?;
    let obstacle = refresh::obstacle(gateway, account)?;
    Some(format!("has an access token that expired at {}, and {obstacle}", rfc3339(expired_at)))
}
