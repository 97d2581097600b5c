//! Links: pages on which a user finishes connecting an account.

use async_trait::async_trait;
use proxy_execute_protocol::Result;

use crate::AccountChange;
use crate::clock::STEP;

/// How long a link is kept after its end, in milliseconds. Until then its page can explain the outcome.
pub(crate) const LINK_REMEMBERED: i64 = 24 * 60 * 60 * 1_000;

/// The latest time at which a valid link can end.
///
/// A clock that was ahead created any link that ends later, and such a link counts as ended. Gateways on one
/// store may use different link lifetimes, so a lifetime of one day is always accepted.
pub fn latest_link_end(at: i64, lifetime: i64) -> i64 {
    at.saturating_add(lifetime.max(24 * 60 * 60 * 1_000)).saturating_add(STEP)
}

/// A link to a page.
#[derive(Debug, Clone)]
pub struct StoredLink {
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// The account that the link connects.
    pub account_id: String,
    /// Where the browser is sent afterwards, sealed: it may be the page of another link.
    pub callback_url: Option<Vec<u8>>,
    /// Scopes to request in addition to those of the auth config, as a JSON list.
    pub scopes: String,
    /// SHA-256 of the cookie of the browser that began. The link refuses any other browser.
    pub browser_hash: Option<Vec<u8>>,
    /// The PKCE verifier that belongs to the pending OAuth state, sealed.
    pub verifier: Option<Vec<u8>>,
    /// The fields that the account gets when the provider returns that state, sealed.
    pub given: Option<Vec<u8>>,
    /// The key that sealed these fields; `None` if an earlier version of the gateway did not note it.
    pub key_id: Option<String>,
    /// When the link ends.
    pub expires_at: i64,
    /// When the link was used, even if that did not connect the account.
    pub finished_at: Option<i64>,
}

/// The data of a browser that begins with a link.
#[derive(Debug)]
pub struct LinkStart {
    /// SHA-256 of the browser's cookie.
    pub browser_hash: Vec<u8>,
    /// The OAuth state, if the browser is redirected to a provider.
    pub state: Option<LinkState>,
}

/// The outcome of using a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnd {
    /// The link was used now.
    Finished,
    /// The link was used before or has ended.
    Used,
    /// The account has another credential than the change was made for, or a refresh of it is in flight.
    AccountChanged,
}

/// The data of a pending OAuth state.
#[derive(Debug)]
pub struct LinkState {
    /// SHA-256 of the state.
    pub hash: Vec<u8>,
    /// The PKCE verifier, sealed.
    pub verifier: Vec<u8>,
    /// The fields that were given beforehand, sealed.
    pub given: Vec<u8>,
    /// The callback URL of the link, sealed again, because all fields of a link have one key.
    pub callback_url: Option<Vec<u8>>,
    /// The key that sealed these fields.
    pub key_id: String,
}

/// The links of a store.
#[async_trait]
pub trait Links: Send + Sync {
    /// Adds a link, and deletes the account's unused links. Returns false if the account does not exist.
    async fn insert_link(&self, link: &StoredLink) -> Result<bool>;

    /// Reads a link.
    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>>;

    /// Finds the link with this pending OAuth state.
    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>>;

    /// Binds a link to the browser that begins, replaces its earlier state, and makes its account INITIATED.
    ///
    /// Returns false if the link was used or belongs to another browser.
    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool>;

    /// Takes the pending state, so that it is used only once. Returns false if it was used meanwhile.
    async fn take_state(&self, state_hash: &[u8]) -> Result<bool>;

    /// Marks a link as used and changes its account, in one transaction.
    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<LinkEnd>;

    /// Ends the unused links of an account.
    async fn end_links(&self, account_id: &str) -> Result<()>;

    /// Returns when the next unused link after `at` ends.
    async fn next_link_expiry(&self, at: i64) -> Result<Option<i64>>;

    /// Expires accounts whose links have ended unused by the time `at`, and accounts without an unused link
    /// that were begun a `lifetime` ago.
    ///
    /// Deletes links that ended a day ago. Returns the ids of the expired accounts.
    async fn expire_links(&self, reason: &str, at: i64, lifetime: i64) -> Result<Vec<String>>;
}
