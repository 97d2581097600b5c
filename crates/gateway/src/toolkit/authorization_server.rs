//! The authorization server of a scheme, and what a toolkit knows of it.

use std::collections::BTreeSet;

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::{Template, Toolkit};
use crate::credential::Fields;
use crate::credential::scheme::{ClientOwner, Scheme};
use crate::egress::Behalf;
use crate::oauth::client::{ClientFields, ClientMetadata, OAuthClient};
use crate::oauth::server::{AuthorizationServer, CallbackField, Rules};

/// The callback parameters that the protocol defines.
const OF_PROTOCOL: [&str; 6] = ["state", "code", "error", "error_description", "error_uri", "iss"];

/// Upper limit for an account field that comes with a callback.
const MAX_CALLBACK_FIELD_BYTES: usize = 1024;

/// An authorization server whose addresses may have placeholders for account fields.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) authorize_url: Option<Template>,
    pub(super) token_url: Template,
    pub(super) refresh_url: Option<Template>,
    pub(super) revoke_url: Option<Template>,
    pub(super) registration_url: Option<Template>,
    pub(super) issuer: Option<Template>,
    pub(super) token_parameters: Vec<(String, Template)>,
    pub(super) rules: Rules,
}

impl Unresolved {
    /// Whether the response of the token endpoint supplies an account field.
    pub(super) fn answers(&self, field: &str) -> bool {
        field == "access_token" || self.rules.token_answer.contains_key(field)
    }

    /// Whether an account field stays unknown until the callback.
    pub(super) fn is_told_by_callback(&self, field: &str) -> bool {
        let is_asked_first =
            self.authorize_url.iter().flat_map(Template::field_names).any(|name| name == field);
        self.rules.callback_fields.contains_key(field) && !is_asked_first
    }

    /// The account fields that the addresses and parameters have placeholders for.
    pub(super) fn field_names(&self) -> impl Iterator<Item = String> {
        let parameters = self.token_parameters.iter().map(|(_, template)| template);
        self.addresses().chain(parameters).flat_map(Template::field_names)
    }

    /// The endpoints that receive client secrets and tokens.
    pub(super) fn takes_secrets(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.token_url).chain([&self.refresh_url, &self.revoke_url].into_iter().flatten())
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Template> {
        let further = [&self.authorize_url, &self.refresh_url, &self.revoke_url, &self.registration_url];
        std::iter::once(&self.token_url).chain(further.into_iter().flatten())
    }

    /// Reads and checks a definition. `field_exists` says whether the toolkit has a field.
    ///
    /// # Errors
    /// The key and the reason.
    pub(super) fn from_definition(
        rules: &Rules,
        scheme: AuthScheme,
        field_exists: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        let registers = Scheme::of(scheme).client == ClientOwner::Registration;
        match (registers, &rules.registration_url, &rules.authorize_url) {
            (true, None, _) => {
                return Err(format!(
                    "registration_url: is missing; {scheme} registers a client for each account there"
                ));
            }
            (true, _, None) => {
                return Err(format!("authorize_url: is missing; with {scheme} the user consents there"));
            }
            (true, ..) | (false, None, _) => {}
            (false, Some(_), _) => {
                return Err(format!("registration_url: is for DCR_OAUTH, not for {scheme}"));
            }
        }
        let url = |key: &str, text: &String| {
            let template = Template::parse(text).map_err(|why| format!("{key}: {why}"))?;
            if let Some(name) = template.field_names().into_iter().find(|name| !field_exists(name)) {
                return Err(format!("{key}: uses {{{{{name}}}}}, which has no [fields.{name}]"));
            }
            let example = template.render_host_parts(|_| Some("example".into()), |_| false);
            let example = example.map_err(|problem| format!("{key}: {}", problem.why))?;
            let example = endpoint(&example).map_err(|why| format!("{key}: {why}"))?;
            Ok((template, example))
        };
        let required = |key: &str, text: &String| url(key, text).map(|(template, _)| template);
        let optional =
            |key: &str, text: &Option<String>| text.as_ref().map(|text| required(key, text)).transpose();
        let issuer = match &rules.issuer {
            Some(text) => {
                let (template, example) = url("issuer", text)?;
                if example.query().is_some() {
                    return Err("issuer: must not have a query".to_owned());
                }
                Some(template)
            }
            None if rules.authorization_response_iss_parameter_supported => {
                return Err("issuer: is missing; `authorization_response_iss_parameter_supported` needs it"
                    .to_owned());
            }
            None => None,
        };
        if rules.authorize_url.is_none() && (issuer.is_some() || !rules.callback_fields.is_empty()) {
            return Err("authorize_url: is missing; without it there is no callback".to_owned());
        }
        if let Some(page) = &rules.client_page {
            web_page(page).map_err(|why| format!("client_page: {why}"))?;
        }
        for (field, place) in &rules.callback_fields {
            if !field_exists(field) || field == "base_url" {
                return Err(format!("callback_fields.{field}: there is no [fields.{field}]"));
            }
            let parameter = place.parameter();
            if parameter.is_empty() || OF_PROTOCOL.contains(&parameter) {
                return Err(format!("callback_fields.{field}: `{parameter}` is a parameter of the protocol"));
            }
            if issuer.iter().flat_map(Template::field_names).any(|name| name == *field) {
                return Err(format!(
                    "issuer: uses {{{{{field}}}}}, which comes with a callback; it must be known before the callback"
                ));
            }
        }
        for (field, place) in &rules.token_answer {
            let pointer = place.pointer();
            if !pointer.starts_with('/') {
                return Err(format!(
                    "token_answer.{field}: `{pointer}` is not a JSON pointer such as /data/token"
                ));
            }
        }
        if rules.token_errors.all().any(|word| !word.contains(|c: char| c.is_alphanumeric())) {
            return Err(
                "token_errors: a word is empty; give an error code or a part of a description".to_owned()
            );
        }
        let token_parameters = rules.token_parameters.iter().map(|(name, text)| {
            let template = Template::parse(text).map_err(|why| format!("token_parameters.{name}: {why}"))?;
            Ok((name.clone(), template))
        });
        Ok(Self {
            token_parameters: token_parameters.collect::<Result<_, String>>()?,
            authorize_url: optional("authorize_url", &rules.authorize_url)?,
            issuer,
            token_url: required("token_url", &rules.token_url)?,
            refresh_url: optional("refresh_url", &rules.refresh_url)?,
            revoke_url: optional("revoke_url", &rules.revoke_url)?,
            registration_url: optional("registration_url", &rules.registration_url)?,
            rules: rules.clone(),
        })
    }
}

