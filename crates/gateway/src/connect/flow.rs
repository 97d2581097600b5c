//! The flow of one link, from its form to the connected account.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use proxy_execute_protocol::{
    AccountStatus, AuthScheme, Error, ErrorKind, InputField, Method, ProxyRequest, Result, SecretJson,
};
use proxy_execute_store::{
    AccountChange, LinkEnd, LinkStart, LinkState, StoredAccount, StoredAuthConfig, StoredLink,
    latest_link_end,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::{
    AskedField, Browser, Callback, Connect, Connected, Form, Halt, Next, NotConnected, Scope, Step, Stop,
};
use crate::account::{self, Credential};
use crate::callback_url::with_parameters;
use crate::credential::Fields;
use crate::credential::fields::{raw_fields, written};
use crate::credential::scheme::{ClientOwner, Scheme};
use crate::id::{self, hash};
use crate::link::place;
use crate::oauth::client::{ClientMetadata, OAuthClient};
use crate::oauth::refusal::{NotGranted, shortened};
use crate::oauth::registration;
use crate::oauth::requests::{self, CodeVerifier, Grant};
use crate::oauth::server::AuthorizationServer;
use crate::redirect_uri::Redirect;
use crate::tokens::{self, token_endpoint};
use crate::toolkit::Toolkit;
use crate::{link, proxy, renewal};

/// How long an API may take to say whether it accepts a key.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// A link with everything that the gateway knows about it.
pub(super) struct Flow<'a> {
    connect: &'a Connect,
    link: StoredLink,
    account: StoredAccount,
    config: StoredAuthConfig,
    pub(super) toolkit: &'a Toolkit,
    pub(super) scheme: AuthScheme,
    /// The account's credential so far.
    old: SecretJson,
    /// The changes to the credential.
    given: SecretJson,
}

impl<'a> Flow<'a> {
    pub(super) async fn behind(connect: &'a Connect, token: &str, browser: &Browser) -> Result<Self, Stop> {
        let link = connect.store.link(&hash(token)).await?.ok_or(Stop::Unknown)?;
        Self::of(connect, link, browser).await
    }

    /// Returns the flow of a link, if this browser may continue it.
    pub(super) async fn of(connect: &'a Connect, link: StoredLink, browser: &Browser) -> Result<Self, Stop> {
        if link.finished_at.is_some() {
            return Err(Stop::Used);
        }
        let at = connect.clock.now();
        if link.expires_at <= at
            || link.expires_at > latest_link_end(at, link::milliseconds(connect.link_lifetime))
        {
            return Err(Stop::Expired);
        }
        if !browser.may_use(&link) {
            return Err(Stop::OtherBrowser);
        }
        let account = connect.accounts.find(&link.account_id).await?;
        let config = connect.auth_configs.usable(&account.auth_config_id).await?;
        let toolkit = connect.catalogue.get(&account.toolkit)?;
        let given = match &link.given {
            Some(sealed) => connect.opened(&link, "given", sealed).map(SecretJson::new)?,
            None => connect.auth_configs.fields(toolkit, &config)?,
        };
        Ok(Self {
            toolkit,
            scheme: config.auth_scheme,
            old: connect.accounts.val(&account)?,
            given,
            connect,
            link,
            account,
            config,
        })
    }

    pub(super) fn form(&self) -> Result<Form, Stop> {
        let known = self.fields()?;
        let asked = self.toolkit.input_fields(self.scheme);
        // If all required fields are known already, the form asks for them again.
        let is_complete = asked.iter().all(|field| !field.required || known.get(&field.name).is_some());
        // The form leaves out the fields that the auth config sets, because the user may not change them.
        let of_config = Fields::read(&self.connect.auth_configs.fields(self.toolkit, &self.config)?)?;
        let is_asked = |field: &InputField| {
            of_config.get(&field.name).is_none() && (is_complete || known.get(&field.name).is_none())
        };
        let fields = asked.into_iter().filter(is_asked);
        let shown = |input: InputField| AskedField {
            value: match known.get(&input.name) {
                Some(value) if !input.is_secret => value.expose_secret().to_owned(),
                _ => input.default.clone().unwrap_or_default(),
            },
            problem: None,
            input,
        };
        let mut form = Form {
            toolkit: self.toolkit.name.clone(),
            host: self.toolkit.own_host(self.scheme, &known),
            has_consent: self.toolkit.has_consent(self.scheme),
            scopes: Vec::new(),
            // With consent, the steps are for the operator, who registers the client.
            setup: self
                .toolkit
                .setup(self.scheme)
                .filter(|_| !self.toolkit.has_consent(self.scheme))
                .cloned(),
            fields: fields.map(shown).collect(),
            back_to: self.callback().and_then(|url| url.host_str().map(str::to_owned)),
        };
        if form.has_consent {
            let metadata = self.client_metadata()?;
            let asked = self.toolkit.scopes(self.scheme, &metadata).iter().chain(&metadata.user_scopes);
            let in_words =
                |name: &String| Scope { words: self.toolkit.in_words(self.scheme, name), name: name.clone() };
            form.scopes = asked.map(in_words).collect();
        }
        Ok(form)
    }

