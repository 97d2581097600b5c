//! The statements of webhooks.

use std::time::Duration;

use async_trait::async_trait;
use proxy_execute_protocol::{DeliveryStatus, Result};
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::dialect::{Connection, Db, FOR_KEY_SHARE, POSITION, SKIP_LOCKED, SqlStore, begin, begin_alone};
use super::page::push_page;
use crate::text::printable;
use crate::webhooks::DELIVERED_KEPT_FOR;
use crate::{
    AttemptEnd, LeasedDelivery, PageAsked, Replay, Rows, SealedSecrets, StoredDelivery, StoredSubscription,
    SubscriptionChange, Webhooks,
};

#[async_trait]
impl Webhooks for SqlStore {
    async fn insert_subscription(&self, subscription: &StoredSubscription, most: u32) -> Result<bool> {
        self.run(async {
            let mut transaction = begin_alone(&self.writer, "webhook subscriptions").await?;
            let count = sqlx::query_scalar("SELECT count(*) FROM webhook_subscriptions");
            let count: i64 = count.fetch_one(&mut *transaction).await?;
            if count >= i64::from(most) {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO webhook_subscriptions (id, url, enabled_events, secret, key_id, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&subscription.id)
            .bind(&subscription.url)
            .bind(&subscription.enabled_events)
            .bind(&subscription.secrets.secret)
            .bind(&subscription.secrets.key_id)
            .bind(subscription.created_at)
            .bind(subscription.updated_at)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await.map(|()| true)
        })
        .await
    }

    async fn subscription(&self, id: &str) -> Result<Option<StoredSubscription>> {
        let select = sqlx::query_as("SELECT * FROM webhook_subscriptions WHERE id = $1").bind(id);
        self.run(select.fetch_optional(&self.pool)).await
    }

    async fn subscriptions(&self, page: &PageAsked) -> Result<Rows<StoredSubscription>> {
        let mut query = QueryBuilder::<Db>::new("SELECT * FROM webhook_subscriptions WHERE TRUE");
        push_page(&mut query, "created_at", "seq", false, page);
        self.run(async {
            let total = sqlx::query_scalar("SELECT count(*) FROM webhook_subscriptions");
            let total = total.fetch_one(&self.pool).await?;
            Ok(Rows { rows: query.build_query_as().fetch_all(&self.pool).await?, total })
        })
        .await
    }

    async fn update_subscription(&self, id: &str, change: &SubscriptionChange) -> Result<bool> {
        let update = sqlx::query(
            "UPDATE webhook_subscriptions SET url = coalesce($1, url), \
             enabled_events = coalesce($2, enabled_events), updated_at = $3 WHERE id = $4",
        )
        .bind(&change.url)
        .bind(&change.enabled_events)
        .bind(self.clock.now())
        .bind(id);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn replace_secrets(&self, read: &StoredSubscription, secrets: &SealedSecrets) -> Result<bool> {
        // No two ciphertexts are alike, so an equal secret was not replaced since.
        let update = sqlx::query(
            "UPDATE webhook_subscriptions SET secret = $1, previous_secret = $2, previous_until = $3, key_id = $4, \
             updated_at = $5 WHERE id = $6 AND secret = $7",
        )
        .bind(&secrets.secret)
        .bind(&secrets.previous)
        .bind(secrets.previous_until)
        .bind(&secrets.key_id)
        .bind(self.clock.now())
        .bind(&read.id)
        .bind(&read.secrets.secret);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn delete_subscription(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query("DELETE FROM webhook_subscriptions WHERE id = $1").bind(id);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn due_subscriptions(&self) -> Result<Vec<String>> {
        let select = sqlx::query_scalar(
            "SELECT id FROM webhook_subscriptions s WHERE EXISTS (SELECT 1 FROM webhook_deliveries \
             WHERE subscription_id = s.id AND status = 'pending' AND due_at <= $1) ORDER BY id",
        )
        .bind(self.clock.now());
        self.run(select.fetch_all(&self.pool)).await
    }

    async fn lease_deliveries(
        &self,
        subscription_id: &str,
        most: u32,
        lease: Duration,
    ) -> Result<Vec<LeasedDelivery>> {
        let now = self.clock.now();
        let leased_until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        // The deliveries are chosen once: a join could choose them again for each row.
        let update = format!(
            "WITH due AS MATERIALIZED (SELECT seq FROM webhook_deliveries WHERE subscription_id = $1 \
             AND status = 'pending' AND due_at <= $2 ORDER BY due_at, seq LIMIT $3{SKIP_LOCKED}) \
             UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = $4 WHERE seq IN (SELECT seq FROM due) \
             RETURNING seq, event, attempts"
        );
        let update = sqlx::query_as(AssertSqlSafe(update))
            .bind(subscription_id)
            .bind(now)
            .bind(i64::from(most))
            .bind(leased_until);
        let leased: Vec<(i64, i64, i64)> = self.run(update.fetch_all(&self.writer)).await?;
        let leased = leased.into_iter().map(|(seq, event, attempt)| LeasedDelivery {
            seq,
            event,
            attempt,
            leased_until,
        });
        Ok(leased.collect())
    }

    async fn end_attempt(&self, leased: &LeasedDelivery, end: &AttemptEnd) -> Result<bool> {
        let ended_at = (end.status != DeliveryStatus::Pending).then(|| self.clock.now());
        let update = sqlx::query(
            "UPDATE webhook_deliveries SET status = $1, due_at = $2, response_status = $3, problem = $4, ended_at = $5 \
             WHERE seq = $6 AND status = 'pending' AND attempts = $7 AND due_at = $8",
        )
        .bind(end.status.to_string())
        .bind(end.due_at)
        .bind(end.response_status)
        .bind(end.problem.clone().map(printable))
        .bind(ended_at)
        .bind(leased.seq)
        .bind(leased.attempt)
        .bind(leased.leased_until);
        Ok(self.run(update.execute(&self.writer)).await?.rows_affected() == 1)
    }

    async fn deliveries(
        &self,
        subscription_id: &str,
        status: Option<DeliveryStatus>,
        page: &PageAsked,
    ) -> Result<Rows<StoredDelivery>> {
        let from = |select: &str| {
            let mut query = QueryBuilder::<Db>::new(format!(
                "SELECT {select} FROM webhook_deliveries d JOIN events e ON e.cursor = d.event WHERE d.subscription_id = "
            ));
            query.push_bind(subscription_id.to_owned());
            if let Some(status) = status {
                query.push(" AND d.status = ").push_bind(status.to_string());
            }
            query
        };
        let (mut count, mut query) = (from("count(*)"), from("d.*, e.id AS event_id, e.type AS event_type"));
        push_page(&mut query, "d.created_at", "d.seq", false, page);
        self.run(async {
            let total = count.build_query_scalar().fetch_one(&self.pool).await?;
            Ok(Rows { rows: query.build_query_as().fetch_all(&self.pool).await?, total })
        })
        .await
    }

    async fn replay(&self, subscription_id: &str, replay: Replay) -> Result<u64> {
        let now = self.clock.now();
        self.run(async {
            let mut transaction = begin(&self.writer).await?;
            let replayed = match replay {
                Replay::After(cursor) => {
                    let again = "ON CONFLICT (subscription_id, event) DO UPDATE SET status = 'pending', \
                                 attempts = 0, due_at = excluded.due_at, ended_at = NULL \
                                 WHERE webhook_deliveries.status <> 'pending'";
                    insert_deliveries(&mut transaction, now, cursor, i64::MAX, Some(subscription_id), again).await?
                }
                Replay::Events(ids) => {
                    let mut query = QueryBuilder::<Db>::new(
                        "UPDATE webhook_deliveries SET status = 'pending', attempts = 0, ended_at = NULL, due_at = ",
                    );
                    query.push_bind(now).push(" WHERE status <> 'pending' AND subscription_id = ");
                    query.push_bind(subscription_id.to_owned());
                    query.push(" AND event IN (SELECT cursor FROM events WHERE id IN (''");
                    for id in ids {
                        query.push(", ").push_bind(id);
                    }
                    query.push("))");
                    query.build().execute(&mut *transaction).await?.rows_affected()
                }
            };
            transaction.commit().await.map(|()| replayed)
        })
        .await
    }

    async fn delete_delivered(&self) -> Result<u64> {
        let delete =
            sqlx::query("DELETE FROM webhook_deliveries WHERE status = 'delivered' AND ended_at <= $1")
                .bind(self.clock.now() - DELIVERED_KEPT_FOR);
        Ok(self.run(delete.execute(&self.writer)).await?.rows_affected())
    }
}

/// Inserts the deliveries of the events behind one cursor and up to another, for the subscriptions that enable their
/// types: for all of them, or for one. Returns how many there were.
///
/// The lock makes a subscription that is being deleted wait, or keeps it out of the result.
pub(super) async fn insert_deliveries(
    connection: &mut Connection,
    at: i64,
    after: i64,
    up_to: i64,
    only: Option<&str>,
    on_conflict: &str,
) -> sqlx::Result<u64> {
    let insert = format!(
        "INSERT INTO webhook_deliveries (subscription_id, event, status, attempts, due_at, created_at) \
         SELECT s.id, e.cursor, 'pending', 0, $1, $1 FROM events e \
         JOIN webhook_subscriptions s ON {POSITION}(s.enabled_events, '\"composio.' || e.type || '\"') > 0 \
         WHERE e.cursor > $2 AND e.cursor <= $3 AND s.id = coalesce($4, s.id) ORDER BY e.cursor, s.id{FOR_KEY_SHARE} \
         {on_conflict}"
    );
    let insert = sqlx::query(AssertSqlSafe(insert)).bind(at).bind(after).bind(up_to).bind(only);
    Ok(insert.execute(connection).await?.rows_affected())
}
