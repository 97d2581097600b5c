//! Connected accounts: a user's credential for a toolkit (contract §4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind, Result, SecretJson};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::broadcast;
use utoipa::{IntoParams, ToSchema};

use crate::auth_config::{self, AuthConfigRef};
use crate::clock::{now, rfc3339};
use crate::credential::oauth2::Client;
use crate::credential::{AuthScheme, Fields, GivenCredential, refresh, renewal, revocation};
use crate::gateway::Parts;
use crate::http_server::schema;
use crate::link::LinkAgain;
use crate::page::{Page, Place};
use crate::request::require;
use crate::store::{
    AccountChange, AccountFilter, Rows, SealedCredential, StoredAccount, StoredAuthConfig, StoredSession,
};
use crate::toolkit::Toolkit;
use crate::{id, link, vault, word_id};

/// How often an account is read again while something waits for it: another process may change it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 1_000;

/// The states of the contract (§4.2).
const STATUSES: &[&str] =
    &["INITIALIZING", "INITIATED", "ACTIVE", "FAILED", "EXPIRED", "INACTIVE", "REVOKED"];

/// How often a new account is given another word id when the first is taken.
const WORD_ID_ATTEMPTS: u32 = 5;

/// Fields of a credential that are no secret, and help to tell accounts apart (contract §4.3).
const SHOWN_FIELDS: &[&str] = &[
    "COMPANYDOMAIN",
    "account",
    "account_id",
    "account_url",
    "api_url",
    "base_url",
    "cloud_id",
    "dc",
    "domain",
    "expires_in",
    "extension",
    "form_api_base_url",
    "instanceEndpoint",
    "instanceName",
    "region",
    "scope",
    "server_location",
    "shop",
    "site_name",
    "subdomain",
    "token_type",
    "version",
    "your-domain",
    "your_server",
];

/// The request that imports a credential. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAccount {
    /// The caller's own id of the user.
    pub user_id: String,
    /// The toolkit's slug.
    pub toolkit: String,
    /// `{ authScheme, val }`, contract §4.3.
    pub credential: SecretJson,
    /// A name for the account, that no other account of the user and toolkit has.
    #[serde(default)]
    pub alias: Option<String>,
    /// The auth config, whose OAuth client the tokens were given to: with it they can be refreshed.
    /// Default: one without a client, which the toolkit and scheme have in common.
    #[serde(default)]
    pub auth_config_id: Option<String>,
}

/// The request of the wire that connects an account. Unknown keys are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the contract has fields that are understood and without effect here")]
pub(crate) struct CreateAccount {
    pub(crate) auth_config: AuthConfigId,
    pub(crate) connection: NewConnection,
    /// A gateway does not call the toolkit to try the credential; accepted and without effect.
    pub(crate) validate_credentials: Option<bool>,
}

/// The auth config of a new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthConfigId {
    pub(crate) id: String,
}

/// The new account itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the contract has fields that are understood and without effect here")]
pub(crate) struct NewConnection {
    pub(crate) user_id: Option<String>,
    /// `{ authScheme, val }`.
    #[schema(value_type = Option<Object>)]
    pub(crate) state: Option<SecretJson>,
    /// The fields of `val`, in the older form.
    #[schema(value_type = Option<Object>)]
    pub(crate) data: Option<SecretJson>,
    pub(crate) callback_url: Option<String>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) alias: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) experimental: Option<Value>,
    pub(crate) deprecated_is_v1_rerouted: Option<bool>,
}

/// The answer to a creation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedAccount {
    pub(crate) id: String,
    /// What is known of the account, without secrets.
    #[serde(rename = "connectionData")]
    pub(crate) connection_data: AccountState,
    #[schema(value_type = schema::AccountStatus)]
    pub(crate) status: String,
    /// Where a person finishes the connection; null when it is finished.
    #[schema(required = true)]
    pub(crate) redirect_url: Option<String>,
    #[schema(required = true)]
    pub(crate) redirect_uri: Option<String>,
}