    /// Reads the submitted values of a form's fields. Each problem is stored in its field.
    pub(super) fn fill_in(
        &mut self,
        form: &mut Form,
        given: &BTreeMap<String, SecretString>,
    ) -> Result<(), Stop> {
        let mut new = BTreeMap::new();
        for field in &mut form.fields {
            let value = given.get(&field.input.name).map_or("", |value| value.expose_secret().trim());
            if !field.input.is_secret {
                value.clone_into(&mut field.value);
            }
            if !value.is_empty() {
                new.insert(field.input.name.as_str(), value);
            } else if field.input.required {
                field.problem = Some("Please fill this in.".to_owned());
            }
        }
        let new = serde_json::to_string(&new).expect("texts can be written as JSON");
        self.give(&SecretJson::new(new))?;
        let problem = self.toolkit.unusable_field(self.scheme, &self.fields()?);
        if let Some((name, why)) = problem
            && let Some(field) = form.fields.iter_mut().find(|field| field.input.name == name)
        {
            field.problem.get_or_insert_with(|| format!("This cannot be used: {why}."));
        }
        let is_complete = form.fields.iter().all(|field| field.problem.is_none());
        if is_complete
            && self.toolkit.exchanges(self.scheme)
            && let Err(error) = self.exchangeable()
        {
            let wrong = error.field().and_then(|field| field.strip_prefix("val."));
            let named = form.fields.iter_mut().find(|field| Some(field.input.name.as_str()) == wrong);
            match named {
                Some(field) => {
                    field.problem =
                        Some("This cannot be used. Check that it is complete, and the right one.".to_owned());
                }
                None => return Err(Stop::Broken(error)),
            }
        }
        Ok(())
    }

    /// Refuses a credential that could not be exchanged for an access token.
    fn exchangeable(&self) -> Result<()> {
        let (client, settings) = self.connect.auth_configs.credentials(&self.config)?;
        renewal::request(self.toolkit, self.scheme, &self.fields()?, &client, &settings).map(drop)
    }

    /// Binds the link to this browser.
    pub(super) async fn start(&self, start: &LinkStart) -> Result<(), Stop> {
        if !self.connect.store.start_link(&self.link, start).await? {
            // Another browser began the flow a moment earlier.
            return Err(Stop::OtherBrowser);
        }
        self.connect.accounts.changes.tell(&self.account.id);
        Ok(())
    }

    pub(super) async fn go_to_provider(&mut self, browser: &Browser) -> Result<Next, Stop> {
        if self.lacks_client()? {
            // The link is bound first, so that only one browser registers a client.
            self.start(&LinkStart { browser_hash: browser.hash(), state: None }).await?;
            if let Err(not_registered) = self.register().await? {
                return Err(self.fail(Step::Registration, not_registered.in_words()).await);
            }
        }
        let (client, verifier, state) = (self.client()?, CodeVerifier::random(), id::secret("cs"));
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let redirect = self.redirect(&client.metadata)?;
        let url = requests::authorize_url(&server, &client, &redirect.uri, &state, &verifier)?;
        let (row, vault) = (HEXLOWER.encode(&self.link.token_hash), &self.connect.vault);
        let state = LinkState {
            hash: hash(&state),
            verifier: vault.seal(place(&row, "verifier"), verifier.0.expose_secret()),
            // The fields of the provider's URL and the client become the account's once there are tokens.
            // Until then, the credential that the account has is still sent to the old host.
            given: vault.seal(place(&row, "given"), self.given.expose()),
            callback_url: self
                .callback_url()
                .map(|url| vault.seal(place(&row, "callback_url"), url.expose_secret())),
            key_id: vault.key_id().to_owned(),
        };
        self.start(&LinkStart { browser_hash: browser.hash(), state: Some(state) }).await?;
        Ok(Next::Provider { toolkit: self.toolkit.name.clone(), url })
    }

