//! API keys: who may ask for what on the port (contract §1).
//!
//! A key is 256 random bits, so a plain SHA-256 of it is enough to store: there is nothing to guess.

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use proxy_execute_protocol::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clock::{now, rfc3339};
use crate::gateway::Parts;
use crate::id;
use crate::store::StoredKey;

/// The permission areas of the contract.
const AREAS: &[&str] = &[
    "auth_configs",
    "connected_accounts",
    "mcp_servers",
    "observability",
    "proxy_execute",
    "sessions",
    "tool_execution",
    "toolkits",
    "tools",
    "triggers",
    "webhooks",
];

/// How exact "last used" is; every call would otherwise be a write.
const LAST_USED_RESOLUTION_MS: i64 = 60_000;

/// What a key may do in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    None,
    /// Look.
    Read,
    /// Change or run.
    Write,
    /// Both.
    ReadWrite,
}

impl Level {
    fn covers(self, needed: Self) -> bool {
        self == needed || self == Self::ReadWrite
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "read_write",
        }
    }
}

/// Area to level.
type Permissions = BTreeMap<String, Level>;

/// The request for a key. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreateApiKey {
    /// A name to tell keys apart.
    pub name: Option<String>,
    /// What the key may do, fixed at creation; everything when absent.
    pub permissions: Option<Permissions>,
}

/// A key that was just made. Not `Debug`: it holds the key.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds the key")]
pub struct NewApiKey {
    /// The key itself, shown this once.
    pub key: String,
    /// The rest.
    #[serde(flatten)]
    pub shown: ApiKey,
}

/// A key, without the key.
#[derive(Debug, Serialize)]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    /// The name given to it.
    pub name: Option<String>,
    /// What it may do; everything when null.
    pub permissions: Option<Permissions>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339, exact to a minute.
    pub last_used_at: Option<String>,
    /// RFC 3339; null while it is valid.
    pub revoked_at: Option<String>,
}

/// Makes a key.
pub(crate) async fn create(gateway: &Parts, request: CreateApiKey) -> Result<NewApiKey> {
    if let Some(area) = request
        .permissions
        .iter()
        .flatten()
        .map(|(area, _)| area)
        .find(|area| !AREAS.contains(&area.as_str()))
    {
        let message = format!("permissions: there is no area `{area}`; the areas are {}.", AREAS.join(", "));
        return Err(Error::new(ErrorKind::InvalidRequest, message.clone()).with_errors(vec![message]));
    }
    let key = id::api_key();
    let stored = StoredKey {
        id: id::random("key"),
        name: request.name,
        hash: hash(&key),
        permissions: request
            .permissions
            .map(|permissions| serde_json::to_string(&permissions).expect("areas and levels are strings")),
        created_at: now(),
        last_used_at: None,
        revoked_at: None,
    };
    gateway.store.insert_key(&stored).await?;
    Ok(NewApiKey { key, shown: shown(stored)? })
}

/// Lists keys.
pub(crate) async fn list(gateway: &Parts) -> Result<Vec<ApiKey>> {
    gateway.store.keys().await?.into_iter().map(shown).collect()
}

/// Revokes a key.
pub(crate) async fn revoke(gateway: &Parts, id: &str) -> Result<()> {
    if gateway.store.revoke_key(id).await? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotFound, format!("API key `{id}` was revoked already, or never existed.")))
}

/// Lets a request pass whose key covers `level` in `area`.
///
/// # Errors
/// `Unauthenticated` without a valid key, `PermissionDenied` without the permission; both name it.
pub(crate) async fn authorize(gateway: &Parts, key: Option<&[u8]>, area: &str, level: Level) -> Result<()> {
    let needed = format!("`{area}: {}`", level.name());
    let Some(key) = key else {
        return Err(Error::new(
            ErrorKind::Unauthenticated,
            format!("No API key was given; this needs one with {needed}."),
        )
        .fix("Send it in the `x-api-key` header. gateway.apiKeys.create() makes one."));
    };
    let hash = hash_bytes(key);
    let stored = gateway.store.key_by_hash(&hash).await?;
    let stored =
        stored.filter(|stored| verify_slices_are_equal(&stored.hash, &hash).is_ok()).ok_or_else(|| {
            Error::new(ErrorKind::Unauthenticated, format!("Invalid API key; this needs one with {needed}."))
                .fix("Check the key; it may have been revoked. gateway.apiKeys.create() makes a new one.")
        })?;
    if stored.last_used_at.is_none_or(|at| now() - at > LAST_USED_RESOLUTION_MS) {
        // A note for the operator; not worth refusing a valid key for.
        if let Err(error) = gateway.store.touch_key(&stored.id).await {
            tracing::warn!(key = stored.id, %error, "the last use of a key could not be noted");
        }
    }
    let granted = match permissions(&stored)? {
        None => true,
        Some(permissions) => permissions.get(area).is_some_and(|granted| granted.covers(level)),
    };
    if granted {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!("API key {} lacks the permission {needed}.", stored.id),
    )
    .fix("Permissions are fixed when a key is made: make a new one that has it."))
}

fn hash(key: &str) -> Vec<u8> {
    hash_bytes(key.as_bytes())
}

fn hash_bytes(key: &[u8]) -> Vec<u8> {
    digest(&SHA256, key).as_ref().to_vec()
}

fn permissions(key: &StoredKey) -> Result<Option<Permissions>> {
    key.permissions.as_deref().map(serde_json::from_str).transpose().map_err(|error| {
        tracing::error!(key = key.id, %error, "stored permissions cannot be read");
        Error::new(ErrorKind::Internal, format!("The permissions of API key {} cannot be read.", key.id))
    })
}

fn shown(key: StoredKey) -> Result<ApiKey> {
    Ok(ApiKey {
        permissions: permissions(&key)?,
        id: key.id,
        name: key.name,
        created_at: rfc3339(key.created_at),
        last_used_at: key.last_used_at.map(rfc3339),
        revoked_at: key.revoked_at.map(rfc3339),
    })
}
