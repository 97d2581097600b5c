//! The record of calls, as the operator reads it.

use serde::Serialize;

/// A call, as it is remembered.
#[derive(Debug, Serialize)]
pub struct Call {
    /// When it began, RFC 3339.
    pub at: String,
    /// Whose account it was made as.
    pub user_id: Option<String>,
    /// The session it was made in.
    pub session_id: Option<String>,
    /// The toolkit's slug.
    pub toolkit: Option<String>,
    /// The account it was made as.
    pub connected_account_id: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The host that was called; null when nothing was.
    pub host: Option<String>,
    /// The path that was called, without its query.
    pub path: Option<String>,
    /// `answered`, `cancelled`, or the slug of the error.
    pub outcome: String,
    /// The upstream's status.
    pub status: Option<i64>,
    /// Of the answer's body, decompressed.
    pub bytes: i64,
    /// From the question to the end of the answer, in milliseconds.
    pub duration_ms: f64,
}
