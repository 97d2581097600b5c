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

    /// Deletes a session. Returns false if no session has this id.
    async fn delete_session(&self, id: &str) -> Result<bool>;
}