/// The request that changes an account. Unknown keys are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the contract has fields that are understood and without effect here")]
pub(crate) struct UpdateAccount {
    /// An empty one removes it.
    pub(crate) alias: Option<String>,
    pub(crate) connection: Option<ChangedConnection>,
    #[schema(value_type = Option<Object>)]
    pub(crate) experimental: Option<Value>,
}

/// The credential's new fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedConnection {
    /// `{ authScheme, val }`; fields that are not named stay, null removes one.
    #[schema(value_type = Object)]
    pub(crate) state: SecretJson,
}

/// The answer to a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedAccount {
    pub(crate) id: String,
    #[schema(value_type = schema::AccountStatus)]
    pub(crate) status: String,
    pub(crate) success: bool,
}

/// The answer to a revocation: what every change says, and what SDKs of v3.1 read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevokedAccount {
    #[serde(flatten)]
    pub(crate) changed: ChangedAccount,
    /// The tokens that the provider has taken back, such as `refresh_token`; none where it has no
    /// endpoint for that. The gateway has forgotten all of them.
    pub(crate) revoked_tokens: Vec<String>,
    /// Tokens that may live on at the provider, each with the reason.
    pub(crate) not_revoked: Vec<String>,
    pub(crate) connected_account: ShortAccount,
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedAccount {
    /// Always true.
    pub(crate) success: bool,
    /// With `revoke_on_delete`: the tokens that the provider has taken back, such as `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revoked_tokens: Option<Vec<String>>,
    /// With `revoke_on_delete`: tokens that may live on at the provider, each with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_revoked: Option<Vec<String>>,
}

/// The account that was revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShortAccount {
    pub(crate) id: String,
    #[schema(value_type = schema::AccountStatus)]
    pub(crate) status: String,
}

/// How an account is to be refreshed. Unknown keys are refused.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RefreshAccount {
    /// Where a person comes out who has to consent again.
    pub(crate) redirect_url: Option<String>,
}

/// The answer to a refresh.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefreshedAccount {
    pub(crate) id: String,
    #[schema(value_type = schema::AccountStatus)]
    pub(crate) status: String,
    /// Where a person has to consent again, if one has to.
    #[schema(required = true)]
    pub(crate) redirect_url: Option<String>,
}

/// Which accounts to list. An empty list does not restrict. Unknown keys are refused.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ListAccounts {
    /// Only these users'.
    pub user_ids: Vec<String>,
    /// Only of these toolkits.
    pub toolkit_slugs: Vec<String>,
    /// Only in these states: `ACTIVE`, `EXPIRED`, ….
    #[param(value_type = Vec<schema::AccountStatus>)]
    pub statuses: Vec<String>,
    /// Only with these auth configs.
    pub auth_config_ids: Vec<String>,
    /// Only these.
    pub connected_account_ids: Vec<String>,
    /// `created_at` (the default) or `updated_at`.
    #[param(value_type = Option<schema::OrderBy>)]
    pub order_by: Option<String>,
    /// `desc` (the default) or `asc`.
    #[param(value_type = Option<schema::OrderDirection>)]
    pub order_direction: Option<String>,
    /// `PRIVATE` (the default), `SHARED` or `ALL`; a gateway's accounts are private.
    #[param(value_type = Option<schema::AccountType>)]
    pub account_type: Option<String>,
    /// At most so many: 1 to 1 000, 20 by default.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

