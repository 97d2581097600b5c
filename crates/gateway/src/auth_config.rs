//! Auth configs: how accounts of a toolkit are connected (`docs/wire.md`).
//!
//! An operator creates a `custom` auth config. The first import of a toolkit and scheme that names no auth
//! config creates the `default` one.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy_execute_protocol::{
    AuthConfig, AuthConfigRef, AuthConfigStatus, AuthConfigType, AuthScheme, ChangedAuthConfig,
    CreateAuthConfig, CreatedAuthConfig, Done, Error, ErrorKind, ListAuthConfigs, NewAuthConfigType, Page,
    Result, SecretJson, ToolkitRef, ToolkitWithLogo, UpdateAuthConfig, quoted,
};
use proxy_execute_store::{
    AuthConfigChange, AuthConfigFilter, Clock, PageAsked, Rows, SealedClient, Store, StoredAuthConfig,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::credential::fields::{merged, raw_fields, written};
use crate::credential::scheme::{ClientOwner, Scheme};
use crate::oauth::client::OAuthClient;
use crate::page::ListCursor;
use crate::redirect_uri::RedirectUris;
use crate::restriction::names_something;
use crate::toolkit::{Catalogue, Toolkit};
use crate::vault::{self, Vault};
use crate::{bounds, id};

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 1_000;

/// The auth configs of a gateway.
#[derive(Debug, Clone)]
pub struct AuthConfigs {
    store: Arc<dyn Store>,
    clock: Clock,
    vault: Arc<Vault>,
    catalogue: Arc<Catalogue>,
    redirect_uris: RedirectUris,
}

impl AuthConfigs {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        vault: Arc<Vault>,
        catalogue: Arc<Catalogue>,
        redirect_uris: RedirectUris,
    ) -> Self {
        Self { store, clock, vault, catalogue, redirect_uris }
    }

    /// Creates an auth config.
    pub async fn create(&self, request: CreateAuthConfig) -> Result<CreatedAuthConfig> {
        let toolkit = self.catalogue.get(&request.toolkit.slug)?;
        let custom = request.auth_config.filter(|config| config.kind == NewAuthConfigType::UseCustomAuth);
        let Some(custom) = custom else {
            return Err(Error::new(
                ErrorKind::NoManagedAuth,
                format!("A gateway has no managed auth for toolkit `{}`.", toolkit.slug),
            )
            .fix(self.how_to_register(toolkit, None)));
        };
        let Some(auth_scheme) = custom.auth_scheme else {
            return Err(Error::of_field(
                ErrorKind::InvalidRequest,
                "auth_config.authScheme",
                "auth_config.authScheme: is missing; `use_custom_auth` needs one.",
            ));
        };
        refuse_proxy(custom.proxy_config.as_ref())?;
        toolkit.check_scheme(auth_scheme)?;
        bounds::length(custom.name.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "auth_config.name")?;
        refuse_restrictions(
            custom.tool_access_config.as_ref(),
            Some(&json!(custom.restrict_to_following_tools)),
        )?;
        let settings = json!({
            "shared_credentials": custom.shared_credentials.is_some(),
            "tool_access_config": custom.tool_access_config,
            "restrict_to_following_tools": custom.restrict_to_following_tools,
            "is_enabled_for_tool_router": custom.is_enabled_for_tool_router,
        });
        let credentials = custom.credentials.unwrap_or_else(|| SecretJson::new("{}".to_owned()));
        check_credentials(&credentials)?;
        let name = custom.name.unwrap_or_else(|| format!("{} {auth_scheme}", toolkit.name));
        let config = self.draft(toolkit, auth_scheme, AuthConfigType::Custom, name, &credentials, &settings);
        self.store.insert_auth_config(&config).await?;
        Ok(CreatedAuthConfig {
            toolkit: ToolkitRef { slug: toolkit.slug.clone() },
            auth_config: reference(&config),
        })
    }

    /// Returns the auth config of an import that names none.
    pub(crate) async fn default_for(
        &self,
        toolkit: &Toolkit,
        scheme: AuthScheme,
    ) -> Result<StoredAuthConfig> {
        let name = format!("{} {scheme}", toolkit.name);
        let none = SecretJson::new("{}".to_owned());
        self.store
            .default_auth_config(self.draft(
                toolkit,
                scheme,
                AuthConfigType::Default,
                name,
                &none,
                &json!({}),
            ))
            .await
    }

    /// Lists auth configs, newest first.
    pub async fn list(&self, request: ListAuthConfigs) -> Result<Page<AuthConfig>> {
        bounds::length(request.search.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "search")?;
        let place = ListCursor::read(request.limit, request.cursor.as_deref(), DEFAULT_PAGE, MAX_PAGE)?;
        let found = if request.is_composio_managed == Some(true) {
            Rows { rows: Vec::new(), total: 0 }
        } else {
            self.store
                .auth_configs(&AuthConfigFilter {
                    toolkit: request.toolkit_slug,
                    search: request.search,
                    with_disabled: request.show_disabled.unwrap_or_default(),
                    only_custom: false,
                    page: place.asked()?,
                })
                .await?
        };
        Ok(place.page(
            found,
            |config| (config.created_at, config.seq.to_string()),
            |config| self.shown(config),
        ))
    }

    /// Reads an auth config.
    pub async fn get(&self, id: &str) -> Result<AuthConfig> {
        Ok(self.shown(self.find(id).await?))
    }

    /// Changes an auth config.
    pub async fn update(&self, id: &str, request: UpdateAuthConfig) -> Result<ChangedAuthConfig> {
        let config = self.find(id).await?;
        if AuthConfigType::try_from(request.kind).ok() != Some(config.kind) {
            return Err(Error::of_field(
                ErrorKind::InvalidRequest,
                "type",
                format!("type: auth config {id} is `{}`, and that cannot be changed.", config.kind),
            ));
        }
        bounds::length(request.name.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "name")?;
        refuse_restrictions(
            request.tool_access_config.as_ref(),
            request.restrict_to_following_tools.as_ref(),
        )?;
        refuse_proxy(request.proxy_config.as_ref())?;
        let mut change = AuthConfigChange { name: request.name, ..AuthConfigChange::default() };
        if let Some(credentials) = &request.credentials {
            check_credentials(credentials)?;
            let all = self.changed(&config, credentials)?;
            change.credentials = Some(SealedClient {
                sealed: self.vault.seal(place(id), all.expose()),
                key_id: self.vault.key_id().to_owned(),
                has_client: has_client(config.auth_scheme, &all),
            });
        }
        for (name, value) in [
            ("scopes", request.scopes),
            ("user_scopes", request.user_scopes),
            ("proxy_config", request.proxy_config),
            ("tool_access_config", request.tool_access_config),
            ("restrict_to_following_tools", request.restrict_to_following_tools),
            ("is_enabled_for_tool_router", request.is_enabled_for_tool_router.map(Value::from)),
        ] {
            if let Some(value) = value {
                change.settings.push((name, value.to_string()));
            }
        }
        self.save(id, &change, "was changed").await
    }

    /// Enables or disables an auth config, and all its accounts with it.
    pub async fn set_status(&self, id: &str, status: AuthConfigStatus) -> Result<ChangedAuthConfig> {
        let what = match status {
            AuthConfigStatus::Enabled => "is enabled",
            AuthConfigStatus::Disabled => "is disabled, and with it its accounts",
        };
        let change = AuthConfigChange { status: Some(status), ..AuthConfigChange::default() };
        self.save(id, &change, what).await
    }

    /// Deletes an auth config with its accounts.
    pub async fn delete(&self, id: &str) -> Result<Done> {
        if self.store.delete_auth_config(id).await? {
            Ok(done(id, "was deleted with its accounts"))
        } else {
            Err(not_found(id))
        }
    }

    pub(crate) async fn find(&self, id: &str) -> Result<StoredAuthConfig> {
        self.store.auth_config(id).await?.ok_or_else(|| not_found(id))
    }

    /// Returns the auth config of a request.
    ///
    /// # Errors
    /// `AuthConfigNotFound`; `AccountUnusable` if it is disabled.
    pub(crate) async fn usable(&self, id: &str) -> Result<StoredAuthConfig> {
        let config = self.find(id).await?;
        if config.status == AuthConfigStatus::Disabled {
            return Err(Error::new(ErrorKind::AccountUnusable, format!("Auth config {id} is disabled."))
                .fix(format!("Enable it with PATCH /auth_configs/{id}/ENABLED.")));
        }
        Ok(config)
    }

    /// Returns the newest enabled auth config that an operator created for a toolkit.
    pub(crate) async fn newest_custom(&self, toolkit: &str) -> Result<Option<StoredAuthConfig>> {
        let filter = AuthConfigFilter {
            toolkit: Some(toolkit.to_owned()),
            only_custom: true,
            page: PageAsked { after: None, limit: 1 },
            ..AuthConfigFilter::default()
        };
        Ok(self.store.auth_configs(&filter).await?.rows.into_iter().next())
    }

    /// Returns the credentials of an auth config, and the settings that were changed since.
    ///
    /// # Errors
    /// `Internal` if the stored secret cannot be decrypted.
    pub(crate) fn credentials(&self, config: &StoredAuthConfig) -> Result<(SecretJson, Value)> {
        let credentials = self.opened(config).map_err(|error| {
            tracing::error!(auth_config = config.id, key_id = config.key_id, %error, "a stored client cannot be opened");
            let secret = format!("The stored credentials of auth config {}", config.id);
            error.of(&secret, "Give it its credentials again.")
        })?;
        Ok((SecretJson::new(credentials), serde_json::from_str(&config.settings).unwrap_or_default()))
    }

    fn opened(&self, config: &StoredAuthConfig) -> Result<SecretString, vault::Unopenable> {
        self.vault.open(place(&config.id), Some(&config.key_id), &config.credentials)
    }

    /// Returns the toolkit's fields that an auth config sets for all of its accounts, such as the host of a
    /// client.
    ///
    /// # Errors
    /// `Internal` if the stored secret cannot be decrypted.
    pub(crate) fn fields(&self, toolkit: &Toolkit, config: &StoredAuthConfig) -> Result<SecretJson> {
        let (credentials, _) = self.credentials(config)?;
        let mut fields = raw_fields(&credentials)?;
        fields.retain(|name, value| toolkit.describes(name) && !matches!(value.get(), "null" | "\"\""));
        written(&fields)
    }

    /// Returns the OAuth client of an auth config.
    ///
    /// # Errors
    /// `InvalidRequest` that names the missing part.
    pub(crate) fn client(&self, config: &StoredAuthConfig) -> Result<OAuthClient> {
        let (credentials, settings) = self.credentials(config)?;
        OAuthClient::read(&credentials, &settings)
    }

    /// The error of a toolkit without an auth config that users could sign in with at its provider.
    pub(crate) fn needs_client(&self, toolkit: &Toolkit) -> Error {
        let message = format!(
            "Toolkit `{}` needs an auth config with your own client, and there is none.",
            toolkit.slug
        );
        Error::new(ErrorKind::NoManagedAuth, message).fix(self.how_to_register(toolkit, None))
    }

    /// Returns the operator's steps so that users can sign in at a toolkit's provider: register a client, and
    /// give it to an auth config.
    ///
    /// `config` is the id of that auth config. Without it, the operator creates a new one.
    pub(crate) fn how_to_register(&self, toolkit: &Toolkit, config: Option<&str>) -> String {
        let slug = &toolkit.slug;
        let create = |scheme: AuthScheme, credentials: &str| {
            format!(
                "composio.authConfigs.create('{slug}', {{ type: 'use_custom_auth', authScheme: '{scheme}'{credentials} }})"
            )
        };
        let Some(oauth) = toolkit.operators_scheme() else {
            let names: Vec<_> = toolkit.schemes().map(|scheme| scheme.to_string()).collect();
            let first = toolkit.schemes().next().map(|scheme| create(scheme, "")).unwrap_or_default();
            return format!("Create an auth config with {first}; its schemes are {}.", names.join(", "));
        };
        let page = match (toolkit.client_page(oauth), &toolkit.docs) {
            (Some(page), _) => format!(" at {page}"),
            (None, Some(docs)) => format!(" at the provider (see {docs})"),
            (None, None) => " at the provider".to_owned(),
        };
        let redirect_uri = match self.redirect_uris.to_register(toolkit, oauth) {
            Some(uri) => format!("redirect URI {uri}"),
            None => "redirect URI {publicUrl}/connect/callback, of the address where the gateway listens"
                .to_owned(),
        };
        let of_host = toolkit.client_host_fields(oauth);
        let fields: Vec<_> =
            ["client_id", "client_secret"].into_iter().chain(of_host.iter().map(String::as_str)).collect();
        let fields = format!("{{ {} }}", fields.join(", "));
        let then = match config {
            Some(id) => format!(
                "Then give them to composio.authConfigs.update('{id}', {{ type: 'custom', credentials: {fields} }})."
            ),
            None => format!("Then call {}.", create(oauth, &format!(", credentials: {fields}"))),
        };
        let other = toolkit.entered_scheme().map(|scheme| {
            format!(" Users who have a key or token already can enter it with an auth config of authScheme '{scheme}'.")
        });
        format!(
            "Register an OAuth client for {}{page}, with the {redirect_uri}. {then}{}",
            toolkit.name,
            other.unwrap_or_default()
        )
    }

    /// Returns the credentials of an auth config with the given ones on top. The client of one host is not sent
    /// to another host.
    fn changed(&self, config: &StoredAuthConfig, given: &SecretJson) -> Result<SecretJson> {
        // If the old credentials cannot be decrypted, the caller can still replace them as a whole.
        let Ok((old, _)) = self.credentials(config) else { return Ok(given.clone()) };
        let all = merged(&old, given)?;
        let hosts = self.catalogue.get(&config.toolkit)?.client_host_fields(config.auth_scheme);
        let (old, new) = (raw_fields(&old)?, raw_fields(&all)?);
        let is_moved =
            hosts.iter().any(|name| old.get(name).map(|raw| raw.get()) != new.get(name).map(|raw| raw.get()));
        if is_moved { merged(&SecretJson::new("{}".to_owned()), given) } else { Ok(all) }
    }

    async fn save(&self, id: &str, change: &AuthConfigChange, what: &str) -> Result<ChangedAuthConfig> {
        if !self.store.update_auth_config(id, change).await? {
            return Err(not_found(id));
        }
        Ok(ChangedAuthConfig { done: done(id, what), auth_config: self.get(id).await? })
    }

    fn draft(
        &self,
        toolkit: &Toolkit,
        scheme: AuthScheme,
        kind: AuthConfigType,
        name: String,
        credentials: &SecretJson,
        settings: &Value,
    ) -> StoredAuthConfig {
        let (id, at) = (id::random("ac"), self.clock.now());
        StoredAuthConfig {
            credentials: self.vault.seal(place(&id), credentials.expose()),
            key_id: self.vault.key_id().to_owned(),
            has_client: has_client(scheme, credentials),
            toolkit: toolkit.slug.clone(),
            name,
            kind,
            auth_scheme: scheme,
            status: AuthConfigStatus::Enabled,
            settings: settings.to_string(),
            created_at: at,
            updated_at: at,
            seq: 0,
            accounts: 0,
            id,
        }
    }

    fn shown(&self, config: StoredAuthConfig) -> AuthConfig {
        let settings: Value = serde_json::from_str(&config.settings).unwrap_or_default();
        let names = self
            .opened(&config)
            .ok()
            .and_then(|json| serde_json::from_str::<BTreeMap<String, IgnoredAny>>(json.expose_secret()).ok());
        let credentials =
            names.unwrap_or_default().into_keys().map(|name| (name, Value::from("REDACTED"))).collect();
        let tools = serde_json::from_value(settings["restrict_to_following_tools"].clone());
        let tool_access = &settings["tool_access_config"];
        let fields = self.catalogue.get(&config.toolkit).ok();
        AuthConfig {
            uuid: config.id.clone(),
            id: config.id,
            name: config.name,
            kind: config.kind,
            status: config.status,
            no_of_connections: config.accounts,
            expected_input_fields: fields
                .map(|toolkit| toolkit.input_fields(config.auth_scheme))
                .unwrap_or_default(),
            toolkit: ToolkitWithLogo { slug: config.toolkit, logo: String::new() },
            auth_scheme: config.auth_scheme,
            is_composio_managed: false,
            is_enabled_for_tool_router: settings["is_enabled_for_tool_router"].as_bool().unwrap_or(true),
            credentials: Value::Object(credentials),
            tool_access_config: if tool_access.is_object() { tool_access.clone() } else { json!({}) },
            restrict_to_following_tools: tools.unwrap_or_default(),
            created_at: rfc3339(config.created_at),
            last_updated_at: rfc3339(config.updated_at),
        }
    }
}

