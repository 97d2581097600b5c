//! The OAuth client of an auth config: its registration at the provider.

use std::collections::BTreeMap;

use proxy_execute_protocol::{Error, ErrorKind, Result, SecretJson};
use secrecy::SecretString;
use serde_json::Value;

/// An OAuth client, and the scopes that it requests.
#[derive(Debug)]
pub(crate) struct OAuthClient {
    pub(crate) id: String,
    /// `None` for a public client.
    pub(crate) secret: Option<SecretString>,
    pub(crate) metadata: ClientMetadata,
}

/// The settings of a client in an auth config, besides its id and secret.
#[derive(Debug)]
pub(crate) struct ClientMetadata {
    /// The requested scopes; if empty, those of the toolkit.
    pub(crate) scopes: Vec<String>,
    pub(crate) user_scopes: Vec<String>,
    /// The redirect URI registered at the provider instead of the gateway's own `/connect/callback`.
    pub(crate) redirect_uri: Option<String>,
}

impl ClientMetadata {
    /// Reads the `credentials` of an auth config. `settings` are later changes, and override them.
    ///
    /// # Errors
    /// `Internal` if the stored credentials cannot be parsed.
    pub(crate) fn read(credentials: &SecretJson, settings: &Value) -> Result<Self> {
        let fields = ClientFields::read(credentials)?;
        Ok(Self {
            scopes: fields.scopes("scopes", settings),
            user_scopes: fields.scopes("user_scopes", settings),
            redirect_uri: fields.text("oauth_redirect_uri").or_else(|| fields.text("redirect_uri")),
        })
    }
}

impl OAuthClient {
    /// Reads the `credentials` of an auth config. `settings` are later changes, and override them.
    ///
    /// # Errors
    /// `InvalidRequest` that names the missing field.
    pub(crate) fn read(credentials: &SecretJson, settings: &Value) -> Result<Self> {
        let fields = ClientFields::read(credentials)?;
        let id = fields.text("client_id").ok_or_else(|| {
            Error::of_field(ErrorKind::InvalidRequest, "client_id", "The auth config has no `client_id`.")
                .fix("Give it the id and secret of your client at the provider, in its `credentials`.")
        })?;
        Ok(Self {
            id,
            secret: fields.text("client_secret").map(SecretString::from),
            metadata: ClientMetadata::read(credentials, settings)?,
        })
    }
}

/// The `credentials` of an auth config, by name.
pub(crate) struct ClientFields(BTreeMap<String, Value>);

impl ClientFields {
    /// Reads the `credentials` of an auth config.
    ///
    /// # Errors
    /// `Internal` if they cannot be parsed.
    pub(crate) fn read(credentials: &SecretJson) -> Result<Self> {
        let unreadable = |_| Error::new(ErrorKind::Internal, "A stored auth config cannot be read.");
        serde_json::from_str(credentials.expose()).map(Self).map_err(unreadable)
    }

    /// The text of a field; `None` if the field is empty or no text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The scopes of a field. `settings` override them.
    fn scopes(&self, name: &str, settings: &Value) -> Vec<String> {
        let changed = Some(&settings[name]).filter(|value| !value.is_null());
        scopes_of(changed.or_else(|| self.0.get(name)).unwrap_or(&Value::Null))
    }
}

/// Reads scopes from a list, or from a text that separates them with spaces or commas.
fn scopes_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_come_as_a_list_or_as_text() {
        for (given, expected) in [
            (json!("a b"), vec!["a", "b"]),
            (json!("a,b"), vec!["a", "b"]),
            (json!(["a", "b c"]), vec!["a", "b c"]),
            (json!(null), vec![]),
        ] {
            assert_eq!(scopes_of(&given), expected, "{given}");
        }
    }
}
