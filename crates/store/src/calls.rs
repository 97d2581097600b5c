//! The record of calls.

use async_trait::async_trait;
use proxy_execute_protocol::{CallFilter, Result};

/// The record of a call. It never holds a query, a header or a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallRecord {
    /// Its number, which the store assigns. A later call has a greater one.
    pub id: i64,
    /// When the call began.
    pub at: i64,
    /// The id of the request that made the call. Older versions recorded none.
    pub request_id: Option<String>,
    /// The user whose account was used.
    pub user_id: Option<String>,
    /// The session that the call was made in.
    pub session_id: Option<String>,
    /// The toolkit's slug.
    pub toolkit: Option<String>,
    /// The account that was used.
    pub account_id: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The host of the request.
    pub host: Option<String>,
    /// The path of the request, without the query.
    pub path: Option<String>,
    /// `answered`, `cancelled`, or the slug of the error.
    pub outcome: String,
    /// The status of the upstream's response.
    pub status: Option<i64>,
    /// The size of the response body.
    pub bytes: i64,
    /// How long the call took, in microseconds.
    pub duration_us: i64,
}

/// The record of calls in a store.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Adds calls, and deletes the oldest calls beyond the number to keep.
    async fn insert_calls(&self, calls: Vec<CallRecord>, kept: i64) -> Result<()>;

    /// Lists the calls of a filter, newest first.
    async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRecord>>;

    /// Deletes the oldest calls that began before a time. Returns how many.
    ///
    /// It looks at the oldest 10 000 records. A call that was recorded after a younger one goes with that one.
    async fn delete_old_calls(&self, before: i64) -> Result<u64>;

    /// Deletes calls of a user, at most 10 000. Returns how many.
    async fn delete_calls_of_user(&self, user_id: &str) -> Result<u64>;
}
