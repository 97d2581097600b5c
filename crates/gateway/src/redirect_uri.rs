//! The redirect URIs that authorization servers redirect browsers to.

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result};

use crate::credential::Fields;
use crate::public_url::PublicUrl;
use crate::toolkit::Toolkit;

/// The redirect URIs of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct RedirectUris {
    public_url: PublicUrl,
    /// Whether every authorization server has a redirect URI of its own.
    own_paths: bool,
}

/// The redirect URI that an authorization server redirects browsers to.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) uri: String,
    /// The path below `/connect/callback` that a callback must arrive at. `None` accepts any path, because
    /// the URI is elsewhere and forwards to the gateway.
    pub(crate) path: Option<String>,
}

impl RedirectUris {
    pub(crate) fn new(public_url: PublicUrl, own_paths: bool) -> Self {
        Self { public_url, own_paths }
    }

    /// Returns the redirect URI to register a client of a toolkit with. `None` if users do not consent at the
    /// provider, or the gateway has no address.
    pub(crate) fn to_register(&self, toolkit: &Toolkit, scheme: AuthScheme) -> Option<String> {
        if !toolkit.has_consent(scheme) {
            return None;
        }
        self.of(toolkit, scheme, &Fields::default(), None).ok().map(|redirect| redirect.uri)
    }

    /// Returns the redirect URI of an account with these fields, or `own`, which its auth config names.
    ///
    /// Authorization servers share a URI only where no server can get the codes of another (RFC 9700 §4.4). A
    /// server that was chosen for an account has a URI of its own, unless all its callbacks name their
    /// issuer.
    ///
    /// # Errors
    /// `NotListening`; `InvalidRequest` if `own` is shared, or the host of the server is not known.
    pub(crate) fn of(
        &self,
        toolkit: &Toolkit,
        scheme: AuthScheme,
        fields: &Fields,
        own: Option<&str>,
    ) -> Result<Redirect> {
        let shared = format!("{}/connect/callback", self.public_url.get()?);
        let has_to_be_own = toolkit.is_server_chosen(scheme) && !toolkit.is_issuer_told(scheme);
        let name = || {
            toolkit.callback_name(scheme, fields).ok_or_else(|| {
                let message = format!(
                    "The host of the authorization server of toolkit `{}` is not known.",
                    toolkit.slug
                );
                Error::new(ErrorKind::InvalidRequest, message)
            })
        };
        let Some(own) = own else {
            if !has_to_be_own && !self.own_paths {
                return Ok(Redirect { uri: shared, path: Some(String::new()) });
            }
            let name = name()?;
            return Ok(Redirect { uri: format!("{shared}/{name}"), path: Some(name) });
        };
        let below =
            own.strip_prefix(shared.as_str()).map(|rest| rest.split(['?', '#']).next().unwrap_or_default());
        let path = match below {
            Some("") => Some(String::new()),
            Some(below) => below.strip_prefix('/').map(str::to_owned),
            None => None,
        };
        if !has_to_be_own {
            return Ok(Redirect { uri: own.to_owned(), path });
        }
        let name = name()?;
        if path.is_some_and(|path| path != name) {
            let message = format!(
                "The auth config's `oauth_redirect_uri` cannot be used for toolkit `{}`: other authorization \
                 servers share it, and one could get the codes of another.",
                toolkit.slug
            );
            return Err(Error::of_field(ErrorKind::InvalidRequest, "oauth_redirect_uri", message).fix(format!(
                "Register {shared}/{name} at the provider, and set `oauth_redirect_uri` to it, or leave `oauth_redirect_uri` out."
            )));
        }
        Ok(Redirect { uri: own.to_owned(), path: Some(name) })
    }
}
