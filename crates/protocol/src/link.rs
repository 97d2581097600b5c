//! Links to pages on which users connect accounts.

#![expect(missing_docs, reason = "fields without a comment are named as the wire names them")]

use serde::{Deserialize, Serialize};

use crate::{NewSharing, SecretJson};

/// The request for a link in a session. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkInSession {
    pub toolkit: String,
    pub callback_url: Option<String>,
    pub alias: Option<String>,
    /// Which users may use the account.
    pub experimental: Option<NewSharing>,
}

/// The request for a link with an auth config. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkAccount {
    pub auth_config_id: String,
    pub user_id: String,
    pub callback_url: Option<String>,
    pub alias: Option<String>,
    /// Fields of the credential that are known already. The page does not ask for them.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub connection_data: Option<SecretJson>,
    /// Which users may use the account.
    pub experimental: Option<NewSharing>,
}

/// The request for a link to an existing account. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LinkAgain {
    pub callback_url: Option<String>,
    /// Scopes to ask for beside those of the auth config.
    pub scopes: Vec<String>,
}

/// A link.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Link {
    /// `lt_…`
    pub link_token: String,
    /// The page that finishes the account.
    pub redirect_url: String,
    /// The account. A new one is `INITIALIZING` until then.
    pub connected_account_id: String,
    /// RFC 3339.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
}
