//! Copies a store from a SQLite file to a PostgreSQL database.
//!
//! The copy is one transaction. A copy that was killed has changed nothing, and a second copy of the same store
//! finds all rows and adds none. A database with other rows is refused, because gateways may have used it.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use futures::TryStreamExt;
use proxy_execute_protocol::{Error, ErrorKind, Result};
use serde::Serialize;
use sqlx::error::BoxDynError;
use sqlx::{AssertSqlSafe, Connection, Database, PgConnection, QueryBuilder, Row, SqliteConnection};

use crate::{KeyCheck, PostgresOptions, PostgresStore, SqliteStore, postgres, sqlite};

/// The tables in an order in which each row finds the rows that it refers to, and the columns of their keys.
///
/// Triggers fill `account_counts`. The text in `meta` differs with each encryption.
const TABLES: [(&str, &str); 11] = [
    ("sessions", "id"),
    ("auth_configs", "seq"),
    ("connected_accounts", "seq"),
    ("links", "token_hash"),
    ("api_keys", "id"),
    ("calls", "id"),
    ("audit_log", "seq"),
    ("events", "seq"),
    ("event_cursors", "name"),
    ("webhook_subscriptions", "seq"),
    ("webhook_deliveries", "seq"),
];

/// How many rows an INSERT has. PostgreSQL takes 65 535 values in a statement.
const ROWS_AT_ONCE: usize = 500;

/// A table that was copied.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct CopiedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// How many of them this copy has added.
    pub added: u64,
    /// SHA-256 of all rows, in hexadecimal. It is the same for both stores.
    pub digest: String,
}

/// A column of a table.
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bytes,
    Number,
    Flag,
}

#[derive(Clone)]
enum Value {
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Flag(Option<bool>),
}

/// Copies all rows of a store in a file to a database, and compares them. The gateways of both must be closed.
///
/// # Errors
/// `StoreUnavailable`, `StoreCorrupt` or `WrongEncryptionKey`, naming the store; `Conflict` if the database has
/// other rows. Nothing was changed then.
pub async fn copy_store(file: &Path, to: &PostgresOptions, key: KeyCheck<'_>) -> Result<Vec<CopiedTable>> {
    let checked = SqliteStore::check(file, key).await?;
    if checked.pending_migrations > 0 {
        let message = format!("{}: the schema is that of an older version.", file.display());
        return Err(Error::new(ErrorKind::StoreUnavailable, message)
            .fix("Open it once with this version, for example with `accounts list`."));
    }
    PostgresStore::bring_up_to_date(to).await.map_err(|error| postgres::name_place(to, error))?;
    let copied = async {
        let mut source = sqlite::read_only(file).await?;
        let mut target = postgres::connect(to).await?;
        let copied = copy(&mut source, &mut target, key).await?;
        target.close().await.map_err(postgres::store_error)?;
        source.close().await.map_err(sqlite::store_error)?;
        Ok(copied)
    };
    copied.await.map_err(|error| postgres::name_place(to, error))
}

async fn copy(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    key: KeyCheck<'_>,
) -> Result<Vec<CopiedTable>> {
    // All rows are those of one moment.
    let mut source = source.begin().await.map_err(sqlite::store_error)?;
    let mut target = target.begin().await.map_err(postgres::store_error)?;
    // The copied accounts are no news: the events are copied as well.
    let copies = sqlx::query("SET LOCAL proxy_execute.copies = 'on'");
    copies.execute(&mut *target).await.map_err(postgres::store_error)?;
    let keep = sqlx::query(KeyCheck::INSERT).bind(key.sealed).bind(key.key_ids.first());
    keep.execute(&mut *target).await.map_err(postgres::store_error)?;
    postgres::check_key(&mut target, key).await?;
    let mut copied = Vec::with_capacity(TABLES.len());
    for (table, by) in TABLES {
        let columns = columns(&mut target, table, by).await.map_err(postgres::store_error)?;
        let added = insert_all(&mut source, &mut target, table, by, &columns).await?;
        let (rows, digest) = digest_of::<sqlx::Sqlite>(&mut source, table, by, &columns, |row, at, kind| {
            value_of_sqlite(row, at, kind)
        })
        .await
        .map_err(sqlite::store_error)?;
        let in_target = digest_of::<sqlx::Postgres>(&mut target, table, by, &columns, value_of_postgres);
        let (rows_of_target, digest_of_target) = in_target.await.map_err(postgres::store_error)?;
        if (rows, &digest) != (rows_of_target, &digest_of_target) {
            let message = format!(
                "the table `{table}` has {rows_of_target} rows after the copy, which differ from the {rows} of the \
                 file. Nothing was changed."
            );
            return Err(Error::new(ErrorKind::Conflict, message)
                .fix("Copy to an empty database. Gateways may have used this one."));
        }
        copied.push(CopiedTable { table, rows, added, digest });
    }
    for table in
        ["auth_configs", "connected_accounts", "events", "webhook_subscriptions", "webhook_deliveries"]
    {
        continue_numbers(&mut target, table, "seq").await.map_err(postgres::store_error)?;
    }
    continue_numbers(&mut target, "calls", "id").await.map_err(postgres::store_error)?;
    target.commit().await.map_err(postgres::store_error)?;
    Ok(copied)
}

