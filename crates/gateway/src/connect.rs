//! What happens behind a link: a person agrees at the provider, or fills in a form, and the account
//! is ACTIVE.
//!
//! * [`open`] shows what there is to do, and changes nothing.
//! * [`submit`] begins: it takes a form's fields, or sends the browser on to the provider, with a
//!   state of one use and PKCE. From then on the link is that browser's. An account of `DCR_OAUTH`
//!   that has no client yet is given one first.
//! * [`come_back`] takes what the provider sends the browser back with, and exchanges the code.
//!
//! Of the link's token, the browser's cookie and the state only hashes are stored.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::HEXLOWER;
use proxy_execute_protocol::{Error, ErrorKind, Method, ProxyRequest, Result, SecretJson};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::account::Credential;
use crate::clock::now;
use crate::credential::oauth2::{self, Client, ClientMetadata, Grant, Verifier};
use crate::credential::token_answer::{NotGranted, shortened};
use crate::credential::{AuthScheme, Fields, dynamic_client, refresh, renewal, token_endpoint};
use crate::gateway::Parts;
use crate::link::hash;
use crate::store::{
    AccountChange, LinkEnd, LinkStart, LinkState, StoredAccount, StoredAuthConfig, StoredLink,
    latest_link_end,
};
use crate::toolkit::{AuthorizationServer, InputField, Toolkit};
use crate::vault::Place;
use crate::{account, auth_config, id, proxy};

/// How long an API may take to say whether it accepts a key.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// The secret of a browser, which its cookie holds.
pub(crate) struct Browser(pub(crate) SecretString);

impl Browser {
    pub(crate) fn new() -> Self {
        Self(id::secret("cb").into())
    }

    fn hash(&self) -> Vec<u8> {
        hash(self.0.expose_secret())
    }

    /// Whether this browser began with the link, or nobody has yet.
    fn may_use(&self, link: &StoredLink) -> bool {
        let is_mine = |owner: &Vec<u8>| verify_slices_are_equal(owner, &self.hash()).is_ok();
        link.browser_hash.as_ref().is_none_or(is_mine)
    }
}

/// What there is to do behind a link.
#[derive(Debug)]
pub(crate) struct Form {
    /// The toolkit's name.
    pub(crate) toolkit: String,
    /// Where its API is, where that is known and the account's own.
    pub(crate) host: Option<String>,
    /// Whether the person goes on to the provider to agree; else the fields are the credential.
    pub(crate) has_consent: bool,
    /// What is asked for there.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) fields: Vec<AskedField>,
    /// The host on which the person comes out.
    pub(crate) back_to: Option<String>,
}

/// A scope, in words where the toolkit has some for it.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) words: Option<String>,
}

/// A field of a form.
#[derive(Debug)]
pub(crate) struct AskedField {
    pub(crate) input: InputField,
    /// What stands in it; never a secret.
    pub(crate) value: String,
    /// What is wrong with what was sent.
    pub(crate) problem: Option<String>,
}

/// What comes after a form.
#[derive(Debug)]
pub(crate) enum Next {
    /// The provider, which the browser is sent on to.
    Provider {
        toolkit: String,
        url: Url,
    },
    /// The same form, with what is wrong with it.
    Again(Form),
    Connected(Connected),
}

/// An account is connected.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) toolkit: String,
    /// Where the browser is sent on to.
    pub(crate) back: Option<Url>,
}

/// Why a browser does not get on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// There is no such link, or no longer.
    Unknown,
    Expired,
    /// The link was used.
    Used,
    /// Another browser has begun with the link.
    OtherBrowser,
    /// There is no such state: it was used, replaced by a newer one, or never existed.
    UnknownState,
    NotConnected(Box<NotConnected>),
    /// The gateway, or how it is set up, is at fault.
    Broken(Error),
}

