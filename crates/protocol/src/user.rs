//! Users: what a gateway has of a user, as its operator exports and deletes it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The data of a user that was deleted.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletedUser {
    /// The caller's own id of the user.
    pub user_id: String,
    /// How many sessions.
    pub sessions: u64,
    /// How many connected accounts, with their links.
    pub connected_accounts: u64,
    /// How many tokens the providers revoked.
    pub revoked_tokens: u64,
    /// Tokens that may still be valid at the provider, each with its account and the reason.
    pub not_revoked: Vec<String>,
    /// How many SHARED accounts of other users no longer allow the user.
    pub shared_accounts: u64,
    /// How many files of responses.
    pub files: u64,
    /// How many records of calls.
    pub calls: u64,
    /// How many events. Those of deleted accounts stay until they are too old.
    pub events: u64,
}

/// Which records of a user to list. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListUserRecords {
    /// Page size: 1 to 1 000, 100 by default.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UserRecordKind {
    /// A connected account, without its secrets.
    ConnectedAccount,
    /// A session.
    Session,
    /// A call.
    Call,
    /// An event of an account.
    Event,
}

/// A record of a user.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRecord {
    /// Its kind.
    pub kind: UserRecordKind,
    /// Its members, by kind.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, serde_json::Value>))]
    pub record: Box<RawValue>,
}

/// A page of the records of a user.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRecords {
    /// The records: accounts, sessions, calls and events, in this order.
    pub items: Vec<UserRecord>,
    /// Where the next page begins; null on the last.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}
