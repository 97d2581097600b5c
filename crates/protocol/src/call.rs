//! The record of calls, as the operator reads it.

use serde::{Deserialize, Serialize};

/// Selects calls of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CallFilter {
    /// The user whose account was used.
    pub user_id: Option<String>,
    /// The session that the call was made in.
    pub session_id: Option<String>,
    /// The toolkit's slug.
    pub toolkit: Option<String>,
    /// The account that was used.
    pub connected_account_id: Option<String>,
    /// `answered`, `cancelled`, or the slug of an error.
    pub outcome: Option<String>,
    /// The request that made the call.
    pub request_id: Option<String>,
    /// Calls that began then or later, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Calls that began before, in milliseconds since 1970.
    pub until: Option<i64>,
    /// Calls with a smaller number, for the next page.
    pub before: Option<i64>,
    /// Upper limit for the number of calls.
    pub limit: u32,
}

impl CallFilter {
    /// The newest calls, at most this many.
    pub fn newest(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// A recorded call.
#[derive(Debug, Serialize)]
pub struct RecordedCall {
    /// Its number. A call that was recorded later has a greater one.
    pub id: i64,
    /// When it began, RFC 3339.
    pub at: String,
    /// The id of the request that made it; null if an older version recorded it.
    pub request_id: Option<String>,
    /// The user whose account it used.
    pub user_id: Option<String>,
    /// The session it was made in.
    pub session_id: Option<String>,
    /// The toolkit's slug.
    pub toolkit: Option<String>,
    /// The account that it used.
    pub connected_account_id: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The host that was called; null when the gateway called none.
    pub host: Option<String>,
    /// The path that was called, without its query.
    pub path: Option<String>,
    /// `answered`, `cancelled`, or the slug of the error.
    pub outcome: String,
    /// The upstream's status.
    pub status: Option<i64>,
    /// The size of the response's body, decompressed.
    pub bytes: i64,
    /// From the request to the end of the response, in milliseconds.
    pub duration_ms: f64,
}
