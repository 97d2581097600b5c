//! The statements of events.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::AssertSqlSafe;

use super::dialect::{FOR_UPDATE, SqlStore, begin, begin_alone};
use super::webhooks::insert_deliveries;
use crate::{ANNOUNCED_BEFORE, EVENTS_KEPT, EVENTS_KEPT_FOR, EventCursors, Events, StoredEvent};

/// How many events a transaction numbers.
const NUMBERED_AT_ONCE: i64 = 1_000;

const CURSORS: &str = "SELECT last, forgotten FROM event_cursors WHERE name = 'events'";

#[async_trait]
impl Events for SqlStore {
    async fn number_events(&self) -> Result<EventCursors> {
        let at = self.clock.now();
        self.run(async {
            loop {
                // Most often there is nothing to do, and nothing is locked.
                let is_due: bool = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT 1 FROM events WHERE cursor IS NULL) \
                     OR coalesce((SELECT at FROM events WHERE cursor IS NOT NULL ORDER BY cursor LIMIT 1) <= $1, FALSE)",
                )
                .bind(at - EVENTS_KEPT_FOR)
                .fetch_one(&self.pool)
                .await?;
                if !is_due {
                    let cursors = sqlx::query_as(CURSORS).fetch_optional(&self.pool).await?;
                    return Ok(cursors.unwrap_or_default());
                }
                let mut transaction = begin(&self.writer).await?;
                sqlx::query("INSERT INTO event_cursors VALUES ('events', 0, 0) ON CONFLICT DO NOTHING")
                    .execute(&mut *transaction)
                    .await?;
                let select = format!("{CURSORS}{FOR_UPDATE}");
                let EventCursors { last, .. } =
                    sqlx::query_as(AssertSqlSafe(select)).fetch_one(&mut *transaction).await?;
                let numbered = sqlx::query(
                    "UPDATE events SET cursor = numbered.cursor FROM \
                     (SELECT seq, $1 + row_number() OVER (ORDER BY seq) AS cursor FROM \
                     (SELECT seq FROM events WHERE cursor IS NULL ORDER BY seq LIMIT $2) waiting) numbered \
                     WHERE events.seq = numbered.seq",
                )
                .bind(last)
                .bind(NUMBERED_AT_ONCE)
                .execute(&mut *transaction)
                .await?;
                let before = last;
                let last = before + i64::try_from(numbered.rows_affected()).unwrap_or_default();
                insert_deliveries(&mut transaction, at, before, last, None, "").await?;
                // An event goes with all events before it, so that one number tells which are gone.
                let young = "SELECT cursor FROM events WHERE cursor IS NOT NULL AND at > $1 ORDER BY cursor LIMIT 1";
                let young: Option<i64> = sqlx::query_scalar(young)
                    .bind(at - EVENTS_KEPT_FOR)
                    .fetch_optional(&mut *transaction)
                    .await?;
                let forget = young.map_or(last, |young| young - 1).max(last - EVENTS_KEPT);
                let deleted = sqlx::query("DELETE FROM events WHERE cursor <= $1")
                    .bind(forget)
                    .execute(&mut *transaction)
                    .await?;
                let forgotten = (deleted.rows_affected() > 0).then_some(forget);
                sqlx::query(
                    "UPDATE event_cursors SET last = $1, forgotten = coalesce($2, forgotten) WHERE name = 'events'",
                )
                .bind(last)
                .bind(forgotten)
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
            }
        })
        .await
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>> {
        let select = sqlx::query_as("SELECT * FROM events WHERE cursor > $1 ORDER BY cursor LIMIT $2")
            .bind(after)
            .bind(i64::from(limit));
        self.run(select.fetch_all(&self.pool)).await
    }

    async fn events_of_user(&self, user_id: &str, after: i64, limit: u32) -> Result<Vec<StoredEvent>> {
        let select = sqlx::query_as(
            "SELECT * FROM events WHERE user_id = $1 AND cursor > $2 ORDER BY cursor LIMIT $3",
        )
        .bind(user_id)
        .bind(after)
        .bind(i64::from(limit));
        self.run(select.fetch_all(&self.pool)).await
    }

    async fn delete_events_of_user(&self, user_id: &str) -> Result<u64> {
        let delete =
            sqlx::query("DELETE FROM events WHERE user_id = $1 AND type <> 'connected_account.deleted'")
                .bind(user_id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected())
    }

    async fn announce_expiries(&self) -> Result<u64> {
        let at = self.clock.now();
        self.run(async {
            // All gateways do this, and the statement locks many accounts, in any order.
            let mut transaction = begin_alone(&self.writer, "expiring soon").await?;
            let update = format!(
                "UPDATE connected_accounts SET announced_version = credential_version \
                 WHERE own_status = 'ACTIVE' AND NOT renewable AND expires_at > $1 \
                 AND expires_at <= $1 + {ANNOUNCED_BEFORE} AND NOT is_disabled \
                 AND expires_at - $1 <= (expires_at - credential_at) / 5 \
                 AND announced_version IS DISTINCT FROM credential_version"
            );
            let announced = sqlx::query(AssertSqlSafe(update)).bind(at).execute(&mut *transaction).await?;
            transaction.commit().await.map(|()| announced.rows_affected())
        })
        .await
    }
}
