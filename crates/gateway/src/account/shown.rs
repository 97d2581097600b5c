//! Accounts as they are answered: one by one and in lists, without what is secret.

use std::collections::BTreeMap;

use proxy_execute_protocol::{Error, ErrorKind, Result, quoted};
use proxy_execute_store::{AccountFilter, Rows, StoredAccount};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::credential::val;
use super::find;
use crate::auth_config::AuthConfigRef;
use crate::bounds;
use crate::clock::rfc3339;
use crate::credential::AuthScheme;
use crate::gateway::Parts;
use crate::http_server::schema;
use crate::page::{Page, Place};

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 1_000;

/// The states of the contract (§4.2).
const STATUSES: &[&str] =
    &["INITIALIZING", "INITIATED", "ACTIVE", "FAILED", "EXPIRED", "INACTIVE", "REVOKED"];

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
    #[schema(value_type = BTreeMap<String, Value>)]
    pub data: Map<String, Value>,
    /// Deprecated in the contract; empty.
    #[schema(value_type = BTreeMap<String, Value>)]
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
    #[schema(value_type = BTreeMap<String, Value>)]
    pub val: Map<String, Value>,
}

/// Lists accounts.
pub(crate) async fn list(gateway: &Parts, request: ListAccounts) -> Result<Page<ConnectedAccount>> {
    let place = Place::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MAX_PAGE)?;
    for (list, name) in [
        (&request.user_ids, "user_ids"),
        (&request.toolkit_slugs, "toolkit_slugs"),
        (&request.statuses, "statuses"),
        (&request.auth_config_ids, "auth_config_ids"),
        (&request.connected_account_ids, "connected_account_ids"),
    ] {
        bounds::listed(list.len(), name)?;
    }
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

fn one_of(value: &str, name: &str, known: &[&str]) -> Result<()> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(Error::of_field(
        ErrorKind::InvalidRequest,
        format!("{name}: `{}` is not one of {}.", quoted(value), known.join(", ")),
    ))
}

/// An account as it is answered: everything but what is secret.
pub(super) fn shown(gateway: &Parts, account: StoredAccount) -> ConnectedAccount {
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
    let status_reason = match account.status.as_str() {
        "INACTIVE" => Some("Connection status updated by user".to_owned()),
        "ACTIVE" if account.config_is_disabled => Some("Auth config is disabled".to_owned()),
        _ => account.status_reason,
    };
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
        status_reason,
        is_disabled: account.is_disabled,
        toolkit: ToolkitRef { slug: account.toolkit },
        auth_scheme: account.auth_scheme,
        data: Map::new(),
        params: Map::new(),
        created_at: rfc3339(account.created_at),
        updated_at: rfc3339(account.updated_at),
    }
}
