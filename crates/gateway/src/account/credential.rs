//! The credential of an account: whether it could be sent at all, sealed as the store keeps it, and
//! opened again to sign. How one signs is in [`crate::credential`].

use std::collections::BTreeMap;

use proxy_execute_protocol::{Error, ErrorKind, Result, SecretJson};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::credential::{AuthScheme, Fields, GivenCredential, renewal};
use crate::gateway::Parts;
use crate::store::{SealedCredential, StoredAccount, StoredAuthConfig};
use crate::toolkit::Toolkit;
use crate::{auth_config, vault};

/// A credential that is ready to sign.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) scheme: AuthScheme,
    pub(crate) fields: Fields,
}

/// Refuses a credential that could not be sent, or exchanged for one that is. Without an auth config
/// it has to have its own client.
pub(super) fn check(
    gateway: &Parts,
    toolkit: &Toolkit,
    given: &GivenCredential,
    config: Option<&StoredAuthConfig>,
) -> Result<()> {
    let (scheme, fields) = (given.auth_scheme, given.fields()?);
    toolkit.target(scheme, &fields)?;
    if !toolkit.exchanges(scheme) {
        return toolkit.injection(scheme, &fields).map(drop);
    }
    let (client, settings) = match config {
        Some(config) => auth_config::credentials(gateway, config)?,
        None => (SecretJson::new("{}".to_owned()), Value::Null),
    };
    renewal::request(toolkit, scheme, &fields, &client, &settings).map(drop)
}

/// A credential as the store keeps it. Its lifetime counts from `at`.
///
/// # Errors
/// `InvalidRequest` when it is no object of fields.
pub(crate) fn sealed(
    gateway: &Parts,
    id: &str,
    scheme: AuthScheme,
    val: &SecretJson,
    at: i64,
) -> Result<SealedCredential> {
    let fields = Fields::read(val)?;
    let lifetime = fields.expires_in().and_then(|seconds| seconds.checked_mul(1_000));
    Ok(SealedCredential {
        sealed: gateway.vault.seal(place(id), val.expose()),
        key_id: gateway.vault.key_id().to_owned(),
        expires_at: lifetime.and_then(|milliseconds| at.checked_add_unsigned(milliseconds)),
        renewable: renewal::is_renewable(scheme, &fields),
    })
}

/// What is known of an account's credential.
///
/// # Errors
/// `Internal` when the stored secret is not what was written there.
pub(crate) fn val(gateway: &Parts, account: &StoredAccount) -> Result<SecretJson> {
    let opened = gateway.vault.open(place(&account.id), &account.credential.sealed);
    opened.map(SecretJson::new).map_err(|error| unopenable(account, &error.to_string()))
}

/// The fields of `new` over those of `old`; null removes one. Values stay as they were written.
pub(crate) fn merged(old: &SecretJson, new: &SecretJson) -> Result<SecretJson> {
    type RawFields<'a> = BTreeMap<String, &'a RawValue>;
    let unreadable = |_| Error::new(ErrorKind::Internal, "A stored credential cannot be read.");
    let mut fields: RawFields<'_> = serde_json::from_str(old.expose()).map_err(unreadable)?;
    let changes: RawFields<'_> = serde_json::from_str(new.expose()).map_err(unreadable)?;
    for (name, value) in changes {
        if value.get() == "null" {
            fields.remove(&name)
        } else {
            fields.insert(name, value)
        };
    }
    let text = serde_json::to_string(&fields).map_err(unreadable)?;
    Ok(SecretJson::new(text))
}

/// Opens an account's credential.
///
/// # Errors
/// `Internal` when the stored secret is not what was written there.
pub(crate) fn unseal(gateway: &Parts, account: &StoredAccount) -> Result<Credential> {
    let scheme =
        AuthScheme::parse(&account.auth_scheme).ok_or_else(|| unopenable(account, "unknown auth scheme"))?;
    Ok(Credential { scheme, fields: Fields::read(&val(gateway, account)?)? })
}

fn unopenable(account: &StoredAccount, why: &str) -> Error {
    tracing::error!(
        account = account.id,
        key_id = account.credential.key_id,
        why,
        "a stored credential cannot be opened"
    );
    Error::new(
        ErrorKind::Internal,
        format!("The stored credential of connected account {} cannot be opened.", account.id),
    )
    .fix("Import the credential again.")
}

fn place(id: &str) -> vault::Place<'_> {
    vault::Place { table: "connected_accounts", row: id, field: "credential" }
}
