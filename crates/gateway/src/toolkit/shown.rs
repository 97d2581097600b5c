//! Toolkits as responses show them: in lists, one by one, and with a session's accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proxy_execute_protocol::{
    AccountStatus, AuthConfigDetails, AuthConfigFields, AuthConfigRef, AuthScheme, DeprecatedIds, FieldGroup,
    InputField, ListSessionToolkits, ListToolkits, Page, Result, SessionAccount, SessionToolkit,
    SessionToolkitMeta, ToolkitDetails, ToolkitFilter, ToolkitItem, ToolkitMeta,
};
use proxy_execute_store::{Rows, StoredAccount};

use super::Toolkit;
use crate::clock::rfc3339;
use crate::credential::scheme::{ClientOwner, Obtained, Scheme};
use crate::gateway::Parts;
use crate::page::Place;
use crate::{bounds, connect, session};

const MAX_PAGE: u32 = 1_000;
const DEFAULT_SESSION_PAGE: u32 = 20;
const MAX_SESSION_PAGE: u32 = 50;

/// The fields of a credential that are not secret.
const PLAIN: &[&str] = &["application_id", "client_id", "consumer_key", "email", "username"];

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
    let base_url = toolkit.schemes.values().next().map(|scheme| scheme.base_url.to_string());
    let auth_config_details = toolkit.schemes().map(|scheme| AuthConfigDetails {
        mode: scheme.to_string(),
        name: format!("{} {scheme}", toolkit.name),
        required_scopes: toolkit.default_scopes(scheme).to_vec(),
        redirect_uri: connect::redirect_uri(gateway, toolkit, scheme),
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
        base_url: base_url.unwrap_or_default(),
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
    let session = session::load(gateway, session_id).await?;
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

impl Toolkit {
    /// The fields that a user enters to connect an account with this scheme.
    pub(crate) fn input_fields(&self, auth_scheme: AuthScheme) -> Vec<InputField> {
        let Some(scheme) = self.schemes.get(&auth_scheme) else { return Vec::new() };
        let mut names = scheme.signing_fields();
        if scheme.authorization_server.is_some() {
            names.extend(Scheme::of(auth_scheme).exchanged_fields().iter().map(|name| (*name).to_owned()));
        }
        let of_credential: BTreeSet<_> = names.iter().cloned().collect();
        names.extend(scheme.base_url.field_names());
        if let Some(server) = &scheme.authorization_server {
            names.extend(server.field_names());
            let is_exchanged = |name: &str| Scheme::of(auth_scheme).exchanged_fields().contains(&name);
            names.retain(|name| {
                is_exchanged(name) || !(server.answers(name) || server.is_told_by_callback(name))
            });
        }
        if Scheme::of(auth_scheme).client == ClientOwner::AuthConfig {
            // The auth config sets the fields for the host that receives its client.
            let given = self.client_host_fields(auth_scheme);
            names.retain(|name| !given.contains(name));
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let mut fields: Vec<_> = names.into_iter().map(|name| self.input_field(auth_scheme, name)).collect();
        // Required fields come first, and a user name before its password.
        fields.sort_by_key(|field| (!field.required, !of_credential.contains(&field.name), field.is_secret));
        fields
    }

    fn input_field(&self, auth_scheme: AuthScheme, name: String) -> InputField {
        let described = self.fields.get(&name);
        let may_lack =
            self.schemes.get(&auth_scheme).is_some_and(|scheme| scheme.may_lack(auth_scheme, &name));
        InputField {
            display_name: name.replace(['_', '-'], " "),
            description: described.map(|field| field.description.clone()).unwrap_or_default(),
            kind: "string".to_owned(),
            required: !may_lack && described.is_none_or(|field| field.default.is_none()),
            user_visible: true,
            is_secret: described.is_none() && !PLAIN.contains(&name.as_str()),
            default: described.and_then(|field| field.default.clone()),
            name,
        }
    }

    /// The fields of an auth config with this scheme: those of the client at the provider, if the scheme has
    /// one.
    fn client_fields(&self, scheme: AuthScheme) -> Vec<InputField> {
        let Some(server) = self.server_of(scheme) else { return Vec::new() };
        let field = |name: &str, description: &str, required: bool, default: Option<String>| InputField {
            display_name: name.replace('_', " "),
            description: description.to_owned(),
            kind: "string".to_owned(),
            required,
            user_visible: true,
            is_secret: name == "client_secret",
            default,
            name: name.to_owned(),
        };
        let mut fields = Vec::new();
        let owner = Scheme::of(scheme).client;
        if matches!(owner, ClientOwner::AuthConfig | ClientOwner::Account) {
            fields.push(field("client_id", "The id of your client at the provider", true, None));
            fields.push(field("client_secret", "Its secret", true, None));
        }
        if owner == ClientOwner::AuthConfig {
            let hosts = self.client_host_fields(scheme).into_iter();
            fields.extend(hosts.map(|name| self.input_field(scheme, name)));
        }
        if server.authorize_url.is_some() {
            let description = "Where the provider sends users back to, if not to this gateway's own address";
            fields.push(field("oauth_redirect_uri", description, false, None));
        }
        if Scheme::of(scheme).takes_scopes {
            let scopes = server.rules.scopes.join(&server.rules.scope_separator);
            let scopes = Some(scopes).filter(|scopes| !scopes.is_empty());
            fields.push(field("scopes", "What is asked for", false, scopes));
        }
        if server.rules.user_scope_parameter.is_some() {
            fields.push(field("user_scopes", "What the app may do as the person", false, None));
        }
        fields
    }

    /// The provider's page for registering a client.
    pub(crate) fn client_page(&self, scheme: AuthScheme) -> Option<&str> {
        self.server_of(scheme)?.rules.client_page.as_deref()
    }

    fn default_scopes(&self, scheme: AuthScheme) -> &[String] {
        self.server_of(scheme).map_or(&[], |server| &server.rules.scopes)
    }

    /// Whether calls need no account.
    pub(crate) fn needs_no_account(&self) -> bool {
        self.schemes().any(|scheme| Scheme::of(scheme).obtained == Obtained::NotNeeded)
    }

    fn is_found_by(&self, search: Option<&str>) -> bool {
        search.is_none_or(|search| {
            let search = search.to_lowercase();
            self.slug.contains(&search) || self.name.to_lowercase().contains(&search)
        })
    }

    fn description(&self) -> String {
        format!("The HTTP API of {}", self.name)
    }

    fn item(&self) -> ToolkitItem {
        ToolkitItem {
            slug: self.slug.clone(),
            name: self.name.clone(),
            kind: "native".to_owned(),
            auth_schemes: self.schemes().map(|scheme| scheme.to_string()).collect(),
            composio_managed_auth_schemes: Vec::new(),
            no_auth: self.needs_no_account(),
            is_local_toolkit: false,
            auth_guide_url: self.docs.clone(),
            meta: ToolkitMeta {
                description: self.description(),
                logo: String::new(),
                categories: Vec::new(),
                tools_count: 0,
                triggers_count: 0,
                version: "latest".to_owned(),
                available_versions: vec!["latest".to_owned()],
                created_at: rfc3339(0),
                updated_at: rfc3339(0),
                app_url: self.docs.clone(),
            },
            deprecated: DeprecatedIds { toolkit_id: self.slug.clone(), raw_proxy_info_by_auth_schemes: [] },
        }
    }
}
