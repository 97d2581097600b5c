//! The authorization server of a scheme, with placeholders for account fields in its addresses.

use proxy_execute_protocol::AuthScheme;
use url::Url;

use super::Template;
use crate::credential::scheme::{ClientOwner, Scheme};
use crate::oauth::server::Rules;

/// The callback parameters that the protocol defines.
const OF_PROTOCOL: [&str; 6] = ["state", "code", "error", "error_description", "error_uri", "iss"];

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
                return Err(format!("authorize_url: is missing; with {scheme} a person agrees there"));
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
                    "issuer: uses {{{{{field}}}}}, which a callback tells; it has to be known before"
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