/// The columns of a table that are written. The database computes the others.
async fn columns(target: &mut PgConnection, table: &str, by: &str) -> sqlx::Result<Vec<Column>> {
    let select = sqlx::query_as(
        "SELECT column_name::TEXT, data_type::TEXT FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position",
    );
    let columns: Vec<(String, String)> = select.bind(table).fetch_all(target).await?;
    columns
        .into_iter()
        // Links are numbered in a database only.
        .filter(|(name, _)| name != "seq" || name == by)
        .map(|(name, kind)| {
            let kind = match kind.as_str() {
                "text" => Kind::Text,
                "bytea" => Kind::Bytes,
                "bigint" => Kind::Number,
                "boolean" => Kind::Flag,
                other => {
                    let source: BoxDynError = format!("a column of the type {other}").into();
                    return Err(sqlx::Error::ColumnDecode { index: name, source });
                }
            };
            Ok(Column { name, kind })
        })
        .collect()
}

/// Inserts the rows that the target lacks, and returns their number.
async fn insert_all(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    table: &str,
    by: &str,
    columns: &[Column],
) -> Result<u64> {
    let select = select(table, by, columns, "");
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(source);
    let (mut added, mut batch) = (0, Vec::with_capacity(ROWS_AT_ONCE));
    loop {
        let row = rows.try_next().await.map_err(sqlite::store_error)?;
        let is_last = row.is_none();
        if let Some(row) = row {
            let values = values(&row, columns, value_of_sqlite).map_err(sqlite::store_error)?;
            batch.push(values);
        }
        if batch.len() == ROWS_AT_ONCE || (is_last && !batch.is_empty()) {
            added += insert(target, table, columns, &batch).await.map_err(postgres::store_error)?;
            batch.clear();
        }
        if is_last {
            return Ok(added);
        }
    }
}

async fn insert(
    target: &mut PgConnection,
    table: &str,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> sqlx::Result<u64> {
    let mut query = QueryBuilder::new(format!("INSERT INTO {table} ({}) ", names(columns)));
    query.push_values(rows, |mut row, values| {
        for value in values.iter().cloned() {
            match value {
                Value::Text(text) => row.push_bind(text),
                Value::Bytes(bytes) => row.push_bind(bytes),
                Value::Number(number) => row.push_bind(number),
                Value::Flag(flag) => row.push_bind(flag),
            };
        }
    });
    query.push(" ON CONFLICT DO NOTHING");
    Ok(query.build().execute(target).await?.rows_affected())
}

/// The number of rows of a table, and the digest of their values in the order of their keys.
async fn digest_of<'c, DB>(
    connection: &'c mut DB::Connection,
    table: &str,
    by: &str,
    columns: &[Column],
    value_of: impl Fn(&DB::Row, usize, Kind) -> sqlx::Result<Value>,
) -> sqlx::Result<(u64, String)>
where
    DB: Database,
    DB::Arguments: sqlx::IntoArguments<DB>,
    &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let collation =
        match (DB::NAME, columns.iter().find(|column| column.name == by).map(|column| column.kind)) {
            // SQLite compares bytes.
            ("PostgreSQL", Some(Kind::Text)) => " COLLATE \"C\"",
            _ => "",
        };
    let select = select(table, by, columns, collation);
    let mut stream = sqlx::query(AssertSqlSafe(select)).fetch(connection);
    let (mut rows, mut digest) = (0, Context::new(&SHA256));
    while let Some(row) = stream.try_next().await? {
        rows += 1;
        for value in values(&row, columns, &value_of)? {
            value.digest(&mut digest);
        }
    }
    let digest = digest.finish();
    Ok((rows, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn select(table: &str, by: &str, columns: &[Column], collation: &str) -> String {
    format!("SELECT {} FROM {table} ORDER BY {by}{collation}", names(columns))
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn values<R>(
    row: &R,
    columns: &[Column],
    value_of: impl Fn(&R, usize, Kind) -> sqlx::Result<Value>,
) -> sqlx::Result<Vec<Value>> {
    columns.iter().enumerate().map(|(at, column)| value_of(row, at, column.kind)).collect()
}

fn value_of_sqlite(row: &sqlx::sqlite::SqliteRow, at: usize, kind: Kind) -> sqlx::Result<Value> {
    Ok(match kind {
        Kind::Text => Value::Text(row.try_get(at)?),
        Kind::Bytes => Value::Bytes(row.try_get(at)?),
        Kind::Number => Value::Number(row.try_get(at)?),
        Kind::Flag => Value::Flag(row.try_get(at)?),
    })
}

fn value_of_postgres(row: &sqlx::postgres::PgRow, at: usize, kind: Kind) -> sqlx::Result<Value> {
    Ok(match kind {
        Kind::Text => Value::Text(row.try_get(at)?),
        Kind::Bytes => Value::Bytes(row.try_get(at)?),
        Kind::Number => Value::Number(row.try_get(at)?),
        Kind::Flag => Value::Flag(row.try_get(at)?),
    })
}

impl Value {
    /// Adds the value with its length, so that no two lists of values have one encoding.
    fn digest(&self, digest: &mut Context) {
        let number = |number: &i64| number.to_be_bytes().to_vec();
        let bytes = match self {
            Self::Text(text) => text.as_ref().map(|text| text.as_bytes().to_vec()),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Number(value) => value.as_ref().map(number),
            Self::Flag(flag) => flag.map(|flag| number(&i64::from(flag))),
        };
        match bytes {
            None => digest.update(&[0]),
            Some(bytes) => {
                digest.update(&[1]);
                digest.update(&(bytes.len() as u64).to_be_bytes());
                digest.update(&bytes);
            }
        }
    }
}

/// Lets the numbers of new rows begin behind those that were copied.
async fn continue_numbers(target: &mut PgConnection, table: &str, column: &str) -> sqlx::Result<()> {
    let select = format!(
        "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, FALSE) FROM {table}"
    );
    sqlx::query(AssertSqlSafe(select)).execute(target).await.map(drop)
}
