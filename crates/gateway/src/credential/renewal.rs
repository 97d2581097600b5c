//! Which request renews an account's credential, and what may stand in the way. `refresh` decides when,
//! and carries it out.

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use serde_json::Value;

use super::Fields;
use super::oauth2::{Client, ClientMetadata, Grant, TokenRequest, login_request, token_request};
use super::service_account::{github_app_request, google_request};
use crate::clock::now;
use crate::egress::Behalf;
use crate::toolkit::{AuthorizationServer, Rules, Toolkit};

/// A request that renews a credential, and the rules by which its answer is read.
#[derive(Debug)]
pub(crate) struct Renewal<'a> {
    pub(crate) request: TokenRequest,
    pub(crate) behalf: Behalf,
    pub(crate) rules: &'a Rules,
}

/// Whether a credential has in it what renews it.
pub(crate) fn is_renewable(scheme: AuthScheme, fields: &Fields) -> bool {
    match scheme {
        AuthScheme::OAuth2 | AuthScheme::DcrOauth => fields.get("refresh_token").is_some(),
        scheme => scheme.is_exchanged(),
    }
}

/// The request that renews a credential. `credentials` and `settings` are those of its auth config.
///
/// # Errors
/// `AccountUnusable` when it has nothing that renews it, or the toolkit's file does not say where;
/// `InvalidRequest` that names the field that is missing or of no use.
pub(crate) fn request<'a>(
    toolkit: &'a Toolkit,
    scheme: AuthScheme,
    fields: &Fields,
    credentials: &SecretJson,
    settings: &Value,
) -> Result<Renewal<'a>> {
    let server = authorization_server(toolkit, scheme, fields)?;
    let client = || Client::of_account(toolkit, scheme, fields, credentials, settings);
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

/// The server that renews credentials of a scheme and takes them back.
///
/// # Errors
/// `AccountUnusable` when the toolkit's file names none.
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
