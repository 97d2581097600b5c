//! Links: the page where a user connects an account (`docs/connecting-accounts.md`). `connect.rs` has
//! the flow behind a link.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use proxy_execute_protocol::{
    AccountStatus, AuthConfigType, CreateAccount, CreatedAccount, Error, ErrorKind, Link, LinkAccount,
    LinkAgain, LinkInSession, NewConnection, RefreshAccount, RefreshedAccount, Result, SecretJson,
};
use proxy_execute_store::{Clock, Store, StoredAccount, StoredAuthConfig, StoredLink, StoredSession};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::account::{self, Accounts, NewAccount, SharingOfNew};
use crate::auth_config::AuthConfigs;
use crate::callback_url::CallbackUrls;
use crate::clock::rfc3339;
use crate::credential::scheme::{ClientOwner, Obtained, Scheme};
use crate::credential::{Fields, GivenCredential};
use crate::oauth::client::ClientMetadata;
use crate::public_url::PublicUrl;
use crate::redirect_uri::RedirectUris;
use crate::request::require;
use crate::session::{self, Sessions};
use crate::tokens::{Reason, Tokens};
use crate::toolkit::{Catalogue, Toolkit};
use crate::vault::{SealedField, Vault};
use crate::{bounds, id};

/// The longest time between two checks for expired links, in case another process creates some.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The links of a gateway.
#[derive(Debug, Clone)]
pub struct Links {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) callback_urls: Arc<CallbackUrls>,
    pub(crate) public_url: PublicUrl,
    pub(crate) redirect_uris: RedirectUris,
    pub(crate) auth_configs: AuthConfigs,
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) tokens: Tokens,
    /// How long a link is valid.
    pub(crate) lifetime: Duration,
}

impl Links {
    /// Creates an account for the session's user, and a link to connect it.
    pub async fn in_session(&self, session_id: &str, request: LinkInSession) -> Result<Link> {
        require(Some(&request.toolkit), "toolkit")?;
        bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
        let sharing = SharingOfNew::read(request.experimental, "experimental")?;
        let session = self.sessions.load(session_id).await?;
        session::check_allowed(&session, &request.toolkit)?;
        let toolkit = self.catalogue.get(&request.toolkit)?;
        let auth_config = self.auth_config_of(&session, toolkit).await?;
        let new = NewAccount { user_id: session.user_id.clone(), alias: request.alias, sharing };
        self.begin(&auth_config, new, None, request.callback_url).await
    }

    /// Creates an account with an auth config, and a link to connect it.
    pub async fn with_auth_config(&self, request: LinkAccount) -> Result<Link> {
        require(Some(&request.user_id), "user_id")?;
        bounds::length(&request.user_id, bounds::LONGEST_USER_ID, "user_id")?;
        bounds::length(request.alias.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "alias")?;
        if let Some(known) = &request.connection_data {
            bounds::credential(known, "connection_data")?;
        }
        let sharing = SharingOfNew::read(request.experimental, "experimental")?;
        let config = self.auth_configs.usable(&request.auth_config_id).await?;
        let new = NewAccount { user_id: request.user_id, alias: request.alias, sharing };
        self.begin(&config, new, request.connection_data, request.callback_url).await
    }

