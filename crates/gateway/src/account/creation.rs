//! The creation of an account: imports, and the insertion of every new account.
//!
//! `link.rs` inserts accounts that their users connect through a link.

use proxy_execute_protocol::{
    AccountStatus, AuthConfigStatus, ConnectedAccount, Error, ErrorKind, ImportAccount, Result, SecretJson,
};
use proxy_execute_store::{Insertion, StoredAccount, StoredAuthConfig};

use super::{Accounts, SharingOfNew};
use crate::auth_config;
use crate::credential::GivenCredential;
use crate::request::require;
use crate::{bounds, id, word_id};

/// The parts of a new account that its creator chooses, beside the credential.
#[derive(Debug)]
pub(crate) struct NewAccount {
    pub(crate) user_id: String,
    pub(crate) alias: Option<String>,
    pub(crate) sharing: SharingOfNew,
}

impl Accounts {
    /// Imports a credential. A credential that could not be sent later is refused now.
    pub async fn import(&self, request: ImportAccount) -> Result<ConnectedAccount> {
        require(Some(&request.user_id), "user_id")?;
        require(Some(&request.toolkit), "toolkit")?;
        bounds::length(&request.user_id, bounds::LONGEST_USER_ID, "user_id")?;
        bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
        bounds::credential(&request.credential, "credential")?;
        let sharing = SharingOfNew::read(request.experimental, "experimental")?;
        let toolkit = self.catalogue.get(&request.toolkit)?;
        let mut given = GivenCredential::read(&request.credential, "credential")?;
        let config = match &request.auth_config_id {
            None => {
                self.check_credential(toolkit, &given, None)?;
                self.auth_configs.default_for(toolkit, given.auth_scheme).await?
            }
            Some(id) => {
                let config = self.auth_configs.usable(id).await?;
                if config.toolkit != toolkit.slug || config.auth_scheme != given.auth_scheme {
                    let message = format!(
                        "auth_config_id: auth config {id} is for toolkit `{}` and {}, not for `{}` and {}.",
                        config.toolkit, config.auth_scheme, toolkit.slug, given.auth_scheme
                    );
                    return Err(Error::of_field(ErrorKind::InvalidRequest, "auth_config_id", message));
                }
                given.val = self.with_fields_of(toolkit, &config, &given.val)?;
                self.check_credential(toolkit, &given, Some(&config))?;
                config
            }
        };
        let new = NewAccount { user_id: request.user_id, alias: request.alias, sharing };
        Ok(self.shown(self.insert(&config, new, &given.val, AccountStatus::Active).await?))
    }

    /// Creates an account in this state. An account that its user has yet to connect is INITIALIZING.
    pub(crate) async fn insert(
        &self,
        config: &StoredAuthConfig,
        new: NewAccount,
        val: &SecretJson,
        status: AccountStatus,
    ) -> Result<StoredAccount> {
        let (id, at) = (id::random("ca"), self.clock.now());
        let NewAccount { user_id, alias, sharing } = new;
        let alias = alias.filter(|alias| !alias.is_empty());
        let mut account = StoredAccount {
            credential: self.sealed(&id, config.auth_scheme, val, at)?,
            credential_version: 0,
            credential_at: at,
            refreshed_at: None,
            failures: 0,
            retry_at: None,
            problem: None,
            refusals: 0,
            user_id,
            toolkit: config.toolkit.clone(),
            auth_config_id: config.id.clone(),
            alias,
            word_id: String::new(),
            auth_scheme: config.auth_scheme,
            status,
            status_reason: None,
            is_disabled: false,
            account_type: sharing.account_type,
            is_default: false,
            acl: sharing.acl,
            created_at: at,
            updated_at: at,
            seq: 0,
            config_is_disabled: config.status == AuthConfigStatus::Disabled,
            config_has_client: config.has_client,
            id,
        };
        // The loop ends: from the second attempt on, a word id has a number. There are 268 million of these
        // for each user and toolkit.
        for attempt in 0.. {
            account.word_id = word_id::random(&config.toolkit, attempt);
            match self.store.insert_account(&account).await? {
                Insertion::Done => break,
                Insertion::WordIdTaken => {}
                Insertion::NoAuthConfig => return Err(auth_config::not_found(&config.id)),
            }
        }
        Ok(account)
    }
}