/// The account was not connected, for a reason that stands in `status_reason`.
#[derive(Debug)]
pub(crate) struct NotConnected {
    /// The toolkit's name.
    pub(crate) toolkit: String,
    /// Whether the person did not want to.
    pub(crate) denied: bool,
    /// What the provider said.
    pub(crate) why: String,
    /// Where the person may go back to.
    pub(crate) back: Option<Url>,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// What a provider sends a browser back with (RFC 6749 §4.1.2).
#[derive(Default)]
pub(crate) struct ComeBack {
    pub(crate) state: Option<SecretString>,
    pub(crate) code: Option<SecretString>,
    pub(crate) error: Option<String>,
    pub(crate) error_description: Option<String>,
}

/// Refuses an auth config with which nobody could be connected by a link.
///
/// # Errors
/// `Unsupported`, or `InvalidRequest` that names what the auth config lacks.
pub(crate) fn check(gateway: &Parts, config: &StoredAuthConfig) -> Result<()> {
    let toolkit = gateway.catalogue.get(&config.toolkit)?;
    let scheme = auth_config::scheme_of(config)?;
    if !matches!(scheme, AuthScheme::OAuth2 | AuthScheme::DcrOauth) {
        return Ok(());
    }
    if !toolkit.has_consent(scheme) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("The definition of toolkit `{}` does not say where a person agrees.", toolkit.slug),
        )
        .fix(format!("Give it [schemes.{scheme}.authorization_server], or import a token.")));
    }
    // With DCR_OAUTH there may be none yet: it is registered when the person goes on.
    if scheme == AuthScheme::OAuth2 {
        let (credentials, settings) = auth_config::credentials(gateway, config)?;
        Client::of_account(toolkit, scheme, &Fields::default(), &credentials, &settings)?;
    }
    Ok(())
}

/// What there is to do behind a link. Changes nothing: whoever only looks, as programs that preview
/// links do, uses nothing up.
pub(crate) async fn open(gateway: &Parts, token: &str, browser: &Browser) -> Result<Form, Stop> {
    Flow::behind(gateway, token, browser).await?.form()
}

/// Whether this browser may send the form of a link now. Asked before the form is read.
pub(crate) async fn may_submit(gateway: &Parts, token: &str, browser: &Browser) -> Result<(), Stop> {
    Flow::behind(gateway, token, browser).await.map(drop)
}

/// Takes a form, and begins.
pub(crate) async fn submit(
    gateway: &Parts,
    token: &str,
    browser: &Browser,
    given: &BTreeMap<String, SecretString>,
) -> Result<Next, Stop> {
    let mut flow = Flow::behind(gateway, token, browser).await?;
    let mut form = flow.form()?;
    flow.fill_in(&mut form, given)?;
    if form.fields.iter().any(|field| field.problem.is_some()) {
        return Ok(Next::Again(form));
    }
    if flow.toolkit.has_consent(flow.scheme) {
        return flow.go_to_provider(browser).await;
    }
    flow.start(&LinkStart { browser_hash: browser.hash(), state: None }).await?;
    if flow.is_refused_by_api().await? {
        let name = &flow.toolkit.name;
        for field in form.fields.iter_mut().filter(|field| field.input.is_secret) {
            field.problem =
                Some(format!("{name} did not accept this. Check that it is complete and still valid."));
        }
        return Ok(Next::Again(form));
    }
    flow.connect().await.map(Next::Connected)
}

/// Takes what the provider has sent the browser back with.
pub(crate) async fn come_back(
    gateway: &Parts,
    browser: Option<&Browser>,
    answer: ComeBack,
) -> Result<Connected, Stop> {
    let state_hash = hash(answer.state.as_ref().ok_or(Stop::UnknownState)?.expose_secret());
    let link = gateway.store.link_of_state(&state_hash).await?.ok_or(Stop::UnknownState)?;
    // Nothing is used up by a browser that did not begin: its person may have been lured here.
    let mut flow = Flow::of(gateway, link, browser.ok_or(Stop::OtherBrowser)?).await?;
    if !gateway.store.take_state(&state_hash).await? {
        return Err(Stop::UnknownState);
    }
    let code = match answer {
        ComeBack { error: Some(code), error_description, .. } => {
            let why = in_words(&shortened(&code), error_description.as_deref().map(shortened).as_deref());
            let step = if code == "access_denied" { Step::Consent } else { Step::Exchange };
            return Err(flow.fail(step, why).await);
        }
        ComeBack { code: Some(code), .. } => code,
        _ => return Err(flow.fail(Step::Exchange, "the provider has sent no code".to_owned()).await),
    };
    match flow.exchange(&code).await? {
        Ok(()) => {}
        Err(not_granted) => return Err(flow.fail(Step::Exchange, not_granted.in_words()).await),
    }
    // The code is spent, so tokens that cannot be used end the attempt.
    match account::activated(gateway, flow.toolkit, &flow.config, &flow.account, &flow.val()?) {
        Err(error) if error.kind() == ErrorKind::InvalidRequest => {
            let why = format!("the provider's response cannot be used. {}", error.body().message);
            Err(flow.fail(Step::Exchange, why).await)
        }
        _ => flow.connect().await,
    }
}

