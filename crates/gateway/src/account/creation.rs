//! The creation of an account: with an imported or given credential, or with a link where the user enters it.

use proxy_execute_protocol::{
    AccountStatus, AuthConfigStatus, ConnectedAccount, CreateAccount, CreatedAccount, Error, ErrorKind,
    ImportAccount, NewConnection, Result, SecretJson,
};
use proxy_execute_store::{Insertion, StoredAccount, StoredAuthConfig};

use super::check_private;
use super::credential::{check, sealed, with_fields_of};
use super::shown::shown;
use crate::auth_config;
use crate::credential::GivenCredential;
use crate::credential::scheme::{ClientOwner, Scheme};
use crate::gateway::Parts;
use crate::request::require;
use crate::toolkit::Toolkit;
use crate::{bounds, id, link, word_id};

/// Imports a credential. A credential that could not be sent later is refused now.
pub async fn import(gateway: &Parts, request: ImportAccount) -> Result<ConnectedAccount> {
    require(Some(&request.user_id), "user_id")?;
    require(Some(&request.toolkit), "toolkit")?;
    bounds::length(&request.user_id, bounds::LONGEST_USER_ID, "user_id")?;
    bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
    bounds::credential(&request.credential, "credential")?;
    let toolkit = gateway.catalogue.get(&request.toolkit)?;
    let mut given = GivenCredential::read(&request.credential, "credential")?;
    let config = match &request.auth_config_id {
        None => {
            check(gateway, toolkit, &given, None)?;
            gateway.auth_configs.default_for(toolkit, given.auth_scheme).await?
        }
        Some(id) => {
            let config = gateway.auth_configs.usable(id).await?;
            if config.toolkit != toolkit.slug || config.auth_scheme != given.auth_scheme {
                let message = format!(
                    "auth_config_id: auth config {id} is for toolkit `{}` and {}, not for `{}` and {}.",
                    config.toolkit, config.auth_scheme, toolkit.slug, given.auth_scheme
                );
                return Err(Error::of_field(ErrorKind::InvalidRequest, "auth_config_id", message));
            }
            given.val = with_fields_of(gateway, toolkit, &config, &given.val)?;
            check(gateway, toolkit, &given, Some(&config))?;
            config
        }
    };
    let account =
        insert(gateway, &config, request.user_id, request.alias, &given.val, AccountStatus::Active).await?;
    Ok(shown(gateway, account))
}

/// Creates an account with an auth config. It is ACTIVE if the credential is complete; else it is
/// INITIALIZING, with a link to finish it.
pub async fn create(gateway: &Parts, request: CreateAccount) -> Result<CreatedAccount> {
    let NewConnection { user_id, state, data, callback_url, alias, experimental, .. } = request.connection;
    for (json, field) in [(&state, "connection.state"), (&data, "connection.data")] {
        json.as_ref().map_or(Ok(()), |json| bounds::credential(json, field))?;
    }
    check_private(experimental.as_ref())?;
    let config = gateway.auth_configs.usable(&request.auth_config.id).await?;
    let toolkit = gateway.catalogue.get(&config.toolkit)?;
    let user_id = user_id.unwrap_or_else(|| "default".to_owned());
    require(Some(&user_id), "connection.user_id")?;
    bounds::length(&user_id, bounds::LONGEST_USER_ID, "connection.user_id")?;
    bounds::length(alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "connection.alias")?;
    let scheme = config.auth_scheme;
    let mut given = match (state, data) {
        (Some(state), _) => GivenCredential::read(&state, "connection.state")?,
        (None, data) => GivenCredential {
            auth_scheme: scheme,
            toolkit_slug: None,
            val: data.unwrap_or_else(|| SecretJson::new("{}".to_owned())),
        },
    };
    if given.auth_scheme != scheme {
        return Err(Error::of_field(
            ErrorKind::InvalidRequest,
            "connection.state.authScheme",
            format!("connection.state.authScheme: the auth config has {scheme}, not {}.", given.auth_scheme),
        ));
    }
    given.val = with_fields_of(gateway, toolkit, &config, &given.val)?;
    if is_unfinished(gateway, toolkit, &config, &given)? {
        link::check(gateway, &config, callback_url.as_deref())?;
        link::check_asked(gateway, &config)?;
        let account = begin(gateway, &config, user_id, alias, &given.val).await?;
        let link = link::give_out(gateway, &account.id, callback_url, &[]).await?;
        return Ok(created(gateway, account, Some(link.redirect_url)));
    }
    check(gateway, toolkit, &given, Some(&config))?;
    let account = insert(gateway, &config, user_id, alias, &given.val, AccountStatus::Active).await?;
    Ok(created(gateway, account, None))
}

/// Creates an account that a user will finish.
pub(crate) async fn begin(
    gateway: &Parts,
    config: &StoredAuthConfig,
    user_id: String,
    alias: Option<String>,
    val: &SecretJson,
) -> Result<StoredAccount> {
    insert(gateway, config, user_id, alias, val, AccountStatus::Initializing).await
}

async fn insert(
    gateway: &Parts,
    config: &StoredAuthConfig,
    user_id: String,
    alias: Option<String>,
    val: &SecretJson,
    status: AccountStatus,
) -> Result<StoredAccount> {
    let (id, at) = (id::random("ca"), gateway.clock.now());
    let alias = alias.filter(|alias| !alias.is_empty());
    let mut account = StoredAccount {
        credential: sealed(gateway, &id, config.auth_scheme, val, at)?,
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
        created_at: at,
        updated_at: at,
        seq: 0,
        config_is_disabled: config.status == AuthConfigStatus::Disabled,
        config_has_client: config.has_client,
        id,
    };
    // The loop ends: there are more of the longer word ids than accounts.
    for attempt in 0.. {
        account.word_id = word_id::random(&config.toolkit, attempt);
        match gateway.store.insert_account(&account).await? {
            Insertion::Done => break,
            Insertion::WordIdTaken => {}
            Insertion::NoAuthConfig => return Err(auth_config::not_found(&config.id)),
        }
    }
    Ok(account)
}

/// Returns whether the user has to enter a missing part. The client may be the auth config's.
fn is_unfinished(
    gateway: &Parts,
    toolkit: &Toolkit,
    config: &StoredAuthConfig,
    given: &GivenCredential,
) -> Result<bool> {
    let fields = given.fields()?;
    if Scheme::of(given.auth_scheme).client == ClientOwner::Account && toolkit.exchanges(given.auth_scheme) {
        let (client, settings) = gateway.auth_configs.credentials(config)?;
        return Ok(toolkit.client_of(given.auth_scheme, &fields, &client, &settings).is_err());
    }
    Ok(toolkit.lacks_secret(given.auth_scheme, &fields))
}

fn created(gateway: &Parts, account: StoredAccount, redirect_url: Option<String>) -> CreatedAccount {
    let shown = shown(gateway, account);
    let mut connection_data = shown.state;
    if let Some(url) = &redirect_url {
        connection_data.val.insert("redirectUrl".to_owned(), url.as_str().into());
    }
    CreatedAccount {
        id: shown.id,
        connection_data,
        status: shown.status,
        redirect_uri: redirect_url.clone(),
        redirect_url,
    }
}
