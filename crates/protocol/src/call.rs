//! The record of calls, as the operator reads it.

use serde::Serialize;

/// A recorded call.
#[derive(Debug, Serialize)]
pub struct RecordedCall {
    /// When it began, RFC 3339.
    pub at: String,
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