impl Toolkit {
    /// Whether accounts of a scheme have an authorization server.
    pub(crate) fn has_authorization_server(&self, scheme: AuthScheme) -> bool {
        self.server_of(scheme).is_some()
    }

    /// Whether a user has to consent at the provider.
    pub(crate) fn has_consent(&self, scheme: AuthScheme) -> bool {
        self.server_of(scheme).is_some_and(|server| server.authorize_url.is_some())
    }

    /// Whether accounts of a scheme have a secret that is exchanged for an access token.
    pub(crate) fn exchanges(&self, scheme: AuthScheme) -> bool {
        Scheme::of(scheme).is_exchanged() && self.has_authorization_server(scheme)
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
            endpoint(&text)
                .map_err(|why| self.invalid_field(&template.field_names().join(", "), &format!("it {why}")))
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

    /// The scopes that a client requests when a user has to consent.
    pub(crate) fn scopes<'a>(&'a self, scheme: AuthScheme, client: &'a ClientMetadata) -> &'a [String] {
        self.server_of(scheme).map(|server| server.rules.scopes_for(client)).unwrap_or_default()
    }

    /// The description of a scope in words.
    pub(crate) fn in_words(&self, scheme: AuthScheme, scope: &str) -> Option<String> {
        self.server_of(scheme)?.rules.scope_words.get(scope).cloned()
    }

    /// On whose behalf the gateway sends a request to the authorization server.
    ///
    /// The definition names the server in its addresses, unless an account field determines the host.
    pub(crate) fn behalf_at_server(&self, scheme: AuthScheme, url: &Url) -> Behalf {
        let is_named = |template: &Template| {
            let own = template.own_url(|name| self.field(&Fields::default(), name)).ok();
            let own = own.and_then(|text| endpoint(&text).ok());
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

    /// The fields that determine the host that receives an auth config's client, if they allow any host.
    ///
    /// A client is registered with one server, so the auth config has to set these fields.
    pub(crate) fn client_host_fields(&self, scheme: AuthScheme) -> BTreeSet<String> {
        let servers = self.server_of(scheme).into_iter().flat_map(Unresolved::takes_secrets);
        servers.flat_map(Template::open_host_fields).filter(|name| !self.is_listed(name)).collect()
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
        let fix = "The secret of the auth config's client is sent to that host, so the auth config must name \
                   it is, in its `credentials`.";
        for name in self.client_host_fields(scheme) {
            let default = || self.fields.get(&name)?.default.clone();
            let Some(trusted) = of_config(&name).or_else(default) else {
                let message = format!("The auth config has no `{name}`, the host of its client.");
                return Err(Error::of_field(ErrorKind::InvalidRequest, name, message).fix(fix));
            };
            if self.field(fields, &name).is_some_and(|value| value.expose_secret() != trusted) {
                return Err(self.invalid_field(&name, "the auth config has another value").fix(fix));
            }
        }
        Ok(())
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
        let url = endpoint(&text).ok()?;
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

    pub(super) fn server_of(&self, scheme: AuthScheme) -> Option<&Unresolved> {
        self.schemes.get(&scheme)?.authorization_server.as_ref()
    }
}

/// The URL of an endpoint. It may have a query (RFC 6749 §3.1), but no fragment.
pub(super) fn endpoint(text: &str) -> Result<Url, String> {
    let url = web_page(text)?;
    if url.fragment().is_some() {
        return Err("must not have a fragment in it".to_owned());
    }
    Ok(url)
}

fn web_page(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a valid URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password in it".to_owned());
    }
    Ok(url)
}
