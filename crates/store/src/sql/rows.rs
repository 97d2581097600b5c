//! How a row of the database becomes a value of this crate.
//!
//! The fields are written out. The macros of sqlx would have a second SQLite compiled, for the compiler itself.

use sqlx::error::BoxDynError;
use sqlx::{FromRow, Result, Row};

use super::dialect::DbRow;
use crate::{
    CallRecord, EventCursors, SealedCredential, SealedSecrets, StoredAccount, StoredAcl, StoredAuthConfig,
    StoredDelivery, StoredEvent, StoredKey, StoredLink, StoredSubscription,
};

/// The value that the text of a column names.
fn named<T>(row: &DbRow, column: &str) -> Result<T>
where
    T: TryFrom<String>,
    T::Error: Into<BoxDynError>,
{
    T::try_from(row.try_get(column)?)
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() })
}

/// The count in a column. PostgreSQL has no unsigned numbers.
fn count(row: &DbRow, column: &str) -> Result<u32> {
    u32::try_from(row.try_get::<i64, _>(column)?)
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() })
}

impl FromRow<'_, DbRow> for StoredAccount {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            user_id: row.try_get("user_id")?,
            toolkit: row.try_get("toolkit")?,
            auth_config_id: row.try_get("auth_config_id")?,
            alias: row.try_get("alias")?,
            word_id: row.try_get("word_id")?,
            auth_scheme: named(row, "auth_scheme")?,
            status: named(row, "status")?,
            status_reason: row.try_get("status_reason")?,
            is_disabled: row.try_get("is_disabled")?,
            account_type: named(row, "account_type")?,
            is_default: row.try_get("is_default")?,
            acl: StoredAcl::from_row(row)?,
            credential: SealedCredential::from_row(row)?,
            credential_version: row.try_get("credential_version")?,
            credential_at: row.try_get("credential_at")?,
            refreshed_at: row.try_get("refreshed_at")?,
            failures: count(row, "failures")?,
            retry_at: row.try_get("retry_at")?,
            problem: row.try_get("problem")?,
            refusals: count(row, "refusals")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            seq: row.try_get("seq")?,
            config_is_disabled: row.try_get("config_is_disabled")?,
            config_has_client: row.try_get("config_has_client")?,
        })
    }
}

impl FromRow<'_, DbRow> for StoredAcl {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            allow_all_users: row.try_get("allow_all_users")?,
            allowed_user_ids: named(row, "allowed_user_ids")?,
            not_allowed_user_ids: named(row, "not_allowed_user_ids")?,
        })
    }
}

impl FromRow<'_, DbRow> for SealedCredential {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            sealed: row.try_get("credential")?,
            key_id: row.try_get("key_id")?,
            expires_at: row.try_get("expires_at")?,
            renewable: row.try_get("renewable")?,
        })
    }
}

impl FromRow<'_, DbRow> for StoredAuthConfig {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            toolkit: row.try_get("toolkit")?,
            name: row.try_get("name")?,
            kind: named(row, "type")?,
            auth_scheme: named(row, "auth_scheme")?,
            status: named(row, "status")?,
            credentials: row.try_get("credentials")?,
            key_id: row.try_get("key_id")?,
            has_client: row.try_get("has_client")?,
            settings: row.try_get("settings")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            seq: row.try_get("seq")?,
            accounts: row.try_get("accounts")?,
        })
    }
}

impl FromRow<'_, DbRow> for StoredLink {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            token_hash: row.try_get("token_hash")?,
            account_id: row.try_get("account_id")?,
            callback_url: row.try_get("callback_url")?,
            scopes: row.try_get("scopes")?,
            browser_hash: row.try_get("browser_hash")?,
            verifier: row.try_get("verifier")?,
            given: row.try_get("given")?,
            key_id: row.try_get("key_id")?,
            expires_at: row.try_get("expires_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

impl FromRow<'_, DbRow> for StoredKey {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            hash: row.try_get("hash")?,
            permissions: row.try_get("permissions")?,
            allowed_addresses: row.try_get("allowed_addresses")?,
            expires_at: row.try_get("expires_at")?,
            created_at: row.try_get("created_at")?,
            last_used_at: row.try_get("last_used_at")?,
            revoked_at: row.try_get("revoked_at")?,
        })
    }
}

impl FromRow<'_, DbRow> for CallRecord {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            user_id: row.try_get("user_id")?,
            session_id: row.try_get("session_id")?,
            toolkit: row.try_get("toolkit")?,
            account_id: row.try_get("account_id")?,
            method: row.try_get("method")?,
            host: row.try_get("host")?,
            path: row.try_get("path")?,
            outcome: row.try_get("outcome")?,
            status: row.try_get("status")?,
            bytes: row.try_get("bytes")?,
            duration_us: row.try_get("duration_us")?,
            request_id: row.try_get("request_id")?,
        })
    }
}

impl FromRow<'_, DbRow> for StoredEvent {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            cursor: row.try_get("cursor")?,
            id: row.try_get("id")?,
            event_type: row.try_get("type")?,
            at: row.try_get("at")?,
            account_id: row.try_get("account_id")?,
            user_id: row.try_get("user_id")?,
            toolkit: row.try_get("toolkit")?,
            auth_config_id: row.try_get("auth_config_id")?,
            auth_scheme: named(row, "auth_scheme")?,
            alias: row.try_get("alias")?,
            word_id: row.try_get("word_id")?,
            status: named(row, "status")?,
            reason: row.try_get("reason")?,
            is_disabled: row.try_get("is_disabled")?,
            account_type: named(row, "account_type")?,
            expires_at: row.try_get("expires_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

impl FromRow<'_, DbRow> for EventCursors {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self { last: row.try_get("last")?, forgotten: row.try_get("forgotten")? })
    }
}

impl FromRow<'_, DbRow> for StoredSubscription {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            url: row.try_get("url")?,
            enabled_events: row.try_get("enabled_events")?,
            secrets: SealedSecrets::from_row(row)?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            seq: row.try_get("seq")?,
        })
    }
}

impl FromRow<'_, DbRow> for SealedSecrets {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            secret: row.try_get("secret")?,
            previous: row.try_get("previous_secret")?,
            previous_until: row.try_get("previous_until")?,
            key_id: row.try_get("key_id")?,
        })
    }
}

impl FromRow<'_, DbRow> for StoredDelivery {
    fn from_row(row: &DbRow) -> Result<Self> {
        Ok(Self {
            event_id: row.try_get("event_id")?,
            event: row.try_get("event")?,
            event_type: row.try_get("event_type")?,
            status: named(row, "status")?,
            attempts: row.try_get("attempts")?,
            due_at: row.try_get("due_at")?,
            response_status: row.try_get("response_status")?,
            problem: row.try_get("problem")?,
            created_at: row.try_get("created_at")?,
            ended_at: row.try_get("ended_at")?,
            seq: row.try_get("seq")?,
        })
    }
}
