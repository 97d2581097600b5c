//! API keys: the permissions of each caller of the port (`docs/wire.md`).
//!
//! A key is 256 random bits, so a plain SHA-256 hash is safe to store: the key cannot be guessed from it.
//!
//! A key may create keys. Each limit of such a key is within that of its creator, so no key can give itself more access.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use ipnet::IpNet;
use proxy_execute_protocol::{
    ApiKey, Area, CreateApiKey, Error, ErrorKind, Level, NewApiKey, Permissions, Result, quoted,
};
use proxy_execute_store::{Clock, Store, StoredKey};

use crate::audit::Actor;
use crate::clock::{read_time, rfc3339};
use crate::{bounds, id};

/// The resolution of the time of last use, in milliseconds. Without it, every call would be a write.
const LAST_USED_RESOLUTION_MS: i64 = 60_000;

/// The two ways to create a key, for advice.
const CREATES_A_KEY: &str = "`npx proxy-execute keys create`, or gateway.apiKeys.create(),";

/// The API keys of a gateway.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    store: Arc<dyn Store>,
    clock: Clock,
}

impl ApiKeys {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Creates a key.
    ///
    /// # Errors
    /// `InvalidRequest` for an unknown permission area, or a limit that cannot be read. `PermissionDenied` if the new
    /// key would have more access than the key that creates it.
    pub async fn create(&self, request: CreateApiKey, creator: &Actor) -> Result<NewApiKey> {
        let permissions = request.permissions.map(areas).transpose()?;
        bounds::length(request.name.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "name")?;
        bounds::listed(request.allowed_addresses.as_ref().map_or(0, Vec::len), "allowed_addresses")?;
        let networks = request.allowed_addresses.iter().flatten();
        if let Some(network) = networks.clone().find(|network| parse_network(network).is_none()) {
            return Err(Error::of_field(
                ErrorKind::InvalidRequest,
                "allowed_addresses",
                format!(
                    "allowed_addresses: `{}` is neither an address nor a network such as 10.0.0.0/8.",
                    quoted(network)
                ),
            ));
        }
        let expires_at = read_time(request.expires_at.as_deref(), "expires_at")?;
        let key = id::secret("ak");
        let stored = StoredKey {
            id: id::random("key"),
            name: request.name,
            hash: hash(&key),
            permissions: permissions.map(|permissions| {
                serde_json::to_string(&permissions).expect("areas and levels are strings")
            }),
            allowed_addresses: request
                .allowed_addresses
                .map(|networks| serde_json::json!(networks).to_string()),
            expires_at,
            created_at: self.clock.now(),
            last_used_at: None,
            revoked_at: None,
        };
        if let Actor::ApiKey(creator) = creator {
            check_within(&stored, creator)?;
        }
        self.store.insert_key(&stored).await?;
        Ok(NewApiKey { key, shown: shown(stored)? })
    }

    /// Lists keys.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<ApiKey>> {
        self.store.keys().await?.into_iter().map(shown).collect()
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn revoke(&self, id: &str) -> Result<()> {
        if self.store.revoke_key(id).await? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NotFound,
            format!("API key `{}` was revoked already, or never existed.", quoted(id)),
        ))
    }

    /// Returns the key of a request, whatever its permissions are. `area` and `level` are those that the request
    /// needs, for the errors.
    ///
    /// # Errors
    /// `Unauthenticated` without a valid key, `AddressNotAllowed` if the key does not allow the caller's address.
    pub async fn identify(
        &self,
        key: Option<&[u8]>,
        from: Option<IpAddr>,
        area: Area,
        level: Level,
    ) -> Result<Arc<StoredKey>> {
        let needed = || permission(area, level);
        let Some(key) = key else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                format!("No API key was given; this request needs a key with {}.", needed()),
            )
            .fix(format!("Send it in the `x-api-key` header. {CREATES_A_KEY} creates one.")));
        };
        let hash = hash_bytes(key);
        let stored = self.store.key_by_hash(&hash).await?;
        let stored = stored
            .filter(|stored| verify_slices_are_equal(&stored.hash, &hash).is_ok())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Unauthenticated,
                    format!("Invalid API key; this request needs a key with {}.", needed()),
                )
                .fix(format!("Check the key; it may have been revoked. {CREATES_A_KEY} creates a new one."))
            })?;
        if stored.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                format!("API key {} has expired.", stored.id),
            )
            .fix(format!("{CREATES_A_KEY} creates a new one.")));
        }
        if let Some(networks) = allowed_addresses(&stored)? {
            let from = from.map(|address| address.to_canonical());
            let is_allowed = |network: &String| {
                parse_network(network).zip(from).is_some_and(|(network, from)| network.contains(&from))
            };
            if !networks.iter().any(is_allowed) {
                return Err(Error::new(
                    ErrorKind::AddressNotAllowed,
                    format!("API key {} may not be used from this address.", stored.id),
                )
                .fix("Use it from one of its networks, or create a key for this address."));
            }
        }
        if stored
            .last_used_at
            .is_none_or(|at| !(0..=LAST_USED_RESOLUTION_MS).contains(&(self.clock.now() - at)))
        {
            // The time of last use is a note for the operator, so a failed write does not refuse the request.
            if let Err(error) = self.store.touch_key(&stored).await {
                tracing::warn!(key = stored.id, %error, "the last use of a key could not be recorded");
            }
        }
        Ok(stored)
    }

    /// Returns the SHA-256 hash of a key, if the key exists. If the store fails, the result is `None`.
    pub async fn known_hash(&self, key: &[u8]) -> Option<[u8; 32]> {
        let hash = <[u8; 32]>::try_from(digest(&SHA256, key).as_ref()).ok()?;
        self.store.key_by_hash(&hash).await.ok()?.map(|_| hash)
    }
}

