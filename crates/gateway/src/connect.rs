//! The flow behind a link: a user consents at the provider, or fills in a form, and the account becomes
//! ACTIVE.
//!
//! * [`Connect::open`] shows the form of a link, and changes nothing.
//! * [`Connect::submit`] begins the flow: it reads the fields of a form, or redirects the browser to the provider,
//!   with a state for one use and PKCE. From then on only this browser may use the link. An account of
//!   `DCR_OAUTH` without a client first gets one.
//! * [`Connect::come_back`] reads the callback of the provider, and exchanges its code for tokens.
//!
//! The store holds only hashes of the link's token, the browser's cookie and the state.

mod flow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::HEXLOWER;
use proxy_execute_protocol::{Error, InputField, Result, ToolkitSetup};
use proxy_execute_store::{Clock, LinkStart, Store, StoredLink};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use self::flow::Flow;
use crate::account::Accounts;
use crate::auth_config::AuthConfigs;
use crate::egress::Egress;
use crate::id::{self, hash};
use crate::link;
use crate::oauth::refusal::shortened;
use crate::redirect_uri::RedirectUris;
use crate::toolkit::Catalogue;
use crate::vault::Vault;

/// The secret of a browser. Its cookie holds the secret.
#[derive(Debug)]
pub struct Browser(pub SecretString);

impl Browser {
    /// Returns a new secret, for a browser without a cookie.
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        Self(id::secret("cb").into())
    }

    fn hash(&self) -> Vec<u8> {
        hash(self.0.expose_secret())
    }

    /// Returns whether this browser began the flow of the link, or no browser has begun it yet.
    fn may_use(&self, link: &StoredLink) -> bool {
        let is_mine = |owner: &Vec<u8>| verify_slices_are_equal(owner, &self.hash()).is_ok();
        link.browser_hash.as_ref().is_none_or(is_mine)
    }
}

/// The form behind a link.
#[derive(Debug)]
pub struct Form {
    /// The toolkit's name.
    pub toolkit: String,
    /// The host of its API, if it is known and specific to the account.
    pub host: Option<String>,
    /// Whether the user consents at the provider. Otherwise the fields are the credential.
    pub has_consent: bool,
    /// The scopes that the user is asked to consent to.
    pub scopes: Vec<Scope>,
    /// How the user gets the credential at the provider.
    pub setup: Option<ToolkitSetup>,
    /// The fields that the user fills in.
    pub fields: Vec<AskedField>,
    /// The host of the page that the user returns to afterwards.
    pub back_to: Option<String>,
}

/// A scope, with a description if the toolkit has one.
#[derive(Debug)]
pub struct Scope {
    /// Its name at the provider.
    pub name: String,
    /// A description of the access that it allows.
    pub words: Option<String>,
}

/// A field of a form.
#[derive(Debug)]
pub struct AskedField {
    /// The field of the toolkit.
    pub input: InputField,
    /// The value in the field; never a secret.
    pub value: String,
    /// The problem with the submitted value.
    pub problem: Option<String>,
}

/// The step after a form.
#[derive(Debug)]
pub enum Next {
    /// The browser is redirected to the provider.
    Provider {
        /// The toolkit's name.
        toolkit: String,
        /// The page of the provider.
        url: Url,
    },
    /// The form is shown again, with its problems.
    Again(Form),
    /// The account is connected; there is no further step.
    Connected(Connected),
}

/// An account is connected.
#[derive(Debug)]
pub struct Connected {
    /// The toolkit's name.
    pub toolkit: String,
    /// The URL that the browser is redirected to.
    pub back: Option<Url>,
}

/// Why a browser cannot continue.
#[derive(Debug)]
pub enum Stop {
    /// The link does not exist, or no longer exists.
    Unknown,
    /// The link has expired.
    Expired,
    /// The link was used.
    Used,
    /// Another browser has begun with the link.
    OtherBrowser,
    /// The state does not exist: it was used, replaced by a newer one, or never existed.
    UnknownState,
    /// The account was not connected.
    NotConnected(Box<NotConnected>),
    /// The gateway or its configuration is at fault.
    Broken(Error),
}

