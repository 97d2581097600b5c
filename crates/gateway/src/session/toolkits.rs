//! The toolkits of a session, each with the account that a call would use.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy_execute_protocol::{
    AccountStatus, AuthConfigRef, ListSessionToolkits, Page, Result, SessionAccount, SessionToolkit,
    SessionToolkitMeta, ToolkitFilter,
};
use proxy_execute_store::StoredAccount;

use super::Sessions;
use crate::account::admits;
use crate::bounds;
use crate::clock::rfc3339;
use crate::page::{ListCursor, rows_of};
use crate::toolkit::Toolkit;

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 50;

impl Sessions {
    /// Lists a session's toolkits by slug, each with the account that a call would use.
    pub async fn toolkits(
        &self,
        session_id: &str,
        request: ListSessionToolkits,
    ) -> Result<Page<SessionToolkit>> {
        let place = ListCursor::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MAX_PAGE)?;
        bounds::length(request.search.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "search")?;
        bounds::listed(request.toolkits.len(), "toolkits")?;
        let session = self.load(session_id).await?;
        let config = &session.config;
        let accounts = self.store.accounts_for_calls(&session.user_id).await?;
        let mut accounts: BTreeMap<_, _> =
            accounts.into_iter().map(|account| (account.toolkit.clone(), account)).collect();
        for (toolkit, auth_config) in config.auth_configs.iter().flatten() {
            accounts.remove(toolkit);
            if let Some(account) =
                self.store.account_for_call(&session.user_id, toolkit, Some(auth_config)).await?
            {
                accounts.insert(toolkit.clone(), Arc::unwrap_or_clone(account));
            }
        }
        for (toolkit, pins) in config.connected_accounts.iter().flatten() {
            accounts.remove(toolkit);
            if let Some(id) = pins.first()
                && let Some(mut account) = self.store.account(id).await?
            {
                // The ACL of a SHARED account no longer allows the user. Calls are refused.
                if account.status == AccountStatus::Active && !admits(&account, &session.user_id) {
                    account.status = AccountStatus::Inactive;
                }
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
        let found: Vec<_> = self.catalogue.iter().filter(is_asked_for).map(Arc::as_ref).collect();
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
}

/// The status of an account for calls. A disabled auth config makes an active account inactive.
fn status_in_calls(account: &StoredAccount) -> AccountStatus {
    if account.config_is_disabled && account.status == AccountStatus::Active {
        AccountStatus::Inactive
    } else {
        account.status
    }
}
