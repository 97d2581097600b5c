//! Keeps credentials alive: a credential that expires is renewed ahead of time, and a refresh token
//! is spent exactly once.
//!
//! - Within a process, one task at a time refreshes an account. Calls that need the new credential wait
//!   for the task. Cancelling a call does not cancel the task.
//! - Across processes, a lease in the store does the same: only its holder refreshes the account. The lease
//!   expires, because its holder may have crashed. The store rejects the late write of a former holder.
//! - The statement that takes the lease also notes that the refresh token is about to be spent. The new
//!   credential is stored durably before any call uses it. After a crash between the two, the old token
//!   is retried once; if the provider refuses it, the user has to authorize again.
//! - The outcome of a refresh is only in the store. Calls that waited for the refresh read it there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proxy_execute_protocol::{AccountStatus, AuthScheme, Error, ErrorKind, Result};
use proxy_execute_store::{LEASE, LONGEST_PAUSE, RefreshEnd, StoredAccount};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Tokens, token_endpoint};
use crate::clock::{STEP, rfc3339};
use crate::credential::fields::merged;
use crate::credential::scheme::{ClientOwner, Scheme};
use crate::id;
use crate::oauth::refusal::{NotGranted, TokenRefusal};
use crate::renewal::{self, Renewal};

/// How long before its expiry a credential is refreshed in the background, in milliseconds.
const MARGIN: i64 = 5 * 60 * 1_000;

/// The margin is at most one fifth of the lifetime. Otherwise, every call would refresh a credential with a
/// lifetime below [`MARGIN`].
const MARGIN_SHARE: i64 = 5;

/// A credential this close to its expiry, in milliseconds, may expire before the API reads it. So calls wait
/// for the next one.
const LAST_MOMENT: i64 = 10 * 1_000;

/// The last moment is at most one twentieth of the lifetime.
const LAST_MOMENT_SHARE: i64 = 20;

/// An account becomes EXPIRED after this many refusals in a row with an unknown error.
///
/// With the pauses between them, the last refusal is at least a quarter of an hour after the first.
const UNKNOWN_REFUSALS: u32 = 6;

/// How long a refresh waits for the lease of another process. It is longer than [`LEASE`], because the other
/// process may have crashed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// The time between two checks whether another process has finished.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// The pause after a failed refresh, in milliseconds. It doubles with every failure in a row.
const FIRST_PAUSE: i64 = 30 * 1_000;

/// Upper limit for the doubled pause, in milliseconds.
///
/// A provider's `Retry-After` may ask for more, up to [`LONGEST_PAUSE`].
const LONGEST_OWN_PAUSE: i64 = 15 * 60 * 1_000;

/// The age, in milliseconds, below which a refreshed credential is not refreshed when an API rejects it.
///
/// The API would reject the next one too.
const FRESH: i64 = 60 * 1_000;

/// How many times the gateway tries to store a failed or refused refresh. New tokens have no such limit.
const STORE_ATTEMPTS: u32 = 5;

/// The longest pause between two attempts to store an outcome.
const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(1);

/// The refreshes in flight in this process, by account and by the version of the credential to replace.
///
/// The [`CancellationToken`] is cancelled when its refresh is over, to wake the calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Refreshes(Mutex<HashMap<(String, i64), CancellationToken>>);

/// Why an account is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A call needs the new credential, or the account was idle for long.
    Needed,
    /// A caller asked for the refresh, which ignores pauses and earlier refusals.
    Asked,
}

impl Tokens {
    /// Returns the account with a credential that a call can use.
    ///
    /// A credential that expires soon is refreshed in the background. If it has expired, or is about to, the
    /// call waits for the refresh.
    ///
    /// # Errors
    /// `TokenRefreshFailed` if the credential has expired and cannot be refreshed now; `AccountUnusable` if
    /// the provider has refused the refresh permanently.
    pub(crate) async fn ready(&self, account: Arc<StoredAccount>) -> Result<Arc<StoredAccount>> {
        if self.has_no_token_yet(&account) {
            return self.renewed(&account, Reason::Needed).await.map(Arc::new);
        }
        let Some(expires_at) =
            account.credential.expires_at.filter(|_| self.accounts.obstacle(&account).is_none())
        else {
            return Ok(account);
        };
        let lifetime = expires_at - account.credential_at;
        let at = self.clock.now();
        let due_in = |longest: i64, share: i64| expires_at - longest.min(lifetime / share) - at;
        // After a clock was set back, the rest of the lifetime is unknown.
        let is_set_back = account.credential_at > at + STEP;
        if due_in(MARGIN, MARGIN_SHARE) > 0 && !is_set_back {
            return Ok(account);
        }
        if due_in(LAST_MOMENT, LAST_MOMENT_SHARE) > 0 {
            if !self.is_pausing(&account) {
                self.begin(&account, Reason::Needed);
            }
            return Ok(account);
        }
        match self.renewed(&account, Reason::Needed).await {
            Err(_) if expires_at > self.clock.now() => Ok(account),
            result => result.map(Arc::new),
        }
    }

