//! The record of administrative changes, as the operator reads it.

use serde::{Deserialize, Serialize};

/// Which administrative changes to list. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListAudit {
    /// Only changes from this time on, RFC 3339.
    pub since: Option<String>,
    /// Only changes before this time, RFC 3339.
    pub until: Option<String>,
    /// Page size: 1 to 1 000, 100 by default.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

/// An administrative change.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its place in the record: 1 for the first change, without a gap.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub number: i64,
    /// When it was made, RFC 3339.
    pub at: String,
    /// The id of the API key, or `owner` for the program that opened the gateway and for the command.
    pub actor: String,
    /// The kind of thing, a dot, and what happened to it, such as `api_key.created`.
    pub action: String,
    /// The id of the thing.
    pub target: String,
    /// SHA-256 over the hash of the entry before and this entry, in hexadecimal.
    pub hash: String,
}

/// A page of the record, newest first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// The entries.
    pub items: Vec<AuditEntry>,
    /// Where the next page begins; null on the last.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// How to verify the record. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct VerifyAudit {
    /// The `head` of an earlier verification, which the record must still have.
    pub head: Option<String>,
}

/// The outcome of a verification.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditVerification {
    /// Whether every entry is as it was written, and the record has the given head.
    pub intact: bool,
    /// How many entries are intact, from the first on.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub entries: i64,
    /// The hash of the last intact entry; null if there is none.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub head: Option<String>,
    /// The first entry that is not as it was written; null if there is none.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub broken: Option<BrokenAuditEntry>,
    /// Whether the record has the given head; null if none was given.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub has_head: Option<bool>,
}

/// An entry that is not as it was written.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BrokenAuditEntry {
    /// Its place in the record.
    pub number: i64,
    /// The reason, about the entry.
    pub reason: String,
}