    /// Creates an account with an auth config. It is ACTIVE if the credential is complete; else it is
    /// INITIALIZING, with a link to finish it.
    pub async fn create_account(&self, request: CreateAccount) -> Result<CreatedAccount> {
        let NewConnection { user_id, state, data, callback_url, alias, experimental, .. } =
            request.connection;
        for (json, field) in [(&state, "connection.state"), (&data, "connection.data")] {
            json.as_ref().map_or(Ok(()), |json| bounds::credential(json, field))?;
        }
        let sharing = SharingOfNew::read(experimental, "connection.experimental")?;
        let config = self.auth_configs.usable(&request.auth_config.id).await?;
        let toolkit = self.catalogue.get(&config.toolkit)?;
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
                format!(
                    "connection.state.authScheme: the auth config has {scheme}, not {}.",
                    given.auth_scheme
                ),
            ));
        }
        given.val = self.accounts.with_fields_of(toolkit, &config, &given.val)?;
        let new = NewAccount { user_id, alias, sharing };
        if self.is_unfinished(toolkit, &config, &given)? {
            self.check(&config, callback_url.as_deref())?;
            self.check_asked(&config)?;
            let account = self.accounts.insert(&config, new, &given.val, AccountStatus::Initializing).await?;
            let link = self.give_out(&account.id, callback_url, &[]).await?;
            return Ok(created(&self.accounts, account, Some(link.redirect_url)));
        }
        self.accounts.check_credential(toolkit, &given, Some(&config))?;
        let account = self.accounts.insert(&config, new, &given.val, AccountStatus::Active).await?;
        Ok(created(&self.accounts, account, None))
    }

    /// Creates a link to connect an existing account again. The account keeps its id and its name.
    ///
    /// An ACTIVE account keeps its old credential until there is a new one.
    pub async fn again(&self, account_id: &str, request: LinkAgain) -> Result<Link> {
        bounds::scopes(&request.scopes)?;
        let account = self.accounts.find(account_id).await?;
        let config = self.auth_configs.usable(&account.auth_config_id).await?;
        self.check(&config, request.callback_url.as_deref())?;
        if account.is_to_be_connected() {
            self.accounts.set_status(account_id, AccountStatus::Initializing, None).await?;
        }
        self.give_out(account_id, request.callback_url, &request.scopes).await
    }

    /// Refreshes an account's credential now, even if the account is EXPIRED. If the user has to consent again,
    /// the response has a link.
    ///
    /// An account that cannot be refreshed is only checked.
    pub async fn refresh(&self, id: &str, request: RefreshAccount) -> Result<RefreshedAccount> {
        let account = self.accounts.find(id).await?;
        // A refresh does not reconnect an account that was revoked on purpose.
        let is_over = matches!(account.status, AccountStatus::Failed | AccountStatus::Expired);
        if is_over && self.accounts.obstacle(&account).is_some() && self.public_url.get().is_ok() {
            let again = LinkAgain { callback_url: request.redirect_url, scopes: Vec::new() };
            let link = self.again(id, again).await?;
            let status = self.accounts.find(id).await?.status;
            return Ok(RefreshedAccount { id: account.id, status, redirect_url: Some(link.redirect_url) });
        }
        let account = if matches!(account.status, AccountStatus::Active | AccountStatus::Expired)
            && self.accounts.obstacle(&account).is_none()
        {
            self.tokens.renewed(&account, Reason::Asked).await?
        } else {
            self.accounts.by_id(id).await?
        };
        Ok(RefreshedAccount { id: account.id, status: account.status, redirect_url: None })
    }

    async fn begin(
        &self,
        config: &StoredAuthConfig,
        new: NewAccount,
        known: Option<SecretJson>,
        callback_url: Option<String>,
    ) -> Result<Link> {
        self.check(config, callback_url.as_deref())?;
        self.check_asked(config)?;
        let known = known.unwrap_or_else(|| SecretJson::new("{}".to_owned()));
        let toolkit = self.catalogue.get(&config.toolkit)?;
        let known = self.accounts.with_fields_of(toolkit, config, &known)?;
        let account = self.accounts.insert(config, new, &known, AccountStatus::Initializing).await?;
        self.give_out(&account.id, callback_url, &[]).await
    }

    /// Refuses a link that could not connect an account, before the account is created.
    fn check(&self, config: &StoredAuthConfig, callback_url: Option<&str>) -> Result<()> {
        if let Some(url) = callback_url {
            bounds::length(url, bounds::LONGEST_URL, "callback_url")?;
            self.callback_urls.check(url)?;
        }
        if Scheme::of(config.auth_scheme).obtained == Obtained::NotNeeded {
            return Err(needs_none(&config.toolkit));
        }
        self.public_url.get()?;
        self.check_config(config)
    }

    /// Refuses an auth config if no user could connect an account with it by a link.
    ///
    /// # Errors
    /// `Unsupported`, or `InvalidRequest` that names the missing part of the auth config.
    fn check_config(&self, config: &StoredAuthConfig) -> Result<()> {
        let toolkit = self.catalogue.get(&config.toolkit)?;
        let scheme = config.auth_scheme;
        if Scheme::of(scheme).obtained != Obtained::ByConsent {
            return Ok(());
        }
        if !toolkit.has_consent(scheme) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("The definition of toolkit `{}` has no page where the user consents.", toolkit.slug),
            )
            .fix(format!("Give it [schemes.{scheme}.authorization_server], or import a token.")));
        }
        let (credentials, settings) = self.auth_configs.credentials(config)?;
        // An account with a client of its own may have none yet: the gateway registers it when the user submits
        // the form.
        if Scheme::of(scheme).client == ClientOwner::AuthConfig {
            if !config.has_client {
                let message = format!("Auth config {} has no `client_id`.", config.id);
                return Err(Error::of_field(ErrorKind::InvalidRequest, "client_id", message)
                    .fix(self.auth_configs.how_to_register(toolkit, Some(&config.id))));
            }
            toolkit.client_of(scheme, &Fields::default(), &credentials, &settings)?;
        }
        let metadata = ClientMetadata::read(&credentials, &settings)?;
        let fields = Fields::read(&self.auth_configs.fields(toolkit, config)?)?;
        if toolkit.callback_name(scheme, &fields).is_some() {
            self.redirect_uris.of(toolkit, scheme, &fields, metadata.redirect_uri.as_deref())?;
        }
        Ok(())
    }

    /// Refuses a link with the default auth config of imports if users of the toolkit sign in with OAuth.
    ///
    /// Its form would ask users for a token that they do not have. A custom auth config may ask for it.
    fn check_asked(&self, config: &StoredAuthConfig) -> Result<()> {
        let toolkit = self.catalogue.get(&config.toolkit)?;
        let scheme = config.auth_scheme;
        let is_of_imports = config.kind == AuthConfigType::Default && toolkit.link_scheme() != Some(scheme);
        if is_of_imports && toolkit.operators_scheme().is_some() {
            return Err(self.auth_configs.needs_client(toolkit));
        }
        Ok(())
    }

    /// Creates a link to an account, after [`Self::check`].
    async fn give_out(
        &self,
        account_id: &str,
        callback_url: Option<String>,
        scopes: &[String],
    ) -> Result<Link> {
        let token = id::secret("lt");
        let expires_at = self.clock.now().saturating_add(milliseconds(self.lifetime));
        let token_hash = id::hash(&token);
        let row = HEXLOWER.encode(&token_hash);
        let link = StoredLink {
            token_hash,
            account_id: account_id.to_owned(),
            callback_url: callback_url.map(|url| self.vault.seal(place(&row, "callback_url"), &url)),
            scopes: json!(scopes).to_string(),
            browser_hash: None,
            verifier: None,
            given: None,
            key_id: Some(self.vault.key_id().to_owned()),
            expires_at,
            finished_at: None,
        };
        if !self.store.insert_link(&link).await? {
            return Err(account::not_found(account_id));
        }
        Ok(Link {
            redirect_url: format!("{}/connect/{token}", self.public_url.get()?),
            link_token: token,
            connected_account_id: account_id.to_owned(),
            expires_at: rfc3339(expires_at),
        })
    }

    /// Returns the auth config for a link in a session: the session's own, else the newest enabled custom one of
    /// the toolkit.
    ///
    /// Without either, it is the toolkit's default for a scheme that needs no client.
    async fn auth_config_of(&self, session: &StoredSession, toolkit: &Toolkit) -> Result<StoredAuthConfig> {
        let (slug, config) = (&toolkit.slug, &session.config);
        if config.connected_accounts.as_ref().is_some_and(|pins| pins.contains_key(slug)) {
            let message = format!(
                "Session {} pins an account of toolkit `{slug}`, so it cannot link another one.",
                session.id
            );
            return Err(Error::new(ErrorKind::InvalidSession, message));
        }
        if let Some(id) = config.auth_configs.as_ref().and_then(|configs| configs.get(slug)) {
            return self.auth_configs.usable(id).await;
        }
        if let Some(config) = self.auth_configs.newest_custom(slug).await? {
            return Ok(config);
        }
        if toolkit.schemes().all(|scheme| Scheme::of(scheme).obtained == Obtained::NotNeeded) {
            return Err(needs_none(slug));
        }
        match toolkit.link_scheme() {
            Some(scheme) => self.auth_configs.default_for(toolkit, scheme).await,
            None => Err(self.auth_configs.needs_client(toolkit)),
        }
    }

    /// Returns whether the user has to enter a missing part. The client may be the auth config's.
    fn is_unfinished(
        &self,
        toolkit: &Toolkit,
        config: &StoredAuthConfig,
        given: &GivenCredential,
    ) -> Result<bool> {
        let fields = given.fields()?;
        if Scheme::of(given.auth_scheme).client == ClientOwner::Account
            && toolkit.exchanges(given.auth_scheme)
        {
            let (client, settings) = self.auth_configs.credentials(config)?;
            return Ok(toolkit.client_of(given.auth_scheme, &fields, &client, &settings).is_err());
        }
        Ok(toolkit.lacks_secret(given.auth_scheme, &fields))
    }

    /// Sets accounts to EXPIRED when their link expires unused, until the gateway closes.
    ///
    /// If a caller was dropped between creating an account and its link, the account expires, too.
    pub(crate) async fn expire_on_time(self, closing: CancellationToken) {
        let reason = expired_reason(self.lifetime);
        // A link that is created during the pause does not expire before its end.
        let longest = self.lifetime.min(LOOK_AGAIN);
        loop {
            // Both queries use the same time, so that no link expires between them.
            let at = self.clock.now();
            match self.store.expire_links(&reason, at, milliseconds(self.lifetime)).await {
                Ok(accounts) => accounts.iter().for_each(|id| self.accounts.changes.tell(id)),
                Err(error) => tracing::warn!(%error, "links could not be read"),
            }
            let next = self.store.next_link_expiry(at).await.ok().flatten();
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(pause_until(next, self.clock.now(), longest)) => {}
            }
        }
    }
}