/// Checks that a key grants `level` in `area`.
///
/// # Errors
/// `PermissionDenied` without the permission.
pub fn permit(key: &StoredKey, area: Area, level: Level) -> Result<()> {
    if permissions(key)?.is_none_or(|permissions| grants(&permissions, area, level)) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!("API key {} lacks the permission {}.", key.id, permission(area, level)),
    )
    .fix("A key's permissions cannot be changed: create a new key that has it."))
}

fn grants(permissions: &Permissions, area: Area, level: Level) -> bool {
    level == Level::None || permissions.get(&area).is_some_and(|granted| granted.covers(level))
}

fn permission(area: Area, level: Level) -> String {
    format!("`{area}: {}`", level.name())
}

/// Checks that a new key has no more access than the key that creates it.
///
/// # Errors
/// `PermissionDenied` that names the first excess.
fn check_within(key: &StoredKey, creator: &StoredKey) -> Result<()> {
    let beyond = |field, excess: String, fix: &str| {
        let message = format!("API key {} cannot create a key {excess}.", creator.id);
        Err(Error::of_field(ErrorKind::PermissionDenied, field, message).fix(fix))
    };
    if let Some(own) = permissions(creator)? {
        let fix = "Name `permissions` that the creating key has itself.";
        let Some(asked) = permissions(key)? else {
            return beyond("permissions", "with all permissions, because it has fewer".to_owned(), fix);
        };
        let excess = asked.iter().find(|(area, level)| !grants(&own, **area, **level));
        if let Some((area, level)) = excess {
            let excess = format!("with {}, because it lacks that permission", permission(*area, *level));
            return beyond("permissions", excess, fix);
        }
    }
    if let Some(own) = allowed_addresses(creator)? {
        let fix = "Name `allowed_addresses` within those of the creating key.";
        let Some(asked) = allowed_addresses(key)? else {
            let excess = "for any network, because it is bound to networks itself".to_owned();
            return beyond("allowed_addresses", excess, fix);
        };
        let own: Vec<IpNet> = own.iter().filter_map(|network| parse_network(network)).collect();
        let is_within = |network: &String| {
            parse_network(network).is_some_and(|network| own.iter().any(|own| own.contains(&network)))
        };
        if let Some(network) = asked.iter().find(|network| !is_within(network)) {
            let excess = format!("for {network}, which is in none of its own networks");
            return beyond("allowed_addresses", excess, fix);
        }
    }
    if let Some(end) = creator.expires_at
        && key.expires_at.is_none_or(|at| at > end)
    {
        let excess = format!("that expires later than itself, at {}", rfc3339(end));
        return beyond("expires_at", excess, "Name an `expires_at` up to that time.");
    }
    Ok(())
}

fn hash(key: &str) -> Vec<u8> {
    hash_bytes(key.as_bytes())
}

fn hash_bytes(key: &[u8]) -> Vec<u8> {
    digest(&SHA256, key).as_ref().to_vec()
}

/// Reads the areas of permissions.
///
/// # Errors
/// `InvalidRequest` for an unknown area.
fn areas(permissions: BTreeMap<String, Level>) -> Result<Permissions> {
    let read = |(name, level): (String, Level)| match Area::try_from(name.clone()) {
        Ok(area) => Ok((area, level)),
        Err(_) => Err(Error::of_field(
            ErrorKind::InvalidRequest,
            "permissions",
            format!(
                "permissions: there is no area `{}`; the areas are {}.",
                quoted(&name),
                Area::ALL.map(|area| area.to_string()).join(", ")
            ),
        )),
    };
    permissions.into_iter().map(read).collect()
}

fn permissions(key: &StoredKey) -> Result<Option<Permissions>> {
    key.permissions.as_deref().map(serde_json::from_str).transpose().map_err(|error| {
        tracing::error!(key = key.id, %error, "stored permissions cannot be read");
        Error::new(ErrorKind::Internal, format!("The permissions of API key {} cannot be read.", key.id))
    })
}

fn allowed_addresses(key: &StoredKey) -> Result<Option<Vec<String>>> {
    key.allowed_addresses.as_deref().map(serde_json::from_str).transpose().map_err(|error| {
        tracing::error!(key = key.id, %error, "stored addresses cannot be read");
        Error::new(ErrorKind::Internal, format!("The addresses of API key {} cannot be read.", key.id))
    })
}

/// Reads a network. A single address is a network of one.
pub fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn shown(key: StoredKey) -> Result<ApiKey> {
    Ok(ApiKey {
        permissions: permissions(&key)?,
        allowed_addresses: allowed_addresses(&key)?,
        expires_at: key.expires_at.map(rfc3339),
        id: key.id,
        name: key.name,
        created_at: rfc3339(key.created_at),
        last_used_at: key.last_used_at.map(rfc3339),
        revoked_at: key.revoked_at.map(rfc3339),
    })
}
