//! Toolkits, as requests and responses name them.

#![expect(missing_docs, reason = "fields without a comment are named as the wire names them")]

use serde::{Deserialize, Serialize};

use crate::{AuthConfigRef, Pagination, RateLimit};

/// Which toolkits to list.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListToolkits {
    /// A part of the slug, of the name or of another name.
    pub search: Option<String>,
    /// The id of a category.
    pub category: Option<String>,
    /// `composio` lists none, `project` and `all` list all.
    pub managed_by: Option<String>,
    /// Accepted and without effect: the order is by slug.
    pub sort_by: Option<String>,
    /// Accepted and without effect.
    pub include_deprecated: Option<bool>,
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// Which toolkits of a session to list.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListSessionToolkits {
    /// Only these, instead of the session's list.
    pub toolkits: Vec<String>,
    /// Only those with an active account, or only those without.
    pub is_connected: Option<bool>,
    /// A part of the slug or name.
    pub search: Option<String>,
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 50))]
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// A toolkit in a list.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolkitItem {
    pub slug: String,
    pub name: String,
    /// `native` for every toolkit of a gateway.
    #[serde(rename = "type")]
    pub kind: String,
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::AuthScheme>))]
    pub auth_schemes: Vec<String>,
    /// Empty: a gateway has no client of its own.
    pub composio_managed_auth_schemes: Vec<String>,
    /// Whether it can be called without an account.
    pub no_auth: bool,
    pub is_local_toolkit: bool,
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub auth_guide_url: Option<String>,
    pub meta: ToolkitMeta,
    pub deprecated: DeprecatedIds,
}

/// A toolkit in full.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolkitDetails {
    #[serde(flatten)]
    pub item: ToolkitItem,
    pub enabled: bool,
    /// The base URL, with `{{fields}}` where each account has its own.
    pub base_url: String,
    /// Empty: a gateway has no client of its own.
    pub composio_managed_auth: Vec<String>,
    pub auth_config_details: Vec<AuthConfigDetails>,
    /// How the API gives the pages of a list, where the toolkit says it. Only gateways have this field.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub pagination: Option<Pagination>,
    /// Where the API says when it takes calls again. Only gateways have this field.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub rate_limit: Option<RateLimit>,
}

/// The description of a toolkit.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolkitMeta {
    pub description: String,
    pub logo: String,
    pub categories: Vec<ToolkitCategory>,
    pub tools_count: i64,
    pub triggers_count: i64,
    pub version: String,
    pub available_versions: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
    /// The provider's documentation.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub app_url: Option<String>,
}

/// A category of toolkits.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolkitCategory {
    /// The name for filters, such as `customer-support`.
    pub id: String,
    /// The display name.
    pub name: String,
}

/// The categories of toolkits, on one page.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolkitCategories {
    pub items: Vec<ToolkitCategory>,
    /// Always null.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub total_pages: i64,
}

/// How an operator registers a client at the provider, or how a user gets a credential there.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ToolkitSetup {
    /// The provider's page.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub page: Option<String>,
    /// The steps there, each a sentence.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub steps: Vec<String>,
}

/// A toolkit's names in older SDKs.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeprecatedIds {
    #[serde(rename = "toolkitId")]
    pub toolkit_id: String,
    #[serde(rename = "rawProxyInfoByAuthSchemes")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<BTreeMap<String, Value>>))]
    pub raw_proxy_info_by_auth_schemes: [(); 0],
}

/// One way to connect an account.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthConfigDetails {
    #[cfg_attr(feature = "openapi", schema(value_type = crate::AuthScheme))]
    pub mode: String,
    pub name: String,
    /// The scopes that the gateway requests when the auth config names none.
    pub required_scopes: Vec<String>,
    /// The redirect URI of a client at the provider; null if there is none, or if it is not known yet.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub redirect_uri: Option<String>,
    /// The provider's page where a client is registered.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub client_page: Option<String>,
    /// How to get the credential or the client; null where the toolkit does not say it. Only gateways have this
    /// field.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub setup: Option<ToolkitSetup>,
    pub fields: AuthConfigFields,
}

/// Its fields, by the step that takes them.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthConfigFields {
    pub auth_config_creation: FieldGroup,
    pub connected_account_initiation: FieldGroup,
}

/// Fields by whether they are needed.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldGroup {
    pub required: Vec<InputField>,
    pub optional: Vec<InputField>,
}

/// A field of an account or of an auth config.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InputField {
    pub name: String,
    #[serde(rename = "displayName")]
    pub display_name: String,
    pub description: String,
    /// Always `string`.
    #[serde(rename = "type")]
    pub kind: String,
    pub required: bool,
    pub is_secret: bool,
    /// Always true: a gateway asks only for values that it cannot find out.
    pub user_visible: bool,
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub default: Option<String>,
}

/// A toolkit of a session, with the account that a call would use.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionToolkit {
    pub slug: String,
    pub name: String,
    pub enabled: bool,
    pub is_no_auth: bool,
    pub meta: SessionToolkitMeta,
    pub composio_managed_auth_schemes: Vec<String>,
    /// Null when the user has none.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub connected_account: Option<SessionAccount>,
}

/// The description of a session's toolkit.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionToolkitMeta {
    pub description: String,
    pub logo: String,
}

/// The account of a session's toolkit.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionAccount {
    pub id: String,
    pub status: crate::AccountStatus,
    pub user_id: String,
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    pub auth_config: AuthConfigRef,
}