/// The lifetime of links as in the store.
pub(crate) fn milliseconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the pause until the next link expires. The link may have expired since it was looked up.
fn pause_until(next: Option<i64>, at: i64, longest: Duration) -> Duration {
    let until = next.map(|next| Duration::from_millis(next.saturating_sub(at).max(0).unsigned_abs()));
    until.map_or(longest, |until| until.min(longest))
}

/// Returns the reason in the words of the hosted backend, with the lifetime of links here.
fn expired_reason(lifetime: Duration) -> String {
    let seconds = lifetime.as_secs();
    let (count, unit) =
        if seconds.is_multiple_of(60) { (seconds / 60, "minute") } else { (seconds, "second") };
    let plural = if count == 1 { "" } else { "s" };
    format!("Connection initiation did not complete within {count} {unit}{plural}")
}

/// The place of a sealed field of a link. The row is the hash of its token, in hexadecimal.
pub(crate) fn place<'a>(row: &'a str, field: &'static str) -> SealedField<'a> {
    SealedField { table: "links", row, field }
}

fn created(accounts: &Accounts, account: StoredAccount, redirect_url: Option<String>) -> CreatedAccount {
    let shown = accounts.shown(account);
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
fn needs_none(toolkit: &str) -> Error {
    Error::new(
        ErrorKind::ToolkitNeedsNoAuth,
        format!("Toolkit `{toolkit}` needs no account; call it directly."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_has_just_expired_is_processed_at_once() {
        let longest = Duration::from_secs(60);
        for (next, pause) in [
            (Some(999), Duration::ZERO),
            (Some(1_000), Duration::ZERO),
            (Some(1_001), Duration::from_millis(1)),
            (Some(i64::MAX), longest),
            (None, longest),
        ] {
            assert_eq!(pause_until(next, 1_000, longest), pause, "{next:?}");
        }
    }
}
