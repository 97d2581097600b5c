//! Toolkits: the hosts of a third-party API, and how each auth scheme signs its requests.
//!
//! A toolkit is one TOML file. The files in `toolkits/` are compiled in. The operator's own files have the
//! same format and are read at start; they override a compiled-in toolkit with the same slug.
//! `docs/toolkits.md` describes the format.

mod authorization_server;
mod catalogue;
mod shown;
mod template;
mod view;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use self::authorization_server::Unresolved;
#[cfg(any(test, fuzzing))]
pub(crate) use self::catalogue::read as read_definition;
pub use self::catalogue::{Catalogue, ToolkitSource};
pub use self::shown::{details, in_session, list};
use self::template::{FieldProblem, Template};
use crate::credential::Fields;
use crate::credential::injection::{BuildSigner, Injection};
use crate::credential::scheme::{CLIENTLESS, ClientOwner, Obtained, Scheme, SchemeDefinition};
use crate::egress::Behalf;
use crate::endpoint::{HostPattern, without_root_dot};
use crate::header;
use crate::oauth::client::{ClientFields, ClientMetadata, OAuthClient};
use crate::oauth::server::{AuthorizationServer, CallbackField};

/// Upper limit for an account field that comes with a callback.
const MAX_CALLBACK_FIELD_BYTES: usize = 1024;

/// A toolkit as its file defines it. Unknown keys are rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    slug: String,
    name: String,
    /// The provider's page that documents these facts, for readers of the file.
    #[serde(default)]
    docs: Option<String>,
    base_url: String,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    check: Option<String>,
    #[serde(default)]
    default_scheme: Option<AuthScheme>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    fields: BTreeMap<String, Field>,
    schemes: BTreeMap<String, SchemeDefinition>,
}

/// An account field that a template needs, besides the fields of the scheme.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    description: String,
    #[serde(default)]
    example: Option<String>,
    #[serde(default)]
    default: Option<String>,
    /// The allowed values: texts, and `*.example.com` for exactly one label in front of a domain. An empty
    /// list allows any value.
    #[serde(default)]
    values: Vec<String>,
}

impl Field {
    fn check(&self) -> Result<(), String> {
        let is_value = |text: &str| match text.strip_prefix("*.") {
            Some(domain) => domain.contains('.') && !domain.contains('*'),
            None => !text.is_empty() && !text.contains('*'),
        };
        if let Some(text) = self.values.iter().find(|text| !is_value(text)) {
            return Err(format!("values: `{text}` is neither a value nor `*.example.com`"));
        }
        match &self.default {
            Some(default) if !self.allows(default) => Err(format!("default: `{default}` is not in `values`")),
            _ => Ok(()),
        }
    }

    fn is_listed(&self) -> bool {
        !self.values.is_empty()
    }

    fn allows(&self, value: &str) -> bool {
        let is_allowed = |allowed: &String| match allowed.strip_prefix("*.") {
            Some(domain) => value
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
            None => allowed.eq_ignore_ascii_case(value),
        };
        !self.is_listed() || self.values.iter().any(is_allowed)
    }
}

/// Upper limit for the length of a slug.
const LONGEST_SLUG: usize = 100;

/// Upper limit for a secret in a query. The gateway searches the URLs of a response for the secret, at each
/// place where the secret may begin.
const LONGEST_QUERY_SECRET: usize = 4 * 1024;

/// Upper limit for the headers of a toolkit, and for those of a scheme.
const MOST_HEADERS: usize = 100;

/// A third-party API.
#[derive(Debug)]
pub struct Toolkit {
    /// The name in calls.
    pub slug: String,
    /// The name shown to users.
    pub name: String,
    /// The provider's page that documents these facts.
    pub docs: Option<String>,
    /// Headers of every request, unless the caller sets them.
    pub(crate) headers: HeaderMap,
    /// An endpoint that only reads, and responds with 401 or 403 to an invalid credential. The gateway calls
    /// it when a user enters a credential.
    pub(crate) check: Option<String>,
    /// The scheme of a link without an auth config, if the definition names one.
    default_scheme: Option<AuthScheme>,
    fields: BTreeMap<String, Field>,
    schemes: BTreeMap<AuthScheme, ToolkitScheme>,
}

/// How one auth scheme reaches and signs requests to a toolkit.
#[derive(Debug)]
struct ToolkitScheme {
    base_url: Template,
    /// The base URL, if it has no fields in it.
    fixed_base_url: Option<Url>,
    /// The host of the base URL, unless an account field determines it.
    own_host: Option<Host>,
    /// The port of the base URL.
    port: u16,
    hosts: Vec<HostPattern>,
    headers: Vec<(HeaderName, Template)>,
    query: Vec<(String, Template)>,
    basic: Option<(Template, Template)>,
    signature: Option<Signature>,
    authorization_server: Option<Unresolved>,
}

