//! Connected accounts, as requests and responses name them.

#![expect(missing_docs, reason = "fields without a comment are named as the wire names them")]

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire_name::wire_name;
use crate::{AuthConfigRef, AuthScheme, SecretJson, ToolkitRef};

/// The states of a connected account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum AccountStatus {
    Initializing,
    Initiated,
    Active,
    Failed,
    Expired,
    Inactive,
    Revoked,
}

wire_name!(AccountStatus);

impl AccountStatus {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Initializing,
        Self::Initiated,
        Self::Active,
        Self::Failed,
        Self::Expired,
        Self::Inactive,
        Self::Revoked,
    ];

    /// Whether the account waits for its user to finish a link.
    pub fn is_being_connected(self) -> bool {
        matches!(self, Self::Initializing | Self::Initiated)
    }
}

/// Which users may use an account.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum AccountType {
    /// Only its own user.
    #[default]
    Private,
    /// Its own user, and those that its ACL allows. A session has to pin it.
    Shared,
}

wire_name!(AccountType);

/// The accounts that a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ListedAccounts {
    Private,
    Shared,
    All,
}

wire_name!(ListedAccounts);

/// How a new account is shared.
#[derive(Debug, Default, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSharing {
    /// Default: `PRIVATE`. It cannot be changed later.
    pub account_type: Option<AccountType>,
    /// For a `SHARED` account. Without it, only the account's own user may use the account.
    pub acl_config_for_shared: Option<GivenAcl>,
}

/// The parts of an ACL that a request names. Unknown keys are refused.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GivenAcl {
    /// Whether every user may use the account.
    pub allow_all_users: Option<bool>,
    /// Users that may use the account; at most 1 000, with 1 to 256 characters each.
    pub allowed_user_ids: Option<Vec<String>>,
    /// Users that may not, whatever the other parts say; with the same limits.
    pub not_allowed_user_ids: Option<Vec<String>>,
}

/// The change of an ACL. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangedSharing {
    /// Parts that are not named stay; an empty list clears one.
    pub acl_config_for_shared: Option<GivenAcl>,
}

/// How an account is shared.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sharing {
    pub account_type: AccountType,
    /// Absent for a `PRIVATE` account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_config_for_shared: Option<Acl>,
}

/// The users that may use a `SHARED` account beside its own user.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acl {
    pub allow_all_users: bool,
    pub allowed_user_ids: Vec<String>,
    pub not_allowed_user_ids: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrderBy {
    CreatedAt,
    UpdatedAt,
}

wire_name!(OrderBy);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum OrderDirection {
    Asc,
    Desc,
}

wire_name!(OrderDirection);

/// Which accounts to list. An empty list does not restrict. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListAccounts {
    /// Only these users'.
    pub user_ids: Vec<String>,
    /// Only of these toolkits.
    pub toolkit_slugs: Vec<String>,
    /// Only in these states: `ACTIVE`, `EXPIRED`, ….
    #[cfg_attr(feature = "openapi", param(value_type = Vec<AccountStatus>))]
    pub statuses: Vec<String>,
    /// Only with these auth configs.
    pub auth_config_ids: Vec<String>,
    /// Only these.
    pub connected_account_ids: Vec<String>,
    /// `created_at` (the default) or `updated_at`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<OrderBy>))]
    pub order_by: Option<String>,
    /// `desc` (the default) or `asc`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<OrderDirection>))]
    pub order_direction: Option<String>,
    /// `PRIVATE` (the default), `SHARED` or `ALL`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<ListedAccounts>))]
    pub account_type: Option<String>,
    /// Page size: 1 to 1 000, 20 by default.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

/// A connected account, without its credential.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectedAccount {
    /// `ca_…`
    pub id: String,
    /// The name given to it.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub alias: Option<String>,
    /// A generated name, such as `gmail_red-castle`.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub word_id: Option<String>,
    /// The caller's own id of the user.
    pub user_id: String,
    /// `ACTIVE`, `EXPIRED`, ….
    pub status: AccountStatus,
    /// The reason for this state, if the state needs one.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status_reason: Option<String>,
    /// Whether calls with the account are refused for now.
    pub is_disabled: bool,
    /// Whether calls use it that name no account, outside of a session.
    pub is_default: bool,
    /// The toolkit.
    pub toolkit: ToolkitRef,
    /// The auth config that it was connected with.
    pub auth_config: AuthConfigRef,
    /// How it signs requests.
    pub auth_scheme: AuthScheme,
    /// Which users may use it.
    pub experimental: Sharing,
    /// The credential's fields; secrets are `REDACTED`.
    pub state: AccountState,
    /// Deprecated on the wire, and always empty.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub data: Map<String, Value>,
    /// Deprecated on the wire, and always empty.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub params: Map<String, Value>,
    /// RFC 3339.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: String,
    /// RFC 3339.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: String,
}

