//! Takes an account's tokens back at the provider (RFC 7009).

use proxy_execute_protocol::Result;
use proxy_execute_store::StoredAccount;

use super::oauth2::{self, Client, TokenRequest};
use super::refusal::{TokenErrors, is_revoked, not_granted};
use super::token_endpoint;
use crate::egress::Behalf;
use crate::gateway::Parts;
use crate::{account, auth_config};

/// The fields of a credential that are taken back, the one that lives longest first: many
/// providers take the whole grant back with it.
const TOKENS: &[&str] = &["refresh_token", "access_token"];

/// What a provider has taken back.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    /// The names of the tokens.
    pub(crate) tokens: Vec<String>,
    /// Those that may live on, each with the reason.
    pub(crate) failures: Vec<String>,
}

/// Asks the provider to take an account's tokens back. Nothing is asked where the toolkit has no
/// `revoke_url`. Whatever stands in the way, here or at the provider, is a failure among others: it is
/// no reason to keep the tokens here, too.
pub(crate) async fn revoke(gateway: &Parts, account: &StoredAccount) -> Revoked {
    let mut revoked = Revoked::default();
    let (requests, errors) = match requests(gateway, account).await {
        Ok(requests) => requests,
        Err(error) => {
            tracing::warn!(account = account.id, %error, "no token was taken back");
            revoked.failures.push(error.to_string());
            return revoked;
        }
    };
    for (name, behalf, request) in requests {
        let failure = match token_endpoint::exchange(&gateway.egress, behalf, request).await {
            // A token that the provider does not know any more is a success too (§2.2), or an error to some.
            Ok(answered) if is_revoked(&answered, &errors) => {
                revoked.tokens.push(name.to_owned());
                continue;
            }
            Ok(answered) => {
                let why = not_granted(&answered, &errors, "success").in_words();
                format!("{name}: the provider answered with status {} ({why})", answered.status.as_u16())
            }
            Err(error) => format!("{name}: {}", error.in_words()),
        };
        tracing::warn!(account = account.id, failure, "a token was not taken back");
        revoked.failures.push(failure);
    }
    revoked
}

type Requests = Vec<(&'static str, Behalf, TokenRequest)>;

/// The requests that take an account's tokens back, each with the token's name and on whose behalf it leaves,
/// and the toolkit's words for errors.
///
/// # Errors
/// When the toolkit is there no more, the credential cannot be opened, or there is no client to ask as.
async fn requests(gateway: &Parts, account: &StoredAccount) -> Result<(Requests, TokenErrors)> {
    let credential = account::unseal(gateway, account)?;
    let toolkit = gateway.catalogue.get(&account.toolkit)?;
    // An account that lacks what the addresses are made of was never given a token.
    let server = toolkit.authorization_server(credential.scheme, &credential.fields).ok().flatten();
    let Some(server) = server.filter(|server| server.revoke_url.is_some()) else {
        return Ok((Vec::new(), TokenErrors::default()));
    };
    let config = auth_config::find(gateway, &account.auth_config_id).await?;
    let (client, settings) = auth_config::credentials(gateway, &config)?;
    let client = Client::of_account(toolkit, credential.scheme, &credential.fields, &client, &settings)?;
    let request = |name: &&'static str| {
        let token = credential.fields.get(name)?;
        let request = oauth2::revocation_request(&server, &client, token)?;
        Some((*name, toolkit.behalf_at_server(credential.scheme, &request.url), request))
    };
    Ok((TOKENS.iter().filter_map(request).collect(), server.rules.token_errors.clone()))
}