/// The signature of requests: texts with placeholders, and the signer that takes them.
#[derive(Debug)]
struct Signature {
    texts: Vec<Template>,
    signer: BuildSigner,
}

/// The base URL and the allowed hosts of an account's calls.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) base_url: Cow<'a, Url>,
    pub(crate) hosts: &'a [HostPattern],
}

impl Toolkit {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// The key and the reason, for [`ErrorKind::InvalidToolkit`].
    fn from_definition(definition: Definition) -> Result<Self, String> {
        let slug = definition.slug;
        let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if slug.len() > LONGEST_SLUG {
            return Err(format!("slug: is longer than {LONGEST_SLUG} characters"));
        }
        if slug.is_empty() || !slug.chars().all(is_slug) {
            return Err(format!("slug: `{slug}` may have lower-case letters, digits, `_` and `-` only"));
        }
        if definition.name.trim().is_empty() {
            return Err("name: is empty".to_owned());
        }
        if definition.schemes.is_empty() {
            return Err("schemes: at least one is needed, for example [schemes.NO_AUTH]".to_owned());
        }
        let mut headers = HeaderMap::new();
        let schemes = definition.schemes.values().map(|scheme| &scheme.headers);
        if std::iter::once(&definition.headers).chain(schemes).any(|headers| headers.len() > MOST_HEADERS) {
            return Err(format!("headers: there are more than {MOST_HEADERS}"));
        }
        for (name, value) in &definition.headers {
            let key = format!("headers.{name}");
            headers.insert(
                header_name(name, &key)?,
                header_value(value).map_err(|why| format!("{key}: {why}"))?,
            );
        }
        if let Some(endpoint) = definition.check.as_ref().filter(|endpoint| !endpoint.starts_with('/')) {
            return Err(format!("check: `{endpoint}` is not an endpoint such as /user"));
        }
        for (name, field) in &definition.fields {
            field.check().map_err(|why| format!("fields.{name}.{why}"))?;
        }
        let mut schemes = BTreeMap::new();
        for (name, scheme) in &definition.schemes {
            let parsed = AuthScheme::parse(name).ok_or_else(|| {
                format!("schemes.{name}: is not an auth scheme, such as OAUTH2, API_KEY or BASIC")
            })?;
            let scheme = ToolkitScheme::from_definition(
                parsed,
                scheme,
                &definition.base_url,
                &definition.hosts,
                &definition.fields,
            )
            .map_err(|why| format!("schemes.{name}.{why}"))?;
            schemes.insert(parsed, scheme);
        }
        if let Some(scheme) = definition.default_scheme
            && !(schemes.contains_key(&scheme) && CLIENTLESS.contains(&scheme))
        {
            let known: Vec<_> = CLIENTLESS.iter().map(ToString::to_string).collect();
            return Err(format!(
                "default_scheme: {scheme} is not one of the toolkit's schemes that need no client ({})",
                known.join(", ")
            ));
        }
        Ok(Self {
            slug,
            name: definition.name,
            docs: definition.docs,
            headers,
            check: definition.check,
            default_scheme: definition.default_scheme,
            fields: definition.fields,
            schemes,
        })
    }

    /// The auth schemes that an account of this toolkit can have.
    pub fn schemes(&self) -> impl Iterator<Item = AuthScheme> {
        self.schemes.keys().copied()
    }