/// A connected account, without its credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectedAccount {
    /// `ca_…`
    pub id: String,
    /// The name given to it.
    #[schema(required = true)]
    pub alias: Option<String>,
    /// A name made up for it, such as `gmail_red-castle`.
    #[schema(required = true)]
    pub word_id: Option<String>,
    /// The caller's own id of the user.
    pub user_id: String,
    /// `ACTIVE`, `EXPIRED`, … (contract §4.2).
    #[schema(value_type = schema::AccountStatus)]
    pub status: String,
    /// Why it is in this state, where that needs a reason.
    #[schema(required = true)]
    pub status_reason: Option<String>,
    /// Whether it may not be used for now.
    pub is_disabled: bool,
    /// The toolkit.
    pub toolkit: ToolkitRef,
    /// How it was connected.
    pub auth_config: AuthConfigRef,
    /// How it signs requests.
    #[schema(value_type = AuthScheme)]
    pub auth_scheme: String,
    /// What is known of the credential; secrets are `REDACTED`.
    pub state: AccountState,
    /// Deprecated in the contract; empty.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// Deprecated in the contract; empty.
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// The toolkit of an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolkitRef {
    /// Its slug.
    pub slug: String,
}

/// A credential as it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountState {
    /// How it signs requests.
    #[serde(rename = "authScheme")]
    #[schema(value_type = AuthScheme)]
    pub auth_scheme: String,
    /// Its fields and status; secrets are `REDACTED`.
    #[schema(value_type = Object)]
    pub val: Map<String, Value>,
}

/// Tells those who wait for an account that it has changed.
#[derive(Debug, Clone)]
pub(crate) struct AccountChanges(broadcast::Sender<String>);

impl Default for AccountChanges {
    fn default() -> Self {
        // Who falls behind by more reads the account again.
        Self(broadcast::channel(256).0)
    }
}

impl AccountChanges {
    pub(crate) fn tell(&self, id: &str) {
        // Mostly nobody waits.
        _ = self.0.send(id.to_owned());
    }
}

impl StoredAccount {
    /// Whether it has no credential that works, so that nothing is lost when connecting it fails.
    pub(crate) fn is_to_be_connected(&self) -> bool {
        !matches!(self.status.as_str(), "ACTIVE" | "INACTIVE")
    }
}

/// A credential that is ready to sign.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) scheme: AuthScheme,
    pub(crate) fields: Fields,
}

/// Imports a credential. What could not be sent later is refused now.
pub(crate) async fn import(gateway: &Parts, request: ImportAccount) -> Result<ConnectedAccount> {
    require(Some(&request.user_id), "user_id")?;
    require(Some(&request.toolkit), "toolkit")?;
    let toolkit = gateway.catalogue.get(&request.toolkit)?;
    let given = GivenCredential::read(&request.credential, "credential")?;
    let config = match &request.auth_config_id {
        None => {
            check(gateway, toolkit, &given, None)?;
            auth_config::default_for(gateway, toolkit, given.auth_scheme).await?
        }
        Some(id) => {
            let config = auth_config::usable(gateway, id).await?;
            if config.toolkit != toolkit.slug || config.auth_scheme != given.auth_scheme.to_string() {
                let message = format!(
                    "auth_config_id: auth config {id} is for toolkit `{}` and {}, not for `{}` and {}.",
                    config.toolkit, config.auth_scheme, toolkit.slug, given.auth_scheme
                );
                return Err(Error::of_field(ErrorKind::InvalidRequest, message));
            }
            check(gateway, toolkit, &given, Some(&config))?;
            config
        }
    };
    let account = insert(gateway, &config, request.user_id, request.alias, &given.val, "ACTIVE").await?;
    Ok(shown(gateway, account))
}