/// The account was not connected. Its `status_reason` has the reason.
#[derive(Debug)]
pub struct NotConnected {
    /// The toolkit's name.
    pub toolkit: String,
    /// The step that failed.
    pub step: Step,
    /// The provider's words, or the problem with its response.
    pub why: String,
    /// The URL that the user may return to.
    pub back: Option<Url>,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// The callback with which a provider redirects a browser back (RFC 6749 §4.1.2).
#[derive(Debug)]
pub struct Callback {
    /// The part of the path after `/connect/callback/`. It is empty at the path that authorization servers
    /// share.
    pub path: String,
    /// The query, in order.
    pub parameters: Vec<(String, SecretString)>,
}

impl Callback {
    /// Returns a parameter. The callback must not have it twice (RFC 6749 §3.1).
    fn get(&self, name: &str) -> Result<Option<&str>, Halt> {
        let mut values = self.parameters.iter().filter(|(given, _)| given == name);
        let value = values.next().map(|(_, value)| value.expose_secret());
        match values.next() {
            None => Ok(value),
            Some(_) => {
                Err(Halt::Failed(Step::Exchange, format!("the callback has `{}` twice", shortened(name))))
            }
        }
    }
}

/// Why a callback yields no tokens.
enum Halt {
    /// The account becomes FAILED, at this step and for this reason.
    Failed(Step, String),
    Stop(Stop),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        // The state is used up, so the flow cannot continue.
        Self::Failed(Step::Credential, error.body().message.clone())
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken(error) => error.into(),
            stop => Self::Stop(stop),
        }
    }
}

/// The flows behind the links of a gateway.
#[derive(Debug, Clone)]
pub struct Connect {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) redirect_uris: RedirectUris,
    pub(crate) auth_configs: AuthConfigs,
    pub(crate) accounts: Accounts,
    pub(crate) link_lifetime: Duration,
}

impl Connect {
    /// Returns the form of a link. It changes nothing, so a program that previews links does not use one up.
    pub async fn open(&self, token: &str, browser: &Browser) -> Result<Form, Stop> {
        Flow::behind(self, token, browser).await?.form()
    }

    /// Checks whether this browser may submit the form of a link now. The caller checks before it reads the form.
    pub async fn may_submit(&self, token: &str, browser: &Browser) -> Result<(), Stop> {
        Flow::behind(self, token, browser).await.map(drop)
    }

    /// Reads a submitted form, and begins the flow.
    pub async fn submit(
        &self,
        token: &str,
        browser: &Browser,
        given: &BTreeMap<String, SecretString>,
    ) -> Result<Next, Stop> {
        let mut flow = Flow::behind(self, token, browser).await?;
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

    /// Reads the callback that the provider has redirected the browser to, and connects the account.
    pub async fn come_back(&self, browser: Option<&Browser>, callback: &Callback) -> Result<Connected, Stop> {
        let state = callback.get("state").ok().flatten().ok_or(Stop::UnknownState)?;
        let state_hash = hash(state);
        let link = self.store.link_of_state(&state_hash).await?.ok_or(Stop::UnknownState)?;
        // A browser that did not begin the flow uses nothing up: an attacker may have lured its user here.
        let mut flow = Flow::of(self, link, browser.ok_or(Stop::OtherBrowser)?).await?;
        if !self.store.take_state(&state_hash).await? {
            return Err(Stop::UnknownState);
        }
        match flow.take_tokens(callback).await {
            Ok(()) => flow.connect().await,
            Err(Halt::Failed(step, why)) => Err(flow.fail(step, why).await),
            Err(Halt::Stop(stop)) => Err(stop),
        }
    }

    /// Decrypts a field of a link.
    fn opened(&self, link: &StoredLink, field: &'static str, sealed: &[u8]) -> Result<SecretString> {
        let row = HEXLOWER.encode(&link.token_hash);
        let opened = self.vault.open(link::place(&row, field), link.key_id.as_deref(), sealed);
        opened.map_err(|error| error.of("The stored state of a flow", "Begin again with a new link."))
    }
}

/// A step at which a flow can end without an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The gateway registers a client.
    Registration,
    /// The user consents.
    Consent,
    /// The callback must come from the server that the browser was redirected to.
    Sender,
    /// The code of the callback is exchanged for tokens.
    Exchange,
    /// The credential must be usable.
    Credential,
}