    /// Returns the account with a newer credential than the one that an API rejected; `None` if it cannot be
    /// refreshed.
    pub(crate) async fn instead_of(&self, rejected: &StoredAccount) -> Option<StoredAccount> {
        let at = self.clock.now();
        let is_fresh = rejected.refreshed_at.is_some_and(|since| (at - FRESH..=at + STEP).contains(&since));
        if is_fresh || self.accounts.obstacle(rejected).is_some() {
            return None;
        }
        match self.renewed(rejected, Reason::Needed).await {
            Ok(account) => Some(account),
            Err(error) => {
                tracing::debug!(account = rejected.id, %error, "a rejected credential could not be renewed");
                None
            }
        }
    }

    /// Returns the account with a newer credential than the one in `seen`.
    ///
    /// # Errors
    /// `TokenRefreshFailed`; `AccountUnusable` or `AccountNotFound` if the account has changed meanwhile.
    pub(crate) async fn renewed(&self, seen: &StoredAccount, reason: Reason) -> Result<StoredAccount> {
        self.begin(seen, reason).cancelled().await;
        let latest = self.accounts.by_id(&seen.id).await?;
        if latest.credential_version > seen.credential_version {
            Ok(latest)
        } else {
            Err(self.failed(&latest))
        }
    }

    /// Keeps an account from being refreshed while its tokens are revoked, and returns the account.
    ///
    /// The method waits for a refresh in flight, and takes the lease. Otherwise, the refresh could store a
    /// new token after the old one was revoked. After [`PATIENCE`], the method returns the account without
    /// the lease, so that the revocation is not held up any longer.
    pub(crate) async fn hold_off(&self, id: &str) -> Result<StoredAccount> {
        let holder = id::random("revocation");
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            let account = self.accounts.find(id).await?;
            let is_held = !account.credential.renewable
                || self.store.begin_refresh(&account, &holder, LEASE).await?.is_some();
            if is_held || Instant::now() > give_up_at {
                return Ok(account);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether an account has a secret that is exchanged for access tokens, and has no access token yet.
    fn has_no_token_yet(&self, account: &StoredAccount) -> bool {
        let exchanges = || {
            self.catalogue.get(&account.toolkit).is_ok_and(|toolkit| toolkit.exchanges(account.auth_scheme))
        };
        account.refreshed_at.is_none() && account.credential.renewable && exchanges()
    }

    /// Spawns a refresh, or joins the one in flight. The result is cancelled when the refresh is over.
    fn begin(&self, seen: &StoredAccount, reason: Reason) -> CancellationToken {
        let key = (seen.id.clone(), seen.credential_version);
        let mut refreshes = self.refreshes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(over) = refreshes.get(&key) {
            return over.clone();
        }
        let over = CancellationToken::new();
        refreshes.insert(key.clone(), over.clone());
        drop(refreshes);
        let in_flight = InFlight { tokens: self.clone(), key, over: over.clone() };
        let version = seen.credential_version;
        self.lifecycle.spawn(async move {
            let InFlight { tokens, key: (id, _), .. } = &in_flight;
            if let Err(error) = tokens.replace(id, version, reason).await {
                tracing::warn!(account = id, %error, "a refresh has failed");
            }
        });
        over
    }

    /// Replaces the credential of this version, or waits until another process has replaced it.
    async fn replace(&self, id: &str, version: i64, reason: Reason) -> Result<()> {
        let holder = id::random("refresh");
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            // Another process may have refreshed the account already.
            let account = self.accounts.find(id).await?;
            if account.credential_version != version || !self.may_refresh(&account, reason) {
                return Ok(());
            }
            let credential = self.accounts.unseal(&account)?;
            let config = self.auth_configs.find(&account.auth_config_id).await?;
            let (client, settings) = self.auth_configs.credentials(&config)?;
            let toolkit = self.catalogue.get(&account.toolkit)?;
            let renewal =
                renewal::request(toolkit, credential.scheme, &credential.fields, &client, &settings)?;
            // An ended gateway sends no request. A lease taken now would only make the next process wait
            // until the lease expires.
            if self.lifecycle.ended.is_cancelled() {
                return Ok(());
            }
            if let Some(unanswered) = self.store.begin_refresh(&account, &holder, LEASE).await? {
                let Some(end) = self.ask(&account, credential.scheme, renewal, unanswered > 0).await? else {
                    return Ok(());
                };
                let outcome = match end {
                    RefreshEnd::Renewed(_) => "renewed",
                    RefreshEnd::Failed { .. } => "failed",
                    RefreshEnd::Refused(_) => "refused",
                };
                self.meter.refreshed(&account.toolkit, outcome);
                return self.keep(&account, &holder, &end).await;
            }
            if Instant::now() > give_up_at {
                return Err(self.failed(&account));
            }
            tokio::select! {
                () = self.lifecycle.ended.cancelled() => return Ok(()),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    fn may_refresh(&self, account: &StoredAccount, reason: Reason) -> bool {
        let is_asked = reason == Reason::Asked;
        let status_fits =
            account.status == AccountStatus::Active || (is_asked && account.status == AccountStatus::Expired);
        status_fits
            && !account.is_disabled
            && !account.config_is_disabled
            && self.accounts.obstacle(account).is_none()
            && (is_asked || !self.is_pausing(account))
    }

    fn is_pausing(&self, account: &StoredAccount) -> bool {
        account.paused_until(self.clock.now()).is_some()
    }

    /// Requests the new credential, which spends the refresh token. The lease must be held.
    ///
    /// Returns `None` if the gateway ends before the response. The store then still notes the token as spent
    /// without a known outcome.
    async fn ask(
        &self,
        account: &StoredAccount,
        scheme: AuthScheme,
        renewal: Renewal<'_>,
        was_unanswered: bool,
    ) -> Result<Option<RefreshEnd>> {
        // `select!` below polls the request first, so that a response that has arrived is never dropped. It
        // would start the request even if the gateway has ended.
        if self.lifecycle.ended.is_cancelled() {
            return Ok(None);
        }
        let asked_at = self.clock.now();
        let answer = tokio::select! {
            biased;
            answer = token_endpoint::ask(&self.egress, renewal.behalf, renewal.rules, renewal.request) => answer,
            () = self.lifecycle.ended.cancelled() => return Ok(None),
        };
        Ok(Some(match answer {
            Ok(granted) => {
                tracing::info!(
                    account = account.id,
                    has_refresh_token = granted.has_refresh_token,
                    "a credential was renewed"
                );
                let val = merged(&self.accounts.val(account)?, &granted.val)?;
                RefreshEnd::Renewed(self.accounts.sealed(&account.id, scheme, &val, asked_at)?)
            }
            Err(NotGranted::Refused { refusal, code, description }) => {
                let told = match description {
                    Some(description) => format!("`{code}`: {description}"),
                    None => format!("`{code}`"),
                };
                // Only a caller's request refreshes an account during the pause. The refusal does not count.
                // Otherwise, a few requests within a minute would expire the account.
                let refusals = account.refusals + u32::from(!self.is_pausing(account));
                if refusal != TokenRefusal::Unknown || refusals >= UNKNOWN_REFUSALS {
                    tracing::warn!(
                        account = account.id,
                        told,
                        was_unanswered,
                        "a refresh was refused permanently"
                    );
                    RefreshEnd::Refused(expired_reason(account, refusal, &told, was_unanswered))
                } else {
                    let retry_at = self.clock.now() + pause_after(account.failures);
                    tracing::warn!(
                        account = account.id,
                        told,
                        refusals,
                        "a refresh was refused with an unknown error"
                    );
                    let problem = format!("the provider refuses it ({told})");
                    RefreshEnd::Failed { problem, retry_at, may_be_done: false, refusals }
                }
            }
            Err(NotGranted::Unavailable { why, may_be_done, retry_after }) => {
                let asked =
                    retry_after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
                let pause = pause_after(account.failures).max(asked.min(LONGEST_PAUSE));
                tracing::warn!(
                    account = account.id,
                    why,
                    may_be_done,
                    pause,
                    "a refresh has failed temporarily"
                );
                RefreshEnd::Failed {
                    problem: why,
                    retry_at: self.clock.now() + pause,
                    may_be_done,
                    refusals: 0,
                }
            }
        }))
    }

    /// Stores the outcome of a refresh, and retries if the store fails, for example on a full disk.
    ///
    /// New tokens that are not stored are lost, and so is the account, because its old refresh token is
    /// spent. So storing tokens is retried until the gateway ends. Other outcomes get [`STORE_ATTEMPTS`].
    async fn keep(&self, account: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<()> {
        for attempt in 1.. {
            match self.store.end_refresh(account, holder, end).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    tracing::warn!(account = account.id, "a refresh came too late, and was dropped");
                    return Ok(());
                }
                Err(error) if attempt >= STORE_ATTEMPTS && !matches!(end, RefreshEnd::Renewed(_)) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(account = account.id, %error, attempt, "the tokens of a refresh could not be stored yet");
                    let pause = tokio::time::sleep(LONGEST_STORE_PAUSE.min(POLL * attempt));
                    if self.lifecycle.ended.run_until_cancelled(pause).await.is_none() {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// The error of a call that needs a newer credential, and cannot get one now.
    fn failed(&self, account: &StoredAccount) -> Error {
        let StoredAccount { id, toolkit, .. } = account;
        let problem = account.problem.as_deref().unwrap_or("it did not finish; the gateway's log says why");
        let error = Error::new(
            ErrorKind::TokenRefreshFailed,
            format!(
                "The access token of connected account {id} (toolkit `{toolkit}`) could not be refreshed: {problem}. \
                 Nothing was sent to the API."
            ),
        );
        match account.paused_until(self.clock.now()) {
            Some(at) => error
                .with_retry_after(Duration::from_millis(
                    (at - self.clock.now()).try_into().unwrap_or_default(),
                ))
                .fix(format!("The next refresh is at {}; call again after that.", rfc3339(at))),
            None => error.fix("Call again."),
        }
    }
}

/// An entry of [`Refreshes`]. The drop removes the entry and wakes the waiting calls, even after a panic.
struct InFlight {
    tokens: Tokens,
    key: (String, i64),
    over: CancellationToken,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.tokens.refreshes.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.over.cancel();
    }
}

/// The pause before the next refresh, in milliseconds. Up to a fifth is added at random, so that not all
/// accounts retry at once.
fn pause_after(failures: u32) -> i64 {
    let pause = LONGEST_OWN_PAUSE.min(FIRST_PAUSE << failures.min(16));
    pause + pause / 5 * i64::from(id::random_byte()) / 255
}

/// Returns the `status_reason` of an account that becomes EXPIRED. `told` is the provider's error.
fn expired_reason(
    account: &StoredAccount,
    refusal: TokenRefusal,
    told: &str,
    was_unanswered: bool,
) -> String {
    let scheme = Scheme::of(account.auth_scheme);
    let why = match refusal {
        _ if scheme.is_exchanged() => format!(
            "the provider does not accept the account's credential ({told}). Correct it there or here, then \
             refresh the account"
        ),
        TokenRefusal::Client if scheme.client == ClientOwner::AuthConfig => format!(
            "the provider does not accept the client of auth config {} ({told}). Correct its client_id and \
             client_secret, then refresh the account",
            account.auth_config_id
        ),
        TokenRefusal::Client => format!(
            "the provider does not accept the client that was registered for the account ({told}). The user has \
             to authorize again"
        ),
        TokenRefusal::Unknown => format!(
            "the provider has refused {UNKNOWN_REFUSALS} refreshes in a row ({told}). The user has to authorize again, \
             unless the provider can say what to correct; then refresh the account"
        ),
        TokenRefusal::Grant if was_unanswered => format!(
            "the provider does not accept the refresh token ({told}). An earlier refresh was cut off, and may \
             have spent it. The user has to authorize again"
        ),
        TokenRefusal::Grant => {
            format!(
                "the provider does not accept the refresh token ({told}). The user has to authorize again"
            )
        }
    };
    format!("Permanent auth error during token refresh: {why}")
}

/// The error of a call whose refresh took too long.
pub(crate) fn not_in_time(id: &str, timeout: Duration) -> Error {
    let message = format!(
        "The access token of connected account {id} was not refreshed within {timeout:?}. \
         Nothing was sent to the API."
    );
    Error::new(ErrorKind::TokenRefreshFailed, message).fix("The refresh continues; call again.")
}

#[cfg(test)]
mod tests;
