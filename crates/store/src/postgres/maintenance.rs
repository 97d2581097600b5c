//! Checks a store in a database. Gateways may be using it meanwhile.

use proxy_execute_protocol::Result;
use sqlx::Connection;

use super::error::store_error;
use super::opening::{check_key, check_schema, connect, empty, has_schema, name_place};
use super::{PostgresOptions, PostgresStore, sealed};
use crate::{KeyCheck, KeyUse, StoreCheck};

impl PostgresStore {
    /// Checks that a database has a store of this version or an older one, all its tables, and that the key is
    /// the right one. Changes nothing.
    ///
    /// # Errors
    /// `StoreCorrupt`, `StoreUnavailable` or `WrongEncryptionKey`, naming the database.
    pub async fn check(options: &PostgresOptions, key: KeyCheck<'_>) -> Result<StoreCheck> {
        let checked = async {
            let mut connection = connect(&options.connect).await?;
            if !has_schema(&mut connection).await? {
                return Err(empty());
            }
            let (schema_version, pending_migrations) = check_schema(&mut connection).await?;
            check_key(&mut connection, key).await?;
            let sealed = sealed::count(&mut connection).await.map_err(store_error)?;
            let counts = sqlx::query_as(StoreCheck::COUNTS).fetch_one(&mut connection).await;
            let (accounts, sessions, api_keys, calls) = counts.map_err(store_error)?;
            connection.close().await.map_err(store_error)?;
            Ok(StoreCheck {
                schema_version,
                pending_migrations,
                encryption_keys: KeyUse::list(key.key_ids, &sealed),
                accounts,
                sessions,
                api_keys,
                calls,
            })
        };
        checked.await.map_err(|error| name_place(options, error))
    }
}
