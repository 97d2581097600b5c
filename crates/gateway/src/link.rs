//! Links: the page where a user connects an account (`docs/connecting-accounts.md`). `connect.rs` has
//! the flow behind a link.

use std::sync::Arc;
use std::time::Duration;

use proxy_execute_protocol::{
    AccountStatus, AuthConfigType, Error, ErrorKind, Link, LinkAccount, LinkAgain, LinkInSession, Result,
    SecretJson,
};
use proxy_execute_store::{Clock, Store, StoredAuthConfig, StoredLink, StoredSession};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::account::AccountChanges;
use crate::clock::rfc3339;
use crate::credential::scheme::{Obtained, Scheme};
use crate::gateway::Parts;
use crate::request::require;
use crate::toolkit::Toolkit;
use crate::{account, bounds, connect, id, session};

/// The longest time between two checks for expired links, in case another process creates some.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Creates an account for the session's user, and a link to connect it.
pub async fn in_session(gateway: &Parts, session_id: &str, request: LinkInSession) -> Result<Link> {
    require(Some(&request.toolkit), "toolkit")?;
    bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
    account::check_private(request.experimental.as_ref())?;
    let session = gateway.sessions.load(session_id).await?;
    session::check_allowed(&session, &request.toolkit)?;
    let toolkit = gateway.catalogue.get(&request.toolkit)?;
    let auth_config = auth_config_of(gateway, &session, toolkit).await?;
    begin(gateway, &auth_config, session.user_id.clone(), request.alias, None, request.callback_url).await
}

/// Creates an account with an auth config, and a link to connect it.
pub async fn with_auth_config(gateway: &Parts, request: LinkAccount) -> Result<Link> {
    require(Some(&request.user_id), "user_id")?;
    bounds::length(&request.user_id, bounds::LONGEST_USER_ID, "user_id")?;
    bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
    if let Some(known) = &request.connection_data {
        bounds::credential(known, "connection_data")?;
    }
    account::check_private(request.experimental.as_ref())?;
    let config = gateway.auth_configs.usable(&request.auth_config_id).await?;
    begin(gateway, &config, request.user_id, request.alias, request.connection_data, request.callback_url)
        .await
}

async fn begin(
    gateway: &Parts,
    config: &StoredAuthConfig,
    user_id: String,
    alias: Option<String>,
    known: Option<SecretJson>,
    callback_url: Option<String>,
) -> Result<Link> {
    check(gateway, config, callback_url.as_deref())?;
    check_asked(gateway, config)?;
    let known = known.unwrap_or_else(|| SecretJson::new("{}".to_owned()));
    let toolkit = gateway.catalogue.get(&config.toolkit)?;
    let known = account::with_fields_of(gateway, toolkit, config, &known)?;
    let account = account::begin(gateway, config, user_id, alias, &known).await?;
    give_out(gateway, &account.id, callback_url, &[]).await
}

/// Creates a link to connect an existing account again. The account keeps its id and its name.
///
/// An ACTIVE account keeps its old credential until there is a new one.
pub async fn again(gateway: &Parts, account_id: &str, request: LinkAgain) -> Result<Link> {
    bounds::scopes(&request.scopes)?;
    let account = account::find(gateway, account_id).await?;
    let config = gateway.auth_configs.usable(&account.auth_config_id).await?;
    check(gateway, &config, request.callback_url.as_deref())?;
    if account.is_to_be_connected() {
        account::set_status(gateway, account_id, AccountStatus::Initializing, None).await?;
    }
    give_out(gateway, account_id, request.callback_url, &request.scopes).await
}

/// Refuses a link that could not connect an account, before the account is created.
pub(crate) fn check(gateway: &Parts, config: &StoredAuthConfig, callback_url: Option<&str>) -> Result<()> {
    if let Some(url) = callback_url {
        bounds::length(url, bounds::LONGEST_URL, "callback_url")?;
        gateway.callback_urls.check(url)?;
    }
    if Scheme::of(config.auth_scheme).obtained == Obtained::NotNeeded {
        return Err(needs_none(&config.toolkit));
    }
    gateway.public_url.get()?;
    connect::check(gateway, config)
}

/// Refuses a link with the default auth config of imports if users of the toolkit sign in with OAuth.
///
/// Its form would ask users for a token that they do not have. A custom auth config may ask for it.
pub(crate) fn check_asked(gateway: &Parts, config: &StoredAuthConfig) -> Result<()> {
    let toolkit = gateway.catalogue.get(&config.toolkit)?;
    let scheme = config.auth_scheme;
    let is_of_imports = config.kind == AuthConfigType::Default && toolkit.link_scheme() != Some(scheme);
    if is_of_imports && toolkit.operators_scheme().is_some() {
        return Err(gateway.auth_configs.needs_client(toolkit));
    }
    Ok(())
}

