//! Events: what happened to connected accounts.

use serde::Serialize;

use crate::{AccountStatus, AccountType, AuthScheme};

/// An event.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its place, from which a reader can go on later.
    pub cursor: String,
    /// `msg_` and a UUID. A webhook has the same id.
    pub id: String,
    /// Such as `connected_account.expired`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, RFC 3339.
    pub at: String,
    /// The reason for the status, or why a refresh failed.
    pub reason: Option<String>,
    /// The account, as the change left it.
    pub connected_account: EventAccount,
}

/// The account of an event. It has no part of the credential.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of a connected account")]
pub struct EventAccount {
    pub id: String,
    pub user_id: String,
    pub toolkit: String,
    pub auth_config_id: String,
    pub auth_scheme: AuthScheme,
    pub alias: Option<String>,
    pub word_id: String,
    pub status: AccountStatus,
    pub is_disabled: bool,
    pub account_type: AccountType,
    /// When the access token expires, RFC 3339; null if that is unknown.
    pub expires_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// The next events of a reader.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventPage {
    /// The events, oldest first.
    pub items: Vec<Event>,
    /// The cursor to go on from.
    pub cursor: String,
    /// Whether the gateway is closing, so that there is no next page.
    pub is_last: bool,
}
