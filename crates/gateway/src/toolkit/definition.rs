//! The file of a toolkit, read and checked (`docs/toolkits.md`).

use std::collections::{BTreeMap, BTreeSet};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use proxy_execute_protocol::{AuthScheme, Pagination, RateLimit, ToolkitSetup};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::authorization_server::Unresolved;
use super::paging::{check_pagination, check_rate_limit};
use super::template::Template;
use super::{Signature, Toolkit, ToolkitScheme};
use crate::credential::scheme::{CLIENTLESS, SchemeDefinition};
use crate::endpoint::{HostPattern, without_root_dot};
use crate::header;

/// Upper limit for the length of a slug.
const LONGEST_SLUG: usize = 100;

/// Upper limit for the headers of a toolkit, and for those of a scheme.
const MOST_HEADERS: usize = 100;

/// Upper limits for the aliases, the categories and the steps of a setup, and for their lengths.
const MOST_NAMES: usize = 8;
const LONGEST_NAME: usize = 60;
const LONGEST_STEP: usize = 300;

/// A toolkit as its file defines it. Unknown keys are rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    slug: String,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
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
    #[serde(default)]
    pagination: Option<Pagination>,
    #[serde(default)]
    rate_limit: Option<RateLimit>,
}

/// An account field that a template needs, besides the fields of the scheme.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub(super) description: String,
    #[serde(default)]
    pub(super) example: Option<String>,
    #[serde(default)]
    pub(super) default: Option<String>,
    /// The allowed values: texts, and `*.example.com` for exactly one label in front of a domain. An empty
    /// list allows any value.
    #[serde(default)]
    pub(super) values: Vec<String>,
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

    pub(super) fn is_listed(&self) -> bool {
        !self.values.is_empty()
    }

    pub(super) fn allows(&self, value: &str) -> bool {
        let is_allowed = |allowed: &String| match allowed.strip_prefix("*.") {
            Some(domain) => value
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
            None => allowed.eq_ignore_ascii_case(value),
        };
        !self.is_listed() || self.values.iter().any(is_allowed)
    }
}

impl Toolkit {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// The key and the reason, for `ErrorKind::InvalidToolkit`.
    pub(super) fn from_definition(definition: Definition) -> Result<Self, String> {
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
        if let Some(alias) = refused_name(&definition.aliases, |alias| alias.to_lowercase() == alias) {
            return Err(format!("aliases: `{alias}` is not a short name in lower case, or is one too many"));
        }
        let is_category = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if let Some(category) = refused_name(&definition.categories, is_category) {
            return Err(format!(
                "categories: `{category}` is not words such as `customer-support`, or is one too many"
            ));
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
        if let Some(recipe) = &definition.pagination {
            check_pagination(recipe).map_err(|why| format!("pagination.{why}"))?;
        }
        if let Some(limit) = &definition.rate_limit {
            check_rate_limit(limit).map_err(|why| format!("rate_limit.{why}"))?;
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
            aliases: definition.aliases,
            categories: definition.categories,
            docs: definition.docs,
            headers,
            check: definition.check,
            default_scheme: definition.default_scheme,
            fields: definition.fields,
            schemes,
            pagination: definition.pagination,
            rate_limit: definition.rate_limit,
        })
    }
}

impl ToolkitScheme {
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
        if let Some(setup) = &definition.setup {
            check_setup(setup).map_err(|why| format!("setup.{why}"))?;
        }
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
            setup: definition.setup.clone(),
        })
    }
}

/// Returns the first name that is empty, too long, too many or not as required.
fn refused_name(names: &[String], is_name: impl Fn(&str) -> bool) -> Option<&String> {
    let is_refused = |(index, name): &(usize, &String)| {
        *index >= MOST_NAMES || name.is_empty() || name.len() > LONGEST_NAME || !is_name(name)
    };
    names.iter().enumerate().find(is_refused).map(|(_, name)| name)
}

fn check_setup(setup: &ToolkitSetup) -> Result<(), String> {
    if let Some(page) =
        setup.page.as_ref().filter(|page| !page.starts_with("https://") || Url::parse(page).is_err())
    {
        return Err(format!("page: `{page}` is not the https URL of a page"));
    }
    if setup.steps.len() > MOST_NAMES {
        return Err(format!("steps: there are more than {MOST_NAMES}"));
    }
    match setup.steps.iter().find(|step| step.is_empty() || step.len() > LONGEST_STEP) {
        Some(step) => Err(format!("steps: `{step}` has no character, or more than {LONGEST_STEP}")),
        None => Ok(()),
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

pub(super) fn header_value(value: &str) -> Result<HeaderValue, &'static str> {
    header::header_value(value).ok_or("has a character in it that a header cannot hold")
}