/// Returns the short form of an auth config for other responses.
pub(crate) fn reference(config: &StoredAuthConfig) -> AuthConfigRef {
    AuthConfigRef {
        id: config.id.clone(),
        auth_scheme: config.auth_scheme,
        is_composio_managed: false,
        is_disabled: config.status == AuthConfigStatus::Disabled,
    }
}

fn done(id: &str, what: &str) -> Done {
    Done { success: true, message: format!("Auth config {id} {what}.") }
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::new(
        ErrorKind::AuthConfigNotFound,
        format!("Auth config `{}` was deleted, or never existed.", quoted(id)),
    )
    .fix("List the auth configs with composio.authConfigs.list().")
}

/// Returns whether the client of an auth config allows its accounts to be refreshed. Other schemes need none, or
/// accept one of the account.
fn has_client(scheme: AuthScheme, credentials: &SecretJson) -> bool {
    Scheme::of(scheme).client != ClientOwner::AuthConfig
        || OAuthClient::read(credentials, &Value::Null).is_ok()
}

/// Refuses a choice of tools, because the gateway would send calls regardless of it.
fn refuse_restrictions(tool_access: Option<&Value>, tools: Option<&Value>) -> Result<()> {
    for (value, field) in [(tool_access, "tool_access_config"), (tools, "restrict_to_following_tools")] {
        if value.is_some_and(names_something) {
            let message = format!(
                "`{field}` would restrict the accounts of the auth config, and a gateway does not enforce it: a call may use any method and path."
            );
            return Err(Error::of_field(ErrorKind::InvalidRequest, field, message)
                .fix("Leave it out, and restrict the OAuth client itself with `scopes`."));
        }
    }
    Ok(())
}

fn refuse_proxy(config: Option<&Value>) -> Result<()> {
    if config.is_none_or(Value::is_null) {
        return Ok(());
    }
    let message = "auth_config.proxy_config: a gateway does not send calls through another proxy.";
    Err(Error::of_field(ErrorKind::InvalidRequest, "auth_config.proxy_config", message))
}

fn check_credentials(credentials: &SecretJson) -> Result<()> {
    bounds::credential(credentials, "auth_config.credentials")?;
    serde_json::from_str::<BTreeMap<String, IgnoredAny>>(credentials.expose()).map(drop).map_err(|_| {
        Error::of_field(
            ErrorKind::InvalidRequest,
            "auth_config.credentials",
            "auth_config.credentials: must be an object.",
        )
    })
}

fn place(id: &str) -> vault::SealedField<'_> {
    vault::SealedField { table: "auth_configs", row: id, field: "credentials" }
}
