//! What the gateway remembers: sessions, connected accounts, API keys and the record of calls.
//!
//! The store knows nothing of what it keeps: secrets reach it sealed. All times are milliseconds
//! since the Unix epoch.

mod cache;
pub mod clock;
mod sqlite;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{Result, SessionConfig};

use crate::clock::STEP;

pub use self::sqlite::{KeyCheck, SqliteStore};

/// How long a holder has the lease of a refresh: longer than a token request may take, and some time to
/// store its response.
pub const LEASE: Duration = Duration::from_secs(30);

/// A lease that ends further ahead than this, in milliseconds, is none: the clock was set back since.
const LONGEST_LEASE: i64 = LEASE.as_millis() as i64 + STEP;

/// The longest pause after a failed refresh, in milliseconds. A provider may ask for as much: one wrong header
/// does not put accounts out of use for days.
pub const LONGEST_PAUSE: i64 = 60 * 60 * 1_000;

/// How long a link is kept after its end, in milliseconds, so that its page can say what became of it.
const LINK_REMEMBERED: i64 = 24 * 60 * 60 * 1_000;

/// The latest moment at which a link can end. One that ends later was made by a clock that was ahead, and has
/// ended. Gateways on one store may give their links different lifetimes, so a day is always believed.
pub fn latest_link_end(at: i64, lifetime: i64) -> i64 {
    at.saturating_add(lifetime.max(24 * 60 * 60 * 1_000)).saturating_add(STEP)
}

/// A session.
#[derive(Debug, Clone)]
pub struct StoredSession {
    pub id: String,
    pub user_id: String,
    pub config: SessionConfig,
    /// Raised by one with every change.
    pub version: i64,
}

/// An auth config with its credentials sealed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredAuthConfig {
    pub id: String,
    pub toolkit: String,
    pub name: String,
    /// `custom` or `default`.
    #[sqlx(rename = "type")]
    pub kind: String,
    pub auth_scheme: String,
    /// `ENABLED` or `DISABLED`.
    pub status: String,
    pub credentials: Vec<u8>,
    pub key_id: String,
    /// Whether an OAuth client is among the credentials.
    pub has_client: bool,
    /// What is kept and echoed only, as JSON.
    pub settings: String,
    pub created_at: i64,
    pub updated_at: i64,
    /// Rises with every row, so that those of one millisecond have an order; the store gives it.
    pub seq: i64,
}

/// What may be changed of an auth config. `None` leaves it.
#[derive(Debug, Default)]
pub struct AuthConfigChange {
    pub name: Option<String>,
    pub status: Option<String>,
    pub credentials: Option<SealedClient>,
    /// Settings by name, as JSON, in the place of those of the same name.
    pub settings: Vec<(&'static str, String)>,
}

/// The credentials of an auth config as the store keeps them.
#[derive(Debug)]
pub struct SealedClient {
    pub sealed: Vec<u8>,
    /// The key that sealed them.
    pub key_id: String,
    /// Whether an OAuth client is among them.
    pub has_client: bool,
}

/// Which auth configs to list, newest first.
#[derive(Debug, Default)]
pub struct AuthConfigFilter {
    pub toolkit: Option<String>,
    /// A part of the name.
    pub search: Option<String>,
    pub with_disabled: bool,
    /// Without those that imports make.
    pub only_custom: bool,
    pub page: PageAsked,
}

/// A connected account with its credential sealed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredAccount {
    pub id: String,
    pub user_id: String,
    pub toolkit: String,
    pub auth_config_id: String,
    pub alias: Option<String>,
    pub word_id: String,
    pub auth_scheme: String,
    /// What the account shows: `INACTIVE` while it is disabled.
    pub status: String,
    pub status_reason: Option<String>,
    pub is_disabled: bool,
    #[sqlx(flatten)]
    pub credential: SealedCredential,
    /// Raised by one with each credential that takes the place of another.
    pub credential_version: i64,
    /// When the credential was given or renewed.
    pub credential_at: i64,
    /// The same, if it was renewed.
    pub refreshed_at: Option<i64>,
    /// How many refreshes have failed in a row, before when no other is tried, and why the latest failed.
    pub failures: u32,
    pub retry_at: Option<i64>,
    pub problem: Option<String>,
    /// How many of the latest refreshes in a row were refused in unknown words.
    pub refusals: u32,
    pub created_at: i64,
    pub updated_at: i64,
    /// Rises with every row, so that those of one millisecond have an order; the store gives it.
    pub seq: i64,
    /// Whether its auth config is disabled, and with it every account that it has.
    pub config_is_disabled: bool,
    /// Whether its auth config has an OAuth client.
    pub config_has_client: bool,
}

impl StoredAccount {
    /// Whether the account has no working credential, so that nothing is lost when connecting it fails.
    pub fn is_to_be_connected(&self) -> bool {
        !matches!(self.status.as_str(), "ACTIVE" | "INACTIVE")
    }

