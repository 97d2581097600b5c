//! The statements of the record of administrative changes.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use sqlx::{FromRow, QueryBuilder, Row};

use super::dialect::{Connection, Db, DbRow, SqlStore, begin_alone};
use crate::text::printable;
use crate::{AuditFilter, AuditLog, AuditRow, AuditedChange};

/// The work of which there is one at a time, in all gateways.
pub(super) const APPENDING: &str = "audit log";

#[async_trait]
impl AuditLog for SqlStore {
    async fn append_audit(&self, change: AuditedChange) -> Result<()> {
        self.run(async {
            let mut transaction = begin_alone(&self.writer, APPENDING).await?;
            append(&mut transaction, change).await?;
            transaction.commit().await
        })
        .await
    }

    async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>> {
        let mut query = QueryBuilder::<Db>::new("SELECT * FROM audit_log WHERE seq < ");
        query.push_bind(filter.before.unwrap_or(i64::MAX));
        if let Some(since) = filter.since {
            query.push(" AND at >= ").push_bind(since);
        }
        if let Some(until) = filter.until {
            query.push(" AND at < ").push_bind(until);
        }
        query.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(filter.limit));
        self.run(query.build_query_as().fetch_all(&self.pool)).await
    }

    async fn audit_chain(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        let select = sqlx::query_as("SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(i64::from(limit));
        self.run(select.fetch_all(&self.pool)).await
    }
}

/// Adds a row to the chain, in a transaction that is the only one with this work.
pub(super) async fn append(connection: &mut Connection, change: AuditedChange) -> sqlx::Result<()> {
    let last = sqlx::query_as("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1");
    let last: Option<(i64, String)> = last.fetch_optional(&mut *connection).await?;
    let (seq, previous) = last.unwrap_or((0, AuditRow::NO_HASH.to_owned()));
    // The hash is that of the texts as they are stored.
    let change = AuditedChange {
        actor: printable(change.actor),
        action: printable(change.action),
        target: printable(change.target),
        ..change
    };
    let hash = AuditRow::chained(&previous, seq + 1, &change);
    sqlx::query(
        "INSERT INTO audit_log (seq, at, actor, action, target, hash) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(seq + 1)
    .bind(change.at)
    .bind(change.actor)
    .bind(change.action)
    .bind(change.target)
    .bind(hash)
    .execute(connection)
    .await
    .map(drop)
}

impl FromRow<'_, DbRow> for AuditRow {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        let change = AuditedChange {
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            target: row.try_get("target")?,
        };
        Ok(Self { seq: row.try_get("seq")?, change, hash: row.try_get("hash")? })
    }
}
