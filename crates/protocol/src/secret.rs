//! JSON that holds credentials. Code reads it explicitly, and it cannot print itself.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON document with credentials in it, kept as its own text.
///
/// It is wiped from memory when dropped, and its `Debug` shows nothing. It is not `Serialize`: a
/// field that must travel names [`SecretJson::serialize_exposed`] where it is declared.
#[derive(Clone)]
pub struct SecretJson(SecretString);

impl SecretJson {
    /// Takes over a JSON text. Whether it is well-formed shows when it is read.
    pub fn new(text: impl Into<SecretString>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Writes the document as it is, for `#[serde(serialize_with)]` on a field that must travel.
    pub fn serialize_exposed<S: Serializer>(value: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: Option<&RawValue> = match value {
            Some(json) => Some(serde_json::from_str(json.expose()).map_err(serde::ser::Error::custom)?),
            None => None,
        };
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SecretJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(SecretString::from(Box::<str>::from(raw))))
    }
}

impl fmt::Debug for SecretJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretJson([redacted])")
    }
}