    /// When the pause after a failed refresh ends. A time too far ahead is no pause: the clock was set back since.
    pub fn paused_until(&self, at: i64) -> Option<i64> {
        self.retry_at.filter(|until| (at + 1..=at + LONGEST_PAUSE + STEP).contains(until))
    }
}

/// What came of a new account.
#[derive(Debug, PartialEq, Eq)]
pub enum Insertion {
    Done,
    /// The user has another account of this word id.
    WordIdTaken,
    /// The auth config is not there any more.
    NoAuthConfig,
}

/// A credential as the store keeps it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SealedCredential {
    #[sqlx(rename = "credential")]
    pub sealed: Vec<u8>,
    /// The key that sealed it.
    pub key_id: String,
    /// When the access token expires, if that is known.
    pub expires_at: Option<i64>,
    /// Whether it has what renews it, such as a refresh token.
    pub renewable: bool,
}

/// What came of a refresh.
#[derive(Debug)]
pub enum RefreshEnd {
    /// A new credential.
    Renewed(SealedCredential),
    /// No credential, and there will be none: the account is EXPIRED, with this reason.
    Refused(String),
    /// No credential, but there may be one later.
    Failed {
        problem: String,
        retry_at: i64,
        /// Whether the refresh token may be spent all the same.
        may_be_done: bool,
        /// How many in a row were refused in unknown words by now.
        refusals: u32,
    },
}

/// Which accounts to list. An empty list does not restrict.
#[derive(Debug, Default)]
pub struct AccountFilter {
    pub ids: Vec<String>,
    pub user_ids: Vec<String>,
    pub toolkits: Vec<String>,
    pub statuses: Vec<String>,
    pub auth_config_ids: Vec<String>,
    pub by_change: bool,
    pub oldest_first: bool,
    pub page: PageAsked,
}

/// A page of a list.
#[derive(Debug, Default)]
pub struct PageAsked {
    /// Time and number of the row that the last page ended with.
    pub after: Option<(i64, i64)>,
    pub limit: u32,
}

/// A page of rows, and how many there are in all.
#[derive(Debug)]
pub struct Rows<T> {
    pub rows: Vec<T>,
    pub total: i64,
}

/// What may be changed of an account. `None` leaves it.
#[derive(Debug, Default)]
pub struct AccountChange {
    /// `Some(None)` removes it.
    pub alias: Option<Option<String>>,
    /// A credential that takes the place of the stored one, and ends a refresh of that.
    pub credential: Option<SealedCredential>,
    /// Only if the stored credential has this version still, and no refresh of it is under way:
    /// for a credential that is made of the stored one.
    pub of_version: Option<i64>,
    /// A status with its reason.
    pub status: Option<(String, Option<String>)>,
    /// Whether it is connected by this: of several accounts, calls use the one that was last.
    pub is_connection: bool,
    pub is_disabled: Option<bool>,
}

/// A link that was given out.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredLink {
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    pub account_id: String,
    pub callback_url: Option<String>,
    /// Asked for beside those of the auth config, as a JSON list.
    pub scopes: String,
    /// SHA-256 of the cookie of the browser that began; no other may go on.
    pub browser_hash: Option<Vec<u8>>,
    /// The PKCE verifier that belongs to the OAuth state that is out, sealed.
    pub verifier: Option<Vec<u8>>,
    /// What the account is to have when that state comes back, sealed. It has it no sooner.
    pub given: Option<Vec<u8>>,
    pub expires_at: i64,
    /// When its one use was made, whatever came of it.
    pub finished_at: Option<i64>,
}

/// What a browser begins with a link.
#[derive(Debug)]
pub struct LinkStart {
    pub browser_hash: Vec<u8>,
    /// The OAuth state, where the browser is sent on to a provider.
    pub state: Option<LinkState>,
}

/// Whether a link's one use was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnd {
    Finished,
    /// It was used meanwhile, or ended.
    Used,
    /// The account has another credential than the change was made for, or is being refreshed.
    AccountChanged,
}

/// What belongs to an OAuth state that is out.
#[derive(Debug)]
pub struct LinkState {
    pub hash: Vec<u8>,
    /// Sealed.
    pub verifier: Vec<u8>,
    /// What was given beforehand, sealed.
    pub given: Vec<u8>,
}

/// An API key, without the key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredKey {
    pub id: String,
    pub name: Option<String>,
    /// SHA-256 of the key.
    pub hash: Vec<u8>,
    /// Area to level, as JSON; all when `None`.
    pub permissions: Option<String>,
    /// Networks it may be used from, as JSON; all when `None`.
    pub allowed_addresses: Option<String>,
    pub expires_at: Option<i64>,
    pub created_at: i64,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

/// What is remembered of a call: never a query, a header or a body.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct CallRecord {
    pub at: i64,
    pub user_id: Option<String>,
    pub session_id: Option<String>,
    pub toolkit: Option<String>,
    pub account_id: Option<String>,
    pub method: String,
    pub host: Option<String>,
    pub path: Option<String>,
    /// `answered`, `cancelled`, or the slug of the error.
    pub outcome: String,
    /// The upstream's.
    pub status: Option<i64>,
    /// Of the answer's body.
    pub bytes: i64,
    pub duration_us: i64,
}

