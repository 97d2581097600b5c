//! Auth configs: how the accounts of a toolkit are connected.

use async_trait::async_trait;
use proxy_execute_protocol::{AuthConfigStatus, AuthConfigType, AuthScheme, Result};

use crate::{PageAsked, Rows};

/// An auth config. Its credentials are sealed.
#[derive(Debug, Clone)]
pub struct StoredAuthConfig {
    /// `ac_…`
    pub id: String,
    /// The toolkit's slug.
    pub toolkit: String,
    /// The display name.
    pub name: String,
    /// Whether an operator or an import created the auth config.
    pub kind: AuthConfigType,
    /// How the accounts of the auth config sign requests.
    pub auth_scheme: AuthScheme,
    /// Whether its accounts may be used.
    pub status: AuthConfigStatus,
    /// The credentials, sealed.
    pub credentials: Vec<u8>,
    /// The key that sealed them.
    pub key_id: String,
    /// Whether an OAuth client is among the credentials.
    pub has_client: bool,
    /// Settings that the gateway keeps and echoes, as JSON.
    pub settings: String,
    /// When the auth config was created.
    pub created_at: i64,
    /// When the auth config was last changed.
    pub updated_at: i64,
    /// Increases with every row, so that rows of the same millisecond have an order. The store sets it.
    pub seq: i64,
    /// The number of accounts of the auth config. The store counts them.
    pub accounts: i64,
}

/// A change of an auth config. `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct AuthConfigChange {
    /// The display name.
    pub name: Option<String>,
    /// Whether its accounts may be used.
    pub status: Option<AuthConfigStatus>,
    /// The credentials.
    pub credentials: Option<SealedClient>,
    /// Settings by name, as JSON. Each replaces the setting of the same name.
    pub settings: Vec<(&'static str, String)>,
}

/// The credentials of an auth config in the form in which the store keeps them.
#[derive(Debug, Clone)]
pub struct SealedClient {
    /// The credentials, sealed.
    pub sealed: Vec<u8>,
    /// The key that sealed them.
    pub key_id: String,
    /// Whether an OAuth client is among them.
    pub has_client: bool,
}

/// Which auth configs to list, newest first.
#[derive(Debug, Default)]
pub struct AuthConfigFilter {
    /// Only auth configs of this toolkit.
    pub toolkit: Option<String>,
    /// A part of the name.
    pub search: Option<String>,
    /// Whether the list includes disabled auth configs.
    pub with_disabled: bool,
    /// Whether the list leaves out auth configs that imports create.
    pub only_custom: bool,
    /// The page to read.
    pub page: PageAsked,
}

/// The auth configs of a store.
#[async_trait]
pub trait AuthConfigs: Send + Sync {
    /// Adds an auth config.
    async fn insert_auth_config(&self, config: &StoredAuthConfig) -> Result<()>;

    /// Returns the toolkit's default auth config for this scheme. Adds `config` if the toolkit has none yet.
    async fn default_auth_config(&self, config: StoredAuthConfig) -> Result<StoredAuthConfig>;

    /// Reads an auth config.
    async fn auth_config(&self, id: &str) -> Result<Option<StoredAuthConfig>>;

    /// Lists auth configs.
    async fn auth_configs(&self, filter: &AuthConfigFilter) -> Result<Rows<StoredAuthConfig>>;

    /// Changes an auth config. Returns false if no auth config has this id.
    async fn update_auth_config(&self, id: &str, change: &AuthConfigChange) -> Result<bool>;

    /// Deletes an auth config with its accounts. Returns false if no auth config has this id.
    async fn delete_auth_config(&self, id: &str) -> Result<bool>;
}