/// A credential in the form that responses show.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountState {
    /// How it signs requests.
    #[serde(rename = "authScheme")]
    pub auth_scheme: AuthScheme,
    /// Its fields and status; secrets are `REDACTED`.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub val: Map<String, Value>,
}

/// The request that imports a credential. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAccount {
    /// The caller's own id of the user.
    pub user_id: String,
    /// The toolkit's slug.
    pub toolkit: String,
    /// `{ authScheme, val }`.
    pub credential: SecretJson,
    /// A name for the account, unique among the accounts of the user and toolkit.
    #[serde(default)]
    pub alias: Option<String>,
    /// The auth config whose OAuth client the tokens belong to; the gateway needs it to refresh them.
    /// Default: an auth config without a client, which all such imports of the toolkit and scheme share.
    #[serde(default)]
    pub auth_config_id: Option<String>,
    /// Which users may use the account.
    #[serde(default)]
    pub experimental: Option<NewSharing>,
}

/// The request that connects an account. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    pub auth_config: AuthConfigId,
    pub connection: NewConnection,
    /// Accepted and without effect: a gateway does not call the toolkit to test the credential.
    pub validate_credentials: Option<bool>,
}

/// The auth config of a new account.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthConfigId {
    pub id: String,
}

/// The new account itself.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewConnection {
    pub user_id: Option<String>,
    /// `{ authScheme, val }`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub state: Option<SecretJson>,
    /// The fields of `val`, in the older form.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub data: Option<SecretJson>,
    pub callback_url: Option<String>,
    pub redirect_uri: Option<String>,
    pub alias: Option<String>,
    /// Which users may use the account.
    pub experimental: Option<NewSharing>,
    pub deprecated_is_v1_rerouted: Option<bool>,
}

/// The response to a creation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedAccount {
    pub id: String,
    /// The account's scheme and fields, without secrets.
    #[serde(rename = "connectionData")]
    pub connection_data: AccountState,
    pub status: AccountStatus,
    /// Where the user finishes the connection; null when it is finished.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub redirect_url: Option<String>,
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub redirect_uri: Option<String>,
}

/// The request that changes an account. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateAccount {
    /// An empty one removes it.
    pub alias: Option<String>,
    pub connection: Option<ChangedConnection>,
    /// Which users may use the account.
    pub experimental: Option<ChangedSharing>,
}

/// The credential's new fields.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangedConnection {
    /// `{ authScheme, val }`; fields that are not named stay, null removes one.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub state: SecretJson,
}

/// The response to a change.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedAccount {
    pub id: String,
    pub status: AccountStatus,
    pub success: bool,
}

/// Whether an account may be used.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Enabled {
    pub enabled: bool,
    /// For human readers; the gateway does not store it.
    pub reason: Option<String>,
}

/// Whether calls use an account that name none, outside of a session.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DefaultAccount {
    /// With true, the account replaces the earlier default account.
    pub is_default: bool,
}

/// The response to a deletion.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletedAccount {
    /// Always true.
    pub success: bool,
    /// With `revoke_on_delete`: the tokens that the provider revoked, such as `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_tokens: Option<Vec<String>>,
    /// With `revoke_on_delete`: tokens that may still be valid at the provider, each with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_revoked: Option<Vec<String>>,
}

/// How an account is to be refreshed. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct RefreshAccount {
    /// Where the user is sent after consenting again.
    pub redirect_url: Option<String>,
}

/// The response to a refresh.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefreshedAccount {
    pub id: String,
    pub status: AccountStatus,
    /// Where the user has to consent again; null when no consent is needed.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub redirect_url: Option<String>,
}

/// The response to a revocation: the members of every change, and those that SDKs of v3.1 read.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokedAccount {
    #[serde(flatten)]
    pub changed: ChangedAccount,
    /// The tokens that the provider revoked, such as `refresh_token`; empty if it has no revocation
    /// endpoint. The gateway has deleted all tokens of the account.
    pub revoked_tokens: Vec<String>,
    /// Tokens that may still be valid at the provider, each with the reason.
    pub not_revoked: Vec<String>,
    pub connected_account: ShortAccount,
}

/// The account that was revoked.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShortAccount {
    pub id: String,
    pub status: AccountStatus,
}
