//! Connected accounts: a user's credential for a toolkit, and its refreshes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{AccountStatus, AccountType, AuthScheme, GivenAcl, Result};

use crate::clock::STEP;
use crate::{PageAsked, Rows};

/// The lifetime of a refresh lease. It exceeds the longest token request by the time that storing the
/// response takes.
pub const LEASE: Duration = Duration::from_secs(30);

/// The store ignores a lease that ends later than this, in milliseconds: the clock was set back after the
/// lease was taken.
pub(crate) const LONGEST_LEASE: i64 = LEASE.as_millis() as i64 + STEP;

/// Upper limit for the pause after a failed refresh, in milliseconds.
///
/// A provider may ask for a longer pause, but one wrong header must not disable accounts for days.
pub const LONGEST_PAUSE: i64 = 60 * 60 * 1_000;

/// A connected account. Its credential is sealed.
#[derive(Debug, Clone)]
pub struct StoredAccount {
    /// `ca_…`
    pub id: String,
    /// The caller's own id of the user.
    pub user_id: String,
    /// The toolkit's slug.
    pub toolkit: String,
    /// The auth config that the account was connected with.
    pub auth_config_id: String,
    /// The name that the caller gave the account.
    pub alias: Option<String>,
    /// The name that the gateway generated for the account.
    pub word_id: String,
    /// How the account signs requests.
    pub auth_scheme: AuthScheme,
    /// The status that callers see: `INACTIVE` while the account is disabled.
    pub status: AccountStatus,
    /// The reason for the status, if the status needs one.
    pub status_reason: Option<String>,
    /// Whether it may not be used for now.
    pub is_disabled: bool,
    /// Whether other users than its own may use it. It never changes.
    pub account_type: AccountType,
    /// Whether calls use it that name no account.
    pub is_default: bool,
    /// Which other users may use it, if it is SHARED.
    pub acl: StoredAcl,
    /// Its credential.
    pub credential: SealedCredential,
    /// Increases by one with each credential that replaces another.
    pub credential_version: i64,
    /// When the credential was given or refreshed.
    pub credential_at: i64,
    /// When the credential was refreshed; `None` if it was given.
    pub refreshed_at: Option<i64>,
    /// The number of failed refreshes in a row.
    pub failures: u32,
    /// When the pause after a failed refresh ends.
    pub retry_at: Option<i64>,
    /// Why the latest refresh failed.
    pub problem: Option<String>,
    /// How many of the latest refreshes in a row were refused in words that the gateway does not know.
    pub refusals: u32,
    /// When the account was created.
    pub created_at: i64,
    /// When the account was last changed.
    pub updated_at: i64,
    /// Increases with every row, so that rows of the same millisecond have an order. The store sets it.
    pub seq: i64,
    /// Whether the account's auth config is disabled, which disables all accounts of the auth config.
    pub config_is_disabled: bool,
    /// Whether the account's auth config has an OAuth client.
    pub config_has_client: bool,
}

impl StoredAccount {
    /// Whether the account has no working credential. A failed connection attempt then loses nothing.
    pub fn is_to_be_connected(&self) -> bool {
        !matches!(self.status, AccountStatus::Active | AccountStatus::Inactive)
    }

    /// Returns when the pause after a failed refresh ends. A time too far ahead is no pause: the clock was
    /// set back after the failure.
    pub fn paused_until(&self, at: i64) -> Option<i64> {
        self.retry_at.filter(|until| (at + 1..=at + LONGEST_PAUSE + STEP).contains(until))
    }
}

/// The other users that may use a SHARED account.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StoredAcl {
    /// Whether all may.
    pub allow_all_users: bool,
    /// Those that may.
    pub allowed_user_ids: UserIds,
    /// Those that may not, whatever the other parts say.
    pub not_allowed_user_ids: UserIds,
}

/// A list of user ids, which the store keeps as JSON.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UserIds(pub Vec<String>);

impl TryFrom<String> for UserIds {
    type Error = serde_json::Error;

    fn try_from(json: String) -> Result<Self, Self::Error> {
        serde_json::from_str(&json).map(Self)
    }
}

/// The outcome of adding an account.
#[derive(Debug, PartialEq, Eq)]
pub enum Insertion {
    /// The account was added.
    Done,
    /// The user has another account with this word id.
    WordIdTaken,
    /// The auth config was deleted.
    NoAuthConfig,
}

/// A credential in the form in which the store keeps it.
#[derive(Debug, Clone)]
pub struct SealedCredential {
    /// The credential, sealed.
    pub sealed: Vec<u8>,
    /// The key that sealed it.
    pub key_id: String,
    /// When the access token expires; `None` if the expiry is unknown.
    pub expires_at: Option<i64>,
    /// Whether the credential can be refreshed, for example with a refresh token.
    pub renewable: bool,
}

