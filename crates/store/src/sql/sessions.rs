//! The statements of sessions.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::{Error, ErrorKind, Result, SessionConfig};

use super::dialect::SqlStore;
use crate::{Sessions, StoredSession};

#[async_trait]
impl Sessions for SqlStore {
    async fn insert_session(&self, session: &StoredSession) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO sessions (id, user_id, config, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
        )
        .bind(&session.id)
        .bind(&session.user_id)
        .bind(config_json(session))
        .bind(session.version)
        .bind(self.clock.now());
        self.run(insert.execute(&self.writer)).await.map(drop)
    }

    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>> {
        let select = sqlx::query_as("SELECT user_id, config, version FROM sessions WHERE id = $1").bind(id);
        self.run(select.fetch_optional(&self.pool))
            .await?
            .map(|(user_id, config, version): (String, String, i64)| {
                let config = session_config(id, &config)?;
                Ok(Arc::new(StoredSession { id: id.to_owned(), user_id, config, version }))
            })
            .transpose()
    }

    async fn update_session(&self, session: &StoredSession) -> Result<bool> {
        let update = sqlx::query(
            "UPDATE sessions SET config = $1, version = version + 1, updated_at = $2 WHERE id = $3 AND version = $4",
        )
        .bind(config_json(session))
        .bind(self.clock.now())
        .bind(&session.id)
        .bind(session.version);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn delete_session(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected() == 1)
    }
}

fn config_json(session: &StoredSession) -> String {
    serde_json::to_string(&session.config).expect("a configuration is made of JSON values")
}

fn session_config(id: &str, json: &str) -> Result<SessionConfig> {
    serde_json::from_str(json).map_err(|error| {
        tracing::error!(session = id, %error, "a stored session cannot be read");
        Error::new(ErrorKind::Internal, format!("Session {id} cannot be read from the store."))
    })
}
