//! Connected accounts: a user's credential for a toolkit, and its refreshes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{AccountStatus, AuthScheme, Result};

use crate::clock::STEP;
use crate::{PageAsked, Rows};

/// How long a holder has the lease of a refresh: longer than a token request may take, and some time to
/// store its response.
pub const LEASE: Duration = Duration::from_secs(30);

/// The store ignores a lease that ends further ahead than this, in milliseconds: the clock was set back since.
pub(crate) const LONGEST_LEASE: i64 = LEASE.as_millis() as i64 + STEP;

/// The longest pause after a failed refresh, in milliseconds. A provider may ask for more: one wrong header
/// does not put accounts out of use for days.
pub const LONGEST_PAUSE: i64 = 60 * 60 * 1_000;

/// A connected account with its credential sealed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredAccount {
    /// `ca_…`
    pub id: String,
    /// The caller's own id of the user.
    pub user_id: String,
    /// The toolkit's slug.
    pub toolkit: String,
    /// The auth config that it was connected with.
    pub auth_config_id: String,
    /// The name that the caller gave it.
    pub alias: Option<String>,
    /// The name that the gateway made up for it.
    pub word_id: String,
    /// How it signs requests.
    #[sqlx(try_from = "String")]
    pub auth_scheme: AuthScheme,
    /// What the account shows: `INACTIVE` while it is disabled.
    #[sqlx(try_from = "String")]
    pub status: AccountStatus,
    /// Why it is in this state, where that needs a reason.
    pub status_reason: Option<String>,
    /// Whether it may not be used for now.
    pub is_disabled: bool,
    /// Its credential.
    #[sqlx(flatten)]
    pub credential: SealedCredential,
    /// Raised by one with each credential that replaces another.
    pub credential_version: i64,
    /// When the credential was given or renewed.
    pub credential_at: i64,
    /// The same, if it was renewed.
    pub refreshed_at: Option<i64>,
    /// How many refreshes have failed in a row.
    pub failures: u32,
    /// Before when the gateway does not refresh again after a failure.
    pub retry_at: Option<i64>,
    /// Why the latest refresh failed.
    pub problem: Option<String>,
    /// How many of the latest refreshes in a row were refused in unknown words.
    pub refusals: u32,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// Rises with every row, so that rows of one millisecond have an order. The store sets it.
    pub seq: i64,
    /// Whether its auth config is disabled, and with it every account of the auth config.
    pub config_is_disabled: bool,
    /// Whether its auth config has an OAuth client.
    pub config_has_client: bool,
}

impl StoredAccount {
    /// Whether the account has no working credential, so that nothing is lost when connecting it fails.
    pub fn is_to_be_connected(&self) -> bool {
        !matches!(self.status, AccountStatus::Active | AccountStatus::Inactive)
    }

    /// When the pause after a failed refresh ends. A time too far ahead is no pause: the clock was set back since.
    pub fn paused_until(&self, at: i64) -> Option<i64> {
        self.retry_at.filter(|until| (at + 1..=at + LONGEST_PAUSE + STEP).contains(until))
    }
}

/// What came of a new account.
#[derive(Debug, PartialEq, Eq)]
pub enum Insertion {
    /// The account was added.
    Done,
    /// The user has another account of this word id.
    WordIdTaken,
    /// The auth config was deleted.
    NoAuthConfig,
}

/// A credential as the store keeps it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SealedCredential {
    /// The credential, sealed.
    #[sqlx(rename = "credential")]
    pub sealed: Vec<u8>,
    /// The key that sealed it.
    pub key_id: String,
    /// When the access token expires, if that is known.
    pub expires_at: Option<i64>,
    /// Whether it can be renewed, with a refresh token for example.
    pub renewable: bool,
}

/// What came of a refresh.
#[derive(Debug, Clone)]
pub enum RefreshEnd {
    /// A new credential.
    Renewed(SealedCredential),
    /// The provider refused for good: the account is EXPIRED, with this reason.
    Refused(String),
    /// The refresh failed, and a later one may succeed.
    Failed {
        /// Why it failed.
        problem: String,
        /// Before when the gateway does not refresh again.
        retry_at: i64,
        /// Whether the provider may have spent the refresh token although the refresh failed.
        may_be_done: bool,
        /// How many refreshes in a row were refused in unknown words by now.
        refusals: u32,
    },
}

/// Which accounts to list. An empty list does not restrict.
#[derive(Debug, Default)]
pub struct AccountFilter {
    /// Only these accounts.
    pub ids: Vec<String>,
    /// Only accounts of these users.
    pub user_ids: Vec<String>,
    /// Only accounts of these toolkits.
    pub toolkits: Vec<String>,
    /// Only accounts in these states.
    pub statuses: Vec<AccountStatus>,
    /// Only accounts of these auth configs.
    pub auth_config_ids: Vec<String>,
    /// Whether the list is in the order of the last change, and not of creation.
    pub by_change: bool,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// The page to read.
    pub page: PageAsked,
}

/// What may be changed of an account. `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// `Some(None)` removes it.
    pub alias: Option<Option<String>>,
    /// A credential that replaces the stored one, and ends a refresh of it.
    pub credential: Option<SealedCredential>,
    /// Changes the account only if its credential still has this version and is not being refreshed.
    /// For a credential that is made of the stored one.
    pub of_version: Option<i64>,
    /// A status with its reason.
    pub status: Option<(AccountStatus, Option<String>)>,
    /// Whether the change connects the account: of several accounts, calls use the last connected.
    pub is_connection: bool,
    /// Whether it may not be used for now.
    pub is_disabled: Option<bool>,
}

/// The connected accounts of a store.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Adds an account. `Conflict` when another account has the alias.
    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion>;

    /// Reads an account.
    async fn account(&self, id: &str) -> Result<Option<StoredAccount>>;

    /// Lists accounts.
    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>>;

    /// The user's most recently connected account of the toolkit (and auth config, if one is given)
    /// that is active, enabled, and not expired or renewable. If there is none, the most recent account of
    /// any state, so that an error can say what is wrong with it.
    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>>;

    /// The account that a call names. It may lack what another process wrote in the last 100 ms, like all
    /// lookups of calls.
    async fn named_account_for_call(&self, id: &str) -> Result<Option<Arc<StoredAccount>>> {
        Ok(self.account(id).await?.map(Arc::new))
    }

    /// For each of the user's toolkits, the account that a call would use.
    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>>;

    /// The user's account of the toolkit with this id, alias or word id.
    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>>;

    /// Changes an account. False when there is none (of that version); `Conflict` when another account has
    /// the alias.
    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool>;

    /// Deletes an account. False when there was none.
    async fn delete_account(&self, id: &str) -> Result<bool>;

    /// Begins the refresh of an account if it is as it was `seen` and no other holder refreshes it. In
    /// one step the store grants the lease, and notes durably that the refresh token is about to be spent.
    ///
    /// Returns how often that was spent before without a known outcome, or `None` when the lease was not
    /// granted.
    async fn begin_refresh(&self, seen: &StoredAccount, holder: &str, lease: Duration)
    -> Result<Option<i64>>;

    /// Notes durably what came of a refresh, and ends the lease. False when the holder has lost the lease, or
    /// the credential has another version: then nothing is changed.
    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool>;

    /// Active accounts that can be renewed, were not renewed since `before`, and may be renewed now. The longest
    /// idle come first, `after` the `credential_at` and `seq` of another account.
    async fn idle_accounts(
        &self,
        before: i64,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>>;
}