/// Where a flow can end without an account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The gateway registers a client.
    Registration,
    /// The person agrees.
    Consent,
    /// What the provider has sent back is exchanged for tokens.
    Exchange,
}

/// A link with all that is known of it.
struct Flow<'a> {
    gateway: &'a Parts,
    link: StoredLink,
    account: StoredAccount,
    config: StoredAuthConfig,
    toolkit: &'a Toolkit,
    scheme: AuthScheme,
    /// The account's credential so far.
    old: SecretJson,
    /// What is to be changed of it.
    given: SecretJson,
}

impl<'a> Flow<'a> {
    async fn behind(gateway: &'a Parts, token: &str, browser: &Browser) -> Result<Self, Stop> {
        let link = gateway.store.link(&hash(token)).await?.ok_or(Stop::Unknown)?;
        Self::of(gateway, link, browser).await
    }

    /// The flow of a link that this browser may go on with.
    async fn of(gateway: &'a Parts, link: StoredLink, browser: &Browser) -> Result<Self, Stop> {
        if link.finished_at.is_some() {
            return Err(Stop::Used);
        }
        let at = now();
        if link.expires_at <= at || link.expires_at > latest_link_end(at, gateway.link_lifetime_ms()) {
            return Err(Stop::Expired);
        }
        if !browser.may_use(&link) {
            return Err(Stop::OtherBrowser);
        }
        let account = account::find(gateway, &link.account_id).await?;
        let config = auth_config::usable(gateway, &account.auth_config_id).await?;
        let toolkit = gateway.catalogue.get(&account.toolkit)?;
        let row = HEXLOWER.encode(&link.token_hash);
        let given = match &link.given {
            Some(sealed) => open_sealed(gateway, place(&row, "given"), sealed).map(SecretJson::new)?,
            None => auth_config::fields(gateway, toolkit, &config)?,
        };
        Ok(Self {
            toolkit,
            scheme: auth_config::scheme_of(&config)?,
            old: account::val(gateway, &account)?,
            given,
            gateway,
            link,
            account,
            config,
        })
    }

