//! The request that refreshes an account's credential, and the reasons why there may be none. `refresh`
//! decides when to send it, and sends it.

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use serde_json::Value;

use super::Fields;
use super::service_account::{github_app_request, google_request};
use crate::clock::now;
use crate::egress::Behalf;
use crate::oauth::client::ClientMetadata;
use crate::oauth::requests::{Grant, TokenRequest, login_request, token_request};
use crate::oauth::server::{AuthorizationServer, Rules};
use crate::toolkit::Toolkit;

/// A request that refreshes a credential, and the rules for reading its response.
#[derive(Debug)]
pub(crate) struct Renewal<'a> {
    pub(crate) request: TokenRequest,
    pub(crate) behalf: Behalf,
    pub(crate) rules: &'a Rules,
}

/// Whether a credential contains a secret that refreshes it.
pub(crate) fn is_renewable(scheme: AuthScheme, fields: &Fields) -> bool {
    match scheme {
        AuthScheme::OAuth2 | AuthScheme::DcrOauth => fields.get("refresh_token").is_some(),
        scheme => scheme.is_exchanged(),
    }
}

/// Builds the request that refreshes a credential. `credentials` and `settings` are those of its auth config.
///
/// # Errors
/// `AccountUnusable` if the credential has no secret that refreshes it, or if the toolkit's file names no
/// server; `InvalidRequest` that names the missing or unusable field.
pub(crate) fn request<'a>(
    toolkit: &'a Toolkit,
    scheme: AuthScheme,
    fields: &Fields,
    credentials: &SecretJson,
    settings: &Value,
) -> Result<Renewal<'a>> {
    let server = authorization_server(toolkit, scheme, fields)?;
    let client = || toolkit.client_of(scheme, fields, credentials, settings);
    let request = match scheme {
        AuthScheme::OAuth2 | AuthScheme::DcrOauth => {
            let token = fields.get("refresh_token").ok_or_else(|| {
                Error::new(ErrorKind::AccountUnusable, "The credential has no refresh token.")
            })?;
            token_request(&server, &client()?, &Grant::RefreshToken(token))
        }
        AuthScheme::S2sOauth2 => token_request(&server, &client()?, &Grant::ClientCredentials),
        AuthScheme::GoogleServiceAccount => {
            let metadata = ClientMetadata::read(credentials, settings)?;
            google_request(&server, fields, server.rules.scopes_for(&metadata), now() / 1_000)?
        }
        AuthScheme::ServiceAccount => github_app_request(&server, fields, now() / 1_000)?,
        AuthScheme::BasicWithJwt => login_request(&server),
        scheme => {
            let message = format!("A credential of scheme {scheme} has nothing that renews it.");
            return Err(Error::new(ErrorKind::AccountUnusable, message));
        }
    };
    let behalf = toolkit.behalf_at_server(scheme, &request.url);
    Ok(Renewal { request, behalf, rules: server.rules })
}

/// The server that refreshes and revokes the credentials of a scheme.
///
/// # Errors
/// `AccountUnusable` if the toolkit's file names no server.
pub(crate) fn authorization_server<'a>(
    toolkit: &'a Toolkit,
    scheme: AuthScheme,
    fields: &Fields,
) -> Result<AuthorizationServer<'a>> {
    toolkit.authorization_server(scheme, fields)?.ok_or_else(|| {
        Error::new(
            ErrorKind::AccountUnusable,
            format!("Toolkit `{}` has no `authorization_server` for {scheme}.", toolkit.slug),
        )
        .fix("Add it to the toolkit's definition.")
    })
}
