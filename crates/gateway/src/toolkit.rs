//! Toolkits: the hosts of a third-party API, and how each auth scheme signs its requests.
//!
//! A toolkit is one TOML file. The files in `toolkits/` are compiled in. The operator's own files have the
//! same format and are read at start; they override a compiled-in toolkit with the same slug.
//! `docs/toolkits.md` describes the format.

mod authorization_server;
mod catalogue;
mod definition;
mod paging;
mod template;
mod view;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Pagination, RateLimit, Result, ToolkitSetup};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use self::authorization_server::Unresolved;
#[cfg(any(test, fuzzing))]
pub(crate) use self::catalogue::read as read_definition;
pub use self::catalogue::{Catalogue, ToolkitSource};
pub(crate) use self::definition::base_url;
use self::definition::{Field, header_value};
use self::template::{FieldProblem, Template};
pub(crate) use self::view::category;
use crate::credential::Fields;
use crate::credential::injection::{BuildSigner, Injection};
use crate::credential::scheme::{CLIENTLESS, ClientOwner, Obtained, Scheme};
use crate::egress::Behalf;
use crate::endpoint::HostPattern;

/// Upper limit for a secret in a query. The gateway searches the URLs of a response for the secret, at each
/// place where the secret may begin.
const LONGEST_QUERY_SECRET: usize = 4 * 1024;

/// A third-party API.
#[derive(Debug)]
pub struct Toolkit {
    /// The name in calls.
    pub slug: String,
    /// The name shown to users.
    pub name: String,
    /// Other names by which users look for it, in lower case.
    aliases: Vec<String>,
    /// Its categories, as words with hyphens between them.
    pub(crate) categories: Vec<String>,
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
    /// How callers page through lists. The gateway itself sends each call as it comes.
    pub(crate) pagination: Option<Pagination>,
    /// How callers know when a call may be repeated.
    pub(crate) rate_limit: Option<RateLimit>,
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
    setup: Option<ToolkitSetup>,
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
            let base_url = base_url(own.expose_secret())
                .map_err(|why| self.invalid_field("base_url", &format!("it {why}")))?;
            return Ok(Target { base_url: Cow::Owned(base_url), hosts: &[] });
        }
        if let Some(base_url) = &scheme.fixed_base_url {
            return Ok(Target { base_url: Cow::Borrowed(base_url), hosts: &scheme.hosts });
        }
        let text = self.with_fields(&scheme.base_url, fields).map_err(|problem| self.unusable(problem))?;
        let base_url = base_url(&text).map_err(|why| self.invalid_field("base_url", &format!("it {why}")))?;
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

    fn is_listed(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Field::is_listed)
    }

    /// Whether the toolkit describes a field, so that an auth config can set it for all of its accounts.
    pub(crate) fn describes(&self, field: &str) -> bool {
        self.fields.contains_key(field)
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
        let missing = |field| FieldProblem { field, why: "it is missing".to_owned() };
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
                why: format!("it {why}"),
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
                let why = "it is longer than 4 KiB, the limit in a query".to_owned();
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

    /// The error of a field. `why` is a clause such as `it is missing`.
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
}

/// Why a text cannot be part of basic authentication (RFC 7617 §2).
fn not_basic(text: &str, may_have_colon: bool) -> Option<&'static str> {
    if text.chars().any(|c| c.is_ascii_control()) {
        Some("basic authentication cannot hold a control character, such as a line break or a tab")
    } else if !may_have_colon && text.contains(':') {
        Some(
            "basic authentication cannot hold a colon in a user name; put the part after it into the password",
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