/// A place to remember things in.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    async fn insert_session(&self, session: &StoredSession) -> Result<()>;
    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>>;
    /// Replaces the configuration if the version is still `session.version`, and raises that.
    /// False when another change came first.
    async fn update_session(&self, session: &StoredSession) -> Result<bool>;
    /// False when there was none.
    async fn delete_session(&self, id: &str) -> Result<bool>;

    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()>;
    /// The toolkit's default auth config for this scheme; `config`, if there is none yet.
    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig>;
    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>>;
    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>>;
    /// False when there is none.
    async fn update_auth_config(&self, id: &str, change: &AuthConfigChange) -> Result<bool>;
    /// Deletes an auth config with its accounts. False when there was none.
    async fn delete_auth_config(&self, id: &str) -> Result<bool>;
    /// How many accounts an auth config has.
    async fn count_accounts(&self, auth_config_id: &str) -> Result<i64>;

    /// `Conflict` when another account has the alias.
    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion>;
    async fn account(&self, id: &str) -> Result<Option<StoredAccount>>;
    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>>;
    /// The user's most recently connected account of the toolkit (and auth config, if one is given)
    /// that is active, enabled and not expired, or can be renewed; else the most recent one of any state, so that it
    /// can be said what is wrong with it.
    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>>;
    /// The account that a call names. What another process wrote in the last 100 ms may be
    /// missing, as in all that calls look up.
    async fn named_account_for_call(&self, id: &str) -> Result<Option<Arc<StoredAccount>>>;
    /// For each of the user's toolkits, the account that a call would use.
    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>>;
    /// The user's account of the toolkit that goes by this id, alias or word id.
    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>>;
    /// False when there is none (of that version); `Conflict` when another account has the alias.
    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool>;
    /// False when there was none.
    async fn delete_account(&self, id: &str) -> Result<bool>;

    /// Begins the refresh of an account, if it is as it was `seen` and nobody else refreshes it: in
    /// one step takes the lease, and notes durably that what renews it is about to be spent.
    ///
    /// Answers how often that was spent before without a known outcome, or `None` when the lease
    /// was not to be had.
    async fn begin_refresh(&self, seen: &StoredAccount, holder: &str, lease: Duration)
    -> Result<Option<i64>>;
    /// Notes durably what came of a refresh, and lets go of the lease. False when the holder has lost
    /// the lease, or the credential has another version: then nothing is changed.
    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool>;
    /// Active accounts that can be renewed, have not been since `before`, and may be now; longest idle
    /// first, those that come `after` the `credential_at` and `seq` of another.
    async fn idle_accounts(
        &self,
        before: i64,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>>;

    /// Keeps a link, in the place of those of the account that were not used. False when there is no
    /// such account.
    async fn insert_link(&self, link: &StoredLink) -> Result<bool>;
    async fn link(&self, token_hash: &[u8]) -> Result<Option<StoredLink>>;
    async fn link_of_state(&self, state_hash: &[u8]) -> Result<Option<StoredLink>>;
    /// Binds a link to the browser that begins, with a state in the place of an earlier one, and
    /// makes its account INITIATED. False when the link was used, or is another browser's.
    async fn start_link(&self, link: &StoredLink, start: &LinkStart) -> Result<bool>;
    /// Takes the state that is out, so that it is used once. False when it was used meanwhile.
    async fn take_state(&self, state_hash: &[u8]) -> Result<bool>;
    /// Uses a link up and changes its account, both or neither.
    async fn finish_link(&self, link: &StoredLink, change: &AccountChange) -> Result<LinkEnd>;
    /// Ends the links of an account that nobody has used.
    async fn end_links(&self, account_id: &str) -> Result<()>;
    /// When the next of the links ends that nobody used and that have not ended `at` this moment.
    async fn next_link_expiry(&self, at: i64) -> Result<Option<i64>>;
    /// Makes accounts EXPIRED that were begun with links that have ended unused `at` this moment, or a `lifetime`
    /// ago and have none, and deletes links that ended a day ago. Returns the accounts.
    async fn expire_links(&self, reason: &str, at: i64, lifetime: i64) -> Result<Vec<String>>;

    async fn insert_key(&self, key: &StoredKey) -> Result<()>;
    async fn key_by_hash(&self, hash: &[u8]) -> Result<Option<Arc<StoredKey>>>;
    async fn keys(&self) -> Result<Vec<StoredKey>>;
    async fn touch_key(&self, key: &StoredKey) -> Result<()>;
    /// False when there is none that is not yet revoked.
    async fn revoke_key(&self, id: &str) -> Result<bool>;

    /// Remembers calls, and forgets the oldest beyond the limit that the store was opened with.
    async fn insert_calls(&self, calls: Vec<CallRecord>) -> Result<()>;
    /// The newest calls first.
    async fn calls(&self, limit: u32) -> Result<Vec<CallRecord>>;

    /// Waits for what is under way and lets go of the database.
    async fn close(&self);
}
