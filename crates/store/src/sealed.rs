//! The sealed fields of all rows, by the key that sealed them. The rotation of keys reads and replaces them.

use async_trait::async_trait;
use proxy_execute_protocol::Result;
use serde::Serialize;

/// A table with sealed fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedTable {
    /// The credentials of auth configs.
    AuthConfigs,
    /// The credentials of connected accounts.
    Accounts,
    /// The flows behind links.
    Links,
    /// The secrets of webhook subscriptions.
    WebhookSubscriptions,
    /// The text that shows whether a gateway has the key of the store.
    KeyCheck,
}

impl SealedTable {
    /// All of them. The key check is last, so that its key is the last one to be replaced.
    pub const ALL: [Self; 5] =
        [Self::AuthConfigs, Self::Accounts, Self::Links, Self::WebhookSubscriptions, Self::KeyCheck];

    /// Its name in the database, which its sealed fields are bound to.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthConfigs => "auth_configs",
            Self::Accounts => "connected_accounts",
            Self::Links => "links",
            Self::WebhookSubscriptions => "webhook_subscriptions",
            Self::KeyCheck => "meta",
        }
    }

    /// Its columns with sealed fields.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::AuthConfigs => &["credentials"],
            Self::Accounts => &["credential"],
            Self::Links => &["callback_url", "verifier", "given"],
            Self::WebhookSubscriptions => &["secret", "previous_secret"],
            Self::KeyCheck => &["value"],
        }
    }
}

/// The sealed fields of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The place of the row in the order of its table.
    pub position: i64,
    /// The id that the fields are bound to: of a link, the hash of its token in hexadecimal.
    pub id: String,
    /// The key that sealed the fields; `None` if an earlier version of the gateway did not note it.
    pub key_id: Option<String>,
    /// The fields, in the order of [`SealedTable::fields`].
    pub fields: Vec<Option<Vec<u8>>>,
}

/// A row whose fields are sealed with another key.
#[derive(Debug, Clone)]
pub struct ResealedRow {
    /// The row as it was read.
    pub read: SealedRow,
    /// The same fields, sealed again.
    pub fields: Vec<Option<Vec<u8>>>,
}

/// How many rows of a table a key has sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCount {
    /// The table.
    pub table: SealedTable,
    /// The key; `None` if an earlier version of the gateway did not note it.
    pub key_id: Option<String>,
    /// The number of rows.
    pub rows: u64,
}

/// The sealed fields of a store.
#[async_trait]
pub trait SealedRows: Send + Sync {
    /// Counts the rows by table and key. A key without rows is left out.
    async fn count_sealed(&self) -> Result<Vec<SealedCount>>;

    /// Reads the first rows of a table, behind the position `after`, that this key has sealed.
    async fn sealed_rows(
        &self,
        table: SealedTable,
        key_id: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>>;

    /// Replaces the fields of each row that still has the fields that were read, and notes their key. Returns
    /// how many rows were replaced.
    ///
    /// Everything else of a row stays as it is, such as the version of a credential and the lease of its
    /// refresh: the secret is the same. So a refresh in flight ends as if nothing had happened.
    async fn reseal_rows(&self, table: SealedTable, key_id: &str, rows: Vec<ResealedRow>) -> Result<u64>;
}

/// The rows that a key has sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// The key; `None` if an earlier version of the gateway did not note it.
    pub key_id: Option<String>,
    /// The number of auth configs.
    pub auth_configs: u64,
    /// The number of connected accounts.
    pub accounts: u64,
    /// The number of links.
    pub links: u64,
    /// The number of webhook subscriptions.
    pub webhook_subscriptions: u64,
    /// 1 if the store is marked as one of this key.
    pub key_checks: u64,
}

impl KeyUse {
    /// Lists the keys of a gateway in their order, and then all other keys that have sealed a row.
    pub fn list(key_ids: &[String], counts: &[SealedCount]) -> Vec<Self> {
        let mut uses: Vec<Self> =
            key_ids.iter().map(|key_id| Self { key_id: Some(key_id.clone()), ..Self::default() }).collect();
        for SealedCount { table, key_id, rows } in counts {
            let place = uses.iter().position(|known| known.key_id == *key_id).unwrap_or_else(|| {
                uses.push(Self { key_id: key_id.clone(), ..Self::default() });
                uses.len() - 1
            });
            uses[place].add(*table, *rows);
        }
        uses
    }

    /// Adds rows of a table.
    pub fn add(&mut self, table: SealedTable, rows: u64) {
        *match table {
            SealedTable::AuthConfigs => &mut self.auth_configs,
            SealedTable::Accounts => &mut self.accounts,
            SealedTable::Links => &mut self.links,
            SealedTable::WebhookSubscriptions => &mut self.webhook_subscriptions,
            SealedTable::KeyCheck => &mut self.key_checks,
        } += rows;
    }

    /// The number of rows of all tables.
    pub fn rows(&self) -> u64 {
        self.auth_configs + self.accounts + self.links + self.webhook_subscriptions + self.key_checks
    }
}