/// Connects an account with an auth config: ACTIVE when the credential is complete, else
/// INITIALIZING with a link to finish it.
pub(crate) async fn create(gateway: &Parts, request: CreateAccount) -> Result<CreatedAccount> {
    let NewConnection { user_id, state, data, callback_url, alias, .. } = request.connection;
    let config = auth_config::usable(gateway, &request.auth_config.id).await?;
    let toolkit = gateway.catalogue.get(&config.toolkit)?;
    let user_id = user_id.unwrap_or_else(|| "default".to_owned());
    require(Some(&user_id), "connection.user_id")?;
    let scheme = auth_config::scheme_of(&config)?;
    let given = match (state, data) {
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
            format!("connection.state.authScheme: the auth config has {scheme}, not {}.", given.auth_scheme),
        ));
    }
    if is_unfinished(gateway, toolkit, &config, &given)? {
        link::check(gateway, &config, callback_url.as_deref())?;
        let account = begin(gateway, &config, user_id, alias, &given.val).await?;
        let link = link::give_out(gateway, &account.id, callback_url, &[]).await?;
        return Ok(created(gateway, account, Some(link.redirect_url)));
    }
    check(gateway, toolkit, &given, Some(&config))?;
    let account = insert(gateway, &config, user_id, alias, &given.val, "ACTIVE").await?;
    Ok(created(gateway, account, None))
}

/// Lists accounts.
pub(crate) async fn list(gateway: &Parts, request: ListAccounts) -> Result<Page<ConnectedAccount>> {
    let place = Place::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MAX_PAGE)?;
    for status in &request.statuses {
        one_of(status, "statuses", STATUSES)?;
    }
    let order_by = request.order_by.as_deref().unwrap_or("created_at");
    one_of(order_by, "order_by", &["created_at", "updated_at"])?;
    let direction = request.order_direction.as_deref().unwrap_or("desc");
    one_of(direction, "order_direction", &["asc", "desc"])?;
    let account_type = request.account_type.as_deref().unwrap_or("PRIVATE");
    one_of(account_type, "account_type", &["PRIVATE", "SHARED", "ALL"])?;

    let by_change = order_by == "updated_at";
    let found = if account_type == "SHARED" {
        Rows { rows: Vec::new(), total: 0 }
    } else {
        let filter = AccountFilter {
            ids: request.connected_account_ids,
            user_ids: request.user_ids,
            toolkits: request.toolkit_slugs,
            statuses: request.statuses,
            auth_config_ids: request.auth_config_ids,
            by_change,
            oldest_first: direction == "asc",
            page: place.asked()?,
        };
        gateway.store.accounts(&filter).await?
    };
    let place_of = |account: &StoredAccount| if by_change { account.updated_at } else { account.created_at };
    Ok(place.page(
        found,
        |account| (place_of(account), account.seq.to_string()),
        |account| shown(gateway, account),
    ))
}

/// Reads an account.
pub(crate) async fn get(gateway: &Parts, id: &str) -> Result<ConnectedAccount> {
    Ok(shown(gateway, find(gateway, id).await?))
}

/// Waits until an account is no longer being connected, whatever came of it.
pub(crate) async fn connected(gateway: &Parts, id: &str) -> Result<ConnectedAccount> {
    let mut changes = gateway.account_changes.0.subscribe();
    loop {
        let account = find(gateway, id).await?;
        if !matches!(account.status.as_str(), "INITIALIZING" | "INITIATED") {
            return Ok(shown(gateway, account));
        }
        let changed = async { while changes.recv().await.is_ok_and(|changed| changed != id) {} };
        _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
    }
}

/// Deletes an account and its credential. With `revoke` the provider is asked before to take the
/// tokens back, and the account is deleted whatever it says.
pub(crate) async fn delete(gateway: &Parts, id: &str, revoke: bool) -> Result<DeletedAccount> {
    let revoked = match revoke {
        true => Some(revocation::revoke(gateway, &refresh::hold_off(gateway, id).await?).await?),
        false => None,
    };
    if !gateway.store.delete_account(id).await? {
        return Err(not_found(id));
    }
    gateway.account_changes.tell(id);
    let (revoked_tokens, not_revoked) = revoked.map(|revoked| (revoked.tokens, revoked.failures)).unzip();
    Ok(DeletedAccount { success: true, revoked_tokens, not_revoked })
}

/// Enables or disables an account.
pub(crate) async fn set_enabled(gateway: &Parts, id: &str, enabled: bool) -> Result<ConnectedAccount> {
    let change = AccountChange { is_disabled: Some(!enabled), ..AccountChange::default() };
    if !gateway.store.update_account(id, &change).await? {
        return Err(not_found(id));
    }
    gateway.account_changes.tell(id);
    get(gateway, id).await
}