/// The outcome of a refresh.
#[derive(Debug, Clone)]
pub enum RefreshEnd {
    /// A new credential.
    Renewed(SealedCredential),
    /// The provider refused permanently. The account becomes EXPIRED with this reason.
    Refused(String),
    /// The refresh failed, and a later one may succeed.
    Failed {
        /// Why it failed.
        problem: String,
        /// When the pause before the next refresh ends.
        retry_at: i64,
        /// Whether the provider may have spent the refresh token although the refresh failed.
        may_be_done: bool,
        /// How many refreshes in a row were refused in words that the gateway does not know, this one
        /// included.
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
    /// Only accounts of this type.
    pub account_type: Option<AccountType>,
    /// Whether the list is sorted by the last change instead of the creation.
    pub by_change: bool,
    /// Whether the oldest accounts come first.
    pub oldest_first: bool,
    /// The page to read.
    pub page: PageAsked,
}

/// A change of an account. `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// `Some(None)` removes the alias.
    pub alias: Option<Option<String>>,
    /// A credential that replaces the stored one. It ends a refresh of the stored one.
    pub credential: Option<SealedCredential>,
    /// Changes the account only if its credential has this version and no refresh of it is in flight.
    ///
    /// A change whose credential derives from the stored one needs this.
    pub of_version: Option<i64>,
    /// The new status with its reason.
    pub status: Option<(AccountStatus, Option<String>)>,
    /// Whether the change connects the account. Calls use the account connected last.
    pub is_connection: bool,
    /// Whether it may not be used for now.
    pub is_disabled: Option<bool>,
    /// The parts of its ACL that change.
    pub acl: GivenAcl,
}

/// The connected accounts of a store.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Adds an account. `Conflict` if another account has the alias.
    async fn insert_account(&self, account: &StoredAccount) -> Result<Insertion>;

    /// Reads an account.
    async fn account(&self, id: &str) -> Result<Option<StoredAccount>>;

    /// Lists accounts.
    async fn accounts(&self, filter: &AccountFilter) -> Result<Rows<StoredAccount>>;

    /// Finds the account that a call of the user uses for the toolkit, and for the auth config if one is
    /// given.
    ///
    /// It is the PRIVATE account connected last that is active, enabled, and either unexpired or refreshable.
    /// If no account is, the latest one in any state is returned, so that an error can name the problem.
    async fn account_for_call(
        &self,
        user_id: &str,
        toolkit: &str,
        auth_config_id: Option<&str>,
    ) -> Result<Option<Arc<StoredAccount>>>;

    /// Finds the account that a call names. Like every lookup for a call, it may miss what another process
    /// wrote in the last 100 ms.
    async fn named_account_for_call(&self, id: &str) -> Result<Option<Arc<StoredAccount>>> {
        Ok(self.account(id).await?.map(Arc::new))
    }

    /// Finds the account that a call uses that names none.
    async fn default_account(&self) -> Result<Option<Arc<StoredAccount>>>;

    /// Makes an account the default account instead of any other, or makes it no longer the default account. Returns
    /// false if no account has this id.
    async fn set_default_account(&self, id: &str, is_default: bool) -> Result<bool>;

    /// Finds the account that a call would use, for each of the user's toolkits.
    async fn accounts_for_calls(&self, user_id: &str) -> Result<Vec<StoredAccount>>;

    /// Finds the user's account of the toolkit with this id, alias or word id.
    async fn account_by_name(
        &self,
        user_id: &str,
        toolkit: &str,
        name: &str,
    ) -> Result<Option<StoredAccount>>;

    /// Changes an account. Returns false if no account has this id (and version), and `Conflict` if another
    /// account has the alias.
    async fn update_account(&self, id: &str, change: &AccountChange) -> Result<bool>;

    /// Deletes an account. Returns false if no account has this id.
    async fn delete_account(&self, id: &str) -> Result<bool>;

    /// Begins the refresh of an account, if it is unchanged since it was `seen` and no other holder refreshes
    /// it.
    ///
    /// In one step, the store grants the lease and notes durably that the refresh token is about to be spent.
    ///
    /// Returns how many times a refresh token was spent before without a known outcome; `None` if the lease
    /// was not granted.
    async fn begin_refresh(&self, seen: &StoredAccount, holder: &str, lease: Duration)
    -> Result<Option<i64>>;

    /// Stores the outcome of a refresh durably, and ends the lease.
    ///
    /// Returns false and changes nothing if the holder has lost the lease or the credential has another
    /// version.
    async fn end_refresh(&self, seen: &StoredAccount, holder: &str, end: &RefreshEnd) -> Result<bool>;

    /// Lists active, refreshable accounts that were not refreshed since `before` and are not pausing.
    ///
    /// The account idle for longest comes first. The list starts behind `after`, the `credential_at` and
    /// `seq` of an account.
    async fn idle_accounts(
        &self,
        before: i64,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>>;
}
