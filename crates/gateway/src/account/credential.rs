//! The credential of an account: checked before it is stored, encrypted for the store, and decrypted for a
//! call.
//!
//! [`crate::credential`] turns a decrypted credential into headers, query values and signatures.

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use proxy_execute_store::{SealedCredential, StoredAccount, StoredAuthConfig};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::Accounts;
use crate::credential::fields::{merged, raw_fields, written};
use crate::credential::scheme::Scheme;
use crate::credential::{Fields, GivenCredential};
use crate::toolkit::Toolkit;
use crate::{renewal, vault};

/// A decrypted credential, ready for a call.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) scheme: AuthScheme,
    pub(crate) fields: Fields,
}

impl Accounts {
    /// Refuses a credential that the gateway could not send, or exchange for an access token.
    ///
    /// It also refuses a credential that could not be refreshed, because its fields name another host than
    /// that of the auth config's client. Without an auth config, an exchange needs the credential's own
    /// client.
    pub(crate) fn check_credential(
        &self,
        toolkit: &Toolkit,
        given: &GivenCredential,
        config: Option<&StoredAuthConfig>,
    ) -> Result<()> {
        let (scheme, fields) = (given.auth_scheme, given.fields()?);
        toolkit.target(scheme, &fields)?;
        let (client, settings) = match config {
            Some(config) => self.auth_configs.credentials(config)?,
            None => (SecretJson::new("{}".to_owned()), Value::Null),
        };
        if !toolkit.exchanges(scheme) {
            if Scheme::of(scheme).is_renewable(&fields) && config.is_some_and(|config| config.has_client) {
                toolkit.client_of(scheme, &fields, &client, &settings)?;
            }
            return toolkit.injection(scheme, &fields).map(drop);
        }
        renewal::request(toolkit, scheme, &fields, &client, &settings).map(drop)
    }

    /// Encrypts a credential for the store. The credential's `expires_in` counts from `at`.
    ///
    /// # Errors
    /// `InvalidRequest` if it is not an object of fields.
    pub(crate) fn sealed(
        &self,
        id: &str,
        scheme: AuthScheme,
        val: &SecretJson,
        at: i64,
    ) -> Result<SealedCredential> {
        let fields = Fields::read(val)?;
        let lifetime = fields.expires_in().and_then(|seconds| seconds.checked_mul(1_000));
        Ok(SealedCredential {
            sealed: self.vault.seal(place(id), val.expose()),
            key_id: self.vault.key_id().to_owned(),
            expires_at: lifetime.and_then(|milliseconds| at.checked_add_unsigned(milliseconds)),
            renewable: Scheme::of(scheme).is_renewable(&fields),
        })
    }

    /// Decrypts the fields of an account's credential.
    ///
    /// # Errors
    /// `Internal` if the stored secret cannot be decrypted.
    pub(crate) fn val(&self, account: &StoredAccount) -> Result<SecretJson> {
        let SealedCredential { sealed, key_id, .. } = &account.credential;
        let opened = self.vault.open(place(&account.id), Some(key_id), sealed);
        opened.map(SecretJson::new).map_err(|error| {
            tracing::error!(account = account.id, key_id, %error, "a stored credential cannot be opened");
            let secret = format!("The stored credential of connected account {}", account.id);
            error.of(&secret, "Import the credential again.")
        })
    }

    /// Returns a credential with the toolkit's fields that its auth config sets for all of its accounts.
    ///
    /// # Errors
    /// `InvalidRequest` if the credential has another value for one of them.
    pub(crate) fn with_fields_of(
        &self,
        toolkit: &Toolkit,
        config: &StoredAuthConfig,
        val: &SecretJson,
    ) -> Result<SecretJson> {
        let of_config = self.auth_configs.fields(toolkit, config)?;
        let own = Fields::read(val)?;
        let configured = Fields::read(&of_config)?;
        for name in raw_fields(&of_config)?.keys() {
            let value = |fields: &Fields| fields.get(name).map(|value| value.expose_secret().to_owned());
            if value(&own).is_some_and(|own| Some(own) != value(&configured)) {
                let message = format!(
                    "The field `val.{name}` of the credential differs from that of auth config {}.",
                    config.id
                );
                return Err(Error::of_field(ErrorKind::InvalidRequest, format!("val.{name}"), message)
                    .fix("Leave it out: the auth config sets this field for all of its accounts."));
            }
        }
        merged(val, &of_config)
    }

    /// Decrypts an account's credential.
    ///
    /// # Errors
    /// `Internal` if the stored secret cannot be decrypted.
    pub(crate) fn unseal(&self, account: &StoredAccount) -> Result<Credential> {
        Ok(Credential { scheme: account.auth_scheme, fields: Fields::read(&self.val(account)?)? })
    }
}

/// Returns a credential with a caller's or user's changes: `new` on top of `old`.
///
/// A caller that may change an account must not learn its credential by moving the account to a host of the
/// caller. If the credential would be sent to another origin, only the old fields that name hosts are kept.
pub(crate) fn changed(
    toolkit: &Toolkit,
    scheme: AuthScheme,
    old: &SecretJson,
    new: &SecretJson,
) -> Result<SecretJson> {
    let all = merged(old, new)?;
    if !toolkit.is_elsewhere(scheme, &Fields::read(old)?, &Fields::read(&all)?) {
        return Ok(all);
    }
    let hosts = toolkit.host_fields(scheme);
    let mut kept = raw_fields(old)?;
    kept.retain(|name, _| hosts.contains(name));
    merged(&written(&kept)?, new)
}

fn place(id: &str) -> vault::SealedField<'_> {
    vault::SealedField { table: "connected_accounts", row: id, field: "credential" }
}
