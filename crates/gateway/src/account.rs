//! Connected accounts: a user's credential for a toolkit (contract §4).

use proxy_execute_protocol::{Error, ErrorKind, Result, SecretJson, SessionConfig};
use serde::{Deserialize, Serialize};

use crate::clock::{now, rfc3339};
use crate::credential::{AuthScheme, Fields, GivenCredential};
use crate::gateway::Parts;
use crate::id;
use crate::request::require;
use crate::store::{AccountFilter, StoredAccount, StoredSession};
use crate::toolkit::Toolkit;
use crate::vault::Place;

/// The most accounts on one page.
const MAX_PAGE: u32 = 1_000;
const DEFAULT_PAGE: u32 = 20;

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
    /// A name for the account; free text.
    #[serde(default)]
    pub alias: Option<String>,
}

/// Which accounts to list. An empty list does not restrict. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListAccounts {
    /// Only these users'.
    pub user_ids: Vec<String>,
    /// Only of these toolkits.
    pub toolkit_slugs: Vec<String>,
    /// Only in these states: `ACTIVE`, `EXPIRED`, ….
    pub statuses: Vec<String>,
    /// At most so many: 1 to 1 000, 20 by default.
    pub limit: Option<u32>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

/// A page of accounts.
#[derive(Debug, Serialize)]
pub struct AccountPage {
    /// Newest first.
    pub items: Vec<ConnectedAccount>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// A connected account, without its credential.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectedAccount {
    /// `ca_…`
    pub id: String,
    /// The caller's own id of the user.
    pub user_id: String,
    /// The toolkit.
    pub toolkit: ToolkitRef,
    /// `ACTIVE`, `EXPIRED`, … (contract §4.2).
    pub status: String,
    /// Why it is in this state, where that needs a reason.
    pub status_reason: Option<String>,
    /// Whether it may not be used for now.
    pub is_disabled: bool,
    /// The name given to it.
    pub alias: Option<String>,
    /// How it signs requests.
    pub auth_scheme: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// The toolkit of an account.
#[derive(Debug, Clone, Serialize)]
pub struct ToolkitRef {
    /// Its slug.
    pub slug: String,
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
    let fields = given.fields()?;
    toolkit.target(given.auth_scheme, &fields)?;
    toolkit.injection(given.auth_scheme, &fields)?;

    let id = id::random("ca");
    let at = now();
    let account = StoredAccount {
        credential: gateway.vault.seal(place(&id), given.val.expose()),
        key_id: gateway.vault.key_id().to_owned(),
        user_id: request.user_id,
        toolkit: request.toolkit,
        alias: request.alias,
        auth_scheme: given.auth_scheme.to_string(),
        status: "ACTIVE".to_owned(),
        status_reason: None,
        is_disabled: false,
        expires_at: fields
            .expires_in()
            .and_then(|seconds| at.checked_add_unsigned(seconds.checked_mul(1_000)?)),
        created_at: at,
        updated_at: at,
        id,
    };
    gateway.store.insert_account(&account).await?;
    Ok(shown(account))
}

/// Lists accounts.
pub(crate) async fn list(gateway: &Parts, request: ListAccounts) -> Result<AccountPage> {
    let invalid =
        |message: &str| Error::new(ErrorKind::InvalidRequest, message).with_errors(vec![message.to_owned()]);
    let limit = request.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(invalid("limit: must be from 1 to 1000."));
    }
    let before = request.cursor.as_deref().map(|cursor| {
        let (created_at, id) = cursor.split_once('.')?;
        Some((created_at.parse().ok()?, id.to_owned()))
    });
    let before = match before {
        Some(None) => return Err(invalid("cursor: is not one that a list returned as next_cursor.")),
        Some(before) => before,
        None => None,
    };
    let filter = AccountFilter {
        user_ids: request.user_ids,
        toolkits: request.toolkit_slugs,
        statuses: request.statuses,
        before,
        limit: limit + 1,
    };
    let mut accounts = gateway.store.accounts(&filter).await?;
    let more = accounts.len() > limit as usize;
    accounts.truncate(limit as usize);
    let next_cursor =
        accounts.last().filter(|_| more).map(|account| format!("{}.{}", account.created_at, account.id));
    Ok(AccountPage { items: accounts.into_iter().map(shown).collect(), next_cursor })
}