/// Changes an account's alias or credential.
pub(crate) async fn update(gateway: &Parts, id: &str, request: UpdateAccount) -> Result<ChangedAccount> {
    let account = find(gateway, id).await?;
    let mut change = AccountChange {
        alias: request.alias.map(|alias| Some(alias).filter(|alias| !alias.is_empty())),
        ..AccountChange::default()
    };
    if let Some(connection) = request.connection {
        let given = GivenCredential::read(&connection.state, "connection.state")?;
        if given.auth_scheme.to_string() != account.auth_scheme {
            return Err(Error::of_field(
                ErrorKind::InvalidRequest,
                format!("connection.state.authScheme: the account has {}.", account.auth_scheme),
            ));
        }
        let merged = GivenCredential {
            auth_scheme: given.auth_scheme,
            toolkit_slug: None,
            val: merged(&val(gateway, &account)?, &given.val)?,
        };
        let toolkit = gateway.catalogue.get(&account.toolkit)?;
        let config = auth_config::find(gateway, &account.auth_config_id).await?;
        check(gateway, toolkit, &merged, Some(&config))?;
        // An access token that stays expires when it did.
        let has_token = given.fields()?.get("access_token").is_some();
        let at = if has_token { now() } else { account.credential_at };
        change.credential = Some(sealed(gateway, id, merged.auth_scheme, &merged.val, at)?);
        change.of_version = Some(account.credential_version);
        change.status = Some(("ACTIVE".to_owned(), None));
    }
    if !gateway.store.update_account(id, &change).await? {
        return Err(changed_meanwhile(gateway, id).await);
    }
    gateway.account_changes.tell(id);
    let status = find(gateway, id).await?.status;
    Ok(ChangedAccount { id: id.to_owned(), status, success: true })
}

/// Renews an account's credential now, also that of an EXPIRED account once more. Where a person has to
/// consent again, the answer says where; one that has nothing to be renewed with is only looked at.
pub(crate) async fn refresh(
    gateway: &Arc<Parts>,
    id: &str,
    request: RefreshAccount,
) -> Result<RefreshedAccount> {
    let account = find(gateway, id).await?;
    // What was revoked on purpose is not begun again by a refresh.
    let is_over = matches!(account.status.as_str(), "FAILED" | "EXPIRED");
    if is_over && refresh::obstacle(gateway, &account).is_some() && gateway.public_url().is_ok() {
        let again = LinkAgain { callback_url: request.redirect_url, scopes: Vec::new() };
        let link = link::again(gateway, id, again).await?;
        let status = find(gateway, id).await?.status;
        return Ok(RefreshedAccount { id: account.id, status, redirect_url: Some(link.redirect_url) });
    }
    let account = if matches!(account.status.as_str(), "ACTIVE" | "EXPIRED")
        && refresh::obstacle(gateway, &account).is_none()
    {
        refresh::renewed(gateway, &account, refresh::Reason::Asked).await?
    } else {
        by_id(gateway, id).await?
    };
    Ok(RefreshedAccount { id: account.id, status: account.status, redirect_url: None })
}

/// Has the provider take an account's tokens back, and forgets its credential whatever the provider
/// says; the account stays, REVOKED.
pub(crate) async fn revoke(gateway: &Parts, id: &str) -> Result<RevokedAccount> {
    let revoked = revocation::revoke(gateway, &refresh::hold_off(gateway, id).await?).await?;
    let change = AccountChange {
        credential: Some(sealed(gateway, id, AuthScheme::NoAuth, &SecretJson::new("{}".to_owned()), now())?),
        status: Some(("REVOKED".to_owned(), Some("Revoked via user-initiated revoke endpoint".to_owned()))),
        ..AccountChange::default()
    };
    gateway.store.update_account(id, &change).await?;
    gateway.account_changes.tell(id);
    let (id, status) = (id.to_owned(), "REVOKED".to_owned());
    Ok(RevokedAccount {
        changed: ChangedAccount { id: id.clone(), status: status.clone(), success: true },
        revoked_tokens: revoked.tokens,
        not_revoked: revoked.failures,
        connected_account: ShortAccount { id, status },
    })
}

