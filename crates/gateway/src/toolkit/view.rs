//! A toolkit as responses show it: its description, and the fields of its accounts and auth configs.

use std::collections::BTreeSet;

use proxy_execute_protocol::{
    AuthScheme, DeprecatedIds, InputField, ToolkitCategory, ToolkitItem, ToolkitMeta, ToolkitSetup,
};

use super::Toolkit;
use super::catalogue::plain;
use crate::clock::rfc3339;
use crate::credential::scheme::{ClientOwner, Obtained, Scheme};

/// The fields of a credential that are not secret.
const PLAIN: &[&str] = &["application_id", "client_id", "consumer_key", "email", "username"];

/// A category with its name: `customer-support` is Customer support.
pub(crate) fn category(id: &str) -> ToolkitCategory {
    let mut name = id.replace('-', " ");
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    ToolkitCategory { id: id.to_owned(), name }
}

impl Toolkit {
    /// The fields that a user enters to connect an account with this scheme.
    pub(crate) fn input_fields(&self, auth_scheme: AuthScheme) -> Vec<InputField> {
        let Some(scheme) = self.schemes.get(&auth_scheme) else { return Vec::new() };
        let mut names = scheme.signing_fields();
        if scheme.authorization_server.is_some() {
            names.extend(Scheme::of(auth_scheme).exchanged_fields().iter().map(|name| (*name).to_owned()));
        }
        let of_credential: BTreeSet<_> = names.iter().cloned().collect();
        names.extend(scheme.base_url.field_names());
        if let Some(server) = &scheme.authorization_server {
            names.extend(server.field_names());
            let is_exchanged = |name: &str| Scheme::of(auth_scheme).exchanged_fields().contains(&name);
            names.retain(|name| {
                is_exchanged(name) || !(server.answers(name) || server.is_told_by_callback(name))
            });
        }
        if Scheme::of(auth_scheme).client == ClientOwner::AuthConfig {
            // The auth config sets the fields for the host that receives its client.
            let given = self.client_host_fields(auth_scheme);
            names.retain(|name| !given.contains(name));
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let mut fields: Vec<_> = names.into_iter().map(|name| self.input_field(auth_scheme, name)).collect();
        // Required fields come first, and a user name before its password.
        fields.sort_by_key(|field| (!field.required, !of_credential.contains(&field.name), field.is_secret));
        fields
    }

    fn input_field(&self, auth_scheme: AuthScheme, name: String) -> InputField {
        let described = self.fields.get(&name);
        let may_lack =
            self.schemes.get(&auth_scheme).is_some_and(|scheme| scheme.may_lack(auth_scheme, &name));
        InputField {
            display_name: name.replace(['_', '-'], " "),
            description: described.map(|field| field.description.clone()).unwrap_or_default(),
            kind: "string".to_owned(),
            required: !may_lack && described.is_none_or(|field| field.default.is_none()),
            user_visible: true,
            is_secret: described.is_none() && !PLAIN.contains(&name.as_str()),
            default: described.and_then(|field| field.default.clone()),
            name,
        }
    }

    /// The fields of an auth config with this scheme: those of the client at the provider, if the scheme has
    /// one.
    pub(crate) fn client_fields(&self, scheme: AuthScheme) -> Vec<InputField> {
        let Some(server) = self.server_of(scheme) else { return Vec::new() };
        let field = |name: &str, description: &str, required: bool, default: Option<String>| InputField {
            display_name: name.replace('_', " "),
            description: description.to_owned(),
            kind: "string".to_owned(),
            required,
            user_visible: true,
            is_secret: name == "client_secret",
            default,
            name: name.to_owned(),
        };
        let mut fields = Vec::new();
        let owner = Scheme::of(scheme).client;
        if matches!(owner, ClientOwner::AuthConfig | ClientOwner::Account) {
            fields.push(field("client_id", "The id of your client at the provider", true, None));
            fields.push(field("client_secret", "Its secret", true, None));
        }
        if owner == ClientOwner::AuthConfig {
            let hosts = self.client_host_fields(scheme).into_iter();
            fields.extend(hosts.map(|name| self.input_field(scheme, name)));
        }
        if server.authorize_url.is_some() {
            let description = "The redirect URI, if it is not the gateway's own address";
            fields.push(field("oauth_redirect_uri", description, false, None));
        }
        if Scheme::of(scheme).takes_scopes {
            let scopes = server.rules.scopes.join(&server.rules.scope_separator);
            let scopes = Some(scopes).filter(|scopes| !scopes.is_empty());
            fields.push(field("scopes", "The scopes to request", false, scopes));
        }
        if server.rules.user_scope_parameter.is_some() {
            fields.push(field("user_scopes", "The scopes that the app gets as the user", false, None));
        }
        fields
    }

    /// The base URL of the first scheme, with its placeholders.
    pub(crate) fn base_url(&self) -> String {
        self.schemes.values().next().map(|scheme| scheme.base_url.to_string()).unwrap_or_default()
    }

    /// The provider's page for registering a client.
    pub(crate) fn client_page(&self, scheme: AuthScheme) -> Option<&str> {
        self.server_of(scheme)?.rules.client_page.as_deref()
    }

    /// The scopes that a client requests if its auth config names none.
    pub(crate) fn default_scopes(&self, scheme: AuthScheme) -> &[String] {
        self.server_of(scheme).map_or(&[], |server| &server.rules.scopes)
    }

    /// Whether calls need no account.
    pub(crate) fn needs_no_account(&self) -> bool {
        self.schemes().any(|scheme| Scheme::of(scheme).obtained == Obtained::NotNeeded)
    }

    /// Whether a search finds the toolkit. No search finds all.
    pub(crate) fn is_found_by(&self, search: Option<&str>) -> bool {
        search.is_none_or(|search| {
            let search = search.to_lowercase();
            let is_part_of = |name: &String| name.contains(&search);
            is_part_of(&self.slug)
                || is_part_of(&self.name.to_lowercase())
                || self.aliases.iter().any(is_part_of)
        })
    }

    /// Whether this is the toolkit's name or an alias, in the form of [`plain`].
    pub(super) fn has_name(&self, wanted: &str) -> bool {
        std::iter::once(&self.name).chain(&self.aliases).any(|name| plain(name) == wanted)
    }

    /// How an operator or a user gets a credential of this scheme.
    pub(crate) fn setup(&self, scheme: AuthScheme) -> Option<&ToolkitSetup> {
        self.schemes.get(&scheme)?.setup.as_ref()
    }

    /// A description for lists.
    pub(crate) fn description(&self) -> String {
        format!("The HTTP API of {}", self.name)
    }

    /// The toolkit in a list.
    pub(crate) fn item(&self) -> ToolkitItem {
        ToolkitItem {
            slug: self.slug.clone(),
            name: self.name.clone(),
            kind: "native".to_owned(),
            auth_schemes: self.schemes().map(|scheme| scheme.to_string()).collect(),
            composio_managed_auth_schemes: Vec::new(),
            no_auth: self.needs_no_account(),
            is_local_toolkit: false,
            auth_guide_url: self.docs.clone(),
            meta: ToolkitMeta {
                description: self.description(),
                logo: String::new(),
                categories: self.categories.iter().map(|id| category(id)).collect(),
                tools_count: 0,
                triggers_count: 0,
                version: "latest".to_owned(),
                available_versions: vec!["latest".to_owned()],
                created_at: rfc3339(0),
                updated_at: rfc3339(0),
                app_url: self.docs.clone(),
            },
            deprecated: DeprecatedIds { toolkit_id: self.slug.clone(), raw_proxy_info_by_auth_schemes: [] },
        }
    }
}
