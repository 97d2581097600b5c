//! API keys, as an operator or another key creates and lists them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire_name::wire_name;

/// A key's access to an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Change, or run calls.
    Write,
    /// Both.
    ReadWrite,
}

impl Level {
    /// Whether this level includes another.
    pub fn covers(self, needed: Self) -> bool {
        self == needed || self == Self::ReadWrite
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "read_write",
        }
    }
}

/// A part of the API that a key may have access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the resources")]
pub enum Area {
    ApiKeys,
    AuthConfigs,
    ConnectedAccounts,
    McpServers,
    Observability,
    ProxyExecute,
    Sessions,
    ToolExecution,
    Toolkits,
    Tools,
    Triggers,
    Users,
    Webhooks,
}

wire_name!(Area);

impl Area {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ApiKeys,
        Self::AuthConfigs,
        Self::ConnectedAccounts,
        Self::McpServers,
        Self::Observability,
        Self::ProxyExecute,
        Self::Sessions,
        Self::ToolExecution,
        Self::Toolkits,
        Self::Tools,
        Self::Triggers,
        Self::Users,
        Self::Webhooks,
    ];
}

/// Area to level.
pub type Permissions = BTreeMap<Area, Level>;

/// The request for a key. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CreateApiKey {
    /// A name to tell keys apart.
    pub name: Option<String>,
    /// The key's permissions, fixed at creation; all when absent.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<Area, Level>>))]
    pub permissions: Option<BTreeMap<String, Level>>,
    /// When it ends, as RFC 3339; never when absent.
    pub expires_at: Option<String>,
    /// Networks (`10.0.0.0/8`) or addresses it may be used from; anywhere when absent.
    pub allowed_addresses: Option<Vec<String>>,
}

/// A new key. This type is not `Debug`, because it holds the secret.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_debug_implementations, reason = "it holds the key")]
pub struct NewApiKey {
    /// The key itself, shown this once.
    pub key: String,
    /// Its record.
    #[serde(flatten)]
    pub shown: ApiKey,
}

/// The record of a key, without the secret.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    /// The name given to it.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: Option<String>,
    /// Its permissions; all when null.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub permissions: Option<Permissions>,
    /// Where it may be used from; anywhere when null.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub allowed_addresses: Option<Vec<String>>,
    /// RFC 3339; never when null.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub expires_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339, exact to a minute.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub last_used_at: Option<String>,
    /// RFC 3339; null while it is valid.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub revoked_at: Option<String>,
}

/// The API keys of a gateway.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyList {
    /// The keys, newest first.
    pub items: Vec<ApiKey>,
}

/// The response to the revocation of a key.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokedApiKey {
    /// The id of the key.
    pub id: String,
    /// Always true.
    pub revoked: bool,
}
