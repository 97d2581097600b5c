//! How shapes name a toolkit or an auth config.

use serde::{Deserialize, Serialize};

use crate::AuthScheme;

/// The toolkit of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ToolkitRef {
    /// Its slug.
    pub slug: String,
}

/// An auth config as other responses name it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthConfigRef {
    /// `ac_…`
    pub id: String,
    /// How its accounts sign requests.
    pub auth_scheme: AuthScheme,
    /// Always false in a gateway.
    pub is_composio_managed: bool,
    /// Whether calls with its accounts are refused for now.
    pub is_disabled: bool,
}