/// Makes an account that a person will finish.
pub(crate) async fn begin(
    gateway: &Parts,
    config: &StoredAuthConfig,
    user_id: String,
    alias: Option<String>,
    val: &SecretJson,
) -> Result<StoredAccount> {
    insert(gateway, config, user_id, alias, val, "INITIALIZING").await
}

async fn insert(
    gateway: &Parts,
    config: &StoredAuthConfig,
    user_id: String,
    alias: Option<String>,
    val: &SecretJson,
    status: &str,
) -> Result<StoredAccount> {
    let (id, at) = (id::random("ca"), now());
    let alias = alias.filter(|alias| !alias.is_empty());
    if let Some(alias) = &alias
        && gateway.store.account_by_name(&user_id, &config.toolkit, alias).await?.is_some()
    {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "alias: user `{user_id}` has another account of toolkit `{}` by that name.",
                config.toolkit
            ),
        )
        .fix("Choose another alias."));
    }
    let mut account = StoredAccount {
        credential: sealed(gateway, &id, auth_config::scheme_of(config)?, val, at)?,
        credential_version: 0,
        credential_at: at,
        refreshed_at: None,
        failures: 0,
        retry_at: None,
        problem: None,
        user_id,
        toolkit: config.toolkit.clone(),
        auth_config_id: config.id.clone(),
        alias,
        word_id: String::new(),
        auth_scheme: config.auth_scheme.clone(),
        status: status.to_owned(),
        status_reason: None,
        is_disabled: false,
        created_at: at,
        updated_at: at,
        seq: 0,
        config_is_disabled: config.status == "DISABLED",
        config_has_client: config.has_client,
        id,
    };
    for attempt in 0..WORD_ID_ATTEMPTS {
        account.word_id = word_id::random(&config.toolkit, attempt);
        match gateway.store.insert_account(&account).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt + 1 < WORD_ID_ATTEMPTS => {}
            result => {
                result?;
                break;
            }
        }
    }
    Ok(account)
}

/// Whether a person has to give what is missing. The client of `S2S_OAUTH2` may be the auth config's.
fn is_unfinished(
    gateway: &Parts,
    toolkit: &Toolkit,
    config: &StoredAuthConfig,
    given: &GivenCredential,
) -> Result<bool> {
    let fields = given.fields()?;
    if given.auth_scheme == AuthScheme::S2sOauth2 && toolkit.exchanges(given.auth_scheme) {
        let (client, settings) = auth_config::credentials(gateway, config)?;
        return Ok(Client::of_account(given.auth_scheme, &fields, &client, &settings).is_err());
    }
    Ok(toolkit.lacks_secret(given.auth_scheme, &fields))
}

