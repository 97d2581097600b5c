//! The request that refreshes an account's credential, and the reasons why there may be none. `refresh`
//! decides when to send it, and sends it.

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson};
use serde_json::Value;

use crate::clock::now;
use crate::credential::Fields;
use crate::credential::scheme::{Exchange, Renewed, Scheme};
use crate::egress::Behalf;
use crate::oauth::requests::{Grant, TokenRequest, token_request};
use crate::oauth::server::{AuthorizationServer, Rules};
use crate::toolkit::Toolkit;

/// A request that refreshes a credential, and the rules for reading its response.
#[derive(Debug)]
pub(crate) struct Renewal<'a> {
    pub(crate) request: TokenRequest,
    pub(crate) behalf: Behalf,
    pub(crate) rules: &'a Rules,
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
    let request = match Scheme::of(scheme).renewed {
        Renewed::ByRefreshToken => {
            let token = fields.get("refresh_token").ok_or_else(|| {
                Error::new(ErrorKind::AccountUnusable, "The credential has no refresh token.")
            })?;
            token_request(&server, &client()?, &Grant::RefreshToken(token))
        }
        Renewed::ByExchange { request, .. } => {
            let (server, client, now_seconds) = (&server, &client, now() / 1_000);
            request(&Exchange { server, fields, client, credentials, settings, now_seconds })?
        }
        Renewed::Never => {
            let message = format!("A credential of scheme {scheme} cannot be renewed.");
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
