//! Links: where a person finishes an account that was begun for them (contract §2.3).

use aws_lc_rs::digest::{SHA256, digest};
use proxy_execute_protocol::{Error, ErrorKind, Result, SecretJson, SessionConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use utoipa::ToSchema;

use crate::clock::{now, rfc3339};
use crate::credential::AuthScheme;
use crate::gateway::Parts;
use crate::request::require;
use crate::store::{StoredAuthConfig, StoredLink, StoredSession};
use crate::toolkit::Toolkit;
use crate::{account, auth_config, id, session};

/// How long a link lives, as those of the hosted backend do.
const LIFETIME_MS: i64 = 10 * 60 * 1_000;

/// The request for a link in a session. Unknown keys are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the contract has fields that are understood and without effect here")]
pub(crate) struct LinkInSession {
    pub(crate) toolkit: String,
    pub(crate) callback_url: Option<String>,
    pub(crate) alias: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) experimental: Option<Value>,
}

/// The request for a link with an auth config. Unknown keys are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the contract has fields that are understood and without effect here")]
pub(crate) struct LinkAccount {
    pub(crate) auth_config_id: String,
    pub(crate) user_id: String,
    pub(crate) callback_url: Option<String>,
    pub(crate) alias: Option<String>,
    /// Fields of the credential that are known already.
    #[schema(value_type = Option<Object>)]
    pub(crate) connection_data: Option<SecretJson>,
    #[schema(value_type = Option<Object>)]
    pub(crate) experimental: Option<Value>,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// `lt_…`
    pub(crate) link_token: String,
    /// The page that finishes the account.
    pub(crate) redirect_url: String,
    /// The account, `INITIALIZING` until then.
    pub(crate) connected_account_id: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
}

/// Begins an account for the session's user.
pub(crate) async fn in_session(gateway: &Parts, session_id: &str, request: LinkInSession) -> Result<Link> {
    require(Some(&request.toolkit), "toolkit")?;
    let (session, config) = session::load(gateway, session_id).await?;
    session::check_allowed(&session, &config, &request.toolkit)?;
    let toolkit = gateway.catalogue.get(&request.toolkit)?;
    let auth_config = auth_config_of(gateway, &session, &config, toolkit).await?;
    begin(gateway, &auth_config, session.user_id, request.alias, None, request.callback_url).await
}

/// Begins an account with an auth config.
pub(crate) async fn with_auth_config(gateway: &Parts, request: LinkAccount) -> Result<Link> {
    require(Some(&request.user_id), "user_id")?;
    let config = auth_config::usable(gateway, &request.auth_config_id).await?;
    begin(gateway, &config, request.user_id, request.alias, request.connection_data, request.callback_url)
        .await
}

async fn begin(
    gateway: &Parts,
    config: &StoredAuthConfig,
    user_id: String,
    alias: Option<String>,
    known: Option<SecretJson>,
    callback_url: Option<String>,
) -> Result<Link> {
    check_callback(callback_url.as_deref())?;
    if config.auth_scheme == AuthScheme::NoAuth.to_string() {
        return Err(needs_none(&config.toolkit));
    }
    let known = known.unwrap_or_else(|| SecretJson::new("{}".to_owned()));
    let account = account::begin(gateway, config, user_id, alias, &known).await?;
    give_out(gateway, &account.id, callback_url).await
}

/// Gives out a link to an account that was begun.
pub(crate) async fn give_out(
    gateway: &Parts,
    account_id: &str,
    callback_url: Option<String>,
) -> Result<Link> {
    check_callback(callback_url.as_deref())?;
    let token = id::secret("lt");
    let expires_at = now() + LIFETIME_MS;
    let link = StoredLink {
        token_hash: digest(&SHA256, token.as_bytes()).as_ref().to_vec(),
        account_id: account_id.to_owned(),
        callback_url,
        expires_at,
    };
    gateway.store.insert_link(&link).await?;
    Ok(Link {
        redirect_url: format!("{}/connect/{token}", gateway.public_url()),
        link_token: token,
        connected_account_id: account_id.to_owned(),
        expires_at: rfc3339(expires_at),
    })
}

/// The auth config that a link of a session uses: the session's own, else the toolkit's default for
/// a scheme that needs no client.
async fn auth_config_of(
    gateway: &Parts,
    session: &StoredSession,
    config: &SessionConfig,
    toolkit: &Toolkit,
) -> Result<StoredAuthConfig> {
    let slug = &toolkit.slug;
    if config.connected_accounts.as_ref().is_some_and(|pins| pins.contains_key(slug)) {
        let message =
            format!("Session {} pins an account of toolkit `{slug}`, so none is linked in it.", session.id);
        return Err(Error::new(ErrorKind::InvalidSession, message));
    }
    if let Some(id) = config.auth_configs.as_ref().and_then(|configs| configs.get(slug)) {
        return auth_config::usable(gateway, id).await;
    }
    let schemes: Vec<_> = toolkit.schemes().collect();
    if schemes == [AuthScheme::NoAuth] {
        return Err(needs_none(slug));
    }
    let keyed = [AuthScheme::ApiKey, AuthScheme::BearerToken, AuthScheme::Basic];
    match keyed.into_iter().find(|scheme| schemes.contains(scheme)) {
        Some(scheme) => auth_config::default_for(gateway, toolkit, scheme).await,
        None => Err(Error::new(
            ErrorKind::NoManagedAuth,
            format!(
                "Toolkit `{slug}` needs an auth config with your own client, and the session names none."
            ),
        )
        .fix("Make one with composio.authConfigs.create(), and name it in the session's authConfigs.")),
    }
}

fn check_callback(callback_url: Option<&str>) -> Result<()> {
    let usable = |text: &str| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    match callback_url {
        Some(text) if !usable(text) => Err(Error::of_field(
            ErrorKind::InvalidRequest,
            "callback_url: must be an absolute http or https URL.",
        )),
        _ => Ok(()),
    }
}

fn needs_none(toolkit: &str) -> Error {
    Error::new(
        ErrorKind::ToolkitNeedsNoAuth,
        format!("Toolkit `{toolkit}` needs no account; call it directly."),
    )
}
