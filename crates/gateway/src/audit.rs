//! The record of administrative changes: which key or program changed what, and when.
//!
//! A change is recorded right after it was made, and before its response. The two are no transaction: a change may
//! consist of several statements and requests to a provider. If the gateway is killed in between, or if the store
//! fails, the change stands without an entry, and the log has the failure.

use std::fmt;
use std::sync::Arc;

use proxy_execute_protocol::{
    AuditEntry, AuditPage, AuditVerification, BrokenAuditEntry, Error, ErrorKind, ListAudit, Result,
    VerifyAudit,
};
use proxy_execute_store::{AuditFilter, AuditRow, AuditedChange, Clock, OWNER, Store, StoredKey};

use crate::clock::{read_time, rfc3339};
use crate::page::read_limit;

/// The size of a page, and its limit.
const DEFAULT_LIMIT: u32 = 100;
const MOST: u32 = 1_000;

/// The caller that makes a change.
#[derive(Debug, Clone)]
pub enum Actor {
    /// The program that opened the gateway, or the command.
    Owner,
    /// An API key.
    ApiKey(Arc<StoredKey>),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => OWNER,
            Self::ApiKey(key) => &key.id,
        })
    }
}

/// An action, which happened to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the actions")]
pub enum Action {
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthConfigCreated,
    AuthConfigUpdated,
    AuthConfigEnabled,
    AuthConfigDisabled,
    AuthConfigDeleted,
    AccountCreated,
    AccountUpdated,
    AccountShared,
    AccountEnabled,
    AccountDisabled,
    AccountMadeDefault,
    AccountNoLongerDefault,
    AccountRevoked,
    AccountDeleted,
    UserDeleted,
    WebhookCreated,
    WebhookUpdated,
    WebhookDeleted,
    WebhookSecretRotated,
    WebhookReplayed,
    KeyRotated,
}

impl Action {
    /// The name in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::AuthConfigCreated => "auth_config.created",
            Self::AuthConfigUpdated => "auth_config.updated",
            Self::AuthConfigEnabled => "auth_config.enabled",
            Self::AuthConfigDisabled => "auth_config.disabled",
            Self::AuthConfigDeleted => "auth_config.deleted",
            Self::AccountCreated => "connected_account.created",
            Self::AccountUpdated => "connected_account.updated",
            Self::AccountShared => "connected_account.shared",
            Self::AccountEnabled => "connected_account.enabled",
            Self::AccountDisabled => "connected_account.disabled",
            Self::AccountMadeDefault => "connected_account.made_default",
            Self::AccountNoLongerDefault => "connected_account.no_longer_default",
            Self::AccountRevoked => "connected_account.revoked",
            Self::AccountDeleted => "connected_account.deleted",
            Self::UserDeleted => "user.deleted",
            Self::WebhookCreated => "webhook_subscription.created",
            Self::WebhookUpdated => "webhook_subscription.updated",
            Self::WebhookDeleted => "webhook_subscription.deleted",
            Self::WebhookSecretRotated => "webhook_subscription.secret_rotated",
            Self::WebhookReplayed => "webhook_subscription.replayed",
            Self::KeyRotated => "store.key_rotated",
        }
    }

    /// The change of the thing with this id.
    pub fn of(self, id: impl Into<String>) -> Change {
        Change { action: self, target: id.into() }
    }
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    action: Action,
    target: String,
}

impl Change {
    /// The row of the record, without its place in the chain.
    pub(crate) fn by(self, actor: &Actor, at: i64) -> AuditedChange {
        AuditedChange {
            at,
            actor: actor.to_string(),
            action: self.action.name().to_owned(),
            target: self.target,
        }
    }
}

/// The record of administrative changes.
#[derive(Debug, Clone)]
pub struct Audit {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
}

impl Audit {
    /// Records a change. A failure is logged with the change, because the change was made.
    pub(crate) async fn record(&self, actor: &Actor, change: Change) {
        let (action, target) = (change.action.name(), change.target.clone());
        if let Err(error) = self.store.append_audit(change.by(actor, self.clock.now())).await {
            tracing::error!(%actor, action, target, %error, "a change is not in the audit record");
        }
    }

    /// Lists changes, newest first.
    ///
    /// # Errors
    /// `InvalidRequest` that names the parameter that cannot be used.
    pub async fn list(&self, request: ListAudit) -> Result<AuditPage> {
        let limit = read_limit(request.limit, DEFAULT_LIMIT, MOST)?;
        let before = request.cursor.map(|cursor| {
            cursor.parse().map_err(|_| unusable("cursor", "is not the `next_cursor` of a page.".to_owned()))
        });
        let filter = AuditFilter {
            before: before.transpose()?,
            since: read_time(request.since.as_deref(), "since")?,
            until: read_time(request.until.as_deref(), "until")?,
            limit: limit + 1,
        };
        let mut rows = self.store.audit_rows(filter).await?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| row.seq.to_string());
        let shown = |AuditRow { seq, change, hash }| AuditEntry {
            number: seq,
            at: rfc3339(change.at),
            actor: change.actor,
            action: change.action,
            target: change.target,
            hash,
        };
        Ok(AuditPage { items: rows.into_iter().map(shown).collect(), next_cursor })
    }

    /// Verifies the chain from the first entry to the last, or to the first that is not as it was written.
    ///
    /// # Errors
    /// `InvalidRequest` for a head that is no hash.
    pub async fn verify(&self, request: VerifyAudit) -> Result<AuditVerification> {
        let is_hash = |head: &String| head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wanted = request.head.map(|head| head.to_ascii_lowercase());
        if wanted.as_ref().is_some_and(|head| !is_hash(head)) {
            return Err(unusable("head", "is not a hash of 64 hexadecimal digits.".to_owned()));
        }
        let (mut entries, mut last, mut broken) = (0, None, None);
        let mut has_head = wanted.as_ref().map(|_| false);
        'pages: loop {
            let rows = self.store.audit_chain(entries, MOST).await?;
            if rows.is_empty() {
                break;
            }
            for AuditRow { seq, change, hash } in rows {
                let previous = last.as_deref().unwrap_or(AuditRow::NO_HASH);
                let reason = if seq != entries + 1 {
                    "an entry before it is missing"
                } else if hash != AuditRow::chained(previous, seq, &change) {
                    "it, or the hash of the entry before it, was changed"
                } else {
                    ""
                };
                if !reason.is_empty() {
                    broken = Some(BrokenAuditEntry { number: seq, reason: reason.to_owned() });
                    break 'pages;
                }
                if wanted.as_ref() == Some(&hash) {
                    has_head = Some(true);
                }
                entries = seq;
                last = Some(hash);
            }
        }
        let intact = broken.is_none() && has_head != Some(false);
        Ok(AuditVerification { intact, entries, head: last, broken, has_head })
    }
}

fn unusable(field: &str, fact: String) -> Error {
    Error::of_field(ErrorKind::InvalidRequest, field, format!("{field}: {fact}"))
}
