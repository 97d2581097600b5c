//! The statements of sessions.

use std::sync::Arc;

use async_trait::async_trait;
use proxy_execute_protocol::{Error, ErrorKind, Result, SessionConfig};
use sqlx::AssertSqlSafe;

use super::dialect::SqlStore;
use crate::{Sessions, StoredSession};

/// How many sessions a statement deletes.
const DELETED_AT_ONCE: i64 = 1_000;

/// A row of a session, but for its id.
type SessionRow = (String, String, i64, i64, i64);

const COLUMNS: &str = "user_id, config, version, created_at, coalesce(used_at, updated_at)";

#[async_trait]
impl Sessions for SqlStore {
    async fn insert_session(&self, session: &StoredSession) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO sessions (id, user_id, config, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&session.id)
        .bind(&session.user_id)
        .bind(config_json(session))
        .bind(session.version)
        .bind(session.created_at)
        .bind(self.clock.now());
        self.run(insert.execute(&self.writer)).await.map(drop)
    }

    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>> {
        let select = format!("SELECT {COLUMNS} FROM sessions WHERE id = $1");
        let select = sqlx::query_as(AssertSqlSafe(select)).bind(id);
        self.run(select.fetch_optional(&self.pool))
            .await?
            .map(|row: SessionRow| read(id.to_owned(), row).map(Arc::new))
            .transpose()
    }

    async fn update_session(&self, session: &StoredSession) -> Result<bool> {
        let update = sqlx::query(
            "UPDATE sessions SET config = $1, version = version + 1, updated_at = $2, used_at = $2 \
             WHERE id = $3 AND version = $4",
        )
        .bind(config_json(session))
        .bind(self.clock.now())
        .bind(&session.id)
        .bind(session.version);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn touch_session(&self, id: &str) -> Result<()> {
        let update =
            sqlx::query("UPDATE sessions SET used_at = $1 WHERE id = $2").bind(self.clock.now()).bind(id);
        self.run(update.execute(&self.writer)).await.map(drop)
    }

    async fn delete_session(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn delete_ended_sessions(&self, created: Option<i64>, used: Option<i64>) -> Result<u64> {
        let mut deleted = 0;
        for (time, before) in [("created_at", created), ("coalesce(used_at, updated_at)", used)] {
            let Some(before) = before else { continue };
            // A session that is used meanwhile stays.
            let delete = format!(
                "DELETE FROM sessions WHERE {time} < $1 AND id IN \
                 (SELECT id FROM sessions WHERE {time} < $1 ORDER BY {time} LIMIT $2)"
            );
            let delete = sqlx::query(AssertSqlSafe(delete)).bind(before).bind(DELETED_AT_ONCE);
            deleted += self.run(delete.execute(&self.writer)).await?.rows_affected();
        }
        Ok(deleted)
    }

    async fn sessions_of_user(
        &self,
        user_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredSession>> {
        let select =
            format!("SELECT id, {COLUMNS} FROM sessions WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3");
        let select = sqlx::query_as(AssertSqlSafe(select))
            .bind(user_id)
            .bind(after.unwrap_or_default())
            .bind(i64::from(limit));
        let rows: Vec<(String, String, String, i64, i64, i64)> =
            self.run(select.fetch_all(&self.pool)).await?;
        rows.into_iter()
            .map(|(id, user_id, config, version, created_at, used_at)| {
                read(id, (user_id, config, version, created_at, used_at))
            })
            .collect()
    }

    async fn delete_sessions_of_user(&self, user_id: &str) -> Result<u64> {
        let delete = sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user_id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected())
    }
}

fn read(id: String, (user_id, config, version, created_at, used_at): SessionRow) -> Result<StoredSession> {
    let config = session_config(&id, &config)?;
    Ok(StoredSession { id, user_id, config, version, created_at, used_at })
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
