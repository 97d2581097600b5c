//! Sessions: a user, the toolkits they may call, and their pinned accounts (`docs/wire.md`).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{ErrorKind, read_json_as};

/// Which toolkits a session may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ToolkitFilter {
    /// Only these. Responses call it `enabled`. A list alone is short for it.
    Enable(Vec<String>),
    /// All but these. Responses call it `disabled`.
    Disable(Vec<String>),
}

impl<'de> Deserialize<'de> for ToolkitFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FilterVisitor)
    }
}

struct FilterVisitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Side {
    #[serde(alias = "enabled")]
    Enable,
    #[serde(alias = "disabled")]
    Disable,
}

impl<'de> Visitor<'de> for FilterVisitor {
    type Value = ToolkitFilter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of names, { enable: […] } or { disable: […] }")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(ToolkitFilter::Enable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(side) = map.next_key()? {
            let slugs = map.next_value()?;
            let filter = match side {
                Side::Enable => ToolkitFilter::Enable(slugs),
                Side::Disable => ToolkitFilter::Disable(slugs),
            };
            if found.replace(filter).is_some() {
                found = None;
                break;
            }
        }
        found.ok_or_else(|| A::Error::custom("must have either `enable` or `disable`"))
    }
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

/// The configuration of a session, without its user.
///
/// The gateway keeps and returns the keys that steer a vendor's tools (`tools`, `tags`, …). Proxied calls
/// do not depend on them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "keys without a comment are kept and returned only")]
pub struct SessionConfig {
    /// The toolkits the session may call; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolkits: Option<ToolkitFilter>,
    /// Accounts pinned per toolkit, by id, alias or word id. A pin has no fallback.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "one_or_many")]
    pub connected_accounts: Option<BTreeMap<String, Vec<String>>>,
    /// The auth config to use per toolkit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_configs: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub tools: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manage_connections: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub multi_account: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workbench: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub preload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub search: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub execute: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_execute: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instant: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub experimental: Option<Value>,
}

/// v3 named one account per toolkit, v3.1 names a list. Both are accepted.
fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, Vec<String>>>, D::Error> {
    let pins = Option::<BTreeMap<String, Pins>>::deserialize(deserializer)?;
    Ok(pins.map(|pins| pins.into_iter().map(|(toolkit, Pins(ids))| (toolkit, ids)).collect()))
}

/// The accounts that are pinned for a toolkit.
struct Pins(Vec<String>);

impl<'de> Deserialize<'de> for Pins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PinsVisitor)
    }
}

struct PinsVisitor;

impl<'de> Visitor<'de> for PinsVisitor {
    type Value = Pins;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<Self::Value, E> {
        Ok(Pins(vec![id.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Pins)
    }
}

/// The request that opens a session: `{ user_id, …config }`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateSession {
    /// Your own id of the user.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub user_id: String,
    /// The session's configuration.
    #[cfg_attr(feature = "openapi", serde(flatten))]
    pub config: SessionConfig,
}

// serde cannot refuse unknown fields beside `flatten`, hence these two handwritten impls.
impl<'de> Deserialize<'de> for CreateSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CreateVisitor)
    }
}

struct CreateVisitor;

impl<'de> Visitor<'de> for CreateVisitor {
    type Value = CreateSession;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut user_id = None;
        let rest = WithoutUser { map, user_id: &mut user_id };
        let config = SessionConfig::deserialize(MapAccessDeserializer::new(rest))?;
        let user_id = user_id.ok_or_else(|| A::Error::missing_field("user_id"))?;
        Ok(CreateSession { user_id, config })
    }
}

/// The fields of a request without the user, which is stored apart. The fields are read in place, so
/// that an error knows its path.
struct WithoutUser<'a, A> {
    map: A,
    user_id: &'a mut Option<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutUser<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(KeyOrUser(seed));
        while let Some(wanted) = seed.take() {
            match self.map.next_key_seed(wanted)? {
                Some(Key::User(KeyOrUser(same))) => {
                    *self.user_id = Some(self.map.next_value()?);
                    seed = Some(KeyOrUser(same));
                }
                Some(Key::Other(key)) => return Ok(Some(key)),
                None => break,
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Reads a key, unless it is that of the user.
struct KeyOrUser<K>(K);

enum Key<K, V> {
    /// The user's, with what reads the next key.
    User(KeyOrUser<K>),
    Other(V),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for KeyOrUser<K> {
    type Value = Key<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        if key == "user_id" {
            return Ok(Key::User(self));
        }
        self.0.deserialize(key.into_deserializer()).map(Key::Other)
    }
}

/// A change of a session's configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateSession {
    /// The `config_version` that the change is based on. The change is refused if the session has another.
    pub expected_config_version: Option<u64>,
    /// The keys to replace; `null` resets one to its default.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = SessionConfig))]
    pub changes: Map<String, Value>,
}

impl UpdateSession {
    /// The configuration after this update.
    ///
    /// # Errors
    /// `InvalidSession` for an unknown key or a value of the wrong shape, named in the message.
    pub fn apply(self, config: &SessionConfig) -> crate::Result<SessionConfig> {
        let mut merged = serde_json::to_value(config).expect("a configuration is made of JSON values");
        for (key, value) in self.changes {
            merged[key] = value;
        }
        read_json_as(ErrorKind::InvalidSession, merged.to_string().as_bytes())
    }
}

/// The address of a session's MCP endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mcp {
    /// Always `http`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Empty where the backend offers none.
    pub url: String,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// `trs_…`
    pub session_id: String,
    /// The MCP endpoint.
    pub mcp: Mcp,
    /// Names of a vendor's tools; a gateway has none.
    pub tool_router_tools: Vec<String>,
    /// Raised by one with every update.
    pub config_version: u64,
    /// The configuration, with the user in it.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub config: Value,
    /// Warnings of the backend about the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub warnings: Option<Value>,
}

/// The response to a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletedSession {
    /// The deleted session.
    pub session_id: String,
    /// Always true.
    pub deleted: bool,
}