    /// Returns whether a client has to be registered for the account.
    fn lacks_client(&self) -> Result<bool> {
        if Scheme::of(self.scheme).client != ClientOwner::Registration {
            return Ok(false);
        }
        let fields = self.fields()?;
        if fields.get("client_id").is_some() {
            // A provider redirects a client only to the URI that the client was registered with.
            let redirect = self.redirect(&self.client_metadata()?)?;
            let registered = fields.get("registered_redirect_uri");
            let is_elsewhere = registered.is_none_or(|uri| uri.expose_secret() != redirect.uri);
            return Ok(is_elsewhere
                || registration::is_expired(
                    fields.get("client_secret_expires_at"),
                    self.connect.clock.now() / 1_000,
                ));
        }
        // An operator may have set one client for all accounts.
        Ok(self.connect.auth_configs.client(&self.config).is_err())
    }

    /// Registers a client for the account, and adds it to the changes of the credential.
    async fn register(&mut self) -> Result<Result<(), NotGranted>, Stop> {
        let metadata = self.client_metadata()?;
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let registration_url = server.registration_url.as_ref().ok_or_else(|| {
            let message =
                format!("The definition of toolkit `{}` has no `registration_url`.", self.toolkit.slug);
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let redirect_uri = self.redirect(&metadata)?.uri;
        let request =
            registration::registration_request(registration_url, server.rules, &metadata, &redirect_uri);
        let behalf = self.toolkit.behalf_at_server(self.scheme, &request.url);
        let answer = token_endpoint::exchange(&self.connect.egress, behalf, request).await;
        let registered = answer.and_then(|answered| registration::read_registration(server.rules, &answered));
        Ok(match registered {
            Ok(registered) => {
                self.give(&registered)?;
                let with = json!({ "registered_redirect_uri": redirect_uri });
                self.give(&SecretJson::new(with.to_string()))?;
                Ok(())
            }
            Err(not_registered) => Err(not_registered),
        })
    }

    /// Checks a callback, reads its fields, and exchanges its code for tokens.
    pub(super) async fn take_tokens(&mut self, callback: &Callback) -> Result<(), Halt> {
        let client = self.client()?;
        // The redirect URI is built before the fields of the callback are read: they may be parts of URLs.
        let redirect = self.redirect(&client.metadata)?;
        self.check_sender(callback, &redirect)?;
        if let Some(code) = callback.get("error")?.filter(|code| !code.is_empty()) {
            let description = callback.get("error_description")?.map(shortened);
            let why = in_words(&shortened(code), description.as_deref());
            let step = if code == "access_denied" { Step::Consent } else { Step::Exchange };
            return Err(Halt::Failed(step, why));
        }
        let no_code = || Halt::Failed(Step::Exchange, "the provider has sent no code".to_owned());
        let code = callback.get("code")?.filter(|code| !code.is_empty()).ok_or_else(no_code)?;
        let code = SecretString::from(code);
        self.take_fields(callback)?;
        self.exchange(&code, &self.client()?, &redirect.uri).await
    }

    /// Refuses a callback from another authorization server than the one that the browser was redirected to.
    ///
    /// The code of that server must not be sent to this one (RFC 9700 §4.4). The gateway ignores the error in
    /// such a callback, too.
    fn check_sender(&self, callback: &Callback, redirect: &Redirect) -> Result<(), Halt> {
        let failed = |why: &str| {
            let why = format!("{why}, so it is not from the authorization server that the user was sent to");
            Err(Halt::Failed(Step::Sender, why))
        };
        if redirect.path.as_ref().is_some_and(|path| *path != callback.path) {
            return failed("the callback has arrived at the address of another server");
        }
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let Some(issuer) = &server.issuer else { return Ok(()) };
        // The issuers are compared as text (RFC 9207 §2.4).
        match callback.get("iss")? {
            Some(iss) if iss != issuer => {
                failed(&format!("the callback names the issuer `{}` instead of `{issuer}`", shortened(iss)))
            }
            None if server.rules.authorization_response_iss_parameter_supported => {
                failed("the callback names no issuer, which this server always does")
            }
            _ => Ok(()),
        }
    }

    /// Reads the fields of the account that a callback names.
    fn take_fields(&mut self, callback: &Callback) -> Result<(), Halt> {
        let known = self.fields()?;
        let of_config = Fields::read(&self.connect.auth_configs.fields(self.toolkit, &self.config)?)?;
        let mut told = BTreeMap::new();
        for (name, place, is_asked_first) in self.toolkit.callback_fields(self.scheme) {
            let parameter = place.parameter();
            let Some(value) = callback.get(parameter)? else { continue };
            let failed = |why: &str| {
                Halt::Failed(Step::Exchange, format!("`{parameter}` of the callback cannot be used: {why}"))
            };
            let value = self.toolkit.read_callback_field(self.scheme, name, place, value).map_err(failed)?;
            // The user consented to the values that the browser was redirected with. The values of an auth
            // config hold for all of its accounts.
            let fixed = if is_asked_first { known.get(name) } else { of_config.get(name) };
            if fixed.is_some_and(|fixed| !fixed.expose_secret().eq_ignore_ascii_case(&value)) {
                return Err(failed(&format!("the user was sent to the provider for another `{name}`")));
            }
            if fixed.is_none() {
                told.insert(name, value);
            }
        }
        Ok(self.give(&SecretJson::new(json!(told).to_string()))?)
    }

    /// Exchanges a code for tokens, and adds them to the changes of the credential.
    async fn exchange(
        &mut self,
        code: &SecretString,
        client: &OAuthClient,
        redirect_uri: &str,
    ) -> Result<(), Halt> {
        let sealed = self.link.verifier.as_deref().unwrap_or_default();
        let verifier = CodeVerifier(self.connect.opened(&self.link, "verifier", sealed)?);
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let grant = Grant::AuthorizationCode { code, redirect_uri, verifier: &verifier };
        let request = requests::token_request(&server, client, &grant);
        let behalf = self.toolkit.behalf_at_server(self.scheme, &request.url);
        let granted = token_endpoint::ask(&self.connect.egress, behalf, server.rules, request).await;
        let granted = granted.map_err(|not_granted| Halt::Failed(Step::Exchange, not_granted.in_words()))?;
        Ok(self.give(&granted.val)?)
    }

    /// Returns whether the API rejects the credential, if the toolkit has an endpoint to check it.
    ///
    /// Any response but 401 and 403, and a failed request, say nothing about the credential.
    pub(super) async fn is_refused_by_api(&self) -> Result<bool, Stop> {
        // The API does not accept a secret that is exchanged for an access token.
        let endpoint = self.toolkit.check.as_ref().filter(|_| !self.toolkit.exchanges(self.scheme));
        let Some(endpoint) = endpoint else { return Ok(false) };
        let request = ProxyRequest {
            toolkit_slug: None,
            connected_account_id: None,
            custom_connection_data: None,
            endpoint: endpoint.clone(),
            method: Method::Get,
            body: None,
            binary_body: None,
            parameters: Vec::new(),
            data_as_text: false,
            redirect: None,
            keep_authorization: None,
        };
        let credential = Credential { scheme: self.scheme, fields: self.fields()? };
        let outgoing = proxy::prepare(self.toolkit, &credential, &request)?;
        let answer = tokio::time::timeout(CHECK_TIMEOUT, self.connect.egress.send(outgoing)).await;
        Ok(match answer {
            Ok(Ok(response)) => matches!(response.status.as_u16(), 401 | 403),
            Ok(Err(error)) => {
                tracing::info!(toolkit = self.toolkit.slug, %error, "a credential could not be tried");
                false
            }
            Err(_) => false,
        })
    }

    /// Uses the link up. The account becomes ACTIVE, with the submitted changes on top of its current
    /// credential.
    pub(super) async fn connect(&mut self) -> Result<Connected, Stop> {
        let patience = Instant::now() + tokens::PATIENCE;
        loop {
            let change = self.val().and_then(|val| {
                self.connect.accounts.activated(self.toolkit, &self.config, &self.account, &val)
            });
            let change = match change {
                Ok(change) => change,
                // The form has already reported problems with its fields, so the user cannot submit anything
                // better with this link.
                Err(error) => return Err(self.fail(Step::Credential, error.body().message.clone()).await),
            };
            match self.connect.store.finish_link(&self.link, &change).await? {
                LinkEnd::Finished => break,
                LinkEnd::Used => return Err(Stop::Used),
                LinkEnd::AccountChanged if Instant::now() > patience => {
                    return Err(Stop::Broken(
                        self.connect.accounts.changed_meanwhile(&self.account.id).await,
                    ));
                }
                // A refresh may be in flight. An older token must not overwrite the token of the refresh.
                LinkEnd::AccountChanged => {
                    tokio::time::sleep(tokens::POLL).await;
                    self.account = self.connect.accounts.find(&self.account.id).await?;
                    self.old = self.connect.accounts.val(&self.account)?;
                }
            }
        }
        self.connect.accounts.changes.tell(&self.account.id);
        Ok(Connected { toolkit: self.toolkit.name.clone(), back: self.back("success") })
    }

    /// Uses the link up. The account becomes FAILED, unless it has a credential that still works.
    pub(super) async fn fail(&self, step: Step, why: String) -> Stop {
        let reason = match step {
            Step::Registration => format!("The provider did not register a client for the account: {why}"),
            Step::Consent => format!("The user did not allow access: {why}"),
            Step::Exchange => format!("OAuth callback failed during token exchange: {why}"),
            Step::Sender => format!("The OAuth callback was refused: {why}"),
            Step::Credential if self.toolkit.has_consent(self.scheme) => {
                format!(
                    "OAuth callback failed during token exchange: the provider's response cannot be used. {why}"
                )
            }
            Step::Credential => why.clone(),
        };
        let status = self.account.is_to_be_connected().then_some((AccountStatus::Failed, Some(reason)));
        let change = AccountChange { status, ..AccountChange::default() };
        if let Err(error) = self.connect.store.finish_link(&self.link, &change).await {
            return Stop::Broken(error);
        }
        self.connect.accounts.changes.tell(&self.account.id);
        let (toolkit, back) = (self.toolkit.name.clone(), self.back("failed"));
        Stop::NotConnected(Box::new(NotConnected { toolkit, step, why, back }))
    }

    /// Adds to the changes of the credential. A null removes a field of the account, so it stays in the
    /// changes.
    fn give(&mut self, more: &SecretJson) -> Result<()> {
        let mut given = raw_fields(&self.given)?;
        given.extend(raw_fields(more)?);
        self.given = written(&given)?;
        Ok(())
    }

    /// Returns the credential with the changes.
    fn val(&self) -> Result<SecretJson> {
        account::changed(self.toolkit, self.scheme, &self.old, &self.given)
    }

    fn fields(&self) -> Result<Fields> {
        Fields::read(&self.val()?)
    }

    /// Returns the OAuth client. Its metadata includes the extra scopes of this link.
    fn client(&self) -> Result<OAuthClient> {
        let (credentials, settings) = self.connect.auth_configs.credentials(&self.config)?;
        let client = self.toolkit.client_of(self.scheme, &self.fields()?, &credentials, &settings)?;
        Ok(OAuthClient { metadata: self.client_metadata()?, ..client })
    }

    fn client_metadata(&self) -> Result<ClientMetadata> {
        let (credentials, settings) = self.connect.auth_configs.credentials(&self.config)?;
        let mut metadata = ClientMetadata::read(&credentials, &settings)?;
        let more: Vec<String> = serde_json::from_str(&self.link.scopes).unwrap_or_default();
        let asked = self.toolkit.scopes(self.scheme, &metadata);
        let more: Vec<_> = more.into_iter().filter(|scope| !asked.contains(scope)).collect();
        if !more.is_empty() {
            metadata.scopes = [asked, &more].concat();
        }
        Ok(metadata)
    }

    fn server(&self, fields: &Fields) -> Result<AuthorizationServer<'a>> {
        self.toolkit.authorization_server(self.scheme, fields)?.ok_or_else(|| {
            let message =
                format!("The definition of toolkit `{}` has no authorization server.", self.toolkit.slug);
            Error::new(ErrorKind::Unsupported, message)
        })
    }

    fn redirect(&self, metadata: &ClientMetadata) -> Result<Redirect> {
        let own = metadata.redirect_uri.as_deref();
        self.connect.redirect_uris.of(self.toolkit, self.scheme, &self.fields()?, own)
    }

    fn callback(&self) -> Option<Url> {
        Url::parse(self.callback_url()?.expose_secret()).ok()
    }

    fn callback_url(&self) -> Option<SecretString> {
        self.connect.opened(&self.link, "callback_url", self.link.callback_url.as_ref()?).ok()
    }

    /// Returns the callback URL of the user, with the outcome in the parameters of the hosted backend.
    fn back(&self, status: &str) -> Option<Url> {
        let url = self.callback()?;
        Some(with_parameters(url, &[("status", status), ("connected_account_id", &self.account.id)]))
    }
}

/// Describes a provider's error, with its description if it has one.
fn in_words(code: &str, description: Option<&str>) -> String {
    match description {
        Some(description) => format!("{code} ({description})"),
        None => code.to_owned(),
    }
}
