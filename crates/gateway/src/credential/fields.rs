//! The fields of a credential: read, and put together from an older credential and its changes.

use std::collections::BTreeMap;
use std::fmt;

use proxy_execute_protocol::{AuthScheme, Error, ErrorKind, Result, SecretJson, without_value};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::oauth::token_answer;

/// The `val` of a credential: its fields by name.
///
/// Nested values (`authed_user`, …) stay in the stored credential, but templates cannot name them.
#[derive(Default)]
pub(crate) struct Fields(BTreeMap<String, SecretString>);

impl Fields {
    /// The value of a field. Callers name an API key in several ways.
    ///
    /// A toolkit's template uses `api_key`; the other names are its fallbacks.
    pub(crate) fn get(&self, name: &str) -> Option<&SecretString> {
        let stand_ins: &[&str] = if name == "api_key" { &["generic_api_key", "bearer_token"] } else { &[] };
        std::iter::once(&name).chain(stand_ins).find_map(|name| self.0.get(*name))
    }

    /// Parses the `val` of a credential.
    ///
    /// # Errors
    /// `InvalidRequest`, which quotes no part of the credential.
    pub(crate) fn read(val: &SecretJson) -> Result<Self> {
        read(val, "val", "an object of fields")
    }

    /// The lifetime of the access token in seconds, if the provider stated one.
    pub(crate) fn expires_in(&self) -> Option<u64> {
        token_answer::seconds(self.0.get("expires_in")?.expose_secret().trim().parse().ok()?)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let text = match WHOLE_JSON.contains(&name.as_str()) {
                        true => whole(map.next_value()?),
                        false => map.next_value::<FieldText>()?.0,
                    };
                    match text {
                        Some(text) => _ = fields.insert(name, text),
                        None => _ = fields.remove(&name),
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Fields with JSON text. A caller may also give the JSON value itself.
const WHOLE_JSON: [&str; 1] = ["credentials_json"];

/// Converts any value to text.
fn whole(value: Value) -> Option<SecretString> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.is_empty()).map(SecretString::from),
        other => Some(other.to_string().into()),
    }
}

/// A field's value as text; `None` for a value without a text form.
struct FieldText(Option<SecretString>);

impl<'de> Deserialize<'de> for FieldText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = FieldText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a credential field")
            }
            fn visit_str<E>(self, text: &str) -> Result<FieldText, E> {
                Ok(FieldText((!text.is_empty()).then(|| text.into())))
            }
            fn visit_string<E>(self, text: String) -> Result<FieldText, E> {
                Ok(FieldText((!text.is_empty()).then(|| text.into())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<FieldText, E> {
                Ok(FieldText(Some(number.to_string().into())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<FieldText, E> {
                Ok(FieldText(Some(number.to_string().into())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<FieldText, E> {
                Ok(FieldText(Some(number.to_string().into())))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<FieldText, E> {
                Ok(FieldText(Some(flag.to_string().into())))
            }
            fn visit_unit<E>(self) -> Result<FieldText, E> {
                Ok(FieldText(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FieldText, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FieldText(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldText, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(FieldText(None))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A credential from a caller: at an import, or as `custom_connection_data` in a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GivenCredential {
    pub(crate) auth_scheme: AuthScheme,
    /// Set only in `custom_connection_data`.
    pub(crate) toolkit_slug: Option<String>,
    pub(crate) val: SecretJson,
}

impl GivenCredential {
    /// Parses a credential.
    ///
    /// # Errors
    /// `InvalidRequest` that names `field`. The parser's own message could quote the secret, so the error
    /// states only its kind and place.
    pub(crate) fn read(json: &SecretJson, field: &str) -> Result<Self> {
        let given: Self = read(json, field, "{ authScheme, val }")?;
        read::<Fields>(&given.val, &format!("{field}.val"), "an object of fields")?;
        Ok(given)
    }

    /// The fields of `val`.
    pub(crate) fn fields(&self) -> Result<Fields> {
        Fields::read(&self.val)
    }
}

fn read<'a, T: Deserialize<'a>>(json: &'a SecretJson, field: &str, form: &str) -> Result<T> {
    serde_json::from_str(json.expose()).map_err(|error| {
        let text = without_value(&error);
        // Field names and the list of schemes are constants of the gateway. Any other part of the text may be
        // a value.
        let told = ["unknown field", "missing field"].iter().any(|kind| text.starts_with(kind));
        let told = if told { text } else { format!("it is not of the form {form}") };
        Error::new(ErrorKind::InvalidRequest, format!("`{field}` cannot be read: {told}.")).fix(
            "Schemes are OAUTH2, BEARER_TOKEN, API_KEY, BASIC, NO_AUTH and the others of docs/toolkits.md.",
        )
    })
}

/// Puts the fields of `new` on top of those of `old`. A null removes a field. Values stay as written.
pub(crate) fn merged(old: &SecretJson, new: &SecretJson) -> Result<SecretJson> {
    let mut fields = raw_fields(old)?;
    for (name, value) in raw_fields(new)? {
        if value.get() == "null" {
            fields.remove(&name)
        } else {
            fields.insert(name, value)
        };
    }
    written(&fields)
}

type RawFields<'a> = BTreeMap<String, &'a RawValue>;

/// Returns the fields of a credential, as they were written.
pub(crate) fn raw_fields(val: &SecretJson) -> Result<RawFields<'_>> {
    serde_json::from_str(val.expose()).map_err(unreadable)
}

/// Writes fields as the text of a credential.
pub(crate) fn written(fields: &RawFields<'_>) -> Result<SecretJson> {
    serde_json::to_string(fields).map(SecretJson::new).map_err(unreadable)
}

fn unreadable(_: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "A stored credential cannot be read.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).unwrap()
    }

    fn text(fields: &Fields, name: &str) -> Option<String> {
        fields.get(name).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn an_api_key_goes_by_several_names() {
        assert_eq!(text(&fields(r#"{"generic_api_key":"g"}"#), "api_key").as_deref(), Some("g"));
        assert_eq!(
            text(&fields(r#"{"generic_api_key":"g","api_key":"a"}"#), "api_key").as_deref(),
            Some("a")
        );
        assert_eq!(text(&fields(r#"{"api_key":""}"#), "api_key"), None);
    }

    #[test]
    fn lifetimes_come_in_many_forms() {
        for (json, expected) in [
            (r#"{"expires_in":3600}"#, Some(3600)),
            (r#"{"expires_in":"3600"}"#, Some(3600)),
            (r#"{"expires_in":0}"#, None),
            (r#"{"expires_in":-5}"#, None),
            (r#"{"expires_in":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(fields(json).expires_in(), expected, "{json}");
        }
    }

    #[test]
    fn an_error_quotes_no_part_of_a_credential() {
        for json in [
            r#"{"authScheme":"canary-1","val":{}}"#,
            r#"{"authScheme":"OAUTH2","val":"canary-1"}"#,
            r#"{"authScheme":"OAUTH2","val":{"access_token":"canary-1"},"status":"canary-1"}"#,
            r#"["canary-1"]"#,
        ] {
            let error = GivenCredential::read(&SecretJson::new(json.to_owned()), "credential").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary-1"), "{error}");
        }
        let given = GivenCredential::read(
            &SecretJson::new(r#"{"authScheme":"BASIC","val":{"password":"canary-1"}}"#.to_owned()),
            "credential",
        );
        let given = given.unwrap();
        assert!(!format!("{given:?} {:?}", given.fields().unwrap()).contains("canary-1"));
    }
}
