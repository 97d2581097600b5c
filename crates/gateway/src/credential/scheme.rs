//! The auth schemes: what the gateway knows of each, in one table, and what a toolkit's file says of one.
//!
//! A new scheme is a row of [`Scheme::of`]. A new way to sign or to exchange is a file below this one.

mod oauth1;
mod service_account;

use std::collections::BTreeMap;

use proxy_execute_protocol::{AuthScheme, Result, SecretJson, ToolkitSetup};
use serde::Deserialize;
use serde_json::Value;

use self::oauth1::OAuth1Definition;
use self::service_account::{github_app_request, google_request};
use super::Fields;
use super::injection::SignatureDefinition;
use crate::oauth::client::{ClientMetadata, OAuthClient};
use crate::oauth::requests::{Grant, TokenRequest, login_request, token_request};
use crate::oauth::server::{AuthorizationServer, Rules};

/// The properties of an auth scheme. The toolkit says how a credential is sent ([`SchemeDefinition`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheme {
    pub(crate) obtained: Obtained,
    pub(crate) client: ClientOwner,
    pub(crate) renewed: Renewed,
    /// Whether an auth config may name scopes, if the toolkit has an authorization server.
    pub(crate) takes_scopes: bool,
    /// Fields that may be left out beside others, and are then empty.
    optional_fields: &'static [&'static str],
}

/// How a user connects an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obtained {
    /// The user consents at the provider.
    ByConsent,
    /// The user enters the credential.
    ByForm,
    /// Calls need no account.
    NotNeeded,
}

/// The owner of the OAuth client that requests tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientOwner {
    /// The scheme has no client.
    None,
    /// The operator registers a client, and gives it to the auth config.
    AuthConfig,
    /// The account has a client. If it has none, the client is the auth config's.
    Account,
    /// The gateway registers a client for each account (RFC 7591), unless the auth config has one for all.
    Registration,
}

/// How a credential is renewed without its user.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Renewed {
    Never,
    /// With the refresh token of the account.
    ByRefreshToken,
    /// By exchanging fields of the account for an access token.
    ByExchange {
        fields: &'static [&'static str],
        /// Builds the request.
        ///
        /// # Errors
        /// The error names the missing or unusable field.
        request: fn(&Exchange<'_>) -> Result<TokenRequest>,
    },
}

/// The parts of an exchange's request.
pub(crate) struct Exchange<'a> {
    pub(crate) server: &'a AuthorizationServer<'a>,
    /// The fields of the account.
    pub(crate) fields: &'a Fields,
    /// The client of the account.
    pub(crate) client: &'a dyn Fn() -> Result<OAuthClient>,
    /// The `credentials` and settings of the auth config.
    pub(crate) credentials: &'a SecretJson,
    pub(crate) settings: &'a Value,
    pub(crate) now_seconds: i64,
}

/// The schemes that connect an account without an OAuth client of the operator, in order of preference.
pub(crate) const CLIENTLESS: [AuthScheme; 4] =
    [AuthScheme::DcrOauth, AuthScheme::ApiKey, AuthScheme::BearerToken, AuthScheme::Basic];

/// A scheme with a credential that the user enters, and that stays as it is.
const ENTERED: Scheme = Scheme {
    obtained: Obtained::ByForm,
    client: ClientOwner::None,
    renewed: Renewed::Never,
    takes_scopes: true,
    optional_fields: &[],
};

impl Scheme {
    /// The row of a scheme.
    pub(crate) const fn of(scheme: AuthScheme) -> Self {
        match scheme {
            AuthScheme::OAuth2 => Self {
                obtained: Obtained::ByConsent,
                client: ClientOwner::AuthConfig,
                renewed: Renewed::ByRefreshToken,
                ..ENTERED
            },
            AuthScheme::DcrOauth => Self {
                obtained: Obtained::ByConsent,
                client: ClientOwner::Registration,
                renewed: Renewed::ByRefreshToken,
                ..ENTERED
            },
            AuthScheme::S2sOauth2 => Self {
                client: ClientOwner::Account,
                renewed: Renewed::ByExchange {
                    fields: &["client_id", "client_secret"],
                    request: |of| Ok(token_request(of.server, &(of.client)()?, &Grant::ClientCredentials)),
                },
                ..ENTERED
            },
            AuthScheme::GoogleServiceAccount => Self {
                renewed: Renewed::ByExchange {
                    fields: &["credentials_json"],
                    request: |of| {
                        let metadata = ClientMetadata::read(of.credentials, of.settings)?;
                        let scopes = of.server.rules.scopes_for(&metadata);
                        google_request(of.server, of.fields, scopes, of.now_seconds)
                    },
                },
                ..ENTERED
            },
            AuthScheme::ServiceAccount => Self {
                renewed: Renewed::ByExchange {
                    fields: &["application_id", "installation_id", "private_key"],
                    request: |of| github_app_request(of.server, of.fields, of.now_seconds),
                },
                takes_scopes: false,
                ..ENTERED
            },
            AuthScheme::BasicWithJwt => Self {
                renewed: Renewed::ByExchange {
                    fields: &["username", "password"],
                    request: |of| Ok(login_request(of.server)),
                },
                takes_scopes: false,
                ..ENTERED
            },
            // Many APIs take a key as the user name, and no password.
            AuthScheme::Basic => Self { optional_fields: &["password"], ..ENTERED },
            AuthScheme::NoAuth => Self { obtained: Obtained::NotNeeded, ..ENTERED },
            AuthScheme::ApiKey
            | AuthScheme::BearerToken
            | AuthScheme::BillcomAuth
            | AuthScheme::CalcomAuth
            | AuthScheme::OAuth1
            | AuthScheme::Saml => ENTERED,
        }
    }

    /// The fields that are exchanged for an access token, without a consent of the user.
    pub(crate) const fn exchanged_fields(self) -> &'static [&'static str] {
        match self.renewed {
            Renewed::ByExchange { fields, .. } => fields,
            Renewed::Never | Renewed::ByRefreshToken => &[],
        }
    }

    /// Whether an account has a key, a client or a password that is exchanged for an access token.
    pub(crate) const fn is_exchanged(self) -> bool {
        matches!(self.renewed, Renewed::ByExchange { .. })
    }

    /// Whether a credential has a secret that renews it.
    pub(crate) fn is_renewable(self, fields: &Fields) -> bool {
        match self.renewed {
            Renewed::Never => false,
            Renewed::ByRefreshToken => fields.get("refresh_token").is_some(),
            Renewed::ByExchange { .. } => true,
        }
    }

    /// Whether a field may be left out beside others, and is then empty.
    pub(crate) fn may_lack(self, field: &str) -> bool {
        self.optional_fields.contains(&field)
    }
}

/// How a scheme reaches and signs requests to a toolkit, as the toolkit's file says. Unknown keys are rejected.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemeDefinition {
    #[serde(default)]
    pub(crate) base_url: Option<String>,
    #[serde(default)]
    pub(crate) hosts: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) basic: Option<BasicDefinition>,
    #[serde(default)]
    oauth1: Option<OAuth1Definition>,
    #[serde(default)]
    pub(crate) authorization_server: Option<Rules>,
    #[serde(default)]
    pub(crate) setup: Option<ToolkitSetup>,
}

/// The `basic` table: a user name and a password (RFC 7617).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicDefinition {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl SchemeDefinition {
    /// The signature of requests, if there is one.
    pub(crate) fn signature(&self) -> Option<SignatureDefinition<'_>> {
        self.oauth1.as_ref().map(OAuth1Definition::signature)
    }
}
