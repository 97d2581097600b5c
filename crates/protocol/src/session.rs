//! Sessions: a user, the toolkits they may call, and the accounts pinned for them (contract §2.2).

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Which toolkits a session may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolkitFilter {
    /// Only these. The echo in an answer calls it `enabled`.
    #[serde(alias = "enabled")]
    Enable(Vec<String>),
    /// All but these. The echo in an answer calls it `disabled`.
    #[serde(alias = "disabled")]
    Disable(Vec<String>),
}

impl ToolkitFilter {
    /// Whether a call to the toolkit is allowed.
    pub fn allows(&self, toolkit: &str) -> bool {
        match self {
            Self::Enable(slugs) => slugs.iter().any(|slug| slug == toolkit),
            Self::Disable(slugs) => !slugs.iter().any(|slug| slug == toolkit),
        }
    }
}

/// What a session is allowed and told, without its user.
///
/// The keys below `experimental` and those that steer a vendor's tools (`tools`, `tags`, …) are
/// kept and echoed; a proxied call does not depend on them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "contract §2.2 defines the keys that are kept and echoed only")]
pub struct SessionConfig {
    /// The toolkits the session may call; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolkits: Option<ToolkitFilter>,
    /// Accounts pinned per toolkit, without fallback to another.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "one_or_many")]
    pub connected_accounts: Option<BTreeMap<String, Vec<String>>>,
    /// The auth config to use per toolkit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_configs: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manage_connections: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_account: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workbench: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experimental: Option<Value>,
}

/// v3 named one account per toolkit, v3.1 names a list; both are understood.
fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, Vec<String>>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "connected_accounts maps a toolkit to an account id or a list of them")]
    enum Pins {
        One(String),
        Many(Vec<String>),
    }
    let pins = Option::<BTreeMap<String, Pins>>::deserialize(deserializer)?;
    Ok(pins.map(|pins| {
        pins.into_iter()
            .map(|(toolkit, pins)| match pins {
                Pins::One(id) => (toolkit, vec![id]),
                Pins::Many(ids) => (toolkit, ids),
            })
            .collect()
    }))
}

/// The request that opens a session: `{ user_id, …config }`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSession {
    /// The caller's own id of the user; opaque here.
    pub user_id: String,
    /// The session's configuration.
    pub config: SessionConfig,
}

// serde cannot refuse unknown fields beside `flatten`, hence these two by hand.
impl<'de> Deserialize<'de> for CreateSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let user_id = match fields.shift_remove("user_id") {
            Some(Value::String(user_id)) => user_id,
            Some(_) => return Err(D::Error::custom("user_id must be a string")),
            None => return Err(D::Error::missing_field("user_id")),
        };
        let config = serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)?;
        Ok(Self { user_id, config })
    }
}

impl Serialize for CreateSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            user_id: &'a str,
            #[serde(flatten)]
            config: &'a SessionConfig,
        }
        Wire { user_id: &self.user_id, config: &self.config }.serialize(serializer)
    }
}

/// The keys of a session's configuration to replace; `null` resets one to its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpdateSession(pub Map<String, Value>);

impl UpdateSession {
    /// The configuration after this update.
    ///
    /// # Errors
    /// An unknown key or a value of the wrong shape, named in the message.
    pub fn apply(self, config: &SessionConfig) -> Result<SessionConfig, serde_json::Error> {
        let mut merged = serde_json::to_value(config)?;
        for (key, value) in self.0 {
            merged[key] = value;
        }
        serde_json::from_value(merged)
    }
}

/// What a backend may answer with null where nothing is meant.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The address of a session's MCP endpoint; part of every session answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mcp {
    /// Always `http`.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: String,
    /// Empty where the backend offers none.
    #[serde(default, deserialize_with = "or_default")]
    pub url: String,
}

/// A session, as it is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// `trs_…`
    pub session_id: String,
    /// See [`Mcp`].
    pub mcp: Mcp,
    /// Names of a vendor's tools; a gateway has none.
    #[serde(default, deserialize_with = "or_default")]
    pub tool_router_tools: Vec<String>,
    /// Raised by one with every update.
    #[serde(default, deserialize_with = "or_default")]
    pub config_version: u64,
    /// The configuration in its answered form, with the user in it (contract §2.2).
    pub config: Value,
    /// Remarks of the backend on the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Value>,
}

/// The answer to a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedSession {
    /// The session that is gone.
    pub session_id: String,
    /// Always true.
    pub deleted: bool,
}
