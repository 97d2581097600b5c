//! Revokes an account's tokens at the provider (RFC 7009).

use proxy_execute_protocol::{
    AccountStatus, AuthScheme, ChangedAccount, DeletedAccount, Result, RevokedAccount, SecretJson,
    ShortAccount,
};
use proxy_execute_store::{AccountChange, StoredAccount};

use super::{Tokens, token_endpoint};
use crate::account::not_found;
use crate::egress::Behalf;
use crate::oauth::refusal::{TokenErrors, is_revoked, not_granted};
use crate::oauth::requests::{self, TokenRequest};

/// The fields of a credential that are revoked, starting with the token that lives longest. Many providers
/// revoke the whole grant with that token.
const TOKENS: &[&str] = &["refresh_token", "access_token"];

/// The outcome of a revocation.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    /// The names of the revoked tokens.
    pub(crate) tokens: Vec<String>,
    /// The tokens that may still be valid, each with the reason.
    pub(crate) failures: Vec<String>,
}

impl Tokens {
    /// Deletes an account and its credential. With `revoke`, the provider is first asked to revoke the tokens.
    ///
    /// The account is deleted even if the provider does not revoke them.
    pub async fn delete_account(&self, id: &str, revoke: bool) -> Result<DeletedAccount> {
        let revoked = match revoke {
            true => Some(self.revoke_at_provider(&self.hold_off(id).await?).await),
            false => None,
        };
        if !self.store.delete_account(id).await? {
            return Err(not_found(id));
        }
        self.accounts.changes.tell(id);
        let (revoked_tokens, not_revoked) = revoked.map(|revoked| (revoked.tokens, revoked.failures)).unzip();
        Ok(DeletedAccount { success: true, revoked_tokens, not_revoked })
    }

    /// Asks the provider to revoke an account's tokens, and deletes the credential even if the provider refuses.
    /// The account stays, as REVOKED.
    pub async fn revoke(&self, id: &str) -> Result<RevokedAccount> {
        // The links end first: a user who is about to consent would reconnect the account.
        self.store.end_links(id).await?;
        let revoked = self.revoke_at_provider(&self.hold_off(id).await?).await;
        let change = AccountChange {
            credential: Some(self.accounts.sealed(
                id,
                AuthScheme::NoAuth,
                &SecretJson::new("{}".to_owned()),
                self.clock.now(),
            )?),
            status: Some((
                AccountStatus::Revoked,
                Some("Revoked via user-initiated revoke endpoint".to_owned()),
            )),
            ..AccountChange::default()
        };
        if !self.store.update_account(id, &change).await? {
            return Err(not_found(id));
        }
        self.accounts.changes.tell(id);
        let (id, status) = (id.to_owned(), AccountStatus::Revoked);
        Ok(RevokedAccount {
            changed: ChangedAccount { id: id.clone(), status, success: true },
            revoked_tokens: revoked.tokens,
            not_revoked: revoked.failures,
            connected_account: ShortAccount { id, status },
        })
    }

    /// Asks the provider to revoke an account's tokens. Without a `revoke_url`, the gateway sends no request.
    ///
    /// Every error, in the gateway or at the provider, is added to the failures. An error is no reason to keep
    /// the tokens in the gateway too.
    async fn revoke_at_provider(&self, account: &StoredAccount) -> Revoked {
        let mut revoked = Revoked::default();
        let (requests, errors) = match self.requests(account).await {
            Ok(requests) => requests,
            Err(error) => {
                tracing::warn!(account = account.id, %error, "no token was revoked");
                revoked.failures.push(error.to_string());
                return revoked;
            }
        };
        for (name, behalf, request) in requests {
            let failure = match token_endpoint::exchange(&self.egress, behalf, request).await {
                // If the token is already unknown, most providers respond with success (§2.2), and some with an
                // error.
                Ok(answered) if is_revoked(&answered, &errors) => {
                    revoked.tokens.push(name.to_owned());
                    continue;
                }
                Ok(answered) => {
                    let why = not_granted(&answered, &errors, "success").in_words();
                    format!("{name}: the provider responded with status {} ({why})", answered.status.as_u16())
                }
                Err(error) => format!("{name}: {}", error.in_words()),
            };
            tracing::warn!(account = account.id, failure, "a token was not revoked");
            revoked.failures.push(failure);
        }
        revoked
    }

    /// Builds the requests that revoke an account's tokens, and returns the toolkit's words for errors.
    ///
    /// Each request has the token's name, and says on whose behalf it is sent.
    ///
    /// # Errors
    /// If the toolkit no longer exists, the credential cannot be decrypted, or the client is missing.
    async fn requests(&self, account: &StoredAccount) -> Result<(Requests, TokenErrors)> {
        let credential = self.accounts.unseal(account)?;
        let toolkit = self.catalogue.get(&account.toolkit)?;
        // The addresses of the server contain account fields. An account that lacks them never got a token.
        let server = toolkit.authorization_server(credential.scheme, &credential.fields).ok().flatten();
        let Some(server) = server.filter(|server| server.revoke_url.is_some()) else {
            return Ok((Vec::new(), TokenErrors::default()));
        };
        let config = self.auth_configs.find(&account.auth_config_id).await?;
        let (client, settings) = self.auth_configs.credentials(&config)?;
        let client = toolkit.client_of(credential.scheme, &credential.fields, &client, &settings)?;
        let request = |name: &&'static str| {
            let token = credential.fields.get(name)?;
            let request = requests::revocation_request(&server, &client, token)?;
            Some((*name, toolkit.behalf_at_server(credential.scheme, &request.url), request))
        };
        Ok((TOKENS.iter().filter_map(request).collect(), server.rules.token_errors.clone()))
    }
}

type Requests = Vec<(&'static str, Behalf, TokenRequest)>;
