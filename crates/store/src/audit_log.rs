//! The record of administrative changes, as a chain: each row has a hash over itself and the row before.

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use proxy_execute_protocol::Result;
use serde_json::json;

/// The actor of changes that need no API key: the program that opened the gateway, and the command.
pub const OWNER: &str = "owner";

/// An administrative change that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedChange {
    /// When it was made.
    pub at: i64,
    /// The id of the API key, or [`OWNER`].
    pub actor: String,
    /// The kind of thing, a dot, and what happened to it.
    pub action: String,
    /// The id of the thing.
    pub target: String,
}

/// A row of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place: 1 for the first row, without a gap.
    pub seq: i64,
    /// The change.
    pub change: AuditedChange,
    /// [`AuditRow::chained`] to the row before.
    pub hash: String,
}

impl AuditRow {
    /// The hash before the first row.
    pub const NO_HASH: &'static str = "";

    /// Computes the hash of a row after another with the hash `previous`.
    ///
    /// It is SHA-256, in hexadecimal, of a JSON list without blanks: `previous`, the number of the row, its time,
    /// actor, action and target.
    pub fn chained(previous: &str, seq: i64, change: &AuditedChange) -> String {
        let AuditedChange { at, actor, action, target } = change;
        let content = json!([previous, seq, at, actor, action, target]).to_string();
        let hash = digest(&SHA256, content.as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Which rows of the record to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter {
    /// Only rows before this one.
    pub before: Option<i64>,
    /// Only changes from this time on.
    pub since: Option<i64>,
    /// Only changes before this time.
    pub until: Option<i64>,
    /// The number of rows.
    pub limit: u32,
}

/// The record of administrative changes in a store.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds a change to the end of the chain. Several gateways that do so at once wait for one another.
    async fn append_audit(&self, change: AuditedChange) -> Result<()>;

    /// Reads rows, the newest first.
    async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>>;

    /// Reads the rows after a number, in the order of the chain.
    async fn audit_chain(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_documented_text() {
        let change = AuditedChange {
            at: 1_700_000_000_000,
            actor: OWNER.to_owned(),
            action: "api_key.created".to_owned(),
            target: "key_1".to_owned(),
        };
        let text = br#"["",1,1700000000000,"owner","api_key.created","key_1"]"#;
        let hash: String = digest(&SHA256, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(AuditRow::chained(AuditRow::NO_HASH, 1, &change), hash);
    }
}
