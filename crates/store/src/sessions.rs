//! Sessions: a user, the toolkits they may call, and the accounts pinned for them.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::{Result, SessionConfig};

/// A session.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// `trs_…`
    pub id: String,
    /// The caller's own id of the user.
    pub user_id: String,
    /// The configuration of the session.
    pub config: SessionConfig,
    /// Increases by one with every change.
    pub version: i64,
    /// When the session was created.
    pub created_at: i64,
    /// When the session was last used or changed, as far as that was noted. The store sets it.
    pub used_at: i64,
}

/// The sessions of a store.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Adds a session.
    async fn insert_session(&self, session: &StoredSession) -> Result<()>;

    /// Reads a session.
    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>>;

    /// Replaces the configuration if the version is still `session.version`, and increases the version.
    /// Returns false if another change came first.
    async fn update_session(&self, session: &StoredSession) -> Result<bool>;

    /// Notes that a session is used now.
    async fn touch_session(&self, id: &str) -> Result<()>;

    /// Deletes a session. Returns false if no session has this id.
    async fn delete_session(&self, id: &str) -> Result<bool>;

    /// Deletes sessions that were created before a time, or last used before another time. Returns how many.
    ///
    /// It deletes at most 1 000 for each reason.
    async fn delete_ended_sessions(&self, created: Option<i64>, used: Option<i64>) -> Result<u64>;

    /// Lists the sessions of a user by id, from the one behind `after` on.
    async fn sessions_of_user(
        &self,
        user_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredSession>>;

    /// Deletes the sessions of a user. Returns how many.
    async fn delete_sessions_of_user(&self, user_id: &str) -> Result<u64>;
}
