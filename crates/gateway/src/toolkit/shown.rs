//! Toolkits as responses show them: in lists, one by one, and with a session's accounts.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy_execute_protocol::{
    AccountStatus, AuthConfigDetails, AuthConfigFields, AuthConfigRef, FieldGroup, InputField,
    ListSessionToolkits, ListToolkits, Page, Result, SessionAccount, SessionToolkit, SessionToolkitMeta,
    ToolkitDetails, ToolkitFilter, ToolkitItem,
};
use proxy_execute_store::{Rows, StoredAccount};

use super::Toolkit;
use crate::bounds;
use crate::clock::rfc3339;
use crate::gateway::Parts;
use crate::page::Place;

const MAX_PAGE: u32 = 1_000;
const DEFAULT_SESSION_PAGE: u32 = 20;
const MAX_SESSION_PAGE: u32 = 50;

/// Lists toolkits, by slug.
pub fn list(gateway: &Parts, request: &ListToolkits) -> Result<Page<ToolkitItem>> {
    bounds::length(request.search.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "search")?;
    let place = Place::read(request.limit, request.cursor.as_deref(), MAX_PAGE, MAX_PAGE)?;
    let none = request.category.is_some() || request.managed_by.as_deref() == Some("composio");
    let all =
        gateway.catalogue.iter().filter(|toolkit| !none && toolkit.is_found_by(request.search.as_deref()));
    let rows = rows_of(all.map(Arc::as_ref).collect(), &place, |toolkit| &toolkit.slug);
    Ok(place.page(rows, |toolkit| (0, toolkit.slug.clone()), Toolkit::item))
}

/// Reads a toolkit.
pub fn details(gateway: &Parts, slug: &str) -> Result<ToolkitDetails> {
    let toolkit = gateway.catalogue.get(slug)?;
    let auth_config_details = toolkit.schemes().map(|scheme| AuthConfigDetails {
        mode: scheme.to_string(),
        name: format!("{} {scheme}", toolkit.name),
        required_scopes: toolkit.default_scopes(scheme).to_vec(),
        redirect_uri: gateway.redirect_uris.to_register(toolkit, scheme),
        client_page: toolkit.client_page(scheme).map(str::to_owned),
        fields: AuthConfigFields {
            auth_config_creation: grouped(toolkit.client_fields(scheme)),
            connected_account_initiation: grouped(toolkit.input_fields(scheme)),
        },
    });
    Ok(ToolkitDetails {
        auth_config_details: auth_config_details.collect(),
        item: toolkit.item(),
        enabled: true,
        base_url: toolkit.base_url(),
        composio_managed_auth: Vec::new(),
    })
}

/// Groups fields into required and optional ones.
fn grouped(fields: Vec<InputField>) -> FieldGroup {
    let (required, optional) = fields.into_iter().partition(|field| field.required);
    FieldGroup { required, optional }
}

/// Lists a session's toolkits by slug, each with the account that a call would use.
pub async fn in_session(
    gateway: &Parts,
    session_id: &str,
    request: ListSessionToolkits,
) -> Result<Page<SessionToolkit>> {
    let place =
        Place::read(request.limit, request.cursor.as_deref(), DEFAULT_SESSION_PAGE, MAX_SESSION_PAGE)?;
    bounds::length(request.search.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "search")?;
    bounds::listed(request.toolkits.len(), "toolkits")?;
    let session = gateway.sessions.load(session_id).await?;
    let config = &session.config;
    let accounts = gateway.store.accounts_for_calls(&session.user_id).await?;
    let mut accounts: BTreeMap<_, _> =
        accounts.into_iter().map(|account| (account.toolkit.clone(), account)).collect();
    for (toolkit, auth_config) in config.auth_configs.iter().flatten() {
        accounts.remove(toolkit);
        if let Some(account) =
            gateway.store.account_for_call(&session.user_id, toolkit, Some(auth_config)).await?
        {
            accounts.insert(toolkit.clone(), Arc::unwrap_or_clone(account));
        }
    }
    for (toolkit, pins) in config.connected_accounts.iter().flatten() {
        accounts.remove(toolkit);
        if let Some(id) = pins.first()
            && let Some(account) = gateway.store.account(id).await?
        {
            accounts.insert(toolkit.clone(), account);
        }
    }
    let is_asked_for = |toolkit: &&Arc<Toolkit>| {
        let listed = if request.toolkits.is_empty() {
            config.toolkits.as_ref().is_none_or(|filter| filter.allows(&toolkit.slug))
        } else {
            request.toolkits.contains(&toolkit.slug)
        };
        let is_active = accounts
            .get(&toolkit.slug)
            .is_some_and(|account| status_in_calls(account) == AccountStatus::Active);
        listed
            && toolkit.is_found_by(request.search.as_deref())
            && request.is_connected.is_none_or(|connected| connected == is_active)
    };
    let found: Vec<_> = gateway.catalogue.iter().filter(is_asked_for).map(Arc::as_ref).collect();
    let rows = rows_of(found, &place, |toolkit| &toolkit.slug);
    let allowed =
        |slug: &str| config.toolkits.as_ref().is_none_or(|filter: &ToolkitFilter| filter.allows(slug));
    Ok(place.page(
        rows,
        |toolkit| (0, toolkit.slug.clone()),
        |toolkit| SessionToolkit {
            enabled: allowed(&toolkit.slug),
            is_no_auth: toolkit.needs_no_account(),
            meta: SessionToolkitMeta { description: toolkit.description(), logo: String::new() },
            composio_managed_auth_schemes: Vec::new(),
            connected_account: accounts.remove(&toolkit.slug).map(|account| SessionAccount {
                status: status_in_calls(&account),
                auth_config: AuthConfigRef {
                    id: account.auth_config_id,
                    auth_scheme: account.auth_scheme,
                    is_composio_managed: false,
                    is_disabled: account.config_is_disabled,
                },
                created_at: rfc3339(account.created_at),
                id: account.id,
                user_id: account.user_id,
            }),
            slug: toolkit.slug.clone(),
            name: toolkit.name.clone(),
        },
    ))
}

/// The status of an account for calls. A disabled auth config makes an active account inactive.
fn status_in_calls(account: &StoredAccount) -> AccountStatus {
    if account.config_is_disabled && account.status == AccountStatus::Active {
        AccountStatus::Inactive
    } else {
        account.status
    }
}

/// Selects the rows of a page from a list in memory, sorted by a key.
fn rows_of<'a, T>(all: Vec<&'a T>, place: &Place, key: impl Fn(&T) -> &str) -> Rows<&'a T> {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let after = place.after.as_ref().map(|(_, key)| key.as_str());
    let rows = all
        .into_iter()
        .filter(|row| after.is_none_or(|after| key(row) > after))
        .take(place.limit as usize + 1)
        .collect();
    Rows { rows, total }
}