/// Refuses a credential that could not be sent, or exchanged for one that is. Without an auth config
/// it has to have its own client.
fn check(
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

/// Changes an account's state.
pub(crate) async fn set_status(
    gateway: &Parts,
    id: &str,
    status: &str,
    reason: Option<String>,
) -> Result<()> {
    let change = AccountChange { status: Some((status.to_owned(), reason)), ..AccountChange::default() };
    gateway.store.update_account(id, &change).await?;
    gateway.account_changes.tell(id);
    Ok(())
}

/// Keeps what is known of a credential that is not complete yet.
///
/// # Errors
/// `Conflict` when it is not the same any more, or a refresh of it is under way.
pub(crate) async fn keep(
    gateway: &Parts,
    account: &StoredAccount,
    scheme: AuthScheme,
    val: &SecretJson,
) -> Result<()> {
    let id = &account.id;
    let change = AccountChange {
        credential: Some(sealed(gateway, id, scheme, val, account.credential_at)?),
        of_version: Some(account.credential_version),
        ..AccountChange::default()
    };
    if gateway.store.update_account(id, &change).await? {
        Ok(())
    } else {
        Err(changed_meanwhile(gateway, id).await)
    }
}

/// A change was made of a credential that is another by now.
async fn changed_meanwhile(gateway: &Parts, id: &str) -> Error {
    match find(gateway, id).await {
        Ok(_) => Error::new(
            ErrorKind::Conflict,
            format!("The credential of connected account {id} was refreshed or changed at the same moment."),
        )
        .fix("Make the change again."),
        Err(error) => error,
    }
}

/// The change that makes an account ACTIVE with this credential.
///
/// # Errors
/// `InvalidRequest` when it could not be sent.
pub(crate) fn activated(
    gateway: &Parts,
    toolkit: &Toolkit,
    config: &StoredAuthConfig,
    id: &str,
    val: &SecretJson,
) -> Result<AccountChange> {
    let auth_scheme = auth_config::scheme_of(config)?;
    let given = GivenCredential { auth_scheme, toolkit_slug: None, val: val.clone() };
    check(gateway, toolkit, &given, Some(config))?;
    Ok(AccountChange {
        credential: Some(sealed(gateway, id, auth_scheme, val, now())?),
        status: Some(("ACTIVE".to_owned(), None)),
        ..AccountChange::default()
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

fn one_of(value: &str, name: &str, known: &[&str]) -> Result<()> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(Error::of_field(
        ErrorKind::InvalidRequest,
        format!("{name}: `{value}` is not one of {}.", known.join(", ")),
    ))
}

/// The account of a call in a session: the pinned one, else the user's most recently connected
/// active one; `None` when there is none and the toolkit needs none.
///
/// # Errors
/// `NoActiveConnection`, or for a pin, which has no fallback, `AccountNotFound` and
/// `AccountUnusable`.
pub(crate) async fn for_session(
    gateway: &Parts,
    session: &StoredSession,
    toolkit: &Toolkit,
) -> Result<Option<Arc<StoredAccount>>> {
    let config = &session.config;
    let pin = config.connected_accounts.as_ref().and_then(|pins| pins.get(&toolkit.slug)?.first());
    if let Some(id) = pin {
        return named(gateway, id).await.map(Some);
    }
    let (user, slug) = (&session.user_id, &toolkit.slug);
    let auth_config = config.auth_configs.as_ref().and_then(|configs| configs.get(slug));
    let found = gateway.store.account_for_call(user, slug, auth_config.map(String::as_str)).await?;
    let why = match &found {
        Some(account) => match unusable(gateway, account) {
            None => return Ok(found),
            Some(why) => format!("their most recent one, {}, {why}", account.id),
        },
        None if toolkit.schemes().any(|scheme| scheme == AuthScheme::NoAuth) => return Ok(None),
        None => "they have not connected one".to_owned(),
    };
    Err(Error::new(
        ErrorKind::NoActiveConnection,
        format!("User `{user}` has no active connected account of toolkit `{slug}`: {why}."),
    )
    .fix(format!(
        "Import a credential with gateway.connectedAccounts.import({{ userId: '{user}', toolkit: '{slug}', … }}), \
         and check that the session has the right user id."
    )))
}

/// The account that a call names, if it can be used.
///
/// # Errors
/// `AccountNotFound`, `AccountUnusable`.
pub(crate) async fn named(gateway: &Parts, id: &str) -> Result<Arc<StoredAccount>> {
    let account = gateway.store.named_account_for_call(id).await?.ok_or_else(|| not_found(id))?;
    check_usable(gateway, &account)?;
    Ok(account)
}

/// An account by its id as it is now, if it can be used.
///
/// # Errors
/// `AccountNotFound`, `AccountUnusable`.
pub(crate) async fn by_id(gateway: &Parts, id: &str) -> Result<StoredAccount> {
    let account = find(gateway, id).await?;
    check_usable(gateway, &account)?;
    Ok(account)
}

fn check_usable(gateway: &Parts, account: &StoredAccount) -> Result<()> {
    let id = &account.id;
    match unusable(gateway, account) {
        None => Ok(()),
        Some(why) => Err(Error::new(
            ErrorKind::AccountUnusable,
            format!("Connected account {id} (toolkit `{}`) cannot be used: it {why}.", account.toolkit),
        )
        .fix(if account.is_disabled {
            format!("Enable it with gateway.connectedAccounts.enable('{id}').")
        } else if account.credential.renewable && !account.config_has_client {
            format!(
                "Give auth config {} the client_id and client_secret of the client that the tokens were given to.",
                account.auth_config_id
            )
        } else {
            "Import a fresh credential for the user, or connect the account again.".to_owned()
        })),
    }
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

/// Why an account cannot be used, as the end of a sentence that begins with it.
fn unusable(gateway: &Parts, account: &StoredAccount) -> Option<String> {
    if account.is_disabled {
        return Some("is disabled".to_owned());
    }
    if account.config_is_disabled {
        return Some(format!("belongs to auth config {}, which is disabled", account.auth_config_id));
    }
    if account.status != "ACTIVE" {
        let reason = account.status_reason.as_deref().map(|reason| format!(" ({reason})"));
        return Some(format!("is {}{}", account.status, reason.unwrap_or_default()));
    }
    let expired_at = account.credential.expires_at.filter(|at| *at <= now())?;
    let obstacle = refresh::obstacle(gateway, account)?;
    Some(format!("has an access token that expired at {}, and {obstacle}", rfc3339(expired_at)))
}

/// An account by its id, in whatever state.
///
/// # Errors
/// `AccountNotFound`.
pub(crate) async fn find(gateway: &Parts, id: &str) -> Result<StoredAccount> {
    gateway.store.account(id).await?.ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> Error {
    Error::new(ErrorKind::AccountNotFound, format!("Connected account `{id}` was deleted, or never existed."))
        .fix("List the accounts with gateway.connectedAccounts.list().")
}

fn place(id: &str) -> vault::Place<'_> {
    vault::Place { table: "connected_accounts", row: id, field: "credential" }
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

/// An account as it is answered: everything but what is secret.
pub(crate) fn shown(gateway: &Parts, account: StoredAccount) -> ConnectedAccount {
    let mut shown = Map::new();
    shown.insert("status".to_owned(), account.status.as_str().into());
    if let Ok(fields) = val(gateway, &account) {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(fields.expose()).unwrap_or_default();
        // SDKs send a status among the fields; the account's own is the one that counts.
        for (name, value) in fields.into_iter().filter(|(name, _)| name != "status") {
            let plain = SHOWN_FIELDS
                .contains(&name.as_str())
                .then(|| serde_json::from_str(value.get()).ok())
                .flatten();
            shown.insert(name, plain.unwrap_or_else(|| "REDACTED".into()));
        }
    }
    ConnectedAccount {
        state: AccountState { auth_scheme: account.auth_scheme.clone(), val: shown },
        auth_config: AuthConfigRef {
            id: account.auth_config_id,
            auth_scheme: account.auth_scheme.clone(),
            is_composio_managed: false,
            is_disabled: account.config_is_disabled,
        },
        id: account.id,
        alias: account.alias,
        word_id: Some(account.word_id),
        user_id: account.user_id,
        status: account.status,
        status_reason: account.status_reason,
        is_disabled: account.is_disabled,
        toolkit: ToolkitRef { slug: account.toolkit },
        auth_scheme: account.auth_scheme,
        data: Map::new(),
        params: Map::new(),
        created_at: rfc3339(account.created_at),
        updated_at: rfc3339(account.updated_at),
    }
}
