//! Auth configs, as requests and responses name them.

#![expect(missing_docs, reason = "fields without a comment are named as the wire names them")]

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire_name::wire_name;
use crate::{AuthConfigRef, AuthScheme, InputField, SecretJson, ToolkitRef};

/// `default` is the type that imports create.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AuthConfigType {
    Custom,
    Default,
}

wire_name!(AuthConfigType);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum AuthConfigStatus {
    Enabled,
    Disabled,
}

wire_name!(AuthConfigStatus);

/// The request that creates an auth config. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAuthConfig {
    pub toolkit: ToolkitRef,
    pub auth_config: Option<NewAuthConfig>,
}

/// The auth config to create.
// Flat, because credentials keep their own text, which serde cannot pass through a tagged enum.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAuthConfig {
    #[serde(rename = "type")]
    pub kind: NewAuthConfigType,
    /// Needed by `use_custom_auth`.
    #[serde(rename = "authScheme", alias = "auth_scheme")]
    pub auth_scheme: Option<AuthScheme>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub credentials: Option<SecretJson>,
    pub name: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub proxy_config: Option<Value>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub shared_credentials: Option<Map<String, Value>>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub tool_access_config: Option<Value>,
    pub restrict_to_following_tools: Option<Vec<String>>,
    pub is_enabled_for_tool_router: Option<bool>,
}

/// The kind of auth config to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NewAuthConfigType {
    /// With the operator's own client, or for a scheme that needs none.
    UseCustomAuth,
    /// With a client of the vendor's. A gateway has none.
    UseComposioManagedAuth,
}

/// The request that changes an auth config. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateAuthConfig {
    /// `custom` or `default`; it cannot be changed.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = AuthConfigType))]
    pub kind: String,
    /// Fields that are not named stay, null removes one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub credentials: Option<SecretJson>,
    pub name: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub scopes: Option<Value>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub user_scopes: Option<Value>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub proxy_config: Option<Value>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub shared_credentials: Option<Value>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub tool_access_config: Option<Value>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub restrict_to_following_tools: Option<Value>,
    pub is_enabled_for_tool_router: Option<bool>,
}

/// Which auth configs to list.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListAuthConfigs {
    pub toolkit_slug: Option<String>,
    /// A gateway manages none, so `true` lists none.
    pub is_composio_managed: Option<bool>,
    /// A part of the name.
    pub search: Option<String>,
    pub show_disabled: Option<bool>,
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    pub cursor: Option<String>,
    /// Accepted and without effect.
    pub deprecated_app_id: Option<String>,
    /// Accepted and without effect.
    pub deprecated_status: Option<String>,
}

/// The response to a creation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedAuthConfig {
    pub toolkit: ToolkitRef,
    pub auth_config: AuthConfigRef,
}

/// An auth config, without its credentials.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthConfig {
    pub id: String,
    pub uuid: String,
    pub name: String,
    /// `custom` or `default`.
    #[serde(rename = "type")]
    pub kind: AuthConfigType,
    pub status: AuthConfigStatus,
    /// How many accounts it has.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub no_of_connections: i64,
    pub toolkit: ToolkitWithLogo,
    pub auth_scheme: AuthScheme,
    pub is_composio_managed: bool,
    pub is_enabled_for_tool_router: bool,
    /// The fields' names; every value is `REDACTED`.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub credentials: Value,
    /// The fields that a user enters to connect an account.
    pub expected_input_fields: Vec<InputField>,
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub tool_access_config: Value,
    pub restrict_to_following_tools: Vec<String>,
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub last_updated_at: String,
}

/// The response to a change, with the auth config after it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedAuthConfig {
    #[serde(flatten)]
    pub done: Done,
    #[serde(flatten)]
    pub auth_config: AuthConfig,
}

/// The members of every response to a change of an auth config.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Done {
    /// Always true.
    pub success: bool,
    /// For human readers.
    pub message: String,
}

/// The toolkit of an auth config.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolkitWithLogo {
    pub slug: String,
    /// Empty: a gateway serves no logos.
    pub logo: String,
}
