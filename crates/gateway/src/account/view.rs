//! Accounts in responses: single ones and lists, without secrets.

use std::collections::BTreeMap;
use std::fmt;

use proxy_execute_protocol::{
    AccountState, AccountStatus, AccountType, AuthConfigRef, ConnectedAccount, Error, ErrorKind,
    ListAccounts, ListedAccounts, OrderBy, OrderDirection, Page, Result, ToolkitRef, quoted,
};
use proxy_execute_store::{AccountFilter, StoredAccount};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Accounts, sharing};
use crate::bounds;
use crate::clock::rfc3339;
use crate::page::ListCursor;

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 1_000;

/// Fields of a credential that are not secret, and help users to tell accounts apart.
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

/// Hides a value. An object keeps its names, because SDKs expect objects such as `authed_user` of Slack.
fn redacted(value: Option<Value>) -> Value {
    match value {
        Some(Value::Object(members)) => {
            members.into_iter().map(|(name, member)| (name, redacted(Some(member)))).collect()
        }
        _ => "REDACTED".into(),
    }
}

impl Accounts {
    /// Lists accounts.
    pub async fn list(&self, request: ListAccounts) -> Result<Page<ConnectedAccount>> {
        let cursor = ListCursor::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MAX_PAGE)?;
        for (list, name) in [
            (&request.user_ids, "user_ids"),
            (&request.toolkit_slugs, "toolkit_slugs"),
            (&request.statuses, "statuses"),
            (&request.auth_config_ids, "auth_config_ids"),
            (&request.connected_account_ids, "connected_account_ids"),
        ] {
            bounds::listed(list.len(), name)?;
        }
        let statuses = request.statuses.iter().map(|name| one_of(name, "statuses", &AccountStatus::ALL));
        let statuses = statuses.collect::<Result<_>>()?;
        let order_by = request.order_by.as_deref().map_or(Ok(OrderBy::CreatedAt), |name| {
            one_of(name, "order_by", &[OrderBy::CreatedAt, OrderBy::UpdatedAt])
        })?;
        let direction = request.order_direction.as_deref().map_or(Ok(OrderDirection::Desc), |name| {
            one_of(name, "order_direction", &[OrderDirection::Asc, OrderDirection::Desc])
        })?;
        let listed = request.account_type.as_deref().map_or(Ok(ListedAccounts::Private), |name| {
            let known = [ListedAccounts::Private, ListedAccounts::Shared, ListedAccounts::All];
            one_of(name, "account_type", &known)
        })?;

        let by_change = order_by == OrderBy::UpdatedAt;
        let filter = AccountFilter {
            ids: request.connected_account_ids,
            user_ids: request.user_ids,
            toolkits: request.toolkit_slugs,
            statuses,
            auth_config_ids: request.auth_config_ids,
            account_type: match listed {
                ListedAccounts::Private => Some(AccountType::Private),
                ListedAccounts::Shared => Some(AccountType::Shared),
                ListedAccounts::All => None,
            },
            by_change,
            oldest_first: direction == OrderDirection::Asc,
            page: cursor.asked()?,
        };
        let found = self.store.accounts(&filter).await?;
        let sort_time =
            |account: &StoredAccount| if by_change { account.updated_at } else { account.created_at };
        Ok(cursor.page(
            found,
            |account| (sort_time(account), account.seq.to_string()),
            |account| self.shown(account),
        ))
    }

    /// Returns an account.
    pub async fn get(&self, id: &str) -> Result<ConnectedAccount> {
        Ok(self.shown(self.find(id).await?))
    }

    /// Returns the form of an account for responses: everything but its secrets.
    pub(crate) fn shown(&self, account: StoredAccount) -> ConnectedAccount {
        let mut shown = Map::new();
        shown.insert("status".to_owned(), account.status.to_string().into());
        if let Ok(fields) = self.val(&account) {
            let fields: BTreeMap<String, &RawValue> =
                serde_json::from_str(fields.expose()).unwrap_or_default();
            // SDKs send a status among the fields. Only the account's own status is shown.
            for (name, value) in fields.into_iter().filter(|(name, _)| name != "status") {
                let plain = SHOWN_FIELDS
                    .contains(&name.as_str())
                    .then(|| serde_json::from_str(value.get()).ok())
                    .flatten();
                shown.insert(name, plain.unwrap_or_else(|| redacted(serde_json::from_str(value.get()).ok())));
            }
        }
        let status_reason = match account.status {
            AccountStatus::Inactive => Some("Connection status updated by user".to_owned()),
            AccountStatus::Active if account.config_is_disabled => Some("Auth config is disabled".to_owned()),
            _ => account.status_reason,
        };
        ConnectedAccount {
            experimental: sharing::shown(account.account_type, account.acl),
            state: AccountState { auth_scheme: account.auth_scheme, val: shown },
            auth_config: AuthConfigRef {
                id: account.auth_config_id,
                auth_scheme: account.auth_scheme,
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
            is_default: account.is_default,
            toolkit: ToolkitRef { slug: account.toolkit },
            auth_scheme: account.auth_scheme,
            data: Map::new(),
            params: Map::new(),
            created_at: rfc3339(account.created_at),
            updated_at: rfc3339(account.updated_at),
        }
    }
}

/// Returns the value with this name. The error names `field` and all known values.
fn one_of<T: Copy + fmt::Display>(name: &str, field: &str, known: &[T]) -> Result<T> {
    known.iter().copied().find(|known| known.to_string() == name).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(ToString::to_string).collect();
        Error::of_field(
            ErrorKind::InvalidRequest,
            field,
            format!("{field}: `{}` is not one of {}.", quoted(name), names.join(", ")),
        )
    })
}