/// Reads an account.
pub(crate) async fn get(gateway: &Parts, id: &str) -> Result<ConnectedAccount> {
    find(gateway, id).await.map(shown)
}

/// Deletes an account.
pub(crate) async fn delete(gateway: &Parts, id: &str) -> Result<()> {
    if gateway.store.delete_account(id).await? { Ok(()) } else { Err(not_found(id)) }
}

/// Enables or disables an account.
pub(crate) async fn set_enabled(gateway: &Parts, id: &str, enabled: bool) -> Result<ConnectedAccount> {
    if !gateway.store.set_account_disabled(id, !enabled).await? {
        return Err(not_found(id));
    }
    get(gateway, id).await
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
    config: &SessionConfig,
    toolkit: &Toolkit,
) -> Result<Option<StoredAccount>> {
    let pin = config.connected_accounts.as_ref().and_then(|pins| pins.get(&toolkit.slug)?.first());
    if let Some(id) = pin {
        return by_id(gateway, id).await.map(Some);
    }
    let (user, slug) = (&session.user_id, &toolkit.slug);
    let found = gateway.store.account_for_call(user, slug).await?;
    let why = match &found {
        Some(account) => match unusable(account) {
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

/// An account by its id, if it can be used.
///
/// # Errors
/// `AccountNotFound`, `AccountUnusable`.
pub(crate) async fn by_id(gateway: &Parts, id: &str) -> Result<StoredAccount> {
    let account = find(gateway, id).await?;
    match unusable(&account) {
        None => Ok(account),
        Some(why) => Err(Error::new(
            ErrorKind::AccountUnusable,
            format!("Connected account {id} (toolkit `{}`) cannot be used: it {why}.", account.toolkit),
        )
        .fix(if account.is_disabled {
            format!("Enable it with gateway.connectedAccounts.enable('{id}').")
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
    let broken = |why: &str| {
        tracing::error!(
            account = account.id,
            key_id = account.key_id,
            why,
            "a stored credential cannot be opened"
        );
        let message = format!("The stored credential of connected account {} cannot be opened.", account.id);
        Error::new(ErrorKind::Internal, message).fix("Import the credential again.")
    };
    let val = gateway
        .vault
        .open(place(&account.id), &account.credential)
        .map_err(|error| broken(&error.to_string()))?;
    let scheme = AuthScheme::parse(&account.auth_scheme).ok_or_else(|| broken("unknown auth scheme"))?;
    let given = GivenCredential { auth_scheme: scheme, toolkit_slug: None, val: SecretJson::new(val) };
    Ok(Credential { scheme, fields: given.fields()? })
}

/// Why an account cannot be used, as the end of a sentence that begins with it.
fn unusable(account: &StoredAccount) -> Option<String> {
    if account.is_disabled {
        return Some("is disabled".to_owned());
    }
    if account.status != "ACTIVE" {
        let reason = account.status_reason.as_deref().map(|reason| format!(" ({reason})"));
        return Some(format!("is {}{}", account.status, reason.unwrap_or_default()));
    }
    let expired_at = account.expires_at.filter(|at| *at <= now())?;
    Some(format!("has an access token that expired at {}", rfc3339(expired_at)))
}

async fn find(gateway: &Parts, id: &str) -> Result<StoredAccount> {
    gateway.store.account(id).await?.ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> Error {
    Error::new(ErrorKind::AccountNotFound, format!("Connected account `{id}` was deleted, or never existed."))
        .fix("List the accounts with gateway.connectedAccounts.list().")
}

fn place(id: &str) -> Place<'_> {
    Place { table: "connected_accounts", row: id, field: "credential" }
}

fn shown(account: StoredAccount) -> ConnectedAccount {
    ConnectedAccount {
        id: account.id,
        user_id: account.user_id,
        toolkit: ToolkitRef { slug: account.toolkit },
        status: account.status,
        status_reason: account.status_reason,
        is_disabled: account.is_disabled,
        alias: account.alias,
        auth_scheme: account.auth_scheme,
        created_at: rfc3339(account.created_at),
        updated_at: rfc3339(account.updated_at),
    }
}
