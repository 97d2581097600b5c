//! Which request renews an account's credential, and what may stand in the way. Pure; `refresh`
//! decides when, and carries it out.

use proxy_execute_protocol::{Error, ErrorKind, Result};

use super::oauth2::{Client, Grant, TokenRequest, token_request};
use super::{AuthScheme, Fields};
use crate::toolkit::{AuthorizationServer, Rules, Toolkit};

/// A request that renews a credential, and the rules by which its answer is read.
#[derive(Debug)]
pub(crate) struct Renewal<'a> {
    pub(crate) request: TokenRequest,
    pub(crate) rules: &'a Rules,
}

/// Whether a credential has in it what renews it.
pub(crate) fn is_renewable(scheme: AuthScheme, fields: &Fields) -> bool {
    match scheme {
        AuthScheme::OAuth2 => fields.get("refresh_token").is_some(),
        _ => false,
    }
}

/// The request that renews a credential.
///
/// # Errors
/// `AccountUnusable` when it has nothing that renews it, or the toolkit's file does not say where.
pub(crate) fn request<'a>(
    toolkit: &'a Toolkit,
    scheme: AuthScheme,
    fields: &Fields,
    client: &Client,
) -> Result<Renewal<'a>> {
    let grant = match (scheme, fields.get("refresh_token")) {
        (AuthScheme::OAuth2, Some(token)) => Grant::RefreshToken(token),
        _ => return Err(Error::new(ErrorKind::AccountUnusable, "The credential has no refresh token.")),
    };
    let server = authorization_server(toolkit, scheme, fields)?;
    Ok(Renewal { request: token_request(&server, client, &grant), rules: server.rules })
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