/// Creates a link to an account, after [`check`].
pub(crate) async fn give_out(
    gateway: &Parts,
    account_id: &str,
    callback_url: Option<String>,
    scopes: &[String],
) -> Result<Link> {
    let token = id::secret("lt");
    let expires_at = gateway.clock.now().saturating_add(milliseconds(gateway.link_lifetime));
    let link = StoredLink {
        token_hash: id::hash(&token),
        account_id: account_id.to_owned(),
        callback_url,
        scopes: json!(scopes).to_string(),
        browser_hash: None,
        verifier: None,
        given: None,
        expires_at,
        finished_at: None,
    };
    if !gateway.store.insert_link(&link).await? {
        return Err(account::not_found(account_id));
    }
    Ok(Link {
        redirect_url: format!("{}/connect/{token}", gateway.public_url.get()?),
        link_token: token,
        connected_account_id: account_id.to_owned(),
        expires_at: rfc3339(expires_at),
    })
}

/// Sets accounts to EXPIRED when their link expires unused, until the gateway closes.
///
/// If a caller was dropped between creating an account and its link, the account expires, too.
pub(crate) fn expire_on_time(
    store: &Arc<dyn Store>,
    clock: Clock,
    changes: AccountChanges,
    lifetime: Duration,
    closing: CancellationToken,
) {
    // The reference is weak, so the task ends when a gateway is dropped without being closed.
    let store = Arc::downgrade(store);
    let reason = expired_reason(lifetime);
    let lifetime_ms = milliseconds(lifetime);
    // A link that is created during the pause does not expire before its end.
    let longest = lifetime.min(LOOK_AGAIN);
    tokio::spawn(async move {
        loop {
            let Some(store) = store.upgrade() else { return };
            // Both queries use the same time, so that no link expires between them.
            let at = clock.now();
            match store.expire_links(&reason, at, lifetime_ms).await {
                Ok(accounts) => accounts.iter().for_each(|id| changes.tell(id)),
                Err(error) => tracing::warn!(%error, "links could not be read"),
            }
            let next = store.next_link_expiry(at).await.ok().flatten();
            drop(store);
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(pause_until(next, clock.now(), longest)) => {}
            }
        }
    });
}

/// The lifetime of links as in the store.
pub(crate) fn milliseconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the pause until the next link expires. The link may have expired since it was looked up.
fn pause_until(next: Option<i64>, at: i64, longest: Duration) -> Duration {
    let until = next.map(|next| Duration::from_millis(next.saturating_sub(at).max(0).unsigned_abs()));
    until.map_or(longest, |until| until.min(longest))
}

/// Returns the reason in the words of the hosted backend, with the lifetime of links here.
fn expired_reason(lifetime: Duration) -> String {
    let seconds = lifetime.as_secs();
    let (count, unit) =
        if seconds.is_multiple_of(60) { (seconds / 60, "minute") } else { (seconds, "second") };
    let plural = if count == 1 { "" } else { "s" };
    format!("Connection initiation did not complete within {count} {unit}{plural}")
}

/// Returns the auth config for a link in a session: the session's own, else the newest enabled custom one of
/// the toolkit.
///
/// Without either, it is the toolkit's default for a scheme that needs no client.
async fn auth_config_of(
    gateway: &Parts,
    session: &StoredSession,
    toolkit: &Toolkit,
) -> Result<StoredAuthConfig> {
    let (slug, config) = (&toolkit.slug, &session.config);
    if config.connected_accounts.as_ref().is_some_and(|pins| pins.contains_key(slug)) {
        let message = format!(
            "Session {} pins an account of toolkit `{slug}`, so it cannot link another one.",
            session.id
        );
        return Err(Error::new(ErrorKind::InvalidSession, message));
    }
    if let Some(id) = config.auth_configs.as_ref().and_then(|configs| configs.get(slug)) {
        return gateway.auth_configs.usable(id).await;
    }
    if let Some(config) = gateway.auth_configs.newest_custom(slug).await? {
        return Ok(config);
    }
    if toolkit.schemes().all(|scheme| Scheme::of(scheme).obtained == Obtained::NotNeeded) {
        return Err(needs_none(slug));
    }
    match toolkit.link_scheme() {
        Some(scheme) => gateway.auth_configs.default_for(toolkit, scheme).await,
        None => Err(gateway.auth_configs.needs_client(toolkit)),
    }
}

fn needs_none(toolkit: &str) -> Error {
    Error::new(
        ErrorKind::ToolkitNeedsNoAuth,
        format!("Toolkit `{toolkit}` needs no account; call it directly."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_has_just_expired_is_processed_at_once() {
        let longest = Duration::from_secs(60);
        for (next, pause) in [
            (Some(999), Duration::ZERO),
            (Some(1_000), Duration::ZERO),
            (Some(1_001), Duration::from_millis(1)),
            (Some(i64::MAX), longest),
            (None, longest),
        ] {
            assert_eq!(pause_until(next, 1_000, longest), pause, "{next:?}");
        }
    }
}