    /// The fields that accounts of a scheme can have, except their own base URL.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn field_names(&self, scheme: AuthScheme) -> impl Iterator<Item = String> {
        let signing = self.schemes.get(&scheme).map(ToolkitScheme::signing_fields).unwrap_or_default();
        signing.into_iter().chain(self.fields.keys().cloned())
    }

    /// Rejects a scheme that the toolkit does not have.
    ///
    /// # Errors
    /// `InvalidRequest` that lists the toolkit's schemes.
    pub(crate) fn check_scheme(&self, scheme: AuthScheme) -> Result<()> {
        self.scheme(scheme).map(drop)
    }

    /// Whether a secret is still missing, so that the user has to enter it. The scheme signs requests with
    /// such a secret, or exchanges it for tokens.
    pub(crate) fn lacks_secret(&self, auth_scheme: AuthScheme, fields: &Fields) -> bool {
        let Some(scheme) = self.schemes.get(&auth_scheme) else { return false };
        let mut secrets = scheme.signing_fields();
        secrets.retain(|name| !scheme.may_lack(auth_scheme, name));
        if let Some(server) =
            scheme.authorization_server.as_ref().filter(|_| Scheme::of(auth_scheme).is_exchanged())
        {
            secrets.retain(|name| !server.answers(name));
            secrets.extend(Scheme::of(auth_scheme).exchanged_fields().iter().map(|name| (*name).to_owned()));
        }
        secrets.iter().any(|name| self.field(fields, name).is_none())
    }

    /// The scheme of a link without an auth config; `None` if the operator has to create an auth config
    /// first.
    ///
    /// If users sign in with OAuth, the gateway does not ask them for a token instead.
    pub(crate) fn link_scheme(&self) -> Option<AuthScheme> {
        if self.default_scheme.is_some() {
            return self.default_scheme;
        }
        let registers = |scheme| Scheme::of(scheme).client == ClientOwner::Registration;
        if self.operators_scheme().is_some()
            && !self.schemes().any(|scheme| registers(scheme) && self.has_consent(scheme))
        {
            return None;
        }
        // A user who can consent need not look for an API key.
        CLIENTLESS.into_iter().find(|scheme| {
            let by_consent = Scheme::of(*scheme).obtained == Obtained::ByConsent;
            self.schemes.contains_key(scheme) && (!by_consent || self.has_consent(*scheme))
        })
    }

    /// The scheme by which users sign in at the provider with an OAuth client of the operator.
    pub(crate) fn operators_scheme(&self) -> Option<AuthScheme> {
        self.schemes()
            .find(|scheme| Scheme::of(*scheme).client == ClientOwner::AuthConfig && self.has_consent(*scheme))
    }

    /// The preferred scheme of users who have a key, a token or a password already.
    pub(crate) fn entered_scheme(&self) -> Option<AuthScheme> {
        CLIENTLESS.into_iter().find(|scheme| {
            Scheme::of(*scheme).obtained == Obtained::ByForm && self.schemes.contains_key(scheme)
        })
    }

    fn server_of(&self, scheme: AuthScheme) -> Option<&Unresolved> {
        self.schemes.get(&scheme)?.authorization_server.as_ref()
    }

    fn scheme(&self, scheme: AuthScheme) -> Result<&ToolkitScheme> {
        self.schemes.get(&scheme).ok_or_else(|| {
            let known: Vec<_> = self.schemes.keys().map(ToString::to_string).collect();
            Error::new(
                ErrorKind::InvalidRequest,
                format!("Toolkit `{}` has no auth scheme {scheme}; it has {}.", self.slug, known.join(", ")),
            )
        })
    }

    /// The base URL and the allowed hosts for an account with this credential.
    ///
    /// An account's own `base_url` (a self-hosted or regional installation) replaces the toolkit's base URL.
    /// It also drops the toolkit's other hosts, which belong to the public installation.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field of the credential.
    pub(crate) fn target(&self, scheme: AuthScheme, fields: &Fields) -> Result<Target<'_>> {
        let scheme = self.scheme(scheme)?;
        if let Some(own) = fields.get("base_url") {
            let base_url =
                base_url(own.expose_secret()).map_err(|why| self.invalid_field("base_url", &why))?;
            return Ok(Target { base_url: Cow::Owned(base_url), hosts: &[] });
        }
        if let Some(base_url) = &scheme.fixed_base_url {
            return Ok(Target { base_url: Cow::Borrowed(base_url), hosts: &scheme.hosts });
        }
        let text = self.with_fields(&scheme.base_url, fields).map_err(|problem| self.unusable(problem))?;
        let base_url = base_url(&text).map_err(|why| self.invalid_field("base_url", &why))?;
        Ok(Target { base_url: Cow::Owned(base_url), hosts: &scheme.hosts })
    }

    /// On whose behalf the gateway sends a call to a URL.
    ///
    /// The definition names a host in its base URL, unless an account field determines that host. It also
    /// names hosts in `hosts`, on the port of the base URL.
    pub(crate) fn behalf(&self, scheme: AuthScheme, url: &Url) -> Behalf {
        let names_host = self.schemes.get(&scheme).is_some_and(|scheme| {
            url.port_or_known_default() == Some(scheme.port)
                && url.host().is_some_and(|host| {
                    let is_own = scheme.own_host.as_ref().is_some_and(|own| *own == host);
                    is_own || scheme.hosts.iter().any(|pattern| pattern.matches(&host))
                })
        });
        Behalf::Toolkit { slug: self.slug.clone(), names_host }
    }

    /// On whose behalf the gateway sends a request to the authorization server.
    ///
    /// The definition names the server in its addresses, unless an account field determines the host.
    pub(crate) fn behalf_at_server(&self, scheme: AuthScheme, url: &Url) -> Behalf {
        let is_named = |template: &Template| {
            let own = template.own_url(|name| self.field(&Fields::default(), name)).ok();
            let own = own.and_then(|text| authorization_server::endpoint(&text).ok());
            own.is_some_and(|own| own.origin() == url.origin())
        };
        let mut servers = self.server_of(scheme).into_iter().flat_map(Unresolved::addresses);
        match self.behalf(scheme, url) {
            Behalf::Toolkit { slug, names_host } => {
                Behalf::Toolkit { slug, names_host: names_host || servers.any(is_named) }
            }
            other => other,
        }
    }

    /// Whether changed fields would send an account's secrets to another origin, of the API or of the
    /// authorization server.
    ///
    /// An account without an address has not sent its secrets anywhere yet.
    pub(crate) fn is_elsewhere(&self, scheme: AuthScheme, old: &Fields, new: &Fields) -> bool {
        let origins = |fields: &Fields| {
            let api = self.target(scheme, fields).ok().map(|target| target.base_url.origin());
            let servers = self.server_of(scheme).into_iter().flat_map(Unresolved::takes_secrets);
            let server = |template| {
                let text = self.with_fields(template, fields).ok()?;
                authorization_server::endpoint(&text).ok().map(|url| url.origin())
            };
            std::iter::once(api).chain(servers.map(server)).collect::<Vec<_>>()
        };
        origins(old).into_iter().zip(origins(new)).any(|(old, new)| old.is_some() && old != new)
    }

    /// The host of an account's API, if accounts have different hosts.
    pub(crate) fn own_host(&self, scheme: AuthScheme, fields: &Fields) -> Option<String> {
        let base_url = self.target(scheme, fields).ok()?.base_url.into_owned();
        let of_all = self.schemes.get(&scheme)?.fixed_base_url.as_ref().and_then(Url::host_str);
        base_url.host_str().filter(|host| Some(*host) != of_all).map(str::to_owned)
    }

    /// The fields that determine the hosts of an account's API and authorization server.
    pub(crate) fn host_fields(&self, scheme: AuthScheme) -> BTreeSet<String> {
        let base_url = self.schemes.get(&scheme).map(|scheme| &scheme.base_url);
        let servers = self.server_of(scheme).into_iter().flat_map(Unresolved::addresses);
        let named = base_url.into_iter().chain(servers).flat_map(Template::host_fields);
        named.chain(["base_url".to_owned()]).collect()
    }

    /// The fields that determine the host that receives an auth config's client, if they allow any host.
    ///
    /// A client is registered with one server, so the auth config has to set these fields.
    pub(crate) fn client_host_fields(&self, scheme: AuthScheme) -> BTreeSet<String> {
        let servers = self.server_of(scheme).into_iter().flat_map(Unresolved::takes_secrets);
        servers.flat_map(Template::open_host_fields).filter(|name| !self.is_listed(name)).collect()
    }

    fn is_listed(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Field::is_listed)
    }

    /// Whether each account has its own choice of authorization server.
    ///
    /// The user who connects the account chooses it, or a registration does. Otherwise the definition or the
    /// auth config determines the server.
    pub(crate) fn is_server_chosen(&self, scheme: AuthScheme) -> bool {
        let of_config = self.client_host_fields(scheme);
        let addresses = self.server_of(scheme).into_iter().flat_map(Unresolved::addresses);
        let mut hosts = addresses.flat_map(Template::host_fields);
        Scheme::of(scheme).client == ClientOwner::Registration
            || hosts.any(|name| !of_config.contains(&name) && !self.is_listed(&name))
    }

    /// Whether every callback names the authorization server that sent it.
    pub(crate) fn is_issuer_told(&self, scheme: AuthScheme) -> bool {
        self.server_of(scheme)
            .is_some_and(|server| server.rules.authorization_response_iss_parameter_supported)
    }

    /// The name of an authorization server in its own callback path: the host that receives codes. A code of
    /// one server thus never reaches another server.
    ///
    /// If accounts choose a part of the host, the name is the rest, which belongs to the provider. `None` as
    /// long as the host is unknown.
    pub(crate) fn callback_name(&self, scheme: AuthScheme, fields: &Fields) -> Option<String> {
        let template = &self.server_of(scheme)?.token_url;
        if let Some(domain) = template.providers_domain() {
            return Some(domain.to_ascii_lowercase());
        }
        // All listed hosts share one name: a client is registered for all of them.
        let first = |name: &str| {
            let field = self.fields.get(name).filter(|field| field.is_listed())?;
            let listed = field.default.as_deref().or(field.values.first().map(String::as_str))?;
            Some(SecretString::from(listed.trim_start_matches("*.")))
        };
        let value = |name: &str| first(name).or_else(|| self.field(fields, name));
        let text = template.render_host_parts(value, |name| self.is_listed(name)).ok()?;
        let url = authorization_server::endpoint(&text).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']);
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }

    /// The account fields that a callback contains, each with its place. The flag says whether the address
    /// that the browser was sent to contains the field.
    pub(crate) fn callback_fields(
        &self,
        scheme: AuthScheme,
    ) -> impl Iterator<Item = (&String, &CallbackField, bool)> {
        let server = self.server_of(scheme).into_iter();
        server.flat_map(|server| {
            let fields = server.rules.callback_fields.iter();
            fields.map(|(name, place)| (name, place, !server.is_told_by_callback(name)))
        })
    }

    /// Reads a field from the value of its parameter in a callback.
    ///
    /// # Errors
    /// Why the value is invalid; never the value itself.
    pub(crate) fn read_callback_field(
        &self,
        scheme: AuthScheme,
        name: &str,
        place: &CallbackField,
        value: &str,
    ) -> Result<String, &'static str> {
        if value.len() > MAX_CALLBACK_FIELD_BYTES {
            return Err("it is longer than 1 KiB");
        }
        let is_host = self.host_fields(scheme).contains(name);
        let value = place.read(value, is_host).ok_or("it does not end as the toolkit's definition says")?;
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err("it is empty, or has a control character in it");
        }
        if !self.fields.get(name).is_none_or(|field| field.allows(value)) {
            return Err("it is not one of the `values` in the toolkit's definition");
        }
        Ok(value.to_owned())
    }

    /// Returns the client of an account: its own, if the scheme has such clients, or else that of its auth
    /// config, whose `credentials` and `settings` these are.
    ///
    /// The client of an auth config is sent only to the host that the auth config names.
    ///
    /// # Errors
    /// `InvalidRequest` that names the missing field, or the field with another host.
    pub(crate) fn client_of(
        &self,
        scheme: AuthScheme,
        own: &Fields,
        credentials: &SecretJson,
        settings: &Value,
    ) -> Result<OAuthClient> {
        let has_own = matches!(Scheme::of(scheme).client, ClientOwner::Account | ClientOwner::Registration);
        if let Some(id) = own.get("client_id").filter(|_| has_own) {
            return Ok(OAuthClient {
                id: id.expose_secret().to_owned(),
                secret: own.get("client_secret").cloned(),
                metadata: ClientMetadata::read(credentials, settings)?,
            });
        }
        let client = OAuthClient::read(credentials, settings)?;
        let of_config = ClientFields::read(credentials)?;
        self.check_client_host(scheme, own, |name| of_config.text(name))?;
        Ok(client)
    }

    /// Rejects fields that would send a client to another host than its auth config says.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field; never the value itself.
    pub(crate) fn check_client_host(
        &self,
        scheme: AuthScheme,
        fields: &Fields,
        of_config: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let fix = "The secret of the auth config's client is sent to that host, so the auth config says which \
                   it is, in its `credentials`.";
        for name in self.client_host_fields(scheme) {
            let default = || self.fields.get(&name)?.default.clone();
            let Some(trusted) = of_config(&name).or_else(default) else {
                let message = format!("The auth config has no `{name}`, the host of its client.");
                return Err(Error::of_field(ErrorKind::InvalidRequest, name, message).fix(fix));
            };
            if self.field(fields, &name).is_some_and(|value| value.expose_secret() != trusted) {
                return Err(self.invalid_field(&name, "the auth config says another").fix(fix));
            }
        }
        Ok(())
    }

    /// Whether the toolkit describes a field, so that an auth config can set it for all of its accounts.
    pub(crate) fn describes(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Whether accounts of a scheme have a secret that is exchanged for an access token.
    pub(crate) fn exchanges(&self, scheme: AuthScheme) -> bool {
        Scheme::of(scheme).is_exchanged() && self.has_authorization_server(scheme)
    }

    /// Whether accounts of a scheme have an authorization server.
    pub(crate) fn has_authorization_server(&self, scheme: AuthScheme) -> bool {
        self.server_of(scheme).is_some()
    }

    /// The authorization server of an account with these fields; `None` if the scheme has none.
    ///
    /// Without a server, credentials can be imported, but not connected or refreshed.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field.
    pub(crate) fn authorization_server(
        &self,
        scheme: AuthScheme,
        fields: &Fields,
    ) -> Result<Option<AuthorizationServer<'_>>> {
        let Some(server) = &self.scheme(scheme)?.authorization_server else { return Ok(None) };
        let url = |template: &Template| {
            let text = self.with_fields(template, fields).map_err(|problem| self.unusable(problem))?;
            authorization_server::endpoint(&text)
                .map_err(|why| self.invalid_field(&template.field_names().join(", "), &why))
        };
        let token_url = url(&server.token_url)?;
        let token_parameters = server.token_parameters.iter().map(|(name, template)| {
            let value =
                self.with_secrets(scheme, template, fields).map_err(|problem| self.unusable(problem))?;
            Ok((name.as_str(), value))
        });
        Ok(Some(AuthorizationServer {
            token_parameters: token_parameters.collect::<Result<_>>()?,
            authorize_url: server.authorize_url.as_ref().map(url).transpose()?,
            refresh_url: server
                .refresh_url
                .as_ref()
                .map(url)
                .transpose()?
                .unwrap_or_else(|| token_url.clone()),
            token_url,
            revoke_url: server.revoke_url.as_ref().map(url).transpose()?,
            registration_url: server.registration_url.as_ref().map(url).transpose()?,
            issuer: match &server.issuer {
                Some(issuer) => {
                    Some(self.with_fields(issuer, fields).map_err(|problem| self.unusable(problem))?)
                }
                None => None,
            },
            rules: &server.rules,
        }))
    }

    /// Whether a user has to consent at the provider.
    pub(crate) fn has_consent(&self, scheme: AuthScheme) -> bool {
        self.server_of(scheme).is_some_and(|server| server.authorize_url.is_some())
    }

    /// The scopes that a client requests when a user has to consent.
    pub(crate) fn scopes<'a>(&'a self, scheme: AuthScheme, client: &'a ClientMetadata) -> &'a [String] {
        self.server_of(scheme).map(|server| server.rules.scopes_for(client)).unwrap_or_default()
    }

    /// The description of a scope in words.
    pub(crate) fn in_words(&self, scheme: AuthScheme, scope: &str) -> Option<String> {
        self.server_of(scheme)?.rules.scope_words.get(scope).cloned()
    }

    /// The name of a field that cannot be used, and the reason; never its value.
    ///
    /// Before a user consents, only the fields in the server's addresses are checked.
    pub(crate) fn unusable_field(
        &self,
        auth_scheme: AuthScheme,
        fields: &Fields,
    ) -> Option<(String, String)> {
        let scheme = self.schemes.get(&auth_scheme)?;
        let problem = |template| self.with_fields(template, fields).err();
        match &scheme.authorization_server {
            Some(server) if server.authorize_url.is_some() => server.addresses().find_map(problem),
            Some(server) if Scheme::of(auth_scheme).is_exchanged() => {
                problem(&scheme.base_url).or_else(|| server.addresses().find_map(problem))
            }
            _ => problem(&scheme.base_url).or_else(|| self.injected(auth_scheme, scheme, fields).err()),
        }
        .map(|problem| (problem.field, problem.why))
    }

    /// Fills an account's fields into a URL.
    fn with_fields(&self, template: &Template, fields: &Fields) -> Result<String, FieldProblem> {
        let text = match self.unlisted_value(template, fields) {
            Some(problem) => Err(problem),
            None => template.render_host_parts(|name| self.field(fields, name), |name| self.is_listed(name)),
        };
        text.map_err(|mut problem| {
            if let Some(field) = self.fields.get(&problem.field) {
                problem.why = match &field.example {
                    Some(example) => {
                        format!("{} (for example `{example}`): {}", field.description, problem.why)
                    }
                    None => format!("{}: {}", field.description, problem.why),
                };
            }
            problem
        })
    }

    /// A field of a template with a value that the definition does not list.
    fn unlisted_value(&self, template: &Template, fields: &Fields) -> Option<FieldProblem> {
        template.field_names().into_iter().find_map(|name| {
            let field = self.fields.get(&name)?;
            let is_refused = !field.allows(fields.get(&name)?.expose_secret());
            let why = format!("it must be one of {}", field.values.join(", "));
            is_refused.then_some(FieldProblem { field: name, why })
        })
    }

    /// Fills an account's fields into a text.
    fn with_secrets(
        &self,
        scheme: AuthScheme,
        template: &Template,
        fields: &Fields,
    ) -> Result<SecretString, FieldProblem> {
        if let Some(problem) = self.unlisted_value(template, fields) {
            return Err(problem);
        }
        let missing = |field| FieldProblem { field, why: "is missing".to_owned() };
        let may_lack = |name: &str| self.schemes.get(&scheme).is_some_and(|of| of.may_lack(scheme, name));
        let empty = |name: &str| may_lack(name).then(SecretString::default);
        template.render(|name| self.field(fields, name).or_else(|| empty(name))).map_err(missing)
    }

    /// The headers, query values and signer that a credential adds to a request.
    ///
    /// # Errors
    /// `InvalidRequest` that names the missing or unsendable field; never its value.
    pub(crate) fn injection(&self, scheme: AuthScheme, fields: &Fields) -> Result<Injection> {
        self.injected(scheme, self.scheme(scheme)?, fields).map_err(|problem| self.unusable(problem))
    }

    fn injected(
        &self,
        auth_scheme: AuthScheme,
        scheme: &ToolkitScheme,
        fields: &Fields,
    ) -> Result<Injection, FieldProblem> {
        let render = |template: &Template| self.with_secrets(auth_scheme, template, fields);
        let mut injection = Injection::default();
        for (name, template) in &scheme.headers {
            let value = sensitive(render(template)?.expose_secret()).map_err(|why| FieldProblem {
                field: template.field_names().join(", "),
                why: why.to_owned(),
            })?;
            injection.headers.push((name.clone(), value));
        }
        if let Some((username, password)) = &scheme.basic {
            let part = |template: &Template, may_have_colon: bool| {
                let text = render(template)?;
                match not_basic(text.expose_secret(), may_have_colon) {
                    None => Ok(text),
                    Some(why) => {
                        Err(FieldProblem { field: template.field_names().join(", "), why: why.to_owned() })
                    }
                }
            };
            injection.basic(part(username, false)?.expose_secret(), part(password, true)?.expose_secret());
        }
        for (name, template) in &scheme.query {
            let value = render(template)?;
            if value.expose_secret().len() > LONGEST_QUERY_SECRET {
                let why = "it is longer than 4 KiB, the most that is sent in a query".to_owned();
                return Err(FieldProblem { field: template.field_names().join(", "), why });
            }
            injection.query.push((name.clone(), value));
        }
        if let Some(signature) = &scheme.signature {
            let texts = signature.texts.iter().map(render).collect::<Result<_, _>>()?;
            injection.signer = Some((signature.signer)(texts));
        }
        Ok(injection)
    }

    fn field(&self, fields: &Fields, name: &str) -> Option<SecretString> {
        let default = || self.fields.get(name)?.default.as_deref().map(SecretString::from);
        fields.get(name).cloned().or_else(default)
    }

    fn unusable(&self, problem: FieldProblem) -> Error {
        self.invalid_field(&problem.field, &problem.why)
    }

    fn invalid_field(&self, name: &str, why: &str) -> Error {
        Error::of_field(
            ErrorKind::InvalidRequest,
            format!("val.{name}"),
            format!("The field `val.{name}` for toolkit `{}` cannot be used: {why}.", self.slug),
        )
    }
}

