//! Links: where a user finishes an account that was begun for them.

use async_trait::async_trait;
use proxy_execute_protocol::Result;

use crate::AccountChange;
use crate::clock::STEP;

/// How long a link is kept after its end, in milliseconds, so that its page can say what became of it.
pub(crate) const LINK_REMEMBERED: i64 = 24 * 60 * 60 * 1_000;

/// The latest moment at which a link can end.
///
/// A link that ends later was made by a clock that was ahead, and has ended. Gateways on one store may give their links different lifetimes, so a day is always believed.
pub fn latest_link_end(at: i64, lifetime: i64) -> i64 {
    at.saturating_add(lifetime.max(24 * 60 * 60 * 1_000)).saturating_add(STEP)
}

/// A link that was given out.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredLink {
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// The account that it finishes.
    pub account_id: String,
    /// Where the browser is sent afterwards.
    pub callback_url: Option<String>,
    /// Scopes to ask for beside those of the auth config, as a JSON list.
    pub scopes: String,
    /// SHA-256 of the cookie of the browser that began. No other browser may go on.
    pub browser_hash: Option<Vec<u8>>,
    /// The PKCE verifier that belongs to the pending OAuth state, sealed.
    pub verifier: Option<Vec<u8>>,
    /// What the account gets when that state comes back, sealed.
    pub given: Option<Vec<u8>>,
    /// When it ends.
    pub expires_at: i64,
    /// When it was used, whether that connected the account or not.
    pub finished_at: Option<i64>,
}

/// What a browser begins with a link.
#[derive(Debug)]
pub struct LinkStart {
    /// SHA-256 of the browser's cookie.
    pub browser_hash: Vec<u8>,
    /// The OAuth state, where the browser is sent on to a provider.
    pub state: Option<LinkState>,
}

/// Whether a link was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnd {
    /// The link was used now.
    Finished,
    /// The link was used before, or has ended.
    Used,
    /// The account has another credential than the change was made for, or is being refreshed.
    AccountChanged,
}

/// What belongs to a pending OAuth state.
#[derive(Debug)]
pub struct LinkState {
    /// SHA-256 of the state.
    pub hash: Vec<u8>,
    /// The PKCE verifier, sealed.
    pub verifier: Vec<u8>,
    /// What was given beforehand, sealed.
    pub given: Vec<u8>,
}

/// The links of a store.
#[async_trait]
pub trait Links: Send + Sync {
    /// Adds a link, and deletes the account's links that were not used. False when there is no such account.
    async fn insert_link(&self, link: &StoredLink) -> Result<bool>;

    /// Reads a link.
    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>>;

    /// The link with this pending OAuth state.
    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>>;

    /// Binds a link to the browser that begins, replaces its earlier state, and makes its account INITIATED.
    /// False when the link was used, or is another browser's.
    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool>;

    /// Takes the pending state, so that it is used once. False when it was used meanwhile.
    async fn take_state(&self, state_hash: &[u8]) -> Result<bool>;

    /// Uses a link and changes its account, both or neither.
    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<LinkEnd>;

    /// Ends the unused links of an account.
    async fn end_links(&self, account_id: &str) -> Result<()>;

    /// When the next unused link ends, after `at`.
    async fn next_link_expiry(&self, at: i64) -> Result<Option<i64>>;

    /// Makes accounts EXPIRED whose links have ended unused `at` this moment, or that were begun a `lifetime` ago
    /// and have no link. Deletes links that ended a day ago. Returns the accounts.
    async fn expire_links(&self, reason: &str, at: i64, lifetime: i64) -> Result<Vec<String>>;
}