    fn form(&self) -> Result<Form, Stop> {
        let known = self.fields()?;
        let asked = self.toolkit.input_fields(self.scheme);
        // Where all that is needed is known already, it is to be given anew.
        let is_complete = asked.iter().all(|field| !field.required || known.get(&field.name).is_some());
        // What the auth config says is not the person's to say.
        let of_config = Fields::read(&auth_config::fields(self.gateway, self.toolkit, &self.config)?)?;
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

    /// Takes what was given for the fields of a form. Problems stand beside the fields.
    fn fill_in(&mut self, form: &mut Form, given: &BTreeMap<String, SecretString>) -> Result<(), Stop> {
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
            let message = error.body().message.as_str();
            let named =
                form.fields.iter_mut().find(|field| message.contains(&format!("`val.{}`", field.input.name)));
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

    /// Refuses what could not be exchanged for an access token.
    fn exchangeable(&self) -> Result<()> {
        let (client, settings) = auth_config::credentials(self.gateway, &self.config)?;
        renewal::request(self.toolkit, self.scheme, &self.fields()?, &client, &settings).map(drop)
    }

    /// Makes the link this browser's.
    async fn start(&self, start: &LinkStart) -> Result<(), Stop> {
        if !self.gateway.store.start_link(&self.link, start).await? {
            // It was somebody else's by a moment.
            return Err(Stop::OtherBrowser);
        }
        self.gateway.account_changes.tell(&self.account.id);
        Ok(())
    }

    async fn go_to_provider(&mut self, browser: &Browser) -> Result<Next, Stop> {
        if self.lacks_client()? {
            // One browser registers, and no other beside it.
            self.start(&LinkStart { browser_hash: browser.hash(), state: None }).await?;
            if let Err(not_registered) = self.register().await? {
                return Err(self.fail(Step::Registration, not_registered.in_words()).await);
            }
        }
        let (client, verifier, state) = (self.client()?, Verifier::random(), id::secret("cs"));
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let redirect_uri = redirect_uri(self.gateway, &client.metadata)?;
        let url = oauth2::authorize_url(&server, &client, &redirect_uri, &state, &verifier)?;
        let (row, vault) = (HEXLOWER.encode(&self.link.token_hash), &self.gateway.vault);
        let state = LinkState {
            hash: hash(&state),
            verifier: vault.seal(place(&row, "verifier"), verifier.0.expose_secret()),
            // What the provider's address was made of, and the client, are the account's once there
            // are tokens: until then, what it has goes where it went.
            given: vault.seal(place(&row, "given"), self.given.expose()),
        };
        self.start(&LinkStart { browser_hash: browser.hash(), state: Some(state) }).await?;
        Ok(Next::Provider { toolkit: self.toolkit.name.clone(), url })
    }

    /// Whether a client has to be registered for the account.
    fn lacks_client(&self) -> Result<bool> {
        if self.scheme != AuthScheme::DcrOauth {
            return Ok(false);
        }
        let fields = self.fields()?;
        if fields.get("client_id").is_some() {
            return Ok(dynamic_client::is_expired(&fields, now() / 1_000));
        }
        // An operator may have one for all accounts.
        Ok(auth_config::client(self.gateway, &self.config).is_err())
    }

    /// Registers a client for the account, and adds it to what is known.
    async fn register(&mut self) -> Result<Result<(), NotGranted>, Stop> {
        let metadata = self.client_metadata()?;
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let registration_url = server.registration_url.as_ref().ok_or_else(|| {
            let message =
                format!("The definition of toolkit `{}` has no `registration_url`.", self.toolkit.slug);
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let redirect_uri = redirect_uri(self.gateway, &metadata)?;
        let request =
            dynamic_client::registration_request(registration_url, server.rules, &metadata, &redirect_uri);
        let answer = token_endpoint::exchange(&self.gateway.egress, request).await;
        let registered =
            answer.and_then(|answered| dynamic_client::read_registration(server.rules, &answered));
        Ok(match registered {
            Ok(registered) => {
                self.give(&registered)?;
                Ok(())
            }
            Err(not_registered) => Err(not_registered),
        })
    }

    /// Exchanges a code for tokens, and adds them to what is known.
    async fn exchange(&mut self, code: &SecretString) -> Result<Result<(), NotGranted>, Stop> {
        let row = HEXLOWER.encode(&self.link.token_hash);
        let sealed = self.link.verifier.as_deref().unwrap_or_default();
        let verifier = open_sealed(self.gateway, place(&row, "verifier"), sealed)?;
        let client = self.client()?;
        let redirect_uri = redirect_uri(self.gateway, &client.metadata)?;
        let fields = self.fields()?;
        let server = self.server(&fields)?;
        let grant =
            Grant::AuthorizationCode { code, redirect_uri: &redirect_uri, verifier: &Verifier(verifier) };
        let request = oauth2::token_request(&server, &client, &grant);
        Ok(match token_endpoint::ask(&self.gateway.egress, server.rules, request).await {
            Ok(granted) => {
                self.give(&granted.val)?;
                Ok(())
            }
            Err(not_granted) => Err(not_granted),
        })
    }

    /// Whether the API refuses the credential, if the toolkit says how it can be asked. What else it
    /// answers, or that it does not, says nothing about the credential.
    async fn is_refused_by_api(&self) -> Result<bool, Stop> {
        // What is exchanged for an access token is not what the API takes.
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
        };
        let credential = Credential { scheme: self.scheme, fields: self.fields()? };
        let outgoing = proxy::prepare(self.toolkit, &credential, &request)?;
        let answer = tokio::time::timeout(CHECK_TIMEOUT, self.gateway.egress.send(outgoing)).await;
        Ok(match answer {
            Ok(Ok(response)) => matches!(response.status.as_u16(), 401 | 403),
            Ok(Err(error)) => {
                tracing::info!(toolkit = self.toolkit.slug, %error, "a credential could not be tried");
                false
            }
            Err(_) => false,
        })
    }

    /// Uses the link up: the account is ACTIVE with what was given, and what else it has by now.
    async fn connect(mut self) -> Result<Connected, Stop> {
        let patience = Instant::now() + refresh::PATIENCE;
        loop {
            let val = self.val()?;
            let change = account::activated(self.gateway, self.toolkit, &self.config, &self.account, &val)?;
            match self.gateway.store.finish_link(&self.link, &change).await? {
                LinkEnd::Finished => break,
                LinkEnd::Used => return Err(Stop::Used),
                LinkEnd::AccountChanged if Instant::now() > patience => {
                    return Err(Stop::Broken(
                        account::changed_meanwhile(self.gateway, &self.account.id).await,
                    ));
                }
                // A refresh may be under way, whose token is not to be overwritten with an older one.
                LinkEnd::AccountChanged => {
                    tokio::time::sleep(refresh::POLL).await;
                    self.account = account::find(self.gateway, &self.account.id).await?;
                    self.old = account::val(self.gateway, &self.account)?;
                }
            }
        }
        self.gateway.account_changes.tell(&self.account.id);
        Ok(Connected { toolkit: self.toolkit.name.clone(), back: self.back("success") })
    }

    /// Uses the link up: the account is FAILED, unless it has a credential that still works.
    async fn fail(&self, step: Step, why: String) -> Stop {
        let reason = match step {
            Step::Registration => format!("The provider did not register a client for the account: {why}"),
            Step::Consent => format!("The user did not allow access: {why}"),
            Step::Exchange => format!("OAuth callback failed during token exchange: {why}"),
        };
        let status = self.account.is_to_be_connected().then(|| ("FAILED".to_owned(), Some(reason)));
        let change = AccountChange { status, ..AccountChange::default() };
        if let Err(error) = self.gateway.store.finish_link(&self.link, &change).await {
            return Stop::Broken(error);
        }
        self.gateway.account_changes.tell(&self.account.id);
        let (toolkit, back, denied) = (self.toolkit.name.clone(), self.back("failed"), step == Step::Consent);
        Stop::NotConnected(Box::new(NotConnected { toolkit, denied, why, back }))
    }

    /// Adds to what is to be changed. Null removes a field of the account, and so stays here.
    fn give(&mut self, more: &SecretJson) -> Result<()> {
        let mut given = account::raw_fields(&self.given)?;
        given.extend(account::raw_fields(more)?);
        self.given = account::written(&given)?;
        Ok(())
    }

    /// The credential as it is to be.
    fn val(&self) -> Result<SecretJson> {
        account::changed(self.toolkit, self.scheme, &self.old, &self.given)
    }

    fn fields(&self) -> Result<Fields> {
        Fields::read(&self.val()?)
    }

    /// The OAuth client, which also asks for what this link was made for.
    fn client(&self) -> Result<Client> {
        let (credentials, settings) = auth_config::credentials(self.gateway, &self.config)?;
        let client = Client::of_account(self.toolkit, self.scheme, &self.fields()?, &credentials, &settings)?;
        Ok(Client { metadata: self.client_metadata()?, ..client })
    }

    fn client_metadata(&self) -> Result<ClientMetadata> {
        let (credentials, settings) = auth_config::credentials(self.gateway, &self.config)?;
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

    fn callback(&self) -> Option<Url> {
        Url::parse(self.link.callback_url.as_ref()?).ok()
    }

    /// Where the person comes out, with how it went, as the hosted backend tells it.
    fn back(&self, status: &str) -> Option<Url> {
        let mut url = self.callback()?;
        let mut query = url.query_pairs_mut();
        query.append_pair("status", status).append_pair("connected_account_id", &self.account.id);
        drop(query);
        Some(url)
    }
}

fn redirect_uri(gateway: &Parts, metadata: &ClientMetadata) -> Result<String> {
    match &metadata.redirect_uri {
        Some(uri) => Ok(uri.clone()),
        None => Ok(format!("{}/connect/callback", gateway.public_url()?)),
    }
}

fn open_sealed(gateway: &Parts, place: Place<'_>, sealed: &[u8]) -> Result<SecretString> {
    gateway.vault.open(place, sealed).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("What was kept of a flow cannot be opened: {error}."))
    })
}

fn place<'a>(row: &'a str, field: &'static str) -> Place<'a> {
    Place { table: "links", row, field }
}

/// A provider's error, which may say more than its code.
fn in_words(code: &str, description: Option<&str>) -> String {
    match description {
        Some(description) => format!("{code} ({description})"),
        None => code.to_owned(),
    }
}