impl ToolkitScheme {
    /// The fields that the scheme's headers, query values, basic authentication and signature use, in the
    /// order that users know.
    fn signing_fields(&self) -> Vec<String> {
        let headers = self.headers.iter().map(|(_, template)| template);
        let query = self.query.iter().map(|(_, template)| template);
        let basic = self.basic.iter().flat_map(|(username, password)| [username, password]);
        let signature = self.signature.iter().flat_map(|signature| &signature.texts);
        headers.chain(query).chain(basic).chain(signature).flat_map(Template::field_names).collect()
    }

    /// Whether a field is optional: a password beside a user name.
    fn may_lack(&self, auth_scheme: AuthScheme, field: &str) -> bool {
        Scheme::of(auth_scheme).may_lack(field) && self.signing_fields().iter().any(|other| other != field)
    }

    fn from_definition(
        scheme: AuthScheme,
        definition: &SchemeDefinition,
        base_url_of_toolkit: &str,
        hosts_of_toolkit: &[String],
        fields: &BTreeMap<String, Field>,
    ) -> Result<Self, String> {
        let template = |key: &str, text: &str| Template::parse(text).map_err(|why| format!("{key}: {why}"));
        let base_text = definition.base_url.as_deref().unwrap_or(base_url_of_toolkit);
        let base_url = template("base_url", base_text)?;
        for name in base_url.field_names() {
            if !fields.contains_key(&name) {
                return Err(format!("base_url: uses {{{{{name}}}}}, which has no [fields.{name}]"));
            }
        }
        let example =
            base_url.render_host_parts(|_| Some("example".into()), |_| false).map_err(|problem| problem.why);
        let example = example.map_err(|why| format!("base_url: {why}"))?;
        let example = self::base_url(&example).map_err(|why| format!("base_url: {why}"))?;
        let port = example.port_or_known_default().unwrap_or_default();
        let default = |name: &str| fields.get(name)?.default.as_deref().map(SecretString::from);
        let own = base_url.own_url(default).ok().and_then(|text| self::base_url(&text).ok());
        let own_host = own.as_ref().and_then(Url::host).map(|host| host.to_owned());
        let fixed_base_url = base_url.field_names().is_empty().then_some(example);

        let hosts = definition.hosts.as_deref().unwrap_or(hosts_of_toolkit);
        let hosts = hosts.iter().map(|host| {
            HostPattern::parse(host)
                .ok_or_else(|| format!("hosts: `{host}` is neither `api.example.com` nor `*.example.com`"))
        });
        let authorization_server = definition.authorization_server.as_ref().map(|server| {
            Unresolved::from_definition(server, scheme, |name| fields.contains_key(name))
                .map_err(|why| format!("authorization_server.{why}"))
        });
        let authorization_server = authorization_server.transpose()?;
        let headers = definition.headers.iter().map(|(name, value)| {
            let key = format!("headers.{name}");
            Ok((header_name(name, &key)?, template(&key, value)?))
        });
        let query = definition
            .query
            .iter()
            .map(|(name, value)| Ok((name.clone(), template(&format!("query.{name}"), value)?)));
        let basic = definition.basic.as_ref().map(|basic| {
            Ok::<_, String>((
                template("basic.username", &basic.username)?,
                template("basic.password", &basic.password)?,
            ))
        });
        let signature = definition.signature().map(|signature| {
            let texts = signature.texts.iter();
            let texts = texts.map(|(name, text)| template(&format!("{}.{name}", signature.key), text));
            Ok::<_, String>(Signature { texts: texts.collect::<Result<_, _>>()?, signer: signature.signer })
        });
        if let Some(server) = &authorization_server {
            let addresses = server.addresses().chain([&base_url]);
            let open: BTreeSet<_> = addresses.flat_map(Template::open_host_fields).collect();
            let is_open =
                |name: &&String| open.contains(*name) && !fields.get(*name).is_some_and(Field::is_listed);
            if let Some(name) = server.rules.callback_fields.keys().find(is_open) {
                return Err(format!(
                    "authorization_server.callback_fields.{name}: secrets would be sent to any host that a callback \
                     names; give [fields.{name}] the `values` that it may have"
                ));
            }
        }
        Ok(Self {
            base_url,
            fixed_base_url,
            own_host,
            port,
            hosts: hosts.collect::<Result<_, String>>()?,
            headers: headers.collect::<Result<_, String>>()?,
            query: query.collect::<Result<_, String>>()?,
            basic: basic.transpose()?,
            signature: signature.transpose()?,
            authorization_server,
        })
    }
}

/// Parses a base URL and normalizes it.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("is not a valid URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password in it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment".to_owned());
    }
    without_root_dot(&mut url).map_err(|refusal| refusal.to_string())?;
    // One example is `"` in the host, which the URL standard allows and RFC 3986 does not.
    if url.as_str().parse::<http::Uri>().is_err() {
        return Err("has a character in it that cannot be sent, or is longer than 64 KiB".to_owned());
    }
    Ok(url)
}

fn header_name(name: &str, key: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{key}: is not a header name"))
}

fn header_value(value: &str) -> Result<HeaderValue, &'static str> {
    header::header_value(value).ok_or("has a character in it that a header cannot hold")
}

/// Why a text cannot be part of basic authentication (RFC 7617 §2).
fn not_basic(text: &str, may_have_colon: bool) -> Option<&'static str> {
    if text.chars().any(|c| c.is_ascii_control()) {
        Some("basic authentication cannot hold a control character, such as a line break or a tab")
    } else if !may_have_colon && text.contains(':') {
        Some(
            "basic authentication cannot hold a colon in a user name; give what stands after it as the password",
        )
    } else {
        None
    }
}

fn sensitive(value: &str) -> Result<HeaderValue, &'static str> {
    let mut value = header_value(value)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
